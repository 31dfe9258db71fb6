//! Predicted and measured memory of any model files: a table in Markdown.
//!
//! Arguments: `POCKETBENCH [--ctx N,N] [--kv f16,q8_0] [--prompt N] [--repack yes,no] [--mmap yes,no] MODEL...`, where
//! POCKETBENCH is the program that serves as worker. Every combination is measured once, in a process of its own.
#![allow(missing_docs)]

#[path = "../tests/footprint/measure.rs"]
mod measure;

use measure::Case;
use pocketbench_app_core::Launch;
use pocketbench_app_core::domain::settings::{EngineSettings, KvType};

fn list<T>(text: &str, parse: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, String> {
    text.split(',').map(|item| parse(item).ok_or_else(|| format!("`{item}` in `{text}` is not understood"))).collect()
}

fn yes_or_no(text: &str) -> Option<bool> {
    match text {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    }
}

fn kv_type(text: &str) -> Option<KvType> {
    [KvType::F32, KvType::F16, KvType::Q8_0, KvType::Q4_0].into_iter().find(|kind| kind.name() == text)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let program = arguments.next().ok_or("which program serves as worker?")?;
    let launch = Launch::Child { program: program.into(), args: vec!["worker".into()] };
    let (mut contexts, mut kv_types, mut prompt) = (vec![2048], vec![KvType::F16], None);
    let (mut repack, mut mmap, mut models) = (vec![true], vec![true], Vec::new());
    while let Some(argument) = arguments.next() {
        if !argument.starts_with("--") {
            models.push(argument);
            continue;
        }
        let value = arguments.next().ok_or_else(|| format!("{argument} wants a value"))?;
        match argument.as_str() {
            "--ctx" => contexts = list(&value, |n| n.parse().ok())?,
            "--kv" => kv_types = list(&value, kv_type)?,
            "--prompt" => prompt = Some(value.parse()?),
            "--repack" => repack = list(&value, yes_or_no)?,
            "--mmap" => mmap = list(&value, yes_or_no)?,
            _ => return Err(format!("what is {argument}?").into()),
        }
    }
    println!(
        "| model and settings | predicted | peak | error | of it file | end file | of it own | end own | weights | repacked \
         | KV (llama.cpp) | compute (llama.cpp) | baseline (before) |\n\
         |---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
    );
    for path in &models {
        for n_ctx in &contexts {
            for kv in &kv_types {
                for repack in &repack {
                    for use_mmap in &mmap {
                        let mut settings = EngineSettings::new(*n_ctx, 2);
                        (settings.kv_type_k, settings.kv_type_v) = (*kv, *kv);
                        (settings.repack, settings.use_mmap) = (*repack, *use_mmap);
                        let n_prompt = prompt.unwrap_or(n_ctx - 16).min(n_ctx - 16);
                        row(&Case { path: path.clone(), settings, n_prompt }, &launch).await?;
                    }
                }
            }
        }
    }
    Ok(())
}

async fn row(case: &Case, launch: &Launch) -> Result<(), Box<dyn std::error::Error>> {
    let outcome = case.run(launch).await?;
    let mb = |bytes: u64| format!("{:.1}", bytes as f64 / 1e6);
    let (fit, loaded, end) = (&outcome.fit, &outcome.loaded, &outcome.end);
    let repacked = loaded.buffers.iter().filter(|b| b.buffer_type != "CPU" && b.weights_bytes > 0);
    println!(
        "| {} | {} | {} | {:+.1} % | {} | {} | {} | {} | {} | {} ({}) | {} ({}) | {} ({}) | {} ({}) |",
        case.name(),
        mb(fit.predicted_bytes),
        mb(outcome.peak_bytes),
        outcome.error() * 100.0,
        mb(fit.file_backed_bytes),
        mb(end.file_backed_bytes.unwrap_or(0)),
        mb(fit.anonymous_bytes),
        mb(end.anonymous_bytes.unwrap_or(0)),
        mb(fit.weights_bytes),
        mb(fit.repacked_bytes),
        mb(repacked.map(|b| b.weights_bytes).sum()),
        mb(fit.kv_bytes),
        mb(loaded.kv_bytes()),
        mb(fit.compute_bytes),
        mb(loaded.compute_bytes()),
        mb(fit.baseline_bytes),
        mb(outcome.baseline.rss_bytes),
    );
    Ok(())
}
