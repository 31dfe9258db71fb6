//! The most tokens a second that memory allows: each token reads the weights that work on it and the keys and values of
//! all tokens before it, and nothing can be faster than reading that.

use crate::device::DeviceProfile;
use crate::metric::Metric;
use crate::model::ModelHeader;
use crate::run::{Measured, RunEntry, Sample, Session};
use crate::settings::EngineSettings;
use crate::stats;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// Architectures of which every matrix in the file works on every token, embeddings and idle experts apart, and whose
/// keys and values are cached as [`bytes_per_token`] counts them: by their graphs in llama.cpp's `src/models/`. Of
/// others a part may lie idle (layers that predict further tokens, embeddings of each layer, an encoder), and a limit that
/// counts it would be too low. Sorted.
const READ_WHOLE: [&str; 25] = [
    "baichuan",
    "command-r",
    "exaone",
    "falcon",
    "gemma",
    "gemma2",
    "gemma3",
    "granite",
    "granitemoe",
    "internlm2",
    "llama",
    "minicpm",
    "nemotron",
    "olmo",
    "olmo2",
    "olmoe",
    "phi2",
    "phi3",
    "qwen2",
    "qwen2moe",
    "qwen3",
    "qwen3moe",
    "seed_oss",
    "smollm3",
    "starcoder2",
];

/// How far a decode rate may lie above a measured limit before that means anything, since two measurements of a machine's
/// bandwidth differ. A margin that was chosen, not measured.
const TOLERANCE: f64 = 1.1;

/// Taken for a device's caches where they are not known: more than any phone, tablet or laptop has.
const UNKNOWN_CACHES: u64 = 512_000_000;

/// How fast a device reads its memory, measured by reading it: no specification.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, TS)]
pub struct MeasuredBandwidth {
    /// Bytes read a second by all threads together: the fastest of many passes.
    pub bytes_per_s: f64,
    /// Threads that read.
    pub threads: u32,
    /// Bytes of all that they read from.
    pub buffer_bytes: u64,
    /// When.
    pub measured_at: DateTime<Utc>,
}

/// How a decode rate stands to the limit of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum LimitStanding {
    /// Not above it by more than the margin for two measurements of one bandwidth.
    Within,
    /// Above it, and caches can do that: what they keep from one token to the next is not read from memory.
    Cached,
    /// *Not physically possible*: above it, whatever caches keep. The rate or the bandwidth was measured wrongly.
    Exceeded,
}

/// A decode rate beside the limit that memory sets, with the arithmetic.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, TS)]
pub struct DecodeLimit {
    /// Tokens a second that were reached: the median over the repetitions.
    pub tps: f64,
    /// Tokens before the one that is decoded, on average.
    pub depth: u32,
    /// Bytes read for one token at that depth: see [`bytes_per_token`].
    pub bytes_per_token: u64,
    /// What memory gives.
    pub bandwidth: MeasuredBandwidth,
    /// Caches that may keep a part from one token to the next, where they are known.
    pub cache_bytes: Option<u64>,
    /// Tokens a second that memory allows: bandwidth ÷ bytes a token.
    pub limit_tps: f64,
    /// Rate ÷ limit.
    pub efficiency: f64,
    /// What that means.
    pub standing: LimitStanding,
}

/// Why no limit can be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum LimitUnknown {
    /// Nobody has measured the bandwidth of the device that it ran on.
    BandwidthNotMeasured,
    /// How much of the file a token reads is not known of this architecture, or was not when the run was stored.
    ReadsNotKnown,
    /// A part of the model was not in the memory that the processor reads.
    NotOnCpu,
}

/// The limit that memory sets to a decode rate, or why it is not known.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, TS)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum MemoryLimit {
    /// It is known.
    Known(DecodeLimit),
    /// It is not.
    Unknown {
        /// Why.
        reason: LimitUnknown,
    },
}

impl MemoryLimit {
    /// Holds the decode rate of samples of one entry against what the memory of `device` allows. `None` if they have no
    /// rate at which tokens were decoded one by one.
    #[must_use]
    pub fn of(
        samples: &[&Sample],
        entry: &RunEntry,
        sessions: &[&Session],
        device: &DeviceProfile,
        bandwidth: Option<MeasuredBandwidth>,
    ) -> Option<Self> {
        let (depths, rates): (Vec<f64>, Vec<f64>) = samples.iter().filter_map(|sample| decoded(sample)).unzip();
        let (depth, tps) = (stats::mean(&depths)?, stats::median(&rates)?);
        let header = &entry.model.header;
        let known = READ_WHOLE.contains(&header.architecture.as_str()) && header.embedding_bytes > 0;
        let reason = if sessions.iter().any(|session| session.loaded.backend != "CPU") {
            LimitUnknown::NotOnCpu
        } else if !known {
            LimitUnknown::ReadsNotKnown
        } else if let Some(bandwidth) = bandwidth {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a mean of u32, not negative")]
            let depth = depth.round() as u32;
            let limit = DecodeLimit::new(tps, depth, header, &entry.settings, bandwidth, device.cache_bytes);
            return Some(limit.map_or(Self::Unknown { reason: LimitUnknown::ReadsNotKnown }, Self::Known));
        } else {
            LimitUnknown::BandwidthNotMeasured
        };
        Some(Self::Unknown { reason })
    }

    /// The limit, where it is known.
    #[must_use]
    pub fn known(&self) -> Option<&DecodeLimit> {
        match self {
            Self::Known(limit) => Some(limit),
            Self::Unknown { .. } => None,
        }
    }
}

impl DecodeLimit {
    /// The limit of a rate of `tps` tokens a second. `None` where nothing is read or a figure is absurd.
    ///
    /// ```text
    /// limit      = bandwidth ÷ bytes a token
    /// efficiency = rate ÷ limit
    /// exceeded   = rate > 1.1 × bandwidth ÷ (bytes a token − caches)
    /// ```
    ///
    /// The weights are read in the same order for every token, so of what the caches hold at the end of one token they can
    /// at best keep all for the next; the rest comes from memory, whatever they do. A model that is smaller than the caches
    /// has no such limit. Here a layer with a sliding window counts with no more than its window.
    #[must_use]
    pub fn new(
        tps: f64,
        depth: u32,
        header: &ModelHeader,
        settings: &EngineSettings,
        bandwidth: MeasuredBandwidth,
        cache_bytes: Option<u64>,
    ) -> Option<Self> {
        let reads = bytes_per_token(header, depth, settings);
        let limit_tps = decode_limit(bandwidth.bytes_per_s, reads)?;
        let window = header.sliding_window.unwrap_or(u32::MAX);
        let uncached =
            bytes_per_token(header, depth.min(window), settings).saturating_sub(cache_bytes.unwrap_or(UNKNOWN_CACHES));
        let standing = if tps <= limit_tps * TOLERANCE {
            LimitStanding::Within
        } else {
            match decode_limit(bandwidth.bytes_per_s, uncached) {
                Some(limit) if tps > limit * TOLERANCE => LimitStanding::Exceeded,
                _ => LimitStanding::Cached,
            }
        };
        let efficiency = tps / limit_tps;
        Some(Self { tps, depth, bytes_per_token: reads, bandwidth, cache_bytes, limit_tps, efficiency, standing })
    }
}

/// Mean depth and rate of the tokens that a sample decoded one by one.
fn decoded(sample: &Sample) -> Option<(f64, f64)> {
    match &sample.measured {
        Measured::Synthetic(synthetic) if synthetic.request.n_prompt == 0 => {
            let depth = f64::from(synthetic.request.n_depth) + f64::from(synthetic.request.n_gen) / 2.0;
            Some((depth, Metric::SyntheticTps.of(sample)?))
        }
        measured => {
            let generation = measured.generation()?;
            let depth = f64::from(generation.prompt_tokens) + f64::from(generation.generated_tokens) / 2.0;
            Some((depth, Metric::DecodeTps.of(sample)?))
        }
    }
}

/// Bytes that are read from memory for one token with `depth` tokens before it.
///
/// ```text
/// all tensors
/// − embeddings, of which one row is read          unless they are also the output matrix
/// − experts that do not work on the token         expert bytes × (1 − used ÷ all)
/// + keys and values of `depth` tokens; a layer with a sliding window is counted as any other: too much, if anything
/// ```
///
/// A repacked copy of a matrix is as large as the original and read in its place. Header values are not trusted:
/// everything saturates.
#[must_use]
pub fn bytes_per_token(header: &ModelHeader, depth: u32, settings: &EngineSettings) -> u64 {
    let mut weights = header.tensor_bytes;
    if !header.tied_embeddings {
        weights = weights.saturating_sub(header.embedding_bytes);
    }
    if header.n_expert > 0 {
        let idle = header.n_expert.saturating_sub(header.n_expert_used);
        let bytes = u128::from(header.expert_bytes) * u128::from(idle) / u128::from(header.n_expert);
        weights = weights.saturating_sub(u64::try_from(bytes).unwrap_or(u64::MAX));
    }
    weights.saturating_add(crate::fit::kv_bytes(header, settings, depth.into()))
}

/// Tokens a second that cannot be exceeded where memory is read at `bandwidth` bytes a second. `None` where a figure is
/// missing.
#[must_use]
pub fn decode_limit(bandwidth: f64, bytes_per_token: u64) -> Option<f64> {
    let limit = bandwidth / bytes_per_token as f64;
    (bytes_per_token > 0 && limit.is_finite() && limit > 0.0).then_some(limit)
}
