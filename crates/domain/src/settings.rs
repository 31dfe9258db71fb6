//! How the engine is set up: everything that affects a figure and is not the model or the task.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// Number format of the KV cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum KvType {
    /// 32-bit float.
    F32,
    /// 16-bit float, llama.cpp's default.
    F16,
    /// 8-bit blocks (34 bytes for 32 values).
    Q8_0,
    /// 4-bit blocks (18 bytes for 32 values).
    Q4_0,
}

impl KvType {
    /// Every type, the largest first.
    pub const ALL: [Self; 4] = [Self::F32, Self::F16, Self::Q8_0, Self::Q4_0];

    /// Bytes for `n` values; `n` is a multiple of 32 for the block types. Saturates.
    #[must_use]
    pub fn bytes(self, n: u64) -> u64 {
        match self {
            Self::F32 => n.saturating_mul(4),
            Self::F16 => n.saturating_mul(2),
            Self::Q8_0 => (n / 32).saturating_mul(34),
            Self::Q4_0 => (n / 32).saturating_mul(18),
        }
    }

    /// The name that llama.cpp and llama-bench use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Q8_0 => "q8_0",
            Self::Q4_0 => "q4_0",
        }
    }
}

/// Whether attention is computed by the fused kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum FlashAttention {
    /// llama.cpp decides by backend.
    Auto,
    /// Always.
    On,
    /// Never.
    Off,
}

/// Settings of one loaded model. Two cells compare only if these agree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct EngineSettings {
    /// Context length in tokens.
    pub n_ctx: u32,
    /// Logical batch: most prompt tokens submitted at once.
    pub n_batch: u32,
    /// Micro-batch: most tokens computed at once.
    pub n_ubatch: u32,
    /// Most sequences decoded in parallel.
    pub n_seq_max: u32,
    /// Threads for decode.
    pub n_threads: u32,
    /// Threads for prefill.
    pub n_threads_batch: u32,
    /// Key half of the KV cache.
    pub kv_type_k: KvType,
    /// Value half of the KV cache.
    pub kv_type_v: KvType,
    /// Fused attention.
    pub flash_attention: FlashAttention,
    /// Map the file instead of reading it into memory.
    pub use_mmap: bool,
    /// Layers put on a GPU where there is one.
    pub n_gpu_layers: u32,
    /// Let the CPU backend keep a second copy of the weights in a layout of its own: faster prefill, more memory.
    #[serde(default = "yes")]
    pub repack: bool,
    /// Most tokens of an answer that are guessed from the text so far and checked at once; each has a row of logits of its
    /// own. For chat alone: 0 wherever something is measured.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[ts(skip)]
    pub draft_tokens: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands references")]
fn is_zero(n: &u32) -> bool {
    *n == 0
}

/// What llama.cpp did before there was a choice.
fn yes() -> bool {
    true
}

impl EngineSettings {
    /// llama.cpp's defaults with this many threads and this context.
    #[must_use]
    pub fn new(n_ctx: u32, n_threads: u32) -> Self {
        Self {
            n_ctx,
            n_batch: 2048,
            n_ubatch: 512,
            n_seq_max: 1,
            n_threads,
            n_threads_batch: n_threads,
            kv_type_k: KvType::F16,
            kv_type_v: KvType::F16,
            flash_attention: FlashAttention::Auto,
            use_mmap: true,
            n_gpu_layers: 0,
            repack: true,
            draft_tokens: 0,
        }
    }
}
