//! Downloads as jobs: queued, resumable after anything, and judged before they count as models.

use crate::api::{DownloadRequest, DownloadSettings, TokenState};
use crate::jobs::new_job;
use crate::meter::ByteMeter;
use crate::{App, Result, now};
use pocketbench_cloud::keys::{KeyStore, Place, Secret};
use pocketbench_device::NetworkKind;
use pocketbench_domain::catalogue::ModelSource;
use pocketbench_domain::job::{Job, JobKind, JobState};
use pocketbench_domain::{ErrorCode, ErrorReport};
use pocketbench_hub as hub;
use pocketbench_store::RemoteFile;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// Key of the setting that says how downloads are done.
const SETTINGS: &str = "downloads";
/// Name of the hub's token in the key store.
const TOKEN: &str = "hub-token";
/// Space that a download leaves free: a full disk would stop more than Pocketbench.
const KEEP_FREE_BYTES: u64 = 256 << 20;
/// How often a download that waits for Wi-Fi looks for it, and one that works whether it still has it.
const NETWORK_PERIOD: Duration = Duration::from_secs(5);

/// What a download needs to go on after a restart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fetch {
    pub(crate) source: ModelSource,
    /// Files that the model is split over.
    parts: u32,
    /// SHA-256 that it must have, where the catalogue knows it.
    sha256: Option<String>,
}

/// Whose turn it is to download.
#[derive(Debug)]
pub(crate) struct Queue {
    turns: Arc<Semaphore>,
    at_once: AtomicUsize,
}

impl Default for Queue {
    fn default() -> Self {
        let at_once = DownloadSettings::default().at_once as usize;
        Self { turns: Arc::new(Semaphore::new(at_once)), at_once: AtomicUsize::new(at_once) }
    }
}

impl Queue {
    fn resize(&self, at_once: u32) {
        let wanted = (at_once as usize).clamp(1, 8);
        let before = self.at_once.swap(wanted, Ordering::Relaxed);
        if wanted > before {
            self.turns.add_permits(wanted - before);
        } else {
            // Those at work finish; what they give back is then too many, so it is taken when it comes.
            let surplus = before - wanted;
            let taken = self.turns.forget_permits(surplus);
            let turns = Arc::clone(&self.turns);
            tokio::spawn(async move {
                for _ in taken..surplus {
                    if let Ok(permit) = turns.acquire().await {
                        permit.forget();
                    }
                }
            });
        }
    }
}

/// Folder in the models folder that files of this source go to; nothing if its names lead elsewhere.
fn folder(models_folder: &Path, source: &ModelSource) -> Option<PathBuf> {
    match source {
        // Two repositories may well have files of the same name.
        ModelSource::Repository { repository, .. } => {
            // A repository of another hub begins with that hub's address.
            let (_, name) = repository.split_once("://").unwrap_or(("", repository));
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            let name: String = name.replace('/', "--").chars().map(|c| if plain(c) { c } else { '-' }).collect();
            (!name.is_empty() && !name.starts_with('.')).then(|| models_folder.join(name))
        }
        ModelSource::Url { .. } => Some(models_folder.to_path_buf()),
    }
}

/// Path that the (first) file of this source gets; nothing if its name leads elsewhere.
pub(crate) fn target(models_folder: &Path, source: &ModelSource) -> Option<PathBuf> {
    let name = hub::safe_file_name(source.file_name()).ok()?;
    folder(models_folder, source).map(|folder| folder.join(name))
}

impl App {
    /// How downloads are done.
    pub async fn download_settings(&self) -> Result<DownloadSettings> {
        Ok(self.store().setting(SETTINGS).await?.unwrap_or_default())
    }

    /// Changes how downloads are done, from the next one on.
    pub async fn set_download_settings(&self, settings: &DownloadSettings) -> Result<()> {
        if settings.at_once == 0 || settings.at_once > 8 || settings.connections == 0 || settings.connections > 8 {
            return Err(ErrorReport::new(ErrorCode::InvalidInput, "so many downloads or connections are not possible")
                .hint("Ask for 1 to 8 downloads at once with 1 to 8 connections each."));
        }
        // A client says what is wrong with an address before it is needed.
        self.client_with(settings).await?;
        self.store().set_setting(SETTINGS, settings).await?;
        self.0.queue.resize(settings.at_once);
        self.0.providers.forget_all();
        Ok(())
    }

    pub(crate) fn keys(&self) -> KeyStore {
        let config = &self.0.config;
        let open = if config.keys_in_file { KeyStore::in_file } else { KeyStore::open };
        open(&config.data_folder)
    }

    /// Where the hub's token is kept.
    pub async fn hub_token(&self) -> Result<TokenState> {
        let keys = self.keys();
        crate::blocking(move || {
            Ok(match (keys.get(TOKEN)?, keys.place()) {
                (None, _) => TokenState::None,
                (Some(_), Place::KeyStore) => TokenState::KeyStore,
                (Some(_), Place::EncryptedFile) => TokenState::EncryptedFile,
            })
        })
        .await?
    }

    /// Keeps the hub's token in the system's key store, or forgets it.
    pub async fn set_hub_token(&self, token: Option<String>) -> Result<TokenState> {
        let keys = self.keys();
        crate::blocking(move || -> Result<()> {
            match token {
                Some(token) => keys.set(TOKEN, &Secret::new(token)?)?,
                None => keys.delete(TOKEN)?,
            }
            Ok(())
        })
        .await??;
        self.hub_token().await
    }

    pub(crate) async fn hub_client(&self) -> Result<hub::HubClient> {
        self.client_with(&self.download_settings().await?).await
    }

    async fn client_with(&self, settings: &DownloadSettings) -> Result<hub::HubClient> {
        let keys = self.keys();
        let token = crate::blocking(move || keys.get(TOKEN)).await??;
        let options = hub::ClientOptions {
            hub: self.hub_address().await?,
            token: token.and_then(|token| hub::Token::new(token.expose())),
            mirror: settings.mirror.clone(),
            proxy: settings.proxy.clone(),
            user_agent: format!("pocketbench/{}", self.0.config.version),
            ..hub::ClientOptions::default()
        };
        Ok(hub::HubClient::new(options)?)
    }

    /// Remembers what a host says of a file. Not being able to costs nothing but asking again.
    pub(crate) async fn learn_remote(&self, source: &ModelSource, bytes: Option<u64>, sha256: Option<String>) {
        let file = RemoteFile { source: source.clone(), bytes, sha256, verified: false };
        if let Err(error) = self.store().learn_remote_file(&file, now()).await {
            tracing::debug!(%error, "what the host says is not kept");
        }
    }

    /// Fetches a model; the job tells how it goes. A file that is being fetched, or was begun, is not begun again.
    ///
    /// # Errors
    /// `LICENSE_NOT_ACCEPTED`, `FILE_NAME_UNSAFE`, `URL_INVALID`; everything that only the host can tell is the job's error.
    pub async fn download(&self, request: &DownloadRequest) -> Result<Job> {
        let source = &request.source;
        let listed = self.listed(source).await?;
        if let Some((model, _)) = &listed {
            self.check_license(model, request.accept_license).await?;
        }
        hub::safe_file_name(source.file_name())?;
        if target(&self.0.config.models_folder, source).is_none() {
            return Err(ErrorReport::new(
                ErrorCode::FileNameUnsafe,
                "the name of the repository leads out of its folder",
            )
            .hint("Give it as owner/name."));
        }
        self.make_room(source).await?;
        let jobs: Vec<(Job, Fetch)> = self.store().jobs_with_work(JobKind::Download, 500).await?;
        let begun = jobs.into_iter().find(|(_, fetch)| fetch.source == *source).map(|(job, _)| job);
        if let Some(job) = begun.filter(|job| job.state != JobState::Done) {
            return self.resume_job(job.id).await;
        }
        let fetch = Fetch {
            source: source.clone(),
            parts: listed.as_ref().map_or(1, |(_, file)| file.parts),
            sha256: listed.as_ref().and_then(|(_, file)| file.sha256.clone()),
        };
        let title = match &listed {
            Some((model, file)) => format!("{} · {}", model.name, file.quantization),
            None => source.file_name().to_owned(),
        };
        let job = new_job(JobKind::Download, title, "bytes", None);
        self.store().insert_job_with(&job, &fetch).await?;
        self.fetch(job, fetch).await
    }

    /// A file that is fetched again because it is damaged makes room for the new one.
    async fn make_room(&self, source: &ModelSource) -> Result<()> {
        let Some(target) = target(&self.0.config.models_folder, source).filter(|target| target.exists()) else {
            return Ok(());
        };
        if self.model_entry(&target).await?.problem.is_some() {
            let files = hub::model_files(&target);
            crate::blocking(move || hub::delete_files(&files)).await??;
        }
        Ok(())
    }

    pub(crate) async fn resume_download(&self, job: Job) -> Result<Job> {
        let fetch = self.store().job_work(job.id).await?;
        self.fetch(job, fetch).await
    }

    async fn fetch(&self, job: Job, fetch: Fetch) -> Result<Job> {
        let turns = Arc::clone(&self.0.queue.turns);
        let turn = async move { turns.acquire_owned().await };
        self.spawn(job, turn, |app, mut job, stop| async move {
            let outcome = app.fetch_now(&mut job, &fetch, &stop).await;
            (job, outcome)
        })
        .await
    }

    async fn fetch_now(&self, job: &mut Job, fetch: &Fetch, stop: &CancellationToken) -> Result<()> {
        loop {
            self.wait_for_network(job, stop).await?;
            // Raised by the person and, with *Wi-Fi only*, by the end of the Wi-Fi.
            let cut = stop.child_token();
            let watch = self.cut_without_wifi(cut.clone());
            let fetched = tokio::select! {
                fetched = self.fetch_files(job, fetch, &cut) => fetched,
                never = watch => match never? {},
            };
            match fetched {
                Err(error) if error.code == ErrorCode::Cancelled && !stop.is_cancelled() => {}
                done => return done,
            }
        }
    }

    /// With *Wi-Fi only*, waits until the network is one that costs nothing.
    async fn wait_for_network(&self, job: &mut Job, stop: &CancellationToken) -> Result<()> {
        let mut waiting = false;
        while self.download_settings().await?.wifi_only && network_may_cost() {
            if !waiting {
                waiting = true;
                job.error = Some(
                    ErrorReport::new(ErrorCode::NetworkMetered, "the download waits for Wi-Fi")
                        .hint("Connect to Wi-Fi, or allow downloads over any network in the settings."),
                );
                self.update_job(job).await?;
            }
            tokio::select! {
                () = stop.cancelled() => return Err(ErrorReport::new(ErrorCode::Cancelled, "stopped")),
                () = tokio::time::sleep(NETWORK_PERIOD) => {}
            }
        }
        if waiting {
            job.error = None;
            self.update_job(job).await?;
        }
        Ok(())
    }

    /// Cuts a download off when it would go on over a network that may cost. Returns only with an error.
    async fn cut_without_wifi(&self, cut: CancellationToken) -> Result<std::convert::Infallible> {
        loop {
            tokio::time::sleep(NETWORK_PERIOD).await;
            if self.download_settings().await?.wifi_only && network_may_cost() {
                cut.cancel();
            }
        }
    }

    /// SHA-256 of a source, if it was fetched and hashed here before.
    async fn learnt(&self, source: &ModelSource) -> Result<Option<String>> {
        let files = self.store().remote_files().await?;
        Ok(files.into_iter().find(|file| file.verified && file.source == *source).and_then(|file| file.sha256))
    }

    /// Whether the file is here already, whole: the program was killed after it got its name and before that was noted. Where
    /// a hash is known the download itself compares; without one a sound file of this name is the one.
    async fn arrived_before(&self, job: &mut Job, fetch: &Fetch) -> Result<bool> {
        let Some(target) = target(&self.0.config.models_folder, &fetch.source) else { return Ok(false) };
        let learnt = self.learnt(&fetch.source).await?;
        if fetch.sha256.is_some() || learnt.is_some() || !hub::model_files(&target).iter().all(|part| part.is_file()) {
            return Ok(false);
        }
        let model = self.identify(&target, false).await?;
        (job.progress.done, job.progress.total) = (model.file_bytes, Some(model.file_bytes));
        let file = RemoteFile {
            source: fetch.source.clone(),
            bytes: Some(model.file_bytes),
            sha256: Some(model.sha256),
            verified: true,
        };
        self.store().learn_remote_file(&file, now()).await?;
        Ok(true)
    }

    async fn fetch_files(&self, job: &mut Job, fetch: &Fetch, stop: &CancellationToken) -> Result<()> {
        let models_folder = &self.0.config.models_folder;
        let folder = folder(models_folder, &fetch.source)
            .ok_or_else(|| ErrorReport::new(ErrorCode::FileNameUnsafe, "the name of the repository leads elsewhere"))?;
        let client = self.hub_client().await?;
        if self.arrived_before(job, fetch).await? {
            return Ok(());
        }
        let plan = hub::DownloadPlan {
            parts: client.parts(&fetch.source, fetch.parts)?,
            folder,
            bytes: None,
            sha256: match &fetch.sha256 {
                Some(sha256) => Some(sha256.clone()),
                None => self.learnt(&fetch.source).await?,
            },
        };
        let options = hub::DownloadOptions {
            connections: self.download_settings().await?.connections,
            keep_free_bytes: KEEP_FREE_BYTES,
            free_bytes: Arc::new(pocketbench_device::storage_free),
        };
        let mut meter = ByteMeter::new(self, job);
        let mut progress = |now: hub::DownloadProgress| {
            meter.at(now.done, (now.total > 0).then_some(now.total));
            if let Some(note @ (hub::DownloadNote::Waiting { .. } | hub::DownloadNote::StartsOver)) = &now.note {
                meter.note(&note.to_string());
            }
        };
        let downloaded = client.download(&plan, &options, &mut progress, stop).await;
        let notes = meter.finish(job);
        self.store().append_log(job.id, &notes, now()).await?;
        let downloaded = downloaded?;
        let file = RemoteFile {
            source: fetch.source.clone(),
            bytes: Some(downloaded.bytes),
            sha256: Some(downloaded.sha256.clone()),
            verified: true,
        };
        self.store().learn_remote_file(&file, now()).await?;
        let path = downloaded
            .paths
            .first()
            .ok_or_else(|| ErrorReport::new(ErrorCode::Internal, "the download left no file"))?;
        self.keep_hashed(path, downloaded.sha256).await?;
        (job.progress.done, job.progress.total) = (downloaded.bytes, Some(downloaded.bytes));
        Ok(())
    }
}

/// Where the kind of network cannot be told it is taken for one that may cost: the person asked for care.
fn network_may_cost() -> bool {
    !matches!(pocketbench_device::network_kind(), NetworkKind::Cable | NetworkKind::Wifi | NetworkKind::None)
}
