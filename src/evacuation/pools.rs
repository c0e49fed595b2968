//! One round of a pool: every disk of a machine that runs is moved to the pool that takes it and has most room. Disks that nothing
//! runs from stay, as in CloudStack: nobody uses them while the pool is worked on.

use super::tries::{DISK, POOL, Standing, Thing, VM};
use super::{Evacuation, Move};
use crate::model::{Machine as _, Pool, PoolEvent, PoolState, Volume, VolumeState};
use crate::motion::{Refusal, candidates};
use crate::store::{Alert, PoolChange, Store, StoreError, transact};

impl Evacuation {
    /// Moves on what is in a pool, and notes how it stands with it.
    pub(super) async fn empty_pool(&self, pool: &Pool) -> Result<(), StoreError> {
        let volumes = self.store.volumes_in_use(pool.id).await?;
        if volumes.is_empty() {
            return self.settle_pool(pool, PoolEvent::EnterMaintenance, None).await;
        }
        let mut standings = Vec::new();
        let mut busy = volumes.iter().filter(|volume| volume.state == VolumeState::Migrating).count();
        for volume in volumes.iter().filter(|volume| volume.state != VolumeState::Migrating) {
            let from = (POOL, pool.id);
            // A machine that moves takes its disks along, or keeps them busy.
            if self.is_at_work((VM, volume.vm_id.unwrap_or_default())).await? {
                busy += 1;
                continue;
            }
            let standing = if volume.state == VolumeState::Ready {
                self.advance((from, (DISK, volume.id)), &mut busy, self.pool_for(volume)).await?
            } else {
                let text = format!("it is {}, and only disks that are Ready are moved.", volume.state);
                self.wait_for(from, volume.id, text)
            };
            standings.push((volume, standing));
        }
        if busy > 0 || !standings.iter().all(|(_, it)| matches!(it, Standing::GivenUp(_))) {
            return Ok(());
        }
        let reasons = standings.iter().filter_map(|(volume, it)| Some(format!("{}: {}", volume.name, it.reason()?)));
        let alert = stuck_alert(pool, &reasons.collect::<Vec<_>>());
        self.settle_pool(pool, PoolEvent::UnableToMaintain, Some(alert)).await
    }

    async fn pool_for(&self, volume: &Volume) -> Result<Move, Refusal> {
        let to = candidates::choose_pool(&self.store, volume).await?;
        Ok(Move::Disk { volume: Box::new(volume.clone()), to: Box::new(to) })
    }

    async fn is_at_work(&self, thing: Thing) -> Result<bool, StoreError> {
        Ok(self.store.job_of_instance(thing.0, thing.1).await?.is_some_and(|job| job.status == 0))
    }

    async fn settle_pool(&self, pool: &Pool, event: PoolEvent, alert: Option<Alert>) -> Result<(), StoreError> {
        let Some((to, change)) = step(pool, event) else { return Ok(()) };
        let is_settled = transact!(self.store, StoreError, |tx| {
            tx.pool_hold(pool.id).await?;
            if to == PoolState::Maintenance && tx.pool_in_motion(pool.id).await? {
                return Ok(false);
            }
            tx.pool_change(pool.id, &change).await?;
            if let Some(alert) = &alert {
                tx.alert_insert(alert).await?;
            }
            Ok(true)
        })?;
        if is_settled {
            tracing::info!(pool = %pool.name, from = %pool.status, to = %to, "how the emptying of a pool stands");
        }
        Ok(())
    }
}

/// Writes that a pool is to be emptied; false when it cannot be asked in the state that it is in.
///
/// # Errors
/// [`StoreError::Conflict`] when somebody else has changed the state meanwhile.
pub async fn ask_pool(store: &Store, pool: &Pool) -> Result<bool, StoreError> {
    change_pool(store, pool, PoolEvent::AskMaintenance).await
}

/// Takes a pool back into use. What moves out of it arrives; what is still there stays. False when it is in no maintenance.
///
/// # Errors
/// [`StoreError::Conflict`] when somebody else has changed the state meanwhile.
pub async fn release_pool(store: &Store, pool: &Pool) -> Result<bool, StoreError> {
    change_pool(store, pool, PoolEvent::CancelMaintenance).await
}

async fn change_pool(store: &Store, pool: &Pool, event: PoolEvent) -> Result<bool, StoreError> {
    let Some((_, change)) = step(pool, event) else { return Ok(false) };
    transact!(store, StoreError, |tx| { tx.pool_change(pool.id, &change).await })?;
    Ok(true)
}

/// The state that a pool goes to, and the change that takes it there.
fn step(pool: &Pool, event: PoolEvent) -> Option<(PoolState, PoolChange)> {
    let to = PoolState::parse(&pool.status)?.next(event)?;
    let status = Some((to.as_str(), pool.status.clone()));
    Some((to, PoolChange { status, ..PoolChange::default() }))
}

fn stuck_alert(pool: &Pool, stuck: &[String]) -> Alert {
    let (kind, name) = Alert::STORAGE;
    Alert {
        kind,
        name,
        zone_id: pool.zone_id,
        pod_id: pool.pod_id,
        cluster_id: pool.cluster_id,
        subject: format!("Unable to empty storage pool {} for maintenance", pool.name),
        content: format!(
            "These disks of machines that run could not be moved away. {} They are used on and not tried again. Make room elsewhere \
             and call enableStorageMaintenance again, or cancelStorageMaintenance to use the pool.",
            stuck.join(" ")
        ),
    }
}
