//! Flags that say how far a cell's figures can be trusted.

use crate::conditions::{Conditions, ThermalStatus};
use crate::generate::StopReason;
use crate::metric::Metric;
use crate::run::{Measured, RunEntry, Sample, Session};
use crate::stats;
use crate::suite::Work;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// How bad a flag is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Read the figures with care.
    Amber,
    /// No verdict rests on them.
    Red,
}

/// What was noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum FlagKind {
    /// The system said that it throttles, or the decode rate fell over the repetitions by more than 5 % with a monotone
    /// trend.
    Throttled,
    /// The coefficient of variation is above 10 %.
    Noisy,
    /// Other processes used more than 10 % of the CPU.
    BusyMachine,
    /// The worker was partly swapped out.
    Swapped,
    /// Another backend computed than was asked for.
    BackendFallback,
    /// The model ended its answer before the token limit: `e2e_ms` is not comparable.
    EarlyStop,
    /// Fewer than five repetitions: the interval is rough.
    FewSamples,
    /// A charger fed the machine: it heats the battery, and energy cannot be told.
    Charging,
    /// The battery was nearly empty, when many machines slow down.
    LowBattery,
    /// A sensor showed one and the same value all the time.
    StuckSensor,
}

/// A flag on a cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct Flag {
    /// What was noticed.
    pub kind: FlagKind,
    /// How bad it is.
    pub severity: Severity,
    /// The figure behind it, in the flag's own unit: a share, a count or bytes.
    pub value: f64,
}

/// Fall of the decode rate from the first to the last repetition above which a cell can be [`FlagKind::Throttled`].
pub const THROTTLED_FALL: f64 = 0.05;
/// Fewest repetitions for [`FlagKind::Throttled`]: three values fall one after another by chance in one case of six.
pub const THROTTLED_MIN_N: usize = 4;
/// Coefficient of variation above which a cell is [`FlagKind::Noisy`].
pub const NOISY_CV: f64 = 0.10;
/// Share of the CPU used by others above which a cell is [`FlagKind::BusyMachine`].
pub const BUSY_CPU: f64 = 0.10;
/// Charge in percent below which a cell has [`FlagKind::LowBattery`].
pub const LOW_BATTERY_PERCENT: f64 = 20.0;
/// Repetitions below which a cell has [`FlagKind::FewSamples`].
pub const ENOUGH_SAMPLES: usize = 5;
/// 95 % point of the standard normal distribution: a one-sided test at 5 %.
const Z_ONE_SIDED: f64 = 1.644_853_626_951_472;

impl FlagKind {
    /// How bad it is.
    #[must_use]
    pub fn severity(self) -> Severity {
        match self {
            Self::Throttled | Self::Swapped | Self::BackendFallback => Severity::Red,
            Self::Noisy
            | Self::BusyMachine
            | Self::EarlyStop
            | Self::FewSamples
            | Self::Charging
            | Self::LowBattery
            | Self::StuckSensor => Severity::Amber,
        }
    }
}

/// Whether the figures come with a flag that no verdict rests on.
#[must_use]
pub fn is_red(flags: &[Flag]) -> bool {
    flags.iter().any(|flag| flag.severity == Severity::Red)
}

/// What to know about the figures of one cell, in the order of [`FlagKind`].
///
/// `samples` are the cell's, in any order; warm-ups among them are not looked at. `sessions` are the workers that made
/// them. A cell with no repetition yet has no flags: its state says it all.
#[must_use]
pub fn flags(work: &Work, samples: &[&Sample], entry: &RunEntry, sessions: &[&Session]) -> Vec<Flag> {
    let mut samples: Vec<&Sample> = samples.iter().copied().filter(|sample| !sample.warmup).collect();
    samples.sort_by_key(|sample| sample.repetition);
    if samples.is_empty() {
        return Vec::new();
    }
    let found = [
        (FlagKind::Throttled, throttled(work, &samples)),
        (FlagKind::Noisy, noisy(work, &samples)),
        (FlagKind::BusyMachine, busy(&samples)),
        (FlagKind::Swapped, swapped(&samples)),
        (FlagKind::BackendFallback, backend_fallback(entry, sessions)),
        (FlagKind::EarlyStop, early_stop(work, &samples)),
        (FlagKind::FewSamples, (samples.len() < ENOUGH_SAMPLES).then_some(samples.len() as f64)),
        (FlagKind::Charging, charging(&samples)),
        (FlagKind::LowBattery, low_battery(&samples)),
        (FlagKind::StuckSensor, stuck_sensors(&samples)),
    ];
    let flag = |(kind, value): (FlagKind, Option<f64>)| Some(Flag { kind, severity: kind.severity(), value: value? });
    found.into_iter().filter_map(flag).collect()
}

fn series(metric: Metric, samples: &[&Sample]) -> Vec<f64> {
    samples.iter().filter_map(|sample| metric.of(sample)).collect()
}

fn conditions<'a>(samples: &[&'a Sample]) -> impl Iterator<Item = &'a Conditions> {
    samples.iter().filter_map(|sample| sample.conditions.as_ref())
}

/// Share of the repetitions while which the system said that it throttles; else the share by which the decode rate fell,
/// where it fell by enough and steadily. That a sustained task slows down is its result.
fn throttled(work: &Work, samples: &[&Sample]) -> Option<f64> {
    let said = |conditions: &&Conditions| conditions.thermal_status.is_some_and(|s| s >= ThermalStatus::Moderate);
    let hot = conditions(samples).filter(said).count();
    let rate = match work {
        Work::Sustained(_) => return None,
        _ if hot > 0 => return Some(hot as f64 / samples.len() as f64),
        Work::Load { .. } => return None,
        Work::Generate(_) => Metric::DecodeTps,
        Work::Batch(_) => Metric::BatchTps,
        Work::Synthetic(_) => Metric::SyntheticTps,
    };
    let rates = series(rate, samples);
    let fall = 1.0 - rates.last()? / rates.first()?;
    (rates.len() >= THROTTLED_MIN_N && fall > THROTTLED_FALL && falls_steadily(&rates)).then_some(fall)
}

/// Mann and Kendall's test for a monotone trend downwards, one-sided at 5 %: normal approximation with correction for
/// continuity. With four values that is: each lower than the one before. With more, it forgives a stray one.
fn falls_steadily(values: &[f64]) -> bool {
    let mut falls = 0.0;
    for (place, earlier) in values.iter().enumerate() {
        for later in &values[place + 1..] {
            falls += f64::from(i8::from(later < earlier) - i8::from(later > earlier));
        }
    }
    let n = values.len() as f64;
    let variance = n * (n - 1.0) * (2.0 * n + 5.0) / 18.0;
    (falls - 1.0) / variance.sqrt() > Z_ONE_SIDED
}

fn noisy(work: &Work, samples: &[&Sample]) -> Option<f64> {
    let headline = *Metric::for_work(work).first()?;
    stats::cv(&series(headline, samples)).filter(|cv| *cv > NOISY_CV)
}

fn busy(samples: &[&Sample]) -> Option<f64> {
    let shares: Vec<f64> = samples.iter().filter_map(|sample| sample.machine.other_cpu).collect();
    stats::mean(&shares).filter(|share| *share > BUSY_CPU)
}

/// Repetitions during which a charger fed the machine.
fn charging(samples: &[&Sample]) -> Option<f64> {
    let charging = conditions(samples).filter(|c| c.charging == Some(true)).count();
    (charging > 0).then_some(charging as f64)
}

/// Lowest charge in percent.
fn low_battery(samples: &[&Sample]) -> Option<f64> {
    let lowest = conditions(samples).filter_map(|c| c.lowest_battery_percent).min_by(f64::total_cmp)?;
    (lowest < LOW_BATTERY_PERCENT).then_some(lowest)
}

/// Most sensors that never moved in a repetition.
fn stuck_sensors(samples: &[&Sample]) -> Option<f64> {
    let most = conditions(samples).map(|c| c.stuck.len()).max()?;
    (most > 0).then_some(most as f64)
}

/// Most bytes swapped out.
fn swapped(samples: &[&Sample]) -> Option<f64> {
    let most = samples.iter().filter_map(|sample| sample.memory.swap_bytes).max()?;
    (most > 0).then_some(most as f64)
}

/// Layers that were on the GPU, where that is not what was asked for.
fn backend_fallback(entry: &RunEntry, sessions: &[&Session]) -> Option<f64> {
    // Asking for more layers than there are is the usual way to ask for all: every block and the output layer.
    let all = entry.model.header.n_layer.saturating_add(1);
    let asked = entry.settings.n_gpu_layers.min(all);
    let fell_back = |session: &&&Session| {
        let got = session.loaded.effective.n_gpu_layers.min(all);
        got != asked || (asked > 0 && session.loaded.backend.eq_ignore_ascii_case("cpu"))
    };
    sessions.iter().find(fell_back).map(|session| f64::from(session.loaded.effective.n_gpu_layers))
}

/// Fewest tokens of an answer that the model ended before the limit.
fn early_stop(work: &Work, samples: &[&Sample]) -> Option<f64> {
    let limit = match work {
        Work::Generate(request) => request.limits.max_tokens,
        Work::Batch(request) => request.limits.max_tokens,
        Work::Load { .. } | Work::Synthetic(_) | Work::Sustained(_) => return None,
    };
    let early = |(tokens, stop): &(u32, StopReason)| stopped_early(*stop) && *tokens < limit;
    samples
        .iter()
        .flat_map(|sample| answers(sample))
        .filter(early)
        .map(|(tokens, _)| f64::from(tokens))
        .reduce(f64::min)
}

/// Whether the model ended the answer itself.
pub(crate) fn stopped_early(stop: StopReason) -> bool {
    matches!(stop, StopReason::EndOfGeneration | StopReason::StopText)
}

/// Length of each answer in a sample and why it ended.
pub(crate) fn answers(sample: &Sample) -> Vec<(u32, StopReason)> {
    match &sample.measured {
        Measured::Generation(g) => vec![(g.generated_tokens, g.stop)],
        Measured::Batch(b) => b.sequences.iter().map(|s| (s.generated_tokens, s.stop)).collect(),
        Measured::Round(round) => vec![(round.generation.generated_tokens, round.generation.stop)],
        Measured::Load(_) | Measured::Synthetic(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Falls from one to the next but for `swaps` neighbours: the statistic is that of a steady fall less two for each.
    fn falling(n: u32, swaps: u32) -> Vec<f64> {
        let mut values: Vec<f64> = (0..n).rev().map(f64::from).collect();
        for _ in 0..swaps {
            let place = values.windows(2).position(|pair| pair[0] > pair[1]).expect("something falls");
            values.swap(place, place + 1);
        }
        values
    }

    #[test]
    fn the_trend_test_decides_as_the_exact_one() {
        // Least statistic with scipy.stats.kendalltau(range(n), y, alternative='less', method='exact').pvalue < 0.05
        for (n, least) in [(4, 6), (5, 8), (6, 11), (7, 13), (8, 16), (9, 18), (10, 21), (11, 23), (12, 26)] {
            let swaps = (n * (n - 1) / 2 - least) / 2;
            assert!(falls_steadily(&falling(n, swaps)), "{n} values");
            assert!(!falls_steadily(&falling(n, swaps + 1)), "{n} values");
        }
    }
}
