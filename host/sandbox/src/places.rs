//! Places, of which a host has so many, shared between tenants: those that attempts run in, those that outbound
//! connections take.
//!
//! Both may be held for hours by who does nothing with them, so processor time alone does not share them. Each tenant
//! has a share that it can always fill while any place is free; what it takes above that is borrowed, and the last places
//! are never lent. Whoever has fewest, by the weight of its tenant, is served first when a place becomes free.

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

/// Numbers are compared by this part of a share.
const WEIGHT_SCALE: usize = 1_024;

/// So many places.
#[derive(Debug, Clone)]
pub struct Places {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    free: usize,
    bounds: Bounds,
    /// How many of one tenant may wait, and how many of all.
    waiting_max: (usize, usize),
    tenants: HashMap<TenantId, Tenant>,
}

/// What is whose, in places.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    /// Of a tenant with weight one.
    share: usize,
    /// Of any tenant: however many shares it has, what is never lent is others'.
    own_max: usize,
    kept_free: usize,
}

impl Bounds {
    fn of(number: usize) -> Self {
        let kept_free = number / KEPT_FREE;
        Self {
            share: (number / SHARES).max(1),
            own_max: (number - kept_free).max(1),
            kept_free,
        }
    }

    /// How many are a tenant's own.
    fn own(self, weight: usize) -> usize {
        (self.share * weight).min(self.own_max)
    }
}

#[derive(Debug)]
struct Tenant {
    /// How many shares it has, as was said last. At least one.
    weight: usize,
    taken: usize,
    waiting: VecDeque<oneshot::Sender<Place>>,
}

/// A place. Dropping it gives it back.
#[derive(Debug)]
pub struct Place {
    tenant: TenantId,
    of: Option<Places>,
}

impl Places {
    /// So many places, for which at most `of_tenant_max` of one tenant wait, and `of_all_max` of all.
    pub fn new(number: usize, of_tenant_max: usize, of_all_max: usize) -> Self {
        let state = State {
            free: number,
            bounds: Bounds::of(number),
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

    /// Waits for a place of a tenant with `weight` shares. Nothing where as many of the tenant wait as may; or where as many of all do, and of
    /// this tenant most.
    pub async fn take(&self, tenant: &TenantId, weight: u16) -> Option<Place> {
        let waiting = {
            let mut state = self.lock();
            let (sender, waiting) = oneshot::channel();
            let (of_tenant_max, _) = state.waiting_max;
            let entry = state.tenants.entry(tenant.clone()).or_default();
            entry.weight = usize::from(weight.max(1));
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

    /// True if a tenant with `weight` shares has fewer places than are its own.
    pub(crate) fn owes(&self, tenant: &TenantId, weight: u16) -> bool {
        let state = self.lock();
        let taken = state.tenants.get(tenant).map_or(0, |tenant| tenant.taken);
        taken < state.bounds.own(usize::from(weight.max(1)))
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

impl Default for Tenant {
    fn default() -> Self {
        Self {
            weight: 1,
            taken: 0,
            waiting: VecDeque::new(),
        }
    }
}

impl Tenant {
    /// So many of its own as one with weight one has by `number`.
    fn by_weight(&self, number: usize) -> usize {
        number * WEIGHT_SCALE / self.weight
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
                .max_by_key(|tenant| tenant.by_weight(tenant.waiting.len()))
        {
            most.waiting.pop_back();
        }
    }

    /// Who gets a place now: of those who may have one, the tenant with fewest.
    fn next(&mut self) -> Option<(TenantId, oneshot::Sender<Place>)> {
        let (free, bounds) = (self.free, self.bounds);
        let may_have = |tenant: &Tenant| {
            let is_owed = tenant.taken < bounds.own(tenant.weight);
            !tenant.waiting.is_empty() && free > if is_owed { 0 } else { bounds.kept_free }
        };
        loop {
            let tenants = self.tenants.iter_mut();
            let (name, tenant) = tenants
                .filter(|(_, tenant)| may_have(tenant))
                .min_by_key(|(_, tenant)| tenant.by_weight(tenant.taken))?;
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
        places.take(&tenant(name), 1).now_or_never().flatten()
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
        let mut more_greedy = std::pin::pin!(places.take(&greedy, 1));
        assert!(more_greedy.as_mut().now_or_never().is_none());
        let mut waiting = std::pin::pin!(places.take(&second, 1));
        let mut also = std::pin::pin!(places.take(&first, 1));
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
        let mut first = Box::pin(places.take(&name, 1));
        let mut second = Box::pin(places.take(&name, 1));
        assert!(first.as_mut().now_or_never().is_none());
        assert!(second.as_mut().now_or_never().is_none());
        assert!(
            matches!(places.take(&name, 1).now_or_never(), Some(None)),
            "a third does not wait"
        );
        drop(first);
        let mut third = Box::pin(places.take(&name, 1));
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
        let mut many: Vec<_> = (0..3).map(|_| Box::pin(places.take(&greedy, 1))).collect();
        for waiting in &mut many {
            assert!(waiting.as_mut().now_or_never().is_none());
        }
        let mut one = Box::pin(places.take(&modest, 1));
        assert!(one.as_mut().now_or_never().is_none(), "it may wait");
        assert!(
            matches!(many[2].as_mut().now_or_never(), Some(None)),
            "the newest of most goes"
        );
        assert!(many[0].as_mut().now_or_never().is_none());
    }

    #[tokio::test]
    async fn who_has_more_shares_has_more_places() {
        let places = Places::new(16, 100, 100);
        let (heavy, light) = (tenant("heavy"), tenant("light"));
        let mut of_light: Vec<_> = (0..12).map_while(|_| try_take(&places, "light")).collect();
        assert_eq!(of_light.len(), 12);
        // Two of its own at weight one, four at weight two; and never more than what is not kept for others.
        let own = (0..16).map_while(|_| places.take(&heavy, 2).now_or_never().flatten());
        let own: Vec<_> = own.collect();
        assert_eq!(own.len(), 4);
        // A place that is given back goes to who has fewer for each share: four of two are as two of one.
        let mut more = std::pin::pin!(places.take(&heavy, 2));
        assert!(more.as_mut().now_or_never().is_none());
        let mut also = std::pin::pin!(places.take(&light, 1));
        assert!(also.as_mut().now_or_never().is_none());
        of_light.truncate(7);
        assert!(more.await.is_some());
    }

    proptest::proptest! {
        /// Where all want more than there is, places are shared by weight, to within one place each.
        #[test]
        fn places_are_shared_by_weight(weights in (1_u16..6, 1_u16..6), turns in 200_usize..400) {
            let places = Places::new(64, 1_000, 10_000);
            let names = ["first", "second"].map(tenant);
            let mut held = std::collections::VecDeque::new();
            let mut waiting: Vec<_> = Vec::new();
            let ask = |index: usize| {
                let (places, name) = (places.clone(), names[index].clone());
                let weight = [weights.0, weights.1][index];
                Box::pin(async move { (index, places.take(&name, weight).await) })
            };
            for index in [0, 1] {
                waiting.extend((0..100).map(|_| ask(index)));
            }
            let mut counts = [0_i64; 2];
            for _ in 0..turns {
                let mut still = Vec::new();
                for mut one in std::mem::take(&mut waiting) {
                    match one.as_mut().now_or_never() {
                        Some((index, Some(place))) => {
                            counts[index] += 1;
                            held.push_back((index, place));
                        }
                        Some((_, None)) => proptest::prop_assert!(false, "nobody is turned away"),
                        None => still.push(one),
                    }
                }
                waiting = still;
                // The oldest goes, and asks again.
                if let Some((index, place)) = held.pop_front() {
                    counts[index] -= 1;
                    drop(place);
                    let mut again = ask(index);
                    if again.as_mut().now_or_never().is_none() {
                        waiting.push(again);
                    }
                }
            }
            let all = counts[0] + counts[1];
            let fair = all * i64::from(weights.0) / i64::from(weights.0 + weights.1);
            proptest::prop_assert!((counts[0] - fair).abs() <= 3, "{counts:?} at {weights:?}");
        }
    }
}
