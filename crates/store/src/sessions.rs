//! Lives of workers.

use crate::codec::{get_id, get_json, get_json_opt, get_time, json, time};
use crate::{Store, StoreError};
use pocketbench_domain::run::{RunId, Session, SessionId};
use sqlx::Row;

pub(crate) const BY_RUN: &str = "SELECT id, slot, started_at_ns, engine, loaded, baseline, cooled FROM sessions
     WHERE run_id = ? ORDER BY started_at_ns, id";

impl Store {
    /// Stores a session. It must be stored before its first sample.
    pub async fn insert_session(&self, session: &Session) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO sessions (id, run_id, slot, started_at_ns, engine, loaded, baseline, cooled)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(session.id.0)
        .bind(session.run_id.0)
        .bind(session.slot)
        .bind(time(session.started_at)?)
        .bind(json(&session.engine)?)
        .bind(json(&session.loaded)?)
        .bind(json(&session.baseline)?)
        .bind(session.cooled.as_ref().map(json).transpose()?)
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    /// The sessions of a run in the order in which they were started.
    pub async fn sessions(&self, run: RunId) -> Result<Vec<Session>, StoreError> {
        let rows = sqlx::query(BY_RUN).bind(run.0).fetch_all(&self.readers).await?;
        rows.iter()
            .map(|row| {
                Ok(Session {
                    id: SessionId(get_id(row, "id")?),
                    run_id: run,
                    slot: row.try_get("slot")?,
                    started_at: get_time(row, "started_at_ns")?,
                    engine: get_json(row, "engine")?,
                    loaded: get_json(row, "loaded")?,
                    baseline: get_json(row, "baseline")?,
                    cooled: get_json_opt(row, "cooled")?,
                })
            })
            .collect()
    }
}
