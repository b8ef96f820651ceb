//! Each workflow where nothing goes wrong, and its history, which later code has to replay.

use std::time::Duration;

use serde_json::{Value, json};
use tenterhook_testkit::Message;
use tenterhook_tests::standin::Channel;

use crate::services::{DAY, HOUR, notification, onboarding, open, taken, user};

const HISTORIES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/kit/histories");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_is_delivered_on_every_channel() {
    let services = open().await;
    let bench = services.bench();
    let ended = bench.kit.run("SendNotification", &notification());
    let result: Value = ended.result();
    assert_eq!(result["delivered"], json!(["email", "push", "in_app"]));
    assert_eq!(
        ended.called(),
        [
            "ProcessNotification",
            "SendEmail",
            "SendNotification",
            "SendNotification"
        ]
    );
    let book = bench.book();
    assert_eq!(
        taken(&book),
        [Channel::Email, Channel::Push, Channel::InApp]
    );
    let mut messages = book.messages.iter();
    let email = messages.find(|it| it.channel == Channel::Email).unwrap();
    assert_eq!(
        (email.to.as_str(), email.subject.as_str()),
        ("ada@shop.example", "Your parcel")
    );
    ended.fixture(format!("{HISTORIES}/send-notification.json"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_channel_waits_for_another() {
    let services = open().await;
    let mut bench = services.bench();
    let slow = Duration::from_secs(10);
    for activity in ["SendEmail", "SendNotification"] {
        let answer = |_: Value| Ok(json!({ "message_id": "m-1" }));
        bench.kit.mock(activity, answer).takes(slow);
    }
    let ended = bench.kit.run("SendNotification", &notification());
    assert!(ended.is_completed(), "{ended:?}");
    assert_eq!(ended.elapsed(), slow);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_completes_the_profile_is_not_reminded() {
    let services = open().await;
    let bench = services.bench();
    let mut coming = bench.kit.start("Onboarding", &onboarding());
    coming.at(HOUR, Message::signal("profile_completed", &()));
    let ended = coming.finish();
    let expected = json!({
        "user_id": "u-1", "package_id": "pk_u-1_1", "profile_completed": true, "reminded": false,
    });
    assert_eq!(ended.result::<Value>(), expected);
    assert_eq!(ended.called(), ["SendWelcomePackage", "UpdateUserStatus"]);
    assert_eq!(ended.elapsed(), HOUR);
    let ada = user(&bench);
    assert_eq!(
        (ada.status.as_str(), ada.packages),
        ("active", vec!["welcome".to_owned()])
    );
    ended.fixture(format!("{HISTORIES}/onboarding.json"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_is_reminded_after_a_day() {
    let services = open().await;
    let bench = services.bench();
    let mut ended = bench.kit.run("Onboarding", &onboarding());
    let result: Value = ended.result();
    assert_eq!(
        (&result["profile_completed"], &result["reminded"]),
        (&false.into(), &true.into())
    );
    assert_eq!(ended.elapsed(), DAY);
    assert_eq!(
        ended.called(),
        ["SendWelcomePackage", "UpdateUserStatus", "SendEmail"]
    );
    assert_eq!(bench.book().messages[0].to, "ada@shop.example");
    let progress: Value = ended.query("progress").unwrap();
    assert_eq!(progress["step"], "completed");
    ended.fixture(format!("{HISTORIES}/onboarding-reminder.json"));
}
