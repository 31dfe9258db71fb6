//! What can be said about figures that others published.

use pocketbench_domain::claims::{
    BandwidthCertainty, Claim, ClaimSet, ClaimSource, ClaimUnit, ClaimedBandwidth, ClaimedDevice, ClaimedMethod,
    ClaimedMetric, ClaimedModel, ClaimedSize, Finding, LimitVerdict, Standing, StatedComparison, StatedCriterion,
    StatedScorecard, StatedTotal, TokenRange, WeightReads, check, check_limit,
};
use pocketbench_domain::metric::Metric;
use proptest::prelude::*;

const GB: u64 = 1_000_000_000;

fn claim(metric: Metric, value: f64, unit: ClaimUnit, tokens: Option<(u32, Option<u32>)>) -> Claim {
    Claim {
        id: "claim".into(),
        model: "a".into(),
        metric: ClaimedMetric::Measured(metric),
        task: None,
        tokens: tokens.map(|(least, most)| TokenRange { least, most }),
        prompts: None,
        value,
        unit,
    }
}

fn size(model: &str, size: ClaimedSize, gigabytes: f64) -> Claim {
    Claim {
        id: format!("{model}-{size:?}"),
        model: model.into(),
        metric: ClaimedMetric::Size(size),
        unit: ClaimUnit::Gigabytes,
        ..claim(Metric::E2eMs, gigabytes, ClaimUnit::Gigabytes, None)
    }
}

/// An answer of this many tokens in this many milliseconds.
fn answer(ms: f64, least: u32, most: Option<u32>) -> Claim {
    claim(Metric::E2eMs, ms, ClaimUnit::Milliseconds, Some((least, most)))
}

fn set() -> ClaimSet {
    let model = |id: &str| ClaimedModel {
        id: id.into(),
        name: format!("Model {id}"),
        catalogue_id: None,
        n_params: 7 * GB,
        quantization: "INT4".into(),
        mixture_of_experts: false,
    };
    let time =
        |id: &str, model: &str, ms: f64| Claim { id: id.into(), model: model.into(), ..answer(ms, 10, Some(20)) };
    ClaimSet {
        schema: 1,
        id: "made-up".into(),
        title: "Made up".into(),
        source: ClaimSource {
            publication: "A test".into(),
            published: "2026".into(),
            kind: "published claim, not measured by this project".into(),
            notes: vec![],
        },
        device: ClaimedDevice {
            name: "Phone".into(),
            chip: "Chip".into(),
            ram_bytes: 8 * GB,
            os: "OS".into(),
            precision: "INT4".into(),
            bandwidth: Some(ClaimedBandwidth {
                bytes_per_s: 40e9,
                certainty: BandwidthCertainty::Measured,
                source: "A test".into(),
            }),
        },
        models: vec![model("a"), model("b")],
        method: ClaimedMethod { runs: Some(20), percentile: Some(95.0), notes: vec![] },
        claims: vec![
            time("a-time", "a", 3_000.0),
            time("b-time", "b", 4_000.0),
            size("a", ClaimedSize::FileBytes, 4.0),
            size("b", ClaimedSize::FileBytes, 8.0),
        ],
        comparisons: vec![StatedComparison {
            id: "latency".into(),
            says: "lower latency".into(),
            model: "a".into(),
            against: "b".into(),
            lower_by_percent: 25.0,
            decimals: 0,
            bases: vec![vec![ClaimedMetric::Measured(Metric::E2eMs)]],
        }],
        scorecard: Some(StatedScorecard {
            criteria: vec![
                StatedCriterion { name: "Speed".into(), weight_percent: 60.0 },
                StatedCriterion { name: "Memory".into(), weight_percent: 40.0 },
            ],
            totals: vec![StatedTotal { model: "a".into(), scores: vec![9.0, 8.0], total: 8.6, decimals: 1 }],
        }),
        statements: vec![],
    }
}

#[test]
fn an_honest_set_stands() {
    let set = set();
    set.validate().unwrap();
    let findings = set.check();
    // Ten tokens of 4 GB at 40 GB/s take one second; of 8 GB two.
    assert_eq!(findings.len(), 2 + 1 + 2 + 1);
    for finding in &findings {
        assert_eq!(finding.standing(), Standing::Holds, "{}", finding.sentence(&set));
    }
}

#[test]
fn a_set_survives_its_file() {
    let text = serde_json::to_string(&set()).unwrap();
    assert!(text.contains(r#""metric":"e2e_ms""#) && text.contains(r#""metric":"file_bytes""#), "{text}");
    assert_eq!(serde_json::from_str::<ClaimSet>(&text).unwrap(), set());
    assert!(serde_json::from_str::<ClaimSet>(&text.replacen("\"title\"", "\"titel\"", 1)).is_err());
    assert!(serde_json::from_str::<ClaimSet>(&text.replacen("e2e_ms", "warp_ms", 1)).is_err());
}

#[test]
fn the_shortest_stated_answer_decides() {
    let verdict = |claim: &Claim, reads| check_limit(claim, 40e9, reads).unwrap().verdict;
    let exact = WeightReads::exactly(4 * GB);
    // Ten tokens a second is the limit.
    assert_eq!(verdict(&answer(1_000.0, 10, Some(1_000)), exact), LimitVerdict::Possible);
    assert_eq!(verdict(&answer(999.0, 10, Some(10)), exact), LimitVerdict::Impossible);
    assert_eq!(verdict(&answer(1_000.0, 11, None), exact), LimitVerdict::Impossible);
    // Of a file, half may be a table that is looked up.
    assert_eq!(verdict(&answer(999.0, 10, None), WeightReads::of_file(4 * GB)), LimitVerdict::Doubtful);
    assert_eq!(verdict(&answer(499.0, 10, None), WeightReads::of_file(4 * GB)), LimitVerdict::Impossible);
    let open = Claim { tokens: None, ..answer(500.0, 1, None) };
    let check = check_limit(&open, 40e9, exact).unwrap();
    assert_eq!(check.verdict, LimitVerdict::LengthNotStated);
    assert!((check.tokens_in_time - 5.0).abs() < 1e-9);
    assert_eq!((check.needed_least, check.times_limit, check.fastest_seconds), (None, None, None));
}

#[test]
fn each_figure_has_its_own_demand() {
    let exact = WeightReads::exactly(4 * GB);
    let needed = |claim: &Claim| check_limit(claim, 40e9, exact).map(|check| check.needed_least.unwrap() / 1e9);
    let near = |claim: &Claim, gigabytes: f64| {
        let needed = needed(claim).unwrap();
        assert!((needed - gigabytes).abs() < 1e-9, "{:?}: {needed}", claim.metric);
    };
    let rate = |metric, value| claim(metric, value, ClaimUnit::TokensPerSecond, None);
    let time = |metric, value| claim(metric, value, ClaimUnit::Milliseconds, Some((10, Some(10))));
    near(&rate(Metric::DecodeTps, 20.0), 80.0);
    near(&rate(Metric::InTurnTps, 20.0), 80.0);
    near(&time(Metric::TtftMs, 100.0), 40.0);
    near(&time(Metric::ItlMs, 50.0), 80.0);
    near(&claim(Metric::FirstTokenMs, 2.0, ClaimUnit::Seconds, None), 2.0);
    near(&time(Metric::BatchMs, 500.0), 80.0);
    near(&Claim { prompts: Some(10), ..time(Metric::BatchMs, 500.0) }, 80.0);
    near(&Claim { prompts: Some(10), ..time(Metric::InTurnMs, 500.0) }, 800.0);
    near(&Claim { prompts: Some(10), ..rate(Metric::BatchTps, 100.0) }, 40.0);
    for silent in [
        rate(Metric::BatchTps, 1e9),
        rate(Metric::PrefillTps, 1e9),
        rate(Metric::SyntheticTps, 1e9),
        time(Metric::LoadMs, 1e-9),
        claim(Metric::PeakRssBytes, 1.0, ClaimUnit::Bytes, None),
        size("a", ClaimedSize::FileBytes, 1.0),
    ] {
        assert_eq!(needed(&silent), None, "{:?}", silent.metric);
    }
}

#[test]
fn more_memory_than_there_is_cannot_be_resident() {
    let standing = |gigabytes: f64| {
        let findings = check(&claim(Metric::PeakRssBytes, gigabytes, ClaimUnit::Gigabytes, None), &set().device, None);
        findings.iter().map(Finding::standing).collect::<Vec<_>>()
    };
    assert_eq!(standing(8.0), [Standing::Holds]);
    assert_eq!(standing(8.1), [Standing::Fails]);
    assert_eq!(standing(f64::NAN), []);
}

#[test]
fn what_is_not_known_condemns_nobody() {
    let mut mixture = set();
    mixture.models[0].mixture_of_experts = true;
    assert_eq!(mixture.reads("a"), None);
    assert_eq!(mixture.reads("b"), Some(WeightReads { bytes: 8 * GB, at_least: 4 * GB }));
    assert_eq!(mixture.reads("nobody"), None);
    let mut dark = set();
    dark.device.bandwidth = None;
    assert!(!dark.check().iter().any(|finding| matches!(finding, Finding::Limit { .. })));
    dark.method.percentile = None;
    dark.scorecard = None;
    dark.comparisons.clear();
    assert_eq!(dark.check(), []);
}

#[test]
fn statements_that_do_not_follow_are_found() {
    let mut wrong = set();
    wrong.comparisons[0].lower_by_percent = 31.0;
    let card = wrong.scorecard.as_mut().unwrap();
    card.criteria[0].weight_percent = 70.0;
    card.totals[0].total = 9.9;
    wrong.method.runs = Some(19);
    wrong.validate().unwrap();
    let fails: Vec<_> = wrong.check().into_iter().filter(|f| f.standing() == Standing::Fails).collect();
    assert!(matches!(
        &fails[..],
        [Finding::Comparison { .. }, Finding::Weights { .. }, Finding::Total { .. }, Finding::Percentile { .. }]
    ));
}

#[test]
fn rounding_is_forgiven_and_no_more() {
    let mut set = set();
    let standing = |set: &ClaimSet| {
        set.check().iter().find(|f| matches!(f, Finding::Comparison { .. })).map(Finding::standing).unwrap()
    };
    for (stated, decimals, expected) in [
        (25.5, 0, Standing::Holds),
        (24.5, 0, Standing::Holds),
        (25.6, 0, Standing::Fails),
        (25.1, 1, Standing::Fails),
        (25.0, 1, Standing::Holds),
    ] {
        (set.comparisons[0].lower_by_percent, set.comparisons[0].decimals) = (stated, decimals);
        assert_eq!(standing(&set), expected, "{stated}");
    }
}

/// A change of a set that must be refused, and a word of the reason.
type Spoiled = (&'static str, fn(&mut ClaimSet));

#[test]
fn sets_that_make_no_sense_are_refused() {
    let spoiled: [Spoiled; 20] = [
        ("schema", |s| s.schema = 2),
        ("title", |s| s.title.clear()),
        ("kind", |s| s.source.kind.clear()),
        ("bandwidth", |s| s.device.bandwidth.as_mut().unwrap().bytes_per_s = 0.0),
        ("bandwidth", |s| s.device.bandwidth.as_mut().unwrap().bytes_per_s = f64::NAN),
        ("twice", |s| s.models[1].id = "a".into()),
        ("twice", |s| s.claims[1].id = "a-time".into()),
        ("no model", |s| s.claims[0].model = "c".into()),
        ("no model", |s| s.scorecard.as_mut().unwrap().totals[0].model = "c".into()),
        ("number", |s| s.claims[0].value = f64::NAN),
        ("number", |s| s.claims[0].value = f64::INFINITY),
        ("number", |s| s.claims[0].value = 0.0),
        ("number", |s| s.claims[0].value = -1.0),
        ("number", |s| s.claims[0].tokens = Some(TokenRange { least: 0, most: None })),
        ("number", |s| s.claims[0].tokens = Some(TokenRange { least: 9, most: Some(8) })),
        ("unit", |s| s.claims[0].unit = ClaimUnit::Gigabytes),
        ("number", |s| s.comparisons[0].lower_by_percent = f64::NAN),
        ("no figures", |s| s.comparisons[0].bases = vec![vec![ClaimedMetric::Size(ClaimedSize::KvBytes)]]),
        ("scorecard", |s| s.scorecard.as_mut().unwrap().totals[0].scores.push(1.0)),
        ("scorecard", |s| s.scorecard.as_mut().unwrap().criteria[0].weight_percent = f64::NAN),
    ];
    for (word, spoil) in spoiled {
        let mut set = set();
        spoil(&mut set);
        let error = set.validate().expect_err(word).to_string();
        assert!(error.contains(word) && error.contains("made-up"), "{error}");
        // Even so, nothing panics.
        for finding in set.check() {
            assert!(!finding.sentence(&set).is_empty());
        }
    }
}

#[test]
fn a_time_so_long_that_its_tokens_are_beyond_numbers_has_no_check() {
    let slowest = claim(Metric::InTurnTps, f64::MIN_POSITIVE, ClaimUnit::TokensPerSecond, None);
    assert_eq!(check_limit(&slowest, 8e102, WeightReads::exactly(1)), None);
}

fn any_number() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>(),
        Just(0.0),
        Just(-0.0),
        Just(f64::NAN),
        Just(f64::INFINITY),
        Just(f64::MIN_POSITIVE),
        1e-3..1e12
    ]
}

fn any_metric() -> impl Strategy<Value = Metric> {
    prop::sample::select(Metric::ALL.to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_figure_below_the_limit_is_never_condemned(
        tokens in 1_u32..10_000, more in 0_u32..10_000, bytes in 1_u64..1_000 * GB, bandwidth in 1e6..1e13,
        slower in 1.000_001_f64..1e3, file in any::<bool>(),
    ) {
        // What the memory allows, and a little slower than that.
        let ms = f64::from(tokens) * bytes as f64 / bandwidth * 1e3 * slower;
        let reads = if file { WeightReads::of_file(bytes) } else { WeightReads::exactly(bytes) };
        let check = check_limit(&answer(ms, tokens, Some(tokens + more)), bandwidth, reads).unwrap();
        prop_assert_eq!(check.verdict, LimitVerdict::Possible);
        prop_assert!(check.times_limit.unwrap() <= 1.0);
        prop_assert!(check.fastest_seconds.unwrap() <= check.seconds);
        let tps = claim(Metric::DecodeTps, f64::from(tokens) * 1e3 / ms, ClaimUnit::TokensPerSecond, None);
        prop_assert_eq!(check_limit(&tps, bandwidth, reads).unwrap().verdict, LimitVerdict::Possible);
    }

    #[test]
    fn a_figure_beyond_the_limit_is_always_condemned(
        tokens in 1_u32..10_000, bytes in 1_u64..1_000 * GB, bandwidth in 1e6..1e13, faster in 1.000_001_f64..1e3,
    ) {
        let ms = f64::from(tokens) * bytes as f64 / bandwidth * 1e3 / faster;
        let check = check_limit(&answer(ms, tokens, None), bandwidth, WeightReads::exactly(bytes)).unwrap();
        prop_assert_eq!(check.verdict, LimitVerdict::Impossible);
        prop_assert!((check.times_limit.unwrap() / faster - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_machine_twice_as_fast_needs_half_the_time(
        ms in 1.0..1e6, tokens in 1_u32..10_000, bytes in 1_u64..1_000 * GB, bandwidth in 1e6..1e13,
        exponent in -8_i32..8,
    ) {
        // A power of two changes no digit, so that the verdicts are equal even at the edge.
        let scale = 2_f64.powi(exponent);
        let reads = WeightReads::of_file(bytes);
        let one = check_limit(&answer(ms, tokens, None), bandwidth, reads).unwrap();
        let other = check_limit(&answer(ms / scale, tokens, None), bandwidth * scale, reads).unwrap();
        prop_assert_eq!(one.verdict, other.verdict);
        let equal = |a: Option<f64>, b: Option<f64>| (a.unwrap() / b.unwrap() - 1.0).abs() < 1e-9;
        prop_assert!(equal(other.needed_least, one.needed_least.map(|needed| needed * scale)));
        prop_assert!(equal(other.times_limit, one.times_limit));
        prop_assert!(equal(other.fastest_seconds, one.fastest_seconds.map(|s| s / scale)));
    }

    #[test]
    fn whatever_comes_no_number_is_nonsense(
        metric in any_metric(), value in any_number(), bandwidth in any_number(), bytes in any::<u64>(),
        tokens in prop::option::of((any::<u32>(), prop::option::of(any::<u32>()))),
        prompts in prop::option::of(any::<u32>()),
    ) {
        let unit = match metric.unit() {
            "ms" => ClaimUnit::Milliseconds,
            "tok/s" => ClaimUnit::TokensPerSecond,
            _ => ClaimUnit::Bytes,
        };
        let claim = Claim { prompts, ..claim(metric, value, unit, tokens) };
        let mut device = set().device;
        device.bandwidth.as_mut().unwrap().bytes_per_s = bandwidth;
        for finding in check(&claim, &device, Some(WeightReads::of_file(bytes))) {
            prop_assert!(!finding.sentence(&set()).contains("NaN"));
            if let Finding::Limit { check, .. } = finding {
                prop_assert!(value > 0.0 && bandwidth > 0.0 && bytes > 0);
                let figures = [Some(check.seconds), Some(check.limit_tps), Some(check.tokens_in_time),
                    check.needed_least,
                    check.needed_most, check.times_limit, check.fastest_seconds];
                prop_assert!(figures.iter().flatten().all(|x| x.is_finite() && *x >= 0.0), "{:?}", check);
            }
        }
    }
}
