//! Each flag just on either side of its threshold.

use crate::fixture::{Bench, MAX_TOKENS, batch, batch_generation, generate, generation, load, task};
use pocketbench_domain::conditions::{Conditions, StuckSensor, ThermalStatus};
use pocketbench_domain::generate::StopReason;
use pocketbench_domain::run::{Measured, Sample};
use pocketbench_domain::suite::{Category, Work};
use pocketbench_domain::validity::{Flag, FlagKind, Severity, flags, is_red};

struct Case {
    bench: Bench,
    work: Work,
}

impl Case {
    fn new(work: Work, measured: Vec<Measured>) -> Self {
        let mut bench = Bench::of_two(vec![task("t", Category::ShortQa, work.clone())]);
        for measured in measured {
            bench.push(0, "t", measured, 300);
        }
        Self { bench, work }
    }

    /// Full-length answers at these rates.
    fn of_rates(rates: &[f64]) -> Self {
        let answer = |rate: &f64| generation(*rate, 50.0, MAX_TOKENS, StopReason::MaxTokens);
        Self::new(generate(), rates.iter().map(answer).collect())
    }

    fn steady() -> Self {
        Self::of_rates(&[100.0, 101.0, 99.0, 100.5, 99.5])
    }

    fn each(mut self, change: impl Fn(&mut Sample)) -> Self {
        self.bench.samples.iter_mut().for_each(change);
        self
    }

    fn flags(&self) -> Vec<Flag> {
        let samples: Vec<&Sample> = self.bench.samples.iter().collect();
        flags(&self.work, &samples, &self.bench.run.spec.entries[0], &[&self.bench.sessions[0]])
    }

    fn kinds(&self) -> Vec<FlagKind> {
        self.flags().iter().map(|flag| flag.kind).collect()
    }
}

#[test]
fn steady_repetitions_have_no_flags() {
    assert_eq!(Case::steady().flags(), []);
}

#[test]
fn a_cell_without_repetitions_has_no_flags() {
    assert_eq!(Case::of_rates(&[]).flags(), []);
}

#[test]
fn a_steady_fall_is_throttling() {
    let case = Case::of_rates(&[100.0, 99.0, 97.0, 95.0, 94.0]);
    let flags = case.flags();
    assert_eq!(flags[0].kind, FlagKind::Throttled);
    assert_eq!(flags[0].severity, Severity::Red);
    assert!((flags[0].value - 0.06).abs() < 1e-6, "{}", flags[0].value);
    assert!(is_red(&flags));
    // One stray value among more does not hide it.
    assert_eq!(Case::of_rates(&[100.0, 98.0, 98.5, 95.0, 94.0, 92.0]).kinds(), [FlagKind::Throttled]);
    // Any order of arrival: repetitions count.
    let mut shuffled = case;
    shuffled.bench.samples.reverse();
    assert_eq!(shuffled.kinds(), [FlagKind::Throttled]);
}

#[test]
fn a_small_an_unsteady_or_a_short_fall_is_not_throttling() {
    assert_eq!(Case::of_rates(&[100.0, 99.0, 98.0, 97.0, 95.5]).kinds(), [], "4.5 %");
    assert_eq!(Case::of_rates(&[100.0, 90.0, 99.0, 97.0, 94.0]).kinds(), [], "up and down");
    assert_eq!(Case::of_rates(&[90.0, 93.0, 95.0, 97.0, 100.0]).kinds(), [], "a rise");
    assert_eq!(Case::of_rates(&[100.0, 97.0, 93.0]).kinds(), [FlagKind::FewSamples], "three fall by chance");
    assert_eq!(Case::of_rates(&[100.0, 97.0, 95.0, 93.0]).kinds(), [FlagKind::Throttled, FlagKind::FewSamples]);
    assert_eq!(Case::of_rates(&[100.0, 97.0, 97.5, 93.0]).kinds(), [FlagKind::FewSamples]);
}

#[test]
fn batches_can_throttle_and_loads_cannot() {
    let falling = [200.0, 190.0, 180.0, 175.0, 170.0];
    let batches = Case::new(batch(), falling.iter().map(|rate| batch_generation(*rate)).collect());
    assert_eq!(batches.kinds(), [FlagKind::Throttled]);
    let slower_loads = falling.iter().map(|rate| load(true, 20_000.0 / rate, 30_000.0 / rate)).collect();
    assert_eq!(Case::new(Work::Load { cold: true }, slower_loads).kinds(), []);
}

#[test]
fn scatter_above_ten_percent_is_noisy() {
    let flags = Case::of_rates(&[100.0, 130.0, 90.0, 120.0, 95.0]).flags();
    assert_eq!((flags.len(), flags[0].kind, flags[0].severity), (1, FlagKind::Noisy, Severity::Amber));
    // statistics.stdev([100, 130, 90, 120, 95]) / 107
    assert!((flags[0].value - 0.160_519).abs() < 1e-5, "{}", flags[0].value);
    assert_eq!(Case::of_rates(&[100.0, 112.0, 90.0, 108.0, 95.0]).kinds(), [], "9.1 %");
}

#[test]
fn other_programs_make_a_busy_machine() {
    let share = |share: Option<f64>| Case::steady().each(move |sample| sample.machine.other_cpu = share);
    assert_eq!(share(Some(0.11)).kinds(), [FlagKind::BusyMachine]);
    assert_eq!(share(Some(0.10)).kinds(), []);
    assert_eq!(share(None).kinds(), [], "not known is not busy");
    let mut peak = Case::steady();
    peak.bench.samples[0].machine.other_cpu = Some(0.4);
    assert_eq!(peak.kinds(), [], "the mean counts");
}

#[test]
fn one_swapped_byte_is_red() {
    let mut case = Case::steady();
    case.bench.samples[3].memory.swap_bytes = Some(4_096);
    assert_eq!(case.flags(), [Flag { kind: FlagKind::Swapped, severity: Severity::Red, value: 4_096.0 }]);
}

#[test]
fn another_backend_than_asked_for_is_red() {
    let with_gpu = |asked: u32, got: u32, backend: &str| {
        let mut case = Case::steady();
        case.bench.run.spec.entries[0].settings.n_gpu_layers = asked;
        case.bench.sessions[0].loaded.effective.n_gpu_layers = got;
        case.bench.sessions[0].loaded.backend = backend.into();
        case.kinds()
    };
    assert_eq!(with_gpu(20, 0, "CPU"), [FlagKind::BackendFallback]);
    assert_eq!(with_gpu(20, 12, "Vulkan0"), [FlagKind::BackendFallback]);
    assert_eq!(with_gpu(20, 20, "CPU"), [FlagKind::BackendFallback], "no GPU was there");
    assert_eq!(with_gpu(0, 20, "Metal"), [FlagKind::BackendFallback]);
    assert_eq!(with_gpu(20, 20, "Vulkan0"), []);
    assert_eq!(with_gpu(999, 31, "Vulkan0"), [], "all of 30 layers and the output");
    assert_eq!(with_gpu(0, 0, "CPU"), []);
}

#[test]
fn answers_that_end_before_the_limit_are_marked() {
    let ended = |tokens, stop| Case::new(generate(), (0..5).map(|_| generation(100.0, 50.0, tokens, stop)).collect());
    let flags = ended(42, StopReason::EndOfGeneration).flags();
    assert_eq!(flags, [Flag { kind: FlagKind::EarlyStop, severity: Severity::Amber, value: 42.0 }]);
    assert_eq!(ended(42, StopReason::StopText).kinds(), [FlagKind::EarlyStop]);
    assert_eq!(ended(MAX_TOKENS, StopReason::EndOfGeneration).kinds(), [], "it used all it was allowed");
    assert_eq!(ended(42, StopReason::ContextFull).kinds(), [], "not the model's choice");
    let mut batches = Case::new(batch(), (0..5).map(|_| batch_generation(200.0)).collect());
    assert_eq!(batches.kinds(), []);
    if let Measured::Batch(b) = &mut batches.bench.samples[0].measured {
        (b.sequences[7].generated_tokens, b.sequences[7].stop) = (12, StopReason::EndOfGeneration);
    }
    assert_eq!(batches.kinds(), [FlagKind::EarlyStop]);
}

#[test]
fn warm_ups_never_count() {
    let mut case = Case::steady();
    for change in [
        (|sample| sample.memory.swap_bytes = Some(1)) as fn(&mut Sample),
        |sample| sample.machine.other_cpu = Some(1.0),
        |sample| sample.measured = generation(1.0, 50.0, 2, StopReason::EndOfGeneration),
    ] {
        let sample = case.bench.push(0, "t", generation(500.0, 50.0, MAX_TOKENS, StopReason::MaxTokens), 300);
        sample.warmup = true;
        change(sample);
    }
    assert_eq!(case.flags(), []);
    let only_warm = Case::steady().each(|sample| sample.warmup = true);
    assert_eq!(only_warm.flags(), []);
}

#[test]
fn below_five_is_few() {
    let flags = Case::of_rates(&[100.0, 101.0, 99.0]).flags();
    assert_eq!(flags, [Flag { kind: FlagKind::FewSamples, severity: Severity::Amber, value: 3.0 }]);
}

#[test]
fn sensors_raise_flags() {
    let with = |change: &dyn Fn(&mut Conditions)| {
        Case::steady().each(|sample| {
            let mut conditions = Conditions::default();
            change(&mut conditions);
            sample.conditions = Some(conditions);
        })
    };
    assert_eq!(with(&|_| ()).kinds(), []);
    assert_eq!(with(&|c| c.thermal_status = Some(ThermalStatus::Light)).kinds(), []);
    let hot = with(&|c| c.thermal_status = Some(ThermalStatus::Moderate));
    assert_eq!(hot.kinds(), [FlagKind::Throttled]);
    assert!((hot.flags()[0].value - 1.0).abs() < 1e-9, "all of the time");
    assert_eq!(with(&|c| c.charging = Some(true)).kinds(), [FlagKind::Charging]);
    assert_eq!(with(&|c| c.charging = Some(false)).kinds(), []);
    assert_eq!(with(&|c| c.lowest_battery_percent = Some(20.0)).kinds(), []);
    assert_eq!(with(&|c| c.lowest_battery_percent = Some(19.9)).kinds(), [FlagKind::LowBattery]);
    assert_eq!(with(&|c| c.stuck = vec![StuckSensor::CpuTemperature]).kinds(), [FlagKind::StuckSensor]);
}
