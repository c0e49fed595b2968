//! The agent as a process of its own: what it prints, and what a kill leaves.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::support::*;
use serde_json::Value;
use stackmotion::agent::image::{Image, ImageError};
use stackmotion::hypervisors::hyperv::wire::encode;

/// A running `stackmotion agent`; killed when dropped.
struct Agent {
    process: Child,
    control: String,
    port: u64,
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn get(url: String) -> Value {
    json(&client().get(url).send().await.unwrap().text().await.unwrap())
}

async fn run(folder: &Path) -> Agent {
    let file = folder.join("world.json");
    fs::write(&file, serde_json::to_string(&spec()).unwrap()).unwrap();
    let mut process = Command::new(env!("CARGO_BIN_EXE_stackmotion"))
        .arg("agent")
        .arg("--world")
        .arg(&file)
        .arg("--data-dir")
        .arg(folder.join("data"))
        .args(["--port", "0", "--control-port", "0"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let lines: Vec<String> = lines.map(Result::unwrap).take(3).collect();
    assert!(lines[0].starts_with("HV1 listens at https://127.0.0.2:"), "{lines:?}");
    assert!(lines[1].starts_with("HV2 listens at https://127.0.0.3:"), "{lines:?}");
    let control = lines[2].strip_prefix("control listens at ").unwrap();
    let control = control.strip_suffix("/sim/world").unwrap().to_owned();
    let world = get(format!("{control}/sim/world")).await;
    Agent { process, port: world["port"].as_u64().unwrap(), control }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_process_leaves_the_source_whole_and_half_a_target() {
    let folder = tempfile::tempdir().unwrap();
    let agent = run(folder.path()).await;
    let rule = r#"{"command":"MigrateVolumeCommand","fault":{"kind":"stall","fraction":0.5}}"#;
    let faults = client().post(format!("{}/sim/faults", agent.control));
    let added = faults.header("content-type", "application/json").body(rule).send().await.unwrap();
    assert_eq!(added.status(), 200);
    let body = encode(&migrate_volume("i-2-1-VM", "root-1", smb(POOL2), "m-1")).unwrap();
    let url = format!("https://{A}:{}/api/HypervResource/com.cloud.agent.api.storage.MigrateVolumeCommand", agent.port);
    let asking = tokio::spawn(client().post(url).header("content-type", "application/json").body(body).send());
    let deadline = std::time::Instant::now() + LONG;
    loop {
        let world = get(format!("{}/sim/world", agent.control)).await;
        let motion = &world["hosts"][0]["motions"][0];
        let (total, done) = (motion["bytesTotal"].as_u64(), motion["bytesDone"].as_u64());
        if total.is_some_and(|total| total > 0 && done >= Some(total / 2)) {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "the copy never came half-way: {motion}");
    }
    drop(agent);
    assert!(asking.await.unwrap().is_err(), "an answer came from a killed process");

    let target = folder.path().join("data/pools/fs1-pool2/root-1.vhdx");
    let whole = match Image::open(&target, false) {
        Ok(image) => image.is_whole().unwrap(),
        Err(ImageError::Damaged { .. }) => false,
        Err(error) => panic!("{error}"),
    };
    assert!(!whole, "the leftover passes for whole");
    // Started again, it knows its VMs, and the guest has lost nothing.
    let world = start(&spec(), &folder.path().join("data")).await;
    assert_eq!(place(&world, "i-2-1-VM", "root-1"), (A.to_owned(), "\\\\fs1\\pool1\\root-1.vhdx".to_owned()));
    assert!(assert_guest_whole(&world, "i-2-1-VM") > 0);
    guest_writes(&world, "i-2-1-VM", 10).await;
    assert_guest_whole(&world, "i-2-1-VM");
    fs::remove_file(target).unwrap();
    let moved = call(&world, A, &migrate_volume("i-2-1-VM", "root-1", smb(POOL2), "m-2")).await;
    assert!(moved.outcome.result, "{:?}", moved.outcome.details);
    assert_tidy(&world);
}
