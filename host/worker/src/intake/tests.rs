//! Slots while memory lasts, and while it does not.

use futures_util::FutureExt as _;
use temporalio_common::worker::WorkerDeploymentVersion;
use temporalio_sdk_core::WorkflowSlotKind;

use super::*;

/// A poller of this lane's queue, or of this host's own.
struct Poller {
    is_sticky: bool,
}

impl SlotReservationContext for Poller {
    fn task_queue(&self) -> &str {
        "pooled"
    }

    fn worker_identity(&self) -> &str {
        "host"
    }

    fn worker_deployment_version(&self) -> &Option<WorkerDeploymentVersion> {
        &None
    }

    fn num_issued_slots(&self) -> usize {
        0
    }

    fn is_sticky(&self) -> bool {
        self.is_sticky
    }
}

const NEW: Poller = Poller { is_sticky: false };
const KEPT: Poller = Poller { is_sticky: true };

#[tokio::test]
async fn new_work_waits_for_memory_and_runs_that_are_kept_do_not() {
    let memory = MemoryBudget::new(800);
    let intake = Intake::<WorkflowSlotKind>::new(2, &memory);
    drop(intake.reserve_slot(&NEW).now_or_never().unwrap());

    let short = memory.hold(701).unwrap();
    assert!(intake.try_reserve_slot(&NEW).is_none());
    let mut waiting = Box::pin(intake.reserve_slot(&NEW));
    assert!(waiting.as_mut().now_or_never().is_none());
    let kept = intake.reserve_slot(&KEPT).now_or_never();
    assert!(kept.is_some(), "a kept run is served");
    drop(short);
    assert!(waiting.now_or_never().is_some(), "there is room again");
}

#[tokio::test]
async fn memory_that_becomes_short_while_there_is_no_slot_holds_too() {
    let memory = MemoryBudget::new(800);
    let intake = Intake::<WorkflowSlotKind>::new(1, &memory);
    let only = intake.reserve_slot(&NEW).await;
    let mut waiting = Box::pin(intake.reserve_slot(&NEW));
    assert!(waiting.as_mut().now_or_never().is_none());
    let short = memory.hold(701).unwrap();
    drop(only);
    assert!(waiting.as_mut().now_or_never().is_none());
    // What it had for a moment is there for others.
    drop(intake.reserve_slot(&KEPT).now_or_never().unwrap());
    drop(short);
    assert!(waiting.now_or_never().is_some());
}
