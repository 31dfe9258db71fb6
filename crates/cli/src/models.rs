//! `pocketbench models …`: find, judge, fetch, take in, verify and delete models.

use crate::args::{ModelSettings, Models};
use crate::commands::{config, wait};
use crate::{exit, output};
use pocketbench_app_core::api::{CatalogueEntry, DownloadRequest, FileState, ImportMode, ModelEntry};
use pocketbench_app_core::domain::catalogue::ModelSource;
use pocketbench_app_core::domain::fit::FitClass;
use pocketbench_app_core::domain::job::{Job, JobState};
use pocketbench_app_core::domain::{ErrorCode, ErrorReport};
use pocketbench_app_core::{App, Result};
use std::io::{IsTerminal, Read};
use std::path::Path;

pub(crate) async fn run(command: Models) -> Result<u8> {
    match command {
        Models::List { json } => {
            let models = looking().await?.models().await?;
            show(json, &models, output::models);
            Ok(0)
        }
        Models::Search { text, fits, json } => {
            let found = search(&looking().await?, &text.join(" "), fits).await?;
            show(json, &found, output::catalogue);
            Ok(if found.is_empty() { exit::BAD_INPUT } else { 0 })
        }
        Models::Info { model, json } => info(&model, json).await,
        Models::Fit { model, json } => fit(&model, json).await,
        Models::Pull { model, accept_license, json } => pull(&model, accept_license, json).await,
        Models::Import { path, copy } => {
            let app = App::open(config()?).await?;
            let mode = if copy { ImportMode::Copy } else { ImportMode::Reference };
            let job = app.import_model(&path.display().to_string(), mode).await?;
            ended(&wait(&app, job).await?)
        }
        Models::Verify { model } => verify(model.as_deref()).await,
        Models::Rm { model, yes } => remove(&model, yes).await,
        Models::Add { repository } => {
            let entry = App::open(config()?).await?.add_repository(&repository).await?;
            output::catalogue(&[entry]);
            Ok(0)
        }
        Models::Forget { id } => {
            App::open(config()?).await?.remove_repository(&id).await?;
            Ok(0)
        }
        Models::Found { json } => {
            let found = looking().await?.found_models().await?;
            show(json, &found, output::found);
            Ok(0)
        }
        Models::Update => {
            let version = App::open(config()?).await?.update_catalogue().await?;
            output::note(&format!("Catalogue version {version} is in use."));
            Ok(0)
        }
        Models::Token { clear } => token(clear).await,
        Models::Settings(changes) => settings(changes).await,
    }
}

/// For looking only, beside an app that may be at work. Without a database there is one to be made.
pub(crate) async fn looking() -> Result<App> {
    match App::open_read_only(config()?).await {
        Err(error) if error.code == ErrorCode::NotFound => App::open(config()?).await,
        other => other,
    }
}

pub(crate) fn show<T: serde::Serialize>(json: bool, value: &[T], print: fn(&[T])) {
    if json {
        output::json(&value);
    } else {
        print(value);
    }
}

/// Entries whose name, family, publisher, repository or id contains every word.
async fn search(app: &App, text: &str, fits: bool) -> Result<Vec<CatalogueEntry>> {
    let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
    let mut found = app.catalogue().await?;
    found.retain(|entry| {
        let model = &entry.model;
        let all = [&model.id, &model.name, &model.family, &model.publisher, &model.repository];
        let all = all.map(|part| part.to_lowercase()).join(" ");
        let fits_here = |file: &FileState| file.fit.as_ref().is_some_and(|fit| fit.class == FitClass::Fits);
        words.iter().all(|word| all.contains(word)) && (!fits || entry.files.iter().any(fits_here))
    });
    Ok(found)
}

/// What a person means by a model.
enum Meant {
    /// One that is here.
    Here(Box<ModelEntry>),
    /// One that can be fetched, and which of its files.
    There(Box<CatalogueEntry>, usize),
}

pub(crate) fn unknown(model: &str) -> ErrorReport {
    ErrorReport::new(ErrorCode::NotFound, format!("there is no model `{model}`"))
        .hint("`pocketbench models search` lists what can be fetched, `pocketbench models list` what is here.")
}

/// A path, the name or the beginning of the hash of a file that is here.
pub(crate) async fn here(app: &App, model: &str) -> Result<Option<ModelEntry>> {
    let path = std::path::absolute(model).ok();
    let mut hits = app.models().await?.into_iter().filter(|entry| {
        let hash = entry.model.as_ref().is_some_and(|known| model.len() >= 8 && known.sha256.starts_with(model));
        hash || entry.file_name == model || path.as_deref() == Some(Path::new(&entry.path))
    });
    Ok(hits.next())
}

/// An id of the catalogue, with `:QUANTIZATION` if another file than the recommended one is meant.
async fn there(app: &App, model: &str) -> Result<Option<(CatalogueEntry, usize)>> {
    let (id, quantization) = model.rsplit_once(':').filter(|(id, _)| !id.ends_with("https")).unzip();
    let id = id.unwrap_or(model);
    let matches = |entry: &CatalogueEntry| entry.model.id == id || entry.model.repository == id;
    let Some(entry) = app.catalogue().await?.into_iter().find(matches) else { return Ok(None) };
    let place = match quantization {
        Some(wanted) => {
            entry.model.files.iter().position(|f| f.quantization.eq_ignore_ascii_case(wanted)).ok_or_else(|| {
                let all: Vec<&str> = entry.model.files.iter().map(|file| file.quantization.as_str()).collect();
                ErrorReport::new(ErrorCode::NotFound, format!("{} has no file in {wanted}", entry.model.name))
                    .hint(format!("It has {}.", all.join(", ")))
            })?
        }
        None => entry.recommended.map_or(0, |place| place as usize),
    };
    Ok(Some((entry, place)))
}

async fn meant(app: &App, model: &str) -> Result<Meant> {
    if let Some(entry) = here(app, model).await? {
        return Ok(Meant::Here(Box::new(entry)));
    }
    match there(app, model).await? {
        Some((entry, place)) => Ok(Meant::There(Box::new(entry), place)),
        None => Err(unknown(model)),
    }
}

async fn info(model: &str, json: bool) -> Result<u8> {
    match meant(&looking().await?, model).await? {
        Meant::Here(entry) if json => output::json(&entry),
        Meant::Here(entry) => output::model(&entry),
        Meant::There(entry, _) if json => output::json(&entry),
        Meant::There(entry, _) => output::entry(&entry),
    }
    Ok(0)
}

async fn fit(model: &str, json: bool) -> Result<u8> {
    let app = App::open(config()?).await?;
    let report = if Path::new(model).is_file() {
        app.model_fit(model).await?
    } else {
        match meant(&app, model).await? {
            Meant::Here(entry) => app.model_fit(&entry.path).await?,
            Meant::There(entry, place) => app.source_fit(&entry.files[place].source).await?,
        }
    };
    if json {
        output::json(&report);
    } else {
        output::fit(&report);
    }
    Ok(0)
}

async fn pull(model: &str, accept_license: bool, json: bool) -> Result<u8> {
    let app = App::open(config()?).await?;
    let source = if let Some((entry, place)) = there(&app, model).await? {
        entry.files[place].source.clone()
    } else if model.contains("://") && !has_repository(model) {
        ModelSource::Url { url: model.to_owned() }
    } else if model.contains('/') {
        // A repository that the catalogue does not have is added by being asked for.
        let (name, quantization) = model.rsplit_once(':').filter(|(_, q)| !q.contains('/')).unzip();
        let entry = app.add_repository(name.unwrap_or(model)).await?;
        let wanted = quantization.map_or(entry.model.id.clone(), |q| format!("{}:{q}", entry.model.id));
        let (entry, place) = there(&app, &wanted).await?.ok_or_else(|| unknown(model))?;
        entry.files[place].source.clone()
    } else {
        return Err(unknown(model));
    };
    let job = app.download(&DownloadRequest { source, accept_license }).await?;
    let job = wait(&app, job).await?;
    if json {
        output::json(&job);
    }
    ended(&job)
}

/// Whether an address is that of a repository or of a file in one, and not of a file anywhere.
fn has_repository(address: &str) -> bool {
    Path::new(address.split(['?', '#']).next().unwrap_or(address)).extension().is_none_or(|e| e != "gguf")
        || address.contains("/resolve/")
        || address.contains("/blob/")
}

async fn verify(model: Option<&str>) -> Result<u8> {
    let app = App::open(config()?).await?;
    let entries = match model {
        Some(model) => vec![here(&app, model).await?.ok_or_else(|| unknown(model))?],
        None => app.models().await?,
    };
    let mut worst = 0;
    for entry in entries {
        let outcome = match app.verify_model(&entry.path).await {
            Ok(job) => wait(&app, job).await.and_then(|job| ended(&job)),
            Err(error) => Err(error),
        };
        match outcome {
            Ok(0) => output::note(&format!("{}: unchanged", entry.file_name)),
            Ok(code) => return Ok(code),
            Err(error) => {
                output::note(&format!("{}:", entry.file_name));
                output::error(&error);
                worst = exit::BAD_INPUT;
            }
        }
    }
    Ok(worst)
}

async fn remove(model: &str, yes: bool) -> Result<u8> {
    let app = App::open(config()?).await?;
    let entry = here(&app, model).await?.ok_or_else(|| unknown(model))?;
    let preview = app.delete_preview(&entry.path).await?;
    output::delete_preview(&preview);
    if !yes {
        if !std::io::stdin().is_terminal() {
            return Err(ErrorReport::new(ErrorCode::InvalidInput, "nobody is here to be asked")
                .hint("Add --yes to delete without a question."));
        }
        output::note("Delete? [y/N]");
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer).ok();
        if !answer.trim().eq_ignore_ascii_case("y") {
            return Ok(exit::STOPPED);
        }
    }
    app.delete_model(&entry.path).await?;
    Ok(0)
}

/// The token comes from standard input: an argument would be seen by everyone who lists processes.
async fn token(clear: bool) -> Result<u8> {
    let app = App::open(config()?).await?;
    let state = if clear {
        app.set_hub_token(None).await?
    } else if std::io::stdin().is_terminal() {
        app.hub_token().await?
    } else {
        app.set_hub_token(Some(secret()?)).await?
    };
    output::token(state);
    Ok(0)
}

/// A secret from standard input, without the line break at its end.
pub(crate) fn secret() -> Result<String> {
    let mut secret = String::new();
    std::io::stdin()
        .take(8192)
        .read_to_string(&mut secret)
        .map_err(|error| ErrorReport::new(ErrorCode::InvalidInput, format!("it cannot be read: {error}")))?;
    Ok(secret.trim_end_matches(['\r', '\n']).to_owned())
}

async fn settings(changes: ModelSettings) -> Result<u8> {
    let nothing = |text: String| Some(text).filter(|text| !text.is_empty());
    let app = App::open(config()?).await?;
    let mut settings = app.download_settings().await?;
    let before = settings.clone();
    settings.wifi_only = changes.wifi_only.unwrap_or(settings.wifi_only);
    settings.at_once = changes.at_once.unwrap_or(settings.at_once);
    settings.connections = changes.connections.unwrap_or(settings.connections);
    settings.mirror = changes.mirror.map_or(settings.mirror, nothing);
    settings.proxy = changes.proxy.map_or(settings.proxy, nothing);
    settings.catalogue_url = changes.catalogue_url.map_or(settings.catalogue_url, nothing);
    settings.catalogue_trust = changes.catalogue_trust.map_or(settings.catalogue_trust, nothing);
    if settings != before {
        app.set_download_settings(&settings).await?;
    }
    output::json(&settings);
    Ok(0)
}

/// How a job that made no run ended, as an exit code.
fn ended(job: &Job) -> Result<u8> {
    match job.state {
        JobState::Done => Ok(0),
        JobState::Cancelled | JobState::Paused => {
            output::note("Stopped. The same command goes on where it was.");
            Ok(exit::STOPPED)
        }
        _ => Err(job.error.clone().unwrap_or_else(|| ErrorReport::new(ErrorCode::Internal, "it did not finish"))),
    }
}
