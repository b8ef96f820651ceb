//! Periods on the calendar: each begins on the day and at the hour of the first, or on the last day of a month that is
//! too short, counted from the first so that a short month shortens no other.

use std::time::Duration;

use chrono::{DateTime, Datelike, FixedOffset, Months, TimeDelta, Utc};
use temporalio_workflow::WorkflowTermination;
use tenterhook_sdk::time;

use super::Context;
use super::model::SubscriptionRequest;
use super::record::{Details, PeriodLength, SubscriptionStatus};

/// A period, RFC 3339 in UTC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Period {
    pub(super) start: String,
    pub(super) end: String,
}

impl Period {
    /// The one that the service has: paid, or the first that is to be.
    pub(super) fn running(details: &Details) -> Result<Self, WorkflowTermination> {
        let start = time::parse("period_start", &details.period_start)?.to_utc();
        let end = time::parse("period_end", &details.period_end)?.to_utc();
        Ok(Self {
            start: time::text(start),
            end: time::text(end),
        })
    }

    pub(super) fn is_over(&self, now: DateTime<Utc>) -> Result<bool, WorkflowTermination> {
        Ok(self.left(now)?.is_zero())
    }

    /// How long it is until its end.
    pub(super) fn left(&self, now: DateTime<Utc>) -> Result<Duration, WorkflowTermination> {
        let end = time::parse("period_end", &self.end)?.to_utc();
        Ok(time::between(now, end))
    }

    /// The one to be paid: the first as it is, or the one after this.
    pub(super) fn due(
        self,
        ctx: &Context,
        request: &SubscriptionRequest,
        details: &Details,
    ) -> Result<Self, WorkflowTermination> {
        let start = match details.status {
            SubscriptionStatus::Pending => self.start,
            _ => self.end.clone(),
        };
        let end = match request.period_ms {
            Some(millis) => time::after(time::now(ctx), Duration::from_millis(millis)),
            None if details.status == SubscriptionStatus::Pending => {
                time::parse("period_end", &self.end)?.to_utc()
            }
            None => {
                let first = time::parse("started_at", &details.started_at)?;
                let start = time::parse("period_end", &self.end)?.to_utc();
                next(first, start, details.period).ok_or_else(|| {
                    let why = format!("no period follows {start:?} on the calendar");
                    time::invalid(why)
                })?
            }
        };
        Ok(Self {
            start,
            end: time::text(end),
        })
    }
}

/// The first begin of a period after `start`.
fn next(
    first: DateTime<FixedOffset>,
    start: DateTime<Utc>,
    length: PeriodLength,
) -> Option<DateTime<Utc>> {
    let step = match length {
        PeriodLength::Day => return start.checked_add_signed(TimeDelta::days(1)),
        PeriodLength::Week => return start.checked_add_signed(TimeDelta::weeks(1)),
        PeriodLength::Month => 1,
        PeriodLength::Year => 12,
    };
    let local = start.with_timezone(first.offset());
    let months = (local.year() - first.year()) * 12 + local.month0().cast_signed()
        - first.month0().cast_signed();
    let mut count = u32::try_from(months).unwrap_or(0) / step * step;
    loop {
        let begin = first.checked_add_months(Months::new(count))?.to_utc();
        if begin > start {
            return Some(begin);
        }
        count = count.checked_add(step)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_month_shortens_no_other() {
        let first = time::parse("first", "2026-01-31T00:00:00+01:00").expect("a time");
        let mut begin = first.to_utc();
        let mut begins = Vec::new();
        for _ in 0..4 {
            begin = next(first, begin, PeriodLength::Month).expect("a period");
            begins.push(begin.with_timezone(first.offset()).to_rfc3339());
        }
        let expected = [
            "2026-02-28T00:00:00+01:00",
            "2026-03-31T00:00:00+01:00",
            "2026-04-30T00:00:00+01:00",
            "2026-05-31T00:00:00+01:00",
        ];
        assert_eq!(begins, expected);
    }

    #[test]
    fn days_weeks_and_years_follow_each_other() {
        let first = time::parse("first", "2024-02-29T12:00:00Z").expect("a time");
        let begin = first.to_utc();
        for (length, expected) in [
            (PeriodLength::Day, "2024-03-01T12:00:00Z"),
            (PeriodLength::Week, "2024-03-07T12:00:00Z"),
            (PeriodLength::Year, "2025-02-28T12:00:00Z"),
        ] {
            let end = next(first, begin, length).expect("a period");
            assert_eq!(time::text(end), expected);
        }
        let late = time::parse("late", "2028-02-28T12:00:00Z")
            .expect("a time")
            .to_utc();
        let end = next(first, late, PeriodLength::Year).expect("a period");
        assert_eq!(time::text(end), "2028-02-29T12:00:00Z");
    }
}
