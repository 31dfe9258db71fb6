//! From stored samples to rows.

use crate::fixture::{
    Bench, MAX_TOKENS, batch, batch_generation, entry, generate, generation, load, round, sustained, synthetic,
    synthetic_time, task,
};
use chrono::TimeDelta;
use pocketbench_domain::compare::{CompareOptions, MetricRow, NotComparable, RowVerdict, RunResult};
use pocketbench_domain::conditions::{Conditions, SensorClass, Spread, TemperatureSpread};
use pocketbench_domain::error::{ErrorCode, ErrorReport};
use pocketbench_domain::generate::{StopReason, SyntheticRequest};
use pocketbench_domain::metric::Metric;
use pocketbench_domain::run::{CellState, RunId, Session, SessionId};
use pocketbench_domain::suite::{Category, Work};
use pocketbench_domain::validity::FlagKind;
use pocketbench_domain::verdict::Quality;
use proptest::prelude::*;
use uuid::Uuid;

const FAST: [f64; 5] = [150.0, 151.0, 149.0, 150.5, 149.5];
const SLOW: [f64; 5] = [100.0, 101.0, 99.0, 100.5, 99.5];

fn qa(bench: impl FnOnce(&mut Bench)) -> RunResult {
    let mut b = Bench::of_two(vec![task("qa", Category::ShortQa, generate())]);
    bench(&mut b);
    b.result()
}

fn row(result: &RunResult, metric: Metric) -> &MetricRow {
    result.tasks[0].rows.iter().find(|row| row.metric == metric).expect("a row of the task")
}

fn verdict(result: &RunResult, metric: Metric) -> &RowVerdict {
    &row(result, metric).verdict
}

#[test]
fn rows_carry_values_medians_ratio_and_winner() {
    let result = qa(|b| {
        b.answers(0, "qa", &FAST, 50.0, 300);
        b.answers(1, "qa", &SLOW, 80.0, 300);
    });
    let task = &result.tasks[0];
    assert_eq!(task.headline, Metric::DecodeTps);
    let order: Vec<Metric> = task.rows.iter().map(|row| row.metric).collect();
    let expected: Vec<Metric> =
        Metric::for_work(&generate()).iter().copied().filter(|metric| !metric.is_optional()).collect();
    assert_eq!(order, expected, "nobody thought first and no sensor counted energy, so nothing is said of either");
    let decode = row(&result, Metric::DecodeTps);
    for (measured, given) in decode.values[0].iter().zip(FAST) {
        assert!((measured - given).abs() < 1e-4, "in the order measured, to the nanosecond");
    }
    let ratio = decode.ratio.expect("five values on each side");
    assert!((ratio.value - 100.0 / 150.0).abs() < 1e-6 && ratio.interval.contains(ratio.value));
    assert_eq!(decode.verdict, RowVerdict::Winner { slot: 0 });
    assert_eq!(*verdict(&result, Metric::TtftMs), RowVerdict::Winner { slot: 0 }, "less time is better");
    assert_eq!(*verdict(&result, Metric::PeakRssBytes), RowVerdict::NoRealDifference);
    assert_eq!(*verdict(&result, Metric::E2eMs), RowVerdict::Winner { slot: 0 }, "same length");
    assert!((result.cold_start_sla_ms - 3_000.0).abs() < f64::EPSILON);
}

#[test]
fn a_difference_below_the_smallest_effect_is_none() {
    let close = |factor: f64| {
        let near = SLOW.map(|rate| (rate - 100.0) / 100.0 + 100.0 * factor);
        let tight = SLOW.map(|rate| (rate - 100.0) / 100.0 + 100.0);
        let result = qa(|b| {
            b.answers(0, "qa", &near, 50.0, 300);
            b.answers(1, "qa", &tight, 50.0, 300);
        });
        verdict(&result, Metric::DecodeTps).clone()
    };
    assert_eq!(close(1.025), RowVerdict::NoRealDifference, "2.5 %, though the interval excludes 1");
    assert_eq!(close(1.035), RowVerdict::Winner { slot: 0 });
    assert_eq!(close(1.0 / 1.035), RowVerdict::Winner { slot: 1 });
}

#[test]
fn an_interval_around_one_is_no_difference() {
    let result = qa(|b| {
        b.answers(0, "qa", &[100.0, 120.0, 140.0, 110.0, 90.0], 50.0, 300);
        b.answers(1, "qa", &[104.0, 95.0, 130.0, 85.0, 100.0], 50.0, 300);
    });
    assert_eq!(*verdict(&result, Metric::DecodeTps), RowVerdict::NoRealDifference);
}

#[test]
fn repetitions_are_pairs_and_what_slows_both_does_not_hide_a_difference() {
    let a = [100.0, 120.0, 140.0, 110.0, 90.0];
    // 5 % less each time, on a machine that does not keep its speed.
    let b = a.map(|rate| rate * 0.95);
    let answers = |n: usize| {
        let result = qa(|bench| {
            bench.answers(0, "qa", &a[..n], 50.0, 300);
            bench.answers(1, "qa", &b[..n], 50.0, 300);
        });
        let speed = result.verdict.dimensions.iter().find(|d| d.quality == Quality::WritingSpeed).unwrap().winner;
        (verdict(&result, Metric::DecodeTps).clone(), speed)
    };
    assert_eq!(answers(5), (RowVerdict::Winner { slot: 0 }, Some(0)));
    assert_eq!(answers(4), (RowVerdict::NoRealDifference, None), "too few pairs to be sure");
}

#[test]
fn the_smallest_effect_is_a_setting() {
    let mut b = Bench::of_two(vec![task("qa", Category::ShortQa, generate())]);
    b.answers(0, "qa", &FAST, 50.0, 300);
    b.answers(1, "qa", &SLOW, 50.0, 300);
    let options = CompareOptions { min_effect: 0.6, cold_start_sla_ms: 1_000.0, ..CompareOptions::default() };
    let result = b.result_with(&options);
    assert_eq!(*verdict(&result, Metric::DecodeTps), RowVerdict::NoRealDifference);
    assert!((result.cold_start_sla_ms - 1_000.0).abs() < f64::EPSILON);
}

#[test]
fn answers_of_different_lengths_have_no_comparable_times() {
    let result = qa(|b| {
        for _ in 0..5 {
            b.push(0, "qa", generation(150.0, 50.0, 60, StopReason::EndOfGeneration), 300);
            b.push(1, "qa", generation(100.0, 50.0, MAX_TOKENS, StopReason::MaxTokens), 300);
        }
    });
    let e2e = row(&result, Metric::E2eMs);
    assert_eq!(e2e.verdict, RowVerdict::NotComparable { reason: NotComparable::AnswerLengths });
    assert!(e2e.ratio.is_some() && e2e.sides.iter().all(Option::is_some), "figures are shown all the same");
    assert_eq!(*verdict(&result, Metric::DecodeTps), RowVerdict::Winner { slot: 0 });
    assert_eq!(result.tasks[0].cells[0].flags[0].kind, FlagKind::EarlyStop);
}

#[test]
fn batches_of_different_lengths_have_no_comparable_times_either() {
    let mut b = Bench::of_two(vec![task("b", Category::Batch, batch())]);
    for slot in [0, 1] {
        for rate in SLOW {
            b.push(slot, "b", batch_generation(rate), 300);
        }
    }
    assert_eq!(*verdict(&b.result(), Metric::BatchMs), RowVerdict::NoRealDifference);
    if let pocketbench_domain::run::Measured::Batch(batch) = &mut b.samples[0].measured {
        batch.sequences[0].generated_tokens = 7;
    }
    let reason = NotComparable::AnswerLengths;
    assert_eq!(*verdict(&b.result(), Metric::BatchMs), RowVerdict::NotComparable { reason });
}

#[test]
fn a_red_flag_rules_every_row_out() {
    let result = qa(|b| {
        b.answers(0, "qa", &FAST, 50.0, 300);
        b.answers(1, "qa", &[100.0, 97.0, 94.0, 92.0, 90.0], 50.0, 300);
    });
    for row in &result.tasks[0].rows {
        assert_eq!(row.verdict, RowVerdict::NotComparable { reason: NotComparable::RedFlag }, "{}", row.metric);
    }
}

#[test]
fn too_little_is_said_to_be_too_little() {
    let one = qa(|b| {
        b.answers(0, "qa", &FAST, 50.0, 300);
        b.answers(1, "qa", &SLOW[..1], 50.0, 300);
    });
    assert_eq!(*verdict(&one, Metric::DecodeTps), RowVerdict::TooFewSamples);
    assert_eq!(row(&one, Metric::DecodeTps).ratio, None);
    let none = qa(|b| b.answers(0, "qa", &FAST, 50.0, 300));
    assert_eq!(*verdict(&none, Metric::DecodeTps), RowVerdict::NotMeasured);
    assert_eq!(row(&none, Metric::DecodeTps).sides[1], None);
}

#[test]
fn a_failed_cell_shows_what_it_had_and_concludes_nothing() {
    let failure = ErrorReport::new(ErrorCode::OutOfMemory, "the worker was ended");
    let result = qa(|b| {
        b.answers(0, "qa", &FAST, 50.0, 300);
        b.answers(1, "qa", &SLOW[..3], 50.0, 300);
        let cell = b.cell(1, "qa");
        (cell.state, cell.failure) = (CellState::Failed, Some(failure.clone()));
    });
    assert_eq!(result.tasks[0].cells[1].failure, Some(failure));
    let decode = row(&result, Metric::DecodeTps);
    assert_eq!((decode.verdict.clone(), decode.values[1].len()), (RowVerdict::NotMeasured, 3));
}

#[test]
fn warm_ups_other_runs_and_loads_that_were_not_cold_are_left_out() {
    let mut b = Bench::of_two(vec![task("cold", Category::Load, Work::Load { cold: true })]);
    for slot in [0, 1] {
        b.push(slot, "cold", load(true, 200.0, 300.0), 300);
        b.push(slot, "cold", load(false, 20.0, 30.0), 300);
        b.push(slot, "cold", load(true, 900.0, 999.0), 900).warmup = true;
    }
    let mut stranger = b.cells[0].clone();
    stranger.run_id = RunId(Uuid::from_u128(77));
    b.cells.insert(0, stranger);
    let result = b.result();
    assert_eq!(row(&result, Metric::FirstTokenMs).values, [[300.0], [300.0]]);
    assert_eq!(result.entries[0].memory.peak_rss_bytes, Some(300_000_000));
}

#[test]
fn one_model_alone_has_figures_and_no_winner() {
    let mut b = Bench::new(vec![entry("Model A", "Q4_1")], vec![task("qa", Category::ShortQa, generate())]);
    b.answers(0, "qa", &FAST, 50.0, 300);
    let result = b.result();
    let decode = row(&result, Metric::DecodeTps);
    assert_eq!((decode.sides.len(), decode.ratio, decode.verdict.clone()), (1, None, RowVerdict::Single));
    b.samples.clear();
    assert_eq!(*verdict(&b.result(), Metric::DecodeTps), RowVerdict::NotMeasured);
}

#[test]
fn of_three_models_one_wins_only_against_both_others() {
    let of_three = |third: &[f64]| {
        let entries = ["A", "B", "C"].map(|name| entry(name, "Q4_1")).to_vec();
        let mut b = Bench::new(entries, vec![task("qa", Category::ShortQa, generate())]);
        b.answers(0, "qa", &SLOW, 50.0, 300);
        b.answers(1, "qa", &SLOW.map(|rate| rate * 0.7), 50.0, 300);
        b.answers(2, "qa", third, 50.0, 300);
        let result = b.result();
        assert_eq!(row(&result, Metric::DecodeTps).ratio, None);
        verdict(&result, Metric::DecodeTps).clone()
    };
    assert_eq!(of_three(&FAST), RowVerdict::Winner { slot: 2 });
    assert_eq!(of_three(&SLOW.map(|rate| rate * 1.001)), RowVerdict::NoRealDifference);
}

#[test]
fn memory_is_summed_up_for_each_entry() {
    let result = qa(|b| {
        b.answers(0, "qa", &FAST, 50.0, 310);
        b.answers(1, "qa", &SLOW[..2], 50.0, 305);
        b.push(1, "qa", generation(100.0, 50.0, MAX_TOKENS, StopReason::MaxTokens), 320);
        b.sessions[1].loaded.buffers.clear();
        b.sessions[1].baseline.rss_bytes = 0;
    });
    let [a, b] = [&result.entries[0].memory, &result.entries[1].memory];
    assert_eq!((a.peak_rss_bytes, b.peak_rss_bytes), (Some(310_000_000), Some(320_000_000)));
    assert_eq!((a.weights_bytes, a.kv_bytes, a.compute_bytes), (Some(90_000_000), Some(47_185_920), Some(101_711_872)));
    assert_eq!((a.baseline_rss_bytes, a.file_bytes, a.device_ram_bytes), (Some(20_000_000), 92_000_000, 8_000_000_000));
    assert_eq!((b.weights_bytes, b.baseline_rss_bytes), (None, None), "absent, not zero");
    assert!(a.predicted_bytes > 92_000_000);
    assert_eq!(result.entries[0].label, "Model A · Q4_1");
    assert_eq!(result.entries[1].sessions.len(), 1);
}

#[test]
fn nothing_stored_and_nothing_asked_still_have_a_result() {
    let empty = Bench::new(Vec::new(), vec![task("qa", Category::ShortQa, generate())]);
    assert_eq!(empty.result().entries.len(), 0);
    let mut b = Bench::of_two(vec![task("qa", Category::ShortQa, generate())]);
    b.cells.clear();
    let result = b.result();
    assert!(result.tasks[0].cells.iter().all(|cell| cell.state == CellState::Pending && cell.cell_id.0.is_nil()));
}

#[test]
fn order_of_what_is_stored_does_not_matter() {
    let mut b = Bench::of_two(vec![
        task("qa", Category::ShortQa, generate()),
        task("tg", Category::Synthetic, synthetic(0, 128)),
    ]);
    let request = SyntheticRequest { n_prompt: 0, n_gen: 128, n_depth: 0 };
    for (slot, rates) in [(0, FAST), (1, SLOW)] {
        b.answers(slot, "qa", &rates, 50.0, 300);
        for rate in rates {
            b.push(slot, "tg", synthetic_time(request, rate), 300);
        }
    }
    let result = b.result();
    b.samples.reverse();
    b.cells.reverse();
    b.sessions.reverse();
    assert_eq!(b.result(), result);
}

#[test]
fn a_hundred_thousand_samples_are_computed() {
    // No time is asserted: a quadratic scan would simply never come back.
    let tasks = (0..50).map(|n| task(&format!("t{n}"), Category::Synthetic, synthetic(0, 1))).collect();
    let mut b = Bench::of_two(tasks);
    let request = SyntheticRequest { n_prompt: 0, n_gen: 1, n_depth: 0 };
    let template = b.push(0, "t0", synthetic_time(request, 10.0), 300).clone();
    b.samples.clear();
    for cell in &b.cells {
        for repetition in 0..1_000 {
            let mut sample = template.clone();
            (sample.cell_id, sample.repetition) = (cell.id, repetition);
            let wobble = f64::from(repetition * 37 % 100) / 1_000.0;
            sample.measured = synthetic_time(request, 10.0 * f64::from(cell.slot + 1) + wobble);
            sample.session_id = b.sessions[cell.slot as usize].id;
            b.samples.push(sample);
        }
    }
    let result = b.result();
    assert_eq!(b.samples.len(), 100_000);
    assert!(result.tasks.iter().all(|task| task.rows[0].verdict == RowVerdict::Winner { slot: 1 }));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn it_does_not_matter_which_model_stands_first(
        a in prop::collection::vec(80.0..120.0f64, 2..7), b in prop::collection::vec(80.0..120.0f64, 2..7),
    ) {
        let run = |first: &[f64], second: &[f64]| {
            let result = qa(|bench| {
                bench.answers(0, "qa", first, 50.0, 300);
                bench.answers(1, "qa", second, 50.0, 300);
            });
            row(&result, Metric::DecodeTps).clone()
        };
        let (ab, ba) = (run(&a, &b), run(&b, &a));
        let (r, s) = (ab.ratio.unwrap(), ba.ratio.unwrap());
        prop_assert!((r.value * s.value - 1.0).abs() < 1e-12);
        if let (RowVerdict::Winner { slot: one }, RowVerdict::Winner { slot: other }) = (&ab.verdict, &ba.verdict) {
            prop_assert_eq!(*one, 1 - *other);
        }
        if let RowVerdict::Winner { slot } = ab.verdict {
            prop_assert!(!r.interval.contains(1.0));
            prop_assert_eq!(slot, u32::from(r.value > 1.0));
        }
    }
}

#[test]
fn a_sustained_task_has_a_curve_of_the_last_attempt_and_its_slowing_down_is_no_flag() {
    let mut bench = Bench::of_two(vec![task("sustained-1", Category::Sustained, sustained(90))]);
    // The first attempt was interrupted.
    bench.push(0, "sustained-1", round(0.0, 999.0), 200);
    let old = bench.sessions.iter().find(|s| s.slot == 0).unwrap().clone();
    let new = Session { id: SessionId(Uuid::from_u128(77)), started_at: old.started_at + TimeDelta::hours(1), ..old };
    bench.sessions.push(new.clone());
    for second in 0..90u32 {
        let hot = f64::from(second);
        let sample = bench.push(0, "sustained-1", round(hot, 60.0 - hot / 3.0), 200);
        sample.session_id = new.id;
        let celsius = Spread { min: 40.0, max: 40.0 + hot, mean: 40.0 + hot / 2.0 };
        let temperatures = vec![TemperatureSpread { class: SensorClass::Cpu, celsius }];
        sample.conditions = Some(Conditions { temperatures, ..Conditions::default() });
        bench.push(1, "sustained-1", round(hot, 50.0), 200);
    }
    let result = bench.result();
    let task = &result.tasks[0];
    let value = |metric, slot: usize| {
        task.rows.iter().find(|row| row.metric == metric).unwrap().sides[slot].as_ref().unwrap().median
    };
    assert!((value(Metric::BurstTps, 0) - 50.2).abs() < 0.2, "{}", value(Metric::BurstTps, 0));
    assert!((value(Metric::SteadyTps, 0) - 35.2).abs() < 0.2);
    assert!((value(Metric::SteadyTps, 1) - 50.0).abs() < 1e-6);
    assert!(!task.cells[0].flags.iter().any(|flag| flag.kind == FlagKind::Throttled));
    let curve = &task.curves[0];
    assert_eq!(curve.len(), 90);
    assert!(curve.iter().all(|point| point.decode_tps < 61.0), "nothing of the first attempt");
    assert_eq!(curve[80].celsius, Some(80.0));
    assert_eq!(task.curves[1][0].celsius, None);
    let writing = result.verdict.dimensions.iter().find(|d| d.quality == Quality::WritingSpeed).unwrap();
    assert_eq!(writing.winner, Some(1), "what counts is what is left when the device is hot");
}

#[test]
fn a_long_curve_is_thinned_out_by_means() {
    let mut bench = Bench::of_two(vec![task("sustained-1", Category::Sustained, sustained(90))]);
    for n in 0..1_000u32 {
        bench.push(0, "sustained-1", round(f64::from(n) * 0.09, if n % 2 == 0 { 40.0 } else { 60.0 }), 200);
    }
    let curve = &bench.result().tasks[0].curves[0];
    assert!((200..=240).contains(&curve.len()), "{}", curve.len());
    assert!(curve[..199].iter().all(|point| (44.0..=56.0).contains(&point.decode_tps)));
}
