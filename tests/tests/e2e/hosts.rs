//! Many hosts: one PostgreSQL database, one folder of components, one Temporal, and hosts that come and go.

mod balancer;
mod cold;
mod compiled;
mod cut;
mod killed;
mod news;
mod rolling;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tenterhook_tests::host::{World, guest};

/// Every host is on the new state so soon after a change was answered.
pub(crate) const HEARD_WITHIN: Duration = Duration::from_secs(1);
/// How long anything else may take that a test waits for.
const SOON: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Pushes both releases of `test-pin`; the first is current. Answers their digests.
async fn both_releases(world: &World) -> (String, String) {
    let first = world.push("test-pin", guest("test-pin-v1").unwrap());
    let first = first.await.unwrap();
    let second = world.push("test-pin", guest("test-pin-v2").unwrap());
    (first, second.await.unwrap())
}

/// The release that a new execution starts on.
async fn release_of_next(world: &World, id: &str) -> String {
    let started = world.start("test-pin.Versioned", id, Value::Null);
    started.await.unwrap();
    let seen = world.until(id, |seen| seen["digest"].is_string());
    seen.await.unwrap()["digest"].as_str().unwrap().to_owned()
}

/// Starts executions in `world` until one begins on `digest`; answers how long after `answered` that one was asked for.
async fn heard_after(world: &World, prefix: &str, digest: &str, answered: Instant) -> Duration {
    for number in 0.. {
        let after = answered.elapsed();
        assert!(after < SOON, "no execution begins on {digest}");
        if release_of_next(world, &format!("{prefix}-{number}")).await == digest {
            return after;
        }
    }
    unreachable!("there is always a next number")
}

async fn promote(world: &World, digest: &str) {
    let path = world.path("plugins/test-pin/current");
    let answer = world.api.put(&path, &json!({ "digest": digest })).await;
    answer.unwrap().ok().unwrap();
}

/// Looks until `seen` says so.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, seen: impl Fn() -> F) {
    let deadline = Instant::now() + SOON;
    while !seen().await {
        assert!(Instant::now() < deadline, "not within {SOON:?}: {what}");
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}
