//! Continue-as-new, patches, tasks that fail.

use std::{collections::BTreeSet, time::Instant};

use serde_json::{Value, json};
use tenterhook_tests::host::World;

use super::{
    EVENT_WITHIN, PLUGIN, completed, event, events_of,
    family::{make_current, relabelled},
    result_of, start, tenant, type_of,
};

#[tokio::test]
async fn a_run_continues_as_new() {
    let world = tenant("feature-continue").await;
    let last = result_of(&world, "ContinuesAsNew", "c", json!({ "remaining": 2 })).await;
    let runs: BTreeSet<&str> = last["runs"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert_eq!((runs.len(), &last["remaining"]), (3, &json!(0)), "{last:#}");
    let outcome = world.outcome("c").await.unwrap();
    assert_eq!(outcome["run_id"], last["runs"][2], "{outcome:#}");
    // The context goes along: each run is of the same tenant, with a signed header of its own.
    let listed = world
        .api
        .get(&world.path("workflows?limit=50"))
        .await
        .unwrap();
    let listed = listed.ok().unwrap();
    let of_chain = |item: &&Value| runs.contains(item["run_id"].as_str().unwrap());
    let listed = listed["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(of_chain)
        .count();
    assert_eq!(listed, 3);
}

#[tokio::test]
async fn the_next_run_takes_the_release_that_is_current_then() {
    let world = tenant("feature-continue-release").await;
    let first = world.push(PLUGIN, relabelled("first")).await.unwrap();
    let second = world.push(PLUGIN, relabelled("second")).await.unwrap();
    make_current(&world, &first).await;
    // Temporal leaves a second between runs, so the change comes in the middle of the chain.
    let input = json!({ "remaining": 5 });
    let started = world.start(&type_of("ContinuesAsNew"), "c", input).await;
    // Asked for afterwards it may be the next run's.
    let begun = started.unwrap()["run_id"].clone();
    world
        .until("c", |seen| seen["run_id"] != begun)
        .await
        .unwrap();
    make_current(&world, &second).await;
    let last = completed(&world, "c").await;
    assert_eq!(last["runs"][0], begun, "{last:#}");
    let (before, after) = (
        digest_of(&world, &begun).await,
        digest_of(&world, &last["runs"][5]).await,
    );
    assert_eq!((before, after), (json!(first), json!(second)));
}

/// The release that one run was pinned to, once Temporal's list says so.
async fn digest_of(world: &World, run_id: &Value) -> Value {
    let deadline = Instant::now() + EVENT_WITHIN;
    loop {
        let listed = world
            .api
            .get(&world.path("workflows?limit=50"))
            .await
            .unwrap();
        let listed = listed.ok().unwrap();
        let mut items = listed["items"].as_array().unwrap().iter();
        let item = items.find(|item| item["run_id"] == *run_id);
        if let Some(digest) = item.and_then(|item| item.get("digest")) {
            return digest.clone();
        }
        assert!(
            Instant::now() < deadline,
            "run {run_id} has no digest: {listed:#}"
        );
    }
}

#[tokio::test]
async fn patches_are_marked_beside_the_pin() {
    let world = tenant("feature-patches").await;
    start(&world, "Patched", "p", Value::Null).await;
    event(&world, "p", "ActivityTaskCompleted").await;
    world.signal("p", "go", Value::Null).await.unwrap();
    assert_eq!(
        completed(&world, "p").await,
        json!([true, true, true, true])
    );
    // The pin, and each patch once, however often it is asked for.
    let markers = events_of(&world, "p", "MarkerRecorded").await;
    assert_eq!(markers.len(), 4, "{markers:#?}");
    let seen = world.describe("p").await.unwrap();
    assert!(seen["digest"].is_string(), "{seen:#}");
}

#[tokio::test]
async fn a_failed_task_is_tried_again_and_the_workflow_lives() {
    let world = tenant("feature-task").await;
    start(&world, "FailsTask", "f", Value::Null).await;
    let failed = event(&world, "f", "WorkflowTaskFailed").await;
    let reason = failed["failure"].as_str().unwrap_or_default();
    assert!(reason.contains("not healed yet"), "{failed:#}");
    assert_eq!(world.describe("f").await.unwrap()["status"], "running");
    world.signal("f", "heal", Value::Null).await.unwrap();
    assert_eq!(completed(&world, "f").await, "healed");
}
