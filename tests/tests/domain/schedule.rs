//! A Temporal Schedule of a scene's plugin, made and driven through the API.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::scene::Scene;

/// Longest until a schedule has done what it must.
const WITHIN: Duration = Duration::from_secs(60);
/// Between two looks at it.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// A schedule that is there.
pub(crate) struct Schedule<'a> {
    scene: &'a Scene,
    id: &'static str,
}

impl<'a> Schedule<'a> {
    /// Makes the schedule `id` of `body`, whose action runs `workflow` with `input`.
    pub(crate) async fn put(
        scene: &'a Scene,
        id: &'static str,
        (workflow, input): (&str, Value),
        mut body: Value,
    ) -> Self {
        body["action"] = json!({ "type": workflow, "input": input });
        let path = scene.world.path(&format!("schedules/{id}"));
        scene
            .world
            .api
            .put(&path, &body)
            .await
            .unwrap()
            .ok()
            .unwrap();
        Self { scene, id }
    }

    /// Asks something of it: `trigger`, `pause`, `backfill`.
    pub(crate) async fn ask(&self, what: &str, body: Value) {
        let world = &self.scene.world;
        let path = world.path(&format!("schedules/{}/{what}", self.id));
        world.api.post(&path, &body).await.unwrap().ok().unwrap();
    }

    /// Looks at it until it is as `seen` wants it; answers the ids of what it started last, in the order of their times.
    pub(crate) async fn until(&self, seen: impl Fn(&Value) -> bool) -> Vec<String> {
        let world = &self.scene.world;
        let path = world.path(&format!("schedules/{}", self.id));
        let deadline = Instant::now() + WITHIN;
        loop {
            let schedule = world.api.get(&path).await.unwrap().ok().unwrap();
            if seen(&schedule) {
                let recent = schedule["recent"].as_array().unwrap().iter();
                let ids = recent.map(|start| start["id"].as_str().unwrap().to_owned());
                let mut ids: Vec<_> = ids.collect();
                ids.sort();
                return ids;
            }
            assert!(Instant::now() < deadline, "not so: {schedule:#}");
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// The same, until it has started so many.
    pub(crate) async fn until_started(&self, number: usize) -> Vec<String> {
        self.until(|seen| seen["started"] == number).await
    }

    /// How an execution that it started ended, which it did on the release `digest`.
    pub(crate) async fn result_on(&self, digest: &str, id: &str) -> Value {
        let outcome = self.scene.world.outcome(id).await.unwrap();
        assert_eq!(outcome["status"], "completed", "{id}: {outcome:#}");
        let known = self.scene.world.describe(id).await.unwrap();
        assert_eq!(known["digest"], digest, "{id}");
        outcome["result"].clone()
    }
}
