//! Which limits are in force: what a grant sets, within what the tenant and the host allow.

use serde::{Deserialize, Serialize};

use super::{Limit, LimitOverrides, Limits};
use crate::error::{Code, Result};

/// What an admin sets for the limits of all plugins of a tenant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LimitPolicy {
    /// In force for a plugin whose grants do not say otherwise.
    pub defaults: LimitOverrides,
    /// The most that any plugin of the tenant gets, whatever its grants say.
    pub ceilings: LimitOverrides,
}

impl LimitPolicy {
    /// Holds names and values against the table.
    ///
    /// # Errors
    /// `limit-invalid`, naming the limit.
    pub fn check(&self) -> Result<()> {
        self.defaults.check(Code::LimitInvalid)?;
        self.ceilings.check(Code::LimitInvalid)
    }
}

/// Where the value of a limit comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LimitSource {
    /// The table.
    Default,
    /// The default of the tenant.
    TenantDefault,
    /// The plugin's grants.
    Grant,
    /// The ceiling of the tenant, which is below what the plugin would have.
    TenantCeiling,
    /// The ceiling of the host, which is below what the plugin would have.
    HostCeiling,
    /// The same for all plugins of every host.
    Fixed,
}

/// A limit as it is in force for one plugin.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct EffectiveLimit {
    /// Its row in the table.
    #[serde(flatten)]
    #[schema(inline = false)]
    pub limit: Limit,
    /// The value in force.
    pub value: u64,
    /// Where the value comes from.
    pub source: LimitSource,
}

/// The limits in force for a plugin with `grants`, of a tenant with `policy`, on a host with the ceilings `host`; and
/// the same as a table that says where each value comes from.
pub fn effective(
    grants: &LimitOverrides,
    policy: &LimitPolicy,
    host: &LimitOverrides,
) -> (Limits, Vec<EffectiveLimit>) {
    let mut limits = Limits::default();
    let mut table = Vec::with_capacity(Limits::TABLE.len());
    for row in Limits::TABLE {
        let (value, source) = value_of(row, grants, policy, host);
        if let Some(field) = limits.field(row.name) {
            *field = value;
        }
        table.push(EffectiveLimit {
            limit: *row,
            value,
            source,
        });
    }
    (limits, table)
}

fn value_of(
    row: &Limit,
    grants: &LimitOverrides,
    policy: &LimitPolicy,
    host: &LimitOverrides,
) -> (u64, LimitSource) {
    if row.fixed {
        return (row.default, LimitSource::Fixed);
    }
    let of = |set: &LimitOverrides| set.0.get(row.name).copied();
    // What an older version stored may be out of the range of now.
    let within = |value: u64| value.clamp(row.lowest, row.highest);
    let (mut value, mut source) = match (of(grants), of(&policy.defaults)) {
        (Some(value), _) => (within(value), LimitSource::Grant),
        (None, Some(value)) => (within(value), LimitSource::TenantDefault),
        (None, None) => (row.default, LimitSource::Default),
    };
    let ceilings = [
        (of(&policy.ceilings), LimitSource::TenantCeiling),
        (of(host), LimitSource::HostCeiling),
    ];
    for (ceiling, of_it) in ceilings {
        if let Some(ceiling) = ceiling.map(within).filter(|ceiling| *ceiling < value) {
            (value, source) = (ceiling, of_it);
        }
    }
    (value, source)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn set(limits: &[(&str, u64)]) -> LimitOverrides {
        let pairs = limits.iter();
        LimitOverrides(
            pairs
                .map(|(name, value)| ((*name).to_owned(), *value))
                .collect(),
        )
    }

    /// What is in force for the commands of an activation, of a grant, a tenant's default and ceiling, and a host's
    /// ceiling.
    fn commands(set_to: [Option<u64>; 4]) -> (u64, LimitSource) {
        const NAME: &str = "activation_commands";
        let [grant, default, ceiling, host] = set_to.map(|value| {
            set(&value
                .map(|value| (NAME, value))
                .into_iter()
                .collect::<Vec<_>>())
        });
        let policy = LimitPolicy {
            defaults: default,
            ceilings: ceiling,
        };
        let (limits, table) = effective(&grant, &policy, &host);
        let row = table.iter().find(|row| row.limit.name == NAME).unwrap();
        assert_eq!(limits.activation_commands, row.value);
        (row.value, row.source)
    }

    #[test]
    fn the_lowest_ceiling_bounds_what_was_granted() {
        use LimitSource as From;
        let cases = [
            ([None, None, None, None], (2_000, From::Default)),
            ([None, Some(50), None, None], (50, From::TenantDefault)),
            ([Some(90), Some(50), None, None], (90, From::Grant)),
            ([Some(90), None, Some(70), None], (70, From::TenantCeiling)),
            ([Some(90), None, Some(95), None], (90, From::Grant)),
            (
                [Some(90), None, Some(70), Some(60)],
                (60, From::HostCeiling),
            ),
            (
                [Some(90), None, Some(60), Some(70)],
                (60, From::TenantCeiling),
            ),
            ([None, None, None, Some(10)], (10, From::HostCeiling)),
            // A grant of before the range was what it is.
            ([Some(1_000_000), None, None, None], (10_000, From::Grant)),
        ];
        for (set_to, expected) in cases {
            assert_eq!(commands(set_to), expected, "{set_to:?}");
        }
    }

    #[test]
    fn a_policy_names_limits_that_are_there() {
        let policy = |name| LimitPolicy {
            ceilings: set(&[(name, 1_000)]),
            ..LimitPolicy::default()
        };
        assert!(policy("activation_commands").check().is_ok());
        for name in ["commands", "component_bytes"] {
            let error = policy(name).check().unwrap_err();
            assert_eq!(error.code(), Code::LimitInvalid, "{name}");
        }
    }
}
