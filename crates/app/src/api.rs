//! What crosses the boundary to a front end, apart from the domain's own types. Every type here and everything it
//! contains is generated as TypeScript into `ui/src/backend/types.ts` by a test.

use chrono::{DateTime, Utc};
use pocketbench_domain::catalogue::{CatalogueModel, ModelSource};
use pocketbench_domain::claims::{ClaimSet, Finding, Standing};
use pocketbench_domain::conditions::{Conditions, Reading, ThermalStatus};
use pocketbench_domain::conversation::{ChatMessage, ChatSettings, Conversation, ConversationId, MessageId};
use pocketbench_domain::device::DeviceProfile;
use pocketbench_domain::duel::{ModelStrength, Vote};
use pocketbench_domain::error::ErrorReport;
use pocketbench_domain::fit::{Fit, FitAdvice};
use pocketbench_domain::job::{Job, JobId, JobState};
use pocketbench_domain::model::{ModelHeader, ModelRef};
use pocketbench_domain::provider::{Budget, Cost, MonthSpend, Price, Provider, ProviderPreset};
use pocketbench_domain::roofline::MeasuredBandwidth;
use pocketbench_domain::route::evaluate::{Evaluation, LocalWindow, Rates};
use pocketbench_domain::route::{Decision, Policy};
use pocketbench_domain::run::RunId;
use pocketbench_domain::settings::KvType;
use pocketbench_domain::suite::Category;
use pocketbench_domain::sweep::Sweep;
use pocketbench_domain::tuning::Tuning;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// The program itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct AppInfo {
    /// Version.
    pub version: String,
    /// Commit, where the build knew it.
    pub commit: Option<String>,
    /// Where database and logs are kept.
    pub data_folder: String,
    /// Where models are kept.
    pub models_folder: String,
}

/// What this device is, can do and can tell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct DeviceReport {
    /// The machine as it is now.
    pub profile: DeviceProfile,
    /// Memory bandwidth, once it was measured.
    pub bandwidth: Option<MeasuredBandwidth>,
    /// The engine's CPU variant that the last worker picked here.
    pub cpu_variant: Option<String>,
    /// One look at all sensors. What is absent cannot be read here.
    pub sensors: Reading,
    /// Kind and place of each sensor that was found.
    pub sensors_found: Vec<String>,
}

/// A model file on this machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct ModelEntry {
    /// Path of the file; identifies the entry in commands.
    pub path: String,
    /// File name.
    pub file_name: String,
    /// Size of the file; of a split model, of all its parts.
    pub file_bytes: u64,
    /// Used where it lies, outside the models folder.
    pub reference: bool,
    /// Name for people, from the catalogue or the header, without the quantization.
    pub title: Option<String>,
    /// The catalogue's id of it.
    pub catalogue_id: Option<String>,
    /// Where it was fetched from.
    pub source: Option<ModelSource>,
    /// Runs that used it.
    pub runs: u32,
    /// When a run last used it.
    pub last_used_at: Option<DateTime<Utc>>,
    /// Who it is, once it was read and hashed.
    pub model: Option<ModelRef>,
    /// Whether it fits this device now, at the context of the quick suite.
    pub fit: Option<Fit>,
    /// Why it cannot be used.
    pub problem: Option<ErrorReport>,
}

/// A model that can be fetched.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct CatalogueEntry {
    /// What it is.
    pub model: CatalogueModel,
    /// Added by the person, not part of the catalogue.
    pub added: bool,
    /// Its files, in the order of `model.files`.
    pub files: Vec<FileState>,
    /// Place in `files` of the one that suits this device: the best quantization that fits, else the smallest.
    pub recommended: Option<u32>,
    /// One of the two models that a newcomer is offered on this device.
    pub suggested: bool,
    /// The person has accepted its licence, or need not.
    pub license_accepted: bool,
}

/// How a file of the catalogue stands on this device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct FileState {
    /// Where it comes from.
    pub source: ModelSource,
    /// Size of all its parts, from the catalogue or learnt from the host; else what its quantization makes likely.
    pub bytes: Option<u64>,
    /// The size is only likely.
    pub bytes_estimated: bool,
    /// SHA-256, from the catalogue, the host or the first verified download.
    pub sha256: Option<String>,
    /// Whether it will fit, from what the catalogue knows, at the context of the quick suite. `None`: not known before its
    /// header is read.
    pub fit: Option<Fit>,
    /// Speed to expect.
    pub speed: Option<SpeedForecast>,
    /// Path on this machine, once it is here.
    pub installed: Option<String>,
    /// The job that fetches it or did last.
    pub job_id: Option<JobId>,
    /// Bytes of an unfinished download.
    pub partial_bytes: Option<u64>,
}

/// Decode speed to expect, from the memory bandwidth of this device and the bytes that one token reads.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, TS)]
pub struct SpeedForecast {
    /// Tokens a second that are likely.
    pub tokens_per_s: f64,
    /// Lower end of what is likely.
    pub low: f64,
    /// Upper end: what the memory allows at best.
    pub high: f64,
    /// Bytes read for one token.
    pub bytes_per_token: u64,
    /// Memory bandwidth of this device, bytes a second.
    pub bandwidth: f64,
    /// Runs on this device that the share of the bandwidth is taken from; 0: a usual share is assumed.
    pub runs: u32,
}

/// Whether and how a model fits this device: its header, at several contexts and KV types.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct FitReport {
    /// What its header says.
    pub header: ModelHeader,
    /// Size of all its parts.
    pub file_bytes: u64,
    /// Bytes fetched for the header; 0 for a file that is here.
    pub fetched_bytes: u64,
    /// One row a context, each with one fit a KV type, in the order of `kv_types`.
    pub rows: Vec<FitRow>,
    /// The KV types of the rows.
    pub kv_types: Vec<KvType>,
    /// What would make it fit, where it does not with room to spare.
    pub advice: Vec<FitAdvice>,
    /// Speed to expect.
    pub speed: Option<SpeedForecast>,
    /// Free space where models are kept.
    pub storage_free_bytes: Option<u64>,
    /// The largest footprint that ever worked on this device.
    pub largest_worked_bytes: Option<u64>,
    /// The smallest footprint that ever failed for want of memory on this device.
    pub smallest_failed_bytes: Option<u64>,
}

/// One context length.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct FitRow {
    /// Context in tokens.
    pub n_ctx: u32,
    /// One a KV type.
    pub fits: Vec<Fit>,
}

/// What to fetch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct DownloadRequest {
    /// From where.
    pub source: ModelSource,
    /// The person accepts the licence.
    pub accept_license: bool,
}

/// How to take in a file that is on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum ImportMode {
    /// Use it where it lies.
    Reference,
    /// Copy it into the models folder.
    Copy,
}

/// A model of another tool on this machine, usable where it lies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct FoundModel {
    /// Whose it is, such as `Ollama`.
    pub tool: String,
    /// Its name there.
    pub name: String,
    /// The file.
    pub path: String,
    /// Size of all its parts.
    pub file_bytes: u64,
    /// Already in the library.
    pub added: bool,
}

/// What is lost when a model is deleted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct DeletePreview {
    /// The entry.
    pub path: String,
    /// Files that will be deleted; none for a reference, which is only forgotten.
    pub files: Vec<String>,
    /// Space that this frees.
    pub freed_bytes: u64,
    /// Runs that used it. They stay, and can be read, but not be resumed.
    pub runs: Vec<RunSummary>,
    /// Whether it can be fetched again, and from where.
    pub source: Option<ModelSource>,
}

/// An unfinished download on disk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct PartialDownload {
    /// Name that the file will have.
    pub file_name: String,
    /// Bytes that are there.
    pub bytes: u64,
    /// All its bytes, where known.
    pub total_bytes: Option<u64>,
    /// The job that made it, where it is still known.
    pub job_id: Option<JobId>,
}

/// What the models take up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct StorageUse {
    /// The models folder.
    pub folder: String,
    /// Bytes of models in it.
    pub models_bytes: u64,
    /// Unfinished downloads.
    pub partials: Vec<PartialDownload>,
    /// Free space there.
    pub free_bytes: Option<u64>,
}

/// How downloads are done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(default)]
pub struct DownloadSettings {
    /// Only over Wi-Fi or a cable.
    pub wifi_only: bool,
    /// Downloads at once; the others wait.
    pub at_once: u32,
    /// Connections a download, where the host allows ranges.
    pub connections: u32,
    /// Base address of a mirror of the hub, tried first.
    pub mirror: Option<String>,
    /// Proxy, such as `http://proxy.example:3128`; otherwise the system's.
    pub proxy: Option<String>,
    /// Where a newer catalogue may be had, without a new version of the program.
    pub catalogue_url: Option<String>,
    /// What makes it trusted: the Ed25519 public key of who signs it (64 hex digits; the signature is at the same address
    /// with `.sig`), or `sha256:` and the hash of the one catalogue that is meant.
    pub catalogue_trust: Option<String>,
}

impl Default for DownloadSettings {
    fn default() -> Self {
        Self {
            wifi_only: false,
            at_once: 2,
            connections: 4,
            mirror: None,
            proxy: None,
            catalogue_url: None,
            catalogue_trust: None,
        }
    }
}

/// Where the hub's token is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum TokenState {
    /// There is none.
    None,
    /// In the system's key store.
    KeyStore,
    /// In an encrypted file of this account, because the system has no key store that can be used.
    EncryptedFile,
}

/// A provider that was set up, and what is known of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct ProviderEntry {
    /// As it was set up.
    pub provider: Provider,
    /// What it was made from.
    pub preset: ProviderPreset,
    /// Where its key is kept. The key itself never crosses this boundary.
    pub key: TokenState,
    /// The price of its usual model, where one is known.
    pub price: Option<Price>,
}

/// How a provider is to be set up.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, TS)]
pub struct ProviderRequest {
    /// What it is made from.
    pub preset: String,
    /// The one to change; `None`: a new one.
    pub id: Option<String>,
    /// For people; `None`: as the preset is called.
    pub title: Option<String>,
    /// `None`: as the preset says.
    pub base_url: Option<String>,
    /// Model that is used unless another is named.
    pub model: Option<String>,
}

/// A price as a person sets it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct OwnPrice {
    /// Id of the provider, or of its preset.
    pub provider: String,
    /// The model's name there.
    pub model: String,
    /// ISO 4217.
    pub currency: String,
    /// A million tokens of prompt.
    pub input: f64,
    /// A million tokens of answer.
    pub output: f64,
    /// A million tokens of prompt from the provider's cache.
    pub cached_input: Option<f64>,
}

/// A suite that can be picked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct SuiteInfo {
    /// Identity.
    pub id: String,
    /// Version.
    pub version: u32,
    /// For people.
    pub title: String,
    /// What it is good for.
    pub description: String,
    /// Repetitions that count.
    pub repetitions: u32,
    /// Its tasks.
    pub tasks: Vec<TaskInfo>,
    /// How long its sustained task lasts, in minutes, where it has one.
    pub minutes: Option<u32>,
    /// It measures one model under several settings.
    pub sweep: Option<Sweep>,
}

/// A task of a suite.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct TaskInfo {
    /// Identity within the suite.
    pub id: String,
    /// For people.
    pub title: String,
    /// What it stands for.
    pub category: Category,
}

/// What the person asks for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct RunRequest {
    /// Paths of one or two models; of exactly one for a sweep.
    pub models: Vec<String>,
    /// Id of the suite, or `custom`.
    pub suite: String,
    /// What a suite of the person's own does.
    #[serde(default)]
    pub custom: Option<CustomSuite>,
    /// How long a sustained task lasts, instead of what its suite says.
    #[serde(default)]
    pub minutes: Option<u32>,
    /// Threads of prefill and decode, instead of the default; of no meaning to a sweep of threads.
    #[serde(default)]
    pub threads: Option<u32>,
}

/// What to tune with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct TuneRequest {
    /// Path of the model.
    pub model: String,
    /// Only the threads, and as short as will do.
    pub quick: bool,
}

/// How this device is tuned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct TuningState {
    /// The tuning that runs use; without one they use defaults.
    pub tuning: Option<Tuning>,
    /// A device that is not tuned is, before its first run.
    pub automatic: bool,
}

/// A suite of the person's own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct CustomSuite {
    /// One task each.
    pub prompts: Vec<String>,
    /// Most tokens of an answer.
    pub max_tokens: u32,
    /// Repetitions that count.
    pub repetitions: u32,
    /// Every answer gets exactly `max_tokens`, even if the model would end before.
    pub fixed_length: bool,
}

/// How long a run will take.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, TS)]
pub struct Estimate {
    /// Seconds.
    pub seconds: f64,
    /// Whether it stands on earlier measurements of these models on this device; otherwise on their size alone.
    pub measured: bool,
}

/// A run in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct RunSummary {
    /// Identity.
    pub id: RunId,
    /// The job that measures it.
    pub job_id: JobId,
    /// Where that stands.
    pub state: JobState,
    /// Labels of its models.
    pub models: Vec<String>,
    /// Title of its suite.
    pub suite: String,
    /// When it was started.
    pub started_at: DateTime<Utc>,
    /// When it was finished.
    pub finished_at: Option<DateTime<Utc>>,
    /// Cells measured or failed.
    pub cells_finished: u32,
    /// All cells.
    pub cells_total: u32,
}

/// What a run does right now. Sent at most every 100 ms; text in between is gathered, nothing is left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct LiveUpdate {
    /// The job.
    pub job_id: JobId,
    /// The run.
    pub run_id: RunId,
    /// The device is tuned before the run begins, by this job: stopping it skips the tuning.
    pub tuning: Option<JobId>,
    /// Which entry works.
    pub slot: u32,
    /// Its label.
    pub model: String,
    /// The task.
    pub task_id: String,
    /// Its title.
    pub task_title: String,
    /// Repetition, from 0.
    pub repetition: u32,
    /// Repetitions that count.
    pub repetitions: u32,
    /// Warm-up.
    pub warmup: bool,
    /// Raised with every repetition: when it changes, `text` starts anew.
    pub sequence: u32,
    /// Text generated since the last update.
    pub text: String,
    /// Tokens a second over the last update, where tokens came.
    pub tokens_per_s: Option<f64>,
    /// Resident memory of the worker.
    pub rss_bytes: Option<u64>,
    /// Physical memory of the device.
    pub ram_bytes: u64,
    /// Memory that can be used without swapping.
    pub ram_available_bytes: Option<u64>,
    /// Hottest processor sensor, else battery or skin, in °C.
    pub celsius: Option<f64>,
    /// What the system says about heat.
    pub thermal_status: Option<ThermalStatus>,
    /// The temperature that a wait is for, in °C, while the machine cools down.
    pub cooling_to_c: Option<f64>,
    /// Seconds of a sustained task that are over.
    pub elapsed_s: Option<f64>,
    /// Seconds that it lasts.
    pub of_s: Option<f64>,
}

/// One measured value in the list of raw samples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct SampleRow {
    /// Which entry.
    pub slot: u32,
    /// The task.
    pub task_id: String,
    /// Its title.
    pub task_title: String,
    /// Repetition, from 0.
    pub repetition: u32,
    /// Warm-up: shown, never counted.
    pub warmup: bool,
    /// When it started.
    pub started_at: DateTime<Utc>,
    /// Every figure that follows from the sample.
    pub figures: Vec<Figure>,
    /// The answer, where there is text.
    pub text: Option<String>,
    /// Tokens of the prompt.
    pub prompt_tokens: Option<u32>,
    /// Tokens generated.
    pub generated_tokens: Option<u32>,
    /// Share of the CPU that other processes used meanwhile.
    pub other_cpu: Option<f64>,
    /// Heat, energy and clocks meanwhile.
    pub conditions: Option<Conditions>,
}

/// A figure and its value.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, TS)]
pub struct Figure {
    /// Which.
    pub metric: pocketbench_domain::metric::Metric,
    /// In the metric's unit.
    pub value: f64,
}

/// What the app tells a front end without being asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum AppEvent {
    /// A job is new or has changed.
    Job {
        /// The job.
        job: Job,
    },
    /// A run's present moment.
    Live {
        /// The update.
        live: LiveUpdate,
    },
    /// An answer grows or has ended.
    Chat {
        /// The update.
        update: Box<ChatUpdate>,
    },
}

/// What happens to an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum ChatUpdate {
    /// It grows.
    Words {
        /// In which conversation.
        conversation_id: ConversationId,
        /// Which answer.
        message_id: MessageId,
        /// Where the new text begins, in UTF-16 units: a listener that missed something sees it here.
        from: u32,
        /// The new text.
        text: String,
        /// Tokens so far that had text.
        tokens: u32,
        /// Since it was asked for.
        elapsed_s: f64,
    },
    /// It has ended, one way or another.
    Ended {
        /// The whole message.
        message: Box<ChatMessage>,
    },
    /// It failed on this device, and the cloud could answer in its place if the person agrees.
    Consent {
        /// In which conversation.
        conversation_id: ConversationId,
        /// The question, as sending may ask it.
        consent: Box<ConsentQuestion>,
    },
}

/// A conversation in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct ConversationSummary {
    /// The conversation.
    pub conversation: Conversation,
    /// Of a search: text around the words that were found.
    pub excerpt: Option<String>,
}

/// A conversation with all its branches.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct ConversationView {
    /// The conversation.
    pub conversation: Conversation,
    /// Every message, the oldest first.
    pub messages: Vec<ChatMessage>,
    /// The messages in view, from the first to the last.
    pub path: Vec<MessageId>,
}

/// What is to change; `None` leaves it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, TS)]
pub struct ConversationChange {
    /// Title.
    pub title: Option<String>,
    /// Pinned.
    pub pinned: Option<bool>,
    /// How answers are made.
    pub settings: Option<ChatSettings>,
}

/// Something to say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct SendRequest {
    /// In which conversation.
    pub conversation_id: ConversationId,
    /// What.
    pub text: String,
    /// The message that it takes the place of, where one was edited; both stay.
    pub instead_of: Option<MessageId>,
    /// Who is to answer.
    #[serde(default)]
    pub by: AnswerBy,
}

/// Who is to answer a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum AnswerBy {
    /// Whoever the policy says; it may want to ask first.
    #[default]
    Policy,
    /// The model on this device: the person says so, or has refused the cloud.
    Local,
    /// The cloud: the person says so, which is the consent.
    Cloud,
}

/// What sending began.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct SentTurn {
    /// The question, unless it was there before.
    pub question: Option<ChatMessage>,
    /// The answer, empty as yet; absent while the person is to be asked first.
    pub answer: Option<ChatMessage>,
    /// Whether this prompt may leave the device. Answered with a choice of who is to answer.
    pub consent: Option<ConsentQuestion>,
}

/// The question whether a prompt may go to the cloud.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct ConsentQuestion {
    /// The message that waits for an answer.
    pub question: MessageId,
    /// Why the cloud, and whether the local model could answer instead.
    pub decision: Decision,
    /// The provider's title.
    pub provider: String,
    /// Host that the words would go to.
    pub host: String,
    /// The model's name there.
    pub model: String,
    /// The most that the answer can cost.
    pub at_most: Cost,
}

/// How chat behaves in all conversations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[serde(default)]
pub struct ChatOptions {
    /// Where prompts are answered.
    pub policy: Policy,
    /// Id of the provider that is asked; `None`: the first that is set up.
    pub provider: Option<String>,
    /// Its model; `None`: the one that the provider is set up with.
    pub cloud_model: Option<String>,
    /// What may be spent in a calendar month.
    pub budget: Option<Budget>,
    /// Load the model that was used last when the program starts.
    pub preload: bool,
    /// Minutes that a model stays loaded when nobody talks to it.
    pub keep_warm_min: u32,
    /// Longest wait for the first token of a model that is not loaded yet, in ms: what a measured cold start is held against.
    pub cold_start_limit_ms: u32,
    /// Guess words from what was said and check several at once, which gives the same answer sooner where it repeats itself.
    pub speculative: bool,
    /// Smaller context, smaller cache and shorter answers, to live in little memory. Taken by itself, too, when memory is short.
    pub memory_safe: bool,
}

impl Default for ChatOptions {
    fn default() -> Self {
        Self {
            policy: Policy::default(),
            provider: None,
            cloud_model: None,
            budget: None,
            preload: false,
            keep_warm_min: 5,
            cold_start_limit_ms: 3_000,
            speculative: false,
            memory_safe: false,
        }
    }
}

/// What the cloud has cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct Spending {
    /// This calendar month.
    pub month: MonthSpend,
    /// The budget, if there is one.
    pub budget: Option<Budget>,
}

/// One question to two models.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct DuelRequest {
    /// The question.
    pub text: String,
    /// Paths of the two local models.
    pub models: [String; 2],
    /// Hide who is who until there is a vote; the sides are drawn by lot.
    pub blind: bool,
    /// How both answer; its model does not count.
    pub settings: ChatSettings,
}

/// A question and its two answers, left and right.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct Duel {
    /// The conversation that holds it.
    pub conversation_id: ConversationId,
    /// The question.
    pub question: ChatMessage,
    /// The answers, left and right. One after the other where memory does not hold both models.
    pub answers: [ChatMessage; 2],
    /// Whether names are hidden until the vote.
    pub blind: bool,
    /// The vote, once there is one.
    pub vote: Option<Vote>,
}

/// How models stand by the votes of people.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct DuelRanking {
    /// The models, strongest first.
    pub models: Vec<ModelStrength>,
    /// Votes in all.
    pub votes: u32,
    /// Of those, with names hidden.
    pub blind: u32,
}

/// A model that chat keeps loaded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct ResidentModel {
    /// Its name for people.
    pub model: String,
    /// Where its file lies.
    pub path: String,
    /// Bytes of weights, KV cache and scratch space, as llama.cpp accounts for them. 0 while it is being loaded.
    pub bytes: u64,
    /// When it was loaded.
    pub since: DateTime<Utc>,
    /// Seconds since its last answer; absent while it is answering or being loaded.
    pub idle_s: Option<f64>,
    /// Seconds until it is unloaded, if nobody talks to it and memory does not run short before.
    pub will_unload_in_s: Option<f64>,
    /// The last wait for a first token of this model when it was not loaded yet, in ms: start of the worker, load, prompt.
    pub cold_start_ms: Option<f64>,
    /// Loaded with a smaller context and a smaller cache, because memory was short or because that was asked for.
    pub memory_safe: bool,
}

/// How full a conversation's context is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct ContextMeter {
    /// Tokens of what would be told to the model now.
    pub tokens: u32,
    /// Tokens that the context holds.
    pub n_ctx: u32,
    /// Of those, kept for the answer.
    pub reserved: u32,
    /// Messages that are left out already.
    pub dropped: Vec<MessageId>,
    /// With those that go next.
    pub next: Vec<MessageId>,
}

/// Format of an exported conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum ConversationFormat {
    /// Everything; can be imported.
    Json,
    /// What is in view, to read.
    Markdown,
}

/// Format of an exported result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum ExportFormat {
    /// Everything, samples included.
    Json,
    /// One line a value.
    Csv,
    /// A report to read.
    Markdown,
}

/// Figures that someone has published, with what can be said about them without measuring.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct ClaimsReport {
    /// The publication.
    pub set: ClaimSet,
    /// Every check, what holds as well as what does not: claims first, in their order.
    pub findings: Vec<CheckedFinding>,
    /// What this device could do with the same models. Absent while its memory bandwidth is not known.
    pub here: Option<LimitsHere>,
}

/// A check and what follows from it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct CheckedFinding {
    /// The arithmetic.
    pub finding: Finding,
    /// How the statement stands.
    pub standing: Standing,
    /// The same in English.
    pub sentence: String,
}

/// The limit that this device's memory sets to the models of a publication.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct LimitsHere {
    /// What memory gives, as measured here.
    pub bandwidth: MeasuredBandwidth,
    /// One a model of which it is known how much a token reads.
    pub limits: Vec<LimitHere>,
}

/// The limit of one model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct LimitHere {
    /// A model of the set.
    pub model: String,
    /// Bytes of weights that a token reads.
    pub bytes_per_token: u64,
    /// Tokens a second that cannot be exceeded.
    pub limit_tps: f64,
}

/// Which prompts of a labelled set are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum RoutePart {
    /// Those that no weight was tuned on.
    #[default]
    HeldOut,
    /// Those that weights are tuned on.
    Development,
    /// Both.
    All,
}

/// How a routing policy does on a labelled set of prompts, and what it would cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct RouteEvaluation {
    /// Path of the set; absent for the one that ships.
    pub set: Option<String>,
    /// Which part of it.
    pub part: RoutePart,
    /// How many prompts.
    pub prompts: u32,
    /// The policy, judged as if its mode were *auto*.
    pub policy: Policy,
    /// What the local model is taken to hold.
    pub window: LocalWindow,
    /// What is known of cost and time.
    pub rates: Rates,
    /// The model and the run that the local speed is from; absent where none was measured.
    pub local_source: Option<RouteLocalSource>,
    /// The entry of the price book that the price is from; absent where none is known or it was given by hand.
    pub price_source: Option<Price>,
    /// What comes out.
    pub evaluation: Evaluation,
}

/// Where a local speed was measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct RouteLocalSource {
    /// The model's label.
    pub model: String,
    /// The run.
    pub run: RunId,
}
