//! `deleteCluster` (recorded in `hyperv.json`; `contract/entities.md 3.0`: removal frees name and guid).

use super::{Ctx, SyncCommand};
use crate::api::{ApiError, Bare, Id, Reply, SuccessView};
use crate::model::entity::ClusterRef;
use crate::store::transact;

crate::command! {
    /// Takes a cluster away that has neither hosts nor pools.
    pub struct DeleteCluster {
        /// The cluster.
        id: Id<ClusterRef>,
    }
    name "deleteCluster", kind Sync, http Post, response Bare<SuccessView>, roles [Admin],
    java "org.apache.cloudstack.api.command.admin.cluster.DeleteClusterCmd"
}

impl SyncCommand for DeleteCluster {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        ctx.estate.is_ours()?;
        let id = self.id.number();
        let unknown = || ApiError::command_failed("Failed to delete cluster");
        let cluster = ctx.store.cluster_by_id(id).await?.ok_or_else(unknown)?;
        transact!(ctx.store, ApiError, |tx| {
            tx.estate_hold().await?;
            let still = |what: &str| {
                ApiError::command_failed(format!(
                    "Cluster: {} cannot be removed. Cluster still has {what}",
                    cluster.dump()
                ))
            };
            match tx.cluster_holds(id).await? {
                (0, 0) => {}
                (0, _) => return Err(still("storage pools")),
                _ => return Err(still("hosts")),
            }
            tx.cluster_remove(id).await?;
            Ok(())
        })?;
        Ok(Reply::success())
    }
}
