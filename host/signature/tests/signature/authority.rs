//! A certificate authority and a transparency log with one entry, both with keys of their own: what Fulcio and Rekor are
//! to everybody, for one test.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyUsagePurpose, SanType, date_time_ymd,
};
use serde_json::{Value, json};
use tenterhook_domain::Digest;

use crate::signer::{BUNDLE, Signer, message_signature, pem};

/// Who vouches for the signer.
pub(crate) const ISSUER: &str = "https://issuer.example";
/// The signer.
pub(crate) const SUBJECT: &str = "https://example.com/team/.ci/release.yml";
/// Where Fulcio's certificates say who vouched.
const ISSUER_OID: &[u64] = &[1, 3, 6, 1, 4, 1, 57264, 1, 8];
/// When everything is signed: in December 2024.
const SIGNED_AT: u64 = 1_735_000_000;
const LOG: &str = "log.example";

pub(crate) struct Authority {
    key: Signer,
    log: Signer,
    root: CertificateParams,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut root = params("the authority");
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        root.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        Self {
            key: Signer::new(),
            log: Signer::new(),
            root,
        }
    }

    /// What an operator gives a host that trusts it.
    pub(crate) fn trust_root(&self) -> String {
        let root = self.root.self_signed(self.key.pair()).unwrap();
        let since = json!({"start": "2020-01-01T00:00:00Z"});
        json!({
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [{
                "baseUrl": "https://log.example",
                "hashAlgorithm": "SHA2_256",
                "publicKey": {
                    "rawBytes": BASE64.encode(self.log.public_der()),
                    "keyDetails": "PKIX_ECDSA_P256_SHA_256",
                    "validFor": since,
                },
                "logId": {"keyId": BASE64.encode(self.log_id().as_bytes())},
            }],
            "certificateAuthorities": [{
                "subject": {"organization": "example", "commonName": "the authority"},
                "uri": "https://ca.example",
                "certChain": {"certificates": [{"rawBytes": BASE64.encode(root.der())}]},
                "validFor": since,
            }],
        })
        .to_string()
    }

    /// A bundle of `component` by `subject`, for whom `issuer` vouches.
    pub(crate) fn bundle(&self, issuer: &str, subject: &str, component: &[u8]) -> Value {
        let signer = Signer::new();
        let mut leaf = params("a signer");
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
        leaf.subject_alt_names = vec![SanType::URI(subject.try_into().unwrap())];
        // A UTF8String, short enough that one byte holds its length.
        let length = u8::try_from(issuer.len()).unwrap();
        let text = [&[0x0c, length][..], issuer.as_bytes()].concat();
        let vouched = CustomExtension::from_oid_content(ISSUER_OID, text);
        leaf.custom_extensions = vec![vouched];
        let authority = Issuer::from_params(&self.root, self.key.pair());
        let certificate = leaf.signed_by(signer.pair(), &authority).unwrap();
        let signature = signer.sign(component);
        json!({
            "mediaType": BUNDLE,
            "verificationMaterial": {
                "certificate": {"rawBytes": BASE64.encode(certificate.der())},
                "tlogEntries": [self.entry(component, &signature, &pem("CERTIFICATE", certificate.der()))],
            },
            "messageSignature": message_signature(component, &signature),
        })
    }

    fn log_id(&self) -> Digest {
        Digest::of(&self.log.public_der())
    }

    /// The entry of a log that has no other: its root is the entry's own hash.
    fn entry(&self, component: &[u8], signature: &[u8], certificate: &str) -> Value {
        let body = json!({
            "apiVersion": "0.0.1",
            "kind": "hashedrekord",
            "spec": {
                "data": {"hash": {"algorithm": "sha256", "value": Digest::of(component).hex()}},
                "signature": {
                    "content": BASE64.encode(signature),
                    "publicKey": {"content": BASE64.encode(certificate)},
                },
            },
        })
        .to_string();
        let root = Digest::of(&[&[0][..], body.as_bytes()].concat());
        let root = BASE64.encode(root.as_bytes());
        let (body, log_id) = (BASE64.encode(body), self.log_id());
        let promise = format!(
            r#"{{"body":"{body}","integratedTime":{SIGNED_AT},"logID":"{}","logIndex":0}}"#,
            log_id.hex()
        );
        let note = format!("{LOG}\n1\n{root}\n");
        let hint = &log_id.as_bytes()[..4];
        let signed = [hint, &self.log.sign(note.as_bytes())[..]].concat();
        let envelope = format!("{note}\n— {LOG} {}\n", BASE64.encode(signed));
        json!({
            "logIndex": "0",
            "logId": {"keyId": BASE64.encode(log_id.as_bytes())},
            "kindVersion": {"kind": "hashedrekord", "version": "0.0.1"},
            "integratedTime": SIGNED_AT.to_string(),
            "inclusionPromise": {
                "signedEntryTimestamp": BASE64.encode(self.log.sign(promise.as_bytes())),
            },
            "inclusionProof": {
                "logIndex": "0",
                "rootHash": root,
                "treeSize": "1",
                "hashes": [],
                "checkpoint": {"envelope": envelope},
            },
            "canonicalizedBody": body,
        })
    }
}

/// A certificate of the years in which everything happens.
fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(2024, 1, 1);
    params.not_after = date_time_ymd(2034, 1, 1);
    params
}
