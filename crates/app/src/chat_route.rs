//! Who answers a question: the model on this device or a provider, and whether the person is asked first. The decision
//! itself is the domain's; here stands what it is told.

use crate::api::{AnswerBy, ChatOptions, ConsentQuestion};
use crate::chat::{InWork, count, reserve};
use crate::models::fit_of;
use crate::providers::preset_of;
use crate::{App, Result};
use pocketbench_cloud::{ProviderClient, over_budget};
use pocketbench_domain::conversation::{ChatMessage, Conversation, MessageState, told};
use pocketbench_domain::fit::FitClass;
use pocketbench_domain::generate::{Message, Role};
use pocketbench_domain::model::ModelRef;
use pocketbench_domain::provider::{Cost, MonthSpend, Provider, ProviderPreset, TokenUsage};
use pocketbench_domain::route::{
    CloudProblem, CloudState, Consent, Decision, LocalState, Mode, Reason, Route, Situation, decide, estimate_tokens,
};
use pocketbench_domain::{ErrorCode, ErrorReport};
use tokio_util::sync::CancellationToken;

/// Latest answers of the local model among which failures are looked for.
const RECENT: usize = 5;
/// Tokens that a provider may put around each message, at most.
const AROUND_MESSAGE: usize = 16;

/// A provider that can be asked.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) provider: Provider,
    pub(crate) preset: ProviderPreset,
    pub(crate) client: ProviderClient,
    /// The model's name there.
    pub(crate) model: String,
    /// The most that the answer can cost.
    pub(crate) at_most: Cost,
}

/// Who answers.
#[derive(Debug)]
pub(crate) enum Who {
    /// The model on this device.
    Here(Box<ModelRef>),
    /// A provider; only with the consent that the decision speaks of.
    There(Box<Target>),
}

/// Who answers, and why.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) who: Who,
    pub(crate) decision: Decision,
}

/// What was tried with a question already, and how it failed.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tried {
    pub(crate) here: Option<ErrorCode>,
    pub(crate) there: Option<ErrorCode>,
}

/// Why no provider can be asked: what the router is told, and the same for a person.
struct CloudRefusal(CloudState, ErrorReport);

impl App {
    /// Decides who answers the last message of a path.
    ///
    /// # Errors
    /// Where nobody can: why the local model cannot, or why the cloud cannot if the person wants just that.
    pub(crate) async fn plan(
        &self,
        conversation: &Conversation,
        messages: &[ChatMessage],
        path: &[&ChatMessage],
        by: AnswerBy,
        tried: Tried,
    ) -> Result<Plan> {
        let options = self.chat_options().await?;
        let policy = &options.policy;
        let local = self.chat_model(&conversation.settings).await;
        let prompt = path.last().map_or("", |question| question.content.as_str());
        let mut situation = Situation {
            local: match (&local, tried.here) {
                (_, Some(code)) => LocalState::Failed(code),
                (Ok(_), None) => LocalState::Ready,
                (Err(_), None) => LocalState::NoModel,
            },
            ..Situation::default()
        };
        // Nothing of a provider is looked at, least of all its key, before the policy lets anything leave.
        let cloud = match policy.mode {
            Mode::AlwaysLocal => Err(CloudRefusal(CloudState::NoProvider, stays_here())),
            Mode::AlwaysAsk | Mode::Auto => self.target(&options, conversation, path, tried).await?,
        };
        situation.cloud = cloud.as_ref().map_or_else(|refusal| refusal.0, |_| CloudState::Ready);
        if let (Ok(_), Ok(model)) = (&cloud, &local) {
            self.look_around(&mut situation, conversation, messages, path, model).await?;
        }
        let mut decision = settled(decide(policy, prompt, &situation), by);
        if let Some(code) = tried.there {
            let reason = Reason::CloudCannot { problem: CloudProblem::Failed { code } };
            if !decision.reasons.contains(&reason) {
                decision.reasons.push(reason);
            }
        }
        let who = match (decision.route, cloud) {
            (Route::Cloud, Ok(target)) => Who::There(Box::new(target)),
            (Route::Cloud, Err(CloudRefusal(_, report))) => return Err(report),
            (Route::Local | Route::Nowhere, _) => match (local, tried.here) {
                (Ok(model), None) => {
                    // What looks too long or too large by an estimate is tried all the same where nobody else can answer.
                    decision.route = Route::Local;
                    Who::Here(Box::new(model))
                }
                (Err(error), _) => return Err(error),
                (Ok(_), Some(code)) => return Err(ErrorReport::new(code, "the local model failed")),
            },
        };
        Ok(Plan { who, decision })
    }

    /// The question whether the cloud may answer what failed on this device, if it could.
    pub(crate) async fn offer(
        &self,
        conversation: &Conversation,
        messages: &[ChatMessage],
        path: &[&ChatMessage],
        here: ErrorCode,
    ) -> Result<Option<ConsentQuestion>> {
        let tried = Tried { here: Some(here), there: None };
        let Ok(Plan { who, mut decision }) = self.plan(conversation, messages, path, AnswerBy::Policy, tried).await
        else {
            return Ok(None);
        };
        let Who::There(target) = who else { return Ok(None) };
        // Also under *auto*: somebody may have kept this very prompt here before it failed.
        decision.consent = Consent::Ask;
        Ok(path.last().map(|question| consent_question(question, &target, decision)))
    }

    /// The provider that would be asked, or why it cannot be.
    async fn target(
        &self,
        options: &ChatOptions,
        conversation: &Conversation,
        path: &[&ChatMessage],
        tried: Tried,
    ) -> Result<std::result::Result<Target, CloudRefusal>> {
        let refuse = |state, report| Ok(Err(CloudRefusal(state, report)));
        if let Some(code) = tried.there {
            return refuse(CloudState::Failed(code), ErrorReport::new(code, "the cloud failed"));
        }
        let Some((provider, model)) = self.chosen_provider(options).await? else {
            return refuse(CloudState::NoProvider, no_provider("no provider is set up"));
        };
        let preset = preset_of(&provider.preset)?;
        let Some(model) = model else {
            return refuse(CloudState::NoProvider, no_provider("the provider is set up without a model"));
        };
        let client = match self.provider_client(&provider.id).await {
            Ok(client) => client,
            Err(error) => return refuse(CloudState::Failed(error.code), error),
        };
        if preset.needs_key && client.endpoint().key().is_none() {
            return refuse(CloudState::NoProvider, no_provider("the provider has no key"));
        }
        if let Some(paused) = client.paused() {
            let report = ErrorReport::from(paused);
            return refuse(CloudState::Failed(report.code), report);
        }
        let told = told(path, &conversation.settings.system_prompt, 0);
        let usage = TokenUsage {
            prompt: most_tokens(&told.messages),
            completion: conversation.settings.max_tokens.into(),
            ..TokenUsage::default()
        };
        let at_most = self.prices().await?.cost(&provider, Some(&preset), &model, Some(&usage));
        if let Err(report) = self.within_budget(options, &at_most).await? {
            return refuse(CloudState::OverBudget, report);
        }
        Ok(Ok(Target { provider, preset, client, model, at_most }))
    }

    /// The provider that chat would ask, and its model.
    pub(crate) async fn chosen_provider(&self, options: &ChatOptions) -> Result<Option<(Provider, Option<String>)>> {
        let mut providers = self.store().providers().await?.into_iter();
        let chosen = match &options.provider {
            Some(id) => providers.find(|provider| provider.id == *id),
            None => providers.next(),
        };
        Ok(chosen.map(|provider| {
            let model = options.cloud_model.clone().or_else(|| provider.model.clone());
            (provider, model)
        }))
    }

    /// Whether an answer that costs at most so much may be asked for, on top of those that are being given.
    pub(crate) async fn within_budget(
        &self,
        options: &ChatOptions,
        at_most: &Cost,
    ) -> Result<std::result::Result<(), ErrorReport>> {
        let Some(budget) = &options.budget else { return Ok(Ok(())) };
        let mut month = self.month().await?;
        self.reserve_in(&mut month);
        Ok(budget.allows(&month, at_most).map_err(over_budget))
    }

    /// Counts what answers that are being given may come to cost.
    fn reserve_in(&self, month: &mut MonthSpend) {
        let in_work: Vec<Cost> = self.0.answers.map().values().map(|InWork { at_most, .. }| at_most.clone()).collect();
        for cost in in_work {
            let Cost::Amount(money) = cost else { continue };
            match month.spent.iter_mut().find(|sum| sum.currency == money.currency) {
                Some(sum) => sum.nanos = sum.nanos.saturating_add(money.nanos),
                None => month.spent.push(money),
            }
        }
    }

    /// What the local model has to do with: its memory, its window, the turns before and how it did lately.
    async fn look_around(
        &self,
        situation: &mut Situation,
        conversation: &Conversation,
        messages: &[ChatMessage],
        path: &[&ChatMessage],
        model: &ModelRef,
    ) -> Result<()> {
        let settings = self.likely_settings(model, conversation.settings.n_ctx).await?;
        situation.window_tokens = Some(settings.n_ctx);
        situation.answer_tokens = reserve(&conversation.settings, settings.n_ctx);
        let (before, question) = path.split_at(path.len().saturating_sub(1));
        let history = told(before, &conversation.settings.system_prompt, 0);
        situation.history_tokens =
            history.messages.iter().fold(0_u32, |sum, said| sum.saturating_add(estimate_tokens(&said.content)));
        situation.recent_failures = recent_failures(messages);
        // One that is answering somebody else is loaded, but it is not waited for only to count.
        if let Some(mut seat) = self.0.residents.of_model(&model.sha256) {
            let prompt = told(question, "", 0);
            let counted = count(&mut seat.resident.worker, &prompt, &CancellationToken::new()).await;
            self.0.residents.leave(seat);
            situation.prompt_tokens = counted.ok();
        } else if situation.local == LocalState::Ready
            && self.0.residents.is_empty()
            && fit_of(&model.header, model.file_bytes, &settings).class == FitClass::TooBig
        {
            situation.local = LocalState::NotEnoughMemory;
        }
        Ok(())
    }
}

/// What the question asks whether a prompt may leave the device.
pub(crate) fn consent_question(question: &ChatMessage, target: &Target, decision: Decision) -> ConsentQuestion {
    ConsentQuestion {
        question: question.id,
        decision,
        provider: target.provider.title.clone(),
        host: target.client.endpoint().host().to_owned(),
        model: target.model.clone(),
        at_most: target.at_most.clone(),
    }
}

/// A decision after the person has had a say.
fn settled(mut decision: Decision, by: AnswerBy) -> Decision {
    let wanted = match by {
        AnswerBy::Policy => return decision,
        AnswerBy::Cloud => Route::Cloud,
        AnswerBy::Local => Route::Local,
    };
    if decision.consent == Consent::Ask {
        return decision.answered(wanted == Route::Cloud);
    }
    // Against the policy's choice, in either direction. Where nobody can answer here, only trying will tell.
    if (wanted == Route::Cloud) != (decision.route == Route::Cloud) {
        let (consent, reason) = match wanted {
            Route::Cloud => (Consent::Granted, Reason::ConsentGranted),
            _ => (Consent::Refused, Reason::ConsentRefused),
        };
        (decision.route, decision.consent) = (wanted, consent);
        decision.reasons.push(reason);
    }
    decision
}

/// No prompt has more tokens: no tokenizer in use makes two tokens of one byte.
fn most_tokens(messages: &[Message]) -> u64 {
    messages.iter().map(|message| (message.content.len() + AROUND_MESSAGE) as u64).sum()
}

/// Failures among the local model's latest answers in a conversation: errors, answers cut off, answers that were thrown away
/// and asked for again.
fn recent_failures(messages: &[ChatMessage]) -> u32 {
    let is_local = |message: &&ChatMessage| {
        message.role == Role::Assistant && message.answer.as_ref().is_some_and(|answer| answer.cloud.is_none())
    };
    let failed = |answer: &ChatMessage| {
        let again = |other: &ChatMessage| {
            other.role == Role::Assistant && other.parent == answer.parent && other.created_at > answer.created_at
        };
        matches!(answer.state, MessageState::Failed | MessageState::Cut) || messages.iter().any(again)
    };
    let failures = messages.iter().rev().filter(is_local).take(RECENT).filter(|answer| failed(answer)).count();
    u32::try_from(failures).unwrap_or(u32::MAX)
}

fn no_provider(why: &str) -> ErrorReport {
    ErrorReport::new(ErrorCode::InvalidInput, format!("the cloud cannot be asked: {why}"))
        .hint("Set a provider up, with a model and its key.")
}

fn stays_here() -> ErrorReport {
    ErrorReport::new(ErrorCode::InvalidInput, "the policy keeps every prompt on this device")
        .hint("Choose another policy to let prompts leave it.")
}
