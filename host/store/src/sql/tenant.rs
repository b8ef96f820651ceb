//! Tenants and environments in the database.

use async_trait::async_trait;
use tenterhook_domain::{
    Code, EnvironmentName, Error, Result, Scope, TenantId, audit::Author, execution::Page,
    trust::TrustPolicy,
};

use super::{Connection, Db, LOCK, audit, failed, read_json, to_json, to_the_end, unreadable};
use crate::{Cursor, Environments, Tenants, Written};

fn written(rows: u64) -> Written {
    if rows == 0 {
        Written::Unchanged
    } else {
        Written::Created
    }
}

pub(super) async fn require_tenant(connection: &mut Connection, tenant: &TenantId) -> Result<()> {
    let found = sqlx::query("SELECT 1 FROM tenants WHERE tenant = $1")
        .bind(tenant.as_str())
        .fetch_optional(connection)
        .await
        .map_err(failed("look for a tenant"))?;
    found
        .map(|_| ())
        .ok_or_else(|| Error::new(Code::TenantNotFound, format!("there is no tenant {tenant}")))
}

/// Holds the tenant's row until the transaction ends, where the tenant is there.
pub(super) async fn hold_tenant(connection: &mut Connection, tenant: &TenantId) -> Result<()> {
    sqlx::query(sqlx::AssertSqlSafe(format!(
        "SELECT 1 FROM tenants WHERE tenant = $1{LOCK}"
    )))
    .bind(tenant.as_str())
    .fetch_optional(connection)
    .await
    .map(|_| ())
    .map_err(failed("hold a tenant"))
}

pub(super) async fn require_scope(connection: &mut Connection, scope: &Scope) -> Result<()> {
    let found = sqlx::query("SELECT 1 FROM environments WHERE tenant = $1 AND environment = $2")
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

/// The policy of a tenant; `lock` is the word that holds its row until the transaction ends.
async fn read_trust(
    connection: &mut Connection,
    tenant: &TenantId,
    lock: &str,
) -> Result<TrustPolicy> {
    let found: Option<(String,)> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "SELECT trust FROM tenants WHERE tenant = $1{lock}"
    )))
    .bind(tenant.as_str())
    .fetch_optional(&mut *connection)
    .await
    .map_err(failed("read a trust policy"))?;
    match found {
        Some((trust,)) => read_json(&trust, "a trust policy"),
        None => Err(require_tenant(connection, tenant)
            .await
            .err()
            .unwrap_or_else(|| Error::new(Code::StoreFailed, "a tenant was made meanwhile"))),
    }
}

#[async_trait]
impl Tenants for Db {
    async fn put(&self, tenant: &TenantId) -> Result<Written> {
        sqlx::query("INSERT INTO tenants (tenant) VALUES ($1) ON CONFLICT DO NOTHING")
            .bind(tenant.as_str())
            .execute(&self.writer)
            .await
            .map(|done| written(done.rows_affected()))
            .map_err(failed("add a tenant"))
    }

    async fn require(&self, tenant: &TenantId) -> Result<()> {
        let mut connection = self.reader().await?;
        require_tenant(&mut connection, tenant).await
    }

    async fn list(&self, cursor: Cursor<'_>) -> Result<Page<TenantId>> {
        let rows: Vec<(String,)> =
            sqlx::query_as("SELECT tenant FROM tenants WHERE tenant > $1 ORDER BY tenant LIMIT $2")
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

    async fn trust(&self, tenant: &TenantId) -> Result<TrustPolicy> {
        let mut connection = self.reader().await?;
        read_trust(&mut connection, tenant, "").await
    }

    async fn put_trust(
        &self,
        tenant: &TenantId,
        policy: &TrustPolicy,
        expected: Option<&TrustPolicy>,
        author: &Author,
        now_millis: u64,
    ) -> Result<()> {
        policy.check()?;
        let (this, tenant, author) = (self.clone(), tenant.clone(), author.clone());
        let (json, expected) = (to_json(policy)?, expected.cloned());
        to_the_end(async move {
            let mut transaction = this.write().await?;
            let found = read_trust(&mut transaction, &tenant, LOCK).await?;
            if expected.is_some_and(|expected| expected != found) {
                return Err(Error::new(
                    Code::PreconditionFailed,
                    format!("the trust policy of {tenant} was changed meanwhile"),
                ));
            }
            sqlx::query("UPDATE tenants SET trust = $1 WHERE tenant = $2")
                .bind(json.as_str())
                .bind(tenant.as_str())
                .execute(&mut *transaction)
                .await
                .map_err(failed("change a trust policy"))?;
            let action = ("trust", None, json);
            audit::write_of_tenant(&mut transaction, &tenant, action, &author, now_millis).await?;
            transaction
                .commit()
                .await
                .map_err(failed("change a trust policy"))
        })
        .await
    }
}

#[async_trait]
impl Environments for Db {
    async fn put(&self, scope: &Scope) -> Result<Written> {
        let mut transaction = self.write().await?;
        require_tenant(&mut transaction, &scope.tenant).await?;
        let done = sqlx::query(
            "INSERT INTO environments (tenant, environment) VALUES ($1, $2) ON CONFLICT DO NOTHING",
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
        let mut connection = self.reader().await?;
        require_scope(&mut connection, scope).await
    }

    async fn list(&self, tenant: &TenantId, cursor: Cursor<'_>) -> Result<Page<EnvironmentName>> {
        Tenants::require(self, tenant).await?;
        let rows: Vec<(String,)> = sqlx::query_as(
            "SELECT environment FROM environments WHERE tenant = $1 AND environment > $2 \
             ORDER BY environment LIMIT $3",
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
