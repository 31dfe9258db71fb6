//! The runner: works through a plan, hands every sample to a recorder before it goes on, and survives its workers.

use crate::plan::{Plan, order};
use crate::slot::{CellFailure, Slot};
use chrono::{DateTime, Utc};
use pocketbench_domain::device::ProcessMemory;
use pocketbench_domain::run::{CellId, CellState, Sample, SampleId, Session};
use pocketbench_domain::suite::{Task, Work};
use pocketbench_domain::{ErrorCode, ErrorReport};
use pocketbench_worker::protocol::Event;
use std::future::Future;
use std::sync::PoisonError;
use tokio_util::sync::CancellationToken;

/// What the runner does right now. Cheap to make: one a token.
#[derive(Debug)]
pub enum Moment<'a> {
    /// A worker is started and loads.
    Loading {
        /// Which entry.
        slot: usize,
    },
    /// A repetition begins.
    Repetition {
        /// Which entry.
        slot: usize,
        /// The task.
        task: &'a Task,
        /// From 0.
        repetition: u32,
        /// Warm-up.
        warmup: bool,
    },
    /// A token came.
    Token {
        /// The text that is certain with it.
        text: &'a str,
        /// Sequence of a batch.
        sequence: u32,
        /// The worker's last known memory.
        memory: Option<ProcessMemory>,
    },
    /// A repetition is over.
    Done {
        /// The task.
        task: &'a Task,
        /// It was not measured now: it was stored before, or its cell has failed.
        skipped: bool,
    },
}

/// Keeps what the runner measures. The runner waits for each answer: what it has told is safe.
pub trait Recorder: Send {
    /// A worker has loaded a model.
    fn session(&mut self, session: &Session) -> impl Future<Output = Result<(), ErrorReport>> + Send;
    /// A repetition is measured.
    fn sample(&mut self, sample: &Sample) -> impl Future<Output = Result<(), ErrorReport>> + Send;
    /// A cell is complete or has failed.
    fn cell(
        &mut self,
        cell: CellId,
        state: CellState,
        failure: Option<&ErrorReport>,
    ) -> impl Future<Output = Result<(), ErrorReport>> + Send;
    /// Repetitions that are done, of all.
    fn progress(&mut self, done: u64, total: u64) -> impl Future<Output = Result<(), ErrorReport>> + Send;
    /// Something to show. Must return at once.
    fn moment(&mut self, moment: Moment<'_>);
}

/// Works through a plan.
pub struct Runner<'a, R> {
    plan: Plan,
    recorder: &'a mut R,
    cancel: CancellationToken,
    now: fn() -> DateTime<Utc>,
    new_id: fn() -> uuid::Uuid,
}

/// Stop, or a recorder that could not keep something: then nothing more can be measured.
enum Halt {
    Cancelled,
    Failed(ErrorReport),
}

impl From<ErrorReport> for Halt {
    fn from(report: ErrorReport) -> Self {
        Self::Failed(report)
    }
}

impl<'a, R: Recorder> Runner<'a, R> {
    /// A runner with the clock and the source of identifiers that it uses.
    pub fn new(
        plan: Plan,
        recorder: &'a mut R,
        cancel: CancellationToken,
        now: fn() -> DateTime<Utc>,
        new_id: fn() -> uuid::Uuid,
    ) -> Self {
        Self { plan, recorder, cancel, now, new_id }
    }

    /// Measures everything that is missing. A cell that fails is recorded and passed over.
    ///
    /// # Errors
    /// `Cancelled` after a stop, or the recorder's error. What was recorded before is complete in both cases.
    pub async fn run(mut self) -> Result<(), ErrorReport> {
        match self.run_all().await {
            Ok(()) => Ok(()),
            Err(Halt::Cancelled) => Err(ErrorReport::new(ErrorCode::Cancelled, "stopped; what was measured is kept")),
            Err(Halt::Failed(report)) => Err(report),
        }
    }

    async fn run_all(&mut self) -> Result<(), Halt> {
        for cell in &self.plan.cells {
            let Some(task) = self.plan.spec.task(&cell.task_id) else { continue };
            let missing = u32::try_from(self.plan.missing(cell).len()).unwrap_or(0);
            for _ in missing..self.plan.spec.suite.repetitions {
                self.recorder.moment(Moment::Done { task, skipped: true });
            }
        }
        self.progress().await?;
        let all: Vec<usize> = (0..self.plan.spec.entries.len()).collect();
        let mut slots: Vec<Slot> = self
            .plan
            .spec
            .entries
            .iter()
            .enumerate()
            .map(|(i, entry)| {
                Slot::new(i, entry.clone(), self.plan.run_id, self.plan.launch.clone(), self.now, self.new_id)
            })
            .collect();
        for task in self.plan.task_ids(true) {
            self.run_task(&task, &all, &mut slots).await?;
        }
        for group in self.plan.groups() {
            for task in self.plan.task_ids(false) {
                self.run_task(&task, &group, &mut slots).await?;
            }
            // The next group needs the memory.
            for &slot in &group {
                slots[slot].stop().await;
            }
        }
        Ok(())
    }

    /// All missing repetitions of one task, the slots in turn.
    async fn run_task(&mut self, task_id: &str, group: &[usize], slots: &mut [Slot]) -> Result<(), Halt> {
        let Some(task) = self.plan.spec.task(task_id).cloned() else { return Ok(()) };
        let loads = matches!(task.work, Work::Load { .. });
        let cold = matches!(task.work, Work::Load { cold: true });
        for &slot in group {
            if self.missing(slot, &task).is_empty() {
                continue;
            }
            if !loads && !slots[slot].is_running() {
                self.recorder.moment(Moment::Loading { slot });
                if let Err(failure) = slots[slot].start(&self.cancel).await {
                    // What was refused once will be refused again; a worker that died may have been killed by chance.
                    if matches!(failure, CellFailure::Worker(_)) && !slots[slot].died_loading() {
                        self.fail(slot, &task, failure).await?;
                    } else {
                        self.fail_all(slot, failure).await?;
                    }
                    continue;
                }
                self.record_sessions(&mut slots[slot]).await?;
            }
            // A cold start has nothing to warm up.
            if self.plan.spec.suite.warmup_max_tokens > 0 && !cold && slots[slot].is_ready(&task.work) {
                self.repetition(&mut slots[slot], &task, 0, true).await?;
            }
        }
        for repetition in 0..self.plan.spec.suite.repetitions {
            for slot in order(group, repetition) {
                if self.missing(slot, &task).contains(&repetition) {
                    self.repetition(&mut slots[slot], &task, repetition, false).await?;
                }
            }
        }
        if loads {
            for &slot in group {
                slots[slot].stop().await;
            }
        }
        Ok(())
    }

    /// Fails every cell of a slot that is not measured yet.
    async fn fail_all(&mut self, slot: usize, failure: CellFailure) -> Result<(), Halt> {
        let report = reported(failure)?;
        for task in self.plan.spec.suite.tasks.clone() {
            if !self.missing(slot, &task).is_empty() {
                self.fail_cell(slot, &task, &report).await?;
            }
        }
        self.progress().await
    }

    fn missing(&self, slot: usize, task: &Task) -> Vec<u32> {
        self.plan.cell(slot, &task.id).map(|cell| self.plan.missing(cell)).unwrap_or_default()
    }

    async fn repetition(&mut self, slot: &mut Slot, task: &Task, repetition: u32, warmup: bool) -> Result<(), Halt> {
        let Some(cell_id) = self.plan.cell(slot.index, &task.id).map(|cell| cell.id) else { return Ok(()) };
        self.recorder.moment(Moment::Repetition { slot: slot.index, task, repetition, warmup });
        let max_tokens = warmup.then_some(self.plan.spec.suite.warmup_max_tokens);
        let started_at = (self.now)();
        let (recorder, memory) = (&mut *self.recorder, slot.memory.clone());
        let measured = slot
            .measure(&task.work, max_tokens, &self.cancel, |event| {
                if let Event::Token { text, sequence, .. } = event {
                    let memory = *memory.lock().unwrap_or_else(PoisonError::into_inner);
                    recorder.moment(Moment::Token { text: &text, sequence, memory });
                }
            })
            .await;
        self.record_sessions(slot).await?;
        // An answer that a stop cut short is no measurement.
        let measured = if self.cancel.is_cancelled() { Err(CellFailure::Cancelled) } else { measured };
        match measured {
            Ok((measured, memory, machine)) => {
                let session_id = match slot.session() {
                    Ok(session) => session.id,
                    Err(failure) => return self.fail(slot.index, task, failure).await,
                };
                let sample = Sample {
                    id: SampleId((self.new_id)()),
                    cell_id,
                    session_id,
                    repetition,
                    warmup,
                    started_at,
                    measured,
                    memory,
                    machine,
                };
                self.record(&sample, task).await
            }
            Err(failure) => self.fail(slot.index, task, failure).await,
        }
    }

    async fn record(&mut self, sample: &Sample, task: &Task) -> Result<(), Halt> {
        // A resumed cell has its warm-up stored; the new worker's is measured and not kept twice.
        let again = sample.warmup && self.plan.measured.contains_key(&sample.cell_id);
        if !again {
            self.recorder.sample(sample).await?;
        }
        let stored = self.plan.measured.entry(sample.cell_id).or_default();
        if sample.warmup {
            return Ok(());
        }
        stored.insert(sample.repetition);
        if stored.len() >= self.plan.spec.suite.repetitions as usize {
            self.set_state(sample.cell_id, CellState::Done, None).await?;
        }
        self.recorder.moment(Moment::Done { task, skipped: false });
        self.progress().await
    }

    async fn record_sessions(&mut self, slot: &mut Slot) -> Result<(), Halt> {
        for session in slot.unrecorded.drain(..) {
            self.recorder.session(&session).await?;
        }
        Ok(())
    }

    /// Records a failed cell and goes on, or halts after a stop.
    async fn fail(&mut self, slot: usize, task: &Task, failure: CellFailure) -> Result<(), Halt> {
        let report = reported(failure)?;
        self.fail_cell(slot, task, &report).await?;
        self.progress().await
    }

    async fn fail_cell(&mut self, slot: usize, task: &Task, report: &ErrorReport) -> Result<(), Halt> {
        tracing::warn!(slot, task = task.id, code = ?report.code, "cell failed: {report}");
        for _ in self.missing(slot, task) {
            self.recorder.moment(Moment::Done { task, skipped: true });
        }
        if let Some(id) = self.plan.cell(slot, &task.id).map(|cell| cell.id) {
            self.set_state(id, CellState::Failed, Some(report)).await?;
        }
        Ok(())
    }

    async fn set_state(&mut self, id: CellId, state: CellState, failure: Option<&ErrorReport>) -> Result<(), Halt> {
        self.recorder.cell(id, state, failure).await?;
        if let Some(cell) = self.plan.cells.iter_mut().find(|cell| cell.id == id) {
            cell.state = state;
        }
        Ok(())
    }

    async fn progress(&mut self) -> Result<(), Halt> {
        Ok(self.recorder.progress(self.plan.done(), self.plan.total()).await?)
    }
}

/// What to record of a failure; a stop is none.
fn reported(failure: CellFailure) -> Result<ErrorReport, Halt> {
    match failure {
        CellFailure::Cancelled => Err(Halt::Cancelled),
        CellFailure::Task(report) | CellFailure::Worker(report) => Ok(report),
    }
}
