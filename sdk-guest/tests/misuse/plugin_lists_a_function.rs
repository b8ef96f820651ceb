//! The handle is listed, not the function.

use tenterhook_sdk::{ActivityContext, ActivityError, activity, plugin};

#[activity]
fn charge(_: &ActivityContext, amount: u64) -> Result<u64, ActivityError> {
    Ok(amount)
}

plugin! {
    activities: [charge],
}

fn main() {}
