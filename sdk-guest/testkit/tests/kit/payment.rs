//! `payment.ProcessPayment` in the kit.

use serde_json::{Value, json};
use tenterhook_testkit::{Failure, Kit, Plugin};

use crate::shop::{Shop, request};

fn kit() -> (Kit, Shop) {
    let mut kit = Kit::new(&Plugin::guest("payment"));
    let shop = Shop::open(&mut kit);
    (kit, shop)
}

#[test]
fn a_payment_is_charged_and_shipped() {
    let (kit, shop) = kit();
    let ended = kit.run("ProcessPayment", &request());
    let result: Value = ended.result();
    assert_eq!(result["payment_id"], "p-1");
    assert_eq!(
        ended.called(),
        [
            "ValidatePayment",
            "ReserveInventory",
            "ProcessPaymentGateway",
            "UpdateOrderStatus",
            "TriggerFulfillment"
        ]
    );
    ended.never_called("RefundPayment");
    shop.read(|books| {
        assert_eq!(books.charges.values().sum::<i64>(), 4200);
        assert_eq!(books.order.as_deref(), Some("paid"));
    });
}

#[test]
fn what_was_done_is_undone_in_reverse() {
    let (mut kit, shop) = kit();
    kit.mock("TriggerFulfillment", |_: Value| -> Result<Value, _> {
        Err(Failure::permanent("Conflict", "no such warehouse"))
    });
    let ended = kit.run("ProcessPayment", &request());
    assert!(ended.failure().is("Conflict"), "{:?}", ended.failure());
    assert_eq!(
        ended.called()[5..],
        ["RefundPayment", "ReleaseInventory", "UpdateOrderStatus"]
    );
    shop.read(|books| {
        assert_eq!(books.refunded.len(), 1);
        assert_eq!(books.released, books.reservations);
        assert_eq!(books.order.as_deref(), Some("failed"));
    });
}

#[test]
fn time_skips_over_the_pauses_between_attempts() {
    let (mut kit, _) = kit();
    kit.mock_call(
        "ReserveInventory",
        |call: &tenterhook_testkit::Call<Value>| match call.attempt {
            1..=9 => Err(Failure::retryable("NetworkError", "no route")),
            _ => Ok(json!({ "reservation_id": "r-1" })),
        },
    );
    let ended = kit.run("ProcessPayment", &request());
    assert!(ended.is_completed());
    assert_eq!(ended.attempts("ReserveInventory"), 10);
    // 1 + 2 + 4 + … + 256 s.
    assert_eq!(ended.elapsed().as_secs(), 511);
}

#[test]
fn cancel_is_accepted_before_the_charge_and_refused_after() {
    let (kit, shop) = kit();
    let mut payment = kit.start("ProcessPayment", &request());
    payment.until_called("ReserveInventory");
    let stage: Value = payment.update("cancel", &()).unwrap();
    assert_eq!(stage, "reserving");
    let ended = payment.finish();
    assert!(ended.is_cancelled());
    ended.never_called("ProcessPaymentGateway");
    shop.read(|books| assert_eq!(books.released, books.reservations));

    let mut payment = kit.start("ProcessPayment", &request());
    payment.until_called("ProcessPaymentGateway");
    let refused = payment.update::<Value>("cancel", &()).unwrap_err();
    assert!(
        refused.root().message.contains("before its charge"),
        "{refused}"
    );
    let status: Value = payment.query("status", &()).unwrap();
    assert_eq!(status["step"], "charging");
    assert!(payment.finish().is_completed());
}

#[test]
fn a_cancelled_payment_is_undone() {
    let (kit, shop) = kit();
    let mut payment = kit.start("ProcessPayment", &request());
    payment.until_called("ProcessPaymentGateway").cancel();
    let ended = payment.finish();
    assert!(ended.is_cancelled());
    ended.called_in_order(&["RefundPayment", "ReleaseInventory", "UpdateOrderStatus"]);
    shop.read(|books| assert_eq!(books.refunded.len(), books.charges.len()));
}
