//! A host that is cut off from the database goes on with the work it knows, and its API says what is the matter.

use serde_json::Value;
use tenterhook_tests::{
    cluster::Cluster,
    host::{Host, World},
    proxy::Proxy,
};

use super::{both_releases, promote, release_of_next, until};

async fn is_ready(host: &Host) -> bool {
    let answer = host.api.get("/readyz").await;
    answer.is_ok_and(|answer| answer.status.is_success())
}

/// What becomes of the way to the database.
async fn works_on(cut: fn(&Proxy)) {
    let cluster = Cluster::start().await.unwrap();
    let proxy = Proxy::start(cluster.database_address()).await.unwrap();
    let server = cluster.host("server", "server").await.unwrap();
    let way = cluster.database_at(proxy.address());
    let worker = cluster.host_on("worker", "worker", &way).await.unwrap();
    let world = World::make(&server.api, "acme").await.unwrap();
    let (first, second) = both_releases(&world).await;
    assert_eq!(release_of_next(&world, "before").await, first);

    cut(&proxy);
    until("the worker says that it is cut off", async || {
        !is_ready(&worker).await
    })
    .await;
    // It did not hear of this.
    promote(&world, &second).await;
    // What it had begun it ends, with activities; and what is new it begins with what it knows.
    for id in ["before", "meanwhile"] {
        if id == "meanwhile" {
            assert_eq!(release_of_next(&world, id).await, first);
        }
        world.signal(id, "go", Value::Null).await.unwrap();
        let outcome = world.outcome(id).await.unwrap();
        assert_eq!(outcome["result"], "v1 with activity v1", "{outcome:#}");
        let events = world.events(id).await.unwrap();
        let failed = events
            .iter()
            .find(|event| event["type"] == "WorkflowTaskFailed");
        assert_eq!(failed, None);
    }

    proxy.mend();
    until("the worker is back", async || is_ready(&worker).await).await;
    super::heard_after(&world, "after", &second, std::time::Instant::now()).await;
}

#[tokio::test]
async fn a_worker_whose_connections_to_the_database_break_works_on() {
    works_on(Proxy::cut).await;
}

#[tokio::test]
async fn a_worker_whose_database_falls_silent_works_on() {
    works_on(Proxy::silence).await;
}

/// Who asks is known by a token in the database, so that an API without it can only say so.
#[tokio::test]
async fn a_server_that_is_cut_off_says_so_and_comes_back() {
    let cluster = Cluster::start().await.unwrap();
    let proxy = Proxy::start(cluster.database_address()).await.unwrap();
    let way = cluster.database_at(proxy.address());
    let server = cluster.host_on("server", "server", &way).await.unwrap();
    let world = World::make(&server.api, "acme").await.unwrap();
    let plugins = world.path("plugins");
    let listed = server.api.get(&plugins).await.unwrap();
    listed.ok().unwrap();

    proxy.cut();
    until("the server says that it is cut off", async || {
        let answer = server.api.get(&plugins).await.unwrap();
        (answer.status.as_u16(), answer.code()) == (503, Some("store-unavailable"))
    })
    .await;
    let ready = server.api.get("/readyz").await.unwrap();
    assert_eq!(ready.status.as_u16(), 503);

    proxy.mend();
    until("the server is back", async || is_ready(&server).await).await;
    let listed = server.api.get(&plugins).await.unwrap();
    listed.ok().unwrap();
}
