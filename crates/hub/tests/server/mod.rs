//! A web server on this machine that does as it is told, above all what servers should not do.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]
#![allow(clippy::format_push_string, clippy::format_collect, reason = "plain is better than fast here")]

use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

#[derive(Debug, Clone)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub headers: HashMap<String, String>,
    /// Bytes asked for; the end is exclusive.
    pub range: Option<Range<usize>>,
    /// How many requests came before this one.
    pub n: usize,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Arc<Vec<u8>>,
    /// The piece of the body that is sent.
    pub piece: Range<usize>,
    /// What `Content-Length` says; `None`: nothing, and the end of the connection is the end of the body.
    pub length: Option<usize>,
    /// Breaks the connection off after this many bytes of the piece.
    pub cut: Option<usize>,
    /// Bytes at once, and the pause after them.
    pub pace: Option<(usize, Duration)>,
    /// After the piece, and after it was cut, nothing more happens for ever.
    pub hang: bool,
}

impl Reply {
    pub fn new(status: u16, body: &[u8]) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Arc::new(body.to_vec()),
            piece: 0..body.len(),
            length: Some(body.len()),
            cut: None,
            pace: None,
            hang: false,
        }
    }

    /// What a good server answers to a request for this file.
    pub fn file(request: &Request, content: &Arc<Vec<u8>>, etag: &str) -> Self {
        let mut reply = Self { body: content.clone(), ..Self::new(200, b"") };
        let total = content.len();
        let unchanged = request.header("if-range").is_none_or(|known| known == etag);
        reply.piece = match &request.range {
            Some(range) if range.start >= total => {
                return Self::new(416, b"").with("Content-Range", &format!("bytes */{total}"));
            }
            Some(range) if unchanged => {
                let piece = range.start..range.end.min(total);
                reply.status = 206;
                reply = reply.with("Content-Range", &format!("bytes {}-{}/{total}", piece.start, piece.end - 1));
                piece
            }
            _ => 0..total,
        };
        reply.length = Some(reply.piece.len());
        if !etag.is_empty() {
            reply = reply.with("ETag", etag);
        }
        reply.with("Content-Type", "application/octet-stream").with("Accept-Ranges", "bytes")
    }

    /// The same from a server that knows no ranges.
    pub fn whole_file(request: &Request, content: &Arc<Vec<u8>>, etag: &str) -> Self {
        Self::file(&Request { range: None, ..request.clone() }, content, etag).without("Accept-Ranges")
    }

    pub fn redirect(to: &str) -> Self {
        Self::new(302, b"over there").with("Location", to)
    }

    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self = self.without(name);
        self.headers.push((name.into(), value.into()));
        self
    }

    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self
    }
}

#[derive(Debug)]
struct State {
    requests: Mutex<Vec<Request>>,
    /// Bytes of bodies that were handed to the operating system.
    sent: AtomicU64,
}

#[derive(Debug, Clone)]
pub struct Server {
    pub port: u16,
    state: Arc<State>,
}

impl Server {
    /// A server that answers as `answer` says, for as long as the test's runtime lives.
    pub async fn start(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_with(answer, None).await
    }

    /// The same, over TLS.
    pub async fn start_with(
        answer: impl Fn(&Request) -> Reply + Send + Sync + 'static,
        tls: Option<tokio_rustls::TlsAcceptor>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State { requests: Mutex::default(), sent: AtomicU64::new(0) });
        let (answer, shared) = (Arc::new(answer), state.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (answer, shared, tls) = (answer.clone(), shared.clone(), tls.clone());
                tokio::spawn(async move {
                    // Ends with an error whenever the other side has had enough.
                    let _ = match tls {
                        Some(tls) => match tls.accept(stream).await {
                            Ok(stream) => serve(stream, &*answer, &shared).await,
                            Err(error) => Err(error),
                        },
                        None => serve(stream, &*answer, &shared).await,
                    };
                });
            }
        });
        Self { port, state }
    }

    pub fn base(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base())
    }

    pub fn requests(&self) -> Vec<Request> {
        self.state.requests.lock().unwrap().clone()
    }

    pub fn sent(&self) -> u64 {
        self.state.sent.load(Ordering::SeqCst)
    }
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    answer: &(impl Fn(&Request) -> Reply + Send + Sync),
    state: &State,
) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    while let Some((method, path, headers)) = read_request(&mut stream).await? {
        let range = headers.get("range").and_then(|range| {
            let (start, end) = range.strip_prefix("bytes=")?.split_once('-')?;
            Some(start.parse().ok()?..end.parse::<usize>().ok()? + 1)
        });
        let request = {
            let mut requests = state.requests.lock().unwrap();
            let request = Request { method, path, headers, range, n: requests.len() };
            requests.push(request.clone());
            request
        };
        let reply = answer(&request);
        let mut head = format!("HTTP/1.1 {} So It Is\r\n", reply.status);
        for (name, value) in &reply.headers {
            head += &format!("{name}: {value}\r\n");
        }
        match reply.length {
            Some(length) => head += &format!("Content-Length: {length}\r\n"),
            None => head += "Connection: close\r\n",
        }
        head += "\r\n";
        stream.write_all(head.as_bytes()).await?;
        let end = reply.cut.map_or(reply.piece.end, |cut| reply.piece.end.min(reply.piece.start + cut));
        let (step, pause) = reply.pace.unwrap_or((64 << 10, Duration::ZERO));
        let mut at = reply.piece.start;
        while at < end {
            let next = end.min(at + step);
            stream.write_all(&reply.body[at..next]).await?;
            stream.flush().await?;
            state.sent.fetch_add((next - at) as u64, Ordering::SeqCst);
            at = next;
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
        }
        stream.flush().await?;
        if reply.hang {
            std::future::pending::<()>().await;
        }
        // Only what was really cut ends the connection: one closed behind a whole answer races with the next request on it.
        if end < reply.piece.end || reply.length.is_none() {
            stream.shutdown().await?;
            return Ok(());
        }
    }
    Ok(())
}

async fn read_request(
    stream: &mut (impl AsyncBufReadExt + Unpin),
) -> std::io::Result<Option<(String, String, HashMap<String, String>)>> {
    let mut line = String::new();
    if stream.read_line(&mut line).await? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        match line.trim_end().split_once(':') {
            Some((name, value)) => headers.insert(name.to_ascii_lowercase(), value.trim().to_owned()),
            None => return Ok(Some((method, path, headers))),
        };
    }
}

/// A model of about this many bytes with weights that look random.
pub fn model(bytes: usize, seed: u64) -> Arc<Vec<u8>> {
    let rows = (bytes / 256) as u64;
    let mut gguf = crate::common::Gguf::tiny();
    gguf.tensors.push(crate::common::tensor("output.weight", &[64, rows], 0, rows * 256));
    let mut content = gguf.bytes();
    let start = gguf.header().len();
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    for word in content[start..].chunks_mut(8) {
        // Knuth's multiplier; the high bits are random enough to tell every block from every other.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let random = (state >> 8).to_le_bytes();
        let n = word.len();
        word.copy_from_slice(&random[..n]);
    }
    Arc::new(content)
}

pub fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest;
    sha2::Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}
