//! What payments need: gateway, inventory, orders, fulfilment; switches, keys and books, which all providers share.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tenterhook_tests::standin::Operation;

use crate::providers::Providers;

fn charge(method: &str) -> Value {
    json!({ "payment_id": "p-1", "amount": 4_200, "currency": "EUR", "method": method })
}

fn reservation(sku: &str) -> Value {
    json!({ "order_id": "o-1", "items": [{ "sku": sku, "quantity": 2 }] })
}

#[tokio::test]
async fn a_whole_payment_is_booked_and_compensated() {
    let providers = Providers::start().await;

    let (status, held) = providers
        .post("/inventory/reservations", "k-1", reservation("book"))
        .await;
    assert_eq!(
        (status, held.clone()),
        (
            StatusCode::CREATED,
            json!({ "reservation_id": "rv_000001" })
        )
    );
    let (status, charged) = providers
        .post("/gateway/charges", "k-2", charge("card"))
        .await;
    assert_eq!(status, StatusCode::CREATED);
    assert_eq!(
        charged,
        json!({ "charge_id": "ch_000001", "status": "succeeded" })
    );
    let paid = json!({ "status": "paid" });
    let (status, _) = providers
        .send(Method::PUT, "/orders/orders/o-1/status", Some("k-3"), paid)
        .await;
    assert_eq!(status, StatusCode::OK);
    let shipment = json!({ "order_id": "o-1", "reservation_id": "rv_000001" });
    let (status, shipped) = providers
        .post("/fulfillment/shipments", "k-4", shipment)
        .await;
    assert_eq!(
        (status, shipped),
        (StatusCode::CREATED, json!({ "shipment_id": "sh_000001" }))
    );

    let refund = json!({ "charge_id": "ch_000001", "amount": 4_200, "currency": "EUR" });
    let (status, refunded) = providers
        .post("/gateway/refunds", "k-5", refund.clone())
        .await;
    assert_eq!(
        (status, refunded),
        (StatusCode::CREATED, json!({ "refund_id": "re_000001" }))
    );
    let (status, refused) = providers.post("/gateway/refunds", "k-6", refund).await;
    assert_eq!(
        status,
        StatusCode::CONFLICT,
        "money goes back once: {refused}"
    );
    for key in ["k-7", "k-8"] {
        let path = "/inventory/reservations/rv_000001";
        let (status, _) = providers
            .send(Method::DELETE, path, Some(key), Value::Null)
            .await;
        assert_eq!(
            status,
            StatusCode::NO_CONTENT,
            "releasing twice is harmless"
        );
    }
    let failed = json!({ "status": "failed" });
    providers
        .send(
            Method::PUT,
            "/orders/orders/o-1/status",
            Some("k-9"),
            failed,
        )
        .await;

    let book = providers.books().await;
    assert_eq!(book.charges.len(), 1);
    assert_eq!(
        book.refunds_of("ch_000001")
            .map(|refund| refund.amount)
            .sum::<u64>(),
        4_200
    );
    assert!(book.reservations[0].released);
    assert_eq!(book.orders["o-1"].history, ["paid", "failed"]);
    assert_eq!(book.shipments[0].reservation_id, "rv_000001");
}

#[tokio::test]
async fn a_repeated_key_returns_the_first_answer_and_books_nothing() {
    let providers = Providers::start().await;

    let first = providers
        .post("/gateway/charges", "same", charge("card"))
        .await;
    let second = providers
        .post("/gateway/charges", "same", charge("card"))
        .await;
    assert_eq!(first, second);
    let declined = providers
        .post("/gateway/charges", "declined", charge("card_declined"))
        .await;
    assert_eq!(declined.0, StatusCode::PAYMENT_REQUIRED);
    assert_eq!(declined.1["error"], "card_declined");
    assert_eq!(
        declined,
        providers
            .post("/gateway/charges", "declined", charge("card_declined"))
            .await
    );
    let (status, other) = providers
        .post("/gateway/charges", "same", charge("voucher"))
        .await;
    assert_eq!(
        (status, &other["error"]),
        (
            StatusCode::UNPROCESSABLE_ENTITY,
            &json!("idempotency_key_reused")
        )
    );

    let book = providers.books().await;
    assert_eq!(book.charges.len(), 1);
    let counts = book.counts(Operation::Charges);
    assert_eq!(
        (counts.calls, counts.booked, counts.refused, counts.repeated),
        (5, 1, 1, 3)
    );
}

#[tokio::test]
async fn what_the_providers_refuse_is_not_booked() {
    let providers = Providers::start().await;
    let cases = [
        (
            "/gateway/charges",
            None,
            charge("card"),
            StatusCode::BAD_REQUEST,
        ),
        (
            "/gateway/charges",
            Some("k-1"),
            json!({ "amount": 1 }),
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        (
            "/gateway/charges",
            Some("k-2"),
            json!("text"),
            StatusCode::BAD_REQUEST,
        ),
        (
            "/gateway/charges",
            Some("k-3"),
            json!({ "payment_id": "p", "amount": 0, "currency": "EUR", "method": "card" }),
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        (
            "/gateway/charges",
            Some("k-4"),
            json!({ "payment_id": "p", "amount": 1, "currency": "euro", "method": "card" }),
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        (
            "/inventory/reservations",
            Some("k-5"),
            reservation("out-of-stock"),
            StatusCode::CONFLICT,
        ),
        (
            "/inventory/reservations",
            Some("k-6"),
            json!({ "order_id": "o", "items": [] }),
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        (
            "/gateway/refunds",
            Some("k-7"),
            json!({ "charge_id": "ch_9", "amount": 1, "currency": "EUR" }),
            StatusCode::NOT_FOUND,
        ),
        (
            "/fulfillment/shipments",
            Some("k-8"),
            json!({ "order_id": "o", "reservation_id": "rv_9" }),
            StatusCode::NOT_FOUND,
        ),
    ];
    for (path, key, body, expected) in cases {
        let (status, answer) = providers.send(Method::POST, path, key, body.clone()).await;
        assert_eq!(status, expected, "{path} {body}: {answer}");
        assert!(answer["message"].is_string(), "{answer}");
    }
    let unknown = "/inventory/reservations/rv_9";
    let (status, _) = providers
        .send(Method::DELETE, unknown, Some("k-9"), Value::Null)
        .await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let book = providers.books().await;
    assert!(book.charges.is_empty() && book.reservations.is_empty() && book.shipments.is_empty());
}

#[tokio::test]
async fn what_can_be_reserved_but_never_shipped_fails_for_good() {
    let providers = Providers::start().await;
    providers
        .post("/inventory/reservations", "k-1", reservation("unshippable"))
        .await;
    let shipment = json!({ "order_id": "o-1", "reservation_id": "rv_000001" });
    let (status, answer) = providers
        .post("/fulfillment/shipments", "k-2", shipment)
        .await;
    assert_eq!(
        (status, &answer["error"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("unshippable"))
    );
}

#[tokio::test]
async fn a_switch_fails_calls_before_booking_and_then_recovers() {
    let providers = Providers::start().await;
    providers
        .switch(json!({ "charges": { "fail_next": 2, "status": 429, "retry_after": 7, "delay_ms": 5 } }))
        .await;
    for _ in 0..2 {
        let response = providers
            .try_send(Method::POST, "/gateway/charges", Some("k"), charge("card"))
            .await
            .expect("an answer");
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(response.headers()["retry-after"], "7");
    }
    let (status, _) = providers
        .post("/gateway/charges", "k", charge("card"))
        .await;
    assert_eq!(status, StatusCode::CREATED);
    let counts = providers.books().await.counts(Operation::Charges);
    assert_eq!((counts.calls, counts.failed, counts.booked), (3, 2, 1));
}

#[tokio::test]
async fn a_cut_connection_has_booked_and_the_retry_finds_it() {
    let providers = Providers::start().await;
    providers
        .switch(json!({ "charges": { "drop_after_booking": 1 } }))
        .await;
    let cut = providers
        .try_send(Method::POST, "/gateway/charges", Some("k"), charge("card"))
        .await;
    assert!(
        cut.expect_err("no answer").is_request(),
        "the connection closes without an answer"
    );
    let book = providers.books().await;
    assert_eq!(
        (book.charges.len(), book.counts(Operation::Charges).dropped),
        (1, 1)
    );

    let (status, charged) = providers
        .post("/gateway/charges", "k", charge("card"))
        .await;
    assert_eq!(
        (status, &charged["charge_id"]),
        (StatusCode::CREATED, &json!("ch_000001"))
    );
    assert_eq!(providers.books().await.charges.len(), 1);
}

#[tokio::test]
async fn switches_out_of_bounds_and_books_of_strange_names_are_refused() {
    let providers = Providers::start().await;
    for switches in [
        json!({ "charges": { "status": 200 } }),
        json!({ "charges": { "delay_ms": 600_000 } }),
        json!({ "charges": { "retry_after": 100_000 } }),
        json!({ "charges": { "fail_nxt": 1 } }),
        json!({ "wishes": {} }),
    ] {
        let (status, answer) = providers
            .send(Method::PUT, "/switches", None, switches)
            .await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{answer}");
    }
    let strange = format!("http://{}/a.b/books", providers.standin.address());
    let response = providers
        .client
        .get(strange)
        .send()
        .await
        .expect("an answer");
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn tenants_keep_separate_books_and_stopping_closes_the_port() {
    let providers = Providers::start().await;
    providers
        .post("/gateway/charges", "k", charge("card"))
        .await;
    let globex = Providers {
        book: "globex",
        ..providers
    };
    let (status, _) = globex.post("/gateway/charges", "k", charge("card")).await;
    assert_eq!(
        status,
        StatusCode::CREATED,
        "the same key in another book is another request"
    );
    assert_eq!(globex.standin.book("acme").charges.len(), 1);
    assert_eq!(globex.books().await.charges.len(), 1);

    let address = globex.standin.address();
    globex.standin.stop().await;
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}
