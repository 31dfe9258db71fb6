//! How well a policy agrees with people who have said where each prompt of a set belongs, and what it would cost.

use super::{CloudState, Mode, Policy, Route, Situation, TaskKind, decide, estimate_tokens};
use crate::stats::{self, Interval};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// Thresholds of a curve: this many steps from 0 to 1.
const STEPS: u32 = 20;

/// Where a prompt belongs. `docs/routing.md` says what that means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[ts(rename = "RouteLabel")]
#[serde(rename_all = "snake_case")]
pub enum Label {
    /// A model of 0.1 to 4 billion weights does it well enough.
    Local,
    /// Such a model predictably fails.
    Cloud,
}

/// One prompt of a labelled set: a line of `models/route/prompts.jsonl`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelledPrompt {
    /// Name within the set.
    pub id: String,
    /// The prompt.
    pub prompt: String,
    /// What kind of task it is.
    pub kind: TaskKind,
    /// Its language, as ISO 639-1.
    pub language: String,
    /// Where it belongs.
    pub label: Label,
    /// Why there.
    pub why: String,
    /// Tokens of the turns before it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub history_tokens: u32,
    /// Failures among the local model's latest answers.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub failed: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(value: &u32) -> bool {
    *value == 0
}

/// What the local model is taken to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(rename = "RouteLocalWindow")]
pub struct LocalWindow {
    /// Tokens of its context.
    pub tokens: u32,
    /// Tokens of it that are kept free for the answer.
    pub answer_tokens: u32,
}

impl Default for LocalWindow {
    /// The smallest context that chats are usually given.
    fn default() -> Self {
        Self { tokens: 4096, answer_tokens: 512 }
    }
}

impl LabelledPrompt {
    /// The prompt's situation: both models can be had.
    #[must_use]
    pub fn situation(&self, window: LocalWindow) -> Situation {
        Situation {
            cloud: CloudState::Ready,
            window_tokens: Some(window.tokens),
            answer_tokens: window.answer_tokens,
            history_tokens: self.history_tokens,
            recent_failures: self.failed,
            ..Situation::default()
        }
    }
}

/// How labels and routes meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, TS)]
#[ts(rename = "RouteConfusion")]
pub struct Confusion {
    /// Hard, and sent to the cloud.
    pub cloud_to_cloud: u32,
    /// Hard, and left to the local model: a bad answer.
    pub cloud_to_local: u32,
    /// Easy, and left to the local model.
    pub local_to_local: u32,
    /// Easy, and sent to the cloud: money and privacy for nothing.
    pub local_to_cloud: u32,
}

impl Confusion {
    fn count(pairs: impl IntoIterator<Item = (Label, Label)>) -> Self {
        let mut counts = Self::default();
        for pair in pairs {
            *match pair {
                (Label::Cloud, Label::Cloud) => &mut counts.cloud_to_cloud,
                (Label::Cloud, Label::Local) => &mut counts.cloud_to_local,
                (Label::Local, Label::Local) => &mut counts.local_to_local,
                (Label::Local, Label::Cloud) => &mut counts.local_to_cloud,
            } += 1;
        }
        counts
    }

    /// How many prompts.
    #[must_use]
    pub fn prompts(&self) -> u32 {
        self.agreeing() + self.cloud_to_local + self.local_to_cloud
    }

    /// How many went where they belong.
    #[must_use]
    pub fn agreeing(&self) -> u32 {
        self.cloud_to_cloud + self.local_to_local
    }
}

/// What a way of routing does with a set.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, TS)]
#[ts(rename = "RouteOutcome")]
pub struct Outcome {
    /// Labels against routes.
    pub confusion: Confusion,
    /// Share that went where it belongs; absent for an empty set.
    pub agreement: Option<f64>,
    /// Wilson's 95 % interval of it.
    pub interval: Option<Interval>,
    /// Share that went to the cloud.
    pub cloud_share: Option<f64>,
}

impl Outcome {
    fn of(confusion: Confusion) -> Self {
        let n = confusion.prompts();
        let share = |count: u32| (n > 0).then(|| f64::from(count) / f64::from(n));
        Self {
            confusion,
            agreement: share(confusion.agreeing()),
            interval: stats::wilson(u64::from(confusion.agreeing()), u64::from(n)),
            cloud_share: share(confusion.cloud_to_cloud + confusion.local_to_cloud),
        }
    }
}

/// How fast a model answers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, TS)]
#[ts(rename = "RouteSpeed")]
pub struct Speed {
    /// Tokens of a prompt a second; absent where the time to the first token is given instead.
    pub prefill_tps: Option<f64>,
    /// Milliseconds before the first token that do not depend on the prompt.
    pub ttft_ms: f64,
    /// Tokens of an answer a second.
    pub decode_tps: f64,
}

impl Speed {
    /// Seconds for a whole answer.
    #[must_use]
    pub fn seconds(&self, prompt_tokens: u32, answer_tokens: u32) -> f64 {
        let prefill = self.prefill_tps.map_or(0.0, |tps| f64::from(prompt_tokens) / tps);
        self.ttft_ms / 1e3 + prefill + f64::from(answer_tokens) / self.decode_tps
    }
}

/// What a provider takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[ts(rename = "RoutePrice")]
pub struct Price {
    /// For a million tokens of prompts.
    pub input_per_million: f64,
    /// For a million tokens of answers.
    pub output_per_million: f64,
    /// ISO 4217.
    pub currency: String,
}

/// What is known of cost and time. What is not stays unknown in the result.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, TS)]
#[ts(rename = "RouteRates")]
pub struct Rates {
    /// The local model, as measured here.
    pub local: Option<Speed>,
    /// The cloud model.
    pub cloud: Option<Speed>,
    /// What the cloud model costs.
    pub price: Option<Price>,
}

/// Cost and time that a way of routing is expected to take.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, TS)]
#[ts(rename = "RouteExpected")]
pub struct Expected {
    /// Cost of a thousand such prompts; absent without a price.
    pub cost_per_thousand: Option<f64>,
    /// Mean seconds of a whole answer; absent where a speed that it needs is not known.
    pub mean_seconds: Option<f64>,
}

/// One threshold of a curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, TS)]
#[ts(rename = "RouteCurvePoint")]
pub struct CurvePoint {
    /// The threshold.
    pub threshold: f64,
    /// Agreement and share.
    pub outcome: Outcome,
    /// Cost and time.
    pub expected: Expected,
}

/// Other ways of routing, to compare with.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, TS)]
#[ts(rename = "RouteBaseline")]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Baseline {
    /// Everything to the local model.
    AlwaysLocal,
    /// Everything to the cloud.
    AlwaysCloud,
    /// To the cloud from a length on, the one that agrees best with the development part.
    LengthOnly {
        /// Tokens, estimated.
        tokens: u32,
    },
    /// The rule of a published review, with its threshold.
    PublishedRule {
        /// Score above which it sends to the cloud.
        threshold: f64,
    },
}

/// A baseline and what it does with the set.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, TS)]
#[ts(rename = "RouteBaselineOutcome")]
pub struct BaselineOutcome {
    /// Which.
    pub baseline: Baseline,
    /// Agreement and share.
    pub outcome: Outcome,
    /// Cost and time.
    pub expected: Expected,
}

/// Agreement within a part of a set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[ts(rename = "RouteGroupOutcome")]
pub struct GroupOutcome {
    /// Kind of task by label, or language.
    pub name: String,
    /// Agreement and share.
    pub outcome: Outcome,
}

/// A prompt that did not go where it belongs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[ts(rename = "RouteMiss")]
pub struct Miss {
    /// Its name in the set.
    pub id: String,
    /// Where it belongs.
    pub label: Label,
    /// Its score.
    pub score: f64,
    /// What kind of task it was taken for.
    pub task: TaskKind,
}

/// What a policy does with a labelled set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[ts(rename = "RoutePolicyEvaluation")]
pub struct Evaluation {
    /// At the policy's own threshold.
    pub at_threshold: CurvePoint,
    /// Over all thresholds, ascending.
    pub curve: Vec<CurvePoint>,
    /// Beside it.
    pub baselines: Vec<BaselineOutcome>,
    /// By kind of task, as labelled.
    pub by_kind: Vec<GroupOutcome>,
    /// By language.
    pub by_language: Vec<GroupOutcome>,
    /// Prompts whose kind was recognised.
    pub kinds_recognised: u32,
    /// What went elsewhere than it belongs, at the policy's own threshold.
    pub misses: Vec<Miss>,
}

/// A prompt of a set as a policy sees it.
struct Seen<'a> {
    labelled: &'a LabelledPrompt,
    prompt_tokens: u32,
}

/// Evaluates a policy on `set` as if *auto* were its mode. `development` is what a baseline may be fitted to.
#[must_use]
pub fn evaluate(
    policy: &Policy,
    set: &[LabelledPrompt],
    development: &[LabelledPrompt],
    window: LocalWindow,
    rates: &Rates,
) -> Evaluation {
    let policy = Policy { mode: Mode::Auto, ..policy.clone() };
    let seen: Vec<Seen> =
        set.iter().map(|labelled| Seen { labelled, prompt_tokens: estimate_tokens(&labelled.prompt) }).collect();
    let at = |threshold: f64| {
        let policy = Policy { threshold, ..policy.clone() };
        let routes: Vec<Label> = set.iter().map(|prompt| route(&policy, prompt, window)).collect();
        (CurvePoint { threshold, outcome: outcome(set, &routes), expected: expected(&seen, &routes, rates) }, routes)
    };
    let (at_threshold, routes) = at(policy.threshold);
    let curve = (0..=STEPS).map(|step| at(f64::from(step) / f64::from(STEPS)).0).collect();

    let mut misses = Vec::new();
    let mut kinds_recognised = 0;
    for (prompt, went) in set.iter().zip(&routes) {
        let decision = decide(&policy, &prompt.prompt, &prompt.situation(window));
        kinds_recognised += u32::from(decision.task == prompt.kind);
        if *went != prompt.label {
            let (id, label) = (prompt.id.clone(), prompt.label);
            misses.push(Miss { id, label, score: decision.score, task: decision.task });
        }
    }

    let baselines = [
        Baseline::AlwaysLocal,
        Baseline::AlwaysCloud,
        Baseline::LengthOnly { tokens: best_length(development) },
        Baseline::PublishedRule { threshold: PUBLISHED_THRESHOLD },
    ]
    .map(|baseline| {
        let routes: Vec<Label> = set.iter().map(|prompt| baseline.route(&prompt.prompt)).collect();
        BaselineOutcome { baseline, outcome: outcome(set, &routes), expected: expected(&seen, &routes, rates) }
    });
    Evaluation {
        at_threshold,
        curve,
        baselines: baselines.to_vec(),
        by_kind: groups(set, &routes, |prompt| prompt.kind.label().to_owned()),
        by_language: groups(set, &routes, |prompt| prompt.language.clone()),
        kinds_recognised,
        misses,
    }
}

fn route(policy: &Policy, prompt: &LabelledPrompt, window: LocalWindow) -> Label {
    match decide(policy, &prompt.prompt, &prompt.situation(window)).route {
        Route::Cloud => Label::Cloud,
        Route::Local | Route::Nowhere => Label::Local,
    }
}

fn outcome(set: &[LabelledPrompt], routes: &[Label]) -> Outcome {
    Outcome::of(Confusion::count(set.iter().map(|prompt| prompt.label).zip(routes.iter().copied())))
}

/// In the order in which the groups first appear.
fn groups(set: &[LabelledPrompt], routes: &[Label], name: impl Fn(&LabelledPrompt) -> String) -> Vec<GroupOutcome> {
    let mut pairs: Vec<(String, Vec<(Label, Label)>)> = Vec::new();
    for (prompt, &went) in set.iter().zip(routes) {
        let name = name(prompt);
        let pair = (prompt.label, went);
        match pairs.iter_mut().find(|(known, _)| *known == name) {
            Some((_, group)) => group.push(pair),
            None => pairs.push((name, vec![pair])),
        }
    }
    pairs
        .into_iter()
        .map(|(name, pairs)| GroupOutcome { name, outcome: Outcome::of(Confusion::count(pairs)) })
        .collect()
}

fn expected(seen: &[Seen], routes: &[Label], rates: &Rates) -> Expected {
    let n = seen.len() as f64;
    let tokens = |prompt: &Seen| {
        let input = prompt.prompt_tokens.saturating_add(prompt.labelled.history_tokens);
        (input, prompt.labelled.kind.assumed_answer_tokens())
    };
    let cost = rates.price.as_ref().map(|price| {
        let to_cloud = seen.iter().zip(routes).filter(|(_, route)| **route == Label::Cloud);
        let sum: f64 = to_cloud
            .map(|(prompt, _)| {
                let (input, output) = tokens(prompt);
                f64::from(input) * price.input_per_million + f64::from(output) * price.output_per_million
            })
            .sum();
        sum / 1e6 / n * 1e3
    });
    let seconds = seen.iter().zip(routes).map(|(prompt, route)| {
        let speed = if *route == Label::Cloud { rates.cloud } else { rates.local };
        let (input, output) = tokens(prompt);
        speed.map(|speed| speed.seconds(input, output))
    });
    let total: Option<f64> = seconds.sum();
    let finite = |value: f64| Some(value).filter(|value| value.is_finite());
    Expected { cost_per_thousand: cost.and_then(finite), mean_seconds: total.and_then(|sum| finite(sum / n)) }
}

impl Baseline {
    /// Where it sends a prompt.
    #[must_use]
    pub fn route(self, prompt: &str) -> Label {
        let cloud = match self {
            Self::AlwaysLocal => false,
            Self::AlwaysCloud => true,
            Self::LengthOnly { tokens } => estimate_tokens(prompt) >= tokens,
            Self::PublishedRule { threshold } => published_score(prompt) > threshold,
        };
        if cloud { Label::Cloud } else { Label::Local }
    }
}

/// The length that agrees best with a set, the smallest of those; nothing is long enough for an empty one.
fn best_length(development: &[LabelledPrompt]) -> u32 {
    let lengths: Vec<(u32, Label)> =
        development.iter().map(|prompt| (estimate_tokens(&prompt.prompt), prompt.label)).collect();
    let agreeing = |least: u32| lengths.iter().filter(|(n, label)| (*n >= least) == (*label == Label::Cloud)).count();
    let mut candidates: Vec<u32> = lengths.iter().map(|(n, _)| *n).chain([u32::MAX]).collect();
    candidates.sort_unstable();
    candidates.dedup();
    // `max_by_key` takes the last of equals.
    candidates.into_iter().rev().max_by_key(|least| agreeing(*least)).unwrap_or(u32::MAX)
}

/// Threshold of the published rule.
const PUBLISHED_THRESHOLD: f64 = 0.7;

/// The published review's score: 0.3 each for code markers, mathematics words and more than 200 words
/// (`models/claims/mimo-vs-phi4-review.json` names the publication). It does not say which markers and words, so these are
/// ours, the obvious ones. At its threshold of 0.7 a prompt needs all three.
#[must_use]
pub fn published_score(prompt: &str) -> f64 {
    const CODE: [&str; 12] = [
        "```",
        "def ",
        "class ",
        "import ",
        "function",
        "code",
        "return ",
        "const ",
        "python",
        "javascript",
        "sql",
        "#include",
    ];
    const MATHEMATICS: [&str; 14] = [
        "calculate",
        "compute",
        "solve",
        "equation",
        "integral",
        "derivative",
        "prove",
        "theorem",
        "matrix",
        "probability",
        "sum",
        "formula",
        "mathematic",
        "algebra",
    ];
    let lower = prompt.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    let parts = [has(&CODE), has(&MATHEMATICS), prompt.split_whitespace().count() > 200];
    parts.into_iter().filter(|part| *part).count() as f64 * 0.3
}
