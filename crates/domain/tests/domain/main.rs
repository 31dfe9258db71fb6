//! What the crate promises, seen from outside.

mod claims;
mod cold_start;
mod compare;
mod conditions;
mod conversation;
mod duel;
mod fit;
mod fixture;
mod format;
mod metric;
mod pressure;
mod provider;
mod roofline;
mod route;
mod stats;
mod sweep;
mod tuning;
mod validity;
mod verdict;
