//! Days of the civil calendar, as billing periods count them. A library of time zones would double the component, and
//! is not needed: a period's days are counted in its own zone, whatever the clock does there.

use std::borrow::Cow;
use std::fmt;

use schemars::{Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use tenterhook_sdk::JsonSchema;

/// Days in four centuries of the Gregorian calendar.
const ERA_DAYS: i64 = 146_097;
/// From 1 March of year 0 to 1 January 1970.
const EPOCH_DAYS: i64 = 719_468;
const DAY_SECONDS: i64 = 86_400;

/// A day, written `2026-03-31`. What it holds is only looked at where it is counted with: [`Date::day`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Date(String);

impl Date {
    /// Days since 1970-01-01, or what is wrong.
    pub(crate) fn day(&self) -> Result<i64, String> {
        let wrong = || format!("{:?} is no day written as 2026-03-31", self.0);
        let bytes = self.0.as_bytes();
        let shaped = bytes.len() == 10
            && bytes.iter().enumerate().all(|(at, byte)| match at {
                4 | 7 => *byte == b'-',
                _ => byte.is_ascii_digit(),
            });
        if !shaped {
            return Err(wrong());
        }
        let part = |range: std::ops::Range<usize>| self.0[range].parse::<i64>().unwrap_or(-1);
        let (year, month, day) = (part(0..4), part(5..7), part(8..10));
        let number = day_number(year, month, day);
        // 31 February counts as a day of March, which is written otherwise.
        if !(1..=12).contains(&month) || Self::of_day(number) != *self {
            return Err(wrong());
        }
        Ok(number)
    }

    /// The day so many days after 1970-01-01.
    pub(crate) fn of_day(day: i64) -> Self {
        let (year, month, day) = civil(day);
        Self(format!("{year:04}-{month:02}-{day:02}"))
    }
}

/// An instant, given in seconds since 1970-01-01 in UTC, as `2026-03-31T00:00:00Z`.
pub(crate) fn instant(seconds: i64) -> String {
    let day = Date::of_day(seconds.div_euclid(DAY_SECONDS));
    let second = seconds.rem_euclid(DAY_SECONDS);
    let (hours, minutes) = (second / 3_600, second / 60 % 60);
    format!("{day}T{hours:02}:{minutes:02}:{:02}Z", second % 60)
}

/// Whether a text is an instant as [`instant`] writes it.
pub(crate) fn is_instant(text: &str) -> bool {
    let Some((day, time)) = text.split_once('T') else {
        return false;
    };
    let bytes = time.as_bytes();
    let number = |at: usize| match bytes.get(at..at + 2) {
        Some([tens, ones]) if tens.is_ascii_digit() && ones.is_ascii_digit() => {
            Some((tens - b'0') * 10 + (ones - b'0'))
        }
        _ => None,
    };
    let within = |at, below| number(at).is_some_and(|number| number < below);
    Date::from(day).day().is_ok()
        && bytes.len() == 9
        && (bytes[2], bytes[5], bytes[8]) == (b':', b':', b'Z')
        && within(0, 24)
        && within(3, 60)
        && within(6, 60)
}

/// Howard Hinnant's `days_from_civil`: years begin in March, so that a leap day is a year's last.
fn day_number(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * ERA_DAYS + of_era * 365 + of_era / 4 - of_era / 100 + of_year - EPOCH_DAYS
}

/// Year, month and day: the other way.
fn civil(day: i64) -> (i64, i64, i64) {
    let day = day + EPOCH_DAYS;
    let (era, of_era) = (day.div_euclid(ERA_DAYS), day.rem_euclid(ERA_DAYS));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let march = (5 * of_year + 2) / 153;
    let month = (march + 2) % 12 + 1;
    let turn = i64::from(month <= 2);
    (
        era * 400 + year + turn,
        month,
        of_year - (153 * march + 2) / 5 + 1,
    )
}

impl From<&str> for Date {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl JsonSchema for Date {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Date".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$" })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_as_the_calendar_has_them() {
        for (text, day) in [
            ("1970-01-01", 0),
            ("1969-12-31", -1),
            ("2000-02-29", 11_016),
            ("2026-03-01", 20_513),
            ("2100-03-01", 47_541),
        ] {
            assert_eq!(Date::from(text).day(), Ok(day), "{text}");
            assert_eq!(Date::of_day(day), Date::from(text));
        }
        // Every day of four centuries is one after the one before, and written in one way.
        for day in -1_000..ERA_DAYS {
            assert_eq!(Date::of_day(day).day(), Ok(day));
        }
    }

    #[test]
    fn what_is_no_day_is_refused() {
        for text in [
            "",
            "2026-3-1",
            "2026-02-29",
            "2026-13-01",
            "2026-00-10",
            "2026-04-31",
            "2026-04-00",
            "2026/04/01",
            "+026-04-01",
            "2026-04-01T",
            "२०२६-०४-०१",
        ] {
            assert!(Date::from(text).day().is_err(), "{text}");
        }
    }

    #[test]
    fn instants_are_written_in_utc() {
        assert_eq!(instant(0), "1970-01-01T00:00:00Z");
        assert_eq!(instant(1_772_323_199), "2026-02-28T23:59:59Z");
        assert!(is_instant("2026-02-28T23:59:59Z"));
        for text in [
            "2026-02-28",
            "2026-02-28T24:00:00Z",
            "2026-02-30T10:00:00Z",
            "2026-02-28T10:00:00+01",
            "2026-02-28T1:00:000Z",
            "2026-02-28T10:60:00Z",
            "2026-02-28T10:00:00",
        ] {
            assert!(!is_instant(text), "{text}");
        }
    }
}
