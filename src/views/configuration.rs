//! The object `configuration` (`contract/entities.md 1.21`), in the order in which CloudStack prints its fields.

use super::row::{flag, number, text};
use crate::model::is_secret_name;
use crate::store::{Row, SettingScope, StoreError};

crate::response! {
    /// A setting.
    pub struct ConfigurationView as "configuration", Default {
        /// Its category.
        category: Option<String>,
        /// The group it stands in.
        group: Option<&'static str>,
        /// The group inside that group; given where it is known.
        subgroup: Option<&'static str>,
        /// Its name.
        name: String,
        /// Its value, or the default when nobody set it. Never that of a secret.
        value: Option<String>,
        /// Its default. Never that of a secret.
        default_value "defaultvalue": Option<String>,
        /// What the value belongs to, when that was asked for: `zone`, `cluster`, `storagepool` and so on.
        scope: Option<&'static str>,
        /// What it does.
        description: Option<String>,
        /// Whether a change takes effect at once.
        is_dynamic "isdynamic": bool,
        /// The part of the software it belongs to.
        component: Option<String>,
        /// The setting it depends on.
        parent: Option<String>,
        /// A title.
        display_text "displaytext": Option<String>,
        /// The kind of value: `Boolean`, `Number`, `Decimal`, `String`, `CSV` and so on.
        kind "type": Option<String>,
        /// The values it can have, separated by commas.
        options: Option<String>,
    }
}

/// The groups of settings by their numbers.
const GROUPS: &[(i64, &str)] = &[
    (1, "Miscellaneous"),
    (2, "Access"),
    (3, "Compute"),
    (4, "Storage"),
    (5, "Network"),
    (6, "Hypervisor"),
    (7, "Management Server"),
    (8, "System VMs"),
    (9, "Infrastructure"),
    (10, "Usage Server"),
];
/// The groups inside groups that were seen.
const SUBGROUPS: &[(i64, &str)] = &[(1, "Others"), (2, "Account"), (24, "Jobs"), (26, "Hypervisor")];

fn named(table: &[(i64, &'static str)], number: Option<i64>) -> Option<&'static str> {
    number.and_then(|number| table.iter().find(|(known, _)| *known == number)).map(|(_, name)| *name)
}

fn numbers(table: &[(i64, &'static str)], name: &str) -> Vec<i64> {
    table.iter().filter(|(_, known)| known.eq_ignore_ascii_case(name)).map(|(number, _)| *number).collect()
}

/// The numbers of the group with this name; none for a name that is not known.
#[must_use]
pub fn setting_groups(name: &str) -> Vec<i64> {
    numbers(GROUPS, name)
}

/// The numbers of the group inside a group with this name; none for a name that is not known.
#[must_use]
pub fn setting_subgroups(name: &str) -> Vec<i64> {
    numbers(SUBGROUPS, name)
}

/// A setting as clients see it. Rows are those of [`crate::store::Store::configurations_page`].
///
/// # Errors
/// [`StoreError::Column`] for a row without the columns.
pub fn configuration(row: &Row, scope: Option<SettingScope>) -> Result<ConfigurationView, StoreError> {
    let name = text(row, "name")?.unwrap_or_default();
    let category = text(row, "category")?;
    let default_value = text(row, "default_value")?;
    let value = match text(row, "own_value")? {
        Some(own) => Some(own),
        None => text(row, "value")?.or_else(|| default_value.clone()),
    };
    // CloudStack shows secrets encrypted. Nobody can do anything with that, so they are not shown at all.
    let secret = category.as_deref() == Some("Secure") || is_secret_name(&name);
    let kind = text(row, "kind")?.or_else(|| Some(kind_of(default_value.as_deref()).to_owned()));
    Ok(ConfigurationView {
        category,
        group: named(GROUPS, number(row, "group_id")?),
        subgroup: named(SUBGROUPS, number(row, "subgroup_id")?),
        value: value.filter(|_| !secret),
        default_value: default_value.filter(|_| !secret),
        scope: scope.map(SettingScope::word),
        description: text(row, "description")?,
        is_dynamic: flag(row, "is_dynamic")?,
        component: text(row, "component")?,
        parent: text(row, "parent")?,
        display_text: Some(text(row, "display_text")?.unwrap_or_else(|| title(&name))),
        kind,
        options: text(row, "options")?,
        name,
    })
}

/// The kind of value that a default is.
fn kind_of(default: Option<&str>) -> &'static str {
    match default.map(str::trim) {
        Some("true" | "false") => "Boolean",
        Some(text) if text.parse::<i64>().is_ok() => "Number",
        Some(text) if text.parse::<f64>().is_ok() => "Decimal",
        _ => "String",
    }
}

/// `job.expire.minutes` as `Job expire minutes`.
fn title(name: &str) -> String {
    let words = name.replace('.', " ");
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
