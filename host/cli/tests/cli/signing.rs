//! Pushing from a registry, pushing with a signature, and whom a tenant trusts.

use serde_json::{Value, json};
use tenterhook_domain::Digest;

use crate::{fake_host::FakeHost, program::Program};

const PLUGINS: &str = "/v1/tenants/acme/environments/production/plugins";

fn release(state: &str) -> Value {
    json!({
        "digest": Digest::of(b"x"),
        "state": state,
        "bytes": 1,
        "uploaded_at": 0,
        "metadata": {},
        "checks": [{"name": "signature", "severity": "passed", "detail": "signed by the key"}],
    })
}

fn reference() -> String {
    format!(
        "registry.example/team/my-plugin:1@{}",
        Digest::of(b"manifest")
    )
}

#[tokio::test]
async fn a_pull_names_the_reference_and_waits_for_the_checks() {
    let look = format!(
        "GET {PLUGINS}/my-plugin/releases/{}?wait=2s",
        Digest::of(b"x")
    );
    let host = FakeHost::start()
        .await
        .on(
            &format!("POST {PLUGINS}/my-plugin/pulls?wait=0s"),
            202,
            release("uploaded"),
        )
        .on(&look, 200, release("current"));
    let program = Program::of(&host).file("a.json", r#"{"a": "bundle"}"#);
    let line = format!("plugin push --oci {} --signature a.json", reference());
    let ran = program.run(&line).await.exited(0);
    assert_eq!(ran.stderr, "pushed as plugin my-plugin\n");
    let asked = host.asked();
    assert_eq!(
        asked[0].json(),
        json!({"oci": reference(), "signature": {"a": "bundle"}})
    );
    assert_eq!(asked.len(), 2);
}

#[tokio::test]
async fn a_signature_goes_with_the_component() {
    let host = FakeHost::start().await.on(
        &format!("POST {PLUGINS}/p/releases?wait=0s"),
        201,
        release("ready"),
    );
    let program = Program::of(&host)
        .file("p.wasm", "x")
        .file("p.json", r#"{"a": "bundle"}"#);
    program
        .run("plugin push p.wasm --signature p.json")
        .await
        .exited(0);
    let asked = host.asked_once();
    let (media_type, boundary) = asked
        .content_type
        .split_once("; boundary=")
        .expect("a form");
    assert_eq!(media_type, "multipart/form-data");
    let body = String::from_utf8(asked.body.to_vec()).expect("a text");
    assert_eq!(asked.content_length, Some(body.len()));
    let parts: Vec<_> = body.split(&format!("--{boundary}")).collect();
    let [before, signature, component, after] = parts[..] else {
        panic!("{body}");
    };
    assert_eq!((before, after), ("", "--\r\n"));
    assert!(signature.contains("name=\"signature\""), "{signature}");
    assert!(
        signature.ends_with("\r\n\r\n{\"a\":\"bundle\"}\r\n"),
        "{signature}"
    );
    assert!(component.contains("name=\"component\""), "{component}");
    assert!(component.ends_with("\r\n\r\nx\r\n"), "{component}");
}

#[tokio::test]
async fn what_is_no_signature_is_not_sent() {
    let host = FakeHost::start().await;
    let program = Program::of(&host).file("p.wasm", "x").file("p.sig", "MEUC");
    let ran = program
        .run("plugin push p.wasm --signature p.sig")
        .await
        .exited(2);
    assert!(ran.stderr.contains("p.sig is not JSON"), "{}", ran.stderr);
    assert!(host.asked().is_empty());
}

#[tokio::test]
async fn of_a_trust_policy_what_is_not_named_stays() {
    let path = "/v1/tenants/acme/trust";
    let before = json!({
        "mode": "warn",
        "keys": ["old"],
        "identities": [{"issuer": "i", "subject": "s"}],
    });
    let host = FakeHost::start()
        .await
        .on(&format!("GET {path}"), 200, before)
        .on(&format!("PUT {path}"), 200, json!({"mode": "require"}));
    let program = Program::of(&host).file("a.pub", "A").file("b.pub", "B");
    program
        .run("tenant trust set acme --mode require --key a.pub --key b.pub")
        .await
        .exited(0);
    program
        .run("tenant trust set acme --identity https://i.example me@example.com --identity i s")
        .await
        .exited(0);
    let asked = host.asked();
    assert_eq!(
        asked[1].json(),
        json!({
            "mode": "require",
            "keys": ["A", "B"],
            "identities": [{"issuer": "i", "subject": "s"}],
        })
    );
    assert_eq!(
        asked[3].json(),
        json!({
            "mode": "warn",
            "keys": ["old"],
            "identities": [
                {"issuer": "https://i.example", "subject": "me@example.com"},
                {"issuer": "i", "subject": "s"},
            ],
        })
    );
}
