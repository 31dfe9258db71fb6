//! How long a run will take: from earlier measurements of the same models where there are any, else from their size.

use crate::api::{Estimate, RunRequest};
use crate::runs::requested_suite;
use crate::{App, Result};
use pocketbench_domain::model::ModelRef;
use pocketbench_domain::suite::{Suite, Task, Work};
use pocketbench_domain::sweep::{FREE_PERCENT, Sweep, thread_candidates};
use std::path::Path;

/// Bytes a second that decode reads, for a first guess. Phones and small machines lie between 5 and 60 GB/s.
const GUESSED_BANDWIDTH: f64 = 10e9;
/// Prompt tokens are computed together, so each costs a part of what a generated one does.
const PROMPT_TOKEN_SHARE: f64 = 0.2;
/// Sequences of a batch share one pass over the weights.
const BATCH_SHARE: f64 = 0.4;

/// Work of one repetition, in generated tokens.
pub(crate) fn weight(task: &Task) -> f64 {
    match &task.work {
        // Reading the file and one token.
        Work::Load { .. } => 30.0,
        Work::Generate(request) => f64::from(request.limits.max_tokens) + 60.0 * PROMPT_TOKEN_SHARE,
        Work::Batch(request) => {
            let share = BATCH_SHARE + if request.in_turn { 1.0 } else { 0.0 };
            request.prompts.len() as f64 * (f64::from(request.limits.max_tokens) * share + 40.0 * PROMPT_TOKEN_SHARE)
        }
        Work::Synthetic(request) => {
            f64::from(request.n_gen) + f64::from(request.n_prompt + request.n_depth) * PROMPT_TOKEN_SHARE
        }
        // It knows itself how long it lasts.
        Work::Sustained(_) => 0.0,
    }
}

impl App {
    /// Estimates a run before it starts.
    pub async fn estimate(&self, request: &RunRequest) -> Result<Estimate> {
        let suite = requested_suite(request)?;
        let device = self.device().await?;
        let mut estimate = Estimate { seconds: 0.0, measured: true };
        for path in &request.models {
            let model = self.identify(Path::new(path), false).await?;
            let one = self.model_estimate(&model, &suite, &device.fingerprint).await?;
            let entries = match &suite.sweep {
                Some(Sweep::Threads(values)) if values.is_empty() => thread_candidates(&device).len(),
                // One more stands beside them without a balloon.
                Some(Sweep::FreeMemory(values)) if values.is_empty() => FREE_PERCENT.len() + 1,
                Some(Sweep::FreeMemory(values)) => values.len() + 1,
                Some(sweep) => sweep.len(),
                None => 1,
            };
            estimate.seconds += one.seconds * entries as f64;
            estimate.measured &= one.measured;
        }
        Ok(estimate)
    }

    async fn model_estimate(&self, model: &ModelRef, suite: &Suite, device: &str) -> Result<Estimate> {
        let times = self.store().typical_task_times(&model.sha256, &suite.id, suite.version, device).await?;
        let guess = model.header.tensor_bytes as f64 / GUESSED_BANDWIDTH;
        let mut estimate = Estimate { seconds: 0.0, measured: true };
        for task in &suite.tasks {
            if let Work::Sustained(sustained) = &task.work {
                estimate.seconds += f64::from(sustained.seconds * suite.repetitions);
                continue;
            }
            let once = if let Some(time) = times.iter().find(|time| time.task_id == task.id) {
                time.seconds
            } else {
                estimate.measured = false;
                weight(task) * guess
            };
            estimate.seconds += once * f64::from(suite.repetitions);
        }
        Ok(estimate)
    }
}
