//! Small readings of rows that several views share.

use std::borrow::Cow;

use crate::model::Timestamp;
use crate::store::{Row, StoreError};

/// A text, absent when it is NULL.
pub(super) fn text(row: &Row, column: &str) -> Result<Option<String>, StoreError> {
    row.get(column)
}

/// A number, absent when it is NULL.
pub(super) fn number(row: &Row, column: &str) -> Result<Option<i64>, StoreError> {
    row.get(column)
}

/// A yes or no; NULL is no.
pub(super) fn flag(row: &Row, column: &str) -> Result<bool, StoreError> {
    Ok(row.get::<Option<bool>>(column)?.unwrap_or_default())
}

/// A point in time, absent when it is NULL.
pub(super) fn time(row: &Row, column: &str) -> Result<Option<Timestamp>, StoreError> {
    row.get(column)
}

/// The path of a domain as clients see it: `/` is `ROOT`, `/a/b/` is `ROOT/a/b` (`contract/api-protocol.md 7.3`).
pub(super) fn domain_path(path: &str) -> String {
    format!("ROOT{}", path.trim_end_matches('/'))
}

/// Who owns a thing: an account, or a project by id and name.
pub(super) struct Owner {
    pub(super) account: Option<String>,
    pub(super) project_id: Option<String>,
    pub(super) project: Option<String>,
    pub(super) domain_id: Option<String>,
    pub(super) domain: Option<String>,
    pub(super) domain_path: Option<String>,
}

/// The number in `account.type` of the account behind a project.
const PROJECT_ACCOUNT: i64 = 5;

impl Owner {
    /// Reads the columns that all wide rows of owned things have.
    pub(super) fn read(row: &Row) -> Result<Self, StoreError> {
        let of_project = number(row, "account_type")? == Some(PROJECT_ACCOUNT);
        let only = |wanted: bool, column| if wanted { text(row, column) } else { Ok(None) };
        Ok(Self {
            account: only(!of_project, "account_name")?,
            project_id: only(of_project, "project_uuid")?,
            project: only(of_project, "project_name")?,
            domain_id: text(row, "domain_uuid")?,
            domain: text(row, "domain_name")?,
            domain_path: text(row, "domain_path")?.map(|path| domain_path(&path)),
        })
    }
}

/// A number with at most two decimals and no zeros at the end, as Java's pattern `#.##` prints it (halves go to the even
/// neighbour).
pub(super) fn two_decimals(number: f64) -> Cow<'static, str> {
    let cents = (number * 100.0).round_ties_even();
    let text = format!("{:.2}", cents / 100.0);
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text.is_empty() || text == "-0" { "0".into() } else { text.to_owned().into() }
}

/// A share as clients see it: `12.5%`, and `0.00%` for none (`contract/migration.md 5.3`).
pub(super) fn percentage(part: f64, whole: f64) -> String {
    if part <= 0.0 || whole <= 0.0 {
        return "0.00%".to_owned();
    }
    format!("{}%", two_decimals(part / whole * 100.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_print_as_in_java() {
        for (number, text) in [(3.125, "3.12"), (12.5, "12.5"), (25.0, "25"), (32000.0, "32000"), (4.6875, "4.69")] {
            assert_eq!(two_decimals(number), text);
        }
        assert_eq!(percentage(1000.0, 32000.0), "3.12%");
        assert_eq!(percentage(0.0, 32000.0), "0.00%");
        assert_eq!(two_decimals(0.001), "0");
    }

    #[test]
    fn paths_of_domains() {
        assert_eq!(domain_path("/"), "ROOT");
        assert_eq!(domain_path("/eng/"), "ROOT/eng");
        assert_eq!(domain_path("/eng/a/"), "ROOT/eng/a");
    }
}
