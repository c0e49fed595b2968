//! The simulator's own listener: shows the world, scripts misfortune. Real agents have no such thing.
//!
//! Plain HTTP on 127.0.0.1, JSON both ways:
//!
//! | request | effect |
//! | --- | --- |
//! | `GET /sim/world` | hosts, pools, VMs, counts of requests, motions |
//! | `GET /sim/oracle` | where every disk is, and files that no VM has |
//! | `GET /sim/requests?host=` | what a host was asked, and answered |
//! | `GET /sim/verify?vm=` | proof that no guest write was lost |
//! | `GET /sim/hash?vm=&stem=` | content hash of a disk |
//! | `GET`, `POST`, `DELETE /sim/faults` | rules in force, a new one, none any more (`?id=` for one) |
//! | `POST /sim/release` | `{"id"?}`: lets go what a rule holds |
//! | `POST /sim/throttle` | `{"bytesPerSecond", "host"?, "motion"?}`; null falls back to the wider scope |
//! | `POST /sim/guests` | `{"vm", "enabled"}` |
//! | `POST /sim/restart` | `{"host"}`: the agent forgets what it has in memory |

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::Arc;

use actix_web::dev::Server;
use actix_web::web::{self, Data, Json, Query};
use actix_web::{App, HttpResponse, HttpServer};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::faults::FaultRule;
use super::host::Host;
use super::image::Image;
use super::state::Vm;
use super::world::{World, WorldError};

/// What the control listener knows.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The world.
    pub world: Arc<World>,
    /// Port of the hosts.
    pub port: u16,
    /// Fingerprints of the hosts' certificates by address.
    pub fingerprints: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
struct Named {
    #[serde(default)]
    host: String,
    #[serde(default)]
    vm: String,
    #[serde(default)]
    stem: String,
    id: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct GuestSwitch {
    vm: String,
    enabled: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Throttle {
    bytes_per_second: Option<u64>,
    host: Option<String>,
    motion: Option<String>,
}

/// The control server, ready to be run.
///
/// # Errors
/// [`WorldError::Listen`].
pub fn serve(facts: Facts, listener: TcpListener) -> Result<Server, WorldError> {
    let facts = Data::new(facts);
    let server = HttpServer::new(move || {
        let faults = web::resource("/sim/faults")
            .route(web::get().to(show_faults))
            .route(web::post().to(add_fault))
            .route(web::delete().to(remove_faults));
        App::new()
            .app_data(facts.clone())
            .route("/sim/world", web::get().to(show_world))
            .route("/sim/oracle", web::get().to(oracle))
            .route("/sim/requests", web::get().to(requests))
            .route("/sim/verify", web::get().to(verify))
            .route("/sim/hash", web::get().to(hash))
            .service(faults)
            .route("/sim/release", web::post().to(release))
            .route("/sim/throttle", web::post().to(throttle))
            .route("/sim/guests", web::post().to(guests))
            .route("/sim/restart", web::post().to(restart))
    })
    .workers(1)
    .disable_signals()
    .shutdown_timeout(0)
    .listen(listener)
    .map_err(|source| WorldError::Listen { address: "127.0.0.1".to_owned(), source })?;
    Ok(server.run())
}

fn shown<T: Serialize, E: std::fmt::Display>(result: Result<T, E>) -> HttpResponse {
    match result {
        Ok(value) => HttpResponse::Ok().json(value),
        Err(error) => HttpResponse::BadRequest().json(json!({"error": error.to_string()})),
    }
}

/// Runs work that reads files away from the event loop.
async fn off_loop<T, F>(facts: &Facts, work: F) -> HttpResponse
where
    T: Serialize + Send + 'static,
    F: FnOnce(&World) -> Result<T, WorldError> + Send + 'static,
{
    let world = Arc::clone(&facts.world);
    match tokio::task::spawn_blocking(move || work(&world)).await {
        Ok(result) => shown(result),
        Err(error) => shown::<(), _>(Err(error)),
    }
}

async fn show_world(facts: Data<Facts>) -> HttpResponse {
    let hosts: Vec<Value> = facts.world.hosts().map(|host| host_view(&facts, host)).collect();
    let world = &facts.world;
    let pools: Vec<Value> = world
        .pools
        .all()
        .iter()
        .map(|pool| json!({"name": pool.name, "host": pool.on_host, "folder": pool.folder}))
        .collect();
    let shares: Vec<&Value> = pools.iter().filter(|pool| pool["host"].is_null()).collect();
    let oracle = world.oracle();
    let disks = oracle.map(|oracle| oracle.disks).unwrap_or_default();
    HttpResponse::Ok().json(json!({
        "folder": world.folder(),
        "port": facts.port,
        "throttleBytesPerSecond": world.throttle(),
        "hosts": hosts,
        "shares": shares,
        "pools": pools,
        "disks": disks,
    }))
}

fn host_view(facts: &Facts, host: &Host) -> Value {
    let vms: Vec<Vm> = facts.world.read(|state| {
        let known = state.hosts.get(host.ip());
        known.map(|host| host.vms.clone()).unwrap_or_default()
    });
    json!({
        "ip": host.ip(),
        "port": facts.port,
        "name": host.spec.name,
        "fingerprint": facts.fingerprints.get(host.ip()),
        "hypervisorVersion": host.spec.hypervisor_version,
        "localPath": host.spec.local_path,
        "vms": vms,
        "requests": host.counts(),
        "motions": host.process().motions(),
    })
}

async fn oracle(facts: Data<Facts>) -> HttpResponse {
    off_loop(&facts, World::oracle).await
}

async fn requests(facts: Data<Facts>, named: Query<Named>) -> HttpResponse {
    match facts.world.host(&named.host) {
        Some(host) => HttpResponse::Ok().json(host.requests()),
        None => shown::<(), _>(Err(format!("no host {}", named.host))),
    }
}

async fn verify(facts: Data<Facts>, named: Query<Named>) -> HttpResponse {
    let vm = named.into_inner().vm;
    off_loop(&facts, move |world| world.verify(&vm)).await
}

async fn hash(facts: Data<Facts>, named: Query<Named>) -> HttpResponse {
    let Named { vm, stem, .. } = named.into_inner();
    off_loop(&facts, move |world| {
        let place = world.oracle()?.disks.into_iter();
        let mut place = place.filter(|disk| disk.vm == vm && disk.stem == stem);
        let file = place.next().and_then(|disk| disk.file);
        let file = file.ok_or_else(|| WorldError::Unknown(format!("no disk {stem} at {vm}")))?;
        // No switch and no write while it is read.
        let gate = world.gate(&vm);
        let _still = gate.lock();
        Ok(json!({"hash": Image::open(&file, false)?.content_hash()?}))
    })
    .await
}

async fn show_faults(facts: Data<Facts>) -> HttpResponse {
    HttpResponse::Ok().json(facts.world.faults.view())
}

async fn add_fault(facts: Data<Facts>, rule: Json<FaultRule>) -> HttpResponse {
    let id = facts.world.faults.add(rule.into_inner());
    HttpResponse::Ok().json(json!({"id": id}))
}

async fn remove_faults(facts: Data<Facts>, named: Query<Named>) -> HttpResponse {
    facts.world.faults.remove(named.id);
    HttpResponse::Ok().json(json!({}))
}

async fn release(facts: Data<Facts>, named: Json<Named>) -> HttpResponse {
    match facts.world.faults.release(named.id) {
        true => HttpResponse::Ok().json(json!({})),
        false => shown::<(), _>(Err("no such fault")),
    }
}

async fn throttle(facts: Data<Facts>, wanted: Json<Throttle>) -> HttpResponse {
    let world = &facts.world;
    let limit = wanted.bytes_per_second;
    let found = match (&wanted.host, &wanted.motion) {
        (None, None) => {
            world.set_throttle(limit.unwrap_or(0));
            Some(())
        }
        (Some(ip), None) => world.host(ip).map(|host| host.set_throttle(limit)),
        (_, Some(id)) => {
            let mut motions = world.hosts().filter_map(|host| host.process().motion(id));
            motions.next().map(|motion| motion.set_throttle(limit))
        }
    };
    shown(found.map(|()| json!({})).ok_or("no such host or motion"))
}

async fn guests(facts: Data<Facts>, wanted: Json<GuestSwitch>) -> HttpResponse {
    let wanted = wanted.into_inner();
    off_loop(&facts, move |world| world.set_guest(&wanted.vm, wanted.enabled)).await
}

async fn restart(facts: Data<Facts>, named: Json<Named>) -> HttpResponse {
    let host = facts.world.host(&named.host);
    shown(host.map(|host| host.restart()).ok_or("no such host"))
}
