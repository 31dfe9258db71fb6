//! Requests to a provider: one answer at a time, with the time of every piece, and what an answer that is none means.

use crate::endpoint::{Endpoint, model_name};
use crate::error::{CloudError, ProviderError, Wait, presentable};
use crate::keys::Secret;
use crate::retry::{Breaker, backoff, retry_after};
use crate::sse::{SseLimits, SseReader};
use crate::tls::{causes, config, is_tls};
use crate::wire::{Chunk, Said, body, models};
use chrono::Utc;
use pocketbench_domain::generate::Message;
use pocketbench_domain::provider::{AnswerTiming, Checked, FinishReason, KeyCheck, TokenUsage};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, DATE, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::{Client, Proxy, RequestBuilder, Response};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::time::{sleep, timeout_at};
use tokio_util::sync::CancellationToken;
use url::Url;

/// Largest body of a list of models. The largest known has some hundred kilobytes.
const MAX_LIST: usize = 16 << 20;
/// Of a refusal, so much is read, and for so long: it is only for its words.
const MAX_REFUSAL: usize = 64 << 10;
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest wait for the end of a body after the answer has ended, so that the connection can be used again.
const TAIL_TIMEOUT: Duration = Duration::from_millis(50);
/// Many servers close connections that were idle for 5 s (uvicorn's default). One that is closed just as a request is sent
/// is an error that cannot be told from an answer that broke off, and must not be tried again: so idle ones are let go before.
const IDLE_TIMEOUT: Duration = Duration::from_secs(4);

/// What time it is, for the circuit breaker alone.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Instant + Send + Sync>);

impl Clock {
    /// A clock of the caller's.
    #[must_use]
    pub fn new(now: impl Fn() -> Instant + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new(Instant::now)
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// How providers are reached, and how much patience there is.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// Proxy, such as `http://proxy.example:3128`; otherwise the system's. Never for the local network. A secret, because it
    /// may hold a password.
    pub proxy: Option<Secret>,
    /// How requests introduce themselves.
    pub user_agent: String,
    /// Longest time until a connection stands.
    pub connect_timeout: Duration,
    /// Longest time from a request to the first piece of its answer. What keeps a connection alive is no piece.
    pub first_token_timeout: Duration,
    /// Longest time between two pieces.
    pub stall_timeout: Duration,
    /// Longest time for an answer, with all attempts and waits.
    pub overall_timeout: Duration,
    /// Most bytes of a body.
    pub max_body: usize,
    /// Most bytes of text and reasoning.
    pub max_text: usize,
    /// Longest line of a stream, and longest event.
    pub max_line: usize,
    /// Most attempts before the provider begins to answer. Afterwards there is only the one.
    pub attempts: u32,
    /// First wait between two attempts; doubles each time.
    pub backoff: Duration,
    /// Longest wait that a provider may ask for; beyond it the person decides.
    pub max_wait: Duration,
    /// Answers that fail one after another until the provider is left alone; 0: never.
    pub breaker_failures: u32,
    /// For how long.
    pub breaker_pause: Duration,
    /// Seed of what spreads the waits; `None`: from the system.
    pub seed: Option<u64>,
    /// The breaker's clock.
    pub clock: Clock,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            proxy: None,
            user_agent: concat!("pocketbench/", env!("CARGO_PKG_VERSION")).into(),
            connect_timeout: Duration::from_secs(15),
            // A server at home may load its model first; a reasoning model may keep its thoughts to itself.
            first_token_timeout: Duration::from_mins(2),
            stall_timeout: Duration::from_secs(45),
            overall_timeout: Duration::from_mins(15),
            max_body: 64 << 20,
            max_text: 8 << 20,
            max_line: 2 << 20,
            attempts: 3,
            backoff: Duration::from_millis(500),
            max_wait: Duration::from_secs(30),
            breaker_failures: 5,
            breaker_pause: Duration::from_secs(30),
            seed: None,
            clock: Clock::default(),
        }
    }
}

/// What is asked of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct ChatRequest {
    /// The model's name at the provider.
    pub model: String,
    /// The conversation, the newest turn last.
    pub messages: Vec<Message>,
    /// Most tokens of the answer.
    pub max_tokens: Option<u32>,
    /// `None`: what the provider takes.
    pub temperature: Option<f32>,
    /// `None`: what the provider takes.
    pub top_p: Option<f32>,
    /// Asks for the same answer each time, where the provider can.
    pub seed: Option<u64>,
    /// Texts that end the answer.
    pub stop: Vec<String>,
    /// Piece by piece; otherwise whole at the end.
    pub stream: bool,
}

impl ChatRequest {
    /// A streamed answer with the provider's own settings.
    #[must_use]
    pub fn new(model: impl Into<String>, messages: Vec<Message>) -> Self {
        let (max_tokens, temperature, top_p, seed) = (None, None, None, None);
        Self { model: model.into(), messages, max_tokens, temperature, top_p, seed, stop: Vec::new(), stream: true }
    }
}

/// A piece of an answer as it comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Of the answer itself.
    Text(&'a str),
    /// Of the reasoning before it.
    Reasoning(&'a str),
}

/// How an answer ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// As the model meant it to.
    Complete,
    /// Someone pressed Stop.
    Stopped,
    /// It failed; what came before is in the reply.
    Failed(ProviderError),
}

/// An answer, or as much as came of it. Whatever happens, no text that came is lost.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// The answer.
    pub text: String,
    /// The reasoning before it, where the provider gives it apart.
    pub reasoning: String,
    /// Why the model ended, in the provider's words.
    pub finish: Option<FinishReason>,
    /// Tokens as the provider counts them; the pieces in `timing` are not tokens.
    pub usage: Option<TokenUsage>,
    /// The model that answered, as the provider names it.
    pub model: Option<String>,
    /// When what came.
    pub timing: AnswerTiming,
    /// Requests that were sent, the one that was answered included.
    pub requests: u32,
    /// How it ended.
    pub end: End,
}

/// Talks to one provider. Cheap to clone; clones share connections and circuit breaker.
#[derive(Debug, Clone)]
pub struct ProviderClient(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    endpoint: Endpoint,
    options: ClientOptions,
    client: Client,
    breaker: Mutex<Breaker>,
    random: Mutex<fastrand::Rng>,
}

impl ProviderClient {
    /// A client. Nothing is sent yet.
    pub fn new(endpoint: Endpoint, options: ClientOptions) -> Result<Self, ProviderError> {
        let mut builder = Client::builder()
            .user_agent(&options.user_agent)
            // A redirect would take the conversation, if not the key, to someone it was not given to.
            .redirect(reqwest::redirect::Policy::none())
            // Attempts are counted here, where it is known which of them may have been charged.
            .retry(reqwest::retry::never())
            .referer(false)
            .http1_only()
            .connect_timeout(options.connect_timeout)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .tls_backend_preconfigured(config().map_err(ProviderError::Internal)?);
        if endpoint.is_local() {
            builder = builder.no_proxy();
        } else if let Some(proxy) = &options.proxy {
            // The words of the error may repeat the proxy's password.
            builder = builder.proxy(Proxy::all(proxy.expose()).map_err(|_| CloudError::Proxy)?);
        }
        let client = builder
            .build()
            .map_err(|error| ProviderError::Internal(format!("no client: {}", causes(&error.without_url()))))?;
        let random = options.seed.map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed);
        let (breaker, random) = (Mutex::default(), Mutex::new(random));
        Ok(Self(Arc::new(Inner { endpoint, options, client, breaker, random })))
    }

    /// Where it talks to.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.0.endpoint
    }

    /// Why nothing would be sent now: the provider failed again and again just before. Asking changes nothing.
    #[must_use]
    pub fn paused(&self) -> Option<ProviderError> {
        let wait = lock(&self.0.breaker).left((self.0.options.clock.0)())?;
        Some(ProviderError::Paused { host: self.host(), wait })
    }

    /// Asks for an answer. `on_piece` sees every piece as it comes. Ends soon after `stop` is cancelled.
    ///
    /// Tried again are only refusals that come in place of an answer (429, 5xx) and connections that never stood. Once the
    /// provider has begun to answer, nothing is sent twice, since it may have been charged.
    pub async fn chat(
        &self,
        request: &ChatRequest,
        stop: &CancellationToken,
        on_piece: impl FnMut(Piece<'_>) + Send,
    ) -> Reply {
        let options = &self.0.options;
        let begun = Instant::now();
        let mut answer = Answer::new(begun, on_piece);
        let result = match self.admit() {
            Ok(()) => {
                let deadline = begun + options.overall_timeout;
                // Dropping what is under way closes its connection, which tells the provider to stop.
                tokio::select! {
                    biased;
                    () = stop.cancelled() => None,
                    result = timeout_at(deadline.into(), self.answer(request, &mut answer)) => Some(result.unwrap_or_else(|_| {
                        Err(self.timed_out(Wait::Whole, options.overall_timeout))
                    })),
                }
            }
            Err(error) => Some(Err(error)),
        };
        let mut breaker = lock(&self.0.breaker);
        let end = match result {
            None => End::Stopped,
            Some(Ok(())) => {
                breaker.succeeded();
                End::Complete
            }
            Some(Err(error)) => {
                if error.is_fault() {
                    breaker.failed((options.clock.0)(), options.breaker_failures, options.breaker_pause);
                } else if !matches!(error, ProviderError::Paused { .. }) {
                    // It refuses, so it is there.
                    breaker.succeeded();
                }
                End::Failed(error)
            }
        };
        drop(breaker);
        answer.finish(end)
    }

    /// The names of the provider's models.
    pub async fn models(&self) -> Result<Vec<String>, ProviderError> {
        let response = self.get("models", true).await?;
        let text = self.body(response, MAX_LIST, self.0.options.stall_timeout).await?;
        models(&text).ok_or_else(|| self.wrong_url("what it answers is no list of models"))
    }

    /// Asks for the list of models and finds out whether the key counts. `key_check` is a path that answers only to a good
    /// key ([`ProviderPreset::key_check`]); without one, the list is asked for once more without the key.
    ///
    /// Tried once: a person is waiting, and can try again.
    ///
    /// [`ProviderPreset::key_check`]: pocketbench_domain::provider::ProviderPreset::key_check
    pub async fn verify(&self, key_check: Option<&str>) -> Result<Checked, ProviderError> {
        let begun = Instant::now();
        let models = self.models().await?;
        let took_ns = nanos(begun.elapsed());
        let key = match (self.0.endpoint.key(), key_check) {
            (None, _) => KeyCheck::None,
            (Some(_), Some(path)) => {
                let response = self.get(path, true).await?;
                let text = self.body(response, MAX_REFUSAL, REFUSAL_TIMEOUT).await?;
                if Chunk::read(&text).is_none() {
                    return Err(self.wrong_url("it does not say whether the key is good"));
                }
                KeyCheck::Accepted
            }
            (Some(_), None) => match self.get("models", false).await {
                Err(ProviderError::Unauthorized { .. }) => KeyCheck::Accepted,
                _ => KeyCheck::NotTested,
            },
        };
        lock(&self.0.breaker).succeeded();
        Ok(Checked { at: Utc::now(), models, key, took_ns })
    }

    fn admit(&self) -> Result<(), ProviderError> {
        let options = &self.0.options;
        let mut breaker = lock(&self.0.breaker);
        breaker
            .admit((options.clock.0)(), options.breaker_pause)
            .map_err(|wait| ProviderError::Paused { host: self.host(), wait })
    }

    /// Sends the request until it is answered, and reads the answer.
    async fn answer(
        &self,
        request: &ChatRequest,
        answer: &mut Answer<impl FnMut(Piece<'_>) + Send>,
    ) -> Result<(), ProviderError> {
        let (model, options) = (model_name(&request.model)?, &self.0.options);
        let request = ChatRequest { model: model.into(), ..request.clone() };
        let mut with_usage = true;
        let mut failures = 0;
        loop {
            let body = body(&request, with_usage).map_err(|error| ProviderError::Internal(error.to_string()))?;
            answer.begin_request();
            let error = match self.post(body, model, answer).await {
                Ok(response) => return self.read(response, model, answer).await,
                // Some servers stumble over what they do not know; without a count it works.
                Err(ProviderError::Refused { status: 400 | 422, said: Some(said), .. })
                    if with_usage && said.contains("stream_options") =>
                {
                    with_usage = false;
                    continue;
                }
                Err(error) => error,
            };
            failures += 1;
            let asked = error.retry_after();
            if !error.is_passing() || failures >= options.attempts || asked.is_some_and(|wait| wait > options.max_wait)
            {
                return Err(error);
            }
            let share = lock(&self.0.random).f64();
            let wait = asked.unwrap_or_default().max(backoff(options.backoff, failures, share));
            tracing::debug!(host = self.host(), %error, ?wait, "trying again");
            sleep(wait).await;
        }
    }

    /// Sends a request and waits for the head of its answer.
    async fn post(
        &self,
        body: Vec<u8>,
        model: &str,
        answer: &mut Answer<impl FnMut(Piece<'_>)>,
    ) -> Result<Response, ProviderError> {
        let request = self.0.client.post(self.0.endpoint.url("chat/completions"));
        let request =
            request.header(CONTENT_TYPE, "application/json").header(ACCEPT, "text/event-stream, application/json");
        let request = self.with_key(request, true).body(body);
        let due = answer.request_at + self.0.options.first_token_timeout;
        let response = match timeout_at(due.into(), request.send()).await {
            Ok(response) => response.map_err(|error| self.failed(error))?,
            Err(_) => return Err(self.timed_out(Wait::FirstToken, self.0.options.first_token_timeout)),
        };
        answer.timing.headers_ns = Some(nanos(answer.request_at.elapsed()));
        if response.status() == 200 { Ok(response) } else { Err(self.refusal(response, model).await) }
    }

    /// Reads an answer, whatever form it has.
    async fn read(
        &self,
        response: Response,
        model: &str,
        answer: &mut Answer<impl FnMut(Piece<'_>)>,
    ) -> Result<(), ProviderError> {
        match content_type(&response).as_str() {
            // Servers that say nothing mostly mean this.
            "text/event-stream" | "" => self.read_stream(response, model, answer).await,
            kind if is_json(kind) => {
                let text = self.body(response, self.0.options.max_body, self.0.options.first_token_timeout).await?;
                let chunk = Chunk::read(&text).ok_or_else(|| self.malformed("what it sends is no JSON object"))?;
                self.take(chunk, model, Instant::now(), answer)?;
                if answer.has_choice { Ok(()) } else { Err(self.malformed("there is no answer in what it sends")) }
            }
            "text/html" | "application/xhtml+xml" => Err(self.wrong_url("it answers with a web page")),
            other => Err(ProviderError::ContentType { host: self.host(), found: shorten(other) }),
        }
    }

    async fn read_stream(
        &self,
        mut response: Response,
        model: &str,
        answer: &mut Answer<impl FnMut(Piece<'_>)>,
    ) -> Result<(), ProviderError> {
        let options = &self.0.options;
        let mut sse = SseReader::new(SseLimits { line: options.max_line, event: options.max_line });
        let (mut bytes, mut events) = (0, Vec::new());
        loop {
            let (due, wait, waited) = answer.patience(options);
            let piece = match timeout_at(due.into(), response.chunk()).await {
                Ok(piece) => piece.map_err(|error| self.cut(error))?,
                Err(_) => return Err(self.timed_out(wait, waited)),
            };
            let at = Instant::now();
            let Some(piece) = piece else { break };
            bytes += piece.len();
            if bytes > options.max_body {
                return Err(self.too_large(format!("more than {} bytes", options.max_body)));
            }
            let read = sse.push(&piece, &mut events);
            // What was whole before something went wrong counts.
            for event in events.drain(..) {
                if event.trim() == "[DONE]" {
                    answer.end_at = Some(at);
                    let _ = tokio::time::timeout(TAIL_TIMEOUT, response.chunk()).await;
                    return answer.must_have_choice().map_err(|problem| self.malformed(problem));
                }
                let chunk =
                    Chunk::read(&event).ok_or_else(|| self.malformed("an event of its stream is no JSON object"))?;
                self.take(chunk, model, at, answer)?;
            }
            if read.is_err() {
                return Err(self.too_large(format!("a line or an event of more than {} bytes", options.max_line)));
            }
        }
        // The end without `[DONE]`. What is left may be whole but for its empty line, or half of something.
        if let Some(rest) = sse.finish()
            && rest.trim() != "[DONE]"
            && let Some(chunk) = Chunk::read(&rest)
        {
            self.take(chunk, model, Instant::now(), answer)?;
        }
        if answer.reply.finish.is_none() {
            let problem = "the stream ended before the answer did".into();
            return Err(ProviderError::Cut { host: self.host(), problem });
        }
        answer.must_have_choice().map_err(|problem| self.malformed(problem))
    }

    /// Adds what an event brought to the reply.
    fn take(
        &self,
        chunk: Chunk,
        model: &str,
        at: Instant,
        answer: &mut Answer<impl FnMut(Piece<'_>)>,
    ) -> Result<(), ProviderError> {
        let error = chunk.error.clone();
        let fits = answer.take(chunk, at, self.0.options.max_text);
        if let Some(said) = error {
            return Err(self.told(said.status.unwrap_or(500), &said, model, None));
        }
        if fits { Ok(()) } else { Err(self.too_large(format!("more than {} bytes of text", self.0.options.max_text))) }
    }

    /// Gets a path below the base URL. The answer is one that may be read.
    async fn get(&self, path: &str, key: bool) -> Result<Response, ProviderError> {
        let options = &self.0.options;
        let request = self.0.client.get(self.0.endpoint.url(path)).header(ACCEPT, "application/json");
        let due = Instant::now() + options.connect_timeout + options.stall_timeout;
        let response = match timeout_at(due.into(), self.with_key(request, key).send()).await {
            Ok(response) => response.map_err(|error| self.failed(error))?,
            Err(_) => return Err(self.timed_out(Wait::Whole, options.stall_timeout)),
        };
        if response.status() != 200 {
            return Err(self.refusal(response, "").await);
        }
        match content_type(&response).as_str() {
            "" => Ok(response),
            kind if is_json(kind) => Ok(response),
            "text/html" | "application/xhtml+xml" => Err(self.wrong_url("it answers with a web page")),
            other => Err(ProviderError::ContentType { host: self.host(), found: shorten(other) }),
        }
    }

    /// A whole body as text.
    async fn body(&self, mut response: Response, most: usize, patience: Duration) -> Result<String, ProviderError> {
        let due = Instant::now() + patience;
        let mut bytes = Vec::new();
        loop {
            match timeout_at(due.into(), response.chunk()).await {
                Err(_) => return Err(self.timed_out(Wait::Whole, patience)),
                Ok(Err(error)) => return Err(self.cut(error)),
                Ok(Ok(None)) => return Ok(String::from_utf8_lossy(&bytes).into_owned()),
                Ok(Ok(Some(piece))) if bytes.len() + piece.len() <= most => bytes.extend_from_slice(&piece),
                Ok(Ok(Some(_))) => return Err(self.too_large(format!("more than {most} bytes"))),
            }
        }
    }

    fn with_key(&self, request: RequestBuilder, key: bool) -> RequestBuilder {
        match self.0.endpoint.key().filter(|_| key).and_then(bearer) {
            Some(value) => request.header(AUTHORIZATION, value),
            None => request,
        }
    }

    /// What an answer means that is none.
    async fn refusal(&self, response: Response, model: &str) -> ProviderError {
        let status = response.status().as_u16();
        let text = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        if (300..400).contains(&status) {
            // Without its query, which may hold anything.
            let to = text(LOCATION).and_then(|to| Url::parse(self.0.endpoint.base_url()).ok()?.join(to).ok());
            let to = to.and_then(|to| Some(format!(" to {}", shorten(to.host_str()?)))).unwrap_or_default();
            return self.wrong_url(&format!("it redirects{to}, where neither key nor words are sent"));
        }
        let wait = text(RETRY_AFTER).and_then(|value| retry_after(value, text(DATE), Utc::now()));
        let page = matches!(content_type(&response).as_str(), "text/html" | "application/xhtml+xml");
        // Without its words the status must do.
        let words = self.body(response, MAX_REFUSAL, REFUSAL_TIMEOUT).await.unwrap_or_default();
        let said = serde_json::from_str(&words).ok().and_then(|value| Said::within(&value)).unwrap_or_default();
        if page && matches!(status, 400 | 404..=499) && !matches!(status, 402 | 407 | 408 | 429) {
            return self.wrong_url(&format!("it answers {status} with a web page"));
        }
        self.told(status, &said, model, wait)
    }

    /// What a status and the words with it mean.
    fn told(&self, status: u16, words: &Said, model: &str, retry_after: Option<Duration>) -> ProviderError {
        let (host, model) = (self.host(), model.to_owned());
        let said = words.message.as_deref().and_then(|message| presentable(message, self.key()));
        let no_quota =
            ["insufficient_quota", "insufficient_balance", "billing", "insufficient credit", "out of credits"];
        let too_long = [
            "context_length_exceeded",
            "exceed_context_size",
            "maximum context length",
            "context window",
            "context length",
            "available context size",
        ];
        let no_model = ["model_not_found", "invalid_model", "is not a valid model", "no such model"];
        match status {
            401 | 403 => ProviderError::Unauthorized { host, key_sent: self.key().is_some(), said },
            402 => ProviderError::QuotaExhausted { host, said },
            429 if words.mentions(&no_quota) => ProviderError::QuotaExhausted { host, said },
            429 => ProviderError::RateLimited { host, retry_after, said },
            407 => ProviderError::Unreachable { host, cause: "the proxy wants a name and a password".into() },
            413 => ProviderError::ContextTooLong { host, model, said },
            400 | 422 if words.mentions(&too_long) => ProviderError::ContextTooLong { host, model, said },
            400 | 404 | 422 if words.mentions(&no_model) => ProviderError::ModelUnknown { host, model, said },
            // Ollama and vLLM say in words alone that there is no such model.
            404 if words.mentions(&["model"]) => ProviderError::ModelUnknown { host, model, said },
            // Nobody answers a chat with a 2xx other than 200 or a 3xx.
            200..400 | 404 | 405 | 410 => self.wrong_url(&format!("it answers {status}")),
            408 | 500.. => ProviderError::ServerError { host, status: status.to_string(), retry_after, said },
            _ => ProviderError::Refused { host, status, said },
        }
    }

    /// What a request means that got no answer.
    fn failed(&self, error: reqwest::Error) -> ProviderError {
        let host = self.host();
        let (connect, error) = (error.is_connect(), error.without_url());
        let cause = causes(&error);
        if is_tls(&error) || cause.contains("tls handshake eof") {
            ProviderError::Tls { host, cause }
        } else if connect {
            ProviderError::Unreachable { host, cause }
        } else {
            // It may have arrived, and may be charged.
            ProviderError::Cut { host, problem: format!("the connection ended before the answer began ({cause})") }
        }
    }

    fn cut(&self, error: reqwest::Error) -> ProviderError {
        ProviderError::Cut { host: self.host(), problem: causes(&error.without_url()) }
    }

    fn timed_out(&self, wait: Wait, waited: Duration) -> ProviderError {
        ProviderError::Timeout { host: self.host(), wait, waited }
    }

    fn malformed(&self, problem: &str) -> ProviderError {
        ProviderError::Malformed { host: self.host(), problem: problem.into() }
    }

    fn wrong_url(&self, problem: &str) -> ProviderError {
        ProviderError::WrongUrl { host: self.host(), problem: problem.into() }
    }

    fn too_large(&self, what: String) -> ProviderError {
        ProviderError::TooLarge { host: self.host(), what }
    }

    fn host(&self) -> String {
        self.0.endpoint.host().to_owned()
    }

    fn key(&self) -> Option<&str> {
        self.0.endpoint.key().map(Secret::expose)
    }
}

/// A reply while it comes.
struct Answer<F> {
    reply: Reply,
    timing: AnswerTiming,
    on_piece: F,
    begun: Instant,
    request_at: Instant,
    last_piece_at: Option<Instant>,
    end_at: Option<Instant>,
    has_choice: bool,
}

impl<F: FnMut(Piece<'_>)> Answer<F> {
    fn new(begun: Instant, on_piece: F) -> Self {
        let reply = Reply {
            text: String::new(),
            reasoning: String::new(),
            finish: None,
            usage: None,
            model: None,
            timing: AnswerTiming::default(),
            requests: 0,
            end: End::Complete,
        };
        let timing = AnswerTiming::default();
        Self { reply, timing, on_piece, begun, request_at: begun, last_piece_at: None, end_at: None, has_choice: false }
    }

    fn begin_request(&mut self) {
        self.request_at = Instant::now();
        self.timing.earlier_ns = nanos(self.request_at - self.begun);
        self.timing.headers_ns = None;
        self.reply.requests += 1;
    }

    /// Until when the next piece must come, which wait that is, and how long it is.
    fn patience(&self, options: &ClientOptions) -> (Instant, Wait, Duration) {
        match self.last_piece_at {
            None => (self.request_at + options.first_token_timeout, Wait::FirstToken, options.first_token_timeout),
            Some(at) => (at + options.stall_timeout, Wait::Next, options.stall_timeout),
        }
    }

    /// Adds what came; says whether it fits.
    fn take(&mut self, chunk: Chunk, at: Instant, most: usize) -> bool {
        self.has_choice |= chunk.has_choice;
        let reply = &mut self.reply;
        reply.finish = chunk.finish.or(reply.finish.take());
        reply.usage = chunk.usage.or(reply.usage);
        reply.model = reply.model.take().or(chunk.model);
        if reply.text.len() + reply.reasoning.len() + chunk.text.len() + chunk.reasoning.len() > most {
            return false;
        }
        let pieces = [(chunk.reasoning, true), (chunk.text, false)];
        for (piece, reasoning) in pieces.into_iter().filter(|(piece, _)| !piece.is_empty()) {
            let at_ns = nanos(at - self.request_at);
            self.timing.first_token_ns.get_or_insert(at_ns);
            self.timing.delta_at_ns.push(at_ns);
            self.last_piece_at = Some(at);
            if reasoning {
                (self.on_piece)(Piece::Reasoning(&piece));
                reply.reasoning.push_str(&piece);
            } else {
                (self.on_piece)(Piece::Text(&piece));
                reply.text.push_str(&piece);
            }
        }
        true
    }

    /// A stream of objects without a single choice is another interface's.
    fn must_have_choice(&self) -> Result<(), &'static str> {
        if self.has_choice { Ok(()) } else { Err("there is no answer in its stream") }
    }

    fn finish(self, end: End) -> Reply {
        let end_at = self.end_at.unwrap_or_else(Instant::now);
        let timing = AnswerTiming { end_ns: nanos(end_at - self.request_at), ..self.timing };
        Reply { timing, end, ..self.reply }
    }
}

fn bearer(key: &Secret) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(&format!("Bearer {}", key.expose())).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn content_type(response: &Response) -> String {
    let value = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn is_json(kind: &str) -> bool {
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}

fn shorten(text: &str) -> String {
    text.escape_debug().take(80).collect()
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
