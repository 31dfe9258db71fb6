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
/// Pages of a worker's executable and of llama.cpp's libraries. Measured: 12.2 to 12.9 MB, whatever the model.
pub const WORKER_FILE_BYTES: u64 = 12_500_000;
/// What a worker and llama.cpp take for themselves, a model's tables left out. Measured: 4.4 to 5.0 MB.
pub const WORKER_OWN_BYTES: u64 = 4_700_000;
/// An entry of the vocabulary in `llama_vocab`: text, score and attributes (40 bytes), its text again as written out (32),
/// a node and a place in the hash table from text to token (72). Measured: 150 for Gemma 3 270M, which has no merges.
pub const TOKEN_BYTES: u64 = 150;
/// A merge in `llama_vocab`: a node and a place in the hash table from two texts to a rank. Measured: 108 for `SmolLM2`.
pub const MERGE_BYTES: u64 = 108;
/// A row of logits beside the one in the compute buffer, and the candidates that the sampler sorts
/// (`llama_token_data`), an entry of the vocabulary.
const OUTPUT_BYTES: u64 = 4 + 12;
/// What a token of a batch takes: token, position, sequence ids and their tables, here and in llama.cpp. Measured on
/// models of two layers with contexts of 512 to 16,384.
pub const BATCH_TOKEN_BYTES: u64 = 700;
/// What a token of context takes beside its keys and values: a cell with position and sequences. Measured likewise.
pub const CELL_BYTES: u64 = 120;

/// llama.cpp rounds the context up to this many tokens (`GGML_PAD(n_ctx, 256)`).
const CTX_STEP_TOKENS: u32 = 256;
const CTX_STEP: u64 = CTX_STEP_TOKENS as u64;
/// Bytes of an f32, the type of all activations.
const F32: u64 = 4;
/// Width of the feed-forward layer in units of `n_embd` for headers that do not carry it.
const FEED_FORWARD: u64 = 3;

impl Fit {
    /// Predicts the peak of a worker's resident memory with these settings, once its context has been full, and whether
    /// that fits into what `machine` has now.
    ///
    /// ```text
    /// weights  = tensor bytes; read instead of mapped: less what is repacked, plus embeddings that are also the output
    /// repacked = matrices in formats that this CPU repacks
    /// KV       = Σ over layers: n_head_kv × (head_dim_k at type K + head_dim_v at type V) × context
    ///            context = n_ctx rounded up to 256, shared by all sequences
    /// compute  = n_ubatch × (5·n_embd + 3·n_ff) × 4                       activations of a feed-forward layer
    ///          + n_ubatch × context × masks × 2                           attention masks, f16
    ///          + rows × n_vocab × 4                                       one row of logits a sequence, and a guessed token
    ///          + n_ubatch × n_ff × 9/8                                    activations as the matrix kernels want them
    ///            without flash attention, if more, in place of the first two:
    ///            n_ubatch × (5·n_embd + 2·n_head·head_dim_k) × 4 + n_ubatch × context × (masks + n_head) × 4,
    ///            and of the last: n_ubatch × context × n_head × 2        weights of values, f16
    ///            masks = 2 with a sliding window, else 1
    /// baseline = 12.5 MB of libraries and 4.7 MB of the worker's own
    ///          + 150 × n_vocab + 108 × n_merges                           tokenizer
    ///          + rows × n_vocab × (4 + 12)                                logits handed out, candidates of the sampler
    ///          + 120 × context + 700 × n_batch                            cells of the KV cache, places in a batch
    /// ```
    ///
    /// All of a mapped file is resident, also what was repacked or is never read: llama.cpp maps it with `MAP_POPULATE`
    /// and gives back only what lies before the first and behind the last tensor in use. While it loads, the header is
    /// mapped, too, and the KV cache is not there yet. The KV cache is zeroed, so it is resident from the start; compute
    /// buffers are so once a whole micro-batch was computed, masks once the context was full. Layers with a sliding window
    /// count with the whole context, since llama.cpp gives them a full-size cache unless told otherwise (`swa_full`).
    /// `Auto` counts as flash attention, which is what the CPU backend makes of it. How this compares with what was
    /// measured stands in `docs/benchmarks.md`. Not covered: the states of recurrent layers, compressed keys and values
    /// (MLA), and what a GPU takes.
    ///
    /// Header values are not trusted: everything saturates, nothing overflows.
    #[must_use]
    pub fn predict(header: &ModelHeader, settings: &EngineSettings, file_bytes: u64, machine: &Machine) -> Self {
        let context = u64::from(settings.n_ctx).max(1).next_multiple_of(CTX_STEP);
        let repacked_bytes = if settings.repack { repacked_bytes(header, machine) } else { 0 };
        let kv_bytes = kv_bytes(header, settings, context);
        let compute_bytes = compute_bytes(header, settings, context);
        let n_vocab = u64::from(header.n_vocab);
        let baseline_bytes = sum(&[
            WORKER_FILE_BYTES,
            WORKER_OWN_BYTES,
            product(&[n_vocab, TOKEN_BYTES]),
            product(&[header.n_merges.into(), MERGE_BYTES]),
            product(&[logit_rows(settings), n_vocab, OUTPUT_BYTES]),
            product(&[context, CELL_BYTES]),
            product(&[u64::from(settings.n_batch).min(context), BATCH_TOKEN_BYTES]),
        ]);
        let weights_bytes = if settings.use_mmap {
            // Either the end of loading is the peak, or what comes after.
            header.tensor_bytes.max(file_bytes.saturating_sub(kv_bytes.saturating_add(compute_bytes)))
        } else {
            let twice = header.tied_embeddings && repacked_bytes > 0 && is_repacked(&header.embedding_type, machine);
            let twice = if twice { header.embedding_bytes.min(repacked_bytes) } else { 0 };
            header.tensor_bytes.saturating_sub(repacked_bytes - twice)
        };
        let predicted_bytes = sum(&[weights_bytes, repacked_bytes, kv_bytes, compute_bytes, baseline_bytes]);
        let mapped = if settings.use_mmap { weights_bytes } else { 0 };
        let file_backed_bytes = mapped.saturating_add(WORKER_FILE_BYTES).min(predicted_bytes);
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

    /// The longest context, in steps of 256 and up to what the model was trained for, at which the model fits with room to
    /// spare; `None` if it does at none. The context of `settings` does not matter.
    #[must_use]
    pub fn longest_context(
        header: &ModelHeader,
        settings: &EngineSettings,
        file_bytes: u64,
        machine: &Machine,
    ) -> Option<u32> {
        let fits = |steps: u32| {
            let settings = EngineSettings { n_ctx: steps.saturating_mul(CTX_STEP_TOKENS), ..settings.clone() };
            Self::predict(header, &settings, file_bytes, machine).class == FitClass::Fits
        };
        // More context never takes less, so a search by halves finds the border. The last step may be a part of one.
        let (mut low, mut high) = (0, header.n_ctx_train.div_ceil(CTX_STEP_TOKENS));
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            if fits(middle) {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        (low > 0).then(|| low.saturating_mul(CTX_STEP_TOKENS).min(header.n_ctx_train))
    }
}

/// Memory that is saved without a second copy of the weights in the CPU's own layout, if only so the model fits at all.
/// `None` also where it is switched off already.
#[must_use]
pub fn saved_without_repacking(
    header: &ModelHeader,
    settings: &EngineSettings,
    file_bytes: u64,
    machine: &Machine,
) -> Option<u64> {
    let without = EngineSettings { repack: false, ..settings.clone() };
    let [with, without] = [settings, &without].map(|s| Fit::predict(header, s, file_bytes, machine));
    let helps = with.class == FitClass::TooBig && without.class != FitClass::TooBig;
    helps.then(|| with.predicted_bytes.saturating_sub(without.predicted_bytes))
}

/// What would make a model fit that does not fit with room to spare, in the order in which a person should try it: what
/// costs nothing first. Empty if it fits. A smaller file of the same model is for the caller to add, who knows the others.
#[must_use]
pub fn advice(header: &ModelHeader, settings: &EngineSettings, file_bytes: u64, machine: &Machine) -> Vec<FitAdvice> {
    let fit = Fit::predict(header, settings, file_bytes, machine);
    if fit.class == FitClass::Fits {
        return Vec::new();
    }
    let longest = |settings: &EngineSettings| Fit::longest_context(header, settings, file_bytes, machine);
    let mut advice = Vec::new();
    // Read into memory, what is repacked does not exist twice.
    if fit.repacked_bytes > 0 && settings.use_mmap {
        advice.push(FitAdvice::NoRepacking { saved_bytes: fit.repacked_bytes });
    }
    let shorter = longest(settings).filter(|n_ctx| *n_ctx < settings.n_ctx);
    advice.extend(shorter.map(|n_ctx| FitAdvice::ShorterContext { n_ctx }));
    advice.extend(smaller_kv(header, settings, shorter.unwrap_or(0), longest));
    // Up to the line below which there is room to spare. That of experience is not to be bought with memory.
    let needed = (u128::from(fit.predicted_bytes) * 100).div_ceil(FITS_PERCENT.into());
    let missing_bytes = u64::try_from(needed).unwrap_or(u64::MAX).saturating_sub(machine.available_bytes);
    if missing_bytes > 0 {
        advice.push(FitAdvice::FreeMemory { missing_bytes });
    }
    advice
}

/// The mildest format of the KV cache that keeps the context asked for, else the one that gives the longest; only if that
/// is more than `without`.
fn smaller_kv(
    header: &ModelHeader,
    settings: &EngineSettings,
    without: u32,
    longest: impl Fn(&EngineSettings) -> Option<u32>,
) -> Option<FitAdvice> {
    // Blocks of 32 must fit a head, and quantized values need flash attention.
    let blocks = header.head_dim_k.is_multiple_of(32) && header.head_dim_v.is_multiple_of(32);
    if !blocks || settings.flash_attention == FlashAttention::Off {
        return None;
    }
    let bits = |kind: KvType| kind.bytes(32);
    let smaller = |kind: &KvType| bits(*kind) < bits(settings.kv_type_k) || bits(*kind) < bits(settings.kv_type_v);
    let mut best = None;
    for kv_type in [KvType::Q8_0, KvType::Q4_0].into_iter().filter(smaller) {
        let with = EngineSettings { kv_type_k: kv_type, kv_type_v: kv_type, ..settings.clone() };
        let n_ctx = longest(&with).unwrap_or(0).min(settings.n_ctx);
        if n_ctx > best.map_or(without, |(_, n_ctx)| n_ctx) {
            best = Some((kv_type, n_ctx));
        }
    }
    best.map(|(kv_type, n_ctx)| FitAdvice::SmallerKv { kv_type, n_ctx })
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

/// Keys and values of `context` tokens.
pub(crate) fn kv_bytes(header: &ModelHeader, settings: &EngineSettings, context: u64) -> u64 {
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
    let n_ff = if header.n_ff > 0 { header.n_ff.into() } else { product(&[FEED_FORWARD, n_embd]) };
    let masks = if header.sliding_window.is_some() { 2 } else { 1 };
    let feed_forward = product(&[n_ubatch, 5 * n_embd + 3 * n_ff, F32]);
    let fused = feed_forward.saturating_add(product(&[n_ubatch, context, masks, 2]));
    let kernels = product(&[n_ubatch, n_ff, 9]) / 8;
    let (buffer, kernels) = match settings.flash_attention {
        FlashAttention::Auto | FlashAttention::On => (fused, kernels),
        FlashAttention::Off => {
            let projections = sum(&[5 * n_embd, product(&[2, n_head, header.head_dim_k.into()])]);
            let attention =
                [product(&[n_ubatch, projections, F32]), product(&[n_ubatch, context, masks + n_head, F32])];
            (fused.max(sum(&attention)), kernels.max(product(&[n_ubatch, context, n_head, 2])))
        }
    };
    sum(&[buffer, product(&[logit_rows(settings), header.n_vocab.into(), F32]), kernels])
}

/// Rows of logits that a decode can give.
fn logit_rows(settings: &EngineSettings) -> u64 {
    u64::from(settings.n_seq_max.max(1)) + u64::from(settings.draft_tokens)
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
