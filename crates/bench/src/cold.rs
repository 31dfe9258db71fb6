//! Loading: every repetition is a fresh process, cold or warm.

use crate::slot::{CellFailure, Slot};
use pocketbench_device as device;
use pocketbench_domain::generate::{GenerateRequest, Limits, Prompt, Sampling};
use pocketbench_domain::run::{LoadMeasured, Measured};
use pocketbench_domain::{ErrorCode, ErrorReport};
use pocketbench_worker::protocol::Event;
use std::path::Path;
use tokio_util::sync::CancellationToken;

/// The shortest work that shows that the model can answer.
fn one_token() -> GenerateRequest {
    GenerateRequest {
        prompt: Prompt::Raw("Hello".into()),
        sampling: Sampling::default(),
        limits: Limits { max_tokens: 1, stop: Vec::new(), ignore_eos: true },
        reuse_prefix: false,
    }
}

impl Slot {
    /// Starts a worker, loads and generates one token. Leaves the worker running for its memory to be read.
    pub(crate) async fn measure_load(
        &mut self,
        cold: bool,
        cancel: &CancellationToken,
    ) -> Result<Measured, CellFailure> {
        self.stop_worker().await;
        let path = self.entry.model.path.clone();
        let dropped = if cold {
            let dropped = tokio::task::spawn_blocking(move || device::drop_from_page_cache(Path::new(&path)))
                .await
                .map_err(|e| ErrorReport::new(ErrorCode::Internal, e.to_string()))?;
            let reason = match dropped {
                device::ColdResult::Confirmed => None,
                device::ColdResult::Asked => Some("the system does not say whether it did".to_owned()),
                device::ColdResult::NotDropped(reason) => Some(reason),
            };
            if let Some(reason) = reason {
                let message = format!("a cold start cannot be shown, since the model file stayed in memory: {reason}");
                return Err(CellFailure::Task(ErrorReport::new(ErrorCode::UnsupportedRequest, message).hint(
                    "The warm start still holds. Close other programs that use the file, or restart the device.",
                )));
            }
            true
        } else {
            false
        };
        self.start(cancel).await?;
        let load_ns = self.session()?.loaded.load_ns;
        let (stop, guard) = self.guard(cancel);
        let worker = self.worker()?;
        let spawned_at = worker.spawned_at();
        let mut first_token_ns = None;
        let generated = worker
            .generate(one_token(), &stop, |event| {
                if matches!(event, Event::Token { .. }) && first_token_ns.is_none() {
                    first_token_ns = u64::try_from(spawned_at.elapsed().as_nanos()).ok();
                }
            })
            .await;
        if let Some(stopped) = guard.and_then(|guard| guard.fired()) {
            return Err(self.stopped(stopped));
        }
        generated.map_err(|error| self.explain(error))?;
        let first_token_ns = first_token_ns.ok_or_else(|| {
            CellFailure::Task(ErrorReport::new(ErrorCode::Internal, "the model generated no token after loading"))
        })?;
        Ok(Measured::Load(LoadMeasured { cold: dropped, load_ns, first_token_ns }))
    }
}
