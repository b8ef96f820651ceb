//! A tenant whose keys were deleted.

use serde_json::{Value, json};
use tenterhook_tests::{host::World, raw::failed_tasks};

use super::{MARKER, Stage, signalled};
use crate::features::{once, type_of, waits};

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_whose_keys_are_deleted_is_shredded() {
    let mut stage = Stage::new().await;
    let (runs, echo) = (
        type_of("RunsActivity"),
        once("Echo", json!({ "card": MARKER })),
    );
    for world in [&stage.acme, &stage.globex] {
        let ran = world.execute(&runs, "done", echo.clone());
        assert_eq!(ran.await.unwrap()["status"], "completed");
    }
    signalled(&stage.acme, "waiting").await;
    stage
        .acme
        .start(&type_of("CleansUp"), "cached", json!(false))
        .await
        .unwrap();
    waits(&stage.acme, "cached").await;
    let deleted = stage.ask("DELETE", "keys", Value::Null).await;
    assert_eq!(deleted, json!({ "deleted": 1 }));

    let api = stage.acme.api.clone();
    let gone = async |path: &str, body: Option<Value>| {
        let path = stage.acme.path(path);
        let answer = match body {
            None => api.get(&path).await,
            Some(body) => api.post(&path, &body).await,
        };
        let answer = answer.unwrap();
        assert_eq!(
            answer.code(),
            Some("payload-key-gone"),
            "{path}: {answer:?}"
        );
    };
    gone("workflows/done/result", None).await;
    // Nobody waits for what cannot end.
    gone("workflows/waiting/result?wait=60s", None).await;
    let start = json!({ "type": type_of("RunsActivity"), "id": "late", "input": echo });
    gone("workflows", Some(start)).await;
    gone(
        "workflows/waiting/signals/add",
        Some(json!({ "input": MARKER })),
    )
    .await;
    gone("workflows/waiting/queries/words", Some(json!({}))).await;
    // What is asked without payloads comes to the run, and the task says why it cannot go on.
    stage.acme.cancel("cached").await.unwrap();
    let seen = stage
        .acme
        .until("cached", |seen| !seen["task_failure"].is_null());
    let seen = seen.await.unwrap();
    assert_eq!(seen["task_failure"]["type"], "payload-key-gone", "{seen:#}");
    let failed = failed_tasks(&stage.raw("acme/production/cached").await);
    assert!(failed[0].contains("payload-key-gone"), "{failed:?}");
    let events = stage.acme.events("done").await.unwrap();
    assert!(events.len() > 5, "the history in short is still there");

    // A host that starts anew finds no more; another tenant has what is its own.
    stage.host.kill().unwrap();
    stage.host.restart().await.unwrap();
    let acme = World::of(&stage.host.api, "acme");
    let result = acme.path("workflows/done/result");
    let answer = acme.api.get(&result).await.unwrap();
    assert_eq!(answer.code(), Some("payload-key-gone"));
    let globex = World::of(&stage.host.api, "globex");
    assert_eq!(
        globex.outcome("done").await.unwrap()["result"]["result"]["card"],
        MARKER
    );
    // The tenant begins anew.
    stage
        .ask("PUT", "encryption", json!({"payloads": "on"}))
        .await;
    let ran = acme.execute(&runs, "anew", echo.clone());
    assert_eq!(ran.await.unwrap()["result"]["result"]["card"], MARKER);
    let answer = acme.api.get(&result).await.unwrap();
    assert_eq!(answer.code(), Some("payload-key-gone"));
}
