//! Tenants and their environments.

use async_trait::async_trait;
use tenterhook_domain::{
    EnvironmentName, Result, Scope, TenantId, audit::Author, execution::Page, trust::TrustPolicy,
};

use crate::{Cursor, Written};

/// Who owns plugins and executions.
///
/// # Errors
/// Every operation: `store-failed`.
#[async_trait]
pub trait Tenants: Send + Sync + 'static {
    /// Makes the tenant if it is not there.
    async fn put(&self, tenant: &TenantId) -> Result<Written>;
    /// `tenant-not-found` when it is not there.
    async fn require(&self, tenant: &TenantId) -> Result<()>;
    /// All tenants by name.
    async fn list(&self, cursor: Cursor<'_>) -> Result<Page<TenantId>>;
    /// Whom the tenant trusts to sign. `tenant-not-found` when it is not there.
    async fn trust(&self, tenant: &TenantId) -> Result<TrustPolicy>;
    /// Sets whom the tenant trusts to sign, and writes that down in the audit log. `tenant-not-found` when it is not
    /// there, `trust-invalid`; `precondition-failed` when `expected` is given and is not the policy of now.
    async fn put_trust(
        &self,
        tenant: &TenantId,
        policy: &TrustPolicy,
        expected: Option<&TrustPolicy>,
        author: &Author,
        now_millis: u64,
    ) -> Result<()>;
}

/// The worlds of a tenant.
///
/// # Errors
/// Every operation: `store-failed`, and `tenant-not-found` when the tenant is not there.
#[async_trait]
pub trait Environments: Send + Sync + 'static {
    /// Makes the environment if it is not there; its tenant must be.
    async fn put(&self, scope: &Scope) -> Result<Written>;
    /// `tenant-not-found` or `environment-not-found` when it is not there.
    async fn require(&self, scope: &Scope) -> Result<()>;
    /// A tenant's environments by name.
    async fn list(&self, tenant: &TenantId, cursor: Cursor<'_>) -> Result<Page<EnvironmentName>>;
}
