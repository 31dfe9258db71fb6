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
    [
        include_str!("../../../models/suites/quick.json"),
        include_str!("../../../models/suites/standard.json"),
        include_str!("../../../models/suites/full.json"),
    ]
    .into_iter()
    .map(|text| serde_json::from_str(text).expect("a test reads every shipped suite"))
    .collect()
});

/// The suites that ship, the shortest first.
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
    use pocketbench_domain::generate::{Limits, Message, Prompt, Role};
    use pocketbench_domain::suite::{Category, Task, Work};
    use std::collections::HashSet;

    const ANSWERED: [Category; 5] =
        [Category::ShortQa, Category::Code, Category::Mathematics, Category::LongForm, Category::Batch];

    /// Prompts and limits of a task that answers.
    fn asked(task: &Task) -> Option<(&[Prompt], &Limits)> {
        match &task.work {
            Work::Generate(request) => Some((std::slice::from_ref(&request.prompt), &request.limits)),
            Work::Batch(request) => Some((&request.prompts, &request.limits)),
            Work::Load { .. } | Work::Synthetic(_) => None,
        }
    }

    fn messages(prompt: &Prompt) -> &[Message] {
        let Prompt::Messages(messages) = prompt else { panic!("{prompt:?} bypasses the chat template") };
        messages
    }

    /// Tokens of a prompt, on the high side: one for four bytes of plain English, one for each byte of other letters,
    /// and a template's marks around each message.
    fn prompt_tokens(prompt: &Prompt) -> usize {
        let text = |text: &str| {
            let ascii = text.bytes().filter(u8::is_ascii).count();
            ascii.div_ceil(4) + (text.len() - ascii)
        };
        messages(prompt).iter().map(|message| text(&message.content) + 16).sum()
    }

    #[test]
    fn every_shipped_suite_is_valid_and_has_a_name_of_its_own() {
        let mut names = HashSet::new();
        for suite in shipped() {
            suite.validate().unwrap();
            assert!(names.insert((&suite.id, suite.version)), "{} twice", suite.id);
            assert!(!suite.title.is_empty() && !suite.description.is_empty());
            assert_eq!(&find(&suite.id).unwrap(), suite);
        }
        let ids: Vec<&str> = shipped().iter().map(|suite| suite.id.as_str()).collect();
        assert_eq!(ids, ["quick", "standard", "full"]);
        let repetitions: Vec<u32> = shipped().iter().map(|suite| suite.repetitions).collect();
        assert_eq!(repetitions, [3, 5, 10]);
    }

    #[test]
    fn every_suite_loads_both_ways_and_has_the_five_categories_and_ten_prompts_at_once() {
        for suite in shipped() {
            for cold in [true, false] {
                assert!(suite.tasks.iter().any(|task| task.work == Work::Load { cold }), "{}", suite.id);
            }
            for category in ANSWERED {
                let tasks = suite.tasks.iter().filter(|task| task.category == category).count();
                let least = if suite.id == "quick" { 1 } else { 2 };
                assert!(tasks >= least, "{}: {tasks} of {category:?}", suite.id);
            }
            for task in suite.tasks.iter().filter(|task| task.category == Category::Batch) {
                let Work::Batch(batch) = &task.work else { panic!("{} is no batch", task.id) };
                assert_eq!((batch.prompts.len(), batch.in_turn), (10, true), "{}: {}", suite.id, task.id);
            }
        }
    }

    #[test]
    fn answers_are_as_long_as_their_category_says() {
        for (suite, task) in shipped().iter().flat_map(|suite| suite.tasks.iter().map(move |task| (suite, task))) {
            let range = match task.category {
                Category::ShortQa => 50..=100,
                Category::Code => 200..=400,
                Category::Mathematics => 100..=300,
                Category::LongForm => 1_000..=u32::MAX,
                Category::Batch => 1..=u32::MAX,
                Category::Load | Category::Synthetic => {
                    assert!(asked(task).is_none(), "{}: {} asks", suite.id, task.id);
                    continue;
                }
            };
            let (_, limits) = asked(task).unwrap_or_else(|| panic!("{}: {} asks nothing", suite.id, task.id));
            assert!(range.contains(&limits.max_tokens), "{}: {}: {}", suite.id, task.id, limits.max_tokens);
        }
    }

    #[test]
    fn prompts_are_plain_text_in_one_style() {
        for prompt in shipped().iter().flat_map(|s| &s.tasks).filter_map(asked).flat_map(|(prompts, _)| prompts) {
            let [system, user] = messages(prompt) else { panic!("{prompt:?}") };
            assert_eq!((system.role, user.role), (Role::System, Role::User));
            assert_eq!(system.content, "You are a helpful assistant. Answer in plain words.");
            let text = &user.content;
            assert!(text.len() >= 10 && text.trim() == text && !text.contains("  "), "{text:?}");
            // Control, invisible and private characters, and the mark of what could not be decoded.
            let invisible = ['\u{200b}'..='\u{200f}', '\u{2028}'..='\u{202e}', '\u{e000}'..='\u{f8ff}'];
            let odd = |c: char| {
                c.is_control() || ['\u{feff}', '\u{fffd}'].contains(&c) || invisible.iter().any(|r| r.contains(&c))
            };
            assert!(!text.contains(odd), "{text:?}");
            // What chat templates mark turns with must not come from a prompt.
            assert!(!text.contains("<|") && !text.contains("<start_of_turn>") && !text.contains("[INST]"), "{text:?}");
        }
    }

    #[test]
    fn no_prompt_occurs_twice_but_as_a_variant_of_fixed_length() {
        for suite in shipped() {
            let mut seen = HashSet::new();
            let mut fixed = HashSet::new();
            for task in &suite.tasks {
                let Some((prompts, limits)) = asked(task) else { continue };
                assert_eq!(limits.ignore_eos, task.id.ends_with("-fixed"), "{}: {}", suite.id, task.id);
                if limits.ignore_eos {
                    let of = |other: &&Task| {
                        let asks = asked(other);
                        other.category == task.category
                            && asks.is_some_and(|(p, l)| {
                                p == prompts && l.max_tokens == limits.max_tokens && !l.ignore_eos
                            })
                    };
                    assert!(suite.tasks.iter().any(|other| of(&other)), "{}: {} is no variant", suite.id, task.id);
                    assert!(fixed.insert(task.category), "{}: two variants of {:?}", suite.id, task.category);
                    continue;
                }
                for prompt in prompts {
                    let text = messages(prompt)[1].content.to_lowercase();
                    assert!(seen.insert(text.clone()), "{}: {text:?} twice", suite.id);
                }
            }
            if suite.id == "full" {
                assert_eq!(fixed, HashSet::from(ANSWERED));
            }
        }
    }

    #[test]
    fn a_task_is_the_same_in_every_suite_that_has_it_and_longer_suites_have_all_of_the_shorter() {
        for pair in shipped().windows(2) {
            for task in &pair[0].tasks {
                assert!(pair[1].tasks.contains(task), "{} of {} is not in {}", task.id, pair[0].id, pair[1].id);
            }
        }
        let tasks: Vec<&Task> = shipped().iter().flat_map(|suite| &suite.tasks).collect();
        for task in &tasks {
            assert!(tasks.iter().all(|other| other.id != task.id || other == task), "{} is two tasks", task.id);
        }
    }

    #[test]
    fn every_task_fits_the_context_of_its_suite() {
        for (suite, task) in shipped().iter().flat_map(|suite| suite.tasks.iter().map(move |task| (suite, task))) {
            let needed = match (&task.work, asked(task)) {
                // The sequences of a batch share the context.
                (_, Some((prompts, limits))) => {
                    prompts.iter().map(|prompt| prompt_tokens(prompt) + limits.max_tokens as usize).sum()
                }
                (Work::Synthetic(s), _) => (s.n_depth + s.n_prompt + s.n_gen) as usize,
                _ => 1,
            };
            assert!(needed <= suite.n_ctx as usize, "{}: {} needs {needed} of {}", suite.id, task.id, suite.n_ctx);
        }
    }

    #[test]
    fn random_tokens_are_taken_at_the_stated_lengths_and_depths() {
        let shapes = |id: &str| -> HashSet<(u32, u32, u32)> {
            let suite = find(id).unwrap();
            let works = suite.tasks.iter().map(|task| &task.work);
            works
                .filter_map(|work| match work {
                    Work::Synthetic(s) => Some((s.n_prompt, s.n_gen, s.n_depth)),
                    _ => None,
                })
                .collect()
        };
        assert_eq!(shapes("standard"), HashSet::from([(512, 0, 0), (0, 128, 0), (512, 0, 2048), (0, 128, 2048)]));
        assert_eq!(
            shapes("full"),
            HashSet::from([
                (128, 0, 0),
                (512, 0, 0),
                (2048, 0, 0),
                (0, 32, 0),
                (0, 128, 0),
                (512, 0, 1024),
                (0, 128, 1024),
                (512, 0, 2048),
                (0, 128, 2048),
                (512, 0, 4096),
                (0, 128, 4096),
            ])
        );
    }

    #[test]
    fn who_asks_for_an_unknown_suite_is_told_all_that_there_are() {
        let report = pocketbench_domain::ErrorReport::from(find("nosuch").unwrap_err());
        let hint = report.hint.unwrap();
        for suite in shipped() {
            assert!(hint.contains(&suite.id), "{hint}");
        }
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
