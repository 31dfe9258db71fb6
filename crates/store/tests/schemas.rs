//! Released migrations are frozen, and a database of every released schema is brought up to date with its data.
//!
//! `tests/schemas/checksums.txt` has one line a migration; `tests/schemas/N.sql` is a dump of a database as the program
//! with schema N wrote it. A new migration needs a new line and a new dump: run this test with
//! `POCKETBENCH_WRITE_SCHEMA=1` and commit what it wrote. Lines and dumps that exist are never rewritten.

mod common;

use common::{at, fill, id, model, provider};
use pocketbench_domain::run::{CellState, RunId};
use pocketbench_domain::{ErrorCode, ErrorReport};
use pocketbench_store::{Access, DATABASE_FILE, MIGRATIONS, ModelFile, Store};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use sqlx::{AssertSqlSafe, Row};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schemas")
}

fn may_write() -> bool {
    std::env::var_os("POCKETBENCH_WRITE_SCHEMA").is_some()
}

fn newest() -> i64 {
    MIGRATIONS.iter().map(|m| m.version).max().unwrap()
}

async fn connect(file: &Path) -> SqlitePool {
    let options = SqliteConnectOptions::new().filename(file).create_if_missing(true).foreign_keys(false);
    SqlitePool::connect_with(options).await.unwrap()
}

#[test]
fn released_migrations_are_unchanged() {
    let file = folder().join("checksums.txt");
    let mut frozen: BTreeMap<i64, String> = std::fs::read_to_string(&file)
        .unwrap_or_default()
        .lines()
        .map(|line| {
            let (version, checksum) = line.split_once(' ').expect("version and checksum");
            (version.parse().unwrap(), checksum.to_owned())
        })
        .collect();
    for migration in MIGRATIONS.iter() {
        let mut checksum = String::new();
        for byte in migration.checksum.iter() {
            write!(checksum, "{byte:02x}").unwrap();
        }
        let known = match frozen.get(&migration.version) {
            None if may_write() => frozen.entry(migration.version).or_insert(checksum.clone()),
            Some(known) => known,
            None => panic!("migration {} has no frozen checksum; see the head of this file", migration.version),
        };
        assert_eq!(*known, checksum, "migration {} was changed; write a new one instead", migration.version);
    }
    assert_eq!(frozen.len(), MIGRATIONS.iter().count(), "a released migration is missing");
    if may_write() {
        let text = frozen.iter().fold(String::new(), |text, (version, sum)| text + &format!("{version} {sum}\n"));
        std::fs::write(file, text).unwrap();
    }
}

/// The record that every dump has: a run with a failed cell, samples of every kind, a model file and a setting.
async fn write_records(store: &Store) {
    let (_, cells, _) = fill(store, 0x1000).await;
    let failure = ErrorReport::new(ErrorCode::WorkerCrashed, "The worker was killed.").hint("Try again.");
    store.set_cell_state(cells[1].id, CellState::Failed, Some(&failure)).await.unwrap();
    store
        .upsert_model_file(&ModelFile { model: model('a', "SmolLM2"), mtime_ns: 5, last_seen: at(0), reference: true })
        .await
        .unwrap();
    store.set_setting("threads", &4).await.unwrap();
    store.save_provider(&provider("home"), at(0)).await.unwrap();
}

/// A database as SQL text: tables, rows, then indexes and triggers.
async fn dump(file: &Path) -> String {
    let pool = connect(file).await;
    let application: i64 = sqlx::query_scalar("PRAGMA application_id").fetch_one(&pool).await.unwrap();
    let mut text = format!("PRAGMA application_id = {application};\n");
    let objects = sqlx::query(
        "SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT IN
             (SELECT name FROM pragma_table_list WHERE type = 'shadow') ORDER BY rowid",
    )
    .fetch_all(&pool)
    .await
    .unwrap();
    let (tables, others): (Vec<_>, Vec<_>) = objects.iter().partition(|row| row.get::<&str, _>("type") == "table");
    for table in &tables {
        writeln!(text, "{};", table.get::<&str, _>("sql")).unwrap();
    }
    for table in &tables {
        let name: &str = table.get("name");
        let columns: Vec<String> =
            sqlx::query_scalar("SELECT name FROM pragma_table_info(?)").bind(name).fetch_all(&pool).await.unwrap();
        let quoted: Vec<String> = columns.iter().map(|c| format!("quote({c})")).collect();
        let rows: Vec<String> =
            sqlx::query_scalar(AssertSqlSafe(format!("SELECT concat_ws(', ', {}) FROM {name}", quoted.join(", "))))
                .fetch_all(&pool)
                .await
                .unwrap();
        for row in rows {
            writeln!(text, "INSERT INTO {name} VALUES ({row});").unwrap();
        }
    }
    for other in &others {
        writeln!(text, "{};", other.get::<&str, _>("sql")).unwrap();
    }
    pool.close().await;
    text
}

#[tokio::test]
async fn every_released_schema_is_brought_up_to_date_with_its_data() {
    let newest_dump = folder().join(format!("{}.sql", newest()));
    if may_write() && !newest_dump.exists() {
        let data = tempfile::tempdir().unwrap();
        let store = Store::open(data.path(), Access::Own).await.unwrap();
        write_records(&store).await;
        store.close().await;
        std::fs::create_dir_all(folder()).unwrap();
        std::fs::write(&newest_dump, dump(&data.path().join(DATABASE_FILE)).await).unwrap();
    }

    let data = tempfile::tempdir().unwrap();
    let expected = Store::open(data.path(), Access::Own).await.unwrap();
    write_records(&expected).await;
    let run = RunId(id(0x1001));

    for migration in MIGRATIONS.iter() {
        let schema = migration.version;
        let text = std::fs::read_to_string(folder().join(format!("{schema}.sql")))
            .unwrap_or_else(|_| panic!("schema {schema} has no dump; see the head of this file"));
        let data = tempfile::tempdir().unwrap();
        let pool = connect(&data.path().join(DATABASE_FILE)).await;
        sqlx::raw_sql(AssertSqlSafe(text)).execute(&pool).await.unwrap();
        pool.close().await;

        let store = Store::open(data.path(), Access::Own).await.unwrap();
        store.check().await.unwrap();
        assert_eq!(store.run(run).await.unwrap(), expected.run(run).await.unwrap());
        assert_eq!(store.cells(run).await.unwrap(), expected.cells(run).await.unwrap());
        assert_eq!(store.sessions(run).await.unwrap(), expected.sessions(run).await.unwrap());
        assert_eq!(store.samples(run).await.unwrap(), expected.samples(run).await.unwrap());
        assert_eq!(store.jobs(10).await.unwrap(), expected.jobs(10).await.unwrap());
        assert_eq!(store.devices().await.unwrap(), expected.devices().await.unwrap());
        assert_eq!(store.referenced_files().await.unwrap(), expected.referenced_files().await.unwrap());
        assert_eq!(store.setting::<u32>("threads").await.unwrap(), Some(4));
        assert_eq!(store.runs(10).await.unwrap(), expected.runs(10).await.unwrap());
        // Schemas before the fourth have none.
        let providers = if schema < 4 { Vec::new() } else { expected.providers().await.unwrap() };
        assert_eq!(store.providers().await.unwrap(), providers);

        store.close().await;
        let pool = connect(&data.path().join(DATABASE_FILE)).await;
        let broken = sqlx::query("PRAGMA foreign_key_check").fetch_all(&pool).await.unwrap();
        assert!(broken.is_empty(), "schema {schema}");
        pool.close().await;
    }
}

/// Whichever way a database came about, its structure is the same.
#[tokio::test]
async fn an_old_database_ends_with_the_structure_of_a_new_one() {
    let structure = async |file: PathBuf| -> Vec<String> {
        let pool = connect(&file).await;
        let rows = sqlx::query_scalar("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type, name")
            .fetch_all(&pool)
            .await
            .unwrap();
        pool.close().await;
        rows
    };
    let fresh = tempfile::tempdir().unwrap();
    Store::open(fresh.path(), Access::Own).await.unwrap().close().await;
    let fresh = structure(fresh.path().join(DATABASE_FILE)).await;

    for migration in MIGRATIONS.iter() {
        let Ok(text) = std::fs::read_to_string(folder().join(format!("{}.sql", migration.version))) else {
            panic!("schema {} has no dump; see the head of this file", migration.version)
        };
        let old = tempfile::tempdir().unwrap();
        let pool = connect(&old.path().join(DATABASE_FILE)).await;
        sqlx::raw_sql(AssertSqlSafe(text)).execute(&pool).await.unwrap();
        pool.close().await;
        Store::open(old.path(), Access::Own).await.unwrap().close().await;
        assert_eq!(structure(old.path().join(DATABASE_FILE)).await, fresh, "schema {}", migration.version);
    }
}
