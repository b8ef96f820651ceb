//! What fails, for a while or for good, and what comes of it.

use std::time::Duration;

use serde_json::{Value, json};
use tenterhook_tests::standin::{Channel, Operation, Switch};

use crate::services::{DAY, change, notification, onboarding, open, taken, user};

/// What became of each channel, in the order in which they were wanted.
fn outcomes(result: &Value) -> Vec<&str> {
    let reports = result["channels"].as_array().unwrap().iter();
    reports.map(|it| it["outcome"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_channels_failure_does_not_fail_the_others() {
    let services = open().await;
    let bench = services.bench();
    change(&bench, |user| {
        user.email = Some("ada@bounce.example".to_owned());
        user.push_device = Some("gone-device".to_owned());
    });
    bench.switch(Operation::InAppMessages, Switch::failing(2, 503));
    let ended = bench.kit.run("SendNotification", &notification());
    let result: Value = ended.result();
    assert_eq!(outcomes(&result), ["failed", "failed", "delivered"]);
    let why = |channel: usize| result["channels"][channel]["reason"].as_str().unwrap();
    assert!(why(0).contains("undeliverable"), "{}", why(0));
    assert!(why(1).contains("device_gone"), "{}", why(1));
    assert_eq!(taken(&bench.book()), [Channel::InApp]);
    // A refusal is not asked again; what is broken is, until it is not.
    assert_eq!(ended.attempts("SendEmail"), 1);
    assert_eq!(ended.attempts("SendNotification"), 1 + 3);

    let bench = services.bench();
    for channel in [
        Operation::Mails,
        Operation::Pushes,
        Operation::InAppMessages,
    ] {
        bench.switch(channel, Switch::failing(3, 503));
    }
    let ended = bench.kit.run("SendNotification", &notification());
    let result: Value = ended.result();
    assert_eq!(result["delivered"], json!([]), "it completes all the same");
    assert_eq!(outcomes(&result), ["failed"; 3]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_not_to_be_reached_is_not() {
    let services = open().await;
    let bench = services.bench();
    change(&bench, |user| {
        user.opted_out = vec![Channel::InApp];
        user.push_device = None;
    });
    let ended = bench.kit.run("SendNotification", &notification());
    let result: Value = ended.result();
    assert_eq!(outcomes(&result), ["delivered", "skipped", "skipped"]);
    assert_eq!(taken(&bench.book()), [Channel::Email]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_answer_sends_no_second_message() {
    let services = open().await;
    let bench = services.bench();
    for channel in [Operation::Mails, Operation::Pushes] {
        let lost = Switch {
            drop_after_booking: 2,
            ..Switch::default()
        };
        bench.switch(channel, lost);
    }
    let ended = bench.kit.run("SendNotification", &notification());
    assert_eq!(
        ended.result::<Value>()["delivered"],
        json!(["email", "push", "in_app"])
    );
    assert_eq!(
        taken(&bench.book()),
        [Channel::Email, Channel::Push, Channel::InApp]
    );
    assert_eq!(ended.attempts("SendEmail"), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_to_nobody_and_a_wrong_one_are_not_sent() {
    let services = open().await;
    let bench = services.bench();
    let mut unknown = notification();
    unknown["user_id"] = json!("u-9");
    let ended = bench.kit.run("SendNotification", &unknown);
    assert!(ended.failure().is("NotFound"), "{ended:?}");
    // Here nobody stands at the door: the activity looks again.
    for (field, wrong) in [
        ("channels", json!([])),
        ("channels", json!(["email", "email"])),
        ("subject", json!("")),
        ("notification_id", json!("n".repeat(201))),
    ] {
        let mut input = notification();
        input[field] = wrong;
        let ended = bench.kit.run("SendNotification", &input);
        assert!(ended.failure().is("ValidationError"), "{field}: {ended:?}");
        assert_eq!(ended.attempts("ProcessNotification"), 1);
    }
    assert!(bench.book().messages.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_cannot_be_welcomed_or_activated_does_not_come_in() {
    let services = open().await;
    let bench = services.bench();
    bench.switch(Operation::Packages, Switch::failing(1, 409));
    let mut ended = bench.kit.run("Onboarding", &onboarding());
    assert!(ended.failure().is("Conflict"), "{ended:?}");
    ended.never_called("UpdateUserStatus");
    let progress: Value = ended.query("progress").unwrap();
    assert_eq!(progress["step"], "failed");
    assert_eq!(user(&bench).status, "new");

    let bench = services.bench();
    bench.switch(Operation::UserStatuses, Switch::failing(3, 503));
    let ended = bench.kit.run("Onboarding", &onboarding());
    assert!(ended.failure().is("ExternalServiceError"), "{ended:?}");
    assert_eq!(ended.attempts("UpdateUserStatus"), 3);
    let ada = user(&bench);
    assert_eq!((ada.status.as_str(), ada.packages.len()), ("new", 1));
    assert!(bench.book().messages.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_says_when_is_asked_then() {
    let services = open().await;
    let bench = services.bench();
    let limited = Switch {
        retry_after: Some(120),
        ..Switch::failing(1, 429)
    };
    bench.switch(Operation::Packages, limited);
    let ended = bench.kit.run("Onboarding", &onboarding());
    assert!(ended.is_completed(), "{ended:?}");
    assert_eq!(ended.elapsed(), Duration::from_secs(120) + DAY);
    assert_eq!(user(&bench).packages.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_step_is_tried_again_when_its_preset_says() {
    let services = open().await;
    // Records from a second on, what is reached over the network from two, somebody else's service from five.
    for (workflow, operation, failures, seconds) in [
        ("Onboarding", Operation::UserStatuses, 2, 1 + 2),
        ("SendNotification", Operation::UserReads, 4, 2 + 4 + 8 + 16),
        ("SendNotification", Operation::Mails, 2, 5 + 10),
    ] {
        let (input, own) = match workflow {
            "Onboarding" => (onboarding(), DAY),
            _ => (notification(), Duration::ZERO),
        };
        let bench = services.bench();
        bench.switch(operation, Switch::failing(failures, 503));
        let ended = bench.kit.run(workflow, &input);
        assert!(ended.is_completed(), "{operation:?}: {ended:?}");
        assert_eq!(
            ended.elapsed(),
            Duration::from_secs(seconds) + own,
            "{operation:?}"
        );
        let calls = bench.book().counts(operation).calls;
        assert_eq!(calls, failures + 1, "{operation:?}");
    }

    // And one failure more is the last.
    let bench = services.bench();
    bench.switch(Operation::UserReads, Switch::failing(5, 503));
    let ended = bench.kit.run("SendNotification", &notification());
    assert!(ended.failure().is("ExternalServiceError"), "{ended:?}");
    assert_eq!(ended.attempts("ProcessNotification"), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reminder_that_cannot_be_sent_turns_nobody_away() {
    let services = open().await;
    let bench = services.bench();
    let mut input = onboarding();
    input["email"] = json!("ada@bounce.example");
    let result: Value = bench.kit.run("Onboarding", &input).result();
    assert_eq!(result["reminded"], false);
    let why = result["reminder_failure"].as_str().unwrap();
    assert!(why.contains("undeliverable"), "{why}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_onboarding_begins_nothing() {
    let services = open().await;
    let bench = services.bench();
    for (field, wrong) in [
        ("email", json!("nowhere")),
        ("user_id", json!("")),
        ("remind_after_ms", json!(0)),
    ] {
        let mut input = onboarding();
        input[field] = wrong;
        let ended = bench.kit.run("Onboarding", &input);
        assert!(ended.failure().is("ValidationError"), "{field}: {ended:?}");
        assert!(ended.steps().is_empty(), "{field}: {ended:?}");
    }
    let mut unknown = onboarding();
    unknown["user_id"] = json!("u-9");
    let ended = bench.kit.run("Onboarding", &unknown);
    assert!(ended.failure().is("NotFound"), "{ended:?}");
}
