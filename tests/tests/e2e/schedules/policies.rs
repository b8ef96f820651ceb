//! What is put of a schedule stands so in Temporal's own description, and Temporal plans by it.

use serde_json::{Value, json};
use temporalio_client::grpc::WorkflowService;
use temporalio_protos::temporal::api::{
    enums::v1::ScheduleOverlapPolicy, schedule::v1::ScheduleInfo,
};
use tenterhook_embedded::EmbeddedTemporal;
use tenterhook_tests::{
    dev_server,
    host::{Host, World},
    raw::temporal,
};

use super::{described, every_second, put, until};

/// Every policy by the word that callers write.
const OVERLAPS: [(&str, ScheduleOverlapPolicy); 6] = [
    ("skip", ScheduleOverlapPolicy::Skip),
    ("buffer_one", ScheduleOverlapPolicy::BufferOne),
    ("buffer_all", ScheduleOverlapPolicy::BufferAll),
    ("cancel_other", ScheduleOverlapPolicy::CancelOther),
    ("terminate_other", ScheduleOverlapPolicy::TerminateOther),
    ("allow_all", ScheduleOverlapPolicy::AllowAll),
];
/// A minute, by which the schedules go whose plans are looked at; and what their starts are spread over.
const MINUTE_MS: u64 = 60_000;
const JITTER_MS: u64 = 30_000;

/// A tenant on a Temporal server that can be asked directly.
struct Own {
    world: World,
    service: Box<dyn WorkflowService>,
    _running: (Host, EmbeddedTemporal, [tempfile::TempDir; 2]),
}

impl Own {
    async fn start() -> Self {
        let (server_data, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let server = dev_server::start(server_data.path()).await.unwrap();
        let address = server.address().to_string();
        let host = Host::serve(data.path(), &address).await.unwrap();
        let world = World::make(&host.api, "acme").await.unwrap();
        world.push_guest("bench").await.unwrap();
        Self {
            world,
            service: temporal(&address).await.unwrap(),
            _running: (host, server, [server_data, data]),
        }
    }

    /// The moments for which Temporal has planned the next starts, in milliseconds since the Unix epoch.
    async fn planned(&mut self, id: &str) -> Vec<u64> {
        let id = format!("acme/production/{id}");
        let info = described(&mut self.service, &id).await.info.unwrap();
        let ScheduleInfo {
            future_action_times,
            ..
        } = info;
        let millis = future_action_times.iter().map(|time| {
            u64::try_from(time.seconds * 1_000 + i64::from(time.nanos / 1_000_000)).unwrap()
        });
        millis.collect()
    }
}

/// Paused, so that nothing runs meanwhile.
fn paused(mut schedule: Value, what: &Value) -> Value {
    let fields = schedule.as_object_mut().unwrap();
    fields.extend(what.as_object().unwrap().clone());
    fields.insert("paused".to_owned(), true.into());
    schedule
}

#[tokio::test]
async fn every_policy_stands_in_temporal_as_it_was_put() {
    let mut own = Own::start().await;
    // The first one makes the schedule, the others replace it.
    for (turn, (overlap, policy)) in OVERLAPS.into_iter().enumerate() {
        let (catch_up, jitter) = (10 + turn, 1 + turn);
        let stated = json!({
            "overlap": overlap,
            "catch_up": format!("{catch_up}s"),
            "jitter": format!("{jitter}s"),
            "pause_on_failure": turn % 2 == 0,
        });
        put(&own.world, "tick", &paused(every_second(1), &stated)).await;
        let read = until(&own.world, "tick", |seen| {
            seen["schedule"]["overlap"] == overlap
        });
        let read = read.await;
        for (key, value) in stated.as_object().unwrap() {
            assert_eq!(&read["schedule"][key], value, "{overlap}: {read:#}");
        }
        let kept = described(&mut own.service, "acme/production/tick").await;
        let kept = kept.schedule.unwrap();
        let (policies, spec) = (kept.policies.unwrap(), kept.spec.unwrap());
        assert_eq!(policies.overlap_policy(), policy);
        assert_eq!(policies.pause_on_failure, turn % 2 == 0);
        let catch_up_kept = policies.catchup_window.map(|span| span.seconds);
        let spans = (catch_up_kept, spec.jitter.map(|span| span.seconds));
        let wanted = (i64::try_from(catch_up).ok(), i64::try_from(jitter).ok());
        assert_eq!(spans, wanted, "{overlap}");
    }
    // Without a word of it, Temporal skips what overlaps, and makes up for a year.
    put(&own.world, "tick", &paused(every_second(1), &json!({}))).await;
    let read = until(&own.world, "tick", |seen| {
        seen["schedule"]["overlap"] == "skip"
    });
    let read = read.await;
    assert_eq!(read["schedule"]["catch_up"], "365d", "{read:#}");
    assert_eq!(read["schedule"]["jitter"], Value::Null, "{read:#}");
}

/// How long after the beginnings of their minutes the moments are; they are of minutes one after the other.
fn behind_the_minute(moments: &[u64]) -> Vec<u64> {
    assert!(moments.len() >= 5, "too few are planned: {moments:?}");
    let minutes: Vec<_> = moments.iter().map(|moment| moment / MINUTE_MS).collect();
    let consecutive = minutes.windows(2).all(|two| two[1] == two[0] + 1);
    assert!(consecutive, "one start a minute: {moments:?}");
    moments.iter().map(|moment| moment % MINUTE_MS).collect()
}

#[tokio::test]
async fn jitter_spreads_the_planned_starts_behind_the_stated_moments() {
    let mut own = Own::start().await;
    let every_minute = json!({
        "action": {"type": "bench.OneActivity", "input": 1},
        "intervals": [{"every": "1m"}],
    });
    put(&own.world, "sharp", &every_minute).await;
    let mut with_jitter = every_minute.clone();
    with_jitter["jitter"] = format!("{JITTER_MS}ms").into();
    put(&own.world, "spread", &with_jitter).await;
    for told_by in ["temporal", "the host"] {
        for (id, least, most) in [("sharp", 0, 0), ("spread", 1, JITTER_MS)] {
            let moments = match told_by {
                "temporal" => own.planned(id).await,
                _ => next(&own.world, id).await,
            };
            let mut behind = behind_the_minute(&moments);
            behind.sort_unstable();
            behind.dedup();
            let last = *behind.last().unwrap();
            assert!(
                (least..=most).contains(&last),
                "{id}, told by {told_by}: {behind:?}"
            );
            // Each start has its own, and not all the same.
            assert_eq!(behind.len() > 1, most > 0, "{id}: {behind:?}");
        }
    }
}

/// The moments of the next starts as the host tells of them.
async fn next(world: &World, id: &str) -> Vec<u64> {
    let seen = until(world, id, |_| true).await;
    let moments = seen["next"].as_array().unwrap().iter();
    moments.map(|moment| moment.as_u64().unwrap()).collect()
}
