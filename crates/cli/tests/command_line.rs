//! The executable as people and scripts use it: real models, real database, real processes that are killed.

use pocketbench_testkit::{gemma3, smollm2};
use serde_json::Value;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A data folder of its own. Tests take turns: two measurements at once on two cores take ten times as long.
struct Home {
    folder: tempfile::TempDir,
    _turn: MutexGuard<'static, ()>,
}

impl Home {
    fn new() -> Self {
        static TURN: Mutex<()> = Mutex::new(());
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        Self { folder: tempfile::tempdir().unwrap(), _turn: turn }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pocketbench"));
        command.args(arguments).env("POCKETBENCH_HOME", self.path()).env_remove("POCKETBENCH_MODELS");
        // Tuning has tests of its own.
        command.env("POCKETBENCH_NO_TUNE", "1");
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs and expects a failure: its exit code and what it said.
    fn refused(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.run(arguments);
        assert!(output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
        (output.status.code().unwrap(), String::from_utf8_lossy(&output.stderr).into_owned())
    }

    fn runs(&self) -> Vec<Value> {
        let output = self.run(&["runs", "--json"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn document(&self, run: &str) -> Value {
        serde_json::from_slice(&self.run(&["runs", run, "--json"]).stdout).unwrap()
    }
}

fn suite() -> String {
    format!("{}/tests/short.json", env!("CARGO_MANIFEST_DIR"))
}

fn start(home: &Home) -> Child {
    home.command(&["compare", &smollm2(), &gemma3(), "--suite", &suite()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Waits until a run has at least this many samples stored, and gives its id.
fn wait_for_samples(home: &Home, wanted: usize) -> String {
    let start = Instant::now();
    loop {
        assert!(start.elapsed() < Duration::from_mins(5), "no samples after five minutes");
        // Before the first run there is no database.
        let output = home.run(&["runs", "--json"]);
        let runs: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap_or_default();
        if let Some(run) = runs.first() {
            let id = run["id"].as_str().unwrap().to_owned();
            if home.document(&id)["samples"].as_array().is_some_and(|samples| samples.len() >= wanted) {
                return id;
            }
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn signal(pid: u32, name: &str) {
    assert!(Command::new("kill").args([format!("-{name}"), pid.to_string()]).status().unwrap().success());
}

fn sample_ids(document: &Value) -> Vec<String> {
    let samples = document["samples"].as_array().unwrap();
    samples.iter().map(|sample| sample["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn compare_measures_two_models_and_gives_a_verdict() {
    let home = Home::new();
    let out = home.path().join("report");
    let output =
        home.run(&["compare", &smollm2(), &gemma3(), "--suite", &suite(), "--json", "--out", out.to_str().unwrap()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let result = &document["result"];
    assert_eq!(result["entries"].as_array().unwrap().len(), 2);
    assert_ne!(result["verdict"]["outcome"], "withheld", "{}", result["verdict"]);
    assert!(!result["verdict"]["sentence"].as_str().unwrap().is_empty());
    // 4 tasks, 2 models, 2 repetitions, and a warm-up each.
    assert_eq!(document["samples"].as_array().unwrap().len(), 4 * 2 * 3);
    for task in result["tasks"].as_array().unwrap() {
        for cell in task["cells"].as_array().unwrap() {
            assert_eq!(cell["state"], "done", "{task}");
            // Measured before the run; both architectures are known.
            let decodes = task["headline"] == "decode_tps";
            assert_eq!(cell["limit"]["kind"], if decodes { Value::from("known") } else { Value::Null }, "{task}");
            assert_ne!(cell["limit"]["standing"], "exceeded", "{task}");
        }
    }
    for entry in result["entries"].as_array().unwrap() {
        assert!(entry["memory"]["weights_bytes"].as_u64().unwrap() > 0);
        assert!(entry["memory"]["peak_rss_bytes"].as_u64() > entry["memory"]["baseline_rss_bytes"].as_u64());
        assert_eq!(entry["model"]["sha256"].as_str().unwrap().len(), 64);
        assert!(entry["sessions"][0]["engine"]["cpu_variant"].as_str().unwrap().contains("ggml-cpu"));
    }
    let report = std::fs::read_to_string(out.join("report.md")).unwrap();
    assert!(report.contains("## Figures") && report.contains("| Limit of memory, tok/s |"), "{report}");
    assert!(std::fs::read_to_string(out.join("values.csv")).unwrap().lines().count() > 10);

    let runs = home.runs();
    assert_eq!((runs.len(), runs[0]["state"].as_str()), (1, Some("done")));
    let id = runs[0]["id"].as_str().unwrap();
    assert_eq!(
        home.document(id)["result"]["verdict"],
        result["verdict"],
        "a verdict is the same whenever it is computed"
    );
    let table = String::from_utf8(home.run(&["runs", id]).stdout).unwrap();
    for wanted in ["A question", "Decode, tok/s", "Limit of memory, tok/s", "% reached", "Memory gives"] {
        assert!(table.contains(wanted), "{wanted}: {table}");
    }
    assert!(!table.contains('\u{1b}'), "no colours in a pipe");
}

#[test]
fn claims_are_shown_as_claims_with_the_arithmetic() {
    let home = Home::new();
    let table = String::from_utf8(home.run(&["claims"]).stdout).unwrap();
    for wanted in ["Claimed, not measured.", "127 ms", "not physically possible", "This device:"] {
        assert!(table.contains(wanted), "{wanted}: {table}");
    }
    let json: Value = serde_json::from_slice(&home.run(&["claims", "--json"]).stdout).unwrap();
    assert_eq!(json[0]["set"]["source"]["kind"], "published claim, not measured by this project");
    let fails = json[0]["findings"].as_array().unwrap().iter().filter(|f| f["standing"] == "fails").count();
    assert!(fails >= 6, "{json}");
}

#[test]
fn bench_writes_llama_benchs_records() {
    let home = Home::new();
    let output = home.run(&["bench", &smollm2(), "-p", "32", "-n", "8", "-d", "0,64", "-r", "2", "--json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let records: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(records.len(), 4);
    for record in &records {
        for field in [
            "build_commit",
            "build_number",
            "cpu_info",
            "gpu_info",
            "backends",
            "model_filename",
            "model_type",
            "model_size",
            "model_n_params",
            "n_batch",
            "n_ubatch",
            "n_threads",
            "type_k",
            "type_v",
            "n_gpu_layers",
            "flash_attn",
            "use_mmap",
            "n_prompt",
            "n_gen",
            "n_depth",
            "test_time",
            "avg_ns",
            "stddev_ns",
            "avg_ts",
            "stddev_ts",
            "samples_ns",
            "samples_ts",
        ] {
            assert!(!record[field].is_null(), "{field}");
        }
        assert_eq!(record["samples_ns"].as_array().unwrap().len(), 2);
        assert!(record["avg_ts"].as_f64().unwrap() > 0.0);
    }
    assert_eq!(records[0]["n_prompt"], 32);
    assert_eq!(records[2]["n_depth"], 64);
}

#[test]
fn a_sweep_measures_one_model_under_each_setting_that_it_can_have() {
    let home = Home::new();
    let sweep = "context=256,1024,65536";
    let output = home.run(&["bench", &smollm2(), "--sweep", sweep, "-p", "16", "-n", "4", "-r", "2", "--json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let spec = &document["result"]["run"]["spec"];
    let variants: Vec<&str> =
        spec["entries"].as_array().unwrap().iter().map(|entry| entry["variant"].as_str().unwrap()).collect();
    assert_eq!(variants, ["context 256", "context 1024"]);
    assert_eq!(spec["left_out"][0]["variant"], "context 65536");
    assert_eq!(spec["left_out"][0]["reason"]["code"], "CONTEXT_TOO_LONG");
    // Two settings, two tasks, two repetitions.
    let counted = document["samples"].as_array().unwrap().iter().filter(|sample| sample["warmup"] == false).count();
    assert_eq!(counted, 8);
    let run = document["result"]["run"]["id"].as_str().unwrap();
    let table = String::from_utf8(home.run(&["runs", run]).stdout).unwrap();
    assert!(table.contains("A: context 256") && table.contains("context 65536 was not tried"), "{table}");

    let (code, error) = home.refused(&["bench", &smollm2(), "--sweep", "threads=1,4000"]);
    assert_eq!(code, 3, "{error}");
    let (code, error) = home.refused(&["bench", &smollm2(), "--sweep", "speed=1,2"]);
    assert!(code == 2 && error.contains("there is no sweep over `speed`"), "{error}");
}

#[test]
fn killing_the_worker_fails_its_cell_and_the_run_goes_on() {
    let home = Home::new();
    let mut child = start(&home);
    let id = wait_for_samples(&home, 8);
    let sessions = home.document(&id)["result"]["entries"][0]["sessions"].as_array().unwrap().clone();
    let pid = sessions.last().unwrap()["engine"]["pid"].as_u64().unwrap();
    signal(u32::try_from(pid).unwrap(), "KILL");
    let code = child.wait().unwrap().code();
    let document = home.document(&id);
    let cells: Vec<&Value> = document["result"]["tasks"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|task| task["cells"].as_array().unwrap())
        .collect();
    let failed: Vec<&&Value> = cells.iter().filter(|cell| cell["state"] == "failed").collect();
    assert_eq!(failed.len(), 1, "one cell fails: {document:#}");
    assert_eq!(failed[0]["failure"]["code"], "WORKER_CRASHED");
    assert!(failed[0]["failure"]["details"]["last_memory"]["rss_bytes"].as_u64().unwrap() > 0);
    assert_eq!(cells.iter().filter(|cell| cell["state"] == "done").count(), cells.len() - 1);
    assert_eq!(code, Some(6), "some cells failed");
}

#[test]
fn a_killed_run_loses_nothing_and_resumes_where_it_was() {
    let home = Home::new();
    let mut child = start(&home);
    let id = wait_for_samples(&home, 9);
    child.kill().unwrap();
    child.wait().unwrap();
    let before = sample_ids(&home.document(&id));
    assert!(before.len() >= 9);
    // Whoever opens the folder next finds the run interrupted.
    let output = home.run(&["runs", &id, "--resume", "--json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let after: Value = serde_json::from_slice(&output.stdout).unwrap();
    let ids = sample_ids(&after);
    assert!(before.iter().all(|id| ids.contains(id)), "a sample was lost");
    let counted = after["samples"].as_array().unwrap().iter().filter(|s| s["warmup"] == false).count();
    assert_eq!(counted, 4 * 2 * 2, "every repetition exactly once");
    assert_eq!(home.runs()[0]["state"], "done");
}

/// A suite file in the home's folder.
fn suite_of(home: &Home, id: &str, n_ctx: u32, repetitions: u32, tasks: &Value, sweep: &Value) -> String {
    let mut suite = serde_json::json!({ "id": id, "version": 1, "title": id, "description": "For tests.",
        "repetitions": repetitions, "warmup_max_tokens": 1, "n_ctx": n_ctx, "tasks": tasks });
    if !sweep.is_null() {
        suite["sweep"] = sweep.clone();
    }
    file(home, &format!("{id}.json"), suite.to_string().as_bytes())
}

fn answer(max_tokens: u32) -> Value {
    serde_json::json!({ "kind": "generate", "prompt": { "raw": "Once upon a time" },
        "limits": { "max_tokens": max_tokens, "ignore_eos": true } })
}

fn cells(document: &Value) -> Vec<Value> {
    let tasks = document["result"]["tasks"].as_array().unwrap();
    tasks.iter().flat_map(|task| task["cells"].as_array().unwrap().clone()).collect()
}

#[test]
fn a_sustained_run_that_was_killed_begins_anew_and_loses_no_round() {
    let home = Home::new();
    let work = serde_json::json!({ "kind": "sustained", "seconds": 12, "request": {
        "prompt": { "raw": "Once upon a time" }, "limits": { "max_tokens": 8, "ignore_eos": true } } });
    let tasks = serde_json::json!([{ "id": "s", "category": "sustained", "title": "S", "work": work }]);
    let suite = suite_of(&home, "sustained-short", 256, 1, &tasks, &Value::Null);
    let quiet = || (Stdio::null(), Stdio::null());
    let (out, err) = quiet();
    let mut child = home.command(&["bench", &smollm2(), "--suite", &suite]).stdout(out).stderr(err).spawn().unwrap();
    let id = wait_for_samples(&home, 3);
    child.kill().unwrap();
    child.wait().unwrap();
    let before = sample_ids(&home.document(&id));
    let output = home.run(&["runs", &id, "--resume", "--json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let after: Value = serde_json::from_slice(&output.stdout).unwrap();
    let ids = sample_ids(&after);
    assert!(before.iter().all(|id| ids.contains(id)), "a round was lost");
    let rounds: Vec<&Value> =
        after["samples"].as_array().unwrap().iter().filter(|sample| sample["warmup"] == false).collect();
    let repetitions: std::collections::HashSet<u64> =
        rounds.iter().map(|round| round["repetition"].as_u64().unwrap()).collect();
    assert_eq!(repetitions.len(), rounds.len(), "a round was doubled");
    assert_eq!(cells(&after)[0]["state"], "done");
    // What counts is the attempt that was not interrupted.
    let last = &rounds.last().unwrap()["session_id"];
    let of_last = rounds.iter().filter(|round| round["session_id"] == *last).count();
    let task = &after["result"]["tasks"][0];
    let decode = task["rows"].as_array().unwrap().iter().find(|row| row["metric"] == "decode_tps").unwrap();
    assert_eq!(decode["values"][0].as_array().unwrap().len(), of_last);
    assert!(of_last < rounds.len());
}

#[test]
fn a_model_that_is_removed_in_mid_run_fails_what_is_left_of_it_and_the_other_goes_on() {
    let home = Home::new();
    let gone = file(&home, "gone.gguf", &std::fs::read(smollm2()).unwrap());
    // Each repetition of a start loads anew.
    let tasks = serde_json::json!([
        { "id": "start", "category": "load", "title": "Start", "work": { "kind": "load", "cold": false } },
        { "id": "a", "category": "custom", "title": "A", "work": answer(4) }
    ]);
    let suite = suite_of(&home, "starts", 256, 3, &tasks, &Value::Null);
    let mut child = home
        .command(&["compare", &gone, &gemma3(), "--suite", &suite])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let id = wait_for_samples(&home, 1);
    std::fs::remove_file(&gone).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(6), "some cells failed");
    let document = home.document(&id);
    let (mut failed, cells) = (0, cells(&document));
    for (n, cell) in cells.iter().enumerate() {
        if n % 2 == 0 && cell["state"] == "failed" {
            assert_eq!(cell["failure"]["code"], "MODEL_FILE_NOT_FOUND", "{cell}");
            failed += 1;
        } else {
            assert_eq!(cell["state"], "done", "{cell}");
        }
    }
    assert!(failed > 0, "{cells:?}");
    assert!(!document["samples"].as_array().unwrap().is_empty(), "what was measured stays");
}

#[test]
fn a_model_that_never_stops_ends_where_its_context_does() {
    let home = Home::new();
    let tasks = serde_json::json!([{ "id": "a", "category": "custom", "title": "A", "work": answer(100_000) }]);
    let suite = suite_of(&home, "endless", 256, 1, &tasks, &Value::Null);
    let output = home.run(&["bench", &smollm2(), "--suite", &suite, "--json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let last = document["samples"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(last["measured"]["stop"], "context_full");
    assert!(last["measured"]["generated_tokens"].as_u64().unwrap() < 256);
}

/// A balloon that leaves 150 MB less than is available, and what it says until it has settled.
#[cfg(target_os = "linux")]
fn balloon(home: &Home) -> (Child, Vec<Value>) {
    use std::io::BufRead;
    let device: Value = serde_json::from_slice(&home.run(&["device", "--json"]).stdout).unwrap();
    let available = device["ram_available_bytes"].as_u64().unwrap();
    let mut child =
        home.command(&["worker", "--balloon"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let order = serde_json::json!({ "leave_free_bytes": available - 150_000_000, "worker": null });
    child.stdin.as_mut().unwrap().write_all(format!("{order}\n").as_bytes()).unwrap();
    let mut states = Vec::new();
    for line in std::io::BufReader::new(child.stdout.take().unwrap()).lines() {
        states.push(serde_json::from_str::<Value>(&line.unwrap()).unwrap());
        if states.last().unwrap()["held_bytes"].as_u64() > Some(0) {
            break;
        }
    }
    (child, states)
}

#[test]
#[cfg(target_os = "linux")]
fn a_balloon_holds_memory_and_ends_with_whoever_started_it() {
    let home = Home::new();
    let (mut child, states) = balloon(&home);
    assert!(states.iter().all(|state| state["left_bytes"].as_u64() == state["available_bytes"].as_u64()));
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let kb = |key: &str| -> u64 {
        let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap();
        line.trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap()
    };
    assert!(kb("RssAnon:") * 1024 >= states.last().unwrap()["held_bytes"].as_u64().unwrap(), "it is really there");
    // Nobody listens, and then nobody is there.
    drop(child.stdin.take());
    assert!(child.wait().is_ok());
}

#[test]
#[cfg(target_os = "linux")]
fn free_memory_is_pressed_out_of_the_machine_and_reported() {
    let home = Home::new();
    let device: Value = serde_json::from_slice(&home.run(&["device", "--json"]).stdout).unwrap();
    // What is available moves by some hundred megabytes by itself; beyond that, little is taken.
    let leave = device["ram_available_bytes"].as_u64().unwrap() - 1_500_000_000;
    let tasks = serde_json::json!([{ "id": "a", "category": "custom", "title": "A", "work": answer(8) }]);
    let sweep = serde_json::json!({ "axis": "free_memory", "values": [leave] });
    let suite = suite_of(&home, "pressed", 256, 2, &tasks, &sweep);
    let output = home.run(&["bench", &smollm2(), "--suite", &suite, "--json"]);
    let said = || [&output.stderr, &output.stdout].map(|text| String::from_utf8_lossy(text).into_owned()).join("\n");
    assert!(output.status.success(), "{}: {}", output.status, said());
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let pressure = &document["result"]["pressure"];
    assert_eq!((&pressure["unpressed"], &pressure["steps"][0]["leave_free_bytes"]), (&0.into(), &leave.into()));
    // Two repetitions on a machine that does other things: whatever they say, nothing has failed.
    assert!(pressure["steps"][0]["outcome"]["failure"].is_null() && pressure["steps"][0]["speed"].is_object());
    assert!(pressure["sentence"].as_str().unwrap().contains("left free"));
    let samples = document["samples"].as_array().unwrap();
    let pressed = samples.iter().filter(|sample| !sample["machine"]["pressed"].is_null()).count();
    assert_eq!((samples.len(), pressed), (6, 3), "a warm-up and two repetitions with a balloon, as many without");
    assert!(samples.iter().all(|sample| sample["memory"]["major_faults"].is_u64()));
}

#[test]
fn a_limit_of_cold_starts_is_met_or_missed_with_what_would_meet_it() {
    let home = Home::new();
    let tasks = serde_json::json!([
        { "id": "cold", "category": "load", "title": "Cold", "work": { "kind": "load", "cold": true } },
        { "id": "warm", "category": "load", "title": "Warm", "work": { "kind": "load", "cold": false } }
    ]);
    let suite = suite_of(&home, "cold", 256, 2, &tasks, &Value::Null);
    // A copy of its own: nobody else has it mapped.
    let model = file(&home, "own.gguf", &std::fs::read(smollm2()).unwrap());
    let output = home.run(&["bench", &model, "--suite", &suite, "--json", "--cold-start-limit", "600"]);
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let start = &document["result"]["cold_start"][0];
    let id = document["result"]["run"]["id"].as_str().unwrap();
    // Where the system cannot show a cold start, that is said instead.
    if cells(&document)[0]["state"] == "failed" {
        assert_eq!((&start["met"], &start["first_token_ms"]), (&Value::Null, &Value::Null));
        return;
    }
    assert_eq!((&start["met"], &start["limit_ms"]), (&true.into(), &600_000.0.into()));
    assert!(start["budget"]["load_bytes_per_s"].as_f64().unwrap() > 0.0);
    // The same samples against a limit that nothing meets.
    let table = String::from_utf8(home.run(&["runs", id, "--cold-start-limit", "0.001"]).stdout).unwrap();
    assert!(
        table.contains("over the limit of 0.00100 s") && table.contains("No smaller file would meet it"),
        "{table}"
    );
}

#[test]
fn control_c_stops_keeps_what_was_measured_and_can_be_resumed() {
    let home = Home::new();
    let mut child = start(&home);
    let id = wait_for_samples(&home, 8);
    signal(child.id(), "INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(home.runs()[0]["state"], "cancelled");
    assert!(home.document(&id)["samples"].as_array().unwrap().len() >= 8);
    assert!(home.run(&["runs", &id, "--resume"]).status.success());
}

#[test]
fn a_second_pocketbench_says_who_holds_the_folder() {
    let home = Home::new();
    let mut child = start(&home);
    wait_for_samples(&home, 1);
    let (code, said) = home.refused(&["compare", &smollm2(), &gemma3()]);
    assert_eq!(code, 5, "{said}");
    assert!(said.contains("ALREADY_RUNNING") && said.contains("what to do"), "{said}");
    // Looking is allowed meanwhile.
    assert_eq!(home.runs().len(), 1);
    signal(child.id(), "INT");
    child.wait().unwrap();
}

fn file(home: &Home, name: &str, bytes: &[u8]) -> String {
    let path: PathBuf = home.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn bad_models_and_settings_have_their_own_codes() {
    let home = Home::new();
    let real = std::fs::read(smollm2()).unwrap();
    let mut alien = real.clone();
    let at = alien.windows(5).position(|w| w == b"llama").unwrap();
    alien[at..at + 5].copy_from_slice(b"alien");
    let good = smollm2();
    let html = file(&home, "page.gguf", b"<!doctype html><html>sign in</html>");
    let short = file(&home, "short.gguf", &real[..real.len() / 2]);
    let header = file(&home, "header.gguf", &real[..1000]);
    let empty = file(&home, "empty.gguf", b"");
    let alien = file(&home, "alien.gguf", &alien);
    let broken_suite = file(&home, "broken.json", b"{ \"id\": 3 }");
    for (arguments, code, name) in [
        (vec!["compare", &html, &good], 3, "MODEL_FILE_NOT_GGUF"),
        (vec!["compare", &good, &short], 3, "MODEL_FILE_TRUNCATED"),
        (vec!["bench", &header], 3, "MODEL_FILE_TRUNCATED"),
        (vec!["bench", &empty], 3, "MODEL_FILE_NOT_GGUF"),
        (vec!["bench", &alien], 3, "MODEL_ARCHITECTURE_UNKNOWN"),
        (vec!["bench", "/nowhere/model.gguf"], 3, "MODEL_FILE_NOT_FOUND"),
        (vec!["bench", &good, "-c", "4000000000"], 3, "CONTEXT_TOO_LONG"),
        (vec!["bench", &good, "-c", "0"], 3, "CONTEXT_TOO_LONG"),
        (vec!["bench", &good, "-p", "0", "-n", "0"], 3, "INVALID_INPUT"),
        (vec!["bench", &good, "-p", "100000"], 3, "CONTEXT_TOO_LONG"),
        (vec!["compare", &good, &good, "--suite", "nosuch"], 3, "SUITE_INVALID"),
        (vec!["compare", &good, &good, "--suite", &broken_suite], 3, "SUITE_INVALID"),
        (vec!["bench", &good, "-r", "0"], 3, "SUITE_INVALID"),
        (vec!["runs", "00000000"], 3, "NOT_FOUND"),
    ] {
        let (got, said) = home.refused(&arguments);
        assert!(said.contains(name), "{arguments:?}: {said}");
        assert_eq!(got, code, "{arguments:?}: {said}");
        assert!(said.contains("what to do"), "{arguments:?}: {said}");
    }
    assert!(home.runs().is_empty(), "nothing was started");
}

/// A GGUF file that says it has one tensor of a terabyte. It is sparse: a few hundred bytes on disk.
fn terabyte_model(home: &Home) -> String {
    fn text(out: &mut Vec<u8>, text: &str) {
        out.extend((text.len() as u64).to_le_bytes());
        out.extend(text.as_bytes());
    }
    let mut out = b"GGUF".to_vec();
    out.extend(3_u32.to_le_bytes());
    out.extend(1_u64.to_le_bytes());
    let numbers = [
        ("llama.context_length", 4096_u32),
        ("llama.block_count", 1),
        ("llama.embedding_length", 4096),
        ("llama.feed_forward_length", 4096),
        ("llama.attention.head_count", 32),
        ("llama.vocab_size", 32000),
    ];
    out.extend((numbers.len() as u64 + 1).to_le_bytes());
    text(&mut out, "general.architecture");
    out.extend(8_u32.to_le_bytes());
    text(&mut out, "llama");
    for (key, value) in numbers {
        text(&mut out, key);
        out.extend(4_u32.to_le_bytes());
        out.extend(value.to_le_bytes());
    }
    let (columns, rows) = (4096_u64, 1_u64 << 26);
    text(&mut out, "token_embd.weight");
    out.extend(2_u32.to_le_bytes());
    out.extend(columns.to_le_bytes());
    out.extend(rows.to_le_bytes());
    out.extend(0_u32.to_le_bytes());
    out.extend(0_u64.to_le_bytes());
    let path = file(home, "terabyte.gguf", &out);
    let data = (out.len() as u64).next_multiple_of(32);
    std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(data + columns * rows * 4).unwrap();
    path
}

#[test]
fn a_model_larger_than_memory_is_refused_before_it_is_read() {
    let home = Home::new();
    let (code, said) = home.refused(&["bench", &terabyte_model(&home)]);
    assert!(said.contains("NOT_ENOUGH_MEMORY") && said.contains("what to do"), "{said}");
    assert_eq!(code, 4);
}

#[test]
fn a_prompt_longer_than_the_context_fails_its_cell_alone() {
    let home = Home::new();
    let mut suite: Value = serde_json::from_str(&std::fs::read_to_string(suite()).unwrap()).unwrap();
    suite["tasks"][1]["work"]["prompt"] = serde_json::json!({ "raw": "word ".repeat(2000) });
    let suite = file(&home, "long.json", suite.to_string().as_bytes());
    let output = home.run(&["bench", &smollm2(), "--suite", &suite, "--json"]);
    assert_eq!(output.status.code(), Some(6), "{}", String::from_utf8_lossy(&output.stderr));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let states: Vec<&str> = document["result"]["tasks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|task| task["cells"][0]["state"].as_str().unwrap())
        .collect();
    assert_eq!(states, ["done", "failed", "done", "done"]);
    assert_eq!(document["result"]["tasks"][1]["cells"][0]["failure"]["code"], "PROMPT_TOO_LONG");
}

#[test]
fn a_damaged_or_newer_database_is_left_as_it_is() {
    let home = Home::new();
    let database = home.path().join("pocketbench.db");
    std::fs::write(&database, vec![7_u8; 8192]).unwrap();
    let (code, said) = home.refused(&["bench", &smollm2()]);
    assert!(said.contains("DATABASE_CORRUPT"), "{code}: {said}");
    assert_eq!(std::fs::read(&database).unwrap(), vec![7_u8; 8192]);
}

#[test]
fn a_bandwidth_is_kept_with_its_date_until_it_is_measured_again() {
    let home = Home::new();
    assert!(String::from_utf8(home.run(&["device"]).stdout).unwrap().contains("measure it with --bandwidth"));
    let measure = || -> Value {
        let output = home.run(&["device", "--bandwidth", "--json"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()["bandwidth"].clone()
    };
    let first = measure();
    assert!(first["bytes_per_s"].as_f64().unwrap() > 1e8 && first["threads"].as_u64().unwrap() > 0, "{first}");
    let kept: Value = serde_json::from_slice(&home.run(&["device", "--json"]).stdout).unwrap();
    assert_eq!(kept["bandwidth"], first);
    assert_ne!(measure()["measured_at"], first["measured_at"]);
    assert!(String::from_utf8(home.run(&["device"]).stdout).unwrap().contains("/s, read by "));
}

#[test]
fn device_completions_and_manual_print() {
    let home = Home::new();
    let device: Value = serde_json::from_slice(&home.run(&["device", "--json"]).stdout).unwrap();
    assert!(device["ram_bytes"].as_u64().unwrap() > 0);
    assert!(String::from_utf8(home.run(&["device"]).stdout).unwrap().contains("Processor"));
    assert!(String::from_utf8(home.run(&["completions", "bash"]).stdout).unwrap().contains("pocketbench"));
    assert!(String::from_utf8(home.run(&["man"]).stdout).unwrap().contains(".TH"));
}

/// The layout of a package: `bin/pocketbench` and `lib/pocketbench/*.so`. A build's own folders must not be needed.
#[test]
#[cfg(target_os = "linux")]
fn an_installed_layout_finds_its_libraries() {
    let home = Home::new();
    let built = Path::new(env!("CARGO_BIN_EXE_pocketbench")).parent().unwrap();
    let (bin, lib) = (home.path().join("bin"), home.path().join("lib/pocketbench"));
    std::fs::create_dir_all(&bin).unwrap();
    std::fs::create_dir_all(&lib).unwrap();
    std::fs::copy(env!("CARGO_BIN_EXE_pocketbench"), bin.join("pocketbench")).unwrap();
    for entry in std::fs::read_dir(built).unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap();
        if name.starts_with("lib") && (name.contains(".so.") || name.contains("ggml-cpu")) {
            std::fs::copy(entry.path(), lib.join(name)).unwrap();
        }
    }
    let mut worker = Command::new(bin.join("pocketbench"))
        .arg("worker")
        .env_remove("LD_LIBRARY_PATH")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = worker.stdin.take().unwrap();
    input.write_all(b"{\"id\":1,\"request\":\"hello\"}\n{\"id\":2,\"request\":\"shutdown\"}\n").unwrap();
    let output = worker.wait_with_output().unwrap();
    let first = String::from_utf8(output.stdout).unwrap();
    let hello: Value =
        first.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).find(|e| e["id"] == 1).unwrap();
    assert!(hello["reply"]["cpu_variant"].as_str().unwrap().contains("ggml-cpu"), "{hello}");
}
