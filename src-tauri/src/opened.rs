//! The data folder, opened on the first command and tried again after a failure, so that the window can always say what
//! is wrong and offer *Retry*.

use pocketbench_app_core::{App, Config, Result};
use tokio::sync::Mutex;

/// The app behind the window.
pub(crate) struct Opened {
    config: Config,
    app: Mutex<Option<App>>,
}

impl Opened {
    pub(crate) fn new(config: Config) -> Self {
        Self { config, app: Mutex::new(None) }
    }

    pub(crate) async fn app(&self) -> Result<App> {
        let mut app = self.app.lock().await;
        if let Some(app) = &*app {
            return Ok(app.clone());
        }
        let opened = app.insert(App::open(self.config.clone()).await?).clone();
        let preloading = opened.clone();
        tauri::async_runtime::spawn(async move {
            if let Err(error) = preloading.preload().await {
                tracing::warn!(%error, "the model that was used last was not loaded");
            }
        });
        Ok(opened)
    }
}
