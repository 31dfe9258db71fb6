//! The limit that memory sets to decode: every token reads the weights that work on it, and the cache of what was said.

use crate::model::ModelHeader;
use crate::settings::EngineSettings;

/// Bytes read from memory for one token with `depth` tokens in the cache.
///
/// ```text
/// weights = tensors − token embeddings (one row of them is read; nearly nothing)
///           unless the embeddings are the output matrix, too: then all of it is read
///         − experts × (1 − used ÷ all)                   of a mixture
/// KV      = Σ over layers: heads × (head_dim_k at type K + head_dim_v at type V) × depth
/// ```
///
/// Layers with a sliding window count with the whole depth, which only matters far beyond the window. Header values are not
/// trusted: everything saturates.
#[must_use]
pub fn bytes_per_token(header: &ModelHeader, depth: u32, settings: &EngineSettings) -> u64 {
    let skipped = if header.tied_embeddings { 0 } else { header.embedding_bytes };
    let idle_experts = match (header.n_expert, header.n_expert_used) {
        (0, _) => 0,
        (all, used) => {
            let idle = u128::from(all.saturating_sub(used));
            let bytes = u128::from(header.expert_bytes) * idle / u128::from(all);
            u64::try_from(bytes).unwrap_or(u64::MAX)
        }
    };
    let weights = header.tensor_bytes.saturating_sub(skipped).saturating_sub(idle_experts);
    let heads = header.n_head_kv.iter().fold(0_u64, |sum, n| sum.saturating_add((*n).into()));
    let values = |head_dim: u32| heads.saturating_mul(head_dim.into()).saturating_mul(depth.into());
    weights
        .saturating_add(settings.kv_type_k.bytes(values(header.head_dim_k)))
        .saturating_add(settings.kv_type_v.bytes(values(header.head_dim_v)))
}

/// Most tokens a second that a memory of this bandwidth (bytes a second) allows. `None` where nothing is read or the bandwidth
/// is no positive number.
#[must_use]
pub fn decode_limit(bandwidth: f64, bytes_per_token: u64) -> Option<f64> {
    (bytes_per_token > 0 && bandwidth.is_finite() && bandwidth > 0.0).then(|| bandwidth / bytes_per_token as f64)
}
