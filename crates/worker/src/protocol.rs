//! The line protocol: one JSON object a line. Requests carry an id that the client picks; every request ends in exactly
//! one `done` or `error` event for that id. `docs/adr/0003-worker-process.md` says why.

use pocketbench_domain::ErrorReport;
use pocketbench_domain::generate::{
    BatchGeneration, BatchRequest, EngineInfo, GenerateRequest, Generation, Loaded, Prompt, SavedState, Synthetic,
    SyntheticRequest,
};
use pocketbench_domain::settings::EngineSettings;
use serde::{Deserialize, Serialize};

/// Version of the protocol. Client and worker must agree on it.
pub const PROTOCOL_VERSION: u32 = 1;

/// Longest line that either side accepts, in bytes.
pub const MAX_LINE_BYTES: usize = 32 * 1024 * 1024;

/// A line from client to worker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RequestLine {
    /// Picked by the client, unique within the connection.
    pub id: u64,
    /// What is asked.
    #[serde(flatten)]
    pub request: Request,
}

/// What can be asked of a worker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case")]
pub enum Request {
    /// Who are you?
    Hello,
    /// Load a model and make a context. A model that was loaded before is unloaded first.
    Load {
        /// The model file.
        path: String,
        /// How.
        settings: EngineSettings,
    },
    /// Unload the model.
    Unload,
    /// One prompt, one answer. Sends a `token` event for every token.
    Generate(GenerateRequest),
    /// Several prompts as parallel sequences.
    GenerateBatch(BatchRequest),
    /// Random tokens, as llama-bench does.
    Synthetic(SyntheticRequest),
    /// How many tokens are these prompts?
    Count {
        /// The prompts.
        prompts: Vec<Prompt>,
    },
    /// Write the KV cache of the last answer to a file.
    SaveState {
        /// The file.
        path: String,
    },
    /// Read it back.
    RestoreState {
        /// The file.
        path: String,
        /// What was said when it was written.
        saved: SavedState,
    },
    /// Stop the request with this id. Answered at once; the stopped request ends with its own event.
    Cancel {
        /// The request to stop.
        target: u64,
    },
    /// End the worker.
    Shutdown,
}

/// A line from worker to client.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventLine {
    /// The request that it belongs to; 0 for what belongs to none.
    pub id: u64,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// What a worker says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A share of the work is done, 0–1.
    Progress {
        /// The share.
        done: f32,
    },
    /// A token was generated.
    Token {
        /// Text that is complete with this token; empty while a character is unfinished.
        text: String,
        /// When it was picked, nanoseconds since the prompt was handed over.
        at_ns: u64,
        /// Which sequence of a batch it belongs to.
        #[serde(default)]
        sequence: u32,
    },
    /// A line of llama.cpp's log, warnings and errors only.
    Log {
        /// The line.
        message: String,
    },
    /// The request is done.
    Done {
        /// What it gave.
        reply: Reply,
    },
    /// The request failed.
    Error {
        /// Why.
        error: ErrorReport,
    },
}

/// What a request gave.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "snake_case")]
pub enum Reply {
    /// To `hello`.
    Hello(EngineInfo),
    /// To `load`.
    Loaded(Loaded),
    /// To `generate`; also after `cancel`, with what was generated until then.
    Generation(Generation),
    /// To `generate_batch`.
    Batch(BatchGeneration),
    /// To `synthetic`.
    Synthetic(Synthetic),
    /// To `count`.
    Counts {
        /// Tokens of each prompt.
        tokens: Vec<u32>,
    },
    /// To `save_state`.
    Saved(SavedState),
    /// To `unload`, `restore_state`, `cancel` and `shutdown`.
    Ok,
}
