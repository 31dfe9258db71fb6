//! Synthetic cells as records with llama-bench's own fields, so that files can be exchanged with it.

use crate::{App, Result};
use pocketbench_domain::compare::RunResult;
use pocketbench_domain::run::{Measured, RunId, Sample};
use pocketbench_domain::settings::FlashAttention;
use pocketbench_domain::stats;
use pocketbench_domain::suite::Work;
use serde::Serialize;

/// One record of llama-bench, with ours behind it. Field names, order and units are llama-bench's (`-o json`).
#[derive(Debug, Clone, PartialEq, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "the fields are llama-bench's")]
pub struct BenchRecord {
    /// llama.cpp's commit is fixed by the version of the bindings, which is what is known here.
    pub build_commit: String,
    /// Not known: 0.
    pub build_number: u32,
    /// Processor.
    pub cpu_info: String,
    /// Graphics processor; empty without one.
    pub gpu_info: String,
    /// Backends loaded.
    pub backends: String,
    /// Path of the model.
    pub model_filename: String,
    /// llama.cpp's description.
    pub model_type: String,
    /// Bytes of all tensors.
    pub model_size: u64,
    /// Number of weights.
    pub model_n_params: u64,
    /// Logical batch.
    pub n_batch: u32,
    /// Micro-batch.
    pub n_ubatch: u32,
    /// Threads.
    pub n_threads: u32,
    /// CPU mask; none is set.
    pub cpu_mask: String,
    /// Strict placement; off.
    pub cpu_strict: bool,
    /// Polling level of llama.cpp's own thread pool; its default.
    pub poll: u32,
    /// Key cache type.
    pub type_k: &'static str,
    /// Value cache type.
    pub type_v: &'static str,
    /// Layers on a GPU.
    pub n_gpu_layers: u32,
    /// Mode of splitting over several GPUs.
    pub split_mode: &'static str,
    /// First GPU.
    pub main_gpu: u32,
    /// KV cache kept off the GPU.
    pub no_kv_offload: bool,
    /// Fused attention.
    pub flash_attn: bool,
    /// Devices chosen.
    pub devices: &'static str,
    /// Split over GPUs.
    pub tensor_split: &'static str,
    /// Tensors sent elsewhere.
    pub tensor_buft_overrides: &'static str,
    /// Mapped file.
    pub use_mmap: bool,
    /// Embedding mode.
    pub embeddings: bool,
    /// Operations kept off the GPU.
    pub no_op_offload: u32,
    /// Host buffers bypassed.
    pub no_host: bool,
    /// Tokens prefilled.
    pub n_prompt: u32,
    /// Tokens decoded.
    pub n_gen: u32,
    /// Tokens in the cache before.
    pub n_depth: u32,
    /// When the first repetition started.
    pub test_time: String,
    /// Mean time.
    pub avg_ns: f64,
    /// Standard deviation; 0 for a single repetition, as llama-bench writes it.
    pub stddev_ns: f64,
    /// Mean rate.
    pub avg_ts: f64,
    /// Standard deviation of the rate.
    pub stddev_ts: f64,
    /// Every repetition.
    pub samples_ns: Vec<u64>,
    /// Every repetition's rate.
    pub samples_ts: Vec<f64>,
    /// What llama-bench does not record.
    pub pocketbench: Extra,
}

/// What llama-bench does not record.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Extra {
    /// Version of Pocketbench.
    pub app_version: String,
    /// The run in the database.
    pub run_id: RunId,
    /// Hash of the model file.
    pub model_sha256: String,
    /// Quantization of most weights.
    pub quantization: String,
    /// CPU variant in use.
    pub cpu_variant: String,
    /// Instruction sets and compile flags.
    pub system_info: String,
    /// Operating system.
    pub os: String,
    /// Physical memory.
    pub ram_bytes: u64,
    /// Context.
    pub n_ctx: u32,
    /// Median rate.
    pub median_ts: Option<f64>,
    /// Its 95 % interval.
    pub median_ts_interval: Option<stats::Interval>,
    /// High-water marks of resident memory, one a repetition.
    pub peak_rss_bytes: Vec<Option<u64>>,
    /// Share of the CPU that others used, one a repetition.
    pub other_cpu: Vec<Option<f64>>,
    /// Weights, KV cache and compute buffers as llama.cpp accounts for them.
    pub weights_bytes: u64,
    /// See above.
    pub kv_bytes: u64,
    /// See above.
    pub compute_bytes: u64,
}

impl App {
    /// The synthetic cells of a run as llama-bench's records.
    pub async fn bench_records(&self, run: RunId) -> Result<Vec<BenchRecord>> {
        let result = self.result(run).await?;
        let samples = self.raw_samples(run).await?;
        Ok(records(&result, &samples))
    }
}

/// The synthetic cells of a result as llama-bench's records.
pub(crate) fn records(result: &RunResult, samples: &[Sample]) -> Vec<BenchRecord> {
    let mut records = Vec::new();
    for task in &result.tasks {
        let Some(Work::Synthetic(request)) = result.run.spec.task(&task.task_id).map(|t| &t.work) else { continue };
        for (entry, cell) in result.entries.iter().zip(&task.cells) {
            let of_cell: Vec<&Sample> = samples.iter().filter(|s| s.cell_id == cell.cell_id && !s.warmup).collect();
            let Some(session) = of_cell.first().and_then(|s| entry.sessions.iter().find(|x| x.id == s.session_id))
            else {
                continue;
            };
            let samples_ns: Vec<u64> = of_cell
                .iter()
                .filter_map(|s| if let Measured::Synthetic(m) = &s.measured { Some(m.elapsed_ns) } else { None })
                .collect();
            let ns: Vec<f64> = samples_ns.iter().map(|&ns| ns as f64).collect();
            let tokens = f64::from(request.n_prompt + request.n_gen);
            let samples_ts: Vec<f64> = ns.iter().map(|ns| tokens * 1e9 / ns).collect();
            let (effective, loaded) = (&session.loaded.effective, &session.loaded);
            let summary = stats::Summary::of(&samples_ts);
            records.push(BenchRecord {
                build_commit: format!("llama-cpp-sys-2 {}", session.engine.bindings_version),
                build_number: 0,
                cpu_info: result.run.device.cpu.clone(),
                gpu_info: String::new(),
                backends: session.engine.backends.join(","),
                model_filename: entry.model.path.clone(),
                model_type: loaded.description.clone(),
                model_size: loaded.tensor_bytes,
                model_n_params: loaded.n_params,
                n_batch: effective.n_batch,
                n_ubatch: effective.n_ubatch,
                n_threads: effective.n_threads,
                cpu_mask: "0x0".into(),
                cpu_strict: false,
                poll: 50,
                type_k: effective.kv_type_k.name(),
                type_v: effective.kv_type_v.name(),
                n_gpu_layers: effective.n_gpu_layers,
                split_mode: "layer",
                main_gpu: 0,
                no_kv_offload: false,
                flash_attn: effective.flash_attention == FlashAttention::On,
                devices: "auto",
                tensor_split: "0.00",
                tensor_buft_overrides: "none",
                use_mmap: effective.use_mmap,
                embeddings: false,
                no_op_offload: 0,
                no_host: false,
                n_prompt: request.n_prompt,
                n_gen: request.n_gen,
                n_depth: request.n_depth,
                test_time: of_cell
                    .first()
                    .map(|s| s.started_at.format("%Y-%m-%dT%H:%M:%SZ").to_string())
                    .unwrap_or_default(),
                avg_ns: stats::mean(&ns).unwrap_or(0.0),
                stddev_ns: stats::sd(&ns).unwrap_or(0.0),
                avg_ts: stats::mean(&samples_ts).unwrap_or(0.0),
                stddev_ts: stats::sd(&samples_ts).unwrap_or(0.0),
                samples_ns,
                samples_ts,
                pocketbench: Extra {
                    app_version: result.run.app_version.clone(),
                    run_id: result.run.id,
                    model_sha256: entry.model.sha256.clone(),
                    quantization: entry.model.header.quantization.clone(),
                    cpu_variant: session.engine.cpu_variant.clone(),
                    system_info: session.engine.system_info.clone(),
                    os: result.run.device.os.clone(),
                    ram_bytes: result.run.device.ram_bytes,
                    n_ctx: effective.n_ctx,
                    median_ts: summary.as_ref().map(|s| s.median),
                    median_ts_interval: summary.and_then(|s| s.interval),
                    peak_rss_bytes: of_cell.iter().map(|s| s.memory.peak_rss_bytes).collect(),
                    other_cpu: of_cell.iter().map(|s| s.machine.other_cpu).collect(),
                    weights_bytes: loaded.weights_bytes(),
                    kv_bytes: loaded.kv_bytes(),
                    compute_bytes: loaded.compute_bytes(),
                },
            });
        }
    }
    records
}
