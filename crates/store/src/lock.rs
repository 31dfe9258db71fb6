//! One owner a data folder.

use crate::error::StoreError;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

/// An exclusive advisory lock on the lock file. The operating system releases it when the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct FolderLock(File);

impl FolderLock {
    /// Takes the lock, and writes this process's id into the file for whoever comes second.
    pub(crate) fn take(path: &Path) -> Result<Self, StoreError> {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(|e| StoreError::from_io(path, &e))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                // On Windows the lock forbids reading as well; then the holder stays unknown.
                let mut text = String::new();
                let _ = file.take(32).read_to_string(&mut text);
                return Err(StoreError::AlreadyRunning { holder: text.trim().parse().ok() });
            }
            Err(TryLockError::Error(e)) => return Err(StoreError::from_io(path, &e)),
        }
        // Courtesy only: a full disk must not keep anybody from opening what is there.
        let _ = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| write!(file, "{}", std::process::id()));
        Ok(Self(file))
    }
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        // Not left to the closing of the file: a child process that is just being started holds a copy of it.
        let _ = self.0.set_len(0);
        let _ = self.0.unlock();
    }
}
