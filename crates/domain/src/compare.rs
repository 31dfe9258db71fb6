//! From stored samples to a table: one row a task and figure, with intervals and a winner where there is one.

use crate::cold_start::ColdStart;
use crate::conditions::Conditions;
use crate::error::ErrorReport;
use crate::fit::Fit;
use crate::metric::{Direction, Metric};
use crate::model::ModelRef;
use crate::pressure::PressureReport;
use crate::roofline::{MeasuredBandwidth, MemoryLimit};
use crate::run::{Cell, CellId, CellState, Measured, RunEntry, RunRecord, Sample, Session, SessionId};
use crate::settings::EngineSettings;
use crate::stats::{self, Bootstrap, Estimate, Interval, Summary};
use crate::suite::{Category, Task, Work};
use crate::validity::{self, Flag};
use crate::verdict::Verdict;
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};
use ts_rs::TS;

/// What a row says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum RowVerdict {
    /// The interval of the ratio excludes 1 and the effect is large enough.
    Winner {
        /// Which entry.
        slot: u32,
    },
    /// Both were measured; neither is better by enough.
    NoRealDifference,
    /// Fewer than two repetitions on a side.
    TooFewSamples,
    /// The two did not do the same work.
    NotComparable {
        /// In what they differ.
        reason: NotComparable,
    },
    /// A side has no figure, or its cell failed.
    NotMeasured,
    /// Only one model was measured.
    Single,
}

/// In what two cells differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum NotComparable {
    /// A model ended its answer early, so the lengths differ.
    AnswerLengths,
    /// A side carries a red flag.
    RedFlag,
}

/// Ratio slot 1 ÷ slot 0 with its 95 % interval: the median of the ratios of the repetitions, which are pairs. Below five
/// pairs, and where the sides have not equally many, the ratio of the medians.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, TS)]
pub struct Ratio {
    /// Slot 1 ÷ slot 0.
    pub value: f64,
    /// Percentile bootstrap.
    pub interval: Interval,
}

/// One figure of one task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct MetricRow {
    /// The figure.
    pub metric: Metric,
    /// One a slot.
    pub sides: Vec<Option<Summary>>,
    /// The values behind each side, in the order measured.
    pub values: Vec<Vec<f64>>,
    /// Where both sides have at least two values.
    pub ratio: Option<Ratio>,
    /// What it says.
    pub verdict: RowVerdict,
}

/// How one entry did on one task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct CellOutcome {
    /// The cell.
    pub cell_id: CellId,
    /// Where it stands.
    pub state: CellState,
    /// Why it failed.
    pub failure: Option<ErrorReport>,
    /// What to know about its figures.
    pub flags: Vec<Flag>,
    /// The limit that memory sets to its decode rate. Absent where it has none, or several tokens are decoded at once.
    pub limit: Option<MemoryLimit>,
}

/// All figures of one task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct TaskResult {
    /// The task.
    pub task_id: String,
    /// Its title.
    pub title: String,
    /// What it stands for.
    pub category: Category,
    /// The figure that stands for the task.
    pub headline: Metric,
    /// One a slot.
    pub cells: Vec<CellOutcome>,
    /// The figures, headline first.
    pub rows: Vec<MetricRow>,
    /// Of a sustained task, its course over time: one list a slot.
    pub curves: Vec<Vec<CurvePoint>>,
}

/// A moment of a sustained task: the mean of one or more rounds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, TS)]
pub struct CurvePoint {
    /// Seconds since the task began.
    pub at_s: f64,
    /// Decode rate, tokens a second.
    pub decode_tps: f64,
    /// Hottest processor sensor, else battery or skin, in °C.
    pub celsius: Option<f64>,
    /// Clock of the fastest cores as a share of the most they can do.
    pub frequency_share: Option<f64>,
}

/// Most points of a curve; more could not be told apart in a chart.
const CURVE_POINTS: usize = 240;

/// Memory of one entry. A part that was not measured is absent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct MemorySummary {
    /// Size of the model file.
    pub file_bytes: u64,
    /// Weights, as llama.cpp accounts for them.
    pub weights_bytes: Option<u64>,
    /// KV cache, as llama.cpp accounts for it.
    pub kv_bytes: Option<u64>,
    /// Compute buffers, as llama.cpp accounts for them.
    pub compute_bytes: Option<u64>,
    /// Worker before any model was loaded.
    pub baseline_rss_bytes: Option<u64>,
    /// Largest high-water mark over all cells.
    pub peak_rss_bytes: Option<u64>,
    /// What the fit formula predicted.
    pub predicted_bytes: u64,
    /// Physical memory of the device.
    pub device_ram_bytes: u64,
}

/// One entry of a result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct EntryResult {
    /// Its place.
    pub slot: u32,
    /// Name and quantization.
    pub label: String,
    /// The model.
    pub model: ModelRef,
    /// Settings asked for.
    pub settings: EngineSettings,
    /// Every worker that served it, with effective settings.
    pub sessions: Vec<Session>,
    /// Its memory.
    pub memory: MemorySummary,
}

/// A run, computed from its stored samples and nothing else.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct RunResult {
    /// The run.
    pub run: RunRecord,
    /// One a slot.
    pub entries: Vec<EntryResult>,
    /// One a task, in the suite's order.
    pub tasks: Vec<TaskResult>,
    /// What it comes to.
    pub verdict: Verdict,
    /// Cold-start limit that load times are held against, in milliseconds.
    pub cold_start_sla_ms: f64,
    /// Cold starts against that limit, one an entry; empty where the suite has none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[ts(optional, as = "Option<Vec<ColdStart>>")]
    pub cold_start: Vec<ColdStart>,
    /// What little memory did, where entries had a balloon beside them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub pressure: Option<PressureReport>,
}

/// What a comparison takes for granted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CompareOptions {
    /// Smallest effect that counts: 0.03 means that the better one must be 3 % better.
    pub min_effect: f64,
    /// Cold-start limit that load times are held against, in milliseconds.
    pub cold_start_sla_ms: f64,
    /// What the memory of the device that the run was measured on gives, where that was measured.
    pub bandwidth: Option<MeasuredBandwidth>,
}

impl Default for CompareOptions {
    fn default() -> Self {
        Self { min_effect: 0.03, cold_start_sla_ms: 3_000.0, bandwidth: None }
    }
}

impl CompareOptions {
    /// Who is better, given how many times better slot 0 is than slot 1: only if the interval excludes 1 and the better
    /// one is better by at least the smallest effect that counts.
    #[must_use]
    pub fn decide(&self, advantage: &Estimate) -> Option<u32> {
        // Measured from the better side, so that it does not matter which model stands in which slot.
        let effect = advantage.value.max(1.0 / advantage.value) - 1.0;
        if effect < self.min_effect {
            None
        } else if advantage.interval.low > 1.0 {
            Some(0)
        } else if advantage.interval.high < 1.0 {
            Some(1)
        } else {
            None
        }
    }
}

impl RunResult {
    /// Computes a run's result from what is stored of it. Works on a run that is not finished yet, on one model, two, or
    /// more; with more than two there are rows and winners of rows but neither ratios nor a verdict.
    ///
    /// `cells`, `sessions` and `samples` may come in any order. Those of other runs are not looked at, nor are warm-ups,
    /// nor loads that were meant to be cold and were not. A cell that is missing counts as not measured, with a nil id.
    #[must_use]
    pub fn compute(
        run: &RunRecord,
        cells: &[Cell],
        sessions: &[Session],
        samples: &[Sample],
        options: &CompareOptions,
    ) -> Self {
        let mut bootstrap = Bootstrap::new();
        let stored = Stored::group(run, cells, sessions, samples);
        let tasks: Vec<TaskResult> =
            run.spec.suite.tasks.iter().map(|task| stored.task(task, options, &mut bootstrap)).collect();
        let entries: Vec<EntryResult> =
            (0..).zip(&run.spec.entries).map(|(slot, entry)| stored.entry(slot, entry)).collect();
        let verdict = Verdict::weigh(&run.spec, &tasks, options, &mut bootstrap);
        let counted: Vec<Vec<&Sample>> = (0..).zip(&run.spec.entries).map(|(slot, _)| stored.counted(slot)).collect();
        let cold_start_sla_ms = options.cold_start_sla_ms;
        let cold_start = ColdStart::of(&run.spec, &counted, cold_start_sla_ms);
        let pressure = PressureReport::of(&run.spec, &tasks, &counted, options, &mut bootstrap);
        Self { run: run.clone(), entries, tasks, verdict, cold_start_sla_ms, cold_start, pressure }
    }
}

/// What is stored of a run, each thing within reach of where it is needed.
struct Stored<'a> {
    run: &'a RunRecord,
    cells: HashMap<(u32, &'a str), &'a Cell>,
    sessions: HashMap<SessionId, &'a Session>,
    sessions_in_order: Vec<&'a Session>,
    samples: HashMap<CellId, Vec<&'a Sample>>,
}

/// One entry on one task.
struct Side<'a> {
    outcome: CellOutcome,
    samples: Vec<&'a Sample>,
}

impl<'a> Stored<'a> {
    fn group(run: &'a RunRecord, cells: &'a [Cell], sessions: &'a [Session], samples: &'a [Sample]) -> Self {
        let mut by_place = HashMap::new();
        for cell in cells.iter().filter(|cell| cell.run_id == run.id) {
            by_place.entry((cell.slot, cell.task_id.as_str())).or_insert(cell);
        }
        let mut by_cell: HashMap<CellId, Vec<&Sample>> = by_place.values().map(|cell| (cell.id, Vec::new())).collect();
        for sample in samples.iter().filter(|sample| !sample.warmup) {
            if let Some(group) = by_cell.get_mut(&sample.cell_id) {
                group.push(sample);
            }
        }
        for group in by_cell.values_mut() {
            group.sort_by_key(|sample| (sample.repetition, sample.started_at));
        }
        let mut in_order: Vec<&Session> = sessions.iter().filter(|session| session.run_id == run.id).collect();
        in_order.sort_by_key(|session| session.started_at);
        Self {
            run,
            cells: by_place,
            sessions: in_order.iter().map(|session| (session.id, *session)).collect(),
            sessions_in_order: in_order,
            samples: by_cell,
        }
    }

    fn samples_of(&self, cell: &Cell, work: &Work) -> Vec<&'a Sample> {
        let meant = |sample: &&&Sample| match (work, &sample.measured) {
            (Work::Load { cold }, Measured::Load(load)) => *cold == load.cold,
            _ => true,
        };
        let samples: Vec<&Sample> = self.samples.get(&cell.id).into_iter().flatten().filter(meant).copied().collect();
        // Heat does not survive an interruption, so a sustained task begins anew, and its last worker's rounds count.
        let last = samples.last().filter(|_| matches!(work, Work::Sustained(_))).map(|sample| sample.session_id);
        samples.into_iter().filter(|sample| last.is_none_or(|last| sample.session_id == last)).collect()
    }

    /// All of an entry that counts.
    fn counted(&self, slot: u32) -> Vec<&'a Sample> {
        let tasks = self.run.spec.suite.tasks.iter();
        let cells = tasks.filter_map(|task| Some((self.cells.get(&(slot, task.id.as_str()))?, &task.work)));
        cells.flat_map(|(cell, work)| self.samples_of(cell, work)).collect()
    }

    fn side(&self, slot: u32, entry: &RunEntry, task: &'a Task, options: &CompareOptions) -> Side<'a> {
        let Some(cell) = self.cells.get(&(slot, task.id.as_str())) else {
            let cell_id = CellId(uuid::Uuid::nil());
            let outcome =
                CellOutcome { cell_id, state: CellState::Pending, failure: None, flags: Vec::new(), limit: None };
            return Side { outcome, samples: Vec::new() };
        };
        let samples = self.samples_of(cell, &task.work);
        let used: HashSet<SessionId> = samples.iter().map(|sample| sample.session_id).collect();
        let sessions: Vec<&Session> = used.iter().filter_map(|id| self.sessions.get(id)).copied().collect();
        let flags = validity::flags(&task.work, &samples, entry, &sessions);
        let limit = MemoryLimit::of(&samples, entry, &sessions, &self.run.device, options.bandwidth);
        let outcome = CellOutcome { cell_id: cell.id, state: cell.state, failure: cell.failure.clone(), flags, limit };
        Side { outcome, samples }
    }

    fn task(&self, task: &'a Task, options: &CompareOptions, bootstrap: &mut Bootstrap) -> TaskResult {
        let sides: Vec<Side> =
            (0..).zip(&self.run.spec.entries).map(|(slot, entry)| self.side(slot, entry, task, options)).collect();
        let metrics = Metric::for_work(&task.work);
        TaskResult {
            task_id: task.id.clone(),
            title: task.title.clone(),
            category: task.category,
            headline: metrics[0],
            rows: metrics
                .iter()
                .map(|metric| row(*metric, &sides, options, bootstrap))
                .filter(|row| !row.metric.is_optional() || row.values.iter().any(|values| !values.is_empty()))
                .collect(),
            curves: match task.work {
                Work::Sustained(_) => sides.iter().map(|side| curve(&side.samples)).collect(),
                _ => Vec::new(),
            },
            cells: sides.into_iter().map(|side| side.outcome).collect(),
        }
    }

    fn entry(&self, slot: u32, entry: &RunEntry) -> EntryResult {
        let sessions: Vec<Session> = self
            .sessions_in_order
            .iter()
            .filter(|session| session.slot == slot)
            .map(|session| (*session).clone())
            .collect();
        EntryResult {
            slot,
            label: entry.label(),
            model: entry.model.clone(),
            settings: entry.settings.clone(),
            memory: self.memory(slot, entry, &sessions),
            sessions,
        }
    }

    fn memory(&self, slot: u32, entry: &RunEntry, sessions: &[Session]) -> MemorySummary {
        let largest = |of: fn(&Session) -> u64| sessions.iter().map(of).max().filter(|bytes| *bytes > 0);
        let tasks = self.run.spec.suite.tasks.iter();
        let cells = tasks.filter_map(|task| self.cells.get(&(slot, task.id.as_str())));
        let samples = cells.filter_map(|cell| self.samples.get(&cell.id)).flatten();
        let device = &self.run.device;
        let model = &entry.model;
        let fit = Fit::predict(&model.header, &entry.settings, model.file_bytes, &device.into());
        MemorySummary {
            file_bytes: model.file_bytes,
            weights_bytes: largest(|session| session.loaded.weights_bytes()),
            kv_bytes: largest(|session| session.loaded.kv_bytes()),
            compute_bytes: largest(|session| session.loaded.compute_bytes()),
            baseline_rss_bytes: largest(|session| session.baseline.rss_bytes),
            peak_rss_bytes: samples.filter_map(|sample| sample.memory.peak_rss_bytes).max(),
            predicted_bytes: fit.predicted_bytes,
            device_ram_bytes: device.ram_bytes,
        }
    }
}

fn curve(rounds: &[&Sample]) -> Vec<CurvePoint> {
    let point = |sample: &&Sample| {
        let Measured::Round(round) = &sample.measured else { return None };
        let conditions = sample.conditions.as_ref();
        Some(CurvePoint {
            at_s: round.at_ns as f64 / 1e9,
            decode_tps: Metric::DecodeTps.of(sample)?,
            celsius: conditions.and_then(Conditions::celsius),
            frequency_share: conditions.and_then(|c| Some(c.frequency_share?.mean)),
        })
    };
    let points: Vec<CurvePoint> = rounds.iter().filter_map(point).collect();
    let mean = |part: &[CurvePoint]| {
        let of =
            |value: fn(&CurvePoint) -> Option<f64>| stats::mean(&part.iter().filter_map(value).collect::<Vec<_>>());
        Some(CurvePoint {
            at_s: part.first()?.at_s,
            decode_tps: of(|p| Some(p.decode_tps))?,
            celsius: of(|p| p.celsius),
            frequency_share: of(|p| p.frequency_share),
        })
    };
    points.chunks(points.len().div_ceil(CURVE_POINTS).max(1)).filter_map(mean).collect()
}

fn row(metric: Metric, sides: &[Side], options: &CompareOptions, bootstrap: &mut Bootstrap) -> MetricRow {
    let values: Vec<Vec<f64>> =
        sides.iter().map(|side| side.samples.iter().filter_map(|sample| metric.of(sample)).collect()).collect();
    let ratio = match values.as_slice() {
        [a, b] => bootstrap.paired_ratio(a, b),
        _ => None,
    };
    let verdict = row_verdict(metric, sides, &values, ratio.as_ref(), options, bootstrap);
    MetricRow {
        metric,
        sides: values.iter().map(|values| bootstrap.summary(values)).collect(),
        ratio: ratio.map(|Estimate { value, interval }| Ratio { value, interval }),
        verdict,
        values,
    }
}

fn row_verdict(
    metric: Metric,
    sides: &[Side],
    values: &[Vec<f64>],
    ratio: Option<&Estimate>,
    options: &CompareOptions,
    bootstrap: &mut Bootstrap,
) -> RowVerdict {
    // A cell that failed may have figures from before; they are shown, but nothing is concluded from them.
    let measured = |(side, values): (&Side, &Vec<f64>)| side.outcome.state != CellState::Failed && !values.is_empty();
    if !sides.iter().zip(values).all(measured) {
        return RowVerdict::NotMeasured;
    }
    if sides.len() < 2 {
        return RowVerdict::Single;
    }
    if sides.iter().any(|side| validity::is_red(&side.outcome.flags)) {
        return RowVerdict::NotComparable { reason: NotComparable::RedFlag };
    }
    if metric.depends_on_answer_length() && !same_answer_lengths(sides) {
        return RowVerdict::NotComparable { reason: NotComparable::AnswerLengths };
    }
    if values.iter().any(|values| values.len() < 2) {
        return RowVerdict::TooFewSamples;
    }
    let winner = match ratio {
        Some(ratio) => options.decide(&advantage(metric, ratio)),
        None => best_of_many(metric, values, options, bootstrap),
    };
    winner.map_or(RowVerdict::NoRealDifference, |slot| RowVerdict::Winner { slot })
}

/// How many times better slot 0 is, from the ratio slot 1 ÷ slot 0.
pub(crate) fn advantage(metric: Metric, ratio: &Estimate) -> Estimate {
    match metric.direction() {
        Direction::HigherIsBetter => ratio.inverse(),
        Direction::LowerIsBetter => *ratio,
    }
}

/// Series of one figure by their medians, the best first; of equals the one named first.
pub(crate) fn ranked<'a>(metric: Metric, series: impl Iterator<Item = (u32, &'a [f64])>) -> Vec<(u32, &'a [f64])> {
    let mut ranked: Vec<(u32, &[f64], f64)> =
        series.filter_map(|(slot, values)| Some((slot, values, stats::median(values)?))).collect();
    ranked.sort_by(|(_, _, a), (_, _, b)| match metric.direction() {
        Direction::HigherIsBetter => b.total_cmp(a),
        Direction::LowerIsBetter => a.total_cmp(b),
    });
    ranked.into_iter().map(|(slot, values, _)| (slot, values)).collect()
}

/// The entry that is better than each of the others, if there is one.
fn best_of_many(
    metric: Metric,
    values: &[Vec<f64>],
    options: &CompareOptions,
    bootstrap: &mut Bootstrap,
) -> Option<u32> {
    let ranked = ranked(metric, (0..).zip(values.iter().map(Vec::as_slice)));
    let [(best, best_values), others @ ..] = ranked.as_slice() else { return None };
    let beaten = |(_, values): &(u32, &[f64])| {
        let ratio = bootstrap.paired_ratio(best_values, values);
        ratio.is_some_and(|ratio| options.decide(&advantage(metric, &ratio)) == Some(0))
    };
    others.iter().all(beaten).then_some(*best)
}

/// Whether every repetition on every side gave answers of the same lengths, ended in the same way.
fn same_answer_lengths(sides: &[Side]) -> bool {
    let ended = |(tokens, stop)| (tokens, validity::stopped_early(stop));
    let lengths = |sample: &&Sample| -> Vec<(u32, bool)> { validity::answers(sample).into_iter().map(ended).collect() };
    let mut all = sides.iter().flat_map(|side| &side.samples).map(lengths);
    let first = all.next();
    all.all(|other| Some(&other) == first.as_ref())
}
