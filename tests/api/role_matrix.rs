//! Who may call what, and see what: every served command for every default role (`contract/api-protocol.md 9.3`,
//! `contract/entities.md 0.4`), and what is whose in every list.

use std::collections::BTreeSet;

use serde_json::json;
use stackmotion::commands::{Action, COMMANDS};

use super::recorded_roles;
use crate::lists::support::seed;
use crate::support::database;
use crate::support::direct::{Answered, Direct, ENG, LAB, OPS, Person, domain_uuid};

/// The default roles in the order of their ids: name, type of account.
const ROLES: [(&str, i64); 8] = [
    ("root", 1),
    ("resource", 3),
    ("domain", 2),
    ("user", 0),
    ("readonly-admin", 1),
    ("readonly-user", 0),
    ("support-admin", 1),
    ("support-user", 0),
];

/// Who may call what no recorded rule speaks about: resource admins, domain admins and users, in this order. `x` may, and `=`
/// says that a recorded rule decides. The rules of all other roles say something about every command, and commands that are
/// not here are decided by rules altogether.
const DECLARED: &[(&str, &str)] = &[
    ("addCluster", "---"),
    ("addHost", "=--"),
    ("adoptHost", "---"),
    ("archiveAlerts", "---"),
    ("cancelHostMaintenance", "---"),
    ("cancelMigration", "---"),
    ("cancelStorageMaintenance", "---"),
    ("cloudianIsEnabled", "xxx"),
    ("createAccount", "==-"),
    ("createDiskOffering", "==-"),
    ("createPod", "---"),
    ("createServiceOffering", "==-"),
    ("createStoragePool", "---"),
    ("createUser", "==-"),
    ("createZone", "---"),
    ("deleteAlerts", "---"),
    ("deleteCluster", "---"),
    ("deleteHost", "=--"),
    ("deleteStoragePool", "---"),
    ("disableAccount", "==-"),
    ("disableUser", "==-"),
    ("enableAccount", "==-"),
    ("enableStorageMaintenance", "---"),
    ("enableUser", "==-"),
    ("findHostsForMigration", "---"),
    ("findStoragePoolsForMigration", "---"),
    ("getUserKeys", "xxx"),
    ("listAlerts", "=--"),
    ("listCapacity", "=--"),
    ("listClusterDrsPlan", "---"),
    ("listClusters", "=--"),
    ("listClustersMetrics", "---"),
    ("listConfigurations", "-=-"),
    ("listDedicatedClusters", "---"),
    ("listDedicatedHosts", "---"),
    ("listDedicatedPods", "---"),
    ("listDedicatedZones", "---"),
    ("listDomainChildren", "==-"),
    ("listDomains", "==-"),
    ("listDrift", "---"),
    ("listGuiThemes", "xxx"),
    ("listHosts", "=--"),
    ("listHostsMetrics", "---"),
    ("listHSMProfiles", "xxx"),
    ("listHypervisorCapabilities", "---"),
    ("listImageStores", "x--"),
    ("listInfrastructure", "---"),
    ("listManagementServers", "---"),
    ("listManagementServersMetrics", "---"),
    ("listMigrationHistory", "---"),
    ("listMigrationLeftovers", "---"),
    ("listMigrations", "---"),
    ("listNetworkServiceProviders", "x--"),
    ("listOauthProvider", "xxx"),
    ("listPods", "=--"),
    ("listProjectRolePermissions", "xxx"),
    ("listProjectRoles", "xxx"),
    ("listResourceIcon", "xxx"),
    ("listRolePermissions", "---"),
    ("listRoles", "xx-"),
    ("listRouters", "==-"),
    ("listStoragePools", "=--"),
    ("listStoragePoolsMetrics", "---"),
    ("listStorageProviders", "=--"),
    ("listSystemVms", "=--"),
    ("listUserKeys", "xxx"),
    ("listVirtualMachinesMetrics", "xxx"),
    ("listVolumesMetrics", "xxx"),
    ("listZonesMetrics", "---"),
    ("migrateVirtualMachine", "---"),
    ("migrateVirtualMachineWithVolume", "---"),
    ("migrateVolume", "---"),
    ("prepareHostForMaintenance", "---"),
    ("readyForShutdown", "---"),
    ("reconnectHost", "---"),
    ("removeMigrationLeftover", "---"),
    ("resetApiLimit", "---"),
    ("resolveDrift", "---"),
    ("resolveMigration", "---"),
    ("streamEvents", "xxx"),
    ("updateHost", "---"),
    ("updateHypervisorCapabilities", "---"),
    ("updateStoragePool", "---"),
    ("updateZone", "---"),
];

/// What everybody may call, whatever the recorded rules say: the page for logging in asks before anybody is known, and news
/// are an addition of ours, which the default roles have a rule about.
const FOR_ALL: [&str; 3] = ["listGuiThemes", "listOauthProvider", "streamEvents"];

/// Owners by where they stand to the callers below [`ENG`]: another account of the same domain, one in a domain below, one
/// in a domain beside, one in the root domain.
const PEER: usize = 0;
const BELOW: usize = 1;
const BESIDE: usize = 2;
const ABOVE: usize = 3;

/// Callers of all roles and owners of things, each with a machine, a disk, a project and a job.
struct Estate {
    direct: Direct,
    callers: Vec<Person>,
    owners: [Person; 4],
}

impl Estate {
    async fn new(store: &stackmotion::store::Store) -> Self {
        let direct = Direct::start(store).await;
        let mut callers = Vec::new();
        for (role, (name, kind)) in (1..).zip(ROLES) {
            // Accounts of administrators of the whole are in the root domain.
            let domain = if kind == 1 { 1 } else { ENG };
            callers.push(direct.person(&format!("caller-{name}"), kind, role, domain).await);
        }
        let owners = [
            direct.person("zz-peer", 0, 4, ENG).await,
            direct.person("zz-below", 0, 4, LAB).await,
            direct.person("zz-beside", 0, 4, OPS).await,
            direct.person("zz-above", 1, 1, 1).await,
        ];
        for (person, domain) in owners.iter().zip([ENG, LAB, OPS, 1]) {
            things(store, person, domain).await;
        }
        for (person, (_, kind)) in callers.iter().zip(ROLES) {
            things(store, person, if kind == 1 { 1 } else { ENG }).await;
        }
        Self { direct, callers, owners }
    }
}

/// The formats of answers; what is refused in one is refused in the other.
const FORMATS: [&str; 2] = ["json", "xml"];

impl Estate {
    /// A call whose answer is in this format.
    async fn call(&self, format: &str, caller: &Person, command: &str, args: &[(&str, &str)]) -> Answered {
        let pairs: Vec<_> =
            [("command", command), ("response", format)].into_iter().chain(args.iter().copied()).collect();
        self.direct.call_from("127.0.0.1", caller, &pairs).await
    }

    /// The names of the domains that a list shows.
    async fn domains(&self, caller: &Person, command: &str, args: &[(&str, &str)]) -> Vec<String> {
        let inside = self.direct.call(caller, command, args).await.inside();
        let domains = inside["domain"].as_array().cloned().unwrap_or_default();
        domains.iter().map(|domain| domain["name"].as_str().expect("a name").to_owned()).collect()
    }
}

/// Public ids of what belongs to an account.
fn id_of(what: u32, account: i64) -> String {
    format!("00000000-0000-4000-8{what:03}-{account:012}")
}
const VM: u32 = 1;
const VOLUME: u32 = 2;
const JOB: u32 = 3;
const PROJECT: u32 = 4;
const EVENT: u32 = 5;
const TAG: u32 = 6;

async fn things(store: &stackmotion::store::Store, person: &Person, domain: i64) {
    let account = person.account_id;
    let project_account = 1000 + account;
    let rows = json!({
        "vm_instance": [{
            "id": account, "name": format!("{}-vm", person.name), "uuid": id_of(VM, account),
            "instance_name": format!("i-{account}-VM"), "state": "Running", "guest_os_id": 1, "data_center_id": 1,
            "vnc_password": "-", "created": "2026-11-23 18:00:00", "type": "User", "vm_type": "User",
            "account_id": account, "domain_id": domain, "service_offering_id": 1, "hypervisor_type": "Hyperv",
        }],
        "volumes": [{
            "id": account, "name": format!("{}-disk", person.name), "uuid": id_of(VOLUME, account), "account_id": account,
            "domain_id": domain, "data_center_id": 1, "disk_offering_id": 1, "volume_type": "DATADISK", "size": 1,
            "state": "Ready", "created": "2026-11-23 18:00:00",
        }],
        "async_job": [{
            "id": account, "user_id": person.user_id, "account_id": account, "job_cmd": format!("{}.Cmd", person.name),
            "job_status": 0, "job_process_status": 0, "job_result_code": 0, "created": "2026-11-23 18:00:00",
            "uuid": id_of(JOB, account), "related": "", "job_dispatcher": "ApiAsyncJobDispatcher",
        }],
        "account": [{
            "id": project_account, "account_name": format!("PrjAcct-{account}"), "uuid": id_of(9, account), "type": 5,
            "domain_id": domain, "state": "enabled",
        }],
        "event": [{
            "id": account, "uuid": id_of(EVENT, account), "type": "VM.START", "state": "Completed", "level": "INFO",
            "description": format!("{} did it", person.name), "user_id": person.user_id, "account_id": account,
            "domain_id": domain, "created": "2026-11-23 18:00:00",
        }],
        "resource_tags": [{
            "id": account, "uuid": id_of(TAG, account), "key": "of", "value": person.name, "resource_id": account,
            "resource_uuid": id_of(VM, account), "resource_type": "UserVm", "account_id": account, "domain_id": domain,
        }],
        "projects": [{
            "id": account, "name": format!("{}-project", person.name), "uuid": id_of(PROJECT, account),
            "project_account_id": project_account, "domain_id": domain, "state": "Active",
        }],
        "project_account": [{
            "id": account, "account_id": account, "account_role": "Admin", "project_account_id": project_account,
            "project_id": account,
        }],
    });
    seed(store, &rows).await;
}

/// Whether a role sees what belongs to an owner: administrators of the whole everything, those of a domain what is in it or
/// below it, users nothing.
fn sees(role: usize, owner: usize) -> bool {
    match ROLES[role].1 {
        1 => true,
        0 => false,
        _ => owner == PEER || owner == BELOW,
    }
}

/// Everything that somebody calls; what the rim serves itself is called by strangers.
fn all() -> impl Iterator<Item = &'static str> {
    COMMANDS.iter().filter(|entry| !matches!(entry.action, Action::Rim)).map(|entry| entry.spec.name)
}

/// Whether a role may call a command: what the recorded rules say, else what the table says.
fn may(command: &str, role: usize) -> bool {
    if FOR_ALL.contains(&command) {
        return true;
    }
    let decided = recorded_roles::verdict(role as i64 + 1, command);
    decided.unwrap_or_else(|| declared(command).as_bytes()[role - 1] == b'x')
}

/// The row of a command in the table; rules decide everything about those that have none.
fn declared(command: &str) -> &'static str {
    DECLARED.iter().find(|(known, _)| *known == command).map_or("===", |(_, roles)| *roles)
}

#[test]
fn the_table_speaks_where_no_recorded_rule_does() {
    let served: BTreeSet<_> = all().collect();
    for (name, roles) in DECLARED {
        assert!(served.contains(name) && *roles != "===", "{name} needs no row");
        assert!(roles.len() == 3 && DECLARED.iter().filter(|(other, _)| other == name).count() == 1, "{name}");
    }
    for command in served {
        for (role, letter) in (2..).zip(declared(command).chars()) {
            let is_decided = recorded_roles::verdict(role, command).is_some();
            assert_eq!(is_decided, letter == '=', "{command}, role {role}: is there a recorded rule?");
        }
        // The other roles allow or deny everything.
        assert!([1, 5, 6, 7, 8].iter().all(|role| recorded_roles::verdict(*role, command).is_some()), "{command}");
    }
}

#[tokio::test]
async fn commands_are_for_the_roles_of_the_table() {
    let database = database::sqlite().await;
    let estate = Estate::new(&database.store).await;
    for command in all() {
        for (role, caller) in estate.callers.iter().enumerate() {
            for format in FORMATS {
                let pairs = [("command", command), ("response", format)];
                let answer = estate.direct.call_from("127.0.0.1", caller, &pairs).await;
                let text =
                    format!("The API [{command}] does not exist or is not available for the account {}.", caller.name);
                let told = format!("{command} {} {format}: {} {}", ROLES[role].0, answer.status, answer.body);
                if may(command, role) {
                    assert!(!answer.body.contains(&text) && matches!(answer.status, 200 | 431 | 432), "{told}");
                    assert!(answer.status != 432 || command.ends_with("ApiLimit"), "{told}");
                } else {
                    assert!(answer.status == 432 && answer.body.contains(&text), "{told}");
                    let envelope = if format == "json" { r#"{"errorresponse":"# } else { "<errorresponse>" };
                    assert!(answer.body.contains(envelope), "{told}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_wrong_signature_tells_no_more_than_the_role() {
    let database = database::sqlite().await;
    let estate = Estate::new(&database.store).await;
    let mut forged = estate.callers[3].clone();
    forged.secret = "wrong".to_owned();
    for (command, format) in all().flat_map(|command| FORMATS.map(|format| (command, format))) {
        let answer = estate.call(format, &forged, command, &[]).await;
        if ["listGuiThemes", "listOauthProvider"].contains(&command) {
            // The page for logging in asks before anybody is known.
            assert_eq!(answer.status, 200, "{command}: {}", answer.body);
            continue;
        }
        assert_eq!(answer.status, if may(command, 3) { 401 } else { 432 }, "{command}: {}", answer.body);
    }
}

#[tokio::test]
async fn lists_show_nothing_that_is_somebody_elses() {
    for (kind, database) in database::each().await {
        let estate = Estate::new(&database.store).await;
        let lists = [
            "listVirtualMachines",
            "listVolumes",
            "listUsers",
            "listAccounts",
            "listProjects",
            "listUserKeys",
            "listAsyncJobs",
            "listEvents",
            "listTags",
        ];
        for command in lists {
            for (role, caller) in estate.callers.iter().enumerate().filter(|(role, _)| may(command, *role)) {
                for format in FORMATS {
                    for all in ["true", "false"] {
                        let pairs = [("command", command), ("response", format), ("listall", all)];
                        let answer = estate.direct.call_from("127.0.0.1", caller, &pairs).await;
                        let told = format!("{kind} {command} {} listall={all}: {}", ROLES[role].0, answer.body);
                        assert_eq!(answer.status, 200, "{told}");
                        assert!(answer.body.contains(&caller.name), "the own things are shown: {told}");
                        for (owner, person) in estate.owners.iter().enumerate() {
                            let expected = all == "true" && sees(role, owner);
                            assert_eq!(answer.body.contains(&person.name), expected, "{}: {told}", person.name);
                        }
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn domains_beside_the_own_are_not_shown() {
    let database = database::sqlite().await;
    let estate = Estate::new(&database.store).await;
    let names = async |caller: &Person, args: &[(&str, &str)]| estate.domains(caller, "listDomains", args).await;
    for (role, caller) in estate.callers.iter().enumerate().filter(|(role, _)| may("listDomains", *role)) {
        let (plain, all) = (names(caller, &[]).await, names(caller, &[("listall", "true")]).await);
        if ROLES[role].1 == 1 {
            assert_eq!(all, ["ROOT", "eng", "ops", "lab"], "{}", ROLES[role].0);
        } else {
            assert_eq!((plain, all), (vec!["eng".to_owned()], vec!["eng".to_owned(), "lab".to_owned()]));
            let beside = estate.direct.call(caller, "listDomains", &[("id", &domain_uuid(OPS))]).await;
            assert_eq!(beside.status, 531, "{}", beside.body);
        }
    }
}

#[tokio::test]
async fn children_are_shown_of_the_own_domain_and_of_those_below_it() {
    const COMMAND: &str = "listDomainChildren";
    for (kind, database) in database::each().await {
        let estate = Estate::new(&database.store).await;
        // One that is on its way out is not shown.
        let leaving = format!(
            "INSERT INTO domain (id, parent, name, uuid, owner, path, level, state) VALUES \
             (90, {ENG}, 'late', '{}', 2, '/eng/late/', 2, 'Inactive')",
            domain_uuid(90)
        );
        database.store.db().run(&leaving, vec![]).await.expect("a domain");
        let [eng, ops, lab] = [ENG, OPS, LAB].map(domain_uuid);
        let (eng, ops, lab) = (eng.as_str(), ops.as_str(), lab.as_str());
        let all = ("isrecursive", "true");
        for (role, caller) in estate.callers.iter().enumerate().filter(|(role, _)| may(COMMAND, *role)) {
            let shown = async |args: &[(&str, &str)]| estate.domains(caller, COMMAND, args).await;
            let told = format!("{kind} {}", ROLES[role].0);
            assert_eq!(shown(&[("id", eng)]).await, ["lab"], "{told}");
            assert!(shown(&[("id", lab), all]).await.is_empty(), "{told}: the domain itself is not its child");
            if ROLES[role].1 == 1 {
                assert_eq!(shown(&[]).await, ["eng", "ops"], "{told}");
                assert_eq!(shown(&[all]).await, ["eng", "ops", "lab"], "{told}");
                assert_eq!(shown(&[all, ("name", "a")]).await, ["lab"], "{told}");
                assert_eq!(shown(&[all, ("keyword", "p"), ("name", "o")]).await, ["ops"], "{told}");
                let page = [all, ("page", "2"), ("pagesize", "2")];
                assert_eq!(shown(&page).await, ["lab"], "{told}");
                let inside = estate.direct.call(caller, COMMAND, &page).await.inside();
                assert_eq!(inside["count"], 3, "{told}");
                let child = &inside["domain"][0];
                assert_eq!((&child["path"], &child["parentdomainid"]), (&json!("ROOT/eng/lab"), &json!(eng)), "{told}");
                assert!(child.get("vmlimit").is_none(), "{told}: {child}");
            } else {
                assert_eq!((shown(&[]).await, shown(&[all]).await), (vec!["lab".to_owned()], vec!["lab".to_owned()]));
                for command in [COMMAND, "listDomains"] {
                    let beside = estate.direct.call(caller, command, &[("id", ops), all]).await;
                    assert_eq!(beside.status, 531, "{told} {command}: {}", beside.body);
                }
            }
        }
        // A role of somebody's own may let users ask. They are shown nothing below their domain, as by `listDomains`.
        let first = "INSERT INTO role_permissions (uuid, role_id, rule, permission, sort_order) \
            VALUES ('v', 4, 'listDomainChildren', 'ALLOW', 0)";
        for sql in ["UPDATE role_permissions SET sort_order = sort_order + 1 WHERE role_id = 4", first] {
            database.store.db().run(sql, vec![]).await.expect("a rule");
        }
        let user = &estate.callers[3];
        for args in [&[all][..], &[("id", eng), all]] {
            let answer = estate.direct.call(user, COMMAND, args).await;
            assert_eq!((answer.status, answer.inside()), (200, json!({})), "{kind} {args:?}");
        }
    }
}

#[tokio::test]
async fn ids_open_nothing_that_is_somebody_elses() {
    let database = database::sqlite().await;
    let estate = Estate::new(&database.store).await;
    for (role, caller) in estate.callers.iter().enumerate() {
        for (owner, person) in estate.owners.iter().enumerate() {
            let account = person.account_id;
            let asked = [
                ("listVirtualMachines", "id", id_of(VM, account)),
                ("listVolumes", "id", id_of(VOLUME, account)),
                ("listUsers", "id", person.user_uuid.clone()),
                ("listAccounts", "id", person.account_uuid.clone()),
                ("listProjects", "id", id_of(PROJECT, account)),
                ("listEvents", "id", id_of(EVENT, account)),
                ("listTags", "resourceid", id_of(VM, account)),
                ("listUserKeys", "userid", person.user_uuid.clone()),
                ("queryAsyncJobResult", "jobid", id_of(JOB, account)),
            ];
            for (command, name, id) in asked.iter().filter(|(command, _, _)| may(command, role)) {
                for format in FORMATS {
                    let answer = estate.call(format, caller, command, &[(name, id)]).await;
                    let told = format!("{command} {} {}: {}", ROLES[role].0, person.name, answer.body);
                    assert!(matches!(answer.status, 200 | 431 | 531), "{told}");
                    // Jobs are shown to administrators of resources wherever they are (`contract/api-protocol.md 7.6`).
                    let expected = sees(role, owner) || (*command == "queryAsyncJobResult" && role == 1);
                    assert_eq!(answer.body.contains(&person.name), expected, "{told}");
                }
            }
        }
    }
}

#[tokio::test]
async fn secrets_are_for_those_who_stand_above() {
    let database = database::sqlite().await;
    let estate = Estate::new(&database.store).await;
    for (role, caller) in estate.callers.iter().enumerate() {
        for command in ["getUserKeys", "listUserKeys"].into_iter().filter(|command| may(command, role)) {
            let name = if command == "getUserKeys" { "id" } else { "userid" };
            for format in FORMATS {
                let own = estate.call(format, caller, command, &[(name, &caller.user_uuid)]).await;
                assert!(own.body.contains(&caller.secret), "{command} {}: {}", ROLES[role].0, own.body);
                for (owner, person) in estate.owners.iter().enumerate() {
                    let answer = estate.call(format, caller, command, &[(name, &person.user_uuid)]).await;
                    // Who may only look must not get the keys of one who may act.
                    let expected = sees(role, owner) && matches!(role, 0..=2);
                    let told = format!("{command} {} {}: {}", ROLES[role].0, person.name, answer.body);
                    assert_eq!(answer.body.contains(&person.secret), expected, "{told}");
                    assert_eq!(answer.status == 200, sees(role, owner), "{told}");
                }
            }
        }
    }
}

#[tokio::test]
async fn only_those_above_change_others() {
    let database = database::sqlite().await;
    let estate = Estate::new(&database.store).await;
    let first_name = async |person: &Person| {
        let sql = "SELECT firstname FROM user WHERE id = ?";
        let row = database.store.db().row(sql, vec![person.user_id.into()]).await.expect("users").expect("the user");
        row.at::<String>(0).expect("a name")
    };
    let each = estate.callers.iter().enumerate().flat_map(|one| FORMATS.map(|format| (one, format)));
    for ((role, caller), format) in each {
        let mark = format!("by-{}-{format}", ROLES[role].0);
        let own = estate.call(format, caller, "updateUser", &[("id", &caller.user_uuid), ("firstname", &mark)]).await;
        assert_eq!(own.status, if may("updateUser", role) { 200 } else { 432 }, "{}", own.body);
        for (owner, person) in estate.owners.iter().enumerate() {
            let pairs = [("id", person.user_uuid.as_str()), ("firstname", mark.as_str())];
            let answer = estate.call(format, caller, "updateUser", &pairs).await;
            let enabled = estate.call(format, caller, "enableUser", &[("id", &person.user_uuid)]).await;
            let expected = matches!(role, 0..=2) && sees(role, owner);
            let told = format!("{} {}: {} {}", ROLES[role].0, person.name, answer.body, enabled.body);
            assert_eq!(answer.status == 200, expected, "{told}");
            assert_eq!(enabled.status == 200, expected, "{told}");
            assert_eq!(first_name(person).await == mark, expected, "{told}");
        }
    }
    let above = &estate.owners[ABOVE];
    assert_eq!(first_name(above).await, "by-root-xml");
    assert_eq!(first_name(&estate.owners[BESIDE]).await, "by-root-xml");
}
