//! The search index.

use serde::Serialize;
use tenterhook_sdk::http::{Method, encode_segment};
use tenterhook_sdk::{ActivityContext, ActivityError, Findings, activity, info, payload};

use crate::listings::{Listing, ListingRef};
use crate::model::NAME_CHARS_MAX;
use crate::provider;

const URL_KEY: &str = "search_url";

/// The index has no such document (any more).
const NOT_FOUND: u16 = 404;

#[payload]
#[derive(Clone, Debug)]
pub(crate) struct Indexed {
    pub(crate) document_id: String,
}

/// What can be found and shown.
#[derive(Serialize)]
struct Document<'a> {
    title: &'a str,
    description: &'a str,
    price: u64,
    currency: &'a str,
    seller_id: &'a str,
}

/// Puts a listing into the search index, in place of what is there.
#[activity(timeout = Short, retry = ExternalService)]
pub(crate) fn publish_to_search_index(
    ctx: &ActivityContext,
    input: Listing,
) -> Result<Indexed, ActivityError> {
    let document = Document {
        title: &input.title,
        description: &input.description,
        price: input.price,
        currency: &input.currency,
        seller_id: &input.seller_id,
    };
    let indexed: Indexed = provider::request(ctx, URL_KEY, Method::Put, &path(&input.listing_id)?)?
        .json(&document)?
        .send()?
        .ok()?
        .json()?;
    info!("listing {} can be found", input.listing_id);
    Ok(indexed)
}

/// Takes a listing out of the search index; one that is not in it is no error.
#[activity(timeout = Short, retry = ExternalService)]
pub(crate) fn remove_from_search_index(
    ctx: &ActivityContext,
    input: ListingRef,
) -> Result<(), ActivityError> {
    let path = path(&input.listing_id)?;
    let response = provider::request(ctx, URL_KEY, Method::Delete, &path)?.send()?;
    if response.status() != NOT_FOUND {
        response.ok()?;
    }
    info!("listing {} cannot be found any more", input.listing_id);
    Ok(())
}

fn path(listing_id: &str) -> Result<String, ActivityError> {
    let mut findings = Findings::default();
    findings.text("listing_id", listing_id, NAME_CHARS_MAX);
    findings.verdict("the index cannot be asked")?;
    Ok(format!("documents/{}", encode_segment(listing_id)))
}
