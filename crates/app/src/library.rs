//! The library: what lies on disk and what can be done with it.

use crate::api::{DeletePreview, FoundModel, ImportMode, ModelEntry, PartialDownload, StorageUse};
use crate::catalogue::is_ours;
use crate::jobs::new_job;
use crate::meter::ByteMeter;
use crate::{App, Result, blocking};
use pocketbench_domain::job::{Job, JobKind};
use pocketbench_domain::{ErrorCode, ErrorReport};
use pocketbench_hub as hub;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// What an import needs to go on after a restart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Take {
    from: PathBuf,
}

impl App {
    /// Takes in a file that is on this machine, after reading its header; the job hashes and, if asked to, copies it.
    pub async fn import_model(&self, path: &str, mode: ImportMode) -> Result<Job> {
        let path = std::path::absolute(path)
            .map_err(|error| ErrorReport::new(ErrorCode::InvalidInput, format!("{path}: {error}")))?;
        // A file that cannot be used is refused before anything is copied.
        self.header(&path).await?;
        if mode == ImportMode::Reference || path.starts_with(&self.0.config.models_folder) {
            return self.add_in_background(&path).await;
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let job = new_job(JobKind::Import, name, "bytes", None);
        let take = Take { from: path };
        self.store().insert_job_with(&job, &take).await?;
        self.take(job, take).await
    }

    pub(crate) async fn resume_import(&self, job: Job) -> Result<Job> {
        let take = self.store().job_work(job.id).await?;
        self.take(job, take).await
    }

    async fn take(&self, job: Job, take: Take) -> Result<Job> {
        self.spawn(job, async {}, |app, mut job, stop| async move {
            let folder = app.0.config.models_folder.clone();
            let mut meter = ByteMeter::new(&app, &job);
            let copied = blocking(move || {
                let copied = hub::copy_model(&take.from, &folder, pocketbench_device::storage_free, |done, total| {
                    meter.at(done, Some(total));
                    if stop.is_cancelled() {
                        std::ops::ControlFlow::Break(())
                    } else {
                        std::ops::ControlFlow::Continue(())
                    }
                });
                (copied, meter)
            })
            .await;
            let outcome = match copied {
                Ok((copied, meter)) => {
                    meter.finish(&mut job);
                    match copied {
                        Ok(copied) => app.keep_hashed(&copied.path, copied.sha256).await.map(|_| ()),
                        Err(error) => Err(error.into()),
                    }
                }
                Err(error) => Err(error),
            };
            (job, outcome)
        })
        .await
    }

    /// Models of other tools on this machine that can be used where they lie.
    pub async fn found_models(&self) -> Result<Vec<FoundModel>> {
        let Some(home) = std::env::home_dir() else { return Ok(Vec::new()) };
        let found = blocking(move || hub::discover::discover(&home, &|name| std::env::var_os(name))).await?;
        let added: HashSet<String> =
            self.store().referenced_files().await?.into_iter().map(|file| file.model.path).collect();
        let models = found.into_iter().filter_map(|found| {
            let path = found.path.to_str()?.to_owned();
            Some(FoundModel {
                tool: found.tool.to_owned(),
                name: found.name,
                file_bytes: hub::model_bytes(&found.path).ok()?,
                added: added.contains(&path),
                path,
            })
        });
        Ok(models.collect())
    }

    /// Uses the file at `path` for a model that is not where it was. Refused if it is another file.
    pub async fn locate_model(&self, sha256: &str, path: &str) -> Result<ModelEntry> {
        let path = std::path::absolute(path)
            .map_err(|error| ErrorReport::new(ErrorCode::InvalidInput, format!("{path}: {error}")))?;
        let model = self.identify(&path, true).await?;
        if model.sha256 != sha256 {
            self.store().forget_model_file(&model.path).await?;
            return Err(ErrorReport::new(
                ErrorCode::ModelFileChanged,
                format!("{} is {}, another model than the one that is missing", path.display(), model.label()),
            )
            .hint("Pick the file that was moved, or add this one as a model of its own."));
        }
        self.model_entry(&path).await
    }

    /// What is lost if a model is deleted.
    pub async fn delete_preview(&self, path: &str) -> Result<DeletePreview> {
        let file = Path::new(path);
        let entry = self.model_entry(file).await?;
        let ours = is_ours(file, &self.0.config.models_folder);
        let files = if ours { hub::model_files(file) } else { Vec::new() };
        let ids: HashSet<_> = match &entry.model {
            Some(model) => self.store().runs_of_model(&model.sha256).await?.into_iter().collect(),
            None => HashSet::new(),
        };
        Ok(DeletePreview {
            path: path.to_owned(),
            files: files.iter().map(|file| file.display().to_string()).collect(),
            freed_bytes: if ours { entry.file_bytes } else { 0 },
            runs: self.runs().await?.into_iter().filter(|run| ids.contains(&run.id)).collect(),
            source: entry.source,
        })
    }

    /// Deletes a model of the models folder, or forgets one that lies elsewhere. Its runs stay.
    ///
    /// # Errors
    /// `MODEL_IN_USE` while a run measures it.
    pub async fn delete_model(&self, path: &str) -> Result<()> {
        let preview = self.delete_preview(path).await?;
        if let Some(run) = preview.runs.iter().find(|run| self.0.jobs.is_active(run.job_id)) {
            return Err(ErrorReport::new(
                ErrorCode::ModelInUse,
                format!("the run {} measures this model now", run.models.join(" / ")),
            )
            .hint("Stop the run first, or wait until it is done."));
        }
        let files: Vec<PathBuf> = preview.files.iter().map(PathBuf::from).collect();
        blocking(move || hub::delete_files(&files)).await??;
        match self.store().forget_model_file(path).await {
            Err(error) if !matches!(error, pocketbench_store::StoreError::NotFound { .. }) => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Unfinished downloads by the path that each is to have.
    pub(crate) async fn partial_downloads(&self) -> Result<Vec<(PathBuf, hub::PartialFile)>> {
        let folder = self.0.config.models_folder.clone();
        blocking(move || {
            hub::model_folders(&folder)
                .iter()
                .flat_map(|folder| {
                    let named = |partial: hub::PartialFile| (folder.join(&partial.file_name), partial);
                    hub::partial_files(folder).into_iter().map(named).collect::<Vec<_>>()
                })
                .collect()
        })
        .await
    }

    /// What the models take up.
    pub async fn storage(&self) -> Result<StorageUse> {
        let folder = self.0.config.models_folder.clone();
        let models = self.models().await?;
        let jobs: Vec<(Job, crate::downloads::Fetch)> = self.store().jobs_with_work(JobKind::Download, 500).await?;
        let of = |target: &Path| {
            let mine = jobs
                .iter()
                .find(|(_, fetch)| crate::downloads::target(&folder, &fetch.source).as_deref() == Some(target));
            mine.map(|(job, _)| job.id)
        };
        let partials = self.partial_downloads().await?;
        Ok(StorageUse {
            folder: folder.display().to_string(),
            models_bytes: models.iter().filter(|entry| !entry.reference).map(|entry| entry.file_bytes).sum(),
            partials: partials
                .into_iter()
                .map(|(target, partial)| PartialDownload {
                    job_id: of(&target),
                    file_name: target.strip_prefix(&folder).unwrap_or(&target).display().to_string(),
                    bytes: partial.bytes,
                    total_bytes: partial.total_bytes,
                })
                .collect(),
            free_bytes: pocketbench_device::storage_free(&folder),
        })
    }

    /// Deletes an unfinished download. `file_name` is as [`storage`](Self::storage) gives it.
    pub async fn discard_partial(&self, file_name: &str) -> Result<()> {
        let target = self.0.config.models_folder.join(file_name);
        // Only what the list has can be deleted, so no name leads anywhere else.
        let found = self.partial_downloads().await?.into_iter().find(|(path, _)| *path == target);
        let (Some((_, partial)), Some(folder)) = (found, target.parent().map(Path::to_path_buf)) else {
            return Err(ErrorReport::new(ErrorCode::NotFound, format!("there is no unfinished download {file_name}")));
        };
        let job = self.storage().await?.partials.into_iter().find(|p| p.file_name == file_name).and_then(|p| p.job_id);
        if job.is_some_and(|job| self.0.jobs.is_active(job)) {
            return Err(ErrorReport::new(ErrorCode::ModelInUse, "the download is at work").hint("Stop it first."));
        }
        if let Some(job) = job {
            self.stop_job(job).await?;
        }
        Ok(blocking(move || hub::discard_partial(&folder, &partial.file_name)).await??)
    }
}
