//! Machines.

use crate::codec::{get_json, json, time};
use crate::{Store, StoreError};
use chrono::{DateTime, Utc};
use pocketbench_domain::device::DeviceProfile;
use sqlx::SqliteConnection;

/// Inserts the device or brings its profile up to date.
pub(crate) async fn upsert(
    connection: &mut SqliteConnection,
    device: &DeviceProfile,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO devices (fingerprint, first_seen_at_ns, last_seen_at_ns, profile) VALUES (?1, ?2, ?2, ?3)
         ON CONFLICT (fingerprint) DO UPDATE SET last_seen_at_ns = excluded.last_seen_at_ns, profile = excluded.profile",
    )
    .bind(&device.fingerprint)
    .bind(time(now)?)
    .bind(json(device)?)
    .execute(connection)
    .await?;
    Ok(())
}

impl Store {
    /// Stores the device, or its profile of now if it is known.
    pub async fn upsert_device(&self, device: &DeviceProfile, now: DateTime<Utc>) -> Result<(), StoreError> {
        upsert(&mut *self.writer.acquire().await?, device, now).await
    }

    /// The profile of a device when it was last seen.
    pub async fn device(&self, fingerprint: &str) -> Result<DeviceProfile, StoreError> {
        let row = sqlx::query("SELECT profile FROM devices WHERE fingerprint = ?")
            .bind(fingerprint)
            .fetch_optional(&self.readers)
            .await?
            .ok_or_else(|| StoreError::NotFound { what: "device", key: fingerprint.into() })?;
        get_json(&row, "profile")
    }

    /// Every device known, the latest seen first.
    pub async fn devices(&self) -> Result<Vec<DeviceProfile>, StoreError> {
        let rows = sqlx::query("SELECT profile FROM devices ORDER BY last_seen_at_ns DESC, fingerprint")
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(|row| get_json(row, "profile")).collect()
    }
}
