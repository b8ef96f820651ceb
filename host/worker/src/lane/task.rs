//! A task, from the activation that Core hands out to the completion that is sent for it.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

use temporalio_protos::coresdk::{
    workflow_activation::WorkflowActivation, workflow_completion::WorkflowActivationCompletion,
};
use tenterhook_domain::{Code, Error, payload_key::PayloadRing};
use tenterhook_workflow::{ReleasePin, Run, announced_pin, blames_plugin};

use super::{Shared, Standing, blame, complete, failed, reach, refused};
use crate::codec;

/// A task that waited this part of its time for a thread is handed back: half. What is computed after that time is computed for
/// nothing, and what waits behind it comes too late as well.
const QUEUED_PART: u32 = 2;

/// What is known of a task before its run is taken through it.
pub(super) struct Task {
    run_id: String,
    kind: blame::Task,
    /// In the midst of a replay nothing is over.
    lives: bool,
    announced: Option<ReleasePin>,
    /// The keys of the tenant's payloads.
    ring: Arc<PayloadRing>,
}

/// Activates `run` on a workflow thread, keeps it, and sends its completion.
pub(super) fn activate(
    shared: &Arc<Shared>,
    mut run: Run,
    ring: Arc<PayloadRing>,
    mut activation: WorkflowActivation,
) {
    let shared = shared.clone();
    let kind = blame::Task::of(&activation);
    let task = Task {
        run_id: activation.run_id.clone(),
        kind,
        lives: !activation.is_replaying || kind == blame::Task::Query,
        announced: announced_pin(&activation),
        ring,
    };
    let (queued, queued_max) = (Instant::now(), run.task_timeout() / QUEUED_PART);
    shared
        .clone()
        .executor
        .submit(&run.identity().into(), move || {
            if queued.elapsed() > queued_max {
                return hand_back(&shared, run, &task);
            }
            if let Err(error) = codec::open_activation(&task.ring, &mut activation) {
                return complete(&shared, refused(&task.run_id, &error), false);
            }
            let activated = catch_unwind(AssertUnwindSafe(|| {
                let completion = run.activate(activation);
                (run, completion)
            }));
            match activated {
                Ok((run, completion)) if task.lives => {
                    reach::ask(&shared, run, completion, task);
                }
                Ok((run, completion)) => settle(&shared, run, completion, &task),
                Err(_panic) => {
                    let message = "the host failed while it ran this task: see its log";
                    complete(
                        &shared,
                        failed(&task.run_id, Code::Internal, message),
                        false,
                    );
                }
            }
        });
}

/// Gives a task back that nothing was done for. Temporal gives it out again: at once the first time, and after its time-out
/// when it fails again, so that who has too much queued does not keep the host busy with handing back.
fn hand_back(shared: &Arc<Shared>, run: Run, task: &Task) {
    let message =
        "the host has more tasks queued than it can run in time: this one is tried again later";
    let error = Error::new(Code::HostBusy, message);
    shared.runtime.spawn_blocking(move || drop(run));
    complete(shared, refused(&task.run_id, &error), false);
}

/// Keeps a run that was taken through `task`, and sends its completion.
pub(super) fn settle(
    shared: &Arc<Shared>,
    mut run: Run,
    mut completion: WorkflowActivationCompletion,
    task: &Task,
) {
    shared.rooms.double_runs.collect(&mut run);
    let standing = Standing::of(&run);
    standing.note_failure(shared, &task.run_id, task.announced);
    blame::count(&shared.resolver, run.identity(), &completion);
    if let Some(pinned) = task.kind.pinned()
        && blames_plugin(&completion)
    {
        blame::note(shared, run.identity(), pinned);
    }
    if let Err(error) = codec::seal_completion(&task.ring, &mut completion) {
        shared.runtime.spawn_blocking(move || drop(run));
        return complete(shared, refused(&task.run_id, &error), false);
    }
    keep(shared, &task.run_id, run);
    let leaves = task.lives && standing.leaves(shared, &task.run_id);
    complete(shared, completion, leaves);
}

/// Keeps a live run for its next activation. A dead one is gone: Core evicts it, and replays.
fn keep(shared: &Shared, run_id: &str, run: Run) {
    if run.is_dead() || shared.stopping.load(Ordering::Relaxed) && shared.tasks.is_closed() {
        return;
    }
    for leaving in shared.runs.put(run_id, run) {
        shared.rooms.evict(&leaving);
    }
}
