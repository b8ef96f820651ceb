//! What fails for good, and how it is undone, in which order.

use serde_json::Value;
use tenterhook_tests::standin::{Operation, Switch};

use crate::services::{
    MARCH, change, charges, creation, cycle, finals, import, open, switch_to, sync, terms,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invoice_that_fails_is_voided() {
    let services = open().await;
    let bench = services.bench();
    bench.switch(Operation::InvoiceFinals, Switch::failing(1, 422));
    let ended = bench.kit.run("CalculateCharges", &charges());
    assert!(ended.failure().is("ValidationError"), "{ended:?}");
    ended.called_in_order(&["ProcessInvoice", "ProcessInvoice", "ProcessInvoice"]);
    assert_eq!(finals(&bench.book(), "s-1"), 0);
    assert_eq!(bench.book().contracts["s-1"].period.starts_on, MARCH);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_failed_of_the_undoing_is_told_with_the_failure() {
    let services = open().await;
    let bench = services.bench();
    bench.switch(Operation::InvoiceFinals, Switch::failing(1, 422));
    bench.switch(Operation::InvoiceVoids, Switch::failing(2, 409));
    let failure = bench.kit.run("CalculateCharges", &charges()).failure();
    assert!(failure.is("ValidationError"), "{failure:?}");
    let told = failure.details.last().unwrap()["compensations"].clone();
    let void = &told[0];
    assert_eq!(
        (&void["name"], &void["tries"], told.as_array().map(Vec::len)),
        (&"ProcessInvoice".into(), &3.into(), Some(1)),
        "{failure:?}"
    );
    let why = void["last_failure"].as_str().unwrap();
    assert!(why.contains("void answered 409"), "{why}");
    assert_eq!(finals(&bench.book(), "s-1"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_that_cannot_be_paid_is_undone_in_reverse() {
    let services = open().await;
    let bench = services.bench();
    let ended = bench
        .kit
        .run("SubscriptionCreation", &creation("card_declined"));
    assert!(ended.failure().is("PaymentDeclined"), "{ended:?}");
    let called = ended.called();
    let undone = &called[called.len() - 2..];
    assert_eq!(undone, ["ProcessInvoice", "RevertSubscriptionChange"]);
    assert_eq!(bench.book().contracts["s-9"].terms.status, "cancelled");

    let bench = services.bench();
    let ended = bench
        .kit
        .run("SubscriptionChange", &change("card_declined"));
    assert!(ended.failure().is("PaymentDeclined"), "{ended:?}");
    assert_eq!(bench.book().contracts["s-1"].terms, terms("pro"));
    assert_eq!(finals(&bench.book(), "s-1"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_who_may_not_or_cannot_log_in_stays() {
    let services = open().await;
    let bench = services.bench();
    let ended = bench.kit.run("TenantSwitch", &switch_to("third"));
    assert!(ended.failure().is("NotFound"), "{ended:?}");
    ended.never_called("UpdateUserTenant");

    let bench = services.bench();
    bench.switch(Operation::Sessions, Switch::failing(1, 409));
    let ended = bench.kit.run("TenantSwitch", &switch_to("second"));
    assert!(ended.failure().is("Conflict"), "{ended:?}");
    assert_eq!(ended.called().last(), Some(&"UpdateUserTenant"));
    assert_eq!(bench.book().user_tenants["u-1"], "first");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_fails_does_not_stop_the_rest() {
    let services = open().await;
    let bench = services.bench();
    bench.switch(Operation::InvoiceDrafts, Switch::failing(1, 422));
    let result: Value = bench.kit.run("BillingCycle", &cycle()).result();
    assert_eq!(
        (&result["invoiced"], &result["failed"]),
        (&2.into(), &1.into())
    );

    let bench = services.bench();
    bench.switch(Operation::Prices, Switch::failing(1, 409));
    let result: Value = bench.kit.run("PriceSync", &sync()).result();
    assert_eq!(
        (&result["synced"], &result["failed"]),
        (&2.into(), &1.into())
    );

    let bench = services.bench();
    bench.switch(Operation::ImportRows, Switch::failing(2, 503));
    let ended = bench.kit.run("TaskProcessing", &import());
    assert_eq!(ended.result::<Value>()["processed"], 95);
    assert_eq!(ended.attempts("ProcessTask"), 5);
}
