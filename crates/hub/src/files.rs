//! Model files as files: which there are, and who they are.

use crate::error::FileError;
use crate::split::model_files;
use sha2::{Digest, Sha256};
use std::collections::HashSet;
use std::fmt::Write;
use std::fs::{DirEntry, File};
use std::io::{ErrorKind, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

const CHUNK: usize = 1 << 20;

/// SHA-256 of a file in lower-case hex. `progress` hears of the bytes hashed so far after every MiB and may stop it, which
/// gives [`FileError::Cancelled`].
///
/// Reads the whole file: not for an async task's own thread.
pub fn sha256_file(path: &Path, progress: impl FnMut(u64) -> ControlFlow<()>) -> Result<String, FileError> {
    sha256_model(&[path.to_path_buf()], progress)
}

/// SHA-256 of a model: of its files ([`crate::model_files`]) one after the other, as if they were one. `progress` as in
/// [`sha256_file`], over all of them.
pub fn sha256_model(paths: &[PathBuf], mut progress: impl FnMut(u64) -> ControlFlow<()>) -> Result<String, FileError> {
    let mut hash = Sha256::new();
    let mut chunk = vec![0; CHUNK];
    let mut done = 0;
    for path in paths {
        file_size(path)?;
        let mut file = File::open(path).map_err(|e| FileError::of(path, e))?;
        loop {
            let n = match file.read(&mut chunk) {
                Ok(0) => break,
                Ok(n) => n,
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                Err(e) => return Err(FileError::of(path, e)),
            };
            hash.update(&chunk[..n]);
            done += n as u64;
            if progress(done).is_break() {
                return Err(FileError::Cancelled);
            }
        }
    }
    Ok(hash.finalize().iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    }))
}

/// Size of a model: of all its files.
pub fn model_bytes(path: &Path) -> Result<u64, FileError> {
    model_files(path).iter().try_fold(0u64, |sum, path| Ok(sum.saturating_add(file_size(path)?)))
}

/// Asked before opening, too, which would wait for ever on a named pipe.
fn file_size(path: &Path) -> Result<u64, FileError> {
    let metadata = path.metadata().map_err(|e| FileError::of(path, e))?;
    if metadata.is_file() { Ok(metadata.len()) } else { Err(FileError::NotAFile(path.into())) }
}

/// The models in a folder and in the folders directly in it, sorted: their `.gguf` files, of a split one the first part
/// that is there. Hidden files, unfinished downloads (`….partial`) and links that lead out of the folder are left out. A
/// folder that does not exist has none.
#[must_use]
pub fn scan_models(folder: &Path) -> Vec<PathBuf> {
    let Ok(root) = folder.canonicalize() else { return Vec::new() };
    let mut found = Vec::new();
    for entry in entries(folder) {
        let path = entry.path();
        if is_inside(&entry, &root) {
            if path.is_dir() {
                found.extend(entries(&path).filter(|e| is_inside(e, &root)).map(|e| e.path()).filter(|p| is_model(p)));
            } else if is_model(&path) {
                found.push(path);
            }
        }
    }
    found.sort();
    // Without its first part a model is shown by the next one, which then says what is missing.
    let mut seen = HashSet::new();
    found.retain(|path| seen.insert(model_files(path).swap_remove(0)));
    found
}

fn entries(folder: &Path) -> impl Iterator<Item = DirEntry> {
    let read = folder.read_dir().inspect_err(|error| tracing::warn!(folder = %folder.display(), %error, "not scanned"));
    let hidden = |e: &DirEntry| e.file_name().as_encoded_bytes().starts_with(b".");
    read.into_iter().flatten().filter_map(Result::ok).filter(move |e| !hidden(e))
}

/// A link is followed only to what lies in the models folder.
fn is_inside(entry: &DirEntry, root: &Path) -> bool {
    match entry.file_type() {
        Ok(kind) if kind.is_symlink() => entry.path().canonicalize().is_ok_and(|target| target.starts_with(root)),
        Ok(_) => true,
        Err(_) => false,
    }
}

fn is_model(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("gguf")) && path.is_file()
}
