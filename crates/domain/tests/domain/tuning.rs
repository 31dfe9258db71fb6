//! The rule of tuning, and what becomes of a run of a sweep.

use crate::fixture::{Bench, device, entry, synthetic, synthetic_time, task};
use pocketbench_domain::compare::{CompareOptions, RunResult};
use pocketbench_domain::error::{ErrorCode, ErrorReport};
use pocketbench_domain::generate::SyntheticRequest;
use pocketbench_domain::job::JobId;
use pocketbench_domain::run::CellState;
use pocketbench_domain::settings::{EngineSettings, FlashAttention, KvType};
use pocketbench_domain::stats::Bootstrap;
use pocketbench_domain::suite::Category;
use pocketbench_domain::sweep::Sweep;
use pocketbench_domain::tuning::{
    Choice, TunedPlace, TunedSettings, Tuning, TuningAxis, TuningId, TuningReason, TuningStep, choose,
};
use proptest::prelude::*;
use uuid::Uuid;

const DECODE: SyntheticRequest = SyntheticRequest { n_prompt: 0, n_gen: 16, n_depth: 0 };
const PREFILL: SyntheticRequest = SyntheticRequest { n_prompt: 64, n_gen: 0, n_depth: 0 };

fn rule(candidates: &[Vec<&[f64]>]) -> Option<Choice> {
    choose(candidates, &CompareOptions::default(), &mut Bootstrap::new())
}

/// Seven repetitions around a rate, in percent.
fn around(rate: f64) -> Vec<f64> {
    [0.0, 0.4, -0.3, 0.1, -0.5, 0.2, -0.1].map(|percent| rate * (1.0 + percent / 100.0)).to_vec()
}

fn chosen(rates: &[f64]) -> Option<usize> {
    let series: Vec<Vec<f64>> = rates.iter().map(|rate| around(*rate)).collect();
    let candidates: Vec<Vec<&[f64]>> = series.iter().map(|values| vec![values.as_slice()]).collect();
    rule(&candidates).map(|choice| choice.chosen)
}

#[test]
fn more_threads_than_help_are_never_chosen() {
    // Threads 1, 2, 4, 6, 8 of a phone on which the slow cores make everything collapse.
    assert_eq!(chosen(&[6.0, 11.0, 14.0, 3.0, 0.14]), Some(2));
    assert_eq!(chosen(&[6.0, 11.0, 14.0, 14.2, 14.1]), Some(2), "1 % more is no reason for more threads");
    assert_eq!(chosen(&[6.0, 11.0, 14.0, 15.0, 14.1]), Some(3), "7 % is");
    assert_eq!(chosen(&[10.0]), Some(0));
    assert_eq!(chosen(&[]), None);
}

#[test]
fn a_difference_that_noise_explains_is_none() {
    let wild = [5.0, 30.0, 8.0, 22.0, 11.0, 9.0, 25.0];
    let steady = around(10.0);
    let choice = rule(&[vec![&steady], vec![&wild]]).unwrap();
    assert_eq!((choice.fastest, choice.chosen), (1, 0));
}

#[test]
fn one_disturbed_repetition_of_seven_hides_nothing() {
    let mut two = around(20.0);
    two[3] = 4.0;
    let one = around(11.0);
    assert_eq!(rule(&[vec![&one], vec![&two]]).unwrap().chosen, 1);
}

#[test]
fn several_figures_count_alike() {
    let (slow, fast) = (around(10.0), around(20.0));
    let (a, b) = (vec![slow.as_slice(), fast.as_slice()], vec![fast.as_slice(), slow.as_slice()]);
    let choice = rule(&[a.clone(), b]).unwrap();
    assert_eq!((choice.chosen, choice.fastest), (0, 0), "twice as fast in one, half as fast in the other");
    let both = vec![fast.as_slice(), fast.as_slice()];
    assert_eq!(rule(&[a, both]).unwrap().chosen, 1);
}

#[test]
fn what_was_not_measured_is_passed_over() {
    let good = around(10.0);
    for bad in [vec![], vec![50.0], vec![50.0, 0.0], vec![50.0, -1.0], vec![50.0, f64::NAN], vec![f64::INFINITY; 3]] {
        let choice = rule(&[vec![&bad], vec![&good]]).unwrap();
        assert_eq!((choice.chosen, choice.fastest), (1, 1), "{bad:?}");
        assert_eq!(choice.behind[0], None);
        assert!(choice.beaten[0]);
        assert_eq!(rule(&[vec![&bad]]), None);
    }
    // A candidate that lacks one of two figures.
    let choice = rule(&[vec![&good], vec![&good, &good]]).unwrap();
    assert_eq!(choice.chosen, 1);
    assert_eq!(rule(&[vec![], vec![]]), None);
}

fn rates() -> impl Strategy<Value = Vec<Vec<f64>>> {
    prop::collection::vec(prop::collection::vec(0.01f64..1e4, 0..9), 1..7)
}

fn of(series: &[Vec<f64>]) -> Vec<Vec<&[f64]>> {
    series.iter().map(|values| vec![values.as_slice()]).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_chosen_one_is_not_beaten_and_everything_preferred_to_it_is(series in rates()) {
        let options = CompareOptions::default();
        let Some(choice) = rule(&of(&series)) else {
            prop_assert!(series.iter().all(|values| values.len() < 2));
            return Ok(());
        };
        let mut bootstrap = Bootstrap::new();
        let mut beats = |place: usize| {
            let ratio = bootstrap.geometric_mean_ratio(&[(&series[place], &series[choice.fastest])]);
            ratio.is_none_or(|ratio| options.decide(&ratio) == Some(0))
        };
        prop_assert!(choice.chosen == choice.fastest || !beats(choice.chosen));
        for place in 0..choice.chosen {
            prop_assert!(beats(place));
        }
        prop_assert!(choice.beaten.iter().zip(&choice.behind).all(|(beaten, behind)| *beaten || behind.is_some()));
    }

    #[test]
    fn a_slower_one_that_is_less_preferred_changes_nothing(series in rates(), share in 0.001f64..0.999) {
        let before = rule(&of(&series));
        let fastest = before.as_ref().map(|choice| series[choice.fastest].clone());
        let Some(fastest) = fastest else { return Ok(()) };
        let mut more = series.clone();
        more.push(fastest.iter().map(|rate| rate * share).collect());
        prop_assert_eq!(rule(&of(&more)).unwrap().chosen, before.unwrap().chosen);
    }

    #[test]
    fn neither_the_order_of_repetitions_nor_the_unit_matters(series in rates(), power in -8i32..8) {
        let before = rule(&of(&series)).map(|choice| (choice.chosen, choice.fastest));
        // A power of two scales without rounding.
        let unit = 2f64.powi(power);
        let other: Vec<Vec<f64>> =
            series.iter().map(|values| values.iter().rev().map(|rate| rate * unit).collect()).collect();
        prop_assert_eq!(rule(&of(&other)).map(|choice| (choice.chosen, choice.fastest)), before);
    }
}

/// A run of a sweep with these rates of decode and prefill, one pair a value.
fn swept(sweep: &Sweep, rates: &[(f64, f64)]) -> Bench {
    let entries = sweep.entries(&entry("SmolLM2", "Q4_1"), &device());
    assert_eq!(entries.len(), rates.len());
    let tasks = vec![
        task("tg16", Category::Synthetic, synthetic(DECODE.n_prompt, DECODE.n_gen)),
        task("pp64", Category::Synthetic, synthetic(PREFILL.n_prompt, PREFILL.n_gen)),
    ];
    let mut bench = Bench::new(entries, tasks);
    for (slot, (decode, prefill)) in (0..).zip(rates) {
        for (work, id, rate) in [(DECODE, "tg16", decode), (PREFILL, "pp64", prefill)] {
            for rate in around(*rate) {
                bench.push(slot, id, synthetic_time(work, rate), 100 + u64::from(slot));
            }
        }
    }
    bench
}

fn step(axis: TuningAxis, result: &RunResult, preferred: Option<u32>) -> Option<TuningStep> {
    TuningStep::decide(axis, result, preferred, &CompareOptions::default(), &mut Bootstrap::new())
}

#[test]
fn decode_and_prefill_get_threads_of_their_own() {
    let result = swept(&Sweep::Threads(vec![1, 2, 4]), &[(10.0, 50.0), (18.0, 95.0), (18.1, 180.0)]).result();
    let threads = step(TuningAxis::Threads, &result, None).unwrap();
    assert_eq!((threads.chosen, threads.reason), (1, TuningReason::NoneReallyFaster));
    assert_eq!(threads.run_id, result.run.id);
    let labels: Vec<&str> = threads.candidates.iter().map(|c| c.label.as_str()).collect();
    assert_eq!(labels, ["1 thread", "2 threads", "4 threads"]);
    assert!(threads.candidates.iter().all(|c| c.figures.len() == 1 && c.figures[0].work == DECODE));
    assert!(threads.candidates[0].beaten && !threads.candidates[1].beaten);
    assert!((threads.candidates[0].behind.unwrap().value - 1.81).abs() < 1e-3);
    assert_eq!(threads.candidates[2].peak_rss_bytes, Some(102_000_000));

    let mut settings = EngineSettings::new(512, 8);
    threads.settle(&result, &mut settings);
    assert_eq!((settings.n_threads, settings.n_threads_batch), (2, 8), "only its own");
    let prefill = step(TuningAxis::PrefillThreads, &result, Some(1)).unwrap();
    let slots: Vec<u32> = prefill.candidates.iter().map(|c| c.slot).collect();
    assert_eq!(slots, [1, 0, 2], "what decode uses comes first");
    assert_eq!((prefill.chosen().unwrap().slot, prefill.reason), (2, TuningReason::Fastest));
    prefill.settle(&result, &mut settings);
    assert_eq!((settings.n_threads, settings.n_threads_batch), (2, 4));
}

#[test]
fn prefill_keeps_decodes_threads_if_nothing_is_gained() {
    let result = swept(&Sweep::Threads(vec![1, 2, 4]), &[(10.0, 95.0), (18.0, 96.0), (17.0, 97.0)]).result();
    let prefill = step(TuningAxis::PrefillThreads, &result, Some(1)).unwrap();
    assert_eq!((prefill.chosen().unwrap().slot, prefill.reason), (1, TuningReason::NoneReallyFaster));
}

#[test]
fn a_default_stays_unless_another_value_is_really_faster() {
    let batches = Sweep::MicroBatch(vec![512, 128, 1_024]);
    let kept =
        step(TuningAxis::MicroBatch, &swept(&batches, &[(1.0, 100.0), (9.0, 102.0), (9.0, 90.0)]).result(), None);
    assert_eq!(kept.unwrap().chosen, 0, "decode has no part in it, and 2 % is no real difference");
    let bench = swept(&batches, &[(9.0, 100.0), (9.0, 110.0), (9.0, 150.0)]);
    let changed = step(TuningAxis::MicroBatch, &bench.result(), None).unwrap();
    let mut settings = EngineSettings { n_batch: 512, ..EngineSettings::new(512, 4) };
    changed.settle(&bench.result(), &mut settings);
    assert_eq!((settings.n_ubatch, settings.n_batch), (1_024, 1_024));
    let flash = Sweep::FlashAttention(vec![FlashAttention::Auto, FlashAttention::Off]);
    let flash = step(TuningAxis::FlashAttention, &swept(&flash, &[(9.0, 100.0), (10.0, 100.0)]).result(), None);
    assert_eq!(flash.unwrap().chosen, 1, "both figures together are 5 % faster");
}

#[test]
fn what_changes_answers_or_memory_is_only_shown() {
    let rates = [(10.0, 100.0), (20.0, 200.0)];
    for (axis, sweep) in [
        (TuningAxis::KvType, Sweep::KvType(vec![KvType::F16, KvType::Q8_0])),
        (TuningAxis::Repack, Sweep::Repack(vec![true, false])),
    ] {
        let shown = step(axis, &swept(&sweep, &rates).result(), None).unwrap();
        assert_eq!((shown.chosen, shown.reason), (0, TuningReason::DefaultStays));
        assert!(shown.candidates[0].beaten, "the figures say so all the same");
        assert_eq!(shown.candidates[1].figures.len(), 2);
    }
}

#[test]
fn a_candidate_that_failed_says_why_and_one_that_is_left_is_chosen() {
    let mut bench = swept(&Sweep::Threads(vec![1, 2]), &[(10.0, 50.0), (20.0, 90.0)]);
    let cell = bench.cell(1, "tg16");
    cell.state = CellState::Failed;
    cell.failure = Some(ErrorReport::new(ErrorCode::OutOfMemory, "Ended."));
    let left = step(TuningAxis::Threads, &bench.result(), None).unwrap();
    assert_eq!((left.chosen, left.reason), (0, TuningReason::Fastest));
    assert_eq!(left.candidates[1].failure.as_ref().unwrap().code, ErrorCode::OutOfMemory);
    assert!(left.candidates[1].figures.is_empty() && left.candidates[1].behind.is_none());
    let cell = bench.cell(0, "tg16");
    cell.state = CellState::Failed;
    assert_eq!(step(TuningAxis::Threads, &bench.result(), None), None);
    assert!(step(TuningAxis::PrefillThreads, &bench.result(), None).is_some(), "its own task was measured");
}

fn tuning(step: TuningStep, automatic: bool) -> Tuning {
    let device = device();
    Tuning {
        id: TuningId(Uuid::from_u128(1)),
        job_id: JobId(Uuid::from_u128(2)),
        tuned_at: chrono::DateTime::UNIX_EPOCH,
        place: TunedPlace {
            fingerprint: device.fingerprint,
            logical_cores: device.logical_cores,
            bindings_version: "1".into(),
            cpu_variant: "cpu".into(),
        },
        model_sha256: "a".repeat(64),
        model: "SmolLM2".into(),
        automatic,
        disturbed: step.is_disturbed(),
        steps: vec![step],
        chosen: TunedSettings::of(&EngineSettings::new(512, 2)),
    }
}

#[test]
fn a_disturbed_tuning_that_nobody_asked_for_is_not_used_and_tried_three_times() {
    let mut bench = swept(&Sweep::Threads(vec![1, 2]), &[(10.0, 50.0), (20.0, 90.0)]);
    let quiet = step(TuningAxis::Threads, &bench.result(), None).unwrap();
    assert!(!quiet.is_disturbed());
    for sample in &mut bench.samples {
        sample.machine.other_cpu = Some(0.5);
    }
    let busy = step(TuningAxis::Threads, &bench.result(), None).unwrap();
    assert!(busy.is_disturbed());
    let (quiet, busy, asked) = (tuning(quiet, true), tuning(busy.clone(), true), tuning(busy, false));
    assert!(quiet.is_usable() && !busy.is_usable() && asked.is_usable());
    assert!(Tuning::is_missing([]));
    assert!(Tuning::is_missing([&busy, &busy]));
    assert!(!Tuning::is_missing([&busy, &busy, &busy]), "a machine that is never quiet");
    assert!(!Tuning::is_missing([&busy, &quiet]));
    assert!(!Tuning::is_missing([&asked]));
}

#[test]
fn what_was_chosen_goes_into_any_settings_and_leaves_the_rest() {
    let tuned =
        TunedSettings { n_threads: 3, n_threads_batch: 5, n_ubatch: 4_096, flash_attention: FlashAttention::Off };
    let mut settings = EngineSettings { kv_type_k: KvType::Q8_0, repack: false, ..EngineSettings::new(777, 8) };
    tuned.apply(&mut settings);
    assert_eq!(TunedSettings::of(&settings), tuned);
    assert_eq!((settings.n_batch, settings.n_ctx, settings.repack), (4_096, 777, false));
    assert_eq!(settings.kv_type_k, KvType::Q8_0);
}
