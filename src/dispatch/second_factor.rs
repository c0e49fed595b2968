//! The second factor of a session (`contract/api-protocol.md 3.7`): one guess, which counts as one at the password does.

use std::time::{SystemTime, UNIX_EPOCH};

use super::Gateway;
use super::login::too_many_guesses;
use super::request::{RawRequest, SESSION_KEY};
use crate::api::{ApiError, ErrorCode, Reply, cs_code};
use crate::auth::limit::Tried;
use crate::auth::two_factor::{self, Right};
use crate::model::signed;
use crate::store::{LoginUser, SecondFactor};

impl Gateway {
    /// Shows the second factor of the user who has logged in. A wrong code ends the session.
    pub(super) async fn second_factor(&self, request: &RawRequest) -> Result<Option<Reply>, ApiError> {
        let Some(session) = self.session(request).await? else {
            self.distrust.refused(request.peer);
            return Err(ApiError::bad_credentials());
        };
        let store = &self.means.store;
        let key = request.exact(SESSION_KEY);
        if !self.means.policy.session.key_check.passes(&session.key_hash, request.cookie(SESSION_KEY), key) {
            store.session_end(&session.id_hash).await?;
            return Err(ApiError::unknown_caller());
        }
        let Some(code) = request.exact("codefor2fa").filter(|code| !code.is_empty()) else {
            return Err(ApiError::new(
                ErrorCode::Account,
                cs_code::COMMAND,
                "Code for two factor authentication is required",
            ));
        };
        let tried = Tried::user(session.user_id);
        let attempt = self.logins.guesses.attempt(request.peer, tried).map_err(too_many_guesses)?;
        // Taken before anything is compared: of many guesses that come at once one is looked at.
        let has_the_guess = store.session_second_factor_try(&session.id_hash).await?;
        let user = store.login_user_by_id(session.user_id).await?;
        let is_right = match &user {
            Some(user) if has_the_guess && user.identity.enabled => self.code_is_right(user, code).await?,
            _ => false,
        };
        // One that came too late has ended the session meanwhile, and is not overruled.
        if is_right && store.session_second_factor_shown(&session.id_hash, SecondFactor::Tried).await? {
            attempt.succeeded();
            store.login_succeeded(session.user_id).await?;
            return Ok(Some(Reply::success()));
        }
        store.session_end(&session.id_hash).await?;
        attempt.failed();
        if let Some(user) = &user {
            self.count_failure(user).await?;
            let (name, domain_id) = (user.identity.username.escape_debug(), user.identity.domain_id);
            tracing::warn!(peer = %request.peer, user = %name, domain_id, "a second factor was wrong");
        }
        let text = "The code is not the one that is expected now. The session has ended: log in again.";
        Err(ApiError::new(ErrorCode::SecondFactorNeeded, cs_code::SECOND_FACTOR, text))
    }

    /// Whether a code is the user's of this moment, and was not shown before.
    async fn code_is_right(&self, user: &LoginUser, code: &str) -> Result<bool, ApiError> {
        let Some((provider, factor)) = &user.second_factor else { return Ok(false) };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        match two_factor::judge(provider, factor.expose(), code, now) {
            None => Ok(false),
            Some(Right::Pin) => Ok(true),
            Some(Right::Once(step)) => {
                Ok(self.means.store.second_factor_use(user.identity.user_id, signed(step)).await?)
            }
        }
    }
}
