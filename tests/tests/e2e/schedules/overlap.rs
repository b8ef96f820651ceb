//! What becomes of a start that meets a running execution, by each policy.

use serde_json::{Value, json};
use tenterhook_tests::host::World;

use super::{ask, put, started, until};
use crate::shared::world;

/// The beginning of the first night, 2026-01-10 in UTC, and how long a day is, in milliseconds.
const FIRST_DAY: u64 = 1_768_003_200_000;
const DAY: u64 = 86_400_000;

/// A schedule of every night that is paused: what it starts are nights of long ago, each when the test asks for it. What it
/// starts runs until it is told to go on.
struct Nightly<'a> {
    world: &'a World,
    id: String,
}

impl<'a> Nightly<'a> {
    async fn put(world: &'a World, overlap: &str) -> Self {
        let schedule = json!({
            "action": {"type": "test-pin.Versioned", "input": null},
            "cron": ["0 4 * * *"], "overlap": overlap, "paused": true,
        });
        let id = overlap.replace('_', "-");
        put(world, &id, &schedule).await;
        Self { world, id }
    }

    /// The execution of a night.
    fn run(&self, night: u64) -> String {
        format!("{}-2026-01-{}T04:00:00Z", self.id, 10 + night)
    }

    async fn come(&self, night: u64) {
        let from = FIRST_DAY + night * DAY;
        let range = json!({"from": from, "to": from + DAY});
        ask(self.world, &self.id, "backfill", range).await;
    }

    /// Waits until a night's execution is there, and waits itself; says when it began.
    async fn waits(&self, night: u64) -> u64 {
        let run = self.run(night);
        until(self.world, &self.id, |seen| started(seen).contains(&run)).await;
        let known = self.world.until(&run, |known| known["digest"].is_string());
        known.await.unwrap()["started_at"].as_u64().unwrap()
    }

    /// Lets a night's execution go on, and says when it ended.
    async fn goes(&self, night: u64) -> u64 {
        let run = self.run(night);
        self.world.signal(&run, "go", Value::Null).await.unwrap();
        self.ended(night, "completed").await
    }

    /// Waits until a night's execution has ended so, and says when.
    async fn ended(&self, night: u64, status: &str) -> u64 {
        let run = self.run(night);
        let outcome = self.world.outcome(&run).await.unwrap();
        assert_eq!(outcome["status"], status, "{run}: {outcome:#}");
        let known = self.world.describe(&run).await.unwrap();
        known["closed_at"].as_u64().unwrap()
    }

    /// How many were started and left out, once it is so many.
    async fn until_counted(&self, counts: (u64, u64)) {
        let counted = |seen: &Value| {
            let count = |key: &str| seen[key].as_u64().unwrap();
            (count("started"), count("skipped")) == counts
        };
        until(self.world, &self.id, counted).await;
    }
}

async fn tenant(name: &str) -> World {
    let world = world(name).await;
    let component = tenterhook_tests::host::guest("test-pin-v1").unwrap();
    world.push("test-pin", component).await.unwrap();
    world
}

#[tokio::test]
async fn a_start_that_is_buffered_comes_after_the_end_of_the_one_before() {
    let world = tenant("sched-buffer").await;
    // How many of two that wait come in the end.
    for (overlap, come) in [("skip", 0), ("buffer_one", 1), ("buffer_all", 2)] {
        let nightly = Nightly::put(&world, overlap).await;
        nightly.come(0).await;
        nightly.waits(0).await;
        nightly.come(1).await;
        nightly.come(2).await;
        nightly.until_counted((1, 2 - come)).await;
        for night in 0..come {
            let end = nightly.goes(night).await;
            let begin = nightly.waits(night + 1).await;
            assert!(end <= begin, "{overlap}: night {night} ran still");
        }
        nightly.goes(come).await;
        nightly.until_counted((1 + come, 2 - come)).await;
        let rests = |seen: &Value| seen["running"] == json!([]);
        let rests = until(&world, &nightly.id, rests).await;
        assert_eq!(started(&rests).len() as u64, 1 + come, "{rests:#}");
    }
}

#[tokio::test]
async fn a_start_that_may_not_wait_runs_beside_the_other_or_ends_it() {
    let world = tenant("sched-beside").await;
    let beside = Nightly::put(&world, "allow_all").await;
    for night in 0..3 {
        beside.come(night).await;
        beside.waits(night).await;
    }
    beside.until_counted((3, 0)).await;
    for night in 0..3 {
        let known = world.describe(&beside.run(night)).await.unwrap();
        assert_eq!(known["status"], "running", "night {night}: {known:#}");
        beside.goes(night).await;
    }
    for (overlap, status) in [
        ("cancel_other", "canceled"),
        ("terminate_other", "terminated"),
    ] {
        let nightly = Nightly::put(&world, overlap).await;
        nightly.come(0).await;
        nightly.waits(0).await;
        nightly.come(1).await;
        let end = nightly.ended(0, status).await;
        let begin = nightly.waits(1).await;
        assert!(end <= begin, "{overlap}: night 0 ran still");
        nightly.goes(1).await;
        nightly.until_counted((2, 0)).await;
    }
}
