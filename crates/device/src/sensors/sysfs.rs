//! Sensors of Linux and Android below `/sys`. An app on Android may not read all of them; then they are absent.

use pocketbench_domain::conditions::{EnergyCounter, Frequency, PLAUSIBLE_CELSIUS, Reading, SensorClass, Temperature};
use std::fs;
use std::path::{Path, PathBuf};

fn text(path: impl AsRef<Path>) -> Option<String> {
    fs::read(path).ok().map(|bytes| String::from_utf8_lossy(&bytes).trim_matches(['\n', '\0', ' ']).to_owned())
}

/// A whole number in a unit that `scale` of make one. Nothing below `/sys` is a fraction.
fn scaled(path: impl AsRef<Path>, scale: f64) -> Option<f64> {
    Some(text(path)?.parse::<i64>().ok()? as f64 / scale)
}

/// The entries of a folder by name, so that a machine's sensors always come in the same order.
fn entries(folder: &Path) -> Vec<(String, PathBuf)> {
    let found = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<_> = found.map(|e| (e.file_name().to_string_lossy().into_owned(), e.path())).collect();
    found.sort();
    found
}

#[derive(Debug)]
struct Thermometer {
    class: SensorClass,
    file: PathBuf,
    /// Parts of a degree that the file counts.
    scale: f64,
}

/// Where things are; found once.
#[derive(Debug)]
pub(super) struct Sysfs {
    thermometers: Vec<Thermometer>,
    policies: Vec<(u32, PathBuf)>,
    batteries: Vec<PathBuf>,
    packages: Vec<(String, PathBuf)>,
}

/// What a thermal zone or hardware monitor measures, by its name. Names are the makers' own; what is not known is left
/// out. `None` also for zones that carry something else as if it were a temperature: charge, cycles, current limits.
pub(super) fn class_of(name: &str) -> Option<SensorClass> {
    let name = name.to_ascii_lowercase();
    let has = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
    let is = |names: &[&str]| names.contains(&name.as_str());
    if has(&["cycle", "ibat", "vbat", "bcl", "current", "vdroop", "limit", "charge"]) || is(&["soc"]) {
        None
    } else if has(&["skin", "quiet-therm", "quiet_therm"]) {
        Some(SensorClass::Skin)
    } else if has(&["batt"]) || (name.starts_with("bat") && name[3..].chars().all(|c| c.is_ascii_digit())) {
        Some(SensorClass::Battery)
    } else if has(&["gpu", "g3d", "mali"]) || is(&["nouveau", "radeon", "i915", "xe"]) {
        Some(SensorClass::Gpu)
    } else if has(&["cpu", "x86_pkg", "cluster", "soc_therm", "soc-therm", "soc_max"])
        || is(&["coretemp", "k10temp", "zenpower", "big", "mid", "little"])
    {
        Some(SensorClass::Cpu)
    } else if is(&["acpitz"]) {
        Some(SensorClass::Board)
    } else {
        None
    }
}

impl Sysfs {
    /// Looks below `root`, which is `/` on a real machine.
    pub(super) fn find(root: &Path) -> Self {
        let class = root.join("sys/class");
        let mut thermometers = Vec::new();
        for (name, zone) in entries(&class.join("thermal")) {
            if name.starts_with("thermal_zone")
                && let Some(class) = text(zone.join("type")).and_then(|kind| class_of(&kind))
            {
                thermometers.push(Thermometer { class, file: zone.join("temp"), scale: 1e3 });
            }
        }
        for (_, monitor) in entries(&class.join("hwmon")) {
            let Some(class) = text(monitor.join("name")).and_then(|name| class_of(&name)) else { continue };
            let inputs = entries(&monitor).into_iter().map(|(name, file)| (name.clone(), file));
            let inputs = inputs.filter(|(name, _)| name.starts_with("temp") && name.ends_with("_input"));
            thermometers.extend(inputs.map(|(_, file)| Thermometer { class, file, scale: 1e3 }));
        }
        let batteries = batteries(&class.join("power_supply"));
        // Documented as tenths of a degree.
        let warm = batteries.iter().map(|supply| supply.join("temp")).filter(|file| file.exists());
        thermometers.extend(warm.map(|file| Thermometer { class: SensorClass::Battery, file, scale: 10.0 }));

        let policies = entries(&root.join("sys/devices/system/cpu/cpufreq"));
        let policies =
            policies.into_iter().filter_map(|(name, p)| Some((name.strip_prefix("policy")?.parse().ok()?, p)));
        let mut policies: Vec<(u32, PathBuf)> = policies.collect();
        policies.sort();

        // Not `intel-rapl-mmio:0`, which counts the same package again, and no parts of a package.
        let zones = entries(&class.join("powercap")).into_iter().filter(|(name, _)| name.starts_with("intel-rapl:"));
        let packages = zones.filter_map(|(_, zone)| Some((text(zone.join("name"))?, zone)));
        let packages = packages.filter(|(name, _)| name.starts_with("package")).collect();
        Self { thermometers, policies, batteries, packages }
    }

    /// What was found, in words for a person.
    pub(super) fn found(&self) -> Vec<String> {
        let named = |kind: &str, path: &Path| format!("{kind}: {}", path.display());
        let mut found: Vec<String> =
            self.thermometers.iter().map(|t| named(&format!("{:?} temperature", t.class), &t.file)).collect();
        found.extend(self.policies.iter().map(|(_, path)| named("frequency", path)));
        found.extend(self.batteries.iter().map(|path| named("battery", path)));
        found.extend(self.packages.iter().map(|(_, path)| named("energy", path)));
        found
    }

    pub(super) fn read(&self, reading: &mut Reading) {
        let mut hottest: Vec<Temperature> = Vec::new();
        for thermometer in &self.thermometers {
            // Judged one by one: a broken sensor must not hide a sound one of its class.
            let Some(celsius) = scaled(&thermometer.file, thermometer.scale) else { continue };
            if !PLAUSIBLE_CELSIUS.contains(&celsius) {
                continue;
            }
            match hottest.iter_mut().find(|t| t.class == thermometer.class) {
                Some(known) => known.celsius = known.celsius.max(celsius),
                None => hottest.push(Temperature { class: thermometer.class, celsius }),
            }
        }
        hottest.sort_by_key(|t| t.class);
        reading.temperatures = hottest;
        let frequency = |(policy, path): &(u32, PathBuf)| {
            let mhz = scaled(path.join("scaling_cur_freq"), 1e3)?;
            Some(Frequency { policy: *policy, mhz, max_mhz: scaled(path.join("cpuinfo_max_freq"), 1e3) })
        };
        reading.frequencies = self.policies.iter().filter_map(frequency).collect();
        let counter = |(name, zone): &(String, PathBuf)| {
            Some(EnergyCounter {
                name: name.clone(),
                joules: scaled(zone.join("energy_uj"), 1e6)?,
                range_j: scaled(zone.join("max_energy_range_uj"), 1e6)?,
            })
        };
        // All packages or none.
        reading.packages = self.packages.iter().map(counter).collect::<Option<_>>().unwrap_or_default();
        self.read_batteries(reading);
    }

    fn read_batteries(&self, reading: &mut Reading) {
        let told: Vec<Supply> = self.batteries.iter().map(|path| Supply::read(path)).collect();
        let percents: Vec<f64> =
            told.iter().filter_map(|s| s.percent).filter(|percent| (0.0..=100.0).contains(percent)).collect();
        reading.battery_percent = (!percents.is_empty()).then(|| percents.iter().sum::<f64>() / percents.len() as f64);
        // One that is being charged means a charger for all.
        reading.charging = told.iter().filter_map(|s| s.charging).reduce(|any, charging| any || charging);
        if let [only] = &told[..] {
            (reading.current_a, reading.voltage_v) = (only.current_a, only.voltage_v);
            reading.drawn_w = only.drawn_w;
        } else if reading.charging == Some(false) {
            // An idle second battery says 0, which is part of an honest sum.
            reading.drawn_w = told.iter().map(Supply::power_w).sum();
        }
    }
}

/// The machine's batteries. Those of mice and keyboards are not meant. Android's framework calls its one `battery`, and a
/// fuel gauge beside it is the same battery again.
fn batteries(folder: &Path) -> Vec<PathBuf> {
    let own = entries(folder).into_iter().filter(|(_, supply)| {
        text(supply.join("type")).as_deref() == Some("Battery")
            && text(supply.join("scope")).as_deref() != Some("Device")
    });
    let own: Vec<(String, PathBuf)> = own.collect();
    let androids = own.iter().any(|(name, _)| name == "battery");
    own.into_iter().filter(|(name, _)| !androids || name == "battery").map(|(_, supply)| supply).collect()
}

/// One battery as it describes itself.
struct Supply {
    percent: Option<f64>,
    charging: Option<bool>,
    current_a: Option<f64>,
    voltage_v: Option<f64>,
    drawn_w: Option<f64>,
}

impl Supply {
    fn read(supply: &Path) -> Self {
        let charging = match text(supply.join("status")).as_deref() {
            // Held where it is by a charger.
            Some("Charging" | "Full" | "Not charging") => Some(true),
            Some("Discharging") => Some(false),
            _ => None,
        };
        // Drivers do not agree on the sign, so the status decides.
        let current_a = scaled(supply.join("current_now"), 1e6).map(|ampere| match charging {
            Some(true) => ampere.abs(),
            Some(false) => -ampere.abs(),
            None => ampere,
        });
        let power_w = scaled(supply.join("power_now"), 1e6).map(f64::abs);
        Self {
            percent: scaled(supply.join("capacity"), 1.0),
            charging,
            current_a,
            voltage_v: scaled(supply.join("voltage_now"), 1e6),
            drawn_w: power_w.filter(|_| charging == Some(false)),
        }
    }

    fn power_w(&self) -> Option<f64> {
        self.drawn_w.or_else(|| Some(-self.current_a? * self.voltage_v?))
    }
}
