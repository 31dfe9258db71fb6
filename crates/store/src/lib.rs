//! `SQLite`: every SQL statement of Pocketbench. One module a table; the schema is in `migrations/` at the root.
//!
//! A [`Store`] owns the data folder: it holds the folder's lock, one connection that writes and a few that read. Every
//! write is one transaction and is on disk when its function returns; dropping a future in the middle of a write leaves
//! either all of it or nothing.

// The tests' records name the crate as any user does.
#[cfg(test)]
extern crate self as pocketbench_store;

mod added_repositories;
mod cells;
mod codec;
mod conversations;
mod devices;
mod duels;
mod error;
mod jobs;
mod kv_states;
mod lock;
mod model_files;
mod models;
mod providers;
mod remote_files;
mod runs;
mod samples;
mod sessions;
mod settings;
mod spending;
#[cfg(test)]
mod tests;
mod tunings;

pub use conversations::ConversationHit;
pub use duels::DuelRow;
pub use error::StoreError;
pub use jobs::LOG_TAIL_LINES;
pub use kv_states::KvState;
pub use model_files::{ModelFile, ModelUse};
pub use remote_files::RemoteFile;
pub use runs::RunSummaryRow;
pub use samples::{SampleCount, TaskTime};

use lock::FolderLock;
use sqlx::SqlitePool;
use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Every schema version, embedded.
pub static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations");

/// Name of the database in the data folder.
pub const DATABASE_FILE: &str = "pocketbench.db";

/// Name of the lock file in the data folder.
pub const LOCK_FILE: &str = "pocketbench.lock";

/// What the data folder is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Read and write, and be the only one who does. Creates folder and database where there are none, and brings an
    /// older database up to date.
    Own,
    /// Look only. Works beside an owner and in a folder that cannot be written.
    ReadOnly,
}

/// The data folder of Pocketbench, opened.
#[derive(Debug)]
pub struct Store {
    /// One connection: writes queue here instead of in `SQLite`'s busy handler. Read-only access has the readers here, so
    /// that a write fails as it should.
    writer: SqlitePool,
    readers: SqlitePool,
    /// Last field: released after the pools are gone.
    lock: Option<FolderLock>,
}

impl Store {
    /// Opens the data folder.
    ///
    /// An existing file is never deleted or replaced, whatever is wrong with it.
    pub async fn open(data_folder: &Path, access: Access) -> Result<Self, StoreError> {
        match access {
            Access::Own => Self::open_own(data_folder).await,
            Access::ReadOnly => Self::open_read_only(data_folder).await,
        }
    }

    async fn open_own(folder: &Path) -> Result<Self, StoreError> {
        std::fs::create_dir_all(folder).map_err(|e| StoreError::from_io(folder, &e))?;
        let lock = FolderLock::take(&folder.join(LOCK_FILE))?;
        let file = folder.join(DATABASE_FILE);
        // SQLite removes the log when the last connection closes in order, so a log that is left means a crash, a kill or
        // a power cut. Only then is the whole file checked: that takes time in proportion to its size.
        let unclean = log_of(&file).metadata().is_ok_and(|m| m.len() > 0);

        let options = options(&file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // FULL, not NORMAL: with NORMAL a power cut takes back transactions that were acknowledged since the last
            // checkpoint. A sample takes a good part of a second to measure and a few milliseconds to sync, between two
            // repetitions and never within one.
            .synchronous(SqliteSynchronous::Full)
            // On Apple's systems a plain fsync does not reach the platter. No effect elsewhere.
            .pragma("fullfsync", "1");
        let writer = pool(1).connect_with(options).await.map_err(|e| StoreError::of_open(folder, e))?;
        let store = match prepare(&writer, unclean).await {
            Ok(()) => {
                let reading = self::options(&file).pragma("query_only", "1");
                let readers = pool(4).connect_with(reading).await.map_err(|e| StoreError::of_open(folder, e))?;
                Self { writer, readers, lock: Some(lock) }
            }
            Err(error) => {
                writer.close().await;
                return Err(error.in_folder(folder));
            }
        };
        Ok(store)
    }

    async fn open_read_only(folder: &Path) -> Result<Self, StoreError> {
        let file = folder.join(DATABASE_FILE);
        match file.metadata() {
            Ok(_) => {}
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                return Err(StoreError::NotFound { what: "database", key: file.display().to_string() });
            }
            Err(e) => return Err(StoreError::from_io(&file, &e)),
        }
        let readers = match Self::connect_read_only(options(&file).read_only(true)).await {
            // Where the folder cannot be written SQLite cannot make the files that coordinate readers with a writer. If
            // there is no log either, nobody is writing, and the file may be read as if it never changed.
            Err(error) if error.is_cannot_open() && !log_of(&file).metadata().is_ok_and(|m| m.len() > 0) => {
                Self::connect_read_only(options(&file).read_only(true).immutable(true)).await
            }
            other => other,
        }
        .map_err(|e| e.in_folder(folder))?;
        Ok(Self { writer: readers.clone(), readers, lock: None })
    }

    async fn connect_read_only(options: SqliteConnectOptions) -> Result<SqlitePool, StoreError> {
        let readers = pool(2).connect_with(options).await?;
        match known_schema(&readers).await {
            Ok(()) => Ok(readers),
            Err(error) => {
                readers.close().await;
                Err(error)
            }
        }
    }

    /// Reads the whole database and says [`StoreError::DatabaseCorrupt`] if its structure is damaged. Takes time in
    /// proportion to its size. Opening does this by itself after a crash.
    pub async fn check(&self) -> Result<(), StoreError> {
        check(&self.readers).await
    }

    /// Closes in order and releases the folder. Dropping does the same, but does not wait for `SQLite` to finish.
    pub async fn close(mut self) {
        self.readers.close().await;
        self.writer.close().await;
        self.lock.take();
    }
}

fn options(file: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new().filename(file).foreign_keys(true).busy_timeout(Duration::from_secs(5))
}

/// Connections stay open: reopening costs more than they hold, and a writer that left would close the log.
fn pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .min_connections(1)
        .max_connections(connections)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .acquire_timeout(Duration::from_secs(30))
}

fn log_of(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

async fn prepare(writer: &SqlitePool, unclean: bool) -> Result<(), StoreError> {
    // Before the check: a database of a newer version may rest on features of SQLite that this one lacks.
    if has_schema(writer).await? {
        refuse_newer(writer).await?;
    }
    if unclean {
        tracing::info!("the database was not closed in order; checking it");
        check(writer).await?;
    }
    MIGRATIONS.run(writer).await?;
    Ok(())
}

async fn has_schema(pool: &SqlitePool) -> Result<bool, StoreError> {
    let found: Option<i64> =
        sqlx::query_scalar("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = '_sqlx_migrations'")
            .fetch_optional(pool)
            .await?;
    Ok(found.is_some())
}

/// The applied migrations must be ones that this program knows, byte for byte.
async fn refuse_newer(pool: &SqlitePool) -> Result<i64, StoreError> {
    let applied: Vec<(i64, Vec<u8>)> =
        sqlx::query_as("SELECT version, checksum FROM _sqlx_migrations ORDER BY version").fetch_all(pool).await?;
    for (version, checksum) in &applied {
        let known = MIGRATIONS.iter().find(|m| m.version == *version);
        if known.is_none_or(|m| *m.checksum != **checksum) {
            return Err(StoreError::DatabaseNewer { schema: *version });
        }
    }
    Ok(applied.last().map_or(0, |(version, _)| *version))
}

async fn known_schema(pool: &SqlitePool) -> Result<(), StoreError> {
    let found = if has_schema(pool).await? { refuse_newer(pool).await? } else { 0 };
    let newest = MIGRATIONS.iter().map(|m| m.version).max().unwrap_or(0);
    if found < newest { Err(StoreError::DatabaseOlder { schema: found }) } else { Ok(()) }
}

async fn check(pool: &SqlitePool) -> Result<(), StoreError> {
    let findings: Vec<String> = sqlx::query_scalar("PRAGMA quick_check(5)").fetch_all(pool).await?;
    if findings == ["ok"] { Ok(()) } else { Err(StoreError::DatabaseCorrupt { reason: findings.join("; ") }) }
}
