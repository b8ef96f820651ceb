//! What tenants share of one host and of one Temporal: by weight, and never more memory than there is.

use serde_json::{Value, json};
use temporalio_protos::temporal::api::{
    common::v1::Priority, history::v1::history_event::Attributes,
};
use tenterhook_embedded::EmbeddedTemporal;
use tenterhook_tests::{
    dev_server,
    host::{Host, World},
    raw::{history, temporal},
};

use crate::schedules;

const HOSTILE: &str = "test-hostile";
const MIB: u64 = 1024 * 1024;
/// Memory for all instances: of some dozens, while hundreds are wanted.
const MEMORY: u64 = 96 * MIB;
const EXECUTIONS: usize = 30;
const ATTEMPTS: usize = 60;

/// A host with little memory for instances, on a Temporal server of its own.
async fn small_host(data: &std::path::Path) -> (Host, EmbeddedTemporal) {
    let temporal = dev_server::start(&data.join("temporal")).await.unwrap();
    let variables = vec![("TENTERHOOK_INSTANCE_MEMORY", MEMORY.to_string())];
    let address = temporal.address().to_string();
    let host = Host::serve_with(&data.join("host"), &address, variables).await;
    (host.unwrap(), temporal)
}

async fn set_weight(world: &World, tenant: &str, weight: u64) {
    let path = format!("/v1/tenants/{tenant}/quotas");
    let put = world.api.put(&path, &json!({ "weight": weight })).await;
    put.unwrap().ok().unwrap();
}

/// The priorities of the execution's start and of its activities, as Temporal keeps them.
async fn priorities(server: &EmbeddedTemporal, id: &str) -> Vec<Priority> {
    let mut service = temporal(&server.address().to_string()).await.unwrap();
    let events = history(&mut service, id).await.unwrap().events;
    let priority = |attributes: Attributes| match attributes {
        Attributes::WorkflowExecutionStartedEventAttributes(it) => it.priority,
        Attributes::ActivityTaskScheduledEventAttributes(it) => it.priority,
        _ => None,
    };
    let attributes = events.into_iter().filter_map(|event| event.attributes);
    attributes.filter_map(priority).collect()
}

/// The same work, started by a schedule of this id that is put now. Answers the execution's id.
async fn by_schedule(world: &World, id: &str) -> String {
    let schedule = json!({
        "action": {"type": "test-hostile.Behaves", "input": "four"},
        "intervals": [{"every": "365d"}],
    });
    schedules::put(world, id, &schedule).await;
    schedules::ask(world, id, "trigger", json!({})).await;
    let seen = schedules::until(world, id, |seen| !schedules::started(seen).is_empty()).await;
    let started = schedules::started(&seen).remove(0);
    let ended = world.outcome(&started).await.unwrap();
    assert_eq!(ended["status"], "completed", "{ended:#}");
    started
}

/// The value of a series of the host's metrics; nothing where it was never counted.
async fn metric(world: &World, series: &str) -> u64 {
    let seen = world.api.get("/metrics").await.unwrap();
    let text = seen.body.as_str().unwrap_or_default();
    let mut lines = text.lines();
    let value = lines.find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    value.map_or(0, |value| value.parse().unwrap())
}

#[tokio::test]
async fn a_tenants_weight_goes_to_temporal_with_its_key() {
    let data = tempfile::tempdir().unwrap();
    let (host, server) = small_host(data.path()).await;
    let world = World::make(&host.api, "heavy").await.unwrap();
    world.push_guest(HOSTILE).await.unwrap();
    for (id, weight) in [("one", 1), ("seven", 7), ("two", 2)] {
        set_weight(&world, "heavy", weight).await;
        let ended = world.execute("test-hostile.Behaves", id, json!("four"));
        assert_eq!(ended.await.unwrap()["status"], "completed");
        let expected = Priority {
            fairness_key: "heavy".to_owned(),
            fairness_weight: f32::from(u16::try_from(weight).unwrap()),
            ..Default::default()
        };
        let expected = [expected.clone(), expected];
        let found = priorities(&server, &format!("heavy/production/{id}")).await;
        assert_eq!(found, expected, "{id}");
        let scheduled = by_schedule(&world, id).await;
        let found = priorities(&server, &format!("heavy/production/{scheduled}")).await;
        assert_eq!(found, expected, "{id} by a schedule");
    }
}

#[tokio::test]
async fn memory_is_never_used_up_and_all_that_waits_for_it_completes() {
    let data = tempfile::tempdir().unwrap();
    let (host, _server) = small_host(data.path()).await;
    let world = World::make(&host.api, "hoarder").await.unwrap();
    world.push_guest(HOSTILE).await.unwrap();
    let attempts = json!(["test-hostile.Hoard", ATTEMPTS, [2, 300]]);
    let mut begun = vec!["attempts".to_owned()];
    world
        .start("test-hostile.FansOut", "attempts", attempts)
        .await
        .unwrap();
    for number in 0..EXECUTIONS {
        let id = format!("execution-{number}");
        let hoards = world.start("test-hostile.Hoards", &id, json!([4, 500]));
        hoards.await.unwrap();
        begun.push(id);
    }
    for id in &begun {
        let outcome = world.outcome(id).await.unwrap();
        assert_eq!(outcome["status"], "completed", "{id}: {outcome:#}");
    }
    let held = |what: &str| format!("tenterhook_instance_memory_bytes{{what=\"{what}\"}}");
    let most = metric(&world, &held("most")).await;
    assert_eq!(metric(&world, &held("budget")).await, MEMORY);
    assert!((MEMORY / 2..=MEMORY).contains(&most), "{most}");
    let holds = metric(&world, "tenterhook_polling_holds_total").await;
    assert!(holds > 0, "it was never short of memory");
    assert!(host.log().contains("no new work is polled for"));
    // It is over, and new work is taken on.
    let ended = world.execute("test-hostile.Behaves", "after", Value::from("four"));
    assert_eq!(ended.await.unwrap()["status"], "completed");
}
