//! Compiles the C++ shim and lays llama.cpp's libraries beside the executables, as they lie in a package.

use std::path::{Path, PathBuf};

fn main() {
    println!("cargo:rerun-if-changed=src/memory_breakdown.cpp");
    cc::Build::new().cpp(true).std("c++17").file("src/memory_breakdown.cpp").compile("pocketbench_shim");

    // Set by `llama-cpp-sys-2` for its direct dependants.
    println!("cargo:rerun-if-env-changed=DEP_LLAMA_ROOT");
    if let Some(built) = std::env::var_os("DEP_LLAMA_ROOT").map(PathBuf::from) {
        // …/target/PROFILE/build/pocketbench-engine-HASH/out
        let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
        let profile = out.ancestors().nth(3).expect("OUT_DIR lies three folders deep").to_path_buf();
        place(&built.join("backends"), &profile, |name| name.contains("ggml-"));
        // Libraries under the names that the loader asks for, in all three folders where `llama-cpp-sys-2` puts links to
        // those names: without them the links dangle, and its next build stops at "file exists".
        for folder in [profile.clone(), profile.join("deps"), profile.join("examples")] {
            place(&built.join("lib"), &folder, |name| name.contains(".so.") || ends(name, "dylib"));
            place(&built.join("bin"), &folder, |name| ends(name, "dll"));
        }
    }
}

fn ends(name: &str, extension: &str) -> bool {
    Path::new(name).extension().is_some_and(|e| e.eq_ignore_ascii_case(extension))
}

/// Links the chosen files of `from` into `to`, or copies them where links are not to be had.
fn place(from: &Path, to: &Path, chosen: impl Fn(&str) -> bool) {
    let Ok(entries) = std::fs::read_dir(from) else { return };
    std::fs::create_dir_all(to).ok();
    for entry in entries.flatten() {
        let name = entry.file_name();
        if !chosen(&name.to_string_lossy()) {
            continue;
        }
        let (Ok(source), target) = (entry.path().canonicalize(), to.join(&name)) else { continue };
        std::fs::remove_file(&target).ok();
        if std::fs::hard_link(&source, &target).is_err() {
            std::fs::copy(&source, &target).expect("llama.cpp's libraries can be laid beside the executable");
        }
    }
}
