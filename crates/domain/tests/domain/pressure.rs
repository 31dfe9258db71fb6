use crate::fixture::{Bench, entry, generate, task};
use pocketbench_domain::pressure::{PressureOutcome, PressureReport};
use pocketbench_domain::run::{CellState, RunEntry};
use pocketbench_domain::suite::Category;
use pocketbench_domain::{ErrorCode, ErrorReport};

const GB: u64 = 1_000_000_000;

fn pressed(bytes: u64) -> RunEntry {
    RunEntry { leave_free_bytes: Some(bytes), variant: Some(format!("{bytes} left free")), ..entry("A", "Q4_1") }
}

/// An entry without a balloon at 100 tok/s, and others at these rates; no rates: the cell fails with this code.
fn report(others: &[(u64, &[f64], Option<ErrorCode>)]) -> PressureReport {
    let entries = std::iter::once(entry("A", "Q4_1")).chain(others.iter().map(|(bytes, _, _)| pressed(*bytes)));
    let mut bench = Bench::new(entries.collect(), vec![task("a", Category::ShortQa, generate())]);
    bench.answers(0, "a", &[99.0, 100.0, 101.0, 100.0, 100.0], 50.0, 200);
    for (slot, (_, rates, failure)) in (1..).zip(others) {
        bench.answers(slot, "a", rates, 50.0, 200);
        if let Some(code) = failure {
            let cell = bench.cell(slot, "a");
            cell.state = CellState::Failed;
            cell.failure = Some(ErrorReport::new(*code, "why it failed"));
        }
    }
    bench.result().pressure.expect("entries with a balloon")
}

#[test]
fn a_run_without_a_balloon_says_nothing_of_pressure() {
    let mut bench = Bench::of_two(vec![task("a", Category::ShortQa, generate())]);
    bench.answers(0, "a", &[10.0, 10.0], 50.0, 200);
    assert_eq!(bench.result().pressure, None);
}

#[test]
fn it_says_where_it_runs_at_full_speed_where_it_slows_and_where_it_dies() {
    // Named out of order on purpose.
    let report = report(&[
        (GB, &[40.0, 41.0, 39.0, 40.0, 40.0], None),
        (2 * GB, &[99.0, 100.0, 101.0, 100.0, 99.5], None),
        (GB / 2, &[], Some(ErrorCode::OutOfMemory)),
    ]);
    assert_eq!(report.unpressed, Some(0));
    let steps: Vec<(u32, u64)> = report.steps.iter().map(|step| (step.slot, step.leave_free_bytes)).collect();
    assert_eq!(steps, [(2, 2 * GB), (1, GB), (3, GB / 2)], "the most memory first");
    assert_eq!(report.steps[0].outcome, PressureOutcome::FullSpeed);
    assert_eq!(report.steps[1].outcome, PressureOutcome::Slower);
    assert!((report.steps[1].speed.unwrap().value - 0.4).abs() < 1e-9);
    assert!(
        matches!(&report.steps[2].outcome, PressureOutcome::Died { failure } if failure.code == ErrorCode::OutOfMemory)
    );
    assert_eq!(
        report.sentence,
        "A · Q4_1 under memory pressure: with 2.00 GB left free it runs at full speed (100 %, 95 % interval 100 to 100 %); \
         with 1.00 GB left free it slows to 40 % (95 % interval 39 to 41 %); with 500 MB left free it dies: memory runs out."
    );
}

#[test]
fn a_balloon_that_could_not_be_had_is_no_death_and_a_crash_is_one() {
    let report = report(&[
        (3 * GB, &[], Some(ErrorCode::NotEnoughMemory)),
        (2 * GB, &[], Some(ErrorCode::UnsupportedRequest)),
        (GB, &[100.0, 100.0], Some(ErrorCode::WorkerCrashed)),
        (GB / 2, &[], None),
        (GB / 3, &[100.0, 100.0], Some(ErrorCode::MeasurementInterrupted)),
    ]);
    let kinds: Vec<&PressureOutcome> = report.steps.iter().map(|step| &step.outcome).collect();
    assert!(
        matches!(kinds[0], PressureOutcome::NotMeasured { failure: Some(f) } if f.code == ErrorCode::NotEnoughMemory)
    );
    assert!(matches!(kinds[1], PressureOutcome::NotMeasured { failure: Some(_) }));
    assert!(matches!(kinds[2], PressureOutcome::Died { .. }), "whatever it did before");
    assert!(matches!(kinds[3], PressureOutcome::NotMeasured { failure: None }));
    assert!(matches!(kinds[4], PressureOutcome::NotMeasured { failure: Some(_) }), "its figures may be of any memory");
    assert!(report.sentence.contains("it could not be measured: why it failed"), "{}", report.sentence);
}

#[test]
fn scatter_is_no_full_speed() {
    let report = report(&[(GB, &[30.0, 250.0, 100.0, 90.0, 40.0], None)]);
    let step = &report.steps[0];
    assert_eq!(step.outcome, PressureOutcome::NotMeasured { failure: None });
    assert!(step.speed.is_some(), "it is shown all the same");
    assert!(report.sentence.contains("the measurements scatter too much to say (90 %"), "{}", report.sentence);
}

#[test]
fn pages_that_are_read_again_and_memory_that_is_swapped_out_are_told() {
    let entries = vec![entry("A", "Q4_1"), pressed(GB)];
    let mut bench = Bench::new(entries, vec![task("a", Category::ShortQa, generate())]);
    bench.answers(0, "a", &[100.0, 100.0, 100.0], 50.0, 200);
    bench.answers(1, "a", &[50.0, 50.0, 50.0], 50.0, 200);
    let pressed: Vec<_> = bench.cells.iter().filter(|cell| cell.slot == 1).map(|cell| cell.id).collect();
    for (sample, faults) in bench.samples.iter_mut().filter(|s| pressed.contains(&s.cell_id)).zip([900, 1_000, 1_100]) {
        sample.memory.major_faults = Some(faults);
        sample.memory.swap_bytes = Some(5_000_000);
    }
    let report = bench.result().pressure.unwrap();
    let step = &report.steps[0];
    assert_eq!((step.major_faults, step.swap_bytes), (Some(1_000.0), Some(5_000_000)));
    assert_eq!(step.outcome, PressureOutcome::Slower, "swapping is what is looked for, not a reason to look away");
    assert!(report.sentence.contains("waiting 1000 times a repetition for pages from storage"), "{}", report.sentence);
    assert!(report.sentence.contains("5.00 MB of it swapped out"), "{}", report.sentence);
}
