//! The most tokens a second that memory allows: each token reads the weights that work on it and the keys and values of
//! all tokens before it, and nothing can be faster than reading that.

use crate::model::ModelHeader;
use crate::settings::EngineSettings;

/// Bytes that are read from memory for one token with `depth` tokens before it.
///
/// ```text
/// all tensors
/// − embeddings, of which one row is read          unless they are also the output matrix
/// − experts that do not work on the token         expert bytes × (1 − used ÷ all)
/// + keys and values of `depth` tokens; a layer with a sliding window is counted as any other: too much, if anything
/// ```
///
/// A repacked copy of a matrix is as large as the original and read in its place. Header values are not trusted:
/// everything saturates.
#[must_use]
pub fn bytes_per_token(header: &ModelHeader, depth: u32, settings: &EngineSettings) -> u64 {
    let mut weights = header.tensor_bytes;
    if !header.tied_embeddings {
        weights = weights.saturating_sub(header.embedding_bytes);
    }
    if header.n_expert > 0 {
        let idle = header.n_expert.saturating_sub(header.n_expert_used);
        let bytes = u128::from(header.expert_bytes) * u128::from(idle) / u128::from(header.n_expert);
        weights = weights.saturating_sub(u64::try_from(bytes).unwrap_or(u64::MAX));
    }
    weights.saturating_add(crate::fit::kv_bytes(header, settings, depth.into()))
}

/// Tokens a second that cannot be exceeded where memory is read at `bandwidth` bytes a second. `None` where a figure is
/// missing.
#[must_use]
pub fn decode_limit(bandwidth: f64, bytes_per_token: u64) -> Option<f64> {
    let limit = bandwidth / bytes_per_token as f64;
    (bytes_per_token > 0 && limit.is_finite() && limit > 0.0).then_some(limit)
}
