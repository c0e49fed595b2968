//! `listEventTypes` (`contract/entities.md 1.18 and 4.8`).

use super::{Ctx, SyncCommand};
use crate::api::{ApiError, Reply};

crate::command! {
    /// Lists the types that events can have.
    pub struct ListEventTypes {}
    name "listEventTypes", kind Sync, http Get, response [EventTypeView],
    roles [Admin, ResourceAdmin, DomainAdmin, User],
    java "org.apache.cloudstack.api.command.user.event.ListEventTypesCmd"
}

crate::response! {
    /// A type that events can have.
    pub struct EventTypeView as "eventtype" {
        /// Its name, such as `VOLUME.MIGRATE`.
        name: &'static str,
    }
}

/// The types that this gateway writes, or that it may find in a database that it shares (`contract/entities.md 4.8`).
const TYPES: &[&str] = &[
    "VM.CREATE",
    "VM.DESTROY",
    "VM.START",
    "VM.STOP",
    "VM.REBOOT",
    "VM.UPDATE",
    "VM.MIGRATE",
    "VM.MOVE",
    "VM.EXPUNGE",
    "VOLUME.CREATE",
    "VOLUME.DELETE",
    "VOLUME.ATTACH",
    "VOLUME.DETACH",
    "VOLUME.DESTROY",
    "VOLUME.MIGRATE",
    "MIGRATION.CANCEL",
    "VOLUME.RESIZE",
    "VOLUME.UPDATE",
    "ZONE.CREATE",
    "POD.CREATE",
    "HOST.RECONNECT",
    "MAINT.PREPARE",
    "MAINT.CANCEL",
    "MAINT.PREPARE.PS",
    "MAINT.CANCEL.PS",
    "DISK.OFFERING.CREATE",
    "SERVICE.OFFERING.CREATE",
    "ACCOUNT.CREATE",
    "USER.CREATE",
    "USER.LOGIN",
    "USER.LOGOUT",
    "REGISTER.USER.KEY",
    "CLUSTER.DRS",
    "DRIFT.FOUND",
    "DRIFT.RESOLVE",
];

impl SyncCommand for ListEventTypes {
    async fn run(self, _: &Ctx) -> Result<Reply, ApiError> {
        Ok(Reply::all(TYPES.iter().map(|name| EventTypeView { name })))
    }
}
