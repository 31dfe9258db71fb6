//! Model files that were hashed.

use crate::codec::{count, get_id, get_json, get_time, time};
use crate::{Store, StoreError, models};
use chrono::{DateTime, Utc};
use pocketbench_domain::model::ModelRef;
use pocketbench_domain::run::RunId;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

/// A model file as it was when it was hashed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelFile {
    /// The model; its path is the file's.
    pub model: ModelRef,
    /// Modification time, nanoseconds since the Unix epoch.
    pub mtime_ns: i64,
    /// When it was last seen there.
    pub last_seen: DateTime<Utc>,
    /// Added by path: it lies outside the models folder, so a scan of that folder does not find it.
    pub reference: bool,
}

/// How a model was used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelUse {
    /// The model.
    pub sha256: String,
    /// Runs that measured it.
    pub runs: u32,
    /// When the last of them was started.
    pub last_run_at: DateTime<Utc>,
}

macro_rules! select {
    ($condition:literal) => {
        concat!(
            "SELECT f.path, f.file_bytes, f.mtime_ns, f.sha256, f.last_seen_at_ns, f.reference, m.header
             FROM model_files AS f JOIN models AS m ON m.sha256 = f.sha256 ",
            $condition
        )
    };
}

pub(crate) const BY_FILE: &str = select!("WHERE f.path = ? AND f.file_bytes = ? AND f.mtime_ns = ?");
pub(crate) const BY_PATH: &str = select!("WHERE f.path = ?");
pub(crate) const BY_SHA256: &str = select!("WHERE f.sha256 = ? ORDER BY f.last_seen_at_ns DESC, f.path");
pub(crate) const USES: &str = "SELECT c.model_sha256, count(DISTINCT c.run_id) AS runs, max(r.started_at_ns) AS last_ns
     FROM cells AS c JOIN runs AS r ON r.id = c.run_id GROUP BY c.model_sha256";
pub(crate) const REFERENCED: &str = select!("WHERE f.reference = 1 ORDER BY f.path");

fn read(row: &SqliteRow) -> Result<ModelFile, StoreError> {
    Ok(ModelFile {
        model: ModelRef {
            sha256: row.try_get("sha256")?,
            path: row.try_get("path")?,
            file_bytes: row.try_get::<i64, _>("file_bytes")?.cast_unsigned(),
            header: get_json(row, "header")?,
        },
        mtime_ns: row.try_get("mtime_ns")?,
        last_seen: get_time(row, "last_seen_at_ns")?,
        reference: row.try_get("reference")?,
    })
}

impl Store {
    /// Stores a model and where a file of it lies. A file once added by reference stays so when a scan finds it.
    pub async fn upsert_model_file(&self, file: &ModelFile) -> Result<(), StoreError> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        models::upsert(&mut transaction, &file.model).await?;
        sqlx::query(
            "INSERT INTO model_files (path, file_bytes, mtime_ns, sha256, last_seen_at_ns, reference)
             VALUES (?, ?, ?, ?, ?, ?)
             ON CONFLICT (path) DO UPDATE SET file_bytes = excluded.file_bytes, mtime_ns = excluded.mtime_ns,
                 sha256 = excluded.sha256, last_seen_at_ns = excluded.last_seen_at_ns,
                 reference = max(reference, excluded.reference)",
        )
        .bind(&file.model.path)
        .bind(count(file.model.file_bytes)?)
        .bind(file.mtime_ns)
        .bind(&file.model.sha256)
        .bind(time(file.last_seen)?)
        .bind(file.reference)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// The model in a file, if this very file (same path, size and modification time) was hashed before.
    ///
    /// A header that this version cannot read counts as unknown: the file is at hand to be read again.
    pub async fn model_file(
        &self,
        path: &str,
        file_bytes: u64,
        mtime_ns: i64,
    ) -> Result<Option<ModelFile>, StoreError> {
        let row = sqlx::query(BY_FILE)
            .bind(path)
            .bind(count(file_bytes)?)
            .bind(mtime_ns)
            .fetch_optional(&self.readers)
            .await?;
        match row.as_ref().map(read).transpose() {
            Err(StoreError::BadRecord { what, reason }) => {
                tracing::warn!(path, what, reason, "the stored header cannot be read; the file will be read again");
                Ok(None)
            }
            other => other,
        }
    }

    /// Files added by reference, by path. Whether they are still there is for the caller to see.
    pub async fn referenced_files(&self) -> Result<Vec<ModelFile>, StoreError> {
        let rows = sqlx::query(REFERENCED).fetch_all(&self.readers).await?;
        rows.iter().map(read).collect()
    }

    /// What was last known of the file at a path, whether it is still there or not.
    pub async fn model_file_at(&self, path: &str) -> Result<Option<ModelFile>, StoreError> {
        let row = sqlx::query(BY_PATH).bind(path).fetch_optional(&self.readers).await?;
        row.as_ref().map(read).transpose()
    }

    /// Files that held this model when they were last seen, latest first.
    pub async fn files_of_model(&self, sha256: &str) -> Result<Vec<ModelFile>, StoreError> {
        let rows = sqlx::query(BY_SHA256).bind(sha256).fetch_all(&self.readers).await?;
        rows.iter().map(read).collect()
    }

    /// Which models runs have measured, how often and when last.
    pub async fn model_uses(&self) -> Result<Vec<ModelUse>, StoreError> {
        let rows = sqlx::query(USES).fetch_all(&self.readers).await?;
        rows.iter()
            .map(|row| {
                Ok(ModelUse {
                    sha256: row.try_get("model_sha256")?,
                    runs: row.try_get("runs")?,
                    last_run_at: get_time(row, "last_ns")?,
                })
            })
            .collect()
    }

    /// Runs that measured a model, latest first.
    pub async fn runs_of_model(&self, sha256: &str) -> Result<Vec<RunId>, StoreError> {
        let rows = sqlx::query(
            "SELECT DISTINCT r.id, r.started_at_ns FROM cells AS c JOIN runs AS r ON r.id = c.run_id
             WHERE c.model_sha256 = ? ORDER BY r.started_at_ns DESC",
        )
        .bind(sha256)
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(|row| Ok(RunId(get_id(row, "id")?))).collect()
    }

    /// Forgets where a file lies; the file itself and what was measured with it stay.
    pub async fn forget_model_file(&self, path: &str) -> Result<(), StoreError> {
        let result = sqlx::query("DELETE FROM model_files WHERE path = ?").bind(path).execute(&self.writer).await?;
        if result.rows_affected() == 0 {
            return Err(StoreError::NotFound { what: "model file", key: path.into() });
        }
        Ok(())
    }
}
