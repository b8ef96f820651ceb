//! Counts the memory and tables of one instance, and refuses what is above its limits.

use std::sync::Arc;

use tenterhook_domain::{Code, limit::Limits};
use wasmtime::ResourceLimiter;

use crate::{engine, fault::Refusal, memory::MemoryHold};

/// What one instance holds.
pub(crate) struct Meter {
    limits: Arc<Limits>,
    /// This one's part of what all instances hold.
    held: MemoryHold,
    memory: u64,
    elements: u64,
}

impl Meter {
    /// Within `limits`; its memory counts in `held`.
    pub(crate) fn new(limits: Arc<Limits>, held: MemoryHold) -> Self {
        Self {
            limits,
            held,
            memory: 0,
            elements: 0,
        }
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Bytes of linear memory, all memories together.
    pub(crate) fn memory_bytes(&self) -> u64 {
        self.memory
    }
}

/// The refusal of memory that the plugin may have, and the host has not.
pub(crate) fn no_memory() -> Refusal {
    Refusal::new(
        Code::HostMemoryTaken,
        "the host has no memory left to give to the plugin: the task is tried again later; an operator of the host may give \
         instances more of it (--instance-memory)",
    )
}

impl ResourceLimiter for Meter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        // The component's own maximum is part of its code: failing here is deterministic, so the guest may see it.
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let wanted = self
            .memory
            .saturating_add(desired.saturating_sub(current) as u64);
        let limit = self.limits.memory_bytes;
        // A trap rather than a failed `memory.grow`: the latter could be observed, and a replay under another
        // limit would take another way.
        if wanted > limit {
            return Err(Refusal::new(
                Code::GuestMemoryExceeded,
                format!(
                    "the plugin asked for {wanted} bytes of memory, its limit memory_bytes is {limit}: use less, or \
                     have an operator raise memory_bytes in the plugin's grants"
                ),
            )
            .into());
        }
        if !self.held.grow_to(wanted) {
            return Err(no_memory().into());
        }
        self.memory = wanted;
        Ok(true)
    }

    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        tracing::warn!(%error, "the host has no memory for a guest");
        Err(no_memory().into())
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let wanted = self
            .elements
            .saturating_add(desired.saturating_sub(current) as u64);
        let limit = self.limits.table_elements;
        if wanted > limit {
            return Err(Refusal::new(
                Code::GuestMemoryExceeded,
                format!(
                    "the plugin asked for {wanted} table elements, its limit table_elements is {limit}: have an \
                     operator raise table_elements in the plugin's grants"
                ),
            )
            .into());
        }
        self.elements = wanted;
        Ok(true)
    }

    fn table_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        self.memory_grow_failed(error)
    }

    fn instances(&self) -> usize {
        engine::CORE_INSTANCES_MAX as usize
    }

    fn tables(&self) -> usize {
        engine::TABLES_MAX as usize
    }

    fn memories(&self) -> usize {
        engine::MEMORIES_MAX as usize
    }
}
