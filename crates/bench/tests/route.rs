//! The labelled prompts that ship, and how well the router agrees with them.

use pocketbench_bench::route::{Part, read, shipped};
use pocketbench_domain::route::evaluate::{Baseline, Evaluation, Label, LocalWindow, Rates, evaluate};
use pocketbench_domain::route::{Policy, TaskKind};
use std::collections::HashSet;

#[test]
fn the_shipped_set_is_balanced_in_both_parts() {
    let set = shipped();
    assert!(set.len() >= 120, "{}", set.len());
    for part in [Part::Development, Part::HeldOut] {
        let part = part.select(set);
        let hard = part.iter().filter(|prompt| prompt.label == Label::Cloud).count();
        assert!((part.len() * 2 / 5..=part.len() * 3 / 5).contains(&hard), "{hard} of {} are hard", part.len());
        assert!(part.len() * 5 >= set.len() * 2, "{} of {}", part.len(), set.len());
    }
    for kind in TaskKind::ALL {
        let labels: HashSet<Label> = set.iter().filter(|p| p.kind == kind).map(|p| p.label).collect();
        let both = !matches!(kind, TaskKind::Writing);
        assert_eq!(labels.len(), if both { 2 } else { 1 }, "{kind:?}");
    }
    let languages: HashSet<&str> = set.iter().map(|prompt| prompt.language.as_str()).collect();
    assert!(languages.len() >= 12 && set.iter().all(|prompt| !prompt.why.is_empty()), "{languages:?}");
}

#[test]
fn bad_sets_are_refused_with_their_line() {
    let good = r#"{"id":"a","prompt":"Hi","kind":"chat","language":"en","label":"local","why":"x"}"#;
    assert_eq!(read(&format!("\n{good}\n\n")).unwrap().len(), 1);
    let line = |text: &str| read(text).unwrap_err().line;
    assert_eq!(line(&format!("{good}\n{good}")), 2);
    assert_eq!(line(&format!("{good}\n\n{{}}")), 3);
    assert_eq!(line(&good.replace("local", "moon")), 1);
    assert_eq!(line(&good.replace("Hi", " ")), 1);
    assert_eq!(line(&good.replace("\"why\"", "\"wy\"")), 1);
    assert_eq!(line(""), 1);
}

fn held_out() -> Evaluation {
    let (held_out, development) = (Part::HeldOut.select(shipped()), Part::Development.select(shipped()));
    evaluate(&Policy::default(), &held_out, &development, LocalWindow::default(), &Rates::default())
}

/// What `docs/routing.md` states must stay true of the program.
#[test]
fn the_router_agrees_with_the_held_out_part_and_better_than_the_baselines() {
    let evaluation = held_out();
    let agreement = evaluation.at_threshold.outcome.agreement.unwrap();
    assert!(agreement >= 0.85, "{agreement}: {:#?}", evaluation.misses);
    for beside in &evaluation.baselines {
        assert!(beside.outcome.agreement.unwrap() < agreement, "{beside:?}");
    }
    assert!(evaluation.baselines.iter().any(|b| matches!(b.baseline, Baseline::LengthOnly { .. })));
}

#[test]
fn a_higher_threshold_never_sends_more_to_the_cloud() {
    let evaluation = held_out();
    for pair in evaluation.curve.windows(2) {
        assert!(pair[0].outcome.cloud_share >= pair[1].outcome.cloud_share, "{pair:?}");
    }
    assert_eq!(evaluation.curve[0].outcome.cloud_share, Some(1.0));
}
