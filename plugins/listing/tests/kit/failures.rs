//! What fails for good, and how it is undone, in which order.

use serde_json::{Value, json};
use tenterhook_tests::services::Bench;
use tenterhook_tests::standin::{Operation, Switch};

use crate::services::{
    HOUR, bench_of, change, clear, doubtful, listing, live, open, place, statuses, word,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_published_is_submitted_again() {
    let services = open().await;
    let mut unsearchable = clear();
    unsearchable.title = "unsearchable".to_owned();
    let bench = bench_of(&services, unsearchable);
    let mut ended = bench.kit.run("Approval", &listing());
    assert!(ended.failure().is("ValidationError"), "{ended:?}");
    ended.never_called("RemoveFromSearchIndex");
    assert_eq!(statuses(&bench), ["in_review", "approved", "submitted"]);
    let state: Value = ended.query("review_state").unwrap();
    assert_eq!(state["step"], "failed");
    assert!(state["reason"].as_str().unwrap().contains("unsearchable"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_done_is_undone_in_reverse() {
    let services = open().await;
    let bench = bench_of(&services, clear());
    // The last step, which is another call of the second one's activity: that one is let through.
    let mut review = bench.kit.start("Approval", &listing());
    review.until_called("PublishToSearchIndex");
    bench.switch(Operation::ListingStatuses, Switch::failing(1, 409));
    let ended = review.finish();
    assert!(ended.failure().is("Conflict"), "{ended:?}");
    let called = ended.called();
    assert_eq!(
        called[called.len() - 2..],
        ["RemoveFromSearchIndex", "UpdateListingStatus"]
    );
    assert_eq!(place(&bench.book()), ("submitted", false));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_failed_of_the_undoing_is_told_with_the_failure() {
    let services = open().await;
    let bench = bench_of(&services, clear());
    let mut review = bench.kit.start("Approval", &listing());
    review.until_called("PublishToSearchIndex");
    bench.switch(Operation::ListingStatuses, Switch::failing(1, 409));
    bench.switch(Operation::DocumentRemovals, Switch::failing(1, 409));
    let failure = review.finish().failure();
    assert!(failure.is("Conflict"), "{failure:?}");
    let told = &failure.details.last().unwrap()["compensations"];
    let removal = &told[0];
    assert_eq!(
        (&removal["name"], &removal["tries"]),
        (&json!("RemoveFromSearchIndex"), &json!(2)),
        "{failure:?}"
    );
    let why = removal["last_failure"].as_str().unwrap();
    assert!(why.contains("answered 409"), "{why}");
    assert_eq!(
        told[1],
        json!({ "name": "UpdateListingStatus", "tries": 1 })
    );
    assert_eq!(place(&bench.book()), ("submitted", false));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_publication_without_an_answer_is_asked_again_and_removed() {
    let services = open().await;
    let bench = bench_of(&services, clear());
    let lost = Switch {
        drop_after_booking: 3,
        ..Switch::default()
    };
    bench.switch(Operation::Documents, lost);
    let ended = bench.kit.run("Approval", &listing());
    assert!(ended.failure().is("NetworkError"), "{ended:?}");
    ended.called_in_order(&[
        "PublishToSearchIndex",
        "PublishToSearchIndex",
        "RemoveFromSearchIndex",
        "UpdateListingStatus",
    ]);
    assert_eq!(place(&bench.book()), ("submitted", false));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_step_that_fails_gives_the_listing_back() {
    let services = open().await;
    for (operation, decided) in [
        (Operation::Checks, false),
        (Operation::Notices, false),
        (Operation::Documents, true),
    ] {
        let bench = bench_of(&services, if decided { clear() } else { doubtful() });
        bench.switch(operation, Switch::failing(3, 503));
        let ended = bench.kit.run("Approval", &listing());
        assert!(
            ended.failure().is("ExternalServiceError"),
            "{operation:?}: {ended:?}"
        );
        assert_eq!(place(&bench.book()), ("submitted", false), "{operation:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_withdrawn_meanwhile_stays_so() {
    let services = open().await;
    let withdraw = |bench: &Bench<'_>| change(bench, |it| it.status = "withdrawn".to_owned());

    for verdict in ["approve", "reject"] {
        let bench = bench_of(&services, doubtful());
        let mut review = bench.kit.start("Approval", &listing());
        review.until_called("NotifyReviewers");
        withdraw(&bench);
        review.at(HOUR, word(verdict));
        let ended = review.finish();
        assert!(ended.failure().is("Conflict"), "{verdict}: {ended:?}");
        ended.never_called("PublishToSearchIndex");
        assert_eq!(statuses(&bench), ["in_review"], "{verdict}");
        assert_eq!(place(&bench.book()), ("withdrawn", false), "{verdict}");
    }

    // And where it is in the index already.
    let bench = bench_of(&services, clear());
    let mut review = bench.kit.start("Approval", &listing());
    review.until_called("PublishToSearchIndex");
    withdraw(&bench);
    let ended = review.finish();
    assert!(ended.failure().is("Conflict"), "{ended:?}");
    assert_eq!(statuses(&bench), ["in_review", "approved"]);
    assert_eq!(place(&bench.book()), ("withdrawn", false));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_is_not_reviewed() {
    let services = open().await;
    let bench = bench_of(&services, live());
    let ended = bench.kit.run("Approval", &listing());
    assert!(ended.failure().is("Conflict"), "{ended:?}");
    let mut unknown = listing();
    unknown["listing_id"] = json!("l-9");
    let ended = bench.kit.run("Approval", &unknown);
    assert!(ended.failure().is("NotFound"), "{ended:?}");
    let mut crossed = listing();
    crossed["reject_below"] = json!(90);
    let ended = bench.kit.run("Approval", &crossed);
    assert!(ended.failure().is("ValidationError"), "{ended:?}");
    assert!(ended.steps().is_empty());
    assert!(statuses(&bench).is_empty());

    let mut free = clear();
    free.price = 0;
    let bench = bench_of(&services, free);
    let ended = bench.kit.run("Approval", &listing());
    assert!(ended.failure().is("ValidationError"), "{ended:?}");
    assert!(statuses(&bench).is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_index_is_insisted_on() {
    let services = open().await;
    // More failures than any preset but one without end has attempts; and what looks like a refusal.
    for (times, status) in [(5, 503), (3, 403)] {
        let bench = bench_of(&services, live());
        bench.switch(Operation::DocumentRemovals, Switch::failing(times, status));
        let ended = bench.kit.run("Expiration", &listing());
        assert_eq!(ended.result::<Value>()["expired"], true, "{status}");
        assert_eq!(place(&bench.book()), ("expired", false), "{status}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_expire_is_published_again() {
    let services = open().await;
    let bench = bench_of(&services, live());
    let mut waiting = bench.kit.start("Expiration", &listing());
    waiting.until_called("UpdateListingStatus");
    bench.switch(Operation::ListingStatuses, Switch::failing(1, 409));
    let mut ended = waiting.finish();
    assert!(ended.failure().is("Conflict"), "{ended:?}");
    ended.never_called("RemoveFromSearchIndex");
    let told = json!({ "compensations": [{ "name": "UpdateListingStatus", "tries": 1 }] });
    assert_eq!(ended.failure().details.last(), Some(&told));
    assert_eq!(statuses(&bench), ["expiring", "published"]);
    assert_eq!(place(&bench.book()), ("published", true));
    let expiry: Value = ended.query("expiry").unwrap();
    assert_eq!(expiry["step"], "failed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_does_not_expire() {
    let services = open().await;
    let bench = bench_of(&services, clear());
    let result: Value = bench.kit.run("Expiration", &listing()).result();
    assert_eq!(
        (&result["expired"], &result["status"]),
        (&false.into(), &"submitted".into())
    );

    let bench = bench_of(&services, live());
    change(&bench, |listing| listing.expires_at = None);
    let ended = bench.kit.run("Expiration", &listing());
    assert!(ended.failure().is("ValidationError"), "{ended:?}");
    let mut no_day = listing();
    no_day["expires_at"] = json!("2026-02-30T00:00:00Z");
    let ended = bench.kit.run("Expiration", &no_day);
    assert!(ended.failure().is("ValidationError"), "{ended:?}");
    let mut unknown = listing();
    unknown["listing_id"] = json!("l-9");
    let ended = bench.kit.run("Expiration", &unknown);
    assert!(ended.failure().is("NotFound"), "{ended:?}");
    assert!(statuses(&bench).is_empty());
}
