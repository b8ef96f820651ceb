//! A tenant's quotas, and how much of each is used.

use std::sync::Arc;

use axum::{Extension, Json as JsonBody, extract::State};
use serde::Serialize;
use tenterhook_domain::{
    Result, TenantId,
    quota::{Quota, QuotaOverrides, Quotas},
};

use super::limit::outdated;
use crate::{
    Api,
    answer::{Tagged, entity_tag},
    guard::Caller,
    problem::Answer,
    request::{AtTenant, IfMatch, Json},
};

/// Every quota there is.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct QuotaTable {
    /// One row each.
    #[schema(inline = false)]
    items: &'static [Quota],
}

/// A quota as it is in force for a tenant.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct QuotaInForce {
    #[serde(flatten)]
    #[schema(inline = false)]
    quota: Quota,
    /// The value in force.
    value: u64,
    /// How much of it is used now; not there while it cannot be counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    used: Option<u64>,
}

/// What a tenant may ask of the hosts.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct TenantQuotas {
    /// What an admin set.
    #[schema(inline = false)]
    set: QuotaOverrides,
    /// All that is in force.
    items: Vec<QuotaInForce>,
}

pub(crate) async fn table() -> JsonBody<QuotaTable> {
    JsonBody(QuotaTable {
        items: Quotas::TABLE,
    })
}

pub(crate) async fn get(State(api): State<Arc<Api>>, at: AtTenant) -> Answer<Tagged<TenantQuotas>> {
    let set = api.state.store.allowances.quotas(&at.tenant).await?;
    Ok(in_force(&api, &at.tenant, set).await?)
}

/// Sets the quotas, if they are as the caller knows them. Other hosts hear of it within a second.
pub(crate) async fn put(
    State(api): State<Arc<Api>>,
    at: AtTenant,
    Extension(caller): Extension<Caller>,
    expected: IfMatch,
    Json(quotas): Json<QuotaOverrides>,
) -> Answer<Tagged<TenantQuotas>> {
    quotas.check()?;
    let (allowances, tenant) = (&api.state.store.allowances, &at.tenant);
    let known = match expected.is_given() {
        true => {
            let found = allowances.quotas(tenant).await?;
            if !expected.allows(&entity_tag(&found)?) {
                return Err(outdated("quotas", tenant).into());
            }
            Some(found)
        }
        false => None,
    };
    let (author, now) = (caller.author(), api.state.clock.now_millis());
    allowances
        .put_quotas(tenant, &quotas, known.as_ref(), &author, now)
        .await?;
    api.door.forget(tenant);
    tracing::info!(%tenant, by = caller.token, "the quotas were set");
    Ok(in_force(&api, tenant, quotas).await?)
}

async fn in_force(
    api: &Api,
    tenant: &TenantId,
    set: QuotaOverrides,
) -> Result<Tagged<TenantQuotas>> {
    let (values, tag) = (set.in_force(), entity_tag(&set)?);
    let used = api.door.used(&api.state, tenant, &set).await?;
    let rows = Quotas::TABLE.iter().map(|row| QuotaInForce {
        quota: *row,
        value: values.get(row.name).unwrap_or(row.default),
        used: used.get(row.name).copied(),
    });
    let items = rows.collect();
    let body = TenantQuotas { set, items };
    Ok(Tagged { tag, body })
}
