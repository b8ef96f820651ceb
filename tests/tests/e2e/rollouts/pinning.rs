//! What keeps its release, and what goes over to the new one.

use serde_json::{Value, json};
use temporalio_client::{
    Connection, ConnectionOptions, Url, grpc::WorkflowService, tonic::Request,
};
use temporalio_protos::temporal::api::{
    common::v1::WorkflowExecution,
    enums::v1::EventType,
    workflowservice::v1::{GetWorkflowExecutionHistoryRequest, ResetWorkflowExecutionRequest},
};
use tenterhook_tests::{
    dev_server,
    host::{Host, World, guest},
};

use super::{Two, promote};
use crate::shared::world;

/// A chain of two runs whose second one begins after the second release became current.
async fn run_chain(two: &Two, policy: &Value) -> (Value, Value) {
    let id = "chain";
    two.world
        .start("test-ramp.Chain", id, json!(1))
        .await
        .unwrap();
    let first = two.world.until(id, |seen| seen["digest"].is_string()).await;
    let first = first.unwrap();
    assert_eq!(first["digest"], json!(two.v1));
    two.promote_second().await;
    // Set while the run is held in memory: what holds is what is so when it continues.
    two.set_policy(policy).await;
    two.world.signal(id, "go", Value::Null).await.unwrap();
    let second = two
        .world
        .until(id, |seen| {
            seen["run_id"] != first["run_id"] && seen["digest"].is_string()
        })
        .await
        .unwrap();
    two.world.signal(id, "go", Value::Null).await.unwrap();
    let outcome = two.world.outcome(id).await.unwrap();
    (second["digest"].clone(), outcome["result"].clone())
}

#[tokio::test]
async fn a_run_that_continues_as_new_goes_over_to_the_current_release() {
    let two = Two::push(world("chain-upgrades").await).await;
    let policy = json!({ "upgrade_on": "continue-as-new" });
    let ran = run_chain(&two, &policy).await;
    assert_eq!(ran, (json!(two.v2), json!("v2")));
}

#[tokio::test]
async fn a_chain_that_never_upgrades_stays_on_its_first_release() {
    let two = Two::push(world("chain-stays").await).await;
    let policy = json!({ "upgrade_on": "never" });
    let ran = run_chain(&two, &policy).await;
    assert_eq!(ran, (json!(two.v1), json!("v1")));
}

pub(super) async fn temporal(address: &str) -> Box<dyn WorkflowService> {
    let url = Url::parse(&format!("http://{address}")).unwrap();
    let options = ConnectionOptions::new(url)
        .identity("a test".to_owned())
        .build();
    let connection = Connection::connect(options).await.unwrap();
    connection.workflow_service()
}

/// The newest run of `id` begins again after the completed workflow task `number`, from 0.
pub(super) async fn reset(service: &mut Box<dyn WorkflowService>, id: &str, number: usize) {
    let execution = WorkflowExecution {
        workflow_id: id.to_owned(),
        run_id: String::new(),
    };
    let request = GetWorkflowExecutionHistoryRequest {
        namespace: "default".to_owned(),
        execution: Some(execution.clone()),
        ..Default::default()
    };
    let history = service.get_workflow_execution_history(Request::new(request));
    let history = history.await.unwrap().into_inner().history.unwrap();
    let mut completed = history
        .events
        .iter()
        .filter(|event| event.event_type() == EventType::WorkflowTaskCompleted);
    let request = ResetWorkflowExecutionRequest {
        namespace: "default".to_owned(),
        workflow_execution: Some(execution),
        reason: "a test".to_owned(),
        workflow_task_finish_event_id: completed.nth(number).unwrap().event_id,
        request_id: format!("{id}-{number}"),
        ..Default::default()
    };
    service
        .reset_workflow_execution(Request::new(request))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_reset_to_the_first_task_resolves_afresh_and_a_later_one_keeps_the_pin() {
    let (server_data, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = dev_server::start(server_data.path()).await.unwrap();
    let address = server.address().to_string();
    let host = Host::serve(data.path(), &address).await.unwrap();
    let world = World::make(&host.api, "acme").await.unwrap();
    let push = async |name: &str| world.push("test-pin", guest(name).unwrap()).await.unwrap();
    let v1 = push("test-pin-v1").await;
    let v2 = push("test-pin-v2").await;
    for id in ["afresh", "kept"] {
        let started = world.start("test-pin.Versioned", id, Value::Null).await;
        started.unwrap();
        // Two tasks: the first starts the timer, the second sees it end and waits for the signal.
        let waits = async |world: &World| {
            let events = world.events(id).await.unwrap();
            let done = |event: &&Value| event["type"] == "WorkflowTaskCompleted";
            events.iter().filter(done).count() >= 2
        };
        while !waits(&world).await {
            tokio::task::yield_now().await;
        }
    }
    promote(&world, "test-pin", &v2).await;
    let mut service = temporal(&address).await;
    for (id, task, expected, result) in [
        ("afresh", 0, &v2, "v2 with activity v2"),
        ("kept", 1, &v1, "v1 with activity v1"),
    ] {
        let before = world.describe(id).await.unwrap();
        assert_eq!(before["digest"], json!(v1), "{id}");
        reset(&mut service, &format!("acme/production/{id}"), task).await;
        let seen = world
            .until(id, |seen| {
                seen["run_id"] != before["run_id"] && seen["digest"] == json!(expected)
            })
            .await;
        seen.unwrap();
        world.signal(id, "go", Value::Null).await.unwrap();
        let outcome = world.outcome(id).await.unwrap();
        assert_eq!(outcome["result"], result, "{id}: {outcome:#}");
    }
}
