//! A bundle held against a policy: by the keys it names, or by certificate against the operator's trust root.

use sigstore_verify::{
    VerificationPolicy, Verifier,
    crypto::{KeyAlgorithm, VerificationKey},
    trust_root::TrustedRoot,
    types::{Bundle, DerPublicKey, SignatureContent},
};
use tenterhook_domain::{
    Code, Digest, Error, Result,
    trust::{SIGNATURE_BYTES_MAX, Signatures, TrustPolicy, TrustedIdentity},
};

use crate::provider;

/// Largest trust root, in bytes.
pub const TRUST_ROOT_BYTES_MAX: usize = 1024 * 1024;

/// Verifies bundles offline.
pub struct SigstoreSignatures {
    by_certificate: Option<Authorities>,
}

/// The operator's trust root. What it names is asked for: a log entry where it names logs, a certificate's own
/// timestamp where it names logs of certificates.
struct Authorities {
    verifier: Verifier,
    has_logs: bool,
    has_certificate_logs: bool,
}

impl SigstoreSignatures {
    /// Verifies by keys, and by certificate where `trust_root` is given: a `trusted_root.json` of sigstore's.
    ///
    /// # Errors
    /// `host-config-invalid` when the trust root cannot be read or could never verify anything.
    pub fn new(trust_root: Option<&str>) -> Result<Self> {
        provider::install();
        Ok(Self {
            by_certificate: trust_root.map(Authorities::read).transpose()?,
        })
    }

    fn by_identity(
        &self,
        identity: &TrustedIdentity,
        component: &[u8],
        bundle: &Bundle,
    ) -> Result<String, Failed> {
        let authorities = self
            .by_certificate
            .as_ref()
            .ok_or("this host has no trust root")?;
        let mut policy =
            VerificationPolicy::new(identity.subject.as_str(), identity.issuer.as_str());
        if !authorities.has_logs {
            policy = policy.skip_tlog_unsafe();
        }
        if !authorities.has_certificate_logs {
            policy = policy.skip_sct();
        }
        authorities.verifier.verify(component, bundle, &policy)?;
        Ok(format!("{} ({})", identity.subject, identity.issuer))
    }
}

/// Verifies by a key of the policy.
fn by_key(pem: &str, component: &[u8], bundle: &Bundle) -> Result<String, Failed> {
    let key = DerPublicKey::from_pem(pem)?;
    let name = Digest::of(key.as_bytes());
    // The key is what is trusted. The verifier would want to know when it signed too, and a bare key's bundle need
    // not say.
    let SignatureContent::MessageSignature(signed) = &bundle.content else {
        return Err("an attestation is for signers by certificate".into());
    };
    VerificationKey::from_spki(&key)?.verify(component, &signed.signature)?;
    Ok(format!("the key {name}"))
}

type Failed = Box<dyn std::error::Error + Send + Sync>;

impl Signatures for SigstoreSignatures {
    fn check(&self, policy: &TrustPolicy) -> Result<()> {
        let refused = |detail: String| Err(Error::new(Code::TrustInvalid, detail));
        for (at, pem) in policy.keys.iter().enumerate() {
            let algorithm = DerPublicKey::from_pem(pem)
                .map_err(Failed::from)
                .and_then(|key| Ok(KeyAlgorithm::from_spki(&key)?));
            if !matches!(
                algorithm,
                Ok(KeyAlgorithm::EcdsaP256 | KeyAlgorithm::Ed25519)
            ) {
                return refused(format!(
                    "keys[{at}] is no public key that this host verifies by: give PEM of an ECDSA key on P-256, as \
                     `cosign generate-key-pair` makes, or of an Ed25519 key"
                ));
            }
        }
        if !policy.identities.is_empty() && self.by_certificate.is_none() {
            return refused(
                "identities are known by certificate, and this host has no trust root: name keys, or ask the host's \
                 operator for --trust-root"
                    .to_owned(),
            );
        }
        Ok(())
    }

    fn verify(&self, policy: &TrustPolicy, component: &[u8], signature: &str) -> Result<String> {
        if signature.len() > SIGNATURE_BYTES_MAX {
            return Err(invalid(format!(
                "the signature is larger than {SIGNATURE_BYTES_MAX} bytes"
            )));
        }
        let bundle = Bundle::from_json(signature).map_err(|error| {
            invalid("the signature is no sigstore bundle: sign with `cosign sign-blob --bundle`")
                .caused_by(error)
        })?;
        let keys = policy
            .keys
            .iter()
            .map(|pem| by_key(pem, component, &bundle));
        let identities = policy
            .identities
            .iter()
            .map(|identity| self.by_identity(identity, component, &bundle));
        let mut why = String::new();
        for tried in keys.chain(identities) {
            match tried {
                Ok(signer) => return Ok(signer),
                Err(error) => why = error.to_string(),
            }
        }
        Err(invalid(
            "the signature is none of this component by anybody whom the tenant trusts: sign the very bytes that are \
             pushed, with a key or as an identity of the trust policy",
        )
        .caused_by(why))
    }
}

impl Authorities {
    fn read(json: &str) -> Result<Self> {
        let root = read_root(json)?;
        if root.certificate_authorities.is_empty() {
            return Err(unusable(
                "names no certificate authority, so no identity could be verified",
            ));
        }
        if root.tlogs.is_empty() && root.timestamp_authorities.is_empty() {
            return Err(unusable(
                "names neither a transparency log nor a timestamp authority: nothing would tell when was signed",
            ));
        }
        Ok(Self {
            verifier: verifier(&root)?,
            has_logs: !root.tlogs.is_empty(),
            has_certificate_logs: !root.ctlogs.is_empty(),
        })
    }
}

fn read_root(json: &str) -> Result<TrustedRoot> {
    if json.len() > TRUST_ROOT_BYTES_MAX {
        return Err(unusable(&format!(
            "is larger than {TRUST_ROOT_BYTES_MAX} bytes"
        )));
    }
    TrustedRoot::from_json(json).map_err(|error| {
        unusable("cannot be read as sigstore's trusted_root.json").caused_by(error)
    })
}

fn verifier(root: &TrustedRoot) -> Result<Verifier> {
    Verifier::new(root).map_err(|error| {
        unusable("names a key or certificate that cannot be used").caused_by(error)
    })
}

fn unusable(why: &str) -> Error {
    Error::new(Code::HostConfigInvalid, format!("the trust root {why}"))
}

fn invalid(detail: impl Into<String>) -> Error {
    Error::new(Code::SignatureInvalid, detail)
}
