//! Times of the calendar: which seconds, minutes, hours, days, months and years match.

use serde::{Deserialize, Serialize};

use crate::error::{Code, Error, Result};

/// Longest text of a cron expression or of a field, in bytes.
const FIELD_BYTES_MAX: usize = 120;
/// The shorthands that a cron expression may be instead of fields.
const SHORTHANDS: [&str; 7] = [
    "@yearly",
    "@annually",
    "@monthly",
    "@weekly",
    "@daily",
    "@midnight",
    "@hourly",
];

/// Which times of the calendar match: all that match each field. A field is `*`, a number, a range `9-17`, a range
/// with a step `*/15`, names of months and days (`jan`, `mon`), or several of these with commas between.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Calendar {
    /// Seconds, 0 to 59; 0 unless given.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schema(max_length = 120, pattern = r"^[0-9A-Za-z*/,\-]*$")]
    pub second: String,
    /// Minutes, 0 to 59; 0 unless given.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schema(max_length = 120, pattern = r"^[0-9A-Za-z*/,\-]*$")]
    pub minute: String,
    /// Hours, 0 to 23; 0 unless given.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schema(max_length = 120, pattern = r"^[0-9A-Za-z*/,\-]*$")]
    pub hour: String,
    /// Days of the month, 1 to 31; each unless given.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schema(max_length = 120, pattern = r"^[0-9A-Za-z*/,\-]*$")]
    pub day_of_month: String,
    /// Months, 1 to 12 or names; each unless given.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schema(max_length = 120, pattern = r"^[0-9A-Za-z*/,\-]*$")]
    pub month: String,
    /// Years; each unless given.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schema(max_length = 120, pattern = r"^[0-9A-Za-z*/,\-]*$")]
    pub year: String,
    /// Days of the week, 0 (Sunday) to 6 or names; each unless given.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schema(max_length = 120, pattern = r"^[0-9A-Za-z*/,\-]*$")]
    pub day_of_week: String,
}

impl Calendar {
    pub(super) fn check(&self) -> Result<()> {
        let fields = [
            ("second", &self.second),
            ("minute", &self.minute),
            ("hour", &self.hour),
            ("day_of_month", &self.day_of_month),
            ("month", &self.month),
            ("year", &self.year),
            ("day_of_week", &self.day_of_week),
        ];
        if fields.iter().all(|(_, text)| text.is_empty()) {
            return Err(invalid(
                "a calendar has no fields: give hour or another one",
            ));
        }
        for (name, text) in fields {
            if !is_field(text) && !text.is_empty() {
                let text = cut(text);
                return Err(invalid(format!(
                    "{name} cannot be {text:?}: write *, 5, 9-17, */15, mon, or several with commas"
                )));
            }
        }
        Ok(())
    }
}

/// Holds a cron expression against what it may say: its fields, or a shorthand. What the fields mean, Temporal knows.
pub(super) fn check_cron(text: &str) -> Result<()> {
    let fields: Vec<_> = text.split(' ').filter(|field| !field.is_empty()).collect();
    let known = SHORTHANDS.contains(&text)
        || (5..=7).contains(&fields.len()) && fields.iter().all(|field| is_field(field));
    if known && text.len() <= FIELD_BYTES_MAX {
        return Ok(());
    }
    let text = cut(text);
    Err(invalid(format!(
        "{text:?} is no cron expression: write 5 fields (minute, hour, day of month, month, day of week), 6 (and a year) or \
         7 (and seconds in front), or @daily and the like; a time zone goes into time_zone, @every into intervals"
    )))
}

fn is_field(text: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"*/,-?".contains(&byte);
    !text.is_empty() && text.len() <= FIELD_BYTES_MAX && text.bytes().all(known)
}

fn cut(text: &str) -> String {
    text.chars().take(FIELD_BYTES_MAX).collect()
}

pub(super) fn invalid(detail: impl Into<String>) -> Error {
    Error::new(Code::ScheduleInvalid, detail)
}
