//! Pushing components while the host serves.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tenterhook_tests::host::{World, guest};

use crate::shared::world;

async fn refused(world: &World, plugin: &str, bytes: Vec<u8>) -> (u16, String, String) {
    let answer = world
        .api
        .upload(&world.path(&format!("plugins/{plugin}/releases")), bytes)
        .await
        .unwrap();
    let text = |key: &str| answer.body[key].as_str().unwrap_or_default().to_owned();
    (answer.status.as_u16(), text("code"), text("detail"))
}

#[tokio::test]
async fn what_is_no_plugin_is_refused_with_the_reason() {
    let world = world("uploads").await;
    let (_, code, detail) = refused(&world, "x", b"not wasm at all".to_vec()).await;
    assert_eq!(code, "component-invalid", "{detail}");
    let (_, code, detail) = refused(&world, "x", b"\0asm\x01\0\0\0".to_vec()).await;
    assert_eq!(code, "component-is-core-module", "{detail}");
    assert!(detail.contains("wasm32-wasip2"), "{detail}");
    let (_, code, detail) = refused(
        &world,
        "test-unknown-import",
        guest("test-unknown-import").unwrap(),
    )
    .await;
    assert_eq!(code, "component-import-unknown", "{detail}");
    let (_, code, detail) = refused(
        &world,
        "test-lying-metadata",
        guest("test-lying-metadata").unwrap(),
    )
    .await;
    assert_eq!(code, "component-metadata-invalid", "{detail}");
    let (_, code, detail) = refused(&world, "other", guest("payment").unwrap()).await;
    assert_eq!(code, "component-metadata-invalid", "{detail}");
    assert!(
        detail.contains("payment") && detail.contains("other"),
        "{detail}"
    );
    let (status, code, detail) = refused(&world, "x", vec![0; 100 * 1024 * 1024]).await;
    assert_eq!(
        (status, code.as_str()),
        (413, "component-too-large"),
        "{detail}"
    );
    assert!(world.api.get("/readyz").await.unwrap().status.is_success());
    world.push_guest("test-workflows").await.unwrap();
}

#[tokio::test]
async fn the_same_bytes_are_the_same_release() {
    let world = world("twice").await;
    let first = world.push_guest("payment").await.unwrap();
    assert_eq!(world.push_guest("payment").await.unwrap(), first);
    let releases = world
        .api
        .get(&world.path("plugins/payment/releases"))
        .await
        .unwrap()
        .ok()
        .unwrap();
    assert_eq!(
        releases["items"].as_array().unwrap().len(),
        1,
        "{releases:#}"
    );
    assert_eq!(releases["items"][0]["state"], "current");
}

#[tokio::test]
async fn a_component_of_temporals_sdk_alone_runs_unmodified() {
    let world = world("native-sdk").await;
    world
        .push("test-native-sdk", guest("test-native-sdk").unwrap())
        .await
        .unwrap();
    let outcome = world
        .execute("test-native-sdk.Echo", "e", json!("hello"))
        .await
        .unwrap();
    assert_eq!(
        (&outcome["status"], &outcome["result"]),
        (&json!("completed"), &json!("hello")),
        "{outcome:#}"
    );
}

#[tokio::test]
async fn a_push_under_load_fails_nothing_and_takes_effect_at_once() {
    let world = world("push-under-load").await;
    world
        .push("test-pin", guest("test-pin-v1").unwrap())
        .await
        .unwrap();
    let second = world
        .push("test-pin", guest("test-pin-v2").unwrap())
        .await
        .unwrap();
    let third_of = |count: usize| count / 3;
    let (total, mut started) = (150, Vec::new());
    // 50 a second, for three seconds; the new release becomes current after the first.
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    let mut switched = None;
    for number in 0..total {
        ticks.tick().await;
        if number == third_of(total) {
            let path = world.path("plugins/test-pin/current");
            world
                .api
                .put(&path, &json!({ "digest": second }))
                .await
                .unwrap()
                .ok()
                .unwrap();
            switched = Some(Instant::now());
        }
        let id = format!("l-{number}");
        let world = world.clone();
        started.push(tokio::spawn(async move {
            world.start("test-pin.Versioned", &id, Value::Null).await?;
            world.signal(&id, "go", Value::Null).await?;
            world.outcome(&id).await.map(|outcome| (id, outcome))
        }));
    }
    for task in started {
        let (id, outcome) = task.await.unwrap().unwrap();
        assert_eq!(outcome["status"], "completed", "{id}: {outcome:#}");
    }
    assert!(switched.is_some());
    let last = world
        .until(&format!("l-{}", total - 1), |seen| {
            seen["digest"].is_string()
        })
        .await
        .unwrap();
    assert_eq!(last["digest"], json!(second));
    let failed = world.events("l-0").await.unwrap();
    assert!(
        failed
            .iter()
            .all(|event| event["type"] != "WorkflowTaskFailed"),
        "{failed:#?}"
    );
    // The first start after the answer runs the new release already.
    let after = world
        .until(&format!("l-{}", third_of(total)), |seen| {
            seen["digest"].is_string()
        })
        .await
        .unwrap();
    assert_eq!(after["digest"], json!(second));
}
