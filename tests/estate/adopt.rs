//! Machines that were on a host before the gateway: proven ones get their rows and can be moved, the others are left alone.

use std::process::Command;

use stackmotion::agent::spec::{HostSpec, VmSpec};

use super::bench::{self, Bench, id_of};
use crate::support::database;

const MIB: u64 = 1 << 20;
const SMALL: [(&str, &str); 4] = [("name", "small"), ("cpunumber", "1"), ("cpuspeed", "500"), ("memory", "512")];

/// What became of a machine: outcome, reason.
fn outcome<'a>(answer: &'a serde_json::Value, name: &str) -> (&'a str, &'a str) {
    let all = answer["adoption"].as_array().expect("machines");
    let machine = all.iter().find(|machine| machine["name"] == name).unwrap_or_else(|| panic!("no {name}: {answer}"));
    (machine["outcome"].as_str().expect("an outcome"), machine["reason"].as_str().unwrap_or_default())
}

/// A host with machines of every sort, and one with a stock agent.
async fn stage(net: u8, database: database::Database) -> (Bench, [String; 3]) {
    let ip = format!("127.{net}.0.2");
    let mut spec = bench::world(net);
    let web = VmSpec::new("web", &ip)
        .disk("web-root", "\\\\fs1\\pool1", 16 * MIB, 4 * MIB)
        .disk("web-data", "local", 8 * MIB, 2 * MIB)
        .with_guest();
    let off = VmSpec { running: false, notes: Some("mine".to_owned()), ..VmSpec::new("off", &ip) }.disk(
        "off-root",
        "\\\\fs1\\pool1",
        8 * MIB,
        MIB,
    );
    let far = VmSpec::new("far", &ip).disk("far-root", "\\\\fs1\\pool2", 8 * MIB, MIB);
    let big = VmSpec { cpus: 4, ..VmSpec::new("big", &ip) }.disk("big-root", "\\\\fs1\\pool1", 8 * MIB, MIB);
    let bare = VmSpec::new("bare", &ip);
    let plain = format!("127.{net}.0.9");
    spec.hosts.push(HostSpec { ip: plain.clone(), name: "HV9".to_owned(), plain: true, ..HostSpec::default() });
    let stock = VmSpec::new("stock", &plain).disk("stock-root", "\\\\fs1\\pool1", 8 * MIB, MIB);
    for vm in [web, off, far, big, bare, stock] {
        spec = spec.vm(vm);
    }
    let bench = Bench::start_with(database, &spec, &["agent.ping_interval_s=3600"]).await;
    let place = bench.place(net).await;
    (bench, place)
}

#[tokio::test(flavor = "multi_thread")]
async fn proven_machines_get_their_rows_and_can_be_moved() {
    for (kind, database) in database::each().await {
        let (bench, place) = stage(122, database).await;
        let host = id_of(&bench.host(&place, "127.122.0.2").await.expect("a host"));
        bench.pool(&place, "one", "cifs://fs1/pool1").await.expect("a pool");
        let service = id_of(&bench.done("createServiceOffering", &SMALL).await["serviceoffering"]);
        let disk = [("name", "near"), ("customized", "true"), ("storagetype", "local")];
        let disk = id_of(&bench.done("createDiskOffering", &disk).await["diskoffering"]);
        let rows = "SELECT (SELECT COUNT(*) FROM vm_instance) + (SELECT COUNT(*) FROM volumes) + (SELECT COUNT(*) FROM user_vm)";

        let without = bench.done("adoptHost", &[("id", &host), ("serviceofferingid", &service)]).await;
        assert!(outcome(&without, "web").1.contains("needs a disk offering"), "{kind}: {without}");
        let params = [("id", host.as_str()), ("serviceofferingid", &service), ("diskofferingid", &disk)];
        let dry = bench.done("adoptHost", &params).await;
        assert_eq!(dry["count"], 5, "{kind}: {dry}");
        assert_eq!((outcome(&dry, "web").0, outcome(&dry, "off").0), ("fit", "fit"), "{kind}: {dry}");
        for (name, part) in [
            ("far", "which is not the folder of one pool that the host reaches"),
            ("big", "it has 4 processors and the service offering 1"),
            ("bare", "the host tells of no disk of it"),
        ] {
            let (what, reason) = outcome(&dry, name);
            assert!(what == "refused" && reason.contains(part), "{kind} {name}: {reason}");
        }
        assert_eq!(bench.count(rows).await, 0, "{kind}: nothing is written without apply");

        let named = [&params[..], &[("apply", "true"), ("names", "web,nobody")]].concat();
        let done = bench.done("adoptHost", &named).await;
        assert_eq!(outcome(&done, "web").0, "adopted", "{kind}: {done}");
        assert_eq!(outcome(&done, "nobody"), ("refused", "the host has no machine of this name"));
        assert_eq!(bench.count(rows).await, 4);
        let done = bench.done("adoptHost", &[&params[..], &[("apply", "true")]].concat()).await;
        assert_eq!((outcome(&done, "web").0, outcome(&done, "off").0), ("known", "adopted"), "{kind}: {done}");
        let again = bench.done("adoptHost", &[&params[..], &[("apply", "true")]].concat()).await;
        assert_eq!((outcome(&again, "web").0, outcome(&again, "off").0), ("known", "known"), "{kind}: {again}");
        assert_eq!(bench.count(rows).await, 7, "{kind}: everything once");
        assert_eq!(bench.count("SELECT COUNT(*) FROM event WHERE type = 'VM.IMPORT'").await, 2);
        let used = "SELECT used_capacity FROM op_host_capacity WHERE capacity_type = 0 AND host_id = 1";
        assert_eq!(bench.count(used).await, 512 << 20, "{kind}: the running machine is charged");

        let vms = bench.done("listVirtualMachines", &[("name", "web"), ("listall", "true")]).await;
        let vm = &vms["virtualmachine"][0];
        assert_eq!(
            (vm["state"].as_str(), vm["hostname"].as_str()),
            (Some("Running"), Some("127.122.0.2")),
            "{kind}: {vms}"
        );
        let volumes = bench.done("listVolumes", &[("virtualmachineid", &id_of(vm)), ("listall", "true")]).await;
        let all = volumes["volume"].as_array().expect("volumes");
        let root = all.iter().find(|volume| volume["type"] == "ROOT").expect("a root disk");
        assert_eq!(
            (root["storage"].as_str(), root["size"].as_i64()),
            (Some("one"), Some(16 << 20)),
            "{kind}: {volumes}"
        );

        // What was adopted moves like everything else.
        let pool = id_of(&bench.pool(&place, "two", "cifs://fs1/pool2").await.expect("a pool"));
        let params = [("volumeid", root["id"].as_str().expect("an id")), ("storageid", &pool), ("livemigrate", "true")];
        let answer = bench.done("migrateVolume", &params).await;
        assert_eq!(bench.job(&answer).await.expect("moved")["volume"]["storage"], "two", "{kind}");
        let disks = bench.world.world().oracle().expect("files").disks;
        let file = disks.into_iter().find(|disk| disk.stem == "web-root").and_then(|disk| disk.file).expect("the file");
        assert!(file.display().to_string().contains("pool2"), "{kind}: {}", file.display());
        let proof = bench.world.world().verify("web").expect("a guest");
        assert!(proof.ok, "{kind}: the guest lost writes: {:?}", proof.problems);
        bench.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stock_agent_proves_no_disk() {
    let (bench, place) = stage(123, database::sqlite().await).await;
    let host = id_of(&bench.host(&place, "127.123.0.9").await.expect("a host"));
    bench.pool(&place, "one", "cifs://fs1/pool1").await.expect("a pool");
    let service = id_of(&bench.done("createServiceOffering", &SMALL).await["serviceoffering"]);
    let params = [("id", host.as_str()), ("serviceofferingid", &service), ("apply", "true")];
    let answer = bench.done("adoptHost", &params).await;
    let (what, reason) = outcome(&answer, "stock");
    assert!(what == "refused" && reason.contains("cannot tell which disks"), "{answer}");
    assert_eq!(bench.count("SELECT COUNT(*) FROM vm_instance").await, 0);
    bench.run("UPDATE host SET status = 'Disconnected'").await;
    assert!(bench.refused("adoptHost", &params).await.text.contains("reconnect it first"));
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_shows_first_and_adopts_on_request() {
    let (bench, place) = stage(124, database::sqlite().await).await;
    bench.host(&place, "127.124.0.2").await.expect("a host");
    bench.pool(&place, "one", "cifs://fs1/pool1").await.expect("a pool");
    bench.done("createServiceOffering", &SMALL).await;
    let keys = bench.app.first_key.as_ref().expect("a key of the administrator");
    let url = format!("http://{}/client/api", bench.app.address);
    let adopt = async |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stackmotion"));
        command.args(["adopt", "127.124.0.2", "--service-offering", "small", "--url", &url]);
        command.args(["--api-key", &keys.api_key, "--secret-key", keys.secret_key.expose()]).args(more);
        let output = tokio::task::spawn_blocking(move || command.output()).await.expect("no panic").expect("it runs");
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.code(), text)
    };
    let (code, text) = adopt(&[]).await;
    assert_eq!(code, Some(1), "some are left alone: {text}");
    assert!(text.contains("fit      off (Stopped)\n         VHDX off-root in one, "), "{text}");
    assert!(text.contains("nothing was written"), "{text}");
    assert_eq!(bench.count("SELECT COUNT(*) FROM vm_instance").await, 0);
    let (code, text) = adopt(&["--apply", "--only", "off"]).await;
    assert!(code == Some(0) && text.contains("adopted  off (Stopped) "), "{code:?} {text}");
    let (code, text) = adopt(&["--apply", "--only", "off"]).await;
    assert!(code == Some(0) && text.contains("known    off (Stopped) "), "{code:?} {text}");
    let (code, text) = adopt(&["--disk-offering", "nowhere"]).await;
    assert!(code == Some(2) && text.contains("nowhere"), "{code:?} {text}");
    bench.stop().await;
}
