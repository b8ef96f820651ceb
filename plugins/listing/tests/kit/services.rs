//! The services that the plugin asks, and what is in their books before anything begins.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tenterhook_testkit::{Kit, Message, Plugin};
use tenterhook_tests::standin::{Book, Listing, Operation, StandIn, Switch};

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

/// The services of one test. Each kit has a book of its own.
pub(crate) struct Services {
    standin: StandIn,
    books: AtomicUsize,
}

/// A kit, and the book that its plugin writes into.
pub(crate) struct Bench<'a> {
    pub(crate) kit: Kit,
    services: &'a Services,
    book: String,
}

impl Services {
    pub(crate) async fn open() -> Self {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self {
            standin: StandIn::start_closing(address).await.unwrap(),
            books: AtomicUsize::new(0),
        }
    }

    /// A kit whose activities run, and a book with `listing`.
    pub(crate) fn bench(&self, listing: Listing) -> Bench<'_> {
        let mut kit = Kit::new(&plugin());
        let book = self.connect(&mut kit, listing);
        Bench {
            kit,
            services: self,
            book,
        }
    }

    /// Has the activities of a kit run, on a furnished book; answers its name.
    pub(crate) fn connect(&self, kit: &mut Kit, listing: Listing) -> String {
        let book = format!("book-{}", self.books.fetch_add(1, Ordering::Relaxed));
        kit.all_real()
            .grant_http(&self.standin.address().to_string());
        let base = self.standin.base_url(&book);
        for service in SERVICES {
            kit.configure(&format!("{service}_url"), &format!("{base}/{service}"));
        }
        self.standin.edit(&book, |book| {
            if listing.status == "published" {
                let document = json!({ "title": listing.title });
                book.documents.insert("l-1".to_owned(), document);
            }
            book.listings.insert("l-1".to_owned(), listing);
        });
        book
    }

    pub(crate) fn book(&self, name: &str) -> Book {
        self.standin.book(name)
    }
}

/// The component that is tested.
pub(crate) fn plugin() -> Plugin {
    Plugin::guest("listing")
}

impl Bench<'_> {
    pub(crate) fn book(&self) -> Book {
        self.services.book(&self.book)
    }

    /// Changes the one listing.
    pub(crate) fn edit(&self, change: impl FnOnce(&mut Listing)) {
        let book = |book: &mut Book| change(book.listings.get_mut("l-1").unwrap());
        self.services.standin.edit(&self.book, book);
    }

    /// The statuses that the listing was given, in their order.
    pub(crate) fn statuses(&self) -> Vec<String> {
        let book = self.book();
        let history = book.listings["l-1"].history.iter();
        history
            .map(|it| it["status"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Has an operation of the services misbehave.
    pub(crate) fn switch(&self, operation: Operation, switch: Switch) {
        self.services.standin.switch(&self.book, operation, switch);
    }
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
