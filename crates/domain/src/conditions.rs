//! Heat, energy and load beside a measurement: what one look at the sensors found, and what a span of them says.
//!
//! What could not be read is absent, never zero, and so is everything computed from it. Sensors lie: a value outside
//! [`Reading::plausible`]'s limits counts as not read, and one that never moves while the machine works is named
//! [`StuckSensor`].

use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;
use std::time::Duration;
use ts_rs::TS;

/// How hot the system says it is, in Android's words and order (`PowerManager.THERMAL_STATUS_*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum ThermalStatus {
    /// Not throttled.
    None,
    /// Throttled so little that nobody notices.
    Light,
    /// Throttled noticeably. From here on figures are those of a throttled machine.
    Moderate,
    /// Throttled strongly.
    Severe,
    /// Everything that can be done against heat is done.
    Critical,
    /// Parts are being switched off.
    Emergency,
    /// About to switch off.
    Shutdown,
}

/// What a temperature is the temperature of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum SensorClass {
    /// Processor cores, or the chip that holds them.
    Cpu,
    /// Graphics processor.
    Gpu,
    /// Battery.
    Battery,
    /// Surface of a phone, measured or modelled by its maker.
    Skin,
    /// Mainboard or case.
    Board,
}

/// Whose temperature tells how hot a machine is, the best first.
pub const HEAT: [SensorClass; 3] = [SensorClass::Cpu, SensorClass::Battery, SensorClass::Skin];

/// A temperature.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, TS)]
pub struct Temperature {
    /// Of what.
    pub class: SensorClass,
    /// The class's hottest sensor, in °C.
    pub celsius: f64,
}

/// Clock of a group of processors that change it together: a cluster of a phone, often a single core of a PC.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, TS)]
pub struct Frequency {
    /// Number of the group: Linux's `policyN`.
    pub policy: u32,
    /// Now, in MHz.
    pub mhz: f64,
    /// The most that the hardware can do, in MHz; not the ceiling that heat may have lowered.
    pub max_mhz: Option<f64>,
}

/// A counter of energy in a processor package (RAPL). It wraps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct EnergyCounter {
    /// Name of the package.
    pub name: String,
    /// Value in joules. It starts anywhere.
    pub joules: f64,
    /// Value in joules behind which it starts again from 0.
    pub range_j: f64,
}

/// One look at all sensors.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, TS)]
// `claims` has readings of another kind.
#[ts(rename = "SensorReading")]
pub struct Reading {
    /// When, in nanoseconds since the sensors were opened, on the monotonic clock of measurements. On Linux, Android and
    /// macOS it stands still while the machine sleeps.
    pub at_ns: u64,
    /// The same on a clock that goes on during sleep (`CLOCK_BOOTTIME`), where there is one.
    #[serde(default)]
    pub boot_ns: Option<u64>,
    /// Wall clock in Unix milliseconds. Anybody can set it.
    #[serde(default)]
    pub wall_ms: Option<i64>,
    /// Charge in percent; the mean of several batteries.
    #[serde(default)]
    pub battery_percent: Option<f64>,
    /// Current of the battery in ampere: **negative while it discharges**, positive while it is charged. Absent with
    /// several batteries.
    #[serde(default)]
    pub current_a: Option<f64>,
    /// Voltage of the battery in volt. Absent with several batteries.
    #[serde(default)]
    pub voltage_v: Option<f64>,
    /// Power drawn from all batteries in watt, positive while they discharge, where the system tells it or there are
    /// several batteries.
    #[serde(default)]
    pub drawn_w: Option<f64>,
    /// Whether a charger feeds the machine.
    #[serde(default)]
    pub charging: Option<bool>,
    /// What the system says about heat.
    #[serde(default)]
    pub thermal_status: Option<ThermalStatus>,
    /// Hottest sensor of each class, in the order of [`SensorClass`].
    #[serde(default)]
    pub temperatures: Vec<Temperature>,
    /// Clocks of the processors.
    #[serde(default)]
    pub frequencies: Vec<Frequency>,
    /// Energy counters: of all packages, or of none.
    #[serde(default)]
    pub packages: Vec<EnergyCounter>,
    /// Load average over one minute.
    #[serde(default)]
    pub load_average: Option<f64>,
    /// Memory that can be used without swapping.
    #[serde(default)]
    pub available_bytes: Option<u64>,
}

/// °C. Sensors that are switched off say 0, −40 or −273.
pub const PLAUSIBLE_CELSIUS: RangeInclusive<f64> = 1.0..=150.0;
/// MHz.
pub const PLAUSIBLE_MHZ: RangeInclusive<f64> = 10.0..=10_000.0;
/// Volt. Gauges that count in another unit than they should are a thousand times off.
pub const PLAUSIBLE_VOLT: RangeInclusive<f64> = 2.0..=100.0;
/// Ampere, without sign, of a battery that discharges: no machine that computes draws less, and a gauge that counts in
/// milliampere where microampere are due stays below.
pub const PLAUSIBLE_AMPERE: RangeInclusive<f64> = 0.01..=50.0;
/// Watt drawn from batteries.
pub const PLAUSIBLE_WATT: RangeInclusive<f64> = 0.02..=1_000.0;
/// Watt of one processor package. A counter that rises faster was reset.
pub const MOST_PACKAGE_W: f64 = 1_000.0;

/// Readings further apart than this leave a hole: no energy is computed across it and nobody knows what happened in it.
pub const LONGEST_GAP: Duration = Duration::from_secs(10);
/// Difference of two clocks between two readings from which one of them jumped. Clocks are read one after the other, and
/// on a busy machine something may come between.
pub const CLOCK_JUMP: Duration = Duration::from_secs(1);
/// Fewest readings within a span for its energy: below, it would be guessed from what was drawn before and after.
pub const ENERGY_MIN_READINGS: usize = 2;
/// Shortest span after which a sensor that never moved is stuck.
pub const STUCK_AFTER: Duration = Duration::from_mins(2);
/// Fewest readings for the same.
pub const STUCK_MIN_READINGS: usize = 60;
/// Mean load average below which the machine was not busy, and a sensor had no reason to move.
pub const STUCK_MIN_LOAD: f64 = 1.0;

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl Reading {
    /// The reading without what cannot be true: not a number, or outside the limits above. A current that contradicts
    /// the state of the charger is none either.
    #[must_use]
    pub fn plausible(mut self) -> Self {
        self.battery_percent = self.battery_percent.filter(|percent| (0.0..=100.0).contains(percent));
        self.voltage_v = self.voltage_v.filter(|volt| PLAUSIBLE_VOLT.contains(volt));
        self.drawn_w = self.drawn_w.filter(|watt| PLAUSIBLE_WATT.contains(watt));
        self.current_a = self.current_a.filter(|ampere| match self.charging {
            Some(true) => (0.0..=*PLAUSIBLE_AMPERE.end()).contains(ampere),
            Some(false) => PLAUSIBLE_AMPERE.contains(&-ampere),
            None => ampere.abs() <= *PLAUSIBLE_AMPERE.end(),
        });
        self.temperatures.retain(|t| PLAUSIBLE_CELSIUS.contains(&t.celsius));
        self.frequencies.retain(|f| PLAUSIBLE_MHZ.contains(&f.mhz));
        for frequency in &mut self.frequencies {
            frequency.max_mhz = frequency.max_mhz.filter(|mhz| PLAUSIBLE_MHZ.contains(mhz));
        }
        // A sum over some of the packages would be wrong without looking wrong.
        if !self.packages.iter().all(|c| c.range_j.is_finite() && (0.0..=c.range_j).contains(&c.joules)) {
            self.packages.clear();
        }
        self.load_average = self.load_average.filter(|load| (0.0..=1e6).contains(load));
        self.available_bytes = self.available_bytes.filter(|bytes| *bytes > 0);
        self
    }

    /// Hottest sensor of a class in °C.
    #[must_use]
    pub fn celsius(&self, class: SensorClass) -> Option<f64> {
        self.temperatures.iter().find(|t| t.class == class).map(|t| t.celsius)
    }

    /// Temperature in °C of what tells most of heat: the processor, else the battery, else the skin.
    #[must_use]
    pub fn hottest(&self) -> Option<f64> {
        HEAT.into_iter().find_map(|class| self.celsius(class))
    }

    /// Power drawn from the battery in watt: voltage × current, else what the system says. Absent unless discharging.
    #[must_use]
    pub fn battery_w(&self) -> Option<f64> {
        if self.charging != Some(false) {
            return None;
        }
        let product = self.voltage_v.zip(self.current_a).map(|(volt, ampere)| -volt * ampere);
        product.or(self.drawn_w).filter(|watt| PLAUSIBLE_WATT.contains(watt))
    }

    /// Clock of the fastest kind of core as a share of the most it can do. Of several such cores the one that runs
    /// fastest, because idle ones clock down and mean nothing. May be slightly above 1.
    #[must_use]
    pub fn frequency_share(&self) -> Option<f64> {
        let known = || self.frequencies.iter().filter_map(|f| Some((f.mhz, f.max_mhz?)));
        let most = known().map(|(_, max)| max).max_by(f64::total_cmp)?;
        known().filter(|(_, max)| *max >= most).map(|(mhz, max)| mhz / max).max_by(f64::total_cmp)
    }
}

/// Least, greatest and mean value of readings; each reading counts once, however long it stood.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, TS)]
pub struct Spread {
    /// Least.
    pub min: f64,
    /// Greatest.
    pub max: f64,
    /// Arithmetic mean.
    pub mean: f64,
}

impl Spread {
    fn of(values: impl Iterator<Item = f64> + Clone) -> Option<Self> {
        let n = values.clone().count() as f64;
        Some(Self {
            min: values.clone().min_by(f64::total_cmp)?,
            max: values.clone().max_by(f64::total_cmp)?,
            mean: values.sum::<f64>() / n,
        })
    }
}

/// Temperatures of a class over a span.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, TS)]
pub struct TemperatureSpread {
    /// Of what.
    pub class: SensorClass,
    /// In °C.
    pub celsius: Spread,
}

/// Who counted the energy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum EnergySource {
    /// Counters of the processor packages: cores, caches and integrated graphics; neither screen nor, mostly, memory.
    Rapl,
    /// Voltage × current of the battery: the whole device. Figures of the two sources do not compare.
    Battery,
}

/// Energy drawn.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, TS)]
pub struct Energy {
    /// Joules.
    pub joules: f64,
    /// Who counted them.
    pub source: EnergySource,
}

/// A sensor that showed exactly one value over at least [`STUCK_AFTER`] and [`STUCK_MIN_READINGS`] readings of a busy
/// machine (mean load average at least [`STUCK_MIN_LOAD`], or not told). Temperatures of other things than the processor
/// may well stand still and are not judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum StuckSensor {
    /// Temperature of the processor.
    CpuTemperature,
    /// Current or power of the battery while it discharges.
    BatteryPower,
    /// Energy counters of the packages.
    PackageEnergy,
}

/// What the machine was like during a span.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, TS)]
pub struct Conditions {
    /// Readings within the span.
    pub readings: u32,
    /// Temperatures by class.
    pub temperatures: Vec<TemperatureSpread>,
    /// [`Reading::frequency_share`].
    pub frequency_share: Option<Spread>,
    /// The worst.
    pub thermal_status: Option<ThermalStatus>,
    /// Energy drawn from the span's start to its end; see [`energy`].
    pub energy: Option<Energy>,
    /// The same from the first token to the last one alone.
    #[serde(default)]
    pub decode_energy: Option<Energy>,
    /// Whether a charger fed the machine at any time.
    pub charging: Option<bool>,
    /// Lowest charge in percent.
    pub lowest_battery_percent: Option<f64>,
    /// Load average.
    pub load_average: Option<Spread>,
    /// Least memory that could be used without swapping.
    pub least_available_bytes: Option<u64>,
    /// Longest time between two successive readings, on the monotonic clock.
    pub longest_gap_ns: Option<u64>,
    /// How long the machine slept: what the clock that goes on during sleep gained by [`CLOCK_JUMP`] or more between two
    /// readings. 0 if it did not; absent without such a clock.
    pub slept_ns: Option<u64>,
    /// Greatest jump of the wall clock between two readings, in milliseconds, against the clock that goes on during
    /// sleep, or else the monotonic one. 0 below [`CLOCK_JUMP`].
    pub wall_jump_ms: Option<i64>,
    /// Sensors not to be believed.
    pub stuck: Vec<StuckSensor>,
}

impl Conditions {
    /// Summary of the span from `from_ns` to `to_ns` on the readings' monotonic clock.
    ///
    /// `readings` are in order of time and may begin earlier and end later. Gaps, clocks and energy also need the last
    /// reading before the span and the first behind it; everything else stands on those within.
    #[must_use]
    pub fn over(readings: &[Reading], from_ns: u64, to_ns: u64) -> Self {
        let around = bracket(readings, from_ns, to_ns);
        let inside = within(readings, from_ns, to_ns);
        let classes = [SensorClass::Cpu, SensorClass::Gpu, SensorClass::Battery, SensorClass::Skin, SensorClass::Board];
        let temperatures = classes.into_iter().filter_map(|class| {
            Some(TemperatureSpread { class, celsius: Spread::of(inside.iter().filter_map(|r| r.celsius(class)))? })
        });
        let charging = inside.iter().filter_map(|r| r.charging).reduce(|any, charging| any || charging);
        Self {
            readings: u32::try_from(inside.len()).unwrap_or(u32::MAX),
            temperatures: temperatures.collect(),
            frequency_share: Spread::of(inside.iter().filter_map(Reading::frequency_share)),
            thermal_status: inside.iter().filter_map(|r| r.thermal_status).max(),
            energy: energy(readings, from_ns, to_ns),
            decode_energy: None,
            charging,
            lowest_battery_percent: inside.iter().filter_map(|r| r.battery_percent).min_by(f64::total_cmp),
            load_average: Spread::of(inside.iter().filter_map(|r| r.load_average)),
            least_available_bytes: inside.iter().filter_map(|r| r.available_bytes).min(),
            longest_gap_ns: steps(around).map(|(a, b)| b.at_ns.saturating_sub(a.at_ns)).max(),
            slept_ns: slept(around),
            wall_jump_ms: wall_jump(around),
            stuck: stuck(inside),
        }
    }

    /// Mean temperature in °C of what tells most of heat: the processor, else the battery, else the skin.
    #[must_use]
    pub fn celsius(&self) -> Option<f64> {
        let of = |class| self.temperatures.iter().find(|t| t.class == class);
        HEAT.into_iter().find_map(of).map(|t| t.celsius.mean)
    }

    /// Whether the machine slept or the readings have a hole: what was measured meanwhile is no measurement.
    ///
    /// Without a clock that goes on during sleep, a wall clock that jumps forward counts as sleep, since the two cannot be
    /// told apart.
    #[must_use]
    pub fn interrupted(&self) -> bool {
        let slept = match self.slept_ns {
            Some(slept) => slept > 0,
            None => self.wall_jump_ms.is_some_and(|jump| jump > 0),
        };
        slept || self.longest_gap_ns.is_some_and(|gap| gap > nanos(LONGEST_GAP))
    }
}

fn steps(readings: &[Reading]) -> impl Iterator<Item = (&Reading, &Reading)> {
    readings.windows(2).map(|pair| (&pair[0], &pair[1]))
}

/// The readings within a span.
fn within(readings: &[Reading], from_ns: u64, to_ns: u64) -> &[Reading] {
    let first = readings.partition_point(|r| r.at_ns < from_ns);
    let end = readings.partition_point(|r| r.at_ns <= to_ns);
    &readings[first..end.max(first)]
}

/// The readings within a span, the last one before it and the first one behind it, as far as there are such.
fn bracket(readings: &[Reading], from_ns: u64, to_ns: u64) -> &[Reading] {
    let first = readings.partition_point(|r| r.at_ns <= from_ns).saturating_sub(1);
    let end = readings.len().min(readings.partition_point(|r| r.at_ns < to_ns) + 1);
    &readings[first..end.max(first)]
}

/// Sum of the times by which the clock that goes on during sleep ran ahead.
fn slept(readings: &[Reading]) -> Option<u64> {
    let ahead = |(a, b): (&Reading, &Reading)| {
        let boot = b.boot_ns?.saturating_sub(a.boot_ns?);
        Some(boot.saturating_sub(b.at_ns.saturating_sub(a.at_ns)))
    };
    steps(readings).filter_map(ahead).map(|ns| if ns >= nanos(CLOCK_JUMP) { ns } else { 0 }).reduce(u64::saturating_add)
}

fn wall_jump(readings: &[Reading]) -> Option<i64> {
    let jump = |(a, b): (&Reading, &Reading)| {
        let true_ns = match (a.boot_ns, b.boot_ns) {
            (Some(a), Some(b)) => b.saturating_sub(a),
            _ => b.at_ns.saturating_sub(a.at_ns),
        };
        let true_ms = i64::try_from(true_ns / 1_000_000).unwrap_or(i64::MAX);
        let jump = b.wall_ms?.saturating_sub(a.wall_ms?).saturating_sub(true_ms);
        Some(if u128::from(jump.unsigned_abs()) >= CLOCK_JUMP.as_millis() { jump } else { 0 })
    };
    steps(readings).filter_map(jump).max_by_key(|jump| jump.unsigned_abs())
}

/// What of a reading a sensor tells.
type Value = fn(&Reading) -> Option<f64>;

/// The sensors that never moved. `readings` are those of one span of work.
#[must_use]
pub fn stuck(readings: &[Reading]) -> Vec<StuckSensor> {
    let load = Spread::of(readings.iter().filter_map(|r| r.load_average));
    if load.is_some_and(|load| load.mean < STUCK_MIN_LOAD) {
        return Vec::new();
    }
    let sensors: [(StuckSensor, Value); 3] = [
        (StuckSensor::CpuTemperature, |r| r.celsius(SensorClass::Cpu)),
        (StuckSensor::BatteryPower, Reading::battery_w),
        (StuckSensor::PackageEnergy, |r| {
            (!r.packages.is_empty()).then(|| r.packages.iter().map(|counter| counter.joules).sum())
        }),
    ];
    let never_moved = |value: Value| {
        let told: Vec<(u64, f64)> = readings.iter().filter_map(|r| Some((r.at_ns, value(r)?))).collect();
        let (Some(first), Some(last)) = (told.first(), told.last()) else { return false };
        told.len() >= STUCK_MIN_READINGS
            && last.0.saturating_sub(first.0) >= nanos(STUCK_AFTER)
            && told.iter().all(|(_, value)| value.total_cmp(&first.1).is_eq())
    };
    sensors.into_iter().filter(|(_, value)| never_moved(*value)).map(|(sensor, _)| sensor).collect()
}

/// Energy drawn between two moments of the readings' monotonic clock, from the packages' counters, else from the battery.
///
/// - Packages: difference of the counters, each wrapped at most once between two readings.
/// - Battery: integral of voltage × current by the trapezoid rule.
///
/// The moments lie between readings, so counters and power are interpolated linearly at both ends. Absent, never zero,
/// if the readings do not reach over the whole span, fewer than [`ENERGY_MIN_READINGS`] lie within it, two are further
/// apart than [`LONGEST_GAP`], the machine slept, a reading lacks what is needed, the battery was not discharging all the
/// time, a counter jumped, or the sensor is stuck.
#[must_use]
pub fn energy(readings: &[Reading], from_ns: u64, to_ns: u64) -> Option<Energy> {
    energy_from(EnergySource::Rapl, readings, from_ns, to_ns)
        .or_else(|| energy_from(EnergySource::Battery, readings, from_ns, to_ns))
}

/// [`energy`] from one source.
#[must_use]
pub fn energy_from(source: EnergySource, readings: &[Reading], from_ns: u64, to_ns: u64) -> Option<Energy> {
    let around = bracket(readings, from_ns, to_ns);
    let reaches = from_ns < to_ns && around.first()?.at_ns <= from_ns && around.last()?.at_ns >= to_ns;
    let whole = steps(around).all(|(a, b)| b.at_ns > a.at_ns && b.at_ns - a.at_ns <= nanos(LONGEST_GAP));
    let enough = within(around, from_ns, to_ns).len() >= ENERGY_MIN_READINGS;
    let sensor = match source {
        EnergySource::Rapl => StuckSensor::PackageEnergy,
        EnergySource::Battery => StuckSensor::BatteryPower,
    };
    if !reaches || !whole || !enough || slept(around).is_some_and(|ns| ns > 0) || stuck(around).contains(&sensor) {
        return None;
    }
    let mut joules = 0.0;
    for (a, b) in steps(around) {
        let seconds = |ns: u64| ns as f64 / 1e9;
        let step = seconds(b.at_ns - a.at_ns);
        // The part of the step that lies within the span, as shares of the step.
        let start = seconds(from_ns.saturating_sub(a.at_ns)) / step;
        let end = 1.0 - seconds(b.at_ns.saturating_sub(to_ns)) / step;
        joules += match source {
            EnergySource::Rapl => rise(&a.packages, &b.packages, step)? * (end - start),
            EnergySource::Battery => {
                let (first, last) = (a.battery_w()?, b.battery_w()?);
                (first + (last - first) * f64::midpoint(start, end)) * step * (end - start)
            }
        };
    }
    (joules > 0.0).then_some(Energy { joules, source })
}

/// By how many joules the counters rose together.
fn rise(before: &[EnergyCounter], after: &[EnergyCounter], seconds: f64) -> Option<f64> {
    let same = before.len() == after.len() && before.iter().zip(after).all(|(a, b)| a.name == b.name);
    if before.is_empty() || !same {
        return None;
    }
    let of_one = |(a, b): (&EnergyCounter, &EnergyCounter)| {
        let rise = if b.joules >= a.joules { b.joules - a.joules } else { b.joules + a.range_j - a.joules };
        (rise <= MOST_PACKAGE_W * seconds).then_some(rise)
    };
    before.iter().zip(after).map(of_one).sum()
}

/// Millijoules a token. Absent without tokens.
#[must_use]
pub fn mj_per_token(energy: Energy, tokens: u32) -> Option<f64> {
    (tokens > 0).then(|| energy.joules * 1000.0 / f64::from(tokens))
}

/// How a wait for a cooler machine ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum CoolDownEnd {
    /// It is as cool as asked for.
    Cool,
    /// The upper bound passed before.
    TimeUp,
    /// Nothing tells how warm it is.
    NoSensor,
    /// What told it fell silent.
    SensorLost,
    /// Somebody would not wait.
    Cancelled,
}

/// A wait for a cooler machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct Cooled {
    /// How long, in milliseconds.
    pub waited_ms: u64,
    /// Temperature at the start in °C.
    pub from_c: Option<f64>,
    /// Last temperature in °C.
    pub to_c: Option<f64>,
    /// Whether it got as cool as asked for.
    pub reached: bool,
    /// Why it ended.
    pub reason: CoolDownEnd,
}
