//! Where instances get their memory from: slots of address space that are reserved once and used again.
//!
//! A mapping made and unmade for each instance interrupts every core of the machine, which cost a busy host more
//! than the guests' own code did. A slot is cleaned instead, and only where the guest wrote.

use tenterhook_domain::limit::{self, Limits};
use wasmtime::{Enabled, InstanceAllocationStrategy, PoolingAllocationConfig};

pub(crate) const CORE_INSTANCES_MAX: u32 = limit::CORE_INSTANCES as u32;
pub(crate) const MEMORIES_MAX: u32 = limit::MEMORIES as u32;
pub(crate) const TABLES_MAX: u32 = limit::TABLES as u32;

/// Most bytes of the host's own state of one instance, core or component: a few for each function and type.
const INSTANCE_STATE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// How much of a slot that is free again stays in memory: what guests commonly write, and clearing it is then
/// cheaper than giving it back.
const MEMORY_KEPT_BYTES: usize = 96 * 1024;
const TABLE_KEPT_BYTES: usize = 16 * 1024;
const STACK_KEPT_BYTES: usize = 16 * 1024;
/// Free slots that keep a component's memory image, so that the next instance of it starts at once.
const WARM_SLOTS_MAX: u32 = 64;

/// Slots for `instances`. As many of each part as all of them can have together: no component can use up what
/// others need.
pub(super) fn of(instances: u32) -> InstanceAllocationStrategy {
    let highest = Limits::highest();
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .max_core_instances_per_component(CORE_INSTANCES_MAX)
        .total_core_instances(instances.saturating_mul(CORE_INSTANCES_MAX))
        .max_memories_per_component(MEMORIES_MAX)
        .total_memories(instances.saturating_mul(MEMORIES_MAX))
        .max_tables_per_component(TABLES_MAX)
        .total_tables(instances.saturating_mul(TABLES_MAX))
        .total_stacks(instances)
        .max_component_instance_size(INSTANCE_STATE_BYTES_MAX)
        .max_core_instance_size(INSTANCE_STATE_BYTES_MAX)
        .max_memory_size(size(highest.memory_bytes))
        .table_elements(size(highest.table_elements))
        .linear_memory_keep_resident(MEMORY_KEPT_BYTES)
        .table_keep_resident(TABLE_KEPT_BYTES)
        .async_stack_keep_resident(STACK_KEPT_BYTES)
        .max_unused_warm_slots(WARM_SLOTS_MAX)
        .pagemap_scan(Enabled::Auto);
    InstanceAllocationStrategy::Pooling(pool)
}

fn size(limit: u64) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}
