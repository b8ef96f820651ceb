//! The replay gate: what recorded histories came to on a release that has not taken traffic yet.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{
    component::Metadata,
    digest::Digest,
    error::Result,
    name::{PluginName, Scope},
    policy::ReleasePolicy,
};

/// What one history came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case", tag = "verdict")]
pub enum Verdict {
    /// The same commands at every task.
    Same,
    /// Another command than the history has.
    Diverges {
        /// The first event that the new code does not lead to.
        event: u64,
        /// What the history has there.
        expected: String,
        /// What the new code did.
        actual: String,
    },
    /// The code failed a task, so that the execution would be stuck.
    TaskFailed {
        /// The code of the failure.
        code: String,
        /// What it said.
        message: String,
    },
    /// The history says nothing about this release.
    NotApplicable {
        /// Why: the release has no such workflow type, or the history has no finished task.
        why: String,
    },
}

/// One history and its verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Replayed {
    /// The caller's workflow id; of a file, its name.
    pub workflow_id: String,
    /// The run.
    pub run_id: String,
    /// The workflow type, `plugin.Name`.
    #[serde(rename = "type")]
    pub workflow_type: String,
    /// True if the execution was open when its history was read.
    pub open: bool,
    /// Events in the history.
    pub events: u64,
    /// What it came to.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// All histories that were replayed on one release.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ReplayReport {
    /// Each with its verdict.
    pub histories: Vec<Replayed>,
    /// Histories that there were and that were not sampled.
    pub left_out: u64,
}

impl ReplayReport {
    /// How many have a verdict that would leave an execution stuck: it diverges, or its task fails.
    pub fn broken(&self) -> usize {
        self.histories
            .iter()
            .filter(|replayed| {
                matches!(
                    replayed.verdict,
                    Verdict::Diverges { .. } | Verdict::TaskFailed { .. }
                )
            })
            .count()
    }
}

/// Replays histories on a release that takes no executions yet. `worker` implements it.
#[async_trait]
pub trait ReplayGate: Send + Sync + 'static {
    /// Samples histories of the workflow types that `metadata` has, and of those that the plugin's open executions
    /// have, and replays each on the release `digest`, whose component is stored.
    ///
    /// # Errors
    /// `temporal-unavailable` and other faults of the host, after which it may be tried again.
    async fn replay(
        &self,
        scope: &Scope,
        plugin: &PluginName,
        digest: Digest,
        metadata: &Metadata,
        policy: &ReleasePolicy,
    ) -> Result<ReplayReport>;

    /// The same for a component that is not stored, and that nothing is kept of.
    ///
    /// # Errors
    /// As for [`ReplayGate::replay`], and `component-…` when it cannot be loaded.
    async fn rehearse(
        &self,
        scope: &Scope,
        plugin: &PluginName,
        component: bytes::Bytes,
        metadata: &Metadata,
        policy: &ReleasePolicy,
    ) -> Result<ReplayReport>;
}
