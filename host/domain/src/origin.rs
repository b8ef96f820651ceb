//! Where a component comes from that is not uploaded: an OCI registry, and a reference that can only mean one thing.

use std::{fmt, str::FromStr};

use async_trait::async_trait;
use bytes::Bytes;

use crate::{
    digest::Digest,
    error::{Code, Error, Result},
    name::TenantId,
};

/// Longest reference, in bytes.
pub const REFERENCE_BYTES_MAX: usize = 512;
/// Longest tag, in characters (OCI distribution specification).
const TAG_CHARS_MAX: usize = 128;

/// What a reference names, written `registry/repository[:tag]@sha256:…`. The digest is the manifest's, and decides;
/// the tag says to people what it was called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OciReference {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Digest,
}

impl OciReference {
    /// The registry's host, with its port where one is given.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The repository in the registry.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The digest of the manifest.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }
}

impl fmt::Display for OciReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        write!(f, "@{}", self.digest)
    }
}

impl FromStr for OciReference {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text.len() > REFERENCE_BYTES_MAX {
            return Err(invalid(format!(
                "the reference is longer than {REFERENCE_BYTES_MAX} bytes"
            )));
        }
        let Some((name, digest)) = text.split_once('@') else {
            return Err(invalid(format!(
                "{text:?} names no digest, and a tag can be moved: add @sha256:… of the manifest, as the push or \
                 `oras resolve` shows it"
            )));
        };
        let digest = digest
            .parse()
            .map_err(|error: Error| invalid(error.detail()))?;
        let unreadable = || {
            invalid(format!(
                "{text:?} is no reference: write registry/repository:tag@sha256:…"
            ))
        };
        let (registry, path) = name.split_once('/').ok_or_else(unreadable)?;
        let (repository, tag) = match path.rsplit_once(':') {
            Some((repository, tag)) => (repository, Some(tag.to_owned())),
            None => (path, None),
        };
        if !is_registry(registry)
            || !is_repository(repository)
            || tag.as_deref().is_some_and(|tag| !is_tag(tag))
        {
            return Err(unreadable());
        }
        Ok(Self {
            registry: registry.to_owned(),
            repository: repository.to_owned(),
            tag,
            digest,
        })
    }
}

fn invalid(detail: impl Into<String>) -> Error {
    Error::new(Code::OriginInvalid, detail)
}

/// True for `host.name`, `host.name:port`, `localhost` and the like: what cannot be taken for the first part of a
/// repository on somebody's default registry.
pub fn is_registry(text: &str) -> bool {
    let (host, port) = match text.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    };
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let labels_hold = host.split('.').all(|label| {
        let bytes = label.as_bytes();
        bytes.first().copied().is_some_and(plain)
            && bytes.last().copied().is_some_and(plain)
            && bytes.iter().all(|&b| plain(b) || b == b'-')
    });
    let port_holds = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
    labels_hold && port_holds && (host == "localhost" || host.contains('.') || port.is_some())
}

/// True for parts of lower-case letters and digits, with `.`, `_` and `-` within, parted by `/`.
pub fn is_repository(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    text.split('/').all(|part| {
        let bytes = part.as_bytes();
        bytes.first().copied().is_some_and(plain)
            && bytes.last().copied().is_some_and(plain)
            && !part.contains("..")
            && bytes
                .iter()
                .all(|&b| plain(b) || matches!(b, b'.' | b'_' | b'-'))
    })
}

fn is_tag(text: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    text.len() <= TAG_CHARS_MAX
        && text.bytes().next().is_some_and(word)
        && text.bytes().all(|b| word(b) || matches!(b, b'.' | b'-'))
}

/// The registries that a host may pull from: the operator's choice, for a pull is a request of the host's own.
#[async_trait]
pub trait Registries: Send + Sync + 'static {
    /// The component that `reference` names, for a release of `tenant`.
    ///
    /// # Errors
    /// `registry-denied` where the operator does not allow it, `artifact-not-found`, `artifact-invalid` for what is no
    /// component in the CNCF Wasm layout, `component-too-large`, `digest-mismatch`, `registry-failed`.
    async fn pull(&self, tenant: &TenantId, reference: &OciReference) -> Result<Bytes>;
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn digest() -> String {
        Digest::of(b"manifest").to_string()
    }

    #[test]
    fn a_reference_is_read_and_written() {
        for name in [
            "registry.example/plugins/payment:1.2.0",
            "registry.example/payment",
            "127.0.0.1:5000/a/b/c-d_e.f:V1",
            "localhost/x:_1",
            "mirror:5000/x",
        ] {
            let text = format!("{name}@{}", digest());
            let reference: OciReference = text.parse().unwrap();
            assert_eq!(reference.to_string(), text);
        }
        let text = format!("registry.example:443/team/payment:1@{}", digest());
        let reference: OciReference = text.parse().unwrap();
        assert_eq!(reference.registry(), "registry.example:443");
        assert_eq!(reference.repository(), "team/payment");
        assert_eq!(reference.digest().to_string(), digest());
    }

    #[test]
    fn what_can_mean_another_thing_tomorrow_is_refused() {
        let refused = "registry.example/payment:latest".parse::<OciReference>();
        let error = refused.unwrap_err();
        assert_eq!(error.code(), Code::OriginInvalid);
        assert!(error.detail().contains("names no digest"), "{error}");
    }

    #[test]
    fn what_is_no_reference_is_refused() {
        let long = "a".repeat(REFERENCE_BYTES_MAX);
        for name in [
            "",
            "payment",
            "team/payment",
            "https://registry.example/payment",
            "user@registry.example/payment",
            "registry.example/",
            "registry.example//x",
            "registry.example/../x",
            "registry.example/a..b",
            "registry.example/Payment",
            "registry.example/x:",
            "registry.example/x:a/b",
            "registry.example/x?y",
            "registry.example:0/x",
            "registry.example:99999/x",
            "-registry.example/x",
            "registry.example/x y",
            &format!("registry.example/{long}"),
        ] {
            let text = format!("{name}@{}", digest());
            let refused = text.parse::<OciReference>();
            assert_eq!(refused.unwrap_err().code(), Code::OriginInvalid, "{text}");
        }
        for digest in ["sha512:00", "sha256:00", ""] {
            let text = format!("registry.example/x@{digest}");
            let refused = text.parse::<OciReference>();
            assert_eq!(refused.unwrap_err().code(), Code::OriginInvalid, "{text}");
        }
    }
}
