//! The listing service: what a listing is, and its status.

use serde::Serialize;
use tenterhook_sdk::http::{Method, encode_segment};
use tenterhook_sdk::{ActivityContext, ActivityError, Findings, activity, info, payload};

use crate::model::NAME_CHARS_MAX;
use crate::provider;

const URL_KEY: &str = "listings_url";

/// Characters of a headline.
const TITLE_CHARS_MAX: usize = 200;

/// The statuses that the workflows set or look for.
pub(crate) const SUBMITTED: &str = "submitted";
pub(crate) const IN_REVIEW: &str = "in_review";
pub(crate) const APPROVED: &str = "approved";
pub(crate) const PUBLISHED: &str = "published";
pub(crate) const EXPIRING: &str = "expiring";
pub(crate) const REJECTED: &str = "rejected";
const EXPIRED: &str = "expired";

#[payload]
#[derive(Clone, Debug)]
pub(crate) struct ListingRef {
    pub(crate) listing_id: String,
}

/// A listing as the service has it, as far as it matters here.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct Listing {
    pub(crate) listing_id: String,
    pub(crate) seller_id: String,
    pub(crate) title: String,
    pub(crate) description: String,
    /// In the currency's minor unit.
    pub(crate) price: u64,
    /// ISO 4217.
    pub(crate) currency: String,
    pub(crate) images: u32,
    pub(crate) status: String,
    /// RFC 3339, if it expires.
    #[serde(default)]
    pub(crate) expires_at: Option<String>,
}

#[payload]
#[derive(Clone, Debug)]
pub(crate) struct StatusRequest {
    pub(crate) listing_id: String,
    pub(crate) status: String,
    /// Set only where the listing has one of these now: what was sold meanwhile stays sold. Wherever, if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) only_from: Vec<String>,
    /// Where it has another, this is a `Conflict`; else the listing is left as it is.
    #[serde(default)]
    pub(crate) insist: bool,
}

/// A decision to write down.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct DecisionRequest {
    pub(crate) listing_id: String,
    /// The reviewer, `checks`, or `timeout`.
    pub(crate) by: String,
    pub(crate) comment: Option<String>,
}

#[payload]
#[derive(Clone, Debug)]
pub(crate) struct ListingStatus {
    pub(crate) listing_id: String,
    pub(crate) status: String,
    /// RFC 3339, if it expires.
    #[serde(default)]
    pub(crate) expires_at: Option<String>,
}

#[derive(Serialize)]
struct StatusBody<'a> {
    status: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    comment: Option<&'a str>,
}

impl ListingStatus {
    /// Whether it can be found and bought.
    pub(crate) fn is_live(&self) -> bool {
        [APPROVED, PUBLISHED, EXPIRING].contains(&self.status.as_str())
    }
}

/// Loads a listing and checks what can be checked without a reviewer or a model. One that is not submitted is a
/// `Conflict`, one that nobody could buy a `ValidationError`.
#[activity(timeout = Short, retry = Network)]
pub(crate) fn validate_listing(
    ctx: &ActivityContext,
    input: ListingRef,
) -> Result<Listing, ActivityError> {
    let listing: Listing = load(ctx, &input)?;
    if ![SUBMITTED, IN_REVIEW].contains(&listing.status.as_str()) {
        return Err(ActivityError::conflict(format!(
            "listing {} is {}, not submitted",
            listing.listing_id, listing.status
        )));
    }
    let mut findings = Findings::default();
    findings.text("title", listing.title.trim(), TITLE_CHARS_MAX);
    findings.text("seller_id", &listing.seller_id, NAME_CHARS_MAX);
    findings.check(listing.price > 0, "price is not positive");
    let currency = listing.currency.as_bytes();
    findings.check(
        currency.len() == 3 && currency.iter().all(u8::is_ascii_uppercase),
        "currency is not of three capital letters",
    );
    findings.verdict(&format!("listing {} cannot be offered", listing.listing_id))?;
    info!("listing {} is valid", listing.listing_id);
    Ok(listing)
}

/// Tells a listing's status and when it expires.
#[activity(timeout = Short, retry = Network)]
pub(crate) fn get_listing_status(
    ctx: &ActivityContext,
    input: ListingRef,
) -> Result<ListingStatus, ActivityError> {
    let status: ListingStatus = load(ctx, &input)?;
    info!("listing {} is {}", status.listing_id, status.status);
    Ok(status)
}

/// Sets a listing's status, unless it has left those that it may come from: tells the one that it has then, or is a
/// `Conflict`.
#[activity(timeout = Short, retry = Database)]
pub(crate) fn update_listing_status(
    ctx: &ActivityContext,
    input: StatusRequest,
) -> Result<ListingStatus, ActivityError> {
    if !input.only_from.is_empty() {
        let listing_id = input.listing_id.clone();
        let now: ListingStatus = load(ctx, &ListingRef { listing_id })?;
        if !input.only_from.contains(&now.status) {
            if input.insist {
                return Err(left(&now));
            }
            info!("listing {} is {}, and stays so", now.listing_id, now.status);
            return Ok(now);
        }
    }
    set(ctx, &input.listing_id, &input.status, None, None)
}

/// Writes down that a listing is approved, and by whom. One that is not under review any more is a `Conflict`.
#[activity(timeout = Short, retry = Database)]
pub(crate) fn approve_listing(
    ctx: &ActivityContext,
    input: DecisionRequest,
) -> Result<ListingStatus, ActivityError> {
    decide(ctx, &input, APPROVED)
}

/// Writes down that a listing is rejected, by whom, and why. One that is not under review any more is a `Conflict`.
#[activity(timeout = Short, retry = Database)]
pub(crate) fn reject_listing(
    ctx: &ActivityContext,
    input: DecisionRequest,
) -> Result<ListingStatus, ActivityError> {
    decide(ctx, &input, REJECTED)
}

/// Writes down that a listing has expired.
#[activity(timeout = Short, retry = Database)]
pub(crate) fn expire_listing(
    ctx: &ActivityContext,
    input: ListingRef,
) -> Result<ListingStatus, ActivityError> {
    set(ctx, &input.listing_id, EXPIRED, None, None)
}

fn load<T: serde::de::DeserializeOwned>(
    ctx: &ActivityContext,
    input: &ListingRef,
) -> Result<T, ActivityError> {
    let mut findings = Findings::default();
    findings.text("listing_id", &input.listing_id, NAME_CHARS_MAX);
    findings.verdict("no listing can be loaded")?;
    let path = format!("listings/{}", encode_segment(&input.listing_id));
    provider::request(ctx, URL_KEY, Method::Get, &path)?
        .send()?
        .ok()?
        .json()
}

fn decide(
    ctx: &ActivityContext,
    input: &DecisionRequest,
    status: &str,
) -> Result<ListingStatus, ActivityError> {
    let listing_id = input.listing_id.clone();
    let now: ListingStatus = load(ctx, &ListingRef { listing_id })?;
    // It has the status already where the answer to an attempt before was lost.
    if ![IN_REVIEW, status].contains(&now.status.as_str()) {
        return Err(left(&now));
    }
    let comment = input.comment.as_deref();
    set(ctx, &input.listing_id, status, Some(&input.by), comment)
}

/// Somebody else gave the listing another status meanwhile: it was withdrawn, or sold.
fn left(now: &ListingStatus) -> ActivityError {
    ActivityError::conflict(format!(
        "listing {} is {} meanwhile, and stays so",
        now.listing_id, now.status
    ))
}

fn set(
    ctx: &ActivityContext,
    listing_id: &str,
    status: &str,
    by: Option<&str>,
    comment: Option<&str>,
) -> Result<ListingStatus, ActivityError> {
    let mut findings = Findings::default();
    findings.text("listing_id", listing_id, NAME_CHARS_MAX);
    findings.text("status", status, NAME_CHARS_MAX);
    findings.verdict("the status cannot be set")?;
    let path = format!("listings/{}/status", encode_segment(listing_id));
    let body = StatusBody {
        status,
        by,
        comment,
    };
    let set: ListingStatus = provider::request(ctx, URL_KEY, Method::Put, &path)?
        .json(&body)?
        .send()?
        .ok()?
        .json()?;
    info!("listing {listing_id} is {status}");
    Ok(set)
}
