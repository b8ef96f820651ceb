//! The object store, for reports and backups; and the log of operations.

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{post, put};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Books;
use super::book::{Answer, Book, numbered};
use super::operation::Operation;
use super::request::{Look, Request, name};
use super::routes::{change, look};

/// Something stored: what it holds, and how often it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object {
    /// What it holds.
    pub content: Value,
    /// How often it was written.
    pub written: u64,
}

/// An operation that was put on record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEntry {
    /// The log's own id.
    pub entry_id: String,
    /// What was done.
    pub kind: String,
    /// Everything that was said of it.
    pub facts: Value,
}

#[derive(Debug, Serialize, Deserialize)]
struct ObjectRequest {
    object: String,
    content: Value,
}

#[derive(Debug, Deserialize)]
struct ObjectLook {
    object: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct LogRequest {
    kind: String,
    facts: Value,
}

/// The routes of this noun.
pub(super) fn routes() -> Router<Books> {
    Router::new()
        .route(
            "/{book}/objects/objects/{object}",
            put(change::<ObjectRequest>).get(look::<ObjectLook>),
        )
        .route("/{book}/log/entries", post(change::<LogRequest>))
}

impl Request for ObjectRequest {
    const OPERATION: Operation = Operation::Objects;

    fn validate(&self) -> Result<(), String> {
        name("object", &self.object)
    }

    fn apply(self, book: &mut Book, _key: &str) -> Answer {
        let body = json!({ "location": format!("objects/{}", self.object) });
        let written = book
            .objects
            .get(&self.object)
            .map_or(0, |before| before.written);
        let object = Object {
            content: self.content,
            written: written + 1,
        };
        book.objects.insert(self.object, object);
        Answer::created(body)
    }
}

impl Look for ObjectLook {
    const OPERATION: Operation = Operation::ObjectReads;

    fn look(&self, book: &Book) -> Answer {
        match book.objects.get(&self.object) {
            Some(object) => Answer::with(StatusCode::OK, json!({ "content": object.content })),
            None => {
                let message = "there is no such object";
                Answer::refusal(StatusCode::NOT_FOUND, "unknown_object", message)
            }
        }
    }
}

impl Request for LogRequest {
    const OPERATION: Operation = Operation::LogEntries;

    fn validate(&self) -> Result<(), String> {
        name("kind", &self.kind)
    }

    fn apply(self, book: &mut Book, _key: &str) -> Answer {
        let entry_id = numbered("lg", book.log.len());
        book.log.push(LogEntry {
            entry_id: entry_id.clone(),
            kind: self.kind,
            facts: self.facts,
        });
        Answer::created(json!({ "entry_id": entry_id }))
    }
}
