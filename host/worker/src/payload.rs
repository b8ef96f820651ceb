//! Temporal's payloads as JSON, and back.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde_json::{Value, json};
use temporalio_protos::temporal::api::common::v1::{Payload, Payloads};

const ENCODING: &str = "encoding";
const JSON: &[u8] = b"json/plain";
const NULL: &[u8] = b"binary/null";

/// `value` as a `json/plain` payload. Null too: Temporal's Rust SDK reads no optional value from `binary/null`.
pub(crate) fn of_json(value: &Value) -> Payload {
    of_json_bytes(value.to_string().into_bytes())
}

/// Bytes that are JSON as a `json/plain` payload.
pub(crate) fn of_json_bytes(data: Vec<u8>) -> Payload {
    Payload {
        metadata: [(ENCODING.to_owned(), JSON.to_vec())].into(),
        data,
        ..Default::default()
    }
}

/// The payload that says that there is no value.
pub(crate) fn of_nothing() -> Payload {
    Payload {
        metadata: [(ENCODING.to_owned(), NULL.to_vec())].into(),
        ..Default::default()
    }
}

/// A search attribute of one keyword.
pub(crate) fn of_keyword(value: &str) -> Payload {
    let mut payload = of_json(&json!(value));
    payload
        .metadata
        .insert("type".to_owned(), b"Keyword".to_vec());
    payload
}

/// An optional argument as the list Temporal takes.
pub(crate) fn of_input(input: Option<&Value>) -> Option<Payloads> {
    input.map(|value| Payloads {
        payloads: vec![of_json(value)],
    })
}

/// What a payload says: its JSON, or its encoding and base64 bytes where it is not JSON.
pub(crate) fn to_json(payload: &Payload) -> Value {
    match payload.metadata.get(ENCODING).map(Vec::as_slice) {
        Some(NULL) => Value::Null,
        Some(JSON) => serde_json::from_slice(&payload.data).unwrap_or_else(|_| opaque(payload)),
        _ => opaque(payload),
    }
}

fn opaque(payload: &Payload) -> Value {
    let encoding = payload
        .metadata
        .get(ENCODING)
        .map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    json!({ "encoding": encoding, "data": BASE64.encode(&payload.data) })
}

/// The one value of a list: nothing for an empty one, an array for several.
pub(crate) fn to_result(payloads: Option<&Payloads>) -> Option<Value> {
    match payloads.map(|list| list.payloads.as_slice()) {
        None | Some([]) => None,
        Some([one]) => Some(to_json(one)),
        Some(several) => Some(several.iter().map(to_json).collect()),
    }
}
