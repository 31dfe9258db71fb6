//! Side by side: one question to two models on this device, and the votes of people on their answers.
//!
//! A duel is a conversation of one question with two answers. It is in no list of conversations. In a blind duel the sides
//! are drawn by lot, and nothing that leaves here says which model is which before the vote: neither names nor hashes nor
//! figures, by which a model can be known. The store knows it all along.

use crate::api::{Duel, DuelRanking, DuelRequest};
use crate::chat::{question_of, refuse_text};
use crate::chat_route::{Plan, Who};
use crate::{App, Result, new_id, now};
use pocketbench_domain::conversation::{ChatMessage, Conversation, ConversationId, MessageId, MessageState, title_of};
use pocketbench_domain::duel::{Contender, Vote, ranking};
use pocketbench_domain::route::{Policy, Situation, decide};
use pocketbench_domain::{ErrorCode, ErrorReport};
use pocketbench_store::DuelRow;
use std::path::Path;

impl App {
    /// Asks two models. Both answer at once where memory holds both, else one after the other; events tell how.
    ///
    /// # Errors
    /// `INVALID_INPUT` for a question that is empty or too long, and for twice the same model.
    pub async fn start_duel(&self, request: DuelRequest) -> Result<Duel> {
        let DuelRequest { text, models: [left, right], blind, mut settings } = request;
        refuse_text(&text)?;
        let mut left = self.identify(Path::new(&left), true).await?;
        let mut right = self.identify(Path::new(&right), true).await?;
        if left.sha256 == right.sha256 {
            return Err(ErrorReport::new(ErrorCode::InvalidInput, "both sides are the same model")
                .hint("Pick two different models."));
        }
        // The last bit of such an identifier is random.
        if blind && new_id().as_bytes()[15] & 1 == 1 {
            std::mem::swap(&mut left, &mut right);
        }
        settings.model = None;
        let conversation_id = ConversationId(new_id());
        let title = title_of(&text);
        let question = question_of(conversation_id, None, text);
        let (question_id, at) = (question.id, question.created_at);
        let conversation = Conversation {
            id: conversation_id,
            title,
            pinned: false,
            created_at: at,
            updated_at: at,
            settings,
            head: Some(question_id),
        };
        let models = [&left, &right].map(|model| Contender { sha256: model.sha256.clone(), label: model.label() });
        let row = DuelRow { question: question_id, conversation_id, models, blind, vote: None };
        self.store().insert_duel(&conversation, &question, &row).await?;
        // Whatever the policy of chat is, what two local models are asked stays here.
        let decision = decide(&Policy::default(), &question.content, &Situation::default());
        let [left, right] =
            [left, right].map(|model| Plan { who: Who::Here(Box::new(model)), decision: decision.clone() });
        let left = self.begin_answer(conversation.clone(), question_id, left).await?;
        let right = match self.begin_answer(conversation, question_id, right).await {
            Ok(right) => right,
            Err(error) => {
                self.stop_answer(left.id);
                return Err(error);
            }
        };
        let mut answers = [left, right];
        if is_hidden(&row, &answers) {
            answers.iter_mut().for_each(hide);
        }
        Ok(Duel { conversation_id, question, answers, blind, vote: None })
    }

    /// Takes a vote, in the place of the one before, and tells the names.
    ///
    /// # Errors
    /// `INVALID_INPUT` while an answer is being written, and where one of them failed or was cut off: then there is nothing to
    /// compare.
    pub async fn vote_duel(&self, question: MessageId, vote: Vote) -> Result<Duel> {
        let missing = || ErrorReport::new(ErrorCode::NotFound, "there is no such question to two models");
        let mut row = self.store().duel(question).await?.ok_or_else(missing)?;
        let duel = self.duel_from(&row).await?.ok_or_else(missing)?;
        let refuse = |why: &str, hint: &str| Err(ErrorReport::new(ErrorCode::InvalidInput, why).hint(hint));
        if duel.answers.iter().any(|answer| answer.state == MessageState::Writing) {
            return refuse("an answer is still being written", "Wait for it, or stop it.");
        }
        if duel.answers.iter().any(is_void) {
            return refuse("one of the answers could not be finished", "Ask both again.");
        }
        self.store().set_vote(question, vote, now()).await?;
        row.vote = Some(vote);
        self.duel_from(&row).await?.ok_or_else(missing)
    }

    /// Questions to two models, the latest first.
    pub async fn duels(&self, limit: u32) -> Result<Vec<Duel>> {
        let mut duels = Vec::new();
        for row in self.store().duels(limit).await? {
            duels.extend(self.duel_from(&row).await?);
        }
        Ok(duels)
    }

    /// How models stand by all votes.
    pub async fn duel_ranking(&self) -> Result<DuelRanking> {
        let ballots = self.store().votes().await?;
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let blind = count(ballots.iter().filter(|ballot| ballot.blind).count());
        Ok(DuelRanking { models: ranking(&ballots), votes: count(ballots.len()), blind })
    }

    /// Takes out of messages what a blind duel does not tell yet, if they are of one.
    pub(crate) async fn hide_names(&self, id: ConversationId, messages: &mut [ChatMessage]) {
        match self.store().duel_of(id).await {
            Ok(None) => {}
            Ok(Some(row)) if !is_hidden(&row, messages) => {}
            Ok(Some(_)) => messages.iter_mut().for_each(hide),
            // Rather too little is told than too much.
            Err(error) => {
                tracing::warn!(%error, "whether names are hidden could not be read");
                messages.iter_mut().for_each(hide);
            }
        }
    }

    /// A duel with what was said. `None` where the program ended before both answers were begun.
    async fn duel_from(&self, row: &DuelRow) -> Result<Option<Duel>> {
        let mut messages = self.store().messages(row.conversation_id).await?;
        let is_answer = |message: &ChatMessage, contender: &Contender| {
            let of = message.answer.as_ref().and_then(|answer| answer.model_sha256.as_deref());
            message.parent == Some(row.question) && of == Some(contender.sha256.as_str())
        };
        let mut take = |wanted: &dyn Fn(&ChatMessage) -> bool| {
            let place = messages.iter().position(wanted)?;
            Some(messages.remove(place))
        };
        let question = take(&|message| message.id == row.question);
        let left = take(&|message| is_answer(message, &row.models[0]));
        let right = take(&|message| is_answer(message, &row.models[1]));
        let (Some(question), Some(left), Some(right)) = (question, left, right) else { return Ok(None) };
        let mut answers = [left, right];
        if is_hidden(row, &answers) {
            answers.iter_mut().for_each(hide);
        }
        let DuelRow { conversation_id, blind, vote, .. } = *row;
        Ok(Some(Duel { conversation_id, question, answers, blind, vote }))
    }
}

/// An answer that cannot be compared with another.
fn is_void(answer: &ChatMessage) -> bool {
    matches!(answer.state, MessageState::Failed | MessageState::Cut)
}

/// Whether names are not told: until the vote, or until it is clear that there can be none.
fn is_hidden(row: &DuelRow, messages: &[ChatMessage]) -> bool {
    row.blind && row.vote.is_none() && !messages.iter().any(is_void)
}

fn hide(message: &mut ChatMessage) {
    if let Some(answer) = &mut message.answer {
        answer.model.clear();
        answer.model_sha256 = None;
        answer.figures = None;
    }
}
