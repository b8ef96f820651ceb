//! Stands in, by `[patch.crates-io]`, for the crate `prost-wkt`, on which Temporal's guest crates depend through
//! `prost-wkt-types`.
//!
//! The original enters each well-known type of protobuf into a register before `main`, so that a message within a
//! `google.protobuf.Any` can be written as JSON. A linker cannot drop what such a register names: 1,200 functions,
//! 280 KB of every component and 16 KiB of memory of every sleeping workflow, for what no workflow does. Here the
//! same interface registers nothing; an `Any` becomes JSON as its type and its bytes, which is what the original does
//! with a message that it does not know.
//!
//! Only what `prost-wkt-types` and `prost-wkt-build` use is here, in their signatures: they would not compile
//! otherwise. A plugin built without the patch works the same and is larger.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

/// Why a message that hides behind the trait has no JSON.
const UNREGISTERED: &str = "a message within a google.protobuf.Any has no JSON in this build";

/// The attribute on generated implementations.
pub mod typetag {
    pub use prost_wkt_typetag::serde;
}

/// The register: it can be read, and stays empty.
pub mod inventory {
    pub use crate::__submit as submit;
    pub use inventory_register::iter;
}

/// Enters nothing.
#[doc(hidden)]
#[macro_export]
macro_rules! __submit {
    ($($entry:tt)*) => {};
}

/// A message whose type is known at run time only.
pub trait MessageSerde: prost::Message + std::any::Any {
    /// Its name in the proto file.
    fn message_name(&self) -> &'static str;
    /// The package of the proto file.
    fn package_name(&self) -> &'static str;
    /// What an `Any` that holds it calls it.
    fn type_url(&self) -> &'static str;
    /// Another message of the type, from its bytes.
    ///
    /// # Errors
    /// If they are no message of the type.
    fn new_instance(&self, data: Vec<u8>) -> Result<Box<dyn MessageSerde>, prost::DecodeError>;
    /// Its bytes.
    ///
    /// # Errors
    /// If there is no room for them.
    fn try_encoded(&self) -> Result<Vec<u8>, prost::EncodeError>;
}

/// Makes a message of its bytes.
type Decoder = fn(&[u8]) -> Result<Box<dyn MessageSerde>, prost::DecodeError>;

/// A row of the register.
#[derive(Debug)]
pub struct MessageSerdeDecoderEntry {
    /// What an `Any` calls the type.
    pub type_url: &'static str,
    /// How it is read.
    pub decoder: Decoder,
}

inventory_register::collect!(MessageSerdeDecoderEntry);

impl Serialize for dyn MessageSerde {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(ser::Error::custom(UNREGISTERED))
    }
}

impl<'de> Deserialize<'de> for Box<dyn MessageSerde> {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(de::Error::custom(UNREGISTERED))
    }
}

#[cfg(test)]
mod tests {
    use prost_wkt_types::{Any, Duration, Timestamp};
    use serde_json::json;

    #[test]
    fn well_known_types_keep_their_json() {
        let second = Duration {
            seconds: 1,
            nanos: 0,
        };
        let text = serde_json::to_value(second).expect("a duration has JSON");
        let back: Duration = serde_json::from_value(text).expect("what was just written");
        assert_eq!(back, second);
        let epoch = serde_json::to_value(Timestamp::default()).expect("a timestamp has JSON");
        assert_eq!(epoch, json!("1970-01-01T00:00:00Z"));
    }

    #[test]
    fn an_any_keeps_its_message_and_is_its_bytes_in_json() {
        let second = Duration {
            seconds: 1,
            nanos: 0,
        };
        let any = Any::try_pack(second).expect("a message that has bytes");
        let url = "type.googleapis.com/google.protobuf.Duration";
        assert_eq!(
            serde_json::to_value(&any).expect("type and bytes"),
            json!({"@type": url, "value": [8, 1]})
        );
        let refused = serde_json::from_value::<Any>(json!({"@type": url, "value": "1s"}));
        assert!(refused.is_err(), "{refused:?}");
        assert_eq!(any.unpack_as(Duration::default()), Ok(second));
    }
}
