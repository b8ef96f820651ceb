//! Quotas of tenants and the limits of what a plugin has under way, on the real server.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tenterhook_tests::host::{Answer, Host, World};

use crate::{
    failures::chain_of,
    features::{completed, event, tenant},
    shared::world,
    walls::check_counted,
};

const HOSTILE: &str = "test-hostile";
/// How long what is closed may still count as open.
const COUNTED_WITHIN: Duration = Duration::from_secs(30);

async fn set_quotas(world: &World, tenant: &str, quotas: Value) {
    let path = format!("/v1/tenants/{tenant}/quotas");
    world.api.put(&path, &quotas).await.unwrap().ok().unwrap();
}

async fn try_start(world: &World, id: &str) -> Answer {
    let body = json!({"type": "test-pin.Versioned", "id": id, "input": null});
    let path = world.path("workflows");
    world.api.post(&path, &body).await.unwrap()
}

fn check_refused(answer: &Answer, quota: &str) {
    let found = (answer.status.as_u16(), answer.code());
    assert_eq!(found, (429, Some("quota-exceeded")), "{answer:?}");
    let detail = answer.body["detail"].as_str().unwrap();
    assert!(detail.contains(quota), "{detail}");
}

/// A tenant with a plugin whose executions wait for a signal.
async fn waiting(name: &str) -> World {
    let world = world(name).await;
    let component = tenterhook_tests::host::guest("test-pin-v1").unwrap();
    world.push("test-pin", component).await.unwrap();
    world
}

#[tokio::test]
async fn what_is_over_the_rate_of_a_tenant_is_refused_and_never_started() {
    let world = waiting("quota-rate").await;
    let neighbour = waiting("quota-rate-neighbour").await;
    let quotas = json!({"starts_per_second": 1, "starts_burst": 2});
    set_quotas(&world, "quota-rate", quotas).await;
    let mut started = 0;
    for number in 0..20 {
        let answer = try_start(&world, &format!("r{number}")).await;
        match answer.status.as_u16() {
            202 => started += 1,
            _ => {
                check_refused(&answer, "starts_per_second");
                let path = world.path(&format!("workflows/r{number}"));
                let seen = world.api.get(&path).await.unwrap();
                assert_eq!(seen.code(), Some("workflow-not-found"));
            }
        }
        let answer = try_start(&neighbour, &format!("n{number}")).await;
        assert_eq!(answer.status, 202, "{answer:?}");
    }
    assert!((2..20).contains(&started), "{started}");
}

#[tokio::test]
async fn a_tenant_has_so_many_executions_open_and_gets_their_places_back() {
    let world = waiting("quota-open").await;
    set_quotas(&world, "quota-open", json!({"open_executions": 3})).await;
    for number in 0..3 {
        let answer = try_start(&world, &format!("o{number}")).await;
        assert_eq!(answer.status, 202, "{answer:?}");
    }
    check_refused(&try_start(&world, "o3").await, "open_executions");
    let end = world.path("workflows/o0/terminate");
    let ended = world.api.post(&end, &json!({"reason": "room"})).await;
    ended.unwrap().ok().unwrap();
    let deadline = Instant::now() + COUNTED_WITHIN;
    loop {
        let answer = try_start(&world, "o4").await;
        if answer.status == 202 {
            break;
        }
        check_refused(&answer, "open_executions");
        assert!(Instant::now() < deadline, "{answer:?}");
        // Temporal's count is an external thing: it is asked every two seconds.
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    // Once Temporal has counted them, other places are not given away.
    check_refused(&try_start(&world, "o5").await, "open_executions");
}

#[tokio::test]
async fn a_run_has_so_much_under_way_and_no_longer_history() {
    let world = world("limits-of-runs").await;
    world.push_guest(HOSTILE).await.unwrap();
    let limits = json!({
        "pending_timers": 3, "pending_activities": 4, "pending_children": 2, "history_events": 100
    });
    let grants = json!({ "limits": limits });
    world.grant(HOSTILE, &grants).await.unwrap();
    let cases = [
        (
            "PilesUpTimers",
            json!(4),
            "guest-too-many-pending",
            "pending_timers = 3",
        ),
        (
            "PilesUpActivities",
            json!(5),
            "guest-too-many-pending",
            "pending_activities = 4",
        ),
        (
            "PilesUpChildren",
            json!(3),
            "guest-too-many-pending",
            "pending_children = 2",
        ),
        (
            "NeverEnds",
            Value::Null,
            "guest-history-too-long",
            "history_events = 100",
        ),
    ];
    for (name, input, code, says) in cases {
        let workflow_type = format!("{HOSTILE}.{name}");
        world.start(&workflow_type, name, input).await.unwrap();
        let failed = event(&world, name, "WorkflowTaskFailed").await;
        let reason = failed["failure"].as_str().unwrap_or_default();
        for part in [code, says, "raise"] {
            assert!(reason.contains(part), "{name}: {part}: {failed:#}");
        }
        // Others go on beside it.
        let id = format!("beside-{name}");
        world
            .start("test-hostile.Behaves", &id, json!("abc"))
            .await
            .unwrap();
        assert_eq!(completed(&world, &id).await, 3);
    }
    for limit in [
        "pending_timers",
        "pending_activities",
        "pending_children",
        "history_events",
    ] {
        check_counted(&world, "limits-of-runs", HOSTILE, limit).await;
    }
    // What is just within its limit ends; and what was beyond goes on once the limit is raised.
    world
        .start("test-hostile.PilesUpActivities", "within", json!(4))
        .await
        .unwrap();
    completed(&world, "within").await;
    world
        .grant(HOSTILE, &json!({"limits": {"pending_activities": 5}}))
        .await
        .unwrap();
    completed(&world, "PilesUpActivities").await;
}

#[tokio::test]
async fn a_tenant_has_its_own_ceiling_and_its_plugins_the_lower_of_both() {
    let world = world("limits-of-tenants").await;
    world.push_guest(HOSTILE).await.unwrap();
    let grants = json!({"limits": {"pending_timers": 100}});
    world.grant(HOSTILE, &grants).await.unwrap();
    let path = "/v1/tenants/limits-of-tenants/limits";
    let policy = json!({"ceilings": {"pending_timers": 5}});
    world.api.put(path, &policy).await.unwrap().ok().unwrap();
    world
        .start("test-hostile.PilesUpTimers", "t", json!(6))
        .await
        .unwrap();
    let failed = event(&world, "t", "WorkflowTaskFailed").await;
    let reason = failed["failure"].as_str().unwrap_or_default();
    assert!(reason.contains("pending_timers = 5"), "{failed:#}");
}

#[tokio::test]
async fn a_host_gives_no_more_than_it_was_told_to() {
    let data = tempfile::tempdir().unwrap();
    let host = Host::start_with(data.path(), &["--limit", "pending_timers=7"])
        .await
        .unwrap();
    let world = World::make(&host.api, "acme").await.unwrap();
    world.push_guest(HOSTILE).await.unwrap();
    let path = world.path("plugins/test-hostile/limits");
    let shown = host.api.get(&path).await.unwrap().ok().unwrap();
    let rows = shown["items"].as_array().unwrap();
    let row = rows.iter().find(|row| row["name"] == "pending_timers");
    let row = row.unwrap();
    assert_eq!(
        (&row["value"], &row["source"]),
        (&json!(7), &json!("host-ceiling"))
    );
    world
        .start("test-hostile.PilesUpTimers", "t", json!(8))
        .await
        .unwrap();
    let failed = event(&world, "t", "WorkflowTaskFailed").await;
    let reason = failed["failure"].as_str().unwrap_or_default();
    assert!(reason.contains("pending_timers = 7"), "{failed:#}");
}

#[tokio::test]
async fn a_plugin_keeps_no_more_than_it_may() {
    let world = tenant("limits-of-state").await;
    let add = async |id: &str, input: u64| {
        let chain = chain_of(&world, id, "AddToCounter", json!(input)).await;
        chain.last().map(Value::to_string).unwrap_or_default()
    };
    assert_eq!(add("fits", 1).await, "");
    for (limit, value) in [
        ("keyvalue_key_bytes", 1),
        ("keyvalue_keys", 1),
        ("keyvalue_bytes", 5),
        ("keyvalue_per_second", 0),
    ] {
        let grants = json!({"keyvalue": true, "limits": {limit: value}});
        world.grant(crate::features::PLUGIN, &grants).await.unwrap();
        // A longer value than there is.
        let failure = add(limit, 100_000).await;
        for part in [
            "keyvalue-limit-exceeded",
            &format!("{limit} is {value}"),
            "raise",
        ] {
            assert!(failure.contains(part), "{part}: {failure}");
        }
        check_counted(&world, "limits-of-state", crate::features::PLUGIN, limit).await;
    }
    // What is no more than there is may be written, also by who has too much.
    let grants = json!({"keyvalue": true, "limits": {"keyvalue_keys": 1}});
    world.grant(crate::features::PLUGIN, &grants).await.unwrap();
    assert_eq!(add("no more", 2).await, "");
}
