use pocketbench_domain::conditions::{
    Conditions, Energy, EnergyCounter, EnergySource, Frequency, Reading, SensorClass, StuckSensor, Temperature,
    ThermalStatus, energy, energy_from, mj_per_token, stuck,
};
use proptest::prelude::*;

const S: u64 = 1_000_000_000;

fn at(second: u64) -> Reading {
    Reading { at_ns: second * S, ..Reading::default() }
}

/// Discharging at 4 V.
fn on_battery(second: u64, ampere: f64) -> Reading {
    Reading { current_a: Some(-ampere), voltage_v: Some(4.0), charging: Some(false), ..at(second) }
}

fn counted(second: u64, joules: f64) -> Reading {
    let counter = EnergyCounter { name: "package-0".to_owned(), joules, range_j: 1000.0 };
    Reading { packages: vec![counter], ..at(second) }
}

fn cpu(second: u64, celsius: f64) -> Reading {
    Reading { temperatures: vec![Temperature { class: SensorClass::Cpu, celsius }], ..at(second) }
}

fn joules(energy: Option<Energy>) -> f64 {
    energy.expect("there is energy").joules
}

#[test]
fn energy_of_a_battery_is_the_area_below_its_power() {
    // 4 W rising to 12 W over two seconds, then steady.
    let readings = [on_battery(0, 1.0), on_battery(2, 3.0), on_battery(4, 3.0)];
    let all = energy(&readings, 0, 4 * S).unwrap();
    assert_eq!(all, Energy { joules: 16.0 + 24.0, source: EnergySource::Battery });
    // From 1 s (8 W) to 3 s: a trapezoid of 8 to 12 W, and 12 W.
    let readings = [on_battery(0, 1.0), on_battery(2, 3.0), on_battery(3, 3.0), on_battery(4, 3.0)];
    assert!((joules(energy(&readings, S, 3 * S)) - 22.0).abs() < 1e-9);
    assert!((mj_per_token(all, 100).unwrap() - 400.0).abs() < 1e-9);
    assert_eq!(mj_per_token(all, 0), None);
}

#[test]
fn energy_of_packages_is_what_their_counters_rose_also_over_a_wrap() {
    let readings = [counted(0, 980.0), counted(1, 995.0), counted(2, 10.0), counted(3, 25.0)];
    let all = energy(&readings, 0, 3 * S).unwrap();
    assert!((all.joules - 45.0).abs() < 1e-9);
    assert_eq!(all.source, EnergySource::Rapl);
    let half = energy(&readings, S / 2, 5 * S / 2);
    assert!((joules(half) - 30.0).abs() < 1e-9);

    // 900 to 100 would be a wrap of 200 J; from 500 to 400 in a tenth of a second was a reset.
    let reset = [counted(0, 450.0), counted(1, 500.0), Reading { at_ns: 11 * S / 10, ..counted(0, 400.0) }];
    assert_eq!(energy(&reset, 0, 11 * S / 10), None);
}

#[test]
fn energy_is_absent_when_anything_is_missing() {
    let good = [on_battery(0, 1.0), on_battery(1, 1.0), on_battery(2, 1.0), on_battery(3, 1.0)];
    assert!(energy(&good, 0, 3 * S).is_some(), "the control");
    let spoilt = |second: usize, spoil: fn(&mut Reading)| {
        let mut readings = good.clone();
        spoil(&mut readings[second]);
        energy(&readings, S, 3 * S)
    };
    assert!(spoilt(0, |r| r.charging = None).is_some(), "what is outside the span does not matter");
    assert_eq!(spoilt(2, |r| r.voltage_v = None), None);
    assert_eq!(spoilt(2, |r| r.current_a = None), None);
    assert_eq!(spoilt(2, |r| r.charging = Some(true)), None);
    assert_eq!(spoilt(2, |r| r.charging = None), None);
    assert_eq!(spoilt(2, |r| r.current_a = Some(1.0)), None, "a sign that contradicts");
    assert_eq!(spoilt(3, |r| r.at_ns = 20 * S), None, "a hole");
    assert_eq!(energy(&good, 0, 4 * S), None, "beyond the last reading");
    assert_eq!(energy(&good[1..], 0, 3 * S), None, "before the first");
    assert_eq!(energy(&good, 2 * S, 2 * S), None);
    assert_eq!(energy(&good, 3 * S, S), None, "backwards");
    assert_eq!(energy(&good, S / 4, S / 2), None, "no reading within");
    assert_eq!(energy(&[], 0, S), None);

    let still = [counted(0, 5.0), counted(1, 5.0), counted(2, 5.0)];
    assert_eq!(energy(&still, 0, 2 * S), None, "nothing counted is not nothing drawn");
    let mut vanished = [counted(0, 5.0), counted(1, 6.0), counted(2, 7.0)];
    vanished[1].packages[0].name = "package-1".to_owned();
    assert_eq!(energy(&vanished, 0, 2 * S), None);
}

#[test]
fn a_battery_stands_in_where_a_counter_fails() {
    let both = |second, joules| Reading { packages: counted(0, joules).packages, ..on_battery(second, 1.0) };
    let readings = [both(0, 1.0), both(1, 2.0), both(2, 3.0)];
    assert_eq!(energy(&readings, 0, 2 * S), Some(Energy { joules: 2.0, source: EnergySource::Rapl }));
    let battery = Some(Energy { joules: 8.0, source: EnergySource::Battery });
    assert_eq!(energy_from(EnergySource::Battery, &readings, 0, 2 * S), battery);
    let readings = [both(0, 1.0), both(1, 1.0), both(2, 1.0)];
    assert_eq!(energy(&readings, 0, 2 * S), battery);
}

#[test]
fn what_cannot_be_true_is_absent() {
    let mut reading = Reading {
        battery_percent: Some(101.0),
        voltage_v: Some(0.003_85),
        drawn_w: Some(f64::NAN),
        available_bytes: Some(0),
        load_average: Some(-1.0),
        frequencies: vec![Frequency { policy: 0, mhz: 0.0, max_mhz: None }],
        packages: vec![EnergyCounter { name: "a".to_owned(), joules: 2.0, range_j: 1.0 }],
        ..on_battery(0, 1.0)
    };
    for celsius in [0.0, -273.0, 1e9, f64::NAN, f64::INFINITY, -40.0, 0.045] {
        reading.temperatures.push(Temperature { class: SensorClass::Cpu, celsius });
    }
    let kept = reading.clone().plausible();
    assert_eq!(kept, Reading { current_a: Some(-1.0), charging: Some(false), ..Reading::default() });

    let current = |ampere, charging| Reading { current_a: Some(ampere), charging, ..at(0) }.plausible().current_a;
    assert_eq!(current(-0.45, Some(false)), Some(-0.45));
    assert_eq!(current(-0.000_45, Some(false)), None, "milliampere where microampere are due");
    assert_eq!(current(0.45, Some(false)), None, "the sign contradicts the state");
    assert_eq!(current(0.0, Some(true)), Some(0.0), "full");
    assert_eq!(current(-0.5, Some(true)), None);
    assert_eq!(current(450.0, None), None);
}

#[test]
fn a_span_says_what_the_machine_was_like() {
    let hot = |second, celsius, status| Reading {
        thermal_status: Some(status),
        battery_percent: Some(50.0 - second as f64),
        charging: Some(second == 3),
        available_bytes: Some(100 - second),
        frequencies: vec![
            Frequency { policy: 0, mhz: 1000.0, max_mhz: Some(1000.0) },
            Frequency { policy: 4, mhz: 3000.0 - 500.0 * second as f64, max_mhz: Some(3000.0) },
            Frequency { policy: 5, mhz: 300.0, max_mhz: Some(3000.0) },
        ],
        ..cpu(second, celsius)
    };
    let readings = [
        hot(0, 90.0, ThermalStatus::Shutdown),
        hot(1, 40.0, ThermalStatus::None),
        hot(2, 60.0, ThermalStatus::Moderate),
        hot(3, 50.0, ThermalStatus::Light),
        hot(4, 99.0, ThermalStatus::Shutdown),
    ];
    let seen = Conditions::over(&readings, S, 3 * S);
    assert_eq!(seen.readings, 3);
    assert_eq!(seen.temperatures.len(), 1);
    let celsius = seen.temperatures[0].celsius;
    assert_eq!((celsius.min, celsius.max, celsius.mean), (40.0, 60.0, 50.0));
    assert_eq!(seen.thermal_status, Some(ThermalStatus::Moderate));
    assert_eq!(seen.charging, Some(true), "at any time");
    assert_eq!(seen.lowest_battery_percent, Some(47.0));
    assert_eq!(seen.least_available_bytes, Some(97));
    let share = seen.frequency_share.unwrap();
    assert_eq!((share.min, share.max), (0.5, 2500.0 / 3000.0), "the fastest kind of core, and the busiest of it");
    assert_eq!(seen.longest_gap_ns, Some(S));
    assert!(!seen.interrupted());

    let nothing = Conditions::over(&[at(0), at(1), at(2)], 0, 2 * S);
    let empty = Conditions { readings: 3, longest_gap_ns: Some(S), ..Conditions::default() };
    assert_eq!(nothing, empty, "what was not read is absent");
    assert_eq!(Conditions::over(&[], 0, S), Conditions::default());
    assert_eq!(Conditions::over(&readings, 3 * S, S).readings, 0, "backwards");
}

#[test]
fn sleep_and_clock_changes_are_told_apart() {
    let clocks = |second: u64, boot: u64, wall: i64| Reading {
        boot_ns: Some(boot * S),
        wall_ms: Some(wall * 1000),
        ..at(second)
    };
    let over = |last: Reading| Conditions::over(&[clocks(0, 0, 100), last], 0, S);
    let quiet = over(clocks(1, 1, 101));
    assert_eq!((quiet.slept_ns, quiet.wall_jump_ms, quiet.interrupted()), (Some(0), Some(0), false));
    let slept = over(clocks(1, 3601, 3701));
    assert_eq!((slept.slept_ns, slept.wall_jump_ms, slept.interrupted()), (Some(3600 * S), Some(0), true));
    let set_back = over(clocks(1, 1, 100 - 3600));
    assert_eq!((set_back.slept_ns, set_back.wall_jump_ms), (Some(0), Some(-3_601_000)));
    assert!(!set_back.interrupted(), "a wall clock that is set does no harm to times on the monotonic clock");

    let no_boot = |wall| {
        Conditions::over(
            &[Reading { boot_ns: None, ..clocks(0, 0, 100) }, Reading { boot_ns: None, ..clocks(1, 0, wall) }],
            0,
            S,
        )
    };
    assert!(no_boot(3701).interrupted(), "cannot be told from sleep");
    assert!(!no_boot(-3000).interrupted());
    assert!(!no_boot(101).interrupted());
    assert!(Conditions::over(&[at(0), at(11)], 0, 11 * S).interrupted(), "a hole");
    assert!(!Conditions::over(&[at(0), at(10)], 0, 10 * S).interrupted());

    let asleep =
        [Reading { boot_ns: Some(0), ..on_battery(0, 1.0) }, Reading { boot_ns: Some(9 * S), ..on_battery(1, 1.0) }];
    assert_eq!(energy(&asleep, 0, S), None);
}

#[test]
fn a_sensor_that_never_moves_is_stuck() {
    let steady = |seconds: u64, load: Option<f64>| -> Vec<Reading> {
        (0..=seconds).map(|second| Reading { load_average: load, ..cpu(second, 45.0) }).collect()
    };
    assert_eq!(stuck(&steady(120, Some(2.0))), [StuckSensor::CpuTemperature]);
    assert_eq!(stuck(&steady(120, None)), [StuckSensor::CpuTemperature]);
    assert_eq!(stuck(&steady(119, Some(2.0))), [], "too short");
    assert_eq!(stuck(&steady(120, Some(0.5))), [], "idle");
    let mut moving = steady(120, Some(2.0));
    moving[60].temperatures[0].celsius = 45.1;
    assert_eq!(stuck(&moving), []);
    let few: Vec<Reading> = steady(300, None).into_iter().step_by(10).collect();
    assert_eq!(stuck(&few), [], "too few readings");

    let gauge: Vec<Reading> = (0..=120).map(|second| on_battery(second, 1.0)).collect();
    assert_eq!(stuck(&gauge), [StuckSensor::BatteryPower]);
    assert_eq!(energy(&gauge, 0, 120 * S), None, "no energy from a stuck gauge");
    assert!(energy(&gauge, 0, 119 * S).is_some(), "the control");
}

proptest! {
    /// Energy of neighbouring spans adds up, and lies between the least and the greatest power.
    #[test]
    fn energy_adds_up(powers in prop::collection::vec(0.1_f64..10.0, 12), cut in 3.0_f64..8.0) {
        let readings: Vec<Reading> = powers.iter().zip(0..).map(|(ampere, second)| on_battery(second, *ampere)).collect();
        let cut: u64 = std::time::Duration::from_secs_f64(cut).as_nanos().try_into().unwrap();
        let (from, to) = (S / 3, 11 * S - S / 7);
        let whole = joules(energy(&readings, from, to));
        let parts = joules(energy(&readings, from, cut)) + joules(energy(&readings, cut, to));
        prop_assert!((whole - parts).abs() < 1e-6);
        let seconds = (to - from) as f64 / 1e9;
        let least = powers.iter().copied().fold(f64::INFINITY, f64::min) * 4.0 * seconds;
        let most = powers.iter().copied().fold(0.0, f64::max) * 4.0 * seconds;
        prop_assert!(least - 1e-6 <= whole && whole <= most + 1e-6);
    }
}
