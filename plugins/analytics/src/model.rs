//! What goes into the workflows and what comes out.

use std::collections::BTreeMap;

use tenterhook_sdk::{payload, time};

/// The longest name or id, in characters.
pub(crate) const NAME_CHARS_MAX: usize = 200;
/// The most sources of one report.
pub(crate) const SOURCES_MAX: usize = 32;
/// Items that one run of a clean-up takes on, unless the request says less; further ones are the next run's.
pub(crate) const ROUND_ITEMS_MAX: usize = 10_000;
/// Items of one batch, unless the request says otherwise, and what it may say.
pub(crate) const BATCH_ITEMS: usize = 100;
pub(crate) const BATCH_ITEMS_MIN: usize = 25;
pub(crate) const BATCH_ITEMS_MAX: usize = 500;
/// The longest silence of an attempt in batches, unless the request says otherwise, in milliseconds.
pub(crate) const HEARTBEAT_TIMEOUT_MS: u64 = 60_000;

/// A report to make.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct ReportRequest {
    /// The report's name: `shop`.
    #[schemars(length(min = 1, max = 100), regex(pattern = "^[a-z0-9][a-z0-9-]*$"))]
    pub(crate) report: String,
    /// Where the figures come from, each once.
    #[schemars(length(min = 1, max = 32), extend("uniqueItems" = true))]
    pub(crate) sources: Vec<String>,
    /// The day, `2026-11-21`; unless given, the day before the one on which the workflow starts, or for which a schedule
    /// started it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^\\d{4}-\\d{2}-\\d{2}$"))]
    pub(crate) date: Option<String>,
    /// The offset from UTC in which the day begins and ends, `+01:00`; `Z` unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^(Z|[+-]\\d{2}:\\d{2})$"))]
    pub(crate) utc_offset: Option<String>,
    /// Milliseconds before a failed step is tried again the first time, in place of the preset's: for tests and
    /// demonstrations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 60_000))]
    pub(crate) retry_initial_ms: Option<u64>,
}

/// A day, from when until when.
#[payload]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Day {
    /// `2026-11-21`.
    pub(crate) date: String,
    /// Its first moment, RFC 3339 in UTC.
    pub(crate) from: String,
    /// The first moment after it.
    pub(crate) to: String,
}

/// The figures of one source.
#[payload]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SourceData {
    pub(crate) source: String,
    /// Sums over the day; money in minor units, with the currency in the metric's name.
    pub(crate) metrics: BTreeMap<String, i64>,
}

/// A source that did not answer.
#[payload]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MissingSource {
    pub(crate) source: String,
    pub(crate) reason: String,
}

/// A report that was made.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct ReportResult {
    pub(crate) report: String,
    /// The day it is of.
    pub(crate) date: String,
    /// Whether a source is missing.
    pub(crate) partial: bool,
    pub(crate) missing: Vec<MissingSource>,
    /// The sums over all sources that are there.
    pub(crate) totals: BTreeMap<String, i64>,
    /// Where it is stored.
    pub(crate) location: String,
}

/// What is to be cleaned up.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct CleanupRequest {
    /// The collection of items.
    #[schemars(length(min = 1, max = 200))]
    pub(crate) collection: String,
    /// Items last changed before this time, RFC 3339 with its offset, go.
    #[schemars(regex(pattern = time::PATTERN))]
    pub(crate) older_than: String,
    /// Only says what would go.
    #[serde(default)]
    pub(crate) dry_run: bool,
    /// Items of one batch, 25 to 500; 100 unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 25, max = 500))]
    pub(crate) batch_size: Option<usize>,
    /// Items of one run, after which the workflow continues as new; 10,000 unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000))]
    pub(crate) round_items: Option<usize>,
    /// The longest silence of an attempt in batches before another is made, in milliseconds; a minute unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1_000, max = 600_000))]
    pub(crate) heartbeat_timeout_ms: Option<u64>,
    /// As in a report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 60_000))]
    pub(crate) retry_initial_ms: Option<u64>,
    /// What earlier runs did, when the workflow has continued as new; callers leave it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) so_far: Option<CleanupResult>,
}

/// What was cleaned up.
#[payload]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CleanupResult {
    pub(crate) dry_run: bool,
    /// Items that are old enough.
    pub(crate) identified: u64,
    /// Items that were backed up.
    pub(crate) backed_up: u64,
    /// Items that were deleted.
    pub(crate) deleted: u64,
    /// Items that somebody else deleted meanwhile.
    pub(crate) already_gone: u64,
    /// Runs that it took.
    pub(crate) rounds: u32,
    /// The last item that was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) last_id: Option<String>,
    /// Where the last run's backup is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) backup: Option<String>,
    /// The item of the last run's list at which its last attempt to delete began: not 0 where it went on after a crash.
    pub(crate) resumed_from: u64,
}

/// A reminder to send.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct ReminderRequest {
    /// The reminder, which the reminder service knows.
    #[schemars(length(min = 1, max = 200))]
    pub(crate) reminder_id: String,
    /// When, RFC 3339 with its offset; at once if that has passed.
    #[schemars(regex(pattern = time::PATTERN))]
    pub(crate) scheduled_at: String,
    /// As in a report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 60_000))]
    pub(crate) retry_initial_ms: Option<u64>,
}

/// What became of a reminder.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct ReminderResult {
    pub(crate) reminder_id: String,
    /// Whether it was sent; if not, it was no longer wanted.
    pub(crate) sent: bool,
    /// Why not, where it was not.
    pub(crate) reason: Option<String>,
    /// The mail provider's id of it.
    pub(crate) message_id: Option<String>,
    /// When, RFC 3339 in UTC.
    pub(crate) sent_at: Option<String>,
}
