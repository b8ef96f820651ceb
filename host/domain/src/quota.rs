//! One table of quotas: every bound on what a tenant may ask of the hosts has a name, a unit, a default and a range.
//!
//! A limit bounds what one plugin's code may use; a quota bounds what a tenant as a whole gets at the door.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    TenantId,
    error::{Code, Error, Result},
    limit::Unit,
};

/// When it is worth trying again where a quota counts requests under way, in seconds.
const RETRY_REQUESTS_SECONDS: u64 = 1;
/// The same where it counts executions: some end.
const RETRY_EXECUTIONS_SECONDS: u64 = 10;
/// The same where it counts what is kept until somebody takes it away.
const RETRY_KEPT_SECONDS: u64 = 60;

/// One row of the table.
#[derive(Debug, Clone, Copy, Serialize, utoipa::ToSchema)]
pub struct Quota {
    /// The name used in settings and refusals.
    pub name: &'static str,
    /// What it counts.
    pub unit: Unit,
    /// In force unless an admin says otherwise.
    pub default: u64,
    /// The lowest value that can be set.
    pub lowest: u64,
    /// The highest value that can be set.
    pub highest: u64,
    /// What it bounds.
    pub about: &'static str,
    /// When it is worth trying again over it, in seconds.
    #[serde(skip)]
    retry_seconds: u64,
}

macro_rules! quotas {
    ($($(#[doc = $doc:literal])+ $field:ident: $unit:ident, $default:expr, $lowest:expr, $highest:expr, $retry:expr;)+) => {
        /// The quotas in force for one tenant, or how much of each is used.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct Quotas { $($(#[doc = $doc])+ pub $field: u64,)+ }

        impl Quotas {
            /// Every quota there is.
            pub const TABLE: &'static [Quota] = &[$(Quota {
                name: stringify!($field),
                unit: Unit::$unit,
                default: $default,
                lowest: $lowest,
                highest: $highest,
                about: concat!($($doc),+),
                retry_seconds: $retry,
            },)+];

            /// None of any.
            pub const NOTHING: Self = Self { $($field: 0,)+ };

            fn field(&mut self, name: &str) -> Option<&mut u64> {
                match name { $(stringify!($field) => Some(&mut self.$field),)+ _ => None }
            }

            /// The value of the quota `name`; none if there is no such quota.
            pub fn get(&self, name: &str) -> Option<u64> {
                match name { $(stringify!($field) => Some(self.$field),)+ _ => None }
            }
        }

        impl Default for Quotas {
            fn default() -> Self {
                Self { $($field: $default,)+ }
            }
        }
    };
}

const MIB: u64 = 1024 * 1024;
const GIB: u64 = 1024 * MIB;

quotas! {
    /// Executions started in a second, on the long run and on all hosts together.
    starts_per_second: Count, 1_000, 1, 100_000, RETRY_REQUESTS_SECONDS;
    /// Executions that may be started at once after a pause.
    starts_burst: Count, 2_000, 1, 200_000, RETRY_REQUESTS_SECONDS;
    /// Executions open at once. Each counts for two seconds at least, however soon it ends.
    open_executions: Count, 1_000_000, 0, 1_000_000_000, RETRY_EXECUTIONS_SECONDS;
    /// Requests under way at once on each host; those of admins are not counted.
    requests_at_once: Count, 256, 1, 1_024, RETRY_REQUESTS_SECONDS;
    /// Releases kept: neither retired nor refused.
    releases: Count, 10_000, 0, 1_000_000, RETRY_KEPT_SECONDS;
    /// Bytes of the components of releases kept.
    component_bytes: Bytes, 16 * GIB, 0, 16_384 * GIB, RETRY_KEPT_SECONDS;
    /// Schedules of all environments.
    schedules: Count, 1_000, 0, 10_000, RETRY_KEPT_SECONDS;
    /// Bytes of key-value state of all plugins, keys included.
    state_bytes: Bytes, 4 * GIB, 0, 16_384 * GIB, RETRY_KEPT_SECONDS;
    /// Shares beside other tenants where all ask for more than there is: processor time, places of attempts, outbound connections, memory, Temporal's task queue.
    weight: Count, 1, 1, 100, RETRY_KEPT_SECONDS;
}

impl Quotas {
    /// The tenant's shares beside others.
    pub fn shares(&self) -> u16 {
        u16::try_from(self.weight).unwrap_or(u16::MAX)
    }

    /// Lets something through that would make `used` of the quota `name` into `wanted`.
    ///
    /// # Errors
    /// `quota-exceeded`, with the time after which to try again.
    pub fn check(&self, tenant: &TenantId, name: &str, used: u64, wanted: u64) -> Result<()> {
        match self.get(name) {
            Some(value) if wanted > value => Err(exceeded(tenant, name, value, used)),
            _ => Ok(()),
        }
    }
}

/// The refusal of what would go over the quota `name` of `tenant`.
pub fn exceeded(tenant: &TenantId, name: &str, value: u64, used: u64) -> Error {
    let row = Quotas::TABLE.iter().find(|row| row.name == name);
    let retry = row.map_or(RETRY_KEPT_SECONDS, |row| row.retry_seconds);
    let refused = Error::new(
        Code::QuotaExceeded,
        format!(
            "the quota {name} of tenant {tenant} is {value}, and {used} of it are used: use less, or ask an admin of the host to \
             raise it (tenterhook tenant quota set {tenant} --quota {name}=…)"
        ),
    )
    .retry_after(Duration::from_secs(retry));
    match row {
        Some(row) => refused.of_quota(tenant.clone(), row.name),
        None => refused,
    }
}

/// Quotas that an admin sets for a tenant, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct QuotaOverrides(
    #[serde(deserialize_with = "crate::whole::by_name")] pub BTreeMap<String, u64>,
);

impl utoipa::PartialSchema for QuotaOverrides {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        let rows = Quotas::TABLE.iter();
        crate::limit::numbers_by_name(
            "Quotas that an admin sets for a tenant, by name.",
            rows.map(|row| (row.name, row.about, row.lowest, row.highest)),
        )
    }
}

impl utoipa::ToSchema for QuotaOverrides {}

impl QuotaOverrides {
    /// The defaults with these values in place. What another version stored is brought into its range, or left out.
    pub fn in_force(&self) -> Quotas {
        let mut quotas = Quotas::default();
        for row in Quotas::TABLE {
            if let (Some(&value), Some(field)) = (self.0.get(row.name), quotas.field(row.name)) {
                *field = value.clamp(row.lowest, row.highest);
            }
        }
        quotas
    }

    /// Holds names and values against the table.
    ///
    /// # Errors
    /// `quota-invalid` when a name is unknown or a value outside its range.
    pub fn check(&self) -> Result<()> {
        for (name, &value) in &self.0 {
            let Some(row) = Quotas::TABLE.iter().find(|row| row.name == name) else {
                let known: Vec<_> = Quotas::TABLE.iter().map(|row| row.name).collect();
                let known = known.join(", ");
                return Err(Error::new(
                    Code::QuotaInvalid,
                    format!("there is no quota {name:?}: use one of {known}"),
                ));
            };
            if !(row.lowest..=row.highest).contains(&value) {
                let (lowest, highest) = (row.lowest, row.highest);
                return Err(Error::new(
                    Code::QuotaInvalid,
                    format!("quota {name} cannot be {value}: use {lowest} to {highest}"),
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_within_its_range() {
        for row in Quotas::TABLE {
            let range = row.lowest..=row.highest;
            assert!(range.contains(&row.default), "{}", row.name);
            assert!(row.retry_seconds > 0, "{}", row.name);
            assert_eq!(Quotas::default().get(row.name), Some(row.default));
        }
    }

    #[test]
    fn overrides_are_checked() {
        let set = |name: &str, value| QuotaOverrides([(name.to_owned(), value)].into());
        assert!(set("releases", 3).check().is_ok());
        assert_eq!(set("releases", 3).in_force().releases, 3);
        assert_eq!(set("starts_per_second", 0).in_force().starts_per_second, 1);
        for (name, value, says) in [
            ("starts_per_second", 0, "starts_per_second cannot be 0"),
            ("starts", 1, "starts_per_second"),
        ] {
            let error = set(name, value).check().unwrap_err();
            assert_eq!(error.code(), Code::QuotaInvalid);
            assert!(error.detail().contains(says), "{error}");
        }
    }

    #[test]
    fn a_refusal_names_quota_value_use_and_whom_to_ask() {
        let tenant = "acme".parse().unwrap();
        let quotas = Quotas {
            releases: 3,
            ..Quotas::default()
        };
        assert!(quotas.check(&tenant, "releases", 2, 3).is_ok());
        let refused = quotas.check(&tenant, "releases", 3, 4).unwrap_err();
        assert_eq!(refused.code(), Code::QuotaExceeded);
        assert_eq!(refused.after(), Some(Duration::from_secs(60)));
        assert_eq!(refused.quota(), Some((&tenant, "releases")));
        for part in ["releases", "acme", " is 3", "3 of it", "admin"] {
            assert!(refused.detail().contains(part), "{refused}");
        }
    }
}
