//! Duels are kept with their votes, and do not clutter the list of conversations.

mod common;

use common::{at, fresh, id};
use pocketbench_domain::conversation::{
    ChatMessage, ChatSettings, Conversation, ConversationId, MessageId, MessageState,
};
use pocketbench_domain::duel::{Ballot, Contender, Vote};
use pocketbench_domain::generate::Role;
use pocketbench_store::{Access, DuelRow, Store, StoreError};

fn duel(n: u8, blind: bool) -> (Conversation, ChatMessage, DuelRow) {
    let conversation_id = ConversationId(id(n.into()));
    let question = MessageId(id(1_000 + u128::from(n)));
    let conversation = Conversation {
        id: conversation_id,
        title: format!("Duel {n}"),
        pinned: false,
        created_at: at(n.into()),
        updated_at: at(n.into()),
        settings: ChatSettings::default(),
        head: Some(question),
    };
    let message = ChatMessage {
        id: question,
        conversation_id,
        parent: None,
        role: Role::User,
        content: format!("Which of {n} rivers?"),
        pinned: false,
        created_at: at(n.into()),
        state: MessageState::Complete,
        answer: None,
        failure: None,
    };
    let contender = |c: char| Contender { sha256: c.to_string().repeat(64), label: format!("Model {c}") };
    let models = [contender('a'), contender('b')];
    (conversation, message, DuelRow { question, conversation_id, models, blind, vote: None })
}

#[tokio::test]
async fn a_duel_comes_back_as_it_was_and_is_in_no_list_of_conversations() {
    let (folder, store) = fresh().await;
    let all = [duel(1, true), duel(2, false)];
    for (conversation, question, row) in &all {
        store.insert_duel(conversation, question, row).await.unwrap();
    }
    store.close().await;
    let store = Store::open(folder.path(), Access::Own).await.unwrap();
    let [(_, _, first), (conversation, question, second)] = &all;
    assert_eq!(store.duels(10).await.unwrap(), [second.clone(), first.clone()], "the latest first");
    assert_eq!(store.duels(1).await.unwrap(), std::slice::from_ref(second));
    assert_eq!(store.duel(first.question).await.unwrap().as_ref(), Some(first));
    assert_eq!(store.duel_of(second.conversation_id).await.unwrap().as_ref(), Some(second));
    assert_eq!(store.duel(MessageId(id(7))).await.unwrap(), None);
    assert_eq!(store.messages(second.conversation_id).await.unwrap(), std::slice::from_ref(question));
    assert_eq!(&store.conversation(second.conversation_id).await.unwrap(), conversation);
    assert!(store.conversations(10, 0).await.unwrap().is_empty());
    for words in ["rivers", "Duel"] {
        assert!(store.search_conversations(words, 10).await.unwrap().is_empty(), "{words}");
    }
}

#[tokio::test]
async fn a_later_vote_takes_the_place_of_the_first_and_a_deleted_duel_does_not_count() {
    let (_folder, store) = fresh().await;
    let all = [duel(1, true), duel(2, false)];
    for (conversation, question, row) in &all {
        store.insert_duel(conversation, question, row).await.unwrap();
    }
    assert!(store.votes().await.unwrap().is_empty());
    let [first, second] = [all[0].2.question, all[1].2.question];
    store.set_vote(first, Vote::Left, at(10)).await.unwrap();
    store.set_vote(first, Vote::BothBad, at(11)).await.unwrap();
    store.set_vote(second, Vote::Right, at(12)).await.unwrap();
    assert_eq!(store.duel(first).await.unwrap().unwrap().vote, Some(Vote::BothBad));
    let models = all[0].2.models.clone();
    let expected = [
        Ballot { models: models.clone(), blind: true, vote: Vote::BothBad },
        Ballot { models, blind: false, vote: Vote::Right },
    ];
    assert_eq!(store.votes().await.unwrap(), expected);
    assert!(matches!(
        store.set_vote(MessageId(id(7)), Vote::Tie, at(13)).await,
        Err(StoreError::NotFound { what: "duel", .. })
    ));

    store.set_conversation_deleted(all[1].2.conversation_id, Some(at(20))).await.unwrap();
    assert_eq!(store.votes().await.unwrap().len(), 1);
    store.purge_conversations(at(30)).await.unwrap();
    assert_eq!(store.duels(10).await.unwrap().len(), 1);
    store.check().await.unwrap();
}

#[tokio::test]
async fn a_model_cannot_fight_itself() {
    let (_folder, store) = fresh().await;
    let (conversation, question, mut row) = duel(1, true);
    row.models[1] = row.models[0].clone();
    assert!(store.insert_duel(&conversation, &question, &row).await.is_err());
    assert!(store.messages(row.conversation_id).await.unwrap().is_empty(), "nothing is left of it");
}
