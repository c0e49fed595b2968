//! Passwords on their way into the database. Hashing takes a while, so it is done beside the threads that answer calls.

use crate::api::ApiError;
use crate::auth::password;
use crate::model::Secret;

/// The stored form of a password.
///
/// # Errors
/// 530 when the work was broken off, which happens only while the process ends.
pub(super) async fn encoded(given: Secret) -> Result<Secret, ApiError> {
    beside(move || Secret::new(password::encode(given.expose()))).await
}

/// Whether `given` is the password that `stored` keeps.
///
/// # Errors
/// As [`encoded`].
pub(super) async fn matches(stored: Secret, given: Secret) -> Result<bool, ApiError> {
    beside(move || password::matches(stored.expose(), given.expose())).await
}

async fn beside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, ApiError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|cause| ApiError::internal("The password could not be worked on. Try again.").caused_by(cause))
}
