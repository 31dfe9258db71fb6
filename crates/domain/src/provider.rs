//! Models that answer elsewhere: who offers them, what is known of an answer, and what it costs.

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashSet};
use ts_rs::TS;

/// What is known of a provider before anyone has set it up, as an entry of `models/providers.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct ProviderPreset {
    /// Stable name, such as `openrouter`.
    pub id: String,
    /// For people.
    pub title: String,
    /// What `/chat/completions` is appended to; `None`: the person gives it.
    pub base_url: Option<String>,
    /// Nothing is answered without a key.
    pub needs_key: bool,
    /// How every key of this provider begins, only where that is documented.
    pub key_prefix: Option<String>,
    /// It asks money for tokens. A server of one's own does not.
    pub metered: bool,
    /// Path below the base URL that answers only to a good key, where `/models` answers to everyone.
    pub key_check: Option<String>,
    /// Where its interface is described; the source of this entry.
    pub docs: Option<String>,
}

/// A provider as a person set it up. Its key is elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Provider {
    /// Stable name, chosen once: lower-case letters, digits and hyphens.
    pub id: String,
    /// For people.
    pub title: String,
    /// The preset it was made from.
    pub preset: String,
    /// What `/chat/completions` is appended to.
    pub base_url: String,
    /// Model that is used unless another is named.
    pub model: Option<String>,
    /// What the last successful check found.
    pub checked: Option<Checked>,
}

impl Provider {
    /// Whether a name can be a provider's: 1 to 40 lower-case letters, digits and inner hyphens.
    #[must_use]
    pub fn id_is_sound(id: &str) -> bool {
        (1..=40).contains(&id.len())
            && id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !id.starts_with('-')
            && !id.ends_with('-')
    }
}

/// What a check of a provider found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Checked {
    /// When.
    pub at: DateTime<Utc>,
    /// Names of its models, as it lists them.
    pub models: Vec<String>,
    /// Whether the key was shown to matter: some providers list their models to everyone.
    pub key: KeyCheck,
    /// Time until the list was there, in nanoseconds.
    pub took_ns: u64,
}

/// What a check says about the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum KeyCheck {
    /// None was sent, and none was asked for.
    None,
    /// Accepted, where a request without it is refused.
    Accepted,
    /// Sent, but the provider answers without one as well; the first message will tell.
    NotTested,
}

/// Tokens of one answer, as the provider counts and bills them. Not what was counted on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, TS)]
pub struct TokenUsage {
    /// Tokens of the prompt, those from the cache included.
    pub prompt: u64,
    /// Of those, tokens that the provider had in its cache; `None`: it does not say.
    pub cached_prompt: Option<u64>,
    /// Tokens of the answer, reasoning included.
    pub completion: u64,
    /// Of those, reasoning; `None`: it does not say.
    pub reasoning: Option<u64>,
}

/// When things happened during an answer, by this machine's monotonic clock, in nanoseconds since its request was begun.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, TS)]
pub struct AnswerTiming {
    /// What earlier attempts and the waits between them took; it lies before the request's beginning.
    pub earlier_ns: u64,
    /// The head of the answer.
    pub headers_ns: Option<u64>,
    /// The first piece of text or reasoning.
    pub first_token_ns: Option<u64>,
    /// Every piece: when the network handed it over. A piece may be several tokens, and pieces that came together have the
    /// same time.
    pub delta_at_ns: Vec<u64>,
    /// The end, whatever it was.
    pub end_ns: u64,
}

/// Why an answer ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// The model was done, or a stop text came.
    Stop,
    /// The limit of tokens.
    Length,
    /// The provider's filter.
    ContentFilter,
    /// The model wants a tool; tools are not offered here.
    ToolCalls,
    /// Another word of the provider's.
    Other(String),
}

impl FinishReason {
    /// Reads the provider's word.
    #[must_use]
    pub fn of(word: &str) -> Self {
        match word {
            "stop" | "eos" | "end_turn" => Self::Stop,
            "length" | "max_tokens" => Self::Length,
            "content_filter" => Self::ContentFilter,
            "tool_calls" | "function_call" => Self::ToolCalls,
            other => Self::Other(other.chars().filter(|c| !c.is_control()).take(40).collect()),
        }
    }
}

/// What a model's tokens cost at a provider, as an entry of `models/prices.json` or as a person set it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Preset or id of the provider.
    pub provider: String,
    /// The model's name there.
    pub model: String,
    /// ISO 4217, such as `USD`.
    pub currency: String,
    /// A million tokens of prompt.
    pub input: f64,
    /// A million tokens of answer.
    pub output: f64,
    /// A million tokens of prompt that come from the provider's cache; `None`: not known, or as `input`.
    pub cached_input: Option<f64>,
    /// When the source said so.
    pub as_of: NaiveDate,
    /// Where it says so: an address, or who set it.
    pub source: String,
}

/// Highest price of a million tokens that is believed.
const MAX_PRICE: f64 = 1e6;

impl Price {
    /// Says what is wrong with an entry.
    pub fn check(&self) -> Result<(), String> {
        let wrong = |what: &str| Err(format!("the price of “{}” at “{}” {what}", self.model, self.provider));
        if self.provider.is_empty() || self.model.is_empty() || self.source.is_empty() {
            return wrong("names no provider, model or source");
        }
        if self.currency.len() != 3 || !self.currency.bytes().all(|b| b.is_ascii_uppercase()) {
            return wrong("has no currency of three capital letters");
        }
        let sound = |price: f64| (0.0..=MAX_PRICE).contains(&price);
        if !sound(self.input) || !sound(self.output) || !self.cached_input.is_none_or(sound) {
            return wrong("is no amount");
        }
        Ok(())
    }

    /// What an answer cost. Tokens from the cache cost as others do where no price for them is known, which is then an upper
    /// bound. Rounded up to a billionth.
    #[must_use]
    pub fn cost(&self, usage: &TokenUsage) -> Money {
        let cached = usage.cached_prompt.unwrap_or(0).min(usage.prompt);
        let total = nanos_per_million(self.input) * u128::from(usage.prompt - cached)
            + nanos_per_million(self.cached_input.unwrap_or(self.input)) * u128::from(cached)
            + nanos_per_million(self.output) * u128::from(usage.completion);
        let nanos = u64::try_from(total.div_ceil(1_000_000)).unwrap_or(u64::MAX);
        Money { currency: self.currency.clone(), nanos }
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within 0 and 1e15")]
fn nanos_per_million(price: f64) -> u128 {
    (price.clamp(0.0, MAX_PRICE) * 1e9).round() as u128
}

/// An amount, in whole billionths so that sums are exact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Money {
    /// ISO 4217.
    pub currency: String,
    /// Billionths of the currency's unit.
    pub nanos: u64,
}

/// What an answer cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Cost {
    /// A server that asks no money for tokens.
    Free,
    /// So much.
    Amount(Money),
    /// No price is known, or the provider did not say how many tokens it counted.
    Unknown,
}

/// Prices by provider and model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct PriceBook {
    /// Version of this format, 1.
    pub schema: u32,
    /// The entries.
    pub prices: Vec<Price>,
}

impl PriceBook {
    /// Says what is wrong with the book.
    pub fn check(&self) -> Result<(), String> {
        if self.schema != 1 {
            return Err(format!("price book of version {}, known is 1", self.schema));
        }
        let mut seen = HashSet::new();
        for price in &self.prices {
            price.check()?;
            if !seen.insert((&price.provider, &price.model)) {
                return Err(format!("two prices of “{}” at “{}”", price.model, price.provider));
            }
        }
        Ok(())
    }

    /// The book with a person's own prices in place of those of the same provider and model.
    #[must_use]
    pub fn with(mut self, own: &[Price]) -> Self {
        for price in own {
            self.prices.retain(|known| (&known.provider, &known.model) != (&price.provider, &price.model));
            self.prices.push(price.clone());
        }
        self
    }

    /// The price of a model: under its own name, else under that without the date of a snapshot (`-2024-07-18`).
    #[must_use]
    pub fn find(&self, provider: &str, model: &str) -> Option<&Price> {
        let named = |name: &str| self.prices.iter().find(|p| p.provider == provider && p.model == name);
        named(model).or_else(|| {
            let (name, date) = model.split_at_checked(model.len().checked_sub(11)?)?;
            let date = date.strip_prefix('-')?;
            NaiveDate::parse_from_str(date, "%Y-%m-%d").ok()?;
            named(name)
        })
    }

    /// What an answer of this provider cost: by a price of its own, else by its preset's.
    #[must_use]
    pub fn cost(
        &self,
        provider: &Provider,
        preset: Option<&ProviderPreset>,
        model: &str,
        usage: Option<&TokenUsage>,
    ) -> Cost {
        let price = self.find(&provider.id, model).or_else(|| self.find(&provider.preset, model));
        match (price, usage) {
            (Some(price), Some(usage)) => Cost::Amount(price.cost(usage)),
            (None, _) if preset.is_some_and(|preset| !preset.metered) => Cost::Free,
            _ => Cost::Unknown,
        }
    }
}

/// A calendar month in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, TS)]
pub struct Month {
    /// Year.
    pub year: i32,
    /// 1 to 12.
    pub month: u32,
}

impl Month {
    /// The month of a time.
    #[must_use]
    pub fn of(at: DateTime<Utc>) -> Self {
        Self { year: at.year(), month: at.month() }
    }
}

/// What was spent in a month.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct MonthSpend {
    /// The month.
    pub month: Month,
    /// Sums, one a currency, by its name.
    pub spent: Vec<Money>,
    /// Answers whose cost is not known; the sums are then too low.
    pub unknown: u32,
}

impl MonthSpend {
    /// Sums what was spent in `month`.
    #[must_use]
    pub fn sum<'a>(month: Month, costs: impl IntoIterator<Item = (DateTime<Utc>, &'a Cost)>) -> Self {
        let (mut sums, mut unknown) = (BTreeMap::<&str, u64>::new(), 0_u32);
        for (_, cost) in costs.into_iter().filter(|(at, _)| Month::of(*at) == month) {
            match cost {
                Cost::Free => {}
                Cost::Unknown => unknown = unknown.saturating_add(1),
                Cost::Amount(money) => {
                    let sum = sums.entry(&money.currency).or_default();
                    *sum = sum.saturating_add(money.nanos);
                }
            }
        }
        let spent = sums.into_iter().map(|(currency, nanos)| Money { currency: currency.into(), nanos }).collect();
        Self { month, spent, unknown }
    }

    /// The sum in a currency.
    #[must_use]
    pub fn in_currency(&self, currency: &str) -> u64 {
        self.spent.iter().find(|money| money.currency == currency).map_or(0, |money| money.nanos)
    }
}

/// What may be spent in a calendar month.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Budget {
    /// The most.
    pub limit: Money,
    /// Nothing more is asked of a metered provider once it is reached; otherwise it is only said.
    pub hard_stop: bool,
}

/// Why a budget says no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum OverBudget {
    /// The month's limit is reached, or this answer could exceed it.
    Spent,
    /// The answer's price is not known, so it cannot be held against a limit.
    PriceUnknown,
    /// The price is in another currency than the limit.
    OtherCurrency,
}

impl Budget {
    /// What is left of the month in nanos.
    #[must_use]
    pub fn left(&self, month: &MonthSpend) -> u64 {
        self.limit.nanos.saturating_sub(month.in_currency(&self.limit.currency))
    }

    /// Whether an answer that costs at most `expected` may be asked for. A stop that cannot count is none, so what cannot be
    /// counted is refused, too.
    pub fn allows(&self, month: &MonthSpend, expected: &Cost) -> Result<(), OverBudget> {
        if !self.hard_stop {
            return Ok(());
        }
        match expected {
            Cost::Free => Ok(()),
            Cost::Unknown => Err(OverBudget::PriceUnknown),
            Cost::Amount(money) if money.currency != self.limit.currency => Err(OverBudget::OtherCurrency),
            Cost::Amount(money) => {
                let left = self.left(month);
                if left == 0 || money.nanos > left { Err(OverBudget::Spent) } else { Ok(()) }
            }
        }
    }
}
