//! The store in one SQLite file.

// The same statements for each database: see `sql.rs`.
#[allow(clippy::duplicate_mod)]
#[path = "sql/tables.rs"]
mod tables;

use std::{path::Path, time::Duration};

use async_trait::async_trait;
use sqlx::{
    Sqlite as Sql, SqliteConnection as Connection, SqlitePool, Transaction,
    migrate::Migrator,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use tenterhook_domain::{Code, Error, PluginName, Result, Scope, TenantId};

use crate::{
    Changes, Database,
    sql::{failed, not_migrated},
};

/// Connections that only read; they never wait for a writer.
const READERS_MAX: u32 = 4;
/// How long a statement waits for another process that writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a caller waits for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(30);

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations/sqlite");

/// The end of a select whose rows must stay as they are until the transaction ends: nothing, for a transaction of
/// [`Db::write`] is alone.
const LOCK: &str = "";
/// The same, passing over rows that another transaction holds: there is none.
const LOCK_AND_SKIP: &str = "";

/// Makes this transaction the only one that makes context keys: it is.
#[allow(clippy::unused_async)]
async fn lock_context_keys(_: &mut Connection) -> Result<()> {
    Ok(())
}

/// Makes this transaction the only one that changes lanes: it is.
#[allow(clippy::unused_async)]
async fn lock_lanes(_: &mut Connection) -> Result<()> {
    Ok(())
}

/// One SQLite file. Cheap to clone.
///
/// SQLite has one writer at a time, so there is one connection that writes: writers of this process queue
/// for it in order instead of finding the file busy.
#[derive(Clone)]
pub(crate) struct Db {
    readers: SqlitePool,
    writer: SqlitePool,
    changes: Changes,
}

impl Db {
    /// Opens `file`, making it if need be, and brings its tables up to date.
    pub(crate) async fn open(file: &Path, changes: Changes) -> Result<Self> {
        make_private_file(file)?;
        let options = SqliteConnectOptions::new()
            .filename(file)
            .journal_mode(SqliteJournalMode::Wal)
            // What was answered stays, also when the power fails.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            // A key that was deleted is not to be found in the file any more.
            .pragma("secure_delete", "ON")
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
        MIGRATIONS.run(&writer).await.map_err(not_migrated)?;
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

    /// Commits a change of a plugin and tells of it.
    async fn tell(
        &self,
        transaction: Transaction<'static, sqlx::Sqlite>,
        scope: &Scope,
        plugin: &PluginName,
    ) -> Result<()> {
        transaction
            .commit()
            .await
            .map_err(failed("change a plugin"))?;
        self.changes.announce(scope, plugin);
        Ok(())
    }
}

impl Db {
    /// Overwrites what was deleted also where changes wait to be taken into the file, unless somebody reads there.
    async fn wipe(&self) {
        let wiped = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&self.writer);
        if let Err(error) = wiped.await {
            tracing::warn!(cause = %error, "what was deleted may stand in the database's log until it is written over");
        }
    }

    /// Commits a change of all plugins of a tenant and tells of it.
    async fn tell_of_tenant(
        &self,
        transaction: Transaction<'static, sqlx::Sqlite>,
        _: &TenantId,
    ) -> Result<()> {
        transaction
            .commit()
            .await
            .map_err(failed("change a tenant"))?;
        self.changes.announce_missed();
        Ok(())
    }
}

#[async_trait]
impl Database for Db {
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
