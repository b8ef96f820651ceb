//! The door: what a tenant may ask of the hosts at once, held against its quotas before anything is done for it.
//!
//! | quota | how it is counted |
//! | --- | --- |
//! | `starts_per_second`, `starts_burst` | a bucket in the store, shared by all hosts (`starts`) |
//! | `open_executions` | by Temporal's visibility, with the host's own starts since (`open`) |
//! | `requests_at_once` | by this host |
//! | `releases`, `component_bytes` | by the store, in the transaction that adds a release |
//! | `state_bytes` | by the store, in the transaction that writes a key |
//! | `weight` | nowhere: it refuses nothing, it weighs the tenant against others |
//! | `schedules` | by Temporal's list, with the host's own since (`schedules`) |

mod open;
mod schedules;
mod starts;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use tenterhook_domain::{
    Code, Error, Result, TenantId,
    quota::{QuotaOverrides, Quotas, exceeded},
};
use tokio::sync::Mutex as AsyncMutex;

use self::{open::Open, schedules::Known, starts::Starts};
use crate::ApiState;

/// How long quotas are believed that another host may have changed, in milliseconds.
const QUOTAS_FRESH_MILLIS: u64 = 1_000;
/// A tenant's refusals stand in the log this often at most, in milliseconds.
const REFUSALS_SAID_MILLIS: u64 = 1_000;
/// Tenants that are remembered; one over it forgets those that have no request under way.
const TENANTS_MAX: usize = 10_000;

/// What is counted of all tenants.
#[derive(Default)]
pub(crate) struct Door {
    tenants: Mutex<HashMap<TenantId, Arc<Counted>>>,
}

/// What is counted of one tenant.
#[derive(Default)]
struct Counted {
    /// Its quotas, and when they were read.
    quotas: Mutex<Option<(Quotas, u64)>>,
    executions: AsyncMutex<Executions>,
    /// Which schedules it has; held while one is made.
    schedules: AsyncMutex<Known>,
    requests: AtomicU64,
    refusals: Mutex<Refusals>,
}

/// What decides on starts. One start of a tenant after the other, so that of two that would take the last place one
/// finds it taken.
#[derive(Default)]
struct Executions {
    starts: Starts,
    open: Open,
}

/// Refusals that are not told of yet.
#[derive(Default)]
struct Refusals {
    number: u64,
    said_at: u64,
}

/// A request under way; dropping it makes room for the next.
pub(crate) struct Place(Arc<Counted>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.requests.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Door {
    /// Lets a request of `tenant` in.
    ///
    /// # Errors
    /// `quota-exceeded` when as many are under way as may be; `tenant-not-found`; `store-failed`.
    pub(crate) async fn enter(&self, state: &ApiState, tenant: &TenantId) -> Result<Place> {
        let counted = self.of(tenant);
        let quotas = counted.quotas(state, tenant).await?;
        let under_way = counted.requests.fetch_add(1, Ordering::Relaxed);
        let place = Place(counted);
        let checked = quotas.check(tenant, "requests_at_once", under_way, under_way + 1);
        match checked {
            Ok(()) => Ok(place),
            Err(error) => Err(place.0.refused(state, tenant, error)),
        }
    }

    /// Lets `tenant` start an execution, and says with how many shares of the lane: nothing was asked of Temporal for it
    /// when it may not.
    ///
    /// # Errors
    /// `quota-exceeded`, with the time after which to try again; `tenant-not-found`; `store-failed`.
    pub(crate) async fn start(&self, state: &ApiState, tenant: &TenantId) -> Result<u16> {
        self.starts(state, tenant, 1).await
    }

    /// The same for `number` of them, all or none. More than the bucket holds are let in when it is full.
    pub(crate) async fn starts(
        &self,
        state: &ApiState,
        tenant: &TenantId,
        number: u64,
    ) -> Result<u16> {
        let counted = self.of(tenant);
        let quotas = counted.quotas(state, tenant).await?;
        let admitted = async {
            let mut executions = counted.executions.lock().await;
            let Executions { starts, open } = &mut *executions;
            let now = state.clock.now_millis();
            let used = open.refreshed(state, tenant, now).await;
            let wanted = used.saturating_add(number);
            quotas.check(tenant, "open_executions", used, wanted)?;
            starts
                .take(&state.store, tenant, &quotas, number, now)
                .await?;
            open.note(number, now);
            Ok(quotas.shares())
        };
        let admitted: Result<u16> = admitted.await;
        admitted.map_err(|error| counted.refused(state, tenant, error))
    }

    /// How many shares of the lane `tenant` has.
    ///
    /// # Errors
    /// `tenant-not-found`; `store-failed`.
    pub(crate) async fn weight(&self, state: &ApiState, tenant: &TenantId) -> Result<u16> {
        let quotas = self.of(tenant).quotas(state, tenant).await?;
        Ok(quotas.shares())
    }

    /// Forgets the quotas of `tenant`: they were changed here.
    pub(crate) fn forget(&self, tenant: &TenantId) {
        *lock(&self.of(tenant).quotas) = None;
    }

    /// How much of each quota `tenant` uses now; none of a quota that cannot be counted, for Temporal is away.
    ///
    /// # Errors
    /// `tenant-not-found`; `store-failed`.
    pub(crate) async fn used(
        &self,
        state: &ApiState,
        tenant: &TenantId,
        set: &QuotaOverrides,
    ) -> Result<HashMap<&'static str, u64>> {
        let (counted, now) = (self.of(tenant), state.clock.now_millis());
        let allowances = &state.store.allowances;
        let kept = allowances.kept(tenant).await?;
        let taken = allowances
            .starts_taken(tenant, &set.in_force(), now)
            .await?;
        let started = counted.executions.lock().await.open.last_second(now);
        let mut used = HashMap::from([
            ("starts_per_second", started),
            ("starts_burst", taken),
            ("requests_at_once", counted.requests.load(Ordering::Relaxed)),
            ("releases", kept.releases),
            ("component_bytes", kept.component_bytes),
            ("state_bytes", kept.state_bytes),
        ]);
        if let Ok(open) = state.executions.count_open(tenant, now).await {
            used.insert("open_executions", open);
        }
        let known = &counted.schedules;
        if let Ok(there) = known.lock().await.all(state, tenant, now).await {
            used.insert("schedules", there.len() as u64);
        }
        Ok(used)
    }

    fn of(&self, tenant: &TenantId) -> Arc<Counted> {
        let mut tenants = lock(&self.tenants);
        if let Some(counted) = tenants.get(tenant) {
            return counted.clone();
        }
        if tenants.len() >= TENANTS_MAX {
            tenants.retain(|_, counted| Arc::strong_count(counted) > 1);
        }
        tenants.entry(tenant.clone()).or_default().clone()
    }
}

impl Counted {
    async fn quotas(&self, state: &ApiState, tenant: &TenantId) -> Result<Quotas> {
        let now = state.clock.now_millis();
        if let Some((quotas, read_at)) = *lock(&self.quotas)
            && now < read_at.saturating_add(QUOTAS_FRESH_MILLIS)
        {
            return Ok(quotas);
        }
        let quotas = state.store.allowances.quotas(tenant).await?.in_force();
        *lock(&self.quotas) = Some((quotas, now));
        Ok(quotas)
    }

    /// Tells of refusals in the log, with how many there were since it did so last.
    fn refused(&self, state: &ApiState, tenant: &TenantId, error: Error) -> Error {
        if error.code() != Code::QuotaExceeded {
            return error;
        }
        let now = state.clock.now_millis();
        let mut refusals = lock(&self.refusals);
        refusals.number += 1;
        if now >= refusals.said_at.saturating_add(REFUSALS_SAID_MILLIS) {
            tracing::warn!(
                %tenant, code = %error.code(), refused = refusals.number, "requests of a tenant were refused: {error}"
            );
            *refusals = Refusals {
                number: 0,
                said_at: now,
            };
        }
        error
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The refusal of a start for which the bucket has to fill for `millis`.
fn too_fast(tenant: &TenantId, quotas: &Quotas, millis: u64) -> Error {
    let rate = quotas.starts_per_second;
    let wait = std::time::Duration::from_millis(millis);
    exceeded(tenant, "starts_per_second", rate, rate).retry_after(wait)
}
