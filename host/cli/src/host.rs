//! The composition root: what a host is made of, the order in which its parts start, and the order in which
//! they stop.
//!
//! Start: signals, data folder, Temporal, store, sandbox, lane, API. Stop: API (no new requests, those under way
//! end), lane (no new tasks, those under way end), store, Temporal.

mod data_dir;
mod key_value;
mod temporal;

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use tenterhook_domain::{clock::SystemClock, context::ContextKeys};
use tenterhook_release::{Checks, Ramps, Retirement, Sweep};
use tenterhook_sandbox::{Sandbox, SandboxConfig};
use tenterhook_server::{ApiState, Server};
use tenterhook_store::Store;
use tenterhook_worker::{Gateway, Lane, LaneConfig, Temporal, VisibilityCensus};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use self::{data_dir::DataDir, key_value::StoredKeyValue, temporal::Embedded};
use crate::host_options::{DevOptions, ServeOptions};

/// The task queue of the pooled lane unless the operator names another.
const TASK_QUEUE: &str = "tenterhook";
/// Cached runs, where the machine's memory mappings allow them.
const CACHED_RUNS_MAX: usize = 8_000;
/// Linear memory that cached runs may hold together, where the machine's memory cannot be read. It is otherwise
/// half of that memory: pages that a guest never touched cost nothing, but it may touch them all.
const CACHED_BYTES_UNKNOWN: u64 = 2 * 1024 * 1024 * 1024;
/// Memory mappings an instance takes, and those the host keeps for itself.
const MAPPINGS_PER_RUN: usize = 4;
const MAPPINGS_OF_HOST: usize = 16_000;
const WORKFLOW_TASKS: usize = 200;
const ACTIVITY_TASKS: usize = 200;
/// How long an execution waits after its host died before another host gets its task.
const STICKY_TIMEOUT: Duration = Duration::from_secs(2);

/// Everything on this machine: an embedded Temporal server (unless `TEMPORAL_ADDRESS` names one), SQLite, the API.
///
/// # Errors
/// When a part cannot start; the sentence says which and what to do.
pub async fn dev(options: DevOptions) -> anyhow::Result<()> {
    // Signals are heard before anything is started, so that none is missed in between.
    let stop = StopSignals::listen()?;
    let data = DataDir::open(&options.data_dir)?;
    let identity = identity();
    let (target, embedded) = temporal::of_dev(&options, &data, &identity).await?;
    let ui = embedded.as_ref().and_then(Embedded::ui_url);
    let parts = Parts {
        data,
        target,
        embedded,
        task_queue: TASK_QUEUE.to_owned(),
        drain: options.drain_timeout,
    };
    run(parts, options.listen, ui, stop).await
}

/// A host against the Temporal that `TEMPORAL_*` variables or `temporal.toml` name.
///
/// # Errors
/// When a part cannot start; the sentence says which and what to do.
pub async fn serve(options: ServeOptions) -> anyhow::Result<()> {
    // Signals are heard before anything is started, so that none is missed in between.
    let stop = StopSignals::listen()?;
    let data = DataDir::open(&options.data_dir)?;
    let mut target = tenterhook_worker::Target::from_environment(&identity())?;
    if let Some(namespace) = options.namespace {
        target = target.with_namespace(namespace);
    }
    let task_queue = options.task_queue.unwrap_or_else(|| TASK_QUEUE.to_owned());
    let parts = Parts {
        data,
        target,
        embedded: None,
        task_queue,
        drain: options.drain_timeout,
    };
    run(parts, options.listen, None, stop).await
}

struct Parts {
    data: DataDir,
    target: tenterhook_worker::Target,
    embedded: Option<Embedded>,
    task_queue: String,
    drain: Duration,
}

async fn run(
    parts: Parts,
    listen: SocketAddr,
    ui: Option<String>,
    mut stop: StopSignals,
) -> anyhow::Result<()> {
    let Parts {
        data,
        target,
        embedded,
        task_queue,
        drain,
    } = parts;
    let store = Store::open(data.path()).await?;
    data.admin_token(&store).await?;
    let keys = Arc::new(store.context_keys.load_or_create().await?);
    let temporal = Temporal::connect(&target).await?;
    temporal.ensure_search_attributes().await?;
    let sandbox = Sandbox::new(SandboxConfig {
        aot_dir: data.path().join("compiled"),
        keyvalue: Some(Arc::new(StoredKeyValue::new(store.state.clone()))),
        // Above what the lane caches come those that are just being made, dropped or looked at.
        workflow_instances: instances(cached_runs() + WORKFLOW_TASKS),
        activity_instances: instances(2 * ACTIVITY_TASKS + WORKFLOW_TASKS),
    })?;
    let lane = start_lane(&temporal, &task_queue, drain, &store, &sandbox, &keys).await?;
    let checks = Checks::new(
        store.clone(),
        sandbox.clone(),
        None,
        Arc::new(SystemClock),
        identity(),
    );
    let rounds_of = temporal.clone();
    let gateway = Gateway::new(temporal.clone(), task_queue, keys);
    let server = Server::bind(listen).await?;
    let address = format!("http://{}", server.local_addr());
    let state = ApiState {
        store: store.clone(),
        executions: Arc::new(gateway),
        clock: Arc::new(SystemClock),
        readiness: Arc::new(temporal::Readiness::new(temporal, store.clone())),
    };
    let stopping = CancellationToken::new();
    tokio::spawn(checks.run(stopping.clone()));
    spawn_rounds(&rounds_of, &store, &sandbox, &stopping);
    let mut serving = tokio::spawn(server.serve(state, stopping.clone()));
    data.announce(&address, ui.as_deref())?;
    tracing::info!(api = address, temporal_ui = ui.as_deref().unwrap_or("-"), data_dir = %data.path().display(), "ready");

    tokio::select! {
        () = stop.wait() => {}
        served = &mut serving => anyhow::bail!("the API ended by itself: {served:?}"),
        () = lane.ended() => anyhow::bail!("the workers ended by themselves: see the log"),
    }
    tracing::info!(
        drain_seconds = drain.as_secs(),
        "stopping: what is under way may end"
    );
    let stopped = tokio::select! {
        result = stop_in_order(stopping, serving, lane, drain, &store, embedded) => result,
        () = stop.wait() => anyhow::bail!("stopped at once by a second signal"),
    };
    data.retract();
    tracing::info!("stopped");
    stopped
}

/// What every host does for the releases of all plugins, beside its checks.
fn spawn_rounds(
    temporal: &Temporal,
    store: &Store,
    sandbox: &Arc<Sandbox>,
    stopping: &CancellationToken,
) {
    let census = Arc::new(VisibilityCensus::new(
        temporal.clone(),
        store.task_failures.clone(),
    ));
    let clock = Arc::new(SystemClock);
    let ramps = Ramps::new(store.clone(), census.clone(), clock.clone(), identity());
    let retirement = Retirement::new(store.clone(), census, clock.clone(), identity());
    let sweep = Sweep::new(store.clone(), sandbox.clone(), clock);
    tokio::spawn(ramps.run(stopping.clone()));
    tokio::spawn(retirement.run(stopping.clone()));
    tokio::spawn(sweep.run(stopping.clone()));
}

async fn stop_in_order(
    stopping: CancellationToken,
    serving: tokio::task::JoinHandle<tenterhook_domain::Result<()>>,
    lane: Lane,
    drain: Duration,
    store: &Store,
    embedded: Option<Embedded>,
) -> anyhow::Result<()> {
    let begun = Instant::now();
    stopping.cancel();
    let served = serving.await.context("the API failed")?;
    lane.stop(drain.saturating_sub(begun.elapsed())).await;
    store.database.close().await;
    if let Some(embedded) = embedded {
        embedded.stop().await;
    }
    Ok(served?)
}

async fn start_lane(
    temporal: &Temporal,
    task_queue: &str,
    drain: Duration,
    store: &Store,
    sandbox: &Arc<Sandbox>,
    keys: &Arc<ContextKeys>,
) -> anyhow::Result<Lane> {
    let config = LaneConfig {
        task_queue: task_queue.to_owned(),
        cached_runs: cached_runs(),
        cached_bytes: cached_bytes(),
        threads: std::thread::available_parallelism().map_or(1, usize::from),
        workflow_tasks: WORKFLOW_TASKS,
        activity_tasks: ACTIVITY_TASKS,
        sticky_timeout: STICKY_TIMEOUT,
        drain,
    };
    Ok(tenterhook_worker::start_lane(
        temporal,
        &config,
        store.clone(),
        sandbox.clone(),
        keys.clone(),
    )
    .await?)
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

/// Half of the memory that this process may have: the machine's, or its control group's where that is less.
fn cached_bytes() -> u64 {
    let group = std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    let group = group.and_then(|text| text.trim().parse::<u64>().ok());
    [machine_bytes(), group]
        .into_iter()
        .flatten()
        .min()
        .map_or(CACHED_BYTES_UNKNOWN, |bytes| bytes / 2)
}

fn machine_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// Who this host is in Temporal's lists: the process and the machine.
fn identity() -> String {
    let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("tenterhook-{}@{}", std::process::id(), machine.trim())
}

/// SIGTERM and SIGINT.
struct StopSignals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl StopSignals {
    fn listen() -> anyhow::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn wait(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
