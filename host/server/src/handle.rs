//! The handlers, by noun.

pub(crate) mod check;
pub(crate) mod health;
pub(crate) mod message;
pub(crate) mod plugin;
pub(crate) mod release;
pub(crate) mod rollout;
pub(crate) mod tenant;
pub(crate) mod token;
pub(crate) mod workflow;

use axum::{
    Json,
    response::{IntoResponse as _, Response},
};
use http::{HeaderValue, StatusCode, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use tenterhook_domain::{Code, Error, Result, Scope};
use tenterhook_store::Written;

/// What stands in a path segment as it is; all else is percent-encoded.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// 201 for what is new, 200 for what was there.
fn put_status(written: Written) -> StatusCode {
    match written {
        Written::Created => StatusCode::CREATED,
        Written::Unchanged => StatusCode::OK,
    }
}

fn segment(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

fn scope_path(scope: &Scope) -> String {
    format!(
        "/v1/tenants/{}/environments/{}",
        scope.tenant, scope.environment
    )
}

/// An answer that says where the thing is.
fn located(status: StatusCode, path: &str, body: impl Serialize) -> Result<Response> {
    let location = HeaderValue::from_str(path).map_err(|error| {
        Error::new(Code::Internal, format!("{path:?} is no location")).caused_by(error)
    })?;
    Ok((status, [(header::LOCATION, location)], Json(body)).into_response())
}
