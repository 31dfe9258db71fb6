//! `pocketbench chat` and `chats`: talk to a model, and look after what was said.

use crate::args::{Chat, Chats};
use crate::commands::config;
use crate::models::{here, looking, unknown};
use crate::{exit, output};
use pocketbench_app_core::api::{
    AnswerBy, AppEvent, ChatUpdate, ConsentQuestion, ConversationFormat, ConversationSummary, SendRequest, SentTurn,
    Spending,
};
use pocketbench_app_core::domain::conversation::{
    ChatMessage, ChatSettings, Conversation, ConversationId, MessageId, MessageState,
};
use pocketbench_app_core::domain::generate::Role;
use pocketbench_app_core::domain::provider::{Cost, Money};
use pocketbench_app_core::domain::route::{Mode, Reason};
use pocketbench_app_core::domain::{ErrorCode, ErrorReport};
use pocketbench_app_core::{App, Events, Result};
use std::io::{IsTerminal, Read};
use std::path::Path;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc::{Receiver, channel};

/// Most conversations in a list.
const LISTED: u32 = 50;
/// Most conversations among which one is looked for by its first characters.
const SEARCHED: u32 = 100_000;
/// How long an offer of the cloud is waited for after an answer failed; it comes with the failure or not at all.
const OFFER_WAIT: Duration = Duration::from_millis(500);

pub(crate) async fn run(args: Chat) -> Result<u8> {
    let said = match &args.message {
        Some(message) => Some(message.clone()),
        None if std::io::stdin().is_terminal() => None,
        None => Some(standard_input()?),
    };
    let app = App::open(config()?).await?;
    let route = &args.route;
    app.override_route_mode(match (route.local, route.auto, route.ask || route.cloud) {
        (true, ..) => Some(Mode::AlwaysLocal),
        (_, true, _) => Some(Mode::Auto),
        (.., true) => Some(Mode::AlwaysAsk),
        _ => None,
    });
    let by = if route.cloud { AnswerBy::Cloud } else { AnswerBy::Policy };
    let conversation = conversation(&app, &args).await?;
    let mut talk = Talk { app, by, json: args.json, conversation };
    let ended = match said {
        Some(text) => talk.once(text).await,
        None => talk.go_on().await,
    };
    talk.forget_if_empty().await?;
    ended
}

fn standard_input() -> Result<String> {
    let mut bytes = Vec::new();
    std::io::stdin()
        .read_to_end(&mut bytes)
        .map_err(|error| ErrorReport::new(ErrorCode::InvalidInput, format!("the question cannot be read: {error}")))?;
    Ok(String::from_utf8_lossy(&bytes).trim_end_matches(['\r', '\n']).to_owned())
}

/// The conversation that is meant, or a new one, with what the arguments change.
async fn conversation(app: &App, args: &Chat) -> Result<Conversation> {
    let known = match &args.conversation {
        Some(id) => Some(find(app, id).await?),
        None => None,
    };
    let mut settings = known.as_ref().map(|known| known.settings.clone()).unwrap_or_default();
    if let Some(model) = &args.model {
        settings.model = Some(path_of(app, model).await?);
    } else if known.is_none() {
        let latest = app.conversations("", 1, 0).await?;
        settings.model = latest.into_iter().find_map(|latest| latest.conversation.settings.model);
    }
    let ChatSettings { system_prompt, sampling, max_tokens, n_ctx, .. } = &mut settings;
    *system_prompt = args.system.clone().unwrap_or_else(|| system_prompt.clone());
    sampling.temperature = args.temperature.unwrap_or(sampling.temperature);
    *max_tokens = args.max_tokens.unwrap_or(*max_tokens);
    *n_ctx = args.context.or(*n_ctx);
    match known {
        Some(known) if known.settings == settings => Ok(known),
        Some(known) => {
            let change =
                pocketbench_app_core::api::ConversationChange { settings: Some(settings), ..Default::default() };
            app.change_conversation(known.id, change).await
        }
        None => app.begin_conversation(settings).await,
    }
}

async fn path_of(app: &App, model: &str) -> Result<String> {
    if Path::new(model).is_file() {
        let path =
            std::path::absolute(model).map_err(|error| ErrorReport::new(ErrorCode::Internal, error.to_string()))?;
        return Ok(path.display().to_string());
    }
    Ok(here(app, model).await?.ok_or_else(|| unknown(model))?.path)
}

async fn find(app: &App, id: &str) -> Result<Conversation> {
    let all = app.conversations("", SEARCHED, 0).await?;
    let mut hits = all.into_iter().filter(|hit| hit.conversation.id.to_string().starts_with(id));
    match (hits.next(), hits.next()) {
        (Some(hit), None) => Ok(hit.conversation),
        (None, _) => Err(ErrorReport::new(ErrorCode::NotFound, format!("there is no conversation `{id}`"))
            .hint("`pocketbench chats list` lists them.")),
        (Some(_), Some(_)) => {
            Err(ErrorReport::new(ErrorCode::InvalidInput, format!("several conversations begin with `{id}`"))
                .hint("Give more of its characters."))
        }
    }
}

/// A conversation in work.
struct Talk {
    app: App,
    by: AnswerBy,
    json: bool,
    conversation: Conversation,
}

/// What becomes of one question.
enum Outcome {
    Answered(Box<ChatMessage>),
    /// Ctrl-C was pressed once more, or nothing more comes.
    Left,
}

impl Talk {
    fn request(&self, text: String) -> SendRequest {
        SendRequest { conversation_id: self.conversation.id, text, instead_of: None, by: self.by }
    }

    /// A conversation in which nothing was said is none.
    async fn forget_if_empty(&self) -> Result<()> {
        if self.app.conversation(self.conversation.id).await?.messages.is_empty() {
            self.app.delete_conversation(self.conversation.id).await?;
        }
        Ok(())
    }

    /// One question, and its answer on standard output.
    async fn once(&self, text: String) -> Result<u8> {
        let events = self.app.subscribe();
        let mut turn = self.app.send(self.request(text)).await?;
        if let Some(consent) = turn.consent.take() {
            // Nobody can be asked here, and silence is no consent.
            let line = format!("{} was not asked, since nobody can agree here (--cloud does).", consent.provider);
            output::note(&output::printable(&line));
            turn = self.app.answer_question(self.conversation.id, consent.question, AnswerBy::Local).await?;
        }
        let Outcome::Answered(message) = self.listen(events, turn).await? else { return Ok(exit::STOPPED) };
        if self.json {
            output::json(&message);
        } else {
            output::text("\n");
            output::note(&figures(&message));
        }
        let stopped = message.state == MessageState::Stopped;
        match message.failure {
            Some(failure) => Err(failure),
            None => Ok(if stopped { exit::STOPPED } else { 0 }),
        }
    }

    /// Question after question, until there are no more.
    async fn go_on(&mut self) -> Result<u8> {
        let mut lines = lines();
        let name = self.conversation.settings.model.as_deref().map(Path::new).and_then(Path::file_name);
        let name = name.map_or_else(|| "no local model".into(), |name| name.to_string_lossy().into_owned());
        output::note(&output::printable(&format!("{name}. /new, /list, /regenerate, /quit; Ctrl-C stops an answer.")));
        let mut last = self.last_answer().await?;
        loop {
            output::text("\n> ");
            let Some(line) = next(&mut lines).await else { return Ok(0) };
            let events = self.app.subscribe();
            let turn = match line.trim() {
                "" => continue,
                "/quit" | "/exit" => return Ok(0),
                "/new" => {
                    self.forget_if_empty().await?;
                    self.conversation = self.app.begin_conversation(self.conversation.settings.clone()).await?;
                    last = None;
                    continue;
                }
                "/list" => {
                    list(&self.app.conversations("", LISTED, 0).await?);
                    continue;
                }
                "/regenerate" => match last {
                    Some(last) => self.app.regenerate(self.conversation.id, last, None).await,
                    None => Err(ErrorReport::new(ErrorCode::InvalidInput, "there is no answer yet")),
                },
                command if command.starts_with('/') && !command[1..].contains([' ', '/']) => {
                    output::note("Known are /new, /list, /regenerate and /quit.");
                    continue;
                }
                _ => self.app.send(self.request(line.clone())).await,
            };
            match self.turn(events, turn, &mut lines).await {
                Ok(Outcome::Answered(message)) => last = Some(message.id),
                Ok(Outcome::Left) => return Ok(exit::STOPPED),
                Err(error) => output::error(&error),
            }
        }
    }

    async fn last_answer(&self) -> Result<Option<MessageId>> {
        let view = self.app.conversation(self.conversation.id).await?;
        let is_last =
            |message: &&ChatMessage| Some(message.id) == view.conversation.head && message.role == Role::Assistant;
        Ok(view.messages.iter().find(is_last).map(|message| message.id))
    }

    /// A turn with everything that the person is asked in it.
    async fn turn(&self, events: Events, turn: Result<SentTurn>, lines: &mut Receiver<String>) -> Result<Outcome> {
        let (mut events, mut turn) = (events, turn?);
        if let Some(consent) = turn.consent.take() {
            let by = if agreed(&consent, lines).await { AnswerBy::Cloud } else { AnswerBy::Local };
            turn = self.app.answer_question(self.conversation.id, consent.question, by).await?;
        }
        loop {
            let mut offers = self.app.subscribe();
            let Outcome::Answered(message) = self.listen(events, turn).await? else { return Ok(Outcome::Left) };
            output::text("\n");
            output::note(&figures(&message));
            let Some(failure) = &message.failure else { return Ok(Outcome::Answered(message)) };
            output::error(failure);
            let offer = tokio::time::timeout(OFFER_WAIT, self.offer(&mut offers)).await.ok().flatten();
            let Some(offer) = offer else { return Ok(Outcome::Answered(message)) };
            if !agreed(&offer, lines).await {
                return Ok(Outcome::Answered(message));
            }
            events = self.app.subscribe();
            turn = self.app.answer_question(self.conversation.id, offer.question, AnswerBy::Cloud).await?;
        }
    }

    /// The offer of the cloud that follows a failure.
    async fn offer(&self, events: &mut Events) -> Option<Box<ConsentQuestion>> {
        loop {
            let AppEvent::Chat { update } = heard(events).await? else { continue };
            if let ChatUpdate::Consent { conversation_id, consent } = *update
                && conversation_id == self.conversation.id
            {
                return Some(consent);
            }
        }
    }

    /// Prints an answer while it comes. Ctrl-C stops it; once more ends the program.
    async fn listen(&self, mut events: Events, turn: SentTurn) -> Result<Outcome> {
        let answer = turn.answer.ok_or_else(|| ErrorReport::new(ErrorCode::Internal, "there is no answer"))?;
        let (mut told, mut stopping) = (String::new(), false);
        loop {
            let event = tokio::select! {
                event = heard(&mut events) => event,
                pressed = tokio::signal::ctrl_c() => {
                    if pressed.is_err() || stopping {
                        return Ok(Outcome::Left);
                    }
                    stopping = true;
                    self.app.stop_answer(answer.id);
                    continue;
                }
            };
            let Some(AppEvent::Chat { update }) = event else {
                if event.is_none() {
                    return Ok(Outcome::Left);
                }
                continue;
            };
            match *update {
                // What was missed comes with the end.
                ChatUpdate::Words { message_id, from, text, .. }
                    if message_id == answer.id && from as usize == told.encode_utf16().count() =>
                {
                    self.print(&text);
                    told.push_str(&text);
                }
                ChatUpdate::Ended { message } if message.id == answer.id => {
                    self.print(message.content.strip_prefix(&told).unwrap_or_default());
                    return Ok(Outcome::Answered(message));
                }
                _ => {}
            }
        }
    }

    /// The answer as it is for a pipe; a model's words do not steer a terminal.
    fn print(&self, text: &str) {
        if self.json {
            return;
        }
        if std::io::stdout().is_terminal() {
            let clean = |c: char| if c.is_control() && !matches!(c, '\n' | '\t') { '\u{FFFD}' } else { c };
            output::text(&text.chars().map(clean).collect::<String>());
        } else {
            output::text(text);
        }
    }
}

/// The next event; `None` when the program ends. One that was missed is in what comes later.
async fn heard(events: &mut Events) -> Option<AppEvent> {
    loop {
        match events.recv().await {
            Ok(event) => return Some(event),
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return None,
        }
    }
}

/// Lines of the terminal, read by a thread of its own: it may wait there when the program ends.
fn lines() -> Receiver<String> {
    let (send, receive) = channel(1);
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(std::result::Result::ok) {
            if send.blocking_send(line).is_err() {
                break;
            }
        }
    });
    receive
}

/// The next line; `None` at the end of the input and after Ctrl-C.
async fn next(lines: &mut Receiver<String>) -> Option<String> {
    tokio::select! {
        line = lines.recv() => line,
        _ = tokio::signal::ctrl_c() => None,
    }
}

async fn agreed(consent: &ConsentQuestion, lines: &mut Receiver<String>) -> bool {
    let reasons: Vec<String> = consent.decision.reasons.iter().map(Reason::sentence).collect();
    let ConsentQuestion { provider, host, model, at_most, .. } = consent;
    let question = format!(
        "{}\nMay this conversation go to {model} at {provider} ({host})? At most: {}. [y/N]",
        reasons.join(" "),
        cost(at_most)
    );
    output::note(&output::printable(&question));
    next(lines).await.is_some_and(|answer| answer.trim().eq_ignore_ascii_case("y"))
}

/// What an amount is.
fn money(money: &Money) -> String {
    let amount = format!("{:.9}", money.nanos as f64 / 1e9);
    let amount = amount.trim_end_matches('0');
    format!("{} {}", money.currency, amount.strip_suffix('.').unwrap_or(amount))
}

fn cost(cost: &Cost) -> String {
    match cost {
        Cost::Free => "free".into(),
        Cost::Amount(amount) => money(amount),
        Cost::Unknown => "cost not known".into(),
    }
}

/// The line under an answer: who, why, how fast, for how much.
fn figures(message: &ChatMessage) -> String {
    let Some(answer) = &message.answer else { return String::new() };
    let mut parts = Vec::new();
    if let Some(cloud) = &answer.cloud {
        parts.push(format!("{} at {}", cloud.model, cloud.title));
        if let Some(usage) = &cloud.usage {
            parts.push(format!("{} + {} tokens", usage.prompt, usage.completion));
        }
        parts.extend(cloud.first_piece_ms.map(|ms| format!("first word after {ms:.0} ms")));
        parts.extend(cloud.took_ms.map(|ms| format!("{:.1} s", ms / 1e3)));
        parts.push(cost(&cloud.cost));
    } else {
        parts.push(format!("{} on this device", answer.model));
        if let Some(figures) = &answer.figures {
            let (prompt, reused) = (figures.prompt_tokens, figures.reused_tokens);
            parts.push(format!(
                "{prompt} tokens of prompt, {reused} of them reused, {} generated",
                figures.generated_tokens
            ));
            parts.extend(figures.ttft_ms.map(|ms| format!("first token after {ms:.0} ms")));
            parts.extend(figures.decode_tps.map(|rate| format!("{rate:.1} tok/s")));
        }
        if answer.dropped_turns > 0 {
            parts.push(format!("{} turns left out", answer.dropped_turns));
        }
    }
    let reasons = answer.decision.iter().flat_map(|decision| &decision.reasons);
    let reasons: Vec<String> = reasons.map(Reason::sentence).collect();
    output::printable(&format!("[{}] {}", parts.join(" · "), reasons.join(" "))).trim_end().to_owned()
}

pub(crate) async fn conversations(command: Chats) -> Result<u8> {
    match command {
        Chats::List { text, json } => {
            let found = looking().await?.conversations(&text.join(" "), LISTED, 0).await?;
            if json {
                output::json(&found);
            } else {
                list(&found);
            }
        }
        Chats::Show { id } => export(&id, ConversationFormat::Markdown).await?,
        Chats::Export { id } => export(&id, ConversationFormat::Json).await?,
        Chats::Import { path } => {
            let conversation = App::open(config()?).await?.import_conversation_from(&path).await?;
            list(&[ConversationSummary { conversation, excerpt: None }]);
        }
        Chats::Rm { id } => {
            let app = App::open(config()?).await?;
            let conversation = find(&app, &id).await?;
            app.delete_conversation(conversation.id).await?;
            output::note(&format!("For a day: pocketbench chats restore {}", conversation.id));
        }
        Chats::Restore { id } => {
            let id: ConversationId = serde_json::from_value(id.into())
                .map_err(|_| ErrorReport::new(ErrorCode::InvalidInput, "that is no whole id of a conversation"))?;
            let conversation = App::open(config()?).await?.restore_conversation(id).await?;
            list(&[ConversationSummary { conversation, excerpt: None }]);
        }
        Chats::Spending { json } => {
            let spending = looking().await?.spending().await?;
            if json {
                output::json(&spending);
            } else {
                output::text(&spent(&spending));
            }
        }
    }
    Ok(0)
}

async fn export(id: &str, format: ConversationFormat) -> Result<()> {
    let app = looking().await?;
    let text = app.export_conversation(find(&app, id).await?.id, format).await?;
    if std::io::stdout().is_terminal() {
        output::text(&output::printable(&text));
    } else {
        output::text(&text);
    }
    Ok(())
}

fn list(conversations: &[ConversationSummary]) {
    let mut table = output::table();
    table.set_header(output::head(&["Conversation", "Last", "Title", "Found"]));
    for ConversationSummary { conversation, excerpt } in conversations {
        // The first characters of a UUIDv7 are its time; so many tell those of one moment apart.
        let id: String = conversation.id.to_string().chars().take(18).collect();
        let pinned = if conversation.pinned { "★ " } else { "" };
        table.add_row([
            output::plain(&id),
            output::plain(&conversation.updated_at.format("%Y-%m-%d %H:%M").to_string()),
            output::plain(&format!("{pinned}{}", conversation.title)),
            output::plain(excerpt.as_deref().unwrap_or_default()),
        ]);
    }
    output::text(&format!("{table}\n"));
}

fn spent(spending: &Spending) -> String {
    let month = &spending.month;
    let sums: Vec<String> = month.spent.iter().map(money).collect();
    let sums = if sums.is_empty() { "nothing".to_owned() } else { sums.join(", ") };
    let unknown = match month.unknown {
        0 => String::new(),
        n => format!("; {n} answers of unknown cost are not in it"),
    };
    let budget = spending.budget.as_ref().map_or_else(String::new, |budget| {
        let stop = if budget.hard_stop { ", then nothing more is asked" } else { "" };
        format!("\nBudget: {} a month{stop}", money(&budget.limit))
    });
    format!("{}-{:02}: {sums}{unknown}{budget}\n", month.month.year, month.month.month)
}
