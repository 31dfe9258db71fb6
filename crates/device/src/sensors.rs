//! The sensors of a machine, and their sampling beside a measurement.

mod sysfs;

use crate::platform;
use crate::trace::Trace;
use pocketbench_domain::conditions::{Reading, Temperature};
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

/// Everything that can be read about heat, energy and load, of this machine or of a recorded one.
#[derive(Debug)]
pub struct Sensors {
    source: Source,
}

#[derive(Debug)]
enum Source {
    Machine { files: Option<sysfs::Sysfs>, clocks: Clocks },
    Trace { trace: Trace, next: usize },
}

impl Sensors {
    /// Finds once what this machine has. Reading may still fail later, and then yields less.
    #[must_use]
    pub fn open() -> Self {
        if cfg!(any(target_os = "linux", target_os = "android")) {
            return Self::open_at(Path::new("/"));
        }
        Self { source: Source::Machine { files: None, clocks: Clocks::start() } }
    }

    /// The same with the folder that holds `sys`, for a machine that is described by files. Clocks, load average and
    /// memory are still this machine's.
    #[must_use]
    pub fn open_at(root: &Path) -> Self {
        Self { source: Source::Machine { files: Some(sysfs::Sysfs::find(root)), clocks: Clocks::start() } }
    }

    /// Replays a trace, one of its readings at a time and in its own time. Behind its end nothing can be read any more,
    /// and time goes on second by second.
    #[must_use]
    pub fn replay(trace: Trace) -> Self {
        Self { source: Source::Trace { trace, next: 0 } }
    }

    /// What was found, for a person to read: kind and place of each sensor.
    #[must_use]
    pub fn found(&self) -> Vec<String> {
        match &self.source {
            Source::Machine { files: Some(files), .. } => files.found(),
            Source::Machine { files: None, .. } => Vec::new(),
            Source::Trace { trace, .. } => vec![format!("trace: {}", trace.about)],
        }
    }

    /// Time on the readings' clock, in nanoseconds. That of a trace stands at its last reading that was read.
    #[must_use]
    pub fn now_ns(&self) -> u64 {
        match &self.source {
            Source::Machine { clocks, .. } => clocks.now_ns(),
            Source::Trace { trace, next } => traced_ns(trace, next.saturating_sub(1)),
        }
    }

    /// Reads everything. Values that cannot be true are left out; see [`Reading::plausible`].
    pub fn read(&mut self) -> Reading {
        match &mut self.source {
            Source::Machine { files, clocks } => {
                let mut reading = clocks.read();
                match files {
                    Some(files) => files.read(&mut reading),
                    None => reading.temperatures = other_temperatures(),
                }
                // Windows has none, and Android may hide it; then all three are 0.
                let load = sysinfo::System::load_average();
                reading.load_average = (load.one + load.five + load.fifteen > 0.0).then_some(load.one);
                reading.available_bytes = platform::ram_available();
                reading.plausible()
            }
            Source::Trace { trace, next } => {
                let place = *next;
                *next += 1;
                let silent = || Reading { at_ns: traced_ns(trace, place), ..Reading::default() };
                trace.readings.get(place).cloned().unwrap_or_else(silent)
            }
        }
    }
}

/// Time of a trace's reading, also of one behind its end.
fn traced_ns(trace: &Trace, place: usize) -> u64 {
    let beyond = (place + 1).saturating_sub(trace.readings.len()) as u64;
    let known = trace.readings.get(place).or(trace.readings.last()).map_or(0, |reading| reading.at_ns);
    known.saturating_add(beyond.saturating_mul(1_000_000_000))
}

/// Here `/sys` tells.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn other_temperatures() -> Vec<Temperature> {
    Vec::new()
}

/// What `sysinfo` finds of temperatures where there is no `/sys`.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn other_temperatures() -> Vec<Temperature> {
    use pocketbench_domain::conditions::SensorClass;
    platform::temperature().map(|celsius| Temperature { class: SensorClass::Cpu, celsius }).into_iter().collect()
}

/// The three clocks, read one right after the other.
#[derive(Debug, Clone, Copy)]
struct Clocks {
    started: Instant,
    boot_ns: Option<u64>,
}

impl Clocks {
    fn start() -> Self {
        Self { started: Instant::now(), boot_ns: boot_ns() }
    }

    fn now_ns(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn read(&self) -> Reading {
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok();
        Reading {
            at_ns: self.now_ns(),
            boot_ns: boot_ns().zip(self.boot_ns).map(|(now, start)| now.saturating_sub(start)),
            wall_ms: wall.and_then(|wall| i64::try_from(wall.as_millis()).ok()),
            ..Reading::default()
        }
    }
}

/// Time since the machine was started, with its sleep.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn boot_ns() -> Option<u64> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).ok()?;
    seconds.checked_mul(1_000_000_000)?.checked_add(u64::try_from(time.tv_nsec).ok()?)
}

/// Other systems have one behind calls that are not safe; there the wall clock tells of sleep.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn boot_ns() -> Option<u64> {
    None
}

/// A sensor that takes longer is not waited for.
const MARK_PATIENCE: Duration = Duration::from_millis(100);

/// Reads sensors beside a measurement, in a thread of its own, which ends when this is dropped.
#[derive(Debug)]
pub struct SensorSampler {
    readings: Arc<Mutex<Vec<Reading>>>,
    clocks: Option<Clocks>,
    /// Asks for a reading now, answered with its time; hanging up ends the thread.
    ask: mpsc::Sender<mpsc::Sender<u64>>,
    thread: JoinHandle<Sensors>,
}

impl SensorSampler {
    /// Takes a first reading at once, then one every `period`.
    #[must_use]
    pub fn start(mut sensors: Sensors, period: Duration) -> Self {
        let clocks = match &sensors.source {
            Source::Machine { clocks, .. } => Some(*clocks),
            Source::Trace { .. } => None,
        };
        let readings = Arc::new(Mutex::new(vec![sensors.read()]));
        let (ask, asked) = mpsc::channel::<mpsc::Sender<u64>>();
        let kept = Arc::clone(&readings);
        let thread = std::thread::spawn(move || {
            let mut due = Instant::now() + period;
            loop {
                let answer = match asked.recv_timeout(due.saturating_duration_since(Instant::now())) {
                    Ok(answer) => Some(answer),
                    Err(RecvTimeoutError::Timeout) => None,
                    Err(RecvTimeoutError::Disconnected) => return sensors,
                };
                let reading = sensors.read();
                let at_ns = reading.at_ns;
                lock(&kept).push(reading);
                match answer {
                    // Whoever asked may have given up.
                    Some(answer) => answer.send(at_ns).unwrap_or_default(),
                    // After a sleep or a stall it does not catch up on what it missed.
                    None => due = (due + period).max(Instant::now()),
                }
            }
        });
        Self { readings, clocks, ask, thread }
    }

    /// Time on the readings' clock, in nanoseconds: mark the ends of a span with it. That of a trace stands at the last
    /// reading.
    #[must_use]
    pub fn now_ns(&self) -> u64 {
        self.clocks.map_or_else(|| self.latest().map_or(0, |reading| reading.at_ns), |clocks| clocks.now_ns())
    }

    /// Takes a reading now and gives its time: an end of a span for which energy is wanted must have one.
    #[must_use]
    pub fn mark(&self) -> u64 {
        let (answer, answered) = mpsc::channel();
        let taken = self.ask.send(answer).is_ok();
        let at_ns = taken.then(|| answered.recv_timeout(MARK_PATIENCE).ok()).flatten();
        at_ns.unwrap_or_else(|| self.now_ns())
    }

    /// The last reading.
    #[must_use]
    pub fn latest(&self) -> Option<Reading> {
        lock(&self.readings).last().cloned()
    }

    /// The readings so far from the last one at or before `from_ns` on: what
    /// [`Conditions::over`](pocketbench_domain::conditions::Conditions::over) needs of a span that began there.
    #[must_use]
    pub fn since(&self, from_ns: u64) -> Vec<Reading> {
        let readings = lock(&self.readings);
        let first = readings.partition_point(|reading| reading.at_ns <= from_ns).saturating_sub(1);
        readings[first..].to_vec()
    }

    /// Ends with a last reading, so that the readings reach over everything measured. The sensors come back to be used
    /// again, on the same clock.
    ///
    /// # Panics
    ///
    /// If the thread did.
    #[must_use]
    pub fn stop(self) -> (Vec<Reading>, Sensors) {
        drop(self.ask);
        let mut sensors = self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let last = sensors.read();
        let mut readings = std::mem::take(&mut *lock(&self.readings));
        readings.push(last);
        (readings, sensors)
    }
}

/// Readings are whole whenever the lock is free.
fn lock(readings: &Mutex<Vec<Reading>>) -> MutexGuard<'_, Vec<Reading>> {
    readings.lock().unwrap_or_else(PoisonError::into_inner)
}
