//! All hosts are restarted one after another while load runs, and nobody notices.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use serde_json::Value;
use tenterhook_tests::{
    cluster::Cluster,
    host::{Host, World, guest},
    raw::{self, failed_tasks, history},
};

use super::{balancer::Balancer, until};

/// Executions under way at once.
const CALLERS: usize = 6;

/// Runs executions one after another, each request sent once, until `over`. Answers their ids.
async fn call(
    caller: usize,
    balancer: Balancer,
    over: Arc<AtomicBool>,
) -> anyhow::Result<Vec<String>> {
    let mut ids = Vec::new();
    while !over.load(Ordering::Relaxed) {
        let id = format!("c-{caller}-{}", ids.len());
        let at = || World::of(&balancer.turn(), "acme");
        at().start("test-pin.Versioned", &id, Value::Null).await?;
        at().signal(&id, "go", Value::Null).await?;
        loop {
            let outcome = at()
                .api
                .get(&at().path(&format!("workflows/{id}/result?wait=10s")))
                .await?
                .ok()?;
            if outcome["status"] != "running" {
                anyhow::ensure!(outcome["result"] == "v1 with activity v1", "{outcome:#}");
                break;
            }
        }
        ids.push(id);
    }
    Ok(ids)
}

/// Stops a host as an operator does and starts it again.
async fn restart(host: &mut Host) {
    assert!(host.stop().await.unwrap(), "{}", host.log());
    host.restart().await.unwrap();
}

#[tokio::test]
async fn a_rolling_restart_of_all_hosts_fails_no_request_and_no_task() {
    let cluster = Cluster::start().await.unwrap();
    // On a machine that is busy with tests a balancer may look late.
    let notice = [("TENTERHOOK_STOP_NOTICE", "3s")];
    let server = async |name| cluster.host_with(name, "server", &notice).await.unwrap();
    let mut servers = [server("server-0").await, server("server-1").await];
    let mut workers = [
        cluster.host("worker-0", "worker").await.unwrap(),
        cluster.host("worker-1", "worker").await.unwrap(),
    ];
    let world = World::make(&servers[0].api, "acme").await.unwrap();
    let pushed = world.push("test-pin", guest("test-pin-v1").unwrap());
    pushed.await.unwrap();
    let (balancer, looking) = Balancer::before(&servers);
    let over = Arc::new(AtomicBool::new(false));
    let callers: Vec<_> = (0..CALLERS)
        .map(|caller| tokio::spawn(call(caller, balancer.clone(), over.clone())))
        .collect();
    for index in 0..2 {
        restart(&mut workers[index]).await;
        restart(&mut servers[index]).await;
        balancer.moved(index, servers[index].api.clone());
        until("the balancer sees it again", async || {
            balancer.sends_to(index)
        })
        .await;
    }
    over.store(true, Ordering::Relaxed);
    let mut service = raw::temporal(&cluster.temporal()).await.unwrap();
    let mut ran = 0;
    for caller in callers {
        for id in caller.await.unwrap().unwrap() {
            let history = history(&mut service, &format!("acme/production/{id}")).await;
            let failed = failed_tasks(&history.unwrap());
            assert!(failed.is_empty(), "{id}: {failed:?}");
            ran += 1;
        }
    }
    looking.abort();
    eprintln!("{ran} executions, no request twice");
    assert!(ran > 10 * CALLERS, "too little load to tell: {ran}");
}

#[tokio::test]
async fn a_host_says_that_it_stops_before_it_takes_no_more_requests() {
    let cluster = Cluster::start().await.unwrap();
    let mut host = cluster
        .host_with("host", "all", &[("TENTERHOOK_STOP_NOTICE", "5s")])
        .await
        .unwrap();
    let api = host.api.clone();
    host.ask_to_stop().unwrap();
    until("it says so", async || {
        let answer = api.get("/readyz").await.unwrap();
        answer.code() == Some("host-stopping")
    })
    .await;
    // New connections are taken still, and what they ask is answered.
    let answer = api.reconnected().get("/v1/tenants").await.unwrap();
    assert!(answer.status.is_success(), "{answer:?}");
    assert!(host.end().await.unwrap());
}
