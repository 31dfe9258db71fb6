use crate::fixture::{Bench, entry, task};
use pocketbench_domain::cold_start::{ColdStart, OtherFile, StartAdvice};
use pocketbench_domain::compare::CompareOptions;
use pocketbench_domain::run::{LoadMeasured, Measured, RunEntry};
use pocketbench_domain::suite::{Category, Work};

fn load(cold: bool, first_token_ms: u64, load_ms: u64) -> Measured {
    Measured::Load(LoadMeasured { cold, load_ns: load_ms * 1_000_000, first_token_ns: first_token_ms * 1_000_000 })
}

/// An entry with the times of its cold and its warm starts, in ms: to the first token, and of loading alone.
type Started = (RunEntry, (u64, u64), (u64, u64));

fn starts(entries: &[Started]) -> Vec<ColdStart> {
    let tasks = vec![
        task("cold", Category::Load, Work::Load { cold: true }),
        task("warm", Category::Load, Work::Load { cold: false }),
    ];
    let mut bench = Bench::new(entries.iter().map(|(entry, _, _)| entry.clone()).collect(), tasks);
    for (slot, (_, cold, warm)) in (0..).zip(entries) {
        for jitter in [0, 10, 20] {
            if cold.0 > 0 {
                bench.push(slot, "cold", load(true, cold.0 + jitter, cold.1 + jitter), 200);
            }
            bench.push(slot, "warm", load(false, warm.0 + jitter, warm.1 + jitter), 200);
        }
    }
    bench.result_with(&CompareOptions { cold_start_sla_ms: 3_000.0, ..CompareOptions::default() }).cold_start
}

fn file(quantization: &str, mb: u64) -> OtherFile {
    OtherFile { quantization: quantization.into(), file_bytes: mb * 1_000_000 }
}

fn labels() -> Vec<String> {
    vec!["A".into(), "B".into()]
}

#[test]
fn a_start_within_the_limit_needs_no_advice() {
    let mut starts = starts(&[(entry("A", "Q4_1"), (2_000, 1_800), (500, 300))]);
    starts[0].suggest(&[file("Q2_K", 10)]);
    assert_eq!((starts[0].met, starts[0].advice.len()), (Some(true), 0));
    assert_eq!(starts[0].sentence(&labels()), "A: cold start to first token 2.01 s: within the limit of 3.00 s.");
}

#[test]
fn advice_stands_on_what_was_measured_and_shows_its_arithmetic() {
    // 92 MB in 4.6 s are 20 MB/s; 0.4 s are left for everything else, so the limit has room for 52 MB.
    let cold = [(5_000 - 10, 4_600 - 10), (2_800, 2_400)];
    let other = RunEntry { variant: Some("read".into()), ..entry("A", "Q4_1") };
    let mut starts = starts(&[(entry("A", "Q4_1"), cold[0], (700, 300)), (other, cold[1], (4_000, 3_600))]);
    let budget = starts[0].budget.unwrap();
    assert!((budget.load_bytes_per_s - 20e6).abs() < 1.0 && (budget.rest_ms - 400.0).abs() < 1e-9, "{budget:?}");
    assert_eq!(budget.largest_bytes, 52_000_000);
    starts[0].suggest(&[file("Q2_K", 40), file("Q3_K_M", 50), file("Q4_0", 53), file("empty", 0)]);
    let [settings, smaller, preload] = starts[0].advice.as_slice() else { panic!("{:?}", starts[0].advice) };
    assert!(
        matches!(settings, StartAdvice::OtherSettings { slot: 1, first_token_ms } if (*first_token_ms - 2_810.0).abs() < 1e-9)
    );
    let StartAdvice::SmallerFile { quantization, file_bytes, first_token_ms } = smaller else { panic!("{smaller:?}") };
    assert_eq!((quantization.as_str(), *file_bytes), ("Q3_K_M", 50_000_000), "the largest that meets it");
    assert!((first_token_ms - 2_900.0).abs() < 1e-6);
    assert!(matches!(preload, StartAdvice::Preload { first_token_ms } if (*first_token_ms - 710.0).abs() < 1e-9));
    assert_eq!(
        starts[0].sentence(&labels()),
        "A: cold start to first token 5.00 s: over the limit of 3.00 s. What would meet it: B (2.81 s, measured); or the \
         file in Q3_K_M with 50.0 MB (about 2.90 s: 0.400 s + 50.0 MB ÷ 20.0 MB/s); or reading the file into memory \
         beforehand (0.710 s, measured)."
    );
    assert_eq!(starts[1].met, Some(true));
}

#[test]
fn what_does_not_meet_the_limit_is_not_advised() {
    let another = RunEntry {
        model: pocketbench_domain::model::ModelRef { sha256: "1".repeat(64), ..entry("B", "Q8_0").model },
        ..entry("B", "Q8_0")
    };
    let mut starts =
        starts(&[(entry("A", "Q4_1"), (5_000, 4_600), (3_500, 3_100)), (another, (1_000, 900), (900, 800))]);
    starts[0].suggest(&[file("Q4_0", 90)]);
    assert_eq!(
        starts[0].advice,
        [],
        "neither another model, nor a warm start that is too slow, nor a file that is too large"
    );
    assert!(
        starts[0].sentence(&labels()).contains("a file of up to 51.9 MB would"),
        "{}",
        starts[0].sentence(&labels())
    );
    let mut slow = self::starts(&[(entry("A", "Q4_1"), (5_000, 1_000), (4_500, 500))]);
    slow[0].suggest(&[file("Q2_K", 1)]);
    assert_eq!((slow[0].budget.unwrap().largest_bytes, slow[0].advice.len()), (0, 0));
    assert!(slow[0].sentence(&labels()).contains("No smaller file would meet it"), "{}", slow[0].sentence(&labels()));
}

#[test]
fn without_a_cold_start_nothing_is_met_or_missed() {
    let starts = starts(&[(entry("A", "Q4_1"), (0, 0), (700, 300))]);
    assert_eq!((starts[0].met, starts[0].budget, starts[0].advice.len()), (None, None, 0));
    assert!(starts[0].sentence(&labels()).contains("neither met nor missed"));
    let mut bench = Bench::of_two(vec![task("warm", Category::Load, Work::Load { cold: false })]);
    bench.push(0, "warm", load(false, 700, 300), 200);
    assert_eq!(bench.result().cold_start, [], "the suite starts nothing cold");
}
