//! Releases of a plugin.

use async_trait::async_trait;
use tenterhook_domain::{Digest, PluginName, Result, Scope, execution::Page, release::Release};

use crate::{Cursor, Written};

/// The releases of a plugin. [`crate::Store::publish`] stores the component and then calls `insert`.
///
/// # Errors
/// Every operation: `store-failed`; `tenant-not-found`, `environment-not-found` or `plugin-not-found` for what
/// is not there on the way.
#[async_trait]
pub trait Releases: Send + Sync + 'static {
    /// Adds a release whose blob is stored; its `state` is not looked at. The plugin comes into being with its
    /// first release, which becomes current. Answers what is stored: on a repetition that is the first one.
    async fn insert(
        &self,
        scope: &Scope,
        plugin: &PluginName,
        release: &Release,
    ) -> Result<(Written, Release)>;
    /// One release. `release-not-found` when this plugin of this scope has none of that digest.
    async fn get(&self, scope: &Scope, plugin: &PluginName, digest: &Digest) -> Result<Release>;
    /// Newest first.
    async fn list(
        &self,
        scope: &Scope,
        plugin: &PluginName,
        cursor: Cursor<'_>,
    ) -> Result<Page<Release>>;
    /// Makes it the one new executions start on. `release-not-found` as for `get`.
    async fn set_current(
        &self,
        scope: &Scope,
        plugin: &PluginName,
        digest: &Digest,
    ) -> Result<Release>;
    /// The one new executions start on, if there is one. `plugin-not-found` when there is no such plugin.
    async fn current(&self, scope: &Scope, plugin: &PluginName) -> Result<Option<Release>>;
}
