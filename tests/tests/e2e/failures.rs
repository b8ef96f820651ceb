//! What goes wrong, and what is said of it: nothing of a failure is lost on its way, and one task's trouble stays
//! its own.

mod garbage;
mod hostile;
mod mapping;
mod outage;

use serde_json::Value;
use tenterhook_tests::host::World;

use crate::features::{once, result_of};

/// The failure's chain that a workflow sees when it runs `activity` once.
pub(crate) async fn chain_of(world: &World, id: &str, activity: &str, input: Value) -> Vec<Value> {
    let ran = result_of(world, "RunsActivity", id, once(activity, input)).await;
    ran["failure"].as_array().unwrap().clone()
}
