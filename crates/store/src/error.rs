//! What can go wrong with the data folder and its database.

use pocketbench_domain::{ErrorCode, ErrorReport};
use sqlx::migrate::MigrateError;
use std::io;
use std::path::{Path, PathBuf};

/// Why the store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process owns the data folder.
    #[error("another Pocketbench is using the data folder")]
    AlreadyRunning {
        /// Its process id, where it could be read.
        holder: Option<u32>,
    },
    /// The data folder or a file in it cannot be written.
    #[error("{path} cannot be written: {reason}")]
    ReadOnlyFolder {
        /// Folder or file.
        path: PathBuf,
        /// In the operating system's or `SQLite`'s words.
        reason: String,
    },
    /// No space left. What was stored before is still there.
    #[error("no space left for the database")]
    DiskFull,
    /// The database has a migration that this program does not know.
    #[error("the database has schema {schema}, which this version does not know")]
    DatabaseNewer {
        /// The first unknown schema version.
        schema: i64,
    },
    /// The database was opened to look only, but must be brought up to date before this version can read it.
    #[error("the database has schema {schema}, older than this version reads")]
    DatabaseOlder {
        /// Its schema version.
        schema: i64,
    },
    /// The file is no database, or its structure is damaged. It was left as it is.
    #[error("the database is damaged: {reason}")]
    DatabaseCorrupt {
        /// `SQLite`'s findings.
        reason: String,
    },
    /// A stored record cannot be read back.
    #[error("a stored {what} cannot be read: {reason}")]
    BadRecord {
        /// Which document.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// No record with that key.
    #[error("no {what} `{key}`")]
    NotFound {
        /// What was looked for.
        what: &'static str,
        /// Its identifier.
        key: String,
    },
    /// There is a record with that key already: samples are written once.
    #[error("stored already: {0}")]
    Conflict(String),
    /// The record breaks a rule of the schema, such as a reference to a record that does not exist.
    #[error("the database refuses the record: {0}")]
    Rejected(String),
    /// An error of `SQLite` or the operating system that none of the others describes.
    #[error("database error: {0}")]
    Other(String),
}

impl StoreError {
    pub(crate) fn from_io(path: &Path, error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull,
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Self::ReadOnlyFolder { path: path.into(), reason: error.to_string() }
            }
            _ => Self::Other(format!("{}: {error}", path.display())),
        }
    }

    /// An error while a connection was opened in `folder`.
    pub(crate) fn of_open(folder: &Path, error: sqlx::Error) -> Self {
        Self::from(error).in_folder(folder)
    }

    /// `SQLite` could not open or create one of its files.
    pub(crate) fn is_cannot_open(&self) -> bool {
        matches!(self, Self::ReadOnlyFolder { .. })
    }

    /// Names the folder in an error that does not know it.
    pub(crate) fn in_folder(self, folder: &Path) -> Self {
        match self {
            Self::ReadOnlyFolder { path, reason } if path.as_os_str().is_empty() => {
                Self::ReadOnlyFolder { path: folder.into(), reason }
            }
            other => other,
        }
    }
}

// SQLite's result codes, https://www.sqlite.org/rescode.html
const PERM: i32 = 3;
const READONLY: i32 = 8;
const CORRUPT: i32 = 11;
const FULL: i32 = 13;
const CANTOPEN: i32 = 14;
const CONSTRAINT: i32 = 19;
const NOTADB: i32 = 26;
const CONSTRAINT_PRIMARYKEY: i32 = 1555;
const CONSTRAINT_UNIQUE: i32 = 2067;
/// The file that coordinates connections could not be grown; that is a full disk, too.
const IOERR_SHMSIZE: i32 = 4874;

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(e) => {
                let message = e.message().to_owned();
                let code: i32 = e.code().and_then(|c| c.parse().ok()).unwrap_or(0);
                match (code & 0xff, code) {
                    (FULL, _) | (_, IOERR_SHMSIZE) => Self::DiskFull,
                    (CORRUPT | NOTADB, _) => Self::DatabaseCorrupt { reason: message },
                    // The folder is known by whoever opened it; see `in_folder`. SQLite says CANTOPEN when it may not
                    // create its log.
                    (PERM | READONLY | CANTOPEN, _) => Self::ReadOnlyFolder { path: PathBuf::new(), reason: message },
                    (_, CONSTRAINT_PRIMARYKEY | CONSTRAINT_UNIQUE) => Self::Conflict(message),
                    (CONSTRAINT, _) => Self::Rejected(message),
                    _ => Self::Other(format!("{message} (SQLite code {code})")),
                }
            }
            sqlx::Error::Io(e) => Self::from_io(Path::new(""), &e),
            sqlx::Error::ColumnDecode { index, source } => {
                Self::BadRecord { what: "row", reason: format!("column {index}: {source}") }
            }
            other => Self::Other(other.to_string()),
        }
    }
}

impl From<MigrateError> for StoreError {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::Execute(e) | MigrateError::ExecuteMigration(e, _) => e.into(),
            MigrateError::VersionMissing(schema) | MigrateError::VersionMismatch(schema) => {
                Self::DatabaseNewer { schema }
            }
            other => Self::Other(other.to_string()),
        }
    }
}

impl From<StoreError> for ErrorReport {
    fn from(error: StoreError) -> Self {
        let details = error.to_string();
        let report = match error {
            StoreError::AlreadyRunning { holder } => {
                let who = holder.map_or(String::new(), |pid| format!(" (process {pid})"));
                Self::new(ErrorCode::AlreadyRunning, format!("Pocketbench is already running{who}."))
                    .hint("Use the window that is open, or close it and try again.")
            }
            StoreError::ReadOnlyFolder { path, .. } => {
                let place =
                    if path.as_os_str().is_empty() { "The data folder".into() } else { path.display().to_string() };
                Self::new(ErrorCode::DataFolderReadOnly, format!("{place} cannot be written."))
                    .hint("Allow writing there, or choose another data folder.")
            }
            StoreError::DiskFull => Self::new(
                ErrorCode::DiskFull,
                "There is no space left for the measurements. What was measured so far is stored.",
            )
            .hint("Free some space and resume."),
            StoreError::DatabaseNewer { .. } => Self::new(
                ErrorCode::DatabaseNewer,
                "The measurements were stored by a newer version of Pocketbench. Nothing was changed.",
            )
            .hint("Update Pocketbench, or choose another data folder."),
            StoreError::DatabaseOlder { .. } => Self::new(
                ErrorCode::Internal,
                "The measurements were stored by an older version of Pocketbench and must be brought up to date first.",
            )
            .hint("Start Pocketbench once; it does that by itself."),
            StoreError::DatabaseCorrupt { .. } => Self::new(
                ErrorCode::DatabaseCorrupt,
                "The file with the measurements is damaged. It was left as it is.",
            )
            .hint("Put back a copy of pocketbench.db, or move it away to start with an empty one."),
            StoreError::BadRecord { what, .. } => {
                Self::new(ErrorCode::DatabaseCorrupt, format!("A stored {what} cannot be read. It was left as it is."))
                    .hint("Update Pocketbench; if that does not help, please report it with the details.")
            }
            StoreError::NotFound { what, key } => {
                Self::new(ErrorCode::NotFound, format!("There is no {what} {key}.")).hint("It may have been deleted.")
            }
            StoreError::Conflict(_) => Self::new(ErrorCode::Internal, "That record is stored already."),
            StoreError::Rejected(_) => Self::new(ErrorCode::Internal, "The database refuses the record."),
            StoreError::Other(_) => Self::new(ErrorCode::Internal, "The database cannot be used."),
        };
        report.details(serde_json::json!({ "cause": details }))
    }
}
