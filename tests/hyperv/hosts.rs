//! Discovery, connection, figures, and the monitor that keeps hosts connected.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use stackmotion::hypervisors::hyperv::discovery::{DiscoveryError, HostFacts, HostLoad, KnownHost, Place, PoolUsage};
use stackmotion::hypervisors::hyperv::monitor::{HostStatus, Inventory, Kept, Monitor, MonitorSettings};
use stackmotion::hypervisors::hyperv::{AgentClient, ClientSettings, Fingerprint, HyperV, MemoryPins, PinPolicy, Pins};
use stackmotion::motion::hypervisor::{HostRef, PoolRef};

use super::moves::{assert_holds, pool, read_by_agents};
use super::server::{Reply, Seen, Server, client, golden, modern, recorded, until};

const PLACE: Place = Place { zone_id: 1, pod_id: 2, cluster_id: 4 };

fn hyperv() -> Arc<HyperV> {
    Arc::new(HyperV::new(client(ClientSettings::default())))
}

fn known(host: HostRef, id: i64) -> KnownHost {
    let uuid = "c1ab0a45-6364-4fa0-aeaf-4d14ae4829ce".to_owned();
    let name = host.ip.clone();
    KnownHost { host: HostRef { id, name, ..host }, uuid, place: PLACE }
}

/// Plays the recorded agent of the host 127.0.0.4 in pod 2 and cluster 4; start-up answers echo what was sent.
fn play(seen: &Seen) -> Reply {
    let command = seen.command();
    if command == "StartupCommand" {
        return Reply::ok(startup_answer(seen, |_| ()));
    }
    let pairs = recorded(command);
    assert!(!pairs.is_empty(), "nobody recorded {command}");
    Reply::ok(pairs[0].1.clone())
}

/// The recorded facts under the identity that was sent, changed by a test.
fn startup_answer(seen: &Seen, change: impl Fn(&mut Value)) -> String {
    let mut answer: Value = serde_json::from_str(&recorded("StartupCommand")[0].1).unwrap();
    let sent = seen.json();
    let class = "com.cloud.agent.api.StartupRoutingCommand";
    for member in ["guid", "privateIpAddress", "name", "dataCenter", "pod", "cluster"] {
        answer[0][class][member] = sent[0][class][member].clone();
    }
    change(&mut answer);
    answer.to_string()
}

fn smb_pool() -> PoolRef {
    pool(&recorded("ModifyStoragePoolCommand")[0].0["pool"])
}

#[tokio::test]
async fn a_host_is_discovered_from_the_recorded_exchange() {
    let server = Server::start_at("127.0.0.4:0", modern(), |seen| match seen.command() {
        "StartupCommand" => Reply::ok(recorded("StartupCommand")[0].1.clone()),
        _ => play(seen),
    });
    let host = server.host();
    let facts = hyperv().discover(&host.ip, host.port, PLACE).await.unwrap();
    assert_eq!(facts.guid, "588f4773-f220-3d56-9d53-d5c3e2018339-HypervResource");
    assert_eq!(facts.version.as_deref(), Some("6.2"));
    assert_eq!((facts.cpus, facts.speed_mhz, facts.memory_bytes), (8, 2400, 34_359_738_368));
    let pool = facts.local_pool.unwrap();
    assert_eq!((pool.uuid.as_str(), pool.host.as_str()), (facts.guid.as_str(), "127.0.0.4"));
    assert!(pool.usage.capacity_bytes > pool.usage.used_bytes);
    let seen = server.seen();
    let commands: Vec<_> = seen.iter().map(Seen::command).collect();
    assert_eq!(commands, ["ReadyCommand", "StartupCommand"]);
    let class = "com.cloud.agent.api.StartupRoutingCommand";
    let keys = [
        "pool",
        "hypervisorType",
        "hostDetails",
        "type",
        "dataCenter",
        "pod",
        "cluster",
        "guid",
        "name",
        "privateIpAddress",
        "storageIpAddress",
    ];
    let wanted = read_by_agents(recorded("StartupCommand")[0].0[0][class].clone(), &keys);
    assert_holds(&seen[1].json()[0][class], &wanted, "startup");
}

#[tokio::test]
async fn a_host_is_connected_in_the_recorded_order_and_its_shares_are_registered() {
    let server = Server::start_at("127.0.0.4:0", modern(), play);
    let known = known(server.host(), 7);
    let lost = PoolRef { id: 99, kind: "NetworkFilesystem".to_owned(), ..smb_pool() };
    let local = PoolRef { id: 98, kind: "Filesystem".to_owned(), path: "D:\\VHDs".to_owned(), ..smb_pool() };
    let connected = hyperv().connect(&known, &[smb_pool(), lost, local]).await.unwrap();
    assert_eq!(connected.pools.len(), 2);
    assert_eq!(connected.pools[0].0, smb_pool().id);
    assert!(connected.pools[0].1.as_ref().is_ok_and(|usage| usage.capacity_bytes == 270_553_174_016));
    assert!(connected.pools[1].1.is_err());
    let seen = server.seen();
    let commands: Vec<_> = seen.iter().map(Seen::command).collect();
    let order = [
        "ReadyCommand",
        "StartupCommand",
        "SetupCommand",
        "CheckNetworkCommand",
        "ModifyStoragePoolCommand",
        "ReadyCommand",
    ];
    assert_eq!(commands, order);
    let (setup, network) = (recorded("SetupCommand").remove(0).0, recorded("CheckNetworkCommand").remove(0).0);
    assert_holds(&seen[2].json(), &read_by_agents(setup, &["env", "multipath"]), "setup");
    // The recorded host was new; one that is known already is told that nothing is left to do.
    assert_eq!(seen[2].json()["needSetup"], false);
    // Agents do not look at what the list holds.
    assert!(network["networkInfoList"].is_array() && seen[3].json()["networkInfoList"].is_array());
    let modify = read_by_agents(recorded("ModifyStoragePoolCommand")[0].0.clone(), &["add", "pool", "localPath"]);
    assert_holds(&seen[4].json(), &modify, "modify");
    let identity = read_by_agents(recorded("ReadyCommand")[1].0.clone(), &["dcId", "hostId", "hostUuid", "hostName"]);
    assert_holds(&seen[5].json(), &identity, "ready");
}

#[tokio::test]
async fn an_agent_that_answers_for_another_host_is_refused() {
    let class = "com.cloud.agent.api.StartupRoutingCommand";
    for member in ["guid", "privateIpAddress", "name", "dataCenter", "pod", "cluster"] {
        for other in [json!("other"), Value::Null] {
            let server = Server::start(modern(), move |seen| match seen.command() {
                "StartupCommand" => Reply::ok(startup_answer(seen, |answer| answer[0][class][member] = other.clone())),
                _ => play(seen),
            });
            let host = server.host();
            let error = hyperv().discover(&host.ip, host.port, PLACE).await.unwrap_err();
            assert!(
                matches!(&error, DiscoveryError::OtherIdentity { member: found, .. } if *found == member),
                "{error}"
            );
        }
    }
}

#[tokio::test]
async fn a_host_without_a_default_folder_is_discovered_and_one_without_memory_is_not() {
    let bare = Server::start(modern(), |seen| match seen.command() {
        "StartupCommand" => Reply::ok(startup_answer(seen, |answer| answer.as_array_mut().unwrap().truncate(1))),
        _ => play(seen),
    });
    let host = bare.host();
    assert_eq!(hyperv().discover(&host.ip, host.port, PLACE).await.unwrap().local_pool, None);
    let class = "com.cloud.agent.api.StartupRoutingCommand";
    let poor = Server::start(modern(), move |seen| match seen.command() {
        "StartupCommand" => Reply::ok(startup_answer(seen, |answer| answer[0][class]["memory"] = json!(0))),
        _ => play(seen),
    });
    let host = poor.host();
    let error = hyperv().discover(&host.ip, host.port, PLACE).await.unwrap_err();
    assert!(matches!(error, DiscoveryError::Missing { member: "memory", .. }), "{error}");
}

#[tokio::test]
async fn an_agent_that_was_started_anew_is_told_its_address_again() {
    let initialised = AtomicBool::new(false);
    let server = Server::start(modern(), move |seen| match seen.command() {
        "StartupCommand" => {
            initialised.store(true, Ordering::SeqCst);
            play(seen)
        }
        "GetHostStatsCommand" if !initialised.load(Ordering::SeqCst) => {
            Reply::ok(golden("get-host-stats-before-startup").1)
        }
        _ => play(seen),
    });
    let known = known(server.host(), 7);
    let load = hyperv().host_stats(&known).await.unwrap();
    assert_eq!((load.cpu_percent, load.memory_bytes), (7.0, 34_359_738_368));
    let seen = server.seen();
    let commands: Vec<_> = seen.iter().map(Seen::command).collect();
    assert_eq!(commands, ["GetHostStatsCommand", "StartupCommand", "GetHostStatsCommand"]);
    assert_eq!(seen[0].json()["hostId"], 7);
}

#[tokio::test]
async fn figures_of_vms_and_pools_are_read_under_the_agents_names() {
    let server = Server::start(modern(), |seen| match seen.command() {
        "GetStorageStatsCommand" if seen.json()["id"] == "new" => {
            Reply::ok(golden("get-storage-stats-smb-unknown-pool").1)
        }
        _ => play(seen),
    });
    let (hyperv, host) = (hyperv(), server.host());
    let vms = hyperv.vm_stats(&host, &["i-2-13-VM".to_owned()]).await.unwrap();
    assert_eq!(vms["i-2-13-VM"].cpus, 1);
    let (asked, _) = recorded("GetStorageStatsCommand").remove(0);
    let text = |key: &str| asked[key].as_str().unwrap().to_owned();
    let local = PoolRef { uuid: text("id"), kind: text("pooltype"), path: text("localPath"), ..smb_pool() };
    let usage = hyperv.storage_stats(&host, &local).await.unwrap();
    assert_eq!(usage, PoolUsage { capacity_bytes: 270_553_174_016, used_bytes: 192_126_304_256 });
    assert_holds(&server.seen()[1].json(), &read_by_agents(asked, &["id", "localPath", "pooltype"]), "storage stats");
    // A share that the agent has not heard of is registered on the way.
    let new = PoolRef { uuid: "new".to_owned(), ..smb_pool() };
    hyperv.storage_stats(&host, &new).await.unwrap();
    assert_eq!(server.seen().last().unwrap().command(), "ModifyStoragePoolCommand");
    hyperv.ping(&host).await.unwrap();
    assert!(server.seen().last().unwrap().json().get("_hostVmStateReport").is_none());
}

/// An inventory in memory that remembers what it was told.
#[derive(Default)]
struct Book {
    hosts: Mutex<Vec<KnownHost>>,
    statuses: Mutex<Vec<(i64, HostStatus)>>,
    facts: Mutex<Vec<(i64, HostFacts)>>,
    capacities: AtomicUsize,
    loads: AtomicUsize,
    reached: Mutex<Vec<(i64, i64)>>,
}

impl Book {
    fn of(hosts: Vec<KnownHost>) -> Arc<Self> {
        Arc::new(Self { hosts: Mutex::new(hosts), ..Self::default() })
    }

    fn last(&self, id: i64) -> Option<HostStatus> {
        let statuses = self.statuses.lock().unwrap();
        statuses.iter().rev().find(|(host, _)| *host == id).map(|(_, status)| status.clone())
    }

    fn ups(&self, id: i64) -> usize {
        self.statuses.lock().unwrap().iter().filter(|told| **told == (id, HostStatus::Up)).count()
    }
}

fn done() -> BoxFuture<'static, Kept<()>> {
    Box::pin(async { Ok(()) })
}

impl Inventory for Book {
    fn hosts(&self) -> BoxFuture<'_, Kept<Vec<KnownHost>>> {
        Box::pin(async { Ok(self.hosts.lock().unwrap().clone()) })
    }

    fn pools_of<'a>(&'a self, _host: &'a KnownHost) -> BoxFuture<'a, Kept<Vec<PoolRef>>> {
        Box::pin(async { Ok(vec![smb_pool()]) })
    }

    fn record_status<'a>(&'a self, host_id: i64, status: &'a HostStatus) -> BoxFuture<'a, Kept<()>> {
        self.statuses.lock().unwrap().push((host_id, status.clone()));
        done()
    }

    fn record_host_facts<'a>(&'a self, host_id: i64, facts: &'a HostFacts) -> BoxFuture<'a, Kept<()>> {
        self.facts.lock().unwrap().push((host_id, facts.clone()));
        done()
    }

    fn record_capacity(&self, _pool_id: i64, _usage: PoolUsage) -> BoxFuture<'_, Kept<()>> {
        self.capacities.fetch_add(1, Ordering::SeqCst);
        done()
    }

    fn record_reach<'a>(&'a self, host_id: i64, pool_id: i64, _folder: &'a str) -> BoxFuture<'a, Kept<()>> {
        self.reached.lock().unwrap().push((host_id, pool_id));
        done()
    }

    fn record_load(&self, _host_id: i64, _load: HostLoad) -> BoxFuture<'_, Kept<()>> {
        self.loads.fetch_add(1, Ordering::SeqCst);
        done()
    }
}

fn often() -> MonitorSettings {
    MonitorSettings { ping_interval: Duration::from_millis(50), ..MonitorSettings::default() }
}

#[tokio::test]
async fn hosts_are_connected_greeted_lost_and_found_again() {
    let broken = Arc::new(AtomicBool::new(false));
    let seen_broken = broken.clone();
    let server =
        Server::start(modern(), move |seen| if seen_broken.load(Ordering::SeqCst) { Reply::Drop } else { play(seen) });
    let book = Book::of(vec![known(server.host(), 7)]);
    let monitor = Monitor::new(hyperv(), book.clone(), often());
    let running = tokio::spawn(monitor.run());
    until("three greetings", || book.ups(7) >= 3).await;
    assert_eq!(book.facts.lock().unwrap().len(), 1, "a host that answers is connected once");
    until("figures", || book.loads.load(Ordering::SeqCst) > 0 && book.capacities.load(Ordering::SeqCst) > 0).await;

    assert_eq!(
        *book.reached.lock().unwrap(),
        [(7, smb_pool().id)],
        "the share is reached from the first connection on"
    );
    broken.store(true, Ordering::SeqCst);
    until("the loss", || matches!(book.last(7), Some(HostStatus::Disconnected { .. }))).await;
    broken.store(false, Ordering::SeqCst);
    until("the return", || book.last(7) == Some(HostStatus::Up)).await;
    assert_eq!(book.facts.lock().unwrap().len(), 2, "a host that was lost is connected anew");
    running.abort();
    assert!(server.seen().iter().all(|seen| seen.command() != "HostVmStateReportCommand"));
}

#[tokio::test]
async fn slow_hosts_delay_nobody() {
    let silent: Vec<_> = (0..4).map(|_| Server::start(modern(), |_| Reply::Silence)).collect();
    let prompt = Server::start(modern(), play);
    let mut hosts: Vec<_> = silent.iter().zip(1..).map(|(server, id)| known(server.host(), id)).collect();
    hosts.push(known(prompt.host(), 50));
    let book = Book::of(hosts);
    // One at a time, and none of the silent ones is ever given up within this test.
    let settings = MonitorSettings { at_once: 1, slow_after: Duration::from_millis(20), ..often() };
    let running = tokio::spawn(Monitor::new(hyperv(), book.clone(), settings).run());
    until("all are being visited", || silent.iter().all(|server| !server.seen().is_empty())).await;
    until("the prompt host is greeted", || book.ups(50) >= 3).await;
    assert!((1..=4).all(|id| book.last(id).is_none()), "the silent ones are still waited for");
    assert!(silent.iter().all(|server| server.seen().len() == 1), "and not visited twice at a time");
    running.abort();
}

#[tokio::test]
async fn a_stranger_at_a_hosts_address_raises_an_alert() {
    let server = Server::start(modern(), |seen| match seen.command() {
        "StartupCommand" => Reply::ok(recorded("StartupCommand")[0].1.clone()),
        _ => play(seen),
    });
    let known = known(server.host(), 7);
    let book = Book::of(vec![known.clone()]);
    Monitor::new(hyperv(), book.clone(), often()).visit_now(&known).await;
    assert!(matches!(book.last(7), Some(HostStatus::Alert { .. })));
}

#[tokio::test]
async fn another_certificate_at_a_hosts_address_raises_an_alert() {
    let server = Server::start(modern(), play);
    let known = known(server.host(), 7);
    let kept = Arc::new(MemoryPins::default());
    let before = Fingerprint::of(b"the certificate before");
    kept.store(&client(ClientSettings::default()).address_of(&known.host), before).await.unwrap();
    let client = AgentClient::new(ClientSettings::default(), PinPolicy::first_use(kept));
    let book = Book::of(vec![known.clone()]);
    let monitor = Monitor::new(Arc::new(HyperV::new(Arc::new(client))), book.clone(), often());
    monitor.visit_now(&known).await;
    let Some(HostStatus::Alert { reason }) = book.last(7) else { panic!("{:?}", book.last(7)) };
    assert!(reason.contains("another certificate"), "{reason}");
    assert!(server.seen().is_empty());
}
