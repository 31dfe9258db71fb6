//! Writes GGUF files with the shapes of well-known models and random weights, so that loading, speed and memory can be
//! tried at any size without anybody's weights. llama.cpp loads and decodes them; what they say is noise.
//!
//! The shapes are those of the published configurations (`config.json` of `XiaomiMiMo/MiMo-7B-RL` and `microsoft/phi-4`):
//! layers, heads, widths, vocabulary, context. Certain of Phi-4: llama.cpp loads it as `phi3`. MiMo-7B is built like
//! Qwen 2 (biases on Q, K and V, untied embeddings), and the pinned llama.cpp has no architecture of its own for it
//! (`mimo2` is a later mixture of experts); its layers for predicting several tokens at once are no part of the `qwen2`
//! architecture and are left out here. Not copied: the tokenizer (generated, of the true size) and the mixture of formats
//! that `llama-quantize` makes (here all matrices have one format, the output matrix `Q6_K` where that is under 8 bits).

use std::fs::File;
use std::io::{self, BufWriter, Seek, Write};
use std::path::{Path, PathBuf};

/// Whose shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// MiMo-7B: 36 layers, 4,096 wide, 32 heads with 8 for keys and values, 151,680 tokens, context 32,768.
    MiMo7B,
    /// Phi-4 (14B): 40 layers, 5,120 wide, 40 heads with 10 for keys and values, 100,352 tokens, context 16,384.
    Phi4,
}

/// How large.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Same tensors and ratios, two narrow layers and a small vocabulary: some hundred kilobytes to a few megabytes.
    Tiny,
    /// The true size: 4 to 30 GB.
    Full,
}

/// Number format of the matrices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// 16-bit float.
    F16,
    /// 8 bits in blocks of 32.
    Q8_0,
    /// 4 bits in blocks of 32.
    Q4_0,
    /// 4 bits in super-blocks of 256.
    Q4K,
}

impl Format {
    /// Its name in llama.cpp.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.layout().name
    }

    fn layout(self) -> Layout {
        match self {
            Self::F16 => Layout { name: "F16", id: 1, file_type: 1, block: 1, bytes: 2 },
            Self::Q8_0 => Layout { name: "Q8_0", id: 8, file_type: 7, block: 32, bytes: 34 },
            Self::Q4_0 => Layout { name: "Q4_0", id: 2, file_type: 2, block: 32, bytes: 18 },
            // The recipe without larger formats for some layers: closest to `Q4_K_S`.
            Self::Q4K => Layout { name: "Q4_K", id: 12, file_type: 14, block: 256, bytes: 144 },
        }
    }
}

const F32: Layout = Layout { name: "F32", id: 0, file_type: 0, block: 1, bytes: 4 };
const Q6_K: Layout = Layout { name: "Q6_K", id: 14, file_type: 18, block: 256, bytes: 210 };

#[derive(Debug, Clone, Copy)]
struct Layout {
    name: &'static str,
    /// `ggml_type`.
    id: u32,
    /// `llama_ftype`.
    file_type: u32,
    /// Values a block.
    block: usize,
    /// Bytes a block.
    bytes: usize,
}

/// Sizes of a model.
struct Sizes {
    layers: usize,
    width: usize,
    heads: usize,
    kv_heads: usize,
    feed_forward: usize,
    vocabulary: usize,
    context: u32,
}

impl Sizes {
    fn of(shape: Shape, scale: Scale) -> Self {
        match (shape, scale) {
            (Shape::MiMo7B, Scale::Full) => Self {
                layers: 36,
                width: 4096,
                heads: 32,
                kv_heads: 8,
                feed_forward: 11_008,
                vocabulary: 151_680,
                context: 32_768,
            },
            (Shape::Phi4, Scale::Full) => Self {
                layers: 40,
                width: 5120,
                heads: 40,
                kv_heads: 10,
                feed_forward: 17_920,
                vocabulary: 100_352,
                context: 16_384,
            },
            (Shape::MiMo7B, Scale::Tiny) => Self {
                layers: 2,
                width: 256,
                heads: 8,
                kv_heads: 2,
                feed_forward: 768,
                vocabulary: 1_024,
                context: 32_768,
            },
            (Shape::Phi4, Scale::Tiny) => Self {
                layers: 2,
                width: 256,
                heads: 8,
                kv_heads: 2,
                feed_forward: 1_024,
                vocabulary: 1_024,
                context: 16_384,
            },
        }
    }

    fn kv_width(&self) -> usize {
        self.width / self.heads * self.kv_heads
    }
}

struct Tensor {
    name: String,
    shape: Vec<usize>,
    layout: Layout,
}

impl Tensor {
    fn bytes(&self) -> usize {
        self.shape.iter().product::<usize>() / self.layout.block * self.layout.bytes
    }
}

fn tensors(shape: Shape, sizes: &Sizes, format: Format) -> Vec<Tensor> {
    let matrix = format.layout();
    let output = if matrix.bytes < matrix.block { Q6_K } else { matrix };
    let mut tensors = Vec::new();
    let mut add = |name: String, shape: Vec<usize>, layout| tensors.push(Tensor { name, shape, layout });
    add("token_embd.weight".into(), vec![sizes.width, sizes.vocabulary], matrix);
    for layer in 0..sizes.layers {
        let mut of_layer = |name: &str, shape, layout| add(format!("blk.{layer}.{name}"), shape, layout);
        of_layer("attn_norm.weight", vec![sizes.width], F32);
        match shape {
            Shape::MiMo7B => {
                for (name, rows) in [("q", sizes.width), ("k", sizes.kv_width()), ("v", sizes.kv_width())] {
                    of_layer(&format!("attn_{name}.weight"), vec![sizes.width, rows], matrix);
                    of_layer(&format!("attn_{name}.bias"), vec![rows], F32);
                }
                of_layer("ffn_gate.weight", vec![sizes.width, sizes.feed_forward], matrix);
                of_layer("ffn_up.weight", vec![sizes.width, sizes.feed_forward], matrix);
            }
            Shape::Phi4 => {
                let rows = sizes.width + 2 * sizes.kv_width();
                of_layer("attn_qkv.weight", vec![sizes.width, rows], matrix);
                // Gate and up lie in one matrix.
                of_layer("ffn_up.weight", vec![sizes.width, 2 * sizes.feed_forward], matrix);
            }
        }
        of_layer("attn_output.weight", vec![sizes.width, sizes.width], matrix);
        of_layer("ffn_norm.weight", vec![sizes.width], F32);
        of_layer("ffn_down.weight", vec![sizes.feed_forward, sizes.width], matrix);
    }
    add("output_norm.weight".into(), vec![sizes.width], F32);
    add("output.weight".into(), vec![sizes.width, sizes.vocabulary], output);
    tensors
}

/// Metadata and description of tensors, little-endian as GGUF is.
#[derive(Default)]
struct Header {
    bytes: Vec<u8>,
    entries: u64,
}

impl Header {
    fn text(&mut self, text: &str) {
        self.bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
        self.bytes.extend_from_slice(text.as_bytes());
    }

    fn key(&mut self, key: &str, value_type: u32) {
        self.entries += 1;
        self.text(key);
        self.bytes.extend_from_slice(&value_type.to_le_bytes());
    }

    fn u16(&mut self, key: &str, n: u16) {
        self.key(key, 2);
        self.bytes.extend_from_slice(&n.to_le_bytes());
    }

    fn u32(&mut self, key: &str, n: usize) {
        self.key(key, 4);
        self.bytes.extend_from_slice(&u32::try_from(n).expect("it fits into 32 bits").to_le_bytes());
    }

    fn i32(&mut self, key: &str, n: usize) {
        self.key(key, 5);
        self.bytes.extend_from_slice(&i32::try_from(n).expect("it fits into 31 bits").to_le_bytes());
    }

    fn f32(&mut self, key: &str, n: f32) {
        self.key(key, 6);
        self.bytes.extend_from_slice(&n.to_le_bytes());
    }

    fn string(&mut self, key: &str, text: &str) {
        self.key(key, 8);
        self.text(text);
    }

    fn array(&mut self, key: &str, item_type: u32, n: usize) {
        self.key(key, 9);
        self.bytes.extend_from_slice(&item_type.to_le_bytes());
        self.bytes.extend_from_slice(&(n as u64).to_le_bytes());
    }

    fn strings(&mut self, key: &str, texts: &[String]) {
        self.array(key, 8, texts.len());
        for text in texts {
            self.text(text);
        }
    }
}

/// A byte-level vocabulary as GPT-2 has it: the bytes, then words of two, three and four letters, each merged from two
/// shorter ones, then what ends a text. Of any size from 300 on.
struct Vocabulary {
    tokens: Vec<String>,
    merges: Vec<String>,
}

impl Vocabulary {
    fn of_size(n: usize) -> Self {
        let mut tokens: Vec<String> = (0..=255).map(|byte| byte_token(byte).to_string()).collect();
        let mut merges = Vec::new();
        let letters: Vec<String> = ('a'..='z').map(String::from).collect();
        let pairs: Vec<String> = letters.iter().flat_map(|a| letters.iter().map(move |b| format!("{a}{b}"))).collect();
        let of = |left: &[String], right: &[String]| -> Vec<(String, String)> {
            left.iter().flat_map(|a| right.iter().map(move |b| (a.clone(), b.clone()))).collect()
        };
        let words = [of(&letters, &letters), of(&pairs, &letters), of(&pairs, &pairs)].concat();
        for (a, b) in words.into_iter().take(n - tokens.len() - 1) {
            tokens.push(format!("{a}{b}"));
            merges.push(format!("{a} {b}"));
        }
        tokens.push("<|endoftext|>".into());
        assert_eq!(tokens.len(), n, "there are only 475,254 words");
        Self { tokens, merges }
    }
}

/// The character that stands for a byte in GPT-2's vocabulary: itself where it is printable, else one from 256 on.
fn byte_token(byte: u8) -> char {
    let printable = |b: u8| matches!(b, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    if printable(byte) {
        return char::from(byte);
    }
    let place = (0..byte).filter(|b| !printable(*b)).count();
    u32::try_from(256 + place).ok().and_then(char::from_u32).expect("below 512")
}

fn metadata(shape: Shape, scale: Scale, sizes: &Sizes, format: Format) -> Header {
    let mut header = Header::default();
    let (architecture, name) = match shape {
        Shape::MiMo7B => ("qwen2", "MiMo 7B"),
        Shape::Phi4 => ("phi3", "Phi 4"),
    };
    let size = if scale == Scale::Tiny { "tiny, " } else { "" };
    header.string("general.architecture", architecture);
    header.string("general.type", "model");
    header.string("general.name", &format!("{name} ({size}random weights)"));
    header.u32("general.file_type", format.layout().file_type as usize);
    header.u32("general.quantization_version", 2);
    let key = |name: &str| format!("{architecture}.{name}");
    header.u32(&key("block_count"), sizes.layers);
    header.u32(&key("context_length"), sizes.context as usize);
    header.u32(&key("embedding_length"), sizes.width);
    header.u32(&key("feed_forward_length"), sizes.feed_forward);
    header.u32(&key("attention.head_count"), sizes.heads);
    header.u32(&key("attention.head_count_kv"), sizes.kv_heads);
    header.f32(&key("attention.layer_norm_rms_epsilon"), 1e-5);
    header.f32(&key("rope.freq_base"), if shape == Shape::MiMo7B { 640_000.0 } else { 250_000.0 });
    header.u32(&key("rope.dimension_count"), sizes.width / sizes.heads);

    let vocabulary = Vocabulary::of_size(sizes.vocabulary);
    let end = sizes.vocabulary - 1;
    header.string("tokenizer.ggml.model", "gpt2");
    header.string("tokenizer.ggml.pre", if shape == Shape::MiMo7B { "qwen2" } else { "dbrx" });
    header.strings("tokenizer.ggml.tokens", &vocabulary.tokens);
    header.array("tokenizer.ggml.token_type", 5, sizes.vocabulary);
    for i in 0..sizes.vocabulary {
        // Normal, and control for the last one.
        header.bytes.extend_from_slice(&(if i == end { 3i32 } else { 1 }).to_le_bytes());
    }
    header.strings("tokenizer.ggml.merges", &vocabulary.merges);
    header.u32("tokenizer.ggml.eos_token_id", end);
    header
}

const ALIGNMENT: usize = 32;

/// Writes one model file. Gives its size.
///
/// # Errors
/// Those of the disk.
pub fn write_model(path: &Path, shape: Shape, scale: Scale, format: Format) -> io::Result<u64> {
    let sizes = Sizes::of(shape, scale);
    write_file(path, &metadata(shape, scale, &sizes, format), &tensors(shape, &sizes, format))
}

/// Writes a model split over `parts` files, named as llama.cpp expects it: `NAME-00001-of-00003.gguf`. Gives their paths.
///
/// # Errors
/// Those of the disk.
pub fn write_split_model(
    folder: &Path,
    name: &str,
    parts: u16,
    shape: Shape,
    scale: Scale,
    format: Format,
) -> io::Result<Vec<PathBuf>> {
    let sizes = Sizes::of(shape, scale);
    let mut rest = tensors(shape, &sizes, format);
    let count = rest.len();
    let mut paths = Vec::new();
    for part in 0..parts {
        let mut header = if part == 0 { metadata(shape, scale, &sizes, format) } else { Header::default() };
        header.u16("split.no", part);
        header.u16("split.count", parts);
        header.i32("split.tensors.count", count);
        let more = rest.split_off(rest.len().div_ceil(usize::from(parts - part)));
        let path = folder.join(format!("{name}-{:05}-of-{parts:05}.gguf", part + 1));
        write_file(&path, &header, &rest)?;
        rest = more;
        paths.push(path);
    }
    Ok(paths)
}

fn write_file(path: &Path, metadata: &Header, tensors: &[Tensor]) -> io::Result<u64> {
    let mut header = Header::default();
    header.bytes.extend_from_slice(b"GGUF\x03\0\0\0");
    header.bytes.extend_from_slice(&(tensors.len() as u64).to_le_bytes());
    header.bytes.extend_from_slice(&metadata.entries.to_le_bytes());
    header.bytes.extend_from_slice(&metadata.bytes);
    let mut offset = 0;
    for tensor in tensors {
        header.text(&tensor.name);
        header.bytes.extend_from_slice(&u32::try_from(tensor.shape.len()).expect("at most four").to_le_bytes());
        for n in &tensor.shape {
            header.bytes.extend_from_slice(&(*n as u64).to_le_bytes());
        }
        header.bytes.extend_from_slice(&tensor.layout.id.to_le_bytes());
        header.bytes.extend_from_slice(&(offset as u64).to_le_bytes());
        offset = (offset + tensor.bytes()).next_multiple_of(ALIGNMENT);
    }
    header.bytes.resize(header.bytes.len().next_multiple_of(ALIGNMENT), 0);

    let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
    file.write_all(&header.bytes)?;
    for tensor in tensors {
        // A few thousand blocks over and over: nothing looks at them closely, and four gigabytes are there in seconds.
        let blocks = tensor.bytes() / tensor.layout.bytes;
        let pool = Noise::of(&tensor.name).blocks(tensor.layout, blocks.min(4_093), tensor.shape.len() == 1);
        let mut left = tensor.bytes();
        while left > 0 {
            let n = left.min(pool.len());
            file.write_all(&pool[..n])?;
            left -= n;
        }
        let padding = tensor.bytes().next_multiple_of(ALIGNMENT) - tensor.bytes();
        file.write_all(&[0; ALIGNMENT][..padding])?;
    }
    file.into_inner().map_err(io::IntoInnerError::into_error)?.stream_position()
}

/// xorshift64*: reproducible noise.
struct Noise(u64);

impl Noise {
    /// Each tensor has its own, so that a split model has the weights of a whole one. FNV-1a of its name.
    fn of(name: &str) -> Self {
        let hash = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        Self(name.bytes().fold(0xcbf2_9ce4_8422_2325, hash))
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes()[..chunk.len()]);
        }
    }

    /// Blocks whose values are some hundredths in size, as weights are. Norms and biases are vectors: all ones would do
    /// for the first and noughts for the second, and so do ones for both.
    fn blocks(&mut self, layout: Layout, n: usize, vector: bool) -> Vec<u8> {
        let mut all = vec![0; n * layout.bytes];
        self.fill(&mut all);
        for block in all.chunks_mut(layout.bytes) {
            match layout.name {
                "F32" => block.copy_from_slice(&if vector { 1f32 } else { 0.02 }.to_le_bytes()),
                // Either sign, 2⁻⁶ to 2⁻⁵.
                "F16" => block[1] = (block[1] & 0x83) | 0x24,
                "Q8_0" => block[..2].copy_from_slice(&f16(2e-4).to_le_bytes()),
                "Q4_0" => block[..2].copy_from_slice(&f16(3e-3).to_le_bytes()),
                "Q4_K" => {
                    // Scale times 0 to 15, less a minimum that makes the mean nought.
                    block[..2].copy_from_slice(&f16(1e-4).to_le_bytes());
                    block[2..4].copy_from_slice(&f16(7.5e-4).to_le_bytes());
                }
                "Q6_K" => block[208..].copy_from_slice(&f16(2e-5).to_le_bytes()),
                other => unreachable!("no noise for {other}"),
            }
        }
        all
    }
}

/// A half float near a small positive number: enough for scales.
fn f16(value: f32) -> u16 {
    let mut exponent: i16 = 15;
    let mut mantissa = value;
    while mantissa < 1.0 {
        mantissa *= 2.0;
        exponent -= 1;
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "1 to 2, of which 10 bits are kept")]
    let fraction = ((mantissa - 1.0) * 1024.0) as u16;
    match u16::try_from(exponent) {
        Ok(exponent @ 1..) => (exponent << 10) | fraction,
        // Too small for a leading one: it is shifted into the fraction.
        _ => (1024 | fraction) >> (1 + exponent.unsigned_abs()),
    }
}
