//! The result is described by a schema.

use serde::{Deserialize, Serialize};
use tenterhook_sdk::{ActivityContext, ActivityError, activity};

#[derive(Serialize, Deserialize)]
struct Charged {
    amount: u64,
}

#[activity]
fn charge(_: &ActivityContext, amount: u64) -> Result<Charged, ActivityError> {
    Ok(Charged { amount })
}

fn main() {}
