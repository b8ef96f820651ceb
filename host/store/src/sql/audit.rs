//! The audit log in the database.

use async_trait::async_trait;
use sqlx::FromRow;
use tenterhook_domain::{
    Digest, PluginName, Result,
    audit::{AuditEntry, Author},
    execution::Page,
};

use super::{At, Connection, Db, failed, number, place, read_digest, read_scope, unreadable};
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
            scope: read_scope(&self.tenant, &self.environment)?,
            plugin: self.plugin.parse().map_err(unreadable("a plugin"))?,
            digest: read_digest(self.digest)?,
            detail: self.detail,
        })
    }
}

/// Adds to the audit log, in the transaction of what it tells of.
pub(super) async fn write(
    connection: &mut Connection,
    (scope, plugin): At<'_>,
    actions: &[(&'static str, Option<Digest>, String)],
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
