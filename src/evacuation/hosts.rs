//! One round of a host: every machine on it is moved to the host that the planner chooses.

use super::tries::{HOST, Standing, VM};
use super::{Evacuation, Move};
use crate::model::{Host, Machine as _, ResourceEvent, ResourceState, Vm, VmState};
use crate::motion::{Refusal, candidates};
use crate::store::{Alert, HostChange, NewEvent, Store, StoreError, transact};

impl Evacuation {
    /// Moves on what is on a host, and notes how it stands with it.
    pub(super) async fn empty_host(&self, host: &Host) -> Result<(), StoreError> {
        let vms = self.store.vms_of_host(host.id).await?;
        if vms.is_empty() {
            return self.host_is_empty(host).await;
        }
        let mut standings = Vec::new();
        let mut busy = vms.iter().filter(|vm| vm.state == VmState::Migrating).count();
        for vm in vms.iter().filter(|vm| vm.state != VmState::Migrating) {
            let from = (HOST, host.id);
            let standing = if vm.state == VmState::Running {
                self.advance((from, (VM, vm.id)), &mut busy, self.plan_of(vm, host)).await?
            } else {
                let text =
                    format!("it is {}, and only machines that run are moved: start it, or stop it for good.", vm.state);
                self.wait_for(from, vm.id, text)
            };
            standings.push((vm, standing));
        }
        let stuck: Vec<String> = standings
            .iter()
            .filter_map(|(vm, standing)| Some(format!("{}: {}", vm.instance_name, standing.reason()?)))
            .collect();
        let all_given_up = busy == 0 && standings.iter().all(|(_, it)| matches!(it, Standing::GivenUp(_)));
        let event = match (all_given_up, stuck.is_empty()) {
            (true, _) => ResourceEvent::UnableToMaintain,
            (false, false) => ResourceEvent::UnableToMigrate,
            (false, true) => ResourceEvent::ErrorsCorrected,
        };
        let Some((to, from)) = step(host, event) else { return Ok(()) };
        let alert = (event != ResourceEvent::ErrorsCorrected).then(|| stuck_alert(host, all_given_up, &stuck));
        transact!(self.store, StoreError, |tx| {
            tx.host_change(host.id, &into(to, from)).await?;
            if let Some(alert) = &alert {
                tx.alert_insert(alert).await?;
            }
            Ok(())
        })?;
        tracing::info!(host = %host.name, from = %from, to = %to, "how the emptying of a host stands");
        Ok(())
    }

    async fn plan_of(&self, vm: &Vm, host: &Host) -> Result<Move, Refusal> {
        let target = candidates::choose_host(&self.store, vm, host, &[]).await?;
        let with_disks = target.requires_storage_motion;
        Ok(Move::Vm { vm: Box::new(vm.clone()), to: Box::new(target.host), with_disks })
    }

    /// CloudStack's alert of a host that is empty (`contract/migration.md` 3.8, and in all its words as it was recorded).
    async fn empty_alert(&self, host: &Host) -> Result<Alert, StoreError> {
        let zone = self.store.zone_name(host.zone_id).await?;
        let pod = self.store.pod_name(host.pod_id).await?;
        let Host { id, name, .. } = host;
        let subject =
            format!("Migration Complete for host name: {name} (id:{id}), availability zone: {zone}, pod: {pod}");
        let content = format!(
            "Host {} is empty and may be worked on. cancelHostMaintenance takes it back into use.",
            host.dump()
        );
        Ok(Alert::at(host, Alert::HOST, subject, content))
    }

    /// Nothing is left: the host may be worked on, once no motion speaks of it either.
    async fn host_is_empty(&self, host: &Host) -> Result<(), StoreError> {
        let Some((to, from)) = step(host, ResourceEvent::InternalEnterMaintenance) else { return Ok(()) };
        let done = event(host, "Completed", "completed maintenance for host");
        let alert = self.empty_alert(host).await?;
        let is_empty = transact!(self.store, StoreError, |tx| {
            tx.host_hold(host.id).await?;
            if !tx.host_machines(host.id).await?.is_empty() || tx.host_in_motion(host.id).await? {
                return Ok(false);
            }
            tx.host_change(host.id, &into(to, from)).await?;
            tx.event_insert(&done).await?;
            tx.alert_insert(&alert).await?;
            Ok(true)
        })?;
        if is_empty {
            tracing::info!(host = %host.name, "the host is empty");
        }
        Ok(())
    }
}

/// Writes that a host is to be emptied, with the event that says that it has begun (`contract/migration.md` 1.4). Gives the state
/// that it goes to; none when it cannot be asked in the state that it is in.
///
/// # Errors
/// [`StoreError::Conflict`] when somebody else has changed the state meanwhile.
pub async fn ask_host(store: &Store, host: &Host) -> Result<Option<ResourceState>, StoreError> {
    let Some((to, from)) = step(host, ResourceEvent::AdminAskMaintenance) else { return Ok(None) };
    let begun = event(host, "Started", "starting maintenance for host");
    transact!(store, StoreError, |tx| {
        tx.host_change(host.id, &into(to, from)).await?;
        tx.event_insert(&begun).await?;
        Ok(())
    })?;
    Ok(Some(to))
}

/// Takes a host back into use. What moves away from it arrives; what is still there stays. False when it is in no maintenance.
///
/// # Errors
/// [`StoreError::Conflict`] when somebody else has changed the state meanwhile.
pub async fn release_host(store: &Store, host: &Host) -> Result<bool, StoreError> {
    let Some((to, from)) = step(host, ResourceEvent::AdminCancelMaintenance) else { return Ok(false) };
    transact!(store, StoreError, |tx| { tx.host_change(host.id, &into(to, from)).await })?;
    Ok(true)
}

/// The state that a host goes to, and the one that it comes from; none when it stays as it is.
fn step(host: &Host, event: ResourceEvent) -> Option<(ResourceState, ResourceState)> {
    let from = ResourceState::parse(&host.resource_state)?;
    let to = from.next(event)?;
    (to != from).then_some((to, from))
}

fn into(to: ResourceState, from: ResourceState) -> HostChange {
    HostChange { resource_state: Some((to.as_str(), from.as_str().to_owned())), ..HostChange::default() }
}

fn event(host: &Host, state: &'static str, words: &str) -> NewEvent {
    let description = format!("{words} {}", host.dump());
    NewEvent::of_system("MAINT.PREPARE", (state, "INFO"), description, Some(("Host".to_owned(), host.id)))
}

fn stuck_alert(host: &Host, given_up: bool, stuck: &[String]) -> Alert {
    let what_next = if given_up {
        "They run on there and are not tried again. Move them by hand or make room, then call prepareHostForMaintenance again, or \
         cancelHostMaintenance to use the host."
    } else {
        "They run on there and are tried again."
    };
    let content = format!("These machines could not be moved away. {} {what_next}", stuck.join(" "));
    Alert::at(host, Alert::HOST, format!("Unable to empty host {} for maintenance", host.name), content)
}
