//! Statistics of small series of measurements.
//!
//! Every function takes values in any order and answers `None` for a series that is no series of measurements: empty, or
//! holding a value that is NaN, infinite or beyond [`MAX_MAGNITUDE`]. So a figure computed here is always finite.

use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use ts_rs::TS;

/// Resamples behind every bootstrap interval.
pub const RESAMPLES: usize = 10_000;
/// Share of the bootstrap distribution below the lower end of an interval, and above its upper end: 95 % between them.
const TAIL: f64 = 0.025;
/// Fewest values for p90 and p95.
pub const MIN_N_FOR_P90: usize = 20;
/// Fewest values for p99.
pub const MIN_N_FOR_P99: usize = 1_000;
/// Fewest pairs that are looked at as pairs. Four differ in the same direction by chance in one case of eight; four values
/// and four others lie wholly apart in one of 35.
pub const MIN_PAIRS: usize = 5;
/// Largest magnitude of a value. No measurement comes near it, and the squares of all values below it stay finite.
pub const MAX_MAGNITUDE: f64 = 1e150;
/// 97.5 % point of the standard normal distribution.
const Z_95: f64 = 1.959_963_984_540_054;

/// A 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, TS)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Interval {
    /// Whether the value lies in the interval, ends included.
    #[must_use]
    pub fn contains(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }
}

/// A figure computed from samples, and how far it can be trusted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The figure.
    pub value: f64,
    /// Its 95 % interval.
    pub interval: Interval,
}

impl Estimate {
    /// The reciprocal, for a ratio seen from the other side. The estimate must be of something positive.
    #[must_use]
    pub fn inverse(&self) -> Self {
        let interval = Interval { low: 1.0 / self.interval.high, high: 1.0 / self.interval.low };
        Self { value: 1.0 / self.value, interval }
    }
}

/// A series of values in short.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct Summary {
    /// How many values.
    pub n: u32,
    /// Median.
    pub median: f64,
    /// Arithmetic mean.
    pub mean: f64,
    /// Sample standard deviation (n − 1); absent below two values.
    pub sd: Option<f64>,
    /// Smallest value.
    pub min: f64,
    /// Largest value.
    pub max: f64,
    /// 95 % percentile bootstrap of the median; absent below two values.
    pub interval: Option<Interval>,
    /// 90th percentile; absent below 20 values.
    pub p90: Option<f64>,
    /// 95th percentile; absent below 20 values.
    pub p95: Option<f64>,
    /// 99th percentile; absent below 1,000 values.
    pub p99: Option<f64>,
    /// Standard deviation ÷ mean; absent below two values or for a mean of zero.
    pub cv: Option<f64>,
    /// Places of values outside Tukey's fences; flagged, never dropped.
    pub outliers: Vec<u32>,
}

impl Summary {
    /// Sums up a series. To sum up many, share one [`Bootstrap`] among them.
    #[must_use]
    pub fn of(values: &[f64]) -> Option<Self> {
        Bootstrap::new().summary(values)
    }
}

/// Median: the middle value, or the mean of the middle two.
#[must_use]
pub fn median(values: &[f64]) -> Option<f64> {
    sorted(values).map(|sorted| quantile_of_sorted(&sorted, 0.5))
}

/// Arithmetic mean.
#[must_use]
pub fn mean(values: &[f64]) -> Option<f64> {
    is_series(values).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// Sample standard deviation (n − 1). Absent below two values.
#[must_use]
pub fn sd(values: &[f64]) -> Option<f64> {
    let mean = mean(values).filter(|_| values.len() >= 2)?;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    Some((squares / (values.len() - 1) as f64).sqrt())
}

/// Coefficient of variation: standard deviation ÷ mean. Absent below two values or for a mean of zero.
#[must_use]
pub fn cv(values: &[f64]) -> Option<f64> {
    Some(sd(values)? / mean(values)?).filter(|cv| cv.is_finite())
}

/// Quantile `q` (0–1) by linear interpolation between order statistics: type 7 of Hyndman and Fan, the default of R and
/// `NumPy`. Absent also for a `q` outside 0–1.
#[must_use]
pub fn quantile(values: &[f64], q: f64) -> Option<f64> {
    let sorted = sorted(values).filter(|_| (0.0..=1.0).contains(&q))?;
    Some(quantile_of_sorted(&sorted, q))
}

/// Places of the values outside Tukey's fences: more than 1.5 interquartile ranges below the first or above the third
/// quartile.
#[must_use]
pub fn outliers(values: &[f64]) -> Vec<u32> {
    sorted(values).map(|sorted| outliers_given(values, &sorted)).unwrap_or_default()
}

fn outliers_given(values: &[f64], sorted: &[f64]) -> Vec<u32> {
    let (q1, q3) = (quantile_of_sorted(sorted, 0.25), quantile_of_sorted(sorted, 0.75));
    let reach = 1.5 * (q3 - q1);
    let fences = (q1 - reach)..=(q3 + reach);
    (0u32..).zip(values).filter(|(_, value)| !fences.contains(value)).map(|(place, _)| place).collect()
}

/// Wilson's 95 % score interval of a proportion. Absent for no trials or more successes than trials.
/// Source: Wilson, J. Am. Stat. Assoc. 22 (1927) 209.
#[must_use]
pub fn wilson(successes: u64, trials: u64) -> Option<Interval> {
    if trials == 0 || successes > trials {
        return None;
    }
    let (n, z2) = (trials as f64, Z_95 * Z_95);
    let p = successes as f64 / n;
    let centre = (p + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = Z_95 / (1.0 + z2 / n) * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
    // The ends of an all-or-nothing score are exact; rounding must not push them past it.
    let low = if successes == 0 { 0.0 } else { (centre - half).max(0.0) };
    let high = if successes == trials { 1.0 } else { (centre + half).min(1.0) };
    Some(Interval { low, high })
}

/// `McNemar`'s exact test, two-sided: the probability of so uneven a split of the items that only one of two models got
/// right, if both were equally good. 1 where they never differ.
#[must_use]
pub fn mcnemar_exact(only_first: u64, only_second: u64) -> f64 {
    let (few, n) = (only_first.min(only_second), only_first.saturating_add(only_second));
    if only_first == only_second {
        return 1.0;
    }
    // Tail of a binomial(n, ½) up to `few`, as the logarithm of its largest term times a sum of falling ratios: the
    // terms themselves underflow from n = 1,075 on.
    let mut log_term = -(n as f64) * std::f64::consts::LN_2;
    for k in 0..few {
        log_term += ((n - k) as f64 / (k + 1) as f64).ln();
    }
    let (mut sum, mut term) = (1.0, 1.0);
    for k in (0..few).rev() {
        term *= (k + 1) as f64 / (n - k) as f64;
        sum += term;
        if term < sum * f64::EPSILON {
            break;
        }
    }
    (2.0 * log_term.exp() * sum).min(1.0)
}

/// Percentile bootstrap with a fixed seed: the same values give the same interval, in any order, on any machine, for
/// ever. (Efron and Tibshirani, *An Introduction to the Bootstrap*, chapter 13.)
///
/// The median of a resample depends only on which ranks were drawn, so the ranks are drawn once for each length of
/// series and kept; what an interval then costs does not depend on the length.
#[derive(Debug)]
pub struct Bootstrap {
    ranks: HashMap<usize, Box<[Middle]>>,
    /// What an interval leaves out at either end.
    tail: f64,
}

impl Default for Bootstrap {
    fn default() -> Self {
        Self { ranks: HashMap::new(), tail: TAIL }
    }
}

/// Ranks of the two middle values of a resample; equal where its length is odd.
type Middle = (u32, u32);

impl Bootstrap {
    /// With no ranks drawn yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks with wider intervals: such that as many of them as there are `statements` all hold together in 95 % of cases
    /// (Bonferroni). One question with several chances to find a difference would otherwise find one too often.
    pub fn together<T>(&mut self, statements: usize, ask: impl FnOnce(&mut Self) -> T) -> T {
        let alone = self.tail;
        self.tail = alone / statements.max(1) as f64;
        let answer = ask(self);
        self.tail = alone;
        answer
    }

    /// Sums up a series.
    #[must_use]
    pub fn summary(&mut self, values: &[f64]) -> Option<Summary> {
        let sorted = sorted(values)?;
        let percentile = |q, min_n| (sorted.len() >= min_n).then(|| quantile_of_sorted(&sorted, q));
        Some(Summary {
            n: u32::try_from(sorted.len()).unwrap_or(u32::MAX),
            median: quantile_of_sorted(&sorted, 0.5),
            mean: mean(values)?,
            sd: sd(values),
            min: sorted[0],
            max: sorted[sorted.len() - 1],
            interval: self.interval_of_sorted(&sorted),
            p90: percentile(0.90, MIN_N_FOR_P90),
            p95: percentile(0.95, MIN_N_FOR_P90),
            p99: percentile(0.99, MIN_N_FOR_P99),
            cv: cv(values),
            outliers: outliers_given(values, &sorted),
        })
    }

    /// 95 % interval of the median. Absent below two values.
    #[must_use]
    pub fn median_interval(&mut self, values: &[f64]) -> Option<Interval> {
        self.interval_of_sorted(&sorted(values)?)
    }

    fn interval_of_sorted(&mut self, sorted: &[f64]) -> Option<Interval> {
        let (first, last) = (sorted[0], sorted[sorted.len() - 1]);
        if sorted.len() < 2 {
            return None;
        }
        if first.total_cmp(&last).is_eq() {
            return Some(Interval { low: first, high: last });
        }
        Some(interval_of(&mut self.medians(sorted), self.tail))
    }

    /// Ratio of medians, `b` ÷ `a`, with its interval. Absent below two values on a side and for values that are not
    /// positive, which have no meaningful ratio.
    #[must_use]
    pub fn median_ratio(&mut self, a: &[f64], b: &[f64]) -> Option<Estimate> {
        let (a, b) = (positive(a)?, positive(b)?);
        let value = quantile_of_sorted(&b, 0.5) / quantile_of_sorted(&a, 0.5);
        let mut ratios = self.medians(&a);
        let medians_b = self.medians(&b);
        let mut random = SplitMix64(PAIRING_SEED);
        for ratio in &mut ratios {
            *ratio = medians_b[random.below_len(RESAMPLES)] / *ratio;
        }
        finite(Estimate { value, interval: interval_of(&mut ratios, self.tail) })
    }

    /// Ratio `b` ÷ `a` of two series whose values belong together in pairs, taken one right after the other: the median of
    /// the ratios of the pairs, with its interval. What slows both of a pair alike falls out of it. Series of different
    /// lengths are no pairs, and fewer than [`MIN_PAIRS`] are too few: then as [`median_ratio`](Self::median_ratio). Absent
    /// as there.
    #[must_use]
    pub fn paired_ratio(&mut self, a: &[f64], b: &[f64]) -> Option<Estimate> {
        if !are_pairs(a, b) {
            return self.median_ratio(a, b);
        }
        let logs = log_ratios(a, b)?;
        let Interval { low, high } = self.interval_of_sorted(&logs)?;
        let interval = Interval { low: low.exp(), high: high.exp() };
        finite(Estimate { value: quantile_of_sorted(&logs, 0.5).exp(), interval })
    }

    /// Geometric mean over pairs of series `(a, b)` of their ratio, `b` ÷ `a`, with its interval. Each ratio is a
    /// [`paired_ratio`](Self::paired_ratio), and each is resampled on its own. Absent without pairs of series and where one
    /// has no ratio.
    #[must_use]
    pub fn geometric_mean_ratio(&mut self, pairs: &[(&[f64], &[f64])]) -> Option<Estimate> {
        if let [(a, b)] = pairs {
            return self.paired_ratio(a, b);
        }
        let mut random = SplitMix64(PAIRING_SEED);
        let mut log_sums = vec![0.0; RESAMPLES];
        let mut log_sum = 0.0;
        let mut add = |middle: f64, resampled: &[f64]| {
            log_sum += middle;
            for sum in &mut log_sums {
                *sum += resampled[random.below_len(RESAMPLES)];
            }
        };
        for (a, b) in pairs {
            if are_pairs(a, b) {
                let logs = log_ratios(a, b)?;
                add(quantile_of_sorted(&logs, 0.5), &self.medians(&logs));
                continue;
            }
            for (series, sign) in [(positive(a)?, -1.0), (positive(b)?, 1.0)] {
                let mut logs = self.medians(&series);
                for median in &mut logs {
                    *median = sign * median.ln();
                }
                add(sign * quantile_of_sorted(&series, 0.5).ln(), &logs);
            }
        }
        let count = pairs.len() as f64;
        let Interval { low, high } = interval_of(&mut log_sums, self.tail);
        let interval = Interval { low: (low / count).exp(), high: (high / count).exp() };
        finite(Estimate { value: (log_sum / count).exp(), interval }).filter(|_| !pairs.is_empty())
    }

    /// The median of every resample.
    fn medians(&mut self, sorted: &[f64]) -> Vec<f64> {
        let ranks = self.ranks.entry(sorted.len()).or_insert_with(|| draw_ranks(sorted.len()));
        ranks.iter().map(|&(low, high)| f64::midpoint(sorted[low as usize], sorted[high as usize])).collect()
    }
}

/// Ranks of the middle values of [`RESAMPLES`] resamples of a series of `n`.
fn draw_ranks(n: usize) -> Box<[Middle]> {
    let mut random = SplitMix64(n as u64);
    let mut drawn = vec![0u32; n];
    let mut draw = || {
        drawn.fill_with(|| random.below(n));
        let (below, &mut high, _) = drawn.select_nth_unstable(n / 2);
        let low = if n.is_multiple_of(2) { below.iter().max().copied().unwrap_or(high) } else { high };
        (low, high)
    };
    std::iter::repeat_with(&mut draw).take(RESAMPLES).collect()
}

/// Seed of the random pairing of the resamples of several series.
const PAIRING_SEED: u64 = 0x706f_636b_6574;

/// Steele, Lea and Flood's generator (OOPSLA 2014). Written out here, so that a new version of a library can never
/// change a stored run's intervals.
struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `n`, by multiplication; for lengths of series the bias (`n` ÷ 2³²) is nothing.
    fn below(&mut self, n: usize) -> u32 {
        (((self.next() >> 32) * n as u64) >> 32) as u32
    }

    fn below_len(&mut self, n: usize) -> usize {
        self.below(n) as usize
    }
}

fn is_series(values: &[f64]) -> bool {
    // `<=` is false for NaN.
    !values.is_empty() && values.iter().all(|value| value.abs() <= MAX_MAGNITUDE)
}

fn sorted(values: &[f64]) -> Option<Vec<f64>> {
    let mut sorted = is_series(values).then(|| values.to_vec())?;
    sorted.sort_unstable_by(f64::total_cmp);
    Some(sorted)
}

/// Sorted, at least two values, all above zero.
fn positive(values: &[f64]) -> Option<Vec<f64>> {
    sorted(values).filter(|sorted| sorted.len() >= 2 && sorted[0] > 0.0)
}

fn are_pairs(a: &[f64], b: &[f64]) -> bool {
    a.len() == b.len() && a.len() >= MIN_PAIRS
}

/// Logarithms of the ratios `b` ÷ `a` of pairs, sorted; all values above zero.
fn log_ratios(a: &[f64], b: &[f64]) -> Option<Vec<f64>> {
    positive(a).and(positive(b))?;
    sorted(&a.iter().zip(b).map(|(a, b)| b.ln() - a.ln()).collect::<Vec<_>>())
}

fn finite(estimate: Estimate) -> Option<Estimate> {
    let Estimate { value, interval: Interval { low, high } } = estimate;
    [value, low, high].iter().all(|x| x.is_finite() && *x > 0.0).then_some(estimate)
}

/// Place of quantile `q` among `n` sorted values: the lower neighbour and how far to go to the next.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 ≤ position ≤ n − 1")]
fn position(n: usize, q: f64) -> (usize, f64) {
    let position = (n - 1) as f64 * q;
    (position as usize, position.fract())
}

fn between(low: f64, high: f64, fraction: f64) -> f64 {
    // Clamped, because rounding may step over `high`.
    (low + (high - low) * fraction).min(high)
}

fn quantile_of_sorted(sorted: &[f64], q: f64) -> f64 {
    let (place, fraction) = position(sorted.len(), q);
    let next = sorted[(place + 1).min(sorted.len() - 1)];
    between(sorted[place], next, fraction)
}

/// A bootstrap distribution without its tails, by type 7 quantiles; reorders the values.
fn interval_of(values: &mut [f64], tail: f64) -> Interval {
    let mut quantile = |q| {
        let (place, fraction) = position(values.len(), q);
        let (_, &mut low, above) = values.select_nth_unstable_by(place, f64::total_cmp);
        let high = above.iter().copied().min_by(f64::total_cmp).unwrap_or(low);
        between(low, high, fraction)
    };
    Interval { low: quantile(tail), high: quantile(1.0 - tail) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_is_splitmix64() {
        // First outputs for seed 1234567, as published with the reference implementation
        // (prng.di.unimi.it/splitmix64.c and Rosetta Code's task on it).
        let mut random = SplitMix64(1_234_567);
        let first: Vec<u64> = std::iter::repeat_with(|| random.next()).take(5).collect();
        let reference = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
            4_593_380_528_125_082_431,
            16_408_922_859_458_223_821,
        ];
        assert_eq!(first, reference);
    }

    #[test]
    fn drawn_ranks_follow_the_binomial_distribution() {
        // The middle rank of 5 draws from 5 is the lowest if at least 3 of 5 draws are: 0.05792 by the binomial
        // distribution with p = 1/5. The standard error of 10,000 draws is 0.0023.
        let lowest = draw_ranks(5).iter().filter(|(low, _)| *low == 0).count() as f64 / RESAMPLES as f64;
        assert!((lowest - 0.05792).abs() < 4.0 * 0.0023, "{lowest}");
    }
}
