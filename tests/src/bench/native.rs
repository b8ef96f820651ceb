//! The other side: the bench plugin's workflows as a native worker of Temporal's Rust SDK runs them.
//!
//! Its settings are the host's, where there is a choice: pollers, task slots, cache, no compression on
//! loopback, no worker heartbeats.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use bench_guest::workflows::{ManyActivities, OneActivity, SignalWait, TenActivities};
use futures_util::{FutureExt as _, future::BoxFuture};
use temporalio_client::{
    Client, ClientOptions, Connection, ConnectionOptions, GrpcCompression, Url,
};
use temporalio_sdk::{
    Runtime, Worker, WorkerOptions,
    activities::{
        ActivityContext, ActivityDefinitions, ActivityError, ActivityImplementer,
        ExecutableActivity,
    },
    runtime::{
        PollerBehavior, RuntimeOptions,
        worker_tuner::{FixedSizeSlotSupplier, TunerHolder},
    },
    workflow_replayer::WorkflowReplayerOptions,
};
use temporalio_workflow::common::ActivityDefinition;

/// The namespace of both sides.
pub const NAMESPACE: &str = "default";

/// More than the workflows of a round can fill.
const TASK_SLOTS: usize = 200;
/// As the host's lane has them.
const CACHED_RUNS: usize = 8_000;
const WORKFLOW_POLLERS: usize = 10;
const ACTIVITY_POLLERS: usize = 5;
const STICKY_TIMEOUT: Duration = Duration::from_secs(2);

/// The native `Noop`: the plugin's own runs in the sandbox only.
struct Noop;

impl ActivityDefinition for Noop {
    type Input = u64;
    type Output = u64;

    fn name(&self) -> &str {
        "Noop"
    }
}

struct Activities;

impl ActivityImplementer for Activities {
    fn register_all(self: Arc<Self>, definitions: &mut ActivityDefinitions) {
        definitions.register_activity::<Noop>(self);
    }
}

impl ExecutableActivity for Noop {
    type Implementer = Activities;
    const REQUIRES_INSTANCE: bool = false;

    fn definition() -> Self {
        Self
    }

    fn execute(
        _: Option<Arc<Activities>>,
        _: ActivityContext,
        input: u64,
    ) -> BoxFuture<'static, Result<u64, ActivityError>> {
        async move { Ok(input) }.boxed()
    }
}

/// Works `task_queue` of the server at `address` (`HOST:PORT`) until the process is ended.
///
/// # Errors
/// When the server does not answer, or the worker stops.
pub async fn work(address: &str, task_queue: &str) -> anyhow::Result<()> {
    let runtime_options = RuntimeOptions::builder().heartbeat_interval(None).build();
    let runtime = Runtime::from_current_tokio(runtime_options.map_err(anyhow::Error::msg)?)?;
    let connection = connect(address, "native-worker").await?;
    let client = Client::new(connection, ClientOptions::new(NAMESPACE).build())?;
    let slots = || FixedSizeSlotSupplier::new(TASK_SLOTS);
    let tuner = TunerHolder::builder()
        .workflow_task_slot_supplier(slots())
        .activity_task_slot_supplier(slots())
        .local_activity_task_slot_supplier(slots())
        .nexus_task_slot_supplier(slots())
        .build();
    let options = WorkerOptions::new(task_queue)
        .register_workflow::<OneActivity>()?
        .register_workflow::<TenActivities>()?
        .register_workflow::<ManyActivities>()?
        .register_workflow::<SignalWait>()?
        .register_activities(Activities)
        .tuner(tuner)
        .max_cached_workflows(CACHED_RUNS)
        .workflow_task_poller_behavior(PollerBehavior::SimpleMaximum(WORKFLOW_POLLERS))
        .activity_task_poller_behavior(PollerBehavior::SimpleMaximum(ACTIVITY_POLLERS))
        .sticky_queue_schedule_to_start_timeout(STICKY_TIMEOUT)
        .build();
    Worker::new(&runtime, client, options)?.run().await?;
    Ok(())
}

/// A connection without compression, as the host's on loopback.
///
/// # Errors
/// When the server does not answer.
pub async fn connect(address: &str, identity: &str) -> anyhow::Result<Connection> {
    let url = Url::parse(&format!("http://{address}"))
        .with_context(|| format!("{address:?} is no HOST:PORT"))?;
    let options = ConnectionOptions::new(url)
        .identity(identity.to_owned())
        .grpc_compression(GrpcCompression::None)
        .dns_load_balancing(None)
        .build();
    Ok(Connection::connect(options).await?)
}

/// What replays the native side's histories.
///
/// # Errors
/// When a workflow cannot be registered.
pub fn replayer_options() -> anyhow::Result<WorkflowReplayerOptions> {
    Ok(WorkflowReplayerOptions::new()
        .register_workflow::<TenActivities>()?
        .register_workflow::<ManyActivities>()?
        .build())
}
