//! What a conversation leaves behind: how long its prompts are, and the KV cache as a file.

use crate::generate::count;
use crate::{EngineError, LoadedModel};
use pocketbench_domain::generate::{Prompt, SavedState};
use std::ffi::CString;
use std::fs::File;
use std::io::Read;
use std::path::Path;

impl LoadedModel {
    /// Tokens of each prompt with the chat template: exactly those that [`generate`](Self::generate) would evaluate.
    pub fn count(&self, prompts: &[Prompt]) -> Result<Vec<u32>, EngineError> {
        let tokens_of = |prompt: &Prompt| {
            let (text, source) = self.render(prompt)?;
            Ok(count(self.tokens(&text, source)?.len()))
        };
        prompts.iter().map(tokens_of).collect()
    }

    /// Writes the KV cache of the last answer and its tokens to a file: complete or not at all.
    pub fn save_state(&mut self, path: &Path) -> Result<SavedState, EngineError> {
        if self.cached.is_empty() {
            return Err(EngineError::Invalid("there is nothing in the cache to save".into()));
        }
        let partial = path.with_extension("partial");
        let failed = |what: &dyn std::fmt::Display| {
            std::fs::remove_file(&partial).ok();
            EngineError::Invalid(format!("{} could not be written: {what}", path.display()))
        };
        if self.context.save_sequence(&c_path(&partial)?, &self.cached) == 0 {
            return Err(failed(&"llama.cpp gave up; the disk may be full"));
        }
        let (bytes, crc32) = checksum(&partial).map_err(|error| failed(&error))?;
        std::fs::rename(&partial, path).map_err(|error| failed(&error))?;
        Ok(SavedState { tokens: count(self.cached.len()), bytes, crc32 })
    }

    /// Reads such a file back, if it is the one that was saved. The next prompt with `reuse_prefix` goes on from there.
    /// llama.cpp trusts what it reads, so a file with another checksum never gets to it. On failure the cache is empty.
    pub fn restore_state(&mut self, path: &Path, saved: &SavedState) -> Result<(), EngineError> {
        self.forget();
        let refused = |what: &dyn std::fmt::Display| {
            EngineError::Invalid(format!("{} could not be read back: {what}", path.display()))
        };
        let found = checksum(path).map_err(|error| refused(&error))?;
        if found != (saved.bytes, saved.crc32) {
            return Err(refused(&"it has changed since it was saved"));
        }
        match self.context.load_sequence(&c_path(path)?, saved.tokens as usize) {
            Some(tokens) if tokens.len() == saved.tokens as usize => {
                self.cached = tokens;
                Ok(())
            }
            _ => {
                self.forget();
                Err(refused(&"it was saved with other settings"))
            }
        }
    }
}

fn c_path(path: &Path) -> Result<CString, EngineError> {
    CString::new(path.as_os_str().as_encoded_bytes())
        .map_err(|_| EngineError::Invalid(format!("{} is no path", path.display())))
}

/// Size and CRC-32 of a file.
fn checksum(path: &Path) -> std::io::Result<(u64, u32)> {
    let mut file = File::open(path)?;
    let mut hasher = crc32fast::Hasher::new();
    let mut buffer = vec![0; 1 << 20];
    let mut bytes = 0;
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok((bytes, hasher.finalize()));
        }
        hasher.update(&buffer[..read]);
        bytes += read as u64;
    }
}
