//! Outbound connections, of which a host has so many: what one tenant holds leaves others theirs.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tenterhook_domain::Code;
use tenterhook_sandbox::ActivityModule;
use tokio::task::JoinSet;

use crate::{
    Place,
    activity::LONG,
    guest,
    outbound::{Access, Answer, Server, charge},
    tally::Counted,
};

/// Of these a tenant's own is one, and two are not lent.
const CONNECTIONS: usize = 8;
const BORROWED_MAX: usize = 6;
/// How long a connection may lie idle before it is closed for that alone.
const IDLE: Duration = Duration::from_secs(30);
/// For what is bounded by nothing but the machine.
const PATIENCE: Duration = Duration::from_secs(60);

async fn until(what: &str, is: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is() {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Has `tenant` ask for many connections to a server that never answers.
fn hold(
    module: &Arc<ActivityModule>,
    server: &Server,
    scope: &'static str,
    number: usize,
) -> JoinSet<String> {
    let mut held = JoinSet::new();
    for _ in 0..number {
        let (module, mut access) = (module.clone(), Access::to(server));
        access.scope = scope;
        held.spawn(async move {
            let ended = charge(&module, &access, LONG).await;
            format!("{ended:?}")
        });
    }
    held
}

#[tokio::test(flavor = "multi_thread")]
async fn a_greedy_tenant_never_takes_the_last_connections() {
    let counted = Arc::<Counted>::default();
    let place = Place::with_connections(CONNECTIONS, counted.clone());
    let module = place.load(&guest("payment")).await.activities().unwrap();
    let silent = Server::start(Answer::Never).await;
    // More than may wait: those beyond are told so.
    let mut greedy = hold(&module, &silent, "greedy/production", 3 * CONNECTIONS);
    until("it takes what is lent", || {
        silent.connections() == BORROWED_MAX
    })
    .await;
    let told = greedy.join_next().await.unwrap().unwrap();
    let code = Code::OutboundConnectionsTaken.as_str();
    assert!(told.contains(code), "{told}");
    assert!(counted.take().contains(&"greedy connection".to_owned()));

    // Others have theirs at once, each its own share of what was kept.
    let server = Server::start(Answer::charged()).await;
    for scope in ["acme/production", "globex/production"] {
        let mut access = Access::to(&server);
        access.scope = scope;
        charge(&module, &access, LONG).await.unwrap().unwrap();
    }
    assert_eq!(server.connections(), 2);
    assert_eq!(silent.connections(), BORROWED_MAX);

    // What ends gives its connection back, and those that waited go on.
    greedy.abort_all();
    while greedy.join_next().await.is_some() {}
    let _others = hold(&module, &silent, "late/production", 2);
    let all = BORROWED_MAX + 2;
    until("connections come back", || silent.connections() >= all).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_give_way_to_a_tenant_that_has_none() {
    let place = Place::with_connections(CONNECTIONS, Arc::<Counted>::default());
    let module = place.load(&guest("payment")).await.activities().unwrap();
    let first_charge = async |scope| {
        let server = Server::start(Answer::charged()).await;
        let mut access = Access::to(&server);
        access.scope = scope;
        charge(&module, &access, LONG).await.unwrap().unwrap();
        server
    };
    // Each server has a connection that stays open after its request.
    let mut servers = Vec::new();
    for _ in 0..BORROWED_MAX {
        servers.push(first_charge("greedy/production").await);
    }
    servers.push(first_charge("acme/production").await);
    servers.push(first_charge("globex/production").await);
    let begun = Instant::now();
    first_charge("late/production").await;
    assert!(begun.elapsed() < IDLE / 2, "{:?}", begun.elapsed());
}
