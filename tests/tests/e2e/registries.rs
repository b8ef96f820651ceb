//! Releases that a host pulls from a registry, and what it refuses to pull.

use futures_util::FutureExt as _;
use oci_client::client::ImageLayer;
use serde_json::json;
use tenterhook_domain::{Digest, component::COMPONENT_BYTES_MAX};
use tenterhook_tests::{
    host::{Answer, Host, World, guest},
    registry::{Registry, USER, WASM_CONFIG, WASM_LAYER},
};
use tokio::net::TcpListener;

/// A host that may pull what `arguments` say.
async fn host(arguments: &[&str]) -> (Host, tempfile::TempDir) {
    let data = tempfile::tempdir().unwrap();
    let host = Host::start_with(data.path(), arguments).await.unwrap();
    (host, data)
}

async fn pull(world: &World, plugin: &str, reference: &str) -> Answer {
    let path = world.path(&format!("plugins/{plugin}/pulls"));
    let body = json!({ "oci": reference });
    world.api.post(&path, &body).await.unwrap()
}

/// Status, code and detail of a refusal.
async fn refused(world: &World, reference: &str) -> (u16, String, String) {
    let answer = pull(world, "payment", reference).await;
    let text = |key: &str| answer.body[key].as_str().unwrap_or_default().to_owned();
    (answer.status.as_u16(), text("code"), text("detail"))
}

#[tokio::test]
async fn what_a_registry_has_becomes_a_release_and_runs() {
    let registry = Registry::start().unwrap();
    let (host, _data) = host(&["--oci-registry", registry.address()]).await;
    let world = World::make(&host.api, "pulling").await.unwrap();
    let component = guest("test-native-sdk").unwrap();
    let digest = Digest::of(&component).to_string();
    let reference = registry.push("team/native:1.0.0", component).await.unwrap();
    assert!(reference.contains(":1.0.0@sha256:"), "{reference}");

    let answer = pull(&world, "test-native-sdk", &reference).await;
    assert_eq!(answer.status, 201, "{:#}", answer.body);
    let release = answer.body;
    assert_eq!(release["digest"], digest);
    assert_eq!(release["origin"], reference);
    assert_eq!(release["state"], "current");
    let outcome = world.execute("test-native-sdk.Echo", "e", json!("hello"));
    assert_eq!(outcome.await.unwrap()["result"], "hello");
    // The same again is the same release, and the log says where it came from.
    let again = pull(&world, "test-native-sdk", &reference).await;
    assert_eq!(
        (again.status.as_u16(), &again.body["digest"]),
        (200, &json!(digest))
    );
    let audit = world.path("plugins/test-native-sdk/audit");
    let audit = world.api.get(&audit).await.unwrap().ok().unwrap();
    let upload = audit["items"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(upload["action"], "upload");
    assert_eq!(upload["detail"], reference);
}

#[tokio::test]
async fn what_is_not_what_was_asked_for_is_refused_with_the_reason() {
    let registry = Registry::start().unwrap();
    let place = format!("{}/team", registry.address());
    let (host, _data) = host(&["--oci-registry", &place]).await;
    let world = World::make(&host.api, "refused").await.unwrap();
    let component = guest("test-native-sdk").unwrap();
    let reference = registry.push("team/x:1", component.clone()).await.unwrap();
    let (name, _) = reference.split_once('@').unwrap();

    let (status, code, detail) = refused(&world, name).await;
    assert_eq!((status, code.as_str()), (422, "origin-invalid"), "{detail}");
    assert!(detail.contains("names no digest"), "{detail}");
    let elsewhere = reference.replace(registry.address(), "registry.example");
    let (status, code, detail) = refused(&world, &elsewhere).await;
    assert_eq!(
        (status, code.as_str()),
        (403, "registry-denied"),
        "{detail}"
    );
    let above = registry.push("other/x:1", component.clone()).await.unwrap();
    let (_, code, detail) = refused(&world, &above).await;
    assert_eq!(code, "registry-denied", "{detail}");
    let other = format!("{name}@{}", Digest::of(b"another"));
    let (status, code, detail) = refused(&world, &other).await;
    assert_eq!(
        (status, code.as_str()),
        (404, "artifact-not-found"),
        "{detail}"
    );

    let layer = |media_type: &str, bytes: Vec<u8>| ImageLayer::new(bytes, media_type.into(), None);
    let image = registry
        .push_as(
            "team/image:1",
            "application/vnd.oci.image.config.v1+json",
            vec![layer("application/vnd.oci.image.layer.v1.tar", vec![1])],
        )
        .await
        .unwrap();
    let two = vec![layer(WASM_LAYER, vec![1]), layer(WASM_LAYER, vec![2])];
    let two = registry
        .push_as("team/two:1", WASM_CONFIG, two)
        .await
        .unwrap();
    let tar = vec![layer("application/x-tar", vec![1])];
    let tar = registry
        .push_as("team/tar:1", WASM_CONFIG, tar)
        .await
        .unwrap();
    for artifact in [image, two, tar] {
        let (status, code, detail) = refused(&world, &artifact).await;
        assert_eq!(
            (status, code.as_str()),
            (422, "artifact-invalid"),
            "{detail}"
        );
        assert!(detail.contains("CNCF Wasm layout"), "{detail}");
    }
    let large = vec![0; COMPONENT_BYTES_MAX + 1];
    let large = registry.push("team/large:1", large).await.unwrap();
    let (status, code, detail) = refused(&world, &large).await;
    assert_eq!(
        (status, code.as_str()),
        (413, "component-too-large"),
        "{detail}"
    );
    // It is in the registry and well, but no plugin.
    let text = registry
        .push("team/text:1", b"no wasm".to_vec())
        .await
        .unwrap();
    let (_, code, detail) = refused(&world, &text).await;
    assert_eq!(code, "component-invalid", "{detail}");

    // A registry whose disk gives other bytes than were put there, and one that is gone.
    let blob = registry.blob(&Digest::of(&component));
    let mut damaged = component;
    *damaged.last_mut().unwrap() ^= 1;
    std::fs::write(blob, damaged).unwrap();
    let (status, code, detail) = refused(&world, &reference).await;
    assert_eq!(
        (status, code.as_str()),
        (422, "digest-mismatch"),
        "{detail}"
    );
    drop(registry);
    let (status, code, detail) = refused(&world, &reference).await;
    assert_eq!(
        (status, code.as_str()),
        (503, "registry-failed"),
        "{detail}"
    );
    let plugins = world.api.get(&world.path("plugins")).await.unwrap();
    let names: Vec<_> = plugins.body["items"].as_array().unwrap().to_vec();
    assert_eq!(
        names.len(),
        1,
        "only the text came as far as a release: {names:?}"
    );
}

#[tokio::test]
async fn a_registry_that_asks_gets_the_operators_credentials_and_tenants_what_is_theirs() {
    let registry = Registry::start_private().unwrap();
    let component = guest("test-native-sdk").unwrap();
    let own = registry
        .push("plugins/acme/x:1", component.clone())
        .await
        .unwrap();
    let others = registry
        .push("plugins/globex/x:1", component)
        .await
        .unwrap();
    let place = format!("{}/plugins/{{tenant}}", registry.address());
    let (nobody, _data) = host(&["--oci-registry", &place]).await;
    let world = World::make(&nobody.api, "acme").await.unwrap();
    let (status, code, detail) = refused(&world, &own).await;
    assert_eq!(
        (status, code.as_str()),
        (503, "registry-failed"),
        "{detail}"
    );
    assert!(detail.contains("--oci-credentials"), "{detail}");
    drop(nobody);

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.json");
    let auth = base64(&format!("{}:{}", USER.0, USER.1));
    let config = json!({ "auths": { registry.address(): { "auth": auth } } });
    std::fs::write(&file, config.to_string()).unwrap();
    let credentials = file.to_str().unwrap();
    let (host, _data) = host(&["--oci-registry", &place, "--oci-credentials", credentials]).await;
    let world = World::make(&host.api, "acme").await.unwrap();
    let answer = pull(&world, "test-native-sdk", &own).await;
    assert_eq!(answer.status, 201, "{:#}", answer.body);
    let (_, code, detail) = refused(&world, &others).await;
    assert_eq!(code, "registry-denied", "{detail}");
    assert!(
        !host.log().contains(USER.1),
        "the password is nowhere in the log"
    );
}

#[tokio::test]
async fn an_address_that_a_manifest_names_is_not_followed() {
    let registry = Registry::start().unwrap();
    let (host, _data) = host(&["--oci-registry", registry.address()]).await;
    let world = World::make(&host.api, "foreign").await.unwrap();
    let inside = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/secret", inside.local_addr().unwrap());
    let component = guest("test-native-sdk").unwrap();
    let reference = registry.push_foreign("x:1", component, &url).await.unwrap();
    let (status, code, detail) = refused(&world, &reference).await;
    assert_eq!(
        (status, code.as_str()),
        (404, "artifact-not-found"),
        "{detail}"
    );
    // A connection would wait to be taken.
    assert!(inside.accept().now_or_never().is_none(), "somebody asked");
}

fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}
