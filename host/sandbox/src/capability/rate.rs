//! How often plugins do something: a bucket for each plugin of each scope, on this host.
//!
//! Each plugin has a rate of its own, which may change with its grants: the rate is brought along and not kept.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use tenterhook_domain::{PluginName, Scope};

use crate::owner::Owner;

/// Most plugins that are remembered; with more, those go that did nothing within the last second.
const OWNERS_MAX: usize = 10_000;
/// What a bucket holds: as much as comes in so long.
const BURST: Duration = Duration::from_secs(1);

/// When the bucket of each plugin is full again.
#[derive(Default)]
pub(super) struct Rates {
    full_again: Mutex<HashMap<(Scope, PluginName), Instant>>,
}

impl Rates {
    /// Takes one out of the bucket of `owner`, which gets `per_second`; false when there is none.
    pub(super) fn take(&self, owner: &Owner, per_second: u64) -> bool {
        self.take_at(owner, per_second, Instant::now())
    }

    fn take_at(&self, owner: &Owner, per_second: u64, now: Instant) -> bool {
        let Some(each) = u32::try_from(per_second)
            .ok()
            .and_then(|rate| BURST.checked_div(rate))
        else {
            return false;
        };
        let mut buckets = self
            .full_again
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= OWNERS_MAX {
            buckets.retain(|_, full_again| *full_again > now);
        }
        let key = (owner.scope.clone(), owner.plugin.clone());
        let full_again = buckets.entry(key).or_insert(now);
        let then = (*full_again).max(now) + each;
        if then > now + BURST {
            return false;
        }
        *full_again = then;
        true
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use tenterhook_domain::Digest;

    use super::*;

    fn owner(scope: &str) -> Owner {
        Owner {
            scope: scope.parse().unwrap(),
            plugin: "payment".parse().unwrap(),
            digest: Digest::of(b""),
        }
    }

    #[test]
    fn each_plugin_has_what_its_rate_brings() {
        let rates = Rates::default();
        let (acme, globex) = (owner("acme/production"), owner("globex/production"));
        let begin = Instant::now();
        let taken = |owner: &Owner, millis| {
            let at = begin + Duration::from_millis(millis);
            (0..9).filter(|_| rates.take_at(owner, 4, at)).count()
        };
        assert_eq!(taken(&acme, 0), 4);
        assert_eq!(taken(&globex, 0), 4);
        assert_eq!(taken(&acme, 500), 2);
        assert_eq!(taken(&acme, 60_000), 4);
        assert!(!rates.take(&globex, 0));
    }
}
