//! One entry of a run while it is measured: its worker, its session, and what is known of its memory.

use crate::balloon::{Balloon, Guard, Stopped};
use chrono::{DateTime, Utc};
use pocketbench_device as device;
use pocketbench_domain::conditions::Cooled;
use pocketbench_domain::device::{MachineLoad, ProcessMemory};
use pocketbench_domain::run::{Measured, RunEntry, RunId, Session, SessionId};
use pocketbench_domain::suite::Work;
use pocketbench_domain::{ErrorCode, ErrorReport};
use pocketbench_worker::client::Exit;
use pocketbench_worker::protocol::Event;
use pocketbench_worker::{Launch, Worker, WorkerError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often a worker's memory is read while it works.
const MEMORY_PERIOD: Duration = Duration::from_millis(500);

/// Why a repetition gave nothing.
#[derive(Debug)]
pub(crate) enum CellFailure {
    /// Someone pressed Stop.
    Cancelled,
    /// This task cannot be measured; others can.
    Task(ErrorReport),
    /// The worker is gone; the next task needs a new one.
    Worker(ErrorReport),
    /// What was measured could not be kept, so nothing more can be measured.
    Recorder(ErrorReport),
}

impl From<ErrorReport> for CellFailure {
    fn from(report: ErrorReport) -> Self {
        Self::Task(report)
    }
}

impl From<WorkerError> for CellFailure {
    fn from(error: WorkerError) -> Self {
        match error {
            WorkerError::Cancelled => Self::Cancelled,
            WorkerError::Refused(report) => Self::Task(report),
            other => Self::Worker(other.into()),
        }
    }
}

/// The latest memory reading of a worker; it outlives the worker, whose last one explains its death.
pub(crate) type LastMemory = Arc<Mutex<Option<ProcessMemory>>>;

pub(crate) struct Slot {
    pub(crate) index: usize,
    pub(crate) entry: RunEntry,
    run_id: RunId,
    launch: Launch,
    now: fn() -> DateTime<Utc>,
    new_id: fn() -> uuid::Uuid,
    worker: Option<Worker>,
    session: Option<Session>,
    /// Keeps memory from the worker, where the entry says so.
    balloon: Option<Balloon>,
    /// What [`device::oom_kills`] said when the worker was started.
    oom_kills: Option<u64>,
    /// The wait for a cooler machine that the next session begins with.
    pub(crate) cooled: Option<Cooled>,
    /// Workers in a row that died before the model was loaded.
    loading_deaths: u32,
    /// Sessions that the recorder has not seen yet.
    pub(crate) unrecorded: Vec<Session>,
    pub(crate) memory: LastMemory,
}

impl Slot {
    pub(crate) fn new(
        index: usize,
        entry: RunEntry,
        run_id: RunId,
        launch: Launch,
        now: fn() -> DateTime<Utc>,
        new_id: fn() -> uuid::Uuid,
    ) -> Self {
        Self {
            index,
            entry,
            run_id,
            launch,
            now,
            new_id,
            worker: None,
            session: None,
            balloon: None,
            oom_kills: None,
            cooled: None,
            loading_deaths: 0,
            unrecorded: Vec::new(),
            memory: LastMemory::default(),
        }
    }

    pub(crate) fn is_running(&self) -> bool {
        self.worker.is_some()
    }

    /// Whether loading has ended a worker twice in a row: then it will again.
    pub(crate) fn died_loading(&self) -> bool {
        self.loading_deaths >= 2
    }

    /// Whether this work can be asked for now; loading starts its own worker.
    pub(crate) fn is_ready(&self, work: &Work) -> bool {
        matches!(work, Work::Load { .. }) || self.is_running()
    }

    pub(crate) fn worker(&mut self) -> Result<&mut Worker, CellFailure> {
        self.worker.as_mut().ok_or_else(|| ErrorReport::new(ErrorCode::Internal, "the worker is not running").into())
    }

    pub(crate) fn session(&self) -> Result<&Session, CellFailure> {
        self.session.as_ref().ok_or_else(|| ErrorReport::new(ErrorCode::Internal, "no model is loaded").into())
    }

    /// Process whose memory is the model's: the worker, or this one if it runs in here.
    fn pid(&self) -> u32 {
        self.worker.as_ref().and_then(Worker::pid).unwrap_or_else(std::process::id)
    }

    /// Starts a fresh worker and loads the model.
    pub(crate) async fn start(&mut self, cancel: &CancellationToken) -> Result<(), CellFailure> {
        self.stop_worker().await;
        if let Some(leave_free_bytes) = self.entry.leave_free_bytes {
            self.press(leave_free_bytes, cancel).await?;
        }
        self.oom_kills = device::oom_kills();
        let started_at = (self.now)();
        let mut worker = Worker::start(&self.launch).await?;
        let engine = worker
            .info()
            .cloned()
            .ok_or_else(|| ErrorReport::new(ErrorCode::WorkerProtocol, "the worker did not say who it is"))?;
        let pid = worker.pid().unwrap_or_else(std::process::id);
        let baseline = device::process_memory(pid).unwrap_or_default();
        // What is known is of another process.
        *self.memory.lock().unwrap_or_else(PoisonError::into_inner) = Some(baseline);
        if let Some(balloon) = &mut self.balloon {
            // Else memory would run out and the system would end somebody's work.
            if !device::goes_first(pid) {
                let message = "memory pressure cannot be measured here: the system would end other programs first";
                return Err(ErrorReport::new(ErrorCode::UnsupportedRequest, message)
                    .hint("Everything else can be measured on this system.")
                    .into());
            }
            balloon.make_room_for(pid)?;
        }
        let watch = Watch::start(pid, &self.memory);
        let (stop, guard) = self.guard(cancel);
        let loaded = worker.load(&self.entry.model.path, &self.entry.settings, &stop, |_| ()).await;
        drop(watch);
        if let Some(stopped) = guard.and_then(|guard| guard.fired()) {
            self.loading_deaths += 1;
            return Err(self.stopped(stopped));
        }
        let loaded = loaded.map_err(|error| {
            self.loading_deaths += 1;
            self.explain(error)
        })?;
        self.loading_deaths = 0;
        let session = Session {
            id: SessionId((self.new_id)()),
            run_id: self.run_id,
            slot: u32::try_from(self.index).unwrap_or(0),
            started_at,
            engine,
            loaded,
            baseline,
            cooled: self.cooled.take(),
        };
        self.unrecorded.push(session.clone());
        self.session = Some(session);
        self.worker = Some(worker);
        Ok(())
    }

    /// Frees the memory of worker and balloon.
    pub(crate) async fn stop(&mut self) {
        self.stop_worker().await;
        self.balloon = None;
    }

    /// Ends the worker; a balloon stays for the next one.
    pub(crate) async fn stop_worker(&mut self) {
        self.session = None;
        if let Some(worker) = self.worker.take() {
            worker.shutdown().await;
        }
    }

    /// Sees to a balloon that leaves this much.
    async fn press(&mut self, leave_free_bytes: u64, cancel: &CancellationToken) -> Result<(), CellFailure> {
        let settled = match &mut self.balloon {
            Some(balloon) => balloon.settle(cancel).await,
            None => match Balloon::inflate(&self.launch, leave_free_bytes, cancel).await {
                Ok(balloon) => {
                    self.balloon = Some(balloon);
                    Ok(())
                }
                Err(report) => Err(report),
            },
        };
        settled.map_err(|report| {
            self.balloon = None;
            if report.code == ErrorCode::Cancelled { CellFailure::Cancelled } else { report.into() }
        })
    }

    /// What stops the worker: whoever raises `cancel`, and where there is a balloon a guard.
    pub(crate) fn guard(&self, cancel: &CancellationToken) -> (CancellationToken, Option<Guard>) {
        let stop = cancel.child_token();
        let guard = self.balloon.as_ref().map(|balloon| balloon.guard(stop.clone()));
        (stop, guard)
    }

    /// What a guard's stop means.
    pub(crate) fn stopped(&mut self, stopped: Stopped) -> CellFailure {
        match stopped {
            Stopped::Memory(report) => {
                let last = *self.memory.lock().unwrap_or_else(PoisonError::into_inner);
                self.drop_worker();
                CellFailure::Worker(with_details(report, &serde_json::json!({ "last_memory": last })))
            }
            Stopped::Balloon(report) => {
                self.drop_worker();
                self.balloon = None;
                CellFailure::Worker(report)
            }
        }
    }

    fn drop_worker(&mut self) {
        self.worker = None;
        self.session = None;
    }

    /// Does the work once. Gives what was measured, the memory at its end and what the machine did meanwhile.
    pub(crate) async fn measure(
        &mut self,
        work: &Work,
        max_tokens: Option<u32>,
        cancel: &CancellationToken,
        on_event: impl FnMut(Event),
    ) -> Result<(Measured, ProcessMemory, MachineLoad), CellFailure> {
        if let Work::Load { cold } = work {
            let measured = self.measure_load(*cold, cancel).await?;
            // Whose CPU time is whose cannot be told for a process that did not exist when it began.
            let machine = MachineLoad {
                ram_available_bytes: device::ram_available(),
                pressed: self.balloon.as_ref().and_then(Balloon::pressed),
                ..MachineLoad::default()
            };
            return Ok((measured, self.read_memory(), machine));
        }
        let pid = self.pid();
        let faults = device::process_memory(pid).and_then(|memory| memory.major_faults);
        // Where the system has no reset the peak is that of the session so far: never too low.
        let _ = device::reset_peak(pid);
        let watch = Watch::start(pid, &self.memory);
        let load = device::LoadSampler::start(pid);
        let (stop, guard) = self.guard(cancel);
        let measured = self.ask(work, max_tokens, &stop, on_event).await;
        let mut machine = load.stop();
        drop(watch);
        if let Some(stopped) = guard.and_then(|guard| guard.fired()) {
            return Err(self.stopped(stopped));
        }
        let measured = measured.map_err(|error| self.explain(error))?;
        machine.pressed = self.balloon.as_ref().and_then(Balloon::pressed);
        let mut memory = self.read_memory();
        memory.major_faults = memory.major_faults.zip(faults).map(|(after, before)| after.saturating_sub(before));
        Ok((measured, memory, machine))
    }

    /// Read when the work is over: the kernel takes its time to walk the pages for the proportional share.
    fn read_memory(&self) -> ProcessMemory {
        let pid = self.pid();
        let memory = device::process_memory(pid).unwrap_or_default();
        ProcessMemory { pss_bytes: device::process_pss(pid), ..memory }
    }

    async fn ask(
        &mut self,
        work: &Work,
        max_tokens: Option<u32>,
        cancel: &CancellationToken,
        on_event: impl FnMut(Event),
    ) -> Result<Measured, WorkerError> {
        let Some(worker) = self.worker.as_mut() else {
            return Err(WorkerError::Start("the worker is not running".into()));
        };
        let cap = |asked: u32| max_tokens.map_or(asked, |most| asked.min(most));
        match work {
            Work::Generate(request) => {
                let mut request = request.clone();
                request.limits.max_tokens = cap(request.limits.max_tokens);
                worker.generate(request, cancel, on_event).await.map(Measured::Generation)
            }
            Work::Batch(request) => {
                let mut request = request.clone();
                request.limits.max_tokens = cap(request.limits.max_tokens);
                // A warm-up is for the caches; once is enough for them.
                request.in_turn &= max_tokens.is_none();
                worker.generate_batch(request, cancel, on_event).await.map(Measured::Batch)
            }
            Work::Synthetic(request) => worker.synthetic(*request, cancel).await.map(Measured::Synthetic),
            Work::Load { .. } => Err(WorkerError::Start("loading is measured by a fresh worker".into())),
            Work::Sustained(_) => Err(WorkerError::Start("a sustained task is measured round by round".into())),
        }
    }

    /// Adds to a worker's death what is known of its memory, and drops the dead worker.
    pub(crate) fn explain(&mut self, error: WorkerError) -> CellFailure {
        let last = *self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let killed = matches!(&error, WorkerError::Exited(Exit { signal: Some(9), .. }));
        let failure = CellFailure::from(error);
        let CellFailure::Worker(mut report) = failure else { return failure };
        self.drop_worker();
        let available = device::ram_available();
        // The kernel's killer uses SIGKILL, and so can a person. The kernel counts; where it hides that, memory that is
        // still short tells them apart.
        let needed = last.map_or(0, |m| m.rss_bytes);
        let ran_out = match (self.oom_kills, device::oom_kills()) {
            (Some(before), Some(after)) => after > before,
            _ => needed > 0 && available.is_some_and(|free| free < needed / 8),
        };
        if killed && ran_out {
            report.code = ErrorCode::OutOfMemory;
            report.message = "the system ended the worker because memory ran out".into();
            report.hint = Some("Try a smaller quantization or a shorter context, or close other programs.".into());
        }
        let facts = serde_json::json!({
            "last_memory": last,
            "ram_available_bytes": available,
            "leave_free_bytes": self.entry.leave_free_bytes,
        });
        CellFailure::Worker(with_details(report, &facts))
    }
}

/// Adds facts that are known.
fn with_details(mut report: ErrorReport, facts: &serde_json::Value) -> ErrorReport {
    let details = report.details.get_or_insert_with(|| serde_json::json!({}));
    for (name, value) in facts.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null()) {
        if let Some(details) = details.as_object_mut() {
            details.insert(name.clone(), value.clone());
        }
    }
    report
}

/// Reads a process's memory now and then, until dropped.
struct Watch(tokio::task::JoinHandle<()>);

impl Watch {
    fn start(pid: u32, last: &LastMemory) -> Self {
        let last = Arc::clone(last);
        Self(tokio::spawn(async move {
            loop {
                if let Some(memory) = device::process_memory(pid) {
                    *last.lock().unwrap_or_else(PoisonError::into_inner) = Some(memory);
                }
                tokio::time::sleep(MEMORY_PERIOD).await;
            }
        }))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.abort();
    }
}
