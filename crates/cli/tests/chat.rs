//! `pocketbench chat` and `chats` in a pipe: with a real model, and with a provider on this machine.

use pocketbench_testkit::provider::{Provider, good};
use pocketbench_testkit::smollm2;
use serde_json::Value;
use std::io::Write as _;
use std::process::{Command, Output, Stdio};

struct Home(tempfile::TempDir);

impl Home {
    fn run(&self, arguments: &[&str], input: &str) -> Output {
        let mut child = Command::new(env!("CARGO_BIN_EXE_pocketbench"))
            .args(arguments)
            .env("POCKETBENCH_HOME", self.0.path())
            // No key store of whoever runs the tests is touched.
            .env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent")
            .env_remove("POCKETBENCH_MODELS")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).ok();
        child.wait_with_output().unwrap()
    }

    /// Standard output and standard error of a command that succeeds.
    fn says(&self, arguments: &[&str], input: &str) -> (String, String) {
        let output = self.run(arguments, input);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {stderr}");
        (String::from_utf8(output.stdout).unwrap(), stderr)
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.says(arguments, "").0).unwrap()
    }
}

#[test]
fn a_question_in_a_pipe_is_answered_here_or_where_the_person_says() {
    let provider = Provider::start(|_| good(&["Hello", " there"]));
    let home = Home(tempfile::tempdir().unwrap());
    let model = smollm2();
    let (answer, figures) = home.says(&["chat", &model, "--max-tokens", "8", "-c", "512"], "What is the sea?\n");
    assert!(answer.trim().len() > 1, "{answer}");
    for wanted in ["on this device", "tok/s", "first token after", "keeps every prompt on this device"] {
        assert!(figures.contains(wanted), "no {wanted}: {figures}");
    }
    let list = home.json(&["chats", "list", "sea", "--json"]);
    let id = list[0]["conversation"]["id"].as_str().unwrap().to_owned();
    assert_eq!(list[0]["conversation"]["title"], "What is the sea?");

    home.says(&["providers", "add", "custom", "--base-url", provider.base_url(), "--model", "m"], "");
    let ask = ["chat", "--conversation", &id[..18], "-m", "And the river?", "--json"];
    let message = home.json(&ask);
    assert!(message["answer"]["model_sha256"].is_string(), "{message}");
    let (_, figures) = home.says(&["chat", "--conversation", &id, "--ask", "-m", "Prove Fermat's last theorem."], "");
    assert!(figures.contains("nobody can agree here"), "{figures}");
    assert!(provider.asked().is_empty(), "nobody has agreed");

    home.says(&["providers", "price", "custom", "m", "--input", "1", "--output", "2"], "");
    let (answer, figures) = home.says(&["chat", "--conversation", &id, "--cloud", "-m", "Really?"], "");
    assert_eq!(answer, "Hello there\n");
    assert!(figures.contains("m at OpenAI-compatible") && figures.contains("USD 0.000011"), "{figures}");
    assert!(home.says(&["chats", "spending"], "").0.contains("USD 0.000011"));
    let (shown, _) = home.says(&["chats", "show", &id], "");
    assert!(shown.contains("What is the sea?") && shown.contains("Hello there"), "{shown}");
    let evaluated = home.json(&["route", "eval", "--json"]);
    assert_eq!(
        (&evaluated["price_source"]["model"], &evaluated["rates"]["price"]["output_per_million"]),
        (&"m".into(), &2.0.into())
    );

    let file = home.0.path().join("talk.json");
    std::fs::write(&file, home.says(&["chats", "export", &id], "").0).unwrap();
    home.says(&["chats", "rm", &id], "");
    assert_eq!(home.json(&["chats", "list", "--json"]), Value::Array(Vec::new()));
    home.says(&["chats", "import", file.to_str().unwrap()], "");
    home.says(&["chats", "restore", &id], "");
    assert_eq!(home.json(&["chats", "list", "--json"]).as_array().unwrap().len(), 2);
}

#[test]
fn what_makes_no_sense_is_refused_in_words() {
    let home = Home(tempfile::tempdir().unwrap());
    for (arguments, exit) in [
        (&["chat", "-m", "Hello"][..], 3),
        (&["chat", "no-such-model", "-m", "Hello"], 3),
        (&["chat", "--cloud", "-m", "Hello"], 3),
        (&["chat", "--cloud", "--local", "-m", "Hello"], 2),
        (&["chat", "--temperature", "hot"], 2),
        (&["chat", "--conversation", "0000", "-m", "Hello"], 3),
        (&["chats", "show", "0000"], 3),
        (&["chats", "restore", "0000"], 3),
        (&["chats", "import", "/nowhere.json"], 3),
    ] {
        let output = home.run(arguments, "");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(exit), "{arguments:?}: {stderr}");
        assert!(exit == 2 || stderr.contains("what to do") || stderr.contains("[INVALID_INPUT]"), "{stderr}");
    }
}
