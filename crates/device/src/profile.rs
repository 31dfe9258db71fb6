//! The machine.

use crate::platform;
use pocketbench_domain::device::DeviceProfile;
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::path::Path;
use sysinfo::{CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};

/// Describes this machine. `models_folder` says whose free space is meant; it need not exist yet.
///
/// Takes some milliseconds.
#[must_use]
pub fn profile(models_folder: &Path) -> DeviceProfile {
    let system = System::new_with_specifics(
        RefreshKind::nothing().with_memory(MemoryRefreshKind::everything()).with_cpu(CpuRefreshKind::nothing()),
    );
    let arch = std::env::consts::ARCH;
    let cpu = system.cpus().first().map(|c| c.brand().trim().to_owned()).filter(|brand| !brand.is_empty());
    let cpu = cpu.unwrap_or_else(|| arch.to_owned());
    let ram_bytes = system.total_memory();
    let product = platform::product_name();
    let host = System::host_name().filter(|name| !name.is_empty());

    // The host's name stands in where the system has no identity, and only there: it can be changed.
    let identity = platform::machine_id().or_else(|| host.clone()).unwrap_or_default();
    DeviceProfile {
        fingerprint: fingerprint(&[&identity, product.as_deref().unwrap_or(""), &cpu, arch, &memory_class(ram_bytes)]),
        name: product.or(host).unwrap_or_else(|| "this device".to_owned()),
        os: System::long_os_version().unwrap_or_else(|| std::env::consts::OS.to_owned()),
        kernel: System::kernel_version(),
        arch: arch.to_owned(),
        cpu,
        physical_cores: System::physical_core_count().and_then(|n| u32::try_from(n).ok()).filter(|n| *n > 0),
        logical_cores: std::thread::available_parallelism().map_or(1, |n| u32::try_from(n.get()).unwrap_or(u32::MAX)),
        core_clusters: crate::cores::clusters(Path::new("/")),
        // Elsewhere the files leave out the cache that all parts of a chip share.
        cache_bytes: if cfg!(target_arch = "x86_64") { crate::cores::caches(Path::new("/")) } else { None },
        cpu_features: cpu_features(),
        virtual_machine: platform::virtual_machine(),
        ram_bytes,
        ram_available_bytes: platform::ram_available().unwrap_or_else(|| system.available_memory()),
        swap_bytes: system.total_swap(),
        storage_free_bytes: storage_free(models_folder),
        battery: platform::battery(),
    }
}

/// Total memory differs by some megabytes between kernels; in whole GiB it is the same machine.
fn memory_class(ram_bytes: u64) -> String {
    format!("{} GiB", (ram_bytes + (1 << 29)) >> 30)
}

/// A hash, because a machine's identifier is nobody's business. Half of SHA-256 is plenty to tell machines apart.
fn fingerprint(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    hash.update(b"pocketbench device 1");
    for part in parts {
        hash.update([0]);
        hash.update(part.as_bytes());
    }
    hash.finalize().iter().take(16).fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Instruction sets that llama.cpp has kernels for.
fn cpu_features() -> Vec<String> {
    let mut found: Vec<&str> = Vec::new();
    #[cfg(target_arch = "x86_64")]
    {
        let known = [
            ("sse4.2", std::arch::is_x86_feature_detected!("sse4.2")),
            ("avx", std::arch::is_x86_feature_detected!("avx")),
            ("avx2", std::arch::is_x86_feature_detected!("avx2")),
            ("f16c", std::arch::is_x86_feature_detected!("f16c")),
            ("fma", std::arch::is_x86_feature_detected!("fma")),
            ("bmi2", std::arch::is_x86_feature_detected!("bmi2")),
            ("avxvnni", std::arch::is_x86_feature_detected!("avxvnni")),
            ("avx512f", std::arch::is_x86_feature_detected!("avx512f")),
            ("avx512vnni", std::arch::is_x86_feature_detected!("avx512vnni")),
            ("avx512bf16", std::arch::is_x86_feature_detected!("avx512bf16")),
        ];
        found.extend(known.iter().filter(|(_, present)| *present).map(|(name, _)| *name));
    }
    #[cfg(target_arch = "aarch64")]
    {
        let known = [
            ("neon", std::arch::is_aarch64_feature_detected!("neon")),
            ("fp16", std::arch::is_aarch64_feature_detected!("fp16")),
            ("dotprod", std::arch::is_aarch64_feature_detected!("dotprod")),
            ("bf16", std::arch::is_aarch64_feature_detected!("bf16")),
            ("i8mm", std::arch::is_aarch64_feature_detected!("i8mm")),
            ("sve", std::arch::is_aarch64_feature_detected!("sve")),
            ("sve2", std::arch::is_aarch64_feature_detected!("sve2")),
        ];
        found.extend(known.iter().filter(|(_, present)| *present).map(|(name, _)| *name));
    }
    // Rust cannot ask the processor for it yet.
    found.extend(platform::has_amx().then_some("amx"));
    found.into_iter().map(str::to_owned).collect()
}

/// Free space, for an ordinary user, where `folder` is or would be made.
#[must_use]
pub fn storage_free(folder: &Path) -> Option<u64> {
    let absolute = std::path::absolute(folder).ok()?;
    let existing = absolute.ancestors().find(|path| path.exists())?;
    #[cfg(unix)]
    {
        let space = rustix::fs::statvfs(existing).ok()?;
        Some(space.f_bavail.saturating_mul(space.f_frsize))
    }
    #[cfg(not(unix))]
    {
        let existing = existing.canonicalize().ok()?;
        let disks = sysinfo::Disks::new_with_refreshed_list();
        let holds = |disk: &&sysinfo::Disk| {
            disk.mount_point().canonicalize().is_ok_and(|mount_point| existing.starts_with(mount_point))
        };
        let disk = disks.iter().filter(holds).max_by_key(|disk| disk.mount_point().as_os_str().len())?;
        Some(disk.available_space())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_depends_on_every_part_and_on_nothing_else() {
        let same = ["id", "product", "cpu", "x86_64", "16 GiB"];
        let first = fingerprint(&same);
        assert_eq!(first, fingerprint(&same));
        assert_eq!(first.len(), 32);
        for n in 0..same.len() {
            let mut other = same;
            other[n] = "other";
            assert_ne!(first, fingerprint(&other));
        }
        assert_ne!(fingerprint(&["ab", "c"]), fingerprint(&["a", "bc"]), "the parts are kept apart");
    }

    #[test]
    fn memory_is_named_in_whole_gib() {
        assert_eq!(memory_class(16_542_347_264), "15 GiB");
        assert_eq!(memory_class(16_542_347_264 - (5 << 20)), "15 GiB");
        assert_eq!(memory_class(8 << 30), "8 GiB");
    }
}
