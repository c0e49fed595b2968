//! The moves of an evacuation become jobs, as if the system user had asked for them.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

use super::node::Lead;
use super::rounds::Rounds;
use crate::commands::{EventDraft, InstanceType, JobDesk, JobDraft, find};
use crate::evacuation::{Evacuation, Move, Moves};
use crate::model::{SYSTEM_ACCOUNT, SYSTEM_USER};
use crate::store::Submission;

/// Between two rounds.
const PAUSE: Duration = Duration::from_secs(1);

/// Where moves are handed in.
pub(super) struct Desk(pub(super) Arc<dyn JobDesk>);

impl Moves for Desk {
    fn hand_in(&self, what: Move) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async move {
            let draft = draft(what).ok_or("This gateway cannot move it")?;
            self.0.submit(draft).await.map(drop).map_err(|error| error.text)
        })
    }
}

/// The job of a move: the same that a client would have made.
fn draft(what: Move) -> Option<JobDraft> {
    let (command, params, instance, event_type, owner_account_id, description) = match what {
        Move::Vm { vm, to, with_disks } => (
            if with_disks { "migrateVirtualMachineWithVolume" } else { "migrateVirtualMachine" },
            vec![("virtualmachineid", vm.uuid.clone()), ("hostid", to.uuid.clone())],
            (InstanceType::VirtualMachine, vm.id),
            "VM.MIGRATE",
            vm.account_id,
            format!("Attempting to migrate Instance with ID: {} to host with ID: {}", vm.uuid, to.uuid),
        ),
        Move::Disk { volume, to } => {
            let uuid = volume.uuid?;
            let description = format!("Attempting to migrate volume Id: {uuid} to storage pool Id: {}", to.uuid);
            let params = vec![("volumeid", uuid), ("storageid", to.uuid), ("livemigrate", "true".to_owned())];
            let instance = (InstanceType::Volume, volume.id);
            ("migrateVolume", params, instance, "VOLUME.MIGRATE", volume.account_id, description)
        }
    };
    let spec = find(command)?.entry.spec;
    Some(JobDraft {
        command: spec.name,
        java_class: spec.java_class_admin,
        params: params.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        user_id: SYSTEM_USER,
        account_id: SYSTEM_ACCOUNT,
        instance: Some(instance),
        event: EventDraft { event_type, description, owner_account_id, resource: Some(instance) },
        submission: Submission::default(),
        request_id: format!("maintenance-{}", uuid::Uuid::new_v4()).into(),
    })
}

/// Comes by at what is being emptied, round after round, on the gateway that looks after the hosts.
pub(super) async fn empty(evacuation: Evacuation, lead: Lead) {
    let mut rounds = Rounds::new(PAUSE, Some(lead));
    loop {
        rounds.next().await;
        if let Err(error) = evacuation.round().await {
            tracing::warn!(cause = %crate::telemetry::chain(&error), "it could not be read what is to be emptied");
        }
    }
}
