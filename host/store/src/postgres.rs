//! The store in a PostgreSQL database that many hosts share.

mod listener;
// The same statements for each database: see `sql.rs`.
#[allow(clippy::duplicate_mod)]
#[path = "sql/tables.rs"]
mod tables;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use sqlx::{
    PgConnection as Connection, PgPool, Postgres as Sql, Transaction,
    migrate::Migrator,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tenterhook_domain::{Code, Error, PluginName, Result, Scope, TenantId};

use self::{
    listener::{CHANNEL, Listener},
    tables::BindAt as _,
};
use crate::{
    Changes, Database,
    sql::{failed, not_migrated},
};

/// Connections of one host, without the one that listens.
const CONNECTIONS_MAX: u32 = 10;
/// How long a caller waits for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

/// What every connection is told: bounds on what may hang, so that a host that stands still lets go of its locks, and
/// the isolation that the locks below are made for.
const SETTINGS: [(&str, &str); 4] = [
    ("statement_timeout", "30s"),
    ("lock_timeout", "10s"),
    ("idle_in_transaction_session_timeout", "30s"),
    ("default_transaction_isolation", "read committed"),
];

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations/postgres");

/// The end of a select whose rows must stay as they are until the transaction ends.
const LOCK: &str = " FOR NO KEY UPDATE";
/// The same, passing over rows that another transaction holds.
const LOCK_AND_SKIP: &str = " FOR NO KEY UPDATE SKIP LOCKED";

/// Makes this transaction the only one that makes context keys.
async fn lock_context_keys(connection: &mut Connection) -> Result<()> {
    sqlx::query("LOCK TABLE context_keys IN SHARE ROW EXCLUSIVE MODE")
        .execute(connection)
        .await
        .map_err(failed("keep a context key"))
        .map(|_| ())
}

/// Makes this transaction the only one that changes lanes.
async fn lock_lanes(connection: &mut Connection) -> Result<()> {
    sqlx::query("LOCK TABLE lanes IN SHARE ROW EXCLUSIVE MODE")
        .execute(connection)
        .await
        .map_err(failed("change a lane"))
        .map(|_| ())
}

/// One database of a server. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Db {
    readers: PgPool,
    writer: PgPool,
    changes: Changes,
    /// Which of the hosts this is: its own changes it heard of already.
    host: Arc<str>,
    listener: Arc<Listener>,
}

impl Db {
    /// Connects to `url`, brings the tables up to date, and listens for changes from then on.
    pub(crate) async fn connect(url: &str, changes: Changes) -> Result<Self> {
        let options = read(url)?;
        let options = options.application_name("tenterhook").options(SETTINGS);
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS_MAX)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect_with(options.clone())
            .await
            .map_err(failed("connect to the database"))?;
        MIGRATIONS.run(&pool).await.map_err(not_migrated)?;
        let host: Arc<str> = random_name()?.into();
        let listener = Listener::start(options, changes.clone(), host.clone()).await?;
        Ok(Self {
            readers: pool.clone(),
            writer: pool,
            changes,
            host,
            listener: Arc::new(listener),
        })
    }

    /// A transaction that writes. It must lock what it reads before it decides by it: see [`LOCK`]. Rolls back when
    /// dropped.
    async fn write(&self) -> Result<Transaction<'static, sqlx::Postgres>> {
        self.writer.begin().await.map_err(failed("begin to write"))
    }

    /// Commits a change of a plugin, whose row the transaction holds, and tells all hosts of it.
    async fn tell(
        &self,
        mut transaction: Transaction<'static, sqlx::Postgres>,
        scope: &Scope,
        plugin: &PluginName,
    ) -> Result<()> {
        // The counter is the last row that is locked, so nobody who holds it waits for anything but the commit.
        sqlx::query(
            "WITH counted AS (UPDATE changes SET number = number + 1 RETURNING number) \
             UPDATE plugins SET changed = counted.number, changed_by = $1 FROM counted \
             WHERE tenant = $2 AND environment = $3 AND plugin = $4",
        )
        .bind(&*self.host)
        .bind_at((scope, plugin))
        .execute(&mut *transaction)
        .await
        .map_err(failed("change a plugin"))?;
        sqlx::query("SELECT pg_notify($1, $2)")
            .bind(CHANNEL)
            .bind(format!("{scope}/{plugin}"))
            .execute(&mut *transaction)
            .await
            .map_err(failed("tell of a change"))?;
        let committed = transaction.commit().await;
        // Also where no answer came: the change may be made all the same, and this host does not listen to its own.
        self.changes.announce(scope, plugin);
        committed.map_err(failed("change a plugin"))
    }
}

impl Db {
    /// Nothing: a server writes over what was deleted when it vacuums, and has a log of its own.
    #[allow(clippy::unused_async)]
    async fn wipe(&self) {}

    /// Commits a change of all plugins of a tenant and tells all hosts of each.
    async fn tell_of_tenant(
        &self,
        mut transaction: Transaction<'static, sqlx::Postgres>,
        tenant: &TenantId,
    ) -> Result<()> {
        // Their rows first: the counter is the last row that is locked.
        sqlx::query(
            "SELECT 1 FROM plugins WHERE tenant = $1 ORDER BY environment, plugin FOR NO KEY UPDATE",
        )
        .bind(tenant.as_str())
        .execute(&mut *transaction)
        .await
        .map_err(failed("change a tenant"))?;
        // A number each, for hosts read a bounded number of changes at a time and go on after the last number.
        sqlx::query(
            "WITH placed AS (SELECT environment, plugin, \
             ROW_NUMBER() OVER (ORDER BY environment, plugin) - 1 AS place FROM plugins WHERE tenant = $2), \
             counted AS (UPDATE changes SET number = number + (SELECT COUNT(*) FROM placed) RETURNING number) \
             UPDATE plugins SET changed = counted.number - placed.place, changed_by = $1 FROM counted, placed \
             WHERE plugins.tenant = $2 AND plugins.environment = placed.environment \
             AND plugins.plugin = placed.plugin",
        )
        .bind(&*self.host)
        .bind(tenant.as_str())
        .execute(&mut *transaction)
        .await
        .map_err(failed("change a tenant"))?;
        sqlx::query("SELECT pg_notify($1, $2)")
            .bind(CHANNEL)
            .bind(tenant.as_str())
            .execute(&mut *transaction)
            .await
            .map_err(failed("tell of a change"))?;
        let committed = transaction.commit().await;
        self.changes.announce_missed();
        committed.map_err(failed("change a tenant"))
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
        self.listener.stop();
        self.readers.close().await;
    }
}

fn read(url: &str) -> Result<PgConnectOptions> {
    let refused = || {
        Error::new(
            Code::HostConfigInvalid,
            "the address of the database cannot be read: use postgres://USER:PASSWORD@HOST:PORT/DATABASE",
        )
    };
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        return Err(refused());
    }
    // The cause is left out: it may quote the address, and the address may hold a password.
    url.parse().map_err(|_: sqlx::Error| refused())
}

fn random_name() -> Result<String> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|error| {
        Error::new(Code::Internal, "the system gives no randomness").caused_by(error.to_string())
    })?;
    Ok(hex::encode(random))
}
