//! The objects `systemvm` and `router`, in the order in which CloudStack prints their fields.

use super::row::{Owner, flag, text, time};
use super::virtual_machine::host_control_state;
use crate::model::Timestamp;
use crate::store::{Row, Store, StoreError};

crate::response! {
    /// A machine that another control plane on the same database made for its own work.
    pub struct SystemVmView as "systemvm" {
        /// Its id.
        id: Option<String>,
        /// `consoleproxy` or `secondarystoragevm`.
        kind "systemvmtype": Option<String>,
        /// The zone it is in.
        zone_id "zoneid": Option<String>,
        /// The name of that zone.
        zone_name "zonename": Option<String>,
        /// The name server of that zone.
        dns1: Option<String>,
        /// Its name.
        name: Option<String>,
        /// The pod it is in.
        pod_id "podid": Option<String>,
        /// The name of that pod.
        pod_name "podname": Option<String>,
        /// The host it runs on.
        host_id "hostid": Option<String>,
        /// The name of that host.
        host_name "hostname": Option<String>,
        /// Whether that host can be told anything.
        host_control_state "hostcontrolstate": Option<String>,
        /// Its hypervisor.
        hypervisor: Option<String>,
        /// The template it was made from.
        template_id "templateid": Option<String>,
        /// The name of that template.
        template_name "templatename": Option<String>,
        /// When it was made.
        created: Option<Timestamp>,
        /// What it is doing.
        state: Option<String>,
        /// Whether it may grow while it runs.
        is_dynamically_scalable "isdynamicallyscalable": bool,
        /// What it is like.
        service_offering_id "serviceofferingid": Option<String>,
        /// The name of that.
        service_offering_name "serviceofferingname": Option<String>,
        /// The kind of processors it is for.
        arch: Option<String>,
        /// Whether there are comments about it. There are none here.
        has_annotations "hasannotations": bool,
    }
}

crate::response! {
    /// A router that another control plane on the same database made.
    pub struct RouterView as "router" {
        /// Its id.
        id: Option<String>,
        /// The zone it is in.
        zone_id "zoneid": Option<String>,
        /// The name of that zone.
        zone_name "zonename": Option<String>,
        /// The name server of that zone.
        dns1: Option<String>,
        /// Its name.
        name: Option<String>,
        /// The pod it is in.
        pod_id "podid": Option<String>,
        /// The name of that pod.
        pod_name "podname": Option<String>,
        /// The host it runs on.
        host_id "hostid": Option<String>,
        /// The name of that host.
        host_name "hostname": Option<String>,
        /// Whether that host can be told anything.
        host_control_state "hostcontrolstate": Option<String>,
        /// Its hypervisor.
        hypervisor: Option<String>,
        /// The template it was made from.
        template_id "templateid": Option<String>,
        /// The name of that template.
        template_name "templatename": Option<String>,
        /// When it was made.
        created: Option<Timestamp>,
        /// What it is doing.
        state: Option<String>,
        /// The account it works for.
        account: Option<String>,
        /// The project it works for.
        project_id "projectid": Option<String>,
        /// The name of that project.
        project: Option<String>,
        /// The domain it works for.
        domain_id "domainid": Option<String>,
        /// The name of that domain.
        domain: Option<String>,
        /// The path of that domain.
        domain_path "domainpath": Option<String>,
        /// What it is like.
        service_offering_id "serviceofferingid": Option<String>,
        /// The name of that.
        service_offering_name "serviceofferingname": Option<String>,
        /// What it does: `VIRTUAL_ROUTER`.
        role: &'static str,
        /// The kind of processors it is for.
        arch: Option<String>,
        /// Whether there are comments about it. There are none here.
        has_annotations "hasannotations": bool,
    }
}

/// The system machines with these internal ids.
///
/// # Errors
/// See [`crate::store::Db::rows`].
pub async fn system_vms(store: &Store, ids: &[i64]) -> Result<Vec<SystemVmView>, StoreError> {
    let view = |row: &Row| {
        Ok(SystemVmView {
            id: text(row, "uuid")?,
            kind: text(row, "type")?.map(|kind| kind.to_lowercase()),
            zone_id: text(row, "zone_uuid")?,
            zone_name: text(row, "zone_name")?,
            dns1: text(row, "dns1")?,
            name: text(row, "name")?,
            pod_id: text(row, "pod_uuid")?,
            pod_name: text(row, "pod_name")?,
            host_id: text(row, "host_uuid")?,
            host_name: text(row, "host_name")?,
            host_control_state: text(row, "host_uuid")?.map(|_| host_control_state(row)).transpose()?,
            hypervisor: text(row, "hypervisor_type")?,
            template_id: text(row, "template_uuid")?,
            template_name: text(row, "template_name")?,
            created: time(row, "created")?,
            state: text(row, "state")?,
            is_dynamically_scalable: flag(row, "dynamically_scalable")?,
            service_offering_id: text(row, "offering_uuid")?,
            service_offering_name: text(row, "offering_name")?,
            arch: text(row, "arch")?,
            has_annotations: false,
        })
    };
    store.system_machine_rows(ids).await?.iter().map(view).collect()
}

/// The routers with these internal ids.
///
/// # Errors
/// See [`crate::store::Db::rows`].
pub async fn routers(store: &Store, ids: &[i64]) -> Result<Vec<RouterView>, StoreError> {
    let view = |row: &Row| {
        let owner = Owner::read(row)?;
        Ok(RouterView {
            id: text(row, "uuid")?,
            zone_id: text(row, "zone_uuid")?,
            zone_name: text(row, "zone_name")?,
            dns1: text(row, "dns1")?,
            name: text(row, "name")?,
            pod_id: text(row, "pod_uuid")?,
            pod_name: text(row, "pod_name")?,
            host_id: text(row, "host_uuid")?,
            host_name: text(row, "host_name")?,
            host_control_state: text(row, "host_uuid")?.map(|_| host_control_state(row)).transpose()?,
            hypervisor: text(row, "hypervisor_type")?,
            template_id: text(row, "template_uuid")?,
            template_name: text(row, "template_name")?,
            created: time(row, "created")?,
            state: text(row, "state")?,
            account: owner.account,
            project_id: owner.project_id,
            project: owner.project,
            domain_id: owner.domain_id,
            domain: owner.domain,
            domain_path: owner.domain_path,
            service_offering_id: text(row, "offering_uuid")?,
            service_offering_name: text(row, "offering_name")?,
            role: "VIRTUAL_ROUTER",
            arch: text(row, "arch")?,
            has_annotations: false,
        })
    };
    store.system_machine_rows(ids).await?.iter().map(view).collect()
}
