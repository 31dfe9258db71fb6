//! What can be wrong with a model file.

use pocketbench_domain::{ErrorCode, ErrorReport};
use serde_json::json;
use std::io;
use std::path::{Path, PathBuf};

/// The file cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// Nothing at that path.
    #[error("no file at {0}")]
    NotFound(PathBuf),
    /// A folder or a device.
    #[error("{0} is not a file")]
    NotAFile(PathBuf),
    /// The operating system refuses.
    #[error("cannot read {path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// In its words.
        source: io::Error,
    },
    /// Whoever waits for it has stopped waiting.
    #[error("stopped")]
    Cancelled,
}

impl FileError {
    pub(crate) fn of(path: &Path, source: io::Error) -> Self {
        if source.kind() == io::ErrorKind::NotFound {
            Self::NotFound(path.into())
        } else {
            Self::Unreadable { path: path.into(), source }
        }
    }
}

/// Why a file is no model that can be measured.
#[derive(Debug, thiserror::Error)]
pub enum GgufError {
    /// It cannot be read at all.
    #[error(transparent)]
    File(#[from] FileError),
    /// It does not start as a GGUF file does.
    #[error("not a GGUF file but {looks_like}")]
    NotGguf {
        /// What it seems to be, such as `a web page`.
        looks_like: String,
    },
    /// It ends too early.
    #[error("{what} {needed}, but the file has {file_bytes} bytes")]
    Truncated {
        /// What should be there, such as `its tensor data ends at byte`.
        what: &'static str,
        /// Size that the file must have at least.
        needed: u64,
        /// Size that it has.
        file_bytes: u64,
    },
    /// It breaks the format's rules.
    #[error("{problem} (near byte {offset})")]
    Corrupt {
        /// Which rule, and where.
        problem: String,
        /// Where the reader was.
        offset: u64,
    },
    /// Its numbers are stored in big-endian order.
    #[error("a big-endian GGUF file")]
    BigEndian,
    /// A version of the format that llama.cpp does not read.
    #[error("GGUF version {0}")]
    UnsupportedVersion(u32),
    /// A part of a split model that is not the first: the others are found from that one.
    #[error("part {part} of {parts} of a split model")]
    Split {
        /// Which one, from 1.
        part: u32,
        /// How many there are.
        parts: u32,
        /// File name of the first part, where this one's name tells it.
        first: Option<String>,
    },
    /// A part of a split model is not beside the first one.
    #[error("part {part} of {parts} is missing")]
    PartMissing {
        /// Which one, from 1.
        part: u32,
        /// How many there are.
        parts: u32,
        /// Its file name.
        file_name: String,
    },
    /// A part of a split model after the first is wrong in itself.
    #[error("{file_name}: {error}")]
    Part {
        /// Its file name.
        file_name: String,
        /// What is wrong.
        error: Box<GgufError>,
    },
    /// Name and content disagree on whether this is a part of a split model, so that llama.cpp would not find the others.
    #[error("{0}")]
    PartName(String),
    /// What decides how much memory a model takes comes later in the file than is read of it before a download.
    #[error("`{key}` is not among its first {read} bytes")]
    NotAtStart {
        /// The metadata entry.
        key: String,
        /// How much was looked at.
        read: u64,
    },
    /// A GGUF file that holds something else than a language model.
    #[error("{0}, not a language model")]
    NotAModel(String),
    /// llama.cpp does not know its architecture.
    #[error("unknown architecture `{0}`")]
    UnknownArchitecture(String),
}

const DOWNLOAD_AGAIN: &str = "Download the file again and compare its size with the source.";

impl From<FileError> for ErrorReport {
    fn from(error: FileError) -> Self {
        let message = error.to_string();
        match error {
            FileError::NotFound(path) => {
                Self::new(ErrorCode::ModelFileNotFound, format!("There is no file at {}.", path.display()))
                    .hint("Check the path, or pick the model again if it was moved.")
            }
            FileError::NotAFile(path) => {
                Self::new(ErrorCode::ModelFileNotFound, format!("{} is not a file.", path.display()))
                    .hint("Pick a .gguf file.")
            }
            FileError::Unreadable { path, source } => {
                Self::new(ErrorCode::Internal, format!("{} cannot be read: {source}.", path.display()))
                    .hint("Check that this account may read the file and that its disk is well.")
            }
            FileError::Cancelled => Self::new(ErrorCode::Cancelled, "Stopped."),
        }
        .details(json!({ "cause": message }))
    }
}

impl From<GgufError> for ErrorReport {
    fn from(error: GgufError) -> Self {
        let cause = error.to_string();
        let report = match error {
            GgufError::File(error) => return error.into(),
            GgufError::NotGguf { looks_like } => {
                Self::new(ErrorCode::ModelFileNotGguf, format!("This is not a GGUF model but {looks_like}."))
                    .hint("Look for a file of the model that ends in .gguf.")
            }
            GgufError::Truncated { what, needed, file_bytes } => {
                let missing = needed.saturating_sub(file_bytes);
                return Self::new(
                    ErrorCode::ModelFileTruncated,
                    format!(
                        "The model file is incomplete: {what} {needed}, but the file has {file_bytes} bytes; {missing} or \
                         more are missing."
                    ),
                )
                .hint(DOWNLOAD_AGAIN)
                .details(json!({ "cause": cause, "needed_bytes": needed, "file_bytes": file_bytes, "missing_bytes": missing }));
            }
            GgufError::Corrupt { problem, .. } => {
                Self::new(ErrorCode::ModelFileCorrupt, format!("The model file is damaged: {problem}."))
                    .hint(DOWNLOAD_AGAIN)
            }
            GgufError::BigEndian => Self::new(
                ErrorCode::InvalidInput,
                "The model file was made for big-endian machines; this one is little-endian.",
            )
            .hint("Get the ordinary version of the model, without “be” in its name."),
            GgufError::UnsupportedVersion(version) => {
                let age = if version < 2 { "too old" } else { "newer than this version of Pocketbench reads" };
                Self::new(
                    ErrorCode::InvalidInput,
                    format!("The model file has GGUF version {version}, which is {age}."),
                )
                .hint(if version < 2 {
                    "Get a newer conversion of the model."
                } else {
                    "Update Pocketbench."
                })
            }
            GgufError::Split { part, parts, first } => Self::new(
                ErrorCode::InvalidInput,
                format!("The file is part {part} of {parts} of a split model, and a model begins with its first part."),
            )
            .hint(match first {
                Some(first) => format!("Pick {first}."),
                None => "Pick the first part.".to_owned(),
            }),
            GgufError::PartMissing { part, parts, file_name } => Self::new(
                ErrorCode::ModelFileTruncated,
                format!("The model is incomplete: part {part} of {parts}, {file_name}, is not beside the first part."),
            )
            .hint("Download the missing part into the same folder, under its own name."),
            GgufError::Part { file_name, error } => {
                let mut report = Self::from(*error);
                report.message = format!("{file_name}: {}", report.message);
                return report;
            }
            GgufError::PartName(problem) => {
                Self::new(ErrorCode::InvalidInput, format!("The parts of the model cannot be found: {problem}."))
                    .hint("Give each part the name that it was published under, such as model-00001-of-00003.gguf.")
            }
            GgufError::NotAtStart { key, .. } => Self::new(
                ErrorCode::InvalidInput,
                format!("Whether the model fits cannot be told before it is downloaded: its `{key}` comes too late."),
            )
            .hint("Compare the file's size with the memory of this device, or download it to see."),
            GgufError::NotAModel(kind) => {
                Self::new(ErrorCode::InvalidInput, format!("The file holds {kind}, not a language model."))
                    .hint("Pick the model's main file.")
            }
            GgufError::UnknownArchitecture(name) => Self::new(
                ErrorCode::ModelArchitectureUnknown,
                format!("This version of llama.cpp does not know the architecture “{name}”."),
            )
            .hint("Update Pocketbench, or pick another model."),
        };
        report.details(json!({ "cause": cause }))
    }
}
