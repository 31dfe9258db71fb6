//! Downloads that survive everything: several connections, a journal of finished blocks, hashing meanwhile, other hosts
//! where one fails. Why it is done this way stands in `docs/adr/0010-downloads.md`.

use crate::client::{Answer, Attempts, Body, HubClient, Located, RemotePart, check_range, host, number};
use crate::disk::{Block, Hashes, PartFile, Shared, finish, hash_along, hash_file};
use crate::error::GgufError;
use crate::header::{looks_like, read_header_at};
use crate::journal::{BLOCK, Identity, Journal, Paths, discard_partial};
use crate::remote_error::RemoteError;
use crate::source::{safe_file_name, without_query};
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use reqwest::StatusCode;
use reqwest::header::CONTENT_LENGTH;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tokio_util::sync::CancellationToken;
use url::Url;

/// Most blocks that one request asks for: 16 MiB. Long enough that the way to the host hardly counts, and short enough that
/// what comes stays near the place that is being hashed.
const WINDOW: usize = 64;
/// Blocks that may wait for the disk.
const WAITING_BLOCKS: usize = 8;
/// What is fetched of each part before anything is written.
const FIRST_BYTES: u64 = 512;
const TICK: Duration = Duration::from_millis(100);
/// The free space is looked at this often.
const SPACE_TICKS: u32 = 20;

/// What to fetch, and where to.
#[derive(Debug, Clone)]
pub struct DownloadPlan {
    /// The parts of the model in order; most models have one.
    pub parts: Vec<RemotePart>,
    /// Folder to keep them in; created if it is not there.
    pub folder: PathBuf,
    /// Size of all parts together, where it is known beforehand.
    pub bytes: Option<u64>,
    /// SHA-256 of the parts joined in order, in lower-case hex, where it is known beforehand.
    pub sha256: Option<String>,
}

/// Free space in the file system of a folder, in bytes; `None` where that is not known.
pub type FreeBytes = Arc<dyn Fn(&Path) -> Option<u64> + Send + Sync>;

/// How to fetch.
#[derive(Clone)]
pub struct DownloadOptions {
    /// Connections at once, where the host sends pieces.
    pub connections: u32,
    /// Space that stays free.
    pub keep_free_bytes: u64,
    /// How much is free.
    pub free_bytes: FreeBytes,
}

impl Default for DownloadOptions {
    fn default() -> Self {
        Self { connections: 4, keep_free_bytes: 0, free_bytes: Arc::new(|_| None) }
    }
}

impl fmt::Debug for DownloadOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { connections, keep_free_bytes, .. } = self;
        f.debug_struct("DownloadOptions")
            .field("connections", connections)
            .field("keep_free_bytes", keep_free_bytes)
            .finish_non_exhaustive()
    }
}

/// What a download is busy with, apart from fetching.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DownloadNote {
    /// Asks the host about the file.
    Locating,
    /// Reads what is here already.
    Checking,
    /// The file on the host is another one now: what was here of the old one is gone.
    StartsOver,
    /// The host sends the file from its beginning only: after an interruption all of it comes again.
    NoResume,
    /// Waits before it tries again.
    Waiting {
        /// Seconds until then.
        seconds: u64,
        /// Why.
        because: String,
    },
    /// All bytes are here; makes sure of it.
    Finishing,
}

impl DownloadNote {
    fn waiting(wait: Duration, because: String) -> Self {
        Self::Waiting { seconds: wait.as_secs() + u64::from(wait.subsec_nanos() > 0), because }
    }
}

impl fmt::Display for DownloadNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Locating => f.write_str("asking the host"),
            Self::Checking => f.write_str("checking what is here already"),
            Self::StartsOver => f.write_str("the file on the host is a new one: starting over"),
            Self::NoResume => f.write_str("this host sends the file only from its beginning"),
            Self::Waiting { seconds, because } => write!(f, "trying again in {seconds} s: {because}"),
            Self::Finishing => f.write_str("making sure that all of it is on the disk"),
        }
    }
}

/// How far a download is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DownloadProgress {
    /// Bytes here, of all parts, those of an earlier attempt included.
    pub done: u64,
    /// Bytes in all; 0 until that is known.
    pub total: u64,
    /// Bytes that came over the network in this attempt: the rate follows from these.
    pub fetched: u64,
    /// What it is busy with, if not with fetching.
    pub note: Option<DownloadNote>,
}

/// A model that has arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Downloaded {
    /// Its files in order.
    pub paths: Vec<PathBuf>,
    /// Size of all together.
    pub bytes: u64,
    /// SHA-256 of the parts joined in order, in lower-case hex.
    pub sha256: String,
    /// SHA-256 of each part.
    pub sha256_by_part: Vec<String>,
    /// The host's mark of the first part.
    pub etag: Option<String>,
    /// Bytes that came over the network in this attempt.
    pub fetched: u64,
}

impl HubClient {
    /// Fetches a model into a folder, or the rest of it. `progress` hears of it at most ten times a second.
    ///
    /// Until all parts are whole and judged, each lies at `NAME.partial` beside a journal, and whatever ends the download,
    /// the next attempt goes on from there. The names are given at the end, the first part's last.
    pub async fn download(
        &self,
        plan: &DownloadPlan,
        options: &DownloadOptions,
        progress: &mut (dyn FnMut(DownloadProgress) + Send),
        cancel: &CancellationToken,
    ) -> Result<Downloaded, RemoteError> {
        let shared = Arc::new(Shared::default());
        // File work ends, too, when this future is dropped.
        let _stop = shared.stop.clone().drop_guard();
        let mut reporter = Reporter {
            progress,
            shared: shared.clone(),
            before: 0,
            total: plan.bytes.unwrap_or(0),
            shown: 0,
            note: Some(DownloadNote::Locating),
        };
        reporter.report();
        let result = Download { client: self, plan, options, cancel, shared }.run(&mut reporter).await;
        if result.is_ok() {
            reporter.note = None;
            reporter.report();
        }
        result
    }
}

struct Reporter<'a> {
    progress: &'a mut (dyn FnMut(DownloadProgress) + Send),
    shared: Arc<Shared>,
    /// Bytes of the parts before the present one.
    before: u64,
    total: u64,
    /// Never goes back within an attempt.
    shown: u64,
    note: Option<DownloadNote>,
}

impl Reporter<'_> {
    fn report(&mut self) {
        let here = self.before + self.shared.here.load(Ordering::Relaxed) + self.shared.coming.load(Ordering::Relaxed);
        self.shown = self.shown.max(here.min(self.total));
        (self.progress)(DownloadProgress {
            done: self.shown,
            total: self.total,
            fetched: self.shared.fetched.load(Ordering::Relaxed),
            note: self.note.clone(),
        });
    }

    fn say(&mut self, note: Option<DownloadNote>) {
        if self.note != note {
            self.note = note;
            self.report();
        }
    }

    fn part_done(&mut self, bytes: u64) {
        self.before += bytes;
        self.shared.here.store(0, Ordering::Relaxed);
    }
}

struct Download<'a> {
    client: &'a HubClient,
    plan: &'a DownloadPlan,
    options: &'a DownloadOptions,
    cancel: &'a CancellationToken,
    shared: Arc<Shared>,
}

/// How a part stands before its bytes are fetched.
enum Part {
    /// It is here under its name already, and it is the right one.
    Present(Paths),
    /// It is to be fetched, or the rest of it.
    Unfinished(Box<Unfinished>),
}

struct Unfinished {
    paths: Paths,
    journal: Journal,
    identity: Identity,
}

impl Download<'_> {
    async fn run(&self, reporter: &mut Reporter<'_>) -> Result<Downloaded, RemoteError> {
        if self.plan.parts.is_empty() {
            return Err(RemoteError::Internal("no parts".into()));
        }
        let folder = self.plan.folder.clone();
        self.blocking(reporter, move || std::fs::create_dir_all(&folder).map_err(|e| RemoteError::file(&folder, e)))
            .await?;

        let mut parts = Vec::new();
        for part in &self.plan.parts {
            parts.push(self.prepare(reporter, part).await?);
        }
        let total: u64 = parts.iter().map(|(_, located)| located.bytes).sum();
        if let Some(expected) = self.plan.bytes.filter(|expected| *expected != total) {
            let host = parts[0].1.host();
            return Err(RemoteError::LengthMismatch { host, expected: Some(expected), found: Some(total) });
        }
        reporter.total = total;
        let here = parts.iter().map(|(part, located)| match part {
            Part::Present(_) => located.bytes,
            Part::Unfinished(part) => part.journal.bytes(),
        });
        self.check_space(total - here.sum::<u64>())?;

        let several = parts.len() > 1;
        let etag = parts[0].1.etag.clone();
        let mut hashes = Hashes::default();
        let (mut finished, mut sha256_by_part) = (Vec::new(), Vec::new());
        for ((part, located), remote) in parts.into_iter().zip(&self.plan.parts) {
            hashes.begin_part(several);
            let (paths, file, expected) = match part {
                Part::Present(paths) => {
                    reporter.say(Some(DownloadNote::Checking));
                    let (path, shared) = (paths.target.clone(), self.shared.clone());
                    hashes =
                        self.blocking(reporter, move || hash_file(&path, &mut hashes, &shared).map(|_| hashes)).await?;
                    (paths, None, located.sha256)
                }
                Part::Unfinished(part) => {
                    let (paths, expected) = (part.paths.clone(), part.identity.sha256.clone());
                    let (file, hashed) = self.fetch(reporter, remote, *part, located.clone(), hashes).await?;
                    hashes = hashed;
                    (paths, Some(file), expected)
                }
            };
            let found = hashes.part();
            if let Some(expected) = expected.filter(|expected| *expected != found) {
                return Err(self.mismatch(file, &remote.file_name, expected, found));
            }
            sha256_by_part.push(found);
            reporter.part_done(located.bytes);
            finished.push((paths, file));
        }
        let sha256 = hashes.joined();
        if let Some(expected) = self.plan.sha256.clone().filter(|expected| *expected != sha256) {
            let mut error = None;
            for ((_, file), remote) in finished.into_iter().zip(&self.plan.parts) {
                error = Some(self.mismatch(file, &remote.file_name, expected.clone(), sha256.clone()));
            }
            return Err(error.unwrap_or(RemoteError::Cancelled));
        }

        reporter.say(Some(DownloadNote::Finishing));
        let folder = self.plan.folder.clone();
        let stop = self.shared.stop.clone();
        let paths = finished.iter().map(|(paths, _)| paths.target.clone()).collect();
        self.blocking(reporter, move || {
            for (_, file) in &finished {
                file.as_ref().map_or(Ok(()), PartFile::sync)?;
            }
            let lies = |path: &Path| {
                let part = finished.iter().find(|(paths, _)| paths.target == path);
                part.and_then(|(_, file)| file.as_ref()).map_or(path.to_path_buf(), |file| file.path.clone())
            };
            let judged = read_header_at(&finished[0].0.target, &lies).map(|_| ());
            if stop.is_cancelled() {
                return Err(RemoteError::Cancelled);
            }
            match judged {
                Ok(()) => finish(&finished, &folder)?,
                // A newer version of Pocketbench may take it, or the disk may recover: it stays.
                Err(e @ (GgufError::UnknownArchitecture(_) | GgufError::File(_))) => return Err(e.into()),
                Err(e) => {
                    discard(finished);
                    return Err(e.into());
                }
            }
            let journals: Vec<PathBuf> = finished.iter().map(|(paths, _)| paths.journal.clone()).collect();
            drop(finished);
            for journal in journals {
                match std::fs::remove_file(&journal) {
                    Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(RemoteError::file(&journal, e)),
                    _ => {}
                }
            }
            Ok(())
        })
        .await?;
        let fetched = self.shared.fetched.load(Ordering::Relaxed);
        Ok(Downloaded { paths, bytes: total, sha256, sha256_by_part, etag, fetched })
    }

    /// The file that came is not the one that was meant. Which of its bytes are wrong cannot be known: it goes.
    fn mismatch(&self, file: Option<PartFile>, name: &str, expected: String, found: String) -> RemoteError {
        if file.is_some() {
            drop(file);
            if let Err(error) = discard_partial(&self.plan.folder, name) {
                tracing::warn!(%error, "a wrong file stays");
            }
        }
        RemoteError::ChecksumMismatch { file: name.into(), expected, found }
    }

    /// Finds a part on its hosts and looks what of it is here.
    async fn prepare(&self, reporter: &mut Reporter<'_>, remote: &RemotePart) -> Result<(Part, Located), RemoteError> {
        let paths = Paths::new(&self.plan.folder, &safe_file_name(&remote.file_name)?);
        let journal = {
            let paths = paths.clone();
            self.blocking(reporter, move || Journal::open(&paths)).await?
        };
        let is_new = journal.identity.is_none() && !paths.partial.exists();
        let prepared = self.prepare_with(reporter, remote, paths.clone(), journal).await;
        if is_new && !matches!(prepared, Ok((Part::Unfinished(_), _))) {
            // Nothing has begun, and nothing is left behind.
            let _ = std::fs::remove_file(&paths.journal);
        }
        prepared
    }

    async fn prepare_with(
        &self,
        reporter: &mut Reporter<'_>,
        remote: &RemotePart,
        paths: Paths,
        mut journal: Journal,
    ) -> Result<(Part, Located), RemoteError> {
        let pinned = self.plan.sha256.as_ref().filter(|_| self.plan.parts.len() == 1);
        let bytes = self.plan.bytes.filter(|_| self.plan.parts.len() == 1);
        let mut attempts = Attempts::new(self.client, &remote.urls)?;
        reporter.say(Some(DownloadNote::Locating));
        let located = loop {
            let url = attempts.url().clone();
            let located = self.attend(reporter, self.client.locate(&url, FIRST_BYTES, FIRST_BYTES)).await;
            let located = located.and_then(|(located, _)| as_planned(located, bytes, pinned, &remote.file_name));
            match located {
                Ok(located) => break located,
                Err(error) => {
                    let because = error.to_string();
                    let wait = attempts.after(error)?;
                    if !wait.is_zero() {
                        reporter.say(Some(DownloadNote::waiting(wait, because)));
                        let pause = async {
                            tokio::time::sleep(wait).await;
                            Ok(())
                        };
                        self.attend(reporter, pause).await?;
                        reporter.say(Some(DownloadNote::Locating));
                    }
                }
            }
        };
        let identity = identity(&located, pinned);
        let whole_under_final_name = journal.identity.is_some() && !paths.partial.exists();
        if paths.target.exists() && !(whole_under_final_name && journal.bytes() == located.bytes) {
            return self.present(reporter, paths, located, identity.sha256).await;
        }
        match &journal.identity {
            Some(known) if known.is_same_file(&identity) => {}
            Some(known) if !known.is_same_place(&identity) => return Err(RemoteError::NameTaken(paths.partial)),
            known => {
                if known.is_some() {
                    reporter.say(Some(DownloadNote::StartsOver));
                }
                let _ = std::fs::remove_file(&paths.partial);
                journal.begin(identity.clone())?;
            }
        }
        Ok((Part::Unfinished(Box::new(Unfinished { paths, journal, identity })), located))
    }

    /// A file has the name already: all is well if it is the same.
    async fn present(
        &self,
        reporter: &mut Reporter<'_>,
        paths: Paths,
        located: Located,
        expected: Option<String>,
    ) -> Result<(Part, Located), RemoteError> {
        let Some(expected) = expected else { return Err(RemoteError::NameTaken(paths.target)) };
        reporter.say(Some(DownloadNote::Checking));
        let (path, shared) = (paths.target.clone(), self.shared.clone());
        let found = self
            .blocking(reporter, move || {
                let mut hashes = Hashes::default();
                hash_file(&path, &mut hashes, &shared).map(|_| hashes.joined())
            })
            .await?;
        reporter.part_done(0);
        if found == expected { Ok((Part::Present(paths), located)) } else { Err(RemoteError::NameTaken(paths.target)) }
    }

    fn check_space(&self, needed: u64) -> Result<(), RemoteError> {
        let needed = needed.saturating_add(self.options.keep_free_bytes);
        match (self.options.free_bytes)(&self.plan.folder) {
            Some(free) if free < needed => {
                Err(RemoteError::DiskFull { folder: self.plan.folder.clone(), needed, free: Some(free) })
            }
            _ => Ok(()),
        }
    }

    /// Runs something while progress is reported, until it is done or the person stops it.
    async fn attend<T>(
        &self,
        reporter: &mut Reporter<'_>,
        work: impl Future<Output = Result<T, RemoteError>>,
    ) -> Result<T, RemoteError> {
        let mut work = std::pin::pin!(work);
        let mut tick = ticks();
        loop {
            tokio::select! {
                biased;
                () = self.cancel.cancelled() => return Err(RemoteError::Cancelled),
                result = &mut work => return result,
                _ = tick.tick() => reporter.report(),
            }
        }
    }

    async fn blocking<T: Send + 'static>(
        &self,
        reporter: &mut Reporter<'_>,
        work: impl FnOnce() -> Result<T, RemoteError> + Send + 'static,
    ) -> Result<T, RemoteError> {
        let work = spawn_blocking(work);
        self.attend(reporter, async { work.await.map_err(|e| RemoteError::Internal(e.to_string()))? }).await
    }

    /// Fetches what is missing of a part.
    async fn fetch(
        &self,
        reporter: &mut Reporter<'_>,
        remote: &RemotePart,
        part: Unfinished,
        located: Located,
        mut hashes: Hashes,
    ) -> Result<(PartFile, Hashes), RemoteError> {
        reporter.say(Some(DownloadNote::Checking));
        let shared = self.shared.clone();
        let (part, hashes, hashed) = self
            .blocking(reporter, move || {
                let mut part = PartFile::open(&part.paths, part.journal, part.identity)?;
                let hashed = part.check(&mut hashes, &shared)?;
                Ok((part, hashes, hashed))
            })
            .await?;
        reporter.say(None);

        let identity = part.identity.clone();
        let missing = part.missing();
        let (counts, counted) = std::sync::mpsc::channel();
        let (sender, blocks) = mpsc::channel(WAITING_BLOCKS);
        let hasher = {
            let (path, identity, shared) = (part.path.clone(), identity.clone(), self.shared.clone());
            spawn_blocking(move || hash_along(&path, &identity, hashes, hashed, &counted, &shared))
        };
        let writer = {
            let shared = self.shared.clone();
            spawn_blocking(move || part.write(blocks, &counts, &shared))
        };
        let transfer = Transfer {
            download: self,
            identity: identity.clone(),
            sender,
            queue: missing,
            located: Some(Arc::new(located)),
        };
        let transferred = transfer.run(reporter, remote).await;
        // The sender is gone: the writer ends with what it has, and then the hasher.
        let died = |e: tokio::task::JoinError| RemoteError::Internal(e.to_string());
        let part = writer.await.map_err(died)?;
        // What went wrong on the disk explains what went wrong before it.
        let part = part?;
        transferred?;
        if !part.missing().is_empty() {
            return Err(RemoteError::Internal("blocks are missing".into()));
        }
        let hashes = self.attend(reporter, async { hasher.await.map_err(died)? }).await?;
        Ok((part, hashes))
    }
}

/// Throws unfinished files away.
fn discard(parts: Vec<(Paths, Option<PartFile>)>) {
    let gone: Vec<PathBuf> = parts
        .iter()
        .filter_map(|(paths, part)| part.as_ref().map(|part| [part.path.clone(), paths.journal.clone()]))
        .flatten()
        .collect();
    drop(parts);
    for path in gone {
        if let Err(error) = std::fs::remove_file(&path) {
            tracing::warn!(path = %path.display(), %error, "a useless file stays");
        }
    }
}

fn ticks() -> tokio::time::Interval {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    // The first tick comes at once.
    ticks.reset();
    ticks
}

fn identity(located: &Located, pinned: Option<&String>) -> Identity {
    Identity::new(
        without_query(&located.url),
        located.bytes,
        located.etag.clone(),
        located.modified.clone(),
        pinned.cloned().or_else(|| located.sha256.clone()),
    )
}

/// Refuses a file that the host itself says is not the one that is wanted.
fn as_planned(
    located: Located,
    bytes: Option<u64>,
    sha256: Option<&String>,
    name: &str,
) -> Result<Located, RemoteError> {
    if let (Some(expected), Some(found)) = (sha256, &located.sha256)
        && expected != found
    {
        return Err(RemoteError::ChecksumMismatch {
            file: name.into(),
            expected: expected.clone(),
            found: found.clone(),
        });
    }
    if let Some(expected) = bytes.filter(|expected| *expected != located.bytes) {
        let host = located.host();
        return Err(RemoteError::LengthMismatch { host, expected: Some(expected), found: Some(located.bytes) });
    }
    Ok(located)
}

type Locating<'a> = BoxFuture<'a, Result<(Located, Vec<u8>), RemoteError>>;

/// The transfer of one part's missing blocks.
struct Transfer<'a> {
    download: &'a Download<'a>,
    identity: Arc<Identity>,
    sender: mpsc::Sender<Block>,
    /// Blocks that nobody fetches yet, in order.
    queue: Vec<Range<usize>>,
    /// Where the file is; `None` while that is to be found out anew.
    located: Option<Arc<Located>>,
}

/// What became of a request for blocks.
struct Fetched {
    /// Where they were asked for.
    url: Url,
    /// Those that did not come.
    rest: Range<usize>,
    end: End,
}

enum End {
    Done,
    Failed(RemoteError),
    /// The host sends everything or nothing.
    NoRanges,
    /// The disk's side has ended; it knows why.
    NoDisk,
}

impl Transfer<'_> {
    async fn run(mut self, reporter: &mut Reporter<'_>, remote: &RemotePart) -> Result<(), RemoteError> {
        let download = self.download;
        let client = download.client;
        let mut attempts = Attempts::new(client, &remote.urls)?;
        if let Some(located) = &self.located {
            attempts.go_to(&located.url);
        }
        let missing: usize = self.queue.iter().map(ExactSizeIterator::len).sum();
        let connections = usize::try_from(download.options.connections.clamp(1, 16)).unwrap_or(1);
        let window = (missing / (4 * connections)).clamp(4, WINDOW);
        let mut running: FuturesUnordered<BoxFuture<'_, Fetched>> = FuturesUnordered::new();
        let mut locating: Option<Locating<'_>> = None;
        let mut paused: Option<Instant> = None;
        let mut fetched_before = download.shared.fetched.load(Ordering::Relaxed);
        let mut tick = ticks();
        let mut tick_count = 0_u32;
        while !(self.queue.is_empty() && running.is_empty()) {
            if paused.is_none() && !self.queue.is_empty() {
                if self.located.is_some() {
                    self.ask(&mut running, connections, window, reporter);
                } else if locating.is_none() {
                    let url = attempts.url().clone();
                    locating = Some(Box::pin(async move { client.locate(&url, FIRST_BYTES, FIRST_BYTES).await }));
                }
            }
            let failure = tokio::select! {
                biased;
                () = download.cancel.cancelled() => return Err(RemoteError::Cancelled),
                Some(Fetched { url, rest, end }) = running.next(), if !running.is_empty() => {
                    give_back(&mut self.queue, rest);
                    // Another address is in use by now, and this says nothing of it.
                    let outdated = url != *attempts.url();
                    match end {
                        End::Done => None,
                        End::NoDisk => return Ok(()),
                        End::Failed(error) if outdated && error.is_of_host() => None,
                        End::Failed(error) => Some(error),
                        End::NoRanges => {
                            if let Some(located) = self.located.as_mut().filter(|_| !outdated) {
                                Arc::make_mut(located).ranges = false;
                                running.clear();
                                self.queue.clear();
                                self.queue.push(0..self.identity.blocks());
                            }
                            None
                        }
                    }
                }
                result = async { locating.as_mut().expect("asked only if there is one").await }, if locating.is_some() => {
                    locating = None;
                    match result.and_then(|(located, _)| self.same(located)) {
                        Ok(located) => {
                            self.located = Some(Arc::new(located));
                            reporter.say(None);
                            None
                        }
                        Err(error) => Some(error),
                    }
                }
                () = sleep_until(paused.unwrap_or_else(Instant::now)), if paused.is_some() => {
                    paused = None;
                    None
                }
                _ = tick.tick() => {
                    tick_count += 1;
                    if tick_count.is_multiple_of(SPACE_TICKS) {
                        download.check_space(0)?;
                    }
                    reporter.report();
                    None
                }
            };
            let Some(error) = failure else { continue };
            let fetched = download.shared.fetched.load(Ordering::Relaxed);
            if fetched > fetched_before {
                attempts.succeeded();
                fetched_before = fetched;
            }
            // Connections that break together are one failure.
            if paused.is_some() && error.is_passing() {
                continue;
            }
            tracing::debug!(%error, file = remote.file_name, "a request failed");
            let because = error.to_string();
            let wait = attempts.after(error)?;
            (self.located, locating) = (None, None);
            paused = Some(Instant::now() + wait);
            if !wait.is_zero() {
                reporter.say(Some(DownloadNote::waiting(wait, because)));
            }
        }
        Ok(())
    }

    /// Gives idle connections something to fetch.
    fn ask(
        &mut self,
        running: &mut FuturesUnordered<BoxFuture<'_, Fetched>>,
        connections: usize,
        window: usize,
        reporter: &mut Reporter<'_>,
    ) {
        let Some(located) = &self.located else { return };
        if located.ranges {
            while running.len() < connections
                && let Some(blocks) = take(&mut self.queue, window)
            {
                running.push(Box::pin(self.request(located.clone(), blocks)));
            }
        } else if running.is_empty() {
            reporter.say(Some(DownloadNote::NoResume));
            self.queue.clear();
            running.push(Box::pin(self.request(located.clone(), 0..self.identity.blocks())));
        }
    }

    /// Refuses a file that is not the one that was begun.
    fn same(&self, located: Located) -> Result<Located, RemoteError> {
        let now = identity(&located, None);
        if self.identity.is_same_file(&now) {
            Ok(located)
        } else {
            Err(RemoteError::Changed { host: located.host(), problem: "its size or its mark is another".into() })
        }
    }

    fn request(&self, located: Arc<Located>, blocks: Range<usize>) -> impl Future<Output = Fetched> + Send + use<> {
        let request = Request {
            client: self.download.client.clone(),
            shared: self.download.shared.clone(),
            identity: self.identity.clone(),
            sender: self.sender.clone(),
            located,
        };
        async move {
            let mut rest = blocks;
            let end = match request.run(&mut rest).await {
                Ok(end) => end,
                Err(error) => End::Failed(error),
            };
            if !request.located.ranges {
                // What comes next starts from the beginning, whatever came.
                rest = if matches!(end, End::Done) { 0..0 } else { 0..request.identity.blocks() };
            }
            Fetched { url: request.located.url.clone(), rest, end }
        }
    }
}

/// One request for consecutive blocks, or for everything.
struct Request {
    client: HubClient,
    shared: Arc<Shared>,
    identity: Arc<Identity>,
    sender: mpsc::Sender<Block>,
    located: Arc<Located>,
}

impl Request {
    async fn run(&self, blocks: &mut Range<usize>) -> Result<End, RemoteError> {
        let bytes = self.identity.bytes;
        let range = blocks.start as u64 * BLOCK..(blocks.end as u64 * BLOCK).min(bytes);
        let located = &*self.located;
        let asked = located.ranges.then(|| range.clone());
        let answer = match self.client.get(&located.target, asked, located.validator.as_deref()).await {
            Ok(answer) => answer,
            Err(error) => return Err(self.explain(error)),
        };
        if let Some(end) = self.judge(&answer, &range)? {
            return Ok(end);
        }
        let host = host(&answer.url);
        let mut body = Body::new(answer.response, self.client.options(), host.clone());
        let mut coming = Coming { shared: &self.shared, bytes: 0 };
        let (mut pieces, mut checksum, mut length) = (Vec::new(), crc32fast::Hasher::new(), 0);
        let mut first = !located.ranges;
        while let Some(mut chunk) = body.next().await? {
            if std::mem::take(&mut first) && !b"GGUF".starts_with(&chunk[..chunk.len().min(4)]) {
                return Err(RemoteError::NotAModel { host, looks_like: looks_like(&chunk[..chunk.len().min(512)]) });
            }
            while !chunk.is_empty() {
                if Range::is_empty(blocks) {
                    return Err(RemoteError::LengthMismatch { host, expected: Some(bytes), found: None });
                }
                let block_len = self.identity.block_len(blocks.start);
                let piece = chunk.split_to(chunk.len().min(block_len - length));
                checksum.update(&piece);
                coming.add(piece.len());
                length += piece.len();
                pieces.push(piece);
                if length == block_len {
                    let checksum = std::mem::take(&mut checksum).finalize();
                    let block = Block { index: blocks.start, pieces: std::mem::take(&mut pieces), checksum };
                    if self.sender.send(block).await.is_err() {
                        return Ok(End::NoDisk);
                    }
                    coming.clear();
                    length = 0;
                    blocks.start += 1;
                }
            }
        }
        if Range::is_empty(blocks) {
            return Ok(End::Done);
        }
        let found = blocks.start as u64 * BLOCK + length as u64;
        Err(if located.ranges {
            RemoteError::RangeInvalid { host, problem: format!("its answer ends at byte {found} of {}", range.end) }
        } else {
            RemoteError::LengthMismatch { host, expected: Some(bytes), found: Some(found) }
        })
    }

    /// Whether the answer is what was asked for, and of the same file.
    fn judge(&self, answer: &Answer, range: &Range<u64>) -> Result<Option<End>, RemoteError> {
        let located = &*self.located;
        let changed = |problem: String| Err(RemoteError::Changed { host: host(&answer.url), problem });
        if let (Some(known), Some(now)) = (&located.validator, answer.validator())
            && *known != now
        {
            return changed("its mark is another".into());
        }
        answer.refuse_text()?;
        if answer.response.status() == StatusCode::PARTIAL_CONTENT {
            check_range(answer, range, Some(self.identity.bytes))?;
            return Ok(None);
        }
        match number(answer.response.headers(), &CONTENT_LENGTH) {
            Some(n) if n != self.identity.bytes => {
                changed(format!("it has {n} bytes instead of {}", self.identity.bytes))
            }
            _ if located.ranges => Ok(Some(End::NoRanges)),
            _ => Ok(None),
        }
    }

    /// What a refusal means halfway.
    fn explain(&self, error: RemoteError) -> RemoteError {
        let located = &*self.located;
        let host = located.host();
        let elsewhere = located.target.origin() != located.url.origin();
        match error {
            // A signed link is good for a while only. A new one tells whether that was all.
            RemoteError::TokenRequired { .. } | RemoteError::Forbidden { .. } | RemoteError::NotFound { .. }
                if elsewhere =>
            {
                RemoteError::ServerError { host, problem: "its link is not valid any more".into() }
            }
            RemoteError::LengthMismatch { found: Some(n), .. } => {
                RemoteError::Changed { host, problem: format!("it has {n} bytes instead of {}", self.identity.bytes) }
            }
            error => error,
        }
    }
}

/// Counts bytes of a block that is not whole yet, and takes them back if it never will be.
struct Coming<'a> {
    shared: &'a Shared,
    bytes: u64,
}

impl Coming<'_> {
    fn add(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
        self.shared.coming.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    fn clear(&mut self) {
        self.shared.coming.fetch_sub(self.bytes, Ordering::Relaxed);
        self.bytes = 0;
    }
}

impl Drop for Coming<'_> {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Takes the first blocks of the queue, at most `most`.
fn take(queue: &mut Vec<Range<usize>>, most: usize) -> Option<Range<usize>> {
    let first = queue.first_mut()?;
    let taken = first.start..first.end.min(first.start + most);
    first.start = taken.end;
    if Range::is_empty(first) {
        queue.remove(0);
    }
    Some(taken)
}

/// Puts blocks back that did not come, in their place.
fn give_back(queue: &mut Vec<Range<usize>>, blocks: Range<usize>) {
    if !blocks.is_empty() {
        let place = queue.partition_point(|range| range.start < blocks.start);
        queue.insert(place, blocks);
    }
}
