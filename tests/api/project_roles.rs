//! Roles inside projects: who is let in by them, what is said to who is not, and the lists of them
//! (`contract/api-protocol.md 9.2`).

use serde_json::{Value as Json, json};
use stackmotion::store::Store;

use super::sessions;
use crate::lists::support::seed;
use crate::support::database;
use crate::support::direct::{Answered, Direct, ENG, OPS, Person};
use crate::support::world::World;

/// Two projects: what is asked about, and one beside it.
const PROJECT: i64 = 1;
const BESIDE: i64 = 2;
/// Roles: two of the project, one that was removed, and one of the project beside it.
const READER: i64 = 11;
const STRICT: i64 = 12;
const REMOVED: i64 = 13;
const FOREIGN: i64 = 14;

fn project_uuid(id: i64) -> String {
    format!("00000000-0000-4000-9000-{id:012}")
}

fn role_uuid(id: i64) -> String {
    format!("00000000-0000-4000-9001-{id:012}")
}

fn denial(command: &str) -> String {
    format!("The given command '{command}' either does not exist, is not available for user.")
}

async fn run(store: &Store, sql: &str) {
    let done = store.db().run(sql, vec![]).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    assert!(done.rows > 0, "{sql}");
}

/// The projects, and roles with their rules; those later in their order stand before the earlier ones.
async fn projects(store: &Store) {
    let project = |id: i64| {
        json!({"id": id, "name": format!("p{id}"), "uuid": project_uuid(id), "project_account_id": 500 + id,
               "domain_id": ENG, "state": "Active"})
    };
    let account = |id: i64| {
        json!({"id": 500 + id, "account_name": format!("PrjAcct-{id}"), "uuid": format!("00000000-0000-4000-9002-{id:012}"),
               "type": 5, "domain_id": ENG, "state": "enabled"})
    };
    let role = |id: i64, name: &str, project: i64| json!({"id": id, "uuid": role_uuid(id), "name": name, "project_id": project, "description": format!("about {name}")});
    let mut removed = role(REMOVED, "was", PROJECT);
    removed["removed"] = json!("2026-11-23 18:00:00");
    let rule = |id: i64, role: i64, project: i64, rule: &str, permission: &str, order: i64| {
        json!({"id": id, "uuid": format!("00000000-0000-4000-9003-{id:012}"), "project_id": project,
               "project_role_id": role, "rule": rule, "permission": permission, "sort_order": order})
    };
    let rows = json!({
        "account": [account(PROJECT), account(BESIDE)],
        "projects": [project(PROJECT), project(BESIDE)],
        "project_role": [
            role(READER, "reader", PROJECT), role(STRICT, "strict", PROJECT), removed, role(FOREIGN, "other", BESIDE)
        ],
        "project_role_permissions": [
            rule(1, READER, PROJECT, "*", "DENY", 1),
            rule(2, READER, PROJECT, "listV*", "ALLOW", 0),
            rule(3, STRICT, PROJECT, "LISTVOLUMES", "DENY", 0),
            rule(4, REMOVED, PROJECT, "*", "DENY", 0),
            rule(5, FOREIGN, BESIDE, "*", "DENY", 0),
            rule(6, FOREIGN, PROJECT, "*", "DENY", 0),
        ],
    });
    seed(store, &rows).await;
}

/// What a membership says: which user (none: the whole account), as what, with which role.
async fn join(store: &Store, account: i64, user: Option<i64>, as_what: &str, role: Option<i64>) {
    let row = json!({"account_id": account, "user_id": user, "account_role": as_what, "project_account_id": 500 + PROJECT,
                     "project_id": PROJECT, "project_role_id": role});
    seed(store, &json!({ "project_account": [row] })).await;
}

/// A gateway, projects, and people.
struct Scene {
    direct: Direct,
    kind: &'static str,
}

impl Scene {
    async fn on(kind: &'static str, store: &Store) -> Self {
        let direct = Direct::start(store).await;
        projects(store).await;
        Self { direct, kind }
    }

    /// An ordinary account with one user.
    async fn user(&self, name: &str) -> Person {
        self.direct.person(name, 0, 4, ENG).await
    }

    async fn call(&self, person: &Person, command: &str) -> Answered {
        self.direct.call(person, command, &[("projectid", &project_uuid(PROJECT))]).await
    }

    /// Asserts that these commands are let in or not, as `true` and `false` say.
    async fn expect(&self, person: &Person, expected: &[(&str, bool)]) {
        for (command, is_let_in) in expected {
            let answer = self.call(person, command).await;
            let told = format!("{}, {} {command}: {}", self.kind, person.name, answer.body);
            assert_eq!(answer.status, if *is_let_in { 200 } else { 401 }, "{told}");
            if !is_let_in {
                let inside = answer.inside();
                assert_eq!(inside["errortext"], denial(command), "{told}");
                assert_eq!((&inside["errorcode"], &inside["cserrorcode"]), (&json!(401), &json!(9999)), "{told}");
            }
        }
    }
}

const VOLUMES: &str = "listVolumes";
const MACHINES: &str = "listVirtualMachines";
const JOBS: &str = "listAsyncJobs";

#[tokio::test]
async fn a_role_inside_the_project_decides() {
    for (kind, database) in database::each().await {
        let store = &database.store;
        let scene = Scene::on(kind, store).await;
        let all = [(VOLUMES, true), (MACHINES, true), (JOBS, true)];

        let plain = scene.user("plain").await;
        join(store, plain.account_id, None, "Regular", None).await;
        scene.expect(&plain, &all).await;

        // The first rule in their order decides, not the first in the table, and patterns speak of many commands.
        let reader = scene.user("reader").await;
        join(store, reader.account_id, None, "Regular", Some(READER)).await;
        scene.expect(&reader, &[(VOLUMES, true), (MACHINES, true), (JOBS, false)]).await;

        // Where no rule speaks the call is let in; letters count in any case.
        let strict = scene.user("strict").await;
        join(store, strict.account_id, None, "Regular", Some(STRICT)).await;
        scene.expect(&strict, &[(VOLUMES, false), (MACHINES, true), (JOBS, true)]).await;
        let elsewhere = scene.direct.call(&strict, VOLUMES, &[]).await;
        assert_eq!(elsewhere.status, 200, "outside the project: {}", elsewhere.body);

        for (name, role) in [("removed", REMOVED), ("foreign", FOREIGN)] {
            let person = scene.user(name).await;
            join(store, person.account_id, None, "Regular", Some(role)).await;
            scene.expect(&person, &all).await;
        }

        let project_admin = scene.user("project-admin").await;
        join(store, project_admin.account_id, None, "Admin", Some(READER)).await;
        scene.expect(&project_admin, &all).await;
    }
}

#[tokio::test]
async fn the_users_own_membership_comes_before_that_of_the_account() {
    for (kind, database) in database::each().await {
        let store = &database.store;
        let scene = Scene::on(kind, store).await;
        let one = scene.user("one").await;
        let other = scene.direct.colleague("other", one.account_id).await;
        join(store, one.account_id, None, "Regular", Some(STRICT)).await;
        join(store, one.account_id, Some(other.user_id), "Regular", None).await;
        scene.expect(&one, &[(VOLUMES, false)]).await;
        scene.expect(&other, &[(VOLUMES, true)]).await;

        let sql = format!("UPDATE project_account SET project_role_id = {READER} WHERE user_id = {}", other.user_id);
        run(store, &sql).await;
        scene.expect(&other, &[(VOLUMES, true), (JOBS, false)]).await;
        scene.expect(&one, &[(JOBS, true)]).await;

        // An administrator of the project by account is none where the user has a place of its own.
        run(store, "UPDATE project_account SET account_role = 'Admin' WHERE user_id IS NULL").await;
        scene.expect(&one, &[(VOLUMES, true)]).await;
        scene.expect(&other, &[(JOBS, false)]).await;

        run(store, &format!("DELETE FROM project_account WHERE user_id = {}", other.user_id)).await;
        scene.expect(&other, &[(JOBS, true)]).await;
        run(store, "DELETE FROM project_account WHERE user_id IS NULL").await;
        let stranger = scene.call(&other, VOLUMES).await;
        assert_eq!(stranger.status, 432, "{kind}: {}", stranger.body);
    }
}

#[tokio::test]
async fn administrators_stand_above_and_the_accounts_role_still_decides() {
    let database = database::sqlite().await;
    let store = &database.store;
    let scene = Scene::on("sqlite", store).await;
    for (name, kind, role, domain) in [("root", 1, 1, 1), ("domain", 2, 3, ENG), ("resource", 3, 2, ENG)] {
        let admin = scene.direct.person(name, kind, role, domain).await;
        scene.expect(&admin, &[(VOLUMES, true), (JOBS, true)]).await;
        join(store, admin.account_id, None, "Regular", Some(READER)).await;
        scene.expect(&admin, &[(VOLUMES, true), (JOBS, true)]).await;
    }
    // A role inside a project gives nothing that the account's role does not.
    let user = scene.user("user").await;
    join(store, user.account_id, None, "Regular", Some(READER)).await;
    run(store, "UPDATE project_role_permissions SET rule = '*' WHERE id = 2").await;
    let refused = scene.call(&user, "listHosts").await;
    assert_eq!(refused.status, 432, "{}", refused.body);
    assert!(refused.body.contains("not available for the account user"), "{}", refused.body);
}

#[tokio::test]
async fn what_changes_is_so_for_the_next_call() {
    for (kind, database) in database::each().await {
        let store = &database.store;
        let scene = Scene::on(kind, store).await;
        let member = scene.user("member").await;
        join(store, member.account_id, None, "Regular", Some(STRICT)).await;
        scene.expect(&member, &[(VOLUMES, false)]).await;
        for (sql, is_let_in) in [
            ("UPDATE project_role_permissions SET permission = 'ALLOW' WHERE id = 3", true),
            ("UPDATE project_role_permissions SET permission = 'DENY', rule = '*' WHERE id = 3", false),
            ("UPDATE project_role_permissions SET rule = 'listHosts' WHERE id = 3", true),
            ("UPDATE project_account SET project_role_id = 11", true),
            ("UPDATE project_role_permissions SET sort_order = 2 WHERE id = 2", false),
            ("UPDATE project_role SET removed = '2026-11-23 18:00:00' WHERE id = 11", true),
            ("UPDATE project_role SET removed = NULL WHERE id = 11", false),
            ("DELETE FROM project_role_permissions WHERE project_role_id = 11", true),
        ] {
            run(store, sql).await;
            let answer = scene.call(&member, VOLUMES).await;
            assert_eq!(answer.status, if is_let_in { 200 } else { 401 }, "{kind}: {sql}: {}", answer.body);
        }
        // What somebody else writes is seen within a second.
        let elsewhere = Store::open(&database.url).await.unwrap();
        scene.expect(&member, &[(VOLUMES, true)]).await;
        run(&elsewhere, "UPDATE project_account SET project_role_id = 12").await;
        run(&elsewhere, "UPDATE project_role_permissions SET rule = 'list*' WHERE id = 3").await;
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        scene.expect(&member, &[(VOLUMES, false)]).await;
    }
}

/// CloudStack looks at `projectid` in exactly these letters, and at public ids; its commands understand more.
#[tokio::test]
async fn no_spelling_gets_past_the_question() {
    for (kind, database) in database::each().await {
        let store = &database.store;
        let scene = Scene::on(kind, store).await;
        let member = scene.user("member").await;
        join(store, member.account_id, None, "Regular", Some(STRICT)).await;
        let (uuid, upper) = (project_uuid(PROJECT), project_uuid(PROJECT).to_uppercase());
        for args in [
            vec![("projectid", uuid.as_str())],
            vec![("projectId", uuid.as_str())],
            vec![("PROJECTID", upper.as_str())],
            vec![("projectid", "1")],
            vec![("projectid", "-1"), ("projectId", uuid.as_str())],
            vec![("projectId", uuid.as_str()), ("projectid", "-1")],
        ] {
            let answer = scene.direct.call(&member, VOLUMES, &args).await;
            assert_eq!(answer.status, 401, "{kind}: {args:?}: {}", answer.body);
        }
        let stranger = scene.user("stranger").await;
        let answer = scene.direct.call(&stranger, VOLUMES, &[("projectId", "1")]).await;
        assert_eq!(answer.status, 432, "{kind}: {}", answer.body);
        assert!(answer.body.contains(&format!("in project [{uuid}].")), "{kind}: {}", answer.body);
        for args in [("projectid", "99"), ("projectid", "no id")] {
            let answer = scene.direct.call(&member, VOLUMES, &[args]).await;
            assert_eq!(answer.status, 431, "{kind}: {args:?}: {}", answer.body);
        }

        // All projects together are those that let this call in.
        let beside = json!({"account_id": member.account_id, "account_role": "Regular", "project_account_id": 500 + BESIDE,
                            "project_id": BESIDE});
        seed(store, &json!({ "project_account": [beside] })).await;
        disks(store, &[(501, "strict"), (502, "beside"), (member.account_id, "own")]).await;
        let names = async |person: &Person, command: &str, more: &[(&str, &str)]| {
            let mut args = vec![("projectid", "-1")];
            args.extend(more);
            let mut names = names(&scene.direct.call(person, command, &args).await, "volume", "name");
            names.sort();
            names
        };
        assert_eq!(names(&member, VOLUMES, &[]).await, ["beside"], "{kind}");
        assert_eq!(names(&member, VOLUMES, &[("listall", "true")]).await, ["beside", "own"], "{kind}");
        assert_eq!(
            names(&member, "listVolumesMetrics", &[]).await,
            ["beside", "strict"],
            "{kind}: no rule speaks of it"
        );
        assert_eq!(names(&stranger, VOLUMES, &[]).await, [""; 0], "{kind}");
        // The user's own membership comes before that of the account, and administrators stand above.
        join(store, member.account_id, Some(member.user_id), "Regular", None).await;
        assert_eq!(names(&member, VOLUMES, &[]).await, ["beside", "strict"], "{kind}");
        run(store, &format!("DELETE FROM project_account WHERE user_id = {}", member.user_id)).await;
        assert_eq!(names(&member, VOLUMES, &[]).await, ["beside"], "{kind}");
        run(store, "UPDATE project_account SET account_role = 'Admin'").await;
        assert_eq!(names(&member, VOLUMES, &[]).await, ["beside", "strict"], "{kind}");
        let chief = scene.direct.person("chief", 2, 3, ENG).await;
        join(store, chief.account_id, None, "Regular", Some(STRICT)).await;
        assert_eq!(names(&chief, VOLUMES, &[]).await, ["strict"], "{kind}");
    }
}

/// A disk of each of these accounts, with this name.
async fn disks(store: &Store, owners: &[(i64, &str)]) {
    let disk = |(account, name): &(i64, &str)| {
        json!({"id": account, "name": name, "uuid": format!("00000000-0000-4000-9004-{account:012}"), "account_id": account,
               "domain_id": ENG, "data_center_id": 1, "disk_offering_id": 1, "volume_type": "DATADISK", "size": 1,
               "state": "Ready", "created": "2026-11-23 18:00:00"})
    };
    seed(store, &json!({ "volumes": owners.iter().map(disk).collect::<Vec<_>>() })).await;
}

/// Who is denied has proven who it is: such answers do not slow its address down as wrong credentials do.
#[tokio::test]
async fn a_denial_is_no_guess_at_credentials() {
    let database = database::sqlite().await;
    let scene = Scene::on("sqlite", &database.store).await;
    let member = scene.user("member").await;
    join(&database.store, member.account_id, None, "Regular", Some(STRICT)).await;
    let newcomer = scene.user("newcomer").await;
    for _ in 0..300 {
        assert_eq!(scene.call(&member, VOLUMES).await.status, 401);
    }
    let welcome = scene.direct.call(&newcomer, VOLUMES, &[]).await;
    assert_eq!(welcome.status, 200, "the same address, a key that was not seen before: {}", welcome.body);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_denial_looks_like_the_real_servers() {
    let world = World::start().await;
    let member = world.store.db().row("SELECT account_id FROM user WHERE username = 'alice'", vec![]).await;
    let account: i64 = member.unwrap().unwrap().at(0).unwrap();
    projects(&world.store).await;
    join(&world.store, account, None, "Regular", Some(STRICT)).await;
    let (uuid, text) = (project_uuid(PROJECT), denial(VOLUMES));
    let pairs = |format| [("command", VOLUMES), ("projectid", uuid.as_str()), ("response", format)];

    let answer = world.get("alice", &pairs("json")).await;
    assert_eq!((answer.status, answer.header("x-description")), (401, Some(text.as_str())));
    assert_eq!(answer.header("content-type"), Some("application/json;charset=utf-8"));
    let expected = format!(
        r#"{{"listvolumesresponse":{{"uuidList":[],"errorcode":401,"cserrorcode":9999,"errortext":"{text}"}}}}"#
    );
    assert_eq!(answer.body, expected);

    let answer = world.get("alice", &pairs("xml")).await;
    assert_eq!((answer.status, answer.header("x-description")), (401, Some(text.as_str())));
    assert_eq!(answer.header("content-type"), Some("text/xml;charset=utf-8"));
    assert!(answer.body.contains("<listvolumesresponse cloud-stack-version="), "{}", answer.body);
    assert!(answer.body.contains("<errorcode>401</errorcode><cserrorcode>9999</cserrorcode>"), "{}", answer.body);

    // A job is refused before there is one.
    run(&world.store, "UPDATE project_role_permissions SET rule = '*' WHERE id = 3").await;
    let job = world.get("alice", &[("command", "deleteUserKeys"), ("projectid", &uuid), ("response", "json")]).await;
    assert_eq!(job.status, 401, "{}", job.body);
    assert!(job.body.starts_with(r#"{"deleteuserkeysresponse":"#), "{}", job.body);
    assert!(world.jobs.drafts.lock().unwrap().is_empty());

    // A session goes on.
    let login = sessions::login(&world, "alice").await;
    let denied = sessions::call(&world, &login, &pairs("json")[..2]).await;
    assert_eq!((denied.status, denied.header("x-description")), (401, Some(text.as_str())));
    let listed = sessions::call(&world, &login, &pairs("json")[..1]).await;
    assert_eq!(listed.status, 200, "{}", listed.body);
}

fn names(answer: &Answered, object: &str, field: &str) -> Vec<String> {
    assert_eq!(answer.status, 200, "{}", answer.body);
    let inside = answer.inside();
    let entries = inside[object].as_array().cloned().unwrap_or_default();
    let names: Vec<String> = entries.iter().map(|entry| entry[field].as_str().unwrap().to_owned()).collect();
    assert_eq!(inside["count"].as_u64().unwrap_or_default(), names.len() as u64, "{}", answer.body);
    names
}

#[tokio::test]
async fn roles_and_their_rules_are_listed() {
    for (kind, database) in database::each().await {
        let store = &database.store;
        let scene = Scene::on(kind, store).await;
        let member = scene.user("member").await;
        join(store, member.account_id, None, "Regular", Some(STRICT)).await;
        let root = scene.direct.person("root", 1, 1, 1).await;
        let uuid = project_uuid(PROJECT);
        for person in [&member, &root] {
            let roles = async |args: &[(&str, &str)]| {
                let mut all = vec![("projectid", uuid.as_str())];
                all.extend(args);
                names(&scene.direct.call(person, "listProjectRoles", &all).await, "projectrole", "name")
            };
            assert_eq!(roles(&[]).await, ["reader", "strict"], "{kind}");
            assert_eq!(roles(&[("name", "strict")]).await, ["strict"], "{kind}");
            assert_eq!(roles(&[("keyword", "ead")]).await, ["reader"], "{kind}");
            assert_eq!(roles(&[("projectroleid", &role_uuid(READER)), ("name", "strict")]).await, ["reader"], "{kind}");
            assert_eq!(roles(&[("projectroleid", &role_uuid(FOREIGN))]).await, [""; 0], "{kind}");
            let rules = async |args: &[(&str, &str)]| {
                let mut all = vec![("projectid", uuid.as_str())];
                all.extend(args);
                let answer = scene.direct.call(person, "listProjectRolePermissions", &all).await;
                names(&answer, "projectrolepermission", "rule")
            };
            assert_eq!(rules(&[]).await, ["listV*", "*", "LISTVOLUMES"], "{kind}");
            assert_eq!(rules(&[("projectroleid", &role_uuid(READER))]).await, ["listV*", "*"], "{kind}");
            assert_eq!(rules(&[("projectroleid", &role_uuid(FOREIGN))]).await, [""; 0], "{kind}");
        }
        let entry = |answer: Answered, object: &str| answer.inside()[object][0].to_string();
        let args = [("projectid", uuid.as_str()), ("projectroleid", &role_uuid(STRICT))];
        let role = entry(scene.direct.call(&member, "listProjectRoles", &args).await, "projectrole");
        let id = role_uuid(STRICT);
        assert_eq!(
            role.parse::<Json>().unwrap(),
            json!({"projectid": uuid, "id": id, "name": "strict", "description": "about strict", "ispublic": true})
        );
        let rule =
            entry(scene.direct.call(&member, "listProjectRolePermissions", &args).await, "projectrolepermission");
        assert_eq!(
            rule.parse::<Json>().unwrap(),
            json!({"id": "00000000-0000-4000-9003-000000000003", "projectroleid": id, "projectid": uuid,
                   "projectrolename": "strict", "rule": "LISTVOLUMES", "permission": "deny"})
        );
        // Who is nobody there, and an administrator of another domain, learn nothing.
        let stranger = scene.user("stranger").await;
        let neighbour = scene.direct.person("neighbour", 2, 3, OPS).await;
        for command in ["listProjectRoles", "listProjectRolePermissions"] {
            for (person, status) in [(&stranger, 432), (&neighbour, 531)] {
                let answer = scene.direct.call(person, command, &args).await;
                assert_eq!(answer.status, status, "{kind}, {}: {}", person.name, answer.body);
            }
            let nowhere = scene.direct.call(&root, command, &[("projectid", "-1")]).await;
            assert_eq!(nowhere.status, 431, "{kind}: {}", nowhere.body);
        }
    }
}

#[tokio::test]
async fn list_apis_shows_what_the_project_lets_through() {
    let database = database::sqlite().await;
    let scene = Scene::on("sqlite", &database.store).await;
    let member = scene.user("member").await;
    join(&database.store, member.account_id, None, "Regular", Some(STRICT)).await;
    let uuid = project_uuid(PROJECT);
    let shown = async |person: &Person, args: &[(&str, &str)]| {
        names(&scene.direct.call(person, "listApis", args).await, "api", "name")
    };
    let (outside, inside) = (shown(&member, &[]).await, shown(&member, &[("projectid", &uuid)]).await);
    let gone: Vec<_> = outside.iter().filter(|name| !inside.contains(name)).collect();
    assert_eq!(gone, [VOLUMES]);
    let root = scene.direct.person("root", 1, 1, 1).await;
    assert_eq!(shown(&root, &[("projectid", &uuid)]).await, shown(&root, &[]).await);
}
