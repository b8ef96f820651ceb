//! The function and the type that stands for the activity need two names.

use tenterhook_sdk::{ActivityContext, ActivityError, activity};

#[activity]
#[allow(non_snake_case)]
fn Charge(_: &ActivityContext, amount: u64) -> Result<u64, ActivityError> {
    Ok(amount)
}

fn main() {}
