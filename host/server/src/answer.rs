//! What handlers answer besides plain JSON: the shapes differ in status and headers, and `document` shows each.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use tenterhook_domain::{Code, Digest, Error, Result};
use tenterhook_store::Written;

use crate::problem::Problem;

/// Hex digits of a hash that make an entity tag.
const TAG_DIGITS: usize = 32;

/// 201 for what is new, 200 for what was there.
pub(crate) struct Put<T>(pub(crate) Written, pub(crate) T);

/// 201.
pub(crate) struct Created<T>(pub(crate) T);

/// 204.
pub(crate) struct NoContent;

/// 200 when it is over, 202 while it is not.
pub(crate) struct Pending<T> {
    pub(crate) over: bool,
    pub(crate) body: T,
}

/// 200 with an entity tag for a later `If-Match`.
pub(crate) struct Tagged<T> {
    pub(crate) tag: String,
    pub(crate) body: T,
}

/// An answer that says where the thing is.
pub(crate) struct Located<T> {
    pub(crate) status: StatusCode,
    pub(crate) path: String,
    pub(crate) body: T,
}

/// 201 for what is new, 200 for what was there.
pub(crate) fn put_status(written: Written) -> StatusCode {
    match written {
        Written::Created => StatusCode::CREATED,
        Written::Unchanged => StatusCode::OK,
    }
}

/// The entity tag of what serialises to the same JSON.
///
/// # Errors
/// `internal` when it does not serialise.
pub(crate) fn entity_tag(thing: &impl Serialize) -> Result<String> {
    let json = serde_json::to_vec(thing)
        .map_err(|error| Error::new(Code::Internal, "a thing has no tag").caused_by(error))?;
    let hex = Digest::of(&json).hex();
    Ok(format!("\"{}\"", &hex[..TAG_DIGITS]))
}

impl<T: Serialize> IntoResponse for Put<T> {
    fn into_response(self) -> Response {
        (put_status(self.0), Json(self.1)).into_response()
    }
}

impl<T: Serialize> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        (StatusCode::CREATED, Json(self.0)).into_response()
    }
}

impl IntoResponse for NoContent {
    fn into_response(self) -> Response {
        StatusCode::NO_CONTENT.into_response()
    }
}

impl<T: Serialize> IntoResponse for Pending<T> {
    fn into_response(self) -> Response {
        let status = if self.over {
            StatusCode::OK
        } else {
            StatusCode::ACCEPTED
        };
        (status, Json(self.body)).into_response()
    }
}

impl<T: Serialize> IntoResponse for Tagged<T> {
    fn into_response(self) -> Response {
        ([(header::ETAG, self.tag)], Json(self.body)).into_response()
    }
}

impl<T: Serialize> IntoResponse for Located<T> {
    fn into_response(self) -> Response {
        match location(&self.path) {
            Ok(location) => {
                let headers = [(header::LOCATION, location)];
                (self.status, headers, Json(self.body)).into_response()
            }
            Err(error) => Problem::from(error).into_response(),
        }
    }
}

fn location(path: &str) -> Result<HeaderValue> {
    HeaderValue::from_str(path).map_err(|error| {
        Error::new(Code::Internal, format!("{path:?} is no location")).caused_by(error)
    })
}
