//! What a new database is given: the root domain, the roles, an administrator with an API key, and a disk offering.

use super::{NewDiskOffering, Sealed, Store, StoreError, Tx, transact};
use crate::args;
use crate::model::{Secret, Timestamp, random};

/// An API key pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPair {
    /// The public half.
    pub api_key: String,
    /// The secret half.
    pub secret_key: Secret,
}

impl KeyPair {
    /// A new pair, as long as CloudStack's: 64 random bytes each, in URL-safe Base64.
    #[must_use]
    pub fn random() -> Self {
        Self { api_key: random_text(), secret_key: Secret::new(random_text()) }
    }
}

fn random_text() -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(random::<64>())
}

/// CloudStack's default roles: id, name, type, description in our words (`contract/api-protocol.md` 9.1).
const ROLES: [(i64, &str, &str, &str); 8] = [
    (1, "Root Admin", "Admin", "May do everything"),
    (2, "Resource Admin", "ResourceAdmin", "Administers the resources of a domain"),
    (3, "Domain Admin", "DomainAdmin", "Administers a domain"),
    (4, "User", "User", "Uses resources"),
    (5, "Read-Only Admin - Default", "Admin", "Sees everything, changes nothing"),
    (6, "Read-Only User - Default", "User", "Sees its own, changes nothing"),
    (7, "Support Admin - Default", "Admin", "Sees everything and does maintenance"),
    (8, "Support User - Default", "User", "Sees its own and restarts it"),
];

/// Commands that default roles may call by a rule, and the roles: what a fresh CloudStack has about the commands that are
/// served here and those that the web client asks for (`contract/api-protocol.md` 9.3, `contract/entities.md` 0.4). Where
/// no rule speaks, the declaration of the command decides.
const ALLOWED: [(&str, &[i64]); 72] = [
    ("archiveEvents", &[2, 3, 4]),
    ("addHost", &[2]),
    ("cancelHostMaintenance", &[7]),
    ("cancelStorageMaintenance", &[7]),
    ("cloudianIsEnabled", &[6, 7, 8]),
    ("createAccount", &[2, 3]),
    ("createDiskOffering", &[2, 3, 7]),
    ("createServiceOffering", &[2, 3, 7]),
    ("createUser", &[2, 3]),
    ("deleteEvents", &[2, 3, 4]),
    ("deleteHost", &[2]),
    ("deleteUserKeys", &[2, 3, 4]),
    ("disableAccount", &[2, 3]),
    ("disableUser", &[2, 3]),
    ("enableAccount", &[2, 3]),
    ("enableStorageMaintenance", &[7]),
    ("enableUser", &[2, 3]),
    ("getApiLimit", &[2, 3, 4, 6, 8]),
    ("listAccounts", &[2, 3, 4, 6, 8]),
    ("listAffinityGroups", &[2, 3, 4, 6, 8]),
    ("listAlerts", &[2]),
    ("listAnnotations", &[2, 3, 4]),
    ("listApis", &[2, 3, 4, 6, 8]),
    ("listAsyncJobs", &[2, 3, 4, 6, 8]),
    ("listCapabilities", &[2, 3, 4, 6, 8]),
    ("listCapacity", &[2]),
    ("listClusters", &[2]),
    ("listConfigurations", &[3]),
    ("listDiskOfferings", &[2, 3, 4, 6, 8]),
    ("listDomainChildren", &[2, 3]),
    ("listDomains", &[2, 3]),
    ("listEvents", &[2, 3, 4, 6, 8]),
    ("listEventTypes", &[2, 3, 4, 6, 8]),
    ("listHosts", &[2]),
    ("listHypervisors", &[2, 3, 4, 6, 8]),
    ("listInstanceGroups", &[2, 3, 4, 6, 8]),
    ("listIpForwardingRules", &[2, 3, 4, 6, 8]),
    ("listIsos", &[2, 3, 4, 6, 8]),
    ("listLdapConfigurations", &[2, 3, 4, 6, 8]),
    ("listNetworks", &[2, 3, 4, 6, 8]),
    ("listNics", &[2, 3, 4, 6, 8]),
    ("listOsCategories", &[2, 3, 4, 6, 8]),
    ("listOsTypes", &[2, 3, 4, 6, 8]),
    ("listPods", &[2]),
    ("listPortForwardingRules", &[2, 3, 4, 6, 8]),
    ("listProjects", &[2, 3, 4, 6, 8]),
    ("listPublicIpAddresses", &[2, 3, 4, 6, 8]),
    ("listResourceDetails", &[2, 3, 4, 6, 8]),
    ("listResourceLimits", &[2, 3, 4, 6, 8]),
    ("listRouters", &[2, 3]),
    ("listSecurityGroups", &[2, 3, 4, 6, 8]),
    ("listServiceOfferings", &[2, 3, 4, 6, 8]),
    ("listSnapshots", &[2, 3, 4, 6, 8]),
    ("listSSHKeyPairs", &[2, 3, 4, 6, 8]),
    ("listStoragePools", &[2]),
    ("listStorageProviders", &[2]),
    ("listSystemVms", &[2]),
    ("listTags", &[2, 3, 4, 6, 8]),
    ("listTemplates", &[2, 3, 4, 6, 8]),
    ("listUserKeyRules", &[2, 3, 4]),
    ("listUsers", &[2, 3, 4, 6, 8]),
    ("listVirtualMachines", &[2, 3, 4, 6, 8]),
    ("listVMSnapshot", &[2, 3, 4, 6, 8]),
    ("listVolumes", &[2, 3, 4, 6, 8]),
    ("listVPCs", &[2, 3, 4, 6, 8]),
    ("listZones", &[2, 3, 4, 6, 8]),
    ("prepareHostForMaintenance", &[7]),
    ("queryAsyncJobResult", &[2, 3, 4, 6, 8]),
    ("registerUserKeys", &[2, 3, 4]),
    ("streamEvents", &[2, 3, 4, 6, 8]),
    ("updateUser", &[2, 3, 4]),
    ("validateUserTwoFactorAuthenticationCode", &[5, 6, 7, 8]),
];

/// Rules with patterns, in their order: role, pattern, allowed. They come after the others of their role.
const PATTERNS: [(i64, &str, bool); 19] = [
    (1, "*", true),
    (5, "list*", true),
    (5, "getUploadParamsFor*", false),
    (5, "get*", true),
    (5, "cloudianIsEnabled", true),
    (5, "queryAsyncJobResult", true),
    (5, "streamEvents", true),
    (5, "*", false),
    (6, "*", false),
    (7, "list*", true),
    (7, "get*", true),
    (7, "queryAsyncJobResult", true),
    (7, "streamEvents", true),
    (7, "prepareHostForMaintenance", true),
    (7, "cancelHostMaintenance", true),
    (7, "enableStorageMaintenance", true),
    (7, "*", false),
    (8, "getUploadParamsFor*", true),
    (8, "*", false),
];

impl Store {
    /// Gives a new database what it needs to be used at all, and tells the administrator's key. One that is not new is left as
    /// it is.
    ///
    /// # Errors
    /// See [`super::Db::rows`].
    pub async fn bootstrap(&self) -> Result<Option<KeyPair>, StoreError> {
        if !self.is_new().await? {
            return Ok(None);
        }
        let keys = KeyPair::random();
        Ok(self.bootstrap_with(&keys).await?.then_some(keys))
    }

    /// Whether the database has no accounts, and is not being imported into, which brings them.
    ///
    /// # Errors
    /// See [`super::Db::rows`].
    pub async fn is_new(&self) -> Result<bool, StoreError> {
        for rows in ["SELECT id FROM account LIMIT 1", "SELECT row_id FROM motion_import LIMIT 1"] {
            if self.db().row(rows, vec![]).await?.is_some() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Gives a new database what it needs, with this key for its administrator; false when another gateway was first.
    ///
    /// # Errors
    /// See [`super::Db::rows`].
    pub async fn bootstrap_with(&self, keys: &KeyPair) -> Result<bool, StoreError> {
        let uuid = new_id();
        let secret = self.seal_api_secret(&uuid, &keys.secret_key)?;
        let made = transact!(self, StoreError, |tx| {
            insert_roles(tx).await?;
            insert_root(tx).await?;
            insert_offering(tx).await?;
            insert_key(tx, &uuid, &keys.api_key, &secret).await
        });
        match made {
            Ok(()) => Ok(true),
            Err(error) if error.is_duplicate() => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn new_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

async fn insert_roles(tx: &mut Tx) -> Result<(), StoreError> {
    for (id, name, kind, description) in ROLES {
        let sql = "INSERT INTO roles (id, uuid, name, role_type, description, is_default, public_role, state) \
            VALUES (?, ?, ?, ?, ?, 1, 1, 'enabled')";
        tx.run(sql, args![id, new_id(), name, kind, description]).await?;
    }
    let named = ALLOWED.iter().flat_map(|(rule, roles)| roles.iter().map(|role_id| (*role_id, *rule, true)));
    for (order, (role_id, rule, allow)) in named.chain(PATTERNS).enumerate() {
        let sql = "INSERT INTO role_permissions (uuid, role_id, rule, permission, sort_order) VALUES (?, ?, ?, ?, ?)";
        let permission = if allow { "ALLOW" } else { "DENY" };
        tx.run(sql, args![new_id(), role_id, rule, permission, order as i64]).await?;
    }
    Ok(())
}

async fn insert_root(tx: &mut Tx) -> Result<(), StoreError> {
    let now = Timestamp::now();
    let sql = "INSERT INTO domain (id, uuid, name, owner, path, level, created, state) VALUES (1, ?, 'ROOT', 2, '/', 0, ?, 'Active')";
    tx.run(sql, args![new_id(), now]).await?;
    for (id, name) in [(1, "system"), (2, "admin")] {
        let sql = "INSERT INTO account (id, uuid, account_name, type, role_id, domain_id, state, created) \
            VALUES (?, ?, ?, 1, 1, 1, 'enabled', ?)";
        tx.run(sql, args![id, new_id(), name, now]).await?;
        // No password is set: `!` is the hash of none. The administrator comes with an API key.
        let sql = "INSERT INTO user (id, uuid, username, password, account_id, firstname, lastname, state, created, source) \
            VALUES (?, ?, ?, '!', ?, ?, 'User', 'enabled', ?, 'UNKNOWN')";
        tx.run(sql, args![id, new_id(), name, id, name, now]).await?;
    }
    Ok(())
}

async fn insert_key(tx: &mut Tx, uuid: &str, api_key: &str, secret: &Sealed) -> Result<(), StoreError> {
    let sql = "INSERT INTO api_keypair (uuid, name, domain_id, account_id, user_id, api_key, secret_key, created) \
        VALUES (?, 'first key of the administrator', 1, 2, 2, ?, ?, ?)";
    tx.run(sql, args![uuid, api_key, secret.text(), Timestamp::now()]).await?;
    Ok(())
}

/// CloudStack's own default: where no disk offering can be listed, the web interface's dialog for moving a disk breaks
/// (`contract/entities.md` 5.6).
async fn insert_offering(tx: &mut Tx) -> Result<(), StoreError> {
    let listed = "SELECT id FROM disk_offering WHERE compute_only = 0 AND removed IS NULL LIMIT 1";
    if tx.row(listed, args![]).await?.is_some() {
        return Ok(());
    }
    let small = NewDiskOffering {
        uuid: new_id(),
        name: "Small".to_owned(),
        display_text: "Small Disk, 5 GB".to_owned(),
        size_bytes: 5 << 30,
        provisioning_type: "thin",
        display: true,
        ..NewDiskOffering::default()
    };
    tx.disk_offering_insert(&small).await?;
    Ok(())
}

impl Tx {
    /// Takes the disk offering of a new database away again, for an estate that brings its own with their numbers.
    ///
    /// # Errors
    /// See [`super::Db::rows`].
    pub async fn disk_offerings_clear(&mut self) -> Result<(), StoreError> {
        self.run("DELETE FROM disk_offering", args![]).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Name, text and size of the disk offerings in shared storage that lists show.
    async fn listed(store: &Store) -> Vec<(String, String, i64)> {
        let sql = "SELECT name, display_text, disk_size FROM disk_offering WHERE compute_only = 0 AND display_offering = 1 \
            AND state = 'Active' AND removed IS NULL AND use_local_storage = 0 AND customized = 0 AND tags IS NULL";
        let rows = store.db().rows(sql, args![]).await.unwrap();
        rows.iter().map(|row| (row.at(0).unwrap(), row.at(1).unwrap(), row.at(2).unwrap())).collect()
    }

    #[tokio::test]
    async fn a_new_database_has_a_disk_offering_to_list() {
        let store = Store::open("sqlite::memory:").await.unwrap();
        for is_new in [true, false] {
            assert_eq!(store.bootstrap().await.unwrap().is_some(), is_new);
            assert_eq!(listed(&store).await, [("Small".to_owned(), "Small Disk, 5 GB".to_owned(), 5_368_709_120)]);
        }
    }

    #[tokio::test]
    async fn what_is_imported_into_gets_none_and_one_that_is_there_is_enough() {
        let store = Store::open("sqlite::memory:").await.unwrap();
        let sql = "INSERT INTO motion_import (table_name, row_id, digest, run) VALUES ('domain', 1, 'x', 1)";
        store.db().run(sql, args![]).await.unwrap();
        assert!(store.bootstrap().await.unwrap().is_none() && listed(&store).await.is_empty());
        store.db().run("DELETE FROM motion_import", args![]).await.unwrap();
        let sql = "INSERT INTO disk_offering (name, uuid, display_text, disk_size) VALUES ('own', 'u', 'own', 1)";
        store.db().run(sql, args![]).await.unwrap();
        assert!(store.bootstrap().await.unwrap().is_some());
        assert_eq!(listed(&store).await, [("own".to_owned(), "own".to_owned(), 1)]);
    }
}
