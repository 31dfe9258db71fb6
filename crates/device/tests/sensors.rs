//! Sensors of machines that are described by files.
#![cfg(unix)]

use pocketbench_device::{SensorSampler, Sensors, Trace};
use pocketbench_domain::conditions::{
    Conditions, EnergySource, Frequency, Reading, SensorClass, Temperature, ThermalStatus, energy,
};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

const PHONE: &str = include_str!("traces/phone.jsonl");

fn machine(files: &[(&str, &str)]) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, content) in files {
        put(root.path(), path, content);
    }
    root
}

fn put(root: &Path, path: &str, content: &str) {
    let path = root.join("sys").join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// Without what is this machine's own.
fn hardware(sensors: &mut Sensors) -> Reading {
    let reading = sensors.read();
    Reading { at_ns: 0, boot_ns: None, wall_ms: None, load_average: None, available_bytes: None, ..reading }
}

fn temperature(class: SensorClass, celsius: f64) -> Temperature {
    Temperature { class, celsius }
}

#[test]
fn a_phone() {
    let root = machine(&[
        ("class/thermal/thermal_zone0/type", "BIG\n"),
        ("class/thermal/thermal_zone0/temp", "61000\n"),
        ("class/thermal/thermal_zone1/type", "LITTLE\n"),
        ("class/thermal/thermal_zone1/temp", "52000\n"),
        ("class/thermal/thermal_zone2/type", "G3D\n"),
        ("class/thermal/thermal_zone2/temp", "48000\n"),
        ("class/thermal/thermal_zone3/type", "VIRTUAL-SKIN-CPU\n"),
        ("class/thermal/thermal_zone3/temp", "36500\n"),
        ("class/thermal/thermal_zone4/type", "battery_cycle\n"),
        ("class/thermal/thermal_zone4/temp", "99000\n"),
        ("class/thermal/thermal_zone5/type", "soc\n"),
        ("class/thermal/thermal_zone5/temp", "87000\n"),
        ("class/thermal/cooling_device0/type", "cpu\n"),
        ("class/power_supply/battery/type", "Battery\n"),
        ("class/power_supply/battery/status", "Discharging\n"),
        ("class/power_supply/battery/capacity", "73\n"),
        // This driver has no sign.
        ("class/power_supply/battery/current_now", "850000\n"),
        ("class/power_supply/battery/voltage_now", "3912000\n"),
        ("class/power_supply/battery/temp", "315\n"),
        ("class/power_supply/maxfg/type", "Battery\n"),
        ("class/power_supply/maxfg/status", "Discharging\n"),
        ("class/power_supply/maxfg/current_now", "-850000\n"),
        ("devices/system/cpu/cpufreq/policy0/scaling_cur_freq", "1803000\n"),
        ("devices/system/cpu/cpufreq/policy0/cpuinfo_max_freq", "1803000\n"),
        ("devices/system/cpu/cpufreq/policy6/scaling_cur_freq", "1425000\n"),
        ("devices/system/cpu/cpufreq/policy6/cpuinfo_max_freq", "2850000\n"),
    ]);
    let reading = hardware(&mut Sensors::open_at(root.path()));
    let expected = Reading {
        battery_percent: Some(73.0),
        current_a: Some(-0.85),
        voltage_v: Some(3.912),
        charging: Some(false),
        temperatures: vec![
            temperature(SensorClass::Cpu, 61.0),
            temperature(SensorClass::Gpu, 48.0),
            temperature(SensorClass::Battery, 31.5),
            temperature(SensorClass::Skin, 36.5),
        ],
        frequencies: vec![
            Frequency { policy: 0, mhz: 1803.0, max_mhz: Some(1803.0) },
            Frequency { policy: 6, mhz: 1425.0, max_mhz: Some(2850.0) },
        ],
        ..Reading::default()
    };
    assert_eq!(reading, expected);
    assert_eq!(reading.frequency_share(), Some(0.5));
}

#[test]
fn a_laptop_with_two_batteries_and_a_counter() {
    let root = machine(&[
        ("class/hwmon/hwmon0/name", "nvme\n"),
        ("class/hwmon/hwmon0/temp1_input", "90000\n"),
        ("class/hwmon/hwmon1/name", "coretemp\n"),
        ("class/hwmon/hwmon1/temp1_input", "71000\n"),
        ("class/hwmon/hwmon1/temp2_input", "68000\n"),
        ("class/hwmon/hwmon1/temp1_max", "100000\n"),
        ("class/power_supply/AC/type", "Mains\n"),
        ("class/power_supply/BAT0/type", "Battery\n"),
        ("class/power_supply/BAT0/status", "Discharging\n"),
        ("class/power_supply/BAT0/capacity", "60\n"),
        ("class/power_supply/BAT0/power_now", "18500000\n"),
        ("class/power_supply/BAT1/type", "Battery\n"),
        ("class/power_supply/BAT1/status", "Unknown\n"),
        ("class/power_supply/BAT1/capacity", "80\n"),
        ("class/power_supply/BAT1/current_now", "0\n"),
        ("class/power_supply/BAT1/voltage_now", "12000000\n"),
        ("class/power_supply/mouse/type", "Battery\n"),
        ("class/power_supply/mouse/scope", "Device\n"),
        ("class/power_supply/mouse/capacity", "5\n"),
        ("class/powercap/intel-rapl:0/name", "package-0\n"),
        ("class/powercap/intel-rapl:0/energy_uj", "123456789\n"),
        ("class/powercap/intel-rapl:0/max_energy_range_uj", "262143328850\n"),
        ("class/powercap/intel-rapl:0:0/name", "core\n"),
        ("class/powercap/intel-rapl:0:0/energy_uj", "23456789\n"),
        ("class/powercap/intel-rapl:0:0/max_energy_range_uj", "262143328850\n"),
        ("class/powercap/intel-rapl-mmio:0/name", "package-0\n"),
        ("class/powercap/intel-rapl-mmio:0/energy_uj", "123456789\n"),
        ("class/powercap/intel-rapl-mmio:0/max_energy_range_uj", "262143328850\n"),
    ]);
    let mut sensors = Sensors::open_at(root.path());
    assert_eq!(sensors.found().len(), 5, "{:?}", sensors.found());
    let reading = hardware(&mut sensors);
    assert_eq!(reading.temperatures, [temperature(SensorClass::Cpu, 71.0)]);
    assert_eq!((reading.battery_percent, reading.charging), (Some(70.0), Some(false)));
    assert_eq!((reading.current_a, reading.voltage_v), (None, None));
    assert_eq!(reading.battery_w(), Some(18.5), "the sum");
    assert_eq!(reading.packages.len(), 1);
    assert!((reading.packages[0].joules - 123.456_789).abs() < 1e-9);

    put(root.path(), "class/power_supply/BAT1/status", "Charging\n");
    let reading = hardware(&mut sensors);
    assert_eq!((reading.charging, reading.battery_w()), (Some(true), None));
}

#[test]
fn a_server_without_anything() {
    let root = machine(&[]);
    let mut sensors = Sensors::open_at(root.path());
    assert_eq!(hardware(&mut sensors), Reading::default());
    assert_eq!(sensors.found(), Vec::<String>::new());
}

#[test]
fn sensors_that_lie_do_not_hide_those_that_do_not() {
    let root = machine(&[
        ("class/thermal/thermal_zone0/type", "x86_pkg_temp\n"),
        ("class/thermal/thermal_zone1/type", "cpu-thermal\n"),
        ("class/thermal/thermal_zone1/temp", "47000\n"),
        ("class/power_supply/battery/type", "Battery\n"),
        ("class/power_supply/battery/status", "Discharging\n"),
        ("devices/system/cpu/cpufreq/policy0/scaling_cur_freq", "<unknown>\n"),
        ("class/powercap/intel-rapl:0/name", "package-0\n"),
        ("class/powercap/intel-rapl:0/energy_uj", "99\n"),
        ("class/powercap/intel-rapl:0/max_energy_range_uj", "1\n"),
    ]);
    let mut sensors = Sensors::open_at(root.path());
    let battery_lies = ["-1", "-999000000000", "1000000000000", "NaN", "hot", "", "", "99999999999999999999999999"];
    let zone_lies = ["0", "-273000", "1000000000000", "NaN", "hot", "", "47", "99999999999999999999999999"];
    for (zone_lie, lie) in zone_lies.into_iter().zip(battery_lies) {
        put(root.path(), "class/thermal/thermal_zone0/temp", zone_lie);
        for file in ["capacity", "current_now", "voltage_now", "power_now", "temp"] {
            put(root.path(), &format!("class/power_supply/battery/{file}"), lie);
        }
        let expected = Reading {
            charging: Some(false),
            temperatures: vec![temperature(SensorClass::Cpu, 47.0)],
            ..Reading::default()
        };
        assert_eq!(hardware(&mut sensors), expected, "{zone_lie:?}, {lie:?}");
    }
}

#[test]
fn what_vanishes_is_absent_and_comes_back() {
    let root = machine(&[
        ("class/thermal/thermal_zone0/type", "cpu\n"),
        ("class/thermal/thermal_zone0/temp", "50000\n"),
        ("class/powercap/intel-rapl:0/name", "package-0\n"),
        ("class/powercap/intel-rapl:0/energy_uj", "5000000\n"),
        ("class/powercap/intel-rapl:0/max_energy_range_uj", "262143328850\n"),
        ("class/powercap/intel-rapl:1/name", "package-1\n"),
        ("class/powercap/intel-rapl:1/energy_uj", "6000000\n"),
        ("class/powercap/intel-rapl:1/max_energy_range_uj", "262143328850\n"),
    ]);
    let mut sensors = Sensors::open_at(root.path());
    let whole = hardware(&mut sensors);
    assert_eq!((whole.temperatures.len(), whole.packages.len()), (1, 2));
    fs::remove_dir_all(root.path().join("sys/class/thermal")).unwrap();
    fs::remove_file(root.path().join("sys/class/powercap/intel-rapl:1/energy_uj")).unwrap();
    assert_eq!(hardware(&mut sensors), Reading::default(), "one package of two is no sum");
    put(root.path(), "class/thermal/thermal_zone0/temp", "50000\n");
    put(root.path(), "class/powercap/intel-rapl:1/energy_uj", "6000000\n");
    assert_eq!(hardware(&mut sensors), whole);
}

#[test]
fn what_may_not_be_read_is_absent() {
    let root = machine(&[
        ("class/powercap/intel-rapl:0/name", "package-0\n"),
        ("class/powercap/intel-rapl:0/energy_uj", "5000000\n"),
        ("class/powercap/intel-rapl:0/max_energy_range_uj", "262143328850\n"),
        ("class/thermal/thermal_zone0/type", "cpu\n"),
    ]);
    let counter = root.path().join("sys/class/powercap/intel-rapl:0/energy_uj");
    fs::set_permissions(&counter, fs::Permissions::from_mode(0o000)).unwrap();
    // A folder in a file's place fails for root too, whom permissions do not stop.
    fs::create_dir(root.path().join("sys/class/thermal/thermal_zone0/temp")).unwrap();
    let reading = hardware(&mut Sensors::open_at(root.path()));
    assert_eq!(reading.temperatures, []);
    assert_eq!(reading.packages.is_empty(), fs::read(&counter).is_err());
}

#[test]
fn this_machine_tells_nothing_impossible() {
    let mut sensors = Sensors::open();
    let (first, second) = (sensors.read(), sensors.read());
    assert_eq!(first.clone().plausible(), first);
    assert!(second.at_ns > first.at_ns);
    assert!(sensors.now_ns() >= second.at_ns);
    if cfg!(target_os = "linux") {
        assert!(second.boot_ns >= first.boot_ns && first.boot_ns.is_some());
        assert!(first.available_bytes.is_some());
    }
}

#[test]
fn a_sampler_covers_a_span_from_before_its_start_to_behind_its_end() {
    let sampler = SensorSampler::start(Sensors::open(), Duration::from_millis(5));
    let from = sampler.now_ns();
    while sampler.since(from).len() < 4 {
        std::thread::yield_now();
    }
    let to = sampler.now_ns();
    let live = sampler.latest().unwrap();
    let (readings, sensors) = sampler.stop();
    assert!(readings.first().unwrap().at_ns <= from && readings.last().unwrap().at_ns >= to);
    assert!(readings.windows(2).all(|pair| pair[0].at_ns < pair[1].at_ns));
    assert!(readings.contains(&live));
    assert!(Conditions::over(&readings, from, to).readings >= 2);

    // The same clock goes on.
    let (again, _) = SensorSampler::start(sensors, Duration::from_hours(1)).stop();
    assert_eq!(again.len(), 2, "one at the start, one at the end, without waiting for the period");
    assert!(again[0].at_ns > readings.last().unwrap().at_ns);
}

#[test]
fn a_replayed_phone_throttles() {
    let trace = Trace::parse(PHONE).unwrap();
    let mut sensors = Sensors::replay(trace.clone());
    let readings: Vec<Reading> = trace.readings.iter().map(|_| sensors.read()).collect();
    assert_eq!(readings, trace.readings);
    let second = 1_000_000_000;
    let work = Conditions::over(&readings, 0, 44 * second);
    assert_eq!(work.thermal_status, Some(ThermalStatus::Moderate));
    let share = work.frequency_share.unwrap();
    assert!(share.max > 0.99 && share.min < 0.65, "{share:?}");
    assert_eq!(energy(&readings, 0, 44 * second).unwrap().source, EnergySource::Battery);
    // Behind its end it is silent, and time goes on.
    let last = readings.last().unwrap().at_ns;
    assert_eq!(sensors.read(), Reading { at_ns: last + second, ..Reading::default() });
    assert_eq!(sensors.read(), Reading { at_ns: last + 2 * second, ..Reading::default() });
    assert_eq!(sensors.now_ns(), last + 2 * second);
}
