//! Whether a role lets its holder call a command (`contract/api-protocol.md 9.1`).

use super::caller::Caller;
use crate::api::CommandSpec;

/// One line of a role: a pattern and what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// A command name; `*` stands for any letters. Letter case does not matter.
    pub pattern: String,
    /// Whether matching commands are allowed.
    pub allow: bool,
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

/// Whether the caller's role lets it call the command. Where no rule speaks, the declaration decides.
pub fn may_call(caller: &Caller, command: &CommandSpec) -> bool {
    if caller.may_call_everything() {
        return true;
    }
    match Verdict::of(&caller.rules, command.name) {
        Verdict::Allowed => true,
        Verdict::Denied => false,
        Verdict::Silent => command.roles.contains(&caller.role_type),
    }
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
    fn the_first_matching_rule_decides() {
        let rules = [rule("list*", true), rule("listSecrets", false), rule("get*", false)];
        assert_eq!(Verdict::of(&rules, "listSecrets"), Verdict::Allowed);
        assert_eq!(Verdict::of(&rules, "getX"), Verdict::Denied);
        assert_eq!(Verdict::of(&rules, "migrateVolume"), Verdict::Silent);
    }
}
