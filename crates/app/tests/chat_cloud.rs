//! Conversations that a provider takes part in: a real one in all but its words, on this machine, and badly behaved.

mod common;

use pocketbench_app_core::api::{
    AnswerBy, AppEvent, ChatOptions, ChatUpdate, ConversationFormat, OwnPrice, ProviderRequest, SendRequest,
};
use pocketbench_app_core::domain::ErrorCode;
use pocketbench_app_core::domain::conversation::{ChatMessage, ChatSettings, Conversation, MessageId, MessageState};
use pocketbench_app_core::domain::generate::Sampling;
use pocketbench_app_core::domain::provider::{Budget, Cost, Money};
use pocketbench_app_core::domain::route::{CloudProblem, Consent, Mode, Policy, Reason, Route, Rule, TaskKind};
use pocketbench_app_core::{App, ClientOptions};
use pocketbench_testkit::provider::{Asked, Provider, STREAM, Step, delta, end, good, json, thought, whole};
use pocketbench_testkit::smollm2;
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const KEY: &str = "sk-test-0123456789abcdef";
/// Longest line that is taken.
const MAX_LINE: usize = 32 << 10;

async fn open(folder: &Path) -> App {
    let mut config = common::config(folder);
    config.keys_in_file = true;
    config.cloud = ClientOptions {
        first_token_timeout: Duration::from_secs(8),
        stall_timeout: Duration::from_secs(2),
        backoff: Duration::from_millis(2),
        max_line: MAX_LINE,
        breaker_failures: 0,
        ..ClientOptions::default()
    };
    common::open(config).await
}

/// An app that knows the provider with its price, and sends it everything in this mode.
async fn with(folder: &Path, provider: &Provider, mode: Mode) -> App {
    let app = open(folder).await;
    let request = ProviderRequest {
        preset: "custom".into(),
        id: None,
        title: Some("Somebody".into()),
        base_url: Some(provider.base_url().into()),
        model: Some("m".into()),
    };
    app.save_provider(&request).await.unwrap();
    let price = OwnPrice {
        provider: "custom".into(),
        model: "m".into(),
        currency: "USD".into(),
        input: 1.0,
        output: 2.0,
        cached_input: None,
    };
    app.set_price(price).await.unwrap();
    in_mode(&app, mode).await;
    app
}

async fn in_mode(app: &App, mode: Mode) {
    let policy = Policy { mode, threshold: 0.0, ..Policy::default() };
    app.set_chat_options(&ChatOptions { policy, ..ChatOptions::default() }).await.unwrap();
}

fn here() -> ChatSettings {
    let sampling = Sampling::default();
    ChatSettings { model: Some(smollm2()), system_prompt: String::new(), sampling, max_tokens: 16, n_ctx: Some(512) }
}

fn nowhere() -> ChatSettings {
    ChatSettings { model: None, ..here() }
}

fn say(talk: &Conversation, text: &str) -> SendRequest {
    SendRequest { conversation_id: talk.id, text: text.into(), instead_of: None, by: AnswerBy::Policy }
}

/// Waits for the end of an answer.
async fn ended(app: &App, talk: &Conversation, answer: MessageId) -> ChatMessage {
    for _ in 0..9_000 {
        let messages = app.conversation(talk.id).await.unwrap().messages;
        let message = messages.into_iter().find(|message| message.id == answer).expect("it is stored");
        if message.state != MessageState::Writing {
            // It is stored a moment before the next question is let in; an answer is no question, which is said only then.
            let next = app.answer_question(talk.id, answer, AnswerBy::Policy).await.unwrap_err();
            if next.code == ErrorCode::NotFound {
                return message;
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the answer hangs")
}

async fn ask(app: &App, talk: &Conversation, text: &str) -> ChatMessage {
    let turn = app.send(say(talk, text)).await.unwrap();
    assert!(turn.consent.is_none());
    ended(app, talk, turn.answer.expect("an answer begins").id).await
}

fn usd(nanos: u64) -> Cost {
    Cost::Amount(Money { currency: "USD".into(), nanos })
}

/// What this month has cost, and how many answers of unknown cost there are.
async fn spent(app: &App) -> (u64, u32) {
    let month = app.spending().await.unwrap().month;
    (month.in_currency("USD"), month.unknown)
}

fn is_local(answer: &ChatMessage) -> bool {
    let of = answer.answer.as_ref().unwrap();
    of.cloud.is_none() && of.model_sha256.is_some() && of.figures.is_some()
}

fn decision(answer: &ChatMessage) -> &pocketbench_app_core::domain::route::Decision {
    answer.answer.as_ref().unwrap().decision.as_ref().expect("every decision is stored")
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_leaves_the_device_without_consent() {
    let provider = Provider::start(|_| good(&["Hello", " there"]));
    let folder = tempfile::tempdir().unwrap();
    let app = with(folder.path(), &provider, Mode::AlwaysLocal).await;
    let talk = app.begin_conversation(here()).await.unwrap();
    let local = ask(&app, &talk, "Hello?").await;
    assert!(is_local(&local) && decision(&local).reasons == [Reason::AlwaysLocal], "{local:?}");
    let refused = app.send(SendRequest { by: AnswerBy::Cloud, ..say(&talk, "Hello?") }).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::InvalidInput);

    in_mode(&app, Mode::AlwaysAsk).await;
    let turn = app.send(say(&talk, "And now?")).await.unwrap();
    let (question, consent) = (turn.question.unwrap(), turn.consent.expect("a question comes first"));
    assert!(turn.answer.is_none() && consent.question == question.id);
    assert_eq!(
        (consent.host.as_str(), consent.model.as_str(), consent.provider.as_str()),
        ("127.0.0.1", "m", "Somebody")
    );
    assert!(matches!(&consent.at_most, Cost::Amount(money) if money.nanos > 32_000), "{consent:?}");

    // The question waits, also for another start of the program.
    drop(app);
    let app = open(folder.path()).await;
    let again = app.answer_question(talk.id, question.id, AnswerBy::Policy).await.unwrap();
    assert!(again.answer.is_none() && again.consent.is_some());
    assert!(provider.asked().is_empty(), "nobody has agreed so far");
    let turn = app.answer_question(talk.id, question.id, AnswerBy::Cloud).await.unwrap();
    let answer = ended(&app, &talk, turn.answer.unwrap().id).await;
    assert_eq!((answer.state, answer.content.as_str()), (MessageState::Complete, "Hello there"));
    assert_eq!((decision(&answer).route, decision(&answer).consent), (Route::Cloud, Consent::Granted));
    let cloud = answer.answer.unwrap().cloud.unwrap();
    assert_eq!((cloud.cost, cloud.usage.unwrap().completion), (usd(11_000), 2));
    assert!(cloud.first_piece_ms.is_some() && cloud.took_ms >= cloud.first_piece_ms);
    let sent = &provider.asked()[0].body;
    assert!(sent.contains("Hello?") && sent.contains("And now?") && sent.contains("\"max_tokens\":16"), "{sent}");

    // No: the model here answers.
    let turn = app.send(say(&talk, "Thanks.")).await.unwrap();
    let turn = app.answer_question(talk.id, turn.question.unwrap().id, AnswerBy::Local).await.unwrap();
    let answer = ended(&app, &talk, turn.answer.unwrap().id).await;
    assert!(is_local(&answer) && decision(&answer).consent == Consent::Refused, "{answer:?}");
    assert_eq!(provider.asked().len(), 1);

    // *Auto* is a consent for all; for one prompt it can be taken back.
    in_mode(&app, Mode::Auto).await;
    let answer = ask(&app, &talk, "Once more?").await;
    assert_eq!((answer.content.as_str(), decision(&answer).consent), ("Hello there", Consent::ByPolicy));
    let local = app.send(SendRequest { by: AnswerBy::Local, ..say(&talk, "Only here!") }).await.unwrap();
    assert!(is_local(&ended(&app, &talk, local.answer.unwrap().id).await));
    let regenerated = app.regenerate(talk.id, answer.id, None).await.unwrap().answer.unwrap();
    assert_eq!(regenerated.parent, answer.parent);
    assert!(ended(&app, &talk, regenerated.id).await.answer.unwrap().cloud.is_some());
    assert_eq!((provider.asked().len(), spent(&app).await), (3, (33_000, 0)));
    app.delete_conversation(talk.id).await.unwrap();
    assert_eq!(spent(&app).await, (33_000, 0), "it is spent all the same");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_cloud_fails_before_its_first_word_the_local_model_answers() {
    let failing: Arc<Mutex<Vec<Step>>> = Arc::new(Mutex::new(json(500, "{}")));
    let how = failing.clone();
    let provider = Provider::start(move |_| how.lock().unwrap().clone());
    let folder = tempfile::tempdir().unwrap();
    let app = with(folder.path(), &provider, Mode::Auto).await;
    let talk = app.begin_conversation(here()).await.unwrap();
    let answer = ask(&app, &talk, "Hello?").await;
    assert!(answer.state == MessageState::Complete && is_local(&answer), "{answer:?}");
    let why = |code| Reason::CloudCannot { problem: CloudProblem::Failed { code } };
    assert!(decision(&answer).reasons.contains(&why(ErrorCode::ProviderServerError)), "{:?}", decision(&answer));
    assert_eq!((provider.asked().len(), spent(&app).await), (3, (0, 0)));

    // It may have been at work when the connection broke, and may ask money for it.
    *failing.lock().unwrap() = Vec::new();
    let answer = ask(&app, &talk, "Hello again?").await;
    assert!(is_local(&answer) && decision(&answer).reasons.contains(&why(ErrorCode::ProviderStreamCut)));
    assert_eq!((provider.asked().len(), spent(&app).await), (4, (0, 1)));

    let alone = app.begin_conversation(nowhere()).await.unwrap();
    let answer = ask(&app, &alone, "Hello?").await;
    assert_eq!((answer.state, answer.failure.unwrap().code), (MessageState::Failed, ErrorCode::ProviderStreamCut));
}

#[tokio::test(flavor = "multi_thread")]
async fn words_that_came_are_kept() {
    let provider = Provider::start(|asked| {
        let words = format!("{STREAM}{}{}{}", thought("hm"), delta("One "), delta("two"));
        match asked.n {
            0 => vec![Step::Send(words)],
            1 => vec![Step::Send(words), Step::Hang],
            _ => vec![Step::Send(words + &end(3, 2))],
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let app = with(folder.path(), &provider, Mode::Auto).await;
    let talk = app.begin_conversation(here()).await.unwrap();
    let text = "<think>hm</think>\n\nOne two";
    let cut = ask(&app, &talk, "Count.").await;
    assert_eq!((cut.state, cut.content.as_str()), (MessageState::Failed, text));
    assert_eq!(cut.failure.as_ref().unwrap().code, ErrorCode::ProviderStreamCut);
    assert_eq!(cut.answer.unwrap().cloud.unwrap().cost, Cost::Unknown);

    let mut events = app.subscribe();
    let answer = app.send(say(&talk, "Count.")).await.unwrap().answer.unwrap();
    let mut heard = String::new();
    while heard != text {
        let AppEvent::Chat { update } = events.recv().await.unwrap() else { continue };
        match *update {
            ChatUpdate::Words { message_id, text, .. } if message_id == answer.id => heard.push_str(&text),
            other => panic!("{other:?}"),
        }
    }
    app.stop_answer(answer.id);
    let stopped = ended(&app, &talk, answer.id).await;
    assert_eq!((stopped.state, stopped.content.as_str()), (MessageState::Stopped, text));
    assert_eq!(spent(&app).await, (0, 2));

    let whole = ask(&app, &talk, "Count.").await;
    assert_eq!((whole.state, whole.content.as_str()), (MessageState::Complete, text));
    let told = provider.asked()[2].body.clone();
    assert!(told.contains("One two") && !told.contains("hm"), "thoughts are not told again: {told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_that_is_spent_stops_before_anything_is_sent() {
    let provider = Provider::start(|_| good(&["Hello"]));
    let folder = tempfile::tempdir().unwrap();
    let app = with(folder.path(), &provider, Mode::Auto).await;
    let options = app.chat_options().await.unwrap();
    let budget = |nanos| {
        let limit = Money { currency: "USD".into(), nanos };
        ChatOptions { budget: Some(Budget { limit, hard_stop: true }), ..options.clone() }
    };
    app.set_chat_options(&budget(30_000)).await.unwrap();
    let talk = app.begin_conversation(here()).await.unwrap();
    let answer = ask(&app, &talk, "Hello?").await;
    let over = Reason::CloudCannot { problem: CloudProblem::OverBudget };
    assert!(is_local(&answer) && decision(&answer).reasons.contains(&over), "{answer:?}");
    let refused = app.send(SendRequest { by: AnswerBy::Cloud, ..say(&talk, "Hello?") }).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::BudgetExhausted);
    let nobody = app.begin_conversation(nowhere()).await.unwrap();
    app.send(say(&nobody, "Hello?")).await.unwrap_err();
    assert!(provider.asked().is_empty());

    // Enough for this answer at its longest, and not for two.
    app.set_chat_options(&budget(80_000)).await.unwrap();
    let alone = app.begin_conversation(nowhere()).await.unwrap();
    assert_eq!(ask(&app, &alone, "Hello?").await.content, "Hello");
    assert_eq!(spent(&app).await, (9_000, 0));
    for bad in [
        ChatOptions { policy: Policy { threshold: 2.0, ..Policy::default() }, ..options.clone() },
        ChatOptions { cloud_model: Some("\n".into()), ..options.clone() },
        ChatOptions { keep_warm_min: 100_000, ..options.clone() },
        ChatOptions { cold_start_limit_ms: 0, ..options.clone() },
        ChatOptions {
            budget: Some(Budget { limit: Money { currency: "dollars".into(), nanos: 1 }, hard_stop: true }),
            ..options.clone()
        },
    ] {
        assert_eq!(app.set_chat_options(&bad).await.unwrap_err().code, ErrorCode::InvalidInput, "{bad:?}");
    }
    let gone = ChatOptions { provider: Some("gone".into()), ..options.clone() };
    assert_eq!(app.set_chat_options(&gone).await.unwrap_err().code, ErrorCode::NotFound);
    assert_eq!(app.chat_options().await.unwrap(), budget(80_000), "what was refused changed nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_without_its_key_is_not_asked_and_a_key_is_never_seen() {
    let provider = Provider::start(|asked: &Asked| {
        let said = asked.authorization.clone().unwrap_or_default();
        json(401, &format!("{{\"error\":{{\"message\":\"Incorrect: {said}\"}}}}"))
    });
    let folder = tempfile::tempdir().unwrap();
    let app = open(folder.path()).await;
    let request = ProviderRequest {
        preset: "openai".into(),
        id: None,
        title: None,
        base_url: Some(provider.base_url().into()),
        model: Some("gpt-4o-mini".into()),
    };
    app.save_provider(&request).await.unwrap();
    in_mode(&app, Mode::Auto).await;
    let talk = app.begin_conversation(here()).await.unwrap();
    let answer = ask(&app, &talk, "Hello?").await;
    let nobody = Reason::CloudCannot { problem: CloudProblem::NoProvider };
    assert!(is_local(&answer) && decision(&answer).reasons.contains(&nobody), "{answer:?}");
    assert!(provider.asked().is_empty());

    app.set_provider_key("openai", Some(KEY.into())).await.unwrap();
    let mut events = app.subscribe();
    let alone = app.begin_conversation(nowhere()).await.unwrap();
    let answer = ask(&app, &alone, "Hello?").await;
    assert_eq!(answer.failure.as_ref().unwrap().code, ErrorCode::ProviderUnauthorized);
    assert!(provider.asked()[0].authorization.as_ref().unwrap().ends_with(KEY), "it was sent");
    assert_eq!(spent(&app).await, (0, 0), "a refusal costs nothing");
    let mut seen = serde_json::to_string(&answer).unwrap();
    for format in [ConversationFormat::Json, ConversationFormat::Markdown] {
        seen += &app.export_conversation(alone.id, format).await.unwrap();
    }
    while let Ok(event) = events.try_recv() {
        seen += &serde_json::to_string(&event).unwrap();
    }
    let part = &KEY[8..20];
    assert!(seen.contains("Incorrect") && !seen.contains(part), "{seen}");
    for file in
        std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file())
    {
        let bytes = std::fs::read(&file).unwrap();
        assert!(!bytes.windows(part.len()).any(|window| window == part.as_bytes()), "{}", file.display());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_local_model_cannot_is_offered_to_the_cloud() {
    let provider = Provider::start(|_| good(&["Hello"]));
    let folder = tempfile::tempdir().unwrap();
    let app = with(folder.path(), &provider, Mode::Auto).await;
    let rules = TaskKind::ALL.map(|kind| (kind, Rule::Local)).into();
    let policy = Policy { mode: Mode::Auto, rules, ..Policy::default() };
    app.set_chat_options(&ChatOptions { policy, ..ChatOptions::default() }).await.unwrap();
    let alone = app.begin_conversation(nowhere()).await.unwrap();
    let turn = app.send(say(&alone, "Hello?")).await.unwrap();
    assert!(turn.answer.is_none() && !turn.consent.unwrap().decision.local_can, "also *auto* asks first");

    let talk = app.begin_conversation(here()).await.unwrap();
    let long = "What is the river called, and what is the sea? ".repeat(100);
    let turn = app.send(say(&talk, &long)).await.unwrap();
    assert!(turn.answer.is_none() && turn.consent.is_some(), "its window is too small");
    let question = turn.question.unwrap().id;
    let mut events = app.subscribe();
    let turn = app.answer_question(talk.id, question, AnswerBy::Local).await.unwrap();
    let failed = ended(&app, &talk, turn.answer.unwrap().id).await;
    assert_eq!(failed.failure.unwrap().code, ErrorCode::PromptTooLong);
    let offered = async {
        loop {
            let AppEvent::Chat { update } = events.recv().await.unwrap() else { continue };
            if let ChatUpdate::Consent { conversation_id, consent } = *update {
                return (conversation_id, consent);
            }
        }
    };
    let (conversation, consent) = tokio::time::timeout(Duration::from_mins(1), offered).await.expect("an offer");
    assert_eq!((conversation, consent.question, consent.decision.consent), (talk.id, question, Consent::Ask));
    assert!(provider.asked().is_empty(), "nobody has agreed so far");
    let turn = app.answer_question(talk.id, question, AnswerBy::Cloud).await.unwrap();
    let answer = ended(&app, &talk, turn.answer.unwrap().id).await;
    assert_eq!((answer.content.as_str(), answer.parent), ("Hello", Some(question)));
}

#[derive(Debug, Clone, Copy)]
enum Fault {
    ServerErrorOnce,
    RateLimitedOnce,
    NoQuota,
    WrongKey,
    NoAnswer,
    Cut,
    Stall,
    Nonsense,
    Page,
    EndlessLine,
}

const FAULTS: [Fault; 10] = [
    Fault::ServerErrorOnce,
    Fault::RateLimitedOnce,
    Fault::NoQuota,
    Fault::WrongKey,
    Fault::NoAnswer,
    Fault::Cut,
    Fault::Stall,
    Fault::Nonsense,
    Fault::Page,
    Fault::EndlessLine,
];

/// The pieces of answer `number`, and how many of them come before the fault.
fn pieces(number: usize) -> (Vec<String>, usize) {
    let count = 1 + number * 7 % 9;
    ((0..count).map(|n| format!("é{number}-{n}字 \n")).collect(), number * 5 % (count + 1))
}

fn fault(number: usize) -> Fault {
    FAULTS[number % FAULTS.len()]
}

fn misbehave(number: usize, nth: usize) -> Vec<Step> {
    let (pieces, before) = pieces(number);
    let begun = format!("{STREAM}{}", pieces[..before].iter().map(|piece| delta(piece)).collect::<String>());
    let words: Vec<&str> = pieces.iter().map(String::as_str).collect();
    match fault(number) {
        Fault::ServerErrorOnce if nth == 0 => json(503, "{}"),
        Fault::RateLimitedOnce if nth == 0 => json(429, "{}"),
        Fault::ServerErrorOnce | Fault::RateLimitedOnce => good(&words),
        Fault::NoQuota => json(402, "{}"),
        Fault::WrongKey => json(401, "{}"),
        Fault::NoAnswer => Vec::new(),
        Fault::Cut => vec![Step::Send(begun + "data: {\"choi")],
        Fault::Stall => vec![Step::Send(begun), Step::Hang],
        Fault::Nonsense => vec![Step::Send(begun + "data: {\"choices\": oops\n\ndata: [DONE]\n\n")],
        Fault::Page => whole(200, "text/html", "<html></html>"),
        Fault::EndlessLine => vec![Step::Send(begun + "data: " + &"x".repeat(2 * MAX_LINE)), Step::Hang],
    }
}

/// Code, text, requests, and what it costs.
fn expected(number: usize) -> (Option<ErrorCode>, String, usize, Cost) {
    let (pieces, before) = pieces(number);
    let (none, some, all) = (String::new(), pieces[..before].concat(), pieces.concat());
    match fault(number) {
        Fault::ServerErrorOnce | Fault::RateLimitedOnce => (None, all, 2, usd(7_000 + 2_000 * pieces.len() as u64)),
        Fault::NoQuota => (Some(ErrorCode::ProviderQuotaExhausted), none, 1, Cost::Free),
        Fault::WrongKey => (Some(ErrorCode::ProviderUnauthorized), none, 1, Cost::Free),
        Fault::NoAnswer => (Some(ErrorCode::ProviderStreamCut), none, 1, Cost::Unknown),
        Fault::Page => (Some(ErrorCode::ProviderWrongUrl), none, 1, Cost::Free),
        Fault::Cut => (Some(ErrorCode::ProviderStreamCut), some, 1, Cost::Unknown),
        Fault::Stall => (Some(ErrorCode::ProviderTimeout), some, 1, Cost::Unknown),
        Fault::Nonsense => (Some(ErrorCode::ProviderStreamMalformed), some, 1, Cost::Unknown),
        Fault::EndlessLine => (Some(ErrorCode::ProviderAnswerTooLarge), some, 1, Cost::Unknown),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_faults_lose_no_message_and_charge_nothing_twice() {
    const EXCHANGES: usize = 200;
    let number = |body: &str| -> usize {
        let body: serde_json::Value = serde_json::from_str(body).expect("a request");
        body["messages"][0]["content"].as_str().and_then(|text| text.parse().ok()).expect("its number")
    };
    let counts = Mutex::new(HashMap::<usize, usize>::new());
    let provider = Provider::start(move |asked| {
        let number = number(&asked.body);
        let nth = {
            let mut counts = counts.lock().unwrap();
            let count = counts.entry(number).or_default();
            *count += 1;
            *count - 1
        };
        misbehave(number, nth)
    });
    let folder = tempfile::tempdir().unwrap();
    let app = with(folder.path(), &provider, Mode::Auto).await;
    let mut waiting = (0..EXCHANGES).collect::<Vec<_>>().into_iter();
    let mut at_once = tokio::task::JoinSet::new();
    let mut answers = Vec::new();
    loop {
        while at_once.len() < 16
            && let Some(number) = waiting.next()
        {
            let app = app.clone();
            at_once.spawn(async move {
                let talk = app.begin_conversation(nowhere()).await.unwrap();
                let answer = ask(&app, &talk, &number.to_string()).await;
                assert_eq!(app.conversation(talk.id).await.unwrap().messages.len(), 2);
                (number, answer)
            });
        }
        let Some(done) = at_once.join_next().await else { break };
        answers.push(done.unwrap());
    }
    assert_eq!(answers.len(), EXCHANGES);
    let mut requests = HashMap::<usize, usize>::new();
    for asked in provider.asked() {
        *requests.entry(number(&asked.body)).or_default() += 1;
    }
    let (mut sum, mut unknown) = (0, 0);
    for (at, answer) in answers {
        let (code, text, asked, cost) = expected(at);
        let fault = fault(at);
        assert_eq!(answer.failure.map(|failure| failure.code), code, "{at} {fault:?}");
        assert_eq!(answer.content, text, "{at} {fault:?}");
        assert_eq!(requests[&at], asked, "{at} {fault:?}");
        assert_eq!(answer.answer.unwrap().cloud.unwrap().cost, cost, "{at} {fault:?}");
        match cost {
            Cost::Amount(money) => sum += money.nanos,
            Cost::Unknown => unknown += 1,
            Cost::Free => {}
        }
    }
    assert_eq!((spent(&app).await, unknown), ((sum, unknown), 100));
}
