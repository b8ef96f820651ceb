//! Reminders: what to say to whom, whether it is still wanted, and when it was sent.

use axum::Router;
use axum::http::StatusCode;
use axum::routing::put;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Books;
use super::book::{Answer, Book};
use super::operation::Operation;
use super::request::{Look, Request, instant, name};
use super::routes::{change, look};

/// Something to remind a user of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reminder {
    /// The caller's id.
    pub reminder_id: String,
    /// Whom to remind.
    pub user_id: String,
    /// The mail address.
    pub to: String,
    /// The headline.
    pub subject: String,
    /// The text.
    pub body: String,
    /// Whether it is still to be sent.
    pub wanted: bool,
    /// When it was sent, RFC 3339.
    #[serde(default)]
    pub sent_at: Option<String>,
}

/// The whole of a reminder, to be made or put in place of what is there.
#[derive(Debug, Serialize, Deserialize)]
struct ReminderRequest {
    #[serde(flatten)]
    reminder: Reminder,
}

#[derive(Debug, Serialize, Deserialize)]
struct SentRequest {
    reminder_id: String,
    sent_at: String,
}

#[derive(Debug, Deserialize)]
struct ReminderLook {
    reminder_id: String,
}

/// The routes of this noun.
pub(super) fn routes() -> Router<Books> {
    Router::new()
        .route(
            "/{book}/reminders/reminders/{reminder_id}",
            put(change::<ReminderRequest>).get(look::<ReminderLook>),
        )
        .route(
            "/{book}/reminders/reminders/{reminder_id}/sent",
            put(change::<SentRequest>),
        )
}

impl Request for ReminderRequest {
    const OPERATION: Operation = Operation::Reminders;

    fn validate(&self) -> Result<(), String> {
        name("reminder_id", &self.reminder.reminder_id)
    }

    fn apply(self, book: &mut Book, _key: &str) -> Answer {
        let id = self.reminder.reminder_id.clone();
        book.reminders.insert(id.clone(), self.reminder);
        Answer::with(StatusCode::OK, json!({ "reminder_id": id }))
    }
}

impl Request for SentRequest {
    const OPERATION: Operation = Operation::RemindersSent;

    fn validate(&self) -> Result<(), String> {
        instant("sent_at", &self.sent_at).map(drop)
    }

    fn apply(self, book: &mut Book, _key: &str) -> Answer {
        let Some(reminder) = book.reminders.get_mut(&self.reminder_id) else {
            return unknown();
        };
        if reminder.sent_at.is_some() {
            let message = "the reminder was sent before";
            return Answer::refusal(StatusCode::CONFLICT, "sent_before", message);
        }
        reminder.sent_at = Some(self.sent_at);
        Answer::with(StatusCode::OK, json!(reminder))
    }
}

impl Look for ReminderLook {
    const OPERATION: Operation = Operation::ReminderReads;

    fn look(&self, book: &Book) -> Answer {
        match book.reminders.get(&self.reminder_id) {
            Some(reminder) => Answer::with(StatusCode::OK, json!(reminder)),
            None => unknown(),
        }
    }
}

fn unknown() -> Answer {
    let message = "there is no such reminder";
    Answer::refusal(StatusCode::NOT_FOUND, "unknown_reminder", message)
}
