//! Questions to two models, and the votes.

use crate::codec::{get_id, get_name, name, time};
use crate::conversations::{insert, insert_message};
use crate::{Store, StoreError};
use chrono::{DateTime, Utc};
use pocketbench_domain::conversation::{ChatMessage, Conversation, ConversationId, MessageId};
use pocketbench_domain::duel::{Ballot, Contender, Vote};
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row};

/// A duel, without what was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DuelRow {
    /// The question.
    pub question: MessageId,
    /// The conversation that holds it and its answers.
    pub conversation_id: ConversationId,
    /// The models, left and right. They are two different files.
    pub models: [Contender; 2],
    /// Whether names are hidden until the vote.
    pub blind: bool,
    /// The vote, once there is one.
    pub vote: Option<Vote>,
}

const COLUMNS: &str = "d.question, d.conversation_id, d.left_sha256, d.left_model, d.right_sha256, d.right_model,
     d.blind, d.vote FROM duels AS d JOIN conversations AS c ON c.id = d.conversation_id WHERE c.deleted_at_ns IS NULL";

fn read(row: &SqliteRow) -> Result<DuelRow, StoreError> {
    let contender = |sha256: &str, model: &str| -> Result<Contender, StoreError> {
        Ok(Contender { sha256: row.try_get(sha256)?, label: row.try_get(model)? })
    };
    let voted = row.try_get::<Option<&str>, _>("vote")?.is_some();
    Ok(DuelRow {
        question: MessageId(get_id(row, "question")?),
        conversation_id: ConversationId(get_id(row, "conversation_id")?),
        models: [contender("left_sha256", "left_model")?, contender("right_sha256", "right_model")?],
        blind: row.try_get("blind")?,
        vote: if voted { Some(get_name(row, "vote")?) } else { None },
    })
}

impl Store {
    /// Stores a new duel with its conversation, which appears in no list of conversations, and the question.
    pub async fn insert_duel(
        &self,
        conversation: &Conversation,
        question: &ChatMessage,
        duel: &DuelRow,
    ) -> Result<(), StoreError> {
        let mut transaction = self.writer.begin().await?;
        insert(&mut transaction, conversation, true).await?;
        insert_message(&mut transaction, question).await?;
        let [left, right] = &duel.models;
        sqlx::query(
            "INSERT INTO duels (question, conversation_id, left_sha256, left_model, right_sha256, right_model, blind,
                                begun_at_ns)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(duel.question.0)
        .bind(duel.conversation_id.0)
        .bind(&left.sha256)
        .bind(&left.label)
        .bind(&right.sha256)
        .bind(&right.label)
        .bind(duel.blind)
        .bind(time(question.created_at)?)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// The duel of this question, if it is one.
    pub async fn duel(&self, question: MessageId) -> Result<Option<DuelRow>, StoreError> {
        let sql = format!("SELECT {COLUMNS} AND d.question = ?");
        let row = sqlx::query(AssertSqlSafe(sql)).bind(question.0).fetch_optional(&self.readers).await?;
        row.as_ref().map(read).transpose()
    }

    /// The duel that this conversation is, if it is one.
    pub async fn duel_of(&self, id: ConversationId) -> Result<Option<DuelRow>, StoreError> {
        let sql = format!("SELECT {COLUMNS} AND d.conversation_id = ?");
        let row = sqlx::query(AssertSqlSafe(sql)).bind(id.0).fetch_optional(&self.readers).await?;
        row.as_ref().map(read).transpose()
    }

    /// Duels, the latest first.
    pub async fn duels(&self, limit: u32) -> Result<Vec<DuelRow>, StoreError> {
        let sql = format!("SELECT {COLUMNS} ORDER BY d.begun_at_ns DESC, d.question DESC LIMIT ?");
        let rows = sqlx::query(AssertSqlSafe(sql)).bind(limit).fetch_all(&self.readers).await?;
        rows.iter().map(read).collect()
    }

    /// Stores a vote, in the place of the one before.
    pub async fn set_vote(&self, question: MessageId, vote: Vote, now: DateTime<Utc>) -> Result<(), StoreError> {
        let result = sqlx::query("UPDATE duels SET vote = ?, voted_at_ns = ? WHERE question = ?")
            .bind(name(&vote)?)
            .bind(time(now)?)
            .bind(question.0)
            .execute(&self.writer)
            .await?;
        if result.rows_affected() == 0 {
            return Err(StoreError::NotFound { what: "duel", key: question.to_string() });
        }
        Ok(())
    }

    /// Every vote, in the order of the duels.
    pub async fn votes(&self) -> Result<Vec<Ballot>, StoreError> {
        let sql = format!("SELECT {COLUMNS} AND d.vote IS NOT NULL ORDER BY d.begun_at_ns, d.question");
        let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(&self.readers).await?;
        let ballot = |row| {
            let DuelRow { models, blind, vote, .. } = read(row)?;
            Ok(vote.map(|vote| Ballot { models, blind, vote }))
        };
        rows.iter().filter_map(|row| ballot(row).transpose()).collect()
    }
}
