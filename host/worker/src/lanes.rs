//! All lanes that a host works: the pooled one, and those of scopes' own, which come and go while it serves.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use futures_util::future::join_all;
use temporalio_sdk_core::Worker as CoreWorker;
use tenterhook_domain::{Result, Scope, lane::LaneSettings};
use tenterhook_sandbox::Places;
use tenterhook_store::Store;
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use crate::{
    activity,
    connection::Temporal,
    directory::{Directory, KNOWN_FOR},
    double_run::DoubleRuns,
    executor::Executor,
    lane::{Home, Lane, LaneConfig},
    resolver::Resolver,
    runs::Runs,
    shortage,
};

/// Workflow tasks that a lane of one scope's own has under way at once.
const DEDICATED_TASKS: usize = 50;

/// What all lanes of a host share: threads, places of attempts, and memory for runs.
pub(crate) struct Rooms {
    pub(crate) runs: Arc<Runs>,
    pub(crate) workflows: Arc<Executor>,
    pub(crate) activities: Arc<Executor>,
    pub(crate) places: Places,
    pub(crate) double_runs: DoubleRuns,
    cores: Mutex<Vec<Weak<CoreWorker>>>,
}

impl Rooms {
    fn open(config: &LaneConfig, resolver: &Arc<Resolver>, host: &str) -> Result<Self> {
        let memory = resolver.memory().clone();
        Ok(Self {
            runs: Arc::new(Runs::new(config.runs_max(), memory)),
            workflows: Arc::new(Executor::start("workflows", config.threads)?),
            activities: Arc::new(Executor::start_for_futures("activities", config.threads)?),
            places: activity::places(config.activity_tasks),
            double_runs: DoubleRuns::start(config.double_run_percentage, resolver, host)?,
            cores: Mutex::default(),
        })
    }

    /// Runs of `core` are among those that are kept here.
    pub(crate) fn enter(&self, core: &Arc<CoreWorker>) {
        let mut cores = self.cores.lock().unwrap_or_else(PoisonError::into_inner);
        cores.retain(|core| core.strong_count() > 0);
        cores.push(Arc::downgrade(core));
    }

    /// Lets go of a run, of whichever lane it is: a Core that does not know it passes over it.
    pub(crate) fn evict(&self, run_id: &str) {
        let cores = self.cores.lock().unwrap_or_else(PoisonError::into_inner);
        for core in cores.iter().filter_map(Weak::upgrade) {
            core.request_workflow_eviction(run_id);
        }
    }
}

/// The lanes that are worked.
pub struct Lanes {
    pooled: Lane,
    rooms: Arc<Rooms>,
    resolver: Arc<Resolver>,
    stopping: CancellationToken,
    keeper: JoinHandle<Keeper>,
    _shortage: AbortOnDropHandle<()>,
}

impl Lanes {
    /// Starts the pooled lane, and those of scopes' own as `directory` knows them from now on.
    pub(crate) async fn start(
        temporal: &Temporal,
        config: &LaneConfig,
        resolver: Arc<Resolver>,
        directory: Arc<Directory>,
    ) -> Result<Self> {
        let rooms = Arc::new(Rooms::open(config, &resolver, temporal.identity())?);
        let shortage = tokio::spawn(shortage::follow(rooms.clone(), resolver.clone()));
        let home = Arc::new(Home::Pooled);
        let pooled = Lane::start(temporal, config, resolver.clone(), rooms.clone(), home).await?;
        let keeper = Keeper {
            directory,
            config: config.clone(),
            resolver: resolver.clone(),
            rooms: rooms.clone(),
            lanes: HashMap::new(),
            leaving: Vec::new(),
            refused: HashMap::new(),
        };
        let stopping = CancellationToken::new();
        let changes = resolver.store().changes.lanes();
        let keeper = tokio::spawn(keeper.keep(changes, stopping.clone()));
        Ok(Self {
            pooled,
            rooms,
            resolver,
            stopping,
            keeper,
            _shortage: AbortOnDropHandle::new(shortage),
        })
    }

    /// Resolves when the pooled lane takes no more work although nobody stopped it: a fault of the host.
    pub async fn ended(&self) {
        self.pooled.ended().await;
    }

    /// How many runs all lanes keep in memory now, and the linear memory they hold in bytes.
    pub fn cached(&self) -> (usize, u64) {
        self.pooled.cached()
    }

    /// Takes no new work, lets what is under way end, and lets go of Temporal. Ends within `drain`, which is at
    /// most the lanes' own drain time.
    pub async fn stop(self, drain: Duration) {
        self.stopping.cancel();
        self.resolver.stop();
        self.rooms.double_runs.stop();
        let dedicated = async {
            // A lane that is just being started is waited for: it must be stopped too.
            match timeout(drain, self.keeper).await {
                Ok(Ok(keeper)) => keeper.stop(drain).await,
                _ => tracing::warn!("lanes of scopes' own did not stop in time"),
            }
        };
        tokio::join!(self.pooled.stop(drain), dedicated);
    }
}

struct Worked {
    settings: LaneSettings,
    lane: Lane,
}

/// Starts and stops lanes of scopes' own as they come and go.
struct Keeper {
    directory: Arc<Directory>,
    config: LaneConfig,
    resolver: Arc<Resolver>,
    rooms: Arc<Rooms>,
    lanes: HashMap<Scope, Worked>,
    /// Lanes that are stopped, and may not be worked anew before they are.
    leaving: Vec<(LaneSettings, JoinHandle<()>)>,
    /// What was last said of lanes that cannot be worked.
    refused: HashMap<Scope, String>,
}

fn same_queue(one: &LaneSettings, other: &LaneSettings) -> bool {
    one.namespace == other.namespace && one.task_queue == other.task_queue
}

impl Keeper {
    async fn keep(mut self, mut changes: watch::Receiver<()>, stopping: CancellationToken) -> Self {
        while !stopping.is_cancelled() {
            self.look().await;
            tokio::select! {
                () = stopping.cancelled() => {}
                () = sleep(KNOWN_FOR) => {}
                changed = changes.changed() => if changed.is_err() {
                    // The store is gone, and with it who could change lanes.
                    stopping.cancelled().await;
                }
            }
        }
        self
    }

    /// Brings what is worked to what there is.
    async fn look(&mut self) {
        // Cut off from the store the host works what it works.
        let Ok(wanted) = self.directory.lanes().await else {
            return;
        };
        self.leaving.retain(|(_, stopped)| !stopped.is_finished());
        let scopes: Vec<Scope> = self.lanes.keys().cloned().collect();
        for scope in scopes {
            let Some(worked) = self.lanes.get_mut(&scope) else {
                continue;
            };
            let wanted = wanted.get(&scope);
            let stays = wanted.filter(|wanted| same_queue(wanted, &worked.settings));
            match stays {
                Some(wanted) if !worked.lane.is_over() => {
                    worked.lane.home().set(wanted.clone());
                    worked.settings = wanted.clone();
                }
                _ => self.leave(&scope),
            }
        }
        self.refused.retain(|scope, _| wanted.contains_key(scope));
        for (scope, settings) in &*wanted {
            let is_leaving = self.leaving.iter().any(|(it, _)| same_queue(it, settings));
            if !is_leaving && !self.lanes.contains_key(scope) {
                self.begin(scope, settings).await;
            }
        }
    }

    fn leave(&mut self, scope: &Scope) {
        let Some(worked) = self.lanes.remove(scope) else {
            return;
        };
        tracing::info!(%scope, task_queue = worked.settings.task_queue, "a scope's lane is not worked any more");
        let drain = self.config.drain;
        let stopped = tokio::spawn(async move { worked.lane.stop(drain).await });
        self.leaving.push((worked.settings, stopped));
    }

    async fn begin(&mut self, scope: &Scope, settings: &LaneSettings) {
        let temporal = self.directory.temporal_of(settings);
        let config = LaneConfig {
            task_queue: settings.task_queue.clone(),
            workflow_tasks: DEDICATED_TASKS,
            ..self.config.clone()
        };
        let home = Arc::new(Home::of(scope.clone(), settings.clone()));
        let (resolver, rooms) = (self.resolver.clone(), self.rooms.clone());
        match Lane::start(&temporal, &config, resolver, rooms, home).await {
            Ok(lane) => {
                tracing::info!(
                    %scope, namespace = temporal.namespace(), task_queue = settings.task_queue,
                    "a scope's own lane is worked"
                );
                let settings = settings.clone();
                self.lanes.insert(scope.clone(), Worked { settings, lane });
                self.refused.remove(scope);
            }
            Err(error) => {
                let why = error.detail().to_owned();
                if self.refused.get(scope) != Some(&why) {
                    tracing::error!(
                        code = %error.code(), %scope, cause = error.source_text(),
                        "a scope's lane cannot be worked, and is tried again: {why}"
                    );
                    self.refused.insert(scope.clone(), why);
                }
            }
        }
    }

    async fn stop(mut self, drain: Duration) {
        let lanes = self.lanes.drain();
        join_all(lanes.map(|(_, worked)| worked.lane.stop(drain))).await;
        let leaving = join_all(self.leaving.into_iter().map(|(_, stopped)| stopped));
        // They began to stop before, and within the same time.
        let _ = timeout(drain, leaving).await;
    }
}

/// Starts to work all lanes. Must be called within a Tokio runtime.
///
/// # Errors
/// `host-config-invalid` for settings Core refuses, `temporal-unavailable` when the namespace cannot be used.
pub async fn start_lanes(
    temporal: &Temporal,
    config: &LaneConfig,
    directory: Arc<Directory>,
    of: Means,
) -> Result<Lanes> {
    let ceilings = config.ceilings.clone();
    let resolver = Resolver::new(of.store, of.sandbox, of.keys, ceilings, of.codec);
    Lanes::start(temporal, config, Arc::new(resolver), directory).await
}

/// What lanes are worked with.
pub struct Means {
    /// What may run, and on which terms.
    pub store: Store,
    /// Where it runs.
    pub sandbox: Arc<tenterhook_sandbox::Sandbox>,
    /// What contexts are signed with.
    pub keys: Arc<tenterhook_domain::context::ContextKeys>,
    /// What payloads are encrypted with.
    pub codec: Arc<crate::Codec>,
}
