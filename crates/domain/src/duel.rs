//! Two answers to one question, and what people's votes say of the models.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use ts_rs::TS;

/// Which of two answers is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Vote {
    /// The left one.
    Left,
    /// The right one.
    Right,
    /// Both are equally good.
    Tie,
    /// Both are equally bad; it counts as a tie.
    BothBad,
}

/// How strong a model is by votes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct ModelStrength {
    /// SHA-256 of the model's file.
    pub model_sha256: String,
    /// Its name for people.
    pub model: String,
    /// Times its answer was better; a tie is half a win of both.
    pub wins: f64,
    /// Votes that it was part of.
    pub votes: u32,
    /// Bradley-Terry strength on the scale of Elo, the mean of all models being 1000. Absent where votes connect it with no
    /// other model.
    pub rating: Option<f64>,
    /// 95 % interval of the rating.
    pub interval: Option<[f64; 2]>,
}

/// A vote with what it was about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ballot {
    /// The models, left and right.
    pub models: [Contender; 2],
    /// Whether names were hidden.
    pub blind: bool,
    /// The vote.
    pub vote: Vote,
}

/// A model in a duel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contender {
    /// SHA-256 of its file.
    pub sha256: String,
    /// Its name for people.
    pub label: String,
}

/// Weight of the prior: so many virtual ties of each model against one of mean strength. It keeps the rating of a model
/// finite that won or lost every vote, and moves one with ten votes or more by little.
const PRIOR: f64 = 0.5;
/// Points of a factor of e in strength on the scale of Elo, where 400 points are a factor of ten.
const POINTS: f64 = 400.0 / std::f64::consts::LN_10;
/// The mean of all ratings.
const MEAN: f64 = 1_000.0;
/// 97.5 % quantile of the normal distribution.
const Z_95: f64 = 1.959_963_984_540_054;
/// Newton's method has converged when no logarithm of a strength moves by more than this.
const TOLERANCE: f64 = 1e-10;
/// Relative rounding of the log-likelihood.
const ROUNDING: f64 = 1e-12;
/// It converges in about ten steps; more would be a fault.
const MOST_STEPS: usize = 200;

impl Vote {
    /// The left one's share of the win.
    #[must_use]
    pub fn left_wins(self) -> f64 {
        match self {
            Self::Left => 1.0,
            Self::Right => 0.0,
            Self::Tie | Self::BothBad => 0.5,
        }
    }
}

/// Strengths by the model of Bradley and Terry (Biometrika 39 (1952) 324): the odds that `i` is found better than `j` are
/// `pᵢ : pⱼ`, and a tie is half a win of both. The strongest first; equals by their files' hashes.
///
/// The estimate is the maximum of the likelihood times a prior of half a virtual tie of each model against one of mean
/// strength. That is strictly concave in the logarithms, so there is exactly one, and Newton's method finds it whatever the
/// votes are; the better known MM algorithm (Hunter, Ann. Statist. 32 (2004) 384) gives the same, but crawls where one side
/// wins nearly always. The interval is the normal one from the observed information, of the distance to the mean of all.
#[must_use]
pub fn ranking(ballots: &[Ballot]) -> Vec<ModelStrength> {
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    let fair = || ballots.iter().filter(|ballot| ballot.models[0].sha256 != ballot.models[1].sha256);
    for contender in fair().flat_map(|ballot| &ballot.models) {
        places.entry(&contender.sha256).or_default();
    }
    for (place, number) in places.values_mut().zip(0..) {
        *place = number;
    }
    let k = places.len();
    let mut models: Vec<ModelStrength> = places.keys().map(|sha256| unrated(sha256)).collect();
    // wins[i][j]: of i over j.
    let mut wins = vec![vec![0.0; k]; k];
    for ballot in fair() {
        let [left, right] = [0, 1].map(|side: usize| places[ballot.models[side].sha256.as_str()]);
        let share = ballot.vote.left_wins();
        wins[left][right] += share;
        wins[right][left] += 1.0 - share;
        for (place, side, share) in [(left, 0, share), (right, 1, 1.0 - share)] {
            models[place].model.clone_from(&ballot.models[side].label);
            models[place].wins += share;
            models[place].votes += 1;
        }
    }
    let logs = most_likely(&wins);
    let mean = logs.iter().sum::<f64>() / k as f64;
    let covariance = information(&wins, &logs).and_then(inverse);
    for (i, model) in models.iter_mut().enumerate() {
        let rating = MEAN + POINTS * (logs[i] - mean);
        model.rating = Some(rating);
        model.interval = covariance.as_ref().map(|covariance| {
            let half = Z_95 * POINTS * variance_around_mean(covariance, i).max(0.0).sqrt();
            [rating - half, rating + half]
        });
    }
    models.sort_by(|a, b| b.rating.unwrap_or(MEAN).total_cmp(&a.rating.unwrap_or(MEAN)));
    models
}

fn unrated(sha256: &str) -> ModelStrength {
    let (model_sha256, model) = (sha256.to_owned(), String::new());
    ModelStrength { model_sha256, model, wins: 0.0, votes: 0, rating: None, interval: None }
}

fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// `ln(logistic(x))` without overflow.
fn log_logistic(x: f64) -> f64 {
    x.min(0.0) - (-x.abs()).exp().ln_1p()
}

/// Logarithms of the strengths at the maximum.
fn most_likely(wins: &[Vec<f64>]) -> Vec<f64> {
    let k = wins.len();
    let likelihood = |logs: &[f64]| -> f64 {
        let pairs = (0..k).flat_map(|i| (0..k).map(move |j| (i, j)));
        let votes: f64 = pairs.map(|(i, j)| wins[i][j] * log_logistic(logs[i] - logs[j])).sum();
        votes + logs.iter().map(|x| PRIOR / 2.0 * (log_logistic(*x) + log_logistic(-x))).sum::<f64>()
    };
    let mut logs = vec![0.0; k];
    let mut best = likelihood(&logs);
    for _ in 0..MOST_STEPS {
        let gradient = |i: usize| -> f64 {
            let of_pair = |j: usize| wins[i][j] - (wins[i][j] + wins[j][i]) * logistic(logs[i] - logs[j]);
            (0..k).map(of_pair).sum::<f64>() + PRIOR * (0.5 - logistic(logs[i]))
        };
        let gradient: Vec<f64> = (0..k).map(gradient).collect();
        let Some(inverse) = information(wins, &logs).and_then(inverse) else { break };
        let step: Vec<f64> = inverse.iter().map(|row| row.iter().zip(&gradient).map(|(a, b)| a * b).sum()).collect();
        // Far from the maximum a whole step can go beyond it. Near it, the likelihood differs by less than its rounding.
        let least = best - ROUNDING * (1.0 + best.abs());
        let mut share = 1.0;
        let moved = loop {
            let tried: Vec<f64> = logs.iter().zip(&step).map(|(x, step)| x + share * step).collect();
            let value = likelihood(&tried);
            if value >= least {
                best = value;
                break Some(tried);
            }
            share /= 2.0;
            if share < 1e-9 {
                break None;
            }
        };
        let Some(moved) = moved else { break };
        logs = moved;
        if step.iter().all(|step| step.abs() * share <= TOLERANCE) {
            break;
        }
    }
    logs
}

/// Observed information: minus the second derivatives of the log-likelihood. `None` without a model.
fn information(wins: &[Vec<f64>], logs: &[f64]) -> Option<Vec<Vec<f64>>> {
    let k = wins.len();
    let mut information = vec![vec![0.0; k]; k];
    for i in 0..k {
        for j in 0..k {
            if i != j {
                let p = logistic(logs[i] - logs[j]);
                let curvature = (wins[i][j] + wins[j][i]) * p * (1.0 - p);
                information[i][j] -= curvature;
                information[i][i] += curvature;
            }
        }
        let p = logistic(logs[i]);
        information[i][i] += PRIOR * p * (1.0 - p);
    }
    (k > 0).then_some(information)
}

/// Inverse of a symmetric, positive definite matrix by Gauss and Jordan; needs no pivots. `None` where rounding has made it
/// singular.
fn inverse(mut matrix: Vec<Vec<f64>>) -> Option<Vec<Vec<f64>>> {
    let k = matrix.len();
    for (i, row) in matrix.iter_mut().enumerate() {
        row.extend((0..k).map(|j| if i == j { 1.0 } else { 0.0 }));
    }
    for i in 0..k {
        let pivot = matrix[i][i];
        if !(pivot.is_finite() && pivot > 0.0) {
            return None;
        }
        for value in &mut matrix[i] {
            *value /= pivot;
        }
        let row = matrix[i].clone();
        for (j, other) in matrix.iter_mut().enumerate() {
            let factor = other[i];
            if i != j {
                for (value, of_row) in other.iter_mut().zip(&row) {
                    *value -= factor * of_row;
                }
            }
        }
    }
    Some(matrix.into_iter().map(|row| row[k..].to_vec()).collect())
}

/// Variance of `xᵢ` minus the mean of all.
fn variance_around_mean(covariance: &[Vec<f64>], i: usize) -> f64 {
    let k = covariance.len() as f64;
    let of_row: f64 = covariance[i].iter().sum();
    let of_all: f64 = covariance.iter().flatten().sum();
    covariance[i][i] - 2.0 * of_row / k + of_all / (k * k)
}
