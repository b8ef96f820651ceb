//! Listings, their checks, their reviewers, and the search index.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::providers::Providers;

fn check(description: &str, images: u32) -> Value {
    json!({ "listing_id": "l-1", "title": "Lamp", "description": description, "images": images })
}

#[tokio::test]
async fn a_listing_has_its_status_and_reviewers_are_told() {
    let providers = Providers::start().await;
    let path = "/listings/listings/l-1";
    let listing = json!({
        "seller_id": "s-1", "title": "Lamp", "description": "It shines.", "price": 1_200, "currency": "EUR",
        "images": 1, "status": "submitted",
    });
    providers
        .send(Method::PUT, path, Some("k-1"), listing)
        .await;
    let rejected = json!({ "status": "rejected", "by": "r-1", "comment": "no" });
    let status_path = "/listings/listings/l-1/status";
    providers
        .send(Method::PUT, status_path, Some("k-2"), rejected.clone())
        .await;
    let (status, listing) = providers.get(path).await;
    assert_eq!(
        (status, &listing["status"]),
        (StatusCode::OK, &json!("rejected"))
    );
    assert_eq!(listing["history"], json!([rejected]));
    let unknown = "/listings/listings/l-9/status";
    let (status, _) = providers
        .send(
            Method::PUT,
            unknown,
            Some("k-3"),
            json!({ "status": "published" }),
        )
        .await;
    assert_eq!(status, StatusCode::NOT_FOUND);

    let notice = json!({ "listing_id": "l-1", "score": 60, "escalated": true, "decide_by": "2026-11-24T00:00:00Z" });
    let (status, _) = providers.post("/reviewers/notices", "k-4", notice).await;
    assert_eq!(status, StatusCode::CREATED);
    assert!(providers.books().await.notices[0].escalated);
}

#[tokio::test]
async fn checks_take_points_for_what_is_wrong() {
    let providers = Providers::start().await;
    let long = "A lamp with a shade of linen, as good as new, with its cable.";
    for (key, description, images, score, findings) in [
        ("k-1", long, 1, 100, 0),
        ("k-2", "Shines.", 1, 75, 1),
        ("k-3", "Shines.", 0, 55, 2),
        ("k-4", "Counterfeit.", 0, 5, 3),
    ] {
        let (_, checked) = providers
            .post("/checks/checks", key, check(description, images))
            .await;
        let found = checked["findings"].as_array().map(Vec::len);
        assert_eq!(
            (&checked["score"], found),
            (&json!(score), Some(findings)),
            "{description}"
        );
    }
}

#[tokio::test]
async fn the_index_has_a_document_until_it_is_removed() {
    let providers = Providers::start().await;
    let path = "/search/documents/l-1";
    let document = json!({ "title": "Lamp", "price": 1_200 });
    let (status, _) = providers
        .send(Method::PUT, path, Some("k-1"), document)
        .await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(providers.books().await.documents["l-1"]["price"], 1_200);
    for (key, expected) in [
        ("k-2", StatusCode::NO_CONTENT),
        ("k-3", StatusCode::NOT_FOUND),
    ] {
        let (status, _) = providers
            .send(Method::DELETE, path, Some(key), Value::Null)
            .await;
        assert_eq!(status, expected);
    }
    let unsearchable = json!({ "title": "unsearchable" });
    let (status, _) = providers
        .send(Method::PUT, path, Some("k-4"), unsearchable)
        .await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
}
