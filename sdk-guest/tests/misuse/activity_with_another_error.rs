//! The error is of the taxonomy.

use tenterhook_sdk::{ActivityContext, activity};

#[activity]
fn charge(_: &ActivityContext, amount: u64) -> Result<u64, String> {
    Ok(amount)
}

fn main() {}
