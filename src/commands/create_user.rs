//! `createUser` (`contract/entities.md 2.10`).

use super::audit::{Deed, watched};
use super::create_account::chosen_uuid;
use super::filters::Domain;
use super::{Ctx, InstanceType, SyncCommand, key_pairs, passwords, privilege};
use crate::api::{ApiError, Id, Reply};
use crate::model::Secret;
use crate::model::entity::DomainRef;
use crate::store::{NewUser, transact};
use crate::views::UserView;

crate::command! {
    /// Makes a user of an account that exists.
    pub struct CreateUser {
        /// The name of the account.
        account: String [java("accountName")],
        /// The domain of the account; the caller's when it is not given.
        domain_id "domainid": Option<Id<DomainRef>>,
        /// The user's address.
        email: String,
        /// First name.
        first_name "firstname": String,
        /// Last name.
        last_name "lastname": String,
        /// The password, in clear.
        password: Secret,
        /// The user's time zone.
        timezone: Option<String> [length(30)],
        /// The login name.
        username: String,
        /// The id the user is to have.
        user_uuid "userid": Option<String> [java("userUUID")],
        /// Whether the password has to be changed with the next login.
        change_password "passwordchangerequired": Option<bool> [since("4.23.0")],
    }
    name "createUser", kind Sync, http Post, response UserView, roles [Admin],
    java "org.apache.cloudstack.api.command.admin.user.CreateUserCmd"
}

impl SyncCommand for CreateUser {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        let deed = Deed::new(
            "USER.CREATE",
            format!(
                "creating User. UserName: {}, FirstName :{}, LastName: {}",
                self.username, self.first_name, self.last_name
            ),
        );
        let made = watched(ctx, std::slice::from_ref(&deed), self.make(ctx, &deed).await).await?;
        let views = key_pairs::user_views(ctx, &[made]).await?;
        let failed = || ApiError::command_failed("Failed to create a user");
        Ok(Reply::one(views.into_iter().next().ok_or_else(failed)?))
    }
}

impl CreateUser {
    /// Makes the user and gives its internal number.
    async fn make(self, ctx: &Ctx, deed: &Deed) -> Result<i64, ApiError> {
        let domain = Domain::open(ctx, self.domain_id.map_or(ctx.caller.domain_id, |id| id.number())).await?;
        let unknown = || {
            ApiError::invalid_parameter(format!(
                "Unable to find account {} in domain {} to create user",
                self.account,
                domain.dump()
            ))
        };
        let account_id = ctx.store.account_by_name(&self.account, domain.id).await?.ok_or_else(unknown)?;
        let account = ctx.store.account_by_id(account_id).await?.ok_or_else(unknown)?;
        if account.state != "enabled" {
            return Err(unknown());
        }
        if account.id == privilege::SYSTEM {
            return Err(ApiError::permission_denied(format!(
                "Account: {} is a system account, can't add a user to it",
                account.name
            )));
        }
        privilege::operate(ctx, &account, None).await?;
        let user = NewUser {
            uuid: chosen_uuid(self.user_uuid)?,
            username: self.username,
            password: passwords::encoded(self.password).await?,
            first_name: self.first_name,
            last_name: self.last_name,
            email: self.email,
            timezone: self.timezone,
            change_password: self.change_password == Some(true),
        };
        transact!(ctx.store, ApiError, |tx| {
            tx.domain_hold(domain.id).await?;
            if tx.username_taken(&user.username, domain.id, 0).await? {
                return Err(ApiError::internal(format!(
                    "The user {} already exists in domain {}",
                    user.username, domain.id
                )));
            }
            if !tx.identity_uuids_free(None, &user.uuid).await? {
                return Err(ApiError::command_failed("Entity already exists "));
            }
            let user_id = tx.user_insert(account.id, &user).await?;
            deed.done(tx, ctx, (InstanceType::User, user_id)).await?;
            Ok(user_id)
        })
    }
}
