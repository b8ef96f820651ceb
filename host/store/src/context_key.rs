//! The keys that sign contexts, shared by all hosts of one database.

use async_trait::async_trait;
use tenterhook_domain::{Result, context::ContextKeys};

/// Most keys that verify at once; a rotation drops the oldest beyond it.
pub const CONTEXT_KEYS_MAX: usize = 4;

/// Where the context keys are kept.
///
/// # Errors
/// Every operation: `store-failed`, and `internal` when the system gives no randomness.
#[async_trait]
pub trait ContextKeyRing: Send + Sync + 'static {
    /// The keys in force. Makes the first one; of hosts that do so at once, all get the same.
    async fn load_or_create(&self) -> Result<ContextKeys>;
    /// Makes a new key that signs from now on; the older ones still verify.
    async fn rotate(&self) -> Result<ContextKeys>;
}
