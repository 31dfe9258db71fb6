//! Models that are split over several files: one model, judged part by part.

mod common;

use common::{Gguf, raw_value, string_value, tensor, u16_value};
use pocketbench_domain::{ErrorCode, ErrorReport};
use pocketbench_hub::{FileError, GgufError, model_bytes, model_files, read_header, scan_models, sha256_model};
use pocketbench_testkit::gguf::{Format, Scale, Shape, write_model, write_split_model};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A model of three parts, as a tool writes it: metadata in the first, tensors in all.
fn parts() -> (TempDir, Vec<PathBuf>) {
    let folder = tempfile::tempdir().unwrap();
    let paths = write_split_model(folder.path(), "m", 3, Shape::MiMo7B, Scale::Tiny, Format::Q4_0).unwrap();
    (folder, paths)
}

fn report(path: &Path) -> ErrorReport {
    let report = ErrorReport::from(read_header(path).expect_err("accepted"));
    assert!(report.hint.is_some(), "{report:?}");
    report
}

#[test]
fn the_parts_together_are_the_model() {
    let (folder, paths) = parts();
    let whole = folder.path().join("whole.gguf");
    write_model(&whole, Shape::MiMo7B, Scale::Tiny, Format::Q4_0).unwrap();
    let (mut split, whole_header) = (read_header(&paths[0]).unwrap(), read_header(&whole).unwrap());
    assert_eq!(split.parts, 3);
    split.parts = 1;
    assert_eq!(split, whole_header);
    let sizes: u64 = paths.iter().map(|path| path.metadata().unwrap().len()).sum();
    assert_eq!(model_bytes(&paths[0]).unwrap(), sizes);
    assert_eq!(model_bytes(&paths[2]).unwrap(), sizes, "of the model, whichever part is named");
    assert_eq!(model_bytes(&whole).unwrap(), whole.metadata().unwrap().len());
    assert_eq!(scan_models(folder.path()), [paths[0].clone(), whole]);
}

#[test]
fn a_part_alone_names_the_first() {
    let (_folder, paths) = parts();
    let report = report(&paths[1]);
    assert_eq!(report.code, ErrorCode::InvalidInput);
    assert!(report.message.contains("part 2 of 3"), "{}", report.message);
    assert!(report.hint.unwrap().contains("m-00001-of-00003.gguf"));
}

#[test]
fn a_missing_part_is_named() {
    let (folder, paths) = parts();
    std::fs::remove_file(&paths[2]).unwrap();
    std::fs::write(folder.path().join("m-00003-of-00003.gguf.partial"), "x").unwrap();
    let missing = report(&paths[0]);
    assert_eq!(missing.code, ErrorCode::ModelFileTruncated);
    assert!(missing.message.contains("part 3 of 3, m-00003-of-00003.gguf"), "{}", missing.message);
    assert!(matches!(model_bytes(&paths[0]), Err(FileError::NotFound(path)) if path == paths[2]));
    // Without its first part it is still shown, so that someone can find out why.
    std::fs::remove_file(&paths[0]).unwrap();
    assert_eq!(scan_models(folder.path()), [paths[1].clone()]);
}

#[test]
fn each_part_is_judged_and_named() {
    for (part, damage, code, words) in [
        (1, Damage::Cut, ErrorCode::ModelFileTruncated, "m-00002-of-00003.gguf: "),
        (2, Damage::Other, ErrorCode::ModelFileNotGguf, "a web page"),
        (2, Damage::Swapped, ErrorCode::ModelFileCorrupt, "should be part 3 of 3"),
    ] {
        let (_folder, paths) = parts();
        match damage {
            Damage::Cut => {
                let bytes = std::fs::read(&paths[part]).unwrap();
                std::fs::write(&paths[part], &bytes[..bytes.len() - 100]).unwrap();
            }
            Damage::Other => std::fs::write(&paths[part], "<!DOCTYPE html>").unwrap(),
            Damage::Swapped => {
                std::fs::copy(&paths[1], &paths[part]).unwrap();
            }
        }
        let report = report(&paths[0]);
        assert_eq!(report.code, code, "{}", report.message);
        assert!(report.message.contains(words), "{}", report.message);
        assert!(report.message.contains(&format!("m-0000{}-of-00003.gguf", part + 1)), "{}", report.message);
    }
}

enum Damage {
    Cut,
    Other,
    Swapped,
}

fn part(no: u16, count: u16, tensors: i32) -> Gguf {
    let mut gguf = Gguf::tiny()
        .with("split.no", u16_value(no))
        .with("split.count", u16_value(count))
        .with("split.tensors.count", raw_value(5, &tensors.to_le_bytes()));
    if no > 0 {
        gguf.tensors = vec![tensor("blk.1.attn_q.weight", &[64, 64], 2, 64 * 2 * 18)];
    }
    gguf
}

fn two(first: &Gguf, second: &Gguf) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x-00001-of-00002.gguf");
    std::fs::write(&path, first.bytes()).unwrap();
    std::fs::write(folder.path().join("x-00002-of-00002.gguf"), second.bytes()).unwrap();
    (folder, path)
}

#[test]
fn parts_that_do_not_belong_together_are_refused() {
    let (_folder, path) = two(&part(0, 2, 4), &part(1, 2, 4));
    assert_eq!(read_header(&path).unwrap().n_params, 64 * 3 + 64 * 64 * 2 + 64);
    let mut twice = part(1, 2, 4);
    twice.tensors[0].name = "blk.0.attn_q.weight".into();
    for (first, second, words) in [
        (part(0, 2, 5), part(1, 2, 5), "hold 4 tensors and should hold 5"),
        (part(0, 2, -1), part(1, 2, -1), "should hold 0"),
        (part(0, 2, 4).without("split.tensors.count"), part(1, 2, 4), "`split.tensors.count`"),
        (part(0, 2, 4), part(1, 2, 9), "`split.tensors.count` is not that of the first part"),
        (part(0, 2, 4), part(1, 3, 4), "should be part 2 of 2"),
        (part(0, 2, 4), part(1, 2, 4).without("split.count"), "should be part 2 of 2"),
        (part(0, 2, 4), part(1, 2, 4).with("general.architecture", string_value("phi3")), "`general.architecture`"),
        (part(0, 2, 4), twice, "`blk.0.attn_q.weight` is in an earlier part"),
        (part(2, 2, 4), part(1, 2, 4), "part 3 of 2"),
        (part(0, u16::MAX, 4), part(1, 2, 4), "split over 65535 files"),
        (part(0, 2, 4).with("split.no", raw_value(4, &[0; 4])), part(1, 2, 4), "not a 16-bit number"),
    ] {
        let (_folder, path) = two(&first, &second);
        let report = report(&path);
        assert_eq!(report.code, ErrorCode::ModelFileCorrupt, "{}", report.message);
        assert!(report.message.contains(words), "`{words}` is not in: {}", report.message);
    }
}

#[test]
fn names_that_hide_the_parts_are_refused() {
    // llama.cpp finds the others by their names.
    let folder = tempfile::tempdir().unwrap();
    for (name, gguf, words) in [
        ("renamed.gguf", part(0, 2, 4), "its name does not say so"),
        ("x-00001-of-00003.gguf", part(0, 2, 4), "its name does not say so"),
        ("y-00001-of-00002.gguf", Gguf::tiny(), "holds a model on its own"),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, gguf.bytes()).unwrap();
        let error = read_header(&path).unwrap_err();
        assert!(matches!(&error, GgufError::PartName(problem) if problem.contains(words)), "{name}: {error:?}");
        assert_eq!(ErrorReport::from(error).code, ErrorCode::InvalidInput);
    }
}

#[test]
fn the_hash_is_that_of_the_parts_joined() {
    let folder = tempfile::tempdir().unwrap();
    let first = folder.path().join("abc-00001-of-00002.gguf");
    std::fs::write(&first, "a").unwrap();
    std::fs::write(folder.path().join("abc-00002-of-00002.gguf"), "bc").unwrap();
    let mut seen = Vec::new();
    let hash = sha256_model(&model_files(&first), |done| {
        seen.push(done);
        ControlFlow::Continue(())
    });
    // The example of FIPS 180-2 for `abc`.
    assert_eq!(hash.unwrap(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_eq!(seen, [1, 3]);
    assert!(matches!(sha256_model(&model_files(&first), |_| ControlFlow::Break(())), Err(FileError::Cancelled)));
}
