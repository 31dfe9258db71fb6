//! What decode must read, and what that allows.

use pocketbench_domain::model::ModelHeader;
use pocketbench_domain::roofline::{bytes_per_token, decode_limit};
use pocketbench_domain::settings::{EngineSettings, KvType};

fn header() -> ModelHeader {
    ModelHeader {
        tensor_bytes: 1_000_000,
        embedding_bytes: 200_000,
        n_layer: 2,
        n_head_kv: vec![2, 2],
        head_dim_k: 64,
        head_dim_v: 64,
        ..ModelHeader::default()
    }
}

#[test]
fn embeddings_are_looked_up_unless_they_are_the_output_matrix() {
    let settings = EngineSettings::new(2048, 1);
    assert_eq!(bytes_per_token(&header(), 0, &settings), 800_000);
    let tied = ModelHeader { tied_embeddings: true, ..header() };
    assert_eq!(bytes_per_token(&tied, 0, &settings), 1_000_000);
}

#[test]
fn the_cache_is_read_at_its_type_and_depth() {
    let mut settings = EngineSettings::new(2048, 1);
    // Four key/value heads of 64 over both layers, keys and values, two bytes each.
    assert_eq!(bytes_per_token(&header(), 100, &settings), 800_000 + 4 * 64 * 2 * 100 * 2);
    settings.kv_type_k = KvType::Q8_0;
    assert_eq!(bytes_per_token(&header(), 100, &settings), 800_000 + 4 * 64 * 100 * 2 + 4 * 64 * 100 / 32 * 34);
}

#[test]
fn only_the_experts_at_work_are_read() {
    let mixture = ModelHeader { n_expert: 8, n_expert_used: 2, expert_bytes: 400_000, ..header() };
    assert_eq!(bytes_per_token(&mixture, 0, &EngineSettings::new(2048, 1)), 500_000);
}

#[test]
fn absurd_headers_and_bandwidths_give_no_absurd_limits() {
    let absurd = ModelHeader {
        tensor_bytes: u64::MAX,
        embedding_bytes: u64::MAX,
        expert_bytes: u64::MAX,
        n_expert: 1,
        n_expert_used: u32::MAX,
        n_head_kv: vec![u32::MAX; 9],
        head_dim_k: u32::MAX,
        head_dim_v: u32::MAX,
        ..ModelHeader::default()
    };
    assert_eq!(bytes_per_token(&absurd, u32::MAX, &EngineSettings::new(1, 1)), u64::MAX);
    assert_eq!(decode_limit(1e11, 1_000_000_000), Some(100.0));
    for (bandwidth, bytes) in [(0.0, 1), (-1.0, 1), (f64::NAN, 1), (f64::INFINITY, 1), (1e9, 0)] {
        assert_eq!(decode_limit(bandwidth, bytes), None);
    }
}
