//! Starting, resuming and following runs.

use crate::api::RunRequest;
use crate::jobs::new_job;
use crate::models::{default_settings, fit_of, machine};
use crate::record::StoreRecorder;
use crate::{App, Result, blocking, new_id, now, suites};
use pocketbench_bench::{Plan, Runner, plan_cells};
use pocketbench_device::{SensorSampler, Sensors};
use pocketbench_domain::device::DeviceProfile;
use pocketbench_domain::fit::FitClass;
use pocketbench_domain::job::{Job, JobKind};
use pocketbench_domain::model::ModelHeader;
use pocketbench_domain::run::{LeftOut, RunEntry, RunId, RunRecord, RunSpec};
use pocketbench_domain::settings::EngineSettings;
use pocketbench_domain::suite::Suite;
use pocketbench_domain::{ErrorCode, ErrorReport};
use serde_json::json;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How often the sensors are read beside a measurement.
const SENSOR_PERIOD: Duration = Duration::from_secs(1);

/// What to measure, with everything that a front end can set.
#[derive(Debug, Clone)]
pub struct NewRun {
    /// Paths of the models.
    pub models: Vec<PathBuf>,
    /// The suite.
    pub suite: Suite,
    /// Settings that differ from the defaults.
    pub adjustments: Adjust,
}

/// Settings that a person asked for; `None` leaves the default.
#[derive(Debug, Clone, Copy, Default)]
pub struct Adjust {
    /// Threads for prefill and decode.
    pub n_threads: Option<u32>,
    /// Context length.
    pub n_ctx: Option<u32>,
    /// Layers on a GPU.
    pub n_gpu_layers: Option<u32>,
}

impl App {
    /// Starts a run of a shipped suite; the job tells how it goes.
    pub async fn start_run(&self, request: &RunRequest) -> Result<Job> {
        let suite = requested_suite(request)?;
        let models = request.models.iter().map(PathBuf::from).collect();
        let adjustments = Adjust { n_threads: request.threads, ..Adjust::default() };
        self.start(NewRun { models, suite, adjustments }).await
    }

    /// Starts a run; the job tells how it goes.
    ///
    /// # Errors
    /// Whatever can be known before anything is measured: bad files, a context that the model cannot have, a model larger
    /// than the memory that is available.
    pub async fn start(&self, new: NewRun) -> Result<Job> {
        let NewRun { models, suite, adjustments } = new;
        suite.validate().map_err(|error| {
            ErrorReport::new(ErrorCode::SuiteInvalid, error.to_string()).hint("Correct that value and start again.")
        })?;
        if models.is_empty() || models.len() > 2 {
            return Err(ErrorReport::new(ErrorCode::InvalidInput, "a run measures one model or compares two"));
        }
        if suite.sweep.is_some() && models.len() != 1 {
            return Err(ErrorReport::new(ErrorCode::InvalidInput, "a sweep measures one model under several settings")
                .hint("Pick one model."));
        }
        let device = self.device().await?;
        let mut entries = Vec::with_capacity(models.len());
        let mut left_out = Vec::new();
        for path in models {
            let path = std::path::absolute(&path)
                .map_err(|error| ErrorReport::new(ErrorCode::InvalidInput, format!("{}: {error}", path.display())))?;
            let mut settings = default_settings(suite.n_ctx, suite.n_seq_max());
            settings.n_ctx = adjustments.n_ctx.unwrap_or(suite.n_ctx);
            settings.n_gpu_layers = adjustments.n_gpu_layers.unwrap_or(settings.n_gpu_layers);
            if let Some(threads) = adjustments.n_threads {
                settings.n_threads = threads;
                settings.n_threads_batch = threads;
            }
            // Before the hash, which takes its time with a large file.
            let (header, file_bytes) = self.header(&path).await?;
            let Some(sweep) = &suite.sweep else {
                judge(&header, file_bytes, &settings, &device)?;
                entries.push(RunEntry::new(self.identify(&path, true).await?, settings));
                continue;
            };
            let model = self.identify(&path, true).await?;
            for entry in sweep.entries(&RunEntry::new(model, settings), &device) {
                match judge(&header, file_bytes, &entry.settings, &device) {
                    Ok(()) => entries.push(entry),
                    Err(reason) => left_out.push(LeftOut { variant: entry.variant.unwrap_or_default(), reason }),
                }
            }
            if entries.len() < 2 {
                return Err(left_out.swap_remove(0).reason);
            }
        }
        let title =
            format!("{} · {}", distinct(entries.iter().map(|e| e.model.header.name.as_str())).join(" / "), suite.title);
        let run_id = RunId(new_id());
        let spec = RunSpec { entries, suite, left_out };
        let cells = plan_cells(run_id, &spec, new_id);
        let job = new_job(JobKind::Run, title, "repetitions", Some(run_id));
        self.store().upsert_device(&device, now()).await?;
        self.store().insert_job(&job).await?;
        let run = RunRecord {
            id: run_id,
            job_id: job.id,
            spec,
            device,
            app_version: self.0.config.version.clone(),
            app_commit: self.0.config.commit.clone(),
            started_at: now(),
            finished_at: None,
        };
        self.store().create_run(&run, &cells).await?;
        self.work(job, run).await
    }

    pub(crate) async fn resume_run(&self, job: Job, run: RunId) -> Result<Job> {
        let mut run = self.store().run(run).await?;
        let device = self.device().await?;
        for entry in &mut run.spec.entries {
            // A model that was moved since is known by its hash.
            if !PathBuf::from(&entry.model.path).exists() {
                let files = self.store().files_of_model(&entry.model.sha256).await?;
                if let Some(moved) = files.into_iter().find(|file| PathBuf::from(&file.model.path).exists()) {
                    entry.model.path = moved.model.path;
                }
            }
            let now = self.identify(&PathBuf::from(&entry.model.path), false).await?;
            if now.sha256 != entry.model.sha256 {
                return Err(ErrorReport::new(
                    ErrorCode::ModelFileChanged,
                    format!("{} is not the file that this run began with", entry.model.path),
                )
                .hint("Put the old file back, or start a new run."));
            }
            judge(&entry.model.header, entry.model.file_bytes, &entry.settings, &device)?;
        }
        self.work(job, run).await
    }

    /// Measures what is missing, in the background.
    async fn work(&self, job: Job, run: RunRecord) -> Result<Job> {
        let turn = std::sync::Arc::clone(&self.0.measuring).lock_owned();
        self.spawn(job, turn, |app, mut job, stop| async move {
            let outcome = app.measure(&mut job, &run, &stop).await;
            (job, outcome)
        })
        .await
    }

    async fn measure(&self, job: &mut Job, run: &RunRecord, token: &tokio_util::sync::CancellationToken) -> Result<()> {
        let counts = self.store().sample_counts(run.id).await?;
        let sensors = blocking(|| Arc::new(SensorSampler::start(Sensors::open(), SENSOR_PERIOD))).await?;
        let plan = Plan {
            run_id: run.id,
            spec: run.spec.clone(),
            cells: self.store().cells(run.id).await?,
            measured: counts.into_iter().map(|(cell, count)| (cell, (0..count.counted).collect())).collect(),
            launch: self.0.config.launch.clone(),
            machine: machine(),
            sensors: Arc::clone(&sensors),
        };
        let mut recorder = StoreRecorder::new(self, job, run, sensors);
        Runner::new(plan, &mut recorder, token.clone(), now, new_id).run().await?;
        self.store().finish_run(run.id, now()).await?;
        // The run is complete without it.
        if let Err(error) = self.learn(run).await {
            tracing::warn!(%error, "nothing was learnt from the run");
        }
        Ok(())
    }
}

/// The suite that a front end asked for.
pub(crate) fn requested_suite(request: &RunRequest) -> Result<Suite> {
    let mut suite = match &request.custom {
        Some(custom) => suites::custom(&custom.prompts, custom.max_tokens, custom.repetitions, custom.fixed_length),
        None => suites::find(&request.suite)?,
    };
    if let Some(minutes) = request.minutes {
        suites::set_minutes(&mut suite, minutes);
    }
    suite.validate().map_err(|error| {
        ErrorReport::new(ErrorCode::SuiteInvalid, error.to_string()).hint("Correct that value and start again.")
    })?;
    Ok(suite)
}

/// Each once, in order.
fn distinct<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut distinct: Vec<&str> = Vec::new();
    for name in names {
        if !distinct.contains(&name) {
            distinct.push(name);
        }
    }
    distinct
}

/// Refuses what cannot work before anything is loaded.
fn judge(header: &ModelHeader, file_bytes: u64, settings: &EngineSettings, device: &DeviceProfile) -> Result<()> {
    let (threads, cores) = (settings.n_threads.max(settings.n_threads_batch), device.logical_cores);
    if settings.n_threads.min(settings.n_threads_batch) == 0 || threads > cores {
        return Err(ErrorReport::new(
            ErrorCode::InvalidInput,
            format!("{threads} threads were asked for, and this device has {cores} for them"),
        )
        .hint("More threads than cores wait for each other and slow everything down."));
    }
    if settings.n_ctx == 0 || settings.n_ctx > header.n_ctx_train {
        return Err(ErrorReport::new(
            ErrorCode::ContextTooLong,
            format!(
                "{} was trained for a context of {} tokens, {} were asked for",
                header.name, header.n_ctx_train, settings.n_ctx
            ),
        )
        .hint(format!("Ask for 1 to {} tokens.", header.n_ctx_train)));
    }
    let fit = fit_of(header, file_bytes, settings);
    if fit.class == FitClass::TooBig {
        let gib = |bytes: u64| bytes as f64 / f64::from(1 << 30);
        return Err(ErrorReport::new(
            ErrorCode::NotEnoughMemory,
            format!(
                "{} needs about {:.1} GiB at a context of {} tokens, {:.1} GiB are available now",
                header.name,
                gib(fit.predicted_bytes),
                settings.n_ctx,
                gib(fit.available_bytes)
            ),
        )
        .hint("Close other programs, use a shorter context, or pick a smaller quantization.")
        .details(json!({ "fit": fit })));
    }
    Ok(())
}
