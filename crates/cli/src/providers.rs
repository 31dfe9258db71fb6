//! `pocketbench providers …`: set up, check and remove providers of models that answer elsewhere.

use crate::args::{OwnPrice, Providers};
use crate::commands::config;
use crate::models::{looking, secret, show};
use crate::output;
use pocketbench_app_core::api::{self, ProviderRequest};
use pocketbench_app_core::domain::{ErrorCode, ErrorReport};
use pocketbench_app_core::{App, Result, provider_presets};
use std::io::IsTerminal;

pub(crate) async fn run(command: Providers) -> Result<u8> {
    match command {
        Providers::List { known: true, json } => show(json, provider_presets(), output::provider_presets),
        Providers::List { known: false, json } => show(json, &looking().await?.providers().await?, output::providers),
        Providers::Add { preset, id, title, base_url, model } => {
            let request = ProviderRequest { preset, id, title, base_url, model };
            let entry = App::open(config()?).await?.save_provider(&request).await?;
            output::providers(std::slice::from_ref(&entry));
            if entry.preset.needs_key {
                output::provider_key(&entry);
            }
        }
        Providers::Verify { id, json } => {
            let entry = App::open(config()?).await?.verify_provider(&id).await?;
            if json {
                output::json(&entry.provider.checked);
            } else {
                output::checked(&entry);
            }
        }
        Providers::Remove { id } => App::open(config()?).await?.remove_provider(&id).await?,
        Providers::Key { id, clear } => key(&id, clear).await?,
        Providers::Prices { json } => show(json, &looking().await?.prices().await?.prices, output::prices),
        Providers::Price(own) => price(own).await?,
    }
    Ok(0)
}

/// The key comes from standard input: an argument would be seen by everyone who lists processes.
async fn key(id: &str, clear: bool) -> Result<()> {
    let app = App::open(config()?).await?;
    let entry = if clear {
        app.set_provider_key(id, None).await?
    } else if std::io::stdin().is_terminal() {
        let entries = app.providers().await?;
        entries.into_iter().find(|entry| entry.provider.id == id).ok_or_else(|| {
            ErrorReport::new(ErrorCode::NotFound, "there is no such provider").hint("See pocketbench providers list.")
        })?
    } else {
        app.set_provider_key(id, Some(secret()?)).await?
    };
    output::provider_key(&entry);
    Ok(())
}

async fn price(own: OwnPrice) -> Result<()> {
    let app = App::open(config()?).await?;
    let book = match (own.input, own.output) {
        (Some(input), Some(output)) => {
            let OwnPrice { provider, model, currency, cached, .. } = own;
            app.set_price(api::OwnPrice { provider, model, currency, input, output, cached_input: cached }).await?
        }
        _ => app.forget_price(&own.provider, &own.model).await?,
    };
    output::prices(&book.prices);
    Ok(())
}
