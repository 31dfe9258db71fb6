//! Number formats of tensors, and names of quantization recipes.

use crate::gguf::TypeBytes;

/// One of ggml's number formats.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TensorType {
    /// `ggml_type` in the file.
    pub(crate) id: u32,
    /// Name without the `GGML_TYPE_`.
    pub(crate) name: &'static str,
    /// Values a block.
    pub(crate) block: u64,
    /// Bytes a block.
    pub(crate) bytes: u64,
}

const fn of(id: u32, name: &'static str, block: u64, bytes: u64) -> TensorType {
    TensorType { id, name, block, bytes }
}

/// The formats of llama.cpp as pinned by `llama-cpp-sys-2` 0.1.160 (`ggml/include/ggml.h`; block sizes from
/// `ggml/src/ggml-common.h`). Numbers that are missing stand for formats that were removed.
const TYPES: &[TensorType] = &[
    of(0, "F32", 1, 4),
    of(1, "F16", 1, 2),
    of(2, "Q4_0", 32, 18),
    of(3, "Q4_1", 32, 20),
    of(6, "Q5_0", 32, 22),
    of(7, "Q5_1", 32, 24),
    of(8, "Q8_0", 32, 34),
    of(9, "Q8_1", 32, 36),
    of(10, "Q2_K", 256, 84),
    of(11, "Q3_K", 256, 110),
    of(12, "Q4_K", 256, 144),
    of(13, "Q5_K", 256, 176),
    of(14, "Q6_K", 256, 210),
    of(15, "Q8_K", 256, 292),
    of(16, "IQ2_XXS", 256, 66),
    of(17, "IQ2_XS", 256, 74),
    of(18, "IQ3_XXS", 256, 98),
    of(19, "IQ1_S", 256, 50),
    of(20, "IQ4_NL", 32, 18),
    of(21, "IQ3_S", 256, 110),
    of(22, "IQ2_S", 256, 82),
    of(23, "IQ4_XS", 256, 136),
    of(24, "I8", 1, 1),
    of(25, "I16", 1, 2),
    of(26, "I32", 1, 4),
    of(27, "I64", 1, 8),
    of(28, "F64", 1, 8),
    of(29, "IQ1_M", 256, 56),
    of(30, "BF16", 1, 2),
    of(34, "TQ1_0", 256, 54),
    of(35, "TQ2_0", 256, 66),
    of(39, "MXFP4", 32, 17),
    of(40, "NVFP4", 64, 36),
    of(41, "Q1_0", 128, 18),
    of(42, "Q2_0", 64, 18),
];

/// The format with this number.
pub(crate) fn tensor_type(id: u32) -> Option<&'static TensorType> {
    TYPES.binary_search_by_key(&id, |t| t.id).ok().map(|index| &TYPES[index])
}

/// Recipes by `general.file_type` (`llama_ftype` in `include/llama.h` of the same version): number, name, and the formats
/// that distinguish it. A recipe mixes formats: the large matrices get one of these, others get more bits.
const RECIPES: &[(u32, &str, &[&str])] = &[
    (0, "F32", &["F32"]),
    (1, "F16", &["F16"]),
    (2, "Q4_0", &["Q4_0"]),
    (3, "Q4_1", &["Q4_1"]),
    (7, "Q8_0", &["Q8_0"]),
    (8, "Q5_0", &["Q5_0"]),
    (9, "Q5_1", &["Q5_1"]),
    (10, "Q2_K", &["Q2_K"]),
    (11, "Q3_K_S", &["Q3_K"]),
    (12, "Q3_K_M", &["Q3_K"]),
    (13, "Q3_K_L", &["Q3_K"]),
    (14, "Q4_K_S", &["Q4_K"]),
    (15, "Q4_K_M", &["Q4_K"]),
    (16, "Q5_K_S", &["Q5_K"]),
    (17, "Q5_K_M", &["Q5_K"]),
    (18, "Q6_K", &["Q6_K"]),
    (19, "IQ2_XXS", &["IQ2_XXS"]),
    (20, "IQ2_XS", &["IQ2_XS"]),
    (21, "Q2_K_S", &["Q2_K"]),
    (22, "IQ3_XS", &["IQ3_XXS", "IQ3_S"]),
    (23, "IQ3_XXS", &["IQ3_XXS"]),
    (24, "IQ1_S", &["IQ1_S"]),
    (25, "IQ4_NL", &["IQ4_NL"]),
    (26, "IQ3_S", &["IQ3_S"]),
    (27, "IQ3_M", &["IQ3_S"]),
    (28, "IQ2_S", &["IQ2_XS", "IQ2_S"]),
    (29, "IQ2_M", &["IQ2_S"]),
    (30, "IQ4_XS", &["IQ4_XS"]),
    (31, "IQ1_M", &["IQ1_M"]),
    (32, "BF16", &["BF16"]),
    (36, "TQ1_0", &["TQ1_0"]),
    (37, "TQ2_0", &["TQ2_0"]),
    (38, "MXFP4", &["MXFP4"]),
    (39, "NVFP4", &["NVFP4"]),
    (40, "Q1_0", &["Q1_0"]),
    (41, "Q2_0", &["Q2_0"]),
];

/// Name of a file's quantization: the recipe that the file names, if it holds a tensor of the recipe's own format;
/// otherwise the format that holds most of its bytes. So a file whose `general.file_type` was forgotten or is wrong is
/// named by what is in it. `types` must not be empty.
pub(crate) fn quantization(file_type: Option<u32>, types: &[TypeBytes]) -> &'static str {
    let largest = types.iter().max_by_key(|t| t.bytes).map_or("none", |t| t.format.name);
    let recipe = file_type.and_then(|id| RECIPES.iter().find(|recipe| recipe.0 == id));
    let Some((_, name, formats)) = recipe else { return largest };
    // Every file has small tensors in full precision, so those formats must hold most of it.
    let evident = if matches!(*name, "F32" | "F16" | "BF16") {
        formats.contains(&largest)
    } else {
        types.iter().any(|t| formats.contains(&t.format.name))
    };
    if evident { name } else { largest }
}

/// Recipe and main format of a file of which only the start is known: as `general.file_type` says, else as a piece of the
/// file's name says, since files exist that give 0 (`F32`) for want of knowing better.
pub(crate) fn recipe(file_type: Option<u32>, stem: &str) -> Option<(&'static str, &'static TensorType)> {
    let said = RECIPES.iter().find(|recipe| Some(recipe.0) == file_type.filter(|id| *id != 0));
    let named = || {
        let mut pieces = stem.split(['-', '.']).rev();
        pieces.find_map(|piece| RECIPES.iter().find(|recipe| recipe.1.eq_ignore_ascii_case(piece)))
    };
    let (_, name, formats) = said.or_else(named)?;
    let format = TYPES.iter().find(|t| Some(&t.name) == formats.first())?;
    Some((name, format))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_sorted_so_that_the_search_finds_each() {
        for t in TYPES {
            assert_eq!(tensor_type(t.id), Some(t));
        }
        for removed in [4, 5, 31, 36, 38, 43, u32::MAX] {
            assert_eq!(tensor_type(removed), None);
        }
    }

    #[test]
    fn every_recipe_names_formats_that_exist() {
        for (_, name, formats) in RECIPES {
            assert!(formats.iter().all(|f| TYPES.iter().any(|t| t.name == *f)), "{name}");
        }
    }

    #[test]
    fn a_file_is_named_by_its_recipe_unless_its_tensors_say_otherwise() {
        let bytes = |list: &[(&str, u64)]| -> Vec<TypeBytes> {
            let format = |name: &str| TYPES.iter().find(|t| t.name == name).unwrap();
            list.iter().map(|(name, n)| TypeBytes { format: format(name), bytes: *n, matrix_bytes: 0 }).collect()
        };
        // Small models keep a large embedding matrix at more bits: the recipe still is the recipe.
        assert_eq!(quantization(Some(15), &bytes(&[("Q8_0", 170), ("Q4_K", 70), ("F32", 1)])), "Q4_K_M");
        assert_eq!(quantization(Some(15), &bytes(&[("F16", 170), ("F32", 1)])), "F16", "a wrong file type");
        assert_eq!(quantization(None, &bytes(&[("Q8_0", 170), ("F32", 9)])), "Q8_0");
        assert_eq!(quantization(Some(9999), &bytes(&[("BF16", 170)])), "BF16");
        assert_eq!(
            quantization(Some(0), &bytes(&[("F16", 170), ("F32", 9)])),
            "F16",
            "0 is also what a file says that forgot"
        );
        assert_eq!(quantization(Some(0), &bytes(&[("F32", 9)])), "F32");
    }

    #[test]
    fn a_recipe_is_told_by_the_file_type_or_else_by_the_name() {
        let name = |file_type, stem| recipe(file_type, stem).map(|(name, format)| (name, format.name));
        assert_eq!(name(Some(15), "model"), Some(("Q4_K_M", "Q4_K")));
        assert_eq!(name(Some(15), "model-Q8_0"), Some(("Q4_K_M", "Q4_K")));
        assert_eq!(name(Some(0), "model-Q8_0"), Some(("Q8_0", "Q8_0")));
        assert_eq!(name(None, "model-7b.q5_k_s-00001-of-00002"), Some(("Q5_K_S", "Q5_K")));
        assert_eq!(name(None, "model-7b"), None);
        assert_eq!(name(Some(0), "model"), None);
    }
}
