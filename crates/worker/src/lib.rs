//! The worker: a line protocol, its server loop, its client and its transports.
pub mod protocol;
