//! Encrypted secrets of plugins. The store never has a value: what it keeps is sealed before it comes here.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tenterhook_domain::{
    PluginName, Result, Scope, SecretName,
    audit::Author,
    secret_key::{Sealed, SecretPlace},
};

/// A secret as lists show it: never its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SecretEntry {
    /// What it is called.
    pub name: SecretName,
    /// When it was set, milliseconds since the Unix epoch.
    pub set_at: u64,
    /// Id of the host's key that it is encrypted under.
    pub key: String,
}

/// The secrets of plugins. Nothing is told to other hosts: whoever needs a secret reads it.
///
/// # Errors
/// Every operation: `store-failed`. Of one plugin: `tenant-not-found`, `environment-not-found` or `plugin-not-found`
/// for what is not there.
#[async_trait]
pub trait Secrets: Send + Sync + 'static {
    /// Sets a secret and notes it in the audit log. Makes the plugin if it is not there, as grants do. `secret-invalid`
    /// for one more than [`tenterhook_domain::secret::SECRETS_MAX`].
    async fn put(
        &self,
        place: &SecretPlace,
        sealed: &Sealed,
        author: &Author,
        now_millis: u64,
    ) -> Result<()>;
    /// Forgets a secret and notes it in the audit log; false when it was not there.
    async fn delete(&self, place: &SecretPlace, author: &Author, now_millis: u64) -> Result<bool>;
    /// All secrets of a plugin, by name.
    async fn list(&self, scope: &Scope, plugin: &PluginName) -> Result<Vec<SecretEntry>>;
    /// One secret; none where there is no such, nor such a plugin.
    async fn get(&self, place: &SecretPlace) -> Result<Option<Sealed>>;
    /// Secrets of all scopes that are under the key `key`, by place, `limit` at most; from behind `after` on.
    async fn under(
        &self,
        key: &str,
        after: Option<&SecretPlace>,
        limit: usize,
    ) -> Result<Vec<(SecretPlace, Sealed)>>;
    /// How many secrets are not under the key `key`.
    async fn not_under(&self, key: &str) -> Result<u64>;
    /// Puts `to` in place of `from` and notes it in the audit log; false when it is `from` no more.
    async fn reseal(
        &self,
        place: &SecretPlace,
        from: &Sealed,
        to: &Sealed,
        author: &Author,
        now_millis: u64,
    ) -> Result<bool>;
}
