//! Values and rows as the store hands them around: one small type for both databases.
//!
//! SQLite and MySQL disagree on types (SQLite has no dates, MySQL has unsigned numbers and booleans that are numbers).
//! Everything above this file sees five kinds of value only, so that one SQL text and one way of reading a row serve both.

use std::sync::Arc;

use super::StoreError;
use crate::model::Timestamp;

/// One value of a row or of a statement's arguments.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// SQL NULL.
    Null,
    /// Any integer, also booleans (0 and 1).
    Int(i64),
    /// A floating point number.
    Real(f64),
    /// Text; dates are text of the form `2026-11-25 19:50:00` (UTC).
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

macro_rules! value_from {
    ($($source:ty => |$value:ident| $make:expr;)*) => {$(
        impl From<$source> for Value {
            fn from($value: $source) -> Self { $make }
        }
    )*};
}

value_from! {
    i64 => |value| Value::Int(value);
    i32 => |value| Value::Int(i64::from(value));
    u32 => |value| Value::Int(i64::from(value));
    bool => |value| Value::Int(i64::from(value));
    f64 => |value| Value::Real(value);
    &str => |value| Value::Text(value.to_owned());
    String => |value| Value::Text(value);
    &String => |value| Value::Text(value.clone());
    Timestamp => |value| Value::Text(value.sql());
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Value::Null, Into::into)
    }
}

/// A type that can be read from a [`Value`].
pub trait FromValue: Sized {
    /// Reads the value; `None` when it is of another kind.
    fn from_value(value: &Value) -> Option<Self>;
}

impl FromValue for i64 {
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Int(number) => Some(*number),
            Value::Real(number) if number.fract() == 0.0 => Some(*number as i64),
            Value::Text(text) => text.parse().ok(),
            _ => None,
        }
    }
}

impl FromValue for f64 {
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Real(number) => Some(*number),
            Value::Int(number) => Some(*number as f64),
            Value::Text(text) => text.parse().ok(),
            _ => None,
        }
    }
}

impl FromValue for bool {
    fn from_value(value: &Value) -> Option<Self> {
        i64::from_value(value).map(|number| number != 0)
    }
}

impl FromValue for String {
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Text(text) => Some(text.clone()),
            Value::Int(number) => Some(number.to_string()),
            Value::Bytes(bytes) => String::from_utf8(bytes.clone()).ok(),
            _ => None,
        }
    }
}

impl FromValue for Timestamp {
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Text(text) => Timestamp::from_sql(text),
            _ => None,
        }
    }
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Null => Some(None),
            other => T::from_value(other).map(Some),
        }
    }
}

/// The names of a statement's columns, made to be found: a list of a thousand rows looks tens of thousands of them up.
#[derive(Debug)]
pub(super) struct Columns {
    names: Box<[String]>,
    /// The first column of each group of names that look alike, and the one after each. [`NONE`] is none.
    first: [u16; GROUPS],
    next: Box<[u16]>,
}

const GROUPS: usize = 128;
const NONE: u16 = u16::MAX;

impl Columns {
    pub(super) fn new(names: impl IntoIterator<Item = String>) -> Self {
        let names: Box<[String]> = names.into_iter().collect();
        let (mut first, mut next) = ([NONE; GROUPS], vec![NONE; names.len()]);
        // From the end, so that of two columns with one name the first is found.
        for (index, name) in names.iter().enumerate().rev() {
            let head = &mut first[Self::group(name)];
            next[index] = std::mem::replace(head, u16::try_from(index).unwrap_or(NONE));
        }
        Self { names, first, next: next.into() }
    }

    /// Names of one length that begin and end alike are one group.
    fn group(name: &str) -> usize {
        let bytes = name.as_bytes();
        let at = |index: usize| bytes.get(index).copied().map_or(0, usize::from);
        (bytes.len() * 5 + at(0) * 31 + at(2) * 17 + at(bytes.len().saturating_sub(1)) * 7) % GROUPS
    }

    fn position(&self, name: &str) -> Option<usize> {
        let mut index = usize::from(self.first[Self::group(name)]);
        while self.names.get(index)? != name {
            index = usize::from(self.next[index]);
        }
        Some(index)
    }

    pub(super) fn len(&self) -> usize {
        self.names.len()
    }
}

/// A row: values with the column names of its statement.
#[derive(Clone, Debug)]
pub struct Row {
    pub(super) columns: Arc<Columns>,
    pub(super) values: Vec<Value>,
}

impl Row {
    /// The value of the column named `column`, as `T`.
    ///
    /// # Errors
    /// [`StoreError::Column`] when there is no such column or its value is not a `T` (NULL is one only for `Option`).
    pub fn get<T: FromValue>(&self, column: &str) -> Result<T, StoreError> {
        let value = self.columns.position(column).and_then(|index| self.values.get(index));
        value.and_then(T::from_value).ok_or_else(|| StoreError::Column {
            column: column.to_owned(),
            found: value.map_or_else(|| "no such column".to_owned(), |value| format!("{value:?}")),
        })
    }

    /// The value at position `index` (from 0), as `T`.
    ///
    /// # Errors
    /// As [`Row::get`].
    pub fn at<T: FromValue>(&self, index: usize) -> Result<T, StoreError> {
        let value = self.values.get(index);
        value.and_then(T::from_value).ok_or_else(|| StoreError::Column {
            column: format!("#{index}"),
            found: value.map_or_else(|| "no such column".to_owned(), |value| format!("{value:?}")),
        })
    }
}

/// The arguments of a statement, each turned into a [`Value`].
#[macro_export]
macro_rules! args {
    ($($value:expr),* $(,)?) => { vec![$($crate::store::Value::from($value)),*] };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_found_by_their_names() {
        let names: Vec<String> = (0..300).map(|number| format!("column_{number}_uuid")).collect();
        let columns = Columns::new(names.iter().cloned().chain(["column_7_uuid".to_owned()]));
        for (index, name) in names.iter().enumerate() {
            assert_eq!(columns.position(name), Some(index));
        }
        for name in ["", "a", "column_300_uuid", "Column_1_uuid"] {
            assert_eq!(columns.position(name), None);
        }
        assert_eq!(Columns::new([]).position("id"), None);
    }
}
