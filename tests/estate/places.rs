//! Zones, pods and clusters: what is made, what is refused and with which words.

use super::bench::{Bench, id_of};
use crate::support::database;

#[tokio::test(flavor = "multi_thread")]
async fn zones_pods_and_clusters_are_made_once() {
    for (kind, database) in database::each().await {
        let bench = Bench::start(110, database).await;
        let zone = [("name", "z"), ("dns1", "192.0.2.53"), ("internaldns1", "192.0.2.54"), ("networktype", "advanced")];
        let made = bench.done("createZone", &[&zone[..], &[("guestcidraddress", "10.1.1.0/24")]].concat()).await;
        assert_eq!(made["zone"]["allocationstate"], "Disabled", "{kind}: {made}");
        assert_eq!(made["zone"]["networktype"], "Advanced");
        let zone_id = id_of(&made["zone"]);
        let refused = bench.refused("createZone", &zone).await;
        assert_eq!(refused.text, "A zone with that name already exists. Please specify a unique zone name.");
        assert_eq!(refused.code, 431);
        for (changed, text) in [
            (("networktype", "Flat"), "Invalid zone type; only Advanced and Basic values are supported"),
            (("dns1", "ns.example"), "Please enter a valid IP address for DNS1"),
            (("internaldns1", "::1"), "Please enter a valid IP address for internal DNS1"),
        ] {
            let params: Vec<_> = zone.iter().map(|pair| if pair.0 == changed.0 { changed } else { *pair }).collect();
            assert_eq!(bench.refused("createZone", &params).await.text, text);
        }
        let basic = [("name", "b"), ("dns1", "192.0.2.53"), ("internaldns1", "192.0.2.54"), ("networktype", "Basic")];
        let with = [&basic[..], &[("guestcidraddress", "10.1.1.0/24")]].concat();
        assert_eq!(
            bench.refused("createZone", &with).await.text,
            "guestCidrAddress parameter is not supported for Basic zone"
        );
        bench.done("updateZone", &[("id", &zone_id), ("name", "zz"), ("allocationstate", "enabled")]).await;
        assert_eq!(
            bench.text("SELECT name FROM data_center WHERE allocation_state = 'Enabled'").await.as_deref(),
            Some("zz")
        );

        let pod = [("zoneid", zone_id.as_str()), ("name", "p"), ("gateway", "10.0.0.1"), ("netmask", "255.255.255.0")];
        let made =
            bench.done("createPod", &[&pod[..], &[("startip", "10.0.0.10"), ("endip", "10.0.0.20")]].concat()).await;
        assert_eq!(made["pod"]["ipranges"][0]["endip"], "10.0.0.20", "{kind}: {made}");
        let pod_id = id_of(&made["pod"]);
        assert_eq!(
            bench.refused("createPod", &pod).await.text,
            "A pod with name: p already exists in zone zz. Please specify a different pod name. "
        );
        let other =
            [("zoneid", zone_id.as_str()), ("name", "q"), ("gateway", "10.0.1.1"), ("netmask", "255.255.255.0")];
        for (more, text) in [
            (("startip", "10.0.2.10"), "The start address of the IP range is not in the CIDR subnet."),
            (("startip", "10.0.1.1"), "The gateway shouldn't overlap start/end IP addresses"),
            (("gateway", "x"), "The gateway is not a valid IP address."),
            (("netmask", "255.0.255.0"), "Please enter a valid CIDR for pod: q"),
        ] {
            let mut params: Vec<_> = other.iter().filter(|pair| pair.0 != more.0).copied().collect();
            params.push(more);
            assert_eq!(bench.refused("createPod", &params).await.text, text);
        }
        let inside =
            [("zoneid", zone_id.as_str()), ("name", "q"), ("gateway", "10.0.0.129"), ("netmask", "255.255.255.128")];
        assert!(bench.refused("createPod", &inside).await.text.contains("conflicts with the subnet of the Pod: p"));

        let cluster = bench.cluster(&zone_id, &pod_id, "c").await;
        let again = [
            ("zoneid", zone_id.as_str()),
            ("podid", &pod_id),
            ("clustername", "c"),
            ("hypervisor", "Hyperv"),
            ("clustertype", "CloudManaged"),
        ];
        let refused = bench.refused("addCluster", &again).await;
        assert_eq!(
            (refused.code, refused.text.as_str()),
            (530, "Unable to create cluster c in pod and data center with specified ids")
        );
        let kvm: Vec<_> =
            again.iter().map(|pair| if pair.0 == "hypervisor" { ("hypervisor", "kvm") } else { *pair }).collect();
        assert_eq!(
            bench.refused("addCluster", &kvm).await.text,
            "Could not find corresponding resource manager for KVM"
        );
        bench.done("deleteCluster", &[("id", &cluster)]).await;
        assert_eq!(bench.count("SELECT COUNT(*) FROM cluster WHERE removed IS NULL").await, 0);
        bench.cluster(&zone_id, &pod_id, "c").await;
        let events =
            "SELECT COUNT(*) FROM event WHERE type IN ('ZONE.CREATE', 'POD.CREATE', 'ZONE.EDIT') AND level = 'INFO'";
        assert_eq!(bench.count(events).await, 3, "{kind}");
        bench.stop().await;
    }
}
