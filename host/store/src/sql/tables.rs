//! The tables, one file a noun: included by each database's module, from which the words below come.

mod allowance;
mod audit;
mod claim;
mod context_key;
mod line;
mod plugin;
mod release;
mod state;
mod task_failure;
mod tenant;
mod token;

use super::{Connection, Db, LOCK, LOCK_AND_SKIP, lock_context_keys};
use crate::sql::{failed, number, place, to_json, to_the_end, unreadable};

/// A plugin of a scope.
type At<'a> = (
    &'a tenterhook_domain::Scope,
    &'a tenterhook_domain::PluginName,
);

fn read_scope(
    tenant: &str,
    environment: &str,
) -> tenterhook_domain::Result<tenterhook_domain::Scope> {
    Ok(tenterhook_domain::Scope::new(
        tenant.parse().map_err(unreadable("a tenant"))?,
        environment.parse().map_err(unreadable("an environment"))?,
    ))
}

fn read_digest(
    text: Option<String>,
) -> tenterhook_domain::Result<Option<tenterhook_domain::Digest>> {
    text.map(|text| text.parse())
        .transpose()
        .map_err(unreadable("a digest"))
}

fn read_json<T: serde::de::DeserializeOwned>(
    json: &str,
    what: &'static str,
) -> tenterhook_domain::Result<T> {
    serde_json::from_str(json).map_err(unreadable(what))
}
