//! Running executions that move to the current release, and those that must not.

use serde_json::{Value, json};
use tempfile::TempDir;
use tenterhook_embedded::EmbeddedTemporal;
use tenterhook_tests::{
    dev_server,
    host::{Host, World, guest},
    raw,
};
use tokio::time::{Duration, Instant, sleep};

use super::{Two, pinning, promote, set_policy};

/// What a host says when it lets go of runs that may move.
const LET_GO: &str = "idle runs are let go of";
/// And of one that it built to answer a query.
const LET_GO_ONE: &str = "a run is let go of";
/// What it says of a run that moves, and of one that does not.
const MOVES: &str = "a running execution moves to another release";
const STAYS: &str = "a running execution stays on its release";

/// A host of its own, which can be killed while its Temporal server lives on.
struct Stage {
    host: Host,
    temporal: EmbeddedTemporal,
    _folders: [TempDir; 2],
}

impl Stage {
    async fn set() -> Self {
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let temporal = dev_server::start(folders[0].path()).await.unwrap();
        let address = temporal.address().to_string();
        let host = Host::serve(folders[1].path(), &address).await.unwrap();
        Self {
            host,
            temporal,
            _folders: folders,
        }
    }

    async fn world(&self) -> World {
        World::make(&self.host.api, "acme").await.unwrap()
    }

    /// Kills the host and starts it again.
    async fn crash(&mut self, world: &mut World) {
        self.host.kill().unwrap();
        self.host.restart().await.unwrap();
        world.api = self.host.api.clone();
    }

    /// Waits until the host has said `words` so many times.
    async fn said(&self, words: &str, times: usize) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while self.host.log().matches(words).count() < times {
            assert!(Instant::now() < deadline, "{words}:\n{}", self.host.log());
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// The pins of an execution's history, and the tasks of it that failed.
    async fn history(&self, id: &str) -> (Vec<String>, Vec<String>) {
        let address = self.temporal.address().to_string();
        let mut service = raw::temporal(&address).await.unwrap();
        let id = format!("acme/production/{id}");
        let history = raw::history(&mut service, &id).await.unwrap();
        (raw::pins(&history), raw::failed_tasks(&history))
    }

    /// Begins the newest run of `id` anew after its workflow task `number`, from 0.
    async fn reset(&self, id: &str, number: usize) {
        let mut service = pinning::temporal(&self.temporal.address().to_string()).await;
        pinning::reset(&mut service, &format!("acme/production/{id}"), number).await;
    }
}

/// Waits until the execution has so many events of a kind, and no task is under way.
async fn rests(world: &World, id: &str, kind: &str, times: usize) {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let events = world.events(id).await.unwrap();
        let seen = events.iter().filter(|event| event["type"] == kind).count();
        let last = events.iter().rfind(|event| {
            let kind = event["type"].as_str().unwrap_or_default();
            kind.starts_with("WorkflowTask")
        });
        if seen >= times && last.is_some_and(|last| last["type"] == "WorkflowTaskCompleted") {
            return;
        }
        assert!(Instant::now() < deadline, "{id}: {events:#?}");
        sleep(Duration::from_millis(10)).await;
    }
}

async fn walk(world: &World, id: &str, steps: u32) {
    let started = world.start("test-ramp.Walk", id, json!(steps)).await;
    started.unwrap();
    rests(world, id, "WorkflowTaskCompleted", 1).await;
}

/// Lets the walk take its step `number`, from 1, and waits until it is taken.
async fn step(world: &World, id: &str, number: usize) {
    world.signal(id, "go", Value::Null).await.unwrap();
    rests(world, id, "ActivityTaskCompleted", number).await;
}

async fn digest(world: &World, id: &str) -> Value {
    world.describe(id).await.unwrap()["digest"].clone()
}

async fn asked(world: &World, id: &str) -> Value {
    let answer = world.query(id, "release", Value::Null).await.unwrap();
    answer.ok().unwrap()["result"].clone()
}

async fn result(world: &World, id: &str) -> Value {
    let outcome = world.outcome(id).await.unwrap();
    assert_eq!(outcome["status"], "completed", "{outcome:#}");
    outcome["result"].clone()
}

#[tokio::test]
async fn an_execution_whose_history_replays_moves_at_its_next_task() {
    let mut stage = Stage::set().await;
    let mut two = Two::push(stage.world().await).await;
    two.set_policy(&json!({ "on_divergence": "migrate" })).await;
    walk(&two.world, "walk", 3).await;
    step(&two.world, "walk", 1).await;
    assert_eq!(digest(&two.world, "walk").await, json!(two.v1));

    two.promote_second().await;
    stage.said(LET_GO, 1).await;
    // A query is no task: nothing moves yet.
    assert_eq!(asked(&two.world, "walk").await, "v1");
    assert_eq!(digest(&two.world, "walk").await, json!(two.v1));
    stage.said(LET_GO_ONE, 1).await;
    step(&two.world, "walk", 2).await;
    assert_eq!(digest(&two.world, "walk").await, json!(two.v2));
    assert_eq!(stage.host.log().matches(MOVES).count(), 1);

    stage.crash(&mut two.world).await;
    assert_eq!(asked(&two.world, "walk").await, "v2", "replayed");
    step(&two.world, "walk", 3).await;
    // The activities after the move ran on the second release.
    let said = json!(["v1", "v2", "v2", "v2"]);
    assert_eq!(result(&two.world, "walk").await, said);
    let (pins, failed) = stage.history("walk").await;
    assert_eq!(pins, [two.v1.clone(), two.v2.clone()]);
    assert_eq!(failed, Vec::<String>::new());
    assert_eq!(digest(&two.world, "walk").await, json!(two.v2));
}

#[tokio::test]
async fn a_reset_to_before_the_move_is_where_the_execution_was_then() {
    let stage = Stage::set().await;
    let two = Two::push(stage.world().await).await;
    two.set_policy(&json!({ "on_divergence": "migrate" })).await;
    for id in ["before", "after"] {
        walk(&two.world, id, 2).await;
        step(&two.world, id, 1).await;
    }
    two.promote_second().await;
    stage.said(LET_GO, 1).await;
    for id in ["before", "after"] {
        step(&two.world, id, 2).await;
        assert_eq!(result(&two.world, id).await, json!(["v1", "v2", "v2"]));
    }
    // From now on nothing moves; what has moved stays moved.
    two.set_policy(&json!({ "on_divergence": "pin" })).await;
    for (id, task, expected, release) in [
        ("before", 3, json!(["v1", "v1", "v1"]), &two.v1),
        ("after", 4, json!(["v1", "v2", "v2"]), &two.v2),
    ] {
        let before = two.world.describe(id).await.unwrap();
        stage.reset(id, task).await;
        let seen = two.world.until(id, |seen| {
            seen["run_id"] != before["run_id"] && seen["status"] == "completed"
        });
        assert_eq!(seen.await.unwrap()["digest"], json!(release), "{id}");
        assert_eq!(result(&two.world, id).await, expected, "{id}");
    }
}

#[tokio::test]
async fn an_execution_goes_back_with_a_rollback() {
    let mut stage = Stage::set().await;
    let mut two = Two::push(stage.world().await).await;
    two.set_policy(&json!({ "on_divergence": "migrate" })).await;
    walk(&two.world, "walk", 3).await;
    step(&two.world, "walk", 1).await;
    two.promote_second().await;
    stage.said(LET_GO, 1).await;
    step(&two.world, "walk", 2).await;
    assert_eq!(digest(&two.world, "walk").await, json!(two.v2));
    two.roll_back().await;
    stage.said(LET_GO, 2).await;
    stage.crash(&mut two.world).await;
    step(&two.world, "walk", 3).await;
    let said = json!(["v1", "v2", "v1", "v1"]);
    assert_eq!(result(&two.world, "walk").await, said);
    let (pins, failed) = stage.history("walk").await;
    assert_eq!(pins, [two.v1.clone(), two.v2.clone(), two.v1.clone()]);
    assert_eq!(failed, Vec::<String>::new());
    assert_eq!(digest(&two.world, "walk").await, json!(two.v1));
}

#[tokio::test]
async fn an_execution_that_would_diverge_stays_and_ends_well() {
    let mut stage = Stage::set().await;
    let mut world = stage.world().await;
    let push = async |name: &str| world.push("test-pin", guest(name).unwrap()).await.unwrap();
    let (v1, v2) = (push("test-pin-v1").await, push("test-pin-v2").await);
    set_policy(&world, "test-pin", &json!({ "on_divergence": "migrate" })).await;
    for id in ["kept", "replayed"] {
        let started = world.start("test-pin.Versioned", id, Value::Null).await;
        started.unwrap();
        // The first task starts the timer, the second sees it end and waits for the signal.
        rests(&world, id, "WorkflowTaskCompleted", 2).await;
    }
    promote(&world, "test-pin", &v2).await;
    stage.said(LET_GO, 1).await;
    for id in ["kept", "replayed"] {
        if id == "replayed" {
            stage.crash(&mut world).await;
        }
        world.signal(id, "go", Value::Null).await.unwrap();
        assert_eq!(result(&world, id).await, "v1 with activity v1", "{id}");
        let (pins, failed) = stage.history(id).await;
        assert_eq!(pins, std::slice::from_ref(&v1), "{id}");
        assert_eq!(failed, Vec::<String>::new(), "{id}");
        assert_eq!(digest(&world, id).await, json!(v1), "{id}");
    }
    assert_eq!(stage.host.log().matches(STAYS).count(), 2);
}

#[tokio::test]
async fn an_execution_that_fails_where_it_moves_goes_on_where_it_was() {
    let stage = Stage::set().await;
    let two = Two::push(stage.world().await).await;
    two.set_policy(&json!({ "on_divergence": "migrate" })).await;
    // As many steps as get stuck on the second release.
    // What it did so far replays; the step that it takes on the second release does not go well.
    walk(&two.world, "unlucky", 4).await;
    two.promote_second().await;
    stage.said(LET_GO, 1).await;
    for number in 1..=4 {
        step(&two.world, "unlucky", number).await;
    }
    assert_eq!(result(&two.world, "unlucky").await, json!(vec!["v1"; 5]));
    let (pins, failed) = stage.history("unlucky").await;
    assert_eq!(pins, std::slice::from_ref(&two.v1));
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert_eq!(digest(&two.world, "unlucky").await, json!(two.v1));
}

#[tokio::test]
async fn without_the_policy_nothing_moves() {
    let mut stage = Stage::set().await;
    let mut two = Two::push(stage.world().await).await;
    walk(&two.world, "walk", 2).await;
    two.promote_second().await;
    step(&two.world, "walk", 1).await;
    stage.crash(&mut two.world).await;
    step(&two.world, "walk", 2).await;
    assert_eq!(result(&two.world, "walk").await, json!(["v1", "v1", "v1"]));
    let (pins, failed) = stage.history("walk").await;
    assert_eq!((pins, failed), (vec![two.v1.clone()], vec![]));
    assert!(!stage.host.log().contains(LET_GO));
}

#[tokio::test]
async fn an_execution_that_only_waits_ends_on_the_release_it_moved_to() {
    let stage = Stage::set().await;
    let world = stage.world().await;
    let push = async |name: &str| {
        world
            .push("test-pairs", guest(name).unwrap())
            .await
            .unwrap()
    };
    let (v1, v2) = (push("test-pairs").await, push("test-pairs-v2").await);
    let policy = json!({ "on_divergence": "migrate" });
    set_policy(&world, "test-pairs", &policy).await;
    let started = world.start("test-pairs.SignalAdded", "waits", Value::Null);
    started.await.unwrap();
    rests(&world, "waits", "WorkflowTaskCompleted", 1).await;
    promote(&world, "test-pairs", &v2).await;
    stage.said(LET_GO, 1).await;
    world.signal("waits", "go", Value::Null).await.unwrap();
    result(&world, "waits").await;
    let (pins, failed) = stage.history("waits").await;
    assert_eq!((pins, failed), (vec![v1, v2.clone()], vec![]));
    assert_eq!(digest(&world, "waits").await, json!(v2));
}
