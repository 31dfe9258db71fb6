//! Providers of models that answer elsewhere. Their keys are not here.

use crate::codec::{get_json, json, time};
use crate::{Store, StoreError};
use chrono::{DateTime, Utc};
use pocketbench_domain::provider::Provider;

impl Store {
    /// Adds a provider, or changes the one of that id.
    pub async fn save_provider(&self, provider: &Provider, now: DateTime<Utc>) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO providers (id, added_at_ns, provider) VALUES (?, ?, ?)
             ON CONFLICT (id) DO UPDATE SET provider = excluded.provider",
        )
        .bind(&provider.id)
        .bind(time(now)?)
        .bind(json(provider)?)
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    /// The providers, in the order in which they were added.
    pub async fn providers(&self) -> Result<Vec<Provider>, StoreError> {
        let rows =
            sqlx::query("SELECT provider FROM providers ORDER BY added_at_ns, id").fetch_all(&self.readers).await?;
        rows.iter().map(|row| get_json(row, "provider")).collect()
    }

    /// Forgets a provider.
    pub async fn remove_provider(&self, id: &str) -> Result<(), StoreError> {
        let result = sqlx::query("DELETE FROM providers WHERE id = ?").bind(id).execute(&self.writer).await?;
        if result.rows_affected() == 0 {
            return Err(StoreError::NotFound { what: "provider", key: id.into() });
        }
        Ok(())
    }
}
