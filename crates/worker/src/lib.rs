//! The worker: the process that owns llama.cpp, and how to talk to it.
//!
//! llama.cpp aborts on some malformed files, and phones kill processes that use too much memory. So the engine runs in a
//! child process: a crash becomes a result, and its peak memory is that of one model alone.

pub mod client;
mod lines;
pub mod protocol;
pub mod server;

pub use client::{Launch, Worker, WorkerError};
