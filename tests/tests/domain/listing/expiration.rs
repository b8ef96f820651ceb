//! `listing.Expiration`: warned of, moved, done.

use serde_json::{Value, json};
use tenterhook_tests::standin::{Operation, Switch};

use super::{LONG, listing, scene, statuses};
use crate::scene::{Scene, calls, failure_type};

/// A live listing that can be found.
async fn live(tenant: &str) -> Scene {
    let scene = scene(tenant, listing("published", LONG, 2)).await;
    scene.edit(|book| book.documents.insert("l-1".to_owned(), json!({ "title": "Lamp" })));
    scene
}

/// Expires when it is given, in the past and in the far future alike; marked `warn_before_ms` before.
fn expiration(expires_at: &str, warn_before_ms: u64) -> Value {
    json!({
        "listing_id": "l-1",
        "expires_at": expires_at,
        "warn_before_ms": warn_before_ms,
        "retry_initial_ms": 20,
    })
}

/// So that it is marked at once and expires never.
const NEVER: &str = "2999-01-01T00:00:00+01:00";
const PAST: &str = "2026-01-01T00:00:00Z";

#[tokio::test]
async fn get_listing_status_expire_listing_remove_from_search_index() {
    let scene = live("listing-expire").await;
    let outcome = scene.run("Expiration", "x-1", expiration(PAST, 0)).await;
    assert_eq!(outcome["status"], "completed", "{outcome:#}");
    let expected = json!({
        "listing_id": "l-1", "expired": true, "status": "expiring", "expires_at": PAST, "extensions": 0,
    });
    assert_eq!(outcome["result"], expected);
    let expected = [
        "GetListingStatus",
        "UpdateListingStatus",
        "GetListingStatus",
        "ExpireListing",
        "RemoveFromSearchIndex",
    ];
    assert_eq!(scene.activities("x-1").await, expected);
    assert_eq!(statuses(&scene), ["expiring", "expired"]);
    assert!(scene.book().documents.is_empty());
}

#[tokio::test]
async fn extend_moves_the_expiry_wherever_it_is() {
    let scene = live("listing-extend").await;
    scene.edit(|book| book.listings.get_mut("l-1").unwrap().expires_at = Some(PAST.to_owned()));
    // A warning longer than there may be.
    let refused = scene.refused("Expiration", "x-0", expiration(NEVER, 7_776_000_001)).await;
    assert_eq!(refused.code(), Some("input-invalid"), "{refused:?}");

    scene.start("Expiration", "x-1", expiration(NEVER, 1_000)).await;
    let waiting = scene.until_query("x-1", "expiry", |seen| seen["step"] == "waiting").await;
    assert_eq!(waiting["expires_at"], "2998-12-31T23:00:00Z");
    // No such day: left out. Then far from any warning; then the past.
    for until in ["2999-02-30T00:00:00Z", "2998-01-01T00:00:00Z"] {
        scene.world.signal("x-1", "extend", json!({ "until": until })).await.unwrap();
    }
    let moved = scene.until_query("x-1", "expiry", |seen| seen["extensions"] == 1).await;
    assert_eq!(moved["expires_at"], "2998-01-01T00:00:00Z");
    scene.world.signal("x-1", "extend", json!({ "until": PAST })).await.unwrap();
    let outcome = scene.world.outcome("x-1").await.unwrap();
    assert_eq!((&outcome["result"]["expired"], &outcome["result"]["extensions"]), (&json!(true), &json!(2)), "{outcome:#}");
    assert_eq!(statuses(&scene), ["expiring", "expired"]);
}

#[tokio::test]
async fn an_extension_takes_the_warning_back() {
    let scene = live("listing-warned").await;
    // Within the longest warning, and beyond any test.
    let soon = in_days(30);
    scene.start("Expiration", "x-1", expiration(&soon, 7_776_000_000)).await;
    scene.until_query("x-1", "expiry", |seen| seen["step"] == "warned").await;
    assert_eq!(statuses(&scene), ["expiring"]);
    scene.world.signal("x-1", "extend", json!({ "until": NEVER })).await.unwrap();
    scene.until_query("x-1", "expiry", |seen| seen["step"] == "waiting").await;
    assert_eq!(statuses(&scene), ["expiring", "published"]);
    scene.world.cancel("x-1").await.unwrap();
    assert_eq!(scene.world.outcome("x-1").await.unwrap()["status"], "canceled");
}

#[tokio::test]
async fn a_cancelled_expiration_leaves_the_listing_published() {
    let scene = live("listing-stay").await;
    scene.start("Expiration", "x-1", expiration(&in_days(30), 7_776_000_000)).await;
    scene.until_query("x-1", "expiry", |seen| seen["step"] == "warned").await;
    scene.world.cancel("x-1").await.unwrap();
    assert_eq!(scene.world.outcome("x-1").await.unwrap()["status"], "canceled");
    assert_eq!(statuses(&scene), ["expiring", "published"]);
    assert_eq!(scene.book().documents.len(), 1);
}

#[tokio::test]
async fn what_is_not_live_does_not_expire() {
    let scene = scene("listing-sold", listing("sold", LONG, 2)).await;
    let outcome = scene.run("Expiration", "x-1", expiration(PAST, 0)).await;
    let result = &outcome["result"];
    assert_eq!((&result["expired"], &result["status"]), (&json!(false), &json!("sold")), "{outcome:#}");
    assert!(statuses(&scene).is_empty());
}

#[tokio::test]
async fn the_index_is_insisted_on_and_what_is_wrong_fails() {
    let scene = live("listing-insist").await;
    // More failures than any preset but one without end, and less than open the circuit.
    scene.switch(Operation::DocumentRemovals, Switch::failing(5, 503));
    let outcome = scene.run("Expiration", "x-1", expiration(PAST, 0)).await;
    assert_eq!(outcome["status"], "completed", "{outcome:#}");
    assert_eq!(calls(&scene.book(), Operation::DocumentRemovals), 6);

    let mut unknown = expiration(PAST, 0);
    unknown["listing_id"] = json!("l-9");
    let outcome = scene.run("Expiration", "x-2", unknown).await;
    assert_eq!(failure_type(&outcome), "NotFound", "{outcome:#}");
    scene.edit(|book| book.listings.insert("l-1".to_owned(), listing("published", LONG, 2)));
    let no_time = json!({ "listing_id": "l-1", "retry_initial_ms": 20 });
    let outcome = scene.run("Expiration", "x-3", no_time).await;
    assert_eq!(failure_type(&outcome), "ValidationError", "{outcome:#}");
    let no_day = expiration("2026-02-30T00:00:00Z", 0);
    let outcome = scene.run("Expiration", "x-4", no_day).await;
    assert_eq!(failure_type(&outcome), "ValidationError", "{outcome:#}");
}

fn in_days(days: u64) -> String {
    let then = std::time::SystemTime::now() + std::time::Duration::from_secs(days * 86_400);
    let since = then.duration_since(std::time::UNIX_EPOCH).unwrap();
    let then = chrono::DateTime::from_timestamp_millis(since.as_millis() as i64).unwrap();
    format!("{then:?}")
}
