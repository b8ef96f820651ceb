//! Activities that misbehave fail with the code of what they did, and disturb nobody.

use serde_json::{Value, json};
use tenterhook_tests::host::{Host, World};

use super::chain_of;
use crate::features::{completed, event, once, refused, result_of, start, tenant, waits};

const PLUGIN: &str = "test-hostile";

/// More than a payload may have.
const TOO_MANY_BYTES: u32 = 3 * 1024 * 1024;

/// A tenant with the guest that runs any activity, and the one whose activities misbehave.
async fn hostile(name: &str, limits: &Value) -> World {
    let world = tenant(name).await;
    world.push_guest(PLUGIN).await.unwrap();
    world.grant_plugin("test-workflows", PLUGIN).await.unwrap();
    world
        .grant(PLUGIN, &json!({ "limits": limits }))
        .await
        .unwrap();
    world
}

#[tokio::test]
async fn a_hostile_activity_fails_with_the_code_of_what_it_did() {
    let limits = json!({ "activity_millis": 2_000, "memory_bytes": 16_777_216 });
    let world = hostile("hostile-activities", &limits).await;
    let neighbour = tenant("hostile-activities-neighbour").await;
    let cases = [
        ("Panic", json!("on purpose"), "guest-trapped", "on purpose"),
        ("Overflow", Value::Null, "guest-trapped", "stack"),
        ("Spin", Value::Null, "guest-deadline-exceeded", "2000 ms"),
        (
            "Sleep",
            json!(600_000),
            "guest-deadline-exceeded",
            "2000 ms",
        ),
        ("Grow", Value::Null, "guest-memory-exceeded", "16777216"),
        (
            "HugeResult",
            json!(TOO_MANY_BYTES),
            "guest-payload-too-large",
            "2093056",
        ),
        (
            "HugeHeartbeat",
            json!(TOO_MANY_BYTES),
            "guest-payload-too-large",
            "heartbeat",
        ),
    ];
    for (name, input, code, word) in cases {
        let chain = chain_of(
            &world,
            &format!("h-{name}"),
            &format!("{PLUGIN}.{name}"),
            input,
        )
        .await;
        let failure = chain.last().unwrap();
        assert_eq!(failure["kind"], code, "{name}: {failure:#}");
        let message = failure["message"].as_str().unwrap();
        assert!(
            message.starts_with(&format!("[{code}] ")),
            "{name}: {message}"
        );
        assert!(message.contains(word), "{name}: {message}");
        // Another time it could go well: whether to try again is the policy's to say.
        assert_eq!(failure["non_retryable"], false, "{name}: {failure:#}");
        let echoed = result_of(&neighbour, "RunsActivity", name, once("Echo", json!(name))).await;
        assert_eq!(echoed["result"], name);
    }
    // The caller of a workflow that fails for it reads the same code.
    let mut run = once(&format!("{PLUGIN}.Panic"), json!("in public"));
    run["fails"] = json!(true);
    start(&world, "RunsActivity", "public", run).await;
    let outcome = world.outcome("public").await.unwrap();
    assert_eq!(outcome["failure"]["type"], "guest-trapped", "{outcome:#}");
    let message = outcome["failure"]["message"].as_str().unwrap();
    assert!(message.contains("in public"), "{outcome:#}");
}

/// More than there are cores.
const SPINNERS: usize = 8;

#[tokio::test]
async fn spinning_activities_hold_nobody_up() {
    // On a host of its own: what spins for ten minutes would keep the other tests' activities waiting.
    let data = tempfile::tempdir().unwrap();
    let host = Host::start(data.path()).await.unwrap();
    let world = World::make(&host.api, "acme").await.unwrap();
    world.push_guest("test-workflows").await.unwrap();
    world.push_guest(PLUGIN).await.unwrap();
    world.grant_plugin("test-workflows", PLUGIN).await.unwrap();
    for number in 0..SPINNERS {
        let mut run = once(&format!("{PLUGIN}.Spin"), Value::Null);
        run["start_to_close_ms"] = json!(600_000);
        start(&world, "RunsActivity", &format!("spin-{number}"), run).await;
    }
    for number in 0..SPINNERS {
        let begun = |seen: &Value| seen["pending_activities"][0]["attempt"] == 1;
        world.until(&format!("spin-{number}"), begun).await.unwrap();
    }
    for number in 0..10 {
        let id = format!("behaves-{number}");
        world
            .start("test-hostile.Behaves", &id, json!("abc"))
            .await
            .unwrap();
        assert_eq!(completed(&world, &id).await, 3);
    }
    // All that went on while they did.
    for number in 0..SPINNERS {
        let seen = world.describe(&format!("spin-{number}")).await.unwrap();
        assert_eq!(seen["status"], "running", "{seen:#}");
    }
}

#[tokio::test]
async fn floods_of_heartbeats_and_log_lines_are_dammed() {
    let world = hostile("hostile-floods", &json!({})).await;
    for (name, count) in [("FloodHeartbeats", 100_000), ("FloodLog", 100_000)] {
        let mut run = once(&format!("{PLUGIN}.{name}"), json!(count));
        run["heartbeat_ms"] = json!(10_000);
        let ran = result_of(&world, "RunsActivity", name, run).await;
        assert_eq!(ran, json!({ "result": null, "failure": [] }), "{name}");
    }
    world
        .start("test-hostile.FloodsLog", "log", Value::Null)
        .await
        .unwrap();
    assert_eq!(completed(&world, "log").await, Value::Null);
}

#[tokio::test]
async fn a_handler_that_dies_takes_its_task_along_and_nothing_else() {
    let limits = json!({ "activation_fuel": 50_000_000 });
    let world = hostile("hostile-handlers", &limits).await;
    let cases = [
        ("PanicsInQuery", "guest-trapped"),
        ("SpinsInQuery", "guest-fuel-exhausted"),
    ];
    for (name, code) in cases {
        world
            .start(&format!("{PLUGIN}.{name}"), name, Value::Null)
            .await
            .unwrap();
        // Asked together with the first task, the query would take that along, and be asked again with the next.
        waits(&world, name).await;
        let answer = world.query(name, "answer", Value::Null).await.unwrap();
        let detail = refused(&answer, "query-failed");
        assert!(detail.contains(code), "{name}: {detail}");
        // A query's death is in no history, and the workflow ends as it should.
        world.signal(name, "finish", Value::Null).await.unwrap();
        completed(&world, name).await;
    }
    world
        .start("test-hostile.PanicsOnSignal", "signal", Value::Null)
        .await
        .unwrap();
    waits(&world, "signal").await;
    world.signal("signal", "go", Value::Null).await.unwrap();
    let failed = event(&world, "signal", "WorkflowTaskFailed").await;
    let reason = failed["failure"].as_str().unwrap_or_default();
    assert!(
        reason.contains("guest-trapped") && reason.contains("on purpose"),
        "{failed:#}"
    );
    assert_eq!(world.describe("signal").await.unwrap()["status"], "running");
}

#[tokio::test]
async fn a_guests_queue_and_anothers_plugin_are_not_reached() {
    let world = hostile("hostile-stranger", &json!({})).await;
    let theirs = crate::shared::world("hostile-stranger-theirs").await;
    theirs.push_guest("payment").await.unwrap();
    world
        .start("test-hostile.CallsStranger", "s", Value::Null)
        .await
        .unwrap();
    let failed = event(&world, "s", "WorkflowTaskFailed").await;
    let reason = failed["failure"].as_str().unwrap_or_default();
    assert!(reason.contains("command-refused"), "{failed:#}");
    let granted = json!({ "plugins": ["payment"] });
    world.grant(PLUGIN, &granted).await.unwrap();
    let outcome = world.outcome("s").await.unwrap();
    assert_eq!(outcome["status"], "failed", "{outcome:#}");
    // Their `payment` is not ours: in this scope there is none.
    let text = outcome["failure"].to_string();
    assert!(text.contains("plugin-not-found"), "{outcome:#}");
}
