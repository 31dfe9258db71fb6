//! Routing policies: judged on labelled prompts, and explained for one. Nothing is sent anywhere.

use crate::api::{RouteEvaluation, RouteLocalSource, RoutePart};
use crate::{App, Result};
use pocketbench_bench::route::{Part, read, shipped};
use pocketbench_domain::metric::Metric;
use pocketbench_domain::provider;
use pocketbench_domain::route::evaluate::{LabelledPrompt, LocalWindow, Rates, Speed, evaluate};
use pocketbench_domain::route::{CloudState, Decision, Policy, Situation, decide};
use pocketbench_domain::run::Measured;
use pocketbench_domain::{ErrorCode, ErrorReport, stats};
use std::path::{Path, PathBuf};

/// Most runs that are searched for a local speed.
const SEARCHED: usize = 20;

/// What is asked about a policy.
#[derive(Debug, Clone, Default)]
pub struct RouteQuestion {
    /// The policy.
    pub policy: Policy,
    /// A set of one's own in place of the one that ships.
    pub prompts: Option<PathBuf>,
    /// Which part of it.
    pub part: RoutePart,
    /// What the local model is taken to hold.
    pub window: LocalWindow,
    /// What is known of cost and time.
    pub rates: Rates,
    /// Where the local speed was measured.
    pub local_source: Option<RouteLocalSource>,
    /// Where the price is from.
    pub price_source: Option<provider::Price>,
}

/// Reads a policy, a JSON file of which every part may be missing.
pub fn read_policy(path: &Path) -> Result<Policy> {
    let refuse = |problem: String| {
        ErrorReport::new(ErrorCode::InvalidInput, format!("the policy {} cannot be used: {problem}", path.display()))
            .hint("docs/routing.md shows what a policy holds.")
    };
    let text = std::fs::read_to_string(path).map_err(|error| refuse(error.to_string()))?;
    serde_json::from_str(&text).map_err(|error| refuse(error.to_string()))
}

/// Judges a policy on labelled prompts. Needs no data folder.
pub fn evaluate_route(question: RouteQuestion) -> Result<RouteEvaluation> {
    check(&question.policy)?;
    let set = match &question.prompts {
        None => shipped().to_vec(),
        Some(path) => {
            let refuse = |problem: String| {
                let message = format!("the prompts {} cannot be used: {problem}", path.display());
                ErrorReport::new(ErrorCode::InvalidInput, message)
                    .hint("models/route/prompts.jsonl shows what a line holds.")
            };
            let text = std::fs::read_to_string(path).map_err(|error| refuse(error.to_string()))?;
            read(&text).map_err(|error| refuse(error.to_string()))?
        }
    };
    let development = Part::Development.select(&set);
    let chosen: Vec<LabelledPrompt> = match question.part {
        RoutePart::All => set,
        RoutePart::Development => development.clone(),
        RoutePart::HeldOut => Part::HeldOut.select(&set),
    };
    let evaluation = evaluate(&question.policy, &chosen, &development, question.window, &question.rates);
    Ok(RouteEvaluation {
        set: question.prompts.map(|path| path.display().to_string()),
        part: question.part,
        prompts: u32::try_from(chosen.len()).unwrap_or(u32::MAX),
        policy: question.policy,
        window: question.window,
        rates: question.rates,
        local_source: question.local_source,
        price_source: question.price_source,
        evaluation,
    })
}

/// Where a policy would send a prompt if both a local model with this window and a provider could be had.
pub fn explain_route(policy: &Policy, prompt: &str, window: LocalWindow) -> Result<Decision> {
    check(policy)?;
    let situation = Situation {
        cloud: CloudState::Ready,
        window_tokens: Some(window.tokens),
        answer_tokens: window.answer_tokens,
        ..Situation::default()
    };
    Ok(decide(policy, prompt, &situation))
}

fn check(policy: &Policy) -> Result<()> {
    match policy.problem() {
        None => Ok(()),
        Some(problem) => Err(ErrorReport::new(ErrorCode::InvalidInput, problem)),
    }
}

impl App {
    /// The speed of the first model of the newest run that wrote answers, as measured here.
    pub async fn local_speed(&self) -> Result<Option<(Speed, RouteLocalSource)>> {
        for run in self.runs().await?.into_iter().take(SEARCHED) {
            let cells = self.store().cells(run.id).await?;
            let samples = self.store().samples(run.id).await?;
            let answers = samples.iter().filter(|sample| {
                let is_first = cells.iter().any(|cell| cell.id == sample.cell_id && cell.slot == 0);
                is_first && !sample.warmup && matches!(sample.measured, Measured::Generation(_))
            });
            let median = |metric: Metric| {
                let values: Vec<f64> = answers.clone().filter_map(|sample| metric.of(sample)).collect();
                stats::median(&values).filter(|rate| *rate > 0.0)
            };
            if let (Some(decode_tps), Some(prefill_tps), Some(model)) =
                (median(Metric::DecodeTps), median(Metric::PrefillTps), run.models.first())
            {
                let speed = Speed { prefill_tps: Some(prefill_tps), ttft_ms: 0.0, decode_tps };
                return Ok(Some((speed, RouteLocalSource { model: model.clone(), run: run.id })));
            }
        }
        Ok(None)
    }

    /// What the provider that chat would ask takes for its model's tokens, if that is known. Nothing is asked.
    pub async fn cloud_price(&self) -> Result<Option<provider::Price>> {
        let options = self.chat_options().await?;
        let book = self.prices().await?;
        let Some((provider, model)) = self.chosen_provider(&options).await? else { return Ok(None) };
        let Some(model) = model else { return Ok(None) };
        Ok(book.find(&provider.id, &model).or_else(|| book.find(&provider.preset, &model)).cloned())
    }
}
