//! Sweeps: one model under one setting after another, everything else alike.

use crate::device::DeviceProfile;
use crate::fit::Fit;
use crate::format;
use crate::run::RunEntry;
use crate::settings::{EngineSettings, FlashAttention, KvType};
use serde::{Deserialize, Serialize};
use std::str::FromStr;
use ts_rs::TS;

/// Most values of a sweep.
pub const MOST_VALUES: usize = 16;
/// Least memory that a balloon leaves free before a model is loaded: what a system and the programs on it need to stay
/// alive for a while.
pub const LEAST_FREE_BYTES: u64 = 256 << 20;
/// Shares of a model's predicted footprint that [`Sweep::FreeMemory`] leaves free where it has no values, in percent.
pub const FREE_PERCENT: [u64; 4] = [150, 100, 75, 50];
/// llama.cpp has room for no more.
const MOST_THREADS: u32 = 512;

/// What changes from entry to entry, and its values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[serde(tag = "axis", content = "values", rename_all = "snake_case")]
pub enum Sweep {
    /// Threads of prefill and decode. Empty: those that make sense on the device, see [`thread_candidates`].
    Threads(Vec<u32>),
    /// Context length in tokens.
    Context(Vec<u32>),
    /// Number format of both halves of the KV cache.
    KvType(Vec<KvType>),
    /// Micro-batch: most tokens computed at once.
    MicroBatch(Vec<u32>),
    /// Fused attention.
    FlashAttention(Vec<FlashAttention>),
    /// Layers on a GPU; 0 is the CPU alone.
    GpuLayers(Vec<u32>),
    /// Second copy of the weights in the CPU's own layout.
    Repack(Vec<bool>),
    /// File mapped, or read into memory.
    Mmap(Vec<bool>),
    /// Memory left free, in bytes, the rest being taken by a balloon: at which point does the model slow, swap or die?
    /// Beside the values stands an entry without a balloon. Empty: [`FREE_PERCENT`] of the predicted footprint.
    FreeMemory(Vec<u64>),
}

/// Why words are no sweep.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SweepParseError {
    /// No such axis.
    #[error("there is no sweep over `{0}`; there are {axes}", axes = Sweep::AXES.join(", "))]
    Axis(String),
    /// A value that the axis cannot have.
    #[error("`{value}` is no value of {axis}, such as {example}")]
    Value {
        /// The axis.
        axis: &'static str,
        /// What was given.
        value: String,
        /// What could have been.
        example: &'static str,
    },
}

/// An axis and its values by comma, such as `threads=1,2,4`. An axis alone has no values.
impl FromStr for Sweep {
    type Err = SweepParseError;

    fn from_str(text: &str) -> Result<Self, SweepParseError> {
        fn values<T>(
            axis: &'static str,
            text: &str,
            example: &'static str,
            parse: impl Fn(&str) -> Option<T>,
        ) -> Result<Vec<T>, SweepParseError> {
            let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
            let parsed = words.map(|word| {
                parse(word).ok_or_else(|| SweepParseError::Value { axis, value: word.to_owned(), example })
            });
            parsed.collect()
        }
        fn number(word: &str) -> Option<u32> {
            word.parse().ok()
        }
        fn switch(word: &str) -> Option<bool> {
            match word {
                "on" => Some(true),
                "off" => Some(false),
                _ => None,
            }
        }
        let (axis, given) = text.split_once('=').unwrap_or((text, ""));
        Ok(match axis.trim() {
            "threads" => Self::Threads(values("threads", given, "1,2,4", number)?),
            "context" => Self::Context(values("context", given, "1024,4096", number)?),
            "kv-type" => {
                let named = |word: &str| KvType::ALL.into_iter().find(|kv| kv.name().eq_ignore_ascii_case(word));
                Self::KvType(values("kv-type", given, "F16,Q8_0", named)?)
            }
            "micro-batch" => Self::MicroBatch(values("micro-batch", given, "64,512", number)?),
            "flash-attention" => Self::FlashAttention(values("flash-attention", given, "on,off", |word| match word {
                "auto" => Some(FlashAttention::Auto),
                _ => switch(word).map(|on| if on { FlashAttention::On } else { FlashAttention::Off }),
            })?),
            "gpu-layers" => Self::GpuLayers(values("gpu-layers", given, "0,99", number)?),
            "repack" => Self::Repack(values("repack", given, "on,off", switch)?),
            "mmap" => Self::Mmap(values("mmap", given, "on,off", switch)?),
            "free-memory" => Self::FreeMemory(values("free-memory", given, "2GB,1500MB", format::parse_bytes)?),
            other => return Err(SweepParseError::Axis(other.to_owned())),
        })
    }
}

impl Sweep {
    /// Every axis by the word that [`Sweep::from_str`] and [`Sweep::axis`] use.
    pub const AXES: [&str; 9] = [
        "threads",
        "context",
        "kv-type",
        "micro-batch",
        "flash-attention",
        "gpu-layers",
        "repack",
        "mmap",
        "free-memory",
    ];

    /// The axis as one word, which is also the id of the suite that ships for it.
    #[must_use]
    pub fn axis(&self) -> &'static str {
        let place = match self {
            Self::Threads(_) => 0,
            Self::Context(_) => 1,
            Self::KvType(_) => 2,
            Self::MicroBatch(_) => 3,
            Self::FlashAttention(_) => 4,
            Self::GpuLayers(_) => 5,
            Self::Repack(_) => 6,
            Self::Mmap(_) => 7,
            Self::FreeMemory(_) => 8,
        };
        Self::AXES[place]
    }

    /// Number of values, before [`Sweep::Threads`] is filled in.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Threads(v) | Self::Context(v) | Self::MicroBatch(v) | Self::GpuLayers(v) => v.len(),
            Self::KvType(v) => v.len(),
            Self::FlashAttention(v) => v.len(),
            Self::Repack(v) | Self::Mmap(v) => v.len(),
            Self::FreeMemory(v) => v.len(),
        }
    }

    /// Whether it has no values.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What is wrong with it.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        let zero = match self {
            Self::Threads(v) | Self::Context(v) | Self::MicroBatch(v) => v.contains(&0),
            _ => false,
        };
        if zero {
            return Some("a sweep's values must be at least 1".into());
        }
        if let Self::Threads(threads) = self
            && let Some(many) = threads.iter().find(|n| **n > MOST_THREADS)
        {
            return Some(format!("{many} threads are more than the {MOST_THREADS} that can be had"));
        }
        if let Self::FreeMemory(values) = self
            && let Some(little) = values.iter().find(|bytes| **bytes < LEAST_FREE_BYTES)
        {
            let [little, least] = [*little, LEAST_FREE_BYTES].map(|bytes| format::bytes(bytes as f64));
            return Some(format!("{little} of free memory are too little for the system itself; {least} must stay"));
        }
        match self.len() {
            0 if matches!(self, Self::Threads(_) | Self::FreeMemory(_)) => None,
            // It is held against the entry without a balloon.
            1 if matches!(self, Self::FreeMemory(_)) => None,
            0 | 1 => Some("a sweep has at least two values".into()),
            n if n > MOST_VALUES => Some(format!("a sweep has at most {MOST_VALUES} values, not {n}")),
            _ => None,
        }
    }

    /// The entries: `base` under each value, in the order given.
    #[must_use]
    pub fn entries(&self, base: &RunEntry, device: &DeviceProfile) -> Vec<RunEntry> {
        let under = |variant: String, change: &dyn Fn(&mut EngineSettings)| {
            let mut entry = RunEntry { variant: Some(variant), ..base.clone() };
            change(&mut entry.settings);
            entry
        };
        match self {
            Self::Threads(values) => {
                let filled = if values.is_empty() { thread_candidates(device) } else { values.clone() };
                let with = |n: u32| under(format::threads(n), &|s| (s.n_threads, s.n_threads_batch) = (n, n));
                filled.into_iter().map(with).collect()
            }
            Self::Context(values) => values.iter().map(|&n| under(format!("context {n}"), &|s| s.n_ctx = n)).collect(),
            Self::KvType(values) => values
                .iter()
                .map(|&kv| under(format!("KV {}", kv.name()), &|s| (s.kv_type_k, s.kv_type_v) = (kv, kv)))
                .collect(),
            Self::MicroBatch(values) => values
                .iter()
                .map(|&n| {
                    under(format!("micro-batch {n}"), &|s| {
                        s.n_ubatch = n;
                        s.n_batch = s.n_batch.max(n);
                    })
                })
                .collect(),
            Self::FlashAttention(values) => values
                .iter()
                .map(|&flash| {
                    let word = match flash {
                        FlashAttention::Auto => "auto",
                        FlashAttention::On => "on",
                        FlashAttention::Off => "off",
                    };
                    under(format!("flash attention {word}"), &|s| s.flash_attention = flash)
                })
                .collect(),
            Self::GpuLayers(values) => {
                let name = |n: u32| if n == 0 { "CPU".to_owned() } else { format!("{n} layers on the GPU") };
                values.iter().map(|&n| under(name(n), &|s| s.n_gpu_layers = n)).collect()
            }
            Self::Repack(values) => values
                .iter()
                .map(|&on| under(if on { "repacked" } else { "not repacked" }.into(), &|s| s.repack = on))
                .collect(),
            Self::Mmap(values) => values
                .iter()
                .map(|&on| under(if on { "mapped" } else { "read" }.into(), &|s| s.use_mmap = on))
                .collect(),
            Self::FreeMemory(values) => {
                let filled = if values.is_empty() { free_memory_candidates(base, device) } else { values.clone() };
                let pressed = |bytes: u64| RunEntry {
                    leave_free_bytes: Some(bytes),
                    ..under(format!("{} left free", format::bytes(bytes as f64)), &|_| ())
                };
                let unpressed = under("no balloon".into(), &|_| ());
                std::iter::once(unpressed).chain(filled.into_iter().map(pressed)).collect()
            }
        }
    }
}

/// Threads before anything was measured on the device: one a physical core, since a second thread on the same core mostly
/// waits for memory; of several kinds of cores all but the slowest, since everybody waits for a thread on a slow core.
#[must_use]
pub fn default_threads(device: &DeviceProfile) -> u32 {
    let fast: u32 = match device.core_clusters.as_slice() {
        [fast @ .., _] if !fast.is_empty() => fast.iter().fold(0, |sum, cluster| sum.saturating_add(cluster.cores)),
        _ => device.physical_cores.unwrap_or(device.logical_cores),
    };
    fast.min(device.logical_cores).max(1)
}

/// Amounts of free memory worth a try, the most first: shares of what the model is predicted to need, and never less than
/// the system itself needs.
#[must_use]
pub fn free_memory_candidates(entry: &RunEntry, device: &DeviceProfile) -> Vec<u64> {
    let fit = Fit::predict(&entry.model.header, &entry.settings, entry.model.file_bytes, &device.into());
    let share = |percent| (fit.predicted_bytes / 100).saturating_mul(percent).max(LEAST_FREE_BYTES);
    let mut found: Vec<u64> = FREE_PERCENT.into_iter().map(share).collect();
    found.dedup();
    found
}

/// Thread counts worth a try, fewest first: 1 and 2, then the sizes of the device's groups of equal cores, fastest group
/// first and one added to the other, and all that may be used.
///
/// More threads than cores only wait for each other, and a thread on a slow core makes all others wait for it, so neither
/// is tried beyond what the machine has.
#[must_use]
pub fn thread_candidates(device: &DeviceProfile) -> Vec<u32> {
    let all = device.logical_cores.max(1);
    let mut found = vec![1, 2, all];
    found.extend(device.physical_cores);
    let mut sum = 0;
    for cluster in &device.core_clusters {
        sum += cluster.cores;
        found.push(sum);
    }
    // Half of a large machine, since memory bandwidth is often full before its cores are.
    found.extend([device.physical_cores.unwrap_or(all) / 2, device.physical_cores.unwrap_or(all) * 3 / 4]);
    found.retain(|n| (1..=all).contains(n));
    found.sort_unstable();
    found.dedup();
    // A machine with very many kinds of cores: both ends matter most.
    while found.len() > MOST_VALUES {
        found.remove(found.len() / 2);
    }
    found
}
