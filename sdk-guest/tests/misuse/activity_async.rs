//! An activity is a plain function.

use tenterhook_sdk::{ActivityContext, ActivityError, activity};

#[activity]
async fn charge(_: &ActivityContext, amount: u64) -> Result<u64, ActivityError> {
    Ok(amount)
}

fn main() {}
