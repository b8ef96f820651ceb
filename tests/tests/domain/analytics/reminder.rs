//! `analytics.Reminder`: due, still wanted, sent once.

use serde_json::{Value, json};
use tenterhook_tests::standin::{Operation, Reminder, Switch};

use crate::scene::{Scene, calls, failure_type};

const PAST: &str = "2026-01-01T00:00:00+01:00";
const FUTURE: &str = "2999-01-01T00:00:00Z";

async fn scene(tenant: &str, wanted: bool, to: &str) -> Scene {
    let scene = Scene::open("analytics", tenant).await;
    let reminder = Reminder {
        reminder_id: "r-1".to_owned(),
        user_id: "u-1".to_owned(),
        to: to.to_owned(),
        subject: "Your trial ends".to_owned(),
        body: "In three days.".to_owned(),
        wanted,
        sent_at: None,
    };
    scene.edit(|book| book.reminders.insert("r-1".to_owned(), reminder));
    scene
}

fn reminder(scheduled_at: &str) -> Value {
    json!({ "reminder_id": "r-1", "scheduled_at": scheduled_at, "retry_initial_ms": 20 })
}

#[tokio::test]
async fn validate_reminder_send_reminder_mark_reminder_sent() {
    let scene = scene("analytics-remind", true, "ada@shop.example").await;
    // Marking is insisted on, for it was sent.
    scene.switch(Operation::RemindersSent, Switch::failing(5, 503));
    let outcome = scene.run("Reminder", "m-1", reminder(PAST)).await;
    assert_eq!(outcome["result"]["sent"], true, "{outcome:#}");
    let steps = scene.activities("m-1").await;
    assert_eq!(
        steps,
        ["ValidateReminder", "SendReminder", "MarkReminderSent"]
    );
    let book = scene.book();
    assert_eq!(
        (book.messages.len(), calls(&book, Operation::RemindersSent)),
        (1, 6)
    );
    assert_eq!(
        outcome["result"]["sent_at"],
        json!(book.reminders["r-1"].sent_at)
    );

    let again = scene.run("Reminder", "m-2", reminder(PAST)).await;
    assert_eq!(again["result"]["sent"], false, "{again:#}");
    assert_eq!(scene.book().messages.len(), 1);
}

#[tokio::test]
async fn what_is_no_longer_wanted_is_not_sent() {
    let scene = scene("analytics-unwanted", false, "ada@shop.example").await;
    let outcome = scene.run("Reminder", "m-1", reminder(PAST)).await;
    let result = &outcome["result"];
    assert_eq!(
        (&result["sent"], &result["reason"]),
        (&json!(false), &json!("it is no longer wanted")),
        "{outcome:#}"
    );
    assert_eq!(scene.activities("m-1").await, ["ValidateReminder"]);
}

#[tokio::test]
async fn it_waits_until_it_is_due_and_can_be_cancelled() {
    let scene = scene("analytics-wait", true, "ada@shop.example").await;
    scene.start("Reminder", "m-1", reminder(FUTURE)).await;
    scene.until_event("m-1", "TimerStarted").await;
    assert!(scene.activities("m-1").await.is_empty());
    scene.world.cancel("m-1").await.unwrap();
    assert_eq!(
        scene.world.outcome("m-1").await.unwrap()["status"],
        "canceled"
    );
    assert!(scene.book().messages.is_empty());
}

#[tokio::test]
async fn what_cannot_be_sent_fails_and_is_not_marked() {
    let scene = scene("analytics-bounce", true, "ada@bounce.example").await;
    let outcome = scene.run("Reminder", "m-1", reminder(PAST)).await;
    assert_eq!(
        (&outcome["status"], failure_type(&outcome)),
        (&json!("failed"), "ValidationError"),
        "{outcome:#}"
    );
    assert_eq!(scene.book().reminders["r-1"].sent_at, None);
    let mut unknown = reminder(PAST);
    unknown["reminder_id"] = json!("r-9");
    assert_eq!(
        failure_type(&scene.run("Reminder", "m-2", unknown).await),
        "NotFound"
    );
    let no_day = reminder("2026-02-30T00:00:00Z");
    assert_eq!(
        failure_type(&scene.run("Reminder", "m-3", no_day).await),
        "ValidationError"
    );
    let refused = scene.refused("Reminder", "m-4", reminder("soon")).await;
    assert_eq!(refused.code(), Some("input-invalid"), "{refused:?}");
}
