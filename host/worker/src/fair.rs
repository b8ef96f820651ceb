//! A queue that shares processor time: between tenants by weight, and between the plugins of a tenant evenly.
//!
//! Start-time fair queueing (Goyal, Vin and Cheng, 1996) on two levels. Each flow has a virtual time, which grows by
//! the processor time that its work took, divided by its weight; the waiting flow with the least is next. A flow that
//! was idle begins at the present: it can neither save up time nor is it behind for what it used when nobody waited.
//! What work will take is not known before, so it is charged with what the flow's work took of late, and put right
//! once it is done.

use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
};

use tenterhook_domain::{PluginName, Scope, TenantId};
use tenterhook_workflow::RunIdentity;

/// What a flow is charged with before anything is known of it, in nanoseconds: a small activation.
const FIRST_GUESS: u64 = 200_000;
/// Of so many pieces of work the guess is, roughly, the mean.
const GUESS_OVER: u64 = 8;
/// Virtual time is a 2¹⁰th of a nanosecond at weight one, so that weights up to this divide it well.
const SCALE: u64 = 1_024;

/// Whose work something is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Flow {
    /// Shares with all others, by weight.
    pub(crate) tenant: TenantId,
    /// Shares with the tenant's others.
    pub(crate) plugin: PluginName,
    /// How many shares the tenant has. At least one.
    pub(crate) weight: u16,
}

impl Flow {
    /// The flow of a scope's plugin, whose tenant has so many shares.
    pub(crate) fn of(scope: &Scope, plugin: &PluginName, weight: u16) -> Self {
        Self {
            tenant: scope.tenant.clone(),
            plugin: plugin.clone(),
            weight,
        }
    }
}

impl Turn {
    /// Whose turn it is.
    pub(crate) fn tenant(&self) -> &TenantId {
        &self.tenant.0
    }
}

impl From<&RunIdentity> for Flow {
    fn from(run: &RunIdentity) -> Self {
        Self::of(&run.scope, &run.plugin, run.weight)
    }
}

/// A piece of work that was taken out, to be settled.
#[derive(Debug)]
pub(crate) struct Turn {
    tenant: (TenantId, Charge),
    plugin: (PluginName, Charge),
}

#[derive(Debug, Clone, Copy)]
struct Charge {
    guess: u64,
    weight: u64,
}

/// The queue.
#[derive(Debug)]
pub(crate) struct FairQueue<T> {
    tenants: Level<TenantId, Level<PluginName, VecDeque<T>>>,
}

impl<T> Default for FairQueue<T> {
    fn default() -> Self {
        Self {
            tenants: Level::default(),
        }
    }
}

impl<T> FairQueue<T> {
    /// Queues `item` behind all of its own flow.
    pub(crate) fn push(&mut self, flow: &Flow, item: T) {
        let tenant = self.tenants.enter(&flow.tenant, flow.weight);
        tenant.enter(&flow.plugin, 1).push_back(item);
    }

    /// The item whose turn it is, of the tenants that `may` have one. What it took must be told to
    /// [`Self::settle`].
    pub(crate) fn pop(&mut self, may: impl Fn(&TenantId) -> bool) -> Option<(Turn, T)> {
        let (tenant, tenant_charge, plugins) = self.tenants.next(may)?;
        let (plugin, plugin_charge, items) = plugins.next(|_| true)?;
        let item = items.pop_front()?;
        let turn = Turn {
            tenant: (tenant, tenant_charge),
            plugin: (plugin, plugin_charge),
        };
        Some((turn, item))
    }

    /// Charges a turn that goes on with what it took so far, in nanoseconds above the guess.
    pub(crate) fn charge(&mut self, turn: &mut Turn, nanos: u64) {
        if let Some(plugins) = self.tenants.charge(&mut turn.tenant, nanos) {
            plugins.charge(&mut turn.plugin, nanos);
        }
    }

    /// True when nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        !self.tenants.is_waiting()
    }

    /// Charges a turn that is over with the processor time it took in all, in nanoseconds.
    pub(crate) fn settle(&mut self, turn: Turn, nanos: u64) {
        let ((tenant, tenant_charge), (plugin, plugin_charge)) = (turn.tenant, turn.plugin);
        if let Some(plugins) = self.tenants.settle(&tenant, tenant_charge, nanos) {
            plugins.settle(&plugin, plugin_charge, nanos);
            plugins.forget_idle();
        }
        self.tenants.forget_idle();
    }
}

/// What a flow queues: items, or flows below it.
trait Backlog: Default {
    fn is_waiting(&self) -> bool;
}

impl<T> Backlog for VecDeque<T> {
    fn is_waiting(&self) -> bool {
        !self.is_empty()
    }
}

impl<K: Eq + Hash + Clone, Q: Backlog> Backlog for Level<K, Q> {
    fn is_waiting(&self) -> bool {
        self.flows
            .values()
            .any(|account| account.backlog.is_waiting())
    }
}

/// Flows that share with one another.
#[derive(Debug)]
struct Level<K, Q> {
    flows: HashMap<K, Account<Q>>,
    /// The virtual time of whoever was served last.
    now: u64,
    entries: u64,
}

impl<K, Q> Default for Level<K, Q> {
    fn default() -> Self {
        Self {
            flows: HashMap::new(),
            now: 0,
            entries: 0,
        }
    }
}

#[derive(Debug, Default)]
struct Account<Q> {
    backlog: Q,
    /// Virtual time used.
    used: u64,
    weight: u64,
    /// What one piece of its work took of late, in nanoseconds.
    guess: u64,
    /// Pieces that were taken out and are not settled.
    running: usize,
    /// When it began to wait: of two with the same virtual time the first is next.
    entered: u64,
}

impl<K: Eq + Hash + Clone, Q: Backlog> Level<K, Q> {
    /// The backlog of `key`, to put something in. A flow that was idle begins at the present.
    fn enter(&mut self, key: &K, weight: u16) -> &mut Q {
        self.entries += 1;
        let account = self.flows.entry(key.clone()).or_insert_with(|| Account {
            guess: FIRST_GUESS,
            ..Account::default()
        });
        if !account.backlog.is_waiting() {
            account.entered = self.entries;
            // Also with work under way: who always has one piece running would save up what it does not use.
            account.used = account.used.max(self.now);
        }
        account.weight = u64::from(weight.max(1));
        &mut account.backlog
    }

    /// Of the flows that wait and `may` go on, the one with the least virtual time, charged with one piece of its
    /// work.
    fn next(&mut self, may: impl Fn(&K) -> bool) -> Option<(K, Charge, &mut Q)> {
        let waiting = self.flows.iter_mut();
        let waiting = waiting.filter(|(key, account)| account.backlog.is_waiting() && may(key));
        let (key, account) = waiting.min_by_key(|(_, account)| (account.used, account.entered))?;
        self.now = self.now.max(account.used);
        let charge = Charge {
            guess: account.guess,
            weight: account.weight,
        };
        account.used = account
            .used
            .saturating_add(charge.virtual_time(charge.guess));
        account.running += 1;
        Some((key.clone(), charge, &mut account.backlog))
    }

    fn charge(&mut self, (key, charge): &mut (K, Charge), nanos: u64) -> Option<&mut Q> {
        let account = self.flows.get_mut(key)?;
        charge.guess = charge.guess.saturating_add(nanos);
        account.used = account.used.saturating_add(charge.virtual_time(nanos));
        Some(&mut account.backlog)
    }

    fn settle(&mut self, key: &K, charge: Charge, nanos: u64) -> Option<&mut Q> {
        let account = self.flows.get_mut(key)?;
        let used = account.used.saturating_add(charge.virtual_time(nanos));
        account.used = used.saturating_sub(charge.virtual_time(charge.guess));
        account.guess = (account.guess * (GUESS_OVER - 1) + nanos) / GUESS_OVER;
        account.running -= 1;
        Some(&mut account.backlog)
    }

    /// Lets go of flows that would begin at the present anyway; of all, once nobody waits: there is nobody to be
    /// behind.
    fn forget_idle(&mut self) {
        let is_busy = |account: &Account<Q>| account.running > 0 || account.backlog.is_waiting();
        if !self.flows.values().any(is_busy) {
            return self.flows.clear();
        }
        let now = self.now;
        self.flows
            .retain(|_, account| is_busy(account) || account.used > now);
    }
}

impl Charge {
    fn virtual_time(self, nanos: u64) -> u64 {
        nanos.saturating_mul(SCALE) / self.weight
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
#[path = "fair/tests.rs"]
mod tests;
