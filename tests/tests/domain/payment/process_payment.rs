//! `payment.ProcessPayment`: the saga forwards and backwards. More of it is in `tests/tests/e2e/payments.rs`.

use serde_json::{Value, json};

use crate::scene::{Scene, failure_type};

fn payment(sku: &str) -> Value {
    json!({
        "payment_id": "p-1",
        "order_id": "o-1",
        "customer_id": "c-1",
        "amount": 4_200,
        "currency": "EUR",
        "method": "card",
        "items": [{ "sku": sku, "quantity": 1 }],
        "retry_initial_ms": 20,
    })
}

#[tokio::test]
async fn validate_payment_reserve_inventory_process_payment_gateway_update_order_status_trigger_fulfillment()
 {
    let scene = Scene::open("payment", "payment-saga").await;
    let outcome = scene.run("ProcessPayment", "p-1", payment("sku-1")).await;
    assert_eq!(outcome["status"], "completed", "{outcome:#}");
    let expected = [
        "ValidatePayment",
        "ReserveInventory",
        "ProcessPaymentGateway",
        "UpdateOrderStatus",
        "TriggerFulfillment",
    ];
    assert_eq!(scene.activities("p-1").await, expected);
    let book = scene.book();
    let counts = [book.charges.len(), book.shipments.len(), book.refunds.len()];
    assert_eq!(
        (counts, book.orders["o-1"].status.as_str()),
        ([1, 1, 0], "paid")
    );
}

#[tokio::test]
async fn refund_payment_and_release_inventory_in_reverse() {
    let scene = Scene::open("payment", "payment-undo").await;
    let outcome = scene
        .run("ProcessPayment", "p-1", payment("unshippable"))
        .await;
    assert_eq!(
        (&outcome["status"], failure_type(&outcome)),
        (&json!("failed"), "ValidationError"),
        "{outcome:#}"
    );
    let steps = scene.activities("p-1").await;
    let undone = ["RefundPayment", "ReleaseInventory", "UpdateOrderStatus"];
    assert_eq!(steps[5..], undone, "{steps:?}");
    let book = scene.book();
    assert_eq!(
        (book.refunds.len(), book.reservations[0].released),
        (1, true)
    );
    assert_eq!(book.orders["o-1"].history, ["paid", "failed"]);
}
