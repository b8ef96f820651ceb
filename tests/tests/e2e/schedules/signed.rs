//! The signature of what a schedule starts: worth nothing elsewhere, and alive as long as the schedule.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use temporalio_client::{grpc::WorkflowService, tonic::Request};
use temporalio_protos::temporal::api::{
    common::v1::{Header, Payload, WorkflowType},
    schedule::v1::schedule_action::Action,
    taskqueue::v1::TaskQueue,
    workflow::v1::NewWorkflowExecutionInfo,
    workflowservice::v1::StartWorkflowExecutionRequest,
};
use tenterhook_domain::{
    audit::Author,
    clock::{Clock as _, SystemClock},
    context::HEADER,
};
use tenterhook_store::Store;
use tenterhook_tests::{
    dev_server,
    host::{Host, World, guest},
    raw::{NAMESPACE, failed_tasks, history, temporal},
};

use super::{ask, described, every_second, put, started, until};

/// What a schedule starts, as anybody can read it who may read Temporal.
async fn action(service: &mut Box<dyn WorkflowService>, id: &str) -> NewWorkflowExecutionInfo {
    let schedule = described(service, id).await.schedule.unwrap();
    let Action::StartWorkflow(starts) = schedule.action.unwrap().action.unwrap();
    starts
}

pub(crate) async fn context(service: &mut Box<dyn WorkflowService>, id: &str) -> Payload {
    let starts = action(service, id).await;
    starts.header.unwrap().fields.remove(HEADER).unwrap()
}

/// Starts something with a context as somebody would who can write to Temporal, and says what its first task fails with.
async fn refused(
    service: &mut Box<dyn WorkflowService>,
    (id, type_name): (&str, &str),
    context: &Payload,
) -> String {
    let request = StartWorkflowExecutionRequest {
        namespace: NAMESPACE.to_owned(),
        workflow_id: id.to_owned(),
        workflow_type: Some(WorkflowType {
            name: type_name.to_owned(),
        }),
        task_queue: Some(TaskQueue {
            name: "tenterhook".to_owned(),
            ..Default::default()
        }),
        request_id: id.to_owned(),
        header: Some(Header {
            fields: [(HEADER.to_owned(), context.clone())].into(),
        }),
        ..Default::default()
    };
    let sent = service.start_workflow_execution(Request::new(request));
    sent.await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let failed = failed_tasks(&history(service, id).await.unwrap());
        if let Some(words) = failed.into_iter().next() {
            return words;
        }
        assert!(Instant::now() < deadline, "no task of {id} failed");
    }
}

#[tokio::test]
async fn a_schedules_context_is_worth_nothing_on_another_execution() {
    let (server_data, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = dev_server::start(server_data.path()).await.unwrap();
    let address = server.address().to_string();
    let host = Host::serve(data.path(), &address).await.unwrap();
    let world = World::make(&host.api, "acme").await.unwrap();
    world.push_guest("bench").await.unwrap();
    let pin = guest("test-pin-v1").unwrap();
    world.push("test-pin", pin).await.unwrap();
    let mut schedule = every_second(1);
    schedule["paused"] = true.into();
    put(&world, "tick", &schedule).await;

    let mut service = temporal(&address).await.unwrap();
    let stolen = context(&mut service, "acme/production/tick").await;
    let own = "bench.OneActivity";
    for (id, type_name) in [
        ("acme/production/tick", own),
        ("acme/production/other", own),
        ("acme/production/tick-again", own),
        ("acme/production/tick-2026-01-10T03:00:00Z-x", own),
        ("acme/production/tack-2026-01-10T03:00:00Z", own),
        ("globex/production/tick-2026-01-10T03:00:00Z", own),
        (
            "acme/production/tick-2026-01-10T03:00:01Z",
            "bench.TenActivities",
        ),
        (
            "acme/production/tick-2026-01-10T03:00:02Z",
            "test-pin.Versioned",
        ),
    ] {
        let words = refused(&mut service, (id, type_name), &stolen).await;
        assert!(words.contains("context-invalid"), "{id}: {words}");
    }
    // What the schedule itself starts with it runs.
    ask(&world, "tick", "trigger", json!({})).await;
    let seen = until(&world, "tick", |seen| seen["started"] == 1).await;
    let id = started(&seen).pop().unwrap();
    assert_eq!(world.outcome(&id).await.unwrap()["status"], "completed");
    // And the context of an execution is not one of a schedule.
    let ran = history(&mut service, &format!("acme/production/{id}")).await;
    assert!(failed_tasks(&ran.unwrap()).is_empty());
}

/// The id of the key that signed a context: its second part.
pub(crate) fn key_of(context: &Payload) -> String {
    let token: String = serde_json::from_slice(&context.data).unwrap();
    token.split('.').nth(1).unwrap().to_owned()
}

/// The host's newest keys, made while it is stopped.
async fn rotate(data: &std::path::Path, times: usize) {
    let (store, now) = (Store::open(data).await.unwrap(), SystemClock.now_millis());
    let author = Author {
        who: "a test".into(),
        from: "here".into(),
        why: String::new(),
    };
    for _ in 0..times {
        let rotated = store.context_keys.rotate(now, &author, now).await;
        rotated.unwrap();
    }
    store.database.close().await;
}

async fn completes(world: &World) {
    let before = until(world, "tick", |_| true).await["started"].as_u64();
    let seen = until(world, "tick", |seen| seen["started"].as_u64() > before).await;
    let id = started(&seen).pop().unwrap();
    let outcome = world.outcome(&id).await.unwrap();
    assert_eq!(outcome["status"], "completed", "{id}: {outcome:#}");
}

#[tokio::test]
async fn a_schedule_outlives_restarts_and_the_key_that_signed_it() {
    let (server_data, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = dev_server::start(server_data.path()).await.unwrap();
    let address = server.address().to_string();
    let mut host = Host::serve(data.path(), &address).await.unwrap();
    let mut world = World::make(&host.api, "acme").await.unwrap();
    world.push_guest("bench").await.unwrap();
    put(&world, "tick", &every_second(1)).await;
    completes(&world).await;
    let mut service = temporal(&address).await.unwrap();
    let first = key_of(&context(&mut service, "acme/production/tick").await);

    let mut last = first.clone();
    // Also of keys that came and went while no host ran.
    for times in [1, 3] {
        assert!(host.stop().await.unwrap(), "{}", host.log());
        rotate(data.path(), times).await;
        host.restart().await.unwrap();
        world.api = host.api.clone();
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let now = key_of(&context(&mut service, "acme/production/tick").await);
            if now != last {
                last = now;
                break;
            }
            assert!(Instant::now() < deadline, "it is signed with {now} still");
        }
        completes(&world).await;
    }
    assert_ne!(first, last);
    let kept = until(&world, "tick", |_| true).await;
    assert_eq!(kept["schedule"]["action"]["input"], 1, "{kept:#}");
    assert_eq!(kept["schedule"]["action"]["memo"], json!({"why": "a test"}));
    assert_eq!(kept["schedule"]["paused"], Value::Bool(false));
}
