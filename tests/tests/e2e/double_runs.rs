//! Runs that are repeated while their release serves: what is found of code that does not do the same twice, although
//! the check of its push did not get so far.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tenterhook_tests::host::{Host, World, guest};

use crate::shared::world;

const HOSTILE: &str = "test-hostile";
/// How long the host may take until it has repeated a run: a thread of low priority does it.
const REPEATED_WITHIN: Duration = Duration::from_secs(60);

/// Looks at `look` until it answers something.
async fn until<T>(what: &str, look: impl AsyncFn() -> Option<T>) -> T {
    let deadline = Instant::now() + REPEATED_WITHIN;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "{what} in time");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn release(world: &World, plugin: &str, digest: &str) -> Value {
    let path = world.path(&format!("plugins/{plugin}/releases/{digest}"));
    world.api.get(&path).await.unwrap().ok().unwrap()
}

/// How many runs of the tenant's plugin came to `outcome`.
async fn repeated(world: &World, tenant: &str, plugin: &str, outcome: &str) -> u64 {
    let seen = world.api.get("/metrics").await.unwrap();
    let text = seen.body.as_str().unwrap_or_default();
    let series = format!(
        "tenterhook_double_runs_total{{outcome=\"{outcome}\",plugin=\"{plugin}\",tenant=\"{tenant}\"}} "
    );
    let value = text.lines().find_map(|line| line.strip_prefix(&series));
    value.map_or(0, |value| value.parse().unwrap())
}

/// Runs `workflow_type`, which waits for `go`, to its end.
async fn run(world: &World, workflow_type: &str, id: &str) {
    let name = format!("{HOSTILE}.{workflow_type}");
    world.start(&name, id, Value::Null).await.unwrap();
    world
        .until(id, |seen| seen["digest"].is_string())
        .await
        .unwrap();
    world.signal(id, "go", Value::Null).await.unwrap();
    let outcome = world.outcome(id).await.unwrap();
    assert_eq!(outcome["status"], "completed", "{outcome}");
}

#[tokio::test]
async fn who_decides_by_being_replayed_is_found_while_it_serves() {
    let tenant = "double-replay";
    let world = world(tenant).await;
    let digest = world.push_guest(HOSTILE).await.unwrap();
    let before = release(&world, HOSTILE, &digest).await;
    assert_eq!(before["state"], "current", "it passed its checks");
    assert_eq!(before["double_run"], Value::Null);

    run(&world, "DecidesByReplay", "first").await;
    let found = until("a finding", async || {
        let found = release(&world, HOSTILE, &digest).await["double_run"].clone();
        found.is_object().then_some(found)
    })
    .await;
    assert_eq!(found["code"], "component-not-deterministic");
    assert_eq!(found["workflow_type"], "DecidesByReplay");
    assert_eq!(found["workflow_id"], "first");
    assert_eq!(
        (&found["activation"], &found["command"]),
        (&json!(2), &json!(1))
    );
    assert_eq!(found["expected"], "StartTimer 0.010 s");
    assert_eq!(found["actual"], "StartTimer 0.020 s");

    // A second one is counted, and not told of once more.
    run(&world, "DecidesByReplay", "second").await;
    until("a second difference", async || {
        let differs = repeated(&world, tenant, HOSTILE, "differs").await;
        (differs == 2).then_some(())
    })
    .await;
    let path = world.path(&format!("plugins/{HOSTILE}/audit?limit=100"));
    let log = world.api.get(&path).await.unwrap().ok().unwrap();
    let told = log["items"].as_array().unwrap().iter();
    let told: Vec<_> = told
        .filter(|entry| entry["action"] == "non-deterministic")
        .collect();
    assert_eq!(told.len(), 1, "{log:#}");
    assert_eq!(told[0]["who"], "host:double-run");
    assert_eq!(told[0]["digest"], json!(digest));
    let after = release(&world, HOSTILE, &digest).await;
    assert_eq!(after["double_run"], found);
}

#[tokio::test]
async fn a_query_that_counts_in_a_static_is_found() {
    let world = world("double-query").await;
    let digest = world.push_guest(HOSTILE).await.unwrap();
    let id = "asked";
    world
        .start(&format!("{HOSTILE}.CountsQuestions"), id, Value::Null)
        .await
        .unwrap();
    for number in [1, 2] {
        let answer = world.query(id, "answer", Value::Null).await.unwrap();
        let answer = answer.ok().unwrap();
        assert_eq!(answer["result"], json!(number), "{answer}");
    }
    world.signal(id, "go", Value::Null).await.unwrap();
    assert_eq!(world.outcome(id).await.unwrap()["status"], "completed");
    let found = until("a finding", async || {
        let found = release(&world, HOSTILE, &digest).await["double_run"].clone();
        found.is_object().then_some(found)
    })
    .await;
    assert_eq!(found["workflow_type"], "CountsQuestions");
    assert_eq!(found["expected"], "StartTimer 0.012 s");
    assert_eq!(found["actual"], "StartTimer 0.010 s");
}

#[tokio::test]
async fn who_does_the_same_twice_has_no_finding() {
    let tenant = "double-good";
    let world = world(tenant).await;
    let bench = world.push_guest("bench").await.unwrap();
    let pin = world
        .push("test-pin", guest("test-pin-v1").unwrap())
        .await
        .unwrap();
    for number in 0..5 {
        let id = format!("b-{number}");
        let outcome = world.execute("bench.OneActivity", &id, json!(1)).await;
        assert_eq!(outcome.unwrap()["status"], "completed");
    }
    world.start_pinned("p-1").await.unwrap();
    world.signal("p-1", "go", Value::Null).await.unwrap();
    world.outcome("p-1").await.unwrap();
    for (plugin, runs) in [("bench", 5), ("test-pin", 1)] {
        until("all repeated", async || {
            (repeated(&world, tenant, plugin, "same").await == runs).then_some(())
        })
        .await;
    }
    for (plugin, digest) in [("bench", bench), ("test-pin", pin)] {
        assert_eq!(repeated(&world, tenant, plugin, "differs").await, 0);
        let release = release(&world, plugin, &digest).await;
        assert_eq!(release["double_run"], Value::Null);
    }
}

/// Whatever a run asks of the standard library, hash maps, clocks and addresses among it: it is answered the same again.
#[tokio::test]
async fn what_the_standard_library_answers_is_the_same_again() {
    const STD: &str = "test-std";
    let tenant = "double-std";
    let world = world(tenant).await;
    let digest = world.push_guest(STD).await.unwrap();
    let probes = [
        "system_time",
        "instant",
        "hash_state",
        "hash_order",
        "pointer",
        "stdin",
        "stdout",
        "vars",
        "file_open",
        "spawn",
    ];
    for probe in probes {
        let outcome = world
            .execute(&format!("{STD}.Probe"), probe, json!(probe))
            .await;
        assert_eq!(outcome.unwrap()["status"], "completed", "{probe}");
    }
    let id = "elapsed";
    let workflow_type = format!("{STD}.Elapsed");
    let outcome = world.execute(&workflow_type, id, Value::Null);
    let outcome = outcome.await.unwrap();
    assert_eq!(outcome["status"], "completed", "{outcome}");
    until("all repeated", async || {
        let same = repeated(&world, tenant, STD, "same").await;
        (same == 1 + probes.len() as u64).then_some(())
    })
    .await;
    for other in ["differs", "unknown", "dropped"] {
        assert_eq!(repeated(&world, tenant, STD, other).await, 0, "{other}");
    }
    let release = release(&world, STD, &digest).await;
    assert_eq!(release["double_run"], Value::Null);
}

/// The names of the host's threads.
fn threads(host: &Host) -> Vec<String> {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", host.pid())).unwrap();
    // One that ended meanwhile has no name.
    let names =
        tasks.filter_map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")).ok());
    names.map(|name| name.trim().to_owned()).collect()
}

#[tokio::test]
async fn with_a_share_of_nothing_no_run_is_repeated() {
    let data = tempfile::tempdir().unwrap();
    let host = Host::start_with(data.path(), &["--double-run-share", "0"])
        .await
        .unwrap();
    let world = World::make(&host.api, "double-none").await.unwrap();
    let digest = world.push_guest(HOSTILE).await.unwrap();
    run(&world, "DecidesByReplay", "unseen").await;
    assert!(
        !threads(&host).contains(&"double-runs".to_owned()),
        "nobody is there to repeat it"
    );
    let seen = world.api.get("/metrics").await.unwrap();
    let text = seen.body.as_str().unwrap_or_default();
    assert!(!text.contains("tenterhook_double_runs_total{"), "{text}");
    let release = release(&world, HOSTILE, &digest).await;
    assert_eq!(release["double_run"], Value::Null);
}
