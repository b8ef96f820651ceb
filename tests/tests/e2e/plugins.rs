//! Two plugins of one scope: what one may do to the other only by grant.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tenterhook_tests::host::World;

use crate::shared::world;

const CALLER: &str = "test-hostile";
const CALLEE: &str = "test-workflows";
/// What is signalled, and what is cancelled.
const THEIRS: [&str; 2] = ["theirs", "theirs-too"];

/// A tenant with both plugins, two executions of the callee's that wait, and its release.
async fn both(tenant: &str) -> (World, String) {
    let world = world(tenant).await;
    world.push_guest(CALLER).await.unwrap();
    let digest = world.push_guest(CALLEE).await.unwrap();
    for id in THEIRS {
        let waits = "test-workflows.Signalled";
        world.start(waits, id, Value::Null).await.unwrap();
    }
    (world, digest)
}

/// Every way to reach for the callee.
fn ways() -> [(&'static str, Value); 5] {
    [
        ("activity", json!({ "activity": "test-workflows.Echo" })),
        ("local", json!({ "local_activity": "test-workflows.Echo" })),
        ("child", json!({ "child": "test-workflows.Signalled" })),
        ("signal", json!({ "signal": "theirs" })),
        ("cancel", json!({ "cancel": "theirs-too" })),
    ]
}

/// Why the first task of `id` failed.
async fn refusal(world: &World, id: &str) -> String {
    let failed = world
        .until(id, |seen| seen["task_failure"].is_object())
        .await
        .unwrap();
    failed["task_failure"].to_string()
}

/// The child of `parent`, once it is there and has a release.
async fn child_of(world: &World, parent: &str) -> Value {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let events = world.events(parent).await.unwrap();
        let mut kinds = events.iter().map(|event| &event["type"]);
        if kinds.any(|kind| kind == "ChildWorkflowExecutionStarted") {
            break;
        }
        assert!(Instant::now() < deadline, "no child: {events:#?}");
    }
    let pinned = |seen: &Value| seen["digest"].is_string();
    world.until("reached", pinned).await.unwrap()
}

#[tokio::test]
async fn another_plugin_is_reached_only_by_grant() {
    let (world, digest) = both("plugins-grant").await;
    for (id, way) in ways() {
        world.start("test-hostile.Reaches", id, way).await.unwrap();
        let why = refusal(&world, id).await;
        assert!(why.contains("command-refused"), "{id}: {why}");
        assert!(
            why.contains("adds test-workflows to test-hostile's grants"),
            "{id}: {why}"
        );
    }
    for id in THEIRS {
        let events = world.events(id).await.unwrap();
        let reached = events.iter().any(|event| {
            let kind = event["type"].as_str().unwrap_or_default();
            kind.contains("Signaled") || kind.contains("CancelRequested")
        });
        assert!(!reached, "{id}: {events:#?}");
    }

    // Granted, the same executions go on at their next attempts.
    let granted = json!({ "plugins": [CALLEE] });
    world.grant(CALLER, &granted).await.unwrap();
    for id in ["activity", "local", "signal"] {
        let outcome = world.outcome(id).await.unwrap();
        assert_eq!(outcome["status"], "completed", "{id}: {outcome:#}");
        assert_eq!(outcome["result"], Value::Null, "{id}: {outcome:#}");
    }
    let child = child_of(&world, "child").await;
    assert_eq!(child["type"], "test-workflows.Signalled", "{child:#}");
    assert_eq!(child["digest"], digest, "on its own plugin's release");
    world
        .signal("reached", "finish", Value::Null)
        .await
        .unwrap();
    let outcome = world.outcome("child").await.unwrap();
    assert_eq!(outcome["status"], "completed", "{outcome:#}");
    let outcome = world.outcome("cancel").await.unwrap();
    assert_eq!(outcome["status"], "completed", "{outcome:#}");
    let ended = world.outcome("theirs-too").await.unwrap();
    assert_eq!(ended["status"], "canceled", "{ended:#}");
    world.signal("theirs", "finish", Value::Null).await.unwrap();
    let ended = world.outcome("theirs").await.unwrap();
    assert_eq!(ended["result"], json!(["from afar"]), "{ended:#}");
}

#[tokio::test]
async fn what_a_plugin_has_begun_it_sees_to_its_end_without_the_grant() {
    let (world, _) = both("plugins-taken").await;
    let granted = json!({ "plugins": [CALLEE] });
    world.grant(CALLER, &granted).await.unwrap();
    let child = json!({ "child": "test-workflows.Signalled" });
    let started = world.start("test-hostile.Reaches", "parent", child);
    started.await.unwrap();
    child_of(&world, "parent").await;
    world.grant(CALLER, &json!({})).await.unwrap();
    world
        .signal("reached", "finish", Value::Null)
        .await
        .unwrap();
    let outcome = world.outcome("parent").await.unwrap();
    assert_eq!(outcome["status"], "completed", "{outcome:#}");
}

#[tokio::test]
async fn an_execution_of_ones_own_and_one_that_is_not_there_need_no_grant() {
    let (world, _) = both("plugins-own").await;
    let own = "test-workflows.SignalsOther";
    let outcome = world.execute(own, "own", json!("theirs")).await.unwrap();
    assert_eq!(outcome["status"], "completed", "{outcome:#}");
    assert_eq!(outcome["result"], Value::Null, "{outcome:#}");
    let nobody = json!({ "signal": "nobody" });
    let outcome = world.execute("test-hostile.Reaches", "nobody-s", nobody);
    let outcome = outcome.await.unwrap();
    assert_eq!(outcome["status"], "completed", "{outcome:#}");
    let said = outcome["result"].as_str().unwrap_or_default();
    assert!(
        !said.is_empty(),
        "Temporal says that it is not there: {outcome:#}"
    );
}
