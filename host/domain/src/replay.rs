//! The replay gate: what recorded histories came to on a release that has not taken traffic yet.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{
    check::Check,
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

impl Verdict {
    /// Where code and history part, and how; nothing where they do not.
    pub fn difference(&self) -> Option<String> {
        match self {
            Self::Diverges {
                event,
                expected,
                actual,
            } => Some(format!(
                "at event {event} its history has {expected}, and its code does {actual}"
            )),
            _ => None,
        }
    }
}

/// One history and its verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Replayed {
    /// The caller's workflow id; of an exported history without one, its file's name.
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

/// What was found out about a component that is not kept.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Rehearsed {
    /// What it says of itself.
    pub metadata: Metadata,
    /// What was looked at.
    pub checks: Vec<Check>,
    /// How the plugin's histories replay on it; none where a check refused it before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay: Option<ReplayReport>,
}

/// Does with a component all that is done with a release before it takes traffic, and keeps nothing. `release`
/// implements it.
#[async_trait]
pub trait Rehearsal: Send + Sync + 'static {
    /// Looks at `component` as if it were uploaded as `plugin`, which need not be there yet.
    ///
    /// # Errors
    /// A fault of the host. What is wrong with the component is a check that refuses it.
    async fn rehearse(
        &self,
        scope: &Scope,
        plugin: &PluginName,
        component: bytes::Bytes,
    ) -> Result<Rehearsed>;
}
