//! The audit log: of the host, of a tenant, of a plugin.

use std::sync::Arc;

use axum::{Json as JsonBody, extract::State};
use tenterhook_domain::{audit::AuditEntry, execution::Page};
use tenterhook_store::AuditFilter;

use crate::{
    Api,
    problem::Answer,
    request::{AtPlugin, AtTenant, AuditQuery, Query},
};

type Entries = JsonBody<Page<AuditEntry>>;

pub(crate) async fn of_host(
    State(api): State<Arc<Api>>,
    Query(query): Query<AuditQuery>,
) -> Answer<Entries> {
    let digest = query.digest()?;
    let filter = AuditFilter {
        digest: digest.as_ref(),
        ..AuditFilter::default()
    };
    let audit = &api.state.store.audit;
    Ok(JsonBody(audit.entries(filter, query.cursor()?).await?))
}

pub(crate) async fn of_tenant(
    State(api): State<Arc<Api>>,
    at: AtTenant,
    Query(query): Query<AuditQuery>,
) -> Answer<Entries> {
    let store = &api.state.store;
    store.tenants.require(&at.tenant).await?;
    let digest = query.digest()?;
    let cursor = query.cursor()?;
    let entries = store.audit.entries_of(&at.tenant, digest.as_ref(), cursor);
    Ok(JsonBody(entries.await?))
}

pub(crate) async fn of_plugin(
    State(api): State<Arc<Api>>,
    at: AtPlugin,
    Query(query): Query<AuditQuery>,
) -> Answer<Entries> {
    let store = &api.state.store;
    store.plugins.get(&at.scope, &at.plugin).await?;
    let digest = query.digest()?;
    let filter = AuditFilter {
        scope: Some(&at.scope),
        plugin: Some(&at.plugin),
        digest: digest.as_ref(),
    };
    let entries = store.audit.entries(filter, query.cursor()?);
    Ok(JsonBody(entries.await?))
}
