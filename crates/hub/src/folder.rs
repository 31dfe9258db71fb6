//! The models folder: copying files into it and deleting them.

use crate::disk::hex;
use crate::error::{FileError, GgufError};
use crate::files::model_bytes;
use crate::remote_error::RemoteError;
use crate::source::safe_file_name;
use crate::split::model_files;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

const CHUNK: usize = 1 << 20;

/// A model that was copied into the models folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// Its (first) file there.
    pub path: PathBuf,
    /// SHA-256 of its parts joined in order.
    pub sha256: String,
}

/// Copies a model with all its parts into `folder` and hashes it on the way. `free_bytes` tells the space that is left in a
/// folder; `progress` hears of bytes done and of all bytes, and may stop it.
///
/// The copy gets its name when it is complete; until then it is `….partial`, and a copy that was stopped starts over.
pub fn copy_model(
    from: &Path,
    folder: &Path,
    free_bytes: impl Fn(&Path) -> Option<u64>,
    mut progress: impl FnMut(u64, u64) -> ControlFlow<()>,
) -> Result<Copied, RemoteError> {
    let parts = model_files(from);
    let total = model_bytes(from).map_err(GgufError::from)?;
    std::fs::create_dir_all(folder).map_err(|e| RemoteError::file(folder, e))?;
    if let Some(free) = free_bytes(folder).filter(|free| *free < total) {
        return Err(RemoteError::DiskFull { folder: folder.into(), needed: total, free: Some(free) });
    }
    let mut targets = Vec::with_capacity(parts.len());
    for part in &parts {
        let name = part.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let target = folder.join(safe_file_name(&name)?);
        if target.exists() {
            return Err(RemoteError::NameTaken(target));
        }
        targets.push(target);
    }
    let (mut hash, mut done) = (Sha256::new(), 0);
    for (part, target) in parts.iter().zip(&targets) {
        let partial = partial_of(target);
        copy_file(part, &partial, &mut hash, &mut done, &mut |done| progress(done, total))?;
    }
    for target in &targets {
        std::fs::rename(partial_of(target), target).map_err(|e| RemoteError::file(target, e))?;
    }
    Ok(Copied { path: targets[0].clone(), sha256: hex(&hash) })
}

fn copy_file(
    from: &Path,
    to: &Path,
    hash: &mut Sha256,
    done: &mut u64,
    progress: &mut dyn FnMut(u64) -> ControlFlow<()>,
) -> Result<(), RemoteError> {
    let mut source = File::open(from).map_err(|e| GgufError::from(FileError::of(from, e)))?;
    let mut copy = File::create(to).map_err(|e| RemoteError::file(to, e))?;
    let mut chunk = vec![0; CHUNK];
    loop {
        let n = match source.read(&mut chunk) {
            Ok(0) => break,
            Ok(n) => n,
            Err(e) if e.kind() == ErrorKind::Interrupted => continue,
            Err(e) => return Err(GgufError::from(FileError::of(from, e)).into()),
        };
        copy.write_all(&chunk[..n]).map_err(|e| RemoteError::file(to, e))?;
        hash.update(&chunk[..n]);
        *done += n as u64;
        if progress(*done).is_break() {
            return Err(RemoteError::Cancelled);
        }
    }
    copy.sync_all().map_err(|e| RemoteError::file(to, e))
}

/// Name of a file while it is not complete.
fn partial_of(target: &Path) -> PathBuf {
    let mut name = target.as_os_str().to_owned();
    name.push(".partial");
    name.into()
}

/// Deletes files; what is not there any more is fine. A folder of the models folder that is empty then goes, too.
pub fn delete_files(files: &[PathBuf]) -> Result<(), FileError> {
    for file in files {
        match std::fs::remove_file(file) {
            Err(e) if e.kind() != ErrorKind::NotFound => return Err(FileError::of(file, e)),
            _ => {}
        }
        if let Some(folder) = file.parent() {
            // Fails if it is not empty, which is what is wanted.
            std::fs::remove_dir(folder).ok();
        }
    }
    Ok(())
}

/// The folders that hold models: the models folder and those directly in it.
#[must_use]
pub fn model_folders(folder: &Path) -> Vec<PathBuf> {
    let mut folders = vec![folder.to_path_buf()];
    let inside = folder.read_dir().into_iter().flatten().filter_map(Result::ok);
    folders.extend(inside.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path()));
    folders.sort();
    folders
}
