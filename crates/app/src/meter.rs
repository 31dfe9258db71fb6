//! How far a job is that counts bytes.

use crate::App;
use crate::api::AppEvent;
use pocketbench_domain::job::Job;
use std::time::{Duration, Instant};

/// Least time between two events.
const PERIOD: Duration = Duration::from_millis(250);
/// Weight of the newest rate in the one that is shown: it settles within some two seconds and does not flicker.
const NEWEST: f64 = 0.2;

/// Tells listeners how far a job is, with rate and time left. The store hears of it when the job ends.
pub(crate) struct ByteMeter {
    app: App,
    job: Job,
    last: Instant,
    last_done: Option<u64>,
    /// Lines at the end of the log that the store does not have.
    notes: usize,
}

impl ByteMeter {
    pub(crate) fn new(app: &App, job: &Job) -> Self {
        Self { app: app.clone(), job: job.clone(), last: Instant::now(), last_done: None, notes: 0 }
    }

    /// So many bytes are done, of so many.
    pub(crate) fn at(&mut self, done: u64, total: Option<u64>) {
        let progress = &mut self.job.progress;
        (progress.done, progress.total) = (done, total.or(progress.total));
        let elapsed = self.last.elapsed();
        // What was there from an earlier attempt is no rate.
        let Some(before) = self.last_done else {
            self.last_done = Some(done);
            return self.send();
        };
        if elapsed < PERIOD {
            return;
        }
        let newest = done.saturating_sub(before) as f64 / elapsed.as_secs_f64();
        let rate = progress.rate.map_or(newest, |rate| rate + NEWEST * (newest - rate));
        progress.rate = Some(rate);
        progress.eta_s = progress.total.filter(|_| rate > 0.0).map(|total| total.saturating_sub(done) as f64 / rate);
        (self.last, self.last_done) = (Instant::now(), Some(done));
        self.send();
    }

    /// What it is busy with beside its bytes. Becomes the last line of the job's log.
    pub(crate) fn note(&mut self, note: &str) {
        if self.job.log_tail.last().is_none_or(|last| last != note) {
            self.job.log_tail.push(note.to_owned());
            self.notes += 1;
            self.send();
        }
    }

    fn send(&self) {
        self.app.0.jobs.send(AppEvent::Job { job: self.job.clone() });
    }

    /// Where the job stands, to be stored with its end; gives the lines that its log has not yet.
    pub(crate) fn finish(self, job: &mut Job) -> Vec<String> {
        job.progress.done = self.job.progress.done;
        job.progress.total = self.job.progress.total;
        let notes = self.job.log_tail[self.job.log_tail.len() - self.notes..].to_vec();
        job.log_tail.extend_from_slice(&notes);
        notes
    }
}
