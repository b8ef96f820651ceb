//! A struct out of configuration keys: each field one key.

use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use crate::error::ActivityError;

/// How a key is asked for; the host in activities, a map in tests.
type Ask<'a> = &'a dyn Fn(&str) -> Result<Option<String>, ActivityError>;

/// Builds a `T` by asking for a key for each of its fields.
#[track_caller]
pub(super) fn load<T: DeserializeOwned>(ask: Ask<'_>) -> Result<T, ActivityError> {
    let unfit = ActivityError::validation("the configuration does not fit");
    T::deserialize(Keys(ask)).map_err(|error| match error {
        Unfit::Asking(error) => error,
        Unfit::Wrong(why) => unfit.saying(format!("the configuration does not fit: {why}")),
    })
}

/// Why no struct could be made.
#[derive(Debug)]
enum Unfit {
    /// The host could not read a key.
    Asking(ActivityError),
    Wrong(String),
}

impl de::Error for Unfit {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::Wrong(message.to_string())
    }

    fn missing_field(field: &'static str) -> Self {
        Self::Wrong(format!(
            "key \"{field}\" is not set, or not granted to this plugin"
        ))
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Asking(error) => write!(f, "{error}"),
            Self::Wrong(why) => f.write_str(why),
        }
    }
}

impl de::StdError for Unfit {}

/// All keys: what a struct is made of.
struct Keys<'a>(Ask<'a>);

impl<'de> Deserializer<'de> for Keys<'_> {
    type Error = Unfit;

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Unfit> {
        Err(Unfit::Wrong(
            "configuration is loaded into a struct with `#[derive(Deserialize)]` and named fields, without `flatten` and \
             `#[payload]`"
                .to_owned(),
        ))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unfit> {
        visitor.visit_map(Fields {
            ask: self.0,
            left: fields.iter(),
            found: None,
        })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// The fields whose keys have values.
struct Fields<'a> {
    ask: Ask<'a>,
    left: std::slice::Iter<'static, &'static str>,
    /// The key that was just given out, and its value.
    found: Option<(&'static str, String)>,
}

impl<'de> MapAccess<'de> for Fields<'_> {
    type Error = Unfit;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Unfit> {
        for &field in self.left.by_ref() {
            if let Some(value) = (self.ask)(field).map_err(Unfit::Asking)? {
                self.found = Some((field, value));
                let key: StrDeserializer<'_, Unfit> = field.into_deserializer();
                return seed.deserialize(key).map(Some);
            }
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Unfit> {
        let Some((key, value)) = self.found.take() else {
            return Err(de::Error::custom("a value without its key"));
        };
        seed.deserialize(Value { key, text: value })
    }
}

/// One key's value: text, and JSON for whatever is not text.
struct Value {
    key: &'static str,
    text: String,
}

impl Value {
    /// Numbers and booleans are JSON as they are written; so are lists, maps and structs.
    fn json<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        let value: serde_json::Value =
            serde_json::from_str(self.text.trim()).map_err(|error| wrong(self.key, &error))?;
        value
            .deserialize_any(visitor)
            .map_err(|error| wrong(self.key, &error))
    }
}

fn wrong(key: &str, why: &serde_json::Error) -> Unfit {
    Unfit::Wrong(format!("key \"{key}\": {why}"))
}

impl<'de> Deserializer<'de> for Value {
    type Error = Unfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        self.json(visitor)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        let key = self.key;
        visitor
            .visit_string(self.text)
            .map_err(|error: Unfit| Unfit::Wrong(format!("key \"{key}\": {error}")))
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        self.deserialize_str(visitor)
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        self.deserialize_str(visitor)
    }

    /// The key has a value, or it would not have been given out.
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Unfit> {
        visitor.visit_newtype_struct(self)
    }

    /// A variant without values is written as it is named, others as JSON.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unfit> {
        let key = self.key;
        let value = match serde_json::from_str(&self.text) {
            Ok(value @ serde_json::Value::Object(_)) => value,
            _ => serde_json::Value::String(self.text),
        };
        value
            .deserialize_enum(name, variants, visitor)
            .map_err(|error| wrong(key, &error))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct ignored_any
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "snake_case")]
    enum Mode {
        Live,
        DryRun,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    struct Id(String);

    #[derive(Debug, Deserialize, PartialEq)]
    struct Settings {
        gateway_url: String,
        #[serde(default = "ten")]
        batch: usize,
        rate: f64,
        strict: bool,
        sender: Option<String>,
        hosts: Vec<String>,
        limits: Option<BTreeMap<String, u32>>,
        mode: Mode,
        id: Id,
    }

    fn ten() -> usize {
        10
    }

    fn loaded(keys: &[(&str, &str)]) -> Result<Settings, ActivityError> {
        let ask = |key: &str| {
            let found = keys.iter().find(|(name, _)| *name == key);
            Ok(found.map(|(_, value)| (*value).to_owned()))
        };
        load(&ask)
    }

    const ALL: &[(&str, &str)] = &[
        ("gateway_url", "https://gateway.example"),
        ("rate", " 0.5 "),
        ("strict", "true"),
        // Looks like a number, and is text.
        ("sender", "1234"),
        ("hosts", r#"["a", "b"]"#),
        ("limits", r#"{"eur": 3}"#),
        ("mode", "dry_run"),
        ("id", "42"),
    ];

    #[test]
    fn a_field_is_a_key() {
        let expected = Settings {
            gateway_url: "https://gateway.example".to_owned(),
            batch: 10,
            rate: 0.5,
            strict: true,
            sender: Some("1234".to_owned()),
            hosts: vec!["a".to_owned(), "b".to_owned()],
            limits: Some(BTreeMap::from([("eur".to_owned(), 3)])),
            mode: Mode::DryRun,
            id: Id("42".to_owned()),
        };
        assert_eq!(loaded(ALL).expect("all keys"), expected);
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        let without = |key: &str| {
            let keys: Vec<_> = ALL
                .iter()
                .copied()
                .filter(|(name, _)| *name != key)
                .collect();
            loaded(&keys)
        };
        let error = without("gateway_url").expect_err("a key is missing");
        assert_eq!(error.kind().name(), "ValidationError");
        let expected = "the configuration does not fit: key \"gateway_url\" is not set, or not granted to this plugin";
        assert_eq!(error.message(), expected);
        assert_eq!(without("sender").expect("it is optional").sender, None);

        let with = |key: &str, value: &str| {
            let keys: Vec<_> = ALL
                .iter()
                .map(|(name, old)| (*name, if *name == key { value } else { old }))
                .collect();
            loaded(&keys).expect_err(value).message().to_owned()
        };
        assert!(with("rate", "fast").contains("key \"rate\": "));
        assert!(with("strict", "1").contains("key \"strict\": invalid type: integer `1`"));
        assert!(with("mode", "sideways").contains("unknown variant `sideways`"));
        assert!(with("hosts", "a, b").contains("key \"hosts\": "));
    }

    #[test]
    fn only_structs_are_loaded() {
        let error = load::<u32>(&|_| Ok(None)).expect_err("a number has no fields");
        assert!(
            error
                .message()
                .contains("a struct with `#[derive(Deserialize)]` and named fields")
        );
    }
}
