//! Tuning as people and scripts use it: real models, real workers, real kills.

use pocketbench_testkit::gguf::{Format, Scale, Shape, write_model};
use pocketbench_testkit::smollm2;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A data folder of its own. Tests take turns: two measurements at once disturb each other.
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
        command.args(arguments).env("POCKETBENCH_HOME", self.path());
        command.env_remove("POCKETBENCH_MODELS").env_remove("POCKETBENCH_NO_TUNE");
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// The tuning in use.
    fn tuning(&self) -> Value {
        self.json(&["tune", "--json"])["tuning"].clone()
    }

    /// Titles of the runs' suites, the latest first.
    fn suites(&self) -> Vec<String> {
        let runs = self.json(&["runs", "--json"]);
        runs.as_array().unwrap().iter().map(|run| run["suite"].as_str().unwrap().to_owned()).collect()
    }

    fn cores(&self) -> u64 {
        self.json(&["device", "--json"])["logical_cores"].as_u64().unwrap()
    }

    /// A model of random weights that takes no time to measure.
    fn tiny(&self) -> PathBuf {
        let path = self.path().join("tiny.gguf");
        write_model(&path, Shape::MiMo7B, Scale::Tiny, Format::Q4_0).unwrap();
        path
    }

    /// Starts a full tuning.
    fn start_tuning(&self, model: &Path) -> Child {
        let mut command = self.command(&["tune", model.to_str().unwrap()]);
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Waits until the first stage has some samples, and gives its run.
    fn first_stage(&self) -> String {
        let start = Instant::now();
        loop {
            assert!(start.elapsed() < Duration::from_mins(5), "no samples after five minutes");
            std::thread::sleep(Duration::from_millis(20));
            // Before the first run there is no database.
            let output = self.run(&["runs", "--json"]);
            let runs: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap_or_default();
            let Some(run) = runs.last() else { continue };
            let id = run["id"].as_str().unwrap().to_owned();
            if samples(&self.json(&["runs", &id, "--json"])).len() >= 4 {
                return id;
            }
        }
    }
}

fn samples(document: &Value) -> Vec<&str> {
    document["samples"].as_array().unwrap().iter().map(|sample| sample["id"].as_str().unwrap()).collect()
}

/// A run of the real model that takes a second.
const BENCH: [&str; 8] = ["-p", "16", "-n", "4", "-r", "2", "--json", "--out"];

fn bench(home: &Home, more: &[&str]) -> Value {
    let out = home.path().join("out");
    let model = smollm2();
    let mut arguments = vec!["bench", &model];
    arguments.extend(BENCH);
    arguments.push(out.to_str().unwrap());
    arguments.extend(more);
    home.json(&arguments);
    serde_json::from_slice(&std::fs::read(out.join("run.json")).unwrap()).unwrap()
}

fn settings(document: &Value) -> &Value {
    &document["result"]["run"]["spec"]["entries"][0]["settings"]
}

/// What a tuning says must follow from the figures that it carries.
fn follows_the_rule(step: &Value) {
    let candidates = step["candidates"].as_array().unwrap();
    let chosen = usize::try_from(step["chosen"].as_u64().unwrap()).unwrap();
    if step["reason"] == "default_stays" {
        assert_eq!(chosen, 0, "{step:#}");
        return;
    }
    assert_eq!(candidates[chosen]["beaten"], false, "{step:#}");
    assert!(candidates[..chosen].iter().all(|candidate| candidate["beaten"] == true), "{step:#}");
    let median = |candidate: &Value| {
        let figures = candidate["figures"].as_array().unwrap();
        figures.iter().map(|figure| figure["rate"]["median"].as_f64().unwrap().ln()).sum::<f64>()
    };
    let measured: Vec<&Value> = candidates.iter().filter(|c| !c["figures"].as_array().unwrap().is_empty()).collect();
    let fastest = measured.iter().map(|c| median(c)).fold(f64::MIN, f64::max);
    assert_eq!(step["reason"] == "fastest", (median(&candidates[chosen]) - fastest).abs() < 1e-9, "{step:#}");
}

#[test]
fn a_quick_tuning_is_kept_with_its_evidence_used_overridden_and_forgotten() {
    let home = Home::new();
    let cores = home.cores();
    let state = home.json(&["tune", &smollm2(), "--quick", "--json"]);
    let tuning = &state["tuning"];
    assert_eq!((&tuning["automatic"], &state["automatic"]), (&json!(false), &json!(true)));
    assert!(tuning["place"]["cpu_variant"].as_str().unwrap().contains("ggml-cpu"));
    let steps = tuning["steps"].as_array().unwrap();
    if cores > 1 {
        let axes: Vec<&Value> = steps.iter().map(|step| &step["axis"]).collect();
        assert_eq!(axes, ["threads", "prefill_threads"]);
        let [decode, prefill] = [&steps[0], &steps[1]];
        assert!(decode["candidates"].as_array().unwrap().len() >= 2);
        assert_eq!(decode["candidates"][0]["label"], "1 thread");
        for step in [decode, prefill] {
            follows_the_rule(step);
            for candidate in step["candidates"].as_array().unwrap() {
                let rate = &candidate["figures"][0]["rate"];
                assert_eq!(rate["n"], 7, "{candidate}");
                let (low, high) = (rate["interval"]["low"].as_f64(), rate["interval"]["high"].as_f64());
                assert!(low <= rate["median"].as_f64() && rate["median"].as_f64() <= high);
                assert!(candidate["peak_rss_bytes"].as_u64().unwrap() > 50_000_000);
            }
        }
        // The evidence can be opened, and has every sample: two tasks, seven repetitions and a warm-up each.
        let run = home.json(&["runs", decode["run_id"].as_str().unwrap(), "--json"]);
        let candidates = decode["candidates"].as_array().unwrap().len();
        assert_eq!(samples(&run).len(), candidates * 2 * 8);
    }
    let threads = &tuning["chosen"]["n_threads"];
    assert!((1..=cores).contains(&threads.as_u64().unwrap()));

    let runs = home.suites().len();
    let document = bench(&home, &[]);
    assert_eq!(home.suites().len(), runs + 1, "what is known is not measured again");
    assert_eq!(&settings(&document)["n_threads"], threads);
    assert_eq!(settings(&document)["n_threads_batch"], tuning["chosen"]["n_threads_batch"]);
    assert_eq!(document["result"]["run"]["spec"]["reasons"][0]["kind"], "tuned");
    assert_eq!(document["result"]["run"]["spec"]["reasons"][0]["tuning_id"], tuning["id"]);
    let most = cores.to_string();
    assert_eq!(settings(&bench(&home, &["--threads", &most]))["n_threads"], cores, "a person's word goes first");
    let shown = String::from_utf8(home.run(&["tune"]).stdout).unwrap();
    assert!(shown.contains("Tuned") && shown.contains("micro-batch of 512"), "{shown}");

    assert!(home.run(&["tune", "--forget"]).status.success());
    assert_eq!(home.tuning(), Value::Null);
    let document = bench(&home, &["--no-tune"]);
    assert_eq!(home.suites().iter().filter(|suite| suite.starts_with("Tuning")).count(), usize::from(cores > 1));
    assert_eq!(document["result"]["run"]["spec"].get("reasons"), None);
}

#[test]
fn the_first_run_on_a_device_is_preceded_by_a_tuning_of_its_threads() {
    let home = Home::new();
    if home.cores() < 2 {
        return;
    }
    let document = bench(&home, &[]);
    assert_eq!(home.suites(), ["Tuning: threads", "Synthetic"], "planned before, measured after");
    let runs = home.json(&["runs", "--json"]);
    assert!(runs.as_array().unwrap().iter().all(|run| run["state"] == "done"), "{runs}");
    assert_ne!(runs[0]["job_id"], runs[1]["job_id"], "a job of its own, which can be stopped");
    let evidence = home.json(&["runs", runs[0]["id"].as_str().unwrap(), "--json"]);
    let last = |document: &Value| document["samples"].as_array().unwrap().last().unwrap()["started_at"].clone();
    let first = document["samples"][0]["started_at"].as_str().unwrap();
    assert!(last(&evidence).as_str().unwrap() < first, "before the first sample of the run");
    let tuning = home.tuning();
    if tuning.is_null() {
        // The machine that runs this test was busy: then the defaults are used, and it is tried again.
        assert_eq!(document["result"]["run"]["spec"].get("reasons"), None);
        return;
    }
    assert_eq!(tuning["automatic"], true);
    follows_the_rule(&tuning["steps"][0]);
    assert_eq!(settings(&document)["n_threads"], tuning["chosen"]["n_threads"]);
    assert_eq!(document["result"]["run"]["spec"]["reasons"][0]["tuning_id"], tuning["id"]);
    bench(&home, &[]);
    assert_eq!(home.suites(), ["Synthetic", "Tuning: threads", "Synthetic"]);
}

#[test]
fn a_first_run_can_do_without_a_tuning() {
    let home = Home::new();
    bench(&home, &["--no-tune"]);
    bench(&home, &["--threads", "1"]);
    assert_eq!(home.json(&["tune", "--automatic", "false", "--json"])["automatic"], false);
    bench(&home, &[]);
    assert_eq!(home.suites(), ["Synthetic"; 3]);
    assert!(home.run(&["tune", "--automatic", "true"]).status.success());
    let model = smollm2();
    let output = home
        .command(&["bench", &model, "-p", "16", "-n", "0", "-r", "2", "--json"])
        .env("POCKETBENCH_NO_TUNE", "1")
        .output()
        .unwrap();
    assert!(output.status.success());
    assert_eq!(home.suites(), ["Synthetic"; 4]);
}

#[test]
fn a_full_tuning_that_is_killed_leaves_nothing_and_goes_on_where_it_was() {
    let home = Home::new();
    let model = home.tiny();
    let mut child = home.start_tuning(&model);
    let id = home.first_stage();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(home.tuning(), Value::Null, "no half of a tuning");
    let before = home.json(&["runs", &id, "--json"]);
    let output = home.run(&["runs", &id, "--resume", "--json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let after = home.json(&["runs", &id, "--json"]);
    let kept = samples(&after);
    assert!(samples(&before).iter().all(|id| kept.contains(id)), "a sample was lost");

    let tuning = home.tuning();
    let steps = tuning["steps"].as_array().unwrap();
    let axes: Vec<&str> = steps.iter().map(|step| step["axis"].as_str().unwrap()).collect();
    for axis in ["micro_batch", "flash_attention", "kv_type"] {
        assert!(axes.contains(&axis), "{axes:?}");
    }
    steps.iter().for_each(follows_the_rule);
    if home.cores() > 1 {
        assert_eq!((axes[0], &steps[0]["run_id"]), ("threads", &json!(id)), "what was measured is not thrown away");
        // A later stage starts from what was chosen before.
        let later = home.json(&["runs", steps.last().unwrap()["run_id"].as_str().unwrap(), "--json"]);
        assert_eq!(settings(&later)["n_threads"], tuning["chosen"]["n_threads"]);
    }
    let kv = steps.iter().find(|step| step["axis"] == "kv_type").unwrap();
    assert_eq!(kv["candidates"].as_array().unwrap().len(), 3);
    let runs = home.suites().len();
    let distinct = steps.iter().map(|step| step["run_id"].as_str().unwrap()).collect::<std::collections::HashSet<_>>();
    assert_eq!(runs, distinct.len(), "one run a stage");
}

#[test]
fn a_model_that_vanishes_ends_its_tuning_with_a_reason_and_nothing_is_kept() {
    let home = Home::new();
    let model = home.tiny();
    let child = home.start_tuning(&model);
    let id = home.first_stage();
    std::fs::remove_file(&model).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("MODEL_") && said.contains("what to do"), "{said}");
    assert_eq!(home.tuning(), Value::Null);
    let resumed = home.run(&["runs", &id, "--resume"]);
    assert!(String::from_utf8_lossy(&resumed.stderr).contains("MODEL_FILE_NOT_FOUND"));
}

#[test]
fn what_cannot_be_tuned_is_refused() {
    let home = Home::new();
    let model = smollm2();
    let many = (home.cores() + 1).to_string();
    let sweep = home.path().join("sweep.json");
    let task = json!({
        "id": "tg4", "category": "synthetic", "title": "Decode",
        "work": { "kind": "synthetic", "n_prompt": 0, "n_gen": 4, "n_depth": 0 },
    });
    let suite = json!({
        "id": "sweep", "version": 1, "title": "Threads", "description": "Too many.", "repetitions": 2,
        "warmup_max_tokens": 0, "n_ctx": 256, "tasks": [task],
        "sweep": { "axis": "threads", "values": [1, home.cores() + 1] },
    });
    std::fs::write(&sweep, suite.to_string()).unwrap();
    for (arguments, name) in [
        (vec!["tune", "/nowhere/model.gguf"], "MODEL_FILE_NOT_FOUND"),
        (vec!["bench", &model, "--threads", &many], "INVALID_INPUT"),
        (vec!["bench", &model, "--threads", "0"], "INVALID_INPUT"),
        (vec!["bench", &model, "--suite", sweep.to_str().unwrap()], "INVALID_INPUT"),
    ] {
        let output = home.run(&arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(3), "{arguments:?}: {said}");
        assert!(said.contains(name) && said.contains("what to do"), "{arguments:?}: {said}");
    }
    assert_eq!(home.run(&["tune", "--quick"]).status.code(), Some(2), "it needs a model");
    assert!(home.suites().is_empty(), "nothing was started");
}
