//! Puts what the runner measures into the store, sample by sample, and tells listeners what happens now.

use crate::api::{AppEvent, LiveUpdate};
use crate::estimate::weight;
use crate::tuning::Before;
use crate::{App, Result, now};
use pocketbench_bench::{Moment, Recorder};
use pocketbench_device::SensorSampler;
use pocketbench_domain::ErrorReport;
use pocketbench_domain::conditions::Reading;
use pocketbench_domain::job::Job;
use pocketbench_domain::run::{CellId, CellState, RunEntry, RunRecord, RunSpec, Sample, Session};
use pocketbench_domain::suite::Suite;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Least time between two live updates: a front end that draws more often would disturb what is measured.
const LIVE_PERIOD: Duration = Duration::from_millis(100);

pub(crate) struct StoreRecorder<'a> {
    app: &'a App,
    job: &'a mut Job,
    run: &'a RunRecord,
    sensors: Arc<SensorSampler>,
    part: Part,
    live: LiveUpdate,
    sent_at: Instant,
    tokens: u32,
    /// Something to show that was not sent yet.
    pending: bool,
    started: Instant,
    /// Work done since the start, in generated tokens, and work left; for the ETA.
    done_weight: f64,
    left_weight: f64,
}

/// Which part of its job a run is.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Part {
    /// Repetitions of the runs before it.
    done: u64,
    /// Repetitions of all runs; 0 if it is the only one.
    total: u64,
    /// Work of it and of the runs after it.
    left_weight: f64,
}

impl Part {
    /// The first of several runs, each a suite and its number of entries.
    pub(crate) fn of_several(runs: impl Iterator<Item = (Suite, usize)>) -> Self {
        runs.fold(Self::default(), |part, (suite, entries)| Self {
            total: part.total + repetitions(&suite, entries),
            left_weight: part.left_weight + work(&suite, entries),
            ..part
        })
    }

    /// Goes on to the next run.
    pub(crate) fn advance(&mut self, done: &RunSpec) {
        self.done += repetitions(&done.suite, done.entries.len());
        self.left_weight -= work(&done.suite, done.entries.len());
    }
}

fn repetitions(suite: &Suite, entries: usize) -> u64 {
    suite.tasks.len() as u64 * u64::from(suite.repetitions) * entries as u64
}

/// In generated tokens.
fn work(suite: &Suite, entries: usize) -> f64 {
    let once: f64 = suite.tasks.iter().map(weight).sum();
    once * f64::from(suite.repetitions) * entries as f64
}

impl<'a> StoreRecorder<'a> {
    /// `part`: where in its job the run stands. `before`: the run that a tuning goes before, which is shown as at work.
    pub(crate) fn new(
        app: &'a App,
        job: &'a mut Job,
        run: &'a RunRecord,
        sensors: Arc<SensorSampler>,
        part: Part,
        before: Option<&Before<'_>>,
    ) -> Self {
        let live = LiveUpdate {
            job_id: before.map_or(job.id, |before| before.job),
            run_id: before.map_or(run.id, |before| before.run.id),
            tuning: before.map(|_| job.id),
            slot: 0,
            model: String::new(),
            task_id: String::new(),
            task_title: String::new(),
            repetition: 0,
            repetitions: run.spec.suite.repetitions,
            warmup: false,
            sequence: 0,
            text: String::new(),
            tokens_per_s: None,
            rss_bytes: None,
            ram_bytes: run.device.ram_bytes,
            ram_available_bytes: None,
            celsius: None,
            thermal_status: None,
            cooling_to_c: None,
            elapsed_s: None,
            of_s: None,
        };
        let alone = part.total == 0;
        let left_weight = if alone { work(&run.spec.suite, run.spec.entries.len()) } else { part.left_weight };
        Self {
            app,
            job,
            run,
            sensors,
            part,
            live,
            sent_at: Instant::now(),
            tokens: 0,
            pending: false,
            started: Instant::now(),
            done_weight: 0.0,
            left_weight,
        }
    }

    fn send_live(&mut self) {
        if let Some(reading) = self.sensors.latest() {
            self.live.celsius = reading.hottest();
            self.live.thermal_status = reading.thermal_status;
        }
        let elapsed = self.sent_at.elapsed();
        self.live.tokens_per_s =
            (self.tokens > 0 && !elapsed.is_zero()).then(|| f64::from(self.tokens) / elapsed.as_secs_f64());
        self.app.0.jobs.send(AppEvent::Live { live: self.live.clone() });
        self.live.text.clear();
        self.tokens = 0;
        self.sent_at = Instant::now();
        self.pending = false;
    }

    fn begin(&mut self, slot: usize) {
        if self.pending {
            self.send_live();
        }
        self.live.slot = u32::try_from(slot).unwrap_or(0);
        self.live.model = self.run.spec.entries.get(slot).map(RunEntry::label).unwrap_or_default();
        self.live.sequence += 1;
        (self.live.cooling_to_c, self.live.elapsed_s, self.live.of_s) = (None, None, None);
        self.live.ram_available_bytes = pocketbench_device::ram_available();
    }
}

impl Recorder for StoreRecorder<'_> {
    async fn session(&mut self, session: &Session) -> Result<()> {
        Ok(self.app.store().insert_session(session).await?)
    }

    async fn sample(&mut self, sample: &Sample, readings: &[Reading]) -> Result<()> {
        if self.pending {
            self.send_live();
        }
        Ok(self.app.store().insert_sample(sample, readings).await?)
    }

    async fn cell(&mut self, cell: CellId, state: CellState, failure: Option<&ErrorReport>) -> Result<()> {
        self.app.store().set_cell_state(cell, state, failure).await?;
        if let Some(failure) = failure {
            let line = format!("{}, {}: {failure}", self.live.model, self.live.task_title);
            self.app.store().append_log(self.job.id, std::slice::from_ref(&line), now()).await?;
            self.job.log_tail.push(line);
        }
        Ok(())
    }

    async fn progress(&mut self, done: u64, total: u64) -> Result<()> {
        self.job.progress.done = self.part.done + done;
        self.job.progress.total = Some(total.max(self.part.total));
        let per_token = (self.done_weight > 0.0).then(|| self.started.elapsed().as_secs_f64() / self.done_weight);
        self.job.progress.eta_s = per_token.map(|seconds| seconds * (self.left_weight - self.done_weight).max(0.0));
        self.app.update_job(self.job).await
    }

    fn moment(&mut self, moment: Moment<'_>) {
        match moment {
            Moment::Loading { slot } => {
                self.begin(slot);
                self.live.task_id.clear();
                self.live.task_title.clear();
                self.live.warmup = false;
                self.send_live();
            }
            Moment::Repetition { slot, task, repetition, warmup } => {
                self.begin(slot);
                self.live.task_id.clone_from(&task.id);
                self.live.task_title.clone_from(&task.title);
                self.live.repetition = repetition;
                self.live.warmup = warmup;
                self.send_live();
            }
            Moment::Cooling { slot, target_c } => {
                if self.live.cooling_to_c.is_none() {
                    self.begin(slot);
                }
                self.live.cooling_to_c = Some(target_c);
                self.send_live();
            }
            Moment::Round { elapsed, of } => {
                (self.live.elapsed_s, self.live.of_s) = (Some(elapsed.as_secs_f64()), Some(of.as_secs_f64()));
                self.live.sequence += 1;
                self.job.progress.eta_s = Some(of.saturating_sub(elapsed).as_secs_f64());
                self.app.0.jobs.send(AppEvent::Job { job: self.job.clone() });
                self.send_live();
            }
            Moment::Token { text, sequence, memory } => {
                self.tokens += 1;
                self.pending = true;
                // Ten answers at once cannot be read; the first one is shown.
                if sequence == 0 {
                    self.live.text.push_str(text);
                }
                if let Some(memory) = memory {
                    self.live.rss_bytes = Some(memory.rss_bytes);
                }
                if self.sent_at.elapsed() >= LIVE_PERIOD {
                    self.send_live();
                }
            }
            Moment::Done { task, skipped } => {
                if skipped {
                    self.left_weight -= weight(task);
                } else {
                    self.done_weight += weight(task);
                }
            }
        }
    }
}
