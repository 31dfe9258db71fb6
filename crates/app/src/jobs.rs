//! Jobs that are at work, and what listeners hear of them. The store keeps every job; this keeps the means to stop one.

use crate::api::AppEvent;
use crate::{App, Result, new_id, now};
use pocketbench_domain::job::{Job, JobId, JobKind, JobState, Progress};
use pocketbench_domain::run::RunId;
use pocketbench_domain::{ErrorCode, ErrorReport};
use std::collections::HashMap;
use std::future::Future;
use std::sync::{Mutex, PoisonError};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

/// Most jobs in the tray's history.
const LISTED: u32 = 100;

/// What happens from now on. A listener that falls behind loses the oldest events, never the newest.
pub type Events = broadcast::Receiver<AppEvent>;

#[derive(Debug)]
pub(crate) struct Jobs {
    active: Mutex<HashMap<JobId, Active>>,
    /// Jobs whose end could not be stored, on a full disk for instance: what the store says of them is not true.
    unrecorded: Mutex<HashMap<JobId, Job>>,
    events: broadcast::Sender<AppEvent>,
}

/// The means to stop a job.
#[derive(Debug, Clone, Default)]
struct Active {
    stop: CancellationToken,
    /// It is stopped in order to go on later.
    pausing: bool,
}

impl Default for Jobs {
    fn default() -> Self {
        Self { active: Mutex::default(), unrecorded: Mutex::default(), events: broadcast::channel(1024).0 }
    }
}

impl Jobs {
    fn active(&self) -> std::sync::MutexGuard<'_, HashMap<JobId, Active>> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers a job as active and gives its means to stop; nothing if it is active already.
    pub(crate) fn begin(&self, id: JobId) -> Option<CancellationToken> {
        match self.active().entry(id) {
            std::collections::hash_map::Entry::Occupied(_) => None,
            std::collections::hash_map::Entry::Vacant(entry) => Some(entry.insert(Active::default()).stop.clone()),
        }
    }

    /// As [`begin`](Self::begin), for a new job that is a part of another: it stops when that one does.
    pub(crate) fn begin_under(&self, id: JobId, parent: &CancellationToken) -> CancellationToken {
        let stop = parent.child_token();
        self.active().insert(id, Active { stop: stop.clone(), pausing: false });
        stop
    }

    /// Forgets an active job and says whether it was to be paused.
    pub(crate) fn end(&self, id: JobId) -> bool {
        self.active().remove(&id).is_some_and(|job| job.pausing)
    }

    /// Whether the job waits or works now.
    pub(crate) fn is_active(&self, id: JobId) -> bool {
        self.active().contains_key(&id)
    }

    fn unrecorded(&self) -> std::sync::MutexGuard<'_, HashMap<JobId, Job>> {
        self.unrecorded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The job as it is, where the store could not be told.
    fn as_it_is(&self, stored: Job) -> Job {
        self.unrecorded().get(&stored.id).cloned().unwrap_or(stored)
    }

    pub(crate) fn send(&self, event: AppEvent) {
        // Nobody listening is fine.
        self.events.send(event).ok();
    }
}

/// A new job, queued.
pub(crate) fn new_job(kind: JobKind, title: String, unit: &str, run_id: Option<RunId>) -> Job {
    let now = now();
    Job {
        id: JobId(new_id()),
        kind,
        state: JobState::Queued,
        title,
        progress: Progress { done: 0, total: None, unit: unit.to_owned(), rate: None, eta_s: None },
        run_id,
        error: None,
        log_tail: Vec::new(),
        created_at: now,
        updated_at: now,
    }
}

impl App {
    /// What happens from now on.
    #[must_use]
    pub fn subscribe(&self) -> Events {
        self.0.jobs.events.subscribe()
    }

    /// Hands over what happens from now on, until nobody takes it any more.
    pub async fn forward(&self, take: impl Fn(AppEvent) -> bool) {
        let mut events = self.subscribe();
        loop {
            match events.recv().await {
                Ok(event) => {
                    if !take(event) {
                        return;
                    }
                }
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return,
            }
        }
    }

    /// The latest jobs, newest first.
    pub async fn jobs(&self) -> Result<Vec<Job>> {
        let jobs = self.store().jobs(LISTED).await?;
        Ok(jobs.into_iter().map(|job| self.0.jobs.as_it_is(job)).collect())
    }

    /// One job.
    pub async fn job(&self, id: JobId) -> Result<Job> {
        Ok(self.0.jobs.as_it_is(self.store().job(id).await?))
    }

    /// Stores a changed job and tells everyone.
    pub(crate) async fn update_job(&self, job: &mut Job) -> Result<()> {
        job.updated_at = now();
        self.store().update_job(job).await?;
        self.0.jobs.send(AppEvent::Job { job: job.clone() });
        Ok(())
    }

    /// Does the work of a job in the background as soon as `turn` gives the right to, and records how it ends. A job that is
    /// active already goes on as it is.
    pub(crate) async fn spawn<G, T, W, F>(&self, mut job: Job, turn: T, work: W) -> Result<Job>
    where
        G: Send + 'static,
        T: Future<Output = G> + Send + 'static,
        W: FnOnce(App, Job, CancellationToken) -> F + Send + 'static,
        F: Future<Output = (Job, Result<()>)> + Send,
    {
        let Some(stop) = self.0.jobs.begin(job.id) else { return Ok(job) };
        job.state = JobState::Queued;
        job.error = None;
        if let Err(error) = self.update_job(&mut job).await {
            self.0.jobs.end(job.id);
            return Err(error);
        }
        let (queued, app) = (job.clone(), self.clone());
        tokio::spawn(async move {
            let (job, outcome) = tokio::select! {
                biased;
                () = stop.cancelled() => (job, Err(ErrorReport::new(ErrorCode::Cancelled, "stopped before it began"))),
                guard = turn => {
                    let done = app.begin_work(job, stop.clone(), work).await;
                    drop(guard);
                    done
                }
            };
            app.end_job(job, outcome).await;
        });
        Ok(queued)
    }

    async fn begin_work<W, F>(&self, mut job: Job, stop: CancellationToken, work: W) -> (Job, Result<()>)
    where
        W: FnOnce(Self, Job, CancellationToken) -> F,
        F: Future<Output = (Job, Result<()>)>,
    {
        job.state = JobState::Running;
        match self.update_job(&mut job).await {
            Ok(()) => work(self.clone(), job, stop).await,
            Err(error) => (job, Err(error)),
        }
    }

    /// Ends a job. Everyone hears of it, even if it cannot be stored.
    pub(crate) async fn end_job(&self, mut job: Job, outcome: Result<()>) {
        job.progress.eta_s = None;
        job.progress.rate = None;
        // First, so that whoever hears of the end can resume at once.
        let pausing = self.0.jobs.end(job.id);
        match outcome {
            Ok(()) => job.state = JobState::Done,
            Err(error) if error.code == ErrorCode::Cancelled => {
                job.state = if pausing { JobState::Paused } else { JobState::Cancelled };
            }
            Err(error) => {
                job.state = JobState::Failed;
                job.error = Some(error);
            }
        }
        let recorded = self.update_job(&mut job).await;
        match recorded {
            Ok(()) => {
                self.0.jobs.unrecorded().remove(&job.id);
            }
            Err(error) => {
                tracing::error!("the end of `{}` could not be recorded: {error}", job.title);
                self.0.jobs.unrecorded().insert(job.id, job.clone());
                self.0.jobs.send(AppEvent::Job { job: job.clone() });
            }
        }
    }

    /// Asks a job to stop. What it made until then is kept; the job's own event tells when it has stopped.
    pub async fn stop_job(&self, id: JobId) -> Result<Job> {
        let active = self.0.jobs.active().get(&id).cloned();
        if let Some(active) = active {
            active.stop.cancel();
            return self.job(id).await;
        }
        let mut job = self.job(id).await?;
        if job.state == JobState::Paused {
            job.state = JobState::Cancelled;
            self.update_job(&mut job).await?;
        }
        Ok(job)
    }

    /// Asks a job to stop for now. It waits for [`resume_job`](Self::resume_job), also over a restart.
    pub async fn pause_job(&self, id: JobId) -> Result<Job> {
        if let Some(active) = self.0.jobs.active().get_mut(&id) {
            active.pausing = true;
            active.stop.cancel();
        }
        self.job(id).await
    }

    /// Goes on with a job that was stopped or interrupted.
    pub async fn resume_job(&self, id: JobId) -> Result<Job> {
        let job = self.job(id).await?;
        match (job.kind, job.run_id) {
            _ if self.0.jobs.is_active(id) => Ok(job),
            (JobKind::Run, Some(run)) if job.state.can_resume() => self.resume_run(job, run).await,
            (JobKind::Tune, _) if job.state.can_resume() => self.resume_tuning(job).await,
            (JobKind::Download, _) if job.state.can_resume() => self.resume_download(job).await,
            (JobKind::Import, _) if job.state.can_resume() => self.resume_import(job).await,
            _ => Err(ErrorReport::new(ErrorCode::InvalidInput, "this job cannot be resumed").hint("Start it anew.")),
        }
    }

    /// Waits until a job is not active any more.
    pub async fn wait_for(&self, id: JobId) -> Result<Job> {
        let mut events = self.subscribe();
        loop {
            let job = self.job(id).await?;
            if !job.state.is_active() {
                return Ok(job);
            }
            // Any event, and a lagging listener too, is a reason to look again.
            tokio::time::timeout(std::time::Duration::from_secs(1), events.recv()).await.ok();
        }
    }
}
