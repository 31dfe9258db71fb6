//! Builds runs with known figures: a `Bench` holds what a store would, and every sample's figures come out as the rates
//! and times that it was given.

use chrono::{DateTime, TimeDelta, Utc};
use pocketbench_domain::compare::{CompareOptions, RunResult};
use pocketbench_domain::device::{DeviceProfile, MachineLoad, ProcessMemory};
use pocketbench_domain::generate::{
    BatchGeneration, BatchRequest, BatchSequence, Buffers, EngineInfo, GenerateRequest, Generation, Limits, Loaded,
    Prompt, Sampling, StopReason, Synthetic, SyntheticRequest, TemplateSource,
};
use pocketbench_domain::job::JobId;
use pocketbench_domain::model::{ModelHeader, ModelRef};
use pocketbench_domain::run::{
    Cell, CellId, CellState, LoadMeasured, Measured, Round, RunEntry, RunId, RunRecord, RunSpec, Sample, SampleId,
    Session, SessionId,
};
use pocketbench_domain::settings::EngineSettings;
use pocketbench_domain::suite::{Category, Suite, SustainedRequest, Task, Work};
use uuid::Uuid;

pub(crate) const MAX_TOKENS: u32 = 100;

pub(crate) fn header(name: &str, quantization: &str) -> ModelHeader {
    // The shape of SmolLM2 135M.
    ModelHeader {
        architecture: "llama".into(),
        name: name.into(),
        quantization: quantization.into(),
        license: None,
        n_params: 134_515_008,
        tensor_bytes: 90_000_000,
        n_ctx_train: 8_192,
        n_layer: 30,
        n_embd: 576,
        n_head: 9,
        n_head_kv: vec![3; 30],
        head_dim_k: 64,
        head_dim_v: 64,
        sliding_window: None,
        n_vocab: 49_152,
        has_chat_template: true,
        ..ModelHeader::default()
    }
}

pub(crate) fn entry(name: &str, quantization: &str) -> RunEntry {
    let header = header(name, quantization);
    let model = ModelRef { sha256: "0".repeat(64), path: "model.gguf".into(), file_bytes: 92_000_000, header };
    RunEntry::new(model, EngineSettings::new(2_048, 2))
}

fn limits() -> Limits {
    Limits { max_tokens: MAX_TOKENS, stop: Vec::new(), ignore_eos: false }
}

pub(crate) fn generate() -> Work {
    Work::Generate(GenerateRequest {
        prompt: Prompt::Raw("Why is the sky blue?".into()),
        sampling: Sampling::default(),
        limits: limits(),
        reuse_prefix: false,
    })
}

pub(crate) fn batch() -> Work {
    let prompts = (0..10).map(|n| Prompt::Raw(format!("Count to {n}."))).collect();
    Work::Batch(BatchRequest { prompts, sampling: Sampling::default(), limits: limits(), in_turn: false })
}

pub(crate) fn synthetic(n_prompt: u32, n_gen: u32) -> Work {
    Work::Synthetic(SyntheticRequest { n_prompt, n_gen, n_depth: 0 })
}

pub(crate) fn task(id: &str, category: Category, work: Work) -> Task {
    Task { id: id.into(), category, title: format!("Task {id}"), work }
}

/// An answer with its first token at `ttft_ms` and then `tps` tokens a second.
pub(crate) fn generation(tps: f64, ttft_ms: f64, tokens: u32, stop: StopReason) -> Measured {
    let at = |token: u32| nanoseconds(ttft_ms / 1e3 + f64::from(token) / tps);
    let token_at_ns: Vec<u64> = (0..tokens).map(at).collect();
    Measured::Generation(Generation {
        text: "Because of scattering.".into(),
        prompt_tokens: 40,
        reused_tokens: 8,
        generated_tokens: tokens,
        stop,
        template: TemplateSource::ModelFile,
        template_ns: 20_000,
        tokenize_ns: 30_000,
        reasoning_tokens: 0,
        prefill_ns: nanoseconds(ttft_ms / 2e3),
        first_sample_ns: 10_000,
        end_at_ns: token_at_ns.last().copied().unwrap_or(0) + 1_000_000,
        speculation: None,
        token_at_ns,
    })
}

/// Ten answers of 100 tokens at `tps` tokens a second over all.
pub(crate) fn batch_generation(tps: f64) -> Measured {
    let sequence = BatchSequence {
        text: "One, two.".into(),
        prompt_tokens: 5,
        generated_tokens: MAX_TOKENS,
        stop: StopReason::MaxTokens,
    };
    let wall_ns = nanoseconds(10.0 * f64::from(MAX_TOKENS) / tps);
    Measured::Batch(BatchGeneration {
        sequences: vec![sequence; 10],
        wall_ns,
        prefill_ns: wall_ns / 10,
        shared_tokens: 0,
        in_turn: None,
    })
}

pub(crate) fn synthetic_time(request: SyntheticRequest, tps: f64) -> Measured {
    let elapsed_ns = nanoseconds(f64::from(request.n_prompt + request.n_gen) / tps);
    Measured::Synthetic(Synthetic { request, elapsed_ns })
}

pub(crate) fn load(cold: bool, load_ms: f64, first_token_ms: f64) -> Measured {
    let (load_ns, first_token_ns) = (nanoseconds(load_ms / 1e3), nanoseconds(first_token_ms / 1e3));
    Measured::Load(LoadMeasured { cold, load_ns, first_token_ns })
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "fixtures last seconds")]
fn nanoseconds(seconds: f64) -> u64 {
    (seconds * 1e9).round() as u64
}

pub(crate) fn sustained(seconds: u32) -> Work {
    let Work::Generate(mut request) = generate() else { unreachable!("it generates") };
    request.limits.ignore_eos = true;
    Work::Sustained(SustainedRequest { request, seconds })
}

/// A round of a task of 90 seconds.
pub(crate) fn round(at_s: f64, tps: f64) -> Measured {
    let Measured::Generation(generation) = generation(tps, 20.0, 100, StopReason::MaxTokens) else {
        unreachable!("it is one")
    };
    Measured::Round(Round { at_ns: nanoseconds(at_s), of_ns: nanoseconds(90.0), generation })
}

/// A run and all that is stored of it. Identifiers count up, so that two builds are equal.
pub(crate) struct Bench {
    pub(crate) run: RunRecord,
    pub(crate) cells: Vec<Cell>,
    pub(crate) sessions: Vec<Session>,
    pub(crate) samples: Vec<Sample>,
    next_id: u128,
}

impl Bench {
    pub(crate) fn new(entries: Vec<RunEntry>, tasks: Vec<Task>) -> Self {
        let suite = Suite {
            id: "test".into(),
            version: 1,
            title: "Test".into(),
            description: "For tests.".into(),
            repetitions: 3,
            warmup_max_tokens: 8,
            n_ctx: 2_048,
            tasks,
            sweep: None,
        };
        let run = RunRecord {
            id: RunId(Uuid::from_u128(1)),
            job_id: JobId(Uuid::from_u128(2)),
            spec: RunSpec { entries, suite, left_out: Vec::new(), reasons: Vec::new() },
            device: device(),
            app_version: "0.1.0".into(),
            app_commit: None,
            started_at: at(0),
            finished_at: None,
        };
        let mut bench = Self { run, cells: Vec::new(), sessions: Vec::new(), samples: Vec::new(), next_id: 100 };
        for (slot, entry) in (0..).zip(bench.run.spec.entries.clone()) {
            let id = SessionId(bench.id());
            bench.sessions.push(session(id, slot, &entry));
            for task in bench.run.spec.suite.tasks.clone() {
                let id = CellId(bench.id());
                let run_id = bench.run.id;
                let state = CellState::Pending;
                bench.cells.push(Cell { id, run_id, slot, task_id: task.id, state, failure: None });
            }
        }
        bench
    }

    /// Two models, A and B.
    pub(crate) fn of_two(tasks: Vec<Task>) -> Self {
        Self::new(vec![entry("Model A", "Q4_1"), entry("Model B", "Q8_0")], tasks)
    }

    fn id(&mut self) -> Uuid {
        self.next_id += 1;
        Uuid::from_u128(self.next_id)
    }

    pub(crate) fn cell(&mut self, slot: u32, task: &str) -> &mut Cell {
        self.cells.iter_mut().find(|cell| cell.slot == slot && cell.task_id == task).expect("a cell of the fixture")
    }

    /// Stores one repetition of a cell, with a peak of `peak_mb` megabytes, and calls the cell done.
    pub(crate) fn push(&mut self, slot: u32, task: &str, measured: Measured, peak_mb: u64) -> &mut Sample {
        let cell = self.cell(slot, task);
        cell.state = CellState::Done;
        let cell_id = cell.id;
        let repetition = self.samples.iter().filter(|s| s.cell_id == cell_id && !s.warmup).count();
        let session_id = self.sessions.iter().find(|session| session.slot == slot).expect("a session").id;
        let sample = Sample {
            id: SampleId(self.id()),
            cell_id,
            session_id,
            repetition: u32::try_from(repetition).expect("few repetitions"),
            warmup: false,
            started_at: at(i64::try_from(self.samples.len()).expect("few samples")),
            measured,
            memory: ProcessMemory {
                rss_bytes: (peak_mb - 1) * 1_000_000,
                peak_rss_bytes: Some(peak_mb * 1_000_000),
                swap_bytes: Some(0),
                ..ProcessMemory::default()
            },
            machine: MachineLoad { other_cpu: Some(0.02), ..MachineLoad::default() },
            conditions: None,
        };
        self.samples.push(sample);
        self.samples.last_mut().expect("just pushed")
    }

    /// Stores full-length answers with these decode rates.
    pub(crate) fn answers(&mut self, slot: u32, task: &str, rates: &[f64], ttft_ms: f64, peak_mb: u64) {
        for (n, rate) in (0u32..).zip(rates) {
            let ttft = ttft_ms * (1.0 + 0.002 * f64::from(n % 3));
            self.push(slot, task, generation(*rate, ttft, MAX_TOKENS, StopReason::MaxTokens), peak_mb);
        }
    }

    pub(crate) fn result(&self) -> RunResult {
        self.result_with(&CompareOptions::default())
    }

    pub(crate) fn result_with(&self, options: &CompareOptions) -> RunResult {
        RunResult::compute(&self.run, &self.cells, &self.sessions, &self.samples, options)
    }
}

pub(crate) fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(1_760_000_000 + seconds)
}

pub(crate) fn device() -> DeviceProfile {
    DeviceProfile {
        fingerprint: "f".into(),
        name: "Test bench".into(),
        os: "Linux".into(),
        kernel: None,
        arch: "x86_64".into(),
        cpu: "CPU".into(),
        physical_cores: Some(2),
        logical_cores: 2,
        core_clusters: Vec::new(),
        cache_bytes: None,
        cpu_features: Vec::new(),
        virtual_machine: None,
        ram_bytes: 8_000_000_000,
        ram_available_bytes: 6_000_000_000,
        swap_bytes: 0,
        storage_free_bytes: None,
        battery: None,
    }
}

fn session(id: SessionId, slot: u32, entry: &RunEntry) -> Session {
    Session {
        id,
        run_id: RunId(Uuid::from_u128(1)),
        slot,
        cooled: None,
        started_at: at(slot.into()),
        engine: EngineInfo {
            protocol: 1,
            app_version: "0.1.0".into(),
            bindings_version: "0".into(),
            cpu_variant: "native".into(),
            system_info: "AVX2 = 1".into(),
            backends: vec!["CPU".into()],
            pid: 1,
        },
        loaded: Loaded {
            load_ns: 100_000_000,
            buffers: vec![Buffers {
                buffer_type: "CPU".into(),
                weights_bytes: entry.model.header.tensor_bytes,
                kv_bytes: 47_185_920,
                compute_bytes: 101_711_872,
            }],
            effective: entry.settings.clone(),
            backend: "CPU".into(),
            description: "llama 135M".into(),
            n_params: entry.model.header.n_params,
            tensor_bytes: entry.model.header.tensor_bytes,
            n_ctx_train: 8_192,
            has_chat_template: true,
        },
        baseline: ProcessMemory { rss_bytes: 20_000_000, ..ProcessMemory::default() },
    }
}
