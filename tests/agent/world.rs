//! World files, and many moves at once.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;

use super::support::*;
use futures_util::future::join_all;
use stackmotion::agent::faults::{Fault, FaultRule};
use stackmotion::agent::spec::{Addition, VmSpec, WorldSpec};
use stackmotion::agent::{World, WorldError};

/// The block of a language in the documentation.
fn documented(language: &str) -> String {
    let text = include_str!("../../docs/simulated-agent.md");
    let (_, rest) = text.split_once(&format!("```{language}\n")).unwrap();
    rest.split_once("```").unwrap().0.to_owned()
}

#[test]
fn the_documented_world_and_fault_are_understood() {
    let spec: WorldSpec = toml::from_str(&documented("toml")).unwrap();
    assert_eq!(spec.shares[0].unc, "\\\\fs1\\pool1");
    assert_eq!(spec.vms[0].disks[1].pool, "local");
    assert!(spec.hosts[0].strict && !spec.hosts[1].strict && spec.hosts[1].plain);
    assert_eq!(spec.hosts[2].lacks, [Addition::MotionStatus]);
    let again: WorldSpec = serde_json::from_str(&serde_json::to_string(&spec).unwrap()).unwrap();
    assert_eq!(again, spec);
    let rule: FaultRule = serde_json::from_str(&documented("json")).unwrap();
    assert_eq!(rule.fault, Fault::DieAt { fraction: 0.5 });
    assert!(toml::from_str::<WorldSpec>("prot = 1").is_err(), "a misspelt member was accepted");
}

#[test]
fn a_world_that_makes_no_sense_is_refused() {
    let refused = |spec: WorldSpec| {
        let folder = tempfile::tempdir().unwrap();
        let error = World::open(&spec, folder.path()).unwrap_err();
        assert!(matches!(error, WorldError::Spec(_)), "{error}");
    };
    refused(WorldSpec::new().share("fs1/pool"));
    refused(WorldSpec::new().host("192.0.2.1", "HV1"));
    refused(WorldSpec::new().host(A, "HV1").vm(VmSpec::new("vm", B)));
    let twice = VmSpec::new("vm", A);
    refused(WorldSpec::new().host(A, "HV1").vm(twice.clone()).vm(twice));
    let nowhere = VmSpec::new("vm", A).disk("d", "\\\\fs9\\none", MIB, 0);
    refused(WorldSpec::new().host(A, "HV1").vm(nowhere));
    let outside = VmSpec::new("vm", A).disk("../d", "local", MIB, 0);
    refused(WorldSpec::new().host(A, "HV1").vm(outside));
}

#[tokio::test]
async fn a_world_runs_on_one_thread_too_and_ends_when_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let world = start(&spec(), folder.path()).await;
    let port = world.port();
    let moved = call(&world, A, &migrate_volume("i-2-1-VM", "data-1", smb(POOL2), "m")).await;
    assert!(moved.outcome.result);
    drop(world);
    let free = async || std::net::TcpListener::bind((A, port)).is_ok();
    let deadline = std::time::Instant::now() + LONG;
    while !free().await {
        assert!(std::time::Instant::now() < deadline, "the port is still taken");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_moves_at_once_end_with_every_disk_in_one_place() {
    const VMS: usize = 40;
    let folder = tempfile::tempdir().unwrap();
    let mut spec = WorldSpec::new().share(POOL1).share(POOL2).host(A, "HV1").host(B, "HV2");
    for number in 0..VMS {
        let name = format!("i-2-{number}-VM");
        let vm = VmSpec::new(&name, if number.is_multiple_of(2) { A } else { B });
        let vm = vm.disk(&format!("root-{number}"), POOL1, 6 * MIB, 2 * MIB);
        spec = spec.vm(if number.is_multiple_of(4) { vm.with_guest() } else { vm });
    }
    let world = Arc::new(start(&spec, folder.path()).await);
    let moves = (0..VMS * 3).map(|turn| {
        let world = Arc::clone(&world);
        async move {
            let number = turn % VMS;
            let (name, stem) = (format!("i-2-{number}-VM"), format!("root-{number}"));
            let (from, to) = if number.is_multiple_of(2) { (A, B) } else { (B, A) };
            let motion = format!("m-{turn}");
            let outcome = if turn < VMS {
                call(&world, from, &migrate_volume(&name, &stem, smb(POOL2), &motion)).await.outcome
            } else {
                // Twice the same: one of them at most finds the VM at its source.
                let command = migrate_all(&name, to, vec![(&stem, local(to))], &motion);
                call(&world, from, &command).await.outcome
            };
            (name, turn >= VMS, outcome.result)
        }
    });
    let mut moved: BTreeMap<String, usize> = BTreeMap::new();
    for (name, to_host, result) in join_all(moves).await {
        *moved.entry(name).or_default() += usize::from(to_host && result);
    }
    assert_tidy(&world);
    for number in 0..VMS {
        let name = format!("i-2-{number}-VM");
        let times = moved[&name];
        assert!(times <= 1, "{name} left its host {times} times");
        let source = if number.is_multiple_of(2) { A } else { B };
        let (ip, _) = place(&world, &name, &format!("root-{number}"));
        assert_eq!(ip != source, times == 1, "{name} is on {ip}");
        assert!(!world.gate(&name).is_moving());
        if number.is_multiple_of(4) {
            assert_guest_whole(&world, &name);
        }
    }
    // What was saved is what is.
    let saved = fs::read_to_string(folder.path().join("world.json")).unwrap();
    let saved = serde_json::from_str(&saved).unwrap();
    assert_eq!(world.read(Clone::clone), saved);
}
