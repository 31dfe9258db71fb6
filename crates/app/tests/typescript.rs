//! Generates `ui/src/backend/types.ts`. Fails when the committed file differs; `UPDATE_TYPES=1` writes it.

use pocketbench_app_core::api;
use pocketbench_domain::compare::RunResult;
use pocketbench_domain::device::DeviceProfile;
use pocketbench_domain::roofline::MeasuredBandwidth;
use pocketbench_domain::route::Decision;
use std::collections::BTreeMap;
use ts_rs::{Config, TS, TypeVisitor};

struct Declarations<'a> {
    config: &'a Config,
    found: BTreeMap<String, String>,
}

impl TypeVisitor for Declarations<'_> {
    fn visit<T: TS + 'static + ?Sized>(&mut self) {
        // Only named types of ours have an output path; numbers, strings and vectors have none.
        if T::output_path().is_some() {
            let name = T::ident(self.config);
            if self.found.contains_key(&name) {
                return;
            }
            let docs = T::docs().unwrap_or_default();
            self.found.insert(name, format!("{docs}export {}\n", T::decl(self.config)));
        }
        T::visit_dependencies(self);
        T::visit_generics(self);
    }
}

#[test]
fn committed_types_are_what_rust_says() {
    let config = Config::new().with_large_int("number");
    let mut all = Declarations { config: &config, found: BTreeMap::new() };
    all.visit::<api::AppInfo>();
    all.visit::<api::DeviceReport>();
    all.visit::<api::ModelEntry>();
    all.visit::<api::CatalogueEntry>();
    all.visit::<api::FitReport>();
    all.visit::<api::DownloadRequest>();
    all.visit::<api::ImportMode>();
    all.visit::<api::FoundModel>();
    all.visit::<api::DeletePreview>();
    all.visit::<api::StorageUse>();
    all.visit::<api::DownloadSettings>();
    all.visit::<api::TokenState>();
    all.visit::<api::SuiteInfo>();
    all.visit::<api::RunRequest>();
    all.visit::<api::TuneRequest>();
    all.visit::<api::TuningState>();
    all.visit::<api::Estimate>();
    all.visit::<api::RunSummary>();
    all.visit::<api::SampleRow>();
    all.visit::<api::AppEvent>();
    all.visit::<api::ExportFormat>();
    all.visit::<RunResult>();
    all.visit::<DeviceProfile>();
    all.visit::<api::ClaimsReport>();
    all.visit::<api::ProviderEntry>();
    all.visit::<api::ProviderRequest>();
    all.visit::<api::RouteEvaluation>();
    all.visit::<Decision>();
    all.visit::<api::ConversationSummary>();
    all.visit::<api::ConversationView>();
    all.visit::<api::ConversationChange>();
    all.visit::<api::ConversationFormat>();
    all.visit::<api::SendRequest>();
    all.visit::<api::SentTurn>();
    all.visit::<api::ContextMeter>();
    all.visit::<api::ChatOptions>();
    all.visit::<api::Spending>();
    all.visit::<api::DuelRequest>();
    all.visit::<api::Duel>();
    all.visit::<api::DuelRanking>();
    all.visit::<api::ResidentModel>();
    let declarations: Vec<String> = all.found.into_values().collect();
    let text = format!(
        "// Generated from the Rust types by crates/app/tests/typescript.rs. Do not edit: run\n// UPDATE_TYPES=1 cargo test --workspace --test typescript\n\n{}",
        declarations.join("\n")
    );
    hold("types.ts", &text);
}

/// The fake backend shows the claims that ship, which nobody measured either. The bandwidth is made up.
#[test]
fn the_fakes_claims_are_those_that_ship() {
    let bandwidth = MeasuredBandwidth {
        bytes_per_s: 20e9,
        threads: 8,
        buffer_bytes: 768 << 20,
        measured_at: chrono::DateTime::UNIX_EPOCH + chrono::TimeDelta::days(20_000),
    };
    let claims = serde_json::to_string_pretty(&pocketbench_app_core::claims(Some(bandwidth))).unwrap();
    let text = format!(
        "// Generated from models/claims/ by crates/app/tests/typescript.rs. Do not edit: run\n// UPDATE_TYPES=1 cargo test --workspace --test typescript\nimport type {{ ClaimsReport }} from '../types'\n\nexport const claims: ClaimsReport[] = {claims}\n"
    );
    hold("fixtures/claims.ts", &text);
}

/// So are its presets of providers.
#[test]
fn the_fakes_presets_are_those_that_ship() {
    let presets = serde_json::to_string_pretty(pocketbench_app_core::provider_presets()).unwrap();
    let text = format!(
        "// Generated from models/providers.json by crates/app/tests/typescript.rs. Do not edit: run\n// UPDATE_TYPES=1 cargo test --workspace --test typescript\nimport type {{ ProviderPreset }} from '../types'\n\nexport const presets: ProviderPreset[] = {presets}\n"
    );
    hold("fixtures/presets.ts", &text);
}

/// Compares a generated file with the committed one, or writes it.
#[track_caller]
fn hold(name: &str, text: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ui/src/backend").join(name);
    if std::env::var_os("UPDATE_TYPES").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == text, "ui/src/backend/{name} is out of date: run this test with UPDATE_TYPES=1");
}
