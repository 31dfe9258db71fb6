//! Which cores are equal: a thread on a slow core makes all others wait for it. And what their caches hold.

use pocketbench_domain::device::CoreCluster;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Cores whose strength differs by less count as equal: makers let a favoured core or two clock a little higher.
const EQUAL: f64 = 0.10;

struct Core {
    /// Capacity as the scheduler knows it, or else the highest clock.
    strength: f64,
    max_mhz: Option<f64>,
}

fn number(path: impl AsRef<Path>) -> Option<f64> {
    fs::read_to_string(path).ok()?.trim().parse::<u64>().ok().map(|n| n as f64)
}

/// The groups of equal physical cores, the strongest first, from the files of Linux and Android below `root`. Empty where
/// neither capacities nor clocks can be read, and on other systems.
pub(crate) fn clusters(root: &Path) -> Vec<CoreCluster> {
    let cpus = root.join("sys/devices/system/cpu");
    let mut cores: BTreeMap<String, Core> = BTreeMap::new();
    for entry in fs::read_dir(&cpus).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.strip_prefix("cpu").is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit())) {
            continue;
        }
        let cpu = entry.path();
        // Those of an x86 that all have the same capacity say nothing; their clocks might.
        let max_mhz = number(cpu.join("cpufreq/cpuinfo_max_freq")).map(|khz| khz / 1e3).filter(|mhz| *mhz > 0.0);
        let Some(strength) = number(cpu.join("cpu_capacity")).or(max_mhz) else { continue };
        // Threads of one core name the same siblings.
        let siblings = fs::read_to_string(cpu.join("topology/thread_siblings_list")).unwrap_or_else(|_| name.clone());
        cores.entry(siblings.trim().to_owned()).or_insert(Core { strength, max_mhz });
    }
    let mut cores: Vec<Core> = cores.into_values().collect();
    cores.sort_by(|a, b| b.strength.total_cmp(&a.strength));
    let mut clusters: Vec<(f64, CoreCluster)> = Vec::new();
    for core in cores {
        match clusters.last_mut() {
            Some((strongest, cluster)) if core.strength >= *strongest * (1.0 - EQUAL) => {
                cluster.cores += 1;
                cluster.max_mhz = [cluster.max_mhz, core.max_mhz].into_iter().flatten().reduce(f64::max);
            }
            _ => clusters.push((core.strength, CoreCluster { cores: 1, max_mhz: core.max_mhz })),
        }
    }
    clusters.into_iter().map(|(_, cluster)| cluster).collect()
}

/// Bytes of all caches of the second level and above, each counted once, from the files of Linux below `root`. `None` where
/// there are none to be read.
pub(crate) fn caches(root: &Path) -> Option<u64> {
    let text = |path: std::path::PathBuf| fs::read_to_string(path).ok().map(|text| text.trim().to_owned());
    let mut caches: BTreeMap<(String, String), u64> = BTreeMap::new();
    for cpu in fs::read_dir(root.join("sys/devices/system/cpu")).ok()?.flatten() {
        for cache in fs::read_dir(cpu.path().join("cache")).into_iter().flatten().flatten() {
            let read = |name: &str| text(cache.path().join(name));
            let (Some(level), Some(kind), Some(cores)) = (read("level"), read("type"), read("shared_cpu_list")) else {
                continue;
            };
            if level == "1" || kind == "Instruction" {
                continue;
            }
            // The kernel always writes kibibytes.
            let kib = read("size")?.strip_suffix('K')?.parse::<u64>().ok()?;
            caches.insert((level, cores), kib.checked_mul(1024)?);
        }
    }
    caches.into_values().reduce(u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(cpus: &[(&str, Option<u32>, Option<u32>)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (n, (siblings, capacity, khz)) in cpus.iter().enumerate() {
            let cpu = root.path().join(format!("sys/devices/system/cpu/cpu{n}"));
            for folder in ["topology", "cpufreq"] {
                fs::create_dir_all(cpu.join(folder)).unwrap();
            }
            fs::write(cpu.join("topology/thread_siblings_list"), format!("{siblings}\n")).unwrap();
            if let Some(capacity) = capacity {
                fs::write(cpu.join("cpu_capacity"), format!("{capacity}\n")).unwrap();
            }
            if let Some(khz) = khz {
                fs::write(cpu.join("cpufreq/cpuinfo_max_freq"), format!("{khz}\n")).unwrap();
            }
        }
        root
    }

    fn cores(root: &Path) -> Vec<u32> {
        clusters(root).iter().map(|cluster| cluster.cores).collect()
    }

    #[test]
    fn a_phone_has_its_three_kinds_of_cores_strongest_first() {
        let small = |n: &'static str| (n, Some(250), Some(1_800_000));
        let middle = |n: &'static str| (n, Some(760), Some(2_500_000));
        let phone = machine(&[
            small("0"),
            small("1"),
            small("2"),
            small("3"),
            middle("4"),
            middle("5"),
            middle("6"),
            ("7", Some(1024), Some(3_000_000)),
        ]);
        assert_eq!(cores(phone.path()), [1, 3, 4]);
        assert_eq!(clusters(phone.path())[0].max_mhz, Some(3_000.0));
    }

    #[test]
    fn two_threads_of_a_core_are_one_core_and_favoured_cores_are_no_kind_of_their_own() {
        let laptop = machine(&[
            ("0-1", None, Some(5_000_000)),
            ("0-1", None, Some(5_000_000)),
            ("2-3", None, Some(4_800_000)),
            ("2-3", None, Some(4_800_000)),
            ("4", None, Some(3_800_000)),
            ("5", None, Some(3_800_000)),
        ]);
        assert_eq!(cores(laptop.path()), [2, 2]);
    }

    #[test]
    fn a_cache_counts_once_however_many_cores_share_it() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(caches(root.path()), None);
        let cache = |cpu: u32, index: u32, level: &str, kind: &str, size: &str, cores: &str| {
            let folder = root.path().join(format!("sys/devices/system/cpu/cpu{cpu}/cache/index{index}"));
            fs::create_dir_all(&folder).unwrap();
            for (name, value) in [("level", level), ("type", kind), ("size", size), ("shared_cpu_list", cores)] {
                fs::write(folder.join(name), format!("{value}\n")).unwrap();
            }
        };
        for cpu in 0..2 {
            let alone = cpu.to_string();
            cache(cpu, 0, "1", "Data", "32K", &alone);
            cache(cpu, 1, "1", "Instruction", "32K", &alone);
            cache(cpu, 2, "2", "Unified", "1024K", &alone);
            cache(cpu, 3, "3", "Unified", "32768K", "0-1");
        }
        assert_eq!(caches(root.path()), Some((2 + 32) << 20));
        cache(1, 3, "3", "Unified", "?", "0-1");
        assert_eq!(caches(root.path()), None, "one that is not known makes the sum unknown");
    }

    #[test]
    fn a_machine_that_tells_nothing_has_no_kinds() {
        let silent = machine(&[("0", None, None), ("1", None, None)]);
        assert!(cores(silent.path()).is_empty());
    }
}
