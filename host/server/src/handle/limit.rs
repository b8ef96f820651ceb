//! Limits: the table, what is set for a tenant, and what is in force for a plugin.

use std::sync::Arc;

use axum::{Extension, Json as JsonBody, extract::State};
use serde::Serialize;
use tenterhook_domain::{
    Code, Error, TenantId,
    limit::{EffectiveLimit, Limit, LimitPolicy, Limits, effective},
};

use crate::{
    Api,
    answer::{Tagged, entity_tag},
    guard::Caller,
    problem::Answer,
    request::{AtPlugin, AtTenant, IfMatch, Json},
};

/// Every limit there is.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct LimitTable {
    /// One row each.
    #[schema(inline = false)]
    items: &'static [Limit],
}

/// The limits in force for a plugin.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct PluginLimits {
    /// One row each.
    items: Vec<EffectiveLimit>,
}

pub(crate) async fn table() -> JsonBody<LimitTable> {
    JsonBody(LimitTable {
        items: Limits::TABLE,
    })
}

/// What is in force for the plugin on the host that answers.
pub(crate) async fn of_plugin(
    State(api): State<Arc<Api>>,
    at: AtPlugin,
) -> Answer<JsonBody<PluginLimits>> {
    let plugins = &api.state.store.plugins;
    let snapshot = plugins.snapshot(&at.scope, &at.plugin).await?;
    let (granted, ceilings) = (&snapshot.grants.limits, &api.state.ceilings);
    let (_, items) = effective(granted, &snapshot.tenant_limits, ceilings);
    Ok(JsonBody(PluginLimits { items }))
}

pub(crate) async fn get(State(api): State<Arc<Api>>, at: AtTenant) -> Answer<Tagged<LimitPolicy>> {
    tagged(api.state.store.allowances.limit_policy(&at.tenant).await?)
}

/// Sets what all plugins of the tenant get, if it is as the caller knows it. It holds for what begins from
/// then on, and for what is built again.
pub(crate) async fn put(
    State(api): State<Arc<Api>>,
    at: AtTenant,
    Extension(caller): Extension<Caller>,
    expected: IfMatch,
    Json(policy): Json<LimitPolicy>,
) -> Answer<Tagged<LimitPolicy>> {
    policy.check()?;
    let (allowances, tenant) = (&api.state.store.allowances, &at.tenant);
    let known = match expected.is_given() {
        true => {
            let found = allowances.limit_policy(tenant).await?;
            if !expected.allows(&entity_tag(&found)?) {
                return Err(outdated("limits", tenant).into());
            }
            Some(found)
        }
        false => None,
    };
    let (author, now) = (caller.author(), api.state.clock.now_millis());
    allowances
        .put_limit_policy(tenant, &policy, known.as_ref(), &author, now)
        .await?;
    tracing::info!(%tenant, by = caller.token, "the limits were set");
    tagged(policy)
}

fn tagged(body: LimitPolicy) -> Answer<Tagged<LimitPolicy>> {
    let tag = entity_tag(&body)?;
    Ok(Tagged { tag, body })
}

/// The refusal of a change to what is not as the caller knows it.
pub(super) fn outdated(what: &str, tenant: &TenantId) -> Error {
    Error::new(
        Code::PreconditionFailed,
        format!(
            "the {what} of tenant {tenant} were changed meanwhile: read them again, and decide anew"
        ),
    )
}
