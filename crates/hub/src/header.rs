//! From a GGUF file to what the project wants to know about a model.

use crate::architectures::KNOWN_ARCHITECTURES;
use crate::error::{FileError, GgufError};
use crate::gguf::{Gguf, Start, TEMPLATE_KEY, Value, parse, parse_start, shown};
use crate::split::{MAX_PARTS, PartName};
use crate::tensor_type::{TensorType, quantization, recipe};
use pocketbench_domain::model::{ModelHeader, TensorTypeBytes};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// llama.cpp's `LLAMA_MAX_LAYERS`.
pub(crate) const MAX_LAYERS: u32 = 512;
/// Beyond any model; keeps what is computed from these numbers within 64 bits.
pub(crate) const MAX_CONTEXT: u32 = 1 << 30;
pub(crate) const MAX_WIDTH: u32 = 1 << 20;
pub(crate) const MAX_HEADS: u32 = 1 << 16;
const MAX_EXPERTS: u32 = 1 << 16;
pub(crate) const MAX_VOCABULARY: u64 = 1 << 24;
/// Characters of a name or licence that are kept.
const MAX_LABEL: usize = 120;

/// Most of a file's start that is read before a download.
pub const START_LIMIT: u64 = 1 << 20;

/// Reads the header of a model file and checks that the file is well-formed, complete and a language model that
/// llama.cpp knows. The weights themselves are not read. Of a split model, the path is that of its first part; all parts
/// must lie beside it, and each is judged.
///
/// Takes milliseconds, but touches the disk: not for an async task's own thread.
pub fn read_header(path: &Path) -> Result<ModelHeader, GgufError> {
    read_header_at(path, &Path::to_path_buf)
}

/// The same for files that will have their names only later: `lies` says where the file of a name is now.
pub(crate) fn read_header_at(path: &Path, lies: &dyn Fn(&Path) -> PathBuf) -> Result<ModelHeader, GgufError> {
    let mut gguf = read_file(&lies(path))?;
    let name = PartName::of_path(path);
    let stem = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    let Some(split) = Split::of(&gguf)? else {
        return match name {
            Some(name) => Err(GgufError::PartName(format!(
                "the file is named as part {} of {}, but holds a model on its own",
                name.part, name.parts
            ))),
            None => describe(&Metadata { gguf: &gguf, start: None }, &stem),
        };
    };
    if split.no != 0 {
        let first = name.filter(|name| name.parts == split.count).map(|name| name.file_name(1));
        return Err(GgufError::Split { part: split.no + 1, parts: split.count, first });
    }
    let name = name.filter(|name| name.part == 1 && name.parts == split.count).ok_or_else(|| {
        GgufError::PartName(format!("the file is part 1 of {}, but its name does not say so", split.count))
    })?;
    join_parts(&mut gguf, &|part| lies(&path.with_file_name(name.file_name(part))), &name, split)?;
    let stem = name.prefix().to_owned();
    Ok(ModelHeader { parts: split.count, ..describe(&Metadata { gguf: &gguf, start: None }, &stem)? })
}

/// Reads a header from any source of `size` bytes; `stem` names the model where the header does not. A part of a split
/// model is refused.
pub fn read_header_from<R: Read + Seek>(source: R, size: u64, stem: &str) -> Result<ModelHeader, GgufError> {
    let gguf = parse(source, size)?;
    match Split::of(&gguf)? {
        Some(split) => Err(GgufError::Split { part: split.no + 1, parts: split.count, first: None }),
        None => describe(&Metadata { gguf: &gguf, start: None }, stem),
    }
}

/// What the first bytes of a file tell.
#[derive(Debug, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "made a few times for a file, and moved once")]
pub enum HeaderStart {
    /// Nothing yet: the start must have this many bytes.
    NeedMore(u64),
    /// The model.
    Header {
        /// As far as it is known.
        header: ModelHeader,
        /// Whether the whole header was read. If not, sizes are worked out from the file's size and its recipe, a chat
        /// template was not seen, and number of weights and tied embeddings are estimates.
        complete: bool,
    },
}

/// Describes a model from the first bytes of its file, before the rest is downloaded. `file_bytes` is the size of the
/// whole file, or of all parts of a split model together, whose first part `start` belongs to.
///
/// Headers have several megabytes where the vocabulary is large, and no more than [`START_LIMIT`] is asked for. By then
/// the format's habit has shown all that decides memory but the list of tensors.
pub fn read_header_start(start: &[u8], file_bytes: u64, stem: &str) -> Result<HeaderStart, GgufError> {
    if !b"GGUF".starts_with(&start[..start.len().min(4)]) {
        return Err(GgufError::NotGguf { looks_like: looks_like(&start[..start.len().min(512)]) });
    }
    let Start { gguf, needs } = parse_start(start, file_bytes)?;
    let here = start.len() as u64;
    if let Some(needs) = needs.filter(|needs| *needs <= START_LIMIT && here < START_LIMIT) {
        // In a few steps, not one for each entry.
        return Ok(HeaderStart::NeedMore(needs.max(here.saturating_mul(2)).min(START_LIMIT).min(file_bytes)));
    }
    let split = Split::of(&gguf)?;
    if let Some(split) = split.filter(|split| split.no != 0) {
        let first = PartName::of(&format!("{stem}.gguf")).map(|name| name.file_name(1));
        return Err(GgufError::Split { part: split.no + 1, parts: split.count, first });
    }
    let stem = PartName::of(&format!("{stem}.gguf")).map_or(stem.to_owned(), |name| name.prefix().to_owned());
    // The first part of a split model lists its own tensors only.
    let complete = needs.is_none() && split.is_none();
    let rest = (!complete).then(|| file_bytes.saturating_sub(needs.unwrap_or(here).max(here)));
    let header = describe(&Metadata { gguf: &gguf, start: rest }, &stem)?;
    Ok(HeaderStart::Header { header: ModelHeader { parts: split.map_or(1, |split| split.count), ..header }, complete })
}

/// Reads the header of one file.
fn read_file(path: &Path) -> Result<Gguf, GgufError> {
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
    parse(file, size)
}

/// What a header says of the model's being split.
#[derive(Debug, Clone, Copy)]
struct Split {
    /// From 0.
    no: u32,
    /// At least 2.
    count: u32,
}

impl Split {
    fn of(gguf: &Gguf) -> Result<Option<Self>, GgufError> {
        let number = |key: &str| match gguf.entries.get(key) {
            None => Ok(None),
            Some(Value::U16(n)) => Ok(Some(u32::from(*n))),
            Some(_) => Err(corrupt(format!("`{key}` is not a 16-bit number"))),
        };
        let Some(count) = number("split.count")?.filter(|count| *count >= 2) else { return Ok(None) };
        if count > MAX_PARTS {
            return Err(corrupt(format!("it is split over {count} files, more than any model")));
        }
        // llama.cpp takes a part that does not say for the first one.
        let no = number("split.no")?.unwrap_or(0);
        if no >= count {
            return Err(corrupt(format!("it is part {} of {count}", no + 1)));
        }
        Ok(Some(Self { no, count }))
    }
}

/// Adds the tensors of the other parts to those of the first.
fn join_parts(gguf: &mut Gguf, lies: &dyn Fn(u32) -> PathBuf, name: &PartName, split: Split) -> Result<(), GgufError> {
    let expected = match gguf.entries.get("split.tensors.count") {
        Some(Value::I32(n)) => u64::try_from(*n).unwrap_or(0),
        _ => return Err(corrupt("`split.tensors.count` is missing or no 32-bit number".into())),
    };
    for part in 2..=split.count {
        let file_name = name.file_name(part);
        let wrong = |error: GgufError| match error {
            GgufError::File(FileError::NotFound(_)) => {
                GgufError::PartMissing { part, parts: split.count, file_name: file_name.clone() }
            }
            error => GgufError::Part { file_name: file_name.clone(), error: Box::new(error) },
        };
        let other = read_file(&lies(part)).map_err(wrong)?;
        let place = Split::of(&other).map_err(wrong)?;
        if !place.is_some_and(|place| place.no + 1 == part && place.count == split.count) {
            return Err(wrong(corrupt(format!("it should be part {part} of {} and is not", split.count))));
        }
        // Parts repeat little of the metadata, but what they repeat must agree.
        for key in ["general.architecture", "split.tensors.count"] {
            let said = other.entries.get(key);
            if said.is_some() && said != gguf.entries.get(key) {
                return Err(wrong(corrupt(format!("its `{key}` is not that of the first part"))));
            }
        }
        gguf.join(other)
            .map_err(|twice| wrong(corrupt(format!("the tensor `{}` is in an earlier part, too", shown(&twice)))))?;
    }
    if gguf.n_tensors != expected {
        return Err(corrupt(format!("its parts hold {} tensors and should hold {expected}", gguf.n_tensors)));
    }
    Ok(())
}

/// What a file that is not GGUF seems to be, for the message.
pub(crate) fn looks_like(start: &[u8]) -> String {
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
struct Metadata<'a> {
    gguf: &'a Gguf,
    /// Where only the start of a file was read: bytes of the file that may be tensors.
    start: Option<u64>,
}

fn corrupt(problem: String) -> GgufError {
    // The values were read long ago; their place is no longer known.
    GgufError::Corrupt { problem, offset: 0 }
}

impl Metadata<'_> {
    fn get(&self, key: &str) -> Option<&Value> {
        self.gguf.entries.get(key)
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
            None => Err(self.missing(key)),
        }
    }

    fn missing(&self, key: &str) -> GgufError {
        match self.start {
            None => corrupt(format!("`{}` is missing", shown(key))),
            Some(_) => GgufError::NotAtStart { key: shown(key), read: START_LIMIT },
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

fn describe(metadata: &Metadata<'_>, stem: &str) -> Result<ModelHeader, GgufError> {
    let gguf = metadata.gguf;
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
    let architecture = match (architecture, metadata.start) {
        (Some(architecture), _) => architecture,
        (None, Some(_)) => return Err(metadata.missing("general.architecture")),
        (None, None) => return Err(corrupt("`general.architecture` is missing or no text".into())),
    };
    if architecture == "clip" {
        return Err(GgufError::NotAModel("an image or audio encoder".into()));
    }
    if KNOWN_ARCHITECTURES.binary_search(&architecture).is_err() {
        return Err(GgufError::UnknownArchitecture(shown(architecture)));
    }
    // The first part of a split model need not hold tensors itself.
    if gguf.n_tensors == 0 && (metadata.start.is_none() || Split::of(gguf)?.is_none()) {
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

    let (n_vocab, n_merges) = vocabulary(metadata, architecture)?;
    let n_ff = metadata.by_layer(&key("feed_forward_length"), n_layer, MAX_WIDTH)?.unwrap_or_default();
    let n_expert = metadata.u32(&key("expert_count"), MAX_EXPERTS)?.unwrap_or(0);
    let n_expert_used = metadata.u32(&key("expert_used_count"), MAX_EXPERTS)?.unwrap_or(0);
    if n_expert_used > n_expert {
        return Err(corrupt(format!("{n_expert_used} of its {n_expert} experts work on a token")));
    }

    let file_type = metadata.u32("general.file_type", u32::MAX)?;
    let weights = match metadata.start {
        None => Weights::read(gguf, file_type),
        Some(tensor_bytes) => Weights::guessed(tensor_bytes, recipe(file_type, stem), n_vocab, n_embd),
    };
    let tensor_bytes =
        weights.types.iter().fold(0, |sum: u64, t| sum.saturating_add(t.bytes)).max(weights.tensor_bytes);
    Ok(ModelHeader {
        architecture: architecture.to_owned(),
        name: metadata.label("general.name")?.unwrap_or_else(|| clean(stem)),
        quantization: weights.quantization.to_owned(),
        license: metadata.label("general.license")?,
        n_params: weights.n_params,
        tensor_bytes,
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
        n_ff: n_ff.into_iter().max().unwrap_or(0),
        n_merges,
        parts: 1,
        tensor_types: weights.types,
        embedding_bytes: weights.embedding_bytes,
        embedding_type: weights.embedding_type.to_owned(),
        tied_embeddings: weights.tied,
        n_expert,
        n_expert_used,
        // Of a start, the tensors' places were not held against the file's size.
        expert_bytes: gguf.expert_bytes.min(tensor_bytes),
    })
}

/// Entries of the vocabulary, and merges.
fn vocabulary(metadata: &Metadata<'_>, architecture: &str) -> Result<(u32, u32), GgufError> {
    // A short vocabulary may look like a list of numbers only to a file that is broken; llama.cpp finds that out.
    let n_vocab = match metadata.get("tokenizer.ggml.tokens") {
        Some(Value::OtherArray(n)) => *n,
        _ => match metadata.u32(&format!("{architecture}.vocab_size"), u32::MAX)? {
            Some(n) => u64::from(n),
            None => match (metadata.gguf.embedding, metadata.start) {
                (Some(embedding), _) => embedding.rows,
                (None, Some(_)) => return Err(metadata.missing("tokenizer.ggml.tokens")),
                (None, None) => return Err(corrupt("it has no vocabulary".into())),
            },
        },
    };
    let n_vocab = u32::try_from(n_vocab.min(MAX_VOCABULARY + 1)).unwrap_or(u32::MAX);
    if n_vocab == 0 || u64::from(n_vocab) > MAX_VOCABULARY {
        return Err(corrupt("the size of its vocabulary is impossible".into()));
    }
    let n_merges = match (metadata.get("tokenizer.ggml.merges"), metadata.get("tokenizer.ggml.model")) {
        (Some(Value::OtherArray(n)), _) => u32::try_from(*n.min(&MAX_VOCABULARY)).unwrap_or(u32::MAX),
        // Merges come after the vocabulary, and there is about one an entry.
        (None, Some(Value::String(model))) if model == b"gpt2" && metadata.start.is_some() => n_vocab,
        _ => 0,
    };
    Ok((n_vocab, n_merges))
}

/// What a file's weights amount to.
struct Weights {
    quantization: &'static str,
    n_params: u64,
    tensor_bytes: u64,
    types: Vec<TensorTypeBytes>,
    embedding_bytes: u64,
    embedding_type: &'static str,
    tied: bool,
}

impl Weights {
    /// From the list of its tensors.
    fn read(gguf: &Gguf, file_type: Option<u32>) -> Self {
        let tied = gguf.tied();
        let mut types: Vec<_> = gguf.types.iter().map(|t| (t.format, t.bytes, t.matrix_bytes)).collect();
        if let Some(embedding) = gguf.embedding.filter(|e| tied && e.rows.is_multiple_of(8)) {
            for (_, _, matrix_bytes) in types.iter_mut().filter(|(format, ..)| *format == embedding.format) {
                *matrix_bytes = matrix_bytes.saturating_add(embedding.bytes);
            }
        }
        types.sort_by_key(|(_, bytes, _)| std::cmp::Reverse(*bytes));
        Self {
            quantization: quantization(file_type, &gguf.types),
            n_params: gguf.elements,
            tensor_bytes: 0,
            types: types
                .into_iter()
                .map(|(format, bytes, matrix_bytes)| TensorTypeBytes { name: format.name.into(), bytes, matrix_bytes })
                .collect(),
            embedding_bytes: gguf.embedding.map_or(0, |e| e.bytes),
            embedding_type: gguf.embedding.map_or("", |e| e.format.name),
            tied,
        }
    }

    /// From the size of its file, as if all of it had the main format of its recipe.
    fn guessed(
        tensor_bytes: u64,
        recipe: Option<(&'static str, &'static TensorType)>,
        n_vocab: u32,
        n_embd: u32,
    ) -> Self {
        let Some((quantization, format)) = recipe else {
            return Self {
                quantization: "unknown",
                n_params: 0,
                tensor_bytes,
                types: Vec::new(),
                embedding_bytes: 0,
                embedding_type: "",
                tied: false,
            };
        };
        let row = u64::from(n_embd).div_ceil(format.block) * format.bytes;
        let embedding_bytes = (u64::from(n_vocab) * row).min(tensor_bytes);
        let matrix_bytes = tensor_bytes - embedding_bytes;
        Self {
            quantization,
            n_params: (tensor_bytes / format.bytes).saturating_mul(format.block),
            tensor_bytes,
            types: vec![TensorTypeBytes { name: format.name.into(), bytes: tensor_bytes, matrix_bytes }],
            embedding_bytes,
            embedding_type: format.name,
            tied: false,
        }
    }
}

#[cfg(test)]
#[path = "../tests/common/mod.rs"]
mod common;

#[cfg(test)]
mod tests {
    use super::common::{Gguf, array_value, raw_value, string_array, string_value, u16_value, u32_value};
    use super::*;
    use std::io;

    fn start(bytes: &[u8], file_bytes: u64) -> HeaderStart {
        read_header_start(bytes, file_bytes, "some-model-Q4_0").unwrap()
    }

    /// A tokenizer of this many entries, before the rest of the metadata that decides nothing.
    fn large(n: usize) -> Gguf {
        let tokens: Vec<String> = (0..n).map(|i| format!("t{i}")).collect();
        let tokens: Vec<&str> = tokens.iter().map(String::as_str).collect();
        Gguf::tiny()
            .without("tokenizer.chat_template")
            .with("tokenizer.ggml.model", string_value("gpt2"))
            .without("tokenizer.ggml.tokens")
            .without("tokenizer.ggml.scores")
            .with("tokenizer.ggml.tokens", string_array(&tokens))
            .with("tokenizer.ggml.scores", array_value(6, n as u64, &vec![0; 4 * n]))
            .with("tokenizer.chat_template", string_value("{{ messages }}"))
    }

    #[test]
    fn a_start_that_holds_the_whole_header_says_what_the_file_says() {
        let bytes = Gguf::tiny().bytes();
        let (size, header) = (bytes.len() as u64, Gguf::tiny().header());
        let whole = read_header_from(io::Cursor::new(&bytes), size, "x").unwrap();
        assert_eq!(start(&header, size), HeaderStart::Header { header: whole.clone(), complete: true });
        assert_eq!(start(&bytes, size), HeaderStart::Header { header: whole.clone(), complete: true });
        // From nothing to everything in a few steps, whatever is fetched first.
        for first in [0, 1, 7, 24, 100, 500] {
            let (mut n, mut steps) = (first, 0);
            loop {
                match start(&bytes[..n], size) {
                    HeaderStart::NeedMore(more) => {
                        assert!(more > n as u64 && more <= size, "{more} after {n}");
                        n = usize::try_from(more).unwrap();
                    }
                    HeaderStart::Header { header, complete } => {
                        assert_eq!((header, complete), (whole.clone(), true));
                        break;
                    }
                }
                steps += 1;
                assert!(steps < 20);
            }
        }
    }

    #[test]
    fn a_large_vocabulary_is_not_fetched() {
        let gguf = large(100_000);
        let header = gguf.header();
        assert!(header.len() > 1 << 20);
        let file_bytes = 5_000_000_000;
        // 64 kB show that the vocabulary goes on beyond what is fetched.
        let HeaderStart::Header { header, complete } = start(&header[..1 << 16], file_bytes) else {
            panic!("more is asked for")
        };
        assert!(!complete && !header.has_chat_template);
        assert_eq!((header.n_vocab, header.n_layer, header.n_embd, header.parts), (100_000, 2, 64, 1));
        assert_eq!((header.n_head_kv.as_slice(), header.quantization.as_str()), (&[2, 2][..], "Q4_0"));
        assert_eq!((header.n_merges, header.embedding_bytes), (100_000, 100_000 * 2 * 18));
        assert!((file_bytes - (4 << 20)..file_bytes).contains(&header.tensor_bytes), "{}", header.tensor_bytes);
        let [types] = &header.tensor_types[..] else { panic!("{:?}", header.tensor_types) };
        assert_eq!((types.name.as_str(), types.bytes), ("Q4_0", header.tensor_bytes));
        assert_eq!(types.matrix_bytes, header.tensor_bytes - header.embedding_bytes);
        assert!(header.n_params.abs_diff(file_bytes / 18 * 32) < file_bytes / 100);
    }

    #[test]
    fn no_more_than_a_mebibyte_is_asked_for() {
        for n in [1_000, 20_000, 40_000, 60_000, 100_000, 200_000] {
            let bytes = large(n).bytes();
            let mut here = 0;
            let complete = loop {
                match start(&bytes[..here], bytes.len() as u64) {
                    HeaderStart::NeedMore(more) => here = usize::try_from(more).unwrap(),
                    HeaderStart::Header { complete, header } => {
                        assert_eq!(header.n_vocab as usize, n);
                        break complete;
                    }
                }
            };
            assert!(here <= 1 << 20);
            assert_eq!(complete, large(n).header().len() <= 1 << 20, "{n}");
        }
    }

    #[test]
    fn what_comes_too_late_is_named() {
        let mut late = large(100_000);
        let place = late.entries.iter().position(|(key, _)| key == "llama.block_count").unwrap();
        let entry = late.entries.remove(place);
        late.entries.push(entry);
        let error = read_header_start(&late.header()[..1 << 20], 1 << 30, "m").unwrap_err();
        let GgufError::NotAtStart { key, .. } = &error else { panic!("{error:?}") };
        assert_eq!(key, "llama.block_count");
        let report = pocketbench_domain::ErrorReport::from(error);
        assert!(report.message.contains("llama.block_count") && report.hint.is_some(), "{report:?}");

        let filler = array_value(0, 2 << 20, &vec![0; 2 << 20]);
        let mut gguf = Gguf::tiny();
        gguf.entries.insert(0, ("x".into(), filler));
        let error = read_header_start(&gguf.header()[..1 << 16], 1 << 30, "m").unwrap_err();
        assert!(matches!(&error, GgufError::NotAtStart { key, .. } if key == "general.architecture"), "{error:?}");
    }

    #[test]
    fn a_start_is_judged_as_strictly_as_a_file() {
        assert!(matches!(read_header_start(b"<!DOCTYPE html>", 99, "m"), Err(GgufError::NotGguf { .. })));
        let bad = Gguf::tiny().with("x", raw_value(13, &[0; 8])).header();
        assert!(matches!(read_header_start(&bad, 1 << 30, "m"), Err(GgufError::Corrupt { .. })));
        let header = Gguf::tiny().header();
        let error = read_header_start(&header, header.len() as u64, "m").unwrap_err();
        assert!(matches!(error, GgufError::Truncated { .. }), "the file is too small for its tensors: {error:?}");
        let mut empty = Gguf::tiny();
        empty.tensors.clear();
        assert!(matches!(read_header_start(&empty.header(), 1 << 30, "m"), Err(GgufError::NotAModel(_))));
    }

    #[test]
    fn the_first_part_of_a_split_model_stands_for_all() {
        let gguf = Gguf::tiny().with("split.count", u16_value(3)).with("split.no", u16_value(0));
        let stem = "Big-Q4_0-00001-of-00003";
        for tensors in [gguf.tensors.clone(), Vec::new()] {
            let part = Gguf { tensors, ..gguf.clone() }.without("general.name").without("general.file_type");
            let HeaderStart::Header { header, complete } = read_header_start(&part.header(), 1 << 32, stem).unwrap()
            else {
                panic!("more is asked for")
            };
            assert!(!complete);
            assert_eq!((header.parts, header.name.as_str(), header.quantization.as_str()), (3, "Big-Q4_0", "Q4_0"));
            assert!(header.tensor_bytes > (1 << 32) - (1 << 16));
        }
        let second = gguf.with("split.no", u16_value(1)).with("llama.block_count", u32_value(2));
        let error = read_header_start(&second.header(), 1 << 32, "Big-Q4_0-00002-of-00003").unwrap_err();
        let GgufError::Split { part: 2, parts: 3, first: Some(first) } = error else { panic!("{error:?}") };
        assert_eq!(first, "Big-Q4_0-00001-of-00003.gguf");
    }
}
