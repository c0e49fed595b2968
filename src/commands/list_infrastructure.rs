//! `listInfrastructure` (`contract/entities.md 1.23`).

use super::{Ctx, SyncCommand};
use crate::api::{ApiError, Reply};
use crate::store::Counted;

crate::command! {
    /// Tells how many there are of everything that an administrator looks after.
    pub struct ListInfrastructure {}
    name "listInfrastructure", since "4.9.3", kind Sync, http Get, response InfrastructureView,
    roles [Admin],
    java "org.apache.cloudstack.api.ListInfrastructureCmd"
}

crate::response! {
    /// How many there are.
    pub struct InfrastructureView as "infrastructure" {
        /// Zones.
        zones: i64,
        /// Pods.
        pods: i64,
        /// Clusters.
        clusters: i64,
        /// Hosts that run machines.
        hosts: i64,
        /// Primary storage pools.
        pools "storagepools": i64,
        /// Stores for templates: none here.
        image_stores "imagestores": i64,
        /// Places for backups: none here.
        backup_repositories "backuprepositories": i64,
        /// Stores for objects: none here.
        object_stores "objectstores": i64,
        /// System machines but routers.
        system_vms "systemvms": i64,
        /// Routers.
        routers: i64,
        /// Internal load balancers: none here.
        load_balancers "ilbvms": i64,
        /// Processor sockets of hosts.
        cpu_sockets "cpusockets": i64,
        /// Servers of this kind.
        management_servers "managementservers": i64,
        /// Alerts that were not put away.
        alerts: i64,
    }
}

impl SyncCommand for ListInfrastructure {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        let count = async |of| ctx.store.how_many(of).await;
        Ok(Reply::one(InfrastructureView {
            zones: count(Counted::Zones).await?,
            pods: count(Counted::Pods).await?,
            clusters: count(Counted::Clusters).await?,
            hosts: count(Counted::Hosts).await?,
            pools: count(Counted::Pools).await?,
            image_stores: 0,
            backup_repositories: 0,
            object_stores: 0,
            system_vms: count(Counted::SystemVms).await?,
            routers: count(Counted::Routers).await?,
            load_balancers: 0,
            cpu_sockets: ctx.store.cpu_sockets().await?,
            management_servers: count(Counted::Servers).await?,
            alerts: count(Counted::Alerts).await?,
        }))
    }
}
