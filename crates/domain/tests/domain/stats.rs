//! Statistics against reference values and against their own laws.
//!
//! The references were made once with `NumPy` 2.4.6, `SciPy` 1.17.1 and statsmodels 0.15.0, by the lines above each.

#![expect(clippy::float_cmp, reason = "what must be equal to the last bit is compared so")]

use pocketbench_domain::stats::{self, Bootstrap, Interval, Summary};
use proptest::prelude::*;

const FIVE: [f64; 5] = [98.2, 101.7, 99.4, 103.9, 100.1];
const EIGHT: [f64; 8] = [5.0, 7.0, 7.0, 8.0, 9.0, 11.0, 13.0, 40.0];
const TEN: [f64; 10] = [12.1, 11.8, 12.6, 13.0, 11.9, 12.2, 12.4, 11.7, 12.9, 12.3];

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-12 * a.abs().max(b.abs())
}

#[track_caller]
fn assert_close(a: f64, b: f64) {
    assert!(close(a, b), "{a} is not {b}");
}

#[track_caller]
fn assert_interval(interval: Interval, low: f64, high: f64, tolerance: f64) {
    assert!((interval.low / low - 1.0).abs() <= tolerance, "low {} is not {low}", interval.low);
    assert!((interval.high / high - 1.0).abs() <= tolerance, "high {} is not {high}", interval.high);
}

#[test]
fn centre_and_spread_agree_with_numpy() {
    // [(np.median(x), np.mean(x), np.std(x, ddof=1), scipy.stats.variation(x, ddof=1)) for x in (FIVE, EIGHT, TEN)]
    let reference = [
        (&FIVE[..], 100.1, 100.660_000_000_000_01, 2.209_751_117_207_548, 0.021_952_623_854_634_888),
        (&EIGHT, 8.5, 12.5, 11.389_217_958_854_143, 0.911_137_436_708_331_5),
        (&TEN, 12.25, 12.290_000_000_000_001, 0.443_345_864_484_552_93, 0.036_073_707_443_820_414),
    ];
    for (values, median, mean, sd, cv) in reference {
        assert_close(stats::median(values).unwrap(), median);
        assert_close(stats::mean(values).unwrap(), mean);
        assert_close(stats::sd(values).unwrap(), sd);
        assert_close(stats::cv(values).unwrap(), cv);
    }
}

#[test]
fn quantiles_agree_with_numpy() {
    // [np.quantile(x, q) for q in (.025, .1, .25, .75, .9, .975)]
    let qs = [0.025, 0.1, 0.25, 0.75, 0.9, 0.975];
    let reference = [
        (&FIVE[..], [98.32, 98.68, 99.4, 101.7, 103.02, 103.68]),
        (&EIGHT, [5.35, 6.4, 7.0, 11.5, 21.1, 35.275]),
        (&TEN, [11.7225, 11.79, 11.95, 12.55, 12.91, 12.9775]),
    ];
    for (values, expected) in reference {
        for (q, expected) in qs.into_iter().zip(expected) {
            assert_close(stats::quantile(values, q).unwrap(), expected);
        }
    }
    assert_eq!(stats::quantile(&FIVE, 0.0), Some(98.2));
    assert_eq!(stats::quantile(&FIVE, 1.0), Some(103.9));
    assert_eq!(stats::quantile(&FIVE, 1.1), None);
    assert_eq!(stats::quantile(&FIVE, f64::NAN), None);
}

#[test]
fn percentiles_appear_only_with_enough_values() {
    let series = |n: u32, f: fn(f64) -> f64| -> Vec<f64> { (1..=n).map(|k| f(f64::from(k))).collect() };
    assert_eq!(Summary::of(&series(19, f64::sqrt)).unwrap().p90, None);
    // x = np.arange(1, 31)**1.5; np.quantile(x, [.9, .95])
    let thirty = Summary::of(&series(30, |x| x.powf(1.5))).unwrap();
    assert_close(thirty.p90.unwrap(), 141.082_711_213_732_86);
    assert_close(thirty.p95.unwrap(), 152.566_311_712_623);
    assert_eq!(thirty.p99, None);
    assert_eq!(Summary::of(&series(999, f64::sqrt)).unwrap().p99, None);
    // np.quantile(np.sqrt(np.arange(1, 1001)), .99)
    assert_close(Summary::of(&series(1000, f64::sqrt)).unwrap().p99.unwrap(), 31.464_424_315_427_447);
}

#[test]
fn median_intervals_agree_with_scipy() {
    // scipy.stats.bootstrap((x,), np.median, n_resamples=1_000_000, method='percentile', rng=1, batch=100000)
    let reference = [
        (&FIVE[..2], 98.2, 101.7),
        (&FIVE[..3], 98.2, 101.7),
        (&TEN[..4], 11.8, 13.0),
        (&FIVE, 98.2, 103.9),
        (&TEN[..7], 11.9, 12.6),
        (&EIGHT, 7.0, 13.0),
    ];
    for (values, low, high) in reference {
        let summary = Summary::of(values).unwrap();
        // The ends are single order statistics or means of two, so they agree to the last digit or not at all.
        assert_interval(summary.interval.unwrap(), low, high, 1e-12);
    }
    // Here 2.66 % of the resamples lie above 12.60 and 1.94 % above 12.65: with 10,000 of them it may be either.
    assert_interval(Summary::of(&TEN).unwrap().interval.unwrap(), 11.9, 12.65, 0.051 / 12.65);
}

#[test]
fn ratio_intervals_agree_with_scipy() {
    // The same with two samples and the statistic np.median(b, axis=-1) / np.median(a, axis=-1).
    let b = [148.0, 151.2, 149.9, 155.0, 150.4];
    let c = [10.1, 9.8, 10.6, 11.0, 10.9, 10.2, 10.4, 9.7];
    let mut bootstrap = Bootstrap::new();
    let ratio = bootstrap.median_ratio(&FIVE, &b).unwrap();
    assert_close(ratio.value, 1.502_497_502_497_502_7);
    // Monte Carlo error of 10,000 resamples against a million: ratios lie close together but not on a grid.
    assert_interval(ratio.interval, 1.447_545_717, 1.548_451_548, 2e-3);
    let ratio = bootstrap.median_ratio(&TEN, &c).unwrap();
    assert_close(ratio.value, 0.840_816_326_530_612_3);
    assert_interval(ratio.interval, 0.798_449_612, 0.889_830_508, 2e-3);

    // np.exp((np.log(median(c*) / median(TEN*)) + np.log(median(e*) / median(FIVE*))) / 2), a million resamples of each
    let e = [148.0, 151.2, 149.9, 155.0];
    let geometric = bootstrap.geometric_mean_ratio(&[(&TEN, &c), (&FIVE, &e)]).unwrap();
    assert_close(geometric.value, 1.124_537_413_871_428_6);
    assert_interval(geometric.interval, 1.089_800_35, 1.161_238_61, 2e-3);
}

#[test]
fn paired_ratio_intervals_agree_with_scipy() {
    // scipy.stats.bootstrap((a, b), lambda a, b, axis: np.median(np.log(b / a), axis=axis), paired=True,
    // vectorized=True, method='percentile'), exponentiated
    let b = [148.0, 151.2, 149.9, 155.0, 150.4];
    let d = [10.1, 9.8, 10.6, 11.0, 10.9, 10.2, 10.4, 9.7, 10.7, 10.3];
    let mut bootstrap = Bootstrap::new();
    let ratio = bootstrap.paired_ratio(&FIVE, &b).unwrap();
    assert_close(ratio.value, 1.502_497_502_497_502_7);
    assert_interval(ratio.interval, 1.486_725_66, 1.508_048_29, 1e-6);
    let ratio = bootstrap.paired_ratio(&TEN, &d).unwrap();
    assert_close(ratio.value, 0.836_731_708_505_894);
    assert_interval(ratio.interval, 0.830_508_47, 0.842_423_54, 1e-3);
    // Each task resampled on its own; the pairs of a task stay together.
    let geometric = bootstrap.geometric_mean_ratio(&[(&FIVE, &b), (&TEN, &d)]).unwrap();
    assert_close(geometric.value, 1.121_243_640_914_219);
    assert_interval(geometric.interval, 1.114_142_12, 1.125_908_36, 1e-3);
    // Series of different lengths are no pairs, and four pairs are too few.
    assert_eq!(bootstrap.paired_ratio(&TEN, &FIVE), bootstrap.median_ratio(&TEN, &FIVE));
    assert_eq!(bootstrap.paired_ratio(&FIVE[..4], &b[..4]), bootstrap.median_ratio(&FIVE[..4], &b[..4]));
    assert_eq!(bootstrap.paired_ratio(&[1.0], &[2.0]), None);
    assert_eq!(bootstrap.paired_ratio(&FIVE, &[2.0, 2.0, 0.0, 2.0, 2.0]), None);
}

#[test]
fn what_slows_both_of_a_pair_falls_out() {
    // The machine slows down to half its speed, and B is 5 % faster than A all along.
    let a: Vec<f64> = (0..10).map(|i| 100.0 - 5.0 * f64::from(i) + f64::from(i % 3)).collect();
    let b: Vec<f64> = a.iter().enumerate().map(|(i, rate)| rate * if i % 2 == 0 { 1.045 } else { 1.055 }).collect();
    let mut bootstrap = Bootstrap::new();
    let apart = bootstrap.median_ratio(&a, &b).unwrap();
    assert!(apart.interval.contains(1.0), "{apart:?}");
    let paired = bootstrap.paired_ratio(&a, &b).unwrap();
    assert!(paired.interval.low > 1.04 && paired.interval.high < 1.06, "{paired:?}");
}

#[test]
fn proportions_agree_with_statsmodels() {
    // statsmodels.stats.proportion.proportion_confint(k, n, method='wilson')
    let reference = [
        (0, 10, 0.0, 0.277_532_799_862_889_26),
        (7, 10, 0.396_778_147_461_145_37, 0.892_208_732_593_699),
        (10, 10, 0.722_467_200_137_110_6, 1.0),
        (123, 300, 0.355_823_949_799_350_06, 0.466_451_785_021_068_1),
        (1, 1, 0.206_549_314_377_237_4, 1.0),
        (50, 100, 0.403_831_530_365_995_6, 0.596_168_469_634_004_4),
        (1, 1_000, 0.000_176_546_370_626_077_65, 0.005_642_558_597_957_937),
        (999, 1_000, 0.994_357_441_402_042_1, 0.999_823_453_629_373_9),
        (8_650, 10_000, 0.858_162_001_062_835_1, 0.871_557_680_126_570_9),
    ];
    for (k, n, low, high) in reference {
        let interval = stats::wilson(k, n).unwrap();
        assert_close(interval.low, low);
        assert_close(interval.high, high);
    }
    assert_eq!(stats::wilson(0, 0), None);
    assert_eq!(stats::wilson(2, 1), None);
}

#[test]
fn mcnemar_agrees_with_statsmodels_and_scipy() {
    // statsmodels.stats.contingency_tables.mcnemar([[10, b], [c, 10]], exact=True).pvalue; the last four from
    // scipy.stats.binomtest(b, b + c).pvalue
    let reference = [
        (1, 9, 0.021_484_375),
        (5, 5, 1.0),
        (12, 3, 0.035_156_25),
        (40, 70, 0.005_447_429_511_444_476),
        (1000, 1200, 2.181_702_640_791_419_4e-5),
        (0, 6, 0.031_25),
        (2, 11, 0.022_460_937_5),
        (30, 31, 1.0),
        (3, 300, 5.690_385_508_486_79e-85),
    ];
    for (b, c, p) in reference {
        // The reference itself loses digits in the tail of a large binomial.
        assert!((stats::mcnemar_exact(b, c) / p - 1.0).abs() < 1e-9, "{b} {c} {}", stats::mcnemar_exact(b, c));
        assert_close(stats::mcnemar_exact(c, b), stats::mcnemar_exact(b, c));
    }
    assert_close(stats::mcnemar_exact(0, 0), 1.0);
    assert!(stats::mcnemar_exact(0, 5_000) >= 0.0);
}

#[test]
fn tukeys_fences_flag_and_keep() {
    let summary = Summary::of(&EIGHT).unwrap();
    // q1, q3 = np.percentile(x, [25, 75]); np.nonzero((x < q1 - 1.5 * (q3 - q1)) | (x > q3 + 1.5 * (q3 - q1)))
    // Here the quartiles are 7 and 11.5, the fences 0.25 and 18.25.
    assert_eq!(summary.outliers, [7]);
    assert_eq!((summary.n, summary.max), (8, 40.0));
    assert_eq!(stats::outliers(&[40.0, 5.0, 7.0, 7.0, 8.0, 9.0, 11.0, 13.0]), [0], "places are those given");
    assert_eq!(stats::outliers(&[3.0, 97.0, 101.0, 99.0, 100.0, 98.0, 190.0]), [0, 6], "on both sides");
    assert!(stats::outliers(&FIVE).is_empty() && stats::outliers(&TEN).is_empty());
    // Fences −1 and 7: what lies on one is inside.
    assert!(stats::outliers(&[-1.0, 2.0, 3.0, 4.0, 7.0]).is_empty());
    assert_eq!(stats::outliers(&[-1.01, 2.0, 3.0, 4.0, 7.01]), [0, 4]);
}

#[test]
fn nothing_that_is_not_a_number_gets_in() {
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, -1e151] {
        let values = [1.0, bad, 2.0];
        assert_eq!(Summary::of(&values), None);
        assert_eq!(stats::median(&values), None);
        assert_eq!(stats::mean(&values), None);
        assert_eq!(stats::sd(&values), None);
        assert_eq!(stats::cv(&values), None);
        assert_eq!(stats::quantile(&values, 0.5), None);
        assert!(stats::outliers(&values).is_empty());
        assert_eq!(Bootstrap::new().median_interval(&values), None);
        assert_eq!(Bootstrap::new().median_ratio(&[1.0, 2.0], &values), None);
        assert_eq!(Bootstrap::new().geometric_mean_ratio(&[(&[1.0, 2.0], &values), (&FIVE, &TEN)]), None);
    }
    assert_eq!(Summary::of(&[]), None);
    assert_eq!(Bootstrap::new().geometric_mean_ratio(&[]), None);
}

#[test]
fn one_value_has_no_spread_and_no_interval() {
    let one = Summary::of(&[3.0]).unwrap();
    assert_eq!((one.median, one.mean, one.min, one.max), (3.0, 3.0, 3.0, 3.0));
    assert_eq!((one.sd, one.cv, one.interval), (None, None, None));
    assert_eq!(Bootstrap::new().median_ratio(&[3.0], &[1.0, 2.0]), None);
}

#[test]
fn ratios_need_positive_values() {
    let mut bootstrap = Bootstrap::new();
    assert_eq!(bootstrap.median_ratio(&[0.0, 1.0, 2.0], &FIVE), None);
    assert_eq!(bootstrap.median_ratio(&FIVE, &[-1.0, 1.0, 2.0]), None);
    assert_eq!(Summary::of(&[-1.0, 1.0]).unwrap().cv, None, "mean of zero");
}

#[test]
fn intervals_do_not_depend_on_what_was_computed_before() {
    let mut used = Bootstrap::new();
    let _ = used.geometric_mean_ratio(&[(&TEN, &EIGHT), (&EIGHT, &FIVE)]);
    assert_eq!(used.median_ratio(&FIVE, &TEN), Bootstrap::new().median_ratio(&FIVE, &TEN));
    assert_eq!(used.summary(&EIGHT), Summary::of(&EIGHT));
}

fn values() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(0.001..1e6f64, 2..12)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn order_does_not_matter(values in values(), seed in any::<prop::sample::Index>()) {
        let mut turned = values.clone();
        turned.rotate_left(seed.index(values.len()));
        turned.reverse();
        let (a, b) = (Summary::of(&values).unwrap(), Summary::of(&turned).unwrap());
        prop_assert_eq!((a.median, a.min, a.max, a.interval), (b.median, b.min, b.max, b.interval));
        prop_assert!(close(a.mean, b.mean) && a.outliers.len() == b.outliers.len());
        let ratio = Bootstrap::new().median_ratio(&values, &[1.0, 2.0, 3.0]);
        prop_assert_eq!(Bootstrap::new().median_ratio(&turned, &[1.0, 2.0, 3.0]), ratio);
    }

    #[test]
    fn everything_scales(values in values(), power in -8i32..8) {
        // By powers of two, so that not even rounding differs.
        let k = 2f64.powi(power);
        let scaled: Vec<f64> = values.iter().map(|value| value * k).collect();
        let (a, b) = (Summary::of(&values).unwrap(), Summary::of(&scaled).unwrap());
        prop_assert_eq!(a.median * k, b.median);
        prop_assert_eq!(a.mean * k, b.mean);
        prop_assert_eq!(a.sd.map(|sd| sd * k), b.sd);
        prop_assert_eq!(a.cv, b.cv);
        let (i, j) = (a.interval.unwrap(), b.interval.unwrap());
        prop_assert_eq!((i.low * k, i.high * k), (j.low, j.high));
        prop_assert_eq!(a.outliers, b.outliers);
        let ratio = Bootstrap::new().median_ratio(&values, &scaled).unwrap();
        prop_assert_eq!(ratio.value, k);
        prop_assert!(ratio.interval.contains(k));
    }

    #[test]
    fn intervals_hold_their_median_and_stay_among_the_values(values in values()) {
        let summary = Summary::of(&values).unwrap();
        let interval = summary.interval.unwrap();
        prop_assert!(interval.contains(summary.median));
        prop_assert!(summary.min <= interval.low && interval.high <= summary.max);
        prop_assert!(summary.min <= summary.mean * (1.0 + 1e-12) && summary.mean <= summary.max * (1.0 + 1e-12));
    }

    #[test]
    fn ratios_turn_round(a in values(), b in values()) {
        let mut bootstrap = Bootstrap::new();
        let (ab, ba) = (bootstrap.median_ratio(&a, &b).unwrap(), bootstrap.median_ratio(&b, &a).unwrap());
        prop_assert!(close(ab.value, ba.inverse().value));
        prop_assert!(ab.interval.contains(ab.value));
        let n = a.len().min(b.len());
        let (ab, ba) = (bootstrap.paired_ratio(&a[..n], &b[..n]).unwrap(), bootstrap.paired_ratio(&b[..n], &a[..n]).unwrap());
        prop_assert!(close(ab.value, ba.inverse().value) && ab.interval.contains(ab.value));
        let pairs: [(&[f64], &[f64]); 2] = [(&a, &b), (&b, &a)];
        let both = bootstrap.geometric_mean_ratio(&pairs).unwrap();
        prop_assert!(close(both.value, 1.0) && both.interval.low <= 1.0 + 1e-12 && both.interval.high >= 1.0 - 1e-12);
    }

    #[test]
    fn pairs_stay_together(
        pairs in prop::collection::vec((0.001..1e6f64, 0.001..1e6f64), stats::MIN_PAIRS..12),
        power in -8i32..8,
        slowed in 0.1..10.0f64,
    ) {
        let (a, b): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
        let ratio = Bootstrap::new().paired_ratio(&a, &b).unwrap();
        // In any order of the pairs.
        let (c, d): (Vec<f64>, Vec<f64>) = pairs.iter().rev().copied().unzip();
        prop_assert_eq!(Bootstrap::new().paired_ratio(&c, &d), Some(ratio));
        // What happens to both of a pair alike does not matter.
        let slow = |values: &[f64]| -> Vec<f64> { (0..).zip(values).map(|(i, v)| v * slowed.powi(i % 3)).collect() };
        let same = Bootstrap::new().paired_ratio(&slow(&a), &slow(&b)).unwrap();
        let near = |x: f64, y: f64| (x / y - 1.0).abs() < 1e-9;
        prop_assert!(near(same.value, ratio.value) && near(same.interval.low, ratio.interval.low));
        // It lies among the ratios of the pairs, and scales with them.
        let ratios = || pairs.iter().map(|(a, b)| b / a);
        let (least, most) = (ratios().fold(f64::INFINITY, f64::min), ratios().fold(0.0, f64::max));
        prop_assert!(least <= ratio.interval.low * (1.0 + 1e-9) && ratio.interval.high <= most * (1.0 + 1e-9));
        let scaled: Vec<f64> = b.iter().map(|value| value * 2f64.powi(power)).collect();
        let times = Bootstrap::new().paired_ratio(&a, &scaled).unwrap();
        prop_assert!(near(times.value, ratio.value * 2f64.powi(power)));
        prop_assert!(near(times.interval.high, ratio.interval.high * 2f64.powi(power)));
    }

    #[test]
    fn quantiles_rise_and_fences_are_those_of_their_definition(values in values(), p in 0.0..=1.0f64, q in 0.0..=1.0f64) {
        let (low, high) = (p.min(q), p.max(q));
        let quantile = |q| stats::quantile(&values, q).unwrap();
        prop_assert!(quantile(low) <= quantile(high));
        prop_assert!(quantile(0.0) <= quantile(low) && quantile(high) <= quantile(1.0));
        prop_assert_eq!(quantile(0.5), stats::median(&values).unwrap());
        let (q1, q3) = (quantile(0.25), quantile(0.75));
        let flagged = stats::outliers(&values);
        for (place, value) in (0u32..).zip(&values) {
            let beyond = *value < q1 - 1.5 * (q3 - q1) || *value > q3 + 1.5 * (q3 - q1);
            prop_assert_eq!(flagged.contains(&place), beyond);
        }
        prop_assert!(stats::sd(&values).unwrap() >= 0.0 && stats::cv(&values).unwrap() >= 0.0);
    }

    #[test]
    fn mcnemar_is_the_tail_of_a_binomial(few in 0u64..30, more in 0u64..30) {
        // Summed up term by term, which is exact enough for so few.
        let n = few + more;
        let mut term = 0.5f64.powi(i32::try_from(n).unwrap());
        let mut tail = 0.0;
        for k in 0..=few.min(more) {
            tail += term;
            term *= (n - k) as f64 / (k + 1) as f64;
        }
        let p = stats::mcnemar_exact(few, more);
        prop_assert!((p / (2.0 * tail).min(1.0) - 1.0).abs() < 1e-9, "{}", p);
        prop_assert_eq!(p, stats::mcnemar_exact(more, few));
    }

    #[test]
    fn figures_are_always_finite(values in prop::collection::vec(any::<f64>(), 0..6)) {
        if let Some(s) = Summary::of(&values) {
            let interval = s.interval.unwrap_or(Interval { low: s.median, high: s.median });
            let figures = [s.median, s.mean, s.min, s.max, interval.low, interval.high, s.sd.unwrap_or(0.0), s.cv.unwrap_or(0.0)];
            prop_assert!(figures.iter().all(|figure| figure.is_finite()), "{:?}", s);
        } else {
            prop_assert!(values.is_empty() || values.iter().any(|v| !v.is_finite() || v.abs() > stats::MAX_MAGNITUDE));
        }
        if let Some(ratio) = Bootstrap::new().median_ratio(&values, &[1e-100, 1e100]) {
            prop_assert!(ratio.value.is_finite() && ratio.interval.low > 0.0 && ratio.interval.high.is_finite());
        }
    }

    #[test]
    fn proportions_lie_in_their_interval(trials in 1u64..100_000, share in 0.0..=1.0f64) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of the trials")]
        let successes = ((trials as f64 * share) as u64).min(trials);
        let interval = stats::wilson(successes, trials).unwrap();
        prop_assert!(interval.contains(successes as f64 / trials as f64));
        prop_assert!(interval.low >= 0.0 && interval.high <= 1.0);
        let failures = stats::wilson(trials - successes, trials).unwrap();
        prop_assert!((interval.low + failures.high - 1.0).abs() < 1e-12, "failures are what successes are not");
        let p = stats::mcnemar_exact(successes, trials - successes);
        prop_assert!((0.0..=1.0).contains(&p));
    }
}

#[test]
fn several_statements_together_need_wider_intervals_each() {
    let noisy: Vec<f64> = (0..30).map(|n| 10.0 + f64::from(n * 7 % 30) / 10.0).collect();
    let mut bootstrap = Bootstrap::new();
    let alone = bootstrap.median_interval(&noisy).unwrap();
    let three = bootstrap.together(3, |bootstrap| bootstrap.median_interval(&noisy)).unwrap();
    assert!(three.low < alone.low && alone.high < three.high, "{three:?} {alone:?}");
    assert_eq!(bootstrap.together(1, |bootstrap| bootstrap.median_interval(&noisy)), Some(alone));
    assert_eq!(bootstrap.median_interval(&noisy), Some(alone), "afterwards as before");
}
