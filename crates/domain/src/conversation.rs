//! Conversations: a tree of messages, of which one path is shown and told to the model.
//!
//! Editing a message or asking for another answer adds a sibling, so nothing that was said is lost. The conversation's
//! *head* is the last message of the path that is in view.

use crate::error::ErrorReport;
use crate::generate::{Generation, Message, Role, Sampling, Speculation, StopReason};
use crate::provider::{Cost, TokenUsage};
use crate::route::Decision;
use crate::run::id;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::ops::Range;
use ts_rs::TS;

id! {
    /// Identifies a conversation.
    ConversationId,
    /// Identifies a message of a conversation.
    MessageId,
}

/// Longest title in characters.
pub const TITLE_CHARS: usize = 80;

/// A conversation without its messages.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct Conversation {
    /// Identity.
    pub id: ConversationId,
    /// For people; at first the beginning of the first question.
    pub title: String,
    /// Kept at the top of the list.
    pub pinned: bool,
    /// When it was begun.
    pub created_at: DateTime<Utc>,
    /// When something was last said or changed.
    pub updated_at: DateTime<Utc>,
    /// How answers are made.
    pub settings: ChatSettings,
    /// Last message of the path in view.
    pub head: Option<MessageId>,
}

/// How a conversation's answers are made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[serde(default)]
pub struct ChatSettings {
    /// Path of the local model that answers; `None` until one is picked.
    pub model: Option<String>,
    /// Standing instructions, told before everything else; empty for none.
    pub system_prompt: String,
    /// How tokens are picked.
    pub sampling: Sampling,
    /// Most tokens of an answer.
    pub max_tokens: u32,
    /// Context in tokens; `None` for as much as the device's memory suggests.
    pub n_ctx: Option<u32>,
}

impl Default for ChatSettings {
    /// Sampling that reads well in conversation: llama.cpp's defaults at a lower temperature.
    fn default() -> Self {
        let sampling =
            Sampling { temperature: 0.7, top_k: 40, top_p: 0.95, min_p: 0.05, repeat_penalty: 1.05, seed: 0 };
        Self { model: None, system_prompt: String::new(), sampling, max_tokens: 1_024, n_ctx: None }
    }
}

/// Where a message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum MessageState {
    /// It is being written right now.
    Writing,
    /// It is whole.
    Complete,
    /// Somebody stopped it.
    Stopped,
    /// The program ended in the middle of it; what it had is here.
    Cut,
    /// It could not be finished; `failure` says why.
    Failed,
}

/// One message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct ChatMessage {
    /// Identity.
    pub id: MessageId,
    /// Of which conversation.
    pub conversation_id: ConversationId,
    /// The message that it answers or follows; `None` for the first.
    pub parent: Option<MessageId>,
    /// Who says it.
    pub role: Role,
    /// What is said, as it came: untrusted text of a model where the role is the assistant's.
    pub content: String,
    /// Its turn is never dropped from the context.
    pub pinned: bool,
    /// When it was sent or begun.
    pub created_at: DateTime<Utc>,
    /// Where it stands.
    pub state: MessageState,
    /// Of an answer: who gave it, and how fast.
    pub answer: Option<Answer>,
    /// Why it could not be finished.
    pub failure: Option<ErrorReport>,
}

/// Who answered, and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct Answer {
    /// The model's name for people.
    pub model: String,
    /// SHA-256 of a local model's file.
    #[serde(default)]
    pub model_sha256: Option<String>,
    /// Figures, once it has ended.
    #[serde(default)]
    pub figures: Option<AnswerFigures>,
    /// Turns that no longer fit the context and were not told to the model.
    #[serde(default)]
    pub dropped_turns: u32,
    /// Where the prompt went, and why; absent where there was nothing to decide.
    #[serde(default)]
    pub decision: Option<Decision>,
    /// Of an answer from a provider: whose, and what it cost.
    #[serde(default)]
    pub cloud: Option<CloudAnswer>,
    /// Memory was short: the context was at most 2,048 tokens, its cache was quantized, and the answer at most 256 tokens.
    #[serde(default)]
    #[ts(as = "Option<bool>", optional)]
    pub memory_safe: bool,
}

/// An answer that came from a provider.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct CloudAnswer {
    /// Id of the provider.
    pub provider: String,
    /// Its title at the time.
    pub title: String,
    /// The model's name there.
    pub model: String,
    /// Tokens as it counts and bills them, once it has said so.
    pub usage: Option<TokenUsage>,
    /// Time from the request to the first piece of the answer in ms, the network included.
    pub first_piece_ms: Option<f64>,
    /// Time from the request to the end in ms, earlier attempts included.
    pub took_ms: Option<f64>,
    /// What it cost.
    pub cost: Cost,
}

/// Figures of one answer. What was not measured is absent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, TS)]
pub struct AnswerFigures {
    /// Tokens of the prompt, with everything said before.
    pub prompt_tokens: u32,
    /// Of those, tokens that were still in the KV cache and were not evaluated again.
    pub reused_tokens: u32,
    /// Tokens of the answer.
    pub generated_tokens: u32,
    /// Of those, tokens of a reasoning section.
    pub reasoning_tokens: u32,
    /// Time to the first token in ms.
    pub ttft_ms: Option<f64>,
    /// Decode rate in tokens a second.
    pub decode_tps: Option<f64>,
    /// Energy in mJ a token.
    pub mj_per_token: Option<f64>,
    /// Why it ended.
    pub stop: StopReason,
    /// What guessing did, where it was on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub speculation: Option<Speculation>,
}

impl From<&Generation> for AnswerFigures {
    fn from(generation: &Generation) -> Self {
        let times = &generation.token_at_ns;
        let span = times.last().zip(times.first()).map(|(last, first)| (last - first) as f64 / 1e9);
        Self {
            prompt_tokens: generation.prompt_tokens,
            reused_tokens: generation.reused_tokens,
            generated_tokens: generation.generated_tokens,
            reasoning_tokens: generation.reasoning_tokens,
            ttft_ms: times.first().map(|first| *first as f64 / 1e6),
            decode_tps: span.filter(|s| *s > 0.0).map(|s| (times.len() - 1) as f64 / s),
            mj_per_token: None,
            stop: generation.stop,
            speculation: generation.speculation,
        }
    }
}

/// A title from the first thing that was asked: its first line, cut.
#[must_use]
pub fn title_of(question: &str) -> String {
    let line = question.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let clean: String = line.chars().filter(|c| !c.is_control()).collect();
    if clean.chars().count() <= TITLE_CHARS {
        return clean;
    }
    let mut cut: String = clean.chars().take(TITLE_CHARS - 1).collect();
    cut.push('…');
    cut
}

/// The messages from the first to `head`. A message whose parent is missing ends the walk: what can be shown is shown.
#[must_use]
pub fn path(messages: &[ChatMessage], head: Option<MessageId>) -> Vec<&ChatMessage> {
    let by_id: HashMap<MessageId, &ChatMessage> = messages.iter().map(|message| (message.id, message)).collect();
    let mut path = Vec::new();
    let mut at = head;
    // No more steps than messages, should a damaged import contain a circle.
    while let Some(message) = at.and_then(|id| by_id.get(&id)).filter(|_| path.len() < messages.len()) {
        path.push(*message);
        at = message.parent;
    }
    path.reverse();
    path
}

/// The messages that stand in the same place, itself included, the oldest first.
#[must_use]
pub fn siblings(messages: &[ChatMessage], id: MessageId) -> Vec<MessageId> {
    let Some(of) = messages.iter().find(|message| message.id == id) else { return Vec::new() };
    let mut same: Vec<&ChatMessage> = messages.iter().filter(|message| message.parent == of.parent).collect();
    same.sort_by_key(|message| (message.created_at, message.id));
    same.into_iter().map(|message| message.id).collect()
}

/// The end of the newest path through a message: where one arrives by switching to it.
#[must_use]
pub fn newest_below(messages: &[ChatMessage], id: MessageId) -> MessageId {
    let mut at = id;
    for _ in 0..messages.len() {
        let children = messages.iter().filter(|message| message.parent == Some(at));
        let Some(newest) = children.max_by_key(|message| (message.created_at, message.id)) else { break };
        at = newest.id;
    }
    at
}

/// What a model is told of a path, and what is left out of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Told {
    /// The messages in order, the system prompt first where there is one.
    pub messages: Vec<Message>,
    /// Turns left out, the oldest ones that nobody pinned.
    pub dropped: Vec<MessageId>,
}

/// A turn: a question and what was answered to it. Places in the path.
fn turns(path: &[&ChatMessage]) -> Vec<Range<usize>> {
    let mut turns: Vec<Range<usize>> = Vec::new();
    for (place, message) in path.iter().enumerate() {
        match turns.last_mut() {
            Some(turn) if message.role != Role::User => turn.end = place + 1,
            _ => turns.push(place..place + 1),
        }
    }
    turns
}

/// How many turns of a path could be left out: all but the last and those with a pinned message.
#[must_use]
pub fn droppable(path: &[&ChatMessage]) -> usize {
    let turns = turns(path);
    let old = &turns[..turns.len().saturating_sub(1)];
    old.iter().filter(|turn| !path[(*turn).clone()].iter().any(|message| message.pinned)).count()
}

/// What the model is told when the `drop` oldest turns that can be left out are left out. Answers that failed without a
/// word are not told.
#[must_use]
pub fn told(path: &[&ChatMessage], system_prompt: &str, drop: usize) -> Told {
    let turns = turns(path);
    let mut left = drop.min(droppable(path));
    let mut told = Told { messages: Vec::new(), dropped: Vec::new() };
    if !system_prompt.trim().is_empty() {
        told.messages.push(Message { role: Role::System, content: system_prompt.to_owned() });
    }
    for (number, turn) in turns.iter().enumerate() {
        let messages = &path[turn.clone()];
        let is_last = number + 1 == turns.len();
        if left > 0 && !is_last && !messages.iter().any(|message| message.pinned) {
            left -= 1;
            told.dropped.extend(messages.iter().map(|message| message.id));
            continue;
        }
        let spoken = messages.iter().filter(|message| message.role == Role::User || !message.content.is_empty());
        told.messages.extend(spoken.map(|m| Message { role: m.role, content: without_reasoning(m) }));
    }
    told
}

/// What an answer says after its reasoning section: earlier thoughts are not told again, as the makers of such models ask.
fn without_reasoning(message: &ChatMessage) -> String {
    if message.role != Role::Assistant {
        return message.content.clone();
    }
    let text = message.content.trim_start();
    match text.strip_prefix("<think>").and_then(|rest| rest.split_once("</think>")) {
        Some((_, answer)) => answer.trim_start().to_owned(),
        None => message.content.clone(),
    }
}
