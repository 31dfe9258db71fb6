//! The fit formula against figures worked out by hand, at its edges, and with hostile headers.

use crate::fixture::header;
use pocketbench_domain::fit::{Fit, FitClass, VOCAB_ENTRY_BYTES, WORKER_BYTES};
use pocketbench_domain::model::ModelHeader;
use pocketbench_domain::settings::{EngineSettings, FlashAttention, KvType};
use proptest::prelude::*;

const GIB: u64 = 1 << 30;

fn smollm2() -> ModelHeader {
    header("SmolLM2 135M Instruct", "Q4_1")
}

fn predict(settings: &EngineSettings) -> Fit {
    Fit::predict(&smollm2(), settings, 92_000_000, GIB)
}

#[test]
fn smollm2_by_hand() {
    let fit = predict(&EngineSettings::new(2_048, 2));
    assert_eq!(fit.weights_bytes, 92_000_000, "the whole file is mapped");
    // 30 layers × 3 heads × (64 + 64) values × 2 bytes × 2,048 tokens: 45 MiB, as llama.cpp reports it.
    assert_eq!(fit.kv_bytes, 45 << 20);
    // 512 tokens × (49,152 logits + 12 × 576 + 2 × 9 × 64) × 4, the mask 512 × 2,048 × 4, one row of logits.
    assert_eq!(fit.compute_bytes, 512 * (49_152 + 6_912 + 1_152) * 4 + 512 * 2_048 * 4 + 49_152 * 4);
    assert_eq!(fit.baseline_bytes, WORKER_BYTES + 49_152 * VOCAB_ENTRY_BYTES);
    let parts = [fit.weights_bytes, fit.kv_bytes, fit.compute_bytes, fit.baseline_bytes];
    assert_eq!(fit.predicted_bytes, parts.iter().sum::<u64>());
    assert_eq!((fit.available_bytes, fit.class), (GIB, FitClass::Fits));
}

#[test]
fn settings_move_their_part() {
    let base = EngineSettings::new(2_048, 2);
    let kv = |change: fn(&mut EngineSettings)| {
        let mut settings = base.clone();
        change(&mut settings);
        predict(&settings).kv_bytes
    };
    let full = predict(&base).kv_bytes;
    assert_eq!(kv(|s| s.n_ctx = 2_049), full / 2_048 * 2_304, "rounded up to a multiple of 256");
    assert_eq!(kv(|s| s.kv_type_k = KvType::F32), full / 2 * 3);
    assert_eq!(kv(|s| (s.kv_type_k, s.kv_type_v) = (KvType::Q8_0, KvType::Q8_0)), full / 64 * 34);
    assert_eq!(kv(|s| s.n_seq_max = 8), full, "eight sequences share the context");
    assert_eq!(kv(|s| s.n_seq_max = 10), full / 2_048 * 2_560, "204 tokens each, rounded up to 256");

    let with = |change: fn(&mut EngineSettings)| {
        let mut settings = base.clone();
        change(&mut settings);
        predict(&settings)
    };
    let scores = 512 * 2_048 * 4 * 9;
    assert_eq!(with(|s| s.flash_attention = FlashAttention::Off).compute_bytes, predict(&base).compute_bytes + scores);
    assert!(with(|s| s.n_ubatch = 128).compute_bytes < predict(&base).compute_bytes / 3);
    assert_eq!(with(|s| s.n_batch = 128).compute_bytes, with(|s| s.n_ubatch = 128).compute_bytes);
    assert_eq!(with(|s| s.use_mmap = false).weights_bytes, 90_000_000, "only tensors are read into memory");
}

#[test]
fn a_sliding_window_does_not_lower_the_estimate() {
    let mut windowed = smollm2();
    windowed.sliding_window = Some(512);
    let settings = EngineSettings::new(8_192, 2);
    assert_eq!(Fit::predict(&windowed, &settings, 0, GIB), Fit::predict(&smollm2(), &settings, 0, GIB));
}

#[test]
fn layers_may_differ_and_missing_ones_count_in_full() {
    let settings = EngineSettings::new(2_048, 2);
    let kv = |heads: Vec<u32>| {
        let mut header = smollm2();
        header.n_head_kv = heads;
        Fit::predict(&header, &settings, 0, GIB).kv_bytes
    };
    assert_eq!(kv([vec![3; 15], vec![0; 15]].concat()), kv(vec![3; 30]) / 2);
    assert_eq!(kv(vec![]), kv(vec![9; 30]), "every head its own keys");
}

#[test]
fn classes_change_at_eighty_and_a_hundred_percent() {
    assert_eq!(FitClass::of(800, 1_000), FitClass::Fits);
    assert_eq!(FitClass::of(801, 1_000), FitClass::Tight);
    assert_eq!(FitClass::of(1_000, 1_000), FitClass::Tight);
    assert_eq!(FitClass::of(1_001, 1_000), FitClass::TooBig);
    assert_eq!(FitClass::of(1, 0), FitClass::TooBig);
    assert_eq!(FitClass::of(u64::MAX, u64::MAX), FitClass::Tight);
}

fn any_header() -> impl Strategy<Value = ModelHeader> {
    let numbers = (any::<u64>(), any::<[u32; 6]>(), prop::collection::vec(any::<u32>(), 0..4));
    numbers.prop_map(|(tensor_bytes, [n_layer, n_embd, n_head, head_dim_k, head_dim_v, n_vocab], n_head_kv)| {
        ModelHeader { tensor_bytes, n_layer, n_embd, n_head, head_dim_k, head_dim_v, n_vocab, n_head_kv, ..smollm2() }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_header_overflows(header in any_header(), s in any::<[u32; 4]>(), file in any::<u64>(), free in any::<u64>(), off in any::<bool>()) {
        let mut settings = EngineSettings::new(s[0], 1);
        (settings.n_batch, settings.n_ubatch, settings.n_seq_max) = (s[1], s[2], s[3]);
        settings.flash_attention = if off { FlashAttention::Off } else { FlashAttention::Auto };
        let fit = Fit::predict(&header, &settings, file, free);
        prop_assert!(fit.predicted_bytes >= fit.weights_bytes.max(fit.kv_bytes).max(fit.compute_bytes));
        prop_assert_eq!(fit.class == FitClass::TooBig, fit.predicted_bytes > free);
    }

    #[test]
    fn a_longer_context_never_needs_less(a in 1u32..100_000, b in 1u32..100_000) {
        let (short, long) = (a.min(b), a.max(b));
        let at = |n_ctx| predict(&EngineSettings::new(n_ctx, 2)).predicted_bytes;
        prop_assert!(at(short) <= at(long));
    }
}
