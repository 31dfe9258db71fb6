//! The runner: works through a plan, hands every sample to a recorder before it goes on, and survives its workers.

use crate::plan::{Plan, order};
use crate::slot::{CellFailure, Slot};
use chrono::{DateTime, Utc};
use pocketbench_device::{CoolDown, CoolDownPlan, CoolDownStep};
use pocketbench_domain::conditions::{Conditions, Cooled, Reading, energy};
use pocketbench_domain::device::ProcessMemory;
use pocketbench_domain::run::{Cell, CellId, CellState, Measured, Round, Sample, SampleId, Session};
use pocketbench_domain::suite::{SustainedRequest, Task, Work};
use pocketbench_domain::{ErrorCode, ErrorReport};
use pocketbench_worker::protocol::Event;
use std::collections::HashSet;
use std::future::Future;
use std::sync::PoisonError;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// How often a repetition is tried again after the machine slept.
const ATTEMPTS: u32 = 3;
/// A machine counts as cooled down when it is at most this many kelvin above its temperature before the run.
const COOL_MARGIN_K: f64 = 3.0;

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
    /// A machine that is still warm from the work before is waited for.
    Cooling {
        /// Which entry comes next.
        slot: usize,
        /// The temperature that is waited for, in °C.
        target_c: f64,
    },
    /// A round of a sustained task begins.
    Round {
        /// Since its first round began.
        elapsed: Duration,
        /// How long it lasts.
        of: Duration,
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
    /// A repetition is measured, and this is what the sensors said meanwhile.
    fn sample(&mut self, sample: &Sample, readings: &[Reading])
    -> impl Future<Output = Result<(), ErrorReport>> + Send;
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
    /// What the machine was like before it had anything to do: as cool as it will ever be again.
    at_rest: Option<Reading>,
}

/// A repetition as it is measured, before anybody has kept it.
struct Repetition {
    sample: Sample,
    readings: Vec<Reading>,
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
        let at_rest = plan.sensors.latest();
        Self { plan, recorder, cancel, now, new_id, at_rest }
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
        self.close_complete_cells().await?;
        self.progress().await?;
        let all = 0..self.plan.spec.entries.len();
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
        // Loads take turns even where memory holds only one model at a time, unless there is a balloon beside one.
        let loading = if self.plan.presses() { all.map(|slot| vec![slot]).collect() } else { vec![all.collect()] };
        for group in &loading {
            for task in self.plan.task_ids(true) {
                self.run_task(&task, group, &mut slots).await?;
            }
        }
        for (n, group) in self.plan.groups().into_iter().enumerate() {
            // Who comes later must not pay for the heat of who came before.
            if n > 0 {
                for &slot in &group {
                    slots[slot].cooled = Some(self.cool(slot).await?);
                }
            }
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

    /// A cell whose last repetition was stored right before a kill still says that it is not complete.
    async fn close_complete_cells(&mut self) -> Result<(), Halt> {
        let complete = |cell: &&Cell| cell.state == CellState::Pending && self.plan.missing(cell).is_empty();
        let ids: Vec<CellId> = self.plan.cells.iter().filter(complete).map(|cell| cell.id).collect();
        for id in ids {
            self.set_state(id, CellState::Done, None).await?;
        }
        Ok(())
    }

    /// All missing repetitions of one task, the slots in turn.
    async fn run_task(&mut self, task_id: &str, group: &[usize], slots: &mut [Slot]) -> Result<(), Halt> {
        let Some(task) = self.plan.spec.task(task_id).cloned() else { return Ok(()) };
        let loads = matches!(task.work, Work::Load { .. });
        let cold = matches!(task.work, Work::Load { cold: true });
        if let Work::Sustained(sustained) = &task.work {
            return self.run_sustained(&task, sustained, group, slots).await;
        }
        for &slot in group {
            if self.missing(slot, &task).is_empty() {
                continue;
            }
            if !loads && !self.start(&mut slots[slot], &task).await? {
                continue;
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

    /// Sees to a worker for the task. If there is none to be had, its cell has failed.
    async fn start(&mut self, slot: &mut Slot, task: &Task) -> Result<bool, Halt> {
        if slot.is_running() {
            return Ok(true);
        }
        self.recorder.moment(Moment::Loading { slot: slot.index });
        if let Err(failure) = slot.start(&self.cancel).await {
            // What was refused once will be refused again; a worker that died may have been killed by chance.
            if matches!(failure, CellFailure::Worker(_)) && !slot.died_loading() {
                self.fail(slot.index, task, failure).await?;
            } else {
                self.fail_all(slot.index, failure).await?;
            }
            return Ok(false);
        }
        self.record_sessions(slot).await?;
        Ok(true)
    }

    /// One model after the other, each alone in memory and on a machine that has cooled down.
    async fn run_sustained(
        &mut self,
        task: &Task,
        sustained: &SustainedRequest,
        group: &[usize],
        slots: &mut [Slot],
    ) -> Result<(), Halt> {
        for &slot in group {
            if self.missing(slot, task).is_empty() {
                continue;
            }
            for &other in group {
                slots[other].stop().await;
            }
            slots[slot].cooled = Some(self.cool(slot).await?);
            if !self.start(&mut slots[slot], task).await? {
                continue;
            }
            if self.plan.spec.suite.warmup_max_tokens > 0 {
                self.repetition(&mut slots[slot], task, 0, true).await?;
            }
            if slots[slot].is_running() {
                self.rounds(&mut slots[slot], task, sustained).await?;
            }
            slots[slot].stop().await;
        }
        Ok(())
    }

    /// Rounds until the time is over, each one kept as it comes.
    async fn rounds(&mut self, slot: &mut Slot, task: &Task, sustained: &SustainedRequest) -> Result<(), Halt> {
        let Some(cell_id) = self.plan.cell(slot.index, &task.id).map(|cell| cell.id) else { return Ok(()) };
        let of = Duration::from_secs(sustained.seconds.into());
        // Rounds of an attempt that was interrupted stay, and are not counted.
        let first = u32::try_from(self.plan.measured.get(&cell_id).map_or(0, HashSet::len)).unwrap_or(u32::MAX);
        let work = Work::Generate(sustained.request.clone());
        let began = Instant::now();
        self.recorder.moment(Moment::Repetition { slot: slot.index, task, repetition: 0, warmup: false });
        for repetition in first..u32::MAX {
            let at = began.elapsed();
            if at >= of {
                break;
            }
            self.recorder.moment(Moment::Round { elapsed: at, of });
            let mut measured = match self.measure(slot, task, &work, repetition, false).await {
                Ok(measured) => measured,
                Err(failure) => return self.fail(slot.index, task, failure).await,
            };
            if let Measured::Generation(generation) = measured.sample.measured {
                let round = Round { at_ns: nanos(at), of_ns: nanos(of), generation };
                measured.sample.measured = Measured::Round(round);
            }
            self.recorder.sample(&measured.sample, &measured.readings).await?;
            self.plan.measured.entry(cell_id).or_default().insert(repetition);
        }
        self.set_state(cell_id, CellState::Done, None).await?;
        self.recorder.moment(Moment::Done { task, skipped: false });
        self.progress().await
    }

    /// Waits until the machine is as cool as it was before the run, as far as its sensors tell.
    async fn cool(&mut self, slot: usize) -> Result<Cooled, Halt> {
        let at_rest = self.at_rest.clone().unwrap_or_default();
        let plan = CoolDownPlan::back_to(&at_rest, COOL_MARGIN_K, self.plan.patience);
        let mut wait = CoolDown::new(plan);
        let began = Instant::now();
        loop {
            let _ = self.plan.sensors.mark();
            let reading = self.plan.sensors.latest().unwrap_or_default();
            match wait.next(&reading, began.elapsed()) {
                CoolDownStep::Done(cooled) => return Ok(cooled),
                CoolDownStep::Wait(pause) => {
                    self.recorder.moment(Moment::Cooling { slot, target_c: plan.target_c });
                    tokio::select! {
                        () = tokio::time::sleep(pause) => {}
                        () = self.cancel.cancelled() => return Err(Halt::Cancelled),
                    }
                }
            }
        }
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
        self.recorder.moment(Moment::Repetition { slot: slot.index, task, repetition, warmup });
        let work = match &task.work {
            Work::Sustained(sustained) => &Work::Generate(sustained.request.clone()),
            work => work,
        };
        match self.measure(slot, task, work, repetition, warmup).await {
            Ok(measured) => self.record(&measured, task).await,
            Err(failure) => self.fail(slot.index, task, failure).await,
        }
    }

    /// Does the work until the machine has not slept meanwhile.
    async fn measure(
        &mut self,
        slot: &mut Slot,
        task: &Task,
        work: &Work,
        repetition: u32,
        warmup: bool,
    ) -> Result<Repetition, CellFailure> {
        for _ in 0..ATTEMPTS {
            let measured = self.measure_once(slot, task, work, repetition, warmup).await?;
            let slept = measured.sample.conditions.as_ref().is_some_and(Conditions::interrupted);
            if !slept {
                return Ok(measured);
            }
            tracing::warn!(task = task.id, repetition, "the machine slept or stood still: measured again");
            // A sustained task has cooled down meanwhile: it cannot go on.
            if matches!(task.work, Work::Sustained(_)) && !warmup {
                break;
            }
        }
        Err(CellFailure::Task(
            ErrorReport::new(ErrorCode::MeasurementInterrupted, "the machine slept while it was measured")
                .hint("Keep it awake, and measure this again."),
        ))
    }

    async fn measure_once(
        &mut self,
        slot: &mut Slot,
        task: &Task,
        work: &Work,
        repetition: u32,
        warmup: bool,
    ) -> Result<Repetition, CellFailure> {
        let cell_id = self.plan.cell(slot.index, &task.id).map(|cell| cell.id);
        let cell_id = cell_id.ok_or_else(|| ErrorReport::new(ErrorCode::Internal, "the task has no cell"))?;
        let max_tokens = warmup.then_some(self.plan.spec.suite.warmup_max_tokens);
        let started_at = (self.now)();
        let from_ns = self.plan.sensors.mark();
        let (recorder, memory) = (&mut *self.recorder, slot.memory.clone());
        let measured = slot
            .measure(work, max_tokens, &self.cancel, |event| {
                if let Event::Token { text, sequence, .. } = event {
                    let memory = *memory.lock().unwrap_or_else(PoisonError::into_inner);
                    recorder.moment(Moment::Token { text: &text, sequence, memory });
                }
            })
            .await;
        let to_ns = self.plan.sensors.mark();
        if let Err(Halt::Failed(report)) = self.record_sessions(slot).await {
            return Err(CellFailure::Recorder(report));
        }
        // An answer that a stop cut short is no measurement.
        if self.cancel.is_cancelled() {
            return Err(CellFailure::Cancelled);
        }
        let (measured, memory, machine) = measured?;
        let readings = self.plan.sensors.since(from_ns);
        let mut conditions = Conditions::over(&readings, from_ns, to_ns);
        conditions.decode_energy = measured.generation().and_then(|generation| {
            let (first, last) = (generation.token_at_ns.first()?, generation.token_at_ns.last()?);
            energy(&readings, from_ns + first, from_ns + last)
        });
        let sample = Sample {
            id: SampleId((self.new_id)()),
            cell_id,
            session_id: slot.session()?.id,
            repetition,
            warmup,
            started_at,
            measured,
            memory,
            machine,
            conditions: Some(conditions),
        };
        Ok(Repetition { sample, readings })
    }

    async fn record(&mut self, repetition: &Repetition, task: &Task) -> Result<(), Halt> {
        let sample = &repetition.sample;
        // A resumed cell has its warm-up stored; the new worker's is measured and not kept twice.
        let again = sample.warmup && self.plan.measured.contains_key(&sample.cell_id);
        if !again {
            self.recorder.sample(sample, &repetition.readings).await?;
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
        CellFailure::Recorder(report) => Err(Halt::Failed(report)),
        CellFailure::Task(report) | CellFailure::Worker(report) => Ok(report),
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pocketbench_device::{SensorSampler, Sensors};
    use pocketbench_domain::fit::Machine;
    use pocketbench_domain::run::{RunId, RunSpec};
    use pocketbench_worker::Launch;
    use std::collections::HashMap;
    use std::sync::Arc;

    #[derive(Default)]
    struct States(Vec<(CellId, CellState)>);

    impl Recorder for States {
        async fn session(&mut self, _: &Session) -> Result<(), ErrorReport> {
            Ok(())
        }
        async fn sample(&mut self, _: &Sample, _: &[Reading]) -> Result<(), ErrorReport> {
            Ok(())
        }
        async fn cell(&mut self, id: CellId, state: CellState, _: Option<&ErrorReport>) -> Result<(), ErrorReport> {
            self.0.push((id, state));
            Ok(())
        }
        async fn progress(&mut self, _: u64, _: u64) -> Result<(), ErrorReport> {
            Ok(())
        }
        fn moment(&mut self, _: Moment<'_>) {}
    }

    #[tokio::test]
    async fn a_cell_that_was_complete_when_the_program_was_killed_is_closed() {
        let suite = serde_json::json!({
            "id": "s", "version": 1, "title": "", "description": "", "repetitions": 2, "warmup_max_tokens": 0, "n_ctx": 8,
            "tasks": [{ "id": "t", "category": "load", "title": "", "work": { "kind": "load", "cold": false } }]
        });
        let run_id = RunId(uuid::Uuid::now_v7());
        // Of two entries that have been measured; nothing is left to do for a worker.
        let spec = RunSpec {
            entries: Vec::new(),
            suite: serde_json::from_value(suite).unwrap(),
            left_out: Vec::new(),
            reasons: Vec::new(),
        };
        let cell = |slot, state| Cell {
            id: CellId(uuid::Uuid::now_v7()),
            run_id,
            slot,
            task_id: "t".into(),
            state,
            failure: None,
        };
        let cells = vec![cell(0, CellState::Done), cell(1, CellState::Pending)];
        let measured: HashMap<CellId, HashSet<u32>> =
            cells.iter().map(|cell| (cell.id, HashSet::from([0, 1]))).collect();
        let open = cells[1].id;
        let machine = Machine {
            available_bytes: 0,
            cpu_features: Vec::new(),
            experience: pocketbench_domain::fit::Experience::default(),
        };
        let sensors = Arc::new(SensorSampler::start(Sensors::open(), Duration::from_secs(1)));
        let plan = Plan {
            run_id,
            spec,
            cells,
            measured,
            launch: Launch::InProcess,
            machine,
            sensors,
            patience: Duration::ZERO,
        };
        let mut states = States::default();
        let runner = Runner::new(plan, &mut states, CancellationToken::new(), Utc::now, uuid::Uuid::now_v7);
        runner.run().await.unwrap();
        assert_eq!(states.0, [(open, CellState::Done)]);
    }
}
