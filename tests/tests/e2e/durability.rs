//! Nothing is lost when processes die, and nothing in flight changes its code.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tenterhook_tests::{
    dev_server,
    host::{Host, World, guest, target_dir},
};

use crate::shared::{Shop, payment};

/// Payments that are under way while the host is killed again and again.
const PAYMENTS: u32 = 50;
const KILLS: u32 = 20;

/// What becomes of payment `number`: a third each is shipped, declined, and charged but impossible to ship.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Fate {
    Shipped,
    Declined,
    Refunded,
}

fn fate(number: u32) -> Fate {
    [Fate::Shipped, Fate::Declined, Fate::Refunded][number as usize % 3]
}

fn fated(number: u32) -> Value {
    let method = if fate(number) == Fate::Declined {
        "card_declined"
    } else {
        "card_ok"
    };
    let mut input = payment(number, method);
    if fate(number) == Fate::Refunded {
        input["items"] = json!([{ "sku": "unshippable", "quantity": 1 }]);
    }
    input
}

#[tokio::test]
async fn a_host_killed_again_and_again_loses_no_payment_and_charges_each_once() {
    let data = tempfile::tempdir().unwrap();
    let mut host = Host::start(data.path()).await.unwrap();
    let mut shop = Shop::open(World::make(&host.api, "acme").await.unwrap(), "acme").await;
    // Every provider call takes a while, so that a kill finds calls under way.
    let slow = json!({ "delay_ms": 150 });
    let switches = json!({ "charges": slow, "refunds": slow, "reservations": slow, "releases": slow, "orders": slow, "shipments": slow });
    shop.switch(&switches).await;
    let mut started = 0;
    for kill in 1..=KILLS {
        // New ones join for every kill: those that an earlier one cut off wait for their attempt's time-out.
        let calls = calls(&shop).await;
        while started < PAYMENTS * kill / KILLS {
            let id = format!("p-{started}");
            let input = fated(started);
            shop.world
                .start("payment.ProcessPayment", &id, input)
                .await
                .unwrap();
            started += 1;
        }
        // A moment in the work, each time a later one: so many calls further.
        calls_reach(&shop, calls + u64::from(1 + kill % 7)).await;
        let newest = shop
            .world
            .describe(&format!("p-{}", started - 1))
            .await
            .unwrap();
        assert_eq!(
            newest["status"], "running",
            "kill {kill} would hit an idle host"
        );
        host.kill().unwrap();
        host.restart().await.unwrap();
        shop.world.api = host.api.clone();
    }
    assert_eq!(started, PAYMENTS);
    let mut cut_off = 0;
    for number in 0..PAYMENTS {
        let id = format!("p-{number}");
        let outcome = end_of(&shop.world, &id).await;
        let expected = if fate(number) == Fate::Shipped {
            "completed"
        } else {
            "failed"
        };
        assert_eq!(outcome["status"], expected, "{id}: {outcome:#}");
        let events = shop.world.events(&id).await.unwrap();
        cut_off += usize::from(events.iter().any(|event| {
            event["type"] == "WorkflowTaskTimedOut" || event["attempt"].as_u64() > Some(1)
        }));
    }
    assert!(
        cut_off >= KILLS as usize / 2,
        "only {cut_off} payments were cut off by a kill"
    );
    check_books(&shop.books().await);
}

/// Calls that the providers have had.
async fn calls(shop: &Shop) -> u64 {
    let books = shop.books().await;
    let counts = books["counts"].as_object().unwrap();
    counts
        .values()
        .filter_map(|count| count["calls"].as_u64())
        .sum()
}

async fn calls_reach(shop: &Shop, wanted: u64) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while calls(shop).await < wanted {
        assert!(Instant::now() < deadline, "the payments stand still");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// An attempt that died with its host is tried again after its time-out, so the end may take minutes.
async fn end_of(world: &World, id: &str) -> Value {
    for _ in 0..6 {
        let path = world.path(&format!("workflows/{id}/result?wait=60s"));
        let outcome = world.api.get(&path).await.unwrap().ok().unwrap();
        if outcome["status"] != "running" {
            return outcome;
        }
    }
    panic!("{id} does not end: {:#}", world.describe(id).await.unwrap());
}

fn check_books(books: &Value) {
    let list = |what: &str| books[what].as_array().unwrap().clone();
    let of = |what: &str, key: &str, id: String| -> Vec<Value> {
        list(what)
            .into_iter()
            .filter(|entry| entry[key] == id)
            .collect()
    };
    for number in 0..PAYMENTS {
        let fate = fate(number);
        let charges = of("charges", "payment_id", format!("p-{number}"));
        let shipments = of("shipments", "order_id", format!("o-{number}"));
        let reservations = of("reservations", "order_id", format!("o-{number}"));
        assert_eq!(
            charges.len(),
            usize::from(fate != Fate::Declined),
            "charges of {number}: {fate:?}"
        );
        assert_eq!(
            shipments.len(),
            usize::from(fate == Fate::Shipped),
            "shipments of {number}"
        );
        assert_eq!(reservations.len(), 1, "reservations of {number}");
        assert_eq!(
            reservations[0]["released"],
            fate != Fate::Shipped,
            "payment {number}"
        );
        for charge in charges {
            let refunds = of(
                "refunds",
                "charge_id",
                charge["charge_id"].as_str().unwrap().to_owned(),
            );
            assert_eq!(
                refunds.len(),
                usize::from(fate == Fate::Refunded),
                "refunds of {number}"
            );
        }
    }
}

#[tokio::test]
async fn a_run_stays_on_its_release_across_a_push_and_a_crash() {
    let data = tempfile::tempdir().unwrap();
    let mut host = Host::start(data.path()).await.unwrap();
    let mut world = World::make(&host.api, "acme").await.unwrap();
    let first = world
        .push("test-pin", guest("test-pin-v1").unwrap())
        .await
        .unwrap();
    world
        .start("test-pin.Versioned", "old", Value::Null)
        .await
        .unwrap();
    world
        .until("old", |seen| seen["digest"] == json!(first))
        .await
        .unwrap();

    let second = world
        .push("test-pin", guest("test-pin-v2").unwrap())
        .await
        .unwrap();
    assert_ne!(first, second);
    let current = world.path("plugins/test-pin/current");
    world
        .api
        .put(&current, &json!({ "digest": second }))
        .await
        .unwrap()
        .ok()
        .unwrap();
    host.kill().unwrap();
    host.restart().await.unwrap();
    world.api = host.api.clone();

    world.signal("old", "go", Value::Null).await.unwrap();
    let old = world.outcome("old").await.unwrap();
    assert_eq!(
        (&old["status"], &old["result"]),
        (&json!("completed"), &json!("v1 with activity v1")),
        "{old:#}"
    );
    assert_eq!(world.describe("old").await.unwrap()["digest"], json!(first));

    world
        .start("test-pin.Versioned", "new", Value::Null)
        .await
        .unwrap();
    world.signal("new", "go", Value::Null).await.unwrap();
    let new = world.outcome("new").await.unwrap();
    assert_eq!(
        (&new["status"], &new["result"]),
        (&json!("completed"), &json!("v2 with activity v2")),
        "{new:#}"
    );
    world
        .until("new", |seen| seen["digest"] == json!(second))
        .await
        .unwrap();
}

#[tokio::test]
async fn sleeping_workflows_answer_within_seconds_of_a_crash() {
    const SLEEPERS: usize = 5;
    let (server_data, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    // A server that outlives the host: it still believes in the dead host's own queue.
    let server = dev_server::start(server_data.path()).await.unwrap();
    let mut host = Host::serve(data.path(), &server.address().to_string())
        .await
        .unwrap();
    let mut world = World::make(&host.api, "acme").await.unwrap();
    world
        .push("test-pin", guest("test-pin-v1").unwrap())
        .await
        .unwrap();
    for number in 0..SLEEPERS {
        let id = format!("s-{number}");
        world
            .start("test-pin.Versioned", &id, Value::Null)
            .await
            .unwrap();
        // Start, timer, and the task after it: from then on it waits for nothing but the signal.
        world
            .until(&id, |seen| seen["history_length"].as_u64() >= Some(9))
            .await
            .unwrap();
    }
    host.kill().unwrap();
    host.restart().await.unwrap();
    world.api = host.api.clone();
    for number in 0..SLEEPERS {
        let id = format!("s-{number}");
        let asked = Instant::now();
        world.signal(&id, "go", Value::Null).await.unwrap();
        assert_eq!(world.outcome(&id).await.unwrap()["status"], "completed");
        // The bound that is promised. Core's own time-out of the dead host's queue would take 10 s.
        assert!(
            asked.elapsed() < Duration::from_secs(3),
            "{id} took {:?}",
            asked.elapsed()
        );
    }
}

#[tokio::test]
async fn a_killed_temporal_server_is_started_again_and_workflows_go_on() {
    let data = tempfile::tempdir().unwrap();
    let host = Host::start(data.path()).await.unwrap();
    let world = World::make(&host.api, "acme").await.unwrap();
    world
        .push("test-pin", guest("test-pin-v1").unwrap())
        .await
        .unwrap();
    world.start_pinned("w").await.unwrap();
    kill_child_of(host.pid());
    let deadline = Instant::now() + Duration::from_secs(30);
    while world.signal("w", "go", Value::Null).await.is_err() {
        assert!(
            Instant::now() < deadline,
            "no signal got through within 30 s:\n{}",
            host.log()
        );
    }
    assert_eq!(world.outcome("w").await.unwrap()["status"], "completed");
    assert!(
        host.log().contains("died: starting it again"),
        "{}",
        host.log()
    );
}

/// Kills the host's one child: the embedded Temporal server.
fn kill_child_of(pid: u32) {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    let all: Vec<i32> = std::fs::read_dir(format!("/proc/{pid}/task"))
        .unwrap()
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("children")).ok())
        .flat_map(|list| {
            list.split_whitespace()
                .filter_map(|id| id.parse().ok())
                .collect::<Vec<i32>>()
        })
        .collect();
    assert_eq!(
        all.len(),
        1,
        "the host has other children: {children:?} {all:?}"
    );
    // SAFETY: the process is the host's child, which does not reap it before we signal: the id is its own.
    #[allow(unsafe_code)]
    let sent = unsafe { libc::kill(all[0], libc::SIGKILL) };
    assert_eq!(sent, 0);
}

#[tokio::test]
async fn a_host_that_is_asked_to_stop_ends_well_and_goes_on_later() {
    let data = tempfile::tempdir().unwrap();
    let mut host = Host::start(data.path()).await.unwrap();
    let mut world = World::make(&host.api, "acme").await.unwrap();
    world
        .push("test-pin", guest("test-pin-v1").unwrap())
        .await
        .unwrap();
    world
        .start("test-pin.Versioned", "w", Value::Null)
        .await
        .unwrap();
    let second = tokio::process::Command::new(target_dir().join("debug/tenterhook"))
        .args(["dev", "--data-dir"])
        .arg(data.path())
        .output();
    let second = second.await.unwrap();
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(
        !second.status.success() && said.contains("data-dir-locked"),
        "{said}"
    );
    assert!(host.stop().await.unwrap(), "{}", host.log());
    host.restart().await.unwrap();
    world.api = host.api.clone();
    world.signal("w", "go", Value::Null).await.unwrap();
    assert_eq!(world.outcome("w").await.unwrap()["status"], "completed");
}

#[tokio::test]
async fn a_stop_waits_no_longer_than_it_may_for_an_attempt_that_never_ends() {
    let data = tempfile::tempdir().unwrap();
    let mut host = Host::start_with(data.path(), &["--drain-timeout", "2s"])
        .await
        .unwrap();
    let mut world = World::make(&host.api, "acme").await.unwrap();
    world.push_guest("test-workflows").await.unwrap();
    world.push_guest("test-hostile").await.unwrap();
    world
        .grant_plugin("test-workflows", "test-hostile")
        .await
        .unwrap();
    // Ten minutes are far more than `stop` waits, so that an end is the drain's doing.
    let input = json!({
        "activity": "test-hostile.Spin",
        "start_to_close_ms": 600_000,
        "attempts": 5,
        "retry_initial_ms": 10,
    });
    world
        .start("test-workflows.RunsActivity", "spin", input)
        .await
        .unwrap();
    let running = |seen: &Value| seen["pending_activities"][0]["attempt"] == 1;
    world.until("spin", running).await.unwrap();
    // An attempt that was asked for later has ended, so the first is under way and not only scheduled.
    let echo = json!({ "activity": "Echo", "input": 1, "start_to_close_ms": 60_000 });
    let echoed = world
        .execute("test-workflows.RunsActivity", "echo", echo)
        .await
        .unwrap();
    assert_eq!(echoed["status"], "completed", "{echoed:#}");
    assert!(host.stop().await.unwrap(), "{}", host.log());
    // It was answered for before the host ended: the next attempt does not wait for the first one's time-out.
    host.restart().await.unwrap();
    world.api = host.api.clone();
    let again = |seen: &Value| seen["pending_activities"][0]["attempt"].as_u64() >= Some(2);
    world.until("spin", again).await.unwrap();
}
