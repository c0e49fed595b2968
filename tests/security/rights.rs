//! Roles of somebody's own: what they must not do to others, and whose things they must not show.

use serde_json::Value as Json;
use stackmotion::store::{Rule, Store};

use crate::support::database;
use crate::support::direct::{Answered, Direct, ENG, LAB, Person};

/// A role with these rules in their order.
async fn role(store: &Store, id: i64, kind: &str, rules: &[(&str, bool)]) {
    let uuid = format!("00000000-0000-4000-a000-{id:012}");
    let sql = "INSERT INTO roles (id, uuid, name, role_type) VALUES (?, ?, ?, ?)";
    let args = vec![id.into(), uuid.into(), format!("role {id}").into(), kind.into()];
    store.db().run(sql, args).await.expect("a role");
    for (order, (rule, allow)) in (0_i64..).zip(rules) {
        let sql = "INSERT INTO role_permissions (role_id, rule, permission, sort_order) VALUES (?, ?, ?, ?)";
        let permission = if *allow { "ALLOW" } else { "DENY" };
        let args = vec![id.into(), (*rule).into(), permission.into(), order.into()];
        store.db().run(sql, args).await.expect("a rule");
    }
}

/// The entries of a list.
fn entries(answer: &Answered, object: &str) -> Vec<Json> {
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.inside()[object].as_array().cloned().unwrap_or_default()
}

/// The users that `listUsers` and `listAccounts` show to a person, each with its key.
async fn shown(direct: &Direct, person: &Person) -> [Vec<(String, Option<String>)>; 2] {
    let all = [("listall", "true")];
    let text = |user: &Json, name: &str| user[name].as_str().map(str::to_owned);
    let read = |user: &Json| (text(user, "username").expect("a name"), text(user, "apikey"));
    let users = entries(&direct.call(person, "listUsers", &all).await, "user");
    let accounts = entries(&direct.call(person, "listAccounts", &all).await, "account");
    let inside = accounts.iter().flat_map(|account| account["user"].as_array().cloned().unwrap_or_default());
    let mut lists = [users.iter().map(read).collect::<Vec<_>>(), inside.map(|user| read(&user)).collect()];
    lists.iter_mut().for_each(|list| list.sort());
    lists
}

#[tokio::test]
async fn an_api_key_is_listed_for_those_only_who_may_have_it() {
    let database = database::sqlite().await;
    let store = &database.store;
    let direct = Direct::start(store).await;
    role(store, 11, "Admin", &[("list*", true), ("getUserKeys", true), ("*", false)]).await;
    role(store, 12, "User", &[("migrateVolume", true)]).await;
    let root = direct.person("root", 1, 1, 1).await;
    let looker = direct.person("looker", 1, 11, 1).await;
    let chief = direct.person("chief", 2, 3, ENG).await;
    let strong = direct.person("strong", 0, 12, ENG).await;
    let below = direct.person("below", 0, 4, LAB).await;
    let everybody = [&root, &looker, &chief, &strong, &below];
    let cases: [(&Person, &[&str]); 4] = [
        (&root, &["root", "looker", "chief", "strong", "below"]),
        // Who may only look must not get the keys of those who may act.
        (&looker, &["looker"]),
        (&chief, &["chief", "below"]),
        (&below, &["below"]),
    ];
    for (person, expected) in cases {
        for list in shown(&direct, person).await {
            for other in everybody {
                let Some((_, key)) = list.iter().find(|(name, _)| *name == other.name) else {
                    assert!(!expected.contains(&other.name.as_str()), "{} sees {}", person.name, other.name);
                    continue;
                };
                let is_expected = expected.contains(&other.name.as_str());
                let wanted = is_expected.then_some(other.api_key.as_str());
                assert_eq!(key.as_deref(), wanted, "{} is shown the key of {}", person.name, other.name);
            }
        }
    }
    let names = |list: &[(String, Option<String>)]| list.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    assert!(names(&shown(&direct, &chief).await[0]).contains(&"strong".to_owned()), "the user is listed all the same");
}

#[tokio::test]
async fn a_narrow_pair_is_listed_no_wider_one() {
    let database = database::sqlite().await;
    let direct = Direct::start(&database.store).await;
    let root = direct.person("root", 1, 1, 1).await;
    let below = direct.person("below", 0, 4, ENG).await;
    let rule = |pattern: &str, allow: bool| (Rule { pattern: pattern.to_owned(), allow }, None);
    let (api_key, secret) = direct.key(&root, |key| key.rules = vec![rule("list*", true), rule("*", false)]).await;
    let narrow = Person { api_key, secret, ..root.clone() };
    let (newest, _) = direct.key(&root, |_| {}).await;
    for (person, own, other) in [(&root, &newest, Some(&below.api_key)), (&narrow, &narrow.api_key, None)] {
        for list in shown(&direct, person).await {
            let key = |name: &str| list.iter().find(|(known, _)| known == name).and_then(|(_, key)| key.as_ref());
            assert_eq!(key("root"), Some(own), "the newest that this pair may have: {list:?}");
            assert_eq!(key("below"), other, "{list:?}");
        }
    }
}

#[tokio::test]
async fn a_root_admin_of_a_lesser_role_takes_over_nobody_who_may_do_more() {
    let database = database::sqlite().await;
    let store = &database.store;
    let direct = Direct::start(store).await;
    let own = [
        ("updateUser", true),
        ("createUser", true),
        ("createAccount", true),
        ("enableUser", true),
        ("enableAccount", true),
        ("list*", true),
        ("*", false),
    ];
    role(store, 11, "Admin", &own).await;
    role(store, 12, "User", &[("list*", true), ("*", false)]).await;
    // The gateway has no such command, but a management server beside it does.
    role(store, 13, "User", &[("list*", true), ("deployVirtualMachine", true), ("*", false)]).await;
    let lesser = direct.person("lesser", 1, 11, 1).await;
    let root = direct.person("root", 1, 1, 1).await;
    // Users may have key pairs made, which this administrator may not.
    let user = direct.person("user", 0, 4, 1).await;
    let maker = direct.person("maker", 0, 13, 1).await;
    let tool = direct.person("tool", 0, 12, 1).await;
    let new = |account: &'static str| {
        let mut pairs = vec![("email", "x@example.test"), ("firstname", "F"), ("lastname", "L"), ("password", "pa55")];
        pairs.extend([("username", "x"), ("account", account)]);
        pairs
    };
    for (target, name) in [(&root, "root"), (&user, "user"), (&maker, "maker")] {
        for (command, pairs) in [
            ("updateUser", vec![("id", target.user_uuid.as_str()), ("password", "taken over")]),
            ("updateUser", vec![("id", target.user_uuid.as_str()), ("timezone", "UTC")]),
            ("createUser", new(name)),
            ("enableUser", vec![("id", target.user_uuid.as_str())]),
            ("enableAccount", vec![("id", target.account_uuid.as_str())]),
        ] {
            let answer = direct.call(&lesser, command, &pairs).await;
            assert_eq!(answer.status, 531, "{command} {pairs:?}: {}", answer.body);
            assert!(answer.body.contains("more privileges they have themself"), "{command}: {}", answer.body);
        }
    }
    for kind in ["0", "1"] {
        let mut pairs = new("fresh");
        pairs.push(("accounttype", kind));
        let answer = direct.call(&lesser, "createAccount", &pairs).await;
        assert_eq!(answer.status, 531, "{kind}: {}", answer.body);
    }
    let sql = "SELECT COUNT(*) FROM user WHERE password <> '!'";
    let changed = store.db().row(sql, vec![]).await.expect("users").expect("a count");
    assert_eq!(changed.at::<i64>(0).expect("a number"), 0);
    // Who is allowed no more may be worked on, and oneself.
    for person in [&tool, &lesser] {
        let pairs = [("id", person.user_uuid.as_str()), ("timezone", "UTC")];
        let answer = direct.call(&lesser, "updateUser", &pairs).await;
        assert_eq!(answer.status, 200, "{}: {}", person.name, answer.body);
    }
    assert_eq!(direct.call(&lesser, "createUser", &new("tool")).await.status, 200);
}

#[tokio::test]
async fn what_belongs_to_all_is_for_root_admins_whatever_a_role_allows() {
    let database = database::sqlite().await;
    let store = &database.store;
    let direct = Direct::start(store).await;
    role(store, 11, "User", &[("*", true)]).await;
    role(store, 12, "DomainAdmin", &[("*", true)]).await;
    let root = direct.person("root", 1, 1, 1).await;
    let user = direct.person("user", 0, 11, ENG).await;
    let chief = direct.person("chief", 2, 12, ENG).await;
    let note = "INSERT INTO motion_drift (uuid, kind, mark, vm_id, host_id, database_says, host_says, first_seen, last_seen) \
        VALUES ('00000000-0000-4000-b002-000000000001', 'vm-missing', 'm', 1, 1, 'zz-everybodys', 'x', \
        '2026-11-23 18:00:00', '2026-11-23 18:00:00')";
    store.db().run(note, vec![]).await.expect("a finding");
    let calls: [(&str, &[(&str, &str)]); 8] = [
        ("listMigrations", &[]),
        ("listMigrationHistory", &[]),
        ("listMigrationHistory", &[("format", "csv")]),
        ("listMigrationLeftovers", &[]),
        ("listDrift", &[]),
        ("resolveMigration", &[("id", "x"), ("found", "source")]),
        ("resolveDrift", &[("id", "00000000-0000-4000-b002-000000000001"), ("action", "dismiss")]),
        ("removeMigrationLeftover", &[("id", "1")]),
    ];
    for (command, args) in calls {
        for person in [&user, &chief] {
            let answer = direct.call(person, command, args).await;
            let told = format!("{} {command}: {}", person.name, answer.body);
            assert_eq!(answer.status, 531, "{told}");
            assert!(answer.body.contains("only root admins may call it") && !answer.body.contains("zz-"), "{told}");
        }
        if command.starts_with("list") {
            let answer = direct.call(&root, command, args).await;
            assert_eq!(answer.status, 200, "{command}: {}", answer.body);
        }
    }
    assert!(direct.call(&root, "listDrift", &[]).await.body.contains("zz-everybodys"));
    assert!(direct.jobs.drafts.lock().expect("drafts").is_empty());
}

#[tokio::test]
async fn rules_are_listed_of_roles_that_are_listed() {
    let database = database::sqlite().await;
    let store = &database.store;
    let direct = Direct::start(store).await;
    role(store, 11, "DomainAdmin", &[("list*", true)]).await;
    role(store, 12, "User", &[("listZones", true)]).await;
    role(store, 13, "User", &[("listVolumes", true)]).await;
    let hide = "UPDATE roles SET public_role = 0 WHERE id = 13";
    store.db().run(hide, vec![]).await.expect("a hidden role");
    let root = direct.person("root", 1, 1, 1).await;
    let chief = direct.person("chief", 2, 11, ENG).await;
    for person in [&root, &chief] {
        let roles = entries(&direct.call(person, "listRoles", &[]).await, "role");
        let shown: Vec<&str> = roles.iter().filter_map(|role| role["id"].as_str()).collect();
        let rules = entries(&direct.call(person, "listRolePermissions", &[]).await, "rolepermission");
        let of: Vec<&str> = rules.iter().filter_map(|rule| rule["roleid"].as_str()).collect();
        assert!(!of.is_empty() && of.iter().all(|role| shown.contains(role)), "{}: {of:?} {shown:?}", person.name);
        for (id, is_shown) in [(11, true), (12, true), (13, person.name == "root")] {
            let uuid = format!("00000000-0000-4000-a000-{id:012}");
            assert_eq!(of.contains(&uuid.as_str()), is_shown, "{} {id}", person.name);
            let one = direct.call(person, "listRolePermissions", &[("roleid", &uuid)]).await;
            assert_eq!(entries(&one, "rolepermission").len(), usize::from(is_shown), "{} {id}", person.name);
        }
    }
    let admin = "SELECT uuid FROM roles WHERE id = 1";
    let admin: String = store.db().row(admin, vec![]).await.expect("roles").expect("the role").at(0).expect("an id");
    let of_root = [("roleid", admin.as_str())];
    assert!(entries(&direct.call(&chief, "listRolePermissions", &of_root).await, "rolepermission").is_empty());
    assert_eq!(entries(&direct.call(&root, "listRolePermissions", &of_root).await, "rolepermission").len(), 1);
}
