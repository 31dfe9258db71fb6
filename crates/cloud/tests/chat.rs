//! The client against providers that answer well, badly, or not at all.

mod server;

use pocketbench_cloud::keys::Secret;
use pocketbench_cloud::{
    ClientOptions, Clock, CloudError, End, Endpoint, Piece, ProviderClient, ProviderError, Wait, check_key, preset,
};
use pocketbench_domain::provider::{FinishReason, KeyCheck, TokenUsage};
use pocketbench_domain::{ErrorCode, ErrorReport};
use server::*;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

fn code(end: &End) -> Option<ErrorCode> {
    match end {
        End::Failed(error) => Some(ErrorReport::from(error.clone()).code),
        _ => None,
    }
}

#[tokio::test]
async fn a_streamed_answer_comes_with_its_times_and_its_usage() {
    let server = Server::start(|_| {
        let pause = || Step::Wait(Duration::from_millis(15));
        let mut events = vec![Step::Send(STREAM_HEAD.into()), pause()];
        let thought = event(r#"{"model":"real-name","choices":[{"delta":{"reasoning_content":"Hm."}}]}"#);
        for piece in [": OPENROUTER PROCESSING\n\n".into(), thought, delta("Guten "), delta("Tag 😀"), finish()] {
            events.extend([Step::Send(piece.into_bytes()), pause()]);
        }
        events.push(Step::Send((usage(12, 9) + DONE).into_bytes()));
        events.push(Step::Close);
        events
    })
    .await;
    let client = server.client(options());
    let mut seen = Vec::new();
    let reply = client
        .chat(&ask("hello"), &CancellationToken::new(), |piece| {
            seen.push(match piece {
                Piece::Text(text) => format!("t:{text}"),
                Piece::Reasoning(text) => format!("r:{text}"),
            });
        })
        .await;
    assert_eq!(reply.end, End::Complete);
    assert_eq!(seen, ["r:Hm.", "t:Guten ", "t:Tag 😀"]);
    assert_eq!((reply.text.as_str(), reply.reasoning.as_str()), ("Guten Tag 😀", "Hm."));
    assert_eq!((reply.finish, reply.model.as_deref()), (Some(FinishReason::Stop), Some("real-name")));
    // Nine tokens, three pieces: one is not the other.
    let usage = TokenUsage { prompt: 12, cached_prompt: None, completion: 9, reasoning: None };
    assert_eq!((reply.usage, reply.timing.delta_at_ns.len(), reply.requests), (Some(usage), 3, 1));
    let timing = reply.timing;
    let mut order = vec![0, timing.headers_ns.unwrap(), timing.first_token_ns.unwrap()];
    order.extend(&timing.delta_at_ns[1..]);
    order.push(timing.end_ns);
    assert!(order.is_sorted(), "{timing:?}");
    assert_eq!(timing.first_token_ns, timing.delta_at_ns.first().copied());
    // The server waits before each piece, so no piece can be earlier.
    assert!(timing.first_token_ns.unwrap() >= 30_000_000, "{timing:?}");

    let asked = &server.requests()[0];
    assert_eq!((asked.method.as_str(), asked.path.as_str()), ("POST", "/v1/chat/completions"));
    assert_eq!(asked.headers["authorization"], format!("Bearer {KEY}"));
    let body: serde_json::Value = serde_json::from_str(&asked.body).unwrap();
    assert_eq!((&body["model"], &body["stream"]), (&"test-model".into(), &true.into()));
    assert_eq!(body["stream_options"]["include_usage"], true);
}

#[tokio::test]
async fn answers_in_other_forms_are_understood() {
    let message = r#"{"choices":[{"message":{"content":"whole"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":2}}}"#;
    let server = Server::start(move |request| {
        if request.body.contains("not streamed") || request.body.contains("ignores stream") {
            json(200, message)
        } else if request.body.contains("no done") {
            stream(&[delta("a"), finish()])
        } else if request.body.contains("no empty line") {
            stream(&[delta("a"), finish().trim_end().to_owned()])
        } else if request.body.contains("no type") {
            let text = format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{}{DONE}", delta("a"));
            vec![Step::Send(text.into_bytes()), Step::Close]
        } else if request.body.contains("stumbles") && request.body.contains("stream_options") {
            json(400, r#"{"error":{"message":"Unknown field: stream_options"}}"#)
        } else if request.body.contains("broken text") {
            let mut bytes = STREAM_HEAD.as_bytes().to_vec();
            bytes.extend(b"data: {\"choices\":[{\"delta\":{\"content\":\"a\xff\xfe\"}}]}\r\n\r\ndata: [DONE]\r\n\r\n");
            vec![Step::Send(bytes), Step::Close]
        } else {
            good(&["a"])
        }
    })
    .await;
    let client = server.client(options());
    for (what, expected) in [
        ("ignores stream", "whole"),
        ("no done", "a"),
        ("no empty line", "a"),
        ("no type", "a"),
        ("stumbles", "a"),
        ("broken text", "a\u{fffd}\u{fffd}"),
    ] {
        let reply = chat(&client, &ask(what)).await;
        assert_eq!((&reply.end, reply.text.as_str()), (&End::Complete, expected), "{what}");
    }
    let mut request = ask("not streamed");
    request.stream = false;
    let reply = chat(&client, &request).await;
    assert_eq!((&reply.end, reply.text.as_str()), (&End::Complete, "whole"));
    assert_eq!(reply.usage.unwrap().cached_prompt, Some(2));
}

#[tokio::test]
async fn every_refusal_has_its_own_code() {
    use ErrorCode as Code;
    let page = |status| whole(status, &[("Content-Type", "text/html")], "<html>Hello</html>");
    let error = |status, words: &str| json(status, &format!(r#"{{"error":{{"message":"{words}"}}}}"#));
    let quota = r#"{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","code":"insufficient_quota"}}"#;
    let long = r#"{"error":{"message":"Too long.","code":"context_length_exceeded"}}"#;
    let cases: Vec<(&str, Vec<Step>, Code)> = vec![
        ("401", error(401, "Incorrect API key provided"), Code::ProviderUnauthorized),
        ("403", error(403, "no"), Code::ProviderUnauthorized),
        ("402", error(402, "Insufficient credits"), Code::ProviderQuotaExhausted),
        ("429 quota", json(429, quota), Code::ProviderQuotaExhausted),
        ("429", error(429, "slow down"), Code::ProviderRateLimited),
        ("404", json(404, r#"{"detail":"Not Found"}"#), Code::ProviderWrongUrl),
        ("404 page", page(404), Code::ProviderWrongUrl),
        ("200 page", page(200), Code::ProviderWrongUrl),
        ("405", json(405, "{}"), Code::ProviderWrongUrl),
        ("404 model", error(404, "model 'x' not found"), Code::ProviderModelUnknown),
        ("400 model", error(400, "x is not a valid model ID"), Code::ProviderModelUnknown),
        ("400 long", json(400, long), Code::ProviderContextTooLong),
        (
            "400 long words",
            error(400, "This model's maximum context length is 8192 tokens"),
            Code::ProviderContextTooLong,
        ),
        ("400", error(400, "temperature must be positive"), Code::ProviderRefused),
        ("500", error(500, "oops"), Code::ProviderServerError),
        ("503 page", page(503), Code::ProviderServerError),
        ("error in 200", error(200, "overloaded"), Code::ProviderServerError),
        ("quota in 200", json(200, r#"{"error":{"message":"x","code":402}}"#), Code::ProviderQuotaExhausted),
        ("other type", whole(200, &[("Content-Type", "image/png")], "png"), Code::ProviderContentType),
        ("no JSON", json(200, "OK"), Code::ProviderStreamMalformed),
        ("no answer", json(200, "{}"), Code::ProviderStreamMalformed),
        ("no event", stream(&["data: hello\n\n".into()]), Code::ProviderStreamMalformed),
        ("another interface", stream(&[event(r#"{"type":"x"}"#), DONE.into()]), Code::ProviderStreamMalformed),
        ("empty stream", stream(&[]), Code::ProviderStreamCut),
        ("no answer at all", vec![Step::Close], Code::ProviderStreamCut),
    ];
    for (what, steps, expected) in cases {
        let server = Server::start(move |_| steps.clone()).await;
        let reply = chat(&server.client(options()), &ask(what)).await;
        assert_eq!(code(&reply.end), Some(expected), "{what}: {:?}", reply.end);
        let passing = matches!(expected, Code::ProviderRateLimited) || ["500", "503 page"].contains(&what);
        assert_eq!(server.requests().len(), if passing { 3 } else { 1 }, "{what}");
    }
}

#[tokio::test]
async fn a_provider_that_is_not_there_is_told_from_one_that_cannot_be_trusted() {
    let refused = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://127.0.0.1:{}/v1", listener.local_addr().unwrap().port())
    };
    for base in [refused.as_str(), "http://no-such-host.localhost:1/v1"] {
        let reply = chat(&client(base, options()), &ask("x")).await;
        assert_eq!(code(&reply.end), Some(ErrorCode::ProviderUnreachable), "{:?}", reply.end);
        assert_eq!(reply.requests, 3);
    }

    let own = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
    let key = tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer::from(own.signing_key.serialize_der()).into();
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = tokio_rustls::rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key)
        .unwrap();
    let server = Server::start_with(|_| good(&["no"]), Some(tokio_rustls::TlsAcceptor::from(Arc::new(config)))).await;
    let reply = chat(&client(&format!("https://localhost:{}/v1", server.port), options()), &ask("x")).await;
    assert_eq!(code(&reply.end), Some(ErrorCode::ProviderTlsFailed), "{:?}", reply.end);
    assert!(server.requests().is_empty(), "not a word was sent");
    // A server that speaks no TLS, and says so before it is asked.
    let plain = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = plain.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = plain.accept().await {
            let _ = connection.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
            tokio::spawn(async move { connection.read_to_end(&mut Vec::new()).await });
        }
    });
    let reply = chat(&client(&format!("https://127.0.0.1:{port}/v1"), options()), &ask("x")).await;
    assert_eq!(code(&reply.end), Some(ErrorCode::ProviderTlsFailed), "{:?}", reply.end);
}

#[tokio::test]
async fn what_came_before_a_failure_is_kept_and_nothing_is_asked_twice() {
    let half = format!("{STREAM_HEAD}{}{}data: {{\"choi", delta("one "), delta("two"));
    let too_long = format!("{STREAM_HEAD}{}data: {}", delta("one "), "x".repeat(70_000));
    let too_much = format!("{STREAM_HEAD}{}{}", delta("one "), delta(&"y".repeat(40_000)));
    let told = format!("{STREAM_HEAD}{}{}", delta("one "), event(r#"{"error":{"message":"died","code":502}}"#));
    let cases: Vec<(&str, Vec<Step>, ErrorCode, &str)> = vec![
        ("cut", vec![Step::Send(half.into_bytes()), Step::Close], ErrorCode::ProviderStreamCut, "one two"),
        ("line", vec![Step::Send(too_long.into_bytes()), Step::Hang], ErrorCode::ProviderAnswerTooLarge, "one "),
        ("text", vec![Step::Send(too_much.into_bytes()), Step::Hang], ErrorCode::ProviderAnswerTooLarge, "one "),
        ("error", vec![Step::Send(told.into_bytes()), Step::Hang], ErrorCode::ProviderServerError, "one "),
        (
            "nonsense",
            stream(&[delta("one "), "data: {nonsense\n\n".into()]),
            ErrorCode::ProviderStreamMalformed,
            "one ",
        ),
    ];
    for (what, steps, expected, kept) in cases {
        let server = Server::start(move |_| steps.clone()).await;
        let limits = ClientOptions { max_line: 60_000, max_text: 30_000, ..options() };
        let reply = chat(&server.client(limits), &ask(what)).await;
        assert_eq!((code(&reply.end), reply.text.as_str()), (Some(expected), kept), "{what}: {:?}", reply.end);
        assert_eq!((server.requests().len(), reply.requests), (1, 1), "{what}");
    }
}

#[tokio::test]
async fn patience_ends() {
    let short = Duration::from_millis(300);
    let endless: Vec<Step> = std::iter::once(Step::Send(STREAM_HEAD.into()))
        .chain((0..2000).flat_map(|_| [Step::Send(b": still here\n\n".to_vec()), Step::Wait(Duration::from_millis(5))]))
        .collect();
    let drip: Vec<Step> = std::iter::once(Step::Send(STREAM_HEAD.into()))
        .chain((0..2000).flat_map(|_| [Step::Send(delta("x").into_bytes()), Step::Wait(Duration::from_millis(5))]))
        .collect();
    let begun = format!("{STREAM_HEAD}{}", delta("begun"));
    for (what, steps, changed, wait) in [
        ("silence", vec![Step::Hang], ClientOptions { first_token_timeout: short, ..options() }, Wait::FirstToken),
        ("comments", endless, ClientOptions { first_token_timeout: short, ..options() }, Wait::FirstToken),
        (
            "stall",
            vec![Step::Send(begun.into_bytes()), Step::Hang],
            ClientOptions { stall_timeout: short, ..options() },
            Wait::Next,
        ),
        ("drip", drip, ClientOptions { overall_timeout: short, ..options() }, Wait::Whole),
    ] {
        let server = Server::start(move |_| steps.clone()).await;
        let reply = tokio::time::timeout(Duration::from_secs(15), chat(&server.client(changed), &ask(what))).await;
        let reply = reply.unwrap_or_else(|_| panic!("{what} hangs"));
        match reply.end {
            End::Failed(ProviderError::Timeout { wait: found, .. }) => assert_eq!(found, wait, "{what}"),
            other => panic!("{what}: {other:?}"),
        }
        assert_eq!(reply.text.starts_with(['b', 'x']), ["stall", "drip"].contains(&what), "{what}: {}", reply.text);
        assert_eq!(server.requests().len(), 1, "{what}");
    }
}

#[tokio::test]
async fn stop_keeps_the_words_and_hangs_up() {
    let begun = format!("{STREAM_HEAD}{}", delta("begun"));
    for (what, steps) in [
        ("streaming", vec![Step::Send(begun.into_bytes()), Step::Hang]),
        ("silent", vec![Step::Hang]),
        ("waiting to try again", whole(503, &[("Retry-After", "25")], "")),
    ] {
        let server = Server::start(move |_| steps.clone()).await;
        let client = server.client(options());
        let (stop, request) = (CancellationToken::new(), ask(what));
        let cancelled = Arc::new(Mutex::new(None));
        let (at, token, asked) = (cancelled.clone(), stop.clone(), server.clone());
        tokio::spawn(async move {
            while asked.requests().is_empty() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            *at.lock().unwrap() = Some(Instant::now());
            token.cancel();
        });
        let reply = client.chat(&request, &stop, |_| {}).await;
        let late = cancelled.lock().unwrap().expect("it was stopped").elapsed();
        assert_eq!(reply.end, End::Stopped, "{what}");
        assert_eq!(reply.text, if what == "streaming" { "begun" } else { "" });
        // No limit on it here, as a busy machine would break it; `--nocapture` shows how long it takes.
        eprintln!("{what}: ended {late:?} after Stop");
        if what != "waiting to try again" {
            tokio::time::timeout(Duration::from_secs(10), server.left.notified())
                .await
                .expect("the connection is closed");
        }
    }
}

#[tokio::test]
async fn a_provider_may_say_when_to_come_back() {
    let date = |seconds: i64| (chrono::Utc::now() + chrono::TimeDelta::seconds(seconds)).to_rfc2822();
    for (what, header, requests) in [
        ("at once", "0".to_owned(), 2),
        ("a date that has passed", date(-100), 2),
        ("too long", "9999".to_owned(), 1),
        ("a date too far", date(9999), 1),
        ("nonsense", "soon".to_owned(), 2),
    ] {
        for status in [429, 503] {
            let header = header.clone();
            let server = Server::start(move |request| match request.n {
                0 => whole(status, &[("Retry-After", header.as_str())], ""),
                _ => good(&["fine"]),
            })
            .await;
            let reply = chat(&server.client(options()), &ask(what)).await;
            assert_eq!(
                (server.requests().len(), reply.requests),
                (requests, u32::try_from(requests).unwrap()),
                "{what}"
            );
            if requests == 2 {
                assert_eq!((&reply.end, reply.text.as_str()), (&End::Complete, "fine"), "{what}");
                assert!(reply.timing.earlier_ns > 0);
            } else {
                let expected =
                    if status == 429 { ErrorCode::ProviderRateLimited } else { ErrorCode::ProviderServerError };
                assert_eq!(code(&reply.end), Some(expected), "{what}");
            }
        }
    }
    // A wait that was asked for is kept.
    let server = Server::start(|request| match request.n {
        0 => whole(429, &[("Retry-After", "1")], ""),
        _ => good(&["fine"]),
    })
    .await;
    let reply = chat(&server.client(options()), &ask("one second")).await;
    assert!(reply.end == End::Complete && reply.timing.earlier_ns >= 1_000_000_000, "{reply:?}");
}

#[tokio::test]
async fn a_provider_that_keeps_failing_is_left_alone_for_a_while() {
    let well = Arc::new(Mutex::new(false));
    let told = well.clone();
    let server = Server::start(move |_| if *told.lock().unwrap() { good(&["back"]) } else { json(500, "{}") }).await;
    let now = Arc::new(Mutex::new(Instant::now()));
    let clock = now.clone();
    let client = server.client(ClientOptions {
        attempts: 1,
        breaker_failures: 3,
        breaker_pause: Duration::from_secs(30),
        clock: Clock::new(move || *clock.lock().unwrap()),
        ..options()
    });
    for _ in 0..3 {
        assert_eq!(code(&chat(&client, &ask("x")).await.end), Some(ErrorCode::ProviderServerError));
    }
    let reply = chat(&client, &ask("x")).await;
    assert_eq!((code(&reply.end), reply.requests), (Some(ErrorCode::ProviderPaused), 0));
    assert_eq!(server.requests().len(), 3, "nothing was sent");
    *now.lock().unwrap() += Duration::from_secs(31);
    *well.lock().unwrap() = true;
    assert_eq!(chat(&client, &ask("x")).await.text, "back");
    assert_eq!(chat(&client, &ask("x")).await.text, "back");
}

#[tokio::test]
async fn neither_key_nor_words_follow_a_redirect() {
    let thief = Server::start(|_| good(&["mine"])).await;
    let to = thief.base();
    for status in [301, 302, 303, 307, 308] {
        let to = format!("{to}/chat/completions?from=secret-query");
        let server = Server::start(move |_| whole(status, &[("Location", to.as_str())], "")).await;
        let client = server.client(options());
        let reply = chat(&client, &ask("private")).await;
        assert_eq!(code(&reply.end), Some(ErrorCode::ProviderWrongUrl));
        assert!(!format!("{:?}", reply.end).contains("secret-query"));
        assert!(client.verify(None).await.is_err());
    }
    assert!(thief.requests().is_empty());
}

#[tokio::test]
async fn no_secret_is_in_an_error_or_a_description() {
    let echo = format!(r#"{{"error":{{"message":"Incorrect key: Bearer {KEY}, that is {}…"}}}}"#, &KEY[..14]);
    let echoed = echo.clone();
    let server = Server::start(move |request| match request.path.as_str() {
        "/v1/models" => json(401, &echo),
        _ => stream(&[delta("a"), event(&echo)]),
    })
    .await;
    let client = server.client(options());
    let mut shown = vec![format!("{client:?} {client:#?} {:?}", client.endpoint())];
    let verified = client.verify(None).await.unwrap_err();
    let reply = chat(&client, &ask("x")).await;
    let refusing = Server::start(move |_| json(400, &echoed)).await;
    let refused = chat(&refusing.client(options()), &ask("x")).await;
    for error in [Some(verified), failure(&reply.end), failure(&refused.end)] {
        let error = error.expect("an error");
        let report = ErrorReport::from(error.clone());
        shown.push(format!("{error} {error:?} {report} {report:?} {}", serde_json::to_string(&report).unwrap()));
    }
    shown.push(format!("{reply:?}"));
    let shown = shown.join("\n");
    assert!(shown.contains("Incorrect key"), "{shown}");
    assert!(!shown.contains(&KEY[..8]) && !shown.contains(&KEY[8..16]), "{shown}");
    // A proxy's password is not repeated either.
    let endpoint = Endpoint::new("https://example.com", None).unwrap();
    let proxy = ClientOptions { proxy: Some(Secret::new("http://me:hunter2@[").unwrap()), ..options() };
    assert!(!format!("{proxy:?}").contains("hunter2"));
    let error = ProviderClient::new(endpoint, proxy).unwrap_err();
    assert_eq!(error, ProviderError::Endpoint(CloudError::Proxy));
}

fn failure(end: &End) -> Option<ProviderError> {
    match end {
        End::Failed(error) => Some(error.clone()),
        _ => None,
    }
}

#[tokio::test]
async fn verify_lists_models_and_says_whether_the_key_counts() {
    let list = r#"{"object":"list","data":[{"id":"a"},{"id":"b"}]}"#;
    let strict = Server::start(move |request| if request.has_key() { json(200, list) } else { json(401, "{}") }).await;
    let checked = strict.client(options()).verify(None).await.unwrap();
    assert_eq!((checked.models, checked.key), (vec!["a".to_owned(), "b".to_owned()], KeyCheck::Accepted));

    let open = Server::start(move |request| match request.path.as_str() {
        "/v1/key" => json(401, r#"{"error":{"message":"no","code":401}}"#),
        _ => json(200, list),
    })
    .await;
    assert_eq!(open.client(options()).verify(None).await.unwrap().key, KeyCheck::NotTested);
    let error = open.client(options()).verify(Some("key")).await.unwrap_err();
    assert!(matches!(error, ProviderError::Unauthorized { key_sent: true, .. }), "{error:?}");

    let home = Endpoint::new(&open.base(), None).unwrap();
    let home = ProviderClient::new(home, options()).unwrap();
    assert_eq!(home.verify(None).await.unwrap().key, KeyCheck::None);

    for (what, steps, expected) in [
        ("page", whole(200, &[("Content-Type", "text/html")], "<html>"), ErrorCode::ProviderWrongUrl),
        ("other JSON", json(200, r#"{"hello":"world"}"#), ErrorCode::ProviderWrongUrl),
        ("404", json(404, "{}"), ErrorCode::ProviderWrongUrl),
        ("429", json(429, "{}"), ErrorCode::ProviderRateLimited),
        ("402", json(402, "{}"), ErrorCode::ProviderQuotaExhausted),
        ("500", json(500, "{}"), ErrorCode::ProviderServerError),
        ("closed", vec![Step::Close], ErrorCode::ProviderStreamCut),
    ] {
        let server = Server::start(move |_| steps.clone()).await;
        let error = server.client(options()).verify(None).await.unwrap_err();
        assert_eq!(ErrorReport::from(error).code, expected, "{what}");
    }
}

#[test]
fn a_key_with_a_line_break_never_gets_near_a_request() {
    for bad in ["sk-a\nX-Evil: 1", "sk-a\r\n\r\nGET / HTTP/1.1", "sk a"] {
        let error = Secret::new(bad).unwrap_err();
        let report = ErrorReport::from(error);
        assert_eq!(report.code, ErrorCode::InvalidInput);
        assert!(report.message.contains("line breaks") && !report.message.contains("sk"), "{report:?}");
    }
    let key = Secret::new("sk-other").unwrap();
    assert!(check_key(preset("holysheep").unwrap(), &key).is_err());
}
