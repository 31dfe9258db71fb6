//! Strengths by votes, against values computed another way and against their own laws.

#![expect(clippy::float_cmp, reason = "halves are exact")]

use pocketbench_domain::duel::{Ballot, Contender, ModelStrength, Vote, ranking};
use proptest::prelude::*;

fn contender(name: &str) -> Contender {
    Contender { sha256: name.into(), label: format!("Model {name}") }
}

fn ballot(left: &str, right: &str, vote: Vote) -> Ballot {
    Ballot { models: [contender(left), contender(right)], blind: true, vote }
}

fn times(n: usize, left: &str, right: &str, vote: Vote) -> Vec<Ballot> {
    vec![ballot(left, right, vote); n]
}

fn rating(models: &[ModelStrength], name: &str) -> f64 {
    models.iter().find(|model| model.model_sha256 == name).and_then(|model| model.rating).unwrap()
}

fn half_width(models: &[ModelStrength], name: &str) -> f64 {
    let [low, high] = models.iter().find(|model| model.model_sha256 == name).and_then(|model| model.interval).unwrap();
    (high - low) / 2.0
}

#[track_caller]
fn assert_near(a: f64, b: f64) {
    assert!((a - b).abs() < 1e-6, "{a} is not {b}");
}

/// Ratings from 400,000 rounds of the MM algorithm in Python, half widths from `NumPy`'s inverse of the information matrix.
#[test]
fn ratings_agree_with_those_of_another_algorithm() {
    let seven_to_three = [times(7, "a", "b", Vote::Left), times(3, "a", "b", Vote::Right)].concat();
    let models = ranking(&seven_to_three);
    assert_near(rating(&models, "a"), 1_071.506_721_106_042);
    assert_near(rating(&models, "b"), 928.493_278_893_958);

    let ten_to_none = ranking(&times(10, "b", "a", Vote::Right));
    assert_near(rating(&ten_to_none, "a"), 1_343.025_518_534_966_3);

    let three = [
        times(6, "a", "b", Vote::Left),
        times(4, "b", "a", Vote::Left),
        times(9, "a", "c", Vote::Left),
        times(1, "c", "a", Vote::Tie),
        times(7, "c", "b", Vote::Right),
        times(3, "c", "b", Vote::Left),
    ]
    .concat();
    let models = ranking(&three);
    assert_near(rating(&models, "a"), 1_151.107_048_101_001_3);
    assert_near(rating(&models, "b"), 1_028.326_850_174_721);
    assert_near(rating(&models, "c"), 820.566_101_724_277_7);
    let order: Vec<&str> = models.iter().map(|model| model.model.as_str()).collect();
    assert_eq!(order, ["Model a", "Model b", "Model c"]);
    let a = &models[0];
    assert_eq!((a.votes, a.wins), (20, 15.5));
    assert_near(half_width(&models, "a"), 124.932_625_531_959);
    assert_near(half_width(&models, "c"), 132.295_848_756_358_77);
}

/// With many votes the prior vanishes, and two models have a closed form: the odds are the wins.
#[test]
fn two_models_with_many_votes_are_as_far_apart_as_their_odds() {
    let many = [times(40_000, "a", "b", Vote::Left), times(10_000, "a", "b", Vote::Right)].concat();
    let models = ranking(&many);
    let apart = rating(&models, "a") - rating(&models, "b");
    assert!((apart - 400.0 * 4.0_f64.log10()).abs() < 0.01, "{apart}");
    // The variance of the logarithm of the odds is 1/wins + 1/losses; each is half of it away from the mean.
    let half = 1.959_964 * 400.0 / 10.0_f64.ln() * (1.0 / 40_000.0 + 1.0 / 10_000.0_f64).sqrt() / 2.0;
    assert!((half_width(&models, "a") / half - 1.0).abs() < 1e-3);
}

#[test]
fn no_votes_rank_nobody_and_a_model_against_itself_counts_for_nothing() {
    assert!(ranking(&[]).is_empty());
    assert!(ranking(&times(3, "a", "a", Vote::Left)).is_empty());
    let bad = ranking(&times(2, "a", "b", Vote::BothBad));
    assert_near(rating(&bad, "a"), 1_000.0);
    assert_eq!(bad[1].wins, 1.0);
}

fn any_vote() -> impl Strategy<Value = Vote> {
    prop_oneof![Just(Vote::Left), Just(Vote::Right), Just(Vote::Tie), Just(Vote::BothBad)]
}

fn any_ballots() -> impl Strategy<Value = Vec<Ballot>> {
    let one = (0..6_u8, 0..6_u8, any_vote(), 1..40_usize);
    let many = proptest::collection::vec(one, 0..24);
    many.prop_map(|all| {
        let name = |n: u8| char::from(b'a' + n).to_string();
        all.into_iter().flat_map(|(left, right, vote, n)| times(n, &name(left), &name(right), vote)).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn ratings_are_finite_sum_to_the_mean_and_lie_in_their_intervals(ballots in any_ballots()) {
        let models = ranking(&ballots);
        let ratings: Vec<f64> = models.iter().filter_map(|model| model.rating).collect();
        prop_assert_eq!(ratings.len(), models.len());
        prop_assert!(ratings.iter().all(|rating| rating.is_finite() && rating.abs() < 20_000.0));
        prop_assert!(ratings.is_sorted_by(|a, b| a >= b));
        if !models.is_empty() {
            prop_assert!((ratings.iter().sum::<f64>() / ratings.len() as f64 - 1_000.0).abs() < 1e-6);
        }
        for model in &models {
            let [low, high] = model.interval.expect("an interval");
            prop_assert!(low.is_finite() && high.is_finite());
            prop_assert!(low <= model.rating.unwrap() && model.rating.unwrap() <= high);
            prop_assert!(model.wins >= 0.0 && model.wins <= f64::from(model.votes));
        }
        let fair = ballots.iter().filter(|ballot| ballot.models[0] != ballot.models[1]).count();
        prop_assert_eq!(models.iter().map(|model| model.wins).sum::<f64>(), fair as f64);
    }

    /// Neither the order of the votes, nor which side a model stood on, nor what the models are called changes a rating.
    #[test]
    fn only_who_beat_whom_counts(ballots in any_ballots(), turn in 0..1_000_usize) {
        let models = ranking(&ballots);
        let mut changed = ballots.clone();
        if !changed.is_empty() {
            let turn = turn % changed.len();
            changed.rotate_left(turn);
        }
        for ballot in &mut changed {
            ballot.models.swap(0, 1);
            ballot.vote = match ballot.vote {
                Vote::Left => Vote::Right,
                Vote::Right => Vote::Left,
                tie => tie,
            };
            for contender in &mut ballot.models {
                contender.sha256 = renamed(&contender.sha256);
            }
        }
        let others = ranking(&changed);
        for model in &models {
            let other = rating(&others, &renamed(&model.model_sha256));
            prop_assert!((model.rating.unwrap() - other).abs() < 1e-4, "{} {}", model.rating.unwrap(), other);
        }
    }

    /// When everybody loses where they won, ratings are mirrored at the mean.
    #[test]
    fn defeat_mirrors_victory(ballots in any_ballots()) {
        let mut lost = ballots.clone();
        for ballot in &mut lost {
            ballot.models.swap(0, 1);
        }
        let (models, mirrored) = (ranking(&ballots), ranking(&lost));
        for model in &models {
            let other = rating(&mirrored, &model.model_sha256);
            prop_assert!((model.rating.unwrap() - 1_000.0 + other - 1_000.0).abs() < 1e-4);
        }
    }
}

/// Another name, in another order.
fn renamed(name: &str) -> String {
    name.bytes().map(|byte| char::from(b'a' + b'f' - byte)).collect()
}
