//! What the samplers beside a measurement cost it: one worker, the same answer again and again, sensors read meanwhile or
//! not in turn. Started by `scripts/bench`, prints rows of a Markdown table.
//!
//! Arguments: POCKETBENCH MODEL PAIRS THREADS
//!
//! One reading a second is so little that its cost drowns in the scatter of decode. So the sensors are also read a hundred
//! times a second: what that costs, divided by a hundred, is known far better.
#![allow(missing_docs, clippy::doc_markdown)]

use pocketbench_device::{SensorSampler, Sensors};
use pocketbench_domain::generate::{GenerateRequest, Limits, Prompt, Sampling};
use pocketbench_domain::settings::EngineSettings;
use pocketbench_domain::stats::Bootstrap;
use pocketbench_worker::{Launch, Worker};
use std::error::Error;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

fn request(max_tokens: u32) -> GenerateRequest {
    GenerateRequest {
        prompt: Prompt::Raw("Once upon a time".into()),
        sampling: Sampling::default(),
        limits: Limits { max_tokens, stop: Vec::new(), ignore_eos: true },
        reuse_prefix: false,
    }
}

/// Decode rate of one answer in tokens a second.
async fn decode(worker: &mut Worker, cancel: &CancellationToken) -> Result<f64, Box<dyn Error>> {
    // Some two seconds on a slow machine: at least one reading falls within.
    let answer = worker.generate(request(192), cancel, |_| ()).await?;
    let (Some(first), Some(last)) = (answer.token_at_ns.first(), answer.token_at_ns.last()) else {
        return Err("no tokens".into());
    };
    Ok((answer.token_at_ns.len() - 1) as f64 * 1e9 / (last - first) as f64)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [program, model, pairs, threads] = arguments.as_slice() else {
        return Err("POCKETBENCH MODEL PAIRS THREADS".into());
    };
    let (pairs, threads) = (pairs.parse::<u32>()?, threads.parse()?);
    let cancel = CancellationToken::new();
    let launch = Launch::Child { program: program.into(), args: vec!["worker".into()] };
    let mut worker = Worker::start(&launch).await?;
    worker.load(model, &EngineSettings::new(512, threads), &cancel, |_| ()).await?;
    decode(&mut worker, &cancel).await?;

    let mut sensors = Sensors::open();
    let mut readings: Vec<f64> = Vec::new();
    for _ in 0..200 {
        let start = Instant::now();
        std::hint::black_box(sensors.read());
        readings.push(start.elapsed().as_secs_f64());
    }
    println!("| samplers | decode with them ÷ without | interval | readings |\n|---|---:|---:|---:|");
    for (name, period, scale) in [
        ("one reading a second", Duration::from_secs(1), 1.0),
        ("a hundred a second, divided by 100", Duration::from_millis(10), 100.0),
    ] {
        let (mut without, mut with, mut count) = (Vec::new(), Vec::new(), 0);
        for pair in 0..pairs {
            for on in if pair % 2 == 0 { [false, true] } else { [true, false] } {
                if on {
                    let sampler = SensorSampler::start(sensors, period);
                    let rate = decode(&mut worker, &cancel).await?;
                    let (taken, back) = sampler.stop();
                    sensors = back;
                    with.push(rate);
                    count += taken.len();
                } else {
                    without.push(decode(&mut worker, &cancel).await?);
                }
            }
        }
        let ratio = Bootstrap::new().paired_ratio(&without, &with).ok_or("too few pairs")?;
        let scaled = |ratio: f64| 1.0 + (ratio - 1.0) / scale;
        println!(
            "| {name} | {:.4} | {:.4}–{:.4} | {count} |",
            scaled(ratio.value),
            scaled(ratio.interval.low),
            scaled(ratio.interval.high)
        );
    }
    let median = pocketbench_domain::stats::median(&readings).ok_or("no readings")?;
    println!("| one reading by itself, median of {} | {:.0} µs | | |", readings.len(), median * 1e6);
    worker.shutdown().await;
    Ok(())
}
