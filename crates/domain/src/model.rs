//! Model files, as far as a measurement needs to know them.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// The parts of a GGUF header that decide memory and behaviour. Read by `hub`, from the header alone. Fields that came
/// later have defaults, so that stored headers stay readable.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ModelHeader {
    /// `general.architecture`, such as `llama`.
    pub architecture: String,
    /// `general.name`, or the file's name without its ending.
    pub name: String,
    /// Quantization of most of the weights, such as `Q4_K_M`.
    pub quantization: String,
    /// `general.license`, where the file says it.
    pub license: Option<String>,
    /// Number of weights over all tensors.
    pub n_params: u64,
    /// Bytes of all tensors.
    pub tensor_bytes: u64,
    /// Context length that the model was trained for.
    pub n_ctx_train: u32,
    /// Transformer blocks.
    pub n_layer: u32,
    /// Width of the residual stream.
    pub n_embd: u32,
    /// Attention heads.
    pub n_head: u32,
    /// Key/value heads, one entry a layer.
    pub n_head_kv: Vec<u32>,
    /// Size of one key head.
    pub head_dim_k: u32,
    /// Size of one value head.
    pub head_dim_v: u32,
    /// Sliding window of attention in tokens, where some layers have one.
    pub sliding_window: Option<u32>,
    /// Vocabulary.
    pub n_vocab: u32,
    /// Whether `tokenizer.chat_template` is present.
    pub has_chat_template: bool,
    /// Width of the feed-forward layer, the widest where layers differ; 0 where not known.
    #[serde(default)]
    pub n_ff: u32,
    /// Merges of a byte-pair tokenizer; 0 where there are none or they are not known.
    #[serde(default)]
    pub n_merges: u32,
    /// Files that the model is split over; 1 for an ordinary one, 0 in records made before this was read.
    #[serde(default)]
    pub parts: u32,
    /// Bytes of tensors by number format, largest first. Empty where not known.
    #[serde(default)]
    pub tensor_types: Vec<TensorTypeBytes>,
    /// Bytes of the token embeddings, of which one row is read a token; 0 where not known.
    #[serde(default)]
    pub embedding_bytes: u64,
    /// Number format of the token embeddings, such as `Q6_K`; empty where not known.
    #[serde(default)]
    #[ts(skip)]
    pub embedding_type: String,
    /// Whether the embeddings are also the output matrix, which is read whole for each token.
    #[serde(default)]
    pub tied_embeddings: bool,
    /// Experts of a mixture; 0 for a dense model.
    #[serde(default)]
    pub n_expert: u32,
    /// Experts that work on one token.
    #[serde(default)]
    pub n_expert_used: u32,
    /// Bytes of all experts together.
    #[serde(default)]
    pub expert_bytes: u64,
}

/// Tensors of one number format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct TensorTypeBytes {
    /// The format, such as `Q4_K`.
    pub name: String,
    /// Bytes of all its tensors.
    pub bytes: u64,
    /// Bytes of those that are matrices of a layer or the output matrix, with rows in multiples of eight: what a CPU may
    /// repack into a layout of its own.
    pub matrix_bytes: u64,
}

/// A model file and who it is. The hash is its identity; the path is only where it lies today.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ModelRef {
    /// SHA-256 of the file, lower-case hex.
    pub sha256: String,
    /// Where it lies on this machine.
    pub path: String,
    /// Size of the file.
    pub file_bytes: u64,
    /// What its header says.
    pub header: ModelHeader,
}

impl ModelRef {
    /// Name and quantization, such as `SmolLM2 135M Instruct · Q4_1`.
    #[must_use]
    pub fn label(&self) -> String {
        format!("{} · {}", self.header.name, self.header.quantization)
    }
}
