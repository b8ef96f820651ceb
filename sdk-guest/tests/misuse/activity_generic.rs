//! One type goes in.

use tenterhook_sdk::{ActivityContext, ActivityError, activity};

#[activity]
fn charge<T: Into<u64>>(_: &ActivityContext, amount: T) -> Result<u64, ActivityError> {
    Ok(amount.into())
}

fn main() {}
