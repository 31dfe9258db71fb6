//! Downloads from servers that do what servers should not do. Each case: the error's code, and what stays on the disk.

mod common;
mod server;

use pocketbench_domain::error::{ErrorCode, ErrorReport};
use pocketbench_hub::{
    CancellationToken, ClientOptions, DownloadNote, DownloadOptions, DownloadPlan, DownloadProgress, Downloaded,
    HubClient, PartialFile, RemoteError, RemotePart, partial_files,
};
use server::{Reply, Request, Server, model, sha256};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;

const MB: usize = 1 << 20;
const BLOCK: u64 = 256 << 10;
const NAME: &str = "model-Q4_0.gguf";

/// Everything at a pace that suits a test.
fn quick(hub: &str) -> ClientOptions {
    ClientOptions {
        hub: hub.into(),
        stall_timeout: Duration::from_millis(400),
        attempts: 3,
        backoff: Duration::from_millis(2),
        max_wait: Duration::from_secs(5),
        ..ClientOptions::default()
    }
}

/// One model, one folder, and any server.
struct Bench {
    content: Arc<Vec<u8>>,
    folder: TempDir,
    sha256: Option<String>,
    options: DownloadOptions,
    cancel: CancellationToken,
    notes: Mutex<Vec<DownloadNote>>,
    attempts: u32,
}

impl Bench {
    fn new(bytes: usize) -> Self {
        Self {
            content: model(bytes, 7),
            folder: tempfile::tempdir().unwrap(),
            sha256: None,
            options: DownloadOptions::default(),
            cancel: CancellationToken::new(),
            notes: Mutex::default(),
            attempts: 3,
        }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    async fn fetch_from(&self, urls: &[String]) -> Result<Downloaded, RemoteError> {
        let client = HubClient::new(ClientOptions { attempts: self.attempts, ..quick(&urls[0]) }).unwrap();
        let plan = DownloadPlan {
            parts: vec![RemotePart { file_name: NAME.into(), urls: urls.into() }],
            folder: self.folder.path().into(),
            bytes: None,
            sha256: self.sha256.clone(),
        };
        self.fetch_with(&client, &plan).await
    }

    async fn fetch_with(&self, client: &HubClient, plan: &DownloadPlan) -> Result<Downloaded, RemoteError> {
        let mut shown = 0;
        let mut progress = |progress: DownloadProgress| {
            assert!(progress.done >= shown && (progress.done <= progress.total || progress.total == 0), "{progress:?}");
            shown = progress.done;
            if let Some(note) = progress.note {
                self.notes.lock().unwrap().push(note);
            }
        };
        client.download(plan, &self.options, &mut progress, &self.cancel).await
    }

    async fn fetch(&self, server: &Server) -> Result<Downloaded, RemoteError> {
        self.fetch_from(&[server.url("/m/model-Q4_0.gguf")]).await
    }

    /// Fetches and expects this to go wrong, with this code and words for a person.
    async fn fails(&self, server: &Server, code: ErrorCode) -> ErrorReport {
        let report = ErrorReport::from(self.fetch(server).await.unwrap_err());
        assert_eq!(report.code, code, "{report:?}");
        assert!(report.hint.is_some(), "{report:?}");
        assert!(!self.path(NAME).exists());
        report
    }

    /// A good server.
    async fn good(&self) -> Server {
        let content = self.content.clone();
        Server::start(move |request| Reply::file(request, &content, "\"v1\"")).await
    }

    /// A good server that does something else from the second request on.
    async fn then(&self, bad: impl Fn(&Request, Reply) -> Reply + Send + Sync + 'static) -> Server {
        let content = self.content.clone();
        Server::start(move |request| {
            let good = Reply::file(request, &content, "\"v1\"");
            if request.n == 0 { good } else { bad(request, good) }
        })
        .await
    }

    /// Leaves an unfinished download behind: its first 1.5 MB.
    async fn begin(&mut self) -> PartialFile {
        let budget = Arc::new(AtomicUsize::new(3 * MB / 2));
        let server = self
            .then(move |_, mut reply| {
                let length = reply.piece.len();
                let left = budget.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| Some(n.saturating_sub(length)));
                reply.cut = Some(left.unwrap());
                reply
            })
            .await;
        let before = (self.attempts, self.options.connections);
        (self.attempts, self.options.connections) = (1, 1);
        let error = self.fetch(&server).await.unwrap_err();
        assert!(matches!(error, RemoteError::Unreachable { .. }), "{error:?}");
        (self.attempts, self.options.connections) = before;
        self.notes.lock().unwrap().clear();
        let kept = self.partial().expect("something is kept");
        assert_eq!(kept.bytes, 3 * MB as u64 / 2);
        kept
    }

    fn partial(&self) -> Option<PartialFile> {
        let mut found = partial_files(self.folder.path());
        assert!(found.len() <= 1);
        found.pop()
    }

    /// The unfinished download is as good as it was: the rest comes from a good server, and only the rest.
    async fn completes(&self) {
        let kept = self.partial().expect("the partial file is kept");
        let server = self.good().await;
        let downloaded = self.fetch(&server).await.unwrap();
        let expected = self.content.len() as u64 - kept.bytes;
        assert_eq!(downloaded.fetched, expected, "only the rest is fetched");
        assert!(server.sent() <= expected + 512, "{} instead of {expected}", server.sent());
        self.is_whole(&downloaded);
    }

    /// All is well.
    fn is_whole(&self, downloaded: &Downloaded) {
        assert_eq!(downloaded.paths, [self.path(NAME)]);
        assert_eq!(downloaded.bytes, self.content.len() as u64);
        assert_eq!(downloaded.sha256, sha256(&self.content));
        assert_eq!(downloaded.sha256_by_part, [sha256(&self.content)]);
        assert!(std::fs::read(self.path(NAME)).unwrap() == *self.content, "other bytes");
        assert_eq!(self.files(), [NAME], "nothing else is left");
    }

    fn files(&self) -> Vec<String> {
        let mut names: Vec<String> =
            self.folder.path().read_dir().unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn noted(&self, note: &DownloadNote) -> bool {
        self.notes.lock().unwrap().contains(note)
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// What should happen
// ---------------------------------------------------------------------------------------------------------------------

#[tokio::test(flavor = "multi_thread")]
async fn a_model_comes_over_several_connections() {
    let bench = Bench::new(21 * MB + 12_345);
    let server = bench.good().await;
    let downloaded = bench.fetch(&server).await.unwrap();
    bench.is_whole(&downloaded);
    assert_eq!(downloaded.etag.as_deref(), Some("\"v1\""));
    assert!(server.sent() <= bench.content.len() as u64 + 512, "every byte comes once");
    let requests = server.requests();
    assert!(requests.len() > 8, "in pieces");
    assert!(requests.iter().skip(1).all(|r| r.header("if-range") == Some("\"v1\"")), "of one version");
    assert!(requests.iter().all(|r| r.header("accept-encoding") == Some("identity")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_model_and_one_connection_are_fine() {
    let mut bench = Bench::new(3000);
    bench.options.connections = 1;
    let server = bench.good().await;
    bench.is_whole(&bench.fetch(&server).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_off_at_any_moment_goes_on_from_there() {
    for seed in 0..12_u64 {
        let mut bench = Bench::new(6 * MB + 77);
        bench.attempts = 1;
        let content = bench.content.clone();
        // Each answer of more than the first bytes breaks off somewhere.
        let random = AtomicU64::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let server = Server::start(move |request| {
            let mut reply = Reply::file(request, &content, "\"v1\"");
            if request.range.as_ref().is_some_and(|range| range.len() > 512) {
                let step = |n: u64| Some(n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
                let n = random.fetch_update(Ordering::SeqCst, Ordering::SeqCst, step).unwrap() >> 33;
                if !n.is_multiple_of(4) {
                    reply.cut = Some(usize::try_from(n).unwrap() % reply.piece.len());
                }
            }
            reply
        })
        .await;
        let mut here = 0;
        let mut rounds = 0;
        let downloaded = loop {
            match bench.fetch(&server).await {
                Ok(downloaded) => break downloaded,
                Err(RemoteError::Unreachable { .. }) => {}
                Err(error) => panic!("seed {seed}: {error:?}"),
            }
            let kept = bench.partial().map_or(0, |partial| partial.bytes);
            assert!(kept >= here, "seed {seed}: nothing that was here is lost");
            here = kept;
            rounds += 1;
            assert!(rounds < 200, "seed {seed}");
        };
        bench.is_whole(&downloaded);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_attempt_survives_connections_that_break() {
    let bench = Bench::new(8 * MB);
    let content = bench.content.clone();
    let server = Server::start(move |request| {
        let mut reply = Reply::file(request, &content, "\"v1\"");
        if request.n.is_multiple_of(2) && request.n > 0 {
            reply.cut = Some(600_000);
        }
        reply
    })
    .await;
    bench.is_whole(&bench.fetch(&server).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_keeps_what_is_here() {
    let mut bench = Bench::new(8 * MB);
    let cancel = bench.cancel.clone();
    let server = bench
        .then(move |request, mut reply| {
            reply.pace = Some((64 << 10, Duration::from_millis(5)));
            if request.n == 6 {
                cancel.cancel();
            }
            reply
        })
        .await;
    let error = bench.fetch(&server).await.unwrap_err();
    assert!(matches!(error, RemoteError::Cancelled), "{error:?}");
    assert_eq!(ErrorReport::from(error).code, ErrorCode::Cancelled);
    let kept = bench.partial().unwrap();
    assert!(kept.bytes > 0 && kept.total_bytes == Some(bench.content.len() as u64), "{kept:?}");
    bench.cancel = CancellationToken::new();
    bench.completes().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_disk_lost_is_fetched_again_and_nothing_else() {
    let mut bench = Bench::new(6 * MB);
    let kept = bench.begin().await;
    // As after a power cut: the journal knows of a block that never reached the disk.
    let partial = bench.path(&format!("{NAME}.partial"));
    let mut bytes = std::fs::read(&partial).unwrap();
    bytes[300_000..300_100].fill(0);
    std::fs::write(&partial, &bytes).unwrap();
    // And its last line was torn.
    let journal = bench.path(&format!("{NAME}.partial.journal"));
    let mut text = std::fs::read(&journal).unwrap();
    text.extend_from_slice(b"17 1234");
    std::fs::write(&journal, &text).unwrap();
    let server = bench.good().await;
    let downloaded = bench.fetch(&server).await.unwrap();
    assert_eq!(downloaded.fetched, bench.content.len() as u64 - kept.bytes + BLOCK);
    bench.is_whole(&downloaded);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_that_makes_no_sense_or_is_gone_costs_the_download_only() {
    for text in [None, Some("nonsense"), Some("{\"format\":99}\n0 00000000\n"), Some("\n\n\n")] {
        let mut bench = Bench::new(3 * MB);
        bench.begin().await;
        let journal = bench.path(&format!("{NAME}.partial.journal"));
        match text {
            Some(text) => std::fs::write(journal, text).unwrap(),
            None => std::fs::remove_file(journal).unwrap(),
        }
        let server = bench.good().await;
        bench.is_whole(&bench.fetch(&server).await.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_the_last_two_steps_nothing_is_fetched_again() {
    let mut bench = Bench::new(3 * MB);
    // All blocks are here: an attempt whose end was taken away.
    let server = bench.good().await;
    let journal = bench.path(&format!("{NAME}.partial.journal"));
    let kept = bench.begin().await;
    assert!(kept.bytes < bench.content.len() as u64);
    let saved = {
        // Lets the download finish and puts its journal back, as if the program had died before removing it.
        let text = std::fs::read_to_string(&journal).unwrap();
        let first = text.lines().next().unwrap().to_owned();
        let lines = bench.content.chunks(MB / 4).enumerate();
        let lines: Vec<String> = lines.map(|(i, block)| format!("{i} {:08x}", crc32fast::hash(block))).collect();
        format!("{first}\n{}\n", lines.join("\n"))
    };
    bench.is_whole(&bench.fetch(&server).await.unwrap());
    std::fs::write(&journal, &saved).unwrap();
    let again = bench.fetch(&server).await.unwrap();
    assert_eq!(again.fetched, 0);
    bench.is_whole(&again);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_has_the_name_is_never_replaced() {
    let mut bench = Bench::new(2 * MB);
    let server = bench.good().await;
    std::fs::write(bench.path(NAME), b"precious").unwrap();
    let report = ErrorReport::from(bench.fetch(&server).await.unwrap_err());
    assert_eq!(report.code, ErrorCode::InvalidInput);
    assert_eq!(bench.files(), [NAME]);
    bench.sha256 = Some(sha256(&bench.content));
    assert!(matches!(bench.fetch(&server).await.unwrap_err(), RemoteError::NameTaken(_)));
    assert_eq!(std::fs::read(bench.path(NAME)).unwrap(), b"precious");
    // The very same file is no reason to fetch it again.
    std::fs::write(bench.path(NAME), &*bench.content).unwrap();
    let downloaded = bench.fetch(&server).await.unwrap();
    assert_eq!(downloaded.fetched, 0);
    bench.is_whole(&downloaded);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unfinished_download_of_another_model_is_not_thrown_away() {
    let mut bench = Bench::new(3 * MB);
    let kept = bench.begin().await;
    let other = model(3 * MB, 99);
    let server = Server::start(move |request| Reply::file(request, &other, "\"other\"")).await;
    let error = bench.fetch_from(&[server.url("/other/owner/model-Q4_0.gguf")]).await.unwrap_err();
    assert!(matches!(error, RemoteError::NameTaken(_)), "{error:?}");
    assert_eq!(bench.partial(), Some(kept));
    bench.completes().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_downloads_do_not_write_the_same_file() {
    let bench = Bench::new(2 * MB);
    let server = bench.then(|_, mut reply| {
        reply.pace = Some((4 << 10, Duration::from_millis(20)));
        reply
    });
    let server = server.await;
    let (first, second) = tokio::join!(
        async {
            let cancel = bench.cancel.clone();
            tokio::select! {
                result = bench.fetch(&server) => result.map(|_| ()),
                () = cancel.cancelled() => Err(RemoteError::Cancelled),
            }
        },
        async {
            while bench.partial().is_none() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            let other = CancellationToken::new();
            let client = HubClient::new(quick(&server.base())).unwrap();
            let plan = DownloadPlan {
                parts: vec![RemotePart { file_name: NAME.into(), urls: vec![server.url("/m/model-Q4_0.gguf")] }],
                folder: bench.folder.path().into(),
                bytes: None,
                sha256: None,
            };
            let result = client.download(&plan, &bench.options, &mut |_| (), &other).await;
            bench.cancel.cancel();
            result
        }
    );
    assert!(matches!(first, Err(RemoteError::Cancelled)), "{first:?}");
    assert_eq!(ErrorReport::from(second.unwrap_err()).code, ErrorCode::AlreadyRunning);
}

// ---------------------------------------------------------------------------------------------------------------------
// Ranges
// ---------------------------------------------------------------------------------------------------------------------

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_ranges_sends_everything_again() {
    let mut bench = Bench::new(5 * MB);
    bench.begin().await;
    let content = bench.content.clone();
    let server = Server::start(move |request| Reply::whole_file(request, &content, "\"v1\"")).await;
    let downloaded = bench.fetch(&server).await.unwrap();
    assert!(bench.noted(&DownloadNote::NoResume), "and says so");
    bench.is_whole(&downloaded);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_200_for_a_range_never_lands_at_the_wrong_place() {
    let mut bench = Bench::new(5 * MB);
    bench.begin().await;
    let content = bench.content.clone();
    // It knows ranges at first and then no more, as some proxies do.
    let server = bench.then(move |request, _| Reply::whole_file(request, &content, "\"v1\"")).await;
    bench.is_whole(&bench.fetch(&server).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_ranges_that_breaks_off_keeps_its_blocks() {
    let bench = Bench::new(5 * MB);
    let content = bench.content.clone();
    let server = Server::start(move |request| {
        let mut reply = Reply::whole_file(request, &content, "\"v1\"");
        reply.cut = Some(2 * MB);
        reply
    })
    .await;
    bench.fails(&server, ErrorCode::NetworkUnavailable).await;
    assert!(bench.partial().unwrap().bytes >= MB as u64);
    bench.completes().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_content_range_is_refused() {
    let wrong: [fn(&Request, Reply) -> Reply; 6] = [
        |r, reply| {
            let start = r.range.as_ref().unwrap().start + 1;
            let end = start + reply.piece.len() - 1;
            reply.with("Content-Range", &format!("bytes {start}-{end}/99999999"))
        },
        |r, reply| {
            let (start, total) = (r.range.as_ref().unwrap().start, reply.body.len());
            reply.with("Content-Range", &format!("bytes {}-{}/{total}", start + 1, start + 5))
        },
        |_, reply| reply.with("Content-Range", "bytes 0-0/1"),
        |_, reply| reply.with("Content-Range", "pages 1-2/3"),
        |_, reply| reply.with("Content-Range", "bytes 18446744073709551615-18446744073709551615/*"),
        |_, reply| reply.without("Content-Range"),
    ];
    for (i, wrong) in wrong.into_iter().enumerate() {
        let mut bench = Bench::new(4 * MB);
        let kept = bench.begin().await;
        let server = bench.then(wrong).await;
        let error = ErrorReport::from(bench.fetch(&server).await.unwrap_err());
        // Another size is another file.
        let changed = i == 0 || i == 2;
        let code = if changed { ErrorCode::DownloadChanged } else { ErrorCode::DownloadRangeInvalid };
        assert_eq!(error.code, code, "case {i}: {error:?}");
        assert_eq!(bench.partial().unwrap(), kept, "case {i}");
        bench.completes().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_206_of_another_length_is_refused() {
    for longer in [false, true] {
        let mut bench = Bench::new(4 * MB);
        bench.begin().await;
        let server = bench
            .then(move |_, mut reply| {
                let length = reply.piece.len();
                reply.piece = if longer { 0..length + 1 } else { reply.piece.start..reply.piece.end - 1 };
                reply.length = Some(reply.piece.len());
                reply
            })
            .await;
        bench.fails(&server, ErrorCode::DownloadRangeInvalid).await;
        bench.completes().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_206_that_ends_early_without_a_length_is_refused() {
    let mut bench = Bench::new(4 * MB);
    bench.begin().await;
    let server = bench
        .then(|_, mut reply| {
            reply.piece.end -= 1000;
            reply.length = None;
            reply
        })
        .await;
    bench.fails(&server, ErrorCode::DownloadRangeInvalid).await;
    bench.completes().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_206_with_other_bytes_does_not_pass_the_hash() {
    let mut bench = Bench::new(4 * MB);
    bench.sha256 = Some(sha256(&bench.content));
    let other = model(4 * MB, 8);
    let server = bench.then(move |_, reply| Reply { body: other.clone(), ..reply }).await;
    let report = bench.fails(&server, ErrorCode::DownloadChecksumMismatch).await;
    assert!(report.details.unwrap()["cause"].as_str().unwrap().contains(bench.sha256.as_ref().unwrap()));
    assert_eq!(bench.files(), [""; 0], "which bytes are wrong cannot be known, so that none are kept");
    let server = bench.good().await;
    bench.is_whole(&bench.fetch(&server).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_416_is_refused() {
    let mut bench = Bench::new(4 * MB);
    bench.begin().await;
    let server = bench.then(|_, _| Reply::new(416, b"")).await;
    bench.fails(&server, ErrorCode::DownloadRangeInvalid).await;
    bench.completes().await;
    // One that says that the file is shorter now.
    let mut bench = Bench::new(4 * MB);
    bench.begin().await;
    let server = bench.then(|_, _| Reply::new(416, b"").with("Content-Range", "bytes */5")).await;
    bench.fails(&server, ErrorCode::DownloadChanged).await;
    bench.completes().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_compressed_is_refused() {
    let mut bench = Bench::new(4 * MB);
    bench.begin().await;
    let server = bench.then(|_, reply| reply.with("Content-Encoding", "gzip")).await;
    bench.fails(&server, ErrorCode::DownloadRangeInvalid).await;
    bench.completes().await;
}

// ---------------------------------------------------------------------------------------------------------------------
// Refusals
// ---------------------------------------------------------------------------------------------------------------------

#[tokio::test(flavor = "multi_thread")]
async fn each_refusal_has_its_code_before_and_in_the_middle() {
    for (status, code) in [
        (401, ErrorCode::DownloadTokenRequired),
        // The test's server is no hub: there, a token would not help.
        (403, ErrorCode::DownloadForbidden),
        (404, ErrorCode::DownloadNotFound),
        (410, ErrorCode::DownloadNotFound),
        (429, ErrorCode::DownloadRateLimited),
        (500, ErrorCode::DownloadServerError),
        (503, ErrorCode::DownloadServerError),
        (418, ErrorCode::DownloadServerError),
    ] {
        let mut bench = Bench::new(3 * MB);
        let server = Server::start(move |_| Reply::new(status, b"<html>no</html>")).await;
        let client = HubClient::new(quick("https://hub.example")).unwrap();
        let plan = DownloadPlan {
            parts: vec![RemotePart { file_name: NAME.into(), urls: vec![server.url("/m/model-Q4_0.gguf")] }],
            folder: bench.folder.path().into(),
            bytes: None,
            sha256: None,
        };
        let report = ErrorReport::from(bench.fetch_with(&client, &plan).await.unwrap_err());
        assert_eq!(report.code, code, "{status}: {report:?}");
        assert_eq!(bench.files(), [""; 0], "{status}: nothing has begun, nothing is left");
        let passing = matches!(status, 429 | 500 | 503 | 418);
        assert_eq!(server.requests().len(), if passing { 3 } else { 1 }, "{status}: tried again where that may help");

        let kept = bench.begin().await;
        let server = bench.then(move |_, _| Reply::new(status, b"")).await;
        let plan = DownloadPlan {
            parts: vec![RemotePart { file_name: NAME.into(), urls: vec![server.url("/m/model-Q4_0.gguf")] }],
            ..plan
        };
        let report = ErrorReport::from(bench.fetch_with(&client, &plan).await.unwrap_err());
        assert_eq!(report.code, code, "{status}: {report:?}");
        assert_eq!(bench.partial().unwrap(), kept, "{status}");
        bench.completes().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn retry_after_is_obeyed() {
    let bench = Bench::new(MB);
    let server = bench
        .then(|request, reply| if request.n == 1 { Reply::new(429, b"").with("Retry-After", "1") } else { reply })
        .await;
    bench.is_whole(&bench.fetch(&server).await.unwrap());
    let waited = bench.notes.lock().unwrap().iter().any(|n| matches!(n, DownloadNote::Waiting { seconds: 1, .. }));
    assert!(waited, "{:?}", bench.notes);

    // Longer than anybody waits: the person hears how long.
    for headers in [
        vec![("Retry-After", "7200")],
        vec![("Date", "Tue, 24 Nov 2026 08:00:00 GMT"), ("Retry-After", "Tue, 24 Nov 2026 10:00:00 GMT")],
    ] {
        let bench = Bench::new(MB);
        let server = Server::start(move |_| {
            headers.iter().fold(Reply::new(429, b""), |reply, (name, value)| reply.with(name, value))
        })
        .await;
        let report = bench.fails(&server, ErrorCode::DownloadRateLimited).await;
        assert!(report.hint.unwrap().contains("7200 s"));
        assert_eq!(server.requests().len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_page_is_no_model() {
    let page = b"<!DOCTYPE html><html><body>Please log in</body></html>";
    for with_type in [true, false] {
        let mut bench = Bench::new(3 * MB);
        let reply = Reply::new(200, page);
        let reply = if with_type { reply.with("Content-Type", "text/html; charset=utf-8") } else { reply };
        let answer = reply.clone();
        let server = Server::start(move |_| answer.clone()).await;
        let report = bench.fails(&server, ErrorCode::DownloadNotAModel).await;
        assert!(report.message.contains("web page"), "{report:?}");
        assert_eq!(bench.files(), [""; 0], "not a byte of it is written");

        // The network asks for a login in the middle of it.
        bench.begin().await;
        let kept = bench.partial();
        let server = bench.then(move |_, _| reply.clone()).await;
        let error = ErrorReport::from(bench.fetch(&server).await.unwrap_err());
        let known = if with_type { ErrorCode::DownloadNotAModel } else { ErrorCode::DownloadChanged };
        assert_eq!(error.code, known, "{error:?}");
        assert_eq!(bench.partial(), kept);
        bench.completes().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_end_somewhere() {
    let bench = Bench::new(MB);
    let circle = Server::start(|request| match request.path.as_str() {
        "/a" => Reply::redirect("/b"),
        _ => Reply::redirect("/a"),
    });
    bench.fails(&circle.await, ErrorCode::DownloadRedirectLoop).await;
    let endless = Server::start(|request| Reply::redirect(&format!("/{}", request.n))).await;
    bench.fails(&endless, ErrorCode::DownloadRedirectLoop).await;
    assert_eq!(endless.requests().len(), 11);
    for to in
        ["ftp://example.org/x.gguf", "http://example.org/x.gguf", "file:///etc/passwd", "https://a:b@example.org/"]
    {
        let away = Server::start(move |_| Reply::redirect(to)).await;
        bench.fails(&away, ErrorCode::DownloadRedirectLoop).await;
    }
    let nowhere = Server::start(|_| Reply::new(302, b"")).await;
    bench.fails(&nowhere, ErrorCode::DownloadRedirectLoop).await;
    assert_eq!(bench.files(), [""; 0]);

    let content = bench.content.clone();
    let far = Server::start(move |request| match request.path.strip_prefix("/hop/") {
        Some("8") => Reply::file(request, &content, "\"v1\""),
        hop => Reply::redirect(&format!("/hop/{}", hop.map_or(0, |n| n.parse::<u32>().unwrap() + 1))),
    })
    .await;
    bench.is_whole(&bench.fetch(&far).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_there() {
    let bench = Bench::new(MB);
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = bench.fetch_from(&[format!("http://127.0.0.1:{port}/{NAME}")]).await.unwrap_err();
    assert_eq!(ErrorReport::from(error).code, ErrorCode::NetworkUnavailable);
    let error = bench.fetch_from(&["https://no-such-host.invalid/model.gguf".into()]).await.unwrap_err();
    assert_eq!(ErrorReport::from(error).code, ErrorCode::NetworkUnavailable);
}

// ---------------------------------------------------------------------------------------------------------------------
// Lengths, rates, versions, hashes
// ---------------------------------------------------------------------------------------------------------------------

#[tokio::test(flavor = "multi_thread")]
async fn another_length_than_expected_is_refused() {
    let bench = Bench::new(2 * MB);
    let server = bench.good().await;
    let client = HubClient::new(quick(&server.base())).unwrap();
    let plan = DownloadPlan {
        parts: vec![RemotePart { file_name: NAME.into(), urls: vec![server.url("/m/model-Q4_0.gguf")] }],
        folder: bench.folder.path().into(),
        bytes: Some(bench.content.len() as u64 + 1),
        sha256: None,
    };
    let error = bench.fetch_with(&client, &plan).await.unwrap_err();
    assert_eq!(ErrorReport::from(error).code, ErrorCode::DownloadLengthMismatch);
    // The hub says another length than the host that it leads to.
    let content = bench.content.clone();
    let server =
        Server::start(move |request| Reply::file(request, &content, "\"v1\"").with("X-Linked-Size", "5")).await;
    bench.fails(&server, ErrorCode::DownloadLengthMismatch).await;
    // No length at all.
    let content = bench.content.clone();
    let server = Server::start(move |request| {
        let mut reply = Reply::whole_file(request, &content, "");
        reply.length = None;
        reply
    })
    .await;
    bench.fails(&server, ErrorCode::DownloadLengthMismatch).await;
    // Nothing at all.
    let server = Server::start(|request| Reply::file(request, &Arc::default(), "")).await;
    bench.fails(&server, ErrorCode::DownloadLengthMismatch).await;
    assert_eq!(bench.files(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_too_short_or_too_long_is_refused() {
    for longer in [false, true] {
        let mut bench = Bench::new(3 * MB);
        let kept = bench.begin().await;
        let content = bench.content.clone();
        let server = Server::start(move |request| {
            let mut reply = Reply::whole_file(request, &content, "\"v1\"");
            if request.n > 0 {
                let mut body = content.to_vec();
                if longer {
                    body.extend_from_slice(&[0; 100]);
                } else {
                    body.truncate(body.len() - 100);
                }
                reply.piece = 0..body.len();
                reply.body = Arc::new(body);
                reply.length = None;
            }
            reply
        })
        .await;
        bench.fails(&server, ErrorCode::DownloadLengthMismatch).await;
        assert!(bench.partial().unwrap().bytes >= kept.bytes);
        bench.completes().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_falls_silent_is_given_up() {
    let mut bench = Bench::new(4 * MB);
    let server = bench
        .then(|_, mut reply| {
            reply.cut = Some(300_000);
            reply.hang = true;
            reply
        })
        .await;
    bench.attempts = 1;
    bench.fails(&server, ErrorCode::DownloadStalled).await;
    assert!(bench.partial().unwrap().bytes >= BLOCK);
    bench.attempts = 3;
    bench.completes().await;
    // Silent from the start.
    let bench = Bench::new(MB);
    let server = Server::start(|_| {
        let mut reply = Reply::new(200, b"GGUF");
        reply.length = Some(100);
        reply.hang = true;
        reply
    })
    .await;
    bench.fails(&server, ErrorCode::DownloadStalled).await;
    assert_eq!(bench.files(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_drip_is_a_stall() {
    let mut bench = Bench::new(4 * MB);
    bench.begin().await;
    let kept = bench.partial();
    // A few bytes often enough that no pause is ever long.
    let server = bench
        .then(|_, mut reply| {
            reply.pace = Some((3, Duration::from_millis(50)));
            reply
        })
        .await;
    bench.fails(&server, ErrorCode::DownloadStalled).await;
    assert_eq!(bench.partial(), kept);
    bench.completes().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hash_that_is_known_is_checked() {
    let mut bench = Bench::new(3 * MB);
    let wrong = "0".repeat(64);
    bench.sha256 = Some(wrong.clone());
    let server = bench.good().await;
    bench.fails(&server, ErrorCode::DownloadChecksumMismatch).await;
    assert_eq!(bench.files(), [""; 0]);
    // The hub says beforehand that it has another one: not a block is fetched.
    let (content, etag) = (bench.content.clone(), format!("\"{}\"", sha256(&bench.content)));
    let hub = move |request: &Request| Reply::file(request, &content, "\"v1\"").with("X-Linked-Etag", &etag);
    let server = Server::start(hub.clone()).await;
    bench.fails(&server, ErrorCode::DownloadChecksumMismatch).await;
    assert_eq!(server.requests().len(), 1);
    // What the hub says counts where nothing else is known.
    bench.sha256 = None;
    bench.is_whole(&bench.fetch(&server).await.unwrap());
    std::fs::remove_file(bench.path(NAME)).unwrap();
    let lie = format!("\"{wrong}\"");
    let server = Server::start(move |request| hub(request).with("X-Linked-Etag", &lie)).await;
    bench.fails(&server, ErrorCode::DownloadChecksumMismatch).await;
    assert_eq!(bench.files(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_changes_is_never_mixed_with_the_old_one() {
    let mut bench = Bench::new(4 * MB);
    let kept = bench.begin().await;
    let new = model(4 * MB, 21);
    assert_eq!(new.len(), bench.content.len());
    // It changes right after it was asked about: `If-Range` brings all of the new file.
    let content = new.clone();
    let server = bench.then(move |request, _| Reply::file(request, &content, "\"v2\"")).await;
    bench.fails(&server, ErrorCode::DownloadChanged).await;
    assert_eq!(bench.partial(), Some(kept.clone()), "not a byte of the new file");
    // The same from a server that cares for no `If-Range`.
    let content = new.clone();
    let server = bench
        .then(move |request, _| {
            let mut request = request.clone();
            request.headers.remove("if-range");
            Reply::file(&request, &content, "\"v2\"")
        })
        .await;
    bench.fails(&server, ErrorCode::DownloadChanged).await;
    assert_eq!(bench.partial(), Some(kept));
    // Resumed, it starts over with the new file.
    bench.content = new.clone();
    let server = Server::start(move |request| Reply::file(request, &new, "\"v2\"")).await;
    let downloaded = bench.fetch(&server).await.unwrap();
    assert!(bench.noted(&DownloadNote::StartsOver), "and says so");
    assert_eq!(downloaded.fetched, bench.content.len() as u64);
    bench.is_whole(&downloaded);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_with_other_bytes_than_before_is_another_file() {
    let mut bench = Bench::new(4 * MB);
    bench.begin().await;
    let kept = bench.partial();
    let other = model(4 * MB, 33);
    // No ranges, and a mark that does not change with the file.
    let server = Server::start(move |request| Reply::whole_file(request, &other, "\"v1\"")).await;
    bench.fails(&server, ErrorCode::DownloadChanged).await;
    assert_eq!(bench.partial(), kept);
    bench.completes().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_well_and_is_no_model_gets_no_name() {
    for (bytes, code) in [
        (common::Gguf::tiny().without("general.architecture").bytes(), ErrorCode::ModelFileCorrupt),
        (
            common::Gguf::tiny().with("general.architecture", common::string_value("nothing-yet")).bytes(),
            ErrorCode::ModelArchitectureUnknown,
        ),
    ] {
        let mut bench = Bench::new(0);
        bench.content = Arc::new(bytes);
        let server = bench.good().await;
        bench.fails(&server, code).await;
        if code == ErrorCode::ModelArchitectureUnknown {
            // A newer version may know it, and needs no second download.
            assert_eq!(bench.partial().unwrap().bytes, bench.content.len() as u64);
        } else {
            assert_eq!(bench.files(), [""; 0]);
        }
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// Disk
// ---------------------------------------------------------------------------------------------------------------------

#[tokio::test(flavor = "multi_thread")]
async fn too_little_space_is_noticed_before_and_in_the_middle() {
    let mut bench = Bench::new(4 * MB);
    let total = bench.content.len() as u64;
    bench.options.keep_free_bytes = 1000;
    bench.options.free_bytes = Arc::new(move |_: &Path| Some(total + 999));
    let server = bench.good().await;
    let report = bench.fails(&server, ErrorCode::DiskFull).await;
    assert!(report.hint.unwrap().contains("1 MB"));
    assert_eq!(server.requests().len(), 1, "nothing was fetched");
    bench.options.free_bytes = Arc::new(move |_: &Path| Some(total + 1000));
    bench.is_whole(&bench.fetch(&server).await.unwrap());

    // What is here already needs no space.
    let mut bench = Bench::new(4 * MB);
    let kept = bench.begin().await;
    bench.options.free_bytes = Arc::new(move |_: &Path| Some(total - kept.bytes));
    bench.completes().await;

    // Somebody else fills the disk meanwhile.
    let mut bench = Bench::new(4 * MB);
    let full = Arc::new(AtomicBool::new(false));
    let fills = full.clone();
    let server = bench
        .then(move |_, mut reply| {
            fills.store(true, Ordering::SeqCst);
            reply.pace = Some((4096, Duration::from_millis(20)));
            reply
        })
        .await;
    bench.options.keep_free_bytes = 1000;
    bench.options.free_bytes = Arc::new(move |_: &Path| Some(if full.load(Ordering::SeqCst) { 999 } else { u64::MAX }));
    bench.fails(&server, ErrorCode::DiskFull).await;
    bench.options = DownloadOptions::default();
    bench.completes().await;
}

/// A device that has never any space, as Linux provides one.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn no_space_left_while_writing() {
    let mut bench = Bench::new(4 * MB);
    bench.begin().await;
    let (partial, aside) = (bench.path(&format!("{NAME}.partial")), bench.path("aside"));
    std::fs::rename(&partial, &aside).unwrap();
    std::os::unix::fs::symlink("/dev/full", &partial).unwrap();
    let server = bench.good().await;
    let report = bench.fails(&server, ErrorCode::DiskFull).await;
    assert!(report.hint.unwrap().contains("kept"));
    std::fs::remove_file(&partial).unwrap();
    std::fs::rename(&aside, &partial).unwrap();
    bench.completes().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_leads_elsewhere_is_refused() {
    let bench = Bench::new(MB);
    let server = bench.good().await;
    let client = HubClient::new(quick(&server.base())).unwrap();
    for name in ["../model.gguf", "a/b.gguf", "..\\m.gguf", ".hidden.gguf", "CON.gguf", "model.bin", "a\0.gguf", ""] {
        let plan = DownloadPlan {
            parts: vec![RemotePart { file_name: name.into(), urls: vec![server.url("/m.gguf")] }],
            folder: bench.folder.path().join("models"),
            bytes: None,
            sha256: None,
        };
        let report = ErrorReport::from(bench.fetch_with(&client, &plan).await.unwrap_err());
        assert_eq!(report.code, ErrorCode::FileNameUnsafe, "{name}: {report:?}");
    }
    assert_eq!(server.requests().len(), 0);
    assert_eq!(bench.files(), ["models"]);
}

// ---------------------------------------------------------------------------------------------------------------------
// Several hosts, several parts
// ---------------------------------------------------------------------------------------------------------------------

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_that_fails_is_left_for_the_hub() {
    let bench = Bench::new(5 * MB);
    let hub = bench.good().await;
    for (i, status) in [404, 500, 403, 429].into_iter().enumerate() {
        let bench = Bench::new(5 * MB);
        // It fails at once, or after a while.
        let mirror = if i % 2 == 0 {
            Server::start(move |_| Reply::new(status, b"")).await
        } else {
            bench.then(move |_, _| Reply::new(status, b"")).await
        };
        let urls = [mirror.url("/mirror/m/model-Q4_0.gguf"), hub.url("/m/model-Q4_0.gguf")];
        bench.is_whole(&bench.fetch_from(&urls).await.unwrap());
        assert!(!mirror.requests().is_empty());
    }
    // The mirror has another file: it is not mixed in.
    let other = model(5 * MB, 55);
    let mirror = Server::start(move |request| Reply::file(request, &other, "\"other\"")).await;
    let content = bench.content.clone();
    let dying = bench.then(move |request, _| {
        let mut reply = Reply::file(request, &content, "\"v1\"");
        reply.cut = Some(MB);
        if request.n > 4 { Reply::new(500, b"") } else { reply }
    });
    let urls = [dying.await.url("/m/model-Q4_0.gguf"), mirror.url("/m/model-Q4_0.gguf"), hub.url("/m/model-Q4_0.gguf")];
    bench.is_whole(&bench.fetch_from(&urls).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_word_is_the_hubs() {
    let bench = Bench::new(MB);
    let mirror = Server::start(|_| Reply::new(404, b"")).await;
    let hub = Server::start(|_| Reply::new(401, b"")).await;
    let error = bench.fetch_from(&[mirror.url("/m.gguf"), hub.url("/m.gguf")]).await.unwrap_err();
    assert_eq!(ErrorReport::from(error).code, ErrorCode::DownloadTokenRequired);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_expires_is_renewed() {
    let bench = Bench::new(6 * MB);
    let (content, etag) = (bench.content.clone(), format!("\"{}\"", sha256(&bench.content)));
    // Good for three requests.
    let store = Server::start(move |request| {
        let link: usize = request.path.rsplit_once("sig=").unwrap().1.parse().unwrap();
        if request.n >= link + 3 { Reply::new(403, b"") } else { Reply::file(request, &content, "\"cdn\"") }
    })
    .await;
    let links = store.clone();
    let hub = Server::start(move |_| {
        Reply::redirect(&links.url(&format!("/blob?sig={}", links.requests().len()))).with("X-Linked-Etag", &etag)
    })
    .await;
    let mut bench = bench;
    bench.attempts = 20;
    let downloaded = bench.fetch(&hub).await.unwrap();
    bench.is_whole(&downloaded);
    assert!(hub.requests().len() > 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_signed_leaves_no_trace() {
    let mut bench = Bench::new(3 * MB);
    bench.attempts = 1;
    let server = bench
        .then(|_, mut reply| {
            reply.cut = Some(600_000);
            reply
        })
        .await;
    let error = bench.fetch_from(&[server.url("/m/model-Q4_0.gguf?sig=SECRET")]).await.unwrap_err();
    let words = format!("{error:?} {error}");
    assert!(!format!("{words} {:?}", ErrorReport::from(error)).contains("SECRET"));
    let journal = std::fs::read_to_string(bench.path(&format!("{NAME}.partial.journal"))).unwrap();
    assert!(journal.contains("/m/model-Q4_0.gguf") && !journal.contains("SECRET"), "{journal}");
}

// ---------------------------------------------------------------------------------------------------------------------
// TLS
// ---------------------------------------------------------------------------------------------------------------------

fn acceptor(name: &str) -> (tokio_rustls::TlsAcceptor, String) {
    use tokio_rustls::rustls;
    let rcgen::CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![cert.der().clone()],
            rustls::pki_types::PrivatePkcs8KeyDer::from(signing_key.serialize_der()).into(),
        )
        .unwrap();
    (tokio_rustls::TlsAcceptor::from(Arc::new(config)), cert.pem())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_nobody_vouches_for_is_refused() {
    let bench = Bench::new(MB);
    let content = bench.content.clone();
    let (tls, _) = acceptor("localhost");
    let server = Server::start_with(move |request| Reply::file(request, &content, "\"v1\""), Some(tls)).await;
    let url = format!("https://localhost:{}/{NAME}", server.port);
    let report = ErrorReport::from(bench.fetch_from(&[url]).await.unwrap_err());
    assert_eq!(report.code, ErrorCode::TlsFailed, "{report:?}");
    assert_eq!(server.requests().len(), 0, "not even asked");
    assert_eq!(bench.files(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_speaks_no_tls_is_refused() {
    let bench = Bench::new(MB);
    let server = bench.good().await;
    let url = format!("https://localhost:{}/{NAME}", server.port);
    let report = ErrorReport::from(bench.fetch_from(&[url]).await.unwrap_err());
    assert_eq!(report.code, ErrorCode::TlsFailed, "{report:?}");
}

/// Where the system's certificates can be replaced for one process, one that vouches for the server is believed.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_the_system_trusts_is_believed() {
    const URL: &str = "POCKETBENCH_TEST_TLS_URL";
    if let Ok(url) = std::env::var(URL) {
        // The second process, in which the system knows the certificate.
        let bench = Bench::new(MB);
        bench.is_whole(&bench.fetch_from(&[url]).await.unwrap());
        return;
    }
    let content = model(MB, 7);
    let (tls, pem) = acceptor("localhost");
    let server = Server::start_with(move |request| Reply::file(request, &content, "\"v1\""), Some(tls)).await;
    let folder = tempfile::tempdir().unwrap();
    let trusted = folder.path().join("trusted.pem");
    std::fs::write(&trusted, pem).unwrap();
    let status = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_certificate_that_the_system_trusts_is_believed"])
        .env(URL, format!("https://localhost:{}/{NAME}", server.port))
        .env("SSL_CERT_FILE", trusted)
        .stdout(std::process::Stdio::null())
        .status()
        .await
        .unwrap();
    assert!(status.success());
    assert!(server.requests().len() > 1, "over TLS");
}
