//! Somebody with a key who signs components as `cosign sign-blob` does: a sigstore bundle, without a log.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use rcgen::{KeyPair, PublicKeyData as _};
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair},
};
use serde_json::{Value, json};
use tenterhook_domain::Digest;

/// The kind of bundle that is written.
pub const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

enum Secret {
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

/// A key, and what is signed with it.
pub struct Signer {
    pair: KeyPair,
    secret: Secret,
}

impl Signer {
    /// With a new key on P-256.
    ///
    /// # Panics
    /// When this machine has no randomness.
    pub fn new() -> Self {
        let pair = KeyPair::generate().expect("a key");
        let pkcs8 = pair.serialize_der();
        let secret = EcdsaKeyPair::from_pkcs8(
            &ECDSA_P256_SHA256_ASN1_SIGNING,
            &pkcs8,
            &SystemRandom::new(),
        );
        let secret = Secret::P256(secret.expect("a key on P-256"));
        Self { pair, secret }
    }

    /// With a new Ed25519 key.
    ///
    /// # Panics
    /// When this machine has no randomness.
    pub fn ed25519() -> Self {
        let pair = KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("a key");
        let secret = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&pair.serialize_der());
        let secret = Secret::Ed25519(secret.expect("an Ed25519 key"));
        Self { pair, secret }
    }

    /// The public key in PEM.
    pub fn public_pem(&self) -> String {
        pem("PUBLIC KEY", &self.public_der())
    }

    /// The public key in DER.
    pub fn public_der(&self) -> Vec<u8> {
        self.pair.subject_public_key_info()
    }

    /// The key itself.
    pub fn pair(&self) -> &KeyPair {
        &self.pair
    }

    /// A bare signature of `bytes`.
    ///
    /// # Panics
    /// When this machine has no randomness.
    pub fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        match &self.secret {
            Secret::P256(key) => {
                let signed = key.sign(&SystemRandom::new(), bytes);
                signed.expect("a signature").as_ref().to_vec()
            }
            Secret::Ed25519(key) => key.sign(bytes).as_ref().to_vec(),
        }
    }

    /// A bundle of `component`.
    pub fn bundle(&self, component: &[u8]) -> Value {
        json!({
            "mediaType": BUNDLE,
            "verificationMaterial": {"publicKey": {"hint": "a key of a test"}},
            "messageSignature": message_signature(component, &self.sign(component)),
        })
    }
}

impl Default for Signer {
    fn default() -> Self {
        Self::new()
    }
}

/// `der` as text, called `label`.
pub fn pem(label: &str, der: &[u8]) -> String {
    let text = BASE64.encode(der);
    let mut pem = format!("-----BEGIN {label}-----\n");
    // 64 characters a line (RFC 7468).
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, next) = rest.split_at(rest.len().min(64));
        pem = format!("{pem}{line}\n");
        rest = next;
    }
    format!("{pem}-----END {label}-----\n")
}

/// The part of a bundle that says what was signed, and how.
pub fn message_signature(component: &[u8], signature: &[u8]) -> Value {
    let digest = BASE64.encode(Digest::of(component).as_bytes());
    json!({
        "messageDigest": {"algorithm": "SHA2_256", "digest": digest},
        "signature": BASE64.encode(signature),
    })
}
