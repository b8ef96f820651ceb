//! Tokens in the database.

use async_trait::async_trait;
use sqlx::FromRow;
use tenterhook_domain::{
    Result,
    execution::Page,
    token::{Principal, TokenRecord},
};

use super::{Db, failed, number, tenant::require_tenant, unreadable};
use crate::{Cursor, Tokens};

const COLUMNS: &str =
    "id, secret_hash, role, tenant, environment, plugin, label, created_at, expires_at";

#[derive(FromRow)]
struct Row {
    id: String,
    secret_hash: Vec<u8>,
    role: String,
    tenant: Option<String>,
    environment: Option<String>,
    plugin: Option<String>,
    label: String,
    created_at: i64,
    expires_at: Option<i64>,
}

impl Row {
    fn read(self) -> Result<TokenRecord> {
        // The columns are the fields of a principal, so that its own reading checks them.
        let principal = serde_json::json!({
            "role": self.role,
            "tenant": self.tenant,
            "environment": self.environment,
            "plugin": self.plugin,
        });
        Ok(TokenRecord {
            id: self.id,
            secret_hash: self
                .secret_hash
                .as_slice()
                .try_into()
                .map_err(unreadable("a token"))?,
            principal: serde_json::from_value(principal).map_err(unreadable("a token"))?,
            label: self.label,
            created_at: self.created_at.unsigned_abs(),
            expires_at: self.expires_at.map(i64::unsigned_abs),
        })
    }
}

/// The columns of a principal: role, tenant, environment, plugin.
fn columns(principal: &Principal) -> (&'static str, Option<&str>, Option<&str>, Option<&str>) {
    match principal {
        Principal::Admin => ("admin", None, None, None),
        Principal::Operator { tenant } => ("operator", Some(tenant.as_str()), None, None),
        Principal::Author { scope, plugin } => (
            "author",
            Some(scope.tenant.as_str()),
            Some(scope.environment.as_str()),
            Some(plugin.as_str()),
        ),
        Principal::Caller { scope } => (
            "caller",
            Some(scope.tenant.as_str()),
            Some(scope.environment.as_str()),
            None,
        ),
    }
}

#[async_trait]
impl Tokens for Db {
    async fn insert(&self, token: &TokenRecord) -> Result<()> {
        let mut transaction = self.write().await?;
        if let Some(tenant) = token.principal.tenant() {
            require_tenant(&mut transaction, tenant).await?;
        }
        let (role, tenant, environment, plugin) = columns(&token.principal);
        sqlx::query(sqlx::AssertSqlSafe(format!(
            "INSERT INTO tokens ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
        )))
        .bind(token.id.as_str())
        .bind(token.secret_hash.as_slice())
        .bind(role)
        .bind(tenant)
        .bind(environment)
        .bind(plugin)
        .bind(token.label.as_str())
        .bind(number(token.created_at))
        .bind(token.expires_at.map(number))
        .execute(&mut *transaction)
        .await
        .map_err(failed("keep a token"))?;
        transaction.commit().await.map_err(failed("keep a token"))
    }

    async fn find(&self, id: &str) -> Result<Option<TokenRecord>> {
        let row: Option<Row> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM tokens WHERE id = $1"
        )))
        .bind(id)
        .fetch_optional(&self.readers)
        .await
        .map_err(failed("look for a token"))?;
        row.map(Row::read).transpose()
    }

    async fn list(&self, cursor: Cursor<'_>) -> Result<Page<TokenRecord>> {
        let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM tokens WHERE id > $1 ORDER BY id LIMIT $2"
        )))
        .bind(cursor.after.unwrap_or_default())
        .bind(cursor.rows())
        .fetch_all(&self.readers)
        .await
        .map_err(failed("list tokens"))?;
        let tokens = rows.into_iter().map(Row::read).collect::<Result<_>>()?;
        Ok(cursor.page(tokens, |token: &TokenRecord| token.id.clone()))
    }

    async fn delete(&self, id: &str) -> Result<bool> {
        sqlx::query("DELETE FROM tokens WHERE id = $1")
            .bind(id)
            .execute(&self.writer)
            .await
            .map(|done| done.rows_affected() > 0)
            .map_err(failed("delete a token"))
    }
}
