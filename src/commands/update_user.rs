//! `updateUser` (`contract/entities.md 3.19`).

use super::audit::{Deed, watched};
use super::{Ctx, InstanceType, SyncCommand, filters, key_pairs, passwords, privilege};
use crate::api::{ApiError, Id, Reply};
use crate::model::Secret;
use crate::model::entity::UserRef;
use crate::store::{User, UserChange, transact};
use crate::views::UserView;

crate::command! {
    /// Changes a user. What is not given stays as it is.
    pub struct UpdateUser {
        /// A public half for a key pair. Refused: `registerUserKeys` makes pairs.
        api_key "userapikey": Option<String>,
        /// The address.
        email: Option<String>,
        /// First name.
        first_name "firstname": Option<String>,
        /// The user.
        id: Id<UserRef>,
        /// Last name.
        last_name "lastname": Option<String>,
        /// A new password, in clear.
        password: Option<Secret>,
        /// The password so far, in clear. Who is no admin has to give it with a new one.
        current_password "currentpassword": Option<Secret>,
        /// A secret half for a key pair. Refused: `registerUserKeys` makes pairs.
        secret_key "usersecretkey": Option<Secret>,
        /// Whether keys may be used: `Enabled`, `Disabled`, or `Inherit` for what the account says.
        key_access "apikeyaccess": Option<String> [since("4.20.1.0")],
        /// The time zone.
        timezone: Option<String> [length(30)],
        /// The login name.
        username: Option<String>,
        /// Whether a second factor is needed. Refused: there is none here.
        mandate_2fa "mandate2fa": Option<bool> [since("4.18.0.0")],
    }
    name "updateUser", kind Sync, http Post, response UserView, roles [Admin],
    java "org.apache.cloudstack.api.command.admin.user.UpdateUserCmd"
}

impl SyncCommand for UpdateUser {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        let id = self.id.number();
        let deed = Deed::new("USER.UPDATE", format!("Updating User. UserId: {id}"));
        watched(ctx, std::slice::from_ref(&deed), self.change(ctx, &deed).await).await?;
        let views = key_pairs::user_views(ctx, &[id]).await?;
        Ok(Reply::one(views.into_iter().next().ok_or_else(|| ApiError::command_failed("Failed to update user"))?))
    }
}

impl UpdateUser {
    async fn change(self, ctx: &Ctx, deed: &Deed) -> Result<(), ApiError> {
        if self.api_key.is_some() || self.secret_key.is_some() {
            return Err(ApiError::invalid_parameter(
                "Keys of a client's own choice are not taken; registerUserKeys makes a pair",
            ));
        }
        if self.mandate_2fa == Some(true) {
            return Err(ApiError::invalid_parameter("Two factor authentication is not offered"));
        }
        let id = self.id.number();
        let unknown = || ApiError::invalid_parameter(format!("Unable to find user with id: {id}"));
        let user = ctx.store.user_by_id(id).await?.ok_or_else(unknown)?;
        if user.account.kind == privilege::PROJECT {
            return Err(unknown());
        }
        if user.account.id == privilege::SYSTEM {
            return Err(ApiError::permission_denied(format!(
                "user: {} is a system account; update is not allowed.",
                user.username
            )));
        }
        privilege::operate(ctx, &user.account, Some(user.id)).await?;
        // Who shares an account with others speaks for himself only, as everywhere.
        if user.id != ctx.caller.user_id && !ctx.caller.is_root_admin() && !ctx.caller.is_domain_admin() {
            return Err(filters::not_yours());
        }
        let key_access = self.key_access.as_deref().map(filters::parse_key_access).transpose()?;
        let is_admin = ctx.caller.is_root_admin() || ctx.caller.is_domain_admin();
        if key_access.is_some() && !is_admin {
            return Err(ApiError::permission_denied("Only admins can switch the use of API keys on or off"));
        }
        let change = UserChange {
            first_name: not_blank(self.first_name, "Firstname cannot be empty.")?,
            last_name: not_blank(self.last_name, "Lastname cannot be empty.")?,
            username: not_blank(self.username, "Username cannot be empty.")?,
            password: new_password(ctx, &user, self.password, self.current_password).await?,
            email: self.email.filter(|text| !text.trim().is_empty()),
            timezone: self.timezone.filter(|text| !text.trim().is_empty()),
            key_access,
        };
        transact!(ctx.store, ApiError, |tx| {
            if let Some(name) = &change.username {
                tx.domain_hold(user.account.domain_id).await?;
                if tx.username_taken(name, user.account.domain_id, user.id).await? {
                    return Err(ApiError::invalid_parameter(format!(
                        "Username [{name}] already exists in domain [id={}]",
                        user.account.domain_id
                    )));
                }
            }
            tx.user_change(user.id, &change).await?;
            deed.done(tx, ctx, (InstanceType::User, user.id)).await?;
            Ok(())
        })
    }
}

fn not_blank(text: Option<String>, refusal: &str) -> Result<Option<String>, ApiError> {
    match text {
        Some(text) if text.trim().is_empty() => Err(ApiError::invalid_parameter(refusal)),
        other => Ok(other),
    }
}

/// The stored form of a new password, if one was given and may be set.
async fn new_password(
    ctx: &Ctx,
    user: &User,
    new: Option<Secret>,
    current: Option<Secret>,
) -> Result<Option<Secret>, ApiError> {
    let refuse = |text: &str| Err(ApiError::invalid_parameter(text));
    let Some(new) = new else { return Ok(None) };
    if new.expose().trim().is_empty() {
        return refuse("Password cannot be empty or blank.");
    }
    if ["SAML2", "SAML2DISABLED", "LDAP"].contains(&user.source.as_str()) {
        return refuse(
            "CloudStack does not support updating passwords for SAML or LDAP users. Please contact your cloud administrator \
             for assistance.",
        );
    }
    if !ctx.caller.is_root_admin() && !ctx.caller.is_domain_admin() {
        let Some(current) = current.filter(|text| !text.expose().trim().is_empty()) else {
            return refuse("To set a new password the current password must be provided.");
        };
        if !passwords::matches(user.password.clone(), current).await? {
            return refuse("Current password is incorrect.");
        }
    }
    passwords::encoded(new).await.map(Some)
}
