//! The object `pod` (`contract/entities.md 1.2`), in the order in which CloudStack prints its fields.

use std::net::Ipv4Addr;

use super::row::{number, text};
use crate::api::Node;
use crate::store::{Row, Store, StoreError};

crate::response! {
    /// A range of addresses for the management of a pod.
    pub struct IpRangeView as "iprange", Default {
        /// The way out.
        gateway: Option<String>,
        /// The network.
        cidr: Option<String>,
        /// The first address.
        start_ip "startip": Option<String>,
        /// The last address.
        end_ip "endip": Option<String>,
        /// `1` when it is for system machines only.
        for_system_vms "forsystemvms": Option<String>,
        /// The network it is in.
        vlan_id "vlanid": Option<String>,
    }
}

crate::response! {
    /// A part of a zone.
    pub struct PodView as "pod", Default {
        /// Its id.
        id: String,
        /// Its name.
        name: Option<String>,
        /// The zone it is in.
        zone_id "zoneid": Option<String>,
        /// The name of that zone.
        zone_name "zonename": Option<String>,
        /// The way out of its management network.
        gateway: Option<String>,
        /// The mask of that network.
        netmask: Option<String>,
        /// The addresses of that network that may be given away.
        ip_ranges "ipranges": Vec<IpRangeView>,
        /// The first addresses of the ranges.
        start_ip "startip": Vec<String>,
        /// The last addresses of the ranges.
        end_ip "endip": Vec<String>,
        /// For each range whether it is for system machines only.
        for_system_vms "forsystemvms": Vec<String>,
        /// The networks of the ranges.
        vlan_id "vlanid": Vec<String>,
        /// `Enabled` or `Disabled`.
        allocation_state "allocationstate": Option<String>,
        /// How much is left. Not filled here.
        capacity: Option<Vec<Node>>,
        /// Its access groups.
        storage_access_groups "storageaccessgroups": Option<String>,
        /// Those of its zone.
        zone_storage_access_groups "zonestorageaccessgroups": Option<String>,
        /// Whether there are comments about it. There are none here.
        has_annotations "hasannotations": Option<bool>,
    }
}

/// The pods with these internal ids.
///
/// # Errors
/// See [`crate::store::Db::rows`].
pub async fn pods(store: &Store, ids: &[i64]) -> Result<Vec<PodView>, StoreError> {
    store.pod_rows(ids).await?.iter().map(pod).collect()
}

fn pod(row: &Row) -> Result<PodView, StoreError> {
    let mut view = PodView {
        id: text(row, "uuid")?.unwrap_or_default(),
        name: text(row, "name")?,
        zone_id: text(row, "zone_uuid")?,
        zone_name: text(row, "zone_name")?,
        gateway: text(row, "gateway")?,
        netmask: number(row, "cidr_size")?.and_then(netmask),
        allocation_state: text(row, "allocation_state")?,
        storage_access_groups: text(row, "storage_access_groups")?,
        zone_storage_access_groups: text(row, "zone_groups")?,
        has_annotations: Some(false),
        ..PodView::default()
    };
    for range in text(row, "description")?.unwrap_or_default().split(',').filter_map(ip_range) {
        view.start_ip.extend(range.start_ip.clone());
        view.end_ip.extend(range.end_ip.clone());
        view.for_system_vms.extend(range.for_system_vms.clone());
        view.vlan_id.extend(range.vlan_id.clone());
        view.ip_ranges.push(range);
    }
    Ok(view)
}

/// The mask of a network with a prefix of this length.
fn netmask(bits: i64) -> Option<String> {
    let bits = u32::try_from(bits).ok().filter(|bits| *bits <= 32)?;
    let mask = u32::MAX.checked_shl(32 - bits).unwrap_or_default();
    Some(Ipv4Addr::from(mask).to_string())
}

/// Reads `first-last-forsystemvms-network`, the form in which the table keeps a range.
fn ip_range(text: &str) -> Option<IpRangeView> {
    let mut parts = text.splitn(4, '-').map(|part| Some(part.to_owned()));
    let start_ip = parts.next()?.filter(|address| address.parse::<std::net::IpAddr>().is_ok())?;
    Some(IpRangeView {
        start_ip: Some(start_ip),
        end_ip: parts.next()?,
        for_system_vms: parts.next().flatten().or_else(|| Some("0".to_owned())),
        vlan_id: Some(network_uri(parts.next().flatten().as_deref().unwrap_or("untagged"))),
        ..IpRangeView::default()
    })
}

/// The network of a range as answers name it; the table has it with or without the beginning.
fn network_uri(network: &str) -> String {
    if network.contains("://") { network.to_owned() } else { format!("vlan://{network}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_and_ranges() {
        assert_eq!(netmask(24).as_deref(), Some("255.255.255.0"));
        assert_eq!(netmask(0).as_deref(), Some("0.0.0.0"));
        assert_eq!(netmask(33), None);
        let range = ip_range("10.0.0.2-10.0.0.9-1-vlan://12-3").unwrap();
        assert_eq!(range.end_ip.as_deref(), Some("10.0.0.9"));
        assert_eq!(range.vlan_id.as_deref(), Some("vlan://12-3"));
        assert_eq!(ip_range("10.0.0.2-10.0.0.9-0-untagged").unwrap().vlan_id.as_deref(), Some("vlan://untagged"));
        assert!(ip_range("").is_none() && ip_range("the pod").is_none());
    }
}
