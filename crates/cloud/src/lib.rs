//! OpenAI-compatible endpoints: where a model answers that does not run on this device.
//!
//! Only their description and its rules so far. Nothing here opens a connection.

mod endpoint;
mod error;
pub mod keys;

pub use endpoint::Endpoint;
pub use error::CloudError;
