//! Times of day with their offset: RFC 3339 in inputs, results and at providers, `chrono`'s types in between.
//!
//! A time as text is a `String` in an input, with [`PATTERN`] in its schema: what is no time is refused at the door,
//! and a day that no calendar has (`2026-02-30`) by [`parse`], as a failure and not as an input that nobody can read.

use std::fmt;
use std::time::Duration;

use chrono::TimeDelta;
use temporalio_workflow::common::error::ApplicationFailure;
use temporalio_workflow::{WorkflowContext, WorkflowTermination};

use crate::error::{ActivityError, ErrorKind};

pub use chrono::{DateTime, FixedOffset, Utc};

/// What a time looks like, for `#[schemars(regex(pattern = …))]`: `2026-11-22T09:30:00+01:00`.
pub const PATTERN: &str = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})$";

/// The search attribute that Temporal gives what a schedule starts.
const SCHEDULED_START: &str = "TemporalScheduledStartTime";

/// A text that is no time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidTime {
    field: String,
    text: String,
    why: String,
}

impl fmt::Display for InvalidTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field, text, why } = self;
        write!(f, "{field} {text:?} is no time of RFC 3339: {why}")
    }
}

impl std::error::Error for InvalidTime {}

impl From<InvalidTime> for ActivityError {
    #[track_caller]
    fn from(error: InvalidTime) -> Self {
        Self::validation(error.to_string())
    }
}

impl From<InvalidTime> for WorkflowTermination {
    fn from(error: InvalidTime) -> Self {
        invalid(error.to_string())
    }
}

/// Ends a workflow with a failure of type `ValidationError`, as an activity that refuses the same input would.
#[must_use]
pub fn invalid(message: String) -> WorkflowTermination {
    let failure = ApplicationFailure::builder(message)
        .type_name(ErrorKind::Validation.name().to_owned())
        .non_retryable(true)
        .build();
    failure.into()
}

/// Reads a time; `field` names it in the error.
///
/// # Errors
/// [`InvalidTime`] if it is none.
pub fn parse(field: &str, text: &str) -> Result<DateTime<FixedOffset>, InvalidTime> {
    DateTime::parse_from_rfc3339(text).map_err(|why| InvalidTime {
        field: field.to_owned(),
        text: text.to_owned(),
        why: why.to_string(),
    })
}

/// The workflow's time, which is the same in each replay; to the millisecond.
pub fn now<W>(ctx: &WorkflowContext<W>) -> DateTime<Utc> {
    let since = ctx
        .workflow_time()
        .and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok())
        .unwrap_or_default();
    let millis = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
    DateTime::from_timestamp_millis(millis).unwrap_or(DateTime::UNIX_EPOCH)
}

/// The time for which a schedule started this execution; `None` if none did. It is the time to tell the night from that a
/// nightly run is about: [`now`] is later by as much as the start was, days where it was made up for, or backfilled.
pub fn scheduled<W>(ctx: &WorkflowContext<W>) -> Option<DateTime<Utc>> {
    let attributes = ctx.search_attributes();
    let value = &attributes.raw_payload(SCHEDULED_START)?.data;
    let text: String = serde_json::from_slice(value).ok()?;
    Some(parse(SCHEDULED_START, &text).ok()?.to_utc())
}

/// How long it is from `from` until `to`; nothing if that has passed.
#[must_use]
pub fn between(from: DateTime<Utc>, to: DateTime<Utc>) -> Duration {
    to.signed_duration_since(from).to_std().unwrap_or_default()
}

/// `time` and `more`; the end of the calendar where that is beyond it.
#[must_use]
pub fn after(time: DateTime<Utc>, more: Duration) -> DateTime<Utc> {
    TimeDelta::from_std(more)
        .ok()
        .and_then(|more| time.checked_add_signed(more))
        .unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// A time as text: `2026-11-22T08:30:00Z`, with milliseconds where there are some.
#[must_use]
pub fn text(time: DateTime<Utc>) -> String {
    format!("{time:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_their_offset() {
        let time = parse("at", "2026-11-22T09:30:00.250+01:00").expect("a time");
        assert_eq!(text(time.to_utc()), "2026-11-22T08:30:00.250Z");
        assert_eq!(time.offset().local_minus_utc(), 3_600);
        let error = parse("at", "2026-02-30T00:00:00Z").expect_err("no such day");
        assert!(
            error.to_string().starts_with("at \"2026-02-30T00:00:00Z\""),
            "{error}"
        );
        let failure: ActivityError = error.into();
        assert_eq!(failure.kind(), &ErrorKind::Validation);
    }

    #[test]
    fn what_has_passed_takes_no_time() {
        let at = |text| parse("at", text).expect("a time").to_utc();
        let (early, late) = (
            at("2026-11-22T08:30:00Z"),
            at("2026-11-22T09:30:00.5+01:00"),
        );
        assert_eq!(between(early, late), Duration::from_millis(500));
        assert_eq!(between(late, early), Duration::ZERO);
        assert_eq!(after(early, Duration::from_millis(500)), late);
        assert_eq!(after(early, Duration::MAX), DateTime::<Utc>::MAX_UTC);
    }
}
