//! What all calls to providers have in common: where they are, and how a repeated call is recognised.

use tenterhook_sdk::http::{self, Method, Request};
use tenterhook_sdk::{ActivityContext, ActivityError, config};

/// A request to the provider whose base URL stands in a configuration key.
pub(crate) fn request(
    ctx: &ActivityContext,
    url_key: &str,
    method: Method,
    path: &str,
) -> Result<Request, ActivityError> {
    let base = config::require(url_key)?;
    Ok(Request::new(method, &http::join(&base, path)).idempotency_key(ctx.idempotency_key()))
}
