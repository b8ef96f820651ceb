//! Whom a tenant trusts to sign its releases, and what a release becomes that nobody of them signed.

use serde::{Deserialize, Serialize};

use crate::{
    check::{Check, Severity},
    error::{Code, Error, Result},
};

/// The name of the check.
pub const SIGNATURE_CHECK: &str = "signature";
/// Largest signature, in bytes: a sigstore bundle with its certificate, log entry and time stamp has about ten thousand.
pub const SIGNATURE_BYTES_MAX: usize = 64 * 1024;
/// Most keys of a policy.
pub const TRUST_KEYS_MAX: usize = 16;
/// Longest key, in bytes.
pub const TRUST_KEY_BYTES_MAX: usize = 4 * 1024;
/// Most identities of a policy.
pub const TRUST_IDENTITIES_MAX: usize = 16;
/// Longest issuer or subject of an identity, in bytes.
pub const TRUST_NAME_BYTES_MAX: usize = 512;

/// Whether a release must be signed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Trust {
    /// Signatures are not looked at.
    #[default]
    Off,
    /// A release without a valid signature gets a warning.
    Warn,
    /// A release without a valid signature is refused.
    Require,
}

/// A signer whose certificate an authority of the host's trust root made out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TrustedIdentity {
    /// Who vouched for the signer: the certificate's OIDC issuer.
    #[schema(min_length = 1, max_length = 512)]
    pub issuer: String,
    /// The signer: the certificate's subject alternative name, an e-mail address or a URI, whole.
    #[schema(min_length = 1, max_length = 512)]
    pub subject: String,
}

/// Whether a tenant's releases must be signed, and by whom. One of those who are trusted is enough.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TrustPolicy {
    /// What becomes of a release that nobody of them signed.
    pub mode: Trust,
    /// Public keys in PEM: ECDSA on P-256, or Ed25519.
    #[schema(max_items = 16)]
    pub keys: Vec<String>,
    /// Signers by certificate; the host must have a trust root.
    #[schema(max_items = 16)]
    pub identities: Vec<TrustedIdentity>,
}

impl TrustPolicy {
    /// Holds it against its bounds. What the keys are, [`Signatures::check`] says.
    ///
    /// # Errors
    /// `trust-invalid`, naming the field.
    pub fn check(&self) -> Result<()> {
        let refused = |detail: String| Err(Error::new(Code::TrustInvalid, detail));
        if self.mode != Trust::Off && self.keys.is_empty() && self.identities.is_empty() {
            return refused(
                "nobody is trusted, so no release could pass: name keys or identities".to_owned(),
            );
        }
        if self.keys.len() > TRUST_KEYS_MAX {
            return refused(format!("there are more than {TRUST_KEYS_MAX} keys"));
        }
        if let Some(at) = self
            .keys
            .iter()
            .position(|key| key.len() > TRUST_KEY_BYTES_MAX)
        {
            return refused(format!(
                "keys[{at}] is longer than {TRUST_KEY_BYTES_MAX} bytes"
            ));
        }
        if self.identities.len() > TRUST_IDENTITIES_MAX {
            return refused(format!(
                "there are more than {TRUST_IDENTITIES_MAX} identities"
            ));
        }
        let holds = |name: &str| {
            !name.is_empty()
                && name.len() <= TRUST_NAME_BYTES_MAX
                && !name.chars().any(char::is_control)
        };
        let bad =
            |identity: &TrustedIdentity| !holds(&identity.issuer) || !holds(&identity.subject);
        if let Some(at) = self.identities.iter().position(bad) {
            return refused(format!(
                "identities[{at}] needs an issuer and a subject of 1 to {TRUST_NAME_BYTES_MAX} bytes"
            ));
        }
        Ok(())
    }

    /// What the check says of a component that came with `signature`, or without one; none where signatures are not
    /// looked at.
    pub fn judge(
        &self,
        component: &[u8],
        signature: Option<&str>,
        signatures: &dyn Signatures,
    ) -> Option<Check> {
        if self.mode == Trust::Off {
            return None;
        }
        let verified = match signature {
            Some(signature) => signatures.verify(self, component, signature),
            None => Err(Error::new(
                Code::SignatureMissing,
                "the release came without a signature: sign the component, and push it again with --signature",
            )),
        };
        Some(match verified {
            Ok(signer) => Check::passed(SIGNATURE_CHECK, format!("signed by {signer}")),
            Err(error) => {
                let severity = match self.mode {
                    Trust::Require => Severity::Refused,
                    Trust::Off | Trust::Warn => Severity::Warning,
                };
                Check {
                    severity,
                    ..Check::refused(SIGNATURE_CHECK, &error)
                }
            }
        })
    }
}

/// Verifies signatures.
pub trait Signatures: Send + Sync + 'static {
    /// Reads the keys of a policy, and looks whether this host can verify what it names.
    ///
    /// # Errors
    /// `trust-invalid`.
    fn check(&self, policy: &TrustPolicy) -> Result<()>;

    /// Who of those that `policy` trusts signed `component`, by the sigstore bundle `signature`. Computes; it waits for
    /// nobody.
    ///
    /// # Errors
    /// `signature-invalid`, with what to do.
    fn verify(&self, policy: &TrustPolicy, component: &[u8], signature: &str) -> Result<String>;
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Takes the signature `good`, of anything.
    struct Fake;

    impl Signatures for Fake {
        fn check(&self, _: &TrustPolicy) -> Result<()> {
            Ok(())
        }

        fn verify(&self, _: &TrustPolicy, _: &[u8], signature: &str) -> Result<String> {
            match signature {
                "good" => Ok("ci".to_owned()),
                _ => Err(Error::new(Code::SignatureInvalid, "sign it again")),
            }
        }
    }

    fn policy(mode: Trust) -> TrustPolicy {
        TrustPolicy {
            mode,
            keys: vec!["key".to_owned()],
            identities: Vec::new(),
        }
    }

    #[test]
    fn the_mode_decides_what_a_signature_weighs() {
        let judged = |mode, signature| {
            let check = policy(mode).judge(b"component", signature, &Fake);
            check.map(|check| (check.severity, check.code))
        };
        let code = |text: &str| Some(text.to_owned());
        for signature in [None, Some("good"), Some("bad")] {
            assert_eq!(judged(Trust::Off, signature), None);
        }
        for mode in [Trust::Warn, Trust::Require] {
            let weight = match mode {
                Trust::Require => Severity::Refused,
                _ => Severity::Warning,
            };
            assert_eq!(judged(mode, Some("good")), Some((Severity::Passed, None)));
            assert_eq!(
                judged(mode, Some("bad")),
                Some((weight, code("signature-invalid")))
            );
            assert_eq!(
                judged(mode, None),
                Some((weight, code("signature-missing")))
            );
        }
    }

    #[test]
    fn what_cannot_be_kept_is_refused() {
        let identity = |issuer: &str, subject: &str| TrustedIdentity {
            issuer: issuer.to_owned(),
            subject: subject.to_owned(),
        };
        assert!(TrustPolicy::default().check().is_ok());
        assert!(policy(Trust::Require).check().is_ok());
        let long = "x".repeat(TRUST_NAME_BYTES_MAX + 1);
        let refused = [
            TrustPolicy {
                keys: Vec::new(),
                ..policy(Trust::Warn)
            },
            TrustPolicy {
                keys: vec![String::new(); TRUST_KEYS_MAX + 1],
                ..policy(Trust::Off)
            },
            TrustPolicy {
                keys: vec!["x".repeat(TRUST_KEY_BYTES_MAX + 1)],
                ..policy(Trust::Off)
            },
            TrustPolicy {
                identities: vec![identity("i", "s"); TRUST_IDENTITIES_MAX + 1],
                ..policy(Trust::Off)
            },
            TrustPolicy {
                identities: vec![identity("", "s")],
                ..policy(Trust::Off)
            },
            TrustPolicy {
                identities: vec![identity("i", &long)],
                ..policy(Trust::Off)
            },
            TrustPolicy {
                identities: vec![identity("i", "a\nb")],
                ..policy(Trust::Off)
            },
        ];
        for policy in refused {
            let code = policy.check().map_err(|error| error.code());
            assert_eq!(code, Err(Code::TrustInvalid), "{policy:?}");
        }
    }
}
