//! Does a model fit into the memory that is available? Computed from the GGUF header alone.

use crate::device::DeviceProfile;
use crate::model::ModelHeader;
use crate::settings::{EngineSettings, FlashAttention, KvType};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// Whether it fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum FitClass {
    /// At most 80 % of what is available now.
    Fits,
    /// At most 100 %.
    Tight,
    /// More than there is.
    TooBig,
}

/// What of a machine decides whether a model fits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Machine {
    /// Memory that can be used without swapping, now.
    pub available_bytes: u64,
    /// Instruction sets, named as in [`DeviceProfile::cpu_features`]: they decide which weights are repacked.
    pub cpu_features: Vec<String>,
    /// What happened on it before.
    pub experience: Experience,
}

impl From<&DeviceProfile> for Machine {
    fn from(device: &DeviceProfile) -> Self {
        Self {
            available_bytes: device.ram_available_bytes,
            cpu_features: device.cpu_features.clone(),
            experience: Experience::default(),
        }
    }
}

impl Machine {
    fn has(&self, feature: &str) -> bool {
        self.cpu_features.iter().any(|have| have == feature)
    }

    /// What a need of this many bytes means here: [`FitClass::of`], moved by experience. A need that is available and no
    /// larger than one that worked fits, since the spare fifth is there for what is not known. One that is as large as one
    /// that failed never fits with room to spare, whatever else worked.
    #[must_use]
    pub fn class(&self, predicted: u64) -> FitClass {
        let class = FitClass::of(predicted, self.available_bytes);
        let failed = self.experience.smallest_failed_bytes.is_some_and(|failed| predicted >= failed);
        let worked = self.experience.largest_worked_bytes.is_some_and(|worked| predicted <= worked);
        match class {
            FitClass::Fits if failed => FitClass::Tight,
            FitClass::Tight if worked && !failed => FitClass::Fits,
            class => class,
        }
    }
}

/// Footprints that were measured on a machine: peaks of workers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Experience {
    /// The largest that worked.
    pub largest_worked_bytes: Option<u64>,
    /// The smallest that failed for want of memory.
    pub smallest_failed_bytes: Option<u64>,
}

/// Predicted memory of a loaded model, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Fit {
    /// Weights, as they lie in the file.
    pub weights_bytes: u64,
    /// Second copy of those weights that the CPU backend repacks into a layout of its own.
    pub repacked_bytes: u64,
    /// KV cache at the context asked for.
    pub kv_bytes: u64,
    /// Compute buffers.
    pub compute_bytes: u64,
    /// The worker itself.
    pub baseline_bytes: u64,
    /// Sum of the above.
    pub predicted_bytes: u64,
    /// The part of it that is mapped from the file: the system may drop such pages and read them again.
    pub file_backed_bytes: u64,
    /// The part of it that belongs to no file and must stay in memory.
    pub anonymous_bytes: u64,
    /// Memory that was available.
    pub available_bytes: u64,
    /// What that means.
    pub class: FitClass,
}

/// What to change so that a model fits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum FitAdvice {
    /// A shorter context, in tokens.
    ShorterContext {
        /// Longest one that fits.
        n_ctx: u32,
    },
    /// A KV cache in fewer bits.
    SmallerKv {
        /// Its number format.
        kv_type: KvType,
        /// Context that then fits.
        n_ctx: u32,
    },
    /// No second copy of the weights in the CPU's own layout: less memory, slower prefill.
    NoRepacking {
        /// Memory that this saves.
        saved_bytes: u64,
    },
    /// Closing other programs.
    FreeMemory {
        /// How much is missing.
        missing_bytes: u64,
    },
    /// A smaller file of the same model.
    SmallerFile {
        /// Its quantization.
        quantization: String,
        /// Its size.
        bytes: u64,
    },
}

/// Share of the available memory up to which a model fits with room to spare, in percent.
pub const FITS_PERCENT: u64 = 80;
/// Allowance for a worker without a model: executable, llama.cpp's libraries, threads. A bare program with llama.cpp
/// alone takes 7 MiB; what a worker really took is stored with every session as its baseline.
pub const WORKER_BYTES: u64 = 24 << 20;
/// Allowance for one entry of the vocabulary in llama.cpp's tables (`llama_vocab`): its text, score and attributes, its
/// share of the merges, and the hash tables over them. Measured: 196 bytes for Gemma 3 270M (262,144 entries, no merges),
/// 417 for `SmolLM2` 135M (49,152 entries with merges, and all libraries touched on the way).
pub const VOCAB_ENTRY_BYTES: u64 = 256;

/// llama.cpp rounds the context up to this many tokens (`GGML_PAD(n_ctx, 256)`).
const CTX_STEP: u64 = 256;
/// Bytes of an f32, the type of all activations.
const F32: u64 = 4;
/// Width of the feed-forward layer in units of `n_embd`. The header does not carry it; 8/3 to 4 are usual.
const FEED_FORWARD: u64 = 4;

impl Fit {
    /// Predicts the memory of a model loaded with these settings, and whether that fits into what `machine` has now.
    ///
    /// ```text
    /// weights  = max(tensor bytes, file if mapped)
    /// KV       = Σ over layers: n_head_kv × (head_dim_k at type K + head_dim_v at type V) × context
    ///            context = n_ctx rounded up to 256, shared by all sequences
    /// compute  = n_ubatch × (4·n_embd + 2·4·n_embd + 2·n_head·head_dim_k) × 4         activations
    ///          + n_ubatch × context × masks × 2                                       attention masks, f16
    ///            or, without flash attention, × (masks + n_head) × 4                  f32, and the scores
    ///            masks = 2 with a sliding window, else 1
    ///          + n_seq_max × n_vocab × 4                                              one row of logits a sequence
    /// baseline = 24 MiB + 256 × n_vocab                                               worker, tokenizer
    /// ```
    ///
    /// The estimate errs on the high side (by 6 to 9 % on the two models it was tried on), because a model that was said to
    /// fit and then kills the app is worse than one that was said to be tight: llama.cpp reuses parts of the compute
    /// buffer, a page counts only once touched, and mapped pages can be reclaimed. Layers with a sliding window count with
    /// the whole context, since llama.cpp gives them a full-size cache unless told otherwise (`swa_full`). `Auto` counts as
    /// flash attention, which is what the CPU backend makes of it. Not covered: weights that the CPU backend repacks exist
    /// twice until loading is over.
    ///
    /// Header values are not trusted: everything saturates, nothing overflows.
    #[must_use]
    pub fn predict(header: &ModelHeader, settings: &EngineSettings, file_bytes: u64, machine: &Machine) -> Self {
        let tensor_bytes = header.tensor_bytes.max(if settings.use_mmap { file_bytes } else { 0 });
        let repacked_bytes = if settings.repack { repacked_bytes(header, machine) } else { 0 };
        // A mapped file stays, whether its pages are used or not. One that is read keeps what was not repacked.
        let weights_bytes = if settings.use_mmap { tensor_bytes } else { tensor_bytes.saturating_sub(repacked_bytes) };
        let context = u64::from(settings.n_ctx).max(1).next_multiple_of(CTX_STEP);
        let kv_bytes = kv_bytes(header, settings, context);
        let compute_bytes = compute_bytes(header, settings, context);
        let baseline_bytes = WORKER_BYTES.saturating_add(product(&[header.n_vocab.into(), VOCAB_ENTRY_BYTES]));
        let predicted_bytes = sum(&[weights_bytes, repacked_bytes, kv_bytes, compute_bytes, baseline_bytes]);
        let file_backed_bytes = if settings.use_mmap { weights_bytes } else { 0 };
        Self {
            weights_bytes,
            repacked_bytes,
            kv_bytes,
            compute_bytes,
            baseline_bytes,
            predicted_bytes,
            file_backed_bytes,
            anonymous_bytes: predicted_bytes - file_backed_bytes,
            available_bytes: machine.available_bytes,
            class: machine.class(predicted_bytes),
        }
    }
}

/// Bytes of the weights that llama.cpp's CPU backend keeps in a layout of its own on this machine.
fn repacked_bytes(header: &ModelHeader, machine: &Machine) -> u64 {
    let repacked = header.tensor_types.iter().filter(|t| is_repacked(&t.name, machine));
    repacked.fold(0, |bytes, t| bytes.saturating_add(t.matrix_bytes))
}

/// Whether matrices of this format are repacked: `ggml_repack_get_optimal_repack_type` of llama.cpp's
/// `ggml/src/ggml-cpu/repack.cpp` and `qtype_has_amx_kernels` of `amx/common.h`, bindings 0.1.160. All want rows in
/// multiples of eight or less.
fn is_repacked(format: &str, machine: &Machine) -> bool {
    let by_avx2 = ["Q4_0", "Q4_K", "IQ4_NL", "MXFP4"];
    let by_arm = ["Q1_0", "Q4_0", "Q8_0", "Q4_K", "Q5_K", "Q6_K", "IQ4_NL", "MXFP4"];
    let by_amx = ["Q4_0", "Q4_1", "Q8_0", "Q4_K", "Q5_K", "Q6_K", "IQ4_XS"];
    (machine.has("avx2") && by_avx2.contains(&format))
        || (machine.has("avx512f") && format == "Q2_K")
        || (machine.has("dotprod") && by_arm.contains(&format))
        || (machine.has("amx") && machine.has("avx512vnni") && by_amx.contains(&format))
}

impl FitClass {
    /// What a need of `predicted` bytes means where `available` bytes are available.
    #[must_use]
    pub fn of(predicted: u64, available: u64) -> Self {
        if u128::from(predicted) * 100 <= u128::from(available) * u128::from(FITS_PERCENT) {
            Self::Fits
        } else if predicted <= available {
            Self::Tight
        } else {
            Self::TooBig
        }
    }
}

fn kv_bytes(header: &ModelHeader, settings: &EngineSettings, context: u64) -> u64 {
    // A layer that the header says nothing about counts with a key/value head for every head: the most it can have.
    let unknown = u64::from(header.n_layer).saturating_sub(header.n_head_kv.len() as u64);
    let known = header.n_head_kv.iter().fold(0u64, |heads, n| heads.saturating_add((*n).into()));
    let heads = known.saturating_add(product(&[unknown, header.n_head.into()]));
    let values = |head_dim: u32| product(&[heads, head_dim.into(), context]);
    let keys = settings.kv_type_k.bytes(values(header.head_dim_k));
    keys.saturating_add(settings.kv_type_v.bytes(values(header.head_dim_v)))
}

fn compute_bytes(header: &ModelHeader, settings: &EngineSettings, context: u64) -> u64 {
    // A micro-batch is never larger than the batch or the context (`llama_context`'s constructor).
    let n_ubatch = u64::from(settings.n_ubatch.min(settings.n_batch)).min(context);
    let (n_embd, n_head) = (u64::from(header.n_embd), u64::from(header.n_head));
    let activations = sum(&[product(&[4 + 2 * FEED_FORWARD, n_embd]), product(&[2, n_head, header.head_dim_k.into()])]);
    let masks = if header.sliding_window.is_some() { 2 } else { 1 };
    let attention = match settings.flash_attention {
        FlashAttention::Off => (masks + n_head) * F32,
        FlashAttention::Auto | FlashAttention::On => masks * 2,
    };
    sum(&[
        product(&[n_ubatch, activations, F32]),
        product(&[n_ubatch, context, attention]),
        product(&[settings.n_seq_max.max(1).into(), header.n_vocab.into(), F32]),
    ])
}

fn product(factors: &[u64]) -> u64 {
    if factors.contains(&0) {
        return 0;
    }
    factors.iter().fold(1, |product, factor| product.saturating_mul(*factor))
}

fn sum(terms: &[u64]) -> u64 {
    terms.iter().fold(0, |sum, term| sum.saturating_add(*term))
}
