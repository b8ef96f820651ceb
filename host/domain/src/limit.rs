//! One table of limits: every bound on what a plugin may use has a name, a unit, a default and a range.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::{Code, Error, Result};

/// What a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Bytes.
    Bytes,
    /// Milliseconds.
    Millis,
    /// WebAssembly instructions, as wasmtime's fuel counts them.
    Fuel,
    /// Things.
    Count,
}

/// One row of the table.
#[derive(Debug, Clone, Copy, Serialize, utoipa::ToSchema)]
pub struct Limit {
    /// The name used in grants, failures and metrics.
    pub name: &'static str,
    /// What it counts.
    pub unit: Unit,
    /// In force unless a grant says otherwise.
    pub default: u64,
    /// The lowest value a grant may set.
    pub lowest: u64,
    /// The highest value a grant may set.
    pub highest: u64,
    /// What it bounds.
    pub about: &'static str,
}

macro_rules! limits {
    ($($(#[doc = $doc:literal])+ $field:ident: $unit:ident, $default:expr, $lowest:expr, $highest:expr;)+) => {
        /// The limits in force for one plugin of one scope.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct Limits { $($(#[doc = $doc])+ pub $field: u64,)+ }

        impl Limits {
            /// Every limit there is.
            pub const TABLE: &'static [Limit] = &[$(Limit {
                name: stringify!($field),
                unit: Unit::$unit,
                default: $default,
                lowest: $lowest,
                highest: $highest,
                about: concat!($($doc),+),
            },)+];

            /// Every limit at the highest that a grant may set.
            pub const fn highest() -> Self {
                Self { $($field: $highest,)+ }
            }

            fn field(&mut self, name: &str) -> Option<&mut u64> {
                match name { $(stringify!($field) => Some(&mut self.$field),)+ _ => None }
            }
        }

        impl Default for Limits {
            fn default() -> Self {
                Self { $($field: $default,)+ }
            }
        }
    };
}

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

limits! {
    /// Linear memory of one instance, all its memories together.
    memory_bytes: Bytes, 64 * MIB, MIB, 1024 * MIB;
    /// Entries of all tables of one instance together.
    table_elements: Count, 20_000, 1_000, 1_000_000;
    /// Instructions of one workflow activation.
    activation_fuel: Fuel, 2_000_000_000, 1_000_000, 100_000_000_000;
    /// Wall time of one workflow activation.
    activation_millis: Millis, 5_000, 10, 60_000;
    /// Wall time of one activity attempt, whatever its time-outs say.
    activity_millis: Millis, 15 * 60_000, 100, 24 * 3_600_000;
    /// Encoded size of one payload or failure.
    payload_bytes: Bytes, 2 * MIB, KIB, 2 * MIB;
    /// Commands of one activation.
    activation_commands: Count, 2_000, 1, 10_000;
    /// Log lines of one activation or attempt; further ones are dropped and counted.
    log_lines: Count, 1_000, 0, 100_000;
    /// Bytes of one log line; the rest is cut off.
    log_line_bytes: Bytes, 8 * KIB, 64, 64 * KIB;
    /// Outbound requests of one attempt.
    outbound_requests: Count, 1_000, 0, 100_000;
    /// Outbound requests of one attempt under way at once.
    outbound_concurrency: Count, 16, 1, 256;
    /// Body of one outbound answer.
    outbound_body_bytes: Bytes, 16 * MIB, KIB, 256 * MIB;
    /// Time of one outbound request, connecting included.
    outbound_millis: Millis, 60_000, 10, 15 * 60_000;
    /// One key-value key.
    keyvalue_key_bytes: Bytes, 512, 1, 4 * KIB;
    /// One key-value value.
    keyvalue_value_bytes: Bytes, MIB, 1, 16 * MIB;
}

/// Limits an operator sets for a plugin, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LimitOverrides(
    #[serde(deserialize_with = "crate::whole::by_name")] pub BTreeMap<String, u64>,
);

impl utoipa::PartialSchema for LimitOverrides {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        use utoipa::openapi::{
            ObjectBuilder,
            schema::{AdditionalProperties, Type},
        };
        let limits = ObjectBuilder::new()
            .description(Some("Limits an operator sets for a plugin, by name."))
            .additional_properties(Some(AdditionalProperties::FreeForm(false)));
        let limits = Limits::TABLE.iter().fold(limits, |limits, limit| {
            let range = ObjectBuilder::new()
                .schema_type(Type::Integer)
                .description(Some(limit.about.trim()))
                .minimum(Some(limit.lowest))
                .maximum(Some(limit.highest));
            limits.property(limit.name, range)
        });
        limits.into()
    }
}

impl utoipa::ToSchema for LimitOverrides {}

impl LimitOverrides {
    /// The defaults with these values in place.
    ///
    /// # Errors
    /// `grant-invalid` when a name is unknown or a value outside its range.
    pub fn apply(&self) -> Result<Limits> {
        let mut limits = Limits::default();
        for (name, &value) in &self.0 {
            let row = Limits::TABLE.iter().find(|row| row.name == name);
            let (Some(row), Some(field)) = (row, limits.field(name)) else {
                let known: Vec<_> = Limits::TABLE.iter().map(|row| row.name).collect();
                return Err(Error::new(
                    Code::GrantInvalid,
                    format!(
                        "there is no limit {name:?}: use one of {}",
                        known.join(", ")
                    ),
                ));
            };
            if !(row.lowest..=row.highest).contains(&value) {
                return Err(Error::new(
                    Code::GrantInvalid,
                    format!(
                        "limit {name} cannot be {value}: use {} to {}",
                        row.lowest, row.highest
                    ),
                ));
            }
            *field = value;
        }
        Ok(limits)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_within_its_range() {
        for row in Limits::TABLE {
            assert!(
                row.lowest <= row.default && row.default <= row.highest,
                "{}",
                row.name
            );
        }
    }

    #[test]
    fn overrides_are_checked() {
        let set = |name: &str, value| LimitOverrides([(name.to_owned(), value)].into()).apply();
        assert_eq!(set("memory_bytes", MIB).unwrap().memory_bytes, MIB);
        assert!(
            set("memory_bytes", 0)
                .unwrap_err()
                .detail()
                .contains("memory_bytes cannot be 0")
        );
        assert!(
            set("memory", MIB)
                .unwrap_err()
                .detail()
                .contains("memory_bytes")
        );
    }
}
