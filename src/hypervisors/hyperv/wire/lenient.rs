//! Reading what agents of different ages write: nulls, numbers as text, numbers with a point.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// Reads a member; null counts as the default value.
pub(super) fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// Reads a count of bytes that may be a number, a number with a point, or a text of digits.
/// Anything else counts as absent.
pub(super) fn number<'de, D>(deserializer: D) -> Result<Option<u64>, D::Error>
where
    D: Deserializer<'de>,
{
    Ok(match Value::deserialize(deserializer)? {
        Value::Number(number) => number.as_u64().or_else(|| whole(number.as_f64())),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    })
}

/// The whole number that a floating point number stands for, if it is one.
fn whole(number: Option<f64>) -> Option<u64> {
    let number = number.filter(|number| *number >= 0.0 && *number < u64::MAX as f64)?;
    Some(number as u64)
}

/// Reads a text that may also be written as a number. Anything else counts as absent.
pub(super) fn text<'de, D>(deserializer: D) -> Result<Option<String>, D::Error>
where
    D: Deserializer<'de>,
{
    Ok(match Value::deserialize(deserializer)? {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    })
}
