//! Conversations with models on this device: asking, answering, branching, and the way out and in as files.

use crate::api::{
    AnswerBy, AppEvent, ChatUpdate, ConsentQuestion, ContextMeter, ConversationChange, ConversationFormat,
    ConversationSummary, ConversationView, SendRequest, SentTurn,
};
use crate::chat_route::{Plan, Tried, Who, consent_question};
use crate::residents::Resident;
use crate::{App, Result, new_id, now};
use chrono::TimeDelta;
use pocketbench_domain::conversation::{
    Answer, AnswerFigures, ChatMessage, ChatSettings, Conversation, ConversationId, MessageId, MessageState, Told,
    droppable, newest_below, path, title_of, told,
};
use pocketbench_domain::generate::{GenerateRequest, Limits, Prompt, Role, StopReason};
use pocketbench_domain::model::ModelRef;
use pocketbench_domain::provider::Cost;
use pocketbench_domain::route::{Consent, Decision};
use pocketbench_domain::{ErrorCode, ErrorReport};
use pocketbench_store::KvState;
use pocketbench_worker::Worker;
use pocketbench_worker::protocol::Event;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio_util::sync::CancellationToken;

/// Longest message in bytes.
const MOST_BYTES: usize = 1 << 20;
/// Largest file that is imported, in bytes, and most messages of it.
const MOST_IMPORT_BYTES: usize = 64 << 20;
const MOST_IMPORT_MESSAGES: usize = 100_000;
/// Least time between two updates of an answer: more often nobody can read.
const UPDATE_PERIOD: Duration = Duration::from_millis(33);
/// How much of an answer a kill can take.
const STORE_PERIOD: Duration = Duration::from_millis(500);
/// Fewer tokens are evaluated again sooner than they are read from a file.
const LEAST_SAVED_TOKENS: u32 = 256;
/// Most bytes of all saved caches together.
const SAVED_BUDGET: u64 = 2_000_000_000;
/// How long a deleted conversation can be brought back.
const DELETED_KEPT: TimeDelta = TimeDelta::days(1);
/// Name and version of an exported conversation.
const SCHEMA: &str = "pocketbench.conversation/1";

/// An answer that is being written.
#[derive(Debug)]
pub(crate) struct InWork {
    conversation: ConversationId,
    stop: CancellationToken,
    /// The most that it can cost.
    pub(crate) at_most: Cost,
}

/// Answers that are being written, with the means to stop them.
#[derive(Debug, Default)]
pub(crate) struct Answers(Mutex<HashMap<MessageId, InWork>>);

impl Answers {
    pub(crate) fn map(&self) -> std::sync::MutexGuard<'_, HashMap<MessageId, InWork>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What an answer came to.
pub(crate) struct Written {
    /// Its text; absent where it is what was told on the way.
    pub(crate) text: Option<String>,
    /// How fast, where that was measured.
    pub(crate) figures: Option<AnswerFigures>,
    /// Somebody stopped it.
    pub(crate) stopped: bool,
}

/// An exported conversation.
#[derive(Serialize, Deserialize)]
struct Document {
    schema: String,
    conversation: Conversation,
    messages: Vec<ChatMessage>,
}

impl App {
    /// What the end of the program left: answers cut in half, conversations deleted long ago, caches without an owner.
    pub(crate) async fn tidy_conversations(&self) -> Result<()> {
        self.store().cut_messages().await?;
        self.store().purge_conversations(now() - DELETED_KEPT).await?;
        let owners: Vec<PathBuf> =
            self.store().kv_state_owners().await?.into_iter().map(|id| self.state_file(id)).collect();
        for entry in std::fs::read_dir(self.states_folder()).into_iter().flatten().flatten() {
            if !owners.contains(&entry.path()) {
                std::fs::remove_file(entry.path()).ok();
            }
        }
        Ok(())
    }

    /// Conversations, pinned first, then the latest; with `search`, those that have its words.
    pub async fn conversations(&self, search: &str, limit: u32, offset: u32) -> Result<Vec<ConversationSummary>> {
        if search.trim().is_empty() {
            let all = self.store().conversations(limit, offset).await?;
            return Ok(all
                .into_iter()
                .map(|conversation| ConversationSummary { conversation, excerpt: None })
                .collect());
        }
        let hits = self.store().search_conversations(search, limit).await?;
        let summary = |hit: pocketbench_store::ConversationHit| ConversationSummary {
            conversation: hit.conversation,
            excerpt: hit.excerpt,
        };
        Ok(hits.into_iter().map(summary).collect())
    }

    /// A conversation with everything that was said in it.
    pub async fn conversation(&self, id: ConversationId) -> Result<ConversationView> {
        let conversation = self.store().conversation(id).await?;
        let mut messages = self.store().messages(id).await?;
        self.hide_names(id, &mut messages).await;
        let path = path(&messages, conversation.head).iter().map(|message| message.id).collect();
        Ok(ConversationView { conversation, messages, path })
    }

    /// Begins a conversation.
    pub async fn begin_conversation(&self, settings: ChatSettings) -> Result<Conversation> {
        let (id, now) = (ConversationId(new_id()), now());
        let title = String::new();
        let conversation =
            Conversation { id, title, pinned: false, created_at: now, updated_at: now, settings, head: None };
        self.store().insert_conversation(&conversation).await?;
        Ok(conversation)
    }

    /// Changes title, pin or settings.
    pub async fn change_conversation(&self, id: ConversationId, change: ConversationChange) -> Result<Conversation> {
        let mut conversation = self.store().conversation(id).await?;
        let ConversationChange { title, pinned, settings } = change;
        if let Some(title) = title {
            conversation.title = title_of(&title);
        }
        conversation.pinned = pinned.unwrap_or(conversation.pinned);
        conversation.settings = settings.unwrap_or(conversation.settings);
        self.store().update_conversation(&conversation).await?;
        Ok(conversation)
    }

    /// Deletes a conversation; for a day it can be brought back.
    pub async fn delete_conversation(&self, id: ConversationId) -> Result<()> {
        let answering: Vec<MessageId> =
            self.0.answers.map().iter().filter(|(_, of)| of.conversation == id).map(|(message, _)| *message).collect();
        for message in answering {
            self.stop_answer(message);
        }
        Ok(self.store().set_conversation_deleted(id, Some(now())).await?)
    }

    /// Brings a deleted conversation back.
    pub async fn restore_conversation(&self, id: ConversationId) -> Result<Conversation> {
        self.store().set_conversation_deleted(id, None).await?;
        Ok(self.store().conversation(id).await?)
    }

    /// Keeps a message in the context whatever is dropped, or lets it go.
    pub async fn pin_message(&self, id: MessageId, pinned: bool) -> Result<()> {
        Ok(self.store().pin_message(id, pinned).await?)
    }

    /// Shows another branch: the newest path through this message.
    pub async fn show_branch(&self, id: ConversationId, message: MessageId) -> Result<ConversationView> {
        let mut view = self.conversation(id).await?;
        if !view.messages.iter().any(|other| other.id == message) {
            return Err(ErrorReport::new(ErrorCode::NotFound, "that message is not in this conversation"));
        }
        let head = newest_below(&view.messages, message);
        self.store().set_head(id, head).await?;
        view.conversation.head = Some(head);
        view.path = path(&view.messages, view.conversation.head).iter().map(|message| message.id).collect();
        Ok(view)
    }

    /// Says something and begins the answer; it goes on in the background, and events tell how. Where the words may leave the
    /// device only with consent, there is a question in place of the answer; it waits for [`App::answer_question`].
    pub async fn send(&self, request: SendRequest) -> Result<SentTurn> {
        let SendRequest { conversation_id, text, instead_of, by } = request;
        refuse_text(&text)?;
        let mut conversation = self.store().conversation(conversation_id).await?;
        self.refuse_while_answering(conversation_id)?;
        let messages = self.store().messages(conversation_id).await?;
        let parent = match instead_of {
            None => conversation.head,
            Some(old) => {
                let old = messages.iter().find(|message| message.id == old);
                old.ok_or_else(|| ErrorReport::new(ErrorCode::NotFound, "the message to change is gone"))?.parent
            }
        };
        let question = question_of(conversation_id, parent, text);
        let mut path = path(&messages, parent);
        path.push(&question);
        let plan = self.plan(&conversation, &messages, &path, by, Tried::default()).await?;
        if conversation.title.is_empty() {
            conversation.title = title_of(&question.content);
            self.store().update_conversation(&conversation).await?;
        }
        self.store().insert_message(&question).await?;
        let turn = self.begin_turn(conversation, &question, plan).await?;
        Ok(SentTurn { question: Some(question), ..turn })
    }

    /// Answers a question that has no answer yet, or only one by somebody else.
    pub async fn answer_question(
        &self,
        conversation_id: ConversationId,
        question: MessageId,
        by: AnswerBy,
    ) -> Result<SentTurn> {
        let conversation = self.store().conversation(conversation_id).await?;
        self.answer_again(conversation, question, by).await
    }

    async fn answer_again(&self, conversation: Conversation, question: MessageId, by: AnswerBy) -> Result<SentTurn> {
        self.refuse_while_answering(conversation.id)?;
        let messages = self.store().messages(conversation.id).await?;
        let path = path(&messages, Some(question));
        let question = path.last().filter(|message| message.role == Role::User);
        let question = question.ok_or_else(|| ErrorReport::new(ErrorCode::NotFound, "there is no such question"))?;
        let plan = self.plan(&conversation, &messages, &path, by, Tried::default()).await?;
        self.begin_turn(conversation, question, plan).await
    }

    /// Answers once more, beside the answer that there is; with another local model if one is named.
    pub async fn regenerate(
        &self,
        conversation_id: ConversationId,
        of: MessageId,
        model: Option<String>,
    ) -> Result<SentTurn> {
        let mut conversation = self.store().conversation(conversation_id).await?;
        let messages = self.store().messages(conversation_id).await?;
        let old = messages.iter().find(|message| message.id == of && message.role == Role::Assistant);
        let question = old.and_then(|old| old.parent);
        let question = question.ok_or_else(|| ErrorReport::new(ErrorCode::NotFound, "there is no such answer"))?;
        let by = if model.is_some() { AnswerBy::Local } else { AnswerBy::Policy };
        if model.is_some() {
            self.refuse_while_answering(conversation_id)?;
            conversation.settings.model = model;
            self.store().update_conversation(&conversation).await?;
        }
        self.answer_again(conversation, question, by).await
    }

    /// Stops an answer; what it has stays.
    pub fn stop_answer(&self, id: MessageId) {
        if let Some(in_work) = self.0.answers.map().get(&id) {
            in_work.stop.cancel();
        }
    }

    /// How full the context is with what was said and a draft. `None` while the model is not loaded: it is not loaded only
    /// to count.
    pub async fn context_meter(&self, id: ConversationId, draft: &str) -> Result<Option<ContextMeter>> {
        let conversation = self.store().conversation(id).await?;
        let model = self.chat_model(&conversation.settings).await?;
        let messages = self.store().messages(id).await?;
        let Some(mut seat) = self.0.residents.of_model(&model.sha256) else { return Ok(None) };
        let resident = &mut seat.resident;
        let mut settings = conversation.settings.clone();
        resident.limit(&mut settings);
        let mut path: Vec<ChatMessage> = path(&messages, conversation.head).into_iter().cloned().collect();
        path.push(question_of(id, conversation.head, draft.to_owned()));
        let path: Vec<&ChatMessage> = path.iter().collect();
        let stop = CancellationToken::new();
        let counted = fit_context(resident, &path, &settings, &stop).await;
        let n_ctx = resident.settings.n_ctx;
        self.0.residents.leave(seat);
        let (told, tokens) = counted?;
        let next = pocketbench_domain::conversation::told(&path, "", told_turns(&told, &path) + 1).dropped;
        let reserved = reserve(&settings, n_ctx);
        Ok(Some(ContextMeter { tokens, n_ctx, reserved, dropped: told.dropped, next }))
    }

    /// A conversation as a file: everything as JSON, the path in view as Markdown.
    pub async fn export_conversation(&self, id: ConversationId, format: ConversationFormat) -> Result<String> {
        let conversation = self.store().conversation(id).await?;
        let messages = self.store().messages(id).await?;
        match format {
            ConversationFormat::Json => {
                let document = Document { schema: SCHEMA.into(), conversation, messages };
                serde_json::to_string_pretty(&document)
                    .map(|text| text + "\n")
                    .map_err(|error| ErrorReport::new(ErrorCode::Internal, error.to_string()))
            }
            ConversationFormat::Markdown => Ok(markdown(&conversation, &path(&messages, conversation.head))),
        }
    }

    /// Writes [`App::export_conversation`] to a file.
    pub async fn export_conversation_to(
        &self,
        id: ConversationId,
        format: ConversationFormat,
        path: &Path,
    ) -> Result<()> {
        let text = self.export_conversation(id, format).await?;
        let path = path.to_path_buf();
        crate::blocking(move || crate::report::write_whole(&path, &text)).await?
    }

    /// Reads a file that [`App::import_conversation`] takes in.
    pub async fn import_conversation_from(&self, path: &Path) -> Result<Conversation> {
        let path = path.to_path_buf();
        let read = move || {
            let refuse =
                |why: String| ErrorReport::new(ErrorCode::InvalidInput, format!("the file cannot be read: {why}"));
            let bytes = std::fs::metadata(&path).map_err(|error| refuse(error.to_string()))?.len();
            if bytes > MOST_IMPORT_BYTES as u64 {
                return Err(refuse("it is larger than 64 MB".into()));
            }
            std::fs::read_to_string(&path).map_err(|error| refuse(error.to_string()))
        };
        let text = crate::blocking(read).await??;
        self.import_conversation(&text).await
    }

    /// Takes in a conversation that was exported as JSON, as a new one.
    pub async fn import_conversation(&self, text: &str) -> Result<Conversation> {
        let refuse = |why: String| {
            ErrorReport::new(ErrorCode::InvalidInput, format!("this is no exported conversation: {why}"))
                .hint("Export it again, as JSON.")
        };
        if text.len() > MOST_IMPORT_BYTES {
            return Err(refuse("it is larger than 64 MB".into()));
        }
        let document: Document = serde_json::from_str(text).map_err(|error| refuse(error.to_string()))?;
        if document.schema != SCHEMA {
            return Err(refuse(format!("its format is {}, not {SCHEMA}", document.schema)));
        }
        if document.messages.len() > MOST_IMPORT_MESSAGES {
            return Err(refuse(format!("it has more than {MOST_IMPORT_MESSAGES} messages")));
        }
        let Document { mut conversation, mut messages, .. } = document;
        conversation.id = ConversationId(new_id());
        conversation.title = title_of(&conversation.title);
        let ids: HashMap<MessageId, MessageId> =
            messages.iter().map(|message| (message.id, MessageId(new_id()))).collect();
        if ids.len() != messages.len() {
            return Err(refuse("a message stands in it twice".into()));
        }
        for message in &mut messages {
            message.id = ids[&message.id];
            message.conversation_id = conversation.id;
            message.parent = message.parent.and_then(|parent| ids.get(&parent).copied());
            if message.state == MessageState::Writing {
                message.state = MessageState::Cut;
            }
        }
        conversation.head = conversation.head.and_then(|head| ids.get(&head).copied());
        self.store().import_conversation(&conversation, &messages).await?;
        Ok(conversation)
    }

    fn refuse_while_answering(&self, id: ConversationId) -> Result<()> {
        if self.0.answers.map().values().any(|in_work| in_work.conversation == id) {
            return Err(ErrorReport::new(ErrorCode::InvalidInput, "the answer before is still being written")
                .hint("Wait for it, or stop it."));
        }
        Ok(())
    }

    pub(crate) async fn chat_model(&self, settings: &ChatSettings) -> Result<ModelRef> {
        let path = settings.model.as_ref().ok_or_else(|| {
            ErrorReport::new(ErrorCode::InvalidInput, "no model is picked for this conversation").hint("Pick a model.")
        })?;
        self.identify(Path::new(path), true).await
    }

    /// Begins what a plan says: an answer, or the question whether there may be one.
    async fn begin_turn(&self, conversation: Conversation, question: &ChatMessage, plan: Plan) -> Result<SentTurn> {
        let Plan { who, decision } = plan;
        let nothing = SentTurn { question: None, answer: None, consent: None };
        Ok(match who {
            Who::There(target) if decision.consent == Consent::Ask => {
                SentTurn { consent: Some(consent_question(question, &target, decision)), ..nothing }
            }
            who => {
                let answer = self.begin_answer(conversation, question.id, Plan { who, decision }).await?;
                SentTurn { answer: Some(answer), ..nothing }
            }
        })
    }

    pub(crate) async fn begin_answer(
        &self,
        conversation: Conversation,
        question: MessageId,
        Plan { who, decision }: Plan,
    ) -> Result<ChatMessage> {
        let (of, at_most) = match &who {
            Who::Here(model) => (answer_here_of(model, decision), Cost::Free),
            Who::There(target) => {
                let mut of = answer_of(target.model.clone(), None, decision);
                of.cloud = Some(target.answer());
                (of, target.at_most.clone())
            }
        };
        let answer = ChatMessage {
            id: MessageId(new_id()),
            conversation_id: conversation.id,
            parent: Some(question),
            role: Role::Assistant,
            content: String::new(),
            pinned: false,
            created_at: now(),
            state: MessageState::Writing,
            answer: Some(of),
            failure: None,
        };
        let stop = CancellationToken::new();
        {
            // Two answers that begin at once do not both take what is left of the budget.
            let _paying = self.0.paying.lock().await;
            if at_most != Cost::Free {
                self.within_budget(&self.chat_options().await?, &at_most).await??;
            }
            let in_work = InWork { conversation: conversation.id, stop: stop.clone(), at_most };
            self.0.answers.map().insert(answer.id, in_work);
        }
        if let Err(error) = self.store().insert_message(&answer).await {
            self.0.answers.map().remove(&answer.id);
            return Err(error.into());
        }
        let (app, begun) = (self.clone(), answer.clone());
        tokio::spawn(async move { app.write_answer(&conversation, begun, &who, &stop).await });
        Ok(answer)
    }

    /// Writes an answer to its end, whatever that is.
    async fn write_answer(
        &self,
        conversation: &Conversation,
        mut answer: ChatMessage,
        who: &Who,
        stop: &CancellationToken,
    ) {
        let (words, said) = unbounded_channel();
        let writer = tokio::spawn(self.clone().keep_words(answer.clone(), said));
        let on_text = move |text: String| {
            // Nobody listening any more means that the program ends.
            words.send(text).ok();
        };
        let (outcome, charged) = match who {
            Who::Here(model) => (self.answer_here(conversation, &mut answer, model, stop, &on_text).await, Cost::Free),
            Who::There(target) => self.answer_there(conversation, &mut answer, target, stop, &on_text).await,
        };
        // The writer ends when nobody can tell it anything any more.
        drop(on_text);
        let so_far = writer.await.unwrap_or_default();
        match outcome {
            Ok(Written { text, figures, stopped }) => {
                answer.state = if stopped { MessageState::Stopped } else { MessageState::Complete };
                answer.content = text.unwrap_or(so_far);
                if let Some(answer) = &mut answer.answer {
                    answer.figures = figures;
                }
            }
            Err(error) => {
                answer.content = so_far;
                answer.state =
                    if error.code == ErrorCode::Cancelled { MessageState::Stopped } else { MessageState::Failed };
                answer.failure = (error.code != ErrorCode::Cancelled).then_some(error);
            }
        }
        {
            // Until it is counted as spent, it is counted as in work.
            let _paying = self.0.paying.lock().await;
            if let Err(error) = self.store().end_message(&answer, &charged).await {
                tracing::error!(%error, "an answer could not be stored");
                let report = ErrorReport::from(error);
                answer.failure.get_or_insert(report);
            }
            self.0.answers.map().remove(&answer.id);
        }
        let consent = match who {
            // A question to two models stays with them.
            Who::Here(_) if conversation.settings.model.is_some() => self.offer_for(conversation, &answer).await,
            Who::Here(_) | Who::There(_) => None,
        };
        self.hide_names(conversation.id, std::slice::from_mut(&mut answer)).await;
        self.0.jobs.send(AppEvent::Chat { update: Box::new(ChatUpdate::Ended { message: Box::new(answer) }) });
        if let Some(consent) = consent {
            let update = ChatUpdate::Consent { conversation_id: conversation.id, consent: Box::new(consent) };
            self.0.jobs.send(AppEvent::Chat { update: Box::new(update) });
        }
    }

    /// Whether the cloud could answer what the local model failed at.
    async fn offer_for(&self, conversation: &Conversation, answer: &ChatMessage) -> Option<ConsentQuestion> {
        let failure = answer.failure.as_ref()?;
        let messages = self.store().messages(conversation.id).await.ok()?;
        let path = path(&messages, answer.parent);
        // It would only offer what cannot be had; the failure itself is told in any case.
        self.offer(conversation, &messages, &path, failure.code).await.ok().flatten()
    }

    /// Lets the local model answer.
    pub(crate) async fn answer_here(
        &self,
        conversation: &Conversation,
        answer: &mut ChatMessage,
        model: &ModelRef,
        stop: &CancellationToken,
        on_text: &(impl Fn(String) + Send + Sync),
    ) -> Result<Written> {
        let messages = self.store().messages(conversation.id).await?;
        let mut seat = self.seat(model, conversation.settings.n_ctx, stop).await?;
        let resident = &mut seat.resident;
        let mut settings = conversation.settings.clone();
        resident.limit(&mut settings);
        if let Some(answer) = &mut answer.answer {
            answer.memory_safe = resident.is_memory_safe();
        }
        let path = path(&messages, answer.parent);
        let result = async {
            self.go_back_to(conversation.id, resident).await;
            let (told, _) = fit_context(resident, &path, &settings, stop).await?;
            let dropped = told_turns(&told, &path);
            if let Some(answer) = &mut answer.answer {
                answer.dropped_turns = u32::try_from(dropped).unwrap_or(u32::MAX);
            }
            let request = GenerateRequest {
                prompt: Prompt::Messages(told.messages),
                sampling: settings.sampling,
                limits: Limits { max_tokens: settings.max_tokens, stop: Vec::new(), ignore_eos: false },
                reuse_prefix: true,
            };
            let generation = resident
                .worker
                .generate(request, stop, |event| {
                    if let Event::Token { text, .. } = event
                        && !text.is_empty()
                    {
                        on_text(text);
                    }
                })
                .await?;
            self.note_cold_start(resident, &generation).await;
            // A question to two models has no second turn, and two caches do not go into one file.
            if conversation.settings.model.is_some() {
                self.save_state(conversation.id, resident, &generation).await;
            }
            let figures = AnswerFigures::from(&generation);
            let stopped = generation.stop == StopReason::Cancelled;
            Ok::<_, ErrorReport>(Written { text: Some(generation.text), figures: Some(figures), stopped })
        }
        .await;
        // A worker that crashed or hangs answers no more; one that refused or stopped is as good as before.
        let harmless = [ErrorCode::Cancelled, ErrorCode::PromptTooLong, ErrorCode::InvalidInput];
        if result.as_ref().err().is_none_or(|error| harmless.contains(&error.code)) {
            self.0.residents.leave(seat);
        }
        result
    }

    /// Reads the conversation's saved cache back, if another conversation has been in this worker since.
    async fn go_back_to(&self, id: ConversationId, resident: &mut Resident) {
        if resident.holds == Some(id) {
            return;
        }
        resident.holds = Some(id);
        let Ok(Some(state)) = self.store().kv_state(id).await else { return };
        if state.model_sha256 != resident.facts.model.sha256 || state.settings != resident.settings {
            return;
        }
        if let Err(error) = resident.worker.restore_state(&self.state_file(id), state.saved).await {
            // It costs a prefill, nothing more.
            tracing::warn!(%error, "a saved cache is of no use");
            self.forget_state(id).await;
        }
    }

    async fn save_state(
        &self,
        id: ConversationId,
        resident: &mut Resident,
        generation: &pocketbench_domain::generate::Generation,
    ) {
        if generation.prompt_tokens + generation.generated_tokens < LEAST_SAVED_TOKENS {
            return;
        }
        let kept = async {
            std::fs::create_dir_all(self.states_folder())
                .map_err(|e| ErrorReport::new(ErrorCode::Internal, e.to_string()))?;
            let saved = resident.worker.save_state(&self.state_file(id)).await?;
            let state = KvState {
                conversation_id: id,
                model_sha256: resident.facts.model.sha256.clone(),
                settings: resident.settings.clone(),
                saved,
            };
            self.store().keep_kv_state(&state, now()).await?;
            for beyond in self.store().kv_states_beyond(SAVED_BUDGET).await? {
                self.forget_state(beyond).await;
            }
            Ok::<(), ErrorReport>(())
        };
        if let Err(error) = kept.await {
            tracing::warn!(%error, "the cache of a conversation was not saved");
        }
    }

    async fn forget_state(&self, id: ConversationId) {
        std::fs::remove_file(self.state_file(id)).ok();
        self.store().forget_kv_state(id).await.ok();
    }

    fn states_folder(&self) -> PathBuf {
        self.0.config.data_folder.join("chats")
    }

    fn state_file(&self, id: ConversationId) -> PathBuf {
        self.states_folder().join(format!("{id}.kv"))
    }

    /// Tells and stores an answer's words while they come; gives all of them.
    async fn keep_words(self, message: ChatMessage, mut words: UnboundedReceiver<String>) -> String {
        let mut text = String::new();
        // In UTF-16 units, as front ends count.
        let mut told_units = 0_u32;
        let (mut told_bytes, mut tokens) = (0, 0_u32);
        let mut stored_at = Instant::now();
        let began = Instant::now();
        let mut open = true;
        while open {
            let deadline = tokio::time::sleep(UPDATE_PERIOD);
            tokio::pin!(deadline);
            loop {
                tokio::select! {
                    () = &mut deadline => break,
                    word = words.recv() => {
                        let Some(word) = word else {
                            open = false;
                            break;
                        };
                        text.push_str(&word);
                        tokens += 1;
                    }
                }
            }
            if told_bytes < text.len() {
                let delta = text[told_bytes..].to_owned();
                let units = u32::try_from(delta.encode_utf16().count()).unwrap_or(u32::MAX);
                let update = ChatUpdate::Words {
                    conversation_id: message.conversation_id,
                    message_id: message.id,
                    from: told_units,
                    text: delta,
                    tokens,
                    elapsed_s: began.elapsed().as_secs_f64(),
                };
                self.0.jobs.send(AppEvent::Chat { update: Box::new(update) });
                told_bytes = text.len();
                told_units = told_units.saturating_add(units);
            }
            if stored_at.elapsed() >= STORE_PERIOD {
                stored_at = Instant::now();
                if let Err(error) = self.store().write_message(message.id, &text).await {
                    tracing::warn!(%error, "the words so far could not be stored");
                }
            }
        }
        text
    }
}

/// Of an answer of the local model that has not come yet.
pub(crate) fn answer_here_of(model: &ModelRef, decision: Decision) -> Answer {
    answer_of(model.label(), Some(model.sha256.clone()), decision)
}

fn answer_of(model: String, model_sha256: Option<String>, decision: Decision) -> Answer {
    Answer {
        model,
        model_sha256,
        figures: None,
        dropped_turns: 0,
        decision: Some(decision),
        cloud: None,
        memory_safe: false,
    }
}

/// Refuses what is no message.
pub(crate) fn refuse_text(text: &str) -> Result<()> {
    if text.trim().is_empty() || text.len() > MOST_BYTES {
        return Err(ErrorReport::new(ErrorCode::InvalidInput, "a message has between one character and 1 MB"));
    }
    Ok(())
}

/// A question as it is asked now.
pub(crate) fn question_of(conversation_id: ConversationId, parent: Option<MessageId>, content: String) -> ChatMessage {
    ChatMessage {
        id: MessageId(new_id()),
        conversation_id,
        parent,
        role: Role::User,
        content,
        pinned: false,
        created_at: now(),
        state: MessageState::Complete,
        answer: None,
        failure: None,
    }
}

/// Turns that were left out: each begins with a question.
fn told_turns(told: &Told, path: &[&ChatMessage]) -> usize {
    let is_question = |id: &&MessageId| path.iter().any(|message| message.id == **id && message.role == Role::User);
    told.dropped.iter().filter(is_question).count()
}

/// Tokens that are kept free for the answer.
pub(crate) fn reserve(settings: &ChatSettings, n_ctx: u32) -> u32 {
    settings.max_tokens.min(n_ctx / 4)
}

/// The longest part of a conversation that leaves room for an answer, and its tokens: counted by the model's own tokenizer
/// with the template around it. The oldest turns go first, whole.
async fn fit_context(
    resident: &mut Resident,
    path: &[&ChatMessage],
    settings: &ChatSettings,
    stop: &CancellationToken,
) -> Result<(Told, u32)> {
    let n_ctx = resident.settings.n_ctx;
    let room = n_ctx - reserve(settings, n_ctx);
    let whole = told(path, &settings.system_prompt, 0);
    let tokens = count(&mut resident.worker, &whole, stop).await?;
    if tokens <= room {
        return Ok((whole, tokens));
    }
    let (mut low, mut high) = (1, droppable(path));
    let mut best = told(path, &settings.system_prompt, high);
    let mut best_tokens = count(&mut resident.worker, &best, stop).await?;
    while low < high {
        let middle = usize::midpoint(low, high);
        let tried = told(path, &settings.system_prompt, middle);
        let tokens = count(&mut resident.worker, &tried, stop).await?;
        if tokens <= room {
            (best, best_tokens) = (tried, tokens);
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Ok((best, best_tokens))
}

pub(crate) async fn count(worker: &mut Worker, told: &Told, stop: &CancellationToken) -> Result<u32> {
    let counts = worker.count(vec![Prompt::Messages(told.messages.clone())], stop).await?;
    counts.first().copied().ok_or_else(|| ErrorReport::new(ErrorCode::WorkerProtocol, "the worker counted nothing"))
}

fn markdown(conversation: &Conversation, path: &[&ChatMessage]) -> String {
    let mut out = format!("# {}\n", conversation.title);
    // Writing to a string cannot fail.
    if !conversation.settings.system_prompt.trim().is_empty() {
        let _ = writeln!(out, "\n## Instructions\n\n{}", conversation.settings.system_prompt.trim());
    }
    for message in path {
        let who = match (message.role, &message.answer) {
            (Role::Assistant, Some(answer)) => answer.model.clone(),
            (Role::Assistant, None) => "Assistant".to_owned(),
            (Role::System, _) => "Instructions".to_owned(),
            (Role::User, _) => "You".to_owned(),
        };
        let end = match message.state {
            MessageState::Complete | MessageState::Writing => "",
            MessageState::Stopped => " (stopped)",
            MessageState::Cut => " (cut off)",
            MessageState::Failed => " (failed)",
        };
        let time = message.created_at.format("%Y-%m-%d %H:%M UTC");
        let _ = writeln!(out, "\n## {who}, {time}{end}\n\n{}", message.content.trim());
    }
    out
}
