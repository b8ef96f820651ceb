//! Schedules: executions that Temporal starts by itself, at stated times. `worker` implements [`Schedules`] on Temporal.

mod calendar;
mod span;

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::calendar::{check_cron, invalid};
pub use self::{calendar::Calendar, span::Span};
use crate::{
    error::Result,
    execution::{Page, Status},
    name::{ScheduleId, Scope, TenantId, TypeName},
};

/// Most times that one schedule states: cron expressions, intervals and calendars together.
pub const TIMES_MAX: usize = 16;
/// Shortest and longest interval.
const INTERVAL: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(366 * DAY));
/// Most that starts are spread over.
const JITTER_MAX: Duration = Duration::from_secs(DAY);
/// Shortest and longest time for which a missed start is made up for; Temporal's own bounds.
const CATCH_UP: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(365 * DAY));
/// Longest note, in bytes.
pub const NOTE_BYTES_MAX: usize = 1_000;
/// Longest name of a time zone, in bytes.
const TIME_ZONE_BYTES_MAX: usize = 64;
/// Most starts that a schedule can be limited to.
const REMAINING_MAX: u64 = 1_000_000_000;
/// Most starts of one backfill. Temporal itself holds 1,000 back at most, and drops others.
pub const BACKFILL_STARTS_MAX: usize = 500;
/// The latest time that can be named, in milliseconds since the Unix epoch: the end of the year 9999.
pub const TIME_MAX: u64 = 253_402_300_799_999;
const DAY: u64 = 86_400;

/// What is started, when, and what happens when one start meets another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// What is started.
    #[schema(inline = false)]
    pub action: Action,
    /// Cron expressions: 5 fields (minute, hour, day of month, month, day of week), 6 (and a year) or 7 (and seconds in
    /// front), or `@daily` and the like. Where both sorts of days are given, both have to match.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 16)]
    pub cron: Vec<String>,
    /// Intervals, counted from the Unix epoch.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 16)]
    pub intervals: Vec<Interval>,
    /// Times of the calendar.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 16)]
    pub calendars: Vec<Calendar>,
    /// The time zone of cron expressions and calendars, by its IANA name: `Europe/Berlin`. UTC unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 64, pattern = r"^[A-Za-z0-9_+\-/]+$")]
    pub time_zone: Option<String>,
    /// Starts are spread over so long, at random; a day at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jitter: Option<Span>,
    /// Nothing is started before, in milliseconds since the Unix epoch.
    #[serde(
        default,
        deserialize_with = "crate::whole::optional",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(maximum = 253_402_300_799_999_u64)]
    pub starts_at: Option<u64>,
    /// Nothing is started after, in milliseconds since the Unix epoch.
    #[serde(
        default,
        deserialize_with = "crate::whole::optional",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(maximum = 253_402_300_799_999_u64)]
    pub ends_at: Option<u64>,
    /// What happens when the execution of before still runs.
    #[serde(default)]
    #[schema(inline = false)]
    pub overlap: Overlap,
    /// A start that was missed, for Temporal was away, is made up for within so long: 10 s to 365 days, a year unless
    /// given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub catch_up: Option<Span>,
    /// Pauses when an execution fails or times out.
    #[serde(default)]
    pub pause_on_failure: bool,
    /// Starts nothing by itself until it is resumed.
    #[serde(default)]
    pub paused: bool,
    /// A note for people; pausing and resuming set it too. It is not encrypted.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schema(max_length = 250)]
    pub note: String,
    /// So many starts by itself are left; without it there is no end.
    #[serde(
        default,
        deserialize_with = "crate::whole::optional",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(maximum = 1_000_000_000_u64)]
    pub remaining_starts: Option<u64>,
}

/// What a schedule starts. The executions' ids are the schedule's, with `-` and the time behind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Action {
    /// The workflow type: `plugin.Name`.
    #[serde(rename = "type")]
    #[schema(value_type = String, pattern = r"^[a-z][a-z0-9-]{0,62}\.[A-Za-z_][A-Za-z0-9_]{0,60}$")]
    pub workflow_type: TypeName,
    /// Its input: one JSON value; without it there is no argument.
    #[serde(
        default,
        deserialize_with = "given",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Value)]
    pub input: Option<Value>,
    /// How long a whole execution may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution_timeout: Option<Span>,
    /// How long one run may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_timeout: Option<Span>,
    /// How long one workflow task may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_timeout: Option<Span>,
    /// Notes kept with each execution, by key.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    #[schema(value_type = Object)]
    pub memo: serde_json::Map<String, Value>,
}

/// Null is an argument, a field that is not there is none.
fn given<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// Every so often.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Interval {
    /// The interval: whole seconds, 1 s to 366 days.
    #[schema(inline = false)]
    pub every: Span,
    /// So long after each beginning of an interval, less than it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<Span>,
}

/// What happens when the execution of before still runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// This start is left out.
    #[default]
    Skip,
    /// One start waits for the end; others are left out.
    BufferOne,
    /// All starts wait, and come one after the other.
    BufferAll,
    /// The running one is asked to end, and the start waits for that.
    CancelOther,
    /// The running one is ended by force.
    TerminateOther,
    /// They run beside each other.
    AllowAll,
}

impl Schedule {
    /// Holds it against its bounds.
    ///
    /// # Errors
    /// `schedule-invalid`, saying what is and what may be.
    pub fn check(&self) -> Result<()> {
        match self.cron.len() + self.intervals.len() + self.calendars.len() {
            0 => {
                return Err(invalid(
                    "the schedule states no times: give cron, intervals or calendars",
                ));
            }
            1..=TIMES_MAX => {}
            more => {
                return Err(invalid(format!(
                    "the schedule states {more} times: {TIMES_MAX} at most"
                )));
            }
        }
        self.cron.iter().try_for_each(|text| check_cron(text))?;
        self.calendars.iter().try_for_each(Calendar::check)?;
        self.intervals.iter().try_for_each(Interval::check)?;
        within("jitter", self.jitter, (Duration::ZERO, JITTER_MAX))?;
        within("catch_up", self.catch_up, CATCH_UP)?;
        if self.time_zone.as_deref().is_some_and(|name| !is_zone(name)) {
            return Err(invalid(
                "time_zone is no name of a time zone: write one such as Europe/Berlin",
            ));
        }
        for (name, time) in [("starts_at", self.starts_at), ("ends_at", self.ends_at)] {
            if time.is_some_and(|time| time > TIME_MAX) {
                return Err(invalid(format!(
                    "{name} is after the year 9999: it is in milliseconds"
                )));
            }
        }
        if let (Some(from), Some(to)) = (self.starts_at, self.ends_at)
            && from > to
        {
            return Err(invalid("ends_at is before starts_at"));
        }
        if self
            .remaining_starts
            .is_some_and(|left| left > REMAINING_MAX)
        {
            return Err(invalid(format!(
                "remaining_starts cannot be more than {REMAINING_MAX}"
            )));
        }
        check_note(&self.note)
    }
}

/// Holds a note against its bound.
///
/// # Errors
/// `schedule-invalid`.
pub fn check_note(note: &str) -> Result<()> {
    if note.len() > NOTE_BYTES_MAX {
        return Err(invalid(format!(
            "the note has more than {NOTE_BYTES_MAX} bytes"
        )));
    }
    Ok(())
}

impl Interval {
    fn check(&self) -> Result<()> {
        within("every", Some(self.every), INTERVAL)?;
        let offset = self.offset.map_or(Duration::ZERO, |offset| offset.0);
        if self.every.0.subsec_nanos() > 0 || offset.subsec_nanos() > 0 {
            return Err(invalid("an interval and its offset are whole seconds"));
        }
        if offset >= self.every.0 {
            return Err(invalid("the offset of an interval is less than it"));
        }
        Ok(())
    }
}

fn within(name: &str, span: Option<Span>, (least, most): (Duration, Duration)) -> Result<()> {
    match span {
        Some(span) if !(least..=most).contains(&span.0) => Err(invalid(format!(
            "{name} cannot be {span}: use {} to {}",
            Span(least),
            Span(most)
        ))),
        _ => Ok(()),
    }
}

fn is_zone(name: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"_+-/".contains(&byte);
    !name.is_empty() && name.len() <= TIME_ZONE_BYTES_MAX && name.bytes().all(known)
}

/// What is known of a schedule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Scheduled {
    /// Its id.
    pub id: ScheduleId,
    /// What was put, as Temporal has it now: notes, pauses and what is left change, `@daily` and names of days are spelled out
    /// in calendars.
    #[schema(inline = false)]
    pub schedule: Schedule,
    /// When it starts something next, in milliseconds since the Unix epoch; ten at most.
    pub next: Vec<u64>,
    /// What it started last, the newest at the end; ten at most.
    pub recent: Vec<ScheduledStart>,
    /// Ids of executions it started that run.
    pub running: Vec<String>,
    /// How many it started so far.
    pub started: u64,
    /// Starts that were left out, for the execution of before still ran.
    pub skipped: u64,
    /// Starts that were missed and not made up for.
    pub missed: u64,
    /// When it was made, in milliseconds since the Unix epoch.
    pub created_at: Option<u64>,
}

/// A start that a schedule made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ScheduledStart {
    /// The time that was stated, in milliseconds since the Unix epoch.
    pub at: Option<u64>,
    /// The execution's id.
    pub id: String,
    /// Temporal's id of its first run.
    pub run_id: String,
    /// Where it is in its life; known a little later than it is so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
}

/// A schedule in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ScheduleEntry {
    /// Its id.
    pub id: ScheduleId,
    /// What it starts: `plugin.Name`.
    #[serde(rename = "type")]
    pub workflow_type: String,
    /// True: it starts nothing by itself.
    pub paused: bool,
    /// The note.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// When it starts something next, in milliseconds since the Unix epoch.
    pub next: Option<u64>,
    /// What it started last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub last: Option<ScheduledStart>,
}

/// Past times of a schedule that are made up for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Backfill {
    /// Times after this one, in milliseconds since the Unix epoch.
    #[serde(deserialize_with = "crate::whole::number")]
    #[schema(maximum = 253_402_300_799_999_u64)]
    pub from: u64,
    /// Times up to this one.
    #[serde(deserialize_with = "crate::whole::number")]
    #[schema(maximum = 253_402_300_799_999_u64)]
    pub to: u64,
    /// What happens when the execution of before still runs; what the schedule says unless given.
    pub overlap: Option<Overlap>,
}

impl Backfill {
    /// Holds it against its bounds.
    ///
    /// # Errors
    /// `schedule-invalid`.
    pub fn check(&self) -> Result<()> {
        if self.from >= self.to || self.to > TIME_MAX {
            return Err(invalid(
                "a backfill goes from a time to a later one, in milliseconds since the Unix epoch",
            ));
        }
        Ok(())
    }
}

/// Schedules of a scope; nothing outside `scope` can be reached.
///
/// # Errors
/// `schedule-not-found` for what is not there, `temporal-unavailable` when Temporal does not answer.
#[async_trait]
pub trait Schedules: Send + Sync + 'static {
    /// Makes or replaces one; true if it is new. What it starts has `weight` shares of the lane beside other tenants.
    /// `schedule-invalid` for times that Temporal cannot read.
    async fn put(
        &self,
        scope: &Scope,
        id: &ScheduleId,
        schedule: &Schedule,
        weight: u16,
    ) -> Result<bool>;
    /// What is known of one.
    async fn get(&self, scope: &Scope, id: &ScheduleId) -> Result<Scheduled>;
    /// Schedules of the scope. What is listed lags a second or two behind.
    async fn list(
        &self,
        scope: &Scope,
        limit: usize,
        cursor: Option<String>,
    ) -> Result<Page<ScheduleEntry>>;
    /// Takes one away; what it started goes on. Done too where there is none.
    async fn delete(&self, scope: &Scope, id: &ScheduleId) -> Result<()>;
    /// Has it start nothing by itself, or go on.
    async fn pause(&self, scope: &Scope, id: &ScheduleId, paused: bool, note: &str) -> Result<()>;
    /// Starts its action now, besides its times.
    async fn trigger(&self, scope: &Scope, id: &ScheduleId, overlap: Option<Overlap>)
    -> Result<()>;
    /// How many times it states in that range; what is over a thousand is not counted.
    async fn times(&self, scope: &Scope, id: &ScheduleId, range: &Backfill) -> Result<usize>;
    /// Makes up for past times.
    async fn backfill(&self, scope: &Scope, id: &ScheduleId, range: &Backfill) -> Result<()>;
    /// All schedules of the tenant, `environment/id` each, at most `most` and a page more. What is listed lags behind.
    async fn of_tenant(&self, tenant: &TenantId, most: usize) -> Result<Vec<String>>;
}

#[cfg(test)]
mod tests;
