//! Suites and the runner: which task is measured when, with what warm-up and how often, and what becomes of a crash.

mod balloon;
pub mod claims;
mod cold;
pub mod plan;
pub mod route;
mod runner;
mod slot;
pub mod suites;
pub mod tuning;

pub use balloon::BALLOON_ARGUMENT;
pub use plan::{Plan, plan_cells};
pub use runner::{Moment, Recorder, Runner};
