//! What admins allow tenants, in the database.

use std::time::Duration;

use async_trait::async_trait;
use tenterhook_domain::{
    Code, Error, Result, TenantId,
    audit::Author,
    limit::LimitPolicy,
    quota::{QuotaOverrides, Quotas},
};

use super::{
    Connection, Db, LOCK, audit, failed, number, read_json, tenant::require_tenant, to_json,
    to_the_end,
};
use crate::{Allowances, Kept, Taken};

const NANOS_PER_SECOND: u64 = 1_000_000_000;
const NANOS_PER_MILLI: u64 = 1_000_000;

/// What of a tenant's row is read; `lock` is the word that holds the row until the transaction ends.
async fn read(
    connection: &mut Connection,
    tenant: &TenantId,
    lock: &str,
) -> Result<(QuotaOverrides, LimitPolicy)> {
    let found: Option<(String, String)> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "SELECT quotas, limits FROM tenants WHERE tenant = $1{lock}"
    )))
    .bind(tenant.as_str())
    .fetch_optional(&mut *connection)
    .await
    .map_err(failed("read what a tenant is allowed"))?;
    match found {
        Some((quotas, limits)) => Ok((
            read_json(&quotas, "quotas")?,
            read_json(&limits, "limits of a tenant")?,
        )),
        None => Err(missing(connection, tenant).await),
    }
}

async fn missing(connection: &mut Connection, tenant: &TenantId) -> Error {
    let gone = require_tenant(connection, tenant).await.err();
    gone.unwrap_or_else(|| failed("find a tenant")(sqlx::Error::RowNotFound))
}

async fn kept_releases(connection: &mut Connection, tenant: &TenantId) -> Result<(u64, u64)> {
    let (releases, bytes): (i64, i64) = sqlx::query_as(
        "SELECT COUNT(*), CAST(COALESCE(SUM(bytes), 0) AS BIGINT) FROM releases \
         WHERE tenant = $1 AND state NOT IN ('retired', 'refused')",
    )
    .bind(tenant.as_str())
    .fetch_one(connection)
    .await
    .map_err(failed("count releases"))?;
    Ok((releases.unsigned_abs(), bytes.unsigned_abs()))
}

/// Lets a further release of `bytes` in if there is room for it.
pub(super) async fn admit_release(
    connection: &mut Connection,
    tenant: &TenantId,
    bytes: u64,
) -> Result<()> {
    let (quotas, _) = read(connection, tenant, "").await?;
    let quotas = quotas.in_force();
    let (releases, stored) = kept_releases(connection, tenant).await?;
    quotas.check(tenant, "releases", releases, releases.saturating_add(1))?;
    let wanted = stored.saturating_add(bytes);
    quotas.check(tenant, "component_bytes", stored, wanted)
}

/// Nanoseconds that one start takes to come back into the bucket.
fn nanos_each(quotas: &Quotas) -> u64 {
    NANOS_PER_SECOND / quotas.starts_per_second.max(1)
}

fn unchanged<T: PartialEq>(expected: Option<T>, found: &T, tenant: &TenantId) -> Result<()> {
    if expected.is_some_and(|expected| expected != *found) {
        return Err(Error::new(
            Code::PreconditionFailed,
            format!("what tenant {tenant} is allowed was changed meanwhile"),
        ));
    }
    Ok(())
}

/// Sets one JSON column of a tenant, and writes that down in the audit log.
async fn set(
    connection: &mut Connection,
    update: &'static str,
    tenant: &TenantId,
    (action, json): (&'static str, String),
    (author, now): (&Author, u64),
) -> Result<()> {
    sqlx::query(update)
        .bind(json.as_str())
        .bind(tenant.as_str())
        .execute(&mut *connection)
        .await
        .map_err(failed("change what a tenant is allowed"))?;
    audit::write_of_tenant(connection, tenant, (action, None, json), author, now).await
}

impl Db {
    /// When the bucket of `tenant` is full again, in nanoseconds since the Unix epoch.
    async fn full_again(&self, tenant: &TenantId) -> Result<u64> {
        let found: Option<(i64,)> =
            sqlx::query_as("SELECT full_again FROM start_buckets WHERE tenant = $1")
                .bind(tenant.as_str())
                .fetch_optional(&self.readers)
                .await
                .map_err(failed("read the starts of a tenant"))?;
        Ok(found.map_or(0, |(nanos,)| nanos.unsigned_abs()))
    }
}

#[async_trait]
impl Allowances for Db {
    async fn quotas(&self, tenant: &TenantId) -> Result<QuotaOverrides> {
        let mut connection = self.reader().await?;
        Ok(read(&mut connection, tenant, "").await?.0)
    }

    async fn put_quotas(
        &self,
        tenant: &TenantId,
        quotas: &QuotaOverrides,
        expected: Option<&QuotaOverrides>,
        author: &Author,
        now_millis: u64,
    ) -> Result<()> {
        quotas.check()?;
        let (this, tenant, author) = (self.clone(), tenant.clone(), author.clone());
        let (action, expected) = (("quotas", to_json(quotas)?), expected.cloned());
        let after = quotas.in_force();
        to_the_end(async move {
            let mut transaction = this.write().await?;
            let (found, _) = read(&mut transaction, &tenant, LOCK).await?;
            unchanged(expected, &found, &tenant)?;
            let update = "UPDATE tenants SET quotas = $1 WHERE tenant = $2";
            let by = (&author, now_millis);
            set(&mut transaction, update, &tenant, action, by).await?;
            // A bucket of another size begins anew: what was taken at one rate is not paid back at another.
            sqlx::query("DELETE FROM start_buckets WHERE tenant = $1")
                .bind(tenant.as_str())
                .execute(&mut *transaction)
                .await
                .map_err(failed("change quotas"))?;
            if found.in_force().weight == after.weight {
                return transaction.commit().await.map_err(failed("change quotas"));
            }
            // Hosts remember it with what they know of each plugin.
            this.tell_of_tenant(transaction, &tenant).await
        })
        .await
    }

    async fn limit_policy(&self, tenant: &TenantId) -> Result<LimitPolicy> {
        let mut connection = self.reader().await?;
        Ok(read(&mut connection, tenant, "").await?.1)
    }

    async fn put_limit_policy(
        &self,
        tenant: &TenantId,
        policy: &LimitPolicy,
        expected: Option<&LimitPolicy>,
        author: &Author,
        now_millis: u64,
    ) -> Result<()> {
        policy.check()?;
        let (this, tenant, author) = (self.clone(), tenant.clone(), author.clone());
        let (action, expected) = (("limits", to_json(policy)?), expected.cloned());
        to_the_end(async move {
            let mut transaction = this.write().await?;
            let (_, found) = read(&mut transaction, &tenant, LOCK).await?;
            unchanged(expected, &found, &tenant)?;
            let update = "UPDATE tenants SET limits = $1 WHERE tenant = $2";
            let by = (&author, now_millis);
            set(&mut transaction, update, &tenant, action, by).await?;
            this.tell_of_tenant(transaction, &tenant).await
        })
        .await
    }

    async fn take_starts(
        &self,
        tenant: &TenantId,
        quotas: &Quotas,
        wanted: u64,
        now_millis: u64,
    ) -> Result<Taken> {
        let (now, each) = (
            now_millis.saturating_mul(NANOS_PER_MILLI),
            nanos_each(quotas),
        );
        let wanted = each.saturating_mul(wanted.min(quotas.starts_burst));
        let whole = each.saturating_mul(quotas.starts_burst);
        // One statement, so that of two hosts that would take the last start one finds none.
        let taken = sqlx::query(
            "INSERT INTO start_buckets (tenant, full_again) VALUES ($1, $2 + $3) \
             ON CONFLICT (tenant) DO UPDATE SET full_again = $3 + \
             CASE WHEN start_buckets.full_again > $2 THEN start_buckets.full_again ELSE $2 END \
             WHERE start_buckets.full_again + $3 <= $2 + $4",
        )
        .bind(tenant.as_str())
        .bind(number(now))
        .bind(number(wanted))
        .bind(number(whole))
        .execute(&self.writer)
        .await
        .map_err(failed("take a start of a tenant"))?;
        if taken.rows_affected() > 0 {
            return Ok(Taken::All);
        }
        let there = self.full_again(tenant).await?.saturating_add(wanted);
        let wait = there.saturating_sub(now.saturating_add(whole));
        Ok(Taken::None(Duration::from_nanos(wait)))
    }

    async fn starts_taken(
        &self,
        tenant: &TenantId,
        quotas: &Quotas,
        now_millis: u64,
    ) -> Result<u64> {
        let now = now_millis.saturating_mul(NANOS_PER_MILLI);
        let lacking = self.full_again(tenant).await?.saturating_sub(now);
        Ok(lacking.div_ceil(nanos_each(quotas)))
    }

    async fn kept(&self, tenant: &TenantId) -> Result<Kept> {
        let mut connection = self.reader().await?;
        let (releases, component_bytes) = kept_releases(&mut connection, tenant).await?;
        let (state_bytes,): (i64,) = sqlx::query_as(
            "SELECT CAST(COALESCE(SUM(bytes), 0) AS BIGINT) FROM state_use WHERE tenant = $1",
        )
        .bind(tenant.as_str())
        .fetch_one(&mut *connection)
        .await
        .map_err(failed("count state"))?;
        Ok(Kept {
            releases,
            component_bytes,
            state_bytes: state_bytes.unsigned_abs(),
        })
    }

    async fn admit_release(&self, tenant: &TenantId, bytes: u64) -> Result<()> {
        let mut connection = self.reader().await?;
        admit_release(&mut connection, tenant, bytes).await
    }
}
