//! Model files on this machine: what their headers say, who they are, and where they lie.
//!
//! A model file comes from strangers. [`read_header`] is the boundary: whatever it accepts keeps to the GGUF format, and
//! nothing else in the project looks into a model file before it did.

mod architectures;
pub mod catalogue;
mod client;
pub mod discover;
mod disk;
mod download;
mod error;
mod files;
mod folder;
mod gguf;
mod header;
mod journal;
mod remote;
mod remote_error;
mod repository;
mod signature;
mod source;
mod split;
mod tensor_type;

pub use architectures::KNOWN_ARCHITECTURES;
pub use client::{ClientOptions, HubClient, Probe, RemotePart, Token};
pub use download::{DownloadNote, DownloadOptions, DownloadPlan, DownloadProgress, Downloaded, FreeBytes};
pub use error::{FileError, GgufError};
pub use files::{model_bytes, scan_models, sha256_file, sha256_model};
pub use folder::{Copied, copy_model, delete_files, model_folders};
pub use header::{HeaderStart, START_LIMIT, read_header, read_header_from, read_header_start};
pub use journal::{PartialFile, discard_partial, partial_files};
pub use remote::RemoteHeader;
pub use remote_error::RemoteError;
pub use signature::{CatalogueTrust, verify_catalogue};
pub use source::{DEFAULT_HUB, Reference, RepositoryRef, parse_reference, safe_file_name};
pub use split::model_files;
pub use tokio_util::sync::CancellationToken;
