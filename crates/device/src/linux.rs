//! Probes of Linux. Android forbids apps some of these files; then the figure is absent.

use pocketbench_domain::device::{Battery, ProcessMemory};
use std::fs;
use std::path::Path;

/// A small file's text without its last line break.
fn text(path: impl AsRef<Path>) -> Option<String> {
    fs::read(path).ok().map(|bytes| String::from_utf8_lossy(&bytes).trim_end_matches(['\n', '\0']).to_owned())
}

fn number<T: std::str::FromStr>(path: impl AsRef<Path>) -> Option<T> {
    text(path)?.trim().parse().ok()
}

/// The value of `Key:   123 kB` in bytes.
fn kilobytes(file: &str, key: &str) -> Option<u64> {
    let value = file.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
    value.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

pub(crate) fn process_memory(pid: u32) -> Option<ProcessMemory> {
    let status = text(format!("/proc/{pid}/status"))?;
    let shared = kilobytes(&status, "RssShmem");
    Some(ProcessMemory {
        // A zombie has none.
        rss_bytes: kilobytes(&status, "VmRSS")?,
        peak_rss_bytes: kilobytes(&status, "VmHWM"),
        // Shared memory belongs to no file either.
        anonymous_bytes: kilobytes(&status, "RssAnon").map(|n| n + shared.unwrap_or(0)),
        file_backed_bytes: kilobytes(&status, "RssFile"),
        pss_bytes: None,
        swap_bytes: kilobytes(&status, "VmSwap"),
        major_faults: text(format!("/proc/{pid}/stat")).and_then(|stat| major_faults(&stat)),
    })
}

pub(crate) fn process_pss(pid: u32) -> Option<u64> {
    kilobytes(&text(format!("/proc/{pid}/smaps_rollup"))?, "Pss")
}

pub(crate) fn reset_peak(pid: u32) -> bool {
    // 5: reset the peak resident set size; see proc(5).
    fs::write(format!("/proc/{pid}/clear_refs"), "5").is_ok()
}

pub(crate) fn ram_available() -> Option<u64> {
    let machine = kilobytes(&text("/proc/meminfo")?, "MemAvailable")?;
    let container = text("/proc/self/cgroup").and_then(|file| cgroup_available(Path::new("/sys/fs/cgroup"), &file));
    Some(container.map_or(machine, |limit| limit.min(machine)))
}

/// Where a version of control groups keeps what is known of memory. The first version's own lines of `memory.stat` leave
/// out what groups below use; those that begin with `total_` do not.
struct Cgroups {
    limit: &'static str,
    used: &'static str,
    cached: [&'static str; 2],
}

const CGROUPS_2: Cgroups =
    Cgroups { limit: "memory.max", used: "memory.current", cached: ["inactive_file", "active_file"] };
const CGROUPS_1: Cgroups = Cgroups {
    limit: "memory.limit_in_bytes",
    used: "memory.usage_in_bytes",
    cached: ["total_inactive_file", "total_active_file"],
};

/// What the memory limits of this process's control groups leave: the least over the group and its parents, of whichever
/// version has the memory. Page cache that the kernel would give up counts as available, as it does in `MemAvailable`:
/// that of mapped model files, too.
fn cgroup_available(root: &Path, own: &str) -> Option<u64> {
    let least = |root: &Path, group: &str, version: &Cgroups| {
        let folder = root.join(group);
        let left = |folder: &Path| {
            let limit: u64 = number(folder.join(version.limit))?;
            let used: u64 = number(folder.join(version.used))?;
            let stat = text(folder.join("memory.stat")).unwrap_or_default();
            let value = |name: &str| -> Option<u64> {
                stat.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
            };
            let cached: u64 = version.cached.into_iter().filter_map(value).sum();
            Some(limit.saturating_sub(used.saturating_sub(cached)))
        };
        folder.ancestors().take_while(|folder| folder.starts_with(root)).filter_map(left).min()
    };
    let second = own.lines().find_map(|line| line.strip_prefix("0::/"));
    let first = own.lines().find_map(|line| {
        let (controllers, group) = line.split_once(':')?.1.split_once(":/")?;
        controllers.split(',').any(|controller| controller == "memory").then_some(group)
    });
    let second = second.and_then(|group| least(root, group, &CGROUPS_2));
    let first = first.and_then(|group| least(&root.join("memory"), group, &CGROUPS_1));
    second.into_iter().chain(first).min()
}

pub(crate) fn has_swap() -> bool {
    text("/proc/meminfo").and_then(|file| kilobytes(&file, "SwapTotal")).is_some_and(|bytes| bytes > 0)
}

/// Above every other process, whatever its size; see `oom_score_adj` in proc(5).
const FIRST_TO_GO: i32 = 1000;

pub(crate) fn go_first() -> bool {
    fs::write("/proc/self/oom_score_adj", FIRST_TO_GO.to_string()).is_ok()
}

pub(crate) fn goes_first(pid: u32) -> bool {
    number::<i32>(format!("/proc/{pid}/oom_score_adj")).is_some_and(|adjusted| adjusted >= FIRST_TO_GO)
}

pub(crate) fn oom_kills() -> Option<u64> {
    text("/proc/vmstat")?.lines().find_map(|line| line.strip_prefix("oom_kill ")?.parse().ok())
}

pub(crate) fn machine_id() -> Option<String> {
    ["/etc/machine-id", "/var/lib/dbus/machine-id"].iter().find_map(text).filter(|id| !id.is_empty())
}

pub(crate) fn product_name() -> Option<String> {
    // Boards without DMI have a device tree.
    let name = ["/sys/class/dmi/id/product_name", "/proc/device-tree/model"].iter().find_map(text)?;
    let name = name.trim();
    // What makers of mainboards leave when nobody fills it in.
    let blank = ["", "to be filled by o.e.m.", "system product name", "default string", "not specified", "none", "n/a"];
    (!blank.contains(&name.to_ascii_lowercase().as_str())).then(|| name.to_owned())
}

fn cpu_flags() -> Option<String> {
    text("/proc/cpuinfo")?.lines().find_map(|line| Some(line.strip_prefix("flags")?.split_once(':')?.1.to_owned()))
}

pub(crate) fn has_amx() -> bool {
    cpu_flags().is_some_and(|flags| flags.split_whitespace().any(|flag| flag == "amx_int8"))
}

/// On x86 the processor says so. Elsewhere only a yes can be found out.
pub(crate) fn virtual_machine() -> Option<bool> {
    if cfg!(any(target_arch = "x86", target_arch = "x86_64")) {
        return cpu_flags().map(|flags| flags.split_whitespace().any(|flag| flag == "hypervisor"));
    }
    let maker = text("/sys/class/dmi/id/sys_vendor").unwrap_or_default();
    let virtual_maker = ["QEMU", "VMware, Inc.", "innotek GmbH", "Xen", "Parallels International GmbH."];
    let known = Path::new("/proc/device-tree/hypervisor").exists() || virtual_maker.contains(&maker.as_str());
    known.then_some(true)
}

pub(crate) fn battery() -> Option<Battery> {
    battery_in(Path::new("/sys/class/power_supply"))
}

/// The machine's battery, or the mean of several. Batteries of mice and keyboards are not meant.
fn battery_in(folder: &Path) -> Option<Battery> {
    let mut percents: Vec<f64> = Vec::new();
    let mut charging = None;
    let mut found = false;
    for entry in fs::read_dir(folder).ok()?.flatten() {
        let supply = entry.path();
        if text(supply.join("type")).as_deref() != Some("Battery")
            || text(supply.join("scope")).as_deref() == Some("Device")
        {
            continue;
        }
        found = true;
        percents.extend(number::<f64>(supply.join("capacity")).filter(|n| (0.0..=100.0).contains(n)));
        let plugged = match text(supply.join("status")).as_deref() {
            // Held where it is by a charger.
            Some("Charging" | "Full" | "Not charging") => Some(true),
            Some("Discharging") => Some(false),
            _ => None,
        };
        // One that is being charged means a charger for all.
        charging = if charging == Some(true) { charging } else { plugged.or(charging) };
    }
    let percent = (!percents.is_empty()).then(|| percents.iter().sum::<f64>() / percents.len() as f64);
    found.then_some(Battery { percent, charging })
}

/// Counters of `/proc/stat`, in clock ticks over all processors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct CpuTimes {
    busy: u64,
    total: u64,
}

/// Busy is user, nice, system, interrupts and what a hypervisor took away; user and nice contain guests already.
fn cpu_times(stat: &str) -> Option<CpuTimes> {
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let fields: Vec<u64> = line.split_whitespace().map_while(|field| field.parse().ok()).collect();
    let [user, nice, system, idle, iowait, irq, softirq, steal, ..] = fields[..] else { return None };
    let busy = user + nice + system + irq + softirq + steal;
    Some(CpuTimes { busy, total: busy + idle + iowait })
}

/// A number of `/proc/PID/stat`, counted as proc(5) does: from 1, the state being the third.
fn stat_field(stat: &str, field: usize) -> Option<u64> {
    // The name in parentheses may itself hold blanks and parentheses.
    stat.rsplit_once(')')?.1.split_whitespace().nth(field - 3)?.parse().ok()
}

/// User and system time of a process in clock ticks.
fn process_ticks(stat: &str) -> Option<u64> {
    Some(stat_field(stat, 14)? + stat_field(stat, 15)?)
}

fn major_faults(stat: &str) -> Option<u64> {
    stat_field(stat, 12)
}

/// Fewer ticks than this over all processors say nothing: a tick is ten milliseconds.
const MIN_TICKS: u64 = 10;

/// CPU time of all processes but one.
#[derive(Debug)]
pub(crate) struct CpuMeter {
    pid: u32,
    start: Option<(CpuTimes, u64)>,
}

impl CpuMeter {
    fn now(pid: u32) -> Option<(CpuTimes, u64)> {
        Some((cpu_times(&text("/proc/stat")?)?, process_ticks(&text(format!("/proc/{pid}/stat"))?)?))
    }

    pub(crate) fn start(pid: u32) -> Self {
        Self { pid, start: Self::now(pid) }
    }

    pub(crate) fn others(self) -> Option<f64> {
        others(self.start?, Self::now(self.pid)?)
    }
}

fn others((machine, process): (CpuTimes, u64), (machine_then, process_then): (CpuTimes, u64)) -> Option<f64> {
    let total = machine_then.total.checked_sub(machine.total).filter(|ticks| *ticks >= MIN_TICKS)?;
    let busy = machine_then.busy.saturating_sub(machine.busy);
    let own = process_then.checked_sub(process)?;
    // The two files are read one after the other and round differently, so others can come out below nothing.
    Some((busy.saturating_sub(own) as f64 / total as f64).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{create_dir_all, write};

    fn files(root: &Path, list: &[(&str, &str)]) {
        for (path, content) in list {
            create_dir_all(root.join(path).parent().unwrap()).unwrap();
            write(root.join(path), content).unwrap();
        }
    }

    #[test]
    fn cpu_times_count_steal_as_busy_and_guests_once() {
        let stat = "cpu  100 20 30 400 50 6 7 8 90 9\ncpu0 1 2 3 4 5 6 7 8 9 10\n";
        assert_eq!(cpu_times(stat), Some(CpuTimes { busy: 171, total: 621 }));
        assert_eq!(cpu_times("intr 1 2 3"), None);
        assert_eq!(cpu_times("cpu  1 2 3"), None);
    }

    #[test]
    fn a_process_may_have_any_name() {
        let stat = "42 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 300 40 11 12";
        assert_eq!(process_ticks(stat), Some(340));
        assert_eq!(major_faults(stat), Some(9));
        assert_eq!(process_ticks("42 (short) S 1 2"), None);
    }

    #[test]
    fn others_are_what_the_process_did_not_use() {
        let at = |busy, total| CpuTimes { busy, total };
        assert_eq!(others((at(100, 1000), 50), (at(200, 1400), 110)), Some(0.1));
        assert_eq!(others((at(100, 1000), 50), (at(160, 1400), 115)), Some(0.0), "rounding");
        assert_eq!(others((at(100, 1000), 50), (at(101, 1009), 50)), None, "too short");
        assert_eq!(others((at(100, 1000), 50), (at(200, 1400), 10)), None, "another process with the same id");
    }

    #[test]
    fn a_battery_is_found_and_a_mouse_is_none() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(battery_in(&root.path().join("none")), None);
        files(root.path(), &[("AC/type", "Mains\n"), ("mouse/type", "Battery\n"), ("mouse/scope", "Device\n")]);
        assert_eq!(battery_in(root.path()), None);
        files(root.path(), &[("BAT0/type", "Battery\n"), ("BAT0/capacity", "81\n"), ("BAT0/status", "Discharging\n")]);
        assert_eq!(battery_in(root.path()), Some(Battery { percent: Some(81.0), charging: Some(false) }));
        files(root.path(), &[("BAT1/type", "Battery\n"), ("BAT1/capacity", "41\n"), ("BAT1/status", "Charging\n")]);
        assert_eq!(battery_in(root.path()), Some(Battery { percent: Some(61.0), charging: Some(true) }));

        let silent = tempfile::tempdir().unwrap();
        files(silent.path(), &[("battery/type", "Battery"), ("battery/status", "Unknown")]);
        assert_eq!(battery_in(silent.path()), Some(Battery { percent: None, charging: None }));
    }

    #[test]
    fn the_tightest_control_group_decides() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(cgroup_available(root.path(), "0::/a/b"), None);
        files(
            root.path(),
            &[
                ("a/memory.max", "1000\n"),
                ("a/memory.current", "700\n"),
                ("a/memory.stat", "anon 1\ninactive_file 150\nactive_file 50\n"),
                ("a/b/memory.max", "max\n"),
                ("a/b/memory.current", "600\n"),
            ],
        );
        assert_eq!(cgroup_available(root.path(), "0::/a/b\n"), Some(500));
        assert_eq!(cgroup_available(root.path(), "12:memory:/a/b\n"), None, "nothing known of the first version");
    }

    #[test]
    fn control_groups_of_the_first_version_count_what_is_below_them() {
        let root = tempfile::tempdir().unwrap();
        let own = "9:name=systemd:/\n4:cpu,memory:/a/b\n0::/\n";
        assert_eq!(cgroup_available(root.path(), own), None);
        files(
            root.path(),
            &[
                ("memory/memory.limit_in_bytes", "9223372036854771712\n"),
                ("memory/memory.usage_in_bytes", "5000\n"),
                ("memory/a/memory.limit_in_bytes", "1000\n"),
                ("memory/a/memory.usage_in_bytes", "900\n"),
                ("memory/a/memory.stat", "inactive_file 7\ntotal_inactive_file 200\ntotal_active_file 100\n"),
                ("memory/a/b/memory.limit_in_bytes", "9223372036854771712\n"),
                ("memory/a/b/memory.usage_in_bytes", "600\n"),
            ],
        );
        assert_eq!(cgroup_available(root.path(), own), Some(400));
        // A container that sees its own group as the root, and the host's name for it.
        let inside = "4:memory:/host/name\n";
        files(root.path(), &[("memory/memory.limit_in_bytes", "6000\n")]);
        assert_eq!(cgroup_available(root.path(), inside), Some(1000));
    }

    #[test]
    fn memory_figures_are_kilobytes_of_their_own_line() {
        let status = "VmPeak:\t    3060 kB\nVmHWM:\t    1724 kB\nVmRSS:\t    1700 kB\nName:\tx\n";
        assert_eq!(kilobytes(status, "VmHWM"), Some(1724 * 1024));
        assert_eq!(kilobytes(status, "Vm"), None);
        assert_eq!(kilobytes(status, "Name"), None);
        assert_eq!(kilobytes(status, "VmSwap"), None);
    }
}
