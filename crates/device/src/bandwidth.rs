//! How fast this machine reads its memory: the limit of every decode.

use std::hint::black_box;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

/// What all threads read together in one pass: far more than any cache holds, unless memory is short.
const BUFFER_BYTES: u64 = 768 << 20;
/// Less than this would measure caches.
const SMALLEST_BUFFER: u64 = 64 << 20;
/// Passes go on for this long; the fastest counts, since nothing but a disturbance makes one slower.
const TIME: Duration = Duration::from_millis(400);
/// Fewest passes.
const PASSES: u32 = 3;

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
    pub passes: u32,
}

/// Measures how fast all cores together read memory, for about half a second. `None` if there is not enough free memory for
/// buffers that no cache holds.
///
/// Each thread sums a buffer of its own. A pass begins when all are ready and ends when the last one is done.
#[must_use]
pub fn memory_bandwidth() -> Option<Bandwidth> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let buffer = BUFFER_BYTES.min(crate::ram_available().unwrap_or(BUFFER_BYTES) / 8);
    (buffer >= SMALLEST_BUFFER).then(|| measure(threads, buffer, TIME))
}

fn measure(threads: usize, buffer_bytes: u64, time: Duration) -> Bandwidth {
    let words = usize::try_from(buffer_bytes / 8).unwrap_or(usize::MAX) / threads / LANES * LANES;
    let barrier = Barrier::new(threads + 1);
    let go_on = std::sync::atomic::AtomicBool::new(true);
    let (mut best, mut passes) = (Duration::MAX, 0);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                // Written here, so that the pages are this core's; not zero, or the system would map one page for all.
                let buffer = vec![1_u64; words];
                loop {
                    barrier.wait();
                    if !go_on.load(std::sync::atomic::Ordering::Relaxed) {
                        return;
                    }
                    black_box(sum(black_box(&buffer)));
                    barrier.wait();
                }
            });
        }
        let end = Instant::now() + time;
        while passes < PASSES || Instant::now() < end {
            barrier.wait();
            let start = Instant::now();
            barrier.wait();
            best = best.min(start.elapsed());
            passes += 1;
        }
        go_on.store(false, std::sync::atomic::Ordering::Relaxed);
        barrier.wait();
    });
    let read = (words * threads * 8) as u64;
    Bandwidth { bytes_per_s: read as f64 / best.as_secs_f64(), threads, buffer_bytes: read, passes }
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
        let small = measure(2, 4 << 20, Duration::ZERO);
        assert_eq!((small.threads, small.passes), (2, PASSES));
        assert!(small.buffer_bytes <= 4 << 20 && small.buffer_bytes > 3 << 20);
        assert!(small.bytes_per_s.is_finite() && small.bytes_per_s > 0.0);
    }
}
