//! Pools: registering, capacity, heartbeats (`contract/hyperv-wire.md` 2.12, 2.13, 2.15).

use std::fs;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::{Call, Reply, Thrown, answer, member, plain};
use crate::agent::pools::Space;
use crate::hypervisors::hyperv::wire::pools::{GetStorageStatsAnswer, ModifyStoragePoolAnswer};
use crate::hypervisors::hyperv::wire::{Answer, PLAIN_ANSWER, naming};

/// A host whose heartbeat is older than this counts as dead.
const HEARTBEAT_LIMIT: Duration = Duration::from_secs(180);

/// Capacity of a folder as this host sees it.
fn space_of(call: &Call, folder: &str) -> Option<Space> {
    let pool = call.world.pools.find(call.host.ip(), folder)?;
    call.world.pools.space(pool).ok()
}

/// Registers a pool.
pub(super) fn modify(call: &Call) -> Result<Reply, Thrown> {
    let pool = call.member("pool")?;
    let text = |name: &str| Ok::<_, Thrown>(member(pool, name)?.as_str().unwrap_or(""));
    let kind = text("type")?;
    let folder = match kind {
        "Filesystem" => call.text("localPath")?.to_owned(),
        "SMB" | "NetworkFilesystem" => naming::smb_unc(text("host")?, text("path")?),
        _ => {
            let kind = if kind.is_empty() { "NULL" } else { kind };
            let details = format!("Request to create / modify unsupported pool type: {kind}in cmd {}", call.body);
            return Ok(plain(PLAIN_ANSWER, false, Some(&details)));
        }
    };
    let uuid = text("uuid")?;
    let space = space_of(call, &folder);
    let details = match space {
        Some(_) => None,
        None => Some(format!("Failed to add storage pool {uuid}, please verify your pool details")),
    };
    let added = call.member("add")?.as_bool() == Some(true);
    if space.is_some() && added {
        if kind != "Filesystem" {
            let ip = call.host.ip();
            call.world.change(|state| {
                let host = state.hosts.entry(ip.to_owned()).or_default();
                host.pools.insert(uuid.to_owned(), folder.clone());
            })?;
        }
        beat(call, &folder);
    }
    Ok(answer(
        ModifyStoragePoolAnswer::CLASS,
        json!({
            "result": space.is_some(),
            "details": details,
            "localPath": folder,
            "templateInfo": {},
            "poolInfo": {
                "uuid": null,
                "host": text("host")?,
                "hostPath": text("path")?,
                "localPath": folder,
                "poolType": kind,
                "capacityBytes": space.map_or(0, |space| space.capacity_bytes),
                "availableBytes": space.map_or(0, |space| space.available_bytes),
            },
            "contextMap": {},
        }),
    ))
}

/// Leaves the host's heartbeat in a pool.
fn beat(call: &Call, folder: &str) {
    if let Some(pool) = call.world.pools.find(call.host.ip(), folder) {
        let path = pool.folder.join(format!("hb-{}", call.host.ip()));
        if let Err(error) = fs::write(&path, b"") {
            tracing::warn!(path = %path.display(), %error, "no heartbeat can be written");
        }
    }
}

/// Capacity and use of a pool.
pub(super) fn storage_stats(call: &Call) -> Reply {
    let text = |name: &str| call.body.get(name).and_then(Value::as_str).unwrap_or("");
    let folder = match text("pooltype") {
        "Filesystem" => Some(text("localPath").to_owned()),
        "SMB" | "NetworkFilesystem" => call.world.read(|state| {
            let host = state.hosts.get(call.host.ip())?;
            host.pools.get(text("id")).cloned()
        }),
        _ => None,
    };
    let space = folder.and_then(|folder| space_of(call, &folder));
    let capacity = space.map_or(0, |space| space.capacity_bytes);
    let used = space.map_or(0, |space| space.capacity_bytes - space.available_bytes);
    let mut members = json!({
        "result": space.is_some(),
        "details": null,
        "capacity": capacity,
        "used": used,
        "contextMap": {},
    });
    if !call.host.spec.strict {
        members["capacityBytes"] = json!(capacity);
        members["usedBytes"] = json!(used);
    }
    answer(GetStorageStatsAnswer::CLASS, members)
}

/// Looks for the heartbeat of another host. The result is true when that host is **dead**.
pub(super) fn check_on_host(call: &Call) -> Result<Reply, Thrown> {
    let network = member(call.member("host")?, "privateNetwork")?;
    let ip = member(network, "ip")?.as_str().unwrap_or("");
    let known: Vec<String> = call.world.read(|state| {
        let host = state.hosts.get(call.host.ip());
        host.into_iter().flat_map(|host| host.pools.values().cloned()).collect()
    });
    let is_fresh = |folder: &String| {
        let pool = call.world.pools.find(call.host.ip(), folder)?;
        let written = fs::metadata(pool.folder.join(format!("hb-{ip}"))).ok()?.modified().ok()?;
        let age = SystemTime::now().duration_since(written).unwrap_or_default();
        (age < HEARTBEAT_LIMIT).then_some(())
    };
    let alive = known.iter().any(|folder| is_fresh(folder).is_some());
    let details = if alive { "host is alive" } else { "host is not alive" };
    Ok(plain("com.cloud.agent.api.CheckOnHostAnswer", !alive, Some(details)))
}
