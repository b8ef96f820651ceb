//! The log of operations, which outlives the workflows' histories.

use serde::Serialize;
use tenterhook_sdk::http::Method;
use tenterhook_sdk::{ActivityContext, ActivityError, activity, info, payload};

use crate::model::CleanupResult;
use crate::provider;

/// That a report was made.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct ReportRecord {
    pub(crate) report: String,
    pub(crate) date: String,
    pub(crate) partial: bool,
    /// The sources that did not answer.
    pub(crate) missing: Vec<String>,
    pub(crate) location: String,
}

/// What a clean-up did in one run, and how that ended.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct CleanupRecord {
    pub(crate) collection: String,
    pub(crate) older_than: String,
    /// `completed`, `failed` or `cancelled`.
    pub(crate) outcome: String,
    /// Why, where it is not completed.
    pub(crate) reason: Option<String>,
    /// All runs so far, as far as they are known.
    pub(crate) done: CleanupResult,
}

#[payload]
#[derive(Clone, Debug)]
pub(crate) struct Recorded {
    pub(crate) entry_id: String,
}

#[derive(Serialize)]
struct Entry<'a, T> {
    kind: &'a str,
    facts: &'a T,
}

/// Puts on record that a report was made.
#[activity(timeout = Short, retry = Database)]
pub(crate) fn log_report_generation(
    ctx: &ActivityContext,
    input: ReportRecord,
) -> Result<Recorded, ActivityError> {
    record(ctx, "report", &input)
}

/// Puts on record what a clean-up did.
#[activity(timeout = Short, retry = Database)]
pub(crate) fn log_cleanup_operation(
    ctx: &ActivityContext,
    input: CleanupRecord,
) -> Result<Recorded, ActivityError> {
    record(ctx, "cleanup", &input)
}

fn record<T: Serialize>(
    ctx: &ActivityContext,
    kind: &str,
    facts: &T,
) -> Result<Recorded, ActivityError> {
    let recorded: Recorded = provider::request(ctx, "log_url", Method::Post, "entries")?
        .json(&Entry { kind, facts })?
        .send()?
        .ok()?
        .json()?;
    info!("{kind} is on record as {}", recorded.entry_id);
    Ok(recorded)
}
