//! Tunings.

use crate::codec::{get_json, json, time};
use crate::{Store, StoreError};
use pocketbench_domain::tuning::Tuning;

pub(crate) const OF_DEVICE: &str =
    "SELECT tuning FROM tunings WHERE device_fingerprint = ? ORDER BY tuned_at_ns DESC, id DESC";

impl Store {
    /// Stores a tuning. Its device must be stored before.
    pub async fn insert_tuning(&self, tuning: &Tuning) -> Result<(), StoreError> {
        sqlx::query("INSERT INTO tunings (id, device_fingerprint, tuned_at_ns, tuning) VALUES (?, ?, ?, ?)")
            .bind(tuning.id.0)
            .bind(&tuning.place.fingerprint)
            .bind(time(tuning.tuned_at)?)
            .bind(json(tuning)?)
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    /// Every tuning of a device, the latest first. What this version cannot read is left out.
    pub async fn tunings(&self, fingerprint: &str) -> Result<Vec<Tuning>, StoreError> {
        let rows = sqlx::query(OF_DEVICE).bind(fingerprint).fetch_all(&self.readers).await?;
        Ok(rows.iter().filter_map(|row| get_json(row, "tuning").ok()).collect())
    }

    /// Forgets every tuning of a device and says how many there were. The runs that they rest on stay.
    pub async fn forget_tunings(&self, fingerprint: &str) -> Result<u64, StoreError> {
        let result = sqlx::query("DELETE FROM tunings WHERE device_fingerprint = ?")
            .bind(fingerprint)
            .execute(&self.writer)
            .await?;
        Ok(result.rows_affected())
    }
}
