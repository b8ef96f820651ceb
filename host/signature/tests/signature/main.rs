//! Signatures that hold, and those that do not: by keys, and by certificates of an authority with a log of its own.
#![allow(clippy::unwrap_used)]

mod authority;
#[allow(dead_code, unreachable_pub)]
#[path = "../../../../tests/src/signer.rs"]
mod signer;

use rcgen::PublicKeyData as _;
use serde_json::Value;
use tenterhook_domain::{
    Code,
    trust::{SIGNATURE_BYTES_MAX, Signatures as _, Trust, TrustPolicy, TrustedIdentity},
};
use tenterhook_signature::SigstoreSignatures;

use crate::{
    authority::{Authority, ISSUER, SUBJECT},
    signer::{Signer, pem},
};

const COMPONENT: &[u8] = b"\0asm: the component";

fn keys(signers: &[&Signer]) -> TrustPolicy {
    TrustPolicy {
        mode: Trust::Require,
        keys: signers.iter().map(|signer| signer.public_pem()).collect(),
        identities: Vec::new(),
    }
}

fn identity(issuer: &str, subject: &str) -> TrustPolicy {
    TrustPolicy {
        mode: Trust::Require,
        keys: Vec::new(),
        identities: vec![TrustedIdentity {
            issuer: issuer.to_owned(),
            subject: subject.to_owned(),
        }],
    }
}

/// The signer's name, or the code of the refusal.
fn verified(
    signatures: &SigstoreSignatures,
    policy: &TrustPolicy,
    component: &[u8],
    bundle: &Value,
) -> Result<String, Code> {
    let verified = signatures.verify(policy, component, &bundle.to_string());
    verified.map_err(|error| {
        // Shown where a test fails.
        #[allow(clippy::print_stderr)]
        {
            eprintln!("{error}: {}", error.source_text());
        }
        error.code()
    })
}

#[test]
fn a_signature_by_a_trusted_key_holds() {
    let signatures = SigstoreSignatures::new(None).unwrap();
    for signer in [Signer::new(), Signer::ed25519()] {
        let other = Signer::new();
        let bundle = signer.bundle(COMPONENT);
        for policy in [keys(&[&signer]), keys(&[&other, &signer])] {
            signatures.check(&policy).unwrap();
            let name = verified(&signatures, &policy, COMPONENT, &bundle).unwrap();
            assert!(name.starts_with("the key sha256:"), "{name}");
        }
    }
}

#[test]
fn what_is_not_signed_by_a_trusted_key_is_refused() {
    let signatures = SigstoreSignatures::new(None).unwrap();
    for (signer, other) in [
        (Signer::new(), Signer::new()),
        (Signer::ed25519(), Signer::ed25519()),
        (Signer::new(), Signer::ed25519()),
    ] {
        let policy = keys(&[&signer]);
        let refused = Err(Code::SignatureInvalid);
        let good = signer.bundle(COMPONENT);
        let tampered = verified(&signatures, &policy, b"\0asm: another", &good);
        assert_eq!(tampered, refused, "other bytes");
        let foreign = verified(&signatures, &policy, COMPONENT, &other.bundle(COMPONENT));
        assert_eq!(foreign, refused, "a key that nobody trusts");
        // The digest of these bytes, with the signature of others.
        let mut mixed = good.clone();
        mixed["messageSignature"]["signature"] =
            signer.bundle(b"other bytes")["messageSignature"]["signature"].clone();
        assert_eq!(verified(&signatures, &policy, COMPONENT, &mixed), refused);
        let mut bare = good.clone();
        bare["messageSignature"]["signature"] = "".into();
        assert_eq!(verified(&signatures, &policy, COMPONENT, &bare), refused);
    }
    let policy = keys(&[&Signer::new()]);
    let long = " ".repeat(SIGNATURE_BYTES_MAX + 1);
    for bundle in ["", "{}", "null", "[]", long.as_str()] {
        let refused = signatures.verify(&policy, COMPONENT, bundle).unwrap_err();
        assert_eq!(refused.code(), Code::SignatureInvalid);
    }
}

#[test]
fn an_identity_is_known_by_its_certificate_and_the_log() {
    let authority = Authority::new();
    let signatures = SigstoreSignatures::new(Some(&authority.trust_root())).unwrap();
    let bundle = authority.bundle(ISSUER, SUBJECT, COMPONENT);
    let policy = identity(ISSUER, SUBJECT);
    signatures.check(&policy).unwrap();
    let name = verified(&signatures, &policy, COMPONENT, &bundle);
    assert_eq!(name, Ok(format!("{SUBJECT} ({ISSUER})")));

    let refused = Err(Code::SignatureInvalid);
    let verify = |policy: &TrustPolicy, component, bundle: &Value| {
        verified(&signatures, policy, component, bundle)
    };
    assert_eq!(verify(&policy, b"other bytes", &bundle), refused);
    let somebody = identity(ISSUER, "https://example.com/somebody-else");
    assert_eq!(verify(&somebody, COMPONENT, &bundle), refused);
    let elsewhere = identity("https://issuer.example/other", SUBJECT);
    assert_eq!(verify(&elsewhere, COMPONENT, &bundle), refused);
    let of_another = Authority::new().bundle(ISSUER, SUBJECT, COMPONENT);
    assert_eq!(verify(&policy, COMPONENT, &of_another), refused);
    // What the trust root names is asked for: an entry of its log, with a proof that holds.
    let mut unlogged = bundle.clone();
    unlogged["verificationMaterial"]["tlogEntries"] = Value::Array(Vec::new());
    assert_eq!(verify(&policy, COMPONENT, &unlogged), refused);
    let mut later = bundle.clone();
    later["verificationMaterial"]["tlogEntries"][0]["integratedTime"] = "1735000001".into();
    assert_eq!(verify(&policy, COMPONENT, &later), refused);
    // A bare key's bundle is no identity's.
    assert_eq!(
        verify(&policy, COMPONENT, &Signer::new().bundle(COMPONENT)),
        refused
    );
}

#[test]
fn a_policy_is_taken_that_this_host_can_verify() {
    let signatures = SigstoreSignatures::new(None).unwrap();
    let code = |policy: &TrustPolicy| signatures.check(policy).unwrap_err().code();
    assert_eq!(code(&identity(ISSUER, SUBJECT)), Code::TrustInvalid);
    let p384 = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    let p384 = pem("PUBLIC KEY", &p384.subject_public_key_info());
    let secret = pem("PRIVATE KEY", &Signer::new().pair().serialize_der());
    for pem in ["", "no key", &p384, &secret] {
        let mut policy = keys(&[&Signer::new()]);
        policy.keys.push(pem.to_owned());
        let refused = signatures.check(&policy).unwrap_err();
        assert_eq!(refused.code(), Code::TrustInvalid, "{pem}");
        assert!(refused.detail().contains("keys[1]"), "{refused}");
    }
}

#[test]
fn a_trust_root_that_verifies_nothing_is_refused() {
    let authority = Authority::new();
    let root: Value = serde_json::from_str(&authority.trust_root()).unwrap();
    let without = |part: &str| {
        let mut root = root.clone();
        root[part] = Value::Array(Vec::new());
        root.to_string()
    };
    for json in [
        String::new(),
        "[]".to_owned(),
        without("certificateAuthorities"),
        without("tlogs"),
    ] {
        let refused = SigstoreSignatures::new(Some(&json)).err().unwrap();
        assert_eq!(refused.code(), Code::HostConfigInvalid, "{json}");
    }
}
