//! `validateUserTwoFactorAuthenticationCode`: declared here, served by the rim (`contract/api-protocol.md 3.7`).

use crate::api::{Bare, SuccessView};

crate::command! {
    /// Shows the second factor of the user who has logged in. A wrong code ends the session.
    pub struct ValidateSecondFactor {
        /// The code of the authenticator app, or the PIN.
        code "codefor2fa": String,
    }
    name "validateUserTwoFactorAuthenticationCode", since "4.18.0", kind Sync, http Post, response Bare<SuccessView>,
    roles [Admin, ResourceAdmin, DomainAdmin, User],
    java "org.apache.cloudstack.api.command.user.user.ValidateUserTwoFactorAuthenticationCodeCmd"
}
