//! Makes small GGUF files, good and bad.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]

use std::path::PathBuf;

/// A GGUF file under construction. Fields are public so that a test can break any rule.
#[derive(Clone)]
pub struct Gguf {
    pub magic: [u8; 4],
    pub version: u32,
    /// Key, type and encoded value.
    pub entries: Vec<(String, Vec<u8>)>,
    /// Name, shape, type, bytes that the data takes.
    pub tensors: Vec<Tensor>,
    pub alignment: u64,
    pub n_entries: Option<u64>,
    pub n_tensors: Option<u64>,
}

#[derive(Clone)]
pub struct Tensor {
    pub name: String,
    pub shape: Vec<u64>,
    pub format: u32,
    pub bytes: u64,
    /// Where it should be, unless a test says otherwise.
    pub offset: Option<u64>,
}

pub fn text(s: &[u8]) -> Vec<u8> {
    let mut out = (s.len() as u64).to_le_bytes().to_vec();
    out.extend_from_slice(s);
    out
}

fn typed(value_type: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = value_type.to_le_bytes().to_vec();
    out.extend_from_slice(payload);
    out
}

pub fn u32_value(n: u32) -> Vec<u8> {
    typed(4, &n.to_le_bytes())
}
pub fn u16_value(n: u16) -> Vec<u8> {
    typed(2, &n.to_le_bytes())
}
pub fn raw_value(value_type: u32, payload: &[u8]) -> Vec<u8> {
    typed(value_type, payload)
}
pub fn string_value(s: &str) -> Vec<u8> {
    typed(8, &text(s.as_bytes()))
}
pub fn array_value(item_type: u32, n: u64, payload: &[u8]) -> Vec<u8> {
    let mut out = 9u32.to_le_bytes().to_vec();
    out.extend_from_slice(&item_type.to_le_bytes());
    out.extend_from_slice(&n.to_le_bytes());
    out.extend_from_slice(payload);
    out
}
pub fn u32_array(items: &[u32]) -> Vec<u8> {
    array_value(4, items.len() as u64, &items.iter().flat_map(|n| n.to_le_bytes()).collect::<Vec<_>>())
}
pub fn string_array(items: &[&str]) -> Vec<u8> {
    array_value(8, items.len() as u64, &items.iter().flat_map(|s| text(s.as_bytes())).collect::<Vec<_>>())
}

pub fn tensor(name: &str, shape: &[u64], format: u32, bytes: u64) -> Tensor {
    Tensor { name: name.into(), shape: shape.into(), format, bytes, offset: None }
}

impl Gguf {
    /// A complete model of two layers and three tokens.
    pub fn tiny() -> Self {
        let mut gguf = Self {
            magic: *b"GGUF",
            version: 3,
            entries: Vec::new(),
            tensors: vec![
                tensor("token_embd.weight", &[64, 3], 8, 3 * 2 * 34),
                tensor("blk.0.attn_q.weight", &[64, 64], 2, 64 * 2 * 18),
                tensor("output_norm.weight", &[64], 0, 256),
            ],
            alignment: 32,
            n_entries: None,
            n_tensors: None,
        };
        for (key, value) in [
            ("general.architecture", string_value("llama")),
            ("general.type", string_value("model")),
            ("general.name", string_value("Tiny One")),
            ("general.license", string_value("mit")),
            ("general.file_type", u32_value(2)),
            ("llama.block_count", u32_value(2)),
            ("llama.context_length", u32_value(128)),
            ("llama.embedding_length", u32_value(64)),
            ("llama.attention.head_count", u32_value(4)),
            ("llama.attention.head_count_kv", u32_value(2)),
            ("llama.rope.freq_base", raw_value(6, &10_000f32.to_le_bytes())),
            ("tokenizer.ggml.add_bos_token", raw_value(7, &[1])),
            ("tokenizer.ggml.tokens", string_array(&["<s>", "a", "é"])),
            ("tokenizer.ggml.scores", array_value(6, 3, &[0; 12])),
            ("tokenizer.chat_template", string_value("{{ messages }}")),
        ] {
            gguf.entries.push((key.into(), value));
        }
        gguf
    }

    /// Replaces or adds an entry.
    #[must_use]
    pub fn with(mut self, key: &str, value: Vec<u8>) -> Self {
        match self.entries.iter_mut().find(|(known, _)| known == key) {
            Some(entry) => entry.1 = value,
            None => self.entries.push((key.into(), value)),
        }
        self
    }

    #[must_use]
    pub fn without(mut self, key: &str) -> Self {
        self.entries.retain(|(known, _)| known != key);
        self
    }

    /// The header alone, padded to where the data starts.
    pub fn header(&self) -> Vec<u8> {
        let mut out = self.magic.to_vec();
        out.extend_from_slice(&self.version.to_le_bytes());
        out.extend_from_slice(&self.n_tensors.unwrap_or(self.tensors.len() as u64).to_le_bytes());
        out.extend_from_slice(&self.n_entries.unwrap_or(self.entries.len() as u64).to_le_bytes());
        for (key, value) in &self.entries {
            out.extend_from_slice(&text(key.as_bytes()));
            out.extend_from_slice(value);
        }
        let mut next = 0u64;
        for tensor in &self.tensors {
            out.extend_from_slice(&text(tensor.name.as_bytes()));
            out.extend_from_slice(&u32::try_from(tensor.shape.len()).unwrap().to_le_bytes());
            for n in &tensor.shape {
                out.extend_from_slice(&n.to_le_bytes());
            }
            out.extend_from_slice(&tensor.format.to_le_bytes());
            out.extend_from_slice(&tensor.offset.unwrap_or(next).to_le_bytes());
            // Wraps where a test makes impossible tensors.
            next = next.wrapping_add(tensor.bytes).checked_next_multiple_of(self.alignment).unwrap_or(0);
        }
        out.resize(out.len().next_multiple_of(usize::try_from(self.alignment).unwrap()), 0);
        out
    }

    /// Where the last tensor ends, from the start of the data.
    pub fn data_bytes(&self) -> usize {
        let mut end = 0;
        for tensor in &self.tensors {
            end = usize::try_from((end as u64).next_multiple_of(self.alignment) + tensor.bytes).unwrap();
        }
        end
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut out = self.header();
        out.resize(out.len() + self.data_bytes(), 0x5a);
        out
    }
}

/// A file with this content in a folder of its own.
pub fn file(content: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("some-model.gguf");
    std::fs::write(&path, content).unwrap();
    (folder, path)
}
