//! The GGUF container: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>, versions 2 and 3.
//!
//! As strict as the format is and llama.cpp's own reader: what passes here is well-formed. Reads the header only, keeps
//! little of it, and bounds what it keeps, however large the numbers in the file are.

use crate::error::GgufError;
use crate::tensor_type::{TensorType, tensor_type};
use std::collections::{HashMap, HashSet};
use std::io::{self, BufReader, Read, Seek};

/// No header is larger. Vocabulary and merges of the largest tokenizers take some 30 MB.
const MAX_HEADER_BYTES: u64 = 256 << 20;
/// Most memory that the contents of a header may take here.
const MAX_KEPT_BYTES: u64 = 64 << 20;
/// Metadata entries; models have some dozens.
const MAX_ENTRIES: u64 = 1 << 16;
/// Tensors; models have some hundreds or thousands.
const MAX_TENSORS: u64 = 1 << 18;
/// Length of a key, fixed by the format.
const MAX_KEY_BYTES: u64 = (1 << 16) - 1;
/// Longer strings are skipped: nothing of interest is as long.
const MAX_KEPT_STRING: u64 = 1 << 16;
/// Longer arrays are skipped. The arrays of interest have one entry a layer.
const MAX_KEPT_ARRAY: u64 = 1 << 12;
/// A chat template is a page of text. One of a megabyte is an attack on whoever renders it.
const MAX_TEMPLATE_BYTES: u64 = 1 << 20;
/// `GGML_MAX_NAME` less the terminating zero.
const MAX_TENSOR_NAME: u64 = 63;
/// `GGML_MAX_DIMS`.
const MAX_DIMENSIONS: u32 = 4;

pub(crate) const TEMPLATE_KEY: &str = "tokenizer.chat_template";
const ALIGNMENT_KEY: &str = "general.alignment";
const EMBEDDING: &str = "token_embd.weight";
const OUTPUT: &str = "output.weight";

/// A metadata value, as far as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    /// `uint32`.
    U32(u32),
    /// `uint16`.
    U16(u16),
    /// `int32`.
    I32(i32),
    /// Any other number or boolean; no key of interest has one.
    OtherScalar,
    /// A string.
    String(Vec<u8>),
    /// A string that is too long to keep.
    LongString(u64),
    /// A short array of `uint32` or `int32`; negative entries become none.
    Integers(Vec<Option<u32>>),
    /// Any other array.
    OtherArray(u64),
}

/// Bytes of all tensors of one number format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TypeBytes {
    /// The format.
    pub(crate) format: &'static TensorType,
    /// All of them.
    pub(crate) bytes: u64,
    /// Matrices of the layers and the output matrix whose rows come in eights: those that llama.cpp may repack.
    pub(crate) matrix_bytes: u64,
}

/// `token_embd.weight`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Embedding {
    /// One a token.
    pub(crate) rows: u64,
    /// All of it.
    pub(crate) bytes: u64,
    /// Its number format.
    pub(crate) format: &'static TensorType,
}

/// What a file holds.
#[derive(Debug, Default)]
pub(crate) struct Gguf {
    /// Metadata.
    pub(crate) entries: HashMap<String, Value>,
    /// Tensors that the file says it has.
    pub(crate) n_tensors: u64,
    /// Names of the tensors.
    pub(crate) names: HashSet<String>,
    /// Number of weights over all tensors.
    pub(crate) elements: u64,
    /// Bytes by number format.
    pub(crate) types: Vec<TypeBytes>,
    /// Token embeddings.
    pub(crate) embedding: Option<Embedding>,
    /// Bytes of all experts' tensors.
    pub(crate) expert_bytes: u64,
}

/// What the start of a file holds.
#[derive(Debug)]
pub(crate) struct Start {
    /// As far as it was read.
    pub(crate) gguf: Gguf,
    /// At least this many bytes are needed to read on; `None` if the header is complete.
    pub(crate) needs: Option<u64>,
}

/// Reads forward and never past the end of the file or the limits.
struct Cursor<R> {
    inner: BufReader<R>,
    at: u64,
    size: u64,
    /// Bytes that are here: the file's size, or less where only its start is.
    here: u64,
    /// Set when reading stopped because more bytes must be fetched: how many there must be at least.
    needs: Option<u64>,
    kept: u64,
}

fn align(offset: u64, alignment: u64) -> Option<u64> {
    offset.checked_next_multiple_of(alignment)
}

impl<R: Read + Seek> Cursor<R> {
    fn new(inner: R, size: u64, here: u64) -> Self {
        Self { inner: BufReader::with_capacity(1 << 16, inner), at: 0, size, here, needs: None, kept: 0 }
    }

    fn corrupt(&self, problem: impl Into<String>) -> GgufError {
        GgufError::Corrupt { problem: problem.into(), offset: self.at }
    }

    fn truncated(&self, needed: u64) -> GgufError {
        GgufError::Truncated { what: "its header goes on at least to byte", needed, file_bytes: self.size }
    }

    /// Makes sure that `n` more bytes can belong to the header.
    fn expect(&mut self, n: u64) -> Result<(), GgufError> {
        match self.at.checked_add(n) {
            Some(end) if end > MAX_HEADER_BYTES => {
                Err(self.corrupt(format!("its header would be larger than {MAX_HEADER_BYTES} bytes")))
            }
            Some(end) if end > self.size => Err(self.truncated(end)),
            Some(end) if end > self.here => {
                self.needs = Some(end);
                Err(self.truncated(end))
            }
            Some(_) => Ok(()),
            None => Err(self.corrupt("a length in its header is absurd")),
        }
    }

    /// As [`Self::expect`] for what must fit into the file, here or not.
    fn expect_all(&mut self, n: u64) -> Result<(), GgufError> {
        let here = std::mem::replace(&mut self.here, self.size);
        let result = self.expect(n);
        self.here = here;
        result
    }

    /// Where an array of `n` texts was cut after `read` of them: it needs about as much for each of the others.
    fn go_on_like(&mut self, first: u64, read: u64, n: u64) {
        if let Some(needs) = &mut self.needs {
            let so_far = u128::from(self.at - first);
            let whole = (so_far * u128::from(n)).checked_div(u128::from(read)).unwrap_or(u128::from(n) * 8);
            let end = u128::from(first) + whole.max(u128::from(n) * 8);
            *needs = (*needs).max(u64::try_from(end).unwrap_or(u64::MAX));
        }
    }

    fn io(&self, error: &io::Error, n: u64) -> GgufError {
        if error.kind() == io::ErrorKind::UnexpectedEof {
            // It was shortened while it was read.
            self.truncated(self.at + n)
        } else {
            self.corrupt(format!("it cannot be read: {error}"))
        }
    }

    /// Counts memory for what is about to be kept.
    fn keep(&mut self, n: u64) -> Result<(), GgufError> {
        // Beside its bytes each entry costs a place in a table.
        self.kept += n + 64;
        if self.kept > MAX_KEPT_BYTES { Err(self.corrupt("its header holds more than any model's")) } else { Ok(()) }
    }

    fn skip(&mut self, n: u64) -> Result<(), GgufError> {
        self.expect(n)?;
        // `expect` bounds n far below i64::MAX.
        self.inner.seek_relative(n.cast_signed()).map_err(|e| self.io(&e, n))?;
        self.at += n;
        Ok(())
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], GgufError> {
        self.expect(N as u64)?;
        let mut bytes = [0; N];
        self.inner.read_exact(&mut bytes).map_err(|e| self.io(&e, N as u64))?;
        self.at += N as u64;
        Ok(bytes)
    }

    fn u8(&mut self) -> Result<u8, GgufError> {
        self.bytes::<1>().map(|[byte]| byte)
    }
    fn u16(&mut self) -> Result<u16, GgufError> {
        self.bytes().map(u16::from_le_bytes)
    }
    fn u32(&mut self) -> Result<u32, GgufError> {
        self.bytes().map(u32::from_le_bytes)
    }
    fn u64(&mut self) -> Result<u64, GgufError> {
        self.bytes().map(u64::from_le_bytes)
    }

    /// The bytes of a string whose length was read and found acceptable.
    fn text(&mut self, n: u64) -> Result<Vec<u8>, GgufError> {
        self.expect(n)?;
        self.keep(n)?;
        let length = usize::try_from(n).map_err(|_| self.corrupt("a string in its header is too long"))?;
        let mut bytes = vec![0; length];
        self.inner.read_exact(&mut bytes).map_err(|e| self.io(&e, n))?;
        self.at += n;
        Ok(bytes)
    }

    /// A name: valid UTF-8, not empty, at most `max` bytes.
    fn name(&mut self, kind: &str, max: u64) -> Result<String, GgufError> {
        let n = self.u64()?;
        if n == 0 || n > max {
            return Err(self.corrupt(format!("the name of a {kind} has {n} bytes; 1 to {max} are allowed")));
        }
        let bytes = self.text(n)?;
        String::from_utf8(bytes).map_err(|_| self.corrupt(format!("the name of a {kind} is not UTF-8")))
    }
}

/// Size of a value of fixed size; `None` for strings, arrays and types that do not exist.
fn scalar_size(value_type: u32) -> Option<u64> {
    match value_type {
        0 | 1 | 7 => Some(1),
        2 | 3 => Some(2),
        4..=6 => Some(4),
        10..=12 => Some(8),
        _ => None,
    }
}

const U16: u32 = 2;
const U32: u32 = 4;
const I32: u32 = 5;
const BOOL: u32 = 7;
const STRING: u32 = 8;
const ARRAY: u32 = 9;

/// Reads the header of a GGUF file of `size` bytes.
pub(crate) fn parse<R: Read + Seek>(file: R, size: u64) -> Result<Gguf, GgufError> {
    let mut gguf = Gguf::default();
    read(&mut Cursor::new(file, size, size), &mut gguf)?;
    Ok(gguf)
}

/// Reads as much of a header as the first bytes of a file of `size` bytes hold. What is there is judged as strictly as in
/// [`parse`].
pub(crate) fn parse_start(start: &[u8], size: u64) -> Result<Start, GgufError> {
    let mut gguf = Gguf::default();
    let mut cursor = Cursor::new(io::Cursor::new(start), size, size.min(start.len() as u64));
    match read(&mut cursor, &mut gguf) {
        Ok(()) => Ok(Start { gguf, needs: None }),
        Err(_) if cursor.needs.is_some() => Ok(Start { gguf, needs: cursor.needs }),
        Err(error) => Err(error),
    }
}

fn read<R: Read + Seek>(cursor: &mut Cursor<R>, gguf: &mut Gguf) -> Result<(), GgufError> {
    if &cursor.bytes::<4>()? != b"GGUF" {
        return Err(GgufError::NotGguf { looks_like: "something else".into() });
    }
    match cursor.u32()? {
        2 | 3 => {}
        version if (1..=0xffff).contains(&version.swap_bytes()) => return Err(GgufError::BigEndian),
        version => return Err(GgufError::UnsupportedVersion(version)),
    }
    gguf.n_tensors = cursor.u64()?;
    let n_entries = cursor.u64()?;
    if gguf.n_tensors > MAX_TENSORS {
        return Err(cursor.corrupt(format!("it claims to have {} tensors", gguf.n_tensors)));
    }
    if n_entries > MAX_ENTRIES {
        return Err(cursor.corrupt(format!("it claims to have {n_entries} metadata entries")));
    }

    for _ in 0..n_entries {
        let key = cursor.name("metadata entry", MAX_KEY_BYTES)?;
        if gguf.entries.contains_key(&key) {
            return Err(cursor.corrupt(format!("the metadata entry `{}` is there twice", shown(&key))));
        }
        let mut items = None;
        let value = value(cursor, &key, &mut items);
        if let (Err(_), Some(_), Some(n)) = (&value, cursor.needs, items) {
            // The array goes on beyond what is here, but its count is known: that of the vocabulary, above all.
            gguf.entries.insert(key, Value::OtherArray(n));
            return value.map(|_| ());
        }
        gguf.entries.insert(key, value?);
    }
    let alignment = match gguf.entries.get(ALIGNMENT_KEY) {
        None => 32,
        // A multiple of 8 by the format, a power of two by llama.cpp.
        Some(Value::U32(n)) if n.is_power_of_two() && *n >= 8 => u64::from(*n),
        Some(Value::U32(n)) => {
            return Err(cursor.corrupt(format!("its alignment is {n}, and must be a power of two, 8 or more")));
        }
        Some(_) => return Err(cursor.corrupt("its alignment is not a 32-bit number")),
    };
    tensors(cursor, alignment, gguf)
}

/// `items` becomes the count of an array as soon as that is read.
fn value<R: Read + Seek>(cursor: &mut Cursor<R>, key: &str, items: &mut Option<u64>) -> Result<Value, GgufError> {
    let value_type = cursor.u32()?;
    match value_type {
        U32 => cursor.u32().map(Value::U32),
        U16 => cursor.u16().map(Value::U16),
        I32 => cursor.u32().map(|n| Value::I32(n.cast_signed())),
        BOOL => match cursor.u8()? {
            0 | 1 => Ok(Value::OtherScalar),
            other => Err(cursor.corrupt(format!("`{}` is {other}, and must be true or false", shown(key)))),
        },
        STRING => {
            let n = cursor.u64()?;
            if key.starts_with(TEMPLATE_KEY) && n > MAX_TEMPLATE_BYTES {
                return Err(
                    cursor.corrupt(format!("its chat template has {n} bytes; {MAX_TEMPLATE_BYTES} are allowed"))
                );
            }
            if n > MAX_KEPT_STRING {
                cursor.skip(n)?;
                return Ok(Value::LongString(n));
            }
            cursor.text(n).map(Value::String)
        }
        ARRAY => array(cursor, key, items),
        other => match scalar_size(other) {
            Some(size) => cursor.skip(size).map(|()| Value::OtherScalar),
            None => Err(cursor.corrupt(format!("`{}` has the unknown type {other}", shown(key)))),
        },
    }
}

fn array<R: Read + Seek>(cursor: &mut Cursor<R>, key: &str, items: &mut Option<u64>) -> Result<Value, GgufError> {
    let item_type = cursor.u32()?;
    let n = cursor.u64()?;
    *items = Some(n);
    match (item_type, scalar_size(item_type)) {
        (U32 | I32, _) if n <= MAX_KEPT_ARRAY => {
            cursor.expect(n * 4)?;
            cursor.keep(n * 8)?;
            let mut items = Vec::new();
            for _ in 0..n {
                let item = cursor.u32()?;
                // A negative int32 and a uint32 above its range are equally absurd for what is read from arrays.
                items.push(i32::try_from(item).is_ok().then_some(item));
            }
            Ok(Value::Integers(items))
        }
        (_, Some(size)) => {
            let bytes = n.checked_mul(size).ok_or_else(|| cursor.corrupt(format!("`{}` has {n} items", shown(key))))?;
            cursor.skip(bytes)?;
            Ok(Value::OtherArray(n))
        }
        (STRING, _) => {
            // Each takes 8 bytes for its length at least: refuse an absurd count at once.
            cursor.expect_all(n.saturating_mul(8))?;
            let first = cursor.at;
            for i in 0..n {
                if let Err(error) = cursor.u64().and_then(|length| cursor.skip(length)) {
                    cursor.go_on_like(first, i, n);
                    return Err(error);
                }
            }
            Ok(Value::OtherArray(n))
        }
        (ARRAY, _) => {
            Err(cursor.corrupt(format!("`{}` is an array of arrays, which llama.cpp does not read", shown(key))))
        }
        (other, None) => Err(cursor.corrupt(format!("`{}` is an array of the unknown type {other}", shown(key)))),
    }
}

/// Reads the tensors' descriptions and checks that each lies where the format puts it: one after the other, aligned,
/// inside the file.
fn tensors<R: Read + Seek>(cursor: &mut Cursor<R>, alignment: u64, gguf: &mut Gguf) -> Result<(), GgufError> {
    // Where the next tensor starts and where the last one ends, from the start of the data.
    let mut next = 0u64;
    let mut end = 0u64;
    for _ in 0..gguf.n_tensors {
        let name = cursor.name("tensor", MAX_TENSOR_NAME)?;
        let wrong = |cursor: &Cursor<R>, what: String| cursor.corrupt(format!("the tensor `{}` {what}", shown(&name)));
        let n_dimensions = cursor.u32()?;
        if n_dimensions == 0 || n_dimensions > MAX_DIMENSIONS {
            return Err(wrong(cursor, format!("has {n_dimensions} dimensions; 1 to {MAX_DIMENSIONS} are allowed")));
        }
        let mut shape = Vec::new();
        for _ in 0..n_dimensions {
            shape.push(cursor.u64()?);
        }
        let type_id = cursor.u32()?;
        let offset = cursor.u64()?;

        let elements = shape.iter().try_fold(1u64, |product, n| product.checked_mul(*n));
        let Some(elements) = elements.filter(|n| *n > 0 && i64::try_from(*n).is_ok()) else {
            return Err(wrong(cursor, format!("has the impossible shape {shape:?}")));
        };
        let Some(format) = tensor_type(type_id) else {
            return Err(wrong(cursor, format!("has the unknown number format {type_id}")));
        };
        if !shape[0].is_multiple_of(format.block) {
            let (row, name, block) = (shape[0], format.name, format.block);
            return Err(wrong(cursor, format!("has rows of {row} values, and {name} comes in blocks of {block}")));
        }
        let size = (elements / format.block).checked_mul(format.bytes);
        let Some((tensor_end, padded)) =
            size.and_then(|n| next.checked_add(n)).and_then(|n| Some((n, align(n, alignment)?)))
        else {
            return Err(wrong(cursor, format!("has the impossible shape {shape:?}")));
        };
        if offset != next {
            return Err(wrong(cursor, format!("is at offset {offset} of the data, and should be at {next}")));
        }
        let bytes = tensor_end - next;
        (end, next) = (tensor_end, padded);
        if gguf.names.contains(&name) {
            return Err(wrong(cursor, "is there twice".into()));
        }
        gguf.count(&name, &shape, format, elements, bytes);
        gguf.names.insert(name);
    }

    if gguf.n_tensors > 0 {
        let needed = align(cursor.at, alignment).and_then(|start| start.checked_add(end));
        let needed = needed.ok_or_else(|| cursor.corrupt("its tensors are larger than any disk"))?;
        if needed > cursor.size {
            return Err(GgufError::Truncated { what: "its tensor data ends at byte", needed, file_bytes: cursor.size });
        }
    }
    Ok(())
}

impl Gguf {
    fn count(&mut self, name: &str, shape: &[u64], format: &'static TensorType, elements: u64, bytes: u64) {
        self.elements = self.elements.saturating_add(elements);
        let is_matrix = name == OUTPUT || (name.starts_with("blk.") && shape.get(1).is_some_and(|rows| *rows > 1));
        let matrix_bytes = if is_matrix && in_eights(shape) { bytes } else { 0 };
        add(&mut self.types, TypeBytes { format, bytes, matrix_bytes });
        if name == EMBEDDING {
            self.embedding = shape.get(1).map(|rows| Embedding { rows: *rows, bytes, format });
        }
        // Experts of a layer lie in one tensor of three dimensions, or each in one of its own. Shared ones (`_shexp`) work
        // on every token.
        if name.starts_with("blk.") && name.split('.').any(|part| part.ends_with("_exps")) {
            self.expert_bytes = self.expert_bytes.saturating_add(bytes);
        }
    }

    /// Whether the embeddings are also the output matrix: there is no other.
    pub(crate) fn tied(&self) -> bool {
        self.embedding.is_some() && !self.names.contains(OUTPUT)
    }

    /// Takes in the tensors of another part of the same model. Gives the name of one that is in both.
    pub(crate) fn join(&mut self, part: Self) -> Result<(), String> {
        for types in part.types {
            add(&mut self.types, types);
        }
        self.elements = self.elements.saturating_add(part.elements);
        self.expert_bytes = self.expert_bytes.saturating_add(part.expert_bytes);
        self.embedding = self.embedding.or(part.embedding);
        self.n_tensors = self.n_tensors.saturating_add(part.n_tensors);
        for name in part.names {
            if let Some(name) = self.names.replace(name) {
                return Err(name);
            }
        }
        Ok(())
    }
}

fn in_eights(shape: &[u64]) -> bool {
    shape.get(1).is_some_and(|rows| rows.is_multiple_of(8))
}

fn add(types: &mut Vec<TypeBytes>, more: TypeBytes) {
    match types.iter_mut().find(|known| known.format == more.format) {
        Some(known) => {
            known.bytes = known.bytes.saturating_add(more.bytes);
            known.matrix_bytes = known.matrix_bytes.saturating_add(more.matrix_bytes);
        }
        None => types.push(more),
    }
}

/// A name from the file as it may be shown: no control characters, not long.
pub(crate) fn shown(name: &str) -> String {
    let mut text: String = name.chars().take(80).flat_map(char::escape_debug).collect();
    if name.chars().nth(80).is_some() {
        text.push('…');
    }
    text
}
