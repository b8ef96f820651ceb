//! Key-value state that plugins keep for themselves.

use async_trait::async_trait;
use bytes::Bytes;
use tenterhook_domain::{Code, Error, PluginName, Result, Scope, execution::Page};

use crate::Cursor;

/// Longest name of a bucket and key together, in bytes: what an index of every database can hold.
pub const STATE_KEY_BYTES_MAX: usize = 2_000;

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

/// How much a plugin may keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateRoom {
    /// Keys of all its buckets together.
    pub keys: u64,
    /// Bytes of all its buckets' names, keys and values together.
    pub bytes: u64,
}

/// Keys and values of a plugin. The sizes of keys and values are the caller's to bound: they are limits of
/// the plugin (`keyvalue_key_bytes`, `keyvalue_value_bytes`).
///
/// # Errors
/// Every operation: `store-failed`; `request-invalid` for a bucket and key that together are longer than
/// [`STATE_KEY_BYTES_MAX`], or have a NUL character. Writes: `plugin-not-found` when there is no such plugin;
/// `keyvalue-limit-exceeded` for one that would make the plugin keep more than its room, and `quota-exceeded` where it is
/// the tenant's. What does not grow is always written.
#[async_trait]
pub trait KeyValueState: Send + Sync + 'static {
    /// The value of `key`.
    async fn get(&self, bucket: Bucket<'_>, key: &str) -> Result<Option<Bytes>>;
    /// Sets the value of `key`.
    async fn set(&self, bucket: Bucket<'_>, key: &str, value: Bytes, room: StateRoom)
    -> Result<()>;
    /// Forgets `key`; false when it was not there.
    async fn delete(&self, bucket: Bucket<'_>, key: &str) -> Result<bool>;
    /// True if `key` has a value.
    async fn exists(&self, bucket: Bucket<'_>, key: &str) -> Result<bool>;
    /// Keys in order; the cursor is the last key of the page before.
    async fn list(&self, bucket: Bucket<'_>, cursor: Cursor<'_>) -> Result<Page<String>>;
    /// Adds `delta` to the number in `key` and answers the sum, at once against all other writers. The number
    /// is kept as decimal text; a key without a value counts as 0. `request-invalid` when the value is no
    /// whole number of 64 bits or the sum is none.
    async fn increment(
        &self,
        bucket: Bucket<'_>,
        key: &str,
        delta: i64,
        room: StateRoom,
    ) -> Result<i64>;
    /// Sets `key` to `new` (`None`: forgets it) if its value is `expected` (`None`: it has none), at once against all
    /// other writers. False, and nothing is changed, if it is another.
    async fn compare_and_set(
        &self,
        bucket: Bucket<'_>,
        key: &str,
        expected: Option<&[u8]>,
        new: Option<Bytes>,
        room: StateRoom,
    ) -> Result<bool>;
}

/// Holds what `bucket`'s plugin keeps now against its room.
///
/// # Errors
/// `keyvalue-limit-exceeded`.
pub(crate) fn check_room(bucket: Bucket<'_>, keys: u64, bytes: u64, room: StateRoom) -> Result<()> {
    for (limit, kept, value) in [
        ("keyvalue_keys", keys, room.keys),
        ("keyvalue_bytes", bytes, room.bytes),
    ] {
        if kept > value {
            let (scope, plugin) = (bucket.scope, bucket.plugin);
            return Err(Error::new(
                Code::KeyvalueLimitExceeded,
                format!(
                    "plugin {plugin} of {scope} would keep {kept}, its limit {limit} is {value}: delete keys, or have an \
                     operator raise {limit} in the plugin's grants"
                ),
            ));
        }
    }
    Ok(())
}

/// Holds a key against the bounds of every database.
pub(crate) fn check_key(bucket: Bucket<'_>, key: &str) -> Result<()> {
    let refused = |detail: String| Err(Error::new(Code::RequestInvalid, detail));
    let bytes = bucket.name.len() + key.len();
    if bytes > STATE_KEY_BYTES_MAX {
        return refused(format!(
            "bucket and key have {bytes} bytes together: {STATE_KEY_BYTES_MAX} at most"
        ));
    }
    if bucket.name.contains('\0') || key.contains('\0') {
        return refused("a bucket or a key cannot have a NUL character: leave it out".to_owned());
    }
    Ok(())
}
