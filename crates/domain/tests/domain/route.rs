//! The router: what it decides, and the laws that hold for any prompt.

#![expect(clippy::float_cmp, reason = "values are rounded to four decimals")]

use pocketbench_domain::ErrorCode;
use pocketbench_domain::route::evaluate::{
    Baseline, Label, LabelledPrompt, LocalWindow, Price, Rates, Speed, evaluate, published_score,
};
use pocketbench_domain::route::{
    CloudProblem, CloudState, Consent, Decision, Evidence, HEAD_BYTES, LocalProblem, LocalState, Mode, Policy, Reason,
    Route, Rule, SignalKind, Situation, TAIL_BYTES, TaskKind, Weights, decide, estimate_tokens, score,
};
use proptest::prelude::*;

const EASY: &str = "What is the capital of Peru?";
const HARD: &str =
    "Prove the theorem, derive a bound, analyse its proof step by step, and then evaluate the architecture.";

fn auto() -> Policy {
    Policy { mode: Mode::Auto, ..Policy::default() }
}

fn both() -> Situation {
    Situation { cloud: CloudState::Ready, window_tokens: Some(4096), answer_tokens: 512, ..Situation::default() }
}

fn value(prompt: &str, signal: SignalKind, situation: &Situation) -> (f64, Evidence) {
    let score = score(&Weights::default(), prompt, situation);
    let found = score.signals.into_iter().find(|s| s.signal == signal).unwrap();
    (found.value, found.evidence)
}

fn kind(prompt: &str) -> TaskKind {
    score(&Weights::default(), prompt, &both()).kind
}

#[track_caller]
fn assert_went(decision: &Decision, route: Route, consent: Consent) {
    assert_eq!((decision.route, decision.consent), (route, consent), "{:#?}", decision.reasons);
}

#[test]
fn the_default_keeps_everything_here() {
    let decision = decide(&Policy::default(), HARD, &both());
    assert_went(&decision, Route::Local, Consent::NotNeeded);
    assert_eq!(decision.reasons, [Reason::AlwaysLocal]);
    // Not even a question is asked where the local model cannot.
    let decision = decide(&Policy::default(), HARD, &Situation { local: LocalState::NotEnoughMemory, ..both() });
    assert_went(&decision, Route::Nowhere, Consent::NotNeeded);
    assert_eq!(decision.reasons.len(), 2);
}

#[test]
fn auto_sends_what_is_hard_and_keeps_what_is_easy() {
    assert_went(&decide(&auto(), EASY, &both()), Route::Local, Consent::NotNeeded);
    let decision = decide(&auto(), HARD, &both());
    assert_went(&decision, Route::Cloud, Consent::ByPolicy);
    assert!(matches!(decision.reasons[..], [Reason::ScoreReaches { score, threshold: 0.5 }] if score >= 0.5));
}

#[test]
fn always_ask_asks_and_no_means_here() {
    let policy = Policy { mode: Mode::AlwaysAsk, ..Policy::default() };
    assert_went(&decide(&policy, EASY, &both()), Route::Local, Consent::NotNeeded);
    let asked = decide(&policy, HARD, &both());
    assert_went(&asked, Route::Cloud, Consent::Ask);
    let yes = asked.clone().answered(true);
    assert_went(&yes, Route::Cloud, Consent::Granted);
    assert_eq!(yes.reasons.last(), Some(&Reason::ConsentGranted));
    // A second answer changes nothing.
    assert_eq!(yes.clone().answered(false), yes);
    assert_went(&asked.answered(false), Route::Local, Consent::Refused);
}

#[test]
fn without_a_provider_there_is_no_cloud() {
    let situation = Situation { cloud: CloudState::NoProvider, ..both() };
    let decision = decide(&auto(), HARD, &situation);
    assert_went(&decision, Route::Local, Consent::NotNeeded);
    assert_eq!(decision.reasons[1], Reason::CloudCannot { problem: CloudProblem::NoProvider });
    assert!(Situation::default().cloud == CloudState::NoProvider && Policy::default().mode == Mode::AlwaysLocal);
}

#[test]
fn a_rule_of_a_kind_outweighs_the_score() {
    let mut policy = auto();
    policy.rules.insert(TaskKind::Question, Rule::Cloud);
    let decision = decide(&policy, EASY, &both());
    assert_went(&decision, Route::Cloud, Consent::ByPolicy);
    assert_eq!(decision.reasons, [Reason::RuleOfKind { task: TaskKind::Question, rule: Rule::Cloud }]);
    let task = decide(&policy, HARD, &both()).task;
    policy.rules.insert(task, Rule::Local);
    assert_went(&decide(&policy, HARD, &both()), Route::Local, Consent::NotNeeded);
}

#[test]
fn after_the_cloud_has_failed_the_local_model_answers_and_says_why() {
    let failed = Situation { cloud: CloudState::Failed(ErrorCode::NetworkUnavailable), ..both() };
    let decision = decide(&auto(), HARD, &failed);
    assert_went(&decision, Route::Local, Consent::NotNeeded);
    let problem = CloudProblem::Failed { code: ErrorCode::NetworkUnavailable };
    assert_eq!(decision.reasons[1], Reason::CloudCannot { problem });
    assert_eq!(decision.reasons[1].sentence(), "The cloud failed (NETWORK_UNAVAILABLE).");
    // Both have failed: there is an end to it.
    let both_failed = Situation { local: LocalState::Failed(ErrorCode::OutOfMemory), ..failed };
    for prompt in [EASY, HARD] {
        let decision = decide(&auto(), prompt, &both_failed);
        assert_went(&decision, Route::Nowhere, Consent::NotNeeded);
        assert_eq!(decision.reasons.len(), 3);
    }
}

#[test]
fn what_the_local_model_cannot_goes_to_the_cloud_only_after_a_yes() {
    let failed = Situation { local: LocalState::Failed(ErrorCode::WorkerCrashed), ..both() };
    let asked = decide(&auto(), EASY, &failed);
    assert_went(&asked, Route::Cloud, Consent::Ask);
    assert_went(&asked.answered(false), Route::Nowhere, Consent::Refused);

    let small = Situation { window_tokens: Some(515), ..both() };
    let decision = decide(&auto(), EASY, &small);
    assert_went(&decision, Route::Cloud, Consent::Ask);
    let problem = LocalProblem::WindowTooSmall { needed: 512 + estimate_tokens(EASY), window: 515 };
    assert_eq!(decision.reasons[1], Reason::LocalCannot { problem });
    // Turns before can be dropped: they make a prompt harder, and never impossible.
    let long = Situation { history_tokens: 100_000, ..both() };
    assert_went(&decide(&auto(), EASY, &long), Route::Local, Consent::NotNeeded);
}

#[test]
fn a_budget_that_is_spent_keeps_prompts_here() {
    let spent = Situation { cloud: CloudState::OverBudget, ..both() };
    let decision = decide(&auto(), HARD, &spent);
    assert_went(&decision, Route::Local, Consent::NotNeeded);
    assert_eq!(decision.reasons[1], Reason::CloudCannot { problem: CloudProblem::OverBudget });
}

#[test]
fn each_signal_says_what_it_rests_on() {
    let found = |terms: &[&str]| Evidence::Found { terms: terms.iter().map(|&t| t.to_owned()).collect(), more: 0 };
    assert_eq!(value("Sort a Python list", SignalKind::Code, &both()), (0.3333, found(&["python"])));
    // Whole words only, in any case and with hyphens.
    assert_eq!(value("Pythonic classy codes", SignalKind::Code, &both()), (0.0, Evidence::Nothing));
    assert_eq!(value("a THREAD-SAFE map", SignalKind::Depth, &both()).1, found(&["thread safe"]));
    assert_eq!(value("请证明这个定理", SignalKind::Depth, &both()).1, found(&["证明"]));
    assert_eq!(value("Demuestra el teorema", SignalKind::Mathematics, &both()).1, found(&["teorema"]));
    assert_eq!(
        value("What is 4821 × 9384?", SignalKind::Mathematics, &both()),
        (1.0, found(&["a product of long numbers"]))
    );
    assert_eq!(value("What is 48 × 93?", SignalKind::Mathematics, &both()).0, 0.0);
    for (prompt, words) in [
        ("Write 2,000 words about tea", 2000),
        ("A 1500-word text", 1500),
        ("写一篇3000字的文章", 1800),
        ("about ten pages", 4000),
        ("unas cinco páginas", 2000),
    ] {
        assert_eq!(value(prompt, SignalKind::AnswerLength, &both()).1, Evidence::AnswerWords { words }, "{prompt}");
    }
    assert_eq!(value("ამინდი დღეს კარგია", SignalKind::Language, &both()), (1.0, found(&["Georgian"])));
    assert_eq!(value("Translate this into Welsh", SignalKind::Language, &both()), (1.0, found(&["welsh"])));
    assert!(value("A Welsh recipe", SignalKind::Language, &both()).0 < 0.5);
    assert_eq!(value(EASY, SignalKind::Length, &both()).1, Evidence::Tokens { tokens: 7 });
    let counted = Situation { prompt_tokens: Some(2048), ..both() };
    assert_eq!(value(EASY, SignalKind::Length, &counted), (1.0, Evidence::Tokens { tokens: 2048 }));
    let near = Situation { history_tokens: 2560 - 7, ..both() };
    assert_eq!(value(EASY, SignalKind::Context, &near), (0.5, Evidence::Window { needed: 3072, window: 4096 }));
    assert_eq!(value(EASY, SignalKind::Context, &Situation::default()), (0.0, Evidence::WindowUnknown));
    let twice = Situation { recent_failures: 2, ..both() };
    assert_eq!(value(EASY, SignalKind::Failures, &twice), (1.0, Evidence::Failed { answers: 2 }));
}

#[test]
fn kinds_are_told_apart() {
    assert_eq!(kind("Hello, how are you?"), TaskKind::Chat);
    assert_eq!(kind("Translate into French: the cat sleeps"), TaskKind::Translation);
    assert_eq!(kind("把这句话翻译成英文：猫在睡觉"), TaskKind::Translation);
    assert_eq!(kind("Write a Python function that adds two numbers"), TaskKind::Code);
    assert_eq!(kind("Escribe un ensayo de 2000 palabras sobre el mar"), TaskKind::LongWriting);
    assert_eq!(kind("Calculate 12 percent of 300"), TaskKind::Mathematics);
    assert_eq!(kind("Summarise this text: the cat slept all day."), TaskKind::Text);
    assert_eq!(kind("Write a haiku about snow"), TaskKind::Writing);
    assert_eq!(kind(EASY), TaskKind::Question);
}

#[test]
fn tokens_are_estimated_by_script() {
    assert_eq!(estimate_tokens(""), 0);
    assert_eq!(estimate_tokens("four"), 1);
    assert_eq!(estimate_tokens("fours"), 2);
    assert_eq!(estimate_tokens("一二三"), 3);
    assert_eq!(estimate_tokens("да"), 1);
    assert_eq!(estimate_tokens("🙂"), 2);
}

#[test]
fn a_very_long_prompt_is_read_at_both_ends() {
    let filler = "lorem ipsum ".repeat((HEAD_BYTES + TAIL_BYTES) / 8);
    for prompt in [format!("prove {filler}"), format!("{filler} prove")] {
        assert!(matches!(value(&prompt, SignalKind::Depth, &both()).1, Evidence::Found { .. }));
    }
    let middle = format!("{filler} prove {filler}");
    assert_eq!(value(&middle, SignalKind::Depth, &both()).1, Evidence::Nothing);
    assert_eq!(value(&middle, SignalKind::Length, &both()).0, 1.0);
}

#[test]
fn a_policy_reads_from_what_is_there_and_refuses_what_it_does_not_know() {
    let policy: Policy = serde_json::from_str(
        r#"{"mode":"auto","threshold":0.6,"rules":{"code":"cloud","long_writing":"local"},"weights":{"code":0.1}}"#,
    )
    .unwrap();
    assert_eq!((policy.rule(TaskKind::Code), policy.rule(TaskKind::Chat)), (Rule::Cloud, Rule::ByScore));
    assert_eq!(policy.weights, Weights { code: 0.1, ..Weights::default() });
    assert_eq!(policy.problem(), None);
    assert!(serde_json::from_str::<Policy>(r#"{"treshold":0.6}"#).is_err());
    assert!(serde_json::from_str::<Policy>(r#"{"rules":{"poetry":"cloud"}}"#).is_err());
    for wrong in [-0.1, 1.1, f64::NAN] {
        assert!(Policy { threshold: wrong, ..Policy::default() }.problem().unwrap().contains("threshold"));
        let weights = Weights::default().with(SignalKind::Depth, wrong);
        assert!(Policy { weights, ..Policy::default() }.problem().unwrap().contains("Depth"));
    }
}

#[test]
fn a_decision_survives_being_stored() {
    let situation = Situation { cloud: CloudState::Failed(ErrorCode::TlsFailed), recent_failures: 1, ..both() };
    for prompt in [EASY, HARD, "翻译成藏语：你好吗", "写一篇3000字的文章"] {
        let decision = decide(&auto(), prompt, &situation);
        let text = serde_json::to_string(&decision).unwrap();
        assert_eq!(serde_json::from_str::<Decision>(&text).unwrap(), decision);
    }
}

fn labelled(id: &str, prompt: &str, label: Label) -> LabelledPrompt {
    LabelledPrompt {
        id: id.into(),
        prompt: prompt.into(),
        kind: TaskKind::Question,
        language: "en".into(),
        label,
        why: "test".into(),
        history_tokens: 0,
        failed: 0,
    }
}

#[test]
fn an_evaluation_counts_costs_and_times() {
    let set = [
        labelled("a", EASY, Label::Local),
        labelled("b", HARD, Label::Cloud),
        labelled("c", HARD, Label::Local),
        labelled("d", EASY, Label::Cloud),
    ];
    let rates = Rates {
        local: Some(Speed { prefill_tps: Some(10.0), ttft_ms: 0.0, decode_tps: 5.0 }),
        cloud: Some(Speed { prefill_tps: None, ttft_ms: 500.0, decode_tps: 75.0 }),
        price: Some(Price { input_per_million: 1000.0, output_per_million: 2000.0, currency: "USD".into() }),
    };
    let evaluation = evaluate(&auto(), &set, &set, LocalWindow::default(), &rates);
    let here = evaluation.at_threshold;
    let counts = here.outcome.confusion;
    assert_eq!(
        (counts.cloud_to_cloud, counts.cloud_to_local, counts.local_to_local, counts.local_to_cloud),
        (1, 1, 1, 1)
    );
    assert_eq!((here.outcome.agreement, here.outcome.cloud_share), (Some(0.5), Some(0.5)));
    let missed: Vec<&str> = evaluation.misses.iter().map(|miss| miss.id.as_str()).collect();
    assert_eq!(missed, ["c", "d"]);
    // Answers are taken to have 75 tokens. Two prompts of four go away.
    let hard = f64::from(estimate_tokens(HARD));
    let cost = 2.0 * (hard * 1000.0 + 75.0 * 2000.0) / 1e6 / 4.0 * 1e3;
    assert!((here.expected.cost_per_thousand.unwrap() - cost).abs() < 1e-9);
    let seconds = (2.0 * (0.5 + 1.0) + 2.0 * (0.7 + 15.0)) / 4.0;
    assert!((here.expected.mean_seconds.unwrap() - seconds).abs() < 1e-9);
    // What is not known is absent and not 0; all that stays here needs no speed of the cloud.
    let local_only = Rates { cloud: None, price: None, ..rates };
    let evaluation = evaluate(&auto(), &set, &set, LocalWindow::default(), &local_only);
    assert_eq!(evaluation.at_threshold.expected.mean_seconds, None);
    assert_eq!(evaluation.at_threshold.expected.cost_per_thousand, None);
    let local = evaluation.baselines.iter().find(|b| b.baseline == Baseline::AlwaysLocal).unwrap();
    assert!(local.expected.mean_seconds.is_some());
    assert_eq!(evaluation.curve.len(), 21);
    assert_eq!(evaluation.curve[0].outcome.cloud_share, Some(1.0));
}

#[test]
fn an_empty_set_has_no_agreement() {
    let evaluation = evaluate(&auto(), &[], &[], LocalWindow::default(), &Rates::default());
    assert_eq!((evaluation.at_threshold.outcome.agreement, evaluation.at_threshold.outcome.interval), (None, None));
}

#[test]
fn the_length_baseline_is_fitted_to_the_development_part_alone() {
    let development = [labelled("a", "short", Label::Local), labelled("b", &"long ".repeat(40), Label::Cloud)];
    let evaluation = evaluate(&auto(), &[], &development, LocalWindow::default(), &Rates::default());
    assert!(evaluation.baselines.iter().any(|b| b.baseline == Baseline::LengthOnly { tokens: 50 }));
}

#[test]
fn the_published_rule_needs_all_three_of_its_signs() {
    let long = "word ".repeat(201);
    assert!((published_score("solve") - 0.3).abs() < 1e-9);
    assert!(published_score(&format!("python {long}")) < 0.7);
    assert!(published_score(&format!("solve it in python {long}")) > 0.7);
}

fn states() -> impl Strategy<Value = (LocalState, CloudState)> {
    let local = prop_oneof![
        Just(LocalState::Ready),
        Just(LocalState::NoModel),
        Just(LocalState::NotEnoughMemory),
        Just(LocalState::Failed(ErrorCode::OutOfMemory)),
    ];
    let cloud = prop_oneof![
        Just(CloudState::Ready),
        Just(CloudState::NoProvider),
        Just(CloudState::OverBudget),
        Just(CloudState::Failed(ErrorCode::TlsFailed)),
    ];
    (local, cloud)
}

fn situations() -> impl Strategy<Value = Situation> {
    let counts = (any::<u32>(), any::<u32>(), any::<u32>(), any::<u32>());
    (states(), proptest::option::of(any::<u32>()), proptest::option::of(0..10_000_u32), counts).prop_map(
        |((local, cloud), window_tokens, prompt_tokens, (history, answer, failures, small))| Situation {
            local,
            cloud,
            window_tokens,
            prompt_tokens,
            history_tokens: history >> (small % 32),
            answer_tokens: answer >> (small / 32 % 32),
            recent_failures: failures % 5,
        },
    )
}

fn policies() -> impl Strategy<Value = Policy> {
    let mode = prop_oneof![Just(Mode::AlwaysLocal), Just(Mode::AlwaysAsk), Just(Mode::Auto)];
    let rule = prop_oneof![Just(Rule::Local), Just(Rule::Cloud), Just(Rule::ByScore)];
    let kind = proptest::sample::select(TaskKind::ALL.to_vec());
    let weights = proptest::collection::vec(0.0..=1.0, SignalKind::ALL.len());
    (mode, 0.0..=1.0, proptest::collection::btree_map(kind, rule, 0..4), weights).prop_map(
        |(mode, threshold, rules, weights)| Policy {
            mode,
            threshold,
            rules,
            weights: SignalKind::ALL.into_iter().zip(weights).fold(Weights::default(), |w, (kind, v)| w.with(kind, v)),
        },
    )
}

/// Any text, and text made of what the score looks for.
fn prompts() -> impl Strategy<Value = String> {
    let parts = vec![
        "prove",
        "证明",
        "2,000",
        "-word",
        " words",
        "字",
        "\n\n",
        "```",
        "c++",
        "^",
        "12345",
        "×",
        " ",
        ",",
        "…",
        "'",
        "_",
        "translate",
        "welsh",
        "ქართული",
        "नमस्ते।",
        "\u{200D}",
        "İ",
        "ß",
        "\0",
        "{",
        "three",
        "页",
        "then",
        "O(n log n)",
    ];
    prop_oneof![
        any::<String>(),
        "\\PC{0,80}",
        proptest::collection::vec(proptest::sample::select(parts), 0..40).prop_map(|parts| parts.concat()),
    ]
}

proptest! {
    /// Total and deterministic, and what comes out makes sense.
    #[test]
    fn any_prompt_gets_one_sensible_decision(policy in policies(), prompt in prompts(), situation in situations()) {
        let decision = decide(&policy, &prompt, &situation);
        prop_assert_eq!(&decision, &decide(&policy, &prompt, &situation));
        prop_assert!((0.0..=1.0).contains(&decision.score));
        prop_assert_eq!(decision.signals.len(), SignalKind::ALL.len());
        for signal in &decision.signals {
            prop_assert!((0.0..=1.0).contains(&signal.value), "{:?}", signal);
            prop_assert!(!signal.reason().is_empty());
        }
        prop_assert!(!decision.reasons.is_empty() && decision.reasons.iter().all(|reason| !reason.sentence().is_empty()));
        match decision.route {
            Route::Local => prop_assert!(decision.local_can && decision.consent == Consent::NotNeeded),
            Route::Cloud => {
                prop_assert_eq!(situation.cloud, CloudState::Ready);
                prop_assert!(policy.mode != Mode::AlwaysLocal);
                prop_assert!(decision.consent == Consent::Ask || policy.mode == Mode::Auto);
            }
            Route::Nowhere => prop_assert!(!decision.local_can),
        }
        let refused = decision.answered(false);
        prop_assert!(refused.route != Route::Cloud || refused.consent == Consent::ByPolicy);
    }

    #[test]
    fn adding_to_a_prompt_never_lowers_its_score(a in prompts(), b in prompts(), situation in situations()) {
        let longer = format!("{a}\n{b}");
        prop_assume!(longer.len() <= HEAD_BYTES + TAIL_BYTES);
        let score_of = |prompt: &str| score(&Weights::default(), prompt, &situation);
        let (less, more) = (score_of(&a), score_of(&longer));
        for (less, more) in less.signals.iter().zip(&more.signals) {
            prop_assert!(less.value <= more.value, "{:?} {:?}", less, more);
        }
        prop_assert!(less.total <= more.total);
    }

    #[test]
    fn a_harder_situation_never_lowers_the_score(prompt in prompts(), situation in situations(), more in 0..100_000_u32) {
        let total = |situation: &Situation| score(&Weights::default(), &prompt, situation).total;
        let now = total(&situation);
        let harder = [
            Situation { history_tokens: situation.history_tokens.saturating_add(more), ..situation },
            Situation { recent_failures: situation.recent_failures.saturating_add(more), ..situation },
            Situation { window_tokens: situation.window_tokens.map(|window| window.saturating_sub(more)), ..situation },
        ];
        for harder in &harder {
            prop_assert!(now <= total(harder));
        }
    }

    #[test]
    fn a_higher_threshold_never_sends_what_a_lower_one_kept(
        policy in policies(), prompt in prompts(), situation in situations(), higher in 0.0..=1.0_f64,
    ) {
        let higher = Policy { threshold: policy.threshold.max(higher), ..policy.clone() };
        let (low, high) = (decide(&policy, &prompt, &situation), decide(&higher, &prompt, &situation));
        prop_assert!(low.route != Route::Local || high.route == Route::Local);
    }

    #[test]
    fn cuts_of_a_long_prompt_fall_between_characters(
        shift in 0..8_usize, unit in proptest::sample::select(vec!["é", "字", "🙂", "नि", "a"]),
    ) {
        let prompt = format!("{}{}", "x".repeat(shift), unit.repeat(30_000));
        prop_assert!(decide(&auto(), &prompt, &both()).score > 0.0);
    }
}
