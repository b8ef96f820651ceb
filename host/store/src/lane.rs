//! Lanes of scopes' own.

use async_trait::async_trait;
use tenterhook_domain::{Result, Scope, audit::Author, lane::LaneSettings};

use crate::Written;

/// Which scopes have a lane of their own. Every change is told to the hosts of this process at once; others look every
/// second.
///
/// # Errors
/// Every operation: `store-failed`; `tenant-not-found` or `environment-not-found` for what is not there.
#[async_trait]
pub trait Lanes: Send + Sync + 'static {
    /// The lane of `scope`; none where it is on the pooled one.
    async fn lane(&self, scope: &Scope) -> Result<Option<LaneSettings>>;
    /// Gives the scope a lane, or changes the one that it has. `lane-invalid`; `lane-conflict` where the namespace, or
    /// the queue of the shared one, is another scope's, and above the most lanes that there may be.
    async fn put_lane(
        &self,
        scope: &Scope,
        lane: &LaneSettings,
        author: &Author,
        now_millis: u64,
    ) -> Result<Written>;
    /// Puts the scope back on the pooled lane. `lane-not-found` where it is there.
    async fn delete_lane(&self, scope: &Scope, author: &Author, now_millis: u64) -> Result<()>;
    /// All lanes there are.
    async fn all(&self) -> Result<Vec<(Scope, LaneSettings)>>;
}
