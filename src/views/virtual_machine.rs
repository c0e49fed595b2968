//! How the rows of a machine become the object that clients see (`contract/entities.md 1.6`).

use std::collections::{BTreeMap, HashMap};

use super::nic::nic;
use super::row::{Owner, flag, number, text, time};
use super::tag::{TagView, tags};
use super::virtual_machine_view::VirtualMachineView;
use super::words::Words;
use crate::api::Node;
use crate::auth::Caller;
use crate::store::{ResourceKind, Row, Store, StoreError};

/// Settings that decide what is shown, with their values when nobody set them.
const SETTINGS: [(&str, &str); 3] = [
    ("vm.iso.max.count", "1"),
    (
        "user.vm.denied.details",
        "rootdisksize, cpuOvercommitRatio, memoryOvercommitRatio, Message.ReservedCapacityFreed.Flag",
    ),
    (
        "user.vm.readonly.details",
        "dataDiskController, rootDiskController, backupValidationCommandTimeout, backupValidationScreenshotWait, \
         backupValidationBootTimeout",
    ),
];

/// The machines with these internal ids, with all their fields, as `caller` may see them.
///
/// # Errors
/// See [`crate::store::Db::rows`].
pub async fn virtual_machines(
    store: &Store,
    caller: &Caller,
    ids: &[i64],
) -> Result<Vec<VirtualMachineView>, StoreError> {
    virtual_machines_with(store, caller, ids, &Words::all()).await
}

/// The machines with these internal ids, with the groups of fields that `details` names (`contract/entities.md 1.6`), as
/// `caller` may see them. What a machine was told at its start is always in it; a list takes it out unless it was asked
/// for.
///
/// # Errors
/// See [`crate::store::Db::rows`].
pub async fn virtual_machines_with(
    store: &Store,
    caller: &Caller,
    ids: &[i64],
    details: &Words,
) -> Result<Vec<VirtualMachineView>, StoreError> {
    let rows = store.virtual_machine_rows(ids).await?;
    let mut around = Around::read(store, ids, details).await?;
    let full = caller.full_view();
    rows.iter()
        .map(|row| {
            let id: i64 = row.get("id")?;
            let mut view = machine(row)?;
            image(&mut view, row, &around.settings.iso_max_count, details)?;
            offering(&mut view, row, details)?;
            let volumes = around.disks.remove(&id).unwrap_or_default();
            let cards = around.nics.remove(&id).unwrap_or_default();
            // CloudStack joins machines with their disks and cards; what the second of several rows tells is shown
            // whether it was asked for or not.
            let several = volumes.len() > 1 || cards.len() > 1;
            disks(&mut view, &volumes, several, details)?;
            if several || details.wants(&["nics"]) {
                view.nics = cards.iter().map(nic).collect::<Result<_, _>>()?;
                view.ip_address = view.nics.first().and_then(|card| card.ip_address.clone());
            }
            let groups = around.groups.remove(&id).unwrap_or_default();
            view.affinity_groups = groups.iter().map(affinity_group).collect::<Result<_, _>>()?;
            settings(&mut view, around.details.remove(&id));
            if full {
                inside(&mut view, row)?;
            } else {
                restrict(&mut view, &around.settings);
            }
            view.tags = around.tags.remove(&id).unwrap_or_default();
            view.job_id = around.jobs.remove(&id);
            view.job_status = view.job_id.as_ref().map(|_| 0);
            Ok(view)
        })
        .collect()
}

/// The values of [`SETTINGS`].
struct Settings {
    iso_max_count: String,
    denied: String,
    readonly: String,
}

/// What hangs on the machines of a page.
struct Around {
    tags: HashMap<i64, Vec<TagView>>,
    jobs: HashMap<i64, String>,
    details: HashMap<i64, BTreeMap<String, String>>,
    nics: HashMap<i64, Vec<Row>>,
    disks: HashMap<i64, Vec<Row>>,
    groups: HashMap<i64, Vec<Row>>,
    settings: Settings,
}

impl Around {
    async fn read(store: &Store, ids: &[i64], details: &Words) -> Result<Self, StoreError> {
        let known = store.settings_named(&SETTINGS.map(|(name, _)| name)).await?;
        let value = |(name, default): (&str, &str)| known.get(name).map_or(default, String::as_str).to_owned();
        let groups = if details.wants(&["affgrp"]) { store.affinity_groups_of(ids).await? } else { HashMap::new() };
        Ok(Self {
            tags: tags(store, ResourceKind::VirtualMachine, ids).await?,
            jobs: store.pending_jobs_of(ResourceKind::VirtualMachine, ids).await?,
            details: store.details_of(ResourceKind::VirtualMachine, ids).await?,
            nics: store.nics_of(ids).await?,
            disks: store.disks_of(ids).await?,
            groups,
            settings: Settings {
                iso_max_count: value(SETTINGS[0]),
                denied: value(SETTINGS[1]),
                readonly: value(SETTINGS[2]),
            },
        })
    }
}

fn machine(row: &Row) -> Result<VirtualMachineView, StoreError> {
    let owner = Owner::read(row)?;
    let name = text(row, "name")?.unwrap_or_default();
    let guest_os_id = text(row, "guest_os_uuid")?;
    Ok(VirtualMachineView {
        id: text(row, "uuid")?.unwrap_or_default(),
        display_name: text(row, "display_name")?.or_else(|| Some(name.clone())),
        name,
        account: owner.account,
        user_id: text(row, "user_uuid")?,
        username: text(row, "username")?,
        project_id: owner.project_id,
        project: owner.project,
        domain_id: owner.domain_id,
        domain: owner.domain,
        domain_path: owner.domain_path,
        created: time(row, "created")?,
        last_updated: time(row, "update_time")?,
        state: text(row, "state")?,
        ha_enabled: Some(flag(row, "ha_enabled")?),
        zone_id: text(row, "zone_uuid")?,
        zone_name: text(row, "zone_name")?,
        host_control_state: text(row, "host_uuid")?.map(|_| host_control_state(row)).transpose()?,
        os_type_id: guest_os_id.clone(),
        guest_os_id,
        hypervisor: text(row, "hypervisor_type")?,
        is_dynamically_scalable: Some(flag(row, "dynamically_scalable")?),
        delete_protection: flag(row, "delete_protection")?,
        os_display_name: text(row, "guest_os_name")?,
        received_bytes: Some(0),
        sent_bytes: Some(0),
        user_data: text(row, "user_data")?,
        user_data_details: text(row, "user_data_details")?,
        vm_type: text(row, "user_vm_type")?,
        has_annotations: Some(false),
        ..VirtualMachineView::default()
    })
}

/// Whether the host of a machine can be told anything (`contract/entities.md 4.2`).
pub(super) fn host_control_state(row: &Row) -> Result<String, StoreError> {
    let (status, resource) = (text(row, "host_status")?, text(row, "host_resource_state")?);
    let word = match (status.as_deref(), resource.as_deref()) {
        (None | Some("Unknown"), _) => "Unknown",
        (Some("Down" | "Disconnected" | "Alert" | "Removed" | "Error" | "Rebalancing"), _) => "Offline",
        (_, Some(state)) if state.contains("Maintenance") => "Maintenance",
        (_, Some("Enabled")) => "Enabled",
        _ => "Disabled",
    };
    Ok(word.to_owned())
}

fn image(view: &mut VirtualMachineView, row: &Row, iso_max: &str, details: &Words) -> Result<(), StoreError> {
    if details.wants(&["tmpl"]) {
        view.template_id = text(row, "template_uuid")?;
        view.template_name = text(row, "template_name")?;
        view.template_type = text(row, "template_type")?;
        view.template_format = text(row, "template_format")?;
        view.template_display_text = text(row, "template_text")?;
        view.password_enabled = Some(flag(row, "enable_password")?);
    }
    if details.wants(&["iso"]) {
        view.iso_id = text(row, "iso_uuid")?;
        view.iso_name = text(row, "iso_name")?;
        view.iso_display_text = text(row, "iso_text")?;
        let mut isos = Vec::new();
        if let Some(id) = &view.iso_id {
            let mut fields = vec![("id".into(), id.clone().into())];
            fields.extend(view.iso_name.clone().map(|name| ("name".into(), name.into())));
            fields.extend(view.iso_display_text.clone().map(|text| ("displaytext".into(), text.into())));
            fields.push(("bootable".into(), flag(row, "iso_bootable")?.into()));
            isos.push(Node::Object(fields));
        }
        view.isos = Some(isos);
        view.iso_max_count = iso_max.trim().parse().ok();
    }
    Ok(())
}

fn offering(view: &mut VirtualMachineView, row: &Row, details: &Words) -> Result<(), StoreError> {
    if details.wants(&["servoff"]) {
        view.service_offering_id = text(row, "service_offering_uuid")?;
        view.service_offering_name = text(row, "service_offering_name")?;
    }
    if details.wants(&["servoff", "stats"]) {
        view.cpu_number = number(row, "cpu")?;
        view.cpu_speed_mhz = number(row, "speed")?;
        view.memory_mib = number(row, "ram_size")?;
    }
    Ok(())
}

/// The disk it starts from, and the offering of the first disk that has one of its own: what machines are offered with brings
/// a disk offering along that is nobody's choice.
fn disks(view: &mut VirtualMachineView, disks: &[Row], several: bool, details: &Words) -> Result<(), StoreError> {
    for disk in disks {
        let is_root = text(disk, "volume_type")?.as_deref() == Some("ROOT");
        if is_root && view.pool_type.is_none() {
            view.pool_type = text(disk, "pool_type")?;
            if details.wants(&["volume"]) {
                view.root_device_id = number(disk, "device_id")?;
                view.root_device_type = Some("ROOT".to_owned());
            }
        }
        let is_own = number(disk, "compute_only")? == Some(0);
        if is_own && view.disk_offering_id.is_none() && (several || details.wants(&["diskoff"])) {
            view.disk_offering_id = text(disk, "disk_offering_uuid")?;
            view.disk_offering_name = text(disk, "disk_offering_name")?;
        }
    }
    Ok(())
}

fn affinity_group(row: &Row) -> Result<Node, StoreError> {
    let mut fields = Vec::new();
    for (name, column) in [
        ("id", "uuid"),
        ("name", "name"),
        ("description", "description"),
        ("account", "account_name"),
        ("domainid", "domain_uuid"),
        ("domain", "domain_name"),
        ("type", "type"),
    ] {
        fields.extend(text(row, column)?.map(|value| (name.into(), value.into())));
    }
    Ok(Node::Object(fields))
}

/// Puts the settings in, and how the machine starts: CloudStack knows that only of machines without any setting, or with
/// the one about UEFI. One that is not shown is a setting too.
fn settings(view: &mut VirtualMachineView, details: Option<BTreeMap<String, String>>) {
    let start = match &details {
        None => Some(("Bios", "legacy".to_owned())),
        Some(details) => details.get("UEFI").map(|mode| ("Uefi", mode.to_lowercase())),
    };
    if let Some((kind, mode)) = start {
        view.boot_type = Some(kind.to_owned());
        view.boot_mode = Some(mode);
    }
    view.details = Some(details.unwrap_or_default());
}

/// Adds what only root admins see.
fn inside(view: &mut VirtualMachineView, row: &Row) -> Result<(), StoreError> {
    view.host_id = text(row, "host_uuid")?;
    view.host_name = text(row, "host_name")?;
    view.instance_name = text(row, "instance_name")?;
    view.display_vm = Some(flag(row, "display_vm")?);
    view.arch = text(row, "arch")?;
    Ok(())
}

/// Takes out the settings that are not for the owner, and names those that the owner cannot change.
fn restrict(view: &mut VirtualMachineView, settings: &Settings) {
    let denied: Vec<&str> = settings.denied.split(',').map(str::trim).collect();
    if let Some(details) = &mut view.details {
        details.retain(|name, _| !denied.contains(&name.as_str()));
    }
    view.readonly_details = Some(settings.readonly.clone());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_machine_without_any_setting_is_known_to_start_the_old_way() {
        let started = |details: Option<&[(&str, &str)]>| {
            let details = details.map(|all| {
                all.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<BTreeMap<_, _>>()
            });
            let mut view = VirtualMachineView::default();
            settings(&mut view, details);
            assert!(view.details.is_some());
            (view.boot_type.unwrap_or_default(), view.boot_mode.unwrap_or_default())
        };
        let words = |kind: &str, mode: &str| (kind.to_owned(), mode.to_owned());
        assert_eq!(started(None), words("Bios", "legacy"));
        assert_eq!(started(Some(&[])), words("", ""), "it has settings that are not shown");
        assert_eq!(started(Some(&[("nicAdapter", "E1000")])), words("", ""));
        assert_eq!(started(Some(&[("UEFI", "SECURE")])), words("Uefi", "secure"));
    }
}
