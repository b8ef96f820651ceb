//! `user.SendNotification`: every channel on its own account.

use serde_json::{Value, json};
use tenterhook_tests::standin::{Channel, Operation, Switch};

use super::{channels, scene};
use crate::scene::{calls, failure_type};

fn notification(channels: &[&str]) -> Value {
    json!({
        "notification_id": "n-1",
        "user_id": "u-1",
        "channels": channels,
        "subject": "Your parcel",
        "body": "It is on its way.",
        "retry_initial_ms": 20,
    })
}

fn outcomes(outcome: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let reports = outcome["result"]["channels"].as_array().unwrap();
    reports
        .iter()
        .map(|report| (text(&report["channel"]), text(&report["outcome"])))
        .collect()
}

#[tokio::test]
async fn send_email_and_send_notification_deliver_on_every_channel_at_once() {
    let scene = scene("user-notify", "ada@shop.example").await;
    let all = notification(&["email", "push", "in_app"]);
    let outcome = scene.run("SendNotification", "n-1", all).await;
    assert_eq!(outcome["status"], "completed", "{outcome:#}");
    assert_eq!(
        outcome["result"]["delivered"],
        json!(["email", "push", "in_app"])
    );
    let book = scene.book();
    assert_eq!(channels(&scene), [Channel::Email, Channel::Push, Channel::InApp]);
    let mail = book.messages.iter().find(|message| message.channel == Channel::Email).unwrap();
    assert_eq!((mail.to.as_str(), mail.subject.as_str()), ("ada@shop.example", "Your parcel"));
    // One task scheduled all three: nothing waited for another channel.
    let events = scene.world.events("n-1").await.unwrap();
    let types: Vec<_> = events.iter().filter_map(|event| event["type"].as_str()).collect();
    let together = types.windows(3).any(|three| three.iter().all(|kind| *kind == "ActivityTaskScheduled"));
    assert!(together, "{types:?}");
}

#[tokio::test]
async fn one_channels_failure_does_not_fail_the_others() {
    let scene = scene("user-notify-part", "ada@bounce.example").await;
    scene.switch(Operation::Pushes, Switch::failing(2, 503));
    let all = notification(&["push", "email", "in_app"]);
    let outcome = scene.run("SendNotification", "n-1", all).await;
    assert_eq!(outcome["status"], "completed", "{outcome:#}");
    assert_eq!(outcome["result"]["delivered"], json!(["push", "in_app"]));
    let mail = &outcome["result"]["channels"][1];
    assert_eq!((&mail["channel"], &mail["outcome"]), (&json!("email"), &json!("failed")));
    assert!(mail["reason"].as_str().unwrap().contains("undeliverable"), "{mail:#}");
    let book = scene.book();
    assert_eq!(channels(&scene), [Channel::Push, Channel::InApp]);
    assert_eq!(calls(&book, Operation::Pushes), 3, "the third attempt is taken");
    assert_eq!(calls(&book, Operation::Mails), 1, "a refusal is not asked again");
}

#[tokio::test]
async fn process_notification_leaves_out_what_the_user_does_not_want() {
    let scene = scene("user-notify-skip", "ada@shop.example").await;
    scene.edit(|book| {
        let user = book.users.get_mut("u-1").unwrap();
        user.opted_out = vec![Channel::Email];
        user.push_device = None;
    });
    let all = notification(&["email", "push", "in_app"]);
    let outcome = scene.run("SendNotification", "n-1", all).await;
    let expected = [("email", "skipped"), ("push", "skipped"), ("in_app", "delivered")];
    let expected = expected.map(|(channel, how)| (channel.to_owned(), how.to_owned()));
    assert_eq!(outcomes(&outcome), expected, "{outcome:#}");
    assert_eq!(channels(&scene), [Channel::InApp]);
}

#[tokio::test]
async fn a_lost_answer_sends_no_second_mail() {
    let scene = scene("user-notify-lost", "ada@shop.example").await;
    let lost = Switch {
        drop_after_booking: 2,
        ..Switch::default()
    };
    scene.switch(Operation::Mails, lost);
    let outcome = scene.run("SendNotification", "n-1", notification(&["email"])).await;
    assert_eq!(outcome["result"]["delivered"], json!(["email"]), "{outcome:#}");
    let book = scene.book();
    assert_eq!((book.messages.len(), calls(&book, Operation::Mails)), (1, 3));
}

#[tokio::test]
async fn an_unknown_user_and_a_wrong_input_fail() {
    let scene = scene("user-notify-fail", "ada@shop.example").await;
    let mut unknown = notification(&["email"]);
    unknown["user_id"] = json!("u-9");
    let outcome = scene.run("SendNotification", "n-1", unknown).await;
    assert_eq!((&outcome["status"], failure_type(&outcome)), (&json!("failed"), "NotFound"), "{outcome:#}");
    for (field, wrong) in [
        ("channels", json!([])),
        ("channels", json!(["email", "email"])),
        ("channels", json!(["pigeon"])),
        ("subject", json!("")),
        ("retry_initial_ms", json!(0)),
    ] {
        let mut input = notification(&["email"]);
        input[field] = wrong;
        let refused = scene.refused("SendNotification", "n-2", input).await;
        assert_eq!(refused.code(), Some("input-invalid"), "{field}: {refused:?}");
    }
    assert!(scene.book().messages.is_empty());
}
