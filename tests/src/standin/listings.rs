//! Listings, the checks that are run on them, and the reviewers who are told of them.

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{post, put};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Books;
use super::book::{Answer, Book, numbered};
use super::operation::Operation;
use super::request::{Look, Request, instant, money, name, text};
use super::routes::{change, look};

/// What every listing begins with.
const SCORE_MAX: u32 = 100;
/// Letters of a description that says enough.
const DESCRIPTION_ENOUGH: usize = 40;
/// The word that no listing may have.
const FORBIDDEN_WORD: &str = "counterfeit";

/// Something offered for sale.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    /// The caller's id.
    pub listing_id: String,
    /// Who sells it.
    pub seller_id: String,
    /// Its headline.
    pub title: String,
    /// Its text.
    pub description: String,
    /// In minor units.
    pub price: u64,
    /// ISO 4217, three upper-case letters.
    pub currency: String,
    /// How many pictures it has.
    pub images: u32,
    /// `submitted`, `published`, `expired` and so on.
    pub status: String,
    /// When it expires, RFC 3339, if it does.
    #[serde(default)]
    pub expires_at: Option<String>,
    /// Every status that was set, with what was said of it, the present one last.
    #[serde(default)]
    pub history: Vec<Value>,
}

/// What reviewers were told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// The provider's own id.
    pub notice_id: String,
    /// The listing to look at.
    pub listing_id: String,
    /// Whether nobody had decided in time.
    pub escalated: bool,
    /// Until when they may decide, RFC 3339.
    pub decide_by: String,
}

/// The whole of a listing, to be made or put in place of what is there.
#[derive(Debug, Serialize, Deserialize)]
struct ListingRequest {
    #[serde(flatten)]
    listing: Listing,
}

#[derive(Debug, Serialize, Deserialize)]
struct StatusRequest {
    listing_id: String,
    status: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    comment: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct CheckRequest {
    listing_id: String,
    title: String,
    description: String,
    images: u32,
}

#[derive(Debug, Serialize, Deserialize)]
struct NoticeRequest {
    listing_id: String,
    score: u32,
    escalated: bool,
    decide_by: String,
}

#[derive(Debug, Deserialize)]
struct ListingLook {
    listing_id: String,
}

/// The routes of this noun.
pub(super) fn routes() -> Router<Books> {
    Router::new()
        .route(
            "/{book}/listings/listings/{listing_id}",
            put(change::<ListingRequest>).get(look::<ListingLook>),
        )
        .route(
            "/{book}/listings/listings/{listing_id}/status",
            put(change::<StatusRequest>),
        )
        .route("/{book}/checks/checks", post(change::<CheckRequest>))
        .route("/{book}/reviewers/notices", post(change::<NoticeRequest>))
}

impl Request for ListingRequest {
    const OPERATION: Operation = Operation::Listings;

    fn validate(&self) -> Result<(), String> {
        name("listing_id", &self.listing.listing_id)?;
        name("status", &self.listing.status)?;
        money(self.listing.price, &self.listing.currency)
    }

    fn apply(self, book: &mut Book, _key: &str) -> Answer {
        let id = self.listing.listing_id.clone();
        book.listings.insert(id.clone(), self.listing);
        Answer::with(StatusCode::OK, json!({ "listing_id": id }))
    }
}

impl Request for StatusRequest {
    const OPERATION: Operation = Operation::ListingStatuses;

    fn validate(&self) -> Result<(), String> {
        name("listing_id", &self.listing_id)?;
        name("status", &self.status)
    }

    fn apply(self, book: &mut Book, _key: &str) -> Answer {
        let Some(listing) = book.listings.get_mut(&self.listing_id) else {
            return unknown();
        };
        listing.status.clone_from(&self.status);
        let mut entry = json!(self);
        if let Some(fields) = entry.as_object_mut() {
            fields.remove("listing_id");
        }
        listing.history.push(entry);
        let body = json!({ "listing_id": self.listing_id, "status": self.status });
        Answer::with(StatusCode::OK, body)
    }
}

impl Request for CheckRequest {
    const OPERATION: Operation = Operation::Checks;

    fn validate(&self) -> Result<(), String> {
        name("listing_id", &self.listing_id)?;
        text("title", &self.title)?;
        text("description", &self.description)
    }

    fn apply(self, _book: &mut Book, _key: &str) -> Answer {
        let faults = [
            (
                self.description.chars().count() < DESCRIPTION_ENOUGH,
                25,
                "the description says little",
            ),
            (self.images == 0, 20, "there is no picture"),
            (
                self.description.to_lowercase().contains(FORBIDDEN_WORD),
                50,
                "a word is forbidden",
            ),
        ];
        let found: Vec<_> = faults.iter().filter(|(is, _, _)| *is).collect();
        let lost: u32 = found.iter().map(|(_, points, _)| points).sum();
        let findings: Vec<_> = found.iter().map(|(_, _, what)| what).collect();
        let score = SCORE_MAX.saturating_sub(lost);
        Answer::created(json!({ "score": score, "findings": findings }))
    }
}

impl Request for NoticeRequest {
    const OPERATION: Operation = Operation::Notices;

    fn validate(&self) -> Result<(), String> {
        name("listing_id", &self.listing_id)?;
        instant("decide_by", &self.decide_by).map(drop)
    }

    fn apply(self, book: &mut Book, _key: &str) -> Answer {
        let notice_id = numbered("nt", book.notices.len());
        book.notices.push(Notice {
            notice_id: notice_id.clone(),
            listing_id: self.listing_id,
            escalated: self.escalated,
            decide_by: self.decide_by,
        });
        Answer::created(json!({ "notice_id": notice_id }))
    }
}

impl Look for ListingLook {
    const OPERATION: Operation = Operation::ListingReads;

    fn look(&self, book: &Book) -> Answer {
        match book.listings.get(&self.listing_id) {
            Some(listing) => Answer::with(StatusCode::OK, json!(listing)),
            None => unknown(),
        }
    }
}

fn unknown() -> Answer {
    let message = "there is no such listing";
    Answer::refusal(StatusCode::NOT_FOUND, "unknown_listing", message)
}
