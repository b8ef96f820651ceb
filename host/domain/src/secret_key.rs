//! The keys that secrets are encrypted under, and how: XChaCha20-Poly1305, each value under a key of its own, that key
//! under the first of the operator's keys.
//!
//! What is sealed is bound to its place, so that a row that is moved to another tenant, plugin or name does not open.

use std::{fmt, fmt::Write as _, sync::Arc};

use chacha20poly1305::{
    KeyInit as _, XChaCha20Poly1305, XNonce,
    aead::{Aead as _, Payload},
};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::{
    error::{Code, Error, Result},
    name::{PluginName, Scope, SecretName},
    secret::SecretValue,
};

/// Most keys that one host knows at once.
pub const SECRET_KEYS_MAX: usize = 16;
/// Largest text of keys that is read, in bytes.
pub const SECRET_KEYS_BYTES_MAX: usize = 16 * 1024;
pub(crate) const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;
const ID_BYTES: usize = 8;
/// Begins what an id is the hash of, so that it is no other hash of the key.
const ID_PURPOSE: &[u8] = b"tenterhook secret key id";
/// Begins what a sealed text is bound to. Another way to seal gets another number.
const SEAL_VERSION: &str = "tenterhook-secret-1";

/// Whose secret, and which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretPlace {
    /// The scope.
    pub scope: Scope,
    /// The plugin in it.
    pub plugin: PluginName,
    /// The name.
    pub name: SecretName,
}

/// An encrypted secret, as the store keeps it.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed {
    /// Id of the operator's key that `data_key` is under.
    pub key: String,
    /// The value's own key: nonce, ciphertext, tag.
    pub data_key: Vec<u8>,
    /// The value, under that key: nonce, ciphertext, tag.
    pub value: Vec<u8>,
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed under {}", self.key)
    }
}

/// One of the operator's keys.
struct SecretKey {
    id: String,
    bytes: Zeroizing<[u8; KEY_BYTES]>,
}

impl SecretKey {
    fn new(bytes: Zeroizing<[u8; KEY_BYTES]>) -> Self {
        let mut hash = Sha256::new();
        hash.update(ID_PURPOSE);
        hash.update(bytes.as_slice());
        Self {
            id: hex::encode(&hash.finalize()[..ID_BYTES]),
            bytes,
        }
    }
}

/// The operator's keys: the first encrypts, all decrypt. Cheap to clone.
#[derive(Clone)]
pub struct SecretKeys(Arc<[SecretKey]>);

impl fmt::Debug for SecretKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.ids()).finish()
    }
}

impl SecretKeys {
    /// Reads keys: each 64 hex digits, parted by line breaks, blanks or commas. What follows a `#` on a line is not
    /// looked at.
    ///
    /// # Errors
    /// `host-config-invalid` for none, for more than [`SECRET_KEYS_MAX`], and for what is no key, without it.
    pub fn parse(text: &str) -> Result<Self> {
        let refused = |why: String| Err(Error::new(Code::HostConfigInvalid, why));
        let words = text
            .lines()
            .map(|line| line.split('#').next().unwrap_or_default())
            .flat_map(|line| line.split([' ', '\t', ',']))
            .filter(|word| !word.is_empty());
        let mut keys: Vec<SecretKey> = Vec::new();
        for (at, word) in words.enumerate() {
            let mut bytes = Zeroizing::new([0; KEY_BYTES]);
            if hex::decode_to_slice(word, bytes.as_mut_slice()).is_err() {
                return refused(format!(
                    "number {} of the secret keys is none: a key is {} hex digits, as `tenterhook secret-key make` \
                     writes it",
                    at + 1,
                    2 * KEY_BYTES
                ));
            }
            keys.push(SecretKey::new(bytes));
        }
        if keys.is_empty() || keys.len() > SECRET_KEYS_MAX {
            return refused(format!(
                "there are {} secret keys: give 1 to {SECRET_KEYS_MAX}",
                keys.len()
            ));
        }
        Ok(Self(keys.into()))
    }

    /// A new key, and the lines by which a file has it.
    ///
    /// # Errors
    /// `internal` when the system gives no randomness.
    pub fn generate() -> Result<(String, Zeroizing<String>)> {
        let key = SecretKey::new(random()?);
        let mut text = Zeroizing::new(String::with_capacity(128));
        let _ = write!(text, "# {}\n{}\n", key.id, *hex_of(&key.bytes));
        Ok((key.id, text))
    }

    /// Their ids, that of the first first.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|key| key.id.as_str())
    }

    /// Id of the key that encrypts.
    pub fn first(&self) -> &str {
        self.0.first().map_or("", |key| &key.id)
    }

    /// True if it has the key `id`.
    pub fn has(&self, id: &str) -> bool {
        self.ids().any(|own| own == id)
    }

    /// Encrypts `value` for `place`.
    ///
    /// # Errors
    /// `internal` when the system gives no randomness.
    pub fn seal(&self, place: &SecretPlace, value: &SecretValue) -> Result<Sealed> {
        let data_key: Zeroizing<[u8; KEY_BYTES]> = random()?;
        Ok(Sealed {
            value: encrypt(
                &data_key,
                &bound(place, "value", ""),
                value.reveal().as_bytes(),
            )?,
            ..self.seal_key(place, &data_key)?
        })
    }

    /// Decrypts what was sealed for `place`.
    ///
    /// # Errors
    /// `secret-key-missing` when its key is not here; `secret-unreadable` for what was changed, or moved from another
    /// place.
    pub fn open(&self, place: &SecretPlace, sealed: &Sealed) -> Result<SecretValue> {
        let data_key = self.open_key(place, sealed)?;
        let value = decrypt(&data_key, &bound(place, "value", ""), &sealed.value)
            .ok_or_else(|| unreadable(place))?;
        let text = String::from_utf8(value.to_vec()).map_err(|_| unreadable(place))?;
        SecretValue::new(text).map_err(|_| unreadable(place))
    }

    /// The same secret under the first key. The value stays as it is encrypted: only its own key is sealed anew.
    ///
    /// # Errors
    /// As [`SecretKeys::seal`] and [`SecretKeys::open`].
    pub fn reseal(&self, place: &SecretPlace, sealed: &Sealed) -> Result<Sealed> {
        let data_key = self.open_key(place, sealed)?;
        Ok(Sealed {
            value: sealed.value.clone(),
            ..self.seal_key(place, &data_key)?
        })
    }

    /// Encrypts what is no secret under the first key, bound to what `bound` makes of its id. Answers that id too.
    pub(crate) fn seal_other(
        &self,
        bound: impl Fn(&str) -> Vec<u8>,
        msg: &[u8],
    ) -> Result<(String, Vec<u8>)> {
        let key = self.0.first().ok_or_else(missing)?;
        let sealed = encrypt(&key.bytes, &bound(&key.id), msg)?;
        Ok((key.id.clone(), sealed))
    }

    /// Decrypts that: none without the key `id`, and none within for what was changed or bound to something else.
    pub(crate) fn open_other(
        &self,
        id: &str,
        bound: impl Fn(&str) -> Vec<u8>,
        sealed: &[u8],
    ) -> Option<Option<Zeroizing<Vec<u8>>>> {
        let key = self.0.iter().find(|key| key.id == id)?;
        Some(decrypt(&key.bytes, &bound(&key.id), sealed))
    }

    fn seal_key(&self, place: &SecretPlace, data_key: &[u8; KEY_BYTES]) -> Result<Sealed> {
        let key = self.0.first().ok_or_else(missing)?;
        Ok(Sealed {
            key: key.id.clone(),
            data_key: encrypt(&key.bytes, &bound(place, "key", &key.id), data_key)?,
            value: Vec::new(),
        })
    }

    fn open_key(&self, place: &SecretPlace, sealed: &Sealed) -> Result<Zeroizing<[u8; KEY_BYTES]>> {
        let Some(key) = self.0.iter().find(|key| key.id == sealed.key) else {
            return Err(Error::new(
                Code::SecretKeyMissing,
                format!(
                    "secret {} of plugin {} of {} is encrypted under key {}, which this host does not have: add the \
                     key to its secret keys",
                    place.name, place.plugin, place.scope, sealed.key
                ),
            ));
        };
        let opened = decrypt(&key.bytes, &bound(place, "key", &key.id), &sealed.data_key);
        let opened = opened.ok_or_else(|| unreadable(place))?;
        let mut data_key = Zeroizing::new([0; KEY_BYTES]);
        if opened.len() != KEY_BYTES {
            return Err(unreadable(place));
        }
        data_key.copy_from_slice(&opened);
        Ok(data_key)
    }
}

/// Where a host's keys come from. The composition root implements it; a fixed ring is one, too.
pub trait SecretKeyring: Send + Sync + 'static {
    /// The keys as they are now.
    ///
    /// # Errors
    /// `secret-key-missing` for a host without keys; `host-config-invalid` when they cannot be read any more.
    fn now(&self) -> Result<SecretKeys>;
    /// Keys with the key `id` among them, where there are such.
    ///
    /// # Errors
    /// As [`SecretKeyring::now`].
    fn holding(&self, id: &str) -> Result<SecretKeys>;
}

impl SecretKeyring for SecretKeys {
    fn now(&self) -> Result<SecretKeys> {
        Ok(self.clone())
    }

    fn holding(&self, _: &str) -> Result<SecretKeys> {
        Ok(self.clone())
    }
}

/// The refusal of a host without keys.
pub fn missing() -> Error {
    Error::new(
        Code::SecretKeyMissing,
        "this host has no key to encrypt secrets with: its operator gives it one with --secret-key-file",
    )
}

fn unreadable(place: &SecretPlace) -> Error {
    Error::new(
        Code::SecretUnreadable,
        format!(
            "secret {} of plugin {} of {} cannot be decrypted: it was changed or moved in the database; set it again",
            place.name, place.plugin, place.scope
        ),
    )
}

/// What a sealed text is bound to. No part has a NUL byte, so no two places give the same bytes.
fn bound(place: &SecretPlace, what: &str, key: &str) -> Vec<u8> {
    [
        SEAL_VERSION,
        what,
        key,
        place.scope.tenant.as_str(),
        place.scope.environment.as_str(),
        place.plugin.as_str(),
        place.name.as_str(),
    ]
    .join("\0")
    .into_bytes()
}

/// Bytes that nobody can guess.
///
/// # Errors
/// `internal` when the system gives no randomness.
pub fn random<const N: usize>() -> Result<Zeroizing<[u8; N]>> {
    let mut bytes = Zeroizing::new([0; N]);
    getrandom::fill(bytes.as_mut_slice()).map_err(|error| {
        Error::new(Code::Internal, "the system gives no randomness").caused_by(error.to_string())
    })?;
    Ok(bytes)
}

fn hex_of(bytes: &[u8; KEY_BYTES]) -> Zeroizing<String> {
    Zeroizing::new(hex::encode(bytes))
}

/// Nonce, ciphertext and tag.
pub(crate) fn encrypt(key: &[u8; KEY_BYTES], aad: &[u8], msg: &[u8]) -> Result<Vec<u8>> {
    let nonce: Zeroizing<[u8; NONCE_BYTES]> = random()?;
    let text = XChaCha20Poly1305::new(key.into())
        .encrypt(&XNonce::from(*nonce), Payload { msg, aad })
        .map_err(|_| Error::new(Code::Internal, "this cannot be encrypted"))?;
    Ok([nonce.as_slice(), &text].concat())
}

pub(crate) fn decrypt(
    key: &[u8; KEY_BYTES],
    aad: &[u8],
    sealed: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, msg) = sealed.split_first_chunk::<NONCE_BYTES>()?;
    let opened = XChaCha20Poly1305::new(key.into())
        .decrypt(&XNonce::from(*nonce), Payload { msg, aad })
        .ok()?;
    Some(Zeroizing::new(opened))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
