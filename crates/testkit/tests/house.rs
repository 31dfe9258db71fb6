//! The house rules of `docs/ARCHITECTURE.md`, held by reading the tree. Nothing is built and nothing is trusted to a
//! reviewer's memory: each "never" is a rule here, and each rule must first condemn examples that break it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

// ---------------------------------------------------------------------------------------------------------------------
// A rule, and how it is held
// ---------------------------------------------------------------------------------------------------------------------

/// Something found, and the line where it was found, from 1.
type Found = (usize, String);

struct Rule {
    /// As the reader of a failure should see it.
    says: &'static str,
    /// Which files it judges, by their path from the root.
    judges: fn(&str) -> bool,
    /// What breaks it.
    finds: fn(&str, &str) -> Vec<Found>,
    /// Path and text of files that break it: the negative control.
    guilty: &'static [(&'static str, &'static str)],
    /// Path and text of files that look alike and do not.
    innocent: &'static [(&'static str, &'static str)],
}

impl Rule {
    fn violations(&self, path: &str, text: &str) -> Vec<Found> {
        if (self.judges)(path) { (self.finds)(path, text) } else { Vec::new() }
    }

    fn hold(&self) {
        for (path, text) in self.guilty {
            assert!(!self.violations(path, text).is_empty(), "“{}” does not notice this in {path}:\n{text}", self.says);
        }
        for (path, text) in self.innocent {
            assert_eq!(self.violations(path, text), [], "“{}” is wrong about this in {path}:\n{text}", self.says);
        }
        let mut judged = 0;
        let mut broken = Vec::new();
        for path in tree().iter().filter(|path| (self.judges)(path)) {
            judged += 1;
            let text = fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
            broken.extend(self.violations(path, &text).iter().map(|(line, what)| format!("  {path}:{line}: {what}")));
        }
        assert!(judged > 0, "“{}” judged no file", self.says);
        assert!(broken.is_empty(), "{}:\n{}", self.says, broken.join("\n"));
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every file of ours that can break a rule, by its path from the root.
fn tree() -> Vec<String> {
    fn walk(folder: &Path, from: &Path, found: &mut Vec<String>) {
        let Ok(entries) = fs::read_dir(folder) else { return };
        for entry in entries.flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            // What a tool has made is not ours.
            if ["node_modules", "target", "dist", "paraglide", "test-results", "shots"].contains(&name.as_str()) {
                continue;
            }
            if path.is_dir() {
                walk(&path, from, found);
            } else {
                let relative = path.strip_prefix(from).expect("the walk stays below its root");
                found.push(relative.to_string_lossy().replace('\\', "/"));
            }
        }
    }
    let mut found = vec!["Cargo.toml".to_owned()];
    for folder in ["crates", "src-tauri", "ui", "e2e"] {
        walk(&root().join(folder), &root(), &mut found);
    }
    found.sort();
    found
}

fn is_rust(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|extension| extension == "rs")
}

/// Rust that ends up in the product: no tests, examples or build scripts.
fn is_product(path: &str) -> bool {
    let aside = ["/tests/", "/examples/", "/benches/"].iter().any(|folder| path.contains(folder));
    is_rust(path) && !aside && !path.ends_with("/tests.rs") && !path.ends_with("/build.rs")
}

fn is_script(path: &str) -> bool {
    [".ts", ".js", ".svelte"].iter().any(|ending| path.ends_with(ending))
}

fn is_in(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

// ---------------------------------------------------------------------------------------------------------------------
// Reading Rust well enough
// ---------------------------------------------------------------------------------------------------------------------

/// A Rust file with code and literals told apart, so that a comment about `unsafe` is no `unsafe`.
struct Source {
    /// The text with comments and the inside of literals blanked; every character keeps its place.
    code: Vec<char>,
    /// Where each string literal begins, and what it says.
    literals: Vec<(usize, String)>,
}

impl Source {
    fn read(text: &str) -> Self {
        let text: Vec<char> = text.chars().collect();
        let mut source = Self { code: text.clone(), literals: Vec::new() };
        let at = |i: usize| text.get(i).copied().unwrap_or('\0');
        let mut i = 0;
        while i < text.len() {
            let end = match (at(i), at(i + 1)) {
                ('/', '/') => (i..text.len()).find(|&j| at(j) == '\n').unwrap_or(text.len()),
                ('/', '*') => end_of_comment(&text, i),
                ('"', _) => {
                    let end = end_of_string(&text, i);
                    source.literals.push((i, text[i + 1..end].iter().collect()));
                    source.blank(i + 1, end);
                    i = end + 1;
                    continue;
                }
                // A character; anything else that begins like one is a lifetime.
                ('\'', '\\') => (i + 3..text.len()).find(|&j| at(j) == '\'').map_or(text.len(), |j| j + 1),
                ('\'', _) if at(i + 2) == '\'' => i + 3,
                _ => {
                    i += 1;
                    continue;
                }
            };
            source.blank(i, end);
            i = end;
        }
        source
    }

    /// The same without its `#[cfg(test)] mod … { … }`.
    fn of_product(text: &str) -> Self {
        const MARK: &str = "#[cfg(test)]";
        let mut source = Self::read(text);
        let code: String = source.code.iter().map(|&c| if c.is_ascii() { c } else { ' ' }).collect();
        for (start, _) in code.match_indices(MARK) {
            let rest = &code[start + MARK.len()..];
            let declares = rest.trim_start().strip_prefix("mod ");
            let opens = declares
                .and_then(|d| d.find(['{', ';']))
                .filter(|&i| declares.is_some_and(|d| d[i..].starts_with('{')));
            if opens.is_some() {
                let open = start + MARK.len() + rest.find('{').expect("found above");
                let end = source.end_of_block(open);
                source.blank(start, end);
                source.literals.retain(|(at, _)| !(start..end).contains(at));
            }
        }
        source
    }

    fn blank(&mut self, start: usize, end: usize) {
        let end = end.min(self.code.len());
        for c in &mut self.code[start..end] {
            if *c != '\n' {
                *c = ' ';
            }
        }
    }

    /// Behind the brace that closes the one at `open`.
    fn end_of_block(&self, open: usize) -> usize {
        let mut depth = 0_usize;
        for (i, c) in self.code.iter().enumerate().skip(open) {
            match c {
                '{' => depth += 1,
                '}' if depth == 1 => return i + 1,
                '}' => depth -= 1,
                _ => {}
            }
        }
        self.code.len()
    }

    fn line(&self, at: usize) -> usize {
        1 + self.code[..at].iter().filter(|&&c| c == '\n').count()
    }

    /// Identifiers, keywords and single marks, with the places where they begin.
    fn tokens(&self) -> Vec<(usize, String)> {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let mut tokens: Vec<(usize, String)> = Vec::new();
        let mut grows = false;
        for (i, &c) in self.code.iter().enumerate() {
            if c.is_whitespace() {
                grows = false;
            } else if is_word(c) && grows {
                tokens.last_mut().expect("a word that grows has begun").1.push(c);
            } else {
                tokens.push((i, c.to_string()));
                grows = is_word(c);
            }
        }
        tokens
    }

    /// Where any of these words stands in the code.
    fn words(&self, wanted: &[&str]) -> Vec<Found> {
        let tokens = self.tokens();
        tokens.iter().filter(|(_, t)| wanted.contains(&t.as_str())).map(|(at, t)| (self.line(*at), t.clone())).collect()
    }

    /// Where any of these sequences of tokens stands in the code; a sequence is written with spaces between.
    fn sequences(&self, wanted: &[&str]) -> Vec<Found> {
        let tokens = self.tokens();
        let mut found = Vec::new();
        for sequence in wanted {
            let parts: Vec<&str> = sequence.split(' ').collect();
            for window in tokens.windows(parts.len()) {
                if window.iter().map(|(_, t)| t.as_str()).eq(parts.iter().copied()) {
                    found.push((self.line(window[0].0), parts.concat()));
                }
            }
        }
        found
    }

    fn literals(&self, wanted: fn(&str) -> bool) -> Vec<Found> {
        self.literals.iter().filter(|(_, l)| wanted(l)).map(|(at, l)| (self.line(*at), l.clone())).collect()
    }
}

fn end_of_comment(text: &[char], start: usize) -> usize {
    let mut depth = 0;
    let mut i = start;
    while i + 1 < text.len() {
        match (text[i], text[i + 1]) {
            ('/', '*') => (depth, i) = (depth + 1, i + 2),
            ('*', '/') if depth == 1 => return i + 2,
            ('*', '/') => (depth, i) = (depth - 1, i + 2),
            _ => i += 1,
        }
    }
    text.len()
}

/// Where the quote stands that closes the string that is opened at `open`, raw or not.
fn end_of_string(text: &[char], open: usize) -> usize {
    let hashes = text[..open].iter().rev().take_while(|&&c| c == '#').count();
    let before = |n: usize| open.checked_sub(hashes + n).map_or(' ', |i| text[i]);
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let raw = before(1) == 'r' && (!is_word(before(2)) || (['b', 'c'].contains(&before(2)) && !is_word(before(3))));
    let mut i = open + 1;
    while i < text.len() {
        match text[i] {
            '\\' if !raw => i += 2,
            '"' if !raw || text[i + 1..].iter().take_while(|&&c| c == '#').count() >= hashes => return i,
            _ => i += 1,
        }
    }
    text.len()
}

#[test]
fn code_is_told_from_comments_and_literals() {
    let text = "// a\n/* b /* c */ d */ let e: &'f str = \"g \\\" h\"; r#\"i \" j\"#; 'k'; '\\''; '\"'; l::<'m>(b\"n\", br\"o\\\");";
    let source = Source::read(text);
    let words: Vec<String> =
        source.tokens().into_iter().map(|(_, t)| t).filter(|t| t.chars().all(char::is_alphanumeric)).collect();
    assert_eq!(words, ["let", "e", "f", "str", "r", "l", "m", "b", "br"]);
    let literals: Vec<&str> = source.literals.iter().map(|(_, l)| l.as_str()).collect();
    assert_eq!(literals, ["g \\\" h", "i \" j", "n", "o\\"]);
    let product = Source::of_product("a; #[cfg(test)] use b;\n#[cfg(test)]\nmod tests { fn c() { \"d\" } }\ne");
    assert_eq!(product.words(&["a", "b", "c", "e"]).len(), 3);
    assert_eq!(product.literals.len(), 0);
    assert_eq!(product.words(&["e"]), [(4, "e".to_owned())]);
}

// ---------------------------------------------------------------------------------------------------------------------
// Who may depend on whom
// ---------------------------------------------------------------------------------------------------------------------

/// The table of `docs/ARCHITECTURE.md`: crate, and which of our crates it may use. The root is the app's package.
const MAY_USE: [(&str, &[&str]); 13] = [
    ("crates/domain", &[]),
    ("crates/engine", &["domain"]),
    ("crates/worker", &["domain", "engine"]),
    ("crates/device", &["domain"]),
    ("crates/store", &["domain"]),
    ("crates/hub", &["domain"]),
    ("crates/hub/fuzz", &["domain", "hub"]),
    ("crates/cloud", &["domain"]),
    ("crates/bench", &["domain", "worker", "device"]),
    ("crates/app", &["domain", "worker", "device", "store", "hub", "cloud", "bench"]),
    ("crates/cli", &["app-core"]),
    ("crates/testkit", &[]),
    ("", &["app-core"]),
];

/// Dependencies with an owner: no other crate of ours may use them.
const OWNED: [(&[&str], &[&str]); 6] = [
    (&["llama-cpp-2", "llama-cpp-sys-2"], &["crates/engine"]),
    (&["sqlx", "rusqlite", "libsqlite3-sys", "diesel", "sea-orm"], &["crates/store"]),
    (&["tauri", "tauri-build", "tauri-plugin-dialog"], &[""]),
    (
        &[
            "clap",
            "clap_complete",
            "clap_mangen",
            "comfy-table",
            "console",
            "crossterm",
            "dialoguer",
            "indicatif",
            "ratatui",
            "termion",
        ],
        &["crates/cli"],
    ),
    (
        &["reqwest", "hyper", "ureq", "curl", "isahc", "tungstenite", "tokio-tungstenite", "socket2"],
        &["crates/hub", "crates/cloud"],
    ),
    (&["sysinfo", "rustix", "libc", "nix", "windows", "windows-sys"], &["crates/device"]),
];

/// Section, line and name of every dependency in a `Cargo.toml`, the workspace's own table left out.
fn dependencies(text: &str) -> Vec<(String, usize, String)> {
    let mut found = Vec::new();
    let mut section = String::new();
    for (i, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(header) = line.strip_prefix('[') {
            header.trim_end_matches(']').clone_into(&mut section);
            // `[dependencies.name]`
            if let Some((table, name)) = section.split_once("dependencies.") {
                found.push((format!("{table}dependencies"), i + 1, name.trim_matches('"').to_owned()));
            }
            continue;
        }
        if section.starts_with("workspace") || !section.ends_with("dependencies") || line.starts_with('#') {
            continue;
        }
        if let Some((key, value)) = line.split_once('=') {
            let renamed = value.split_once("package").and_then(|(_, rest)| rest.split('"').nth(1));
            let name = renamed.unwrap_or_else(|| key.split('.').next().unwrap_or(key).trim().trim_matches('"'));
            found.push((section.clone(), i + 1, name.to_owned()));
        }
    }
    found
}

fn forbidden_dependencies(path: &str, text: &str) -> Vec<Found> {
    let package = path.trim_end_matches("Cargo.toml").trim_end_matches('/');
    let Some((_, ours)) = MAY_USE.iter().find(|(name, _)| *name == package) else {
        return vec![(1, format!("`{package}` is not in the table of who may use whom"))];
    };
    let mut found = Vec::new();
    for (section, line, name) in dependencies(text) {
        if let Some(of_ours) = name.strip_prefix("pocketbench-") {
            let testkit = of_ours == "testkit" && section.ends_with("dev-dependencies");
            if !testkit && !ours.contains(&of_ours) {
                found.push((line, format!("may not use {name} in [{section}]")));
            }
        }
        for (names, owners) in OWNED {
            if names.contains(&name.as_str()) && !owners.contains(&package) {
                found.push((line, format!("may not use {name}")));
            }
        }
    }
    found
}

#[test]
fn arrows_run_downwards_only() {
    Rule {
        says: "who may use whom",
        judges: |path| path.ends_with("Cargo.toml"),
        finds: forbidden_dependencies,
        guilty: &[
            ("crates/domain/Cargo.toml", "[dependencies]\npocketbench-store.workspace = true"),
            ("crates/bench/Cargo.toml", "[dependencies]\npocketbench-engine = { path = \"../engine\" }"),
            ("crates/app/Cargo.toml", "[dependencies]\npocketbench-engine.workspace = true"),
            ("crates/app/Cargo.toml", "[dependencies.pocketbench-engine]\nworkspace = true"),
            (
                "crates/app/Cargo.toml",
                "[dependencies]\nmotor = { package = \"pocketbench-engine\", path = \"../engine\" }",
            ),
            ("crates/hub/Cargo.toml", "[target.'cfg(unix)'.dependencies]\npocketbench-device.workspace = true"),
            ("crates/store/Cargo.toml", "[dependencies]\npocketbench-testkit.workspace = true"),
            ("crates/app/Cargo.toml", "[dependencies]\ntauri = \"2\""),
            ("crates/bench/Cargo.toml", "[dependencies]\nindicatif = \"0.18\""),
            ("crates/app/Cargo.toml", "[dependencies]\nsqlx.workspace = true"),
            ("crates/store/Cargo.toml", "[dependencies]\nreqwest = \"0.12\""),
            ("crates/worker/Cargo.toml", "[dependencies]\nllama-cpp-2.workspace = true"),
            ("crates/attic/Cargo.toml", "[dependencies]"),
            ("Cargo.toml", "[dependencies]\npocketbench-store.workspace = true"),
        ],
        innocent: &[
            ("crates/worker/Cargo.toml", "[dependencies]\npocketbench-engine.workspace = true"),
            ("crates/engine/Cargo.toml", "[dev-dependencies]\npocketbench-testkit.workspace = true"),
            (
                "Cargo.toml",
                "[workspace.dependencies]\nsqlx = \"0.9\"\n[dependencies]\npocketbench-app-core.workspace = true",
            ),
        ],
    }
    .hold();
}

#[test]
fn every_crate_has_a_place_in_the_table() {
    let found: Vec<String> = tree().into_iter().filter(|path| path.ends_with("Cargo.toml")).collect();
    for (package, _) in MAY_USE {
        let manifest = if package.is_empty() { "Cargo.toml".to_owned() } else { format!("{package}/Cargo.toml") };
        assert!(found.contains(&manifest), "{manifest} is gone");
    }
    assert_eq!(found.len(), MAY_USE.len(), "{found:?}");
}

#[test]
fn only_the_worker_knows_the_engine() {
    Rule {
        says: "the engine is imported by the worker alone",
        judges: |path| is_rust(path) && !is_in(path, "crates/engine") && !is_in(path, "crates/worker"),
        finds: |_, text| Source::read(text).words(&["pocketbench_engine", "llama_cpp_2", "llama_cpp_sys_2"]),
        guilty: &[
            ("crates/bench/src/lib.rs", "use pocketbench_engine::Engine;"),
            ("crates/app/tests/app.rs", "fn f() { llama_cpp_2::x() }"),
        ],
        innocent: &[
            ("crates/worker/src/server.rs", "use pocketbench_engine::Engine;"),
            ("crates/app/src/lib.rs", "// pocketbench_engine"),
        ],
    }
    .hold();
}

#[test]
fn app_and_below_know_neither_tauri_nor_a_terminal() {
    Rule {
        says: "app and below know neither Tauri nor a terminal",
        judges: |path| is_rust(path) && is_in(path, "crates") && !is_in(path, "crates/cli"),
        finds: |_, text| {
            Source::read(text).words(&[
                "tauri",
                "clap",
                "indicatif",
                "comfy_table",
                "crossterm",
                "console",
                "IsTerminal",
            ])
        },
        guilty: &[
            ("crates/app/src/lib.rs", "use tauri::State;"),
            ("crates/bench/src/runner.rs", "let bar = indicatif::ProgressBar::new(1);"),
            ("crates/hub/src/lib.rs", "use std::io::IsTerminal;"),
        ],
        innocent: &[
            ("crates/cli/src/args.rs", "use clap::Parser;"),
            ("crates/app/src/lib.rs", "//! Knows neither tauri nor clap."),
        ],
    }
    .hold();
}

// ---------------------------------------------------------------------------------------------------------------------
// What appears in one place alone
// ---------------------------------------------------------------------------------------------------------------------

#[test]
fn unsafe_is_in_one_module() {
    Rule {
        says: "`unsafe` is in crates/engine/src/ffi.rs alone (and in the benchmarks that bypass it)",
        judges: |path| is_rust(path) && path != "crates/engine/src/ffi.rs" && !is_in(path, "crates/engine/examples"),
        finds: |_, text| Source::read(text).words(&["unsafe"]),
        guilty: &[
            ("crates/device/src/lib.rs", "fn f() { unsafe { g() } }"),
            ("crates/engine/src/batch.rs", "unsafe extern \"C\" fn h() {}"),
        ],
        innocent: &[
            ("crates/engine/src/ffi.rs", "unsafe impl Send for Model {}"),
            ("crates/engine/src/lib.rs", "//! All `unsafe` is in one module.\nlet unsafe_code = \"unsafe\";"),
        ],
    }
    .hold();
}

#[test]
fn every_crate_forbids_unsafe_through_the_workspace() {
    Rule {
        says: "lints come from the workspace, which forbids `unsafe`; the engine denies it and allows it in one module",
        judges: |path| path.ends_with("Cargo.toml"),
        finds: |path, text| {
            let has = |wanted: &[&str]| wanted.iter().all(|line| text.lines().any(|l| l.trim() == *line));
            let kept = match path {
                "crates/engine/Cargo.toml" => {
                    has(&["unsafe_code = \"deny\"", "undocumented_unsafe_blocks = \"deny\"", "missing_docs = \"warn\""])
                }
                "Cargo.toml" => {
                    has(&["[workspace.lints.rust]", "unsafe_code = \"forbid\"", "missing_docs = \"warn\"", "[lints]"])
                }
                // A workspace of its own.
                "crates/hub/fuzz/Cargo.toml" => has(&["[workspace]", "[lints.rust]", "unsafe_code = \"forbid\""]),
                _ => text
                    .split("\n[lints]\n")
                    .nth(1)
                    .is_some_and(|rest| rest.trim_start().starts_with("workspace = true")),
            };
            if kept { Vec::new() } else { vec![(1, "does not take the workspace's lints".to_owned())] }
        },
        guilty: &[
            ("crates/hub/Cargo.toml", "[package]\nname = \"x\"\n"),
            ("crates/engine/Cargo.toml", "[lints.rust]\nunsafe_code = \"allow\"\n"),
            ("crates/hub/fuzz/Cargo.toml", "[workspace]\n"),
        ],
        innocent: &[("crates/hub/Cargo.toml", "[package]\n\n[lints]\nworkspace = true\n")],
    }
    .hold();
}

/// Whether a string is an SQL statement and not an English sentence that begins like one.
fn is_sql(literal: &str) -> bool {
    let words: Vec<&str> = literal.split_whitespace().collect();
    let [first, rest @ ..] = words.as_slice() else { return false };
    let has = |word: &str| rest.iter().any(|w| w.eq_ignore_ascii_case(word));
    let one_case = first.chars().all(char::is_uppercase) || first.chars().all(char::is_lowercase);
    one_case
        && match first.to_ascii_lowercase().as_str() {
            "select" => has("from") || (first.starts_with('S') && !rest.is_empty()),
            "insert" | "replace" => has("into"),
            "update" => has("set"),
            "delete" => rest.first().is_some_and(|w| w.eq_ignore_ascii_case("from")),
            "create" | "drop" | "alter" => ["table", "index", "trigger", "view"].into_iter().any(has),
            "pragma" => !rest.is_empty(),
            "with" => has("select"),
            _ => false,
        }
}

#[test]
fn sql_lives_in_the_store() {
    Rule {
        says: "every SQL statement is in crates/store (and migrations/)",
        judges: |path| is_rust(path) && !is_in(path, "crates/store"),
        finds: |_, text| {
            let source = Source::read(text);
            let mut found = source.literals(is_sql);
            found.extend(source.words(&["sqlx", "rusqlite"]));
            found
        },
        guilty: &[
            ("crates/app/src/runs.rs", "let q = \"SELECT id FROM runs\";"),
            ("crates/app/src/runs.rs", "let q = \"select id\n  from runs\";"),
            ("crates/cli/src/main.rs", "let q = r#\"INSERT INTO runs VALUES (1)\"#;"),
            ("crates/app/tests/path.rs", "let q = \"DELETE FROM samples\";"),
            ("crates/app/src/lib.rs", "use sqlx::Row;"),
        ],
        innocent: &[
            ("crates/store/src/runs.rs", "let q = \"SELECT id FROM runs\";"),
            (
                "crates/app/src/runs.rs",
                "let hint = \"Update Pocketbench, or set another folder.\"; let h = \"Select a model from the list.\";",
            ),
        ],
    }
    .hold();
}

#[test]
fn the_network_is_touched_by_hub_and_cloud() {
    const NETWORK: &[&str] = &[
        "TcpStream",
        "TcpListener",
        "TcpSocket",
        "UdpSocket",
        "UnixStream",
        "UnixListener",
        "ToSocketAddrs",
        "reqwest",
        "hyper",
        "ureq",
        "tungstenite",
    ];
    Rule {
        says: "the network is touched by crates/hub and crates/cloud alone",
        // The test kit is no part of the product; it plays the hosts.
        judges: |path| {
            let may = ["crates/hub", "crates/cloud", "crates/testkit"];
            is_product(path) && !may.iter().any(|folder| is_in(path, folder))
        },
        finds: |_, text| {
            let source = Source::of_product(text);
            let mut found = source.words(NETWORK);
            found.extend(source.sequences(&["std : : net", "tokio : : net"]));
            found
        },
        guilty: &[
            ("crates/app/src/lib.rs", "use std::net::IpAddr;"),
            ("crates/store/src/lib.rs", "use std::{fs, net::TcpStream};"),
            ("src-tauri/src/lib.rs", "let page = reqwest::get(url);"),
        ],
        innocent: &[
            ("crates/cloud/src/lib.rs", "use std::net::TcpStream;"),
            ("crates/app/src/lib.rs", "// no TcpStream here"),
        ],
    }
    .hold();
    Rule {
        says: "the front end reaches the machine through its backend and nothing else",
        judges: |path| is_in(path, "ui/src") && is_script(path),
        finds: |_, text| {
            lines_with(text, |line| {
                let called = |name: &str| {
                    line.match_indices(name)
                        .any(|(i, _)| !line[..i].ends_with(|c: char| c.is_alphanumeric() || "._#$".contains(c)))
                };
                ["fetch(", "new WebSocket(", "new EventSource(", "new XMLHttpRequest("].into_iter().any(called)
                    || line.contains("window.fetch(")
                    || line.contains("globalThis.fetch(")
                    || line.contains("navigator.sendBeacon(")
            })
        },
        guilty: &[
            ("ui/src/screens/Bench.svelte", "const page = await fetch('/api')"),
            ("ui/src/state/live.svelte.ts", "const socket = new WebSocket(address)"),
        ],
        innocent: &[("ui/src/state/resource.svelte.ts", "const value = await this.fetch()")],
    }
    .hold();
}

#[test]
fn the_machine_is_read_by_device() {
    Rule {
        says: "`/proc` and `/sys` are read by crates/device alone",
        judges: |path| is_product(path) && !is_in(path, "crates/device"),
        finds: |_, text| {
            let mut source = Source::of_product(text);
            source.literals.retain(|(_, l)| !l.contains("://"));
            let mut found = source
                .literals(|l| ["/proc", "/sys"].iter().any(|&folder| l == folder || l.contains(&format!("{folder}/"))));
            found.extend(source.words(&["sysinfo", "rustix", "libc"]));
            found
        },
        guilty: &[
            ("crates/bench/src/slot.rs", "let status = format!(\"/proc/{pid}/status\");"),
            ("crates/app/src/lib.rs", "std::fs::read_dir(\"/sys/class/thermal\")"),
            ("crates/app/src/lib.rs", "Path::new(\"/proc\").join(\"self\")"),
            ("crates/store/src/lib.rs", "use rustix::fs;"),
        ],
        innocent: &[
            ("crates/device/src/linux.rs", "std::fs::read_to_string(\"/proc/meminfo\")"),
            ("crates/app/src/lib.rs", "#[cfg(test)]\nmod tests { const P: &str = \"/proc/self/status\"; }"),
            ("crates/app/src/lib.rs", "// reads /proc/self\nlet p = \"/process/list\";"),
        ],
    }
    .hold();
}

#[test]
fn only_the_command_line_prints() {
    Rule {
        says: "only crates/cli prints",
        judges: |path| is_product(path) && !is_in(path, "crates/cli"),
        finds: |_, text| {
            Source::of_product(text).sequences(&["println !", "print !", "eprintln !", "eprint !", "dbg !"])
        },
        guilty: &[
            ("crates/app/src/lib.rs", "println!(\"{x}\");"),
            ("crates/engine/src/log.rs", "eprint !(\"x\");"),
            ("src-tauri/src/lib.rs", "let x = dbg!(y);"),
        ],
        innocent: &[
            ("crates/cli/src/output.rs", "println!();"),
            ("crates/engine/build.rs", "println!(\"cargo:rerun-if-changed=x\");"),
            ("crates/engine/examples/bare.rs", "println!();"),
            ("crates/app/src/lib.rs", "// println!() is for the command line\nlet println = 1;"),
        ],
    }
    .hold();
}

#[test]
fn the_domain_is_pure() {
    const IMPURE: &[&str] = &["Instant", "SystemTime", "tokio", "async", "await", "File", "now_v7", "new_v4", "thread"];
    Rule {
        says: "the domain has no I/O, no async, no clock and no randomness of its own",
        judges: |path| is_in(path, "crates/domain/src") && is_rust(path),
        finds: |_, text| {
            let source = Source::of_product(text);
            let mut found = source.words(IMPURE);
            found.extend(source.sequences(&[
                "std : : fs",
                "std : : io",
                "std : : env",
                "std : : net",
                "std : : process",
                "Utc : : now",
                "Local : : now",
            ]));
            found
        },
        guilty: &[
            ("crates/domain/src/run.rs", "let at = Utc::now();"),
            ("crates/domain/src/fit.rs", "std::fs::read(path)"),
            ("crates/domain/src/job.rs", "pub async fn wait() {}"),
        ],
        innocent: &[("crates/domain/src/run.rs", "/// Not `Utc::now()`.\npub started_at: DateTime<Utc>,")],
    }
    .hold();
}

#[test]
fn one_file_of_the_front_end_knows_tauri() {
    Rule {
        says: "ui/src/backend/tauri.ts alone imports @tauri-apps",
        judges: |path| {
            (is_in(path, "ui/src") || is_in(path, "e2e")) && is_script(path) && path != "ui/src/backend/tauri.ts"
        },
        finds: |_, text| lines_with(text, |line| line.contains("@tauri-apps")),
        guilty: &[
            ("ui/src/screens/Bench.svelte", "import { invoke } from '@tauri-apps/api/core'"),
            ("ui/src/backend/index.ts", "const { open } = await import(\"@tauri-apps/plugin-dialog\")"),
        ],
        innocent: &[("ui/src/backend/tauri.ts", "import { invoke } from '@tauri-apps/api/core'")],
    }
    .hold();
}

// ---------------------------------------------------------------------------------------------------------------------
// Manners
// ---------------------------------------------------------------------------------------------------------------------

/// Most lines of a command's body.
const COMMAND_LINES: usize = 10;

fn long_commands(_: &str, text: &str) -> Vec<Found> {
    let source = Source::read(text);
    let code: String = source.code.iter().map(|&c| if c.is_ascii() { c } else { ' ' }).collect();
    let mut found = Vec::new();
    for mark in ["#[tauri::command", "#[command"] {
        for (start, _) in code.match_indices(mark) {
            let Some(open) = code[start..].find('{').map(|i| start + i) else { continue };
            let body = &code[open + 1..source.end_of_block(open).max(open + 2) - 1];
            let lines = body.lines().filter(|line| !line.trim().is_empty()).count();
            if lines > COMMAND_LINES {
                found.push((source.line(start), format!("a command of {lines} lines")));
            }
        }
    }
    found
}

#[test]
fn commands_are_short() {
    Rule {
        says: "a Tauri command has at most ten lines: parse, call `app`, pass the error on",
        judges: |path| is_in(path, "src-tauri/src") && is_rust(path),
        finds: long_commands,
        guilty: &[(
            "src-tauri/src/commands.rs",
            "#[tauri::command]\nfn f() {\n1;\n2;\n3;\n4;\n5;\n6;\n7;\n8;\n9;\n10;\nif true { 11 }\n}\n",
        )],
        innocent: &[
            (
                "src-tauri/src/commands.rs",
                "#[tauri::command]\nfn f() {\n1;\n2;\n3;\n4;\n5;\n6;\n7;\n8;\n// a word\n\n9;\n10;\n}\nfn g() {}\n",
            ),
            ("src-tauri/src/opened.rs", "fn f() {\n1;\n2;\n3;\n4;\n5;\n6;\n7;\n8;\n9;\n10;\n11;\n}\n"),
        ],
    }
    .hold();
}

const EMPTY_WORDS: [&str; 4] = ["Manager", "Service", "Helper", "Util"];
const DECLARES: [&str; 9] = ["struct", "enum", "trait", "type", "union", "mod", "class", "interface", "namespace"];

/// `DownloadManager`, `utils`, `file_helpers`: names that say nothing of what is done.
fn is_empty_name(name: &str) -> bool {
    let name = name.strip_suffix('s').unwrap_or(name);
    EMPTY_WORDS.iter().any(|word| {
        let lower = word.to_lowercase();
        name.ends_with(word)
            || name.strip_suffix(&lower).is_some_and(|before| before.is_empty() || before.ends_with(['_', '-', '.']))
    })
}

fn empty_names(path: &str, text: &str) -> Vec<Found> {
    let mut found: Vec<Found> = path
        .split('/')
        .filter(|part| is_empty_name(part.split('.').next().unwrap_or(part)))
        .map(|part| (1, format!("`{part}` in the path")))
        .collect();
    let source =
        if is_rust(path) { Source::read(text) } else { Source { code: text.chars().collect(), literals: Vec::new() } };
    let tokens = source.tokens();
    for pair in tokens.windows(2) {
        if DECLARES.contains(&pair[0].1.as_str()) && is_empty_name(&pair[1].1) {
            found.push((source.line(pair[1].0), format!("`{} {}`", pair[0].1, pair[1].1)));
        }
    }
    found
}

#[test]
fn names_say_what_is_done() {
    Rule {
        says: "no Manager, Service, Helper or Util",
        judges: |path| is_rust(path) || is_script(path),
        finds: empty_names,
        guilty: &[
            ("crates/hub/src/lib.rs", "pub struct DownloadManager;"),
            ("crates/hub/src/lib.rs", "mod utils;"),
            ("crates/hub/src/path_helper.rs", ""),
            ("ui/src/utils.ts", ""),
            ("ui/src/util/number.ts", ""),
            ("ui/src/backend/backend.ts", "export interface ModelService {}"),
            ("ui/src/backend/backend.ts", "export type RunHelpers = Run[]"),
        ],
        innocent: &[
            ("crates/hub/src/lib.rs", "// struct DownloadManager\nuse third_party::DownloadManager;"),
            ("crates/device/src/lib.rs", "struct Utilisation; struct Services_;"),
        ],
    }
    .hold();
}

fn lines_with(text: &str, wanted: impl Fn(&str) -> bool) -> Vec<Found> {
    text.lines().enumerate().filter(|(_, line)| wanted(line)).map(|(i, line)| (i + 1, line.trim().to_owned())).collect()
}

#[test]
fn the_table_in_the_documents_is_the_one_that_is_held() {
    let text = fs::read_to_string(root().join("docs/ARCHITECTURE.md")).expect("docs/ARCHITECTURE.md is there");
    // Rows such as: | `bench` | `domain`, `worker`, `device` | … |
    let written: BTreeMap<&str, Vec<&str>> = text
        .lines()
        .filter_map(|line| {
            let mut cells = line.strip_prefix("| `")?.split('|');
            let name = cells.next()?.trim().trim_end_matches('`');
            let used = cells.next()?.split('`').skip(1).step_by(2).collect();
            Some((name, used))
        })
        .collect();
    for (package, used) in MAY_USE {
        let name = package.strip_prefix("crates/").unwrap_or("src-tauri");
        let used: Vec<&str> = used.iter().map(|name| if *name == "app-core" { "app" } else { name }).collect();
        assert_eq!(written.get(name), Some(&used), "docs/ARCHITECTURE.md, row `{name}`");
    }
}
