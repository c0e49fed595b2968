//! The object `host` (`contract/entities.md 1.4`, `contract/migration.md 5.3`), in the order in which CloudStack prints
//! its fields.

use std::collections::{BTreeMap, HashMap};

use super::row::{flag, number, percentage, text, time, two_decimals};
use super::words::Words;
use crate::api::Node;
use crate::auth::Caller;
use crate::model::Timestamp;
use crate::store::{HostFigures, ResourceKind, Row, Store, StoreError};

crate::response! {
    /// A machine that runs machines.
    pub struct HostView as "host", Default {
        /// Whether a machine that moves here has to take its disks along; only when hosts for a move are looked for.
        requires_storage_motion "requiresStorageMotion": Option<bool>,
        /// Its id.
        id: String,
        /// Its name.
        name: Option<String>,
        /// Whether it can be talked to: `Up`, `Down`, `Disconnected`, `Alert` and so on.
        state: Option<String>,
        /// When it was lost.
        disconnected: Option<Timestamp>,
        /// `Routing` for a hypervisor.
        kind "type": Option<String>,
        /// The kind of systems it prefers. Not filled here.
        os_category_id "oscategoryid": Option<String>,
        /// The name of that kind. Not filled here.
        os_category_name "oscategoryname": Option<String>,
        /// A rule about systems. Not filled here.
        guest_os_rule "guestosrule": Option<String>,
        /// Its address for management.
        ip_address "ipaddress": Option<String>,
        /// The zone it is in.
        zone_id "zoneid": Option<String>,
        /// The name of that zone.
        zone_name "zonename": Option<String>,
        /// The pod it is in.
        pod_id "podid": Option<String>,
        /// The name of that pod.
        pod_name "podname": Option<String>,
        /// The version of the software that manages it.
        version: Option<String>,
        /// Its hypervisor.
        hypervisor: Option<String>,
        /// Processors.
        cpu_sockets "cpusockets": Option<i64>,
        /// Processor cores.
        cpu_number "cpunumber": Option<i64>,
        /// MHz of each core.
        cpu_speed_mhz "cpuspeed": Option<i64>,
        /// The share of its MHz that is given away.
        cpu_allocated "cpuallocated": Option<String>,
        /// MHz that are given away.
        cpu_allocated_mhz "cpuallocatedvalue": Option<i64>,
        /// The share of its MHz that is given away.
        cpu_allocated_percentage "cpuallocatedpercentage": Option<String>,
        /// The same once more.
        cpu_allocated_overprovisioned "cpuallocatedwithoverprovisioning": Option<String>,
        /// The share in use, as the host last told it.
        cpu_used "cpuused": Option<String>,
        /// MHz that may be given away.
        cpu_overprovisioned "cpuwithoverprovisioning": Option<String>,
        /// Load. Not filled here.
        cpu_load_average "cpuloadaverage": Option<f64>,
        /// KiB received since it started, as it last told.
        network_kbs_read "networkkbsread": Option<i64>,
        /// KiB sent since it started, as it last told.
        network_kbs_write "networkkbswrite": Option<i64>,
        /// Bytes of memory that may be given away.
        memory_total_bytes "memorytotal": Option<i64>,
        /// The same as text.
        memory_overprovisioned "memorywithoverprovisioning": Option<String>,
        /// Bytes that are given away; 0 when capacity was not asked for.
        memory_allocated_bytes "memoryallocated": i64,
        /// The share that is given away.
        memory_allocated_percentage "memoryallocatedpercentage": Option<String>,
        /// Bytes that are given away.
        memory_allocated_too_bytes "memoryallocatedbytes": Option<i64>,
        /// Bytes in use, as it last told.
        memory_used_bytes "memoryused": Option<i64>,
        /// Graphics processors. Not filled here.
        gpu_total "gputotal": Option<i64>,
        /// Graphics processors in use. Not filled here.
        gpu_used "gpuused": Option<i64>,
        /// Groups of graphics processors. Not filled here.
        gpu_groups "gpugroup": Option<Vec<Node>>,
        /// Bytes of a secondary storage. Not filled here.
        disk_size_total_bytes "disksizetotal": Option<i64>,
        /// Bytes of it that are promised. Not filled here.
        disk_size_allocated_bytes "disksizeallocated": Option<i64>,
        /// What it can do, such as `hvm`.
        capabilities: Option<String>,
        /// When it was last heard of, in CloudStack's own (wrong) units.
        last_pinged "lastpinged": Option<Timestamp>,
        /// The system machine that is this host.
        virtual_machine_id "virtualmachineid": Option<String>,
        /// The number of the server that talks to it; with `details=core` only.
        server_number "msid": Option<i64>,
        /// The server that talks to it.
        management_server_id "managementserverid": Option<String>,
        /// The name of that server.
        management_server_name "managementservername": Option<String>,
        /// The cluster it is in.
        cluster_id "clusterid": Option<String>,
        /// The name of that cluster.
        cluster_name "clustername": Option<String>,
        /// The kind of that cluster.
        cluster_type "clustertype": Option<String>,
        /// Whether disks can be kept on it.
        is_local_storage_active "islocalstorageactive": Option<bool>,
        /// When it was added.
        created: Option<Timestamp>,
        /// When it was removed.
        removed: Option<Timestamp>,
        /// What may happen to it next; given for hosts that are `Up`.
        events: Option<String>,
        /// Its tags, separated by commas.
        host_tags "hosttags": Option<String>,
        /// The tags that people gave it.
        explicit_host_tags "explicithosttags": Option<String>,
        /// The tags that it came with.
        implicit_host_tags "implicithosttags": Option<String>,
        /// Whether its tag is a rule.
        is_tag_a_rule "istagarule": Option<bool>,
        /// Whether it has room. Not filled here.
        has_enough_capacity "hasenoughcapacity": Option<bool>,
        /// Whether a machine can move here; only when hosts for a move are looked for.
        suitable_for_migration "suitableformigration": Option<bool>,
        /// Whether it is restarted when it fails: never, here.
        host_ha "hostha": Option<Node>,
        /// Whether its power can be switched: never, here.
        out_of_band_management "outofbandmanagement": Option<Node>,
        /// Whether it may be given work.
        resource_state "resourcestate": Option<String>,
        /// The version of its hypervisor.
        hypervisor_version "hypervisorversion": Option<String>,
        /// Whether it is kept free for machines of failed hosts.
        ha_host "hahost": Option<bool>,
        /// Settings of it. Never for Hyper-V.
        details: Option<BTreeMap<String, String>>,
        /// A comment. Not filled here.
        annotation: Option<String>,
        /// When that was written. Not filled here.
        last_annotated "lastannotated": Option<Timestamp>,
        /// Who wrote it. Not filled here.
        username: Option<String>,
        /// Whether machines with UEFI run on it.
        uefi_capability "ueficapability": Option<bool>,
        /// Whether disks can be encrypted. Not filled here.
        encryption_supported "encryptionsupported": Option<bool>,
        /// Whether machines can be converted. Not filled here.
        instance_conversion_supported "instanceconversionsupported": Option<bool>,
        /// The kind of its processors.
        arch: Option<String>,
        /// Its access groups.
        storage_access_groups "storageaccessgroups": Option<String>,
        /// Those of its cluster.
        cluster_storage_access_groups "clusterstorageaccessgroups": Option<String>,
        /// Those of its pod.
        pod_storage_access_groups "podstorageaccessgroups": Option<String>,
        /// Those of its zone.
        zone_storage_access_groups "zonestorageaccessgroups": Option<String>,
        /// The extension that drives it. Not filled here.
        extension_id "extensionid": Option<String>,
        /// The name of that extension. Not filled here.
        extension_name "extensionname": Option<String>,
        /// Whether there are comments about it. There are none here.
        has_annotations "hasannotations": Option<bool>,
        /// The newest job about it that runs.
        job_id "jobid": Option<String>,
        /// 0 while such a job runs.
        job_status "jobstatus": Option<i64>,
    }
}

/// The type of a host that runs machines.
const ROUTING: &str = "Routing";
/// What may happen to a host that is `Up`, in CloudStack's order.
const EVENTS_WHEN_UP: &str = "Ping; StartAgentRebalance; HostDown; ManagementServerDown; ShutdownRequested; PingTimeout; \
    AgentDisconnected; AgentConnected; Remove";

/// The hosts with these internal ids, with all their fields. Only admins may call what shows hosts, so `caller` hides
/// nothing.
///
/// # Errors
/// See [`crate::store::Db::rows`].
pub async fn hosts(store: &Store, caller: &Caller, ids: &[i64]) -> Result<Vec<HostView>, StoreError> {
    hosts_with(store, caller, ids, &Words::all()).await
}

/// The hosts with these internal ids, with the groups of fields that `details` names (`contract/entities.md 1.4`).
///
/// # Errors
/// See [`crate::store::Db::rows`].
pub async fn hosts_with(store: &Store, _: &Caller, ids: &[i64], details: &Words) -> Result<Vec<HostView>, StoreError> {
    let rows = store.host_rows(ids).await?;
    let mut tags = store.host_tags_of(ids).await?;
    let mut settings = store.details_of(ResourceKind::Host, ids).await?;
    let mut jobs = store.pending_jobs_of(ResourceKind::Host, ids).await?;
    let loads = if details.wants(&["stats"]) {
        let uuids: Vec<String> = rows.iter().map(|row| row.get("uuid")).collect::<Result<_, _>>()?;
        store.loads_of(&uuids.iter().map(String::as_str).collect::<Vec<_>>()).await?
    } else {
        HashMap::new()
    };
    let ha_tag = store.settings_named(&["ha.tag"]).await?.remove("ha.tag").filter(|tag| !tag.is_empty());
    rows.iter()
        .map(|row| {
            let id: i64 = row.get("id")?;
            let mut view = bare(row)?;
            let is_routing = view.kind.as_deref() == Some(ROUTING);
            if details.wants(&["capacity", "core", "stats", "events"]) {
                names(&mut view, row)?;
            }
            let tags = tags.remove(&id).unwrap_or_default();
            if is_routing && details.wants(&["capacity", "core"]) {
                hypervisor(&mut view, row)?;
                labels(&mut view, &tags)?;
            }
            if is_routing && details.wants(&["capacity"]) {
                capacity(&mut view, row)?;
                view.ha_host = Some(ha_tag.as_ref().is_some_and(|ha_tag| has_tag(&view, ha_tag)));
            }
            if is_routing && let Some(figures) = loads.get(&view.id) {
                load(&mut view, figures);
            }
            if details.wants(&["events"]) && view.state.as_deref() == Some("Up") {
                view.events = Some(EVENTS_WHEN_UP.to_owned());
            }
            if details.names("core") {
                view.server_number = number(row, "mgmt_server_id")?;
            } else {
                let settings = settings.remove(&id).unwrap_or_default();
                abilities(&mut view, row, &settings)?;
            }
            view.job_id = jobs.remove(&id);
            view.job_status = view.job_id.as_ref().map(|_| 0);
            Ok(view)
        })
        .collect()
}

fn bare(row: &Row) -> Result<HostView, StoreError> {
    // CloudStack stores units of 1024 milliseconds and prints them as if they were milliseconds.
    let last_pinged = number(row, "last_ping")?.and_then(|ping| Timestamp::from_unix(ping / 1000));
    Ok(HostView {
        id: text(row, "uuid")?.unwrap_or_default(),
        name: text(row, "name")?,
        state: text(row, "status")?,
        disconnected: time(row, "disconnected")?,
        kind: text(row, "type")?,
        ip_address: text(row, "private_ip_address")?,
        zone_id: text(row, "zone_uuid")?,
        pod_id: text(row, "pod_uuid")?,
        version: text(row, "version")?,
        hypervisor: text(row, "hypervisor_type")?,
        cpu_sockets: number(row, "cpu_sockets")?,
        cpu_number: number(row, "cpus")?,
        cpu_speed_mhz: number(row, "speed")?,
        capabilities: text(row, "capabilities")?,
        last_pinged,
        virtual_machine_id: text(row, "vm_uuid")?,
        management_server_id: text(row, "server_uuid")?,
        management_server_name: text(row, "server_name")?,
        cluster_id: text(row, "cluster_uuid")?,
        created: time(row, "created")?,
        removed: time(row, "removed")?,
        resource_state: text(row, "resource_state")?,
        ..HostView::default()
    })
}

fn names(view: &mut HostView, row: &Row) -> Result<(), StoreError> {
    view.zone_name = text(row, "zone_name")?;
    view.pod_name = text(row, "pod_name")?;
    view.cluster_name = text(row, "cluster_name")?;
    view.cluster_type = text(row, "cluster_type")?;
    Ok(())
}

fn hypervisor(view: &mut HostView, row: &Row) -> Result<(), StoreError> {
    view.hypervisor_version = text(row, "hypervisor_version")?;
    view.arch = text(row, "arch")?;
    view.storage_access_groups = text(row, "storage_access_groups")?;
    view.cluster_storage_access_groups = text(row, "cluster_groups")?;
    view.pod_storage_access_groups = text(row, "pod_groups")?;
    view.zone_storage_access_groups = text(row, "zone_groups")?;
    Ok(())
}

fn labels(view: &mut HostView, tags: &[Row]) -> Result<(), StoreError> {
    let Some(first) = tags.first() else { return Ok(()) };
    let mut explicit = Vec::new();
    let mut implicit = Vec::new();
    for row in tags {
        let tag: String = row.get("tag")?;
        if flag(row, "is_implicit")? { implicit.push(tag) } else { explicit.push(tag) }
    }
    let joined = |tags: &[String]| if tags.is_empty() { None } else { Some(tags.join(",")) };
    view.explicit_host_tags = joined(&explicit);
    view.implicit_host_tags = joined(&implicit);
    explicit.append(&mut implicit);
    view.host_tags = joined(&explicit);
    view.is_tag_a_rule = Some(flag(first, "is_tag_a_rule")?);
    Ok(())
}

fn has_tag(view: &HostView, tag: &str) -> bool {
    view.host_tags.as_deref().is_some_and(|tags| tags.split(',').any(|known| known.eq_ignore_ascii_case(tag)))
}

/// What of the host is given away (`contract/migration.md 5.3`).
fn capacity(view: &mut HostView, row: &Row) -> Result<(), StoreError> {
    let ratio = |column| Ok::<_, StoreError>(row.get::<Option<f64>>(column)?.unwrap_or(1.0));
    let cores = view.cpu_number.unwrap_or_default() as f64;
    let mhz = cores * view.cpu_speed_mhz.unwrap_or_default() as f64 * ratio("cpu_ratio")?;
    let bytes = number(row, "ram")?.unwrap_or_default() as f64 * ratio("memory_ratio")?;
    let mhz_given = number(row, "cpu_allocated")?.unwrap_or_default();
    let bytes_given = number(row, "memory_allocated")?.unwrap_or_default();
    let cpu_share = percentage(mhz_given as f64, mhz);
    view.cpu_allocated = Some(cpu_share.clone());
    view.cpu_allocated_mhz = Some(mhz_given);
    view.cpu_allocated_percentage = Some(cpu_share.clone());
    view.cpu_allocated_overprovisioned = Some(cpu_share);
    view.cpu_overprovisioned = Some(two_decimals(mhz).into_owned());
    view.memory_total_bytes = Some(bytes as i64);
    view.memory_overprovisioned = Some(two_decimals(bytes).into_owned());
    view.memory_allocated_bytes = bytes_given;
    view.memory_allocated_percentage = Some(percentage(bytes_given as f64, bytes));
    view.memory_allocated_too_bytes = Some(bytes_given);
    Ok(())
}

/// What the host told of its work. A host that never told any shows none, rather than zeros.
fn load(view: &mut HostView, figures: &HostFigures) {
    view.cpu_used = Some(format!("{}%", two_decimals(figures.cpu_percent)));
    view.memory_used_bytes = Some(figures.memory_used_bytes);
    view.network_kbs_read = Some(figures.received_bytes / 1024);
    view.network_kbs_write = Some(figures.sent_bytes / 1024);
}

fn abilities(view: &mut HostView, row: &Row, settings: &BTreeMap<String, String>) -> Result<(), StoreError> {
    // CloudStack counts kinds of pools that Hyper-V does not have, so a local pool of its hosts never shows.
    view.is_local_storage_active = Some(number(row, "local_pools")?.is_some_and(|pools| pools > 0));
    view.host_ha = Some(Node::Object(vec![("haenable".into(), false.into()), ("hastate".into(), "Disabled".into())]));
    view.out_of_band_management =
        Some(Node::Object(vec![("powerstate".into(), "Disabled".into()), ("enabled".into(), false.into())]));
    if view.kind.as_deref() == Some(ROUTING) {
        let uefi = settings.get("host.uefi.enable").is_some_and(|value| value.eq_ignore_ascii_case("true"));
        view.uefi_capability = Some(uefi);
    }
    view.has_annotations = Some(false);
    Ok(())
}
