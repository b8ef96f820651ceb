//! Every feature of Temporal's workflow contract, run by the guest `test-workflows` on the real server.

mod activities;
mod cancelling;
mod family;
mod lifecycle;
mod messages;
mod recorded;
mod replay;
mod visible;
mod waiting;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tenterhook_tests::host::World;

use crate::shared::world;

/// The plugin that has a workflow type for each feature.
pub(crate) const PLUGIN: &str = "test-workflows";

/// Longest wait for an event that must come.
const EVENT_WITHIN: Duration = Duration::from_secs(30);

/// A tenant of the shared host with [`PLUGIN`].
pub(crate) async fn tenant(name: &str) -> World {
    let world = world(name).await;
    world.push_guest(PLUGIN).await.unwrap();
    world
}

/// Runs a workflow of [`PLUGIN`] to its end and answers with its result.
pub(crate) async fn result_of(world: &World, workflow: &str, id: &str, input: Value) -> Value {
    world
        .start(&type_of(workflow), id, input)
        .await
        .unwrap_or_else(|error| panic!("{workflow} does not start: {error:#}"));
    completed(world, id).await
}

/// The result of an execution that must complete.
pub(crate) async fn completed(world: &World, id: &str) -> Value {
    let outcome = world.outcome(id).await.unwrap();
    assert_eq!(outcome["status"], "completed", "{id}: {outcome:#}");
    recorded::record(world, id);
    outcome["result"].clone()
}

/// Starts a workflow of [`PLUGIN`].
pub(crate) async fn start(world: &World, workflow: &str, id: &str, input: Value) {
    world.start(&type_of(workflow), id, input).await.unwrap();
}

pub(crate) fn type_of(workflow: &str) -> String {
    format!("{PLUGIN}.{workflow}")
}

/// What a query answers.
pub(crate) async fn asked(world: &World, id: &str, query: &str) -> Value {
    let answer = world.query(id, query, Value::Null).await.unwrap();
    answer.ok().unwrap()["result"].clone()
}

/// The detail of a problem that must have `code`.
pub(crate) fn refused(answer: &tenterhook_tests::host::Answer, code: &str) -> String {
    assert_eq!(answer.code(), Some(code), "{answer:?}");
    answer.body["detail"].as_str().unwrap().to_owned()
}

/// The events of one type in a history.
pub(crate) async fn events_of(world: &World, id: &str, event_type: &str) -> Vec<Value> {
    let mut events = world.events(id).await.unwrap();
    events.retain(|event| event["type"] == event_type);
    events
}

/// The first event of a type, once it is there.
pub(crate) async fn event(world: &World, id: &str, event_type: &str) -> Value {
    let deadline = Instant::now() + EVENT_WITHIN;
    loop {
        if let Some(event) = events_of(world, id, event_type).await.into_iter().next() {
            return event;
        }
        assert!(
            Instant::now() < deadline,
            "{id} has no {event_type} within {EVENT_WITHIN:?}: {:#?}",
            world.events(id).await
        );
    }
}

/// Waits until the first task of an execution is done, so that what comes next is a task of its own.
pub(crate) async fn waits(world: &World, id: &str) {
    event(world, id, "WorkflowTaskCompleted").await;
}

/// What `RunsActivity` and `RunsLocalActivity` are given: one attempt of `activity`.
pub(crate) fn once(activity: &str, input: Value) -> Value {
    json!({ "activity": activity, "input": input })
}
