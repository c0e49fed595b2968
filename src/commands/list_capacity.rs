//! `listCapacity` (`contract/entities.md 1.12`).

use super::{Ctx, SyncCommand};
use crate::api::{ApiError, Id, Page, Reply};
use crate::model::entity::{ClusterRef, PodRef, ZoneRef};
use crate::model::signed;
use crate::store::CapacityFilter;
use crate::views::{self, CapacityView};

crate::command! {
    /// Tells how much there is of memory, processors, storage and addresses, and how much is taken.
    pub struct ListCapacity {
        /// Only in this zone.
        zone_id "zoneid": Option<Id<ZoneRef>>,
        /// Only in this pod.
        pod_id "podid": Option<Id<PodRef>>,
        /// Only in this cluster.
        cluster_id "clusterid": Option<Id<ClusterRef>> [since("3.0.0")],
        /// Has no effect: the figures are always the latest.
        fetch_latest "fetchlatest": Option<bool> [since("3.0.0")],
        /// Only the type with this number.
        kind "type": Option<i32>,
        /// `usage` for the fullest first.
        sort_by "sortby": Option<String> [since("3.0.0")],
        /// Page and search word.
        page: Page,
    }
    name "listCapacity", kind Sync, http Get, response [CapacityView],
    roles [Admin, ResourceAdmin],
    java "org.apache.cloudstack.api.command.admin.resource.ListCapacityCmd"
}

impl SyncCommand for ListCapacity {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        if let Some(word) = self.sort_by.as_deref().filter(|word| !word.eq_ignore_ascii_case("usage")) {
            return Err(ApiError::invalid_parameter(format!("Only sortby=usage is supported, not {word}")));
        }
        if self.sort_by.is_some() && self.cluster_id.is_some() {
            return Err(ApiError::invalid_parameter("Currently clusterId param is not supported"));
        }
        let filter = CapacityFilter {
            zone_id: self.zone_id.map(|id| id.number()),
            pod_id: self.pod_id.map(|id| id.number()),
            cluster_id: self.cluster_id.map(|id| id.number()),
            kind: self.kind.map(i64::from),
        };
        let mut found = views::capacities(&ctx.store, filter).await?;
        if self.sort_by.is_some() {
            let share = |view: &CapacityView| view.percent_used.parse::<f64>().unwrap_or_default();
            found.sort_by(|one, other| share(other).total_cmp(&share(one)));
        }
        let count = signed(found.len());
        let from = usize::try_from(self.page.offset).unwrap_or(usize::MAX);
        let most = self.page.limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
        Ok(Reply::list(count, found.into_iter().skip(from).take(most)))
    }
}
