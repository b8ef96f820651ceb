//! The story, as a person reads it.

use std::time::Duration;

use serde_json::Value;
use tenterhook_tests::host::Host;
use tenterhook_tests::standin::{Book, StandIn};

use crate::audit::{Step, failure_type};
use crate::payment::Payment;

/// Where everything is.
pub(crate) fn opening(host: &Host, standin: &StandIn, took: Duration) {
    println!("The host is ready after {:.1} s.\n", took.as_secs_f32());
    addresses(host, standin);
}

/// A tenant and what was pushed to it.
pub(crate) fn tenant(tenant: &str, release: &Value) {
    let text = |key: &str| release[key].as_str().unwrap_or("?").to_owned();
    println!("\n{tenant}/production");
    println!(
        "  pushed payment {} to the running host: {}, {}",
        text("version"),
        text("digest"),
        text("state")
    );
    let checks = release["checks"].as_array().map_or(0, Vec::len);
    if checks > 0 {
        println!("  {checks} checks passed; configuration and grants are {tenant}'s own");
    }
}

/// One payment: what ran, what was undone, what the books say.
pub(crate) fn payment(
    payment: &Payment,
    outcome: &Value,
    steps: &[Step],
    book: &Book,
    took: Duration,
) {
    let status = outcome["status"].as_str().unwrap_or("?");
    println!(
        "\n  {}: {}, {}",
        payment.id,
        euros(payment.amount),
        payment.shows
    );
    let digest = outcome["digest"].as_str().map(short).unwrap_or_default();
    println!("    {status} after {:.1} s on {digest}", took.as_secs_f32());
    if let Some(kind) = failure_type(&outcome["failure"]) {
        println!("    why       {kind}: {}", message(&outcome["failure"]));
    }
    let (did, undid) = steps.split_at(steps.len().saturating_sub(payment.expected.compensations));
    println!("    ran       {}", names(did));
    if !undid.is_empty() {
        println!("    undid     {}", names(undid));
    }
    println!("    the books {}", books(payment, book));
}

/// Whether story and books agree.
pub(crate) fn verdict(mismatches: &[String]) {
    if mismatches.is_empty() {
        println!("\nThe providers' books say the same: every charge once, every failure undone.");
        return;
    }
    println!("\nThe story and the providers' books do NOT agree:");
    for mismatch in mismatches {
        println!("  - {mismatch}");
    }
}

/// What to look at while everything is kept running.
pub(crate) fn still_running(host: &Host, standin: &StandIn) {
    println!("\nEverything keeps running until Ctrl-C.\n");
    addresses(host, standin);
    println!("  data folder  {}", host.data_dir().display());
    println!(
        "  books        http://{}/acme/books, /globex/books",
        standin.address()
    );
}

fn addresses(host: &Host, standin: &StandIn) {
    println!("  API          {}", host.api.address());
    if let Some(ui) = crate::noted(host.data_dir(), "temporal-ui-address") {
        println!("  Temporal UI  {ui}");
    }
    println!("  providers    http://{}", standin.address());
}

fn names(steps: &[Step]) -> String {
    let name = |step: &Step| {
        let mut name = step.name.clone();
        if step.attempts > 1 {
            name = format!("{name} ({} attempts)", step.attempts);
        }
        if !step.completed {
            name = format!("{name} ✗");
        }
        name
    };
    steps.iter().map(name).collect::<Vec<_>>().join(" → ")
}

fn books(payment: &Payment, book: &Book) -> String {
    let charges: Vec<_> = book
        .charges
        .iter()
        .filter(|charge| charge.payment_id == payment.id)
        .collect();
    let charged: u64 = charges.iter().map(|charge| charge.amount).sum();
    let refunded: u64 = charges
        .iter()
        .flat_map(|charge| book.refunds_of(&charge.charge_id))
        .map(|refund| refund.amount)
        .sum();
    let mut said = match (charges.len(), refunded) {
        (0, _) => vec!["nothing charged".to_owned()],
        (_, 0) => vec![format!("charged {}", euros(charged))],
        (_, _) => vec![format!(
            "charged {}, refunded {}",
            euros(charged),
            euros(refunded)
        )],
    };
    for held in book
        .reservations
        .iter()
        .filter(|held| held.order_id == payment.order)
    {
        let state = if held.released { "released" } else { "held" };
        said.push(format!("reservation {} {state}", held.reservation_id));
    }
    if let Some(order) = book.orders.get(payment.order) {
        said.push(format!("order {}", order.history.join(", then ")));
    }
    let shipped = book
        .shipments
        .iter()
        .find(|shipment| shipment.order_id == payment.order);
    said.push(shipped.map_or("not shipped".to_owned(), |it| {
        format!("shipped as {}", it.shipment_id)
    }));
    said.join("; ")
}

/// The innermost message of a failure: what the activity said.
fn message(failure: &Value) -> String {
    match failure.get("cause").filter(|cause| cause.is_object()) {
        Some(cause) => message(cause),
        None => failure["message"].as_str().unwrap_or_default().to_owned(),
    }
}

fn euros(minor: u64) -> String {
    format!("EUR {}.{:02}", minor / 100, minor % 100)
}

/// Enough of a digest to recognise it.
fn short(digest: &str) -> &str {
    const CHARACTERS: usize = "sha256:".len() + 12;
    digest.get(..CHARACTERS).unwrap_or(digest)
}
