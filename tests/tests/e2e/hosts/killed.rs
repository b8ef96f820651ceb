//! A host dies in each step of a release's life, and the release goes on from there.

use std::path::Path;

use serde_json::{Value, json};
use tenterhook_tests::{
    cluster::Cluster,
    host::{Host, World, guest},
};

use super::{both_releases, promote, release_of_next, until};
use crate::shared::variant;

async fn crash(host: &mut Host) {
    host.kill().unwrap();
    host.restart().await.unwrap();
}

async fn state(world: &World, digest: &str) -> Value {
    let path = world.path(&format!("plugins/test-pin/releases/{digest}"));
    world.api.get(&path).await.unwrap().ok().unwrap()
}

async fn until_in(world: &World, digest: &str, wanted: &str) {
    until(wanted, async || {
        state(world, digest).await["state"] == wanted
    })
    .await;
}

/// Pushes without waiting for the checks.
async fn hand_in(world: &World, component: Vec<u8>) -> String {
    let path = world.path("plugins/test-pin/releases?wait=0s");
    let release = world.api.upload(&path, component).await.unwrap();
    let release = release.ok().unwrap();
    release["digest"].as_str().unwrap().to_owned()
}

/// Every digest that a row of the database names has its component in the folder.
fn no_row_without_a_blob(cluster: &Cluster) {
    let rows = cluster.sql("SELECT DISTINCT digest FROM releases");
    let folder = cluster.blobs_folder();
    let mut files = String::new();
    list(&folder, &mut files);
    for digest in rows.lines() {
        let hex = digest
            .trim_start_matches("sha256:")
            .trim_start_matches("\\x");
        assert!(files.contains(hex), "{digest} is not among\n{files}");
    }
    assert!(!rows.is_empty());
}

fn list(folder: &Path, files: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            list(&path, files);
        } else {
            files.push_str(&format!("{}\n", path.display()));
        }
    }
}

#[tokio::test]
async fn a_release_whose_host_dies_before_and_in_its_checks_is_checked_by_the_next() {
    let cluster = Cluster::start().await.unwrap();
    let mut server = cluster.host("server", "server").await.unwrap();
    let mut world = World::make(&server.api, "acme").await.unwrap();
    // Uploaded, and nobody is there to check it.
    let digest = hand_in(&world, guest("test-pin-v1").unwrap()).await;
    crash(&mut server).await;
    world.api = server.api.clone();
    assert_eq!(state(&world, &digest).await["state"], "uploaded");
    no_row_without_a_blob(&cluster);
    // Being checked: its progress shows it.
    let mut worker = cluster.host("worker", "worker").await.unwrap();
    until("its checks begin", async || {
        let release = state(&world, &digest).await;
        release["progress"].is_object() || release["state"] != "uploaded"
    })
    .await;
    crash(&mut worker).await;
    until_in(&world, &digest, "current").await;
    no_row_without_a_blob(&cluster);
    assert_eq!(release_of_next(&world, "w").await, digest);
}

#[tokio::test]
async fn a_release_whose_hosts_die_while_it_ramps_is_promoted_or_drains_goes_on_from_there() {
    let cluster = Cluster::start().await.unwrap();
    let (mut hosts, mut world) = server_and_worker(&cluster).await;
    let (first, second) = both_releases(&world).await;
    crash_all(&mut hosts, &mut world).await;
    assert_eq!(state(&world, &second).await["state"], "ready");
    assert_eq!(release_of_next(&world, "old").await, first);
    let plan = json!({ "digest": second, "steps": [{ "percentage": 50 }] });
    let rollout = world.path("plugins/test-pin/rollout");
    let ramped = world.api.put(&rollout, &plan).await.unwrap().ok().unwrap();
    assert_eq!(ramped["percentage"], 50, "{ramped:#}");
    crash_all(&mut hosts, &mut world).await;
    // It ramps as before.
    assert_eq!(state(&world, &second).await["state"], "ramping");
    let now = world.api.get(&rollout).await.unwrap().ok().unwrap();
    assert_eq!(now["percentage"], 50, "{now:#}");
    let mut seen = [false, false];
    for number in 0.. {
        let digest = release_of_next(&world, &format!("r-{number}")).await;
        seen[usize::from(digest == second)] = true;
        if seen == [true, true] {
            break;
        }
        assert!(
            number < 60,
            "half of the executions begin on each: {seen:?}"
        );
    }
    promote(&world, &second).await;
    crash_all(&mut hosts, &mut world).await;
    assert_eq!(state(&world, &second).await["state"], "current");
    assert_eq!(state(&world, &first).await["state"], "draining");
    assert_eq!(release_of_next(&world, "new").await, second);
    // What began on the first ends on it.
    world.signal("old", "go", Value::Null).await.unwrap();
    let outcome = world.outcome("old").await.unwrap();
    assert_eq!(outcome["result"], "v1 with activity v1", "{outcome:#}");
    no_row_without_a_blob(&cluster);
}

#[tokio::test]
async fn a_release_whose_hosts_die_as_it_is_retired_stays_retired() {
    let cluster = Cluster::start().await.unwrap();
    let (mut hosts, mut world) = server_and_worker(&cluster).await;
    let (first, second) = both_releases(&world).await;
    promote(&world, &second).await;
    let refused = hand_in(&world, guest("test-unknown-import").unwrap()).await;
    until_in(&world, &refused, "refused").await;
    // The way back is kept: only a third makes the first one useless.
    let third = hand_in(&world, variant(guest("test-pin-v2").unwrap(), 3)).await;
    until_in(&world, &third, "ready").await;
    promote(&world, &third).await;
    let policy = world.path("plugins/test-pin/policy");
    let at_once = json!({ "retention_seconds": 0 });
    world
        .api
        .put(&policy, &at_once)
        .await
        .unwrap()
        .ok()
        .unwrap();
    until_in(&world, &first, "retired").await;
    crash_all(&mut hosts, &mut world).await;
    for (digest, expected) in [
        (&first, "retired"),
        (&refused, "refused"),
        (&second, "draining"),
        (&third, "current"),
    ] {
        assert_eq!(state(&world, digest).await["state"], expected, "{digest}");
    }
    assert_eq!(release_of_next(&world, "new").await, third);
}

async fn server_and_worker(cluster: &Cluster) -> ([Host; 2], World) {
    let hosts = [
        cluster.host("server", "server").await.unwrap(),
        cluster.host("worker", "worker").await.unwrap(),
    ];
    let world = World::make(&hosts[0].api, "acme").await.unwrap();
    (hosts, world)
}

async fn crash_all(hosts: &mut [Host; 2], world: &mut World) {
    for host in hosts.iter_mut() {
        host.kill().unwrap();
    }
    for host in hosts.iter_mut() {
        host.restart().await.unwrap();
    }
    world.api = hosts[0].api.clone();
}
