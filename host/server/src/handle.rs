//! The handlers, by noun.

pub(crate) mod arrival;
pub(crate) mod audit;
pub(crate) mod check;
pub(crate) mod circuit;
pub(crate) mod codec;
pub(crate) mod context_key;
pub(crate) mod contract;
pub(crate) mod encryption;
pub(crate) mod health;
pub(crate) mod lane;
pub(crate) mod limit;
pub(crate) mod message;
pub(crate) mod metrics;
pub(crate) mod plugin;
pub(crate) mod quota;
pub(crate) mod release;
pub(crate) mod rollout;
pub(crate) mod schedule;
pub(crate) mod secret;
pub(crate) mod tenant;
pub(crate) mod token;
pub(crate) mod trust;
pub(crate) mod workflow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tenterhook_domain::Scope;

/// What stands in a path segment as it is; all else is percent-encoded.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

fn segment(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

fn scope_path(scope: &Scope) -> String {
    format!(
        "/v1/tenants/{}/environments/{}",
        scope.tenant, scope.environment
    )
}
