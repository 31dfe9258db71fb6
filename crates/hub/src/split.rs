//! Names of the parts of a split model: `NAME-00001-of-00003.gguf`, as llama.cpp writes and expects them
//! (`llama_split_path`).

use std::path::{Path, PathBuf};

/// Most parts of a split model. Names come from strangers, and all parts of a name are listed.
pub(crate) const MAX_PARTS: u32 = 999;

/// A part's place among the others, by its file name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PartName {
    prefix: String,
    ending: String,
    /// From 1.
    pub(crate) part: u32,
    /// At least 2.
    pub(crate) parts: u32,
}

impl PartName {
    /// What a file name says; `None` for an ordinary file and for the only part of one.
    pub(crate) fn of(file_name: &str) -> Option<Self> {
        let (stem, ending) = file_name.rsplit_once('.').filter(|(_, ending)| ending.eq_ignore_ascii_case("gguf"))?;
        let (rest, parts) = stem.rsplit_once("-of-")?;
        let (prefix, part) = rest.rsplit_once('-')?;
        let (part, parts) = (number(part)?, number(parts)?);
        (!prefix.is_empty() && (2..=MAX_PARTS).contains(&parts) && (1..=parts).contains(&part)).then(|| Self {
            prefix: prefix.to_owned(),
            ending: ending.to_owned(),
            part,
            parts,
        })
    }

    pub(crate) fn of_path(path: &Path) -> Option<Self> {
        Self::of(path.file_name()?.to_str()?)
    }

    /// File name of another part.
    pub(crate) fn file_name(&self, part: u32) -> String {
        format!("{}-{part:05}-of-{:05}.{}", self.prefix, self.parts, self.ending)
    }

    /// The model's name without the part's number.
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }
}

/// Exactly five digits.
fn number(digits: &str) -> Option<u32> {
    let all = digits.len() == 5 && digits.bytes().all(|b| b.is_ascii_digit());
    all.then(|| digits.parse().ok()).flatten()
}

/// The files of a model: the parts of a split one in order, given the path of any of them; else the path itself. Whether
/// they are there is not looked at.
#[must_use]
pub fn model_files(path: &Path) -> Vec<PathBuf> {
    match PartName::of_path(path) {
        Some(name) => (1..=name.parts).map(|part| path.with_file_name(name.file_name(part))).collect(),
        None => vec![path.to_path_buf()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_in_llama_cpps_form_are_parts() {
        let name = PartName::of("Phi-4-of-all-Q8_0-00002-of-00003.GGUF").unwrap();
        assert_eq!((name.prefix(), name.part, name.parts), ("Phi-4-of-all-Q8_0", 2, 3));
        assert_eq!(name.file_name(1), "Phi-4-of-all-Q8_0-00001-of-00003.GGUF");
        for ordinary in [
            "m.gguf",
            "m-00001-of-00001.gguf",
            "m-00000-of-00002.gguf",
            "m-00003-of-00002.gguf",
            "m-1-of-2.gguf",
            "m-000001-of-000002.gguf",
            "m-+0001-of-00002.gguf",
            "m-00001-of-01000.gguf",
            "m-00001-of-65535.gguf",
            "-00001-of-00002.gguf",
            "m-00001-of-00002.bin",
            "m-00001-of-00002.gguf.partial",
        ] {
            assert_eq!(PartName::of(ordinary), None, "{ordinary}");
        }
    }

    #[test]
    fn any_part_leads_to_all() {
        let all = ["a/m-00001-of-00003.gguf", "a/m-00002-of-00003.gguf", "a/m-00003-of-00003.gguf"].map(PathBuf::from);
        assert_eq!(model_files(&all[0]), all);
        assert_eq!(model_files(&all[2]), all);
        assert_eq!(model_files(Path::new("a/m.gguf")), [PathBuf::from("a/m.gguf")]);
    }
}
