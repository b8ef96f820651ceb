//! Items that grow old: found by their age, read out for a backup, deleted by their ids.

use std::collections::{BTreeMap, BTreeSet};

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Books;
use super::book::{Answer, Book};
use super::operation::Operation;
use super::request::{Look, Request, instant, name, page_limit};
use super::routes::{change, look};

/// Ids of one export or deletion.
const IDS_MAX: usize = 1_000;

/// One thing of a collection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredItem {
    /// What it belongs to.
    pub collection: String,
    /// When it was last changed, RFC 3339.
    pub changed_at: String,
    /// What it holds.
    pub content: Value,
}

/// All items of a tenant: those that are there, and every id that was deleted, in that order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Items {
    /// By their ids.
    pub present: BTreeMap<String, StoredItem>,
    /// The ids of those that are gone; one that was deleted twice is here twice.
    pub deleted: Vec<String>,
}

/// The ids of items of `collection` that were last changed before `older_than`, in their order.
#[derive(Debug, Deserialize)]
struct ItemList {
    collection: String,
    older_than: String,
    after: Option<String>,
    limit: Option<String>,
}

/// Reads items out; changes nothing, and has a body for the ids.
#[derive(Debug, Serialize, Deserialize)]
struct ExportRequest {
    collection: String,
    ids: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct DeletionRequest {
    collection: String,
    ids: Vec<String>,
}

/// The routes of this noun.
pub(super) fn routes() -> Router<Books> {
    Router::new()
        .route("/{book}/items/{collection}", get(look::<ItemList>))
        .route(
            "/{book}/items/{collection}/exports",
            post(change::<ExportRequest>),
        )
        .route(
            "/{book}/items/{collection}/deletions",
            post(change::<DeletionRequest>),
        )
}

impl Look for ItemList {
    const OPERATION: Operation = Operation::ItemLists;

    fn validate(&self) -> Result<(), String> {
        name("collection", &self.collection)?;
        page_limit(self.limit.as_deref())?;
        instant("older_than", &self.older_than).map(drop)
    }

    fn look(&self, book: &Book) -> Answer {
        let limit = page_limit(self.limit.as_deref()).unwrap_or_default();
        let older_than = instant("older_than", &self.older_than);
        let after = self.after.as_deref().unwrap_or_default();
        let mut old = book.items.present.iter().filter(|(id, item)| {
            id.as_str() > after
                && item.collection == self.collection
                && instant("changed_at", &item.changed_at)
                    .is_ok_and(|at| older_than.as_ref().is_ok_and(|limit| at < *limit))
        });
        let ids: Vec<_> = old.by_ref().take(limit).map(|(id, _)| id).collect();
        let next = match old.next() {
            Some(_) => ids.last(),
            None => None,
        };
        Answer::with(StatusCode::OK, json!({ "ids": ids, "next": next }))
    }
}

impl Request for ExportRequest {
    const OPERATION: Operation = Operation::Exports;

    fn validate(&self) -> Result<(), String> {
        ids(&self.ids)
    }

    fn apply(self, book: &mut Book, _key: &str) -> Answer {
        let found = self.ids.iter().filter_map(|id| {
            let item = book.items.present.get(id)?;
            Some(json!({ "id": id, "changed_at": item.changed_at, "content": item.content }))
        });
        let found: Vec<_> = found.collect();
        Answer::with(StatusCode::OK, json!({ "items": found }))
    }
}

impl Request for DeletionRequest {
    const OPERATION: Operation = Operation::Deletions;

    fn validate(&self) -> Result<(), String> {
        ids(&self.ids)
    }

    fn apply(self, book: &mut Book, _key: &str) -> Answer {
        let (mut deleted, mut missing) = (0_u64, 0_u64);
        for id in self.ids {
            match book.items.present.remove(&id) {
                Some(_) => deleted += 1,
                None => missing += 1,
            }
            book.items.deleted.push(id);
        }
        let body = json!({ "deleted": deleted, "missing": missing });
        Answer::with(StatusCode::OK, body)
    }
}

fn ids(ids: &[String]) -> Result<(), String> {
    if ids.is_empty() || ids.len() > IDS_MAX {
        return Err(format!("ids are {}, not 1 to {IDS_MAX}", ids.len()));
    }
    if ids.iter().collect::<BTreeSet<_>>().len() != ids.len() {
        return Err("an id comes twice".to_owned());
    }
    Ok(())
}
