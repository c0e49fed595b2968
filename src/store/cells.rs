//! Rows as the drivers give them, read into our own.

use std::sync::Arc;

use sqlx::mysql::MySqlRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{Column, Row as _, TypeInfo, ValueRef};

use super::StoreError;
use super::value::{Columns, Row, Value};
use crate::model::signed;

/// Rows of either database, each value read by `value`. All rows share one list of column names.
pub(super) fn rows_of<R: sqlx::Row>(
    rows: &[R],
    value: fn(&R, usize) -> Result<Value, sqlx::Error>,
) -> Result<Vec<Row>, StoreError> {
    let Some(first) = rows.first() else { return Ok(Vec::new()) };
    let columns = Arc::new(Columns::new(first.columns().iter().map(|column| column.name().to_owned())));
    rows.iter()
        .map(|row| {
            let values = (0..columns.len()).map(|index| value(row, index)).collect::<Result<_, sqlx::Error>>()?;
            Ok(Row { columns: Arc::clone(&columns), values })
        })
        .collect()
}

/// SQLite types belong to values, not to columns.
pub(super) fn sqlite_value(row: &SqliteRow, index: usize) -> Result<Value, sqlx::Error> {
    let raw = row.try_get_raw(index)?;
    if raw.is_null() {
        return Ok(Value::Null);
    }
    Ok(match raw.type_info().name() {
        "INTEGER" | "BOOLEAN" => Value::Int(row.try_get_unchecked(index)?),
        "REAL" => Value::Real(row.try_get_unchecked(index)?),
        "BLOB" => Value::Bytes(row.try_get_unchecked(index)?),
        _ => Value::Text(row.try_get_unchecked(index)?),
    })
}

/// MySQL's columns have types; unsigned numbers and dates are brought into the five kinds of [`Value`].
pub(super) fn mysql_value(row: &MySqlRow, index: usize) -> Result<Value, sqlx::Error> {
    let raw = row.try_get_raw(index)?;
    if raw.is_null() {
        return Ok(Value::Null);
    }
    Ok(match raw.type_info().name() {
        "BOOLEAN" => Value::Int(i64::from(row.try_get_unchecked::<i8, _>(index)?)),
        name if name.contains("INT") && name.contains("UNSIGNED") => {
            // The columns are unsigned, the values that CloudStack writes into them fit a signed number.
            Value::Int(signed(row.try_get_unchecked::<u64, _>(index)?))
        }
        name if name.contains("INT") => Value::Int(row.try_get_unchecked(index)?),
        "FLOAT" => Value::Real(f64::from(row.try_get_unchecked::<f32, _>(index)?)),
        "DOUBLE" => Value::Real(row.try_get_unchecked(index)?),
        // Servers that do not mind keep dates without a day or month; that is no time.
        "DATETIME" | "TIMESTAMP" => match row.try_get_unchecked::<time::PrimitiveDateTime, _>(index) {
            Ok(time) => Value::Text(crate::model::Timestamp::from(time).sql()),
            Err(sqlx::Error::ColumnDecode { .. }) => Value::Null,
            Err(error) => return Err(error),
        },
        "VARBINARY" | "BINARY" | "BLOB" | "LONGBLOB" | "MEDIUMBLOB" | "TINYBLOB" => {
            Value::Bytes(row.try_get_unchecked(index)?)
        }
        _ => Value::Text(row.try_get_unchecked(index)?),
    })
}
