//! `user.Onboarding`: welcome, activation, the profile or a reminder of it.

use serde_json::{Value, json};
use tenterhook_tests::standin::{Operation, Switch};

use super::scene;
use crate::scene::{calls, failure_type};

/// Longer than any test runs.
const LONG_MS: u64 = 3_600_000;

fn onboarding(remind_after_ms: u64) -> Value {
    json!({
        "user_id": "u-1",
        "email": "ada@shop.example",
        "remind_after_ms": remind_after_ms,
        "retry_initial_ms": 20,
    })
}

#[tokio::test]
async fn send_welcome_package_then_update_user_status_then_the_profile_comes() {
    let scene = scene("user-onboard", "ada@shop.example").await;
    scene.start("Onboarding", "o-1", onboarding(LONG_MS)).await;
    let waiting = scene.until_query("o-1", "progress", |seen| seen["step"] == "waiting").await;
    assert!(waiting["waits_until"].as_str().unwrap().ends_with('Z'), "{waiting:#}");
    let user = scene.book().users["u-1"].clone();
    assert_eq!((user.status.as_str(), user.packages), ("active", vec!["welcome".to_owned()]));
    scene.world.signal("o-1", "profile_completed", Value::Null).await.unwrap();
    let outcome = scene.world.outcome("o-1").await.unwrap();
    assert_eq!(outcome["status"], "completed", "{outcome:#}");
    let expected = json!({
        "user_id": "u-1", "package_id": "pk_u-1_1", "profile_completed": true, "reminded": false,
    });
    assert_eq!(outcome["result"], expected);
    assert_eq!(scene.activities("o-1").await, ["SendWelcomePackage", "UpdateUserStatus"]);
    assert!(scene.book().messages.is_empty(), "nobody is reminded of what is done");
    assert_eq!(scene.query("o-1", "progress").await["step"], "completed");
}

#[tokio::test]
async fn who_does_not_complete_the_profile_is_reminded() {
    let scene = scene("user-onboard-remind", "ada@shop.example").await;
    let outcome = scene.run("Onboarding", "o-1", onboarding(50)).await;
    assert_eq!(outcome["result"]["reminded"], true, "{outcome:#}");
    let book = scene.book();
    assert_eq!(book.messages.len(), 1);
    assert_eq!(book.messages[0].to, "ada@shop.example");
    let steps = scene.activities("o-1").await;
    assert_eq!(steps, ["SendWelcomePackage", "UpdateUserStatus", "SendEmail"]);
}

#[tokio::test]
async fn a_reminder_that_cannot_be_sent_turns_nobody_away() {
    let scene = scene("user-onboard-bounce", "ada@shop.example").await;
    let mut input = onboarding(50);
    input["email"] = json!("ada@bounce.example");
    let outcome = scene.run("Onboarding", "o-1", input).await;
    assert_eq!(outcome["status"], "completed", "{outcome:#}");
    assert_eq!(outcome["result"]["reminded"], false);
    let reason = outcome["result"]["reminder_failure"].as_str().unwrap();
    assert!(reason.contains("undeliverable"), "{reason}");
}

#[tokio::test]
async fn it_is_cancelled_while_it_waits() {
    let scene = scene("user-onboard-cancel", "ada@shop.example").await;
    scene.start("Onboarding", "o-1", onboarding(LONG_MS)).await;
    scene.until_query("o-1", "progress", |seen| seen["step"] == "waiting").await;
    scene.world.cancel("o-1").await.unwrap();
    let outcome = scene.world.outcome("o-1").await.unwrap();
    assert_eq!(outcome["status"], "canceled", "{outcome:#}");
    assert_eq!(scene.query("o-1", "progress").await["step"], "cancelled");
    let book = scene.book();
    assert!(book.messages.is_empty());
    assert_eq!(book.users["u-1"].status, "active", "what was done stays");
}

#[tokio::test]
async fn what_cannot_be_activated_fails() {
    let scene = scene("user-onboard-fail", "ada@shop.example").await;
    // As many as there are attempts; less than open the circuit.
    scene.switch(Operation::UserStatuses, Switch::failing(3, 503));
    let outcome = scene.run("Onboarding", "o-1", onboarding(50)).await;
    assert_eq!(
        (&outcome["status"], failure_type(&outcome)),
        (&json!("failed"), "ExternalServiceError"),
        "{outcome:#}"
    );
    let book = scene.book();
    assert_eq!(calls(&book, Operation::UserStatuses), 3);
    assert_eq!((book.users["u-1"].status.as_str(), book.messages.len()), ("new", 0));

    let mut unknown = onboarding(50);
    unknown["user_id"] = json!("u-9");
    let outcome = scene.run("Onboarding", "o-2", unknown).await;
    assert_eq!(failure_type(&outcome), "NotFound", "{outcome:#}");
    let mut wrong = onboarding(50);
    wrong["email"] = json!("nowhere");
    let refused = scene.refused("Onboarding", "o-3", wrong).await;
    assert_eq!(refused.code(), Some("input-invalid"), "{refused:?}");
}
