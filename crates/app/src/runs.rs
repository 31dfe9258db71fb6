//! Starting, resuming and following runs.

use crate::api::RunRequest;
use crate::jobs::new_job;
use crate::models::{default_settings, fit_of, machine};
use crate::record::StoreRecorder;
use crate::{App, Result, new_id, now, suites};
use pocketbench_bench::{Plan, Runner, plan_cells};
use pocketbench_domain::fit::FitClass;
use pocketbench_domain::job::{Job, JobKind};
use pocketbench_domain::model::ModelHeader;
use pocketbench_domain::run::{RunEntry, RunId, RunRecord, RunSpec};
use pocketbench_domain::settings::EngineSettings;
use pocketbench_domain::suite::Suite;
use pocketbench_domain::{ErrorCode, ErrorReport};
use serde_json::json;
use std::path::PathBuf;

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
}

impl App {
    /// Starts a run of a shipped suite; the job tells how it goes.
    pub async fn start_run(&self, request: &RunRequest) -> Result<Job> {
        let suite = suites::find(&request.suite)?;
        let models = request.models.iter().map(PathBuf::from).collect();
        self.start(NewRun { models, suite, adjustments: Adjust::default() }).await
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
        let mut entries = Vec::with_capacity(models.len());
        for path in models {
            let path = std::path::absolute(&path)
                .map_err(|error| ErrorReport::new(ErrorCode::InvalidInput, format!("{}: {error}", path.display())))?;
            let mut settings = default_settings(suite.n_ctx, suite.n_seq_max());
            settings.n_ctx = adjustments.n_ctx.unwrap_or(suite.n_ctx);
            if let Some(threads) = adjustments.n_threads {
                settings.n_threads = threads;
                settings.n_threads_batch = threads;
            }
            // Before the hash, which takes its time with a large file.
            let (header, file_bytes) = self.header(&path).await?;
            judge(&header, file_bytes, &settings)?;
            entries.push(RunEntry { model: self.identify(&path, true).await?, settings });
        }
        let title = format!(
            "{} · {}",
            entries.iter().map(|e| e.model.header.name.as_str()).collect::<Vec<_>>().join(" / "),
            suite.title
        );
        let run_id = RunId(new_id());
        let spec = RunSpec { entries, suite };
        let cells = plan_cells(run_id, &spec, new_id);
        let job = new_job(JobKind::Run, title, "repetitions", Some(run_id));
        let device = self.device().await?;
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
            judge(&entry.model.header, entry.model.file_bytes, &entry.settings)?;
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
        let plan = Plan {
            run_id: run.id,
            spec: run.spec.clone(),
            cells: self.store().cells(run.id).await?,
            measured: counts.into_iter().map(|(cell, count)| (cell, (0..count.counted).collect())).collect(),
            launch: self.0.config.launch.clone(),
            machine: machine(),
        };
        let mut recorder = StoreRecorder::new(self, job, run);
        Runner::new(plan, &mut recorder, token.clone(), now, new_id).run().await?;
        self.store().finish_run(run.id, now()).await?;
        // The run is complete without it.
        if let Err(error) = self.learn(run).await {
            tracing::warn!(%error, "nothing was learnt from the run");
        }
        Ok(())
    }
}

/// Refuses what cannot work before anything is loaded.
fn judge(header: &ModelHeader, file_bytes: u64, settings: &EngineSettings) -> Result<()> {
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
