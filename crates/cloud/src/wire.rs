//! The interface on the wire: what is sent, and what can be read from an answer.
//!
//! Read leniently, since "OpenAI-compatible" is spoken with many accents: what is not known is ignored, what is missing is
//! missing. Numbers and texts come from a stranger.

use crate::client::ChatRequest;
use pocketbench_domain::generate::Message;
use pocketbench_domain::provider::{FinishReason, TokenUsage};
use serde::Serialize;
use serde_json::Value;

/// Most names that are taken from a list of models, and the longest.
const MAX_MODELS: usize = 10_000;
const MAX_MODEL_NAME: usize = 256;

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    messages: &'a [Message],
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<StreamOptions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    stop: &'a [String],
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

/// The body of a request. `with_usage`: ask for the count of tokens at the end of a stream.
pub(crate) fn body(request: &ChatRequest, with_usage: bool) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(&Body {
        model: &request.model,
        messages: &request.messages,
        stream: request.stream,
        stream_options: (request.stream && with_usage).then_some(StreamOptions { include_usage: true }),
        max_tokens: request.max_tokens,
        temperature: request.temperature,
        top_p: request.top_p,
        seed: request.seed,
        stop: &request.stop,
    })
}

/// What one event of a stream, or a whole answer, brings.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Chunk {
    /// It had the shape of an answer.
    pub(crate) has_choice: bool,
    pub(crate) text: String,
    pub(crate) reasoning: String,
    pub(crate) finish: Option<FinishReason>,
    pub(crate) usage: Option<TokenUsage>,
    pub(crate) model: Option<String>,
    pub(crate) error: Option<Said>,
}

/// An error as the provider tells it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Said {
    pub(crate) message: Option<String>,
    /// `code` and `type`, in lower case: machines' words for what went wrong.
    pub(crate) codes: String,
    /// An HTTP status given as the code.
    pub(crate) status: Option<u16>,
}

impl Chunk {
    /// Reads JSON; `None` if it is not an object.
    pub(crate) fn read(json: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(json).ok()?;
        let object = value.as_object()?;
        let mut chunk = Self { error: Said::within(&value), ..Self::default() };
        chunk.model = object.get("model").and_then(Value::as_str).map(|name| clean(name, MAX_MODEL_NAME));
        chunk.usage = object.get("usage").and_then(usage);
        // One answer was asked for; of several the first counts.
        let choices = object.get("choices").and_then(Value::as_array);
        let first = |choice: &&Value| choice.get("index").and_then(Value::as_u64).unwrap_or(0) == 0;
        if let Some(choice) = choices.and_then(|choices| choices.iter().find(first)) {
            chunk.has_choice = true;
            if let Some(part) = choice.get("delta").or_else(|| choice.get("message")) {
                chunk.text = text(part.get("content"));
                // Named one way by DeepSeek, vLLM and llama.cpp, another by OpenRouter.
                chunk.reasoning = text(part.get("reasoning_content"));
                if chunk.reasoning.is_empty() {
                    chunk.reasoning = text(part.get("reasoning"));
                }
            }
            chunk.finish = choice.get("finish_reason").and_then(Value::as_str).map(FinishReason::of);
            // Some report the usage within the choice.
            chunk.usage = chunk.usage.or_else(|| choice.get("usage").and_then(usage));
        }
        Some(chunk)
    }
}

impl Said {
    /// The error within an answer: `{"error": {…}}`, `{"error": "…"}`, `{"detail": …}` or `{"object": "error", "message": …}`.
    pub(crate) fn within(value: &Value) -> Option<Self> {
        let error = match value.get("error") {
            Some(Value::Null) | None if value.get("object").and_then(Value::as_str) == Some("error") => value,
            Some(Value::Null) | None => value.get("detail")?,
            Some(error) => error,
        };
        let mut said = Self::default();
        match error {
            Value::String(message) => said.message = Some(message.clone()),
            Value::Object(fields) => {
                said.message = fields.get("message").and_then(Value::as_str).map(str::to_owned);
                for field in ["code", "type"] {
                    match fields.get(field) {
                        Some(Value::String(word)) => {
                            said.codes.push_str(&word.to_ascii_lowercase());
                            said.codes.push(' ');
                        }
                        Some(Value::Number(number)) => {
                            let status = number.as_u64().and_then(|n| u16::try_from(n).ok());
                            said.status = said.status.or(status.filter(|status| (400..600).contains(status)));
                        }
                        _ => {}
                    }
                }
            }
            // FastAPI lists what it does not like about a request.
            Value::Array(items) => {
                let messages: Vec<&str> =
                    items.iter().filter_map(|item| item.get("msg").and_then(Value::as_str)).take(3).collect();
                said.message = Some(messages.join("; "));
            }
            _ => {}
        }
        Some(said)
    }

    /// Whether message or codes contain one of these words, given in lower case.
    pub(crate) fn mentions(&self, words: &[&str]) -> bool {
        let message = self.message.as_deref().unwrap_or_default().to_lowercase();
        words.iter().any(|word| self.codes.contains(word) || message.contains(word))
    }
}

/// A text, or the texts of a list of parts.
fn text(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => {
            parts.iter().filter_map(|part| part.get("text").and_then(Value::as_str)).collect::<Vec<_>>().concat()
        }
        _ => String::new(),
    }
}

fn usage(value: &Value) -> Option<TokenUsage> {
    let number = |path: &str| value.pointer(path).and_then(Value::as_u64);
    let (prompt, completion) = (number("/prompt_tokens")?, number("/completion_tokens")?);
    // Named one way by OpenAI and most others, another by DeepSeek.
    let cached = number("/prompt_tokens_details/cached_tokens").or_else(|| number("/prompt_cache_hit_tokens"));
    let reasoning = number("/completion_tokens_details/reasoning_tokens");
    // More than the whole is nonsense, and not knowing is better than that.
    let within = |part: Option<u64>, whole: u64| part.filter(|part| *part <= whole);
    let (cached_prompt, reasoning) = (within(cached, prompt), within(reasoning, completion));
    Some(TokenUsage { prompt, cached_prompt, completion, reasoning })
}

/// The names in a list of models; `None` if it is none.
pub(crate) fn models(json: &str) -> Option<Vec<String>> {
    let value: Value = serde_json::from_str(json).ok()?;
    let list = value.get("data").or_else(|| value.get("models")).unwrap_or(&value).as_array()?;
    let name = |model: &Value| {
        let name = model.get("id").or_else(|| model.get("name")).unwrap_or(model).as_str()?;
        let sound = !name.is_empty() && name.chars().count() <= MAX_MODEL_NAME && !name.chars().any(char::is_control);
        sound.then(|| name.to_owned())
    };
    let names: Vec<String> = list.iter().filter_map(name).take(MAX_MODELS).collect();
    // A list of something else is no list of models.
    (list.is_empty() || !names.is_empty()).then_some(names)
}

fn clean(text: &str, longest: usize) -> String {
    text.chars().filter(|c| !c.is_control()).take(longest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use pocketbench_domain::generate::Role;
    use proptest::prelude::*;

    fn read(json: &str) -> Chunk {
        Chunk::read(json).unwrap()
    }

    #[test]
    fn a_request_says_only_what_was_asked_for() {
        let message = |content: &str| Message { role: Role::User, content: content.into() };
        let mut request = ChatRequest::new("m", vec![message("a \"b\"\n")]);
        let json =
            |request: &ChatRequest, usage| -> Value { serde_json::from_slice(&body(request, usage).unwrap()).unwrap() };
        assert_eq!(
            json(&request, true),
            serde_json::json!({
                "model": "m", "messages": [{ "role": "user", "content": "a \"b\"\n" }],
                "stream": true, "stream_options": { "include_usage": true }
            })
        );
        request.stop = vec!["x".into()];
        request.max_tokens = Some(5);
        request.stream = false;
        let sent = json(&request, true);
        assert_eq!((sent.get("stream_options"), &sent["max_tokens"], &sent["stop"][0]), (None, &5.into(), &"x".into()));
        assert!(json(&ChatRequest::new("m", vec![]), false).get("stream_options").is_none());
    }

    #[test]
    fn accents_of_the_interface_are_understood() {
        let delta = read(
            r#"{"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"hé"},"finish_reason":null}]}"#,
        );
        assert_eq!((delta.text.as_str(), delta.finish, delta.model.as_deref()), ("hé", None, Some("m")));
        for field in ["reasoning_content", "reasoning"] {
            let chunk = read(&format!(r#"{{"choices":[{{"delta":{{"content":null,"{field}":"hm"}}}}]}}"#));
            assert_eq!((chunk.text.as_str(), chunk.reasoning.as_str()), ("", "hm"));
        }
        let whole = read(
            r#"{"choices":[{"message":{"content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},"finish_reason":"length"}]}"#,
        );
        assert_eq!((whole.text.as_str(), whole.finish), ("ab", Some(FinishReason::Length)));
        let second = read(r#"{"choices":[{"index":1,"delta":{"content":"no"}}]}"#);
        assert!(!second.has_choice && second.text.is_empty());
        for odd in
            ["{}", r#"{"choices":[]}"#, r#"{"choices":null}"#, r#"{"choices":[7]}"#, r#"{"choices":[{"delta":null}]}"#]
        {
            assert!(read(odd).text.is_empty(), "{odd}");
        }
        for none in ["", "[]", "7", "\"x\"", "{", "{\"a\":1}}"] {
            assert_eq!(Chunk::read(none), None, "{none}");
        }
    }

    #[test]
    fn usage_is_read_with_its_details() {
        let openai = read(
            r#"{"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":7,"total_tokens":17,
            "prompt_tokens_details":{"cached_tokens":4},"completion_tokens_details":{"reasoning_tokens":3}}}"#,
        );
        let full = TokenUsage { prompt: 10, cached_prompt: Some(4), completion: 7, reasoning: Some(3) };
        assert_eq!(openai.usage, Some(full));
        let other = read(r#"{"usage":{"prompt_tokens":10,"completion_tokens":7,"prompt_cache_hit_tokens":2}}"#);
        assert_eq!(other.usage.unwrap().cached_prompt, Some(2));
        let nonsense = read(r#"{"usage":{"prompt_tokens":1,"completion_tokens":7,"prompt_cache_hit_tokens":2}}"#);
        assert_eq!(nonsense.usage.unwrap().cached_prompt, None);
        for none in [r#"{"usage":null}"#, r#"{"usage":{}}"#, r#"{"usage":{"prompt_tokens":-1,"completion_tokens":1}}"#]
        {
            assert_eq!(read(none).usage, None, "{none}");
        }
    }

    #[test]
    fn errors_are_found_in_every_form() {
        let said = |json: &str| Said::within(&serde_json::from_str(json).unwrap());
        let openai =
            said(r#"{"error":{"message":"No.","type":"Invalid_Request_Error","code":"model_not_found"}}"#).unwrap();
        assert!(openai.mentions(&["model_not_found"]) && openai.mentions(&["invalid_request"]));
        assert_eq!(said(r#"{"error":{"message":"x","code":402}}"#).unwrap().status, Some(402));
        assert_eq!(said(r#"{"error":"plain"}"#).unwrap().message.as_deref(), Some("plain"));
        assert_eq!(said(r#"{"detail":"Not Found"}"#).unwrap().message.as_deref(), Some("Not Found"));
        assert_eq!(said(r#"{"detail":[{"msg":"too long"}]}"#).unwrap().message.as_deref(), Some("too long"));
        assert!(said(r#"{"object":"error","message":"vLLM","code":404}"#).unwrap().message.is_some());
        assert_eq!(said(r#"{"error":null,"choices":[]}"#), None);
        assert_eq!(said("{}"), None);
    }

    #[test]
    fn lists_of_models_are_read() {
        let names = |json: &str| models(json).unwrap();
        assert_eq!(names(r#"{"object":"list","data":[{"id":"a"},{"id":"b/c"},{"id":"two\nlines"}]}"#), ["a", "b/c"]);
        assert_eq!(names(r#"{"models":[{"name":"a"}]}"#), ["a"]);
        assert_eq!(names(r#"["a"]"#), ["a"]);
        assert!(names(r#"{"data":[]}"#).is_empty());
        for none in ["", "{}", "<html>", r#"{"data":[{"x":1}]}"#, r#"{"data":"a"}"#, "[1]"] {
            assert_eq!(models(none), None, "{none}");
        }
    }

    proptest! {
        #[test]
        fn nothing_makes_the_reader_panic(json in "[\\[\\]{}:,\"a-z0-9\\\\ ]{0,60}", noise in any::<String>()) {
            for text in [&json, &noise] {
                let _ = (Chunk::read(text), models(text));
            }
        }
    }
}
