//! Why something is not moved: a code and the text that the client reads.
//!
//! The texts are CloudStack's, down to their typing errors, where CloudStack has one (`contract/migration.md` 2): clients
//! and operators look for them.

use std::fmt;

use super::verdict::sentence;
use crate::model::IllegalTransition;
use crate::store::{MotionRow, Store, StoreCause, StoreError};

/// The kind of a refusal, which decides the code in the job's result (`contract/migration.md` 0.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalKind {
    /// 431: what was asked for cannot be done with these things.
    Parameter,
    /// 530: it was tried or planned, and failed.
    Failed,
}

/// A refusal or failure, ready for the job's result.
#[derive(Debug)]
pub struct Refusal {
    /// The kind.
    pub kind: RefusalKind,
    /// The text.
    pub text: String,
    /// What was behind it, for the log.
    pub cause: Option<StoreError>,
    /// What the text speaks of: its id, and CloudStack's word for what it is.
    pub subject: Option<Box<(String, &'static str)>>,
}

impl Refusal {
    /// 431 with a text.
    pub fn parameter(text: impl Into<String>) -> Self {
        Self { kind: RefusalKind::Parameter, text: text.into(), cause: None, subject: None }
    }

    /// 530 with a text.
    pub fn failed(text: impl Into<String>) -> Self {
        Self { kind: RefusalKind::Failed, text: text.into(), cause: None, subject: None }
    }

    /// Names what the text speaks of.
    #[must_use]
    pub fn about(self, id: impl Into<String>, what: &'static str) -> Self {
        Self { subject: Some(Box::new((id.into(), what))), ..self }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl std::error::Error for Refusal {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_ref().map(|cause| cause as &(dyn std::error::Error + 'static))
    }
}

impl StoreCause for Refusal {
    fn store_cause(&self) -> Option<&StoreError> {
        self.cause.as_ref()
    }
}

impl From<StoreError> for Refusal {
    fn from(cause: StoreError) -> Self {
        let text = match &cause {
            StoreError::Conflict { what } => format!(
                "Migration cancelled because {what} was changed by another operation at the same time; see where it is and try again"
            ),
            cause if cause.is_locked_out() => {
                "Migration cancelled because somebody held a lock on its rows or their table in \
                the database too long; nothing was changed by this, try again"
                    .to_owned()
            }
            _ => "The database did not answer as expected; the log has the cause".to_owned(),
        };
        Self { kind: RefusalKind::Failed, text, cause: Some(cause), subject: None }
    }
}

/// A state from which the motion cannot go on.
impl From<IllegalTransition> for Refusal {
    fn from(error: IllegalTransition) -> Self {
        Self::failed(error.to_string())
    }
}

/// Refuses to move what an earlier motion may have moved already: until its host has answered, nobody knows where it is.
///
/// # Errors
/// 530 with what is known of the earlier motion.
pub(super) async fn refuse_unknown(store: &Store, vm_id: Option<i64>, volume_id: Option<i64>) -> Result<(), Refusal> {
    refuse_open(store, store.motion_unknown(vm_id, volume_id).await?.as_ref()).await
}

/// As [`refuse_unknown`], for a caller that has looked for such a motion.
pub(super) async fn refuse_open(store: &Store, open: Option<&MotionRow>) -> Result<(), Refusal> {
    let Some(open) = open else { return Ok(()) };
    let vm = match open.vm_id {
        Some(id) => store.vm_by_id(id).await?.map(|vm| vm.instance_name),
        None => None,
    };
    Err(Refusal::failed(format!(
        "What became of an earlier migration ({}) is not known yet, so nothing is moved now. {} {}",
        open.uuid,
        sentence(open.reason.as_deref().unwrap_or_default()),
        advice(&open.uuid, vm.as_deref())
    )))
}

/// What a person can do about a motion whose outcome is not known, with the commands.
#[must_use]
pub fn advice(motion: &str, vm: Option<&str>) -> String {
    let vm = vm.unwrap_or("NAME");
    format!(
        "Its hosts are asked again and again: see to it that they answer. If they cannot tell, listMigrations id={motion} shows what \
         was to move where, and Get-VMHardDiskDrive -VMName {vm} on a host what it has; then say what is true: resolveMigration \
         id={motion} found=source or found=target."
    )
}
