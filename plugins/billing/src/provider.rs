//! What all calls to the tenant's services have in common: where they are, and how a repeated call is recognised.

use serde::Serialize;
use serde::de::DeserializeOwned;
use tenterhook_sdk::http::{self, Method, Request};
use tenterhook_sdk::{ActivityContext, ActivityError, config};

/// The configuration keys with the services' base URLs.
pub(crate) const CONTRACTS: &str = "contracts_url";
pub(crate) const PLANS: &str = "plans_url";
pub(crate) const USAGE: &str = "usage_url";
pub(crate) const INVOICES: &str = "invoices_url";
pub(crate) const IMPORTS: &str = "imports_url";
pub(crate) const TENANTS: &str = "tenants_url";
pub(crate) const USERS: &str = "users_url";
pub(crate) const LOGINS: &str = "sessions_url";

/// Reads something of a service.
pub(crate) fn read<T: DeserializeOwned>(service: &str, path: &str) -> Result<T, ActivityError> {
    let base = config::require(service)?;
    http::get(&http::join(&base, path)).send()?.ok()?.json()
}

/// Changes something at a service: the only change of this activity.
pub(crate) fn change<T: DeserializeOwned>(
    ctx: &ActivityContext,
    service: &str,
    (method, path): (Method, &str),
    body: &impl Serialize,
) -> Result<T, ActivityError> {
    request(ctx.idempotency_key(), service, (method, path), body)?
        .send()?
        .ok()?
        .json()
}

/// Changes something at a service: one of several changes of this activity, told apart by `part`.
pub(crate) fn change_part<T: DeserializeOwned>(
    ctx: &ActivityContext,
    part: &str,
    service: &str,
    (method, path): (Method, &str),
    body: &impl Serialize,
) -> Result<T, ActivityError> {
    let key = format!("{}/{part}", ctx.idempotency_key());
    request(&key, service, (method, path), body)?
        .send()?
        .ok()?
        .json()
}

/// A request that changes something, under a key by which a repetition is recognised.
pub(crate) fn request(
    key: &str,
    service: &str,
    (method, path): (Method, &str),
    body: &impl Serialize,
) -> Result<Request, ActivityError> {
    let base = config::require(service)?;
    Request::new(method, &http::join(&base, path))
        .idempotency_key(key)
        .json(body)
}
