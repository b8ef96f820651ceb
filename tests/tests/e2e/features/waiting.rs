//! Timers.

use serde_json::{Value, json};

use super::{events_of, result_of, tenant};

#[tokio::test]
async fn timers_fire_when_they_are_due() {
    let world = tenant("feature-timers").await;
    // Further apart than the server's own grain of a second, so that each fires in a task of its own.
    let fired = result_of(&world, "Timers", "t", json!([4_500, 100, 2_300])).await;
    assert_eq!(fired, json!([100, 2_300, 4_500]));
    let seen = world.describe("t").await.unwrap();
    let took = seen["closed_at"].as_u64().unwrap() - seen["started_at"].as_u64().unwrap();
    assert!(took >= 4_500, "the longest timer fired after {took} ms");
    assert_eq!(events_of(&world, "t", "TimerFired").await.len(), 3);
}

#[tokio::test]
async fn a_cancelled_timer_resolves_at_once() {
    let world = tenant("feature-timer-cancel").await;
    let said = result_of(&world, "CancelsTimer", "c", Value::Null).await;
    assert_eq!(said, json!(["Cancelled", "Cancelled"]));
    // The one that was cancelled in the task that starts it never reached the server.
    assert_eq!(events_of(&world, "c", "TimerStarted").await.len(), 2);
    assert_eq!(events_of(&world, "c", "TimerCanceled").await.len(), 1);
    assert_eq!(events_of(&world, "c", "TimerFired").await.len(), 1);
}
