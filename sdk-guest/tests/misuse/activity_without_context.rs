//! The context comes first.

use tenterhook_sdk::{ActivityError, activity};

#[activity]
fn charge(amount: u64) -> Result<u64, ActivityError> {
    Ok(amount)
}

fn main() {}
