//! The runs this host keeps in memory between activations.
//!
//! A run is taken out while it is activated, so that there is never more than one activation of it, and put
//! back before its completion is sent, so that the next activation finds it.

mod ledger;

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tenterhook_domain::{PluginName, Scope};
use tenterhook_sandbox::MemoryBudget;
use tenterhook_workflow::{ReleasePin, Run};

use self::ledger::Ledger;

#[derive(Default)]
struct Cached {
    runs: HashMap<String, Run>,
    ledger: Ledger,
}

/// Runs by run id. So many are kept as the kernel's memory mappings allow, and as leave room in the memory of all
/// instances: those that are under way, attempts and replays take it from the runs that are only kept.
pub(crate) struct Runs {
    cached: Mutex<Cached>,
    runs_max: usize,
    memory: Arc<MemoryBudget>,
}

impl Runs {
    pub(crate) fn new(runs_max: usize, memory: Arc<MemoryBudget>) -> Self {
        Self {
            cached: Mutex::default(),
            runs_max,
            memory,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Cached> {
        // No code of others runs under the lock, so a poisoned state is still a whole one.
        self.cached.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a run out: to activate it, or to drop it.
    pub(crate) fn take(&self, run_id: &str) -> Option<Run> {
        let mut cached = self.lock();
        cached.ledger.remove(run_id);
        cached.runs.remove(run_id)
    }

    /// Puts a run back. Answers the runs to evict when all together are more than they may be.
    pub(crate) fn put(&self, run_id: &str, run: Run) -> Vec<String> {
        let (bytes, identity) = (run.memory_bytes(), run.identity());
        let (tenant, weight) = (identity.scope.tenant.clone(), identity.weight);
        let mut cached = self.lock();
        cached.ledger.enter(run_id, (&tenant, weight), bytes);
        cached.runs.insert(run_id.to_owned(), run);
        cached.ledger.shed(self.runs_max, self.memory.excess())
    }

    /// The runs to evict now: memory may have become short without any run put back.
    pub(crate) fn shed(&self) -> Vec<String> {
        let mut cached = self.lock();
        cached.ledger.shed(self.runs_max, self.memory.excess())
    }

    /// The runs of a plugin that are kept now and wait for nothing of this host's, each with its release.
    pub(crate) fn of(&self, plugin: &(Scope, PluginName)) -> Vec<(String, ReleasePin)> {
        let cached = self.lock();
        let runs = cached.runs.iter().filter_map(|(run_id, run)| {
            let of = run.identity();
            let is_of = of.plugin == plugin.1 && of.scope == plugin.0;
            let is_idle = is_of && !run.waits_locally();
            is_idle.then(|| (run_id.clone(), of.release()))
        });
        runs.collect()
    }

    /// The plugins whose runs are kept now.
    pub(crate) fn plugins(&self) -> Vec<(Scope, PluginName)> {
        let cached = self.lock();
        let runs = cached.runs.values().map(Run::identity);
        let plugins: HashSet<_> = runs
            .map(|run| (run.scope.clone(), run.plugin.clone()))
            .collect();
        plugins.into_iter().collect()
    }

    /// Drops every run of a lane: Core sends no evictions when it shuts down.
    pub(crate) fn drop_of(&self, namespace: &str, task_queue: &str) {
        let mut cached = self.lock();
        let runs = cached.runs.iter();
        let of_lane = runs.filter(|(_, run)| {
            let of = run.identity();
            of.namespace == namespace && of.task_queue == task_queue
        });
        let ids: Vec<String> = of_lane.map(|(id, _)| id.clone()).collect();
        let drop_one = |id: &String| {
            cached.ledger.remove(id);
            cached.runs.remove(id)
        };
        let dropped: Vec<Option<Run>> = ids.iter().map(drop_one).collect();
        drop(cached);
        drop(dropped);
    }

    /// How many runs are kept now, and the linear memory they hold in bytes.
    pub(crate) fn size(&self) -> (usize, u64) {
        self.lock().ledger.size()
    }
}
