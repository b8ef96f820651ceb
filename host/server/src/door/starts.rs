//! Starts of a tenant: a bucket in the store that all hosts take from.
//!
//! A host takes what a tenth of a second brings at once, so that a busy tenant costs ten writes a second and not one a
//! start. What it took and did not use yet it keeps: so many starts, on each host, may come later than they were taken.

use tenterhook_domain::{Result, TenantId, quota::Quotas};
use tenterhook_store::{Store, Taken};

/// How many times a second a busy host takes starts out of the bucket.
const TAKES_PER_SECOND: u64 = 10;

/// What this host has of a tenant's starts.
#[derive(Default)]
pub(super) struct Starts {
    left: u64,
    /// The rate and burst that they were taken at.
    of: (u64, u64),
    /// The bucket has none before: nobody needs to ask. In milliseconds since the Unix epoch.
    empty_until: u64,
}

impl Starts {
    /// Takes `wanted`, all or none.
    ///
    /// # Errors
    /// `quota-exceeded` when there is none, with the time until there is one; `store-failed`.
    pub(super) async fn take(
        &mut self,
        store: &Store,
        tenant: &TenantId,
        quotas: &Quotas,
        wanted: u64,
        now: u64,
    ) -> Result<()> {
        let of = (quotas.starts_per_second, quotas.starts_burst);
        if self.of != of {
            *self = Self {
                of,
                ..Self::default()
            };
        }
        if self.left < wanted {
            if now < self.empty_until {
                return Err(super::too_fast(tenant, quotas, self.empty_until - now));
            }
            let number = chunk(quotas).max(wanted - self.left);
            let taken = store.allowances.take_starts(tenant, quotas, number, now);
            match taken.await? {
                Taken::All => self.left += number,
                Taken::None(wait) => {
                    let millis = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1);
                    // Where many are missing, there may be one.
                    if wanted == 1 {
                        self.empty_until = now.saturating_add(millis);
                    }
                    return Err(super::too_fast(tenant, quotas, millis));
                }
            }
        }
        self.left -= wanted;
        Ok(())
    }
}

/// How many starts a host takes at once.
fn chunk(quotas: &Quotas) -> u64 {
    let tenth = quotas.starts_per_second.div_ceil(TAKES_PER_SECOND);
    tenth.clamp(1, quotas.starts_burst.max(1))
}
