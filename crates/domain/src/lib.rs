//! The vocabulary of Pocketbench and the arithmetic on it.
//!
//! Pure: no I/O, no async, no clock, no randomness of its own. Everything else in the project may use this crate and it
//! uses nothing of ours. Times are nanoseconds or milliseconds as the field name says, sizes are bytes, rates are tokens
//! per second.

pub mod catalogue;
pub mod claims;
pub mod cold_start;
pub mod compare;
pub mod conditions;
pub mod conversation;
pub mod device;
pub mod duel;
pub mod error;
pub mod fit;
pub mod format;
pub mod generate;
pub mod job;
pub mod metric;
pub mod model;
pub mod pressure;
pub mod provider;
pub mod roofline;
pub mod route;
pub mod run;
pub mod settings;
pub mod stats;
pub mod suite;
pub mod sweep;
pub mod tuning;
pub mod validity;
pub mod verdict;

pub use error::{ErrorCode, ErrorReport};
