use crate::fixture::{device, entry};
use pocketbench_domain::device::{CoreCluster, DeviceProfile};
use pocketbench_domain::fit::Fit;
use pocketbench_domain::settings::{FlashAttention, KvType};
use pocketbench_domain::sweep::{LEAST_FREE_BYTES, MOST_VALUES, Sweep, default_threads, thread_candidates};

fn machine(logical: u32, physical: Option<u32>, clusters: &[u32]) -> DeviceProfile {
    DeviceProfile {
        logical_cores: logical,
        physical_cores: physical,
        core_clusters: clusters.iter().map(|&cores| CoreCluster { cores, max_mhz: None }).collect(),
        ..device()
    }
}

#[test]
fn a_phone_is_tried_at_the_borders_of_its_kinds_of_cores() {
    assert_eq!(thread_candidates(&machine(8, Some(8), &[1, 3, 4])), [1, 2, 4, 6, 8]);
}

#[test]
fn never_more_threads_than_cores() {
    assert_eq!(thread_candidates(&machine(1, Some(1), &[])), [1]);
    assert_eq!(thread_candidates(&machine(2, None, &[])), [1, 2]);
    // A container that may use fewer than there are.
    assert!(thread_candidates(&machine(3, Some(16), &[8, 8])).iter().all(|n| *n <= 3));
    assert_eq!(thread_candidates(&machine(16, Some(8), &[8])), [1, 2, 4, 6, 8, 16]);
    let many = thread_candidates(&machine(512, Some(256), &[13; 20]));
    assert!(many.len() <= MOST_VALUES && many.first() == Some(&1) && many.last() == Some(&512), "{many:?}");
}

#[test]
fn each_entry_differs_in_its_axis_alone_and_says_so() {
    let base = entry("SmolLM2", "Q4_1");
    let sweeps = [
        Sweep::Threads(vec![1, 2]),
        Sweep::Context(vec![512, 1_024]),
        Sweep::KvType(vec![KvType::F16, KvType::Q8_0]),
        Sweep::MicroBatch(vec![128, 512]),
        Sweep::FlashAttention(vec![FlashAttention::On, FlashAttention::Off]),
        Sweep::GpuLayers(vec![0, 99]),
        Sweep::Repack(vec![true, false]),
        Sweep::Mmap(vec![true, false]),
        Sweep::FreeMemory(vec![2 << 30]),
    ];
    for sweep in sweeps {
        assert_eq!(sweep.problem(), None);
        let entries = sweep.entries(&base, &device());
        assert_eq!(entries.len(), 2, "{sweep:?}");
        assert_ne!(entries[0].variant, entries[1].variant);
        assert!(
            entries[0].settings != entries[1].settings || entries[0].leave_free_bytes != entries[1].leave_free_bytes,
            "{sweep:?}"
        );
        for entry in &entries {
            assert_eq!(entry.model, base.model);
            assert!(entry.label().contains(entry.variant.as_deref().unwrap()));
        }
        let text = serde_json::to_string(&sweep).unwrap();
        assert_eq!(serde_json::from_str::<Sweep>(&text).unwrap(), sweep, "{text}");
    }
}

#[test]
fn threads_without_values_are_those_of_the_device() {
    let entries = Sweep::Threads(Vec::new()).entries(&entry("A", "Q4_0"), &machine(8, Some(8), &[2, 6]));
    let threads: Vec<u32> = entries.iter().map(|entry| entry.settings.n_threads).collect();
    assert_eq!(threads, [1, 2, 4, 6, 8]);
    assert_eq!(entries[0].variant.as_deref(), Some("1 thread"));
}

#[test]
fn free_memory_is_held_against_an_entry_without_a_balloon() {
    let base = entry("A", "Q4_0");
    let free = |sweep: Sweep| -> Vec<Option<u64>> {
        assert_eq!(sweep.problem(), None);
        sweep.entries(&base, &device()).iter().map(|entry| entry.leave_free_bytes).collect()
    };
    assert_eq!(free(Sweep::FreeMemory(vec![2 << 30, 1 << 30])), [None, Some(2 << 30), Some(1 << 30)]);
    let fit = Fit::predict(&base.model.header, &base.settings, base.model.file_bytes, &(&device()).into());
    let automatic = free(Sweep::FreeMemory(Vec::new()));
    let shares = [150, 100, 75, 50].map(|percent| fit.predicted_bytes / 100 * percent);
    let mut expected: Vec<Option<u64>> = shares.iter().map(|bytes| Some((*bytes).max(LEAST_FREE_BYTES))).collect();
    expected.dedup();
    assert_eq!(automatic[0], None);
    assert_eq!(automatic[1..], expected);
    assert!(Sweep::FreeMemory(vec![LEAST_FREE_BYTES - 1]).problem().unwrap().contains("must stay"));
}

#[test]
fn impossible_sweeps_are_refused() {
    assert!(Sweep::Context(vec![512]).problem().is_some(), "one value is no sweep");
    assert!(Sweep::Context(Vec::new()).problem().is_some());
    assert!(Sweep::Threads(vec![0, 1]).problem().is_some());
    assert!(Sweep::Threads(vec![1, 4_000]).problem().is_some());
    assert!(Sweep::MicroBatch(vec![1; MOST_VALUES + 1]).problem().is_some());
}

#[test]
fn a_sweep_is_written_as_an_axis_and_its_values() {
    let parse = |text: &str| text.parse::<Sweep>();
    assert_eq!(parse("threads=1,2, 4"), Ok(Sweep::Threads(vec![1, 2, 4])));
    assert_eq!(parse("threads"), Ok(Sweep::Threads(Vec::new())));
    assert_eq!(parse("context=512,4096"), Ok(Sweep::Context(vec![512, 4_096])));
    assert_eq!(parse("kv-type=F16,q8_0"), Ok(Sweep::KvType(vec![KvType::F16, KvType::Q8_0])));
    assert_eq!(parse("micro-batch=64,512"), Ok(Sweep::MicroBatch(vec![64, 512])));
    let flash = vec![FlashAttention::On, FlashAttention::Off, FlashAttention::Auto];
    assert_eq!(parse("flash-attention=on,off,auto"), Ok(Sweep::FlashAttention(flash)));
    assert_eq!(parse("gpu-layers=0,99"), Ok(Sweep::GpuLayers(vec![0, 99])));
    assert_eq!(parse("repack=on,off"), Ok(Sweep::Repack(vec![true, false])));
    assert_eq!(parse("mmap=off,on"), Ok(Sweep::Mmap(vec![false, true])));
    assert_eq!(parse("free-memory=2GB,1.5 GiB"), Ok(Sweep::FreeMemory(vec![2_000_000_000, 1_610_612_736])));
    for axis in Sweep::AXES {
        assert_eq!(parse(axis).unwrap().axis(), axis);
    }
    let wrong = parse("threads=1,many").unwrap_err();
    assert_eq!(wrong.to_string(), "`many` is no value of threads, such as 1,2,4");
    assert!(parse("speed=1,2").unwrap_err().to_string().contains("there are threads, context"));
    assert!(parse("kv-type=f16,q9").is_err() && parse("mmap=yes,no").is_err() && parse("threads=-1,2").is_err());
}

#[test]
fn before_anything_is_measured_the_slowest_cores_are_left_alone() {
    assert_eq!(default_threads(&machine(8, Some(8), &[1, 3, 4])), 4);
    assert_eq!(default_threads(&machine(24, Some(16), &[8, 8])), 8);
    assert_eq!(default_threads(&machine(16, Some(8), &[8])), 8, "one thread a core");
    assert_eq!(default_threads(&machine(16, Some(8), &[])), 8);
    assert_eq!(default_threads(&machine(2, None, &[])), 2);
    assert_eq!(default_threads(&machine(3, Some(16), &[8, 8])), 3, "a container that may use fewer than there are");
    assert_eq!(default_threads(&machine(1, Some(0), &[0, 4])), 1);
}
