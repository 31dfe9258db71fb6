//! The probes on the machine that the tests run on.

use pocketbench_device::{
    ColdResult, LoadSampler, drop_from_page_cache, process_memory, process_pss, profile, ram_available, reset_peak,
};
use std::path::Path;
use std::process::{Child, Command, Stdio};

const MIB: u64 = 1 << 20;

/// The parts run one after the other: some watch the whole machine, others the memory of this process.
#[test]
fn probes() {
    the_profile_is_plausible_and_stable();
    memory_grows_by_what_is_allocated();
    if cfg!(target_os = "linux") {
        the_peak_can_be_reset();
        a_dropped_file_is_gone_and_one_that_stays_is_reported();
    }
    the_work_of_others_is_seen_and_the_workers_is_not();
}

fn the_profile_is_plausible_and_stable() {
    let here = std::env::temp_dir();
    let profile = profile(&here);
    assert_eq!(profile.fingerprint.len(), 32);
    assert!(!profile.name.is_empty() && !profile.os.is_empty() && !profile.cpu.is_empty());
    assert_eq!(profile.arch, std::env::consts::ARCH);
    assert!(profile.logical_cores >= 1);
    assert!(profile.physical_cores.is_none_or(|n| n >= 1));
    assert!(profile.ram_bytes > 128 * MIB, "{}", profile.ram_bytes);
    assert!((1..=profile.ram_bytes).contains(&profile.ram_available_bytes));
    assert!(profile.storage_free_bytes.is_some_and(|n| n > 0));
    assert!(profile.battery.as_ref().is_none_or(|b| b.percent.is_none_or(|p| (0.0..=100.0).contains(&p))));
    if cfg!(target_arch = "x86_64") {
        assert!(profile.cpu_features.iter().any(|f| f == "sse4.2"), "{:?}", profile.cpu_features);
    }
    let again = pocketbench_device::profile(&here.join("a folder/that is/not there yet"));
    assert_eq!(again.fingerprint, profile.fingerprint);
    assert!(again.storage_free_bytes.is_some());
    assert!(ram_available().unwrap() <= profile.ram_bytes);
}

/// Memory that is really there: every page is written.
fn allocate(bytes: u64) -> Vec<u8> {
    let mut memory = vec![0; usize::try_from(bytes).unwrap()];
    for page in memory.chunks_mut(4096) {
        page[0] = 1;
    }
    std::hint::black_box(memory)
}

fn memory_grows_by_what_is_allocated() {
    let own = std::process::id();
    let before = process_memory(own).unwrap();
    let memory = allocate(64 * MIB);
    let after = process_memory(own).unwrap();
    let grown = after.rss_bytes - before.rss_bytes;
    assert!((60 * MIB..72 * MIB).contains(&grown), "{grown}");
    assert_eq!(memory[0], 1);
    if cfg!(target_os = "linux") {
        let of_no_file = after.anonymous_bytes.unwrap() - before.anonymous_bytes.unwrap();
        assert!((60 * MIB..72 * MIB).contains(&of_no_file), "{of_no_file}");
        assert!(after.peak_rss_bytes.unwrap() >= after.rss_bytes);
        assert!(after.file_backed_bytes.unwrap() > 0);
        assert!(after.swap_bytes.is_some());
        assert!(process_pss(own).unwrap() >= 60 * MIB);
    }
    assert_eq!(process_memory(u32::MAX), None, "no such process");
    assert_eq!(process_pss(u32::MAX), None);
}

fn the_peak_can_be_reset() {
    let own = std::process::id();
    drop(allocate(96 * MIB));
    let before = process_memory(own).unwrap();
    assert!(before.peak_rss_bytes.unwrap() >= before.rss_bytes + 60 * MIB);
    assert!(reset_peak(own));
    let after = process_memory(own).unwrap();
    assert!(after.peak_rss_bytes.unwrap() < before.peak_rss_bytes.unwrap() - 60 * MIB);
    assert!(!reset_peak(u32::MAX));
}

fn a_dropped_file_is_gone_and_one_that_stays_is_reported() {
    // Not in the temporary folder, which is often a file system in memory.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let file = folder.path().join("weights");
    // Just written: dirty, so it must be synced first.
    std::fs::write(&file, vec![7; 8 << 20]).unwrap();
    let first = drop_from_page_cache(&file);
    assert!(!matches!(first, ColdResult::NotDropped(_)), "{first:?}");
    assert_eq!(drop_from_page_cache(&file), first, "looking does not bring it back");
    assert_eq!(std::fs::read(&file).unwrap().len(), 8 << 20);
    assert_eq!(drop_from_page_cache(&file), first, "after it was read again");
    std::fs::write(&file, "").unwrap();
    assert_eq!(drop_from_page_cache(&file), ColdResult::Confirmed, "an empty file has nothing in memory");

    // The kernel keeps what a process has mapped, such as its program.
    let program = folder.path().join("sleep");
    std::fs::copy("/bin/sleep", &program).unwrap();
    let running = KilledAtEnd(Command::new(&program).arg("600").spawn().unwrap());
    while std::fs::read_link(format!("/proc/{}/exe", running.0.id())).unwrap() != program.canonicalize().unwrap() {
        std::thread::yield_now();
    }
    assert_ne!(drop_from_page_cache(&program), ColdResult::Confirmed);
    drop(running);
    assert_eq!(drop_from_page_cache(&program), first);

    // A file system in memory has nowhere else to put it.
    if let Ok(in_memory) = tempfile::tempdir_in("/dev/shm") {
        let file = in_memory.path().join("weights");
        std::fs::write(&file, vec![7; 1 << 20]).unwrap();
        assert_ne!(drop_from_page_cache(&file), ColdResult::Confirmed);
    }
    assert!(matches!(drop_from_page_cache(Path::new("/no/such/file")), ColdResult::NotDropped(_)));
}

/// A child process that does not outlive the test.
struct KilledAtEnd(Child);

impl KilledAtEnd {
    /// It keeps one processor busy.
    fn spinning() -> Self {
        let child = if cfg!(windows) {
            Command::new("cmd").args(["/C", "for /L %i in (0,0,1) do @rem"]).stdin(Stdio::null()).spawn()
        } else {
            Command::new("sh").args(["-c", "while :; do :; done"]).stdin(Stdio::null()).spawn()
        };
        Self(child.unwrap())
    }
}

impl Drop for KilledAtEnd {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn the_work_of_others_is_seen_and_the_workers_is_not() {
    let cores = std::thread::available_parallelism().unwrap().get() as f64;
    let interval = std::time::Duration::from_millis(600);
    let spinner = KilledAtEnd::spinning();
    // The same interval seen from both sides: once the spinner is somebody else, once it is the worker.
    let as_other = LoadSampler::start(std::process::id());
    let as_worker = LoadSampler::start(spinner.0.id());
    std::thread::sleep(interval);
    let as_worker = as_worker.stop();
    let as_other = as_other.stop();

    let (others, without_worker) = (as_other.other_cpu.unwrap(), as_worker.other_cpu.unwrap());
    assert!((0.0..=1.0).contains(&others) && (0.0..=1.0).contains(&without_worker));
    // On a busy machine it gets less than a whole processor, but never next to nothing.
    let its_share = others - without_worker;
    assert!(its_share > 0.15 / cores && its_share < 1.3 / cores, "{others} − {without_worker} with {cores} processors");
    assert!(as_other.ram_available_bytes.is_some_and(|n| n > 0));
    assert_eq!(as_other.load_average.is_some(), cfg!(unix));

    // A worker that is gone by the end cannot be told from the others.
    let sampler = LoadSampler::start(spinner.0.id());
    drop(spinner);
    assert_eq!(sampler.stop().other_cpu, None);
}
