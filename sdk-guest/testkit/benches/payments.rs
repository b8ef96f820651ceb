//! How long ten thousand simulated payments take: `cargo test --workspace --bench payments`, after `cargo xtask
//! guests`.

#![allow(
    missing_docs,
    clippy::print_stdout,
    reason = "a program that prints its figure"
)]

use std::time::Instant;

use serde_json::{Value, json};
use tenterhook_testkit::{Kit, Plugin};

const PAYMENTS: u32 = 10_000;

fn main() {
    let mut kit = Kit::new(&Plugin::guest("payment"));
    kit.mock("ValidatePayment", |_: Value| Ok(()));
    kit.mock("ReserveInventory", |_: Value| {
        Ok(json!({ "reservation_id": "r" }))
    });
    kit.mock("ProcessPaymentGateway", |_: Value| {
        Ok(json!({ "charge_id": "c" }))
    });
    kit.mock("UpdateOrderStatus", |order: Value| Ok(order));
    kit.mock("TriggerFulfillment", |_: Value| {
        Ok(json!({ "shipment_id": "s" }))
    });
    let request = json!({
        "payment_id": "p-1",
        "order_id": "o-1",
        "customer_id": "c-1",
        "amount": 4200,
        "currency": "EUR",
        "method": "card-1",
        "items": [{ "sku": "tea", "quantity": 2 }],
    });
    kit.run("ProcessPayment", &request);
    let begun = Instant::now();
    for _ in 0..PAYMENTS {
        assert!(kit.run("ProcessPayment", &request).is_completed());
    }
    let took = begun.elapsed();
    println!(
        "{PAYMENTS} payments, each run twice, in {:.2} s: {:.0} µs each",
        took.as_secs_f64(),
        took.as_secs_f64() * 1e6 / f64::from(PAYMENTS)
    );
}
