//! Model files on this machine: found, read by our own strict reader, hashed once, and judged for this device.

use crate::api::{AppEvent, ModelEntry};
use crate::jobs::new_job;
use crate::{App, Result, blocking, now};
use pocketbench_domain::device::DeviceProfile;
use pocketbench_domain::fit::{Fit, Machine};
use pocketbench_domain::job::{JobKind, JobState};
use pocketbench_domain::model::{ModelHeader, ModelRef};
use pocketbench_domain::settings::EngineSettings;
use pocketbench_domain::{ErrorCode, ErrorReport};
use pocketbench_hub as hub;
use pocketbench_store::ModelFile;
use std::collections::HashSet;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::UNIX_EPOCH;

/// Context at which the list of models says whether they fit: that of the quick suite.
const LISTED_N_CTX: u32 = 2048;

/// Files that are being hashed, so that a second listing does not start it again.
#[derive(Debug, Default)]
pub(crate) struct Checks(Mutex<HashSet<String>>);

impl Checks {
    fn set(&self) -> std::sync::MutexGuard<'_, HashSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A file as the system sees it: what tells whether it is still the one that was hashed.
struct Seen {
    path: String,
    bytes: u64,
    mtime_ns: i64,
}

fn look(path: &Path) -> Result<Seen> {
    let text = path.to_str().ok_or_else(|| {
        ErrorReport::new(ErrorCode::InvalidInput, "the path of the model file is not valid Unicode")
            .hint("Rename the file or its folder.")
    })?;
    let missing = |error: std::io::Error| {
        ErrorReport::new(ErrorCode::ModelFileNotFound, format!("there is no readable file at {text}: {error}"))
            .hint("Check whether the file was moved or deleted.")
    };
    let metadata = std::fs::metadata(path).map_err(missing)?;
    if !metadata.is_file() {
        return Err(
            ErrorReport::new(ErrorCode::ModelFileNotFound, format!("{text} is not a file")).hint("Pick a .gguf file.")
        );
    }
    let mtime_ns = metadata
        .modified()
        .ok()
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
        .and_then(|since| i64::try_from(since.as_nanos()).ok())
        .unwrap_or(0);
    Ok(Seen { path: text.to_owned(), bytes: metadata.len(), mtime_ns })
}

impl App {
    /// All model files: those in the models folder and those added by path. Files never seen before are checked by a job;
    /// until then their entry has neither model nor problem.
    pub async fn models(&self) -> Result<Vec<ModelEntry>> {
        let folder = self.0.config.models_folder.clone();
        let found = blocking(move || hub::scan_models(&folder)).await?;
        let referenced = self.store().referenced_files().await?;
        let mut paths: Vec<PathBuf> = found;
        for file in referenced {
            let path = PathBuf::from(&file.model.path);
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
        let mut entries = Vec::with_capacity(paths.len());
        for path in paths {
            entries.push(self.entry(&path).await?);
        }
        Ok(entries)
    }

    async fn entry(&self, path: &Path) -> Result<ModelEntry> {
        let file_name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut entry = ModelEntry {
            path: path.display().to_string(),
            file_name,
            file_bytes: 0,
            reference: !path.starts_with(&self.0.config.models_folder),
            title: None,
            catalogue_id: None,
            source: None,
            runs: 0,
            last_used_at: None,
            model: None,
            fit: None,
            problem: None,
        };
        let seen = match look(path) {
            Ok(seen) => seen,
            Err(problem) => return Ok(ModelEntry { problem: Some(problem), ..entry }),
        };
        entry.file_bytes = seen.bytes;
        if let Some(model) = self.known(&seen).await? {
            entry.fit = Some(fit_of(
                &model.header,
                model.file_bytes,
                &default_settings(LISTED_N_CTX.min(model.header.n_ctx_train.max(1)), 1),
            ));
            entry.model = Some(model);
        } else {
            let path = path.to_path_buf();
            // The header is read at once: a broken file shows its problem without waiting for a hash.
            match blocking(move || hub::read_header(&path)).await? {
                Err(problem) => entry.problem = Some(problem.into()),
                Ok(_) => self.check_in_background(seen).await?,
            }
        }
        Ok(entry)
    }

    async fn known(&self, seen: &Seen) -> Result<Option<ModelRef>> {
        Ok(self.store().model_file(&seen.path, seen.bytes, seen.mtime_ns).await?.map(|file| file.model))
    }

    /// Adds a file by path, without copying it.
    pub async fn add_model(&self, path: &str) -> Result<ModelEntry> {
        let path = std::path::absolute(path)
            .map_err(|error| ErrorReport::new(ErrorCode::InvalidInput, format!("{path}: {error}")))?;
        self.identify(&path, true).await?;
        self.entry(&path).await
    }

    /// A file's header and size, without its hash.
    pub(crate) async fn header(&self, path: &Path) -> Result<(ModelHeader, u64)> {
        let seen = look(path)?;
        if let Some(model) = self.known(&seen).await? {
            return Ok((model.header, seen.bytes));
        }
        let path = path.to_path_buf();
        Ok((blocking(move || hub::read_header(&path)).await??, seen.bytes))
    }

    /// Who a model file is: its header by our own reader, its hash from the cache or by reading it now.
    pub(crate) async fn identify(&self, path: &Path, reference: bool) -> Result<ModelRef> {
        let seen = look(path)?;
        if let Some(model) = self.known(&seen).await? {
            return Ok(model);
        }
        let reference = reference && !path.starts_with(&self.0.config.models_folder);
        self.check(seen, reference, |_| ControlFlow::Continue(())).await
    }

    async fn check(
        &self,
        seen: Seen,
        reference: bool,
        progress: impl FnMut(u64) -> ControlFlow<()> + Send + 'static,
    ) -> Result<ModelRef> {
        let path = PathBuf::from(&seen.path);
        let (header, sha256) = blocking(move || -> Result<_> {
            let header = hub::read_header(&path)?;
            Ok((header, hub::sha256_file(&path, progress)?))
        })
        .await??;
        let model = ModelRef { sha256, path: seen.path, file_bytes: seen.bytes, header };
        let file = ModelFile { model: model.clone(), mtime_ns: seen.mtime_ns, last_seen: now(), reference };
        self.store().upsert_model_file(&file).await?;
        Ok(model)
    }

    async fn check_in_background(&self, seen: Seen) -> Result<()> {
        if !self.0.models.set().insert(seen.path.clone()) {
            return Ok(());
        }
        let name = Path::new(&seen.path).file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut job = new_job(JobKind::Verify, name, "bytes", None);
        job.state = JobState::Running;
        job.progress.total = Some(seen.bytes);
        self.store().insert_job(&job).await?;
        self.0.jobs.send(AppEvent::Job { job: job.clone() });
        let Some(token) = self.0.jobs.begin(job.id) else { return Ok(()) };
        let app = self.clone();
        tokio::spawn(async move {
            let (path, bytes) = (seen.path.clone(), seen.bytes);
            let (events, mut shown) = (app.clone(), job.clone());
            let started = std::time::Instant::now();
            let mut last = started;
            let progress = move |done: u64| {
                if last.elapsed().as_millis() >= 250 {
                    last = std::time::Instant::now();
                    shown.progress.done = done;
                    shown.progress.rate = Some(done as f64 / started.elapsed().as_secs_f64());
                    shown.progress.eta_s = shown.progress.rate.map(|rate| bytes.saturating_sub(done) as f64 / rate);
                    events.0.jobs.send(AppEvent::Job { job: shown.clone() });
                }
                if token.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            };
            match app.check(seen, false, progress).await {
                Ok(_) => {
                    job.state = JobState::Done;
                    job.progress.done = bytes;
                }
                Err(error) if error.code == ErrorCode::Cancelled => job.state = JobState::Cancelled,
                Err(error) => {
                    job.state = JobState::Failed;
                    job.error = Some(error);
                }
            }
            app.0.models.set().remove(&path);
            app.end_job(job).await;
        });
        Ok(())
    }
}

/// Settings for this machine: one thread a physical core, since a second thread on the same core mostly waits for memory.
pub(crate) fn default_settings(n_ctx: u32, n_seq_max: u32) -> EngineSettings {
    EngineSettings { n_seq_max, ..EngineSettings::new(n_ctx, default_threads()) }
}

fn default_threads() -> u32 {
    let device = this_device();
    device.physical_cores.unwrap_or(device.logical_cores).min(device.logical_cores).max(1)
}

/// What does not change about this machine.
fn this_device() -> &'static DeviceProfile {
    static DEVICE: OnceLock<DeviceProfile> = OnceLock::new();
    DEVICE.get_or_init(|| pocketbench_device::profile(Path::new(".")))
}

/// What this machine has for a model now.
pub(crate) fn machine() -> Machine {
    Machine { available_bytes: pocketbench_device::ram_available().unwrap_or(0), ..this_device().into() }
}

/// Whether a model fits into the memory that is available now.
pub(crate) fn fit_of(header: &ModelHeader, file_bytes: u64, settings: &EngineSettings) -> Fit {
    Fit::predict(header, settings, file_bytes, &machine())
}
