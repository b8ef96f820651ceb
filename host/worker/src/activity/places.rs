//! The places that attempts run in, shared between tenants.
//!
//! An attempt may sleep for hours in its place, so processor time alone does not share them. Each tenant has a share
//! that it can always fill while any place is free; what it takes above that is borrowed, and the last places are
//! never lent. Whoever has fewest is served first when a place becomes free.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tenterhook_domain::TenantId;
use tokio::sync::oneshot;

/// A tenant's own share is this part of all places.
const SHARES: usize = 8;
/// This part of all places is not lent to who has more than its share.
const KEPT_FREE: usize = 4;

/// The places of one lane.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    free: usize,
    share: usize,
    kept_free: usize,
    /// How many attempts of one tenant may wait, and how many of all.
    waiting_max: (usize, usize),
    tenants: HashMap<TenantId, Tenant>,
}

#[derive(Debug, Default)]
struct Tenant {
    taken: usize,
    waiting: VecDeque<oneshot::Sender<Place>>,
}

/// A place. Dropping it gives it back.
#[derive(Debug)]
pub(super) struct Place {
    tenant: TenantId,
    of: Option<Places>,
}

impl Places {
    /// So many places, for which at most `of_tenant_max` attempts of one tenant wait, and `of_all_max` of all.
    pub(super) fn new(number: usize, of_tenant_max: usize, of_all_max: usize) -> Self {
        let state = State {
            free: number,
            share: (number / SHARES).max(1),
            kept_free: number / KEPT_FREE,
            waiting_max: (of_tenant_max, of_all_max),
            tenants: HashMap::new(),
        };
        Self {
            state: Arc::new(Mutex::new(state)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code of others runs under the lock, so a poisoned state is still a whole one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a place. Nothing where as many attempts of the tenant wait as may; or where as many of all do, and of
    /// this tenant most.
    pub(super) async fn take(&self, tenant: &TenantId) -> Option<Place> {
        let waiting = {
            let mut state = self.lock();
            let (sender, waiting) = oneshot::channel();
            let (of_tenant_max, _) = state.waiting_max;
            let entry = state.tenants.entry(tenant.clone()).or_default();
            entry.waiting.retain(|waiter| !waiter.is_closed());
            if entry.waiting.len() >= of_tenant_max {
                return None;
            }
            entry.waiting.push_back(sender);
            state.turn_away();
            waiting
        };
        self.hand_out();
        waiting.await.ok()
    }

    /// Gives free places to those who wait for them.
    fn hand_out(&self) {
        loop {
            // A place that nobody takes any more is given back by its drop, which must not find the lock held.
            let refused = {
                let mut state = self.lock();
                let Some((tenant, waiter)) = state.next() else {
                    return;
                };
                let place = Place {
                    tenant,
                    of: Some(self.clone()),
                };
                waiter.send(place)
            };
            drop(refused);
        }
    }

    fn give_back(&self, tenant: &TenantId) {
        {
            let mut state = self.lock();
            state.free += 1;
            if let Some(entry) = state.tenants.get_mut(tenant) {
                entry.taken -= 1;
                if entry.taken == 0 && entry.waiting.is_empty() {
                    state.tenants.remove(tenant);
                }
            }
        }
        self.hand_out();
    }
}

impl State {
    /// Where more wait than may, the newest of the tenant of which most do goes away without a place.
    fn turn_away(&mut self) {
        let (_, of_all_max) = self.waiting_max;
        let all: usize = self
            .tenants
            .values()
            .map(|tenant| tenant.waiting.len())
            .sum();
        if all > of_all_max
            && let Some(most) = self
                .tenants
                .values_mut()
                .max_by_key(|tenant| tenant.waiting.len())
        {
            most.waiting.pop_back();
        }
    }

    /// Who gets a place now: of those who may have one, the tenant with fewest.
    fn next(&mut self) -> Option<(TenantId, oneshot::Sender<Place>)> {
        let (free, share, kept_free) = (self.free, self.share, self.kept_free);
        let may_have = |tenant: &Tenant| {
            !tenant.waiting.is_empty() && free > if tenant.taken < share { 0 } else { kept_free }
        };
        loop {
            let tenants = self.tenants.iter_mut();
            let (name, tenant) = tenants
                .filter(|(_, tenant)| may_have(tenant))
                .min_by_key(|(_, tenant)| tenant.taken)?;
            // Those that went away while they waited are passed over.
            let waiter = tenant.waiting.pop_front()?;
            if !waiter.is_closed() {
                tenant.taken += 1;
                self.free -= 1;
                return Some((name.clone(), waiter));
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(places) = self.of.take() {
            places.give_back(&self.tenant);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn tenant(name: &str) -> TenantId {
        name.parse().unwrap()
    }

    /// Takes what is given at once.
    fn try_take(places: &Places, name: &str) -> Option<Place> {
        places.take(&tenant(name)).now_or_never().flatten()
    }

    #[test]
    fn one_tenant_never_gets_the_last_places() {
        let places = Places::new(16, 100, 100);
        let greedy: Vec<_> = (0..16).map_while(|_| try_take(&places, "greedy")).collect();
        assert_eq!(greedy.len(), 12);
        // Others have their shares of what is kept free.
        let modest: Vec<_> = (0..16).map_while(|_| try_take(&places, "modest")).collect();
        assert_eq!(modest.len(), 2);
    }

    #[tokio::test]
    async fn a_free_place_goes_to_who_has_fewest() {
        let places = Places::new(4, 100, 100);
        let mut of_greedy: Vec<_> = (0..3).map_while(|_| try_take(&places, "greedy")).collect();
        assert_eq!(of_greedy.len(), 3);
        let (greedy, first, second) = (tenant("greedy"), tenant("first"), tenant("second"));
        let held = try_take(&places, "first");
        let mut more_greedy = std::pin::pin!(places.take(&greedy));
        assert!(more_greedy.as_mut().now_or_never().is_none());
        let mut waiting = std::pin::pin!(places.take(&second));
        let mut also = std::pin::pin!(places.take(&first));
        assert!(waiting.as_mut().now_or_never().is_none());
        assert!(also.as_mut().now_or_never().is_none());
        drop(of_greedy.pop());
        assert!(waiting.await.is_some(), "who had none is first");
        assert!(more_greedy.as_mut().now_or_never().is_none());
        drop(held);
        assert!(also.await.is_some());
    }

    #[test]
    fn those_that_wait_are_bounded_and_may_go_away() {
        let places = Places::new(1, 2, 100);
        let held = try_take(&places, "a").expect("it is free");
        let name = tenant("a");
        let mut first = Box::pin(places.take(&name));
        let mut second = Box::pin(places.take(&name));
        assert!(first.as_mut().now_or_never().is_none());
        assert!(second.as_mut().now_or_never().is_none());
        assert!(
            matches!(places.take(&name).now_or_never(), Some(None)),
            "a third does not wait"
        );
        drop(first);
        let mut third = Box::pin(places.take(&name));
        assert!(
            third.as_mut().now_or_never().is_none(),
            "one that went away makes room"
        );
        drop(held);
        let given = second
            .as_mut()
            .now_or_never()
            .flatten()
            .expect("it was next");
        drop(given);
        let given = third
            .as_mut()
            .now_or_never()
            .flatten()
            .expect("it was next");
        drop((given, second, third));
        assert!(places.lock().tenants.is_empty());
    }

    #[test]
    fn where_too_many_wait_the_tenant_with_most_makes_room() {
        let places = Places::new(1, 100, 3);
        let _held = try_take(&places, "first").expect("it is free");
        let (greedy, modest) = (tenant("greedy"), tenant("modest"));
        let mut many: Vec<_> = (0..3).map(|_| Box::pin(places.take(&greedy))).collect();
        for waiting in &mut many {
            assert!(waiting.as_mut().now_or_never().is_none());
        }
        let mut one = Box::pin(places.take(&modest));
        assert!(one.as_mut().now_or_never().is_none(), "it may wait");
        assert!(
            matches!(many[2].as_mut().now_or_never(), Some(None)),
            "the newest of most goes"
        );
        assert!(many[0].as_mut().now_or_never().is_none());
    }
}
