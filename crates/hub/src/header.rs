//! From a GGUF file to what the project wants to know about a model.

use crate::architectures::KNOWN_ARCHITECTURES;
use crate::error::{FileError, GgufError};
use crate::gguf::{Gguf, TEMPLATE_KEY, Value, parse, shown};
use crate::tensor_type::quantization;
use pocketbench_domain::model::ModelHeader;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// llama.cpp's `LLAMA_MAX_LAYERS`.
const MAX_LAYERS: u32 = 512;
/// Beyond any model; keeps what is computed from these numbers within 64 bits.
const MAX_CONTEXT: u32 = 1 << 30;
const MAX_WIDTH: u32 = 1 << 20;
const MAX_HEADS: u32 = 1 << 16;
const MAX_VOCABULARY: u64 = 1 << 24;
/// Characters of a name or licence that are kept.
const MAX_LABEL: usize = 120;

/// Reads the header of a model file and checks that the file is well-formed, complete and a language model that
/// llama.cpp knows. The weights themselves are not read.
///
/// Takes milliseconds, but touches the disk: not for an async task's own thread.
pub fn read_header(path: &Path) -> Result<ModelHeader, GgufError> {
    // Asked before opening, which would wait for ever on a named pipe.
    let metadata = path.metadata().map_err(|e| FileError::of(path, e))?;
    if !metadata.is_file() {
        return Err(FileError::NotAFile(path.into()).into());
    }
    let mut file = File::open(path).map_err(|e| FileError::of(path, e))?;
    let size = metadata.len();

    let mut start = Vec::new();
    file.by_ref().take(512).read_to_end(&mut start).map_err(|e| FileError::of(path, e))?;
    if !start.starts_with(b"GGUF") {
        // A first fragment of the magic, as a download leaves that was stopped at once.
        if !start.is_empty() && b"GGUF".starts_with(&start) {
            return Err(GgufError::Truncated {
                what: "its header goes on at least to byte",
                needed: 24,
                file_bytes: size,
            });
        }
        return Err(GgufError::NotGguf { looks_like: looks_like(&start) });
    }
    file.seek(SeekFrom::Start(0)).map_err(|e| FileError::of(path, e))?;
    let stem = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    describe(&parse(file, size)?, &stem)
}

/// What a file that is not GGUF seems to be, for the message.
fn looks_like(start: &[u8]) -> String {
    let text = String::from_utf8_lossy(start);
    let text = text.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']).to_ascii_lowercase();
    let guess = if start.is_empty() {
        "an empty file"
    } else if text.starts_with("<!doctype html") || text.starts_with("<html") || text.starts_with("<head") {
        "a web page, as a site sends it that wants a login first"
    } else if text.starts_with("version https://git-lfs") {
        "a Git LFS pointer: the place where the model should be, without the model"
    } else if start.starts_with(b"PK\x03\x04") {
        "a ZIP archive or a PyTorch checkpoint"
    } else if start.starts_with(b"\x1f\x8b") {
        "a gzip archive"
    } else if start.starts_with(b"\x80\x02") {
        "a PyTorch checkpoint"
    } else if start.len() > 8 && start[8] == b'{' && start[4..8] == [0; 4] {
        "a safetensors file"
    } else if start.starts_with(b"\x89HDF") {
        "an HDF5 file"
    } else if [&b"ggml"[..], b"lmgg", b"tjgg", b"algg", b"fmgg"].iter().any(|magic| start.starts_with(magic)) {
        "a model in the GGML format that GGUF replaced in 2023"
    } else if text.starts_with('<') {
        "an XML document"
    } else if text.starts_with('{') || text.starts_with('[') {
        "a JSON document"
    } else {
        return format!("a file that starts with “{}”", start[..start.len().min(4)].escape_ascii());
    };
    guess.to_owned()
}

/// Metadata by key, with the errors that a reader deserves.
struct Metadata<'a>(&'a Gguf);

fn corrupt(problem: String) -> GgufError {
    // The values were read long ago; their place is no longer known.
    GgufError::Corrupt { problem, offset: 0 }
}

impl Metadata<'_> {
    fn get(&self, key: &str) -> Option<&Value> {
        self.0.entries.get(key)
    }

    /// A number that may be absent, at most `max`. llama.cpp insists on the type, too.
    fn u32(&self, key: &str, max: u32) -> Result<Option<u32>, GgufError> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::U32(n)) if *n <= max => Ok(Some(*n)),
            Some(Value::U32(n)) => Err(corrupt(format!("`{}` is {n}, more than any model has", shown(key)))),
            Some(_) => Err(corrupt(format!("`{}` is not a 32-bit number", shown(key)))),
        }
    }

    /// A number that must be there and not be zero.
    fn positive(&self, key: &str, max: u32) -> Result<u32, GgufError> {
        match self.u32(key, max)? {
            Some(0) => Err(corrupt(format!("`{}` is 0", shown(key)))),
            Some(n) => Ok(n),
            None => Err(corrupt(format!("`{}` is missing", shown(key)))),
        }
    }

    /// One number a layer, given as an array or as one number for all.
    fn by_layer(&self, key: &str, n_layer: u32, max: u32) -> Result<Option<Vec<u32>>, GgufError> {
        match self.get(key) {
            Some(Value::Integers(items)) if items.len() == n_layer as usize => items
                .iter()
                .map(|item| item.filter(|n| *n <= max))
                .collect::<Option<Vec<u32>>>()
                .map(Some)
                .ok_or_else(|| corrupt(format!("`{}` has an impossible entry", shown(key)))),
            Some(Value::Integers(items)) => {
                Err(corrupt(format!("`{}` has {} entries for {n_layer} layers", shown(key), items.len())))
            }
            Some(Value::OtherArray(_)) => Err(corrupt(format!("`{}` is not a list of numbers", shown(key)))),
            _ => Ok(self.u32(key, max)?.map(|n| vec![n; n_layer as usize])),
        }
    }

    /// A text that may be absent, fit to be shown.
    fn label(&self, key: &str) -> Result<Option<String>, GgufError> {
        match self.get(key) {
            None | Some(Value::LongString(_)) => Ok(None),
            Some(Value::String(bytes)) => Ok(Some(clean(&String::from_utf8_lossy(bytes))).filter(|s| !s.is_empty())),
            Some(_) => Err(corrupt(format!("`{}` is not a text", shown(key)))),
        }
    }
}

/// One line without characters that control a terminal or turn the direction of text.
fn clean(text: &str) -> String {
    let visible = |c: &char| {
        !c.is_control()
            && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    text.chars().filter(visible).take(MAX_LABEL).collect::<String>().trim().to_owned()
}

fn describe(gguf: &Gguf, stem: &str) -> Result<ModelHeader, GgufError> {
    let metadata = Metadata(gguf);
    if let Some(Value::U16(parts @ 2..)) = metadata.get("split.count") {
        let part = match metadata.get("split.no") {
            Some(Value::U16(n)) => u32::from(*n) + 1,
            _ => 1,
        };
        return Err(GgufError::Split { part, parts: u32::from(*parts) });
    }
    if let Some(kind) = metadata.label("general.type")?.filter(|kind| kind != "model") {
        return Err(GgufError::NotAModel(match kind.as_str() {
            "adapter" => "an adapter (LoRA)".into(),
            "mmproj" => "an image or audio encoder".into(),
            "imatrix" => "an importance matrix".into(),
            other => format!("“{}”", shown(other)),
        }));
    }
    let architecture = match metadata.get("general.architecture") {
        Some(Value::String(bytes)) => std::str::from_utf8(bytes).ok().filter(|name| !name.is_empty()),
        _ => None,
    };
    let architecture = architecture.ok_or_else(|| corrupt("`general.architecture` is missing or no text".into()))?;
    if architecture == "clip" {
        return Err(GgufError::NotAModel("an image or audio encoder".into()));
    }
    if KNOWN_ARCHITECTURES.binary_search(&architecture).is_err() {
        return Err(GgufError::UnknownArchitecture(shown(architecture)));
    }
    if gguf.bytes_by_type.is_empty() {
        return Err(GgufError::NotAModel("a vocabulary without weights".into()));
    }

    let key = |name: &str| format!("{architecture}.{name}");
    let n_layer = metadata.positive(&key("block_count"), MAX_LAYERS)?;
    let n_embd = metadata.positive(&key("embedding_length"), MAX_WIDTH)?;
    let n_ctx_train = metadata.positive(&key("context_length"), MAX_CONTEXT)?;
    // Recurrent architectures have no heads; hybrid ones have none in some layers.
    let heads = metadata
        .by_layer(&key("attention.head_count"), n_layer, MAX_HEADS)?
        .unwrap_or_else(|| vec![0; n_layer as usize]);
    let n_head = heads.iter().copied().max().unwrap_or(0);
    let n_head_kv = metadata.by_layer(&key("attention.head_count_kv"), n_layer, MAX_HEADS)?.unwrap_or(heads);
    if let Some(n) = n_head_kv.iter().find(|n| **n > n_head) {
        return Err(corrupt(format!("it has {n} key/value heads for {n_head} heads")));
    }
    let head_dim = n_embd.checked_div(n_head).unwrap_or(0);
    let head_dim_k = metadata.u32(&key("attention.key_length"), MAX_WIDTH)?.unwrap_or(head_dim);
    let head_dim_v = metadata.u32(&key("attention.value_length"), MAX_WIDTH)?.unwrap_or(head_dim);
    let sliding_window = metadata.u32(&key("attention.sliding_window"), u32::MAX)?.filter(|n| *n > 0);

    // A short vocabulary may look like a list of numbers only to a file that is broken; llama.cpp finds that out.
    let n_vocab = match metadata.get("tokenizer.ggml.tokens") {
        Some(Value::OtherArray(n)) => *n,
        _ => match metadata.u32(&key("vocab_size"), u32::MAX)? {
            Some(n) => u64::from(n),
            None => gguf.embedding_rows.ok_or_else(|| corrupt("it has no vocabulary".into()))?,
        },
    };
    let n_vocab = u32::try_from(n_vocab.min(MAX_VOCABULARY + 1)).unwrap_or(u32::MAX);
    if n_vocab == 0 || u64::from(n_vocab) > MAX_VOCABULARY {
        return Err(corrupt("the size of its vocabulary is impossible".into()));
    }

    Ok(ModelHeader {
        architecture: architecture.to_owned(),
        name: metadata.label("general.name")?.unwrap_or_else(|| clean(stem)),
        quantization: quantization(metadata.u32("general.file_type", u32::MAX)?, &gguf.bytes_by_type).to_owned(),
        license: metadata.label("general.license")?,
        n_params: gguf.elements,
        tensor_bytes: gguf.bytes_by_type.iter().map(|(_, bytes)| bytes).sum(),
        n_ctx_train,
        n_layer,
        n_embd,
        n_head,
        n_head_kv,
        head_dim_k,
        head_dim_v,
        sliding_window,
        n_vocab,
        has_chat_template: match metadata.get(TEMPLATE_KEY) {
            None => false,
            Some(Value::String(bytes)) => !bytes.is_empty(),
            Some(Value::LongString(_)) => true,
            Some(_) => return Err(corrupt("its chat template is no text".into())),
        },
        parts: 1,
        ..ModelHeader::default()
    })
}
