//! What an expiration is told and asked while it waits, and what happens to its listing meanwhile.

use serde_json::{Value, json};

use crate::services::{
    DAY, EXPIRES, HOUR, WARNS, bench_of, change, extend, listing, live, open, place, statuses,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn extend_moves_the_expiry_wherever_it_is() {
    let services = open().await;
    let bench = bench_of(&services, live());
    let mut waiting = bench.kit.start("Expiration", &listing());
    waiting.at(DAY, extend("2026-01-21T12:00:00Z"));
    // No such day: left out.
    waiting.at(2 * DAY, extend("2026-02-30T12:00:00Z"));
    waiting.at(3 * DAY, extend("2026-01-16T12:00:00+02:00"));
    waiting.advance(4 * DAY).crash();
    let expiry: Value = waiting.query("expiry", &()).unwrap();
    let expected = json!({
        "listing_id": "l-1",
        "step": "waiting",
        "expires_at": "2026-01-16T10:00:00Z",
        "extensions": 2,
    });
    assert_eq!(expiry, expected);
    let ended = waiting.finish();
    assert_eq!(ended.result::<Value>()["extensions"], 2);
    assert_eq!(ended.elapsed(), 15 * DAY - 2 * HOUR);
    assert_eq!(place(&bench.book()), ("expired", false));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_extension_takes_the_warning_back() {
    let services = open().await;
    let bench = bench_of(&services, live());
    let mut waiting = bench.kit.start("Expiration", &listing());
    waiting.advance(WARNS + DAY);
    let expiry: Value = waiting.query("expiry", &()).unwrap();
    assert_eq!(expiry["step"], "warned");
    waiting.signal("extend", &json!({ "until": "2026-01-31T12:00:00Z" }));
    waiting.settle();
    assert_eq!(statuses(&bench), ["expiring", "published"]);
    let ended = waiting.finish();
    assert_eq!(ended.elapsed(), 30 * DAY);
    assert_eq!(
        statuses(&bench),
        ["expiring", "published", "expiring", "expired"]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_sold_meanwhile_stays_sold() {
    let services = open().await;
    // Before it is marked, and after.
    for sold in [WARNS - DAY, EXPIRES - DAY] {
        let bench = bench_of(&services, live());
        let mut waiting = bench.kit.start("Expiration", &listing());
        waiting.advance(sold);
        change(&bench, |listing| listing.status = "sold".to_owned());
        let result: Value = waiting.finish().result();
        assert_eq!(
            (&result["expired"], &result["status"]),
            (&false.into(), &"sold".into()),
            "{sold:?}"
        );
        assert_eq!(bench.book().listings["l-1"].status, "sold", "{sold:?}");
    }

    // Neither an extension nor a cancellation brings it back.
    let bench = bench_of(&services, live());
    let mut waiting = bench.kit.start("Expiration", &listing());
    waiting.advance(EXPIRES - DAY);
    change(&bench, |listing| listing.status = "sold".to_owned());
    waiting.signal("extend", &json!({ "until": "2026-01-31T12:00:00Z" }));
    assert_eq!(waiting.finish().result::<Value>()["expired"], false);
    assert_eq!(bench.book().listings["l-1"].status, "sold");

    let bench = bench_of(&services, live());
    let mut waiting = bench.kit.start("Expiration", &listing());
    waiting.advance(EXPIRES - DAY);
    change(&bench, |listing| listing.status = "sold".to_owned());
    waiting.cancel();
    assert!(waiting.finish().is_cancelled());
    assert_eq!(bench.book().listings["l-1"].status, "sold");
}
