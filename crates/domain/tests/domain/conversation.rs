//! Paths, branches, and what a model is told.

use crate::fixture::at;
use pocketbench_domain::conversation::{
    ChatMessage, ConversationId, MessageId, MessageState, TITLE_CHARS, droppable, newest_below, path, siblings,
    title_of, told,
};
use pocketbench_domain::generate::Role;
use uuid::Uuid;

fn id(n: u128) -> MessageId {
    MessageId(Uuid::from_u128(n))
}

fn message(n: u8, parent: Option<u8>, role: Role, content: &str) -> ChatMessage {
    ChatMessage {
        id: id(n.into()),
        conversation_id: ConversationId(Uuid::from_u128(1)),
        parent: parent.map(|parent| id(parent.into())),
        role,
        content: content.into(),
        pinned: false,
        created_at: at(n.into()),
        state: MessageState::Complete,
        answer: None,
        failure: None,
    }
}

/// Three turns; the second question was edited once (6 instead of 3) and its answer made twice (7, 8).
fn talk() -> Vec<ChatMessage> {
    vec![
        message(1, None, Role::User, "one"),
        message(2, Some(1), Role::Assistant, "<think>hm</think>\n\nfirst"),
        message(3, Some(2), Role::User, "two"),
        message(4, Some(3), Role::Assistant, "second"),
        message(5, Some(4), Role::User, "three"),
        message(6, Some(2), Role::User, "two, but better"),
        message(7, Some(6), Role::Assistant, "better"),
        message(8, Some(6), Role::Assistant, "best"),
    ]
}

fn ids(path: &[&ChatMessage]) -> Vec<u128> {
    path.iter().map(|message| message.id.0.as_u128()).collect()
}

#[test]
fn a_path_leads_from_the_first_message_to_the_head() {
    let messages = talk();
    assert_eq!(ids(&path(&messages, Some(id(5)))), [1, 2, 3, 4, 5]);
    assert_eq!(ids(&path(&messages, Some(id(8)))), [1, 2, 6, 8]);
    assert!(path(&messages, None).is_empty() && path(&messages, Some(id(99))).is_empty());
}

#[test]
fn a_damaged_tree_ends_the_walk() {
    let mut messages = talk();
    messages[0].parent = Some(id(5));
    assert_eq!(path(&messages, Some(id(5))).len(), 8, "a circle is walked no longer than there are messages");
    messages[2].parent = Some(id(42));
    assert_eq!(ids(&path(&messages, Some(id(5)))), [3, 4, 5]);
    assert_eq!(newest_below(&messages, id(99)), id(99));
    let end = newest_below(&messages, id(1));
    assert!(messages.iter().any(|message| message.id == end), "a circle is walked to some message of it");
}

#[test]
fn branches_are_siblings_and_switching_goes_to_the_newest_end() {
    let messages = talk();
    assert_eq!(siblings(&messages, id(3)), [id(3), id(6)]);
    assert_eq!(siblings(&messages, id(8)), [id(7), id(8)]);
    assert_eq!(siblings(&messages, id(1)), [id(1)]);
    assert!(siblings(&messages, id(99)).is_empty());
    assert_eq!(newest_below(&messages, id(3)), id(5));
    assert_eq!(newest_below(&messages, id(2)), id(8));
}

#[test]
fn the_oldest_turns_go_whole_and_pinned_ones_and_the_last_stay() {
    let mut messages = talk();
    let whole = |messages: &[ChatMessage], drop| told(&path(messages, Some(id(5))), "Be brief.", drop);
    let said = |messages: &[ChatMessage], drop| -> Vec<String> {
        whole(messages, drop).messages.into_iter().map(|message| message.content).collect()
    };
    assert_eq!(
        said(&messages, 0),
        ["Be brief.", "one", "first", "two", "second", "three"],
        "thoughts are not told again"
    );
    assert_eq!(said(&messages, 1), ["Be brief.", "two", "second", "three"]);
    assert_eq!(whole(&messages, 1).dropped, [id(1), id(2)]);
    assert_eq!(said(&messages, 9), ["Be brief.", "three"]);
    assert_eq!(droppable(&path(&messages, Some(id(5)))), 2);
    messages[1].pinned = true;
    assert_eq!(droppable(&path(&messages, Some(id(5)))), 1);
    assert_eq!(said(&messages, 9), ["Be brief.", "one", "first", "three"]);
    assert_eq!(told(&[], " ", 1).messages, []);
}

#[test]
fn answers_without_a_word_are_not_told() {
    let mut messages = talk();
    messages[1].content = String::new();
    messages[1].state = MessageState::Failed;
    let told = told(&path(&messages, Some(id(3))), "", 0);
    let said: Vec<&str> = told.messages.iter().map(|message| message.content.as_str()).collect();
    assert_eq!(said, ["one", "two"]);
}

#[test]
fn a_title_is_one_short_line() {
    assert_eq!(title_of("\n  Where is\tthe river? \nAnd why?"), "Where isthe river?");
    assert_eq!(title_of(""), "");
    let long = title_of(&"é".repeat(500));
    assert!(long.chars().count() == TITLE_CHARS && long.ends_with('…'));
}
