//! Large lists: what is remembered of them is never told wrongly, and what is printed while it is read is what would have
//! been printed at once.

use std::time::{Duration, Instant};

use stackmotion::api::{Envelope, Format, Reply};
use stackmotion::args;
use stackmotion::bench::estate::{Size, seed};
use stackmotion::commands::Policy;
use stackmotion::store::{Store, Value, VirtualMachineFilter, VolumeFilter, Window};

use super::support::reply;
use crate::support::raw_http::{RawRequest, escape_pairs, send_and_hang_up};
use crate::support::world::{World, signed};

/// How long foreign changes are waited for.
const PATIENCE: Duration = Duration::from_secs(30);

fn page(offset: i64, limit: i64) -> Window {
    Window { offset, limit: Some(limit), count_only: false }
}

async fn machines(store: &Store, state: Option<&str>) -> i64 {
    let filter = VirtualMachineFilter { state: state.map(str::to_owned), ..VirtualMachineFilter::default() };
    let (count, ids) = store.virtual_machines_page(&filter, page(0, 10)).await.unwrap();
    let only = Window { count_only: true, ..Window::default() };
    assert_eq!(store.virtual_machines_page(&filter, only).await.unwrap(), (count, vec![]));
    assert_eq!(ids.len(), 10);
    count
}

async fn estate(url: &str, size: &Size) -> Store {
    let store = Store::open(url).await.unwrap();
    store.bootstrap().await.unwrap();
    seed(&store, size).await.unwrap();
    store
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counts_know_own_changes_at_once_and_foreign_ones_soon() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/t.db", folder.path().display());
    let store = estate(&url, &Size::of(300)).await;
    let foreign = Store::open(&url).await.unwrap();
    let all = [None, Some("Stopped"), Some("Running"), Some("Present")];
    let mut expected = [300, 30, 270, 300];
    for round in 0..20_i64 {
        for (state, expected) in all.into_iter().zip(expected) {
            assert_eq!(machines(&store, state).await, expected, "{state:?} in round {round}");
        }
        let id = 1 + round * 3;
        let was_stopped = id % 10 == 0;
        match round % 3 {
            // One is stopped, or was already.
            0 => {
                store.db().run("UPDATE vm_instance SET state = 'Stopped' WHERE id = ?", args![id]).await.unwrap();
                if !was_stopped {
                    expected[1] += 1;
                    expected[2] -= 1;
                }
            }
            // One is removed in a transaction, and one that is rolled back removes nothing.
            1 => {
                let sql = "UPDATE vm_instance SET removed = ? WHERE id = ?";
                let mut tx = store.begin().await.unwrap();
                tx.run(sql, args!["2026-01-01 00:00:00", 300]).await.unwrap();
                tx.roll_back().await;
                let mut tx = store.begin().await.unwrap();
                tx.run(sql, args!["2026-01-01 00:00:00", id]).await.unwrap();
                tx.commit().await.unwrap();
                expected[0] -= 1;
                expected[3] -= 1;
                expected[if was_stopped { 1 } else { 2 }] -= 1;
            }
            // One is gone altogether.
            _ => {
                store.db().run("DELETE FROM vm_instance WHERE id = ?", args![id]).await.unwrap();
                expected[0] -= 1;
                expected[3] -= 1;
                expected[if was_stopped { 1 } else { 2 }] -= 1;
            }
        }
    }
    let before = machines(&store, None).await;
    // Asked once each time: a change may be seen between two questions.
    let filter = VirtualMachineFilter::default();
    let count = async || store.virtual_machines_page(&filter, page(0, 10)).await.unwrap().0;
    foreign.db().run("DELETE FROM vm_instance WHERE id = ?", args![299]).await.unwrap();
    let begun = Instant::now();
    while count().await != before - 1 {
        assert!(begun.elapsed() < PATIENCE, "a foreign change is never seen");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Ids as the database itself orders them.
async fn ordered(store: &Store, table: &str, order: &str) -> Vec<i64> {
    let sql = format!("SELECT id FROM {table} WHERE removed IS NULL ORDER BY {order}");
    store.db().rows(&sql, vec![]).await.unwrap().iter().map(|row| row.at(0).unwrap()).collect()
}

async fn assert_pages(store: &Store, step: i64, from_behind: bool) {
    let machines = ordered(store, "vm_instance", "id").await;
    let volumes = ordered(store, "volumes", "created DESC, id DESC").await;
    let last = i64::try_from(volumes.len()).unwrap() / step + 1;
    for number in 0..=last {
        let number = if from_behind { last - number } else { number };
        let window = page(number * step, step);
        let cut = |ids: &[i64]| -> Vec<i64> {
            ids.iter()
                .skip(usize::try_from(window.offset).unwrap())
                .take(usize::try_from(step).unwrap())
                .copied()
                .collect()
        };
        let found = store.virtual_machines_page(&VirtualMachineFilter::default(), window).await.unwrap();
        assert_eq!(found, (i64::try_from(machines.len()).unwrap(), cut(&machines)), "machines {window:?}");
        let (count, ids) = store.volumes_page(&VolumeFilter::default(), window).await.unwrap();
        let mut expected = cut(&volumes);
        expected.sort_unstable();
        assert_eq!((count, ids), (i64::try_from(volumes.len()).unwrap(), expected), "volumes {window:?}");
    }
}

#[tokio::test]
async fn deep_pages_are_those_that_walking_there_finds() {
    // Volumes of one thousand have one time, so that the order by time leaves much to the id.
    let store = estate("sqlite::memory:", &Size { vms: 3_000, ..Size::of(3_300) }).await;
    assert_pages(&store, 170, false).await;
    assert_pages(&store, 170, true).await;
    // What shifts all places behind it.
    store.db().run("DELETE FROM volumes WHERE id IN (3290, 2000, 7)", vec![]).await.unwrap();
    store
        .db()
        .run("UPDATE vm_instance SET removed = ? WHERE id IN (1, 1500)", args!["2026-01-01 00:00:00"])
        .await
        .unwrap();
    assert_pages(&store, 170, true).await;
    // Volumes without a time come last.
    store.db().run("UPDATE volumes SET created = NULL WHERE id % 5 = 0", vec![]).await.unwrap();
    assert_pages(&store, 333, false).await;
    store.db().run("UPDATE volumes SET created = ? WHERE id % 7 = 0", args!["2020-01-01 00:00:00"]).await.unwrap();
    assert_pages(&store, 333, true).await;
}

/// A gateway with more machines, disks and hosts than an answer holds.
async fn world() -> World {
    let world = World::start().await;
    let row = |sql| world.store.db().row(sql, vec![]);
    let admin: i64 = row("SELECT account_id FROM user WHERE username = 'admin'").await.unwrap().unwrap().at(0).unwrap();
    let zone: i64 = row("SELECT MIN(id) FROM data_center").await.unwrap().unwrap().at(0).unwrap();
    let made = Value::from("2026-01-01 00:00:00");
    let text = |text: &str| Value::from(text);
    let mut tx = world.store.begin().await.unwrap();
    for number in 0..1_100_i64 {
        let id = Value::from(100_000 + number);
        let name = Value::from(format!("<&\"'{number}\\"));
        let uuid = |kind: &str| Value::from(format!("{kind}-0000-4000-8000-{number:012}"));
        let common = |kind| {
            vec![
                ("id", id.clone()),
                ("uuid", uuid(kind)),
                ("name", name.clone()),
                ("data_center_id", zone.into()),
                ("created", made.clone()),
            ]
        };
        let owned = [("account_id", Value::from(admin)), ("domain_id", 1_i64.into())];
        let mut machine = common("00000001");
        machine.extend(owned.clone());
        machine.extend([
            ("instance_name", text("i")),
            ("state", text("Running")),
            ("guest_os_id", 1_i64.into()),
            ("vnc_password", text("")),
            ("type", text("User")),
            ("vm_type", text("User")),
            ("service_offering_id", 1_i64.into()),
        ]);
        tx.row_insert("vm_instance", machine).await.unwrap();
        let mut volume = common("00000002");
        volume.extend(owned);
        let more = [
            ("size", 1_i64.into()),
            ("volume_type", text("ROOT")),
            ("disk_offering_id", 1_i64.into()),
            ("state", text("Ready")),
        ];
        volume.extend(more);
        tx.row_insert("volumes", volume).await.unwrap();
        let mut host = common("00000003");
        host.extend([
            ("status", text("Up")),
            ("type", text("Routing")),
            ("private_ip_address", text("127.0.0.1")),
            ("version", text("1")),
            ("dom0_memory", 0_i64.into()),
            ("last_ping", 0_i64.into()),
        ]);
        tx.row_insert("host", host).await.unwrap();
    }
    tx.commit().await.unwrap();
    world
}

/// The same list as it is printed at once.
async fn at_once(world: &World, command: &str, args: &[(&str, &str)], format: Format) -> String {
    let Reply::Long(list) = reply(&world.store, "admin", command, args).await else {
        panic!("{command} is held whole")
    };
    let mut items = Vec::new();
    for part in list.parts {
        items.extend(part.await.unwrap());
    }
    assert_eq!(list.count, i64::try_from(items.len()).unwrap(), "{command}");
    assert!(list.count >= 1_100, "{command}: {}", list.count);
    let policy = Policy::default();
    let name = format!("{}response", command.to_lowercase());
    let envelope = Envelope { name: &name, format, version: Some(&policy.cloudstack_version) };
    String::from_utf8(envelope.reply(&Reply::List { object: list.object, count: list.count, items }).into()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_answer_is_the_one_that_would_have_been_held() {
    let world = world().await;
    for (command, args) in [
        ("listVirtualMachines", &[("listall", "true"), ("pagesize", "-1")][..]),
        ("listVolumes", &[("listall", "true"), ("pagesize", "-1")]),
        ("listHosts", &[("pagesize", "-1")]),
    ] {
        for (word, format) in [("json", Format::Json), ("xml", Format::Xml)] {
            let expected = at_once(&world, command, args, format).await;
            let mut pairs = vec![("command", command), ("response", word)];
            pairs.extend(args);
            let answer = world.get("admin", &pairs).await;
            assert_eq!(answer.status, 200, "{}", answer.body);
            assert!(answer.whole_body() == expected, "{command} {word} is not what would have been held");
            // The headers are those of a short answer, but for the length.
            let mut short = pairs.clone();
            short.retain(|(name, _)| *name != "pagesize");
            short.extend([("pagesize", "1"), ("page", "1")]);
            let short = world.get("admin", &short).await;
            let names = |answer: &crate::support::raw_http::RawResponse| -> Vec<(String, String)> {
                let mut all = answer.headers.clone();
                all.retain(|(name, _)| {
                    !["content-length", "transfer-encoding", "x-request-id", "date"].contains(&&*name.to_lowercase())
                });
                all.sort();
                all
            };
            assert_eq!(names(&answer), names(&short), "{command} {word}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_answer_is_packed_where_its_client_unpacks() {
    let world = world().await;
    let args = [("listall", "true"), ("pagesize", "-1")];
    let expected = at_once(&world, "listVolumes", &args, Format::Json).await;
    let mut pairs = vec![("command", "listVolumes"), ("response", "json")];
    pairs.extend(args);
    let target = format!("/client/api?{}", escape_pairs(&signed("admin", &pairs)));
    let head = format!("GET {target} HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n");
    let bytes = send_and_hang_up(world.address, head.as_bytes()).await;
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
    assert!(head.contains("content-encoding: gzip") && head.contains("transfer-encoding: chunked"), "{head}");
    let (mut packed, mut rest) = (Vec::new(), &bytes[end + 4..]);
    loop {
        let line = rest.windows(2).position(|window| window == b"\r\n").expect("the size of a piece");
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..line]).unwrap(), 16).unwrap();
        if size == 0 {
            break;
        }
        packed.extend_from_slice(&rest[line + 2..line + 2 + size]);
        rest = &rest[line + 4 + size..];
    }
    let mut unpacked = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&packed[..]), &mut unpacked).unwrap();
    assert!(unpacked == expected, "what was unpacked is another answer");
}

/// Makes a machine's row one that cannot be read.
async fn spoil(world: &World, id: i64) {
    world.store.db().run("UPDATE vm_instance SET display_vm = 'nonsense' WHERE id = ?", args![id]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_answer_that_breaks_off_does_not_look_whole() {
    let world = world().await;
    spoil(&world, 100_900).await;
    for (word, end) in [("json", "]}}"), ("xml", "</listvirtualmachinesresponse>")] {
        let pairs = [("command", "listVirtualMachines"), ("response", word), ("listall", "true"), ("pagesize", "-1")];
        let target = format!("/client/api?{}", escape_pairs(&signed("admin", &pairs)));
        for more in ["", "Accept-Encoding: gzip\r\n"] {
            let head = format!("GET {target} HTTP/1.1\r\nHost: a\r\n{more}\r\n");
            let bytes = send_and_hang_up(world.address, head.as_bytes()).await;
            let text = String::from_utf8_lossy(&bytes);
            assert!(text.starts_with("HTTP/1.1 200"), "{text}");
            assert!(
                !more.is_empty() || text.contains("00000001-0000-4000-8000-000000000300"),
                "its beginning is there"
            );
            assert!(!text.ends_with("0\r\n\r\n") && !text.contains(end), "{}", &text[text.len().saturating_sub(80)..]);
        }
    }
    // What is wrong with the beginning is an error of the call.
    spoil(&world, 100_000).await;
    let pairs = [("command", "listVirtualMachines"), ("response", "json"), ("listall", "true"), ("pagesize", "-1")];
    let answer = world.get("admin", &pairs).await;
    assert_eq!(answer.status, 530, "{}", answer.body);
    let target = format!("/client/api?{}", escape_pairs(&signed("admin", &[("command", "listZones")])));
    assert_eq!(RawRequest::get(target).send(world.address).await.status, 200, "the gateway goes on");
}
