//! What belongs to others: ids that were guessed, and domains whose names look alike.

use stackmotion::api::{CommandSpec, Kind, ParamType, Shape, flatten};
use stackmotion::commands::{Action, COMMANDS};
use stackmotion::model::entity::EntityKind;
use stackmotion::store::Value;

use crate::support::database;
use crate::support::world::World;

/// Stands in everything that a stranger must not read.
const MARK: &str = "for-the-owner-only";
/// Commands whose job refuses what is another's: `an_admin_of_a_domain_does_not_touch_who_stands_above` shows it for each.
const REFUSED_BY_THE_JOB: [&str; 4] = ["disableAccount", "disableUser", "registerUserKeys", "deleteUserKeys"];

fn commands() -> impl Iterator<Item = &'static CommandSpec> {
    let specs = COMMANDS.iter().filter(|entry| !matches!(entry.action, Action::Rim)).map(|entry| entry.spec);
    // Who is told what in an answer without an end is shown by `nodes/stream.rs`.
    specs.filter(|spec| spec.shape != Shape::Streamed)
}

async fn run(world: &World, sql: &str) {
    world.store.db().run(sql, vec![]).await.unwrap();
}

async fn text(world: &World, sql: &str) -> String {
    world.store.db().row(sql, vec![]).await.unwrap().unwrap_or_else(|| panic!("no row: {sql}")).at(0).unwrap()
}

/// Everything that belongs to the administrator is marked. Hosts, pools and system
/// machines belong to nobody: roles decide who is shown them.
async fn marked() -> World {
    let world = World::start().await;
    for sql in [
        "UPDATE volumes SET name = 'for-the-owner-only-' || id WHERE account_id IN (1, 2)",
        "UPDATE vm_instance SET name = 'for-the-owner-only-' || id, display_name = 'for-the-owner-only-' || id, \
         instance_name = 'for-the-owner-only-' || id WHERE account_id IN (1, 2) AND type = 'User'",
    ] {
        run(&world, sql).await;
    }
    let job = "INSERT INTO async_job (uuid, user_id, account_id, job_cmd, job_cmd_info, job_status, job_dispatcher, created, \
               job_result_code, job_process_status, instance_type, related) VALUES \
               ('00000000-0000-4000-8000-00000000000a', 2, 2, 'x.MigrateVolumeCmd', \
               '{\"volumeid\":\"for-the-owner-only\"}', 0, 'ApiAsyncJobDispatcher', '2026-11-23 00:00:00', 0, 0, 'Volume', '')";
    run(&world, job).await;
    let ended = format!(
        "INSERT INTO async_job (uuid, user_id, account_id, job_cmd, job_status, job_dispatcher, created, last_updated, \
         job_result_code, job_process_status, instance_type, related, job_result) VALUES ('{ENDED}', 2, 2, 'x.MigrateVolumeCmd', \
         1, 'ApiAsyncJobDispatcher', '2026-11-23 00:00:00', '2026-11-23 00:00:00', 0, 0, 'Volume', '', \
         'x.VolumeResponse/volume/{{\"name\":\"{MARK}\"}}')"
    );
    run(&world, &ended).await;
    world
}

/// A job of the administrator's that has ended, and whose result is marked.
const ENDED: &str = "00000000-0000-4000-8000-00000000000b";

/// A public id of the administrator's, for a parameter that takes one.
async fn victim(world: &World, kind: Option<EntityKind>) -> Option<String> {
    let sql = match kind {
        Some(EntityKind::Volume) => {
            "SELECT uuid FROM volumes WHERE account_id = 2 AND removed IS NULL AND uuid IS NOT NULL"
        }
        Some(EntityKind::Vm) => "SELECT uuid FROM vm_instance WHERE account_id = 2 AND removed IS NULL",
        Some(EntityKind::Host) => "SELECT uuid FROM host WHERE removed IS NULL AND uuid IS NOT NULL",
        Some(EntityKind::StoragePool) => "SELECT uuid FROM storage_pool WHERE removed IS NULL",
        Some(EntityKind::Account) => "SELECT uuid FROM account WHERE id = 2",
        Some(EntityKind::User) => "SELECT uuid FROM user WHERE id = 2",
        Some(EntityKind::Domain) => "SELECT uuid FROM domain WHERE id = 1",
        Some(EntityKind::AsyncJob) => return Some(ENDED.to_owned()),
        _ => return None,
    };
    Some(text(world, sql).await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guessed_ids_lead_to_nothing_that_belongs_to_others() {
    let world = marked().await;
    let (mut tried, mut jobs) = (0, 0);
    for spec in commands() {
        for param in flatten(spec.params).filter(|param| param.kind == ParamType::Uuid || param.entity.is_some()) {
            let Some(id) = victim(&world, param.entity).await else { continue };
            jobs += usize::from(param.entity == Some(EntityKind::AsyncJob));
            for user in ["alice", "bob", "erin", "mona"] {
                let mut pairs = vec![("command", spec.name), ("response", "json"), (param.name, id.as_str())];
                // What is required besides is one's own or anything; the id that was guessed is what counts.
                for other in flatten(spec.params).filter(|other| other.required && other.name != param.name) {
                    pairs.push((other.name, id.as_str()));
                }
                let answer = world.get(user, &pairs).await;
                tried += 1;
                let told = format!("{user} {} {}: {} {:.400}", spec.name, param.name, answer.status, answer.body);
                assert!(matches!(answer.status, 200 | 430 | 431 | 432 | 530 | 531), "{told}");
                assert!(!answer.body.contains(MARK), "{told}");
                assert!(!answer.header("x-description").unwrap_or_default().contains(MARK), "{told}");
                // Whose role may move things gets a job as well, and `recorded_motions` compares how that refuses.
                let job_refuses = user == "mona" || REFUSED_BY_THE_JOB.contains(&spec.name);
                assert!(
                    spec.kind == Kind::Sync || answer.status != 200 || job_refuses,
                    "a job on what is another's: {told}"
                );
            }
        }
    }
    assert!(tried > 100 && jobs >= 2, "{tried} {jobs}");
    // There is something to be seen, by those who may.
    let own = world.get("admin", &[("command", "queryAsyncJobResult"), ("response", "json"), ("jobid", ENDED)]).await;
    assert!(own.status == 200 && own.body.contains(MARK), "{}", own.body);
    let drafts = world.jobs.drafts.lock().unwrap();
    assert!(drafts.iter().all(|draft| draft.account_id == 10 || REFUSED_BY_THE_JOB.contains(&draft.command)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_of_another_and_an_id_of_nobody_are_told_apart_only_where_cloudstack_does() {
    let world = marked().await;
    let unknown = "00000000-0000-4000-8000-000000000000";
    for (command, kind) in [("listVolumes", EntityKind::Volume), ("listVirtualMachines", EntityKind::Vm)] {
        let id = victim(&world, Some(kind)).await.unwrap();
        let other = world.get("alice", &[("command", command), ("response", "json"), ("id", &id)]).await;
        let nobody = world.get("alice", &[("command", command), ("response", "json"), ("id", unknown)]).await;
        // CloudStack says 531 for one and 431 for the other; both without a word about the thing itself.
        assert!(matches!(other.status, 200 | 531) && nobody.status == 431, "{} {}", other.body, nobody.body);
        assert!(!other.body.contains("\"name\""), "{}", other.body);
    }
}

/// Lists that show an administrator of a domain what is in it and below.
const LISTS_BY_DOMAIN: [&str; 9] = [
    "listAsyncJobs",
    "listAccounts",
    "listUsers",
    "listDomainChildren",
    "listDomains",
    "listProjects",
    "listUserKeys",
    "listTemplates",
    "listDiskOfferings",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_domain_whose_name_has_a_wildcard_sees_no_neighbour() {
    let world = World::start().await;
    for sql in [
        "UPDATE domain SET name = 'a_b', path = '/a_b/' WHERE id = 2",
        "INSERT INTO domain (id, parent, name, uuid, owner, path, level, child_count, next_child_seq, state, type) \
         VALUES (50, 1, 'axb', '00000000-0000-4000-8000-0000000000aa', 2, '/axb/', 1, 0, 1, 'Active', 'Normal')",
        "INSERT INTO domain (id, parent, name, uuid, owner, path, level, child_count, next_child_seq, state, type) \
         VALUES (51, 2, 'below', '00000000-0000-4000-8000-0000000000ab', 2, '/a_b/below/', 2, 0, 1, 'Active', 'Normal')",
        "UPDATE volumes SET domain_id = 50, account_id = 9, name = 'the neighbours' WHERE id = 7",
        "INSERT INTO account (id, uuid, account_name, type, role_id, domain_id, state) \
         VALUES (60, '00000000-0000-4000-8000-0000000000ba', 'the neighbours', 0, 4, 50, 'enabled')",
        "INSERT INTO user (id, uuid, username, password, account_id, firstname, lastname, state, created) \
         VALUES (60, '00000000-0000-4000-8000-0000000000bb', 'the neighbours', '!', 60, 'a', 'b', 'enabled', '2026-11-23 00:00:00')",
        "INSERT INTO api_keypair (id, uuid, name, domain_id, account_id, user_id, api_key, secret_key, created) \
         VALUES (60, '00000000-0000-4000-8000-0000000000bc', 'the neighbours', 50, 60, 60, 'k', 's', '2026-11-23 00:00:00')",
        "INSERT INTO projects (id, uuid, name, display_text, project_account_id, domain_id, state) \
         VALUES (60, '00000000-0000-4000-8000-0000000000bd', 'the neighbours', 'x', 60, 50, 'Active')",
        "UPDATE vm_template SET account_id = 60, name = 'the neighbours', public = 0 WHERE id = 1",
        "INSERT INTO disk_offering_details (offering_id, name, value) SELECT MAX(id), 'domainid', '50' FROM disk_offering \
         WHERE compute_only = 0 AND removed IS NULL",
        "UPDATE disk_offering SET name = 'the neighbours' WHERE id = (SELECT MIN(offering_id) FROM disk_offering_details)",
        "UPDATE volumes SET domain_id = 51, account_id = 9, name = 'the childs' WHERE id = 11",
    ] {
        run(&world, sql).await;
    }
    for (own, neighbour) in [("a_b", "axb"), ("%", "axb"), ("a%", "axb")] {
        run(&world, &format!("UPDATE domain SET path = '/{own}/' WHERE id = 2")).await;
        run(&world, &format!("UPDATE domain SET path = '/{own}/below/' WHERE id = 51")).await;
        run(&world, &format!("UPDATE domain SET path = '/{neighbour}/' WHERE id = 50")).await;
        let pairs = [("command", "listVolumes"), ("listall", "true"), ("response", "json")];
        let answer = world.get("bob", &pairs).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert!(answer.body.contains("the childs"), "{own}: {}", answer.body);
        assert!(!answer.body.contains("the neighbours"), "{own}: {}", answer.body);
        for command in LISTS_BY_DOMAIN {
            let mut pairs = vec![("command", command), ("listall", "true"), ("response", "json")];
            pairs.extend((command == "listTemplates").then_some(("templatefilter", "executable")));
            pairs.extend((command == "listDomainChildren").then_some(("isrecursive", "true")));
            let answer = world.get("bob", &pairs).await;
            assert_eq!(answer.status, 200, "{command}: {}", answer.body);
            assert!(!answer.body.contains("the neighbours"), "{command} of {own}: {}", answer.body);
            assert!(
                !answer.body.contains("00000000-0000-4000-8000-0000000000aa"),
                "{command} of {own}: {}",
                answer.body
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_database_compares_paths_of_domains_alike() {
    for (kind, database) in database::each().await {
        for (path, tree, is_inside) in [
            ("/a_b/", "/a_b/", true),
            ("/a_b/below/", "/a_b/", true),
            ("/axb/", "/a_b/", false),
            ("/x/a_b/", "/a_b/", false),
            ("/%/x/", "/%/", true),
            ("/abc/", "/%/", false),
            ("/a_bc/", "/a_b/", false),
            ("/", "/a_b/", false),
            ("/größe/x/", "/größe/", true),
        ] {
            let sql = "SELECT instr(?, ?) = 1";
            let args = vec![Value::Text(path.to_owned()), Value::Text(tree.to_owned())];
            let row = database.store.db().row(sql, args).await.unwrap().unwrap();
            assert_eq!(row.at::<i64>(0).unwrap() == 1, is_inside, "{kind}: {path} in {tree}");
        }
    }
}

/// Who names a project has to belong to it, whatever is asked for; administrators do, and what is no project is left to the command.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_project_is_named_by_its_members_only() {
    const PROJECT: &str = "00000000-0000-4000-9000-000000000001";
    let world = World::start().await;
    let project = format!(
        "INSERT INTO projects (id, uuid, name, display_text, domain_id, project_account_id, state, created) \
         VALUES (1, '{PROJECT}', 'p', 'p', 1, 501, 'Active', '2026-11-23 00:00:00')"
    );
    run(&world, &project).await;
    for command in ["listVirtualMachines", "listVolumes", "listAsyncJobs"] {
        let call = async |user: &str| {
            world.get(user, &[("command", command), ("projectid", PROJECT), ("response", "json")]).await
        };
        let refused = call("alice").await;
        let text = format!(
            "The API [{command}] does not exist or is not available for this account/user in project [{PROJECT}]."
        );
        assert_eq!(refused.status, 432, "{command}");
        assert_eq!(refused.header("x-description"), Some(text.as_str()), "{command}");
        let body: serde_json::Value = serde_json::from_str(&refused.body).unwrap();
        assert_eq!(body["errorresponse"]["errortext"], text.as_str(), "{command}: {body}");
        assert_ne!(call("admin").await.status, 432, "{command}");
    }
    let unknown = [("command", "listVolumes"), ("projectid", "00000000-0000-4000-9000-00000000dead")];
    assert_eq!(world.get("alice", &unknown).await.status, 431, "the command says that there is no such project");
    let member = "INSERT INTO project_account (account_id, account_role, project_account_id, project_id) \
        SELECT account_id, 'Regular', 501, 1 FROM user WHERE username = 'alice'";
    run(&world, member).await;
    let listed = world.get("alice", &[("command", "listVolumes"), ("projectid", PROJECT)]).await;
    assert_eq!(listed.status, 200, "a member: {}", listed.body);
}
