//! How chat behaves in all conversations, and what the cloud has cost.

use crate::api::{ChatOptions, Spending};
use crate::{App, Result, now};
use chrono::{Datelike, NaiveDate, NaiveTime};
use pocketbench_cloud::model_name;
use pocketbench_domain::provider::{Month, MonthSpend};
use pocketbench_domain::route::Mode;
use pocketbench_domain::{ErrorCode, ErrorReport};
use std::sync::PoisonError;

/// Key of the setting.
const CHAT: &str = "chat";
/// Longest time that an idle model is kept, in minutes.
const MOST_KEEP_WARM_MIN: u32 = 1_440;
/// Limits of a cold start that make sense, in ms.
const COLD_START_MS: std::ops::RangeInclusive<u32> = 100..=600_000;

impl App {
    /// How chat behaves.
    pub async fn chat_options(&self) -> Result<ChatOptions> {
        let mut options: ChatOptions = self.store().setting(CHAT).await?.unwrap_or_default();
        if let Some(mode) = *self.0.route_mode.lock().unwrap_or_else(PoisonError::into_inner) {
            options.policy.mode = mode;
        }
        Ok(options)
    }

    /// Sets how chat behaves.
    ///
    /// # Errors
    /// `INVALID_INPUT` for a policy, a model's name, a budget or a time that makes no sense; `NOT_FOUND` for a provider that
    /// is not set up.
    pub async fn set_chat_options(&self, options: &ChatOptions) -> Result<()> {
        let refuse = |why: String| Err(ErrorReport::new(ErrorCode::InvalidInput, why));
        if let Some(problem) = options.policy.problem() {
            return refuse(problem);
        }
        if let Some(provider) = &options.provider {
            self.provider(provider).await?;
        }
        if let Some(model) = &options.cloud_model {
            model_name(model)?;
        }
        if let Some(budget) = &options.budget {
            let currency = &budget.limit.currency;
            if currency.len() != 3 || !currency.bytes().all(|byte| byte.is_ascii_uppercase()) {
                return refuse("a budget has a currency of three capital letters, such as USD".into());
            }
        }
        if options.keep_warm_min > MOST_KEEP_WARM_MIN {
            return refuse(format!("a model is kept loaded for at most {MOST_KEEP_WARM_MIN} minutes"));
        }
        if !COLD_START_MS.contains(&options.cold_start_limit_ms) {
            let (least, most) = (COLD_START_MS.start(), COLD_START_MS.end());
            return refuse(format!("the limit of a cold start is between {least} and {most} ms"));
        }
        Ok(self.store().set_setting(CHAT, options).await?)
    }

    /// Routes in this mode for as long as this program runs, whatever is stored; `None` for what is stored.
    pub fn override_route_mode(&self, mode: Option<Mode>) {
        *self.0.route_mode.lock().unwrap_or_else(PoisonError::into_inner) = mode;
    }

    /// What the cloud has cost this month.
    pub async fn spending(&self) -> Result<Spending> {
        Ok(Spending { month: self.month().await?, budget: self.chat_options().await?.budget })
    }

    /// What this calendar month, in UTC, has cost so far.
    pub(crate) async fn month(&self) -> Result<MonthSpend> {
        let now = now();
        let first = NaiveDate::from_ymd_opt(now.year(), now.month(), 1).unwrap_or_default();
        let costs = self.store().spending(first.and_time(NaiveTime::MIN).and_utc()).await?;
        Ok(MonthSpend::sum(Month::of(now), costs.iter().map(|(at, cost)| (*at, cost))))
    }
}
