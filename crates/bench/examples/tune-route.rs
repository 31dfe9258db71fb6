//! Finds weights of the router's score on the development part of the labelled prompts:
//! `cargo run --example tune-route`. The held-out part is not looked at. `docs/routing.md` says how it goes.

use pocketbench_bench::route::{Part, shipped};
use pocketbench_domain::route::evaluate::{Label, LocalWindow};
use pocketbench_domain::route::{Policy, SignalKind, Weights, score};

/// Weights are multiples of this: more digits would be fitted to single prompts.
const STEP: f64 = 0.05;
/// How far from the threshold a score should be.
const MARGIN: f64 = 0.2;
/// What a weight costs: one that helps nothing becomes 0.
const COST: f64 = 0.005;
/// Signals of a conversation, of which the set has too few to tune on.
const SET_BY_HAND: [SignalKind; 2] = [SignalKind::Context, SignalKind::Failures];

fn main() {
    let policy = Policy::default();
    // Prompts as their signals' values, and where they belong.
    let prompts: Vec<(Vec<f64>, Label)> = Part::Development
        .select(shipped())
        .iter()
        .map(|prompt| {
            let score = score(&policy.weights, &prompt.prompt, &prompt.situation(LocalWindow::default()));
            (score.signals.iter().map(|signal| signal.value).collect(), prompt.label)
        })
        .collect();
    let tuned = || SignalKind::ALL.into_iter().filter(|kind| !SET_BY_HAND.contains(kind));
    let mut weights = tuned().fold(policy.weights, |weights, kind| weights.with(kind, 0.3));
    let mut best = loss(&prompts, &weights, policy.threshold);
    loop {
        let before = best;
        for kind in tuned() {
            for step in 0..=20 {
                let tried = weights.with(kind, f64::from(step) * STEP);
                let loss = loss(&prompts, &tried, policy.threshold);
                if loss < best - 1e-12 {
                    (weights, best) = (tried, loss);
                }
            }
        }
        if best >= before {
            break;
        }
    }
    let agree = prompts
        .iter()
        .filter(|(values, label)| (total(values, &weights) >= policy.threshold) == (*label == Label::Cloud));
    println!("{} of {} of the development part agree; loss {best:.4}", agree.count(), prompts.len());
    for kind in SignalKind::ALL {
        println!("{:<16} {:.2}", kind.label(), weights.of(kind));
    }
}

fn total(values: &[f64], weights: &Weights) -> f64 {
    let sum: f64 = SignalKind::ALL.into_iter().zip(values).map(|(kind, value)| weights.of(kind) * value).sum();
    (sum.min(1.0) * 1e4).round() / 1e4
}

/// Hinge loss around the threshold, and the weights' cost.
fn loss(prompts: &[(Vec<f64>, Label)], weights: &Weights, threshold: f64) -> f64 {
    let hinge: f64 = prompts
        .iter()
        .map(|(values, label)| {
            let above = total(values, weights) - threshold;
            let right = if *label == Label::Cloud { above } else { -above };
            (MARGIN - right).max(0.0)
        })
        .sum();
    let tuned = SignalKind::ALL.into_iter().filter(|kind| !SET_BY_HAND.contains(kind));
    let size: f64 = tuned.map(|kind| weights.of(kind)).sum();
    hinge / prompts.len() as f64 + COST * size
}
