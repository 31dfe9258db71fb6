//! Use cases and jobs: what both the app and the command line do. Knows neither Tauri nor a terminal.
//!
//! A spec goes down to the runner, samples come up, are stored as they arrive, and every answer to a front end is
//! computed from what is stored.

pub mod api;
mod catalogue;
mod chat;
mod chat_cloud;
mod chat_options;
mod chat_route;
mod claims;
mod downloads;
mod duels;
mod estimate;
mod fitting;
mod jobs;
mod library;
mod llama_bench;
mod meter;
mod models;
mod providers;
mod record;
mod report;
mod residents;
mod results;
mod routing;
mod runs;
mod tuning;

pub use claims::claims;
pub use jobs::Events;
pub use llama_bench::BenchRecord;
pub use pocketbench_bench::{BALLOON_ARGUMENT, suites};
pub use pocketbench_cloud::{ClientOptions, presets as provider_presets};
pub use pocketbench_domain as domain;
pub use pocketbench_worker::Launch;
pub use report::{
    LIMIT_LABEL, figure, letter, limit_notes, limits, memory_gives, reason_says, remarks, render, row_says, wire_name,
};
pub use routing::{RouteQuestion, evaluate_route, explain_route, read_policy};
pub use runs::{Adjust, NewRun};

use api::{AppInfo, DeviceReport, SuiteInfo, TaskInfo};
use chrono::{DateTime, Utc};
use jobs::Jobs;
use pocketbench_domain::compare::CompareOptions;
use pocketbench_domain::device::DeviceProfile;
use pocketbench_domain::generate::EngineInfo;
use pocketbench_domain::{ErrorCode, ErrorReport};
use pocketbench_store::{Access, Store};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a use case gives, or an error in plain words.
pub type Result<T> = std::result::Result<T, ErrorReport>;

/// Where things are and how workers are started.
#[derive(Debug, Clone)]
pub struct Config {
    /// Database, lock and logs.
    pub data_folder: PathBuf,
    /// Model files.
    pub models_folder: PathBuf,
    /// How workers are started.
    pub launch: Launch,
    /// Whether a device may be tuned before its first run.
    pub tune: bool,
    /// Version of the program.
    pub version: String,
    /// Its commit, where the build knew it.
    pub commit: Option<String>,
    /// What results take for granted, such as the limit of a cold start.
    pub compare: CompareOptions,
    /// How patiently providers are asked. Proxy and name are set by the program.
    pub cloud: ClientOptions,
    /// Secrets are kept in the encrypted file also where the system has a key store, so that tests touch nobody's.
    pub keys_in_file: bool,
}

impl Config {
    /// The usual places of this system, or those named by `POCKETBENCH_HOME` and `POCKETBENCH_MODELS`. With
    /// `POCKETBENCH_NO_TUNE` no run is preceded by a tuning.
    #[must_use]
    pub fn new(version: &str, commit: Option<&str>, launch: Launch) -> Self {
        let data_folder = std::env::var_os("POCKETBENCH_HOME").map_or_else(default_data_folder, PathBuf::from);
        let models_folder =
            std::env::var_os("POCKETBENCH_MODELS").map_or_else(|| data_folder.join("models"), PathBuf::from);
        Self {
            data_folder,
            models_folder,
            launch,
            tune: std::env::var_os("POCKETBENCH_NO_TUNE").is_none_or(|value| value.is_empty()),
            version: version.to_owned(),
            commit: commit.map(str::to_owned),
            compare: CompareOptions::default(),
            cloud: ClientOptions::default(),
            keys_in_file: false,
        }
    }
}

fn default_data_folder() -> PathBuf {
    let from = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = if cfg!(windows) {
        from("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        from("HOME").map(|home| home.join("Library/Application Support"))
    } else {
        from("XDG_DATA_HOME").or_else(|| from("HOME").map(|home| home.join(".local/share")))
    };
    base.unwrap_or_else(std::env::temp_dir).join("pocketbench")
}

/// Everything that Pocketbench can do. Cheap to clone.
#[derive(Debug, Clone)]
pub struct App(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: Config,
    store: Store,
    jobs: Jobs,
    /// One measurement at a time: two would measure each other.
    measuring: Arc<tokio::sync::Mutex<()>>,
    /// Held while the memory bandwidth is measured.
    bandwidth: tokio::sync::Mutex<()>,
    /// Models that chat keeps loaded.
    residents: Arc<residents::Residents>,
    answers: chat::Answers,
    /// Held while an answer's cost moves from what may be spent to what is.
    paying: tokio::sync::Mutex<()>,
    /// A mode of routing in place of the one that is stored.
    route_mode: std::sync::Mutex<Option<pocketbench_domain::route::Mode>>,
    models: models::Checks,
    catalogue: catalogue::InUse,
    queue: downloads::Queue,
    /// The engine that workers run, once it was asked.
    engine: tokio::sync::OnceCell<EngineInfo>,
    providers: providers::Clients,
}

/// Latest runs that are asked for a worker: one that was only planned had none.
const RUNS_ASKED: u32 = 10;

impl App {
    /// Opens the data folder. Jobs that ran when the program ended are marked as interrupted.
    ///
    /// # Errors
    /// `ALREADY_RUNNING`, `DATA_FOLDER_READ_ONLY`, `DATABASE_NEWER`, `DATABASE_CORRUPT`, `DISK_FULL`.
    pub async fn open(config: Config) -> Result<Self> {
        let store = Store::open(&config.data_folder, Access::Own).await?;
        store.mark_interrupted(now()).await?;
        let app = Self::with_store(config, store);
        app.tidy_conversations().await?;
        Ok(app)
    }

    /// Opens the data folder for looking only, beside a Pocketbench that measures.
    pub async fn open_read_only(config: Config) -> Result<Self> {
        let store = Store::open(&config.data_folder, Access::ReadOnly).await?;
        Ok(Self::with_store(config, store))
    }

    fn with_store(config: Config, store: Store) -> Self {
        let measuring = Arc::default();
        let residents = Arc::new(residents::Residents::new(Arc::clone(&measuring)));
        Self(Arc::new(Inner {
            config,
            store,
            jobs: Jobs::default(),
            measuring,
            bandwidth: tokio::sync::Mutex::default(),
            residents,
            answers: chat::Answers::default(),
            paying: tokio::sync::Mutex::default(),
            route_mode: std::sync::Mutex::default(),
            models: models::Checks::default(),
            catalogue: catalogue::InUse::default(),
            queue: downloads::Queue::default(),
            engine: tokio::sync::OnceCell::new(),
            providers: providers::Clients::default(),
        }))
    }

    fn store(&self) -> &Store {
        &self.0.store
    }

    /// The program itself.
    #[must_use]
    pub fn info(&self) -> AppInfo {
        let config = &self.0.config;
        AppInfo {
            version: config.version.clone(),
            commit: config.commit.clone(),
            data_folder: config.data_folder.display().to_string(),
            models_folder: config.models_folder.display().to_string(),
        }
    }

    /// The machine as it is now.
    pub async fn device(&self) -> Result<DeviceProfile> {
        device_profile(&self.0.config.models_folder).await
    }

    /// The machine with what it can do and tell. Measures its memory bandwidth, if that is not known and nothing else is
    /// being measured.
    pub async fn device_report(&self) -> Result<DeviceReport> {
        let bandwidth = self.bandwidth().await?;
        let (sensors, sensors_found) = blocking(|| {
            let mut sensors = pocketbench_device::Sensors::open();
            (sensors.read(), sensors.found())
        })
        .await?;
        let mut cpu_variant = None;
        for run in self.store().runs(RUNS_ASKED).await? {
            if let Some(session) = self.store().sessions(run.id).await?.pop() {
                cpu_variant = Some(session.engine.cpu_variant);
                break;
            }
        }
        Ok(DeviceReport { profile: self.device().await?, bandwidth, cpu_variant, sensors, sensors_found })
    }

    /// The suites that can be picked.
    #[must_use]
    pub fn suites(&self) -> Vec<SuiteInfo> {
        suites::shipped()
            .iter()
            .map(|suite| SuiteInfo {
                id: suite.id.clone(),
                version: suite.version,
                title: suite.title.clone(),
                description: suite.description.clone(),
                repetitions: suite.repetitions,
                tasks: suite
                    .tasks
                    .iter()
                    .map(|t| TaskInfo { id: t.id.clone(), title: t.title.clone(), category: t.category })
                    .collect(),
                minutes: suites::minutes(suite),
                sweep: suite.sweep.clone(),
            })
            .collect()
    }
}

/// The machine as it is now; needs no data folder.
pub async fn device_profile(models_folder: &Path) -> Result<DeviceProfile> {
    let folder = models_folder.to_path_buf();
    blocking(move || pocketbench_device::profile(&folder)).await
}

/// Runs the worker's server on standard input and output until the client is gone. If the argument behind the worker's own
/// is [`BALLOON_ARGUMENT`], the process is a balloon instead.
pub fn run_worker(version: &str, argument: Option<&str>) {
    let input = std::io::BufReader::new(std::io::stdin());
    if argument == Some(BALLOON_ARGUMENT) {
        pocketbench_device::serve_balloon(input, std::io::stdout());
        return;
    }
    // Where memory runs out, a worker's end is a result; that of the app or of anybody's work is not.
    pocketbench_device::go_first();
    pocketbench_worker::server::serve(input, std::io::stdout(), version, pocketbench_worker::server::WhenClosed::Exit);
}

fn now() -> DateTime<Utc> {
    Utc::now()
}

fn new_id() -> uuid::Uuid {
    uuid::Uuid::now_v7()
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|error| ErrorReport::new(ErrorCode::Internal, error.to_string()))
}
