//! Jobs that are at work, and what listeners hear of them. The store keeps every job; this keeps the means to stop one.

use crate::api::AppEvent;
use crate::{App, Result, new_id, now};
use pocketbench_domain::job::{Job, JobId, JobKind, JobState, Progress};
use pocketbench_domain::run::RunId;
use pocketbench_domain::{ErrorCode, ErrorReport};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

/// Most jobs in the tray's history.
const LISTED: u32 = 100;

/// What happens from now on. A listener that falls behind loses the oldest events, never the newest.
pub type Events = broadcast::Receiver<AppEvent>;

#[derive(Debug)]
pub(crate) struct Jobs {
    active: Mutex<HashMap<JobId, CancellationToken>>,
    /// Jobs whose end could not be stored, on a full disk for instance: what the store says of them is not true.
    unrecorded: Mutex<HashMap<JobId, Job>>,
    events: broadcast::Sender<AppEvent>,
}

impl Default for Jobs {
    fn default() -> Self {
        Self { active: Mutex::default(), unrecorded: Mutex::default(), events: broadcast::channel(1024).0 }
    }
}

impl Jobs {
    fn active(&self) -> std::sync::MutexGuard<'_, HashMap<JobId, CancellationToken>> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers a job as active and gives its means to stop; nothing if it is active already.
    pub(crate) fn begin(&self, id: JobId) -> Option<CancellationToken> {
        match self.active().entry(id) {
            std::collections::hash_map::Entry::Occupied(_) => None,
            std::collections::hash_map::Entry::Vacant(entry) => Some(entry.insert(CancellationToken::new()).clone()),
        }
    }

    pub(crate) fn end(&self, id: JobId) {
        self.active().remove(&id);
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

    /// Ends a job. Everyone hears of it, even if it cannot be stored.
    pub(crate) async fn end_job(&self, mut job: Job) {
        job.progress.eta_s = None;
        // First, so that whoever hears of the end can resume at once.
        self.0.jobs.end(job.id);
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
        let token = self.0.jobs.active().get(&id).cloned();
        if let Some(token) = token {
            token.cancel();
        }
        self.job(id).await
    }

    /// Goes on with a job that was stopped or interrupted.
    pub async fn resume_job(&self, id: JobId) -> Result<Job> {
        let job = self.job(id).await?;
        match (job.kind, job.run_id) {
            (JobKind::Run, Some(run)) if job.state.can_resume() => self.resume_run(job, run).await,
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
