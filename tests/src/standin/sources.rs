//! Sources of analytics: what happened when, summed over the time that is asked for.

use std::collections::BTreeMap;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Books;
use super::book::{Answer, Book};
use super::operation::Operation;
use super::request::{Look, instant, name};
use super::routes::look;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Happening {
    /// When, RFC 3339.
    pub at: String,
    /// What it counts for.
    pub metric: String,
    /// How much.
    pub value: i64,
}

/// A sum of each metric over `from` (inclusive) to `to` (exclusive).
#[derive(Debug, Deserialize)]
struct SourceLook {
    source: String,
    from: String,
    to: String,
}

/// The routes of this noun.
pub(super) fn routes() -> Router<Books> {
    Router::new().route(
        "/{book}/analytics/sources/{source}",
        get(look::<SourceLook>),
    )
}

impl Look for SourceLook {
    const OPERATION: Operation = Operation::SourceReads;

    fn validate(&self) -> Result<(), String> {
        name("source", &self.source)?;
        instant("from", &self.from)?;
        instant("to", &self.to).map(drop)
    }

    fn look(&self, book: &Book) -> Answer {
        let Some(happenings) = book.sources.get(&self.source) else {
            let message = "there is no such source";
            return Answer::refusal(StatusCode::NOT_FOUND, "unknown_source", message);
        };
        let (from, to) = (instant("from", &self.from), instant("to", &self.to));
        let within = |happening: &&Happening| {
            instant("at", &happening.at).is_ok_and(|at| {
                from.as_ref().is_ok_and(|from| at >= *from) && to.as_ref().is_ok_and(|to| at < *to)
            })
        };
        let mut metrics: BTreeMap<&str, i64> = BTreeMap::new();
        for happening in happenings.iter().filter(within) {
            *metrics.entry(&happening.metric).or_default() += happening.value;
        }
        let body = json!({ "source": self.source, "metrics": metrics });
        Answer::with(StatusCode::OK, body)
    }
}
