//! Tenants and their environments.

use async_trait::async_trait;
use tenterhook_domain::{EnvironmentName, Result, Scope, TenantId, execution::Page};

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
