//! The store: the only room with SQL. One text for SQLite and MySQL/MariaDB.
//!
//! One file per aggregate; functions are named noun first (`volume_by_id`). What changes a state takes a
//! [`Transition`](crate::model::Transition), which only a state machine can mint, and is guarded by the state and
//! `update_count` that the caller saw: a late writer loses, politely.
//!
//! Inside a transaction only the functions of [`Tx`] may be used: on SQLite it holds the only writing connection.

mod accounts;
mod attach;
mod bootstrap;
mod cancels;
mod capabilities;
mod capacity;
mod cells;
mod changes;
mod cloud_cipher;
pub mod commit;
mod copies;
mod db;
mod doubts;
mod drift;
mod error;
mod estate;
mod evacuation;
mod events;
mod expiry;
mod guards;
mod identities;
mod ids;
mod installation;
mod inventory;
mod jobs;
mod journal;
mod kept;
mod leftovers;
mod lent;
mod lists;
mod locks;
mod migrations;
mod mysql;
mod packed;
mod rows;
mod servers;
mod sessions;
mod sights;
mod source;
mod sqlite;
mod submissions;
mod taken;
mod transact;
mod value;
mod vault;
mod watched;
mod writes;

pub use accounts::{Credential, Identity, Rule};
pub use attach::{Finding, Obstacle, Schema, Survey};
pub use bootstrap::KeyPair;
pub use cancels::{CancelRow, CancelState};
pub use capacity::{HostRoom, Incoming};
pub use changes::{Alert, AlertKind, Usage, VmPlace, VolumePlace};
pub use cloud_cipher::{CloudCipher, CloudCipherError, CloudForm};
pub use db::{Db, Done, Tx};
pub use drift::{Compared, DriftEnd, DriftRow, NewDrift};
pub use error::StoreError;
pub use estate::{
    AdoptedVm, AdoptedVolume, Cluster, HostChange, HostRows, KnownVm, NewCluster, NewDiskOffering, NewPod,
    NewServiceOffering, NewZone, OVERPROVISIONING, Pod, PoolChange, PoolRows, Restrictions, Zone, ZoneChange,
};
pub use events::NewEvent;
pub use identities::{Account, NewAccount, NewKey, NewUser, Role, User, UserChange};
pub use ids::Label;
pub use jobs::{JobFilter, JobRow, NewJob, QueuedJob};
pub use journal::{DiskFacts, MotionDisk, MotionProgress, MotionRow, NewMotion};
pub use kept::{Kept, Look, Reading};
pub use leftovers::{FileRole, FileState, MotionFileRow, NewMotionFile};
pub use lists::{
    AccountFilter, AlertFilter, CapabilityChange, CapacityFilter, ClusterFilter, Counted, DomainFilter, DriftFilter,
    EventFilter, EventMark, GuestOsFilter, Holder, HostFigures, HostFilter, HostGroup, HostMachines, InUse, KeyFilter,
    LeftoverFilter, Machines, MotionFilter, NewsFilter, OfferingFilter, Owners, PodFilter, ProjectFilter,
    ProjectMember, ProjectPlace, ProjectRoleFilter, Projects, Promised, PublicHalf, PutAway, Reserved, ResourceKind,
    ResourceUse, RoleFilter, SettingFilter, SettingScope, StoragePoolFilter, SystemMachineFilter, TagFilter,
    TagListFilter, TemplateFilter, UpOf, UserFilter, Viewer, VirtualMachineFilter, VolumeFilter, Window, ZoneFilter,
};
pub use servers::{Server, Standing};
pub use sessions::{LoginUser, SecondFactor, SessionRow};
pub use sights::{JobSight, Moving};
pub use source::{Source, SourceError};
pub use submissions::{Earlier, Submission};
pub use taken::{Hands, TAKEN, TakeError, Taken, TakenTable};
pub(crate) use transact::transact;
pub use transact::{Attempts, StoreCause};
pub use value::{FromValue, Row, Value};
pub use vault::{
    API_SECRET, PLACES, Place, PlaceReport, Progress, Rotated, SECOND_FACTOR, SETTING, Sealed, Vault, VaultError,
    forget_lost, is_sealed, verify_keys,
};
pub use watched::{Absence, HostLoadRow, HostReport};
pub use writes::{TableSet, Writes};

/// The database, asked in the gateway's own words.
#[derive(Clone, Debug)]
pub struct Store {
    db: Db,
    claim: Option<Claim>,
    keeper: vault::Keeper,
    counts: lists::Counts,
    ids: ids::KnownIds,
    known_settings: installation::KnownSettings,
}

/// A job that a gateway runs. Every claim of a job has a higher epoch than the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The job.
    pub job_id: i64,
    /// Which claim of it.
    pub epoch: i64,
}

impl Store {
    /// Opens the database that `url` names and brings its tables up to date. Its secrets are taken for plain text; see
    /// [`Store::with_vault`].
    ///
    /// # Errors
    /// See [`Db::open`].
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        Ok(Self::new(Db::open(url).await?, vault::Keeper::default()))
    }

    fn new(db: Db, keeper: vault::Keeper) -> Self {
        Self {
            db,
            claim: None,
            keeper,
            counts: lists::Counts::default(),
            ids: ids::KnownIds::default(),
            known_settings: installation::KnownSettings::default(),
        }
    }

    /// The same with another limit for a statement on a server: an answer that has not come then is not waited for any more.
    #[must_use]
    pub fn with_statement_limit(self, limit: std::time::Duration) -> Self {
        Self { db: self.db.with_limit(limit), ..self }
    }

    /// The connection, for statements that have no word of their own.
    #[must_use]
    pub fn db(&self) -> &Db {
        &self.db
    }

    /// How SQLite would find the rows of a statement, a line for each table.
    #[cfg(test)]
    async fn plan(&self, sql: &str, args: Vec<Value>) -> String {
        let rows = self.db().rows(&format!("EXPLAIN QUERY PLAN {sql}"), args).await.unwrap();
        rows.iter().map(|row| row.get::<String>("detail").unwrap()).collect::<Vec<_>>().join("\n")
    }

    /// The same database for what runs under a claim: once another gateway has claimed the job, no transaction begins any
    /// more, and none that had begun is committed.
    #[must_use]
    pub fn under(&self, claim: Claim) -> Self {
        Self { claim: Some(claim), ..self.clone() }
    }

    /// See [`Db::attempts`].
    #[must_use]
    pub fn attempts(&self) -> Attempts {
        self.db.attempts()
    }

    /// Begins a transaction.
    ///
    /// # Errors
    /// See [`Db::begin`]. [`StoreError::Superseded`] when the claim that it runs under is not the latest.
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        let mut tx = self.db.begin().await?;
        tx.keeper = self.keeper.clone();
        if let Some(claim) = self.claim {
            tx.is_about_job(claim.job_id);
            tx.assert_claim(claim).await?;
        }
        Ok(tx)
    }
}
