//! Items that grow old: found, backed up, deleted.
//!
//! Backup and deletion go through the same list in batches. A batch's idempotency key is the activity's and its first
//! position, so one that is made again after a crash is answered with what it did the first time.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tenterhook_sdk::batch::Batches;
use tenterhook_sdk::http::{IDEMPOTENCY_KEY, Method, encode_segment};
use tenterhook_sdk::{
    ActivityContext, ActivityError, Findings, activity, config, http, info, payload, time,
};

use crate::model::{BATCH_ITEMS_MAX, BATCH_ITEMS_MIN, NAME_CHARS_MAX, ROUND_ITEMS_MAX};
use crate::provider;

const URL_KEY: &str = "items_url";
/// Items of one page when they are looked for.
const PAGE_ITEMS: usize = 1_000;

#[payload]
#[derive(Clone, Debug)]
pub(crate) struct IdentifyRequest {
    pub(crate) collection: String,
    /// RFC 3339.
    pub(crate) older_than: String,
    /// Only items whose ids come after this one.
    pub(crate) after: Option<String>,
    /// The most that are told.
    pub(crate) limit: usize,
}

#[payload]
#[derive(Clone, Debug)]
pub(crate) struct Identified {
    /// In their order.
    pub(crate) ids: Vec<String>,
    /// Whether there are more behind the last.
    pub(crate) more: bool,
}

/// Items to go through.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct ItemList {
    pub(crate) collection: String,
    pub(crate) ids: Vec<String>,
    pub(crate) batch_size: usize,
}

#[payload]
#[derive(Clone, Debug)]
pub(crate) struct BackupRequest {
    pub(crate) list: ItemList,
    /// The backup's name in the object store; a part a batch is stored below it.
    pub(crate) name: String,
}

#[payload]
#[derive(Clone, Debug)]
pub(crate) struct BackedUp {
    pub(crate) items: u64,
    pub(crate) parts: u64,
}

#[payload]
#[derive(Clone, Debug)]
pub(crate) struct Deleted {
    pub(crate) deleted: u64,
    /// Items that were gone before.
    pub(crate) already_gone: u64,
    /// The item at which the last attempt began.
    pub(crate) resumed_from: u64,
}

#[derive(Deserialize)]
struct Page {
    ids: Vec<String>,
    next: Option<String>,
}

#[derive(Serialize)]
struct Ids<'a> {
    ids: &'a [String],
}

#[derive(Deserialize)]
struct Exported {
    items: Vec<Value>,
}

#[derive(Deserialize)]
struct Gone {
    deleted: u64,
    missing: u64,
}

#[derive(Serialize)]
struct Part<'a> {
    content: &'a [Value],
}

#[derive(Default, Serialize, Deserialize)]
struct BackupTally {
    items: u64,
    parts: u64,
}

#[derive(Default, Serialize, Deserialize)]
struct DeletionTally {
    deleted: u64,
    already_gone: u64,
}

/// Finds the items that are old enough, page by page.
#[activity(timeout = Long)]
pub(crate) fn identify_cleanup_items(
    ctx: &ActivityContext,
    input: IdentifyRequest,
) -> Result<Identified, ActivityError> {
    let mut findings = Findings::default();
    findings.text("collection", &input.collection, NAME_CHARS_MAX);
    findings.check(
        (1..=ROUND_ITEMS_MAX).contains(&input.limit),
        "limit is out of bounds",
    );
    findings.verdict("nothing can be looked for")?;
    time::parse("older_than", &input.older_than)?;
    let mut ids = Vec::new();
    let mut after = input.after.clone();
    let more = loop {
        ctx.check_cancelled()?;
        let limit = PAGE_ITEMS.min(input.limit - ids.len());
        let page = page(ctx, &input, after.as_deref(), limit)?;
        ids.extend(page.ids);
        after = page.next;
        if after.is_none() || ids.len() >= input.limit {
            break after.is_some();
        }
    };
    info!("{} of {} are old enough", ids.len(), input.collection);
    Ok(Identified { ids, more })
}

fn page(
    ctx: &ActivityContext,
    input: &IdentifyRequest,
    after: Option<&str>,
    limit: usize,
) -> Result<Page, ActivityError> {
    let mut path = format!(
        "{}?older_than={}&limit={limit}",
        encode_segment(&input.collection),
        encode_segment(&input.older_than)
    );
    if let Some(after) = after {
        path.push_str("&after=");
        path.push_str(&encode_segment(after));
    }
    provider::request(ctx, URL_KEY, Method::Get, &path)?
        .send()?
        .ok()?
        .json()
}

/// Reads items out and stores them as objects, batch by batch; goes on where the attempt before stopped.
#[activity(timeout = VeryLong, retry = Patient)]
pub(crate) fn backup_data(
    ctx: &ActivityContext,
    input: BackupRequest,
) -> Result<BackedUp, ActivityError> {
    let list = &input.list;
    list.validate()?;
    let objects = config::require("objects_url")?;
    let mut batches = Batches::<BackupTally>::resume(ctx, list.ids.len(), list.batch_size);
    while let Some(batch) = batches.next_batch()? {
        let key = batches.item_key(batch.start);
        let exported: Exported = list.ask("exports", &list.ids[batch.clone()], &key)?;
        let name = format!("{}/{:06}.json", input.name, batch.start);
        let path = format!("objects/{}", encode_segment(&name));
        http::put(&http::join(&objects, &path))
            .header(IDEMPOTENCY_KEY, &key)
            .json(&Part {
                content: &exported.items,
            })?
            .send()?
            .ok()?;
        batches.tally.items += u64::try_from(exported.items.len())?;
        batches.tally.parts += 1;
    }
    let BackupTally { items, parts } = batches.tally;
    info!(
        "{items} of {} are backed up in {parts} parts",
        list.collection
    );
    Ok(BackedUp { items, parts })
}

/// Deletes items, batch by batch; goes on where the attempt before stopped. An item that is gone already is no error.
#[activity(timeout = VeryLong, retry = Patient)]
pub(crate) fn delete_items(
    ctx: &ActivityContext,
    input: ItemList,
) -> Result<Deleted, ActivityError> {
    input.validate()?;
    let mut batches = Batches::<DeletionTally>::resume(ctx, input.ids.len(), input.batch_size);
    while let Some(batch) = batches.next_batch()? {
        let key = batches.item_key(batch.start);
        let gone: Gone = input.ask("deletions", &input.ids[batch], &key)?;
        batches.tally.deleted += gone.deleted;
        batches.tally.already_gone += gone.missing;
    }
    let resumed_from = u64::try_from(batches.resumed_from())?;
    let DeletionTally {
        deleted,
        already_gone,
    } = batches.tally;
    info!(
        "{deleted} of {} are deleted (attempt {}, from {resumed_from})",
        input.collection,
        ctx.attempt()
    );
    Ok(Deleted {
        deleted,
        already_gone,
        resumed_from,
    })
}

impl ItemList {
    fn validate(&self) -> Result<(), ActivityError> {
        let mut findings = Findings::default();
        findings.text("collection", &self.collection, NAME_CHARS_MAX);
        findings.check(
            self.ids.len() <= ROUND_ITEMS_MAX,
            "there are too many items",
        );
        findings.check(
            (BATCH_ITEMS_MIN..=BATCH_ITEMS_MAX).contains(&self.batch_size),
            "batch_size is out of bounds",
        );
        findings.verdict("the items cannot be gone through")
    }

    /// Has something done with a batch.
    fn ask<T: serde::de::DeserializeOwned>(
        &self,
        what: &str,
        ids: &[String],
        key: &str,
    ) -> Result<T, ActivityError> {
        let path = format!("{}/{what}", encode_segment(&self.collection));
        let url = http::join(&config::require(URL_KEY)?, &path);
        http::post(&url)
            .header(IDEMPOTENCY_KEY, key)
            .json(&Ids { ids })?
            .send()?
            .ok()?
            .json()
    }
}
