//! One input: a struct.

use tenterhook_sdk::{ActivityContext, ActivityError, activity};

#[activity]
fn charge(_: &ActivityContext, customer: String, amount: u64) -> Result<u64, ActivityError> {
    Ok(amount + customer.len() as u64)
}

fn main() {}
