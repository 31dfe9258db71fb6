//! The fit formula against figures worked out by hand, at its edges, and with hostile headers.

use crate::fixture::header;
use pocketbench_domain::fit::{Fit, FitClass, Machine, VOCAB_ENTRY_BYTES, WORKER_BYTES};
use pocketbench_domain::model::ModelHeader;
use pocketbench_domain::settings::{EngineSettings, FlashAttention, KvType};
use proptest::prelude::*;

const GIB: u64 = 1 << 30;

fn smollm2() -> ModelHeader {
    header("SmolLM2 135M Instruct", "Q4_1")
}

/// A machine without instruction sets that repack, and with this much memory.
fn plain(available_bytes: u64) -> Machine {
    Machine { available_bytes, ..Machine::default() }
}

fn predict(settings: &EngineSettings) -> Fit {
    Fit::predict(&smollm2(), settings, 92_000_000, &plain(GIB))
}

#[test]
fn smollm2_by_hand() {
    let fit = predict(&EngineSettings::new(2_048, 2));
    assert_eq!(fit.weights_bytes, 92_000_000, "the whole file is mapped");
    // 30 layers × 3 heads × (64 + 64) values × 2 bytes × 2,048 tokens: 45 MiB, as llama.cpp reports it.
    assert_eq!(fit.kv_bytes, 45 << 20);
    // 512 tokens × (12 × 576 + 2 × 9 × 64) activations × 4, a mask of 512 × 2,048 × 2, one row of logits.
    assert_eq!(fit.compute_bytes, 512 * (6_912 + 1_152) * 4 + 512 * 2_048 * 2 + 49_152 * 4);
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
    assert_eq!(kv(|s| s.n_seq_max = 10), full, "ten sequences share the context");

    let with = |change: fn(&mut EngineSettings)| {
        let mut settings = base.clone();
        change(&mut settings);
        predict(&settings)
    };
    // Nine heads of scores, and the mask in f32 instead of f16.
    let scores = 512 * 2_048 * (9 * 4 + 2);
    assert_eq!(with(|s| s.flash_attention = FlashAttention::Off).compute_bytes, predict(&base).compute_bytes + scores);
    assert_eq!(with(|s| s.n_seq_max = 10).compute_bytes, predict(&base).compute_bytes + 9 * 49_152 * 4);
    assert!(with(|s| s.n_ubatch = 128).compute_bytes < predict(&base).compute_bytes / 3);
    assert_eq!(with(|s| s.n_batch = 128).compute_bytes, with(|s| s.n_ubatch = 128).compute_bytes);
    assert_eq!(with(|s| s.use_mmap = false).weights_bytes, 90_000_000, "only tensors are read into memory");
}

#[test]
fn a_sliding_window_does_not_lower_the_estimate() {
    let mut windowed = smollm2();
    windowed.sliding_window = Some(512);
    let settings = EngineSettings::new(8_192, 2);
    let (with, without) =
        (Fit::predict(&windowed, &settings, 0, &plain(GIB)), Fit::predict(&smollm2(), &settings, 0, &plain(GIB)));
    assert_eq!(with.kv_bytes, without.kv_bytes);
    assert_eq!(with.compute_bytes, without.compute_bytes + 512 * 8_192 * 2, "a mask of its own");
}

/// What llama.cpp really took, in a program of its API alone (llama.cpp of the bindings 0.1.160 on x86-64, `kv_unified`,
/// `n_outputs_max = n_seq_max`, 512 tokens of prompt and 8 decoded): KV and compute buffers with the output buffer as it
/// logs them in MiB, `VmHWM` in kB.
#[test]
fn predictions_hold_against_measurements() {
    let mut gemma = header("Gemma 3 270M", "Q4_K_M");
    (gemma.n_layer, gemma.n_embd, gemma.n_head, gemma.n_head_kv) = (18, 640, 4, vec![1; 18]);
    (gemma.head_dim_k, gemma.head_dim_v, gemma.n_vocab, gemma.sliding_window) = (256, 256, 262_144, Some(512));
    (gemma.tensor_bytes, gemma.architecture) = (246_583_296, "gemma3".into());
    let (auto, off) = (FlashAttention::Auto, FlashAttention::Off);
    let measured = [
        (&smollm2(), 98_362_432, 2_048, 1, auto, 45.0, 16.64 + 0.19, 182_804),
        (&smollm2(), 98_362_432, 2_048, 10, auto, 45.0, 16.90 + 1.88, 184_856),
        (&smollm2(), 98_362_432, 8_192, 1, auto, 180.0, 22.64 + 0.19, 321_364),
        (&smollm2(), 98_362_432, 2_048, 1, off, 45.0, 47.51 + 0.19, 189_036),
        (&gemma, 253_113_024, 2_048, 1, auto, 36.0, 22.28 + 1.0, 366_388),
        (&gemma, 253_113_024, 2_048, 10, auto, 36.0, 22.63 + 10.0, 375_952),
        (&gemma, 253_113_024, 8_192, 1, auto, 144.0, 34.28 + 1.0, 483_304),
        (&gemma, 253_113_024, 2_048, 1, off, 36.0, 36.27 + 1.0, 371_048),
    ];
    for (header, file_bytes, n_ctx, n_seq_max, flash_attention, kv_mib, compute_mib, peak_kb) in measured {
        let mut settings = EngineSettings::new(n_ctx, 2);
        (settings.n_seq_max, settings.flash_attention) = (n_seq_max, flash_attention);
        let fit = Fit::predict(header, &settings, file_bytes, &plain(GIB));
        let case = format!("{} {n_ctx} {n_seq_max} {flash_attention:?} {fit:?}", header.name);
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        assert!((mib(fit.kv_bytes) - kv_mib).abs() < 0.005, "{case}");
        let compute = mib(fit.compute_bytes) / compute_mib;
        assert!((1.0..1.25).contains(&compute), "{compute} {case}");
        let peak = fit.predicted_bytes as f64 / (f64::from(peak_kb) * 1024.0);
        // Without flash attention the scores are reserved for the whole context, and a short prompt touches few of them.
        let most = if flash_attention == FlashAttention::Off { 1.30 } else { 1.12 };
        assert!((1.0..most).contains(&peak), "{peak} {case}");
    }
}

#[test]
fn layers_may_differ_and_missing_ones_count_in_full() {
    let settings = EngineSettings::new(2_048, 2);
    let kv = |heads: Vec<u32>| {
        let mut header = smollm2();
        header.n_head_kv = heads;
        Fit::predict(&header, &settings, 0, &plain(GIB)).kv_bytes
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
        let fit = Fit::predict(&header, &settings, file, &plain(free));
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
