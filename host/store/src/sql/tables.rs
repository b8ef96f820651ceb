//! The tables, one file a noun: included by each database's module, from which the words below come.

mod allowance;
mod audit;
mod claim;
mod context_key;
mod double_run;
mod lane;
mod line;
mod payload_key;
mod plugin;
mod release;
mod secret;
mod state;
mod task_failure;
mod tenant;
mod token;

use sqlx::{
    Database,
    pool::PoolConnection,
    query::{Query, QueryAs},
};

use super::{Connection, Db, LOCK, LOCK_AND_SKIP, Sql, lock_context_keys, lock_lanes};
use crate::sql::{failed, number, place, to_json, to_the_end, unreadable};

/// A plugin of a scope.
pub(super) type At<'a> = (
    &'a tenterhook_domain::Scope,
    &'a tenterhook_domain::PluginName,
);

/// A statement about one plugin.
pub(super) trait BindAt {
    /// Binds its tenant, its environment and its name, in this order.
    fn bind_at(self, at: At<'_>) -> Self;
}

type Arguments = <Sql as Database>::Arguments;

impl BindAt for Query<'_, Sql, Arguments> {
    fn bind_at(self, (scope, plugin): At<'_>) -> Self {
        self.bind(scope.tenant.as_str())
            .bind(scope.environment.as_str())
            .bind(plugin.as_str())
    }
}

impl<T> BindAt for QueryAs<'_, Sql, T, Arguments> {
    fn bind_at(self, (scope, plugin): At<'_>) -> Self {
        self.bind(scope.tenant.to_string())
            .bind(scope.environment.to_string())
            .bind(plugin.to_string())
    }
}

impl Db {
    /// A connection that reads, for more than one statement.
    async fn reader(&self) -> tenterhook_domain::Result<PoolConnection<Sql>> {
        self.readers.acquire().await.map_err(failed("be read"))
    }
}

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
