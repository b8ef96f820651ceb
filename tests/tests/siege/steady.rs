//! A tenant that behaves: how long its executions take.

use std::time::{Duration, Instant};

use tenterhook_tests::host::World;
use tokio::{
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};

/// Between two starts.
const STEADY: Duration = Duration::from_millis(100);

/// Executions of one round: twenty seconds.
const ROUND: usize = 200;

/// So many of the slowest are told.
const SLOWEST: usize = 12;

/// One execution: when it was started, how long it took, its id.
#[derive(Debug, Clone)]
pub(crate) struct Took {
    pub(crate) at: Duration,
    pub(crate) time: Duration,
    pub(crate) id: String,
}

/// One execution after another at a steady pace. Answers what each took.
pub(crate) async fn steady(world: &World, name: &str, time: Duration) -> Vec<Took> {
    let mut ticks = interval(STEADY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (begun, mut running, mut number) = (Instant::now(), JoinSet::new(), 0);
    while begun.elapsed() < time {
        ticks.tick().await;
        let (world, id, at) = (world.clone(), format!("{name}-{number}"), begun.elapsed());
        number += 1;
        running.spawn(async move { once(&world, id, at).await });
    }
    let mut times = Vec::new();
    while let Some(took) = running.join_next().await {
        times.push(took.unwrap());
    }
    times.sort_by_key(|took: &Took| took.at);
    times
}

async fn once(world: &World, id: String, at: Duration) -> Took {
    let begun = Instant::now();
    let outcome = world.execute("bench.OneActivity", &id, 7.into()).await;
    let outcome = outcome.unwrap();
    assert_eq!(outcome["status"], "completed", "{outcome:#}");
    assert_eq!(outcome["result"], 7, "{outcome:#}");
    let time = begun.elapsed();
    Took { at, time, id }
}

/// Of a hundred, the time of so many is no longer.
pub(crate) fn percentile(took: &[Took], percent: usize) -> Duration {
    let mut times: Vec<_> = took.iter().map(|took| took.time).collect();
    times.sort();
    times[times.len() * percent / 100]
}

/// The same of each round of so many executions, one after another, and of these the one in the middle: what else the
/// machine did in a moment makes one round slow, and not what is typical.
pub(crate) fn typical(took: &[Took], percent: usize) -> Duration {
    let rounds = took.chunks_exact(ROUND);
    let mut times: Vec<_> = rounds.map(|round| percentile(round, percent)).collect();
    times.sort();
    times[times.len() / 2]
}

/// Prints how long they took, and the stories of the slowest.
pub(crate) async fn tell(world: &World, what: &str, took: &[Took]) {
    let count = took.len();
    let all = [50, 90, 99].map(|percent| percentile(took, percent));
    let typical = [50, 90, 99].map(|percent| typical(took, percent));
    eprintln!("{what}: {count} executions, p50, p90 and p99 of all {all:?}, typical {typical:?}");
    let each: Vec<_> = took
        .chunks_exact(ROUND)
        .map(|round| percentile(round, 99).as_millis())
        .collect();
    eprintln!("  p99 of each round, in ms: {each:?}");
    let mut slowest: Vec<_> = took.iter().collect();
    slowest.sort_by_key(|took| std::cmp::Reverse(took.time));
    for Took { at, time, id } in slowest.into_iter().take(SLOWEST) {
        let story = story(world, id).await;
        eprintln!("  slow, {time:?} at {at:?}: {story}");
    }
}

/// What an execution did when, for people: when it began, in milliseconds of Unix time, and times since then.
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
    format!("{id} at {begun}: {}", told.collect::<Vec<_>>().join(", "))
}
