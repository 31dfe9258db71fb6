//! A hub of models within this machine, for tests of whole downloads: it serves repositories with ranges and hashes as a
//! real one does, and can be told to break off, to slow down or to ask for a token. Hosts that misbehave in every other way are in
//! the tests of `crates/hub`.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A file of a repository.
#[derive(Debug, Clone)]
struct Hosted {
    content: Arc<Vec<u8>>,
    sha256: String,
}

#[derive(Debug, Default)]
struct State {
    /// By repository and path within it.
    files: Mutex<HashMap<(String, String), Hosted>>,
    token: Mutex<Option<String>>,
    sent: AtomicU64,
    /// Bytes a second of one connection; 0: as fast as it goes.
    rate: AtomicU64,
    down: AtomicBool,
}

/// A running hub; it ends with the process.
#[derive(Debug, Clone)]
pub struct Hub {
    state: Arc<State>,
    address: String,
}

impl Default for Hub {
    fn default() -> Self {
        Self::start()
    }
}

impl Hub {
    /// Starts an empty hub on a free port of this machine.
    ///
    /// # Panics
    /// If no port can be had.
    #[must_use]
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let state = Arc::new(State::default());
        let serving = Arc::clone(&state);
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let state = Arc::clone(&serving);
                std::thread::spawn(move || serve(&state, connection));
            }
        });
        Self { state, address }
    }

    /// Its base address.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Puts a file into a repository. `sha256` is what the hub says of it, true or not.
    pub fn put(&self, repository: &str, path: &str, content: Vec<u8>, sha256: &str) {
        let hosted = Hosted { content: Arc::new(content), sha256: sha256.to_owned() };
        lock(&self.state.files).insert((repository.to_owned(), path.to_owned()), hosted);
    }

    /// From now on every repository is gated: only who sends this token gets a file.
    pub fn ask_for(&self, token: &str) {
        *lock(&self.state.token) = Some(token.to_owned());
    }

    /// Bytes of files sent so far.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.state.sent.load(Ordering::Relaxed)
    }

    /// Slows every connection down to so many bytes a second; 0 lets it go.
    pub fn slow(&self, bytes_per_s: u64) {
        self.state.rate.store(bytes_per_s, Ordering::Relaxed);
    }

    /// Breaks every connection off, now and from now on, or answers again.
    pub fn down(&self, down: bool) {
        self.state.down.store(down, Ordering::Relaxed);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Asked {
    path: String,
    range: Option<(u64, Option<u64>)>,
    token: Option<String>,
    head: bool,
}

fn read_request(reader: &mut impl BufRead) -> Option<Asked> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|n| *n > 0)?;
    let mut words = line.split_whitespace();
    let head = words.next()? == "HEAD";
    let path = words.next()?.to_owned();
    let mut asked = Asked { path, range: None, token: None, head };
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok().filter(|n| *n > 0)?;
        let Some((name, value)) = header.trim_end().split_once(':') else { break };
        match name.to_ascii_lowercase().as_str() {
            "range" => {
                let (first, last) = value.trim().strip_prefix("bytes=")?.split_once('-')?;
                asked.range = Some((first.parse().ok()?, last.parse().ok()));
            }
            "authorization" => asked.token = value.trim().strip_prefix("Bearer ").map(str::to_owned),
            _ => {}
        }
    }
    Some(asked)
}

fn serve(state: &State, connection: TcpStream) {
    let Ok(mut out) = connection.try_clone() else { return };
    let mut reader = BufReader::new(connection);
    while let Some(asked) = read_request(&mut reader) {
        if state.down.load(Ordering::Relaxed) || answer(state, &asked, &mut out).is_none() {
            return;
        }
    }
}

fn plain(out: &mut TcpStream, status: &str, kind: &str, body: &str) -> Option<()> {
    let head = format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    out.write_all(head.as_bytes()).ok()
}

fn answer(state: &State, asked: &Asked, out: &mut TcpStream) -> Option<()> {
    let path = asked.path.split('?').next().unwrap_or_default();
    if let Some(rest) = path.strip_prefix("/api/models/") {
        return api(state, rest, out);
    }
    let mut segments = path.trim_start_matches('/').splitn(5, '/');
    let (owner, name) = (segments.next()?, segments.next()?);
    let is_file = segments.next() == Some("resolve") && segments.next().is_some();
    let file = segments.next().unwrap_or_default();
    let found = lock(&state.files).get(&(format!("{owner}/{name}"), file.to_owned())).cloned().filter(|_| is_file);
    let Some(hosted) = found else { return plain(out, "404 Not Found", "text/plain", "no such file") };
    if lock(&state.token).as_ref().is_some_and(|token| asked.token.as_ref() != Some(token)) {
        return plain(out, "401 Unauthorized", "text/plain", "a token, please");
    }
    let total = hosted.content.len() as u64;
    let (first, last) = match asked.range {
        Some((first, _)) if first >= total => {
            return plain(out, "416 Range Not Satisfiable", "text/plain", "past the end");
        }
        Some((first, last)) => (first, last.unwrap_or(total - 1).min(total - 1)),
        None => (0, total - 1),
    };
    let mut head = String::from(if asked.range.is_some() { "HTTP/1.1 206 Partial Content" } else { "HTTP/1.1 200 OK" });
    let _ = write!(
        head,
        "\r\nContent-Type: application/octet-stream\r\nAccept-Ranges: bytes\r\nETag: \"{0}\"\r\nX-Linked-Etag: \"{0}\"\r\n\
         X-Linked-Size: {total}\r\nContent-Length: {1}\r\n",
        hosted.sha256,
        last - first + 1
    );
    if asked.range.is_some() {
        let _ = write!(head, "Content-Range: bytes {first}-{last}/{total}\r\n");
    }
    head.push_str("\r\n");
    out.write_all(head.as_bytes()).ok()?;
    if asked.head {
        return Some(());
    }
    let range = usize::try_from(first).ok()?..=usize::try_from(last).ok()?;
    for piece in hosted.content[range].chunks(16 << 10) {
        if state.down.load(Ordering::Relaxed) {
            return None;
        }
        out.write_all(piece).ok()?;
        state.sent.fetch_add(piece.len() as u64, Ordering::Relaxed);
        let rate = state.rate.load(Ordering::Relaxed);
        if rate > 0 {
            std::thread::sleep(Duration::from_secs_f64(piece.len() as f64 / rate as f64));
        }
    }
    Some(())
}

/// `owner/name` and `owner/name/tree/revision`.
fn api(state: &State, rest: &str, out: &mut TcpStream) -> Option<()> {
    let parts: Vec<&str> = rest.split('/').collect();
    let [owner, name, what @ ..] = &parts[..] else { return plain(out, "404 Not Found", "text/plain", "") };
    let repository = format!("{owner}/{name}");
    let files = lock(&state.files);
    let mine: Vec<(&String, &Hosted)> =
        files.iter().filter(|((of, _), _)| *of == repository).map(|((_, path), hosted)| (path, hosted)).collect();
    if mine.is_empty() {
        return plain(out, "404 Not Found", "application/json", "{\"error\":\"Repository not found\"}");
    }
    let gated = lock(&state.token).is_some();
    let body = if what.first() == Some(&"tree") {
        let entries: Vec<String> = mine
            .iter()
            .map(|(path, hosted)| {
                let (size, hash) = (hosted.content.len(), &hosted.sha256);
                format!(
                    "{{\"type\":\"file\",\"path\":\"{path}\",\"size\":{size},\"lfs\":{{\"oid\":\"{hash}\",\"size\":{size}}}}}"
                )
            })
            .collect();
        format!("[{}]", entries.join(","))
    } else {
        let gated = if gated { "\"auto\"" } else { "false" };
        format!(
            "{{\"id\":\"{repository}\",\"gated\":{gated},\"cardData\":{{\"license\":\"apache-2.0\"}},\"tags\":[\"gguf\"]}}"
        )
    };
    plain(out, "200 OK", "application/json", &body)
}
