//! The usage service: what a subscription used, of what, on which day.

use std::collections::BTreeMap;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Books;
use super::book::{Answer, Book};
use super::operation::Operation;
use super::request::{Look, Request, name};
use super::routes::{change, look};

/// Records of one request.
const RECORDS_MAX: usize = 1_000;

/// What was used by day, and on each day by metric. Days are written `2026-03-31`, so their order is the calendar's.
pub type UsageByDay = BTreeMap<String, BTreeMap<String, u64>>;

/// `GET usage/subscriptions/{subscription_id}?from=&until=`
#[derive(Debug, Deserialize)]
struct UsageLook {
    subscription_id: String,
    from: String,
    until: String,
}

/// `POST usage/records`
#[derive(Debug, Serialize, Deserialize)]
struct RecordsRequest {
    import_id: String,
    records: Vec<Record>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Record {
    row: u64,
    subscription_id: String,
    metric: String,
    on: String,
    quantity: u64,
}

/// The routes of this noun.
pub(super) fn routes() -> Router<Books> {
    Router::new()
        .route(
            "/{book}/usage/subscriptions/{subscription_id}",
            get(look::<UsageLook>),
        )
        .route("/{book}/usage/records", post(change::<RecordsRequest>))
}

impl Look for UsageLook {
    const OPERATION: Operation = Operation::UsageReads;

    fn look(&self, book: &Book) -> Answer {
        let mut totals: BTreeMap<&str, u64> = BTreeMap::new();
        if self.from < self.until
            && let Some(used) = book.usage.get(&self.subscription_id)
        {
            for (metric, quantity) in used
                .range(self.from.clone()..self.until.clone())
                .flat_map(|(_, day)| day)
            {
                *totals.entry(metric).or_default() += quantity;
            }
        }
        Answer::with(StatusCode::OK, json!({ "totals": totals }))
    }
}

impl Request for RecordsRequest {
    const OPERATION: Operation = Operation::UsageRecords;

    fn validate(&self) -> Result<(), String> {
        name("import_id", &self.import_id)?;
        if self.records.is_empty() || self.records.len() > RECORDS_MAX {
            let records = self.records.len();
            return Err(format!("{records} records are not 1 to {RECORDS_MAX}"));
        }
        for record in &self.records {
            name("subscription_id", &record.subscription_id)?;
            name("metric", &record.metric)?;
            name("on", &record.on)?;
        }
        Ok(())
    }

    fn apply(self, book: &mut Book, _key: &str) -> Answer {
        for record in self.records {
            book.looked_at(&self.import_id, record.row);
            let day = book.usage.entry(record.subscription_id).or_default();
            let metrics = day.entry(record.on).or_default();
            *metrics.entry(record.metric).or_default() += record.quantity;
        }
        Answer::with(StatusCode::OK, json!({}))
    }
}
