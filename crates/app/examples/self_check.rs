//! The instrument held against itself: the same model against itself must come out as no real difference, and against
//! itself slowed by 5 % as slower. Real workers, runner, store and verdicts. Started by `scripts/bench`, prints rows of a
//! Markdown table.
//!
//! Arguments: `MODEL RUNS [FOLDER]`. Runs of either kind take turns. What is measured is kept in FOLDER if one is given, and
//! what is there already counts: so it can be stopped, and verdicts of another version be had from the same measurements.
//!
//! The program is its own worker. A worker that is asked to load the file called [`SLOWED`] starts a brake
//! (`crates/device/examples/brake.rs`), a process that stops it for a twentieth of the time that it let it run. So prefill
//! and decode take 5 % longer, as they would with a model of that speed, and no line of the product knows of it.
#![allow(missing_docs)]

use pocketbench_app_core::domain::compare::RunResult;
use pocketbench_app_core::domain::job::JobState;
use pocketbench_app_core::domain::stats::Bootstrap;
use pocketbench_app_core::domain::suite::Suite;
use pocketbench_app_core::domain::verdict::{Outcome, Quality};
use pocketbench_app_core::{Adjust, App, Config, Launch, NewRun};
use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

const SLOWED: &str = "slowed-by-5-percent.gguf";
/// Built beside this program from `crates/device/examples/brake.rs`.
const BRAKE: &str = if cfg!(windows) { "brake.exe" } else { "brake" };

/// Two answers of fixed length: what they say does not matter, only that both sides do the same. Many short ones: on a machine
/// with slow phases of seconds a pair is the more alike the closer it lies together, and the interval narrows with the number.
const SUITE: &str = r#"{
  "id": "self-check", "version": 1, "title": "Self-check", "description": "A against A",
  "repetitions": 30, "warmup_max_tokens": 16, "n_ctx": 512,
  "tasks": [
    { "id": "answer", "category": "short_qa", "title": "An answer", "work": { "kind": "generate",
      "prompt": { "messages": [{ "role": "user", "content": "Which rivers flow into the Black Sea, and through which countries do they flow before?" }] },
      "limits": { "max_tokens": 16, "ignore_eos": true } } },
    { "id": "story", "category": "long_form", "title": "A story", "work": { "kind": "generate",
      "prompt": { "messages": [{ "role": "user", "content": "Tell the story of a lighthouse keeper who finds a letter in a bottle, and of whoever wrote it." }] },
      "limits": { "max_tokens": 16, "ignore_eos": true } } }
  ]
}"#;

/// Serves as a worker, with a brake once the slowed file is asked for.
fn worker() -> Result<(), Box<dyn Error>> {
    use pocketbench_worker::server::{WhenClosed, serve};
    let (requests, mut to_serve) = std::io::pipe()?;
    std::thread::spawn(move || {
        let mut braked = false;
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if line.contains(SLOWED) && !braked {
                let brake = std::env::current_exe().expect("this program").with_file_name(BRAKE);
                let pid = std::process::id().to_string();
                let brake = Command::new(brake).args([&*pid, "5"]).stdin(Stdio::null()).stdout(Stdio::null()).spawn();
                // It ends when this process has.
                let mut brake = brake.expect("the brake starts");
                std::thread::spawn(move || brake.wait());
                braked = true;
            }
            if writeln!(to_serve, "{line}").is_err() {
                return;
            }
        }
    });
    serve(BufReader::new(requests), std::io::stdout(), env!("CARGO_PKG_VERSION"), WhenClosed::Exit);
    Ok(())
}

async fn compare(app: &App, models: [&PathBuf; 2], suite: &Suite) -> Result<RunResult, Box<dyn Error>> {
    let models = models.map(PathBuf::clone).to_vec();
    // On all cores, any other program's burst makes every thread wait for the one that it displaced.
    let adjustments = Adjust { n_threads: Some(1), ..Adjust::default() };
    let job = app.start(NewRun { models, suite: suite.clone(), adjustments }).await?;
    let run = job.run_id.ok_or("a run has no run")?;
    let job = app.wait_for(job.id).await?;
    if let Some(error) = job.error {
        return Err(error.into());
    }
    Ok(app.result(run).await?)
}

/// How many times faster slot `fast` writes, with the ends of its interval.
fn advantage(result: &RunResult, fast: u32) -> [f64; 3] {
    let speed = result.verdict.dimensions.iter().find(|dimension| dimension.quality == Quality::WritingSpeed);
    let [value, low, high] = speed.map_or([f64::NAN; 3], |d| [d.advantage, d.interval.low, d.interval.high]);
    if fast == 0 { [value, low, high] } else { [1.0 / value, 1.0 / high, 1.0 / low] }
}

#[derive(Default)]
struct Tally {
    right: u32,
    advantages: Vec<f64>,
    widths: Vec<f64>,
    /// Of the decode rate of each task, ratio of the copies: as pairs, and of the medians.
    ratios: Vec<[f64; 2]>,
}

impl Tally {
    fn add(&mut self, name: &str, result: &RunResult, fast: u32, right: bool) {
        let [value, low, high] = advantage(result, fast);
        eprintln!("{name}: {value:.4} ({low:.4}–{high:.4}) {}", if right { "right" } else { "WRONG" });
        if !right {
            eprintln!("  {}", result.verdict.sentence);
        }
        self.right += u32::from(right);
        self.advantages.push(value);
        self.widths.push((high - low) / 2.0);
        let mut bootstrap = Bootstrap::new();
        for row in result.tasks.iter().filter_map(|task| task.rows.first()) {
            let [a, b] = row.values.as_slice() else { continue };
            let (slow, fast) = if fast == 0 { (b, a) } else { (a, b) };
            let (pairs, apart) = (bootstrap.paired_ratio(slow, fast), bootstrap.median_ratio(slow, fast));
            self.ratios.extend(pairs.zip(apart).map(|(pairs, apart)| [pairs.value, apart.value]));
        }
    }

    /// How far the ratios of single tasks lie from `truth`, root mean square.
    fn errors(&self, name: &str, truth: f64) {
        let error = |way: usize| {
            let squares: f64 = self.ratios.iter().map(|ratios| (ratios[way] / truth).ln().powi(2)).sum();
            100.0 * (squares / self.ratios.len() as f64).sqrt()
        };
        println!("| {name} | {:.2} % | {:.2} % | {} |", error(0), error(1), self.ratios.len());
    }

    fn row(&mut self, name: &str, wanted: &str) {
        let runs = self.advantages.len();
        self.advantages.sort_by(f64::total_cmp);
        self.widths.sort_by(f64::total_cmp);
        let (lowest, middle, highest) = (self.advantages[0], self.advantages[runs / 2], self.advantages[runs - 1]);
        println!(
            "| {name} | {} of {runs} | {wanted} | {middle:.3} ({lowest:.3}–{highest:.3}) | ± {:.3} |",
            self.right,
            self.widths[runs / 2]
        );
    }
}

/// The two kinds of runs.
#[derive(Default)]
struct Checks {
    same: Tally,
    slower: Tally,
}

impl Checks {
    fn add(&mut self, result: &RunResult) {
        match result.entries.iter().position(|entry| entry.model.path.ends_with(SLOWED)) {
            None => self.same.add("the same twice", result, 0, result.verdict.outcome == Outcome::NoRealDifference),
            Some(slow) => {
                let fast = u32::from(slow == 0);
                let found = (result.verdict.outcome, result.verdict.winner) == (Outcome::Better, Some(fast));
                self.slower.add("one slowed by 5 %", result, fast, found);
            }
        }
    }
}

async fn check(arguments: &[String]) -> Result<(), Box<dyn Error>> {
    let [model, runs, rest @ ..] = arguments else { return Err("MODEL RUNS [FOLDER]".into()) };
    let (model, runs) = (PathBuf::from(model), runs.parse::<usize>()?);
    let suite: Suite = serde_json::from_str(SUITE)?;
    let temporary = tempfile::tempdir()?;
    let folder = rest.first().map_or_else(|| temporary.path().to_path_buf(), PathBuf::from);
    std::fs::create_dir_all(&folder)?;
    // Two names of one file, not two files: a copy lies elsewhere in the page cache, and that alone was seen to make it 15 %
    // faster to read.
    let (name, slowed) = (folder.join("model.gguf"), folder.join(SLOWED));
    if !slowed.exists() {
        std::fs::copy(&model, &name)?;
        std::fs::hard_link(&name, &slowed)?;
    }
    let model = name;
    let launch = Launch::Child { program: std::env::current_exe()?, args: vec!["worker".into()] };
    let config = Config {
        data_folder: folder.join("data"),
        models_folder: folder.clone(),
        tune: false,
        ..Config::new(env!("CARGO_PKG_VERSION"), None, launch)
    };
    let app = App::open(config).await?;
    let mut checks = Checks::default();
    for run in app.runs().await?.iter().rev().filter(|run| run.state == JobState::Done) {
        checks.add(&app.result(run.id).await?);
    }
    loop {
        let (same, slower) = (checks.same.advantages.len(), checks.slower.advantages.len());
        let models = match () {
            () if same < runs && same <= slower => [&model, &model],
            // The slowed one is second and first in turn.
            () if slower < runs && slower.is_multiple_of(2) => [&model, &slowed],
            () if slower < runs => [&slowed, &model],
            () => break,
        };
        checks.add(&compare(&app, models, &suite).await?);
    }
    let Checks { mut same, mut slower } = checks;
    println!("| A against A | verdict is right | wanted | A writes … times as fast, median (least–most) | interval |");
    println!("|---|---:|---:|---:|---:|");
    same.row("the same file twice: no real difference", "≥ 19 of 20");
    slower.row("one slowed by 5 %: the other is better", "≥ 18 of 20");
    println!("\n| typical error of one task's ratio | as pairs | of medians | tasks |\n|---|---:|---:|---:|");
    same.errors("the same file twice", 1.0);
    slower.errors("one slowed by 5 %", 1.05);
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["worker"] => worker(),
        _ => tokio::runtime::Runtime::new()?.block_on(check(&arguments)),
    }
}
