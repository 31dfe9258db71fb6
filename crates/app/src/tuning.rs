//! Tuning: finds the settings that this device runs best with, keeps them with what they rest on, and hands them to
//! whatever loads a model.

use crate::api::{TuneRequest, TuningState};
use crate::jobs::new_job;
use crate::models::{machine, this_device};
use crate::record::Part;
use crate::runs::{Adjust, Patience, judge};
use crate::{App, Result, new_id, now};
use pocketbench_bench::plan_cells;
use pocketbench_bench::tuning::{MOST_CTX, Stage};
use pocketbench_domain::compare::CompareOptions;
use pocketbench_domain::fit::{Fit, saved_without_repacking};
use pocketbench_domain::generate::EngineInfo;
use pocketbench_domain::job::{Job, JobId, JobKind, JobState};
use pocketbench_domain::model::ModelRef;
use pocketbench_domain::run::{LeftOut, RunEntry, RunId, RunRecord, RunSpec, SettingsReason};
use pocketbench_domain::settings::EngineSettings;
use pocketbench_domain::stats::Bootstrap;
use pocketbench_domain::suite::Suite;
use pocketbench_domain::sweep::{Sweep, default_threads, thread_candidates};
use pocketbench_domain::tuning::{TunedPlace, TunedSettings, Tuning, TuningAxis, TuningId, TuningStep};
use pocketbench_domain::{ErrorCode, ErrorReport};
use pocketbench_worker::Worker;
use serde::{Deserialize, Serialize};
use std::path::Path;
use tokio_util::sync::CancellationToken;

/// Setting that says whether a device is tuned before its first run.
const AUTOMATIC: &str = "tuning.automatic";

/// What a job of tuning needs to be resumed. What it has measured stands in its runs.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Work {
    model: ModelRef,
    /// Threads alone.
    quick: bool,
    /// Before a first run, without being asked for.
    automatic: bool,
}

/// A run that a tuning goes before: it is shown as a step of that run.
pub(crate) struct Before<'a> {
    pub(crate) job: JobId,
    pub(crate) run: &'a RunRecord,
}

/// Settings for this machine: from its tuning if there is one.
pub(crate) struct Defaults(Option<Tuning>);

impl Defaults {
    /// Settings for a model with this context.
    pub(crate) fn settings(&self, n_ctx: u32, n_seq_max: u32) -> EngineSettings {
        let mut settings = EngineSettings { n_seq_max, ..EngineSettings::new(n_ctx, default_threads(this_device())) };
        if let Some(tuning) = &self.0 {
            tuning.chosen.apply(&mut settings);
        }
        settings
    }

    /// Where they come from.
    pub(crate) fn reason(&self) -> Option<SettingsReason> {
        let tuned = |tuning: &Tuning| SettingsReason::Tuned { tuning_id: tuning.id, tuned_at: tuning.tuned_at };
        self.0.as_ref().map(tuned)
    }
}

impl App {
    /// The engine that workers run, asked once; `None` if none can be started, which whoever measures will say.
    async fn engine(&self) -> Option<EngineInfo> {
        let ask = || async {
            let worker = Worker::start(&self.0.config.launch).await?;
            let info = worker.info().cloned();
            worker.shutdown().await;
            info.ok_or_else(|| ErrorReport::new(ErrorCode::WorkerProtocol, "the worker did not say who it is"))
        };
        let engine = self.0.engine.get_or_try_init(ask).await;
        engine.inspect_err(|error| tracing::warn!(%error, "the engine does not say who it is")).ok().cloned()
    }

    /// Every tuning of this device that holds for its engine, the latest first. Where no engine was asked yet, and nothing
    /// is to be measured, any engine's will do.
    async fn held(&self) -> Result<Vec<Tuning>> {
        let device = this_device();
        let engine = self.0.engine.get();
        let mut tunings = self.store().tunings(&device.fingerprint).await?;
        tunings.retain(|tuning| match engine {
            Some(engine) => tuning.place == TunedPlace::new(device, engine),
            None => tuning.place.is_on(device),
        });
        Ok(tunings)
    }

    /// What models are loaded with unless somebody asks for something else.
    pub(crate) async fn defaults(&self) -> Result<Defaults> {
        Ok(Defaults(self.held().await?.into_iter().find(Tuning::is_usable)))
    }

    /// As [`defaults`](Self::defaults), for a run: the engine is asked first.
    pub(crate) async fn defaults_for_run(&self) -> Result<Defaults> {
        self.engine().await;
        self.defaults().await
    }

    /// Whether this run should be preceded by a tuning.
    pub(crate) async fn is_to_be_tuned_first(&self, suite: &Suite, adjustments: &Adjust) -> Result<bool> {
        let decided = adjustments.n_threads.is_some() || matches!(suite.sweep, Some(Sweep::Threads(_)));
        Ok(!decided && self.config_allows_tuning().await? && self.is_untuned().await?)
    }

    async fn config_allows_tuning(&self) -> Result<bool> {
        Ok(self.0.config.tune && self.store().setting(AUTOMATIC).await?.unwrap_or(true))
    }

    async fn is_untuned(&self) -> Result<bool> {
        let one_choice = thread_candidates(this_device()).len() < 2;
        Ok(!one_choice && self.engine().await.is_some() && Tuning::is_missing(&self.held().await?))
    }

    /// How this device is tuned.
    pub async fn tuning(&self) -> Result<TuningState> {
        let tuning = self.held().await?.into_iter().find(Tuning::is_usable);
        let automatic = self.store().setting(AUTOMATIC).await?.unwrap_or(true);
        Ok(TuningState { tuning, automatic })
    }

    /// Forgets how this device is tuned, for every engine, and says how many tunings there were. The runs that they rest
    /// on stay.
    pub async fn forget_tuning(&self) -> Result<u64> {
        Ok(self.store().forget_tunings(&this_device().fingerprint).await?)
    }

    /// Whether a device that is not tuned is, before its first run.
    pub async fn set_automatic_tuning(&self, automatic: bool) -> Result<()> {
        Ok(self.store().set_setting(AUTOMATIC, &automatic).await?)
    }

    /// Tunes this device with a model; the job tells how it goes.
    ///
    /// # Errors
    /// Whatever can be known before anything is measured: a bad file, too little memory.
    pub async fn tune(&self, request: &TuneRequest) -> Result<Job> {
        let path = std::path::absolute(&request.model)
            .map_err(|error| ErrorReport::new(ErrorCode::InvalidInput, format!("{}: {error}", request.model)))?;
        let (header, file_bytes) = self.header(&path).await?;
        let settings = base_settings(&header, file_bytes);
        judge(&header, file_bytes, &settings, this_device())?;
        let model = self.identify(&path, true).await?;
        let work = Work { model, quick: request.quick, automatic: false };
        let job = self.new_tuning(&work).await?;
        self.tune_in_background(job, work).await
    }

    pub(crate) async fn resume_tuning(&self, job: Job) -> Result<Job> {
        let mut work: Work = self.store().job_work(job.id).await?;
        self.find_again(&mut work.model).await?;
        self.tune_in_background(job, work).await
    }

    async fn new_tuning(&self, work: &Work) -> Result<Job> {
        self.store().upsert_device(&self.device().await?, now()).await?;
        let job = new_job(JobKind::Tune, work.model.label(), "repetitions", None);
        self.store().insert_job_with(&job, work).await?;
        Ok(job)
    }

    async fn tune_in_background(&self, job: Job, work: Work) -> Result<Job> {
        let turn = std::sync::Arc::clone(&self.0.measuring).lock_owned();
        self.spawn(job, turn, |app, mut job, stop| async move {
            let outcome = app.measure_tuning(&mut job, &work, None, &stop).await;
            (job, outcome.map(|_| ()))
        })
        .await
    }

    /// Tunes the threads before the first run on this device, as a job of its own: stopping that one skips it. The run has
    /// the turn to measure already.
    ///
    /// # Errors
    /// Only if the run itself is stopped: whatever else goes wrong is logged, and the run goes on with the defaults.
    pub(crate) async fn tune_first(
        &self,
        run_job: &mut Job,
        run: &mut RunRecord,
        stop: &CancellationToken,
    ) -> Result<()> {
        if self.is_untuned().await? {
            let told = match self.tune_before(run_job.id, run, stop).await {
                _ if stop.is_cancelled() => {
                    return Err(ErrorReport::new(ErrorCode::Cancelled, "stopped while the device was tuned"));
                }
                Ok(tuning) if tuning.is_usable() => format!("tuned first: {}", says(&tuning.chosen)),
                Ok(_) => "tuning was disturbed by other programs or by heat, so it is not used".to_owned(),
                Err(error) if error.code == ErrorCode::Cancelled => "tuning was skipped".to_owned(),
                Err(error) => format!("tuning failed, so the defaults are used: {error}"),
            };
            self.log(run_job, told).await?;
        }
        let defaults = self.defaults().await?;
        let (Some(tuning), Some(reason)) = (&defaults.0, defaults.reason()) else { return Ok(()) };
        let untouched = match &run.spec.suite.sweep {
            Some(Sweep::MicroBatch(_)) => Some(TuningAxis::MicroBatch),
            Some(Sweep::FlashAttention(_)) => Some(TuningAxis::FlashAttention),
            _ => None,
        };
        for entry in &mut run.spec.entries {
            let own = entry.settings.clone();
            tuning.chosen.apply(&mut entry.settings);
            if let Some(axis) = untouched {
                axis.take(&mut entry.settings, &own);
            }
        }
        run.spec.reasons.retain(|reason| !matches!(reason, SettingsReason::Tuned { .. }));
        run.spec.reasons.push(reason);
        Ok(self.store().settle_run(run).await?)
    }

    async fn tune_before(&self, run_job: JobId, run: &RunRecord, stop: &CancellationToken) -> Result<Tuning> {
        let smallest = run.spec.entries.iter().min_by_key(|entry| entry.model.file_bytes);
        let model = smallest.map(|entry| entry.model.clone());
        let model = model.ok_or_else(|| ErrorReport::new(ErrorCode::Internal, "a run without models"))?;
        let work = Work { model, quick: true, automatic: true };
        let mut job = self.new_tuning(&work).await?;
        let stop = self.0.jobs.begin_under(job.id, stop);
        job.state = JobState::Running;
        let before = Before { job: run_job, run };
        let outcome = match self.update_job(&mut job).await {
            Ok(()) => self.measure_tuning(&mut job, &work, Some(&before), &stop).await,
            Err(error) => Err(error),
        };
        let (tuning, ended) = match outcome {
            Ok(tuning) => (Ok(tuning), Ok(())),
            Err(error) => (Err(error.clone()), Err(error)),
        };
        self.end_job(job, ended).await;
        tuning
    }

    /// Measures what is missing, decides step by step, and stores the whole or nothing. A step that was measured before an
    /// interruption is decided again from its run, which gives the same.
    async fn measure_tuning(
        &self,
        job: &mut Job,
        work: &Work,
        before: Option<&Before<'_>>,
        stop: &CancellationToken,
    ) -> Result<Tuning> {
        let device = self.device().await?;
        let engine = self.engine().await.ok_or_else(|| {
            ErrorReport::new(ErrorCode::WorkerStartFailed, "no worker can be started, so nothing can be measured")
        })?;
        let model = &work.model;
        let mut settings = base_settings(&model.header, model.file_bytes);
        let stages = stages(model, &settings, work.quick);
        let mut measured = self.store().runs_of_job(job.id).await?;
        let mut part = Part::of_several(stages.iter().map(|stage| {
            let suite = stage.suite(&model.header, work.quick);
            let entries = suite.sweep.as_ref().map_or(1, |sweep| match sweep {
                Sweep::Threads(values) if values.is_empty() => thread_candidates(&device).len(),
                sweep => sweep.len(),
            });
            (suite, entries)
        }));
        let patience = if work.quick { Patience::None } else { Patience::Short };
        let (options, mut steps) = (CompareOptions::default(), Vec::new());
        for stage in stages {
            let suite = stage.suite(&model.header, work.quick);
            settings.n_ctx = suite.n_ctx;
            let base = RunEntry::new(model.clone(), settings.clone());
            let (mut entries, mut left_out) = (Vec::new(), Vec::new());
            for entry in suite.sweep.iter().flat_map(|sweep| sweep.entries(&base, &device)) {
                match judge(&model.header, model.file_bytes, &entry.settings, &device) {
                    Ok(()) => entries.push(entry),
                    Err(reason) => left_out.push(LeftOut { variant: entry.variant.unwrap_or_default(), reason }),
                }
            }
            if let (true, Some(LeftOut { reason, .. })) = (entries.is_empty(), left_out.first()) {
                return Err(reason.clone());
            }
            let spec = RunSpec { entries, suite, left_out, reasons: Vec::new() };
            let run = match measured.iter().position(|run| run.spec == spec) {
                Some(place) => measured.swap_remove(place),
                None => self.plan_stage(job.id, spec, &device).await?,
            };
            job.run_id = Some(run.id);
            if run.finished_at.is_none() {
                self.measure_cells(job, &run, patience, &part, before, stop).await?;
            }
            part.advance(&run.spec);
            let result = self.result(run.id).await?;
            let mut decided = None;
            for axis in stage.axes() {
                let step =
                    TuningStep::decide(*axis, &result, decided, &options, &mut Bootstrap::new()).ok_or_else(|| {
                        let failures = result.tasks.iter().flat_map(|task| &task.cells);
                        failures.into_iter().find_map(|cell| cell.failure.clone()).unwrap_or_else(|| {
                            ErrorReport::new(ErrorCode::Internal, "a stage of the tuning measured nothing")
                        })
                    })?;
                step.settle(&result, &mut settings);
                decided = step.chosen().map(|chosen| chosen.slot);
                let label = step.chosen().map(|chosen| chosen.label.clone()).unwrap_or_default();
                self.log(job, format!("{}: {label}", stage.title())).await?;
                steps.push(step);
            }
        }
        let tuning = Tuning {
            id: TuningId(new_id()),
            job_id: job.id,
            tuned_at: now(),
            place: TunedPlace::new(&device, &engine),
            model_sha256: model.sha256.clone(),
            model: model.label(),
            automatic: work.automatic,
            disturbed: steps.iter().any(TuningStep::is_disturbed),
            steps,
            chosen: TunedSettings::of(&settings),
        };
        self.store().insert_tuning(&tuning).await?;
        Ok(tuning)
    }

    async fn plan_stage(
        &self,
        job_id: JobId,
        spec: RunSpec,
        device: &pocketbench_domain::device::DeviceProfile,
    ) -> Result<RunRecord> {
        let id = RunId(new_id());
        let cells = plan_cells(id, &spec, new_id);
        let run = self.new_record(id, job_id, spec, device.clone());
        self.store().create_run(&run, &cells).await?;
        Ok(run)
    }

    async fn log(&self, job: &mut Job, line: String) -> Result<()> {
        self.store().append_log(job.id, std::slice::from_ref(&line), now()).await?;
        job.log_tail.push(line);
        self.update_job(job).await
    }
}

/// What tuning begins with: nothing that an earlier one decided, and no repacking if only so the model fits.
fn base_settings(header: &pocketbench_domain::model::ModelHeader, file_bytes: u64) -> EngineSettings {
    let n_ctx = MOST_CTX.min(header.n_ctx_train.max(1));
    let mut settings = EngineSettings::new(n_ctx, default_threads(this_device()));
    if saved_without_repacking(header, &settings, file_bytes, &machine()).is_some() {
        settings.repack = false;
    }
    settings
}

/// The stages that can tell something about this model on this device.
fn stages(model: &ModelRef, settings: &EngineSettings, quick: bool) -> Vec<Stage> {
    let repacked = Fit::predict(&model.header, settings, model.file_bytes, &machine()).repacked_bytes > 0;
    let useful = |stage: &Stage| match stage {
        Stage::Threads => thread_candidates(this_device()).len() > 1,
        Stage::Repack => !quick && repacked,
        Stage::MicroBatch | Stage::FlashAttention | Stage::KvType => !quick,
    };
    Stage::ALL.into_iter().filter(useful).collect()
}

fn says(chosen: &TunedSettings) -> String {
    let unit = |n: u32| if n == 1 { "thread" } else { "threads" };
    let (decode, prefill) = (chosen.n_threads, chosen.n_threads_batch);
    if decode == prefill {
        format!("{decode} {}", unit(decode))
    } else {
        format!("{decode} {} for decode, {prefill} for prefill", unit(decode))
    }
}

impl App {
    /// Finds a model that may have been moved, and makes sure that it is still the same.
    pub(crate) async fn find_again(&self, model: &mut ModelRef) -> Result<()> {
        // A model that was moved since is known by its hash.
        if !Path::new(&model.path).exists() {
            let files = self.store().files_of_model(&model.sha256).await?;
            if let Some(moved) = files.into_iter().find(|file| Path::new(&file.model.path).exists()) {
                model.path = moved.model.path;
            }
        }
        let now = self.identify(Path::new(&model.path), false).await?;
        if now.sha256 != model.sha256 {
            return Err(ErrorReport::new(
                ErrorCode::ModelFileChanged,
                format!("{} is not the file that this run began with", model.path),
            )
            .hint("Put the old file back, or start a new run."));
        }
        Ok(())
    }
}
