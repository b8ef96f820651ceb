//! The runs this host keeps in memory between activations.
//!
//! A run is taken out while it is activated, so that there is never more than one activation of it, and put
//! back before its completion is sent, so that the next activation finds it.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use tenterhook_domain::{PluginName, Scope};
use tenterhook_workflow::{ReleasePin, Run};

#[derive(Default)]
struct Cached {
    runs: HashMap<String, Entry>,
    /// Run ids by when they were last used, the oldest first.
    by_use: BTreeMap<u64, String>,
    uses: u64,
    bytes: u64,
}

struct Entry {
    run: Run,
    used: u64,
    bytes: u64,
}

/// Runs by run id, bounded by the linear memory they hold. Their number is bounded by Core's own cache.
pub(crate) struct Runs {
    cached: Mutex<Cached>,
    bytes_max: u64,
}

impl Runs {
    pub(crate) fn new(bytes_max: u64) -> Self {
        Self {
            cached: Mutex::default(),
            bytes_max,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Cached> {
        // No code of others runs under the lock, so a poisoned state is still a whole one.
        self.cached.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a run out: to activate it, or to drop it.
    pub(crate) fn take(&self, run_id: &str) -> Option<Run> {
        let mut cached = self.lock();
        let entry = cached.runs.remove(run_id)?;
        cached.by_use.remove(&entry.used);
        cached.bytes -= entry.bytes;
        Some(entry.run)
    }

    /// Puts a run back. Answers the run to evict when all together hold more memory than they may: the one
    /// that was not used for longest.
    pub(crate) fn put(&self, run_id: &str, run: Run) -> Option<String> {
        let bytes = run.memory_bytes();
        let mut cached = self.lock();
        cached.uses += 1;
        let used = cached.uses;
        cached.bytes += bytes;
        cached.by_use.insert(used, run_id.to_owned());
        cached
            .runs
            .insert(run_id.to_owned(), Entry { run, used, bytes });
        if cached.bytes <= self.bytes_max {
            return None;
        }
        cached
            .by_use
            .first_key_value()
            .map(|(_, oldest)| oldest.clone())
    }

    /// The runs of a plugin that are kept now and wait for nothing of this host's, each with its release.
    pub(crate) fn of(&self, plugin: &(Scope, PluginName)) -> Vec<(String, ReleasePin)> {
        let cached = self.lock();
        let runs = cached.runs.iter().filter_map(|(run_id, entry)| {
            let run = entry.run.identity();
            let is_of = run.plugin == plugin.1 && run.scope == plugin.0;
            let is_idle = is_of && !entry.run.waits_locally();
            is_idle.then(|| (run_id.clone(), run.release()))
        });
        runs.collect()
    }

    /// The plugins whose runs are kept now.
    pub(crate) fn plugins(&self) -> Vec<(Scope, PluginName)> {
        let cached = self.lock();
        let runs = cached.runs.values().map(|entry| entry.run.identity());
        let plugins: HashSet<_> = runs
            .map(|run| (run.scope.clone(), run.plugin.clone()))
            .collect();
        plugins.into_iter().collect()
    }

    /// Drops every run: Core sends no evictions when it shuts down.
    pub(crate) fn clear(&self) {
        let dropped = std::mem::take(&mut *self.lock());
        drop(dropped);
    }

    /// How many runs are kept now, and the linear memory they hold in bytes.
    pub(crate) fn size(&self) -> (usize, u64) {
        let cached = self.lock();
        (cached.runs.len(), cached.bytes)
    }
}
