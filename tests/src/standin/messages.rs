//! Messages to users: mail, push and the inbox inside the product.

use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Books;
use super::book::{Answer, Book, numbered};
use super::operation::Operation;
use super::request::{Request, name, text};
use super::routes::change;

/// The domain that takes no mail.
const BOUNCING_DOMAIN: &str = "@bounce.example";
/// The device that is no longer there.
const GONE_DEVICE: &str = "gone-device";

/// A message that a provider took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The provider's own id.
    pub message_id: String,
    /// How it went.
    pub channel: Channel,
    /// Who it is for.
    pub user_id: String,
    /// The address, the device, or the user's inbox.
    pub to: String,
    /// Its headline.
    pub subject: String,
    /// Its text.
    pub body: String,
    /// The key it was booked under.
    pub idempotency_key: String,
}

/// The ways to a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// Mail.
    Email,
    /// A message to a device.
    Push,
    /// The inbox inside the product.
    InApp,
}

/// Every channel and what a message on it is counted as; the index is the parameter of [`MessageRequest`].
const CHANNELS: [(Channel, Operation); 3] = [
    (Channel::Email, Operation::Mails),
    (Channel::Push, Operation::Pushes),
    (Channel::InApp, Operation::InAppMessages),
];

#[derive(Debug, Serialize, Deserialize)]
struct MessageRequest<const CHANNEL: usize> {
    user_id: String,
    to: String,
    subject: String,
    body: String,
}

/// The routes of this noun.
pub(super) fn routes() -> Router<Books> {
    Router::new()
        .route("/{book}/mail/messages", post(change::<MessageRequest<0>>))
        .route("/{book}/push/messages", post(change::<MessageRequest<1>>))
        .route("/{book}/inbox/messages", post(change::<MessageRequest<2>>))
}

impl<const CHANNEL: usize> Request for MessageRequest<CHANNEL> {
    const OPERATION: Operation = CHANNELS[CHANNEL].1;

    fn validate(&self) -> Result<(), String> {
        name("user_id", &self.user_id)?;
        name("to", &self.to)?;
        name("subject", &self.subject)?;
        text("body", &self.body)?;
        match CHANNELS[CHANNEL].0 {
            Channel::Email if !self.to.contains('@') => {
                Err(format!("to {:?} is no mail address", self.to))
            }
            _ => Ok(()),
        }
    }

    fn apply(self, book: &mut Book, key: &str) -> Answer {
        let channel = CHANNELS[CHANNEL].0;
        if channel == Channel::Email && self.to.ends_with(BOUNCING_DOMAIN) {
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            return Answer::refusal(status, "undeliverable", "the domain takes no mail");
        }
        if channel == Channel::Push && self.to == GONE_DEVICE {
            return Answer::refusal(StatusCode::GONE, "device_gone", "the device is gone");
        }
        let message_id = numbered("msg", book.messages.len());
        book.messages.push(Message {
            message_id: message_id.clone(),
            channel,
            user_id: self.user_id,
            to: self.to,
            subject: self.subject,
            body: self.body,
            idempotency_key: key.to_owned(),
        });
        Answer::created(json!({ "message_id": message_id }))
    }
}
