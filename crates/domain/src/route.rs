//! Where a prompt is answered: on this device, or by a cloud model that the person has set up.
//!
//! Pure: the same policy, prompt and situation always give the same decision, with everything that led to it. Nothing here
//! asks, sends or waits. A fallback is the same question again in a situation that has changed: after a provider has
//! failed, [`decide`] is called with [`CloudState::Failed`]. `docs/routing.md` has it in words.

pub mod evaluate;
mod score;
mod words;

pub use score::{Evidence, HEAD_BYTES, Score, Signal, SignalKind, TAIL_BYTES, Weights, estimate_tokens, score};

use crate::ErrorCode;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use ts_rs::TS;

/// What kind of task a prompt looks like. Rules of a policy are by kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum TaskKind {
    /// A question of fact or a request that none of the others describes.
    Question,
    /// Writing, explaining or mending code.
    Code,
    /// Calculating and proving.
    Mathematics,
    /// Puzzles, plans and judgements.
    Reasoning,
    /// Something short to be written.
    Writing,
    /// About 500 words and more to be written.
    LongWriting,
    /// From one language to another.
    Translation,
    /// Work on a text that is given: to sum it up, correct, sort, extract from it.
    Text,
    /// Small talk, and turns that live on those before.
    Chat,
}

impl TaskKind {
    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self::Question,
        Self::Code,
        Self::Mathematics,
        Self::Reasoning,
        Self::Writing,
        Self::LongWriting,
        Self::Translation,
        Self::Text,
        Self::Chat,
    ];

    /// Name in English, for the command line.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Question => "question",
            Self::Code => "code",
            Self::Mathematics => "mathematics",
            Self::Reasoning => "reasoning",
            Self::Writing => "writing",
            Self::LongWriting => "long writing",
            Self::Translation => "translation",
            Self::Text => "work on a text",
            Self::Chat => "chat",
        }
    }

    /// Tokens that an answer is taken to have where cost and time are estimated before there is one: the middle of the
    /// ranges of [`crate::suite::Category`] where it has the kind, and of the same order elsewhere. An assumption, no
    /// measurement.
    #[must_use]
    pub fn assumed_answer_tokens(self) -> u32 {
        match self {
            Self::Question | Self::Chat => 75,
            Self::Translation | Self::Writing | Self::Text => 150,
            Self::Mathematics => 200,
            Self::Code | Self::Reasoning => 300,
            Self::LongWriting => 1000,
        }
    }
}

/// How far the person lets the router go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, TS)]
#[ts(rename = "RouteMode")]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Nothing ever leaves the device.
    #[default]
    AlwaysLocal,
    /// Whatever would go to the cloud is asked about first, message by message.
    AlwaysAsk,
    /// What the rules and the score send to the cloud goes there without asking.
    Auto,
}

/// What a policy says about a kind of task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, TS)]
#[ts(rename = "RouteRule")]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// To the local model, whatever the score.
    Local,
    /// To the cloud, whatever the score.
    Cloud,
    /// To the cloud from the threshold on.
    #[default]
    ByScore,
}

/// How prompts are routed. What is missing in a policy's JSON has its default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[ts(rename = "RoutePolicy")]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// How far the router may go.
    pub mode: Mode,
    /// Score from which a prompt goes to the cloud, 0–1.
    pub threshold: f64,
    /// Rules of kinds; a kind that is not here goes by score.
    pub rules: BTreeMap<TaskKind, Rule>,
    /// What the signals add to the score.
    pub weights: Weights,
}

impl Default for Policy {
    fn default() -> Self {
        Self { mode: Mode::default(), threshold: 0.5, rules: BTreeMap::new(), weights: Weights::default() }
    }
}

impl Policy {
    /// What is wrong with it.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        let share = 0.0..=1.0;
        if !share.contains(&self.threshold) {
            return Some(format!("the threshold is between 0 and 1, not {}", self.threshold));
        }
        let wrong = SignalKind::ALL.into_iter().find(|&kind| !share.contains(&self.weights.of(kind)))?;
        Some(format!("the weight of {} is between 0 and 1, not {}", wrong.label(), self.weights.of(wrong)))
    }

    /// The rule of a kind.
    #[must_use]
    pub fn rule(&self, kind: TaskKind) -> Rule {
        self.rules.get(&kind).copied().unwrap_or_default()
    }
}

/// Whether the local model can answer at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LocalState {
    /// It can, as far as is known.
    #[default]
    Ready,
    /// None is chosen, or its file is gone.
    NoModel,
    /// It does not fit the memory that there is.
    NotEnoughMemory,
    /// It was tried with this prompt and failed.
    Failed(ErrorCode),
}

/// Whether the cloud can be asked at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CloudState {
    /// A provider with a key is set up.
    Ready,
    /// None is.
    #[default]
    NoProvider,
    /// The budget is spent.
    OverBudget,
    /// It was tried with this prompt, or again and again just before, and failed.
    Failed(ErrorCode),
}

/// What is known when a prompt comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Situation {
    /// The local model.
    pub local: LocalState,
    /// The provider.
    pub cloud: CloudState,
    /// Tokens that the local model's context holds. `None` where there is no model to ask.
    pub window_tokens: Option<u32>,
    /// Tokens of the turns before.
    pub history_tokens: u32,
    /// Tokens of the prompt by the model's own tokenizer; without them they are estimated.
    pub prompt_tokens: Option<u32>,
    /// Tokens kept free for the answer.
    pub answer_tokens: u32,
    /// Failures among the local model's latest answers in this conversation: errors, answers cut off, answers that were
    /// thrown away and asked for again.
    pub recent_failures: u32,
}

impl Situation {
    /// Tokens without which there can be no answer: the prompt and the answer. Turns before can be dropped.
    #[must_use]
    pub fn needed(&self, prompt_tokens: u32) -> u32 {
        prompt_tokens.saturating_add(self.answer_tokens)
    }
}

/// Where a prompt goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(rename = "RouteTarget")]
#[serde(rename_all = "snake_case")]
pub enum Route {
    /// To the model on this device.
    Local,
    /// To the cloud, once there is consent.
    Cloud,
    /// Nowhere: neither can answer. The reasons say why.
    Nowhere,
}

/// Whether the person agrees that this prompt leaves the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(rename = "RouteConsent")]
#[serde(rename_all = "snake_case")]
pub enum Consent {
    /// It does not leave.
    NotNeeded,
    /// By the policy: *auto* was chosen.
    ByPolicy,
    /// Not yet: ask, then [`Decision::answered`].
    Ask,
    /// Asked, and yes.
    Granted,
    /// Asked, and no.
    Refused,
}

/// Why the local model cannot answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(rename = "RouteLocalProblem")]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum LocalProblem {
    /// None is chosen, or its file is gone.
    NoModel,
    /// It does not fit the memory that there is.
    NotEnoughMemory,
    /// Prompt and answer are longer than its context.
    WindowTooSmall {
        /// Tokens of both.
        needed: u32,
        /// Tokens that the context holds.
        window: u32,
    },
    /// It was tried and failed.
    Failed {
        /// Why.
        code: ErrorCode,
    },
}

/// Why the cloud cannot be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(rename = "RouteCloudProblem")]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum CloudProblem {
    /// No provider with a key.
    NoProvider,
    /// The budget is spent.
    OverBudget,
    /// It was tried and failed.
    Failed {
        /// Why.
        code: ErrorCode,
    },
}

/// One step of a decision.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, TS)]
#[ts(rename = "RouteReason")]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Reason {
    /// The policy keeps everything here.
    AlwaysLocal,
    /// The policy has a rule for this kind of task.
    RuleOfKind {
        /// The kind.
        task: TaskKind,
        /// Local or cloud.
        rule: Rule,
    },
    /// The score reaches the threshold.
    ScoreReaches {
        /// The score.
        score: f64,
        /// The threshold.
        threshold: f64,
    },
    /// The score stays below the threshold.
    ScoreBelow {
        /// The score.
        score: f64,
        /// The threshold.
        threshold: f64,
    },
    /// The local model cannot answer.
    LocalCannot {
        /// Why.
        problem: LocalProblem,
    },
    /// The cloud would be asked and cannot be.
    CloudCannot {
        /// Why.
        problem: CloudProblem,
    },
    /// The person was asked and agreed.
    ConsentGranted,
    /// The person was asked and refused.
    ConsentRefused,
}

impl Reason {
    /// In English, for the command line.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self {
            Self::AlwaysLocal => "The policy keeps every prompt on this device.".to_owned(),
            Self::RuleOfKind { task, rule } => {
                let place = if *rule == Rule::Cloud { "to the cloud" } else { "to the local model" };
                format!("The policy sends this kind of task ({}) {place}.", task.label())
            }
            Self::ScoreReaches { score, threshold } => {
                format!("The score {score:.2} reaches the threshold {threshold:.2}.")
            }
            Self::ScoreBelow { score, threshold } => {
                format!("The score {score:.2} is below the threshold {threshold:.2}.")
            }
            Self::LocalCannot { problem } => match problem {
                LocalProblem::NoModel => "There is no local model.".to_owned(),
                LocalProblem::NotEnoughMemory => "The local model does not fit the memory that is free.".to_owned(),
                LocalProblem::WindowTooSmall { needed, window } => {
                    format!("Prompt and answer need {needed} tokens, and the local model's window has {window}.")
                }
                LocalProblem::Failed { code } => format!("The local model failed ({}).", wire(*code)),
            },
            Self::CloudCannot { problem } => match problem {
                CloudProblem::NoProvider => "No cloud provider is set up.".to_owned(),
                CloudProblem::OverBudget => "The budget for the cloud is spent.".to_owned(),
                CloudProblem::Failed { code } => format!("The cloud failed ({}).", wire(*code)),
            },
            Self::ConsentGranted => "You agreed that this prompt goes to the cloud.".to_owned(),
            Self::ConsentRefused => "You did not want this prompt to go to the cloud.".to_owned(),
        }
    }
}

/// A code as it is written everywhere.
fn wire(code: ErrorCode) -> String {
    serde_json::to_value(code).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// Where a prompt goes and everything that led there, to be stored with the answer. Of the prompt it holds only what it
/// shares with our own lists of terms.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[ts(rename = "RouteDecision")]
pub struct Decision {
    /// Where to.
    pub route: Route,
    /// Whether the person agrees.
    pub consent: Consent,
    /// What kind of task it looks like.
    pub task: TaskKind,
    /// How hard it looks, 0–1.
    pub score: f64,
    /// From which score on the policy sends to the cloud.
    pub threshold: f64,
    /// What the score is made of.
    pub signals: Vec<Signal>,
    /// Why so, step by step.
    pub reasons: Vec<Reason>,
    /// Whether the local model can answer: where the prompt goes if the cloud is refused.
    pub local_can: bool,
}

impl Decision {
    /// What becomes of a decision with [`Consent::Ask`] once the person has answered. Any other stays as it is.
    #[must_use]
    pub fn answered(mut self, yes: bool) -> Self {
        if self.consent != Consent::Ask {
            return self;
        }
        if yes {
            self.consent = Consent::Granted;
            self.reasons.push(Reason::ConsentGranted);
        } else {
            self.consent = Consent::Refused;
            self.route = if self.local_can { Route::Local } else { Route::Nowhere };
            self.reasons.push(Reason::ConsentRefused);
        }
        self
    }
}

/// Decides where a prompt goes.
///
/// - *Always local*: here, or nowhere.
/// - Else the rule of the kind decides, or the score. What should go to the cloud and cannot goes to the local model.
/// - What should stay here and cannot goes to the cloud only after the person has said yes to this very prompt, also under
///   *auto*.
#[must_use]
pub fn decide(policy: &Policy, prompt: &str, situation: &Situation) -> Decision {
    let Score { kind, total, signals, tokens } = score(&policy.weights, prompt, situation);
    let local = local_problem(situation, tokens);
    let cloud = match situation.cloud {
        CloudState::Ready => None,
        CloudState::NoProvider => Some(CloudProblem::NoProvider),
        CloudState::OverBudget => Some(CloudProblem::OverBudget),
        CloudState::Failed(code) => Some(CloudProblem::Failed { code }),
    };
    let threshold = policy.threshold;
    let (wants_cloud, first) = match (policy.mode, policy.rule(kind)) {
        (Mode::AlwaysLocal, _) => (false, Reason::AlwaysLocal),
        (_, rule @ (Rule::Local | Rule::Cloud)) => (rule == Rule::Cloud, Reason::RuleOfKind { task: kind, rule }),
        (_, Rule::ByScore) if total >= threshold => (true, Reason::ScoreReaches { score: total, threshold }),
        (_, Rule::ByScore) => (false, Reason::ScoreBelow { score: total, threshold }),
    };
    let mut reasons = vec![first];
    let may_ask = policy.mode != Mode::AlwaysLocal;
    // The second choice is looked at only where the first cannot be had.
    let (route, consent) = match (wants_cloud, local, cloud) {
        (true, _, None) if policy.mode == Mode::Auto => (Route::Cloud, Consent::ByPolicy),
        (true, _, None) => (Route::Cloud, Consent::Ask),
        (true, None, Some(problem)) => {
            reasons.push(Reason::CloudCannot { problem });
            (Route::Local, Consent::NotNeeded)
        }
        (true, Some(here), Some(there)) => {
            reasons.extend([Reason::CloudCannot { problem: there }, Reason::LocalCannot { problem: here }]);
            (Route::Nowhere, Consent::NotNeeded)
        }
        (false, None, _) => (Route::Local, Consent::NotNeeded),
        (false, Some(problem), None) if may_ask => {
            reasons.push(Reason::LocalCannot { problem });
            (Route::Cloud, Consent::Ask)
        }
        (false, Some(problem), there) => {
            reasons.push(Reason::LocalCannot { problem });
            reasons.extend(there.filter(|_| may_ask).map(|problem| Reason::CloudCannot { problem }));
            (Route::Nowhere, Consent::NotNeeded)
        }
    };
    Decision { route, consent, task: kind, score: total, threshold, signals, reasons, local_can: local.is_none() }
}

fn local_problem(situation: &Situation, tokens: u32) -> Option<LocalProblem> {
    match situation.local {
        LocalState::NoModel => Some(LocalProblem::NoModel),
        LocalState::NotEnoughMemory => Some(LocalProblem::NotEnoughMemory),
        LocalState::Failed(code) => Some(LocalProblem::Failed { code }),
        LocalState::Ready => {
            let (needed, window) = (situation.needed(tokens), situation.window_tokens?);
            (needed > window).then_some(LocalProblem::WindowTooSmall { needed, window })
        }
    }
}
