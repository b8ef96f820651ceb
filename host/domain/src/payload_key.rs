//! The keys that a tenant's payloads are encrypted under on their way to Temporal, and how: XChaCha20-Poly1305 under a
//! data key of the tenant's own, that key under the first of the operator's.
//!
//! What is sealed is bound to the tenant and to nothing narrower: Temporal hands payloads from one execution to another,
//! from a parent to its child and from a run to the next. Without its keys nothing that a tenant ever wrote opens: who
//! deletes them has shredded it, wherever it is kept.

use std::{collections::BTreeMap, fmt};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{
    error::{Code, Error, Result},
    name::TenantId,
    secret_key::{self, KEY_BYTES, SecretKeys},
};

/// Most data keys of one tenant, those that only decrypt included.
pub const PAYLOAD_KEYS_MAX: usize = 100;
/// What stands before the id of a data key where Temporal keeps it, so that what somebody else encrypted is not ours.
pub const PAYLOAD_KEY_PREFIX: &str = "tenterhook/";
const ID_BYTES: usize = 8;
/// Begin what a sealed text is bound to. Another way to seal gets another number.
const KEY_SEAL_VERSION: &str = "tenterhook-payload-key-1";
const PAYLOAD_SEAL_VERSION: &str = "tenterhook-payload-1";

/// Whether the payloads of a tenant are encrypted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Encryption {
    /// New payloads are plain. Those that are encrypted still open.
    #[default]
    Off,
    /// New payloads are encrypted under the newest key.
    On,
    /// The keys were deleted: what was encrypted opens no more, and nothing new is written.
    Shredded,
}

impl Encryption {
    /// The word, as the API and the database write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::On => "on",
            Self::Shredded => "shredded",
        }
    }

    /// The one that is written as `text`.
    pub fn of_text(text: &str) -> Option<Self> {
        [Self::Off, Self::On, Self::Shredded]
            .into_iter()
            .find(|one| one.as_str() == text)
    }
}

/// A data key, as the store keeps it.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedPayloadKey {
    /// Its id, hex digits.
    pub id: String,
    /// Id of the operator's key that it is under.
    pub under: String,
    /// Nonce, ciphertext, tag.
    pub sealed: Vec<u8>,
    /// When it was made, milliseconds since the Unix epoch.
    pub made_at: u64,
}

impl fmt::Debug for SealedPayloadKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedPayloadKey {} under {}", self.id, self.under)
    }
}

/// A data key.
pub struct PayloadKey {
    id: String,
    bytes: Zeroizing<[u8; KEY_BYTES]>,
}

impl fmt::Debug for PayloadKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PayloadKey {}", self.id)
    }
}

impl SecretKeys {
    /// A new data key of `tenant`, under the first of these keys.
    ///
    /// # Errors
    /// `internal` when the system gives no randomness.
    pub fn new_payload_key(&self, tenant: &TenantId, now_millis: u64) -> Result<SealedPayloadKey> {
        let id = hex::encode(secret_key::random::<ID_BYTES>()?.as_slice());
        let bytes = secret_key::random::<KEY_BYTES>()?;
        let (under, sealed) =
            self.seal_other(|under| key_bound(under, tenant, &id), bytes.as_slice())?;
        Ok(SealedPayloadKey {
            id,
            under,
            sealed,
            made_at: now_millis,
        })
    }

    /// Opens a data key of `tenant`.
    ///
    /// # Errors
    /// `secret-key-missing` when the operator's key is not here; `payload-unreadable` for what was changed, or is
    /// another tenant's.
    pub fn open_payload_key(
        &self,
        tenant: &TenantId,
        key: &SealedPayloadKey,
    ) -> Result<PayloadKey> {
        let bound = |under: &str| key_bound(under, tenant, &key.id);
        let Some(opened) = self.open_other(&key.under, bound, &key.sealed) else {
            return Err(Error::new(
                Code::SecretKeyMissing,
                format!(
                    "payload key {} of tenant {tenant} is encrypted under key {}, which this host does not have: add \
                     the key to its secret keys",
                    key.id, key.under
                ),
            ));
        };
        let opened = opened.filter(|opened| opened.len() == KEY_BYTES);
        let opened = opened.ok_or_else(|| {
            Error::new(
                Code::PayloadUnreadable,
                format!(
                    "payload key {} of tenant {tenant} cannot be decrypted: it was changed or moved in the database",
                    key.id
                ),
            )
        })?;
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        bytes.copy_from_slice(&opened);
        Ok(PayloadKey {
            id: key.id.clone(),
            bytes,
        })
    }

    /// The same data key under the first of these keys.
    ///
    /// # Errors
    /// As [`SecretKeys::open_payload_key`], and `internal` when the system gives no randomness.
    pub fn reseal_payload_key(
        &self,
        tenant: &TenantId,
        key: &SealedPayloadKey,
    ) -> Result<SealedPayloadKey> {
        let opened = self.open_payload_key(tenant, key)?;
        let bound = |under: &str| key_bound(under, tenant, &key.id);
        let (under, sealed) = self.seal_other(bound, opened.bytes.as_slice())?;
        Ok(SealedPayloadKey {
            under,
            sealed,
            ..key.clone()
        })
    }
}

/// What is encrypted, and the key that it is under as Temporal keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedPayload {
    /// [`PAYLOAD_KEY_PREFIX`] and the key's id.
    pub key: String,
    /// Nonce, ciphertext, tag.
    pub data: Vec<u8>,
}

/// The keys of one tenant and what is done with them.
#[derive(Debug)]
pub struct PayloadRing {
    tenant: TenantId,
    encryption: Encryption,
    /// The newest first.
    keys: Vec<PayloadKey>,
}

impl PayloadRing {
    /// The keys of `tenant`, the newest first.
    pub fn new(tenant: TenantId, encryption: Encryption, keys: Vec<PayloadKey>) -> Self {
        Self {
            tenant,
            encryption,
            keys,
        }
    }

    /// Whose it is.
    pub fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// Whether new payloads are encrypted.
    pub fn encryption(&self) -> Encryption {
        self.encryption
    }

    /// True if new payloads are written as they are.
    ///
    /// # Errors
    /// `payload-key-gone` after the keys were deleted: then nothing is written.
    pub fn leaves_plain(&self) -> Result<bool> {
        match self.encryption {
            Encryption::Off => Ok(true),
            Encryption::On => Ok(false),
            Encryption::Shredded => Err(Error::new(
                Code::PayloadKeyGone,
                format!(
                    "the payload keys of tenant {} were deleted, and nothing is written for it: turn its encryption on \
                     anew, or off",
                    self.tenant
                ),
            )),
        }
    }

    /// True if it has a key, to encrypt or to decrypt.
    pub fn has_keys(&self) -> bool {
        !self.keys.is_empty()
    }

    /// Encrypts under the newest key.
    ///
    /// # Errors
    /// `payload-key-gone` without one; `internal` when the system gives no randomness.
    pub fn seal(&self, plain: &[u8]) -> Result<SealedPayload> {
        let key = self.keys.first().ok_or_else(|| self.gone("of now"))?;
        Ok(SealedPayload {
            key: format!("{PAYLOAD_KEY_PREFIX}{}", key.id),
            data: secret_key::encrypt(&key.bytes, &self.bound(&key.id), plain)?,
        })
    }

    /// Decrypts what is under `key`, named as in [`SealedPayload::key`].
    ///
    /// # Errors
    /// `payload-key-gone` for a key that is not the tenant's or was deleted; `payload-unreadable` for what was changed,
    /// cut off, or encrypted for another tenant.
    pub fn open(&self, key: &str, data: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        let id = key.strip_prefix(PAYLOAD_KEY_PREFIX).unwrap_or(key);
        let known = self.keys.iter().find(|known| known.id == id);
        let known = known.ok_or_else(|| self.gone(id))?;
        secret_key::decrypt(&known.bytes, &self.bound(&known.id), data)
            .ok_or_else(|| self.unreadable())
    }

    /// The refusal of what does not open although its key is here.
    pub fn unreadable(&self) -> Error {
        Error::new(
            Code::PayloadUnreadable,
            format!(
                "a payload cannot be decrypted: it was changed, or is none of tenant {}",
                self.tenant
            ),
        )
    }

    fn gone(&self, id: &str) -> Error {
        let shown: String = id.chars().take(2 * ID_BYTES).collect();
        Error::new(
            Code::PayloadKeyGone,
            format!(
                "a payload is encrypted under key {shown:?}, which tenant {} does not have: its keys were deleted, and \
                 what it said with them",
                self.tenant
            ),
        )
    }

    fn bound(&self, id: &str) -> Vec<u8> {
        [PAYLOAD_SEAL_VERSION, self.tenant.as_str(), id]
            .join("\0")
            .into_bytes()
    }
}

/// What a data key is bound to. No part has a NUL byte.
fn key_bound(under: &str, tenant: &TenantId, id: &str) -> Vec<u8> {
    [KEY_SEAL_VERSION, under, tenant.as_str(), id]
        .join("\0")
        .into_bytes()
}

/// A payload as Temporal's tools show it to a codec.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RemotePayload {
    /// What is said of the data.
    pub metadata: BTreeMap<String, Vec<u8>>,
    /// The data.
    pub data: Vec<u8>,
}

/// Encrypts and decrypts payloads for people who look at Temporal itself. What a key of the tenant is asked for is read
/// from the store for each call: nothing opens that was shredded before it.
#[async_trait]
pub trait PayloadCodec: Send + Sync + 'static {
    /// The payloads as the host would write them for `tenant`.
    ///
    /// # Errors
    /// As [`PayloadRing::seal`]; `tenant-not-found`, `store-failed`.
    async fn encode(
        &self,
        tenant: &TenantId,
        payloads: Vec<RemotePayload>,
    ) -> Result<Vec<RemotePayload>>;
    /// The payloads as they were before; what this host did not encrypt stays what it is.
    ///
    /// # Errors
    /// As [`PayloadRing::open`]; `tenant-not-found`, `store-failed`.
    async fn decode(
        &self,
        tenant: &TenantId,
        payloads: Vec<RemotePayload>,
    ) -> Result<Vec<RemotePayload>>;
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
