//! Every figure from a sample whose steps are known.

use crate::fixture::{
    Bench, batch, batch_generation, generate, generation, load, round, sustained, synthetic, synthetic_time, task,
};
use pocketbench_domain::conditions::{Conditions, Energy, EnergySource};
use pocketbench_domain::generate::{Generation, InTurn, StopReason, SyntheticRequest};
use pocketbench_domain::metric::{Direction, Metric};
use pocketbench_domain::run::{Measured, Sample};
use pocketbench_domain::suite::{Category, Work};
use proptest::prelude::*;
use std::collections::HashSet;

fn sample(measured: Measured) -> Sample {
    let mut bench = Bench::of_two(vec![task("t", Category::ShortQa, generate())]);
    bench.push(0, "t", measured, 300).clone()
}

fn answer(change: impl FnOnce(&mut Generation)) -> Sample {
    let Measured::Generation(mut g) = generation(50.0, 80.0, 3, StopReason::MaxTokens) else { unreachable!() };
    (g.prompt_tokens, g.reused_tokens, g.prefill_ns) = (40, 8, 64_000_000);
    g.token_at_ns = vec![80_000_000, 95_000_000, 120_000_000, 140_000_000];
    g.end_at_ns = 150_000_000;
    change(&mut g);
    sample(Measured::Generation(g))
}

#[test]
fn an_answer_gives_rates_and_times() {
    let sample = answer(|_| ());
    assert_eq!(Metric::TtftMs.of(&sample), Some(80.0));
    assert_eq!(Metric::DecodeTps.of(&sample), Some(50.0), "3 gaps in 60 ms");
    assert_eq!(Metric::TtfoMs.of(&sample), None, "it did not think first");
    assert_eq!(Metric::TtfoMs.of(&answer(|g| g.reasoning_tokens = 2)), Some(120.0), "the third token");
    assert_eq!(Metric::TtfoMs.of(&answer(|g| g.reasoning_tokens = 4)), None, "nothing came after it");
    assert_eq!(Metric::PrefillTps.of(&sample), Some(500.0), "32 evaluated tokens in 64 ms; 8 were reused");
    assert_eq!(Metric::ItlMs.of(&sample), Some(20.0), "median of 15, 25 and 20");
    assert_eq!(Metric::E2eMs.of(&sample), Some(140.0), "to the last token, not to the end");
    assert_eq!(Metric::PeakRssBytes.of(&sample), Some(300e6));
    for other in [Metric::BatchTps, Metric::BatchMs, Metric::LoadMs, Metric::FirstTokenMs, Metric::SyntheticTps] {
        assert_eq!(other.of(&sample), None, "{other}");
    }
}

#[test]
fn what_an_answer_does_not_have_is_absent() {
    let none = answer(|g| g.token_at_ns.clear());
    for metric in [Metric::TtftMs, Metric::DecodeTps, Metric::ItlMs, Metric::E2eMs] {
        assert_eq!(metric.of(&none), None, "{metric}");
    }
    let one = answer(|g| g.token_at_ns.truncate(1));
    assert_eq!((Metric::DecodeTps.of(&one), Metric::ItlMs.of(&one)), (None, None), "a rate needs two tokens");
    assert_eq!(Metric::TtftMs.of(&one), Some(80.0));
    assert_eq!(Metric::DecodeTps.of(&answer(|g| g.token_at_ns = vec![5, 5, 5])), None, "no time passed");
    assert_eq!(Metric::DecodeTps.of(&answer(|g| g.token_at_ns.reverse())), None, "time ran backwards");
    assert_eq!(Metric::ItlMs.of(&answer(|g| g.token_at_ns.reverse())), None);
    assert_eq!(Metric::PrefillTps.of(&answer(|g| g.prefill_ns = 0)), None);
    assert_eq!(Metric::PrefillTps.of(&answer(|g| g.reused_tokens = 40)), None, "nothing was evaluated");
    assert_eq!(Metric::PrefillTps.of(&answer(|g| g.reused_tokens = 41)), None);
    let mut sample = answer(|_| ());
    sample.memory.peak_rss_bytes = None;
    assert_eq!(Metric::PeakRssBytes.of(&sample), None, "the OS did not tell");
}

#[test]
fn other_work_gives_its_own_figures() {
    let mut sample_of_batch = sample(batch_generation(200.0));
    assert_eq!(Metric::BatchTps.of(&sample_of_batch), Some(200.0));
    assert_eq!(Metric::BatchMs.of(&sample_of_batch), Some(5_000.0));
    assert_eq!((Metric::InTurnTps.of(&sample_of_batch), Metric::InTurnMs.of(&sample_of_batch)), (None, None));
    let Measured::Batch(batch) = &mut sample_of_batch.measured else { unreachable!() };
    batch.in_turn = Some(InTurn { wall_ns: 8_000_000_000, generated_tokens: 400 });
    assert_eq!(Metric::InTurnTps.of(&sample_of_batch), Some(50.0));
    assert_eq!(Metric::InTurnMs.of(&sample_of_batch), Some(8_000.0));
    let request = SyntheticRequest { n_prompt: 512, n_gen: 128, n_depth: 4_096 };
    let random = sample(synthetic_time(request, 320.0));
    assert_eq!(Metric::SyntheticTps.of(&random), Some(320.0), "prefill and decode together, depth not counted");
    let start = sample(load(true, 250.0, 400.0));
    assert_eq!(Metric::LoadMs.of(&start), Some(250.0));
    assert_eq!(Metric::FirstTokenMs.of(&start), Some(400.0));
}

#[test]
fn each_kind_of_work_names_its_figures_headline_first_memory_last() {
    let kinds = [
        (Work::Load { cold: true }, load(true, 250.0, 400.0), Metric::FirstTokenMs),
        (generate(), generation(50.0, 80.0, 9, StopReason::MaxTokens), Metric::DecodeTps),
        (batch(), batch_generation(200.0), Metric::BatchTps),
        (
            synthetic(512, 0),
            synthetic_time(SyntheticRequest { n_prompt: 512, n_gen: 0, n_depth: 0 }, 9.0),
            Metric::SyntheticTps,
        ),
        (sustained(30), round(65.0, 50.0), Metric::SteadyTps),
    ];
    let mut seen: HashSet<Metric> = HashSet::new();
    for (work, measured, headline) in kinds {
        let metrics = Metric::for_work(&work);
        assert_eq!((metrics.first(), metrics.last()), (Some(&headline), Some(&Metric::PeakRssBytes)));
        let sample = sample(measured);
        for metric in Metric::ALL {
            // A round of the end is none of the beginning.
            let expected = metrics.contains(&metric) && !metric.is_optional() && metric != Metric::BurstTps;
            assert_eq!(metric.of(&sample).is_some(), expected, "{metric} of {work:?}");
        }
        seen.extend(metrics);
    }
    assert_eq!(seen.len(), Metric::ALL.len(), "every figure belongs to some work");
}

#[test]
fn rates_are_better_high_and_the_rest_low() {
    for metric in Metric::ALL {
        let rate = metric.unit() == "tok/s";
        assert_eq!(metric.direction() == Direction::HigherIsBetter, rate, "{metric}");
        assert!(!metric.label().is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_stored_sample_gives_a_figure_that_is_not_a_positive_number(
        times in prop::collection::vec(any::<u64>(), 0..5), tokens in any::<(u32, u32, u32)>(), ns in any::<u64>(),
    ) {
        let generated = answer(|g| {
            g.token_at_ns.clone_from(&times);
            (g.prompt_tokens, g.reused_tokens, g.generated_tokens) = tokens;
            g.prefill_ns = ns;
        });
        let request = SyntheticRequest { n_prompt: tokens.0, n_gen: tokens.1, n_depth: tokens.2 };
        let random = sample(Measured::Synthetic(pocketbench_domain::generate::Synthetic { request, elapsed_ns: ns }));
        for sample in [generated, random] {
            for figure in Metric::ALL.iter().filter_map(|metric| metric.of(&sample)) {
                prop_assert!(figure.is_finite() && figure > 0.0);
            }
        }
    }
}

#[test]
fn the_first_minute_is_burst_and_the_last_third_is_steady() {
    let of = |at_s: f64| {
        let sample = sample(round(at_s, 50.0));
        (Metric::BurstTps.of(&sample).is_some(), Metric::SteadyTps.of(&sample).is_some())
    };
    // 90 seconds in all.
    assert_eq!(of(0.0), (true, false));
    assert_eq!(of(59.9), (true, false));
    assert_eq!(of(60.0), (false, true));
    assert_eq!(of(89.0), (false, true));
    let decode = Metric::DecodeTps.of(&sample(round(30.0, 50.0))).unwrap();
    assert!((decode - 50.0).abs() < 1e-6);
}

#[test]
fn energy_is_told_by_token_after_the_first() {
    let mut sample = sample(generation(50.0, 80.0, 11, StopReason::MaxTokens));
    assert_eq!(Metric::MjPerToken.of(&sample), None, "no sensor");
    let energy = Energy { joules: 2.0, source: EnergySource::Rapl };
    sample.conditions = Some(Conditions { energy: Some(energy), ..Conditions::default() });
    assert_eq!(Metric::MjPerToken.of(&sample), None, "what prefill drew is no energy of decode");
    sample.conditions = Some(Conditions { decode_energy: Some(energy), ..Conditions::default() });
    assert_eq!(Metric::MjPerToken.of(&sample), Some(200.0));
    sample.measured = generation(50.0, 80.0, 1, StopReason::MaxTokens);
    assert_eq!(Metric::MjPerToken.of(&sample), None, "nothing was drawn between one token and itself");
}
