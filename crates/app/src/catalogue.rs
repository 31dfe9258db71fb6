//! Models that can be fetched: the catalogue, what a person added to it, and how each file stands on this device.

use crate::api::{CatalogueEntry, DownloadSettings, FileState, ModelEntry};
use crate::fitting::Speedometer;
use crate::models::{LISTED_N_CTX, fit_of};
use crate::{App, Result, blocking, now};
use pocketbench_domain::catalogue::{
    Catalogue, CatalogueFile, CatalogueModel, CatalogueShape, License, ModelSource, Strength, typical_bits,
};
use pocketbench_domain::cold_start::OtherFile;
use pocketbench_domain::fit::FitClass;
use pocketbench_domain::job::{Job, JobKind};
use pocketbench_domain::model::ModelRef;
use pocketbench_domain::{ErrorCode, ErrorReport};
use pocketbench_hub as hub;
use pocketbench_store::{ModelUse, RemoteFile};
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// Key of the setting that holds a catalogue from the network, as its text.
const CATALOGUE: &str = "catalogue";
/// Key of the setting that lists the licences that were accepted.
const LICENSES: &str = "accepted_licenses";
/// Largest catalogue that is fetched.
const MAX_CATALOGUE_BYTES: u64 = 2 << 20;
/// Weights below which fewer bits cost more than they save.
const SMALL_MODEL: u64 = 1_000_000_000;
/// Largest file that a newcomer is offered.
const SUGGESTED_BYTES: u64 = 2_500_000_000;
/// Latest downloads that the catalogue looks at.
const DOWNLOADS: u32 = 500;

/// The catalogue in use, read once.
#[derive(Debug, Default)]
pub(crate) struct InUse(Mutex<Option<Arc<Catalogue>>>);

impl InUse {
    fn slot(&self) -> std::sync::MutexGuard<'_, Option<Arc<Catalogue>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Names and history of models, by their hash.
pub(crate) struct KnownNames {
    models: HashMap<String, (String, String)>,
    sources: HashMap<String, ModelSource>,
    uses: HashMap<String, ModelUse>,
}

impl KnownNames {
    /// Adds to an entry what is known beside its file.
    pub(crate) fn tell(&self, entry: &mut ModelEntry) {
        let Some(model) = &entry.model else { return };
        entry.source = self.sources.get(&model.sha256).cloned();
        if let Some((id, name)) = self.models.get(&model.sha256) {
            (entry.catalogue_id, entry.title) = (Some(id.clone()), Some(name.clone()));
        } else {
            entry.title = Some(model.header.name.clone());
        }
        if let Some(used) = self.uses.get(&model.sha256) {
            (entry.runs, entry.last_used_at) = (used.runs, Some(used.last_run_at));
        }
    }
}

/// Where a file of a model comes from.
pub(crate) fn source_of(model: &CatalogueModel, file: &CatalogueFile) -> ModelSource {
    // A file that was added by its address has no repository.
    if model.repository.is_empty() {
        return ModelSource::Url { url: file.path.clone() };
    }
    ModelSource::Repository {
        repository: model.repository.clone(),
        revision: model.revision.clone(),
        path: file.path.clone(),
    }
}

impl App {
    /// The catalogue in use: the one that ships, or a newer one that was fetched.
    async fn catalogue_in_use(&self) -> Result<Arc<Catalogue>> {
        if let Some(catalogue) = &*self.0.catalogue.slot() {
            return Ok(Arc::clone(catalogue));
        }
        let mut catalogue = Arc::new(hub::catalogue::shipped().clone());
        if let Some(text) = self.store().setting::<String>(CATALOGUE).await? {
            match hub::catalogue::parse(text.as_bytes()) {
                Ok(fetched) if fetched.version > catalogue.version => catalogue = Arc::new(fetched),
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(%error, "the fetched catalogue cannot be read; the one that ships is used");
                }
            }
        }
        *self.0.catalogue.slot() = Some(Arc::clone(&catalogue));
        Ok(catalogue)
    }

    /// Base address of the hub.
    pub(crate) async fn hub_address(&self) -> Result<String> {
        // For tests and for a company's own hub.
        match std::env::var("POCKETBENCH_HUB") {
            Ok(address) if !address.is_empty() => Ok(address),
            _ => Ok(self.catalogue_in_use().await?.hub.clone()),
        }
    }

    /// Catalogue and added repositories as one list, added ones first, with whether they were added.
    async fn all_models(&self) -> Result<Vec<(CatalogueModel, bool)>> {
        let added = self.store().added_repositories().await?;
        let catalogue = self.catalogue_in_use().await?;
        let listed = catalogue.models.iter().map(|model| (model.clone(), false));
        Ok(added.into_iter().map(|model| (model, true)).chain(listed).collect())
    }

    /// The model and file behind a source, where the catalogue has it.
    pub(crate) async fn listed(&self, source: &ModelSource) -> Result<Option<(CatalogueModel, CatalogueFile)>> {
        Ok(self.all_models().await?.into_iter().find_map(|(model, _)| {
            let file = model.files.iter().find(|file| source_of(&model, file) == *source)?.clone();
            Some((model, file))
        }))
    }

    /// Smaller files of the same model that the catalogue knows, or that are here.
    pub(crate) async fn other_files(&self, model: &ModelRef) -> Result<Vec<OtherFile>> {
        let mut found = Vec::new();
        if let Some((id, _)) = self.known_names().await?.models.get(&model.sha256) {
            let listed = self.all_models().await?.into_iter().find(|(listed, _)| listed.id == *id);
            for file in listed.into_iter().flat_map(|(listed, _)| listed.files) {
                found.extend(file.bytes.map(|file_bytes| OtherFile { quantization: file.quantization, file_bytes }));
            }
        }
        let (folder, header) = (self.0.config.models_folder.clone(), &model.header);
        for path in blocking(move || hub::scan_models(&folder)).await? {
            let Some(here) = self.store().model_file_at(&path.display().to_string()).await? else { continue };
            let other = here.model.header;
            if (&other.name, &other.architecture, other.n_params)
                == (&header.name, &header.architecture, header.n_params)
            {
                let file_bytes = here.model.file_bytes;
                found.push(OtherFile { quantization: other.quantization, file_bytes });
            }
        }
        found.retain(|file| file.file_bytes < model.file_bytes);
        Ok(found)
    }

    pub(crate) async fn known_names(&self) -> Result<KnownNames> {
        let verified = self.store().remote_files().await?.into_iter().filter(|file| file.verified);
        let sources: HashMap<String, ModelSource> =
            verified.filter_map(|file| Some((file.sha256?, file.source))).collect();
        let mut models = HashMap::new();
        for (model, _) in self.all_models().await? {
            for file in &model.files {
                let source = source_of(&model, file);
                let fetched = sources.iter().filter(|(_, known)| **known == source).map(|(hash, _)| hash);
                for hash in fetched.chain(&file.sha256) {
                    models.insert(hash.clone(), (model.id.clone(), model.name.clone()));
                }
            }
        }
        let uses = self.store().model_uses().await?.into_iter().map(|used| (used.sha256.clone(), used)).collect();
        Ok(KnownNames { models, sources, uses })
    }

    /// Every model that can be fetched, with how its files stand on this device.
    pub async fn catalogue(&self) -> Result<Vec<CatalogueEntry>> {
        let state = FileStates::read(self).await?;
        let accepted: Vec<String> = self.accepted_licenses().await?;
        let mut entries: Vec<CatalogueEntry> = self
            .all_models()
            .await?
            .into_iter()
            .map(|(model, added)| {
                let files: Vec<FileState> = model.files.iter().map(|file| state.of(&model, file)).collect();
                CatalogueEntry {
                    recommended: recommended(&model, &files),
                    license_accepted: !model.license.must_accept || accepted.contains(&model.license.id),
                    suggested: false,
                    added,
                    files,
                    model,
                }
            })
            .collect();
        suggest(&mut entries);
        Ok(entries)
    }

    /// Adds a repository by its name, its page's address or the address of a file, and gives it as the catalogue would.
    pub async fn add_repository(&self, reference: &str) -> Result<CatalogueEntry> {
        let client = self.hub_client().await?;
        let model = match hub::parse_reference(reference)? {
            hub::Reference::Repository(repository) => client.repository(&repository).await?,
            hub::Reference::File(ModelSource::Repository { repository, revision, .. }) => {
                client.repository(&hub::RepositoryRef { repository, revision }).await?
            }
            hub::Reference::File(source @ ModelSource::Url { .. }) => lone_file(&client, &source).await?,
        };
        self.store().add_repository(&model, now()).await?;
        let id = model.id;
        let entries = self.catalogue().await?;
        entries
            .into_iter()
            .find(|entry| entry.model.id == id)
            .ok_or_else(|| ErrorReport::new(ErrorCode::Internal, "the repository was added and is not there"))
    }

    /// Forgets a repository that was added. Files that were fetched from it stay.
    pub async fn remove_repository(&self, id: &str) -> Result<()> {
        Ok(self.store().remove_repository(id).await?)
    }

    /// Fetches the catalogue from the address in the settings and uses it if it is newer and trusted. Gives the version in
    /// use.
    pub async fn update_catalogue(&self) -> Result<u32> {
        let settings: DownloadSettings = self.download_settings().await?;
        let (Some(url), Some(trust)) = (settings.catalogue_url, settings.catalogue_trust) else {
            return Err(ErrorReport::new(ErrorCode::InvalidInput, "no address for a newer catalogue is set")
                .hint("Set its address and the key or hash that makes it trusted."));
        };
        let client = self.hub_client().await?;
        let bytes = client.fetch_text(&url, MAX_CATALOGUE_BYTES).await?;
        if let Some(sha256) = trust.strip_prefix("sha256:") {
            hub::verify_catalogue(&bytes, None, &hub::CatalogueTrust::Sha256(sha256.to_owned()))?;
        } else {
            let signature = client.fetch_text(&format!("{url}.sig"), 1024).await?;
            hub::verify_catalogue(&bytes, Some(&signature), &hub::CatalogueTrust::PublicKey(trust))?;
        }
        let fetched = hub::catalogue::parse(&bytes)?;
        if fetched.version > self.catalogue_in_use().await?.version {
            let text = String::from_utf8(bytes)
                .map_err(|error| ErrorReport::new(ErrorCode::CatalogueInvalid, error.to_string()))?;
            self.store().set_setting(CATALOGUE, &text).await?;
            *self.0.catalogue.slot() = Some(Arc::new(fetched));
        }
        Ok(self.catalogue_in_use().await?.version)
    }

    async fn accepted_licenses(&self) -> Result<Vec<String>> {
        Ok(self.store().setting(LICENSES).await?.unwrap_or_default())
    }

    /// Refuses a model whose licence must be accepted and was not; remembers that it was.
    pub(crate) async fn check_license(&self, model: &CatalogueModel, accepts: bool) -> Result<()> {
        let license = &model.license;
        let mut accepted = self.accepted_licenses().await?;
        if !license.must_accept || accepted.contains(&license.id) {
            return Ok(());
        }
        if !accepts {
            let report = ErrorReport::new(
                ErrorCode::LicenseNotAccepted,
                format!("{} comes under {}, which has to be accepted first", model.name, license.name),
            );
            return Err(report.hint(match &license.url {
                Some(url) => format!("Read it at {url} and accept it."),
                None => "Read it on the model's page and accept it.".to_owned(),
            }));
        }
        accepted.push(license.id.clone());
        Ok(self.store().set_setting(LICENSES, &accepted).await?)
    }
}

/// Everything that decides how a file stands, read once for the whole list.
struct FileStates {
    learnt: HashMap<ModelSource, RemoteFile>,
    installed: HashMap<String, String>,
    jobs: Vec<(Job, crate::downloads::Fetch)>,
    partials: HashMap<std::path::PathBuf, u64>,
    speed: Speedometer,
    models_folder: std::path::PathBuf,
}

impl FileStates {
    async fn read(app: &App) -> Result<Self> {
        let learnt = app.store().remote_files().await?;
        let entries = app.models().await?;
        let here = entries.into_iter().filter(|entry| entry.problem.is_none());
        Ok(Self {
            learnt: learnt.into_iter().map(|file| (file.source.clone(), file)).collect(),
            installed: here.filter_map(|e| e.model.map(|ModelRef { sha256, path, .. }| (sha256, path))).collect(),
            jobs: app.store().jobs_with_work(JobKind::Download, DOWNLOADS).await?,
            partials: app
                .partial_downloads()
                .await?
                .into_iter()
                .map(|(target, partial)| (target, partial.bytes))
                .collect(),
            speed: app.speedometer().await?,
            models_folder: app.0.config.models_folder.clone(),
        })
    }

    fn of(&self, model: &CatalogueModel, file: &CatalogueFile) -> FileState {
        let source = source_of(model, file);
        let learnt = self.learnt.get(&source);
        let known = learnt.and_then(|learnt| learnt.bytes).or(file.bytes);
        let bytes = known.or_else(|| file.estimated_bytes(model.n_params));
        let sha256 = learnt.and_then(|learnt| learnt.sha256.clone()).or_else(|| file.sha256.clone());
        let header = bytes.and_then(|bytes| model.header(file, bytes));
        let fit = header.as_ref().zip(bytes).map(|(header, bytes)| {
            let n_ctx = LISTED_N_CTX.min(header.n_ctx_train.max(1));
            fit_of(header, bytes, &self.speed.defaults.settings(n_ctx, 1))
        });
        let target = crate::downloads::target(&self.models_folder, &source);
        let partial_bytes = target.as_deref().and_then(|target| self.partials.get(target)).copied();
        FileState {
            installed: sha256.as_ref().and_then(|hash| self.installed.get(hash)).cloned(),
            job_id: self.jobs.iter().find(|(_, fetch)| fetch.source == source).map(|(job, _)| job.id),
            speed: header.as_ref().and_then(|header| self.speed.forecast(header)),
            bytes_estimated: known.is_none() && bytes.is_some(),
            partial_bytes,
            source,
            bytes,
            sha256,
            fit,
        }
    }
}

/// The file that suits this device: what most people would pick if it fits with room to spare, else the best that does,
/// else the smallest.
fn recommended(model: &CatalogueModel, files: &[FileState]) -> Option<u32> {
    let fits = |file: &FileState| file.fit.as_ref().is_some_and(|fit| fit.class == FitClass::Fits);
    let favourite = if model.n_params < SMALL_MODEL { "Q8_0" } else { "Q4_K_M" };
    let bits = |i: usize| typical_bits(&model.files[i].quantization).unwrap_or(f64::INFINITY);
    let ceiling = typical_bits(favourite).unwrap_or(f64::INFINITY);
    let by_bits = |a: &usize, b: &usize| bits(*a).total_cmp(&bits(*b));
    let all = 0..files.len();
    // Nothing says whether any of them fits: what most people would pick.
    let unknown = files.iter().all(|file| file.fit.is_none());
    let suits = |i: &usize| bits(*i) <= ceiling && (unknown || fits(&files[*i]));
    let best = all.clone().filter(suits).max_by(by_bits).or_else(|| all.min_by(by_bits))?;
    u32::try_from(best).ok()
}

/// A file that lies at an address of its own, as the catalogue would have it.
async fn lone_file(client: &hub::HubClient, source: &ModelSource) -> Result<CatalogueModel> {
    let remote = client.remote_header(source, 1).await?;
    let (header, name) = (remote.header, source.file_name());
    let ModelSource::Url { url } = source else {
        return Err(ErrorReport::new(ErrorCode::Internal, "a file of a repository has a repository"));
    };
    Ok(CatalogueModel {
        id: name.to_lowercase().trim_end_matches(".gguf").to_owned(),
        name: header.name.clone(),
        family: String::new(),
        publisher: String::new(),
        n_params: header.n_params,
        architecture: header.architecture.clone(),
        n_ctx_train: header.n_ctx_train,
        shape: Some(CatalogueShape {
            n_layer: header.n_layer,
            n_embd: header.n_embd,
            n_head: header.n_head,
            n_head_kv: header.n_head_kv.iter().copied().max().unwrap_or(0),
            head_dim: header.head_dim_k.max(header.head_dim_v),
            n_vocab: header.n_vocab,
            sliding_window: header.sliding_window,
        }),
        license: License {
            id: header.license.clone().unwrap_or_default(),
            name: header.license.unwrap_or_default(),
            url: None,
            must_accept: false,
        },
        languages: Vec::new(),
        strengths: Vec::new(),
        reasons: false,
        summary: String::new(),
        repository: String::new(),
        revision: String::new(),
        files: vec![CatalogueFile {
            quantization: header.quantization,
            path: url.clone(),
            parts: 1,
            bytes: Some(remote.file_bytes),
            sha256: remote.sha256,
        }],
    })
}

/// Marks the two models that a newcomer is offered: for conversation, without a licence to accept, of two families, the
/// largest that fit and do not take all day to fetch.
fn suggest(entries: &mut [CatalogueEntry]) {
    let mut candidates: Vec<usize> = (0..entries.len())
        .filter(|&i| {
            let entry = &entries[i];
            let file = entry.recommended.and_then(|place| entry.files.get(place as usize));
            let fits = file.and_then(|file| file.fit.as_ref()).is_some_and(|fit| fit.class == FitClass::Fits);
            let quick = file.and_then(|file| file.bytes).is_some_and(|bytes| bytes <= SUGGESTED_BYTES);
            let model = &entry.model;
            fits && quick
                && !entry.added
                && !model.license.must_accept
                && !model.reasons
                && model.strengths.contains(&Strength::Chat)
        })
        .collect();
    // A stable sort: of equals the one that the catalogue names first.
    candidates.sort_by_key(|&i| std::cmp::Reverse(entries[i].model.n_params));
    let Some(&first) = candidates.first() else { return };
    let second = candidates.iter().copied().find(|&i| entries[i].model.family != entries[first].model.family);
    entries[first].suggested = true;
    if let Some(second) = second {
        entries[second].suggested = true;
    }
}

/// Whether a path lies in the models folder; only there files are deleted.
pub(crate) fn is_ours(path: &Path, models_folder: &Path) -> bool {
    let inside = |path: &Path| path.canonicalize().ok();
    match (inside(path), inside(models_folder)) {
        (Some(path), Some(folder)) => path.starts_with(folder),
        _ => false,
    }
}
