//! The keys that sign contexts, shared by all hosts of one database.

use async_trait::async_trait;
use tenterhook_domain::{Result, audit::Author, context::ContextKeySet};

/// Where the context keys are kept. None is ever dropped: an open execution may have been signed with the oldest.
///
/// # Errors
/// Every operation: `store-failed`, and `internal` when the system gives no randomness.
#[async_trait]
pub trait ContextKeyRing: Send + Sync + 'static {
    /// All keys. Makes the first one, which signs at once; of hosts that do so together, all get the same.
    async fn load_or_create(&self, now_millis: u64) -> Result<ContextKeySet>;
    /// Makes a new key, which signs from `signs_from` on, and notes it in the audit log. Answers all keys.
    /// `context-keys-full` when there are [`CONTEXT_KEYS_MAX`](tenterhook_domain::context::CONTEXT_KEYS_MAX).
    async fn rotate(
        &self,
        signs_from: u64,
        author: &Author,
        now_millis: u64,
    ) -> Result<ContextKeySet>;
}
