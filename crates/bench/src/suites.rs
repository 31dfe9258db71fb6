//! The suites that ship with Pocketbench, and suites from files.

use pocketbench_domain::suite::{Suite, SuiteError};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// Why a suite could not be had.
#[derive(Debug, thiserror::Error)]
pub enum LoadSuiteError {
    /// No suite of that name ships.
    #[error("there is no suite `{0}`")]
    Unknown(String),
    /// The file could not be read.
    #[error("the suite file {} cannot be read: {source}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not a suite.
    #[error("the suite file {} is not valid: {source}", .path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: serde_json::Error,
    },
    /// The suite breaks a rule.
    #[error(transparent)]
    Invalid(#[from] SuiteError),
}

impl From<LoadSuiteError> for pocketbench_domain::ErrorReport {
    fn from(error: LoadSuiteError) -> Self {
        let known: Vec<&str> = SHIPPED.iter().map(|suite| suite.id.as_str()).collect();
        Self::new(pocketbench_domain::ErrorCode::SuiteInvalid, error.to_string())
            .hint(format!("Use one of these: {}; or the path of a suite file.", known.join(", ")))
    }
}

static SHIPPED: LazyLock<Vec<Suite>> = LazyLock::new(|| {
    [include_str!("../../../models/suites/quick.json")]
        .into_iter()
        .map(|text| serde_json::from_str(text).expect("a test reads every shipped suite"))
        .collect()
});

/// The suites that ship.
#[must_use]
pub fn shipped() -> &'static [Suite] {
    &SHIPPED
}

/// A suite by name, or from a file if the name ends in `.json`.
pub fn find(name: &str) -> Result<Suite, LoadSuiteError> {
    if let Some(suite) = SHIPPED.iter().find(|suite| suite.id == name) {
        return Ok(suite.clone());
    }
    if Path::new(name).extension().is_none_or(|e| e != "json") {
        return Err(LoadSuiteError::Unknown(name.to_owned()));
    }
    let path = PathBuf::from(name);
    let text = std::fs::read_to_string(&path).map_err(|source| LoadSuiteError::Read { path: path.clone(), source })?;
    let suite: Suite = serde_json::from_str(&text).map_err(|source| LoadSuiteError::Json { path, source })?;
    suite.validate()?;
    Ok(suite)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pocketbench_domain::suite::{Category, Work};
    use std::collections::HashSet;

    #[test]
    fn every_shipped_suite_is_valid() {
        for suite in shipped() {
            suite.validate().unwrap();
        }
    }

    #[test]
    fn quick_has_the_five_categories_and_ten_prompts_at_once() {
        let quick = find("quick").unwrap();
        let categories: HashSet<Category> = quick.tasks.iter().map(|task| task.category).collect();
        for category in [Category::ShortQa, Category::Code, Category::Mathematics, Category::LongForm, Category::Batch]
        {
            assert!(categories.contains(&category), "{category:?}");
        }
        assert!(quick.tasks.iter().any(|task| matches!(&task.work, Work::Batch(batch) if batch.prompts.len() == 10)));
    }

    #[test]
    fn unknown_and_broken_suites_are_refused() {
        assert!(matches!(find("nosuch"), Err(LoadSuiteError::Unknown(_))));
        assert!(matches!(find("/nowhere/suite.json"), Err(LoadSuiteError::Read { .. })));
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("suite.json");
        std::fs::write(&file, "{}").unwrap();
        assert!(matches!(find(file.to_str().unwrap()), Err(LoadSuiteError::Json { .. })));
        let mut suite = find("quick").unwrap();
        suite.repetitions = 0;
        std::fs::write(&file, serde_json::to_string(&suite).unwrap()).unwrap();
        assert!(matches!(find(file.to_str().unwrap()), Err(LoadSuiteError::Invalid(_))));
    }
}
