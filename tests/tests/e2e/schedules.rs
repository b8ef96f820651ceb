//! Schedules: executions that Temporal starts by itself, each in its tenant's scope and under the host's signature.

mod kept;
mod overlap;
mod policies;
pub(crate) mod signed;

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use temporalio_client::{grpc::WorkflowService, tonic::Request};
use temporalio_protos::temporal::api::workflowservice::v1::{
    DescribeScheduleRequest, DescribeScheduleResponse,
};
use tenterhook_tests::{host::World, raw::NAMESPACE};

use crate::shared::world;

/// Longest until a schedule has done what it must.
const WITHIN: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

pub(crate) async fn put(world: &World, id: &str, schedule: &Value) -> Value {
    let path = world.path(&format!("schedules/{id}"));
    world.api.put(&path, schedule).await.unwrap().ok().unwrap()
}

pub(crate) async fn ask(world: &World, id: &str, what: &str, body: Value) {
    let path = world.path(&format!("schedules/{id}/{what}"));
    let asked = world.api.post(&path, &body).await.unwrap();
    asked.ok().unwrap();
}

async fn delete(world: &World, id: &str) {
    let path = world.path(&format!("schedules/{id}"));
    let deleted = world.api.call(Method::DELETE, &path, None).await.unwrap();
    deleted.ok().unwrap();
}

/// Looks at a schedule until `seen` says so.
pub(crate) async fn until(world: &World, id: &str, seen: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + WITHIN;
    loop {
        let path = world.path(&format!("schedules/{id}"));
        let schedule = world.api.get(&path).await.unwrap().ok().unwrap();
        if seen(&schedule) {
            return schedule;
        }
        assert!(
            Instant::now() < deadline,
            "{id} came not to it: {schedule:#}"
        );
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// A schedule as Temporal itself describes it, by Temporal's own id.
async fn described(service: &mut Box<dyn WorkflowService>, id: &str) -> DescribeScheduleResponse {
    let request = DescribeScheduleRequest {
        namespace: NAMESPACE.to_owned(),
        schedule_id: id.to_owned(),
    };
    let described = service.describe_schedule(Request::new(request)).await;
    described.unwrap().into_inner()
}

/// Ids of what a schedule started last.
pub(crate) fn started(schedule: &Value) -> Vec<String> {
    let recent = schedule["recent"].as_array().unwrap().iter();
    recent
        .map(|start| start["id"].as_str().unwrap().to_owned())
        .collect()
}

/// Runs an activity with this number every second.
pub(crate) fn every_second(number: u32) -> Value {
    json!({
        "action": {"type": "bench.OneActivity", "input": number, "memo": {"why": "a test"}},
        "intervals": [{"every": "1s"}],
    })
}

#[tokio::test]
async fn an_interval_starts_executions_of_the_tenants_own() {
    let world = world("sched-interval").await;
    let digest = world.push_guest("bench").await.unwrap();
    let made = put(&world, "tick", &every_second(7)).await;
    assert_eq!(made["schedule"]["action"]["input"], 7);
    assert_eq!(made["schedule"]["intervals"], json!([{"every": "1s"}]));
    let seen = until(&world, "tick", |seen| started(seen).len() >= 3).await;
    for id in started(&seen) {
        let outcome = world.outcome(&id).await.unwrap();
        assert_eq!(outcome["status"], "completed", "{id}: {outcome:#}");
        assert_eq!(outcome["result"], 7);
        assert!(id.starts_with("tick-20") && id.ends_with('Z'), "{id}");
        let known = world.describe(&id).await.unwrap();
        assert_eq!(known["digest"], digest.as_str());
    }
    // Paused it starts nothing by itself, and still does what it is told to.
    ask(
        &world,
        "tick",
        "pause",
        json!({"note": "the books are closed"}),
    )
    .await;
    let paused = until(&world, "tick", |seen| seen["schedule"]["paused"] == true).await;
    assert_eq!(paused["schedule"]["note"], "the books are closed");
    let quiet = until(&world, "tick", |seen| seen["running"] == json!([])).await;
    let later =
        json!({ "type": "bench.OneActivity", "id": "later", "input": 1, "start_delay": "3s" });
    let later = world
        .api
        .post(&world.path("workflows"), &later)
        .await
        .unwrap();
    later.ok().unwrap();
    world.outcome("later").await.unwrap();
    let still = until(&world, "tick", |_| true).await;
    assert_eq!(still["started"], quiet["started"], "{still:#}");
    ask(&world, "tick", "trigger", json!({})).await;
    let before = quiet["started"].as_u64().unwrap();
    until(&world, "tick", |seen| seen["started"] == before + 1).await;
    ask(&world, "tick", "resume", json!({})).await;
    until(&world, "tick", |seen| {
        seen["started"].as_u64() > Some(before + 2)
    })
    .await;
    // Deleted it is gone; what it started is not.
    let last = started(&until(&world, "tick", |_| true).await)
        .pop()
        .unwrap();
    delete(&world, "tick").await;
    let gone = world.api.get(&world.path("schedules/tick")).await.unwrap();
    assert_eq!(gone.code(), Some("schedule-not-found"));
    assert_eq!(world.outcome(&last).await.unwrap()["status"], "completed");
    assert_eq!(
        ask_code(&world, "tick", "trigger").await,
        "schedule-not-found"
    );
}

async fn ask_code(world: &World, id: &str, what: &str) -> String {
    let path = world.path(&format!("schedules/{id}/{what}"));
    let asked = world.api.post(&path, &json!({})).await.unwrap();
    asked.code().unwrap_or("none").to_owned()
}

#[tokio::test]
async fn a_start_that_meets_a_running_execution_is_left_out() {
    let world = world("sched-overlap").await;
    let component = tenterhook_tests::host::guest("test-pin-v1").unwrap();
    world.push("test-pin", component).await.unwrap();
    let schedule = json!({
        "action": {"type": "test-pin.Versioned", "input": null},
        "intervals": [{"every": "1s"}], "overlap": "skip",
    });
    put(&world, "slow", &schedule).await;
    let seen = until(&world, "slow", |seen| seen["skipped"].as_u64() > Some(1)).await;
    assert_eq!(seen["started"], 1, "{seen:#}");
    let running = seen["running"][0].as_str().unwrap().to_owned();
    // Told so, it runs beside.
    ask(&world, "slow", "trigger", json!({"overlap": "allow_all"})).await;
    let seen = until(&world, "slow", |seen| seen["started"] == 2).await;
    // Temporal keeps an eye on the one that others would overlap with, and not on what may run beside.
    assert_eq!(seen["running"], json!([running]), "{seen:#}");
    assert_eq!(started(&seen).len(), 2, "{seen:#}");
    ask(&world, "slow", "pause", json!({})).await;
    for id in started(&seen) {
        world
            .until(&id, |known| known["digest"].is_string())
            .await
            .unwrap();
        world.signal(&id, "go", Value::Null).await.unwrap();
        assert_eq!(world.outcome(&id).await.unwrap()["status"], "completed");
    }
    assert!(started(&seen).contains(&running));
    delete(&world, "slow").await;
}

#[tokio::test]
async fn past_times_are_made_up_for() {
    let world = world("sched-backfill").await;
    world.push_guest("bench").await.unwrap();
    let schedule = json!({
        "action": {"type": "bench.OneActivity", "input": 3},
        "cron": ["0 4 * * *"], "time_zone": "Europe/Berlin", "paused": true, "overlap": "allow_all",
    });
    put(&world, "nightly", &schedule).await;
    let kept = until(&world, "nightly", |_| true).await;
    assert_eq!(kept["schedule"]["cron"], schedule["cron"], "{kept:#}");
    assert_eq!(kept["schedule"]["time_zone"], "Europe/Berlin");
    // Three nights in winter: 4 o'clock in Berlin is 3 in UTC. 2026-01-10T00:00Z to 2026-01-13T00:00Z.
    let (from, to) = (1_768_003_200_000_u64, 1_768_262_400_000_u64);
    ask(
        &world,
        "nightly",
        "backfill",
        json!({"from": from, "to": to}),
    )
    .await;
    let seen = until(&world, "nightly", |seen| started(seen).len() == 3).await;
    let mut ids = started(&seen);
    ids.sort();
    let nights = ["10", "11", "12"].map(|day| format!("nightly-2026-01-{day}T03:00:00Z"));
    assert_eq!(ids, nights);
    for id in &ids {
        let outcome = world.outcome(id).await.unwrap();
        assert_eq!(
            (&outcome["status"], &outcome["result"]),
            (&json!("completed"), &json!(3))
        );
    }
    let unread = json!({
        "action": {"type": "bench.OneActivity", "input": 3}, "cron": ["0 25 * * *"],
    });
    let unread = world
        .api
        .put(&world.path("schedules/unread"), &unread)
        .await;
    assert_eq!(unread.unwrap().code(), Some("schedule-invalid"));
    let zone = json!({
        "action": {"type": "bench.OneActivity", "input": 3}, "cron": ["@daily"], "time_zone": "Moon/Sea",
    });
    let zone = world.api.put(&world.path("schedules/unread"), &zone).await;
    assert_eq!(zone.unwrap().code(), Some("schedule-invalid"));
    delete(&world, "nightly").await;
}

/// Ids that the list has, once it has as many as that.
async fn listed(world: &World, number: usize) -> Vec<String> {
    let deadline = Instant::now() + WITHIN;
    loop {
        let (mut ids, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = world.path(&format!("schedules?limit=1{cursor}"));
            let page = world.api.get(&path).await.unwrap().ok().unwrap();
            let items = page["items"].as_array().unwrap().iter();
            ids.extend(items.map(|item| item["id"].as_str().unwrap().to_owned()));
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        if ids.len() == number {
            ids.sort();
            return ids;
        }
        assert!(Instant::now() < deadline, "not {number}: {ids:?}");
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

#[tokio::test]
async fn tenants_do_not_see_one_anothers_schedules() {
    let (ours, theirs) = (world("sched-ours").await, world("sched-theirs").await);
    for (world, number) in [(&ours, 1), (&theirs, 2)] {
        world.push_guest("bench").await.unwrap();
        let mut schedule = every_second(number);
        schedule["paused"] = true.into();
        put(world, "same", &schedule).await;
    }
    let mut only = every_second(2);
    only["calendars"] = json!([{"hour": "4", "minute": "*/15", "day_of_week": "mon-fri"}]);
    only["paused"] = true.into();
    put(&theirs, "only", &only).await;
    assert_eq!(listed(&theirs, 2).await, ["only", "same"]);
    assert_eq!(listed(&ours, 1).await, ["same"]);
    let kept = until(&theirs, "only", |_| true).await;
    let calendar = &kept["schedule"]["calendars"][0];
    assert_eq!(
        (&calendar["minute"], &calendar["day_of_week"]),
        (&json!("*/15"), &json!("1-5"))
    );
    // What was read can be put again.
    put(&theirs, "only", &kept["schedule"]).await;
    let hidden = ours.api.get(&ours.path("schedules/only")).await.unwrap();
    assert_eq!(hidden.code(), Some("schedule-not-found"));
    for (world, number) in [(&ours, 1), (&theirs, 2)] {
        ask(world, "same", "trigger", json!({})).await;
        let seen = until(world, "same", |seen| seen["started"] == 1).await;
        let id = started(&seen).pop().unwrap();
        assert_eq!(world.outcome(&id).await.unwrap()["result"], number);
    }
    delete(&ours, "same").await;
    assert_eq!(until(&theirs, "same", |_| true).await["started"], 1);
    assert_eq!(listed(&ours, 0).await, Vec::<String>::new());
    // So many, and no more.
    let quotas = json!({"schedules": 2});
    let set = theirs.api.put("/v1/tenants/sched-theirs/quotas", &quotas);
    set.await.unwrap().ok().unwrap();
    let third = theirs.path("schedules/third");
    let third = theirs.api.put(&third, &only).await.unwrap();
    assert_eq!(third.code(), Some("quota-exceeded"));
}
