//! The half of a host that works: the lane, and the checks of uploaded releases.

use std::{sync::Arc, time::Duration};

use tenterhook_domain::{clock::SystemClock, context::ContextKeys, replay::ReplayGate};
use tenterhook_release::Checks;
use tenterhook_sandbox::{Sandbox, SandboxConfig};
use tenterhook_store::Store;
use tenterhook_worker::{Gate, Lane, Temporal};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{capacity, data_dir::DataDir, identity, key_value::StoredKeyValue};

/// What the work needs of the rest of the host.
pub(super) struct Surroundings<'a> {
    pub(super) data: &'a DataDir,
    pub(super) store: &'a Store,
    pub(super) temporal: &'a Temporal,
    pub(super) keys: &'a Arc<ContextKeys>,
    pub(super) task_queue: &'a str,
    pub(super) drain: Duration,
}

/// Work under way.
pub(super) struct Work {
    lane: Lane,
    checks: JoinHandle<()>,
    checks_stop: CancellationToken,
}

impl Work {
    pub(super) async fn start(of: Surroundings<'_>) -> anyhow::Result<Self> {
        let sandbox = Sandbox::new(SandboxConfig {
            aot_dir: of.data.path().join("compiled"),
            keyvalue: Some(Arc::new(StoredKeyValue::new(of.store.state.clone()))),
            workflow_instances: capacity::workflow_instances(),
            activity_instances: capacity::activity_instances(),
        })?;
        let lane = tenterhook_worker::start_lane(
            of.temporal,
            &capacity::lane(of.task_queue, of.drain),
            of.store.clone(),
            sandbox.clone(),
            of.keys.clone(),
        )
        .await?;
        let clock = Arc::new(SystemClock);
        let gate = Gate::new(
            of.temporal.clone(),
            of.store.clone(),
            sandbox.clone(),
            clock.clone(),
        )?;
        let gate = Some(Arc::new(gate) as Arc<dyn ReplayGate>);
        let checks = Checks::new(of.store.clone(), sandbox, gate, clock, identity());
        let checks_stop = CancellationToken::new();
        let checks = tokio::spawn(checks.run(checks_stop.clone()));
        Ok(Self {
            lane,
            checks,
            checks_stop,
        })
    }

    /// Until it ends by itself, which it should not.
    pub(super) async fn ended(&self) {
        self.lane.ended().await;
    }

    /// Takes nothing new and gives what is under way `drain` to end.
    pub(super) async fn stop(self, drain: Duration) {
        // A check that is cut off is taken up again, here or elsewhere.
        self.checks_stop.cancel();
        if let Err(error) = self.checks.await {
            tracing::error!(%error, "the checks ended by themselves");
        }
        self.lane.stop(drain).await;
    }
}
