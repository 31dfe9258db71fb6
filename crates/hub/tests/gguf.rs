//! What a header says, and every way in which one can be wrong.

mod common;

use common::{
    Gguf, array_value, file, raw_value, string_array, string_value, tensor, text, u16_value, u32_array, u32_value,
};
use pocketbench_domain::model::{ModelHeader, TensorTypeBytes};
use pocketbench_domain::{ErrorCode, ErrorReport};
use pocketbench_hub::{FileError, GgufError, KNOWN_ARCHITECTURES, read_header};

fn read(content: &[u8]) -> Result<ModelHeader, GgufError> {
    let (_folder, path) = file(content);
    read_header(&path)
}

/// The error's code and message; every error has a hint.
fn refused(content: &[u8]) -> (ErrorCode, String) {
    let report = ErrorReport::from(read(content).expect_err("accepted"));
    assert!(report.hint.is_some(), "{report:?}");
    (report.code, report.message)
}

/// Damage must be found, and described with these words.
fn corrupt(gguf: &Gguf, words: &str) {
    let (code, message) = refused(&gguf.bytes());
    assert_eq!(code, ErrorCode::ModelFileCorrupt, "{message}");
    assert!(message.contains(words), "`{words}` is not in: {message}");
}

fn types(name: &str, bytes: u64, matrix_bytes: u64) -> TensorTypeBytes {
    TensorTypeBytes { name: name.into(), bytes, matrix_bytes }
}

#[test]
fn a_good_file_is_described() {
    let expected = ModelHeader {
        architecture: "llama".into(),
        name: "Tiny One".into(),
        quantization: "Q4_0".into(),
        license: Some("mit".into()),
        n_params: 64 * 3 + 64 * 64 + 64,
        tensor_bytes: 204 + 2304 + 256,
        n_ctx_train: 128,
        n_layer: 2,
        n_embd: 64,
        n_head: 4,
        n_head_kv: vec![2, 2],
        head_dim_k: 16,
        head_dim_v: 16,
        sliding_window: None,
        n_vocab: 3,
        has_chat_template: true,
        n_ff: 0,
        n_merges: 0,
        parts: 1,
        tensor_types: vec![types("Q4_0", 2304, 2304), types("F32", 256, 0), types("Q8_0", 204, 0)],
        embedding_bytes: 204,
        embedding_type: "Q8_0".into(),
        // There is no `output.weight`.
        tied_embeddings: true,
        n_expert: 0,
        n_expert_used: 0,
        expert_bytes: 0,
    };
    assert_eq!(read(&Gguf::tiny().bytes()).unwrap(), expected);
    let version_2 = Gguf { version: 2, ..Gguf::tiny() };
    assert_eq!(read(&version_2.bytes()).unwrap(), expected);
    let mut padded = Gguf::tiny().bytes();
    padded.resize(padded.len().next_multiple_of(32), 0);
    assert_eq!(read(&padded).unwrap(), expected, "padding after the last tensor is allowed");
    let wide = Gguf { alignment: 256, ..Gguf::tiny() }.with("general.alignment", u32_value(256));
    assert_eq!(read(&wide.bytes()).unwrap(), expected);
}

#[test]
fn what_is_absent_is_derived_or_absent() {
    let gguf = Gguf::tiny()
        .without("general.name")
        .without("general.type")
        .without("general.license")
        .without("general.file_type")
        .without("llama.attention.head_count_kv")
        .without("tokenizer.ggml.tokens")
        .without("tokenizer.chat_template");
    let header = read(&gguf.bytes()).unwrap();
    assert_eq!(header.name, "some-model", "the file's name without its ending");
    assert_eq!(header.license, None);
    assert_eq!(header.quantization, "Q4_0", "the format of most bytes");
    assert_eq!(header.n_head_kv, [4, 4], "as many as heads");
    assert_eq!(header.n_vocab, 3, "the rows of the embedding");
    assert!(!header.has_chat_template);
    let header = read(&gguf.with("llama.vocab_size", u32_value(7)).bytes()).unwrap();
    assert_eq!(header.n_vocab, 7);
}

#[test]
fn heads_can_differ_by_layer() {
    let gguf = Gguf::tiny()
        .with("llama.attention.head_count", u32_array(&[8, 4]))
        .with("llama.attention.head_count_kv", array_value(5, 2, &[2, 0, 0, 0, 0, 0, 0, 0]))
        .with("llama.attention.key_length", u32_value(24))
        .with("llama.attention.value_length", u32_value(32))
        .with("llama.attention.sliding_window", u32_value(512));
    let header = read(&gguf.bytes()).unwrap();
    assert_eq!((header.n_head, header.n_head_kv), (8, vec![2, 0]));
    assert_eq!((header.head_dim_k, header.head_dim_v, header.sliding_window), (24, 32, Some(512)));
    let no_window = gguf.with("llama.attention.sliding_window", u32_value(0));
    assert_eq!(read(&no_window.bytes()).unwrap().sliding_window, None);
}

#[test]
fn a_recurrent_model_has_no_heads() {
    let mut gguf = Gguf::tiny()
        .without("llama.attention.head_count")
        .without("llama.attention.head_count_kv")
        .with("general.architecture", string_value("mamba"));
    for (key, _) in &mut gguf.entries {
        *key = key.replace("llama.", "mamba.");
    }
    let header = read(&gguf.bytes()).unwrap();
    assert_eq!((header.n_head, header.head_dim_k, header.n_head_kv), (0, 0, vec![0, 0]));
}

#[test]
fn text_from_the_file_is_made_fit_to_be_shown() {
    let gguf = Gguf::tiny()
        .with("general.name", string_value(" \u{1b}[31mRed\n\u{202e}model\u{7}  "))
        .with("general.license", string_value(&"x".repeat(5_000)));
    let header = read(&gguf.bytes()).unwrap();
    assert_eq!(header.name, "[31mRedmodel");
    assert_eq!(header.license.unwrap().len(), 120);
    let empty = read(&Gguf::tiny().with("general.name", string_value("\n")).bytes()).unwrap();
    assert_eq!(empty.name, "some-model");
    let broken = Gguf::tiny().with("general.name", raw_value(8, &text(b"caf\xe9")));
    assert_eq!(read(&broken.bytes()).unwrap().name, "caf\u{fffd}");
    let huge = read(&Gguf::tiny().with("general.name", string_value(&"x".repeat(1 << 17))).bytes()).unwrap();
    assert_eq!(huge.name, "some-model");
}

#[test]
fn a_file_that_is_not_there_or_no_file() {
    let folder = tempfile::tempdir().unwrap();
    for path in [folder.path().join("none.gguf"), folder.path().to_path_buf()] {
        let error = read_header(&path).unwrap_err();
        assert!(matches!(error, GgufError::File(FileError::NotFound(_) | FileError::NotAFile(_))), "{error:?}");
        assert_eq!(ErrorReport::from(error).code, ErrorCode::ModelFileNotFound);
    }
}

#[test]
fn other_files_are_recognised() {
    let safetensors = [&100u64.to_le_bytes()[..], b"{\"__metadata__\":{}}"].concat();
    for (content, words) in [
        (&b""[..], "an empty file"),
        (b"<!DOCTYPE html><html>", "a web page"),
        (b"\n\n  <html lang=en>", "a web page"),
        (b"\xef\xbb\xbf<!doctype HTML>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1", "Git LFS"),
        (b"PK\x03\x04....", "ZIP"),
        (b"\x1f\x8b....", "gzip"),
        (b"\x80\x02}q", "PyTorch"),
        (&safetensors, "safetensors"),
        (b"\x89HDF\r\n", "HDF5"),
        (b"tjgg\x03\0\0\0", "GGML format"),
        (b"{\"error\":\"not found\"}", "JSON"),
        (b"<?xml version=\"1.0\"?>", "XML"),
        (b"\x7fELF\x02", "\\x7fELF"),
        (b"gguf\x03\0\0\0", "gguf"),
    ] {
        let (code, message) = refused(content);
        assert_eq!(code, ErrorCode::ModelFileNotGguf, "{message}");
        assert!(message.contains(words), "{message}");
    }
}

#[test]
fn a_file_cut_anywhere_is_incomplete() {
    let whole = Gguf::tiny().bytes();
    for length in 1..whole.len() {
        let error = read(&whole[..length]).expect_err("accepted");
        let GgufError::Truncated { needed, file_bytes, .. } = error else { panic!("cut to {length}: {error:?}") };
        assert_eq!(file_bytes, length as u64);
        assert!(needed > file_bytes && needed <= whole.len() as u64, "cut to {length}: {needed}");
    }
    let report = ErrorReport::from(read(&whole[..whole.len() - 100]).unwrap_err());
    assert_eq!(report.code, ErrorCode::ModelFileTruncated);
    let (end, has) = (whole.len(), whole.len() - 100);
    assert!(
        report.message.contains(&format!("tensor data ends at byte {end}, but the file has {has} bytes; 100 or more")),
        "{}",
        report.message
    );
    assert_eq!(report.details.unwrap()["missing_bytes"], 100);
}

#[test]
fn versions_and_byte_orders() {
    for (version, words) in [(1, "too old"), (0, "too old"), (4, "newer")] {
        let (code, message) = refused(&Gguf { version, ..Gguf::tiny() }.bytes());
        assert_eq!(code, ErrorCode::InvalidInput);
        assert!(message.contains(words), "{message}");
    }
    let (code, message) = refused(&Gguf { version: 3u32.swap_bytes(), ..Gguf::tiny() }.bytes());
    assert_eq!(code, ErrorCode::InvalidInput);
    assert!(message.contains("big-endian"), "{message}");
}

#[test]
fn absurd_counts_are_refused_at_once() {
    for n in [1 << 20, u64::from(u32::MAX), i64::MAX.cast_unsigned(), u64::MAX] {
        corrupt(&Gguf { n_tensors: Some(n), ..Gguf::tiny() }, "tensors");
        corrupt(&Gguf { n_entries: Some(n), ..Gguf::tiny() }, "metadata entries");
    }
    for (n, words) in [(1 << 29, "header would be larger"), (1 << 60, "header would be larger"), (u64::MAX, "items")] {
        corrupt(&Gguf::tiny().with("x", array_value(10, n, &[0; 8])), words);
        corrupt(&Gguf::tiny().with("x", array_value(4, n, &[0; 8])), words);
    }
    for (n, words) in [(1 << 29, "header would be larger"), (u64::MAX, "absurd")] {
        corrupt(&Gguf::tiny().with("x", raw_value(8, &n.to_le_bytes())), words);
        corrupt(&Gguf::tiny().with("x", array_value(8, n, &[])), words);
        corrupt(&Gguf::tiny().with("tokenizer.chat_template", raw_value(8, &n.to_le_bytes())), "chat template");
    }
}

#[test]
fn values_that_break_the_format() {
    corrupt(&Gguf::tiny().with("x", raw_value(13, &[0; 8])), "unknown type 13");
    corrupt(&Gguf::tiny().with("x", raw_value(u32::MAX, &[0; 8])), "unknown type");
    corrupt(&Gguf::tiny().with("x", array_value(13, 1, &[0; 8])), "array of the unknown type");
    corrupt(&Gguf::tiny().with("x", array_value(9, 1, &u32_array(&[1])[4..])), "array of arrays");
    corrupt(&Gguf::tiny().with("x", raw_value(7, &[2])), "true or false");
    corrupt(&Gguf::tiny().with("", u32_value(1)), "has 0 bytes");
    corrupt(&Gguf::tiny().with(&"k".repeat(70_000), u32_value(1)), "70000 bytes");
    let mut twice = Gguf::tiny();
    twice.entries.push(("llama.block_count".into(), u32_value(2)));
    corrupt(&twice, "twice");
    let mut bytes = Gguf::tiny().bytes();
    bytes[24 + 8] = 0xff;
    assert!(refused(&bytes).1.contains("not UTF-8"));
    for alignment in [0, 1, 4, 33, 48] {
        corrupt(&Gguf::tiny().with("general.alignment", u32_value(alignment)), "alignment");
    }
    corrupt(&Gguf::tiny().with("general.alignment", u16_value(32)), "alignment");
}

#[test]
fn a_template_is_bounded() {
    corrupt(&Gguf::tiny().with("tokenizer.chat_template", string_value(&"x".repeat((1 << 20) + 1))), "chat template");
    corrupt(&Gguf::tiny().with("tokenizer.chat_template", u32_value(1)), "no text");
    let long = Gguf::tiny().with("tokenizer.chat_template", string_value(&"x".repeat(1 << 20)));
    assert!(read(&long.bytes()).unwrap().has_chat_template);
    let empty = Gguf::tiny().with("tokenizer.chat_template", string_value(""));
    assert!(!read(&empty.bytes()).unwrap().has_chat_template);
}

#[test]
fn tensors_that_break_the_format() {
    let with = |change: &dyn Fn(&mut Gguf)| {
        let mut gguf = Gguf::tiny();
        change(&mut gguf);
        gguf
    };
    corrupt(&with(&|g| g.tensors[1].shape = vec![]), "0 dimensions");
    corrupt(&with(&|g| g.tensors[1].shape = vec![64; 5]), "5 dimensions");
    corrupt(&with(&|g| g.tensors[1].shape = vec![64, 0]), "impossible shape");
    corrupt(&with(&|g| g.tensors[1].shape = vec![u64::MAX, 2]), "impossible shape");
    corrupt(&with(&|g| g.tensors[1].shape = vec![1 << 63]), "impossible shape");
    corrupt(&with(&|g| g.tensors[1].shape = vec![1 << 32, 1 << 31]), "impossible shape");
    corrupt(&with(&|g| (g.tensors[1].shape, g.tensors[1].format) = (vec![1 << 62], 28)), "impossible shape");
    corrupt(&with(&|g| g.tensors[1].shape = vec![33, 64]), "blocks of 32");
    corrupt(&with(&|g| g.tensors[1].format = 4), "unknown number format 4");
    corrupt(&with(&|g| g.tensors[1].format = u32::MAX), "unknown number format");
    corrupt(&with(&|g| g.tensors[1].offset = Some(0)), "should be at");
    corrupt(&with(&|g| g.tensors[1].offset = Some(u64::MAX - 31)), "should be at");
    corrupt(&with(&|g| g.tensors[1].offset = Some(225)), "should be at");
    corrupt(&with(&|g| g.tensors[1].name = "token_embd.weight".into()), "twice");
    corrupt(&with(&|g| g.tensors[1].name = String::new()), "has 0 bytes");
    corrupt(&with(&|g| g.tensors[1].name = "n".repeat(64)), "64 bytes");
    assert!(read(&with(&|g| g.tensors[1].name = "n".repeat(63)).bytes()).is_ok());

    // Each alone is possible, all together are not.
    let mut many = Gguf::tiny();
    let size = (1 << 63) - 32;
    many.tensors = ["a", "b", "c"].map(|name| tensor(name, &[size], 24, size)).into();
    many.tensors[2].offset = Some(0);
    let (code, message) = refused(&many.header());
    assert_eq!(code, ErrorCode::ModelFileCorrupt, "{message}");
    assert!(message.contains("`c` has the impossible shape"), "{message}");
}

#[test]
fn a_huge_tensor_in_a_small_file_is_incomplete_not_allocated() {
    let mut gguf = Gguf::tiny();
    gguf.tensors = vec![tensor("token_embd.weight", &[1 << 40, 1 << 20], 0, 0)];
    let (code, message) = refused(&gguf.bytes());
    assert_eq!(code, ErrorCode::ModelFileTruncated, "{message}");
}

#[test]
fn model_facts_that_make_no_sense() {
    for key in ["block_count", "embedding_length", "context_length"] {
        let key = format!("llama.{key}");
        corrupt(&Gguf::tiny().without(&key), "missing");
        corrupt(&Gguf::tiny().with(&key, u32_value(0)), "is 0");
        corrupt(&Gguf::tiny().with(&key, u32_value(u32::MAX)), "more than any model");
        corrupt(&Gguf::tiny().with(&key, string_value("2")), "not a 32-bit number");
        corrupt(&Gguf::tiny().with(&key, raw_value(10, &2u64.to_le_bytes())), "not a 32-bit number");
    }
    corrupt(&Gguf::tiny().with("llama.attention.head_count", u32_array(&[4])), "1 entries for 2 layers");
    corrupt(&Gguf::tiny().with("llama.attention.head_count", u32_array(&[4, u32::MAX])), "impossible entry");
    corrupt(&Gguf::tiny().with("llama.attention.head_count", string_array(&["4", "4"])), "not a list");
    corrupt(&Gguf::tiny().with("llama.attention.head_count_kv", u32_value(8)), "8 key/value heads for 4");
    corrupt(&Gguf::tiny().with("tokenizer.ggml.tokens", string_array(&[])), "vocabulary");
    corrupt(&Gguf::tiny().with("general.name", u32_value(8)), "not a text");
    corrupt(&Gguf::tiny().without("general.architecture"), "general.architecture");
    corrupt(&Gguf::tiny().with("general.architecture", string_value("")), "general.architecture");
    let mut without_vocabulary = Gguf::tiny().without("tokenizer.ggml.tokens");
    without_vocabulary.tensors[0].name = "other".into();
    corrupt(&without_vocabulary, "no vocabulary");
}

#[test]
fn what_is_no_measurable_model_says_what_it_is() {
    let mut vocabulary = Gguf::tiny();
    vocabulary.tensors.clear();
    for (gguf, code, words) in [
        (
            Gguf::tiny().with("general.architecture", string_value("brandnew")),
            ErrorCode::ModelArchitectureUnknown,
            "brandnew",
        ),
        (
            Gguf::tiny().with("general.architecture", string_value("\u{1b}[2J")),
            ErrorCode::ModelArchitectureUnknown,
            "\\u{1b}",
        ),
        (Gguf::tiny().with("general.architecture", string_value("clip")), ErrorCode::InvalidInput, "encoder"),
        (Gguf::tiny().with("general.type", string_value("adapter")), ErrorCode::InvalidInput, "LoRA"),
        (vocabulary, ErrorCode::InvalidInput, "without weights"),
        (
            Gguf::tiny().with("split.count", u16_value(3)).with("split.no", u16_value(1)),
            ErrorCode::InvalidInput,
            "part 2 of 3",
        ),
    ] {
        let (found, message) = refused(&gguf.bytes());
        assert_eq!(found, code, "{message}");
        assert!(message.contains(words), "{message}");
        assert!(!message.contains('\u{1b}'), "no control characters reach the screen");
    }
    let vocabulary_part = Gguf { tensors: Vec::new(), ..Gguf::tiny() }.with("split.count", u16_value(1));
    assert!(matches!(read(&vocabulary_part.bytes()), Err(GgufError::NotAModel(_))));
    assert!(read(&Gguf::tiny().with("split.count", u16_value(1)).bytes()).is_ok(), "one part is the whole");
}

#[test]
fn matrices_that_may_be_repacked_are_counted_apart() {
    let mut gguf = Gguf::tiny();
    gguf.tensors = vec![
        tensor("token_embd.weight", &[64, 16], 2, 16 * 2 * 18),
        tensor("blk.0.attn_q.weight", &[64, 64], 2, 64 * 2 * 18),
        tensor("blk.0.odd.weight", &[64, 12], 2, 12 * 2 * 18),
        tensor("blk.0.attn_norm.weight", &[64], 0, 256),
    ];
    let tied = read(&gguf.bytes()).unwrap();
    let all = (16 + 64 + 12) * 2 * 18;
    assert_eq!(tied.tensor_types, [types("Q4_0", all, all - 12 * 2 * 18), types("F32", 256, 0)]);
    assert!(tied.tied_embeddings);
    gguf.tensors.push(tensor("output.weight", &[64, 16], 8, 16 * 2 * 34));
    let header = read(&gguf.bytes()).unwrap();
    let [first, second, _] = &header.tensor_types[..] else { panic!("{header:?}") };
    assert_eq!(*first, types("Q4_0", all, 64 * 2 * 18));
    assert_eq!(*second, types("Q8_0", 16 * 2 * 34, 16 * 2 * 34));
    assert_eq!((header.embedding_bytes, header.tied_embeddings), (16 * 2 * 18, false));
}

#[test]
fn experts_are_counted() {
    let mut gguf = Gguf::tiny()
        .with("llama.expert_count", u32_value(8))
        .with("llama.expert_used_count", u32_value(2))
        .with("tokenizer.ggml.merges", string_array(&["a é", "a a"]))
        .with("llama.feed_forward_length", u32_array(&[128, 96]));
    gguf.tensors.push(tensor("blk.0.ffn_up_exps.weight", &[64, 128, 8], 2, 8 * 128 * 2 * 18));
    gguf.tensors.push(tensor("blk.0.ffn_up_shexp.weight", &[64, 128], 2, 128 * 2 * 18));
    let header = read(&gguf.bytes()).unwrap();
    assert_eq!((header.n_expert, header.n_expert_used, header.n_ff), (8, 2, 128));
    assert_eq!(header.n_merges, 2);
    assert_eq!(header.expert_bytes, 8 * 128 * 2 * 18);
    corrupt(&gguf.clone().with("llama.expert_used_count", u32_value(9)), "9 of its 8 experts");
    corrupt(&gguf.with("llama.expert_count", u32_value(u32::MAX)), "more than any model");
}

#[test]
fn known_architectures_are_sorted_and_the_usual_ones_are_there() {
    assert!(KNOWN_ARCHITECTURES.is_sorted());
    for name in ["llama", "gemma3", "qwen2", "qwen3", "phi3", "smollm3", "mamba", "gpt-oss"] {
        assert!(KNOWN_ARCHITECTURES.binary_search(&name).is_ok(), "{name}");
    }
}
