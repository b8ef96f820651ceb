//! Lines of plugins and the audit log in SQLite.

use std::collections::BTreeMap;

use async_trait::async_trait;
use sqlx::{FromRow, SqliteConnection};
use tenterhook_domain::{
    Code, Digest, Error, PluginName, Result, Scope, TenantId,
    audit::{AuditEntry, Author},
    execution::Page,
    release::ReleaseState,
    rollout::{Line, Move},
};

use super::{Sqlite, failed, plugin::why_missing, release::before, to_the_end, unreadable};
use crate::{AuditFilter, AuditLog, Cursor, Lines, plugin::outdated};

/// A plugin of a scope.
type At<'a> = (&'a Scope, &'a PluginName);

#[derive(FromRow)]
struct Row {
    current: Option<String>,
    previous: Option<String>,
    rollout: Option<String>,
    revision: i64,
}

impl Row {
    fn read(self) -> Result<(Line, u64)> {
        let rollout = self.rollout.map(|json| serde_json::from_str(&json));
        let line = Line {
            current: super::plugin::digest(self.current)?,
            previous: super::plugin::digest(self.previous)?,
            rollout: rollout.transpose().map_err(unreadable("a rollout"))?,
        };
        Ok((line, self.revision.unsigned_abs()))
    }
}

pub(super) async fn read(
    connection: &mut SqliteConnection,
    (scope, plugin): At<'_>,
) -> Result<(Line, u64)> {
    let row: Option<Row> = sqlx::query_as(
        "SELECT current, previous, rollout, revision FROM plugins \
         WHERE tenant = ? AND environment = ? AND plugin = ?",
    )
    .bind(scope.tenant.as_str())
    .bind(scope.environment.as_str())
    .bind(plugin.as_str())
    .fetch_optional(&mut *connection)
    .await
    .map_err(failed("read a plugin"))?;
    match row {
        Some(row) => row.read(),
        None => Err(why_missing(connection, scope, plugin).await),
    }
}

async fn states(
    connection: &mut SqliteConnection,
    (scope, plugin): At<'_>,
) -> Result<BTreeMap<Digest, ReleaseState>> {
    let rows: Vec<(String, String)> = sqlx::query_as(
        "SELECT digest, state FROM releases WHERE tenant = ? AND environment = ? AND plugin = ?",
    )
    .bind(scope.tenant.as_str())
    .bind(scope.environment.as_str())
    .bind(plugin.as_str())
    .fetch_all(connection)
    .await
    .map_err(failed("read releases"))?;
    rows.into_iter()
        .map(|(digest, state)| {
            Ok((
                digest.parse().map_err(unreadable("a digest"))?,
                state.parse().map_err(unreadable("a state"))?,
            ))
        })
        .collect()
}

async fn write_line(
    connection: &mut SqliteConnection,
    (scope, plugin): At<'_>,
    line: &Line,
) -> Result<()> {
    let rollout = line.rollout.as_ref().map(serde_json::to_string);
    let rollout = rollout.transpose().map_err(|error| {
        Error::new(Code::Internal, "a rollout does not serialise").caused_by(error)
    })?;
    sqlx::query(
        "UPDATE plugins SET current = ?, previous = ?, rollout = ?, revision = revision + 1 \
         WHERE tenant = ? AND environment = ? AND plugin = ?",
    )
    .bind(line.current.map(|digest| digest.to_string()))
    .bind(line.previous.map(|digest| digest.to_string()))
    .bind(rollout)
    .bind(scope.tenant.as_str())
    .bind(scope.environment.as_str())
    .bind(plugin.as_str())
    .execute(connection)
    .await
    .map_err(failed("change a plugin"))?;
    Ok(())
}

async fn write_states(
    connection: &mut SqliteConnection,
    (scope, plugin): At<'_>,
    states: &BTreeMap<Digest, ReleaseState>,
    now: u64,
) -> Result<()> {
    for (digest, state) in states {
        sqlx::query(
            "UPDATE releases SET state = ?, state_at = ? \
             WHERE tenant = ? AND environment = ? AND plugin = ? AND digest = ?",
        )
        .bind(state.as_str())
        .bind(i64::try_from(now).unwrap_or(i64::MAX))
        .bind(scope.tenant.as_str())
        .bind(scope.environment.as_str())
        .bind(plugin.as_str())
        .bind(digest.to_string())
        .execute(&mut *connection)
        .await
        .map_err(failed("change a release"))?;
    }
    Ok(())
}

/// Adds to the audit log.
pub(super) async fn write_audit(
    connection: &mut SqliteConnection,
    (scope, plugin): At<'_>,
    actions: &[(&'static str, Option<Digest>, String)],
    author: &Author,
    now: u64,
) -> Result<()> {
    for (action, digest, detail) in actions {
        sqlx::query(
            "INSERT INTO audit \
             (at, who, came_from, why, action, tenant, environment, plugin, digest, detail) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(i64::try_from(now).unwrap_or(i64::MAX))
        .bind(author.who.as_str())
        .bind(author.from.as_str())
        .bind(author.why.as_str())
        .bind(*action)
        .bind(scope.tenant.as_str())
        .bind(scope.environment.as_str())
        .bind(plugin.as_str())
        .bind(digest.map(|digest| digest.to_string()))
        .bind(detail.as_str())
        .execute(&mut *connection)
        .await
        .map_err(failed("write the audit log"))?;
    }
    Ok(())
}

/// Makes a move inside a transaction: all of it, or nothing.
pub(super) async fn apply(
    connection: &mut SqliteConnection,
    at: At<'_>,
    r#move: Move,
    expected: Option<u64>,
    author: &Author,
    now: u64,
) -> Result<(Line, u64)> {
    let (mut line, revision) = read(connection, at).await?;
    if let Some(expected) = expected.filter(|&expected| expected != revision) {
        return Err(outdated(at.0, at.1, revision, expected));
    }
    let states = states(connection, at).await?;
    let moved = line.apply(&states, r#move, now)?;
    write_line(connection, at, &line).await?;
    write_states(connection, at, &moved.states, now).await?;
    write_audit(connection, at, &moved.audit, author, now).await?;
    Ok((line, revision + 1))
}

#[async_trait]
impl Lines for Sqlite {
    async fn line(&self, scope: &Scope, plugin: &PluginName) -> Result<(Line, u64)> {
        let mut connection = self
            .readers
            .acquire()
            .await
            .map_err(failed("read a plugin"))?;
        read(&mut connection, (scope, plugin)).await
    }

    async fn apply(
        &self,
        scope: &Scope,
        plugin: &PluginName,
        r#move: Move,
        expected: Option<u64>,
        author: &Author,
        now_millis: u64,
    ) -> Result<(Line, u64)> {
        let (this, scope, plugin, author) =
            (self.clone(), scope.clone(), plugin.clone(), author.clone());
        to_the_end(async move {
            let mut transaction = this.write().await?;
            let applied = apply(
                &mut transaction,
                (&scope, &plugin),
                r#move,
                expected,
                &author,
                now_millis,
            )
            .await?;
            transaction
                .commit()
                .await
                .map_err(failed("change a plugin"))?;
            this.changes.announce(&scope, &plugin);
            Ok(applied)
        })
        .await
    }

    async fn ramping(&self) -> Result<Vec<(Scope, PluginName)>> {
        let rows: Vec<(String, String, String)> = sqlx::query_as(
            "SELECT tenant, environment, plugin FROM plugins \
             WHERE rollout IS NOT NULL AND rollout ->> '$.halted' IS NULL",
        )
        .fetch_all(&self.readers)
        .await
        .map_err(failed("look for ramps"))?;
        rows.into_iter()
            .map(|(tenant, environment, plugin)| {
                Ok((
                    read_scope(&tenant, &environment)?,
                    plugin.parse().map_err(unreadable("a plugin"))?,
                ))
            })
            .collect()
    }
}

fn read_scope(tenant: &str, environment: &str) -> Result<Scope> {
    Ok(Scope::new(
        tenant.parse().map_err(unreadable("a tenant"))?,
        environment.parse().map_err(unreadable("an environment"))?,
    ))
}

#[derive(FromRow)]
struct Entry {
    number: i64,
    at: i64,
    who: String,
    came_from: String,
    why: String,
    action: String,
    tenant: String,
    environment: String,
    plugin: String,
    digest: Option<String>,
    detail: String,
}

impl Entry {
    fn read(self) -> Result<AuditEntry> {
        Ok(AuditEntry {
            number: self.number.unsigned_abs(),
            at: self.at.unsigned_abs(),
            author: Author {
                who: self.who,
                from: self.came_from,
                why: self.why,
            },
            action: self.action,
            scope: read_scope(&self.tenant, &self.environment)?,
            plugin: self.plugin.parse().map_err(unreadable("a plugin"))?,
            digest: super::plugin::digest(self.digest)?,
            detail: self.detail,
        })
    }
}

/// The entries that fit what is given of tenant, environment, plugin and digest.
async fn entries(
    sqlite: &Sqlite,
    place: [Option<&str>; 3],
    digest: Option<&Digest>,
    cursor: Cursor<'_>,
) -> Result<Page<AuditEntry>> {
    let [tenant, environment, plugin] = place;
    // A filter that is not given is NULL, and lets everything through.
    let rows: Vec<Entry> = sqlx::query_as(
        "SELECT number, at, who, came_from, why, action, tenant, environment, plugin, digest, detail \
         FROM audit WHERE number < ?1 AND tenant = coalesce(?2, tenant) \
         AND environment = coalesce(?3, environment) AND plugin = coalesce(?4, plugin) \
         AND (?5 IS NULL OR digest = ?5) ORDER BY number DESC LIMIT ?6",
    )
    .bind(before(cursor)?)
    .bind(tenant)
    .bind(environment)
    .bind(plugin)
    .bind(digest.map(ToString::to_string))
    .bind(cursor.rows())
    .fetch_all(&sqlite.readers)
    .await
    .map_err(failed("read the audit log"))?;
    let page = cursor.page(rows, |entry| entry.number.to_string());
    Ok(Page {
        items: page
            .items
            .into_iter()
            .map(Entry::read)
            .collect::<Result<_>>()?,
        next: page.next,
    })
}

#[async_trait]
impl AuditLog for Sqlite {
    async fn entries(
        &self,
        filter: AuditFilter<'_>,
        cursor: Cursor<'_>,
    ) -> Result<Page<AuditEntry>> {
        let place = [
            filter.scope.map(|scope| scope.tenant.as_str()),
            filter.scope.map(|scope| scope.environment.as_str()),
            filter.plugin.map(PluginName::as_str),
        ];
        entries(self, place, filter.digest, cursor).await
    }

    async fn entries_of(
        &self,
        tenant: &TenantId,
        digest: Option<&Digest>,
        cursor: Cursor<'_>,
    ) -> Result<Page<AuditEntry>> {
        entries(self, [Some(tenant.as_str()), None, None], digest, cursor).await
    }
}
