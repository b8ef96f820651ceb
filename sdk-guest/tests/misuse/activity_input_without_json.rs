//! The input is sent as JSON.

use tenterhook_sdk::{ActivityContext, ActivityError, activity};

struct Charge {
    amount: u64,
}

#[activity]
fn charge(_: &ActivityContext, input: Charge) -> Result<u64, ActivityError> {
    Ok(input.amount)
}

fn main() {}
