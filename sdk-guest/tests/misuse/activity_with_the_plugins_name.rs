//! The host puts the plugin's name before it.

use tenterhook_sdk::{ActivityContext, ActivityError, activity};

#[activity(name = "payment.Charge")]
fn charge(_: &ActivityContext, amount: u64) -> Result<u64, ActivityError> {
    Ok(amount)
}

fn main() {}
