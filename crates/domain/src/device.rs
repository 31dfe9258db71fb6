//! What machine a figure was measured on, and what that machine did meanwhile.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// A battery, where there is one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct Battery {
    /// Charge in percent, where it can be read.
    pub percent: Option<f64>,
    /// Whether it is being charged or held full by a charger.
    pub charging: Option<bool>,
}

/// Cores of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, TS)]
pub struct CoreCluster {
    /// Physical cores.
    pub cores: u32,
    /// Highest clock of any of them in MHz, where it can be read.
    pub max_mhz: Option<f64>,
}

/// The machine. What cannot be read is absent, never zero.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct DeviceProfile {
    /// Stable identity: a hash of what does not change while the machine stays the same.
    pub fingerprint: String,
    /// Model name of the machine or host name.
    pub name: String,
    /// Operating system and version.
    pub os: String,
    /// Kernel version.
    pub kernel: Option<String>,
    /// Instruction set architecture, such as `x86_64`.
    pub arch: String,
    /// Name of the processor.
    pub cpu: String,
    /// Physical cores, where they can be told from logical ones.
    pub physical_cores: Option<u32>,
    /// Logical cores that this process may use.
    pub logical_cores: u32,
    /// Groups of equal cores, the fastest first, where they can be told: performance and efficiency cores.
    #[serde(default)]
    pub core_clusters: Vec<CoreCluster>,
    /// Caches of the second level and above, all of them together, where the system names every one.
    #[serde(default)]
    pub cache_bytes: Option<u64>,
    /// Instruction sets that matter to llama.cpp.
    pub cpu_features: Vec<String>,
    /// Whether it runs on a hypervisor, where that can be told.
    pub virtual_machine: Option<bool>,
    /// Physical memory.
    pub ram_bytes: u64,
    /// Memory that can be used without swapping, now.
    pub ram_available_bytes: u64,
    /// Swap space.
    pub swap_bytes: u64,
    /// Free space where the models are kept.
    pub storage_free_bytes: Option<u64>,
    /// Battery.
    pub battery: Option<Battery>,
}

/// Memory of a worker process. What the OS does not tell is absent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ProcessMemory {
    /// Resident set now.
    pub rss_bytes: u64,
    /// High-water mark of the resident set since the last reset.
    pub peak_rss_bytes: Option<u64>,
    /// Part of the resident set that belongs to no file.
    pub anonymous_bytes: Option<u64>,
    /// Part of the resident set that is mapped from files.
    pub file_backed_bytes: Option<u64>,
    /// Resident set with shared pages divided among their users.
    pub pss_bytes: Option<u64>,
    /// Swapped out.
    pub swap_bytes: Option<u64>,
    /// Times it waited for a page that had to be read from storage: since it was started; of a sample, during it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub major_faults: Option<u64>,
}

/// What the machine did while one repetition ran.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, TS)]
pub struct MachineLoad {
    /// Share of all CPU time that other processes used, 0–1. The hypervisor's steal counts as others.
    pub other_cpu: Option<f64>,
    /// Memory that could be used without swapping, at the end.
    pub ram_available_bytes: Option<u64>,
    /// Load average over one minute.
    pub load_average: Option<f64>,
    /// The balloon beside it, at the end, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub pressed: Option<Pressed>,
}

/// What a balloon did that keeps memory from a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Pressed {
    /// Memory that it held.
    pub balloon_bytes: u64,
    /// Memory that was left to the worker: available, or in its hands without belonging to a file.
    pub left_bytes: u64,
}
