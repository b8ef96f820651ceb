//! Sources, objects, the log, items that grow old, reminders.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tenterhook_tests::standin::{Happening, StoredItem};

use crate::providers::Providers;

#[tokio::test]
async fn a_source_sums_what_happened_in_the_time_asked_for() {
    let providers = Providers::start().await;
    providers.standin.edit("acme", |book| {
        for (at, value) in [
            ("2026-11-20T23:59:59Z", 1),
            ("2026-11-21T00:00:00Z", 2),
            ("2026-11-22T00:30:00+01:00", 4),
            ("2026-11-22T00:00:00Z", 8),
        ] {
            let (at, metric) = (at.to_owned(), "orders".to_owned());
            book.sources
                .entry("shop".to_owned())
                .or_default()
                .push(Happening { at, metric, value });
        }
    });
    let day = "?from=2026-11-21T00:00:00Z&to=2026-11-22T00:00:00Z";
    let (status, sums) = providers
        .get(&format!("/analytics/sources/shop{day}"))
        .await;
    assert_eq!(
        (status, &sums["metrics"]["orders"]),
        (StatusCode::OK, &json!(6))
    );
    assert_eq!(
        providers
            .get(&format!("/analytics/sources/lost{day}"))
            .await
            .0,
        StatusCode::NOT_FOUND
    );
    let wrong = providers
        .get("/analytics/sources/shop?from=then&to=now")
        .await;
    assert_eq!(wrong.0, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn objects_and_the_log_keep_what_they_are_given() {
    let providers = Providers::start().await;
    let path = "/objects/objects/reports%2Fdaily.json";
    let content = json!({ "content": { "orders": 6 } });
    let (status, stored) = providers
        .send(Method::PUT, path, Some("k-1"), content.clone())
        .await;
    assert_eq!(
        (status, stored),
        (
            StatusCode::CREATED,
            json!({ "location": "objects/reports/daily.json" })
        )
    );
    assert_eq!(providers.get(path).await, (StatusCode::OK, content));
    assert_eq!(
        providers.get("/objects/objects/none").await.0,
        StatusCode::NOT_FOUND
    );
    let entry = json!({ "kind": "report", "facts": { "partial": false } });
    providers.post("/log/entries", "k-2", entry).await;
    let book = providers.books().await;
    assert_eq!(book.objects["reports/daily.json"].written, 1);
    assert_eq!(
        (book.log[0].kind.as_str(), &book.log[0].facts["partial"]),
        ("report", &json!(false))
    );
}

#[tokio::test]
async fn items_are_found_by_age_and_deleted_once() {
    let providers = Providers::start().await;
    providers.standin.edit("acme", |book| {
        for (id, collection, day) in [
            ("a", "logs", 1),
            ("b", "logs", 2),
            ("c", "logs", 20),
            ("d", "carts", 1),
        ] {
            let item = StoredItem {
                collection: collection.to_owned(),
                changed_at: format!("2026-11-{day:02}T00:00:00Z"),
                content: json!({ "day": day }),
            };
            book.items.present.insert(id.to_owned(), item);
        }
    });
    let old = "/items/logs?older_than=2026-11-10T00:00:00Z&limit=1";
    let (_, first) = providers.get(old).await;
    assert_eq!(first, json!({ "ids": ["a"], "next": "a" }));
    let (_, second) = providers.get(&format!("{old}&after=a")).await;
    assert_eq!(second, json!({ "ids": ["b"], "next": null }));
    let ids = json!({ "ids": ["a", "b"] });
    let (_, exported) = providers
        .post("/items/logs/exports", "k-1", ids.clone())
        .await;
    assert_eq!(exported["items"][1]["content"], json!({ "day": 2 }));
    for key in ["k-2", "k-2", "k-3"] {
        let (status, gone) = providers
            .post("/items/logs/deletions", key, ids.clone())
            .await;
        let missing = if key == "k-3" { 2 } else { 0 };
        assert_eq!(
            (status, &gone["missing"]),
            (StatusCode::OK, &json!(missing)),
            "{key}"
        );
    }
    for ids in [json!([]), json!(["a", "a"])] {
        let body = json!({ "ids": ids });
        let (status, _) = providers.post("/items/logs/deletions", "k-4", body).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    let items = providers.books().await.items;
    assert_eq!(
        items.deleted,
        ["a", "b", "a", "b"],
        "what was asked for twice is seen"
    );
    assert_eq!(items.present.keys().collect::<Vec<_>>(), ["c", "d"]);
}

#[tokio::test]
async fn a_reminder_is_sent_once() {
    let providers = Providers::start().await;
    let path = "/reminders/reminders/r-1";
    let reminder = json!({
        "user_id": "u-1", "to": "ada@shop.example", "subject": "Soon", "body": "It is time.", "wanted": true,
    });
    providers
        .send(Method::PUT, path, Some("k-1"), reminder)
        .await;
    assert_eq!(providers.get(path).await.1["sent_at"], Value::Null);
    let sent = json!({ "sent_at": "2026-11-21T00:00:00Z" });
    for (key, expected) in [("k-2", StatusCode::OK), ("k-3", StatusCode::CONFLICT)] {
        let path = "/reminders/reminders/r-1/sent";
        let (status, _) = providers
            .send(Method::PUT, path, Some(key), sent.clone())
            .await;
        assert_eq!(status, expected);
    }
    assert_eq!(
        providers.get("/reminders/reminders/r-9").await.0,
        StatusCode::NOT_FOUND
    );
}
