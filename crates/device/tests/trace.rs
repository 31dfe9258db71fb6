//! Traces, and what is decided on them in their own time.

use pocketbench_device::{CoolDown, CoolDownPlan, CoolDownStep, Trace, TraceError, TraceOrigin};
use pocketbench_domain::conditions::{
    Conditions, CoolDownEnd, Cooled, EnergySource, Reading, SensorClass, Temperature, ThermalStatus, energy_from,
};
use std::time::Duration;

const PHONE: &str = include_str!("traces/phone.jsonl");
const LAPTOP: &str = include_str!("traces/laptop.jsonl");
const S: u64 = 1_000_000_000;

#[test]
fn a_trace_survives_being_written() {
    for text in [PHONE, LAPTOP] {
        let trace = Trace::parse(text).unwrap();
        assert_eq!(trace.origin, TraceOrigin::Synthetic);
        assert!(trace.about.starts_with("SYNTHETIC"), "nobody shall take it for evidence");
        assert_eq!(Trace::parse(&trace.to_text()).unwrap(), trace);
    }
}

#[test]
fn what_is_no_trace_is_refused_with_its_line() {
    let header = r#"{"trace":1,"origin":"recorded","about":"x"}"#;
    assert!(matches!(Trace::parse(" \n"), Err(TraceError::Empty)));
    assert!(matches!(Trace::parse(r#"{"trace":2,"origin":"recorded","about":"x"}"#), Err(TraceError::Version(2))));
    assert!(matches!(Trace::parse("{}"), Err(TraceError::Line { line: 1, .. })));
    let torn = format!("{header}\n{{\"at_ns\":1}}\n{{\"at_");
    assert!(matches!(Trace::parse(&torn), Err(TraceError::Line { line: 3, .. })));
    let backwards = format!("{header}\n{{\"at_ns\":2}}\n{{\"at_ns\":2}}\n");
    assert!(matches!(Trace::parse(&backwards), Err(TraceError::Order(3))));
    let lies = format!("{header}\n{{\"at_ns\":1,\"temperatures\":[{{\"class\":\"cpu\",\"celsius\":-273}}]}}\n");
    assert_eq!(Trace::parse(&lies).unwrap().readings[0].temperatures, []);
}

#[test]
fn a_trace_is_looked_up_in_its_own_time() {
    let trace = Trace::parse(PHONE).unwrap();
    assert_eq!(trace.at(Duration::ZERO).unwrap().at_ns, 0);
    assert_eq!(trace.at(Duration::from_millis(2999)).unwrap().at_ns, 2 * S);
    assert_eq!(trace.at(Duration::from_secs(3)).unwrap().at_ns, 3 * S);
    assert_eq!(trace.at(Duration::MAX), trace.readings.last());
    assert_eq!(Trace { readings: Vec::new(), ..trace }.at(Duration::ZERO), None);
}

#[test]
fn a_laptop_on_battery_has_two_energies_that_are_not_the_same() {
    let readings = Trace::parse(LAPTOP).unwrap().readings;
    let (from, to) = (S / 2, 40 * S + S / 2);
    let of = |source| energy_from(source, &readings, from, to).unwrap().joules;
    assert!((of(EnergySource::Rapl) - 800.0).abs() < 1e-3, "40 s at 20 W, over a wrap");
    assert!((of(EnergySource::Battery) - 1200.0).abs() < 1e-6, "40 s at 30 W");
    assert_eq!(Conditions::over(&readings, from, to).energy.unwrap().source, EnergySource::Rapl);
}

/// Drives a wait over a trace from `start` on, in its own time.
fn wait(trace: &Trace, start: Duration, plan: CoolDownPlan) -> Cooled {
    let mut wait = CoolDown::new(plan);
    let mut elapsed = Duration::ZERO;
    loop {
        match wait.next(trace.at(start + elapsed).unwrap(), elapsed) {
            CoolDownStep::Wait(pause) => {
                assert!(pause > Duration::ZERO, "it gets on");
                elapsed += pause;
            }
            CoolDownStep::Done(cooled) => return cooled,
        }
    }
}

fn plan(target_c: f64, at_most: u64) -> CoolDownPlan {
    CoolDownPlan {
        class: SensorClass::Cpu,
        target_c,
        at_most: Duration::from_secs(at_most),
        poll: Duration::from_secs(1),
    }
}

#[test]
fn a_phone_is_waited_for_until_it_is_cool_and_no_longer() {
    let trace = Trace::parse(PHONE).unwrap();
    let start = Duration::from_secs(45);
    let cooled = wait(&trace, start, plan(40.0, 300));
    let expected = trace.readings[45..].iter().find(|r| r.celsius(SensorClass::Cpu).unwrap() <= 40.0).unwrap();
    assert_eq!(cooled.reason, CoolDownEnd::Cool);
    assert!(cooled.reached);
    assert_eq!(cooled.waited_ms, (expected.at_ns - 45 * S) / 1_000_000);
    assert!(cooled.waited_ms > 5_000);
    assert_eq!(cooled.to_c, expected.celsius(SensorClass::Cpu));
    assert_eq!(cooled.from_c, trace.readings[45].celsius(SensorClass::Cpu));

    let relative = CoolDownPlan::back_to(&trace.readings[0], 10.0, Duration::from_mins(5));
    assert_eq!(relative, plan(40.0, 300));

    let short = wait(&trace, start, plan(31.0, 10));
    assert_eq!((short.reason, short.reached, short.waited_ms), (CoolDownEnd::TimeUp, false, 10_000));
    assert_eq!(wait(&trace, Duration::ZERO, plan(40.0, 10)).waited_ms, 0, "cool already");
}

#[test]
fn a_wait_ends_where_nothing_tells_the_temperature() {
    let silent = Reading::default();
    let warm = |celsius| Reading {
        temperatures: vec![Temperature { class: SensorClass::Cpu, celsius }],
        ..Reading::default()
    };
    let step = |wait: &mut CoolDown, reading: &Reading, second| wait.next(reading, Duration::from_secs(second));
    let go_on = CoolDownStep::Wait(Duration::from_secs(1));

    let CoolDownStep::Done(none) = step(&mut CoolDown::new(plan(40.0, 60)), &silent, 0) else { panic!("at once") };
    assert_eq!((none.reason, none.waited_ms, none.reached), (CoolDownEnd::NoSensor, 0, false));

    let mut lost = CoolDown::new(plan(40.0, 60));
    assert_eq!(step(&mut lost, &warm(70.0), 0), go_on);
    assert_eq!(step(&mut lost, &silent, 1), go_on);
    assert_eq!(step(&mut lost, &warm(65.0), 2), go_on, "it came back");
    assert_eq!(step(&mut lost, &silent, 3), go_on);
    // A thermal status in its place does not say that it is cool.
    let status = Reading { thermal_status: Some(ThermalStatus::None), ..Reading::default() };
    assert_eq!(step(&mut lost, &status, 4), go_on);
    let CoolDownStep::Done(ended) = step(&mut lost, &silent, 5) else { panic!("three in a row") };
    assert_eq!((ended.reason, ended.from_c, ended.to_c), (CoolDownEnd::SensorLost, Some(70.0), Some(65.0)));

    let mut cancelled = CoolDown::new(plan(40.0, 60));
    assert_eq!(step(&mut cancelled, &warm(70.0), 0), go_on);
    let cancelled = cancelled.cancel(Duration::from_secs(2));
    assert_eq!((cancelled.reason, cancelled.waited_ms, cancelled.reached), (CoolDownEnd::Cancelled, 2000, false));
}

#[test]
fn a_thermal_status_alone_can_be_waited_for_and_outweighs_a_temperature() {
    let told = |status, celsius: Option<f64>| Reading {
        thermal_status: Some(status),
        temperatures: celsius.map(|celsius| Temperature { class: SensorClass::Cpu, celsius }).into_iter().collect(),
        ..Reading::default()
    };
    for celsius in [None, Some(30.0)] {
        let mut wait = CoolDown::new(plan(40.0, 60));
        let hot = wait.next(&told(ThermalStatus::Moderate, celsius), Duration::ZERO);
        assert_eq!(hot, CoolDownStep::Wait(Duration::from_secs(1)));
        let CoolDownStep::Done(cooled) = wait.next(&told(ThermalStatus::Light, celsius), Duration::from_secs(1)) else {
            panic!("it is cool")
        };
        assert_eq!((cooled.reason, cooled.from_c), (CoolDownEnd::Cool, celsius));
    }
}
