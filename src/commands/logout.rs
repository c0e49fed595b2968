//! `logout`: declared here, served by the rim (`contract/api-protocol.md 3.6`).

use crate::api::Bare;

crate::command! {
    /// Ends the session that the cookies belong to.
    pub struct Logout {}
    name "logout", kind Sync, http Post, response Bare<LogoutView>,
    roles [Admin, ResourceAdmin, DomainAdmin, User],
    java "com.cloud.api.auth.DefaultLogoutAPIAuthenticatorCmd"
}

crate::response! {
    /// Says that the session has ended.
    pub struct LogoutView as "logout" {
        /// `success`.
        description: String,
    }
}
