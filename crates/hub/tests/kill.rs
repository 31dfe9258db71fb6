//! A download that is killed at any moment goes on from there: the right hash in the end, and little fetched twice.
//!
//! The program that is killed is this very test, started again with an environment that tells it to download.
//! `POCKETBENCH_KILLS=200` makes as many kills as the figure in the docs stands on.

mod common;
mod server;

use pocketbench_hub::{
    CancellationToken, ClientOptions, DownloadOptions, DownloadPlan, HubClient, RemotePart, partial_files,
};
use server::{Reply, Server, model, sha256};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

const FOLDER: &str = "POCKETBENCH_TEST_FETCH_INTO";
const URL: &str = "POCKETBENCH_TEST_FETCH_FROM";
const NAME: &str = "model.gguf";
/// What may be fetched twice after a kill.
const AGAIN: u64 = 4_000_000;

/// Not a test of its own: what the test below starts and kills.
#[test]
fn fetch() {
    let (Ok(folder), Ok(url)) = (std::env::var(FOLDER), std::env::var(URL)) else { return };
    let plan = DownloadPlan {
        parts: vec![RemotePart { file_name: NAME.into(), urls: vec![url.clone()] }],
        folder: folder.into(),
        bytes: None,
        sha256: None,
    };
    let client = HubClient::new(ClientOptions { hub: url, ..ClientOptions::default() }).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let options = DownloadOptions::default();
    runtime.block_on(client.download(&plan, &options, &mut |_| (), &CancellationToken::new())).unwrap();
}

/// Starts a download; kills it after a while, if that is before its end. Also gives how many bytes the program had got by
/// then: those that the server sent, less those that the system still held for it.
fn fetch_and_kill(folder: &Path, server: &Server, after: Option<Duration>) -> (ExitStatus, u64) {
    let before = server.sent();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "fetch", "--nocapture"])
        .env(FOLDER, folder)
        .env(URL, server.url("/model.gguf"))
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut got = 0;
    if let Some(after) = after {
        std::thread::sleep(after);
        // Where nobody tells what is unread, everything counts as read.
        let mut unread = 0;
        if cfg!(target_os = "linux") {
            let _ = Command::new("kill").args(["-STOP", &child.id().to_string()]).status();
            unread = queued(server.port);
        }
        got = (server.sent() - before).saturating_sub(unread);
        child.kill().unwrap();
    }
    (child.wait().unwrap(), got)
}

/// Bytes between this server and its clients that nobody has read yet, as Linux tells.
fn queued(port: u16) -> u64 {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    let queue = |line: &str| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let is = |column: &str| column.rsplit_once(':').is_some_and(|(_, p)| u16::from_str_radix(p, 16) == Ok(port));
        let (sending, receiving) = columns.get(4)?.split_once(':')?;
        let ours = if is(columns[1]) { sending } else { receiving };
        (is(columns[1]) || is(columns[2])).then(|| u64::from_str_radix(ours, 16).ok()).flatten()
    };
    // The listening socket counts connections there, of which none wait.
    table.lines().skip(1).filter_map(queue).sum()
}

#[test]
fn a_download_that_is_killed_again_and_again_completes() {
    let kills: u32 = std::env::var("POCKETBENCH_KILLS").ok().map_or(12, |n| n.parse().unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let content = model(32 << 20, 5);
    let hash = sha256(&content);
    let served = content.clone();
    // Fast enough to keep four connections busy, and slow enough to be killed in the middle.
    let server = runtime.block_on(Server::start(move |request| {
        let mut reply = Reply::file(request, &served, "\"v1\"");
        reply.pace = Some((64 << 10, Duration::from_millis(6)));
        reply
    }));
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let (mut killed, mut downloads, mut most_again) = (0, 0, 0);
    while killed < kills {
        let folder = tempfile::tempdir().unwrap();
        downloads += 1;
        loop {
            let here = partial_files(folder.path()).first().map_or(0, |partial| partial.bytes);
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let after = Duration::from_micros((random >> 33) % 700_000);
            let (status, got) = fetch_and_kill(folder.path(), &server, (killed < kills).then_some(after));
            if status.success() {
                break;
            }
            assert!(killed < kills, "nobody killed it");
            killed += 1;
            // Killed after the file got its name: all of it is there, and without a journal it was done already.
            let named = folder.path().join(NAME).exists();
            let partial = partial_files(folder.path()).first().map_or(0, |partial| partial.bytes);
            let kept = if named { content.len() as u64 } else { partial };
            assert!(kept >= here, "kill {killed}: {kept} of {here} bytes are left");
            // All that it got and is not here will be fetched again. What it never saw is left out: on a machine that is
            // busy with other things, this server runs ahead of the program as no network would.
            let again = got.saturating_sub(kept - here);
            assert!(again <= AGAIN, "kill {killed} after {after:?}: {again} bytes are fetched twice");
            most_again = most_again.max(again);
            if named && !folder.path().join(format!("{NAME}.partial.journal")).exists() {
                break;
            }
        }
        let path = folder.path().join(NAME);
        assert_eq!(sha256(&std::fs::read(&path).unwrap()), hash);
        assert_eq!(folder.path().read_dir().unwrap().count(), 1, "nothing else is left");
    }
    assert!(killed >= kills && downloads > 0);
    assert!(most_again > 0, "some kills must hit a transfer, or this proves nothing");
    let total = server.sent() - downloads * content.len() as u64;
    println!("{killed} kills over {downloads} downloads: at most {most_again} bytes fetched twice, {total} in all");
}
