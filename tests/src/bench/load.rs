//! One round: so many workflows of one kind on one side, and what they cost whom.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::{
    ROUND_WITHIN,
    machine::Cores,
    process::cpu_millis,
    stage::{Side, Stage},
    starter::Workload,
};

/// Workflows under way at once.
pub const CONCURRENCY: usize = 64;
/// Time for what follows a workflow's end, evictions above all, before the CPU is read.
const SETTLE: Duration = Duration::from_millis(300);

/// Numbers of workflows, so that no two have one id.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// An id that no other workflow of this bench has.
pub fn next_id() -> String {
    format!("w{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// What a round came to.
#[derive(Debug, Clone)]
pub struct Round {
    /// Who ran it.
    pub side: Side,
    /// What was run.
    pub workload: Workload,
    /// On which cores.
    pub cores: Cores,
    /// How many.
    pub workflows: usize,
    /// From the first start to the last result.
    pub wall: Duration,
    /// CPU of the worker's process, in ms.
    pub worker_cpu: f64,
    /// CPU of the Temporal server's process, in ms.
    pub server_cpu: f64,
    /// From start to result, each.
    pub latencies: Vec<Duration>,
}

/// CPU of a side and of the server, as of now.
pub struct Meter {
    pids: [u32; 2],
    before: [f64; 2],
}

impl Meter {
    /// Begins to count.
    ///
    /// # Errors
    /// When a process ended.
    pub fn begin(stage: &Stage, side: Side) -> anyhow::Result<Self> {
        let pids = [stage.pid(side)?, stage.server_pid()?];
        Ok(Self {
            pids,
            before: [cpu_millis(pids[0])?, cpu_millis(pids[1])?],
        })
    }

    /// CPU of the worker and the server since then, in ms, once all is quiet.
    ///
    /// # Errors
    /// When a process ended.
    pub async fn end(self) -> anyhow::Result<[f64; 2]> {
        tokio::time::sleep(SETTLE).await;
        Ok([
            cpu_millis(self.pids[0])? - self.before[0],
            cpu_millis(self.pids[1])? - self.before[1],
        ])
    }
}

/// Runs `count` workflows, `concurrency` at once.
///
/// # Errors
/// When one fails, a process ends, or it takes longer than [`ROUND_WITHIN`].
pub async fn round(
    stage: &Stage,
    side: Side,
    workload: Workload,
    count: usize,
    concurrency: usize,
) -> anyhow::Result<Round> {
    // The server closes each connection after five minutes, whatever is on its way.
    let starter = &stage.connect(side).await?;
    let meter = Meter::begin(stage, side)?;
    let began = Instant::now();
    let run = stream::iter(0..count)
        .map(|_| async {
            let began = Instant::now();
            let started = starter.start(workload, &next_id(), Some(1)).await?;
            starter.completed(&started).await?;
            anyhow::Ok(began.elapsed())
        })
        .buffer_unordered(concurrency)
        .try_collect();
    let latencies = tokio::time::timeout(ROUND_WITHIN, run).await??;
    let wall = began.elapsed();
    let [worker_cpu, server_cpu] = meter.end().await?;
    Ok(Round {
        side,
        workload,
        cores: stage.cores(),
        workflows: count,
        wall,
        worker_cpu,
        server_cpu,
        latencies,
    })
}
