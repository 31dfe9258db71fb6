//! Loads a model in a worker of its own, makes it work, and holds the memory it took against the prediction.

use pocketbench_device::{process_memory, profile, ram_available};
use pocketbench_domain::device::ProcessMemory;
use pocketbench_domain::fit::{Fit, Machine};
use pocketbench_domain::generate::{GenerateRequest, Limits, Loaded, Prompt, Sampling, SyntheticRequest};
use pocketbench_domain::settings::{EngineSettings, KvType};
use pocketbench_hub::{model_bytes, read_header};
use pocketbench_worker::{Launch, Worker};
use std::path::Path;
use tokio_util::sync::CancellationToken;

/// One model with one set of settings.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) path: String,
    pub(crate) settings: EngineSettings,
    /// Tokens of prompt. A whole context shows all that can be touched.
    pub(crate) n_prompt: u32,
}

/// Predicted and measured.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) fit: Fit,
    pub(crate) loaded: Loaded,
    pub(crate) baseline: ProcessMemory,
    /// High-water mark.
    pub(crate) peak_bytes: u64,
    /// When the work was done.
    pub(crate) end: ProcessMemory,
}

impl Case {
    /// Measured on this machine.
    pub(crate) async fn run(&self, launch: &Launch) -> Result<Outcome, Box<dyn std::error::Error>> {
        let path = Path::new(&self.path);
        let header = read_header(path)?;
        let file_bytes = model_bytes(path)?;
        let available_bytes = ram_available().unwrap_or(0);
        let machine = Machine { available_bytes, ..(&profile(Path::new("."))).into() };
        let fit = Fit::predict(&header, &self.settings, file_bytes, &machine);

        let cancel = CancellationToken::new();
        let mut worker = Worker::start(launch).await?;
        let pid = worker.pid().ok_or("the worker is no process of its own")?;
        let memory = || process_memory(pid).ok_or("the system does not tell a process's memory");
        let baseline = memory()?;
        let loaded = worker.load(&self.path, &self.settings, &cancel, |_| ()).await?;
        let prompt = SyntheticRequest { n_prompt: self.n_prompt, n_gen: 4, n_depth: 0 };
        worker.synthetic(prompt, &cancel).await?;
        let text = GenerateRequest {
            prompt: Prompt::Raw("Why is the sky blue?".into()),
            sampling: Sampling::default(),
            limits: Limits { max_tokens: 8, stop: Vec::new(), ignore_eos: true },
            reuse_prefix: false,
        };
        worker.generate(text, &cancel, |_| ()).await?;
        let end = memory()?;
        let peak_bytes = end.peak_rss_bytes.ok_or("the system does not tell a process's peak")?;
        worker.shutdown().await;
        Ok(Outcome { fit, loaded, baseline, peak_bytes, end })
    }

    /// What distinguishes it.
    pub(crate) fn name(&self) -> String {
        let s = &self.settings;
        let file = Path::new(&self.path).file_stem().unwrap_or_default().to_string_lossy();
        let kv = if s.kv_type_k == KvType::F16 { String::new() } else { format!(", KV {}", s.kv_type_k.name()) };
        let repack = if s.repack { "" } else { ", not repacked" };
        let mapped = if s.use_mmap { "" } else { ", read instead of mapped" };
        format!("{file}, {} tokens{kv}{repack}{mapped}", s.n_ctx)
    }
}

impl Outcome {
    /// Predicted less measured, as a share of the measured peak.
    pub(crate) fn error(&self) -> f64 {
        self.fit.predicted_bytes as f64 / self.peak_bytes as f64 - 1.0
    }
}
