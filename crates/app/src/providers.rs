//! Providers of models that answer elsewhere: set up, checked, and what they cost.

use crate::api::{OwnPrice, ProviderEntry, ProviderRequest, TokenState};
use crate::{App, Result, now};
use pocketbench_cloud::keys::{KeyStore, Place, Secret};
use pocketbench_cloud::{ClientOptions, Endpoint, ProviderClient, check_key, model_name, preset, presets, price_book};
use pocketbench_domain::provider::{Price, PriceBook, Provider, ProviderPreset};
use pocketbench_domain::{ErrorCode, ErrorReport};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Key of the setting that holds a person's own prices.
const PRICES: &str = "prices";
/// Longest title.
const MAX_TITLE: usize = 80;

/// Clients by the provider's id, kept because connections and circuit breakers outlast a message.
#[derive(Debug, Default)]
pub(crate) struct Clients(Mutex<HashMap<String, ProviderClient>>);

impl Clients {
    fn get(&self, id: &str) -> Option<ProviderClient> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    fn keep(&self, id: &str, client: &ProviderClient) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id.into(), client.clone());
    }

    /// Nobody is to be reached as before, since the settings of the network have changed.
    pub(crate) fn forget_all(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn forget(&self, id: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
    }
}

/// Name of a provider's key in the key store.
fn key_name(id: &str) -> String {
    format!("provider:{id}")
}

fn token_state(keys: &KeyStore, id: &str) -> Result<TokenState> {
    Ok(match (keys.get(&key_name(id))?, keys.place()) {
        (None, _) => TokenState::None,
        (Some(_), Place::KeyStore) => TokenState::KeyStore,
        (Some(_), Place::EncryptedFile) => TokenState::EncryptedFile,
    })
}

impl App {
    /// The providers that were set up.
    pub async fn providers(&self) -> Result<Vec<ProviderEntry>> {
        let book = self.prices().await?;
        let providers = self.store().providers().await?;
        let keys = self.keys();
        crate::blocking(move || {
            let entry = |provider: Provider| -> Result<ProviderEntry> {
                let model = provider.model.as_deref().unwrap_or_default();
                let price = book.find(&provider.id, model).or_else(|| book.find(&provider.preset, model)).cloned();
                Ok(ProviderEntry {
                    preset: preset_of(&provider.preset)?,
                    key: token_state(&keys, &provider.id)?,
                    price,
                    provider,
                })
            };
            providers.into_iter().map(entry).collect()
        })
        .await?
    }

    async fn provider_entry(&self, id: &str) -> Result<ProviderEntry> {
        self.providers().await?.into_iter().find(|entry| entry.provider.id == id).ok_or_else(|| unknown(id))
    }

    pub(crate) async fn provider(&self, id: &str) -> Result<Provider> {
        self.store().providers().await?.into_iter().find(|provider| provider.id == id).ok_or_else(|| unknown(id))
    }

    /// Sets a provider up, or changes one. A key stays only as long as the address stays at the same host: it was given for
    /// that one.
    ///
    /// # Errors
    /// `INVALID_INPUT` for an address, a name or a model that cannot be used; `NOT_FOUND` for one that is not there.
    pub async fn save_provider(&self, request: &ProviderRequest) -> Result<ProviderEntry> {
        let preset = preset_of(&request.preset)?;
        let known = self.store().providers().await?;
        let before = match &request.id {
            Some(id) => Some(known.iter().find(|p| p.id == *id).ok_or_else(|| unknown(id))?),
            None => None,
        };
        let base_url = given(request.base_url.as_deref()).or(preset.base_url.as_deref()).unwrap_or_default();
        let endpoint = Endpoint::new(base_url, None)?;
        let model = given(request.model.as_deref()).map(model_name).transpose()?.map(str::to_owned);
        let title = given(request.title.as_deref()).unwrap_or(&preset.title);
        if title.chars().count() > MAX_TITLE || title.chars().any(char::is_control) {
            return Err(ErrorReport::new(ErrorCode::InvalidInput, "the name is too long or has line breaks in it"));
        }
        let base_url = endpoint.base_url().to_owned();
        let provider = Provider {
            id: before.map_or_else(|| free_id(&preset.id, &known), |before| before.id.clone()),
            title: title.into(),
            preset: preset.id.clone(),
            // What was found out at another address says nothing.
            checked: before.filter(|before| before.base_url == base_url).and_then(|before| before.checked.clone()),
            base_url,
            model,
        };
        let elsewhere = before.is_some_and(|before| {
            Endpoint::new(&before.base_url, None).map_or(true, |before| !before.same_origin(&endpoint))
        });
        if elsewhere {
            self.forget_key(&provider.id).await?;
        }
        self.store().save_provider(&provider, now()).await?;
        self.0.providers.forget(&provider.id);
        self.provider_entry(&provider.id).await
    }

    /// Forgets a provider and its key.
    pub async fn remove_provider(&self, id: &str) -> Result<()> {
        self.provider(id).await?;
        // The key first: without its provider nobody would find it again.
        self.forget_key(id).await?;
        self.store().remove_provider(id).await?;
        self.0.providers.forget(id);
        Ok(())
    }

    /// Keeps a provider's key in the system's key store, or forgets it.
    ///
    /// # Errors
    /// `INVALID_INPUT` for what can be no key, or none of this provider.
    pub async fn set_provider_key(&self, id: &str, key: Option<String>) -> Result<ProviderEntry> {
        let mut provider = self.provider(id).await?;
        match key {
            Some(key) => {
                let key = Secret::new(key)?;
                check_key(&preset_of(&provider.preset)?, &key)?;
                let (keys, name) = (self.keys(), key_name(id));
                crate::blocking(move || keys.set(&name, &key)).await??;
            }
            None => self.forget_key(id).await?,
        }
        if provider.checked.take().is_some() {
            self.store().save_provider(&provider, now()).await?;
        }
        self.0.providers.forget(id);
        self.provider_entry(id).await
    }

    async fn forget_key(&self, id: &str) -> Result<()> {
        let (keys, name) = (self.keys(), key_name(id));
        Ok(crate::blocking(move || keys.delete(&name)).await??)
    }

    /// Asks a provider for its models, and finds out whether the key counts.
    ///
    /// # Errors
    /// `PROVIDER_…`, told apart by what went wrong.
    pub async fn verify_provider(&self, id: &str) -> Result<ProviderEntry> {
        let mut provider = self.provider(id).await?;
        let client = self.provider_client(id).await?;
        let checked = client.verify(preset_of(&provider.preset)?.key_check.as_deref()).await?;
        provider.checked = Some(checked);
        self.store().save_provider(&provider, now()).await?;
        self.provider_entry(id).await
    }

    /// A client that talks to a provider; the same one each time, so that it remembers how the provider did.
    pub(crate) async fn provider_client(&self, id: &str) -> Result<ProviderClient> {
        if let Some(client) = self.0.providers.get(id) {
            return Ok(client);
        }
        let provider = self.provider(id).await?;
        let (keys, name) = (self.keys(), key_name(id));
        let key = crate::blocking(move || keys.get(&name)).await??;
        let proxy = self.download_settings().await?.proxy.map(Secret::new).transpose()?;
        let user_agent = format!("pocketbench/{}", self.0.config.version);
        let options = ClientOptions { proxy, user_agent, ..self.0.config.cloud.clone() };
        let client = ProviderClient::new(Endpoint::new(&provider.base_url, key)?, options)?;
        self.0.providers.keep(id, &client);
        Ok(client)
    }

    /// The prices that are known: those that ship, and a person's own in their place.
    pub async fn prices(&self) -> Result<PriceBook> {
        Ok(price_book().with(&self.own_prices().await?))
    }

    async fn own_prices(&self) -> Result<Vec<Price>> {
        Ok(self.store().setting(PRICES).await?.unwrap_or_default())
    }

    /// Sets a person's own price in place of the one that ships, if there is one.
    pub async fn set_price(&self, own: OwnPrice) -> Result<PriceBook> {
        let OwnPrice { provider, model, currency, input, output, cached_input } = own;
        let (as_of, source) = (now().date_naive(), "set by hand".into());
        let price = Price { provider, model, currency, input, output, cached_input, as_of, source };
        price.check().map_err(|problem| {
            ErrorReport::new(ErrorCode::InvalidInput, problem)
                .hint("Give amounts a million tokens, in a currency such as USD.")
        })?;
        let own = PriceBook { schema: 1, prices: self.own_prices().await? }.with(&[price]);
        self.store().set_setting(PRICES, &own.prices).await?;
        self.prices().await
    }

    /// Forgets a person's own price; the one that ships counts again.
    pub async fn forget_price(&self, provider: &str, model: &str) -> Result<PriceBook> {
        let mut own = self.own_prices().await?;
        own.retain(|price| (price.provider.as_str(), price.model.as_str()) != (provider, model));
        self.store().set_setting(PRICES, &own).await?;
        self.prices().await
    }
}

/// A text that was given, if it says anything.
fn given(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}

pub(crate) fn preset_of(id: &str) -> Result<ProviderPreset> {
    preset(id).cloned().ok_or_else(|| {
        let known: Vec<&str> = presets().iter().map(|preset| preset.id.as_str()).collect();
        ErrorReport::new(ErrorCode::NotFound, format!("there is no preset “{}”", id.escape_debug()))
            .hint(format!("Known are: {}.", known.join(", ")))
    })
}

fn unknown(id: &str) -> ErrorReport {
    ErrorReport::new(ErrorCode::NotFound, format!("there is no provider “{}”", id.escape_debug()))
        .hint("Look it up in the list of providers.")
}

/// `openai`, else `openai-2` and so on.
fn free_id(preset: &str, known: &[Provider]) -> String {
    let taken = |id: &str| known.iter().any(|provider| provider.id == id);
    if !taken(preset) {
        return preset.to_owned();
    }
    // One of so many is free.
    (2..known.len() + 3).map(|n| format!("{preset}-{n}")).find(|id| !taken(id)).unwrap_or_default()
}
