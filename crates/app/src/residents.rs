//! Models that stay loaded between answers: as many as memory allows; the one used longest ago goes first. A worker that
//! waits costs memory and nothing else: it sleeps on its input.

use crate::models::{fit_of, machine, this_device};
use crate::{App, Result};
use pocketbench_domain::ErrorReport;
use pocketbench_domain::conversation::ConversationId;
use pocketbench_domain::fit::FitClass;
use pocketbench_domain::model::ModelRef;
use pocketbench_domain::settings::EngineSettings;
use pocketbench_worker::Worker;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// How long a model stays loaded when nobody talks to it.
pub(crate) const KEEP_WARM: Duration = Duration::from_mins(5);
/// How often idle models are looked at.
const WATCH: Duration = Duration::from_secs(5);
/// Below this share of the machine's memory available, idle models go at once.
const PRESSURE: f64 = 0.05;

/// A worker with a model in it.
#[derive(Debug)]
pub(crate) struct Resident {
    pub(crate) model: ModelRef,
    pub(crate) settings: EngineSettings,
    pub(crate) worker: Worker,
    /// The conversation whose tokens are in its KV cache.
    pub(crate) holds: Option<ConversationId>,
    used_at: Instant,
}

/// The workers that chat has; locked for as long as one of them answers.
#[derive(Debug, Default)]
pub(crate) struct Residents(Vec<Resident>);

impl Residents {
    /// The model with these settings, loaded if it is not yet. Others make room for it if they must.
    pub(crate) async fn get(
        &mut self,
        app: &App,
        model: &ModelRef,
        settings: &EngineSettings,
        stop: &CancellationToken,
    ) -> Result<&mut Resident> {
        let wanted = |r: &Resident| r.model.sha256 == model.sha256 && r.settings == *settings;
        if let Some(place) = self.0.iter().position(wanted) {
            // The one used last stands last.
            let mut resident = self.0.remove(place);
            resident.used_at = Instant::now();
            self.0.push(resident);
        } else {
            while !self.0.is_empty() && fit_of(&model.header, model.file_bytes, settings).class != FitClass::Fits {
                self.0.remove(0).worker.shutdown().await;
            }
            let mut worker = Worker::start(&app.0.config.launch).await?;
            worker.load(&model.path, settings, stop, |_| ()).await?;
            let (model, settings) = (model.clone(), settings.clone());
            self.0.push(Resident { model, settings, worker, holds: None, used_at: Instant::now() });
        }
        let last = self.0.last_mut();
        last.ok_or_else(|| ErrorReport::new(pocketbench_domain::ErrorCode::Internal, "the worker is gone"))
    }

    /// Ends the worker that was used last: after a failure nobody knows what state it is in.
    pub(crate) fn drop_last(&mut self) {
        self.0.pop();
    }

    /// Whether no model is loaded.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A loaded model with this file, if there is one.
    pub(crate) fn of_model(&mut self, sha256: &str) -> Option<&mut Resident> {
        self.0.iter_mut().find(|resident| resident.model.sha256 == sha256)
    }

    /// Ends every worker.
    pub(crate) async fn clear(&mut self) {
        for resident in self.0.drain(..) {
            resident.worker.shutdown().await;
        }
    }

    /// Ends workers that nobody has used for a while, or all when memory is short.
    async fn tidy(&mut self) {
        let ram = machine().available_bytes as f64;
        let short = ram < PRESSURE * this_device().ram_bytes as f64;
        let (gone, kept) =
            std::mem::take(&mut self.0).into_iter().partition(|r| short || r.used_at.elapsed() >= KEEP_WARM);
        self.0 = kept;
        let gone: Vec<Resident> = gone;
        for resident in gone {
            resident.worker.shutdown().await;
        }
    }
}

impl App {
    /// Ends chat's workers; what is being answered is finished first. A measurement wants the machine for itself.
    pub(crate) async fn unload_residents(&self) {
        self.0.residents.lock().await.clear().await;
    }

    /// Looks after idle models until none is left.
    pub(crate) fn watch_residents(&self) {
        let app = std::sync::Arc::downgrade(&self.0);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(WATCH).await;
                let Some(inner) = app.upgrade() else { return };
                // One that is answering is not idle.
                let Ok(mut residents) = inner.residents.try_lock() else { continue };
                residents.tidy().await;
                if residents.0.is_empty() {
                    return;
                }
            }
        });
    }
}
