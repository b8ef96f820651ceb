//! The services that the plugin asks, and what is in their books before anything begins.

use std::time::Duration;

use serde_json::{Value, json};
use tenterhook_tests::services::{Bench, Services};
use tenterhook_tests::standin::{Book, Channel, User};

/// The services' configuration keys, without `_url`, and the names of the same in the stand-in.
const SERVICES: &[&str] = &["users", "mail", "push", "inbox"];

pub(crate) const HOUR: Duration = Duration::from_secs(60 * 60);
/// How long the profile is waited for.
pub(crate) const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The services of one test.
pub(crate) async fn open() -> Services {
    Services::open("user", SERVICES, furnish).await.unwrap()
}

/// The one user.
pub(crate) fn user(bench: &Bench<'_>) -> User {
    bench.book().users["u-1"].clone()
}

/// Changes the one user.
pub(crate) fn change(bench: &Bench<'_>, change: impl FnOnce(&mut User)) {
    bench.edit(|book| change(book.users.get_mut("u-1").unwrap()));
}

/// One user, `u-1`.
fn furnish(book: &mut Book) {
    let user = User {
        user_id: "u-1".to_owned(),
        email: Some("ada@shop.example".to_owned()),
        push_device: Some("device-1".to_owned()),
        status: "new".to_owned(),
        ..User::default()
    };
    book.users.insert("u-1".to_owned(), user);
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
