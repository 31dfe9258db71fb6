//! Labelled prompts that ship with Pocketbench: where each belongs, on the device or in the cloud, by our own judgement.
//! `docs/routing.md` says by which rules they were labelled.

use pocketbench_domain::route::evaluate::LabelledPrompt;
use sha2::{Digest, Sha256};
use std::collections::HashSet;
use std::sync::LazyLock;

static SHIPPED: LazyLock<Vec<LabelledPrompt>> = LazyLock::new(|| {
    read(include_str!("../../../models/route/prompts.jsonl")).expect("a test reads the shipped prompts")
});

/// The prompts that ship.
#[must_use]
pub fn shipped() -> &'static [LabelledPrompt] {
    &SHIPPED
}

/// Which part of a set a prompt belongs to. Weights are tuned on one part and judged on the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// To look at and to tune on.
    Development,
    /// To judge by.
    HeldOut,
}

impl Part {
    /// The part of a prompt, by its id alone: the lowest bit of the first byte of its SHA-256. So a prompt stays in its part
    /// whatever is added to the set.
    #[must_use]
    pub fn of(id: &str) -> Self {
        if Sha256::digest(id)[0] & 1 == 0 { Self::Development } else { Self::HeldOut }
    }

    /// The prompts of this part.
    #[must_use]
    pub fn select(self, set: &[LabelledPrompt]) -> Vec<LabelledPrompt> {
        set.iter().filter(|prompt| Self::of(&prompt.id) == self).cloned().collect()
    }
}

/// Why a set of prompts is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct PromptSetError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub problem: String,
}

/// Reads a set: one JSON object a line; empty lines are skipped.
pub fn read(text: &str) -> Result<Vec<LabelledPrompt>, PromptSetError> {
    let mut prompts = Vec::new();
    let mut ids = HashSet::new();
    for (line, text) in (1..).zip(text.lines()).filter(|(_, text)| !text.trim().is_empty()) {
        let refuse = |problem: String| PromptSetError { line, problem };
        let prompt: LabelledPrompt = serde_json::from_str(text).map_err(|error| refuse(error.to_string()))?;
        if prompt.prompt.trim().is_empty() {
            return Err(refuse(format!("the prompt `{}` is empty", prompt.id)));
        }
        if !ids.insert(prompt.id.clone()) {
            return Err(refuse(format!("there is another prompt `{}`", prompt.id)));
        }
        prompts.push(prompt);
    }
    if prompts.is_empty() {
        return Err(PromptSetError { line: 1, problem: "there is no prompt".into() });
    }
    Ok(prompts)
}
