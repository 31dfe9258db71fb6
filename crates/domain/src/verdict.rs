//! One sentence from a table: which is better, by how much, and how sure.

use crate::compare::{self, CellOutcome, CompareOptions, MetricRow, RowVerdict, TaskResult};
use crate::format;
use crate::metric::Metric;
use crate::run::{CellId, CellState, RunEntry, RunSpec};
use crate::stats::{Bootstrap, Estimate, Interval};
use crate::suite::{Category, Task, Work};
use crate::validity::{self, FlagKind};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use ts_rs::TS;

/// What a verdict weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Quality {
    /// Decode rate of single answers and batches.
    WritingSpeed,
    /// Time to first token.
    TimeToFirstToken,
    /// Peak resident memory.
    Memory,
}

/// One quality of two models, over all tasks that have it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct Dimension {
    /// What is weighed.
    pub quality: Quality,
    /// Geometric mean over the tasks of how many times better slot 0 is than slot 1; below 1 slot 1 is better. For times
    /// and memory less is better, and the factor is already turned round.
    pub advantage: f64,
    /// 95 % percentile bootstrap of the same.
    pub interval: Interval,
    /// Who is better, if anyone is.
    pub winner: Option<u32>,
    /// How many tasks are behind it.
    pub tasks: u32,
}

/// What it comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// One model is better in at least one quality and worse in none.
    Better,
    /// Each is better in something.
    TradeOff,
    /// Neither is better in anything by enough.
    NoRealDifference,
    /// Not enough valid measurements.
    Withheld,
    /// One model only: nothing to compare.
    Single,
    /// One model under three settings or more: see [`Verdict::sweep`].
    Sweep,
}

/// What a sweep says of one figure of one task. Entries that failed or have a red flag are left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct SweepFinding {
    /// Which task.
    pub task_id: String,
    /// Which figure.
    pub metric: Metric,
    /// Entry with the best median.
    pub best: u32,
    /// Other entries that do not really differ from it.
    pub even: Vec<u32>,
    /// Entry with the worst median.
    pub worst: u32,
    /// How many times better the best is than the worst, 1 or more.
    pub factor: f64,
    /// 95 % percentile bootstrap of the same.
    pub interval: Interval,
}

impl SweepFinding {
    /// Whether the setting matters to the figure at all.
    #[must_use]
    pub fn matters(&self) -> bool {
        self.best != self.worst && !self.even.contains(&self.worst)
    }
}

/// How sure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Certainty {
    /// Most compared cells carry an amber flag other than few samples or early stop, or a part of the suite could not be
    /// measured.
    Low,
    /// Fewer than five repetitions, or some cells carry such a flag.
    Moderate,
    /// Five repetitions or more everywhere and no such flag.
    High,
}

/// Why not surer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Doubt {
    /// Repetitions behind each figure.
    FewRepetitions {
        /// How many.
        count: u32,
    },
    /// Cells whose repetitions scatter.
    NoisyCells {
        /// How many.
        count: u32,
        /// Of how many.
        of: u32,
    },
    /// Cells measured while other programs worked.
    BusyMachine {
        /// How many.
        count: u32,
        /// Of how many.
        of: u32,
    },
    /// Cells with a red flag, left out of the verdict.
    LeftOut {
        /// How many.
        count: u32,
        /// Of how many.
        of: u32,
    },
    /// Cells that failed.
    FailedCells {
        /// How many.
        count: u32,
        /// Of how many.
        of: u32,
    },
    /// Cells not measured yet.
    NotMeasured {
        /// How many.
        count: u32,
        /// Of how many.
        of: u32,
    },
}

/// Which is better, by how much, and how sure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct Verdict {
    /// What it comes to.
    pub outcome: Outcome,
    /// Who is better, where one is.
    pub winner: Option<u32>,
    /// The qualities weighed.
    pub dimensions: Vec<Dimension>,
    /// Tasks whose headline figure each slot wins.
    pub tasks_won: Vec<u32>,
    /// Tasks whose headline figure could be compared.
    pub tasks_compared: u32,
    /// How sure.
    pub certainty: Certainty,
    /// Why not surer.
    pub doubts: Vec<Doubt>,
    /// Of a sweep: what each task's headline figure says, and the memory of the task that needs most. Else empty.
    pub sweep: Vec<SweepFinding>,
    /// The same in one English sentence, for the command line and reports.
    pub sentence: String,
}

impl Quality {
    /// Every quality, in the order in which a verdict names them.
    pub const ALL: [Self; 3] = [Self::WritingSpeed, Self::TimeToFirstToken, Self::Memory];

    /// Name in English, for the middle of a sentence.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::WritingSpeed => "writing speed",
            Self::TimeToFirstToken => "time to first token",
            Self::Memory => "memory",
        }
    }

    /// The figure that stands for it in a task, if the task has one.
    #[must_use]
    pub fn metric(self, work: &Work) -> Option<Metric> {
        match (self, work) {
            (Self::WritingSpeed, Work::Generate(_)) => Some(Metric::DecodeTps),
            (Self::WritingSpeed, Work::Batch(_)) => Some(Metric::BatchTps),
            (Self::WritingSpeed, Work::Sustained(_)) => Some(Metric::SteadyTps),
            (Self::WritingSpeed, Work::Synthetic(request)) => (request.n_gen > 0).then_some(Metric::SyntheticTps),
            (Self::TimeToFirstToken, Work::Generate(_)) => Some(Metric::TtftMs),
            (_, Work::Load { .. }) | (Self::TimeToFirstToken, _) => None,
            (Self::Memory, _) => Some(Metric::PeakRssBytes),
        }
    }
}

impl Verdict {
    /// Weighs the tables of all tasks. `tasks` are in the suite's order, one for each of its tasks.
    ///
    /// A quality rests on the tasks whose row for it could be compared: no red flag, at least two values on each side.
    /// Flags and repetitions count against the certainty where a quality rests on them; cells that failed, are missing or
    /// were left out count wherever they are, except those of loading, of which no quality is weighed. `EarlyStop` does not count: no figure that is weighed depends on the length
    /// of the answer.
    #[must_use]
    pub fn weigh(spec: &RunSpec, tasks: &[TaskResult], options: &CompareOptions, bootstrap: &mut Bootstrap) -> Self {
        let single = spec.entries.len() == 1;
        let mut support = Support::default();
        let mut dimensions = Vec::new();
        for quality in Quality::ALL {
            let rows: Vec<(&TaskResult, &MetricRow)> = spec
                .suite
                .tasks
                .iter()
                .zip(tasks)
                .filter_map(|(task, result)| usable_row(quality, task, result))
                .collect();
            let dimension = dimension(quality, &rows, options, bootstrap);
            if dimension.is_some() || single {
                for (task, row) in rows {
                    support.add(task, row);
                }
            }
            dimensions.extend(dimension);
        }
        let sweep =
            if spec.entries.len() > 2 { sweep_findings(tasks, options, bootstrap, &mut support) } else { Vec::new() };
        let (outcome, winner) = outcome(spec.entries.len(), &dimensions, &sweep);
        let doubts = doubts(&support, tasks);
        let certainty = if outcome == Outcome::Withheld { Certainty::Low } else { certainty(&support, &doubts) };
        let headlines: Vec<&RowVerdict> = tasks.iter().filter_map(|task| Some(&task.rows.first()?.verdict)).collect();
        let won_by =
            |slot| count(headlines.iter().filter(|row| matches!(row, RowVerdict::Winner { slot: s } if *s == slot)));
        let compared = |row: &&&RowVerdict| matches!(row, RowVerdict::Winner { .. } | RowVerdict::NoRealDifference);
        let mut verdict = Self {
            outcome,
            winner,
            dimensions,
            tasks_won: (0..).zip(&spec.entries).map(|(slot, _)| won_by(slot)).collect(),
            tasks_compared: count(headlines.iter().filter(compared)),
            certainty,
            doubts,
            sweep,
            sentence: String::new(),
        };
        verdict.sentence = sentence(&verdict, spec, tasks, &support, options, bootstrap);
        verdict
    }
}

/// The row that a quality can rest on, if the task has one.
fn usable_row<'a>(quality: Quality, task: &Task, result: &'a TaskResult) -> Option<(&'a TaskResult, &'a MetricRow)> {
    let metric = quality.metric(&task.work)?;
    let row = result.rows.iter().find(|row| row.metric == metric)?;
    let usable = match row.verdict {
        RowVerdict::Winner { .. } | RowVerdict::NoRealDifference => true,
        RowVerdict::Single => !result.cells.iter().any(|cell| validity::is_red(&cell.flags)),
        RowVerdict::TooFewSamples | RowVerdict::NotComparable { .. } | RowVerdict::NotMeasured => false,
    };
    usable.then_some((result, row))
}

fn dimension(
    quality: Quality,
    rows: &[(&TaskResult, &MetricRow)],
    options: &CompareOptions,
    bootstrap: &mut Bootstrap,
) -> Option<Dimension> {
    let metric = rows.first()?.1.metric;
    let pairs: Option<Vec<(&[f64], &[f64])>> = rows
        .iter()
        .map(|(_, row)| match row.values.as_slice() {
            [a, b] => Some((a.as_slice(), b.as_slice())),
            _ => None,
        })
        .collect();
    let pairs = pairs?;
    let advantage = compare::advantage(metric, &bootstrap.geometric_mean_ratio(&pairs)?);
    // The verdict has a chance to find a difference in each quality: it needs to be surer of each.
    let sure = bootstrap.together(Quality::ALL.len(), |bootstrap| bootstrap.geometric_mean_ratio(&pairs))?;
    Some(Dimension {
        quality,
        advantage: advantage.value,
        interval: advantage.interval,
        winner: options.decide(&compare::advantage(metric, &sure)),
        tasks: count(rows),
    })
}

/// The headline figure of each task, and the peak memory of the task that needs most.
fn sweep_findings(
    tasks: &[TaskResult],
    options: &CompareOptions,
    bootstrap: &mut Bootstrap,
    support: &mut Support,
) -> Vec<SweepFinding> {
    let mut findings = Vec::new();
    let mut find = |task: &TaskResult, row: &MetricRow| {
        if let Some(finding) = sweep_finding(task, row, options, bootstrap) {
            support.add(task, row);
            findings.push(finding);
        }
    };
    for task in tasks {
        if let Some(row) = task.rows.first() {
            find(task, row);
        }
    }
    let peak = |task: &TaskResult| {
        let row = task.rows.iter().find(|row| row.metric == Metric::PeakRssBytes);
        row.and_then(|row| row.values.iter().flatten().copied().reduce(f64::max))
    };
    let needs_most = tasks.iter().filter_map(|task| Some((task, peak(task)?))).max_by(|a, b| a.1.total_cmp(&b.1));
    if let Some((task, _)) = needs_most
        && let Some(row) = task.rows.iter().find(|row| row.metric == Metric::PeakRssBytes)
    {
        find(task, row);
    }
    findings
}

fn sweep_finding(
    task: &TaskResult,
    row: &MetricRow,
    options: &CompareOptions,
    bootstrap: &mut Bootstrap,
) -> Option<SweepFinding> {
    let usable = |cell: &CellOutcome| cell.state != CellState::Failed && !validity::is_red(&cell.flags);
    let sides = (0u32..).zip(&row.values).zip(&task.cells);
    let sides = sides.filter(|((_, values), cell)| usable(cell) && values.len() >= 2);
    let ranked = compare::ranked(row.metric, sides.map(|((slot, values), _)| (slot, values.as_slice())));
    let [(best, best_values), others @ ..] = ranked.as_slice() else { return None };
    let (worst, worst_values) = others.last()?;
    let mut advantage_over =
        |values: &[f64]| Some(compare::advantage(row.metric, &bootstrap.paired_ratio(best_values, values)?));
    let factor = advantage_over(worst_values)?;
    let mut even: Vec<u32> = others
        .iter()
        .filter(|(_, values)| advantage_over(values).is_none_or(|a| options.decide(&a) != Some(0)))
        .map(|(slot, _)| *slot)
        .collect();
    even.sort_unstable();
    Some(SweepFinding {
        task_id: task.task_id.clone(),
        metric: row.metric,
        best: *best,
        even,
        worst: *worst,
        factor: factor.value,
        interval: factor.interval,
    })
}

fn outcome(entries: usize, dimensions: &[Dimension], sweep: &[SweepFinding]) -> (Outcome, Option<u32>) {
    let wins = |slot| dimensions.iter().any(|dimension| dimension.winner == Some(slot));
    match (entries, wins(0), wins(1)) {
        (1, _, _) => (Outcome::Single, None),
        (2, true, true) => (Outcome::TradeOff, None),
        (2, true, false) => (Outcome::Better, Some(0)),
        (2, false, true) => (Outcome::Better, Some(1)),
        (2, false, false) if !dimensions.is_empty() => (Outcome::NoRealDifference, None),
        (3.., _, _) if !sweep.is_empty() => (Outcome::Sweep, None),
        _ => (Outcome::Withheld, None),
    }
}

/// What a verdict rests on.
#[derive(Default)]
struct Support {
    /// Cells, and whether they are noisy and whether the machine was busy.
    cells: HashMap<CellId, (bool, bool)>,
    /// Fewest and most repetitions behind a figure.
    repetitions: Option<(u32, u32)>,
}

impl Support {
    fn add(&mut self, task: &TaskResult, row: &MetricRow) {
        for cell in &task.cells {
            let has = |kind| cell.flags.iter().any(|flag| flag.kind == kind);
            self.cells.insert(cell.cell_id, (has(FlagKind::Noisy), has(FlagKind::BusyMachine)));
        }
        for n in row.values.iter().map(count) {
            let (fewest, most) = self.repetitions.unwrap_or((n, n));
            self.repetitions = Some((fewest.min(n), most.max(n)));
        }
    }

    fn fewest_repetitions(&self) -> u32 {
        self.repetitions.map_or(0, |(fewest, _)| fewest)
    }

    fn is_short_of_repetitions(&self) -> bool {
        (1..validity::ENOUGH_SAMPLES).contains(&(self.fewest_repetitions() as usize))
    }
}

fn doubts(support: &Support, tasks: &[TaskResult]) -> Vec<Doubt> {
    let weighed = count(&support.cells);
    // Nothing is weighed of loading: a system that cannot show a cold start is no reason to doubt the rest.
    let cells = || tasks.iter().filter(|task| task.category != Category::Load).flat_map(|task| &task.cells);
    let of = count(cells());
    let is_left_out = |cell: &&CellOutcome| cell.state != CellState::Failed && validity::is_red(&cell.flags);
    [
        (support.is_short_of_repetitions()).then(|| Doubt::FewRepetitions { count: support.fewest_repetitions() }),
        some(support.cells.values().filter(|(noisy, _)| *noisy)).map(|count| Doubt::NoisyCells { count, of: weighed }),
        some(support.cells.values().filter(|(_, busy)| *busy)).map(|count| Doubt::BusyMachine { count, of: weighed }),
        some(cells().filter(is_left_out)).map(|count| Doubt::LeftOut { count, of }),
        some(cells().filter(|cell| cell.state == CellState::Failed)).map(|count| Doubt::FailedCells { count, of }),
        some(cells().filter(|cell| cell.state == CellState::Pending)).map(|count| Doubt::NotMeasured { count, of }),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn certainty(support: &Support, doubts: &[Doubt]) -> Certainty {
    let amber = support.cells.values().filter(|(noisy, busy)| *noisy || *busy).count();
    let is_gap =
        |doubt: &Doubt| matches!(doubt, Doubt::LeftOut { .. } | Doubt::FailedCells { .. } | Doubt::NotMeasured { .. });
    if doubts.iter().any(is_gap) || amber * 2 > support.cells.len() || support.cells.is_empty() {
        Certainty::Low
    } else if support.is_short_of_repetitions() || amber > 0 {
        Certainty::Moderate
    } else {
        Certainty::High
    }
}

/// How many, where there are any.
fn some(items: impl IntoIterator) -> Option<u32> {
    Some(count(items)).filter(|count| *count > 0)
}

fn count(items: impl IntoIterator) -> u32 {
    u32::try_from(items.into_iter().count()).unwrap_or(u32::MAX)
}

// The sentence.

fn sentence(
    verdict: &Verdict,
    spec: &RunSpec,
    tasks: &[TaskResult],
    support: &Support,
    options: &CompareOptions,
    bootstrap: &mut Bootstrap,
) -> String {
    let names = names(spec);
    let finding = match (verdict.outcome, names.as_slice()) {
        (Outcome::Single, [name]) => single(name, spec, tasks, bootstrap),
        (Outcome::Better, [first, second]) => {
            let winner = verdict.winner.unwrap_or(0);
            let mut clauses = clauses(verdict, winner, true);
            if let Some(even) = even(verdict) {
                clauses.push(format!("does not really differ in {even}"));
            }
            let name = if winner == 0 { first } else { second };
            format!("{name} is the better choice on this device: it {}.", join(&clauses, "and"))
        }
        (Outcome::TradeOff, [first, second]) => {
            let tail = even(verdict).map(|even| format!("; in {even} they do not really differ")).unwrap_or_default();
            format!(
                "Neither is better at everything on this device: {first} {}, but {second} {}{tail}.",
                join(&clauses(verdict, 0, true), "and"),
                join(&clauses(verdict, 1, false), "and"),
            )
        }
        (Outcome::NoRealDifference, [first, second]) => {
            let percent = (options.min_effect * 1_000.0).round() / 10.0;
            format!(
                "There is no real difference on this device between {first} and {second} in {}: what the figures differ by \
                 is less than {percent} % or within the scatter of the measurements.",
                even(verdict).unwrap_or_default()
            )
        }
        (_, [_, _]) => "No verdict: there is no task that both models have enough valid measurements of.".to_owned(),
        (_, []) => "No verdict: the run has no models.".to_owned(),
        (Outcome::Sweep, settings) => sweep_sentence(verdict, spec, tasks, settings.len()),
        (_, _) => "No verdict: there are not enough valid measurements under two of the settings.".to_owned(),
    };
    match certainty_sentence(verdict, support) {
        Some(certainty) => format!("{finding} {certainty}"),
        None => finding,
    }
}

/// One clause a figure that the setting matters to.
fn sweep_sentence(verdict: &Verdict, spec: &RunSpec, tasks: &[TaskResult], settings: usize) -> String {
    let name = |slot: u32| {
        let entry = spec.entries.get(slot as usize);
        entry.map_or_else(String::new, |entry| entry.variant.clone().unwrap_or_else(|| entry.label()))
    };
    let clause = |finding: &SweepFinding| {
        let title = tasks.iter().find(|task| task.task_id == finding.task_id).map_or("", |task| task.title.as_str());
        let mut best = vec![finding.best];
        best.extend(&finding.even);
        best.sort_unstable();
        let names: Vec<String> = best.into_iter().map(name).collect();
        let (best, worst) = (join(&names, "or"), name(finding.worst));
        if finding.metric == Metric::PeakRssBytes {
            let less = format::significant((1.0 - 1.0 / finding.factor) * 100.0, None, format::PERCENT_DIGITS);
            return format!("least memory with {best}, {less} % less than with {worst}");
        }
        let factor = Estimate { value: finding.factor, interval: finding.interval };
        let [value, low, high] = format::with_interval(factor.value, factor.interval, format::PROSE_DIGITS);
        format!("{title}: best with {best}, {value} times as good as with {worst} (95 % interval {low} to {high})")
    };
    let clauses: Vec<String> = verdict.sweep.iter().filter(|finding| finding.matters()).map(clause).collect();
    let model = spec.entries.first().map_or("", |entry| entry.model.header.name.as_str());
    if clauses.is_empty() {
        return format!("{model} on this device: none of the {settings} settings makes a real difference.");
    }
    format!("{model} on this device: {}.", clauses.join("; "))
}

/// The models' labels, told apart where they are the same model with other settings.
fn names(spec: &RunSpec) -> Vec<String> {
    let labels: Vec<String> = spec.entries.iter().map(RunEntry::label).collect();
    let name = |(place, label): (usize, &String)| {
        let alone = labels.iter().filter(|other| *other == label).count() == 1;
        if alone { label.clone() } else { format!("{label} (entry {})", place + 1) }
    };
    labels.iter().enumerate().map(name).collect()
}

/// What one entry is better at, each as the end of a sentence that starts with its name; the first with its interval.
fn clauses(verdict: &Verdict, slot: u32, mut with_interval: bool) -> Vec<String> {
    let mut clauses = Vec::new();
    for dimension in verdict.dimensions.iter().filter(|dimension| dimension.winner == Some(slot)) {
        let advantage = Estimate { value: dimension.advantage, interval: dimension.interval };
        let factor = if slot == 0 { advantage } else { advantage.inverse() };
        clauses.push(clause(dimension.quality, &factor, with_interval));
        with_interval = false;
    }
    clauses
}

/// Below this factor an advantage is told in percent, from there on as a number of times.
const TOLD_IN_TIMES: f64 = 1.25;

fn clause(quality: Quality, factor: &Estimate, with_interval: bool) -> String {
    let map = |f: fn(f64) -> f64| Estimate {
        value: f(factor.value),
        interval: Interval { low: f(factor.interval.low), high: f(factor.interval.high) },
    };
    let more = || map(|factor| (factor - 1.0) * 100.0);
    let less = || map(|factor| (1.0 - 1.0 / factor) * 100.0);
    let in_times = factor.value >= TOLD_IN_TIMES;
    let (estimate, unit, before, after) = match quality {
        Quality::WritingSpeed if in_times => (*factor, "", "writes ", " times as fast"),
        Quality::WritingSpeed => (more(), " %", "writes ", " faster"),
        Quality::TimeToFirstToken if in_times => (*factor, "", "answers ", " times sooner"),
        Quality::TimeToFirstToken => (less(), " %", "answers ", " sooner"),
        Quality::Memory => (less(), " %", "uses ", " less memory"),
    };
    let most = if unit.is_empty() { format::PROSE_DIGITS } else { format::PERCENT_DIGITS };
    let [value, low, high] = format::with_interval(estimate.value, estimate.interval, most);
    let interval =
        if with_interval && low != high { format!(" (95 % interval {low} to {high}{unit})") } else { String::new() };
    format!("{before}{value}{unit}{after}{interval}")
}

/// The qualities in which neither is better.
fn even(verdict: &Verdict) -> Option<String> {
    let even = verdict.dimensions.iter().filter(|dimension| dimension.winner.is_none());
    let labels: Vec<String> = even.map(|dimension| dimension.quality.label().to_owned()).collect();
    (!labels.is_empty()).then(|| join(&labels, "and"))
}

fn single(name: &str, spec: &RunSpec, tasks: &[TaskResult], bootstrap: &mut Bootstrap) -> String {
    let mut clauses = Vec::new();
    for (metric, before, after) in
        [(Metric::DecodeTps, "writes ", " tokens a second"), (Metric::TtftMs, "gives its first token after ", " ms")]
    {
        if let Some(typical) = typical(metric, tasks, bootstrap) {
            let value = format::significant(typical.value, Some(typical.interval), format::PROSE_DIGITS);
            clauses.push(format!("{before}{value}{after}"));
        }
    }
    let rows =
        spec.suite.tasks.iter().zip(tasks).filter_map(|(task, result)| usable_row(Quality::Memory, task, result));
    if let Some(peak) = rows.flat_map(|(_, row)| row.values.iter().flatten().copied()).reduce(f64::max) {
        clauses.push(format!("needs up to {} of memory", format::bytes(peak)));
    }
    if clauses.is_empty() {
        return format!("{name} was measured alone, and there are not enough valid measurements to sum it up.");
    }
    format!("{name} {} (measured alone: nothing to compare it with).", join(&clauses, "and"))
}

/// Geometric mean over the tasks of the medians of one entry, with its interval.
fn typical(metric: Metric, tasks: &[TaskResult], bootstrap: &mut Bootstrap) -> Option<Estimate> {
    let one: &[f64] = &[1.0, 1.0];
    let valid = tasks.iter().filter(|task| !task.cells.iter().any(|cell| validity::is_red(&cell.flags)));
    let rows =
        valid.flat_map(|task| &task.rows).filter(|row| row.metric == metric && row.verdict == RowVerdict::Single);
    let series = rows.flat_map(|row| &row.values).filter(|values| values.len() >= 2);
    let pairs: Vec<(&[f64], &[f64])> = series.map(|values| (one, values.as_slice())).collect();
    bootstrap.geometric_mean_ratio(&pairs)
}

fn certainty_sentence(verdict: &Verdict, support: &Support) -> Option<String> {
    let doubts: Vec<String> = verdict.doubts.iter().map(|doubt| doubt_text(doubt, support)).collect();
    let doubts = join(&doubts, "and");
    let sure = match (verdict.outcome, verdict.certainty) {
        (Outcome::Withheld, _) if doubts.is_empty() => return None,
        (Outcome::Withheld, _) => "Why",
        (_, Certainty::Low) => "Not sure",
        (_, Certainty::Moderate) => "Moderately sure",
        (_, Certainty::High) => {
            let n = support.fewest_repetitions();
            return Some(format!("Sure: at least {n} repetitions of each task, and nothing disturbed them."));
        }
    };
    Some(if doubts.is_empty() { format!("{sure}.") } else { format!("{sure}: {doubts}.") })
}

fn doubt_text(doubt: &Doubt, support: &Support) -> String {
    match doubt {
        Doubt::FewRepetitions { count } => {
            let repetitions = if *count == 1 { "repetition" } else { "repetitions" };
            if support.repetitions == Some((*count, *count)) {
                format!("only {count} {repetitions} of each task")
            } else {
                format!("as few as {count} {repetitions} of a task")
            }
        }
        Doubt::NoisyCells { count, of } => {
            format!("{} by more than 10 %", of_cells(*count, *of, "scatters", "scatter"))
        }
        Doubt::BusyMachine { count, of } => {
            format!("{} while other programs were busy", of_cells(*count, *of, "was made", "were made"))
        }
        Doubt::LeftOut { count, of } => {
            format!("{} because of a red flag", of_cells(*count, *of, "was left out", "were left out"))
        }
        Doubt::FailedCells { count, of } => of_cells(*count, *of, "failed", "failed"),
        Doubt::NotMeasured { count, of } if count == of => format!("none of the {of} measurements is made yet"),
        Doubt::NotMeasured { count, of } => of_cells(*count, *of, "is not made yet", "are not made yet"),
    }
}

fn of_cells(count: u32, of: u32, one: &str, many: &str) -> String {
    let verb = if count == 1 { one } else { many };
    if count == of && of > 1 {
        format!("all {of} measurements {verb}")
    } else {
        format!("{count} of {of} measurements {verb}")
    }
}

/// As in speech: `a`, `a and b`, `a, b and c`.
fn join(items: &[String], word: &str) -> String {
    match items {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} {word} {last}", first.join(", ")),
    }
}
