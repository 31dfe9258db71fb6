//! The journal beside an unfinished download: which blocks of `NAME.gguf.partial` are there, and their checksums.
//!
//! The first line says which file this is, each further line names one block that was written. It is appended to without
//! being forced to disk: after a power cut a line may stand for a block that never arrived, so that every block is
//! compared with its checksum before it is believed.

use crate::remote_error::RemoteError;
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Bytes of a block. What a kill costs is at most the blocks that were on their way.
pub(crate) const BLOCK: u64 = 256 << 10;
const FORMAT: u32 = 1;
/// A journal of the largest model is far smaller.
const MAX_JOURNAL: u64 = 64 << 20;

/// Which version of which file the blocks belong to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    format: u32,
    block: u64,
    /// Its address without query.
    pub(crate) source: String,
    pub(crate) bytes: u64,
    pub(crate) etag: Option<String>,
    pub(crate) modified: Option<String>,
    pub(crate) sha256: Option<String>,
}

impl Identity {
    pub(crate) fn new(
        source: String,
        bytes: u64,
        etag: Option<String>,
        modified: Option<String>,
        sha256: Option<String>,
    ) -> Self {
        Self { format: FORMAT, block: BLOCK, source, bytes, etag, modified, sha256 }
    }

    /// Whether bytes of one may be joined with bytes of the other. A hash decides; without one the marks of the host do.
    pub(crate) fn is_same_file(&self, other: &Self) -> bool {
        if self.bytes != other.bytes {
            return false;
        }
        match (&self.sha256, &other.sha256) {
            (Some(a), Some(b)) => a == b,
            // Hosts mark the same file differently; a hash that is known will tell in the end.
            (a, b) if self.source != other.source => {
                a.is_some() || b.is_some() || (self.etag.is_some() && self.etag == other.etag)
            }
            _ => match (&self.etag, &other.etag) {
                (Some(a), Some(b)) => a == b,
                _ => self.modified == other.modified,
            },
        }
    }

    /// Whether it is the same file's address, perhaps on a mirror.
    pub(crate) fn is_same_place(&self, other: &Self) -> bool {
        let path = |source: &str| source.splitn(4, '/').nth(3).unwrap_or_default().to_owned();
        let (a, b) = (path(&self.source), path(&other.source));
        a.ends_with(&b) || b.ends_with(&a)
    }

    pub(crate) fn blocks(&self) -> usize {
        usize::try_from(self.bytes.div_ceil(BLOCK)).unwrap_or(usize::MAX)
    }

    /// Length of a block; only the last may be shorter.
    pub(crate) fn block_len(&self, index: usize) -> usize {
        let left = self.bytes - (index as u64 * BLOCK).min(self.bytes);
        usize::try_from(left.min(BLOCK)).unwrap_or(usize::MAX)
    }
}

/// Paths of a download that is to become `folder/name`.
#[derive(Debug, Clone)]
pub(crate) struct Paths {
    pub(crate) target: PathBuf,
    pub(crate) partial: PathBuf,
    pub(crate) journal: PathBuf,
}

impl Paths {
    pub(crate) fn new(folder: &Path, name: &str) -> Self {
        Self {
            target: folder.join(name),
            partial: folder.join(format!("{name}.partial")),
            journal: folder.join(format!("{name}.partial.journal")),
        }
    }
}

/// An open journal. While it is open, nobody else downloads the same file.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    file: File,
    /// What it says, if it is one.
    pub(crate) identity: Option<Identity>,
    /// Checksum of each block that it names.
    pub(crate) blocks: Vec<Option<u32>>,
}

impl Journal {
    /// Opens or creates it. Waits a little for a download that is just being stopped.
    pub(crate) fn open(paths: &Paths) -> Result<Self, RemoteError> {
        let path = &paths.journal;
        let failed = |e| RemoteError::file(path, e);
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(failed)?;
        let mut patience = 50;
        loop {
            match file.try_lock() {
                Err(TryLockError::WouldBlock) if patience > 0 => {
                    patience -= 1;
                    std::thread::sleep(Duration::from_millis(100));
                }
                Err(TryLockError::WouldBlock) => return Err(RemoteError::Busy(paths.target.clone())),
                // Some file systems know no locks.
                Ok(()) | Err(TryLockError::Error(_)) => break,
            }
        }
        let mut journal = Self { path: path.clone(), file, identity: None, blocks: Vec::new() };
        journal.read().map_err(failed)?;
        Ok(journal)
    }

    fn read(&mut self) -> std::io::Result<()> {
        let mut text = Vec::new();
        Read::by_ref(&mut self.file).take(MAX_JOURNAL).read_to_end(&mut text)?;
        if let Some((identity, blocks, whole)) = parse(&text) {
            (self.identity, self.blocks) = (Some(identity), blocks);
            // What was torn off by a crash must not run into the next line.
            self.file.set_len(whole)?;
        }
        self.file.seek(SeekFrom::End(0))?;
        Ok(())
    }

    /// Starts anew, for this file.
    pub(crate) fn begin(&mut self, identity: Identity) -> Result<(), RemoteError> {
        let failed = |e| RemoteError::file(&self.path, e);
        let mut line = serde_json::to_vec(&identity).map_err(|e| RemoteError::Internal(e.to_string()))?;
        line.push(b'\n');
        self.file.set_len(0).map_err(failed)?;
        self.file.seek(SeekFrom::Start(0)).map_err(failed)?;
        self.file.write_all(&line).map_err(failed)?;
        self.blocks = vec![None; identity.blocks()];
        self.identity = Some(identity);
        Ok(())
    }

    /// Notes that a block is written.
    pub(crate) fn note(&mut self, index: usize, checksum: u32) -> Result<(), RemoteError> {
        let line = format!("{index} {checksum:08x}\n");
        self.file.write_all(line.as_bytes()).map_err(|e| RemoteError::file(&self.path, e))?;
        self.blocks[index] = Some(checksum);
        Ok(())
    }

    /// Bytes of the blocks that it names.
    pub(crate) fn bytes(&self) -> u64 {
        self.identity.as_ref().map_or(0, |identity| named_bytes(identity, &self.blocks))
    }
}

fn named_bytes(identity: &Identity, blocks: &[Option<u32>]) -> u64 {
    let named = blocks.iter().enumerate().filter(|(_, block)| block.is_some());
    named.map(|(index, _)| identity.block_len(index) as u64).sum()
}

/// Identity, checksums, and how much of the text is whole lines. `None` if the first line is not what it should be.
fn parse(text: &[u8]) -> Option<(Identity, Vec<Option<u32>>, u64)> {
    let whole = text.iter().rposition(|b| *b == b'\n')? + 1;
    let mut lines = text[..whole].split(|b| *b == b'\n');
    let identity: Identity = serde_json::from_slice(lines.next()?).ok()?;
    // A journal has a line a block, so that it cannot name more blocks than fit into the largest journal.
    let sound =
        identity.format == FORMAT && identity.block == BLOCK && identity.bytes.div_ceil(BLOCK) < MAX_JOURNAL / 8;
    let mut blocks = vec![None; if sound { identity.blocks() } else { return None }];
    for line in lines {
        let line = std::str::from_utf8(line).ok().and_then(|line| line.split_once(' '));
        let Some((index, checksum)) = line.filter(|(_, checksum)| checksum.len() == 8) else { continue };
        if let (Ok(index), Ok(checksum)) = (index.parse::<usize>(), u32::from_str_radix(checksum, 16))
            && let Some(block) = blocks.get_mut(index)
        {
            *block = Some(checksum);
        }
    }
    Some((identity, blocks, whole as u64))
}

/// An unfinished download in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartialFile {
    /// Name that the file will have.
    pub file_name: String,
    /// Bytes that are there.
    pub bytes: u64,
    /// All its bytes, where its journal says so.
    pub total_bytes: Option<u64>,
    /// Address that it comes from, without query.
    pub source: Option<String>,
}

/// The unfinished downloads in a folder, by name.
#[must_use]
pub fn partial_files(folder: &Path) -> Vec<PartialFile> {
    let mut found = Vec::new();
    for entry in folder.read_dir().into_iter().flatten().filter_map(Result::ok) {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(name) = name.strip_suffix(".partial").filter(|name| crate::source::safe_file_name(name).is_ok())
        else {
            continue;
        };
        let mut text = Vec::new();
        let read =
            File::open(Paths::new(folder, name).journal).and_then(|f| f.take(MAX_JOURNAL).read_to_end(&mut text));
        let (bytes, total_bytes, source) = match read.ok().and_then(|_| parse(&text)) {
            Some((identity, blocks, _)) => {
                (named_bytes(&identity, &blocks), Some(identity.bytes), Some(identity.source))
            }
            None => (entry.metadata().map_or(0, |metadata| metadata.len()), None, None),
        };
        found.push(PartialFile { file_name: name.to_owned(), bytes, total_bytes, source });
    }
    found.sort_by(|a, b| a.file_name.cmp(&b.file_name));
    found
}

/// Deletes an unfinished download. Nothing happens if there is none.
pub fn discard_partial(folder: &Path, file_name: &str) -> Result<(), RemoteError> {
    let paths = Paths::new(folder, &crate::source::safe_file_name(file_name)?);
    for path in [&paths.partial, &paths.journal] {
        match std::fs::remove_file(path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(RemoteError::file(path, e)),
            _ => {}
        }
    }
    Ok(())
}
