//! The recorded cases, sent to our gateway and compared. A case counts as soon as its command is served.

use super::sessions::with_sessions;
use crate::support::golden::{Case, cases, differences};
use crate::support::world::{World, seed_events};
use stackmotion::commands;

/// What only another control plane knows is compared field by field in `tests/lists`, by the table in the document.
const ADDRESSES: &str = "addresses and software of machines of another control plane are not read";

/// Cases that differ on purpose, with the reason. `docs/api-compat.md` tells users the same.
pub const ON_PURPOSE: &[(&str, &str)] = &[
    ("missing-command-session", "an empty answer is no answer: the call is refused"),
    ("listApis-migrateVolume-session", "descriptions, parameters and fields are those of this gateway"),
    ("rona-listManagementServers", "figures that nobody measures are left out"),
    ("sam-listManagementServers", "figures that nobody measures are left out"),
    ("listApis-migrateVolume-json", "descriptions, parameters and fields are those of this gateway"),
    ("listApis-migrateVolume-xml", "descriptions, parameters and fields are those of this gateway"),
    ("listApis-listVolumes-json-as-alice", "descriptions, parameters and fields are those of this gateway"),
    ("listCapabilities-json", "no Kubernetes, no extensions: the answer says so"),
    ("rou-listCapabilities", "no Kubernetes: the answer says so"),
    ("suu-listCapabilities", "no Kubernetes: the answer says so"),
    ("listPods-json", "ranges for system machines are not kept: there are none here"),
    ("listDomains-json", "what is left of an unlimited number of backups is unlimited"),
    ("listDomains-xml", "what is left of an unlimited number of backups is unlimited"),
    ("listUserKeys-json", "the users of these tests have one pair each"),
    ("listUserKeys-xml", "the users of these tests have one pair each"),
    ("listConfigurations-page-json", "settings that nobody goes by are not kept"),
    ("listConfigurations-page-xml", "settings that nobody goes by are not kept"),
    ("listManagementServers-json", "figures that nobody measures are left out"),
    ("listManagementServersMetrics-xml", "figures that nobody measures are left out"),
    ("listSystemVms-json", ADDRESSES),
    ("listSystemVms-xml", ADDRESSES),
    ("listRouters-json", ADDRESSES),
    ("listRouters-xml", ADDRESSES),
    ("listTemplates-xml", "where templates lie is not kept"),
    ("listStorageProviders-json", "there is one maker of storage here"),
    ("listStorageProviders-xml", "there is one maker of storage here"),
    ("sign-value-emoji", "our tables hold every letter, so searching for one is no fault of the database"),
    ("sign-tilde-unescaped", "~ left bare in a value is another spelling of the same thing: docs/adr/0008"),
    ("listVolumes-pagesize-minus2", "a size that makes no sense is the caller's mistake, not the database's"),
];

/// Names that nobody serves, and that are refused alike.
const UNKNOWN: [&str; 3] = ["noSuchThing", "listzones", "listguithemes"];

/// Whether the gateway answers a command as CloudStack would: it serves it, or nobody does.
pub fn is_known(command: &str) -> bool {
    commands::find(command).is_some() || UNKNOWN.contains(&command)
}

/// Whether the gateway serves what the case asks for.
fn is_served(case: &Case) -> bool {
    case.exchanges.iter().all(|exchange| exchange.request.command().is_none_or(|command| is_known(&command)))
}

/// Whether the case is sent, and its answers compared.
fn is_replayed(case: &Case) -> bool {
    is_served(case)
        && !case.container_sensitive
        && !ON_PURPOSE.iter().any(|(name, _)| *name == case.name)
        && case.exchanges.iter().all(|exchange| exchange.request.stands_alone())
}

/// The names of the cases of an area that are sent here.
pub fn replayed(area: &str) -> Vec<String> {
    let is_sent = |case: &Case| if area == "jobs" { is_strange(case) } else { is_replayed(case) };
    cases(area).into_iter().filter(is_sent).map(|case| case.name).collect()
}

/// Sends every case of an area that is served; answers how many were sent and what differed.
async fn replay(world: &World, area: &str) -> (usize, Vec<String>) {
    let mut sent = 0;
    let mut failed = Vec::new();
    for case in cases(area).iter().filter(|case| is_replayed(case)) {
        let (case, _) = with_sessions(world, case).await;
        for exchange in &case.exchanges {
            let request = exchange.request.ready().unwrap_or_else(|| panic!("{}: a word is not replaced", case.name));
            let answer = request.send(world.address).await;
            sent += 1;
            let found = differences(&exchange.response, &answer);
            if !found.is_empty() {
                failed.push(format!("{}: {}", case.name, found.join("; ")));
            }
        }
    }
    (sent, failed)
}

/// Accounts that were made after the lists had been recorded.
const LATE_ACCOUNTS: &str = "(11, 12)";

async fn replays_alike(area: &str, at_least: usize) {
    let world = World::start().await;
    seed_events(&world.store).await;
    if area == "lists" {
        for sql in [
            format!("DELETE FROM user WHERE account_id IN {LATE_ACCOUNTS}"),
            format!("DELETE FROM account WHERE id IN {LATE_ACCOUNTS}"),
        ] {
            world.store.db().run(&sql, vec![]).await.unwrap();
        }
    }
    let (sent, failed) = replay(&world, area).await;
    assert!(failed.is_empty(), "{} of {sent} differ:\n{}", failed.len(), failed.join("\n"));
    assert!(sent >= at_least, "only {sent} exchanges of {area} were sent");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recorded_auth_cases() {
    replays_alike("auth", 100).await;
}

/// Whether nobody says who asks. The others of `jobs` need the rows of jobs: `tests/lists` and `tests/motion_golden` play them.
fn is_strange(case: &Case) -> bool {
    case.exchanges.iter().all(|exchange| exchange.request.auth == "none")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_ask_about_jobs() {
    let world = World::start().await;
    let mut sent = 0;
    for case in cases("jobs").iter().filter(|case| is_strange(case)) {
        // Whether there is such a job makes no difference to them.
        let text = serde_json::to_string(case).unwrap().replace("{{job:pending-admin}}", UNHEARD_OF);
        let case: Case = serde_json::from_str(&text).unwrap();
        for exchange in &case.exchanges {
            let request = exchange.request.ready().unwrap_or_else(|| panic!("{}: a word is not replaced", case.name));
            let found = differences(&exchange.response, &request.send(world.address).await);
            assert!(found.is_empty(), "{}: {found:?}", case.name);
            sent += 1;
        }
    }
    assert_eq!(sent, 1);
}

/// The id of no job.
const UNHEARD_OF: &str = "00000000-0000-4000-8000-00000000dead";

/// The recorded signatures that CloudStack refuses and this gateway believes, every one of them, by name.
const BELIEVED_HERE: &[&str] = &["sign-tilde-unescaped"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recorded_signatures_of_other_dialects() {
    let world = World::start().await;
    let mut believed = Vec::new();
    let mut sent = 0;
    let cases = cases("auth");
    for case in cases.iter().filter(|case| is_served(case)) {
        for exchange in &case.exchanges {
            let Some(request) = exchange.request.ready() else { continue };
            sent += 1;
            let answer = request.send(world.address).await;
            if exchange.response.status == 401 && answer.status == 200 {
                believed.push(case.name.as_str());
            }
        }
    }
    assert_eq!(believed, BELIEVED_HERE);
    assert!(sent >= 93, "only {sent} exchanges were sent");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recorded_parameter_cases() {
    replays_alike("params", 140).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recorded_list_cases() {
    replays_alike("lists", 62).await;
}
