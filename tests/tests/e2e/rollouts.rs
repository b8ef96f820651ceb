//! From one release to the next: ramps and their guard, rollbacks, the pin, and the end of a release.

mod ending;
mod migrating;
mod pinning;
mod ramping;

use serde_json::{Value, json};
use tenterhook_tests::host::{World, guest};

/// The plugin `test-ramp` with its first release current and its second one ready.
struct Two {
    world: World,
    v1: String,
    v2: String,
}

impl Two {
    async fn push(world: World) -> Self {
        let v1 = world.push("test-ramp", guest("test-ramp").unwrap()).await;
        let v2 = world.push("test-ramp", guest("test-ramp-v2").unwrap());
        Self {
            v1: v1.unwrap(),
            v2: v2.await.unwrap(),
            world,
        }
    }

    fn path(&self, rest: &str) -> String {
        self.world.path(&format!("plugins/test-ramp/{rest}"))
    }

    /// Ramps the second release to `percentage`, and leaves it there.
    async fn ramp(&self, percentage: u8) -> Value {
        let steps = json!([{ "percentage": percentage }]);
        let plan = json!({ "digest": self.v2, "steps": steps });
        let ramped = self.world.api.put(&self.path("rollout"), &plan).await;
        ramped.unwrap().ok().unwrap()
    }

    async fn promote_second(&self) {
        promote(&self.world, "test-ramp", &self.v2).await;
    }

    async fn roll_back(&self) {
        let path = self.path("rollback");
        let done = self.world.api.post(&path, &json!({})).await;
        done.unwrap().ok().unwrap();
    }

    async fn set_policy(&self, policy: &Value) {
        set_policy(&self.world, "test-ramp", policy).await;
    }
}

async fn promote(world: &World, plugin: &str, digest: &str) {
    let path = world.path(&format!("plugins/{plugin}/current"));
    let done = world.api.put(&path, &json!({ "digest": digest })).await;
    done.unwrap().ok().unwrap();
}

async fn set_policy(world: &World, plugin: &str, policy: &Value) {
    let path = world.path(&format!("plugins/{plugin}/policy"));
    world.api.put(&path, policy).await.unwrap().ok().unwrap();
}

/// An input of `test-ramp.Quick`.
fn quickly(number: u32, failing: &str) -> Value {
    json!({ "number": number, "failing": failing })
}
