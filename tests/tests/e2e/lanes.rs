//! The lane a host works on: whose work it takes, and which Temporal it may be on.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use temporalio_client::{grpc::WorkflowService, tonic::Request};
use temporalio_protos::temporal::api::{
    common::v1::{Header, Payload, WorkflowType},
    history::v1::history_event::Attributes,
    taskqueue::v1::TaskQueue,
    workflowservice::v1::StartWorkflowExecutionRequest,
};
use tenterhook_domain::{
    clock::{Clock as _, SystemClock},
    context::{Context, HEADER},
};
use tenterhook_embedded::{Config, EmbeddedTemporal, Places, TemporalProgram};
use tenterhook_store::Store;
use tenterhook_tests::{
    dev_server,
    host::{Host, World, guest},
    raw::{NAMESPACE, context, history, temporal},
};

/// Starts a workflow as somebody would who can write to Temporal, with any context.
pub(crate) async fn start_around_the_host(
    service: &mut Box<dyn WorkflowService>,
    id: &str,
    context: Option<Payload>,
) {
    let request = StartWorkflowExecutionRequest {
        namespace: NAMESPACE.to_owned(),
        workflow_id: id.to_owned(),
        workflow_type: Some(WorkflowType {
            name: "test-pin.Versioned".to_owned(),
        }),
        task_queue: Some(TaskQueue {
            name: "tenterhook".to_owned(),
            ..Default::default()
        }),
        request_id: id.to_owned(),
        header: context.map(|payload| Header {
            fields: [(HEADER.to_owned(), payload)].into(),
        }),
        ..Default::default()
    };
    service
        .start_workflow_execution(Request::new(request))
        .await
        .unwrap();
}

pub(crate) fn now() -> u64 {
    SystemClock.now_millis()
}

/// A header with `context` that the keys of the host at `data` sign at `time`.
pub(crate) async fn signed(data: &Path, context: &Context, time: u64) -> Payload {
    let store = Store::open(data).await.unwrap();
    let keys = store.context_keys.load_or_create(time).await.unwrap();
    store.database.close().await;
    let token = keys.at(time).sign(context);
    Payload {
        data: json!(token.unwrap()).to_string().into_bytes(),
        ..Default::default()
    }
}

/// The same for a start of `id`, for what begins by `begins_by`.
async fn signed_start(data: &Path, id: &str, begins_by: u64) -> Payload {
    let context = Context {
        scope: "acme/production".parse().unwrap(),
        plugin: "test-pin".parse().unwrap(),
        workflow_id: format!("acme/production/{id}"),
        digest: None,
        begins_by: Some(begins_by),
    };
    signed(data, &context, now()).await
}

/// The message of the first failed task.
pub(crate) async fn refusal(service: &mut Box<dyn WorkflowService>, id: &str) -> String {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let failed = history(service, id)
            .await
            .unwrap()
            .events
            .into_iter()
            .find_map(|event| match event.attributes {
                Some(Attributes::WorkflowTaskFailedEventAttributes(failed)) => failed.failure,
                _ => None,
            });
        if let Some(failure) = failed {
            return failure.message;
        }
        assert!(Instant::now() < deadline, "no task of {id} failed");
    }
}

#[tokio::test]
async fn work_without_this_hosts_signature_is_refused() {
    let (server_data, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = dev_server::start(server_data.path()).await.unwrap();
    let address = server.address().to_string();
    let host = Host::serve(data.path(), &address).await.unwrap();
    let world = World::make(&host.api, "acme").await.unwrap();
    world
        .push("test-pin", guest("test-pin-v1").unwrap())
        .await
        .unwrap();
    world.start_pinned("mine").await.unwrap();

    let mut service = temporal(&address).await.unwrap();
    // The real header of a real execution, as anybody can read it who may read histories.
    let stolen = context(&history(&mut service, "acme/production/mine").await.unwrap());
    let forged = Payload {
        data: json!("v1.k.e30.AAAA").to_string().into_bytes(),
        ..Default::default()
    };
    let late = Some(signed_start(data.path(), "late", now() - 1_000).await);
    for (id, context, code) in [
        ("acme/production/bare", None, "context-invalid"),
        (
            "acme/production/forged",
            Some(forged),
            "context-key-unknown",
        ),
        ("acme/production/stolen", stolen.clone(), "context-invalid"),
        ("globex/production/mine", stolen, "context-invalid"),
        ("acme/production/late", late, "context-invalid"),
    ] {
        start_around_the_host(&mut service, id, context).await;
        let message = refusal(&mut service, id).await;
        assert!(message.contains(code), "{id}: {message}");
    }
    // Only its time was wrong with the late one: it is the host's own signature.
    let in_time = signed_start(data.path(), "in-time", now() + 60_000).await;
    start_around_the_host(&mut service, "acme/production/in-time", Some(in_time)).await;
    world
        .until("in-time", |seen| seen["digest"].is_string())
        .await
        .unwrap();
    // The host itself goes on.
    world.signal("mine", "go", Value::Null).await.unwrap();
    assert_eq!(world.outcome("mine").await.unwrap()["status"], "completed");
}

#[tokio::test]
async fn serve_works_on_a_temporal_that_is_given_and_goes_on_after_a_restart() {
    let program = TemporalProgram::find(&Places::from_environment())
        .await
        .unwrap();
    let (server_data, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    // Without the search attributes: a server that never heard of this host.
    let config = Config {
        search_attributes: Vec::new(),
        ..Config::new(program, server_data.path())
    };
    let server = EmbeddedTemporal::start(config).await.unwrap();
    let mut host = Host::serve(data.path(), &server.address().to_string())
        .await
        .unwrap();
    let mut world = World::make(&host.api, "acme").await.unwrap();
    world
        .push("test-pin", guest("test-pin-v1").unwrap())
        .await
        .unwrap();
    world.start_pinned("w").await.unwrap();
    assert!(host.stop().await.unwrap(), "{}", host.log());
    host.restart().await.unwrap();
    world.api = host.api.clone();
    world.signal("w", "go", Value::Null).await.unwrap();
    assert_eq!(
        world.outcome("w").await.unwrap()["result"],
        "v1 with activity v1"
    );
}
