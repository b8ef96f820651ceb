//! Values as Temporal stores them: JSON in payloads.

use std::time::Duration;

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use temporalio_protos::temporal::api::common::v1::{Payload, Payloads};

/// The payload of `value`.
pub(crate) fn of<T: Serialize + ?Sized>(value: &T) -> Payload {
    match serde_json::to_vec(value) {
        Ok(data) => of_json(data),
        Err(error) => panic!("a value does not serialise to JSON: {error}"),
    }
}

fn of_json(data: Vec<u8>) -> Payload {
    Payload {
        metadata: [("encoding".to_owned(), b"json/plain".to_vec())].into(),
        data,
        ..Default::default()
    }
}

/// One argument, which is how workflows, activities and messages take theirs here.
pub(crate) fn argument<T: Serialize + ?Sized>(value: &T) -> Vec<Payload> {
    vec![of(value)]
}

/// The JSON of `payload`; null for what has none.
pub(crate) fn json(payload: Option<&Payload>) -> Value {
    payload
        .and_then(|payload| serde_json::from_slice(&payload.data).ok())
        .unwrap_or(Value::Null)
}

/// The JSON of each of `payloads`.
pub(crate) fn all_json(payloads: &Payloads) -> Vec<Value> {
    let payloads = payloads.payloads.iter();
    payloads.map(|payload| json(Some(payload))).collect()
}

/// `value` as a `T`.
pub(crate) fn typed<T: DeserializeOwned>(value: &Value) -> Result<T, serde_json::Error> {
    T::deserialize(value)
}

/// None for nothing at all.
pub(crate) fn payloads(payloads: Vec<Payload>) -> Option<Payloads> {
    (!payloads.is_empty()).then_some(Payloads { payloads })
}

/// A time-out that is set: Temporal writes none as nothing, and as zero.
pub(crate) fn span<D: TryInto<Duration>>(span: Option<D>) -> Option<Duration> {
    let span = span?.try_into().ok()?;
    (!span.is_zero()).then_some(span)
}
