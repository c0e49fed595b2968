//! `login`: declared here, served by the rim (`contract/api-protocol.md 3.1 and 3.2`).

use crate::api::Bare;

crate::command! {
    /// Begins a session: the answer brings two cookies and a key, which every later call of the session shows. By POST only.
    pub struct Login {
        /// The user's name.
        username: String,
        /// The password, as it is typed.
        password: String,
        /// The path of the domain, such as `ROOT/a/b` without its first part. The root without it.
        domain: Option<String>,
        /// The domain by its id, which wins over the path.
        domain_id "domainid": Option<String>,
    }
    name "login", kind Sync, http PostOnly, response Bare<LoginView>,
    roles [Admin, ResourceAdmin, DomainAdmin, User],
    java "com.cloud.api.auth.DefaultLoginAPIAuthenticatorCmd"
}

crate::response! {
    /// Who has logged in.
    pub struct LoginView as "login" {
        /// The user's name.
        username: String,
        /// The user's id.
        user_id "userid": String,
        /// The id of the domain.
        domain_id "domainid": String,
        /// After how many seconds without a call the session ends.
        timeout: i64,
        /// The account's name.
        account: String,
        /// First name.
        first_name "firstname": Option<String>,
        /// Last name.
        last_name "lastname": Option<String>,
        /// The kind of the account: 0 user, 1 root admin, 2 domain admin.
        kind "type": String,
        /// The user's time zone; the server's for users who have none.
        time_zone "timezone": Option<String>,
        /// How many hours that zone is ahead of UTC.
        time_zone_offset "timezoneoffset": Option<String>,
        /// Whether the user has registered.
        registered: String,
        /// The key of the session: the parameter `sessionkey` of every later call.
        session_key "sessionkey": String,
        /// Whether the user has a second factor.
        is_2fa_enabled "is2faenabled": String,
        /// Whether calls may be made: false until the second factor was shown.
        is_2fa_verified "is2faverified": String,
        /// The kind of the second factor.
        provider_for_2fa "providerfor2fa": Option<String>,
        /// The name under which an authenticator app shows the account.
        issuer_for_2fa "issuerfor2fa": String,
        /// The id of this server; root admins only.
        management_server_id "managementserverid": Option<String>,
        /// True for users who have to change their password; absent for all others.
        must_change_password "passwordchangerequired": Option<bool>,
    }
}
