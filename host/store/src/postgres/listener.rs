//! Hears of the changes that other hosts make.
//!
//! Every change of a plugin bears a number (`plugins.changed`), which grows in the order of commits. A notification only
//! says that it is time to look for numbers that were not heard yet; without one it is time after [`POLL`] anyway. So
//! no notification is missed for longer than that, and none is believed for more than it is.

use std::{sync::Arc, time::Duration};

use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use tenterhook_domain::{Code, Error, PluginName, Result, Scope};
use tokio::{
    task::AbortHandle,
    time::{sleep, timeout},
};

use crate::{Changes, sql::failed};

/// Where changes are notified.
pub(super) const CHANNEL: &str = "tenterhook_changes";
/// What the connection that listens calls itself.
const APPLICATION: &str = "tenterhook listener";
/// How often is looked without a notification.
const POLL: Duration = Duration::from_millis(500);
/// How long a connection or an answer may take before another is tried.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// Between two tries to connect.
const TRY_AGAIN: Duration = Duration::from_millis(250);
/// Changes that are read at once.
const CHANGES_READ_MAX: i64 = 1_000;

/// The task that listens. Dropping it ends the task.
pub(super) struct Listener {
    task: AbortHandle,
}

impl Listener {
    /// Listens from now on: what changes after this returns is told to `changes`, but for what `host` changes.
    pub(super) async fn start(
        options: PgConnectOptions,
        changes: Changes,
        host: Arc<str>,
    ) -> Result<Self> {
        // So that it is told apart from the others in PostgreSQL's own views.
        let options = options.application_name(APPLICATION);
        let (connection, heard) = connect(&options).await?;
        let hearing = Hearing {
            options,
            changes,
            host,
            heard,
        };
        let task = tokio::spawn(hearing.run(connection)).abort_handle();
        Ok(Self { task })
    }

    /// Listens no more.
    pub(super) fn stop(&self) {
        self.task.abort();
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.stop();
    }
}

struct Hearing {
    options: PgConnectOptions,
    changes: Changes,
    host: Arc<str>,
    /// The number of the last change that was heard of.
    heard: i64,
}

impl Hearing {
    async fn run(mut self, mut connection: PgListener) {
        loop {
            let lost = self.listen(&mut connection).await;
            tracing::warn!(
                cause = lost.source_text(),
                "the database is away, and what is known is used until it is back: {lost}"
            );
            drop(connection);
            connection = self.reconnect().await;
            // What happened meanwhile may be more than the numbers tell: it may be another server that took over.
            self.changes.announce_missed();
            tracing::info!("the database is back");
        }
    }

    /// Tells of changes until the connection is lost.
    async fn listen(&mut self, connection: &mut PgListener) -> Error {
        // So that a lost connection is told to us and not silently replaced.
        connection.eager_reconnect(false);
        loop {
            match timeout(ANSWER_MAX, self.look(connection)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return error,
                Err(_) => return lost("the database does not answer"),
            }
            match timeout(POLL, connection.try_recv()).await {
                // Looked at once for all of them.
                Ok(Ok(Some(_))) => while connection.next_buffered().is_some() {},
                Err(_) => {}
                Ok(Ok(None)) => return lost("the database closed the connection"),
                Ok(Err(error)) => return failed("hear of changes")(error),
            }
        }
    }

    async fn reconnect(&mut self) -> PgListener {
        loop {
            if let Ok((connection, heard)) = connect(&self.options).await {
                self.heard = heard;
                return connection;
            }
            sleep(TRY_AGAIN).await;
        }
    }

    /// Tells of all changes after the last one heard of.
    async fn look(&mut self, connection: &mut PgListener) -> Result<()> {
        loop {
            let rows: Vec<(String, String, String, i64, String)> = sqlx::query_as(
                "SELECT tenant, environment, plugin, changed, changed_by FROM plugins \
                 WHERE changed > $1 ORDER BY changed LIMIT $2",
            )
            .bind(self.heard)
            .bind(CHANGES_READ_MAX)
            .fetch_all(&mut *connection)
            .await
            .map_err(failed("read changes"))?;
            let all = i64::try_from(rows.len()).is_ok_and(|rows| rows < CHANGES_READ_MAX);
            for (tenant, environment, plugin, changed, by) in rows {
                self.heard = changed;
                if *by == *self.host {
                    continue;
                }
                match read(&tenant, &environment, &plugin) {
                    Ok((scope, plugin)) => self.changes.announce(&scope, &plugin),
                    Err(_) => self.changes.announce_missed(),
                }
            }
            if all {
                return Ok(());
            }
        }
    }
}

/// A connection that listens, and the number of the last change before it did.
async fn connect(options: &PgConnectOptions) -> Result<(PgListener, i64)> {
    // A pool of one, and a new one each time: a connection that hangs must not keep the place of the next.
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(ANSWER_MAX)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_lazy_with(options.clone());
    let connecting = async {
        let mut connection = PgListener::connect_with(&pool).await?;
        connection.listen(CHANNEL).await?;
        let (number,): (i64,) = sqlx::query_as("SELECT number FROM changes")
            .fetch_one(&mut connection)
            .await?;
        Ok((connection, number))
    };
    let connected = timeout(ANSWER_MAX, connecting).await;
    connected
        .unwrap_or(Err(sqlx::Error::PoolTimedOut))
        .map_err(failed("listen for changes"))
}

fn lost(detail: &str) -> Error {
    Error::new(Code::StoreFailed, detail)
}

fn read(tenant: &str, environment: &str, plugin: &str) -> Result<(Scope, PluginName)> {
    Ok((
        Scope::new(tenant.parse()?, environment.parse()?),
        plugin.parse()?,
    ))
}
