//! Nothing is lost when processes die, and nothing in flight changes its code.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tenterhook_tests::host::{Host, World, guest, target_dir};

use crate::shared::{Shop, payment};

/// Payments under way while the host is killed again and again.
const PAYMENTS: u32 = 50;
const KILLS: u32 = 20;

#[tokio::test]
async fn a_host_killed_again_and_again_loses_no_payment_and_charges_each_once() {
    let data = tempfile::tempdir().unwrap();
    let mut host = Host::start(data.path()).await.unwrap();
    let mut shop = Shop::open(World::make(&host.api, "acme").await.unwrap(), "acme").await;
    // Every provider call takes a moment, so that kills hit all steps of the saga.
    let slow = json!({ "delay_ms": 40 });
    shop.switch(
        &json!({ "charges": slow, "reservations": slow, "orders": slow, "shipments": slow }),
    )
    .await;
    for number in 0..PAYMENTS {
        let method = if number % 5 == 0 {
            "card_declined"
        } else {
            "card_ok"
        };
        shop.world
            .start(
                "payment.ProcessPayment",
                &format!("p-{number}"),
                payment(number, method),
            )
            .await
            .unwrap();
        if number % 5 == 4 {
            kill_and_restart(&mut host, &mut shop.world, number / 5).await;
        }
    }
    for moment in PAYMENTS / 5..KILLS {
        kill_and_restart(&mut host, &mut shop.world, moment).await;
    }
    for number in 0..PAYMENTS {
        let id = format!("p-{number}");
        let outcome = end_of(&shop.world, &id).await;
        let expected = if number % 5 == 0 {
            "failed"
        } else {
            "completed"
        };
        assert_eq!(outcome["status"], expected, "{id}: {outcome:#}");
    }
    check_books(&shop.books().await);
}

/// Kills the host a little later in its work each time: the moment is spread by the number of the kill.
async fn kill_and_restart(host: &mut Host, world: &mut World, moment: u32) {
    let events_seen = u64::from(5 + moment % 7 * 3);
    let deadline = Instant::now() + Duration::from_secs(5);
    // The moment is one in the work, not one of a clock: some payment's history has grown so long.
    while Instant::now() < deadline {
        let list = world
            .api
            .get(&world.path("workflows?limit=50"))
            .await
            .unwrap()
            .ok()
            .unwrap();
        let items = list["items"].as_array().unwrap();
        let reached = items.iter().any(|item| {
            item["status"] == "running"
                && item["history_length"].as_u64().unwrap_or(0) >= events_seen
        });
        if reached || items.iter().all(|item| item["status"] != "running") && !items.is_empty() {
            break;
        }
    }
    host.kill().unwrap();
    host.restart().await.unwrap();
    world.api = host.api.clone();
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
    let (charges, shipments, reservations) =
        (list("charges"), list("shipments"), list("reservations"));
    for number in 0..PAYMENTS {
        let charged = charges
            .iter()
            .filter(|charge| charge["payment_id"] == format!("p-{number}"))
            .count();
        let shipped = shipments
            .iter()
            .filter(|shipment| shipment["order_id"] == format!("o-{number}"))
            .count();
        let expected = usize::from(number % 5 != 0);
        assert_eq!((charged, shipped), (expected, expected), "payment {number}");
        for reservation in reservations
            .iter()
            .filter(|r| r["order_id"] == format!("o-{number}"))
        {
            assert_eq!(
                reservation["released"],
                expected == 0,
                "payment {number}: {reservation}"
            );
        }
    }
    assert_eq!(list("refunds").len(), 0);
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
    let data = tempfile::tempdir().unwrap();
    let mut host = Host::start(data.path()).await.unwrap();
    let mut world = World::make(&host.api, "acme").await.unwrap();
    world
        .push("test-pin", guest("test-pin-v1").unwrap())
        .await
        .unwrap();
    for number in 0..5 {
        world
            .start("test-pin.Versioned", &format!("s-{number}"), Value::Null)
            .await
            .unwrap();
    }
    for number in 0..5 {
        world
            .until(&format!("s-{number}"), |seen| seen["digest"].is_string())
            .await
            .unwrap();
    }
    host.kill().unwrap();
    host.restart().await.unwrap();
    world.api = host.api.clone();
    for number in 0..5 {
        let id = format!("s-{number}");
        let asked = Instant::now();
        world.signal(&id, "go", Value::Null).await.unwrap();
        assert_eq!(world.outcome(&id).await.unwrap()["status"], "completed");
        // The bound, far from Core's own 10 s: what is tested is that the sticky queue does not hold it.
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
    world
        .start("test-pin.Versioned", "w", Value::Null)
        .await
        .unwrap();
    world
        .until("w", |seen| seen["digest"].is_string())
        .await
        .unwrap();
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
