//! Use cases and jobs: what both the app and the command line do. Knows neither Tauri nor a terminal.
pub mod api;
