//! Every fault at every step of every workflow, and what must hold whatever happens.

use serde_json::{Value, json};
use tenterhook_testkit::{Ended, Kit, Message, Sweep};
use tenterhook_tests::standin::{Book, Channel};

use crate::services::{HOUR, notification, onboarding, open, taken};

/// Runs a workflow once without a fault, and then with each fault at each step that this run took. Ten kinds of faults
/// make sense at an activity, three at a timer.
async fn sweep(
    name: &str,
    (activities, timers): (usize, usize),
    runs: impl Fn(&Kit) -> Ended,
    holds: impl Fn(&Book, &Ended),
) {
    let services = open().await;
    let swept = Sweep::of(&services.plugin()).run(|kit| {
        let book = services.connect(kit);
        let ended = runs(kit);
        holds(&services.book(&book), &ended);
        Ok(())
    });
    let made = swept.holds();
    println!(
        "{name}: {made} runs, faults at each of {} steps",
        swept.steps
    );
    assert_eq!(made, 1 + 10 * activities + 3 * timers, "{name}");
}

/// Nobody gets a message twice, and what is said to be delivered is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn send_notification_delivers_what_it_says_and_nothing_twice() {
    let runs = |kit: &Kit| kit.run("SendNotification", &notification());
    sweep("SendNotification", (4, 0), runs, |book, ended| {
        let taken = taken(book);
        let mut once = taken.clone();
        once.dedup();
        assert_eq!(taken, once, "a channel had the message twice");
        match ended.outcome() {
            Ok(result) => {
                let delivered: Vec<Channel> =
                    serde_json::from_value(result["delivered"].clone()).unwrap();
                let lost = delivered.iter().find(|it| !taken.contains(it));
                assert_eq!(lost, None, "it was not delivered: {taken:?}");
                // One fault is at one step, and leaves the other channels alone.
                assert!(delivered.len() >= 2, "{delivered:?}");
                assert_eq!(result["channels"].as_array().unwrap().len(), 3);
            }
            Err(_) if ended.is_cancelled() => {}
            Err(_) => assert_eq!(taken, [], "it failed, and sent"),
        }
    })
    .await;
}

/// What an onboarding did is the beginning of: one package, the activation, one reminder.
fn comes_in_by_steps(book: &Book, ended: &Ended) {
    let user = &book.users["u-1"];
    let (welcomed, active) = (user.packages.len(), user.status == "active");
    let reminders = book.messages.len();
    let place = format!("{welcomed} packages, active: {active}, {reminders} reminders");
    assert!(welcomed <= 1 && reminders <= 1, "{place}");
    assert!(!active || welcomed == 1, "{place}");
    assert!(reminders == 0 || active, "{place}");
    if let Ok(result) = ended.outcome() {
        assert!(active, "{place}");
        assert_eq!(result["package_id"], "pk_u-1_1");
        let reminded = result["reminded"] == json!(true);
        assert!(!reminded || reminders == 1, "{place}");
        let completed = result["profile_completed"] == json!(true);
        let why: &Value = &result["reminder_failure"];
        // Exactly one of the three ends.
        let ends = [completed, reminded, why.is_string()];
        assert_eq!(ends.iter().filter(|it| **it).count(), 1, "{result}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn onboarding_with_a_reminder_goes_step_by_step_and_none_twice() {
    let runs = |kit: &Kit| kit.run("Onboarding", &onboarding());
    sweep("Onboarding, reminded", (3, 1), runs, comes_in_by_steps).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn onboarding_with_a_profile_reminds_nobody() {
    let runs = |kit: &Kit| {
        let mut coming = kit.start("Onboarding", &onboarding());
        coming.at(HOUR, Message::signal("profile_completed", &()));
        coming.finish()
    };
    sweep("Onboarding, completed", (2, 1), runs, |book, ended| {
        comes_in_by_steps(book, ended);
        assert!(book.messages.is_empty(), "{ended:?}");
    })
    .await;
}
