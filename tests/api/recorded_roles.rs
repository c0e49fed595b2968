//! The rules of the default roles as a fresh CloudStack has them (`tests/golden/role-permissions.tsv`), and whether a new
//! database here is given the same about what is served.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use stackmotion::auth::{Rule, Verdict};
use stackmotion::commands;

use crate::support::{database, golden};

/// The last of the default roles; later ones are somebody's own.
const LAST: i64 = 8;

/// Role and rule, in the order in which rules are looked at.
static RECORDED: LazyLock<Vec<(i64, Rule)>> = LazyLock::new(|| {
    let line = |line: &str| {
        let [role, permission, pattern] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let allow = match permission {
            "ALLOW" => true,
            "DENY" => false,
            other => panic!("{other}"),
        };
        (role.parse().expect("a number"), Rule { pattern: pattern.to_owned(), allow })
    };
    golden::text("role-permissions.tsv").lines().map(line).collect()
});

/// Whether a recorded rule lets a role call a command; `None` where none speaks about it.
pub fn verdict(role: i64, command: &str) -> Option<bool> {
    let rules: Vec<_> = RECORDED.iter().filter(|(of, _)| *of == role).map(|(_, rule)| rule.clone()).collect();
    assert!(!rules.is_empty(), "role {role} has rules");
    match Verdict::of(&rules, command) {
        Verdict::Allowed => Some(true),
        Verdict::Denied => Some(false),
        Verdict::Silent => None,
    }
}

/// Rules that name one of these commands, and rules with patterns, role by role in their order.
fn about(rules: &[(i64, Rule)], commands: &BTreeSet<String>) -> BTreeSet<String> {
    let speaks = |rule: &Rule| rule.pattern.contains('*') || commands.contains(&rule.pattern);
    let told =
        |(role, rule): &(i64, Rule)| format!("{role} {} {}", if rule.allow { "ALLOW" } else { "DENY" }, rule.pattern);
    rules.iter().filter(|(_, rule)| speaks(rule)).map(told).collect()
}

#[tokio::test]
async fn a_new_database_has_the_recorded_rules() {
    let database = database::sqlite().await;
    database.store.bootstrap().await.expect("roles");
    let sql = "SELECT role_id, rule, permission FROM role_permissions WHERE role_id <= ? ORDER BY role_id, sort_order";
    let rows = database.store.db().rows(sql, vec![LAST.into()]).await.expect("rules");
    let ours: Vec<(i64, Rule)> = rows
        .iter()
        .map(|row| {
            let permission: String = row.at(2).expect("a permission");
            (row.at(0).expect("a role"), Rule { pattern: row.at(1).expect("a rule"), allow: permission == "ALLOW" })
        })
        .collect();
    let named = |rules: &[(i64, Rule)]| rules.iter().map(|(_, rule)| rule.pattern.clone()).collect::<BTreeSet<_>>();
    let recorded = named(&RECORDED);
    // An addition of ours has rules of its own.
    let unknown: Vec<_> = named(&ours).into_iter().filter(|name| !recorded.contains(name)).collect();
    assert_eq!(unknown, ["streamEvents"]);

    let mut looked_at: BTreeSet<String> = commands::COMMANDS.iter().map(|entry| entry.spec.name.to_owned()).collect();
    looked_at.extend(named(&ours));
    looked_at.remove("streamEvents");
    let (ours_about, recorded_about) = (about(&ours, &looked_at), about(&RECORDED, &looked_at));
    let only_one: Vec<_> = ours_about.symmetric_difference(&recorded_about).collect();
    assert!(only_one.is_empty(), "rules of one side only: {only_one:?}");
    for role in 1..=LAST {
        let rules: Vec<_> = ours.iter().filter(|(of, _)| *of == role).map(|(_, rule)| rule.clone()).collect();
        for command in looked_at.iter().filter(|name| !name.contains('*')) {
            let ours = match Verdict::of(&rules, command) {
                Verdict::Allowed => Some(true),
                Verdict::Denied => Some(false),
                Verdict::Silent => None,
            };
            assert_eq!(ours, verdict(role, command), "role {role}, {command}: the order of the rules decides");
        }
    }
}
