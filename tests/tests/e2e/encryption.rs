//! Encrypted payloads: what stands in Temporal, what callers read, what Temporal's own tools are shown, and what is left
//! when the keys are gone.

mod forgotten;
mod opened;
mod said;
mod shredded;

use std::net::TcpListener;

use prost::Message as _;
use serde_json::{Value, json};
use temporalio_client::{grpc::WorkflowService, tonic::Request};
use temporalio_protos::temporal::api::{
    common::v1::{Payload, WorkflowExecution},
    history::v1::{History, history_event::Attributes},
    workflowservice::v1::DescribeWorkflowExecutionRequest,
};
use tenterhook_tests::{
    host::{Api, Host, World},
    raw::{NAMESPACE, history, temporal},
};

use crate::features::{PLUGIN, type_of, waits};

/// Stands in whatever the guests are given to say.
const MARKER: &str = "4111-1111-1111-1111";

/// A host whose Temporal server is at hand, with a tenant whose payloads are encrypted and one whose are not.
struct Stage {
    host: Host,
    temporal: Box<dyn WorkflowService>,
    address: String,
    acme: World,
    globex: World,
    _data: tempfile::TempDir,
}

impl Stage {
    async fn new() -> Self {
        let data = tempfile::tempdir().unwrap();
        let port = free_port().to_string();
        let host = Host::start_with(data.path(), &["--temporal-port", &port]).await;
        let host = host.unwrap();
        let address = format!("127.0.0.1:{port}");
        let acme = World::make(&host.api, "acme").await.unwrap();
        let globex = World::make(&host.api, "globex").await.unwrap();
        for world in [&acme, &globex] {
            world.push_guest(PLUGIN).await.unwrap();
        }
        let stage = Self {
            temporal: temporal(&address).await.unwrap(),
            host,
            address,
            acme,
            globex,
            _data: data,
        };
        stage
            .ask("PUT", "encryption", json!({"payloads": "on"}))
            .await;
        stage
    }

    /// Something about acme's keys, as an admin.
    async fn ask(&self, method: &str, what: &str, body: Value) -> Value {
        let path = format!("/v1/tenants/acme/{what}");
        let answer = match method {
            "PUT" => self.host.api.put(&path, &body).await,
            "POST" => self.host.api.post(&path, &body).await,
            _ => {
                self.host
                    .api
                    .call(method.parse().unwrap(), &path, None)
                    .await
            }
        };
        answer.unwrap().ok().unwrap()
    }

    /// An operator's view of the API.
    async fn operator(&self, tenant: &str) -> Api {
        let body =
            json!({ "principal": { "role": "operator", "tenant": tenant }, "label": "test" });
        let token = self.host.api.post("/v1/tokens", &body).await;
        let token = token.unwrap().ok().unwrap();
        self.host.api.with_token(token["token"].as_str().unwrap())
    }

    async fn raw(&mut self, id: &str) -> History {
        history(&mut self.temporal, id).await.unwrap()
    }

    /// What Temporal keeps of an execution: its history and what it says of it.
    async fn kept(&mut self, id: &str) -> Vec<u8> {
        let mut kept = self.raw(id).await.encode_to_vec();
        let request = DescribeWorkflowExecutionRequest {
            namespace: NAMESPACE.to_owned(),
            execution: Some(WorkflowExecution {
                workflow_id: id.to_owned(),
                run_id: String::new(),
            }),
        };
        let described = self
            .temporal
            .describe_workflow_execution(Request::new(request));
        kept.extend(described.await.unwrap().into_inner().encode_to_vec());
        kept
    }
}

fn free_port() -> u16 {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    free.local_addr().unwrap().port()
}

/// The first argument that an execution was started with, as Temporal has it.
fn input(history: &History) -> Payload {
    match &history.events[0].attributes {
        Some(Attributes::WorkflowExecutionStartedEventAttributes(started)) => {
            started.input.clone().unwrap().payloads.remove(0)
        }
        other => panic!("no start: {other:?}"),
    }
}

/// Starts a workflow with a memo that waits, and sends it a word.
async fn signalled(world: &World, id: &str) {
    let body = json!({
        "type": type_of("Signalled"), "id": id, "input": null, "memo": { "note": MARKER },
    });
    let started = world.api.post(&world.path("workflows"), &body).await;
    started.unwrap().ok().unwrap();
    waits(world, id).await;
    world.signal(id, "add", json!(MARKER)).await.unwrap();
}
