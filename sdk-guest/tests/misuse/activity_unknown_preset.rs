//! Presets have names.

use tenterhook_sdk::{ActivityContext, ActivityError, activity};

#[activity(timeout = 30)]
fn charge(_: &ActivityContext, amount: u64) -> Result<u64, ActivityError> {
    Ok(amount)
}

#[activity(retry = Often)]
fn refund(_: &ActivityContext, amount: u64) -> Result<u64, ActivityError> {
    Ok(amount)
}

fn main() {}
