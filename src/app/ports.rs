//! What the rooms ask of each other, answered by the store.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::future::{BoxFuture, try_join};

use crate::api::{BoxError, Ids, RoleType};
use crate::auth::{AccountType, Caller, CallingKey, Credential, Credentials, InProject, KnownUser, Rule};
use crate::model::entity::EntityKind;
use crate::store::{Identity, Store, StoreError};

impl Ids for Store {
    fn internal_id<'a>(&'a self, entity: EntityKind, uuid: &'a str) -> BoxFuture<'a, Result<Option<i64>, BoxError>> {
        Box::pin(async move { Ok(Self::internal_id(self, entity, uuid).await?) })
    }

    fn internal_ids<'a>(
        &'a self,
        entity: EntityKind,
        uuids: &'a [&'a str],
    ) -> BoxFuture<'a, Result<HashMap<String, i64>, BoxError>> {
        Box::pin(async move { Ok(Self::internal_ids(self, entity, uuids).await?) })
    }
}

impl Credentials for Store {
    fn known_user(&self, user_id: i64) -> BoxFuture<'_, Result<Option<KnownUser>, BoxError>> {
        Box::pin(async move {
            let Some(identity) = self.identity_by_user(user_id).await? else { return Ok(None) };
            let (caller, networks) = try_join(caller(self, &identity), self.networks_of_user(user_id)).await?;
            let enabled = identity.enabled;
            Ok(Some(KnownUser { caller: Arc::new(caller), enabled, allowed_cidrs: list_of(networks) }))
        })
    }

    fn credential_by_api_key<'a>(
        &'a self,
        api_key: &'a str,
    ) -> BoxFuture<'a, Result<Option<Arc<Credential>>, BoxError>> {
        Box::pin(async move {
            let Some(found) = Self::credential_by_api_key(self, api_key).await? else { return Ok(None) };
            let mut caller = caller(self, &found.identity).await?;
            let rules = self.rules_of_key(found.key_id).await?.into_iter().map(Rule::from).collect();
            caller.key = Some(CallingKey { id: found.key_id, rules });
            Ok(Some(Arc::new(Credential {
                secret: found.secret.filter(|_| !found.removed),
                caller: Arc::new(caller),
                enabled: found.identity.enabled,
                key_access: !found.keys_off,
                allowed_cidrs: list_of(found.networks.clone()),
                valid_from: found.starts,
                valid_until: found.ends,
            })))
        })
    }

    fn in_project<'a>(
        &'a self,
        project: &'a str,
        account_id: i64,
        user_id: i64,
    ) -> BoxFuture<'a, Result<Option<Arc<InProject>>, BoxError>> {
        Box::pin(async move { Ok(InProject::read(self, project, account_id, user_id).await?.map(Arc::new)) })
    }
}

fn list_of(networks: Option<String>) -> Vec<String> {
    networks.map_or_else(Vec::new, |list| list.split(',').map(str::to_owned).collect())
}

/// The caller that a user of the database is, with the rules of its role.
///
/// # Errors
/// See [`Store::rules_of_role`].
async fn caller(store: &Store, identity: &Identity) -> Result<Caller, StoreError> {
    let rules = store.rules_of_role(identity.role_id).await?.into_iter().map(Rule::from).collect();
    Ok(Caller {
        user_id: identity.user_id,
        user_uuid: identity.user_uuid.clone(),
        username: identity.username.clone(),
        account_id: identity.account_id,
        account_uuid: identity.account_uuid.clone(),
        account_name: identity.account.clone(),
        account_type: AccountType::from_number(identity.account_type),
        domain_id: identity.domain_id,
        domain_path: identity.domain_path.clone(),
        role_id: identity.role_id,
        role_type: RoleType::parse(&identity.role_type),
        rules,
        key: None,
    })
}
