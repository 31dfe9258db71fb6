//! Jobs: everything that takes longer than a second.

use crate::error::ErrorReport;
use crate::run::{RunId, id};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

id! {
    /// Identifies a job.
    JobId,
}

/// What a job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum JobKind {
    /// Measure a run.
    Run,
    /// Find the settings that the device runs best with, by runs of sweeps.
    Tune,
    /// Hash and check a model file that is here.
    Verify,
    /// Fetch a model from a host.
    Download,
    /// Copy a model into the models folder.
    Import,
}

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Waits for its turn.
    Queued,
    /// Works.
    Running,
    /// Waits for the person.
    Paused,
    /// Finished.
    Done,
    /// Could not finish; the error says why.
    Failed,
    /// Stopped by the person. What was made until then is kept.
    Cancelled,
    /// The program ended while it ran. It can be resumed.
    Interrupted,
}

impl JobState {
    /// Whether *Resume* makes sense.
    #[must_use]
    pub fn can_resume(self) -> bool {
        matches!(self, Self::Cancelled | Self::Interrupted | Self::Failed | Self::Paused)
    }
    /// Whether it still works or will.
    #[must_use]
    pub fn is_active(self) -> bool {
        matches!(self, Self::Queued | Self::Running | Self::Paused)
    }
}

/// How far a job is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct Progress {
    /// Work done, in `unit`.
    pub done: u64,
    /// All work, in `unit`, where it is known.
    pub total: Option<u64>,
    /// What is counted, such as `repetitions` or `bytes`.
    pub unit: String,
    /// Units a second.
    pub rate: Option<f64>,
    /// Seconds left.
    pub eta_s: Option<f64>,
}

/// A job as it is stored and shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct Job {
    /// Identity.
    pub id: JobId,
    /// What it does.
    pub kind: JobKind,
    /// Where it stands.
    pub state: JobState,
    /// For people, such as `SmolLM2 against Gemma 3 · quick`.
    pub title: String,
    /// How far it is.
    pub progress: Progress,
    /// The run that it measures.
    pub run_id: Option<RunId>,
    /// Why it failed.
    pub error: Option<ErrorReport>,
    /// The last lines of its log, oldest first.
    pub log_tail: Vec<String>,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}
