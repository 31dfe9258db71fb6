//! Waiting for a cooler machine: for its temperature, not for a timer.

use pocketbench_domain::conditions::{CoolDownEnd, Cooled, HEAT, Reading, SensorClass, ThermalStatus};
use std::time::Duration;

/// Readings in a row without a temperature after which the sensor is lost.
const LOST_AFTER: u32 = 3;

/// When a machine counts as cool.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CoolDownPlan {
    /// Whose temperature.
    pub class: SensorClass,
    /// At most this many °C.
    pub target_c: f64,
    /// Longest wait.
    pub at_most: Duration,
    /// Time between two looks.
    pub poll: Duration,
}

impl CoolDownPlan {
    /// Back to the temperature of a reading and a margin in K, looking every second. Without a processor temperature the
    /// battery's stands in, then the skin's; which one is settled here.
    #[must_use]
    pub fn back_to(start: &Reading, margin_k: f64, at_most: Duration) -> Self {
        let found = HEAT.into_iter().find_map(|class| Some((class, start.celsius(class)?)));
        // Without any, the thermal status alone decides, and every temperature would do.
        let (class, start_c) = found.unwrap_or((SensorClass::Cpu, f64::INFINITY));
        Self { class, target_c: start_c + margin_k, at_most, poll: Duration::from_secs(1) }
    }
}

/// What to do next.
#[derive(Debug, Clone, PartialEq)]
pub enum CoolDownStep {
    /// Wait this long, then read the sensors again.
    Wait(Duration),
    /// It is over.
    Done(Cooled),
}

/// The wait, as a state machine: who drives it has the sensors, the clock and the sleep.
///
/// Cool means that the temperature is at most the target, and that the system, where it says anything about heat, does
/// not call it *moderate* or worse.
#[derive(Debug)]
pub struct CoolDown {
    plan: CoolDownPlan,
    from_c: Option<f64>,
    to_c: Option<f64>,
    waited: Duration,
    looked: bool,
    silent: u32,
}

impl CoolDown {
    /// Begins.
    #[must_use]
    pub fn new(plan: CoolDownPlan) -> Self {
        Self { plan, from_c: None, to_c: None, waited: Duration::ZERO, looked: false, silent: 0 }
    }

    /// Judges a reading that was taken `elapsed` after the wait began.
    pub fn next(&mut self, reading: &Reading, elapsed: Duration) -> CoolDownStep {
        self.waited = elapsed;
        let celsius = reading.celsius(self.plan.class);
        let status = reading.thermal_status;
        let first = !std::mem::replace(&mut self.looked, true);
        if first {
            self.from_c = celsius;
        }
        self.to_c = celsius.or(self.to_c);

        // A temperature that was there once has to come back: its absence does not mean cool.
        let told = celsius.is_some() || (self.from_c.is_none() && status.is_some());
        if told {
            self.silent = 0;
            let cool = celsius.is_none_or(|celsius| celsius <= self.plan.target_c);
            if cool && status.is_none_or(|status| status < ThermalStatus::Moderate) {
                return self.done(CoolDownEnd::Cool);
            }
        } else {
            self.silent += 1;
            if first {
                return self.done(CoolDownEnd::NoSensor);
            }
            if self.silent >= LOST_AFTER {
                return self.done(CoolDownEnd::SensorLost);
            }
        }
        match self.plan.at_most.checked_sub(elapsed) {
            None | Some(Duration::ZERO) => self.done(CoolDownEnd::TimeUp),
            Some(left) => CoolDownStep::Wait(self.plan.poll.min(left)),
        }
    }

    /// Somebody would not wait.
    #[must_use]
    pub fn cancel(self, elapsed: Duration) -> Cooled {
        let waited = self.waited.max(elapsed);
        Self { waited, ..self }.cooled(CoolDownEnd::Cancelled)
    }

    fn done(&self, reason: CoolDownEnd) -> CoolDownStep {
        CoolDownStep::Done(self.cooled(reason))
    }

    fn cooled(&self, reason: CoolDownEnd) -> Cooled {
        Cooled {
            waited_ms: u64::try_from(self.waited.as_millis()).unwrap_or(u64::MAX),
            from_c: self.from_c,
            to_c: self.to_c,
            reached: reason == CoolDownEnd::Cool,
            reason,
        }
    }
}
