//! A cold start against its limit, and what would meet it. Advice stands on measured figures alone: on a start under other
//! settings or with the file in memory that was measured, or on the rate at which this device loads this model's file.

use crate::format;
use crate::metric::Metric;
use crate::run::{Measured, RunSpec, Sample};
use crate::stats;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// What a cold start consists of, and how large a file the limit has room for:
/// `largest = (limit − rest) × rate`, where `rate = file ÷ load` and `rest = start to first token − load`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, TS)]
pub struct StartBudget {
    /// Bytes of the model file loaded a second; repacking and the KV cache are inside.
    pub load_bytes_per_s: f64,
    /// Starting the process and the first token, in milliseconds: what no smaller file takes away.
    pub rest_ms: f64,
    /// Largest file that meets the limit; 0 if the rest alone is longer.
    pub largest_bytes: u64,
}

/// Something that meets the limit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum StartAdvice {
    /// The same model under the settings of another entry of the run, started cold.
    OtherSettings {
        /// The entry.
        slot: u32,
        /// Its median, measured.
        first_token_ms: f64,
    },
    /// A smaller file of the same model, at the rate of this one.
    SmallerFile {
        /// Its quantization.
        quantization: String,
        /// Its size.
        file_bytes: u64,
        /// Time to expect: `rest + file ÷ rate`.
        first_token_ms: f64,
    },
    /// Reading the file into memory before it is needed.
    Preload {
        /// Median of the start that finds it there, measured.
        first_token_ms: f64,
    },
}

/// Another file of the same model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherFile {
    /// Its quantization.
    pub quantization: String,
    /// Its size, of all parts.
    pub file_bytes: u64,
}

/// How an entry starts when its file is not in memory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct ColdStart {
    /// The entry.
    pub slot: u32,
    /// The limit, in milliseconds.
    pub limit_ms: f64,
    /// Median time from starting the process to the first token; absent if no cold start was measured.
    pub first_token_ms: Option<f64>,
    /// Whether that is within the limit.
    pub met: Option<bool>,
    /// What it consists of.
    pub budget: Option<StartBudget>,
    /// What would meet it, what costs nothing first. Empty if it is met, or if nothing known does.
    pub advice: Vec<StartAdvice>,
}

/// Times of loads of an entry: from start to first token, and of loading alone, in milliseconds.
fn times(samples: &[&Sample], cold: bool) -> Vec<(f64, f64)> {
    let loads = samples.iter().filter(|sample| matches!(&sample.measured, Measured::Load(load) if load.cold == cold));
    loads.filter_map(|sample| Some((Metric::FirstTokenMs.of(sample)?, Metric::LoadMs.of(sample)?))).collect()
}

fn median(times: &[(f64, f64)], of: fn(&(f64, f64)) -> f64) -> Option<f64> {
    stats::median(&times.iter().map(of).collect::<Vec<_>>())
}

impl ColdStart {
    /// One an entry of a run that starts models cold; none for other runs. `samples`: those that count, by entry.
    pub(crate) fn of(spec: &RunSpec, samples: &[Vec<&Sample>], limit_ms: f64) -> Vec<Self> {
        let tried = spec.suite.tasks.iter().any(|task| matches!(task.work, crate::suite::Work::Load { cold: true }));
        if !tried {
            return Vec::new();
        }
        let cold: Vec<Vec<(f64, f64)>> = samples.iter().map(|samples| times(samples, true)).collect();
        let first_tokens: Vec<Option<f64>> = cold.iter().map(|times| median(times, |t| t.0)).collect();
        let entry = |(slot, (entry, samples)): (u32, (&crate::run::RunEntry, &Vec<&Sample>))| {
            let times_cold = &cold[slot as usize];
            let first_token_ms = first_tokens[slot as usize];
            let met = first_token_ms.map(|ms| ms <= limit_ms);
            let mut advice = Vec::new();
            if met == Some(false) {
                let others = (0u32..).zip(&spec.entries).zip(&first_tokens);
                let same = others.filter(|((other, e), _)| *other != slot && e.model.sha256 == entry.model.sha256);
                let fits = same.filter_map(|((other, _), ms)| Some((other, (*ms)?))).filter(|(_, ms)| *ms <= limit_ms);
                if let Some((slot, first_token_ms)) = fits.min_by(|a, b| a.1.total_cmp(&b.1)) {
                    advice.push(StartAdvice::OtherSettings { slot, first_token_ms });
                }
                let warm = median(&times(samples, false), |t| t.0).filter(|ms| *ms <= limit_ms);
                advice.extend(warm.map(|first_token_ms| StartAdvice::Preload { first_token_ms }));
            }
            let budget = budget(times_cold, entry.model.file_bytes, limit_ms);
            Self { slot, limit_ms, first_token_ms, met, budget, advice }
        };
        (0u32..).zip(spec.entries.iter().zip(samples)).map(entry).collect()
    }

    /// Adds the largest of other files of the model that meets the limit, if there is one.
    pub fn suggest(&mut self, files: &[OtherFile]) {
        let (Some(false), Some(budget)) = (self.met, self.budget) else { return };
        let fits = files.iter().filter(|file| file.file_bytes > 0 && file.file_bytes <= budget.largest_bytes);
        let Some(file) = fits.max_by_key(|file| file.file_bytes) else { return };
        let first_token_ms = budget.rest_ms + file.file_bytes as f64 / budget.load_bytes_per_s * 1e3;
        let (quantization, file_bytes) = (file.quantization.clone(), file.file_bytes);
        let place = self.advice.iter().take_while(|a| matches!(a, StartAdvice::OtherSettings { .. })).count();
        self.advice.insert(place, StartAdvice::SmallerFile { quantization, file_bytes, first_token_ms });
    }

    /// The same in English, for the command line and reports; `labels` name the entries.
    #[must_use]
    pub fn sentence(&self, labels: &[String]) -> String {
        let label = |slot: u32| labels.get(slot as usize).map_or("?", String::as_str);
        let limit = seconds(self.limit_ms);
        let Some(first_token_ms) = self.first_token_ms else {
            return format!(
                "{}: no cold start was measured, so the limit of {limit} is neither met nor missed.",
                label(self.slot)
            );
        };
        let time = seconds(first_token_ms);
        if self.met == Some(true) {
            return format!("{}: cold start to first token {time}: within the limit of {limit}.", label(self.slot));
        }
        let advised = self.advice.iter().map(|advice| match advice {
            StartAdvice::OtherSettings { slot, first_token_ms } => {
                format!("{} ({}, measured)", label(*slot), seconds(*first_token_ms))
            }
            StartAdvice::SmallerFile { quantization, file_bytes, first_token_ms } => {
                let size = format::bytes(*file_bytes as f64);
                format!(
                    "the file in {quantization} with {size} (about {}: {})",
                    seconds(*first_token_ms),
                    self.arithmetic(*file_bytes)
                )
            }
            StartAdvice::Preload { first_token_ms } => {
                format!("reading the file into memory beforehand ({}, measured)", seconds(*first_token_ms))
            }
        });
        let advised: Vec<String> = advised.collect();
        let what =
            if advised.is_empty() { self.nothing() } else { format!("What would meet it: {}.", advised.join("; or ")) };
        format!("{}: cold start to first token {time}: over the limit of {limit}. {what}", label(self.slot))
    }

    fn arithmetic(&self, file_bytes: u64) -> String {
        let Some(budget) = self.budget else { return String::new() };
        let (size, rate) = (format::bytes(file_bytes as f64), format::bytes(budget.load_bytes_per_s));
        format!("{} + {size} ÷ {rate}/s", seconds(budget.rest_ms))
    }

    fn nothing(&self) -> String {
        match self.budget {
            Some(StartBudget { largest_bytes: 0, rest_ms, .. }) => {
                format!("No smaller file would meet it: what is not loading takes {} alone.", seconds(rest_ms))
            }
            Some(budget) => format!(
                "Nothing measured or known meets it; a file of up to {} would, at {} loaded a second.",
                format::bytes(budget.largest_bytes as f64),
                format::bytes(budget.load_bytes_per_s)
            ),
            None => "Nothing measured meets it.".to_owned(),
        }
    }
}

fn budget(cold: &[(f64, f64)], file_bytes: u64, limit_ms: f64) -> Option<StartBudget> {
    let load_ms = median(cold, |t| t.1)?;
    let rest_ms = median(cold, |t| (t.0 - t.1).max(0.0))?;
    let load_bytes_per_s = file_bytes as f64 / load_ms * 1e3;
    let largest = (limit_ms - rest_ms).max(0.0) / 1e3 * load_bytes_per_s;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative; saturates")]
    let largest_bytes = largest as u64;
    load_bytes_per_s.is_finite().then_some(StartBudget { load_bytes_per_s, rest_ms, largest_bytes })
}

fn seconds(ms: f64) -> String {
    format!("{} s", format::significant(ms / 1e3, None, 3))
}
