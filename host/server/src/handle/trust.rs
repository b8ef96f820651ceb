//! Whom a tenant trusts to sign its releases.

use std::sync::Arc;

use axum::{Extension, extract::State};
use tenterhook_domain::{Code, Error, TenantId, trust::TrustPolicy};

use crate::{
    Api,
    answer::{Tagged, entity_tag},
    guard::Caller,
    problem::Answer,
    request::{AtTenant, IfMatch, Json},
};

pub(crate) async fn get(State(api): State<Arc<Api>>, at: AtTenant) -> Answer<Tagged<TrustPolicy>> {
    tagged(api.state.store.tenants.trust(&at.tenant).await?)
}

/// Sets the policy, if it is as the caller knows it. Releases that are there stay what they are: a signature is looked
/// at when a release is checked.
pub(crate) async fn put(
    State(api): State<Arc<Api>>,
    at: AtTenant,
    Extension(caller): Extension<Caller>,
    expected: IfMatch,
    Json(policy): Json<TrustPolicy>,
) -> Answer<Tagged<TrustPolicy>> {
    policy.check()?;
    api.state.signatures.check(&policy)?;
    let (tenants, tenant) = (&api.state.store.tenants, &at.tenant);
    let known = match expected.is_given() {
        true => {
            let found = tenants.trust(tenant).await?;
            if !expected.allows(&entity_tag(&found)?) {
                return Err(outdated(tenant).into());
            }
            Some(found)
        }
        false => None,
    };
    let (author, now) = (caller.author(), api.state.clock.now_millis());
    let put = tenants.put_trust(tenant, &policy, known.as_ref(), &author, now);
    put.await.map_err(|error| match error.code() {
        Code::PreconditionFailed => outdated(tenant),
        _ => error,
    })?;
    tracing::info!(%tenant, mode = ?policy.mode, by = caller.token, "the trust policy was set");
    tagged(policy)
}

fn tagged(body: TrustPolicy) -> Answer<Tagged<TrustPolicy>> {
    let tag = entity_tag(&body)?;
    Ok(Tagged { tag, body })
}

fn outdated(tenant: &TenantId) -> Error {
    Error::new(
        Code::PreconditionFailed,
        format!(
            "the trust policy of tenant {tenant} was changed meanwhile: read it again, and decide anew"
        ),
    )
}
