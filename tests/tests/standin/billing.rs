//! Contracts, plans, usage, invoices, imports, and a user's tenant.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tenterhook_tests::standin::{Contract, Days, InvoiceStatus, Operation, Terms};

use crate::providers::Providers;

const MARCH: &str = "contracts/subscriptions?due_at=2026-04-01T00:00:00Z";

async fn with_contract(due_at: &str) -> Providers {
    let providers = Providers::start().await;
    let plan = json!({ "price": 4_200, "currency": "EUR", "price_version": 1 });
    let (status, answer) = providers
        .send(Method::PUT, "/plans/plans/pro", Some("k-plan"), plan)
        .await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let contract = |id: &str, due_at: &str| Contract {
        subscription_id: id.to_owned(),
        customer_id: "c-1".to_owned(),
        terms: Terms {
            plan_id: "pro".to_owned(),
            quantity: 1,
            status: "active".to_owned(),
        },
        price: 4_200,
        price_version: 1,
        currency: "EUR".to_owned(),
        period: Days::berlin("2026-03-01", "2026-04-01"),
        renews_to: Some(Days::berlin("2026-04-01", "2026-05-01")),
        due_at: Some(due_at.to_owned()),
        renewed_from: None,
        history: Vec::new(),
    };
    providers.standin.edit("acme", |book| {
        for id in ["s-2", "s-1", "s-3"] {
            book.agree(contract(id, due_at));
        }
    });
    providers
}

async fn get(providers: &Providers, path: &str) -> (StatusCode, Value) {
    let path = format!("/{path}");
    providers.send(Method::GET, &path, None, Value::Null).await
}

fn draft(reference: &str) -> Value {
    json!({
        "reference": reference,
        "subscription_id": "s-1",
        "customer_id": "c-1",
        "currency": "EUR",
        "lines": [{ "what": "back", "amount": -300 }, { "what": "taken", "amount": 800 }],
        "total": 500,
    })
}

#[tokio::test]
async fn what_is_due_is_listed_in_the_order_of_ids() {
    // Midnight in Berlin is two hours before midnight in UTC.
    let providers = with_contract("2026-04-01T00:00:00+02:00").await;
    let ids = |page: &Value| -> Vec<String> {
        let list = page["subscriptions"].as_array().unwrap();
        let id = |it: &Value| it["subscription_id"].as_str().unwrap().to_owned();
        list.iter().map(id).collect()
    };
    let (_, page) = get(&providers, &format!("{MARCH}&limit=2")).await;
    assert_eq!(ids(&page), ["s-1", "s-2"]);
    let (_, page) = get(&providers, &format!("{MARCH}&after=s-2&limit=2")).await;
    assert_eq!(ids(&page), ["s-3"]);
    let before = "contracts/subscriptions?due_at=2026-03-31T21:59:59Z&limit=2";
    assert!(ids(&get(&providers, before).await.1).is_empty());
    let (status, _) = get(&providers, "contracts/subscriptions?due_at=soon").await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    // A plan's subscriptions are counted in the order in which they were made.
    let path = "plans/plans/pro/subscriptions?offset=1&limit=5";
    let (_, members) = get(&providers, path).await;
    assert_eq!(
        members,
        json!({ "total": 3, "subscription_ids": ["s-1", "s-3"] })
    );
}

#[tokio::test]
async fn terms_and_prices_are_set_and_set_back() {
    let providers = with_contract("2026-04-01T00:00:00+02:00").await;
    let terms = json!({ "plan_id": "pro", "quantity": 5, "status": "active" });
    let path = "/contracts/subscriptions/s-1/terms";
    let (status, set) = providers.send(Method::PUT, path, Some("k-1"), terms).await;
    assert_eq!(
        (status, &set["previous"]["quantity"]),
        (StatusCode::OK, &json!(1))
    );
    let path = "/contracts/subscriptions/s-1/revert";
    let (status, _) = providers.post(path, "k-2", set["previous"].clone()).await;
    assert_eq!(status, StatusCode::OK);
    let price = json!({ "price": 4_900, "currency": "EUR", "price_version": 2 });
    let path = "/contracts/subscriptions/s-1/price";
    for (key, changed) in [("k-3", true), ("k-3", true), ("k-4", false)] {
        let (_, set) = providers
            .send(Method::PUT, path, Some(key), price.clone())
            .await;
        assert_eq!(set["changed"], changed, "{key}");
    }
    let (_, contract) = get(&providers, "contracts/subscriptions/s-1").await;
    assert_eq!(
        (&contract["quantity"], &contract["price"]),
        (&json!(1), &json!(4_900))
    );
    let taken = json!({
        "subscription_id": "s-1", "customer_id": "c-1", "plan_id": "pro", "quantity": 1,
        "period": { "starts_on": "2026-03-01", "ends_on": "2026-04-01", "zone": "Europe/Berlin" },
    });
    let (status, _) = providers
        .post("/contracts/subscriptions", "k-5", taken)
        .await;
    assert_eq!(status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn an_invoice_is_drafted_once_and_final_or_void() {
    let providers = with_contract("2026-04-01T00:00:00+02:00").await;
    let reference = "renewal/s-1/2026-03-01";
    let (status, drafted) = providers
        .post("/invoices/invoices", "k-1", draft(reference))
        .await;
    assert_eq!(
        (status, &drafted["status"]),
        (StatusCode::CREATED, &json!("draft"))
    );
    let (status, _) = providers
        .post("/invoices/invoices", "k-2", draft(reference))
        .await;
    assert_eq!(status, StatusCode::CONFLICT, "one reference, one invoice");
    let mut wrong = draft("other");
    wrong["total"] = json!(501);
    let (status, _) = providers.post("/invoices/invoices", "k-3", wrong).await;
    assert_eq!(
        status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "lines sum to the total"
    );

    let finalise = "/invoices/invoices/in_000001/finalise";
    let declined = json!({ "payment_method": "card_declined" });
    let (status, _) = providers.post(finalise, "k-4", declined).await;
    assert_eq!(status, StatusCode::PAYMENT_REQUIRED);
    let (status, _) = providers.post(finalise, "k-5", json!({})).await;
    assert_eq!(status, StatusCode::OK);
    let book = providers.books().await;
    assert_eq!(book.invoices[0].status, InvoiceStatus::Final);
    assert_eq!(book.contracts["s-1"].period.starts_on, "2026-04-01");
    assert_eq!(book.contracts["s-1"].due_at, None, "it is due no more");

    for key in ["k-6", "k-7"] {
        let void = "/invoices/invoices/in_000001/void";
        let (status, _) = providers.post(void, key, json!({})).await;
        assert_eq!(status, StatusCode::OK, "voiding twice is harmless");
    }
    let (status, _) = providers.post(finalise, "k-8", json!({})).await;
    assert_eq!(status, StatusCode::CONFLICT, "what is void stays void");
    let book = providers.books().await;
    assert_eq!(book.contracts["s-1"].period.starts_on, "2026-03-01");
    assert!(book.contracts["s-1"].due_at.is_some(), "it is due again");
    let (status, _) = providers
        .post("/invoices/invoices", "k-9", draft(reference))
        .await;
    assert_eq!(status, StatusCode::CREATED, "and can be drafted anew");
}

#[tokio::test]
async fn an_imports_rows_are_served_by_range_and_counted_once() {
    let providers = Providers::start().await;
    let file = json!({ "rows": ["a", "b", "c", "d"] });
    let path = "/imports/imports/i-1";
    let (status, _) = providers.send(Method::PUT, path, Some("k-1"), file).await;
    assert_eq!(status, StatusCode::CREATED);
    let (_, rows) = get(&providers, "imports/imports/i-1/rows?from=1&limit=2").await;
    assert_eq!(rows, json!({ "total": 4, "rows": ["b", "c"] }));
    let record = |row: u64| {
        json!({
            "row": row, "subscription_id": "s-1", "metric": "calls", "on": "2026-03-02", "quantity": 7,
        })
    };
    let records = json!({ "import_id": "i-1", "records": [record(0), record(1)] });
    for key in ["k-2", "k-2"] {
        let (status, _) = providers.post("/usage/records", key, records.clone()).await;
        assert_eq!(status, StatusCode::OK);
    }
    let bad = json!({ "bad_rows": [{ "row": 2, "reason": "no day" }] });
    providers
        .post("/imports/imports/i-1/bad-rows", "k-3", bad)
        .await;
    let import = providers.standin.book("acme").imports["i-1"].clone();
    assert_eq!(
        (import.recorded, import.twice, import.bad_rows.len()),
        (3, 0, 1)
    );
    // Another key is another request: the same row again is seen.
    providers.post("/usage/records", "k-4", records).await;
    assert_eq!(providers.standin.book("acme").imports["i-1"].twice, 2);
    let used = "usage/subscriptions/s-1?from=2026-03-01&until=2026-03-03";
    assert_eq!(
        get(&providers, used).await.1["totals"],
        json!({ "calls": 28 })
    );
    let none = "usage/subscriptions/s-1?from=2026-03-03&until=2026-03-01";
    assert_eq!(get(&providers, none).await.1["totals"], json!({}));
}

#[tokio::test]
async fn a_user_who_moves_is_logged_out_where_he_was() {
    let providers = Providers::start().await;
    providers.standin.edit("acme", |book| {
        book.user_tenants
            .insert("u-1".to_owned(), "first".to_owned());
        let users = [("u-1".to_owned(), "editor".to_owned())];
        book.access.insert("second".to_owned(), users.into());
    });
    let access = |tenant: &str, user: &str| format!("tenants/tenants/{tenant}/access/{user}");
    for (tenant, user, expected) in [
        ("second", "u-1", StatusCode::OK),
        ("second", "u-2", StatusCode::FORBIDDEN),
        ("nowhere", "u-1", StatusCode::NOT_FOUND),
    ] {
        let (status, _) = get(&providers, &access(tenant, user)).await;
        assert_eq!(status, expected, "{tenant} {user}");
    }
    let login = |tenant: &str| json!({ "user_id": "u-1", "tenant_id": tenant, "role": "editor" });
    let (status, _) = providers
        .post("/sessions/sessions", "k-1", login("first"))
        .await;
    assert_eq!(status, StatusCode::CREATED);
    let (status, _) = providers
        .post("/sessions/sessions", "k-2", login("second"))
        .await;
    assert_eq!(status, StatusCode::CONFLICT, "he is not there");
    let to = json!({ "tenant_id": "second" });
    let path = "/users/users/u-1/tenant";
    let (_, moved) = providers.send(Method::PUT, path, Some("k-3"), to).await;
    assert_eq!(moved["previous_tenant_id"], "first");
    assert!(providers.standin.book("acme").sessions[0].ended);
    assert_eq!(
        providers
            .standin
            .counts("acme", Operation::UserMoves)
            .booked,
        1
    );
}
