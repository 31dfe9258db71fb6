//! Tests that need the connections themselves.

#[path = "../tests/common/mod.rs"]
mod common;

use crate::{Access, Store, StoreError, cells, jobs, model_files, runs, samples, sessions, tunings};
use common::{fill, fresh, generation, id, sample};
use pocketbench_domain::run::{Measured, SessionId};
use pocketbench_domain::{ErrorCode, ErrorReport};
use sqlx::{AssertSqlSafe, Row};

#[tokio::test]
async fn the_writer_is_set_up_as_documented() {
    let (_folder, store) = fresh().await;
    let pragma = async |name: &str| -> String {
        let row = sqlx::query(AssertSqlSafe(format!("PRAGMA {name}"))).fetch_one(&store.writer).await.unwrap();
        row.try_get::<i64, _>(0).map_or_else(|_| row.get::<String, _>(0), |n| n.to_string())
    };
    assert_eq!(pragma("journal_mode").await, "wal");
    assert_eq!(pragma("synchronous").await, "2", "FULL");
    assert_eq!(pragma("foreign_keys").await, "1");
    assert_eq!(pragma("busy_timeout").await, "5000");
    assert_eq!(pragma("application_id").await, 0x506b_426e.to_string());
}

#[tokio::test]
async fn a_full_disk_keeps_what_is_stored_and_goes_on_when_there_is_space() {
    let (folder, store) = fresh().await;
    let (run, cells, mut expected) = fill(&store, 0x1000).await;
    let pages: i64 = sqlx::query_scalar("PRAGMA page_count").fetch_one(&store.writer).await.unwrap();
    let limit = async |n: i64| {
        sqlx::query(AssertSqlSafe(format!("PRAGMA max_page_count = {n}"))).execute(&store.writer).await.unwrap();
    };
    limit(pages + 8).await;

    // Text large enough to need pages of its own.
    let mut large = generation(9);
    if let Measured::Generation(generation) = &mut large {
        generation.text = "word ".repeat(2_000);
    }
    let mut refused = None;
    for repetition in 2..100 {
        let sample =
            sample(0x5000 + u128::from(repetition), &cells[2], SessionId(id(0x1040)), repetition, large.clone());
        match store.insert_sample(&sample, &[]).await {
            Ok(()) => expected.insert(4 + (repetition as usize - 2), sample),
            Err(error) => {
                assert!(matches!(error, StoreError::DiskFull), "{error:?}");
                assert_eq!(ErrorReport::from(error).code, ErrorCode::DiskFull);
                refused = Some(sample);
                break;
            }
        }
    }
    let refused = refused.expect("the limit was reached");
    assert_eq!(store.samples(run.id).await.unwrap(), expected, "all that was acknowledged and no half of the other");

    limit(1 << 30).await;
    store.insert_sample(&refused, &[]).await.unwrap();
    store.close().await;
    let store = Store::open(folder.path(), Access::Own).await.unwrap();
    assert_eq!(store.samples(run.id).await.unwrap().len(), expected.len() + 1);
}

#[tokio::test]
async fn history_cannot_be_rewritten() {
    let (_folder, store) = fresh().await;
    let (run, _, samples) = fill(&store, 0x1000).await;
    for (statement, reason) in [
        ("UPDATE samples SET repetition = repetition + 100", "samples are immutable"),
        ("UPDATE samples SET measured = '{}'", "samples are immutable"),
        ("DELETE FROM samples", "deleted with their run"),
        ("DELETE FROM cells", "deleted with their run"),
        ("DELETE FROM sessions", "FOREIGN KEY"),
        ("UPDATE runs SET spec = '{}'", "settings of a run"),
        ("UPDATE runs SET started_at_ns = 0", "only the end"),
        ("DELETE FROM devices", "FOREIGN KEY"),
        ("DELETE FROM models", "FOREIGN KEY"),
        ("DELETE FROM jobs", "FOREIGN KEY"),
        ("UPDATE cells SET state = 'unknown'", "CHECK"),
        ("UPDATE jobs SET progress = 'no JSON'", "CHECK"),
    ] {
        let error = sqlx::query(statement).execute(&store.writer).await.expect_err(statement);
        let StoreError::Rejected(found) = StoreError::from(error) else { panic!("{statement}") };
        assert!(found.contains(reason), "{statement}: {found}");
    }
    assert_eq!(store.samples(run.id).await.unwrap(), samples);
}

/// Lists stay fast with many records: no query reads a whole table that grows, and none sorts what an index has in order.
#[tokio::test]
async fn queries_use_indexes() {
    let (_folder, store) = fresh().await;
    // The plan must not depend on how much is in the tables.
    fill(&store, 0x1000).await;
    for (name, query, sorts) in [
        ("jobs", jobs::LIST, false),
        ("job", jobs::BY_ID, false),
        ("interrupt", jobs::INTERRUPT, false),
        ("runs", runs::LIST, false),
        ("runs of a job", runs::BY_JOB, true),
        ("tunings", tunings::OF_DEVICE, true),
        ("cells", cells::BY_RUN, false),
        ("sessions", sessions::BY_RUN, false),
        ("samples", samples::BY_RUN, true),
        ("counts", samples::COUNTS, true),
        ("typical", samples::TYPICAL, true),
        ("model file", model_files::BY_FILE, false),
        ("referenced", model_files::REFERENCED, false),
    ] {
        let mut explain = sqlx::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {query}")));
        for _ in 0..query.matches('?').count() {
            explain = explain.bind(1);
        }
        let plan: Vec<String> =
            explain.fetch_all(&store.writer).await.unwrap().iter().map(|row| row.get("detail")).collect();
        assert!(!plan.is_empty(), "{name}");
        for step in &plan {
            let derived = step.contains("subquery") || step == "SCAN ranked";
            let whole_table = step.starts_with("SCAN ") && !step.contains(" USING ") && !derived;
            assert!(!whole_table, "{name}: {step}\n{plan:#?}");
            assert!(sorts || !step.contains("TEMP B-TREE"), "{name}: {step}\n{plan:#?}");
        }
    }
}
