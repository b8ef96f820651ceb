//! The input is the activity's own.

use tenterhook_sdk::{ActivityContext, ActivityError, activity};

#[activity]
fn charge(_: &ActivityContext, customer: &str) -> Result<usize, ActivityError> {
    Ok(customer.len())
}

fn main() {}
