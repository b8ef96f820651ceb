//! Trust policies, and what becomes of releases under them.

use serde_json::{Value, json};

use crate::{
    host::{Answer, Body, Caller, NOW, PLUGIN, component, furnished},
    signer::Signer,
};

const TRUST: &str = "/v1/tenants/acme/trust";

fn policy(mode: &str, signers: &[&Signer]) -> String {
    let keys: Vec<_> = signers.iter().map(|signer| signer.public_pem()).collect();
    json!({ "mode": mode, "keys": keys }).to_string()
}

/// A form with the parts in this order.
fn form(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut form = Vec::new();
    for (name, bytes) in parts {
        let head = format!("--X\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n");
        form.extend([head.as_bytes(), bytes, b"\r\n"].concat());
    }
    form.extend(b"--X--\r\n");
    form
}

async fn push(caller: &Caller<'_>, component: &[u8], signature: &Value) -> Answer {
    let signature = signature.to_string();
    let parts = [
        ("signature", signature.as_bytes()),
        ("component", component),
    ];
    let path = format!("{PLUGIN}/releases");
    caller.send("POST", &path, Body::Form(&form(&parts))).await
}

/// The check of the signature in a release or its absence: severity, code, detail.
fn checked(release: &Value) -> Option<(&str, &str, &str)> {
    let checks = release["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["name"] == "signature")?;
    let text = |name: &str| check[name].as_str().unwrap_or_default();
    Some((text("severity"), text("code"), text("detail")))
}

#[tokio::test]
async fn a_release_that_must_be_signed_is_refused_without() {
    let host = furnished().await;
    let (operator, author) = (
        host.tenant("acme").await,
        host.author("acme/production", "payment").await,
    );
    let (signer, stranger) = (Signer::new(), Signer::new());
    let set = operator.put(TRUST, &policy("require", &[&signer])).await;
    assert_eq!(set.status, 200, "{:?}", set.json);

    let unsigned = author.push(PLUGIN, &component("2.0.0")).await;
    assert_eq!(
        (unsigned.status.as_u16(), unsigned.code()),
        (422, "signature-missing")
    );
    let words = unsigned.json["detail"].as_str().unwrap();
    assert!(words.contains("--signature"), "{words}");
    let bytes = component("2.0.0");
    for (signature, what) in [
        (stranger.bundle(&bytes), "somebody else's"),
        (signer.bundle(b"other bytes"), "of other bytes"),
        (json!({"no": "bundle"}), "none at all"),
    ] {
        let refused = push(&author, &bytes, &signature).await;
        let found = (refused.status.as_u16(), refused.code());
        assert_eq!(found, (422, "signature-invalid"), "{what}");
    }
    let digest = tenterhook_domain::Digest::of(&bytes);
    let path = format!("{PLUGIN}/releases/{digest}");
    let refused = author.get(&path).await.json;
    assert_eq!(refused["state"], "refused");
    let all = refused["checks"].as_array().unwrap();
    assert_eq!(
        all.len(),
        1,
        "what nobody signed is not looked into: {all:?}"
    );

    let signed = push(&author, &bytes, &signer.bundle(&bytes)).await;
    assert_eq!(signed.status, 201, "{:?}", signed.json);
    let (severity, code, detail) = checked(&signed.json).unwrap();
    assert_eq!((severity, code), ("passed", ""));
    assert!(detail.starts_with("signed by the key sha256:"), "{detail}");
    // What was there before stays what it was, and so does the way back.
    let current = author.get(&format!("{PLUGIN}/current")).await.json;
    assert_eq!(current["state"], "current");
    assert_eq!(checked(&current), None);
    let promote = json!({ "digest": digest.to_string() }).to_string();
    let promoted = operator.put(&format!("{PLUGIN}/current"), &promote).await;
    assert_eq!(promoted.status, 200, "{:?}", promoted.json);
    let back = format!("{PLUGIN}/rollback");
    let back = operator.send("POST", &back, Body::None).await;
    assert_eq!(back.status, 200, "{:?}", back.json);
}

#[tokio::test]
async fn the_mode_decides_what_a_signature_weighs() {
    let host = furnished().await;
    let (operator, author) = (
        host.tenant("acme").await,
        host.author("acme/production", "payment").await,
    );
    let (signer, stranger) = (Signer::ed25519(), Signer::new());
    operator.put(TRUST, &policy("warn", &[&signer])).await;
    let unsigned = author.push(PLUGIN, &component("2.0.0")).await;
    assert_eq!(unsigned.status, 201, "{:?}", unsigned.json);
    let (severity, code, _) = checked(&unsigned.json).unwrap();
    assert_eq!((severity, code), ("warning", "signature-missing"));
    let bytes = component("3.0.0");
    let foreign = push(&author, &bytes, &stranger.bundle(&bytes)).await;
    let (severity, code, _) = checked(&foreign.json).unwrap();
    assert_eq!((severity, code), ("warning", "signature-invalid"));
    let bytes = component("4.0.0");
    let signed = push(&author, &bytes, &signer.bundle(&bytes)).await;
    let (severity, _, _) = checked(&signed.json).unwrap();
    assert_eq!(severity, "passed");

    operator.put(TRUST, &policy("off", &[&signer])).await;
    let bytes = component("5.0.0");
    let not_looked_at = push(&author, &bytes, &stranger.bundle(&bytes)).await;
    assert_eq!(not_looked_at.status, 201, "{:?}", not_looked_at.json);
    assert_eq!(checked(&not_looked_at.json), None);
}

#[tokio::test]
async fn a_policy_is_read_set_and_written_down() {
    let host = furnished().await;
    let operator = host.tenant("acme").await;
    let first = operator.get(TRUST).await;
    assert_eq!(
        first.json,
        json!({"mode": "off", "keys": [], "identities": []})
    );
    let tag = first.header("etag").to_owned();
    let policy = policy("require", &[&Signer::new()]);
    let careful = operator.with("if-match", &tag);
    let reasoned = careful.with("tenterhook-reason", "the auditors ask");
    assert_eq!(reasoned.put(TRUST, &policy).await.status, 200);
    assert_eq!(operator.get(TRUST).await.json["mode"], "require");
    let outdated = careful.put(TRUST, &policy).await;
    assert_eq!(
        (outdated.status.as_u16(), outdated.code()),
        (412, "precondition-failed")
    );

    let identities = json!({"mode": "warn", "identities": [{"issuer": "i", "subject": "s"}]});
    for bad in [
        json!({"mode": "require"}),
        json!({"mode": "require", "keys": ["no key"]}),
        identities,
    ] {
        let refused = operator.put(TRUST, &bad.to_string()).await;
        let found = (refused.status.as_u16(), refused.code());
        assert_eq!(found, (422, "trust-invalid"), "{bad}");
    }
    let admin = host.admin().await;
    let nowhere = admin.put("/v1/tenants/nobody/trust", &policy);
    assert_eq!(nowhere.await.code(), "tenant-not-found");

    let audit = operator.get("/v1/tenants/acme/audit").await.json;
    let entry = &audit["items"][0];
    assert_eq!(
        (
            &entry["action"],
            &entry["tenant"],
            &entry["why"],
            &entry["at"]
        ),
        (
            &json!("trust"),
            &json!("acme"),
            &json!("the auditors ask"),
            &json!(NOW)
        )
    );
    assert_eq!(
        (entry.get("plugin"), entry.get("environment")),
        (None, None)
    );
    assert!(entry["detail"].as_str().unwrap().contains("PUBLIC KEY"));
    let others = host.tenant("globex").await;
    let of_others = others.get("/v1/tenants/globex/audit").await;
    assert_eq!(of_others.json["items"], json!([]));
}

#[tokio::test]
async fn a_form_has_a_component_and_perhaps_a_signature() {
    let host = furnished().await;
    let author = host.author("acme/production", "payment").await;
    let (bytes, path) = (component("2.0.0"), format!("{PLUGIN}/releases"));
    let send = async |form: &[u8]| {
        let answer = author.send("POST", &path, Body::Form(form)).await;
        (answer.status.as_u16(), answer.code().to_owned())
    };
    let large = vec![b' '; tenterhook_domain::trust::SIGNATURE_BYTES_MAX + 1];
    let huge = vec![0; tenterhook_domain::component::COMPONENT_BYTES_MAX + 1];
    let whole = form(&[("signature", b"{}"), ("component", &bytes)]);
    let more = [
        ("signature", &b"{}"[..]),
        ("component", &bytes),
        ("more", b""),
    ];
    let twice: [(&str, &[u8]); 2] = [("component", &bytes), ("component", &bytes)];
    let cases = [
        (form(&[("signature", b"{}")]), 400, "request-invalid"),
        (form(&more), 400, "request-invalid"),
        (form(&twice), 400, "request-invalid"),
        (form(&[]), 400, "request-invalid"),
        (whole[..whole.len() - 12].to_vec(), 400, "request-invalid"),
        (
            form(&[("signature", &large), ("component", &bytes)]),
            413,
            "body-too-large",
        ),
        (form(&[("component", &huge)]), 413, "component-too-large"),
        (whole.clone(), 201, "none"),
        (
            form(&[("component", &bytes), ("signature", b"{}")]),
            200,
            "none",
        ),
        (form(&[("component", &bytes)]), 200, "none"),
    ];
    for (form, status, code) in cases {
        assert_eq!(send(&form).await, (status, code.to_owned()));
    }
    // The digest that is announced is the component's, not the form's.
    let announced = |bytes: &[u8]| {
        use base64::Engine as _;
        let digest = tenterhook_domain::Digest::of(bytes);
        let text = base64::engine::general_purpose::STANDARD.encode(digest.as_bytes());
        author.with("content-digest", &format!("sha-256=:{text}:"))
    };
    let right = announced(&bytes)
        .send("POST", &path, Body::Form(&whole))
        .await;
    assert_eq!(right.status, 200, "{:?}", right.json);
    let wrong = announced(&whole)
        .send("POST", &path, Body::Form(&whole))
        .await;
    assert_eq!(wrong.code(), "digest-mismatch");
}

#[tokio::test]
async fn a_pull_says_what_is_wrong_before_it_asks_anybody() {
    let host = furnished().await;
    let author = host.author("acme/production", "payment").await;
    let digest = tenterhook_domain::Digest::of(b"manifest");
    let path = format!("{PLUGIN}/pulls");
    let cases = [
        (
            json!({"oci": "registry.example/x:1"}),
            422,
            "origin-invalid",
        ),
        (json!({"oci": format!("x@{digest}")}), 422, "origin-invalid"),
        (
            json!({"oci": format!("registry.example/x:1@{digest}")}),
            403,
            "registry-denied",
        ),
        (json!({"oci": "x", "more": 1}), 400, "request-invalid"),
        (
            json!({
                "oci": format!("registry.example/x:1@{digest}"),
                "signature": {"x": "y".repeat(tenterhook_domain::trust::SIGNATURE_BYTES_MAX)}
            }),
            413,
            "body-too-large",
        ),
    ];
    for (body, status, code) in cases {
        let answer = author.post(&path, &body.to_string()).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code()),
            (status, code),
            "{body}"
        );
    }
}
