//! The recorded cases, sent to our gateway and compared. A case counts as soon as its command is served.

use crate::support::golden::{Case, cases, differences};
use crate::support::world::{World, seed_events};
use stackmotion::commands;

/// What only another control plane knows is compared field by field in `tests/lists`, by the table in the document.
const ADDRESSES: &str = "addresses and software of machines of another control plane are not read";

/// Cases that differ on purpose, with the reason. `docs/api-compat.md` tells users the same.
const ON_PURPOSE: &[(&str, &str)] = &[
    ("listApis-migrateVolume-json", "descriptions, parameters and fields are those of this gateway"),
    ("listApis-migrateVolume-xml", "descriptions, parameters and fields are those of this gateway"),
    ("listApis-listVolumes-json-as-alice", "descriptions, parameters and fields are those of this gateway"),
    ("listCapabilities-json", "no Kubernetes, no extensions: the answer says so"),
    ("rou-listCapabilities", "no Kubernetes: the answer says so"),
    ("suu-listCapabilities", "no Kubernetes: the answer says so"),
    ("listPods-json", "ranges for system machines are not kept: there are none here"),
    ("listPods-xml", "ranges for system machines are not kept: there are none here"),
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

/// Whether the gateway serves what the case asks for. Names that nobody serves count as well: they are refused alike.
fn is_served(case: &Case) -> bool {
    case.exchanges.iter().all(|exchange| match exchange.request.command() {
        Some(command) => commands::find(&command).is_some() || ["noSuchThing", "listzones"].contains(&command.as_str()),
        None => true,
    })
}

/// Sends every case of an area that is served; answers how many were sent and what differed.
async fn replay(world: &World, area: &str) -> (usize, Vec<String>) {
    let mut sent = 0;
    let mut failed = Vec::new();
    for case in cases(area).iter().filter(|case| is_served(case) && !case.container_sensitive) {
        if ON_PURPOSE.iter().any(|(name, _)| *name == case.name) {
            continue;
        }
        for exchange in &case.exchanges {
            let Some(request) = exchange.request.ready() else { continue };
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
    replays_alike("auth", 97).await;
}

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
