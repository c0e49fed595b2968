//! `updateStoragePool` (`contract/entities.md 2.5`).

use super::create_storage_pool::in_short;
use super::estate_words::{said, trimmed};
use super::{Ctx, SyncCommand};
use crate::api::{ApiError, Id, Reply};
use crate::model::entity::StoragePoolRef;
use crate::model::{Machine as _, Pool, PoolEvent, PoolState};
use crate::store::{PoolChange, transact};
use crate::views::{self, StoragePoolView};

crate::command! {
    /// Changes a storage pool.
    pub struct UpdateStoragePool {
        /// The pool.
        id: Id<StoragePoolRef>,
        /// Its name.
        name: Option<String> [since("4.15")],
        /// Its tags; they take the place of those before. An empty list takes them all away.
        tags: Option<Vec<String>>,
        /// The most operations per second that it is meant for.
        capacity_iops "capacityiops": Option<i64>,
        /// Its size in bytes, until a host tells it again.
        capacity_bytes "capacitybytes": Option<i64>,
        /// `false` keeps new disks out of it, `true` lets them in again.
        enabled: Option<bool>,
        /// Where it is. It cannot be changed here.
        url: Option<String> [since("4.19.0"), length(2048)],
        /// Whether the tag is a rule.
        is_tag_a_rule "istagarule": Option<bool>,
    }
    name "updateStoragePool", since "3.0.0", kind Sync, http Post, response StoragePoolView, roles [Admin],
    java "org.apache.cloudstack.api.command.admin.storage.UpdateStoragePoolCmd"
}

impl SyncCommand for UpdateStoragePool {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        ctx.estate.is_ours()?;
        let id = self.id.number();
        let unknown = || ApiError::invalid_parameter(format!("Unable to find storage pool with ID: {id}"));
        let pool = ctx.store.pool_by_id(id).await?.filter(|pool| !pool.removed).ok_or_else(unknown)?;
        let change = self.change(&pool)?;
        transact!(ctx.store, ApiError, |tx| {
            tx.pool_change(id, &change).await?;
            Ok(())
        })?;
        let views = views::storage_pools(&ctx.store, &ctx.caller, &[id]).await?;
        let failed = || ApiError::command_failed("Failed to update storage pool");
        Ok(Reply::one(views.into_iter().next().map(in_short).ok_or_else(failed)?))
    }
}

impl UpdateStoragePool {
    fn change(self, pool: &Pool) -> Result<PoolChange, ApiError> {
        let refuse = |text: String| Err(ApiError::invalid_parameter(text));
        if said(self.url.as_ref()).is_some() {
            return refuse(
                "The place of a pool cannot be changed here: hosts know it by its id. Add a pool at the new place and move the \
                 volumes there."
                    .to_owned(),
            );
        }
        for (name, number) in [("capacityiops", self.capacity_iops), ("capacitybytes", self.capacity_bytes)] {
            if number.is_some_and(|number| number < 0) {
                return refuse(format!("{name} cannot be below 0"));
            }
        }
        let rule = self.is_tag_a_rule.unwrap_or(pool.tag_is_rule);
        let tags = match (&self.tags, self.is_tag_a_rule) {
            (Some(tags), _) => Some(trimmed(tags)),
            (None, Some(_)) => Some(pool.tags.clone()),
            (None, None) => None,
        };
        // A rule is one text, whatever commas it holds.
        let tags = tags.map(|tags| if rule && tags.len() > 1 { vec![tags.join(",")] } else { tags });
        Ok(PoolChange {
            name: said(self.name.as_ref()),
            tags: tags.map(|tags| (tags, rule)),
            capacity_iops: self.capacity_iops,
            capacity_bytes: self.capacity_bytes,
            status: self.enabled.map(|on| status(on, pool)).transpose()?.flatten(),
        })
    }
}

/// The state after switching a pool on or off; `None` when it is that one already.
fn status(on: bool, pool: &Pool) -> Result<Option<(&'static str, String)>, ApiError> {
    let (event, verb) = if on { (PoolEvent::Enable, "enabled") } else { (PoolEvent::Disable, "disabled") };
    match PoolState::parse(&pool.status).and_then(|state| state.next(event)) {
        Some(to) => Ok((pool.status != to.as_str()).then(|| (to.as_str(), pool.status.clone()))),
        None => Err(ApiError::invalid_parameter(format!(
            "Primary storage {} cannot be {verb}. Storage pool state : {}",
            pool.dump(),
            pool.status
        ))),
    }
}
