//! Circuits: which destinations of a tenant's outbound requests are left alone for a while.

use std::sync::Arc;

use axum::{Json as JsonBody, extract::State};
use serde::Serialize;
use tenterhook_domain::circuit::CircuitReport;

use crate::{Api, problem::Answer, request::AtTenant};

/// The circuits of a tenant on one host.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct TenantCircuits {
    /// One for each destination that failed since it last answered.
    items: Vec<CircuitReport>,
}

/// Those of the host that answers: each host finds out by itself.
pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    at: AtTenant,
) -> Answer<JsonBody<TenantCircuits>> {
    api.state.store.tenants.require(&at.tenant).await?;
    let items = api.state.circuits.of_tenant(&at.tenant);
    Ok(JsonBody(TenantCircuits { items }))
}
