//! What admins allow a tenant: its quotas, and the limits of its plugins.

use std::time::Duration;

use async_trait::async_trait;
use tenterhook_domain::{
    Result, TenantId,
    audit::Author,
    limit::LimitPolicy,
    quota::{QuotaOverrides, Quotas},
};

/// What came of taking starts out of a tenant's bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// They are the caller's.
    All,
    /// None, for there are not as many; there will be after so long.
    None(Duration),
}

/// What a tenant keeps in the store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Kept {
    /// Releases that are neither retired nor refused.
    pub releases: u64,
    /// Bytes of their components; the same component counts once for each release.
    pub component_bytes: u64,
    /// Bytes of key-value state.
    pub state_bytes: u64,
}

/// What admins allow tenants, and how much of it is used.
///
/// # Errors
/// Every operation: `store-failed`, and `tenant-not-found` when the tenant is not there.
#[async_trait]
pub trait Allowances: Send + Sync + 'static {
    /// The quotas that were set.
    async fn quotas(&self, tenant: &TenantId) -> Result<QuotaOverrides>;
    /// Sets the quotas as a whole, and writes that down in the audit log; another weight is told of as a change of all the
    /// tenant's plugins. `quota-invalid`; `precondition-failed` when
    /// `expected` is given and is not what is set now.
    async fn put_quotas(
        &self,
        tenant: &TenantId,
        quotas: &QuotaOverrides,
        expected: Option<&QuotaOverrides>,
        author: &Author,
        now_millis: u64,
    ) -> Result<()>;
    /// What is set for the limits of all plugins of the tenant.
    async fn limit_policy(&self, tenant: &TenantId) -> Result<LimitPolicy>;
    /// Sets it as a whole, writes that down in the audit log, and tells of a change of all the tenant's plugins.
    /// `limit-invalid`; `precondition-failed` as above.
    async fn put_limit_policy(
        &self,
        tenant: &TenantId,
        policy: &LimitPolicy,
        expected: Option<&LimitPolicy>,
        author: &Author,
        now_millis: u64,
    ) -> Result<()>;
    /// Takes `number` starts out of the tenant's bucket, at once against all hosts, or none. The bucket holds
    /// `starts_burst` and gets `starts_per_second`; more than it holds there never are.
    async fn take_starts(
        &self,
        tenant: &TenantId,
        quotas: &Quotas,
        number: u64,
        now_millis: u64,
    ) -> Result<Taken>;
    /// Starts that the tenant's bucket lacks to be full.
    async fn starts_taken(
        &self,
        tenant: &TenantId,
        quotas: &Quotas,
        now_millis: u64,
    ) -> Result<u64>;
    /// What the tenant keeps.
    async fn kept(&self, tenant: &TenantId) -> Result<Kept>;
    /// Lets a further release of `bytes` in, if the quotas have room for it. `quota-exceeded`.
    async fn admit_release(&self, tenant: &TenantId, bytes: u64) -> Result<()>;
}
