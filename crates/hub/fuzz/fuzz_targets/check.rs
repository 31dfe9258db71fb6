// What must hold for any input. Shared by the fuzz targets and by the test that replays their corpus.

use pocketbench_domain::fit::{Fit, Machine, advice};
use pocketbench_domain::model::ModelHeader;
use pocketbench_domain::settings::EngineSettings;
use pocketbench_hub::{HeaderStart, model_files, parse_reference, read_header_from, read_header_start, safe_file_name};
use std::io::Cursor;
use std::path::Path;

/// A header that was accepted is consistent, and the prediction made of it holds together.
fn is_consistent(header: &ModelHeader, file_bytes: u64) {
    assert_eq!(header.n_head_kv.len(), header.n_layer as usize);
    assert!(header.n_head_kv.iter().all(|n| *n <= header.n_head));
    assert!(header.tensor_bytes <= file_bytes);
    assert!(header.embedding_bytes <= header.tensor_bytes);
    assert!(header.expert_bytes <= header.tensor_bytes);
    assert!(header.n_ctx_train > 0 && header.n_vocab > 0 && header.n_embd > 0 && header.parts > 0);
    assert!(header.tensor_types.iter().all(|t| t.matrix_bytes <= t.bytes));
    assert!(!header.name.chars().any(char::is_control));
    let machine = Machine { available_bytes: 1 << 30, cpu_features: vec!["avx2".into()], ..Machine::default() };
    let settings = EngineSettings::new(2048, 2);
    let fit = Fit::predict(header, &settings, file_bytes, &machine);
    assert_eq!(fit.anonymous_bytes.saturating_add(fit.file_backed_bytes), fit.predicted_bytes);
    let _ = advice(header, &settings, file_bytes, &machine);
}

/// A whole file.
#[allow(dead_code, reason = "each target checks one thing")]
pub(crate) fn header(file: &[u8]) {
    let size = file.len() as u64;
    if let Ok(header) = read_header_from(Cursor::new(file), size, "some-model-Q4_0") {
        is_consistent(&header, size);
        assert_eq!(header.tensor_types.iter().map(|t| t.bytes).sum::<u64>(), header.tensor_bytes);
    }
}

/// The first bytes of a file: two bytes say how many of the others are there, a third how many mebibytes the file goes on
/// beyond them.
#[allow(dead_code, reason = "each target checks one thing")]
pub(crate) fn header_start(input: &[u8]) {
    let Some(([low, high, more], file)) = input.split_first_chunk::<3>() else { return };
    let here = usize::from(u16::from_le_bytes([*low, *high])).min(file.len());
    let size = file.len() as u64 + (u64::from(*more) << 20);
    let whole = || read_header_from(Cursor::new(file), size, "some-model-Q4_0");
    match read_header_start(&file[..here], size, "some-model-Q4_0") {
        Ok(HeaderStart::NeedMore(needed)) => assert!(needed > here as u64 && needed <= size.min(1 << 20)),
        // The rest is weights: the whole file says the same.
        Ok(HeaderStart::Header { header, complete: true }) if *more == 0 => assert_eq!(header, whole().unwrap()),
        Ok(HeaderStart::Header { header, .. }) => is_consistent(&header, size),
        Err(_) if *more == 0 => assert!(whole().is_err(), "refused by its start, accepted as a whole"),
        Err(_) => {}
    }
}

/// A file name, and an address, from anywhere.
#[allow(dead_code, reason = "each target checks one thing")]
pub(crate) fn file_name(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let _ = parse_reference(text);
    let folder = Path::new("/models");
    if let Ok(name) = safe_file_name(text) {
        let path = folder.join(&name);
        assert_eq!(path.parent(), Some(folder));
        assert_eq!(path.file_name().and_then(|n| n.to_str()), Some(name.as_str()));
        let files = model_files(&path);
        assert!(files.contains(&path));
        assert!(files.iter().all(|file| file.parent() == Some(folder)));
        assert!(files.len() < 1_000);
    }
}
