//! Workflows that sleep in a worker's cache: the memory each holds, and what waking them costs.

use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::{
    ROUND_WITHIN,
    load::{CONCURRENCY, Meter, next_id},
    process::{private_dirty_kib, resident_kib},
    stage::{Side, Stage},
    starter::{Started, Workload},
};

/// What sleeping workflows cost one side.
#[derive(Debug, Clone)]
pub struct Sleepers {
    /// Whose cache they slept in.
    pub side: Side,
    /// How many.
    pub workflows: usize,
    /// Memory of its own of each, in KiB.
    pub private_dirty: f64,
    /// Resident memory of each, in KiB: shared pages are counted once an instance.
    pub resident: f64,
    /// Resident memory of the process before them, in KiB.
    pub idle_resident: f64,
    /// From the first start until all slept, and from the first signal to the last result.
    pub wall: Duration,
    /// CPU of the worker for all of it, in ms.
    pub worker_cpu: f64,
    /// CPU of the server, in ms.
    pub server_cpu: f64,
    /// From signal to result, each.
    pub latencies: Vec<Duration>,
}

/// Puts `count` workflows to sleep on `side`, weighs them, wakes them by a signal each, awaits their results.
///
/// # Errors
/// When one fails, a process ends, or either half takes longer than [`ROUND_WITHIN`].
pub async fn measure(stage: &Stage, side: Side, count: usize) -> anyhow::Result<Sleepers> {
    let pid = stage.pid(side)?;
    let starter = stage.starter(side);
    let idle = [private_dirty_kib(pid)?, resident_kib(pid)?];
    let meter = Meter::begin(stage, side)?;
    let began = Instant::now();
    let start = stream::iter(0..count)
        .map(|_| async {
            let started = starter.start(Workload::Signal, &next_id(), None).await?;
            starter.asleep(&started).await?;
            anyhow::Ok(started)
        })
        .buffer_unordered(CONCURRENCY)
        .try_collect();
    let sleeping: Vec<Started> = tokio::time::timeout(ROUND_WITHIN, start).await??;
    let slept = began.elapsed();
    let [worker_asleep, server_asleep] = meter.end().await?;
    let full = [private_dirty_kib(pid)?, resident_kib(pid)?];

    let meter = Meter::begin(stage, side)?;
    let began = Instant::now();
    let wake = stream::iter(&sleeping)
        .map(|started| async {
            let began = Instant::now();
            starter.go(started).await?;
            starter.completed(started).await?;
            anyhow::Ok(began.elapsed())
        })
        .buffer_unordered(CONCURRENCY)
        .try_collect();
    let latencies = tokio::time::timeout(ROUND_WITHIN, wake).await??;
    let wall = slept + began.elapsed();
    let [worker_awake, server_awake] = meter.end().await?;
    let each = |index: usize| (full[index] - idle[index]) / count as f64;
    Ok(Sleepers {
        side,
        workflows: count,
        private_dirty: each(0),
        resident: each(1),
        idle_resident: idle[1],
        wall,
        worker_cpu: worker_asleep + worker_awake,
        server_cpu: server_asleep + server_awake,
        latencies,
    })
}
