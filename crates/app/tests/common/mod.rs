//! Apps for tests of chat, each with a folder of its own.

use pocketbench_app_core::domain::ErrorCode;
use pocketbench_app_core::{App, Config, Launch};
use std::path::Path;
use std::time::Duration;

/// Workers within this process, and everything in the folder.
pub(crate) fn config(folder: &Path) -> Config {
    let mut config = Config::new("test", None, Launch::InProcess);
    config.data_folder = folder.to_path_buf();
    config.models_folder = folder.join("models");
    config
}

/// Opens an app. The one before is gone when its last task has ended, which is a moment after its last event.
pub(crate) async fn open(config: Config) -> App {
    for _ in 0..500 {
        match App::open(config.clone()).await {
            Err(error) if error.code == ErrorCode::AlreadyRunning => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            opened => return opened.unwrap(),
        }
    }
    panic!("the app before does not end")
}
