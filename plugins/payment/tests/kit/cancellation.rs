//! The workflow, asked to end in its middle: it charges no more, and the subscription stays as it is.

use tenterhook_testkit::Message;
use tenterhook_tests::standin::{Operation, SubscriptionStatus};

use crate::services::{DECLINED, JANUARY, booked, change, charge, days, kept, open, start, status};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_period_that_is_paid_stays_paid() {
    let services = open().await;
    let bench = services.bench();
    let mut execution = start(&bench);
    execution.at(days(10), Message::cancel());
    let ended = execution.finish();
    assert!(ended.is_cancelled(), "{ended:?}");
    assert_eq!(ended.elapsed(), days(10));
    let book = bench.book();
    assert_eq!(
        (kept(&book), booked(&book)),
        (vec![charge(JANUARY, 1_900)], vec![JANUARY])
    );
    assert_eq!(status(&book), SubscriptionStatus::Active);

    // Under way, a charge is booked before the workflow ends.
    for after in ["ProcessPaymentGateway", "UpdateSubscription"] {
        let bench = services.bench();
        let mut execution = start(&bench);
        execution.after(after, Message::cancel());
        assert!(execution.finish().is_cancelled(), "{after}");
        let book = bench.book();
        assert_eq!(
            (kept(&book).len(), booked(&book)),
            (1, vec![JANUARY]),
            "{after}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_charged_any_more() {
    let services = open().await;
    let bench = services.bench();
    let mut execution = start(&bench);
    execution.after("GetSubscriptionDetails", Message::cancel());
    let ended = execution.finish();
    assert!(ended.is_cancelled(), "{ended:?}");
    assert!(bench.book().counts(Operation::Charges).calls <= 1);

    let bench = services.bench();
    change(&bench, |it| it.payment_method = DECLINED.to_owned());
    let mut execution = start(&bench);
    execution.at(days(12), Message::cancel());
    let ended = execution.finish();
    assert!(ended.is_cancelled(), "{ended:?}");
    assert_eq!(ended.elapsed(), days(12));
    let book = bench.book();
    assert_eq!(status(&book), SubscriptionStatus::PastDue);
    assert!(book.charges.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_charge_that_nobody_heard_of_is_given_back() {
    let services = open().await;
    let mut bench = services.bench();
    bench.kit.inject("2:answer-lost".parse().unwrap());
    let mut execution = start(&bench);
    // In the pause after ten attempts, which take minutes.
    execution.at(days(1), Message::cancel());
    let ended = execution.finish();
    assert!(ended.is_cancelled(), "{ended:?}");
    ended.called_in_order(&[
        "ProcessPaymentGateway",
        "ProcessPaymentGateway",
        "RefundPayment",
    ]);
    let book = bench.book();
    assert_eq!((book.charges.len(), book.refunds.len()), (1, 1));
    assert!(kept(&book).is_empty() && booked(&book).is_empty());
    assert_eq!(status(&book), SubscriptionStatus::Active);
}
