//! The end of a release, and a release whose component is lost.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tenterhook_tests::host::{Host, World, guest};

use super::{promote, set_policy};
use crate::shared::variant;

/// Between two looks at what only time brings.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

async fn until(what: &str, seen: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !seen().await {
        assert!(Instant::now() < deadline, "it does not come: {what}");
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

fn hex(digest: &str) -> &str {
    digest.strip_prefix("sha256:").unwrap()
}

fn blob(data: &Path, digest: &str) -> PathBuf {
    let hex = hex(digest);
    data.join("blobs/sha256").join(&hex[..2]).join(hex)
}

/// Files of compiled code of `digest`.
fn compiled(data: &Path, digest: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(data.join("compiled")).unwrap();
    let files = entries.map(|entry| entry.unwrap().path());
    let of_digest = |file: &PathBuf| {
        let name = file.file_name().unwrap().to_string_lossy();
        name.starts_with(hex(digest))
    };
    files.filter(of_digest).collect()
}

async fn state(world: &World, digest: &str) -> String {
    let path = world.path(&format!("plugins/test-pin/releases/{digest}"));
    let release = world.api.get(&path).await.unwrap().ok().unwrap();
    release["state"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_release_that_nothing_runs_on_goes_from_store_and_host_and_a_pinned_one_stays() {
    let data = tempfile::tempdir().unwrap();
    let host = Host::start(data.path()).await.unwrap();
    let world = World::make(&host.api, "acme").await.unwrap();
    let mut releases = Vec::new();
    for number in 0..4 {
        let component = variant(guest("test-pin-v1").unwrap(), number);
        let digest = world.push("test-pin", component).await.unwrap();
        promote(&world, "test-pin", &digest).await;
        let id = format!("on-{number}");
        let started = world.start("test-pin.Versioned", &id, Value::Null).await;
        started.unwrap();
        let pinned = world.until(&id, |seen| seen["digest"] == json!(digest));
        pinned.await.unwrap();
        releases.push(digest);
    }
    // The first has an end; the second is held by what runs on it.
    world.signal("on-0", "go", Value::Null).await.unwrap();
    world.outcome("on-0").await.unwrap();
    let everything = json!({ "retention_seconds": 0 });
    set_policy(&world, "test-pin", &everything).await;
    until("the first is retired", async || {
        state(&world, &releases[0]).await == "retired"
    })
    .await;
    until("its component and its code are gone", async || {
        !blob(data.path(), &releases[0]).exists() && compiled(data.path(), &releases[0]).is_empty()
    })
    .await;
    for kept in &releases[1..] {
        assert_ne!(state(&world, kept).await, "retired");
        assert!(blob(data.path(), kept).exists());
        assert!(!compiled(data.path(), kept).is_empty());
    }
    world.signal("on-1", "go", Value::Null).await.unwrap();
    let outcome = world.outcome("on-1").await.unwrap();
    assert_eq!(outcome["result"], "v1 with activity v1", "{outcome:#}");
    until(
        "the second is retired once nothing runs on it",
        async || state(&world, &releases[1]).await == "retired",
    )
    .await;
    // The way back, and the current one.
    assert_eq!(state(&world, &releases[2]).await, "draining");
    assert_eq!(state(&world, &releases[3]).await, "current");
}

#[tokio::test]
async fn an_execution_whose_component_is_lost_waits_for_it_and_goes_on() {
    let data = tempfile::tempdir().unwrap();
    let mut host = Host::start(data.path()).await.unwrap();
    let mut world = World::make(&host.api, "acme").await.unwrap();
    let lost = world.push("test-pin", guest("test-pin-v1").unwrap()).await;
    let lost = lost.unwrap();
    for id in ["soon", "late"] {
        let started = world.start("test-pin.Versioned", id, Value::Null).await;
        started.unwrap();
        let pinned = world.until(id, |seen| seen["digest"] == json!(lost));
        pinned.await.unwrap();
    }
    let other = world.push("test-pin", guest("test-pin-v2").unwrap()).await;
    promote(&world, "test-pin", &other.unwrap()).await;
    host.kill().unwrap();
    let (blob, kept) = (blob(data.path(), &lost), data.path().join("kept"));
    let take_away = || {
        std::fs::rename(&blob, &kept).unwrap();
        for file in compiled(data.path(), &lost) {
            std::fs::remove_file(file).unwrap();
        }
    };
    take_away();
    host.restart().await.unwrap();
    world.api = host.api.clone();
    world.signal("soon", "go", Value::Null).await.unwrap();
    until("the alarm", async || {
        host.log()
            .contains("executions wait for a component that this host cannot load")
    })
    .await;
    // Others go on meanwhile.
    world
        .start("test-pin.Versioned", "other", Value::Null)
        .await
        .unwrap();
    world.signal("other", "go", Value::Null).await.unwrap();
    let outcome = world.outcome("other").await.unwrap();
    assert_eq!(outcome["result"], "v2 with activity v2", "{outcome:#}");
    // Back before the task's time is over: it goes on as if nothing had been.
    std::fs::rename(&kept, &blob).unwrap();
    let outcome = world.outcome("soon").await.unwrap();
    assert_eq!(outcome["result"], "v1 with activity v1", "{outcome:#}");

    host.kill().unwrap();
    take_away();
    host.restart().await.unwrap();
    world.api = host.api.clone();
    world.signal("late", "go", Value::Null).await.unwrap();
    // For longer than a task may take: the task fails and says why, the execution does not.
    let stuck = world
        .until("late", |seen| seen["task_failure"].is_object())
        .await;
    let stuck = stuck.unwrap();
    assert_eq!(stuck["status"], "running", "{stuck:#}");
    let why = stuck["task_failure"].to_string();
    assert!(why.contains("component-missing"), "{why}");
    std::fs::rename(&kept, &blob).unwrap();
    let outcome = world.outcome("late").await.unwrap();
    assert_eq!(outcome["result"], "v1 with activity v1", "{outcome:#}");
    let seen = world.describe("late").await.unwrap();
    assert_eq!(seen["digest"], json!(lost), "{seen:#}");
}
