//! `payment.ProcessPayment`: what it promises, checked against the providers' books.

use serde_json::{Value, json};

use crate::shared::{Shop, payment, world};

fn count(books: &Value, what: &str) -> usize {
    books[what].as_array().unwrap().len()
}

/// The order's status as the order service has it.
fn order_status(books: &Value, number: u32) -> Value {
    books["orders"][format!("o-{number}")]["status"].clone()
}

fn released(books: &Value) -> Vec<bool> {
    books["reservations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["released"].as_bool().unwrap())
        .collect()
}

#[tokio::test]
async fn a_payment_is_charged_once_and_shipped() {
    let shop = Shop::open(world("pay-ok").await, "ok").await;
    let outcome = shop
        .world
        .execute("payment.ProcessPayment", "p-1", payment(1, "card_ok"))
        .await
        .unwrap();
    assert_eq!(outcome["status"], "completed", "{outcome:#}");
    let books = shop.books().await;
    assert_eq!(
        outcome["result"]["charge_id"],
        books["charges"][0]["charge_id"]
    );
    assert_eq!(
        (
            count(&books, "charges"),
            count(&books, "refunds"),
            count(&books, "shipments")
        ),
        (1, 0, 1)
    );
    assert_eq!(released(&books), [false]);
    let status = shop
        .world
        .query("p-1", "status", Value::Null)
        .await
        .unwrap()
        .ok()
        .unwrap();
    assert_eq!(status["result"]["step"], "completed", "{status:#}");
    let description = shop.world.describe("p-1").await.unwrap();
    assert_eq!(description["type"], "payment.ProcessPayment");
    let expected = json!(shop.digest);
    let described = shop
        .world
        .until("p-1", |seen| seen["digest"] == expected)
        .await
        .unwrap();
    assert_eq!(described["status"], "completed");
}

#[tokio::test]
async fn a_declined_payment_is_compensated_and_says_why() {
    let shop = Shop::open(world("pay-declined").await, "declined").await;
    let outcome = shop
        .world
        .execute("payment.ProcessPayment", "p-2", payment(2, "card_declined"))
        .await
        .unwrap();
    assert_eq!(outcome["status"], "failed", "{outcome:#}");
    assert!(
        outcome["failure"].to_string().contains("PaymentDeclined"),
        "{outcome:#}"
    );
    assert!(
        outcome["failure"].to_string().contains("card_declined"),
        "{outcome:#}"
    );
    let books = shop.books().await;
    assert_eq!(
        (count(&books, "charges"), count(&books, "shipments")),
        (0, 0)
    );
    assert_eq!(released(&books), [true]);
    assert_eq!(order_status(&books, 2), "failed");
}

#[tokio::test]
async fn a_provider_that_fails_twice_is_asked_again_and_books_once() {
    let shop = Shop::open(world("pay-retry").await, "retry").await;
    shop.switch(&json!({ "charges": { "fail_next": 2, "status": 503 } }))
        .await;
    let outcome = shop
        .world
        .execute("payment.ProcessPayment", "p-3", payment(3, "card_ok"))
        .await
        .unwrap();
    assert_eq!(outcome["status"], "completed", "{outcome:#}");
    let books = shop.books().await;
    assert_eq!(count(&books, "charges"), 1);
    assert_eq!(books["counts"]["charges"]["calls"], 3, "{books:#}");
}

#[tokio::test]
async fn an_answer_lost_after_booking_does_not_charge_twice() {
    let shop = Shop::open(world("pay-lost").await, "lost").await;
    shop.switch(&json!({ "charges": { "drop_after_booking": 3 } }))
        .await;
    let outcome = shop
        .world
        .execute("payment.ProcessPayment", "p-4", payment(4, "card_ok"))
        .await
        .unwrap();
    assert_eq!(outcome["status"], "completed", "{outcome:#}");
    let books = shop.books().await;
    assert_eq!(count(&books, "charges"), 1, "{books:#}");
    // Nothing below the plugin sends a request twice: every call is an attempt that the history knows.
    assert_eq!(books["counts"]["charges"]["dropped"], 3, "{books:#}");
    assert_eq!(books["counts"]["charges"]["calls"], 4, "{books:#}");
    let attempts = shop.world.events("p-4").await.unwrap();
    let attempts = attempts
        .iter()
        .filter_map(|event| event["attempt"].as_u64())
        .max();
    assert_eq!(attempts, Some(4));
}

#[tokio::test]
async fn what_was_charged_and_cannot_be_shipped_is_refunded_in_reverse() {
    let shop = Shop::open(world("pay-refund").await, "refund").await;
    let mut input = payment(5, "card_ok");
    input["items"] = json!([{ "sku": "unshippable", "quantity": 1 }]);
    let outcome = shop
        .world
        .execute("payment.ProcessPayment", "p-5", input)
        .await
        .unwrap();
    assert_eq!(outcome["status"], "failed", "{outcome:#}");
    let books = shop.books().await;
    assert_eq!((count(&books, "charges"), count(&books, "refunds")), (1, 1));
    assert_eq!(
        books["refunds"][0]["charge_id"],
        books["charges"][0]["charge_id"]
    );
    assert_eq!(released(&books), [true]);
    assert_eq!(order_status(&books, 5), "failed");
    let events = shop.world.events("p-5").await.unwrap();
    let scheduled: Vec<&str> = events
        .iter()
        .filter(|event| event["type"] == "ActivityTaskScheduled")
        .filter_map(|event| event["name"].as_str()?.strip_prefix("payment."))
        .collect();
    let at = |name: &str| {
        scheduled
            .iter()
            .position(|&activity| activity == name)
            .unwrap_or_else(|| panic!("{name}: {scheduled:?}"))
    };
    assert!(at("ReserveInventory") < at("ProcessPaymentGateway"));
    assert!(at("TriggerFulfillment") < at("RefundPayment"));
    assert!(
        at("RefundPayment") < at("ReleaseInventory"),
        "{scheduled:?}"
    );
}

#[tokio::test]
async fn a_payment_can_be_cancelled_before_the_charge_and_not_after() {
    let shop = Shop::open(world("pay-cancel").await, "cancel").await;
    // The reservation is slow, so that the cancel comes in while nothing is charged.
    shop.switch(&json!({ "reservations": { "delay_ms": 5_000 } }))
        .await;
    shop.world
        .start("payment.ProcessPayment", "p-6", payment(6, "card_ok"))
        .await
        .unwrap();
    let reserving = |seen: &Value| {
        seen["pending_activities"]
            .to_string()
            .contains("ReserveInventory")
    };
    shop.world.until("p-6", reserving).await.unwrap();
    let accepted = shop
        .world
        .update("p-6", "cancel", Value::Null)
        .await
        .unwrap();
    assert!(accepted.status.is_success(), "{accepted:?}");
    let outcome = shop.world.outcome("p-6").await.unwrap();
    assert_eq!(outcome["status"], "canceled", "{outcome:#}");
    let books = shop.books().await;
    assert_eq!(count(&books, "charges"), 0, "{books:#}");
    assert_eq!(released(&books), [true], "{books:#}");
    assert_eq!(order_status(&books, 6), "failed");

    shop.switch(&json!({ "reservations": {}, "shipments": { "delay_ms": 5_000 } }))
        .await;
    shop.world
        .start("payment.ProcessPayment", "p-7", payment(7, "card_ok"))
        .await
        .unwrap();
    let charged = |seen: &Value| {
        seen["pending_activities"]
            .to_string()
            .contains("TriggerFulfillment")
    };
    shop.world.until("p-7", charged).await.unwrap();
    let rejected = shop
        .world
        .update("p-7", "cancel", Value::Null)
        .await
        .unwrap();
    assert_eq!(rejected.code(), Some("update-failed"), "{rejected:?}");
    assert_eq!(
        shop.world.outcome("p-7").await.unwrap()["status"],
        "completed"
    );
}

#[tokio::test]
async fn an_input_that_breaks_the_schema_is_refused_at_the_door() {
    let shop = Shop::open(world("pay-schema").await, "schema").await;
    let mut input = payment(8, "card_ok");
    input["amount"] = json!("much");
    let body = json!({ "type": "payment.ProcessPayment", "id": "p-8", "input": input });
    let refused = shop
        .world
        .api
        .post(&shop.world.path("workflows"), &body)
        .await
        .unwrap();
    assert_eq!(refused.code(), Some("input-invalid"), "{refused:?}");
    assert!(
        refused.body["detail"].as_str().unwrap().contains("amount"),
        "{refused:?}"
    );
    let body = json!({ "type": "payment.Nothing", "id": "p-8", "input": {} });
    let refused = shop
        .world
        .api
        .post(&shop.world.path("workflows"), &body)
        .await
        .unwrap();
    assert_eq!(
        refused.code(),
        Some("workflow-type-not-found"),
        "{refused:?}"
    );
}
