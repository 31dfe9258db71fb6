//! Files that the test kit writes: llama.cpp loads them, whole or split, repacked or not, and says the same.

use pocketbench_domain::generate::{GenerateRequest, Limits, Prompt, Sampling};
use pocketbench_domain::settings::EngineSettings;
use pocketbench_engine::{CancelFlag, Engine, LoadedModel};
use pocketbench_testkit::gguf::{Format, Scale, Shape, write_model, write_split_model};
use std::path::Path;

fn load(path: &Path, change: impl FnOnce(&mut EngineSettings)) -> LoadedModel {
    let mut settings = EngineSettings::new(512, 2);
    change(&mut settings);
    let path = path.to_str().expect("the path is UTF-8");
    Engine::get()
        .unwrap()
        .load(path, &settings, &CancelFlag::default(), |_| ())
        .unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn says(model: &mut LoadedModel) -> String {
    let request = GenerateRequest {
        prompt: Prompt::Raw("a word and another".into()),
        sampling: Sampling { temperature: 0.0, ..Sampling::default() },
        limits: Limits { max_tokens: 12, stop: Vec::new(), ignore_eos: true },
        reuse_prefix: false,
    };
    let generation = model.generate(&request, |_, _| ()).unwrap();
    assert_eq!(generation.generated_tokens, 12);
    generation.text
}

#[test]
fn every_shape_and_format_is_loaded_and_decoded() {
    let folder = tempfile::tempdir().unwrap();
    for shape in [Shape::MiMo7B, Shape::Phi4] {
        for format in [Format::F16, Format::Q8_0, Format::Q4_0, Format::Q4K] {
            let path = folder.path().join(format!("{shape:?}-{}.gguf", format.name()));
            write_model(&path, shape, Scale::Tiny, format).unwrap();
            assert!(!says(&mut load(&path, |_| ())).is_empty());
        }
    }
}

#[test]
fn a_split_model_is_loaded_from_its_first_part() {
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole.gguf");
    write_model(&whole, Shape::MiMo7B, Scale::Tiny, Format::Q8_0).unwrap();
    let parts = write_split_model(folder.path(), "m", 3, Shape::MiMo7B, Scale::Tiny, Format::Q8_0).unwrap();
    let (mut whole, mut split) = (load(&whole, |_| ()), load(&parts[0], |_| ()));
    assert_eq!(split.loaded().n_params, whole.loaded().n_params);
    assert_eq!(says(&mut split), says(&mut whole));
}

#[test]
fn repacking_is_a_choice() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.gguf");
    write_model(&path, Shape::MiMo7B, Scale::Tiny, Format::Q4_0).unwrap();
    let weights = |model: &LoadedModel| model.loaded().weights_bytes();
    let (with, without) = (load(&path, |_| ()), load(&path, |s| s.repack = false));
    assert!(with.loaded().effective.repack && !without.loaded().effective.repack);
    assert!(without.loaded().buffers.iter().all(|b| b.buffer_type.starts_with("CPU") && b.buffer_type != "CPU_REPACK"));
    // Processors without AVX2 or dot products repack nothing.
    assert!(weights(&with) >= weights(&without));
}
