//! How fast this machine reads its memory: the limit of every decode.

use std::hint::black_box;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// What all threads have together: far more than any cache holds, unless memory is short.
const BUFFER_BYTES: u64 = 768 << 20;
/// Less than this would measure caches.
const SMALLEST_BUFFER: u64 = 64 << 20;
/// What a thread reads of its buffer in one pass, the next part in the next: about a millisecond, so that on a busy machine
/// some passes lie between two interruptions, and long against the start of the threads.
const PASS_BYTES: usize = 32 << 20;
/// Passes go on for this long; the fastest counts, since nothing but a disturbance makes one slower.
const TIME: Duration = Duration::from_millis(400);
/// Fewest passes.
const PASSES: usize = 3;

/// Memory bandwidth of this machine.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bandwidth {
    /// Bytes read a second by all threads together.
    pub bytes_per_s: f64,
    /// Threads that read: one a core that this process may use.
    pub threads: usize,
    /// Bytes of all their buffers.
    pub buffer_bytes: u64,
    /// Passes of which the fastest counts.
    pub passes: usize,
}

/// Measures how fast all cores together read memory, which takes up to a second with filling the buffers. `None` if there
/// is not enough free memory for buffers that no cache holds.
///
/// Each thread sums parts of a buffer of its own. A pass is from when the first thread begins until the last one is done.
#[must_use]
pub fn memory_bandwidth() -> Option<Bandwidth> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let buffer = BUFFER_BYTES.min(crate::ram_available().unwrap_or(BUFFER_BYTES) / 8);
    (buffer >= SMALLEST_BUFFER).then(|| measure(threads, buffer, PASS_BYTES, TIME))
}

fn measure(threads: usize, buffer_bytes: u64, pass_bytes: usize, time: Duration) -> Bandwidth {
    let words = (usize::try_from(buffer_bytes / 8).unwrap_or(usize::MAX) / threads / LANES * LANES).max(LANES);
    let pass_words = (pass_bytes / 8 / LANES * LANES).clamp(LANES, words);
    let barrier = Barrier::new(threads);
    let enough = AtomicBool::new(false);
    // The threads time themselves: a thread that only watches would have to be woken by those it watches.
    let read = || {
        // Written here, so that the pages are this core's; not zero, or the system would map one page for all.
        let buffer = vec![1_u64; words];
        let mut spans = Vec::new();
        barrier.wait();
        let end = Instant::now() + time;
        loop {
            // Parts that are left over at the end are too short for a pass.
            for part in buffer.chunks_exact(pass_words) {
                if barrier.wait().is_leader() && spans.len() >= PASSES && Instant::now() >= end {
                    enough.store(true, Ordering::Relaxed);
                }
                barrier.wait();
                if enough.load(Ordering::Relaxed) {
                    return spans;
                }
                let start = Instant::now();
                black_box(sum(black_box(part)));
                spans.push((start, Instant::now()));
            }
        }
    };
    let spans: Vec<Vec<(Instant, Instant)>> = thread::scope(|scope| {
        let readers: Vec<_> = (0..threads).map(|_| scope.spawn(read)).collect();
        readers.into_iter().filter_map(|reader| reader.join().ok()).collect()
    });
    let passes = spans.iter().map(Vec::len).min().unwrap_or(0);
    let lasted = (0..passes).filter_map(|pass| {
        let start = spans.iter().map(|spans| spans[pass].0).min()?;
        let end = spans.iter().map(|spans| spans[pass].1).max()?;
        Some(end - start)
    });
    let best = lasted.min().unwrap_or(Duration::MAX);
    Bandwidth {
        bytes_per_s: (pass_words * threads * 8) as f64 / best.as_secs_f64(),
        threads,
        buffer_bytes: (words * threads * 8) as u64,
        passes,
    }
}

/// Sums that do not wait for each other, so that vector instructions and several loads at once are used.
const LANES: usize = 32;

fn sum(buffer: &[u64]) -> u64 {
    let mut lanes = [0_u64; LANES];
    for chunk in buffer.as_chunks::<LANES>().0 {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane = lane.wrapping_add(*value);
        }
    }
    lanes.into_iter().fold(0, u64::wrapping_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_read() {
        let buffer: Vec<u64> = (0..LANES as u64 * 9).collect();
        assert_eq!(sum(&buffer), (0..LANES as u64 * 9).sum::<u64>());
    }

    #[test]
    fn what_was_read_is_what_is_counted() {
        let small = measure(2, 4 << 20, 1 << 20, Duration::ZERO);
        assert_eq!((small.threads, small.passes), (2, PASSES));
        assert!(small.buffer_bytes <= 4 << 20 && small.buffer_bytes > 3 << 20);
        assert!(small.bytes_per_s.is_finite() && small.bytes_per_s > 0.0);
        // A buffer that is shorter than a pass is one.
        assert!(measure(3, 1 << 20, 32 << 20, Duration::ZERO).bytes_per_s > 0.0);
    }
}
