//! Why an endpoint is refused, and what can go wrong between this machine and a provider.
//!
//! No error here holds a key. What a provider says is passed on only after everything that could be part of the key was taken
//! out of it: some repeat what they were sent.

use pocketbench_domain::provider::OverBudget;
use pocketbench_domain::{ErrorCode, ErrorReport};
use std::time::Duration;

/// What is wrong with the description of an endpoint. None of these repeats what was typed: it may hold a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CloudError {
    /// The base URL cannot be used.
    #[error("the address {0}")]
    BaseUrl(&'static str),
    /// Prompts and key would travel in clear over the internet.
    #[error("the address is not encrypted and not on the local network")]
    NotEncrypted,
    /// The model's name is empty or no name.
    #[error("the model's name must have 1 to 256 characters and no control characters")]
    ModelName,
    /// The key does not look like one of this provider's.
    #[error("every key of {title} begins with “{prefix}”, and this one does not")]
    KeyShape {
        /// The provider.
        title: String,
        /// How its keys begin.
        prefix: String,
    },
    /// The proxy's address cannot be used. It may hold a password, so it is not repeated.
    #[error("the proxy's address cannot be used")]
    Proxy,
}

impl From<CloudError> for ErrorReport {
    fn from(error: CloudError) -> Self {
        let hint = match error {
            CloudError::BaseUrl(_) => "Copy the base URL from the provider's page, such as https://example.com/v1.",
            CloudError::NotEncrypted => "Use the address that starts with https://.",
            CloudError::ModelName => "Copy the model's name from the provider's list of models.",
            CloudError::KeyShape { .. } => {
                "Copy the whole key from the provider's page. If it is a key of another kind, set the provider up as a custom one."
            }
            CloudError::Proxy => "Give it as http://host:port.",
        };
        Self::new(ErrorCode::InvalidInput, format!("The endpoint cannot be used: {error}.")).hint(hint)
    }
}

/// What was waited for in vain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// The first piece of the answer.
    FirstToken,
    /// The next piece.
    Next,
    /// The whole.
    Whole,
}

/// Why a provider did not answer, or not to the end. `host` is its host's name; `said` what it says itself, without the key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the fields are those that every variant has, and what the message says")]
pub enum ProviderError {
    /// 401 or 403.
    #[error("{host} does not accept the key{}", quoted(.said))]
    Unauthorized { host: String, key_sent: bool, said: Option<String> },
    /// No way to the host: no network, no such name, nobody answers. Nothing was sent.
    #[error("{host} cannot be reached: {cause}")]
    Unreachable { host: String, cause: String },
    /// No such interface there.
    #[error("there is no OpenAI-compatible interface at this address of {host}: {problem}")]
    WrongUrl { host: String, problem: String },
    /// 402, or 429 that says so.
    #[error("the account at {host} has no credit left{}", quoted(.said))]
    QuotaExhausted { host: String, said: Option<String> },
    /// 429.
    #[error("{host} gets too many requests{}", quoted(.said))]
    RateLimited { host: String, retry_after: Option<Duration>, said: Option<String> },
    /// 5xx, or an error that the provider reports within a stream.
    #[error("{host} fails: it answers {status}{}", quoted(.said))]
    ServerError { host: String, status: String, retry_after: Option<Duration>, said: Option<String> },
    /// Certificate or encryption.
    #[error("no trusted connection to {host}: {cause}")]
    Tls { host: String, cause: String },
    /// What came is not what the interface says.
    #[error("{host} answers nonsense: {problem}")]
    Malformed { host: String, problem: String },
    /// The connection ended before the answer did.
    #[error("the answer of {host} broke off: {problem}")]
    Cut { host: String, problem: String },
    /// Nothing came for too long.
    #[error("{host} has sent nothing for {:.0} s", .waited.as_secs_f64())]
    Timeout { host: String, wait: Wait, waited: Duration },
    /// `Content-Type` of something else.
    #[error("{host} answers with “{found}”")]
    ContentType { host: String, found: String },
    /// Beyond what any answer should need.
    #[error("the answer of {host} is too large: {what}")]
    TooLarge { host: String, what: String },
    /// No model of that name.
    #[error("{host} has no model “{model}”{}", quoted(.said))]
    ModelUnknown { host: String, model: String, said: Option<String> },
    /// Too long a conversation.
    #[error("the conversation is longer than the context of “{model}” at {host}{}", quoted(.said))]
    ContextTooLong { host: String, model: String, said: Option<String> },
    /// Another 4xx.
    #[error("{host} refuses the request ({status}){}", quoted(.said))]
    Refused { host: String, status: u16, said: Option<String> },
    /// The circuit breaker is open; nothing was sent.
    #[error("{host} failed too often just now; it is left alone for another {} s", .wait.as_secs().max(1))]
    Paused { host: String, wait: Duration },
    /// The request cannot be made at all.
    #[error(transparent)]
    Endpoint(#[from] CloudError),
    /// The system does not let a client be made.
    #[error("{0}")]
    Internal(String),
}

#[allow(clippy::ref_option, reason = "as thiserror hands it over")]
fn quoted(said: &Option<String>) -> String {
    said.as_deref().map(|said| format!(": “{said}”")).unwrap_or_default()
}

impl ProviderError {
    /// It may go better in a moment, and the provider has not begun to answer, so trying again charges nobody twice.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::RateLimited { .. } | Self::ServerError { .. })
    }

    /// How long the provider asks to wait.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after, .. } | Self::ServerError { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// The request may have been worked on, and so be charged, although it brought nothing: it was sent, and no refusal came.
    #[must_use]
    pub fn may_be_charged(&self) -> bool {
        matches!(
            self,
            Self::Malformed { .. }
                | Self::Cut { .. }
                | Self::Timeout { .. }
                | Self::ContentType { .. }
                | Self::TooLarge { .. }
        )
    }

    /// The provider or the way to it is at fault, not who asks.
    pub(crate) fn is_fault(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. }
                | Self::ServerError { .. }
                | Self::Tls { .. }
                | Self::Malformed { .. }
                | Self::Cut { .. }
                | Self::Timeout { .. }
        )
    }
}

impl From<ProviderError> for ErrorReport {
    fn from(error: ProviderError) -> Self {
        use ErrorCode as Code;
        let message = capital(&error.to_string());
        let (code, hint) = match &error {
            ProviderError::Unauthorized { key_sent: false, .. } => {
                (Code::ProviderUnauthorized, "It wants a key: make one at the provider and enter it in the settings.")
            }
            ProviderError::Unauthorized { .. } => (
                Code::ProviderUnauthorized,
                "Check that the key is whole, not withdrawn, and allowed to use this model.",
            ),
            ProviderError::Unreachable { .. } => (
                Code::ProviderUnreachable,
                "Check the network, the address and the proxy; for a server of your own, that it runs.",
            ),
            ProviderError::WrongUrl { .. } => (Code::ProviderWrongUrl, "Check the base URL; most end with /v1."),
            ProviderError::QuotaExhausted { .. } => {
                (Code::ProviderQuotaExhausted, "Add credit at the provider, or use a model on this device.")
            }
            ProviderError::RateLimited { .. } => (Code::ProviderRateLimited, "Wait a moment and try again."),
            ProviderError::ServerError { .. } => {
                (Code::ProviderServerError, "The fault is the provider's. Try again later, or use another model.")
            }
            ProviderError::Tls { .. } => (
                Code::ProviderTlsFailed,
                "Check this device's date and time, and whether something listens in on the network.",
            ),
            ProviderError::Malformed { .. } => (
                Code::ProviderStreamMalformed,
                "Try again; if it stays so, the server does not speak this interface properly.",
            ),
            ProviderError::Cut { .. } => {
                (Code::ProviderStreamCut, "What came so far is kept. Ask again for the rest; it may be charged again.")
            }
            ProviderError::Timeout { .. } => {
                (Code::ProviderTimeout, "What came so far is kept. Try again, or use a model on this device.")
            }
            ProviderError::ContentType { .. } => (
                Code::ProviderContentType,
                "Check the base URL, and whether a login page or a proxy stands in between.",
            ),
            ProviderError::TooLarge { .. } => {
                (Code::ProviderAnswerTooLarge, "What came so far is kept. Ask for a shorter answer.")
            }
            ProviderError::ModelUnknown { .. } => {
                (Code::ProviderModelUnknown, "Pick one from the provider's list of models.")
            }
            ProviderError::ContextTooLong { .. } => (
                Code::ProviderContextTooLong,
                "Begin a new conversation, leave out long messages, or pick a model with a longer context.",
            ),
            ProviderError::Refused { .. } => {
                (Code::ProviderRefused, "What the provider says tells what it does not like.")
            }
            ProviderError::Paused { .. } => {
                (Code::ProviderPaused, "Wait, check the provider, or use a model on this device.")
            }
            ProviderError::Endpoint(error) => return error.clone().into(),
            ProviderError::Internal(_) => return Self::new(Code::Internal, message),
        };
        Self::new(code, message).hint(hint)
    }
}

/// An error's words as a sentence begins.
fn capital(text: &str) -> String {
    let mut chars = text.chars();
    // A host's name stays as it is written.
    if text.starts_with("the ") || text.starts_with("there ") || text.starts_with("no ") {
        return chars.next().map(|c| c.to_uppercase().chain(chars).collect()).unwrap_or_default();
    }
    text.into()
}

/// A budget's no, as an error.
#[must_use]
pub fn over_budget(why: OverBudget) -> ErrorReport {
    let (message, hint) = match why {
        OverBudget::Spent => (
            "The month's budget is spent, or this answer could exceed it.",
            "Use a model on this device, or raise the budget in the settings.",
        ),
        OverBudget::PriceUnknown => (
            "The price of this model is not known, so it cannot be held against the month's budget.",
            "Enter its price in the settings, or switch the hard stop off.",
        ),
        OverBudget::OtherCurrency => (
            "This model's price is in another currency than the month's budget.",
            "Set the budget in that currency, or switch the hard stop off.",
        ),
    };
    ErrorReport::new(ErrorCode::BudgetExhausted, message).hint(hint)
}

/// What a provider says, fit to be shown: one line, not too long, and nothing in it that eight characters of the key in a row
/// could be read from.
pub(crate) fn presentable(said: &str, key: Option<&str>) -> Option<String> {
    const LONGEST: usize = 300;
    let mut text: String = said.chars().map(|c| if c.is_control() { ' ' } else { c }).take(4 * LONGEST).collect();
    if let Some(key) = key {
        text = without_key(&text, key);
    }
    let mut words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if words.chars().count() > LONGEST {
        words = words.chars().take(LONGEST).chain(['…']).collect();
    }
    (!words.is_empty()).then_some(words)
}

/// Replaces what is part of the key. Keys are ASCII, so places are bytes.
fn without_key(text: &str, key: &str) -> String {
    let window = key.len().min(8);
    let mut hidden = vec![false; text.len()];
    for part in key.as_bytes().windows(window) {
        for (at, found) in text.as_bytes().windows(window).enumerate() {
            if found == part {
                hidden[at..at + window].fill(true);
            }
        }
    }
    let mut clean = String::with_capacity(text.len());
    let mut inside = false;
    for (at, c) in text.char_indices() {
        if !hidden[at] {
            clean.push(c);
        } else if !inside {
            clean.push('…');
        }
        inside = hidden[at];
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_the_key_is_passed_on() {
        let key = "sk-proj-abcdefghijklmnop";
        for said in [
            "Incorrect API key provided: sk-proj-abcdefghijklmnop. You can find it …",
            "bad header: Bearer sk-proj-abcdefghijklmnop\r\nX: y",
            "key sk-proj-abcd************mnop is bad, so is sk-proj-abcdefghijklmnopsk-proj-abcdefghijklmnop",
        ] {
            let shown = presentable(said, Some(key)).unwrap();
            assert!(!shown.contains("abcd") && !shown.contains("klmn") && !shown.contains('\n'), "{shown}");
            assert!(shown.contains('…'));
        }
        assert_eq!(presentable("short xyz!", Some("xyz")).as_deref(), Some("short …!"));
        assert_eq!(presentable("Schlüssel fehlt", Some(key)).as_deref(), Some("Schlüssel fehlt"));
        assert_eq!(presentable(" \n ", None), None);
        assert!(presentable(&"ab ".repeat(1000), None).unwrap().chars().count() <= 301);
    }

    #[test]
    fn every_error_has_its_own_code_and_a_hint() {
        let host = || "api.example.com".to_owned();
        let errors = [
            ProviderError::Unauthorized { host: host(), key_sent: true, said: None },
            ProviderError::Unreachable { host: host(), cause: "no route".into() },
            ProviderError::WrongUrl { host: host(), problem: "it is a web page".into() },
            ProviderError::QuotaExhausted { host: host(), said: Some("insufficient".into()) },
            ProviderError::RateLimited { host: host(), retry_after: None, said: None },
            ProviderError::ServerError { host: host(), status: "500".into(), retry_after: None, said: None },
            ProviderError::Tls { host: host(), cause: "expired".into() },
            ProviderError::Malformed { host: host(), problem: "no JSON".into() },
            ProviderError::Cut { host: host(), problem: "no end".into() },
            ProviderError::Timeout { host: host(), wait: Wait::Next, waited: Duration::from_secs(9) },
            ProviderError::ContentType { host: host(), found: "image/png".into() },
            ProviderError::TooLarge { host: host(), what: "one line".into() },
            ProviderError::ModelUnknown { host: host(), model: "m".into(), said: None },
            ProviderError::ContextTooLong { host: host(), model: "m".into(), said: None },
            ProviderError::Refused { host: host(), status: 400, said: None },
            ProviderError::Paused { host: host(), wait: Duration::from_secs(3) },
        ];
        let mut codes = std::collections::HashSet::new();
        for error in errors {
            let report = ErrorReport::from(error);
            assert!(codes.insert(report.code), "{report:?}");
            assert!(report.hint.is_some() && report.message.contains("api.example.com"), "{report:?}");
            let name = serde_json::to_value(report.code).unwrap();
            assert!(name.as_str().unwrap().starts_with("PROVIDER_"), "{name}");
        }
    }
}
