//! What archiving and deleting events and alerts have in common.

use super::filters;
use crate::api::{ApiError, Id, Reply};
use crate::model::Timestamp;
use crate::store::{Owners, PutAway, Value};

/// What is meant by the parameters: ids, a type, a time from and until.
///
/// # Errors
/// 431 when nothing says what is meant.
pub(super) fn which<E>(
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
