//! Tenants and environments in SQLite.

use async_trait::async_trait;
use sqlx::SqliteConnection;
use tenterhook_domain::{Code, EnvironmentName, Error, Result, Scope, TenantId, execution::Page};

use super::{Sqlite, failed, unreadable};
use crate::{Cursor, Environments, Tenants, Written};

fn written(rows: u64) -> Written {
    if rows == 0 {
        Written::Unchanged
    } else {
        Written::Created
    }
}

pub(super) async fn require_tenant(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
) -> Result<()> {
    let found: Option<(i64,)> = sqlx::query_as("SELECT 1 FROM tenants WHERE tenant = ?")
        .bind(tenant.as_str())
        .fetch_optional(connection)
        .await
        .map_err(failed("look for a tenant"))?;
    found
        .map(|_| ())
        .ok_or_else(|| Error::new(Code::TenantNotFound, format!("there is no tenant {tenant}")))
}

pub(super) async fn require_scope(connection: &mut SqliteConnection, scope: &Scope) -> Result<()> {
    let found: Option<(i64,)> =
        sqlx::query_as("SELECT 1 FROM environments WHERE tenant = ? AND environment = ?")
            .bind(scope.tenant.as_str())
            .bind(scope.environment.as_str())
            .fetch_optional(&mut *connection)
            .await
            .map_err(failed("look for an environment"))?;
    if found.is_some() {
        return Ok(());
    }
    require_tenant(connection, &scope.tenant).await?;
    Err(Error::new(
        Code::EnvironmentNotFound,
        format!(
            "tenant {} has no environment {}",
            scope.tenant, scope.environment
        ),
    ))
}

#[async_trait]
impl Tenants for Sqlite {
    async fn put(&self, tenant: &TenantId) -> Result<Written> {
        sqlx::query("INSERT INTO tenants (tenant) VALUES (?) ON CONFLICT DO NOTHING")
            .bind(tenant.as_str())
            .execute(&self.writer)
            .await
            .map(|done| written(done.rows_affected()))
            .map_err(failed("add a tenant"))
    }

    async fn require(&self, tenant: &TenantId) -> Result<()> {
        let mut connection = self
            .readers
            .acquire()
            .await
            .map_err(failed("look for a tenant"))?;
        require_tenant(&mut connection, tenant).await
    }

    async fn list(&self, cursor: Cursor<'_>) -> Result<Page<TenantId>> {
        let rows: Vec<(String,)> =
            sqlx::query_as("SELECT tenant FROM tenants WHERE tenant > ? ORDER BY tenant LIMIT ?")
                .bind(cursor.after.unwrap_or_default())
                .bind(cursor.rows())
                .fetch_all(&self.readers)
                .await
                .map_err(failed("list tenants"))?;
        let tenants = rows
            .into_iter()
            .map(|(name,)| name.parse())
            .collect::<Result<_>>()
            .map_err(unreadable("a tenant"))?;
        Ok(cursor.page(tenants, |tenant: &TenantId| tenant.to_string()))
    }
}

#[async_trait]
impl Environments for Sqlite {
    async fn put(&self, scope: &Scope) -> Result<Written> {
        let mut transaction = self.write().await?;
        require_tenant(&mut transaction, &scope.tenant).await?;
        let done = sqlx::query(
            "INSERT INTO environments (tenant, environment) VALUES (?, ?) ON CONFLICT DO NOTHING",
        )
        .bind(scope.tenant.as_str())
        .bind(scope.environment.as_str())
        .execute(&mut *transaction)
        .await
        .map_err(failed("add an environment"))?;
        transaction
            .commit()
            .await
            .map_err(failed("add an environment"))?;
        Ok(written(done.rows_affected()))
    }

    async fn require(&self, scope: &Scope) -> Result<()> {
        let mut connection = self
            .readers
            .acquire()
            .await
            .map_err(failed("look for an environment"))?;
        require_scope(&mut connection, scope).await
    }

    async fn list(&self, tenant: &TenantId, cursor: Cursor<'_>) -> Result<Page<EnvironmentName>> {
        Tenants::require(self, tenant).await?;
        let rows: Vec<(String,)> = sqlx::query_as(
            "SELECT environment FROM environments WHERE tenant = ? AND environment > ? \
             ORDER BY environment LIMIT ?",
        )
        .bind(tenant.as_str())
        .bind(cursor.after.unwrap_or_default())
        .bind(cursor.rows())
        .fetch_all(&self.readers)
        .await
        .map_err(failed("list environments"))?;
        let environments = rows
            .into_iter()
            .map(|(name,)| name.parse())
            .collect::<Result<_>>()
            .map_err(unreadable("an environment"))?;
        Ok(cursor.page(environments, |name: &EnvironmentName| name.to_string()))
    }
}
