//! Plugins have names that fit into URLs.

use tenterhook_sdk::{ActivityContext, ActivityError, activity, plugin};

#[activity]
fn charge(_: &ActivityContext, amount: u64) -> Result<u64, ActivityError> {
    Ok(amount)
}

plugin! {
    name: "My Plugin",
    activities: [Charge],
}

fn main() {}
