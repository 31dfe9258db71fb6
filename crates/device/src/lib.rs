//! What machine this is, and what it does while something is measured.
//!
//! `/proc`, `/sys` and platform calls are read here and nowhere else. What cannot be read is `None`, never zero. Linux (and
//! Android, as far as it lets an app look) has probes of its own, because the figures that matter for a benchmark are not in
//! portable libraries; elsewhere `sysinfo` gives what it can.

mod balloon;
mod bandwidth;
mod cooldown;
mod cores;
mod load;
mod network;
mod page_cache;
mod profile;
mod sensors;
mod trace;

#[cfg_attr(any(target_os = "linux", target_os = "android"), path = "linux.rs")]
#[cfg_attr(not(any(target_os = "linux", target_os = "android")), path = "portable.rs")]
mod platform;

pub use balloon::{BalloonOrder, BalloonState, LEAST_AVAILABLE_BYTES, serve as serve_balloon};
pub use bandwidth::{Bandwidth, memory_bandwidth};
pub use cooldown::{CoolDown, CoolDownPlan, CoolDownStep};
pub use load::LoadSampler;
pub use network::{NetworkKind, network_kind};
pub use page_cache::{ColdResult, drop_from_page_cache};
pub use profile::{profile, storage_free};
pub use sensors::{SensorSampler, Sensors};
pub use trace::{Trace, TraceError, TraceOrigin};

use pocketbench_domain::device::ProcessMemory;

/// Memory of a process, without [`process_pss`], which costs more. `None` if there is no such process or the system does
/// not tell.
#[must_use]
pub fn process_memory(pid: u32) -> Option<ProcessMemory> {
    platform::process_memory(pid)
}

/// Resident set of a process with shared pages divided among their users, in bytes. The kernel walks all its pages for
/// this: milliseconds for a model of some gigabytes, so not for beside a measurement.
#[must_use]
pub fn process_pss(pid: u32) -> Option<u64> {
    platform::process_pss(pid)
}

/// Resets the high-water mark of a process's resident set to what it is now. Says whether it did; where it cannot, only a
/// fresh process has a peak of its own.
#[must_use]
pub fn reset_peak(pid: u32) -> bool {
    platform::reset_peak(pid)
}

/// Memory that can be used without swapping, now, in bytes. Within a container, what its limit leaves.
#[must_use]
pub fn ram_available() -> Option<u64> {
    platform::ram_available()
}

/// Makes this process the first that the system ends when memory runs out, and says whether it could. Only Linux and
/// Android have this.
#[expect(clippy::must_use_candidate, reason = "where it could not, a worker works all the same")]
pub fn go_first() -> bool {
    platform::go_first()
}

/// Whether a process is one that the system ends first when memory runs out.
#[must_use]
pub fn goes_first(pid: u32) -> bool {
    platform::goes_first(pid)
}

/// Processes that the system has ended since it started because memory ran out. `None` where it does not tell.
#[must_use]
pub fn oom_kills() -> Option<u64> {
    platform::oom_kills()
}
