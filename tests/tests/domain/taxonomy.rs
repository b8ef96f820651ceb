//! The error taxonomy: what comes of each type of failure, told from histories on a real server.
//!
//! Most of it is met by `payment.ProcessPayment`, whose charge has ten attempts. No shipped plugin keeps key-value state,
//! which is what fails as `DatabaseError`: that is shown by `test-workflows`.

use serde_json::{Value, json};
use tenterhook_tests::standin::{Operation, Switch};

use crate::scene::{Scene, calls, failure_type};

const CHARGE: &str = "ProcessPaymentGateway";
/// What the provider asks for; the policy alone would wait for [`PAUSE_MS`].
const RETRY_AFTER_SECONDS: u64 = 2;
const PAUSE_MS: u64 = 20;
/// Failures in a row that open a circuit.
const FAILURES_TO_OPEN: u64 = 7;

/// An activity that has ended, as its history has it.
#[derive(Debug)]
struct Tried {
    scheduled_at: u64,
    /// The last attempt, when it began, and why the one before failed.
    attempt: u64,
    started_at: u64,
    failure: String,
}

fn payment(id: &str, sku: &str) -> Value {
    json!({
        "payment_id": id,
        "order_id": "o-1",
        "customer_id": "c-1",
        "amount": 4_200,
        "currency": "EUR",
        "method": "card",
        "items": [{ "sku": sku, "quantity": 1 }],
        "retry_initial_ms": PAUSE_MS,
    })
}

/// The first call of the activity `name`, in an execution that runs one after the other.
async fn tried(scene: &Scene, id: &str, name: &str) -> Tried {
    let names = scene.activities(id).await;
    let at = names.iter().position(|it| it == name);
    let at = at.unwrap_or_else(|| panic!("{name} was not called: {names:?}"));
    let events = scene.world.events(id).await.unwrap();
    let of = |kind: &str| {
        let mut all = events.iter().filter(|event| event["type"] == kind);
        all.nth(at).unwrap()
    };
    let (scheduled, started) = (of("ActivityTaskScheduled"), of("ActivityTaskStarted"));
    let number = |value: &Value| value.as_u64().unwrap();
    Tried {
        scheduled_at: number(&scheduled["time"]),
        attempt: number(&started["attempt"]),
        started_at: number(&started["time"]),
        failure: started["failure"].as_str().unwrap_or_default().to_owned(),
    }
}

/// How the last attempt failed of the activity that is under way.
fn last_failure(description: &Value) -> &Value {
    &description["pending_activities"][0]["last_failure"]
}

#[tokio::test]
async fn rate_limited_is_tried_again_when_the_provider_says() {
    let scene = Scene::open("payment", "taxonomy-limited").await;
    let limited = Switch {
        retry_after: Some(RETRY_AFTER_SECONDS),
        ..Switch::failing(1, 429)
    };
    scene.switch(Operation::Charges, limited);
    let outcome = scene
        .run("ProcessPayment", "p-1", payment("p-1", "tea"))
        .await;
    assert_eq!(outcome["status"], "completed", "{outcome:#}");
    let charge = tried(&scene, "p-1", CHARGE).await;
    assert_eq!(charge.attempt, 2, "{charge:?}");
    assert!(charge.failure.starts_with("RateLimited: "), "{charge:?}");
    let waited = charge.started_at - charge.scheduled_at;
    assert!(waited >= RETRY_AFTER_SECONDS * 1_000, "{waited} ms");
    assert_eq!(calls(&scene.book(), Operation::Charges), 2);
}

#[tokio::test]
async fn what_another_attempt_may_mend_is_tried_again() {
    let scene = Scene::open("payment", "taxonomy-again").await;
    let cut = Switch {
        drop_after_booking: 1,
        ..Switch::default()
    };
    for (kind, switch) in [
        ("ExternalServiceError", Switch::failing(1, 503)),
        ("ExternalServiceError", Switch::failing(1, 408)),
        ("NetworkError", cut),
    ] {
        let id = format!("p-{}-{}", kind.to_lowercase(), switch.status);
        let before = calls(&scene.book(), Operation::Charges);
        scene.switch(Operation::Charges, switch);
        let outcome = scene.run("ProcessPayment", &id, payment(&id, "tea")).await;
        assert_eq!(outcome["status"], "completed", "{outcome:#}");
        let charge = tried(&scene, &id, CHARGE).await;
        assert_eq!(charge.attempt, 2, "{charge:?}");
        let begins = format!("{kind}: ");
        assert!(charge.failure.starts_with(&begins), "{charge:?}");
        assert_eq!(calls(&scene.book(), Operation::Charges), before + 2);
    }
    // Also the one whose answer was cut off is charged once.
    assert_eq!(scene.book().charges.len(), 3);
}

#[tokio::test]
async fn what_stays_wrong_is_tried_once() {
    let scene = Scene::open("payment", "taxonomy-once").await;
    for (status, kind) in [
        (400, "ValidationError"),
        (401, "AuthorizationError"),
        (403, "AuthorizationError"),
        (404, "NotFound"),
        (409, "Conflict"),
        (422, "ValidationError"),
    ] {
        let id = format!("p-{status}");
        let before = calls(&scene.book(), Operation::Charges);
        scene.switch(Operation::Charges, Switch::failing(1, status));
        let outcome = scene.run("ProcessPayment", &id, payment(&id, "tea")).await;
        assert_eq!(
            (&outcome["status"], failure_type(&outcome)),
            (&json!("failed"), kind),
            "{status}: {outcome:#}"
        );
        assert_eq!(outcome["failure"]["non_retryable"], true, "{outcome:#}");
        let charge = tried(&scene, &id, CHARGE).await;
        assert_eq!(
            (charge.attempt, charge.failure.as_str()),
            (1, ""),
            "{status}"
        );
        let after = calls(&scene.book(), Operation::Charges);
        assert_eq!(after, before + 1, "{status}");
    }
    let book = scene.book();
    assert!(book.charges.is_empty(), "{:?}", book.charges);
    assert!(book.reservations.iter().all(|it| it.released));
}

#[tokio::test]
async fn a_service_that_keeps_failing_is_left_alone_and_asked_again_later() {
    let scene = Scene::open("payment", "taxonomy-circuit").await;
    // What undoes a reservation is tried without end, so that the test says when the service is well again.
    scene.switch(Operation::Releases, Switch::failing(u64::MAX, 503));
    let mut input = payment("p-1", "unshippable");
    input["retry_initial_ms"] = json!(1);
    scene.start("ProcessPayment", "p-1", input).await;
    let refused = scene.world.until("p-1", |seen| {
        let why = last_failure(seen)["message"].as_str();
        why.is_some_and(|why| why.contains("outbound-circuit-open"))
    });
    let seen = refused.await.unwrap();
    let failure = last_failure(&seen);
    assert_eq!(
        (&failure["type"], &failure["non_retryable"]),
        (&json!("ExternalServiceError"), &json!(false)),
        "{failure:#}"
    );
    let attempt = seen["pending_activities"][0]["attempt"].as_u64().unwrap();
    assert!(attempt > FAILURES_TO_OPEN, "{seen:#}");
    let path = "/v1/tenants/taxonomy-circuit/circuits";
    let circuits = scene.world.api.get(path).await.unwrap().ok().unwrap();
    let circuit = &circuits["items"][0];
    let destination = format!("http://{}", scene.standin.address());
    assert_eq!(circuit["destination"], destination, "{circuits:#}");
    assert_ne!(circuit["state"], "closed", "{circuits:#}");

    scene.switch(Operation::Releases, Switch::default());
    let outcome = scene.end_of("p-1").await;
    assert_eq!(
        (&outcome["status"], failure_type(&outcome)),
        (&json!("failed"), "ValidationError"),
        "{outcome:#}"
    );
    let told = &outcome["failure"]["details"][1]["compensations"];
    let release = json!({ "name": "ReleaseInventory", "tries": 1 });
    assert_eq!(told[1], release, "{outcome:#}");
    // Of the attempts that were refused, none arrived.
    let arrived = calls(&scene.book(), Operation::Releases);
    let release = tried(&scene, "p-1", "ReleaseInventory").await;
    assert!(arrived < release.attempt, "{arrived} arrived: {release:?}");
    assert!(scene.book().reservations[0].released);
}

#[tokio::test]
async fn database_error_is_tried_again() {
    let scene = Scene::open("test-workflows", "taxonomy-database").await;
    let granted = |keys: u64| json!({ "keyvalue": true, "limits": { "keyvalue_keys": keys } });
    let plugin = "test-workflows";
    scene.world.grant(plugin, &granted(0)).await.unwrap();
    let run = |attempts: u64| {
        json!({
            "activity": "AddToCounter",
            "input": 5,
            "attempts": attempts,
            "retry_initial_ms": PAUSE_MS,
            "fails": true,
        })
    };
    let outcome = scene.run("RunsActivity", "thrice", run(3)).await;
    assert_eq!(
        (&outcome["status"], failure_type(&outcome)),
        (&json!("failed"), "DatabaseError"),
        "{outcome:#}"
    );
    let add = tried(&scene, "thrice", "AddToCounter").await;
    assert_eq!(add.attempt, 3, "{add:?}");
    assert!(add.failure.starts_with("DatabaseError: "), "{add:?}");

    // And it is well once the state can be written.
    scene.start("RunsActivity", "until", run(0)).await;
    let failing = |seen: &Value| last_failure(seen)["type"] == "DatabaseError";
    scene.world.until("until", failing).await.unwrap();
    scene.world.grant(plugin, &granted(10)).await.unwrap();
    let outcome = scene.world.outcome("until").await.unwrap();
    assert_eq!(outcome["result"]["result"], 5, "{outcome:#}");
    let add = tried(&scene, "until", "AddToCounter").await;
    assert!(add.attempt > 1, "{add:?}");
}
