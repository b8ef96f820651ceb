//! Schedules of a tenant: those that Temporal lists, and what this host made and took away since.
//!
//! Temporal's list lags, so the host remembers its own by their ids for as long, and no schedule counts twice. By what
//! other hosts make within the lag, all of them together may go over the quota.

use std::collections::HashSet;

use tenterhook_domain::{
    Result, ScheduleId, Scope, TenantId,
    quota::{Quotas, exceeded},
};

use super::Door;
use crate::ApiState;

/// Longest until Temporal's list has what was made, in milliseconds.
const LAG_MILLIS: u64 = 5_000;
/// Most own changes that are remembered; the oldest go first.
const OWN_MAX: usize = 1_000;

/// What this host made or took away of late.
#[derive(Default)]
pub(super) struct Known {
    own: Vec<Own>,
}

struct Own {
    at: u64,
    /// `environment/id`.
    id: String,
    /// True if it was made.
    there: bool,
}

impl Known {
    /// All schedules of `tenant`, `environment/id` each. Where there are more than any quota, not all.
    ///
    /// # Errors
    /// `temporal-unavailable`.
    pub(super) async fn all(
        &mut self,
        state: &ApiState,
        tenant: &TenantId,
        now: u64,
    ) -> Result<HashSet<String>> {
        self.own
            .retain(|own| now < own.at.saturating_add(LAG_MILLIS));
        let most = Quotas::TABLE.iter().find(|row| row.name == "schedules");
        let most = most.map_or(0, |row| usize::try_from(row.highest).unwrap_or(usize::MAX));
        let mut all: HashSet<_> = state
            .schedules
            .of_tenant(tenant, most)
            .await?
            .into_iter()
            .collect();
        for own in &self.own {
            match own.there {
                true => all.insert(own.id.clone()),
                false => all.remove(&own.id),
            };
        }
        Ok(all)
    }

    fn note(&mut self, id: String, there: bool, now: u64) {
        if self.own.len() >= OWN_MAX {
            self.own.remove(0);
        }
        self.own.push(Own { at: now, id, there });
    }
}

impl Door {
    /// Lets a schedule be put by `put`, which says if it is new. One after the other of a tenant, so that of two that
    /// would take the last place one finds it taken.
    ///
    /// # Errors
    /// `quota-exceeded`; `temporal-unavailable`; what `put` refuses.
    pub(crate) async fn schedule(
        &self,
        state: &ApiState,
        (scope, id): (&Scope, &ScheduleId),
        put: impl Future<Output = Result<bool>>,
    ) -> Result<bool> {
        let (tenant, name) = (&scope.tenant, format!("{}/{id}", scope.environment));
        let counted = self.of(tenant);
        let quotas = counted.quotas(state, tenant).await?;
        let mut known = counted.schedules.lock().await;
        let now = state.clock.now_millis();
        let there = known.all(state, tenant, now).await?;
        let used = there.len() as u64;
        if used >= quotas.schedules && !there.contains(&name) {
            let refused = exceeded(tenant, "schedules", quotas.schedules, used);
            return Err(counted.refused(state, tenant, refused));
        }
        let made = put.await?;
        known.note(name, true, now);
        Ok(made)
    }

    /// Notes that a schedule was taken away.
    pub(crate) async fn schedule_gone(&self, state: &ApiState, scope: &Scope, id: &ScheduleId) {
        let counted = self.of(&scope.tenant);
        let mut known = counted.schedules.lock().await;
        let name = format!("{}/{id}", scope.environment);
        known.note(name, false, state.clock.now_millis());
    }
}
