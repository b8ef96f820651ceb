//! A component on its way in with a signature beside it, as the parts of a form (RFC 7578).
//!
//! The component is hashed as it streams in. A body that is no form is a component alone.

use std::convert::Infallible;

use axum::{
    body::Body,
    extract::{FromRequest, Request},
};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use multer::{Constraints, Field, Multipart, SizeLimit};
use tenterhook_domain::{
    Code, Error, Result, component::COMPONENT_BYTES_MAX, digest::Hasher, trust::SIGNATURE_BYTES_MAX,
};

use super::upload::{Received, Upload, component_too_large, content_digest};

/// The part with a sigstore bundle.
pub(crate) const SIGNATURE_PART: &str = "signature";
/// The part with the component.
pub(crate) const COMPONENT_PART: &str = "component";

/// What may stand around the two parts, in bytes.
const FRAME_BYTES_MAX: usize = 16 * 1024;

/// A component that was not read yet, with or without a signature.
pub(crate) enum SignedUpload {
    /// The body is the component.
    Plain(Upload),
    /// The body is a form with this boundary.
    Form(HeaderMap, Body, String),
}

impl<S: Send + Sync> FromRequest<S> for SignedUpload {
    type Rejection = Infallible;

    async fn from_request(request: Request, state: &S) -> Result<Self, Infallible> {
        let media_type = request.headers().get(header::CONTENT_TYPE);
        let boundary = media_type
            .and_then(|value| value.to_str().ok())
            .and_then(|value| multer::parse_boundary(value).ok());
        match boundary {
            Some(boundary) => {
                let (parts, body) = request.into_parts();
                Ok(Self::Form(parts.headers, body, boundary))
            }
            None => Upload::from_request(request, state).await.map(Self::Plain),
        }
    }
}

impl SignedUpload {
    /// Reads it to its end.
    ///
    /// # Errors
    /// As [`Upload::receive`]; `body-too-large` for a signature that is too large, `request-invalid` for other parts than
    /// these two. `Content-Digest` is the component's here too: the form around it is nobody's to keep.
    pub(crate) async fn receive(self) -> Result<Received> {
        let (headers, body, boundary) = match self {
            Self::Plain(upload) => return upload.receive().await,
            Self::Form(headers, body, boundary) => (headers, body, boundary),
        };
        let whole = COMPONENT_BYTES_MAX + SIGNATURE_BYTES_MAX + FRAME_BYTES_MAX;
        let bounds = Constraints::new().size_limit(SizeLimit::new().whole_stream(whole as u64));
        let mut form = Multipart::with_constraints(body.into_data_stream(), boundary, bounds);
        let (mut signature, mut component) = (None, None);
        while let Some(field) = form.next_field().await.map_err(broken)? {
            match field.name() {
                Some(SIGNATURE_PART) if signature.is_none() => {
                    let bytes = read(field, SIGNATURE_BYTES_MAX, signature_too_large, |_| {});
                    signature = Some(text(bytes.await?)?);
                }
                Some(COMPONENT_PART) if component.is_none() => {
                    let mut hasher = Hasher::default();
                    let hash = |data: &[u8]| hasher.update(data);
                    let bytes = read(field, COMPONENT_BYTES_MAX, component_too_large, hash);
                    let bytes = bytes.await?;
                    component = Some((bytes, hasher.finish()));
                }
                _ => return Err(other_parts()),
            }
        }
        let (component, digest) = component.ok_or_else(other_parts)?;
        let received = Received::checked(component, digest, content_digest(&headers)?)?;
        Ok(Received {
            signature,
            ..received
        })
    }
}

fn text(bytes: Bytes) -> Result<String> {
    String::from_utf8(bytes.into()).map_err(|error| {
        Error::new(Code::RequestInvalid, "the signature is no text").caused_by(error)
    })
}

async fn read(
    mut field: Field<'static>,
    max: usize,
    too_large: impl Fn() -> Error,
    mut each: impl FnMut(&[u8]),
) -> Result<Bytes> {
    let mut bytes = BytesMut::new();
    while let Some(piece) = field.chunk().await.map_err(broken)? {
        if bytes.len().saturating_add(piece.len()) > max {
            return Err(too_large());
        }
        each(&piece);
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes.freeze())
}

fn other_parts() -> Error {
    Error::new(
        Code::RequestInvalid,
        format!(
            "the form has other parts: send {SIGNATURE_PART} and then {COMPONENT_PART}, no more"
        ),
    )
}

fn broken(error: multer::Error) -> Error {
    if matches!(error, multer::Error::StreamSizeExceeded { .. }) {
        return component_too_large();
    }
    Error::new(
        Code::RequestInvalid,
        "the form cannot be read to its end: send multipart/form-data",
    )
    .caused_by(error)
}

/// The refusal of a signature that is larger than any.
pub(crate) fn signature_too_large() -> Error {
    Error::new(
        Code::BodyTooLarge,
        format!("the signature is larger than {SIGNATURE_BYTES_MAX} bytes"),
    )
}
