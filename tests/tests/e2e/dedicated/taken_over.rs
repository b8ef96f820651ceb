//! Executions begun on a native worker go on in the host.

use std::{
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use temporalio_protos::temporal::api::history::v1::{History, history_event::Attributes};
use tenterhook_tests::{
    host::{World, target_dir},
    raw::{self, NAMESPACE},
};

use super::Stage;

const QUEUE: &str = "team-queue";
/// More activities than the native worker gets to do.
const TIMES: u64 = 400;
/// So many of them it does.
const DONE_NATIVELY: usize = 20;

/// A native worker, which ends with its test.
struct Native(Child);

impl Native {
    fn start(address: &str) -> Self {
        let mut command = Command::new(target_dir().join("debug").join("native_worker"));
        command.args(["--address", address, "--task-queue", QUEUE]);
        let command = command.stdin(Stdio::null()).stdout(Stdio::null());
        Self(command.spawn().unwrap())
    }
}

impl Drop for Native {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn activities(history: &History) -> Vec<String> {
    let events = history.events.iter();
    let names = events.filter_map(|event| match &event.attributes {
        Some(Attributes::ActivityTaskScheduledEventAttributes(it)) => it.activity_type.clone(),
        _ => None,
    });
    names.map(|it| it.name).collect()
}

async fn unpinned(world: &World) -> Vec<String> {
    let path = world.path("workflows?unpinned=true");
    let page = world.api.get(&path).await.unwrap().ok().unwrap();
    let items = page["items"].as_array().unwrap().iter();
    items
        .filter_map(|it| it["id"].as_str().map(str::to_owned))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_team_moves_in_with_what_it_has_under_way() {
    let stage = Stage::set().await;
    let acme = &stage.acme;
    let native = Native::start(&stage.address);
    let input = TIMES.to_string();
    stage.start(NAMESPACE, QUEUE, "ManyActivities", "long-1", Some(&input));
    stage.start(NAMESPACE, QUEUE, "SignalWait", "wait-1", None);
    stage.query(NAMESPACE, "wait-1", "waiting");
    let mut service = raw::temporal(&stage.address).await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while activities(&raw::history(&mut service, "long-1").await.unwrap()).len() < DONE_NATIVELY {
        assert!(Instant::now() < deadline, "the native worker does nothing");
    }
    drop(native);

    stage
        .give_lane(&json!({ "task_queue": QUEUE, "default_plugin": "bench" }))
        .await;
    // Signals, queries and the API find what was begun without this host.
    acme.signal("wait-1", "go", json!(8)).await.unwrap();
    assert_eq!(acme.outcome("wait-1").await.unwrap()["result"], 8);
    let sum = (0..TIMES).sum::<u64>();
    // An attempt that died with its worker is tried again when its time-out is over.
    let outcome = acme.outcome("long-1").await;
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(_) => acme.outcome("long-1").await.unwrap(),
    };
    assert_eq!(outcome["result"], sum, "{outcome}");

    let history = raw::history(&mut service, "long-1").await.unwrap();
    assert_eq!(raw::failed_tasks(&history), Vec::<String>::new());
    let names = activities(&history);
    assert!(names.iter().all(|name| name == "Noop"), "{names:?}");
    assert!(names.len() > DONE_NATIVELY, "{}", names.len());
    assert_eq!(raw::pins(&history), Vec::<String>::new());

    // They are listed as unpinned; what begins here is not.
    stage.start(NAMESPACE, QUEUE, "OneActivity", "new-1", Some("1"));
    assert_eq!(stage.result(NAMESPACE, "new-1")["result"], 1);
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let mut seen = unpinned(acme).await;
        seen.sort();
        if seen == ["long-1", "wait-1"] {
            break;
        }
        assert!(Instant::now() < deadline, "{seen:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let all = acme.api.get(&acme.path("workflows")).await.unwrap();
    let all: Value = all.ok().unwrap();
    assert_eq!(all["items"].as_array().unwrap().len(), 3, "{all:#}");
}
