//! The store in one SQLite file.

mod context_key;
mod line;
mod plugin;
mod release;
mod state;
mod task_failure;
mod tenant;
mod token;

use std::{path::Path, time::Duration};

use async_trait::async_trait;
use sqlx::{
    SqlitePool, Transaction,
    migrate::Migrator,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use tenterhook_domain::{Code, Error, Result};

use crate::{Changes, Database};

/// Connections that only read; they never wait for a writer.
const READERS_MAX: u32 = 4;
/// How long a statement waits for another process that writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a caller waits for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(30);

static MIGRATIONS: Migrator = sqlx::migrate!();

/// One SQLite file. Cheap to clone.
///
/// SQLite has one writer at a time, so there is one connection that writes: writers of this process queue
/// for it in order instead of finding the file busy.
#[derive(Clone)]
pub(crate) struct Sqlite {
    readers: SqlitePool,
    writer: SqlitePool,
    changes: Changes,
}

impl Sqlite {
    /// Opens `file`, making it if need be, and brings its tables up to date.
    pub(crate) async fn open(file: &Path, changes: Changes) -> Result<Self> {
        make_private_file(file)?;
        let options = SqliteConnectOptions::new()
            .filename(file)
            .journal_mode(SqliteJournalMode::Wal)
            // What was answered stays, also when the power fails.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT);
        let pool = |connections| {
            SqlitePoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(ACQUIRE_TIMEOUT)
                .idle_timeout(None)
                .max_lifetime(None)
        };
        let writer = pool(1)
            .connect_with(options.clone())
            .await
            .map_err(failed("open the database"))?;
        MIGRATIONS.run(&writer).await.map_err(|error| {
            Error::new(
                Code::StoreFailed,
                "the database cannot be brought up to date: it may be a newer version's",
            )
            .caused_by(error)
        })?;
        let readers = pool(READERS_MAX)
            .connect_with(options.pragma("query_only", "ON"))
            .await
            .map_err(failed("open the database"))?;
        Ok(Self {
            readers,
            writer,
            changes,
        })
    }

    /// A transaction that holds the right to write from its start, so that what it reads stays true until it
    /// commits. Rolls back when dropped.
    async fn write(&self) -> Result<Transaction<'static, sqlx::Sqlite>> {
        self.writer
            .begin_with("BEGIN IMMEDIATE")
            .await
            .map_err(failed("begin to write"))
    }
}

#[async_trait]
impl Database for Sqlite {
    async fn ping(&self) -> Result<()> {
        sqlx::query("SELECT 1")
            .execute(&self.readers)
            .await
            .map_err(failed("answer"))
            .map(|_| ())
    }

    async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// Runs `work` to its end even if the caller goes away half-way: a change that is committed must be told.
async fn to_the_end<T: Send + 'static>(
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    tokio::spawn(work).await.map_err(|error| {
        Error::new(Code::Internal, "a write to the store did not end").caused_by(error)
    })?
}

/// The error for a statement that failed while the store was to `action`.
fn failed(action: &'static str) -> impl Fn(sqlx::Error) -> Error {
    move |error| {
        Error::new(Code::StoreFailed, format!("the store could not {action}")).caused_by(error)
    }
}

/// The error for a row that holds what this version cannot read.
fn unreadable<E: Into<Box<dyn std::error::Error + Send + Sync>>>(
    what: &'static str,
) -> impl Fn(E) -> Error {
    move |error| {
        Error::new(
            Code::StoreFailed,
            format!("the store holds {what} that cannot be read"),
        )
        .caused_by(error)
    }
}

/// SQLite gives its side files the mode of the main one, so it is made with the right one first.
fn make_private_file(file: &Path) -> Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(file).map(|_| ()).map_err(|error| {
        Error::new(
            Code::StoreFailed,
            format!("the database {} cannot be opened", file.display()),
        )
        .caused_by(error)
    })
}
