//! `listing.Approval`: by score, by a reviewer, by nobody.

use serde_json::{Value, json};
use tenterhook_tests::standin::{Operation, Switch};

use super::{LONG, listing, scene, statuses};
use crate::scene::{calls, failure_type};

/// Longer than any test runs.
const LONG_MS: u64 = 3_600_000;

fn approval(review_timeout_ms: u64) -> Value {
    json!({
        "listing_id": "l-1",
        "review_timeout_ms": review_timeout_ms,
        "retry_initial_ms": 20,
    })
}

#[tokio::test]
async fn validate_listing_run_automated_checks_approve_listing_publish_to_search_index() {
    let scene = scene("listing-auto", listing("submitted", LONG, 2)).await;
    let outcome = scene.run("Approval", "a-1", approval(LONG_MS)).await;
    assert_eq!(outcome["status"], "completed", "{outcome:#}");
    let expected = json!({
        "listing_id": "l-1", "decision": "approved", "decided_by": "checks", "comment": null, "score": 100,
        "findings": [], "escalated": false,
    });
    assert_eq!(outcome["result"], expected);
    let expected = [
        "ValidateListing",
        "UpdateListingStatus",
        "RunAutomatedChecks",
        "ApproveListing",
        "PublishToSearchIndex",
        "UpdateListingStatus",
    ];
    assert_eq!(scene.activities("a-1").await, expected);
    assert_eq!(statuses(&scene), ["in_review", "approved", "published"]);
    assert_eq!(scene.book().documents["l-1"]["price"], 1_200);
    assert!(scene.book().notices.is_empty());
    assert_eq!(scene.query("a-1", "review_state").await["step"], "approved");
}

#[tokio::test]
async fn reject_listing_without_a_reviewer_below_the_threshold() {
    let scene = scene("listing-low", listing("submitted", "Counterfeit.", 0)).await;
    let outcome = scene.run("Approval", "a-1", approval(LONG_MS)).await;
    let result = &outcome["result"];
    assert_eq!((&result["decision"], &result["score"]), (&json!("rejected"), &json!(5)), "{outcome:#}");
    assert_eq!(result["findings"].as_array().unwrap().len(), 3);
    assert_eq!(statuses(&scene), ["in_review", "rejected"]);
    let book = scene.book();
    assert!(book.documents.is_empty() && book.notices.is_empty());
    let comment = &book.listings["l-1"].history[1]["comment"];
    assert!(comment.as_str().unwrap().contains("forbidden"), "{comment}");
}

#[tokio::test]
async fn notify_reviewers_and_wait_for_their_word() {
    let scene = scene("listing-review", listing("submitted", "Shines.", 1)).await;
    scene.start("Approval", "a-1", approval(LONG_MS)).await;
    let waiting = scene.until_query("a-1", "review_state", |seen| seen["step"] == "waiting").await;
    assert_eq!((&waiting["score"], &waiting["decided_by"]), (&json!(75), &Value::Null));
    let verdict = json!({ "reviewer": "r-1", "comment": "a fine lamp" });
    scene.world.signal("a-1", "approve", verdict).await.unwrap();
    // The first word counts.
    scene.world.signal("a-1", "reject", json!({ "reviewer": "r-2" })).await.ok();
    let outcome = scene.world.outcome("a-1").await.unwrap();
    let result = &outcome["result"];
    let said = (&result["decision"], &result["decided_by"], &result["comment"]);
    assert_eq!(said, (&json!("approved"), &json!("r-1"), &json!("a fine lamp")), "{outcome:#}");
    let book = scene.book();
    assert_eq!((book.notices.len(), book.notices[0].escalated), (1, false));
    assert_eq!(book.notices[0].decide_by, waiting["decide_by"].as_str().unwrap());
    assert_eq!(statuses(&scene), ["in_review", "approved", "published"]);
}

#[tokio::test]
async fn a_reviewer_rejects_after_the_escalation() {
    let scene = scene("listing-reject", listing("submitted", "Shines.", 1)).await;
    // Time enough to escalate once, and then for the signal to come in.
    scene.start("Approval", "a-1", approval(3_000)).await;
    scene.until_query("a-1", "review_state", |seen| seen["step"] == "escalated").await;
    let verdict = json!({ "reviewer": "r-1", "comment": "too dark" });
    scene.world.signal("a-1", "reject", verdict).await.unwrap();
    let outcome = scene.world.outcome("a-1").await.unwrap();
    let result = &outcome["result"];
    assert_eq!((&result["decision"], &result["escalated"]), (&json!("rejected"), &json!(true)), "{outcome:#}");
    let escalated: Vec<_> = scene.book().notices.iter().map(|notice| notice.escalated).collect();
    assert_eq!(escalated, [false, true]);
    assert_eq!(statuses(&scene), ["in_review", "rejected"]);
}

#[tokio::test]
async fn nobodys_word_is_a_rejection_after_the_escalation() {
    let scene = scene("listing-timeout", listing("submitted", "Shines.", 1)).await;
    let outcome = scene.run("Approval", "a-1", approval(50)).await;
    let result = &outcome["result"];
    assert_eq!((&result["decision"], &result["decided_by"]), (&json!("rejected"), &json!("timeout")), "{outcome:#}");
    assert_eq!(scene.book().notices.len(), 2);
}

#[tokio::test]
async fn what_cannot_be_published_is_undone_with_update_listing_status() {
    let mut unsearchable = listing("submitted", LONG, 2);
    unsearchable.title = "unsearchable".to_owned();
    let scene = scene("listing-undo", unsearchable).await;
    let outcome = scene.run("Approval", "a-1", approval(LONG_MS)).await;
    assert_eq!((&outcome["status"], failure_type(&outcome)), (&json!("failed"), "ValidationError"), "{outcome:#}");
    assert_eq!(statuses(&scene), ["in_review", "approved", "submitted"]);
    assert!(scene.book().documents.is_empty());
    let state = scene.query("a-1", "review_state").await;
    assert_eq!(state["step"], "failed");
    assert!(state["reason"].as_str().unwrap().contains("unsearchable"), "{state:#}");
}

#[tokio::test]
async fn remove_from_search_index_undoes_what_an_unclear_answer_may_have_published() {
    let scene = scene("listing-unclear", listing("submitted", LONG, 2)).await;
    // Every attempt is booked and its answer lost; what settles it hears the first answer.
    let lost = Switch {
        drop_after_booking: 3,
        ..Switch::default()
    };
    scene.switch(Operation::Documents, lost);
    let outcome = scene.run("Approval", "a-1", approval(LONG_MS)).await;
    assert_eq!((&outcome["status"], failure_type(&outcome)), (&json!("failed"), "NetworkError"), "{outcome:#}");
    let book = scene.book();
    assert!(book.documents.is_empty(), "it was there: {:?}", book.counts(Operation::Documents));
    assert_eq!(book.counts(Operation::DocumentRemovals).booked, 1);
    assert_eq!(statuses(&scene), ["in_review", "approved", "submitted"]);
}

#[tokio::test]
async fn a_cancelled_review_gives_the_listing_back() {
    let scene = scene("listing-cancel", listing("submitted", "Shines.", 1)).await;
    scene.start("Approval", "a-1", approval(LONG_MS)).await;
    scene.until_query("a-1", "review_state", |seen| seen["step"] == "waiting").await;
    scene.world.cancel("a-1").await.unwrap();
    let outcome = scene.world.outcome("a-1").await.unwrap();
    assert_eq!(outcome["status"], "canceled", "{outcome:#}");
    assert_eq!(statuses(&scene), ["in_review", "submitted"]);
}

#[tokio::test]
async fn what_is_not_submitted_is_not_reviewed() {
    let scene = scene("listing-wrong", listing("published", LONG, 2)).await;
    let outcome = scene.run("Approval", "a-1", approval(LONG_MS)).await;
    assert_eq!(failure_type(&outcome), "Conflict", "{outcome:#}");
    let mut unknown = approval(LONG_MS);
    unknown["listing_id"] = json!("l-9");
    let outcome = scene.run("Approval", "a-2", unknown).await;
    assert_eq!(failure_type(&outcome), "NotFound", "{outcome:#}");
    let mut crossed = approval(LONG_MS);
    crossed["reject_below"] = json!(90);
    let outcome = scene.run("Approval", "a-3", crossed).await;
    assert_eq!(failure_type(&outcome), "ValidationError", "{outcome:#}");
    let mut wrong = approval(LONG_MS);
    wrong["approve_from"] = json!(101);
    let refused = scene.refused("Approval", "a-4", wrong).await;
    assert_eq!(refused.code(), Some("input-invalid"), "{refused:?}");
    assert!(statuses(&scene).is_empty());
    assert_eq!(calls(&scene.book(), Operation::Checks), 0);
}
