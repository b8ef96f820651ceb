//! The services that the plugin asks, and what is in their books before anything begins.

use std::time::Duration;

use serde_json::{Value, json};
use tenterhook_testkit::Message;
use tenterhook_tests::services::{Bench, Services};
use tenterhook_tests::standin::{Book, Listing};

/// The services' configuration keys, without `_url`, and the names of the same in the stand-in.
const SERVICES: &[&str] = &["listings", "checks", "reviewers", "search"];

pub(crate) const HOUR: Duration = Duration::from_secs(60 * 60);
pub(crate) const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// How long reviewers have, and how long once more after the escalation.
pub(crate) const REVIEW: Duration = Duration::from_secs(48 * 60 * 60);
/// When what is published expires: ten days after tests begin.
pub(crate) const EXPIRES_AT: &str = "2026-01-11T12:00:00Z";
pub(crate) const EXPIRES: Duration = Duration::from_secs(10 * 24 * 60 * 60);
/// When it is marked: three days before that.
pub(crate) const WARNS: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The services of one test.
pub(crate) async fn open() -> Services {
    Services::open("listing", SERVICES, |_| ()).await.unwrap()
}

/// A kit whose activities run, and a book with `listing`.
pub(crate) fn bench_of(services: &Services, listing: Listing) -> Bench<'_> {
    let bench = services.bench();
    bench.edit(|book| enter(book, listing));
    bench
}

/// Enters `listing`, as far as its status says it has come.
pub(crate) fn enter(book: &mut Book, listing: Listing) {
    if listing.status == "published" {
        let document = json!({ "title": listing.title });
        book.documents.insert("l-1".to_owned(), document);
    }
    book.listings.insert("l-1".to_owned(), listing);
}

/// Changes the one listing.
pub(crate) fn change(bench: &Bench<'_>, change: impl FnOnce(&mut Listing)) {
    bench.edit(|book| change(book.listings.get_mut("l-1").unwrap()));
}

/// The statuses that the listing was given, in their order.
pub(crate) fn statuses(bench: &Bench<'_>) -> Vec<String> {
    let book = bench.book();
    let history = book.listings["l-1"].history.iter();
    history
        .map(|it| it["status"].as_str().unwrap().to_owned())
        .collect()
}

/// The one listing's status, and whether it can be found.
pub(crate) fn place(book: &Book) -> (&str, bool) {
    let found = book.documents.contains_key("l-1");
    (book.listings["l-1"].status.as_str(), found)
}

/// One that scores 100.
pub(crate) fn clear() -> Listing {
    Listing {
        listing_id: "l-1".to_owned(),
        seller_id: "s-1".to_owned(),
        title: "Lamp".to_owned(),
        description: "A lamp with a shade of linen, as good as new, with its cable.".to_owned(),
        price: 1_200,
        currency: "EUR".to_owned(),
        images: 2,
        status: "submitted".to_owned(),
        expires_at: None,
        history: Vec::new(),
    }
}

/// One that scores 75: a reviewer's.
pub(crate) fn doubtful() -> Listing {
    Listing {
        description: "Shines.".to_owned(),
        ..clear()
    }
}

/// One that scores 5.
pub(crate) fn hopeless() -> Listing {
    Listing {
        description: "Counterfeit.".to_owned(),
        images: 0,
        ..clear()
    }
}

/// One that is live, and expires.
pub(crate) fn live() -> Listing {
    Listing {
        status: "published".to_owned(),
        expires_at: Some(EXPIRES_AT.to_owned()),
        ..clear()
    }
}

/// The input of an approval or an expiration.
pub(crate) fn listing() -> Value {
    json!({ "listing_id": "l-1" })
}

/// A reviewer's word: `approve` or `reject`.
pub(crate) fn word(verdict: &str) -> Message {
    let why = json!({ "reviewer": "r-1", "comment": "seen" });
    Message::signal(verdict, &why)
}

pub(crate) fn extend(until: &str) -> Message {
    Message::signal("extend", &json!({ "until": until }))
}
