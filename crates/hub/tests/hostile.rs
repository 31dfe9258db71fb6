//! No file makes the reader panic, or allocate without bounds. This file has an allocator of its own that refuses to hand
//! out more than a limit, which ends the test.

mod common;

use cap::Cap;
use common::{Gguf, file};
use pocketbench_hub::read_header;
use proptest::prelude::*;
use std::alloc::System;
use std::sync::{Mutex, PoisonError};

/// Far less than the 64 MB that a header may take: these files have a few kilobytes.
const LIMIT: usize = 8 << 20;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// The limit holds for all threads.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Reads within the limit; whether it is accepted does not matter.
fn survive(content: &[u8]) -> bool {
    let (_folder, path) = file(content);
    let read = within_limit(|| read_header(&path));
    if let Ok(header) = &read {
        // What is accepted is consistent, whatever it is.
        assert_eq!(header.n_head_kv.len(), header.n_layer as usize);
        assert!(header.n_head_kv.iter().all(|n| *n <= header.n_head));
        assert!(header.tensor_bytes <= content.len() as u64);
        assert!(header.n_ctx_train > 0 && header.n_vocab > 0 && header.n_embd > 0);
    }
    read.is_ok()
}

fn within_limit<T>(work: impl FnOnce() -> T) -> T {
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    ALLOCATOR.set_limit(ALLOCATOR.allocated() + LIMIT).unwrap();
    let result = work();
    ALLOCATOR.set_limit(usize::MAX).unwrap();
    result
}

#[test]
fn the_limit_holds() {
    let mut bytes: Vec<u8> = Vec::new();
    assert!(within_limit(|| bytes.try_reserve_exact(2 * LIMIT)).is_err());
    assert!(within_limit(|| bytes.try_reserve_exact(LIMIT / 2)).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn flipped_bits(flips in prop::collection::vec((0.0f64..1.0, 0u8..8), 1..6), version in 2u32..4) {
        let mut bytes = Gguf { version, ..Gguf::tiny() }.bytes();
        let header = Gguf::tiny().header().len();
        for (place, bit) in flips {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place within the header")]
            let at = (place * header as f64) as usize;
            bytes[at] ^= 1 << bit;
        }
        survive(&bytes);
    }

    #[test]
    fn overwritten_numbers(
        place in 0usize..800,
        number in prop_oneof![Just(u64::MAX), Just(0), Just(1 << 62), Just(1 << 31), any::<u64>(), 0u64..1000],
        cut in 0usize..4000,
    ) {
        let mut bytes = Gguf::tiny().bytes();
        let place = place.min(bytes.len() - 8);
        bytes[place..place + 8].copy_from_slice(&number.to_le_bytes());
        survive(&bytes[..cut.min(bytes.len())]);
        survive(&bytes);
    }

    #[test]
    fn noise_after_the_magic(noise in prop::collection::vec(any::<u8>(), 0..2000)) {
        survive(&[b"GGUF\x03\0\0\0", &noise[..]].concat());
        survive(&noise);
    }
}

#[test]
fn the_file_without_damage_is_accepted() {
    assert!(survive(&Gguf::tiny().bytes()));
}
