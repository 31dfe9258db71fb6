//! Writes a GGUF file with the shape of a well-known model and random weights.
//!
//! Arguments: `mimo-7b|phi-4 tiny|full f16|q8_0|q4_0|q4_k PATH`. With a number of parts after the path, which is then a
//! folder and a name, it is split.
#![allow(missing_docs)]

use pocketbench_testkit::gguf::{Format, Scale, Shape, write_model, write_split_model};
use std::path::Path;

const USAGE: &str = "usage: write-gguf mimo-7b|phi-4 tiny|full f16|q8_0|q4_0|q4_k PATH [PARTS]";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (shape, scale, format, path, parts) = match &arguments[..] {
        [shape, scale, format, path] => (shape, scale, format, Path::new(path), None),
        [shape, scale, format, path, parts] => (shape, scale, format, Path::new(path), Some(parts.parse()?)),
        _ => return Err(USAGE.into()),
    };
    let shape = match shape.as_str() {
        "mimo-7b" => Shape::MiMo7B,
        "phi-4" => Shape::Phi4,
        _ => return Err(USAGE.into()),
    };
    let scale = match scale.as_str() {
        "tiny" => Scale::Tiny,
        "full" => Scale::Full,
        _ => return Err(USAGE.into()),
    };
    let format = match format.as_str() {
        "f16" => Format::F16,
        "q8_0" => Format::Q8_0,
        "q4_0" => Format::Q4_0,
        "q4_k" => Format::Q4K,
        _ => return Err(USAGE.into()),
    };
    match parts {
        None => {
            write_model(path, shape, scale, format)?;
        }
        Some(parts) => {
            let folder = path.parent().unwrap_or(Path::new("."));
            let name = path.file_stem().ok_or(USAGE)?.to_string_lossy();
            write_split_model(folder, &name, parts, shape, scale, format)?;
        }
    }
    Ok(())
}
