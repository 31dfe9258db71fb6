//! The worker's side of the protocol: one thread reads requests, one owns model and context, one writes events, so that
//! neither a slow reader nor a busy parent ever holds up the engine.

use crate::lines::{Line, read_line};
use crate::protocol::{Event, EventLine, MAX_LINE_BYTES, PROTOCOL_VERSION, Reply, Request, RequestLine};
use pocketbench_domain::generate::EngineInfo;
use pocketbench_domain::{ErrorCode, ErrorReport};
use pocketbench_engine::{CancelFlag, Engine, EngineError, LoadedModel, log};
use std::collections::HashSet;
use std::io::{BufRead, Write};
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

/// Which request runs and which were cancelled before they could.
#[derive(Default)]
struct Queue {
    running: Option<u64>,
    cancelled: HashSet<u64>,
}

struct Shared {
    queue: Mutex<Queue>,
    cancel: CancelFlag,
}

impl Shared {
    fn queue(&self) -> std::sync::MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stop(&self, target: u64) {
        let mut queue = self.queue();
        if queue.running == Some(target) {
            self.cancel.store(true, Ordering::Relaxed);
        } else {
            queue.cancelled.insert(target);
        }
    }

    /// Makes the request the running one, unless it was cancelled while it waited.
    fn begin(&self, id: u64) -> bool {
        let mut queue = self.queue();
        if queue.cancelled.remove(&id) {
            return false;
        }
        queue.running = Some(id);
        self.cancel.store(false, Ordering::Relaxed);
        true
    }

    fn end(&self) {
        self.queue().running = None;
    }
}

/// What to do when the client is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenClosed {
    /// End the process at once, in the middle of whatever runs: a worker never outlives its parent.
    Exit,
    /// Stop what runs and return: the worker shares its process.
    Return,
}

/// Serves requests until the client closes or asks for a shutdown.
pub fn serve(mut input: impl BufRead, output: impl Write + Send + 'static, app_version: &str, when_closed: WhenClosed) {
    let (events, to_write) = channel::<EventLine>();
    let (requests, to_do) = channel::<RequestLine>();
    let shared = Arc::new(Shared { queue: Mutex::default(), cancel: CancelFlag::default() });

    let writer = std::thread::spawn(move || write_events(output, &to_write));
    let engine = {
        let (events, shared, version) = (events.clone(), Arc::clone(&shared), app_version.to_owned());
        std::thread::spawn(move || run_requests(&to_do, &events, &shared, &version))
    };

    let fail = |id, code, message: String| {
        let error = ErrorReport::new(code, message);
        // A closed channel means that the writer is gone and nobody listens any more.
        events.send(EventLine { id, event: Event::Error { error } }).ok();
    };
    let closed = loop {
        match read_line(&mut input, MAX_LINE_BYTES) {
            Err(_) | Ok(Line::Closed) => break true,
            Ok(Line::TooLong) => {
                fail(0, ErrorCode::WorkerProtocol, format!("a line is longer than {MAX_LINE_BYTES} bytes"));
            }
            Ok(Line::Text(line)) if line.iter().all(u8::is_ascii_whitespace) => {}
            Ok(Line::Text(line)) => match parse(&line) {
                Err((id, code, message)) => fail(id, code, message),
                Ok(RequestLine { id, request: Request::Cancel { target } }) => {
                    shared.stop(target);
                    events.send(EventLine { id, event: Event::Done { reply: Reply::Ok } }).ok();
                }
                Ok(RequestLine { id, request: Request::Shutdown }) => {
                    events.send(EventLine { id, event: Event::Done { reply: Reply::Ok } }).ok();
                    break false;
                }
                Ok(line) => {
                    requests.send(line).ok();
                }
            },
        }
    };
    if closed && when_closed == WhenClosed::Exit {
        std::process::exit(0);
    }
    shared.cancel.store(true, Ordering::Relaxed);
    drop(requests);
    drop(events);
    engine.join().ok();
    writer.join().ok();
}

/// A request, or the id (0 if unknown) with which to refuse the line.
fn parse(line: &[u8]) -> Result<RequestLine, (u64, ErrorCode, String)> {
    serde_json::from_slice(line).map_err(|error| {
        let value: Option<serde_json::Value> = serde_json::from_slice(line).ok();
        let id = value.as_ref().and_then(|v| v.get("id")).and_then(serde_json::Value::as_u64);
        let named = value.as_ref().and_then(|v| v.get("request")).and_then(serde_json::Value::as_str);
        let code = if id.is_some() && named.is_some() && error.to_string().starts_with("unknown variant") {
            ErrorCode::UnsupportedRequest
        } else {
            ErrorCode::WorkerProtocol
        };
        (id.unwrap_or(0), code, format!("the line is not a request: {error}"))
    })
}

fn write_events(mut output: impl Write, events: &Receiver<EventLine>) {
    let mut buffer = Vec::with_capacity(4096);
    while let Ok(event) = events.recv() {
        buffer.clear();
        // Whatever has gathered meanwhile goes out in the same write.
        for event in std::iter::once(event).chain(events.try_iter()) {
            if serde_json::to_writer(&mut buffer, &event).is_ok() {
                buffer.push(b'\n');
            }
        }
        if output.write_all(&buffer).and_then(|()| output.flush()).is_err() {
            return;
        }
    }
}

fn run_requests(requests: &Receiver<RequestLine>, events: &Sender<EventLine>, shared: &Shared, version: &str) {
    let mut model: Option<LoadedModel> = None;
    while let Ok(RequestLine { id, request }) = requests.recv() {
        let emit = |event| {
            events.send(EventLine { id, event }).ok();
        };
        if !shared.begin(id) {
            emit(Event::Error { error: EngineError::Cancelled.into() });
            continue;
        }
        let mark = log::mark();
        let outcome = run(request, &mut model, &shared.cancel, version, &emit);
        shared.end();
        for message in log::since(mark, log::Level::Warn) {
            emit(Event::Log { message });
        }
        emit(match outcome {
            Ok(reply) => Event::Done { reply },
            Err(error) => Event::Error { error },
        });
    }
}

fn run(
    request: Request,
    model: &mut Option<LoadedModel>,
    cancel: &CancelFlag,
    version: &str,
    emit: &impl Fn(Event),
) -> Result<Reply, ErrorReport> {
    match request {
        Request::Hello => hello(version),
        Request::Load { path, settings } => {
            // Two models at once would spoil the memory figures of both.
            *model = None;
            let mut last = 0.0;
            let loaded = Engine::get()?.load(&path, &settings, cancel, |done| {
                if done - last >= 0.01 || done >= 1.0 {
                    last = done;
                    emit(Event::Progress { done });
                }
            })?;
            Ok(Reply::Loaded(model.insert(loaded).loaded().clone()))
        }
        Request::Unload => {
            *model = None;
            Ok(Reply::Ok)
        }
        Request::Generate(request) => {
            let generation = needed(model)?
                .generate(&request, |text, at_ns| emit(Event::Token { text: text.to_owned(), at_ns, sequence: 0 }))?;
            Ok(Reply::Generation(generation))
        }
        Request::GenerateBatch(request) => {
            let batch = needed(model)?.generate_batch(&request, |sequence, text, at_ns| {
                let sequence = u32::try_from(sequence).unwrap_or(u32::MAX);
                emit(Event::Token { text: text.to_owned(), at_ns, sequence });
            })?;
            Ok(Reply::Batch(batch))
        }
        Request::Synthetic(request) => Ok(Reply::Synthetic(needed(model)?.synthetic(request)?)),
        Request::Count { prompts } => Ok(Reply::Counts { tokens: needed(model)?.count(&prompts)? }),
        Request::SaveState { path } => Ok(Reply::Saved(needed(model)?.save_state(Path::new(&path))?)),
        Request::RestoreState { path, saved } => {
            needed(model)?.restore_state(Path::new(&path), &saved)?;
            Ok(Reply::Ok)
        }
        // The reading thread answers these itself.
        Request::Cancel { .. } | Request::Shutdown => Ok(Reply::Ok),
    }
}

fn needed(model: &mut Option<LoadedModel>) -> Result<&mut LoadedModel, ErrorReport> {
    model.as_mut().ok_or_else(|| ErrorReport::new(ErrorCode::InvalidInput, "no model is loaded"))
}

fn hello(version: &str) -> Result<Reply, ErrorReport> {
    let engine = Engine::get()?;
    Ok(Reply::Hello(EngineInfo {
        protocol: PROTOCOL_VERSION,
        app_version: version.to_owned(),
        bindings_version: pocketbench_engine::BINDINGS_VERSION.to_owned(),
        cpu_variant: engine.cpu_variant().to_owned(),
        system_info: engine.system_info().to_owned(),
        backends: engine.backends().to_vec(),
        pid: std::process::id(),
    }))
}
