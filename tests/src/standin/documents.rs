//! The search index: a document for each thing that can be found.

use axum::Router;
use axum::http::StatusCode;
use axum::routing::put;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Books;
use super::book::{Answer, Book};
use super::operation::Operation;
use super::request::{Request, name};
use super::routes::change;

/// The title that the index cannot take.
const UNSEARCHABLE_TITLE: &str = "unsearchable";

#[derive(Debug, Serialize, Deserialize)]
struct DocumentRequest {
    document_id: String,
    title: String,
    #[serde(flatten)]
    fields: serde_json::Map<String, Value>,
}

#[derive(Debug, Serialize, Deserialize)]
struct RemovalRequest {
    document_id: String,
}

/// The routes of this noun.
pub(super) fn routes() -> Router<Books> {
    Router::new().route(
        "/{book}/search/documents/{document_id}",
        put(change::<DocumentRequest>).delete(change::<RemovalRequest>),
    )
}

impl Request for DocumentRequest {
    const OPERATION: Operation = Operation::Documents;

    fn validate(&self) -> Result<(), String> {
        name("document_id", &self.document_id)?;
        name("title", &self.title)
    }

    fn apply(self, book: &mut Book, _key: &str) -> Answer {
        if self.title == UNSEARCHABLE_TITLE {
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            return Answer::refusal(status, "unsearchable", "the title has no word to find");
        }
        let body = json!({ "document_id": self.document_id });
        book.documents.insert(self.document_id.clone(), json!(self));
        Answer::with(StatusCode::OK, body)
    }
}

impl Request for RemovalRequest {
    const OPERATION: Operation = Operation::DocumentRemovals;

    fn validate(&self) -> Result<(), String> {
        name("document_id", &self.document_id)
    }

    fn apply(self, book: &mut Book, _key: &str) -> Answer {
        match book.documents.remove(&self.document_id) {
            Some(_) => Answer::nothing(),
            None => {
                let message = "the index has no such document";
                Answer::refusal(StatusCode::NOT_FOUND, "unknown_document", message)
            }
        }
    }
}
