//! Machines and disks that move, stay because a host refuses, and are not to move at all.

use serde_json::Value as Json;

use super::teller::Teller;
use crate::motion_golden::agent::refusal;

/// A machine that runs, and one that is off.
const RUNNING: &str = "de1fe04e-f4e8-41c2-aee1-b986e4ef102e";
const STOPPED: &str = "8a9c07de-7f0d-41c8-a52e-6bf0b538cc41";
/// Disks: the two of the machine that runs, and one that nobody uses.
const ROOT: &str = "ad73e51b-a49e-42ed-83d7-85845b55f57b";
const DATA: &str = "f448670d-90bd-4b89-bf09-448604ff8ed3";
const UNUSED: &str = "74589b0c-4110-4528-9b34-60b46e8be525";
/// The internal number of the latter.
const UNUSED_NUMBER: &str = "168";

async fn place_of(teller: &mut Teller, volume: &str) -> Json {
    let volumes = teller.ask("admin", &[("command", "listVolumes"), ("listall", "true"), ("id", volume)]).await;
    volumes["volume"][0]["storageid"].clone()
}

async fn host_of(teller: &mut Teller, machine: &str) -> Json {
    let call = [("command", "listVirtualMachines"), ("listall", "true"), ("id", machine)];
    teller.ask("admin", &call).await["virtualmachine"][0]["hostid"].clone()
}

pub async fn tell(teller: &mut Teller) {
    a_disk_of_a_running_machine(teller).await;
    an_unused_disk(teller).await;
    a_running_machine(teller).await;
    a_running_machine_with_its_disks(teller).await;
    a_stopped_machine(teller).await;
    what_is_refused(teller).await;
    what_is_remembered(teller).await;
}

/// Of every motion where it began, where it was to end, and where everything was found.
async fn what_is_remembered(teller: &mut Teller) {
    let migrations = |more: &[(&'static str, &'static str)]| [&[("command", "listMigrations")], more].concat();
    let all = teller.ask("admin", &migrations(&[])).await;
    assert_eq!(all["count"], 7, "{all}");
    let failed = teller.ask("admin", &migrations(&[("outcome", "not-done")])).await;
    assert_eq!(failed["count"], 2, "{failed}");
    let reasons: Vec<_> = failed["migration"].as_array().expect("two").iter().map(|one| &one["reason"]).collect();
    assert_eq!(reasons, ["the host is full", "the disk is busy"], "the last comes first");
    let of_disk = teller.ask("admin", &migrations(&[("volumeid", UNUSED), ("isover", "true")])).await;
    let disk = &of_disk["migration"][0]["disk"][0];
    assert_eq!((&of_disk["count"], &disk["volumeid"]), (&Json::from(1), &Json::from(UNUSED)), "{of_disk}");
    assert_eq!(disk["foundstorageid"], disk["storageid"], "{of_disk}");
    let running = teller.ask("admin", &migrations(&[("isover", "false")])).await;
    assert_eq!(running, serde_json::json!({}), "nothing goes on");
    let of_vm = teller.ask("admin", &migrations(&[("virtualmachineid", STOPPED), ("kind", "cold-volume")])).await;
    assert_eq!(of_vm["count"], 1, "{of_vm}");
}

async fn a_disk_of_a_running_machine(teller: &mut Teller) {
    let target = "cd4f936d-dc6c-3f36-b597-1341e5a41f2b";
    let call = [("command", "migrateVolume"), ("volumeid", DATA), ("storageid", target), ("livemigrate", "true")];
    let before = place_of(teller, DATA).await;
    let end = teller.job("admin", &call, refusal("the disk is busy")).await;
    assert_eq!(end["jobstatus"], 2, "{end}");
    assert_eq!(place_of(teller, DATA).await, before, "it stays where the host left it");
    let end = teller.job("admin", &call, Ok(())).await;
    assert_eq!(end["jobstatus"], 1, "{end}");
    assert_eq!(place_of(teller, DATA).await, target);
}

async fn an_unused_disk(teller: &mut Teller) {
    let target = "8f855ff1-bc9b-3ce1-944b-e85882e7b75b";
    let call = [("command", "migrateVolume"), ("volumeid", UNUSED), ("storageid", target)];
    let end = teller.job("admin", &call, Ok(())).await;
    assert_eq!(end["jobstatus"], 1, "{end}");
    assert_eq!(place_of(teller, UNUSED).await, target, "the copy has the id of what it was made from");
    // As one who has looked its number up just before the end, and asks for what has it just after.
    let volumes = teller.ask("admin", &[("command", "listVolumes"), ("listall", "true"), ("id", UNUSED_NUMBER)]).await;
    assert_eq!((&volumes["count"], &volumes["volume"][0]["id"]), (&Json::from(1), &Json::from(UNUSED)), "{volumes}");
}

async fn a_running_machine(teller: &mut Teller) {
    let target = "2772e184-59d0-42c2-a9b1-66a6d9d84406";
    let call = [("command", "migrateVirtualMachine"), ("virtualmachineid", RUNNING), ("hostid", target)];
    let before = host_of(teller, RUNNING).await;
    let end = teller.job("admin", &call, refusal("the host is full")).await;
    assert_eq!(end["jobstatus"], 2, "{end}");
    assert_eq!(host_of(teller, RUNNING).await, before);
    let end = teller.job("admin", &call, Ok(())).await;
    assert_eq!(end["jobstatus"], 1, "{end}");
    assert_eq!(host_of(teller, RUNNING).await, target);
}

async fn a_running_machine_with_its_disks(teller: &mut Teller) {
    let host = "842fefc9-008f-48f5-bc67-53b60f148e1c";
    let pools = ["42fe8163-9b62-33bc-8fba-022ce7967d6d", "27eabb32-85eb-37d2-8d3c-7c5f3567fb01"];
    let call = [
        ("command", "migrateVirtualMachineWithVolume"),
        ("virtualmachineid", RUNNING),
        ("hostid", host),
        ("migrateto[0].volume", ROOT),
        ("migrateto[0].pool", pools[0]),
        ("migrateto[1].volume", DATA),
        ("migrateto[1].pool", pools[1]),
    ];
    let end = teller.job("admin", &call, Ok(())).await;
    assert_eq!(end["jobstatus"], 1, "{end}");
    assert_eq!(host_of(teller, RUNNING).await, host);
    assert_eq!([place_of(teller, ROOT).await, place_of(teller, DATA).await], pools);
}

async fn a_stopped_machine(teller: &mut Teller) {
    let target = "8f855ff1-bc9b-3ce1-944b-e85882e7b75b";
    let call = [("command", "migrateVirtualMachine"), ("virtualmachineid", STOPPED), ("storageid", target)];
    let end = teller.job("admin", &call, Ok(())).await;
    assert_eq!(end["jobstatus"], 1, "{end}");
}

async fn what_is_refused(teller: &mut Teller) {
    let call = [("command", "migrateVolume"), ("volumeid", DATA), ("storageid", "no-such-pool")];
    let refused = teller.ask("admin", &call).await;
    assert_eq!(refused["errorcode"], 431, "{refused}");
    let call = [("command", "migrateVirtualMachine"), ("virtualmachineid", RUNNING)];
    teller.ask("admin", &call).await;
    let call = [("command", "migrateVirtualMachine"), ("virtualmachineid", RUNNING), ("hostid", RUNNING)];
    teller.ask("alice", &call).await;
}
