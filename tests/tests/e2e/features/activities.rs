//! Activities and local activities: results, what they know, heartbeats, retries.

use serde_json::{Value, json};

use super::{events_of, once, result_of, tenant};

#[tokio::test]
async fn an_activity_answers_with_its_result() {
    let world = tenant("feature-activity").await;
    // A bare name is the plugin's own; null and nested values come back as they went.
    for (number, activity) in ["Echo", "test-workflows.Echo"].into_iter().enumerate() {
        for (sub, value) in [json!({ "a": [1, null, "ü"] }), Value::Null, json!("")]
            .into_iter()
            .enumerate()
        {
            let id = format!("e-{number}-{sub}");
            let ran = result_of(&world, "RunsActivity", &id, once(activity, value.clone())).await;
            assert_eq!(ran, json!({ "result": value, "failure": [] }), "{activity}");
        }
    }
    let sum = result_of(&world, "ManyActivities", "many", json!(200)).await;
    assert_eq!(sum, (0..200).sum::<u32>());
}

#[tokio::test]
async fn an_activity_knows_whose_it_is_and_stays_on_its_lane() {
    let world = tenant("feature-facts").await;
    let mut run = once("TaskFacts", Value::Null);
    run["activity_id"] = json!("mine");
    run["heartbeat_ms"] = json!(5_000);
    run["start_to_close_ms"] = json!(20_000);
    // Nobody polls that queue: the host puts its own in.
    run["task_queue"] = json!("somebody-elses-queue");
    let ran = result_of(&world, "RunsActivity", "f", run).await;
    let facts = &ran["result"];
    let run_id = world.describe("f").await.unwrap()["run_id"].clone();
    let run_id = run_id.as_str().unwrap();
    let expected = [
        ("activity_id", json!("mine")),
        ("workflow_id", json!("f")),
        ("run_id", json!(run_id)),
        ("workflow_type", json!("RunsActivity")),
        ("tenant", json!("feature-facts")),
        ("environment", json!("production")),
        ("plugin", json!("test-workflows")),
        ("attempt", json!(1)),
        ("local", json!(false)),
        ("heartbeat_timeout_ms", json!(5_000)),
        (
            "idempotency_key",
            json!(format!("feature-facts/production/f/{run_id}/mine")),
        ),
    ];
    for (key, value) in expected {
        assert_eq!(facts[key], value, "{key}: {ran:#}");
    }
    let remaining = facts["remaining_ms"].as_u64().unwrap();
    assert!((1..=20_000).contains(&remaining), "{remaining} ms remain");
}

#[tokio::test]
async fn a_local_activity_leaves_no_activity_in_history() {
    let world = tenant("feature-local").await;
    let ran = result_of(&world, "RunsLocalActivity", "e", once("Echo", json!([7]))).await;
    assert_eq!(ran, json!({ "result": [7], "failure": [] }));
    assert_eq!(
        events_of(&world, "e", "ActivityTaskScheduled").await.len(),
        0
    );
    let markers = events_of(&world, "e", "MarkerRecorded").await;
    assert!(
        markers
            .iter()
            .any(|marker| marker["name"] == "core_local_activity"),
        "{markers:#?}"
    );
    let facts = result_of(
        &world,
        "RunsLocalActivity",
        "f",
        once("TaskFacts", Value::Null),
    )
    .await;
    assert_eq!(facts["result"]["local"], true, "{facts:#}");
    assert_eq!(facts["result"]["tenant"], "feature-local");

    let mut retried = once(
        "Fail",
        json!({ "kind": "Shaky", "message": "not yet", "succeeds_at": 3 }),
    );
    retried["attempts"] = json!(5);
    retried["retry_initial_ms"] = json!(1);
    let ran = result_of(&world, "RunsLocalActivity", "r", retried.clone()).await;
    assert_eq!(ran["result"], 3, "{ran:#}");
    retried["attempts"] = json!(2);
    let ran = result_of(&world, "RunsLocalActivity", "g", retried).await;
    let chain = ran["failure"].as_array().unwrap();
    let last = chain.last().unwrap();
    assert_eq!(
        (&last["kind"], &last["message"]),
        (&json!("Shaky"), &json!("not yet")),
        "{ran:#}"
    );
}

#[tokio::test]
async fn an_attempt_goes_on_where_the_last_heartbeat_was() {
    let world = tenant("feature-heartbeat").await;
    let mut run = once("Count", json!({ "to": 5, "fails_at": 4 }));
    run["attempts"] = json!(2);
    run["retry_initial_ms"] = json!(1);
    run["heartbeat_ms"] = json!(10_000);
    let ran = result_of(&world, "RunsActivity", "c", run).await;
    assert_eq!(
        ran["result"],
        json!({ "resumed_from": 3, "attempt": 2 }),
        "{ran:#}"
    );
    // Without the failure there is nothing to go on from.
    let ran = result_of(
        &world,
        "RunsActivity",
        "d",
        once("Count", json!({ "to": 5 })),
    )
    .await;
    assert_eq!(ran["result"], json!({ "resumed_from": 0, "attempt": 1 }));
}

#[tokio::test]
async fn an_activity_that_fails_is_tried_again_as_its_policy_says() {
    let world = tenant("feature-retry").await;
    let mut run = once(
        "Fail",
        json!({ "kind": "Shaky", "message": "not yet", "succeeds_at": 3 }),
    );
    run["attempts"] = json!(0);
    run["retry_initial_ms"] = json!(1);
    let ran = result_of(&world, "RunsActivity", "r", run).await;
    assert_eq!(ran["result"], 3, "{ran:#}");
    let started = events_of(&world, "r", "ActivityTaskStarted").await;
    assert_eq!(started.len(), 1, "{started:#?}");
    assert_eq!(started[0]["attempt"], 3, "{started:#?}");
    let last = started[0]["failure"].as_str().unwrap_or_default();
    assert!(last.contains("Shaky: not yet"), "{started:#?}");
}
