//! Models by content.

use crate::codec::{count, json};
use crate::{Store, StoreError};
use pocketbench_domain::model::ModelRef;
use sqlx::SqliteConnection;

/// Inserts the model or brings its header up to date: the reader of headers learns, the content stays.
pub(crate) async fn upsert(connection: &mut SqliteConnection, model: &ModelRef) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO models (sha256, file_bytes, header) VALUES (?, ?, ?)
         ON CONFLICT (sha256) DO UPDATE SET header = excluded.header WHERE header <> excluded.header",
    )
    .bind(&model.sha256)
    .bind(count(model.file_bytes)?)
    .bind(json(&model.header)?)
    .execute(connection)
    .await?;
    Ok(())
}

impl Store {
    /// Stores a model without saying where a file of it lies.
    pub async fn upsert_model(&self, model: &ModelRef) -> Result<(), StoreError> {
        upsert(&mut *self.writer.acquire().await?, model).await
    }
}
