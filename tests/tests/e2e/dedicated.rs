//! Lanes of scopes' own: driven by Temporal's own tools, in a namespace of their own, taken over from a native worker,
//! and taken away.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use temporalio_protos::temporal::api::{
    common::v1::{Header, Payload, WorkflowType},
    taskqueue::v1::TaskQueue,
    workflowservice::v1::StartWorkflowExecutionRequest,
};
use tenterhook_domain::context::HEADER;
use tenterhook_embedded::EmbeddedTemporal;
use tenterhook_tests::{
    dev_server,
    host::{Host, World},
    raw::{self, NAMESPACE},
    temporal_cli::TemporalCli,
};

mod taken_over;

/// A server and a host of a test's own.
struct Stage {
    cli: TemporalCli,
    address: String,
    host: Host,
    acme: World,
    _server: EmbeddedTemporal,
    _folders: [TempDir; 2],
}

impl Stage {
    async fn set() -> Self {
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let server = dev_server::start(folders[0].path()).await.unwrap();
        let address = server.address().to_string();
        let host = Host::serve(folders[1].path(), &address).await.unwrap();
        let acme = World::make(&host.api, "acme").await.unwrap();
        acme.push_guest("bench").await.unwrap();
        Self {
            cli: TemporalCli::of(&address).await.unwrap(),
            address,
            host,
            acme,
            _server: server,
            _folders: folders,
        }
    }

    async fn give_lane(&self, lane: &Value) {
        let put = self.acme.api.put(&self.acme.path("lane"), lane).await;
        put.unwrap().ok().unwrap();
    }

    /// Starts a workflow as Temporal's users do.
    fn start(&self, namespace: &str, queue: &str, name: &str, id: &str, input: Option<&str>) {
        let mut arguments = vec!["-n", namespace, "--task-queue", queue, "--type", name];
        arguments.extend(["--workflow-id", id]);
        arguments.extend(input.iter().flat_map(|input| ["--input", input]));
        self.cli.run("workflow start", &arguments).unwrap();
    }

    /// What an execution answers in the end.
    fn result(&self, namespace: &str, id: &str) -> Value {
        let arguments = ["-n", namespace, "--workflow-id", id];
        self.cli.run("workflow result", &arguments).unwrap()
    }

    /// Waits until Temporal's own client is answered a query.
    fn query(&self, namespace: &str, id: &str, name: &str) -> Value {
        let arguments = ["-n", namespace, "--workflow-id", id, "--name", name];
        self.cli.run("workflow query", &arguments).unwrap()
    }

    fn signal(&self, namespace: &str, id: &str, name: &str, input: &str) {
        let mut arguments = vec!["-n", namespace, "--workflow-id", id];
        arguments.extend(["--name", name, "--input", input]);
        self.cli.run("workflow signal", &arguments).unwrap();
    }

    /// The message of the first task of an execution that failed.
    async fn refusal(&self, id: &str) -> String {
        let mut service = raw::temporal(&self.address).await.unwrap();
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let history = raw::history(&mut service, id).await.unwrap();
            if let Some(failed) = raw::failed_tasks(&history).into_iter().next() {
                return failed;
            }
            assert!(Instant::now() < deadline, "no task of {id} failed");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_of_its_own_is_driven_by_temporals_own_tools_alone() {
    let stage = Stage::set().await;
    let acme = &stage.acme;
    stage.give_lane(&json!({ "task_queue": "acme-lane" })).await;
    let queue = "acme-lane";
    stage.start(NAMESPACE, queue, "bench.SignalWait", "mine", None);
    let waiting = stage.query(NAMESPACE, "mine", "waiting");
    assert!(waiting.to_string().contains("true"), "{waiting}");
    stage.signal(NAMESPACE, "mine", "go", "7");
    let result = stage.result(NAMESPACE, "mine");
    assert_eq!(
        (&result["status"], &result["result"]),
        (&json!("COMPLETED"), &json!(7)),
        "{result}"
    );
    // An attempt too, and it is pinned like all work.
    stage.start(NAMESPACE, queue, "bench.OneActivity", "one", Some("5"));
    assert_eq!(stage.result(NAMESPACE, "one")["result"], 5);
    let seen = acme.describe("one").await.unwrap();
    assert!(seen["digest"].is_string(), "{seen}");
    // The API's own go there, and what it finds is the same execution.
    acme.start("bench.SignalWait", "by-api", Value::Null)
        .await
        .unwrap();
    let by_api = ["--workflow-id", "acme/production/by-api"];
    let described = stage.cli.run("workflow describe", &by_api).unwrap();
    assert!(described.to_string().contains(queue), "{described}");
    stage.start(NAMESPACE, queue, "bench.SignalWait", "both", None);
    for (id, answer) in [("by-api", 3), ("both", 4)] {
        acme.signal(id, "go", json!(answer)).await.unwrap();
        assert_eq!(acme.outcome(id).await.unwrap()["result"], answer);
    }
    check_strangers(&stage).await;
}

/// What is not the lane's scope's is refused on it, and the scope's is nobody else's.
async fn check_strangers(stage: &Stage) {
    let globex = World::make(&stage.host.api, "globex").await.unwrap();
    globex.push_guest("bench").await.unwrap();
    let lane = json!({ "task_queue": "acme-lane" });
    let taken = globex.api.put(&globex.path("lane"), &lane).await.unwrap();
    assert_eq!(taken.code(), Some("lane-conflict"));
    for id in ["mine", "one"] {
        let seen = globex.describe(id).await.unwrap_err().to_string();
        assert!(seen.contains("workflow-not-found"), "{seen}");
    }
    // Another scope's id, a context that is no context, and another scope's real one.
    let (name, queue) = ("bench.SignalWait", "acme-lane");
    stage.start(NAMESPACE, queue, name, "globex/production/x", None);
    globex.start(name, "theirs", Value::Null).await.unwrap();
    let mut service = raw::temporal(&stage.address).await.unwrap();
    let history = raw::history(&mut service, "globex/production/theirs").await;
    let theirs = raw::context(&history.unwrap()).unwrap();
    globex.signal("theirs", "go", json!(1)).await.unwrap();
    globex.outcome("theirs").await.unwrap();
    let forged = Payload {
        data: json!("v1.k.e30.AAAA").to_string().into_bytes(),
        ..Default::default()
    };
    for (id, context, code) in [
        ("forged", Some(forged), "context-key-unknown"),
        ("globex/production/theirs", Some(theirs), "context-invalid"),
        ("globex/production/x", None, "context-invalid"),
    ] {
        if context.is_some() {
            let request = StartWorkflowExecutionRequest {
                namespace: NAMESPACE.to_owned(),
                workflow_id: id.to_owned(),
                workflow_type: Some(WorkflowType { name: name.into() }),
                task_queue: Some(TaskQueue {
                    name: queue.to_owned(),
                    ..Default::default()
                }),
                request_id: id.to_owned(),
                header: context.map(|context| Header {
                    fields: [(HEADER.to_owned(), context)].into(),
                }),
                ..Default::default()
            };
            let request = temporalio_client::tonic::Request::new(request);
            service.start_workflow_execution(request).await.unwrap();
        }
        let failed = stage.refusal(id).await;
        assert!(failed.contains(code), "{id}: {failed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_of_its_own_is_the_scopes_alone() {
    let stage = Stage::set().await;
    let (acme, ns) = (&stage.acme, "acme-own");
    let lane = json!({ "namespace": ns, "task_queue": "orders", "default_plugin": "bench" });
    let missing = acme.api.put(&acme.path("lane"), &lane).await.unwrap();
    assert_eq!(missing.code(), Some("lane-invalid"), "{missing:?}");
    stage
        .cli
        .run("operator namespace create", &["-n", ns])
        .unwrap();
    // The server's parts learn of a new namespace one after the other.
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let put = acme.api.put(&acme.path("lane"), &lane).await.unwrap();
        if put.status.is_success() {
            break;
        }
        assert!(Instant::now() < deadline, "{put:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    // Bare names and ids, from the command line and from the API.
    stage.start(ns, "orders", "OneActivity", "o-1", Some("5"));
    assert_eq!(stage.result(ns, "o-1")["result"], 5);
    assert!(acme.describe("o-1").await.unwrap()["digest"].is_string());
    acme.start("bench.SignalWait", "o-2", Value::Null)
        .await
        .unwrap();
    let waiting = stage.query(ns, "o-2", "waiting");
    assert!(waiting.to_string().contains("true"), "{waiting}");
    acme.signal("o-2", "go", json!(9)).await.unwrap();
    assert_eq!(acme.outcome("o-2").await.unwrap()["result"], 9);
    let globex = World::make(&stage.host.api, "globex").await.unwrap();
    let theirs = json!({ "namespace": ns, "task_queue": "other" });
    let taken = globex.api.put(&globex.path("lane"), &theirs).await.unwrap();
    assert_eq!(taken.code(), Some("lane-conflict"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lane_goes_and_comes_back_while_the_host_serves() {
    let stage = Stage::set().await;
    let acme = &stage.acme;
    let lane = json!({ "task_queue": "acme-lane" });
    stage.give_lane(&lane).await;
    let (queue, name) = ("acme-lane", "bench.SignalWait");
    stage.start(NAMESPACE, queue, name, "before", None);
    stage.query(NAMESPACE, "before", "waiting");
    let path = acme.path("lane");
    let gone = acme.api.call(reqwest::Method::DELETE, &path, None).await;
    assert_eq!(gone.unwrap().status.as_u16(), 204);
    // The API's work is on the pooled lane at once.
    let on_pooled = acme.execute("bench.OneActivity", "pooled", json!(2)).await;
    assert_eq!(on_pooled.unwrap()["result"], 2);
    let by_api = ["--workflow-id", "acme/production/pooled"];
    let described = stage.cli.run("workflow describe", &by_api).unwrap();
    assert!(!described.to_string().contains(queue), "{described}");
    // Nobody polls the queue any more; what waits there goes on when it is a lane again.
    let deadline = Instant::now() + Duration::from_secs(60);
    while !stage.host.log().contains("is not worked any more") {
        assert!(Instant::now() < deadline, "{}", stage.host.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    stage.signal(NAMESPACE, "before", "go", "6");
    stage.give_lane(&lane).await;
    assert_eq!(stage.result(NAMESPACE, "before")["result"], 6);
}
