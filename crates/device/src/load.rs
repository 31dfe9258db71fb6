//! What the machine does while something is measured.

use crate::platform;
use pocketbench_domain::device::MachineLoad;

/// Watches the machine from [`start`](Self::start) to [`stop`](Self::stop). It reads a few counters at both ends and does
/// nothing in between, so it disturbs nothing.
#[derive(Debug)]
pub struct LoadSampler {
    cpu: platform::CpuMeter,
}

impl LoadSampler {
    /// Starts; `worker_pid` is the process whose own work is not *others*.
    #[must_use]
    pub fn start(worker_pid: u32) -> Self {
        Self { cpu: platform::CpuMeter::start(worker_pid) }
    }

    /// Ends and reports. `other_cpu` is absent if the worker is gone by now or the time was too short for the system's
    /// clock ticks.
    #[must_use]
    pub fn stop(self) -> MachineLoad {
        MachineLoad {
            other_cpu: self.cpu.others(),
            ram_available_bytes: platform::ram_available(),
            // Windows has none and would say 0.
            load_average: cfg!(unix).then(|| sysinfo::System::load_average().one),
            pressed: None,
        }
    }
}
