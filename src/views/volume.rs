//! The object `volume` (`contract/entities.md 1.7`), in the order in which CloudStack prints its fields.

use std::collections::BTreeMap;

use super::row::{Owner, flag, number, text, time};
use super::tag::{TagView, tags};
use crate::auth::Caller;
use crate::model::Timestamp;
use crate::store::{ResourceKind, Row, Store, StoreError};

crate::response! {
    /// A disk.
    pub struct VolumeView as "volume", Default {
        /// Its id.
        id: String,
        /// Its name; empty when it has none.
        name: String,
        /// The zone it is in.
        zone_id "zoneid": Option<String>,
        /// The name of that zone.
        zone_name "zonename": Option<String>,
        /// `ROOT` for the disk a machine starts from, else `DATADISK`.
        kind "type": Option<String>,
        /// Its place at the machine, from 0.
        device_id "deviceid": Option<i64>,
        /// The machine it is attached to.
        virtual_machine_id "virtualmachineid": Option<String>,
        /// The ISO image it was made from. Not filled here.
        iso_id "isoid": Option<String>,
        /// The name of that image. Not filled here.
        iso_name "isoname": Option<String>,
        /// The description of that image. Not filled here.
        iso_display_text "isodisplaytext": Option<String>,
        /// The template it was made from.
        template_id "templateid": Option<String>,
        /// The name of that template.
        template_name "templatename": Option<String>,
        /// The description of that template.
        template_display_text "templatedisplaytext": Option<String>,
        /// The name of the machine it is attached to.
        vm_name "vmname": Option<String>,
        /// The display name of that machine.
        vm_display_name "vmdisplayname": Option<String>,
        /// The state of that machine.
        vm_state "vmstate": Option<String>,
        /// The kind of that machine, such as `User`.
        vm_type "vmtype": Option<String>,
        /// `thin`, `sparse` or `fat`.
        provisioning_type "provisioningtype": Option<String>,
        /// Its size in bytes, as the machine sees it.
        size_bytes "size": Option<i64>,
        /// The fewest operations per second it is to have.
        min_iops "miniops": Option<i64>,
        /// The most operations per second it may have.
        max_iops "maxiops": Option<i64>,
        /// When this copy of it was made.
        created: Option<Timestamp>,
        /// What is being done with it; `Ready` when nothing is.
        state: Option<String>,
        /// The account that owns it, unless a project does.
        account: Option<String>,
        /// The project that owns it.
        project_id "projectid": Option<String>,
        /// The name of that project.
        project: Option<String>,
        /// The domain of its owner.
        domain_id "domainid": Option<String>,
        /// The name of that domain.
        domain: Option<String>,
        /// The path of that domain, as `ROOT/a`.
        domain_path "domainpath": Option<String>,
        /// `shared` or `local`. Root admins only.
        storage_type "storagetype": Option<String>,
        /// The most bytes per second that may be read.
        disk_bytes_read_rate "diskBytesReadRate": Option<i64>,
        /// CloudStack shows the rate of reading here as well.
        disk_bytes_write_rate "diskBytesWriteRate": Option<i64>,
        /// CloudStack shows the rate of write operations here.
        disk_iops_read_rate "diskIopsReadRate": Option<i64>,
        /// The most write operations per second.
        disk_iops_write_rate "diskIopsWriteRate": Option<i64>,
        /// KiB read. Not filled here: no statistics are kept.
        disk_kbs_read "diskkbsread": Option<i64>,
        /// KiB written. Not filled here.
        disk_kbs_write "diskkbswrite": Option<i64>,
        /// Read operations. Not filled here.
        disk_io_read "diskioread": Option<i64>,
        /// Write operations. Not filled here.
        disk_io_write "diskiowrite": Option<i64>,
        /// The hypervisor it is for, `None` when it is not known yet. Root admins only.
        hypervisor: Option<String>,
        /// The disk offering, unless it belongs to a service offering.
        disk_offering_id "diskofferingid": Option<String>,
        /// The name of that offering.
        disk_offering_name "diskofferingname": Option<String>,
        /// The description of that offering.
        disk_offering_display_text "diskofferingdisplaytext": Option<String>,
        /// The name of the pool it is in. Root admins only.
        storage: Option<String>,
        /// The snapshot it was made from. Not filled here.
        snapshot_id "snapshotid": Option<String>,
        /// When it was attached.
        attached: Option<Timestamp>,
        /// Whether it was given up by its owner.
        destroyed: bool,
        /// The service offering of a root disk, as an internal number, as in CloudStack.
        service_offering_id "serviceofferingid": Option<String>,
        /// The name of that offering.
        service_offering_name "serviceofferingname": Option<String>,
        /// The description of that offering.
        service_offering_display_text "serviceofferingdisplaytext": Option<String>,
        /// Whether its owner may download it.
        is_extractable "isextractable": bool,
        /// Progress of an upload. Not filled here.
        status: Option<String>,
        /// Whether ordinary users see it. Root admins only.
        display_volume "displayvolume": Option<bool>,
        /// The name of its file without folder and extension. Root admins only.
        path: Option<String>,
        /// The pool it is in. Root admins only.
        storage_id "storageid": Option<String>,
        /// What the hypervisor says about its chain of files.
        chain_info "chaininfo": Option<String>,
        /// Whether the pool can make a machine quiet for a snapshot.
        quiesce_vm "quiescevm": bool,
        /// Whether the pool can take snapshots by itself.
        supports_storage_snapshot "supportsstoragesnapshot": bool,
        /// Whether it is protected against deletion.
        delete_protection "deleteprotection": bool,
        /// Bytes its file takes. Not filled here.
        physical_size_bytes "physicalsize": Option<i64>,
        /// Bytes the machine sees, as measured. Not filled here.
        virtual_size_bytes "virtualsize": Option<i64>,
        /// The one as a share of the other. Not filled here.
        utilization: Option<String>,
        /// The cluster of its pool. Root admins only.
        cluster_id "clusterid": Option<String>,
        /// The name of that cluster. Root admins only.
        cluster_name "clustername": Option<String>,
        /// The pod of its pool. Root admins only.
        pod_id "podid": Option<String>,
        /// The name of that pod. Root admins only.
        pod_name "podname": Option<String>,
        /// Its id outside, for imported disks.
        external_uuid "externaluuid": Option<String>,
        /// What a check of its file found. Not filled here.
        check_result "volumecheckresult": Option<BTreeMap<String, String>>,
        /// What a repair of its file did. Not filled here.
        repair_result "volumerepairresult": Option<BTreeMap<String, String>>,
        /// How it is encrypted.
        encrypt_format "encryptformat": Option<String>,
        /// The name of the key it is encrypted with. Not filled here.
        kms_key "kmskey": Option<String>,
        /// The id of that key. Not filled here.
        kms_key_id "kmskeyid": Option<String>,
        /// The version of that key. Not filled here.
        kms_key_version "kmskeyversion": Option<i64>,
        /// What people wrote on it.
        tags: Vec<TagView>,
        /// Whether there are comments about it. There are none here.
        has_annotations "hasannotations": Option<bool>,
        /// The newest job about it that runs.
        job_id "jobid": Option<String>,
        /// 0 while such a job runs.
        job_status "jobstatus": Option<i64>,
    }
}

/// What the pages of volumes share.
struct Around<'a> {
    full: bool,
    xenserver_zones: &'a [String],
}

/// The volumes with these internal ids, as `caller` may see them.
///
/// # Errors
/// See [`crate::store::Db::rows`].
pub async fn volumes(store: &Store, caller: &Caller, ids: &[i64]) -> Result<Vec<VolumeView>, StoreError> {
    let rows = store.volume_rows(ids).await?;
    let mut tags = tags(store, ResourceKind::Volume, ids).await?;
    let mut jobs = store.pending_jobs_of(ResourceKind::Volume, ids).await?;
    let full = caller.full_view();
    let xenserver_zones = if full { store.zones_with_xenserver().await? } else { Vec::new() };
    let around = Around { full, xenserver_zones: &xenserver_zones };
    rows.iter()
        .map(|row| {
            let id: i64 = row.get("id")?;
            let mut view = volume(row, &around)?;
            view.tags = tags.remove(&id).unwrap_or_default();
            view.job_id = jobs.remove(&id);
            view.job_status = view.job_id.as_ref().map(|_| 0);
            Ok(view)
        })
        .collect()
}

fn volume(row: &Row, around: &Around<'_>) -> Result<VolumeView, StoreError> {
    let state = text(row, "state")?;
    let owner = Owner::read(row)?;
    let mut view = VolumeView {
        id: text(row, "uuid")?.unwrap_or_default(),
        name: text(row, "name")?.unwrap_or_default(),
        zone_id: text(row, "zone_uuid")?,
        zone_name: text(row, "zone_name")?,
        kind: text(row, "volume_type")?,
        device_id: number(row, "device_id")?,
        template_id: text(row, "template_uuid")?,
        template_name: text(row, "template_name")?,
        template_display_text: text(row, "template_text")?,
        provisioning_type: text(row, "provisioning_type")?,
        size_bytes: number(row, "size")?,
        min_iops: number(row, "min_iops")?,
        max_iops: number(row, "max_iops")?,
        created: time(row, "created")?,
        account: owner.account,
        project_id: owner.project_id,
        project: owner.project,
        domain_id: owner.domain_id,
        domain: owner.domain,
        domain_path: owner.domain_path,
        attached: time(row, "attached")?,
        destroyed: state.as_deref() == Some("Destroy"),
        is_extractable: extractable(row)?,
        chain_info: text(row, "chain_info")?,
        delete_protection: flag(row, "delete_protection")?,
        external_uuid: text(row, "external_uuid")?,
        encrypt_format: text(row, "encrypt_format")?,
        has_annotations: Some(false),
        state,
        ..VolumeView::default()
    };
    offerings(&mut view, row)?;
    if !view.destroyed {
        machine(&mut view, row)?;
    }
    if around.full {
        place(&mut view, row, around)?;
    }
    Ok(view)
}

/// A disk can be downloaded unless its template says otherwise.
fn extractable(row: &Row) -> Result<bool, StoreError> {
    let system = text(row, "template_type")?.as_deref() == Some("SYSTEM");
    Ok(!system && row.get::<Option<bool>>("extractable")?.unwrap_or(true))
}

fn machine(view: &mut VolumeView, row: &Row) -> Result<(), StoreError> {
    view.virtual_machine_id = text(row, "vm_uuid")?;
    view.vm_name = text(row, "vm_name")?;
    view.vm_display_name = text(row, "vm_display_name")?.or_else(|| view.vm_name.clone());
    view.vm_state = text(row, "vm_state")?;
    view.vm_type = text(row, "vm_type")?;
    Ok(())
}

/// A disk has a disk offering of its own, or one that only serves a service offering, which is shown instead.
fn offerings(view: &mut VolumeView, row: &Row) -> Result<(), StoreError> {
    if flag(row, "compute_only")? {
        view.service_offering_id = number(row, "service_offering_id")?.map(|id| id.to_string());
        view.service_offering_name = text(row, "service_offering_name")?;
        view.service_offering_display_text = text(row, "service_offering_text")?;
    } else {
        view.disk_offering_id = text(row, "disk_offering_uuid")?;
        view.disk_offering_name = text(row, "disk_offering_name")?;
        view.disk_offering_display_text = text(row, "disk_offering_text")?;
    }
    view.disk_bytes_read_rate = number(row, "bytes_read_rate")?;
    view.disk_bytes_write_rate = view.disk_bytes_read_rate;
    view.disk_iops_write_rate = number(row, "iops_write_rate")?;
    view.disk_iops_read_rate = view.disk_iops_write_rate;
    Ok(())
}

fn place(view: &mut VolumeView, row: &Row, around: &Around<'_>) -> Result<(), StoreError> {
    let on_host = match text(row, "pool_scope")? {
        Some(scope) => scope.eq_ignore_ascii_case("HOST"),
        None => flag(row, "use_local_storage")?,
    };
    view.storage_type = Some(if on_host { "local" } else { "shared" }.to_owned());
    view.hypervisor = Some(hypervisor(view, row, around)?);
    view.storage = text(row, "pool_name")?;
    view.display_volume = Some(flag(row, "display_volume")?);
    view.path = text(row, "path")?;
    view.storage_id = text(row, "pool_uuid")?;
    view.cluster_id = text(row, "cluster_uuid")?;
    view.cluster_name = text(row, "cluster_name")?;
    view.pod_id = text(row, "pod_uuid")?;
    view.pod_name = text(row, "pod_name")?;
    Ok(())
}

/// The hypervisor of the machine, else of the pool, else what the format of the file tells (`contract/entities.md 1.7`).
fn hypervisor(view: &VolumeView, row: &Row, around: &Around<'_>) -> Result<String, StoreError> {
    for column in ["vm_hypervisor", "pool_hypervisor", "cluster_hypervisor"] {
        if let Some(name) = text(row, column)? {
            return Ok(name);
        }
    }
    let xenserver = view.zone_id.as_ref().is_some_and(|zone| around.xenserver_zones.contains(zone));
    let name = match text(row, "format")?.as_deref() {
        Some("VHDX") => "Hyperv",
        Some("VHD") if xenserver => "XenServer",
        Some("VHD") => "Hyperv",
        _ => "None",
    };
    Ok(name.to_owned())
}
