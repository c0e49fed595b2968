//! Where secrets stand: the columns that CloudStack encrypts (`contract/entities.md 3.28`), as far as there are such tables
//! here, and the key of the second factor, which CloudStack keeps in the clear.

use super::{FORM, KEY_ID_LENGTH};
use crate::store::StoreError;
use crate::store::value::{Row, Value};

/// Which part of a column's text is the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// All of it.
    Whole,
    /// What stands behind `password=`, up to the next `&`: the path of an SMB share (`contract/entities.md 3.9`).
    Password,
}

/// A column with secrets.
#[derive(Debug)]
pub struct Place {
    table: &'static str,
    column: &'static str,
    /// The column that orders the rows, each once.
    key: &'static str,
    /// The columns that name a row for good; they are bound into the seal.
    identity: &'static [&'static str],
    /// Which rows have a secret there.
    filter: &'static str,
    part: Part,
}

impl Place {
    const fn of(table: &'static str, column: &'static str, identity: &'static [&'static str]) -> Self {
        Self { table, column, key: "id", identity, filter: "1 = 1", part: Part::Whole }
    }

    const fn detail(table: &'static str, identity: &'static [&'static str], filter: &'static str) -> Self {
        Self { table, column: "value", key: "id", identity, filter, part: Part::Whole }
    }
}

/// The secret halves of key pairs; a row is named by the pair's public id.
pub static API_SECRET: Place = Place::of("api_keypair", "secret_key", &["uuid"]);
/// The keys of second factors; a row is named by the user's internal id.
pub static SECOND_FACTOR: Place = Place::of("user", "key_for_2fa", &["id"]);

/// The passwords of hosts; a row is named by the host's internal id and `password`.
pub(in crate::store) static HOST_PASSWORD: Place =
    Place::detail("host_details", &["host_id", "name"], "name = 'password'");
static CLUSTER_PASSWORD: Place = Place::detail("cluster_details", &["cluster_id", "name"], "name = 'password'");
/// The passwords of shares; a row is named by the pool's internal id.
pub(in crate::store) static POOL_USER: Place = Place::of("storage_pool", "user_info", &["id"]);
static POOL_PATH: Place = Place {
    table: "storage_pool",
    column: "path",
    key: "id",
    identity: &["id"],
    filter: "path LIKE '%password=%'",
    part: Part::Password,
};
static POOL_PASSWORD: Place = Place::detail("storage_pool_details", &["pool_id", "name"], "name LIKE '%password'");
static CONSOLE_PASSWORD: Place = Place::of("vm_instance", "vnc_password", &["id"]);
static VM_PASSWORD: Place = Place::detail("vm_instance_details", &["vm_id", "name"], "name = 'password'");
/// Settings of the categories Hidden and Secure; a row is named by the setting.
pub static SETTING: Place = Place {
    table: "configuration",
    column: "value",
    key: "name",
    identity: &["name"],
    filter: "category IN ('Hidden', 'Secure')",
    part: Part::Whole,
};
static ACCOUNT_SETTING: Place = Place::detail("account_details", &["account_id", "name"], OF_SECRET_SETTING);
static DOMAIN_SETTING: Place = Place::detail("domain_details", &["domain_id", "name"], OF_SECRET_SETTING);

/// The rows of settings of a single owner that shadow a secret one.
const OF_SECRET_SETTING: &str = "name IN (SELECT name FROM configuration WHERE category IN ('Hidden', 'Secure'))";

/// All of them.
pub static PLACES: [&Place; 12] = [
    &API_SECRET,
    &SECOND_FACTOR,
    &HOST_PASSWORD,
    &CLUSTER_PASSWORD,
    &POOL_USER,
    &POOL_PATH,
    &POOL_PASSWORD,
    &CONSOLE_PASSWORD,
    &VM_PASSWORD,
    &SETTING,
    &ACCOUNT_SETTING,
    &DOMAIN_SETTING,
];

/// A row with a secret.
pub(super) struct Held {
    /// The value of the column that orders the rows.
    pub at: Value,
    /// What names the row, and is bound into the seal.
    pub row: String,
    /// The whole text of the column.
    pub text: String,
}

impl Place {
    /// Table and column, such as `api_keypair.secret_key`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}.{}", self.table, self.column)
    }

    /// The table.
    #[must_use]
    pub fn table(&self) -> &'static str {
        self.table
    }

    /// The column.
    #[must_use]
    pub fn column(&self) -> &'static str {
        self.column
    }

    /// Whether CloudStack encrypts what stands there; the keys of second factors it does not.
    #[must_use]
    pub fn is_encrypted_by_cloudstack(&self) -> bool {
        self.name() != SECOND_FACTOR.name()
    }

    /// What names a row that has all columns of the table.
    pub(in crate::store) fn row_name(&self, row: &Row) -> Result<String, StoreError> {
        let names: Vec<String> = self.identity.iter().map(|column| row.get(column)).collect::<Result<_, _>>()?;
        Ok(names.join("\0"))
    }

    /// What is bound into the seal of a row's value.
    pub(super) fn bound_to(&self, row: &str) -> Vec<u8> {
        format!("{FORM}{}\0{}\0{row}", self.table, self.column).into_bytes()
    }

    /// What orders the rows from before the first one on.
    pub(super) fn start(&self) -> Value {
        if self.key == "id" { Value::Int(0) } else { Value::Text(String::new()) }
    }

    /// The condition that is true for values which are sealed, with the key of this id or with any. `_` is any letter to
    /// LIKE, so what it lets through is looked at again, one by one.
    pub(super) fn sealed(&self, key: Option<&str>) -> String {
        let any = "_".repeat(KEY_ID_LENGTH);
        let before = if self.part == Part::Whole { "" } else { "%password=" };
        format!("`{}` LIKE '{before}{FORM}{}:%'", self.column, key.unwrap_or(&any))
    }

    /// The statement that gives the next rows (arguments: where to go on, how many), as [`Place::held`] reads them.
    pub(super) fn select(&self, condition: &str) -> String {
        let identity: Vec<_> = self.identity.iter().map(|column| format!("`{column}`")).collect();
        format!(
            "SELECT `{key}` AS ordered_by, `{column}` AS held, {identity} FROM `{table}` WHERE `{key}` > ? AND {filter} \
             AND `{column}` IS NOT NULL AND `{column}` <> '' AND {condition} ORDER BY `{key}` LIMIT ?",
            key = self.key,
            column = self.column,
            identity = identity.join(", "),
            table = self.table,
            filter = self.filter,
        )
    }

    /// The statement that changes a value, if it still is what it was (arguments: new value, key, old value).
    pub(super) fn update(&self) -> String {
        format!("UPDATE `{}` SET `{2}` = ? WHERE `{1}` = ? AND `{2}` = ?", self.table, self.key, self.column)
    }

    /// Reads a row of [`Place::select`].
    pub(super) fn held(&self, row: &Row) -> Result<Held, StoreError> {
        let at =
            if self.key == "id" { Value::Int(row.get("ordered_by")?) } else { Value::Text(row.get("ordered_by")?) };
        let names: Vec<String> =
            (0..self.identity.len()).map(|index| row.at(index + 2)).collect::<Result<_, StoreError>>()?;
        Ok(Held { at, row: names.join("\0"), text: row.get("held")? })
    }

    /// The secret in a text; `None` when there is none in it.
    pub(in crate::store) fn secret<'a>(&self, text: &'a str) -> Option<&'a str> {
        let secret = match self.part {
            Part::Whole => text,
            Part::Password => &text[password(text)?],
        };
        (!secret.is_empty()).then_some(secret)
    }

    /// The text with another secret in it.
    pub(in crate::store) fn with_secret(&self, text: &str, secret: &str) -> String {
        match (self.part, password(text)) {
            (Part::Password, Some(range)) => format!("{}{secret}{}", &text[..range.start], &text[range.end..]),
            (Part::Password, None) => text.to_owned(),
            (Part::Whole, _) => secret.to_owned(),
        }
    }
}

/// Where the password stands in a path such as `/share?user=u&password=p&domain=d`.
fn password(path: &str) -> Option<std::ops::Range<usize>> {
    let mut start = path.find('?')? + 1;
    for pair in path[start..].split('&') {
        if let Some((name, value)) = pair.split_once('=')
            && name.eq_ignore_ascii_case("password")
        {
            let end = start + pair.len();
            return Some(end - value.len()..end);
        }
        start += pair.len() + 1;
    }
    None
}
