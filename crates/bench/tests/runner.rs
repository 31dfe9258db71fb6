//! How a run is conducted: what becomes of workers that die, of models that vanish, of a full disk, of a machine that
//! sleeps or is warm. The workers are shell scripts and the sensors are traces, so that all of it happens on purpose.

use chrono::Utc;
use pocketbench_bench::{Moment, Plan, Recorder, Runner, plan_cells};
use pocketbench_device::{SensorSampler, Sensors, Trace, TraceOrigin};
use pocketbench_domain::conditions::{CoolDownEnd, Reading, SensorClass, Temperature};
use pocketbench_domain::fit::Machine;
use pocketbench_domain::generate::{GenerateRequest, Limits, Prompt, Sampling};
use pocketbench_domain::metric::Metric;
use pocketbench_domain::model::{ModelHeader, ModelRef};
use pocketbench_domain::run::{Cell, CellId, CellState, RunEntry, RunId, RunSpec, Sample, Session};
use pocketbench_domain::settings::EngineSettings;
use pocketbench_domain::suite::{Category, Suite, SustainedRequest, Task, Work};
use pocketbench_domain::{ErrorCode, ErrorReport};
use pocketbench_testkit::peer::{asked, peer};
use pocketbench_worker::Launch;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// Keeps everything in memory, up to a number of samples: then its disk is full.
#[derive(Default)]
struct Kept {
    sessions: Vec<Session>,
    samples: Vec<Sample>,
    cells: HashMap<CellId, (CellState, Option<ErrorReport>)>,
    room_for: Option<usize>,
    /// Stops the run at this token.
    stop_at_token: Option<(usize, CancellationToken)>,
    tokens: usize,
}

impl Recorder for Kept {
    async fn session(&mut self, session: &Session) -> Result<(), ErrorReport> {
        self.sessions.push(session.clone());
        Ok(())
    }

    async fn sample(&mut self, sample: &Sample, _: &[Reading]) -> Result<(), ErrorReport> {
        if self.room_for.is_some_and(|most| self.samples.len() >= most) {
            return Err(ErrorReport::new(ErrorCode::DiskFull, "full"));
        }
        self.samples.push(sample.clone());
        Ok(())
    }

    async fn cell(&mut self, cell: CellId, state: CellState, failure: Option<&ErrorReport>) -> Result<(), ErrorReport> {
        self.cells.insert(cell, (state, failure.cloned()));
        Ok(())
    }

    async fn progress(&mut self, done: u64, total: u64) -> Result<(), ErrorReport> {
        assert!(done <= total);
        Ok(())
    }

    fn moment(&mut self, moment: Moment<'_>) {
        if matches!(moment, Moment::Token { .. }) {
            self.tokens += 1;
            if let Some((_, stop)) = self.stop_at_token.as_ref().filter(|(at, _)| *at == self.tokens) {
                stop.cancel();
            }
        }
    }
}

fn request() -> GenerateRequest {
    GenerateRequest {
        prompt: Prompt::Raw("a".into()),
        sampling: Sampling::default(),
        limits: Limits { max_tokens: 3, stop: Vec::new(), ignore_eos: true },
        reuse_prefix: false,
    }
}

fn task(id: &str, work: Work) -> Task {
    Task { id: id.into(), category: Category::Custom, title: id.into(), work }
}

/// A run: tasks `a` and `b`, three repetitions, one worker a model.
struct Bench {
    folder: TempDir,
    spec: RunSpec,
    cells: Vec<Cell>,
    readings: Vec<Reading>,
    available_bytes: u64,
}

impl Bench {
    fn new(models: usize, says: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let _ = peer(folder.path(), says);
        let entry = |n: usize| {
            let header = ModelHeader { name: format!("model {n}"), ..ModelHeader::default() };
            let path = format!("model-{n}.gguf");
            RunEntry::new(ModelRef { sha256: n.to_string(), path, file_bytes: 1, header }, EngineSettings::new(64, 1))
        };
        let suite = Suite {
            id: "test".into(),
            version: 1,
            title: "Test".into(),
            description: "For tests.".into(),
            repetitions: 3,
            warmup_max_tokens: 0,
            n_ctx: 64,
            tasks: vec![task("a", Work::Generate(request())), task("b", Work::Generate(request()))],
            sweep: None,
        };
        let spec =
            RunSpec { entries: (0..models).map(entry).collect(), suite, left_out: Vec::new(), reasons: Vec::new() };
        let mut bench = Self { folder, spec, cells: Vec::new(), readings: Vec::new(), available_bytes: 1 << 40 };
        bench.plan_cells();
        bench
    }

    fn with_tasks(mut self, tasks: Vec<Task>) -> Self {
        self.spec.suite.tasks = tasks;
        self.plan_cells();
        self
    }

    fn plan_cells(&mut self) {
        let mut next = 0;
        self.cells = plan_cells(RunId(uuid::Uuid::from_u128(1)), &self.spec, || {
            next += 1;
            uuid::Uuid::from_u128(next)
        });
    }

    fn launch(&self) -> Launch {
        Launch::Child { program: "/bin/sh".into(), args: vec![self.folder.path().join("peer.sh").into()] }
    }

    /// Goes on from what is kept, with a sensor that is read at the ends of what is measured and never in between.
    async fn run_by(&self, launch: Launch, kept: &mut Kept) -> Result<(), ErrorReport> {
        let mut measured: HashMap<CellId, HashSet<u32>> = HashMap::new();
        for sample in kept.samples.iter().filter(|sample| !sample.warmup) {
            measured.entry(sample.cell_id).or_default().insert(sample.repetition);
        }
        let mut cells = self.cells.clone();
        for cell in &mut cells {
            cell.state = kept.cells.get(&cell.id).map_or(CellState::Pending, |(state, _)| *state);
        }
        let about = "made up by a test".to_owned();
        let trace = Trace { origin: TraceOrigin::Synthetic, about, readings: self.readings.clone() };
        let plan = Plan {
            run_id: RunId(uuid::Uuid::from_u128(1)),
            spec: self.spec.clone(),
            cells,
            measured,
            launch,
            machine: Machine { available_bytes: self.available_bytes, ..Machine::default() },
            sensors: Arc::new(SensorSampler::start(Sensors::replay(trace), Duration::from_hours(1))),
            patience: Duration::from_mins(10),
        };
        let stop = kept.stop_at_token.as_ref().map_or_else(CancellationToken::new, |(_, stop)| stop.clone());
        Runner::new(plan, kept, stop, Utc::now, uuid::Uuid::now_v7).run().await
    }

    async fn run(&self, kept: &mut Kept) -> Result<(), ErrorReport> {
        self.run_by(self.launch(), kept).await
    }

    /// State and code of a cell.
    fn outcome(&self, kept: &Kept, slot: u32, task: &str) -> (CellState, Option<ErrorCode>) {
        let cell = self.cells.iter().find(|cell| cell.slot == slot && cell.task_id == task).unwrap();
        let (state, failure) = kept.cells.get(&cell.id).cloned().unwrap_or((CellState::Pending, None));
        (state, failure.map(|failure| failure.code))
    }

    fn failure(&self, kept: &Kept, slot: u32, task: &str) -> ErrorReport {
        let cell = self.cells.iter().find(|cell| cell.slot == slot && cell.task_id == task).unwrap();
        kept.cells[&cell.id].1.clone().unwrap()
    }

    fn generated(&self) -> u32 {
        asked(self.folder.path(), "generates")
    }
}

const DONE: (CellState, Option<ErrorCode>) = (CellState::Done, None);

fn failed(code: ErrorCode) -> (CellState, Option<ErrorCode>) {
    (CellState::Failed, Some(code))
}

/// Second by second, on three clocks that agree.
fn seconds(n: u64) -> Reading {
    Reading {
        at_ns: n * 1_000_000_000,
        boot_ns: Some(n * 1_000_000_000),
        wall_ms: Some(i64::try_from(n * 1_000).unwrap()),
        ..Reading::default()
    }
}

/// The machine sleeps before each of these seconds: the clock that goes on is an hour ahead from then on.
fn asleep_before(naps: &[u64]) -> Vec<Reading> {
    let nap = |n: u64| naps.iter().filter(|nap| **nap <= n).count() as u64 * 3_600_000_000_000;
    (0..60).map(|n| Reading { boot_ns: Some(n * 1_000_000_000 + nap(n)), ..seconds(n) }).collect()
}

#[tokio::test]
async fn every_repetition_is_kept_once_and_two_models_take_turns() {
    let bench = Bench::new(2, "");
    let mut kept = Kept::default();
    bench.run(&mut kept).await.unwrap();
    for (slot, task) in [(0, "a"), (1, "a"), (0, "b"), (1, "b")] {
        assert_eq!(bench.outcome(&kept, slot, task), DONE);
    }
    assert_eq!((kept.samples.len(), bench.generated(), kept.sessions.len()), (12, 12, 2));
    let slot_of: HashMap<CellId, u32> = bench.cells.iter().map(|cell| (cell.id, cell.slot)).collect();
    let order: Vec<u32> = kept.samples[..6].iter().map(|sample| slot_of[&sample.cell_id]).collect();
    assert_eq!(order, [0, 1, 1, 0, 0, 1]);
}

#[tokio::test]
async fn a_worker_that_dies_fails_its_cell_and_the_next_task_has_a_new_one() {
    let bench = Bench::new(1, "on_generate() { if [ $n = 2 ]; then kill -9 $$; fi; answer; }");
    let mut kept = Kept::default();
    bench.run(&mut kept).await.unwrap();
    assert_eq!(bench.outcome(&kept, 0, "a"), failed(ErrorCode::WorkerCrashed));
    assert_eq!(bench.outcome(&kept, 0, "b"), DONE);
    assert_eq!(bench.failure(&kept, 0, "a").details.unwrap()["signal"], 9);
    assert_eq!((kept.samples.len(), kept.sessions.len()), (1 + 3, 2), "what was measured before is kept");
}

#[tokio::test]
async fn a_model_that_vanishes_fails_what_is_left_of_it_and_the_other_goes_on() {
    // Each start of a load task loads again; from the third load on the first model's file is gone.
    let says = r#"on_load() {
        case $line in *model-0*) if [ $n -ge 3 ]; then refuse MODEL_FILE_NOT_FOUND "gone"; return; fi ;; esac
        loaded
    }
    on_generate() { token; answer; }"#;
    let tasks = vec![task("start", Work::Load { cold: false }), task("a", Work::Generate(request()))];
    let bench = Bench::new(2, says).with_tasks(tasks);
    let mut kept = Kept::default();
    bench.run(&mut kept).await.unwrap();
    for task in ["start", "a"] {
        assert_eq!(bench.outcome(&kept, 0, task), failed(ErrorCode::ModelFileNotFound), "{task}");
        assert_eq!(bench.outcome(&kept, 1, task), DONE, "{task}");
    }
    let first: Vec<&Sample> = kept.samples.iter().filter(|s| s.cell_id == bench.cells[0].id).collect();
    assert_eq!(first.len(), 1, "the start that was measured stays");
}

#[tokio::test]
async fn a_full_disk_ends_the_run_and_it_goes_on_where_it_was_once_there_is_room() {
    let bench = Bench::new(2, "");
    let mut kept = Kept { room_for: Some(5), ..Kept::default() };
    let error = bench.run(&mut kept).await.unwrap_err();
    assert_eq!((error.code, kept.samples.len()), (ErrorCode::DiskFull, 5));
    assert_eq!(bench.generated(), 6, "nothing is measured that cannot be kept");
    kept.room_for = None;
    bench.run(&mut kept).await.unwrap();
    let places: HashSet<(CellId, u32)> = kept.samples.iter().map(|s| (s.cell_id, s.repetition)).collect();
    assert_eq!((kept.samples.len(), places.len()), (12, 12), "each repetition once");
    assert!(bench.cells.iter().all(|cell| kept.cells[&cell.id].0 == CellState::Done));
}

#[tokio::test]
async fn no_token_at_all_is_a_sample_without_figures() {
    let bench = Bench::new(1, "on_generate() { silence; }");
    let mut kept = Kept::default();
    bench.run(&mut kept).await.unwrap();
    assert_eq!(bench.outcome(&kept, 0, "a"), DONE);
    for metric in [Metric::DecodeTps, Metric::TtftMs, Metric::ItlMs, Metric::E2eMs] {
        assert!(kept.samples.iter().all(|sample| metric.of(sample).is_none()), "{metric}");
    }
    // A start that ends in no token was no start.
    let bench = Bench::new(1, "on_generate() { silence; }").with_tasks(vec![task("start", Work::Load { cold: false })]);
    let mut kept = Kept::default();
    bench.run(&mut kept).await.unwrap();
    assert_eq!(bench.outcome(&kept, 0, "start"), failed(ErrorCode::Internal));
}

#[tokio::test]
async fn a_model_that_never_stops_is_stopped_by_whoever_waits_for_it() {
    let stop = CancellationToken::new();
    let bench = Bench::new(1, "on_generate() { while :; do token; done; }");
    let mut kept = Kept { stop_at_token: Some((100, stop)), ..Kept::default() };
    let error = bench.run(&mut kept).await.unwrap_err();
    assert_eq!((error.code, kept.samples.len()), (ErrorCode::Cancelled, 0), "a part of an answer is no measurement");
}

#[tokio::test]
async fn a_repetition_that_the_machine_slept_through_is_measured_again() {
    // Reading 0 comes with the start, 1 and 2 are the ends of the first repetition, 3 and 4 those of the second.
    let mut bench = Bench::new(1, "").with_tasks(vec![task("a", Work::Generate(request()))]);
    bench.readings = asleep_before(&[4]);
    let mut kept = Kept::default();
    bench.run(&mut kept).await.unwrap();
    assert_eq!(bench.outcome(&kept, 0, "a"), DONE);
    assert_eq!((kept.samples.len(), bench.generated()), (3, 4));
    assert!(kept.samples.iter().all(|sample| !sample.conditions.as_ref().unwrap().interrupted()));
}

#[tokio::test]
async fn between_two_repetitions_it_may_sleep() {
    let mut bench = Bench::new(1, "").with_tasks(vec![task("a", Work::Generate(request()))]);
    // Between the first one's end and the second one's beginning.
    bench.readings = asleep_before(&[3]);
    let mut kept = Kept::default();
    bench.run(&mut kept).await.unwrap();
    assert_eq!((bench.outcome(&kept, 0, "a"), bench.generated()), (DONE, 3));
}

#[tokio::test]
async fn a_machine_that_keeps_falling_asleep_is_given_up_after_three_tries() {
    let mut bench = Bench::new(1, "");
    let every: Vec<u64> = (1..60).collect();
    bench.readings = asleep_before(&every);
    let mut kept = Kept::default();
    bench.run(&mut kept).await.unwrap();
    for task in ["a", "b"] {
        assert_eq!(bench.outcome(&kept, 0, task), failed(ErrorCode::MeasurementInterrupted));
    }
    assert_eq!((kept.samples.len(), bench.generated()), (0, 6));
    assert!(bench.failure(&kept, 0, "a").hint.is_some());
}

#[tokio::test]
async fn a_clock_that_is_set_is_no_sleep_where_another_clock_says_so() {
    let mut bench = Bench::new(1, "").with_tasks(vec![task("a", Work::Generate(request()))]);
    bench.readings = (0..20).map(seconds).collect();
    for reading in &mut bench.readings[4..] {
        reading.wall_ms = reading.wall_ms.map(|ms| ms + 7_200_000);
    }
    let mut kept = Kept::default();
    bench.run(&mut kept).await.unwrap();
    assert_eq!((bench.outcome(&kept, 0, "a"), bench.generated()), (DONE, 3));
    assert_eq!(kept.samples[1].conditions.as_ref().unwrap().wall_jump_ms, Some(7_200_000), "and it is told");

    // Without the clock that goes on during sleep nobody can tell.
    for reading in &mut bench.readings {
        reading.boot_ns = None;
    }
    std::fs::remove_file(bench.folder.path().join("generates")).unwrap();
    let mut kept = Kept::default();
    bench.run(&mut kept).await.unwrap();
    assert_eq!((bench.outcome(&kept, 0, "a"), bench.generated()), (DONE, 4));
}

fn at(celsius: f64) -> Vec<Temperature> {
    vec![Temperature { class: SensorClass::Cpu, celsius }]
}

/// Temperatures second by second; none where there is nothing to read.
fn temperatures(course: &[Option<f64>]) -> Vec<Reading> {
    let reading =
        |(n, celsius): (u64, &Option<f64>)| Reading { temperatures: celsius.map_or_else(Vec::new, at), ..seconds(n) };
    (0..).zip(course).map(reading).collect()
}

/// Two models that are not in memory at once, each with one task of one repetition; the second waits for the machine.
async fn second_waits(course: &[Option<f64>]) -> Session {
    let mut bench = Bench::new(2, "").with_tasks(vec![task("a", Work::Generate(request()))]);
    bench.spec.suite.repetitions = 1;
    bench.available_bytes = 0;
    bench.readings = temperatures(course);
    let mut kept = Kept::default();
    bench.run(&mut kept).await.unwrap();
    assert_eq!([bench.outcome(&kept, 0, "a"), bench.outcome(&kept, 1, "a")], [DONE, DONE]);
    assert!(kept.sessions[0].cooled.is_none(), "the first has nothing to wait for");
    kept.sessions[1].clone()
}

#[tokio::test]
async fn the_second_model_waits_for_the_temperature_at_the_beginning() {
    // At rest, the two ends of the first repetition, then what cool-down sees.
    let cooled = second_waits(&[40.0, 60.0, 70.0, 65.0, 50.0, 42.0, 60.0, 70.0].map(Some)).await.cooled.unwrap();
    assert_eq!((cooled.reason, cooled.from_c, cooled.to_c), (CoolDownEnd::Cool, Some(65.0), Some(42.0)));
}

#[tokio::test]
async fn a_sensor_that_vanishes_is_not_waited_for() {
    let course = [Some(40.0), Some(60.0), Some(70.0), Some(65.0), None, None, None, None, None];
    let cooled = second_waits(&course).await.cooled.unwrap();
    assert_eq!((cooled.reason, cooled.reached), (CoolDownEnd::SensorLost, false));
    let cooled = second_waits(&[None; 9]).await.cooled.unwrap();
    assert_eq!((cooled.reason, cooled.waited_ms), (CoolDownEnd::NoSensor, 0));
}

#[tokio::test]
async fn a_sensor_that_sticks_is_no_reason_to_wait() {
    let cooled = second_waits(&[Some(40.0); 9]).await.cooled.unwrap();
    assert_eq!((cooled.reason, cooled.waited_ms), (CoolDownEnd::Cool, 0));
}

#[tokio::test]
async fn a_sustained_task_that_was_stopped_begins_anew_and_keeps_its_rounds() {
    let sustained = Work::Sustained(SustainedRequest { request: request(), seconds: 1 });
    let mut bench = Bench::new(1, "on_generate() { token; sleep 0.1; answer; }").with_tasks(vec![task("s", sustained)]);
    bench.spec.suite.repetitions = 1;
    let stop = CancellationToken::new();
    let mut kept = Kept { stop_at_token: Some((3, stop)), ..Kept::default() };
    assert_eq!(bench.run(&mut kept).await.unwrap_err().code, ErrorCode::Cancelled);
    assert_eq!((bench.outcome(&kept, 0, "s").0, kept.samples.len()), (CellState::Pending, 2));
    kept.stop_at_token = None;
    bench.run(&mut kept).await.unwrap();
    assert_eq!(bench.outcome(&kept, 0, "s"), DONE);
    let sessions: HashSet<_> = kept.samples.iter().map(|sample| sample.session_id).collect();
    let repetitions: Vec<u32> = kept.samples.iter().map(|sample| sample.repetition).collect();
    assert_eq!(sessions.len(), 2);
    assert_eq!(
        repetitions,
        (0..u32::try_from(repetitions.len()).unwrap()).collect::<Vec<_>>(),
        "none is lost or doubled"
    );
    assert!(repetitions.len() > 2);
}

// Memory pressure.

/// The worker's part in being the first that the system ends.
const GOES_FIRST: &str = "on_start() { echo 1000 > /proc/self/oom_score_adj; }\n";

fn pressed(says: &str) -> Bench {
    let mut bench = Bench::new(2, &format!("{GOES_FIRST}{says}"));
    bench.spec.entries[1].leave_free_bytes = Some(500_000_000);
    bench
}

#[tokio::test]
async fn an_entry_with_a_balloon_is_measured_alone_and_says_what_was_left() {
    let bench = pressed("");
    let mut kept = Kept::default();
    bench.run(&mut kept).await.unwrap();
    let slot_of: HashMap<CellId, u32> = bench.cells.iter().map(|cell| (cell.id, cell.slot)).collect();
    let order: Vec<u32> = kept.samples.iter().map(|sample| slot_of[&sample.cell_id]).collect();
    assert_eq!(order, [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1]);
    for sample in &kept.samples {
        assert_eq!(sample.machine.pressed.map(|p| p.balloon_bytes), (slot_of[&sample.cell_id] == 1).then_some(1_000));
    }
}

#[tokio::test]
async fn a_worker_that_uses_up_what_is_left_is_ended_and_that_is_its_result() {
    let says = r#"on_generate() { if [ $n -ge 7 ]; then exec sleep 60; fi; answer; }
    on_balloon() {
        if [ -e generates ] && [ "$(cat generates)" -ge 7 ]; then touch low; fi
        free=5000000000; if [ -e low ]; then free=1000000; fi
        echo "{\"held_bytes\":1000,\"available_bytes\":$free,\"left_bytes\":$free,\"settled\":true,\"short\":false,\"refused\":false}"
        sleep 0.02
    }"#;
    let bench = pressed(says);
    let mut kept = Kept::default();
    bench.run(&mut kept).await.unwrap();
    assert_eq!([bench.outcome(&kept, 0, "a"), bench.outcome(&kept, 0, "b")], [DONE, DONE]);
    let failure = bench.failure(&kept, 1, "a");
    assert_eq!(failure.code, ErrorCode::OutOfMemory);
    let details = failure.details.unwrap();
    assert_eq!((&details["ended_by"], &details["leave_free_bytes"]), (&"pocketbench".into(), &500_000_000.into()));
    assert!(details["last_memory"]["rss_bytes"].as_u64().unwrap() > 0);
}

#[tokio::test]
async fn a_balloon_that_ends_spoils_the_measurement_and_not_the_model() {
    // It says that it has settled, and ends.
    let says = r#"on_generate() { sleep 0.5; answer; }
    on_balloon() {
        count looks
        if [ $n -gt 4 ]; then exit; fi
        echo '{"held_bytes":1,"available_bytes":5000000000,"left_bytes":1,"settled":true,"short":false,"refused":false}'
    }"#;
    let bench = pressed(says);
    let mut kept = Kept::default();
    bench.run(&mut kept).await.unwrap();
    assert_eq!(bench.outcome(&kept, 0, "a"), DONE);
    assert_eq!(bench.outcome(&kept, 1, "a"), failed(ErrorCode::MeasurementInterrupted));
}

#[tokio::test]
async fn where_a_balloon_proves_nothing_or_cannot_be_had_that_is_said() {
    let short = r#"on_balloon() { echo '{"held_bytes":0,"available_bytes":1000,"left_bytes":1000,"settled":false,"short":true,"refused":false}'; }"#;
    for (says, code) in [
        (short, ErrorCode::NotEnoughMemory),
        // Somebody else's program would be ended in its place.
        ("on_start() { :; }", ErrorCode::UnsupportedRequest),
        ("on_balloon() { exit; }", ErrorCode::MeasurementInterrupted),
        ("on_balloon() { echo nonsense; sleep 0.01; }", ErrorCode::MeasurementInterrupted),
    ] {
        let bench = pressed(says);
        let mut kept = Kept::default();
        bench.run(&mut kept).await.unwrap();
        assert_eq!([bench.outcome(&kept, 0, "a"), bench.outcome(&kept, 0, "b")], [DONE, DONE], "{says}");
        for task in ["a", "b"] {
            assert_eq!(bench.outcome(&kept, 1, task), failed(code), "{says}");
            assert!(bench.failure(&kept, 1, task).hint.is_some());
        }
    }
    let mut bench = pressed("");
    bench.spec.entries.remove(0);
    bench.plan_cells();
    let mut kept = Kept::default();
    bench.run_by(Launch::InProcess, &mut kept).await.unwrap();
    let failure = bench.failure(&kept, 0, "a");
    assert_eq!(failure.code, ErrorCode::UnsupportedRequest);
    assert!(failure.message.contains("memory pressure cannot be measured here"), "{failure}");
}
