//! How much work a lane takes on at once: Core polls for more only while it is given slots.
//!
//! While memory is short none are given for new work, and what waits at Temporal waits there, where it costs nothing here.
//! Tasks of runs that this host keeps come by a queue of its own, and are always taken: it is they that end runs.

use std::sync::Arc;

use async_trait::async_trait;
use temporalio_sdk_core::{
    FixedSizeSlotSupplier, SlotKind, SlotMarkUsedContext, SlotReleaseContext,
    SlotReservationContext, SlotSupplier, SlotSupplierPermit, TunerBuilder, TunerHolder,
};
use tenterhook_sandbox::MemoryBudget;

use crate::activity::TASKS_PER_PLACE;

/// The slots of one kind of work.
struct Intake<K> {
    slots: FixedSizeSlotSupplier<K>,
    memory: Arc<MemoryBudget>,
}

/// So many workflow tasks and `activity_tasks` attempts at once, while `memory` lasts.
pub(crate) fn tuner(
    workflow_tasks: usize,
    activity_tasks: usize,
    memory: &Arc<MemoryBudget>,
) -> TunerHolder {
    let attempts = TASKS_PER_PLACE * activity_tasks;
    TunerBuilder::default()
        .workflow_slot_supplier(Arc::new(Intake::new(workflow_tasks, memory)))
        .activity_slot_supplier(Arc::new(Intake::new(attempts, memory)))
        // Of runs that are kept, like their tasks.
        .local_activity_slot_supplier(Arc::new(FixedSizeSlotSupplier::new(activity_tasks)))
        .build()
}

impl<K> Intake<K> {
    fn new(slots: usize, memory: &Arc<MemoryBudget>) -> Self {
        Self {
            slots: FixedSizeSlotSupplier::new(slots),
            memory: memory.clone(),
        }
    }

    fn is_held(&self, context: &dyn SlotReservationContext) -> bool {
        !context.is_sticky() && self.memory.is_short()
    }
}

#[async_trait]
impl<K: SlotKind + Send + Sync> SlotSupplier for Intake<K> {
    type SlotKind = K;

    async fn reserve_slot(&self, context: &dyn SlotReservationContext) -> SlotSupplierPermit {
        loop {
            if self.is_held(context) {
                self.memory.roomy().await;
            }
            let slot = self.slots.reserve_slot(context).await;
            // Memory may have become short while there was no slot. Dropping one gives it back.
            if !self.is_held(context) {
                return slot;
            }
        }
    }

    fn try_reserve_slot(&self, context: &dyn SlotReservationContext) -> Option<SlotSupplierPermit> {
        match self.is_held(context) {
            true => None,
            false => self.slots.try_reserve_slot(context),
        }
    }

    fn mark_slot_used(&self, _: &dyn SlotMarkUsedContext<SlotKind = K>) {}

    fn release_slot(&self, _: &dyn SlotReleaseContext<SlotKind = K>) {}

    fn available_slots(&self) -> Option<usize> {
        self.slots.available_slots()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
#[path = "intake/tests.rs"]
mod tests;
