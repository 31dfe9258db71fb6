//! `pocketbench models …` against a hub within this machine: real files, real kills, and hosts that fail.

use pocketbench_testkit::hub::Hub;
use pocketbench_testkit::smollm2;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

const REPOSITORY: &str = "maker/smol-GGUF";
const FILE: &str = "smol-q4_1.gguf";

/// A data folder of its own and the hub that it knows.
struct Home {
    folder: tempfile::TempDir,
    hub: Hub,
}

/// The real model and its hash, read once.
fn content() -> &'static (Vec<u8>, String) {
    static CONTENT: OnceLock<(Vec<u8>, String)> = OnceLock::new();
    CONTENT.get_or_init(|| {
        let bytes = std::fs::read(smollm2()).unwrap();
        let hash = hash(&bytes);
        (bytes, hash)
    })
}

fn hash(bytes: &[u8]) -> String {
    let bytes: &[u8] = &Sha256::digest(bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}

impl Home {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), hub: Hub::start() }
    }

    /// One whose hub has the real model.
    fn with_model() -> Self {
        let home = Self::new();
        let (bytes, sha256) = content();
        home.hub.put(REPOSITORY, FILE, bytes.clone(), sha256);
        home
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pocketbench"));
        command
            .arg("models")
            .args(arguments)
            .env("POCKETBENCH_HOME", self.folder.path())
            .env("POCKETBENCH_HUB", self.hub.address())
            // No key store of whoever runs the tests is touched.
            .env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent")
            .env_remove("POCKETBENCH_MODELS");
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).stdin(Stdio::null()).output().unwrap()
    }

    fn succeeds(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {stderr}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.succeeds(arguments)).unwrap()
    }

    /// Runs, and expects this exit code and error.
    fn refused(&self, arguments: &[&str], exit: i32, code: &str) -> String {
        let output = self.run(arguments);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), stderr.contains(&format!("[{code}]"))), (Some(exit), true), "{stderr}");
        assert!(stderr.contains("what to do:"), "{stderr}");
        stderr
    }

    fn target(&self) -> PathBuf {
        self.folder.path().join("models/maker--smol-GGUF").join(FILE)
    }

    /// Every file in the data folder that holds these bytes.
    fn holding(&self, secret: &str) -> Vec<PathBuf> {
        fn walk(folder: &Path, secret: &[u8], found: &mut Vec<PathBuf>) {
            for entry in std::fs::read_dir(folder).unwrap().flatten() {
                let path = entry.path();
                if path.is_dir() {
                    walk(&path, secret, found);
                } else if std::fs::read(&path).unwrap().windows(secret.len()).any(|window| window == secret) {
                    found.push(path);
                }
            }
        }
        let mut found = Vec::new();
        walk(self.folder.path(), secret.as_bytes(), &mut found);
        found
    }
}

#[test]
fn a_repository_is_added_judged_fetched_verified_and_deleted() {
    let home = Home::with_model();
    let (bytes, sha256) = content();

    // Whether it fits is known before it is fetched.
    home.succeeds(&["add", REPOSITORY]);
    let found = home.json(&["search", "smol-gguf", "--json"]);
    let id = found[0]["model"]["id"].as_str().unwrap().to_owned();
    let report = home.json(&["fit", &id, "--json"]);
    assert_eq!(report["header"]["architecture"], "llama");
    assert_eq!(report["file_bytes"], bytes.len() as u64);
    let fetched = report["fetched_bytes"].as_u64().unwrap();
    assert!((1..=1 << 20).contains(&fetched) && home.hub.sent() <= 1 << 20, "{fetched} of {}", home.hub.sent());
    assert!(!home.target().exists());

    home.succeeds(&["pull", &id]);
    assert_eq!(hash(&std::fs::read(home.target()).unwrap()), *sha256);
    let list = home.json(&["list", "--json"]);
    assert_eq!(list[0]["model"]["sha256"], *sha256);
    assert_eq!(list[0]["source"]["repository"], REPOSITORY);
    let entry = home.json(&["search", "smol-gguf", "--json"]);
    assert_eq!(entry[0]["files"][0]["installed"], list[0]["path"]);
    // What is here is not fetched again.
    let sent = home.hub.sent();
    home.succeeds(&["pull", &id]);
    assert!(home.hub.sent() - sent < 1 << 20, "{} more", home.hub.sent() - sent);

    home.succeeds(&["verify", FILE]);
    let mut damaged = std::fs::read(home.target()).unwrap();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    std::fs::write(home.target(), damaged).unwrap();
    home.refused(&["verify", FILE], 3, "MODEL_FILE_CHANGED");

    home.refused(&["rm", FILE], 3, "INVALID_INPUT");
    assert!(home.target().exists(), "nobody was there to be asked");
    home.succeeds(&["rm", FILE, "--yes"]);
    assert!(!home.target().exists());
    assert_eq!(home.json(&["list", "--json"]), serde_json::json!([]));
    home.succeeds(&["forget", &id]);
    home.refused(&["info", &id], 3, "NOT_FOUND");
}

#[test]
fn a_killed_download_goes_on_where_it_was() {
    let home = Home::with_model();
    let (bytes, sha256) = content();
    home.succeeds(&["add", REPOSITORY]);
    // Slow enough to be caught, on four connections.
    home.hub.slow(8 << 20);
    let mut child = home.command(&["pull", REPOSITORY]).stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let end = Instant::now() + Duration::from_mins(2);
    while home.hub.sent() < 24 << 20 {
        assert!(Instant::now() < end, "it does not download");
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!home.target().exists(), "an unfinished file has no model's name");
    home.hub.slow(0);
    home.succeeds(&["pull", REPOSITORY]);
    assert_eq!(hash(&std::fs::read(home.target()).unwrap()), *sha256);
    // What the dead one had asked for and not yet read was sent, too; sockets hold a few MB of that.
    let again = home.hub.sent().saturating_sub(bytes.len() as u64);
    assert!(again < 24 << 20, "{again} bytes twice: it began anew");
}

#[test]
fn a_gated_repository_wants_a_token_which_is_kept_apart() {
    let home = Home::with_model();
    let secret = "hf_TestTokenOfNobody0123456789";
    home.succeeds(&["add", REPOSITORY]);
    home.hub.ask_for(secret);
    home.refused(&["pull", REPOSITORY], 7, "DOWNLOAD_TOKEN_REQUIRED");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, format!("{secret}\n")).unwrap();
    let stored = home.command(&["token"]).stdin(std::fs::File::open(file.path()).unwrap()).output().unwrap();
    assert!(stored.status.success(), "{}", String::from_utf8_lossy(&stored.stderr));
    assert!(String::from_utf8_lossy(&stored.stderr).contains("encrypted file"), "there is no key store here");
    home.succeeds(&["pull", REPOSITORY]);
    assert!(home.target().exists());
    assert_eq!(home.holding(secret), Vec::<PathBuf>::new(), "the token is nowhere in plain text");
    home.succeeds(&["token", "--clear"]);
}

#[test]
fn what_does_not_keep_its_word_is_not_taken() {
    let home = Home::new();
    let (bytes, _) = content();
    home.hub.put(REPOSITORY, FILE, bytes.clone(), &"0".repeat(64));
    home.refused(&["pull", REPOSITORY], 7, "DOWNLOAD_CHECKSUM_MISMATCH");
    assert!(!home.target().exists());

    home.hub.put("maker/page-GGUF", "page.gguf", b"<!DOCTYPE html><title>Log in</title>".repeat(99), &"1".repeat(64));
    home.refused(&["pull", "maker/page-GGUF"], 7, "DOWNLOAD_NOT_A_MODEL");
    home.refused(&["pull", "maker/nothing-here"], 7, "DOWNLOAD_NOT_FOUND");
    home.hub.put("maker/readme", "README.md", b"no model".to_vec(), &"2".repeat(64));
    home.refused(&["pull", "maker/readme"], 3, "REPOSITORY_WITHOUT_GGUF");
    home.refused(&["pull", "http://example.invalid/model.gguf"], 3, "URL_INVALID");
    home.refused(&["pull", "https://localhost:1/../../x.txt"], 3, "URL_INVALID");
    home.refused(&["pull", "no-such-model"], 3, "NOT_FOUND");
    home.hub.down(true);
    home.refused(&["add", "maker/other"], 7, "NETWORK_UNAVAILABLE");
}

#[test]
fn a_licence_is_accepted_before_its_model_is_fetched() {
    let home = Home::new();
    let all = home.json(&["search", "--json"]);
    let gated = all.as_array().unwrap().iter().find(|entry| entry["model"]["license"]["must_accept"] == true);
    let id = gated.expect("the catalogue has such a model")["model"]["id"].as_str().unwrap().to_owned();
    let said = home.refused(&["pull", &id], 3, "LICENSE_NOT_ACCEPTED");
    assert!(said.contains("accept"), "{said}");
    assert_eq!(home.hub.sent(), 0);
    // The hub of this test does not have it: the licence is no longer what is in the way.
    home.refused(&["pull", &id, "--accept-license"], 7, "DOWNLOAD_NOT_FOUND");
    home.refused(&["pull", &id], 7, "DOWNLOAD_NOT_FOUND");
}

#[test]
fn files_are_used_where_they_lie_or_copied_and_found_again_when_moved() {
    let home = Home::new();
    let elsewhere = tempfile::tempdir().unwrap();
    let original = elsewhere.path().join("a.gguf");
    std::fs::copy(smollm2(), &original).unwrap();

    home.succeeds(&["import", original.to_str().unwrap()]);
    let list = home.json(&["list", "--json"]);
    assert_eq!((list[0]["path"].as_str(), &list[0]["reference"]), (original.to_str(), &Value::Bool(true)));

    // Moved, it is missing; taken in again, it is the same model and the old place is forgotten.
    let moved = elsewhere.path().join("b.gguf");
    std::fs::rename(&original, &moved).unwrap();
    assert_eq!(home.json(&["list", "--json"])[0]["problem"]["code"], "MODEL_FILE_NOT_FOUND");
    home.succeeds(&["import", moved.to_str().unwrap()]);
    let list = home.json(&["list", "--json"]);
    assert_eq!((list.as_array().unwrap().len(), list[0]["path"].as_str()), (1, moved.to_str()));

    // Forgetting a reference leaves the file alone.
    home.succeeds(&["rm", "b.gguf", "--yes"]);
    assert!(moved.exists());

    home.succeeds(&["import", moved.to_str().unwrap(), "--copy"]);
    let copy = home.folder.path().join("models/b.gguf");
    assert_eq!(std::fs::read(&copy).unwrap(), content().0);
    home.refused(&["import", moved.to_str().unwrap(), "--copy"], 3, "INVALID_INPUT");
    home.refused(&["import", elsewhere.path().join("none.gguf").to_str().unwrap()], 3, "MODEL_FILE_NOT_FOUND");
    let page = elsewhere.path().join("page.gguf");
    std::fs::write(&page, "<html>").unwrap();
    home.refused(&["import", page.to_str().unwrap(), "--copy"], 3, "MODEL_FILE_NOT_GGUF");
}

#[test]
fn settings_are_checked_and_kept() {
    let home = Home::new();
    let settings =
        home.json(&["settings", "--connections", "2", "--wifi-only", "true", "--mirror", "https://mirror.example"]);
    assert_eq!((&settings["connections"], &settings["wifi_only"]), (&2.into(), &true.into()));
    assert_eq!(home.json(&["settings"])["mirror"], "https://mirror.example");
    assert_eq!(home.json(&["settings", "--mirror", ""])["mirror"], Value::Null);
    home.refused(&["settings", "--at-once", "0"], 3, "INVALID_INPUT");
    home.refused(&["settings", "--mirror", "ftp://mirror.example"], 3, "URL_INVALID");
    home.refused(&["update"], 3, "INVALID_INPUT");
}
