//! Model files on this machine: found, read by our own strict reader, hashed once, and judged for this device.

use crate::api::ModelEntry;
use crate::catalogue::KnownNames;
use crate::jobs::new_job;
use crate::meter::ByteMeter;
use crate::tuning::Defaults;
use crate::{App, Result, blocking, now};
use pocketbench_domain::device::DeviceProfile;
use pocketbench_domain::fit::{Fit, Machine, saved_without_repacking};
use pocketbench_domain::job::{Job, JobKind};
use pocketbench_domain::model::{ModelHeader, ModelRef};
use pocketbench_domain::settings::EngineSettings;
use pocketbench_domain::{ErrorCode, ErrorReport};
use pocketbench_hub as hub;
use pocketbench_store::ModelFile;
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::UNIX_EPOCH;

/// Context at which the list of models says whether they fit: that of the quick suite.
pub(crate) const LISTED_N_CTX: u32 = 2048;

/// What is known of files beside the store: so that a listing starts no second hash of a file.
#[derive(Debug, Default)]
pub(crate) struct Checks(Mutex<HashMap<String, Check>>);

#[derive(Debug, Clone)]
enum Check {
    /// This job hashes it.
    Running(Job),
    /// It was hashed, and is not what it was before.
    Changed { seen: Seen, problem: ErrorReport },
}

impl Checks {
    fn map(&self) -> std::sync::MutexGuard<'_, HashMap<String, Check>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that `job` hashes a file, or gives the job that does already.
    fn begin(&self, path: &str, job: &Job) -> Option<Job> {
        match self.map().get(path) {
            Some(Check::Running(running)) => return Some(running.clone()),
            Some(Check::Changed { .. }) | None => {}
        }
        self.map().insert(path.to_owned(), Check::Running(job.clone()));
        None
    }

    /// Notes how a hash ended: only a change is worth remembering.
    fn end(&self, seen: &Seen, error: Option<&ErrorReport>) {
        match error.filter(|error| error.code == ErrorCode::ModelFileChanged) {
            Some(problem) => {
                let changed = Check::Changed { seen: seen.clone(), problem: problem.clone() };
                self.map().insert(seen.path.clone(), changed);
            }
            None => {
                self.map().remove(&seen.path);
            }
        }
    }

    /// Why a file is not what it was, if it was hashed as it is now.
    fn changed(&self, now: &Seen) -> Option<ErrorReport> {
        match self.map().get(&now.path) {
            Some(Check::Changed { seen, problem }) if seen == now => Some(problem.clone()),
            _ => None,
        }
    }
}

/// A file as the system sees it: what tells whether it is still the one that was hashed.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    let mut seen = Seen { path: text.to_owned(), bytes: 0, mtime_ns: 0 };
    // A split model is as large as its parts together and as old as the youngest.
    for part in hub::model_files(path) {
        let metadata = std::fs::metadata(&part).map_err(missing)?;
        if !metadata.is_file() {
            return Err(ErrorReport::new(ErrorCode::ModelFileNotFound, format!("{text} is not a file"))
                .hint("Pick a .gguf file."));
        }
        let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let mtime_ns = modified.and_then(|since| i64::try_from(since.as_nanos()).ok()).unwrap_or(0);
        seen.mtime_ns = seen.mtime_ns.max(mtime_ns);
        seen.bytes += metadata.len();
    }
    Ok(seen)
}

impl App {
    /// All model files: those in the models folder and those added by path. Files never seen before are checked by a job;
    /// until then their entry has neither model nor problem.
    pub async fn models(&self) -> Result<Vec<ModelEntry>> {
        let folder = self.0.config.models_folder.clone();
        let mut paths = blocking(move || hub::scan_models(&folder)).await?;
        for file in self.store().referenced_files().await? {
            let path = PathBuf::from(&file.model.path);
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
        let (known, defaults) = (self.known_names().await?, self.defaults().await?);
        let mut entries = Vec::with_capacity(paths.len());
        for path in paths {
            entries.push(self.entry(&path, &known, &defaults).await?);
        }
        Ok(entries)
    }

    /// One model file as the list has it.
    pub(crate) async fn model_entry(&self, path: &Path) -> Result<ModelEntry> {
        self.entry(path, &self.known_names().await?, &self.defaults().await?).await
    }

    async fn entry(&self, path: &Path, names: &KnownNames, defaults: &Defaults) -> Result<ModelEntry> {
        let mut entry = ModelEntry {
            path: path.display().to_string(),
            file_name: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
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
            Err(problem) => {
                // What it was stays known, so that it can be found again by its hash.
                let file = self.store().model_file_at(&entry.path).await?;
                entry.file_bytes = file.as_ref().map_or(0, |file| file.model.file_bytes);
                entry.model = file.map(|file| file.model);
                entry.problem = Some(problem);
                names.tell(&mut entry);
                return Ok(entry);
            }
        };
        entry.file_bytes = seen.bytes;
        if let Some(model) = self.known(&seen).await? {
            let settings = defaults.settings(LISTED_N_CTX.min(model.header.n_ctx_train.max(1)), 1);
            entry.fit = Some(fit_of(&model.header, model.file_bytes, &settings));
            entry.model = Some(model);
            names.tell(&mut entry);
        } else {
            entry.problem = self.0.models.changed(&seen);
            let path = path.to_path_buf();
            // The header is read at once: a broken file shows its problem without waiting for a hash.
            match blocking(move || hub::read_header(&path)).await? {
                Err(problem) => entry.problem = Some(problem.into()),
                Ok(_) if entry.problem.is_none() => {
                    let known = self.store().model_file_at(&entry.path).await?;
                    let reference = known.as_ref().is_some_and(|file| file.reference);
                    self.check_in_background(seen, known, reference).await?;
                }
                Ok(_) => {}
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
        self.model_entry(&path).await
    }

    /// Adds a file by path, hashing it in a job.
    pub(crate) async fn add_in_background(&self, path: &Path) -> Result<Job> {
        let seen = look(path)?;
        let reference = !path.starts_with(&self.0.config.models_folder);
        self.check_in_background(seen, None, reference).await
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
        self.check(seen, reference, None, |_| ControlFlow::Continue(())).await
    }

    /// Reads and hashes a file and stores who it is. With `expected`, it must still be that model.
    async fn check(
        &self,
        seen: Seen,
        reference: bool,
        expected: Option<&ModelRef>,
        progress: impl FnMut(u64) -> ControlFlow<()> + Send + 'static,
    ) -> Result<ModelRef> {
        let path = PathBuf::from(&seen.path);
        let (header, sha256) = blocking(move || -> Result<_> {
            let header = hub::read_header(&path)?;
            Ok((header, hub::sha256_model(&hub::model_files(&path), progress)?))
        })
        .await??;
        if let Some(expected) = expected.filter(|expected| expected.sha256 != sha256) {
            return Err(changed(&seen.path, &expected.sha256, &sha256));
        }
        self.keep(seen, header, sha256, reference).await
    }

    /// Stores who a file is, once that is known.
    async fn keep(&self, seen: Seen, header: ModelHeader, sha256: String, reference: bool) -> Result<ModelRef> {
        let model = ModelRef { sha256, path: seen.path, file_bytes: seen.bytes, header };
        let file = ModelFile { model: model.clone(), mtime_ns: seen.mtime_ns, last_seen: now(), reference };
        self.store().upsert_model_file(&file).await?;
        self.forget_where_it_lay(&model).await?;
        Ok(model)
    }

    /// A model that lies here now and is gone from where it lay was moved.
    async fn forget_where_it_lay(&self, model: &ModelRef) -> Result<()> {
        for file in self.store().files_of_model(&model.sha256).await? {
            if file.model.path != model.path && !Path::new(&file.model.path).exists() {
                self.store().forget_model_file(&file.model.path).await?;
            }
        }
        Ok(())
    }

    /// Stores who a file is that was hashed on its way here.
    pub(crate) async fn keep_hashed(&self, path: &Path, sha256: String) -> Result<ModelRef> {
        let seen = look(path)?;
        let path = path.to_path_buf();
        let header = blocking(move || hub::read_header(&path)).await??;
        self.keep(seen, header, sha256, false).await
    }

    /// Hashes a file again, whatever is known of it, and says whether it is still what it was.
    pub async fn verify_model(&self, path: &str) -> Result<Job> {
        let seen = look(Path::new(path))?;
        let known = self.store().model_file_at(path).await?;
        let reference = known.as_ref().is_some_and(|file| file.reference);
        self.check_in_background(seen, known, reference).await
    }

    /// Hashes a file in a job. `known`: what it should be.
    async fn check_in_background(&self, seen: Seen, known: Option<ModelFile>, reference: bool) -> Result<Job> {
        let mut job = new_job(JobKind::Verify, file_name(&seen.path), "bytes", None);
        job.progress.total = Some(seen.bytes);
        if let Some(running) = self.0.models.begin(&seen.path, &job) {
            return Ok(running);
        }
        self.store().insert_job(&job).await?;
        let begun = seen.clone();
        let spawned = self.spawn(job, async {}, move |app, mut job, stop| async move {
            let bytes = seen.bytes;
            let mut meter = ByteMeter::new(&app, &job);
            let progress = move |done: u64| {
                meter.at(done, Some(bytes));
                if stop.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            };
            let expected = known.map(|file| file.model);
            let outcome = app.check(seen.clone(), reference, expected.as_ref(), progress).await;
            app.0.models.end(&seen, outcome.as_ref().err());
            if outcome.is_ok() {
                job.progress.done = bytes;
            }
            (job, outcome.map(|_| ()))
        });
        spawned.await.inspect_err(|error| self.0.models.end(&begun, Some(error)))
    }
}

fn file_name(path: &str) -> String {
    Path::new(path).file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn changed(path: &str, expected: &str, found: &str) -> ErrorReport {
    let message = format!("{} is not the file that it was: its SHA-256 has changed", file_name(path));
    ErrorReport::new(ErrorCode::ModelFileChanged, message)
        .hint("If nobody replaced it on purpose, delete it and fetch it again; otherwise import it anew.")
        .details(serde_json::json!({ "expected": expected, "found": found }))
}

/// What does not change about this machine.
pub(crate) fn this_device() -> &'static DeviceProfile {
    static DEVICE: OnceLock<DeviceProfile> = OnceLock::new();
    DEVICE.get_or_init(|| pocketbench_device::profile(Path::new(".")))
}

/// What this machine has for a model now.
pub(crate) fn machine() -> Machine {
    Machine { available_bytes: pocketbench_device::ram_available().unwrap_or(0), ..this_device().into() }
}

/// Whether a model fits into the memory that is available now; without repacking, if only so it does: a run would do the
/// same.
pub(crate) fn fit_of(header: &ModelHeader, file_bytes: u64, settings: &EngineSettings) -> Fit {
    fit_beside(header, file_bytes, settings, 0)
}

/// As [`fit_of`], where this many bytes of what counts as available are in use: files that other models map.
pub(crate) fn fit_beside(header: &ModelHeader, file_bytes: u64, settings: &EngineSettings, mapped: u64) -> Fit {
    let mut machine = machine();
    machine.available_bytes = machine.available_bytes.saturating_sub(mapped);
    let repack = settings.repack && saved_without_repacking(header, settings, file_bytes, &machine).is_none();
    Fit::predict(header, &EngineSettings { repack, ..settings.clone() }, file_bytes, &machine)
}
