//! The half of a host that works: the lanes, and the rounds that releases are looked after by.

use std::{sync::Arc, time::Duration};

use tenterhook_domain::{clock::SystemClock, context::ContextKeys, limit::LimitOverrides};
use tenterhook_release::{Checks, Ramps, Retirement, Sweep};
use tenterhook_sandbox::Sandbox;
use tenterhook_signature::SigstoreSignatures;
use tenterhook_store::Store;
use tenterhook_worker::{Codec, Directory, Gate, Lanes, Means, Temporal, VisibilityCensus};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{capacity, identity};

/// What the work needs of the rest of the host.
pub(super) struct Surroundings<'a> {
    pub(super) sandbox: &'a Arc<Sandbox>,
    pub(super) gate: &'a Arc<Gate>,
    pub(super) census: &'a Arc<VisibilityCensus>,
    pub(super) signatures: &'a Arc<SigstoreSignatures>,
    pub(super) store: &'a Store,
    pub(super) temporal: &'a Temporal,
    pub(super) directory: &'a Arc<Directory>,
    pub(super) keys: &'a Arc<ContextKeys>,
    pub(super) codec: &'a Arc<Codec>,
    pub(super) task_queue: &'a str,
    pub(super) ceilings: &'a LimitOverrides,
    pub(super) double_run_percentage: u8,
    pub(super) drain: Duration,
}

/// Work under way.
pub(super) struct Work {
    lanes: Lanes,
    rounds: TaskTracker,
    rounds_stop: CancellationToken,
}

impl Work {
    pub(super) async fn start(of: Surroundings<'_>) -> anyhow::Result<Self> {
        let lanes = tenterhook_worker::start_lanes(
            of.temporal,
            &capacity::lane(
                of.task_queue,
                of.ceilings.clone(),
                of.double_run_percentage,
                of.drain,
            ),
            of.directory.clone(),
            Means {
                store: of.store.clone(),
                sandbox: of.sandbox.clone(),
                keys: of.keys.clone(),
                codec: of.codec.clone(),
            },
        )
        .await?;
        let rounds_stop = CancellationToken::new();
        Ok(Self {
            lanes,
            rounds: start_rounds(&of, &rounds_stop),
            rounds_stop,
        })
    }

    /// Until it ends by itself, which it should not.
    pub(super) async fn ended(&self) {
        self.lanes.ended().await;
    }

    /// Takes nothing new and gives what is under way `drain` to end.
    pub(super) async fn stop(self, drain: Duration) {
        // What is cut off half-way is taken up again, here or elsewhere.
        self.rounds_stop.cancel();
        self.rounds.wait().await;
        self.lanes.stop(drain).await;
    }
}

/// What every working host does for the releases of all plugins.
fn start_rounds(of: &Surroundings<'_>, stop: &CancellationToken) -> TaskTracker {
    let (store, sandbox, census) = (of.store, of.sandbox, of.census);
    let clock = Arc::new(SystemClock);
    let gate = Some(of.gate.clone() as _);
    let checks = Checks::new(
        store.clone(),
        sandbox.clone(),
        gate,
        of.signatures.clone(),
        clock.clone(),
        sandbox.tally().clone(),
        identity(),
    );
    let ramps = Ramps::new(store.clone(), census.clone(), clock.clone(), identity());
    let retirement = Retirement::new(store.clone(), census.clone(), clock.clone(), identity());
    let sweep = Sweep::new(store.clone(), sandbox.clone(), clock);
    let rounds = TaskTracker::new();
    rounds.spawn(checks.run(stop.clone()));
    rounds.spawn(ramps.run(stop.clone()));
    rounds.spawn(retirement.run(stop.clone()));
    rounds.spawn(sweep.run(stop.clone()));
    rounds.close();
    rounds
}
