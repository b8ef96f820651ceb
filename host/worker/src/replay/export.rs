//! Histories as Temporal's command line and its UI export them: protobuf JSON.

use prost::Message as _;
use prost_reflect::{DescriptorPool, DeserializeOptions, DynamicMessage, MessageDescriptor};
use serde_json::Value;
use temporalio_protos::temporal::api::history::v1::History;
use tenterhook_domain::{Code, Error, Result};

/// Largest exported history that is read, in bytes: Temporal's own bound of 50 MB, and JSON is longer.
pub const EXPORT_BYTES_MAX: usize = 256 * 1024 * 1024;
/// The schema of histories, as a file descriptor set.
const SCHEMA: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/history.bin"));
const HISTORY: &str = "temporal.api.history.v1.History";

/// Reads an exported history: `{"events": […]}`, or the events alone.
///
/// # Errors
/// `history-invalid`, saying where it cannot be read.
pub(super) fn read(json: &[u8]) -> Result<History> {
    if json.len() > EXPORT_BYTES_MAX {
        return Err(invalid(format!(
            "it has {} bytes: {EXPORT_BYTES_MAX} at most",
            json.len()
        )));
    }
    let value: Value = serde_json::from_slice(json).map_err(invalid)?;
    let wrapped = match value {
        Value::Array(events) => serde_json::json!({ "events": events }),
        value if value.get("events").is_some() => value,
        _ => {
            return Err(invalid(
                "it has no \"events\": export it with `temporal workflow show --output json`",
            ));
        }
    };
    // A newer server's fields are none that replay knows.
    let options = DeserializeOptions::new().deny_unknown_fields(false);
    let message =
        DynamicMessage::deserialize_with_options(schema()?, wrapped, &options).map_err(invalid)?;
    History::decode(message.encode_to_vec().as_slice()).map_err(invalid)
}

/// Writes `history` as Temporal's tools export one: keys in order, so that the same history is the same text.
///
/// # Errors
/// `internal`: a fault of the host.
pub fn write(history: &History) -> Result<String> {
    let internal = |error: &dyn std::fmt::Display| {
        Error::new(
            Code::Internal,
            format!("a history cannot be written: {error}"),
        )
    };
    let mut message = DynamicMessage::new(schema()?);
    message
        .transcode_from(history)
        .map_err(|error| internal(&error))?;
    let value = serde_json::to_value(&message).map_err(|error| internal(&error))?;
    serde_json::to_string_pretty(&value).map_err(|error| internal(&error))
}

/// What a history is made of.
fn schema() -> Result<MessageDescriptor> {
    let internal = |error: &dyn std::fmt::Display| {
        Error::new(
            Code::Internal,
            format!("the schema of histories cannot be used: {error}"),
        )
    };
    let pool = DescriptorPool::decode(SCHEMA).map_err(|error| internal(&error))?;
    pool.get_message_by_name(HISTORY)
        .ok_or_else(|| internal(&"it has no histories"))
}

fn invalid(why: impl std::fmt::Display) -> Error {
    Error::new(
        Code::HistoryInvalid,
        format!("this is no exported history: {why}"),
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;
    use temporalio_protos::temporal::api::enums::v1::EventType;

    use super::*;

    fn events() -> Value {
        json!([
            {
                "eventId": "1",
                "eventTime": "2026-11-21T15:00:00.123456789Z",
                "eventType": "EVENT_TYPE_WORKFLOW_EXECUTION_STARTED",
                "taskId": "1048587",
                "somethingNewer": { "than": "this host" },
                "workflowExecutionStartedEventAttributes": {
                    "workflowType": { "name": "payment.ProcessPayment" },
                    "taskQueue": { "name": "tenterhook", "kind": "TASK_QUEUE_KIND_NORMAL" },
                    "input": { "payloads": [
                        { "metadata": { "encoding": "anNvbi9wbGFpbg==" }, "data": "bnVsbA==" }
                    ] },
                    "workflowTaskTimeout": "10s",
                    "originalExecutionRunId": "run"
                }
            }
        ])
    }

    #[test]
    fn both_forms_are_read_alike() {
        let bare = read(events().to_string().as_bytes()).unwrap();
        let wrapped = read(json!({ "events": events() }).to_string().as_bytes()).unwrap();
        assert_eq!(bare, wrapped);
        let event = &bare.events[0];
        assert_eq!(
            (event.event_id, event.event_type()),
            (1, EventType::WorkflowExecutionStarted)
        );
        assert_eq!(event.event_time.unwrap().nanos, 123_456_789);
        let text = format!("{:?}", event.attributes);
        assert!(text.contains("payment.ProcessPayment"), "{text}");
        assert!(text.contains("seconds: 10"), "{text}");
    }

    #[test]
    fn what_is_no_history_is_refused() {
        for text in ["", "{}", "[{\"eventId\": \"x\"}]", "{\"events\": 1}", "7"] {
            let error = read(text.as_bytes()).unwrap_err();
            assert_eq!(error.code(), Code::HistoryInvalid, "{text}");
        }
    }
}
