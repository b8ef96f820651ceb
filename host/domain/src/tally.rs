//! What hosts count of what they refuse, for whoever operates them.

use std::time::Duration;

use crate::{
    double_run::Outcome,
    error::Code,
    limit::Limits,
    name::{PluginName, TenantId},
};

/// Where hosts count. Counting waits for nobody.
pub trait Tally: Send + Sync + 'static {
    /// The plugin went over the limit of this name.
    fn limit_hit(&self, tenant: &TenantId, plugin: &PluginName, limit: &'static str);

    /// A task or an attempt of the plugin was failed under `code`, in the host's own words `detail`. Counted where that
    /// is for a limit.
    fn failed(&self, tenant: &TenantId, plugin: &PluginName, code: Code, detail: &str) {
        let limit = match code {
            Code::GuestFuelExhausted
            | Code::GuestDeadlineExceeded
            | Code::GuestMemoryExceeded
            | Code::GuestPayloadTooLarge
            | Code::GuestTooManyCommands
            | Code::GuestTooManyPending
            | Code::GuestHistoryTooLong => limit_in(detail),
            // Of traps only a full stack is a limit; other sentences quote the guest.
            Code::GuestTrapped => limit_in(detail).filter(|limit| *limit == "stack_bytes"),
            _ => None,
        };
        if let Some(limit) = limit {
            self.limit_hit(tenant, plugin, limit);
        }
    }

    /// The tenant was refused something for the quota of this name.
    fn quota_refused(&self, tenant: &TenantId, quota: &'static str);

    /// A request of the tenant was not sent, for the circuit of its destination is open.
    fn circuit_refused(&self, tenant: &TenantId);

    /// A request of the tenant was not sent, for it has its share of outbound connections and no other was free.
    fn connection_refused(&self, _tenant: &TenantId) {}

    /// So many log lines of the plugin were dropped, for it writes more than it may.
    fn lines_dropped(&self, _tenant: &TenantId, _plugin: &PluginName, _lines: u64) {}

    /// An uploaded component of the tenant was refused under `code`.
    fn component_refused(&self, _tenant: &TenantId, _code: Code) {}

    /// A run of the plugin was to be repeated, and this came of it.
    fn double_run(&self, _tenant: &TenantId, _plugin: &PluginName, _outcome: Outcome) {}

    /// Double runs took so much processor time more.
    fn double_runs_took(&self, _cpu: Duration) {}

    /// The host polls for no new work, for its instances hold too much memory.
    fn polling_held(&self) {}
}

/// Counts nothing.
impl Tally for () {
    fn limit_hit(&self, _: &TenantId, _: &PluginName, _: &'static str) {}

    fn quota_refused(&self, _: &TenantId, _: &'static str) {}

    fn circuit_refused(&self, _: &TenantId) {}
}

/// The limit that the refusal `detail` is about. Each such sentence names its limit, for that is what its reader has to
/// raise: so none can be told of and not be counted.
pub fn limit_in(detail: &str) -> Option<&'static str> {
    let is_part = |c: char| c.is_ascii_lowercase() || c == '_';
    let words = detail.split(|c| !is_part(c));
    let known = |word: &str| {
        let row = Limits::TABLE.iter().find(|row| row.name == word);
        row.map(|row| row.name)
    };
    // One word alone could be anybody's.
    words.filter(|word| word.contains('_')).find_map(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_names_its_limit() {
        for (detail, limit) in [
            (
                "its limit keyvalue_bytes is 5: make",
                Some("keyvalue_bytes"),
            ),
            (
                "in one activation (limit activation_fuel): move",
                Some("activation_fuel"),
            ),
            (
                "its limit keyvalue_value_bytes is 1",
                Some("keyvalue_value_bytes"),
            ),
            ("my_memory_bytes and memory and tables", None),
            ("the plugin trapped", None),
        ] {
            assert_eq!(limit_in(detail), limit, "{detail}");
        }
    }
}
