//! The first activation of a run on this host: which release runs it, and its code.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt as _;
use temporalio_protos::{
    coresdk::workflow_activation::{
        InitializeWorkflow, WorkflowActivation, workflow_activation_job::Variant,
    },
    temporal::api::{common::v1::WorkflowExecution, enums::v1::ContinueAsNewInitiator},
};
use tenterhook_domain::{Code, Error, Result, context::Context, payload_key::PayloadRing};
use tenterhook_sandbox::Owner;
use tenterhook_workflow::{Pin, ReleasePin, Run, RunIdentity, TASK_TIMEOUT, announced_pin};
use tokio::time::{Instant, timeout_at};

use super::{Shared, complete, failed, home::Claimed, task::activate};
use crate::{gateway, moves::Rebuilt, resolver::Terms};

/// Tenths of the time-out for which a task waits for code that is not there. A task that fails says why in the
/// history; one that times out says nothing.
const WAIT_TENTHS: u32 = 8;
/// Tenths of the time-out within which it is found out whether a run moves: the run itself is replayed after that.
const DECIDE_TENTHS: u32 = 3;

/// The job that initializes the workflow, where there is one.
pub(super) fn initialization(activation: &WorkflowActivation) -> Option<&InitializeWorkflow> {
    activation.jobs.iter().find_map(|job| match &job.variant {
        Some(Variant::InitializeWorkflow(init)) => Some(init),
        _ => None,
    })
}

/// Makes the run of a first activation, then activates it.
pub(super) async fn begin(
    shared: Arc<Shared>,
    activation: WorkflowActivation,
    init: InitializeWorkflow,
) {
    let made = AssertUnwindSafe(make_run(&shared, &activation, &init)).catch_unwind();
    let made = made.await.unwrap_or_else(|_panic| {
        Err(Error::new(
            Code::Internal,
            "the host failed while it looked for the code of this run: see its log",
        ))
    });
    match made {
        Ok((run, ring)) => activate(&shared, run, ring, activation),
        Err(error) => {
            tracing::warn!(
                code = %error.code(),
                workflow = init.workflow_id,
                run = activation.run_id,
                workflow_type = init.workflow_type,
                cause = error.source_text(),
                "{}",
                error.detail()
            );
            let failed = failed(&activation.run_id, error.code(), error.detail());
            complete(&shared, failed, false);
        }
    }
}

async fn make_run(
    shared: &Shared,
    activation: &WorkflowActivation,
    init: &InitializeWorkflow,
) -> Result<(Run, Arc<PayloadRing>)> {
    let (begun, task_time) = (Instant::now(), task_time(init));
    let until = begun + task_time * WAIT_TENTHS / 10;
    let decided_by = begun + task_time * DECIDE_TENTHS / 10;
    // What was polled for before memory became short waits too, as long as the task can.
    let _ = timeout_at(decided_by, shared.resolver.memory().roomy()).await;
    let began_at = began_at(shared, init).await?;
    let Claimed {
        context,
        naming,
        caller_id,
        ..
    } = shared.home.claim_run(
        shared.resolver.keys(),
        &init.headers,
        &init.workflow_id,
        &init.workflow_type,
        began_at,
    )?;
    let terms = shared
        .resolver
        .terms(&context.scope, &context.plugin)
        .await?;
    let ring = shared.resolver.codec().ring(&context.scope.tenant).await?;
    let (release, pin) = match announced_pin(activation) {
        Some(announced) => {
            let run = Rebuilt {
                scope: &context.scope,
                plugin: &context.plugin,
                terms: &terms,
                workflow_id: &init.workflow_id,
                run_id: &activation.run_id,
                decided_by,
                until,
            };
            shared.moves.settle(&run, announced).await?
        }
        None => fresh(shared, activation, &caller_id, &context, &terms)?,
    };
    let digest = release.digest;
    let component = shared
        .resolver
        .load_or_wait(&context.scope, &context.plugin, digest, until)
        .await?;
    let owner = Owner {
        scope: context.scope.clone(),
        plugin: context.plugin.clone(),
        digest,
    };
    let module = component
        .workflows(terms.limits.clone(), Arc::new(owner))
        .ok_or_else(|| {
            Error::new(
                Code::WorkflowTypeNotFound,
                format!(
                    "release {digest} of plugin {} has no workflows",
                    context.plugin
                ),
            )
        })?;
    let identity = RunIdentity {
        scope: context.scope,
        plugin: context.plugin,
        digest,
        moves: release.moves,
        namespace: shared.namespace.clone(),
        task_queue: shared.task_queue.clone(),
        temporal_id: init.workflow_id.clone(),
        run_id: activation.run_id.clone(),
        pin,
        weight: terms.weight,
        naming,
    };
    let (limits, keys) = (terms.limits.clone(), shared.resolver.keys().clone());
    let mut run = Run::new(identity, limits, keys, module);
    terms.apply_to(&mut run);
    run.set_task_timeout(task_time);
    // A replay is a repetition itself.
    if !activation.is_replaying {
        shared.rooms.double_runs.begin(&mut run);
    }
    Ok((run, ring))
}

/// When the chain of runs began that keeps this header. Runs that the server begins by itself carry the first one's,
/// however much later; a run that continues as new was signed for anew. Nothing where that one is forgotten.
async fn began_at(shared: &Shared, init: &InitializeWorkflow) -> Result<Option<u64>> {
    let by_server = matches!(
        init.continued_initiator(),
        ContinueAsNewInitiator::Retry | ContinueAsNewInitiator::CronSchedule
    );
    if !by_server {
        return Ok(init.start_time.map(gateway::millis));
    }
    let first = WorkflowExecution {
        workflow_id: init.workflow_id.clone(),
        run_id: init.first_execution_run_id.clone(),
    };
    match gateway::ask(&shared.temporal, first, &init.workflow_id).await {
        Ok(described) => {
            let info = described.workflow_execution_info;
            Ok(info.and_then(|info| info.start_time).map(gateway::millis))
        }
        Err(error) if error.code() == Code::WorkflowNotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The release of a run whose history has no pin.
fn fresh(
    shared: &Shared,
    activation: &WorkflowActivation,
    caller_id: &str,
    context: &Context,
    terms: &Terms,
) -> Result<(ReleasePin, Pin)> {
    // What began without this host takes no part in a ramp: where it is, no history says.
    let line = &terms.line;
    let chosen = || match activation.is_replaying {
        true => line.current,
        // As the API chooses, wherever the execution is.
        false => line.choose(&context.scope.temporal_id(caller_id).ok()?),
    };
    let digest = context.digest.or_else(chosen).ok_or_else(|| {
        Error::new(
            Code::ReleaseNotFound,
            format!(
                "plugin {} of {} has no current release: push one",
                context.plugin, context.scope
            ),
        )
    })?;
    let release = ReleasePin::first(digest);
    if !activation.is_replaying {
        return Ok((release, Pin::Unwritten));
    }
    // It began without this host: a pin now would diverge, and without one it cannot move.
    if let Some(to) = terms.line.moves_to(&digest) {
        shared.moves.stay(&activation.run_id, to, true);
    }
    Ok((release, Pin::Written))
}

/// How long the task may take, as its workflow was started.
fn task_time(init: &InitializeWorkflow) -> Duration {
    let timeout = init.workflow_task_timeout;
    timeout
        .and_then(|timeout| timeout.try_into().ok())
        .filter(|timeout: &Duration| !timeout.is_zero())
        .unwrap_or(TASK_TIMEOUT)
}
