//! The corpus of the fuzz targets stays green: everything that was ever found interesting, seeds and former crashes alike,
//! is judged again by the same checks.

#[path = "../fuzz/fuzz_targets/check.rs"]
mod check;

use std::path::Path;

fn replay(target: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut files: Vec<_> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 10, "{} has {} files", folder.display(), files.len());
    for file in files {
        let input = std::fs::read(&file).unwrap();
        let result = std::panic::catch_unwind(|| check(&input));
        assert!(result.is_ok(), "{}", file.display());
    }
}

#[test]
fn headers() {
    replay("header", check::header);
}

#[test]
fn starts_of_headers() {
    replay("header_start", check::header_start);
}

#[test]
fn file_names() {
    replay("file_name", check::file_name);
}
