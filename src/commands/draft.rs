//! A job to come, and what the event log says about it.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::api::ApiError;
use crate::store::Submission;

/// What a job works on, in CloudStack's words (`jobinstancetype`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum InstanceType {
    /// A disk.
    Volume,
    /// A machine.
    VirtualMachine,
    /// A host.
    Host,
    /// A pool.
    StoragePool,
    /// A cluster.
    Cluster,
    /// An account.
    Account,
    /// A user.
    User,
    /// A zone.
    Zone,
    /// A pod.
    Pod,
    /// What a disk may be like.
    DiskOffering,
    /// What a machine may be like.
    ServiceOffering,
}

impl InstanceType {
    const ALL: [Self; 11] = [
        Self::Volume,
        Self::VirtualMachine,
        Self::Host,
        Self::StoragePool,
        Self::Cluster,
        Self::Account,
        Self::User,
        Self::Zone,
        Self::Pod,
        Self::DiskOffering,
        Self::ServiceOffering,
    ];

    /// The word on the wire and in the database.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Volume => "Volume",
            Self::VirtualMachine => "VirtualMachine",
            Self::Host => "Host",
            Self::StoragePool => "StoragePool",
            Self::Cluster => "Cluster",
            Self::Account => "Account",
            Self::User => "User",
            Self::Zone => "Zone",
            Self::Pod => "Pod",
            Self::DiskOffering => "DiskOffering",
            Self::ServiceOffering => "ServiceOffering",
        }
    }

    /// Reads the word, in any letter case.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.word().eq_ignore_ascii_case(word))
    }
}

/// An event to be written together with a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventDraft {
    /// The type, such as `VOLUME.MIGRATE`.
    pub event_type: &'static str,
    /// What the job is about to do.
    pub description: String,
    /// The account that owns the thing it is about.
    pub owner_account_id: i64,
    /// The thing it is about.
    pub resource: Option<(InstanceType, i64)>,
}

/// A job to be accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobDraft {
    /// The name of the command.
    pub command: &'static str,
    /// The Java class that `cmd` shows.
    pub java_class: &'static str,
    /// The parameters as [`crate::api::Args::pairs`] gives them; the job reads them again.
    pub params: Vec<(String, String)>,
    /// The user who asked.
    pub user_id: i64,
    /// The account of that user.
    pub account_id: i64,
    /// What it works on.
    pub instance: Option<(InstanceType, i64)>,
    /// What the event log says.
    pub event: EventDraft,
    /// What the submission is known by.
    pub submission: Submission,
    /// The id that ties log lines together.
    pub request_id: Arc<str>,
}

/// Accepts jobs: row and event in one transaction.
pub trait JobDesk: Send + Sync {
    /// The public id of the job that an earlier submission of the account made, if this one repeats it.
    ///
    /// # Errors
    /// 530/9999 `Entity already exists ` when the chosen id is another job's; 431 when the key was used for something else.
    fn earlier<'a>(
        &'a self,
        account_id: i64,
        submission: &'a Submission,
    ) -> BoxFuture<'a, Result<Option<String>, ApiError>>;

    /// Accepts a job and returns its public id, or that of the earlier job that this one repeats.
    ///
    /// # Errors
    /// As [`JobDesk::earlier`]; 503 when no new work is taken.
    fn submit<'a>(&'a self, draft: JobDraft) -> BoxFuture<'a, Result<String, ApiError>>;
}
