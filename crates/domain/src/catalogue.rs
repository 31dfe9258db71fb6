//! Models that can be fetched: the catalogue that ships, what a person added to it, and where a file comes from.

use crate::model::ModelHeader;
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// `models/catalogue.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    /// Version of this format, 1.
    pub schema: u32,
    /// Raised with every change; a catalogue from the network replaces only an older one.
    pub version: u32,
    /// When it was last checked against its sources.
    pub updated: NaiveDate,
    /// Base address of the hub that repositories without an address of their own lie on.
    pub hub: String,
    /// The models, those that most people want first.
    pub models: Vec<CatalogueModel>,
}

/// A model as its publisher describes it, and the repository that holds it as GGUF.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct CatalogueModel {
    /// Identity, such as `phi-4-mini-instruct`: lower-case letters, digits, `-` and `.`.
    pub id: String,
    /// For people, such as `Phi-4-mini Instruct`.
    pub name: String,
    /// Such as `Phi`.
    pub family: String,
    /// Who made it, such as `Microsoft`.
    pub publisher: String,
    /// Number of weights.
    pub n_params: u64,
    /// llama.cpp's name of its architecture.
    pub architecture: String,
    /// Context length that it was trained for.
    pub n_ctx_train: u32,
    /// What decides the size of its KV cache, so that a fit can be said without a network. `None` where not known.
    pub shape: Option<CatalogueShape>,
    /// Its licence.
    pub license: License,
    /// Languages that its publisher names, as BCP 47 tags. Empty: not said.
    pub languages: Vec<String>,
    /// What its publisher made it for.
    pub strengths: Vec<Strength>,
    /// Whether it thinks before it answers.
    pub reasons: bool,
    /// One sentence for people.
    pub summary: String,
    /// Repository on the hub, such as `Qwen/Qwen3-4B-GGUF`.
    pub repository: String,
    /// Branch, tag or commit.
    pub revision: String,
    /// Its files, smallest first. Empty: no GGUF file of it is known.
    pub files: Vec<CatalogueFile>,
}

/// The parts of a GGUF header that decide the size of the KV cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct CatalogueShape {
    /// Transformer blocks.
    pub n_layer: u32,
    /// Width of the residual stream.
    pub n_embd: u32,
    /// Attention heads.
    pub n_head: u32,
    /// Key/value heads of each layer.
    pub n_head_kv: u32,
    /// Size of a key head and of a value head.
    pub head_dim: u32,
    /// Vocabulary.
    pub n_vocab: u32,
    /// Sliding window of attention in tokens, where some layers have one.
    pub sliding_window: Option<u32>,
}

/// A licence and whether it has to be accepted first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct License {
    /// SPDX identifier where there is one, else the hub's name of it, such as `gemma`.
    pub id: String,
    /// For people.
    pub name: String,
    /// Where its text is.
    pub url: Option<String>,
    /// It has to be accepted before the model is fetched.
    pub must_accept: bool,
}

/// What a model was made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Strength {
    /// Conversation and instructions.
    Chat,
    /// Writing and reading code.
    Code,
    /// Mathematics.
    Mathematics,
    /// Reasoning in steps.
    Reasoning,
    /// Several languages.
    Multilingual,
    /// Long documents.
    LongContext,
    /// Small devices.
    Small,
}

/// One file of a repository. A split model is one file with several parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct CatalogueFile {
    /// Quantization, such as `Q4_K_M`.
    pub quantization: String,
    /// Path within the repository; of a split model its first part, `…-00001-of-0000N.gguf`.
    pub path: String,
    /// Number of parts.
    pub parts: u32,
    /// Size of all parts together, where known.
    pub bytes: Option<u64>,
    /// SHA-256 of the file in lower-case hex, where known. Never of a split model, whose parts have one each.
    pub sha256: Option<String>,
}

/// Where a model that can be fetched comes from.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ModelSource {
    /// A file of a repository on the hub.
    Repository {
        /// Such as `Qwen/Qwen3-4B-GGUF`.
        repository: String,
        /// Branch, tag or commit.
        revision: String,
        /// Path within the repository; of a split model its first part.
        path: String,
    },
    /// A file at an address of its own.
    Url {
        /// `https://….gguf`; `http` only within this machine.
        url: String,
    },
}

/// Bits a weight that llama.cpp's quantizations come to on a model of ordinary shape, embeddings included, as its own
/// `quantize` tool lists them for an 8 B model. Models with a large vocabulary for their size come out larger.
const TYPICAL_BITS: &[(&str, f64)] = &[
    ("F32", 32.0),
    ("F16", 16.0),
    ("BF16", 16.0),
    ("Q8_0", 8.5),
    ("Q6_K", 6.56),
    ("Q5_K_M", 5.70),
    ("Q5_K_S", 5.57),
    ("Q5_1", 6.0),
    ("Q5_0", 5.5),
    ("Q4_1", 5.15),
    ("Q4_K_M", 4.89),
    ("Q4_K_S", 4.67),
    ("Q4_0", 4.66),
    ("IQ4_NL", 4.68),
    ("IQ4_XS", 4.46),
    ("Q3_K_L", 4.30),
    ("Q3_K_M", 4.00),
    ("Q3_K_S", 3.64),
    ("Q2_K", 3.16),
];

impl CatalogueFile {
    /// Size to expect of a model with this many weights, where the true one is not known.
    #[must_use]
    pub fn estimated_bytes(&self, n_params: u64) -> Option<u64> {
        let bits = typical_bits(&self.quantization)?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "far below 2^53, never negative")]
        Some((n_params as f64 * bits / 8.0) as u64)
    }
}

/// Bits a weight that a quantization comes to on a model of ordinary shape, where that is known.
#[must_use]
pub fn typical_bits(quantization: &str) -> Option<f64> {
    TYPICAL_BITS.iter().find(|(name, _)| *name == quantization).map(|(_, bits)| *bits)
}

impl ModelSource {
    /// The file's name, without the folders that lead to it.
    #[must_use]
    pub fn file_name(&self) -> &str {
        let path = match self {
            Self::Repository { path, .. } => path.as_str(),
            Self::Url { url } => url.split(['?', '#']).next().unwrap_or_default(),
        };
        path.rsplit('/').next().unwrap_or(path)
    }
}

impl CatalogueModel {
    /// A header as far as the catalogue knows it, for a fit that is said before anything is fetched: all weights count as
    /// one tensor of `bytes`. `None` where the shape is not known.
    #[must_use]
    pub fn header(&self, file: &CatalogueFile, bytes: u64) -> Option<ModelHeader> {
        let shape = self.shape?;
        Some(ModelHeader {
            architecture: self.architecture.clone(),
            name: self.name.clone(),
            quantization: file.quantization.clone(),
            license: Some(self.license.id.clone()),
            n_params: self.n_params,
            tensor_bytes: bytes,
            n_ctx_train: self.n_ctx_train,
            n_layer: shape.n_layer,
            n_embd: shape.n_embd,
            n_head: shape.n_head,
            n_head_kv: vec![shape.n_head_kv; shape.n_layer as usize],
            head_dim_k: shape.head_dim,
            head_dim_v: shape.head_dim,
            sliding_window: shape.sliding_window,
            n_vocab: shape.n_vocab,
            has_chat_template: true,
            parts: file.parts,
            ..ModelHeader::default()
        })
    }
}
