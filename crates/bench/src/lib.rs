//! Suites and the runner that measures them
