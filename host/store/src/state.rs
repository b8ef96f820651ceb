//! Key-value state that plugins keep for themselves.

use async_trait::async_trait;
use bytes::Bytes;
use tenterhook_domain::{PluginName, Result, Scope, execution::Page};

use crate::Cursor;

/// Whose keys: nothing outside of it can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket<'a> {
    /// The scope.
    pub scope: &'a Scope,
    /// The plugin.
    pub plugin: &'a PluginName,
    /// The plugin's own name for the bucket.
    pub name: &'a str,
}

/// Keys and values of a plugin. The sizes of keys and values are the caller's to bound: they are limits of
/// the plugin (`keyvalue_key_bytes`, `keyvalue_value_bytes`).
///
/// # Errors
/// Every operation: `store-failed`. Writes: `plugin-not-found` when there is no such plugin.
#[async_trait]
pub trait KeyValueState: Send + Sync + 'static {
    /// The value of `key`.
    async fn get(&self, bucket: Bucket<'_>, key: &str) -> Result<Option<Bytes>>;
    /// Sets the value of `key`.
    async fn set(&self, bucket: Bucket<'_>, key: &str, value: Bytes) -> Result<()>;
    /// Forgets `key`; false when it was not there.
    async fn delete(&self, bucket: Bucket<'_>, key: &str) -> Result<bool>;
    /// True if `key` has a value.
    async fn exists(&self, bucket: Bucket<'_>, key: &str) -> Result<bool>;
    /// Keys in order; the cursor is the last key of the page before.
    async fn list(&self, bucket: Bucket<'_>, cursor: Cursor<'_>) -> Result<Page<String>>;
    /// Adds `delta` to the number in `key` and answers the sum, at once against all other writers. The number
    /// is kept as decimal text; a key without a value counts as 0. `request-invalid` when the value is no
    /// whole number of 64 bits or the sum is none.
    async fn increment(&self, bucket: Bucket<'_>, key: &str, delta: i64) -> Result<i64>;
}
