//! A balloon: a process that holds memory so that a stated amount is left, as programs do that a model shares a machine
//! with.
//!
//! What is left to a worker is what is available *and* what the worker itself holds: otherwise the balloon would make room
//! for whatever the worker takes, and there would be no pressure. Only memory that belongs to no file counts as held;
//! mapped files are page cache, which is available anyway.
//!
//! The pages are filled with noise, so that neither compressed memory (zram, zswap) nor a kernel that merges equal pages
//! makes them less.

use crate::platform;
use pocketbench_domain::sweep::LEAST_FREE_BYTES;
use serde::{Deserialize, Serialize};
use std::io::{BufRead, Write};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// Memory that must stay available while a worker takes what is left to it. Below, whoever started the balloon ends the
/// worker, and the balloon takes nothing: a machine without memory does not answer any more, and it can take minutes
/// until the kernel ends a process by itself.
pub const LEAST_AVAILABLE_BYTES: u64 = 64 << 20;

/// Allocations of their own mapping, which go back to the system when they are freed: the C libraries put smaller ones
/// into a heap that they keep.
const CHUNK: usize = 64 << 20;
/// The smallest page that any system has. On larger ones each is written several times.
const PAGE: usize = 4096;
/// Most that is taken before looking again.
const STEP: u64 = 128 << 20;
/// Time between two looks.
const TICK: Duration = Duration::from_millis(250);
/// Looks over which all pages are used once, where there is swap: memory that nobody uses would be swapped out.
const STIR_TICKS: usize = 40;

/// What a balloon is told, one line of JSON each; the last one holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BalloonOrder {
    /// Memory to leave to the worker and everyone else.
    pub leave_free_bytes: u64,
    /// The worker, once there is one.
    pub worker: Option<u32>,
}

/// What a balloon says, one line of JSON after each look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BalloonState {
    /// What it holds.
    pub held_bytes: u64,
    /// What is available now.
    pub available_bytes: u64,
    /// What is left to the worker: available, or in its hands.
    pub left_bytes: u64,
    /// As much is left as was asked for.
    pub settled: bool,
    /// It holds nothing, and still less is left than was asked for.
    pub short: bool,
    /// The system refused more memory.
    pub refused: bool,
}

/// Difference between what is left and what should be that is put up with.
fn tolerance(leave_free_bytes: u64) -> u64 {
    (leave_free_bytes / 100).clamp(4 << 20, 64 << 20)
}

/// Takes and gives back until the input is closed, which also happens when its parent dies. Ends without an answer where
/// the system does not tell what is available.
pub fn serve(input: impl BufRead + Send + 'static, mut output: impl Write) {
    let (orders, ordered) = channel::<BalloonOrder>();
    std::thread::spawn(move || {
        for line in input.lines() {
            let Some(order) = line.ok().and_then(|line| serde_json::from_str(&line).ok()) else { return };
            if orders.send(order).is_err() {
                return;
            }
        }
    });
    let Ok(mut order) = ordered.recv() else { return };
    let mut balloon = Balloon::new();
    let stirs = platform::has_swap();
    loop {
        let held = balloon.held_bytes();
        let Some(state) = look(&mut balloon, order) else { return };
        let Ok(mut line) = serde_json::to_vec(&state) else { return };
        line.push(b'\n');
        if output.write_all(&line).and_then(|()| output.flush()).is_err() {
            return;
        }
        if stirs && state.settled {
            balloon.stir();
        }
        let patience = if state.held_bytes == held { TICK } else { Duration::ZERO };
        match ordered.recv_timeout(patience) {
            Ok(new) => order = new,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Looks once, and takes or gives back.
fn look(balloon: &mut Balloon, order: BalloonOrder) -> Option<BalloonState> {
    let available_bytes = platform::ram_available()?;
    let memory = order.worker.and_then(platform::process_memory);
    let of_worker = memory.and_then(|memory| memory.anonymous_bytes).unwrap_or(0);
    let left_bytes = available_bytes.saturating_add(of_worker);
    let leave = order.leave_free_bytes.max(LEAST_FREE_BYTES);
    let (over, under) = (left_bytes.saturating_sub(leave), leave.saturating_sub(left_bytes));
    let tolerance = tolerance(leave);
    let mut refused = false;
    if over > tolerance {
        // What the worker holds cannot be taken.
        let most = available_bytes.saturating_sub(LEAST_AVAILABLE_BYTES);
        refused = !balloon.grow(over.min(STEP).min(most));
    } else if under > tolerance {
        balloon.shrink(under);
    }
    Some(BalloonState {
        held_bytes: balloon.held_bytes(),
        available_bytes,
        left_bytes,
        settled: over <= tolerance && under <= tolerance,
        short: under > tolerance && balloon.held_bytes() == 0,
        refused,
    })
}

/// Memory that is held.
struct Balloon {
    /// Each as long as its part that was written, with room for a whole chunk.
    chunks: Vec<Vec<u8>>,
    noise: Box<[u8; PAGE]>,
    pages: u64,
    stirred: usize,
}

impl Balloon {
    fn new() -> Self {
        let mut noise = Box::new([0; PAGE]);
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        for word in noise.as_chunks_mut::<8>().0 {
            // Xorshift: no bytes that repeat within a page.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            *word = state.to_le_bytes();
        }
        Self { chunks: Vec::new(), noise, pages: 0, stirred: 0 }
    }

    fn held_bytes(&self) -> u64 {
        self.chunks.iter().map(|chunk| chunk.len() as u64).sum()
    }

    /// Takes as many whole pages as fit; false if the system refuses.
    fn grow(&mut self, bytes: u64) -> bool {
        for _ in 0..bytes / PAGE as u64 {
            if self.chunks.last().is_none_or(|chunk| chunk.len() + PAGE > CHUNK) {
                let mut chunk = Vec::new();
                if chunk.try_reserve_exact(CHUNK).is_err() {
                    return false;
                }
                self.chunks.push(chunk);
            }
            self.pages += 1;
            // No two pages are equal.
            self.noise[..8].copy_from_slice(&self.pages.to_le_bytes());
            if let Some(chunk) = self.chunks.last_mut() {
                chunk.extend_from_slice(&self.noise[..]);
            }
        }
        true
    }

    /// Gives back at least as much, up to all.
    fn shrink(&mut self, bytes: u64) {
        let keep = self.held_bytes().saturating_sub(bytes);
        while self.held_bytes() > keep {
            self.chunks.pop();
        }
        // Whole chunks went; what was too much is taken again.
        self.grow(keep - self.held_bytes());
    }

    /// Uses a part of the pages.
    fn stir(&mut self) {
        let all = self.chunks.iter().flat_map(|chunk| chunk.iter().step_by(PAGE));
        let sum = all.skip(self.stirred).step_by(STIR_TICKS).fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
        std::hint::black_box(sum);
        self.stirred = (self.stirred + 1) % STIR_TICKS;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_for_is_held_to_the_page() {
        let mut balloon = Balloon::new();
        let page = PAGE as u64;
        assert!(balloon.grow(70 << 20));
        assert_eq!((balloon.held_bytes(), balloon.chunks.len()), (70 << 20, 2));
        balloon.shrink(3 * page);
        assert_eq!(balloon.held_bytes(), (70 << 20) - 3 * page);
        balloon.shrink(7 << 20);
        assert_eq!((balloon.held_bytes(), balloon.chunks.len()), ((63 << 20) - 3 * page, 1));
        balloon.stir();
        balloon.shrink(u64::MAX);
        assert_eq!((balloon.held_bytes(), balloon.chunks.len()), (0, 0));
    }

    #[test]
    fn no_two_pages_are_equal_and_none_is_of_one_kind() {
        let mut balloon = Balloon::new();
        balloon.grow(100 * PAGE as u64);
        let pages: Vec<&[u8]> = balloon.chunks[0].chunks(PAGE).collect();
        let distinct: std::collections::HashSet<&[u8]> = pages.iter().copied().collect();
        assert_eq!(distinct.len(), 100);
        let words: std::collections::HashSet<&[u8]> = pages[0].chunks(8).collect();
        assert_eq!(words.len(), PAGE / 8);
    }

    #[test]
    fn the_difference_that_is_put_up_with_is_a_hundredth_within_bounds() {
        assert_eq!(tolerance(1_000 << 20), 10 << 20);
        assert_eq!(tolerance(0), 4 << 20);
        assert_eq!(tolerance(u64::MAX), 64 << 20);
    }
}
