//! Answers from a provider: the same stream, the same storage and the same Stop as those of a local model, and what they cost.

use crate::api::AnswerBy;
use crate::chat::Written;
use crate::chat_route::{Target, Tried, Who};
use crate::{App, Result};
use pocketbench_cloud::{ChatRequest, End, Piece, Reply};
use pocketbench_domain::ErrorReport;
use pocketbench_domain::conversation::{ChatMessage, CloudAnswer, Conversation, path, told};
use pocketbench_domain::provider::{Cost, PriceBook};
use tokio_util::sync::CancellationToken;

impl Target {
    /// Of an answer that has not come yet.
    pub(crate) fn answer(&self) -> CloudAnswer {
        CloudAnswer {
            provider: self.provider.id.clone(),
            title: self.provider.title.clone(),
            model: self.model.clone(),
            usage: None,
            first_piece_ms: None,
            took_ms: None,
            // What asks no money costs none, whatever becomes of the answer.
            cost: if self.at_most == Cost::Free { Cost::Free } else { Cost::Unknown },
        }
    }
}

impl App {
    /// Lets a provider answer. Gives what was written and what was charged. Where it fails before its first word, the local
    /// model answers if it can.
    pub(crate) async fn answer_there(
        &self,
        conversation: &Conversation,
        answer: &mut ChatMessage,
        target: &Target,
        stop: &CancellationToken,
        on_text: &(impl Fn(String) + Send + Sync),
    ) -> (Result<Written>, Cost) {
        let (messages, book) = match self.what_is_said(conversation).await {
            Ok(known) => known,
            Err(error) => return (Err(error), Cost::Free),
        };
        let path = path(&messages, answer.parent);
        let settings = &conversation.settings;
        let request = ChatRequest {
            max_tokens: Some(settings.max_tokens),
            temperature: Some(settings.sampling.temperature),
            ..ChatRequest::new(&target.model, told(&path, &settings.system_prompt, 0).messages)
        };
        let mut thoughts = Thoughts::default();
        let reply = target.client.chat(&request, stop, |piece| on_text(thoughts.text(piece))).await;
        if thoughts.open {
            on_text(Thoughts::CLOSE.into());
        }
        let charged = charge(&reply, target, &book);
        if let Some(answer) = &mut answer.answer {
            let ms = |ns: u64| ns as f64 / 1e6;
            answer.cloud = Some(CloudAnswer {
                usage: reply.usage,
                first_piece_ms: reply.timing.first_token_ns.map(ms),
                took_ms: Some(ms(reply.timing.earlier_ns + reply.timing.end_ns)),
                cost: charged.clone(),
                ..target.answer()
            });
        }
        let nothing_came = reply.text.is_empty() && reply.reasoning.is_empty();
        let written = match reply.end {
            End::Complete => Ok(Written { text: None, figures: None, stopped: false }),
            End::Stopped => Ok(Written { text: None, figures: None, stopped: true }),
            End::Failed(error) => {
                let report = ErrorReport::from(error);
                if nothing_came && !stop.is_cancelled() {
                    self.fall_back(conversation, answer, &messages, report, stop, on_text).await
                } else {
                    Err(report)
                }
            }
        };
        (written, charged)
    }

    /// Lets the local model answer what a provider did not. Where it cannot, that failure is the answer's.
    async fn fall_back(
        &self,
        conversation: &Conversation,
        answer: &mut ChatMessage,
        messages: &[ChatMessage],
        report: ErrorReport,
        stop: &CancellationToken,
        on_text: &(impl Fn(String) + Send + Sync),
    ) -> Result<Written> {
        let tried = Tried { here: None, there: Some(report.code) };
        let path = path(messages, answer.parent);
        match self.plan(conversation, messages, &path, AnswerBy::Policy, tried).await {
            Ok(plan) => {
                let Who::Here(model) = plan.who else { return Err(report) };
                tracing::info!(code = ?report.code, "the cloud failed, the local model answers");
                answer.answer = Some(crate::chat::answer_here_of(&model, plan.decision));
                self.answer_here(conversation, answer, &model, stop, on_text).await
            }
            Err(_) => Err(report),
        }
    }

    async fn what_is_said(&self, conversation: &Conversation) -> Result<(Vec<ChatMessage>, PriceBook)> {
        Ok((self.store().messages(conversation.id).await?, self.prices().await?))
    }
}

/// What a reply has cost. Not known is what may have been worked on without a count coming back.
fn charge(reply: &Reply, target: &Target, book: &PriceBook) -> Cost {
    let nothing_came = reply.text.is_empty() && reply.reasoning.is_empty() && reply.usage.is_none();
    let refused = match &reply.end {
        End::Complete => false,
        End::Stopped => reply.requests == 0,
        End::Failed(error) => !error.may_be_charged(),
    };
    if nothing_came && refused {
        return Cost::Free;
    }
    book.cost(&target.provider, Some(&target.preset), &target.model, reply.usage.as_ref())
}

/// Puts reasoning between the marks that local models put around theirs.
#[derive(Debug, Default)]
struct Thoughts {
    open: bool,
    /// Something came before.
    begun: bool,
}

impl Thoughts {
    const OPEN: &str = "<think>";
    const CLOSE: &str = "</think>\n\n";

    fn text(&mut self, piece: Piece<'_>) -> String {
        let begun = std::mem::replace(&mut self.begun, true);
        match piece {
            Piece::Reasoning(text) if self.open => text.to_owned(),
            Piece::Reasoning(text) => {
                self.open = true;
                format!("{}{}{text}", if begun { "\n\n" } else { "" }, Self::OPEN)
            }
            Piece::Text(text) if self.open => {
                self.open = false;
                format!("{}{text}", Self::CLOSE)
            }
            Piece::Text(text) => text.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasoning_stands_between_marks() {
        let told = |pieces: &[Piece<'_>]| {
            let mut thoughts = Thoughts::default();
            pieces.iter().map(|piece| thoughts.text(*piece)).collect::<String>()
        };
        assert_eq!(told(&[Piece::Text("a"), Piece::Text("b")]), "ab");
        let whole = [Piece::Reasoning("h"), Piece::Reasoning("m"), Piece::Text("a"), Piece::Text("b")];
        assert_eq!(told(&whole), "<think>hm</think>\n\nab");
        assert_eq!(told(&[Piece::Text("a"), Piece::Reasoning("h")]), "a\n\n<think>h");
    }
}
