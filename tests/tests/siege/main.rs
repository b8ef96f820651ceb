//! A tenant that behaves beside those that do not. All ways to misbehave together, for minutes: it fails nothing and
//! waits for nobody, the host's memory does not grow, and each misdeed is told with its own code. And those that only want
//! very much. A test program of its own: it takes all that the machine has.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod fairness;
mod kinds;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tenterhook_tests::host::{Host, World};
use tokio::{
    sync::Mutex as AsyncMutex,
    task::JoinSet,
    time::{MissedTickBehavior, interval, interval_at},
};

use self::kinds::{Kind, Seen, all};

/// Tenants that misbehave, each in every way.
const HOSTILE: u32 = 3;
/// Executions of one hostile tenant under way at once.
const AT_ONCE: usize = 4;
/// Between two starts of one hostile tenant: how much it may start is a matter of quotas, what it starts is not.
const PACE: Duration = Duration::from_secs(1);
/// How long the good tenant is alone before it is besieged, and again afterwards: a machine may get slower meanwhile.
const ALONE: Duration = Duration::from_secs(30);
/// How long it is besieged.
const SIEGE: Duration = Duration::from_secs(180);
/// The host's memory counts from then on: what it needs once is there.
const WARM: Duration = Duration::from_secs(60);
/// What is held only for a moment does not count: of a window this long the least is taken.
const WINDOW: Duration = Duration::from_secs(40);
/// Between two starts of the good tenant.
const STEADY: Duration = Duration::from_millis(200);
/// The good tenant's median and its slowest hundredth may grow by so much. For the hundredth the aim is 2, and 1.3 to
/// 1.7 were measured; of few hundred executions it is two or three, so it gets room.
const P50_TIMES_MAX: u32 = 2;
const P99_TIMES_MAX: u32 = 4;
/// The host's memory may grow by one of so many parts of what it was when it was warm. The aim is none; a tenth was
/// measured.
const MEMORY_PART_MAX: u64 = 4;
/// A misdeed is told within this time, on a machine with this much to do.
const TOLD_MAX: Duration = Duration::from_secs(90);

/// One test at a time: each compares times.
pub(crate) static TURN: AsyncMutex<()> = AsyncMutex::const_new(());

/// The good tenant's work: one execution after another at a steady pace. Answers how long each took, the quickest
/// first, with its id.
async fn steady(world: &World, name: &str, time: Duration) -> Vec<(Duration, String)> {
    let mut ticks = interval(STEADY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (begun, mut running, mut number) = (Instant::now(), JoinSet::new(), 0);
    while begun.elapsed() < time {
        ticks.tick().await;
        let (world, id) = (world.clone(), format!("{name}-{number}"));
        number += 1;
        running.spawn(async move {
            let begun = Instant::now();
            let outcome = world.execute("bench.OneActivity", &id, json!(7)).await;
            let outcome = outcome.unwrap();
            assert_eq!(outcome["status"], "completed", "{outcome:#}");
            assert_eq!(outcome["result"], 7, "{outcome:#}");
            (begun.elapsed(), id)
        });
    }
    let mut times = Vec::new();
    while let Some(took) = running.join_next().await {
        times.push(took.unwrap());
    }
    times.sort();
    times
}

fn percentile(times: &[(Duration, String)], percent: usize) -> Duration {
    times[times.len() * percent / 100].0
}

/// What an execution did when, for people: times in milliseconds since its start.
async fn story(world: &World, id: &str) -> String {
    let events = world.events(id).await.unwrap();
    let begun = events[0]["time"].as_u64().unwrap_or_default();
    let told = events.iter().map(|event| {
        let millis = event["time"]
            .as_u64()
            .unwrap_or_default()
            .saturating_sub(begun);
        format!("{millis} {}", event["type"].as_str().unwrap_or_default())
    });
    format!("{id}: {}", told.collect::<Vec<_>>().join(", "))
}

/// The least that the host holds of memory over a window, in bytes.
async fn least_memory(host: &Host) -> u64 {
    let (begun, mut least) = (Instant::now(), u64::MAX);
    while begun.elapsed() < WINDOW {
        least = least.min(resident_bytes(host));
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    least
}

/// One misdeed, from its start to what is told of it.
async fn misbehave(world: &World, kind: &Kind, id: &str) {
    let workflow_type = format!("{}.{}", kind.plugin, kind.workflow);
    world
        .start(&workflow_type, id, kind.input.clone())
        .await
        .unwrap();
    let told = tokio::time::timeout(TOLD_MAX, async {
        match kind.seen {
            Seen::Task(code) => task_fails(world, id, code).await,
            Seen::Attempt(code) => {
                let outcome = ended(world, id).await;
                let failure = outcome["failure"].to_string();
                assert!(failure.contains(code), "{}: {outcome:#}", kind.name);
            }
            Seen::Nothing => {
                let outcome = ended(world, id).await;
                assert_eq!(outcome["status"], "completed", "{}: {outcome:#}", kind.name);
            }
        }
    });
    assert!(
        told.await.is_ok(),
        "{} is not told within {TOLD_MAX:?}",
        kind.name
    );
}

/// Waits for the first failed task, then ends the execution, which would be tried again for ever.
async fn task_fails(world: &World, id: &str, code: &str) {
    let failed =
        |seen: &Value| seen["task_failure"].is_object() || seen["task_failure"].is_string();
    loop {
        let events = world.events(id).await.unwrap();
        let event = events
            .iter()
            .find(|event| event["type"] == "WorkflowTaskFailed");
        if let Some(event) = event {
            let reason = event["failure"].as_str().unwrap_or_default();
            assert!(reason.contains(&format!("[{code}] ")), "{id}: {reason}");
            break;
        }
        let description = world.describe(id).await.unwrap();
        assert!(
            description["status"] == "running" || failed(&description),
            "{id} ended: {description:#}"
        );
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    let path = world.path(&format!("workflows/{id}/terminate"));
    let body = json!({ "reason": "it was seen" });
    world.api.post(&path, &body).await.unwrap().ok().unwrap();
}

async fn ended(world: &World, id: &str) -> Value {
    world.outcome(id).await.unwrap()
}

type Tally = Arc<Mutex<HashMap<&'static str, usize>>>;

/// Misbehaves in all ways again and again, some at once.
async fn besiege(world: World, tally: Tally, begun: Instant, until: Instant) {
    let begun = tokio::time::Instant::from_std(begun);
    let kinds = Arc::new(all());
    let mut streams = JoinSet::new();
    for stream in 0..AT_ONCE {
        let (world, tally, kinds) = (world.clone(), tally.clone(), kinds.clone());
        streams.spawn(async move {
            let pace = |starts: usize| PACE * u32::try_from(starts).unwrap();
            let mut ticks = interval_at(begun + pace(stream), pace(AT_ONCE));
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            for round in 0.. {
                for kind in kinds.iter().skip(stream).step_by(AT_ONCE) {
                    ticks.tick().await;
                    if Instant::now() >= until {
                        return;
                    }
                    misbehave(&world, kind, &format!("{}-{round}", kind.name)).await;
                    *tally.lock().unwrap().entry(kind.name).or_default() += 1;
                }
            }
        });
    }
    while let Some(stream) = streams.join_next().await {
        stream.unwrap();
    }
}

/// What the host's process holds of memory, in bytes.
fn resident_bytes(host: &Host) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", host.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: u64 = line
        .unwrap()
        .trim()
        .trim_end_matches("kB")
        .trim()
        .parse()
        .unwrap();
    kib * 1024
}

async fn hostile(host: &Host, name: &str) -> World {
    let world = World::make(&host.api, name).await.unwrap();
    for plugin in ["test-hostile", "test-garbage"] {
        world.push_guest(plugin).await.unwrap();
    }
    let limits = json!({ "activity_millis": 2_000 });
    world
        .grant("test-hostile", &json!({ "limits": limits }))
        .await
        .unwrap();
    world
        .grant(
            "test-garbage",
            &json!({ "limits": { "activation_millis": 500 } }),
        )
        .await
        .unwrap();
    world
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_good_tenant_beside_every_misdeed_at_once() {
    let _turn = TURN.lock().await;
    let data = tempfile::tempdir().unwrap();
    let host = Host::start(data.path()).await.unwrap();
    let good = World::make(&host.api, "good").await.unwrap();
    good.push_guest("bench").await.unwrap();
    let mut besiegers = Vec::new();
    for number in 0..HOSTILE {
        besiegers.push(hostile(&host, &format!("hostile-{number}")).await);
    }
    good.execute("bench.OneActivity", "warm", json!(1))
        .await
        .unwrap();
    let mut alone = steady(&good, "alone", ALONE).await;

    let (tally, begun) = (Tally::default(), Instant::now());
    let until = begun + SIEGE;
    let sieges: Vec<_> = (0..)
        .zip(besiegers)
        .map(|(number, world)| {
            // They know nothing of each other, so they do not start all at the same moments.
            let begun = begun + PACE * number / HOSTILE;
            tokio::spawn(besiege(world, tally.clone(), begun, until))
        })
        .collect();
    let besieged = tokio::spawn({
        let good = good.clone();
        async move { steady(&good, "besieged", SIEGE).await }
    });
    tokio::time::sleep(WARM).await;
    let warm = least_memory(&host).await;
    tokio::time::sleep(until - WINDOW - Instant::now()).await;
    let after = least_memory(&host).await;
    let besieged = besieged.await.unwrap();
    for siege in sieges {
        siege.await.unwrap();
    }
    alone.extend(steady(&good, "alone-again", ALONE).await);
    alone.sort();
    for (what, times) in [("alone", &alone), ("besieged", &besieged)] {
        let [p50, p90, p99] = [50, 90, 99].map(|percent| percentile(times, percent));
        eprintln!(
            "{what}: {} executions, p50 {p50:?}, p90 {p90:?}, p99 {p99:?}",
            times.len()
        );
        eprintln!(
            "  the slowest: {}",
            story(&good, &times.last().unwrap().1).await
        );
    }
    let tally = tally.lock().unwrap().clone();
    eprintln!(
        "{} misdeeds of {} kinds; memory {} then {} MiB",
        tally.values().sum::<usize>(),
        tally.len(),
        warm >> 20,
        after >> 20,
    );
    assert!(tally.len() >= 30, "too few kinds were seen: {tally:?}");
    assert_eq!(tally.len(), all().len(), "a kind was not seen: {tally:?}");
    for (percent, times_max) in [(50, P50_TIMES_MAX), (99, P99_TIMES_MAX)] {
        let [before, during] = [&alone, &besieged].map(|times| percentile(times, percent));
        assert!(
            during <= times_max * before,
            "of a hundred the {percent}th: {before:?} became {during:?}"
        );
    }
    assert!(
        after <= warm + warm / MEMORY_PART_MAX,
        "memory grew from {warm} to {after} bytes"
    );
}
