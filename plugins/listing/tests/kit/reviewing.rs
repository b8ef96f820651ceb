//! What an approval is told and asked while it waits for a reviewer.

use serde_json::{Value, json};
use tenterhook_testkit::Message;

use crate::services::{HOUR, REVIEW, bench_of, doubtful, listing, open, place, word};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_word_counts() {
    let services = open().await;
    let bench = bench_of(&services, doubtful());
    let mut review = bench.kit.start("Approval", &listing());
    review.settle();
    let waiting: Value = review.query("review_state", &()).unwrap();
    assert_eq!(
        (&waiting["step"], &waiting["score"]),
        (&"waiting".into(), &75.into())
    );
    // Two days from noon of the first day of the year.
    assert_eq!(waiting["decide_by"], "2026-01-03T12:00:00Z");
    review
        .crash()
        .signal(
            "reject",
            &json!({ "reviewer": "r-1", "comment": "too dark" }),
        )
        .signal("approve", &json!({ "reviewer": "r-2" }));
    let mut ended = review.finish();
    let result: Value = ended.result();
    assert_eq!(
        (&result["decision"], &result["decided_by"]),
        (&"rejected".into(), &"r-1".into())
    );
    assert_eq!(
        bench.book().listings["l-1"].history[1]["comment"],
        "too dark"
    );
    let state: Value = ended.query("review_state").unwrap();
    assert_eq!(
        (&state["step"], &state["comment"]),
        (&"rejected".into(), &"too dark".into())
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_word_before_reviewers_are_asked_counts_once_they_are() {
    let services = open().await;
    let bench = bench_of(&services, doubtful());
    let mut review = bench.kit.start("Approval", &listing());
    review.after("ValidateListing", word("approve"));
    let ended = review.finish();
    assert_eq!(ended.result::<Value>()["decided_by"], "r-1");
    assert_eq!(ended.elapsed().as_secs(), 0);
    assert_eq!(bench.book().notices.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reviewer_decides_after_the_escalation() {
    let services = open().await;
    let bench = bench_of(&services, doubtful());
    let mut review = bench.kit.start("Approval", &listing());
    review.advance(REVIEW + HOUR);
    let waiting: Value = review.query("review_state", &()).unwrap();
    assert_eq!(
        (&waiting["step"], &waiting["decide_by"]),
        (&"escalated".into(), &"2026-01-05T12:00:00Z".into())
    );
    review.at(REVIEW + 2 * HOUR, word("approve"));
    let ended = review.finish();
    let result: Value = ended.result();
    assert_eq!(
        (&result["decision"], &result["escalated"]),
        (&"approved".into(), &true.into())
    );
    assert_eq!(place(&bench.book()), ("published", true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_word_after_the_decision_changes_nothing() {
    let services = open().await;
    let bench = bench_of(&services, doubtful());
    let mut review = bench.kit.start("Approval", &listing());
    review.at(HOUR, word("approve"));
    review.after(
        "ApproveListing",
        Message::signal("reject", &json!({ "reviewer": "r-2" })),
    );
    assert_eq!(review.finish().result::<Value>()["decision"], "approved");
    assert_eq!(place(&bench.book()), ("published", true));
}
