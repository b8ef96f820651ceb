//! What is decided for a plugin's releases, and the log of who decided it.

use async_trait::async_trait;
use tenterhook_domain::{
    Digest, PluginName, Result, Scope, TenantId,
    audit::{AuditEntry, Author},
    execution::Page,
    rollout::{Line, Move},
};

use crate::{Cursor, PAGE_ITEMS_MAX};

/// The lines of all plugins: which release new executions start on.
///
/// # Errors
/// Every operation: `store-failed`; `tenant-not-found`, `environment-not-found` or `plugin-not-found` for what
/// is not there.
#[async_trait]
pub trait Lines: Send + Sync + 'static {
    /// The line of a plugin and its revision, which grows with every change of what is decided for the plugin.
    async fn line(&self, scope: &Scope, plugin: &PluginName) -> Result<(Line, u64)>;
    /// Makes a move, at once against all others: line, states of releases and audit log change together.
    /// A move that changes nothing is answered with the same revision; so is [`Move::Observe`], which decides nothing,
    /// and nobody is told of either. `precondition-failed` when `expected` is given and is not the revision; else as
    /// [`Line::apply`].
    async fn apply(
        &self,
        scope: &Scope,
        plugin: &PluginName,
        r#move: Move,
        expected: Option<u64>,
        author: &Author,
        now_millis: u64,
    ) -> Result<(Line, u64)>;
    /// Plugins of all scopes with a ramp that is not halted.
    async fn ramping(&self) -> Result<Vec<(Scope, PluginName)>>;
}

/// Which part of the audit log.
#[derive(Debug, Clone, Copy, Default)]
pub struct AuditFilter<'a> {
    /// Of one scope only.
    pub scope: Option<&'a Scope>,
    /// Of one plugin only.
    pub plugin: Option<&'a PluginName>,
    /// Of one release only.
    pub digest: Option<&'a Digest>,
}

/// Who did what, newest first.
///
/// # Errors
/// `store-failed`; `request-invalid` for a cursor that is none.
#[async_trait]
pub trait AuditLog: Send + Sync + 'static {
    /// Entries that `filter` lets through, newest first.
    async fn entries(
        &self,
        filter: AuditFilter<'_>,
        cursor: Cursor<'_>,
    ) -> Result<Page<AuditEntry>>;
    /// Entries of one tenant, of one release only where `digest` is given. A store that can tell a tenant's entries
    /// apart does better than to read through all of them, as this does.
    async fn entries_of(
        &self,
        tenant: &TenantId,
        digest: Option<&Digest>,
        cursor: Cursor<'_>,
    ) -> Result<Page<AuditEntry>> {
        let filter = AuditFilter {
            digest,
            ..AuditFilter::default()
        };
        let mut found: Vec<AuditEntry> = Vec::new();
        let mut after = cursor.after.map(str::to_owned);
        while found.len() <= cursor.limit() {
            let part = Cursor {
                after: after.as_deref(),
                limit: PAGE_ITEMS_MAX,
            };
            let page = self.entries(filter, part).await?;
            let own = |entry: &AuditEntry| entry.tenant.as_ref() == Some(tenant);
            found.extend(page.items.into_iter().filter(own));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        Ok(cursor.page(found, |entry: &AuditEntry| entry.number.to_string()))
    }
}
