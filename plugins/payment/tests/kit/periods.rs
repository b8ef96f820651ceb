//! Period by period where all is paid: the calendar, signals, the query, and what one run hands to the next.

use std::time::Duration;

use serde_json::{Value, json};
use tenterhook_testkit::Message;
use tenterhook_tests::standin::SubscriptionStatus;

use crate::services::{
    FEBRUARY, JANUARY, MARCH, booked, change, charge, days, kept, open, pro, start, status,
};

const HISTORY: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/kit/histories/subscription_payment.json"
);
/// From noon of 1 January until the end of February's period.
const UNTIL_MARCH: Duration = Duration::from_secs((59 * 24 - 4) * 3_600);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_period_is_charged_once_until_the_signal_cancel() {
    let services = open().await;
    let bench = services.bench();
    let mut execution = start(&bench);
    execution.at(days(40), Message::signal("cancel", &()));
    execution.advance(days(10));
    let seen: Value = execution.query("status", &()).unwrap();
    let expected = json!({
        "subscription_id": "s-1", "step": "sleeping", "period_start": JANUARY,
        "period_end": FEBRUARY, "declined": 0, "periods_paid": 1, "cancelling": false,
        "next_plan": null,
    });
    assert_eq!(seen, expected);
    execution.crash().advance(days(31));
    let seen: Value = execution.query("status", &()).unwrap();
    assert_eq!(
        (&seen["period_end"], &seen["cancelling"]),
        (&json!(MARCH), &json!(true))
    );
    // Written down as soon as it is known.
    let book = bench.book();
    assert!(book.subscriptions["s-1"].cancel_at_period_end);
    let ended = execution.finish();
    let result: Value = ended.result();
    assert_eq!(
        (&result["reason"], &result["periods_paid"]),
        (&json!("cancelled"), &json!(2))
    );
    assert_eq!((ended.elapsed(), ended.runs()), (UNTIL_MARCH, 3));
    let run = [
        "GetSubscriptionDetails",
        "ProcessPaymentGateway",
        "UpdateSubscription",
    ];
    let last = [
        "UpdateSubscription",
        "GetSubscriptionDetails",
        "UpdateSubscription",
    ];
    assert_eq!(ended.called(), [run, run, last].concat());
    let book = bench.book();
    let paid = [charge(JANUARY, 1_900), charge(FEBRUARY, 1_900)];
    assert_eq!(kept(&book), paid);
    assert_eq!(booked(&book), [JANUARY, FEBRUARY]);
    assert_eq!(status(&book), SubscriptionStatus::Cancelled);
    ended.fixture(HISTORY);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn change_plan_holds_from_the_next_period_on_and_the_last_word_counts() {
    let services = open().await;
    let bench = services.bench();
    let mut execution = start(&bench);
    let cheap = json!({ "plan": "cheap", "price": 900, "currency": "EUR" });
    execution.at(days(10), Message::signal("change_plan", &cheap));
    execution.at(days(11), Message::signal("change_plan", &pro()));
    execution.at(days(40), Message::signal("cancel", &()));
    execution.advance(days(20));
    let seen: Value = execution.query("status", &()).unwrap();
    assert_eq!(seen["next_plan"], "pro");
    execution.advance(days(15));
    let seen: Value = execution.query("status", &()).unwrap();
    assert_eq!(seen["next_plan"], Value::Null);
    assert!(execution.finish().is_completed());
    let book = bench.book();
    let paid = [charge(JANUARY, 1_900), charge(FEBRUARY, 4_900)];
    assert_eq!(kept(&book), paid);
    assert_eq!(book.subscriptions["s-1"].plan, "pro");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_paid_is_not_charged_and_what_was_missed_is_made_up_for() {
    let services = open().await;
    // January is paid already, by an execution before this one.
    let bench = services.bench();
    change(&bench, |it| it.period_start = JANUARY.to_owned());
    change(&bench, |it| it.period_end = FEBRUARY.to_owned());
    let mut execution = start(&bench);
    execution.at(days(1), Message::signal("cancel", &()));
    let result: Value = execution.finish().result();
    assert_eq!(result["periods_paid"], 0);
    assert!(bench.book().charges.is_empty());

    // The first one, which nobody has paid, as it stands at the service.
    let bench = services.bench();
    change(&bench, |it| {
        it.status = SubscriptionStatus::Pending;
        it.period_start = JANUARY.to_owned();
        it.period_end = FEBRUARY.to_owned();
    });
    let mut execution = start(&bench);
    execution.at(days(1), Message::signal("cancel", &()));
    assert!(execution.finish().is_completed());
    assert_eq!(kept(&bench.book()), [charge(JANUARY, 1_900)]);

    // Three were missed: charged one after the other, at once. They end as the first began, at nine in Berlin.
    let bench = services.bench();
    change(&bench, |it| {
        it.started_at = "2025-08-31T09:00:00+02:00".to_owned();
        it.period_start = "2025-08-31T09:00:00+02:00".to_owned();
        it.period_end = "2025-09-30T09:00:00+02:00".to_owned();
    });
    let mut execution = start(&bench);
    execution.settle();
    let book = bench.book();
    let starts = [
        "2025-09-30T07:00:00Z",
        "2025-10-31T07:00:00Z",
        "2025-11-30T07:00:00Z",
        "2025-12-31T07:00:00Z",
    ];
    assert_eq!(booked(&book), starts);
    assert_eq!(kept(&book).len(), starts.len());
    execution.signal("cancel", &());
    assert_eq!(execution.finish().result::<Value>()["periods_paid"], 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_cancels_before_anything_is_paid_pays_nothing() {
    let services = open().await;
    let bench = services.bench();
    let mut execution = start(&bench);
    execution.signal("cancel", &());
    let ended = execution.finish();
    assert_eq!(ended.result::<Value>()["reason"], "cancelled");
    ended.never_called("ProcessPaymentGateway");
    assert_eq!(status(&bench.book()), SubscriptionStatus::Cancelled);

    // At the service, to the end of the period, and at once.
    let bench = services.bench();
    change(&bench, |it| it.cancel_at_period_end = true);
    let ended = start(&bench).finish();
    assert_eq!(ended.result::<Value>()["reason"], "cancelled");
    assert_eq!(status(&bench.book()), SubscriptionStatus::Cancelled);
    let ended = start(&bench).finish();
    assert_eq!(ended.called(), ["GetSubscriptionDetails"]);
    assert!(bench.book().charges.is_empty());
}
