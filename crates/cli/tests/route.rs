//! `pocketbench route …`: judged and explained without a data folder, a model or a network.

use serde_json::Value;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn run(home: &Path, arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_pocketbench"))
        .arg("route")
        .args(arguments)
        .env("POCKETBENCH_HOME", home.join("data"))
        .env_remove("POCKETBENCH_MODELS")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).ok();
    child.wait_with_output().unwrap()
}

fn text(home: &Path, arguments: &[&str], input: &str) -> String {
    let output = run(home, arguments, input);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn json(home: &Path, arguments: &[&str]) -> Value {
    serde_json::from_str(&text(home, arguments, "")).unwrap()
}

#[test]
fn a_prompt_is_explained() {
    let home = tempfile::tempdir().unwrap();
    let easy = text(home.path(), &["explain", "Hello!"], "");
    assert!(easy.starts_with("On this device: chat, score 0.00"), "{easy}");
    let hard = "Prove the theorem and analyse its proof critically.";
    let told = text(home.path(), &["explain", "-"], hard);
    assert!(told.starts_with("To the cloud: mathematics") && told.contains("reaches the threshold 0.50"), "{told}");
    let decision = json(home.path(), &["explain", hard, "--threshold", "1", "--json"]);
    assert_eq!(decision["threshold"], 1.0);
    assert_eq!(decision["signals"].as_array().unwrap().len(), 9);
    // A prompt is said nowhere else.
    assert!(!home.path().join("data").exists());
    // Bytes of a terminal and broken UTF-8 are a prompt like any other.
    assert!(run(home.path(), &["explain", "\u{1b}[31m\u{7}"], "").status.success());
}

#[test]
fn a_policy_file_is_obeyed_or_refused_in_words() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("policy.json");
    let policy = file.to_str().unwrap();
    std::fs::write(&file, r#"{"mode":"always_ask","rules":{"chat":"cloud"}}"#).unwrap();
    let told = text(home.path(), &["explain", "Hello!", "--policy", policy], "");
    assert!(told.starts_with("To the cloud, if you agree"), "{told}");
    for wrong in ["", "{\"mode\":\"sometimes\"}", "{\"threshold\":2}", "{\"weights\":{\"depth\":-1}}"] {
        std::fs::write(&file, wrong).unwrap();
        for command in [&["explain", "Hello!"][..], &["eval"]] {
            let output = run(home.path(), &[command, &["--policy", policy]].concat(), "");
            assert_eq!(output.status.code(), Some(3), "{wrong}");
            assert!(String::from_utf8_lossy(&output.stderr).contains("[INVALID_INPUT]"));
        }
    }
    assert_eq!(run(home.path(), &["eval", "--threshold", "7"], "").status.code(), Some(3));
    assert_eq!(run(home.path(), &["eval", "--price", "cheap"], "").status.code(), Some(2));
    assert_eq!(run(home.path(), &["eval", "--prompts", "/nowhere"], "").status.code(), Some(3));
}

#[test]
fn a_policy_is_evaluated_and_what_is_not_known_is_a_dash() {
    let home = tempfile::tempdir().unwrap();
    let told = text(home.path(), &["eval"], "");
    for wanted in ["95 % interval", "score ≥ 0.50 ◀", "length ≥", "published rule > 0.7", "Cost: –", "Time here: –"]
    {
        assert!(told.contains(wanted), "no {wanted} in {told}");
    }
    let report = json(home.path(), &["eval", "--json"]);
    assert_eq!(report["part"], "held_out");
    assert_eq!(report["rates"]["price"], Value::Null);
    assert_eq!(report["evaluation"]["curve"].as_array().unwrap().len(), 21);
    assert_eq!(report["evaluation"]["curve"][3]["expected"]["cost_per_thousand"], Value::Null);

    let all = json(home.path(), &["eval", "--part", "all", "--price", "2,8", "--json"]);
    let shares =
        [0, 20].map(|place| all["evaluation"]["curve"][place]["expected"]["cost_per_thousand"].as_f64().unwrap());
    assert!(shares[0] > shares[1] && shares[1] >= 0.0, "{shares:?}");
    let development = json(home.path(), &["eval", "--part", "development", "--json"]);
    let sum = report["prompts"].as_u64().unwrap() + development["prompts"].as_u64().unwrap();
    assert_eq!(all["prompts"], sum);
}

#[test]
fn prompts_of_ones_own_are_judged() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("own.jsonl");
    let line = |id: &str, prompt: &str, label: &str| {
        serde_json::json!({"id": id, "prompt": prompt, "kind": "chat", "language": "en", "label": label, "why": "x"})
            .to_string()
    };
    std::fs::write(&file, [line("a", "Hi", "local"), line("b", "Hi", "cloud")].join("\n")).unwrap();
    let report = json(home.path(), &["eval", "--prompts", file.to_str().unwrap(), "--part", "all", "--json"]);
    assert_eq!(report["evaluation"]["at_threshold"]["outcome"]["agreement"], 0.5);
    std::fs::write(&file, "{}").unwrap();
    let output = run(home.path(), &["eval", "--prompts", file.to_str().unwrap()], "");
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("line 1"));
}
