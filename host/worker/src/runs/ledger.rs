//! Who holds how much of what runs may hold together, and whose run goes when it is too much.

use std::collections::{BTreeMap, HashMap};

use tenterhook_domain::TenantId;

/// How much all runs may be together.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budget {
    /// Linear memory, in bytes.
    pub(crate) bytes: u64,
    /// Runs: each takes memory mappings, of which the kernel gives a process only so many.
    pub(crate) runs: usize,
}

/// What is kept of each run, but the run.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    entries: HashMap<String, Entry>,
    tenants: HashMap<TenantId, Held>,
    uses: u64,
    bytes: u64,
}

#[derive(Debug)]
struct Entry {
    tenant: TenantId,
    used: u64,
    bytes: u64,
}

/// What a tenant's runs hold.
#[derive(Debug, Default)]
struct Held {
    /// Run ids by when they were last used, the oldest first.
    by_use: BTreeMap<u64, String>,
    bytes: u64,
}

impl Ledger {
    /// Enters a run that was used just now.
    pub(super) fn enter(&mut self, run_id: &str, tenant: &TenantId, bytes: u64) {
        self.remove(run_id);
        self.uses += 1;
        let used = self.uses;
        let held = self.tenants.entry(tenant.clone()).or_default();
        held.by_use.insert(used, run_id.to_owned());
        held.bytes += bytes;
        self.bytes += bytes;
        let entry = Entry {
            tenant: tenant.clone(),
            used,
            bytes,
        };
        self.entries.insert(run_id.to_owned(), entry);
    }

    /// Takes a run out, where it is.
    pub(super) fn remove(&mut self, run_id: &str) {
        let Some(entry) = self.entries.remove(run_id) else {
            return;
        };
        self.bytes -= entry.bytes;
        if let Some(held) = self.tenants.get_mut(&entry.tenant) {
            held.by_use.remove(&entry.used);
            held.bytes -= entry.bytes;
            if held.by_use.is_empty() {
                self.tenants.remove(&entry.tenant);
            }
        }
    }

    /// The run to evict when all together are more than they may be: of the tenant that holds most, the one that was
    /// not used for longest. So whoever fills the budget pays for it with runs of its own.
    pub(super) fn too_much(&self, budget: Budget) -> Option<&str> {
        if self.bytes > budget.bytes {
            return self.oldest_of_most(|held| held.bytes);
        }
        if self.entries.len() > budget.runs {
            return self.oldest_of_most(|held| held.by_use.len() as u64);
        }
        None
    }

    fn oldest_of_most(&self, holds: impl Fn(&Held) -> u64) -> Option<&str> {
        let most = self.tenants.values().max_by_key(|held| holds(held))?;
        let (_, oldest) = most.by_use.first_key_value()?;
        Some(oldest)
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

    fn enter(ledger: &mut Ledger, run_id: &str, tenant: &str, bytes: u64) {
        ledger.enter(run_id, &tenant.parse().unwrap(), bytes);
    }

    #[test]
    fn who_holds_most_memory_pays_with_its_oldest() {
        let budget = Budget {
            bytes: 100,
            runs: 9,
        };
        let mut ledger = Ledger::default();
        enter(&mut ledger, "old", "modest", 20);
        enter(&mut ledger, "first", "greedy", 40);
        enter(&mut ledger, "second", "greedy", 40);
        assert_eq!(ledger.too_much(budget), None);
        enter(&mut ledger, "new", "modest", 10);
        assert_eq!(ledger.too_much(budget), Some("first"));
        // Used again, it is not the oldest any more.
        ledger.remove("first");
        assert_eq!(ledger.too_much(budget), None);
        enter(&mut ledger, "first", "greedy", 40);
        assert_eq!(ledger.too_much(budget), Some("second"));
    }

    #[test]
    fn who_holds_most_runs_pays_when_runs_are_too_many() {
        let budget = Budget {
            bytes: 100,
            runs: 3,
        };
        let mut ledger = Ledger::default();
        enter(&mut ledger, "large", "modest", 90);
        for run_id in ["a", "b", "c"] {
            enter(&mut ledger, run_id, "greedy", 1);
        }
        assert_eq!(ledger.too_much(budget), Some("a"));
    }

    #[test]
    fn what_is_gone_is_not_counted() {
        let mut ledger = Ledger::default();
        enter(&mut ledger, "a", "acme", 5);
        enter(&mut ledger, "a", "acme", 7);
        assert_eq!(ledger.size(), (1, 7));
        ledger.remove("a");
        ledger.remove("a");
        assert_eq!(ledger.size(), (0, 0));
        assert!(ledger.tenants.is_empty());
    }
}
