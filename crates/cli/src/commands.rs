//! What each command does: ask `app`, show what it says.

use crate::args::{Bench, Cli, Command, Compare, Device, Format, Output, Runs, Settings, Sustain, Tune};
use crate::{exit, output};
use clap::CommandFactory;
use pocketbench_app_core::api::{AppEvent, ExportFormat, RunSummary, TuneRequest, TuningState};
use pocketbench_app_core::domain::compare::RunResult;
use pocketbench_app_core::domain::device::DeviceProfile;
use pocketbench_app_core::domain::generate::SyntheticRequest;
use pocketbench_app_core::domain::job::{Job, JobState};
use pocketbench_app_core::domain::roofline::MeasuredBandwidth;
use pocketbench_app_core::domain::run::{CellState, RunId};
use pocketbench_app_core::domain::suite::{Category, Suite, Task, Work};
use pocketbench_app_core::domain::{ErrorCode, ErrorReport};
use pocketbench_app_core::{Adjust, App, Config, Launch, NewRun, Result, suites};
use std::path::PathBuf;

pub(crate) async fn run(cli: Cli) -> Result<u8> {
    match cli.command {
        Command::Compare(args) => compare(args).await,
        Command::Bench(args) => bench(args).await,
        Command::Sustain(args) => sustain(args).await,
        Command::Tune(args) => tune(args).await,
        Command::Runs(args) => runs(args).await,
        Command::Models(command) => crate::models::run(command).await,
        Command::Device(args) => device(&args).await,
        Command::Providers(command) => crate::providers::run(command).await,
        Command::Claims { json } => {
            let claims = crate::models::looking().await?.claims().await?;
            crate::models::show(json, &claims, output::claims);
            Ok(0)
        }
        Command::Chat(args) => crate::chat::run(args).await,
        Command::Chats(command) => crate::chat::conversations(command).await,
        Command::Route(command) => crate::route::run(command).await,
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "pocketbench", &mut std::io::stdout());
            Ok(0)
        }
        Command::Man => {
            clap_mangen::Man::new(Cli::command())
                .render(&mut std::io::stdout())
                .map_err(|error| ErrorReport::new(ErrorCode::Internal, error.to_string()))?;
            Ok(0)
        }
        // Answered in `main`, before anything asynchronous starts.
        Command::Worker { .. } => Ok(0),
    }
}

#[derive(serde::Serialize)]
struct DeviceAndMemory<'a> {
    #[serde(flatten)]
    device: &'a DeviceProfile,
    bandwidth: Option<MeasuredBandwidth>,
}

async fn device(args: &Device) -> Result<u8> {
    let device = pocketbench_app_core::device_profile(&config()?.models_folder).await?;
    if args.bandwidth {
        App::open(config()?).await?.measure_bandwidth().await?;
    }
    let bandwidth = match App::open_read_only(config()?).await {
        Ok(app) => app.known_bandwidth().await?,
        // No database yet: nothing was measured.
        Err(error) if error.code == ErrorCode::NotFound => None,
        // The machine can be described all the same.
        Err(error) => {
            output::error(&error);
            None
        }
    };
    if args.json {
        output::json(&DeviceAndMemory { device: &device, bandwidth });
    } else {
        output::device(&device, bandwidth.as_ref());
    }
    Ok(0)
}

pub(crate) fn config() -> Result<Config> {
    let program = std::env::current_exe()
        .map_err(|error| ErrorReport::new(ErrorCode::WorkerStartFailed, format!("where am I? {error}")))?;
    let launch = Launch::Child { program, args: vec!["worker".into()] };
    Ok(Config::new(env!("CARGO_PKG_VERSION"), option_env!("POCKETBENCH_COMMIT"), launch))
}

/// The same with what a result is to be held against.
fn config_for(output: &Output) -> Result<Config> {
    let mut config = config()?;
    if let Some(seconds) = output.cold_start_limit {
        config.compare.cold_start_sla_ms = seconds * 1e3;
    }
    Ok(config)
}

fn with_repetitions(mut suite: Suite, settings: &Settings) -> Suite {
    if let Some(repetitions) = settings.repetitions {
        suite.repetitions = repetitions;
    }
    suite
}

async fn compare(args: Compare) -> Result<u8> {
    let suite = with_repetitions(suites::find(&args.suite)?, &args.settings);
    measure(vec![args.a, args.b], suite, &args.settings, &args.output, false).await
}

async fn bench(args: Bench) -> Result<u8> {
    let shapes = !(args.prompt.is_empty() && args.generate.is_empty() && args.depth.is_empty());
    let mut suite = match (&args.suite, &args.sweep) {
        (Some(name), _) => suites::find(name)?,
        (None, Some(sweep)) if !shapes => suites::find(sweep.axis())?,
        (None, _) => synthetic_suite(&args)?,
    };
    match &args.sweep {
        // The axis alone: the values that ship for it.
        Some(sweep) if sweep.is_empty() => suite.sweep = suites::find(sweep.axis())?.sweep,
        Some(sweep) => suite.sweep = Some(sweep.clone()),
        None => {}
    }
    let suite = with_repetitions(suite, &args.settings);
    let llama_bench = args.suite.is_none() && args.sweep.is_none();
    measure(vec![args.model], suite, &args.settings, &args.output, llama_bench).await
}

async fn sustain(args: Sustain) -> Result<u8> {
    let mut suite = with_repetitions(suites::find("sustained")?, &args.settings);
    suites::set_minutes(&mut suite, args.minutes);
    let models = std::iter::once(args.a).chain(args.b).collect();
    measure(models, suite, &args.settings, &args.output, false).await
}

/// llama-bench's way: prefill and decode apart, at every depth.
fn synthetic_suite(args: &Bench) -> Result<Suite> {
    let mut tasks = Vec::new();
    let mut longest = 0_u32;
    let or = |given: &[u32], default: u32| if given.is_empty() { vec![default] } else { given.to_vec() };
    let (prompt, generate) = (or(&args.prompt, 512), or(&args.generate, 128));
    for n_depth in or(&args.depth, 0) {
        let pp = prompt.iter().map(|&n| (n, 0));
        let tg = generate.iter().map(|&n| (0, n));
        for (n_prompt, n_gen) in pp.chain(tg).filter(|&pair| pair != (0, 0)) {
            let depth = if n_depth > 0 { format!("-d{n_depth}") } else { String::new() };
            let id = if n_prompt > 0 { format!("pp{n_prompt}{depth}") } else { format!("tg{n_gen}{depth}") };
            longest = longest.max(n_prompt.saturating_add(n_gen).saturating_add(n_depth));
            if tasks.iter().any(|task: &Task| task.id == id) {
                continue;
            }
            let work = Work::Synthetic(SyntheticRequest { n_prompt, n_gen, n_depth });
            tasks.push(Task { title: id.clone(), id, category: Category::Synthetic, work });
        }
    }
    if tasks.is_empty() {
        return Err(ErrorReport::new(ErrorCode::InvalidInput, "there is nothing to measure")
            .hint("Give -p or -n a number above 0."));
    }
    Ok(Suite {
        id: "synthetic".into(),
        version: 1,
        title: "Synthetic".into(),
        description: "Random tokens, as llama-bench does.".into(),
        repetitions: 5,
        warmup_max_tokens: 1,
        // llama.cpp rounds a context up to the next 256.
        n_ctx: longest.max(1),
        tasks,
        sweep: None,
    })
}

async fn measure(
    models: Vec<PathBuf>,
    suite: Suite,
    settings: &Settings,
    output: &Output,
    synthetic: bool,
) -> Result<u8> {
    let app = App::open(config_for(output)?).await?;
    let adjustments = Adjust {
        n_threads: settings.threads,
        n_ctx: settings.context,
        n_gpu_layers: settings.gpu_layers,
        no_tune: settings.no_tune,
    };
    let job = app.start(NewRun { models, suite, adjustments }).await?;
    follow(&app, job, output, synthetic).await
}

/// Shows progress until the job ends. Ctrl-C stops it in order.
pub(crate) async fn wait(app: &App, job: Job) -> Result<Job> {
    let mut events = app.subscribe();
    let bar = output::Bar::new(&job);
    let ended = app.wait_for(job.id);
    tokio::pin!(ended);
    let mut stopping = false;
    let job = loop {
        tokio::select! {
            ended = &mut ended => break ended?,
            event = events.recv() => match event {
                Ok(AppEvent::Job { job: now }) if now.id == job.id => bar.progress(&now),
                Ok(AppEvent::Live { live }) if live.job_id == job.id => bar.live(&live),
                _ => {}
            },
            pressed = tokio::signal::ctrl_c(), if !stopping => {
                stopping = pressed.is_ok();
                app.stop_job(job.id).await?;
            }
        }
    };
    bar.finish();
    Ok(job)
}

/// Shows progress until the job ends, then the result.
async fn follow(app: &App, job: Job, output: &Output, synthetic: bool) -> Result<u8> {
    let Some(run) = job.run_id else { return Ok(exit::FAILED) };
    let job = wait(app, job).await?;
    match job.state {
        JobState::Done => {
            let result = app.result(run).await?;
            show(app, &result, output, synthetic).await?;
            let failed = result.tasks.iter().flat_map(|t| &t.cells).any(|cell| cell.state == CellState::Failed);
            Ok(if failed { exit::PARTIAL } else { 0 })
        }
        JobState::Cancelled => {
            output::note(&format!("Stopped. Go on with: pocketbench runs {} --resume", short(run)));
            Ok(exit::STOPPED)
        }
        _ => Err(job.error.unwrap_or_else(|| ErrorReport::new(ErrorCode::Internal, "the run did not finish"))),
    }
}

/// Enough of an id to be found again.
pub(crate) fn short(run: RunId) -> String {
    // The first characters of a UUIDv7 are its time; the last ones tell runs of one minute apart.
    let text = run.to_string();
    text[..13].to_owned()
}

async fn show(app: &App, result: &RunResult, output: &Output, synthetic: bool) -> Result<()> {
    let run = result.run.id;
    match output.format() {
        Format::Table => output::result(result),
        // llama-bench's readers expect an array of records.
        Format::Json if synthetic => output::json(&app.bench_records(run).await?),
        Format::Json => output::text(&app.export(run, ExportFormat::Json).await?),
        Format::Csv => output::text(&app.export(run, ExportFormat::Csv).await?),
        Format::Md => output::text(&app.export(run, ExportFormat::Markdown).await?),
    }
    if let Some(folder) = &output.out {
        std::fs::create_dir_all(folder).map_err(|error| {
            ErrorReport::new(ErrorCode::InvalidInput, format!("{} cannot be made: {error}", folder.display()))
        })?;
        for (name, format) in
            [("report.md", ExportFormat::Markdown), ("run.json", ExportFormat::Json), ("values.csv", ExportFormat::Csv)]
        {
            app.export_to(run, format, &folder.join(name)).await?;
        }
        output::note(&format!("Report: {}", folder.join("report.md").display()));
    }
    Ok(())
}

async fn tune(args: Tune) -> Result<u8> {
    let app = match App::open_read_only(config()?).await {
        // Nothing was ever stored.
        Err(error) if error.code == ErrorCode::NotFound && args.model.is_none() && args.automatic.is_none() => {
            show_tuning(&TuningState { tuning: None, automatic: true }, args.json);
            return Ok(0);
        }
        Ok(app) if args.model.is_none() && !args.forget && args.automatic.is_none() => app,
        _ => App::open(config()?).await?,
    };
    if args.forget {
        let forgotten = app.forget_tuning().await?;
        output::note(if forgotten == 0 { "There was no tuning." } else { "The tuning is forgotten." });
        if args.model.is_none() {
            return Ok(0);
        }
    }
    if let Some(automatic) = args.automatic {
        app.set_automatic_tuning(automatic).await?;
    }
    if let Some(model) = args.model {
        let model = model.to_str().map(str::to_owned).ok_or_else(|| {
            ErrorReport::new(ErrorCode::InvalidInput, "the path of the model file is not valid Unicode")
                .hint("Rename the file or its folder.")
        })?;
        let job = app.tune(&TuneRequest { model, quick: args.quick }).await?;
        let job = wait(&app, job).await?;
        match job.state {
            JobState::Done => {}
            JobState::Cancelled => {
                output::note("Stopped. Nothing was changed.");
                return Ok(exit::STOPPED);
            }
            _ => {
                let unknown = || ErrorReport::new(ErrorCode::Internal, "the tuning did not finish");
                return Err(job.error.unwrap_or_else(unknown));
            }
        }
    }
    show_tuning(&app.tuning().await?, args.json);
    Ok(0)
}

fn show_tuning(state: &TuningState, json: bool) {
    if json {
        output::json(state);
    } else {
        output::tuning(state);
    }
}

async fn runs(args: Runs) -> Result<u8> {
    let Some(id) = &args.id else {
        let runs = match App::open_read_only(config()?).await {
            Ok(app) => app.runs().await?,
            // No database yet: no runs.
            Err(error) if error.code == ErrorCode::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        if args.output.format() == Format::Json {
            output::json(&runs);
        } else {
            output::runs(&runs);
        }
        return Ok(0);
    };
    if args.resume {
        let app = App::open(config_for(&args.output)?).await?;
        let run = find(&app.runs().await?, id)?;
        let job = app.resume_job(run.job_id).await?;
        return follow(&app, job, &args.output, false).await;
    }
    let app = App::open_read_only(config_for(&args.output)?).await?;
    let run = find(&app.runs().await?, id)?;
    let result = app.result(run.id).await?;
    let suite = &result.run.spec.suite;
    let synthetic = suite.id == "synthetic" && suite.sweep.is_none();
    show(&app, &result, &args.output, synthetic).await?;
    Ok(0)
}

fn find(runs: &[RunSummary], id: &str) -> Result<RunSummary> {
    let mut hits = runs.iter().filter(|run| run.id.to_string().starts_with(id));
    match (hits.next(), hits.next()) {
        (Some(run), None) => Ok(run.clone()),
        (None, _) => Err(ErrorReport::new(ErrorCode::NotFound, format!("there is no run `{id}`"))
            .hint("`pocketbench runs` lists them.")),
        (Some(_), Some(_)) => Err(ErrorReport::new(ErrorCode::InvalidInput, format!("several runs begin with `{id}`"))
            .hint("Give more of its characters.")),
    }
}
