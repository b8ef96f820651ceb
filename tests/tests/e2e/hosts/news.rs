//! What is changed at one host holds on all.

use std::time::Instant;

use serde_json::{Value, json};
use tenterhook_tests::{
    cluster::Cluster,
    host::{Host, World, guest},
};

use super::{HEARD_WITHIN, both_releases, heard_after, promote, release_of_next};

#[tokio::test]
async fn what_is_pushed_at_a_server_runs_on_a_worker() {
    let cluster = Cluster::start().await.unwrap();
    // Both at once on an empty database: they make its tables and its keys once.
    let (server, worker) = tokio::join!(
        cluster.host("server", "server"),
        cluster.host("worker", "worker")
    );
    let (server, worker) = (server.unwrap(), worker.unwrap());
    let world = World::make(&server.api, "acme").await.unwrap();
    let digest = world.push("test-pin", guest("test-pin-v1").unwrap());
    let digest = digest.await.unwrap();
    assert_eq!(release_of_next(&world, "w").await, digest);
    world.signal("w", "go", Value::Null).await.unwrap();
    let outcome = world.outcome("w").await.unwrap();
    assert_eq!(outcome["result"], "v1 with activity v1", "{outcome:#}");
    // Of the API a worker has its health and nothing else, and no token for it.
    let health = worker.api.get("/readyz").await.unwrap();
    assert!(health.status.is_success(), "{health:?}");
    let asked = worker.api.with_token(server.api.token());
    let refused = asked.get(&world.path("workflows")).await.unwrap();
    assert_eq!(refused.code(), Some("route-not-found"), "{refused:?}");
    assert!(!worker.data_dir().join("admin-token").exists());
    // A server compiles nothing of what it only starts.
    let compiled = server.data_dir().join("compiled");
    assert_eq!(std::fs::read_dir(compiled).map_or(0, Iterator::count), 0);
}

/// Two hosts of one database, each with a task queue of its own: what is started at a host runs on that host.
pub(super) async fn two_hosts(cluster: &Cluster) -> (Host, Host) {
    let (here, there) = tokio::join!(
        cluster.host_with("here", "all", &[("TENTERHOOK_TASK_QUEUE", "here")]),
        cluster.host_with("there", "all", &[("TENTERHOOK_TASK_QUEUE", "there")])
    );
    (here.unwrap(), there.unwrap())
}

#[tokio::test]
async fn every_change_is_heard_by_every_host_within_a_second() {
    let cluster = Cluster::start().await.unwrap();
    let (here, there) = two_hosts(&cluster).await;
    let ours = World::make(&here.api, "acme").await.unwrap();
    let theirs = World::make(&there.api, "acme").await.unwrap();
    let (first, second) = both_releases(&ours).await;
    // Both know of the first, so that what they know has to change.
    for (world, id) in [(&ours, "o-0"), (&theirs, "t-0")] {
        assert_eq!(release_of_next(world, id).await, first);
    }
    let ramp = json!({ "digest": second, "steps": [{ "percentage": 100 }] });
    let path = |rest: &str| ours.path(&format!("plugins/test-pin/{rest}"));
    for (round, change) in ["promote", "roll back", "ramp", "stop the ramp"]
        .into_iter()
        .enumerate()
    {
        let expected = match change {
            "promote" => {
                promote(&ours, &second).await;
                &second
            }
            "ramp" => {
                let answer = ours.api.put(&path("rollout"), &ramp).await;
                answer.unwrap().ok().unwrap();
                &second
            }
            _ => {
                let answer = ours.api.post(&path("rollback"), &Value::Null).await;
                answer.unwrap().ok().unwrap();
                &first
            }
        };
        let answered = Instant::now();
        let (o, t) = (format!("o-{round}"), format!("t-{round}"));
        let (here, there) = tokio::join!(
            heard_after(&ours, &o, expected, answered),
            heard_after(&theirs, &t, expected, answered)
        );
        eprintln!("{change}: heard here after {here:?}, there after {there:?}");
        assert!(here < HEARD_WITHIN, "{change}: {here:?}");
        assert!(there < HEARD_WITHIN, "{change}: {there:?}");
    }
}
