//! What is read of a history that was recorded.

#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};

use super::*;

const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn started() -> Value {
    json!({
        "eventType": "EVENT_TYPE_WORKFLOW_EXECUTION_STARTED",
        "workflowExecutionStartedEventAttributes": {
            "workflowType": { "name": "payment.Pay" },
            "workflowId": "acme/production/p-1",
            "originalExecutionRunId": "run-1",
        }
    })
}

fn event(kind: &str) -> Value {
    json!({ "eventType": format!("EVENT_TYPE_{kind}") })
}

fn task_completed(started: u64) -> Value {
    json!({
        "eventType": "EVENT_TYPE_WORKFLOW_TASK_COMPLETED",
        "workflowTaskCompletedEventAttributes": { "startedEventId": started.to_string() }
    })
}

fn activity(name: &str) -> Value {
    json!({
        "eventType": "EVENT_TYPE_ACTIVITY_TASK_SCHEDULED",
        "activityTaskScheduledEventAttributes": { "activityType": { "name": name } }
    })
}

fn pin() -> Value {
    patch_marker(&format!("tenterhook:release@{DIGEST}"))
}

fn patch_marker(id: &str) -> Value {
    let data = json!({ "id": id, "deprecated": false });
    let data = base64(&data.to_string());
    json!({
        "eventType": "EVENT_TYPE_MARKER_RECORDED",
        "markerRecordedEventAttributes": {
            "markerName": "core_patch",
            "details": { "patch-data": { "payloads": [
                { "metadata": { "encoding": base64("json/plain") }, "data": data }
            ] } }
        }
    })
}

fn base64(text: &str) -> String {
    use ::base64::{Engine as _, engine::general_purpose::STANDARD};
    STANDARD.encode(text)
}

/// The events with their ids, as an export.
fn export(events: &[Value]) -> Vec<u8> {
    let numbered: Vec<Value> = (1..)
        .zip(events)
        .map(|(id, event): (u64, _)| {
            let mut event = event.clone();
            event["eventId"] = json!(id.to_string());
            event
        })
        .collect();
    json!({ "events": numbered }).to_string().into_bytes()
}

fn recorded(events: &[Value]) -> Recorded {
    Recorded::of_export("a-file", &export(events)).unwrap()
}

/// Two tasks: an activity of the first, and nothing of the second.
fn waiting() -> Vec<Value> {
    vec![
        started(),
        event("WORKFLOW_TASK_SCHEDULED"),
        event("WORKFLOW_TASK_STARTED"),
        task_completed(3),
        pin(),
        activity("payment.Charge"),
        event("ACTIVITY_TASK_STARTED"),
        event("ACTIVITY_TASK_COMPLETED"),
        event("WORKFLOW_TASK_SCHEDULED"),
        event("WORKFLOW_TASK_STARTED"),
        task_completed(10),
    ]
}

#[test]
fn a_history_says_whose_it_is_and_which_release_it_was_recorded_on() {
    let recorded = recorded(&waiting());
    assert_eq!(recorded.workflow_id(), "acme/production/p-1");
    assert_eq!(recorded.run_id(), "run-1");
    assert_eq!(recorded.workflow_type(), "payment.Pay");
    assert_eq!(recorded.pinned.unwrap().digest.to_string(), DIGEST);
    assert_eq!((recorded.events(), recorded.is_open()), (11, true));
}

#[test]
fn of_a_history_that_moved_the_last_pin_counts() {
    let second = DIGEST.replace("0123", "4567");
    let mut events = waiting();
    events.push(patch_marker(&format!("tenterhook:release+1@{second}")));
    events.push(patch_marker("mine"));
    let recorded = recorded(&events);
    let pinned = recorded.pinned.unwrap();
    assert_eq!((pinned.moves, pinned.digest.to_string()), (1, second));
    // Both pins, and the plugin's own.
    assert_eq!(recorded.patch_bytes(), 90 + 3 + 92 + 3 + 4 + 3);
}

#[test]
fn tasks_have_the_events_that_they_led_to() {
    let recorded = recorded(&waiting());
    let tasks: Vec<_> = recorded
        .tasks
        .iter()
        .map(|task| {
            let steps: Vec<String> = task
                .steps
                .iter()
                .map(|(event, step)| format!("{event} {step}"))
                .collect();
            (
                *task.started.start(),
                *task.started.end(),
                steps,
                task.after,
            )
        })
        .collect();
    let charge = "6 ActivityTaskScheduled payment.Charge".to_owned();
    assert_eq!(tasks, [(3, 3, vec![charge], 7), (10, 10, vec![], 12)]);
}

#[test]
fn what_no_code_has_seen_is_cut_off() {
    let mut events = waiting();
    events.extend([
        event("WORKFLOW_EXECUTION_SIGNALED"),
        event("WORKFLOW_TASK_SCHEDULED"),
        event("WORKFLOW_TASK_STARTED"),
        event("WORKFLOW_TASK_FAILED"),
        event("WORKFLOW_EXECUTION_TERMINATED"),
    ]);
    let recorded = recorded(&events);
    assert_eq!(recorded.history.events.len(), 11);
    assert_eq!((recorded.events(), recorded.is_open()), (16, false));
}

#[test]
fn an_empty_task_that_is_followed_at_once_goes_with_the_next() {
    let mut events = waiting();
    events.extend([
        event("WORKFLOW_TASK_SCHEDULED"),
        event("WORKFLOW_TASK_STARTED"),
        task_completed(13),
        activity("payment.Ship"),
    ]);
    let recorded = recorded(&events);
    let spans: Vec<_> = recorded
        .tasks
        .iter()
        .map(|task| (*task.started.start(), *task.started.end()))
        .collect();
    assert_eq!(spans, [(3, 3), (10, 13)]);
}

#[test]
fn a_history_without_a_finished_task_has_none() {
    let events = [started(), event("WORKFLOW_TASK_SCHEDULED")];
    assert_eq!(recorded(&events).tasks, []);
}

#[test]
fn paths_differ_by_what_happened_and_not_by_how_often() {
    let first = recorded(&waiting());
    let mut other = waiting();
    other[5] = activity("payment.Refund");
    assert_ne!(first.path(), recorded(&other).path());
    let round = [
        activity("payment.Charge"),
        event("ACTIVITY_TASK_STARTED"),
        event("ACTIVITY_TASK_COMPLETED"),
        event("WORKFLOW_TASK_SCHEDULED"),
        event("WORKFLOW_TASK_STARTED"),
    ];
    let looped = |times: u64| {
        let mut events = waiting();
        for _ in 0..times {
            events.extend(round.iter().cloned());
            let started = events.len() as u64;
            events.push(task_completed(started));
        }
        recorded(&events)
    };
    assert_eq!(looped(2).path(), looped(7).path());
}

#[test]
fn what_cannot_be_replayed_is_refused() {
    let mut hole = waiting();
    hole.remove(0);
    let mut nobody = waiting();
    nobody[0]["workflowExecutionStartedEventAttributes"]["originalExecutionRunId"] = json!("");
    for events in [hole, nobody] {
        let error = Recorded::of_export("a-file", &export(&events)).unwrap_err();
        assert_eq!(error.code(), Code::HistoryInvalid);
    }
    let mut text: Value = serde_json::from_slice(&export(&waiting())).unwrap();
    text["events"][4]["eventId"] = json!("9");
    let error = Recorded::of_export("a-file", text.to_string().as_bytes()).unwrap_err();
    assert!(
        error
            .detail()
            .contains("event 9 stands where event 5 should"),
        "{error}"
    );
}
