//! Side by side with real models, and what chat keeps loaded.

mod common;

use pocketbench_app_core::api::{
    AnswerBy, AppEvent, ChatOptions, ChatUpdate, Duel, DuelRequest, ResidentModel, SendRequest,
};
use pocketbench_app_core::domain::ErrorCode;
use pocketbench_app_core::domain::conversation::{ChatMessage, ChatSettings, MessageState};
use pocketbench_app_core::domain::duel::Vote;
use pocketbench_app_core::domain::generate::Sampling;
use pocketbench_app_core::{App, Events};
use pocketbench_testkit::{gemma3, smollm2};
use std::path::Path;
use std::time::Duration;

async fn open(folder: &Path) -> App {
    common::open(common::config(folder)).await
}

fn settings() -> ChatSettings {
    ChatSettings { sampling: Sampling::default(), max_tokens: 16, n_ctx: Some(512), ..ChatSettings::default() }
}

fn request(blind: bool) -> DuelRequest {
    let text = "Which river flows through Paris?".into();
    DuelRequest { text, models: [smollm2(), gemma3()], blind, settings: settings() }
}

/// Waits until this many answers have ended, and gives what was told of them.
async fn ended(events: &mut Events, n: usize) -> Vec<ChatMessage> {
    let mut messages = Vec::new();
    while messages.len() < n {
        let event = tokio::time::timeout(Duration::from_mins(3), events.recv()).await.expect("an end").unwrap();
        if let AppEvent::Chat { update } = event
            && let ChatUpdate::Ended { message } = *update
        {
            messages.push(*message);
        }
    }
    messages
}

async fn only(app: &App) -> Duel {
    let mut duels = app.duels(10).await.unwrap();
    assert_eq!(duels.len(), 1);
    duels.remove(0)
}

/// Everything about a model by which it could be known.
fn tells(message: &ChatMessage) -> bool {
    message.answer.as_ref().is_some_and(|a| !a.model.is_empty() || a.model_sha256.is_some() || a.figures.is_some())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blind_duel_tells_no_names_before_the_vote() {
    let folder = tempfile::tempdir().unwrap();
    let app = open(folder.path()).await;
    let mut events = app.subscribe();
    let begun = app.start_duel(request(true)).await.unwrap();
    assert!(begun.blind && begun.vote.is_none());
    assert!(begun.answers.iter().all(|answer| answer.state == MessageState::Writing && !tells(answer)));
    let told = ended(&mut events, 2).await;
    assert!(told.iter().all(|answer| answer.state == MessageState::Complete && !tells(answer)), "{told:?}");
    assert_eq!(app.resident_models().await.unwrap().len(), 2, "memory holds both");
    let duel = only(&app).await;
    assert!(duel.answers.iter().all(|answer| !answer.content.is_empty() && !tells(answer)));
    assert_eq!(duel.question.content, "Which river flows through Paris?");
    let [left, right] = [&duel.answers[0], &duel.answers[1]].map(|answer| answer.id);
    assert_eq!([left, right], [begun.answers[0].id, begun.answers[1].id], "sides stay");
    let view = app.conversation(duel.conversation_id).await.unwrap();
    assert!(!view.messages.iter().any(tells));
    assert!(app.conversations("", 10, 0).await.unwrap().is_empty(), "no clutter in the list");
    assert!(app.conversations("river", 10, 0).await.unwrap().is_empty());

    let voted = app.vote_duel(duel.question.id, Vote::Left).await.unwrap();
    assert_eq!(voted.vote, Some(Vote::Left));
    assert!(voted.answers.iter().all(tells));
    assert_ne!(voted.answers[0].answer.as_ref().unwrap().model, voted.answers[1].answer.as_ref().unwrap().model);
    let again = app.vote_duel(duel.question.id, Vote::Right).await.unwrap();
    let ranking = app.duel_ranking().await.unwrap();
    assert_eq!((ranking.votes, ranking.blind, ranking.models.len()), (1, 1, 2), "a second vote takes its place");
    let winner = again.answers[1].answer.as_ref().unwrap();
    assert_eq!(Some(&ranking.models[0].model_sha256), winner.model_sha256.as_ref());
    assert!(ranking.models[0].rating > ranking.models[1].rating && ranking.models[0].interval.is_some());
    drop(app);

    let app = open(folder.path()).await;
    let duel = only(&app).await;
    assert!(duel.vote == Some(Vote::Right) && duel.answers.iter().all(tells));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_duel_tells_names_and_waits_with_the_vote_until_both_have_answered() {
    let folder = tempfile::tempdir().unwrap();
    let app = open(folder.path()).await;
    let mut events = app.subscribe();
    let mut endless = request(false);
    endless.settings.max_tokens = 400;
    let begun = app.start_duel(endless).await.unwrap();
    let names = begun.answers.each_ref().map(|answer| answer.answer.as_ref().unwrap().model.clone());
    assert!(names[0].contains("135M") && names[1].contains("270m"), "sides as asked: {names:?}");
    let early = app.vote_duel(begun.question.id, Vote::Tie).await.unwrap_err();
    assert_eq!(early.code, ErrorCode::InvalidInput);
    for answer in &begun.answers {
        app.stop_answer(answer.id);
    }
    let told = ended(&mut events, 2).await;
    assert!(told.iter().all(|answer| answer.state != MessageState::Failed), "{told:?}");
    let voted = app.vote_duel(begun.question.id, Vote::BothBad).await.unwrap();
    assert_eq!(voted.vote, Some(Vote::BothBad));
    let ranking = app.duel_ranking().await.unwrap();
    assert_eq!((ranking.votes, ranking.blind, ranking.models[0].rating), (1, 0, Some(1_000.0)));
}

#[tokio::test]
async fn what_is_no_duel_is_refused_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let app = open(folder.path()).await;
    let same = DuelRequest { models: [smollm2(), smollm2()], ..request(true) };
    let empty = DuelRequest { text: " \n".into(), ..request(true) };
    let nowhere = DuelRequest { models: [smollm2(), "/nowhere.gguf".into()], ..request(true) };
    for (request, code) in
        [(same, ErrorCode::InvalidInput), (empty, ErrorCode::InvalidInput), (nowhere, ErrorCode::ModelFileNotFound)]
    {
        assert_eq!(app.start_duel(request).await.unwrap_err().code, code);
    }
    assert!(app.duels(10).await.unwrap().is_empty());
    let talk = app.begin_conversation(settings()).await.unwrap();
    let vote = app.vote_duel(pocketbench_app_core::domain::conversation::MessageId(talk.id.0), Vote::Tie).await;
    assert_eq!(vote.unwrap_err().code, ErrorCode::NotFound);
    assert!(app.duel_ranking().await.unwrap().models.is_empty());
}

async fn ask(app: &App, settings: &ChatSettings, text: &str) -> ChatMessage {
    let talk = app.begin_conversation(settings.clone()).await.unwrap();
    let mut events = app.subscribe();
    let request = SendRequest { conversation_id: talk.id, text: text.into(), instead_of: None, by: AnswerBy::Policy };
    app.send(request).await.unwrap();
    ended(&mut events, 1).await.remove(0)
}

fn with_model(path: String) -> ChatSettings {
    ChatSettings { model: Some(path), ..settings() }
}

async fn loaded(app: &App) -> Vec<ResidentModel> {
    app.resident_models().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn models_stay_loaded_are_told_and_can_be_unloaded() {
    let folder = tempfile::tempdir().unwrap();
    let app = open(folder.path()).await;
    assert!(loaded(&app).await.is_empty());
    for path in [smollm2(), gemma3()] {
        let answer = ask(&app, &with_model(path), "Hello.").await;
        assert_eq!(answer.state, MessageState::Complete, "{:?}", answer.failure);
        assert!(!answer.answer.unwrap().memory_safe);
    }
    let models = loaded(&app).await;
    assert_eq!(models.len(), 2, "memory holds both");
    for model in &models {
        assert!(model.bytes > 50_000_000 && model.idle_s.is_some() && !model.memory_safe, "{model:?}");
        assert!(model.will_unload_in_s.unwrap() <= 300.0);
        assert!(model.cold_start_ms.unwrap() > 0.0, "the first answer was a cold start");
    }
    assert_eq!(models[0].path, gemma3(), "the one used last comes first");
    let before = models[1].since;
    ask(&app, &with_model(smollm2()), "Hello again.").await;
    assert_eq!(loaded(&app).await[0].since, before, "it was not loaded again");
    app.unload_models().await;
    assert!(loaded(&app).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn in_little_memory_context_cache_and_answers_are_small_and_the_answer_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let app = open(folder.path()).await;
    let roomy = ChatSettings { n_ctx: Some(4_096), max_tokens: 300, ..with_model(smollm2()) };
    let whole = ask_and_stop(&app, &roomy).await;
    assert!(!whole.answer.unwrap().memory_safe);
    assert_eq!(app.context_meter(whole.conversation_id, "").await.unwrap().unwrap().reserved, 300);
    let bytes = loaded(&app).await[0].bytes;
    app.set_chat_options(&ChatOptions { memory_safe: true, ..ChatOptions::default() }).await.unwrap();
    let small = ask_and_stop(&app, &roomy).await;
    assert!(small.answer.unwrap().memory_safe);
    let meter = app.context_meter(small.conversation_id, "").await.unwrap().unwrap();
    assert_eq!((meter.n_ctx, meter.reserved), (2_048, 256));
    let models = loaded(&app).await;
    assert_eq!(models.len(), 1, "the same model with other settings is not kept beside");
    assert!(models[0].memory_safe && models[0].bytes < bytes, "{models:?} {bytes}");
    // The mode ends as it began: with a load.
    app.set_chat_options(&ChatOptions::default()).await.unwrap();
    assert!(!ask_and_stop(&app, &roomy).await.answer.unwrap().memory_safe);
}

/// Stops the answer at its first words.
async fn ask_and_stop(app: &App, settings: &ChatSettings) -> ChatMessage {
    let talk = app.begin_conversation(settings.clone()).await.unwrap();
    let mut events = app.subscribe();
    let text = "Write a long story about the sea.".into();
    let request = SendRequest { conversation_id: talk.id, text, instead_of: None, by: AnswerBy::Policy };
    app.send(request).await.unwrap();
    loop {
        let event = tokio::time::timeout(Duration::from_mins(3), events.recv()).await.expect("an end").unwrap();
        let AppEvent::Chat { update } = event else { continue };
        match *update {
            ChatUpdate::Words { message_id, .. } => app.stop_answer(message_id),
            ChatUpdate::Ended { message } => {
                assert_ne!(message.state, MessageState::Failed, "{:?}", message.failure);
                return *message;
            }
            ChatUpdate::Consent { .. } => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_loaded_last_is_loaded_at_the_start_if_that_is_wished_for() {
    let folder = tempfile::tempdir().unwrap();
    let app = open(folder.path()).await;
    ask(&app, &with_model(smollm2()), "Hello.").await;
    drop(app);
    let app = open(folder.path()).await;
    assert!(!app.preload().await.unwrap(), "nobody has wished for it");
    app.set_chat_options(&ChatOptions { preload: true, ..ChatOptions::default() }).await.unwrap();
    assert!(app.preload().await.unwrap());
    let models = loaded(&app).await;
    assert!(models.len() == 1 && models[0].path == smollm2(), "{models:?}");
    let since = models[0].since;
    ask(&app, &with_model(smollm2()), "Hello.").await;
    assert_eq!(loaded(&app).await[0].since, since, "the answer needed no load");
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_says_what_it_did_and_is_for_greedy_answers_only() {
    let folder = tempfile::tempdir().unwrap();
    let app = open(folder.path()).await;
    app.set_chat_options(&ChatOptions { speculative: true, ..ChatOptions::default() }).await.unwrap();
    let text = format!("Repeat word for word: {}", "the cat sat on the mat and the dog sat on the log; ".repeat(3));
    let mut settings = ChatSettings { max_tokens: 32, ..with_model(smollm2()) };
    let figures = ask(&app, &settings, &text).await.answer.unwrap().figures.unwrap();
    let speculation = figures.speculation.expect("a greedy answer");
    assert!(speculation.accepted_tokens <= speculation.drafted_tokens && speculation.drafted_tokens > 0);
    settings.sampling.temperature = 0.7;
    let figures = ask(&app, &settings, &text).await.answer.unwrap().figures.unwrap();
    assert_eq!(figures.speculation, None);
}
