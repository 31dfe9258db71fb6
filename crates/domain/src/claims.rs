//! Figures that others have published, kept apart from everything that was measured here, and what can be said about
//! them without measuring: whether the stated device could do it at all, and whether the stated totals and averages
//! follow from the stated values.

use crate::format;
use crate::metric::Metric;
use crate::roofline;
use crate::suite::Category;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use ts_rs::TS;

/// One publication and its figures, as a file in `models/claims/`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct ClaimSet {
    /// Version of this format, 1.
    pub schema: u32,
    /// Stable name.
    pub id: String,
    /// For people.
    pub title: String,
    /// Where the figures come from.
    pub source: ClaimSource,
    /// What the source says they were measured on.
    pub device: ClaimedDevice,
    /// The models, as the source names them.
    pub models: Vec<ClaimedModel>,
    /// How the source says it measured.
    pub method: ClaimedMethod,
    /// The figures.
    pub claims: Vec<Claim>,
    /// What the source concludes from its own figures.
    pub comparisons: Vec<StatedComparison>,
    /// The source's weighted totals, where it gives any.
    pub scorecard: Option<StatedScorecard>,
    /// What else it states that bears on a choice, in our words. Nothing here can be checked.
    pub statements: Vec<String>,
}

/// Where published figures come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct ClaimSource {
    /// What the publication is, and who wrote it, where that is known.
    pub publication: String,
    /// When it appeared, as exactly as is known: `2026`, `2026-03` or `2026-03-09`.
    pub published: String,
    /// What these figures are: `published claim, not measured by this project`.
    pub kind: String,
    /// What a reader must know to judge them, such as what the source leaves open.
    pub notes: Vec<String>,
}

/// A device as a publication describes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct ClaimedDevice {
    /// Product, such as `Xiaomi 14 Pro`.
    pub name: String,
    /// Processor.
    pub chip: String,
    /// Physical memory.
    pub ram_bytes: u64,
    /// Operating system and version.
    pub os: String,
    /// Number format of the weights, as the source calls it, such as `INT4`.
    pub precision: String,
    /// How fast its memory is, where that is known.
    pub bandwidth: Option<ClaimedBandwidth>,
}

/// How fast a device reads its memory, and how we know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct ClaimedBandwidth {
    /// Bytes a second.
    pub bytes_per_s: f64,
    /// How we know.
    pub certainty: BandwidthCertainty,
    /// Where the figure comes from, in words.
    pub source: String,
}

/// How a memory bandwidth is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum BandwidthCertainty {
    /// Measured on such a device.
    Measured,
    /// Clock × width of the memory: what the hardware cannot exceed. Programs reach less.
    SpecificationPeak,
}

/// A model as a publication describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct ClaimedModel {
    /// Name within the set.
    pub id: String,
    /// As the source calls it.
    pub name: String,
    /// The model of our catalogue that it is, where there is one.
    pub catalogue_id: Option<String>,
    /// Number of weights.
    pub n_params: u64,
    /// As the source calls it, such as `INT4`.
    pub quantization: String,
    /// Whether only a part of the weights works on a token: then a file's size does not say what a token reads.
    pub mixture_of_experts: bool,
}

/// How a publication says that it measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct ClaimedMethod {
    /// Repetitions behind each figure.
    pub runs: Option<u32>,
    /// Percentile that it reports beside the mean, such as 95.
    pub percentile: Option<f64>,
    /// What is questionable about it, in our words.
    pub notes: Vec<String>,
}

/// A figure's meaning: one of ours, or a size that we do not measure as a figure of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(untagged)]
pub enum ClaimedMetric {
    /// A figure that Pocketbench measures, too.
    Measured(Metric),
    /// A size.
    Size(ClaimedSize),
}

/// A size that publications state. `docs/benchmarking.md` defines the terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum ClaimedSize {
    /// The model file.
    FileBytes,
    /// The KV cache.
    KvBytes,
    /// Everything that the model needs on disk.
    StorageBytes,
    /// The inference stack without a model.
    BaselineRssBytes,
}

impl ClaimedMetric {
    /// The unit that its base values have: `ms`, `tok/s` or `B`.
    #[must_use]
    pub fn unit(self) -> &'static str {
        match self {
            Self::Measured(metric) => metric.unit(),
            Self::Size(_) => "B",
        }
    }

    /// Name in English, for the command line and reports.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Measured(metric) => metric.label(),
            Self::Size(ClaimedSize::FileBytes) => "Model file",
            Self::Size(ClaimedSize::KvBytes) => "KV cache",
            Self::Size(ClaimedSize::StorageBytes) => "Storage",
            Self::Size(ClaimedSize::BaselineRssBytes) => "Inference stack",
        }
    }
}

/// The unit that a figure was published in. MB and GB are powers of ten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
pub enum ClaimUnit {
    /// Milliseconds.
    #[serde(rename = "ms")]
    Milliseconds,
    /// Seconds.
    #[serde(rename = "s")]
    Seconds,
    /// Tokens a second.
    #[serde(rename = "tok/s")]
    TokensPerSecond,
    /// Bytes.
    #[serde(rename = "B")]
    Bytes,
    /// 10⁶ bytes.
    #[serde(rename = "MB")]
    Megabytes,
    /// 10⁹ bytes.
    #[serde(rename = "GB")]
    Gigabytes,
}

impl ClaimUnit {
    /// The unit of the base value and how many of those one of these is.
    fn base(self) -> (&'static str, f64) {
        match self {
            Self::Milliseconds => ("ms", 1.0),
            Self::Seconds => ("ms", 1e3),
            Self::TokensPerSecond => ("tok/s", 1.0),
            Self::Bytes => ("B", 1.0),
            Self::Megabytes => ("B", 1e6),
            Self::Gigabytes => ("B", 1e9),
        }
    }
}

/// How many tokens an answer had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct TokenRange {
    /// At least.
    pub least: u32,
    /// At most, where that is stated.
    pub most: Option<u32>,
}

/// One published figure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// Name within the set.
    pub id: String,
    /// Whose figure: a model of the set.
    pub model: String,
    /// What the figure is.
    pub metric: ClaimedMetric,
    /// Kind of work it was taken on.
    #[serde(default)]
    pub task: Option<Category>,
    /// Tokens of one answer, where stated.
    #[serde(default)]
    pub tokens: Option<TokenRange>,
    /// Prompts of a batch, where it is one.
    #[serde(default)]
    pub prompts: Option<u32>,
    /// The figure as published.
    pub value: f64,
    /// Its unit as published.
    pub unit: ClaimUnit,
}

impl Claim {
    /// The figure in the unit of its metric: ms, tok/s or bytes.
    #[must_use]
    pub fn base_value(&self) -> f64 {
        self.value * self.unit.base().1
    }
}

/// A publication's conclusion that one model's figures are lower than another's by a share.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct StatedComparison {
    /// Name within the set.
    pub id: String,
    /// What is stated, in our words and without the number, such as `lower average latency`.
    pub says: String,
    /// The model that is said to be lower.
    pub model: String,
    /// Than which.
    pub against: String,
    /// By how much, in percent.
    pub lower_by_percent: f64,
    /// Digits after the point of the number stated.
    pub decimals: u32,
    /// The figures that it may rest on, the likeliest meaning of the words first. Each entry is a set of metrics that
    /// are averaged over all tasks that both models have.
    pub bases: Vec<Vec<ClaimedMetric>>,
}

/// A publication's weighted scores.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct StatedScorecard {
    /// What is weighed.
    pub criteria: Vec<StatedCriterion>,
    /// What each model got.
    pub totals: Vec<StatedTotal>,
}

/// One criterion of a scorecard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct StatedCriterion {
    /// For people.
    pub name: String,
    /// Its weight.
    pub weight_percent: f64,
}

/// Scores of one model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct StatedTotal {
    /// The model.
    pub model: String,
    /// One score a criterion, in their order.
    pub scores: Vec<f64>,
    /// The total that the source states.
    pub total: f64,
    /// Digits after the point of that total.
    pub decimals: u32,
}

/// Why a set of claims is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("claims `{set}`: {problem}")]
pub struct ClaimError {
    /// The set's id.
    pub set: String,
    /// What is wrong with it.
    pub problem: String,
}

/// Bytes of weights that one token reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WeightReads {
    /// As well as is known.
    pub bytes: u64,
    /// Certainly at least.
    pub at_least: u64,
}

impl WeightReads {
    /// Known from a model's header: see [`roofline::bytes_per_token`].
    #[must_use]
    pub fn exactly(bytes: u64) -> Self {
        Self { bytes, at_least: bytes }
    }

    /// Of a dense model of which only the file's size is known. One table in it is not read whole, the embeddings. The
    /// output matrix has the same shape and is read whole, so that at least half of the file is read.
    #[must_use]
    pub fn of_file(file_bytes: u64) -> Self {
        Self { bytes: file_bytes, at_least: file_bytes / 2 }
    }
}

/// What memory bandwidth says to a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum LimitVerdict {
    /// The memory is fast enough.
    Possible,
    /// Fast enough only if a token reads less than the whole file.
    Doubtful,
    /// *Not physically possible*: not even the shortest answer that was stated could be had in the time.
    Impossible,
    /// The source does not say how long the answers were.
    LengthNotStated,
}

/// A figure beside the limit that memory sets, with the arithmetic. It holds where each token reads the weights once; a
/// method that takes several tokens from one reading (speculative decoding) would have to take at least
/// [`times_limit`](Self::times_limit) on average.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, TS)]
pub struct LimitCheck {
    /// What follows.
    pub verdict: LimitVerdict,
    /// The time that is claimed, in seconds; for a rate, the time of one token.
    pub seconds: f64,
    /// Times that the weights are read in it: tokens of an answer, 1 for a rate. `None` where not stated.
    pub tokens: Option<TokenRange>,
    /// Bytes read for one token.
    pub bytes_per_token: u64,
    /// Bytes a second that the device's memory gives.
    pub bandwidth: f64,
    /// Bytes a second that the shortest stated answer needs.
    pub needed_least: Option<f64>,
    /// Bytes a second that the longest stated answer needs.
    pub needed_most: Option<f64>,
    /// Least bytes a second needed ÷ those that there are.
    pub times_limit: Option<f64>,
    /// The least time that the shortest stated answer takes on this memory, in seconds.
    pub fastest_seconds: Option<f64>,
    /// Tokens a second that the memory allows.
    pub limit_tps: f64,
    /// Tokens that can be had in the time claimed.
    pub tokens_in_time: f64,
}

/// How an average was formed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Average {
    /// Ratio of the arithmetic means: what "average" says.
    Arithmetic,
    /// Geometric mean of the tasks' ratios: no task outweighs another.
    Geometric,
}

/// A stated comparison, computed anew in one way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct Reading {
    /// From which figures.
    pub metrics: Vec<ClaimedMetric>,
    /// Averaged how.
    pub average: Average,
    /// Tasks that both models have.
    pub tasks: u32,
    /// Arithmetic mean of the model, in the metric's unit.
    pub mean: f64,
    /// Arithmetic mean of the other.
    pub against_mean: f64,
    /// By how much the model is lower, in percent.
    pub lower_by_percent: f64,
    /// Whether that is the number stated, as rounded there.
    pub agrees: bool,
}

/// How a statement stands after a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Nothing speaks against it.
    Holds,
    /// It cannot be decided, or it holds only in another meaning than its words have.
    Unclear,
    /// It cannot be true as stated.
    Fails,
}

/// What a check found: numbers, so that every language can word it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Finding {
    /// A time or a rate beside the limit of the device's memory.
    Limit {
        /// Which claim.
        claim: String,
        /// The arithmetic.
        check: LimitCheck,
    },
    /// Resident memory beside the device's.
    Memory {
        /// Which claim.
        claim: String,
        /// Claimed.
        bytes: f64,
        /// What the device has.
        ram_bytes: u64,
    },
    /// A comparison beside the figures it rests on.
    Comparison {
        /// Which one.
        comparison: String,
        /// As stated.
        lower_by_percent: f64,
        /// As computed from the source's own figures.
        readings: Vec<Reading>,
    },
    /// A scorecard's weights.
    Weights {
        /// Their sum, which should be 100.
        sum_percent: f64,
    },
    /// A scorecard's total beside its own weights and scores.
    Total {
        /// Which model.
        model: String,
        /// As stated.
        stated: f64,
        /// As computed, unrounded.
        computed: f64,
        /// Whether they agree to the digits stated.
        agrees: bool,
    },
    /// A percentile beside the number of values behind it.
    Percentile {
        /// Which percentile, such as 95.
        percentile: f64,
        /// Values.
        runs: u32,
        /// Fewest values that have another value between this percentile and the largest.
        runs_needed: u32,
    },
}

/// Compares a claim with the limit that memory sets. `None` where the limit says nothing about such a figure (prefill
/// is bound by computing, loading by storage, sizes by neither), or a number is not one.
///
/// The weights alone are counted; keys and values come on top, so that the limit errs on the generous side.
#[must_use]
pub fn check_limit(claim: &Claim, bandwidth: f64, reads: WeightReads) -> Option<LimitCheck> {
    let limit_tps = roofline::decode_limit(bandwidth, reads.bytes)?;
    let value = claim.base_value();
    if !(value.is_finite() && value > 0.0) {
        return None;
    }
    let one = Some(TokenRange { least: 1, most: Some(1) });
    let ClaimedMetric::Measured(metric) = claim.metric else { return None };
    let prompts = claim.prompts.unwrap_or(1).max(1);
    let (seconds, tokens) = match metric {
        // The first token comes out of the prefill, which reads the weights, too: n tokens are n readings. The
        // sequences of a batch share them.
        Metric::E2eMs | Metric::BatchMs => (value / 1e3, claim.tokens),
        Metric::InTurnMs => {
            let all = |tokens: u32| tokens.saturating_mul(prompts);
            (value / 1e3, claim.tokens.map(|t| TokenRange { least: all(t.least), most: t.most.map(all) }))
        }
        Metric::TtftMs | Metric::TtfoMs | Metric::FirstTokenMs | Metric::ItlMs => (value / 1e3, one),
        Metric::DecodeTps | Metric::InTurnTps | Metric::BurstTps | Metric::SteadyTps => (1.0 / value, one),
        Metric::BatchTps => (f64::from(claim.prompts?.max(1)) / value, one),
        Metric::PrefillTps | Metric::SyntheticTps | Metric::LoadMs | Metric::MjPerToken | Metric::PeakRssBytes => {
            return None;
        }
    };
    let needed = |tokens: u32, bytes: u64| f64::from(tokens) * bytes as f64 / seconds;
    let needed_least = tokens.map(|t| needed(t.least, reads.bytes));
    let verdict = match tokens {
        None => LimitVerdict::LengthNotStated,
        Some(t) if needed(t.least, reads.at_least) > bandwidth => LimitVerdict::Impossible,
        Some(t) if needed(t.least, reads.bytes) > bandwidth => LimitVerdict::Doubtful,
        Some(_) => LimitVerdict::Possible,
    };
    let check = LimitCheck {
        verdict,
        seconds,
        tokens,
        bytes_per_token: reads.bytes,
        bandwidth,
        needed_least,
        needed_most: tokens.and_then(|t| t.most).map(|most| needed(most, reads.bytes)),
        times_limit: needed_least.map(|needed| needed / bandwidth),
        fastest_seconds: tokens.map(|t| f64::from(t.least) / limit_tps),
        limit_tps,
        tokens_in_time: seconds * limit_tps,
    };
    let figures = [
        Some(check.seconds),
        Some(check.tokens_in_time),
        check.needed_least,
        check.needed_most,
        check.times_limit,
        check.fastest_seconds,
    ];
    figures.into_iter().flatten().all(f64::is_finite).then_some(check)
}

/// Checks one claim against the device that it names, with what its model reads for a token. Empty where nothing can be
/// said.
#[must_use]
pub fn check(claim: &Claim, device: &ClaimedDevice, reads: Option<WeightReads>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let (Some(bandwidth), Some(reads)) = (&device.bandwidth, reads)
        && let Some(check) = check_limit(claim, bandwidth.bytes_per_s, reads)
    {
        findings.push(Finding::Limit { claim: claim.id.clone(), check });
    }
    let bytes = claim.base_value();
    if claim.metric == ClaimedMetric::Measured(Metric::PeakRssBytes) && bytes.is_finite() && bytes > 0.0 {
        findings.push(Finding::Memory { claim: claim.id.clone(), bytes, ram_bytes: device.ram_bytes });
    }
    findings
}

impl ClaimSet {
    /// Checks what serde cannot: that names resolve and that numbers are numbers.
    pub fn validate(&self) -> Result<(), ClaimError> {
        self.problem().map_or(Ok(()), |problem| Err(ClaimError { set: self.id.clone(), problem }))
    }

    fn problem(&self) -> Option<String> {
        let positive = |x: f64| x.is_finite() && x > 0.0;
        if self.schema != 1 {
            return Some(format!("schema {} is not known", self.schema));
        }
        if self.id.is_empty() || self.title.is_empty() || self.source.kind.is_empty() {
            return Some("id, title and the source's kind must not be empty".into());
        }
        if self.device.bandwidth.as_ref().is_some_and(|b| !positive(b.bytes_per_s)) {
            return Some("the device's memory bandwidth is not a positive number".into());
        }
        let ids = |kind: &str, ids: Vec<&str>| {
            let mut seen = HashSet::new();
            ids.into_iter()
                .find(|&id| id.is_empty() || !seen.insert(id))
                .map(|id| format!("{kind} id `{id}` is empty or used twice"))
        };
        let twice = ids("model", self.models.iter().map(|m| m.id.as_str()).collect())
            .or_else(|| ids("claim", self.claims.iter().map(|c| c.id.as_str()).collect()))
            .or_else(|| ids("comparison", self.comparisons.iter().map(|c| c.id.as_str()).collect()));
        if twice.is_some() {
            return twice;
        }
        let totals = self.scorecard.iter().flat_map(|card| card.totals.iter().map(|t| &t.model));
        let compared = self.comparisons.iter().flat_map(|c| [&c.model, &c.against]);
        let mut named = self.claims.iter().map(|c| &c.model).chain(compared).chain(totals);
        if let Some(model) = named.find(|&id| self.models.iter().all(|m| m.id != *id)) {
            return Some(format!("there is no model `{model}`"));
        }
        for claim in &self.claims {
            let range = claim.tokens.is_none_or(|t| t.least > 0 && t.most.is_none_or(|most| most >= t.least));
            if !positive(claim.base_value()) || !range || claim.prompts == Some(0) {
                return Some(format!("claim `{}` has a number that makes no sense", claim.id));
            }
            if claim.metric.unit() != claim.unit.base().0 {
                return Some(format!("claim `{}` has the unit of something else", claim.id));
            }
        }
        for stated in &self.comparisons {
            if !stated.lower_by_percent.is_finite() || stated.decimals > 6 {
                return Some(format!("comparison `{}` has a number that makes no sense", stated.id));
            }
            if stated.bases.is_empty() || stated.bases.iter().any(|metrics| self.pairs(stated, metrics).is_empty()) {
                return Some(format!("comparison `{}` rests on no figures", stated.id));
            }
        }
        let card = self.scorecard.as_ref()?;
        let weights = card.criteria.iter().all(|c| c.weight_percent.is_finite() && c.weight_percent >= 0.0);
        let scores = card.totals.iter().all(|t| {
            let finite = t.total.is_finite() && t.scores.iter().all(|s| s.is_finite());
            finite && t.scores.len() == card.criteria.len() && t.decimals <= 6
        });
        (!weights || !scores).then(|| "the scorecard has a number too few or one that makes no sense".into())
    }

    /// Everything that can be checked without measuring, what holds as well as what does not. For a valid set.
    #[must_use]
    pub fn check(&self) -> Vec<Finding> {
        let claims = self.claims.iter().flat_map(|claim| check(claim, &self.device, self.reads(&claim.model)));
        let comparisons = self.comparisons.iter().map(|stated| Finding::Comparison {
            comparison: stated.id.clone(),
            lower_by_percent: stated.lower_by_percent,
            readings: self.readings(stated),
        });
        let percentile = self.method.percentile.zip(self.method.runs).and_then(|(percentile, runs)| {
            let runs_needed = runs_needed(percentile)?;
            Some(Finding::Percentile { percentile, runs, runs_needed })
        });
        let mut findings: Vec<Finding> = claims.chain(comparisons).collect();
        findings.extend(self.scorecard.iter().flat_map(StatedScorecard::check));
        findings.extend(percentile);
        findings
    }

    /// What one token of a model reads, from the size of its file as the same source states it.
    #[must_use]
    pub fn reads(&self, model: &str) -> Option<WeightReads> {
        let dense = self.models.iter().any(|m| m.id == model && !m.mixture_of_experts);
        let file = self
            .claims
            .iter()
            .find(|c| c.model == model && c.metric == ClaimedMetric::Size(ClaimedSize::FileBytes))?
            .base_value();
        // Also refuses NaN.
        if !dense || !(1.0..1e18).contains(&file) {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and 1e18")]
        let bytes = file.round() as u64;
        Some(WeightReads::of_file(bytes))
    }

    /// Figures of both models on the same task, in the metric's unit.
    fn pairs(&self, stated: &StatedComparison, metrics: &[ClaimedMetric]) -> Vec<(f64, f64)> {
        let of = |model: &str| {
            let model = model.to_owned();
            self.claims.iter().filter(move |c| c.model == model && metrics.contains(&c.metric))
        };
        of(&stated.model)
            .filter_map(|a| {
                let b = of(&stated.against).find(|b| (b.metric, b.task) == (a.metric, a.task))?;
                Some((a.base_value(), b.base_value()))
            })
            .collect()
    }

    fn readings(&self, stated: &StatedComparison) -> Vec<Reading> {
        let mut readings = Vec::new();
        for metrics in &stated.bases {
            let pairs = self.pairs(stated, metrics);
            let n = pairs.len() as f64;
            let mean = pairs.iter().map(|(a, _)| a).sum::<f64>() / n;
            let against_mean = pairs.iter().map(|(_, b)| b).sum::<f64>() / n;
            let geometric = (pairs.iter().map(|(a, b)| (a / b).ln()).sum::<f64>() / n).exp();
            let mut read = |average, ratio: f64| {
                let lower_by_percent = (1.0 - ratio) * 100.0;
                if lower_by_percent.is_finite() {
                    readings.push(Reading {
                        metrics: metrics.clone(),
                        average,
                        tasks: u32::try_from(pairs.len()).unwrap_or(u32::MAX),
                        mean,
                        against_mean,
                        lower_by_percent,
                        agrees: agrees(stated.lower_by_percent, lower_by_percent, stated.decimals),
                    });
                }
            };
            read(Average::Arithmetic, mean / against_mean);
            if pairs.len() > 1 {
                read(Average::Geometric, geometric);
            }
        }
        readings
    }
}

impl StatedScorecard {
    fn check(&self) -> Vec<Finding> {
        let sum_percent = self.criteria.iter().map(|c| c.weight_percent).sum();
        let totals = self.totals.iter().map(|total| {
            let weighted = self.criteria.iter().zip(&total.scores).map(|(c, score)| c.weight_percent * score);
            let computed = weighted.sum::<f64>() / 100.0;
            let agrees = agrees(total.total, computed, total.decimals);
            Finding::Total { model: total.model.clone(), stated: total.total, computed, agrees }
        });
        std::iter::once(Finding::Weights { sum_percent }).chain(totals).collect()
    }
}

/// Whether `stated` is `computed`, rounded to `decimals`. A half may have been rounded either way.
fn agrees(stated: f64, computed: f64, decimals: u32) -> bool {
    (stated - computed).abs() <= 0.5 / 10f64.powi(decimals.min(15).cast_signed()) + 1e-9
}

/// Fewest values of which a percentile is not simply the largest: one in `100 ÷ (100 − percentile)` lies beyond it.
fn runs_needed(percentile: f64) -> Option<u32> {
    if !(0.0..100.0).contains(&percentile) {
        return None;
    }
    let needed = (100.0 / (100.0 - percentile) - 1e-9).ceil();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and 1e9")]
    (1.0..1e9).contains(&needed).then_some(needed as u32)
}

impl Finding {
    /// How the statement stands.
    #[must_use]
    pub fn standing(&self) -> Standing {
        let of = |holds: bool| if holds { Standing::Holds } else { Standing::Fails };
        match self {
            Self::Limit { check, .. } => match check.verdict {
                LimitVerdict::Possible => Standing::Holds,
                LimitVerdict::Doubtful | LimitVerdict::LengthNotStated => Standing::Unclear,
                LimitVerdict::Impossible => Standing::Fails,
            },
            Self::Memory { bytes, ram_bytes, .. } => of(*bytes <= *ram_bytes as f64),
            Self::Comparison { readings, .. } => match readings.iter().position(|reading| reading.agrees) {
                Some(0) => Standing::Holds,
                Some(_) => Standing::Unclear,
                None => Standing::Fails,
            },
            Self::Weights { sum_percent } => of((sum_percent - 100.0).abs() <= 1e-6),
            Self::Total { agrees, .. } => of(*agrees),
            Self::Percentile { runs, runs_needed, .. } => of(runs >= runs_needed),
        }
    }

    /// The finding in English, for the command line and reports.
    #[must_use]
    pub fn sentence(&self, set: &ClaimSet) -> String {
        let name = |id: &str| set.models.iter().find(|m| m.id == id).map_or_else(|| id.to_owned(), |m| m.name.clone());
        let claimed = |id: &str| {
            set.claims.iter().find(|c| c.id == id).map_or_else(
                || id.to_owned(),
                |c| format!("{}, {} ({id})", name(&c.model), c.metric.label().to_lowercase()),
            )
        };
        match self {
            Self::Limit { claim, check } => format!("{}: {}", claimed(claim), check.sentence()),
            Self::Memory { claim, bytes, ram_bytes } => {
                let there = format::bytes(*ram_bytes as f64);
                let verdict = if self.standing() == Standing::Holds { "possible" } else { "not possible" };
                format!(
                    "{}: {} on a device with {there} of memory is {verdict}.",
                    claimed(claim),
                    format::bytes(*bytes)
                )
            }
            Self::Comparison { comparison, lower_by_percent, readings } => {
                let stated = set.comparisons.iter().find(|c| c.id == *comparison);
                let who = stated.map_or_else(
                    || comparison.clone(),
                    |c| format!("{} against {}, {}", name(&c.model), name(&c.against), c.says),
                );
                let verdict = match self.standing() {
                    Standing::Holds => "follows from the source's own figures",
                    Standing::Unclear => "follows from the source's own figures only in another reading",
                    Standing::Fails => "does not follow from the source's own figures",
                };
                let readings: Vec<String> = readings.iter().map(Reading::sentence).collect();
                format!("{who}: the stated {lower_by_percent} % {verdict} ({}).", readings.join("; "))
            }
            Self::Weights { sum_percent } => {
                format!("The weights of the scorecard sum to {} %.", format::significant(*sum_percent, None, 6))
            }
            Self::Total { model, stated, computed, agrees } => {
                let verdict = if *agrees { "follows" } else { "does not follow" };
                let computed = format::significant(*computed, None, 4);
                format!(
                    "{}: the stated total {stated} {verdict} from the stated weights and scores, which give \
                     {computed}.",
                    name(model)
                )
            }
            Self::Percentile { percentile, runs, runs_needed } => {
                let verdict = if runs < runs_needed { "is simply the slowest of them" } else { "can be given" };
                format!("Of {runs} runs, the {percentile}th percentile {verdict}; it needs {runs_needed} or more.")
            }
        }
    }
}

impl Reading {
    fn sentence(&self) -> String {
        let what: Vec<String> = self.metrics.iter().map(|m| m.label().to_lowercase()).collect();
        let percent = format::significant(self.lower_by_percent.abs(), None, 3);
        let way = if self.lower_by_percent < 0.0 { "higher" } else { "lower" };
        let what = what.join(" and ");
        match self.average {
            Average::Geometric => {
                format!("the geometric mean of the {} ratios of {what} is {percent} % {way}", self.tasks)
            }
            Average::Arithmetic => {
                let unit = self.metrics.first().map_or("", |m| m.unit());
                let show = |x: f64| match unit {
                    "B" => format::bytes(x),
                    _ => format!("{} {unit}", format::significant(x, None, 4)),
                };
                let (mean, against) = (show(self.mean), show(self.against_mean));
                format!("{what}: {mean} against {against} on average, {percent} % {way}")
            }
        }
    }
}

impl LimitCheck {
    fn sentence(&self) -> String {
        let show = |x: f64| format::significant(x, None, 3);
        let rate = |x: f64| format!("{}/s", format::bytes(x));
        let file = format::bytes(self.bytes_per_token as f64);
        let there = rate(self.bandwidth);
        let (Some(tokens), Some(least)) = (self.tokens, self.needed_least) else {
            return format!(
                "the length of the answers is not stated. If each token reads {file} of weights from memory that gives \
                 {there}, at most {} tokens can be had in {} s.",
                show(self.tokens_in_time.floor()),
                show(self.seconds)
            );
        };
        let verdict = match self.verdict {
            LimitVerdict::Possible => "possible",
            LimitVerdict::Doubtful => "doubtful",
            LimitVerdict::Impossible => "not physically possible",
            LimitVerdict::LengthNotStated => "not known",
        };
        let count = match tokens.most {
            Some(1) => "1 token".to_owned(),
            Some(most) if most == tokens.least => format!("{most} tokens"),
            Some(most) => format!("{} to {most} tokens", tokens.least),
            None => format!("{} tokens or more", tokens.least),
        };
        let needed = match self.needed_most {
            Some(most) if tokens.most != Some(tokens.least) => format!("{} to {}", rate(least), rate(most)),
            Some(_) => rate(least),
            None => format!("{} or more", rate(least)),
        };
        format!(
            "{verdict}. {count} in {} s, if each reads {file} of weights once, need {needed}; the memory gives {there}, \
             at most {} tokens a second{}.",
            show(self.seconds),
            show(self.limit_tps),
            self.fastest_seconds.map_or_else(String::new, |s| format!(", so at least {} s", show(s)))
        )
    }
}
