//! The balloon beside a worker, seen from its parent, and the guard that ends a worker before the machine has no memory
//! left.

use pocketbench_device::{self as device, BalloonOrder, BalloonState, LEAST_AVAILABLE_BYTES};
use pocketbench_domain::device::Pressed;
use pocketbench_domain::format::bytes;
use pocketbench_domain::{ErrorCode, ErrorReport};
use pocketbench_worker::Launch;
use serde_json::json;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Argument behind those of the worker with which its executable is a balloon instead.
pub const BALLOON_ARGUMENT: &str = "--balloon";

/// How long a balloon may take to leave as much as was asked for: other programs may come and go meanwhile.
const SETTLE_LIMIT: Duration = Duration::from_mins(3);

/// A balloon at work. Its memory is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Balloon {
    child: Child,
    input: Option<ChildStdin>,
    states: watch::Receiver<Option<BalloonState>>,
    order: BalloonOrder,
}

impl Drop for Balloon {
    fn drop(&mut self) {
        self.input = None;
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn unsupported(why: &str) -> ErrorReport {
    ErrorReport::new(ErrorCode::UnsupportedRequest, format!("memory pressure cannot be measured here: {why}"))
        .hint("Everything else can be measured on this system.")
}

fn burst(leave_free_bytes: u64) -> ErrorReport {
    let left = bytes(leave_free_bytes as f64);
    ErrorReport::new(ErrorCode::MeasurementInterrupted, format!("the balloon that left {left} free ended"))
        .hint("The system may have ended it for its size. Close other programs and measure this again.")
}

impl Balloon {
    /// Starts a balloon and waits until it leaves as much as was asked for.
    ///
    /// # Errors
    /// `UnsupportedRequest` where a balloon would prove nothing, `NotEnoughMemory` if less is free already, `Cancelled`.
    pub(crate) async fn inflate(
        launch: &Launch,
        leave_free_bytes: u64,
        cancel: &CancellationToken,
    ) -> Result<Self, ErrorReport> {
        let Launch::Child { program, args } = launch else {
            return Err(unsupported("the model runs inside the app, so the app would be ended with it"));
        };
        let own = device::process_memory(std::process::id());
        if own.and_then(|memory| memory.anonymous_bytes).is_none() || device::ram_available().is_none() {
            return Err(unsupported("the system does not tell which memory of a process belongs to no file"));
        }
        let start = |error: String| ErrorReport::new(ErrorCode::WorkerStartFailed, format!("the balloon: {error}"));
        let mut child = Command::new(program)
            .args(args)
            .arg(BALLOON_ARGUMENT)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| start(error.to_string()))?;
        let output = child.stdout.take().ok_or_else(|| start("no output".into()))?;
        let input = child.stdin.take();
        let (sender, states) = watch::channel(None);
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines() {
                // A balloon that talks nonsense is none; nobody listens to it any more.
                let Some(state) = line.ok().and_then(|line| serde_json::from_str(&line).ok()) else { return };
                if sender.send(Some(state)).is_err() {
                    return;
                }
            }
        });
        let order = BalloonOrder { leave_free_bytes, worker: None };
        let mut balloon = Self { child, input, states, order };
        balloon.send(order)?;
        balloon.settle(cancel).await?;
        Ok(balloon)
    }

    fn send(&mut self, order: BalloonOrder) -> Result<(), ErrorReport> {
        self.order = order;
        let line = serde_json::to_string(&order).unwrap_or_default() + "\n";
        let sent = self.input.as_mut().is_some_and(|input| input.write_all(line.as_bytes()).is_ok());
        if sent { Ok(()) } else { Err(burst(order.leave_free_bytes)) }
    }

    /// Leaves what this process takes to it.
    pub(crate) fn make_room_for(&mut self, worker: u32) -> Result<(), ErrorReport> {
        self.send(BalloonOrder { worker: Some(worker), ..self.order })
    }

    /// Waits until as much is left as was asked for, over two looks.
    pub(crate) async fn settle(&mut self, cancel: &CancellationToken) -> Result<(), ErrorReport> {
        let leave = self.order.leave_free_bytes;
        let mut settled = 0;
        let mut short = 0;
        let wait = async {
            while settled < 2 {
                if self.states.changed().await.is_err() {
                    return Err(burst(leave));
                }
                let Some(state) = *self.states.borrow_and_update() else { continue };
                settled = if state.settled { settled + 1 } else { 0 };
                short = if state.short { short + 1 } else { 0 };
                if short > 8 {
                    let [asked, left] = [leave, state.left_bytes].map(|n| bytes(n as f64));
                    let message = format!("{asked} were to be left free, and only {left} are");
                    return Err(ErrorReport::new(ErrorCode::NotEnoughMemory, message)
                        .hint("Close other programs, or ask for less to be left free."));
                }
            }
            Ok(())
        };
        tokio::select! {
            outcome = wait => outcome,
            () = cancel.cancelled() => Err(ErrorReport::new(ErrorCode::Cancelled, "stopped")),
            () = tokio::time::sleep(SETTLE_LIMIT) => {
                let left = bytes(leave as f64);
                let message = format!("other programs change too much for {left} to be left free");
                Err(ErrorReport::new(ErrorCode::NotEnoughMemory, message).hint("Close other programs."))
            }
        }
    }

    /// How it stands.
    pub(crate) fn pressed(&self) -> Option<Pressed> {
        let state = *self.states.borrow();
        state.map(|state| Pressed { balloon_bytes: state.held_bytes, left_bytes: state.left_bytes })
    }

    /// Watches while a worker works, and raises `stop` when that must end.
    pub(crate) fn guard(&self, stop: CancellationToken) -> Guard {
        let mut states = self.states.clone();
        let (leave, fired) = (self.order.leave_free_bytes, Arc::new(OnceLock::new()));
        let told = Arc::clone(&fired);
        let task = tokio::spawn(async move {
            let failure = loop {
                let available = states.borrow_and_update().map(|state| state.available_bytes);
                if let Some(available) = available.filter(|bytes| *bytes < LEAST_AVAILABLE_BYTES) {
                    break Stopped::Memory(out_of_memory(leave, available));
                }
                if states.changed().await.is_err() {
                    break Stopped::Balloon(burst(leave));
                }
            };
            told.set(failure).ok();
            stop.cancel();
        });
        Guard { task, fired }
    }
}

fn out_of_memory(leave: u64, available: u64) -> ErrorReport {
    let message = format!("the worker was ended because it had used up the {} left to it", bytes(leave as f64));
    ErrorReport::new(ErrorCode::OutOfMemory, message)
        .hint("That is a result: with as little free memory the model does not run here.")
        .details(json!({ "ended_by": "pocketbench", "leave_free_bytes": leave, "ram_available_bytes": available }))
}

/// Why a guard stopped a worker.
#[derive(Debug, Clone)]
pub(crate) enum Stopped {
    /// It had used up what was left to it: a result.
    Memory(ErrorReport),
    /// The balloon is gone, so nothing pressed any more.
    Balloon(ErrorReport),
}

/// Watches until dropped.
#[derive(Debug)]
pub(crate) struct Guard {
    task: tokio::task::JoinHandle<()>,
    fired: Arc<OnceLock<Stopped>>,
}

impl Guard {
    /// Why it has stopped the worker, if it has.
    pub(crate) fn fired(&self) -> Option<Stopped> {
        self.fired.get().cloned()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.task.abort();
    }
}
