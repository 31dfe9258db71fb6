//! Starting, resuming and following runs.

use crate::api::RunRequest;
use crate::jobs::new_job;
use crate::models::machine;
use crate::record::{Part, StoreRecorder};
use crate::tuning::Before;
use crate::{App, Result, blocking, new_id, now, suites};
use pocketbench_bench::{Plan, Runner, plan_cells};
use pocketbench_device::{SensorSampler, Sensors};
use pocketbench_domain::device::DeviceProfile;
use pocketbench_domain::fit::{Fit, FitClass, Machine, saved_without_repacking};
use pocketbench_domain::format::bytes;
use pocketbench_domain::job::{Job, JobId, JobKind};
use pocketbench_domain::model::ModelHeader;
use pocketbench_domain::run::{LeftOut, RunEntry, RunId, RunRecord, RunSpec, SettingsReason};
use pocketbench_domain::settings::EngineSettings;
use pocketbench_domain::suite::Suite;
use pocketbench_domain::sweep::Sweep;
use pocketbench_domain::{ErrorCode, ErrorReport};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

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
    /// Does not tune the device first, even if nothing is known of it.
    pub no_tune: bool,
}

/// What a job of a run needs to be resumed, beside the run.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Work {
    /// The device is tuned before anything is measured.
    tune: bool,
}

/// How long a machine that is still warm is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// As long as is needed for figures that compare.
    Full,
    /// A little.
    Short,
    /// Not at all. What comes first is then favoured by its cool machine: of threads, the fewest.
    None,
}

impl Patience {
    fn at_most(self) -> Duration {
        match self {
            Self::Full => Duration::from_mins(10),
            Self::Short => Duration::from_mins(1),
            Self::None => Duration::ZERO,
        }
    }
}

/// A model file whose header was read.
struct Candidate {
    path: PathBuf,
    header: ModelHeader,
    file_bytes: u64,
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
        let defaults = self.defaults_for_run().await?;
        let mut settings = defaults.settings(suite.n_ctx, suite.n_seq_max());
        settings.n_ctx = adjustments.n_ctx.unwrap_or(suite.n_ctx);
        settings.n_gpu_layers = adjustments.n_gpu_layers.unwrap_or(settings.n_gpu_layers);
        if let Some(threads) = adjustments.n_threads {
            (settings.n_threads, settings.n_threads_batch) = (threads, threads);
        }
        let mut candidates = Vec::with_capacity(models.len());
        for path in models {
            let path = std::path::absolute(&path)
                .map_err(|error| ErrorReport::new(ErrorCode::InvalidInput, format!("{}: {error}", path.display())))?;
            let (header, file_bytes) = self.header(&path).await?;
            candidates.push(Candidate { path, header, file_bytes });
        }
        let mut reasons: Vec<SettingsReason> = defaults.reason().into_iter().collect();
        if !matches!(suite.sweep, Some(Sweep::Repack(_))) {
            reasons.extend(repack_only_if_it_fits(&candidates, &mut settings, &machine()));
        }
        let mut entries = Vec::with_capacity(candidates.len());
        let mut left_out = Vec::new();
        for Candidate { path, header, file_bytes } in candidates {
            let Some(sweep) = &suite.sweep else {
                judge(&header, file_bytes, &settings, &device)?;
                entries.push(RunEntry::new(self.identify(&path, true).await?, settings.clone()));
                continue;
            };
            let model = self.identify(&path, true).await?;
            for entry in sweep.entries(&RunEntry::new(model, settings.clone()), &device) {
                match judge(&header, file_bytes, &entry.settings, &device).and_then(|()| can_press(&entry, &device)) {
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
        let tune = !adjustments.no_tune && self.is_to_be_tuned_first(&suite, &adjustments).await?;
        let spec = RunSpec { entries, suite, left_out, reasons };
        let cells = plan_cells(run_id, &spec, new_id);
        let job = new_job(JobKind::Run, title, "repetitions", Some(run_id));
        self.store().upsert_device(&device, now()).await?;
        self.store().insert_job_with(&job, &Work { tune }).await?;
        let run = self.new_record(run_id, job.id, spec, device);
        self.store().create_run(&run, &cells).await?;
        self.work(job, run, tune).await
    }

    /// A run that begins now.
    pub(crate) fn new_record(&self, id: RunId, job_id: JobId, spec: RunSpec, device: DeviceProfile) -> RunRecord {
        RunRecord {
            id,
            job_id,
            spec,
            device,
            app_version: self.0.config.version.clone(),
            app_commit: self.0.config.commit.clone(),
            started_at: now(),
            finished_at: None,
        }
    }

    pub(crate) async fn resume_run(&self, job: Job, run: RunId) -> Result<Job> {
        let mut run = self.store().run(run).await?;
        let device = self.device().await?;
        for entry in &mut run.spec.entries {
            self.find_again(&mut entry.model).await?;
            judge(&entry.model.header, entry.model.file_bytes, &entry.settings, &device)?;
        }
        // Once a model was loaded, its settings stay.
        let begun = !self.store().sessions(run.id).await?.is_empty();
        let tune = !begun && self.store().job_work::<Work>(job.id).await.is_ok_and(|work| work.tune);
        self.work(job, run, tune).await
    }

    /// Measures what is missing, in the background.
    async fn work(&self, job: Job, mut run: RunRecord, tune: bool) -> Result<Job> {
        let turn = Arc::clone(&self.0.measuring).lock_owned();
        self.spawn(job, turn, move |app, mut job, stop| async move {
            let outcome = app.measure(&mut job, &mut run, tune, &stop).await;
            (job, outcome)
        })
        .await
    }

    async fn measure(&self, job: &mut Job, run: &mut RunRecord, tune: bool, stop: &CancellationToken) -> Result<()> {
        // The run is complete without it.
        if let Err(error) = self.bandwidth_before_run().await {
            tracing::warn!(%error, "the memory bandwidth was not measured");
        }
        if tune {
            self.tune_first(job, run, stop).await?;
        }
        self.measure_cells(job, run, Patience::Full, &Part::default(), None, stop).await?;
        // The run is complete without it.
        if let Err(error) = self.learn(run).await {
            tracing::warn!(%error, "nothing was learnt from the run");
        }
        Ok(())
    }

    /// Measures what is missing of a run that is one `part` of its job. `before`: the run that a tuning goes before.
    pub(crate) async fn measure_cells(
        &self,
        job: &mut Job,
        run: &RunRecord,
        patience: Patience,
        part: &Part,
        before: Option<&Before<'_>>,
        stop: &CancellationToken,
    ) -> Result<()> {
        self.unload_residents().await;
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
            patience: patience.at_most(),
        };
        let mut recorder = StoreRecorder::new(self, job, run, sensors, *part, before);
        Runner::new(plan, &mut recorder, stop.clone(), now, new_id).run().await?;
        Ok(self.store().finish_run(run.id, now()).await?)
    }
}

/// Does without a second copy of the weights, for all models alike, if only so each of them fits.
fn repack_only_if_it_fits(
    candidates: &[Candidate],
    settings: &mut EngineSettings,
    machine: &Machine,
) -> Option<SettingsReason> {
    let saved = candidates.iter().filter_map(|c| saved_without_repacking(&c.header, settings, c.file_bytes, machine));
    let saved_bytes = saved.max()?;
    settings.repack = false;
    Some(SettingsReason::NotRepacked { saved_bytes })
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

/// Refuses to leave more memory free than is.
fn can_press(entry: &RunEntry, device: &DeviceProfile) -> Result<()> {
    let free = device.ram_available_bytes;
    let Some(leave) = entry.leave_free_bytes.filter(|leave| *leave > free) else { return Ok(()) };
    let [leave, free] = [leave, free].map(|n| bytes(n as f64));
    let message = format!("{leave} were to be left free, and only {free} are");
    Err(ErrorReport::new(ErrorCode::NotEnoughMemory, message)
        .hint("Close other programs, or ask for less to be left free."))
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
pub(crate) fn judge(
    header: &ModelHeader,
    file_bytes: u64,
    settings: &EngineSettings,
    device: &DeviceProfile,
) -> Result<()> {
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
    let fit = Fit::predict(header, settings, file_bytes, &machine());
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

#[cfg(test)]
mod tests {
    use super::*;
    use pocketbench_domain::model::TensorTypeBytes;

    fn q4_0(name: &str, bytes: u64) -> Candidate {
        let matrices = TensorTypeBytes { name: "Q4_0".into(), bytes, matrix_bytes: bytes };
        let header = ModelHeader {
            name: name.into(),
            tensor_bytes: bytes,
            tensor_types: vec![matrices],
            ..ModelHeader::default()
        };
        Candidate { path: name.into(), header, file_bytes: bytes }
    }

    #[test]
    fn all_models_do_without_repacking_if_one_fits_only_so() {
        let gib = 1_u64 << 30;
        let machine = Machine { available_bytes: 6 * gib, cpu_features: vec!["avx2".into()], ..Machine::default() };
        let settings = EngineSettings::new(2_048, 4);
        let (small, large, huge) = (q4_0("small", gib), q4_0("large", 4 * gib), q4_0("huge", 7 * gib));

        let mut alone = settings.clone();
        assert_eq!(repack_only_if_it_fits(std::slice::from_ref(&small), &mut alone, &machine), None);
        assert!(alone.repack, "both copies have room");
        let mut both = settings.clone();
        let reason = repack_only_if_it_fits(&[small, large], &mut both, &machine);
        assert_eq!(reason, Some(SettingsReason::NotRepacked { saved_bytes: 4 * gib }));
        assert!(!both.repack, "the same for both, so that they compare");
        let mut hopeless = settings.clone();
        assert_eq!(repack_only_if_it_fits(&[huge], &mut hopeless, &machine), None, "nothing is gained");
        let mut off = EngineSettings { repack: false, ..settings };
        assert_eq!(repack_only_if_it_fits(&[q4_0("large", 4 * gib)], &mut off, &machine), None, "it is so already");
    }
}
