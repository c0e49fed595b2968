//! Whether a role lets its holder call a command (`contract/api-protocol.md 9.1`).

use super::caller::Caller;
use crate::api::{CommandSpec, RoleType};

/// One line of a role: a pattern and what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// A command name; `*` stands for any letters. Letter case does not matter.
    pub pattern: String,
    /// Whether matching commands are allowed.
    pub allow: bool,
}

impl From<crate::store::Rule> for Rule {
    fn from(rule: crate::store::Rule) -> Self {
        Self { pattern: rule.pattern, allow: rule.allow }
    }
}

impl Rule {
    /// Whether the pattern fits the whole name.
    pub fn matches(&self, command: &str) -> bool {
        wildcard(self.pattern.as_bytes(), command.as_bytes())
    }
}

/// What the rules say about a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// A rule allows it.
    Allowed,
    /// A rule denies it.
    Denied,
    /// No rule speaks about it.
    Silent,
}

impl Verdict {
    /// The first rule that matches decides.
    pub fn of(rules: &[Rule], command: &str) -> Self {
        match rules.iter().find(|rule| rule.matches(command)) {
            Some(rule) if rule.allow => Self::Allowed,
            Some(_) => Self::Denied,
            None => Self::Silent,
        }
    }
}

/// The role that may call everything, whatever its rules say.
pub(super) const ROOT_ADMIN_ROLE: i64 = 1;

/// Whether the caller's role lets it call the command. Where no rule speaks, the declaration decides; where there is no role that
/// is known, nothing is let through.
pub fn may_call(caller: &Caller, command: &CommandSpec) -> bool {
    caller.role_type.is_some_and(|kind| role_may_call(caller.role_id, kind, &caller.rules, command))
}

/// Whether a role with this number, of this type and with these rules lets its holders call the command.
pub fn role_may_call(role_id: i64, role_type: RoleType, rules: &[Rule], command: &CommandSpec) -> bool {
    if role_id == ROOT_ADMIN_ROLE {
        return true;
    }
    match Verdict::of(rules, command.name) {
        Verdict::Allowed => true,
        Verdict::Denied => false,
        Verdict::Silent => command.roles.contains(&role_type),
    }
}

/// Whether the rules `inner` surely allow nothing that `outer` does not. Where that is not plain to see the answer is no.
pub fn within(inner: &[Rule], outer: &[Rule]) -> bool {
    verdicts(inner, outer).all(|verdict| verdict == Verdict::Allowed)
}

/// Whether the rules `inner` surely allow nothing that `outer` denies. Where that is not plain to see the answer is no.
pub fn nothing_denied(inner: &[Rule], outer: &[Rule]) -> bool {
    verdicts(inner, outer).all(|verdict| verdict != Verdict::Denied)
}

/// What the rules `outer` say about what each rule of `inner` allows, whatever the names of the commands are. They deny it as
/// soon as they may deny a part of it.
fn verdicts(inner: &[Rule], outer: &[Rule]) -> impl Iterator<Item = Verdict> {
    inner.iter().enumerate().filter(|(_, rule)| rule.allow).map(|(at, rule)| {
        let denied_before = |pattern: &str| inner[..at].iter().any(|before| !before.allow && before.matches(pattern));
        // Of the rules that say anything about what this one allows, one must allow all of it, and none before that may deny
        // what is not denied within as well. A star in the text of a pattern can only be taken by one in the other, so
        // whatever it stands for is taken as well.
        let mut speaking = outer.iter().filter(|known| overlap(known.pattern.as_bytes(), rule.pattern.as_bytes()));
        let decides = |known: &&Rule| {
            if known.allow { known.matches(&rule.pattern) } else { !denied_before(&known.pattern) }
        };
        match speaking.find(decides) {
            Some(known) if known.allow => Verdict::Allowed,
            Some(_) => Verdict::Denied,
            None => Verdict::Silent,
        }
    })
}

/// Whether any name fits both patterns. `reached[j]` says that so far the first pattern can meet `j` letters of the second.
fn overlap(one: &[u8], other: &[u8]) -> bool {
    let past_stars = |reached: &mut [bool]| {
        for at in 0..other.len() {
            reached[at + 1] |= reached[at] && other[at] == b'*';
        }
    };
    let mut reached = vec![false; other.len() + 1];
    reached[0] = true;
    past_stars(&mut reached);
    for letter in one {
        let mut next = vec![false; other.len() + 1];
        for at in 0..=other.len() {
            if !reached[at] {
                continue;
            }
            let facing = other.get(at);
            if *letter == b'*' {
                // A star may stand for nothing, and for everything that is left.
                next[at..].fill(true);
            } else if facing == Some(&b'*') {
                next[at] = true;
            } else if facing.is_some_and(|facing| facing.eq_ignore_ascii_case(letter)) {
                next[at + 1] = true;
            }
        }
        past_stars(&mut next);
        reached = next;
    }
    reached[other.len()]
}

/// Fits `pattern` to the whole of `text`, remembering the last `*` to come back to: no more than
/// `pattern * text` steps, whatever the pattern.
fn wildcard(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at_pattern, mut at_text) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while at_text < text.len() {
        match pattern.get(at_pattern) {
            Some(b'*') => {
                retry = Some((at_pattern + 1, at_text));
                at_pattern += 1;
            }
            Some(letter) if letter.eq_ignore_ascii_case(&text[at_text]) => {
                at_pattern += 1;
                at_text += 1;
            }
            _ => match retry {
                Some((after_star, from)) => {
                    retry = Some((after_star, from + 1));
                    at_pattern = after_star;
                    at_text = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[at_pattern..].iter().all(|letter| *letter == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(pattern: &str, allow: bool) -> Rule {
        Rule { pattern: pattern.to_owned(), allow }
    }

    #[test]
    fn patterns_fit_whole_names_in_any_case() {
        for (pattern, name, fits) in [
            ("listHosts", "listhosts", true),
            ("listHosts", "listHostsMetrics", false),
            ("list*", "listHosts", true),
            ("list*", "alist", false),
            ("*", "anything", true),
            ("*hosts*for*", "findHostsForMigration", true),
            ("*hosts*for", "findHostsForMigration", false),
            ("", "x", false),
            ("a*b*c", "aXbYbZc", true),
        ] {
            assert_eq!(rule(pattern, true).matches(name), fits, "{pattern} {name}");
        }
    }

    #[test]
    fn patterns_overlap_when_a_name_fits_both() {
        for (one, other, expected) in [
            ("listHosts", "LISTHOSTS", true),
            ("listHosts", "listHost", false),
            ("list*", "*Hosts", true),
            ("list*", "get*", false),
            ("a*c", "*b*", true),
            ("*", "x", true),
            ("*", "*", true),
            ("a*", "*a", true),
            ("ab", "a*b*c", false),
            ("list*s", "*Host", false),
        ] {
            assert_eq!(overlap(one.as_bytes(), other.as_bytes()), expected, "{one} {other}");
            assert_eq!(overlap(other.as_bytes(), one.as_bytes()), expected, "{other} {one}");
        }
    }

    #[test]
    fn rules_within_others() {
        let outer = [rule("deleteUserKeys", false), rule("*UserKey*", true), rule("list*", true)];
        assert!(within(&outer, &outer), "the same rules");
        assert!(within(&[rule("listUserKeys", true)], &outer));
        assert!(within(&[rule("listV*", true), rule("*", false)], &outer));
        assert!(!within(&[rule("deleteUserKeys", true)], &outer));
        assert!(!within(&[rule("*UserKeys", true)], &outer), "one of them is denied");
        assert!(!within(&[rule("*", true)], &outer));
        assert!(!within(&[rule("getUserKeys", true), rule("migrateVolume", true)], &outer));
    }

    #[test]
    fn what_is_denied_on_both_sides_is_no_obstacle() {
        let outer = [rule("listSecrets", false), rule("list*", true), rule("*", false)];
        let own = [rule("listS*", false), rule("getX", false), rule("list*", true)];
        assert!(within(&own, &outer), "it denies more before it allows the same");
        assert!(!within(&[rule("list*", true), rule("listS*", false)], &outer), "the denial comes too late");
    }

    #[test]
    fn rules_that_allow_nothing_that_others_deny() {
        let outer = [rule("updateConfiguration", false), rule("list*", true)];
        assert!(nothing_denied(&[rule("deployVirtualMachine", true)], &outer), "nothing is said of it");
        assert!(nothing_denied(&[rule("updateConfiguration", false), rule("*", true)], &outer));
        assert!(nothing_denied(&[rule("*", false)], &outer) && nothing_denied(&[rule("*", true)], &[]));
        assert!(!nothing_denied(&[rule("update*", true)], &outer));
        assert!(!nothing_denied(&[rule("listHosts", true), rule("updateconfiguration", true)], &outer));
        assert!(nothing_denied(&[rule("listHosts", true)], &[rule("list*", true), rule("*", false)]));
        assert!(!nothing_denied(&[rule("list*", true)], &[rule("listHosts", true), rule("*", false)]));
    }

    #[test]
    fn the_first_matching_rule_decides() {
        let rules = [rule("list*", true), rule("listSecrets", false), rule("get*", false)];
        assert_eq!(Verdict::of(&rules, "listSecrets"), Verdict::Allowed);
        assert_eq!(Verdict::of(&rules, "getX"), Verdict::Denied);
        assert_eq!(Verdict::of(&rules, "migrateVolume"), Verdict::Silent);
    }
}
