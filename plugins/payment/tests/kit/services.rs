//! The services that payments ask, and what is in their books before anything begins.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use tenterhook_testkit::Execution;
use tenterhook_tests::services::{Bench, Services};
use tenterhook_tests::standin::{Book, Period, Subscription, SubscriptionStatus};

/// The services' configuration keys, without `_url`, and the names of the same in the stand-in.
const SERVICES: &[&str] = &[
    "gateway",
    "inventory",
    "orders",
    "fulfillment",
    "subscriptions",
];

/// When the period before the first that is charged is over, and the two after it: an hour in Berlin, all in winter.
pub(crate) const JANUARY: &str = "2026-01-01T08:00:00Z";
pub(crate) const FEBRUARY: &str = "2026-02-01T08:00:00Z";
pub(crate) const MARCH: &str = "2026-03-01T08:00:00Z";

/// The card that the gateway declines.
pub(crate) const DECLINED: &str = "card_declined";

/// The services of one test.
pub(crate) async fn open() -> Services {
    Services::open("payment", SERVICES, furnish).await.unwrap()
}

/// Has somebody else change the subscription.
pub(crate) fn change(bench: &Bench<'_>, act: impl FnOnce(&mut Subscription)) {
    bench.edit(|book| act(book.subscriptions.get_mut("s-1").unwrap()));
}

/// The workflow, begun.
pub(crate) fn start(bench: &Bench<'_>) -> Execution {
    bench.kit.start("SubscriptionPayment", &payments())
}

/// The subscription `s-1`.
fn furnish(book: &mut Book) {
    book.subscriptions.insert("s-1".to_owned(), subscription());
}

/// One of EUR 19.00 a month, whose last period was over four hours before a kit begins.
fn subscription() -> Subscription {
    Subscription {
        subscription_id: "s-1".to_owned(),
        customer_id: "c-1".to_owned(),
        plan: "basic".to_owned(),
        price: 1_900,
        currency: "EUR".to_owned(),
        period: Period::Month,
        payment_method: "card".to_owned(),
        status: SubscriptionStatus::Active,
        started_at: "2025-11-01T09:00:00+01:00".to_owned(),
        period_start: "2025-12-01T09:00:00+01:00".to_owned(),
        period_end: "2026-01-01T09:00:00+01:00".to_owned(),
        cancel_at_period_end: false,
        history: Vec::new(),
    }
}

pub(crate) fn payments() -> Value {
    json!({ "subscription_id": "s-1" })
}

pub(crate) fn pro() -> Value {
    json!({ "plan": "pro", "price": 4_900, "currency": "EUR" })
}

pub(crate) const fn days(days: u64) -> Duration {
    Duration::from_secs(days * 24 * 3_600)
}

pub(crate) fn status(book: &Book) -> SubscriptionStatus {
    book.subscriptions["s-1"].status
}

/// The ids and amounts of the charges whose money was not given back. None of them is there twice.
pub(crate) fn kept(book: &Book) -> Vec<(String, u64)> {
    let refunded: BTreeSet<_> = book.refunds.iter().map(|it| &it.charge_id).collect();
    let kept = book.charges.iter();
    let kept = kept.filter(|it| !refunded.contains(&it.charge_id));
    let kept: Vec<_> = kept.map(|it| (it.payment_id.clone(), it.amount)).collect();
    let distinct: BTreeSet<_> = kept.iter().map(|(id, _)| id).collect();
    assert_eq!(distinct.len(), kept.len(), "a period paid twice: {kept:?}");
    kept
}

/// The charge of the period that begins at `start`.
pub(crate) fn charge(start: &str, amount: u64) -> (String, u64) {
    (format!("s-1:{start}"), amount)
}

/// When the periods begin that were written down as paid.
pub(crate) fn booked(book: &Book) -> Vec<&str> {
    let history = book.subscriptions["s-1"].history.iter();
    history
        .filter_map(|change| change["period_start"].as_str())
        .collect()
}
