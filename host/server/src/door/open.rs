//! Open executions of a tenant: what Temporal counted of older ones, and this host's own starts since.
//!
//! Temporal's count lags, so it is asked only for executions that began before the lag; later ones of this host are
//! counted here, open or not. So on one host never more are let in than the quota says, and an execution takes its
//! place for [`LAG_MILLIS`] at least. What other hosts start in [`FRESH_MILLIS`] and [`LAG_MILLIS`] is not seen: by so
//! much all of them together may go over it.

use std::{collections::VecDeque, time::Duration};

use tenterhook_domain::TenantId;
use tokio::time::timeout;

use crate::ApiState;

/// How long a count is believed, in milliseconds.
const FRESH_MILLIS: u64 = 2_000;
/// Longest that an execution may be open before Temporal's count has it, in milliseconds.
const LAG_MILLIS: u64 = 2_000;
/// How long a start waits for the count; then the one of before counts, and the host's own starts since.
const COUNT_WAIT: Duration = Duration::from_secs(1);
/// Starts are counted together for so long, in milliseconds.
const SLOT_MILLIS: u64 = 100;
/// Most slots that are kept while no count is to be had; with more, the two oldest become one.
const SLOTS_MAX: usize = 600;

/// What is known of a tenant's open executions.
#[derive(Default)]
pub(super) struct Open {
    /// What Temporal counted of executions that began before the first slot.
    counted: u64,
    /// When that was asked last, whether or not it answered. In milliseconds since the Unix epoch.
    asked_at: u64,
    /// When this host started how many, by the beginning of the slot.
    slots: VecDeque<(u64, u64)>,
}

impl Open {
    /// How many are open, for all that is known at `now`.
    pub(super) async fn refreshed(&mut self, state: &ApiState, tenant: &TenantId, now: u64) -> u64 {
        if now >= self.asked_at.saturating_add(FRESH_MILLIS) {
            self.asked_at = now;
            let before = slot(now.saturating_sub(LAG_MILLIS));
            let count = state.executions.count_open(tenant, before);
            match timeout(COUNT_WAIT, count).await {
                Ok(Ok(counted)) => self.take_over(counted, before),
                // The rate of starts is held all the same.
                Ok(Err(error)) => tracing::warn!(
                    %tenant, code = %error.code(), cause = error.source_text(),
                    "open executions cannot be counted, what was counted before is used: {error}"
                ),
                Err(_) => tracing::warn!(
                    %tenant, "open executions were not counted in time, what was counted before is used"
                ),
            }
        }
        self.counted.saturating_add(self.started_since(0))
    }

    /// Notes starts of this host.
    pub(super) fn note(&mut self, started: u64, now: u64) {
        let now = slot(now);
        match self.slots.back_mut() {
            Some((at, number)) if *at >= now => *number += started,
            _ => self.slots.push_back((now, started)),
        }
        if self.slots.len() > SLOTS_MAX
            && let Some((_, oldest)) = self.slots.pop_front()
            && let Some((_, next)) = self.slots.front_mut()
        {
            *next += oldest;
        }
    }

    /// Starts of this host within the last second.
    pub(super) fn last_second(&self, now: u64) -> u64 {
        self.started_since(slot(now.saturating_sub(1_000)))
    }

    fn take_over(&mut self, counted: u64, before: u64) {
        self.counted = counted;
        self.slots.retain(|(at, _)| *at >= before);
    }

    fn started_since(&self, millis: u64) -> u64 {
        let since = self.slots.iter().filter(|(at, _)| *at >= millis);
        since.map(|(_, number)| number).sum()
    }
}

/// The beginning of the slot that `millis` falls into.
fn slot(millis: u64) -> u64 {
    millis - millis % SLOT_MILLIS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_count_until_temporal_counts_them() {
        let mut open = Open::default();
        for at in [10_000, 10_050, 10_150, 11_900] {
            open.note(1, at);
        }
        assert_eq!((open.started_since(0), open.slots.len()), (4, 3));
        assert_eq!(open.last_second(12_000), 1);
        open.take_over(7, 10_100);
        assert_eq!(open.counted + open.started_since(0), 9);
        // Time that goes back adds to what is there.
        open.note(1, 9_000);
        assert_eq!(open.slots.len(), 2);
        assert_eq!(open.started_since(0), 3);
    }

    #[test]
    fn what_is_kept_is_bounded_and_loses_no_start() {
        let mut open = Open::default();
        let many = SLOTS_MAX as u64 * 3;
        for at in 0..many {
            open.note(1, at * SLOT_MILLIS);
        }
        assert_eq!(open.slots.len(), SLOTS_MAX);
        assert_eq!(open.started_since(0), many);
    }
}
