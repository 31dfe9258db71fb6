//! Providers that are known: `models/providers.json`.

use crate::error::CloudError;
use crate::keys::Secret;
use pocketbench_domain::provider::ProviderPreset;
use std::sync::LazyLock;

static PRESETS: LazyLock<Vec<ProviderPreset>> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../../models/providers.json")).expect("held by a test of this module")
});

/// All presets, in the order in which they are offered. The last is `custom`.
#[must_use]
pub fn presets() -> &'static [ProviderPreset] {
    &PRESETS
}

/// A preset by its id.
#[must_use]
pub fn preset(id: &str) -> Option<&'static ProviderPreset> {
    presets().iter().find(|preset| preset.id == id)
}

/// Whether a key can be one of this provider's, as far as its documents say.
pub fn check_key(preset: &ProviderPreset, key: &Secret) -> Result<(), CloudError> {
    match &preset.key_prefix {
        Some(prefix) if !key.expose().starts_with(prefix.as_str()) || key.expose().len() == prefix.len() => {
            Err(CloudError::KeyShape { title: preset.title.clone(), prefix: prefix.clone() })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::Endpoint;
    use pocketbench_domain::provider::Provider;
    use std::collections::HashSet;

    #[test]
    fn the_presets_that_ship_are_sound() {
        let mut seen = HashSet::new();
        for preset in presets() {
            assert!(Provider::id_is_sound(&preset.id) && seen.insert(&preset.id), "{preset:?}");
            assert_eq!(preset.base_url.is_none(), preset.id == "custom");
            if let Some(url) = &preset.base_url {
                let endpoint = Endpoint::new(url, None).unwrap();
                assert_eq!(endpoint.base_url(), url, "written as it is kept");
                // Who asks money is elsewhere and wants a key; who does not is at home.
                assert_eq!(preset.metered, !endpoint.is_local(), "{preset:?}");
                assert_eq!(preset.metered, preset.needs_key, "{preset:?}");
                assert!(preset.docs.as_ref().is_some_and(|docs| docs.starts_with("https://")), "{preset:?}");
            }
        }
        for id in ["openai", "holysheep", "openrouter", "vllm", "llama-server", "ollama", "lm-studio"] {
            assert!(preset(id).is_some(), "{id}");
        }
        assert_eq!(presets().last().map(|p| p.id.as_str()), Some("custom"));
    }

    #[test]
    fn a_key_of_another_shape_is_refused_without_being_shown() {
        let key = |text: &str| Secret::new(text).unwrap();
        let holysheep = preset("holysheep").unwrap();
        assert_eq!(check_key(holysheep, &key("hs_abc")), Ok(()));
        for bad in ["sk-abc", "hs_", "xhs_abc"] {
            let error = check_key(holysheep, &key(bad)).unwrap_err();
            assert!(!format!("{error} {error:?}").contains(bad) || bad == "hs_", "{error}");
        }
        assert_eq!(check_key(preset("custom").unwrap(), &key("anything")), Ok(()));
    }
}
