//! The replay gate: what recorded histories come to on changed code, before that code takes any traffic.

mod command;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tenterhook_tests::host::{World, guest};

use crate::shared::{variant, world};

const PLUGIN: &str = "test-pairs";

/// How far the execution of the first release is taken before the second comes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Life {
    /// To its end.
    Closed,
    /// Until so many of its tasks are finished; it stays open.
    Open(usize),
    /// The signal `go` after so many tasks, and then to its end.
    Signalled(usize),
}

/// What the gate must say of it.
enum Verdict {
    Same,
    Diverges(u64, &'static str, &'static str),
    TaskFailed(&'static str, &'static str),
    NotApplicable,
}

use Life::{Closed, Open, Signalled};
use Verdict::{Diverges, NotApplicable, Same, TaskFailed};

const CHARGE: &str = "ActivityTaskScheduled test-pairs.Charge";
const SHIP: &str = "ActivityTaskScheduled test-pairs.Ship";
const NOTIFY: &str = "ActivityTaskScheduled test-pairs.Notify";
const BILL: &str = "ActivityTaskScheduled test-pairs.Bill";
const COMPLETED: &str = "WorkflowExecutionCompleted";

/// The pairs of `plugins/test-pairs`. Events 5 and 6 are the pin, so the first task's own commands begin at 7; where
/// that one is an activity, the second task's begin at 13.
const PAIRS: &[(&str, Life, Verdict)] = &[
    ("ActivityAdded", Closed, Diverges(13, SHIP, NOTIFY)),
    ("ActivityAppended", Open(2), Diverges(13, "nothing", NOTIFY)),
    ("ActivityRemoved", Closed, Diverges(13, SHIP, COMPLETED)),
    ("ActivitiesReordered", Closed, Diverges(7, CHARGE, SHIP)),
    ("ActivityRenamed", Closed, Diverges(7, CHARGE, BILL)),
    ("ActivityOptionsChanged", Closed, Same),
    ("TimerChanged", Open(1), Same),
    ("TimerReplaced", Closed, Diverges(7, "TimerStarted", CHARGE)),
    ("PatchedProperly", Open(2), Same),
    ("SignalAdded", Open(2), Same),
    ("QueryAdded", Signalled(2), Same),
    (
        "ChildAdded",
        Closed,
        Diverges(
            13,
            COMPLETED,
            "StartChildWorkflowExecutionInitiated test-pairs.CodeAdded",
        ),
    ),
    ("CodeAdded", Closed, Same),
    (
        "PanicsInReplay",
        Open(2),
        TaskFailed("guest-trapped", "the second release gives up here"),
    ),
    (
        "TaskForcedToFail",
        Open(1),
        TaskFailed("", "the second release cannot go on"),
    ),
    (
        "ContinuesInstead",
        Closed,
        Diverges(13, COMPLETED, "WorkflowExecutionContinuedAsNew"),
    ),
    (
        "FailsInstead",
        Closed,
        Diverges(13, COMPLETED, "WorkflowExecutionFailed"),
    ),
    ("WaitRemoved", Signalled(1), Diverges(7, "nothing", CHARGE)),
    ("TypeRemoved", Open(2), NotApplicable),
    ("Busy", Signalled(2), Same),
];

/// How long visibility may lag behind history.
const VISIBLE_MAX: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

async fn finished_tasks(world: &World, id: &str, wanted: usize) {
    let deadline = Instant::now() + VISIBLE_MAX;
    loop {
        let events = world.events(id).await.unwrap();
        let finished = events
            .iter()
            .filter(|event| event["type"] == "WorkflowTaskCompleted");
        if finished.count() >= wanted {
            return;
        }
        assert!(Instant::now() < deadline, "{id}: {events:#?}");
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// Runs a workflow type of the first release, its id the type's name.
async fn live(world: &World, name: &str, life: Life) {
    let kind = format!("{PLUGIN}.{name}");
    world.start(&kind, name, Value::Null).await.unwrap();
    if let Open(tasks) | Signalled(tasks) = life {
        finished_tasks(world, name, tasks).await;
    }
    if name == "Busy" {
        let added = world.update(name, "add", json!(2)).await.unwrap();
        assert_eq!(added.ok().unwrap()["result"], 2);
    }
    if matches!(life, Signalled(_)) {
        world.signal(name, "go", Value::Null).await.unwrap();
    }
    if !matches!(life, Open(_)) {
        let outcome = world.outcome(name).await.unwrap();
        assert_eq!(outcome["status"], "completed", "{name}: {outcome:#}");
    }
}

/// Waits until lists show `names` as they are: `true` for open.
async fn visible(world: &World, names: &[(&str, bool)]) {
    let deadline = Instant::now() + VISIBLE_MAX;
    loop {
        let path = world.path("workflows?limit=200");
        let listed = world.api.get(&path).await.unwrap().ok().unwrap();
        let shown = |name: &str, open: bool| {
            listed["items"]
                .as_array()
                .unwrap()
                .iter()
                .any(|item| item["id"] == name && (item["status"] == "running") == open)
        };
        if names.iter().all(|&(name, open)| shown(name, open)) {
            return;
        }
        assert!(Instant::now() < deadline, "{listed:#}");
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

async fn release(world: &World, digest: &str) -> Value {
    let path = world.path(&format!("plugins/{PLUGIN}/releases/{digest}"));
    world.api.get(&path).await.unwrap().ok().unwrap()
}

fn check(name: &str, verdict: &Verdict, replayed: &Value) {
    let said = replayed["verdict"].as_str().unwrap();
    match verdict {
        Same => assert_eq!(said, "same", "{name}: {replayed:#}"),
        NotApplicable => assert_eq!(said, "not-applicable", "{name}: {replayed:#}"),
        Diverges(event, expected, actual) => assert_eq!(
            (
                said,
                &replayed["event"],
                &replayed["expected"],
                &replayed["actual"]
            ),
            ("diverges", &json!(event), &json!(expected), &json!(actual)),
            "{name}: {replayed:#}"
        ),
        TaskFailed(code, message) => {
            assert_eq!(said, "task-failed", "{name}: {replayed:#}");
            assert!(
                replayed["message"].as_str().unwrap().contains(message),
                "{name}: {replayed:#}"
            );
            assert!(
                code.is_empty() || replayed["code"] == *code,
                "{name}: {replayed:#}"
            );
        }
    }
}

#[tokio::test]
async fn every_pair_gets_its_verdict_at_the_right_event_before_any_traffic() {
    let world = world("verdicts").await;
    let first = world.push(PLUGIN, guest("test-pairs").unwrap()).await;
    let first = first.unwrap();
    let lives = PAIRS
        .iter()
        .map(|(name, life, _)| live(&world, name, *life));
    futures_util::future::join_all(lives).await;
    let names: Vec<(&str, bool)> = PAIRS
        .iter()
        .map(|(name, life, _)| (*name, matches!(life, Open(_))))
        .collect();
    visible(&world, &names).await;

    let second = world.push(PLUGIN, guest("test-pairs-v2").unwrap()).await;
    let second = release(&world, &second.unwrap()).await;
    // Divergence is reported and does not refuse: what runs stays where it began.
    assert_eq!(second["state"], "ready", "{second:#}");
    let path = world.path(&format!("plugins/{PLUGIN}/current"));
    let current = world.api.get(&path).await.unwrap().ok().unwrap();
    assert_eq!(current["digest"], json!(first));
    let histories = second["replay"]["histories"].as_array().unwrap();
    for (name, life, verdict) in PAIRS {
        let replayed = histories
            .iter()
            .find(|replayed| replayed["workflow_id"] == *name)
            .unwrap_or_else(|| panic!("{name} was not replayed: {second:#}"));
        assert_eq!(replayed["open"], matches!(life, Open(_)), "{name}");
        assert_eq!(replayed["type"], format!("{PLUGIN}.{name}"));
        check(name, verdict, replayed);
    }
    // The child that `Busy` started is a history too.
    assert_eq!(histories.len(), PAIRS.len() + 1, "{second:#}");
    assert_eq!(second["replay"]["left_out"], 0);
    let warned = second["checks"].as_array().unwrap().iter();
    let warned: Vec<_> = warned.filter(|check| check["name"] == "replay").collect();
    assert_eq!(warned[0]["severity"], "warning", "{warned:#?}");
}

#[tokio::test]
async fn the_policy_refuse_keeps_a_release_that_diverges_from_all_traffic() {
    let world = world("verdicts-refuse").await;
    let first = world.push(PLUGIN, guest("test-pairs").unwrap()).await;
    let first = first.unwrap();
    let policy = world.path(&format!("plugins/{PLUGIN}/policy"));
    let refuse = json!({ "on_divergence": "refuse" });
    world.api.put(&policy, &refuse).await.unwrap().ok().unwrap();
    live(&world, "PatchedProperly", Open(2)).await;
    live(&world, "ActivityRenamed", Closed).await;
    visible(
        &world,
        &[("PatchedProperly", true), ("ActivityRenamed", false)],
    )
    .await;

    let component = guest("test-pairs-v2").unwrap();
    let digest = tenterhook_domain::Digest::of(&component).to_string();
    let path = world.path(&format!("plugins/{PLUGIN}/releases"));
    let refused = world.api.upload(&path, component).await.unwrap();
    assert_eq!(refused.code(), Some("replay-diverges"), "{refused:?}");
    assert_eq!(release(&world, &digest).await["state"], "refused");
    let current = world.path(&format!("plugins/{PLUGIN}/current"));
    let forced = world.api.put(&current, &json!({ "digest": digest })).await;
    assert_eq!(
        forced.unwrap().code(),
        Some("release-state-conflict"),
        "a refused release became current"
    );
    // What starts now starts on the first.
    live(&world, "CodeAdded", Closed).await;
    assert_eq!(
        world.describe("CodeAdded").await.unwrap()["digest"],
        json!(first)
    );
}

#[tokio::test]
async fn a_sample_is_bounded_and_has_each_path() {
    let world = world("verdicts-sample").await;
    world
        .push(PLUGIN, guest("test-pairs").unwrap())
        .await
        .unwrap();
    let policy = world.path(&format!("plugins/{PLUGIN}/policy"));
    let small = json!({ "sample_open": 2, "sample_closed": 0 });
    world.api.put(&policy, &small).await.unwrap().ok().unwrap();
    let kind = format!("{PLUGIN}.QueryAdded");
    let ids: Vec<String> = (0..6).map(|number| format!("q-{number}")).collect();
    for id in &ids {
        world.start(&kind, id, Value::Null).await.unwrap();
        finished_tasks(&world, id, 2).await;
    }
    // The third goes another way than the others: it heard a signal that it has no handler for.
    world.signal("q-2", "odd", Value::Null).await.unwrap();
    finished_tasks(&world, "q-2", 3).await;
    live(&world, "CodeAdded", Closed).await;
    let names: Vec<(&str, bool)> = ids.iter().map(|id| (id.as_str(), true)).collect();
    visible(&world, &names).await;
    visible(&world, &[("CodeAdded", false)]).await;

    let second = world.push(PLUGIN, guest("test-pairs-v2").unwrap()).await;
    let second = release(&world, &second.unwrap()).await;
    let sampled: Vec<&str> = second["replay"]["histories"]
        .as_array()
        .unwrap()
        .iter()
        .map(|replayed| replayed["workflow_id"].as_str().unwrap())
        .collect();
    assert_eq!(sampled, ["q-5", "q-2"], "{second:#}");
    assert_eq!(second["replay"]["left_out"], 5);

    // Closed ones where the policy wants them, and none that closed too long ago.
    for (number, age, sampled) in [(1, 3_600, 1), (2, 0, 0)] {
        let closed = json!({ "sample_open": 0, "sample_closed": 2, "sample_age_seconds": age });
        world.api.put(&policy, &closed).await.unwrap().ok().unwrap();
        let next = variant(guest("test-pairs-v2").unwrap(), number);
        let next = world.push(PLUGIN, next).await.unwrap();
        let next = release(&world, &next).await;
        let histories = next["replay"]["histories"].as_array().unwrap();
        assert_eq!(histories.len(), sampled, "{age} s: {next:#}");
        let of_closed = |it: &Value| it["workflow_id"] == "CodeAdded" && it["open"] == false;
        assert!(histories.iter().all(of_closed), "{next:#}");
    }
}
