//! How domain values are stored in columns.

use crate::error::StoreError;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

/// Nanoseconds since the Unix epoch. `SQLite`'s integer holds the years 1677 to 2262.
pub(crate) fn time(at: DateTime<Utc>) -> Result<i64, StoreError> {
    at.timestamp_nanos_opt().ok_or_else(|| StoreError::Rejected(format!("the time {at} is out of range")))
}

/// The inverse of [`time`].
pub(crate) fn get_time(row: &SqliteRow, column: &'static str) -> Result<DateTime<Utc>, StoreError> {
    Ok(DateTime::from_timestamp_nanos(row.try_get(column)?))
}

/// `SQLite`'s integers are signed.
pub(crate) fn count(n: u64) -> Result<i64, StoreError> {
    i64::try_from(n).map_err(|_| StoreError::Rejected(format!("{n} is too large")))
}

/// A document as JSON.
pub(crate) fn json<T: Serialize>(document: &T) -> Result<String, StoreError> {
    serde_json::to_string(document).map_err(|e| StoreError::Rejected(e.to_string()))
}

/// The inverse of [`json`].
pub(crate) fn get_json<T: DeserializeOwned>(row: &SqliteRow, column: &'static str) -> Result<T, StoreError> {
    parse(row.try_get(column)?, column)
}

/// [`get_json`] for a column that may be empty.
pub(crate) fn get_json_opt<T: DeserializeOwned>(
    row: &SqliteRow,
    column: &'static str,
) -> Result<Option<T>, StoreError> {
    row.try_get::<Option<&str>, _>(column)?.map(|text| parse(text, column)).transpose()
}

/// A document from JSON; `what` names it in the error.
pub(crate) fn parse<T: DeserializeOwned>(text: &str, what: &'static str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|e| StoreError::BadRecord { what, reason: e.to_string() })
}

/// An enum without fields by its serde name, so that the database says what the JSON says.
pub(crate) fn name<T: Serialize>(value: &T) -> Result<String, StoreError> {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => Ok(name),
        other => Err(StoreError::Rejected(format!("{other:?} is no name"))),
    }
}

/// The inverse of [`name`].
pub(crate) fn get_name<T: DeserializeOwned>(row: &SqliteRow, column: &'static str) -> Result<T, StoreError> {
    serde_json::from_value(serde_json::Value::String(row.try_get(column)?))
        .map_err(|e| StoreError::BadRecord { what: column, reason: e.to_string() })
}

/// An identifier.
pub(crate) fn get_id(row: &SqliteRow, column: &'static str) -> Result<Uuid, StoreError> {
    Ok(row.try_get(column)?)
}

/// Token times as one little-endian u64 each.
pub(crate) fn times_blob(times: &[u64]) -> Vec<u8> {
    times.iter().flat_map(|t| t.to_le_bytes()).collect()
}

/// The inverse of [`times_blob`]; the schema guarantees whole numbers.
pub(crate) fn times(blob: &[u8]) -> Vec<u64> {
    blob.as_chunks().0.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect()
}
