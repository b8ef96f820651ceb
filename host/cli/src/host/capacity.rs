//! How much a host takes on: what the machine's memory and memory mappings allow.

use std::time::Duration;

use tenterhook_domain::limit::LimitOverrides;
use tenterhook_worker::{DOUBLE_RUNS_AT_ONCE, LaneConfig, REPLAYS_AT_ONCE};

use crate::host_options::CapacityOptions;

/// Cached runs, where the machine's memory mappings allow them.
const CACHED_RUNS_MAX: usize = 8_000;
/// Linear memory that instances may hold together, where the machine's memory cannot be read. It is otherwise
/// half of that memory: pages that a guest never touched cost nothing, but it may touch them all.
const MEMORY_BYTES_UNKNOWN: u64 = 2 * 1024 * 1024 * 1024;
/// Memory mappings an instance takes, and those the host keeps for itself.
const MAPPINGS_PER_RUN: usize = 4;
const MAPPINGS_OF_HOST: usize = 16_000;
const WORKFLOW_TASKS: usize = 200;
const ACTIVITY_TASKS: usize = 200;
/// Outbound connections at once, where files may be open without end.
const OUTBOUND_CONNECTIONS_MAX: u64 = 4_096;
const OUTBOUND_CONNECTIONS_MIN: u64 = 64;
/// They may be this part of the files that the process may have open.
const FILES_PER_CONNECTION: u64 = 4;
/// How long an execution waits after its host died before another host gets its task.
const STICKY_TIMEOUT: Duration = Duration::from_secs(2);

impl CapacityOptions {
    /// Outbound connections at once. Each is an open file, and the API, the database and Temporal need some too.
    pub(super) fn outbound_connections(&self) -> usize {
        self.outbound_connections.unwrap_or_else(|| {
            let files = std::fs::read_to_string("/proc/self/limits").ok();
            let files = files.as_deref().and_then(open_files);
            let connections = files.unwrap_or(u64::MAX) / FILES_PER_CONNECTION;
            let connections = connections.clamp(OUTBOUND_CONNECTIONS_MIN, OUTBOUND_CONNECTIONS_MAX);
            usize::try_from(connections).unwrap_or(usize::MAX)
        })
    }

    /// Linear memory that instances may hold together, in bytes: half of the memory that this process may have, the
    /// machine's, or its control group's where that is less.
    pub(super) fn memory_bytes(&self) -> u64 {
        self.instance_memory.unwrap_or_else(|| {
            let group = std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
            let group = group.and_then(|text| text.trim().parse::<u64>().ok());
            let known = [machine_bytes(), group].into_iter().flatten().min();
            known.map_or(MEMORY_BYTES_UNKNOWN, |bytes| bytes / 2)
        })
    }
}

/// A lane as large as this machine bears.
pub(super) fn lane(
    task_queue: &str,
    ceilings: LimitOverrides,
    double_run_percentage: u8,
    drain: Duration,
) -> LaneConfig {
    LaneConfig {
        task_queue: task_queue.to_owned(),
        cached_runs: cached_runs(),
        threads: std::thread::available_parallelism().map_or(1, usize::from),
        workflow_tasks: WORKFLOW_TASKS,
        activity_tasks: ACTIVITY_TASKS,
        sticky_timeout: STICKY_TIMEOUT,
        ceilings,
        double_run_percentage,
        drain,
    }
}

/// Workflow instances that such a lane has at once: above what it caches come those that are just being made,
/// dropped, looked at or replayed.
pub(super) fn workflow_instances() -> u32 {
    instances(cached_runs() + WORKFLOW_TASKS + REPLAYS_AT_ONCE + DOUBLE_RUNS_AT_ONCE)
}

/// Activity instances that such a lane has at once, and those that are just being looked at.
pub(super) fn activity_instances() -> u32 {
    instances(2 * ACTIVITY_TASKS + WORKFLOW_TASKS)
}

/// Files that a process with these limits may have open; none where that is not bounded.
fn open_files(limits: &str) -> Option<u64> {
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

fn instances(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// As many as the kernel's memory mappings allow: one mapping too many aborts the process.
fn cached_runs() -> usize {
    let mappings = std::fs::read_to_string("/proc/sys/vm/max_map_count")
        .ok()
        .and_then(|text| text.trim().parse::<usize>().ok())
        .unwrap_or(65_530);
    (mappings.saturating_sub(MAPPINGS_OF_HOST) / MAPPINGS_PER_RUN).clamp(100, CACHED_RUNS_MAX)
}

fn machine_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    kib.checked_mul(1024)
}
