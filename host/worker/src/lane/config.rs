//! How a lane is worked, and what Core is told of it.

use std::{sync::Arc, time::Duration};

use temporalio_common::worker::WorkerTaskTypes;
use temporalio_sdk_core::{PollerBehavior, WorkerConfig, WorkerVersioningStrategy};
use tenterhook_domain::limit::LimitOverrides;
use tenterhook_sandbox::MemoryBudget;

use crate::{connection::Temporal, intake};

/// Concurrent polls for workflow tasks: Core splits them between its sticky queue and the lane's.
const WORKFLOW_POLLERS: usize = 10;
const ACTIVITY_POLLERS: usize = 5;
/// This part of the runs that Core keeps is not the host's to fill.
const RUNS_OF_CORE: usize = 10;

/// How a lane is worked.
#[derive(Debug, Clone)]
pub struct LaneConfig {
    /// The task queue.
    pub task_queue: String,
    /// Runs kept in memory between activations.
    pub cached_runs: usize,
    /// Threads that run workflow code, and as many more that run activities.
    pub threads: usize,
    /// Workflow tasks under way at once.
    pub workflow_tasks: usize,
    /// Activity attempts under way at once.
    pub activity_tasks: usize,
    /// How long a task may lie on this host's own queue before any host may take it. It is what an execution
    /// waits after its host died.
    pub sticky_timeout: Duration,
    /// What any plugin gets at most on this host.
    pub ceilings: LimitOverrides,
    /// Runs that are repeated on a fresh instance, in a hundred: 0 to 100.
    pub double_run_percentage: u8,
    /// How long stopping may take: running attempts get so long to end.
    pub drain: Duration,
}

impl LaneConfig {
    /// How many runs are kept: somewhat less than Core keeps, so that who has most lets go, and not who was idle longest.
    pub(crate) fn runs_max(&self) -> usize {
        self.cached_runs - self.cached_runs / RUNS_OF_CORE
    }
}

/// Core's own settings; it takes on new work while `memory` lasts.
///
/// # Errors
/// Core's words for what it refuses.
pub(super) fn core(
    temporal: &Temporal,
    config: &LaneConfig,
    memory: &Arc<MemoryBudget>,
) -> Result<WorkerConfig, String> {
    let tuner = intake::tuner(config.workflow_tasks, config.activity_tasks, memory);
    WorkerConfig::builder()
        .namespace(temporal.namespace())
        .task_queue(config.task_queue.clone())
        .client_identity_override(temporal.identity().to_owned())
        .versioning_strategy(WorkerVersioningStrategy::None {
            build_id: concat!("tenterhook-", env!("CARGO_PKG_VERSION")).to_owned(),
        })
        .task_types(WorkerTaskTypes {
            enable_workflows: true,
            enable_local_activities: true,
            enable_remote_activities: true,
            enable_nexus: false,
        })
        .max_cached_workflows(config.cached_runs)
        .tuner(Arc::new(tuner))
        .workflow_task_poller_behavior(PollerBehavior::SimpleMaximum(WORKFLOW_POLLERS))
        .activity_task_poller_behavior(PollerBehavior::SimpleMaximum(ACTIVITY_POLLERS))
        .sticky_queue_schedule_to_start_timeout(config.sticky_timeout)
        // Attempts hear of the stop while there is still time to end well.
        .graceful_shutdown_period(config.drain / 2)
        .ignore_evicts_on_shutdown(true)
        .build()
}
