//! What of an answer is shown in tables: a title and where the value stands.

use std::time::Duration;

use serde_json::Value;

/// How a value is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// Text as it is, all else as JSON.
    Plain,
    /// Milliseconds since the Unix epoch, as a date and time in UTC.
    Time,
    /// The first digits of a digest.
    Short,
    /// How many entries a list has.
    Count,
    /// `name`s of a list's entries.
    Names,
}

/// A column of a list.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    /// Its heading.
    pub(crate) title: &'static str,
    /// JSON pointer of the value in an entry.
    pointer: &'static str,
    shown: Shown,
}

/// A line of a record: the same, beside its title.
pub(crate) type Field = Column;

/// Hex digits of a digest that tell releases apart for a person.
const SHORT_DIGITS: usize = 12;

impl Column {
    /// The value at `pointer` (JSON pointer), as it is.
    pub(crate) const fn new(title: &'static str, pointer: &'static str) -> Self {
        Self {
            title,
            pointer,
            shown: Shown::Plain,
        }
    }

    /// The milliseconds since the Unix epoch at `pointer`, as a time.
    pub(crate) const fn time(title: &'static str, pointer: &'static str) -> Self {
        Self {
            title,
            pointer,
            shown: Shown::Time,
        }
    }

    /// The digest at `pointer`, cut short.
    pub(crate) const fn short(title: &'static str, pointer: &'static str) -> Self {
        Self {
            title,
            pointer,
            shown: Shown::Short,
        }
    }

    /// The number of entries of the list at `pointer`.
    pub(crate) const fn count(title: &'static str, pointer: &'static str) -> Self {
        Self {
            title,
            pointer,
            shown: Shown::Count,
        }
    }

    /// The names in the list of named things at `pointer`.
    pub(crate) const fn names(title: &'static str, pointer: &'static str) -> Self {
        Self {
            title,
            pointer,
            shown: Shown::Names,
        }
    }

    /// What is shown of `item`; empty where there is no such value.
    pub(crate) fn text(&self, item: &Value) -> String {
        let Some(value) = item.pointer(self.pointer) else {
            return String::new();
        };
        match self.shown {
            // Texts that come from doc comments start with the space after the slashes.
            Shown::Plain => text(value).trim().to_owned(),
            Shown::Time => value
                .as_u64()
                .map(|millis| time(Duration::from_millis(millis)))
                .unwrap_or_default(),
            Shown::Short => {
                let digest = text(value);
                match digest.strip_prefix("sha256:") {
                    Some(digits) => digits.chars().take(SHORT_DIGITS).collect(),
                    None => digest,
                }
            }
            Shown::Count => value
                .as_array()
                .map(|entries| entries.len().to_string())
                .unwrap_or_default(),
            Shown::Names => {
                let names = value
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(|entry| entry.get("name"));
                names.map(text).collect::<Vec<_>>().join(", ")
            }
        }
    }
}

/// A value for a person: text without quotes, nothing for null, all else as JSON.
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(_) | Value::Object(_) => {
            serde_json::to_string_pretty(value).unwrap_or_default()
        }
        other => other.to_string(),
    }
}

/// A time since the Unix epoch as `2026-11-21 10:42:00.123Z`.
fn time(since_epoch: Duration) -> String {
    let seconds = since_epoch.as_secs();
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date(days);
    format!(
        "{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}.{:03}Z",
        second / 3600,
        second / 60 % 60,
        second % 60,
        since_epoch.subsec_millis()
    )
}

/// Year, month and day of the day `days` after 1970-01-01 in the Gregorian calendar. Years are counted from
/// March on, so that the leap day is the last of its year.
fn date(days: u64) -> (u64, u64, u64) {
    const DAYS_TO_EPOCH: u64 = 719_468;
    const DAYS_OF_ERA: u64 = 146_097;
    let days = days + DAYS_TO_EPOCH;
    let (era, day_of_era) = (days / DAYS_OF_ERA, days % DAYS_OF_ERA);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let (month, carried) = if month_from_march < 10 {
        (month_from_march + 3, 0)
    } else {
        (month_from_march - 9, 1)
    };
    (400 * era + year_of_era + carried, month, day)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn times_are_dates() {
        let cases = [
            (0, "1970-01-01 00:00:00.000Z"),
            (951_782_400_000, "2000-02-29 00:00:00.000Z"),
            (951_868_799_999, "2000-02-29 23:59:59.999Z"),
            (4_107_542_400_000, "2100-03-01 00:00:00.000Z"),
            (1_795_257_720_123, "2026-11-21 10:42:00.123Z"),
        ];
        for (millis, text) in cases {
            assert_eq!(time(Duration::from_millis(millis)), text);
        }
    }

    #[test]
    fn a_missing_value_is_empty() {
        let item = json!({"a": {"b": 5}, "list": [{"name": "x"}, {"name": "y"}], "none": null});
        assert_eq!(Column::new("", "/a/b").text(&item), "5");
        assert_eq!(Column::new("", "/a/c").text(&item), "");
        assert_eq!(Column::time("", "/none").text(&item), "");
        assert_eq!(Column::count("", "/list").text(&item), "2");
        assert_eq!(Column::names("", "/list").text(&item), "x, y");
    }
}
