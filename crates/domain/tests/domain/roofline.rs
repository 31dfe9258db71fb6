//! What decode must read, and what that allows.

use crate::fixture::{Bench, at, batch, entry, generate, load, synthetic, synthetic_time, task};
use pocketbench_domain::compare::CompareOptions;
use pocketbench_domain::generate::SyntheticRequest;
use pocketbench_domain::model::ModelHeader;
use pocketbench_domain::roofline::{
    DecodeLimit, LimitStanding, LimitUnknown, MeasuredBandwidth, MemoryLimit, bytes_per_token, decode_limit,
};
use pocketbench_domain::run::RunEntry;
use pocketbench_domain::settings::{EngineSettings, KvType};
use pocketbench_domain::suite::{Category, Task, Work};
use proptest::prelude::*;

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

/// What memory gives, bytes a second.
fn gives(bytes_per_s: f64) -> MeasuredBandwidth {
    MeasuredBandwidth { bytes_per_s, threads: 2, buffer_bytes: 768 << 20, measured_at: at(0) }
}

/// A dense model of 4 GB of which a token reads 3.9 GB, and no keys and values.
fn large() -> ModelHeader {
    ModelHeader {
        architecture: "llama".into(),
        tensor_bytes: 4_000_000_000,
        embedding_bytes: 100_000_000,
        ..ModelHeader::default()
    }
}

fn limit(tps: f64, header: &ModelHeader, cache_bytes: Option<u64>) -> DecodeLimit {
    DecodeLimit::new(tps, 100, header, &EngineSettings::new(2048, 1), gives(39e9), cache_bytes).unwrap()
}

#[test]
fn a_rate_stands_beside_its_limit() {
    let slow = limit(7.5, &large(), Some(34 << 20));
    assert_eq!((slow.bytes_per_token, slow.limit_tps, slow.standing), (3_900_000_000, 10.0, LimitStanding::Within));
    assert!((slow.efficiency - 0.75).abs() < 1e-12);
    // As far above as two measurements of one bandwidth may differ.
    assert_eq!(limit(10.9, &large(), Some(34 << 20)).standing, LimitStanding::Within);
    assert_eq!(limit(11.5, &large(), Some(34 << 20)).standing, LimitStanding::Exceeded);
}

#[test]
fn what_caches_can_keep_is_not_called_impossible() {
    let small = ModelHeader { tensor_bytes: 100_000_000, embedding_bytes: 10_000_000, ..large() };
    // All of it is in the cache: memory sets no limit.
    assert_eq!(limit(1e6, &small, Some(96_000_000)).standing, LimitStanding::Cached);
    // A third of it: the rest still comes from memory, which allows 650 tokens a second.
    assert_eq!(limit(600.0, &small, Some(30_000_000)).standing, LimitStanding::Cached);
    assert_eq!(limit(720.0, &small, Some(30_000_000)).standing, LimitStanding::Exceeded);
    // A device that does not name its caches may have large ones, though not larger than a large model.
    assert_eq!(limit(1e6, &small, None).standing, LimitStanding::Cached);
    assert_eq!(limit(15.0, &large(), None).standing, LimitStanding::Exceeded);
}

#[test]
fn a_window_that_is_shorter_than_the_depth_condemns_nothing() {
    let windowed = ModelHeader {
        n_layer: 1,
        n_head_kv: vec![8],
        head_dim_k: 128,
        head_dim_v: 128,
        sliding_window: Some(512),
        ..large()
    };
    // Keys and values of a million tokens are as much as the weights; those of a window are next to nothing.
    let of = |tps, header: &ModelHeader| {
        DecodeLimit::new(tps, 1_000_000, header, &EngineSettings::new(1, 1), gives(39e9), Some(0)).unwrap()
    };
    assert_eq!(of(9.9, &windowed).standing, LimitStanding::Cached);
    assert_eq!(of(9.9, &ModelHeader { sliding_window: None, ..windowed }).standing, LimitStanding::Exceeded);
}

fn reads(entry: &mut RunEntry) {
    entry.model.header.embedding_bytes = 30_000_000;
}

fn first_limit(bench: &Bench, bandwidth: Option<MeasuredBandwidth>) -> Option<MemoryLimit> {
    let options = CompareOptions { bandwidth, ..CompareOptions::default() };
    bench.result_with(&options).tasks[0].cells[0].limit
}

fn bench_of(task: Task, change: impl Fn(&mut RunEntry)) -> Bench {
    let mut entry = entry("Model", "Q4_1");
    reads(&mut entry);
    change(&mut entry);
    Bench::new(vec![entry], vec![task])
}

fn qa(change: impl Fn(&mut RunEntry)) -> Bench {
    let mut bench = bench_of(task("qa", Category::ShortQa, generate()), change);
    bench.answers(0, "qa", &[90.0, 100.0, 110.0], 50.0, 300);
    bench
}

#[test]
fn a_result_holds_every_decode_against_the_limit_at_its_mean_depth() {
    let Some(MemoryLimit::Known(limit)) = first_limit(&qa(|_| ()), Some(gives(20e9))) else { panic!("known") };
    // 40 tokens of prompt and half of 100; 30 layers × 3 heads × 64 × keys and values × 2 bytes a token before it.
    assert_eq!((limit.depth, limit.bytes_per_token), (90, 60_000_000 + 90 * 30 * 3 * 64 * 2 * 2));
    assert!((limit.tps - 100.0).abs() < 1e-6 && (limit.efficiency - limit.tps / limit.limit_tps).abs() < 1e-12);
    assert_eq!(limit.bandwidth, gives(20e9));
}

#[test]
fn synthetic_decode_has_a_limit_and_prefill_batches_and_loads_have_none() {
    let with = |work: Work, measured| {
        let mut bench = bench_of(task("t", Category::Synthetic, work), |_| ());
        bench.push(0, "t", measured, 300);
        first_limit(&bench, Some(gives(20e9)))
    };
    let tg = SyntheticRequest { n_prompt: 0, n_gen: 64, n_depth: 500 };
    let Some(MemoryLimit::Known(limit)) = with(Work::Synthetic(tg), synthetic_time(tg, 50.0)) else { panic!("known") };
    assert_eq!(limit.depth, 532);
    let pp = SyntheticRequest { n_prompt: 512, n_gen: 0, n_depth: 0 };
    assert_eq!(with(synthetic(512, 0), synthetic_time(pp, 500.0)), None);
    assert_eq!(with(batch(), crate::fixture::batch_generation(500.0)), None);
    assert_eq!(with(Work::Load { cold: true }, load(true, 90.0, 120.0)), None);
    let empty = bench_of(task("qa", Category::ShortQa, generate()), |_| ());
    assert_eq!(first_limit(&empty, Some(gives(20e9))), None, "nothing was decoded yet");
}

#[test]
fn a_limit_that_is_not_known_says_why() {
    let why = |bench: &Bench, bandwidth| match first_limit(bench, bandwidth) {
        Some(MemoryLimit::Unknown { reason }) => reason,
        other => panic!("{other:?}"),
    };
    assert_eq!(why(&qa(|_| ()), None), LimitUnknown::BandwidthNotMeasured);
    let here = Some(gives(20e9));
    let odd = qa(|entry| entry.model.header.architecture = "gemma3n".into());
    assert_eq!(why(&odd, here), LimitUnknown::ReadsNotKnown, "embeddings of each layer are not read");
    let old = qa(|entry| entry.model.header.embedding_bytes = 0);
    assert_eq!(why(&old, here), LimitUnknown::ReadsNotKnown, "stored before embeddings were told apart");
    let mut on_gpu = qa(|_| ());
    on_gpu.sessions[0].loaded.backend = "Vulkan+CPU".into();
    assert_eq!(why(&on_gpu, here), LimitUnknown::NotOnCpu);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_condemned_that_caches_or_a_smaller_depth_allow(
        tps in 1e-3..1e6, depth in 0_u32..2_000_000, tensors in 1_u64..1 << 40, bandwidth in 1e6..1e13,
        cache in proptest::option::of(0_u64..1 << 31), more in 0_u64..1 << 31, faster in 1.0..10.0,
        window in proptest::option::of(1_u32..100_000), heads in 0_u32..64,
    ) {
        let header = ModelHeader {
            tensor_bytes: tensors,
            n_layer: 1,
            n_head_kv: vec![heads],
            head_dim_k: 64,
            head_dim_v: 64,
            sliding_window: window,
            ..ModelHeader::default()
        };
        let settings = EngineSettings::new(2048, 1);
        let of = |tps, cache| DecodeLimit::new(tps, depth, &header, &settings, gives(bandwidth), cache).unwrap();
        let limit = of(tps, cache);
        prop_assert!(limit.efficiency.is_finite() && limit.limit_tps > 0.0);
        // The same bytes, read in the time that the rate leaves for a token, all from memory.
        let uncached = limit.bytes_per_token.saturating_sub(cache.unwrap_or(512_000_000)) as f64;
        match limit.standing {
            LimitStanding::Within => prop_assert!(limit.efficiency <= 1.1 * (1.0 + 1e-9)),
            LimitStanding::Cached => prop_assert!(limit.efficiency > 1.0),
            LimitStanding::Exceeded => {
                prop_assert!(tps * uncached > bandwidth);
                prop_assert_eq!(of(tps * faster, cache).standing, LimitStanding::Exceeded);
            }
        }
        if limit.standing == LimitStanding::Cached {
            let larger = cache.unwrap_or(512_000_000) + more;
            prop_assert_eq!(of(tps, Some(larger)).standing, LimitStanding::Cached);
        }
    }
}
