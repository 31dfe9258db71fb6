//! Conversations are kept, found, branched, deleted and brought back.

mod common;

use common::{at, fresh, id};
use pocketbench_domain::conversation::{
    Answer, ChatMessage, ChatSettings, CloudAnswer, Conversation, ConversationId, MessageId, MessageState,
};
use pocketbench_domain::generate::Role;
use pocketbench_domain::provider::{Cost, Money};
use pocketbench_domain::{ErrorCode, ErrorReport};
use pocketbench_store::{Access, Store, StoreError};

fn conversation(n: u128, title: &str) -> Conversation {
    Conversation {
        id: ConversationId(id(n)),
        title: title.into(),
        pinned: false,
        created_at: at(0),
        updated_at: at(i64::try_from(n % 1_000_000).unwrap()),
        settings: ChatSettings { system_prompt: "Be brief.".into(), ..ChatSettings::default() },
        head: None,
    }
}

fn message(n: u128, of: &Conversation, parent: Option<MessageId>, role: Role, content: &str) -> ChatMessage {
    ChatMessage {
        id: MessageId(id(n)),
        conversation_id: of.id,
        parent,
        role,
        content: content.into(),
        pinned: false,
        created_at: at(i64::try_from(n % 1_000_000).unwrap()),
        state: MessageState::Complete,
        answer: None,
        failure: None,
    }
}

fn titles(conversations: &[Conversation]) -> Vec<&str> {
    conversations.iter().map(|c| c.title.as_str()).collect()
}

async fn found(store: &Store, text: &str) -> Vec<String> {
    let hits = store.search_conversations(text, 50).await.unwrap();
    hits.into_iter().map(|hit| hit.conversation.title).collect()
}

#[tokio::test]
async fn a_conversation_comes_back_as_it_was() {
    let (folder, store) = fresh().await;
    let mut talk = conversation(1, "River");
    store.insert_conversation(&talk).await.unwrap();
    let question = message(10, &talk, None, Role::User, "Where does it begin?");
    store.insert_message(&question).await.unwrap();
    let mut answer = message(11, &talk, Some(question.id), Role::Assistant, "");
    answer.state = MessageState::Writing;
    answer.answer = Some(Answer {
        model: "M".into(),
        model_sha256: Some("a".repeat(64)),
        figures: None,
        dropped_turns: 2,
        decision: None,
        cloud: None,
        memory_safe: false,
    });
    store.insert_message(&answer).await.unwrap();
    store.write_message(answer.id, "In the").await.unwrap();
    answer.content = "In the mountains.".into();
    answer.state = MessageState::Failed;
    answer.failure = Some(ErrorReport::new(ErrorCode::WorkerCrashed, "It ended."));
    store.end_message(&answer, &Cost::Free).await.unwrap();
    store.pin_message(question.id, true).await.unwrap();
    store.close().await;

    let store = Store::open(folder.path(), Access::Own).await.unwrap();
    talk.head = Some(answer.id);
    talk.updated_at = talk.updated_at.max(answer.created_at);
    assert_eq!(store.conversation(talk.id).await.unwrap(), talk);
    let question = ChatMessage { pinned: true, ..question };
    assert_eq!(store.messages(talk.id).await.unwrap(), [question, answer]);
}

#[tokio::test]
async fn words_so_far_survive_the_end_of_the_program() {
    let (folder, store) = fresh().await;
    let talk = conversation(1, "Cut");
    store.insert_conversation(&talk).await.unwrap();
    let mut answer = message(10, &talk, None, Role::Assistant, "");
    answer.state = MessageState::Writing;
    store.insert_message(&answer).await.unwrap();
    store.write_message(answer.id, "Half a senten").await.unwrap();
    assert_eq!(found(&store, "senten").await, [""; 0], "what is being written is not searched");
    store.close().await;

    let store = Store::open(folder.path(), Access::Own).await.unwrap();
    assert_eq!(store.cut_messages().await.unwrap(), 1);
    let cut = &store.messages(talk.id).await.unwrap()[0];
    assert_eq!((cut.state, cut.content.as_str()), (MessageState::Cut, "Half a senten"));
    assert_eq!(found(&store, "senten").await, ["Cut"]);
    assert_eq!(store.cut_messages().await.unwrap(), 0);
    store.write_message(answer.id, "late").await.unwrap();
    assert_eq!(store.messages(talk.id).await.unwrap()[0].content, "Half a senten", "an answer that ended stays");
}

#[tokio::test]
async fn search_finds_words_in_every_script_and_titles() {
    let (_folder, store) = fresh().await;
    for (n, title, text) in [
        (1, "First", "The Río flows to the harbour."),
        (2, "Second", "我想知道北京的天气怎么样"),
        (3, "Third", "SELECT * FROM rivers WHERE name = \"Elbe\"; -- 100% of it"),
        (4, "Harbour plans", "Nothing of note."),
        (5, "Fifth", "川は海に流れる"),
    ] {
        let talk = conversation(n, title);
        store.insert_conversation(&talk).await.unwrap();
        store.insert_message(&message(100 + n, &talk, None, Role::User, text)).await.unwrap();
    }
    assert_eq!(found(&store, "rio").await, ["First"], "without marks and case");
    assert_eq!(found(&store, "harb").await, ["Harbour plans", "First"], "a beginning, and a title");
    assert_eq!(found(&store, "flows harbour").await, ["First"], "all words");
    assert_eq!(found(&store, "flows Elbe").await, [""; 0]);
    assert_eq!(found(&store, "天气").await, ["Second"]);
    assert_eq!(found(&store, "京天").await, [""; 0], "characters in another order");
    assert_eq!(found(&store, "海").await, ["Fifth"]);
    assert_eq!(found(&store, "\"Elbe\"; OR NEAR(").await, [""; 0], "no query language");
    assert_eq!(found(&store, "100%").await, ["Third"]);
    for nothing in ["", "  ", "\"", "*", "(", "\u{0}", "%", "_"] {
        assert_eq!(found(&store, nothing).await, [""; 0], "{nothing:?}");
    }
    let hit = &store.search_conversations("harbour flows", 1).await.unwrap()[0];
    assert_eq!(hit.excerpt.as_deref(), Some("The Río flows to the harbour."));
}

#[tokio::test]
async fn pinned_ones_come_first_and_a_deleted_one_can_be_brought_back() {
    let (_folder, store) = fresh().await;
    let mut talks = [conversation(1, "old"), conversation(2, "middle"), conversation(3, "new")];
    for talk in &talks {
        store.insert_conversation(talk).await.unwrap();
        store.insert_message(&message(100 + talk.id.0.as_u128(), talk, None, Role::User, "word")).await.unwrap();
    }
    talks[0].pinned = true;
    talks[0].title = "renamed".into();
    store.update_conversation(&talks[0]).await.unwrap();
    store.update_conversation(&talks[2]).await.unwrap();
    assert_eq!(titles(&store.conversations(10, 0).await.unwrap()), ["renamed", "new", "middle"]);
    assert_eq!(titles(&store.conversations(1, 1).await.unwrap()), ["new"]);

    store.set_conversation_deleted(talks[2].id, Some(at(50))).await.unwrap();
    assert_eq!(titles(&store.conversations(10, 0).await.unwrap()), ["renamed", "middle"]);
    assert_eq!(found(&store, "word").await, ["renamed", "middle"]);
    assert!(matches!(store.conversation(talks[2].id).await, Err(StoreError::NotFound { .. })));
    store.set_conversation_deleted(talks[2].id, None).await.unwrap();
    assert_eq!(found(&store, "word").await.len(), 3);

    store.set_conversation_deleted(talks[2].id, Some(at(50))).await.unwrap();
    assert_eq!(store.purge_conversations(at(50)).await.unwrap(), 0, "not yet");
    assert_eq!(store.purge_conversations(at(51)).await.unwrap(), 1);
    assert!(store.messages(talks[2].id).await.unwrap().is_empty());
    assert_eq!(found(&store, "word").await.len(), 2);
    assert!(store.set_conversation_deleted(talks[2].id, None).await.is_err());
    store.check().await.unwrap();
}

#[tokio::test]
async fn an_import_is_whole_or_not_at_all() {
    let (_folder, store) = fresh().await;
    let talk = conversation(1, "Import");
    let first = message(10, &talk, None, Role::User, "one");
    let twice = [first.clone(), first.clone()];
    assert!(store.import_conversation(&talk, &twice).await.is_err());
    assert!(store.conversations(10, 0).await.unwrap().is_empty());
    store.import_conversation(&talk, &twice[..1]).await.unwrap();
    assert_eq!(store.messages(talk.id).await.unwrap(), [first]);
}

#[tokio::test]
async fn what_an_answer_cost_is_kept_once_whatever_becomes_of_it() {
    let (folder, store) = fresh().await;
    let talk = conversation(1, "Dear");
    store.insert_conversation(&talk).await.unwrap();
    let answer = |n: u128, cost: Cost| {
        let cloud = CloudAnswer {
            provider: "p".into(),
            title: "P".into(),
            model: "m".into(),
            usage: None,
            first_piece_ms: None,
            took_ms: None,
            cost,
        };
        let model = "m".to_owned();
        let of = Answer {
            model,
            model_sha256: None,
            figures: None,
            dropped_turns: 0,
            decision: None,
            cloud: Some(cloud),
            memory_safe: false,
        };
        let writing = message(n, &talk, None, Role::Assistant, "");
        ChatMessage { state: MessageState::Writing, answer: Some(of), ..writing }
    };
    let amount = Cost::Amount(Money { currency: "USD".into(), nanos: 1_234 });
    let (paid, free, refused, killed) =
        (answer(10, Cost::Unknown), answer(11, Cost::Free), answer(12, Cost::Unknown), answer(13, Cost::Unknown));
    for message in [&paid, &free, &refused, &killed] {
        store.insert_message(message).await.unwrap();
    }
    let costs = async |store: &Store| -> Vec<Cost> {
        store.spending(at(0)).await.unwrap().into_iter().map(|(_, cost)| cost).collect()
    };
    assert_eq!(costs(&store).await, [Cost::Unknown, Cost::Unknown, Cost::Unknown], "before anything is asked");
    for (message, charged) in [(paid, &amount), (free, &Cost::Free), (refused, &Cost::Free)] {
        let message = ChatMessage { state: MessageState::Complete, ..message };
        store.end_message(&message, charged).await.unwrap();
        store.end_message(&message, charged).await.unwrap();
    }
    store.close().await;

    let store = Store::open(folder.path(), Access::Own).await.unwrap();
    assert_eq!(store.cut_messages().await.unwrap(), 1);
    let left = [amount, Cost::Unknown];
    assert_eq!(costs(&store).await, left);
    store.set_conversation_deleted(talk.id, Some(at(1))).await.unwrap();
    assert_eq!(store.purge_conversations(at(2)).await.unwrap(), 1);
    assert!(store.messages(talk.id).await.unwrap().is_empty());
    assert_eq!(costs(&store).await, left, "the money is gone all the same");
    assert!(store.spending(at(1_000_000)).await.unwrap().is_empty());
}
