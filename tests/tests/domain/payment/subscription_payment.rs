//! `payment.SubscriptionPayment`: period by period, dunning, cancelled, changed.

use std::time::SystemTime;

use serde_json::{Value, json};
use tenterhook_tests::standin::{
    Book, Operation, Period, Subscription, SubscriptionStatus, Switch,
};

use crate::scene::{Scene, calls, failure_type, text_of};

/// Longer than any test runs.
const LONG_MS: u64 = 3_600_000;

/// A tenant with a subscription, `s-1`, whose last period is over.
async fn scene(tenant: &str, method: &str) -> Scene {
    let scene = Scene::open("payment", tenant).await;
    let subscription = Subscription {
        subscription_id: "s-1".to_owned(),
        customer_id: "c-1".to_owned(),
        plan: "basic".to_owned(),
        price: 1_900,
        currency: "EUR".to_owned(),
        period: Period::Month,
        payment_method: method.to_owned(),
        status: SubscriptionStatus::Active,
        started_at: "2025-10-31T00:00:00+01:00".to_owned(),
        period_start: "2025-12-31T00:00:00+01:00".to_owned(),
        period_end: "2026-01-31T00:00:00+01:00".to_owned(),
        cancel_at_period_end: false,
        history: Vec::new(),
    };
    scene.edit(|book| book.subscriptions.insert("s-1".to_owned(), subscription));
    scene
}

fn payments(period_ms: u64) -> Value {
    json!({
        "subscription_id": "s-1",
        "period_ms": period_ms,
        "dunning_ms": [20, 40],
        "grace_ms": 60,
        "retry_initial_ms": 20,
    })
}

fn subscription(book: &Book) -> &Subscription {
    &book.subscriptions["s-1"]
}

#[tokio::test]
async fn get_subscription_details_charge_update_subscription_sleep_and_again() {
    let scene = scene("payment-periods", "card").await;
    scene
        .start("SubscriptionPayment", "s-1", payments(300))
        .await;
    scene.until_book(|book| book.charges.len() >= 3).await;
    scene
        .world
        .signal("s-1", "cancel", Value::Null)
        .await
        .unwrap();
    let outcome = scene.world.outcome("s-1").await.unwrap();
    let result = &outcome["result"];
    assert_eq!(
        (&outcome["status"], &result["reason"]),
        (&json!("completed"), &json!("cancelled")),
        "{outcome:#}"
    );
    let book = scene.book();
    let charges = book.charges.len();
    assert_eq!(result["periods_paid"], charges);
    let mut ids: Vec<_> = book
        .charges
        .iter()
        .map(|charge| &charge.payment_id)
        .collect();
    assert_eq!(ids[0], "s-1:2026-01-30T23:00:00Z");
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(
        (ids.len(), book.refunds.len()),
        (charges, 0),
        "each period once"
    );
    assert!(
        book.charges
            .iter()
            .all(|charge| (charge.amount, charge.currency.as_str()) == (1_900, "EUR"))
    );
    assert_eq!(subscription(&book).status, SubscriptionStatus::Cancelled);
    // Each period is a run of its own: the last one only ends the subscription.
    let steps = scene.activities("s-1").await;
    assert_eq!(
        steps,
        ["GetSubscriptionDetails", "UpdateSubscription"],
        "the last run"
    );
}

#[tokio::test]
async fn a_wrong_change_of_plan_is_refused_at_the_door() {
    let scene = scene("payment-wrong-plan", "card").await;
    let input = payments(LONG_MS);
    scene.start("SubscriptionPayment", "s-1", input).await;
    scene
        .until_query("s-1", "status", |seen| seen["step"] == "sleeping")
        .await;
    let path = scene.world.path("workflows/s-1/signals/change_plan");
    let send = |plan: Value| {
        let (api, path) = (&scene.world.api, &path);
        async move { api.post(path, &json!({ "input": plan })).await.unwrap() }
    };
    let plan = |price: u64| json!({ "plan": "pro", "price": price, "currency": "EUR" });
    for wrong in [plan(0), json!({ "plan": "pro" }), json!("pro"), Value::Null] {
        let refused = send(wrong.clone()).await;
        assert_eq!(refused.code(), Some("input-invalid"), "{wrong}");
    }
    // It takes none, so it is not answered.
    let query = scene.world.query("s-1", "status", json!("now")).await;
    assert_eq!(query.unwrap().code(), Some("input-invalid"));
    let seen = scene.query("s-1", "status").await;
    assert_eq!(seen["next_plan"], Value::Null, "none of them arrived");
    send(plan(4_900)).await.ok().unwrap();
    let taken = |seen: &Value| seen["next_plan"] == "pro";
    scene.until_query("s-1", "status", taken).await;
    scene.world.cancel("s-1").await.unwrap();
    let outcome = scene.world.outcome("s-1").await.unwrap();
    assert_eq!(outcome["status"], "canceled", "{outcome:#}");
}

#[tokio::test]
async fn the_calendar_says_when_a_period_ends() {
    let scene = scene("payment-calendar", "card").await;
    let mut input = payments(LONG_MS);
    input.as_object_mut().unwrap().remove("period_ms");
    // From January on, month after month, until today: the day of the first counts, not that of the last.
    // The runs of the periods that were missed sleep for no time at all.
    scene.start("SubscriptionPayment", "s-1", input).await;
    let now = text_of(SystemTime::now());
    scene
        .until_query("s-1", "status", |seen| {
            let ahead = seen["period_end"]
                .as_str()
                .is_some_and(|end| end > now.as_str());
            seen["step"] == "sleeping" && ahead
        })
        .await;
    let book = scene.book();
    let ends: Vec<_> = subscription(&book)
        .history
        .iter()
        .map(|change| change["period_end"].as_str().unwrap())
        .collect();
    assert_eq!(
        ends[..3],
        [
            "2026-02-27T23:00:00Z",
            "2026-03-30T23:00:00Z",
            "2026-04-29T23:00:00Z"
        ]
    );
    assert_eq!(book.charges.len(), ends.len(), "each period once");
    scene.world.cancel("s-1").await.unwrap();
    assert_eq!(
        scene.world.outcome("s-1").await.unwrap()["status"],
        "canceled"
    );
    let book = scene.book();
    assert_eq!(
        (subscription(&book).status, book.refunds.len()),
        (SubscriptionStatus::Active, 0)
    );
}

#[tokio::test]
async fn change_plan_holds_from_the_next_period_on() {
    let scene = scene("payment-plan", "card").await;
    scene
        .start("SubscriptionPayment", "s-1", payments(1_500))
        .await;
    scene
        .until_query("s-1", "status", |seen| seen["step"] == "sleeping")
        .await;
    let pro = json!({ "plan": "pro", "price": 4_900, "currency": "EUR" });
    scene.world.signal("s-1", "change_plan", pro).await.unwrap();
    let book = scene.until_book(|book| book.charges.len() >= 2).await;
    assert_eq!(
        [book.charges[0].amount, book.charges[1].amount],
        [1_900, 4_900]
    );
    assert_eq!(subscription(&book).plan, "pro");
    scene
        .world
        .signal("s-1", "cancel", Value::Null)
        .await
        .unwrap();
    assert_eq!(
        scene.world.outcome("s-1").await.unwrap()["status"],
        "completed"
    );
}

#[tokio::test]
async fn dunning_then_past_due_then_cancelled() {
    let scene = scene("payment-dunning", "card_declined").await;
    let outcome = scene
        .run("SubscriptionPayment", "s-1", payments(LONG_MS))
        .await;
    let result = &outcome["result"];
    assert_eq!(
        (&result["reason"], &result["periods_paid"]),
        (&json!("not_paid"), &json!(0)),
        "{outcome:#}"
    );
    let book = scene.book();
    let charges = book.counts(Operation::Charges);
    assert_eq!(
        (charges.calls, charges.refused, charges.repeated),
        (4, 4, 0),
        "at once, twice, and a last time"
    );
    let history = &subscription(&book).history;
    assert_eq!(
        history[..],
        [
            json!({ "status": "past_due" }),
            json!({ "status": "cancelled" })
        ]
    );
}

#[tokio::test]
async fn what_is_paid_in_the_dunning_is_paid() {
    let scene = scene("payment-late", "card_declined").await;
    let mut input = payments(LONG_MS);
    input["dunning_ms"] = json!([20, 2_000]);
    scene.start("SubscriptionPayment", "s-1", input).await;
    // The customer changes the card before the next try.
    scene
        .until_query("s-1", "status", |seen| seen["declined"] == 2)
        .await;
    scene
        .edit(|book| book.subscriptions.get_mut("s-1").unwrap().payment_method = "card".to_owned());
    let seen = scene
        .until_query("s-1", "status", |seen| seen["step"] == "sleeping")
        .await;
    assert_eq!(
        (&seen["declined"], &seen["periods_paid"]),
        (&json!(2), &json!(1)),
        "{seen:#}"
    );
    let book = scene.book();
    assert_eq!(
        (book.charges.len(), subscription(&book).status),
        (1, SubscriptionStatus::Active)
    );
    scene.world.cancel("s-1").await.unwrap();
}

#[tokio::test]
async fn who_cancels_in_the_dunning_pays_nothing() {
    let scene = scene("payment-give-up", "card_declined").await;
    let mut input = payments(LONG_MS);
    input["grace_ms"] = json!(LONG_MS);
    scene.start("SubscriptionPayment", "s-1", input).await;
    let seen = scene
        .until_query("s-1", "status", |seen| seen["step"] == "past_due")
        .await;
    assert_eq!(seen["declined"], 3, "{seen:#}");
    assert_eq!(
        subscription(&scene.book()).status,
        SubscriptionStatus::PastDue
    );
    scene
        .world
        .signal("s-1", "cancel", Value::Null)
        .await
        .unwrap();
    let outcome = scene.world.outcome("s-1").await.unwrap();
    assert_eq!(outcome["result"]["reason"], "cancelled", "{outcome:#}");
    assert!(scene.book().charges.is_empty());
}

#[tokio::test]
async fn a_charge_without_an_answer_is_not_made_twice() {
    let scene = scene("payment-unclear", "card").await;
    // Booked once, and found booked again; the first six times nobody hears of it.
    let lost = Switch {
        drop_after_booking: 6,
        ..Switch::default()
    };
    scene.switch(Operation::Charges, lost);
    scene
        .start("SubscriptionPayment", "s-1", payments(LONG_MS))
        .await;
    scene
        .until_query("s-1", "status", |seen| seen["step"] == "sleeping")
        .await;
    let book = scene.book();
    assert_eq!(
        (book.charges.len(), calls(&book, Operation::Charges)),
        (1, 7)
    );
    scene.world.cancel("s-1").await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_booked_is_refunded() {
    let scene = scene("payment-refund", "card").await;
    scene.switch(Operation::SubscriptionChanges, Switch::failing(1, 409));
    let outcome = scene
        .run("SubscriptionPayment", "s-1", payments(LONG_MS))
        .await;
    assert_eq!(
        (&outcome["status"], failure_type(&outcome)),
        (&json!("failed"), "Conflict"),
        "{outcome:#}"
    );
    let book = scene.book();
    assert_eq!((book.charges.len(), book.refunds.len()), (1, 1));
    assert_eq!(book.refunds[0].charge_id, book.charges[0].charge_id);
    assert_eq!(scene.query("s-1", "status").await["step"], "failed");
}

#[tokio::test]
async fn an_unknown_subscription_and_a_wrong_input_fail() {
    let scene = scene("payment-wrong", "card").await;
    let mut unknown = payments(LONG_MS);
    unknown["subscription_id"] = json!("s-9");
    let outcome = scene.run("SubscriptionPayment", "s-9", unknown).await;
    assert_eq!(failure_type(&outcome), "NotFound", "{outcome:#}");
    for (field, wrong) in [
        ("period_ms", json!(0)),
        ("dunning_ms", json!([0])),
        ("grace_ms", json!("long")),
    ] {
        let mut input = payments(LONG_MS);
        input[field] = wrong;
        let refused = scene.refused("SubscriptionPayment", "s-1", input).await;
        assert_eq!(
            refused.code(),
            Some("input-invalid"),
            "{field}: {refused:?}"
        );
    }
    scene.edit(|book| {
        book.subscriptions.get_mut("s-1").unwrap().status = SubscriptionStatus::Cancelled
    });
    let outcome = scene
        .run("SubscriptionPayment", "s-1", payments(LONG_MS))
        .await;
    assert_eq!(outcome["result"]["reason"], "cancelled", "{outcome:#}");
    assert!(scene.book().charges.is_empty());
}
