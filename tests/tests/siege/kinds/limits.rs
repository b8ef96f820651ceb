//! Going over limits, each by its name.

use serde_json::{Value, json};

use super::{HOSTILE, Kind, Seen, activity, attempt, workflow};
use crate::besieger::Place;

/// More than a payload may have.
const TOO_MANY_BYTES: u32 = 3 * 1024 * 1024;
/// More than is taken.
const FLOOD: u32 = 5_000;
/// More than a log line may have.
const LINE: u32 = 100_000;

const KEPT: &str = "keyvalue-limit-exceeded";
const SENT: &str = "outbound-limit-exceeded";
const PENDING: &str = "guest-too-many-pending";
const LONG: &str = "guest-history-too-long";
const LARGE: &str = "guest-payload-too-large";
const MEMORY: &str = "guest-memory-exceeded";
const LATE: &str = "guest-deadline-exceeded";

pub(super) fn all() -> Vec<Kind> {
    let mut kinds = of_tasks();
    kinds.extend(of_attempts());
    kinds.extend(of_state());
    kinds.extend(of_requests());
    kinds
}

fn of_tasks() -> Vec<Kind> {
    let task =
        |name, input, code, limit| workflow(HOSTILE, name, input, Seen::Task(code)).meets(limit);
    let fuel = "guest-fuel-exhausted";
    let commands = "guest-too-many-commands";
    vec![
        task("Spins", Value::Null, fuel, "activation_fuel"),
        task("Grows", Value::Null, MEMORY, "memory_bytes"),
        task("Descends", json!(0), "guest-trapped", "stack_bytes"),
        task(
            "FloodsCommands",
            Value::Null,
            commands,
            "activation_commands",
        ),
        task("HugePayload", Value::Null, LARGE, "payload_bytes"),
        task("PilesUpTimers", json!(21), PENDING, "pending_timers"),
        task("PilesUpActivities", json!(9), PENDING, "pending_activities"),
        task("PilesUpChildren", json!(3), PENDING, "pending_children"),
        task("NeverEnds", Value::Null, LONG, "history_events"),
        task("Swells", json!(20_000), LONG, "history_bytes"),
        task("Spins", Value::Null, LATE, "activation_millis")
            .named("Spins-hurried")
            .at(Place::Hurried),
        // Its table alone is larger than it may be.
        workflow("test-languages", "Sells", sale(), Seen::Task(MEMORY)).meets("table_elements"),
        workflow(HOSTILE, "FloodsLog", Value::Null, Seen::Nothing).meets("log_lines"),
    ]
}

fn sale() -> Value {
    json!({
        "order": { "order": "o-1", "currency": "EUR", "lines": [] },
        "sales": { "history": [1], "periods": 1 },
    })
}

fn of_attempts() -> Vec<Kind> {
    let died = |name, input: Value, code| activity(name, &input, Seen::Attempt(code));
    let bytes = json!(TOO_MANY_BYTES);
    vec![
        died("Descend", json!(0), "guest-trapped").meets("stack_bytes"),
        died("Spin", Value::Null, LATE).meets("activity_millis"),
        died("Sleep", json!(600_000), LATE).meets("activity_millis"),
        died("Grow", Value::Null, MEMORY).meets("memory_bytes"),
        died("HugeResult", bytes.clone(), LARGE).meets("payload_bytes"),
        died("HugeHeartbeat", bytes, LARGE).meets("payload_bytes"),
        activity("FloodHeartbeats", &json!(FLOOD), Seen::Nothing),
        activity("FloodLog", &json!(FLOOD), Seen::Nothing).meets("log_lines"),
        activity("LongLine", &json!(LINE), Seen::Nothing).meets("log_line_bytes"),
    ]
}

fn of_state() -> Vec<Kind> {
    let keep = |limit: &'static str, keys: u32, key_bytes: u32, value_bytes: u32| {
        let input = json!({ "keys": keys, "key_bytes": key_bytes, "value_bytes": value_bytes });
        attempt(limit, "Keep", &input, KEPT).meets(limit)
    };
    vec![
        keep("keyvalue_keys", 6, 1, 1).at(Place::Sized),
        keep("keyvalue_key_bytes", 1, 100, 1).at(Place::Sized),
        keep("keyvalue_value_bytes", 1, 1, 5_000).at(Place::Sized),
        // No larger than a value may be, and larger than all together.
        keep("keyvalue_bytes", 1, 1, 3_500).at(Place::Sized),
        keep("keyvalue_per_second", 20, 2, 1).at(Place::Paced),
    ]
}

fn of_requests() -> Vec<Kind> {
    let send = |limit: &'static str, times: u32, bytes: u32| {
        let input = json!({ "to": "config:echo_url", "times": times, "bytes": bytes });
        attempt(limit, "Send", &input, SENT).meets(limit)
    };
    let hold = json!({ "to": "config:echo_url", "times": 2 });
    let silent = json!({ "to": "config:silent_url" });
    vec![
        send("outbound_requests", 21, 1).at(Place::Sized),
        send("outbound_request_body_bytes", 1, 20_000).at(Place::Sized),
        send("outbound_body_bytes", 1, 2_000).at(Place::Sized),
        send("outbound_per_second", 50, 1).at(Place::Paced),
        attempt("outbound_concurrency", "HoldAnswers", &hold, SENT)
            .meets("outbound_concurrency")
            .at(Place::Hurried),
        attempt("outbound_millis", "Send", &silent, SENT)
            .meets("outbound_millis")
            .at(Place::Hurried),
    ]
}
