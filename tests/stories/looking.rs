//! Everything that can be listed, as users of every sort see it.

use super::teller::Teller;

/// Lists, with what they need. `listManagementServers` is not among them: the gateway is none of CloudStack's servers, and is
/// no row of their list where it works on their database.
const LISTS: &[&[(&str, &str)]] = &[
    &[("command", "listZones")],
    &[("command", "listPods")],
    &[("command", "listClusters")],
    &[("command", "listHosts")],
    &[("command", "listHosts"), ("type", "Routing"), ("state", "Up")],
    &[("command", "listStoragePools")],
    &[("command", "listCapacity")],
    &[("command", "listVirtualMachines"), ("listall", "true")],
    &[("command", "listVirtualMachines"), ("listall", "true"), ("keyword", "vm"), ("page", "1"), ("pagesize", "3")],
    &[("command", "listVirtualMachinesMetrics"), ("listall", "true")],
    &[("command", "listVolumes"), ("listall", "true")],
    &[("command", "listVolumes"), ("listall", "true"), ("type", "ROOT"), ("page", "2"), ("pagesize", "2")],
    &[("command", "listVolumesMetrics"), ("listall", "true")],
    &[("command", "listHostsMetrics")],
    &[("command", "listStoragePoolsMetrics")],
    &[("command", "listZonesMetrics")],
    &[("command", "listClustersMetrics")],
    &[("command", "listDiskOfferings")],
    &[("command", "listServiceOfferings")],
    &[("command", "listTemplates"), ("templatefilter", "all")],
    &[("command", "listOsTypes")],
    &[("command", "listOsCategories")],
    &[("command", "listAccounts"), ("listall", "true")],
    &[("command", "listUsers"), ("listall", "true")],
    &[("command", "listDomains"), ("listall", "true")],
    &[("command", "listDomainChildren"), ("isrecursive", "true")],
    &[("command", "listProjects"), ("listall", "true")],
    &[("command", "listRoles")],
    &[("command", "listRolePermissions")],
    &[("command", "listHypervisors")],
    &[("command", "listHypervisorCapabilities"), ("hypervisor", "Hyperv")],
    &[("command", "listConfigurations"), ("pagesize", "50"), ("page", "1")],
    &[("command", "listCapabilities")],
    &[("command", "listEvents"), ("listall", "true")],
    &[("command", "listAlerts")],
    &[("command", "listAsyncJobs"), ("listall", "true")],
    &[("command", "listMigrations")],
    &[("command", "listMigrations"), ("outcome", "vanished")],
    &[("command", "findHostsForMigration"), ("virtualmachineid", "de1fe04e-f4e8-41c2-aee1-b986e4ef102e")],
    &[("command", "findStoragePoolsForMigration"), ("id", "f448670d-90bd-4b89-bf09-448604ff8ed3")],
    &[("command", "listVolumes"), ("id", "00000000-0000-4000-8000-000000000000")],
    &[("command", "listNoSuchThing")],
];

pub async fn tell(teller: &mut Teller) {
    for user in ["admin", "rona", "bob", "alice"] {
        for list in LISTS {
            teller.ask(user, list).await;
        }
    }
    let volumes = teller.ask("alice", &[("command", "listVolumes")]).await;
    assert!(volumes["count"].as_i64().is_some_and(|count| count > 0), "she sees her own: {volumes}");
    let hosts = teller.ask("alice", &[("command", "listHosts")]).await;
    assert!(hosts["errorcode"].is_number(), "she does not see hosts: {hosts}");
}
