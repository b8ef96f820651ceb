//! One table of limits: every bound on what a plugin may use has a name, a unit, a default and a range.
//!
//! A limit decides whether a task goes on, never what its commands are: a plugin's code can observe none of them. So a
//! limit may change while executions run, and their histories replay as before.

mod effective;

pub use effective::{EffectiveLimit, LimitPolicy, LimitSource, effective};

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
    /// True: the same for all plugins of every host, and not to be set.
    pub fixed: bool,
}

impl Limit {
    /// True if grants, tenants and hosts may set it.
    pub const fn is_settable(&self) -> bool {
        !self.fixed
    }

    const fn fixed(name: &'static str, unit: Unit, value: u64, about: &'static str) -> Self {
        Self {
            name,
            unit,
            default: value,
            lowest: value,
            highest: value,
            about,
            fixed: true,
        }
    }
}

macro_rules! limits {
    ($($(#[doc = $doc:literal])+ $field:ident: $unit:ident, $default:expr, $lowest:expr, $highest:expr;)+
     fixed: $($(#[doc = $fixed_doc:literal])+ $fixed:ident: $fixed_unit:ident, $value:expr;)+) => {
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
                fixed: false,
            },)+
            $(Limit::fixed(stringify!($fixed), Unit::$fixed_unit, $value, concat!($($fixed_doc),+)),)+];

            /// Every limit at the highest that a grant may set.
            pub const fn highest() -> Self {
                Self { $($field: $highest,)+ }
            }

            fn field(&mut self, name: &str) -> Option<&mut u64> {
                match name { $(stringify!($field) => Some(&mut self.$field),)+ _ => None }
            }

            /// The value of the limit `name`; none if no plugin has such a limit of its own.
            pub fn get(&self, name: &str) -> Option<u64> {
                match name { $(stringify!($field) => Some(self.$field),)+ _ => None }
            }
        }

        impl Default for Limits {
            fn default() -> Self {
                Self { $($field: $default,)+ }
            }
        }
    };
}

/// Memory that the compiler of one component may have, in bytes.
pub const COMPILE_MEMORY_BYTES: u64 = 2 * 1024 * MIB;
/// Processor time that it may have, all cores together, in milliseconds.
pub const COMPILE_CPU_MILLIS: u64 = 120_000;
/// Wall time that it may take, in milliseconds: more than its processor time, for it gives way to the host's own work.
pub const COMPILE_MILLIS: u64 = 300_000;
/// Stack of one instance, in bytes.
pub const STACK_BYTES: u64 = MIB;
/// Most core instances in one instance of a component. A Rust component has 3, QuickJS 9, Python 14.
pub const CORE_INSTANCES: u64 = 100;
/// Most linear memories of one instance: what compilers make has one, or two with an adapter.
pub const MEMORIES: u64 = 2;
/// Most tables of one instance.
pub const TABLES: u64 = 8;

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

limits! {
    /// Linear memory of one instance, all its memories together.
    memory_bytes: Bytes, 64 * MIB, MIB, 1024 * MIB;
    /// Entries of all tables of one instance together.
    table_elements: Count, 20_000, 1_000, 1_000_000;
    /// Instructions of one workflow activation.
    activation_fuel: Fuel, 2_000_000_000, 1_000_000, 100_000_000_000;
    /// Processor time of one workflow activation.
    activation_millis: Millis, 5_000, 10, 60_000;
    /// Wall time of one activity attempt, whatever its time-outs say.
    activity_millis: Millis, 15 * 60_000, 100, 24 * 3_600_000;
    /// Encoded size of one payload or failure: Temporal's 2 MiB, less what encryption adds.
    payload_bytes: Bytes, 2 * MIB - 4 * KIB, KIB, 2 * MIB - 4 * KIB;
    /// Commands of one activation.
    activation_commands: Count, 2_000, 1, 10_000;
    /// Activities of one run under way at once.
    pending_activities: Count, 2_000, 1, 2_000;
    /// Child workflows of one run under way at once.
    pending_children: Count, 2_000, 1, 2_000;
    /// Timers of one run under way at once.
    pending_timers: Count, 2_000, 1, 20_000;
    /// Events of one run's history, after which a task must end the run or continue it as new.
    history_events: Count, 50_000, 100, 51_200;
    /// Bytes of one run's history, after which a task must end the run or continue it as new.
    history_bytes: Bytes, 48 * MIB, 64 * KIB, 50 * MIB;
    /// Log lines of one activation or attempt; further ones are dropped and counted.
    log_lines: Count, 1_000, 0, 100_000;
    /// Bytes of one log line; the rest is cut off.
    log_line_bytes: Bytes, 8 * KIB, 64, 64 * KIB;
    /// Outbound requests of one attempt.
    outbound_requests: Count, 1_000, 0, 100_000;
    /// Outbound requests of one attempt under way at once.
    outbound_concurrency: Count, 16, 1, 256;
    /// Outbound requests that the plugin sends in a second on each host.
    outbound_per_second: Count, 1_000, 0, 100_000;
    /// Body of one outbound request.
    outbound_request_body_bytes: Bytes, 16 * MIB, 0, 256 * MIB;
    /// Body of one outbound answer.
    outbound_body_bytes: Bytes, 16 * MIB, KIB, 256 * MIB;
    /// Time of one outbound request, connecting included.
    outbound_millis: Millis, 60_000, 10, 15 * 60_000;
    /// One key-value key.
    keyvalue_key_bytes: Bytes, 512, 1, 4 * KIB;
    /// One key-value value.
    keyvalue_value_bytes: Bytes, MIB, 1, 16 * MIB;
    /// Key-value keys that the plugin keeps.
    keyvalue_keys: Count, 1_000_000, 0, 1_000_000_000;
    /// Bytes of key-value state that the plugin keeps, keys included.
    keyvalue_bytes: Bytes, 1024 * MIB, 0, 1024 * 1024 * MIB;
    /// Key-value operations of the plugin in a second on each host.
    keyvalue_per_second: Count, 10_000, 0, 1_000_000;
    fixed:
    /// One component.
    component_bytes: Bytes, crate::component::COMPONENT_BYTES_MAX as u64;
    /// Memory that the compiler of one component may have.
    compile_memory_bytes: Bytes, COMPILE_MEMORY_BYTES;
    /// Processor time that the compiler of one component may have, all cores together.
    compile_cpu_millis: Millis, COMPILE_CPU_MILLIS;
    /// Time that the compiler of one component may take.
    compile_millis: Millis, COMPILE_MILLIS;
    /// Stack of one instance: deep recursion ends at the same place on every host.
    stack_bytes: Bytes, STACK_BYTES;
    /// Core instances in one instance of a component.
    core_instances: Count, CORE_INSTANCES;
    /// Linear memories of one instance of a component.
    memories: Count, MEMORIES;
    /// Tables of one instance of a component.
    tables: Count, TABLES;
}

/// Limits an operator sets for a plugin, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LimitOverrides(
    #[serde(deserialize_with = "crate::whole::by_name")] pub BTreeMap<String, u64>,
);

impl utoipa::PartialSchema for LimitOverrides {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        let rows = Limits::TABLE.iter().filter(|row| row.is_settable());
        numbers_by_name(
            "Limits by name.",
            rows.map(|row| (row.name, row.about, row.lowest, row.highest)),
        )
    }
}

impl utoipa::ToSchema for LimitOverrides {}

/// The schema of an object with a number for each of `rows`: name, meaning, lowest and highest.
pub(crate) fn numbers_by_name(
    about: &str,
    rows: impl Iterator<Item = (&'static str, &'static str, u64, u64)>,
) -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
    use utoipa::openapi::{
        ObjectBuilder,
        schema::{AdditionalProperties, Type},
    };
    let object = ObjectBuilder::new()
        .description(Some(about))
        .additional_properties(Some(AdditionalProperties::FreeForm(false)));
    let object = rows.fold(object, |object, (name, about, lowest, highest)| {
        let range = ObjectBuilder::new()
            .schema_type(Type::Integer)
            .description(Some(about.trim()))
            .minimum(Some(lowest))
            .maximum(Some(highest));
        object.property(name, range)
    });
    object.into()
}

impl LimitOverrides {
    /// The defaults with these values in place.
    ///
    /// # Errors
    /// `grant-invalid` when a name is unknown or a value outside its range.
    pub fn apply(&self) -> Result<Limits> {
        self.check(Code::GrantInvalid)?;
        let mut limits = Limits::default();
        for (name, &value) in &self.0 {
            if let Some(field) = limits.field(name) {
                *field = value;
            }
        }
        Ok(limits)
    }

    /// Holds names and values against the table.
    ///
    /// # Errors
    /// `code` when a name is unknown or a value outside its range.
    pub fn check(&self, code: Code) -> Result<()> {
        for (name, &value) in &self.0 {
            let row = Limits::TABLE.iter().find(|row| row.name == name);
            let Some(row) = row.filter(|row| row.is_settable()) else {
                let known = Limits::TABLE.iter().filter(|row| row.is_settable());
                let known: Vec<_> = known.map(|row| row.name).collect();
                let known = known.join(", ");
                return Err(Error::new(
                    code,
                    format!("there is no limit {name:?} to set: use one of {known}"),
                ));
            };
            if !(row.lowest..=row.highest).contains(&value) {
                let (lowest, highest) = (row.lowest, row.highest);
                return Err(Error::new(
                    code,
                    format!("limit {name} cannot be {value}: use {lowest} to {highest}"),
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
