//! Tuning: the settings that a device runs best with, each decided by figures that were measured on it.
//!
//! Every decision follows one rule, [`choose`]: of several values in order of preference, the first that is not really
//! slower than the fastest. So a value that helps nobody is never chosen, above all more threads than help: on phones a
//! thread on a slow core makes all others wait, and decode can collapse to a hundredth of its rate.

use crate::compare::{CompareOptions, Ratio, RunResult};
use crate::device::DeviceProfile;
use crate::error::ErrorReport;
use crate::generate::{EngineInfo, SyntheticRequest};
use crate::job::JobId;
use crate::metric::Metric;
use crate::run::{CellState, RunId, id};
use crate::settings::{EngineSettings, FlashAttention};
use crate::stats::{self, Bootstrap, Estimate, Summary};
use crate::suite::Work;
use crate::validity::{Flag, FlagKind};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

id! {
    /// Identifies a tuning.
    TuningId,
}

/// What a step of tuning is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum TuningAxis {
    /// Threads for decode.
    Threads,
    /// Threads for prefill, which computes more at a time and can use more of them.
    PrefillThreads,
    /// Micro-batch.
    MicroBatch,
    /// Fused attention.
    FlashAttention,
    /// A second copy of the weights in the CPU's own layout. What it costs and gives is measured; it stays on, since
    /// whether it can be had depends on the memory that is left and on the model's format.
    Repack,
    /// Number format of the KV cache. What it costs and gives is measured; F16 stays, since fewer bits change answers.
    KvType,
}

impl TuningAxis {
    /// Whether this kind of work decides it.
    fn asks(self, work: &SyntheticRequest) -> bool {
        match self {
            Self::Threads => work.n_gen > 0,
            Self::PrefillThreads | Self::MicroBatch => work.n_prompt > 0,
            Self::FlashAttention | Self::Repack | Self::KvType => true,
        }
    }

    /// Whether it is measured for the person to know, and the default stays.
    fn only_shows(self) -> bool {
        matches!(self, Self::Repack | Self::KvType)
    }

    /// Takes this setting, and no other, from `from`.
    pub fn take(self, into: &mut EngineSettings, from: &EngineSettings) {
        match self {
            Self::Threads => into.n_threads = from.n_threads,
            Self::PrefillThreads => into.n_threads_batch = from.n_threads_batch,
            Self::MicroBatch => (into.n_ubatch, into.n_batch) = (from.n_ubatch, into.n_batch.max(from.n_ubatch)),
            Self::FlashAttention => into.flash_attention = from.flash_attention,
            Self::Repack => into.repack = from.repack,
            Self::KvType => (into.kv_type_k, into.kv_type_v) = (from.kv_type_k, from.kv_type_v),
        }
    }
}

/// A rate that was measured of a candidate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct TuningFigure {
    /// The work.
    pub work: SyntheticRequest,
    /// Tokens a second.
    pub rate: Summary,
}

/// One value of a setting, and how it did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct TuningCandidate {
    /// What it is, such as `4 threads`.
    pub label: String,
    /// Its place in the run.
    pub slot: u32,
    /// Rates of the work that decides; empty if any of it could not be measured.
    pub figures: Vec<TuningFigure>,
    /// How many times faster the fastest candidate is, over all figures. Absent where nothing was measured.
    pub behind: Option<Ratio>,
    /// The fastest is really faster: the interval excludes 1 and the effect is large enough.
    pub beaten: bool,
    /// High-water mark of its worker's resident memory.
    pub peak_rss_bytes: Option<u64>,
    /// What to know about the figures.
    pub flags: Vec<Flag>,
    /// Why it could not be measured.
    pub failure: Option<ErrorReport>,
}

/// Why a candidate was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum TuningReason {
    /// It is the fastest.
    Fastest,
    /// It is the first in order of preference that the fastest is not really faster than.
    NoneReallyFaster,
    /// The default stays; the figures say what another value would cost and give.
    DefaultStays,
}

/// One decision and what it rests on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct TuningStep {
    /// What was decided.
    pub axis: TuningAxis,
    /// The run that measured it.
    pub run_id: RunId,
    /// The values in order of preference: fewest threads first, else the default first.
    pub candidates: Vec<TuningCandidate>,
    /// Place of the one that was chosen.
    pub chosen: u32,
    /// Why.
    pub reason: TuningReason,
}

/// Where a tuning holds: on the same device with the same engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct TunedPlace {
    /// Fingerprint of the device.
    pub fingerprint: String,
    /// Logical cores that could be used: a container can be given others without becoming another device.
    pub logical_cores: u32,
    /// Version of the llama.cpp bindings.
    pub bindings_version: String,
    /// CPU variant that computed.
    pub cpu_variant: String,
}

impl TunedPlace {
    /// This device with this engine.
    #[must_use]
    pub fn new(device: &DeviceProfile, engine: &EngineInfo) -> Self {
        Self {
            fingerprint: device.fingerprint.clone(),
            logical_cores: device.logical_cores,
            bindings_version: engine.bindings_version.clone(),
            cpu_variant: engine.cpu_variant.clone(),
        }
    }

    /// Whether it is this device, whatever the engine.
    #[must_use]
    pub fn is_on(&self, device: &DeviceProfile) -> bool {
        self.fingerprint == device.fingerprint && self.logical_cores == device.logical_cores
    }
}

/// The settings that tuning decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct TunedSettings {
    /// Threads for decode.
    pub n_threads: u32,
    /// Threads for prefill.
    pub n_threads_batch: u32,
    /// Micro-batch.
    pub n_ubatch: u32,
    /// Fused attention.
    pub flash_attention: FlashAttention,
}

impl TunedSettings {
    /// Those of a loaded model's settings.
    #[must_use]
    pub fn of(settings: &EngineSettings) -> Self {
        Self {
            n_threads: settings.n_threads,
            n_threads_batch: settings.n_threads_batch,
            n_ubatch: settings.n_ubatch,
            flash_attention: settings.flash_attention,
        }
    }

    /// Puts them in place; what tuning does not decide stays as it is.
    pub fn apply(&self, settings: &mut EngineSettings) {
        settings.n_threads = self.n_threads;
        settings.n_threads_batch = self.n_threads_batch;
        settings.n_ubatch = self.n_ubatch;
        settings.n_batch = settings.n_batch.max(self.n_ubatch);
        settings.flash_attention = self.flash_attention;
    }
}

/// What a device was found to run best with, and what that rests on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct Tuning {
    /// Identity.
    pub id: TuningId,
    /// The job that measured it.
    pub job_id: JobId,
    /// When.
    pub tuned_at: DateTime<Utc>,
    /// Where it holds.
    pub place: TunedPlace,
    /// Hash of the model that it was measured with.
    pub model_sha256: String,
    /// Its name for people.
    pub model: String,
    /// Before a first run, without being asked for.
    pub automatic: bool,
    /// Something else used the machine, or it throttled or swapped: [`TuningStep::is_disturbed`].
    pub disturbed: bool,
    /// The decisions in the order in which they were made.
    pub steps: Vec<TuningStep>,
    /// What they come to.
    pub chosen: TunedSettings,
}

/// How often an automatic tuning that was disturbed is tried again.
const ATTEMPTS: usize = 3;

impl Tuning {
    /// Whether runs use it. Of one that nobody asked for, only if nothing disturbed it: noise hides what helps, and the
    /// fewest threads would be kept for good.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        !self.automatic || !self.disturbed
    }

    /// Whether a device is still to be tuned, given every tuning that holds there: there is none to use, and a machine
    /// that is never quiet is not tuned before every run.
    #[must_use]
    pub fn is_missing<'a>(held: impl IntoIterator<Item = &'a Self>) -> bool {
        let mut attempts = 0;
        for tuning in held {
            if tuning.is_usable() {
                return false;
            }
            attempts += 1;
        }
        attempts < ATTEMPTS
    }
}

/// What [`choose`] found.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// Place of the one to use.
    pub chosen: usize,
    /// Place of the fastest.
    pub fastest: usize,
    /// How many times faster the fastest is than each; `None` for those that cannot be compared.
    pub behind: Vec<Option<Estimate>>,
    /// Which of them the fastest really beats.
    pub beaten: Vec<bool>,
}

/// The first of several candidates, in order of preference, that is not really slower than the fastest.
///
/// Each candidate has one series of rates a figure; several figures count alike, as the geometric mean of their ratios.
/// The fastest is the one with the highest geometric mean of medians, the more preferred one of equals. A candidate
/// without two positive values of every figure is passed over. `None` if that leaves none.
#[must_use]
pub fn choose(candidates: &[Vec<&[f64]>], options: &CompareOptions, bootstrap: &mut Bootstrap) -> Option<Choice> {
    let figures = candidates.iter().map(Vec::len).max().filter(|n| *n > 0)?;
    // Sum of logarithms: its order is that of the geometric means.
    let speed = |series: &Vec<&[f64]>| {
        let logs = series.iter().map(|values| {
            let positive = values.len() >= 2 && values.iter().all(|value| *value > 0.0);
            stats::median(values).filter(|_| positive).map(f64::ln)
        });
        logs.sum::<Option<f64>>().filter(|_| series.len() == figures)
    };
    let mut fastest: Option<(usize, f64)> = None;
    for (place, speed) in candidates.iter().map(speed).enumerate() {
        if let Some(speed) = speed.filter(|speed| fastest.is_none_or(|(_, most)| *speed > most)) {
            fastest = Some((place, speed));
        }
    }
    let (fastest, _) = fastest?;
    let mut behind = Vec::with_capacity(candidates.len());
    for candidate in candidates {
        let pairs: Vec<(&[f64], &[f64])> = candidate.iter().copied().zip(candidates[fastest].iter().copied()).collect();
        let comparable = speed(candidate).is_some();
        behind.push(comparable.then(|| bootstrap.geometric_mean_ratio(&pairs)).flatten());
    }
    let really = |(place, behind): (usize, &Option<Estimate>)| {
        // What cannot be compared is no reason to prefer it.
        place != fastest && behind.is_none_or(|behind| options.decide(&behind) == Some(0))
    };
    let beaten: Vec<bool> = behind.iter().enumerate().map(really).collect();
    let chosen = beaten.iter().position(|beaten| !beaten)?;
    Some(Choice { chosen, fastest, behind, beaten })
}

impl TuningStep {
    /// Decides from a run of a sweep. `preferred` goes before the others, which keep the order of the run's entries.
    /// `None` if no candidate could be measured.
    #[must_use]
    pub fn decide(
        axis: TuningAxis,
        result: &RunResult,
        preferred: Option<u32>,
        options: &CompareOptions,
        bootstrap: &mut Bootstrap,
    ) -> Option<Self> {
        let mut slots: Vec<usize> = (0..result.entries.len()).collect();
        slots.sort_by_key(|slot| preferred != u32::try_from(*slot).ok());
        let series: Vec<Vec<&[f64]>> = slots.iter().map(|slot| series(axis, result, *slot)).collect();
        let choice = choose(&series, options, bootstrap)?;
        let candidates = slots.iter().enumerate().map(|(place, slot)| {
            let behind = choice.behind[place].map(|Estimate { value, interval }| Ratio { value, interval });
            candidate(axis, result, *slot, behind, choice.beaten[place])
        });
        let (chosen, reason) = match choice {
            _ if axis.only_shows() => (0, TuningReason::DefaultStays),
            Choice { chosen, fastest, .. } if chosen == fastest => (chosen, TuningReason::Fastest),
            Choice { chosen, .. } => (chosen, TuningReason::NoneReallyFaster),
        };
        let chosen = u32::try_from(chosen).ok()?;
        Some(Self { axis, run_id: result.run.id, candidates: candidates.collect(), chosen, reason })
    }

    /// The candidate that was chosen.
    #[must_use]
    pub fn chosen(&self) -> Option<&TuningCandidate> {
        self.candidates.get(self.chosen as usize)
    }

    /// Puts what was decided in place, given the run that it was decided from.
    pub fn settle(&self, result: &RunResult, settings: &mut EngineSettings) {
        let chosen = self.chosen().and_then(|chosen| result.entries.get(chosen.slot as usize));
        if let Some(entry) = chosen {
            self.axis.take(settings, &entry.settings);
        }
    }

    /// Whether something else used the machine while it was measured, or the machine throttled or swapped.
    #[must_use]
    pub fn is_disturbed(&self) -> bool {
        let disturbs =
            |flag: &Flag| matches!(flag.kind, FlagKind::BusyMachine | FlagKind::Throttled | FlagKind::Swapped);
        self.candidates.iter().any(|candidate| candidate.flags.iter().any(disturbs))
    }
}

/// The work of the tasks that decide.
fn asked(axis: TuningAxis, result: &RunResult) -> impl Iterator<Item = (usize, SyntheticRequest)> {
    let works = result.run.spec.suite.tasks.iter().map(|task| &task.work).enumerate();
    works.filter_map(move |(place, work)| match work {
        Work::Synthetic(work) if axis.asks(work) => Some((place, *work)),
        _ => None,
    })
}

/// A candidate's rates, one list a task that decides; none if any of them could not be measured.
fn series(axis: TuningAxis, result: &RunResult, slot: usize) -> Vec<&[f64]> {
    let rates = asked(axis, result).map(|(place, _)| {
        let task = result.tasks.get(place)?;
        let row = task.rows.iter().find(|row| row.metric == Metric::SyntheticTps)?;
        let done = task.cells.get(slot)?.state == CellState::Done;
        row.values.get(slot).filter(|values| done && !values.is_empty()).map(Vec::as_slice)
    });
    rates.collect::<Option<Vec<&[f64]>>>().unwrap_or_default()
}

fn candidate(
    axis: TuningAxis,
    result: &RunResult,
    slot: usize,
    behind: Option<Ratio>,
    beaten: bool,
) -> TuningCandidate {
    let asked: Vec<(usize, SyntheticRequest)> = asked(axis, result).collect();
    let cells = || asked.iter().filter_map(|(place, _)| result.tasks.get(*place)?.cells.get(slot));
    let figures = asked.iter().filter_map(|(place, work)| {
        let row = result.tasks.get(*place)?.rows.iter().find(|row| row.metric == Metric::SyntheticTps)?;
        Some(TuningFigure { work: *work, rate: row.sides.get(slot)?.clone()? })
    });
    let mut flags: Vec<Flag> = Vec::new();
    for flag in cells().flat_map(|cell| &cell.flags) {
        if !flags.iter().any(|have| have.kind == flag.kind) {
            flags.push(flag.clone());
        }
    }
    TuningCandidate {
        label: result.run.spec.entries[slot].variant.clone().unwrap_or_default(),
        slot: u32::try_from(slot).unwrap_or(u32::MAX),
        figures: if behind.is_some() { figures.collect() } else { Vec::new() },
        behind,
        beaten,
        peak_rss_bytes: result.entries.get(slot).and_then(|entry| entry.memory.peak_rss_bytes),
        flags,
        failure: cells().find_map(|cell| cell.failure.clone()),
    }
}
