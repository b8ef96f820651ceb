//! What stands behind the plugins' key-value state: the host's store, through a trait.

use tenterhook_domain::{PluginName, Result, Scope};

/// One page of a bucket's keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyPage {
    /// The keys, in the order of their bytes.
    pub keys: Vec<String>,
    /// Where the next page starts; `None` after the last one.
    pub cursor: Option<u64>,
}

/// How much a plugin may keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyRoom {
    /// Keys of all its buckets together.
    pub keys: u64,
    /// Bytes of all its buckets' names, keys and values together.
    pub bytes: u64,
}

/// A change of one key that hangs on the value it has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeySwap {
    /// What the value must be; `None`: there must be none.
    pub expected: Option<Vec<u8>>,
    /// What it becomes; `None`: none.
    pub new: Option<Vec<u8>>,
}

/// What stands behind `wasi:keyvalue` and `tenterhook:plugin/state`. Every call names the scope, plugin and bucket that its keys belong to; keys of
/// different owners never meet. Sizes are checked before.
#[async_trait::async_trait]
pub trait KeyValue: Send + Sync + 'static {
    /// The value of `key`.
    ///
    /// # Errors
    /// `store-failed`.
    async fn get(
        &self,
        scope: &Scope,
        plugin: &PluginName,
        bucket: &str,
        key: &str,
    ) -> Result<Option<Vec<u8>>>;
    /// Sets `key` to `value`, if the plugin then keeps no more than `room`.
    ///
    /// # Errors
    /// `store-failed`; `keyvalue-limit-exceeded` and `quota-exceeded` when there is no room.
    async fn set(
        &self,
        scope: &Scope,
        plugin: &PluginName,
        bucket: &str,
        key: &str,
        value: Vec<u8>,
        room: KeyRoom,
    ) -> Result<()>;
    /// Removes `key`; it is no error if it is not there.
    ///
    /// # Errors
    /// `store-failed`.
    async fn delete(
        &self,
        scope: &Scope,
        plugin: &PluginName,
        bucket: &str,
        key: &str,
    ) -> Result<()>;
    /// True if `key` has a value.
    ///
    /// # Errors
    /// `store-failed`.
    async fn exists(
        &self,
        scope: &Scope,
        plugin: &PluginName,
        bucket: &str,
        key: &str,
    ) -> Result<bool>;
    /// At most `limit` keys, from `cursor` (0: the first) on.
    ///
    /// # Errors
    /// `store-failed`.
    async fn list(
        &self,
        scope: &Scope,
        plugin: &PluginName,
        bucket: &str,
        cursor: u64,
        limit: usize,
    ) -> Result<KeyPage>;
    /// Adds `delta` to the number at `key` (0 if there is none), in one step, and answers the sum. The number is
    /// kept as its decimal digits.
    ///
    /// # Errors
    /// As for `set`; `request-invalid` when the value at `key` is no number or the sum is too large.
    async fn increment(
        &self,
        scope: &Scope,
        plugin: &PluginName,
        bucket: &str,
        key: &str,
        delta: u64,
        room: KeyRoom,
    ) -> Result<u64>;
    /// Sets `key` to `new` (`None`: removes it) if its value is `expected` (`None`: it has none), in one step. False if it
    /// is another.
    ///
    /// # Errors
    /// As for `set`.
    async fn compare_and_set(
        &self,
        scope: &Scope,
        plugin: &PluginName,
        bucket: &str,
        key: &str,
        swap: KeySwap,
        room: KeyRoom,
    ) -> Result<bool>;
}
