//! The suites that ship with Pocketbench, and suites from files.

use pocketbench_domain::generate::{GenerateRequest, Limits, Message, Prompt, Role, Sampling};
use pocketbench_domain::suite::{Category, Suite, SuiteError, Task, Work};
use sha2::{Digest, Sha256};
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
        include_str!("../../../models/suites/sustained.json"),
        include_str!("../../../models/suites/sweeps/threads.json"),
        include_str!("../../../models/suites/sweeps/context.json"),
        include_str!("../../../models/suites/sweeps/kv-type.json"),
        include_str!("../../../models/suites/sweeps/micro-batch.json"),
        include_str!("../../../models/suites/sweeps/flash-attention.json"),
        include_str!("../../../models/suites/sweeps/gpu-layers.json"),
        include_str!("../../../models/suites/sweeps/repack.json"),
        include_str!("../../../models/suites/sweeps/mmap.json"),
        include_str!("../../../models/suites/sweeps/free-memory.json"),
    ]
    .into_iter()
    .map(|text| serde_json::from_str(text).expect("a test reads every shipped suite"))
    .collect()
});

/// The suites that ship: those that compare models, the shortest first, then the sweeps.
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

/// Minutes that a suite's sustained task lasts, where it has one.
#[must_use]
pub fn minutes(suite: &Suite) -> Option<u32> {
    let mut tasks = suite.tasks.iter();
    tasks.find_map(|task| if let Work::Sustained(s) = &task.work { Some(s.seconds / 60) } else { None })
}

/// Lets a suite's sustained tasks last as many minutes.
pub fn set_minutes(suite: &mut Suite, minutes: u32) {
    for task in &mut suite.tasks {
        if let Work::Sustained(sustained) = &mut task.work {
            sustained.seconds = minutes.saturating_mul(60);
        }
    }
}

/// Tokens that a text of one byte a token would have, and the template around it.
const TEMPLATE_TOKENS: usize = 128;

/// A suite of somebody's own prompts. Its id tells what is in it, so that only runs of the same work are put together.
#[must_use]
pub fn custom(prompts: &[String], max_tokens: u32, repetitions: u32, fixed_length: bool) -> Suite {
    let content = serde_json::json!([prompts, max_tokens, fixed_length]).to_string();
    let limits = Limits { max_tokens, stop: Vec::new(), ignore_eos: fixed_length };
    let title = |prompt: &str| {
        let line = prompt.lines().find(|line| !line.trim().is_empty()).unwrap_or_default().trim();
        let short: String = line.chars().take(60).collect();
        if short.len() < line.len() { format!("{short}…") } else { short }
    };
    let task = |(n, prompt): (usize, &String)| Task {
        id: format!("prompt-{}", n + 1),
        category: Category::Custom,
        title: title(prompt),
        work: Work::Generate(GenerateRequest {
            prompt: Prompt::Messages(vec![Message { role: Role::User, content: prompt.clone() }]),
            sampling: Sampling::default(),
            limits: limits.clone(),
            reuse_prefix: false,
        }),
    };
    let longest =
        prompts.iter().map(String::len).max().unwrap_or(0).div_ceil(2) + TEMPLATE_TOKENS + max_tokens as usize;
    Suite {
        id: format!(
            "custom-{:08x}",
            u32::from_be_bytes(*Sha256::digest(content.as_bytes()).first_chunk().unwrap_or(&[0; 4]))
        ),
        version: 1,
        title: "Custom".into(),
        description: "Prompts of your own.".into(),
        repetitions,
        warmup_max_tokens: 8,
        n_ctx: u32::try_from(longest.next_multiple_of(1024)).unwrap_or(u32::MAX),
        tasks: prompts.iter().enumerate().map(task).collect(),
        sweep: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pocketbench_domain::sweep::Sweep;
    use std::collections::HashSet;

    const ANSWERED: [Category; 5] =
        [Category::ShortQa, Category::Code, Category::Mathematics, Category::LongForm, Category::Batch];

    /// The suites of many tasks, each a longer form of the one before.
    fn latency() -> &'static [Suite] {
        &shipped()[..3]
    }

    /// Prompts and limits of a task that answers.
    fn asked(task: &Task) -> Option<(&[Prompt], &Limits)> {
        match &task.work {
            Work::Generate(request) => Some((std::slice::from_ref(&request.prompt), &request.limits)),
            Work::Batch(request) => Some((&request.prompts, &request.limits)),
            Work::Sustained(s) => Some((std::slice::from_ref(&s.request.prompt), &s.request.limits)),
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
        assert_eq!(ids[..4], ["quick", "standard", "full", "sustained"]);
        let repetitions: Vec<u32> = shipped().iter().map(|suite| suite.repetitions).collect();
        assert_eq!(repetitions[..4], [3, 5, 10, 1]);
        // A sweep is found by the name of what it changes.
        for suite in &shipped()[4..] {
            assert_eq!(suite.sweep.as_ref().map(Sweep::axis), Some(suite.id.as_str()));
        }
    }

    #[test]
    fn every_suite_loads_both_ways_and_has_the_five_categories_and_ten_prompts_at_once() {
        for suite in latency() {
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
        for (suite, task) in latency().iter().flat_map(|suite| suite.tasks.iter().map(move |task| (suite, task))) {
            let range = match task.category {
                Category::ShortQa => 50..=100,
                Category::Code => 200..=400,
                Category::Mathematics => 100..=300,
                Category::LongForm => 1_000..=u32::MAX,
                Category::Batch => 1..=u32::MAX,
                Category::Load | Category::Synthetic | Category::Sustained | Category::Custom => {
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
        for suite in latency() {
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
        for pair in latency().windows(2) {
            for task in &pair[0].tasks {
                assert!(pair[1].tasks.contains(task), "{} of {} is not in {}", task.id, pair[0].id, pair[1].id);
            }
        }
        let tasks: Vec<&Task> = latency().iter().flat_map(|suite| &suite.tasks).collect();
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

    #[test]
    fn a_sustained_suite_lasts_as_many_minutes_as_it_is_told() {
        let mut suite = find("sustained").unwrap();
        assert_eq!(minutes(&suite), Some(10));
        set_minutes(&mut suite, 30);
        assert_eq!(minutes(&suite), Some(30));
        suite.validate().unwrap();
        set_minutes(&mut suite, 0);
        assert!(suite.validate().is_err());
        set_minutes(&mut suite, u32::MAX);
        assert!(suite.validate().is_err());
        assert_eq!(minutes(&find("quick").unwrap()), None);
    }

    #[test]
    fn a_suite_of_own_prompts_is_named_by_its_content() {
        let prompts = ["One line\nand another".to_owned(), "x".repeat(5_000)];
        let suite = custom(&prompts, 64, 5, true);
        suite.validate().unwrap();
        assert_eq!(suite.tasks.len(), 2);
        assert_eq!(suite.tasks[0].title, "One line");
        assert!(suite.tasks[1].title.ends_with('…') && suite.tasks[1].title.chars().count() == 61);
        assert!(suite.n_ctx as usize >= prompts.iter().map(String::len).max().unwrap() / 2 + 64);
        let (_, limits) = asked(&suite.tasks[0]).unwrap();
        assert!(limits.ignore_eos && limits.max_tokens == 64);
        assert_eq!(suite.id, custom(&prompts, 64, 3, true).id, "repetitions do not change the work");
        assert_ne!(suite.id, custom(&prompts, 65, 5, true).id);
        assert_ne!(suite.id, custom(&prompts, 64, 5, false).id);
        assert_ne!(suite.id, custom(&prompts[..1], 64, 5, true).id);
        assert!(custom(&[], 64, 5, true).validate().is_err());
        assert!(custom(&prompts, 0, 5, true).validate().is_err());
    }
}
