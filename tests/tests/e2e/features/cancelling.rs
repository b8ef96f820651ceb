//! Cancellation: of activities, by each of Temporal's kinds; of workflows, and of scopes inside them.

use serde_json::{Value, json};
use tenterhook_tests::host::World;

use super::{asked, completed, event, events_of, result_of, start, tenant, type_of};

/// Starts `CancelsActivity`, cancels once its activity runs, and answers with what the workflow saw.
async fn cancelled(world: &World, kind: &str, activity_ms: u64) -> Value {
    let input = json!({ "cancellation": kind, "activity_ms": activity_ms, "heartbeat_ms": 1_000 });
    start(world, "CancelsActivity", kind, input).await;
    let begun = |seen: &Value| seen["pending_activities"][0]["attempt"] == 1;
    world.until(kind, begun).await.unwrap();
    world.signal(kind, "cancel", Value::Null).await.unwrap();
    completed(world, kind).await
}

fn is_cancellation(ran: &Value) -> bool {
    let chain = ran["failure"].as_array().unwrap();
    ran["result"].is_null() && chain.iter().any(|link| link["what"] == "cancelled")
}

#[tokio::test]
async fn a_cancelled_activity_hears_of_it_by_its_heartbeat() {
    let world = tenant("feature-cancel-wait").await;
    // Longer than the test may take: the end can only come from the cancellation.
    let ran = cancelled(&world, "wait_cancellation_completed", 600_000).await;
    assert!(is_cancellation(&ran), "{ran:#}");
    let id = "wait_cancellation_completed";
    assert_eq!(
        events_of(&world, id, "ActivityTaskCancelRequested")
            .await
            .len(),
        1
    );
    // The activity itself said so: it was told, and it answered.
    assert_eq!(events_of(&world, id, "ActivityTaskCanceled").await.len(), 1);
}

#[tokio::test]
async fn a_workflow_need_not_wait_for_the_activity_it_cancels() {
    let world = tenant("feature-cancel-try").await;
    let ran = cancelled(&world, "try_cancel", 600_000).await;
    assert!(is_cancellation(&ran), "{ran:#}");
    let asked = events_of(&world, "try_cancel", "ActivityTaskCancelRequested").await;
    assert_eq!(asked.len(), 1);
    let ran = cancelled(&world, "abandon", 600_000).await;
    assert!(is_cancellation(&ran), "{ran:#}");
    // An abandoned activity is not even told.
    let asked = events_of(&world, "abandon", "ActivityTaskCancelRequested").await;
    assert_eq!(asked.len(), 0, "{asked:#?}");
}

#[tokio::test]
async fn an_activity_that_is_not_cancelled_ends_by_itself() {
    let world = tenant("feature-cancel-not").await;
    let input = json!({ "cancellation": "try_cancel", "activity_ms": 100, "heartbeat_ms": 1_000 });
    let ran = result_of(&world, "CancelsActivity", "n", input).await;
    assert_eq!(
        ran,
        json!({ "result": "nobody cancelled", "failure": [] }),
        "{ran:#}"
    );
}

#[tokio::test]
async fn a_cancelled_workflow_cleans_up_and_says_how_it_ends() {
    let world = tenant("feature-cancel-workflow").await;
    for (id, ends_cancelled) in [("completes", false), ("ends", true)] {
        start(&world, "CleansUp", id, json!(ends_cancelled)).await;
        assert_eq!(asked(&world, id, "state").await, "waiting");
        let path = world.path(&format!("workflows/{id}/cancel"));
        let body = json!({ "reason": "the caller said so" });
        world.api.post(&path, &body).await.unwrap().ok().unwrap();
    }
    assert_eq!(
        completed(&world, "completes").await,
        "Cancelled \"cleaned\" the caller said so"
    );
    let outcome = world.outcome("ends").await.unwrap();
    assert_eq!(outcome["status"], "canceled", "{outcome:#}");
    for id in ["completes", "ends"] {
        // The clean-up ran in a scope that the cancellation does not reach.
        assert_eq!(asked(&world, id, "state").await, "cleaned");
        assert_eq!(
            events_of(&world, id, "ActivityTaskCompleted").await.len(),
            1
        );
    }
}

#[tokio::test]
async fn a_scope_is_cancelled_without_its_sibling() {
    let world = tenant("feature-scopes").await;
    let said = result_of(&world, "Scopes", "s", Value::Null).await;
    assert_eq!(
        said,
        json!(["pause Fired", "Cancelled", "by hand", "Fired"])
    );
    assert_eq!(events_of(&world, "s", "TimerCanceled").await.len(), 1);
    assert_eq!(events_of(&world, "s", "TimerFired").await.len(), 2);
}

#[tokio::test]
async fn a_terminated_workflow_is_not_asked() {
    let world = tenant("feature-terminate").await;
    start(&world, "CleansUp", "t", json!(false)).await;
    event(&world, "t", "TimerStarted").await;
    let path = world.path("workflows/t/terminate");
    let body = json!({ "reason": "enough" });
    world.api.post(&path, &body).await.unwrap().ok().unwrap();
    let outcome = world.outcome("t").await.unwrap();
    assert_eq!(outcome["status"], "terminated", "{outcome:#}");
    assert_eq!(
        events_of(&world, "t", "ActivityTaskScheduled").await.len(),
        0
    );
    // Its id is free again.
    world
        .start(&type_of("Timers"), "t", json!([1]))
        .await
        .unwrap();
    assert_eq!(completed(&world, "t").await, json!([1]));
}
