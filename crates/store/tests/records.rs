//! What is stored comes back as it was, and queries say what the records say.

mod common;

use common::{at, device, fill, fresh, generation, id, job, model, provider, run, sample, session, tuning};
use pocketbench_domain::catalogue::ModelSource;
use pocketbench_domain::conditions::{Conditions, Reading, SensorClass, Temperature};
use pocketbench_domain::job::{Job, JobId, JobKind, JobState};
use pocketbench_domain::provider::Provider;
use pocketbench_domain::run::{CellId, CellState, Measured, Round, RunId, Sample, SampleId, SessionId};
use pocketbench_domain::suite::Category;
use pocketbench_domain::{ErrorCode, ErrorReport};
use pocketbench_store::{Access, LOG_TAIL_LINES, ModelFile, RemoteFile, SampleCount, Store, StoreError};
use serde_json::json;

#[tokio::test]
async fn a_run_comes_back_as_it_was_after_reopening() {
    let (folder, store) = fresh().await;
    let (mut run, mut cells, samples) = fill(&store, 0x1000).await;
    let sessions = [session(0x1040, run.id, 0), session(0x1041, run.id, 1)];
    let failure =
        ErrorReport::new(ErrorCode::OutOfMemory, "Ended.").hint("Take a smaller one.").details(json!({ "status": 9 }));
    store.set_cell_state(cells[1].id, CellState::Failed, Some(&failure)).await.unwrap();
    store.set_cell_state(cells[0].id, CellState::Done, None).await.unwrap();
    store.finish_run(run.id, at(999)).await.unwrap();
    cells[1].state = CellState::Failed;
    cells[1].failure = Some(failure);
    cells[0].state = CellState::Done;
    run.finished_at = Some(at(999));
    store.close().await;

    let store = Store::open(folder.path(), Access::Own).await.unwrap();
    assert_eq!(store.run(run.id).await.unwrap(), run);
    assert_eq!(store.cells(run.id).await.unwrap(), cells);
    assert_eq!(store.sessions(run.id).await.unwrap(), sessions);
    assert_eq!(store.samples(run.id).await.unwrap(), samples);
    assert_eq!(store.device("fp-bench").await.unwrap(), run.device);
}

#[tokio::test]
async fn counts_say_where_a_resumed_run_goes_on() {
    let (_folder, store) = fresh().await;
    let (run, cells, _) = fill(&store, 0x1000).await;
    let counts = store.sample_counts(run.id).await.unwrap();
    assert_eq!(counts.get(&cells[0].id), Some(&SampleCount { warmup: 1, counted: 1 }));
    assert_eq!(counts.get(&cells[2].id), Some(&SampleCount { warmup: 0, counted: 2 }));
    assert_eq!(counts.get(&cells[1].id), None, "slot 1 was not measured");
    assert_eq!(counts.len(), 4);
    assert!(store.sample_counts(RunId(id(7))).await.unwrap().is_empty());
}

#[tokio::test]
async fn runs_are_listed_newest_first_with_their_counts() {
    let (_folder, store) = fresh().await;
    let (old, cells, _) = fill(&store, 0x1000).await;
    let (new, _, _) = fill(&store, 0x2000).await;
    store.set_cell_state(cells[0].id, CellState::Done, None).await.unwrap();
    store
        .set_cell_state(cells[1].id, CellState::Failed, Some(&ErrorReport::new(ErrorCode::WorkerCrashed, "x")))
        .await
        .unwrap();

    let rows = store.runs(10).await.unwrap();
    assert_eq!(rows.iter().map(|r| r.id).collect::<Vec<_>>(), [new.id, old.id]);
    assert_eq!(rows[1].job_id, old.job_id);
    assert_eq!(rows[1].state, JobState::Running);
    assert_eq!(rows[1].models, ["SmolLM2 · Q4_1", "Gemma 3 · Q4_1"]);
    assert_eq!((rows[1].suite_id.as_str(), rows[1].suite_title.as_str()), ("quick", "Quick"));
    assert_eq!((rows[1].started_at, rows[1].finished_at), (old.started_at, None));
    assert_eq!((rows[1].cells_finished, rows[1].cells_total), (2, 8));
    assert_eq!((rows[0].cells_finished, rows[0].cells_total), (0, 8));
    assert_eq!(store.runs(1).await.unwrap().len(), 1);
    store.finish_run(old.id, at(999)).await.unwrap();
    assert_eq!(store.runs(10).await.unwrap()[1].state, JobState::Done, "its job may go on with other runs");
}

#[tokio::test]
async fn a_job_can_measure_several_runs() {
    let (_folder, store) = fresh().await;
    let (first, _, _) = fill(&store, 0x1000).await;
    let (mut second, mut cells) = run(0x2000);
    second.job_id = first.job_id;
    for cell in &mut cells {
        cell.run_id = second.id;
    }
    store.create_run(&second, &cells).await.unwrap();
    assert_eq!(store.runs_of_job(first.job_id).await.unwrap(), [first.clone(), second.clone()]);
    store.delete_run(first.id).await.unwrap();
    assert_eq!(store.runs_of_job(first.job_id).await.unwrap(), [second], "the job stays for the other run");
}

#[tokio::test]
async fn settings_of_a_run_can_be_settled_until_a_model_is_loaded() {
    let (_folder, store) = fresh().await;
    let (mut planned, cells) = run(0x1000);
    store.insert_job(&job(0x1000)).await.unwrap();
    store.create_run(&planned, &cells).await.unwrap();
    planned.spec.entries[0].settings.n_threads = 1;
    store.settle_run(&planned).await.unwrap();
    assert_eq!(store.run(planned.id).await.unwrap(), planned);
    store.insert_session(&session(0x1040, planned.id, 0)).await.unwrap();
    let mut late = planned.clone();
    late.spec.entries[0].settings.n_threads = 3;
    assert!(matches!(store.settle_run(&late).await, Err(StoreError::Rejected(_))));
    assert_eq!(store.run(planned.id).await.unwrap(), planned);
    late.id = RunId(id(7));
    assert!(matches!(store.settle_run(&late).await, Err(StoreError::NotFound { .. })));
}

#[tokio::test]
async fn tunings_are_kept_by_device_the_latest_first_until_they_are_forgotten() {
    let (folder, store) = fresh().await;
    let (old, new) = (tuning(0x1000, 10), tuning(0x2000, 20));
    assert!(matches!(store.insert_tuning(&old).await, Err(StoreError::Conflict(_) | StoreError::Rejected(_))));
    store.upsert_device(&device("bench"), at(0)).await.unwrap();
    store.insert_tuning(&new).await.unwrap();
    store.insert_tuning(&old).await.unwrap();
    store.close().await;
    let store = Store::open(folder.path(), Access::Own).await.unwrap();
    assert_eq!(store.tunings("fp-bench").await.unwrap(), [new, old]);
    assert!(store.tunings("fp-other").await.unwrap().is_empty());
    assert_eq!(store.forget_tunings("fp-bench").await.unwrap(), 2);
    assert_eq!(store.forget_tunings("fp-bench").await.unwrap(), 0);
    assert!(store.tunings("fp-bench").await.unwrap().is_empty());
}

#[tokio::test]
async fn a_sample_is_stored_once() {
    let (_folder, store) = fresh().await;
    let (run, cells, samples) = fill(&store, 0x1000).await;
    let again = sample(0x9999, &cells[2], SessionId(id(0x1040)), 0, generation(1_000_000_000));
    assert!(matches!(store.insert_sample(&again, &[]).await, Err(StoreError::Conflict(_))));
    assert!(matches!(store.insert_sample(&samples[0], &[]).await, Err(StoreError::Conflict(_))));
    assert_eq!(store.samples(run.id).await.unwrap(), samples, "the first one stands");
}

#[tokio::test]
async fn a_sample_needs_its_cell_and_a_session_of_the_same_slot() {
    let (_folder, store) = fresh().await;
    let (run, cells, _) = fill(&store, 0x1000).await;
    let strange = sample(0x9000, &cells[2], SessionId(id(0x1041)), 5, generation(1_000_000_000));
    let Err(StoreError::Rejected(why)) = store.insert_sample(&strange, &[]).await else { panic!("stored") };
    assert!(why.contains("same run and slot"), "{why}");

    let mut orphan = strange.clone();
    orphan.cell_id = CellId(id(0xdead));
    assert!(matches!(store.insert_sample(&orphan, &[]).await, Err(StoreError::Rejected(_))));
    assert_eq!(store.samples(run.id).await.unwrap().len(), 6);
}

#[tokio::test]
async fn a_run_is_created_all_or_nothing() {
    let (_folder, store) = fresh().await;
    let (run, mut cells) = run(0x1000);
    assert!(matches!(store.create_run(&run, &cells).await, Err(StoreError::Rejected(_))), "its job is not stored");
    store.insert_job(&job(0x1000)).await.unwrap();
    cells[7].task_id = "unknown".into();
    assert!(matches!(store.create_run(&run, &cells).await, Err(StoreError::Rejected(_))));
    assert!(matches!(store.run(run.id).await, Err(StoreError::NotFound { .. })));
    assert!(store.devices().await.unwrap().is_empty(), "the device went with the transaction");
}

#[tokio::test]
async fn deleting_a_run_takes_what_belongs_to_it_and_nothing_else() {
    let (_folder, store) = fresh().await;
    let (gone, _, _) = fill(&store, 0x1000).await;
    let (kept, cells, samples) = fill(&store, 0x2000).await;
    store.delete_run(gone.id).await.unwrap();

    assert!(matches!(store.run(gone.id).await, Err(StoreError::NotFound { .. })));
    assert!(matches!(store.job(gone.job_id).await, Err(StoreError::NotFound { .. })));
    assert!(store.cells(gone.id).await.unwrap().is_empty());
    assert!(store.sessions(gone.id).await.unwrap().is_empty());
    assert!(store.samples(gone.id).await.unwrap().is_empty());
    assert!(matches!(store.delete_run(gone.id).await, Err(StoreError::NotFound { .. })));
    assert_eq!(store.cells(kept.id).await.unwrap(), cells);
    assert_eq!(store.samples(kept.id).await.unwrap(), samples);
}

#[tokio::test]
async fn every_name_of_an_enum_passes_the_schema() {
    let (_folder, store) = fresh().await;
    let states = [
        JobState::Queued,
        JobState::Running,
        JobState::Paused,
        JobState::Done,
        JobState::Failed,
        JobState::Cancelled,
        JobState::Interrupted,
    ];
    for (n, state) in (0u128..).zip(states) {
        let mut job = job(n);
        job.state = state;
        job.kind = if n % 2 == 0 { JobKind::Run } else { JobKind::Verify };
        store.insert_job(&job).await.unwrap();
        assert_eq!(store.job(job.id).await.unwrap(), job);
    }
    let categories = [
        Category::Load,
        Category::ShortQa,
        Category::Code,
        Category::Mathematics,
        Category::LongForm,
        Category::Batch,
        Category::Synthetic,
    ];
    for (n, category) in (1u128..).zip(categories) {
        let (mut run, cells) = run(n << 12);
        for task in &mut run.spec.suite.tasks {
            task.category = category;
        }
        store.insert_job(&job(n << 12)).await.unwrap();
        store.create_run(&run, &cells).await.unwrap();
    }
}

#[tokio::test]
async fn jobs_change_and_keep_their_log() {
    let (_folder, store) = fresh().await;
    let mut job = job(1);
    store.insert_job(&job).await.unwrap();
    let lines: Vec<String> = (0..60).map(|n| format!("line {n}")).collect();
    store.append_log(job.id, &lines, at(50)).await.unwrap();

    job.state = JobState::Failed;
    job.error = Some(ErrorReport::new(ErrorCode::DiskFull, "Full."));
    job.progress.done = 40;
    job.title = "Renamed".into();
    job.run_id = None;
    job.updated_at = at(60);
    store.update_job(&job).await.unwrap();

    job.log_tail = lines[60 - LOG_TAIL_LINES..].to_vec();
    assert_eq!(store.job(job.id).await.unwrap(), job);
    store.append_log(job.id, &["x".repeat(5_000)], at(40)).await.unwrap();
    let stored = store.job(job.id).await.unwrap();
    assert_eq!(stored.log_tail.len(), LOG_TAIL_LINES);
    assert_eq!(stored.log_tail[LOG_TAIL_LINES - 1].len(), 2_000, "cut");
    assert_eq!(stored.updated_at, at(60), "time does not run backwards");

    let nobody = common::job(77);
    assert!(matches!(store.update_job(&nobody).await, Err(StoreError::NotFound { .. })));
    assert!(matches!(store.append_log(nobody.id, &[], at(0)).await, Err(StoreError::NotFound { .. })));
}

#[tokio::test]
async fn what_was_alive_is_interrupted_and_the_rest_left_alone() {
    use JobState::{Cancelled, Done, Interrupted, Paused};
    let (_folder, store) = fresh().await;
    let all = [JobState::Queued, JobState::Running, JobState::Paused, JobState::Done, JobState::Cancelled];
    for (n, state) in (0u128..).zip(all) {
        let mut job = job(n);
        job.state = state;
        job.created_at = at(i64::try_from(n).unwrap());
        store.insert_job(&job).await.unwrap();
    }
    let mut interrupted = store.mark_interrupted(at(500)).await.unwrap();
    interrupted.sort();
    assert_eq!(interrupted, [JobId(id(0)), JobId(id(1))]);
    let states: Vec<JobState> = store.jobs(10).await.unwrap().iter().map(|j| j.state).collect();
    assert_eq!(states, [Cancelled, Done, Paused, Interrupted, Interrupted], "newest first; a person's pause is kept");
    assert_eq!(store.job(JobId(id(1))).await.unwrap().updated_at, at(500));
    assert!(store.mark_interrupted(at(501)).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_file_is_hashed_once() {
    let (_folder, store) = fresh().await;
    let file = ModelFile { model: model('a', "One"), mtime_ns: 5, last_seen: at(0), reference: true };
    store.upsert_model_file(&file).await.unwrap();
    let (path, size) = (file.model.path.as_str(), file.model.file_bytes);
    assert_eq!(store.model_file(path, size, 5).await.unwrap(), Some(file.clone()));
    assert_eq!(store.model_file(path, size, 6).await.unwrap(), None, "touched");
    assert_eq!(store.model_file(path, size + 1, 5).await.unwrap(), None, "grown");
    assert_eq!(store.model_file("/elsewhere", size, 5).await.unwrap(), None);

    // Another file takes its place and a scan sees it.
    let mut other = ModelFile { model: model('b', "Two"), mtime_ns: 9, last_seen: at(3), reference: false };
    other.model.path = path.into();
    store.upsert_model_file(&other).await.unwrap();
    other.reference = true;
    assert_eq!(store.model_file(path, size, 9).await.unwrap(), Some(other.clone()));
    assert_eq!(store.referenced_files().await.unwrap(), [other]);

    store.forget_model_file(path).await.unwrap();
    assert!(store.referenced_files().await.unwrap().is_empty());
    assert!(matches!(store.forget_model_file(path).await, Err(StoreError::NotFound { .. })));
}

#[tokio::test]
async fn the_same_content_has_one_header_and_the_newest_reading_of_it() {
    let (_folder, store) = fresh().await;
    let file = ModelFile { model: model('a', "One"), mtime_ns: 5, last_seen: at(0), reference: false };
    store.upsert_model_file(&file).await.unwrap();
    let mut reread = file.model.clone();
    reread.header.license = None;
    store.upsert_model(&reread).await.unwrap();
    let found = store.model_file(&file.model.path, file.model.file_bytes, 5).await.unwrap().unwrap();
    assert_eq!(found.model.header, reread.header);

    let mut strange = model('a', "x");
    strange.sha256 = "NOT A HASH".into();
    assert!(matches!(store.upsert_model(&strange).await, Err(StoreError::Rejected(_))));
}

#[tokio::test]
async fn a_device_is_known_by_its_fingerprint() {
    let (_folder, store) = fresh().await;
    store.upsert_device(&device("one"), at(0)).await.unwrap();
    store.upsert_device(&device("two"), at(1)).await.unwrap();
    let mut grown = device("one");
    grown.ram_bytes *= 2;
    store.upsert_device(&grown, at(2)).await.unwrap();
    assert_eq!(store.devices().await.unwrap(), [grown, device("two")]);
    assert!(matches!(store.device("fp-three").await, Err(StoreError::NotFound { .. })));
}

#[tokio::test]
async fn settings_hold_any_json() {
    let (_folder, store) = fresh().await;
    assert_eq!(store.setting::<u32>("threads").await.unwrap(), None);
    store.set_setting("threads", &4u32).await.unwrap();
    store.set_setting("threads", &2u32).await.unwrap();
    assert_eq!(store.setting::<u32>("threads").await.unwrap(), Some(2));
    assert!(matches!(store.setting::<String>("threads").await, Err(StoreError::BadRecord { .. })));
    store.set_setting("folders", &vec!["a", "ü"]).await.unwrap();
    assert_eq!(store.setting::<Vec<String>>("folders").await.unwrap().unwrap(), ["a", "ü"]);
}

#[tokio::test]
async fn typical_times_are_medians_without_warm_up() {
    let (_folder, store) = fresh().await;
    let (run, cells, _) = fill(&store, 0x1000).await;
    let sha = run.spec.entries[0].model.sha256.clone();
    let times = store.typical_task_times(&sha, "quick", 3, "fp-bench").await.unwrap();
    let of = |id: &str| times.iter().find(|t| t.task_id == id).map(|t| (t.seconds, t.samples));
    assert_eq!(of("load-cold"), Some((0.16, 1)), "the warm-up of 0.18 s is left out");
    assert_eq!(of("qa-1"), Some((0.080_000_003, 2)), "the mean of the two in the middle");
    assert_eq!(of("batch-1"), Some((0.4, 1)));

    // A third, and a second run: all count.
    store
        .insert_sample(&sample(0x9000, &cells[2], SessionId(id(0x1040)), 2, generation(100_000_000_000)), &[])
        .await
        .unwrap();
    let times = store.typical_task_times(&sha, "quick", 3, "fp-bench").await.unwrap();
    assert_eq!(times.iter().find(|t| t.task_id == "qa-1").map(|t| (t.seconds, t.samples)), Some((0.090_000_003, 3)));

    for (sha, suite, version, device) in [
        ("f".repeat(64), "quick", 3, "fp-bench"),
        (sha.clone(), "other", 3, "fp-bench"),
        (sha.clone(), "quick", 4, "fp-bench"),
        (sha.clone(), "quick", 3, "fp-other"),
    ] {
        assert!(store.typical_task_times(&sha, suite, version, device).await.unwrap().is_empty());
    }
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(24))]
    /// Nothing is rounded before it is stored.
    #[test]
    fn figures_come_back_to_the_last_bit(
        times in proptest::collection::vec(proptest::num::u64::ANY, 0..40),
        share in proptest::num::f64::NORMAL,
        seconds in -9_000_000_000i64..9_000_000_000,
        nanos in 0u32..1_000_000_000,
    ) {
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let (_folder, store) = fresh().await;
            let (run, cells) = run(0x1000);
            store.insert_job(&job(0x1000)).await.unwrap();
            store.create_run(&run, &cells).await.unwrap();
            store.insert_session(&session(0x50, run.id, 0)).await.unwrap();
            let mut measured = generation(5);
            let pocketbench_domain::run::Measured::Generation(g) = &mut measured else { unreachable!() };
            g.token_at_ns = times;
            let mut sample = sample(0x60, &cells[2], SessionId(id(0x50)), 0, measured);
            sample.id = SampleId(id(0x61));
            sample.machine.other_cpu = Some(share);
            sample.started_at = chrono::DateTime::from_timestamp(seconds, nanos).unwrap();
            store.insert_sample(&sample, &[]).await.unwrap();
            assert_eq!(store.samples(run.id).await.unwrap(), [sample]);
        });
    }
}

#[tokio::test]
async fn what_a_host_says_never_replaces_what_was_computed_here() {
    let (_folder, store) = fresh().await;
    let source = ModelSource::Repository {
        repository: "maker/model".into(),
        revision: "main".into(),
        path: "model-q4.gguf".into(),
    };
    let file = |bytes: Option<u64>, digit: Option<char>, verified: bool| RemoteFile {
        source: source.clone(),
        bytes,
        sha256: digit.map(|c| c.to_string().repeat(64)),
        verified,
    };
    store.learn_remote_file(&file(Some(7), None, false), at(0)).await.unwrap();
    store.learn_remote_file(&file(None, Some('a'), false), at(1)).await.unwrap();
    assert_eq!(store.remote_files().await.unwrap(), [file(Some(7), Some('a'), false)], "facts add up");
    store.learn_remote_file(&file(Some(8), Some('b'), true), at(2)).await.unwrap();
    store.learn_remote_file(&file(Some(9), Some('c'), false), at(3)).await.unwrap();
    assert_eq!(store.remote_files().await.unwrap(), [file(Some(8), Some('b'), true)]);
}

#[tokio::test]
async fn a_job_keeps_what_it_needs_to_go_on() {
    let (_folder, store) = fresh().await;
    let fetch = Job { kind: JobKind::Download, ..job(1) };
    store.insert_job_with(&fetch, &("from", 3)).await.unwrap();
    store.insert_job(&job(2)).await.unwrap();
    assert_eq!(store.job_work::<(String, u32)>(fetch.id).await.unwrap(), ("from".to_owned(), 3));
    assert!(store.job_work::<(String, u32)>(job(2).id).await.is_err(), "a job without work");
    let all = store.jobs_with_work::<(String, u32)>(JobKind::Download, 10).await.unwrap();
    assert_eq!(all, [(fetch, ("from".to_owned(), 3))]);
    assert_eq!(store.jobs_with_work::<u32>(JobKind::Download, 10).await.unwrap(), [], "of another version");
}

#[tokio::test]
async fn the_library_knows_who_used_a_model_and_where_it_lay() {
    let (_folder, store) = fresh().await;
    let (run, _, _) = fill(&store, 0x1000).await;
    let uses = store.model_uses().await.unwrap();
    assert!(!uses.is_empty());
    for used in &uses {
        assert_eq!(used.runs, 1);
        assert_eq!(store.runs_of_model(&used.sha256).await.unwrap(), [run.id]);
        assert_eq!(used.last_run_at, run.started_at);
    }
    let file = ModelFile { model: model('a', "SmolLM2"), mtime_ns: 5, last_seen: at(0), reference: true };
    store.upsert_model_file(&file).await.unwrap();
    assert_eq!(store.model_file_at(&file.model.path).await.unwrap(), Some(file.clone()));
    assert_eq!(store.files_of_model(&file.model.sha256).await.unwrap(), [file]);
    assert_eq!(store.model_file_at("/elsewhere").await.unwrap(), None);
}

#[tokio::test]
async fn what_the_sensors_said_is_kept_beside_the_sample_and_goes_with_its_run() {
    let (_folder, store) = fresh().await;
    let (run, cells, _) = fill(&store, 0x1000).await;
    let reading = |at_ns| Reading {
        at_ns,
        temperatures: vec![Temperature { class: SensorClass::Cpu, celsius: 61.5 }],
        charging: Some(false),
        ..Reading::default()
    };
    let readings = [reading(0), reading(1_000_000_000), reading(2_000_000_000)];
    let conditions = Conditions::over(&readings, 0, 2_000_000_000);
    let round = Measured::Round(Round {
        at_ns: 7,
        of_ns: 600_000_000_000,
        generation: generation(90_000_003).generation().unwrap().clone(),
    });
    let warm = Sample { conditions: Some(conditions), ..sample(0x9000, &cells[2], SessionId(id(0x1040)), 2, round) };
    store.insert_sample(&warm, &readings).await.unwrap();
    assert!(store.samples(run.id).await.unwrap().contains(&warm));
    let kept = store.readings(run.id).await.unwrap();
    assert_eq!(kept.len(), 1, "the other samples have none");
    assert_eq!(kept[&warm.id], readings);

    store.delete_run(run.id).await.unwrap();
    assert!(store.readings(run.id).await.unwrap().is_empty());
}

#[tokio::test]
async fn providers_keep_their_order_and_their_names() {
    let (_folder, store) = fresh().await;
    let (first, second) = (provider("zed"), provider("home"));
    store.save_provider(&first, at(0)).await.unwrap();
    store.save_provider(&second, at(1)).await.unwrap();
    assert_eq!(store.providers().await.unwrap(), [first.clone(), second.clone()]);
    let changed = Provider { model: None, checked: None, ..first };
    store.save_provider(&changed, at(2)).await.unwrap();
    assert_eq!(store.providers().await.unwrap(), [changed, second.clone()]);
    store.remove_provider("zed").await.unwrap();
    assert_eq!(store.providers().await.unwrap(), [second]);
    assert!(matches!(store.remove_provider("zed").await, Err(StoreError::NotFound { .. })));
    // A name that could be anything else is refused by the database itself.
    assert!(store.save_provider(&provider("A b"), at(3)).await.is_err());
}
