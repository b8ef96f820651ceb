//! The services that the plugin asks, and what is in their books before anything begins.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tenterhook_testkit::{Kit, Plugin};
use tenterhook_tests::standin::{Book, Channel, Operation, StandIn, Switch, User};

/// The services' configuration keys, without `_url`, and the names of the same in the stand-in.
const SERVICES: &[&str] = &["users", "mail", "push", "inbox"];

pub(crate) const HOUR: Duration = Duration::from_secs(60 * 60);
/// How long the profile is waited for.
pub(crate) const DAY: Duration = Duration::from_secs(24 * 60 * 60);

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

    /// A kit whose activities run, and a book with one user, `u-1`.
    pub(crate) fn bench(&self) -> Bench<'_> {
        let mut kit = Kit::new(&plugin());
        let book = self.connect(&mut kit);
        Bench {
            kit,
            services: self,
            book,
        }
    }

    /// Has the activities of a kit run, on a furnished book; answers its name.
    pub(crate) fn connect(&self, kit: &mut Kit) -> String {
        let book = format!("book-{}", self.books.fetch_add(1, Ordering::Relaxed));
        kit.all_real()
            .grant_http(&self.standin.address().to_string());
        let base = self.standin.base_url(&book);
        for service in SERVICES {
            kit.configure(&format!("{service}_url"), &format!("{base}/{service}"));
        }
        let user = User {
            user_id: "u-1".to_owned(),
            email: Some("ada@shop.example".to_owned()),
            push_device: Some("device-1".to_owned()),
            status: "new".to_owned(),
            ..User::default()
        };
        self.standin
            .edit(&book, |book| book.users.insert("u-1".to_owned(), user));
        book
    }

    pub(crate) fn book(&self, name: &str) -> Book {
        self.standin.book(name)
    }
}

/// The component that is tested.
pub(crate) fn plugin() -> Plugin {
    Plugin::guest("user")
}

impl Bench<'_> {
    pub(crate) fn book(&self) -> Book {
        self.services.book(&self.book)
    }

    /// The one user.
    pub(crate) fn user(&self) -> User {
        self.book().users["u-1"].clone()
    }

    /// Changes the one user.
    pub(crate) fn edit(&self, change: impl FnOnce(&mut User)) {
        let book = |book: &mut Book| change(book.users.get_mut("u-1").unwrap());
        self.services.standin.edit(&self.book, book);
    }

    /// Has an operation of the services misbehave.
    pub(crate) fn switch(&self, operation: Operation, switch: Switch) {
        self.services.standin.switch(&self.book, operation, switch);
    }
}

/// The channels of the messages that were taken, in the order of the channels.
pub(crate) fn taken(book: &Book) -> Vec<Channel> {
    let mut channels: Vec<_> = book.messages.iter().map(|it| it.channel).collect();
    channels.sort_unstable();
    channels
}

/// A message on every channel.
pub(crate) fn notification() -> Value {
    json!({
        "notification_id": "n-1",
        "user_id": "u-1",
        "channels": ["email", "push", "in_app"],
        "subject": "Your parcel",
        "body": "It is on its way.",
    })
}

pub(crate) fn onboarding() -> Value {
    json!({ "user_id": "u-1", "email": "ada@shop.example" })
}
