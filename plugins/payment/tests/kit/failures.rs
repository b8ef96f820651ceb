//! Dunning, and what fails for good.

use serde_json::{Value, json};
use tenterhook_testkit::Message;
use tenterhook_tests::services::{Bench, Services};
use tenterhook_tests::standin::{Operation, SubscriptionStatus, Switch};

use crate::services::{
    DECLINED, JANUARY, booked, change, charge, days, kept, open, payments, start, status,
};

/// Attempts of the preset `aggressive`.
const ATTEMPTS: u64 = 10;

/// A book whose subscription is paid by a card that is declined.
fn declined(services: &Services) -> Bench<'_> {
    let bench = services.bench();
    change(&bench, |it| it.payment_method = DECLINED.to_owned());
    bench
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dunning_then_past_due_then_cancelled() {
    let services = open().await;
    let bench = declined(&services);
    let mut execution = start(&bench);
    for (time, step, said) in [
        (days(0), "dunning", 1),
        (days(2), "dunning", 2),
        (days(5), "dunning", 3),
        (days(10), "past_due", 4),
    ] {
        let now = execution.elapsed();
        execution.advance(time - now);
        let seen: Value = execution.query("status", &()).unwrap();
        assert_eq!(
            (&seen["step"], &seen["declined"]),
            (&json!(step), &json!(said))
        );
    }
    assert_eq!(status(&bench.book()), SubscriptionStatus::PastDue);
    let ended = execution.finish();
    let result: Value = ended.result();
    assert_eq!(
        (&result["reason"], &result["periods_paid"]),
        (&json!("not_paid"), &json!(0))
    );
    // One day, three, five; then seven.
    assert_eq!(ended.elapsed(), days(16));
    let book = bench.book();
    let charges = book.counts(Operation::Charges);
    assert_eq!((charges.refused, charges.repeated), (5, 0));
    let history = &book.subscriptions["s-1"].history;
    let expected = [
        json!({ "status": "past_due" }),
        json!({ "status": "cancelled" }),
    ];
    assert_eq!(history[..], expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_dunning_ends_with_another_card_or_with_the_subscription() {
    let services = open().await;
    for late in [days(2), days(12)] {
        let bench = declined(&services);
        let mut execution = start(&bench);
        execution.advance(late);
        change(&bench, |it| it.payment_method = "card".to_owned());
        execution.at(days(20), Message::signal("cancel", &()));
        assert_eq!(execution.finish().result::<Value>()["periods_paid"], 1);
        let book = bench.book();
        assert_eq!(kept(&book), [charge(JANUARY, 1_900)]);
        assert_eq!(booked(&book), [JANUARY]);
    }

    let bench = declined(&services);
    let mut execution = start(&bench);
    execution.at(days(12), Message::signal("cancel", &()));
    let ended = execution.finish();
    assert_eq!(ended.result::<Value>()["reason"], "cancelled");
    assert_eq!(ended.elapsed(), days(12));
    assert_eq!(status(&bench.book()), SubscriptionStatus::Cancelled);

    // At the service; it is seen before the next charge.
    let bench = declined(&services);
    let mut execution = start(&bench);
    execution.advance(days(2));
    change(&bench, |it| it.status = SubscriptionStatus::Cancelled);
    let ended = execution.finish();
    assert_eq!(ended.result::<Value>()["reason"], "cancelled");
    assert_eq!(bench.book().counts(Operation::Charges).calls, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_charge_without_an_answer_is_asked_for_again_and_not_made_twice() {
    let services = open().await;
    let mut bench = services.bench();
    bench.kit.inject("2:answer-lost".parse().unwrap());
    let mut execution = start(&bench);
    execution.at(days(20), Message::signal("cancel", &()));
    let ended = execution.finish();
    assert_eq!(ended.result::<Value>()["periods_paid"], 1);
    let book = bench.book();
    let charges = book.counts(Operation::Charges);
    assert_eq!((charges.booked, charges.repeated), (1, ATTEMPTS));
    assert_eq!((kept(&book).len(), book.refunds.len()), (1, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_booked_is_refunded_and_what_was_booked_is_not() {
    let services = open().await;
    let bench = services.bench();
    bench.switch(Operation::SubscriptionChanges, Switch::failing(1, 409));
    // The refund is insisted on.
    bench.switch(Operation::Refunds, Switch::failing(5, 503));
    let mut ended = start(&bench).finish();
    assert!(ended.failure().is("Conflict"), "{ended:?}");
    let called = ended.called();
    assert_eq!(
        called[called.len() - 2..],
        ["UpdateSubscription", "RefundPayment"]
    );
    let status: Value = ended.query("status").unwrap();
    assert_eq!(status["step"], "failed");
    let book = bench.book();
    assert_eq!((book.charges.len(), book.refunds.len()), (1, 1));
    assert!(kept(&book).is_empty() && booked(&book).is_empty());

    // That it is booked is heard only after all attempts.
    let mut bench = services.bench();
    bench.kit.inject("3:answer-lost".parse().unwrap());
    let mut execution = start(&bench);
    execution.at(days(20), Message::signal("cancel", &()));
    let ended = execution.finish();
    assert_eq!(ended.result::<Value>()["periods_paid"], 1);
    let book = bench.book();
    assert_eq!(kept(&book), [charge(JANUARY, 1_900)]);
    assert_eq!((booked(&book), book.refunds.len()), (vec![JANUARY], 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refund_that_failed_at_first_is_told_with_the_failure() {
    let services = open().await;
    let bench = services.bench();
    bench.switch(Operation::SubscriptionChanges, Switch::failing(1, 409));
    bench.switch(Operation::Refunds, Switch::failing(1, 409));
    let failure = start(&bench).finish().failure();
    assert!(failure.is("Conflict"), "{failure:?}");
    let refund = &failure.details.last().unwrap()["compensations"][0];
    assert_eq!(
        (&refund["name"], &refund["tries"]),
        (&json!("RefundPayment"), &json!(2)),
        "{failure:?}"
    );
    let why = refund["last_failure"].as_str().unwrap();
    assert!(why.contains("refunds answered 409"), "{why}");
    assert!(kept(&bench.book()).is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_change_of_plan_is_not_sent_on() {
    let services = open().await;
    let bench = services.bench();
    let mut execution = start(&bench);
    // Here nobody stands at the door: the activity looks again.
    let wrong = json!({ "plan": "", "price": 0, "currency": "euro" });
    execution.at(days(10), Message::signal("change_plan", &wrong));
    let failure = execution.finish().failure();
    assert!(failure.is("ValidationError"), "{failure:?}");
    for what in ["plan is", "price is", "currency is"] {
        assert!(failure.message.contains(what), "{failure:?}");
    }
    let book = bench.book();
    assert_eq!(book.subscriptions["s-1"].plan, "basic");
    assert_eq!(kept(&book), [charge(JANUARY, 1_900)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_subscriptions_and_wrong_inputs_fail() {
    let services = open().await;
    let bench = services.bench();
    let unknown = json!({ "subscription_id": "s-9" });
    let ended = bench.kit.run("SubscriptionPayment", &unknown);
    assert!(ended.failure().is("NotFound"), "{ended:?}");
    for (field, wrong) in [
        ("subscription_id", json!("")),
        ("dunning_ms", json!([0])),
        ("dunning_ms", json!(vec![1; 11])),
        ("grace_ms", json!(0)),
        ("period_ms", json!(0)),
    ] {
        let mut input = payments();
        input[field] = wrong;
        let ended = bench.kit.run("SubscriptionPayment", &input);
        assert!(ended.failure().is("ValidationError"), "{field}: {ended:?}");
        assert!(ended.steps().is_empty(), "{field}");
    }
    change(&bench, |it| it.price = 0);
    let ended = start(&bench).finish();
    assert!(ended.failure().is("ValidationError"), "{ended:?}");
    ended.never_called("ProcessPaymentGateway");

    let bench = services.bench();
    // As many as the preset `network` has attempts.
    bench.switch(Operation::SubscriptionReads, Switch::failing(5, 503));
    let ended = start(&bench).finish();
    assert!(ended.failure().is("ExternalServiceError"), "{ended:?}");
    assert!(bench.book().charges.is_empty());
}
