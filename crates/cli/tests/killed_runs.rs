//! A run that is killed at any moment, again and again: no stored sample is lost, changed or doubled, and in the end it
//! equals a run that nobody disturbed.
//!
//! `POCKETBENCH_KILLS=50` makes as many kills as the figure in the docs stands on.

use pocketbench_testkit::{gemma3, smollm2};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Instant;

fn command(home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pocketbench"));
    command.args(arguments).env("POCKETBENCH_HOME", home).env_remove("POCKETBENCH_MODELS");
    // Tuning has tests of its own.
    command.env("POCKETBENCH_NO_TUNE", "1");
    command
}

/// Starts a run, or goes on with one.
fn start(home: &Path, run: Option<&str>) -> Child {
    let suite = format!("{}/tests/short.json", env!("CARGO_MANIFEST_DIR"));
    let (a, b) = (smollm2(), gemma3());
    let mut command = match run {
        None => command(home, &["compare", &a, &b, "--suite", &suite, "--repetitions", "3"]),
        Some(id) => command(home, &["runs", id, "--resume"]),
    };
    command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args([format!("-{name}"), child.id().to_string()]).status().unwrap().success());
}

fn json(output: &Output) -> Option<Value> {
    output.status.success().then(|| serde_json::from_slice(&output.stdout).unwrap())
}

/// The only run in a folder, as another process sees it: its id, its state and its document. Nothing where there is none
/// yet, or where the database is just being made.
fn look(home: &Path) -> Option<(String, String, Value)> {
    let runs = json(&command(home, &["runs", "--json"]).output().unwrap())?;
    let run = runs.as_array().unwrap().first()?;
    let (id, state) = (run["id"].as_str().unwrap().to_owned(), run["state"].as_str().unwrap().to_owned());
    let document = json(&command(home, &["runs", &id, "--json"]).output().unwrap())?;
    Some((id, state, document))
}

/// Every sample of a run by cell, kind and repetition. Two of one place are one too many.
fn samples(document: &Value) -> BTreeMap<(String, bool, u64), Value> {
    let mut samples = BTreeMap::new();
    for sample in document["samples"].as_array().unwrap() {
        let cell = sample["cell_id"].as_str().unwrap().to_owned();
        let place = (cell, sample["warmup"].as_bool().unwrap(), sample["repetition"].as_u64().unwrap());
        assert!(samples.insert(place.clone(), sample.clone()).is_none(), "{place:?} is stored twice");
    }
    samples
}

/// A cell without its measurements: task, slot, state, and its samples, each by whether it is a warm-up and its repetition.
type Shape = (String, usize, String, Vec<(bool, u64)>);

/// A run without its measurements.
fn shape(document: &Value) -> Vec<Shape> {
    let samples = samples(document);
    let mut shape = Vec::new();
    for task in document["result"]["tasks"].as_array().unwrap() {
        for (slot, cell) in task["cells"].as_array().unwrap().iter().enumerate() {
            let (id, state) = (cell["cell_id"].as_str().unwrap(), cell["state"].as_str().unwrap());
            let of_cell = samples.keys().filter(|(cell, _, _)| cell == id);
            let repetitions = of_cell.map(|(_, warmup, repetition)| (*warmup, *repetition)).collect();
            shape.push((task["task_id"].as_str().unwrap().to_owned(), slot, state.to_owned(), repetitions));
        }
    }
    shape
}

fn finish(child: Child) {
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{:?}: {}", output.status, String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_run_that_is_killed_again_and_again_equals_one_that_was_not() {
    let kills: u32 = std::env::var("POCKETBENCH_KILLS").ok().map_or(5, |n| n.parse().unwrap());
    let undisturbed = tempfile::tempdir().unwrap();
    let began = Instant::now();
    finish(start(undisturbed.path(), None));
    let whole = began.elapsed();
    let (_, state, document) = look(undisturbed.path()).unwrap();
    let wanted = shape(&document);
    assert_eq!(state, "done");
    assert_eq!(wanted.len(), 4 * 2, "4 tasks, 2 models");
    assert!(wanted.iter().all(|(_, _, state, repetitions)| state == "done" && repetitions.len() == 4), "{wanted:?}");

    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let (mut killed, mut runs, mut held) = (0, 0, 0);
    while killed < kills {
        let home = tempfile::tempdir().unwrap();
        let mut kept = BTreeMap::new();
        let mut run = None;
        let mut done = false;
        while !done {
            let mut child = start(home.path(), run.as_deref());
            if killed == kills {
                finish(child);
                break;
            }
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            std::thread::sleep(whole.mul_f64((random >> 33) as f64 / f64::from(1_u32 << 31)));
            // It says that a sample is stored only once others can read it; so what can be read while it stands still is
            // at least what it has said.
            signal(&child, "STOP");
            if let Some((_, _, document)) = look(home.path()) {
                kept.extend(samples(&document));
            }
            child.kill().unwrap();
            let status = child.wait().unwrap();
            assert!(status.code().is_none_or(|code| code == 0), "nobody asked it to fail: {status}");
            killed += u32::from(!status.success());
            if let Some((id, state, document)) = look(home.path()) {
                let now = samples(&document);
                for (place, sample) in &kept {
                    assert_eq!(now.get(place), Some(sample), "kill {killed}: a stored sample is lost or changed");
                }
                held += kept.len();
                kept = now;
                done = state == "done";
                run = Some(id);
            }
        }
        let (_, state, document) = look(home.path()).unwrap();
        let now = samples(&document);
        assert!(
            kept.iter().all(|(place, sample)| now.get(place) == Some(sample)),
            "a stored sample is lost or changed"
        );
        assert_eq!((state.as_str(), shape(&document)), ("done", wanted.clone()));
        runs += 1;
    }
    assert!(held > 0, "some kills must hit a run that has samples, or this proves nothing");
    println!(
        "{killed} kills over {runs} runs; samples that had been stored at the kills: {held}, all there and unchanged"
    );
}
