//! Model files on this machine: what their headers say, who they are, and where they lie.
//!
//! A model file comes from strangers. [`read_header`] is the boundary: whatever it accepts keeps to the GGUF format, and
//! nothing else in the project looks into a model file before it did.

mod architectures;
mod error;
mod files;
mod gguf;
mod header;
mod tensor_type;

pub use architectures::KNOWN_ARCHITECTURES;
pub use error::{FileError, GgufError};
pub use files::{scan_models, sha256_file};
pub use header::read_header;
