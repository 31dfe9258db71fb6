//! What little memory does to a model: at which amount of free memory it slows, swaps or dies.

use crate::compare::{CellOutcome, CompareOptions, Ratio, TaskResult};
use crate::error::{ErrorCode, ErrorReport};
use crate::format;
use crate::metric::{Direction, Metric};
use crate::run::{CellState, RunEntry, RunSpec, Sample};
use crate::stats::{self, Bootstrap, Estimate, Interval};
use crate::validity::{FlagKind, Severity};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// Share of the full speed above which the whole interval of a speed must lie to be called full speed.
pub const FULL_SPEED: f64 = 0.9;

/// How an entry did with so much memory left free.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum PressureOutcome {
    /// Not slower than without a balloon by enough to count, and its interval is above [`FULL_SPEED`].
    FullSpeed,
    /// Slower.
    Slower,
    /// Its worker was ended because memory ran out, or crashed.
    Died {
        /// How.
        failure: ErrorReport,
    },
    /// Not measured: no such amount could be left free, the system cannot tell, there is nothing to compare with, or the
    /// measurements scatter too much.
    NotMeasured {
        /// Why, where something failed.
        failure: Option<ErrorReport>,
    },
}

/// One amount of free memory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct PressureStep {
    /// The entry.
    pub slot: u32,
    /// Memory that was left free before the model was loaded.
    pub leave_free_bytes: u64,
    /// What came of it.
    pub outcome: PressureOutcome,
    /// Share of the speed without a balloon: geometric mean over the tasks that both did.
    pub speed: Option<Ratio>,
    /// Pages that were read again from storage in a repetition; the median over all of them.
    pub major_faults: Option<f64>,
    /// Most memory of the worker that was swapped out.
    pub swap_bytes: Option<u64>,
}

/// All of them, the most memory first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct PressureReport {
    /// The entry without a balloon, which the others are held against.
    pub unpressed: Option<u32>,
    /// One an entry with a balloon.
    pub steps: Vec<PressureStep>,
    /// The same in English, for the command line and reports.
    pub sentence: String,
}

impl PressureReport {
    /// Computes it from the rows of a result and from `samples`, those that count of each entry. `None` for a run without a
    /// balloon.
    pub(crate) fn of(
        spec: &RunSpec,
        tasks: &[TaskResult],
        samples: &[Vec<&Sample>],
        options: &CompareOptions,
        bootstrap: &mut Bootstrap,
    ) -> Option<Self> {
        let unpressed = (0u32..).zip(&spec.entries).find(|(_, e)| e.leave_free_bytes.is_none()).map(|(slot, _)| slot);
        let pressed = (0u32..).zip(&spec.entries).zip(samples);
        let pressed = pressed.filter_map(|((slot, entry), samples)| Some((slot, entry.leave_free_bytes?, samples)));
        let mut steps: Vec<PressureStep> = pressed
            .map(|(slot, leave_free_bytes, samples)| {
                let speed = unpressed.and_then(|unpressed| speed(tasks, unpressed, slot, bootstrap));
                let faults = samples.iter().filter_map(|sample| sample.memory.major_faults).map(|n| n as f64);
                PressureStep {
                    slot,
                    leave_free_bytes,
                    outcome: outcome(tasks, slot, speed.as_ref(), options),
                    speed: speed.map(|Estimate { value, interval }| Ratio { value, interval }),
                    major_faults: stats::median(&faults.collect::<Vec<_>>()),
                    swap_bytes: samples.iter().filter_map(|sample| sample.memory.swap_bytes).max(),
                }
            })
            .collect();
        if steps.is_empty() {
            return None;
        }
        steps.sort_by_key(|step| std::cmp::Reverse(step.leave_free_bytes));
        let sentence = sentence(&steps, spec.entries.first());
        Some(Self { unpressed, steps, sentence })
    }
}

/// Speed under pressure ÷ speed without, over all tasks. Swapping is what is looked for here; any other red flag spoils a
/// figure as it does elsewhere.
fn speed(tasks: &[TaskResult], unpressed: u32, pressed: u32, bootstrap: &mut Bootstrap) -> Option<Estimate> {
    let spoilt = |cell: &&CellOutcome| {
        cell.flags.iter().any(|flag| flag.severity == Severity::Red && flag.kind != FlagKind::Swapped)
    };
    let mut pairs: Vec<(&[f64], &[f64])> = Vec::new();
    for task in tasks {
        let Some(row) = task.rows.first().filter(|row| row.metric != Metric::PeakRssBytes) else { continue };
        let [a, b] = [unpressed, pressed].map(|slot| {
            let cell = task.cells.get(slot as usize).filter(|cell| !spoilt(cell));
            cell.and_then(|_| row.values.get(slot as usize)).filter(|values| values.len() >= 2)
        });
        if let (Some(a), Some(b)) = (a, b) {
            pairs.push(match row.metric.direction() {
                Direction::HigherIsBetter => (a, b),
                Direction::LowerIsBetter => (b, a),
            });
        }
    }
    bootstrap.geometric_mean_ratio(&pairs)
}

fn outcome(tasks: &[TaskResult], slot: u32, speed: Option<&Estimate>, options: &CompareOptions) -> PressureOutcome {
    let failures: Vec<&ErrorReport> = tasks
        .iter()
        .filter_map(|task| task.cells.get(slot as usize).filter(|cell| cell.state == CellState::Failed))
        .filter_map(|cell| cell.failure.as_ref())
        .collect();
    let died = |code| failures.iter().find(|failure| failure.code == code);
    if let Some(failure) = died(ErrorCode::OutOfMemory).or_else(|| died(ErrorCode::WorkerCrashed)) {
        return PressureOutcome::Died { failure: (*failure).clone() };
    }
    match speed {
        Some(speed) if failures.is_empty() && options.decide(&speed.inverse()) == Some(0) => PressureOutcome::Slower,
        Some(speed) if failures.is_empty() && speed.interval.low >= FULL_SPEED => PressureOutcome::FullSpeed,
        _ => PressureOutcome::NotMeasured { failure: failures.first().map(|failure| (*failure).clone()) },
    }
}

fn sentence(steps: &[PressureStep], entry: Option<&RunEntry>) -> String {
    let clause = |step: &PressureStep| {
        let left = format::bytes(step.leave_free_bytes as f64);
        let what = match &step.outcome {
            PressureOutcome::FullSpeed => match step.speed.map(percent) {
                Some([value, low, high]) => {
                    format!("it runs at full speed ({value} %, 95 % interval {low} to {high} %)")
                }
                None => "it runs at full speed".to_owned(),
            },
            PressureOutcome::Slower => slower(step),
            PressureOutcome::Died { failure } if failure.code == ErrorCode::OutOfMemory => {
                "it dies: memory runs out".to_owned()
            }
            PressureOutcome::Died { failure } => format!("it dies: {}", failure.message),
            PressureOutcome::NotMeasured { failure: Some(failure) } => {
                format!("it could not be measured: {}", failure.message)
            }
            PressureOutcome::NotMeasured { failure: None } => match step.speed.map(percent) {
                Some([value, low, high]) => {
                    format!("the measurements scatter too much to say ({value} %, 95 % interval {low} to {high} %)")
                }
                None => "there are too few measurements to say".to_owned(),
            },
        };
        let swapped = match step.swap_bytes {
            Some(swapped) if swapped > 0 => format!(", {} of it swapped out", format::bytes(swapped as f64)),
            _ => String::new(),
        };
        format!("with {left} left free {what}{swapped}")
    };
    let clauses: Vec<String> = steps.iter().map(clause).collect();
    let model = entry.map(|entry| entry.model.label()).unwrap_or_default();
    format!("{model} under memory pressure: {}.", clauses.join("; "))
}

fn percent(speed: Ratio) -> [String; 3] {
    let interval = Interval { low: speed.interval.low * 100.0, high: speed.interval.high * 100.0 };
    format::with_interval(speed.value * 100.0, interval, format::PERCENT_DIGITS + 1)
}

fn slower(step: &PressureStep) -> String {
    let Some([value, low, high]) = step.speed.map(percent) else { return "it slows".to_owned() };
    let again = match step.major_faults {
        Some(faults) if faults >= 1.0 => {
            format!(", waiting {} times a repetition for pages from storage", format::significant(faults, None, 3))
        }
        _ => String::new(),
    };
    format!("it slows to {value} % (95 % interval {low} to {high} %){again}")
}
