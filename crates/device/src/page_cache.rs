//! Cold starts: a file that is read from its disk and not from memory.

use std::path::Path;

/// What became of a request to drop a file from the page cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ColdResult {
    /// It was dropped, and none of the places that were looked at is in memory any more.
    Confirmed,
    /// The system was asked and reported no error, but cannot say whether it did.
    Asked,
    /// It was not: this system cannot, or the pages are still there, such as while another process has the file mapped.
    NotDropped(String),
}

/// Drops a file from the page cache and looks whether it is really gone.
///
/// Dropping is `posix_fadvise(DONTNEED)` after the file was synced; it needs no special rights, but the kernel keeps pages
/// that are dirty, mapped or locked. Looking is a read that must not wait (`RWF_NOWAIT`) of one byte at each of up to
/// 128 places spread over the file: what is not in memory is refused. That is a sample, not a proof for each page;
/// since the kernel drops and keeps whole ranges, a file of which much is left does not pass. `mincore` and `cachestat`
/// would tell of every page, and cannot be called without unsafe code.
#[must_use]
pub fn drop_from_page_cache(path: &Path) -> ColdResult {
    match attempt(path) {
        Ok(result) => result,
        Err(error) => ColdResult::NotDropped(error.to_string()),
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn attempt(path: &Path) -> std::io::Result<ColdResult> {
    use rustix::fs::{Advice, fadvise};
    let file = std::fs::File::open(path)?;
    // Dirty pages would be kept.
    file.sync_all()?;
    fadvise(&file, 0, None, Advice::DontNeed)?;
    let found = look(&file)?;
    // Looking woke the kernel's reader for the places that were looked at.
    fadvise(&file, 0, None, Advice::DontNeed)?;
    Ok(found)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn attempt(_: &Path) -> std::io::Result<ColdResult> {
    Err(std::io::Error::new(std::io::ErrorKind::Unsupported, "this system has no way to drop a file from its cache"))
}

/// Most places at which a file is looked at.
#[cfg(target_os = "linux")]
const PROBES: u64 = 128;

/// Whether any of the places looked at is still in memory.
#[cfg(target_os = "linux")]
fn look(file: &std::fs::File) -> std::io::Result<ColdResult> {
    use rustix::fs::{Advice, fadvise};

    let size = file.metadata()?.len();
    if size == 0 {
        return Ok(ColdResult::Confirmed);
    }
    // No read-ahead: each look may bring in its own page and no others.
    fadvise(file, 0, None, Advice::Random)?;
    let mut present = 0;
    for n in 0..PROBES {
        let place = n * (size - 1) / (PROBES - 1);
        // A refused look makes the kernel read the page, and a fast disk has sometimes answered before the kernel checks
        // again. So a place counts only if it is there every time although it was dropped in between.
        let mut is_there = look_at(file, place)?;
        for _ in 0..3 {
            if is_there == Some(true) {
                fadvise(file, 0, None, Advice::DontNeed)?;
                is_there = look_at(file, place)?;
            }
        }
        match is_there {
            Some(true) => present += 1,
            Some(false) => {}
            None => return Ok(ColdResult::Asked),
        }
    }
    Ok(match present {
        0 => ColdResult::Confirmed,
        _ => ColdResult::NotDropped(format!("{present} of {PROBES} places are still in memory")),
    })
}

/// Whether one place of a file is in memory; `None` if its file system cannot tell.
#[cfg(target_os = "linux")]
fn look_at(file: &std::fs::File, place: u64) -> std::io::Result<Option<bool>> {
    use rustix::io::{Errno, ReadWriteFlags, preadv2};
    use std::os::unix::fs::FileExt;

    let mut byte = [0];
    match preadv2(file, &mut [std::io::IoSliceMut::new(&mut byte)], place, ReadWriteFlags::NOWAIT) {
        Ok(_) => Ok(Some(true)),
        // Waits for the page that the kernel began to read, because one that is being read cannot be dropped.
        Err(Errno::AGAIN) => file.read_at(&mut byte, place).map(|_| Some(false)),
        Err(Errno::OPNOTSUPP | Errno::INVAL | Errno::NOSYS) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Android's C library lacks the call.
#[cfg(target_os = "android")]
#[allow(clippy::unnecessary_wraps, reason = "the other one can fail")]
fn look(_: &std::fs::File) -> std::io::Result<ColdResult> {
    Ok(ColdResult::Asked)
}
