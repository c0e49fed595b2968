//! Accounts, users and keys: what is refused, what a signature needs besides a key, and what nobody gets to see.

use stackmotion::auth::password;
use stackmotion::model::Timestamp;
use stackmotion::store::{Rule, Store, Value};

use crate::support::database;
use crate::support::direct::{Direct, ENG, OPS, Person, domain_uuid};

/// The administrator that comes with a database, with the key that comes with it.
async fn admin(direct: &Direct) -> Person {
    let sql = "SELECT k.api_key, k.secret_key, u.uuid, a.uuid FROM api_keypair k JOIN user u ON u.id = k.user_id \
        JOIN account a ON a.id = u.account_id WHERE k.user_id = 2";
    let row = direct.store.db().row(sql, vec![]).await.expect("keys").expect("the first key");
    let text = |at| row.at::<String>(at).expect("a text");
    Person {
        name: "admin".to_owned(),
        account_id: 2,
        account_uuid: text(3),
        user_id: 2,
        user_uuid: text(2),
        api_key: text(0),
        secret: text(1),
    }
}

async fn run(store: &Store, sql: &str) {
    store.db().run(sql, vec![]).await.expect("the rows are changed");
}

async fn count(store: &Store, sql: &str) -> i64 {
    store.db().row(sql, vec![]).await.expect("rows").expect("a count").at(0).expect("a number")
}

/// What `createAccount` needs, for a user of this name.
fn account<'a>(name: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut pairs = vec![
        ("email", "x@example.test"),
        ("firstname", "F"),
        ("lastname", "L"),
        ("password", "pa55 word"),
        ("username", name),
    ];
    pairs.extend(more);
    pairs
}

#[tokio::test]
async fn an_account_is_made_with_a_user_who_can_log_in() {
    for (kind, database) in database::each().await {
        let direct = Direct::start(&database.store).await;
        let admin = admin(&direct).await;
        let eng = domain_uuid(ENG);
        let more = [
            ("accounttype", "2"),
            ("account", "team"),
            ("domainid", eng.as_str()),
            ("timezone", "UTC"),
            ("networkdomain", "lab.example"),
            ("accountdetails[0].color", "blue"),
        ];
        let answer = direct.call(&admin, "createAccount", &account("carl", &more)).await;
        assert_eq!(answer.status, 200, "{kind}: {}", answer.body);
        assert!(!answer.body.contains("pa55"), "{}", answer.body);
        let made = &answer.inside()["account"];
        for (field, value) in [
            ("name", "team"),
            ("roletype", "DomainAdmin"),
            ("rolename", "Domain Admin"),
            ("domainpath", "ROOT/eng"),
            ("vmlimit", "20"),
            ("vmavailable", "20"),
            ("state", "enabled"),
            ("networkdomain", "lab.example"),
            ("apikeyaccess", "INHERIT"),
        ] {
            assert_eq!(made[field], value, "{kind} {field}: {made}");
        }
        assert_eq!(made["accounttype"], 2);
        assert_eq!(made["accountdetails"]["color"], "blue");
        let user = &made["user"][0];
        assert_eq!((user["username"].as_str(), user["timezone"].as_str()), (Some("carl"), Some("UTC")));
        let stored: String = database
            .store
            .db()
            .row("SELECT password FROM user WHERE username = 'carl'", vec![])
            .await
            .expect("users")
            .expect("the user")
            .at(0)
            .expect("a hash");
        assert!(password::matches(&stored, "pa55 word") && !password::matches(&stored, "pa55 Word"));
        let events = database
            .store
            .db()
            .rows("SELECT type, state, level, description, resource_type FROM event ORDER BY id", vec![])
            .await
            .expect("events");
        let told: Vec<[String; 5]> =
            events.iter().map(|row| std::array::from_fn(|at| row.at(at).expect("a text"))).collect();
        let text = |what: &str| format!("Successfully completed creating {what}. Account Name: carl, Domain Id:{ENG}");
        let expected = [
            ["ACCOUNT.CREATE", "Completed", "INFO", &text("Account"), "Account"].map(str::to_owned),
            ["USER.CREATE", "Completed", "INFO", &text("User"), "User"].map(str::to_owned),
        ];
        assert_eq!(told, expected, "{kind}");
    }
}

/// Who calls what with what, and the refusal: status and a part of its text.
type Refused<'a> = (&'a Person, &'a str, Vec<(&'a str, &'a str)>, u16, &'a str);

#[tokio::test]
async fn accounts_and_users_that_cannot_be_are_refused_and_leave_nothing() {
    let database = database::sqlite().await;
    let store = &database.store;
    let direct = Direct::start(store).await;
    let root = admin(&direct).await;
    let chief = direct.person("chief", 2, 3, ENG).await;
    let user = direct.person("plain", 0, 4, ENG).await;
    let (eng, ops) = (domain_uuid(ENG), domain_uuid(OPS));
    let before = count(store, "SELECT COUNT(*) FROM user").await + count(store, "SELECT COUNT(*) FROM account").await;
    let in_eng = |more: &[(&'static str, &'static str)]| {
        let mut pairs = account("x1", &[("accounttype", "0")]);
        pairs.extend(more);
        pairs
    };
    let role = async |id: i64| {
        let row = store.db().row("SELECT uuid FROM roles WHERE id = ?", vec![Value::Int(id)]).await.expect("roles");
        row.expect("the role").at::<String>(0).expect("an id")
    };
    let (root_role, own_role) = (role(1).await, role(3).await);
    let cases: Vec<Refused<'_>> = vec![
        (&root, "createAccount", account("x1", &[]), 431, "Neither account type and role ID are not provided"),
        (&root, "createAccount", account("x1", &[("accounttype", "7")]), 431, "Invalid account type 7 given"),
        (&root, "createAccount", account("x1", &[("accounttype", "5")]), 431, "Invalid account type 5 given"),
        (
            &root,
            "createAccount",
            account("plain", &[("accounttype", "0"), ("domainid", &eng)]),
            431,
            "The user plain already exists in domain Domain {",
        ),
        (
            &root,
            "createAccount",
            account("x1", &[("accounttype", "0"), ("account", "plain"), ("domainid", &eng)]),
            431,
            "The specified account: plain already exists",
        ),
        (
            &root,
            "createAccount",
            account("x1", &[("accounttype", "3")]),
            431,
            "is not associated with any private Zone",
        ),
        (&root, "createAccount", in_eng(&[("networkdomain", "-bad-")]), 431, "Invalid network domain"),
        (&root, "createAccount", in_eng(&[("accountid", "not-one")]), 431, "doesn't follow the UUID format"),
        (
            &root,
            "createAccount",
            account("x1", &[("accounttype", "0"), ("userid", &user.user_uuid)]),
            530,
            "Entity already exists ",
        ),
        (
            &chief,
            "createAccount",
            account("x1", &[("accounttype", "0"), ("domainid", &ops)]),
            531,
            "does not have permission to operate within domain id=",
        ),
        (&chief, "createAccount", account("x1", &[("accounttype", "1")]), 531, "more privileges they have themself"),
        (&chief, "createAccount", account("x1", &[("roleid", &root_role)]), 531, "more privileges they have themself"),
        (
            &root,
            "createUser",
            account("plain", &[("account", "chief"), ("domainid", &eng)]),
            530,
            "The user plain already exists in domain 2",
        ),
        (
            &root,
            "createUser",
            account("x1", &[("account", "nobody"), ("domainid", &eng)]),
            431,
            "Unable to find account nobody in domain Domain {",
        ),
        (&root, "createUser", account("x1", &[("account", "system")]), 531, "is a system account"),
        (&chief, "createUser", account("x1", &[("account", "admin")]), 431, "Unable to find account admin"),
        (&root, "updateUser", vec![("id", &user.user_uuid), ("username", "chief")], 431, "already exists in domain"),
        (&root, "updateUser", vec![("id", &user.user_uuid), ("firstname", " ")], 431, "Firstname cannot be empty."),
        (
            &root,
            "updateUser",
            vec![("id", &user.user_uuid), ("password", " ")],
            431,
            "Password cannot be empty or blank.",
        ),
        (&root, "updateUser", vec![("id", &user.user_uuid), ("userapikey", "k")], 431, "registerUserKeys makes a pair"),
        (
            &root,
            "updateUser",
            vec![("id", &user.user_uuid), ("apikeyaccess", "x")],
            431,
            "ApiKeyAccess value can only be",
        ),
        (
            &user,
            "updateUser",
            vec![("id", &user.user_uuid), ("password", "new")],
            431,
            "the current password must be provided",
        ),
        (
            &user,
            "updateUser",
            vec![("id", &user.user_uuid), ("password", "new"), ("currentpassword", "no")],
            431,
            "Current password is incorrect.",
        ),
        (&user, "updateUser", vec![("id", &user.user_uuid), ("apikeyaccess", "Enabled")], 531, "Only admins"),
        (
            &user,
            "listUsers",
            vec![("id", &chief.user_uuid)],
            531,
            "Calling user is not authorized to see the user requested by id",
        ),
        (&root, "listAccounts", vec![("details", "bogus")], 431, "The allowed values are [all, resource, min]"),
        (&root, "listRoles", vec![("type", "Emperor")], 431, "Invalid role type provided: Emperor"),
        (&root, "enableAccount", vec![], 431, "Unable to find account by accountId: null OR by name: null"),
    ];
    for (who, command, pairs, status, text) in cases {
        let answer = direct.call(who, command, &pairs).await;
        assert_eq!(answer.status, status, "{command} {pairs:?}: {}", answer.body);
        let told = answer.inside()["errortext"].as_str().unwrap_or_default().to_owned();
        assert!(told.contains(text), "{command} {pairs:?}: {told}");
        assert!(!answer.body.contains("pa55"), "{}", answer.body);
    }
    let after = count(store, "SELECT COUNT(*) FROM user").await + count(store, "SELECT COUNT(*) FROM account").await;
    assert_eq!(after, before, "nothing was made");
    assert_eq!(count(store, "SELECT COUNT(*) FROM event WHERE level <> 'ERROR'").await, 0);
    assert_eq!(count(store, "SELECT COUNT(*) FROM event WHERE description LIKE '%pa55%'").await, 0);
    // What an admin of a domain may give is given.
    let good = direct.call(&chief, "createAccount", &account("x1", &[("roleid", &own_role)])).await;
    assert_eq!(good.inside()["account"]["domainpath"], "ROOT/eng", "the caller's domain: {}", good.body);
}

#[tokio::test]
async fn a_password_is_changed_by_who_knows_it() {
    let database = database::sqlite().await;
    let direct = Direct::start(&database.store).await;
    let user = direct.person("plain", 0, 4, ENG).await;
    let stored = async || {
        let sql = "SELECT password FROM user WHERE username = 'plain'";
        database.store.db().row(sql, vec![]).await.unwrap().unwrap().at::<String>(0).unwrap()
    };
    // An old row: the hash of before.
    run(&database.store, "UPDATE user SET password = '5f4dcc3b5aa765d61d8327deb882cf99' WHERE username = 'plain'")
        .await;
    let pairs =
        [("id", user.user_uuid.as_str()), ("password", "n3w"), ("currentpassword", "password"), ("timezone", "CET")];
    let answer = direct.call(&user, "updateUser", &pairs).await;
    assert_eq!(answer.inside()["user"]["timezone"], "CET", "{}", answer.body);
    let now = stored().await;
    assert!(now.ends_with(":100000") && password::matches(&now, "n3w"), "kept in the best form from now on");
    assert!(!answer.body.contains("n3w"));
    assert_eq!(count(&database.store, "SELECT COUNT(*) FROM event WHERE description LIKE '%n3w%'").await, 0);
}

/// Whether a call of a person gets through.
async fn gets_in(direct: &Direct, person: &Person, peer: &str) -> bool {
    let pairs = [("command", "listUsers"), ("response", "json")];
    let answer = direct.call_from(peer, person, &pairs).await;
    assert!(matches!(answer.status, 200 | 401), "{}: {}", answer.status, answer.body);
    answer.status == 200
}

#[tokio::test]
async fn networks_keep_strangers_out() {
    for (kind, database) in database::each().await {
        let store = &database.store;
        let direct = Direct::start(store).await;
        let user = direct.person("plain", 0, 4, ENG).await;
        let other = direct.person("other", 0, 4, ENG).await;
        assert!(gets_in(&direct, &user, "203.0.113.9").await, "{kind}: from everywhere at first");
        let setting = |name: &str, value: &str| {
            format!("REPLACE INTO configuration (instance, name, value) VALUES ('DEFAULT', '{name}', '{value}')")
        };
        run(store, &setting("api.allowed.source.cidr.list", "10.0.0.0/8, ::1")).await;
        for (peer, expected) in
            [("203.0.113.9", false), ("10.1.2.3", true), ("::ffff:10.1.2.3", true), ("::1", true), ("fe80::1", false)]
        {
            assert_eq!(gets_in(&direct, &user, peer).await, expected, "{kind} {peer}");
        }
        let own = "INSERT INTO account_details (account_id, name, value) VALUES (?, 'api.allowed.source.cidr.list', '203.0.113.0/24')";
        store.db().run(own, vec![user.account_id.into()]).await.expect("a setting of the account");
        assert!(gets_in(&direct, &user, "203.0.113.9").await, "{kind}: what is set for the account counts");
        assert!(!gets_in(&direct, &user, "10.1.2.3").await, "{kind}: and it alone");
        assert!(!gets_in(&direct, &other, "203.0.113.9").await, "{kind}: for this account only");
        run(store, "UPDATE account_details SET value = 'nonsense'").await;
        assert!(!gets_in(&direct, &user, "203.0.113.9").await, "{kind}: a typing error opens nothing");
        run(store, &setting("api.source.cidr.checks.enabled", "false")).await;
        assert!(gets_in(&direct, &user, "203.0.113.9").await, "{kind}: no check at all");
    }
}

#[tokio::test]
async fn keys_are_switched_off_for_domain_account_and_user() {
    for (kind, database) in database::each().await {
        let store = &database.store;
        let direct = Direct::start(store).await;
        let root = admin(&direct).await;
        let user = direct.person("plain", 0, 4, ENG).await;
        let beside = direct.person("beside", 0, 4, OPS).await;
        let effective = async || {
            let keys = direct.call(&root, "getUserKeys", &[("id", &user.user_uuid)]).await;
            keys.inside()["userkeys"]["apikeyaccess"].as_bool().expect("a yes or no")
        };
        let at = "127.0.0.1";
        assert!(gets_in(&direct, &user, at).await && effective().await);
        run(
            store,
            &format!("INSERT INTO domain_details (domain_id, name, value) VALUES ({ENG}, 'api.key.access', 'false')"),
        )
        .await;
        assert!(!gets_in(&direct, &user, at).await && !effective().await, "{kind}: the domain says no");
        assert!(gets_in(&direct, &beside, at).await, "{kind}: other domains do not");
        store
            .db()
            .run("UPDATE account SET api_key_access = 1 WHERE id = ?", vec![user.account_id.into()])
            .await
            .unwrap();
        assert!(gets_in(&direct, &user, at).await && effective().await, "{kind}: the account says yes");
        let off = direct.call(&root, "updateUser", &[("id", &user.user_uuid), ("apikeyaccess", "Disabled")]).await;
        assert_eq!(off.inside()["user"]["apikeyaccess"], "DISABLED", "{kind}: {}", off.body);
        assert!(!gets_in(&direct, &user, at).await && !effective().await, "{kind}: the user says no");
        let found = direct.call(&root, "listUsers", &[("listall", "true"), ("apikeyaccess", "Disabled")]).await;
        assert_eq!(found.inside()["count"], 1, "{kind}: {}", found.body);
        direct.call(&root, "updateUser", &[("id", &user.user_uuid), ("apikeyaccess", "Inherit")]).await;
        assert!(gets_in(&direct, &user, at).await, "{kind}: back to what the account says");
    }
}

#[tokio::test]
async fn who_has_no_role_that_is_known_is_let_in_nowhere() {
    const ROLE: i64 = 4;
    let removed = format!("UPDATE roles SET removed = '2026-11-23 18:00:00' WHERE id = {ROLE}");
    let kept = format!("UPDATE roles SET removed = NULL WHERE id = {ROLE}");
    let of_type = |kind: &str| format!("UPDATE roles SET role_type = '{kind}' WHERE id = {ROLE}");
    let in_role = |id: &str| format!("UPDATE account SET role_id = {id} WHERE account_name = 'plain'");
    let changes = [
        (in_role("NULL"), in_role("4")),
        (in_role("4711"), in_role("4")),
        (of_type("Emperor"), of_type("User")),
        (of_type(""), of_type("User")),
        (removed, kept),
    ];
    for (kind, database) in database::each().await {
        let store = &database.store;
        let direct = Direct::start(store).await;
        let user = direct.person("plain", 0, ROLE, ENG).await;
        let rules = store.rules_of_role(ROLE).await.unwrap().len();
        assert!(rules > 0, "{kind}");
        for (change, back) in &changes {
            run(store, change).await;
            // Allowed by a rule, by nothing but its declaration, and not at all: it makes no difference.
            for command in ["listZones", "cloudianIsEnabled", "listHosts"] {
                let answer = direct.call(&user, command, &[]).await;
                let told = format!("{kind} {change} {command}: {}", answer.body);
                assert_eq!(answer.status, 401, "{told}");
                assert!(answer.body.starts_with(&format!("{{\"{}response\":", command.to_lowercase())), "{told}");
                let text = format!("The given command '{command}' either does not exist, is not available for user.");
                let inside = answer.inside();
                assert_eq!((inside["errortext"].as_str(), inside["cserrorcode"].as_i64()), (Some(&*text), Some(9999)));
            }
            let is_removed = change.contains("SET removed");
            assert_eq!(store.rules_of_role(ROLE).await.unwrap().len(), if is_removed { 0 } else { rules }, "{kind}");
            run(store, back).await;
            let again = direct.call(&user, "listZones", &[]).await;
            assert_eq!(again.status, 200, "{kind} {back}: {}", again.body);
        }
    }
}

#[tokio::test]
async fn key_pairs_work_in_their_time_only() {
    for (kind, database) in database::each().await {
        let direct = Direct::start(&database.store).await;
        let user = direct.person("plain", 0, 4, ENG).await;
        let at = |seconds: i64| Timestamp::from_unix(Timestamp::now().unix() + seconds);
        for (starts, ends, expected) in [
            (None, None, true),
            (at(-60), at(3600), true),
            (at(3600), None, false),
            (at(3600), at(7200), false),
            (None, at(-60), false),
            (at(-7200), at(-3600), false),
        ] {
            let (api_key, secret) = direct.key(&user, |key| (key.starts, key.ends) = (starts, ends)).await;
            let person = Person { api_key, secret, ..user.clone() };
            assert_eq!(gets_in(&direct, &person, "127.0.0.1").await, expected, "{kind} {starts:?} {ends:?}");
        }
        let keys = direct.call(&user, "listUserKeys", &[]).await.inside();
        let states: Vec<_> = keys["userapikey"].as_array().unwrap().iter().map(|key| &key["state"]).collect();
        assert_eq!(
            states,
            ["ENABLED", "ENABLED", "ENABLED", "ENABLED", "ENABLED", "EXPIRED", "EXPIRED"],
            "{kind}: with the first one"
        );
    }
}

fn rules(rules: &[(&str, bool)]) -> Vec<(Rule, Option<String>)> {
    rules.iter().map(|(pattern, allow)| (Rule { pattern: (*pattern).to_owned(), allow: *allow }, None)).collect()
}

#[tokio::test]
async fn a_pair_with_rules_does_what_they_say_and_the_role_allows() {
    for (kind, database) in database::each().await {
        let direct = Direct::start(&database.store).await;
        let user = direct.person("plain", 0, 4, ENG).await;
        let list = rules(&[("listVolumes", false), ("list*", true), ("getUserKeys", true), ("migrateVolume", true)]);
        let (api_key, secret) = direct.key(&user, |key| key.rules = list).await;
        let narrow = Person { api_key, secret, ..user.clone() };
        for (command, status) in [
            ("listZones", 200),
            ("listVolumes", 432),
            ("queryAsyncJobResult", 432),
            ("updateUser", 432),
            ("migrateVolume", 432),
            ("listHosts", 432),
        ] {
            let answer = direct.call(&narrow, command, &[]).await;
            assert_eq!(answer.status, status, "{kind} {command}: {}", answer.body);
        }
        let own = direct.call(&narrow, "getUserKeys", &[("id", &user.user_uuid)]).await.inside();
        assert_eq!(own["userkeys"]["secretkey"], narrow.secret.as_str(), "{kind}: the pair that signed");
        let all = direct.call(&narrow, "listUserKeys", &[("showpermissions", "true")]).await;
        assert!(!all.body.contains(&user.secret) && !all.body.contains(&user.api_key), "{kind}: {}", all.body);
        let pairs = all.inside()["userapikey"].as_array().unwrap().clone();
        assert!(pairs[0].get("apikey").is_none() && pairs[1]["apikey"] == narrow.api_key.as_str(), "{kind}");
        assert_eq!(pairs[1]["permissions"][0], serde_json::json!({"rule": "listVolumes", "permission": "deny"}));
        assert!(pairs[0]["permissions"].as_array().unwrap().len() > 10, "{kind}: those of the role");
        let wide = direct.call(&user, "listUserKeys", &[]).await;
        assert!(wide.body.contains(&narrow.secret) && wide.body.contains(&user.secret), "{kind}: {}", wide.body);
        let id = pairs[1]["id"].as_str().unwrap();
        let told = direct.call(&user, "listUserKeyRules", &[("keypairid", id)]).await.inside();
        assert_eq!((told["count"].as_i64(), told["keypermission"][1]["rule"].as_str()), (Some(4), Some("list*")));
    }
}

#[tokio::test]
async fn a_narrow_pair_makes_no_wider_one() {
    let database = database::sqlite().await;
    let direct = Direct::start(&database.store).await;
    let user = direct.person("plain", 0, 4, ENG).await;
    let list = rules(&[("registerUserKeys", true), ("list*", true)]);
    let (api_key, secret) = direct.key(&user, |key| key.rules = list).await;
    let narrow = Person { api_key, secret, ..user.clone() };
    let id = ("id", user.user_uuid.as_str());
    let rule = |rule: &'static str| [id, ("rules[0].rule", rule), ("rules[0].permission", "allow")];
    assert_eq!(direct.call(&narrow, "registerUserKeys", &[id]).await.status, 531);
    assert_eq!(direct.call(&narrow, "registerUserKeys", &rule("*")).await.status, 531);
    assert_eq!(direct.call(&narrow, "registerUserKeys", &rule("updateUser")).await.status, 531);
    assert_eq!(direct.jobs.drafts.lock().unwrap().len(), 0, "nothing was submitted");
    assert_eq!(direct.call(&narrow, "registerUserKeys", &rule("listVolumes")).await.status, 200);
    assert_eq!(direct.call(&user, "registerUserKeys", &[id]).await.status, 200);
    let drafts = direct.jobs.drafts.lock().unwrap();
    assert_eq!(drafts[0].event.description, format!("Registering API keypair for user [{}].", user.user_uuid));
    assert_eq!((drafts[0].event.event_type, drafts[0].event.owner_account_id), ("REGISTER.USER.KEY", user.account_id));
}
