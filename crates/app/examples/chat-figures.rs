//! What chat costs: prefix reuse, returning to a chat after a restart, stopping, guessing, and a list of ten thousand
//! conversations. Real workers, store and use cases. Started by `scripts/bench`, prints rows of a Markdown table.
//!
//! Arguments: `MODEL ROUNDS [CONVERSATIONS]`, 10,000 conversations of 20 messages if not said otherwise. The program is its
//! own worker.
#![allow(missing_docs)]

use chrono::{DateTime, TimeDelta, Utc};
use pocketbench_app_core::api::{AnswerBy, AppEvent, ChatOptions, ChatUpdate, ConversationFormat, SendRequest};
use pocketbench_app_core::domain::ErrorCode;
use pocketbench_app_core::domain::conversation::{
    AnswerFigures, ChatMessage, ChatSettings, Conversation, ConversationId, MessageId, MessageState,
};
use pocketbench_app_core::domain::generate::{Role, Sampling};
use pocketbench_app_core::domain::stats::{median, quantile};
use pocketbench_app_core::{App, Config, Events, Launch};
use pocketbench_store::{Access, Store};
use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Messages of each conversation in the long list.
const MESSAGES: usize = 20;
/// About 17 tokens each.
const SENTENCE: &str = "The river begins in the mountains and flows through three lakes before it meets the sea. ";

async fn open(folder: &Path) -> Result<App> {
    let launch = Launch::Child { program: std::env::current_exe()?, args: vec!["worker".into()] };
    let mut config = Config::new(env!("CARGO_PKG_VERSION"), None, launch);
    config.data_folder = folder.to_path_buf();
    config.models_folder = folder.to_path_buf();
    config.tune = false;
    // The one before is gone when its last task has ended.
    for _ in 0..100 {
        match App::open(config.clone()).await {
            Err(error) if error.code == ErrorCode::AlreadyRunning => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            opened => return Ok(opened?),
        }
    }
    Err("the app before does not end".into())
}

fn settings(model: &str, max_tokens: u32) -> ChatSettings {
    ChatSettings {
        model: Some(model.to_owned()),
        system_prompt: String::new(),
        sampling: Sampling::default(),
        max_tokens,
        n_ctx: Some(2_048),
    }
}

/// An answer, and when its first word and its end were told, in ms since it was asked for.
struct Heard {
    answer: ChatMessage,
    first_ms: f64,
}

impl Heard {
    fn figures(&self) -> Result<AnswerFigures> {
        let figures = self.answer.answer.as_ref().and_then(|answer| answer.figures);
        figures.ok_or_else(|| format!("no figures: {:?}", self.answer.failure).into())
    }
}

async fn next(events: &mut Events) -> Result<ChatUpdate> {
    loop {
        if let AppEvent::Chat { update } = events.recv().await? {
            return Ok(*update);
        }
    }
}

async fn ask(app: &App, of: ConversationId, text: &str) -> Result<Heard> {
    let mut events = app.subscribe();
    let began = Instant::now();
    let request = SendRequest { conversation_id: of, text: text.to_owned(), instead_of: None, by: AnswerBy::Policy };
    app.send(request).await?;
    let mut first_ms = None;
    loop {
        let update = next(&mut events).await?;
        first_ms.get_or_insert(began.elapsed().as_secs_f64() * 1e3);
        if let ChatUpdate::Ended { message } = update {
            return Ok(Heard { answer: *message, first_ms: first_ms.unwrap_or(f64::NAN) });
        }
    }
}

async fn begin(app: &App, settings: ChatSettings) -> Result<ConversationId> {
    Ok(app.begin_conversation(settings).await?.id)
}

fn row(what: &str, wanted: &str, found: &str) {
    println!("| {what} | {wanted} | {found} |");
}

fn middle(values: &[f64]) -> f64 {
    median(values).unwrap_or(f64::NAN)
}

/// About 1,000 tokens that begin like no others.
fn long_question(n: usize) -> String {
    format!("This is text number {n}. {}What does the river do?", SENTENCE.repeat(56))
}

/// Second turns and returns after a restart, against first turns.
async fn long_chats(folder: &Path, model: &str, rounds: usize) -> Result<()> {
    let app = open(folder).await?;
    // The first answer ever loads the model.
    ask(&app, begin(&app, settings(model, 4)).await?, "Hello.").await?;
    let (mut firsts, mut seconds, mut evaluated, mut chats) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut prompt_tokens = 0;
    for n in 0..rounds {
        let chat = begin(&app, settings(model, 24)).await?;
        let first = ask(&app, chat, &long_question(n)).await?.figures()?;
        let second = ask(&app, chat, "And where does it end?").await?.figures()?;
        prompt_tokens = first.prompt_tokens;
        firsts.push(first.ttft_ms.unwrap_or(f64::NAN));
        seconds.push(second.ttft_ms.unwrap_or(f64::NAN));
        let new = second.prompt_tokens - first.prompt_tokens - first.generated_tokens;
        evaluated.push((second.prompt_tokens - second.reused_tokens, new));
        chats.push(chat);
    }
    let (most, new) = evaluated.iter().copied().max().unwrap_or_default();
    row(
        &format!("tokens evaluated in the second turn, of {prompt_tokens} in the first"),
        "the new ones",
        &format!("{most}, of which new {new}"),
    );
    row(
        "its time to the first token ÷ the first turn's",
        "≤ 0.2",
        &format!("{:.3} ({:.0} ms ÷ {:.0} ms)", middle(&seconds) / middle(&firsts), middle(&seconds), middle(&firsts)),
    );
    app.unload_models().await;
    drop(app);

    let app = open(folder).await?;
    ask(&app, begin(&app, settings(model, 4)).await?, "Hello.").await?;
    let (mut returned, mut fresh, mut reused) = (Vec::new(), Vec::new(), u32::MAX);
    for chat in chats {
        // The same words in a conversation that has no saved cache, after others have been in the worker.
        let json = app.export_conversation(chat, ConversationFormat::Json).await?;
        let copy = app.import_conversation(&json).await?.id;
        let back = ask(&app, chat, "Tell me more.").await?;
        reused = reused.min(back.figures()?.reused_tokens);
        returned.push(back.first_ms);
        ask(&app, begin(&app, settings(model, 4)).await?, "Hello.").await?;
        let again = ask(&app, copy, "Tell me more.").await?;
        if again.figures()?.reused_tokens > 64 {
            return Err("a fresh prefill found its tokens in the cache".into());
        }
        fresh.push(again.first_ms);
    }
    row(
        "first word after returning to such a chat after a restart ÷ with a fresh prefill",
        "≤ 0.3",
        &format!(
            "{:.3} ({:.0} ms ÷ {:.0} ms, at least {reused} tokens read back)",
            middle(&returned) / middle(&fresh),
            middle(&returned),
            middle(&fresh)
        ),
    );
    app.unload_models().await;
    Ok(())
}

/// From *Stop* to the end of the answer.
async fn stops(folder: &Path, model: &str, rounds: usize) -> Result<()> {
    let app = open(folder).await?;
    let mut waits = Vec::new();
    for n in 0..4 * rounds {
        let chat = begin(&app, settings(model, 1_000)).await?;
        let mut events = app.subscribe();
        let text = format!("Write a very long story about {n} ships at sea.");
        let request = SendRequest { conversation_id: chat, text, instead_of: None, by: AnswerBy::Policy };
        app.send(request).await?;
        let mut stopped_at = None;
        loop {
            match next(&mut events).await? {
                ChatUpdate::Words { message_id, tokens, .. } if tokens >= 8 && stopped_at.is_none() => {
                    stopped_at = Some(Instant::now());
                    app.stop_answer(message_id);
                }
                ChatUpdate::Ended { message } => {
                    let at = stopped_at.ok_or_else(|| format!("it ended by itself: {:?}", message.failure))?;
                    waits.push(at.elapsed().as_secs_f64() * 1e3);
                    break;
                }
                _ => {}
            }
        }
    }
    let most = waits.iter().copied().fold(0.0, f64::max);
    row(
        "*Stop* to the end of the answer",
        "≤ 200 ms",
        &format!("{:.0} ms, at most {most:.0} ms of {}", middle(&waits), waits.len()),
    );
    app.unload_models().await;
    Ok(())
}

/// Guessing on and off in turn, on an answer that repeats what was said.
async fn guesses(folder: &Path, model: &str, rounds: usize) -> Result<()> {
    let app = open(folder).await?;
    let names = ["Alder", "Birch", "Cedar", "Dogwood", "Elm", "Fir", "Gum", "Hazel"];
    let lines: Vec<String> =
        names.iter().map(|name| format!("tree = {name}, leaves = green, height = tall;")).collect();
    let text = format!("Copy this list exactly as it is, twice:\n{}", lines.join("\n"));
    let mut rates = [Vec::new(), Vec::new()];
    let mut texts = [String::new(), String::new()];
    let mut share = 0.0;
    for _ in 0..rounds {
        for (on, (rates, said)) in rates.iter_mut().zip(&mut texts).enumerate() {
            app.set_chat_options(&ChatOptions { speculative: on == 1, ..ChatOptions::default() }).await?;
            // With other settings it is loaded anew; the question is not in the cache, nor is the load in the rate.
            let heard = ask(&app, begin(&app, settings(model, 160)).await?, &text).await?;
            let figures = heard.figures()?;
            rates.push(figures.decode_tps.unwrap_or(f64::NAN));
            *said = heard.answer.content;
            if let Some(guessed) = figures.speculation {
                share = f64::from(guessed.accepted_tokens) / f64::from(figures.generated_tokens);
            }
        }
    }
    let [off, on] = rates.map(|rates| middle(&rates));
    row(
        "decode with guessed tokens ÷ without, on an answer that repeats its question",
        "–",
        &format!(
            "{:.2} ({on:.0} ÷ {off:.0} tok/s); {:.0} % of the tokens were guessed, the text is {}",
            on / off,
            share * 100.0,
            if texts[0] == texts[1] { "the same" } else { "another" }
        ),
    );
    app.unload_models().await;
    Ok(())
}

/// Words by a generator that gives the same ones every time; common ones are common.
struct Words(u64);

impl Words {
    fn number(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }

    fn word(&mut self) -> String {
        let most = 20_000 / (1 + self.number(200));
        let mut n = self.number(most.max(1));
        let mut word = String::new();
        loop {
            word.push_str(["ka", "lo", "mi", "ne", "ru", "sa", "to", "ve", "wi", "zu"][(n % 10) as usize]);
            n /= 10;
            if n == 0 {
                return word;
            }
        }
    }

    fn text(&mut self, words: u64) -> String {
        (0..words).map(|_| self.word()).collect::<Vec<_>>().join(" ")
    }
}

fn chat_of(n: usize, words: &mut Words, at: DateTime<Utc>) -> (Conversation, Vec<ChatMessage>) {
    let id = ConversationId(uuid::Uuid::now_v7());
    let at = at - TimeDelta::minutes(i64::try_from(n).unwrap_or_default());
    let mut messages: Vec<ChatMessage> = Vec::new();
    for place in 0..MESSAGES {
        messages.push(ChatMessage {
            id: MessageId(uuid::Uuid::now_v7()),
            conversation_id: id,
            parent: messages.last().map(|message| message.id),
            role: if place % 2 == 0 { Role::User } else { Role::Assistant },
            content: words.text(if place % 2 == 0 { 12 } else { 60 }),
            pinned: false,
            created_at: at,
            state: MessageState::Complete,
            answer: None,
            failure: None,
        });
    }
    let head = messages.last().map(|message| message.id);
    let settings = ChatSettings::default();
    let title = words.text(4);
    (Conversation { id, title, pinned: false, created_at: at, updated_at: at, settings, head }, messages)
}

/// The list, pages of it, and searches for words from common to rare.
async fn many(folder: &Path, conversations: usize) -> Result<()> {
    let store = Store::open(folder, Access::Own).await?;
    let (mut words, at) = (Words(7), Utc::now());
    for n in 0..conversations {
        let (conversation, messages) = chat_of(n, &mut words, at);
        store.import_conversation(&conversation, &messages).await?;
    }
    store.close().await;
    let app = open(folder).await?;
    let (mut lists, mut searches, mut found) = (Vec::new(), Vec::new(), 0);
    for n in 0..200_u32 {
        let began = Instant::now();
        let page = app.conversations("", 50, n % 10 * 50).await?;
        lists.push(began.elapsed().as_secs_f64() * 1e3);
        assert!(!page.is_empty() || conversations < 500, "the list has pages");
        let text = match n % 4 {
            0 => words.word(),
            1 => words.text(2),
            2 => words.word().chars().take(2).collect(),
            _ => words.text(3),
        };
        let began = Instant::now();
        found += app.conversations(&text, 50, 0).await?.len();
        searches.push(began.elapsed().as_secs_f64() * 1e3);
    }
    for (what, times) in [("a page of the list", lists), ("a search", searches)] {
        let p95 = quantile(&times, 0.95).unwrap_or(f64::NAN);
        let what = format!("{what}, of {conversations} conversations with {} messages, p95", conversations * MESSAGES);
        row(&what, "≤ 50 ms", &format!("{p95:.1} ms, median {:.1} ms", middle(&times)));
    }
    eprintln!("the searches found {found} conversations");
    app.unload_models().await;
    Ok(())
}

async fn figures(arguments: &[String]) -> Result<()> {
    let [model, rounds, rest @ ..] = arguments else { return Err("MODEL ROUNDS [CONVERSATIONS]".into()) };
    let model = std::path::absolute(model)?.display().to_string();
    let rounds = rounds.parse::<usize>()?.max(1);
    let conversations = rest.first().map_or(Ok(10_000), |n| n.parse::<usize>())?;
    let (chats, list) = (tempfile::tempdir()?, tempfile::tempdir()?);
    println!("| chat | wanted | measured |\n|---|---:|---:|");
    long_chats(chats.path(), &model, rounds).await?;
    stops(chats.path(), &model, rounds).await?;
    guesses(chats.path(), &model, rounds).await?;
    many(list.path(), conversations).await
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments == ["worker"] {
        pocketbench_app_core::run_worker(env!("CARGO_PKG_VERSION"), None);
        return Ok(());
    }
    tokio::runtime::Runtime::new()?.block_on(figures(&arguments))
}
