//! The audit log in the database.

use std::str::FromStr;

use async_trait::async_trait;
use sqlx::FromRow;
use tenterhook_domain::{
    Digest, Error, PluginName, Result, Scope, TenantId,
    audit::{AuditEntry, Author},
    execution::Page,
};

use super::{At, Connection, Db, failed, number, place, read_digest, unreadable};
use crate::{AuditFilter, AuditLog, Cursor};

#[derive(FromRow)]
struct Row {
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

impl Row {
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
            tenant: given(&self.tenant).map_err(unreadable("a tenant"))?,
            environment: given(&self.environment).map_err(unreadable("an environment"))?,
            plugin: given(&self.plugin).map_err(unreadable("a plugin"))?,
            digest: read_digest(self.digest)?,
            detail: self.detail,
        })
    }
}

/// What is empty where an entry is of something wider.
fn given<T: FromStr<Err = Error>>(text: &str) -> Result<Option<T>> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some)
}

/// What was done, to which release where it is one, and from what to what.
type Action = (&'static str, Option<Digest>, String);

/// Adds to the audit log of a plugin, in the transaction of what it tells of.
pub(super) async fn write(
    connection: &mut Connection,
    (scope, plugin): At<'_>,
    actions: &[Action],
    author: &Author,
    now: u64,
) -> Result<()> {
    let place = [
        scope.tenant.as_str(),
        scope.environment.as_str(),
        plugin.as_str(),
    ];
    write_at(connection, place, actions, author, now).await
}

/// The same of a tenant as a whole.
pub(super) async fn write_of_tenant(
    connection: &mut Connection,
    tenant: &TenantId,
    action: Action,
    author: &Author,
    now: u64,
) -> Result<()> {
    write_at(
        connection,
        [tenant.as_str(), "", ""],
        &[action],
        author,
        now,
    )
    .await
}

/// The same of all hosts.
pub(super) async fn write_of_hosts(
    connection: &mut Connection,
    action: Action,
    author: &Author,
    now: u64,
) -> Result<()> {
    write_at(connection, [""; 3], &[action], author, now).await
}

/// The same of a scope as a whole.
pub(super) async fn write_of_scope(
    connection: &mut Connection,
    scope: &Scope,
    action: Action,
    author: &Author,
    now: u64,
) -> Result<()> {
    let place = [scope.tenant.as_str(), scope.environment.as_str(), ""];
    write_at(connection, place, &[action], author, now).await
}

async fn write_at(
    connection: &mut Connection,
    [tenant, environment, plugin]: [&str; 3],
    actions: &[Action],
    author: &Author,
    now: u64,
) -> Result<()> {
    for (action, digest, detail) in actions {
        sqlx::query(
            "INSERT INTO audit \
             (at, who, came_from, why, action, tenant, environment, plugin, digest, detail) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        )
        .bind(number(now))
        .bind(author.who.as_str())
        .bind(author.from.as_str())
        .bind(author.why.as_str())
        .bind(*action)
        .bind(tenant)
        .bind(environment)
        .bind(plugin)
        .bind(digest.map(|digest| digest.to_string()))
        .bind(detail.as_str())
        .execute(&mut *connection)
        .await
        .map_err(failed("write the audit log"))?;
    }
    Ok(())
}

#[async_trait]
impl AuditLog for Db {
    async fn entries(
        &self,
        filter: AuditFilter<'_>,
        cursor: Cursor<'_>,
    ) -> Result<Page<AuditEntry>> {
        // A filter that is not given is NULL, and lets everything through.
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT number, at, who, came_from, why, action, tenant, environment, plugin, digest, detail \
             FROM audit WHERE number < $1 AND tenant = coalesce($2, tenant) \
             AND environment = coalesce($3, environment) AND plugin = coalesce($4, plugin) \
             AND ($5 IS NULL OR digest = $5) ORDER BY number DESC LIMIT $6",
        )
        .bind(place(cursor)?.unwrap_or(i64::MAX))
        .bind(filter.scope.map(|scope| scope.tenant.as_str()))
        .bind(filter.scope.map(|scope| scope.environment.as_str()))
        .bind(filter.plugin.map(PluginName::as_str))
        .bind(filter.digest.map(ToString::to_string))
        .bind(cursor.rows())
        .fetch_all(&self.readers)
        .await
        .map_err(failed("read the audit log"))?;
        cursor.read_page(rows, |row| row.number.to_string(), Row::read)
    }
}
