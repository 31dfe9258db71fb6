//! The fit formula against figures worked out by hand, at its edges, and with hostile headers.

use crate::fixture::header;
use pocketbench_domain::fit::{
    BATCH_TOKEN_BYTES, CELL_BYTES, Experience, Fit, FitAdvice, FitClass, MERGE_BYTES, Machine, TOKEN_BYTES,
    WORKER_FILE_BYTES, WORKER_OWN_BYTES, advice,
};
use pocketbench_domain::model::{ModelHeader, TensorTypeBytes};
use pocketbench_domain::settings::{EngineSettings, FlashAttention, KvType};
use proptest::prelude::*;

const GIB: u64 = 1 << 30;

fn smollm2() -> ModelHeader {
    ModelHeader { n_ff: 1_536, n_merges: 48_900, ..header("SmolLM2 135M Instruct", "Q4_1") }
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
    assert_eq!(fit.weights_bytes, 90_000_000, "the header is mapped only while it loads");
    assert_eq!(fit.repacked_bytes, 0);
    // 30 layers × 3 heads × (64 + 64) values × 2 bytes × 2,048 tokens: 45 MiB, as llama.cpp reports it.
    assert_eq!(fit.kv_bytes, 45 << 20);
    // 512 tokens × (5 × 576 + 3 × 1,536) activations × 4, a mask of 512 × 2,048 × 2, one row of logits; then 512 × 1,536
    // values of 9/8 bytes for the matrix kernels.
    assert_eq!(fit.compute_bytes, 512 * (2_880 + 4_608) * 4 + 512 * 2_048 * 2 + 49_152 * 4 + 512 * 1_536 / 8 * 9);
    let tokenizer = 49_152 * (TOKEN_BYTES + 16) + 48_900 * MERGE_BYTES;
    assert_eq!(
        fit.baseline_bytes,
        WORKER_FILE_BYTES + WORKER_OWN_BYTES + tokenizer + 2_048 * (CELL_BYTES + BATCH_TOKEN_BYTES)
    );
    let parts = [fit.weights_bytes, fit.kv_bytes, fit.compute_bytes, fit.baseline_bytes];
    assert_eq!(fit.predicted_bytes, parts.iter().sum::<u64>());
    assert_eq!(fit.file_backed_bytes, 90_000_000 + WORKER_FILE_BYTES);
    assert_eq!(fit.anonymous_bytes, fit.predicted_bytes - fit.file_backed_bytes);
    assert_eq!((fit.available_bytes, fit.class), (GIB, FitClass::Fits));
}

#[test]
fn weights_that_the_cpu_repacks_exist_twice_where_the_file_is_mapped() {
    let mut header = smollm2();
    let types = [("Q4_0", 60_000_000, 50_000_000), ("Q6_K", 20_000_000, 15_000_000), ("Q2_K", 9_000_000, 8_000_000)];
    header.tensor_types =
        types.map(|(name, bytes, matrix_bytes)| TensorTypeBytes { name: name.into(), bytes, matrix_bytes }).into();
    let fit = |features: &[&str], change: fn(&mut EngineSettings)| {
        let mut settings = EngineSettings::new(2_048, 2);
        change(&mut settings);
        let machine = Machine { cpu_features: features.iter().map(|f| (*f).to_owned()).collect(), ..plain(GIB) };
        Fit::predict(&header, &settings, 92_000_000, &machine)
    };
    let none = fit(&[], |_| ());
    for (features, repacked) in [
        (&["avx2", "fma"][..], 50_000_000),
        (&["avx2", "avx512f"], 58_000_000),
        (&["neon", "dotprod"], 65_000_000),
        (&["avx2", "avx512f", "avx512vnni", "amx"], 73_000_000),
        (&["neon"], 0),
    ] {
        let mapped = fit(features, |_| ());
        assert_eq!(mapped.repacked_bytes, repacked, "{features:?}");
        assert_eq!(mapped.predicted_bytes, none.predicted_bytes + repacked);
        assert_eq!(mapped.file_backed_bytes, none.file_backed_bytes, "the mapped pages stay");
        let read = fit(features, |s| s.use_mmap = false);
        assert_eq!(read.predicted_bytes, none.predicted_bytes, "one copy only");
        assert_eq!(read.file_backed_bytes, WORKER_FILE_BYTES);
        assert_eq!(fit(features, |s| s.repack = false).predicted_bytes, none.predicted_bytes);
    }
    // Embeddings that are also the output: rows are read from the one copy, and the other is multiplied with.
    (header.tied_embeddings, header.embedding_bytes, header.embedding_type) = (true, 12_000_000, "Q4_0".into());
    let machine = Machine { cpu_features: vec!["avx2".into()], ..plain(GIB) };
    let settings = EngineSettings { use_mmap: false, ..EngineSettings::new(2_048, 2) };
    let tied = Fit::predict(&header, &settings, 92_000_000, &machine);
    assert_eq!(tied.predicted_bytes, none.predicted_bytes + 12_000_000);
    header.embedding_type = "Q6_K".into();
    assert_eq!(Fit::predict(&header, &settings, 92_000_000, &machine).predicted_bytes, none.predicted_bytes);
}

#[test]
fn while_it_loads_the_header_is_mapped_too() {
    let settings = EngineSettings::new(256, 2);
    let fit = |file_bytes| Fit::predict(&smollm2(), &settings, file_bytes, &plain(GIB));
    let later = fit(90_000_000).kv_bytes + fit(90_000_000).compute_bytes;
    assert_eq!(fit(90_000_000 + later).weights_bytes, 90_000_000);
    assert_eq!(fit(90_000_000 + later + 7).weights_bytes, 90_000_007);
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
    // Nine heads of scores and a mask in f32 beside queries and outputs, in place of a feed-forward layer and its mask.
    let scores = 512 * 2_048 * (9 + 1) * 4 + 512 * (5 * 576 + 2 * 576) * 4;
    let fused = 512 * (2_880 + 4_608) * 4 + 512 * 2_048 * 2;
    let off = with(|s| s.flash_attention = FlashAttention::Off).compute_bytes;
    // The kernels want the weights of values in f16.
    let kernels = 512 * 2_048 * 9 * 2 - 512 * 1_536 / 8 * 9;
    assert_eq!(off, predict(&base).compute_bytes - fused + scores + kernels);
    assert_eq!(with(|s| s.n_seq_max = 10).compute_bytes, predict(&base).compute_bytes + 9 * 49_152 * 4);
    assert_eq!(with(|s| s.n_seq_max = 10).baseline_bytes, predict(&base).baseline_bytes + 9 * 49_152 * 16);
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

/// Buffers of KV and compute as llama.cpp logs them, in MiB (bindings 0.1.160 on x86-64, `kv_unified`, `n_outputs_max =
/// n_seq_max`). Whole workers are measured by the footprint test of `app`.
#[test]
fn buffers_hold_against_those_of_llama_cpp() {
    let mut gemma = header("Gemma 3 270M", "Q4_K_M");
    (gemma.n_layer, gemma.n_embd, gemma.n_head, gemma.n_head_kv) = (18, 640, 4, vec![1; 18]);
    (gemma.head_dim_k, gemma.head_dim_v, gemma.n_vocab, gemma.sliding_window) = (256, 256, 262_144, Some(512));
    (gemma.n_ff, gemma.tensor_bytes, gemma.architecture) = (2_048, 246_583_296, "gemma3".into());
    let (auto, off) = (FlashAttention::Auto, FlashAttention::Off);
    let measured = [
        (&smollm2(), 2_048, 1, auto, 45.0, 16.64),
        (&smollm2(), 2_048, 10, auto, 45.0, 16.90),
        (&smollm2(), 8_192, 1, auto, 180.0, 22.64),
        (&smollm2(), 2_048, 1, off, 45.0, 47.51),
        (&gemma, 2_048, 1, auto, 36.0, 22.28),
        (&gemma, 2_048, 10, auto, 36.0, 22.63),
        (&gemma, 8_192, 1, auto, 144.0, 34.28),
        (&gemma, 2_048, 1, off, 36.0, 36.27),
    ];
    for (header, n_ctx, n_seq_max, flash_attention, kv_mib, compute_mib) in measured {
        let mut settings = EngineSettings::new(n_ctx, 2);
        (settings.n_seq_max, settings.flash_attention) = (n_seq_max, flash_attention);
        let fit = Fit::predict(header, &settings, 0, &plain(GIB));
        let case = format!("{} {n_ctx} {n_seq_max} {flash_attention:?} {fit:?}", header.name);
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        assert!((mib(fit.kv_bytes) - kv_mib).abs() < 0.005, "{case}");
        let compute = mib(fit.compute_bytes) / compute_mib;
        // What the matrix kernels want lies beside llama.cpp's buffer; its rows of logits for ten sequences are shared.
        assert!((0.9..1.6).contains(&compute), "{compute} {case}");
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

#[test]
fn experience_moves_the_line() {
    let machine = |largest_worked_bytes, smallest_failed_bytes| Machine {
        experience: Experience { largest_worked_bytes, smallest_failed_bytes },
        ..plain(1_000)
    };
    let none = machine(None, None);
    assert_eq!([700, 900, 1_001].map(|n| none.class(n)), [FitClass::Fits, FitClass::Tight, FitClass::TooBig]);
    let worked = machine(Some(950), None);
    assert_eq!(worked.class(900), FitClass::Fits, "as much worked");
    assert_eq!(worked.class(951), FitClass::Tight);
    assert_eq!(machine(Some(5_000), None).class(1_001), FitClass::TooBig, "it is not there now");
    let failed = machine(None, Some(700));
    assert_eq!([699, 700, 800].map(|n| failed.class(n)), [FitClass::Fits, FitClass::Tight, FitClass::Tight]);
    assert_eq!(machine(Some(950), Some(900)).class(900), FitClass::Tight, "a failure outweighs what worked");
    assert_eq!(machine(Some(950), Some(900)).class(899), FitClass::Fits);
}

#[test]
fn the_longest_context_is_the_last_that_fits() {
    let settings = EngineSettings::new(1, 2);
    let longest = |available| Fit::longest_context(&smollm2(), &settings, 92_000_000, &plain(available));
    let class = |n_ctx, available| {
        let settings = EngineSettings { n_ctx, ..settings.clone() };
        Fit::predict(&smollm2(), &settings, 92_000_000, &plain(available)).class
    };
    assert_eq!(longest(GIB), Some(8_192), "all that it was trained for");
    assert_eq!(longest(0), None);
    for available in [200_000_000, 250_000_000, 300_000_000, 350_000_000] {
        let n_ctx = longest(available).unwrap();
        assert_eq!(class(n_ctx, available), FitClass::Fits);
        assert_ne!(class(n_ctx + 256, available), FitClass::Fits, "{n_ctx}");
    }
    let odd = ModelHeader { n_ctx_train: 1_000, ..smollm2() };
    assert_eq!(Fit::longest_context(&odd, &settings, 0, &plain(GIB)), Some(1_000));
}

#[test]
fn advice_helps() {
    let mut header = smollm2();
    header.tensor_types = vec![TensorTypeBytes { name: "Q4_0".into(), bytes: 90_000_000, matrix_bytes: 60_000_000 }];
    let machine = |available| Machine { cpu_features: vec!["avx2".into()], ..plain(available) };
    let settings = EngineSettings::new(4_096, 2);
    let of = |available| advice(&header, &settings, 92_000_000, &machine(available));
    assert_eq!(of(GIB), []);
    // 305 MB are predicted.
    let all = of(330_000_000);
    let [no_repacking, shorter, smaller_kv, free] = &all[..] else { panic!("{all:?}") };
    assert_eq!(*no_repacking, FitAdvice::NoRepacking { saved_bytes: 60_000_000 });
    let FitAdvice::ShorterContext { n_ctx } = *shorter else { panic!("{shorter:?}") };
    assert!((256..4_096).contains(&n_ctx));
    assert_eq!(*smaller_kv, FitAdvice::SmallerKv { kv_type: KvType::Q8_0, n_ctx: 4_096 });
    let FitAdvice::FreeMemory { missing_bytes } = *free else { panic!("{free:?}") };
    // What it says comes true.
    let class =
        |settings: &EngineSettings, available| Fit::predict(&header, settings, 92_000_000, &machine(available)).class;
    assert_eq!(class(&settings, 330_000_000), FitClass::Tight);
    assert_eq!(class(&EngineSettings { n_ctx, ..settings.clone() }, 330_000_000), FitClass::Fits);
    let q8_0 = EngineSettings { kv_type_k: KvType::Q8_0, kv_type_v: KvType::Q8_0, ..settings.clone() };
    assert_eq!(class(&q8_0, 330_000_000), FitClass::Fits);
    assert_eq!(class(&settings, 330_000_000 + missing_bytes), FitClass::Fits);
    assert_eq!(class(&settings, 330_000_000 + missing_bytes - 1), FitClass::Tight);

    // Less room still: 4 bits give the longest context, though not the one asked for. At last only memory helps.
    let some = of(275_000_000);
    assert!(
        some.iter().any(|a| matches!(a, FitAdvice::SmallerKv { kv_type: KvType::Q4_0, n_ctx } if *n_ctx < 4_096)),
        "{some:?}"
    );
    assert!(matches!(of(100_000_000)[..], [FitAdvice::NoRepacking { .. }, FitAdvice::FreeMemory { .. }]));
    // A head of 80 values has no blocks of 32.
    let odd = ModelHeader { head_dim_k: 80, ..header.clone() };
    let odd = advice(&odd, &settings, 92_000_000, &machine(330_000_000));
    assert!(!odd.iter().any(|a| matches!(a, FitAdvice::SmallerKv { .. })), "{odd:?}");
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
