//! Values as they cross the component's border, in the encodings of Temporal's default converters: `json/plain` by
//! serde, `binary/plain` for `Vec<u8>`, `binary/null` for nothing.
//!
//! Written here rather than taken from Temporal's converter, which goes through `erased_serde`: that costs some
//! 20 KiB of component for every type that is decoded.

use std::any::Any;
use std::fmt;

use serde::Serialize;
use serde::de::{DeserializeOwned, Error as _, Unexpected};
use serde_json::{Map, Value};
use temporalio_workflow::common::data_converters::RawValue;
use temporalio_workflow::common::protos::temporal::api::common::v1::Payload as WirePayload;

pub(crate) use crate::generated::tenterhook::plugin::values::Payload;

const ENCODING: &str = "encoding";
const JSON_PLAIN: &[u8] = b"json/plain";
const BINARY_PLAIN: &[u8] = b"binary/plain";
const BINARY_NULL: &[u8] = b"binary/null";

/// Why a value could not be encoded or decoded.
#[derive(Debug)]
pub(crate) enum PayloadError {
    /// The JSON does not fit the type, or the type has no JSON.
    Json(serde_json::Error),
    /// The encoding is none that the type can be read from.
    Encoding(String),
    /// More values than the one argument that an activity takes.
    Count(usize),
}

impl fmt::Display for PayloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(error) => write!(f, "{error}"),
            Self::Encoding(name) => write!(f, "encoding \"{name}\" is not understood here"),
            Self::Count(count) => write!(f, "{count} values came in place of one"),
        }
    }
}

impl std::error::Error for PayloadError {}

/// Encodes a value.
pub(crate) fn encode<T: Serialize + 'static>(value: &T) -> Result<Payload, PayloadError> {
    if let Some(bytes) = (value as &dyn Any).downcast_ref::<Vec<u8>>() {
        return Ok(payload(BINARY_PLAIN, bytes.clone()));
    }
    let json = serde_json::to_vec(value).map_err(PayloadError::Json)?;
    // What Temporal's converters make of nothing.
    Ok(if json == b"null" {
        payload(BINARY_NULL, Vec::new())
    } else {
        payload(JSON_PLAIN, json)
    })
}

/// As the workflow's side of Temporal has it.
pub(crate) fn wire(payload: Payload) -> RawValue {
    let mut wire = WirePayload::default();
    wire.metadata.extend(payload.metadata);
    wire.data = payload.data;
    RawValue::new(vec![wire])
}

/// Decodes the one value that there should be; none counts as nothing.
pub(crate) fn decode<T>(mut payloads: Vec<Payload>) -> Result<T, PayloadError>
where
    T: DeserializeOwned + 'static,
{
    if payloads.len() > 1 {
        return Err(PayloadError::Count(payloads.len()));
    }
    match payloads.pop() {
        None => from_json(b"null"),
        Some(payload) if is(&payload, JSON_PLAIN) => from_json(&payload.data),
        Some(payload) if is(&payload, BINARY_NULL) => from_json(b"null"),
        Some(payload) => from_bytes(payload),
    }
}

fn from_json<T: DeserializeOwned>(json: &[u8]) -> Result<T, PayloadError> {
    serde_json::from_slice(json).map_err(PayloadError::Json)
}

fn from_bytes<T: 'static>(payload: Payload) -> Result<T, PayloadError> {
    let unknown = || {
        let name = encoding(&payload).unwrap_or_default();
        PayloadError::Encoding(String::from_utf8_lossy(name).into_owned())
    };
    if !is(&payload, BINARY_PLAIN) {
        return Err(unknown());
    }
    let bytes: Box<dyn Any> = Box::new(payload.data.clone());
    bytes
        .downcast::<T>()
        .map(|value| *value)
        .map_err(|_| unknown())
}

/// The fields of the struct `name`, from its JSON.
///
/// # Errors
/// When the JSON is no object.
#[doc(hidden)]
pub fn fields(json: Value, name: &str) -> Result<Map<String, Value>, serde_json::Error> {
    match json {
        Value::Object(fields) => Ok(fields),
        other => {
            let expected = format!("an object with the fields of {name}");
            Err(serde_json::Error::invalid_type(
                found(&other),
                &expected.as_str(),
            ))
        }
    }
}

/// JSON in the words of serde's errors.
fn found(json: &Value) -> Unexpected<'_> {
    match json {
        Value::Null => Unexpected::Unit,
        Value::Bool(value) => Unexpected::Bool(*value),
        Value::Number(_) => Unexpected::Other("number"),
        Value::String(text) => Unexpected::Str(text),
        Value::Array(_) => Unexpected::Seq,
        Value::Object(_) => Unexpected::Map,
    }
}

fn payload(encoding: &[u8], data: Vec<u8>) -> Payload {
    Payload {
        metadata: vec![(ENCODING.to_owned(), encoding.to_vec())],
        data,
    }
}

fn encoding(payload: &Payload) -> Option<&[u8]> {
    payload
        .metadata
        .iter()
        .find(|(key, _)| key == ENCODING)
        .map(|(_, value)| value.as_slice())
}

fn is(payload: &Payload, wanted: &[u8]) -> bool {
    encoding(payload) == Some(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip<T>(value: &T, wire: &[u8]) -> T
    where
        T: Serialize + DeserializeOwned + 'static,
    {
        let payload = encode(value).expect("a value that has an encoding");
        assert_eq!(encoding(&payload), Some(wire));
        decode(vec![payload]).expect("what was just encoded")
    }

    #[test]
    fn values_keep_temporals_encodings() {
        assert_eq!(round_trip(&"text".to_owned(), JSON_PLAIN), "text");
        assert_eq!(round_trip(&vec![1_u8, 2], BINARY_PLAIN), [1, 2]);
        assert_eq!(round_trip(&None::<u32>, BINARY_NULL), None);
        round_trip(&(), BINARY_NULL);
        decode::<()>(Vec::new()).expect("nothing is nothing");
    }

    #[test]
    fn what_does_not_fit_is_said() {
        let text = payload(JSON_PLAIN, b"\"text\"".to_vec());
        let wrong = decode::<u32>(vec![text.clone()]).expect_err("text is no number");
        assert!(wrong.to_string().contains("invalid type"), "{wrong}");
        let two = decode::<String>(vec![text.clone(), text]).expect_err("two are not one");
        assert_eq!(two.to_string(), "2 values came in place of one");
        let odd = decode::<String>(vec![payload(b"binary/protobuf", Vec::new())])
            .expect_err("protobuf is not understood");
        assert_eq!(
            odd.to_string(),
            "encoding \"binary/protobuf\" is not understood here"
        );
    }

    #[test]
    fn a_struct_is_an_object() {
        let object = serde_json::json!({ "name": "Ada" });
        assert!(fields(object, "Guest").is_ok_and(|fields| fields.contains_key("name")));
        let array = fields(serde_json::json!(["Ada"]), "Guest").expect_err("no names of fields");
        assert_eq!(
            array.to_string(),
            "invalid type: sequence, expected an object with the fields of Guest"
        );
    }
}
