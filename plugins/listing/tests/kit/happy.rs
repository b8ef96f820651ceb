//! Each workflow where nothing goes wrong, and its history, which later code has to replay.

use serde_json::{Value, json};
use tenterhook_testkit::Ended;

use crate::services::{
    DAY, EXPIRES, HOUR, REVIEW, bench_of, clear, doubtful, hopeless, listing, live, open, place,
    statuses, word,
};

const HISTORIES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/kit/histories");

fn records(ended: &Ended, name: &str) {
    ended.fixture(format!("{HISTORIES}/{name}.json"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clear_listing_is_published_at_once() {
    let services = open().await;
    let bench = bench_of(&services, clear());
    let ended = bench.kit.run("Approval", &listing());
    let result: Value = ended.result();
    assert_eq!(
        (&result["decision"], &result["decided_by"]),
        (&"approved".into(), &"checks".into())
    );
    assert_eq!(
        ended.called(),
        [
            "ValidateListing",
            "UpdateListingStatus",
            "RunAutomatedChecks",
            "ApproveListing",
            "PublishToSearchIndex",
            "UpdateListingStatus"
        ]
    );
    assert_eq!(statuses(&bench), ["in_review", "approved", "published"]);
    assert_eq!(place(&bench.book()), ("published", true));
    records(&ended, "approval");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hopeless_listing_is_rejected_at_once() {
    let services = open().await;
    let bench = bench_of(&services, hopeless());
    let ended = bench.kit.run("Approval", &listing());
    let result: Value = ended.result();
    assert_eq!(
        (&result["decision"], &result["score"]),
        (&"rejected".into(), &5.into())
    );
    ended.never_called("NotifyReviewers");
    assert_eq!(place(&bench.book()), ("rejected", false));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_doubtful_listing_is_a_reviewers() {
    let services = open().await;
    let bench = bench_of(&services, doubtful());
    let mut review = bench.kit.start("Approval", &listing());
    review.at(HOUR, word("approve"));
    let ended = review.finish();
    let result: Value = ended.result();
    assert_eq!(
        (&result["decision"], &result["decided_by"]),
        (&"approved".into(), &"r-1".into())
    );
    assert_eq!(
        (&result["comment"], &result["escalated"]),
        (&"seen".into(), &false.into())
    );
    assert_eq!(ended.elapsed(), HOUR);
    assert_eq!(place(&bench.book()), ("published", true));
    records(&ended, "approval-reviewed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobodys_word_is_a_rejection_after_an_escalation() {
    let services = open().await;
    let bench = bench_of(&services, doubtful());
    let ended = bench.kit.run("Approval", &listing());
    let result: Value = ended.result();
    assert_eq!(
        (&result["decision"], &result["decided_by"]),
        (&"rejected".into(), &"timeout".into())
    );
    assert_eq!(ended.elapsed(), 2 * REVIEW);
    let book = bench.book();
    let notices: Vec<_> = book.notices.iter().map(|it| it.escalated).collect();
    assert_eq!(notices, [false, true]);
    assert_eq!(place(&book), ("rejected", false));
    records(&ended, "approval-timeout");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listing_is_marked_and_then_expires() {
    let services = open().await;
    let bench = bench_of(&services, live());
    let ended = bench.kit.run("Expiration", &listing());
    let expected = json!({
        "listing_id": "l-1",
        "expired": true,
        "status": "expiring",
        "expires_at": "2026-01-11T12:00:00Z",
        "extensions": 0,
    });
    assert_eq!(ended.result::<Value>(), expected);
    assert_eq!(ended.elapsed(), EXPIRES);
    assert_eq!(
        ended.called(),
        [
            "GetListingStatus",
            "UpdateListingStatus",
            "GetListingStatus",
            "ExpireListing",
            "RemoveFromSearchIndex"
        ]
    );
    let marked = &ended.steps()[2];
    assert_eq!(
        (marked.name.as_str(), marked.at),
        ("UpdateListingStatus", 7 * DAY)
    );
    assert_eq!(statuses(&bench), ["expiring", "expired"]);
    assert_eq!(place(&bench.book()), ("expired", false));
    records(&ended, "expiration");
}
