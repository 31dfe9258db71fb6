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
    let seven = &TEN[..7];
    for (values, low, high) in [(&FIVE[..], 98.2, 103.9), (seven, 11.9, 12.6), (&EIGHT, 7.0, 13.0)] {
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

    // np.exp((np.log(median(c*)/median(TEN*)) + np.log(median(b*)/median(FIVE*))) / 2), a million resamples of each
    let geometric = bootstrap.geometric_mean_ratio(&[(&TEN, &c), (&FIVE, &b)]).unwrap();
    assert_close(geometric.value, 1.123_977_059_673_092_2);
    assert_interval(geometric.interval, 1.089_721_35, 1.159_423_97, 2e-3);
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
fn mcnemar_agrees_with_statsmodels() {
    // statsmodels.stats.contingency_tables.mcnemar([[10, b], [c, 10]], exact=True).pvalue
    let reference = [
        (1, 9, 0.021_484_375),
        (5, 5, 1.0),
        (12, 3, 0.035_156_25),
        (40, 70, 0.005_447_429_511_444_476),
        (1000, 1200, 2.181_702_640_791_419_4e-5),
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
    // Quartiles 7 and 11.5, fences 0.25 and 18.25.
    assert_eq!(summary.outliers, [7]);
    assert_eq!((summary.n, summary.max), (8, 40.0));
    assert_eq!(stats::outliers(&[40.0, 5.0, 7.0, 7.0, 8.0, 9.0, 11.0, 13.0]), [0], "places are those given");
    assert!(stats::outliers(&FIVE).is_empty());
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
        let pairs: [(&[f64], &[f64]); 2] = [(&a, &b), (&b, &a)];
        let both = bootstrap.geometric_mean_ratio(&pairs).unwrap();
        prop_assert!(close(both.value, 1.0) && both.interval.low <= 1.0 + 1e-12 && both.interval.high >= 1.0 - 1e-12);
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
        let p = stats::mcnemar_exact(successes, trials - successes);
        prop_assert!((0.0..=1.0).contains(&p));
    }
}
