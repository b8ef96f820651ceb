//! A host that starts where there are many releases already.

use std::time::{Duration, Instant};

use serde_json::json;
use tenterhook_tests::{
    cluster::Cluster,
    host::{Host, World, guest},
};

use super::release_of_next;

const RELEASES: usize = 200;
/// What a host logs when it compiles.
const COMPILED: &str = "a component was compiled";
/// Pushes under way at once.
const AT_ONCE: usize = 4;
/// Starts of each kind: the fastest counts, for what else the machine does makes others slower.
const STARTS: usize = 3;

/// The shortest time in which a new host gets ready.
async fn cold_start(cluster: &Cluster, name: &str) -> (Duration, Host) {
    let mut fastest: Option<(Duration, Host)> = None;
    for number in 0..STARTS {
        let begun = Instant::now();
        let host = cluster.host(&format!("{name}-{number}"), "all").await;
        let start = (begun.elapsed(), host.unwrap());
        if fastest.as_ref().is_none_or(|best| start.0 < best.0) {
            fastest = Some(start);
        }
    }
    fastest.unwrap()
}

fn compiled(host: &Host) -> usize {
    std::fs::read_dir(host.data_dir().join("compiled")).map_or(0, Iterator::count)
}

#[tokio::test]
async fn a_cold_host_is_ready_as_soon_with_two_hundred_releases_as_with_none() {
    let cluster = Cluster::start().await.unwrap();
    let first = cluster.host("first", "all").await.unwrap();
    let (empty, _) = cold_start(&cluster, "empty").await;
    let world = World::make(&first.api, "acme").await.unwrap();
    let component = guest("test-pin-v1").unwrap();
    let numbers: Vec<usize> = (0..RELEASES).collect();
    for some in numbers.chunks(AT_ONCE) {
        let pushes = some.iter().map(|number| {
            let (api, component) = (first.api.clone(), component.clone());
            let base = format!("/v1/tenants/acme/environments/e-{number}");
            async move {
                api.put(&base, &json!({})).await.unwrap().ok().unwrap();
                let path = format!("{base}/plugins/test-pin/releases");
                let pushed = api.upload(&path, component).await.unwrap();
                assert_eq!(pushed.ok().unwrap()["state"], "current");
            }
        });
        futures_util::future::join_all(pushes).await;
    }
    world.push("test-pin", component).await.unwrap();
    assert!(first.log().contains(COMPILED), "{}", first.log());
    drop(first);
    let (full, host) = cold_start(&cluster, "full").await;
    eprintln!("ready in {empty:?} without releases, in {full:?} with {RELEASES}");
    assert!(
        full < 2 * empty,
        "{full:?} with releases, {empty:?} without"
    );
    // No code is taken before it is asked for, and then it is what the first host compiled.
    assert_eq!(compiled(&host), 0);
    let world = World::of(&host.api, "acme");
    release_of_next(&world, "w").await;
    assert!(compiled(&host) > 0, "no code was taken for an execution");
    assert!(!host.log().contains(COMPILED), "{}", host.log());
}
