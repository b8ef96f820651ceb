//! One row of an import: `subscription,metric,day,quantity`. Pure.

use serde::Serialize;

use crate::date::Date;
use crate::model::NAME_CHARS_MAX;

/// The most that one row may say was used.
const QUANTITY_MAX: u64 = 1_000_000_000;

/// What a good row says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Record {
    /// Its number in the file, from 0.
    pub(crate) row: u64,
    pub(crate) subscription_id: String,
    pub(crate) metric: String,
    pub(crate) on: Date,
    pub(crate) quantity: u64,
}

/// What a row says, or why nobody can tell.
pub(crate) fn parse(row: u64, text: &str) -> Result<Record, String> {
    let mut fields = text.trim_end_matches('\r').split(',');
    let mut field = |name: &str| {
        let value = fields.next().unwrap_or_default().trim();
        if !(1..=NAME_CHARS_MAX).contains(&value.chars().count()) {
            return Err(format!("{name} is not of 1 to {NAME_CHARS_MAX} characters"));
        }
        Ok(value.to_owned())
    };
    let (subscription_id, metric) = (field("subscription")?, field("metric")?);
    let on = day(&field("day")?)?;
    let quantity = field("quantity")?;
    if fields.next().is_some() {
        return Err("there are more than four fields".to_owned());
    }
    let number = quantity.parse().ok().filter(|it| *it <= QUANTITY_MAX);
    let Some(quantity) = number else {
        return Err(format!(
            "quantity {quantity:?} is no number up to {QUANTITY_MAX}"
        ));
    };
    Ok(Record {
        row,
        subscription_id,
        metric,
        on,
        quantity,
    })
}

fn day(text: &str) -> Result<Date, String> {
    let date = Date::from(text);
    date.day().map(|_| date)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_row_says_who_used_how_much_of_what_and_when() {
        let record = parse(7, "s-1, calls ,2026-03-01,12\r").unwrap();
        let expected = Record {
            row: 7,
            subscription_id: "s-1".to_owned(),
            metric: "calls".to_owned(),
            on: Date::from("2026-03-01"),
            quantity: 12,
        };
        assert_eq!(record, expected);
    }

    #[test]
    fn a_bad_row_says_what_is_wrong() {
        for (text, wrong) in [
            ("", "subscription"),
            ("s-1,,2026-03-01,1", "metric"),
            ("s-1,calls,2026-02-30,1", "no day"),
            ("s-1,calls,2026-03-01", "quantity"),
            ("s-1,calls,2026-03-01,many", "\"many\""),
            ("s-1,calls,2026-03-01,-1", "\"-1\""),
            ("s-1,calls,2026-03-01,99999999999", "no number"),
            ("s-1,calls,2026-03-01,1,2", "four fields"),
        ] {
            let said = parse(0, text).unwrap_err();
            assert!(said.contains(wrong), "{text}: {said}");
        }
    }

    proptest! {
        #[test]
        fn no_row_is_too_strange_to_be_looked_at(text in ".*") {
            let _ = parse(0, &text);
        }
    }
}
