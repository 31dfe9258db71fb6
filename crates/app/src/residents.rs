//! Models that stay loaded between answers: as many as memory allows; the one used longest ago goes first. A worker that
//! waits costs memory and nothing else: it sleeps on its input.
//!
//! Who answers takes a model out of the set and brings it back; so two answers run at once where memory holds both models,
//! and one after the other where it does not. The turn to measure is taken for as long as anybody answers.

use crate::api::{ChatOptions, ResidentModel};
use crate::models::{fit_beside, machine, this_device};
use crate::tuning::Defaults;
use crate::{App, Result, now};
use chrono::{DateTime, Utc};
use pocketbench_domain::conversation::{ChatSettings, ConversationId};
use pocketbench_domain::fit::FitClass;
use pocketbench_domain::generate::Generation;
use pocketbench_domain::model::{ModelHeader, ModelRef};
use pocketbench_domain::settings::{EngineSettings, FlashAttention, KvType};
use pocketbench_domain::{ErrorCode, ErrorReport};
use pocketbench_worker::{Worker, WorkerError};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, OwnedMutexGuard};
use tokio_util::sync::CancellationToken;

/// How often idle models are looked at.
const WATCH: Duration = Duration::from_secs(5);
/// Below this share of the machine's memory available, idle models go at once.
const PRESSURE: f64 = 0.05;
/// How long after that a model is loaded as if memory was still short.
const PRESSURE_REMEMBERED: Duration = Duration::from_mins(5);
/// Contexts that are tried, largest first, where none was asked for.
const CONTEXTS: [u32; 4] = [8_192, 4_096, 2_048, LEAST_CONTEXT];
/// Context where none of them fits.
const LEAST_CONTEXT: u32 = 1_024;
/// Largest context when memory is short, in tokens. Whether it is short is judged by this one, too.
const SAFE_CONTEXT: u32 = 2_048;
/// Longest answer then, in tokens.
const SAFE_ANSWER: u32 = 256;
/// Most tokens that are guessed at once.
const DRAFT_TOKENS: u32 = 8;
/// Setting: what was loaded last.
const LAST: &str = "chat_last_loaded";

/// What was loaded last, to be loaded again when the program starts.
#[derive(Debug, Serialize, Deserialize)]
struct LastLoaded {
    path: String,
    n_ctx: Option<u32>,
}

/// What is told of a loaded model.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    pub(crate) model: ModelRef,
    /// As llama.cpp accounts for them; 0 while loading.
    bytes: u64,
    since: DateTime<Utc>,
    safe: bool,
}

/// A worker with a model in it.
#[derive(Debug)]
pub(crate) struct Resident {
    pub(crate) facts: Facts,
    pub(crate) settings: EngineSettings,
    pub(crate) worker: Worker,
    /// The conversation whose tokens are in its KV cache.
    pub(crate) holds: Option<ConversationId>,
    /// Whether [`ChatOptions::memory_safe`] was on when it was loaded.
    asked_safe: bool,
    /// What its first answer waited for until the model was there, in ms.
    cold_ms: Option<f64>,
    used_at: Instant,
}

impl Resident {
    /// The answer's limits, with those of little memory.
    pub(crate) fn limit(&self, settings: &mut ChatSettings) {
        if self.facts.safe {
            settings.max_tokens = settings.max_tokens.min(SAFE_ANSWER);
        }
    }

    /// Whether it was loaded to live in little memory.
    pub(crate) fn is_memory_safe(&self) -> bool {
        self.facts.safe
    }
}

/// The workers that chat has.
#[derive(Debug)]
pub(crate) struct Residents {
    set: Mutex<Set>,
    /// The turn to measure.
    measuring: Arc<tokio::sync::Mutex<()>>,
    /// One load at a time: two would reckon with the same memory.
    loading: tokio::sync::Mutex<()>,
    /// A model was brought back, or is gone.
    freed: Notify,
}

#[derive(Debug, Default)]
struct Set {
    /// The one used last stands last.
    idle: Vec<Resident>,
    /// Taken out, by ticket.
    busy: Vec<(u64, Facts)>,
    tickets: u64,
    /// Held while there are busy ones.
    turn: Option<OwnedMutexGuard<()>>,
    /// Somebody looks after idle ones.
    watched: bool,
    /// When memory ran short, if nothing was loaded since.
    pressed_at: Option<Instant>,
}

/// A model that was taken out. Brought back by [`Residents::leave`]; one that is merely dropped is gone with its worker,
/// as is right when nobody knows what state it is in.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) resident: Resident,
    ticket: Ticket,
}

/// A place among the busy ones.
#[derive(Debug)]
struct Ticket {
    residents: Arc<Residents>,
    number: u64,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut set = self.residents.set();
        set.busy.retain(|(number, _)| *number != self.number);
        if set.busy.is_empty() {
            set.turn = None;
        }
        drop(set);
        self.residents.freed.notify_waiters();
    }
}

impl Residents {
    /// None yet.
    pub(crate) fn new(measuring: Arc<tokio::sync::Mutex<()>>) -> Self {
        Self { set: Mutex::default(), measuring, loading: tokio::sync::Mutex::default(), freed: Notify::new() }
    }

    fn set(&self) -> MutexGuard<'_, Set> {
        self.set.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place among the busy ones, and the turn to measure: an answer and a measurement would slow each other down.
    fn ticket(self: &Arc<Self>, set: &mut Set, facts: Facts) -> Result<Ticket> {
        if set.turn.is_none() {
            let turn = Arc::clone(&self.measuring).try_lock_owned().map_err(|_| {
                ErrorReport::new(ErrorCode::DeviceBusy, "a measurement is running")
                    .hint("An answer now would spoil its figures. Wait for it, or pause it.")
            })?;
            set.turn = Some(turn);
        }
        set.tickets += 1;
        set.busy.push((set.tickets, facts));
        Ok(Ticket { residents: Arc::clone(self), number: set.tickets })
    }

    /// Takes out an idle model that is as `wanted`; `None` if there is none.
    fn take(self: &Arc<Self>, wanted: impl Fn(&Resident) -> bool) -> Option<Result<Seat>> {
        let mut set = self.set();
        let place = set.idle.iter().rposition(wanted)?;
        let facts = set.idle[place].facts.clone();
        Some(self.ticket(&mut set, facts).map(|ticket| Seat { resident: set.idle.remove(place), ticket }))
    }

    /// An idle model with this file, if there is one and nothing is being measured: to ask it something short.
    pub(crate) fn of_model(self: &Arc<Self>, sha256: &str) -> Option<Seat> {
        self.take(|resident| resident.facts.model.sha256 == sha256)?.ok()
    }

    /// Whether no model is loaded.
    pub(crate) fn is_empty(&self) -> bool {
        let set = self.set();
        set.idle.is_empty() && set.busy.is_empty()
    }

    /// Brings a model back.
    pub(crate) fn leave(&self, seat: Seat) {
        let Seat { mut resident, ticket } = seat;
        resident.used_at = Instant::now();
        self.set().idle.push(resident);
        drop(ticket);
    }

    /// Bytes that loaded models map from files: they count as available memory, and are not.
    fn mapped(&self) -> u64 {
        let set = self.set();
        let idle = set.idle.iter().map(|resident| &resident.facts);
        idle.chain(set.busy.iter().map(|(_, facts)| facts)).map(|facts| facts.model.file_bytes).sum()
    }

    /// Ends the idle ones that nobody has used for this long, or all.
    async fn end_idle(&self, unused_for: Option<Duration>) {
        let gone: Vec<Resident> = {
            let mut set = self.set();
            let stays = |r: &Resident| unused_for.is_some_and(|limit| r.used_at.elapsed() < limit);
            let (kept, gone) = std::mem::take(&mut set.idle).into_iter().partition(stays);
            set.idle = kept;
            gone
        };
        for resident in gone {
            resident.worker.shutdown().await;
        }
    }
}

/// What has to happen before a model can be loaded.
enum Room {
    /// Nothing.
    Enough,
    /// This one has to go.
    Without(Box<Resident>),
    /// Somebody has to finish.
    Later,
}

/// How a model is to be loaded for an answer.
struct Wanted<'a> {
    model: &'a ModelRef,
    n_ctx: Option<u32>,
    options: ChatOptions,
    defaults: Defaults,
}

impl Wanted<'_> {
    fn settings(&self, n_ctx: u32, safe: bool) -> EngineSettings {
        let most = if safe { SAFE_CONTEXT } else { u32::MAX };
        let n_ctx = n_ctx.min(self.model.header.n_ctx_train.max(1)).min(most);
        let mut settings = self.defaults.settings(n_ctx, 1);
        settings.draft_tokens = if self.options.speculative { DRAFT_TOKENS } else { 0 };
        if safe {
            quantize_cache(&mut settings, &self.model.header);
        }
        settings
    }

    fn fits(&self, settings: &EngineSettings, mapped: u64) -> bool {
        fit_beside(&self.model.header, self.model.file_bytes, settings, mapped).class == FitClass::Fits
    }

    /// As much context as was asked for, or as fits without crowding the machine.
    fn largest(&self, safe: bool, mapped: u64) -> EngineSettings {
        if let Some(asked) = self.n_ctx {
            return self.settings(asked, safe);
        }
        let mut tried = CONTEXTS.into_iter().map(|n_ctx| self.settings(n_ctx, safe));
        tried.find(|settings| self.fits(settings, mapped)).unwrap_or_else(|| self.settings(LEAST_CONTEXT, safe))
    }

    /// Whether a loaded model can give this answer. One that picked its context itself goes on with that: memory is always
    /// different from when it was loaded, as it takes some itself.
    fn is_served_by(&self, resident: &Resident) -> bool {
        let n_ctx = self.n_ctx.unwrap_or(resident.settings.n_ctx);
        resident.facts.model.sha256 == self.model.sha256
            && resident.asked_safe == self.options.memory_safe
            && resident.settings == self.settings(n_ctx, resident.facts.safe)
    }
}

/// Eight bits a value for the cache, where llama.cpp can: in whole blocks of 32, values with fused attention only.
fn quantize_cache(settings: &mut EngineSettings, header: &ModelHeader) {
    let whole = |width: u32| width > 0 && width.is_multiple_of(32);
    if whole(header.head_dim_k) {
        settings.kv_type_k = KvType::Q8_0;
    }
    if whole(header.head_dim_v) && settings.flash_attention != FlashAttention::Off {
        settings.kv_type_v = KvType::Q8_0;
    }
}

fn cold_start_key(sha256: &str) -> String {
    format!("chat_cold_start_ms.{sha256}")
}

impl App {
    /// The model, loaded if it is not yet, with this context or one that fits. Others make room for it if they must; waits
    /// for those that are answering.
    ///
    /// # Errors
    /// `DEVICE_BUSY` while something is measured; whatever a load can say.
    pub(crate) async fn seat(&self, model: &ModelRef, n_ctx: Option<u32>, stop: &CancellationToken) -> Result<Seat> {
        let residents = &self.0.residents;
        let wanted = Wanted { model, n_ctx, options: self.chat_options().await?, defaults: self.defaults().await? };
        loop {
            let freed = residents.freed.notified();
            tokio::pin!(freed);
            // From here on no return is missed.
            freed.as_mut().enable();
            if let Some(seat) = self.seat_now(&wanted, stop).await? {
                return Ok(seat);
            }
            tokio::select! {
                () = freed => {}
                () = stop.cancelled() => return Err(WorkerError::Cancelled.into()),
            }
        }
    }

    /// How the model would be loaded if it was now.
    pub(crate) async fn likely_settings(&self, model: &ModelRef, n_ctx: Option<u32>) -> Result<EngineSettings> {
        let wanted = Wanted { model, n_ctx, options: self.chat_options().await?, defaults: self.defaults().await? };
        Ok(wanted.largest(wanted.options.memory_safe, self.0.residents.mapped()))
    }

    /// As [`seat`](Self::seat); `None` if somebody has to finish first.
    async fn seat_now(&self, wanted: &Wanted<'_>, stop: &CancellationToken) -> Result<Option<Seat>> {
        let residents = &self.0.residents;
        // Taken before the set is looked at, so that two who want the same model load it once.
        let _loading = tokio::select! {
            loading = residents.loading.lock() => loading,
            () = stop.cancelled() => return Err(WorkerError::Cancelled.into()),
        };
        if let Some(seat) = residents.take(|resident| wanted.is_served_by(resident)) {
            return seat.map(Some);
        }
        let target = wanted.settings(wanted.n_ctx.unwrap_or(SAFE_CONTEXT), wanted.options.memory_safe);
        loop {
            match self.room_for(wanted, &target) {
                Room::Enough => break,
                Room::Without(resident) => resident.worker.shutdown().await,
                Room::Later => return Ok(None),
            }
        }
        self.load_resident(wanted, stop).await.map(Some)
    }

    /// What has to happen before this model can be loaded. Whoever has to go is taken out of the set.
    fn room_for(&self, wanted: &Wanted<'_>, target: &EngineSettings) -> Room {
        let residents = &self.0.residents;
        let fits = wanted.fits(target, residents.mapped());
        let mut set = residents.set();
        let same = |facts: &Facts| facts.model.sha256 == wanted.model.sha256;
        if set.busy.iter().any(|(_, facts)| same(facts)) {
            return Room::Later;
        }
        // The same model with other settings is of no use to anybody any more.
        let in_the_way = set.idle.iter().position(|resident| same(&resident.facts));
        let oldest = (!fits && !set.idle.is_empty()).then_some(0);
        match in_the_way.or(oldest) {
            Some(place) => Room::Without(Box::new(set.idle.remove(place))),
            None if !fits && !set.busy.is_empty() => Room::Later,
            None => Room::Enough,
        }
    }

    async fn load_resident(&self, wanted: &Wanted<'_>, stop: &CancellationToken) -> Result<Seat> {
        let residents = &self.0.residents;
        let mapped = residents.mapped();
        let short = || {
            let n_ctx = wanted.n_ctx.map_or(SAFE_CONTEXT, |asked| asked.min(SAFE_CONTEXT));
            !wanted.fits(&wanted.settings(n_ctx, false), mapped)
        };
        let pressed = residents.set().pressed_at.take().is_some_and(|at| at.elapsed() < PRESSURE_REMEMBERED);
        let safe = wanted.options.memory_safe || pressed || short();
        let settings = wanted.largest(safe, mapped);
        let mut facts = Facts { model: wanted.model.clone(), bytes: 0, since: now(), safe };
        let ticket = residents.ticket(&mut residents.set(), facts.clone())?;
        let began = Instant::now();
        let mut worker = Worker::start(&self.0.config.launch).await?;
        let loaded = worker.load(&wanted.model.path, &settings, stop, |_| ()).await?;
        let cold_ms = Some(began.elapsed().as_secs_f64() * 1e3);
        facts.bytes = loaded.weights_bytes() + loaded.kv_bytes() + loaded.compute_bytes();
        facts.since = now();
        if let Some((_, told)) = residents.set().busy.iter_mut().find(|(number, _)| *number == ticket.number) {
            told.clone_from(&facts);
        }
        let last = LastLoaded { path: wanted.model.path.clone(), n_ctx: wanted.n_ctx };
        if let Err(error) = self.store().set_setting(LAST, &last).await {
            tracing::warn!(%error, "what was loaded last was not noted");
        }
        self.watch_residents();
        let asked_safe = wanted.options.memory_safe;
        let used_at = Instant::now();
        let resident = Resident { facts, settings, worker, holds: None, asked_safe, cold_ms, used_at };
        Ok(Seat { resident, ticket })
    }

    /// Notes how long a cold start took, if this was the first answer after a load.
    pub(crate) async fn note_cold_start(&self, resident: &mut Resident, generation: &Generation) {
        let (Some(load_ms), Some(first)) = (resident.cold_ms.take(), generation.token_at_ns.first()) else { return };
        let cold_ms = load_ms + *first as f64 / 1e6;
        if let Err(error) = self.store().set_setting(&cold_start_key(&resident.facts.model.sha256), &cold_ms).await {
            tracing::warn!(%error, "a cold start was not noted");
        }
    }

    /// The models that chat keeps loaded, those that are answering first.
    pub async fn resident_models(&self) -> Result<Vec<ResidentModel>> {
        let keep = keep_warm(&self.chat_options().await?);
        let all: Vec<(Facts, Option<Duration>)> = {
            let set = self.0.residents.set();
            let busy = set.busy.iter().map(|(_, facts)| (facts.clone(), None));
            busy.chain(set.idle.iter().rev().map(|r| (r.facts.clone(), Some(r.used_at.elapsed())))).collect()
        };
        let mut models = Vec::new();
        for (Facts { model, bytes, since, safe }, idle) in all {
            models.push(ResidentModel {
                model: model.label(),
                path: model.path,
                bytes,
                since,
                idle_s: idle.map(|idle| idle.as_secs_f64()),
                will_unload_in_s: idle.map(|idle| keep.saturating_sub(idle).as_secs_f64()),
                cold_start_ms: self.store().setting(&cold_start_key(&model.sha256)).await?,
                memory_safe: safe,
            });
        }
        Ok(models)
    }

    /// Unloads the models that nobody is talking to.
    pub async fn unload_models(&self) {
        self.0.residents.end_idle(None).await;
    }

    /// Loads the model that was loaded last, if that is wished for, it fits, and nothing is being measured. Gives whether it
    /// was loaded.
    pub async fn preload(&self) -> Result<bool> {
        let options = self.chat_options().await?;
        let last: Option<LastLoaded> = self.store().setting(LAST).await?;
        let Some(LastLoaded { path, n_ctx }) = last.filter(|_| options.preload) else { return Ok(false) };
        let model = self.identify(Path::new(&path), true).await?;
        let safe = options.memory_safe;
        let wanted = Wanted { model: &model, n_ctx, options, defaults: self.defaults().await? };
        let residents = &self.0.residents;
        if !wanted.fits(&wanted.largest(safe, residents.mapped()), residents.mapped()) {
            return Ok(false);
        }
        match self.seat(&model, n_ctx, &CancellationToken::new()).await {
            Ok(mut seat) => {
                // Nobody waited for it.
                seat.resident.cold_ms = None;
                residents.leave(seat);
                Ok(true)
            }
            Err(error) if error.code == ErrorCode::DeviceBusy => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Ends chat's workers; what is being answered is finished first. A measurement wants the machine for itself.
    pub(crate) async fn unload_residents(&self) {
        let residents = &self.0.residents;
        loop {
            let freed = residents.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            residents.end_idle(None).await;
            if residents.set().busy.is_empty() {
                return;
            }
            freed.await;
        }
    }

    /// Looks after idle models until none is left. Memory is looked at, which costs nothing; the models are left alone, so
    /// that what keeps them warm is the memory that they take.
    fn watch_residents(&self) {
        if std::mem::replace(&mut self.0.residents.set().watched, true) {
            return;
        }
        let app = Arc::downgrade(&self.0);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(WATCH).await;
                let Some(inner) = app.upgrade() else { return };
                let app = App(inner);
                let residents = &app.0.residents;
                let short = (machine().available_bytes as f64) < PRESSURE * this_device().ram_bytes as f64;
                if short {
                    residents.set().pressed_at = Some(Instant::now());
                }
                let options = app.chat_options().await.unwrap_or_default();
                residents.end_idle((!short).then(|| keep_warm(&options))).await;
                let mut set = residents.set();
                if set.idle.is_empty() && set.busy.is_empty() {
                    set.watched = false;
                    return;
                }
            }
        });
    }
}

/// How long a model stays loaded when nobody talks to it.
fn keep_warm(options: &ChatOptions) -> Duration {
    Duration::from_secs(u64::from(options.keep_warm_min) * 60)
}
