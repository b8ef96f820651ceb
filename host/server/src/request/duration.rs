//! Durations as people write them: `5s`, `1h30m`, `250ms`.

use std::time::Duration;

use tenterhook_domain::{Code, Error, Result};

/// Longest text that is looked at, in bytes.
const TEXT_BYTES_MAX: usize = 32;

/// Reads the duration of field `field`: whole numbers with `ms`, `s`, `m`, `h` or `d`, one after another.
///
/// # Errors
/// `request-invalid`.
pub(crate) fn duration(field: &str, text: &str) -> Result<Duration> {
    parse(text)
        .filter(|_| text.len() <= TEXT_BYTES_MAX)
        .ok_or_else(|| {
            let start: String = text.chars().take(TEXT_BYTES_MAX).collect();
            Error::new(
                Code::RequestInvalid,
                format!(
                    "{field} cannot be {start:?}: write a duration such as 250ms, 5s, 1h30m or 2d"
                ),
            )
        })
}

fn parse(text: &str) -> Option<Duration> {
    let mut total = Duration::ZERO;
    let mut rest = text;
    loop {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        let after = &rest[digits..];
        let unit = after
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(after.len());
        let millis = match &after[..unit] {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        };
        total = total.checked_add(Duration::from_millis(number.checked_mul(millis)?))?;
        rest = &after[unit..];
        if rest.is_empty() {
            return Some(total);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_numbers_with_units() {
        let good = [
            ("0s", 0),
            ("250ms", 250),
            ("5s", 5_000),
            ("1h30m", 5_400_000),
            ("2d", 172_800_000),
        ];
        for (text, millis) in good {
            assert_eq!(
                duration("wait", text).ok(),
                Some(Duration::from_millis(millis)),
                "{text}"
            );
        }
        let bad = [
            "",
            "5",
            "s",
            "5 s",
            "-1s",
            "1.5s",
            "5x",
            "5s3",
            "99999999999999999999s",
            "18446744073709551615d",
            "ä",
            "5ä",
        ];
        for text in bad {
            assert_eq!(
                duration("wait", text).map_err(|error| error.code()),
                Err(Code::RequestInvalid),
                "{text}"
            );
        }
    }
}
