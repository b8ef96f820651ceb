//! A replay that takes another way than its history says, while the host serves.

use serde_json::Value;
use temporalio_protos::temporal::api::{
    enums::v1::{EventType, WorkflowTaskFailedCause},
    history::v1::{History, history_event::Attributes},
};
use tenterhook_tests::{
    dev_server,
    host::{Host, World},
    raw,
};

use crate::hosts::until;

const HOSTILE: &str = "test-hostile";

/// Why tasks were failed, in Temporal's own history.
fn causes(history: &History) -> Vec<WorkflowTaskFailedCause> {
    let events = history.events.iter();
    let causes = events.filter_map(|event| match &event.attributes {
        Some(Attributes::WorkflowTaskFailedEventAttributes(failed)) => Some(failed.cause()),
        _ => None,
    });
    causes.collect()
}

async fn has(world: &World, id: &str, kind: &str) -> bool {
    let events = world.events(id).await.unwrap();
    events.iter().any(|event| event["type"] == kind)
}

#[tokio::test]
async fn a_replay_that_diverges_fails_its_task_does_nothing_and_tells_its_owner_all() {
    let (server_data, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = dev_server::start(server_data.path()).await.unwrap();
    let address = server.address().to_string();
    let mut host = Host::serve(data.path(), &address).await.unwrap();
    let mut world = World::make(&host.api, "acme").await.unwrap();
    let digest = world.push_guest(HOSTILE).await.unwrap();
    let begun = world.start("test-hostile.TurnsOnReplay", "turns", Value::Null);
    begun.await.unwrap();
    until("its timer", || has(&world, "turns", "TimerFired")).await;

    host.kill().unwrap();
    host.restart().await.unwrap();
    world.api = host.api.clone();
    world.signal("turns", "go", Value::Null).await.unwrap();
    let events = world.events("turns").await.unwrap();
    let timer = events.iter().find(|event| event["type"] == "TimerStarted");
    let timer = timer.unwrap()["id"].as_u64().unwrap();
    let told = format!(
        "at event {timer} its history has TimerStarted, and its code does ActivityTaskScheduled test-hostile.Innocent"
    );
    let says = |seen: &Value| {
        let message = seen["task_failure"]["message"].as_str();
        message.is_some_and(|message| message.contains(&told))
    };
    let described = world.until("turns", says).await.unwrap();

    // Its owner, through the API: the code, the release, the event, what the history has there and what the code does.
    assert_eq!(described["status"], "running", "{described:#}");
    assert_eq!(described["digest"], digest.as_str());
    let failure = &described["task_failure"];
    assert_eq!(failure["type"], "non-deterministic", "{failure:#}");
    let message = failure["message"].as_str().unwrap();
    let expected = format!("[non-deterministic] replayed on release {digest}, ");
    assert!(message.starts_with(&expected), "{message}");
    let events = world.events("turns").await.unwrap();
    let failed = events
        .iter()
        .find(|event| event["type"] == "WorkflowTaskFailed");
    let said = failed.unwrap()["failure"].as_str().unwrap();
    assert!(
        said.starts_with("non-deterministic: [non-deterministic] "),
        "{said}"
    );

    // Its operator, in the log.
    until("the log's word", async || host.log().contains(&told)).await;
    let log = host.log();
    let line = log.lines().find(|line| line.contains(&told)).unwrap();
    assert!(
        line.contains(&digest) && line.contains("non-deterministic"),
        "{line}"
    );

    // Temporal: its own cause, and nothing half done.
    let mut service = raw::temporal(&address).await.unwrap();
    let history = raw::history(&mut service, "acme/production/turns")
        .await
        .unwrap();
    let causes = causes(&history);
    assert_eq!(causes, [WorkflowTaskFailedCause::NonDeterministicError]);
    let begins = |kind: EventType| {
        history
            .events
            .iter()
            .any(|event| event.event_type() == kind)
    };
    assert!(!begins(EventType::ActivityTaskScheduled));
    assert!(!begins(EventType::WorkflowExecutionCompleted));

    // Nobody else is in trouble.
    let outcome = world.execute("test-hostile.Behaves", "behaves", "well".into());
    assert_eq!(outcome.await.unwrap()["status"], "completed");
}
