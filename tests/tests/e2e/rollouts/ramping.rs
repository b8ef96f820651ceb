//! A share of the starts for the new release, and what stops that.

use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};
use tenterhook_domain::rollout::{Line, RampPlan, Rollout, Step};

use super::{Two, quickly};
use crate::shared::world;

/// Between two looks at what only time brings.
const LOOK_AGAIN: Duration = Duration::from_millis(200);
const STARTS_AT_ONCE: usize = 8;
/// Of so many a tenth is more than the guard's smallest sample, whatever the digest.
const STARTS: u32 = 240;

/// The line that an independent reader of the plan makes of it.
fn line(two: &Two, percentage: u8) -> Line {
    let digest = two.v2.parse().unwrap();
    let steps = vec![Step {
        percentage,
        bake_seconds: 0,
    }];
    Line {
        current: Some(two.v1.parse().unwrap()),
        previous: None,
        rollout: Some(Rollout {
            plan: RampPlan {
                digest,
                steps,
                guard: Default::default(),
            },
            step: 0,
            began_at: 0,
            step_at: 0,
            paused: false,
            halted: None,
            seen: None,
        }),
    }
}

async fn start_many(two: &Two, number: u32, failing: &str) {
    stream::iter(0..number)
        .for_each_concurrent(STARTS_AT_ONCE, async |number| {
            let (id, input) = (format!("q-{number}"), quickly(number, failing));
            let started = two.world.start("test-ramp.Quick", &id, input).await;
            started.unwrap();
        })
        .await;
}

#[tokio::test]
async fn a_ramp_gets_its_share_of_the_ids_and_always_the_same_ones() {
    let two = Two::push(world("ramp-share").await).await;
    let seen = two.ramp(10).await;
    assert_eq!(seen["percentage"], 10, "{seen:#}");
    start_many(&two, STARTS, "not").await;
    let line = line(&two, 10);
    let mut on_new = 0;
    for number in 0..STARTS {
        let id = format!("q-{number}");
        let outcome = two.world.outcome(&id).await.unwrap();
        // Whoever knows the plan knows the release: nothing else decides.
        let chosen = line.choose(&format!("ramp-share/production/{id}")).unwrap();
        let expected = if chosen.to_string() == two.v2 {
            "v2"
        } else {
            "v1"
        };
        assert_eq!(outcome["result"], expected, "{id}");
        on_new += u32::from(expected == "v2");
    }
    assert!((8..=48).contains(&on_new), "{on_new} of {STARTS}");
    // What the guard holds against each other, of both, with the size of the sample.
    let judged = |line: &Value| {
        let seen = &line["rollout"]["seen"];
        let is_of_all = seen["new"]["closed"] == json!(on_new);
        is_of_all
            && ["new", "current"]
                .iter()
                .all(|side| seen[side]["p99_millis"].as_u64() > Some(0))
    };
    until(&two, judged).await;
}

#[tokio::test]
async fn what_only_the_new_release_has_can_be_started_where_it_is_chosen() {
    let two = Two::push(world("ramp-types").await).await;
    let start = async |id: &str| {
        let body = json!({ "type": "test-ramp.OnlyNew", "id": id });
        let path = two.world.path("workflows?wait=30s");
        two.world.api.post(&path, &body).await.unwrap()
    };
    let refused = start("before").await;
    assert_eq!(
        refused.code(),
        Some("workflow-type-not-found"),
        "{refused:?}"
    );
    two.ramp(100).await;
    let outcome = start("within").await.ok().unwrap();
    assert_eq!(outcome["result"], "v2", "{outcome:#}");
    two.roll_back().await;
    let refused = start("after").await;
    assert_eq!(
        refused.code(),
        Some("workflow-type-not-found"),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_rollback_is_effective_on_the_next_start() {
    let two = Two::push(world("rollback").await).await;
    let quick = async |id: &str| {
        let input = quickly(0, "not");
        let outcome = two.world.execute("test-ramp.Quick", id, input).await;
        outcome.unwrap()["result"].clone()
    };
    two.ramp(100).await;
    assert_eq!(quick("ramped").await, "v2");
    two.roll_back().await;
    assert_eq!(quick("stopped").await, "v1");
    two.promote_second().await;
    assert_eq!(quick("promoted").await, "v2");
    two.roll_back().await;
    assert_eq!(quick("back").await, "v1");
}

#[tokio::test]
async fn a_decision_on_what_was_changed_meanwhile_is_refused() {
    let two = Two::push(world("ramp-if-match").await).await;
    two.ramp(10).await;
    let client = reqwest::Client::new();
    let token = two.world.api.token();
    let url = |rest: &str| format!("{}{}", two.world.api.address(), two.path(rest));
    let read = client.get(url("rollout")).bearer_auth(token).send().await;
    let tag = read.unwrap().headers()["etag"].clone();
    let advance = async |path: &str| {
        let request = client.post(url(path)).bearer_auth(token);
        let sent = request.header("if-match", tag.clone()).send().await;
        sent.unwrap().status().as_u16()
    };
    // The guard looks meanwhile, and that is no change.
    until(&two, |seen| seen["rollout"]["seen"].is_object()).await;
    assert_eq!(advance("rollout/pause").await, 200);
    assert_eq!(advance("rollout/resume").await, 412);
}

/// Reads the rollout until `seen` says so.
async fn until(two: &Two, seen: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let line = two.world.api.get(&two.path("rollout")).await.unwrap();
        let line = line.ok().unwrap();
        if seen(&line) {
            return line;
        }
        assert!(Instant::now() < deadline, "it does not come: {line:#}");
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// Ramps a release at 10 % of which half the executions fail: the guard stops it, and says why and how many it hit.
async fn check_stopped(two: &Two, failing: &str, words: &[&str]) -> String {
    two.ramp(10).await;
    start_many(two, STARTS, failing).await;
    let line = until(two, |line| line["rollout"]["halted"].is_string()).await;
    let why = line["rollout"]["halted"].as_str().unwrap().to_owned();
    for words in words {
        assert!(why.contains(words), "{words:?} is not in {why:?}");
    }
    assert!(why.contains("starts since the ramp began"), "{why}");
    assert_eq!(line["percentage"], 0, "{line:#}");
    let seen = &line["rollout"]["seen"];
    assert!(seen["new"]["started"].as_u64().unwrap() >= 10, "{seen:#}");
    // Whatever id: nothing goes there any more.
    for number in 0..20 {
        let id = format!("after-{number}");
        let input = quickly(1, failing);
        let outcome = two.world.execute("test-ramp.Quick", &id, input).await;
        assert_eq!(outcome.unwrap()["result"], "v1", "{id}");
    }
    eprintln!("{why}");
    why
}

#[tokio::test]
async fn a_release_that_fails_half_its_tasks_is_stopped_and_what_was_stuck_goes_on() {
    let two = Two::push(world("ramp-tasks").await).await;
    check_stopped(&two, "task", &["workflow tasks fail"]).await;
    // Nothing pins an execution to a release whose first task never ended.
    for number in 0..STARTS {
        let outcome = two.world.outcome(&format!("q-{number}")).await.unwrap();
        assert_eq!(outcome["status"], "completed", "{outcome:#}");
    }
}

#[tokio::test]
async fn a_release_that_fails_half_its_executions_is_stopped() {
    let two = Two::push(world("ramp-ends").await).await;
    check_stopped(&two, "execution", &["closed executions", "failed"]).await;
}
