//! Prices that are known: `models/prices.json`, with date and source. A person's own prices go above them.

use pocketbench_domain::provider::PriceBook;

/// The book that ships. Prices change; each entry says when its source named it.
///
/// # Panics
/// If the file is not sound, which a test of this module rules out.
#[must_use]
pub fn price_book() -> PriceBook {
    serde_json::from_str(include_str!("../../../models/prices.json")).expect("held by a test of this module")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::presets::preset;

    #[test]
    fn the_prices_that_ship_are_sound_and_sourced() {
        let book = price_book();
        book.check().unwrap();
        for price in &book.prices {
            assert!(preset(&price.provider).is_some_and(|preset| preset.metered), "{price:?}");
            assert!(price.source.starts_with("https://"), "{price:?}");
            assert!(price.input > 0.0 && price.output >= price.input, "{price:?}");
            assert!(price.cached_input.is_none_or(|cached| cached <= price.input), "{price:?}");
        }
        assert_eq!(book.find("openai", "gpt-4o-mini-2024-07-18").map(|p| p.input), Some(0.15));
    }
}
