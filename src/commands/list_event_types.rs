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
    "MIGRATION.RESOLVE",
    "VOLUME.RESIZE",
    "VOLUME.UPDATE",
    "VM.IMPORT",
    "ZONE.CREATE",
    "ZONE.EDIT",
    "POD.CREATE",
    "HOST.RECONNECT",
    "MAINT.PREPARE",
    "MAINT.CANCEL",
    "MAINT.PREPARE.PS",
    "MAINT.CANCEL.PS",
    "DISK.OFFERING.CREATE",
    "SERVICE.OFFERING.CREATE",
    "ACCOUNT.CREATE",
    "ACCOUNT.ENABLE",
    "ACCOUNT.DISABLE",
    "USER.CREATE",
    "USER.UPDATE",
    "USER.ENABLE",
    "USER.DISABLE",
    "USER.LOGIN",
    "USER.LOGOUT",
    "REGISTER.USER.KEY",
    "DELETE.USER.KEY",
    "CLUSTER.DRS",
    "DRIFT.FOUND",
    "DRIFT.RESOLVE",
];

impl SyncCommand for ListEventTypes {
    async fn run(self, _: &Ctx) -> Result<Reply, ApiError> {
        Ok(Reply::all(TYPES.iter().map(|name| EventTypeView { name })))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::TYPES;

    /// The quoted words of capitals with points in a text.
    fn words(text: &str) -> impl Iterator<Item = &str> {
        let is_type = |word: &&str| {
            word.contains('.')
                && !word.starts_with('.')
                && word.chars().all(|sign| sign.is_ascii_uppercase() || sign == '.')
        };
        text.split('"').filter(is_type).filter(|word| !word.starts_with("ALERT."))
    }

    fn look(folder: &Path, missing: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() {
                look(&path, missing);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                missing.extend(words(&text).filter(|word| !TYPES.contains(word)).map(str::to_owned));
            }
        }
    }

    #[test]
    fn every_type_that_is_written_is_listed() {
        let mut missing = Vec::new();
        look(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut missing);
        assert!(missing.is_empty(), "{missing:?}");
    }
}
