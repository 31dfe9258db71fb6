//! What `sysinfo` tells of systems other than Linux.

use pocketbench_domain::device::{Battery, ProcessMemory};
use std::time::Instant;
use sysinfo::{MemoryRefreshKind, Pid, ProcessRefreshKind, ProcessesToUpdate, RefreshKind, System};

fn refresh(system: &mut System, pid: u32, kind: ProcessRefreshKind) {
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[Pid::from_u32(pid)]), true, kind);
}

pub(crate) fn process_memory(pid: u32) -> Option<ProcessMemory> {
    let mut system = System::new();
    refresh(&mut system, pid, ProcessRefreshKind::nothing().with_memory());
    let process = system.process(Pid::from_u32(pid))?;
    Some(ProcessMemory { rss_bytes: process.memory(), ..ProcessMemory::default() })
}

pub(crate) fn process_pss(_: u32) -> Option<u64> {
    None
}

pub(crate) fn reset_peak(_: u32) -> bool {
    false
}

pub(crate) fn ram_available() -> Option<u64> {
    let memory = MemoryRefreshKind::nothing().with_ram();
    let system = System::new_with_specifics(RefreshKind::nothing().with_memory(memory));
    Some(system.available_memory()).filter(|bytes| *bytes > 0)
}

pub(crate) fn has_swap() -> bool {
    false
}

pub(crate) fn go_first() -> bool {
    false
}

pub(crate) fn goes_first(_: u32) -> bool {
    false
}

pub(crate) fn oom_kills() -> Option<u64> {
    None
}

pub(crate) fn machine_id() -> Option<String> {
    None
}

pub(crate) fn product_name() -> Option<String> {
    None
}

pub(crate) fn has_amx() -> bool {
    false
}

pub(crate) fn virtual_machine() -> Option<bool> {
    None
}

pub(crate) fn battery() -> Option<Battery> {
    None
}

pub(crate) fn temperature() -> Option<f64> {
    let components = sysinfo::Components::new_with_refreshed_list();
    let of_processor = components.iter().filter(|component| {
        let label = component.label().to_ascii_lowercase();
        ["cpu", "core", "package", "soc", "tctl"].iter().any(|part| label.contains(part))
    });
    let degrees = of_processor.filter_map(sysinfo::Component::temperature).map(f64::from);
    degrees.filter(|celsius| (1.0..150.0).contains(celsius)).max_by(f64::total_cmp)
}

/// CPU time of all processes but one.
#[derive(Debug)]
pub(crate) struct CpuMeter {
    pid: u32,
    system: System,
    started: Instant,
    own_ms: Option<u64>,
}

/// CPU time that the process has used, in milliseconds.
fn own_ms(system: &mut System, pid: u32) -> Option<u64> {
    refresh(system, pid, ProcessRefreshKind::nothing().with_cpu());
    Some(system.process(Pid::from_u32(pid))?.accumulated_cpu_time())
}

impl CpuMeter {
    pub(crate) fn start(pid: u32) -> Self {
        let mut system = System::new();
        system.refresh_cpu_usage();
        let own_ms = own_ms(&mut system, pid);
        Self { pid, system, started: Instant::now(), own_ms }
    }

    pub(crate) fn others(mut self) -> Option<f64> {
        // Sooner it would report the usage of an earlier interval.
        if self.started.elapsed() < sysinfo::MINIMUM_CPU_UPDATE_INTERVAL {
            return None;
        }
        let wall_ms = self.started.elapsed().as_secs_f64() * 1000.0;
        self.system.refresh_cpu_usage();
        let all = f64::from(self.system.global_cpu_usage()) / 100.0;
        let own = own_ms(&mut self.system, self.pid)?.checked_sub(self.own_ms?)? as f64;
        let processors = self.system.cpus().len().max(1) as f64;
        Some((all - own / (wall_ms * processors)).clamp(0.0, 1.0))
    }
}
