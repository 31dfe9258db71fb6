//! Repositories that a person added to the catalogue.

use crate::codec::{get_json, json, time};
use crate::{Store, StoreError};
use chrono::{DateTime, Utc};
use pocketbench_domain::catalogue::CatalogueModel;

impl Store {
    /// Adds a repository or brings what is known of it up to date.
    pub async fn add_repository(&self, model: &CatalogueModel, now: DateTime<Utc>) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO added_repositories (id, added_at_ns, model) VALUES (?, ?, ?)
             ON CONFLICT (id) DO UPDATE SET model = excluded.model",
        )
        .bind(&model.id)
        .bind(time(now)?)
        .bind(json(model)?)
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    /// The repositories that were added, latest first.
    pub async fn added_repositories(&self) -> Result<Vec<CatalogueModel>, StoreError> {
        let rows = sqlx::query("SELECT model FROM added_repositories ORDER BY added_at_ns DESC, id")
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(|row| get_json(row, "model")).collect()
    }

    /// Forgets a repository; files that were fetched from it stay.
    pub async fn remove_repository(&self, id: &str) -> Result<(), StoreError> {
        let result = sqlx::query("DELETE FROM added_repositories WHERE id = ?").bind(id).execute(&self.writer).await?;
        if result.rows_affected() == 0 {
            return Err(StoreError::NotFound { what: "added repository", key: id.into() });
        }
        Ok(())
    }
}
