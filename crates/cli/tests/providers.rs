//! `pocketbench providers …` against a provider within this machine: set up, given its key, verified, moved, removed.

use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

const KEY: &str = "sk-local-0123456789abcdef";

/// A provider with two models, for those who have the key.
fn provider() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/v1", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut connection in listener.incoming().flatten() {
            let mut lines = BufReader::new(connection.try_clone().unwrap()).lines().map_while(Result::ok);
            let request = lines.next().unwrap_or_default();
            let headers: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
            let (status, body) = if !headers.iter().any(|line| line.ends_with(&format!("Bearer {KEY}"))) {
                let key = headers.iter().find(|line| line.to_lowercase().starts_with("authorization"));
                (401, format!(r#"{{"error":{{"message":"Incorrect: {}"}}}}"#, key.map_or("", String::as_str)))
            } else if request.starts_with("GET /v1/models ") {
                (200, r#"{"data":[{"id":"small"},{"id":"la\u001brge"},{"id":"large"}]}"#.to_owned())
            } else {
                (404, "{}".to_owned())
            };
            let head = "Content-Type: application/json\r\nConnection: close";
            let answer = format!("HTTP/1.1 {status} X\r\n{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            // Who asked may be gone.
            let _ = connection.write_all(answer.as_bytes());
        }
    });
    address
}

struct Home(tempfile::TempDir);

impl Home {
    fn run(&self, arguments: &[&str], input: Option<&str>) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pocketbench"));
        command
            .arg("providers")
            .args(arguments)
            .env("POCKETBENCH_HOME", self.0.path())
            // No key store of whoever runs the tests is touched.
            .env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent")
            .env_remove("POCKETBENCH_MODELS")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.unwrap_or_default().as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    }

    fn succeeds(&self, arguments: &[&str], input: Option<&str>) -> String {
        let output = self.run(arguments, input);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Runs, and expects this exit code and error.
    fn refused(&self, arguments: &[&str], input: Option<&str>, exit: i32, code: &str) -> String {
        let output = self.run(arguments, input);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(exit), "{arguments:?}: {stderr}");
        assert!(stderr.contains(code), "{stderr}");
        stderr
    }

    fn only(&self) -> Value {
        let list: Value = serde_json::from_str(&self.succeeds(&["list", "--json"], None)).unwrap();
        assert_eq!(list.as_array().map(Vec::len), Some(1), "{list}");
        list[0].clone()
    }

    /// Files of the data folder that have this in them.
    fn holding(&self, text: &str) -> Vec<PathBuf> {
        let files = std::fs::read_dir(self.0.path()).unwrap().map(|entry| entry.unwrap().path());
        let holds = |path: &PathBuf| {
            path.is_file() && std::fs::read(path).unwrap().windows(text.len()).any(|part| part == text.as_bytes())
        };
        files.filter(holds).collect()
    }
}

#[test]
fn a_provider_is_set_up_verified_moved_and_removed() {
    let (home, address) = (Home(tempfile::tempdir().unwrap()), provider());
    home.succeeds(&["add", "custom", "--base-url", &address, "--title", "Here", "--model", "small"], None);
    assert_eq!(home.only()["provider"]["base_url"], address.as_str());
    home.refused(&["verify", "custom"], None, 7, "PROVIDER_UNAUTHORIZED");

    home.refused(&["key", "custom"], Some("two\nlines"), 3, "INVALID_INPUT");
    home.succeeds(&["key", "custom"], Some("sk-another-key-of-someone\n"));
    let refused = home.refused(&["verify", "custom"], None, 7, "PROVIDER_UNAUTHORIZED");
    assert!(refused.contains("Incorrect") && !refused.contains("another-key"), "{refused}");
    home.succeeds(&["key", "custom"], Some(&format!("{KEY}\n")));
    assert_eq!(home.holding(KEY), Vec::<PathBuf>::new(), "the key is nowhere in plain text");
    assert_eq!(home.only()["key"], "encrypted_file");

    let models = home.succeeds(&["verify", "custom"], None);
    assert_eq!(models, "small\nlarge\n", "and no name with control characters");
    let entry = home.only();
    assert_eq!(
        (&entry["provider"]["checked"]["key"], &entry["provider"]["model"]),
        (&"accepted".into(), &"small".into())
    );
    assert!(!entry.to_string().contains(KEY));

    // Another title at the same host keeps the key; another host does not get it.
    home.succeeds(&["add", "custom", "--id", "custom", "--base-url", &address, "--title", "Moved"], None);
    assert_eq!((&home.only()["key"], &home.only()["provider"]["title"]), (&"encrypted_file".into(), &"Moved".into()));
    home.succeeds(&["add", "custom", "--id", "custom", "--base-url", "http://localhost:9/v1"], None);
    let entry = home.only();
    assert_eq!((&entry["key"], &entry["provider"]["checked"]), (&"none".into(), &Value::Null));
    home.refused(&["verify", "custom"], None, 7, "PROVIDER_UNREACHABLE");

    home.succeeds(&["remove", "custom"], None);
    home.refused(&["remove", "custom"], None, 3, "NOT_FOUND");
    assert_eq!(home.succeeds(&["list", "--json"], None).trim(), "[]");
}

#[test]
fn what_cannot_be_a_provider_is_refused() {
    let home = Home(tempfile::tempdir().unwrap());
    home.refused(&["add", "nobody"], None, 3, "NOT_FOUND");
    home.refused(&["add", "custom"], None, 3, "INVALID_INPUT");
    let url = "http://example.com/v1";
    home.refused(&["add", "custom", "--base-url", url], None, 3, "INVALID_INPUT");
    home.refused(&["add", "openai", "--id", "openai"], None, 3, "NOT_FOUND");
    home.succeeds(&["add", "holysheep"], None);
    let refused = home.refused(&["key", "holysheep"], Some("sk-not-of-this-provider"), 3, "INVALID_INPUT");
    assert!(refused.contains("hs_") && !refused.contains("not-of-this"), "{refused}");
    let known: Value = serde_json::from_str(&home.succeeds(&["list", "--known", "--json"], None)).unwrap();
    assert_eq!(known.as_array().map(Vec::len), Some(8));
}

#[test]
fn ones_own_price_stands_above_the_one_that_ships() {
    let home = Home(tempfile::tempdir().unwrap());
    let price = |home: &Home| -> Value {
        let list: Value = serde_json::from_str(&home.succeeds(&["prices", "--json"], None)).unwrap();
        list.as_array().unwrap().iter().find(|price| price["model"] == "gpt-4o-mini").cloned().unwrap()
    };
    let shipped = price(&home);
    assert!(shipped["source"].as_str().unwrap().starts_with("https://"));
    home.succeeds(&["price", "openai", "gpt-4o-mini", "--input", "0.2", "--output", "0.7"], None);
    let own = price(&home);
    assert_eq!((&own["input"], &own["source"]), (&0.2.into(), &"set by hand".into()));
    home.refused(&["price", "openai", "x", "--input=-1", "--output", "1"], None, 3, "INVALID_INPUT");
    home.succeeds(&["price", "openai", "gpt-4o-mini", "--forget"], None);
    assert_eq!(price(&home), shipped);
}
