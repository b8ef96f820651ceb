//! The import service: an uploaded file's rows, served by range, and those that nothing could be made of.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::routing::{get, post, put};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Books;
use super::book::{Answer, Book};
use super::operation::Operation;
use super::request::{Look, Request, name, number};
use super::routes::{change, look};

/// Rows of one answer.
const PAGE_MAX: usize = 1_000;
/// Bytes of an uploaded file.
const FILE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// An uploaded file, and what became of its rows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Import {
    /// Its id.
    pub import_id: String,
    /// Rows that were recorded, as usage or as bad.
    pub recorded: u64,
    /// Rows that were recorded a second time: nobody wants any.
    pub twice: u64,
    /// Rows that nothing could be made of.
    pub bad_rows: Vec<BadRow>,
    /// Its rows. Not shown.
    #[serde(default, skip_serializing)]
    pub rows: Vec<String>,
    #[serde(skip)]
    seen: Vec<bool>,
}

/// A row that nothing could be made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BadRow {
    /// Its number in the file, from 0.
    pub row: u64,
    /// Why, in the caller's words.
    pub reason: String,
}

impl Import {
    /// An uploaded file.
    #[must_use]
    pub fn new(import_id: &str, rows: Vec<String>) -> Self {
        Self {
            import_id: import_id.to_owned(),
            rows,
            ..Self::default()
        }
    }
}

/// `PUT imports/imports/{import_id}`
#[derive(Debug, Serialize, Deserialize)]
struct UploadRequest {
    import_id: String,
    rows: Vec<String>,
}

/// `GET imports/imports/{import_id}/rows?from=&limit=`
#[derive(Debug, Deserialize)]
struct RowsLook {
    import_id: String,
    from: String,
    limit: String,
}

/// `POST imports/imports/{import_id}/bad-rows`
#[derive(Debug, Serialize, Deserialize)]
struct BadRowsRequest {
    import_id: String,
    bad_rows: Vec<BadRow>,
}

/// The routes of this noun.
pub(super) fn routes() -> Router<Books> {
    let upload = put(change::<UploadRequest>).layer(DefaultBodyLimit::max(FILE_BYTES_MAX));
    Router::new()
        .route("/{book}/imports/imports/{import_id}", upload)
        .route(
            "/{book}/imports/imports/{import_id}/rows",
            get(look::<RowsLook>),
        )
        .route(
            "/{book}/imports/imports/{import_id}/bad-rows",
            post(change::<BadRowsRequest>),
        )
}

impl Request for UploadRequest {
    const OPERATION: Operation = Operation::Uploads;

    fn validate(&self) -> Result<(), String> {
        name("import_id", &self.import_id)
    }

    fn apply(self, book: &mut Book, _key: &str) -> Answer {
        let import = Import::new(&self.import_id, self.rows);
        let answer = json!({ "import_id": self.import_id, "rows": import.rows.len() });
        book.imports.insert(self.import_id, import);
        Answer::created(answer)
    }
}

impl Look for RowsLook {
    const OPERATION: Operation = Operation::ImportRows;

    fn validate(&self) -> Result<(), String> {
        number("from", &self.from)?;
        number("limit", &self.limit).map(drop)
    }

    fn look(&self, book: &Book) -> Answer {
        let Some(import) = book.imports.get(&self.import_id) else {
            return unknown();
        };
        let from = number("from", &self.from).unwrap_or_default();
        let limit = number("limit", &self.limit).unwrap_or_default();
        let rows = import.rows.iter().skip(from).take(limit.min(PAGE_MAX));
        let rows: Vec<_> = rows.collect();
        Answer::with(
            StatusCode::OK,
            json!({ "total": import.rows.len(), "rows": rows }),
        )
    }
}

impl Request for BadRowsRequest {
    const OPERATION: Operation = Operation::BadRows;

    fn validate(&self) -> Result<(), String> {
        name("import_id", &self.import_id)
    }

    fn apply(self, book: &mut Book, _key: &str) -> Answer {
        for bad in &self.bad_rows {
            book.looked_at(&self.import_id, bad.row);
        }
        let Some(import) = book.imports.get_mut(&self.import_id) else {
            return unknown();
        };
        import.bad_rows.extend(self.bad_rows);
        Answer::with(StatusCode::OK, json!({}))
    }
}

impl Book {
    /// A row of an import was recorded, whatever was in it. Records need no import: then there is nothing to count.
    pub(super) fn looked_at(&mut self, import_id: &str, row: u64) {
        let Some(import) = self.imports.get_mut(import_id) else {
            return;
        };
        import.seen.resize(import.rows.len(), false);
        let row = usize::try_from(row).unwrap_or(usize::MAX);
        let Some(seen) = import.seen.get_mut(row) else {
            return;
        };
        if *seen {
            import.twice += 1;
        } else {
            *seen = true;
            import.recorded += 1;
        }
    }
}

fn unknown() -> Answer {
    let message = "there is no such import";
    Answer::refusal(StatusCode::NOT_FOUND, "unknown_import", message)
}
