//! What waits to be repeated: a few of each tenant, next by what was used.

use std::{
    collections::HashMap,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tenterhook_domain::TenantId;

use crate::fair::{FairQueue, Flow, Turn};

/// Most that wait.
const WAITING_MAX: usize = 64;
/// Most of one tenant that wait: who has many runs leaves room for others.
const WAITING_OF_TENANT_MAX: usize = 16;

/// A bounded queue that never lets its callers wait.
pub(super) struct Waiting<T> {
    state: Mutex<State<T>>,
    more: Condvar,
}

struct State<T> {
    items: FairQueue<T>,
    by_tenant: HashMap<TenantId, usize>,
    all: usize,
    closed: bool,
}

impl<T> Default for Waiting<T> {
    fn default() -> Self {
        let state = State {
            items: FairQueue::default(),
            by_tenant: HashMap::new(),
            all: 0,
            closed: false,
        };
        Self {
            state: Mutex::new(state),
            more: Condvar::new(),
        }
    }
}

impl<T> Waiting<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // No code of others runs under the lock, so a poisoned state is still a whole one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues `item`, or drops it where as many wait as may: false.
    pub(super) fn push(&self, flow: &Flow, item: T) -> bool {
        let mut state = self.lock();
        let of_tenant = state.by_tenant.get(&flow.tenant).copied().unwrap_or(0);
        if state.closed || state.all >= WAITING_MAX || of_tenant >= WAITING_OF_TENANT_MAX {
            // What it holds is let go of outside of the lock.
            drop(state);
            drop(item);
            return false;
        }
        state.items.push(flow, item);
        state.all += 1;
        *state.by_tenant.entry(flow.tenant.clone()).or_default() += 1;
        drop(state);
        self.more.notify_one();
        true
    }

    /// Waits for the next; nothing once it is closed.
    pub(super) fn next(&self) -> Option<(Turn, T)> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            if let Some((turn, item)) = state.items.pop(|_| true) {
                state.took(turn.tenant());
                return Some((turn, item));
            }
            let woken = self.more.wait(state);
            state = woken.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Charges its tenant with the processor time that a turn took.
    pub(super) fn settle(&self, turn: Turn, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.lock().items.settle(turn, nanos);
    }

    /// Lets whoever takes from it end.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.more.notify_all();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.lock().closed
    }
}

impl<T> State<T> {
    fn took(&mut self, tenant: &TenantId) {
        self.all -= 1;
        if let Some(number) = self.by_tenant.get_mut(tenant) {
            *number -= 1;
            if *number == 0 {
                self.by_tenant.remove(tenant);
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn flow(tenant: &str) -> Flow {
        Flow {
            tenant: tenant.parse().unwrap(),
            plugin: "payment".parse().unwrap(),
            weight: 1,
        }
    }

    #[test]
    fn one_tenant_leaves_room_and_what_is_too_much_is_dropped() {
        let waiting = Waiting::default();
        let pushed = |tenant: &str| {
            let all = (0..WAITING_MAX).filter(|number| waiting.push(&flow(tenant), *number));
            all.count()
        };
        assert_eq!(pushed("greedy"), WAITING_OF_TENANT_MAX);
        let others: usize = ["b", "c", "d", "e"].map(pushed).iter().sum();
        assert_eq!(others, WAITING_MAX - WAITING_OF_TENANT_MAX);
        let (turn, _) = waiting.next().unwrap();
        let again = turn.tenant().clone();
        waiting.settle(turn, Duration::from_millis(1));
        assert!(
            waiting.push(&flow(again.as_str()), 0),
            "its place is free again"
        );
    }

    #[test]
    fn who_used_less_is_next() {
        let waiting = Waiting::default();
        for number in 0..3 {
            assert!(waiting.push(&flow("heavy"), ("heavy", number)));
            assert!(waiting.push(&flow("light"), ("light", number)));
        }
        let mut order = Vec::new();
        for _ in 0..4 {
            let (turn, (tenant, _)) = waiting.next().unwrap();
            let millis = if tenant == "heavy" { 50 } else { 1 };
            waiting.settle(turn, Duration::from_millis(millis));
            order.push(tenant);
        }
        assert_eq!(order, ["heavy", "light", "light", "light"]);
    }

    #[test]
    fn closed_it_takes_and_gives_nothing() {
        let waiting = Waiting::default();
        assert!(waiting.push(&flow("a"), 1));
        waiting.close();
        assert!(!waiting.push(&flow("a"), 2));
        assert!(waiting.next().is_none());
    }
}
