//! Who holds how much of what runs may hold together, and whose runs go when it is too much.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
};

use tenterhook_domain::TenantId;

/// Of so many of a tenant's runs, those not used for longest, the biggest goes first when memory is short.
const IDLEST: usize = 16;
/// What tenants hold is compared by this part of a share.
const WEIGHT_SCALE: u64 = 1_024;

/// What is kept of each run, but the run.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    entries: HashMap<String, Entry>,
    tenants: HashMap<TenantId, Held>,
    uses: u64,
    bytes: u64,
    /// Of runs that were told to go and are not gone.
    leaving_bytes: u64,
    leaving: usize,
}

#[derive(Debug)]
struct Entry {
    tenant: TenantId,
    used: u64,
    bytes: u64,
    leaves: bool,
}

/// What a tenant's runs hold, without those that leave.
#[derive(Debug)]
struct Held {
    /// Run ids and bytes by when they were last used, the oldest first.
    by_use: BTreeMap<u64, (String, u64)>,
    bytes: u64,
    /// The tenant's shares.
    weight: u64,
}

impl Ledger {
    /// Enters a run that was used just now, of a tenant with so many shares.
    pub(super) fn enter(&mut self, run_id: &str, (tenant, weight): (&TenantId, u16), bytes: u64) {
        self.remove(run_id);
        self.uses += 1;
        let used = self.uses;
        let held = self.tenants.entry(tenant.clone()).or_insert_with(|| Held {
            by_use: BTreeMap::new(),
            bytes: 0,
            weight: 1,
        });
        held.weight = u64::from(weight.max(1));
        held.by_use.insert(used, (run_id.to_owned(), bytes));
        held.bytes += bytes;
        self.bytes += bytes;
        let entry = Entry {
            tenant: tenant.clone(),
            used,
            bytes,
            leaves: false,
        };
        self.entries.insert(run_id.to_owned(), entry);
    }

    /// Takes a run out, where it is.
    pub(super) fn remove(&mut self, run_id: &str) {
        let Some(entry) = self.entries.remove(run_id) else {
            return;
        };
        self.bytes -= entry.bytes;
        if entry.leaves {
            self.leaving -= 1;
            self.leaving_bytes -= entry.bytes;
        } else {
            self.withdraw(&entry.tenant, entry.used);
        }
    }

    /// Takes a run from what its tenant holds.
    fn withdraw(&mut self, tenant: &TenantId, used: u64) {
        if let Some(held) = self.tenants.get_mut(tenant) {
            if let Some((_, bytes)) = held.by_use.remove(&used) {
                held.bytes -= bytes;
            }
            if held.by_use.is_empty() {
                self.tenants.remove(tenant);
            }
        }
    }

    /// The runs to evict where `excess` bytes are to be given back, or more than `runs_max` are kept: of the tenant that
    /// holds most for its shares, the biggest of those not used for longest. So whoever fills the memory pays for it with
    /// runs of its own. Each is answered once, and counts as going until it is gone or used again.
    pub(super) fn shed(&mut self, runs_max: usize, excess: u64) -> Vec<String> {
        let mut going = Vec::new();
        loop {
            let next = if excess > self.leaving_bytes {
                self.biggest_of_most()
            } else if self.entries.len() - self.leaving > runs_max {
                self.oldest_of_most()
            } else {
                break;
            };
            // All that are kept go already: the rest is held by what is under way.
            let Some((tenant, used)) = next else {
                break;
            };
            going.extend(self.tell_to_go(&tenant, used));
        }
        going
    }

    fn tell_to_go(&mut self, tenant: &TenantId, used: u64) -> Option<String> {
        let held = self.tenants.get(tenant)?;
        let run_id = held.by_use.get(&used)?.0.clone();
        self.withdraw(tenant, used);
        let entry = self.entries.get_mut(&run_id)?;
        entry.leaves = true;
        self.leaving += 1;
        self.leaving_bytes += entry.bytes;
        Some(run_id)
    }

    fn biggest_of_most(&self) -> Option<(TenantId, u64)> {
        let (tenant, held) = self.most(|held| held.bytes)?;
        let idlest = held.by_use.iter().take(IDLEST);
        let (used, _) = idlest.max_by_key(|(used, (_, bytes))| (*bytes, Reverse(**used)))?;
        Some((tenant.clone(), *used))
    }

    fn oldest_of_most(&self) -> Option<(TenantId, u64)> {
        let (tenant, held) = self.most(|held| held.by_use.len() as u64)?;
        let (used, _) = held.by_use.first_key_value()?;
        Some((tenant.clone(), *used))
    }

    /// The tenant that holds most for its shares.
    fn most(&self, holds: impl Fn(&Held) -> u64) -> Option<(&TenantId, &Held)> {
        let by_share = |held: &Held| holds(held).saturating_mul(WEIGHT_SCALE) / held.weight;
        let tenants = self.tenants.iter();
        tenants.max_by_key(|(_, held)| by_share(held))
    }

    /// How many runs there are, and the bytes they hold.
    pub(super) fn size(&self) -> (usize, u64) {
        (self.entries.len(), self.bytes)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const MANY: usize = 99;

    fn enter(ledger: &mut Ledger, run_id: &str, tenant: &str, bytes: u64) {
        ledger.enter(run_id, (&tenant.parse().unwrap(), 1), bytes);
    }

    #[test]
    fn who_holds_most_memory_pays_with_its_oldest() {
        let mut ledger = Ledger::default();
        enter(&mut ledger, "old", "modest", 20);
        enter(&mut ledger, "first", "greedy", 40);
        enter(&mut ledger, "second", "greedy", 40);
        assert!(ledger.shed(MANY, 0).is_empty());
        enter(&mut ledger, "new", "modest", 10);
        assert_eq!(ledger.shed(MANY, 10), ["first"]);
        assert!(ledger.shed(MANY, 10).is_empty(), "it goes already");
        // Used again, it is not the oldest any more.
        ledger.remove("first");
        enter(&mut ledger, "first", "greedy", 40);
        assert_eq!(ledger.shed(MANY, 10), ["second"]);
    }

    #[test]
    fn of_the_idlest_the_biggest_goes_first_and_as_many_as_are_needed() {
        let mut ledger = Ledger::default();
        for number in 0..IDLEST {
            enter(&mut ledger, &format!("small-{number}"), "greedy", 10);
        }
        enter(&mut ledger, "big", "greedy", 50);
        enter(&mut ledger, "small-3", "greedy", 10);
        // One of the idlest was used, so the big one is among them now.
        assert_eq!(ledger.shed(MANY, 55), ["big", "small-0"]);
        assert_eq!(ledger.shed(MANY, 75), ["small-1", "small-2"]);
    }

    #[test]
    fn more_shares_hold_more() {
        let mut ledger = Ledger::default();
        ledger.enter("heavy", (&"heavy".parse().unwrap(), 3), 50);
        ledger.enter("light", (&"light".parse().unwrap(), 1), 20);
        assert_eq!(ledger.shed(MANY, 1), ["light"]);
    }

    #[test]
    fn who_holds_most_runs_pays_when_runs_are_too_many() {
        let mut ledger = Ledger::default();
        enter(&mut ledger, "large", "modest", 90);
        for run_id in ["a", "b", "c"] {
            enter(&mut ledger, run_id, "greedy", 1);
        }
        assert_eq!(ledger.shed(3, 0), ["a"]);
        assert!(ledger.shed(3, 0).is_empty());
    }

    #[test]
    fn what_is_gone_is_not_counted() {
        let mut ledger = Ledger::default();
        enter(&mut ledger, "a", "acme", 5);
        enter(&mut ledger, "a", "acme", 7);
        assert_eq!(ledger.size(), (1, 7));
        assert_eq!(ledger.shed(MANY, 100), ["a"], "all there is");
        assert_eq!(ledger.size(), (1, 7));
        ledger.remove("a");
        ledger.remove("a");
        assert_eq!(ledger.size(), (0, 0));
        assert_eq!((ledger.leaving, ledger.leaving_bytes), (0, 0));
        assert!(ledger.tenants.is_empty());
    }
}
