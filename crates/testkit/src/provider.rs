//! A provider within this machine, for tests of whole conversations: it does as it is told, above all what providers should
//! not do. What only the client has to stand (TLS, odd bytes, a thousand faults) is in the tests of `crates/cloud`.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Method and path, such as `POST /v1/chat/completions`.
    pub what: String,
    /// The line of the key, if there is one.
    pub authorization: Option<String>,
    /// The body.
    pub body: String,
    /// How many requests came before this one.
    pub n: usize,
}

/// What is done after a request was read.
#[derive(Debug, Clone)]
pub enum Step {
    /// Bytes are sent.
    Send(String),
    /// Nothing is, for so long.
    Wait(Duration),
    /// Nothing is, until the other side leaves.
    Hang,
}

/// A running provider; it ends with the process.
#[derive(Debug, Clone)]
pub struct Provider {
    address: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Provider {
    /// Starts one on a free port of this machine. After the last step of an answer the connection is closed.
    ///
    /// # Panics
    /// If no port can be had.
    #[must_use]
    pub fn start(answer: impl Fn(&Asked) -> Vec<Step> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = format!("http://{}/v1", listener.local_addr().expect("an address"));
        let provider = Self { address, asked: Arc::default() };
        let (asked, answer) = (Arc::clone(&provider.asked), Arc::new(answer));
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let (asked, answer) = (Arc::clone(&asked), Arc::clone(&answer));
                // Ends with an error whenever the other side has had enough.
                std::thread::spawn(move || serve(connection, &asked, &*answer).ok());
            }
        });
        provider
    }

    /// Its base URL.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.address
    }

    /// What was asked of it so far.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn serve(
    connection: TcpStream,
    asked: &Mutex<Vec<Asked>>,
    answer: &(impl Fn(&Asked) -> Vec<Step> + ?Sized),
) -> std::io::Result<()> {
    let mut reader = BufReader::new(connection.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let what = line.rsplit_once(' ').map_or("", |(what, _)| what).to_owned();
    let (mut length, mut authorization) = (0, None);
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 || line.trim().is_empty() {
            break;
        }
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        } else if lower.starts_with("authorization:") {
            authorization = Some(line.trim().to_owned());
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let request = {
        let mut asked = asked.lock().unwrap_or_else(PoisonError::into_inner);
        let body = String::from_utf8_lossy(&body).into_owned();
        let request = Asked { what, authorization, body, n: asked.len() };
        asked.push(request.clone());
        request
    };
    let mut writer = connection;
    for step in answer(&request) {
        match step {
            Step::Send(text) => {
                writer.write_all(text.as_bytes())?;
                writer.flush()?;
            }
            Step::Wait(time) => std::thread::sleep(time),
            Step::Hang => {
                reader.read_exact(&mut [0])?;
            }
        }
    }
    Ok(())
}

/// A whole answer: status, type and body.
#[must_use]
pub fn whole(status: u16, kind: &str, body: &str) -> Vec<Step> {
    let head = format!("HTTP/1.1 {status} So It Is\r\nContent-Type: {kind}\r\nConnection: close\r\n");
    vec![Step::Send(format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()))]
}

/// A whole answer that is JSON.
#[must_use]
pub fn json(status: u16, body: &str) -> Vec<Step> {
    whole(status, "application/json", body)
}

/// The head of a stream.
pub const STREAM: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";

/// An event that brings a piece of the answer.
#[must_use]
pub fn delta(text: &str) -> String {
    format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":{}}}}}]}}\n\n", quoted(text))
}

/// An event that brings a piece of the reasoning before it.
#[must_use]
pub fn thought(text: &str) -> String {
    format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"reasoning_content\":{}}}}}]}}\n\n", quoted(text))
}

/// The events at the end of an answer, with its tokens.
#[must_use]
pub fn end(prompt: u64, completion: u64) -> String {
    format!(
        "data: {{\"choices\":[{{\"index\":0,\"delta\":{{}},\"finish_reason\":\"stop\"}}]}}\n\n\
         data: {{\"choices\":[],\"usage\":{{\"prompt_tokens\":{prompt},\"completion_tokens\":{completion}}}}}\n\n\
         data: [DONE]\n\n"
    )
}

/// A good answer of these pieces, for seven tokens of prompt and one a piece.
#[must_use]
pub fn good(pieces: &[&str]) -> Vec<Step> {
    let events: String = pieces.iter().map(|piece| delta(piece)).collect();
    vec![Step::Send(format!("{STREAM}{events}{}", end(7, pieces.len() as u64)))]
}

/// A string as JSON.
fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            // Writing to a string cannot fail.
            c if c.is_control() => drop(write!(out, "\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
