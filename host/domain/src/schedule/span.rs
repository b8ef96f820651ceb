//! Durations as people write them: `5s`, `1h30m`, `250ms`.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::openapi::{ObjectBuilder, RefOr, Schema, schema::Type};

/// Longest text that is looked at, in bytes.
const TEXT_BYTES_MAX: usize = 32;
/// What such texts look like, for the API's document.
const PATTERN: &str = "^([0-9]{1,6}(ms|s|m|h|d)){1,3}$";
/// The units, the longest first, each with its milliseconds.
const UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// A duration that is written as whole numbers with `ms`, `s`, `m`, `h` or `d`, one after another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Some(text).filter(|text| text.len() <= TEXT_BYTES_MAX);
        known.and_then(parse).ok_or_else(|| {
            let start: String = text.chars().take(TEXT_BYTES_MAX).collect();
            format!("{start:?} is no duration: write one such as 250ms, 5s, 1h30m or 2d")
        })
    }
}

fn parse(text: &str) -> Option<Span> {
    let mut total = Duration::ZERO;
    let mut rest = text;
    loop {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        let after = &rest[digits..];
        let unit = after
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(after.len());
        let (_, millis) = UNITS.iter().find(|(name, _)| *name == &after[..unit])?;
        total = total.checked_add(Duration::from_millis(number.checked_mul(*millis)?))?;
        rest = &after[unit..];
        if rest.is_empty() {
            return Some(Span(total));
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut left = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        if left == 0 {
            return f.write_str("0s");
        }
        for (unit, millis) in UNITS {
            let number = left / millis;
            left %= millis;
            if number > 0 {
                write!(f, "{number}{unit}")?;
            }
        }
        Ok(())
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl utoipa::PartialSchema for Span {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some("A duration: `250ms`, `5s`, `1h30m`, `2d`."))
            .pattern(Some(PATTERN))
            .into()
    }
}

impl utoipa::ToSchema for Span {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written() {
        for (text, millis, written) in [
            ("0s", 0, "0s"),
            ("250ms", 250, "250ms"),
            ("90m", 5_400_000, "1h30m"),
            ("1d12h0s", 129_600_000, "1d12h"),
        ] {
            let span = Span(Duration::from_millis(millis));
            assert_eq!(text.parse(), Ok(span), "{text}");
            assert_eq!(span.to_string(), written);
            assert_eq!(written.parse(), Ok(span));
        }
        for bad in [
            "",
            "5",
            "s",
            "-1s",
            "5x",
            "5s3",
            "ä",
            "99999999999999999999s",
        ] {
            assert!(bad.parse::<Span>().is_err(), "{bad}");
        }
    }
}
