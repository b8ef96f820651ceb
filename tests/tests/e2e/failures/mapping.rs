//! Failures both ways: from an activity or child to its workflow, and from a workflow to its caller.

use serde_json::{Value, json};

use super::chain_of;
use crate::features::{events_of, once, result_of, start, tenant, type_of};

/// Everything that an activity can say of its failure.
fn everything() -> Value {
    json!({
        "kind": "KindOfAll",
        "message": "all at once, with ümlauts",
        "non_retryable": true,
        "benign": true,
        "next_retry_delay_ms": 1_500,
        "details": [{ "a": 1 }, "two", null, [3]],
        "causes": ["Near: the near cause", "Far: the far cause"],
    })
}

/// Temporal's number for a benign failure.
const BENIGN: i32 = 1;
/// Temporal's number for a retry state: the failure was not retryable.
const NON_RETRYABLE_FAILURE: i32 = 2;
/// Temporal's number for a retry state: all attempts were made.
const MAXIMUM_ATTEMPTS_REACHED: i32 = 4;
/// Temporal's number for a heartbeat time-out.
const HEARTBEAT: i32 = 4;

#[tokio::test]
async fn an_activitys_failure_reaches_its_workflow_whole() {
    let world = tenant("failure-in").await;
    let chain = chain_of(&world, "a", "Fail", everything()).await;
    let whats: Vec<&str> = chain
        .iter()
        .filter_map(|link| link["what"].as_str())
        .collect();
    assert_eq!(
        whats,
        ["activity", "application", "application", "application"]
    );
    // The activity is named as the guest names it, not as Temporal does.
    assert_eq!(chain[0]["kind"], "Fail", "{chain:#?}");
    assert_eq!(chain[0]["state"], NON_RETRYABLE_FAILURE);
    let error = &chain[1];
    let expected = [
        ("kind", json!("KindOfAll")),
        ("message", json!("all at once, with ümlauts")),
        ("non_retryable", json!(true)),
        ("next_retry_delay_ms", json!(1_500)),
        // The guest's list leaves out what is no JSON, such as a null; the caller sees it below.
        ("details", json!([{ "a": 1 }, "two", [3]])),
        ("state", json!(BENIGN)),
    ];
    for (key, value) in expected {
        assert_eq!(error[key], value, "{key}: {error:#}");
    }
    for (link, (kind, message)) in chain[2..]
        .iter()
        .zip([("Near", "the near cause"), ("Far", "the far cause")])
    {
        assert_eq!(
            (&link["kind"], &link["message"]),
            (&json!(kind), &json!(message))
        );
    }
    for link in &chain[1..] {
        let place = link["stack_trace"].as_str().unwrap();
        assert!(place.contains("activities.rs:"), "{link:#}");
    }
    // Said to be final, it was tried once, though the policy allows more.
    let mut run = once("Fail", everything());
    run["attempts"] = json!(5);
    result_of(&world, "RunsActivity", "b", run).await;
    let started = events_of(&world, "b", "ActivityTaskStarted").await;
    assert_eq!(started[0]["attempt"], 1, "{started:#?}");
}

#[tokio::test]
async fn an_activitys_failure_reaches_the_caller_whole() {
    let world = tenant("failure-out").await;
    let mut run = once("Fail", everything());
    run["fails"] = json!(true);
    let outcome = world
        .execute(&type_of("RunsActivity"), "a", run)
        .await
        .unwrap();
    assert_eq!(outcome["status"], "failed", "{outcome:#}");
    // The workflow fails with the activity's type and words; the activity's own failure is the cause.
    let head = &outcome["failure"];
    let error = &head["cause"]["cause"];
    assert_eq!(head["cause"]["type"], "activity:Fail", "{outcome:#}");
    for failure in [head, error] {
        let expected = [
            ("type", json!("KindOfAll")),
            ("message", json!("all at once, with ümlauts")),
            ("non_retryable", json!(true)),
            ("details", json!([{ "a": 1 }, "two", null, [3]])),
        ];
        for (key, value) in expected {
            assert_eq!(failure[key], value, "{key}: {outcome:#}");
        }
    }
    assert_eq!(error["next_retry_delay_ms"], 1_500, "{outcome:#}");
    let place = error["stack_trace"].as_str().unwrap_or_default();
    assert!(place.contains("activities.rs:"), "{outcome:#}");
    let (near, far) = (&error["cause"], &error["cause"]["cause"]);
    assert_eq!(
        (&near["type"], &near["message"]),
        (&json!("Near"), &json!("the near cause"))
    );
    assert_eq!(
        (&far["type"], &far["message"]),
        (&json!("Far"), &json!("the far cause"))
    );
    assert!(far["cause"].is_null(), "{outcome:#}");
}

#[tokio::test]
async fn a_workflows_own_failure_reaches_the_caller_whole() {
    let world = tenant("failure-own").await;
    let ending = json!({
        "kind": "OutOfStock",
        "message": "nothing left",
        "non_retryable": true,
        "next_retry_delay_ms": 2_500,
        "detail": { "sku": "s-1" },
    });
    let outcome = world.execute(&type_of("Fails"), "f", ending).await.unwrap();
    assert_eq!(outcome["status"], "failed");
    let expected = json!({
        "type": "OutOfStock",
        "message": "nothing left",
        "non_retryable": true,
        "next_retry_delay_ms": 2_500,
        "details": [{ "sku": "s-1" }],
    });
    assert_eq!(outcome["failure"], expected, "{outcome:#}");
}

#[tokio::test]
async fn the_failure_says_when_the_next_attempt_comes() {
    let world = tenant("failure-delay").await;
    let failing = json!({
        "kind": "Busy",
        "message": "come back",
        "next_retry_delay_ms": 1,
        "succeeds_at": 2,
    });
    // The policy alone would wait for half a minute, its longest interval.
    let mut run = once("Fail", failing);
    run["attempts"] = json!(2);
    run["retry_initial_ms"] = json!(30_000);
    let ran = result_of(&world, "RunsActivity", "d", run).await;
    assert_eq!(ran, json!({ "result": 2, "failure": [] }));
    let seen = world.describe("d").await.unwrap();
    let took = seen["closed_at"].as_u64().unwrap() - seen["started_at"].as_u64().unwrap();
    assert!(
        took < 25_000,
        "the second attempt came by the policy, after {took} ms"
    );
}

#[tokio::test]
async fn what_the_host_refuses_carries_its_code() {
    let world = tenant("failure-codes").await;
    world
        .grant_plugin("test-workflows", "nobody")
        .await
        .unwrap();
    let chain = chain_of(&world, "p", "nobody.Charge", Value::Null).await;
    let refusal = chain.last().unwrap();
    assert_eq!(
        (&refusal["kind"], &refusal["non_retryable"]),
        // A push mends it, so the retry policy decides.
        (&json!("plugin-not-found"), &json!(false)),
        "{chain:#?}"
    );
    let message = refusal["message"].as_str().unwrap();
    assert!(message.starts_with("[plugin-not-found] "), "{message}");
    assert!(message.contains("nobody"), "{message}");
    // A type that the release has not is named with those that it has.
    let chain = chain_of(&world, "n", "Nope", Value::Null).await;
    let refusal = chain.last().unwrap();
    assert_eq!(refusal["non_retryable"], true, "{chain:#?}");
    let message = refusal["message"].as_str().unwrap();
    assert!(
        message.contains("Nope") && message.contains("Echo"),
        "{message}"
    );
}

#[tokio::test]
async fn an_attempt_that_is_silent_too_long_times_out() {
    let world = tenant("failure-silent").await;
    world.push_guest("test-hostile").await.unwrap();
    world
        .grant_plugin("test-workflows", "test-hostile")
        .await
        .unwrap();
    let mut run = once("test-hostile.Sleep", json!(600_000));
    run["heartbeat_ms"] = json!(500);
    let ran = result_of(&world, "RunsActivity", "s", run).await;
    let chain = ran["failure"].as_array().unwrap();
    assert_eq!(chain[0]["state"], MAXIMUM_ATTEMPTS_REACHED, "{ran:#}");
    assert_eq!(
        (&chain[1]["what"], &chain[1]["state"]),
        (&json!("timeout"), &json!(HEARTBEAT)),
        "{ran:#}"
    );
    // The host is not held up by what sleeps on.
    let ran = result_of(&world, "RunsActivity", "e", once("Echo", json!(1))).await;
    assert_eq!(ran["result"], 1);
}

#[tokio::test]
async fn a_timer_outcome_without_failure_has_none() {
    let world = tenant("failure-none").await;
    start(&world, "Timers", "t", json!([])).await;
    let outcome = world.outcome("t").await.unwrap();
    assert_eq!(
        (&outcome["status"], &outcome["result"]),
        (&json!("completed"), &json!([]))
    );
    assert!(outcome.get("failure").is_none(), "{outcome:#}");
}
