//! Figures, each computed from one stored sample.

use crate::conditions::mj_per_token;
use crate::generate::Generation;
use crate::run::{Measured, Sample};
use crate::stats;
use crate::suite::Work;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// A figure's name. `docs/benchmarking.md` defines each one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// From the prompt as text to the first sampled token.
    TtftMs,
    /// To the first token after the reasoning section, for models that think first.
    TtfoMs,
    /// (generated − 1) ÷ (time of last − time of first token).
    DecodeTps,
    /// Prompt tokens evaluated ÷ prefill time.
    PrefillTps,
    /// Median gap between successive tokens.
    ItlMs,
    /// From the prompt as text to the last token.
    E2eMs,
    /// All generated tokens of a batch ÷ wall time.
    BatchTps,
    /// Wall time of a batch.
    BatchMs,
    /// All generated tokens of the batch's prompts, one prompt after another, ÷ wall time.
    InTurnTps,
    /// Wall time of the batch's prompts, one after another.
    InTurnMs,
    /// From the load request to a context that can decode.
    LoadMs,
    /// From process spawn to the first generated token.
    FirstTokenMs,
    /// Tokens of a synthetic test ÷ its time.
    SyntheticTps,
    /// Decode rate of the rounds within the first minute of a sustained task.
    BurstTps,
    /// Decode rate of the rounds within the last third of a sustained task.
    SteadyTps,
    /// Energy drawn from the first token to the last ÷ tokens between them, in millijoules.
    MjPerToken,
    /// High-water mark of the worker's resident memory.
    PeakRssBytes,
}

/// Which way is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// More is better: rates.
    HigherIsBetter,
    /// Less is better: times and memory.
    LowerIsBetter,
}

impl Metric {
    /// Every figure.
    pub const ALL: [Self; 17] = [
        Self::TtftMs,
        Self::TtfoMs,
        Self::DecodeTps,
        Self::PrefillTps,
        Self::ItlMs,
        Self::E2eMs,
        Self::BatchTps,
        Self::BatchMs,
        Self::InTurnTps,
        Self::InTurnMs,
        Self::LoadMs,
        Self::FirstTokenMs,
        Self::SyntheticTps,
        Self::BurstTps,
        Self::SteadyTps,
        Self::MjPerToken,
        Self::PeakRssBytes,
    ];

    /// Which way is better.
    #[must_use]
    pub fn direction(self) -> Direction {
        match self {
            Self::DecodeTps
            | Self::PrefillTps
            | Self::BatchTps
            | Self::InTurnTps
            | Self::SyntheticTps
            | Self::BurstTps
            | Self::SteadyTps => Direction::HigherIsBetter,
            Self::TtftMs
            | Self::TtfoMs
            | Self::ItlMs
            | Self::E2eMs
            | Self::BatchMs
            | Self::InTurnMs
            | Self::LoadMs
            | Self::FirstTokenMs
            | Self::MjPerToken
            | Self::PeakRssBytes => Direction::LowerIsBetter,
        }
    }

    /// Unit, as printed after a figure.
    #[must_use]
    pub fn unit(self) -> &'static str {
        match self {
            Self::DecodeTps
            | Self::PrefillTps
            | Self::BatchTps
            | Self::InTurnTps
            | Self::SyntheticTps
            | Self::BurstTps
            | Self::SteadyTps => "tok/s",
            Self::MjPerToken => "mJ",
            Self::TtftMs
            | Self::TtfoMs
            | Self::ItlMs
            | Self::E2eMs
            | Self::BatchMs
            | Self::InTurnMs
            | Self::LoadMs
            | Self::FirstTokenMs => "ms",
            Self::PeakRssBytes => "B",
        }
    }

    /// Name in English, for the command line and reports.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::TtftMs => "Time to first token",
            Self::TtfoMs => "Time to first token after reasoning",
            Self::DecodeTps => "Decode",
            Self::PrefillTps => "Prefill",
            Self::ItlMs => "Inter-token latency (median)",
            Self::E2eMs => "Whole answer",
            Self::BatchTps => "Batch throughput",
            Self::BatchMs => "Whole batch",
            Self::InTurnTps => "Same prompts in turn, throughput",
            Self::InTurnMs => "Same prompts in turn",
            Self::LoadMs => "Load",
            Self::FirstTokenMs => "Start to first token",
            Self::SyntheticTps => "Synthetic",
            Self::BurstTps => "Decode, first minute",
            Self::SteadyTps => "Decode, last third",
            Self::MjPerToken => "Energy a token",
            Self::PeakRssBytes => "Peak memory",
        }
    }

    /// The figures that a task gives, the one that stands for the task first.
    #[must_use]
    pub fn for_work(work: &Work) -> &'static [Self] {
        match work {
            Work::Load { .. } => &[Self::FirstTokenMs, Self::LoadMs, Self::PeakRssBytes],
            Work::Generate(_) => &[
                Self::DecodeTps,
                Self::TtftMs,
                Self::TtfoMs,
                Self::PrefillTps,
                Self::ItlMs,
                Self::E2eMs,
                Self::MjPerToken,
                Self::PeakRssBytes,
            ],
            Work::Batch(_) => &[Self::BatchTps, Self::BatchMs, Self::InTurnTps, Self::InTurnMs, Self::PeakRssBytes],
            Work::Synthetic(_) => &[Self::SyntheticTps, Self::PeakRssBytes],
            Work::Sustained(_) => {
                &[Self::SteadyTps, Self::BurstTps, Self::DecodeTps, Self::MjPerToken, Self::PeakRssBytes]
            }
        }
    }

    /// Whether samples of its work may lack the figure by nature: not every model thinks first, and not every batch is
    /// repeated in turn, and few machines tell what they draw. Where no side has it there is nothing to say about it.
    #[must_use]
    pub fn is_optional(self) -> bool {
        matches!(self, Self::TtfoMs | Self::InTurnTps | Self::InTurnMs | Self::MjPerToken)
    }

    /// Whether the figure grows with the length of the answer, so that it compares only between answers of one length.
    #[must_use]
    pub fn depends_on_answer_length(self) -> bool {
        matches!(self, Self::E2eMs | Self::BatchMs | Self::InTurnMs | Self::TtfoMs)
    }

    /// The figure of one sample, unrounded: finite and above zero, or absent where the sample does not have it (another
    /// kind of work, fewer than two tokens for a decode rate, a span of no time).
    #[must_use]
    pub fn of(self, sample: &Sample) -> Option<f64> {
        let value = match (self, &sample.measured) {
            (Self::PeakRssBytes, _) => sample.memory.peak_rss_bytes? as f64,
            (Self::TtftMs, Measured::Generation(g)) => ms(*g.token_at_ns.first()?),
            (Self::TtfoMs, Measured::Generation(g)) if g.reasoning_tokens > 0 => {
                ms(*g.token_at_ns.get(g.reasoning_tokens as usize)?)
            }
            (Self::DecodeTps, measured) => decode_tps(measured.generation()?)?,
            (Self::BurstTps, Measured::Round(round)) if round.is_burst() => decode_tps(&round.generation)?,
            (Self::SteadyTps, Measured::Round(round)) if round.is_steady() => decode_tps(&round.generation)?,
            (Self::MjPerToken, measured) => {
                let between = u32::try_from(measured.generation()?.token_at_ns.len()).ok()?.checked_sub(1)?;
                mj_per_token(sample.conditions.as_ref()?.decode_energy?, between)?
            }
            (Self::PrefillTps, Measured::Generation(g)) => {
                per_second(u64::from(g.prompt_tokens.checked_sub(g.reused_tokens)?), g.prefill_ns)
            }
            (Self::ItlMs, Measured::Generation(g)) => {
                let gaps: Option<Vec<f64>> =
                    g.token_at_ns.windows(2).map(|pair| pair[1].checked_sub(pair[0]).map(ms)).collect();
                stats::median(&gaps?)?
            }
            (Self::E2eMs, Measured::Generation(g)) => ms(*g.token_at_ns.last()?),
            (Self::BatchTps, Measured::Batch(b)) => {
                per_second(b.sequences.iter().map(|s| u64::from(s.generated_tokens)).sum(), b.wall_ns)
            }
            (Self::BatchMs, Measured::Batch(b)) => ms(b.wall_ns),
            (Self::InTurnTps, Measured::Batch(b)) => {
                let in_turn = b.in_turn?;
                per_second(in_turn.generated_tokens, in_turn.wall_ns)
            }
            (Self::InTurnMs, Measured::Batch(b)) => ms(b.in_turn?.wall_ns),
            (Self::LoadMs, Measured::Load(l)) => ms(l.load_ns),
            (Self::FirstTokenMs, Measured::Load(l)) => ms(l.first_token_ns),
            (Self::SyntheticTps, Measured::Synthetic(s)) => {
                per_second(u64::from(s.request.n_prompt) + u64::from(s.request.n_gen), s.elapsed_ns)
            }
            _ => return None,
        };
        (value.is_finite() && value > 0.0).then_some(value)
    }
}

impl std::fmt::Display for Metric {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.label())
    }
}

/// Infinite or NaN for no time; the caller filters.
fn decode_tps(generation: &Generation) -> Option<f64> {
    let (first, last) = (generation.token_at_ns.first()?, generation.token_at_ns.last()?);
    Some(per_second(generation.token_at_ns.len() as u64 - 1, last.checked_sub(*first)?))
}

fn ms(ns: u64) -> f64 {
    ns as f64 / 1e6
}

/// Infinite or NaN for no time; the caller filters.
fn per_second(count: u64, ns: u64) -> f64 {
    count as f64 * 1e9 / ns as f64
}
