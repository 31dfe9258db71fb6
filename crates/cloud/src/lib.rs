//! Models that answer elsewhere: a client for OpenAI-compatible chat completions, the providers that are known, prices, and
//! where keys are kept.

mod client;
mod endpoint;
mod error;
pub mod keys;
mod presets;
mod prices;
mod retry;
mod sse;
mod tls;
mod wire;

pub use client::{ChatRequest, ClientOptions, Clock, End, Piece, ProviderClient, Reply};
pub use endpoint::{Endpoint, model_name};
pub use error::{CloudError, ProviderError, Wait, over_budget};
pub use presets::{check_key, preset, presets};
pub use prices::price_book;
