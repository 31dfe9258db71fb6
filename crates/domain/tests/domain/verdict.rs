//! From tables to a sentence.

use crate::fixture::{
    Bench, MAX_TOKENS, batch, batch_generation, entry, generate, generation, load, synthetic, synthetic_time, task,
};
use pocketbench_domain::compare::RunResult;
use pocketbench_domain::error::{ErrorCode, ErrorReport};
use pocketbench_domain::generate::{StopReason, SyntheticRequest};
use pocketbench_domain::run::{CellState, RunEntry};
use pocketbench_domain::suite::{Category, Task, Work};
use pocketbench_domain::verdict::{Certainty, Doubt, Outcome, Quality};
use std::fmt::Write;

const WOBBLE: [f64; 5] = [1.0, 1.012, 0.991, 1.004, 0.996];

/// What one model does: tokens a second, milliseconds to the first token, megabytes.
#[derive(Clone, Copy)]
struct Model {
    tps: f64,
    ttft_ms: f64,
    peak_mb: u64,
}

const BASE: Model = Model { tps: 100.0, ttft_ms: 80.0, peak_mb: 400 };

fn tasks() -> Vec<Task> {
    vec![
        task("cold-start", Category::Load, Work::Load { cold: true }),
        task("qa", Category::ShortQa, generate()),
        task("code", Category::Code, generate()),
        task("batch", Category::Batch, batch()),
        task("pp512", Category::Synthetic, synthetic(512, 0)),
        task("tg128", Category::Synthetic, synthetic(0, 128)),
    ]
}

fn measure(bench: &mut Bench, slot: u32, model: Model, repetitions: usize) {
    let mut wobbles = WOBBLE[..repetitions].to_vec();
    // The two must not scatter alike: then their ratio would not scatter at all.
    if slot == 1 {
        wobbles.reverse();
    }
    for wobble in wobbles {
        let (tps, ttft) = (model.tps * wobble, model.ttft_ms / wobble);
        let answer = |tps| generation(tps, ttft, MAX_TOKENS, StopReason::MaxTokens);
        bench.push(slot, "cold-start", load(true, 200.0 * wobble, 400.0 * wobble), model.peak_mb);
        bench.push(slot, "qa", answer(tps), model.peak_mb);
        bench.push(slot, "code", answer(tps * 0.95), model.peak_mb);
        bench.push(slot, "batch", batch_generation(tps * 2.5), model.peak_mb);
        for (id, n_prompt, n_gen, rate) in [("pp512", 512, 0, tps * 8.0), ("tg128", 0, 128, tps)] {
            let request = SyntheticRequest { n_prompt, n_gen, n_depth: 0 };
            bench.push(slot, id, synthetic_time(request, rate), model.peak_mb);
        }
    }
}

fn two(a: Model, b: Model, repetitions: usize) -> Bench {
    let mut bench = Bench::new(entries(), tasks());
    measure(&mut bench, 0, a, repetitions);
    measure(&mut bench, 1, b, repetitions);
    bench
}

fn entries() -> Vec<RunEntry> {
    vec![entry("SmolLM2 135M Instruct", "Q4_1"), entry("Gemma 3 270M", "Q4_K_M")]
}

fn fast() -> Model {
    Model { tps: 180.0, ttft_ms: 38.0, peak_mb: 240 }
}

fn fail(bench: &mut Bench, slot: u32, task: &str) {
    let cell = bench.cell(slot, task);
    cell.state = CellState::Failed;
    cell.failure = Some(ErrorReport::new(ErrorCode::WorkerCrashed, "the worker ended by itself"));
    let id = cell.id;
    bench.samples.retain(|sample| sample.cell_id != id);
}

#[test]
fn the_better_one_is_named() {
    let result = two(fast(), BASE, 3).result();
    let verdict = &result.verdict;
    assert_eq!((verdict.outcome, verdict.winner), (Outcome::Better, Some(0)));
    let [speed, ttft, memory] = verdict.dimensions.as_slice() else { panic!("three qualities") };
    assert_eq!(speed.quality, Quality::WritingSpeed);
    assert_eq!((speed.tasks, ttft.tasks, memory.tasks), (4, 2, 5), "no pp for speed, no loads for memory");
    assert!((speed.advantage - 1.8).abs() < 1e-3 && speed.interval.contains(speed.advantage));
    assert!((ttft.advantage - 80.0 / 38.0).abs() < 1e-3);
    assert!((memory.advantage - 400.0 / 240.0).abs() < 1e-9);
    assert!([speed, ttft, memory].iter().all(|dimension| dimension.winner == Some(0)));
    assert_eq!((verdict.tasks_won.as_slice(), verdict.tasks_compared), ([5, 0].as_slice(), 6), "loads are alike");
    assert_eq!(verdict.certainty, Certainty::Moderate);
    assert_eq!(verdict.doubts, [Doubt::FewRepetitions { count: 3 }]);
}

#[test]
fn the_second_can_be_the_better_one() {
    let (one, other) = (two(fast(), BASE, 5).result().verdict, two(BASE, fast(), 5).result().verdict);
    assert_eq!((other.outcome, other.winner), (Outcome::Better, Some(1)));
    for (a, b) in one.dimensions.iter().zip(&other.dimensions) {
        assert!((a.advantage * b.advantage - 1.0).abs() < 1e-9);
    }
    assert_eq!(one.certainty, Certainty::High);
    assert_eq!(one.doubts, []);
}

#[test]
fn most_noisy_cells_make_it_unsure() {
    let mut bench = two(fast(), BASE, 5);
    for sample in &mut bench.samples {
        sample.machine.other_cpu = Some(0.3);
    }
    let verdict = bench.result().verdict;
    assert_eq!(verdict.certainty, Certainty::Low);
    assert_eq!(verdict.doubts, [Doubt::BusyMachine { count: 10, of: 10 }], "loads are not weighed");
    let cell_id = bench.cell(0, "qa").id;
    for sample in &mut bench.samples {
        sample.machine.other_cpu = Some(if sample.cell_id == cell_id { 0.3 } else { 0.0 });
    }
    let verdict = bench.result().verdict;
    assert_eq!(
        (verdict.certainty, verdict.doubts),
        (Certainty::Moderate, vec![Doubt::BusyMachine { count: 1, of: 10 }])
    );
}

#[test]
fn early_stops_leave_the_certainty_alone() {
    let mut bench = two(fast(), BASE, 5);
    for sample in &mut bench.samples {
        if let pocketbench_domain::run::Measured::Generation(g) = &mut sample.measured {
            g.stop = StopReason::EndOfGeneration;
            g.generated_tokens = 60;
            g.token_at_ns.truncate(60);
        }
    }
    let verdict = bench.result().verdict;
    assert_eq!((verdict.certainty, verdict.doubts), (Certainty::High, vec![]));
}

#[test]
fn red_cells_failures_and_gaps_are_counted_and_left_out() {
    let mut bench = two(fast(), BASE, 5);
    fail(&mut bench, 1, "batch");
    let code = bench.cell(0, "code").id;
    let pending = bench.cell(1, "tg128");
    pending.state = CellState::Pending;
    let pending = pending.id;
    bench.samples.retain(|sample| sample.cell_id != pending);
    for sample in bench.samples.iter_mut().filter(|sample| sample.cell_id == code) {
        sample.memory.swap_bytes = Some(1 << 20);
    }
    let verdict = bench.result().verdict;
    assert_eq!((verdict.outcome, verdict.certainty), (Outcome::Better, Certainty::Low));
    let doubts = [
        Doubt::LeftOut { count: 1, of: 10 },
        Doubt::FailedCells { count: 1, of: 10 },
        Doubt::NotMeasured { count: 1, of: 10 },
    ];
    assert_eq!(verdict.doubts, doubts);
    let speed = &verdict.dimensions[0];
    assert_eq!((speed.quality, speed.tasks), (Quality::WritingSpeed, 1), "qa is all that is left");
}

#[test]
fn nothing_valid_means_no_verdict() {
    let mut bench = two(fast(), BASE, 5);
    for sample in &mut bench.samples {
        sample.memory.swap_bytes = Some(1);
    }
    let verdict = bench.result().verdict;
    assert_eq!((verdict.outcome, verdict.winner, verdict.certainty), (Outcome::Withheld, None, Certainty::Low));
    assert!(verdict.dimensions.is_empty());
    assert_eq!(verdict.doubts, [Doubt::LeftOut { count: 10, of: 10 }]);
}

/// Every kind of sentence, to be read aloud.
#[test]
fn sentences() {
    let mut texts = String::new();
    let mut say = |title: &str, result: &RunResult| {
        writeln!(texts, "[{title}]\n{}\n", result.verdict.sentence).expect("a string takes all");
    };
    say("better, three repetitions", &two(fast(), BASE, 3).result());
    say("better, sure", &two(BASE, fast(), 5).result());
    let slightly = Model { tps: 112.0, ttft_ms: 74.0, peak_mb: 400 };
    say("slightly better", &two(slightly, BASE, 5).result());
    let big_and_fast = Model { tps: 180.0, ttft_ms: 38.0, peak_mb: 700 };
    say("trade-off", &two(big_and_fast, BASE, 5).result());
    say("trade-off with a tie", &two(Model { tps: 100.5, ..big_and_fast }, BASE, 5).result());
    say("no real difference", &two(Model { tps: 100.5, ..BASE }, BASE, 5).result());

    let mut noisy = two(fast(), BASE, 3);
    for (n, sample) in noisy.samples.iter_mut().enumerate() {
        sample.machine.other_cpu = Some(0.2);
        if n / 6 % 2 == 0
            && let pocketbench_domain::run::Measured::Synthetic(s) = &mut sample.measured
        {
            s.elapsed_ns = s.elapsed_ns * 3 / 2;
        }
    }
    fail(&mut noisy, 1, "batch");
    say("better, with doubts", &noisy.result());

    say("nothing measured", &Bench::new(entries(), tasks()).result());
    let mut all_failed = Bench::new(entries(), tasks());
    for task in tasks() {
        fail(&mut all_failed, 1, &task.id);
    }
    measure(&mut all_failed, 0, fast(), 3);
    say("one side failed", &all_failed.result());

    let mut single = Bench::new(entries()[..1].to_vec(), tasks());
    say("single, nothing measured", &single.result());
    measure(&mut single, 0, fast(), 5);
    say("single", &single.result());

    let mut same = Bench::new(vec![entry("SmolLM2 135M Instruct", "Q4_1"); 2], tasks());
    measure(&mut same, 0, fast(), 5);
    measure(&mut same, 1, BASE, 5);
    say("same model, other settings", &same.result());
    say(
        "three models",
        &Bench::new(vec![entry("A", "Q8_0"), entry("B", "Q8_0"), entry("C", "Q8_0")], tasks()).result(),
    );
    let mut sweep = Bench::new(
        ["1 thread", "2 threads", "4 threads"]
            .map(|variant| RunEntry { variant: Some(variant.into()), ..entry("A", "Q8_0") })
            .to_vec(),
        tasks(),
    );
    for slot in 0..3 {
        measure(&mut sweep, slot, BASE, 5);
    }
    say("a setting that does not matter", &sweep.result());
    sweep.samples.clear();
    measure(&mut sweep, 0, BASE, 5);
    measure(&mut sweep, 1, fast(), 5);
    measure(&mut sweep, 2, Model { tps: fast().tps * 0.99, ..fast() }, 5);
    say("a sweep", &sweep.result());
    for task in tasks() {
        fail(&mut sweep, 2, &task.id);
    }
    say("a sweep of which one died", &sweep.result());
    say("no models", &Bench::new(Vec::new(), tasks()).result());
    insta::assert_snapshot!(texts);
}

/// A whole result, with four digits so that no machine's last bit matters.
#[test]
fn table() {
    let mut bench = two(fast(), BASE, 3);
    fail(&mut bench, 1, "batch");
    let result = bench.result();
    let mut text = String::new();
    for task in &result.tasks {
        let flags: Vec<String> = task
            .cells
            .iter()
            .map(|cell| cell.flags.iter().map(|flag| format!("{:?}", flag.kind)).collect::<Vec<_>>().join("+"))
            .collect();
        writeln!(text, "{} [{}]", task.title, flags.join(" | ")).expect("a string takes all");
        for row in &task.rows {
            let sides: Vec<String> = row
                .sides
                .iter()
                .map(|side| side.as_ref().map_or("–".into(), |s| format!("{:.4e}", s.median)))
                .collect();
            let ratio = row
                .ratio
                .map_or("–".into(), |r| format!("{:.4} ({:.4} to {:.4})", r.value, r.interval.low, r.interval.high));
            writeln!(text, "  {:<28} {:>24}  {ratio:<28} {:?}", row.metric, sides.join(" | "), row.verdict)
                .expect("a string takes all");
        }
    }
    for d in &result.verdict.dimensions {
        writeln!(
            text,
            "{:?}: {:.4} ({:.4} to {:.4}) over {} tasks, winner {:?}",
            d.quality, d.advantage, d.interval.low, d.interval.high, d.tasks, d.winner
        )
        .expect("a string takes all");
    }
    writeln!(text, "{}", result.verdict.sentence).expect("a string takes all");
    insta::assert_snapshot!(text);
}

#[test]
fn a_sweep_names_the_best_and_those_that_are_as_good() {
    let variants = ["1 thread", "2 threads", "4 threads"];
    let entries = variants.map(|variant| RunEntry { variant: Some(variant.into()), ..entry("A", "Q8_0") });
    let mut bench = Bench::new(entries.to_vec(), tasks());
    for (slot, tps) in [(0, 100.0), (1, 181.0), (2, 180.0)] {
        measure(&mut bench, slot, Model { tps, ..BASE }, 5);
    }
    let verdict = bench.result().verdict;
    assert_eq!((verdict.outcome, verdict.winner), (Outcome::Sweep, None));
    let written = verdict.sweep.iter().find(|finding| finding.task_id == "tg128").unwrap();
    assert_eq!((written.best, written.even.as_slice(), written.worst), (1, [2].as_slice(), 0));
    assert!((written.factor - 1.81).abs() < 1e-6 && written.interval.contains(written.factor) && written.matters());
    let memory = verdict.sweep.last().unwrap();
    assert!(memory.metric == pocketbench_domain::metric::Metric::PeakRssBytes && !memory.matters());
    assert_eq!(verdict.certainty, Certainty::High);
}
