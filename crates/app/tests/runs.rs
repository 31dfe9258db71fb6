//! Runs as a front end sees them, with workers that are shell scripts.

use pocketbench_app_core::domain::ErrorCode;
use pocketbench_app_core::domain::generate::{GenerateRequest, Limits, Prompt, Sampling};
use pocketbench_app_core::domain::job::{Job, JobState};
use pocketbench_app_core::domain::run::CellState;
use pocketbench_app_core::domain::suite::{Category, Suite, Task, Work};
use pocketbench_app_core::domain::sweep::Sweep;
use pocketbench_app_core::{Adjust, App, Config, Launch, NewRun};
use pocketbench_testkit::peer::peer;
use pocketbench_testkit::smollm2;
use std::path::Path;
use std::time::Duration;

async fn open(folder: &Path, says: &str) -> App {
    let launch = Launch::Child { program: "/bin/sh".into(), args: vec![peer(folder, says).into()] };
    let mut config = Config::new("test", None, launch);
    config.tune = false;
    config.data_folder = folder.to_path_buf();
    config.models_folder = folder.join("models");
    App::open(config).await.unwrap()
}

fn suite(sweep: Option<Sweep>) -> Suite {
    let request = GenerateRequest {
        prompt: Prompt::Raw("a".into()),
        sampling: Sampling::default(),
        limits: Limits { max_tokens: 3, stop: Vec::new(), ignore_eos: true },
        reuse_prefix: false,
    };
    let task = Task { id: "a".into(), category: Category::Custom, title: "A".into(), work: Work::Generate(request) };
    Suite {
        id: "test".into(),
        version: 1,
        title: "Test".into(),
        description: "For tests.".into(),
        repetitions: 3,
        warmup_max_tokens: 0,
        n_ctx: 256,
        tasks: vec![task],
        sweep,
    }
}

fn new_run(adjustments: Adjust, sweep: Option<Sweep>) -> NewRun {
    NewRun { models: vec![smollm2().into()], suite: suite(sweep), adjustments }
}

async fn until(app: &App, job: &Job, state: JobState) {
    for _ in 0..600 {
        if app.job(job.id).await.unwrap().state == state {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{:?} instead of {state:?}", app.job(job.id).await.unwrap().state);
}

#[tokio::test]
async fn of_two_runs_at_once_one_waits_for_the_other() {
    let folder = tempfile::tempdir().unwrap();
    // The first answer comes when the test says so.
    let app = open(folder.path(), "on_generate() { while [ ! -e go ]; do sleep 0.02; done; answer; }").await;
    let first = app.start(new_run(Adjust::default(), None)).await.unwrap();
    until(&app, &first, JobState::Running).await;
    let second = app.start(new_run(Adjust::default(), None)).await.unwrap();
    let third = app.start(new_run(Adjust::default(), None)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    for waiting in [&second, &third] {
        assert_eq!(app.job(waiting.id).await.unwrap().state, JobState::Queued);
    }
    // One that waits can be stopped, and holds nobody up.
    app.stop_job(second.id).await.unwrap();
    assert_eq!(app.wait_for(second.id).await.unwrap().state, JobState::Cancelled);
    std::fs::write(folder.path().join("go"), "").unwrap();
    assert_eq!(app.wait_for(first.id).await.unwrap().state, JobState::Done);
    assert_eq!(app.wait_for(third.id).await.unwrap().state, JobState::Done);
    let [first, second, third] = [first, second, third].map(|job| job.run_id.unwrap());
    let ended = app.result(first).await.unwrap().run.finished_at.unwrap();
    let began = app.raw_samples(third).await.unwrap()[0].started_at;
    assert!(began >= ended, "they measured each other");
    assert!(app.raw_samples(second).await.unwrap().is_empty());
}

#[tokio::test]
async fn more_threads_than_the_device_has_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let app = open(folder.path(), "").await;
    for n_threads in [0, 100_000] {
        let adjust = Adjust { n_threads: Some(n_threads), ..Adjust::default() };
        let error = app.start(new_run(adjust, None)).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidInput, "{error}");
        assert!(error.hint.is_some());
    }
    assert!(app.runs().await.unwrap().is_empty(), "nothing was started");
}

#[tokio::test]
async fn more_memory_than_is_free_cannot_be_left_free() {
    let folder = tempfile::tempdir().unwrap();
    let app = open(folder.path(), "on_start() { echo 1000 > /proc/self/oom_score_adj; }").await;
    // Of three values two are possible; nothing is held: the balloon is a script, too.
    let sweep = Sweep::FreeMemory(vec![1 << 60, 400_000_000, 300_000_000]);
    let job = app.start(new_run(Adjust::default(), Some(sweep))).await.unwrap();
    assert_eq!(app.wait_for(job.id).await.unwrap().state, JobState::Done);
    let result = app.result(job.run_id.unwrap()).await.unwrap();
    let [left_out] = result.run.spec.left_out.as_slice() else { panic!("{:?}", result.run.spec.left_out) };
    assert_eq!(left_out.reason.code, ErrorCode::NotEnoughMemory);
    assert!(result.tasks[0].cells.iter().all(|cell| cell.state == CellState::Done));
    let steps: Vec<u64> = result.pressure.unwrap().steps.iter().map(|step| step.leave_free_bytes).collect();
    assert_eq!(steps, [400_000_000, 300_000_000]);
    let error = app.start(new_run(Adjust::default(), Some(Sweep::FreeMemory(vec![1 << 60])))).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::NotEnoughMemory);
}
