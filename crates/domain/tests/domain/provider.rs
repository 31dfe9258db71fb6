use chrono::{DateTime, NaiveDate, Utc};
use pocketbench_domain::provider::{
    Budget, Cost, FinishReason, Money, Month, MonthSpend, OverBudget, Price, PriceBook, Provider, ProviderPreset,
    TokenUsage,
};
use proptest::prelude::*;

fn price(model: &str, input: f64, output: f64, cached_input: Option<f64>) -> Price {
    Price {
        provider: "openai".into(),
        model: model.into(),
        currency: "USD".into(),
        input,
        output,
        cached_input,
        as_of: NaiveDate::from_ymd_opt(2026, 1, 2).unwrap(),
        source: "https://example.com/prices".into(),
    }
}

fn book(prices: Vec<Price>) -> PriceBook {
    PriceBook { schema: 1, prices }
}

fn usd(nanos: u64) -> Money {
    Money { currency: "USD".into(), nanos }
}

fn usage(prompt: u64, cached_prompt: Option<u64>, completion: u64) -> TokenUsage {
    TokenUsage { prompt, cached_prompt, completion, reasoning: None }
}

fn provider(id: &str, preset: &str) -> Provider {
    let base_url = "https://example.com/v1".into();
    Provider { id: id.into(), title: id.into(), preset: preset.into(), base_url, model: None, checked: None }
}

#[test]
fn a_cost_is_exact_to_the_billionth() {
    // 0.15 and 0.60 dollars a million: 150 and 600 billionths a token.
    let p = price("m", 0.15, 0.6, Some(0.075));
    assert_eq!(p.cost(&usage(1_000, None, 100)), usd(150_000 + 60_000));
    assert_eq!(p.cost(&usage(1_000, Some(400), 100)), usd(600 * 150 + 400 * 75 + 60_000));
    // Rounded up, so that nothing is free that is not.
    assert_eq!(price("m", 0.0001, 0.0, None).cost(&usage(1, None, 0)), usd(1));
    // More from the cache than there was is no reason to bill less than nothing.
    assert_eq!(p.cost(&usage(10, Some(u64::MAX), 0)), usd(750));
    // Without a price for cached tokens they cost as the others.
    assert_eq!(price("m", 1.0, 1.0, None).cost(&usage(1_000_000, Some(999_999), 0)), usd(1_000_000_000));
    assert_eq!(price("m", 1e6, 1e6, None).cost(&usage(u64::MAX, None, u64::MAX)), usd(u64::MAX));
}

#[test]
fn a_price_must_make_sense() {
    assert!(price("m", 0.0, 0.0, None).check().is_ok());
    for bad in [f64::NAN, f64::INFINITY, -1.0, 2e6] {
        assert!(price("m", bad, 1.0, None).check().is_err());
        assert!(price("m", 1.0, bad, None).check().is_err());
        assert!(price("m", 1.0, 1.0, Some(bad)).check().is_err());
    }
    for currency in ["", "usd", "US", "USDT", "€"] {
        assert!(Price { currency: currency.into(), ..price("m", 1.0, 1.0, None) }.check().is_err(), "{currency}");
    }
    assert!(Price { source: String::new(), ..price("m", 1.0, 1.0, None) }.check().is_err());
    assert!(book(vec![price("m", 1.0, 1.0, None), price("m", 2.0, 1.0, None)]).check().is_err());
    assert!(PriceBook { schema: 2, prices: vec![] }.check().is_err());
}

#[test]
fn a_snapshot_costs_as_its_model_and_ones_own_price_wins() {
    let shipped = book(vec![price("gpt", 1.0, 2.0, None), price("gpt-mini-2024-07-18", 3.0, 4.0, None)]);
    let input = |book: &PriceBook, model: &str| book.find("openai", model).map(|p| p.input);
    assert_eq!(input(&shipped, "gpt-2025-04-14"), Some(1.0));
    assert_eq!(input(&shipped, "gpt-mini-2024-07-18"), Some(3.0));
    for unknown in ["gpt-mini", "gpt-2025-13-14", "gpt-audio", "gp", "", "gpt2025-04-14", "gpt-äöüäöüäöü"] {
        assert_eq!(input(&shipped, unknown), None, "{unknown}");
    }
    let own = shipped.clone().with(&[price("gpt", 9.0, 9.0, None)]);
    assert_eq!(input(&own, "gpt"), Some(9.0));
    assert!(own.check().is_ok());
}

#[test]
fn what_is_not_known_is_not_free() {
    let preset = |metered| ProviderPreset {
        id: "openai".into(),
        title: "x".into(),
        base_url: None,
        needs_key: true,
        key_prefix: None,
        metered,
        key_check: None,
        docs: None,
    };
    let book = book(vec![price("gpt", 1.0, 2.0, None)]);
    let used = usage(1, None, 1);
    let mine = provider("work", "openai");
    assert_eq!(book.cost(&mine, Some(&preset(true)), "gpt", Some(&used)), Cost::Amount(usd(3_000)));
    assert_eq!(book.cost(&mine, Some(&preset(true)), "gpt", None), Cost::Unknown);
    assert_eq!(book.cost(&mine, Some(&preset(true)), "other", Some(&used)), Cost::Unknown);
    assert_eq!(book.cost(&mine, None, "other", Some(&used)), Cost::Unknown);
    assert_eq!(book.cost(&mine, Some(&preset(false)), "other", None), Cost::Free);
    let own = Price { provider: "work".into(), ..price("gpt", 5.0, 5.0, None) };
    assert_eq!(book.with(&[own]).cost(&mine, Some(&preset(true)), "gpt", Some(&used)), Cost::Amount(usd(10_000)));
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

#[test]
fn a_month_is_a_calendar_month_in_utc() {
    let costs = [
        (at("2026-10-31T23:59:59Z"), Cost::Amount(usd(1))),
        (at("2026-11-01T00:00:00Z"), Cost::Amount(usd(10))),
        (at("2026-11-30T23:59:59Z"), Cost::Amount(usd(100))),
        (at("2026-11-02T00:00:00Z"), Cost::Amount(Money { currency: "CNY".into(), nanos: 7 })),
        (at("2026-11-02T00:00:00Z"), Cost::Unknown),
        (at("2026-11-02T00:00:00Z"), Cost::Free),
        (at("2025-11-02T00:00:00Z"), Cost::Amount(usd(1_000))),
    ];
    let month = Month { year: 2026, month: 11 };
    let sum = MonthSpend::sum(month, costs.iter().map(|(at, cost)| (*at, cost)));
    assert_eq!(sum.spent, [Money { currency: "CNY".into(), nanos: 7 }, usd(110)]);
    assert_eq!((sum.unknown, sum.in_currency("USD"), sum.in_currency("EUR")), (1, 110, 0));
}

#[test]
fn a_hard_stop_stops() {
    let budget = |hard_stop| Budget { limit: usd(100), hard_stop };
    let spent = |nanos| MonthSpend { month: Month { year: 2026, month: 11 }, spent: vec![usd(nanos)], unknown: 0 };
    let asks = |nanos| Cost::Amount(usd(nanos));
    assert_eq!(budget(true).allows(&spent(60), &asks(40)), Ok(()));
    assert_eq!(budget(true).allows(&spent(60), &asks(41)), Err(OverBudget::Spent));
    assert_eq!(budget(true).allows(&spent(100), &asks(0)), Err(OverBudget::Spent));
    assert_eq!(budget(true).allows(&spent(500), &Cost::Free), Ok(()));
    assert_eq!(budget(true).allows(&spent(0), &Cost::Unknown), Err(OverBudget::PriceUnknown));
    let yuan = Cost::Amount(Money { currency: "CNY".into(), nanos: 1 });
    assert_eq!(budget(true).allows(&spent(0), &yuan), Err(OverBudget::OtherCurrency));
    assert_eq!(budget(false).allows(&spent(500), &Cost::Unknown), Ok(()));
    assert_eq!((budget(true).left(&spent(60)), budget(true).left(&spent(600))), (40, 0));
}

#[test]
fn names_of_providers_and_reasons() {
    for good in ["a", "openai", "my-server-2"] {
        assert!(Provider::id_is_sound(good));
    }
    for bad in ["", "-a", "a-", "A", "a b", "a/b", "ä", &"x".repeat(41)] {
        assert!(!Provider::id_is_sound(bad), "{bad}");
    }
    assert_eq!(FinishReason::of("length"), FinishReason::Length);
    assert_eq!(FinishReason::of("weird\n\u{1b}[31m"), FinishReason::Other("weird[31m".into()));
}

proptest! {
    #[test]
    fn more_tokens_never_cost_less(
        (input, output, cached) in (0.0..1000.0_f64, 0.0..1000.0_f64, 0.0..1000.0_f64),
        (prompt, share, completion, more) in (0..1_u64 << 40, 0.0..1.0_f64, 0..1_u64 << 40, 0..1_u64 << 30),
    ) {
        let p = price("m", input, output, Some(cached));
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of the prompt")]
        let from_cache = (prompt as f64 * share) as u64;
        let less = p.cost(&usage(prompt, Some(from_cache), completion));
        prop_assert!(p.cost(&usage(prompt + more, Some(from_cache), completion)).nanos >= less.nanos);
        prop_assert!(p.cost(&usage(prompt, Some(from_cache), completion + more)).nanos >= less.nanos);
    }
}
