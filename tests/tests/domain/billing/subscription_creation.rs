//! `billing.SubscriptionCreation`

use serde_json::{Value, json};
use tenterhook_tests::standin::{InvoiceStatus, Operation, Switch};

use super::{MARCH, period, scene};
use crate::scene::failure_type;

fn input(method: &str) -> Value {
    json!({
        "subscription_id": "s-1",
        "customer_id": "c-1",
        "plan_id": "pro",
        "quantity": 2,
        "period": period(MARCH),
        "starts_on": "2026-03-11",
        "payment_method": method,
        "retry_initial_ms": 20,
    })
}

#[tokio::test]
async fn create_subscription_charges_the_rest_of_the_period_and_activates() {
    let scene = scene("bill-create").await;
    let outcome = scene
        .run("SubscriptionCreation", "n-1", input("card"))
        .await;
    assert_eq!(outcome["status"], "completed", "{outcome:#}");
    // 21 of 31 days of EUR 84.00: without the EUR 27.09 of the first ten.
    assert_eq!(outcome["result"]["total"], 8_400 - 2_709);
    let book = scene.book();
    assert_eq!(book.contracts["s-1"].terms.status, "active");
    assert_eq!(book.invoices[0].status, InvoiceStatus::Final);
    assert_eq!(book.invoices[0].collected_by.as_deref(), Some("card"));
    let expected = [
        "CreateSubscription",
        "CalculateCharges",
        "ProcessInvoice",
        "ProcessInvoice",
        "ApplySubscriptionChange",
    ];
    assert_eq!(scene.activities("n-1").await, expected);
}

#[tokio::test]
async fn a_first_charge_that_is_declined_cancels_the_subscription() {
    let scene = scene("bill-declined").await;
    let outcome = scene
        .run("SubscriptionCreation", "n-1", input("card_declined"))
        .await;
    assert_eq!(failure_type(&outcome), "PaymentDeclined", "{outcome:#}");
    let book = scene.book();
    assert_eq!(book.contracts["s-1"].terms.status, "cancelled");
    assert_eq!(book.invoices[0].status, InvoiceStatus::Void);
}

#[tokio::test]
async fn revert_subscription_change_undoes_what_cannot_be_activated_in_reverse() {
    let scene = scene("bill-activate").await;
    scene.switch(Operation::TermsChanges, Switch::failing(1, 409));
    let outcome = scene
        .run("SubscriptionCreation", "n-1", input("card"))
        .await;
    assert_eq!(failure_type(&outcome), "Conflict", "{outcome:#}");
    let book = scene.book();
    assert_eq!(book.contracts["s-1"].terms.status, "cancelled");
    // What was collected is given back.
    assert_eq!(book.invoices[0].status, InvoiceStatus::Void);
    assert_eq!(book.invoices[0].collected_by, None);
    let activities = scene.activities("n-1").await;
    let undone = &activities[activities.len() - 2..];
    assert_eq!(undone, ["ProcessInvoice", "RevertSubscriptionChange"]);
}

#[tokio::test]
async fn an_id_that_is_taken_stays_as_it_is() {
    let scene = scene("bill-taken").await;
    let first = scene
        .run("SubscriptionCreation", "n-1", input("card"))
        .await;
    assert_eq!(first["status"], "completed", "{first:#}");
    let second = scene
        .run("SubscriptionCreation", "n-2", input("card"))
        .await;
    assert_eq!(failure_type(&second), "Conflict", "{second:#}");
    let book = scene.book();
    assert_eq!(book.contracts["s-1"].terms.status, "active");
    assert_eq!(book.invoices.len(), 1);
}
