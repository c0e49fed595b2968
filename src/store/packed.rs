//! Wide rows from SQLite, each as one value.
//!
//! SQLite's driver copies every value of a row under a lock, with allocations of its own, and drops each of them again: for rows
//! of dozens of columns that is half of all work of a list. One JSON array of them, made by SQLite, is a tenth of that. Bytes do
//! not fit into JSON, and of fractions SQLite writes fewer digits than they have: rows with either are read the plain way.

use std::fmt;
use std::sync::Arc;

use serde::de::{DeserializeSeed, Deserializer, SeqAccess, Visitor};
use sqlx::{AssertSqlSafe, Row as _};

use super::db::bound;
use super::value::{Columns, Row, Value};
use super::{Db, StoreError};

/// A function takes so many arguments.
const MOST_COLUMNS: usize = 100;
/// Below this the plain way is no slower.
const FEWEST_COLUMNS: usize = 3;

impl Db {
    /// As [`Db::rows`], for rows of many columns.
    ///
    /// # Errors
    /// As [`Db::rows`].
    pub(super) async fn wide_rows(&self, sql: &str, args: Vec<Value>) -> Result<Vec<Row>, StoreError> {
        if let Some(readers) = self.sqlite()
            && let Some(packed) = Packed::of(sql)
            && let Ok(rows) = readers.all(bound!(packed.sql, args)).await
        {
            let unpacked = rows.iter().map(|row| packed.row(row.try_get_unchecked(0).ok()?)).collect();
            if let Some(rows) = unpacked {
                return Ok(rows);
            }
        }
        self.rows(sql, args).await
    }
}

/// A statement that gives each row as one JSON array.
#[derive(Debug)]
struct Packed {
    /// The statement. It takes the arguments of the plain one.
    sql: String,
    columns: Arc<Columns>,
}

impl Packed {
    /// The same statement with its rows packed; nothing when it cannot be told what its columns are.
    fn of(sql: &str) -> Option<Self> {
        let list = sql.strip_prefix("SELECT ")?;
        let end = outside(list, |rest| rest.starts_with(" FROM ")).next()?;
        let (list, from) = list.split_at(end);
        let mut columns = Vec::new();
        let mut packed = String::with_capacity(sql.len() + 20);
        packed.push_str("SELECT json_array(");
        for item in items(list) {
            let (value, name) = item.rsplit_once(" AS ").unwrap_or((item, item.rsplit('.').next()?));
            let name = name.trim_matches('`');
            if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
                return None;
            }
            if !columns.is_empty() {
                packed.push(',');
            }
            packed.push_str(value);
            columns.push(name.to_owned());
        }
        if !(FEWEST_COLUMNS..=MOST_COLUMNS).contains(&columns.len()) || from.contains(" UNION ") {
            return None;
        }
        packed.push(')');
        packed.push_str(from);
        Some(Self { sql: packed, columns: Arc::new(Columns::new(columns)) })
    }

    /// The row that an array holds; nothing when it is none of this statement's.
    fn row(&self, array: &str) -> Option<Row> {
        let mut reader = serde_json::Deserializer::from_str(array);
        let values = Values(self.columns.len()).deserialize(&mut reader).ok()?;
        (values.len() == self.columns.len()).then(|| Row { columns: Arc::clone(&self.columns), values })
    }
}

/// Places in a text, outside brackets and quotes, whose rest is as wanted.
fn outside<'a>(text: &'a str, is_wanted: impl Fn(&str) -> bool + 'a) -> impl Iterator<Item = usize> + 'a {
    let (mut depth, mut is_quoted) = (0_i32, false);
    text.bytes().enumerate().filter_map(move |(at, byte)| {
        match byte {
            b'\'' => is_quoted = !is_quoted,
            b'(' if !is_quoted => depth += 1,
            b')' if !is_quoted => depth -= 1,
            _ => {}
        }
        (depth == 0 && !is_quoted && byte.is_ascii() && is_wanted(&text[at..])).then_some(at)
    })
}

/// What stands between the commas of a list.
fn items(list: &str) -> impl Iterator<Item = &str> {
    let commas: Vec<usize> = outside(list, |rest| rest.starts_with(',')).collect();
    let starts = std::iter::once(0).chain(commas.clone().into_iter().map(|at| at + 1));
    let ends = commas.into_iter().chain([list.len()]);
    starts.zip(ends).map(|(start, end)| list[start..end].trim())
}

/// An array of so many values.
struct Values(usize);

impl<'de> DeserializeSeed<'de> for Values {
    type Value = Vec<Value>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Vec<Value>, D::Error> {
        reader.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Values {
    type Value = Vec<Value>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an array of values")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<Value>, A::Error> {
        let mut values = Vec::with_capacity(self.0);
        while let Some(value) = seq.next_element_seed(One)? {
            values.push(value);
        }
        Ok(values)
    }
}

/// One value.
struct One;

impl<'de> DeserializeSeed<'de> for One {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl Visitor<'_> for One {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("null, a whole number or a text")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Int(number))
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Value, E> {
        i64::try_from(number).map(Value::Int).map_err(E::custom)
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args;
    use crate::store::Db;

    #[test]
    fn columns_are_told_by_their_names() {
        let packed = Packed::of(
            "SELECT v.id, v.`key`, COALESCE(a.x, 'b, (c') AS note, (SELECT n FROM t WHERE i = v.id) AS n FROM v WHERE v.id IN (?)",
        )
        .unwrap();
        assert_eq!(
            packed.sql,
            "SELECT json_array(v.id,v.`key`,COALESCE(a.x, 'b, (c'),(SELECT n FROM t WHERE i = v.id)) FROM v WHERE v.id IN (?)"
        );
        let row = packed.row(r#"[1,"a\"ö",null,2]"#).unwrap();
        assert_eq!(row.get::<i64>("id").unwrap(), 1);
        assert_eq!(row.get::<String>("key").unwrap(), "a\"ö");
        assert_eq!(row.get::<Option<String>>("note").unwrap(), None);
        for other in ["[1,2,3]", "[1,2,3,4,5]", "[1,2,3,0.5]", "{}", "[1,2"] {
            assert!(packed.row(other).is_none(), "{other}");
        }
        for plain in ["SELECT * FROM v", "SELECT a, b, COUNT(*) FROM v", "UPDATE v SET a = 1", "SELECT a, b FROM v"] {
            assert!(Packed::of(plain).is_none(), "{plain}");
        }
    }

    #[tokio::test]
    async fn rows_are_the_same_either_way() {
        let db = Db::open("sqlite::memory:").await.unwrap();
        db.run("CREATE TABLE thing (id INTEGER, name TEXT, other)", args![]).await.unwrap();
        let sql = "SELECT t.id, t.name, t.other, NULL AS absent FROM thing t ORDER BY t.id";
        let values = |rows: Vec<Row>| rows.into_iter().map(|row| row.values).collect::<Vec<_>>();
        for (id, name, other) in [
            (1, "plain", "NULL"),
            (i64::MAX, "a \"quote\" \\ and\n\u{1} 😀", "'text'"),
            (i64::MIN, "", "-1"),
            (2, "a fraction", "0.1 + 0.2"),
            (3, "bytes", "x'00ff'"),
        ] {
            let insert = format!("INSERT INTO thing VALUES (?, ?, {other})");
            db.run(&insert, args![id, name]).await.unwrap();
            let plain = values(db.rows(sql, args![]).await.unwrap());
            assert_eq!(values(db.wide_rows(sql, args![]).await.unwrap()), plain);
        }
    }
}
