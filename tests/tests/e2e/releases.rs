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
    const TOTAL: usize = 150;
    const SLEEPERS: usize = 5;
    let world = world("push-under-load").await;
    world
        .push("test-pin", guest("test-pin-v1").unwrap())
        .await
        .unwrap();
    world
        .push("test-native-sdk", guest("test-native-sdk").unwrap())
        .await
        .unwrap();
    for number in 0..SLEEPERS {
        let id = format!("s-{number}");
        world.start_pinned(&id).await.unwrap();
    }
    let mut ran = Vec::new();
    // 50 a second, for three seconds; after the first a component that this host never saw is pushed.
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    let mut push = None;
    for number in 0..TOTAL {
        ticks.tick().await;
        if number == TOTAL / 3 {
            push = Some(tokio::spawn(push_second(world.clone())));
        }
        let world = world.clone();
        ran.push(tokio::spawn(async move {
            let id = format!("l-{number}");
            world.execute("test-native-sdk.Echo", &id, json!(id)).await
        }));
    }
    push.unwrap().await.unwrap().unwrap();
    for task in ran {
        let outcome = task.await.unwrap().unwrap();
        assert_eq!(outcome["status"], "completed", "{outcome:#}");
        nothing_failed(&world, outcome["id"].as_str().unwrap()).await;
    }
    // What was under way stays on its release.
    for number in 0..SLEEPERS {
        let id = format!("s-{number}");
        world.signal(&id, "go", Value::Null).await.unwrap();
        assert_eq!(
            world.outcome(&id).await.unwrap()["result"],
            "v1 with activity v1"
        );
        nothing_failed(&world, &id).await;
    }
}

async fn nothing_failed(world: &World, id: &str) {
    let events = world.events(id).await.unwrap();
    let failed = events
        .iter()
        .find(|event| event["type"] == "WorkflowTaskFailed");
    assert_eq!(failed, None, "{id}");
}

/// Uploads the second release and makes it current. The next start runs it, within two seconds of the answer.
async fn push_second(world: World) -> anyhow::Result<()> {
    let second = world.push("test-pin", guest("test-pin-v2")?).await?;
    let path = world.path("plugins/test-pin/current");
    world
        .api
        .put(&path, &json!({ "digest": second }))
        .await?
        .ok()?;
    let answered = Instant::now();
    world
        .start("test-pin.Versioned", "next", Value::Null)
        .await?;
    let next = world
        .until("next", |seen| seen["digest"].is_string())
        .await?;
    let took = answered.elapsed();
    anyhow::ensure!(
        next["digest"] == json!(second),
        "the next start ran {next:#}"
    );
    anyhow::ensure!(
        took < Duration::from_secs(2),
        "its first task took {took:?}"
    );
    world.signal("next", "go", Value::Null).await?;
    let outcome = world.outcome("next").await?;
    anyhow::ensure!(outcome["result"] == "v2 with activity v2", "{outcome:#}");
    Ok(())
}
