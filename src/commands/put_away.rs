//! What archiving and deleting events and alerts have in common.

use super::{Ctx, filters};
use crate::api::{ApiError, Id, Reply};
use crate::model::Timestamp;
use crate::model::entity::{AlertRef, EventRef};
use crate::store::{Owners, PutAway, Value};

crate::params! {
    /// Which events. One of the parameters is needed.
    pub struct EventsMeant {
        /// Only these. All of them must be there, or nothing is done.
        ids: Option<Vec<Id<EventRef>>>,
        /// Only those until then.
        end_date "enddate": Option<Timestamp>,
        /// Only those from then on. Needs `enddate`.
        start_date "startdate": Option<Timestamp>,
        /// Only those of exactly this type, such as `VOLUME.MIGRATE`.
        kind "type": Option<String>,
    }
}

crate::params! {
    /// Which alerts. One of the parameters is needed.
    pub struct AlertsMeant {
        /// Only these. All of them must be there, or nothing is done.
        ids: Option<Vec<Id<AlertRef>>>,
        /// Only those until then.
        end_date "enddate": Option<Timestamp>,
        /// Only those from then on. Needs `enddate`.
        start_date "startdate": Option<Timestamp>,
        /// Only those of the kind with this number.
        kind "type": Option<String>,
    }
}

impl EventsMeant {
    /// Those that the caller may change.
    ///
    /// # Errors
    /// 431 when nothing says which are meant.
    pub(super) fn of(self, ctx: &Ctx) -> Result<PutAway, ApiError> {
        which(self.ids, self.kind.map(Into::into), (self.start_date, self.end_date), filters::reach(&ctx.caller))
    }
}

impl AlertsMeant {
    /// All of them: alerts belong to nobody.
    ///
    /// # Errors
    /// 431 when nothing says which are meant, or the kind is no number.
    pub(super) fn all(self) -> Result<PutAway, ApiError> {
        let kind = filters::alert_kind(self.kind)?.map(Into::into);
        which(self.ids, kind, (self.start_date, self.end_date), Owners::default())
    }
}

/// What is meant by the parameters: ids, a type, a time from and until.
///
/// # Errors
/// 431 when nothing says what is meant.
fn which<E>(
    ids: Option<Vec<Id<E>>>,
    kind: Option<Value>,
    (from, until): (Option<Timestamp>, Option<Timestamp>),
    owners: Owners,
) -> Result<PutAway, ApiError> {
    let ids = ids.filter(|ids| !ids.is_empty());
    if ids.is_none() && kind.is_none() && until.is_none() {
        return Err(ApiError::invalid_parameter("either ids, type or enddate must be specified"));
    }
    if from.is_some() && until.is_none() {
        return Err(ApiError::invalid_parameter("enddate must be specified with startdate parameter"));
    }
    Ok(PutAway { ids: ids.map(|ids| filters::numbers(&ids)), kind, from, until, owners })
}

/// The answer, when so many rows were changed.
///
/// # Errors
/// 431 when ids were given and not all of them could be done.
pub(super) fn reply(which: &PutAway, done: u64) -> Result<Reply, ApiError> {
    if done == 0 && which.ids.is_some() {
        return Err(ApiError::invalid_parameter(
            "Nothing was done: one of them does not exist, was put away before, or is not yours",
        ));
    }
    Ok(Reply::success())
}
