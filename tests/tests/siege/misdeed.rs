//! One misdeed, from its start to what is told of it.

use std::time::Duration;

use serde_json::{Value, json};
use tenterhook_tests::host::{World, guest};

use crate::{
    besieger::Besieger,
    kinds::{Deed, Kind, Seen, Step},
};

/// It is told within this time, on a machine with this much to do.
const TOLD_MAX: Duration = Duration::from_secs(90);
/// Between two looks at something only the host can tell.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// Limits whose name no failure says: what is too much is dropped, or said in bytes.
const UNSAID: &[&str] = &["log_lines", "log_line_bytes", "component_bytes"];

/// Does it, as number `number` of what the besieger does, and holds what is told of it against what is to be told.
pub(crate) async fn misbehave(besieger: &Besieger, kind: &Kind, number: usize) {
    let (world, id) = (
        besieger.world(kind.place),
        format!("{}-{number}", kind.name),
    );
    let told = tokio::time::timeout(TOLD_MAX, told(world, kind, &id)).await;
    let name = &kind.name;
    let Ok(told) = told else {
        panic!("{name} is not told within {TOLD_MAX:?}")
    };
    let limit = kind.limit.filter(|limit| !UNSAID.contains(limit));
    assert!(
        limit.is_none_or(|limit| told.contains(limit)),
        "{name}: {told}"
    );
}

/// What is told of it.
async fn told(world: &World, kind: &Kind, id: &str) -> String {
    match &kind.deed {
        Deed::Runs(workflow, input, steps) => {
            let workflow_type = format!("{}.{workflow}", kind.plugin);
            let started = world.start(&workflow_type, id, input.clone()).await;
            started.unwrap();
            for step in *steps {
                lead(world, id, *step).await;
            }
        }
        Deed::Uploads(name) => return refused(world, kind, guest(name).unwrap()).await,
        Deed::UploadsBytes(begin, zeros) => {
            let bytes = [begin, vec![0; *zeros].as_slice()].concat();
            return refused(world, kind, bytes).await;
        }
    }
    match kind.seen {
        Seen::Task(code) => task_fails(world, id, code).await,
        Seen::Attempt(code) => {
            let outcome = world.outcome(id).await.unwrap();
            let failure = outcome["failure"].to_string();
            assert!(failure.contains(code), "{}: {outcome:#}", kind.name);
            failure
        }
        Seen::Answers(word) => {
            let result = completed(world, kind, id).await;
            assert!(result.contains(word), "{}: {result}", kind.name);
            result
        }
        Seen::Found(code) => {
            completed(world, kind, id).await;
            found(world, kind.plugin, code).await
        }
        Seen::Nothing | Seen::Refused(_) => completed(world, kind, id).await,
    }
}

async fn lead(world: &World, id: &str, step: Step) {
    match step {
        Step::Tasks(wanted) => {
            let done = |events: &[Value]| {
                let done = events
                    .iter()
                    .filter(|event| event["type"] == "WorkflowTaskCompleted");
                done.count() >= wanted
            };
            while !done(&world.events(id).await.unwrap()) {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        }
        Step::Signal(name) => world.signal(id, name, Value::Null).await.unwrap(),
        Step::Query(name) => {
            world.query(id, name, Value::Null).await.unwrap();
        }
    }
}

/// Its result.
async fn completed(world: &World, kind: &Kind, id: &str) -> String {
    let outcome = world.outcome(id).await.unwrap();
    assert_eq!(outcome["status"], "completed", "{}: {outcome:#}", kind.name);
    outcome["result"].to_string()
}

/// Waits until the host has found out about the plugin's release.
async fn found(world: &World, plugin: &str, code: &str) -> String {
    let path = world.path(&format!("plugins/{plugin}/releases"));
    loop {
        let releases = world.api.get(&path).await.unwrap().ok().unwrap();
        let releases = releases["items"].as_array().unwrap();
        let finding = releases.iter().find(|it| it["double_run"]["code"] == code);
        if let Some(release) = finding {
            return release["double_run"].to_string();
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

async fn refused(world: &World, kind: &Kind, bytes: Vec<u8>) -> String {
    let path = world.path(&format!("plugins/{}/releases", kind.plugin));
    let answer = world.api.upload(&path, bytes).await.unwrap();
    let Seen::Refused(code) = kind.seen else {
        panic!("an upload is refused: {kind:?}")
    };
    assert_eq!(answer.code(), Some(code), "{}: {answer:?}", kind.name);
    code.to_owned()
}

/// Waits for the first failed task, then ends the execution, which would be tried again for ever.
async fn task_fails(world: &World, id: &str, code: &str) -> String {
    let told = loop {
        let events = world.events(id).await.unwrap();
        let event = events
            .iter()
            .find(|event| event["type"] == "WorkflowTaskFailed");
        if let Some(event) = event {
            break event["failure"].as_str().unwrap_or_default().to_owned();
        }
        let description = world.describe(id).await.unwrap();
        let failed = !description["task_failure"].is_null();
        assert!(
            description["status"] == "running" || failed,
            "{id} ended: {description:#}"
        );
        tokio::time::sleep(LOOK_AGAIN).await;
    };
    assert!(told.contains(&format!("[{code}] ")), "{id}: {told}");
    let path = world.path(&format!("workflows/{id}/terminate"));
    let body = json!({ "reason": "it was seen" });
    world.api.post(&path, &body).await.unwrap().ok().unwrap();
    told
}
