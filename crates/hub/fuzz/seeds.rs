//! Writes the seeds of the corpora: small files made by the builder that the tests use, good and nearly good.

#[path = "../tests/common/mod.rs"]
mod common;

use common::{Gguf, array_value, raw_value, string_array, string_value, tensor, u16_value, u32_array, u32_value};
use std::fs::{create_dir_all, write};
use std::io;
use std::path::Path;

fn files() -> Vec<(&'static str, Vec<u8>)> {
    let tiny = Gguf::tiny;
    let mut untied = tiny();
    untied.tensors.push(tensor("output.weight", &[256, 8], 14, 8 * 210));
    let mut experts = tiny()
        .with("llama.expert_count", u32_value(8))
        .with("llama.expert_used_count", u32_value(2))
        .with("llama.feed_forward_length", u32_array(&[128, 96]));
    experts.tensors.push(tensor("blk.0.ffn_up_exps.weight", &[64, 16, 8], 2, 8 * 16 * 2 * 18));
    let tokens: Vec<String> = (0..300).map(|i| format!("token{i}")).collect();
    let tokens: Vec<&str> = tokens.iter().map(String::as_str).collect();
    let split = |no| {
        tiny()
            .with("split.count", u16_value(3))
            .with("split.no", u16_value(no))
            .with("split.tensors.count", raw_value(5, &9i32.to_le_bytes()))
    };
    vec![
        ("tiny", tiny().bytes()),
        ("version-2", Gguf { version: 2, ..tiny() }.bytes()),
        ("big-endian", Gguf { version: 3u32.swap_bytes(), ..tiny() }.bytes()),
        ("alignment", Gguf { alignment: 256, ..tiny() }.with("general.alignment", u32_value(256)).bytes()),
        ("untied", untied.bytes()),
        ("experts", experts.bytes()),
        ("vocabulary", tiny().with("tokenizer.ggml.tokens", string_array(&tokens)).bytes()),
        ("layers", tiny().with("llama.attention.head_count", u32_array(&[8, 4])).bytes()),
        ("first-part", split(0).bytes()),
        ("second-part", split(1).bytes()),
        ("encoder", tiny().with("general.architecture", string_value("clip")).bytes()),
        ("long-array", tiny().with("x", array_value(8, 1 << 20, &[0; 64])).bytes()),
        ("absurd-count", Gguf { n_tensors: Some(u64::MAX), ..tiny() }.bytes()),
        ("cut", tiny().header()),
    ]
}

const NAMES: [&str; 12] = [
    "model.gguf",
    "Model-Q4_K_M-00001-of-00003.gguf",
    "m-00002-of-65535.GGUF",
    "../m.gguf",
    "a\\b.gguf",
    "CON.gguf",
    "\u{202e}fugg.gguf",
    "owner/name",
    "https://example.org/owner/name/resolve/main/model.gguf?download=true",
    "https://user@example.org:99999/%2e%2e/model.gguf",
    "owner/name/tree/main/sub",
    "model.gguf.partial",
];

fn main() -> io::Result<()> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for target in ["header", "header_start", "file_name"] {
        create_dir_all(corpus.join(target))?;
    }
    for (name, file) in files() {
        write(corpus.join("header").join(name), &file)?;
        for (way, here, more) in [("whole", u16::MAX, 0), ("cut", 700, 0), ("large", u16::MAX, 5), ("cut-large", 700, 5)] {
            let [low, high] = here.to_le_bytes();
            write(corpus.join("header_start").join(format!("{name}-{way}")), [&[low, high, more], &file[..]].concat())?;
        }
    }
    for (i, name) in NAMES.iter().enumerate() {
        write(corpus.join("file_name").join(format!("{i:02}")), name)?;
    }
    Ok(())
}
