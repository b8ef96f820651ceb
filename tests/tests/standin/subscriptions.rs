//! Subscriptions: made, changed, found when they are due, and never changed once they are cancelled.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tenterhook_tests::standin::Operation;

use crate::providers::Providers;

fn subscription(customer: &str, plan: &str, period_end: &str) -> Value {
    json!({
        "customer_id": customer,
        "plan": plan,
        "price": 1_900,
        "currency": "EUR",
        "period": "month",
        "payment_method": "card",
        "status": "active",
        "started_at": "2026-01-31T00:00:00+01:00",
        "period_start": "2026-10-31T00:00:00+01:00",
        "period_end": period_end,
    })
}

async fn put(providers: &Providers, id: &str, body: Value) -> (StatusCode, Value) {
    let path = format!("/subscriptions/subscriptions/{id}");
    let key = format!("put {id} {}", body["plan"]);
    providers.send(Method::PUT, &path, Some(&key), body).await
}

#[tokio::test]
async fn a_subscription_is_made_changed_and_ended_once() {
    let providers = Providers::start().await;
    let made = subscription("c-1", "basic", "2026-11-30T00:00:00+01:00");
    assert_eq!(put(&providers, "s-1", made).await.0, StatusCode::CREATED);

    let path = "/subscriptions/subscriptions/s-1";
    let change = json!({ "plan": "pro", "price": 4_900 });
    let (status, changed) = providers
        .send(Method::PATCH, path, Some("k-1"), change.clone())
        .await;
    assert_eq!((status, &changed["price"]), (StatusCode::OK, &json!(4_900)));
    let again = providers
        .send(Method::PATCH, path, Some("k-1"), change)
        .await;
    assert_eq!(again, (StatusCode::OK, changed.clone()));
    assert_eq!(providers.get(path).await, (StatusCode::OK, changed));

    for (key, body, expected) in [
        ("k-2", json!({ "status": "cancelled" }), StatusCode::OK),
        ("k-3", json!({ "status": "active" }), StatusCode::CONFLICT),
        (
            "k-4",
            json!({ "price": 0 }),
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        (
            "k-5",
            json!({ "period_end": "soon" }),
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        (
            "k-6",
            json!({ "status": "lost" }),
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
    ] {
        let (status, answer) = providers.send(Method::PATCH, path, Some(key), body).await;
        assert_eq!(status, expected, "{answer}");
    }
    let unknown = "/subscriptions/subscriptions/s-9";
    assert_eq!(providers.get(unknown).await.0, StatusCode::NOT_FOUND);
    let book = providers.books().await;
    assert_eq!(
        book.subscriptions["s-1"].history,
        [
            json!({ "plan": "pro", "price": 4_900 }),
            json!({ "status": "cancelled" })
        ]
    );
    let counts = book.counts(Operation::SubscriptionChanges);
    assert_eq!((counts.booked, counts.repeated, counts.refused), (2, 1, 4));
}

#[tokio::test]
async fn due_subscriptions_are_listed_page_by_page() {
    let providers = Providers::start().await;
    for (id, plan, end) in [
        ("s-1", "basic", "2026-11-30T00:00:00+01:00"),
        ("s-2", "basic", "2026-11-29T23:00:00Z"),
        ("s-3", "basic", "2026-11-29T23:00:01Z"),
        ("s-4", "pro", "2026-10-30T00:00:00Z"),
    ] {
        put(&providers, id, subscription("c", plan, end)).await;
    }
    let ids = |answer: &Value| -> Vec<String> {
        let list = answer["subscriptions"].as_array().expect("a list");
        list.iter()
            .map(|entry| entry["subscription_id"].as_str().expect("an id").to_owned())
            .collect()
    };
    // The same moment in two offsets; `+` is a space in a query.
    let due = "/subscriptions/subscriptions?due_by=2026-11-30T00:00:00%2B01:00";
    let (status, first) = providers.get(&format!("{due}&limit=2")).await;
    assert_eq!(status, StatusCode::OK, "{first}");
    assert_eq!(
        (ids(&first), &first["next"]),
        (vec!["s-1".to_owned(), "s-2".to_owned()], &json!("s-2"))
    );
    let (_, second) = providers.get(&format!("{due}&limit=2&after=s-2")).await;
    assert_eq!(
        (ids(&second), &second["next"]),
        (vec!["s-4".to_owned()], &Value::Null)
    );
    let (_, basic) = providers
        .get("/subscriptions/subscriptions?plan=basic&status=active")
        .await;
    assert_eq!(ids(&basic), ["s-1", "s-2", "s-3"]);
    let (_, none) = providers
        .get("/subscriptions/subscriptions?status=past_due")
        .await;
    assert_eq!(ids(&none), Vec::<String>::new());
    for wrong in ["limit=0", "limit=many", "due_by=soon", "status=lost"] {
        let (status, _) = providers
            .get(&format!("/subscriptions/subscriptions?{wrong}"))
            .await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}");
    }
}

#[tokio::test]
async fn reads_are_failed_by_their_switch_too() {
    let providers = Providers::start().await;
    put(
        &providers,
        "s-1",
        subscription("c", "basic", "2026-11-30T00:00:00Z"),
    )
    .await;
    providers
        .switch(json!({ "subscription_reads": { "fail_next": 1 } }))
        .await;
    let path = "/subscriptions/subscriptions/s-1";
    assert_eq!(providers.get(path).await.0, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(providers.get(path).await.0, StatusCode::OK);
    let counts = providers.books().await.counts(Operation::SubscriptionReads);
    assert_eq!((counts.calls, counts.failed, counts.booked), (2, 1, 0));
}
