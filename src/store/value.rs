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

/// A row: values with the column names of its statement.
#[derive(Clone, Debug)]
pub struct Row {
    pub(super) columns: Arc<[String]>,
    pub(super) values: Vec<Value>,
}

impl Row {
    /// The value of the column named `column`, as `T`.
    ///
    /// # Errors
    /// [`StoreError::Column`] when there is no such column or its value is not a `T` (NULL is one only for `Option`).
    pub fn get<T: FromValue>(&self, column: &str) -> Result<T, StoreError> {
        let index = self.columns.iter().position(|name| name == column);
        let value = index.and_then(|index| self.values.get(index));
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
