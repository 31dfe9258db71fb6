//! KV caches that were saved with conversations; the files themselves are the caller's.

use crate::codec::{count, get_id, get_json, json, time};
use crate::{Store, StoreError};
use chrono::{DateTime, Utc};
use pocketbench_domain::conversation::ConversationId;
use pocketbench_domain::generate::SavedState;
use pocketbench_domain::settings::EngineSettings;
use sqlx::Row;

/// What is known of a saved cache. It serves the same model with the same settings only.
#[derive(Debug, Clone, PartialEq)]
pub struct KvState {
    /// Whose.
    pub conversation_id: ConversationId,
    /// SHA-256 of the model's file.
    pub model_sha256: String,
    /// How the model was loaded.
    pub settings: EngineSettings,
    /// The file's size and checksum.
    pub saved: SavedState,
}

impl Store {
    /// Notes a saved cache.
    pub async fn keep_kv_state(&self, state: &KvState, now: DateTime<Utc>) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT OR REPLACE INTO kv_states (conversation_id, model_sha256, settings, saved, bytes, used_at_ns)
             VALUES (?, ?, ?, ?, ?, ?)",
        )
        .bind(state.conversation_id.0)
        .bind(&state.model_sha256)
        .bind(json(&state.settings)?)
        .bind(json(&state.saved)?)
        .bind(count(state.saved.bytes)?)
        .bind(time(now)?)
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    /// The saved cache of a conversation, if there is one.
    pub async fn kv_state(&self, id: ConversationId) -> Result<Option<KvState>, StoreError> {
        let row = sqlx::query(
            "SELECT conversation_id, model_sha256, settings, saved FROM kv_states WHERE conversation_id = ?",
        )
        .bind(id.0)
        .fetch_optional(&self.readers)
        .await?;
        row.map(|row| {
            Ok(KvState {
                conversation_id: ConversationId(get_id(&row, "conversation_id")?),
                model_sha256: row.try_get("model_sha256")?,
                settings: get_json(&row, "settings")?,
                saved: get_json(&row, "saved")?,
            })
        })
        .transpose()
    }

    /// Forgets the saved cache of a conversation.
    pub async fn forget_kv_state(&self, id: ConversationId) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM kv_states WHERE conversation_id = ?").bind(id.0).execute(&self.writer).await?;
        Ok(())
    }

    /// Conversations whose caches must go so that all others take at most `budget` bytes: those used longest ago.
    pub async fn kv_states_beyond(&self, budget: u64) -> Result<Vec<ConversationId>, StoreError> {
        let rows = sqlx::query(
            "SELECT conversation_id FROM (
                 SELECT conversation_id, sum(bytes) OVER (ORDER BY used_at_ns DESC, conversation_id) AS total FROM kv_states
             ) WHERE total > ?",
        )
        .bind(count(budget)?)
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(|row| Ok(ConversationId(get_id(row, "conversation_id")?))).collect()
    }

    /// Every conversation that has a saved cache.
    pub async fn kv_state_owners(&self) -> Result<Vec<ConversationId>, StoreError> {
        let rows = sqlx::query("SELECT conversation_id FROM kv_states").fetch_all(&self.readers).await?;
        rows.iter().map(|row| Ok(ConversationId(get_id(row, "conversation_id")?))).collect()
    }
}
