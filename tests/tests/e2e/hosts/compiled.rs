//! Compiled code that hosts leave for one another goes when nothing needs it.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tenterhook_tests::{
    cluster::Cluster,
    host::{Host, World, guest},
};

use super::{both_releases, news::two_hosts, promote, release_of_next, until};
use crate::shared::variant;

/// Files below `folder` whose path names `digest`.
fn files(folder: &Path, digest: &str) -> Vec<PathBuf> {
    let hex = digest.trim_start_matches("sha256:");
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        // Folders come and go while hosts work.
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().contains(hex) {
                found.push(path);
            }
        }
    }
    found
}

/// What a host compiled, or took over, of `digest`.
fn own(host: &Host, digest: &str) -> Vec<PathBuf> {
    files(&host.data_dir().join("compiled"), digest)
}

/// What hosts left for one another of `digest`.
fn shared(cluster: &Cluster, digest: &str) -> Vec<PathBuf> {
    files(&cluster.blobs_folder().join("compiled"), digest)
}

#[tokio::test]
async fn what_was_compiled_of_a_retired_release_goes_from_every_host() {
    let cluster = Cluster::start().await.unwrap();
    let (here, there) = two_hosts(&cluster).await;
    let ours = World::make(&here.api, "acme").await.unwrap();
    let theirs = World::of(&there.api, "acme");
    let (first, second) = both_releases(&ours).await;
    for (world, id) in [(&ours, "o"), (&theirs, "t")] {
        assert_eq!(release_of_next(world, id).await, first);
        world.signal(id, "go", Value::Null).await.unwrap();
        assert_eq!(world.outcome(id).await.unwrap()["status"], "completed");
    }
    for host in [&here, &there] {
        assert!(!own(host, &first).is_empty());
    }
    assert!(!shared(&cluster, &first).is_empty());
    promote(&ours, &second).await;
    let third = variant(guest("test-pin-v2").unwrap(), 3);
    let third = ours.push("test-pin", third).await.unwrap();
    promote(&ours, &third).await;
    let policy = ours.path("plugins/test-pin/policy");
    let at_once = json!({ "retention_seconds": 0 });
    ours.api.put(&policy, &at_once).await.unwrap().ok().unwrap();
    until("all of the first is gone", async || {
        let left = [own(&here, &first), own(&there, &first)].concat();
        left.is_empty() && files(&cluster.blobs_folder(), &first).is_empty()
    })
    .await;
    // The way back is there as it was.
    assert!(!files(&cluster.blobs_folder(), &second).is_empty());
    assert!(!shared(&cluster, &third).is_empty());
}
