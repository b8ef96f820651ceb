//! How much a host takes on: what the machine's memory and memory mappings allow.

use std::time::Duration;

use tenterhook_domain::limit::LimitOverrides;
use tenterhook_worker::{DOUBLE_RUNS_AT_ONCE, LaneConfig, REPLAYS_AT_ONCE};

use crate::host_options::CapacityOptions;

/// Cached runs, where the machine's memory mappings allow them.
const CACHED_RUNS_MAX: usize = 8_000;
/// However few mappings there are, so many fit.
const CACHED_RUNS_MIN: usize = 100;
/// Linear memory that instances may hold together, where the machine's memory cannot be read. It is otherwise
/// half of that memory: pages that a guest never touched cost nothing, but it may touch them all.
const MEMORY_BYTES_UNKNOWN: u64 = 2 * 1024 * 1024 * 1024;
/// Memory mappings an instance takes, and those the host keeps for itself.
const MAPPINGS_PER_RUN: usize = 4;
const MAPPINGS_OF_HOST: usize = 16_000;
/// Where the kernel does not say how many there may be: its default.
const MAPPINGS_UNKNOWN: usize = 65_530;
/// Workflow tasks at once for each thread that runs them. Most wait for Temporal to take their answer; if all of them
/// compute, and for long, the last must still be done before its task's time is over.
const WORKFLOW_TASKS_PER_THREAD: usize = 32;
/// However few threads there are: with fewer, slots are what waits for Temporal.
const WORKFLOW_TASKS_MIN: usize = 64;
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
            let machine = std::fs::read_to_string("/proc/meminfo").ok();
            let group = std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
            bytes_within(machine.as_deref(), group.as_deref())
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
        threads: threads(),
        workflow_tasks: workflow_tasks(),
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
    instances(cached_runs() + workflow_tasks() + REPLAYS_AT_ONCE + DOUBLE_RUNS_AT_ONCE)
}

/// Activity instances that such a lane has at once, and those that are just being looked at.
pub(super) fn activity_instances() -> u32 {
    instances(2 * ACTIVITY_TASKS + workflow_tasks())
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn workflow_tasks() -> usize {
    (WORKFLOW_TASKS_PER_THREAD * threads()).max(WORKFLOW_TASKS_MIN)
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

/// Runs that are held at once by their number. What they hold is bounded beside it, by
/// [`memory_bytes`](CapacityOptions::memory_bytes): whichever is met first holds.
fn cached_runs() -> usize {
    let mappings = std::fs::read_to_string("/proc/sys/vm/max_map_count").ok();
    runs_within(mappings.as_deref())
}

/// As many runs as the kernel's memory mappings allow, where it says `mappings`: one mapping too many aborts the process.
fn runs_within(mappings: Option<&str>) -> usize {
    let mappings = mappings.and_then(|text| text.trim().parse::<usize>().ok());
    let mappings = mappings.unwrap_or(MAPPINGS_UNKNOWN);
    let runs = mappings.saturating_sub(MAPPINGS_OF_HOST) / MAPPINGS_PER_RUN;
    runs.clamp(CACHED_RUNS_MIN, CACHED_RUNS_MAX)
}

/// Half of the lower of what the machine has and what the control group may have, where they say `machine` and `group`.
fn bytes_within(machine: Option<&str>, group: Option<&str>) -> u64 {
    // A group without a bound says `max`.
    let group = group.and_then(|text| text.trim().parse::<u64>().ok());
    let known = [machine.and_then(machine_bytes), group];
    let least = known.into_iter().flatten().min();
    least.map_or(MEMORY_BYTES_UNKNOWN, |bytes| bytes / 2)
}

/// What `/proc/meminfo`, whose text is `meminfo`, says that there is.
fn machine_bytes(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1024 * 1024 * 1024;

    #[test]
    fn runs_are_as_many_as_mappings_allow() {
        for (says, runs) in [
            (Some("65530\n"), CACHED_RUNS_MAX),
            (Some("1048576\n"), CACHED_RUNS_MAX),
            (Some("48000\n"), CACHED_RUNS_MAX),
            (Some("47996\n"), CACHED_RUNS_MAX - 1),
            (Some("20000\n"), 1_000),
            (Some("16000\n"), CACHED_RUNS_MIN),
            (Some("0\n"), CACHED_RUNS_MIN),
            (Some("many"), CACHED_RUNS_MAX),
            (None, CACHED_RUNS_MAX),
        ] {
            assert_eq!(runs_within(says), runs, "{says:?}");
        }
    }

    #[test]
    fn no_mapping_is_promised_twice() {
        let least = MAPPINGS_OF_HOST + CACHED_RUNS_MIN * MAPPINGS_PER_RUN;
        for mappings in (least..=70_000).step_by(37) {
            let runs = runs_within(Some(&mappings.to_string()));
            let taken = MAPPINGS_OF_HOST + runs * MAPPINGS_PER_RUN;
            assert!(taken <= mappings, "{runs} runs in {mappings}");
        }
    }

    #[test]
    fn memory_is_half_of_the_lower_bound() {
        let machine = "MemFree:        1024 kB\nMemTotal:       16777216 kB\n";
        let small = (4 * GIB).to_string();
        for (machine, group, bytes) in [
            (Some(machine), None, 8 * GIB),
            (Some(machine), Some("max\n"), 8 * GIB),
            (Some(machine), Some(&*small), 2 * GIB),
            (Some(machine), Some("99999999999999\n"), 8 * GIB),
            (None, Some(&*small), 2 * GIB),
            (Some("nothing of it"), Some("max"), MEMORY_BYTES_UNKNOWN),
            (None, None, MEMORY_BYTES_UNKNOWN),
        ] {
            assert_eq!(bytes_within(machine, group), bytes, "{machine:?} {group:?}");
        }
    }

    #[test]
    fn open_files_are_read_where_they_are_bounded() {
        let line =
            |soft: &str| format!("Limit\nMax open files            {soft}   524288   files\n");
        assert_eq!(open_files(&line("1024")), Some(1_024));
        assert_eq!(open_files(&line("unlimited")), None);
        assert_eq!(open_files(""), None);
    }
}
