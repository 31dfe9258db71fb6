//! Models of other tools on this machine, which can be used where they lie.

use crate::split::model_files;
use serde::Deserialize;
use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

/// Deepest folder that is looked into, below a tool's own.
const MAX_DEPTH: usize = 6;
/// Most folder entries that are looked at for one tool: a folder of other things is given up.
const MAX_ENTRIES: usize = 20_000;
/// Largest manifest that is read.
const MAX_MANIFEST: u64 = 1 << 20;

/// A model of another tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Whose it is.
    pub tool: &'static str,
    /// Its name there.
    pub name: String,
    /// The file; of a split model its first part.
    pub path: PathBuf,
    /// SHA-256 that the tool itself keeps of it, not checked here.
    pub sha256: Option<String>,
}

/// Looks where other tools keep their models. `env` gives environment variables, so that a moved folder is found, too.
/// Nothing is opened but Ollama's manifests; whether a file is a model is for [`read_header`](crate::read_header) to say.
#[must_use]
pub fn discover(home: &Path, env: &dyn Fn(&str) -> Option<OsString>) -> Vec<Found> {
    // Where Ollama's installer for Linux makes a user of its own.
    discover_with(home, env, Path::new("/usr/share/ollama/.ollama/models"))
}

fn discover_with(home: &Path, env: &dyn Fn(&str) -> Option<OsString>, ollamas_own: &Path) -> Vec<Found> {
    let folder = |name: &str| env(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = folder("XDG_CACHE_HOME").unwrap_or_else(|| home.join(".cache"));
    let data = folder("XDG_DATA_HOME").unwrap_or_else(|| home.join(".local/share"));
    let hub = folder("HF_HUB_CACHE")
        .or_else(|| folder("HF_HOME").map(|home| home.join("hub")))
        .unwrap_or_else(|| cache.join("huggingface/hub"));
    let mut found = Vec::new();
    for (tool, root) in [
        ("LM Studio", home.join(".lmstudio/models")),
        ("LM Studio", cache.join("lm-studio/models")),
        ("Jan", data.join("Jan/data")),
        ("Jan", home.join("jan/models")),
        ("Jan", home.join("Library/Application Support/Jan/data")),
        ("Jan", home.join("AppData/Roaming/Jan/data")),
        ("llama.cpp", folder("LLAMA_CACHE").unwrap_or_else(|| cache.join("llama.cpp"))),
        ("llama.cpp", home.join("Library/Caches/llama.cpp")),
        ("llama.cpp", home.join("AppData/Local/llama.cpp")),
        ("GPT4All", data.join("nomic.ai/GPT4All")),
        ("GPT4All", home.join("Library/Application Support/nomic.ai/GPT4All")),
        ("GPT4All", home.join("AppData/Local/nomic.ai/GPT4All")),
        ("Hugging Face", hub),
    ] {
        found.extend(files_below(tool, &root));
    }
    found.extend(ollama(&folder("OLLAMA_MODELS").unwrap_or_else(|| home.join(".ollama/models"))));
    found.extend(ollama(ollamas_own));
    // One folder may be another's link.
    let mut seen = HashSet::new();
    found.retain(|found| seen.insert(found.path.canonicalize().unwrap_or_else(|_| found.path.clone())));
    found
}

/// The files below a folder, and links that are not followed, in no order.
fn entries_below(root: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut left = MAX_ENTRIES;
    let mut folders = vec![(root.to_path_buf(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        for entry in folder.read_dir().into_iter().flatten().filter_map(Result::ok) {
            let Some(rest) = left.checked_sub(1) else { return files };
            left = rest;
            // A link to a folder could lead in circles. Data sets, beside models in the Hugging Face cache, have many files.
            match entry.file_type() {
                Ok(kind) if !kind.is_dir() => files.push(entry.path()),
                Ok(_) if depth < MAX_DEPTH && !entry.file_name().to_string_lossy().starts_with("datasets--") => {
                    folders.push((entry.path(), depth + 1));
                }
                _ => {}
            }
        }
    }
    files
}

/// The `.gguf` files below a tool's folder, each split model once. Links count where they lead to what lies below it, too.
fn files_below(tool: &'static str, root: &Path) -> Vec<Found> {
    let Ok(real_root) = root.canonicalize() else { return Vec::new() };
    let stays =
        |path: &Path| path.canonicalize().is_ok_and(|target| target.starts_with(&real_root) && target.is_file());
    let mut found = Vec::new();
    for path in entries_below(root) {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let is_model = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("gguf"));
        // What lets a model see lies beside it and is none: llama.cpp's name for it.
        let is_projector = name.to_ascii_lowercase().contains("mmproj");
        let parts = model_files(&path);
        if is_model && !is_projector && parts.first() == Some(&path) && parts.iter().all(|part| stays(part)) {
            found.push(Found { tool, name, path, sha256: None });
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

#[derive(Deserialize)]
struct Manifest {
    #[serde(default)]
    layers: Vec<Layer>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Layer {
    media_type: String,
    digest: String,
}

/// Ollama keeps models as blobs named by their hash; manifests give them names:
/// `manifests/<host>/<namespace>/<model>/<tag>`.
fn ollama(root: &Path) -> Vec<Found> {
    let manifests = root.join("manifests");
    let mut found = Vec::new();
    for manifest in entries_below(&manifests) {
        let parts: Vec<_> =
            manifest.strip_prefix(&manifests).into_iter().flatten().map(OsStr::to_string_lossy).collect();
        let [_, namespace, model, tag] = &parts[..] else { continue };
        let Some((path, sha256)) = blob(root, &manifest) else { continue };
        let name = if namespace == "library" { format!("{model}:{tag}") } else { format!("{namespace}/{model}:{tag}") };
        found.push(Found { tool: "Ollama", name, path, sha256: Some(sha256) });
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

/// The model's blob that a manifest names, if it is there.
fn blob(root: &Path, manifest: &Path) -> Option<(PathBuf, String)> {
    // Neither a pipe, which would be waited for, nor a link.
    let metadata = fs::symlink_metadata(manifest).ok()?;
    if !metadata.is_file() || metadata.len() > MAX_MANIFEST {
        return None;
    }
    let manifest: Manifest = serde_json::from_slice(&fs::read(manifest).ok()?).ok()?;
    let layer = manifest.layers.iter().find(|layer| layer.media_type == "application/vnd.ollama.image.model")?;
    let sha256 = layer.digest.strip_prefix("sha256:")?;
    // Nothing but a hash becomes part of a path.
    let is_hash = sha256.len() == 64 && sha256.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    let path = root.join("blobs").join(format!("sha256-{sha256}"));
    (is_hash && path.is_file()).then(|| (path, sha256.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(root: &Path, path: &str, content: &str) -> PathBuf {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    fn names(home: &Path) -> Vec<String> {
        let found = discover_with(home, &|_| None, &home.join("usr/share/ollama/.ollama/models"));
        found.into_iter().map(|found| format!("{}: {}", found.tool, found.name)).collect()
    }

    #[test]
    fn every_tools_models_are_found_where_it_keeps_them() {
        let home = tempfile::tempdir().unwrap();
        let home = home.path();
        put(home, ".lmstudio/models/maker/model-GGUF/model-q4.gguf", "");
        put(home, ".local/share/Jan/data/llamacpp/models/small/model.gguf", "");
        put(home, ".cache/llama.cpp/maker_model.gguf", "");
        put(home, ".cache/llama.cpp/maker_model.gguf.json", "");
        put(home, ".local/share/nomic.ai/GPT4All/all.gguf", "");
        put(home, ".lmstudio/models/maker/big/big-00001-of-00002.gguf", "");
        put(home, ".lmstudio/models/maker/big/big-00002-of-00002.gguf", "");
        put(home, ".lmstudio/models/maker/big/halved-00001-of-00002.gguf", "");
        put(home, ".lmstudio/models/maker/model-GGUF/mmproj-model-f16.gguf", "");
        put(home, ".cache/huggingface/hub/datasets--maker--many/blobs/data.gguf", "");
        let hash = "a".repeat(64);
        put(home, &format!(".ollama/models/blobs/sha256-{hash}"), "GGUF");
        let manifest = format!(
            r#"{{"layers":[{{"mediaType":"application/vnd.ollama.image.license","digest":"sha256:{hash}"}},
               {{"mediaType":"application/vnd.ollama.image.model","digest":"sha256:{hash}"}}]}}"#
        );
        put(home, ".ollama/models/manifests/registry/library/tiny/1b", &manifest);
        put(home, ".ollama/models/manifests/registry/someone/tiny/latest", &manifest);
        let other = "b".repeat(64);
        let system = "usr/share/ollama/.ollama/models";
        put(home, &format!("{system}/blobs/sha256-{other}"), "GGUF");
        put(home, &format!("{system}/manifests/registry/library/big/8b"), &manifest.replace(&hash, &other));
        assert_eq!(
            names(home),
            [
                "LM Studio: big-00001-of-00002",
                "LM Studio: model-q4",
                "Jan: model",
                "llama.cpp: maker_model",
                "GPT4All: all",
                "Ollama: someone/tiny:latest",
                "Ollama: big:8b",
            ],
            "two names of one blob are one model"
        );
    }

    #[cfg(unix)]
    #[test]
    fn the_hugging_face_cache_is_a_tree_of_links() {
        use std::os::unix::fs::symlink;
        let home = tempfile::tempdir().unwrap();
        let repository = "moved/models--maker--model";
        let blob = put(home.path(), &format!("{repository}/blobs/abc"), "GGUF");
        let snapshot = home.path().join(repository).join("snapshots/1");
        fs::create_dir_all(&snapshot).unwrap();
        symlink(&blob, snapshot.join("model.gguf")).unwrap();
        symlink("/etc/passwd", snapshot.join("outside.gguf")).unwrap();
        symlink(home.path(), snapshot.join("circle")).unwrap();
        let env = |name: &str| (name == "HF_HUB_CACHE").then(|| home.path().join("moved").into_os_string());
        let found = discover(home.path(), &env);
        assert_eq!(found.iter().map(|f| f.name.as_str()).collect::<Vec<_>>(), ["model"]);
    }

    #[test]
    fn a_hostile_manifest_leads_nowhere() {
        let home = tempfile::tempdir().unwrap();
        let home = home.path();
        put(home, ".ollama/secret", "");
        let evil = |digest: &str| {
            format!(r#"{{"layers":[{{"mediaType":"application/vnd.ollama.image.model","digest":"{digest}"}}]}}"#)
        };
        let models = ".ollama/models/manifests/registry/library";
        put(home, &format!("{models}/a/1"), &evil("sha256:../../secret"));
        put(home, &format!("{models}/b/1"), "[[[");
        put(home, &format!("{models}/c/1"), &" ".repeat(2 << 20));
        put(home, &format!("{models}/d/1"), &evil(&format!("sha256:{}", "b".repeat(64))));
        assert_eq!(names(home), Vec::<String>::new());
    }
}
