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
        .max_memories_per_module(MEMORIES_MAX)
        .total_memories(instances.saturating_mul(MEMORIES_MAX))
        .max_tables_per_component(TABLES_MAX)
        .max_tables_per_module(TABLES_MAX)
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

/// What an instance may have most of, whatever is granted.
struct Bound {
    /// How wasmtime says that a component has more: it has no other way to tell one reason from another.
    says: &'static [&'static str],
    what: &'static str,
    limit: &'static str,
    most: u64,
    instead: &'static str,
}

const FEWER: &str = "the same for all plugins; build it of fewer parts";
const LATER: &str =
    "the highest that can be granted; begin with less, and let it grow where it must";

const BOUNDS: [Bound; 5] = [
    Bound {
        says: &["core module instances, which exceeds"],
        what: "core instances",
        limit: "core_instances",
        most: limit::CORE_INSTANCES,
        instead: FEWER,
    },
    Bound {
        says: &["linear memories, which exceeds", "defined memories count"],
        what: "memories",
        limit: "memories",
        most: limit::MEMORIES,
        instead: FEWER,
    },
    Bound {
        says: &["tables, which exceeds", "defined tables count"],
        what: "tables",
        limit: "tables",
        most: limit::TABLES,
        instead: FEWER,
    },
    Bound {
        says: &["memory has a minimum byte size"],
        what: "bytes of memory from its start on",
        limit: "memory_bytes",
        most: Limits::highest().memory_bytes,
        instead: LATER,
    },
    Bound {
        says: &["has a minimum element size"],
        what: "table elements from its start on",
        limit: "table_elements",
        most: Limits::highest().table_elements,
        instead: LATER,
    },
];

/// What a component has too much of, where `error` is why wasmtime has no slots for instances of it; nothing where that
/// is for another reason, which is not the component's.
pub(crate) fn excess(error: &str) -> Option<String> {
    let is_said = |bound: &&Bound| bound.says.iter().any(|words| error.contains(words));
    if let Some(bound) = BOUNDS.iter().find(is_said) {
        let Bound {
            what,
            limit,
            most,
            instead,
            ..
        } = bound;
        return Some(format!(
            "an instance of the component has more than {most} {what}: limit {limit}, {instead}"
        ));
    }
    // Of very many functions and types; no limit of its own.
    error
        .contains("which exceeds the configured maximum")
        .then(|| {
            format!(
                "an instance of the component needs more than {INSTANCE_STATE_BYTES_MAX} bytes for its functions, globals and \
                 types; leave out what the plugin does not use"
            )
        })
}

fn size(limit: u64) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}
