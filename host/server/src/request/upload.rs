//! A component on its way in: bounded, and hashed while it arrives.

use std::convert::Infallible;

use axum::{
    body::Body,
    extract::{FromRequest, Request},
};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use bytes::Bytes;
use http::{HeaderMap, HeaderName};
use tenterhook_domain::{
    Code, Digest, Error, Result, component::COMPONENT_BYTES_MAX, digest::Hasher,
};

use super::body::read;

/// What the sender says that the body's digest is (RFC 9530).
pub(crate) const CONTENT_DIGEST: HeaderName = HeaderName::from_static("content-digest");

/// A component that was not read yet.
pub(crate) struct Upload {
    headers: HeaderMap,
    body: Body,
}

/// A component that came in whole.
pub(crate) struct Received {
    pub(crate) component: Bytes,
    pub(crate) digest: Digest,
    /// The sigstore bundle that came with it.
    pub(crate) signature: Option<String>,
}

impl Received {
    /// What came in, if it is what was announced.
    ///
    /// # Errors
    /// `component-invalid` for one without a byte, `digest-mismatch`.
    pub(super) fn checked(
        component: Bytes,
        digest: Digest,
        expected: Option<Digest>,
    ) -> Result<Self> {
        if component.is_empty() {
            return Err(Error::new(
                Code::ComponentInvalid,
                "the component is empty: send its bytes",
            ));
        }
        match expected {
            Some(expected) if expected != digest => Err(Error::new(
                Code::DigestMismatch,
                format!(
                    "what came in is {digest}, but Content-Digest says {expected}: send it again"
                ),
            )),
            _ => Ok(Self {
                component,
                digest,
                signature: None,
            }),
        }
    }
}

impl<S: Send + Sync> FromRequest<S> for Upload {
    type Rejection = Infallible;

    async fn from_request(request: Request, _: &S) -> Result<Self, Infallible> {
        let (parts, body) = request.into_parts();
        Ok(Self {
            headers: parts.headers,
            body,
        })
    }
}

impl Upload {
    /// Reads it to its end.
    ///
    /// # Errors
    /// `component-too-large`, `request-invalid`, and `digest-mismatch` when it is not what `Content-Digest` says.
    pub(crate) async fn receive(self) -> Result<Received> {
        let expected = content_digest(&self.headers)?;
        let mut hasher = Hasher::default();
        let hash = |data: &[u8]| hasher.update(data);
        let component = read(
            &self.headers,
            self.body,
            COMPONENT_BYTES_MAX,
            component_too_large,
            hash,
        );
        let component = component.await?;
        Received::checked(component, hasher.finish(), expected)
    }
}

pub(super) fn component_too_large() -> Error {
    Error::new(
        Code::ComponentTooLarge,
        format!("the component is larger than {COMPONENT_BYTES_MAX} bytes"),
    )
}

/// The sha-256 of the header's dictionary: `sha-256=:<base64>:`. Other algorithms are not looked at.
pub(super) fn content_digest(headers: &HeaderMap) -> Result<Option<Digest>> {
    for value in headers.get_all(CONTENT_DIGEST) {
        let members = value.to_str().unwrap_or_default().split(',');
        for member in members.map(str::trim) {
            let Some(encoded) = member.strip_prefix("sha-256=") else {
                continue;
            };
            let bytes = encoded
                .strip_prefix(':')
                .and_then(|rest| rest.strip_suffix(':'))
                .and_then(|text| BASE64.decode(text).ok())
                .and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
            let bytes = bytes.ok_or_else(|| {
                Error::new(
                    Code::RequestInvalid,
                    "Content-Digest cannot be read: send sha-256=:…: with the digest in base64",
                )
            })?;
            return Ok(Some(Digest::from(bytes)));
        }
    }
    Ok(None)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn read_of(text: &str) -> Result<Option<Digest>> {
        let value = HeaderValue::from_str(text).unwrap();
        content_digest(&HeaderMap::from_iter([(CONTENT_DIGEST, value)]))
    }

    #[test]
    fn the_digest_is_found_among_others() {
        let digest = Digest::of(b"x");
        let own = format!("sha-256=:{}:", BASE64.encode(digest.as_bytes()));
        assert_eq!(content_digest(&HeaderMap::new()).unwrap(), None);
        assert_eq!(read_of(&own).unwrap(), Some(digest));
        assert_eq!(
            read_of(&format!("sha-512=:AA==:, {own}")).unwrap(),
            Some(digest)
        );
        assert_eq!(read_of("sha-512=:AA==:").unwrap(), None);
        for bad in ["sha-256=", "sha-256=:AA==:", "sha-256=AA==", "sha-256=:%:"] {
            assert_eq!(
                read_of(bad).unwrap_err().code(),
                Code::RequestInvalid,
                "{bad}"
            );
        }
    }
}
