//! `pocketbench`: the headless command line.

mod args;
mod chat;
mod commands;
mod models;
mod output;
mod providers;
mod route;

use args::{Cli, Command};
use clap::Parser;
use pocketbench_app_core::BALLOON_ARGUMENT;
use pocketbench_app_core::domain::{ErrorCode, ErrorReport};
use std::process::ExitCode;

/// Exit codes, stable: scripts rely on them. `clap` uses 2 for a wrong command line.
mod exit {
    /// Something went wrong; the message says what.
    pub(crate) const FAILED: u8 = 1;
    /// Input that cannot be used: a bad model file, suite or setting.
    pub(crate) const BAD_INPUT: u8 = 3;
    /// Not enough memory or disk space.
    pub(crate) const NO_ROOM: u8 = 4;
    /// Another Pocketbench holds the data folder.
    pub(crate) const BUSY: u8 = 5;
    /// The network or the host failed; what is here already is kept.
    pub(crate) const NETWORK: u8 = 7;
    /// The run ended, but some cells could not be measured.
    pub(crate) const PARTIAL: u8 = 6;
    /// Stopped by Ctrl-C. What was measured is kept.
    pub(crate) const STOPPED: u8 = 130;
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    // The worker is not asynchronous and must not log to its protocol's pipe.
    if let Command::Worker { balloon } = cli.command {
        pocketbench_app_core::run_worker(env!("CARGO_PKG_VERSION"), balloon.then_some(BALLOON_ARGUMENT));
        return ExitCode::SUCCESS;
    }
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_env("POCKETBENCH_LOG"))
        .with_writer(std::io::stderr)
        .init();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&ErrorReport::new(ErrorCode::Internal, error.to_string())),
    };
    match runtime.block_on(commands::run(cli)) {
        Ok(code) => ExitCode::from(code),
        Err(error) => fail(&error),
    }
}

fn fail(error: &ErrorReport) -> ExitCode {
    output::error(error);
    ExitCode::from(match error.code {
        ErrorCode::Cancelled => exit::STOPPED,
        ErrorCode::AlreadyRunning => exit::BUSY,
        ErrorCode::DiskFull | ErrorCode::NotEnoughMemory | ErrorCode::OutOfMemory => exit::NO_ROOM,
        ErrorCode::ModelFileNotFound
        | ErrorCode::ModelFileNotGguf
        | ErrorCode::ModelFileTruncated
        | ErrorCode::ModelFileCorrupt
        | ErrorCode::ModelFileChanged
        | ErrorCode::ModelArchitectureUnknown
        | ErrorCode::ModelLoadFailed
        | ErrorCode::ContextTooLong
        | ErrorCode::PromptTooLong
        | ErrorCode::SuiteInvalid
        | ErrorCode::InvalidInput
        | ErrorCode::NotFound
        | ErrorCode::ModelInUse
        | ErrorCode::LicenseNotAccepted
        | ErrorCode::UrlInvalid
        | ErrorCode::FileNameUnsafe
        | ErrorCode::RepositoryWithoutGguf
        | ErrorCode::CatalogueInvalid
        | ErrorCode::CatalogueUntrusted
        | ErrorCode::ProviderModelUnknown
        | ErrorCode::ProviderContextTooLong
        | ErrorCode::ProviderRefused
        | ErrorCode::BudgetExhausted => exit::BAD_INPUT,
        ErrorCode::NetworkUnavailable
        | ErrorCode::NetworkMetered
        | ErrorCode::TlsFailed
        | ErrorCode::DownloadTokenRequired
        | ErrorCode::DownloadForbidden
        | ErrorCode::DownloadNotFound
        | ErrorCode::DownloadRateLimited
        | ErrorCode::DownloadServerError
        | ErrorCode::DownloadRedirectLoop
        | ErrorCode::DownloadStalled
        | ErrorCode::DownloadRangeInvalid
        | ErrorCode::DownloadChanged
        | ErrorCode::DownloadLengthMismatch
        | ErrorCode::DownloadChecksumMismatch
        | ErrorCode::DownloadNotAModel
        | ErrorCode::ProviderUnauthorized
        | ErrorCode::ProviderUnreachable
        | ErrorCode::ProviderWrongUrl
        | ErrorCode::ProviderQuotaExhausted
        | ErrorCode::ProviderRateLimited
        | ErrorCode::ProviderServerError
        | ErrorCode::ProviderTlsFailed
        | ErrorCode::ProviderStreamMalformed
        | ErrorCode::ProviderStreamCut
        | ErrorCode::ProviderTimeout
        | ErrorCode::ProviderContentType
        | ErrorCode::ProviderAnswerTooLarge
        | ErrorCode::ProviderPaused => exit::NETWORK,
        _ => exit::FAILED,
    })
}
