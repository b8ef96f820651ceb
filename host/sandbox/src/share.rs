//! Compiled code that hosts of one system leave for one another, so that one of them compiles for all.
//!
//! It is native code, and lies where others can write: so whoever puts it there seals it with a secret that only hosts of
//! the system know, and nobody looks at a byte of it before the seal is found right. The seal covers which component
//! it is of and which engines made it, so that nothing can be put in another's place.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tenterhook_domain::{Digest, component::CompiledShelf, context::ContextKeys};

use crate::{compiler::Codes, engine::Kind};

/// Bytes of a seal: a keyed BLAKE3 hash.
const SEAL_BYTES: usize = blake3::OUT_LEN;
/// Bytes that say how long the heading is.
const LENGTH_BYTES: usize = 4;

/// What the secrets that seal are derived for.
const PURPOSE: &str = "compiled code";

/// Where hosts leave compiled code, and the keys whose secrets seal it.
pub struct Share {
    /// Where it lies.
    pub shelf: Arc<dyn CompiledShelf>,
    /// The one that signs seals. What was sealed with a retired one is not taken: it may be in other hands.
    pub keys: Arc<ContextKeys>,
}

/// What stands before the code.
#[derive(Serialize, Deserialize)]
struct Heading {
    digest: Digest,
    engines: String,
    /// Each kind and the bytes of its code, which follow in this order.
    kinds: Vec<(Kind, u64)>,
}

impl Share {
    /// What another host compiled. A shelf that cannot be read or holds what nobody sealed is as good as an empty one.
    pub(crate) async fn take(&self, digest: &Digest, engines: &str) -> Option<Codes> {
        let sealed = match self.shelf.get(digest, engines).await {
            Ok(sealed) => sealed?,
            Err(error) => {
                tracing::warn!(%digest, code = %error.code(), cause = error.source_text(), "{error}");
                return None;
            }
        };
        let codes = self.open(sealed, digest, engines);
        if codes.is_none() {
            tracing::warn!(%digest, "shared compiled code has no seal of this system; compiling again");
        }
        codes
    }

    /// Leaves `codes` for the others. That it cannot is their loss of time and nothing else.
    pub(crate) async fn give(&self, digest: &Digest, engines: &str, codes: &Codes) {
        let Some(sealed) = self.seal(digest, engines, codes) else {
            return;
        };
        if let Err(error) = self.shelf.put(digest, engines, sealed).await {
            tracing::warn!(%digest, code = %error.code(), cause = error.source_text(), "{error}");
        }
    }

    fn seal(&self, digest: &Digest, engines: &str, codes: &Codes) -> Option<Bytes> {
        let secrets = self.keys.derive(PURPOSE).ok()?;
        let secret = secrets.first()?;
        let kinds = codes.iter().map(|(kind, code)| (*kind, code.len() as u64));
        let heading = Heading {
            digest: *digest,
            engines: engines.to_owned(),
            kinds: kinds.collect(),
        };
        let heading = serde_json::to_vec(&heading).ok()?;
        let length = u32::try_from(heading.len()).ok()?;
        let mut sealed = vec![0; SEAL_BYTES];
        sealed.extend(length.to_le_bytes());
        sealed.extend(heading);
        for (_, code) in codes {
            sealed.extend_from_slice(code);
        }
        let seal = blake3::keyed_hash(secret, &sealed[SEAL_BYTES..]);
        sealed[..SEAL_BYTES].copy_from_slice(seal.as_bytes());
        Some(sealed.into())
    }

    fn open(&self, sealed: Bytes, digest: &Digest, engines: &str) -> Option<Codes> {
        let (seal, rest) = sealed.split_first_chunk::<SEAL_BYTES>()?;
        let seal = blake3::Hash::from_bytes(*seal);
        // Compared in constant time, by the type's own equality.
        let is_ours = |secret: &[u8; 32]| blake3::keyed_hash(secret, rest) == seal;
        if !self.keys.derive(PURPOSE).ok()?.iter().any(is_ours) {
            return None;
        }
        let (length, rest) = rest.split_first_chunk::<LENGTH_BYTES>()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let (heading, codes) = rest.split_at_checked(length)?;
        let heading: Heading = serde_json::from_slice(heading).ok()?;
        if heading.digest != *digest || heading.engines != engines {
            return None;
        }
        let mut rest = sealed.slice_ref(codes);
        let mut codes = Codes::new();
        for (kind, bytes) in heading.kinds {
            let bytes = usize::try_from(bytes).ok()?;
            if bytes > rest.len() {
                return None;
            }
            codes.push((kind, rest.split_to(bytes)));
        }
        rest.is_empty().then_some(codes)
    }
}
