//! What is to be measured, in which order, and what of it is measured already.

use pocketbench_device::SensorSampler;
use pocketbench_domain::fit::{Fit, Machine};
use pocketbench_domain::run::{Cell, CellId, CellState, RunId, RunSpec};
use pocketbench_domain::suite::Work;
use pocketbench_worker::Launch;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

/// All cells of a run, pending: every task, every entry.
#[must_use]
pub fn plan_cells(run_id: RunId, spec: &RunSpec, mut new_id: impl FnMut() -> uuid::Uuid) -> Vec<Cell> {
    let slots = u32::try_from(spec.entries.len()).unwrap_or(0);
    spec.suite
        .tasks
        .iter()
        .flat_map(|task| (0..slots).map(move |slot| (slot, task.id.clone())))
        .map(|(slot, task_id)| Cell {
            id: CellId(new_id()),
            run_id,
            slot,
            task_id,
            state: CellState::Pending,
            failure: None,
        })
        .collect()
}

/// What the runner works through.
#[derive(Debug)]
pub struct Plan {
    /// The run.
    pub run_id: RunId,
    /// What was asked for.
    pub spec: RunSpec,
    /// Its cells, in any order.
    pub cells: Vec<Cell>,
    /// Repetitions that are stored already, by cell.
    pub measured: HashMap<CellId, HashSet<u32>>,
    /// How workers are started.
    pub launch: Launch,
    /// What the machine has for it now.
    pub machine: Machine,
    /// Reads the sensors while it runs.
    pub sensors: Arc<SensorSampler>,
    /// Longest wait for a machine that is still warm from the work before.
    pub patience: Duration,
}

impl Plan {
    /// The cell of a slot and a task.
    pub(crate) fn cell(&self, slot: usize, task_id: &str) -> Option<&Cell> {
        self.cells.iter().find(|cell| cell.slot as usize == slot && cell.task_id == task_id)
    }

    /// Repetitions of a cell that are still to be measured; none once it has failed.
    pub(crate) fn missing(&self, cell: &Cell) -> Vec<u32> {
        if cell.state != CellState::Pending {
            return Vec::new();
        }
        let stored = self.measured.get(&cell.id);
        // Its samples are rounds, and it begins anew until it is complete.
        if self.spec.task(&cell.task_id).is_some_and(|task| matches!(task.work, Work::Sustained(_))) {
            return (0..self.spec.suite.repetitions).collect();
        }
        (0..self.spec.suite.repetitions).filter(|r| stored.is_none_or(|s| !s.contains(r))).collect()
    }

    /// Repetitions that count, over all cells.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.cells.len() as u64 * u64::from(self.spec.suite.repetitions)
    }

    /// Repetitions that are done, be it by measuring or by failing.
    #[must_use]
    pub fn done(&self) -> u64 {
        self.cells.iter().map(|cell| u64::from(self.spec.suite.repetitions) - self.missing(cell).len() as u64).sum()
    }

    /// Whether an entry is measured with a balloon beside it: then each must be alone.
    pub(crate) fn presses(&self) -> bool {
        self.spec.entries.iter().any(|entry| entry.leave_free_bytes.is_some())
    }

    /// Whether all entries can be loaded at once: together they must leave a fifth of the available memory free.
    #[must_use]
    pub fn interleaves(&self) -> bool {
        if self.presses() {
            return false;
        }
        let needed: u64 = self
            .spec
            .entries
            .iter()
            .map(|e| Fit::predict(&e.model.header, &e.settings, e.model.file_bytes, &self.machine).predicted_bytes)
            .fold(0, u64::saturating_add);
        needed <= self.machine.available_bytes / 5 * 4
    }

    /// Groups of slots that are measured together: one group if they fit, else one a slot.
    pub(crate) fn groups(&self) -> Vec<Vec<usize>> {
        let slots = 0..self.spec.entries.len();
        if self.interleaves() { vec![slots.collect()] } else { slots.map(|slot| vec![slot]).collect() }
    }

    /// Ids of the tasks that load (first, since the other tasks' workers keep the files in use), or of all others.
    pub(crate) fn task_ids(&self, loading: bool) -> Vec<String> {
        let tasks = self.spec.suite.tasks.iter();
        tasks.filter(|t| matches!(t.work, Work::Load { .. }) == loading).map(|t| t.id.clone()).collect()
    }
}

/// A B B A: which of `slots` goes first changes with every repetition, so that a drift of the machine hits both alike.
pub(crate) fn order(slots: &[usize], repetition: u32) -> Vec<usize> {
    if repetition.is_multiple_of(2) { slots.to_vec() } else { slots.iter().rev().copied().collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_a_b_b_a() {
        let sequence: Vec<usize> = (0..4).flat_map(|r| order(&[0, 1], r)).collect();
        assert_eq!(sequence, [0, 1, 1, 0, 0, 1, 1, 0]);
    }
}
