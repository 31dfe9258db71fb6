//! Errors as they cross the IPC and command-line boundary, and as they are stored with a failed cell.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// Stable, machine-readable name of what went wrong. The UI and scripts switch on it; the words may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ErrorCode {
    /// No file at that path.
    ModelFileNotFound,
    /// The file does not start as a GGUF file does.
    ModelFileNotGguf,
    /// The file ends before its header or its tensors do.
    ModelFileTruncated,
    /// The file is GGUF but breaks the format's rules.
    ModelFileCorrupt,
    /// The file is not the one that was measured before.
    ModelFileChanged,
    /// llama.cpp does not know this architecture.
    ModelArchitectureUnknown,
    /// llama.cpp refused the model for another reason; details carry its log.
    ModelLoadFailed,
    /// The context asked for is longer than the model was trained for, or zero.
    ContextTooLong,
    /// The prompt does not fit the context.
    PromptTooLong,
    /// The prediction says that the model does not fit into the memory that is available now.
    NotEnoughMemory,
    /// The operating system ended the worker for using too much memory.
    OutOfMemory,
    /// The worker process ended by itself or was killed.
    WorkerCrashed,
    /// The machine slept or stood still while something was measured.
    MeasurementInterrupted,
    /// The worker process could not be started.
    WorkerStartFailed,
    /// The worker answered something that is not the protocol.
    WorkerProtocol,
    /// The worker did not answer within the time allowed.
    WorkerNotResponding,
    /// The worker does not know this request.
    UnsupportedRequest,
    /// Someone pressed Stop. An outcome, not a failure.
    Cancelled,
    /// No space left where the data is kept.
    DiskFull,
    /// The data folder cannot be written.
    DataFolderReadOnly,
    /// The database was written by a newer version of Pocketbench.
    DatabaseNewer,
    /// The database file is damaged.
    DatabaseCorrupt,
    /// Another Pocketbench holds the data folder.
    AlreadyRunning,
    /// A file cannot be deleted or replaced while a run uses it.
    ModelInUse,
    /// The licence must be accepted before the model is downloaded.
    LicenseNotAccepted,
    /// No way to the host: no network, no such name, nobody answers.
    NetworkUnavailable,
    /// Downloads wait for Wi-Fi, and this is none.
    NetworkMetered,
    /// The host's certificate or its encryption cannot be trusted.
    TlsFailed,
    /// The address is none that can be downloaded from.
    UrlInvalid,
    /// The host wants a token, or refuses the one it got (401, or 403 of a gated repository without token).
    DownloadTokenRequired,
    /// The host knows who asks and refuses (403): the licence is not accepted there, or the token may not read.
    DownloadForbidden,
    /// The host has no such file (404, 410).
    DownloadNotFound,
    /// Too many requests (429), also after waiting as asked.
    DownloadRateLimited,
    /// The host fails (5xx), also after trying again.
    DownloadServerError,
    /// The host leads in circles or nowhere.
    DownloadRedirectLoop,
    /// Nothing came for too long, also after trying again.
    DownloadStalled,
    /// The host ignores or botches ranges: a 200 for a range that was needed, a wrong `Content-Range`, other bytes, a 416.
    DownloadRangeInvalid,
    /// The file changed on the host between two requests.
    DownloadChanged,
    /// The file is longer or shorter than the host said.
    DownloadLengthMismatch,
    /// The file's SHA-256 is not the one expected.
    DownloadChecksumMismatch,
    /// A web page or another text came in place of the file.
    DownloadNotAModel,
    /// The repository holds no GGUF file.
    RepositoryWithoutGguf,
    /// A file name from outside that would leave the models folder.
    FileNameUnsafe,
    /// The catalogue breaks its schema.
    CatalogueInvalid,
    /// The catalogue from the network is not signed by who may sign it, or not the one that was pinned.
    CatalogueUntrusted,
    /// The provider does not accept the key, or what the key may do (401, 403).
    ProviderUnauthorized,
    /// No way to the provider: no network, no such name, nobody answers.
    ProviderUnreachable,
    /// There is no OpenAI-compatible interface at that address.
    ProviderWrongUrl,
    /// The account has no credit or quota left (402, 429).
    ProviderQuotaExhausted,
    /// Too many requests (429), also after waiting as asked.
    ProviderRateLimited,
    /// The provider fails (5xx), also after trying again.
    ProviderServerError,
    /// The provider's certificate or its encryption cannot be trusted.
    ProviderTlsFailed,
    /// The provider's answer is not what the interface says; what came before is kept.
    ProviderStreamMalformed,
    /// The answer broke off; what came before is kept.
    ProviderStreamCut,
    /// Nothing came for too long; what came before is kept.
    ProviderTimeout,
    /// The answer says of itself that it is something else.
    ProviderContentType,
    /// The answer is larger than any answer should be; what came before is kept.
    ProviderAnswerTooLarge,
    /// The provider has no model of that name.
    ProviderModelUnknown,
    /// The conversation is longer than the model's context.
    ProviderContextTooLong,
    /// The provider does not accept the request for another reason (4xx).
    ProviderRefused,
    /// The provider failed too often just now and is left alone for a while.
    ProviderPaused,
    /// The month's budget is spent, or what is asked for cannot be held against it.
    BudgetExhausted,
    /// The system's key store cannot be used.
    KeyStoreUnavailable,
    /// A suite file breaks its schema.
    SuiteInvalid,
    /// What was asked for makes no sense as given.
    InvalidInput,
    /// Something else needs the whole device now.
    DeviceBusy,
    /// No record with that identifier.
    NotFound,
    /// A bug or an operating-system error that none of the others describes.
    Internal,
}

/// An error in plain words: what happened and what to do next.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct ErrorReport {
    /// Stable name.
    pub code: ErrorCode,
    /// What happened, in plain words.
    pub message: String,
    /// What to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub hint: Option<String>,
    /// Facts for the curious: log lines, sizes, exit status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional, type = "Record<string, unknown>")]
    pub details: Option<serde_json::Value>,
}

impl ErrorReport {
    /// An error without hint or details.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: None, details: None }
    }

    /// Adds what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds facts for the curious.
    #[must_use]
    pub fn details(mut self, details: serde_json::Value) -> Self {
        self.details = Some(details);
        self
    }
}

impl std::fmt::Display for ErrorReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)?;
        if let Some(hint) = &self.hint {
            write!(f, " ({hint})")?;
        }
        Ok(())
    }
}

impl std::error::Error for ErrorReport {}
