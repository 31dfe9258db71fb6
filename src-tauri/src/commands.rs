//! Commands: parse, call `app`, pass the error on. Nothing else belongs here.

use crate::opened::Opened;
use pocketbench_app_core::Result;
use pocketbench_app_core::api::{
    AppEvent, AppInfo, Estimate, ExportFormat, ModelEntry, RunRequest, RunSummary, SampleRow, SuiteInfo,
};
use pocketbench_app_core::domain::compare::RunResult;
use pocketbench_app_core::domain::device::DeviceProfile;
use pocketbench_app_core::domain::job::{Job, JobId};
use pocketbench_app_core::domain::run::RunId;
use std::path::PathBuf;
use tauri::State;
use tauri::ipc::Channel;

#[tauri::command]
pub(crate) async fn app_info(opened: State<'_, Opened>) -> Result<AppInfo> {
    Ok(opened.app().await?.info())
}

#[tauri::command]
pub(crate) async fn device(opened: State<'_, Opened>) -> Result<DeviceProfile> {
    opened.app().await?.device().await
}

#[tauri::command]
pub(crate) async fn models(opened: State<'_, Opened>) -> Result<Vec<ModelEntry>> {
    opened.app().await?.models().await
}

#[tauri::command]
pub(crate) async fn add_model(opened: State<'_, Opened>, path: String) -> Result<ModelEntry> {
    opened.app().await?.add_model(&path).await
}

#[tauri::command]
pub(crate) async fn suites(opened: State<'_, Opened>) -> Result<Vec<SuiteInfo>> {
    Ok(opened.app().await?.suites())
}

#[tauri::command]
pub(crate) async fn estimate(opened: State<'_, Opened>, request: RunRequest) -> Result<Estimate> {
    opened.app().await?.estimate(&request).await
}

#[tauri::command]
pub(crate) async fn start_run(opened: State<'_, Opened>, request: RunRequest) -> Result<Job> {
    opened.app().await?.start_run(&request).await
}

#[tauri::command]
pub(crate) async fn stop_job(opened: State<'_, Opened>, id: JobId) -> Result<Job> {
    opened.app().await?.stop_job(id).await
}

#[tauri::command]
pub(crate) async fn resume_job(opened: State<'_, Opened>, id: JobId) -> Result<Job> {
    opened.app().await?.resume_job(id).await
}

#[tauri::command]
pub(crate) async fn jobs(opened: State<'_, Opened>) -> Result<Vec<Job>> {
    opened.app().await?.jobs().await
}

#[tauri::command]
pub(crate) async fn runs(opened: State<'_, Opened>) -> Result<Vec<RunSummary>> {
    opened.app().await?.runs().await
}

#[tauri::command]
pub(crate) async fn result(opened: State<'_, Opened>, run_id: RunId) -> Result<RunResult> {
    opened.app().await?.result(run_id).await
}

#[tauri::command]
pub(crate) async fn samples(opened: State<'_, Opened>, run_id: RunId) -> Result<Vec<SampleRow>> {
    opened.app().await?.samples(run_id).await
}

#[tauri::command]
pub(crate) async fn export_run(
    opened: State<'_, Opened>,
    run_id: RunId,
    format: ExportFormat,
    path: PathBuf,
) -> Result<()> {
    opened.app().await?.export_to(run_id, format, &path).await
}

/// Sends what happens from now on, until the page is gone.
#[tauri::command]
pub(crate) async fn subscribe(opened: State<'_, Opened>, channel: Channel<AppEvent>) -> Result<()> {
    let app = opened.app().await?;
    tauri::async_runtime::spawn(async move { app.forward(|event| channel.send(event).is_ok()).await });
    Ok(())
}
