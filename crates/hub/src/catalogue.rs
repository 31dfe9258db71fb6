//! The catalogue: the one that ships, and the rules that one from the network must keep, too.

use crate::architectures::KNOWN_ARCHITECTURES;
use crate::header::{MAX_CONTEXT, MAX_HEADS, MAX_LAYERS, MAX_VOCABULARY, MAX_WIDTH};
use crate::source::{parse_url, part_paths, safe_path};
use crate::split::PartName;
use pocketbench_domain::catalogue::{Catalogue, CatalogueFile, CatalogueModel, CatalogueShape};
use pocketbench_domain::{ErrorCode, ErrorReport};
use std::collections::HashSet;
use std::sync::LazyLock;

/// Version of the format that this program reads.
const SCHEMA: u32 = 1;
/// Largest catalogue, in bytes.
const MAX_BYTES: usize = 2 << 20;
/// Most models.
const MAX_MODELS: usize = 500;
/// Most files of a model.
const MAX_FILES: usize = 100;
/// Longest text, in characters.
const MAX_TEXT: usize = 500;

/// What is wrong with a catalogue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct CatalogueError {
    /// Which model, where it is one, and what is wrong.
    problem: String,
}

impl From<CatalogueError> for ErrorReport {
    fn from(error: CatalogueError) -> Self {
        Self::new(ErrorCode::CatalogueInvalid, format!("the catalogue cannot be used: {error}"))
            .hint("The one in use stays. Tell whoever publishes it, or update Pocketbench.")
    }
}

static SHIPPED: LazyLock<Catalogue> = LazyLock::new(|| {
    parse(include_bytes!("../../../models/catalogue.json")).expect("a test reads the catalogue that ships")
});

/// The catalogue that ships.
#[must_use]
pub fn shipped() -> &'static Catalogue {
    &SHIPPED
}

/// Reads a catalogue and holds it to `models/catalogue.schema.json` and to what no schema can say.
pub fn parse(bytes: &[u8]) -> Result<Catalogue, CatalogueError> {
    let fail = |problem: String| CatalogueError { problem };
    if bytes.len() > MAX_BYTES {
        return Err(fail(format!("it has {} bytes, {MAX_BYTES} are allowed", bytes.len())));
    }
    let catalogue: Catalogue = serde_json::from_slice(bytes).map_err(|error| fail(error.to_string()))?;
    if catalogue.schema != SCHEMA {
        return Err(fail(format!("its format has version {}, this program reads {SCHEMA}", catalogue.schema)));
    }
    if catalogue.version == 0 {
        return Err(fail("its version is 0".into()));
    }
    parse_url(&catalogue.hub).map_err(|error| fail(format!("its hub: {error}")))?;
    if catalogue.models.is_empty() || catalogue.models.len() > MAX_MODELS {
        return Err(fail(format!("it has {} models, 1 to {MAX_MODELS} are allowed", catalogue.models.len())));
    }
    let mut ids = HashSet::new();
    for model in &catalogue.models {
        if !ids.insert(model.id.as_str()) {
            return Err(fail(format!("the id `{}` is there twice", model.id.escape_debug())));
        }
        check_model(model).map_err(|what| fail(format!("`{}`: {what}", model.id.escape_debug())))?;
    }
    Ok(catalogue)
}

fn check_model(model: &CatalogueModel) -> Result<(), String> {
    let begins = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let plain = |c: char| begins(c) || matches!(c, '-' | '.');
    if !model.id.starts_with(begins) || model.id.len() > 80 || !model.id.chars().all(plain) {
        return Err("an id has 1 to 80 lower-case letters, digits, - and .".into());
    }
    let license = &model.license;
    let texts = [&model.name, &model.family, &model.publisher, &model.summary, &license.id, &license.name];
    for text in texts {
        check_text(text)?;
    }
    if let Some(url) = &license.url {
        parse_url(url).map_err(|error| error.to_string())?;
    }
    if KNOWN_ARCHITECTURES.binary_search(&model.architecture.as_str()).is_err() {
        return Err(format!("llama.cpp does not know the architecture `{}`", model.architecture.escape_debug()));
    }
    if model.n_params == 0 || model.n_ctx_train == 0 || model.n_ctx_train > MAX_CONTEXT {
        return Err("a model has weights and a context that can be".into());
    }
    if let Some(shape) = &model.shape {
        check_shape(shape)?;
    }
    let tag =
        |text: &String| (2..=16).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if !model.languages.iter().all(tag) {
        return Err("a language is a tag such as en or zh-Hans".into());
    }
    let part = |text: &str| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        !text.is_empty() && !text.starts_with('.') && text.chars().all(allowed)
    };
    let named = model.repository.split_once('/').is_some_and(|(owner, name)| part(owner) && part(name));
    if !named || !part(&model.revision) {
        return Err("a repository is owner/name, a revision one word".into());
    }
    // A model without files is known by name: a person adds the repository that has it.
    if model.files.len() > MAX_FILES {
        return Err(format!("it has {} files, {MAX_FILES} are allowed", model.files.len()));
    }
    let mut paths = HashSet::new();
    for file in &model.files {
        if !paths.insert(&file.path) {
            return Err(format!("the file `{}` is there twice", file.path.escape_debug()));
        }
        check_file(file)?;
    }
    Ok(())
}

/// The limits of a GGUF header: a shape becomes one.
fn check_shape(shape: &CatalogueShape) -> Result<(), String> {
    let CatalogueShape { n_layer, n_embd, n_head, n_head_kv, head_dim, n_vocab, sliding_window } = *shape;
    let numbers = [
        ("n_layer", n_layer, MAX_LAYERS),
        ("n_embd", n_embd, MAX_WIDTH),
        ("n_head", n_head, MAX_HEADS),
        ("n_head_kv", n_head_kv, n_head),
        ("head_dim", head_dim, MAX_WIDTH),
        ("n_vocab", n_vocab, u32::try_from(MAX_VOCABULARY).unwrap_or(u32::MAX)),
        ("sliding_window", sliding_window.unwrap_or(1), MAX_CONTEXT),
    ];
    match numbers.into_iter().find(|(_, number, max)| !(1..=*max).contains(number)) {
        Some((name, number, max)) => Err(format!("{name} of its shape is {number}, 1 to {max} can be")),
        None => Ok(()),
    }
}

fn check_file(file: &CatalogueFile) -> Result<(), String> {
    check_text(&file.quantization)?;
    if file.quantization.is_empty() {
        return Err("a file has no quantization".into());
    }
    check_text(&file.path)?;
    if file.path.contains('\\') {
        return Err(format!("the path `{}` leads elsewhere", file.path.escape_debug()));
    }
    safe_path(&file.path).map_err(|error| error.to_string())?;
    let is_part = PartName::of(file.path.rsplit('/').next().unwrap_or_default()).is_some();
    if file.parts == 0 || (file.parts == 1 && is_part) {
        return Err(format!("`{}` cannot have {} parts", file.path.escape_debug(), file.parts));
    }
    part_paths(&file.path, file.parts).map_err(|error| error.to_string())?;
    if file.bytes == Some(0) {
        return Err("a file has 0 bytes; not known is null".into());
    }
    let hash =
        |text: &String| text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    match &file.sha256 {
        Some(_) if file.parts != 1 => Err("a split model has a SHA-256 a part, so none of its own".into()),
        Some(text) if !hash(text) => Err("a SHA-256 has 64 hex digits in lower case".into()),
        _ => Ok(()),
    }
}

/// Texts are shown: one line, without characters that control a terminal or turn the direction of text.
fn check_text(text: &str) -> Result<(), String> {
    let invisible = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    if text.chars().count() > MAX_TEXT || text.contains(invisible) {
        return Err(format!("a text is too long or has invisible characters: `{}`", text.escape_debug()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    type Change = fn(&mut Value);

    fn with(change: impl FnOnce(&mut Value)) -> Result<Catalogue, CatalogueError> {
        let mut value = serde_json::to_value(shipped()).unwrap();
        value["models"].as_array_mut().unwrap().truncate(2);
        change(&mut value);
        parse(&serde_json::to_vec(&value).unwrap())
    }

    #[test]
    fn the_catalogue_that_ships_keeps_the_rules() {
        let catalogue = shipped();
        let has = |id: &str| catalogue.models.iter().any(|model| model.id.contains(id));
        for id in [
            "mimo-7b-sft",
            "mimo-7b-rl",
            "phi-4",
            "phi-4-mini",
            "qwen2.5-0.5b",
            "qwen3-8b",
            "gemma-3-270m",
            "gemma-3-4b",
            "llama-3.2-1b",
            "llama-3.2-3b",
            "smollm2-135m",
            "smollm3-3b",
            "minicpm",
            "granite",
        ] {
            assert!(has(id), "{id} is missing");
        }
        assert!(catalogue.hub.starts_with("https://"));
        for model in &catalogue.models {
            assert!(!model.summary.is_empty(), "{}", model.id);
            let quantizations: HashSet<&str> = model.files.iter().map(|f| f.quantization.as_str()).collect();
            assert_eq!(quantizations.len(), model.files.len(), "{}: a quantization twice", model.id);
            assert!(model.files.iter().filter_map(|f| f.bytes).is_sorted(), "{}: smallest first", model.id);
            for file in &model.files {
                // Large vocabularies, and output matrices that are there twice, make files larger; nothing makes them smaller.
                let (Some(bytes), Some(typical)) = (file.bytes, file.estimated_bytes(model.n_params)) else { continue };
                let ratio = bytes as f64 / typical as f64;
                assert!((0.97..2.2).contains(&ratio), "{} {}: {ratio} of the usual size", model.id, file.quantization);
            }
        }
    }

    #[test]
    fn what_breaks_the_rules_is_refused_with_its_place() {
        assert!(with(|_| ()).is_ok());
        let cases: [(&str, Change); 24] = [
            ("version 2", |c| c["schema"] = json!(2)),
            ("unknown field", |c| c["models"][0]["extra"] = json!(1)),
            ("missing field", |c| drop(c["models"][0].as_object_mut().unwrap().remove("license"))),
            ("twice", |c| c["models"][1]["id"] = c["models"][0]["id"].clone()),
            ("lower-case", |c| c["models"][0]["id"] = json!("A b")),
            ("architecture", |c| c["models"][0]["architecture"] = json!("mind")),
            ("hub", |c| c["hub"] = json!("http://hub.example")),
            ("hub", |c| c["hub"] = json!("file:///etc")),
            ("repository", |c| c["models"][0]["repository"] = json!("../etc")),
            ("repository", |c| c["models"][0]["revision"] = json!("a/../b")),
            ("version is 0", |c| c["version"] = json!(0)),
            ("lower-case", |c| c["models"][0]["id"] = json!("..")),
            ("n_layer", |c| c["models"][0]["shape"]["n_layer"] = json!(u32::MAX)),
            ("n_head_kv", |c| c["models"][0]["shape"]["n_head_kv"] = json!(1000)),
            ("n_vocab", |c| c["models"][0]["shape"]["n_vocab"] = json!(0)),
            ("within a repository", |c| c["models"][0]["files"][0]["path"] = json!("../../x.gguf")),
            ("leads elsewhere", |c| c["models"][0]["files"][0]["path"] = json!("a\\..\\b/x.gguf")),
            ("0 parts", |c| c["models"][0]["files"][0]["parts"] = json!(0)),
            ("1 parts", |c| c["models"][0]["files"][0]["path"] = json!("x-00001-of-00002.gguf")),
            ("gguf", |c| c["models"][0]["files"][0]["path"] = json!("run.sh")),
            ("64 hex", |c| c["models"][0]["files"][0]["sha256"] = json!("ABC")),
            ("0 bytes", |c| c["models"][0]["files"][0]["bytes"] = json!(0)),
            ("invisible", |c| c["models"][0]["name"] = json!("safe\u{202e}fdp")),
            ("part", |c| c["models"][0]["files"][0]["parts"] = json!(3)),
        ];
        for (says, change) in cases {
            let error = with(change).expect_err(says).to_string();
            assert!(error.contains(says), "{says}: {error}");
        }
        assert!(parse(b"").is_err() && parse(b"[]").is_err() && parse(&vec![b' '; MAX_BYTES + 1]).is_err());
    }

    /// The schema is for editors and for other programs; serde and the rules above are what counts. So both must name the same
    /// fields.
    #[test]
    fn the_schema_names_the_fields_that_are_read() {
        let schema: Value = serde_json::from_str(include_str!("../../../models/catalogue.schema.json")).unwrap();
        let value = serde_json::to_value(shipped()).unwrap();
        let fields = |object: &Value| -> HashSet<String> { object.as_object().unwrap().keys().cloned().collect() };
        let check = |definition: &Value, object: &Value| {
            assert_eq!(fields(&definition["properties"]), fields(object));
            let required: HashSet<String> =
                definition["required"].as_array().unwrap().iter().map(|f| f.as_str().unwrap().to_owned()).collect();
            assert_eq!(required, fields(object));
            assert_eq!(definition["additionalProperties"], json!(false));
        };
        let models = value["models"].as_array().unwrap();
        let shaped = models.iter().find(|model| model["shape"].is_object()).unwrap();
        check(&schema, &value);
        check(&schema["$defs"]["model"], &models[0]);
        check(&schema["$defs"]["shape"], &shaped["shape"]);
        check(&schema["$defs"]["license"], &models[0]["license"]);
        check(&schema["$defs"]["file"], &models[0]["files"][0]);
    }
}
