//! Models for the tests: real ones, which `scripts/models` fetches (nothing is faked and nothing is skipped without them),
//! and files with the shapes of large models and random weights ([`gguf`]).

pub mod gguf;

pub mod hub;
pub mod peer;
pub mod provider;

use std::path::PathBuf;

/// Folder that `scripts/models` fills.
#[must_use]
pub fn models_folder() -> PathBuf {
    if let Some(folder) = std::env::var_os("POCKETBENCH_TEST_MODELS") {
        return folder.into();
    }
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map_or_else(|| PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache"), PathBuf::from);
    cache.join("pocketbench/models")
}

fn model(name: &str) -> String {
    let path = models_folder().join(name);
    assert!(path.is_file(), "{} is missing: run ./scripts/models", path.display());
    path.to_str().expect("the path is UTF-8").to_owned()
}

/// SmolLM2-135M-Instruct, `Q4_1`: a chat model with a template.
#[must_use]
pub fn smollm2() -> String {
    model("smollm2-135m-instruct-q4_1.gguf")
}

/// Gemma 3 270M, `Q4_K_M`: a base model without a template, with a sliding window and a vocabulary of 262,144.
#[must_use]
pub fn gemma3() -> String {
    model("gemma3-270m-q4_k_m.gguf")
}
