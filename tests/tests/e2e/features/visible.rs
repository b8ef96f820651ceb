//! What a workflow shows to whoever looks at it: search attributes, memo, current details. The first two are read
//! from Temporal itself.

use std::{collections::HashMap, net::TcpListener};

use serde_json::{Value, json};
use temporalio_client::{Connection, tonic::Request};
use temporalio_protos::temporal::api::{
    common::v1::{Payload, WorkflowExecution},
    enums::v1::IndexedValueType,
    operatorservice::v1::AddSearchAttributesRequest,
    workflow::v1::WorkflowExecutionInfo,
    workflowservice::v1::DescribeWorkflowExecutionRequest,
};
use tenterhook_tests::{
    bench::native::connect,
    host::{Host, World},
};

use super::{PLUGIN, asked, completed, event, events_of, result_of, start, tenant};

/// The namespace of an embedded server.
const NAMESPACE: &str = "default";

/// A host whose Temporal server is at hand.
struct Seen {
    temporal: Connection,
    world: World,
    _host: Host,
    _data: tempfile::TempDir,
}

impl Seen {
    async fn start() -> Self {
        let data = tempfile::tempdir().unwrap();
        let port = free_port().to_string();
        let host = Host::start_with(data.path(), &["--temporal-port", &port])
            .await
            .unwrap();
        let temporal = connect(&format!("127.0.0.1:{port}"), "test").await.unwrap();
        let world = World::make(&host.api, "acme").await.unwrap();
        world.push_guest(PLUGIN).await.unwrap();
        Self {
            temporal,
            world,
            _host: host,
            _data: data,
        }
    }

    /// Makes the attributes that the guest sets.
    async fn add_attributes(&self) {
        let request = AddSearchAttributesRequest {
            namespace: NAMESPACE.to_owned(),
            search_attributes: HashMap::from([
                (
                    "CustomKeywordField".to_owned(),
                    IndexedValueType::Keyword.into(),
                ),
                ("CustomIntField".to_owned(), IndexedValueType::Int.into()),
            ]),
        };
        let mut service = self.temporal.operator_service();
        service
            .add_search_attributes(Request::new(request))
            .await
            .unwrap();
    }

    async fn describe(&self, id: &str) -> WorkflowExecutionInfo {
        let request = DescribeWorkflowExecutionRequest {
            namespace: NAMESPACE.to_owned(),
            execution: Some(WorkflowExecution {
                workflow_id: format!("acme/production/{id}"),
                run_id: String::new(),
            }),
        };
        let mut service = self.temporal.workflow_service();
        let described = service
            .describe_workflow_execution(Request::new(request))
            .await;
        described
            .unwrap()
            .into_inner()
            .workflow_execution_info
            .unwrap()
    }

    /// The search attributes of an execution, as Temporal has them.
    async fn attributes(&self, id: &str) -> HashMap<String, Value> {
        let attributes = self.describe(id).await.search_attributes;
        values(attributes.unwrap_or_default().indexed_fields)
    }

    async fn memo(&self, id: &str) -> HashMap<String, Value> {
        values(self.describe(id).await.memo.unwrap_or_default().fields)
    }
}

fn values(fields: HashMap<String, Payload>) -> HashMap<String, Value> {
    let value = |payload: Payload| serde_json::from_slice(&payload.data).unwrap_or(Value::Null);
    fields
        .into_iter()
        .map(|(name, payload)| (name, value(payload)))
        .collect()
}

/// Free now: the server takes it a moment later.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

#[tokio::test]
async fn search_attributes_and_memo_are_temporals_to_see() {
    let seen = Seen::start().await;
    seen.add_attributes().await;
    let world = &seen.world;
    start(world, "SearchAttributes", "s", json!("blue")).await;
    start(world, "Memo", "m", json!("hello")).await;
    // The pin is set by the same command, so the second is the guest's.
    event(world, "m", "WorkflowPropertiesModified").await;
    world
        .until("s", |seen| seen["digest"].is_string())
        .await
        .unwrap();

    let attributes = seen.attributes("s").await;
    assert_eq!(attributes["CustomKeywordField"], "blue", "{attributes:?}");
    assert_eq!(attributes["CustomIntField"], 1, "{attributes:?}");
    let memo = seen.memo("m").await;
    assert_eq!(
        (&memo["note"], &memo["number"]),
        (&json!("hello"), &json!(1))
    );

    for id in ["s", "m"] {
        world.signal(id, "go", Value::Null).await.unwrap();
    }
    assert_eq!(completed(world, "s").await, "blue-changed");
    assert_eq!(completed(world, "m").await, "hello-changed");
    let attributes = seen.attributes("s").await;
    assert_eq!(
        attributes["CustomKeywordField"], "blue-changed",
        "{attributes:?}"
    );
    let number = attributes.get("CustomIntField").unwrap_or(&Value::Null);
    assert!(number.is_null(), "{attributes:?}");
    // Whose it is stays as the host said.
    assert_eq!(
        (
            &attributes["Tenant"],
            &attributes["Environment"],
            &attributes["Plugin"]
        ),
        (&json!("acme"), &json!("production"), &json!(PLUGIN))
    );
    let memo = seen.memo("m").await;
    assert_eq!(memo["note"], "hello-changed");
    assert!(memo.get("number").is_none_or(Value::is_null), "{memo:?}");
}

#[tokio::test]
async fn a_workflow_says_what_it_is_doing() {
    const METADATA: &str = "__temporal_workflow_metadata";
    let world = tenant("feature-details").await;
    start(&world, "Details", "d", json!("first")).await;
    assert_eq!(
        asked(&world, "d", METADATA).await["currentDetails"],
        "first"
    );
    world.signal("d", "set", json!("second")).await.unwrap();
    assert_eq!(
        asked(&world, "d", METADATA).await["currentDetails"],
        "second"
    );
    world.signal("d", "finish", Value::Null).await.unwrap();
    completed(&world, "d").await;
    assert_eq!(
        asked(&world, "d", METADATA).await["currentDetails"],
        "second"
    );
    // Another workflow has none.
    result_of(&world, "Timers", "t", json!([])).await;
    assert_eq!(asked(&world, "t", METADATA).await, json!({}));
    assert!(
        events_of(&world, "d", "WorkflowTaskFailed")
            .await
            .is_empty()
    );
}
