//! Conversations with a real model, and with workers that misbehave.

mod common;

use pocketbench_app_core::App;
use pocketbench_app_core::api::{AnswerBy, AppEvent, ChatUpdate, ConversationChange, ConversationFormat, SendRequest};
use pocketbench_app_core::domain::conversation::{
    ChatMessage, ChatSettings, Conversation, ConversationId, MessageState,
};
use pocketbench_app_core::domain::generate::{Role, Sampling, StopReason};
use pocketbench_app_core::domain::{ErrorCode, ErrorReport};
use pocketbench_testkit::smollm2;
use std::path::Path;
use std::time::Duration;

async fn open(folder: &Path) -> App {
    common::open(common::config(folder)).await
}

fn settings() -> ChatSettings {
    ChatSettings {
        model: Some(smollm2()),
        system_prompt: "Answer in plain words.".into(),
        sampling: Sampling::default(),
        max_tokens: 24,
        n_ctx: Some(512),
    }
}

fn say(conversation: &Conversation, text: &str) -> SendRequest {
    SendRequest { conversation_id: conversation.id, text: text.into(), instead_of: None, by: AnswerBy::Policy }
}

/// Says something and waits for the end of the answer, putting its words together on the way.
async fn ask(app: &App, request: SendRequest) -> ChatMessage {
    let mut events = app.subscribe();
    let answer = app.send(request).await.unwrap().answer.unwrap();
    assert_eq!(answer.state, MessageState::Writing);
    let mut heard = String::new();
    loop {
        let event = tokio::time::timeout(Duration::from_mins(3), events.recv()).await.expect("an end").unwrap();
        let AppEvent::Chat { update } = event else { continue };
        match *update {
            ChatUpdate::Words { message_id, from, text, .. } if message_id == answer.id => {
                assert_eq!(from as usize, heard.encode_utf16().count(), "nothing is missing");
                heard.push_str(&text);
            }
            ChatUpdate::Ended { message } if message.id == answer.id => {
                assert_eq!(message.content, heard);
                return *message;
            }
            _ => {}
        }
    }
}

async fn messages(app: &App, id: ConversationId) -> Vec<ChatMessage> {
    app.conversation(id).await.unwrap().messages
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_is_remembered_branched_and_found() {
    let folder = tempfile::tempdir().unwrap();
    let app = open(folder.path()).await;
    let talk = app.begin_conversation(settings()).await.unwrap();
    let first = ask(&app, say(&talk, "What is the capital of France?")).await;
    assert_eq!(first.state, MessageState::Complete, "{:?}", first.failure);
    let figures = first.answer.as_ref().unwrap().figures.unwrap();
    assert!(figures.prompt_tokens > 10 && figures.ttft_ms.is_some() && figures.decode_tps.is_some());

    // The second turn evaluates what is new and nothing else.
    let second = ask(&app, say(&talk, "And of Spain?")).await;
    let more = second.answer.as_ref().unwrap().figures.unwrap();
    assert!(more.reused_tokens >= figures.prompt_tokens + figures.generated_tokens - 1, "{figures:?} {more:?}");

    let view = app.conversation(talk.id).await.unwrap();
    assert_eq!(view.conversation.title, "What is the capital of France?");
    assert_eq!((view.messages.len(), view.path.len()), (4, 4));
    let hits = app.conversations("capital fra", 10, 0).await.unwrap();
    assert_eq!(hits[0].conversation.id, talk.id);

    // An edited question is a branch; the old one stays and can be shown again.
    let edited = SendRequest { instead_of: Some(view.messages[2].id), ..say(&talk, "And of Italy?") };
    ask(&app, edited).await;
    let branched = app.conversation(talk.id).await.unwrap();
    assert_eq!((branched.messages.len(), branched.path.len()), (6, 4));
    let back = app.show_branch(talk.id, view.messages[2].id).await.unwrap();
    assert_eq!(back.path, view.path);

    // Once more, beside the answer that there is.
    let mut events = app.subscribe();
    let turn = app.regenerate(talk.id, second.id, None).await.unwrap();
    assert!(turn.question.is_none() && turn.answer.unwrap().parent == second.parent);
    while !matches!(events.recv().await, Ok(AppEvent::Chat { update }) if matches!(*update, ChatUpdate::Ended { .. })) {
    }
    assert_eq!(messages(&app, talk.id).await.len(), 7);

    let change = ConversationChange { title: Some("Capitals".into()), pinned: Some(true), settings: None };
    assert!(app.change_conversation(talk.id, change).await.unwrap().pinned);
    let markdown = app.export_conversation(talk.id, ConversationFormat::Markdown).await.unwrap();
    assert!(markdown.starts_with("# Capitals\n") && markdown.contains("And of Spain?"), "{markdown}");
    let json = app.export_conversation(talk.id, ConversationFormat::Json).await.unwrap();
    let copy = app.import_conversation(&json).await.unwrap();
    assert_ne!(copy.id, talk.id);
    let contents = |messages: &[ChatMessage]| messages.iter().map(|m| m.content.clone()).collect::<Vec<_>>();
    assert_eq!(contents(&messages(&app, copy.id).await), contents(&messages(&app, talk.id).await));
    assert_eq!(app.conversation(copy.id).await.unwrap().path.len(), 4);

    app.delete_conversation(talk.id).await.unwrap();
    assert_eq!(app.conversations("", 10, 0).await.unwrap().len(), 1);
    app.restore_conversation(talk.id).await.unwrap();
    assert_eq!(app.conversations("", 10, 0).await.unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_chat_is_returned_to_without_prefill_and_the_oldest_turns_go_first() {
    let folder = tempfile::tempdir().unwrap();
    let talk = {
        let app = open(folder.path()).await;
        let talk = app.begin_conversation(settings()).await.unwrap();
        let story = "The river begins in the mountains and flows through three lakes before it meets the sea. ";
        let first = ask(&app, say(&talk, &format!("{}\nWhat does the river do?", story.repeat(16)))).await;
        assert!(first.answer.unwrap().figures.unwrap().prompt_tokens > 256);
        talk
    };
    let app = open(folder.path()).await;
    let second = ask(&app, say(&talk, "Where does it end?")).await;
    let figures = second.answer.as_ref().unwrap().figures.unwrap();
    assert!(figures.reused_tokens > 256, "read back from the file: {figures:?}");
    assert_eq!(second.answer.unwrap().dropped_turns, 0);

    // 512 tokens are full now: the first turn has to go, and that is known before.
    let draft = "Tell me everything again, with all the lakes and mountains, and what you think of it. ".repeat(8);
    let meter = app.context_meter(talk.id, &draft).await.unwrap().expect("the model is loaded");
    assert!(
        meter.dropped.len() == 2 && meter.next.len() > 2 && meter.tokens <= meter.n_ctx - meter.reserved,
        "{meter:?}"
    );
    let third = ask(&app, say(&talk, &draft)).await;
    assert_eq!(third.state, MessageState::Complete, "{:?}", third.failure);
    assert_eq!(third.answer.unwrap().dropped_turns, 1);

    let too_long = ask(&app, say(&talk, &draft.repeat(10))).await;
    let failure = too_long.failure.expect("no context holds it");
    assert_eq!((too_long.state, failure.code), (MessageState::Failed, ErrorCode::PromptTooLong));
    let after = ask(&app, say(&talk, "Hello?")).await;
    assert_eq!(after.state, MessageState::Complete, "a refusal harms nobody: {:?}", after.failure);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_can_be_stopped_and_keeps_its_words() {
    let folder = tempfile::tempdir().unwrap();
    let app = open(folder.path()).await;
    let endless = ChatSettings { max_tokens: 400, ..settings() };
    let talk = app.begin_conversation(endless).await.unwrap();
    let mut events = app.subscribe();
    let answer = app.send(say(&talk, "Write a very long story about the sea.")).await.unwrap().answer.unwrap();
    let busy = app.send(say(&talk, "And?")).await.unwrap_err();
    assert_eq!(busy.code, ErrorCode::InvalidInput);
    loop {
        let AppEvent::Chat { update } = events.recv().await.unwrap() else { continue };
        match *update {
            ChatUpdate::Words { .. } => app.stop_answer(answer.id),
            ChatUpdate::Ended { message } => {
                assert_eq!(message.state, MessageState::Stopped);
                assert!(!message.content.is_empty());
                assert_eq!(message.answer.unwrap().figures.unwrap().stop, StopReason::Cancelled);
                break;
            }
            ChatUpdate::Consent { .. } => panic!("nothing leaves this device"),
        }
    }
    let kept = messages(&app, talk.id).await;
    assert!(kept.iter().any(|m| m.role == Role::Assistant && m.state == MessageState::Stopped));
    // A short one: decoding on a machine that is busy takes its time.
    let change = ConversationChange { settings: Some(settings()), ..ConversationChange::default() };
    app.change_conversation(talk.id, change).await.unwrap();
    let next = ask(&app, say(&talk, "Thank you.")).await;
    assert_ne!(next.state, MessageState::Failed, "{:?}", next.failure);
}

fn code<T: std::fmt::Debug>(result: Result<T, ErrorReport>) -> ErrorCode {
    result.unwrap_err().code
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let app = open(folder.path()).await;
    let talk = app.begin_conversation(ChatSettings { model: None, ..settings() }).await.unwrap();
    for text in ["", "  \n", &"x".repeat(2 << 20), "Hello"] {
        assert_eq!(code(app.send(say(&talk, text)).await), ErrorCode::InvalidInput);
    }
    let nowhere = ConversationChange {
        settings: Some(ChatSettings { model: Some("/nowhere.gguf".into()), ..settings() }),
        ..ConversationChange::default()
    };
    app.change_conversation(talk.id, nowhere).await.unwrap();
    assert_eq!(code(app.send(say(&talk, "Hello")).await), ErrorCode::ModelFileNotFound);
    assert!(messages(&app, talk.id).await.is_empty());
    for text in ["", "{}", "[1]", "{\"schema\":\"other/1\"}", &"x".repeat(100)] {
        assert_eq!(code(app.import_conversation(text).await), ErrorCode::InvalidInput);
    }
    let json = app.export_conversation(talk.id, ConversationFormat::Json).await.unwrap();
    assert_eq!(
        code(app.import_conversation(&json.replace("conversation/1", "conversation/2")).await),
        ErrorCode::InvalidInput
    );
    assert_eq!(app.conversations("", 10, 0).await.unwrap().len(), 1);
}
