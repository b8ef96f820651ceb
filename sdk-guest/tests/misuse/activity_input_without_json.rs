//! The input is sent as JSON.

use tenterhook_sdk::{ActivityContext, ActivityError, activity};

struct ChargeRequest {
    amount: u64,
}

#[activity]
fn charge(_: &ActivityContext, input: ChargeRequest) -> Result<u64, ActivityError> {
    Ok(input.amount)
}

fn main() {}
