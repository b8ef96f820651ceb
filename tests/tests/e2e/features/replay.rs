//! What a workflow sees and says is the same after its host died and its history was replayed.

use serde_json::{Value, json};
use tenterhook_tests::host::{Host, World};

use super::{PLUGIN, asked, completed, event, events_of, start};

const METADATA: &str = "__temporal_workflow_metadata";

/// Workflows that wait, each with a state that only its history has.
async fn settle(world: &World) {
    start(world, "Ambient", "ambient", Value::Null).await;
    start(world, "Patched", "patched", Value::Null).await;
    start(world, "Ledger", "ledger", Value::Null).await;
    start(world, "Signalled", "signalled", Value::Null).await;
    start(world, "Details", "details", json!("first")).await;
    start(world, "CleansUp", "cleans", json!(false)).await;
    start(
        world,
        "Parent",
        "parent",
        json!({ "plan": "abandon", "child_id": "kid" }),
    )
    .await;
    for id in ["ambient", "patched"] {
        event(world, id, "ActivityTaskCompleted").await;
    }
    let paid = world.update("ledger", "deposit_later", json!(7)).await;
    assert_eq!(paid.unwrap().ok().unwrap()["result"], 7);
    world
        .signal("signalled", "add", json!("before"))
        .await
        .unwrap();
    world
        .signal("details", "set", json!("second"))
        .await
        .unwrap();
    completed(world, "parent").await;
    event(world, "cleans", "TimerStarted").await;
}

/// What queries say of the waiting workflows.
async fn said(world: &World) -> Value {
    json!({
        "balance": asked(world, "ledger", "balance").await,
        "words": asked(world, "signalled", "words").await,
        "details": asked(world, "details", METADATA).await["currentDetails"],
        "state": asked(world, "cleans", "state").await,
        "closed": asked(world, "parent", "child_id").await,
    })
}

#[tokio::test]
async fn a_replayed_workflow_sees_and_says_the_same() {
    let data = tempfile::tempdir().unwrap();
    let mut host = Host::start(data.path()).await.unwrap();
    let mut world = World::make(&host.api, "acme").await.unwrap();
    world.push_guest(PLUGIN).await.unwrap();
    settle(&world).await;
    let before = said(&world).await;
    let expected = json!({
        "balance": 7,
        "words": ["before"],
        "details": "second",
        "state": "waiting",
        "closed": "kid",
    });
    assert_eq!(before, expected);

    host.kill().unwrap();
    host.restart().await.unwrap();
    world.api = host.api.clone();
    assert_eq!(said(&world).await, before);

    for id in ["ambient", "patched"] {
        world.signal(id, "go", Value::Null).await.unwrap();
    }
    check_ambient(&completed(&world, "ambient").await, &world).await;
    assert_eq!(
        completed(&world, "patched").await,
        json!([true, true, true, true])
    );
    world.signal("kid", "finish", json!("grown")).await.unwrap();
    assert_eq!(completed(&world, "kid").await, "grown");
    world.cancel("cleans").await.unwrap();
    assert_eq!(completed(&world, "cleans").await, "Cancelled \"cleaned\" ");
    for id in [
        "ambient",
        "patched",
        "ledger",
        "signalled",
        "details",
        "cleans",
        "kid",
    ] {
        let failed = events_of(&world, id, "WorkflowTaskFailed").await;
        assert!(failed.is_empty(), "{id}: {failed:#?}");
    }
}

/// `first` was seen anew in the replay, `recorded` went through history before the host died.
async fn check_ambient(seen: &Value, world: &World) {
    let (first, second) = (&seen["first"], &seen["second"]);
    assert_eq!(first, &seen["recorded"], "{seen:#}");
    let run_id = world.describe("ambient").await.unwrap()["run_id"].clone();
    for sight in [first, second] {
        assert_eq!(sight["system_ms"], sight["workflow_ms"], "{sight:#}");
        assert_eq!(
            (&sight["environment"], &sight["arguments"], &sight["files"]),
            (&json!(0), &json!(0), &json!(false)),
            "{sight:#}"
        );
        assert_eq!(sight["run_id"], run_id);
    }
    // Time and randomness do go on.
    assert!(
        second["workflow_ms"].as_u64() > first["workflow_ms"].as_u64(),
        "{seen:#}"
    );
    assert!(
        second["monotonic_ns"].as_u64() > first["monotonic_ns"].as_u64(),
        "{seen:#}"
    );
    for key in ["random", "named_random", "uuid"] {
        assert_ne!(first[key], second[key], "{key}: {seen:#}");
    }
}
