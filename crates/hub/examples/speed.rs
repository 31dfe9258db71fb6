//! Downloads one gigabyte from a server on this machine, with our own client and with curl, in turn and to the same disk.
//!
//!     speed [ROUNDS [MEGABYTES [FOLDER]]]     default: 5 rounds, 1024 MB, the system's folder for temporary files
//!
//! Ours hashes, keeps a journal and forces the file to the disk before it gives it its name; curl does none of that. So the
//! table has curl as it is, and curl followed by `sync` of its file. Each is a process of its own.

#![allow(clippy::format_push_string, reason = "plain is better than fast here")]

#[path = "../tests/common/mod.rs"]
mod common;

use pocketbench_hub::{CancellationToken, ClientOptions, DownloadOptions, DownloadPlan, HubClient, RemotePart};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

type Anything = Box<dyn std::error::Error>;

fn main() -> Result<(), Anything> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve", file] => serve(Path::new(file)),
        ["fetch", url, folder] => fetch(url, Path::new(folder)),
        ref numbers => {
            let number = |i: usize, default: u64| numbers.get(i).map_or(Ok(default), |n| n.parse());
            let folder = numbers.get(2).map_or_else(std::env::temp_dir, PathBuf::from);
            compare(number(0, 5)?, number(1, 1024)?, &folder)
        }
    }
}

fn compare(rounds: u64, megabytes: u64, folder: &Path) -> Result<(), Anything> {
    let folder = tempfile::tempdir_in(folder)?;
    let source = folder.path().join("source.gguf");
    let bytes = write_model(&source, megabytes)?;
    let this = std::env::current_exe()?;
    let mut server = Command::new(&this).arg("serve").arg(&source).stdout(Stdio::piped()).spawn()?;
    let mut address = String::new();
    BufReader::new(server.stdout.take().ok_or("no output")?).read_line(&mut address)?;
    let url = format!("http://{}/model.gguf", address.trim());
    let target = folder.path().join("model.gguf");

    let (mut ours, mut curl, mut synced, mut grown) = (Vec::new(), Vec::new(), Vec::new(), 0_u64);
    for round in 0..=rounds {
        // The first round warms up.
        let counts = round > 0;
        let turn = |command: &mut Command| -> Result<(Duration, String), Anything> {
            Command::new("sync").status()?;
            let begun = Instant::now();
            let output = command.stderr(Stdio::inherit()).output()?;
            let took = begun.elapsed();
            if !output.status.success() || target.metadata()?.len() != bytes {
                return Err(format!("{command:?} failed").into());
            }
            Ok((took, String::from_utf8(output.stdout)?))
        };
        let (took, said) = turn(Command::new(&this).arg("fetch").arg(&url).arg(folder.path()))?;
        std::fs::remove_file(&target)?;
        grown = grown.max(said.trim().parse()?);
        let (plain, _) = turn(Command::new("curl").args(["--silent", "--fail", "--output"]).arg(&target).arg(&url))?;
        let begun = Instant::now();
        Command::new("sync").arg(&target).status()?;
        let after = begun.elapsed();
        std::fs::remove_file(&target)?;
        if counts {
            ours.push(took.as_secs_f64());
            curl.push(plain.as_secs_f64());
            synced.push((plain + after).as_secs_f64());
        }
    }
    server.kill()?;
    server.wait()?;
    let (ours, curl, synced) = (median(ours), median(curl), median(synced));
    let rate = |seconds: f64| bytes as f64 / seconds / 1e6;
    println!("| download of {} MB from this machine, median of {rounds} | MB/s |", bytes / 1_000_000);
    println!("|---|---:|");
    println!("| Pocketbench, hashed and on the disk | {:.0} |", rate(ours));
    println!("| curl, in the page cache | {:.0} |", rate(curl));
    println!("| curl, and `sync` of its file | {:.0} |", rate(synced));
    println!("| ratio to curl | {:.2} |", curl / ours);
    println!("| ratio to curl with `sync` | {:.2} |", synced / ours);
    println!("| memory on top, at most | {:.1} MB |", grown as f64 / 1e6);
    Ok(())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A model of this size whose weights do not repeat.
fn write_model(path: &Path, megabytes: u64) -> Result<u64, Anything> {
    let rows = megabytes * (1 << 20) / 256;
    let mut gguf = common::Gguf::tiny();
    gguf.tensors.push(common::tensor("output.weight", &[64, rows], 0, rows * 256));
    let mut file = std::io::BufWriter::new(File::create(path)?);
    file.write_all(&gguf.header())?;
    let mut state = 1_u64;
    for _ in 0..gguf.data_bytes().div_ceil(8) {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        file.write_all(&state.to_le_bytes())?;
    }
    let file = file.into_inner()?;
    file.sync_all()?;
    Ok(file.metadata()?.len())
}

/// Serves one file with ranges, as cheaply as the system can. Prints its address first.
fn serve(path: &Path) -> Result<(), Anything> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?);
    for stream in listener.incoming() {
        let (stream, path) = (stream?, path.to_owned());
        // A client that hangs up ends its thread with an error.
        std::thread::spawn(move || answer(&stream, &path).is_ok());
    }
    Ok(())
}

fn answer(stream: &TcpStream, path: &Path) -> Result<(), Anything> {
    stream.set_nodelay(true)?;
    let mut file = File::open(path)?;
    let total = file.metadata()?.len();
    let mut lines = BufReader::new(stream).lines();
    let mut buffer = vec![0; 256 << 10];
    while let Some(Ok(_)) = lines.next() {
        let mut range = None;
        while let Some(Ok(line)) = lines.next() {
            if let Some(asked) = line.to_ascii_lowercase().strip_prefix("range: bytes=") {
                let (start, end) = asked.split_once('-').ok_or("no range")?;
                range = Some((start.parse::<u64>()?, end.parse::<u64>()?.min(total - 1) + 1));
            }
            if line.is_empty() {
                break;
            }
        }
        let (start, end) = range.unwrap_or((0, total));
        let mut head = format!("HTTP/1.1 {}\r\n", if range.is_some() { "206 Partial Content" } else { "200 OK" });
        if range.is_some() {
            head += &format!("Content-Range: bytes {start}-{}/{total}\r\n", end - 1);
        }
        head += &format!("ETag: \"one\"\r\nContent-Length: {}\r\n\r\n", end - start);
        let mut to = stream;
        to.write_all(head.as_bytes())?;
        file.seek(SeekFrom::Start(start))?;
        let mut left = usize::try_from(end - start)?;
        while left > 0 {
            let n = file.read(&mut buffer[..left.min(256 << 10)])?;
            to.write_all(&buffer[..n])?;
            left -= n;
        }
    }
    Ok(())
}

/// Fetches as the app does; prints by how many bytes the process has grown meanwhile.
fn fetch(url: &str, folder: &Path) -> Result<(), Anything> {
    let client = HubClient::new(ClientOptions { hub: url.into(), ..ClientOptions::default() })?;
    let plan = DownloadPlan {
        parts: vec![RemotePart { file_name: "model.gguf".into(), urls: vec![url.into()] }],
        folder: folder.into(),
        bytes: None,
        sha256: None,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let before = memory("VmRSS")?;
    let options = DownloadOptions::default();
    runtime.block_on(client.download(&plan, &options, &mut |_| (), &CancellationToken::new()))?;
    println!("{}", memory("VmHWM")?.saturating_sub(before));
    Ok(())
}

/// A figure of this process's memory in bytes; 0 where the system does not tell.
fn memory(name: &str) -> Result<u64, Anything> {
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else { return Ok(0) };
    let line = status.lines().find_map(|line| line.strip_prefix(name)).ok_or("no such figure")?;
    let kilobytes: u64 = line.split_whitespace().nth(1).ok_or("no number")?.parse()?;
    Ok(kilobytes * 1024)
}
