//! What a repository holds, from the hub's listing of it.

use crate::client::{Attempts, HubClient, text_of};
use crate::remote_error::RemoteError;
use crate::source::{RepositoryRef, invalid, join, parse_url, safe_file_name};
use crate::split::PartName;
use pocketbench_domain::catalogue::{CatalogueFile, CatalogueModel, License};
use reqwest::header::LINK;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use url::Url;

/// Longest page of a listing.
const MAX_PAGE: u64 = 16 << 20;
/// Most pages of a listing. The hub gives a thousand files a page.
const MAX_PAGES: usize = 20;

/// The hub's description of a model, as far as it is of use.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ModelInfo {
    #[serde(default)]
    gated: serde_json::Value,
    #[serde(default)]
    card_data: Option<CardData>,
    #[serde(default)]
    gguf: Option<GgufInfo>,
    #[serde(default)]
    tags: Vec<String>,
}

/// What the publisher wrote on top of the model's page. Anything may stand there.
#[derive(Debug, Default, Deserialize)]
struct CardData {
    #[serde(default)]
    license: serde_json::Value,
    #[serde(default)]
    license_name: serde_json::Value,
    #[serde(default)]
    license_link: serde_json::Value,
    #[serde(default)]
    language: serde_json::Value,
}

/// What the hub read from the repository's own files.
#[derive(Debug, Deserialize)]
struct GgufInfo {
    #[serde(default)]
    total: Option<u64>,
    #[serde(default)]
    architecture: Option<String>,
    #[serde(default)]
    context_length: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct TreeEntry {
    #[serde(rename = "type")]
    kind: String,
    path: String,
    #[serde(default)]
    size: u64,
    #[serde(default)]
    lfs: Option<Lfs>,
}

#[derive(Debug, Deserialize)]
struct Lfs {
    oid: String,
    #[serde(default)]
    size: Option<u64>,
}

impl HubClient {
    /// What a repository holds as GGUF, as an entry that can be added to the catalogue. What the hub does not know is
    /// empty, zero or `None`; a split model is one file; the files are sorted by size.
    pub async fn repository(&self, reference: &RepositoryRef) -> Result<CatalogueModel, RemoteError> {
        let (bases, path) = self.bases(&reference.repository)?;
        let urls = |rest: &[&str], query: Option<&str>| -> Vec<String> {
            let urls = bases.iter().map(|base| {
                let mut url =
                    join(base, ["api", "models"].into_iter().chain(path.split('/')).chain(rest.iter().copied()));
                url.set_query(query);
                url.into()
            });
            urls.collect()
        };
        let revision = reference.revision.as_str();
        let (info, _, _) = self.json::<ModelInfo>(&urls(&["revision", revision], None)).await?;
        let mut pages = urls(&["tree", revision], Some("recursive=true"));
        let mut tree = Vec::new();
        for _ in 0..MAX_PAGES {
            let (page, url, next) = self.json::<Vec<TreeEntry>>(&pages).await?;
            tree.extend(page);
            // The next page lies beside this one, and nowhere else.
            match next.and_then(|next| url.join(&next).ok()).filter(|next| next.origin() == url.origin()) {
                Some(next) => pages = vec![next.into()],
                None => break,
            }
        }
        let files = files(tree);
        if files.is_empty() {
            return Err(RemoteError::NoGguf { repository: path });
        }
        let (owner, name) = path.split_once('/').ok_or_else(|| invalid(&path, "is not a repository"))?;
        Ok(model(reference, owner, name, info, files))
    }

    async fn json<T: DeserializeOwned>(&self, urls: &[String]) -> Result<(T, Url, Option<String>), RemoteError> {
        let mut attempts = Attempts::new(self, urls)?;
        loop {
            let url = attempts.url().clone();
            let answer = self.text(&url, MAX_PAGE).await.and_then(|(text, headers)| {
                let host = url.host_str().unwrap_or_default().to_owned();
                match serde_json::from_slice(&text) {
                    Ok(value) => Ok((value, text_of(&headers, &LINK).as_deref().and_then(next_page))),
                    Err(_) if text.trim_ascii_start().starts_with(b"<") => Err(RemoteError::NotAModel {
                        host,
                        looks_like: "a web page, as a site sends it that wants a login first".into(),
                    }),
                    Err(e) => {
                        Err(RemoteError::ServerError { host, problem: format!("its listing makes no sense: {e}") })
                    }
                }
            });
            match answer {
                Ok((value, next)) => return Ok((value, url, next)),
                Err(error) => tokio::time::sleep(attempts.after(error)?).await,
            }
        }
    }
}

/// The address of the next page: `<https://…>; rel="next"`.
fn next_page(link: &str) -> Option<String> {
    link.split(',').find_map(|link| {
        let (url, rel) = link.trim().strip_prefix('<')?.split_once('>')?;
        rel.contains("rel=\"next\"").then(|| url.to_owned())
    })
}

fn model(
    reference: &RepositoryRef,
    owner: &str,
    name: &str,
    info: ModelInfo,
    files: Vec<CatalogueFile>,
) -> CatalogueModel {
    let card = info.card_data.unwrap_or_default();
    let text = |value: &serde_json::Value| value.as_str().map(|text| line(text, 120)).filter(|text| !text.is_empty());
    let tag = || info.tags.iter().find_map(|tag| tag.strip_prefix("license:")).map(|tag| line(tag, 120));
    let license = text(&card.license).or_else(tag).unwrap_or_default();
    let languages = match &card.language {
        serde_json::Value::Array(tags) => tags.iter().filter_map(text).collect(),
        one => text(one).into_iter().collect(),
    };
    let plain = name.strip_suffix("-GGUF").or_else(|| name.strip_suffix("-gguf")).unwrap_or(name);
    let gguf = info.gguf.as_ref();
    let id = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c.to_ascii_lowercase() } else { '-' };
    CatalogueModel {
        id: format!("{owner}-{name}").chars().map(id).collect(),
        name: plain.replace('_', " "),
        family: String::new(),
        publisher: owner.to_owned(),
        n_params: gguf.and_then(|gguf| gguf.total).or_else(|| params_of(plain)).unwrap_or(0),
        architecture: gguf.and_then(|gguf| gguf.architecture.as_deref()).map(|text| line(text, 40)).unwrap_or_default(),
        n_ctx_train: gguf.and_then(|gguf| gguf.context_length).and_then(|n| u32::try_from(n).ok()).unwrap_or(0),
        shape: None,
        license: License {
            name: text(&card.license_name).unwrap_or_else(|| license.clone()),
            id: license,
            url: text(&card.license_link).filter(|url| parse_url(url).is_ok()),
            // `false`, or in which way access is granted.
            must_accept: !matches!(info.gated, serde_json::Value::Bool(false) | serde_json::Value::Null),
        },
        languages,
        strengths: Vec::new(),
        reasons: false,
        summary: String::new(),
        repository: reference.repository.clone(),
        revision: reference.revision.clone(),
        files,
    }
}

/// The models among the files, smallest first. Encoders, adapters and importance matrices that come with them are left out,
/// and so are split models of which a part is missing.
fn files(tree: Vec<TreeEntry>) -> Vec<CatalogueFile> {
    let mut files = Vec::new();
    let mut split: BTreeMap<(String, u32), Vec<(u32, TreeEntry)>> = BTreeMap::new();
    for entry in tree.into_iter().filter(|entry| entry.kind == "file") {
        let (folder, name) = entry.path.rsplit_once('/').unwrap_or(("", &entry.path));
        let lower = name.to_ascii_lowercase();
        let aside = ["mmproj", "imatrix", "lora"].iter().any(|word| lower.contains(word));
        if aside || safe_file_name(name).is_err() {
            continue;
        }
        match PartName::of(name) {
            Some(part) => {
                let model = (format!("{folder}/{}", part.prefix()), part.parts);
                split.entry(model).or_default().push((part.part, entry));
            }
            None => files.push(CatalogueFile {
                quantization: quantization_of(&entry.path),
                parts: 1,
                bytes: Some(size(&entry)),
                sha256: entry.lfs.map(|lfs| lfs.oid).filter(|oid| is_sha256(oid)),
                path: entry.path,
            }),
        }
    }
    for ((_, parts), mut found) in split {
        found.sort_by_key(|(part, _)| *part);
        if found.iter().map(|(part, _)| *part).eq(1..=parts) {
            files.push(CatalogueFile {
                quantization: quantization_of(&found[0].1.path),
                path: found[0].1.path.clone(),
                parts,
                bytes: Some(found.iter().map(|(_, entry)| size(entry)).sum()),
                sha256: None,
            });
        }
    }
    files.sort_by(|a, b| (a.bytes, &a.path).cmp(&(b.bytes, &b.path)));
    files
}

fn size(entry: &TreeEntry) -> u64 {
    entry.lfs.as_ref().and_then(|lfs| lfs.size).unwrap_or(entry.size)
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// Quantization as the file's name says it, or the folder that it is in; empty if neither does.
fn quantization_of(path: &str) -> String {
    let of = |part: &str| named(PartName::of(part).as_ref().map_or(part, PartName::prefix));
    path.rsplit('/').find_map(of).unwrap_or_default()
}

fn named(name: &str) -> Option<String> {
    let name = name.strip_suffix(".gguf").unwrap_or(name).to_ascii_uppercase();
    name.rsplit(['-', '.', ' ']).find_map(|word| {
        let plain = word.trim_start_matches("FP").trim_start_matches("BF").trim_start_matches('F');
        let float = matches!(plain, "16" | "32") && plain != word;
        let digit = |rest: &str| rest.starts_with(|c: char| c.is_ascii_digit()) && rest.len() < 12;
        let quantized = ["IQ", "TQ", "Q", "MXFP"].iter().any(|kind| word.strip_prefix(kind).is_some_and(digit));
        (float || quantized).then(|| word.replace("FP16", "F16").replace("FP32", "F32"))
    })
}

/// Number of weights as a name says it: `Qwen3-0.6B` → 600 million.
fn params_of(name: &str) -> Option<u64> {
    name.split(['-', '_', ' ']).find_map(|word| {
        let word = word.to_ascii_uppercase();
        let (number, unit) = match (word.strip_suffix('B'), word.strip_suffix('M')) {
            (Some(number), _) => (number, 1e9),
            (_, Some(number)) => (number, 1e6),
            _ => return None,
        };
        let number: f64 = number.parse().ok().filter(|n| (0.01..10_000.0).contains(n))?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 10 thousand and 10 trillion"
        )]
        Some((number * unit) as u64)
    })
}

/// One line of text that is fit to be shown.
fn line(text: &str, most: usize) -> String {
    text.chars().filter(|c| !c.is_control()).take(most).collect::<String>().trim().to_owned()
}
