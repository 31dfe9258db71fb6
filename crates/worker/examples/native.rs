//! Our worker beside llama.cpp's own tools, built natively: llama-bench and llama-batched-bench, in turn with ours, the same
//! files, shapes and threads; ratios of medians. Started by `scripts/bench-native`, prints rows of a Markdown table.
//!
//! Arguments: `POCKETBENCH FOLDER_OF_TOOLS ROUNDS THREADS MODEL...`
#![allow(missing_docs)]

use pocketbench_domain::generate::{BatchRequest, Limits, Prompt, Sampling, SyntheticRequest};
use pocketbench_domain::settings::EngineSettings;
use pocketbench_domain::stats::{Bootstrap, median};
use pocketbench_worker::{Launch, Worker};
use serde_json::Value;
use std::error::Error;
use std::path::Path;
use std::process::Command;
use tokio_util::sync::CancellationToken;

const PREFILL: u32 = 512;
const DECODE: u32 = 128;
/// Prompts of the batch, and tokens of each prompt and answer.
const PARALLEL: u32 = 10;
const PROMPT: u32 = 64;
const ANSWER: u32 = 64;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn output(command: &mut Command) -> Outcome<String> {
    let output = command.output()?;
    if !output.status.success() {
        return Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// A pair of series: the native tool's rates and ours.
#[derive(Default)]
struct Rates {
    native: Vec<f64>,
    ours: Vec<f64>,
}

/// One batch of ours.
struct Batch {
    /// Tokens a second behind the prefill.
    decode: f64,
    /// Evaluated and generated tokens a second.
    all: f64,
    /// How many times longer the same prompts take one after another.
    gain: Option<f64>,
}

struct Bench<'a> {
    tools: &'a Path,
    program: &'a str,
    model: &'a str,
    threads: u32,
    cancel: CancellationToken,
}

impl Bench<'_> {
    /// Prefill and decode by llama-bench. It warms up by itself, and so do we.
    fn native(&self, rates: &mut [Rates; 2]) -> Outcome<()> {
        let mut command = Command::new(self.tools.join("llama-bench"));
        command.args([
            "-m",
            self.model,
            "-r",
            "1",
            "-o",
            "json",
            "-p",
            &PREFILL.to_string(),
            "-n",
            &DECODE.to_string(),
        ]);
        let records: Value = serde_json::from_str(&output(command.args(["-t", &self.threads.to_string()]))?)?;
        for (rates, record) in rates.iter_mut().zip(records.as_array().ok_or("llama-bench writes an array")?) {
            rates.native.push(record["avg_ts"].as_f64().ok_or("llama-bench says no rate")?);
        }
        Ok(())
    }

    async fn worker(&self, settings: &EngineSettings) -> Outcome<Worker> {
        let launch = Launch::Child { program: self.program.into(), args: vec!["worker".into()] };
        let mut worker = Worker::start(&launch).await?;
        worker.load(self.model, settings, &self.cancel, |_| ()).await?;
        Ok(worker)
    }

    async fn ours(&self, rates: &mut [Rates; 2]) -> Outcome<()> {
        let mut worker = self.worker(&EngineSettings::new(PREFILL + DECODE, self.threads)).await?;
        for (rates, (n_prompt, n_gen)) in rates.iter_mut().zip([(PREFILL, 0), (0, DECODE)]) {
            // llama-bench warms up with the whole prompt before prefill and with one token before decode.
            let warm_up = SyntheticRequest { n_prompt, n_gen: n_gen.min(1), n_depth: 0 };
            worker.synthetic(warm_up, &self.cancel).await?;
            let done = worker.synthetic(SyntheticRequest { n_prompt, n_gen, n_depth: 0 }, &self.cancel).await?;
            rates.ours.push(f64::from(n_prompt + n_gen) * 1e9 / done.elapsed_ns as f64);
        }
        worker.shutdown().await;
        Ok(())
    }

    /// Ten prompts of equal length. `shared`: they differ in their last token only, else from their first one on.
    fn prompts(shared: bool, words: u32) -> Vec<Prompt> {
        let starts = ["one", "two", "red", "green", "sea", "sun", "wind", "rain", "fish", "bird"];
        let body = " word".repeat(words as usize);
        let prompt =
            |word: &&str| Prompt::Raw(if shared { format!("The{body} {word}") } else { format!("{word}{body}") });
        starts.iter().map(prompt).collect()
    }

    async fn our_batch(&self, shared: bool, in_turn: bool) -> Outcome<Batch> {
        let settings = EngineSettings { n_seq_max: PARALLEL, ..EngineSettings::new(2048, self.threads) };
        let mut worker = self.worker(&settings).await?;
        // One token more than the tool makes: it decodes every token that it counts, and our first one comes of the prefill.
        let limits = Limits { max_tokens: ANSWER + 1, stop: Vec::new(), ignore_eos: true };
        let request = |words, limits, in_turn| {
            let prompts = Self::prompts(shared, words);
            BatchRequest { prompts, sampling: Sampling::default(), limits, in_turn }
        };
        // The warm-up tells how many tokens this model makes of a prompt; each word more or less is one.
        let few = PROMPT - 10;
        let warm_up = request(few, Limits { max_tokens: 2, ..limits.clone() }, false);
        let warm_up = worker.generate_batch(warm_up, &self.cancel, |_| ()).await?;
        let tokens = warm_up.sequences.first().map_or(0, |sequence| sequence.prompt_tokens);
        let request = request(few + PROMPT.saturating_sub(tokens), limits, in_turn);
        let batch = worker.generate_batch(request, &self.cancel, |_| ()).await?;
        worker.shutdown().await;
        if batch.sequences.iter().any(|s| s.prompt_tokens != PROMPT) {
            let lengths: Vec<u32> = batch.sequences.iter().map(|s| s.prompt_tokens).collect();
            return Err(format!("the prompts are not of {PROMPT} tokens: {lengths:?}").into());
        }
        let answers = f64::from(PARALLEL * ANSWER);
        let prompts = f64::from(PROMPT * if shared { 1 } else { PARALLEL });
        Ok(Batch {
            decode: answers * 1e9 / (batch.wall_ns - batch.prefill_ns) as f64,
            all: (prompts + answers) * 1e9 / batch.wall_ns as f64,
            gain: batch.in_turn.map(|in_turn| in_turn.wall_ns as f64 / batch.wall_ns as f64),
        })
    }

    /// The same shape by llama-batched-bench: decode rate and rate over everything.
    fn native_batch(&self, flags: &[&str]) -> Outcome<(f64, f64)> {
        let number = |n: u32| n.to_string();
        let mut command = Command::new(self.tools.join("llama-batched-bench"));
        command.args(["-m", self.model, "-c", "2048", "-b", "2048", "-ub", "512", "-t", &number(self.threads)]);
        command.args(["-npp", &number(PROMPT), "-ntg", &number(ANSWER), "-npl", &number(PARALLEL)]);
        let said = output(command.args(["--output-format", "jsonl"]).args(flags))?;
        let line = said.lines().find(|line| line.starts_with('{')).ok_or_else(|| format!("no record in: {said}"))?;
        let record: Value = serde_json::from_str(line)?;
        let rate = |name: &str| record[name].as_f64().ok_or("no rate in llama-batched-bench's record");
        Ok((rate("speed_tg")?, rate("speed")?))
    }
}

fn row(name: &str, figure: &str, rates: &Rates, wanted: &str) -> Outcome<()> {
    let ratio = Bootstrap::new().paired_ratio(&rates.native, &rates.ours).ok_or("too few rounds")?;
    println!(
        "| {name} | {figure} | {:.1} | {:.1} | {:.3} ({:.3}–{:.3}) | {wanted} |",
        median(&rates.native).unwrap_or(f64::NAN),
        median(&rates.ours).unwrap_or(f64::NAN),
        ratio.value,
        ratio.interval.low,
        ratio.interval.high
    );
    Ok(())
}

/// How the tool keeps ten sequences, its flags for it, and whether the prompts share their beginning.
const SHAPES: [(&str, &[&str], bool); 3] = [
    ("sequences apart", &[], false),
    ("one cache for all, as ours", &["-kvu"], false),
    ("one prompt for all", &["-kvu", "-pps"], true),
];

#[tokio::main]
async fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [program, tools, rounds, threads, models @ ..] = arguments.as_slice() else {
        return Err("POCKETBENCH FOLDER_OF_TOOLS ROUNDS THREADS MODEL...".into());
    };
    let (rounds, threads) = (rounds.parse::<u32>()?, threads.parse()?);
    println!("| model | figure | native tool, tok/s | ours, tok/s | ratio | wanted |\n|---|---|---:|---:|---:|---:|");
    for model in models {
        let bench = Bench { tools: Path::new(tools), program, model, threads, cancel: CancellationToken::new() };
        let mut single = <[Rates; 2]>::default();
        let mut batches: [[Rates; 2]; 3] = Default::default();
        let mut gains = Vec::new();
        for round in 0..rounds {
            let turns = if round % 2 == 0 { [false, true] } else { [true, false] };
            for ours in turns {
                if ours {
                    bench.ours(&mut single).await?;
                } else {
                    bench.native(&mut single)?;
                }
            }
            for ((_, flags, shared), [decode, all]) in SHAPES.iter().zip(&mut batches) {
                for ours in turns {
                    if ours {
                        let batch = bench.our_batch(*shared, flags.is_empty()).await?;
                        decode.ours.push(batch.decode);
                        all.ours.push(batch.all);
                        gains.extend(batch.gain);
                    } else {
                        let rates = bench.native_batch(flags)?;
                        decode.native.push(rates.0);
                        all.native.push(rates.1);
                    }
                }
            }
        }
        let name = Path::new(model).file_stem().unwrap_or_default().to_string_lossy();
        row(&name, &format!("prefill {PREFILL}"), &single[0], "≥ 1.0")?;
        row(&name, &format!("decode {DECODE}"), &single[1], "≥ 1.0")?;
        for ((shape, _, _), [decode, all]) in SHAPES.iter().zip(&batches) {
            row(&name, &format!("batch of {PARALLEL}, {shape}: decode"), decode, "≥ 0.95")?;
            row(&name, &format!("batch of {PARALLEL}, {shape}: prompts and answers"), all, "≥ 0.95")?;
        }
        let gain = median(&gains).ok_or("no rounds")?;
        println!("| {name} | batch of {PARALLEL}: gain over one by one | | | {gain:.2} | – |");
    }
    Ok(())
}
