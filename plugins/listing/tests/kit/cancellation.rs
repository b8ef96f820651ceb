//! Each workflow, asked to end at its steps and while it waits. No step is interrupted.

use serde_json::Value;
use tenterhook_testkit::Message;

use crate::services::{
    DAY, EXPIRES, HOUR, REVIEW, WARNS, bench_of, clear, doubtful, listing, live, open, place,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_approval_gives_the_listing_back() {
    let services = open().await;
    for step in [
        "ValidateListing",
        "UpdateListingStatus",
        "RunAutomatedChecks",
        "ApproveListing",
    ] {
        let bench = bench_of(&services, clear());
        let mut review = bench.kit.start("Approval", &listing());
        review.until_called(step).cancel();
        let mut ended = review.finish();
        assert!(ended.is_cancelled(), "{step}: {ended:?}");
        ended.never_called("PublishToSearchIndex");
        assert_eq!(place(&bench.book()), ("submitted", false), "{step}");
        let state: Value = ended.query("review_state").unwrap();
        assert_eq!(state["step"], "cancelled", "{step}");
    }
    // Once it is to be found, it is published.
    let bench = bench_of(&services, clear());
    let mut review = bench.kit.start("Approval", &listing());
    review.until_called("PublishToSearchIndex").cancel();
    assert!(review.finish().is_completed());
    assert_eq!(place(&bench.book()), ("published", true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_review_gives_the_listing_back() {
    let services = open().await;
    for time in [HOUR, REVIEW + HOUR] {
        let bench = bench_of(&services, doubtful());
        let mut review = bench.kit.start("Approval", &listing());
        review.at(time, Message::cancel());
        let ended = review.finish();
        assert!(ended.is_cancelled(), "{time:?}: {ended:?}");
        assert_eq!(ended.elapsed(), time);
        assert_eq!(place(&bench.book()), ("submitted", false), "{time:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_expiration_leaves_the_listing_published() {
    let services = open().await;
    for time in [DAY, WARNS, WARNS + DAY] {
        let bench = bench_of(&services, live());
        let mut waiting = bench.kit.start("Expiration", &listing());
        waiting.at(time, Message::cancel());
        let mut ended = waiting.finish();
        assert!(ended.is_cancelled(), "{time:?}: {ended:?}");
        assert_eq!(ended.elapsed(), time);
        ended.never_called("ExpireListing");
        assert_eq!(place(&bench.book()), ("published", true), "{time:?}");
        let expiry: Value = ended.query("expiry").unwrap();
        assert_eq!(expiry["step"], "cancelled", "{time:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_being_expired_expires() {
    let services = open().await;
    let bench = bench_of(&services, live());
    let mut waiting = bench.kit.start("Expiration", &listing());
    waiting.until_called("ExpireListing").cancel();
    let ended = waiting.finish();
    assert_eq!(ended.result::<Value>()["expired"], true);
    assert_eq!(ended.elapsed(), EXPIRES);
    assert_eq!(place(&bench.book()), ("expired", false));
}
