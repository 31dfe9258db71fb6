//! The protocol as lines, against the real server and a real model, and the client against peers that misbehave.

use pocketbench_domain::ErrorCode;
use pocketbench_domain::ErrorReport;
use pocketbench_domain::generate::{GenerateRequest, Limits, Prompt, Sampling, StopReason};
use pocketbench_domain::settings::EngineSettings;
use pocketbench_testkit::smollm2;
use pocketbench_worker::protocol::{Event, PROTOCOL_VERSION, Request};
use pocketbench_worker::server::{WhenClosed, serve};
use pocketbench_worker::{Launch, Worker, WorkerError};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, PipeReader, PipeWriter, Write};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A server on a thread, spoken to in raw lines.
struct Raw {
    input: Option<PipeWriter>,
    output: BufReader<PipeReader>,
    server: Option<std::thread::JoinHandle<()>>,
}

impl Raw {
    fn start() -> Self {
        let (request_reader, input) = std::io::pipe().unwrap();
        let (output, event_writer) = std::io::pipe().unwrap();
        let server = std::thread::spawn(move || {
            serve(BufReader::new(request_reader), event_writer, "0.0.0", WhenClosed::Return);
        });
        Self { input: Some(input), output: BufReader::new(output), server: Some(server) }
    }

    fn send(&mut self, line: &[u8]) {
        let input = self.input.as_mut().unwrap();
        input.write_all(line).unwrap();
        input.write_all(b"\n").unwrap();
    }

    fn receive(&mut self) -> Value {
        let mut line = String::new();
        assert!(self.output.read_line(&mut line).unwrap() > 0, "the server closed");
        serde_json::from_str(&line).unwrap()
    }

    /// Events until the request ends, that end last.
    fn until_end(&mut self, id: u64) -> Vec<Value> {
        let mut events = Vec::new();
        loop {
            let event = self.receive();
            let ends = event["id"] == id && (event["event"] == "done" || event["event"] == "error");
            events.push(event);
            if ends {
                return events;
            }
        }
    }

    fn close(mut self) {
        self.input = None;
        self.server.take().unwrap().join().unwrap();
    }
}

fn load_line(id: u64) -> Vec<u8> {
    let settings = EngineSettings::new(512, 2);
    json!({ "id": id, "request": "load", "path": smollm2(), "settings": settings }).to_string().into_bytes()
}

#[test]
fn nonsense_gets_an_error_event_and_the_server_goes_on() {
    let mut raw = Raw::start();
    for (line, id, code) in [
        (&b"not json"[..], 0, "WORKER_PROTOCOL"),
        (b"[1,2,3]", 0, "WORKER_PROTOCOL"),
        (b"{\"id\":7,\"request\":\"fly\"}", 7, "UNSUPPORTED_REQUEST"),
        (b"{\"id\":8,\"request\":\"load\"}", 8, "WORKER_PROTOCOL"),
        (b"{\"id\":-1,\"request\":\"hello\"}", 0, "WORKER_PROTOCOL"),
        (b"\xff\xfe\x00", 0, "WORKER_PROTOCOL"),
        (
            b"{\"id\":9,\"request\":\"generate\",\"prompt\":{\"raw\":\"x\"},\"limits\":{\"max_tokens\":1}}",
            9,
            "INVALID_INPUT",
        ),
    ] {
        raw.send(line);
        let event = raw.receive();
        assert_eq!((event["event"].as_str(), event["id"].as_u64()), (Some("error"), Some(id)), "{event}");
        assert_eq!(event["error"]["code"], code, "{event}");
    }
    let deep = vec![b'['; 100_000];
    raw.send(&deep);
    assert_eq!(raw.receive()["error"]["code"], "WORKER_PROTOCOL");
    raw.send(b"{\"id\":10,\"request\":\"hello\"}");
    let hello = raw.receive();
    assert_eq!(hello["reply"]["protocol"], PROTOCOL_VERSION);
    raw.close();
}

#[test]
fn every_request_ends_once_and_tokens_come_in_order() {
    let mut raw = Raw::start();
    raw.send(&load_line(1));
    let events = raw.until_end(1);
    assert_eq!(events.last().unwrap()["reply"]["reply"], "loaded", "{events:?}");
    assert!(events.iter().any(|event| event["event"] == "progress"));
    let request = json!({ "id": 2, "request": "generate", "prompt": { "raw": "One, two, three," },
        "limits": { "max_tokens": 6, "ignore_eos": true } });
    raw.send(request.to_string().as_bytes());
    let events = raw.until_end(2);
    let at: Vec<u64> = events.iter().filter(|e| e["event"] == "token").map(|e| e["at_ns"].as_u64().unwrap()).collect();
    assert_eq!(at.len(), 6);
    assert!(at.is_sorted());
    assert_eq!(events.last().unwrap()["reply"]["token_at_ns"], json!(at));
    raw.close();
}

#[test]
fn a_queued_request_can_be_cancelled_and_so_can_a_running_one() {
    let mut raw = Raw::start();
    raw.send(&load_line(1));
    raw.until_end(1);
    let long = |id| {
        json!({ "id": id, "request": "generate", "prompt": { "raw": "Once upon a time" },
            "limits": { "max_tokens": 450, "ignore_eos": true } })
        .to_string()
        .into_bytes()
    };
    raw.send(&long(2));
    raw.send(&long(3));
    raw.send(b"{\"id\":4,\"request\":\"cancel\",\"target\":3}");
    raw.send(b"{\"id\":5,\"request\":\"cancel\",\"target\":2}");
    let events = raw.until_end(3);
    // llama.cpp logs that it was interrupted, if that happened in the middle of a graph.
    let ended = |e: &&Value| e["id"] == 2 && e["event"] != "token" && e["event"] != "log";
    let running = events.iter().find(ended).unwrap();
    let stopped_early = running["reply"]["stop"] == "cancelled" || running["error"]["code"] == "CANCELLED";
    assert!(stopped_early, "{running}");
    assert_eq!(events.last().unwrap()["error"]["code"], "CANCELLED");
    raw.close();
}

#[test]
fn a_client_that_goes_away_in_mid_answer_ends_the_server() {
    let mut raw = Raw::start();
    raw.send(&load_line(1));
    raw.until_end(1);
    let request = json!({ "id": 2, "request": "generate", "prompt": { "raw": "Once" },
        "limits": { "max_tokens": 450, "ignore_eos": true } });
    raw.send(request.to_string().as_bytes());
    raw.receive();
    // Joins the server's thread: hangs if the answer were generated to its end into a full pipe.
    raw.close();
}

fn script(text: &str) -> Launch {
    Launch::Child { program: "/bin/sh".into(), args: vec!["-c".into(), text.into()] }
}

async fn start(text: &str) -> WorkerError {
    Worker::start_within(&script(text), Duration::from_millis(500)).await.unwrap_err()
}

#[tokio::test]
async fn peers_that_misbehave_get_their_own_errors() {
    assert!(
        matches!(start("echo hello there; sleep 5").await, WorkerError::Protocol { said } if said == "hello there")
    );
    assert!(matches!(start("sleep 5").await, WorkerError::Silent { .. }));
    assert!(matches!(start("exec >&-; sleep 5").await, WorkerError::Exited(_) | WorkerError::Silent { .. }));
    let WorkerError::Exited(exit) = start("echo 'GGML_ASSERT(false) failed' >&2; exit 3").await else { panic!() };
    assert_eq!((exit.code, exit.signal), (Some(3), None));
    assert_eq!(exit.stderr, ["GGML_ASSERT(false) failed"]);
    let WorkerError::Exited(exit) = start("kill -9 $$").await else { panic!() };
    assert_eq!(exit.signal, Some(9));
    let missing = Launch::Child { program: "/nowhere/worker".into(), args: Vec::new() };
    assert!(matches!(Worker::start(&missing).await, Err(WorkerError::Start(_))));
    let old = format!(
        "echo '{}'; sleep 5",
        json!({ "id": 1, "event": "done", "reply": { "reply": "hello", "protocol": 999, "app_version": "9",
            "bindings_version": "", "cpu_variant": "", "system_info": "", "backends": [], "pid": 1 } })
    );
    assert!(matches!(start(&old).await, WorkerError::Protocol { .. }));
    for error in [start("sleep 5").await, start("kill -9 $$").await, start("echo x").await] {
        let report: ErrorReport = error.into();
        assert!(report.hint.is_some(), "{report:?}");
    }
}

fn request(max_tokens: u32) -> GenerateRequest {
    GenerateRequest {
        prompt: Prompt::Raw("Once upon a time".into()),
        sampling: Sampling::default(),
        limits: Limits { max_tokens, stop: Vec::new(), ignore_eos: true },
        reuse_prefix: false,
    }
}

#[tokio::test]
async fn the_in_process_transport_speaks_the_same_protocol() {
    let cancel = CancellationToken::new();
    let mut worker = Worker::start(&Launch::InProcess).await.unwrap();
    assert_eq!(worker.pid(), None);
    let loaded = worker.load(&smollm2(), &EngineSettings::new(512, 2), &cancel, |_| ()).await.unwrap();
    assert!(loaded.load_ns > 0);
    let mut tokens = 0;
    let generation = worker
        .generate(request(8), &cancel, |event| tokens += u32::from(matches!(event, Event::Token { .. })))
        .await
        .unwrap();
    assert_eq!((generation.generated_tokens, tokens), (8, 8));

    let stopper = cancel.clone();
    let mut heard = 0;
    let stopped = worker
        .generate(request(450), &cancel, |_| {
            heard += 1;
            if heard == 3 {
                stopper.cancel();
            }
        })
        .await;
    match stopped {
        Ok(generation) => assert_eq!(generation.stop, StopReason::Cancelled),
        Err(error) => assert!(matches!(error, WorkerError::Cancelled), "{error}"),
    }
    let unknown = worker.load("/nowhere.gguf", &EngineSettings::new(512, 2), &CancellationToken::new(), |_| ()).await;
    assert!(matches!(unknown, Err(WorkerError::Refused(report)) if report.code == ErrorCode::ModelFileNotFound));
    let reply = worker.ask_within(Request::Unload, &CancellationToken::new(), Duration::from_secs(5), |_| ()).await;
    assert!(reply.is_ok());
    worker.shutdown().await;
}
