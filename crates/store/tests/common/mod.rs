//! Records for the tests: plausible, complete, and different from each other in every field that could be mixed up.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]

use chrono::{DateTime, TimeDelta, Utc};
use pocketbench_domain::device::{Battery, DeviceProfile, MachineLoad, ProcessMemory};
use pocketbench_domain::generate::{
    BatchGeneration, BatchRequest, BatchSequence, Buffers, EngineInfo, GenerateRequest, Generation, Limits, Loaded,
    Message, Prompt, Role, Sampling, StopReason, Synthetic, SyntheticRequest, TemplateSource,
};
use pocketbench_domain::job::{Job, JobId, JobKind, JobState, Progress};
use pocketbench_domain::model::{ModelHeader, ModelRef};
use pocketbench_domain::provider::{Checked, KeyCheck, Provider};
use pocketbench_domain::run::{
    Cell, CellId, CellState, LoadMeasured, Measured, RunEntry, RunId, RunRecord, RunSpec, Sample, SampleId, Session,
    SessionId,
};
use pocketbench_domain::settings::{EngineSettings, FlashAttention};
use pocketbench_domain::stats::Summary;
use pocketbench_domain::suite::{Category, Suite, Task, Work};
use pocketbench_domain::tuning::{
    TunedPlace, TunedSettings, Tuning, TuningAxis, TuningCandidate, TuningFigure, TuningId, TuningReason, TuningStep,
};
use pocketbench_store::{Access, Store};
use uuid::Uuid;

/// A fixed moment with nanoseconds, `seconds` later.
pub fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_750_000_000, 123_456_789).unwrap() + TimeDelta::seconds(seconds)
}

/// The n-th identifier, the same in every run of the tests.
pub fn id(n: u128) -> Uuid {
    Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 | n)
}

pub fn device(name: &str) -> DeviceProfile {
    DeviceProfile {
        fingerprint: format!("fp-{name}"),
        name: name.into(),
        os: "Debian GNU/Linux 12".into(),
        kernel: Some("6.1.0".into()),
        arch: "x86_64".into(),
        cpu: "Example CPU".into(),
        physical_cores: Some(4),
        logical_cores: 8,
        core_clusters: Vec::new(),
        cache_bytes: None,
        cpu_features: vec!["avx2".into(), "fma".into()],
        virtual_machine: Some(false),
        ram_bytes: 16 << 30,
        ram_available_bytes: 9 << 30,
        swap_bytes: 0,
        storage_free_bytes: None,
        battery: Some(Battery { percent: Some(81.5), charging: Some(true) }),
    }
}

/// A provider that was checked.
pub fn provider(id: &str) -> Provider {
    Provider {
        id: id.into(),
        title: format!("The one at {id}"),
        preset: "custom".into(),
        base_url: "http://localhost:8080/v1".into(),
        model: Some("some/model".into()),
        checked: Some(Checked {
            at: at(7),
            models: vec!["some/model".into(), "another".into()],
            key: KeyCheck::Accepted,
            took_ns: 12_345_678,
        }),
    }
}

/// A model whose hash is made of one hexadecimal digit.
pub fn model(digit: char, name: &str) -> ModelRef {
    ModelRef {
        sha256: digit.to_string().repeat(64),
        path: format!("/models/{name}.gguf"),
        file_bytes: 98_362_432,
        header: ModelHeader {
            architecture: "llama".into(),
            name: name.into(),
            quantization: "Q4_1".into(),
            license: Some("apache-2.0".into()),
            n_params: 134_515_008,
            tensor_bytes: 96_000_000,
            n_ctx_train: 8192,
            n_layer: 2,
            n_embd: 576,
            n_head: 9,
            n_head_kv: vec![3, 3],
            head_dim_k: 64,
            head_dim_v: 64,
            sliding_window: None,
            n_vocab: 49152,
            has_chat_template: true,
            ..ModelHeader::default()
        },
    }
}

pub fn suite() -> Suite {
    let limits = Limits { max_tokens: 64, stop: vec!["\n\n".into()], ignore_eos: false };
    let ask = Prompt::Messages(vec![Message { role: Role::User, content: "Why is the sky blue? «é»".into() }]);
    let task = |id: &str, category, work| Task { id: id.into(), category, title: format!("Task {id}"), work };
    Suite {
        id: "quick".into(),
        version: 3,
        title: "Quick".into(),
        description: "Five categories in two minutes".into(),
        repetitions: 3,
        warmup_max_tokens: 16,
        n_ctx: 2048,
        sweep: None,
        tasks: vec![
            task("load-cold", Category::Load, Work::Load { cold: true }),
            task(
                "qa-1",
                Category::ShortQa,
                Work::Generate(GenerateRequest {
                    prompt: ask,
                    sampling: Sampling::default(),
                    limits: limits.clone(),
                    reuse_prefix: false,
                }),
            ),
            task(
                "batch-1",
                Category::Batch,
                Work::Batch(BatchRequest {
                    prompts: vec![Prompt::Raw("One".into()), Prompt::Raw("Two".into())],
                    sampling: Sampling { temperature: 0.7, ..Sampling::default() },
                    limits,
                    in_turn: false,
                }),
            ),
            task(
                "pp512",
                Category::Synthetic,
                Work::Synthetic(SyntheticRequest { n_prompt: 512, n_gen: 0, n_depth: 0 }),
            ),
        ],
    }
}

pub fn job(n: u128) -> Job {
    Job {
        id: JobId(id(n)),
        kind: JobKind::Run,
        state: JobState::Running,
        title: "SmolLM2 against Gemma 3 · quick".into(),
        progress: Progress { done: 3, total: Some(40), unit: "repetitions".into(), rate: Some(0.1 + 0.2), eta_s: None },
        run_id: Some(RunId(id(n + 1))),
        error: None,
        log_tail: vec!["loading".into()],
        created_at: at(0),
        updated_at: at(1),
    }
}

/// A run of two models, measured by [`job`]`(n)`, and its cells.
pub fn run(n: u128) -> (RunRecord, Vec<Cell>) {
    let entry = |model| RunEntry::new(model, EngineSettings::new(2048, 4));
    let run = RunRecord {
        id: RunId(id(n + 1)),
        job_id: JobId(id(n)),
        spec: RunSpec {
            entries: vec![entry(model('a', "SmolLM2")), entry(model('b', "Gemma 3"))],
            suite: suite(),
            left_out: Vec::new(),
            reasons: Vec::new(),
        },
        device: device("bench"),
        app_version: "0.1.0".into(),
        app_commit: Some("abc1234".into()),
        started_at: at(i64::try_from(n).unwrap()),
        finished_at: None,
    };
    let mut cells = Vec::new();
    for task in &run.spec.suite.tasks {
        for slot in 0..2 {
            cells.push(Cell {
                id: CellId(id(n + 0x10 + cells.len() as u128)),
                run_id: run.id,
                slot,
                task_id: task.id.clone(),
                state: CellState::Pending,
                failure: None,
            });
        }
    }
    (run, cells)
}

pub fn session(n: u128, run: RunId, slot: u32) -> Session {
    Session {
        id: SessionId(id(n)),
        run_id: run,
        slot,
        cooled: None,
        started_at: at(i64::from(slot)),
        engine: EngineInfo {
            protocol: 1,
            app_version: "0.1.0".into(),
            bindings_version: "0.1.160".into(),
            cpu_variant: "libggml-cpu-haswell.so".into(),
            system_info: "AVX2 = 1".into(),
            backends: vec!["CPU".into()],
            pid: 4242,
        },
        loaded: Loaded {
            load_ns: 123_456_789,
            buffers: vec![Buffers {
                buffer_type: "CPU".into(),
                weights_bytes: 96_000_000,
                kv_bytes: 1 << 20,
                compute_bytes: 3,
            }],
            effective: EngineSettings::new(2048, 4),
            backend: "CPU".into(),
            description: "llama 135M Q4_1".into(),
            n_params: 134_515_008,
            tensor_bytes: 96_000_000,
            n_ctx_train: 8192,
            has_chat_template: true,
        },
        baseline: memory(),
    }
}

pub fn memory() -> ProcessMemory {
    ProcessMemory {
        rss_bytes: 31_000_000,
        peak_rss_bytes: Some(32_000_000),
        anonymous_bytes: Some(7),
        file_backed_bytes: None,
        pss_bytes: None,
        swap_bytes: Some(0),
        major_faults: None,
    }
}

pub fn generation(end_at_ns: u64) -> Measured {
    Measured::Generation(Generation {
        text: "Because of Rayleigh scattering.".into(),
        prompt_tokens: 12,
        reused_tokens: 0,
        generated_tokens: 4,
        stop: StopReason::EndOfGeneration,
        template: TemplateSource::ModelFile,
        template_ns: 1_000,
        tokenize_ns: 2_000,
        prefill_ns: 30_000_000,
        reasoning_tokens: 0,
        first_sample_ns: 50_000,
        token_at_ns: vec![30_053_000, 42_000_001, 55_000_002, end_at_ns],
        end_at_ns,
        speculation: None,
    })
}

pub fn sample(n: u128, cell: &Cell, session: SessionId, repetition: u32, measured: Measured) -> Sample {
    Sample {
        id: SampleId(id(n)),
        cell_id: cell.id,
        session_id: session,
        repetition,
        warmup: false,
        started_at: at(100 + i64::from(repetition)),
        measured,
        memory: memory(),
        machine: MachineLoad {
            other_cpu: Some(1.0 / 3.0),
            ram_available_bytes: Some(8 << 30),
            load_average: Some(0.07),
            pressed: None,
        },
        conditions: None,
    }
}

/// One sample of each kind for the cells of slot 0, with a warm-up for the first of them.
pub fn samples(n: u128, cells: &[Cell], session: SessionId) -> Vec<Sample> {
    let of_slot_0: Vec<&Cell> = cells.iter().filter(|c| c.slot == 0).collect();
    let load = |ns| Measured::Load(LoadMeasured { cold: true, load_ns: ns, first_token_ns: ns * 2 });
    let sequence =
        BatchSequence { text: "…".into(), prompt_tokens: 1, generated_tokens: 9, stop: StopReason::MaxTokens };
    vec![
        Sample { warmup: true, ..sample(n, of_slot_0[0], session, 0, load(90_000_000)) },
        sample(n + 1, of_slot_0[0], session, 0, load(80_000_000)),
        sample(n + 2, of_slot_0[1], session, 0, generation(70_000_003)),
        sample(n + 3, of_slot_0[1], session, 1, generation(90_000_003)),
        sample(
            n + 4,
            of_slot_0[2],
            session,
            0,
            Measured::Batch(BatchGeneration {
                sequences: vec![sequence.clone(), sequence],
                wall_ns: 400_000_000,
                prefill_ns: 40_000_000,
                shared_tokens: 0,
                in_turn: None,
            }),
        ),
        sample(
            n + 5,
            of_slot_0[3],
            session,
            0,
            Measured::Synthetic(Synthetic {
                request: SyntheticRequest { n_prompt: 512, n_gen: 0, n_depth: 0 },
                elapsed_ns: u64::from(u32::MAX) + 1,
            }),
        ),
    ]
}

/// A tuning of [`device`]`("bench")`, measured by [`job`]`(n)`.
pub fn tuning(n: u128, seconds: i64) -> Tuning {
    let candidate = |slot: u32, rates: &[f64]| TuningCandidate {
        label: format!("{} threads", slot + 1),
        slot,
        figures: vec![TuningFigure {
            work: SyntheticRequest { n_prompt: 0, n_gen: 16, n_depth: 0 },
            rate: Summary::of(rates).unwrap(),
        }],
        behind: None,
        beaten: slot == 0,
        peak_rss_bytes: Some(200_000_000),
        flags: Vec::new(),
        failure: None,
    };
    Tuning {
        id: TuningId(id(n + 0x300)),
        job_id: JobId(id(n)),
        tuned_at: at(seconds),
        place: TunedPlace {
            fingerprint: device("bench").fingerprint,
            logical_cores: 8,
            bindings_version: "0.1.160".into(),
            cpu_variant: "libggml-cpu-haswell.so".into(),
        },
        model_sha256: "a".repeat(64),
        model: "SmolLM2 · Q4_1".into(),
        automatic: true,
        disturbed: false,
        steps: vec![TuningStep {
            axis: TuningAxis::Threads,
            run_id: RunId(id(n + 1)),
            candidates: vec![candidate(0, &[10.0, 10.1, 10.2]), candidate(1, &[20.0, 20.1, 20.2])],
            chosen: 1,
            reason: TuningReason::Fastest,
        }],
        chosen: TunedSettings {
            n_threads: 2,
            n_threads_batch: 2,
            n_ubatch: 512,
            flash_attention: FlashAttention::Auto,
        },
    }
}

/// A fresh data folder, owned.
pub async fn fresh() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), Access::Own).await.unwrap();
    (folder, store)
}

/// A run in the store with its job, one session a slot and [`samples`]. Returns its cells and the samples.
pub async fn fill(store: &Store, n: u128) -> (RunRecord, Vec<Cell>, Vec<Sample>) {
    let (run, cells) = run(n);
    store.insert_job(&job(n)).await.unwrap();
    store.create_run(&run, &cells).await.unwrap();
    for slot in 0..2 {
        store.insert_session(&session(n + 0x40 + u128::from(slot), run.id, slot)).await.unwrap();
    }
    let samples = samples(n + 0x80, &cells, SessionId(id(n + 0x40)));
    for sample in &samples {
        store.insert_sample(sample, &[]).await.unwrap();
    }
    (run, cells, samples)
}
