//! Suites: named, versioned lists of tasks that fix the work, so that two models do the same.

use crate::generate::{BatchRequest, GenerateRequest, SyntheticRequest};
use crate::sweep::Sweep;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// What kind of work a task stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// Loading and cold start.
    Load,
    /// Short questions and answers, 50–100 tokens out.
    ShortQa,
    /// Code, 200–400 tokens out.
    Code,
    /// Mathematics, 100–300 tokens out.
    Mathematics,
    /// Long form, 1,000 tokens out and more.
    LongForm,
    /// Ten prompts at once.
    Batch,
    /// Random tokens, as llama-bench does.
    Synthetic,
    /// The same answer again and again for minutes.
    Sustained,
    /// Somebody's own prompt.
    Custom,
}

/// The work of one task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Work {
    /// Start a fresh worker, load, generate one token.
    Load {
        /// Drop the file from the page cache first.
        cold: bool,
    },
    /// One prompt, one answer.
    Generate(GenerateRequest),
    /// Several prompts as parallel sequences.
    Batch(BatchRequest),
    /// Random tokens.
    Synthetic(SyntheticRequest),
    /// The same answer again and again, each one a sample, until the time is over.
    Sustained(SustainedRequest),
}

/// What a machine can keep up: rounds of one answer, without a pause between them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct SustainedRequest {
    /// What each round generates; of a fixed length, so that rounds compare.
    pub request: GenerateRequest,
    /// How long, in seconds. The round that is under way then is finished.
    pub seconds: u32,
}

/// Longest sustained task in seconds.
pub const SUSTAINED_MAX_S: u32 = 3_600;

/// One task of a suite.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct Task {
    /// Stable within the suite's version, such as `code-1`.
    pub id: String,
    /// What it stands for.
    pub category: Category,
    /// For people, such as `Reverse a linked list`.
    pub title: String,
    /// What to do.
    pub work: Work,
}

/// A named, versioned list of tasks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct Suite {
    /// Name, such as `quick`.
    pub id: String,
    /// Raised whenever anything that affects a figure changes.
    pub version: u32,
    /// For people.
    pub title: String,
    /// What it is good for.
    pub description: String,
    /// Repetitions of each task that count.
    pub repetitions: u32,
    /// Most tokens of the one warm-up repetition that does not count; 0 for none.
    pub warmup_max_tokens: u32,
    /// Context that the tasks need, in tokens.
    pub n_ctx: u32,
    /// The tasks, in order.
    pub tasks: Vec<Task>,
    /// Measures one model under each of these settings instead of models against each other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sweep: Option<Sweep>,
}

/// Why a suite is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("suite `{suite}`: {problem}")]
pub struct SuiteError {
    /// The suite's id.
    pub suite: String,
    /// What is wrong with it.
    pub problem: String,
}

impl Suite {
    /// Checks what serde cannot: ids, counts and lengths.
    pub fn validate(&self) -> Result<(), SuiteError> {
        let fail = |problem: String| Err(SuiteError { suite: self.id.clone(), problem });
        if self.id.is_empty() || self.id.len() > 64 {
            return fail("the id must have 1 to 64 characters".into());
        }
        if self.tasks.is_empty() || self.tasks.len() > 1_000 {
            return fail("a suite has 1 to 1,000 tasks".into());
        }
        if self.repetitions == 0 || self.repetitions > 1_000 {
            return fail("repetitions must be 1 to 1,000".into());
        }
        if self.n_ctx == 0 {
            return fail("n_ctx must be at least 1".into());
        }
        let mut seen = std::collections::HashSet::new();
        for task in &self.tasks {
            if task.id.is_empty() || !seen.insert(task.id.as_str()) {
                return fail(format!("task id `{}` is empty or used twice", task.id));
            }
            let tokens = match &task.work {
                Work::Load { .. } => 1,
                Work::Generate(g) => g.limits.max_tokens,
                Work::Batch(b) if b.prompts.is_empty() || b.prompts.len() > 64 => 0,
                Work::Batch(b) => b.limits.max_tokens,
                Work::Synthetic(s) => s.n_prompt.saturating_add(s.n_gen),
                Work::Sustained(s) if s.seconds == 0 || s.seconds > SUSTAINED_MAX_S => {
                    return fail(format!("task `{}` must last 1 to {SUSTAINED_MAX_S} seconds", task.id));
                }
                Work::Sustained(s) if !s.request.limits.ignore_eos => {
                    return fail(format!("task `{}` must have answers of a fixed length: `ignore_eos`", task.id));
                }
                Work::Sustained(s) => s.request.limits.max_tokens,
            };
            if tokens == 0 {
                return fail(format!("task `{}` does no work", task.id));
            }
        }
        if let Some(problem) = self.sweep.as_ref().and_then(Sweep::problem) {
            return fail(problem);
        }
        Ok(())
    }

    /// Largest number of parallel sequences that any task needs.
    #[must_use]
    pub fn n_seq_max(&self) -> u32 {
        self.tasks
            .iter()
            .map(|t| match &t.work {
                Work::Batch(b) => u32::try_from(b.prompts.len()).unwrap_or(u32::MAX),
                _ => 1,
            })
            .max()
            .unwrap_or(1)
    }
}
