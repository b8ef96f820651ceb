//! The composition root: what a host is made of, the order in which its parts start, and the order in which
//! they stop.
//!
//! Start: signals, data folder, Temporal, store, work (sandbox, lane, checks), API. Stop: `/readyz` says so, API (no
//! new requests, those under way end), work (no new tasks, those under way end), store, Temporal. A host whose role
//! is `server` has no work, one whose role is `worker` no API but its health.

mod capacity;
mod data_dir;
mod key_value;
mod origin;
mod sandbox;
mod secret;
mod storage;
mod temporal;
mod work;

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use tenterhook_domain::{
    clock::{Clock as _, SystemClock},
    limit::LimitOverrides,
};
use tenterhook_release::Rehearsals;
use tenterhook_server::{ApiState, Metrics, Server};
use tenterhook_store::Store;
use tenterhook_worker::{
    Codec, Directory, Gate, Gateway, Temporal, VisibilityCensus, follow_context_keys,
};
use tokio::{
    signal::unix::{SignalKind, signal},
    task::JoinHandle,
    time::sleep,
};
use tokio_util::sync::CancellationToken;

use self::{
    data_dir::DataDir,
    origin::Origins,
    secret::Keyring,
    storage::Storage,
    temporal::Embedded,
    work::{Surroundings, Work},
};
use crate::host_options::{CapacityOptions, DevOptions, Role, SecretOptions, ServeOptions};

/// The task queue of the pooled lane unless the operator names another.
const TASK_QUEUE: &str = "tenterhook";

/// Everything on this machine: an embedded Temporal server (unless `TEMPORAL_ADDRESS` names one), SQLite, the API.
///
/// # Errors
/// When a part cannot start; the sentence says which and what to do.
pub async fn dev(options: DevOptions) -> anyhow::Result<()> {
    // Signals are heard before anything is started, so that none is missed in between.
    let stop = StopSignals::listen()?;
    let origins = Origins::of(&options.origins)?;
    let data = DataDir::open(&options.data_dir)?;
    let (target, embedded) = temporal::of_dev(&options, &data, &identity()).await?;
    let parts = Parts {
        data,
        storage: Storage::DataFolder,
        origins,
        secrets: options.secrets,
        codec_origins: options.codec.origins,
        role: Role::All,
        target,
        embedded,
        task_queue: TASK_QUEUE.to_owned(),
        ceilings: options.limits.ceilings(),
        double_run_percentage: options.double_runs.of_dev(),
        capacity: options.capacity,
        listen: options.listen,
        notice: Duration::ZERO,
        drain: options.drain_timeout,
    };
    run(parts, stop).await
}

/// A host against the Temporal that `TEMPORAL_*` variables or `temporal.toml` name.
///
/// # Errors
/// When a part cannot start; the sentence says which and what to do.
pub async fn serve(options: ServeOptions) -> anyhow::Result<()> {
    // Signals are heard before anything is started, so that none is missed in between.
    let stop = StopSignals::listen()?;
    let storage = Storage::of(&options)?;
    let origins = Origins::of(&options.origins)?;
    let data = DataDir::open(&options.data_dir)?;
    let mut target = tenterhook_worker::Target::from_environment(&identity())?;
    if let Some(namespace) = options.namespace {
        target = target.with_namespace(namespace);
    }
    let parts = Parts {
        data,
        storage,
        origins,
        secrets: options.secrets,
        codec_origins: options.codec.origins,
        role: options.role,
        target,
        embedded: None,
        task_queue: options.task_queue.unwrap_or_else(|| TASK_QUEUE.to_owned()),
        ceilings: options.limits.ceilings(),
        capacity: options.capacity,
        double_run_percentage: options.double_runs.of_serve(),
        listen: options.listen,
        notice: options.stop_notice,
        drain: options.drain_timeout,
    };
    run(parts, stop).await
}

struct Parts {
    data: DataDir,
    storage: Storage,
    origins: Origins,
    secrets: SecretOptions,
    codec_origins: Vec<String>,
    role: Role,
    target: tenterhook_worker::Target,
    embedded: Option<Embedded>,
    task_queue: String,
    ceilings: LimitOverrides,
    capacity: CapacityOptions,
    double_run_percentage: u8,
    listen: SocketAddr,
    notice: Duration,
    drain: Duration,
}

/// A host that answers.
struct Running {
    data: DataDir,
    store: Store,
    work: Option<Work>,
    serving: JoinHandle<tenterhook_domain::Result<()>>,
    /// From then on `/readyz` says that the host stops.
    leaving: CancellationToken,
    /// From then on no request is taken.
    stopping: CancellationToken,
    embedded: Option<Embedded>,
    notice: Duration,
    drain: Duration,
}

async fn run(parts: Parts, mut stop: StopSignals) -> anyhow::Result<()> {
    let mut running = start(parts).await?;
    tokio::select! {
        () = stop.wait() => {}
        served = &mut running.serving => anyhow::bail!("the API ended by itself: {served:?}"),
        () = ended(running.work.as_ref()) => anyhow::bail!("the workers ended by themselves: see the log"),
    }
    tracing::info!(
        drain_seconds = running.drain.as_secs(),
        "stopping: what is under way may end"
    );
    tokio::select! {
        result = stop_in_order(running) => result?,
        () = stop.wait() => anyhow::bail!("stopped at once by a second signal"),
    }
    tracing::info!("stopped");
    Ok(())
}

async fn start(parts: Parts) -> anyhow::Result<Running> {
    let Parts {
        data,
        storage,
        origins,
        secrets,
        codec_origins,
        role,
        target,
        embedded,
        task_queue,
        ceilings,
        capacity,
        double_run_percentage,
        listen,
        notice,
        drain,
    } = parts;
    let is_shared = storage.is_shared();
    let secret_keys = Arc::new(Keyring::open(&secrets, &data, is_shared)?);
    let store = storage.open(data.path()).await?;
    if role.serves() {
        data.admin_token(&store).await?;
    }
    let now = SystemClock.now_millis();
    let key_set = store.context_keys.load_or_create(now).await?;
    let keys = Arc::new(key_set.at(now));
    let temporal = Temporal::connect(&target).await?;
    temporal.ensure_search_attributes().await?;
    let clock = Arc::new(SystemClock);
    let share = is_shared.then(|| sandbox::share(&store, &keys));
    let metrics = Arc::new(Metrics::new()?);
    let sandbox = sandbox::open(
        &data,
        &store,
        &secret_keys,
        share,
        &capacity,
        metrics.clone(),
    )?;
    let codec = Arc::new(Codec::new(store.clone(), secret_keys.clone()));
    let (circuits, memory) = (sandbox.circuits(), sandbox.memory().clone());
    let directory = Directory::new(store.clone(), temporal.clone(), task_queue.clone());
    let directory = Arc::new(directory);
    let gate = Gate::new(
        &temporal,
        directory.clone(),
        store.clone(),
        sandbox.clone(),
        clock.clone(),
        codec.clone(),
    )?;
    let gate = Arc::new(gate);
    let census = VisibilityCensus::new(directory.clone(), store.task_failures.clone());
    let census = Arc::new(census);
    let surroundings = Surroundings {
        sandbox: &sandbox,
        gate: &gate,
        census: &census,
        signatures: &origins.signatures,
        store: &store,
        temporal: &temporal,
        directory: &directory,
        keys: &keys,
        codec: &codec,
        task_queue: &task_queue,
        ceilings: &ceilings,
        double_run_percentage,
        drain,
    };
    let work = match role.works() {
        true => Some(Work::start(surroundings).await?),
        false => None,
    };
    let server = Server::bind(listen).await?;
    let address = format!("http://{}", server.local_addr());
    let leaving = CancellationToken::new();
    let readiness = temporal::Readiness::new(temporal.clone(), store.clone(), leaving.clone());
    let gateway = Arc::new(Gateway::new(
        directory.clone(),
        keys.clone(),
        codec.clone(),
        gate.clone(),
    ));
    let state = ApiState {
        store: store.clone(),
        executions: gateway.clone(),
        schedules: gateway.clone(),
        lanes: directory,
        rehearsal: Arc::new(Rehearsals::new(store.clone(), sandbox, gate)),
        census: Some(census),
        ceilings,
        registries: origins.registries,
        signatures: origins.signatures,
        secret_keys,
        codec: codec.clone(),
        codec_origins,
        circuits,
        memory,
        metrics,
        clock,
        readiness: Arc::new(readiness),
    };
    let stopping = CancellationToken::new();
    let following = follow_context_keys(store.clone(), key_set, keys, stopping.clone());
    tokio::spawn(following);
    tokio::spawn(gateway.keep_schedules_signed(stopping.clone()));
    tokio::spawn(codec.follow_changes(stopping.clone()));
    let serving = match role.serves() {
        true => tokio::spawn(server.serve(state, stopping.clone())),
        false => tokio::spawn(server.serve_health(state, stopping.clone())),
    };
    let ui = embedded.as_ref().and_then(Embedded::ui_url);
    data.announce(&address, ui.as_deref())?;
    tracing::info!(
        api = address, temporal_ui = ui.as_deref().unwrap_or("-"), data_dir = %data.path().display(), ?role, "ready"
    );
    Ok(Running {
        data,
        store,
        work,
        serving,
        leaving,
        stopping,
        embedded,
        notice,
        drain,
    })
}

/// Until the work ends by itself; never where there is none.
async fn ended(work: Option<&Work>) {
    match work {
        Some(work) => work.ended().await,
        None => std::future::pending().await,
    }
}

async fn stop_in_order(running: Running) -> anyhow::Result<()> {
    running.leaving.cancel();
    // A load balancer has so long to look and to send its requests elsewhere.
    sleep(running.notice).await;
    let begun = Instant::now();
    running.stopping.cancel();
    let served = running.serving.await.context("the API failed")?;
    if let Some(work) = running.work {
        work.stop(running.drain.saturating_sub(begun.elapsed()))
            .await;
    }
    running.store.database.close().await;
    if let Some(embedded) = running.embedded {
        embedded.stop().await;
    }
    running.data.retract();
    Ok(served?)
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
