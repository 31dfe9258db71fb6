//! The client's side of the protocol: starts a worker, asks, listens, stops, and tells how a worker died.

use crate::lines::{Line, read_line};
use crate::protocol::{Event, EventLine, MAX_LINE_BYTES, PROTOCOL_VERSION, Reply, Request, RequestLine};
use crate::server::{WhenClosed, serve};
use pocketbench_domain::generate::{
    BatchGeneration, BatchRequest, EngineInfo, GenerateRequest, Generation, Loaded, Prompt, SavedState, Synthetic,
    SyntheticRequest,
};
use pocketbench_domain::settings::EngineSettings;
use pocketbench_domain::{ErrorCode, ErrorReport};
use serde_json::json;
use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_util::sync::CancellationToken;

/// How long a worker may take to say hello.
pub const HELLO_LIMIT: Duration = Duration::from_secs(30);
/// How long a worker may be silent during any other request. A long prefill on a slow phone says nothing for minutes.
pub const SILENCE_LIMIT: Duration = Duration::from_mins(10);
/// How long a cancelled worker may take to stop before it is killed: *Stop* works within a second.
pub const CANCEL_LIMIT: Duration = Duration::from_millis(800);

/// How to start a worker.
#[derive(Debug, Clone)]
pub enum Launch {
    /// As a child process that speaks over its standard input and output; `adb shell …` is one, too.
    Child {
        /// The program.
        program: PathBuf,
        /// Its arguments.
        args: Vec<OsString>,
    },
    /// On threads of this process, where the system allows no child. A crash takes everything with it, and memory figures
    /// are those of the whole process.
    InProcess,
}

/// How a worker process ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exit {
    /// Exit code, if it ended by itself.
    pub code: Option<i32>,
    /// Signal, if one ended it.
    pub signal: Option<i32>,
    /// The last lines it wrote to standard error.
    pub stderr: Vec<String>,
}

impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.code, self.signal) {
            (_, Some(signal)) => write!(f, "signal {signal}"),
            (Some(code), _) => write!(f, "exit code {code}"),
            (None, None) => f.write_str("unknown status"),
        }
    }
}

/// Why a worker gave no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum WorkerError {
    /// The process could not be started.
    #[error("the worker could not be started: {0}")]
    Start(String),
    /// The process ended.
    #[error("the worker ended unexpectedly ({0})")]
    Exited(Exit),
    /// It said something that is not the protocol.
    #[error("the worker answered something that is not the protocol")]
    Protocol {
        /// The beginning of what it said.
        said: String,
    },
    /// It said nothing for too long.
    #[error("the worker did not answer for {} s", .after.as_secs())]
    Silent {
        /// How long it was silent.
        after: Duration,
    },
    /// The request was cancelled.
    #[error("stopped")]
    Cancelled,
    /// It answered with an error.
    #[error(transparent)]
    Refused(#[from] ErrorReport),
}

impl From<WorkerError> for ErrorReport {
    fn from(error: WorkerError) -> Self {
        let message = error.to_string();
        match error {
            WorkerError::Start(_) => Self::new(ErrorCode::WorkerStartFailed, message)
                .hint("Reinstall Pocketbench, or check that its executable may be run."),
            WorkerError::Exited(exit) => Self::new(ErrorCode::WorkerCrashed, message)
                .hint("What was measured before is kept. Try a smaller model or context, or report the details.")
                .details(json!({ "code": exit.code, "signal": exit.signal, "stderr": exit.stderr })),
            WorkerError::Protocol { said } => Self::new(ErrorCode::WorkerProtocol, message)
                .hint("App and worker may be of different versions: reinstall Pocketbench.")
                .details(json!({ "said": said })),
            WorkerError::Silent { .. } => Self::new(ErrorCode::WorkerNotResponding, message)
                .hint("The model may be too slow for this device: try a smaller one."),
            WorkerError::Cancelled => Self::new(ErrorCode::Cancelled, message),
            WorkerError::Refused(report) => report,
        }
    }
}

enum Incoming {
    Event(EventLine),
    Garbage(String),
}

/// A running worker.
pub struct Worker {
    child: Option<Child>,
    input: Option<Box<dyn Write + Send>>,
    events: UnboundedReceiver<Incoming>,
    stderr: Arc<Mutex<VecDeque<String>>>,
    next_id: u64,
    spawned_at: Instant,
    info: Option<EngineInfo>,
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker").field("pid", &self.pid()).finish_non_exhaustive()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            child.kill().ok();
            child.wait().ok();
        }
    }
}

impl Worker {
    /// Starts a worker and waits for its hello.
    pub async fn start(launch: &Launch) -> Result<Self, WorkerError> {
        Self::start_within(launch, HELLO_LIMIT).await
    }

    /// As [`Worker::start`], with another limit for the hello.
    pub async fn start_within(launch: &Launch, limit: Duration) -> Result<Self, WorkerError> {
        let mut worker = Self::spawn(launch)?;
        match worker.ask_within(Request::Hello, &CancellationToken::new(), limit, |_| ()).await? {
            Reply::Hello(info) if info.protocol == PROTOCOL_VERSION => {
                worker.info = Some(info);
                Ok(worker)
            }
            other => Err(unexpected(&other)),
        }
    }

    fn spawn(launch: &Launch) -> Result<Self, WorkerError> {
        let start = |error: std::io::Error| WorkerError::Start(error.to_string());
        let (sender, events) = unbounded_channel();
        let stderr = Arc::new(Mutex::new(VecDeque::new()));
        let spawned_at = Instant::now();
        let (child, input): (_, Box<dyn Write + Send>) = match launch {
            Launch::Child { program, args } => {
                let mut child = Command::new(program)
                    .args(args)
                    .stdin(Stdio::piped())
                    .stdout(Stdio::piped())
                    .stderr(Stdio::piped())
                    .spawn()
                    .map_err(|error| WorkerError::Start(format!("{}: {error}", program.display())))?;
                let output = child.stdout.take().ok_or_else(|| WorkerError::Start("no output".into()))?;
                let errors = child.stderr.take().ok_or_else(|| WorkerError::Start("no error output".into()))?;
                let input = child.stdin.take().ok_or_else(|| WorkerError::Start("no input".into()))?;
                std::thread::spawn(move || listen(output, &sender));
                let tail = Arc::clone(&stderr);
                std::thread::spawn(move || keep_tail(errors, &tail));
                (Some(child), Box::new(input))
            }
            Launch::InProcess => {
                let (request_reader, request_writer) = std::io::pipe().map_err(start)?;
                let (event_reader, event_writer) = std::io::pipe().map_err(start)?;
                std::thread::spawn(move || listen(event_reader, &sender));
                std::thread::spawn(move || {
                    let version = env!("CARGO_PKG_VERSION");
                    serve(BufReader::new(request_reader), event_writer, version, WhenClosed::Return);
                });
                (None, Box::new(request_writer))
            }
        };
        Ok(Self { child, input: Some(input), events, stderr, next_id: 0, spawned_at, info: None })
    }

    /// Its process; `None` if it shares this one.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// When its process was started.
    #[must_use]
    pub fn spawned_at(&self) -> Instant {
        self.spawned_at
    }

    /// The engine's account of itself.
    #[must_use]
    pub fn info(&self) -> Option<&EngineInfo> {
        self.info.as_ref()
    }

    /// Loads a model; `progress` hears shares from 0 to 1.
    pub async fn load(
        &mut self,
        path: &str,
        settings: &EngineSettings,
        cancel: &CancellationToken,
        mut progress: impl FnMut(f32),
    ) -> Result<Loaded, WorkerError> {
        let request = Request::Load { path: path.to_owned(), settings: settings.clone() };
        let reply = self
            .ask(request, cancel, |event| {
                if let Event::Progress { done } = event {
                    progress(done);
                }
            })
            .await?;
        if let Reply::Loaded(loaded) = reply { Ok(loaded) } else { Err(unexpected(&reply)) }
    }

    /// Generates from one prompt; `on_event` hears every token.
    pub async fn generate(
        &mut self,
        request: GenerateRequest,
        cancel: &CancellationToken,
        on_event: impl FnMut(Event),
    ) -> Result<Generation, WorkerError> {
        let reply = self.ask(Request::Generate(request), cancel, on_event).await?;
        if let Reply::Generation(generation) = reply { Ok(generation) } else { Err(unexpected(&reply)) }
    }

    /// Generates from several prompts; `on_event` hears every token.
    pub async fn generate_batch(
        &mut self,
        request: BatchRequest,
        cancel: &CancellationToken,
        on_event: impl FnMut(Event),
    ) -> Result<BatchGeneration, WorkerError> {
        let reply = self.ask(Request::GenerateBatch(request), cancel, on_event).await?;
        if let Reply::Batch(batch) = reply { Ok(batch) } else { Err(unexpected(&reply)) }
    }

    /// Runs a synthetic test.
    pub async fn synthetic(
        &mut self,
        request: SyntheticRequest,
        cancel: &CancellationToken,
    ) -> Result<Synthetic, WorkerError> {
        let reply = self.ask(Request::Synthetic(request), cancel, |_| ()).await?;
        if let Reply::Synthetic(synthetic) = reply { Ok(synthetic) } else { Err(unexpected(&reply)) }
    }

    /// Tokens of each prompt, chat template included.
    pub async fn count(&mut self, prompts: Vec<Prompt>, cancel: &CancellationToken) -> Result<Vec<u32>, WorkerError> {
        let reply = self.ask(Request::Count { prompts }, cancel, |_| ()).await?;
        if let Reply::Counts { tokens } = reply { Ok(tokens) } else { Err(unexpected(&reply)) }
    }

    /// Writes the KV cache of the last answer to a file.
    pub async fn save_state(&mut self, path: &Path) -> Result<SavedState, WorkerError> {
        let request = Request::SaveState { path: path.display().to_string() };
        let reply = self.ask(request, &CancellationToken::new(), |_| ()).await?;
        if let Reply::Saved(saved) = reply { Ok(saved) } else { Err(unexpected(&reply)) }
    }

    /// Reads it back; the next prompt with `reuse_prefix` goes on from there.
    pub async fn restore_state(&mut self, path: &Path, saved: SavedState) -> Result<(), WorkerError> {
        let request = Request::RestoreState { path: path.display().to_string(), saved };
        let reply = self.ask(request, &CancellationToken::new(), |_| ()).await?;
        if reply == Reply::Ok { Ok(()) } else { Err(unexpected(&reply)) }
    }

    async fn ask(
        &mut self,
        request: Request,
        cancel: &CancellationToken,
        on_event: impl FnMut(Event),
    ) -> Result<Reply, WorkerError> {
        self.ask_within(request, cancel, SILENCE_LIMIT, on_event).await
    }

    /// Sends a request and listens until it ends. A raised `cancel` is passed on; a worker that does not stop in time, is
    /// silent for longer than `silence`, or talks nonsense is killed.
    pub async fn ask_within(
        &mut self,
        request: Request,
        cancel: &CancellationToken,
        silence: Duration,
        mut on_event: impl FnMut(Event),
    ) -> Result<Reply, WorkerError> {
        let id = self.send(request).await?;
        let mut deadline = tokio::time::Instant::now() + silence;
        let mut cancelling = false;
        loop {
            let incoming = tokio::select! {
                biased;
                () = cancel.cancelled(), if !cancelling => {
                    cancelling = true;
                    deadline = tokio::time::Instant::now() + CANCEL_LIMIT;
                    self.send(Request::Cancel { target: id }).await?;
                    continue;
                }
                incoming = self.events.recv() => incoming,
                () = tokio::time::sleep_until(deadline) => {
                    self.kill();
                    return Err(if cancelling { WorkerError::Cancelled } else { WorkerError::Silent { after: silence } });
                }
            };
            match incoming {
                None => return Err(self.exited(cancelling).await),
                Some(Incoming::Garbage(said)) => {
                    self.kill();
                    return Err(WorkerError::Protocol { said });
                }
                Some(Incoming::Event(line)) if line.id == id => match line.event {
                    Event::Done { reply } => return Ok(reply),
                    Event::Error { error } if error.code == ErrorCode::Cancelled => return Err(WorkerError::Cancelled),
                    Event::Error { error } => return Err(WorkerError::Refused(error)),
                    event => {
                        if !cancelling {
                            deadline = tokio::time::Instant::now() + silence;
                        }
                        on_event(event);
                    }
                },
                // The worker could not read our line.
                Some(Incoming::Event(EventLine { id: 0, event: Event::Error { error } })) => {
                    return Err(WorkerError::Refused(error));
                }
                // The answer to `cancel`, or the end of an earlier request.
                Some(Incoming::Event(_)) => {}
            }
        }
    }

    async fn send(&mut self, request: Request) -> Result<u64, WorkerError> {
        self.next_id += 1;
        let line = RequestLine { id: self.next_id, request };
        let mut bytes = serde_json::to_vec(&line).map_err(|e| WorkerError::Protocol { said: e.to_string() })?;
        bytes.push(b'\n');
        let sent =
            self.input.as_mut().is_some_and(|input| input.write_all(&bytes).and_then(|()| input.flush()).is_ok());
        if sent { Ok(self.next_id) } else { Err(self.exited(false).await) }
    }

    fn kill(&mut self) {
        self.input = None;
        if let Some(child) = &mut self.child {
            child.kill().ok();
        }
    }

    /// The worker has closed its output: how did it end?
    async fn exited(&mut self, cancelling: bool) -> WorkerError {
        if cancelling {
            return WorkerError::Cancelled;
        }
        let mut exit = Exit { code: None, signal: None, stderr: Vec::new() };
        if let Some(child) = &mut self.child {
            // A process closes its output a little before it can be waited for.
            for _ in 0..100 {
                if let Ok(Some(status)) = child.try_wait() {
                    exit.code = status.code();
                    #[cfg(unix)]
                    {
                        exit.signal = std::os::unix::process::ExitStatusExt::signal(&status);
                    }
                    break;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            // What it said last may still be on its way: the thread that reads it lets go of it at its end. A process that
            // it left behind could hold the pipe open for ever.
            for _ in 0..100 {
                if Arc::strong_count(&self.stderr) == 1 {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        exit.stderr = self.stderr.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect();
        WorkerError::Exited(exit)
    }

    /// Ends the worker in good order.
    pub async fn shutdown(mut self) {
        let cancel = CancellationToken::new();
        self.ask_within(Request::Shutdown, &cancel, CANCEL_LIMIT, |_| ()).await.ok();
    }
}

fn unexpected(reply: &Reply) -> WorkerError {
    WorkerError::Protocol { said: format!("{reply:?}").chars().take(200).collect() }
}

fn listen(output: impl Read, events: &UnboundedSender<Incoming>) {
    let mut output = BufReader::new(output);
    loop {
        let incoming = match read_line(&mut output, MAX_LINE_BYTES) {
            Err(_) | Ok(Line::Closed) => return,
            Ok(Line::TooLong) => Incoming::Garbage(format!("a line longer than {MAX_LINE_BYTES} bytes")),
            Ok(Line::Text(line)) => match serde_json::from_slice(&line) {
                Ok(event) => Incoming::Event(event),
                Err(_) => Incoming::Garbage(String::from_utf8_lossy(&line[..line.len().min(200)]).into_owned()),
            },
        };
        if events.send(incoming).is_err() {
            return;
        }
    }
}

fn keep_tail(errors: impl Read, tail: &Mutex<VecDeque<String>>) {
    const KEPT: usize = 20;
    const LONGEST: usize = 4096;
    let mut errors = BufReader::new(errors);
    while let Ok(Line::Text(line)) = read_line(&mut errors, LONGEST) {
        let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
        if tail.len() == KEPT {
            tail.pop_front();
        }
        tail.push_back(String::from_utf8_lossy(&line).into_owned());
    }
}
