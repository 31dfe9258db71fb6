//! What can go wrong in the engine.

use pocketbench_domain::{ErrorCode, ErrorReport};
use serde_json::json;

/// What went wrong, in the engine's terms.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// No backend could be loaded from any place looked at.
    #[error("no llama.cpp backend was found")]
    NoBackend {
        /// Folders looked at.
        looked_in: Vec<String>,
    },
    /// The path has a NUL byte, or no file lies there.
    #[error("there is no file at {path}")]
    NoFile {
        /// The path.
        path: String,
    },
    /// llama.cpp does not know the architecture.
    #[error("llama.cpp does not know this model's architecture")]
    UnknownArchitecture {
        /// Its log.
        log: Vec<String>,
    },
    /// llama.cpp refused the file.
    #[error("llama.cpp could not load the model")]
    Load {
        /// Its log.
        log: Vec<String>,
    },
    /// The context is longer than the model was trained for.
    #[error("the model was trained for a context of {trained} tokens, {asked} were asked for")]
    ContextTooLong {
        /// Tokens asked for.
        asked: u32,
        /// Tokens it was trained for.
        trained: u32,
    },
    /// llama.cpp could not make the context, most often for want of memory.
    #[error("llama.cpp could not make a context of {asked} tokens")]
    Context {
        /// Tokens asked for.
        asked: u32,
        /// Its log.
        log: Vec<String>,
    },
    /// The prompt and at least one token of answer do not fit.
    #[error("the prompt has {tokens} tokens, the context holds {n_ctx}")]
    PromptTooLong {
        /// Tokens of the prompt, or of all prompts with their answers.
        tokens: usize,
        /// Tokens that the context holds.
        n_ctx: u32,
    },
    /// The prompt gave no token.
    #[error("the prompt is empty")]
    EmptyPrompt,
    /// The model is no text generator.
    #[error("this model cannot generate text")]
    NotGenerative,
    /// `llama_decode` failed.
    #[error("llama.cpp failed to compute (code {code})")]
    Decode {
        /// Its code.
        code: i32,
    },
    /// The cancel flag was raised.
    #[error("stopped")]
    Cancelled,
    /// A request that makes no sense.
    #[error("{0}")]
    Invalid(String),
}

impl From<EngineError> for ErrorReport {
    fn from(error: EngineError) -> Self {
        let message = error.to_string();
        match error {
            EngineError::NoBackend { looked_in } => Self::new(ErrorCode::WorkerStartFailed, message)
                .hint("Reinstall Pocketbench: the libggml libraries belong beside its executable.")
                .details(json!({ "looked_in": looked_in })),
            EngineError::NoFile { .. } => {
                Self::new(ErrorCode::ModelFileNotFound, message).hint("Check whether the file was moved or deleted.")
            }
            EngineError::UnknownArchitecture { log } => Self::new(ErrorCode::ModelArchitectureUnknown, message)
                .hint("Use a model of a known family, or a newer Pocketbench.")
                .details(json!({ "log": log })),
            EngineError::Load { log } => Self::new(ErrorCode::ModelLoadFailed, message)
                .hint("The log below says what llama.cpp did not like; download the file again if it is damaged.")
                .details(json!({ "log": log })),
            EngineError::ContextTooLong { trained, .. } => {
                Self::new(ErrorCode::ContextTooLong, message).hint(format!("Ask for at most {trained} tokens."))
            }
            EngineError::Context { log, .. } => Self::new(ErrorCode::NotEnoughMemory, message)
                .hint("Use a shorter context or a smaller KV cache type.")
                .details(json!({ "log": log })),
            EngineError::PromptTooLong { .. } => {
                Self::new(ErrorCode::PromptTooLong, message).hint("Shorten the prompt or use a longer context.")
            }
            EngineError::NotGenerative => Self::new(ErrorCode::ModelLoadFailed, message)
                .hint("Pick a language model; encoders and embedding models cannot answer."),
            EngineError::EmptyPrompt | EngineError::Invalid(_) => Self::new(ErrorCode::InvalidInput, message),
            EngineError::Decode { .. } => Self::new(ErrorCode::Internal, message),
            EngineError::Cancelled => Self::new(ErrorCode::Cancelled, message),
        }
    }
}
