//! Runs: what was asked for, what was measured, and where.

use crate::conditions::{Conditions, Cooled};
use crate::device::{DeviceProfile, MachineLoad, ProcessMemory};
use crate::error::ErrorReport;
use crate::generate::{BatchGeneration, EngineInfo, Generation, Loaded, Synthetic};
use crate::job::JobId;
use crate::model::ModelRef;
use crate::settings::EngineSettings;
use crate::suite::{Suite, Task};
use crate::tuning::TuningId;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// Declares identifiers: `UUIDv7`, so that records made on different devices merge without clashes.
macro_rules! id {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize, ts_rs::TS)]
        #[serde(transparent)]
        #[ts(type = "string")]
        pub struct $name(pub uuid::Uuid);
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { self.0.fmt(f) }
        }
        impl std::str::FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> { text.parse().map(Self) }
        }
    )+};
}
pub(crate) use id;

id! {
    /// Identifies a run.
    RunId,
    /// Identifies a cell.
    CellId,
    /// Identifies a worker session.
    SessionId,
    /// Identifies a sample.
    SampleId,
}

/// One contender of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct RunEntry {
    /// The model.
    pub model: ModelRef,
    /// How it is loaded.
    pub settings: EngineSettings,
    /// What tells it from the other entries of a sweep, such as `4 threads`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// Memory that is left free before it is loaded, the rest being taken by a balloon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leave_free_bytes: Option<u64>,
}

impl RunEntry {
    /// A model as it is, to be loaded with these settings.
    #[must_use]
    pub fn new(model: ModelRef, settings: EngineSettings) -> Self {
        Self { model, settings, variant: None, leave_free_bytes: None }
    }

    /// Name for people: the model's, and what tells it from the same model under other settings.
    #[must_use]
    pub fn label(&self) -> String {
        match &self.variant {
            Some(variant) => format!("{} · {variant}", self.model.label()),
            None => self.model.label(),
        }
    }
}

/// What a run measures: every entry on every task of the suite. An entry's place in the list is its *slot*.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct RunSpec {
    /// The contenders; one for a plain benchmark, two for a comparison, one a value for a sweep.
    pub entries: Vec<RunEntry>,
    /// The suite, frozen into the run.
    pub suite: Suite,
    /// Why its settings are not the defaults of llama.cpp, where the program chose them. They hold for every entry alike.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<SettingsReason>,
    /// Values of a sweep that were not even tried.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
}

/// A value of a sweep that could not work on this model or device, and so was not tried.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct LeftOut {
    /// What would have told its entry from the others.
    pub variant: String,
    /// Why it could not work.
    pub reason: ErrorReport,
}

/// Why a run's settings are not the defaults.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum SettingsReason {
    /// The device was tuned: threads, micro-batch and flash attention come from there.
    Tuned {
        /// The tuning.
        tuning_id: TuningId,
        /// When.
        tuned_at: DateTime<Utc>,
    },
    /// Without a second copy of the weights in the CPU's own layout, since only so every model fits into the memory that
    /// was available.
    NotRepacked {
        /// Memory that this saves for the model that would not fit; of two, the larger saving.
        saved_bytes: u64,
    },
}

impl RunSpec {
    /// The task with this id.
    #[must_use]
    pub fn task(&self, id: &str) -> Option<&Task> {
        self.suite.tasks.iter().find(|task| task.id == id)
    }
}

/// Where a cell stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum CellState {
    /// Not measured yet, or not completely.
    Pending,
    /// All repetitions are stored.
    Done,
    /// It could not be measured; the failure says why. A result, too.
    Failed,
}

/// One entry on one task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct Cell {
    /// Identity.
    pub id: CellId,
    /// The run that it belongs to.
    pub run_id: RunId,
    /// Which entry.
    pub slot: u32,
    /// Which task.
    pub task_id: String,
    /// Where it stands.
    pub state: CellState,
    /// Why it failed.
    pub failure: Option<ErrorReport>,
}

/// One life of a worker process with a model loaded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct Session {
    /// Identity.
    pub id: SessionId,
    /// The run that it belongs to.
    pub run_id: RunId,
    /// Which entry it serves.
    pub slot: u32,
    /// When the worker was started.
    pub started_at: DateTime<Utc>,
    /// The engine's account of itself.
    pub engine: EngineInfo,
    /// What loading gave.
    pub loaded: Loaded,
    /// Memory before any model was loaded: the inference stack.
    pub baseline: ProcessMemory,
    /// The wait for a cooler machine before it was started, where there was one.
    #[serde(default)]
    pub cooled: Option<Cooled>,
}

/// Loading and cold start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct LoadMeasured {
    /// Whether the file had been dropped from the page cache, and the OS confirmed that it was gone.
    pub cold: bool,
    /// From the load request to a context that can decode; taken in the worker.
    pub load_ns: u64,
    /// From process spawn to the first generated token; taken in the parent, which alone knows when it spawned.
    pub first_token_ns: u64,
}

/// One round of a sustained task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct Round {
    /// When it began, in nanoseconds since the first round's beginning.
    pub at_ns: u64,
    /// How long the task was to last, in nanoseconds.
    pub of_ns: u64,
    /// The answer.
    pub generation: Generation,
}

impl Round {
    /// Within the first minute: before heat is felt.
    #[must_use]
    pub fn is_burst(&self) -> bool {
        self.at_ns < BURST_NS
    }

    /// Within the last third of the time: what is left when heat has settled.
    #[must_use]
    pub fn is_steady(&self) -> bool {
        self.at_ns >= self.of_ns / 3 * 2
    }
}

/// How long a device is taken to be fresh, in nanoseconds.
const BURST_NS: u64 = 60_000_000_000;

/// What one repetition measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Measured {
    /// Loading.
    Load(LoadMeasured),
    /// One answer.
    Generation(Generation),
    /// Several answers at once.
    Batch(BatchGeneration),
    /// Random tokens.
    Synthetic(Synthetic),
    /// One of many answers in a row.
    Round(Round),
}

impl Measured {
    /// The answer, where there is exactly one.
    #[must_use]
    pub fn generation(&self) -> Option<&Generation> {
        match self {
            Self::Generation(generation) | Self::Round(Round { generation, .. }) => Some(generation),
            Self::Load(_) | Self::Batch(_) | Self::Synthetic(_) => None,
        }
    }

    /// The same, to be changed.
    #[must_use]
    pub fn generation_mut(&mut self) -> Option<&mut Generation> {
        match self {
            Self::Generation(generation) | Self::Round(Round { generation, .. }) => Some(generation),
            Self::Load(_) | Self::Batch(_) | Self::Synthetic(_) => None,
        }
    }
}

/// One repetition of one cell. Immutable once written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct Sample {
    /// Identity.
    pub id: SampleId,
    /// The cell that it belongs to.
    pub cell_id: CellId,
    /// The worker that made it.
    pub session_id: SessionId,
    /// Counts from 0 within the cell; the warm-up has its own count.
    pub repetition: u32,
    /// Warm-up: stored, never counted.
    pub warmup: bool,
    /// When it started.
    pub started_at: DateTime<Utc>,
    /// What was measured.
    pub measured: Measured,
    /// Memory of the worker at its end, high-water mark since its start.
    pub memory: ProcessMemory,
    /// What the machine did meanwhile.
    pub machine: MachineLoad,
    /// Heat, energy and clocks meanwhile, where there are sensors.
    #[serde(default)]
    pub conditions: Option<Conditions>,
}

/// A run as it is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct RunRecord {
    /// Identity.
    pub id: RunId,
    /// The job that measured it.
    pub job_id: JobId,
    /// What was asked for.
    pub spec: RunSpec,
    /// Where it ran.
    pub device: DeviceProfile,
    /// Version of Pocketbench.
    pub app_version: String,
    /// Commit of Pocketbench, where the build knew it.
    pub app_commit: Option<String>,
    /// When it was started.
    pub started_at: DateTime<Utc>,
    /// When its last cell was finished.
    pub finished_at: Option<DateTime<Utc>>,
}
