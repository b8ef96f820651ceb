//! The services that analytics asks, and what is in their books before anything begins.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tenterhook_testkit::{Ended, Message};
use tenterhook_tests::services::{Bench, Services};
use tenterhook_tests::standin::{Book, Happening, Reminder, StoredItem};

/// The services' configuration keys, without `_url`, and the names of the same in the stand-in.
const SERVICES: &[&str] = &["analytics", "objects", "log", "items", "reminders", "mail"];

/// Items that are old enough to go, in every book.
pub(crate) const OLD: usize = 60;
/// Items of one run, so that it takes two.
const ROUND: usize = 40;
/// Where the report of the day before a kit begins is stored.
pub(crate) const REPORT: &str = "reports/sales/2025-12-31.json";

/// The services of one test.
pub(crate) async fn open() -> Services {
    Services::open("analytics", SERVICES, furnish)
        .await
        .unwrap()
}

/// Runs a workflow under an id of its own, where another ran before: keys of requests are made of the id.
pub(crate) fn run_as(bench: &Bench<'_>, id: &str, name: &str, input: &Value) -> Ended {
    bench.kit.start_as(id, name, input).finish()
}

/// Runs a workflow that is asked to end when its step `after` has ended.
pub(crate) fn cancel_after(bench: &Bench<'_>, name: &str, input: &Value, after: &str) -> Ended {
    let mut execution = bench.kit.start(name, input);
    execution.after(after, Message::cancel());
    execution.finish()
}

/// Two sources with figures at the edges of a day, old items and a new one, and a reminder.
fn furnish(book: &mut Book) {
    let happenings = |list: &[(&str, i64)]| -> Vec<Happening> {
        let list = list.iter();
        list.map(|(at, value)| Happening {
            at: (*at).to_owned(),
            metric: "revenue_eur".to_owned(),
            value: *value,
        })
        .collect()
    };
    // The last day of 2025 in UTC+1, and a moment before and after it.
    let shop = happenings(&[
        ("2025-12-30T22:59:59Z", 1),
        ("2025-12-30T23:00:00Z", 10),
        ("2025-12-31T22:59:59Z", 100),
        ("2025-12-31T23:00:00Z", 1_000),
    ]);
    let app = happenings(&[("2025-12-31T12:00:00+01:00", 5)]);
    book.sources.insert("shop".to_owned(), shop);
    book.sources.insert("app".to_owned(), app);
    for number in 0..OLD {
        let old = item("2025-01-01T00:00:00Z", number);
        book.items.present.insert(format!("i-{number:05}"), old);
    }
    let new = item("2025-12-01T00:00:00Z", OLD);
    book.items.present.insert("new".to_owned(), new);
    let reminder = Reminder {
        reminder_id: "r-1".to_owned(),
        user_id: "u-1".to_owned(),
        to: "ada@shop.example".to_owned(),
        subject: "Your trial ends".to_owned(),
        body: "In three days.".to_owned(),
        wanted: true,
        sent_at: None,
    };
    book.reminders.insert("r-1".to_owned(), reminder);
}

fn item(changed_at: &str, number: usize) -> StoredItem {
    StoredItem {
        collection: "logs".to_owned(),
        changed_at: changed_at.to_owned(),
        content: json!({ "number": number }),
    }
}

/// The numbers of the items in all parts of all backups.
pub(crate) fn backed_up(book: &Book) -> BTreeSet<u64> {
    let parts = book.objects.iter();
    let parts = parts.filter(|(name, _)| name.starts_with("backups/logs/"));
    let items = parts.flat_map(|(_, part)| part.content.as_array().unwrap());
    items
        .map(|item| item["content"]["number"].as_u64().unwrap())
        .collect()
}

/// The field `name` of what is on record as `kind`, in its order.
pub(crate) fn on_record(book: &Book, kind: &str, name: &str) -> Vec<Value> {
    let entries = book.log.iter().filter(|entry| entry.kind == kind);
    entries.map(|entry| entry.facts[name].clone()).collect()
}

/// A report of the day before, of both sources.
pub(crate) fn report() -> Value {
    json!({ "report": "sales", "sources": ["shop", "app"], "utc_offset": "+01:00" })
}

pub(crate) fn cleanup() -> Value {
    json!({
        "collection": "logs",
        "older_than": "2025-06-01T00:00:00+02:00",
        "batch_size": 25,
        "round_items": ROUND,
    })
}

/// Twenty hours after a kit begins.
pub(crate) fn reminder() -> Value {
    json!({ "reminder_id": "r-1", "scheduled_at": "2026-01-02T09:00:00+01:00" })
}
