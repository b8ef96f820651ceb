//! What an onboarding is told and asked on its way.

use std::time::Duration;

use serde_json::{Value, json};
use tenterhook_testkit::Message;

use crate::services::{DAY, HOUR, onboarding, open};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn progress_tells_where_it_stands_and_until_when_it_waits() {
    let services = open().await;
    let bench = services.bench();
    let mut coming = bench.kit.start("Onboarding", &onboarding());
    coming.until_called("SendWelcomePackage");
    let progress: Value = coming.query("progress", &()).unwrap();
    assert_eq!(
        (&progress["step"], &progress["package_id"]),
        (&"welcoming".into(), &Value::Null)
    );
    coming.settle();
    let expected = json!({
        "user_id": "u-1",
        "step": "waiting",
        "package_id": "pk_u-1_1",
        "profile_completed": false,
        "reminded": false,
        // Tests begin at noon of the first day of the year.
        "waits_until": "2026-01-02T12:00:00Z",
    });
    assert_eq!(coming.query::<Value>("progress", &()).unwrap(), expected);
    // What it knows is in its history, not in its worker.
    coming.crash();
    assert_eq!(coming.query::<Value>("progress", &()).unwrap(), expected);
    coming.advance(HOUR).signal("profile_completed", &());
    assert_eq!(coming.finish().elapsed(), HOUR);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_profile_that_is_complete_before_anybody_waits_is_not_waited_for() {
    let services = open().await;
    let bench = services.bench();
    let mut coming = bench.kit.start("Onboarding", &onboarding());
    coming.until_called("SendWelcomePackage");
    coming
        .signal("profile_completed", &())
        .signal("profile_completed", &());
    let ended = coming.finish();
    assert_eq!(ended.result::<Value>()["profile_completed"], true);
    assert_eq!(ended.elapsed(), Duration::ZERO);
    ended.never_called("SendEmail");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_profile_that_comes_with_the_reminder_is_too_late() {
    let services = open().await;
    let mut bench = services.bench();
    let taking = Duration::from_secs(10);
    let mail = |_: Value| Ok(json!({ "message_id": "m-1" }));
    bench.kit.mock("SendEmail", mail).takes(taking);
    let mut coming = bench.kit.start("Onboarding", &onboarding());
    coming.at(DAY + taking / 2, Message::signal("profile_completed", &()));
    let mut ended = coming.finish();
    let result: Value = ended.result();
    assert_eq!(
        (&result["profile_completed"], &result["reminded"]),
        (&false.into(), &true.into())
    );
    let progress: Value = ended.query("progress").unwrap();
    assert_eq!(
        progress["profile_completed"], true,
        "it is known all the same"
    );
}
