//! There are three options.

use tenterhook_sdk::{ActivityContext, ActivityError, activity};

#[activity(retries = 3)]
fn charge(_: &ActivityContext, amount: u64) -> Result<u64, ActivityError> {
    Ok(amount)
}

fn main() {}
