//! Versions are semantic.

use tenterhook_sdk::{ActivityContext, ActivityError, activity, plugin};

#[activity]
fn charge(_: &ActivityContext, amount: u64) -> Result<u64, ActivityError> {
    Ok(amount)
}

plugin! {
    version: "v2",
    activities: [Charge],
}

fn main() {}
