//! Runs whose workflow task failed, for the guard of a ramp.
//!
//! Temporal lists no executions by failed tasks, and one whose first task fails is on no list of its release at all:
//! the marker goes with the discarded commands. Every host writes down what it saw; the guard of any host counts.

use async_trait::async_trait;
use tenterhook_domain::Result;

use crate::ReleaseKey;

/// Runs with a task that the plugin's own code failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FailedRuns {
    /// All of them.
    pub runs: u64,
    /// Those that failed at their first task, so that their history does not say which release ran it.
    pub unpinned: u64,
}

/// Task failures by release and run.
///
/// # Errors
/// Every operation: `store-failed`.
#[async_trait]
pub trait TaskFailures: Send + Sync + 'static {
    /// A task of `run` failed on the release; `pinned` says that the run's history names it. May be repeated.
    async fn record(
        &self,
        release: &ReleaseKey,
        run: &str,
        pinned: bool,
        now_millis: u64,
    ) -> Result<()>;
    /// Runs of the release whose task failed first since `since_millis`.
    async fn count(&self, release: &ReleaseKey, since_millis: u64) -> Result<FailedRuns>;
    /// Forgets what was written before `before_millis`.
    async fn forget(&self, before_millis: u64) -> Result<()>;
}
