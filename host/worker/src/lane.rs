//! A lane: one namespace and task queue, polled by one Core worker.
//!
//! Core hands out activations; the run they belong to is taken from [`Runs`] or made, activated on an
//! [`Executor`] thread, put back, and the completion is sent from a task of its own, so that runs never wait
//! for one another.

mod begin;
mod blame;
mod config;
mod divergence;
mod home;
mod leaving;
mod reach;
mod task;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use temporalio_protos::{
    coresdk::{
        workflow_activation::{
            WorkflowActivation, remove_from_cache::EvictionReason,
            workflow_activation_job::Variant as Job,
        },
        workflow_completion::{
            Success, WorkflowActivationCompletion, workflow_activation_completion::Status,
        },
    },
    temporal::api::enums::v1::WorkflowTaskFailedCause,
};
use temporalio_sdk_core::{
    CompleteWfError, CoreRuntime, PollError, RuntimeOptions, Worker as CoreWorker, init_worker,
};
use tenterhook_domain::{Code, Error, Result};
use tenterhook_workflow::{Run, fail_task};
use tokio::runtime::Handle;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use crate::{
    activity::Activities, connection::Temporal, executor::Executor, lanes::Rooms, moves::Moves,
    resolver::Resolver, runs::Runs,
};

use self::begin::{begin, initialization};
pub use self::config::LaneConfig;
pub(crate) use self::home::Home;
use self::{leaving::Standing, task::activate};

/// Pause after a poll that failed for good, before the next.
const POLL_PAUSE: Duration = Duration::from_millis(500);

/// A running lane.
pub(crate) struct Lane {
    core: Arc<CoreWorker>,
    shared: Arc<Shared>,
    pollers: TaskTracker,
    _follower: AbortOnDropHandle<()>,
    drain: Duration,
}

struct Shared {
    core: Arc<CoreWorker>,
    home: Arc<Home>,
    runs: Arc<Runs>,
    rooms: Arc<Rooms>,
    executor: Arc<Executor>,
    resolver: Arc<Resolver>,
    moves: Moves,
    tasks: TaskTracker,
    runtime: Handle,
    temporal: Temporal,
    namespace: String,
    task_queue: String,
    stopping: AtomicBool,
}

impl Lane {
    /// Starts polling. Must be called within a Tokio runtime.
    ///
    /// # Errors
    /// `host-config-invalid` for settings Core refuses, `temporal-unavailable` when the namespace cannot be used.
    pub(crate) async fn start(
        temporal: &Temporal,
        config: &LaneConfig,
        resolver: Arc<Resolver>,
        rooms: Arc<Rooms>,
        home: Arc<Home>,
    ) -> Result<Self> {
        let runtime_options = RuntimeOptions::builder().heartbeat_interval(None).build();
        let core_runtime = runtime_options
            .map_err(|error| Error::new(Code::Internal, error))
            .and_then(|options| CoreRuntime::new_assume_tokio(options).map_err(internal))?;
        let settings = config::core(temporal, config, resolver.memory()).map_err(|error| {
            Error::new(
                Code::HostConfigInvalid,
                format!("the lane cannot be set up so: {error}"),
            )
        })?;
        let core = Arc::new(
            init_worker(&core_runtime, settings, temporal.connection()).map_err(internal)?,
        );
        core.validate().await.map_err(|error| {
            Error::new(
                Code::TemporalUnavailable,
                format!(
                    "namespace {:?} cannot be used: {error}",
                    temporal.namespace()
                ),
            )
        })?;
        let shared = Arc::new(Shared {
            core: core.clone(),
            home: home.clone(),
            runs: rooms.runs.clone(),
            executor: rooms.workflows.clone(),
            rooms: rooms.clone(),
            resolver: resolver.clone(),
            moves: Moves::new(temporal.clone(), resolver.clone())?,
            tasks: TaskTracker::new(),
            runtime: Handle::current(),
            temporal: temporal.clone(),
            namespace: temporal.namespace().to_owned(),
            task_queue: config.task_queue.clone(),
            stopping: AtomicBool::new(false),
        });
        rooms.enter(&core);
        let pollers = TaskTracker::new();
        // Heard from before the first run on.
        let changes = resolver.store().changes.subscribe();
        let follower = tokio::spawn(leaving::follow(shared.clone(), changes));
        pollers.spawn(poll_workflows(shared.clone()));
        let activities = Activities::new(
            core.clone(),
            resolver,
            home,
            shared.tasks.clone(),
            &rooms,
            config.drain,
        );
        pollers.spawn(poll_activities(shared.clone(), activities));
        pollers.close();
        Ok(Self {
            core,
            shared,
            pollers,
            _follower: AbortOnDropHandle::new(follower),
            drain: config.drain,
        })
    }

    /// How many runs are kept in memory now, and the linear memory they hold in bytes.
    pub(crate) fn cached(&self) -> (usize, u64) {
        self.shared.runs.size()
    }

    /// True if it takes no more work.
    pub(crate) fn is_over(&self) -> bool {
        self.pollers.is_empty()
    }

    /// Whose it is.
    pub(crate) fn home(&self) -> &Home {
        &self.shared.home
    }

    /// Resolves when the lane takes no more work although nobody stopped it: a fault of the host.
    pub(crate) async fn ended(&self) {
        self.pollers.wait().await;
    }

    /// Takes no new work, lets what is under way end, and lets go of Temporal. Ends within `drain`, which is at
    /// most the lane's own drain time.
    pub(crate) async fn stop(self, drain: Duration) {
        let drain = drain.min(self.drain);
        self.shared.stopping.store(true, Ordering::Relaxed);
        self.core.initiate_shutdown();
        let finished = tokio::time::timeout(drain, async {
            self.pollers.wait().await;
            self.shared.tasks.close();
            self.shared.tasks.wait().await;
            self.core.shutdown().await;
        });
        if finished.await.is_err() {
            tracing::warn!(
                drain_seconds = drain.as_secs(),
                tasks = self.shared.tasks.len(),
                "the drain time is over: what still runs is given up, and Temporal tries it again"
            );
        }
        let of = &self.shared;
        of.runs.drop_of(&of.namespace, &of.task_queue);
    }
}

fn internal(error: impl std::fmt::Display) -> Error {
    Error::new(
        Code::Internal,
        format!("Temporal's Core does not start: {error}"),
    )
}

async fn poll_workflows(shared: Arc<Shared>) {
    loop {
        match shared.core.poll_workflow_activation().await {
            Ok(activation) => dispatch(&shared, activation),
            Err(PollError::ShutDown) => return,
            Err(PollError::TonicError(status)) => {
                tracing::error!(code = %Code::TemporalUnavailable, %status, "polling for workflow tasks failed");
                tokio::time::sleep(POLL_PAUSE).await;
            }
        }
    }
}

async fn poll_activities(shared: Arc<Shared>, activities: Activities) {
    loop {
        match shared.core.poll_activity_task().await {
            Ok(task) => activities.handle(task),
            Err(PollError::ShutDown) => return,
            Err(PollError::TonicError(status)) => {
                tracing::error!(code = %Code::TemporalUnavailable, %status, "polling for activity tasks failed");
                tokio::time::sleep(POLL_PAUSE).await;
            }
        }
    }
}

/// Brings an activation to its run.
fn dispatch(shared: &Arc<Shared>, activation: WorkflowActivation) {
    if activation.is_only_eviction() {
        let run = shared.runs.take(&activation.run_id);
        if let Some(run) = &run
            && activation.eviction_reason() == Some(EvictionReason::Nondeterminism)
        {
            blame::note(shared, run.identity(), true);
            divergence::tell(shared, run.identity(), last_words(&activation));
            // Were it a replay on the way to a move: the next attempt goes on without it.
            shared
                .moves
                .stay(&activation.run_id, run.identity().digest, true);
        }
        let_go(shared, run, activation.run_id);
    } else if let Some(init) = initialization(&activation) {
        let init = init.clone();
        let task = begin(shared.clone(), activation, init);
        shared.tasks.spawn(task);
    } else if let Some(run) = shared.runs.take(&activation.run_id) {
        go_on(shared, run, activation);
    } else {
        // Core only sends this for a run it believes we hold: failing the task makes it start over.
        let message = "this host does not hold the run: its history is replayed";
        let failed = failed(&activation.run_id, Code::Internal, message);
        complete(shared, failed, false);
    }
}

/// Why Core lets go of a run.
fn last_words(activation: &WorkflowActivation) -> String {
    let mut jobs = activation.jobs.iter();
    let removal = jobs.find_map(|job| match &job.variant {
        Some(Job::RemoveFromCache(removal)) => Some(removal.message.clone()),
        _ => None,
    });
    removal.unwrap_or_default()
}

/// Drops a run, where there is one, and says so.
fn let_go(shared: &Arc<Shared>, run: Option<Run>, run_id: String) {
    let Some(mut run) = run else {
        return complete(shared, nothing(run_id), false);
    };
    shared.rooms.double_runs.collect_rest(&mut run);
    // Unmapping an instance takes long enough to keep it off the poll loop; and it must not wait behind what its tenant
    // has queued, for others wait for its memory and its place in Core's cache.
    let of_shared = shared.clone();
    let drops = move || {
        // Whatever happens, the activation is answered: Core would wait for ever.
        if catch_unwind(AssertUnwindSafe(|| drop(run))).is_err() {
            tracing::error!(code = %Code::Internal, "letting go of a run panicked");
        }
        complete(&of_shared, nothing(run_id), false);
    };
    shared.tasks.spawn_blocking_on(drops, &shared.runtime);
}

/// Activates a run that this host holds, by the plugin's policy as it is now.
fn go_on(shared: &Arc<Shared>, mut run: Run, activation: WorkflowActivation) {
    let key = (run.identity().scope.clone(), run.identity().plugin.clone());
    if let Some(terms) = shared.resolver.recall(&key)
        && let Some(ring) = shared.resolver.codec().recall(&key.0.tenant)
    {
        terms.apply_to(&mut run);
        return activate(shared, run, ring, activation);
    }
    let of_shared = shared.clone();
    shared.tasks.spawn(async move {
        // What cannot be read now was read before, when the run was made.
        if let Ok(terms) = of_shared.resolver.terms(&key.0, &key.1).await {
            terms.apply_to(&mut run);
        }
        match of_shared.resolver.codec().ring(&key.0.tenant).await {
            Ok(ring) => activate(&of_shared, run, ring, activation),
            Err(error) => {
                // Core evicts a run whose task failed, so it is built anew.
                of_shared.runtime.spawn_blocking(move || drop(run));
                complete(&of_shared, refused(&activation.run_id, &error), false);
            }
        }
    });
}

/// Sends a completion; a run that `leaves` is let go of after that.
fn complete(shared: &Arc<Shared>, completion: WorkflowActivationCompletion, leaves: bool) {
    let task = {
        let shared = shared.clone();
        async move {
            let leaving = leaves.then(|| completion.run_id.clone());
            let sent = shared.core.complete_workflow_activation(completion).await;
            if let Err(CompleteWfError::MalformedWorkflowCompletion { reason, run_id }) = sent {
                // What Core cannot read came from the guest. Answering at all keeps the run from being stuck.
                if let Some(run) = shared.runs.take(&run_id) {
                    // Were it the first commands after a move: the next attempt goes on without it.
                    shared.moves.stay(&run_id, run.identity().digest, true);
                }
                let message = format!("Temporal's Core refuses the workflow's commands: {reason}");
                let refused = failed(&run_id, Code::CommandRefused, &message);
                if let Err(error) = shared.core.complete_workflow_activation(refused).await {
                    tracing::error!(code = %Code::Internal, %error, run = run_id, "a task's failure was not taken");
                }
            } else if let Some(run_id) = leaving {
                shared.core.request_workflow_eviction(&run_id);
                tracing::info!(
                    run = run_id,
                    "a run is let go of: its next task may move it"
                );
            }
        }
    };
    shared.tasks.spawn_on(task, &shared.runtime);
}

fn nothing(run_id: String) -> WorkflowActivationCompletion {
    WorkflowActivationCompletion {
        run_id,
        status: Some(Status::Successful(Success::default())),
        ..Default::default()
    }
}

/// The completion of a task that cannot be carried between Temporal and the run, with a word in the log.
fn refused(run_id: &str, error: &Error) -> WorkflowActivationCompletion {
    tracing::warn!(
        code = %error.code(), run = run_id, cause = error.source_text(), "a task failed: {}", error.detail()
    );
    failed(run_id, error.code(), error.detail())
}

fn failed(run_id: &str, code: Code, message: &str) -> WorkflowActivationCompletion {
    fail_task(
        run_id,
        code,
        message,
        WorkflowTaskFailedCause::WorkflowWorkerUnhandledFailure,
    )
}
