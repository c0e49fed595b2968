//! The object `nic` inside a machine: a network card (`contract/entities.md 1.6`).

use super::row::{flag, number, text};
use crate::api::Node;
use crate::store::{Row, StoreError};

crate::response! {
    /// A network card of a machine.
    pub struct NicView as "nic" {
        /// Its id.
        id: Option<String>,
        /// The network it is in.
        network_id "networkid": Option<String>,
        /// The name of that network.
        network_name "networkname": Option<String>,
        /// The mask of its address.
        netmask: Option<String>,
        /// The way out of its network.
        gateway: Option<String>,
        /// Its address.
        ip_address "ipaddress": Option<String>,
        /// How its network is kept apart.
        isolation_uri "isolationuri": Option<String>,
        /// How its network is found.
        broadcast_uri "broadcasturi": Option<String>,
        /// What its network is for, such as `Guest`.
        traffic_type "traffictype": Option<String>,
        /// `Shared`, `Isolated` or `L2`.
        kind "type": Option<String>,
        /// Whether it is the machine's first way out.
        is_default "isdefault": bool,
        /// Its hardware address.
        mac_address "macaddress": Option<String>,
        /// The way out of its network, version 6.
        ip6_gateway "ip6gateway": Option<String>,
        /// The range of its network, version 6.
        ip6_cidr "ip6cidr": Option<String>,
        /// Its address, version 6.
        ip6_address "ip6address": Option<String>,
        /// More addresses of it. None are known here.
        secondary_ip "secondaryip": Vec<Node>,
        /// What its machine is told with its address. Nothing here.
        extra_dhcp_options "extradhcpoption": Vec<Node>,
        /// Its place at the machine, as text.
        device_id "deviceid": Option<String>,
        /// Whether it is switched on.
        enabled: bool,
    }
}

/// A card from its row.
pub(super) fn nic(row: &Row) -> Result<NicView, StoreError> {
    Ok(NicView {
        id: text(row, "uuid")?,
        network_id: text(row, "network_uuid")?,
        network_name: text(row, "network_name")?,
        netmask: text(row, "netmask")?,
        gateway: text(row, "gateway")?,
        ip_address: text(row, "ip4_address")?,
        isolation_uri: text(row, "isolation_uri")?,
        broadcast_uri: text(row, "broadcast_uri")?,
        traffic_type: text(row, "traffic_type")?,
        kind: text(row, "guest_type")?,
        is_default: flag(row, "default_nic")?,
        mac_address: text(row, "mac_address")?,
        ip6_gateway: text(row, "ip6_gateway")?,
        ip6_cidr: text(row, "ip6_cidr")?,
        ip6_address: text(row, "ip6_address")?,
        secondary_ip: Vec::new(),
        extra_dhcp_options: Vec::new(),
        device_id: number(row, "device_id")?.map(|place| place.to_string()),
        enabled: flag(row, "enabled")?,
    })
}
