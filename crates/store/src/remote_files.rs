//! What is known of files on hosts.

use crate::codec::{count, get_json, json, time};
use crate::{Store, StoreError};
use chrono::{DateTime, Utc};
use pocketbench_domain::catalogue::ModelSource;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

/// What is known of a file on a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteFile {
    /// Where it is.
    pub source: ModelSource,
    /// Size of all its parts.
    pub bytes: Option<u64>,
    /// SHA-256, lower-case hex.
    pub sha256: Option<String>,
    /// Whether the hash was computed here, from a whole download, and is not only what the host says.
    pub verified: bool,
}

fn read(row: &SqliteRow) -> Result<RemoteFile, StoreError> {
    Ok(RemoteFile {
        source: get_json(row, "source")?,
        bytes: row.try_get::<Option<i64>, _>("bytes")?.map(i64::cast_unsigned),
        sha256: row.try_get("sha256")?,
        verified: row.try_get("verified")?,
    })
}

impl Store {
    /// Stores what was learnt. A host's word never replaces what was computed here, and `None` never what is known.
    pub async fn learn_remote_file(&self, file: &RemoteFile, now: DateTime<Utc>) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO remote_files (source, bytes, sha256, verified, learnt_at_ns) VALUES (?, ?, ?, ?, ?)
             ON CONFLICT (source) DO UPDATE SET bytes = coalesce(excluded.bytes, bytes),
                 sha256 = coalesce(excluded.sha256, sha256), verified = excluded.verified,
                 learnt_at_ns = excluded.learnt_at_ns
             WHERE excluded.verified >= verified",
        )
        .bind(json(&file.source)?)
        .bind(file.bytes.map(count).transpose()?)
        .bind(&file.sha256)
        .bind(file.verified)
        .bind(time(now)?)
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    /// Everything known of files on hosts.
    pub async fn remote_files(&self) -> Result<Vec<RemoteFile>, StoreError> {
        let rows = sqlx::query("SELECT source, bytes, sha256, verified FROM remote_files ORDER BY source")
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(read).collect()
    }
}
