//! Hashes and the models folder.

use pocketbench_domain::{ErrorCode, ErrorReport};
use pocketbench_hub::{FileError, scan_models, sha256_file};
use std::fs::{create_dir, write};
use std::ops::ControlFlow;
use std::path::Path;

#[test]
fn a_hash_is_the_files_identity() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("abc");
    // The examples of FIPS 180-2.
    write(&path, "abc").unwrap();
    let hash = sha256_file(&path, |_| ControlFlow::Continue(())).unwrap();
    assert_eq!(hash, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    write(&path, "a".repeat(1_000_000)).unwrap();
    let hash = sha256_file(&path, |_| ControlFlow::Continue(())).unwrap();
    assert_eq!(hash, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    write(&path, "").unwrap();
    let hash = sha256_file(&path, |_| ControlFlow::Break(())).unwrap();
    assert_eq!(hash, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

#[test]
fn hashing_reports_progress_and_stops_when_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large");
    let size = (5 << 20) + 3;
    write(&path, vec![7u8; size]).unwrap();
    let mut seen = Vec::new();
    sha256_file(&path, |done| {
        seen.push(done);
        ControlFlow::Continue(())
    })
    .unwrap();
    assert!(seen.is_sorted() && seen.len() >= 6, "{seen:?}");
    assert_eq!(*seen.last().unwrap(), size as u64);

    let mut calls = 0;
    let stopped = sha256_file(&path, |done| {
        calls += 1;
        if done >= 2 << 20 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert!(matches!(stopped, Err(FileError::Cancelled)));
    assert!(calls < seen.len());
    assert_eq!(ErrorReport::from(FileError::Cancelled).code, ErrorCode::Cancelled);
    for path in [folder.path(), &folder.path().join("none")] {
        let error = sha256_file(path, |_| ControlFlow::Continue(())).unwrap_err();
        assert_eq!(ErrorReport::from(error).code, ErrorCode::ModelFileNotFound);
    }
}

fn names(folder: &Path) -> Vec<String> {
    scan_models(folder).iter().map(|p| p.strip_prefix(folder).unwrap().to_str().unwrap().replace('\\', "/")).collect()
}

#[test]
fn the_folder_and_the_folders_in_it_are_scanned() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    for name in ["sub", "sub/deeper", ".cache", "trap.gguf"] {
        create_dir(root.join(name)).unwrap();
    }
    for name in [
        "b.gguf",
        "A.GGUF",
        "c.gguf.partial",
        "notes.txt",
        "gguf",
        ".hidden.gguf",
        "sub/d.gguf",
        "sub/._d.gguf",
        "sub/deeper/e.gguf",
        ".cache/f.gguf",
        "trap.gguf/g.gguf",
    ] {
        write(root.join(name), "x").unwrap();
    }
    assert_eq!(names(root), ["A.GGUF", "b.gguf", "sub/d.gguf", "trap.gguf/g.gguf"]);
    assert!(scan_models(&root.join("none")).is_empty());
}

#[cfg(unix)]
#[test]
fn links_are_followed_only_inside() {
    use std::os::unix::fs::symlink;
    let outside = tempfile::tempdir().unwrap();
    write(outside.path().join("secret.gguf"), "x").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    create_dir(root.join("sub")).unwrap();
    write(root.join("sub/a.gguf"), "x").unwrap();
    symlink(root.join("sub/a.gguf"), root.join("inside.gguf")).unwrap();
    symlink(outside.path().join("secret.gguf"), root.join("out.gguf")).unwrap();
    symlink(outside.path(), root.join("outdir")).unwrap();
    symlink(root, root.join("loop")).unwrap();
    symlink(root.join("gone.gguf"), root.join("broken.gguf")).unwrap();
    assert_eq!(names(root), ["inside.gguf", "loop/inside.gguf", "sub/a.gguf"]);
}
