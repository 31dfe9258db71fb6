//! What a model is asked for and what it answered, with the time of every step.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// Who says a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Standing instructions.
    System,
    /// The person.
    User,
    /// The model.
    Assistant,
}

impl Role {
    /// The role's name in chat templates.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }
}

/// One turn of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Message {
    /// Who says it.
    pub role: Role,
    /// What is said.
    pub content: String,
}

/// A prompt, before or after a chat template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Prompt {
    /// Turns that the model's chat template turns into text.
    Messages(Vec<Message>),
    /// Text given to the model as it is.
    Raw(String),
}

/// How the next token is picked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[serde(default)]
pub struct Sampling {
    /// 0 is greedy: the likeliest token, always.
    pub temperature: f32,
    /// Keep the k likeliest tokens; 0 keeps all.
    pub top_k: i32,
    /// Keep the likeliest tokens whose probabilities sum to this; 1 keeps all.
    pub top_p: f32,
    /// Drop tokens less likely than this share of the likeliest; 0 drops none.
    pub min_p: f32,
    /// Penalty on tokens seen among the last 64; 1 is none.
    pub repeat_penalty: f32,
    /// Seed of the random choice.
    pub seed: u32,
}

impl Default for Sampling {
    /// Greedy.
    fn default() -> Self {
        Self { temperature: 0.0, top_k: 0, top_p: 1.0, min_p: 0.0, repeat_penalty: 1.0, seed: 0 }
    }
}

/// When to stop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Limits {
    /// Most tokens to generate.
    pub max_tokens: u32,
    /// Texts that end the answer; they are not part of it.
    #[serde(default)]
    pub stop: Vec<String>,
    /// Fixed-length mode: end-of-generation tokens are never picked.
    #[serde(default)]
    pub ignore_eos: bool,
}

/// Generate from one prompt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct GenerateRequest {
    /// What is asked.
    pub prompt: Prompt,
    /// How tokens are picked.
    #[serde(default)]
    pub sampling: Sampling,
    /// When to stop.
    pub limits: Limits,
    /// Keep what the KV cache already holds of this prompt's beginning.
    #[serde(default)]
    pub reuse_prefix: bool,
}

/// Generate from several prompts as parallel sequences of one context.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct BatchRequest {
    /// The prompts.
    pub prompts: Vec<Prompt>,
    /// How tokens are picked, the same for all.
    #[serde(default)]
    pub sampling: Sampling,
    /// When each sequence stops.
    pub limits: Limits,
    /// Then do the same prompts one after another, so that the gain is known.
    #[serde(default)]
    pub in_turn: bool,
}

/// A KV cache that was written to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct SavedState {
    /// Tokens in it.
    pub tokens: u32,
    /// Size of the file.
    pub bytes: u64,
    /// CRC-32 of the file.
    pub crc32: u32,
}

/// llama-bench's work: prefill and decode of random tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct SyntheticRequest {
    /// Tokens to prefill; 0 for a pure decode test.
    pub n_prompt: u32,
    /// Tokens to decode; 0 for a pure prefill test.
    pub n_gen: u32,
    /// Tokens already in the KV cache when the clock starts.
    pub n_depth: u32,
}

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// The model ended its answer.
    EndOfGeneration,
    /// A stop text appeared.
    StopText,
    /// The token limit was reached.
    MaxTokens,
    /// The context is full.
    ContextFull,
    /// Someone pressed Stop.
    Cancelled,
}

/// How messages became text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum TemplateSource {
    /// By the chat template in the model file.
    ModelFile,
    /// The file's template is one that llama.cpp does not know; `ChatML` was used.
    FallbackChatml,
    /// The file has none (a base model): contents joined by blank lines.
    FallbackPlain,
    /// The prompt was raw text.
    Raw,
}

/// An answer and when each of its steps happened. All times are nanoseconds of a monotonic clock, taken in the worker
/// around decode and synchronize; `*_at_ns` count from the moment the prompt was handed over as text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct Generation {
    /// The answer, stop text removed.
    pub text: String,
    /// Tokens of the prompt.
    pub prompt_tokens: u32,
    /// Prompt tokens that were already in the KV cache; never counted as evaluated.
    pub reused_tokens: u32,
    /// Tokens generated, the end-of-generation token not counted.
    pub generated_tokens: u32,
    /// Tokens of the reasoning section that the answer begins with, its markers included; 0 where there is none or it did
    /// not end.
    #[serde(default)]
    pub reasoning_tokens: u32,
    /// Why it ended.
    pub stop: StopReason,
    /// How messages became text.
    pub template: TemplateSource,
    /// Applying the chat template.
    pub template_ns: u64,
    /// Turning text into tokens.
    pub tokenize_ns: u64,
    /// Evaluating the prompt.
    pub prefill_ns: u64,
    /// Picking the first token.
    pub first_sample_ns: u64,
    /// When each generated token was picked.
    pub token_at_ns: Vec<u64>,
    /// When the answer was complete.
    pub end_at_ns: u64,
    /// What guessing did, where it was on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub speculation: Option<Speculation>,
}

/// Tokens that were guessed from the text so far and checked by the model, several in one decode. Without guessing an answer
/// takes a decode a token; each accepted token saves one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Speculation {
    /// Tokens guessed.
    pub drafted_tokens: u32,
    /// Of those, tokens that the model would have picked itself.
    pub accepted_tokens: u32,
}

/// One sequence of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct BatchSequence {
    /// The answer.
    pub text: String,
    /// Tokens of its prompt.
    pub prompt_tokens: u32,
    /// Tokens generated.
    pub generated_tokens: u32,
    /// Why it ended.
    pub stop: StopReason,
}

/// Answers of a batch and the time they took together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct BatchGeneration {
    /// One a prompt, in order.
    pub sequences: Vec<BatchSequence>,
    /// From the prompts as text to the last token of the last sequence.
    pub wall_ns: u64,
    /// Prefill of all prompts.
    pub prefill_ns: u64,
    /// Tokens at the beginning of every prompt that all of them share: evaluated once, for all sequences.
    #[serde(default)]
    pub shared_tokens: u32,
    /// The same prompts one after another, where that was asked for.
    #[serde(default)]
    pub in_turn: Option<InTurn>,
}

/// The prompts of a batch, one after another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct InTurn {
    /// From the first prompt as text to the last token of the last answer.
    pub wall_ns: u64,
    /// Tokens generated for all of them.
    pub generated_tokens: u64,
}

/// Time of one repetition of llama-bench's work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Synthetic {
    /// What was asked.
    pub request: SyntheticRequest,
    /// Wall time of prefill and decode together, filling to the depth excluded.
    pub elapsed_ns: u64,
}

/// Buffers as llama.cpp itself accounts for them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Buffers {
    /// Name of the buffer type, such as `CPU`, `CPU_REPACK` or `Metal`.
    pub buffer_type: String,
    /// Model weights.
    pub weights_bytes: u64,
    /// KV cache.
    pub kv_bytes: u64,
    /// Scratch space of the compute graph.
    pub compute_bytes: u64,
}

/// What a worker says after loading a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct Loaded {
    /// From the load request to a context that can decode.
    pub load_ns: u64,
    /// Buffers by type.
    pub buffers: Vec<Buffers>,
    /// Settings that took effect; they can differ from what was asked for.
    pub effective: crate::settings::EngineSettings,
    /// Name of the backend that computes, such as `CPU`.
    pub backend: String,
    /// llama.cpp's own description, such as `llama 135M Q4_1`.
    pub description: String,
    /// Number of parameters.
    pub n_params: u64,
    /// Size of all tensors.
    pub tensor_bytes: u64,
    /// Context length that the model was trained for.
    pub n_ctx_train: u32,
    /// Whether the file carries a chat template.
    pub has_chat_template: bool,
}

impl Loaded {
    /// Weights over all buffer types.
    #[must_use]
    pub fn weights_bytes(&self) -> u64 {
        self.buffers.iter().fold(0, |sum, b| sum.saturating_add(b.weights_bytes))
    }
    /// KV cache over all buffer types.
    #[must_use]
    pub fn kv_bytes(&self) -> u64 {
        self.buffers.iter().fold(0, |sum, b| sum.saturating_add(b.kv_bytes))
    }
    /// Compute buffers over all types.
    #[must_use]
    pub fn compute_bytes(&self) -> u64 {
        self.buffers.iter().fold(0, |sum, b| sum.saturating_add(b.compute_bytes))
    }
}

/// Who the engine is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct EngineInfo {
    /// Version of the protocol that the worker speaks.
    pub protocol: u32,
    /// Version of Pocketbench that the worker belongs to.
    pub app_version: String,
    /// Version of the llama.cpp bindings, which fixes llama.cpp's commit.
    pub bindings_version: String,
    /// CPU variant that was picked for this machine, such as `libggml-cpu-icelake.so`.
    pub cpu_variant: String,
    /// Instruction sets in use and compile flags, as llama.cpp reports them.
    pub system_info: String,
    /// Backends that are loaded.
    pub backends: Vec<String>,
    /// Process that the worker runs in.
    pub pid: u32,
}
