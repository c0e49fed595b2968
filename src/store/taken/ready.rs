//! A row of the source on its way: what it says, and its secrets as they are kept here.

use std::collections::{BTreeMap, HashSet};

use sha2::{Digest as _, Sha256};

use super::tables::SEEN;
use super::{Hands, TakenTable};
use crate::model::{Secret, is_secret_name};
use crate::store::{CloudCipher, PLACES, Place, Row, StoreError, Value};

const NO_KEY: &str = "a secret that is encrypted: give cloudstack.db_key to have it taken";
const WRONG_KEY: &str = "a secret that does not open with cloudstack.db_key";
const MOVING: &str = "it is being moved at the source: run the import again when its job has ended";
const OF_MOVING: &str =
    "it belongs to a machine that is being moved at the source: run the import again when its job has ended";

/// A row on its way.
pub(super) struct Ready {
    pub id: i64,
    /// Whether the source has removed it.
    pub is_removed: bool,
    pub values: Vec<Value>,
    /// A digest of what the source says, without secrets and without what the gateway sees itself.
    pub digest: String,
    /// The columns with secrets and their sealed texts.
    pub secrets: Vec<(&'static str, Value)>,
    /// Columns whose secret did not open: what a row has there already is better than nothing.
    pub unopened: Vec<&'static str>,
}

impl TakenTable {
    /// The columns that are this gateway's own to see.
    pub(super) fn seen(&self) -> &'static [&'static str] {
        SEEN.iter().find(|(table, _)| *table == self.name).map_or(&[], |(_, columns)| columns)
    }

    /// A row as it is to be written; none when it is left out, and then why is counted in `left`.
    pub(super) fn prepare(
        &self,
        row: &Row,
        columns: &[&'static str],
        hands: Hands<'_>,
        moving: &HashSet<i64>,
        left: &mut BTreeMap<&'static str, u64>,
    ) -> Result<Option<Ready>, StoreError> {
        if let Some(why) = self.on_its_way(row, moving) {
            *left.entry(why).or_default() += 1;
            return Ok(None);
        }
        let id = row.get("id")?;
        let mut ready = Ready {
            id,
            is_removed: row.get::<Option<String>>("removed").is_ok_and(|when| when.is_some()),
            values: row.values.clone(),
            digest: String::new(),
            secrets: Vec::new(),
            unopened: Vec::new(),
        };
        // A secret in the clear is not digested: a digest of a weak one could be guessed.
        let mut digested = row.values.clone();
        for (at, column) in columns.iter().enumerate() {
            if self.seen().contains(column) {
                digested[at] = Value::Null;
            }
            // The management server that talks to a host is none of the target's.
            if self.name == "host" && ["mgmt_server_id", "last_mgmt_server_id"].contains(column) {
                ready.values[at] = Value::Null;
            }
        }
        for place in self.places(row) {
            let Some(at) = columns.iter().position(|column| *column == place.column()) else { continue };
            let Some(text) = row.at::<Option<String>>(at)? else { continue };
            let Some(secret) = place.secret(&text) else { continue };
            digested[at] = Value::Text(place.with_secret(&text, ""));
            match opened(place, secret, hands) {
                Ok(secret) => {
                    let sealed = hands.vault.seal(place, &place.row_name(row)?, &secret)?;
                    ready.values[at] = Value::Text(place.with_secret(&text, sealed.text()));
                    ready.secrets.push((place.column(), ready.values[at].clone()));
                }
                Err(why) => {
                    *left.entry(why).or_default() += 1;
                    // A key pair or a detail is nothing without its secret; a pool or a machine is.
                    if self.name == "api_keypair" || place.column() == "value" {
                        return Ok(None);
                    }
                    ready.values[at] = digested[at].clone();
                    ready.unopened.push(place.column());
                }
            }
        }
        let digest = Sha256::digest(format!("{digested:?}"));
        ready.digest = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Some(ready))
    }

    /// Why a row would be taken half-way, if it would.
    fn on_its_way(&self, row: &Row, moving: &HashSet<i64>) -> Option<&'static str> {
        let is_moving = || row.get::<String>("state").is_ok_and(|state| state == "Migrating");
        let machine = match self.name {
            "vm_instance" => return is_moving().then_some(MOVING),
            "volumes" if is_moving() => return Some(MOVING),
            "user_vm" => "id",
            "vm_instance_details" => "vm_id",
            "volumes" | "nics" => "instance_id",
            _ => return None,
        };
        row.get::<i64>(machine).is_ok_and(|id| moving.contains(&id)).then_some(OF_MOVING)
    }

    /// The places of a row that have a secret.
    fn places<'a>(&'a self, row: &'a Row) -> impl Iterator<Item = &'static Place> + 'a {
        PLACES.into_iter().filter(|place| place.table() == self.name).filter(|_| {
            let name = row.get::<String>("name").unwrap_or_default();
            match self.name {
                "host_details" | "cluster_details" | "vm_instance_details" => name == "password",
                "storage_pool_details" => name.ends_with("password"),
                "account_details" | "domain_details" => is_secret_name(&name),
                _ => true,
            }
        })
    }
}

/// A secret of the source in the clear, or why there is none.
fn opened(place: &Place, secret: &str, hands: Hands<'_>) -> Result<Secret, &'static str> {
    if !place.is_encrypted_by_cloudstack() || !CloudCipher::looks_encrypted(secret) {
        return Ok(Secret::new(secret.to_owned()));
    }
    hands.cipher.ok_or(NO_KEY)?.open(secret).map_err(|_| WRONG_KEY)
}
