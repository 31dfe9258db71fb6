//! Commands: parse, call `app`, pass the error on. Nothing else belongs here.

use crate::opened::Opened;
use pocketbench_app_core::Result;
use pocketbench_app_core::api::{
    AnswerBy, AppEvent, AppInfo, CatalogueEntry, ChatOptions, ClaimsReport, ContextMeter, ConversationChange,
    ConversationFormat, ConversationSummary, ConversationView, DeletePreview, DeviceReport, DownloadRequest,
    DownloadSettings, Estimate, ExportFormat, FitReport, FoundModel, ImportMode, ModelEntry, ProviderEntry,
    ProviderRequest, RunRequest, RunSummary, SampleRow, SendRequest, SentTurn, Spending, StorageUse, SuiteInfo,
    TokenState, TuneRequest, TuningState,
};
use pocketbench_app_core::api::{Duel, DuelRanking, DuelRequest, ResidentModel};
use pocketbench_app_core::domain::catalogue::ModelSource;
use pocketbench_app_core::domain::compare::RunResult;
use pocketbench_app_core::domain::conversation::{ChatSettings, Conversation, ConversationId, MessageId};
use pocketbench_app_core::domain::device::DeviceProfile;
use pocketbench_app_core::domain::duel::Vote;
use pocketbench_app_core::domain::job::{Job, JobId};
use pocketbench_app_core::domain::provider::ProviderPreset;
use pocketbench_app_core::domain::roofline::MeasuredBandwidth;
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
pub(crate) async fn device_report(opened: State<'_, Opened>) -> Result<DeviceReport> {
    opened.app().await?.device_report().await
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
pub(crate) async fn catalogue(opened: State<'_, Opened>) -> Result<Vec<CatalogueEntry>> {
    opened.app().await?.catalogue().await
}

#[tauri::command]
pub(crate) async fn add_repository(opened: State<'_, Opened>, reference: String) -> Result<CatalogueEntry> {
    opened.app().await?.add_repository(&reference).await
}

#[tauri::command]
pub(crate) async fn remove_repository(opened: State<'_, Opened>, id: String) -> Result<()> {
    opened.app().await?.remove_repository(&id).await
}

#[tauri::command]
pub(crate) async fn update_catalogue(opened: State<'_, Opened>) -> Result<u32> {
    opened.app().await?.update_catalogue().await
}

#[tauri::command]
pub(crate) async fn model_fit(opened: State<'_, Opened>, path: String) -> Result<FitReport> {
    opened.app().await?.model_fit(&path).await
}

#[tauri::command]
pub(crate) async fn source_fit(opened: State<'_, Opened>, source: ModelSource) -> Result<FitReport> {
    opened.app().await?.source_fit(&source).await
}

#[tauri::command]
pub(crate) async fn download(opened: State<'_, Opened>, request: DownloadRequest) -> Result<Job> {
    opened.app().await?.download(&request).await
}

#[tauri::command]
pub(crate) async fn pause_job(opened: State<'_, Opened>, id: JobId) -> Result<Job> {
    opened.app().await?.pause_job(id).await
}

#[tauri::command]
pub(crate) async fn discard_partial(opened: State<'_, Opened>, file_name: String) -> Result<()> {
    opened.app().await?.discard_partial(&file_name).await
}

#[tauri::command]
pub(crate) async fn import_model(opened: State<'_, Opened>, path: String, mode: ImportMode) -> Result<Job> {
    opened.app().await?.import_model(&path, mode).await
}

#[tauri::command]
pub(crate) async fn found_models(opened: State<'_, Opened>) -> Result<Vec<FoundModel>> {
    opened.app().await?.found_models().await
}

#[tauri::command]
pub(crate) async fn locate_model(opened: State<'_, Opened>, sha256: String, path: String) -> Result<ModelEntry> {
    opened.app().await?.locate_model(&sha256, &path).await
}

#[tauri::command]
pub(crate) async fn verify_model(opened: State<'_, Opened>, path: String) -> Result<Job> {
    opened.app().await?.verify_model(&path).await
}

#[tauri::command]
pub(crate) async fn delete_preview(opened: State<'_, Opened>, path: String) -> Result<DeletePreview> {
    opened.app().await?.delete_preview(&path).await
}

#[tauri::command]
pub(crate) async fn delete_model(opened: State<'_, Opened>, path: String) -> Result<()> {
    opened.app().await?.delete_model(&path).await
}

#[tauri::command]
pub(crate) async fn storage(opened: State<'_, Opened>) -> Result<StorageUse> {
    opened.app().await?.storage().await
}

#[tauri::command]
pub(crate) async fn download_settings(opened: State<'_, Opened>) -> Result<DownloadSettings> {
    opened.app().await?.download_settings().await
}

#[tauri::command]
pub(crate) async fn set_download_settings(opened: State<'_, Opened>, settings: DownloadSettings) -> Result<()> {
    opened.app().await?.set_download_settings(&settings).await
}

#[tauri::command]
pub(crate) async fn hub_token(opened: State<'_, Opened>) -> Result<TokenState> {
    opened.app().await?.hub_token().await
}

#[tauri::command]
pub(crate) async fn set_hub_token(opened: State<'_, Opened>, token: Option<String>) -> Result<TokenState> {
    opened.app().await?.set_hub_token(token).await
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
pub(crate) async fn tuning(opened: State<'_, Opened>) -> Result<TuningState> {
    opened.app().await?.tuning().await
}

#[tauri::command]
pub(crate) async fn tune(opened: State<'_, Opened>, request: TuneRequest) -> Result<Job> {
    opened.app().await?.tune(&request).await
}

#[tauri::command]
pub(crate) async fn forget_tuning(opened: State<'_, Opened>) -> Result<()> {
    opened.app().await?.forget_tuning().await.map(|_| ())
}

#[tauri::command]
pub(crate) async fn set_automatic_tuning(opened: State<'_, Opened>, automatic: bool) -> Result<()> {
    opened.app().await?.set_automatic_tuning(automatic).await
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

#[tauri::command]
pub(crate) async fn measure_bandwidth(opened: State<'_, Opened>) -> Result<MeasuredBandwidth> {
    opened.app().await?.measure_bandwidth().await
}

#[tauri::command]
pub(crate) async fn claims(opened: State<'_, Opened>) -> Result<Vec<ClaimsReport>> {
    opened.app().await?.claims().await
}

#[tauri::command]
pub(crate) fn provider_presets() -> Vec<ProviderPreset> {
    pocketbench_app_core::provider_presets().to_vec()
}

#[tauri::command]
pub(crate) async fn providers(opened: State<'_, Opened>) -> Result<Vec<ProviderEntry>> {
    opened.app().await?.providers().await
}

#[tauri::command]
pub(crate) async fn save_provider(opened: State<'_, Opened>, request: ProviderRequest) -> Result<ProviderEntry> {
    opened.app().await?.save_provider(&request).await
}

#[tauri::command]
pub(crate) async fn remove_provider(opened: State<'_, Opened>, id: String) -> Result<()> {
    opened.app().await?.remove_provider(&id).await
}

#[tauri::command]
pub(crate) async fn set_provider_key(
    opened: State<'_, Opened>,
    id: String,
    key: Option<String>,
) -> Result<ProviderEntry> {
    opened.app().await?.set_provider_key(&id, key).await
}

#[tauri::command]
pub(crate) async fn verify_provider(opened: State<'_, Opened>, id: String) -> Result<ProviderEntry> {
    opened.app().await?.verify_provider(&id).await
}

#[tauri::command]
pub(crate) async fn conversations(
    opened: State<'_, Opened>,
    search: String,
    limit: u32,
    offset: u32,
) -> Result<Vec<ConversationSummary>> {
    opened.app().await?.conversations(&search, limit, offset).await
}

#[tauri::command]
pub(crate) async fn conversation(opened: State<'_, Opened>, id: ConversationId) -> Result<ConversationView> {
    opened.app().await?.conversation(id).await
}

#[tauri::command]
pub(crate) async fn begin_conversation(opened: State<'_, Opened>, settings: ChatSettings) -> Result<Conversation> {
    opened.app().await?.begin_conversation(settings).await
}

#[tauri::command]
pub(crate) async fn change_conversation(
    opened: State<'_, Opened>,
    id: ConversationId,
    change: ConversationChange,
) -> Result<Conversation> {
    opened.app().await?.change_conversation(id, change).await
}

#[tauri::command]
pub(crate) async fn delete_conversation(opened: State<'_, Opened>, id: ConversationId) -> Result<()> {
    opened.app().await?.delete_conversation(id).await
}

#[tauri::command]
pub(crate) async fn restore_conversation(opened: State<'_, Opened>, id: ConversationId) -> Result<Conversation> {
    opened.app().await?.restore_conversation(id).await
}

#[tauri::command]
pub(crate) async fn pin_message(opened: State<'_, Opened>, id: MessageId, pinned: bool) -> Result<()> {
    opened.app().await?.pin_message(id, pinned).await
}

#[tauri::command]
pub(crate) async fn show_branch(
    opened: State<'_, Opened>,
    id: ConversationId,
    message: MessageId,
) -> Result<ConversationView> {
    opened.app().await?.show_branch(id, message).await
}

#[tauri::command]
pub(crate) async fn send_message(opened: State<'_, Opened>, request: SendRequest) -> Result<SentTurn> {
    opened.app().await?.send(request).await
}

#[tauri::command]
pub(crate) async fn answer_question(
    opened: State<'_, Opened>,
    conversation_id: ConversationId,
    question: MessageId,
    by: AnswerBy,
) -> Result<SentTurn> {
    opened.app().await?.answer_question(conversation_id, question, by).await
}

#[tauri::command]
pub(crate) async fn regenerate(
    opened: State<'_, Opened>,
    conversation_id: ConversationId,
    of: MessageId,
    model: Option<String>,
) -> Result<SentTurn> {
    opened.app().await?.regenerate(conversation_id, of, model).await
}

#[tauri::command]
pub(crate) async fn stop_answer(opened: State<'_, Opened>, id: MessageId) -> Result<()> {
    opened.app().await?.stop_answer(id);
    Ok(())
}

#[tauri::command]
pub(crate) async fn context_meter(
    opened: State<'_, Opened>,
    id: ConversationId,
    draft: String,
) -> Result<Option<ContextMeter>> {
    opened.app().await?.context_meter(id, &draft).await
}

#[tauri::command]
pub(crate) async fn export_conversation(
    opened: State<'_, Opened>,
    id: ConversationId,
    format: ConversationFormat,
    path: PathBuf,
) -> Result<()> {
    opened.app().await?.export_conversation_to(id, format, &path).await
}

#[tauri::command]
pub(crate) async fn import_conversation(opened: State<'_, Opened>, path: PathBuf) -> Result<Conversation> {
    opened.app().await?.import_conversation_from(&path).await
}

#[tauri::command]
pub(crate) async fn chat_options(opened: State<'_, Opened>) -> Result<ChatOptions> {
    opened.app().await?.chat_options().await
}

#[tauri::command]
pub(crate) async fn set_chat_options(opened: State<'_, Opened>, options: ChatOptions) -> Result<()> {
    opened.app().await?.set_chat_options(&options).await
}

#[tauri::command]
pub(crate) async fn spending(opened: State<'_, Opened>) -> Result<Spending> {
    opened.app().await?.spending().await
}

#[tauri::command]
pub(crate) async fn start_duel(opened: State<'_, Opened>, request: DuelRequest) -> Result<Duel> {
    opened.app().await?.start_duel(request).await
}

#[tauri::command]
pub(crate) async fn vote_duel(opened: State<'_, Opened>, question: MessageId, vote: Vote) -> Result<Duel> {
    opened.app().await?.vote_duel(question, vote).await
}

#[tauri::command]
pub(crate) async fn duels(opened: State<'_, Opened>, limit: u32) -> Result<Vec<Duel>> {
    opened.app().await?.duels(limit).await
}

#[tauri::command]
pub(crate) async fn duel_ranking(opened: State<'_, Opened>) -> Result<DuelRanking> {
    opened.app().await?.duel_ranking().await
}

#[tauri::command]
pub(crate) async fn resident_models(opened: State<'_, Opened>) -> Result<Vec<ResidentModel>> {
    opened.app().await?.resident_models().await
}

#[tauri::command]
pub(crate) async fn unload_models(opened: State<'_, Opened>) -> Result<()> {
    opened.app().await?.unload_models().await;
    Ok(())
}

/// Sends what happens from now on, until the page is gone.
#[tauri::command]
pub(crate) async fn subscribe(opened: State<'_, Opened>, channel: Channel<AppEvent>) -> Result<()> {
    let app = opened.app().await?;
    tauri::async_runtime::spawn(async move { app.forward(|event| channel.send(event).is_ok()).await });
    Ok(())
}
