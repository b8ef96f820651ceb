//! Whole numbers of JSON, however they are written: to JSON Schema `5.0` is as whole as `5`.

use std::{collections::BTreeMap, fmt, marker::PhantomData};

use serde::{Deserialize, Deserializer, de};

/// The whole numbers that a float names exactly end here.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// Reads a whole number into any unsigned type, for `#[serde(deserialize_with)]`.
///
/// # Errors
/// What `deserializer` reports; a number that is negative, not whole, or larger than `T` holds.
pub fn number<'de, D: Deserializer<'de>, T: TryFrom<u64>>(deserializer: D) -> Result<T, D::Error> {
    struct Whole<T>(PhantomData<T>);

    impl<T: TryFrom<u64>> de::Visitor<'_> for Whole<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a whole number that is not negative")
        }

        fn visit_u64<E: de::Error>(self, value: u64) -> Result<T, E> {
            T::try_from(value).map_err(|_| E::invalid_value(de::Unexpected::Unsigned(value), &self))
        }

        fn visit_i64<E: de::Error>(self, value: i64) -> Result<T, E> {
            match u64::try_from(value) {
                Ok(value) => self.visit_u64(value),
                Err(_) => Err(E::invalid_value(de::Unexpected::Signed(value), &self)),
            }
        }

        fn visit_f64<E: de::Error>(self, value: f64) -> Result<T, E> {
            if value.fract() == 0.0 && (0.0..EXACT_MAX).contains(&value) {
                #[allow(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "whole, not negative, and below what a float names exactly"
                )]
                return self.visit_u64(value as u64);
            }
            Err(E::invalid_value(de::Unexpected::Float(value), &self))
        }
    }

    deserializer.deserialize_any(Whole(PhantomData))
}

struct Number(u64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        number(deserializer).map(Self)
    }
}

/// The same for a field that may be null or missing.
///
/// # Errors
/// As [`number`].
pub fn optional<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let number = Option::<Number>::deserialize(deserializer)?;
    Ok(number.map(|Number(value)| value))
}

/// The same for the values of an object.
///
/// # Errors
/// As [`number`].
pub fn by_name<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, u64>, D::Error> {
    let numbers = BTreeMap::<String, Number>::deserialize(deserializer)?;
    Ok(numbers
        .into_iter()
        .map(|(name, Number(value))| (name, value))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_read_however_they_are_written() {
        let read = |json: &str| number::<_, u8>(&mut serde_json::Deserializer::from_str(json)).ok();
        assert_eq!(read("5"), Some(5));
        assert_eq!(read("5.0"), Some(5));
        assert_eq!(read("2e2"), Some(200));
        for wrong in ["-1", "5.5", "256", "256.0", "1e300", "\"5\"", "null"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        let read = |json: &str| optional(&mut serde_json::Deserializer::from_str(json)).ok();
        assert_eq!((read("null"), read("7.0")), (Some(None), Some(Some(7))));
        let named = by_name(&mut serde_json::Deserializer::from_str("{\"a\": 1.0}")).ok();
        assert_eq!(named, Some(BTreeMap::from([("a".to_owned(), 1)])));
    }
}
