//! What crosses the boundary to a front end, apart from the domain's own types. Every type here and everything it
//! contains is generated as TypeScript into `ui/src/backend/types.ts` by a test.

use chrono::{DateTime, Utc};
use pocketbench_domain::error::ErrorReport;
use pocketbench_domain::fit::Fit;
use pocketbench_domain::job::{Job, JobId, JobState};
use pocketbench_domain::model::ModelRef;
use pocketbench_domain::run::RunId;
use pocketbench_domain::suite::Category;
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

/// A model file on this machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct ModelEntry {
    /// Path of the file; identifies the entry in commands.
    pub path: String,
    /// File name.
    pub file_name: String,
    /// Size of the file.
    pub file_bytes: u64,
    /// Who it is, once it was read and hashed.
    pub model: Option<ModelRef>,
    /// Whether it fits this device now, at the context of the quick suite.
    pub fit: Option<Fit>,
    /// Why it cannot be used.
    pub problem: Option<ErrorReport>,
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
    /// Paths of one or two models.
    pub models: Vec<String>,
    /// Id of the suite.
    pub suite: String,
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
