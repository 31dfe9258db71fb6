//! Conversations and their messages.

use crate::codec::{get_id, get_json, get_json_opt, get_name, get_time, json, name, time};
use crate::{Store, StoreError, spending};
use chrono::{DateTime, Utc};
use pocketbench_domain::conversation::{ChatMessage, Conversation, ConversationId, MessageId, MessageState};
use pocketbench_domain::provider::Cost;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, Row};

/// Messages that a search looks at, the latest first: more than anybody reads, and few enough to be found at once.
const MOST_HITS: u32 = 300;

/// Characters of a hit's surroundings on each side.
const AROUND_CHARS: usize = 60;

/// A conversation that a search found, and where.
#[derive(Debug, Clone, PartialEq)]
pub struct ConversationHit {
    /// The conversation.
    pub conversation: Conversation,
    /// Text around the words in its latest message that has them; `None` where only the title has.
    pub excerpt: Option<String>,
}

const COLUMNS: &str = "c.id, c.title, c.pinned, c.created_at_ns, c.updated_at_ns, c.settings, c.head";
pub(crate) const LATEST: &str =
    "SELECT id, title, pinned, created_at_ns, updated_at_ns, settings, head FROM conversations
     WHERE deleted_at_ns IS NULL AND duel = 0 ORDER BY pinned DESC, updated_at_ns DESC, id DESC LIMIT ? OFFSET ?";

fn read(row: &SqliteRow) -> Result<Conversation, StoreError> {
    Ok(Conversation {
        id: ConversationId(get_id(row, "id")?),
        title: row.try_get("title")?,
        pinned: row.try_get("pinned")?,
        created_at: get_time(row, "created_at_ns")?,
        updated_at: get_time(row, "updated_at_ns")?,
        settings: get_json(row, "settings")?,
        head: row.try_get::<Option<uuid::Uuid>, _>("head")?.map(MessageId),
    })
}

fn read_message(row: &SqliteRow) -> Result<ChatMessage, StoreError> {
    Ok(ChatMessage {
        id: MessageId(get_id(row, "id")?),
        conversation_id: ConversationId(get_id(row, "conversation_id")?),
        parent: row.try_get::<Option<uuid::Uuid>, _>("parent")?.map(MessageId),
        role: get_name(row, "role")?,
        content: row.try_get("content")?,
        pinned: row.try_get("pinned")?,
        created_at: get_time(row, "created_at_ns")?,
        state: get_name(row, "state")?,
        answer: get_json_opt(row, "answer")?,
        failure: get_json_opt(row, "failure")?,
    })
}

fn missing(id: ConversationId) -> StoreError {
    StoreError::NotFound { what: "conversation", key: id.to_string() }
}

fn found(result: &sqlx::sqlite::SqliteQueryResult, error: impl FnOnce() -> StoreError) -> Result<(), StoreError> {
    if result.rows_affected() == 0 { Err(error()) } else { Ok(()) }
}

impl Store {
    /// Stores a new conversation.
    pub async fn insert_conversation(&self, conversation: &Conversation) -> Result<(), StoreError> {
        let mut transaction = self.writer.begin().await?;
        insert(&mut transaction, conversation, false).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Stores a conversation with all its messages, or nothing.
    pub async fn import_conversation(
        &self,
        conversation: &Conversation,
        messages: &[ChatMessage],
    ) -> Result<(), StoreError> {
        let mut transaction = self.writer.begin().await?;
        insert(&mut transaction, conversation, false).await?;
        for message in messages {
            insert_message(&mut transaction, message).await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    /// One conversation. [`StoreError::NotFound`] also for one that was deleted.
    pub async fn conversation(&self, id: ConversationId) -> Result<Conversation, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM conversations AS c WHERE c.id = ? AND c.deleted_at_ns IS NULL");
        let row = sqlx::query(AssertSqlSafe(sql)).bind(id.0).fetch_optional(&self.readers).await?;
        read(&row.ok_or_else(|| missing(id))?)
    }

    /// Conversations, pinned ones first, then the latest. Those that are duels have a list of their own, and searches do not
    /// look into them.
    pub async fn conversations(&self, limit: u32, offset: u32) -> Result<Vec<Conversation>, StoreError> {
        let rows = sqlx::query(LATEST).bind(limit).bind(offset).fetch_all(&self.readers).await?;
        rows.iter().map(read).collect()
    }

    /// Conversations that have all the words, in one message or in the title; the last word may be a beginning. Of very
    /// many hits only the latest 300 messages count.
    pub async fn search_conversations(&self, text: &str, limit: u32) -> Result<Vec<ConversationHit>, StoreError> {
        let mut hits: Vec<ConversationHit> = Vec::new();
        if let Some(phrases) = phrases(text) {
            let sql = format!(
                "WITH hits AS (SELECT rowid AS place FROM message_words WHERE message_words MATCH ?
                               ORDER BY rowid DESC LIMIT {MOST_HITS})
                 SELECT {COLUMNS}, max(m.place) AS place, m.content
                 FROM hits JOIN messages AS m ON m.place = hits.place JOIN conversations AS c ON c.id = m.conversation_id
                 WHERE c.deleted_at_ns IS NULL AND c.duel = 0 GROUP BY c.id"
            );
            for row in sqlx::query(AssertSqlSafe(sql)).bind(phrases).fetch_all(&self.readers).await? {
                let excerpt = Some(around(row.try_get("content")?, text));
                hits.push(ConversationHit { conversation: read(&row)?, excerpt });
            }
        }
        // SQLite takes a zero for the end of a pattern.
        let escaped = text.replace('\0', "").trim().replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
        if !escaped.is_empty() {
            let sql = format!(
                "SELECT {COLUMNS} FROM conversations AS c
                 WHERE c.deleted_at_ns IS NULL AND c.duel = 0 AND c.title LIKE ? ESCAPE '\\' ORDER BY c.updated_at_ns DESC LIMIT ?"
            );
            let rows = sqlx::query(AssertSqlSafe(sql)).bind(format!("%{escaped}%")).bind(limit);
            for row in rows.fetch_all(&self.readers).await? {
                let conversation = read(&row)?;
                if hits.iter().all(|hit| hit.conversation.id != conversation.id) {
                    hits.push(ConversationHit { conversation, excerpt: None });
                }
            }
        }
        hits.sort_by_key(|hit| {
            let c = &hit.conversation;
            std::cmp::Reverse((c.pinned, c.updated_at, c.id))
        });
        hits.truncate(limit as usize);
        Ok(hits)
    }

    /// Stores title, pin and settings. What was said meanwhile stays the head.
    pub async fn update_conversation(&self, conversation: &Conversation) -> Result<(), StoreError> {
        let result = sqlx::query("UPDATE conversations SET title = ?, pinned = ?, settings = ? WHERE id = ?")
            .bind(&conversation.title)
            .bind(conversation.pinned)
            .bind(json(&conversation.settings)?)
            .bind(conversation.id.0)
            .execute(&self.writer)
            .await?;
        found(&result, || missing(conversation.id))
    }

    /// Brings another branch into view: the path that ends with this message.
    pub async fn set_head(&self, id: ConversationId, head: MessageId) -> Result<(), StoreError> {
        let result = sqlx::query("UPDATE conversations SET head = ? WHERE id = ?")
            .bind(head.0)
            .bind(id.0)
            .execute(&self.writer)
            .await?;
        found(&result, || missing(id))
    }

    /// Deletes a conversation so that it can still be brought back, or brings it back with `None`.
    pub async fn set_conversation_deleted(
        &self,
        id: ConversationId,
        at: Option<DateTime<Utc>>,
    ) -> Result<(), StoreError> {
        let at = at.map(time).transpose()?;
        let result = sqlx::query("UPDATE conversations SET deleted_at_ns = ? WHERE id = ?")
            .bind(at)
            .bind(id.0)
            .execute(&self.writer)
            .await?;
        found(&result, || missing(id))
    }

    /// Removes for good what was deleted before; gives how many conversations that were.
    pub async fn purge_conversations(&self, deleted_before: DateTime<Utc>) -> Result<u64, StoreError> {
        let result = sqlx::query("DELETE FROM conversations WHERE deleted_at_ns < ?")
            .bind(time(deleted_before)?)
            .execute(&self.writer)
            .await?;
        Ok(result.rows_affected())
    }

    /// All messages of a conversation, in the order in which they were said.
    pub async fn messages(&self, id: ConversationId) -> Result<Vec<ChatMessage>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, conversation_id, parent, role, content, pinned, created_at_ns, state, answer, failure
             FROM messages WHERE conversation_id = ? ORDER BY created_at_ns, id",
        )
        .bind(id.0)
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(read_message).collect()
    }

    /// Stores a message and makes it the head of its conversation. If it may come to cost something, that is noted with it.
    pub async fn insert_message(&self, message: &ChatMessage) -> Result<(), StoreError> {
        let mut transaction = self.writer.begin().await?;
        insert_message(&mut transaction, message).await?;
        spending::open(&mut transaction, message).await?;
        sqlx::query("UPDATE conversations SET head = ?, updated_at_ns = max(updated_at_ns, ?) WHERE id = ?")
            .bind(message.id.0)
            .bind(time(message.created_at)?)
            .bind(message.conversation_id.0)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Stores what an answer has so far.
    pub async fn write_message(&self, id: MessageId, content: &str) -> Result<(), StoreError> {
        sqlx::query("UPDATE messages SET content = ? WHERE id = ? AND state = 'writing'")
            .bind(content)
            .bind(id.0)
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    /// Stores how an answer ended and what was charged for it, and lets it be found by its words.
    pub async fn end_message(&self, message: &ChatMessage, charged: &Cost) -> Result<(), StoreError> {
        let mut transaction = self.writer.begin().await?;
        let place: Option<i64> = sqlx::query_scalar(
            "UPDATE messages SET content = ?, state = ?, answer = ?, failure = ? WHERE id = ? RETURNING place",
        )
        .bind(&message.content)
        .bind(name(&message.state)?)
        .bind(message.answer.as_ref().map(json).transpose()?)
        .bind(message.failure.as_ref().map(json).transpose()?)
        .bind(message.id.0)
        .fetch_optional(&mut *transaction)
        .await?;
        let key = || message.id.to_string();
        let place = place.ok_or_else(|| StoreError::NotFound { what: "message", key: key() })?;
        index(&mut transaction, place, &message.content).await?;
        spending::settle(&mut transaction, message.id, charged).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Keeps a message's turn in the context, or lets it go.
    pub async fn pin_message(&self, id: MessageId, pinned: bool) -> Result<(), StoreError> {
        let result = sqlx::query("UPDATE messages SET pinned = ? WHERE id = ?")
            .bind(pinned)
            .bind(id.0)
            .execute(&self.writer)
            .await?;
        found(&result, || StoreError::NotFound { what: "message", key: id.to_string() })
    }

    /// Marks answers that were being written when the program ended. What they had stays; gives how many there were.
    pub async fn cut_messages(&self) -> Result<usize, StoreError> {
        let mut transaction = self.writer.begin().await?;
        let rows = sqlx::query("UPDATE messages SET state = 'cut' WHERE state = 'writing' RETURNING place, content")
            .fetch_all(&mut *transaction)
            .await?;
        for row in &rows {
            index(&mut transaction, row.try_get("place")?, row.try_get("content")?).await?;
        }
        transaction.commit().await?;
        Ok(rows.len())
    }
}

pub(crate) async fn insert(
    connection: &mut SqliteConnection,
    conversation: &Conversation,
    duel: bool,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO conversations (id, title, pinned, created_at_ns, updated_at_ns, settings, head, duel)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(conversation.id.0)
    .bind(&conversation.title)
    .bind(conversation.pinned)
    .bind(time(conversation.created_at)?)
    .bind(time(conversation.updated_at)?)
    .bind(json(&conversation.settings)?)
    .bind(conversation.head.map(|head| head.0))
    .bind(duel)
    .execute(connection)
    .await?;
    Ok(())
}

pub(crate) async fn insert_message(connection: &mut SqliteConnection, message: &ChatMessage) -> Result<(), StoreError> {
    let place: i64 = sqlx::query_scalar(
        "INSERT INTO messages (id, conversation_id, parent, role, content, pinned, created_at_ns, state, answer, failure)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING place",
    )
    .bind(message.id.0)
    .bind(message.conversation_id.0)
    .bind(message.parent.map(|parent| parent.0))
    .bind(name(&message.role)?)
    .bind(&message.content)
    .bind(message.pinned)
    .bind(time(message.created_at)?)
    .bind(name(&message.state)?)
    .bind(message.answer.as_ref().map(json).transpose()?)
    .bind(message.failure.as_ref().map(json).transpose()?)
    .fetch_one(&mut *connection)
    .await?;
    if message.state != MessageState::Writing {
        index(connection, place, &message.content).await?;
    }
    Ok(())
}

async fn index(connection: &mut SqliteConnection, place: i64, content: &str) -> Result<(), StoreError> {
    sqlx::query("INSERT OR REPLACE INTO message_words (rowid, words) VALUES (?, ?)")
        .bind(place)
        .bind(words(content))
        .execute(connection)
        .await?;
    Ok(())
}

/// Whether a script writes words without spaces between them.
fn stands_alone(c: char) -> bool {
    matches!(
        c,
        '\u{0e00}'..='\u{0eff}' // Thai, Lao
            | '\u{1000}'..='\u{109f}' // Myanmar
            | '\u{1780}'..='\u{17ff}' // Khmer
            | '\u{3040}'..='\u{30ff}' // kana
            | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' // Han
            | '\u{ac00}'..='\u{d7af}' // Hangul
            | '\u{20000}'..='\u{323af}' // more Han
    )
}

/// Text as the index sees it: each character of such a script is a word.
fn words(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if stands_alone(c) {
            out.push(' ');
            out.push(c);
            out.push(' ');
        } else {
            out.push(c);
        }
    }
    out
}

/// A query that finds messages with all the words, the last one also as a beginning. `None` without a word.
fn phrases(text: &str) -> Option<String> {
    let mut phrases: Vec<String> = text
        .split_whitespace()
        .filter(|word| word.chars().any(char::is_alphanumeric))
        .map(|word| format!("\"{}\"", words(word).replace('"', " ").trim()))
        .collect();
    if !text.ends_with(|c: char| stands_alone(c) || !c.is_alphanumeric()) {
        phrases.last_mut()?.push('*');
    }
    (!phrases.is_empty()).then(|| phrases.join(" AND "))
}

/// The surroundings of the first word that is found, on one line.
fn around(content: &str, text: &str) -> String {
    let lower: Vec<char> = content.chars().map(|c| c.to_lowercase().next().unwrap_or(c)).collect();
    let find = |word: &str| {
        let word: Vec<char> = word.chars().map(|c| c.to_lowercase().next().unwrap_or(c)).collect();
        (!word.is_empty()).then(|| lower.windows(word.len()).position(|window| window == word)).flatten()
    };
    let at = text.split_whitespace().find_map(find).unwrap_or(0);
    let from = at.saturating_sub(AROUND_CHARS);
    let chars: Vec<char> = content.chars().collect();
    let to = (at + AROUND_CHARS).min(chars.len());
    let middle: String = chars[from..to].iter().map(|c| if c.is_whitespace() { ' ' } else { *c }).collect();
    let before = if from > 0 { "…" } else { "" };
    let after = if to < chars.len() { "…" } else { "" };
    format!("{before}{}{after}", middle.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_made_of_words_only() {
        assert_eq!(phrases("river  walk").as_deref(), Some("\"river\" AND \"walk\"*"));
        assert_eq!(phrases("\"a\" OR b*) NEAR(").as_deref(), Some("\"a\" AND \"OR\" AND \"b*)\" AND \"NEAR(\""));
        assert_eq!(phrases("北京 walk ").as_deref(), Some("\"北  京\" AND \"walk\""));
        assert_eq!(phrases(" ?! \"\" "), None);
        assert_eq!(phrases(""), None);
    }

    #[test]
    fn an_excerpt_is_short_and_on_one_line() {
        let text = format!("{}\nThe River\tflows {}", "x".repeat(100), "y".repeat(100));
        let excerpt = around(&text, "river");
        assert!(excerpt.contains("The River flows") && excerpt.starts_with('…') && excerpt.ends_with('…'), "{excerpt}");
        assert!(excerpt.chars().count() <= 2 * AROUND_CHARS + 2);
        assert_eq!(around("İstanbul", "nowhere"), "İstanbul");
        assert_eq!(around("", "x"), "");
    }
}
