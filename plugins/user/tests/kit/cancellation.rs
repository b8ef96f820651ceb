//! Each workflow, asked to end at its steps and while it waits.

use std::time::Duration;

use serde_json::{Value, json};
use tenterhook_testkit::Message;

use crate::services::{DAY, HOUR, notification, onboarding, open, user};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_notification_sends_nothing_more() {
    let services = open().await;
    let bench = services.bench();
    let mut sending = bench.kit.start("SendNotification", &notification());
    sending.until_called("ProcessNotification").cancel();
    let ended = sending.finish();
    assert!(ended.is_cancelled(), "{ended:?}");
    ended.never_called("SendEmail");
    assert!(bench.book().messages.is_empty());

    let bench = services.bench();
    let mut sending = bench.kit.start("SendNotification", &notification());
    sending.until_called("SendEmail").cancel();
    assert!(sending.finish().is_cancelled());
    let book = bench.book();
    let mail = book.messages.first().unwrap();
    assert_eq!(mail.to, "ada@shop.example", "what was taken is delivered");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_onboarding_is_cancelled_between_its_steps() {
    let services = open().await;
    let bench = services.bench();
    let mut coming = bench.kit.start("Onboarding", &onboarding());
    coming.until_called("SendWelcomePackage").cancel();
    let mut ended = coming.finish();
    assert!(ended.is_cancelled(), "{ended:?}");
    ended.never_called("UpdateUserStatus");
    let progress: Value = ended.query("progress").unwrap();
    assert_eq!(progress["step"], "cancelled");
    let ada = user(&bench);
    assert_eq!((ada.status.as_str(), ada.packages.len()), ("new", 1));

    let bench = services.bench();
    let mut coming = bench.kit.start("Onboarding", &onboarding());
    coming.until_called("UpdateUserStatus").cancel();
    let ended = coming.finish();
    assert!(ended.is_cancelled(), "{ended:?}");
    assert_eq!(ended.elapsed(), Duration::ZERO);
    assert_eq!(user(&bench).status, "active", "what was done stays");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_onboarding_is_cancelled_while_it_waits() {
    let services = open().await;
    let bench = services.bench();
    let mut coming = bench.kit.start("Onboarding", &onboarding());
    coming.at(HOUR, Message::cancel());
    let ended = coming.finish();
    assert!(ended.is_cancelled(), "{ended:?}");
    assert_eq!(ended.elapsed(), HOUR);
    ended.never_called("SendEmail");
    assert_eq!(user(&bench).status, "active");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_step_is_not_interrupted() {
    let services = open().await;
    let mut bench = services.bench();
    let taking = Duration::from_secs(10);
    let mail = |_: Value| Ok(json!({ "message_id": "m-1" }));
    bench.kit.mock("SendEmail", mail).takes(taking);
    let mut coming = bench.kit.start("Onboarding", &onboarding());
    coming.at(DAY + taking / 2, Message::cancel());
    let ended = coming.finish();
    assert_eq!(ended.result::<Value>()["reminded"], true);
}
