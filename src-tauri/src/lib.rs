//! The Tauri shell: one window, thin commands, one channel. Everything it does is done by `pocketbench-app-core`.

mod commands;
mod opened;

use opened::Opened;
use pocketbench_app_core::{Config, Launch};

/// Hidden argument with which the app's own executable is the worker.
const WORKER_ARGUMENT: &str = "--pocketbench-worker";

/// Runs the app, or the worker if that is what this process was started as.
///
/// # Panics
/// If the window system cannot be reached.
#[cfg_attr(mobile, tauri::mobile_entry_point)]
pub fn run() {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|argument| argument == WORKER_ARGUMENT) {
        let argument = arguments.next();
        pocketbench_app_core::run_worker(env!("CARGO_PKG_VERSION"), argument.as_deref().and_then(|a| a.to_str()));
        return;
    }
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_env("POCKETBENCH_LOG"))
        .with_writer(std::io::stderr)
        .init();
    let config = Config::new(env!("CARGO_PKG_VERSION"), option_env!("POCKETBENCH_COMMIT"), launch());
    app(tauri::Builder::default().plugin(tauri_plugin_dialog::init()), config)
        .run(tauri::generate_context!())
        .expect("the app could not reach the window system");
}

/// Adds commands and state to a builder; tests give it a mock window system.
pub(crate) fn app<R: tauri::Runtime>(builder: tauri::Builder<R>, config: Config) -> tauri::Builder<R> {
    builder.manage(Opened::new(config)).invoke_handler(tauri::generate_handler![
        commands::app_info,
        commands::device,
        commands::device_report,
        commands::models,
        commands::add_model,
        commands::catalogue,
        commands::add_repository,
        commands::remove_repository,
        commands::update_catalogue,
        commands::model_fit,
        commands::source_fit,
        commands::download,
        commands::pause_job,
        commands::discard_partial,
        commands::import_model,
        commands::found_models,
        commands::locate_model,
        commands::verify_model,
        commands::delete_preview,
        commands::delete_model,
        commands::storage,
        commands::download_settings,
        commands::set_download_settings,
        commands::hub_token,
        commands::set_hub_token,
        commands::suites,
        commands::estimate,
        commands::start_run,
        commands::tuning,
        commands::tune,
        commands::forget_tuning,
        commands::set_automatic_tuning,
        commands::stop_job,
        commands::resume_job,
        commands::jobs,
        commands::runs,
        commands::result,
        commands::samples,
        commands::export_run,
        commands::claims,
        commands::measure_bandwidth,
        commands::provider_presets,
        commands::providers,
        commands::save_provider,
        commands::remove_provider,
        commands::set_provider_key,
        commands::verify_provider,
        commands::conversations,
        commands::conversation,
        commands::begin_conversation,
        commands::change_conversation,
        commands::delete_conversation,
        commands::restore_conversation,
        commands::pin_message,
        commands::show_branch,
        commands::send_message,
        commands::answer_question,
        commands::regenerate,
        commands::stop_answer,
        commands::context_meter,
        commands::export_conversation,
        commands::import_conversation,
        commands::chat_options,
        commands::set_chat_options,
        commands::spending,
        commands::start_duel,
        commands::vote_duel,
        commands::duels,
        commands::duel_ranking,
        commands::resident_models,
        commands::unload_models,
        commands::subscribe,
    ])
}

/// Workers are this executable, where the system allows child processes.
fn launch() -> Launch {
    match std::env::current_exe() {
        Ok(program) if !cfg!(target_os = "ios") => Launch::Child { program, args: vec![WORKER_ARGUMENT.into()] },
        _ => Launch::InProcess,
    }
}

#[cfg(test)]
mod tests;
