//! Addresses and names that come from people and from hosts: what may be fetched, and under which name it is kept.

use crate::remote_error::RemoteError;
use crate::split::PartName;
use pocketbench_domain::catalogue::ModelSource;
use url::{Host, Url};

/// The hub that repositories without an address of their own lie on.
pub const DEFAULT_HUB: &str = "https://huggingface.co";

/// Longest file name that is kept, in bytes: the usual limit of 255 less the endings of an unfinished download.
const MAX_NAME: usize = 200;

/// A repository of models.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RepositoryRef {
    /// Such as `owner/name`, or with the address of its hub in front if that is not [`DEFAULT_HUB`].
    pub repository: String,
    /// Branch, tag or commit.
    pub revision: String,
}

/// What a person means by the text that they gave.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Reference {
    /// A repository, with any number of models.
    Repository(RepositoryRef),
    /// One file.
    File(ModelSource),
}

/// Understands `owner/name`, the address of a repository (`…/owner/name`, `…/owner/name/tree/revision`), of a file in one
/// (`…/blob/revision/path.gguf` or `resolve` instead of `blob`), and any other https address of a `.gguf` file. `http`
/// only within this machine.
pub fn parse_reference(text: &str) -> Result<Reference, RemoteError> {
    let text = text.trim();
    if !text.contains("://") {
        return match text.split('/').collect::<Vec<_>>()[..] {
            [owner, name] if is_repository_part(owner) && is_repository_part(name) => {
                Ok(Reference::Repository(RepositoryRef { repository: text.to_owned(), revision: "main".into() }))
            }
            _ => Err(invalid(text, "is neither a repository (owner/name) nor an address")),
        };
    }
    let url = parse_url(text)?;
    let base = url.origin().ascii_serialization();
    let segments: Vec<String> =
        url.path_segments().into_iter().flatten().filter(|s| !s.is_empty()).map(decode).collect();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let repository = |owner: &str, name: &str| {
        let short = format!("{owner}/{name}");
        if base == DEFAULT_HUB { short } else { format!("{base}/{short}") }
    };
    match segments[..] {
        [owner, name, "blob" | "resolve" | "raw", revision, ref path @ ..]
            if !path.is_empty() && is_repository_part(owner) && is_repository_part(name) =>
        {
            let path = path.join("/");
            safe_path(&path)?;
            let repository = repository(owner, name);
            Ok(Reference::File(ModelSource::Repository { repository, revision: revision.to_owned(), path }))
        }
        [.., last] if is_gguf(last) => {
            safe_file_name(last)?;
            Ok(Reference::File(ModelSource::Url { url: url.to_string() }))
        }
        [owner, name] if is_repository_part(owner) && is_repository_part(name) => {
            Ok(Reference::Repository(RepositoryRef { repository: repository(owner, name), revision: "main".into() }))
        }
        [owner, name, "tree", revision, ..] if is_repository_part(owner) && is_repository_part(name) => {
            Ok(Reference::Repository(RepositoryRef {
                repository: repository(owner, name),
                revision: revision.to_owned(),
            }))
        }
        _ => Err(invalid(text, "is neither the address of a repository nor of a .gguf file")),
    }
}

fn is_repository_part(part: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (1..=96).contains(&part.len()) && part.chars().all(plain) && !part.starts_with('.') && !part.contains("..")
}

fn is_gguf(name: &str) -> bool {
    name.len() > 5 && name.is_char_boundary(name.len() - 5) && name[name.len() - 5..].eq_ignore_ascii_case(".gguf")
}

/// A name under which a file from outside can be kept in the models folder on every system: it cannot leave the folder, is
/// not hidden, is no device of Windows, and ends in `.gguf`.
pub fn safe_file_name(name: &str) -> Result<String, RemoteError> {
    const DEVICES: [&str; 6] = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"];
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_ascii_uppercase();
    let numbered = |device: &str| {
        stem.strip_prefix(device)
            .is_some_and(|n| n.chars().count() == 1 && n.chars().all(|c| "0123456789¹²³".contains(c)))
    };
    let problem = if name.is_empty() {
        "is no file name"
    } else if name.contains(['/', '\\']) || name.contains("..") {
        "could lead out of the models folder"
    } else if name.chars().any(|c| c.is_control() || ('\u{200b}'..='\u{200f}').contains(&c) || is_turning(c)) {
        "has characters that cannot be seen"
    } else if name.contains(['<', '>', ':', '"', '|', '?', '*']) {
        "has characters that not every system allows in a file name"
    } else if name.starts_with(['.', ' ', '-']) {
        "begins as no file name should"
    } else if DEVICES.contains(&stem.as_str()) || numbered("COM") || numbered("LPT") {
        "is the name of a device on Windows"
    } else if name.len() > MAX_NAME {
        "is too long for a file name"
    } else if !is_gguf(name) {
        "does not end in .gguf"
    } else {
        return Ok(name.to_owned());
    };
    Err(RemoteError::FileNameUnsafe { name: name.escape_debug().take(80).collect(), problem })
}

/// Refuses a path within a repository that is not plainly one.
pub(crate) fn safe_path(path: &str) -> Result<(), RemoteError> {
    if path.split('/').any(|segment| matches!(segment, "" | "." | "..")) {
        let name = path.escape_debug().take(80).collect();
        return Err(RemoteError::FileNameUnsafe { name, problem: "is no path within a repository" });
    }
    safe_file_name(path.rsplit('/').next().unwrap_or(path)).map(|_| ())
}

/// Marks that turn the direction of text, and line ends that are no control characters.
fn is_turning(c: char) -> bool {
    matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// The address, if it may be fetched from: `https`, or `http` within this machine, without user and password.
pub(crate) fn parse_url(text: &str) -> Result<Url, RemoteError> {
    let url = Url::parse(text).map_err(|_| invalid(text, "is not an address"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(RemoteError::UrlInvalid {
            text: url.host_str().unwrap_or_default().into(),
            problem: "has a password in its address; set a token instead",
        });
    }
    match url.scheme() {
        "https" if url.host().is_some() => Ok(url),
        "http" if is_loopback(&url) => Ok(url),
        "http" => Err(invalid(text, "is not encrypted: only https is fetched from")),
        _ => Err(invalid(text, "is no https address")),
    }
}

/// Whether the address is on this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// The address without what may be secret in it.
pub(crate) fn without_query(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.to_string()
}

/// `<base>/<segments>`, percent-encoded.
pub(crate) fn join<'a>(base: &Url, segments: impl IntoIterator<Item = &'a str>) -> Url {
    let mut url = base.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(segments);
    }
    url
}

/// Hub and path of a repository: `base` and `owner/name`.
pub(crate) fn split_repository(repository: &str) -> Result<(Option<Url>, String), RemoteError> {
    let (base, path) = if repository.contains("://") {
        let url = parse_url(repository)?;
        let mut base = url.clone();
        base.set_path("");
        base.set_query(None);
        base.set_fragment(None);
        (Some(base), url.path().trim_matches('/').to_owned())
    } else {
        (None, repository.to_owned())
    };
    match path.split('/').collect::<Vec<_>>()[..] {
        [owner, name] if is_repository_part(owner) && is_repository_part(name) => Ok((base, path)),
        _ => Err(invalid(repository, "is not a repository (owner/name)")),
    }
}

/// The paths of all parts of a model, given that of the first. Ordinary models have one part.
pub(crate) fn part_paths(first: &str, parts: u32) -> Result<Vec<String>, RemoteError> {
    if parts <= 1 {
        return Ok(vec![first.to_owned()]);
    }
    let (folder, name) = first.rsplit_once('/').map_or(("", first), |(folder, name)| (folder, name));
    match PartName::of(name) {
        Some(name) if name.part == 1 && name.parts == parts => {
            let slash = if folder.is_empty() { "" } else { "/" };
            Ok((1..=parts).map(|part| format!("{folder}{slash}{}", name.file_name(part))).collect())
        }
        _ => Err(invalid(first, "is not named as the first part of a split model is")),
    }
}

fn decode(segment: &str) -> String {
    let bytes = segment.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        let hex = (bytes[i] == b'%').then(|| segment.get(i + 1..i + 3)).flatten();
        if let Some(byte) = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            decoded.push(byte);
            i += 3;
        } else {
            decoded.push(bytes[i]);
            i += 1;
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// The name at the end of an address, decoded.
pub(crate) fn name_of(url: &Url) -> String {
    url.path_segments().and_then(|mut segments| segments.next_back()).map(decode).unwrap_or_default()
}

pub(crate) fn invalid(text: &str, problem: &'static str) -> RemoteError {
    let text = text.split(['?', '#']).next().unwrap_or_default();
    // What stands before an `@` may be a password.
    let text = text.rsplit('@').next().unwrap_or_default();
    RemoteError::UrlInvalid { text: text.escape_debug().take(120).collect(), problem }
}
