//! Bodies, each within its bound.

use axum::{
    body::Body,
    extract::{FromRequest, Request},
};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use http_body_util::BodyExt as _;
use serde::{Deserialize as _, Deserializer, de::DeserializeOwned};
use serde_json::Value;
use tenterhook_domain::{Code, Error, Result};

use crate::problem::Problem;

/// Largest JSON body, in bytes: one payload of Temporal's 2 MiB, and room for what stands around it.
pub const JSON_BYTES_MAX: usize = 2 * 1024 * 1024 + 64 * 1024;
/// Largest body of payloads in base64, in bytes: two of Temporal's largest, and room for what stands around them.
pub const PAYLOADS_BYTES_MAX: usize = 6 * 1024 * 1024;
/// Of a body that is too large, so many times the bound is read and thrown away. A caller who is cut off in
/// the middle of sending often never sees the answer.
const DISCARD_TIMES: usize = 4;
/// Space taken before anything came in, whatever the request announces.
const FIRST_BYTES: usize = 64 * 1024;

/// Reads a field that is there, null included: null is an argument, a field that is not there is none.
///
/// # Errors
/// What `deserializer` reports.
pub(crate) fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// A JSON body.
pub(crate) struct Json<T>(pub(crate) T);

/// A JSON body of [`PAYLOADS_BYTES_MAX`].
pub(crate) struct LargeJson<T>(pub(crate) T);

/// A JSON body, or none: `T`'s default.
pub(crate) struct JsonOrNothing<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let (headers, bytes) = json_bytes(request, JSON_BYTES_MAX).await?;
        Ok(Self(json(&headers, &bytes)?))
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for LargeJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let (headers, bytes) = json_bytes(request, PAYLOADS_BYTES_MAX).await?;
        Ok(Self(json(&headers, &bytes)?))
    }
}

impl<T: DeserializeOwned + Default, S: Send + Sync> FromRequest<S> for JsonOrNothing<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let (headers, bytes) = json_bytes(request, JSON_BYTES_MAX).await?;
        if bytes.is_empty() {
            return Ok(Self(T::default()));
        }
        Ok(Self(json(&headers, &bytes)?))
    }
}

async fn json_bytes(request: Request, max: usize) -> Result<(HeaderMap, Bytes)> {
    let (parts, body) = request.into_parts();
    let too_large = || {
        Error::new(
            Code::BodyTooLarge,
            format!("the body is larger than {max} bytes"),
        )
    };
    let bytes = read(&parts.headers, body, max, too_large, |_| {}).await?;
    Ok((parts.headers, bytes))
}

fn json<T: DeserializeOwned>(headers: &HeaderMap, bytes: &[u8]) -> Result<T> {
    let media_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .map(|value| value.trim().to_ascii_lowercase());
    if media_type.as_deref() != Some("application/json") {
        return Err(Error::new(
            Code::RequestInvalid,
            "the body is not JSON: send the header Content-Type: application/json",
        ));
    }
    // Every body of this API is an object. Of a list serde would take the fields in their order.
    if bytes.trim_ascii_start().first() == Some(&b'[') {
        return Err(Error::new(
            Code::RequestInvalid,
            "the body is a list: send an object",
        ));
    }
    serde_json::from_slice(bytes).map_err(|error| {
        Error::new(
            Code::RequestInvalid,
            format!("the body cannot be read: {error}"),
        )
    })
}

/// Reads `body` up to `max` bytes and shows `each` what comes in.
///
/// # Errors
/// `too_large`'s, and `request-invalid` for a body that breaks off.
pub(super) async fn read(
    headers: &HeaderMap,
    mut body: Body,
    max: usize,
    too_large: impl Fn() -> Error,
    mut each: impl FnMut(&[u8]),
) -> Result<Bytes> {
    let discarded_max = max.saturating_mul(DISCARD_TIMES);
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse::<usize>().ok())
        .unwrap_or(0);
    // A caller who asks before sending gets the answer instead of the permission.
    if announced > discarded_max || (announced > max && headers.contains_key(header::EXPECT)) {
        return Err(too_large());
    }
    let mut bytes = BytesMut::with_capacity(announced.min(FIRST_BYTES));
    let mut received = 0_usize;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            Error::new(Code::RequestInvalid, "the body ended before its end").caused_by(error)
        })?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        received = received.saturating_add(data.len());
        if received <= max {
            each(&data);
            bytes.extend_from_slice(&data);
            continue;
        }
        bytes = BytesMut::new();
        if received > discarded_max {
            break;
        }
    }
    if received > max {
        return Err(too_large());
    }
    Ok(bytes.freeze())
}
