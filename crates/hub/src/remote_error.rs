//! What can go wrong between this machine and a host of models.
//!
//! No error here holds a token or the query of an address: signed links are secrets, too.

use crate::error::GgufError;
use pocketbench_domain::error::{ErrorCode, ErrorReport};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Why something could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// Not an address, or none that may be fetched from.
    #[error("“{text}” {problem}")]
    UrlInvalid {
        /// What was given, without query.
        text: String,
        /// What is wrong with it, as the rest of a sentence.
        problem: &'static str,
    },
    /// A file name that could leave the models folder or cannot be a file's name everywhere.
    #[error("“{name}” {problem}")]
    FileNameUnsafe {
        /// The name, with control characters escaped.
        name: String,
        /// What is wrong with it, as the rest of a sentence.
        problem: &'static str,
    },
    /// No way to the host, or the connection broke off again and again.
    #[error("{host} cannot be reached: {cause}")]
    Unreachable {
        /// Name of the host.
        host: String,
        /// What the operating system says.
        cause: String,
    },
    /// The host's certificate or its encryption cannot be trusted.
    #[error("no trusted connection to {host}: {cause}")]
    Tls {
        /// Name of the host.
        host: String,
        /// What is wrong.
        cause: String,
    },
    /// 401, or 403 where no token was sent and one would help.
    #[error("{host} wants a token for “{what}”")]
    TokenRequired {
        /// Name of the host.
        host: String,
        /// What was asked for.
        what: String,
        /// A token was sent and not accepted.
        refused: bool,
    },
    /// 403.
    #[error("{host} refuses “{what}”")]
    Forbidden {
        /// Name of the host.
        host: String,
        /// What was asked for.
        what: String,
    },
    /// 404 or 410.
    #[error("{host} has no “{what}”")]
    NotFound {
        /// Name of the host.
        host: String,
        /// What was asked for.
        what: String,
    },
    /// 429.
    #[error("{host} gets too many requests")]
    RateLimited {
        /// Name of the host.
        host: String,
        /// How long it asks to wait.
        retry_after: Option<Duration>,
    },
    /// 5xx, or another answer that makes no sense.
    #[error("{host} fails: {problem}")]
    ServerError {
        /// Name of the host.
        host: String,
        /// What it answered.
        problem: String,
    },
    /// Redirects without end, or to an address that may not be fetched from.
    #[error("{host} leads nowhere: {problem}")]
    RedirectLoop {
        /// Name of the host that redirected last.
        host: String,
        /// What is wrong.
        problem: String,
    },
    /// Nothing, or next to nothing, came for too long.
    #[error("{host} has sent next to nothing for {} s", .waited.as_secs())]
    Stalled {
        /// Name of the host.
        host: String,
        /// How long.
        waited: Duration,
    },
    /// The answer to a request for a range is not that range.
    #[error("{host} botches ranges: {problem}")]
    RangeInvalid {
        /// Name of the host.
        host: String,
        /// What is wrong.
        problem: String,
    },
    /// The file changed between two requests.
    #[error("the file has changed on {host}: {problem}")]
    Changed {
        /// Name of the host.
        host: String,
        /// How that shows.
        problem: String,
    },
    /// Longer or shorter than it should be; `found` is `None` where the host does not say its length at all.
    #[error("the file on {host} has not the expected length of {expected:?} bytes, but {found:?}")]
    LengthMismatch {
        /// Name of the host.
        host: String,
        /// Bytes expected, where known.
        expected: Option<u64>,
        /// Bytes found, where known.
        found: Option<u64>,
    },
    /// Another SHA-256 than expected.
    #[error("{file} has SHA-256 {found} instead of {expected}")]
    ChecksumMismatch {
        /// Name of the file.
        file: String,
        /// Hash that it should have.
        expected: String,
        /// Hash that it has, or that the host says it has.
        found: String,
    },
    /// A web page or another text in place of the file.
    #[error("{host} sent {looks_like} in place of the model")]
    NotAModel {
        /// Name of the host.
        host: String,
        /// What it seems to be.
        looks_like: String,
    },
    /// The file came as it was meant to and is no model that can be used.
    #[error(transparent)]
    Gguf(#[from] GgufError),
    /// No GGUF file in the repository.
    #[error("{repository} holds no GGUF file")]
    NoGguf {
        /// The repository.
        repository: String,
    },
    /// The catalogue from the network is not to be trusted.
    #[error("the catalogue cannot be trusted: {problem}")]
    CatalogueUntrusted {
        /// Why.
        problem: &'static str,
    },
    /// No space left.
    #[error("no space left in {}", .folder.display())]
    DiskFull {
        /// Where.
        folder: PathBuf,
        /// Bytes that are still needed, and kept free on top.
        needed: u64,
        /// Bytes that are free, where known.
        free: Option<u64>,
    },
    /// Another file has that name.
    #[error("{} exists already and is another file", .0.display())]
    NameTaken(PathBuf),
    /// Another download writes this file.
    #[error("{} is being downloaded already", .0.display())]
    Busy(PathBuf),
    /// The operating system failed on a file.
    #[error("{}: {source}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// Cannot be: settings that make no sense, a thread that died.
    #[error("{0}")]
    Internal(String),
    /// Stopped by the person.
    #[error("stopped")]
    Cancelled,
}

impl RemoteError {
    pub(crate) fn file(path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::DiskFull { folder: path.parent().unwrap_or(path).into(), needed: 0, free: None }
            }
            _ => Self::File { path: path.into(), source },
        }
    }

    /// Whether trying the same again after a while may help.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. } | Self::RateLimited { .. } | Self::ServerError { .. } | Self::Stalled { .. }
        )
    }

    /// Whether another host that has the same file may do better.
    pub(crate) fn is_of_host(&self) -> bool {
        !matches!(
            self,
            Self::Gguf(_)
                | Self::DiskFull { .. }
                | Self::NameTaken(_)
                | Self::Busy(_)
                | Self::File { .. }
                | Self::Internal(_)
                | Self::Cancelled
        )
    }
}

impl From<RemoteError> for ErrorReport {
    #[expect(clippy::too_many_lines, reason = "one arm an error, with its words")]
    fn from(error: RemoteError) -> Self {
        let cause = error.to_string();
        let (code, message, hint) = match error {
            RemoteError::Gguf(error) => return error.into(),
            RemoteError::UrlInvalid { .. } => (
                ErrorCode::UrlInvalid,
                format!("{cause}."),
                "Give a repository such as owner/name, its address, or the https address of a .gguf file.".to_owned(),
            ),
            RemoteError::FileNameUnsafe { .. } => (
                ErrorCode::FileNameUnsafe,
                format!("{cause}. It was not saved."),
                "Download it with a browser, give it a plain name ending in .gguf, and import it.".to_owned(),
            ),
            RemoteError::Unreachable { host, .. } => (
                ErrorCode::NetworkUnavailable,
                format!("{host} could not be reached, or the connection broke off again and again."),
                "Check the network and the proxy, then resume. What is here already is kept.".to_owned(),
            ),
            RemoteError::Tls { host, .. } => (
                ErrorCode::TlsFailed,
                format!("There is no trusted connection to {host}."),
                "Check the date of this device, and whether the network wants a login or looks into connections. A mirror may help.".to_owned(),
            ),
            RemoteError::TokenRequired { host, what, refused } => (
                ErrorCode::DownloadTokenRequired,
                if refused {
                    format!("{host} does not accept the token for {what}.")
                } else {
                    format!("{host} gives {what} only to those who have a token.")
                },
                "Accept the licence on the model's page there, make a token that may read, and set it in Settings.".to_owned(),
            ),
            RemoteError::Forbidden { host, what } => (
                ErrorCode::DownloadForbidden,
                format!("{host} refuses {what}."),
                "Accept the licence on the model's page there, and check that the token may read this repository.".to_owned(),
            ),
            RemoteError::NotFound { host, what } => (
                ErrorCode::DownloadNotFound,
                format!("{host} has no {what}."),
                "Check the name, or look at the repository's page: the file may have been renamed or removed.".to_owned(),
            ),
            RemoteError::RateLimited { host, retry_after } => (
                ErrorCode::DownloadRateLimited,
                format!("{host} gets too many requests from here."),
                match retry_after {
                    Some(wait) => format!("Resume in {} s. What is here already is kept.", wait.as_secs().max(1)),
                    None => "Resume later, or set a token. What is here already is kept.".to_owned(),
                },
            ),
            RemoteError::ServerError { host, .. } => (
                ErrorCode::DownloadServerError,
                format!("{host} has a problem of its own."),
                "Resume later, or set a mirror. What is here already is kept.".to_owned(),
            ),
            RemoteError::RedirectLoop { host, .. } => (
                ErrorCode::DownloadRedirectLoop,
                format!("{host} leads in circles or nowhere."),
                "Check the address and the mirror in Settings.".to_owned(),
            ),
            RemoteError::Stalled { host, .. } => (
                ErrorCode::DownloadStalled,
                format!("{host} sent nothing, or next to nothing, for too long."),
                "Check the network, then resume, or set a mirror. What is here already is kept.".to_owned(),
            ),
            RemoteError::RangeInvalid { host, .. } => (
                ErrorCode::DownloadRangeInvalid,
                format!("{host} did not send the part of the file that was asked for."),
                "Set another mirror, or none, and resume. What is here already is kept.".to_owned(),
            ),
            RemoteError::Changed { host, .. } => (
                ErrorCode::DownloadChanged,
                format!("The file was replaced on {host} while it was downloaded."),
                "Resume: it starts over with the new file.".to_owned(),
            ),
            RemoteError::LengthMismatch { host, .. } => (
                ErrorCode::DownloadLengthMismatch,
                format!("The file on {host} is not as long as it should be."),
                "Try again later, or from another host. The file there may be unfinished or replaced.".to_owned(),
            ),
            RemoteError::ChecksumMismatch { file, .. } => (
                ErrorCode::DownloadChecksumMismatch,
                format!("{file} is not the file that it should be: its SHA-256 differs."),
                "Download it again, without a mirror. If it fails again, update the catalogue.".to_owned(),
            ),
            RemoteError::NotAModel { host, looks_like } => (
                ErrorCode::DownloadNotAModel,
                format!("{host} sent {looks_like} in place of the model."),
                "Open the address in a browser: the network or the host may want a login first.".to_owned(),
            ),
            RemoteError::NoGguf { repository } => (
                ErrorCode::RepositoryWithoutGguf,
                format!("{repository} holds no GGUF file."),
                "Look for a repository of the same model with GGUF in its name.".to_owned(),
            ),
            RemoteError::CatalogueUntrusted { problem } => (
                ErrorCode::CatalogueUntrusted,
                format!("The catalogue from the network was not taken: {problem}."),
                "The present catalogue stays. Check the address that it is updated from.".to_owned(),
            ),
            RemoteError::DiskFull { needed, free, .. } => (
                ErrorCode::DiskFull,
                match free {
                    Some(free) => format!("There is not enough space: {} MB are free.", free / 1_000_000),
                    None => "There is no space left.".to_owned(),
                },
                if needed > 0 {
                    format!("Free {} MB and resume. What is here already is kept.", needed.saturating_sub(free.unwrap_or(0)).div_ceil(1_000_000))
                } else {
                    "Free some space and resume. What is here already is kept.".to_owned()
                },
            ),
            RemoteError::NameTaken(path) => (
                ErrorCode::InvalidInput,
                format!("There is another file with the name {}.", file_name(&path)),
                "Delete or rename that file first.".to_owned(),
            ),
            RemoteError::Busy(path) => (
                ErrorCode::AlreadyRunning,
                format!("{} is being downloaded already.", file_name(&path)),
                "Wait for the other download, or stop it.".to_owned(),
            ),
            RemoteError::File { path, source } => match source.kind() {
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => (
                    ErrorCode::DataFolderReadOnly,
                    format!("{} cannot be written.", path.display()),
                    "Choose another models folder, or allow writing to this one.".to_owned(),
                ),
                _ => (
                    ErrorCode::Internal,
                    format!("{} could not be read or written.", path.display()),
                    "Check the disk, then try again.".to_owned(),
                ),
            },
            RemoteError::Internal(_) => {
                (ErrorCode::Internal, "Something went wrong inside Pocketbench.".to_owned(), "Try again.".to_owned())
            }
            RemoteError::Cancelled => return Self::new(ErrorCode::Cancelled, "Stopped."),
        };
        Self::new(code, message).hint(hint).details(serde_json::json!({ "cause": cause }))
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}
