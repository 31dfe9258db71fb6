//! The disk's side of a download: blocks are written where they belong as they come, noted in the journal, and hashed in
//! order while they are still in the page cache.

use crate::journal::{BLOCK, Identity, Journal, Paths};
use crate::remote_error::RemoteError;
use bytes::Bytes;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Receiver as Counts;
use std::sync::{Arc, mpsc};
use tokio::sync::mpsc::Receiver;
use tokio_util::sync::CancellationToken;

/// Bytes after which the system is asked to write.
const FLUSH: usize = 32 << 20;

/// Blocks after which the hashing thread is woken: for each would cost more than it brings.
const TELL: usize = 4;

/// A whole block, in the pieces that came from the network: no byte is copied on its way to the file.
pub(crate) struct Block {
    pub(crate) index: usize,
    pub(crate) pieces: Vec<Bytes>,
    pub(crate) checksum: u32,
}

impl Block {
    fn len(&self) -> usize {
        self.pieces.iter().map(Bytes::len).sum()
    }
}

/// What the two sides of a download tell each other.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    /// Bytes on disk and right.
    pub(crate) here: AtomicU64,
    /// Bytes of blocks that are not whole yet.
    pub(crate) coming: AtomicU64,
    /// Bytes that came over the network and are on disk; tells progress from checking.
    pub(crate) fetched: AtomicU64,
    /// Set to make file work end early.
    pub(crate) stop: CancellationToken,
}

impl Shared {
    fn go_on(&self) -> Result<(), RemoteError> {
        if self.stop.is_cancelled() { Err(RemoteError::Cancelled) } else { Ok(()) }
    }
}

/// Hashes of a model: of all parts joined, and of the present part.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hashes {
    joined: Sha256,
    /// `None` for a model in one part, whose two hashes are one.
    part: Option<Sha256>,
}

impl Hashes {
    pub(crate) fn begin_part(&mut self, of_several: bool) {
        self.part = of_several.then(Sha256::new);
    }

    fn update(&mut self, bytes: &[u8]) {
        self.joined.update(bytes);
        if let Some(part) = &mut self.part {
            part.update(bytes);
        }
    }

    /// Of everything so far.
    pub(crate) fn joined(&self) -> String {
        hex(&self.joined)
    }

    /// Of the present part.
    pub(crate) fn part(&self) -> String {
        hex(self.part.as_ref().unwrap_or(&self.joined))
    }
}

pub(crate) fn hex(hash: &Sha256) -> String {
    hash.clone().finalize().iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// The file of one part while it is unfinished.
pub(crate) struct PartFile {
    /// Where it is now: usually `….partial`.
    pub(crate) path: PathBuf,
    file: File,
    pub(crate) journal: Journal,
    pub(crate) identity: Arc<Identity>,
}

impl PartFile {
    /// Opens or creates the file that the journal speaks of.
    pub(crate) fn open(paths: &Paths, journal: Journal, identity: Identity) -> Result<Self, RemoteError> {
        // Killed between the renaming and the end: everything is there, under its final name.
        let renamed = !paths.partial.exists() && paths.target.exists();
        let path = if renamed { paths.target.clone() } else { paths.partial.clone() };
        let opened = OpenOptions::new().read(true).write(true).create(!renamed).truncate(false).open(&path);
        let file = opened.map_err(|e| RemoteError::file(&path, e))?;
        Ok(Self { path, file, journal, identity: Arc::new(identity) })
    }

    /// Reads every block that the journal names and forgets those that are not what it says. Hashes what is there from the
    /// beginning without a gap, and tells how many blocks that are.
    pub(crate) fn check(&mut self, hashes: &mut Hashes, shared: &Shared) -> Result<usize, RemoteError> {
        let failed = |e| RemoteError::file(&self.path, e);
        let mut buffer = vec![0; block_size()];
        let mut hashed = 0;
        for index in 0..self.identity.blocks() {
            let Some(checksum) = self.journal.blocks[index] else { continue };
            shared.go_on()?;
            let block = &mut buffer[..self.identity.block_len(index)];
            self.file.seek(SeekFrom::Start(index as u64 * BLOCK)).map_err(failed)?;
            match self.file.read_exact(block) {
                Ok(()) if crc32fast::hash(block) == checksum => {
                    shared.here.fetch_add(block.len() as u64, Ordering::Relaxed);
                    if hashed == index {
                        hashes.update(block);
                        hashed += 1;
                    }
                }
                Ok(()) => self.journal.blocks[index] = None,
                Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => self.journal.blocks[index] = None,
                Err(e) => return Err(failed(e)),
            }
        }
        Ok(hashed)
    }

    /// The blocks that are not there, as ranges in order.
    pub(crate) fn missing(&self) -> Vec<std::ops::Range<usize>> {
        let mut missing: Vec<std::ops::Range<usize>> = Vec::new();
        for (index, block) in self.journal.blocks.iter().enumerate() {
            match missing.last_mut() {
                _ if block.is_some() => {}
                Some(last) if last.end == index => last.end += 1,
                _ => missing.push(index..index + 1),
            }
        }
        missing
    }

    /// Writes blocks until no more come. `counts` hears how many are there from the beginning without a gap.
    pub(crate) fn write(
        mut self,
        mut blocks: Receiver<Block>,
        counts: &mpsc::Sender<usize>,
        shared: &Shared,
    ) -> Result<Self, RemoteError> {
        let (mut whole, mut told) = (0, 0);
        let (flush, flushes) = mpsc::sync_channel(1);
        flush_along(self.path.clone(), flushes);
        let mut unflushed = 0;
        while let Some(block) = blocks.blocking_recv() {
            self.take(&block, shared)?;
            unflushed += block.len();
            if unflushed >= FLUSH && flush.try_send(()).is_ok() {
                unflushed = 0;
            }
            while self.journal.blocks.get(whole).is_some_and(Option::is_some) {
                whole += 1;
            }
            if whole >= told + TELL {
                // Nobody listens any more if hashing failed; that shows in the end.
                let _ = counts.send(whole);
                told = whole;
            }
        }
        let _ = counts.send(whole);
        Ok(self)
    }

    fn take(&mut self, block: &Block, shared: &Shared) -> Result<(), RemoteError> {
        if let Some(known) = self.journal.blocks[block.index] {
            // A host that sends everything or nothing sends this again.
            return if known == block.checksum {
                Ok(())
            } else {
                let host = self.identity.source.split('/').nth(2).unwrap_or_default().to_owned();
                Err(RemoteError::Changed { host, problem: "it sends other bytes than before".into() })
            };
        }
        let failed = |e| RemoteError::file(&self.path, e);
        self.file.seek(SeekFrom::Start(block.index as u64 * BLOCK)).map_err(failed)?;
        for piece in &block.pieces {
            self.file.write_all(piece).map_err(failed)?;
        }
        self.journal.note(block.index, block.checksum)?;
        shared.here.fetch_add(block.len() as u64, Ordering::Relaxed);
        shared.fetched.fetch_add(block.len() as u64, Ordering::Relaxed);
        Ok(())
    }

    /// Makes sure that all of it is on the disk.
    pub(crate) fn sync(&self) -> Result<(), RemoteError> {
        self.file.sync_all().map_err(|e| RemoteError::file(&self.path, e))
    }
}

/// Has the system write what it holds back, so that it need not write gigabytes when the download is at its end. Nobody
/// waits for this: it matters only how long the last such call takes.
fn flush_along(path: PathBuf, flushes: mpsc::Receiver<()>) {
    std::thread::spawn(move || {
        // A handle of its own: a failure is reported to each handle once, and the last call must hear of it, too.
        let Ok(file) = OpenOptions::new().write(true).open(path) else { return };
        while flushes.recv().is_ok() {
            let _ = file.sync_data();
        }
    });
}

/// Hashes blocks in order as they become available, `from` on; the others are hashed already.
pub(crate) fn hash_along(
    path: &Path,
    identity: &Identity,
    mut hashes: Hashes,
    from: usize,
    counts: &Counts<usize>,
    shared: &Shared,
) -> Result<Hashes, RemoteError> {
    let failed = |e| RemoteError::file(path, e);
    let mut file = File::open(path).map_err(failed)?;
    file.seek(SeekFrom::Start(from as u64 * BLOCK)).map_err(failed)?;
    // Small enough to be hashed while it is in the processor's nearest cache.
    let mut buffer = vec![0; 32 << 10];
    let mut next = from;
    while let Ok(whole) = counts.recv() {
        while next < whole {
            shared.go_on()?;
            let mut left = identity.block_len(next);
            while left > 0 {
                let piece = &mut buffer[..left.min(32 << 10)];
                file.read_exact(piece).map_err(failed)?;
                hashes.update(piece);
                left -= piece.len();
            }
            next += 1;
        }
    }
    Ok(hashes)
}

/// Hashes a file that is complete.
pub(crate) fn hash_file(path: &Path, hashes: &mut Hashes, shared: &Shared) -> Result<u64, RemoteError> {
    let failed = |e| RemoteError::file(path, e);
    let mut file = File::open(path).map_err(failed)?;
    let mut buffer = vec![0; block_size()];
    let mut bytes = 0;
    loop {
        shared.go_on()?;
        match file.read(&mut buffer) {
            Ok(0) => return Ok(bytes),
            Ok(n) => {
                hashes.update(&buffer[..n]);
                bytes += n as u64;
                shared.here.fetch_add(n as u64, Ordering::Relaxed);
            }
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(failed(e)),
        }
    }
}

/// Gives finished parts their names. The first part comes last: it is the one that a model is known by.
pub(crate) fn finish(parts: &[(Paths, Option<PartFile>)], folder: &Path) -> Result<(), RemoteError> {
    for (paths, part) in parts.iter().rev() {
        if let Some(part) = part
            && part.path != paths.target
        {
            if paths.target.exists() {
                return Err(RemoteError::NameTaken(paths.target.clone()));
            }
            std::fs::rename(&paths.partial, &paths.target).map_err(|e| RemoteError::file(&paths.target, e))?;
        }
    }
    // The new names are on the disk before the journals go. Windows opens no folders, and needs no such thing.
    #[cfg(unix)]
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|e| RemoteError::file(folder, e))?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

fn block_size() -> usize {
    usize::try_from(BLOCK).unwrap_or(usize::MAX)
}
