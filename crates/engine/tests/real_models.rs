//! The engine on real models. No test looks at a time.

use pocketbench_domain::generate::{
    BatchRequest, GenerateRequest, Limits, Message, Prompt, Role, Sampling, StopReason, SyntheticRequest,
    TemplateSource,
};
use pocketbench_domain::settings::{EngineSettings, FlashAttention, KvType};
use pocketbench_engine::{CancelFlag, Engine, EngineError, LoadedModel, log};
use pocketbench_testkit::{gemma3, smollm2};
use std::sync::atomic::Ordering;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// One test at a time: they share two cores and llama.cpp's log.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn load(path: &str, settings: &EngineSettings) -> LoadedModel {
    Engine::get().unwrap().load(path, settings, &CancelFlag::default(), |_| ()).unwrap()
}

fn settings() -> EngineSettings {
    EngineSettings { n_seq_max: 4, ..EngineSettings::new(1024, 2) }
}

fn chat(content: &str) -> Prompt {
    let message = |role, content: &str| Message { role, content: content.into() };
    Prompt::Messages(vec![message(Role::System, "You are a helpful assistant."), message(Role::User, content)])
}

fn ask(prompt: Prompt, max_tokens: u32) -> GenerateRequest {
    GenerateRequest {
        prompt,
        sampling: Sampling::default(),
        limits: Limits { max_tokens, stop: Vec::new(), ignore_eos: false },
        reuse_prefix: false,
    }
}

#[test]
fn the_best_cpu_variant_is_loaded_and_named() {
    let _alone = alone();
    let engine = Engine::get().unwrap();
    assert!(engine.backends().iter().any(|name| name == "CPU"));
    assert!(engine.cpu_variant().contains("ggml-cpu"), "{:?}", engine.cpu_variant());
    assert!(engine.system_info().contains("CPU"), "{}", engine.system_info());
}

#[test]
fn a_chat_model_answers_and_every_step_is_timed() {
    let _alone = alone();
    let mut model = load(&smollm2(), &settings());
    assert!(model.loaded().has_chat_template);
    let mut heard = String::new();
    let mut times = Vec::new();
    let generation = model
        .generate(&ask(chat("What is the capital of France?"), 24), |text, at| {
            heard.push_str(text);
            times.push(at);
        })
        .unwrap();
    assert!(generation.text.contains("Paris"), "{}", generation.text);
    assert_eq!(generation.template, TemplateSource::ModelFile);
    assert_eq!(generation.token_at_ns, times);
    assert_eq!(generation.generated_tokens as usize, times.len());
    assert!(generation.text.starts_with(&heard));
    assert!(times.windows(2).all(|pair| pair[0] < pair[1]));
    let before_first =
        generation.template_ns + generation.tokenize_ns + generation.prefill_ns + generation.first_sample_ns;
    assert!(before_first <= times[0], "{before_first} {}", times[0]);
    assert!(*times.last().unwrap() <= generation.end_at_ns);
}

#[test]
fn greedy_answers_repeat_and_a_reused_prefix_changes_nothing_but_the_count() {
    let _alone = alone();
    let mut model = load(&smollm2(), &settings());
    let mut request = ask(chat("Name three colours."), 16);
    let first = model.generate(&request, |_, _| ()).unwrap();
    request.reuse_prefix = true;
    let second = model.generate(&request, |_, _| ()).unwrap();
    assert_eq!(first.text, second.text);
    assert_eq!(first.reused_tokens, 0);
    assert_eq!(second.reused_tokens, second.prompt_tokens - 1);
}

#[test]
fn a_saved_cache_is_read_back_by_another_process_of_the_same_settings_and_by_no_other() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.kv");
    let mut model = load(&smollm2(), &settings());
    assert!(model.save_state(&file).is_err(), "there is nothing to save yet");
    let question = "Name three colours, and say of each where it is found in nature.";
    let first = model.generate(&ask(chat(question), 24), |_, _| ()).unwrap();
    let saved = model.save_state(&file).unwrap();
    assert_eq!(saved.bytes, std::fs::metadata(&file).unwrap().len());
    assert!(saved.tokens >= first.prompt_tokens);

    let Prompt::Messages(mut turns) = chat(question) else { unreachable!() };
    turns.push(Message { role: Role::Assistant, content: first.text.clone() });
    turns.push(Message { role: Role::User, content: "And three more?".into() });
    let request = GenerateRequest { reuse_prefix: true, ..ask(Prompt::Messages(turns), 16) };
    let counted = model.count(std::slice::from_ref(&request.prompt)).unwrap()[0];
    let expected = model.generate(&request, |_, _| ()).unwrap();
    assert_eq!(counted, expected.prompt_tokens);
    assert!(expected.reused_tokens >= first.prompt_tokens, "{expected:?}");
    drop(model);

    let mut fresh = load(&smollm2(), &settings());
    fresh.restore_state(&file, &saved).unwrap();
    let again = fresh.generate(&request, |_, _| ()).unwrap();
    assert_eq!((again.reused_tokens, again.text), (expected.reused_tokens, expected.text.clone()));

    // A file that changed never gets to llama.cpp; neither does one of another model get in.
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file, &bytes).unwrap();
    assert!(matches!(fresh.restore_state(&file, &saved), Err(EngineError::Invalid(_))));
    bytes[middle] ^= 1;
    std::fs::write(&file, &bytes).unwrap();
    let mut other = load(&gemma3(), &settings());
    assert!(matches!(other.restore_state(&file, &saved), Err(EngineError::Invalid(_))));
    let unspoiled = other.generate(&ask(chat("Hello."), 4), |_, _| ()).unwrap();
    assert_eq!(unspoiled.reused_tokens, 0);
    // What was refused left the cache empty. (Evaluated in other batches the text may differ by rounding.)
    let after = fresh.generate(&request, |_, _| ()).unwrap();
    assert_eq!(after.reused_tokens, 0);
}

#[test]
fn guessed_tokens_change_nothing_but_the_number_of_decodes() {
    let _alone = alone();
    let story = "The lighthouse keeper climbed the stairs every evening and lit the lamp. ";
    // The longer text is more than Gemma's sliding window of 512 tokens.
    for (path, times) in [(smollm2(), 6), (gemma3(), 44)] {
        let mut plain = load(&path, &settings());
        let mut guessing = load(&path, &EngineSettings { draft_tokens: 8, ..settings() });
        let mut request = ask(Prompt::Raw(story.repeat(times)), 60);
        request.limits.ignore_eos = true;
        request.reuse_prefix = true;
        let expected = plain.generate(&request, |_, _| ()).unwrap();
        let mut heard = Vec::new();
        let answer = guessing.generate(&request, |text, at| heard.push((text.to_owned(), at))).unwrap();
        assert_eq!(answer.text, expected.text, "{path}");
        assert_eq!((answer.generated_tokens, answer.stop), (60, StopReason::MaxTokens));
        assert!(heard.len() == 60 && heard.is_sorted_by_key(|(_, at)| *at), "every token is told");
        assert_eq!(expected.speculation, None);
        let figures = answer.speculation.expect("it was on");
        assert!(figures.accepted_tokens > 20 && figures.accepted_tokens <= figures.drafted_tokens, "{figures:?}");

        // The cache holds what was said and nothing else: going on from there gives the same as from scratch.
        let more = format!("{}{} Then one day", story.repeat(times), expected.text);
        request.prompt = Prompt::Raw(more);
        request.limits.max_tokens = 12;
        let went_on = guessing.generate(&request, |_, _| ()).unwrap();
        assert!(went_on.reused_tokens >= answer.prompt_tokens, "{went_on:?}");
        assert_eq!(went_on.text, plain.generate(&request, |_, _| ()).unwrap().text, "{path}");

        request.sampling.temperature = 0.7;
        assert_eq!(guessing.generate(&request, |_, _| ()).unwrap().speculation, None, "only greedy answers");
    }
}

#[test]
fn guessing_ends_where_the_context_does() {
    let _alone = alone();
    let small = EngineSettings { draft_tokens: 8, ..EngineSettings::new(256, 2) };
    let mut model = load(&smollm2(), &small);
    let mut request = ask(Prompt::Raw("one two three four five six seven eight. ".repeat(24)), 400);
    request.limits.ignore_eos = true;
    let answer = model.generate(&request, |_, _| ()).unwrap();
    assert_eq!(answer.stop, StopReason::ContextFull);
    // The last token was picked and needs no place any more.
    assert_eq!(answer.prompt_tokens + answer.generated_tokens, 256 + 1);
    let word = answer.text.split_whitespace().next_back().expect("words").to_owned();
    request.limits.stop = vec![word.clone()];
    let stopped = model.generate(&request, |_, _| ()).unwrap();
    assert_eq!(stopped.stop, StopReason::StopText);
    assert!(!stopped.text.contains(&word), "{word}");
}

#[test]
fn a_base_model_without_template_continues_plain_text() {
    let _alone = alone();
    let mut model = load(&gemma3(), &settings());
    assert!(!model.loaded().has_chat_template);
    let generation = model.generate(&ask(chat("The three primary colours are"), 8), |_, _| ()).unwrap();
    assert_eq!(generation.template, TemplateSource::FallbackPlain);
    assert!(generation.generated_tokens > 0);
}

#[test]
fn stop_texts_seeds_and_fixed_length_hold() {
    let _alone = alone();
    let mut model = load(&smollm2(), &settings());
    let mut request = ask(Prompt::Raw("1, 2, 3, 4, 5, 6,".into()), 40);
    request.limits.stop = vec![" 9".into()];
    let generation = model.generate(&request, |_, _| ()).unwrap();
    assert_eq!(generation.stop, StopReason::StopText, "{}", generation.text);
    assert!(!generation.text.contains('9'));

    let mut request = ask(chat("Say hello."), 64);
    request.limits.ignore_eos = true;
    let generation = model.generate(&request, |_, _| ()).unwrap();
    assert_eq!((generation.generated_tokens, generation.stop), (64, StopReason::MaxTokens));

    request.sampling = Sampling { temperature: 1.0, top_k: 40, top_p: 0.95, min_p: 0.02, repeat_penalty: 1.1, seed: 7 };
    let one = model.generate(&request, |_, _| ()).unwrap().text;
    let two = model.generate(&request, |_, _| ()).unwrap().text;
    request.sampling.seed = 8;
    let three = model.generate(&request, |_, _| ()).unwrap().text;
    assert_eq!(one, two);
    assert_ne!(one, three);
}

#[test]
fn a_batch_decodes_each_prompt_as_alone() {
    let _alone = alone();
    let mut model = load(&smollm2(), &settings());
    let prompts = ["What is the capital of France?", "Name three colours.", "What is two plus two?"];
    let request = BatchRequest {
        prompts: prompts.iter().map(|p| chat(p)).collect(),
        sampling: Sampling::default(),
        limits: Limits { max_tokens: 12, stop: Vec::new(), ignore_eos: false },
        in_turn: true,
    };
    let mut heard = vec![0; prompts.len()];
    let batch = model.generate_batch(&request, |sequence, _, _| heard[sequence] += 1).unwrap();
    let mut alone_tokens = 0;
    for ((sequence, prompt), heard) in batch.sequences.iter().zip(prompts).zip(heard) {
        let alone = model.generate(&ask(chat(prompt), 12), |_, _| ()).unwrap();
        alone_tokens += u64::from(alone.generated_tokens);
        assert_eq!(sequence.generated_tokens, heard);
        assert_eq!(sequence.prompt_tokens, alone.prompt_tokens);
        // Batched arithmetic may differ in the last bit, so later words may; the first ones do not.
        let first_word = |text: &str| text.split_whitespace().next().unwrap_or_default().to_owned();
        assert_eq!(first_word(&sequence.text), first_word(&alone.text));
    }
    assert!(batch.prefill_ns < batch.wall_ns);
    // All begin with what the chat template puts before a question.
    assert!(batch.shared_tokens > 3, "{}", batch.shared_tokens);
    let in_turn = batch.in_turn.unwrap();
    assert_eq!(in_turn.generated_tokens, alone_tokens);
    assert!(in_turn.wall_ns > 0);
}

#[test]
fn a_beginning_that_all_prompts_share_is_evaluated_once_and_changes_no_answer() {
    let _alone = alone();
    // A sliding window forgets, and must not forget a beginning for one sequence that another still needs.
    for path in [smollm2(), gemma3()] {
        // Less than the prompts: they are evaluated in several batches.
        let settings = EngineSettings { n_batch: 32, n_ubatch: 32, n_seq_max: 4, ..settings() };
        let mut model = load(&path, &settings);
        let story = "The lighthouse keeper climbed the stairs every evening and lit the lamp. ".repeat(4);
        let ends = ["One day", "The sea", "His daughter"];
        let prompts: Vec<Prompt> = ends.iter().map(|end| Prompt::Raw(format!("{story}{end}"))).collect();
        let limits = Limits { max_tokens: 6, stop: Vec::new(), ignore_eos: true };
        let request = BatchRequest {
            prompts: prompts.clone(),
            sampling: Sampling::default(),
            limits: limits.clone(),
            in_turn: false,
        };
        let batch = model.generate_batch(&request, |_, _, _| ()).unwrap();
        assert!(batch.shared_tokens > 50, "{}", batch.shared_tokens);
        for (sequence, prompt) in batch.sequences.iter().zip(prompts) {
            let one =
                GenerateRequest { prompt, sampling: Sampling::default(), limits: limits.clone(), reuse_prefix: false };
            let alone = model.generate(&one, |_, _| ()).unwrap();
            assert_eq!(sequence.prompt_tokens, alone.prompt_tokens);
            // As above: the first words only.
            let start = |text: &str| text.split_whitespace().take(2).map(str::to_owned).collect::<Vec<_>>();
            assert_eq!(start(&sequence.text), start(&alone.text), "{path}");
        }
    }
}

#[test]
fn synthetic_tests_run_at_depth() {
    let _alone = alone();
    let mut model = load(&smollm2(), &settings());
    for (n_prompt, n_gen, n_depth) in [(64, 0, 0), (0, 8, 0), (32, 4, 128)] {
        let request = SyntheticRequest { n_prompt, n_gen, n_depth };
        assert!(model.synthetic(request).unwrap().elapsed_ns > 0);
    }
    let too_long = SyntheticRequest { n_prompt: 1000, n_gen: 100, n_depth: 0 };
    assert!(matches!(model.synthetic(too_long), Err(EngineError::PromptTooLong { .. })));
}

#[test]
fn buffers_are_exact_and_agree_with_the_log() {
    let _alone = alone();
    let mark = log::mark();
    let settings = settings();
    let model = load(&smollm2(), &settings);
    let loaded = model.loaded();
    // 30 layers, 3 key/value heads of 64, 2 bytes, keys and values.
    assert_eq!(loaded.kv_bytes(), 30 * 3 * 64 * 2 * 2 * u64::from(settings.n_ctx));
    assert!(loaded.weights_bytes() >= loaded.tensor_bytes);
    // The log rounds to a hundredth of a MiB.
    let logged = |what: &str| -> f64 {
        log::since(mark, log::Level::Info)
            .iter()
            .filter(|line| line.contains(what))
            .filter_map(|line| line.split('=').nth(1)?.trim().split(' ').next()?.parse::<f64>().ok())
            .sum()
    };
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    assert!((logged("KV buffer size") - mib(loaded.kv_bytes())).abs() < 0.02);
    assert!((logged("model buffer size") - mib(loaded.weights_bytes())).abs() < 0.05);
    assert!((logged("compute buffer size") - mib(loaded.compute_bytes())).abs() < 0.05);
}

#[test]
fn kv_types_and_flash_attention_take_effect() {
    let _alone = alone();
    let plain = load(&smollm2(), &settings());
    let mut quantized = settings();
    quantized.kv_type_k = KvType::Q8_0;
    quantized.kv_type_v = KvType::Q8_0;
    quantized.flash_attention = FlashAttention::On;
    let small = load(&smollm2(), &quantized);
    assert_eq!(small.loaded().kv_bytes() * 32, plain.loaded().kv_bytes() / 2 * 34);
    assert_ne!(plain.loaded().effective.flash_attention, FlashAttention::Auto);
}

#[test]
fn cancel_stops_prefill_decode_and_load() {
    let _alone = alone();
    let cancel = CancelFlag::default();
    let mut model = Engine::get().unwrap().load(&smollm2(), &settings(), &cancel, |_| ()).unwrap();
    let mut request = ask(chat("Tell a long story."), 500);
    request.limits.ignore_eos = true;
    let mut heard = 0;
    let generation = model
        .generate(&request, |_, _| {
            heard += 1;
            if heard == 5 {
                cancel.store(true, Ordering::Relaxed);
            }
        })
        .unwrap();
    assert_eq!((generation.stop, generation.generated_tokens), (StopReason::Cancelled, 5));
    assert_eq!(model.generate(&request, |_, _| ()), Err(EngineError::Cancelled));
    cancel.store(false, Ordering::Relaxed);
    assert!(model.generate(&ask(chat("Hello"), 4), |_, _| ()).is_ok(), "usable after a cancel");

    cancel.store(true, Ordering::Relaxed);
    let load = Engine::get().unwrap().load(&smollm2(), &settings(), &cancel, |_| ());
    assert_eq!(load.unwrap_err(), EngineError::Cancelled);
}

#[test]
fn bad_requests_have_their_own_errors() {
    let _alone = alone();
    let engine = Engine::get().unwrap();
    let try_load = |path: &str, settings: &EngineSettings| {
        engine.load(path, settings, &CancelFlag::default(), |_| ()).unwrap_err()
    };
    assert!(matches!(try_load("/nowhere/model.gguf", &settings()), EngineError::NoFile { .. }));
    assert!(matches!(try_load(file!(), &settings()), EngineError::NoFile { .. } | EngineError::Load { .. }));
    let mut absurd = settings();
    absurd.n_ctx = u32::MAX;
    assert!(matches!(try_load(&smollm2(), &absurd), EngineError::ContextTooLong { .. }));
    let mut model = load(&smollm2(), &settings());
    let long = Prompt::Raw("word ".repeat(3000));
    assert!(matches!(model.generate(&ask(long, 4), |_, _| ()), Err(EngineError::PromptTooLong { .. })));
    let nan = Sampling { temperature: f32::NAN, ..Sampling::default() };
    let request = GenerateRequest { sampling: nan, ..ask(chat("Hi"), 4) };
    assert!(matches!(model.generate(&request, |_, _| ()), Err(EngineError::Invalid(_))));
}
