//! Addresses, tokens, remote headers, repositories and catalogues from the network.

mod common;
mod server;

use common::{Gguf, string_array, string_value, tensor, u16_value, u32_value};
use pocketbench_domain::catalogue::ModelSource;
use pocketbench_domain::error::{ErrorCode, ErrorReport};
use pocketbench_hub::{
    CancellationToken, CatalogueTrust, ClientOptions, DownloadOptions, DownloadPlan, HubClient, Reference, RemoteError,
    RemotePart, RepositoryRef, Token, parse_reference, safe_file_name, verify_catalogue,
};
use proptest::prelude::*;
use server::{Reply, Request, Server, model, sha256};
use std::sync::Arc;
use std::time::Duration;

const MB: usize = 1 << 20;

fn quick(hub: &str) -> ClientOptions {
    ClientOptions {
        hub: hub.into(),
        stall_timeout: Duration::from_millis(400),
        attempts: 3,
        backoff: Duration::from_millis(2),
        ..ClientOptions::default()
    }
}

fn client(hub: &str) -> HubClient {
    HubClient::new(quick(hub)).unwrap()
}

fn file(repository: &str, path: &str) -> ModelSource {
    ModelSource::Repository { repository: repository.into(), revision: "main".into(), path: path.into() }
}

fn code<T: std::fmt::Debug>(result: Result<T, RemoteError>) -> ErrorCode {
    ErrorReport::from(result.unwrap_err()).code
}

// ---------------------------------------------------------------------------------------------------------------------
// Addresses and names
// ---------------------------------------------------------------------------------------------------------------------

#[test]
fn what_people_paste_is_understood() {
    let repository = |repository: &str, revision: &str| {
        Reference::Repository(RepositoryRef { repository: repository.into(), revision: revision.into() })
    };
    let at = |repository: &str, revision: &str, path: &str| {
        Reference::File(ModelSource::Repository {
            repository: repository.into(),
            revision: revision.into(),
            path: path.into(),
        })
    };
    let url = |url: &str| Reference::File(ModelSource::Url { url: url.into() });
    for (text, meant) in [
        (" Qwen/Qwen3-4B-GGUF\n", repository("Qwen/Qwen3-4B-GGUF", "main")),
        ("https://huggingface.co/Qwen/Qwen3-4B-GGUF", repository("Qwen/Qwen3-4B-GGUF", "main")),
        ("https://huggingface.co/Qwen/Qwen3-4B-GGUF/", repository("Qwen/Qwen3-4B-GGUF", "main")),
        ("https://huggingface.co/a/b/tree/v1.0", repository("a/b", "v1.0")),
        ("https://huggingface.co/a/b/tree/refs%2Fpr%2F3", repository("a/b", "refs/pr/3")),
        ("https://hub.example/a/b", repository("https://hub.example/a/b", "main")),
        ("http://localhost:8080/a/b/tree/x", repository("http://localhost:8080/a/b", "x")),
        ("https://huggingface.co/a/b/blob/main/sub/m%20x.gguf?download=true", at("a/b", "main", "sub/m x.gguf")),
        ("https://huggingface.co/a/b/resolve/c0ffee/m.gguf", at("a/b", "c0ffee", "m.gguf")),
        ("https://hub.example/a/b/resolve/main/m.gguf", at("https://hub.example/a/b", "main", "m.gguf")),
        ("https://example.org/files/m.gguf", url("https://example.org/files/m.gguf")),
        ("https://example.org/m.GGUF?sig=1", url("https://example.org/m.GGUF?sig=1")),
        ("http://127.0.0.1:9/m.gguf", url("http://127.0.0.1:9/m.gguf")),
        ("http://[::1]:9/m.gguf", url("http://[::1]:9/m.gguf")),
    ] {
        assert_eq!(parse_reference(text).unwrap(), meant, "{text}");
    }
}

#[test]
fn what_nobody_should_fetch_is_refused() {
    for text in [
        "",
        "model",
        "a/b/c",
        "../b",
        "a/..",
        "a b/c",
        "http://example.org/m.gguf",
        "ftp://example.org/m.gguf",
        "file:///etc/passwd",
        "https://example.org/",
        "https://example.org/m.safetensors",
        "https://example.org/a/b/c/d",
        "https://",
        "https://name:hunter2@example.org/m.gguf",
        "http://localhost.example.org/m.gguf",
        "http://127.0.0.1.example.org/m.gguf",
    ] {
        let report = ErrorReport::from(parse_reference(text).unwrap_err());
        assert_eq!(report.code, ErrorCode::UrlInvalid, "{text}");
        assert!(!format!("{report:?}").contains("hunter2"));
    }
    for text in [
        "https://huggingface.co/a/b/resolve/main/..%2F..%2Fm.gguf",
        "https://huggingface.co/a/b/resolve/main/m.safetensors",
        "https://example.org/..%5cm.gguf",
        "https://example.org/a%00.gguf",
    ] {
        assert_eq!(code(parse_reference(text)), ErrorCode::FileNameUnsafe, "{text}");
    }
    for (hub, mirror, proxy) in [
        ("http://hub.example", None, None),
        ("nonsense", None, None),
        ("https://hub.example", Some("http://mirror.example"), None),
        ("https://hub.example", None, Some("::nonsense::")),
    ] {
        let options =
            ClientOptions { mirror: mirror.map(str::to_owned), proxy: proxy.map(str::to_owned), ..quick(hub) };
        assert_eq!(code(HubClient::new(options)), ErrorCode::UrlInvalid, "{hub} {mirror:?} {proxy:?}");
    }
}

#[test]
fn names_stay_in_the_folder() {
    for name in ["m.gguf", "Phi-4-mini Q4_K_M (1).gguf", "模型.gguf", "COM.gguf", "COM10.gguf", "a.b.GGUF", "null.gguf"]
    {
        assert_eq!(safe_file_name(name).unwrap(), name);
    }
    let long = format!("{}.gguf", "x".repeat(196));
    for name in [
        "",
        ".gguf",
        "m",
        "m.gguf.exe",
        "../m.gguf",
        "a/m.gguf",
        "a\\m.gguf",
        "a..gguf",
        ".m.gguf",
        " m.gguf",
        "-m.gguf",
        "CON.gguf",
        "con.x.gguf",
        "Aux .gguf",
        "NUL.gguf",
        "com1.gguf",
        "LPT9.x.gguf",
        "COM¹.gguf",
        "C:m.gguf",
        "m?.gguf",
        "m\n.gguf",
        "m\0.gguf",
        "m\u{202e}fugg.gguf",
        "m\u{200b}.gguf",
        &long,
    ] {
        assert_eq!(code(safe_file_name(name)), ErrorCode::FileNameUnsafe, "{name:?}");
    }
    safe_file_name(&long[1..]).unwrap();
}

proptest! {
    #[test]
    fn no_name_leads_out_of_the_folder(name in "\\PC*|[./\\\\a-zA-Z%:\\x00-\\x1f]{0,12}(\\.gguf)?") {
        if let Ok(name) = safe_file_name(&name) {
            let folder = std::path::Path::new("/models");
            let path = folder.join(&name);
            prop_assert_eq!(path.parent(), Some(folder));
            prop_assert_eq!(path.components().count(), 3);
            prop_assert!(path.file_name().is_some_and(|last| last == name.as_str()));
        }
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC*|https?://[a-z.:@%/0-9é]{0,30}") {
        if let Ok(Reference::File(source)) = parse_reference(&text) {
            let _ = client("https://hub.example").parts(&source, 1);
        }
    }
}

#[test]
fn parts_are_named_and_found_on_the_mirror_first() {
    let options = ClientOptions { mirror: Some("https://mirror.example/hf/".into()), ..quick("https://hub.example") };
    let client = HubClient::new(options).unwrap();
    let source = ModelSource::Repository {
        repository: "owner/name".into(),
        revision: "refs/pr/1".into(),
        path: "Q4 K/m #1-00001-of-00002.gguf".into(),
    };
    let part = |n: u32| RemotePart {
        file_name: format!("m #1-0000{n}-of-00002.gguf"),
        urls: ["https://mirror.example/hf", "https://hub.example"]
            .map(|base| format!("{base}/owner/name/resolve/refs%2Fpr%2F1/Q4%20K/m%20%231-0000{n}-of-00002.gguf"))
            .into(),
    };
    assert_eq!(client.parts(&source, 2).unwrap(), [part(1), part(2)]);
    let own = client.parts(&file("https://other.example/owner/name", "m.gguf"), 1).unwrap();
    assert_eq!(own[0].urls, ["https://other.example/owner/name/resolve/main/m.gguf"]);
    let url = ModelSource::Url { url: "https://example.org/x/m-00001-of-00003.gguf?k=1".into() };
    let parts = client.parts(&url, 3).unwrap();
    assert_eq!(parts[2].urls, ["https://example.org/x/m-00003-of-00003.gguf?k=1"]);
    assert_eq!(parts[2].file_name, "m-00003-of-00003.gguf");

    assert_eq!(code(client.parts(&file("owner/name", "m.gguf"), 2)), ErrorCode::UrlInvalid);
    assert_eq!(code(client.parts(&file("owner/name", "m-00002-of-00002.gguf"), 2)), ErrorCode::UrlInvalid);
    assert_eq!(code(client.parts(&file("owner", "m.gguf"), 1)), ErrorCode::UrlInvalid);
    for path in ["../m.gguf", "a/../m.gguf", "a//m.gguf", "m.bin", "a/.m.gguf"] {
        assert_eq!(code(client.parts(&file("owner/name", path), 1)), ErrorCode::FileNameUnsafe, "{path}");
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// Tokens
// ---------------------------------------------------------------------------------------------------------------------

const SECRET: &str = "hf_VerySecretToken";

fn token() -> Token {
    Token::new(&format!(" {SECRET}\n")).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_goes_to_its_host_and_nowhere_else() {
    let content = model(3 * MB, 3);
    let etag = format!("\"{}\"", sha256(&content));
    let served = content.clone();
    let store = Server::start(move |request| Reply::file(request, &served, "\"s\"")).await;
    let (target, linked) = (store.url("/blob?sig=1"), etag.clone());
    let hub = Server::start(move |request| {
        let gated = request.header("authorization") != Some(&format!("Bearer {SECRET}"));
        match request.path.as_str() {
            _ if gated => Reply::new(401, b""),
            "/owner/name/resolve/main/m.gguf" => Reply::redirect("/renamed/m.gguf"),
            _ => Reply::redirect(&target).with("X-Linked-Etag", &linked),
        }
    })
    .await;
    let mirror = Server::start(|_| Reply::new(401, b"")).await;
    let options = ClientOptions { mirror: Some(mirror.base()), token: Some(token()), ..quick(&hub.base()) };
    assert!(!format!("{options:?}").contains(SECRET));
    let client = HubClient::new(options).unwrap();
    assert!(!format!("{client:?}").contains(SECRET));
    let folder = tempfile::tempdir().unwrap();
    let plan = DownloadPlan {
        parts: client.parts(&file("owner/name", "m.gguf"), 1).unwrap(),
        folder: folder.path().into(),
        bytes: Some(content.len() as u64),
        sha256: Some(sha256(&content)),
    };
    client.download(&plan, &DownloadOptions::default(), &mut |_| (), &CancellationToken::new()).await.unwrap();
    let with_token = |server: &Server| server.requests().iter().filter(|r| r.header("authorization").is_some()).count();
    assert_eq!(with_token(&hub), hub.requests().len(), "also after a redirect within the host");
    assert!(hub.requests().len() >= 2 && !store.requests().is_empty() && !mirror.requests().is_empty());
    assert_eq!((with_token(&store), with_token(&mirror)), (0, 0));

    // Led away and back again, it stays behind.
    let home = hub.url("/owner/name/resolve/main/m.gguf");
    let detour = Server::start(move |_| Reply::redirect(&home)).await;
    let port = detour.url("/back");
    let hub =
        Server::start(move |request| if request.n == 0 { Reply::redirect(&port) } else { Reply::new(403, b"") }).await;
    let client = HubClient::new(ClientOptions { token: Some(token()), ..quick(&hub.base()) }).unwrap();
    let part = RemotePart { file_name: "m.gguf".into(), urls: vec![hub.url("/m.gguf")] };
    client.probe(&part).await.unwrap_err();
    assert_eq!(with_token(&detour), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gated_repository_asks_for_a_token_and_says_what_is_wrong_with_one() {
    let hub = Server::start(|request| match request.header("authorization") {
        None if request.path.contains("hidden") => Reply::new(403, b""),
        None => Reply::new(401, b"").with("X-Error-Code", "GatedRepo"),
        Some(_) if request.path.contains("bad") => Reply::new(401, b""),
        Some(_) => Reply::new(403, b"").with("X-Error-Code", "GatedRepo"),
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let fetch = async |token: Option<Token>, path: &str| {
        let client = HubClient::new(ClientOptions { token, ..quick(&hub.base()) }).unwrap();
        let plan = DownloadPlan {
            parts: client.parts(&file("owner/gated", path), 1).unwrap(),
            folder: folder.path().into(),
            bytes: None,
            sha256: None,
        };
        let result = client.download(&plan, &DownloadOptions::default(), &mut |_| (), &CancellationToken::new()).await;
        let report = ErrorReport::from(result.unwrap_err());
        assert!(report.hint.is_some() && !format!("{report:?}").contains(SECRET));
        (report.code, report.message)
    };
    let (found, message) = fetch(None, "m.gguf").await;
    assert_eq!(found, ErrorCode::DownloadTokenRequired);
    assert!(message.contains("only to those who have a token"));
    assert_eq!(fetch(None, "hidden.gguf").await.0, ErrorCode::DownloadTokenRequired);
    let (found, message) = fetch(Some(token()), "bad.gguf").await;
    assert_eq!(found, ErrorCode::DownloadTokenRequired);
    assert!(message.contains("does not accept the token"));
    assert_eq!(fetch(Some(token()), "m.gguf").await.0, ErrorCode::DownloadForbidden);
    assert_eq!(folder.path().read_dir().unwrap().count(), 0);
    // The hub hides from strangers what does not exist.
    let hub = Server::start(|_| Reply::new(401, b"").with("X-Error-Code", "RepoNotFound")).await;
    let reference = RepositoryRef { repository: "owner/none".into(), revision: "main".into() };
    assert_eq!(code(client(&hub.base()).repository(&reference).await), ErrorCode::DownloadNotFound);
}

#[test]
fn a_token_is_never_shown_and_never_breaks_a_header() {
    assert!(!format!("{:?}", token()).contains(SECRET));
    for nonsense in ["", "  ", "a b", "a\r\nX: y", "ä", &"x".repeat(600)] {
        assert!(Token::new(nonsense).is_none(), "{nonsense:?}");
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// Headers from afar
// ---------------------------------------------------------------------------------------------------------------------

/// A server of a huge file of which only the start exists.
async fn huge(start: Vec<u8>, total: u64, ranges: bool) -> Server {
    let start = Arc::new(start);
    Server::start(move |request| {
        let mut reply = Reply { body: start.clone(), ..Reply::new(200, b"") };
        if let Some(range) = request.range.clone().filter(|_| ranges) {
            reply.status = 206;
            reply = reply.with("Content-Range", &format!("bytes {}-{}/{total}", range.start, range.end - 1));
            reply.length = Some(range.len());
            reply.piece = range;
        } else {
            reply.length = Some(usize::try_from(total).unwrap());
            reply.piece = 0..start.len();
            reply.hang = true;
        }
        reply.with("X-Linked-Etag", &format!("\"{}\"", "ab".repeat(32)))
    })
    .await
}

/// A model of 5 GB with a vocabulary of several MB.
fn five_gigabytes() -> (Vec<u8>, u64) {
    let words: Vec<String> = (0..150_000).map(|i| format!("word number {i}")).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let rows = 5_000_000_000 / 256;
    let mut gguf = Gguf::tiny().with("tokenizer.ggml.tokens", string_array(&words));
    gguf = gguf.with("llama.vocab_size", u32_value(150_000));
    gguf.tensors.push(tensor("output.weight", &[64, rows], 0, rows * 256));
    let header = gguf.header();
    let total = header.len() as u64 + gguf.data_bytes() as u64;
    (header, total)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_costs_at_most_a_megabyte() {
    let (mut header, total) = five_gigabytes();
    assert!(header.len() > 3 * MB);
    header.resize(header.len() + MB, 0);
    for ranges in [true, false] {
        let server = huge(header.clone(), total, ranges).await;
        let found = client(&server.base()).remote_header(&file("owner/name", "big-Q4_0.gguf"), 1).await.unwrap();
        assert_eq!(found.file_bytes, total);
        assert_eq!(found.sha256, Some("ab".repeat(32)));
        assert!(!found.complete, "the list of tensors comes later");
        assert_eq!((found.header.n_layer, found.header.n_vocab, found.header.n_ctx_train), (2, 150_000, 128));
        assert!(found.fetched_bytes <= MB as u64, "{}", found.fetched_bytes);
        if ranges {
            assert_eq!(server.sent(), found.fetched_bytes, "nothing else was sent");
            assert!(server.requests().len() <= 4);
        }
    }
    // A small header comes with the first request.
    let content = model(2 * MB, 1);
    let server = Server::start(move |request| Reply::file(request, &content, "\"v1\"")).await;
    let found = client(&server.base()).remote_header(&file("owner/name", "small.gguf"), 1).await.unwrap();
    assert!(found.complete);
    assert_eq!((found.fetched_bytes, server.requests().len()), (256 << 10, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_that_breaks_the_rules_is_no_reason_to_download() {
    for (bytes, expected) in [
        (Gguf::tiny().without("general.architecture").bytes(), ErrorCode::ModelFileCorrupt),
        (b"<html>".repeat(100), ErrorCode::DownloadNotAModel),
        (
            Gguf::tiny().with("general.architecture", string_value("nothing-yet")).bytes(),
            ErrorCode::ModelArchitectureUnknown,
        ),
    ] {
        let content = Arc::new(bytes);
        let server = Server::start(move |request| Reply::file(request, &content, "")).await;
        let error = client(&server.base()).remote_header(&file("owner/name", "m.gguf"), 1).await;
        assert_eq!(code(error), expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn probes_and_ranges_say_what_they_find() {
    let content = model(MB, 3);
    let served = content.clone();
    let server = Server::start(move |request| Reply::file(request, &served, "\"v1\"")).await;
    let client = client(&server.base());
    let part = RemotePart { file_name: "m.gguf".into(), urls: vec![server.url("/m.gguf?sig=SECRET")] };
    let probe = client.probe(&part).await.unwrap();
    assert_eq!((probe.bytes, probe.accepts_ranges), (content.len() as u64, true));
    assert_eq!((probe.etag.as_deref(), probe.sha256), (Some("\"v1\""), None));
    assert_eq!(probe.url, server.url("/m.gguf"), "without its query");
    assert_eq!(client.read_range(&part, 100..5000).await.unwrap(), content[100..5000]);
    assert_eq!(code(client.read_range(&part, 9..9).await), ErrorCode::Internal);
    assert_eq!(code(client.read_range(&part, 1 << 40..(1 << 40) + 1).await), ErrorCode::DownloadLengthMismatch);
    let served = content.clone();
    let whole = Server::start(move |request| Reply::whole_file(request, &served, "")).await;
    let part = RemotePart { urls: vec![whole.url("/m.gguf")], ..part };
    assert!(!client.probe(&part).await.unwrap().accepts_ranges);
    assert_eq!(code(client.read_range(&part, 0..10).await), ErrorCode::DownloadRangeInvalid);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_is_fetched_up_to_a_limit() {
    let server = Server::start(|request| {
        let mut reply = Reply::new(200, b"{\"schema\":1}");
        if request.path == "/endless" {
            reply = Reply::new(200, &[b' '; 5000]);
            reply.length = None;
        }
        reply
    })
    .await;
    let client = client(&server.base());
    assert_eq!(client.fetch_text(&server.url("/c.json"), 12).await.unwrap(), b"{\"schema\":1}");
    for (path, most) in [("/c.json", 11), ("/endless", 4999)] {
        let result = client.fetch_text(&server.url(path), most).await;
        assert_eq!(code(result), ErrorCode::DownloadLengthMismatch);
    }
    assert_eq!(code(client.fetch_text("http://example.org/c.json", 10).await), ErrorCode::UrlInvalid);
}

// ---------------------------------------------------------------------------------------------------------------------
// Split models
// ---------------------------------------------------------------------------------------------------------------------

/// The parts of a model, each with a tensor of its own.
fn split(n: u16) -> Vec<Arc<Vec<u8>>> {
    (0..n)
        .map(|no| {
            let mut gguf = Gguf::tiny();
            if no > 0 {
                gguf.entries.clear();
                gguf.tensors.clear();
                gguf.tensors.push(tensor(&format!("blk.{no}.ffn_up.weight"), &[64, 9000], 0, 64 * 9000 * 4));
            }
            let count = i32::from(n - 1 + 3);
            gguf = gguf
                .with("split.no", u16_value(no))
                .with("split.count", u16_value(n))
                .with("split.tensors.count", common::raw_value(5, &count.to_le_bytes()));
            Arc::new(gguf.bytes())
        })
        .collect()
}

fn split_server(parts: &[Arc<Vec<u8>>]) -> impl Fn(&Request) -> Reply + Send + Sync + 'static {
    let parts = parts.to_vec();
    move |request| {
        let n = parts.iter().enumerate().find(|(i, _)| request.path.contains(&format!("-{:05}-of-", i + 1)));
        match n {
            Some((i, part)) => Reply::file(request, part, &format!("\"part-{i}\"")),
            None => Reply::new(404, b""),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_split_model_comes_whole_or_not_at_all() {
    let parts = split(3);
    let server = Server::start(split_server(&parts)).await;
    let client = client(&server.base());
    let source = file("owner/name", "m-00001-of-00003.gguf");
    let joined: Vec<u8> = parts.iter().flat_map(|part| part.iter().copied()).collect();
    let folder = tempfile::tempdir().unwrap();
    let plan = DownloadPlan {
        parts: client.parts(&source, 3).unwrap(),
        folder: folder.path().into(),
        bytes: Some(joined.len() as u64),
        sha256: None,
    };
    let names = || {
        let mut names: Vec<String> =
            folder.path().read_dir().unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    let good = split_server(&parts);
    let breaking = Server::start(move |request| {
        let mut reply = good(request);
        if request.path.contains("-00003-") && request.range.as_ref().is_some_and(|r| r.len() > 512) {
            reply.cut = Some(600_000);
        }
        reply
    })
    .await;
    let urls = self::client(&breaking.base()).parts(&source, 3).unwrap();
    let broken = DownloadPlan { parts: urls, ..plan.clone() };
    let once = HubClient::new(ClientOptions { attempts: 1, ..quick(&breaking.base()) }).unwrap();
    let error = once.download(&broken, &DownloadOptions::default(), &mut |_| (), &CancellationToken::new()).await;
    assert_eq!(code(error), ErrorCode::NetworkUnavailable);
    assert!(names().iter().all(|name| name.contains(".partial")), "no part has its name yet: {:?}", names());

    let mut last = None;
    let downloaded = client
        .download(&plan, &DownloadOptions::default(), &mut |p| last = Some(p), &CancellationToken::new())
        .await
        .unwrap();
    assert_eq!(names(), ["m-00001-of-00003.gguf", "m-00002-of-00003.gguf", "m-00003-of-00003.gguf"]);
    assert_eq!(downloaded.sha256, sha256(&joined));
    assert_eq!(downloaded.sha256_by_part, parts.iter().map(|part| sha256(part)).collect::<Vec<_>>());
    assert_eq!(downloaded.bytes, joined.len() as u64);
    assert!(downloaded.fetched < joined.len() as u64, "parts that were here are not fetched again");
    let last = last.unwrap();
    assert_eq!((last.done, last.total, last.note), (joined.len() as u64, joined.len() as u64, None));

    let found = client.remote_header(&source, 3).await.unwrap();
    assert_eq!((found.header.parts, found.file_bytes, found.sha256), (3, joined.len() as u64, None));
}

// ---------------------------------------------------------------------------------------------------------------------
// Repositories
// ---------------------------------------------------------------------------------------------------------------------

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_says_what_it_holds() {
    let oid = "0123456789abcdef".repeat(4);
    let entry = |path: &str, size: u64, oid: &str| {
        format!(r#"{{"type":"file","oid":"x","size":{size},"path":"{path}","lfs":{{"oid":"{oid}","size":{size}}}}}"#)
    };
    let first = format!(
        r#"[{{"type":"directory","oid":"d","size":0,"path":"Q8_0"}},{},{},{},{}]"#,
        entry("Nice-4B-Q8_0.gguf", 4000, &oid),
        entry("Nice-4B-UD-Q4_K_XL.gguf", 2000, "not a hash"),
        entry("mmproj-Nice-F16.gguf", 10, &oid),
        r#"{"type":"file","oid":"y","size":5,"path":"README.md"}"#,
    );
    let second = format!(
        "[{},{},{},{}]",
        entry("BF16/Nice-4B-BF16-00002-of-00002.gguf", 4500, &oid),
        entry("BF16/Nice-4B-BF16-00001-of-00002.gguf", 4600, &oid),
        entry("F32/Nice-4B-F32-00001-of-00003.gguf", 9999, &oid),
        entry("IQ4_XS/model.gguf", 1500, &oid),
    );
    let info = r#"{"id":"owner/Nice-4B-GGUF","gated":"auto","tags":["gguf","license:apache-2.0"],"surprise":[1],
        "cardData":{"license":"other","license_name":"nice-license","license_link":"https://example.org/l","language":["en","zh"]},
        "gguf":{"total":4022468096,"architecture":"qwen3","context_length":40960}}"#;
    let hub = Server::start(move |request| match request.path.as_str() {
        "/api/models/owner/Nice-4B-GGUF/revision/main" => Reply::new(200, info.as_bytes()),
        "/api/models/owner/Nice-4B-GGUF/tree/main?recursive=true" => {
            let next = format!("<http://{}/api/next?cursor=2>; rel=\"next\"", request.header("host").unwrap());
            Reply::new(200, first.as_bytes()).with("Link", &next)
        }
        "/api/next?cursor=2" => Reply::new(200, second.as_bytes()),
        "/api/models/owner/Plain-0.5B/revision/main" => {
            Reply::new(200, b"{\"gated\":false,\"tags\":[\"license:mit\"]}")
        }
        "/api/models/owner/Plain-0.5B/tree/main?recursive=true" => Reply::new(
            200,
            br#"[{"type":"file","size":7,"path":"plain.gguf"},{"type":"file","size":9,"path":"a/.x.gguf"}]"#,
        ),
        "/api/models/owner/empty/revision/main" => Reply::new(200, b"{}"),
        "/api/models/owner/empty/tree/main?recursive=true" => Reply::new(200, b"[]"),
        "/api/models/owner/login/revision/main" => Reply::new(200, b"<!DOCTYPE html><p>log in"),
        "/api/models/owner/odd/revision/main" => Reply::new(200, b"[1,2]"),
        _ => Reply::new(404, b""),
    })
    .await;
    let client = client(&hub.base());
    let of = |name: &str| RepositoryRef { repository: format!("owner/{name}"), revision: "main".into() };
    let model = client.repository(&of("Nice-4B-GGUF")).await.unwrap();
    assert_eq!((model.id.as_str(), model.name.as_str()), ("owner-nice-4b-gguf", "Nice-4B"));
    assert_eq!((model.n_params, model.architecture.as_str(), model.n_ctx_train), (4_022_468_096, "qwen3", 40960));
    assert!(model.license.must_accept);
    assert_eq!((model.license.id.as_str(), model.license.name.as_str()), ("other", "nice-license"));
    assert_eq!(model.license.url.as_deref(), Some("https://example.org/l"));
    assert_eq!(model.languages, ["en", "zh"]);
    let files: Vec<_> = model
        .files
        .iter()
        .map(|f| (f.path.as_str(), f.quantization.as_str(), f.parts, f.bytes, f.sha256.is_some()))
        .collect();
    assert_eq!(
        files,
        [
            ("IQ4_XS/model.gguf", "IQ4_XS", 1, Some(1500), true),
            ("Nice-4B-UD-Q4_K_XL.gguf", "Q4_K_XL", 1, Some(2000), false),
            ("Nice-4B-Q8_0.gguf", "Q8_0", 1, Some(4000), true),
            ("BF16/Nice-4B-BF16-00001-of-00002.gguf", "BF16", 2, Some(9100), false),
        ],
        "no encoder, no split model with parts missing"
    );
    let plain = client.repository(&of("Plain-0.5B")).await.unwrap();
    assert_eq!((plain.n_params, plain.license.id.as_str(), plain.license.must_accept), (500_000_000, "mit", false));
    assert_eq!((plain.files.len(), plain.files[0].bytes), (1, Some(7)));

    assert_eq!(code(client.repository(&of("empty")).await), ErrorCode::RepositoryWithoutGguf);
    assert_eq!(code(client.repository(&of("none")).await), ErrorCode::DownloadNotFound);
    assert_eq!(code(client.repository(&of("login")).await), ErrorCode::DownloadNotAModel);
    assert_eq!(code(client.repository(&of("odd")).await), ErrorCode::DownloadServerError);
    assert_eq!(code(client.repository(&of("..")).await), ErrorCode::UrlInvalid);
}

// ---------------------------------------------------------------------------------------------------------------------
// Proxies and signatures
// ---------------------------------------------------------------------------------------------------------------------

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_is_asked_for_the_way_and_this_machine_needs_none() {
    let proxy = Server::start(|_| Reply::new(407, b"")).await;
    let options = ClientOptions { proxy: Some(proxy.base()), ..quick("https://hub.example") };
    let client = HubClient::new(options).unwrap();
    let part = RemotePart { file_name: "m.gguf".into(), urls: vec!["https://hub.example/m.gguf".into()] };
    assert_eq!(code(client.probe(&part).await), ErrorCode::NetworkUnavailable);
    let asked = proxy.requests();
    assert!(asked.iter().all(|r| r.method == "CONNECT" && r.path == "hub.example:443"), "{asked:?}");
    assert!(!asked.is_empty());
    let content = model(MB, 3);
    let server = Server::start(move |request| Reply::file(request, &content, "")).await;
    let part = RemotePart { urls: vec![server.url("/m.gguf")], ..part };
    client.probe(&part).await.unwrap();
    assert_eq!(proxy.requests().len(), asked.len());
}

#[test]
fn a_catalogue_is_taken_from_who_may_give_it() {
    use ring::signature::{Ed25519KeyPair, KeyPair};
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<Vec<_>>().concat();
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
    let catalogue = b"{\"schema\":1}";
    let signature = pair.sign(catalogue);
    let signature = signature.as_ref();
    let key = CatalogueTrust::PublicKey(hex(pair.public_key().as_ref()));
    verify_catalogue(catalogue, Some(signature), &key).unwrap();
    verify_catalogue(catalogue, Some(format!("{}\n", hex(signature)).as_bytes()), &key).unwrap();
    let pinned = CatalogueTrust::Sha256(sha256(catalogue));
    verify_catalogue(catalogue, None, &pinned).unwrap();

    let mut forged = signature.to_vec();
    forged[5] ^= 1;
    let stranger = Ed25519KeyPair::from_seed_unchecked(&[8; 32]).unwrap();
    let strange = stranger.sign(catalogue);
    for (text, signature, trust) in [
        (&b"{\"schema\":2}"[..], Some(signature), &key),
        (catalogue, Some(&forged[..]), &key),
        (catalogue, Some(strange.as_ref()), &key),
        (catalogue, Some(&b"nonsense"[..]), &key),
        (catalogue, None, &key),
        (catalogue, Some(signature), &CatalogueTrust::PublicKey("00".into())),
        (b"{\"schema\":2}", None, &pinned),
        (catalogue, None, &CatalogueTrust::Sha256(String::new())),
    ] {
        assert_eq!(code(verify_catalogue(text, signature, trust)), ErrorCode::CatalogueUntrusted);
    }
}
