//! Task failures that are the plugin's own, written down while one of its releases ramps.

use std::sync::Arc;

use temporalio_protos::coresdk::{
    workflow_activation::{WorkflowActivation, workflow_activation_job::Variant},
    workflow_completion::WorkflowActivationCompletion,
};
use tenterhook_domain::clock::{Clock as _, SystemClock};
use tenterhook_store::ReleaseKey;
use tenterhook_workflow::{RunIdentity, coded_failure};

use super::{Shared, initialization};
use crate::resolver::Resolver;

/// What a task is to its run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Task {
    /// The very first: the run is not pinned yet.
    First,
    /// A later one.
    Later,
    /// It only asks; nothing of it is in the history.
    Query,
}

impl Task {
    pub(super) fn of(activation: &WorkflowActivation) -> Self {
        let asks = |variant: &Option<Variant>| matches!(variant, Some(Variant::QueryWorkflow(_)));
        if activation.jobs.iter().all(|job| asks(&job.variant)) {
            return Self::Query;
        }
        match initialization(activation) {
            Some(_) if !activation.is_replaying => Self::First,
            _ => Self::Later,
        }
    }

    /// Whether the run's history names its release; nothing of a task whose failure does not count.
    pub(super) fn pinned(self) -> Option<bool> {
        match self {
            Self::First => Some(false),
            Self::Later => Some(true),
            Self::Query => None,
        }
    }
}

/// Counts the limit that the run's task failed over, if it did.
pub(super) fn count(
    resolver: &Resolver,
    run: &RunIdentity,
    completion: &WorkflowActivationCompletion,
) {
    if let Some((code, words)) = coded_failure(completion) {
        let tally = resolver.tally();
        tally.failed(&run.scope.tenant, &run.plugin, code, words);
    }
}

/// Writes down that a task of the run failed, if its release takes part in a ramp. Without one nobody asks.
pub(super) fn note(shared: &Arc<Shared>, run: &RunIdentity, pinned: bool) {
    let (resolver, run) = (shared.resolver.clone(), run.clone());
    let note = async move {
        let Ok(terms) = resolver.terms(&run.scope, &run.plugin).await else {
            return;
        };
        let Some(rollout) = &terms.line.rollout else {
            return;
        };
        let compared = [Some(rollout.plan.digest), terms.line.current];
        if rollout.halted.is_some() || !compared.contains(&Some(run.digest)) {
            return;
        }
        let release = ReleaseKey {
            scope: run.scope,
            plugin: run.plugin,
            digest: run.digest,
        };
        let failures = &resolver.store().task_failures;
        let now = SystemClock.now_millis();
        if let Err(error) = failures.record(&release, &run.run_id, pinned, now).await {
            tracing::warn!(%error, "a failed task was not written down: the guard of the ramp misses it");
        }
    };
    shared.tasks.spawn_on(note, &shared.runtime);
}
