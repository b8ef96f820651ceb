//! Encrypted payloads: what stands in Temporal, what callers read, what Temporal's own tools are shown, and what is left
//! when the keys are gone.

use std::{net::TcpListener, process::Command};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use prost::Message as _;
use serde_json::{Value, json};
use temporalio_client::{grpc::WorkflowService, tonic::Request};
use temporalio_protos::temporal::api::{
    common::v1::{Payload, WorkflowExecution},
    history::v1::{History, history_event::Attributes},
    workflowservice::v1::DescribeWorkflowExecutionRequest,
};
use tenterhook_tests::{
    host::{Api, Host, World, guest},
    raw::{NAMESPACE, failed_tasks, history, temporal},
};

use crate::features::{PLUGIN, once, type_of, waits};

/// Stands in whatever the guests are given to say.
const MARKER: &str = "4111-1111-1111-1111";
/// What the guests say by themselves.
const WORDS: [&str; 4] = [
    MARKER,
    "from the parent",
    "the child fell",
    "only 5 left",
];

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

/// The words that stand in what Temporal keeps.
fn plain(kept: &[u8]) -> Vec<&'static str> {
    let stands = |word: &&str| kept.windows(word.len()).any(|part| part == word.as_bytes());
    WORDS.into_iter().filter(|word| stands(word)).collect()
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

/// Everything that a workflow can say, each said with [`MARKER`]. Answers with the ids.
async fn say_everything(world: &World) -> Vec<&'static str> {
    let run = async |workflow: &str, id: &str, input: Value| {
        let ended = world.execute(&type_of(workflow), id, input).await;
        ended.unwrap_or_else(|error| panic!("{id}: {error:#}"))
    };
    let echo = run(
        "RunsActivity",
        "echo",
        once("Echo", json!({ "card": MARKER })),
    )
    .await;
    assert_eq!(echo["result"]["result"]["card"], MARKER, "{echo:#}");
    let local = run("RunsLocalActivity", "local", once("Echo", json!(MARKER))).await;
    assert_eq!(local["result"]["result"], MARKER, "{local:#}");
    let failing = json!({
        "kind": "Declined", "message": format!("declined {MARKER}"), "non_retryable": true,
        "details": [{ "card": MARKER }], "causes": [format!("Bank: said no to {MARKER}")],
    });
    let failed = run("RunsActivity", "failing", once("Fail", failing)).await;
    let chain = failed["result"]["failure"].to_string();
    assert!(chain.contains(&format!("declined {MARKER}")), "{failed:#}");
    assert!(
        chain.contains(&format!("said no to {MARKER}")),
        "{failed:#}"
    );
    let counting = json!({
        "activity": "Count", "input": { "to": 5, "fails_at": 4 }, "attempts": 2, "retry_initial_ms": 10,
        "heartbeat_ms": 60_000,
    });
    let counted = run("RunsActivity", "counting", counting).await;
    assert_eq!(counted["result"]["result"]["attempt"], 2, "{counted:#}");
    assert_eq!(
        counted["result"]["result"]["resumed_from"], 3,
        "{counted:#}"
    );
    let ending = json!({ "kind": "Broke", "message": MARKER, "detail": { "card": MARKER } });
    let ended = run("Fails", "fails", ending).await;
    assert_eq!(ended["failure"]["type"], "Broke", "{ended:#}");
    assert_eq!(ended["failure"]["message"], MARKER, "{ended:#}");
    assert_eq!(ended["failure"]["details"][0]["card"], MARKER, "{ended:#}");
    let raise = |plan: &str, child: &str| json!({ "plan": plan, "child_id": child });
    let raised = run("Parent", "parent", raise("finish", "kid")).await;
    assert_eq!(raised["result"]["result"], "from the parent", "{raised:#}");
    let fell = run("Parent", "unhappy", raise("fail", "fallen")).await;
    let chain = fell["result"]["failure"].to_string();
    assert!(chain.contains("the child fell"), "{fell:#}");
    let again = run("ContinuesAsNew", "again", json!({ "remaining": 1 })).await;
    assert_eq!(again["result"]["runs"].as_array().unwrap().len(), 2);

    signalled(world, "signalled").await;
    let words = world
        .query("signalled", "words", Value::Null)
        .await
        .unwrap();
    assert_eq!(words.ok().unwrap()["result"], json!([MARKER]));
    world
        .signal("signalled", "finish", Value::Null)
        .await
        .unwrap();
    let ended = world.outcome("signalled").await.unwrap();
    assert_eq!(ended["status"], "completed", "{ended:#}");

    world
        .start(&type_of("Memo"), "memo", json!(MARKER))
        .await
        .unwrap();
    waits(world, "memo").await;
    world.signal("memo", "go", Value::Null).await.unwrap();
    let memo = world.outcome("memo").await.unwrap();
    assert_eq!(memo["result"], format!("{MARKER}-changed"), "{memo:#}");
    world
        .start(&type_of("Ledger"), "ledger", Value::Null)
        .await
        .unwrap();
    let updated = world.update("ledger", "deposit", json!(5)).await.unwrap();
    assert_eq!(updated.ok().unwrap()["result"], 5);
    let failed = world.update("ledger", "withdraw", json!(9)).await.unwrap();
    let said = failed.body["detail"].as_str().unwrap_or_default();
    assert!(said.contains("only 5 left"), "{failed:?}");
    vec![
        "echo",
        "local",
        "failing",
        "counting",
        "fails",
        "parent",
        "kid",
        "unhappy",
        "fallen",
        "again",
        "signalled",
        "memo",
        "ledger",
    ]
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

#[tokio::test(flavor = "multi_thread")]
async fn temporal_keeps_no_plain_word_of_a_tenant_that_wants_none() {
    let mut stage = Stage::new().await;
    for id in say_everything(&stage.acme).await {
        let kept = stage.kept(&format!("acme/production/{id}")).await;
        assert_eq!(plain(&kept), Vec::<&str>::new(), "{id}");
    }
    // Another tenant says the same, and Temporal has it.
    let mut seen = Vec::new();
    for id in say_everything(&stage.globex).await {
        let kept = stage.kept(&format!("globex/production/{id}")).await;
        seen.extend(plain(&kept));
    }
    assert!(WORDS.iter().all(|word| seen.contains(word)), "{seen:?}");
    let plain = input(&stage.raw("globex/production/echo").await);
    assert_eq!(plain.metadata["encoding"], b"json/plain");

    // A history is replayed as it was: by a host that lost its memory, and by the gate before another release.
    signalled(&stage.acme, "surviving").await;
    stage.host.kill().unwrap();
    stage.host.restart().await.unwrap();
    let acme = World::of(&stage.host.api, "acme");
    acme.signal("surviving", "finish", Value::Null)
        .await
        .unwrap();
    let ended = acme.outcome("surviving").await.unwrap();
    assert_eq!(ended["result"], json!([MARKER]), "{ended:#}");
    let release = acme.push(PLUGIN, another_release()).await.unwrap();
    let path = acme.path(&format!("plugins/{PLUGIN}/releases/{release}"));
    let release = acme.api.get(&format!("{path}?wait=60s")).await;
    let release = release.unwrap().ok().unwrap();
    let replayed = release["replay"]["histories"].as_array();
    let replayed = replayed.unwrap_or_else(|| panic!("no report: {release:#}"));
    assert!(replayed.len() > 5, "{release:#}");
    for one in replayed {
        assert_eq!(one["verdict"], "same", "{one:#}");
    }
}

/// The same code with another digest: a section without meaning stands behind it.
fn another_release() -> Vec<u8> {
    let mut component = guest(PLUGIN).unwrap();
    component.extend([0, 5, 4, b'a', b'n', b'e', b'w']);
    component
}

#[tokio::test(flavor = "multi_thread")]
async fn temporals_tools_see_what_the_tenants_token_opens() {
    let mut stage = Stage::new().await;
    let (runs, echo) = (
        type_of("RunsActivity"),
        once("Echo", json!({ "card": MARKER })),
    );
    let run = async |world: &World, id: &str| {
        let ran = world.execute(&runs, id, echo.clone());
        ran.await.unwrap()
    };
    run(&stage.acme, "first").await;
    let first = input(&stage.raw("acme/production/first").await);
    assert_eq!(first.metadata["encoding"], b"binary/encrypted");

    let operators = [stage.operator("acme").await, stage.operator("globex").await];
    let decode = async |api: &Api, tenant: &str, payload: &Payload| {
        let metadata = payload.metadata.iter();
        let metadata: serde_json::Map<String, Value> = metadata
            .map(|(name, value)| (name.clone(), BASE64.encode(value).into()))
            .collect();
        let body =
            json!({ "payloads": [{ "metadata": metadata, "data": BASE64.encode(&payload.data) }] });
        let path = format!("/v1/tenants/{tenant}/codec/decode");
        api.post(&path, &body).await.unwrap()
    };
    let opened = decode(&operators[0], "acme", &first).await.ok().unwrap();
    let data = opened["payloads"][0]["data"].as_str().unwrap();
    let data = String::from_utf8(BASE64.decode(data).unwrap()).unwrap();
    assert!(data.contains(MARKER), "{data}");
    let stranger = decode(&operators[1], "acme", &first).await;
    assert_eq!(stranger.code(), Some("tenant-not-found"));
    let elsewhere = decode(&operators[1], "globex", &first).await;
    assert_eq!(elsewhere.code(), Some("payload-key-gone"));
    let mut changed = first.clone();
    changed.data[30] ^= 1;
    let changed = decode(&operators[0], "acme", &changed).await;
    assert_eq!(changed.code(), Some("payload-unreadable"));

    // As an operator looks at it, with Temporal's own program.
    let api = &operators[0];
    let shown = |codec: bool| {
        let mut command = Command::new("temporal");
        command.args(["workflow", "show", "--workflow-id", "acme/production/first"]);
        command.args(["--output", "json", "--address", &stage.address]);
        if codec {
            let endpoint = format!("{}/v1/tenants/acme/codec", api.address());
            command.args(["--codec-endpoint", &endpoint]);
            command.args(["--codec-auth", &format!("Bearer {}", api.token())]);
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(!says_marker(&shown(false)));
    let shown = shown(true);
    assert!(says_marker(&shown), "{shown}");

    // Another key: what is new is under it, what is old still opens.
    stage.ask("POST", "keys", json!({})).await;
    let ended = stage.acme.outcome("first").await.unwrap();
    assert_eq!(ended["result"]["result"]["card"], MARKER);
    run(&stage.acme, "second").await;
    let second = input(&stage.raw("acme/production/second").await);
    let key = |payload: &Payload| payload.metadata["encryption-key-id"].clone();
    assert_ne!(key(&first), key(&second));
    stage
        .ask("PUT", "encryption", json!({"payloads": "off"}))
        .await;
    let ended = stage.acme.outcome("second").await.unwrap();
    assert_eq!(ended["result"]["result"]["card"], MARKER);
    run(&stage.acme, "third").await;
    let third = input(&stage.raw("acme/production/third").await);
    assert_eq!(third.metadata["encoding"], b"json/plain");
}

/// True if one of the payloads in what Temporal's program shows has the marker in it.
fn says_marker(shown: &str) -> bool {
    let data = shown.split("\"data\": \"").skip(1);
    let data = data.filter_map(|rest| BASE64.decode(rest.split('"').next()?).ok());
    let mut texts = data.map(|data| String::from_utf8_lossy(&data).into_owned());
    texts.any(|text| text.contains(MARKER))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_whose_keys_are_deleted_is_shredded() {
    let mut stage = Stage::new().await;
    let (runs, echo) = (
        type_of("RunsActivity"),
        once("Echo", json!({ "card": MARKER })),
    );
    for world in [&stage.acme, &stage.globex] {
        let ran = world.execute(&runs, "done", echo.clone());
        assert_eq!(ran.await.unwrap()["status"], "completed");
    }
    signalled(&stage.acme, "waiting").await;
    stage
        .acme
        .start(&type_of("CleansUp"), "cached", json!(false))
        .await
        .unwrap();
    waits(&stage.acme, "cached").await;
    let deleted = stage.ask("DELETE", "keys", Value::Null).await;
    assert_eq!(deleted, json!({ "deleted": 1 }));

    let api = stage.acme.api.clone();
    let gone = async |path: &str, body: Option<Value>| {
        let path = stage.acme.path(path);
        let answer = match body {
            None => api.get(&path).await,
            Some(body) => api.post(&path, &body).await,
        };
        let answer = answer.unwrap();
        assert_eq!(
            answer.code(),
            Some("payload-key-gone"),
            "{path}: {answer:?}"
        );
    };
    gone("workflows/done/result", None).await;
    // Nobody waits for what cannot end.
    gone("workflows/waiting/result?wait=60s", None).await;
    let start = json!({ "type": type_of("RunsActivity"), "id": "late", "input": echo });
    gone("workflows", Some(start)).await;
    gone(
        "workflows/waiting/signals/add",
        Some(json!({ "input": MARKER })),
    )
    .await;
    gone("workflows/waiting/queries/words", Some(json!({}))).await;
    // What is asked without payloads comes to the run, and the task says why it cannot go on.
    stage.acme.cancel("cached").await.unwrap();
    let seen = stage
        .acme
        .until("cached", |seen| !seen["task_failure"].is_null());
    let seen = seen.await.unwrap();
    assert_eq!(seen["task_failure"]["type"], "payload-key-gone", "{seen:#}");
    let failed = failed_tasks(&stage.raw("acme/production/cached").await);
    assert!(failed[0].contains("payload-key-gone"), "{failed:?}");
    let events = stage.acme.events("done").await.unwrap();
    assert!(events.len() > 5, "the history in short is still there");

    // A host that starts anew finds no more; another tenant has what is its own.
    stage.host.kill().unwrap();
    stage.host.restart().await.unwrap();
    let acme = World::of(&stage.host.api, "acme");
    let result = acme.path("workflows/done/result");
    let answer = acme.api.get(&result).await.unwrap();
    assert_eq!(answer.code(), Some("payload-key-gone"));
    let globex = World::of(&stage.host.api, "globex");
    assert_eq!(
        globex.outcome("done").await.unwrap()["result"]["result"]["card"],
        MARKER
    );
    // The tenant begins anew.
    stage
        .ask("PUT", "encryption", json!({"payloads": "on"}))
        .await;
    let ran = acme.execute(&runs, "anew", echo.clone());
    assert_eq!(ran.await.unwrap()["result"]["result"]["card"], MARKER);
    let answer = acme.api.get(&result).await.unwrap();
    assert_eq!(answer.code(), Some("payload-key-gone"));
}
