//! The object `zone` (`contract/entities.md 1.1`), in the order in which CloudStack prints its fields.

use std::collections::BTreeMap;

use super::row::{flag, number, text};
use super::tag::{TagView, tags};
use crate::api::Node;
use crate::auth::Caller;
use crate::store::{ResourceKind, Row, Store, StoreError};

crate::response! {
    /// A place with hosts, storage and networks.
    pub struct ZoneView as "zone", Default {
        /// Its id.
        id: String,
        /// Its name.
        name: Option<String>,
        /// What it is for.
        description: Option<String>,
        /// The first name server for machines. Root admins only.
        dns1: Option<String>,
        /// The second one. Root admins only.
        dns2: Option<String>,
        /// The first name server, version 6. Root admins only.
        ip6_dns1 "ip6dns1": Option<String>,
        /// The second one, version 6. Root admins only.
        ip6_dns2 "ip6dns2": Option<String>,
        /// The first name server for system machines. Root admins only.
        internal_dns1 "internaldns1": Option<String>,
        /// The second one. Root admins only.
        internal_dns2 "internaldns2": Option<String>,
        /// The range for networks of machines. Root admins only.
        guest_cidr_address "guestcidraddress": Option<String>,
        /// Never set, as in CloudStack.
        display_text "displaytext": Option<String>,
        /// What names of machines end with.
        domain: Option<String>,
        /// The domain it is kept for.
        domain_id "domainid": Option<String>,
        /// The name of that domain.
        domain_name "domainname": Option<String>,
        /// `Basic` or `Advanced`.
        network_type "networktype": Option<String>,
        /// Whether security groups work in it.
        security_groups_enabled "securitygroupsenabled": Option<bool>,
        /// Graphics processors. None are known here.
        gpu_total "gputotal": Option<i64>,
        /// Graphics processors in use. None here.
        gpu_used "gpuused": Option<i64>,
        /// `Enabled` or `Disabled`.
        allocation_state "allocationstate": Option<String>,
        /// A word that systems of the zone know.
        zone_token "zonetoken": Option<String>,
        /// Who gives out addresses.
        dhcp_provider "dhcpprovider": Option<String>,
        /// How much is left. Not filled here.
        capacity: Option<Vec<Node>>,
        /// Whether disks may be kept on hosts.
        local_storage_enabled "localstorageenabled": Option<bool>,
        /// What people wrote on it.
        tags: Vec<TagView>,
        /// Settings of it. Not filled here.
        resource_details "resourcedetails": Option<BTreeMap<String, String>>,
        /// Its picture. Not filled here.
        icon: Option<Node>,
        /// Whether users choose the size of packets.
        allow_user_specify_mtu "allowuserspecifyvrmtu": Option<bool>,
        /// The largest packets inside.
        private_max_mtu "routerprivateinterfacemaxmtu": Option<i64>,
        /// The largest packets outside.
        public_max_mtu "routerpublicinterfacemaxmtu": Option<i64>,
        /// `Core` or `Edge`.
        kind "type": Option<String>,
        /// Whether NSX makes its networks: never, here.
        is_nsx_enabled "isnsxenabled": bool,
        /// Who else makes its networks. Not filled here.
        provider: Option<String>,
        /// Whether it has processors of several kinds.
        is_multi_arch "ismultiarch": bool,
        /// Its numbers for routing; empty here.
        asn_range "asnrange": Option<String>,
        /// Whether networks may be routed.
        routed_mode_enabled "routedmodeenabled": bool,
        /// Its access groups.
        storage_access_groups "storageaccessgroups": Option<String>,
        /// Whether there are comments about it. There are none here.
        has_annotations "hasannotations": Option<bool>,
    }
}

/// Settings that zones show, with their values when nobody set them.
const SETTINGS: [(&str, &str); 4] = [
    ("allow.end.users.to.specify.vr.mtu", "false"),
    ("vr.private.interface.max.mtu", "1500"),
    ("vr.public.interface.max.mtu", "1500"),
    ("routed.network.vpc.enabled", "true"),
];

/// The zones with these internal ids, as `caller` may see them.
///
/// # Errors
/// See [`crate::store::Db::rows`].
pub async fn zones(store: &Store, caller: &Caller, ids: &[i64]) -> Result<Vec<ZoneView>, StoreError> {
    let rows = store.zone_rows(ids).await?;
    let mut tags = tags(store, ResourceKind::Zone, ids).await?;
    let known = store.settings_named(&SETTINGS.map(|(name, _)| name)).await?;
    let [own_mtu, private_mtu, public_mtu, routed] =
        SETTINGS.map(|(name, default)| known.get(name).map_or(default, String::as_str));
    rows.iter()
        .map(|row| {
            let mut view = zone(row)?;
            if caller.full_view() {
                servers(&mut view, row)?;
            }
            view.tags = tags.remove(&row.get("id")?).unwrap_or_default();
            view.allow_user_specify_mtu = Some(own_mtu == "true");
            view.private_max_mtu = private_mtu.parse().ok();
            view.public_max_mtu = public_mtu.parse().ok();
            view.routed_mode_enabled = routed == "true";
            Ok(view)
        })
        .collect()
}

fn zone(row: &Row) -> Result<ZoneView, StoreError> {
    Ok(ZoneView {
        id: text(row, "uuid")?.unwrap_or_default(),
        name: text(row, "name")?,
        description: text(row, "description")?,
        domain: text(row, "domain")?,
        domain_id: text(row, "domain_uuid")?,
        domain_name: text(row, "domain_name")?,
        network_type: text(row, "networktype")?,
        security_groups_enabled: Some(flag(row, "is_security_group_enabled")?),
        gpu_total: Some(0),
        gpu_used: Some(0),
        allocation_state: text(row, "allocation_state")?,
        zone_token: text(row, "zone_token")?,
        dhcp_provider: text(row, "dhcp_provider")?,
        local_storage_enabled: Some(flag(row, "is_local_storage_enabled")?),
        kind: text(row, "type")?,
        is_multi_arch: number(row, "arches")?.is_some_and(|kinds| kinds > 1),
        asn_range: Some(String::new()),
        storage_access_groups: text(row, "storage_access_groups")?,
        has_annotations: Some(false),
        ..ZoneView::default()
    })
}

/// Adds what only root admins see.
fn servers(view: &mut ZoneView, row: &Row) -> Result<(), StoreError> {
    view.dns1 = text(row, "dns1")?;
    view.dns2 = text(row, "dns2")?;
    view.ip6_dns1 = text(row, "ip6_dns1")?;
    view.ip6_dns2 = text(row, "ip6_dns2")?;
    view.internal_dns1 = text(row, "internal_dns1")?;
    view.internal_dns2 = text(row, "internal_dns2")?;
    if view.network_type.as_deref() == Some("Advanced") {
        view.guest_cidr_address = text(row, "guest_network_cidr")?;
    }
    Ok(())
}
