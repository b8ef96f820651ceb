//! What a tenant with little work gets beside one with very much.

use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, future, stream};
use serde_json::{Value, json};
use tenterhook_tests::host::{Host, World};

use crate::TURN;

/// Turns that take some tens of milliseconds.
const TURNS: u64 = 60_000_000;
/// Requests under way at once while work is queued.
const AT_ONCE: usize = 32;
/// What the one with little work starts.
const FEW: usize = 20;
/// The same of attempts, for whose results the server works beside them.
const ATTEMPTS_TIMES_MAX: u32 = 2;
/// Attempts that the other one has at once: as many as a host lets wait of one tenant.
const FLOOD: usize = 400;
/// What the other one queues.
const MANY: usize = 2_000;
/// Turns that take some seconds, and how many executions with so many queue for each thread: the last would begin too late.
const LONG_TURNS: u64 = 2_000_000_000;
const LONG_PER_THREAD: usize = 6;
/// How many more queue behind them, whose tasks have time enough for all.
const PATIENT_PER_THREAD: usize = 2;
/// How often each side is measured. The median counts: one round may meet with whatever else the machine does.
const ROUNDS: usize = 5;
/// The same of attempts, of whom a round takes longer.
const ATTEMPTS_ROUNDS: usize = 3;
/// Of so many queued executions the histories are looked at.
const LOOKED_AT: usize = 200;

/// Starts so many that compute.
async fn start(world: &World, name: &str, number: usize) {
    stream::iter(0..number)
        .for_each_concurrent(AT_ONCE, async |index| {
            let id = format!("{name}-{index}");
            world
                .start("test-hostile.Computes", &id, json!(TURNS))
                .await
                .unwrap();
        })
        .await;
}

/// Waits until so many have ended.
async fn ended(world: &World, name: &str, number: usize) {
    stream::iter(0..number)
        .for_each_concurrent(AT_ONCE, async |index| {
            let outcome = world.outcome(&format!("{name}-{index}")).await.unwrap();
            assert_eq!(outcome["status"], "completed", "{outcome:#}");
        })
        .await;
}

/// How many have not ended yet. Which ones is Temporal's choice: some that were started last are done among the first.
async fn running(world: &World, name: &str, number: usize) -> usize {
    stream::iter(0..number)
        .map(async |index| world.describe(&format!("{name}-{index}")).await.unwrap())
        .buffer_unordered(AT_ONCE)
        .filter(|seen| future::ready(seen["status"] == "running"))
        .count()
        .await
}

/// Starts a few and waits until the last of them has ended. Answers what that took.
async fn a_few(world: &World, name: &str) -> Duration {
    let begun = Instant::now();
    start(world, name, FEW).await;
    ended(world, name, FEW).await;
    begun.elapsed()
}

fn median<const N: usize>(mut times: [Duration; N]) -> Duration {
    times.sort();
    times[N / 2]
}

/// All events of this type that the executions have.
async fn events(world: &World, ids: impl Iterator<Item = String>, event_type: &str) -> Vec<Value> {
    let mut found = Vec::new();
    for id in ids {
        let events = world.events(&id).await.unwrap();
        found.extend(
            events
                .into_iter()
                .filter(|event| event["type"] == event_type),
        );
    }
    found
}

async fn two_tenants(host: &Host) -> [World; 2] {
    let mut worlds = Vec::new();
    for tenant in ["greedy", "modest"] {
        let world = World::make(&host.api, tenant).await.unwrap();
        world.push_guest("test-hostile").await.unwrap();
        world
            .execute("test-hostile.Computes", "warm", json!(1))
            .await
            .unwrap();
        worlds.push(world);
    }
    worlds.try_into().unwrap()
}

/// Temporal's fairness keys do most of this: they say which task a host is given next.
#[tokio::test]
async fn a_few_activations_do_not_wait_for_two_thousand() {
    let _turn = TURN.lock().await;
    let data = tempfile::tempdir().unwrap();
    let host = Host::start(data.path()).await.unwrap();
    let [greedy, modest] = two_tenants(&host).await;
    let mut beside_few = [Duration::ZERO; ROUNDS];
    for (round, took) in beside_few.iter_mut().enumerate() {
        let equal = format!("equal-{round}");
        start(&greedy, &equal, FEW).await;
        *took = a_few(&modest, &format!("beside-few-{round}")).await;
        ended(&greedy, &equal, FEW).await;
    }
    start(&greedy, "flood", MANY).await;
    let mut beside_many = [Duration::ZERO; ROUNDS];
    for (round, took) in beside_many.iter_mut().enumerate() {
        *took = a_few(&modest, &format!("beside-many-{round}")).await;
    }
    let left = running(&greedy, "flood", MANY).await;
    assert!(
        left >= MANY / 2,
        "the flood was all but over: {left} of {MANY} are left"
    );
    let looked_at = (0..LOOKED_AT).map(|index| format!("flood-{index}"));
    let late = events(&greedy, looked_at, "WorkflowTaskTimedOut").await;
    assert_eq!(
        late.len(),
        0,
        "tasks lay at the host until their time was over"
    );
    eprintln!(
        "{FEW} beside {FEW}: {beside_few:?}, beside {MANY}, of whom {left} are left: {beside_many:?}"
    );
    assert!(
        median(beside_many) <= median(beside_few) * 3 / 2,
        "beside {FEW} it took {beside_few:?}, beside {MANY} {beside_many:?}"
    );
}

/// Runs so many attempts at once that compute, and answers what that took.
async fn attempts(world: &World, id: &str, number: usize) -> Duration {
    let begun = Instant::now();
    let work = json!(["test-hostile.Compute", number, TURNS / 4]);
    let done = world.execute("test-hostile.FansOut", id, work).await;
    assert_eq!(done.unwrap()["status"], "completed");
    begun.elapsed()
}

/// Here Temporal's fairness keys do not help: all attempts have arrived, and the host alone shares its threads.
#[tokio::test]
async fn a_few_attempts_that_compute_do_not_wait_for_many() {
    let _turn = TURN.lock().await;
    let data = tempfile::tempdir().unwrap();
    let host = Host::start(data.path()).await.unwrap();
    let [greedy, modest] = two_tenants(&host).await;
    let mut beside_few = [Duration::ZERO; ATTEMPTS_ROUNDS];
    for (round, took) in beside_few.iter_mut().enumerate() {
        let (equal, few) = (format!("equal-{round}"), format!("beside-few-{round}"));
        (_, *took) = tokio::join!(attempts(&greedy, &equal, FEW), attempts(&modest, &few, FEW));
    }
    let flood = json!(["test-hostile.Compute", FLOOD, TURNS / 4]);
    greedy
        .start("test-hostile.FansOut", "flood", flood)
        .await
        .unwrap();
    let under_way = |seen: &Value| {
        let pending = seen["pending_activities"].as_array().map_or(0, Vec::len);
        (1..FLOOD).contains(&pending)
    };
    greedy.until("flood", under_way).await.unwrap();
    let mut beside_many = [Duration::ZERO; ATTEMPTS_ROUNDS];
    for (round, took) in beside_many.iter_mut().enumerate() {
        *took = attempts(&modest, &format!("beside-many-{round}"), FEW).await;
    }
    let flood = greedy.describe("flood").await.unwrap();
    assert_eq!(flood["status"], "running", "it was over before: {flood:#}");
    eprintln!("{FEW} attempts beside {FEW}: {beside_few:?}, beside {FLOOD}: {beside_many:?}");
    assert!(
        median(beside_many) <= median(beside_few) * ATTEMPTS_TIMES_MAX,
        "beside {FEW} it took {beside_few:?}, beside {FLOOD} {beside_many:?}"
    );
}

#[tokio::test]
async fn attempts_that_hold_their_places_leave_some_to_others() {
    let _turn = TURN.lock().await;
    let data = tempfile::tempdir().unwrap();
    let host = Host::start(data.path()).await.unwrap();
    let [greedy, modest] = two_tenants(&host).await;
    // More than the host has places; each holds its own for longer than the test takes.
    let hour = json!(["test-hostile.Sleep", 400, 3_600_000]);
    greedy
        .start("test-hostile.FansOut", "sleepers", hour)
        .await
        .unwrap();
    let many = json!(["test-hostile.Sleep", 20, 1]);
    let done = modest.execute("test-hostile.FansOut", "quick", many).await;
    assert_eq!(done.unwrap()["status"], "completed");
    let sleepers = greedy.describe("sleepers").await.unwrap();
    assert_eq!(sleepers["status"], "running", "{sleepers:#}");
}

#[tokio::test]
async fn a_task_that_waits_too_long_is_handed_back_and_done_later() {
    let _turn = TURN.lock().await;
    let data = tempfile::tempdir().unwrap();
    let host = Host::start(data.path()).await.unwrap();
    let [greedy, _] = two_tenants(&host).await;
    let limits =
        json!({"limits": {"activation_fuel": 100_000_000_000_u64, "activation_millis": 60_000}});
    greedy.grant("test-hostile", &limits).await.unwrap();
    let threads = std::thread::available_parallelism().unwrap().get();
    let (number, patient) = (LONG_PER_THREAD * threads, PATIENT_PER_THREAD * threads);
    let path = greedy.path("workflows");
    for (name, number, task_timeout) in [("long", number, None), ("patient", patient, Some("2m"))] {
        for index in 0..number {
            let body = json!({
                "type": "test-hostile.Computes", "id": format!("{name}-{index}"), "input": LONG_TURNS,
                "task_timeout": task_timeout
            });
            greedy.api.post(&path, &body).await.unwrap().ok().unwrap();
        }
    }
    ended(&greedy, "long", number).await;
    ended(&greedy, "patient", patient).await;
    let ids = |name: &'static str, number| (0..number).map(move |index| format!("{name}-{index}"));
    let too_early = events(&greedy, ids("patient", patient), "WorkflowTaskFailed").await;
    assert_eq!(too_early.len(), 0, "{too_early:#?}");
    let handed_back = events(&greedy, ids("long", number), "WorkflowTaskFailed").await;
    eprintln!("{} of {number} were handed back", handed_back.len());
    assert!(!handed_back.is_empty(), "none was handed back");
    for event in handed_back {
        let told = event["failure"].as_str().unwrap_or_default();
        assert!(told.contains("[host-busy] "), "{event}");
    }
    assert!(host.log().contains("host-busy"), "{}", host.log());
}
