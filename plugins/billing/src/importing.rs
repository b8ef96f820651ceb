//! The activity `ProcessTask`: the rows of an import become usage, batch by batch.
//!
//! Each batch is recorded under a key of its own, made of the activity's key and the batch's first row, and only then
//! told by heartbeat. An attempt goes on after the last batch that was told; what the attempt before had recorded beyond
//! that is answered as before, and recorded once.

use serde::{Deserialize, Serialize};
use tenterhook_sdk::http::{Method, encode_segment};
use tenterhook_sdk::{ActivityContext, ActivityError, Findings, activity, info, payload};

use crate::model::name;
use crate::provider;
use crate::record::{self, Record};

/// The most rows that are read and recorded at once.
pub(crate) const BATCH_ROWS_MAX: u64 = 1_000;
/// The most batches of one activity.
const BATCHES_MAX: u64 = 300;
/// The most rows of one activity.
pub(crate) const CHUNK_ROWS_MAX: u64 = 100_000;
/// The most bad rows of one chunk that are told in its result; all are recorded at the import.
const BAD_ROWS_TOLD_MAX: usize = 1_000;
/// Characters of a row that are told.
const EXCERPT_CHARS: usize = 60;

/// Some of the rows of an import.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct Chunk {
    pub(crate) import_id: String,
    /// Its first row; the file's first is 0.
    pub(crate) from: u64,
    /// So many rows, unless the file ends before.
    pub(crate) rows: u64,
    /// Of which so many are read and recorded at once.
    pub(crate) batch_rows: u64,
}

/// What became of the chunk; kept by heartbeat while it is under way.
#[payload]
#[derive(Clone, Debug, Default)]
pub(crate) struct ChunkDone {
    /// The first row after it.
    pub(crate) next: u64,
    /// The rows of the whole file.
    pub(crate) total: u64,
    /// Rows that were looked at, bad ones among them.
    pub(crate) processed: u64,
    /// Rows that are bad.
    pub(crate) failed: u64,
    /// The first of those.
    pub(crate) bad_rows: Vec<BadRow>,
}

/// A row that nothing can be made of.
#[payload]
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct BadRow {
    /// Its number in the file, from 0.
    pub(crate) row: u64,
    pub(crate) reason: String,
    /// How it begins.
    pub(crate) text: String,
}

/// Rows as the import service answers them.
#[derive(Deserialize)]
struct Rows {
    total: u64,
    rows: Vec<String>,
}

#[derive(Serialize)]
struct Records<'a> {
    import_id: &'a str,
    records: &'a [Record],
}

#[derive(Serialize)]
struct BadRows<'a> {
    bad_rows: &'a [BadRow],
}

#[derive(Deserialize)]
struct Recorded {}

/// Processes a chunk of an import's rows in batches; another attempt goes on where the last heartbeat was.
#[activity(timeout = VeryLong, retry = Patient)]
pub(crate) fn process_task(
    ctx: &ActivityContext,
    chunk: Chunk,
) -> Result<ChunkDone, ActivityError> {
    check(&chunk)?;
    let until = chunk.from.saturating_add(chunk.rows);
    let mut done = ctx.heartbeat_details()?.unwrap_or(ChunkDone {
        next: chunk.from,
        total: until,
        ..ChunkDone::default()
    });
    info!(
        "import {} from row {} to {until}: goes on at {} (attempt {})",
        chunk.import_id,
        chunk.from,
        done.next,
        ctx.attempt()
    );
    while done.next < until.min(done.total) {
        ctx.check_cancelled()?;
        batch(ctx, &chunk, &mut done)?;
        ctx.heartbeat(&done)?;
    }
    info!(
        "import {} has come to row {} of {}: {} of the chunk are bad",
        chunk.import_id, done.next, done.total, done.failed
    );
    Ok(done)
}

fn check(chunk: &Chunk) -> Result<(), ActivityError> {
    let mut findings = Findings::default();
    name(&mut findings, "import_id", &chunk.import_id);
    let bounded = (1..=CHUNK_ROWS_MAX).contains(&chunk.rows);
    findings.check(bounded, &format!("rows is not of 1 to {CHUNK_ROWS_MAX}"));
    let bounded = (1..=BATCH_ROWS_MAX).contains(&chunk.batch_rows);
    findings.check(
        bounded,
        &format!("batch_rows is not of 1 to {BATCH_ROWS_MAX}"),
    );
    // Each batch is three requests at most, of which an attempt has a thousand.
    let batches = chunk.rows.div_ceil(chunk.batch_rows.max(1));
    let few = batches <= BATCHES_MAX;
    findings.check(
        few,
        &format!("the chunk is of more than {BATCHES_MAX} batches"),
    );
    findings.verdict("the chunk is wrong")
}

/// The next batch: read, told apart, recorded, counted.
fn batch(ctx: &ActivityContext, chunk: &Chunk, done: &mut ChunkDone) -> Result<(), ActivityError> {
    let import = format!("imports/{}", encode_segment(&chunk.import_id));
    let limit = chunk.batch_rows.min(chunk.from + chunk.rows - done.next);
    let path = format!("{import}/rows?from={}&limit={limit}", done.next);
    let read: Rows = provider::read(provider::IMPORTS, &path)?;
    let expected = limit.min(read.total.saturating_sub(done.next));
    if read.rows.len() as u64 != expected {
        let got = read.rows.len();
        let message = format!("{got} rows from row {} on, not {expected}", done.next);
        return Err(ActivityError::external_service(message));
    }
    let (mut records, mut bad) = (Vec::new(), Vec::new());
    for (row, text) in (done.next..).zip(&read.rows) {
        match record::parse(row, text) {
            Ok(record) => records.push(record),
            Err(reason) => bad.push(BadRow {
                row,
                reason,
                text: text.chars().take(EXCERPT_CHARS).collect(),
            }),
        }
    }
    let part = done.next.to_string();
    if !records.is_empty() {
        let body = Records {
            import_id: &chunk.import_id,
            records: &records,
        };
        let to = (Method::Post, "records");
        let Recorded {} = provider::change_part(ctx, &part, provider::USAGE, to, &body)?;
    }
    if !bad.is_empty() {
        let path = format!("{import}/bad-rows");
        let (to, body) = ((Method::Post, path.as_str()), BadRows { bad_rows: &bad });
        let Recorded {} = provider::change_part(ctx, &part, provider::IMPORTS, to, &body)?;
    }
    done.total = read.total;
    done.next += expected;
    done.processed += expected;
    done.failed += bad.len() as u64;
    let room = BAD_ROWS_TOLD_MAX.saturating_sub(done.bad_rows.len());
    done.bad_rows.extend(bad.into_iter().take(room));
    Ok(())
}
