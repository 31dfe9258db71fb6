//! The fit formula against what workers really take: real models and tiny ones with the shapes of large ones, at several
//! contexts and types of KV cache, repacked or not, mapped or read. Figures of full-size models: `docs/benchmarks.md`.
//!
//! Without the usual test harness: this program is its own worker.

mod measure;

use measure::{Case, Outcome};
use pocketbench_app_core::Launch;
use pocketbench_app_core::domain::settings::{EngineSettings, FlashAttention, KvType};
use pocketbench_testkit::gguf::{Format, Scale, Shape, write_model};
use pocketbench_testkit::{gemma3, smollm2};

/// Makes this program a worker.
const SERVE: &str = "serve-as-worker";
/// What is promised of the peak.
const TOLERANCE: f64 = 0.05;
/// Allowance beside it, for two reasons that do not grow with a model. A worker's libraries and heap differ by this much
/// between runs and builds, which is a tenth of all that a tiny model takes and nothing beside a real one; and what is
/// mapped from the file and what is not are each predicted alone.
const ALLOWANCE: f64 = 2e6;

fn near(predicted: u64, measured: u64) -> bool {
    let (predicted, measured) = (predicted as f64, measured as f64);
    (predicted - measured).abs() <= measured * TOLERANCE + ALLOWANCE
}

fn judge(case: &Case, outcome: &Outcome) -> Vec<String> {
    let Outcome { fit, loaded, end, .. } = outcome;
    let of_weights = |repacked: bool| {
        let chosen =
            loaded.buffers.iter().filter(|b| (b.buffer_type == "CPU" || b.buffer_type == "CPU_Mapped") != repacked);
        chosen.map(|b| b.weights_bytes).sum::<u64>()
    };
    let mut wrong = Vec::new();
    let mut check = |what: &str, right: bool, predicted: u64, measured: u64| {
        if !right {
            wrong.push(format!("{}: {what} {predicted} predicted, {measured} measured", case.name()));
        }
    };
    check("peak", near(fit.predicted_bytes, outcome.peak_bytes), fit.predicted_bytes, outcome.peak_bytes);
    // The worker itself is a part of what is predicted.
    let baseline = outcome.baseline.rss_bytes;
    check("worker", baseline < outcome.peak_bytes, fit.baseline_bytes, baseline);
    // These are not measured but known to the byte, give or take the alignment of tensors.
    check("KV cache", fit.kv_bytes == loaded.kv_bytes(), fit.kv_bytes, loaded.kv_bytes());
    let (repacked, kept) = (of_weights(true), of_weights(false));
    check("repacked", fit.repacked_bytes.abs_diff(repacked) <= 64 << 10, fit.repacked_bytes, repacked);
    check("weights", fit.weights_bytes.abs_diff(kept) <= 64 << 10, fit.weights_bytes, kept);
    if let (Some(file), Some(own)) = (end.file_backed_bytes, end.anonymous_bytes) {
        check("mapped from files", near(fit.file_backed_bytes, file), fit.file_backed_bytes, file);
        check("of its own", near(fit.anonymous_bytes, own), fit.anonymous_bytes, own);
    }
    wrong
}

fn cases(folder: &std::path::Path) -> Vec<Case> {
    let case = |path: &str, n_ctx: u32, change: &dyn Fn(&mut EngineSettings)| {
        let mut settings = EngineSettings::new(n_ctx, 2);
        change(&mut settings);
        // The whole context, less what is decoded after the prompt.
        Case { path: path.to_owned(), n_prompt: n_ctx - 16, settings }
    };
    let tiny = |shape, format: Format| {
        let path = folder.join(format!("{shape:?}-{}.gguf", format.name()));
        write_model(&path, shape, Scale::Tiny, format).expect("there is room for a tiny model");
        path.to_str().expect("the path is UTF-8").to_owned()
    };
    let (mimo, phi) = (tiny(Shape::MiMo7B, Format::Q4_0), tiny(Shape::Phi4, Format::Q4K));
    let (smollm2, gemma3) = (smollm2(), gemma3());
    let as_is = |_: &mut EngineSettings| ();
    let kv = |kind: KvType| move |s: &mut EngineSettings| (s.kv_type_k, s.kv_type_v) = (kind, kind);
    vec![
        case(&smollm2, 512, &as_is),
        case(&smollm2, 2_048, &as_is),
        case(&smollm2, 2_048, &kv(KvType::Q8_0)),
        case(&smollm2, 512, &kv(KvType::Q4_0)),
        case(&smollm2, 512, &|s| s.use_mmap = false),
        case(&smollm2, 1_024, &|s| s.flash_attention = FlashAttention::Off),
        case(&gemma3, 512, &as_is),
        case(&gemma3, 1_024, &kv(KvType::Q8_0)),
        case(&gemma3, 512, &|s| s.repack = false),
        case(&gemma3, 512, &|s| s.use_mmap = false),
        case(&mimo, 4_096, &as_is),
        case(&mimo, 4_096, &|s| s.repack = false),
        case(&mimo, 16_384, &kv(KvType::Q8_0)),
        case(&phi, 4_096, &as_is),
        case(&phi, 4_096, &|s| s.use_mmap = false),
        case(&phi, 8_192, &kv(KvType::Q4_0)),
    ]
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments == [SERVE] {
        pocketbench_app_core::run_worker("footprint", None);
        return Ok(());
    }
    // As the harness does: names that are asked for leave out the others.
    let mut names = arguments.iter().filter(|argument| !argument.starts_with('-')).peekable();
    if names.peek().is_some() && !names.any(|name| "footprint".contains(name.as_str())) {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let launch = Launch::Child { program: std::env::current_exe()?, args: vec![SERVE.into()] };
    let mut wrong = Vec::new();
    for case in cases(folder.path()) {
        let outcome = case.run(&launch).await?;
        eprintln!("{:+6.1} % {}", outcome.error() * 100.0, case.name());
        wrong.extend(judge(&case, &outcome));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    Ok(())
}
