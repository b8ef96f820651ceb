//! Attempts that a worker which is not a host asks of the host's queue.

use std::{collections::BTreeMap, time::Duration};

use serde_json::json;
use temporalio_client::{grpc::WorkflowService, tonic::Request};
use temporalio_protos::temporal::api::{
    command::v1::{Command, ScheduleActivityTaskCommandAttributes, command},
    common::v1::{ActivityType, Header, Payload, Payloads, RetryPolicy, WorkflowType},
    enums::v1::CommandType,
    history::v1::{History, history_event::Attributes},
    taskqueue::v1::TaskQueue,
    workflowservice::v1::{
        PollWorkflowTaskQueueRequest, RespondWorkflowTaskCompletedRequest,
        StartWorkflowExecutionRequest,
    },
};
use tenterhook_domain::{Digest, context::Context};
use tenterhook_tests::{
    dev_server,
    host::{Host, World},
    raw::{NAMESPACE, history, temporal},
};

use crate::{
    hosts::until,
    lanes::{now, signed},
};

const HOSTILE: &str = "test-hostile";
/// A queue that no host works.
const ELSEWHERE: &str = "elsewhere";
const MINUTE: Duration = Duration::from_secs(60);

fn queue(name: &str) -> Option<TaskQueue> {
    let name = name.to_owned();
    Some(TaskQueue {
        name,
        ..Default::default()
    })
}

/// An attempt at `Innocent` on the host's queue, with a context or without.
fn ask(id: &str, context: Option<Payload>) -> Command {
    let minute = MINUTE.try_into().unwrap();
    let input = Payload {
        metadata: [("encoding".to_owned(), b"json/plain".to_vec())].into(),
        data: json!("x").to_string().into_bytes(),
        ..Default::default()
    };
    let attributes = ScheduleActivityTaskCommandAttributes {
        activity_id: id.to_owned(),
        activity_type: Some(ActivityType {
            name: format!("{HOSTILE}.Innocent"),
        }),
        task_queue: queue("tenterhook"),
        header: context.map(|context| Header {
            fields: [(tenterhook_domain::context::HEADER.to_owned(), context)].into(),
        }),
        input: Some(Payloads {
            payloads: vec![input],
        }),
        start_to_close_timeout: Some(minute),
        retry_policy: Some(RetryPolicy {
            maximum_attempts: 1,
            ..Default::default()
        }),
        ..Default::default()
    };
    Command {
        command_type: CommandType::ScheduleActivityTask.into(),
        attributes: Some(command::Attributes::ScheduleActivityTaskCommandAttributes(
            attributes,
        )),
        ..Default::default()
    }
}

/// Starts the execution `id` on a queue of nobody's and answers its first task with `commands`.
async fn worker(service: &mut Box<dyn WorkflowService>, id: &str, commands: Vec<Command>) {
    let start = StartWorkflowExecutionRequest {
        namespace: NAMESPACE.to_owned(),
        workflow_id: id.to_owned(),
        workflow_type: Some(WorkflowType {
            name: "Elsewhere".to_owned(),
        }),
        task_queue: queue(ELSEWHERE),
        request_id: id.to_owned(),
        ..Default::default()
    };
    let started = service.start_workflow_execution(Request::new(start));
    started.await.unwrap();
    let poll = PollWorkflowTaskQueueRequest {
        namespace: NAMESPACE.to_owned(),
        task_queue: queue(ELSEWHERE),
        ..Default::default()
    };
    let task = service.poll_workflow_task_queue(Request::new(poll)).await;
    let answer = RespondWorkflowTaskCompletedRequest {
        namespace: NAMESPACE.to_owned(),
        task_token: task.unwrap().into_inner().task_token,
        commands,
        ..Default::default()
    };
    let answered = service.respond_workflow_task_completed(Request::new(answer));
    answered.await.unwrap();
}

/// By activity id: why it failed; empty for one that completed.
fn ends(history: &History) -> BTreeMap<String, String> {
    let mut scheduled = BTreeMap::new();
    let mut ends = BTreeMap::new();
    for event in &history.events {
        match &event.attributes {
            Some(Attributes::ActivityTaskScheduledEventAttributes(it)) => {
                scheduled.insert(event.event_id, it.activity_id.clone());
            }
            Some(Attributes::ActivityTaskFailedEventAttributes(it)) => {
                let why = it.failure.as_ref().map(|failure| failure.message.clone());
                let id = scheduled[&it.scheduled_event_id].clone();
                ends.insert(id, why.unwrap_or_default());
            }
            Some(Attributes::ActivityTaskCompletedEventAttributes(it)) => {
                let id = scheduled[&it.scheduled_event_id].clone();
                ends.insert(id, String::new());
            }
            _ => {}
        }
    }
    ends
}

/// The header that the host gave the first activity of an execution.
fn header(history: &History) -> Payload {
    let mut events = history.events.iter();
    let header = events.find_map(|event| match &event.attributes {
        Some(Attributes::ActivityTaskScheduledEventAttributes(it)) => it.header.clone(),
        _ => None,
    });
    header.unwrap().fields[tenterhook_domain::context::HEADER].clone()
}

#[tokio::test]
async fn an_attempt_without_this_hosts_signature_for_it_is_refused() {
    let (server_data, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = dev_server::start(server_data.path()).await.unwrap();
    let address = server.address().to_string();
    let host = Host::serve(data.path(), &address).await.unwrap();
    let world = World::make(&host.api, "acme").await.unwrap();
    let digest: Digest = world.push_guest(HOSTILE).await.unwrap().parse().unwrap();
    let mine = world.execute("test-hostile.Behaves", "mine", json!("x"));
    assert_eq!(mine.await.unwrap()["status"], "completed");
    let mut service = temporal(&address).await.unwrap();
    let stolen = header(&history(&mut service, "acme/production/mine").await.unwrap());
    let forged = Payload {
        data: json!("v1.k.e30.AAAA").to_string().into_bytes(),
        ..Default::default()
    };
    let context = |plugin: &str| Context {
        scope: "acme/production".parse().unwrap(),
        plugin: plugin.parse().unwrap(),
        workflow_id: "acme/production/theirs".to_owned(),
        digest: Some(digest),
        begins_by: None,
    };
    let others = signed(data.path(), &context("payment"), now()).await;
    // All that is right about this one is the signature, and that is enough: so the others fail for theirs alone.
    let right = signed(data.path(), &context(HOSTILE), now()).await;
    let asked = vec![
        ask("bare", None),
        ask("forged", Some(forged)),
        ask("stolen", Some(stolen)),
        ask("of another plugin", Some(others)),
        ask("right", Some(right)),
    ];
    let number = asked.len();
    worker(&mut service, "acme/production/theirs", asked).await;
    until("all attempts", async || {
        let mut service = temporal(&address).await.unwrap();
        let history = history(&mut service, "acme/production/theirs").await;
        ends(&history.unwrap()).len() == number
    })
    .await;
    let ended = ends(
        &history(&mut service, "acme/production/theirs")
            .await
            .unwrap(),
    );
    for (id, code) in [
        ("bare", "[context-invalid]"),
        ("forged", "[context-key-unknown]"),
        ("stolen", "[context-invalid]"),
        ("of another plugin", "[context-invalid]"),
    ] {
        assert!(ended[id].starts_with(code), "{id}: {}", ended[id]);
    }
    assert_eq!(ended["right"], "", "{ended:?}");
}
