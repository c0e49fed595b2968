//! Start-up exchange, power report and figures (`contract/hyperv-wire.md` 2.5, 2.9 to 2.11).

use std::fs;

use serde_json::{Map, Value, json};

use super::{Call, NULL_REFERENCE, Reply, Thrown, answer, member};
use crate::agent::build::mac_of;
use crate::agent::state::Power;
use crate::hypervisors::hyperv::wire::Answer;
use crate::hypervisors::hyperv::wire::host::{GetHostStatsAnswer, GetVmStatsAnswer, STARTUP_ROUTING, STARTUP_STORAGE};

const KIB: f64 = 1024.0;
const DOM0_MIN_MEMORY_BYTES: u64 = 2 << 30;
const RDP_PORT: u32 = 2179;
/// Load that every simulated host and VM has.
const CPU_PERCENT: f64 = 7.0;

/// Fills host facts into what was sent, and adds the local pool.
pub(super) fn startup(call: &Call) -> Result<Reply, Thrown> {
    let first = call.body.get(0).ok_or_else(|| {
        Thrown::new("Accessed JObject values with invalid key value: 0. Object property name expected.")
    })?;
    let mut routing = member(first, STARTUP_ROUTING)?.clone();
    let address = member(&routing, "privateIpAddress")?.as_str().map(str::to_owned);
    let address = address.ok_or_else(|| Thrown::new("Value cannot be null.\nParameter name: ipString"))?;
    if address.parse::<std::net::IpAddr>().is_err() {
        return Err(Thrown::new("An invalid IP address was specified."));
    }
    let details = routing.get("hostDetails").and_then(Value::as_object);
    let details = details.ok_or_else(|| Thrown::new(NULL_REFERENCE))?;
    if details.contains_key("product_version") || details.contains_key("rdp.server.port") {
        return Err(Thrown::new("Property with the same name already exists on object."));
    }
    let guid = routing.get("guid").cloned().unwrap_or(Value::Null);
    let zone = routing.get("dataCenter").cloned().unwrap_or(Value::Null);
    fill_in(call, &mut routing);
    let storage = local_pool(call, &guid, &zone, &address);
    call.process.started(&address);
    Ok(Reply::Ok(json!([{STARTUP_ROUTING: routing}, {STARTUP_STORAGE: storage}])))
}

/// What the agent sets on the routing element; all else stays as it was sent.
fn fill_in(call: &Call, routing: &mut Value) {
    let spec = &call.host.spec;
    let mac = mac_of(call.host.ip());
    let vms: Map<String, Value> = call.world.read(|state| {
        let vms = state.hosts.get(call.host.ip()).map(|host| &host.vms);
        let entry = |vm: &crate::agent::state::Vm| {
            let facts = json!({"state": vm.power.startup_name(), "host": call.host.ip()});
            (vm.name.clone(), facts)
        };
        vms.into_iter().flatten().map(entry).collect()
    });
    for (name, value) in [
        ("privateNetmask", json!(spec.netmask)),
        ("privateMacAddress", json!(mac)),
        ("storageNetmask", json!(spec.netmask)),
        ("storageMacAddress", json!(mac)),
        // The real agent puts a MAC address here.
        ("gatewayIpAddress", json!(mac)),
        ("hypervisorVersion", json!(spec.hypervisor_version)),
        ("caps", json!("hvm")),
        ("cpus", json!(spec.cpus)),
        ("speed", json!(spec.speed_mhz)),
        ("cpuSockets", json!(spec.cpu_sockets)),
        ("memory", json!(spec.memory_bytes)),
        ("dom0MinMemory", json!(DOM0_MIN_MEMORY_BYTES)),
        ("vms", Value::Object(vms)),
    ] {
        routing[name] = value;
    }
    routing["hostDetails"]["product_version"] = json!(spec.hypervisor_version);
    routing["hostDetails"]["rdp.server.port"] = json!(RDP_PORT);
}

/// The element that describes the host's local pool.
fn local_pool(call: &Call, guid: &Value, zone: &Value, address: &str) -> Value {
    let path = &call.host.spec.local_path;
    let pool = call.world.pools.find(call.host.ip(), path);
    let space = pool.and_then(|pool| call.world.pools.space(pool).ok());
    json!({
        "poolInfo": {
            "uuid": guid,
            "host": address,
            "localPath": path,
            "hostPath": path,
            "poolType": "Filesystem",
            "capacityBytes": space.map_or(0, |space| space.capacity_bytes),
            "availableBytes": space.map_or(0, |space| space.available_bytes),
            "details": null,
        },
        "guid": guid,
        "dataCenter": zone,
        "resourceType": "STORAGE_POOL",
        "contextMap": {},
    })
}

/// Running VMs. Switched-off VMs that CloudStack made are deleted on the way; their disks stay.
pub(super) fn report(call: &Call) -> Result<Reply, Thrown> {
    let ip = call.host.ip();
    let mut gone = Vec::new();
    let rows = call.world.change(|state| {
        let Some(host) = state.hosts.get_mut(ip) else {
            return Vec::new();
        };
        let mut rows = Vec::new();
        host.vms.retain(|vm| {
            let made_here = vm.notes.contains("CloudStack");
            let in_the_making = made_here && vm.notes.contains("creating");
            // A VM under way to another host cannot be deleted.
            let moving = call.world.gate(&vm.name).is_moving();
            if vm.power == Power::On || in_the_making {
                rows.push(json!({&vm.name: "PowerOn"}));
            } else if made_here && !moving {
                gone.push(vm.name.clone());
                return false;
            }
            true
        });
        rows
    })?;
    for name in gone {
        tracing::info!(host = ip, vm = name, "a switched-off VM was deleted by the power report");
    }
    Ok(Reply::Ok(Value::Array(rows)))
}

/// Figures of the host; before the start-up exchange the agent does not know its own address.
pub(super) fn host_stats(call: &Call) -> Reply {
    let failed = |text: &str| {
        let details = format!("{} failed on exception{text}", call.class);
        answer(
            GetHostStatsAnswer::CLASS,
            json!({"result": false, "hostStats": null, "details": details, "contextMap": {}}),
        )
    };
    let Some(id) = call.body.get("hostId").and_then(Value::as_i64) else {
        return failed("Cannot convert null to 'long' because it is a non-nullable value type");
    };
    if !call.process.knows_its_address() {
        return failed("Value cannot be null.\nParameter name: ipString");
    }
    let total = call.host.spec.memory_bytes;
    let used: u64 = call.world.read(|state| {
        let vms = state.hosts.get(call.host.ip()).map(|host| &host.vms);
        let running = vms.into_iter().flatten().filter(|vm| vm.power == Power::On);
        running.map(|vm| vm.memory_bytes).sum()
    });
    let traffic = network_bytes();
    answer(
        GetHostStatsAnswer::CLASS,
        json!({
            "result": true,
            "hostStats": {
                "hostId": id,
                "entityType": "host",
                "cpuUtilization": CPU_PERCENT,
                "networkReadKBs": traffic.0,
                "networkWriteKBs": traffic.1,
                "totalMemoryKBs": total as f64 / KIB,
                "freeMemoryKBs": total.saturating_sub(used) as f64 / KIB,
            },
            "details": null,
            "contextMap": {},
        }),
    )
}

/// Bytes received and sent over loopback since the machine started, the network of simulated hosts.
fn network_bytes() -> (f64, f64) {
    let counter = |name: &str| {
        let path = format!("/sys/class/net/lo/statistics/{name}");
        let text = fs::read_to_string(path).ok();
        text.and_then(|text| text.trim().parse().ok()).unwrap_or(0.0)
    };
    (counter("rx_bytes"), counter("tx_bytes"))
}

/// Figures of VMs; unknown names are left out.
pub(super) fn vm_stats(call: &Call) -> Result<Reply, Thrown> {
    let names = call.member("vmNames")?.as_array();
    let names = names.ok_or_else(|| Thrown::new(NULL_REFERENCE))?;
    let mut stats = Map::new();
    for name in names.iter().filter_map(Value::as_str) {
        let cpus = call.world.read(|state| state.vm(call.host.ip(), name).map(|vm| vm.cpus));
        if let Some(cpus) = cpus {
            let figures = json!({
                "cpuUtilization": CPU_PERCENT,
                "networkReadKBs": 1.0,
                "networkWriteKBs": 1.0,
                "numCPUs": cpus,
                "entityType": "vm",
            });
            stats.insert(name.to_owned(), figures);
        }
    }
    Ok(answer(GetVmStatsAnswer::CLASS, json!({"vmStatsMap": stats, "result": true, "contextMap": {}})))
}

/// Nothing is done; the answer promises that VMs will be moved away.
pub(super) fn maintain() -> Reply {
    answer(
        "com.cloud.agent.api.MaintainAnswer",
        json!({
            "result": true,
            "willMigrate": true,
            "details": "success - NOP for MaintainCommand",
            "_reconnect": false,
            "contextMap": {},
        }),
    )
}
