//! Signed releases on a real host: made by the command line, kept by the store, verified in the checks.

use std::process::Command;

use serde_json::{Value, json};
use tenterhook_domain::Digest;
use tenterhook_tests::{
    host::{Host, World, guest, target_dir},
    registry::Registry,
    signer::Signer,
};

/// Runs `tenterhook` against `host`; its answer as JSON, or the last words of a refusal.
fn tenterhook(host: &Host, arguments: &[&str]) -> Result<Value, String> {
    let ran = Command::new(target_dir().join("debug").join("tenterhook"))
        .args(arguments)
        .args(["--output", "json"])
        .env("TENTERHOOK_TENANT", "acme")
        .env("TENTERHOOK_ENVIRONMENT", "production")
        .env("TENTERHOOK_URL", host.api.address())
        .env("TENTERHOOK_TOKEN", host.api.token())
        .output()
        .unwrap();
    if ran.status.success() {
        return Ok(serde_json::from_slice(&ran.stdout).unwrap());
    }
    Err(String::from_utf8_lossy(&ran.stderr).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_requires_signatures_runs_what_is_signed_alone() {
    let registry = Registry::start().unwrap();
    let data = tempfile::tempdir().unwrap();
    let arguments = ["--oci-registry", registry.address()];
    let host = Host::start_with(data.path(), &arguments).await.unwrap();
    let world = World::make(&host.api, "acme").await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (signer, stranger) = (Signer::new(), Signer::new());
    let key = file("ci.pub", signer.public_pem().as_bytes());
    let component = guest("test-native-sdk").unwrap();
    let wasm = file("test_native_sdk.wasm", &component);
    let bundle =
        |signer: &Signer, name: &str| file(name, signer.bundle(&component).to_string().as_bytes());
    let (good, foreign) = (
        bundle(&signer, "good.json"),
        bundle(&stranger, "foreign.json"),
    );

    let set = [
        "tenant", "trust", "set", "acme", "--mode", "require", "--key", &key,
    ];
    assert_eq!(tenterhook(&host, &set).unwrap()["mode"], "require");
    let refused = tenterhook(&host, &["plugin", "push", &wasm]).unwrap_err();
    assert!(refused.contains("error[signature-missing]"), "{refused}");
    assert!(
        refused.contains("push it again with --signature"),
        "{refused}"
    );
    let push = ["plugin", "push", &wasm, "--signature", &foreign];
    let refused = tenterhook(&host, &push).unwrap_err();
    assert!(refused.contains("error[signature-invalid]"), "{refused}");
    let push = ["plugin", "push", &wasm, "--signature", &good];
    let release = tenterhook(&host, &push).unwrap();
    assert_eq!(release["state"], "current", "{release:#}");
    assert_eq!(release["checks"][0]["name"], "signature");
    assert_eq!(release["checks"][0]["severity"], "passed");
    let outcome = world.execute("test-native-sdk.Echo", "e", json!("signed"));
    assert_eq!(outcome.await.unwrap()["result"], "signed");

    // The same from a registry: as another plugin's, so that it is another release.
    let second = guest("test-pin-v1").unwrap();
    let reference = registry
        .push("plugins/test-pin:1", second.clone())
        .await
        .unwrap();
    let refused = tenterhook(&host, &["plugin", "push", "--oci", &reference]).unwrap_err();
    assert!(refused.contains("error[signature-missing]"), "{refused}");
    let bundle = file("pin.json", signer.bundle(&second).to_string().as_bytes());
    let push = [
        "plugin",
        "push",
        "--oci",
        &reference,
        "--signature",
        &bundle,
    ];
    let release = tenterhook(&host, &push).unwrap();
    assert_eq!(release["state"], "current", "{release:#}");
    assert_eq!(release["origin"], reference);
    assert_eq!(release["digest"], Digest::of(&second).to_string());
}
