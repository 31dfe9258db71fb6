//! What answers of providers have cost.
//!
//! A row is made together with the answer's message, before anything is asked, and settled together with its end: a program
//! that ends in between leaves a cost that is not known, and never one that is counted twice or not at all.

use crate::codec::{get_time, time};
use crate::{Store, StoreError};
use chrono::{DateTime, Utc};
use pocketbench_domain::conversation::{ChatMessage, MessageId};
use pocketbench_domain::provider::{Cost, Money};
use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

impl Store {
    /// Costs since a time, in the order in which the answers were asked for. What cost nothing is not among them.
    pub async fn spending(&self, since: DateTime<Utc>) -> Result<Vec<(DateTime<Utc>, Cost)>, StoreError> {
        let rows = sqlx::query("SELECT at_ns, currency, nanos FROM spending WHERE at_ns >= ? ORDER BY at_ns")
            .bind(time(since)?)
            .fetch_all(&self.readers)
            .await?;
        let cost = |row: &sqlx::sqlite::SqliteRow| -> Result<(DateTime<Utc>, Cost), StoreError> {
            let nanos = row.try_get::<Option<i64>, _>("nanos")?.and_then(|nanos| u64::try_from(nanos).ok());
            let money = row.try_get::<Option<String>, _>("currency")?.zip(nanos);
            let cost = money.map_or(Cost::Unknown, |(currency, nanos)| Cost::Amount(Money { currency, nanos }));
            Ok((get_time(row, "at_ns")?, cost))
        };
        rows.iter().map(cost).collect()
    }
}

/// Notes that an answer may come to cost something.
pub(crate) async fn open(connection: &mut SqliteConnection, message: &ChatMessage) -> Result<(), StoreError> {
    let Some(cloud) = message.answer.as_ref().and_then(|answer| answer.cloud.as_ref()) else { return Ok(()) };
    if cloud.cost == Cost::Free {
        return Ok(());
    }
    sqlx::query("INSERT INTO spending (message_id, at_ns, provider, model) VALUES (?, ?, ?, ?)")
        .bind(message.id.0)
        .bind(time(message.created_at)?)
        .bind(&cloud.provider)
        .bind(&cloud.model)
        .execute(connection)
        .await?;
    Ok(())
}

/// Notes what it did cost; what was noted as not known stays so where it is not known now.
pub(crate) async fn settle(
    connection: &mut SqliteConnection,
    message: MessageId,
    charged: &Cost,
) -> Result<(), StoreError> {
    match charged {
        Cost::Unknown => {}
        Cost::Free => {
            sqlx::query("DELETE FROM spending WHERE message_id = ?").bind(message.0).execute(connection).await?;
        }
        Cost::Amount(money) => {
            sqlx::query("UPDATE spending SET currency = ?, nanos = ? WHERE message_id = ?")
                .bind(&money.currency)
                .bind(i64::try_from(money.nanos).unwrap_or(i64::MAX))
                .bind(message.0)
                .execute(connection)
                .await?;
        }
    }
    Ok(())
}
