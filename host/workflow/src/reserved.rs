//! Names that belong to the host or to Temporal: a guest neither sees nor sets them, with one exception.

/// What patch ids and memo keys of the host start with.
pub(crate) const PREFIX: &str = "tenterhook:";
/// The search attribute with the tenant.
pub(crate) const TENANT: &str = "Tenant";
/// The search attribute with the environment.
pub(crate) const ENVIRONMENT: &str = "Environment";
/// The search attribute with the plugin.
pub(crate) const PLUGIN: &str = "Plugin";

/// The search attribute with the time for which a schedule started an execution: a guest may see it, for what a night's
/// run is about is that night, also where it is made up for days later.
pub(crate) const SCHEDULED_START: &str = "TemporalScheduledStartTime";

/// True for search attributes that say whose an execution is, and for those of Temporal's own.
pub(crate) fn is_search_attribute(name: &str) -> bool {
    matches!(name, TENANT | ENVIRONMENT | PLUGIN)
        || starts_with(name, "temporal")
        || starts_with(name, "tenterhook")
}

/// True for header fields of the host, in any case.
pub(crate) fn is_header(name: &str) -> bool {
    starts_with(name, "tenterhook")
}

/// True for patch ids and memo keys of the host.
pub(crate) fn is_prefixed(name: &str) -> bool {
    starts_with(name, PREFIX)
}

/// Ignores case: a name that a person reads as the host's is the host's.
fn starts_with(name: &str, prefix: &str) -> bool {
    name.get(..prefix.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}
