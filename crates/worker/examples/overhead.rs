//! What our path costs beside the bare loop: the same model, prompt, length and threads, both in turn, ratio of medians.
//! Started by `scripts/bench`, prints rows of a Markdown table.
//!
//! Arguments: POCKETBENCH BARE_LOOP ROUNDS THREADS MODEL...
#![allow(missing_docs, clippy::doc_markdown, clippy::cast_possible_truncation)]

use pocketbench_domain::generate::{GenerateRequest, Limits, Prompt, Sampling};
use pocketbench_domain::settings::EngineSettings;
use pocketbench_worker::protocol::Event;
use pocketbench_worker::{Launch, Worker};
use std::time::Instant;
use tokio_util::sync::CancellationToken;

const N_PROMPT: usize = 512;
const N_GEN: u32 = 128;

#[derive(Default)]
struct Side {
    prefill: Vec<f64>,
    decode: Vec<f64>,
    peak: Vec<f64>,
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { f64::midpoint(sorted[middle - 1], sorted[middle]) }
}

fn bare(program: &str, model: &str, threads: u32, side: &mut Side) {
    let out = std::process::Command::new(program)
        .args([model, &N_PROMPT.to_string(), &N_GEN.to_string(), &threads.to_string()])
        .output()
        .expect("the bare loop starts");
    let value: serde_json::Value =
        serde_json::from_slice(&out.stdout).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&out.stderr)));
    let number = |key: &str| value[key].as_f64().expect("a number");
    side.prefill.push(number("prompt_tokens") * 1e9 / number("prefill_ns"));
    side.decode.push(number("intervals") * 1e9 / number("decode_ns"));
    side.peak.push(number("peak_rss"));
}

fn request(max_tokens: u32) -> GenerateRequest {
    GenerateRequest {
        prompt: Prompt::Raw("word ".repeat(N_PROMPT)),
        sampling: Sampling::default(),
        limits: Limits { max_tokens, stop: Vec::new(), ignore_eos: false },
        reuse_prefix: false,
    }
}

async fn ours(program: &str, model: &str, threads: u32, side: &mut Side) {
    let cancel = CancellationToken::new();
    let launch = Launch::Child { program: program.into(), args: vec!["worker".into()] };
    let mut worker = Worker::start(&launch).await.expect("the worker starts");
    worker.load(model, &EngineSettings::new(2048, threads), &cancel, |_| ()).await.expect("the model loads");
    worker.generate(request(8), &cancel, |_| ()).await.expect("warm-up");
    let generation = worker
        .generate(request(N_GEN), &cancel, |event| {
            std::hint::black_box(event);
        })
        .await
        .expect("it answers");
    let (first, last) = (generation.token_at_ns[0], *generation.token_at_ns.last().expect("tokens"));
    side.prefill.push(f64::from(generation.prompt_tokens) * 1e9 / generation.prefill_ns as f64);
    side.decode.push(f64::from(generation.generated_tokens - 1) * 1e9 / (last - first) as f64);
    // The high-water mark of the very process; `scripts/bench` may read /proc, the product does so in `device` alone.
    let pid = worker.pid().expect("a child");
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
    side.peak.push(line.split_whitespace().nth(1).and_then(|kb| kb.parse::<f64>().ok()).unwrap_or(0.0) * 1024.0);
    worker.shutdown().await;
}

/// Nanoseconds that one token event costs the sending side and the receiving side together: made, serialized, written to
/// a pipe, read and parsed.
fn event_ns() -> f64 {
    use pocketbench_worker::protocol::EventLine;
    use std::io::{BufRead, BufReader, Write};
    const EVENTS: u64 = 50_000;
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    let start = Instant::now();
    let parsing = std::thread::spawn(move || {
        for line in BufReader::new(reader).lines().map_while(Result::ok) {
            std::hint::black_box(serde_json::from_str::<EventLine>(&line).expect("an event"));
        }
    });
    for at_ns in 0..EVENTS {
        let event = EventLine { id: 7, event: Event::Token { text: " lighthouse".into(), at_ns, sequence: 0 } };
        let mut line = serde_json::to_vec(&event).expect("it serializes");
        line.push(b'\n');
        writer.write_all(&line).expect("the pipe takes it");
    }
    drop(writer);
    parsing.join().expect("the reader ends");
    start.elapsed().as_nanos() as f64 / EVENTS as f64
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let (program, bare_loop) = (&arguments[1], &arguments[2]);
    let (rounds, threads) =
        (arguments[3].parse::<u32>().expect("rounds"), arguments[4].parse::<u32>().expect("threads"));
    println!("| model | figure | bare loop | worker path | ratio |\n|---|---|---:|---:|---:|");
    for model in &arguments[5..] {
        let (mut a, mut b) = (Side::default(), Side::default());
        for round in 0..rounds {
            if round % 2 == 0 {
                bare(bare_loop, model, threads, &mut a);
                ours(program, model, threads, &mut b).await;
            } else {
                ours(program, model, threads, &mut b).await;
                bare(bare_loop, model, threads, &mut a);
            }
        }
        let name = std::path::Path::new(model).file_stem().unwrap_or_default().to_string_lossy();
        for (figure, bare, ours, scale, unit) in [
            ("prefill 512", &a.prefill, &b.prefill, 1.0, "tok/s"),
            ("decode 128", &a.decode, &b.decode, 1.0, "tok/s"),
            ("peak memory", &a.peak, &b.peak, 1e-6, "MB"),
        ] {
            let (bare, ours) = (median(bare), median(ours));
            println!(
                "| {name} | {figure} | {:.1} {unit} | {:.1} {unit} | {:.3} |",
                bare * scale,
                ours * scale,
                ours / bare
            );
        }
        let (event, token) = (event_ns(), 1e9 / median(&b.decode));
        println!(
            "| {name} | one event a token | {:.1} µs a token | {:.1} µs an event | {:.4} |",
            token / 1e3,
            event / 1e3,
            event / token
        );
    }
}
