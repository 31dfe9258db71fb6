//! A thousand faults of ten kinds, in random order and at random places: no text that came is lost, nothing is asked twice
//! after an answer began, nothing hangs, and each fault has its right name.

mod server;

use futures::StreamExt;
use pocketbench_cloud::{ClientOptions, End, Piece};
use pocketbench_domain::{ErrorCode, ErrorReport};
use server::*;
use std::collections::HashMap;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const OF_EACH: usize = 100;
/// Most of the text that is let through, for the kind that exceeds it.
const MAX_LINE: usize = 32 << 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Fault {
    /// 500 once, then an answer.
    ServerErrorOnce,
    /// 429 once, then an answer.
    RateLimitedOnce,
    NoQuota,
    WrongKey,
    /// The connection ends before the answer begins.
    NoAnswer,
    /// The connection ends within the answer, anywhere.
    Cut,
    /// The answer stops coming.
    Stall,
    /// Something that is no JSON among the events.
    Nonsense,
    /// A web page.
    Page,
    /// A line without end.
    EndlessLine,
}

const KINDS: [Fault; 10] = [
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

/// One exchange: what is injected, and everything else about it, from its number alone.
#[derive(Debug, Clone)]
struct Plan {
    number: usize,
    fault: Fault,
    words: Vec<String>,
    /// Whole events before the fault.
    before: usize,
}

impl Plan {
    fn new(number: usize, fault: Fault) -> Self {
        let mut random = fastrand::Rng::with_seed(number as u64);
        let words = (0..random.usize(1..30)).map(|_| {
            let letters = (0..random.usize(1..9)).map(|_| random.choice(['a', 'é', '字', '😀', '"', '\\', '\n', ' ']));
            letters.map(|letter| letter.expect("one of several")).collect::<String>()
        });
        let words: Vec<String> = words.collect();
        let before = random.usize(0..=words.len());
        Self { number, fault, words, before }
    }

    fn text(&self, words: usize) -> String {
        self.words[..words].concat()
    }

    /// What the client must make of it: code, text, and requests that the server sees.
    fn expected(&self) -> (Option<ErrorCode>, String, usize) {
        let (all, none, some) = (self.text(self.words.len()), String::new(), self.text(self.before));
        match self.fault {
            Fault::ServerErrorOnce | Fault::RateLimitedOnce => (None, all, 2),
            Fault::NoQuota => (Some(ErrorCode::ProviderQuotaExhausted), none, 1),
            Fault::WrongKey => (Some(ErrorCode::ProviderUnauthorized), none, 1),
            Fault::NoAnswer => (Some(ErrorCode::ProviderStreamCut), none, 1),
            Fault::Page => (Some(ErrorCode::ProviderWrongUrl), none, 1),
            Fault::Cut => (Some(ErrorCode::ProviderStreamCut), some, 1),
            Fault::Stall => (Some(ErrorCode::ProviderTimeout), some, 1),
            Fault::Nonsense => (Some(ErrorCode::ProviderStreamMalformed), some, 1),
            Fault::EndlessLine => (Some(ErrorCode::ProviderAnswerTooLarge), some, 1),
        }
    }

    /// What the server does, the `nth` time that it is asked.
    fn steps(&self, nth: usize) -> Vec<Step> {
        let mut random = fastrand::Rng::with_seed(!(self.number as u64));
        let events: Vec<String> = self.words[..self.before].iter().map(|word| delta(word)).collect();
        let begun = format!("{STREAM_HEAD}{}", events.concat());
        let words: Vec<&str> = self.words.iter().map(String::as_str).collect();
        let (bytes, then) = match self.fault {
            Fault::ServerErrorOnce if nth == 0 => return json(500 + random.u16(0..5), "{}"),
            Fault::RateLimitedOnce if nth == 0 => return whole(429, &[("Retry-After", "0")], "{}"),
            Fault::ServerErrorOnce | Fault::RateLimitedOnce => return good(&words),
            Fault::NoQuota => return json(402, "{}"),
            Fault::WrongKey => return json(401, "{}"),
            Fault::NoAnswer => return vec![Step::Close],
            Fault::Page => return whole(200, &[("Content-Type", "text/html")], "<html></html>"),
            Fault::Cut => {
                // Within the next event, wherever; never so late that it would be whole.
                let next = delta("the next word");
                let mut bytes = begun.into_bytes();
                bytes.extend(&next.as_bytes()[..random.usize(0..next.len() - 4)]);
                (bytes, Step::Close)
            }
            Fault::Stall => (begun.into_bytes(), Step::Hang),
            Fault::Nonsense => ((begun + "data: {\"choices\": oops\n\n" + DONE).into_bytes(), Step::Close),
            Fault::EndlessLine => ((begun + "data: " + &"x".repeat(2 * MAX_LINE)).into_bytes(), Step::Hang),
        };
        // Cut by the network wherever it likes.
        let mut steps = Vec::new();
        let mut rest = bytes.as_slice();
        for _ in 0..random.usize(0..4) {
            let (piece, after) = rest.split_at(random.usize(0..=rest.len()));
            steps.extend([Step::Send(piece.to_vec()), Step::Wait(Duration::from_millis(random.u64(0..4)))]);
            rest = after;
        }
        steps.extend([Step::Send(rest.to_vec()), then]);
        steps
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_faults() {
    let mut faults: Vec<Fault> = KINDS.iter().flat_map(|kind| [*kind; OF_EACH]).collect();
    fastrand::Rng::with_seed(5).shuffle(&mut faults);
    let plans: Vec<Plan> = faults.into_iter().enumerate().map(|(number, fault)| Plan::new(number, fault)).collect();
    let number = |body: &str| -> usize {
        let body: serde_json::Value = serde_json::from_str(body).expect("a request");
        body["messages"][0]["content"].as_str().and_then(|text| text.parse().ok()).expect("its number")
    };
    let (known, asked) = (plans.clone(), std::sync::Mutex::new(HashMap::<usize, usize>::new()));
    let server = Server::start(move |request| {
        let number = number(&request.body);
        let nth = {
            let mut asked = asked.lock().unwrap();
            let count = asked.entry(number).or_default();
            *count += 1;
            *count - 1
        };
        known[number].steps(nth)
    })
    .await;
    // One client for all, as in the app. The stall is waited for; everything else has far more time than it needs.
    let patience = Duration::from_secs(2);
    let client = server.client(ClientOptions {
        stall_timeout: patience,
        first_token_timeout: Duration::from_secs(3),
        max_line: MAX_LINE,
        ..options()
    });
    let outcomes = futures::stream::iter(plans).map(|plan| {
        let client = client.clone();
        async move {
            let (stop, request) = (CancellationToken::new(), ask(&plan.number.to_string()));
            let mut seen = String::new();
            let reply = client.chat(&request, &stop, |piece| {
                if let Piece::Text(text) = piece {
                    seen.push_str(text);
                }
            });
            let reply = tokio::time::timeout(Duration::from_secs(30), reply).await;
            (plan, seen, reply)
        }
    });
    let outcomes: Vec<_> = outcomes.buffer_unordered(48).collect().await;
    assert_eq!(outcomes.len(), 1_000);

    let mut requests = HashMap::<usize, usize>::new();
    for request in server.requests() {
        *requests.entry(number(&request.body)).or_default() += 1;
    }
    let mut kinds = HashMap::<Fault, usize>::new();
    for (plan, seen, reply) in outcomes {
        let reply = reply.unwrap_or_else(|_| panic!("{plan:?} hangs"));
        let (code, text, asked) = plan.expected();
        let found = match &reply.end {
            End::Complete => None,
            End::Failed(error) => Some(ErrorReport::from(error.clone()).code),
            End::Stopped => panic!("nobody stopped {plan:?}"),
        };
        assert_eq!(found, code, "{plan:?}: {:?}", reply.end);
        assert_eq!(reply.text, text, "{plan:?}");
        assert_eq!(seen, text, "what was shown is what is kept: {plan:?}");
        assert_eq!(requests[&plan.number], asked, "{plan:?}");
        assert_eq!(reply.requests as usize, asked, "{plan:?}");
        *kinds.entry(plan.fault).or_default() += 1;
    }
    assert!(kinds.len() == KINDS.len() && kinds.values().all(|n| *n == OF_EACH), "{kinds:?}");
}
