//! A provider on this machine that does as it is told, above all what providers should not do.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]
#![allow(clippy::format_push_string, reason = "plain is better than fast here")]

use pocketbench_cloud::keys::Secret;
use pocketbench_cloud::{ChatRequest, ClientOptions, Endpoint, ProviderClient, Reply};
use pocketbench_domain::generate::{Message, Role};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub const KEY: &str = "sk-test-0123456789abcdef";

#[derive(Debug, Clone)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub headers: HashMap<String, String>,
    pub body: String,
    /// How many requests came before this one.
    pub n: usize,
}

impl Request {
    pub fn has_key(&self) -> bool {
        self.headers.contains_key("authorization")
    }
}

/// What is done after a request was read.
#[derive(Debug, Clone)]
pub enum Step {
    Send(Vec<u8>),
    Wait(Duration),
    /// Nothing more happens for ever.
    Hang,
    /// The connection is closed.
    Close,
}

/// A whole answer: head and body, then the connection is kept.
pub fn whole(status: u16, headers: &[(&str, &str)], body: &str) -> Vec<Step> {
    let mut head = format!("HTTP/1.1 {status} So It Is\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    vec![Step::Send(format!("{head}\r\n{body}").into_bytes())]
}

pub fn json(status: u16, body: &str) -> Vec<Step> {
    whole(status, &[("Content-Type", "application/json")], body)
}

pub const STREAM_HEAD: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nConnection: close\r\n\r\n";

pub fn event(json: &str) -> String {
    format!("data: {json}\n\n")
}

pub fn delta(text: &str) -> String {
    event(&serde_json::json!({ "choices": [{ "index": 0, "delta": { "content": text } }] }).to_string())
}

pub fn finish() -> String {
    event(r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#)
}

pub fn usage(prompt: u64, completion: u64) -> String {
    let usage = serde_json::json!({ "prompt_tokens": prompt, "completion_tokens": completion });
    event(&serde_json::json!({ "choices": [], "usage": usage }).to_string())
}

pub const DONE: &str = "data: [DONE]\n\n";

/// A stream that is the connection's whole rest.
pub fn stream(events: &[String]) -> Vec<Step> {
    vec![Step::Send(format!("{STREAM_HEAD}{}", events.concat()).into_bytes()), Step::Close]
}

pub fn good(words: &[&str]) -> Vec<Step> {
    let mut events: Vec<String> = words.iter().map(|word| delta(word)).collect();
    events.extend([finish(), usage(7, words.len() as u64), DONE.to_owned()]);
    stream(&events)
}

#[derive(Debug, Clone)]
pub struct Server {
    pub port: u16,
    requests: Arc<Mutex<Vec<Request>>>,
    /// Connections that the other side has closed while something was still to be sent or waited for.
    pub left: Arc<tokio::sync::Notify>,
}

impl Server {
    /// A server that answers as `answer` says, for as long as the test's runtime lives.
    pub async fn start(answer: impl Fn(&Request) -> Vec<Step> + Send + Sync + 'static) -> Self {
        Self::start_with(answer, None).await
    }

    /// The same, over TLS.
    pub async fn start_with(
        answer: impl Fn(&Request) -> Vec<Step> + Send + Sync + 'static,
        tls: Option<tokio_rustls::TlsAcceptor>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server =
            Self { port: listener.local_addr().unwrap().port(), requests: Arc::default(), left: Arc::default() };
        let (answer, shared) = (Arc::new(answer), server.clone());
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let (answer, shared, tls) = (answer.clone(), shared.clone(), tls.clone());
                tokio::spawn(async move {
                    // Ends with an error whenever the other side has had enough.
                    let _ = match tls {
                        Some(tls) => match tls.accept(connection).await {
                            Ok(connection) => serve(connection, &*answer, &shared).await,
                            Err(error) => Err(error),
                        },
                        None => serve(connection, &*answer, &shared).await,
                    };
                });
            }
        });
        server
    }

    pub fn base(&self) -> String {
        format!("http://127.0.0.1:{}/v1", self.port)
    }

    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    pub fn client(&self, options: ClientOptions) -> ProviderClient {
        client(&self.base(), options)
    }
}

async fn serve(
    connection: impl AsyncRead + AsyncWrite + Unpin,
    answer: &(impl Fn(&Request) -> Vec<Step> + Send + Sync),
    server: &Server,
) -> std::io::Result<()> {
    let mut connection = BufReader::new(connection);
    while let Some(mut request) = read_request(&mut connection).await? {
        {
            let mut requests = server.requests.lock().unwrap();
            request.n = requests.len();
            requests.push(request.clone());
        }
        for step in answer(&request) {
            match step {
                Step::Send(bytes) => {
                    connection.write_all(&bytes).await?;
                    connection.flush().await?;
                }
                Step::Wait(time) => tokio::time::sleep(time).await,
                Step::Hang => {
                    // Until the other side leaves.
                    let mut byte = [0];
                    let _ = connection.read(&mut byte).await;
                    server.left.notify_one();
                    return Ok(());
                }
                Step::Close => return connection.shutdown().await,
            }
        }
    }
    Ok(())
}

async fn read_request(connection: &mut (impl AsyncBufReadExt + Unpin)) -> std::io::Result<Option<Request>> {
    let mut line = String::new();
    if connection.read_line(&mut line).await? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        connection.read_line(&mut line).await?;
        match line.trim_end().split_once(':') {
            Some((name, value)) => headers.insert(name.to_ascii_lowercase(), value.trim().to_owned()),
            None => break,
        };
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    connection.read_exact(&mut body).await?;
    let body = String::from_utf8_lossy(&body).into_owned();
    Ok(Some(Request { method, path, headers, body, n: 0 }))
}

pub fn client(base: &str, options: ClientOptions) -> ProviderClient {
    let endpoint = Endpoint::new(base, Some(Secret::new(KEY).unwrap())).unwrap();
    ProviderClient::new(endpoint, options).unwrap()
}

/// Patience that is long enough for a busy machine wherever a test does not wait for it to end.
pub fn options() -> ClientOptions {
    ClientOptions {
        connect_timeout: Duration::from_secs(20),
        first_token_timeout: Duration::from_secs(20),
        stall_timeout: Duration::from_secs(20),
        overall_timeout: Duration::from_mins(1),
        backoff: Duration::from_millis(2),
        breaker_failures: 0,
        seed: Some(1),
        ..ClientOptions::default()
    }
}

pub fn ask(text: &str) -> ChatRequest {
    ChatRequest::new("test-model", vec![Message { role: Role::User, content: text.into() }])
}

pub async fn chat(client: &ProviderClient, request: &ChatRequest) -> Reply {
    client.chat(request, &CancellationToken::new(), |_| {}).await
}
